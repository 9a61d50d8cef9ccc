// SPDX-License-Identifier: MIT
/* Scores of sets, and the matrices that they are taken from. */
#include "score.h"

#include <stdio.h>
#include <stdlib.h>

const char *const objective_names[N_OBJECTIVES] = { "sum", "bottleneck", "bottleneck-then-sum" };

struct matrix matrix_new(size_t n)
{
	struct matrix matrix = { .n = n, .mbps = calloc(n * n ?: 1, sizeof(*matrix.mbps)) };

	if (!matrix.mbps) {
		perror("oracle: a matrix of pair bandwidths");
		abort();
	}
	return matrix;
}

void matrix_fini(struct matrix *matrix)
{
	free(matrix->mbps);
	*matrix = (struct matrix){ 0 };
}

struct matrix matrix_part(const struct matrix *matrix, const size_t *devices, size_t n)
{
	struct matrix part = matrix_new(n);

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			part.mbps[i * n + j] = matrix_at(matrix, devices[i], devices[j]);
	return part;
}

struct score score_of_set(enum objective objective, const size_t *set, size_t n,
			  int64_t (*mbps_of)(const void *pairs, size_t a, size_t b), const void *pairs)
{
	int64_t least = INT64_MAX, sum = 0;

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < i; j++) {
			int64_t mbps = mbps_of(pairs, set[i], set[j]);

			least = mbps < least ? mbps : least;
			sum += mbps;
		}
	}
	return score_of(objective, n, least, sum);
}

static int64_t of_matrix(const void *pairs, size_t a, size_t b)
{
	return matrix_at(pairs, a, b);
}

struct score matrix_score(const struct matrix *matrix, enum objective objective, const size_t *set, size_t n)
{
	return score_of_set(objective, set, n, of_matrix, matrix);
}

// SPDX-License-Identifier: MIT
/*
 * Every subset, as two halves: for one choice of the upper half, what each device of the lower half has to do with it
 * is known, and each choice of the lower half costs one addition and one comparison.
 */
#include "subsets.h"

#include <stdlib.h>

enum {
	HALF_MAX = SUBSETS_MAX / 2,
};

struct half {
	int64_t sum[1 << HALF_MAX];
	int64_t least[1 << HALF_MAX];
};

/* Of all subsets of devices first .. first + n - 1: each is one without its lowest member, and that member's row. */
static void half_fill(struct half *half, const struct matrix *matrix, size_t first, size_t n)
{
	half->sum[0] = 0;
	half->least[0] = INT64_MAX;
	for (unsigned int mask = 1; mask < 1U << n; mask++) {
		unsigned int rest = mask & (mask - 1);
		size_t device = first + (size_t)__builtin_ctz(mask);

		half->sum[mask] = half->sum[rest];
		half->least[mask] = half->least[rest];
		for (unsigned int others = rest; others; others &= others - 1) {
			int64_t mbps = matrix_at(matrix, device, first + (size_t)__builtin_ctz(others));

			half->sum[mask] += mbps;
			if (mbps < half->least[mask])
				half->least[mask] = mbps;
		}
	}
}

/* What each subset of the lower half adds across the cut, to the chosen devices of the upper one. */
static void cross_fill(struct half *cross, const struct matrix *matrix, size_t n_low, unsigned int high)
{
	int64_t sum[HALF_MAX] = { 0 }, least[HALF_MAX];

	for (size_t i = 0; i < n_low; i++) {
		least[i] = INT64_MAX;
		for (unsigned int others = high; others; others &= others - 1) {
			int64_t mbps = matrix_at(matrix, i, n_low + (size_t)__builtin_ctz(others));

			sum[i] += mbps;
			if (mbps < least[i])
				least[i] = mbps;
		}
	}
	cross->sum[0] = 0;
	cross->least[0] = INT64_MAX;
	for (unsigned int mask = 1; mask < 1U << n_low; mask++) {
		unsigned int rest = mask & (mask - 1), device = (unsigned int)__builtin_ctz(mask);

		cross->sum[mask] = cross->sum[rest] + sum[device];
		cross->least[mask] = cross->least[rest] < least[device] ? cross->least[rest] : least[device];
	}
}

void subsets_best(const struct matrix *matrix, struct subsets *ret)
{
	size_t n = matrix->n, n_low = n / 2, n_high = n - n / 2;
	struct half *halves = malloc(3 * sizeof(*halves));
	struct half *low = halves, *high = halves + 1, *cross = halves + 2;

	if (!halves || n > SUBSETS_MAX)
		abort();
	for (unsigned int objective = 0; objective < N_OBJECTIVES; objective++)
		for (size_t k = 0; k <= SUBSETS_MAX; k++)
			ret->best[objective][k] = SCORE_NONE;
	half_fill(low, matrix, 0, n_low);
	half_fill(high, matrix, n_low, n_high);
	for (unsigned int h = 0; h < 1U << n_high; h++) {
		size_t k_high = (size_t)__builtin_popcount(h);

		cross_fill(cross, matrix, n_low, h);
		for (unsigned int l = 0; l < 1U << n_low; l++) {
			size_t k = k_high + (size_t)__builtin_popcount(l);
			int64_t sum = low->sum[l] + high->sum[h] + cross->sum[l];
			int64_t least = low->least[l] < high->least[h] ? low->least[l] : high->least[h];

			if (cross->least[l] < least)
				least = cross->least[l];
			for (unsigned int objective = 0; objective < N_OBJECTIVES; objective++) {
				struct score score = score_of(objective, k, least, sum);

				if (score_less(ret->best[objective][k], score))
					ret->best[objective][k] = score;
			}
		}
	}
	free(halves);
}

/* What each device would add to the set that has been chosen so far. */
struct prefix {
	int64_t sum[64], least[64];
};

static void extend(const struct matrix *matrix, enum objective objective, size_t k, const struct prefix *prefix,
		   size_t n_set, size_t next, int64_t sum, int64_t least, struct score *best)
{
	struct prefix longer;

	if (n_set + 1 == k) {
		for (size_t i = next; i < matrix->n; i++) {
			int64_t lesser = prefix->least[i] < least ? prefix->least[i] : least;
			struct score score = score_of(objective, k, lesser, sum + prefix->sum[i]);

			if (score_less(*best, score))
				*best = score;
		}
		return;
	}
	for (size_t i = next; i + (k - n_set) <= matrix->n; i++) {
		for (size_t j = i + 1; j < matrix->n; j++) {
			int64_t mbps = matrix_at(matrix, i, j);

			longer.sum[j] = prefix->sum[j] + mbps;
			longer.least[j] = prefix->least[j] < mbps ? prefix->least[j] : mbps;
		}
		extend(matrix, objective, k, &longer, n_set + 1, i + 1, sum + prefix->sum[i],
		       prefix->least[i] < least ? prefix->least[i] : least, best);
	}
}

struct score subsets_one_best(const struct matrix *matrix, enum objective objective, size_t k)
{
	struct score best = SCORE_NONE;
	struct prefix prefix;

	if (matrix->n > 64 || k == 0)
		abort();
	if (k > matrix->n)
		return best;
	for (size_t i = 0; i < matrix->n; i++) {
		prefix.sum[i] = 0;
		prefix.least[i] = INT64_MAX;
	}
	extend(matrix, objective, k, &prefix, 0, 0, 0, INT64_MAX, &best);
	return best;
}

/* Is there a clique of @k among @candidates? */
static bool clique_exists(const uint64_t *linked, uint64_t candidates, size_t k)
{
	if (k == 0)
		return true;
	while ((size_t)__builtin_popcountll(candidates) >= k) {
		size_t device = (size_t)__builtin_ctzll(candidates);

		candidates &= candidates - 1;
		if (clique_exists(linked, candidates & linked[device], k - 1))
			return true;
	}
	return false;
}

static bool clique_at(const struct matrix *matrix, int64_t mbps, size_t k)
{
	uint64_t linked[64] = { 0 };

	for (size_t i = 0; i < matrix->n; i++)
		for (size_t j = 0; j < matrix->n; j++)
			if (i != j && matrix_at(matrix, i, j) >= mbps)
				linked[i] |= UINT64_C(1) << j;
	return clique_exists(linked, matrix->n < 64 ? (UINT64_C(1) << matrix->n) - 1 : UINT64_MAX, k);
}

int64_t subsets_clique_bottleneck(const struct matrix *matrix, size_t k)
{
	int64_t best = -1;

	if (k > matrix->n)
		return -1;
	if (k < 2)
		return 0;
	if (matrix->n > 64)
		abort();
	for (size_t i = 0; i < matrix->n; i++)
		for (size_t j = 0; j < i; j++)
			if (matrix_at(matrix, i, j) > best && clique_at(matrix, matrix_at(matrix, i, j), k))
				best = matrix_at(matrix, i, j);
	return best;
}

static int64_t cut_of(const struct matrix *matrix, unsigned int set)
{
	int64_t cut = 0;

	for (size_t i = 0; i < matrix->n; i++)
		for (size_t j = 0; j < i; j++)
			if ((set >> i & 1) != (set >> j & 1))
				cut += matrix_at(matrix, i, j);
	return cut;
}

unsigned int subsets_least_cut(const struct matrix *matrix, enum objective objective, size_t k)
{
	struct score best = SCORE_NONE;
	unsigned int chosen = 0, next;
	int64_t least = 0;

	for (unsigned int set = (1U << k) - 1; set < 1U << matrix->n; set = next) {
		unsigned int lowest = set & -set, ripple = set + lowest;
		size_t devices[SUBSETS_MAX], n = 0;
		struct score score;

		/* The next larger number of as many bits. */
		next = ripple | (((set ^ ripple) >> 2) / lowest);
		for (unsigned int rest = set; rest; rest &= rest - 1)
			devices[n++] = (size_t)__builtin_ctz(rest);
		score = matrix_score(matrix, objective, devices, n);
		if (score_less(score, best))
			continue;
		if (score_less(best, score) || cut_of(matrix, set) < least ||
		    (cut_of(matrix, set) == least && (set & ((set ^ chosen) & -(set ^ chosen))))) {
			best = score;
			least = cut_of(matrix, set);
			chosen = set;
		}
	}
	return chosen;
}

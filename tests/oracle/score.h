/* SPDX-License-Identifier: MIT */
/*
 * score - what a set of devices is worth, for the oracles of placement. Written from the rule alone (pair bandwidth,
 * version 1: objectives and ties), and on purpose without anything of libfabricmap: whoever judges must not ask the
 * one who is judged.
 */
#ifndef ORACLE_SCORE_H
#define ORACLE_SCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum objective {
	OBJECTIVE_SUM, /* the sum over unordered pairs */
	OBJECTIVE_BOTTLENECK, /* the least pair; one device: 0 */
	OBJECTIVE_BOTTLENECK_THEN_SUM,
	N_OBJECTIVES,
};

/* "sum", "bottleneck", "bottleneck-then-sum" */
extern const char *const objective_names[N_OBJECTIVES];

/* Compared first, then second. Of bottleneck-then-sum the bottleneck and the sum, else the value and 0. */
struct score {
	int64_t first, second;
};

/* Of no set at all: less than any other. */
#define SCORE_NONE ((struct score){ -1, -1 })

static inline bool score_less(struct score a, struct score b)
{
	return a.first != b.first ? a.first < b.first : a.second < b.second;
}

static inline bool score_equal(struct score a, struct score b)
{
	return a.first == b.first && a.second == b.second;
}

/* @least: anything for fewer than two devices. */
static inline struct score score_of(enum objective objective, size_t n, int64_t least, int64_t sum)
{
	int64_t bottleneck = n < 2 ? 0 : least;

	switch (objective) {
	case OBJECTIVE_SUM:
		return (struct score){ sum, 0 };
	case OBJECTIVE_BOTTLENECK:
		return (struct score){ bottleneck, 0 };
	default:
		return (struct score){ bottleneck, sum };
	}
}

/* Pair bandwidths in MB/s: n * n, symmetric, the diagonal 0. Devices are in the order of their names. */
struct matrix {
	size_t n;
	int64_t *mbps;
};

struct matrix matrix_new(size_t n);
void matrix_fini(struct matrix *matrix);

static inline int64_t matrix_at(const struct matrix *matrix, size_t a, size_t b)
{
	return matrix->mbps[a * matrix->n + b];
}

static inline void matrix_set(struct matrix *matrix, size_t a, size_t b, int64_t mbps)
{
	matrix->mbps[a * matrix->n + b] = matrix->mbps[b * matrix->n + a] = mbps;
}

/* The rows and columns of those devices, in that order: the caller's. */
struct matrix matrix_part(const struct matrix *matrix, const size_t *devices, size_t n);

/* Of a set of devices of whatever @mbps_of knows pairs of. */
struct score score_of_set(enum objective objective, const size_t *set, size_t n,
			  int64_t (*mbps_of)(const void *pairs, size_t a, size_t b), const void *pairs);

struct score matrix_score(const struct matrix *matrix, enum objective objective, const size_t *set, size_t n);

#endif

/* SPDX-License-Identifier: MIT */
/* subsets - the best value of each size, by looking at every subset. */
#ifndef ORACLE_SUBSETS_H
#define ORACLE_SUBSETS_H

#include "score.h"

enum {
	SUBSETS_MAX = 24,
};

struct subsets {
	struct score best[N_OBJECTIVES][SUBSETS_MAX + 1]; /* by size; SCORE_NONE above the number of devices */
};

/* All 2^n subsets once; n up to SUBSETS_MAX, where it takes about a second. */
void subsets_best(const struct matrix *matrix, struct subsets *ret);

/**
 * subsets_one_best() - the best value of one size, as fast as trying every set of that size can be
 *
 * One addition for each device of a prefix that sets have in common: the baseline of the benchmark.
 *
 * Return: SCORE_NONE for k > n. n up to 64; C(n, k) steps.
 */
struct score subsets_one_best(const struct matrix *matrix, enum objective objective, size_t k);

/**
 * subsets_clique_bottleneck() - largest least pair of any k devices, another way
 *
 * For each bandwidth that occurs, from above: is there a clique of k devices among the pairs that have as much?
 *
 * Return: for k < 2 0, for k > n -1. n up to 64.
 */
int64_t subsets_clique_bottleneck(const struct matrix *matrix, size_t k);

/**
 * subsets_least_cut() - of the best sets of @k that with the smallest cut to the rest, then with the lowest names
 *
 * Looks at each set of that size, pair by pair.
 *
 * Return: a mask of devices. 1 <= k <= n <= SUBSETS_MAX.
 */
unsigned int subsets_least_cut(const struct matrix *matrix, enum objective objective, size_t k);

#endif

/* SPDX-License-Identifier: MIT */
/* place-reference - small machines by chance, and the best set by looking at all of them, as the rule is worded. */
#ifndef TESTS_UNIT_PLACE_REFERENCE_H
#define TESTS_UNIT_PLACE_REFERENCE_H

#include "place/search.h"

#include <check.h>

/* Numbers by chance, the same for the same seed. */
uint32_t chance(uint64_t *seed, uint32_t below);

/* "0000:00:00.0" for 0, by bus and device. */
const char *chance_name(size_t number, char name[static 16]);

/*
 * A machine of @n devices, in an order and with a description by chance: one matrix, or a tree of nodes with or without
 * matrices at its leaves. Figures are one of @n_levels; one in @forbid (0: none) is forbidden.
 */
struct place_graph *chance_graph(uint64_t *seed, size_t n, uint32_t n_levels, uint32_t forbid);

struct reference {
	bool found;
	uint64_t mask; /* of ids */
	int64_t bottleneck, sum;
};

/*
 * All subsets of the devices free in @pool, at most 20, or with @ties at most 12: then the one that the ties choose, else
 * the first of the largest value.
 */
struct reference reference_solve(const struct place_pool *pool, const struct place_ask *ask, bool ties);

/* The answer's set is free, of the right size, allowed, and worth what it says. */
void check_answer(const struct place_pool *pool, const struct place_ask *ask, const struct place_answer *answer);

/* Neither value nor bound contradict what is the best. */
void check_against(const struct place_ask *ask, const struct place_answer *answer, struct reference best);

#endif

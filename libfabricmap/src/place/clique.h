/* SPDX-License-Identifier: MIT */
/* clique - a largest set of vertices of which every pair is joined, in any graph, as far as some work goes. */
#ifndef FABRICMAP_PLACE_CLIQUE_H
#define FABRICMAP_PLACE_CLIQUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clique_graph {
	uint32_t n;
	size_t n_words; /* of a row */
	uint64_t *rows; /* n rows of bits; symmetric, no vertex is joined to itself */
};

struct clique_result {
	uint32_t *members; /* room for n */
	uint32_t n_members;
	uint32_t up; /* no clique has more; n_members if that is proved to be the largest */
};

/**
 * clique_find() - a large clique among some vertices
 * @among: bits; n_words
 * @enough: content with a clique of this size, and with the proof that there is none
 * @work: units, some 1 ns each; less what was used afterwards
 *
 * Return: 0, -ENOMEM.
 */
int clique_find(const struct clique_graph *graph, const uint64_t *among, uint32_t enough, int64_t *work,
		struct clique_result *ret);

#endif

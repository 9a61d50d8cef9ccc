/* SPDX-License-Identifier: MIT */
/* Inside of pools and searches. */
#ifndef FABRICMAP_PLACE_SEARCH_INTERNAL_H
#define FABRICMAP_PLACE_SEARCH_INTERNAL_H

#include "place/search.h"
#include "place/structure.h"

struct half;
struct local;
struct tree;

struct place_pool {
	struct place_graph *graph;
	uint64_t *free; /* by position */
	size_t n_free;
};

enum search_phase {
	SEARCH_START = 0,
	SEARCH_HALF,
	SEARCH_TREE,
	SEARCH_ENDED,
};

struct place_search {
	struct place_graph *graph;
	uint32_t count;
	enum place_objective objective;
	int32_t least;
	uint64_t *candidates, *required; /* by position */
	uint32_t n_candidates, n_required;
	uint64_t work_max;
	uint32_t local_max; /* candidates, of all or of an irregular part, that are solved as a local problem */
	enum search_phase phase;
	struct half *half;
	struct tree *tree;
	/* When it has ended: positions of the set, or why there is none. */
	uint32_t *chosen;
	uint32_t n_chosen;
	bool proved;
	int64_t bound_bottleneck, bound_sum; /* if it is not proved */
	enum place_tie tie;
	enum place_refused refused; /* 0: there is a set */
	bool largest_proved; /* if it is refused for its pairs */
	size_t refused_device;
};

/* The candidates among @n positions from @first, at most LOCAL_MAX, as a problem by itself. Positions by bit. */
void search_local(const struct place_search *search, uint32_t first, uint32_t n, struct local *ret,
		  uint32_t *ret_positions);

/* From the devices of an answer its figures and assumed pairs. */
int search_evaluate(const struct place_graph *graph, struct place_answer *answer);

/* ---- tree: any number of candidates, by parts ---- */

int tree_new(const struct place_search *search, struct tree **ret);
struct tree *tree_free(struct tree *tree);

/* Return: 1 ended, 0 call again, -ENOMEM. */
int tree_step(struct tree *tree);

/*
 * After the end: fill in the search's chosen, n_chosen, proved, bounds and tie, or refused and the largest set there is.
 */
int tree_finish(struct tree *tree, struct place_search *search);

#endif

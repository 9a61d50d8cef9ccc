/* SPDX-License-Identifier: MIT */
/*
 * search - the best set of free devices of a graph.
 *
 * A pool is a graph with a mark for each device that is free; taking and giving back costs nothing but the marks. A
 * search answers one question about a pool as it was when the search began. It may be run in slices; neither these nor
 * the order in which devices were added have any influence on the answer.
 */
#ifndef FABRICMAP_PLACE_SEARCH_H
#define FABRICMAP_PLACE_SEARCH_H

#include "place/graph.h"

enum place_objective {
	PLACE_BOTTLENECK_THEN_SUM = 0, /* the least pair, then the sum */
	PLACE_SUM, /* the sum over unordered pairs */
	PLACE_BOTTLENECK, /* the least pair */
};

/* How one of several sets of the same value was chosen. */
enum place_tie {
	/*
	 * Up to PLACE_TIES_EXACT_MAX candidates: the larger best value that the same question (without its required
	 * devices) finds among the candidates that remain, 0 if there is none; then the smaller cut (the sum over pairs
	 * of a chosen and a remaining candidate); then the lowest list of names. Exact.
	 */
	PLACE_TIE_REMAINDER = 1,
	/* Among all sets of that value the smaller cut, then the lowest list of names. Exact in that. */
	PLACE_TIE_CUT,
	/*
	 * In each part of the tree as many as possible from the children with the fewest candidates, and of those with
	 * the lowest names; devices that are alike by names.
	 */
	PLACE_TIE_BEST_FIT,
	/* The first that was found; deterministic, nothing else. */
	PLACE_TIE_FIRST,
};

enum {
	PLACE_TIES_EXACT_MAX = 16,
	/* Among so many candidates every answer is proved. */
	PLACE_PROVED_MAX = 24,
	/* Of struct place_answer's assumed pairs. */
	PLACE_ASSUMED_MAX = 64,
};

/* "bottleneck-then-sum", "sum", "bottleneck"; 0 or -EINVAL */
int place_objective_from_string(const char *text, enum place_objective *ret);
const char *place_objective_to_string(enum place_objective objective);

/* "remainder-cut-names", "cut-names", "best-fit", "first" */
const char *place_tie_to_string(enum place_tie tie);

/* ---- pool ---- */

struct place_pool;

/* All devices are free. Holds a reference of its own. */
int place_pool_new(struct place_graph *graph, struct place_pool **ret);

/* Another pool of the same graph, with the same devices free. */
int place_pool_copy(const struct place_pool *pool, struct place_pool **ret);
struct place_pool *place_pool_free(struct place_pool *pool);
void place_pool_freep(struct place_pool **pool);

size_t place_pool_n_free(const struct place_pool *pool);
bool place_pool_is_free(const struct place_pool *pool, size_t device);

/**
 * place_pool_take() - devices that are not free from now on
 *
 * Return: 0; -EBUSY one of them is not free or named twice, -EINVAL no such device; then nothing is changed.
 */
int place_pool_take(struct place_pool *pool, const size_t *devices, size_t n);

/* Return: 0; -EALREADY one of them is free or named twice, -EINVAL no such device; then nothing is changed. */
int place_pool_give(struct place_pool *pool, const size_t *devices, size_t n);

/* ---- search ---- */

struct place_ask {
	size_t count;
	enum place_objective objective;
	int64_t least_mbps; /* pairs below are as if forbidden; 0: none */
	const size_t *required; /* in the set; they have to be free */
	size_t n_required;
	const size_t *excluded; /* as if not free */
	size_t n_excluded;
	/* Bit id % 64 of word id / 64: candidates beside being free; NULL: all. (n_devices + 63) / 64 words. */
	const uint64_t *candidates;
	/* After so many units of work (some 1 ns each) it is content with what it has; 0: a default by size. */
	uint64_t work_max;
};

struct place_answer {
	size_t *devices; /* ids, ascending */
	size_t n_devices;
	int64_t bottleneck_mbps; /* the least pair; 0 for one device */
	int64_t sum_mbps;
	/*
	 * No set has a larger value. bottleneck-then-sum: as the pair [bottleneck, sum], compared in that order. What is
	 * no part of the objective is -1.
	 */
	int64_t bound_bottleneck_mbps, bound_sum_mbps;
	bool proved; /* no better set exists; the bound is the value then */
	enum place_tie tie;
	size_t n_candidates;
	bool linked; /* every pair is; true for one device */
	size_t n_assumed; /* pairs of the set that are assumed */
	size_t (*assumed)[2]; /* some of them, by id: the first PLACE_ASSUMED_MAX, less in very large sets */
	size_t n_assumed_listed;
};

enum place_refused {
	PLACE_REFUSED_COUNT = 1, /* 0 devices asked */
	PLACE_REFUSED_REQUIRED, /* more devices required than asked, or one that is no candidate, or twice */
	PLACE_REFUSED_FREE, /* fewer candidates than asked */
	PLACE_REFUSED_PAIRS, /* no set of that size without a pair that is forbidden or below the least */
};

struct place_refusal {
	enum place_refused why;
	bool proved; /* false: PLACE_REFUSED_PAIRS, and the search gave up before it was sure */
	size_t n_candidates;
	size_t device; /* PLACE_REFUSED_REQUIRED: which; SIZE_MAX: none */
	size_t *largest; /* PLACE_REFUSED_PAIRS: the largest set known that would do (without what is required), ascending */
	size_t n_largest;
	bool largest_proved; /* there is no larger one */
};

void place_answer_fini(struct place_answer *answer);
void place_refusal_fini(struct place_refusal *refusal);

struct place_search;

/**
 * place_search_new() - put a question
 * @pool: read here, not kept; its graph is
 * @ask: copied as far as it is needed
 *
 * Return: 0, -ENODEV an id is no device, -ERANGE the objective is none or least_mbps is negative; -ENOMEM.
 */
int place_search_new(const struct place_pool *pool, const struct place_ask *ask, struct place_search **ret);
struct place_search *place_search_free(struct place_search *search);
void place_search_freep(struct place_search **search);

/**
 * place_search_step() - work on it for a while
 * @budget_us: thread CPU time, about; UINT64_MAX: to the end
 *
 * Return: 1 it has ended, 0 call again, -ENOMEM.
 */
int place_search_step(struct place_search *search, uint64_t budget_us);

/**
 * place_search_finish() - the answer of a search that has ended
 * @ret: the caller's, finished with place_answer_fini()
 * @ret_refusal: written if the result is -ENOSPC or -EINVAL; the caller's; may be NULL
 *
 * Return: 0; -EINVAL refused as it cannot be meant (COUNT, REQUIRED); -ENOSPC refused (FREE, PAIRS); -EAGAIN it has not
 * ended; -ENOMEM.
 */
int place_search_finish(struct place_search *search, struct place_answer *ret, struct place_refusal *ret_refusal);

/* All of it at once; the errors of all three. */
int place_solve(const struct place_pool *pool, const struct place_ask *ask, struct place_answer *ret,
		struct place_refusal *ret_refusal);

#endif

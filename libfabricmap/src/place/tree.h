/* SPDX-License-Identifier: MIT */
/*
 * tree - sets of any number of candidates, from the parts of a graph's structure.
 *
 * For each part: how many of its candidates one set can have (its size, without pairs below a threshold and with all
 * that is required), and the largest sum for each number of them (its table). A complete part's table comes from those
 * of its children, as all that counts of a child is how many devices it gives; an irregular part's from a search in it.
 * A part that is irregular and large has sizes and sums between which the truth is, "low" and "up"; and so have the sums
 * of one that is smaller, if there are so many that exact ones would take too long. Everywhere else these are the same,
 * and so proved.
 */
#ifndef FABRICMAP_PLACE_TREE_H
#define FABRICMAP_PLACE_TREE_H

#include "place/search-internal.h"

struct dense;

enum {
	PART_SINGLES = UINT32_MAX - 1, /* a kid that is the devices which are children themselves */
	SIZE_NEVER = -1, /* not even the required devices can be together */
};

/* A child of a complete part that has candidates. In the order of PLACE_TIE_BEST_FIT. */
struct kid {
	uint32_t part;
	uint32_t n_free, n_required;
	int32_t low_size, up_size;
	double *low, *up; /* tables over the kids up to this one, less what pairs in one part are worth; from 0 */
	uint32_t end; /* tables: one past the last */
};

struct tree_part {
	uint32_t n_free, n_singles, n_required, n_single_required;
	int32_t low_size, up_size;
	uint32_t k_min, k_max; /* numbers of devices that the table may be asked for; k_min > k_max: none */
	double *low, *up; /* 0 .. k_max; the same if it is exact */
	struct kid *kids;
	uint32_t n_kids;
	struct dense *dense; /* irregular and too large to be exact */
};

struct tree {
	const struct place_search *search;
	const struct place_structure *structure;
	struct tree_part *parts;
	uint32_t root;
	int32_t threshold; /* of low sizes and tables */
	int32_t up_bottleneck;
	/* Where it is. */
	unsigned int phase;
	uint32_t first_level, level_low, level_high, up_low,
		up_high; /* levels below *_low would do, from *_high on not */
	uint32_t part, kid, row;
	struct half *half; /* of an irregular part, for one size: row */
};

/* Sizes of all parts at @threshold, which is the tree's from now on. */
int tree_sizes(struct tree *tree, int32_t threshold);

/* The kids of a complete part. */
int tree_kids(struct tree *tree, uint32_t part);

/* A kid's entry for @k, less what its pairs would be worth between children at @cell. */
double tree_kid_value(const struct tree *tree, const struct kid *kid, double cell, uint32_t k, bool up);

/* In a part whose children do not go together: may the whole set be this kid's? */
bool tree_kid_may_be_all(const struct tree_part *part, const struct kid *kid);

/* ---- irregular parts with more candidates than a local problem may have ---- */

/* @work_max: as in an ask, of this part. */
int dense_new(const struct place_search *search, const struct place_part *part, uint64_t work_max, struct dense **ret);
struct dense *dense_free(struct dense *dense);

/* Bounds of the largest allowed set with all that is required, as far as @enough. SIZE_NEVER as above. */
int dense_size(struct dense *dense, int32_t threshold, uint32_t enough, int32_t *ret_low, int32_t *ret_up);

/* Instead: positions of a largest set with all that is required. */
int dense_know(struct dense *dense, int32_t threshold, const uint32_t *positions, uint32_t n);

/*
 * Sums for @k_min .. @k_max devices in sets without a pair below @threshold; dense_size() (or _know()) was the last call, with that
 * threshold. @low is -INFINITY and @up at least 0 where no set is known.
 */
int dense_sums(struct dense *dense, uint32_t k_min, uint32_t k_max, double *low, double *up);

/* Positions of the set of @k that the low sum is of. */
int dense_choose(const struct dense *dense, uint32_t k, uint32_t *ret_positions);

#endif

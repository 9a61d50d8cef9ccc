/* SPDX-License-Identifier: MIT */
/*
 * local - the best set among at most 24 devices of which nothing is known but their pairs.
 *
 * Sets are masks. Device i of n is bit n - 1 - i: of two masks of one size the larger one is the lower list of devices.
 */
#ifndef FABRICMAP_PLACE_LOCAL_H
#define FABRICMAP_PLACE_LOCAL_H

#include "place/search.h"
#include "place/structure.h"

enum { LOCAL_MAX = PLACE_PROVED_MAX };

struct local {
	uint32_t n;
	int32_t least; /* a pair whose cell is below this is not in any set */
	uint32_t required; /* mask */
	place_cell cells[LOCAL_MAX][LOCAL_MAX]; /* symmetric */
};

static inline uint32_t local_bit(const struct local *local, uint32_t device)
{
	return 1U << (local->n - 1 - device);
}

static inline uint32_t local_all(const struct local *local)
{
	return local->n == 0 ? 0 : UINT32_MAX >> (32 - local->n);
}

/* The devices that each device may be in a set with, as masks by bit. */
void local_neighbours(const struct local *local, int32_t least, uint32_t *ret);

/*
 * Devices in the largest set without a pair below @least (which is at least the local's), with all that are required; 0:
 * there is none. Stops at @enough.
 */
uint32_t local_clique(const struct local *local, int32_t least, uint32_t enough, uint32_t *ret_mask);

/* The largest least pair of a set of @k devices, 2 <= @k; -1 if there is no such set. */
int32_t local_bottleneck(const struct local *local, uint32_t k);

/**
 * local_small() - the best set, ties by PLACE_TIE_REMAINDER
 * @local: of at most PLACE_TIES_EXACT_MAX devices
 *
 * Return: 1, 0 if there is no such set, -ENOMEM.
 */
int local_small(const struct local *local, uint32_t k, enum place_objective objective, uint32_t *ret);

/*
 * The largest sum for each size: @ret[0 .. k_max], negative if there is no such set. At most PLACE_TIES_EXACT_MAX devices.
 */
int local_sums(const struct local *local, uint32_t k_max, double *ret);

/**
 * struct half - the best set, ties by PLACE_TIE_CUT, from the halves of all sets
 *
 * Every set is a set of the higher bits and one of the lower. For each of the first kind what a device of the second
 * kind adds is a number, so that the sum of a set is two look-ups and an addition; all of C(24, 12) takes some
 * milliseconds, and most are never looked at.
 */
struct half;

int half_new(const struct local *local, uint32_t k, enum place_objective objective, struct half **ret);
struct half *half_free(struct half *half);
void half_freep(struct half **half);

/* Return: 1 it has ended, 0 call again: some microseconds each. */
int half_step(struct half *half);

/* Return: 1, 0 there is no such set. */
int half_result(const struct half *half, uint32_t *ret, int64_t *ret_sum);

/* All of it at once. */
int half_best(const struct local *local, uint32_t k, enum place_objective objective, uint32_t *ret, int64_t *ret_sum);

#endif

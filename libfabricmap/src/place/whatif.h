/* SPDX-License-Identifier: MIT */
/*
 * whatif - what the free devices of a pool are good for, and what would be if some went away. Nothing in a pool changes.
 *
 * Devices are "joined" if they may be in one set: the pair is not forbidden in the pool's graph, and worth at least
 * least_mbps. For sets whose devices all reach each other in place, ask a pool of that relation (site.h).
 */
#ifndef FABRICMAP_PLACE_WHATIF_H
#define FABRICMAP_PLACE_WHATIF_H

#include "place/search.h"

struct device_set {
	size_t *devices; /* ids, ascending */
	size_t n;
};

struct device_sets {
	struct device_set *sets;
	size_t n;
	bool complete; /* false: there may be more, the cap or the work was at its end */
};

void device_set_fini(struct device_set *set);
void device_sets_fini(struct device_sets *sets);

enum {
	WHATIF_CLIQUES_MAX = 4096,
	/* Free devices: maximal cliques of more are more than anybody reads. */
	WHATIF_CLIQUE_DEVICES_MAX = 2048,
	WHATIF_SIZES_MAX = 16, /* 1, 2, 4, ... */
};

/* Free devices that are linked, directly or through each other (PLACE_PAIR_LINKED): the largest first, then by names. */
int whatif_components(const struct place_pool *pool, int64_t least_mbps, struct device_sets *ret);

/* The largest set of free devices that are all joined; @ret_proved: that there is no larger one. */
int whatif_largest(const struct place_pool *pool, int64_t least_mbps, struct device_set *ret, bool *ret_proved);

/**
 * whatif_cliques() - sets of free devices that are all joined, and that no other free device could be added to
 * @max: sets, up to WHATIF_CLIQUES_MAX
 *
 * The largest first, then by names. Return: 0, -E2BIG more than WHATIF_CLIQUE_DEVICES_MAX are free, -ENOMEM.
 */
int whatif_cliques(const struct place_pool *pool, int64_t least_mbps, size_t max, struct device_sets *ret);

/* How well the free devices can be used. */
struct whatif_fragmentation {
	size_t n_free;
	size_t largest; /* devices of the largest set that are all joined */
	bool largest_proved;
	unsigned int permille; /* of the free devices that the largest set leaves: 0 all are joined */
	/* Sets of 1, 2, 4, ... joined devices that can be had one after the other, until one size cannot be had at all. */
	size_t n_sets[WHATIF_SIZES_MAX];
	size_t n_sizes;
};

int whatif_fragmentation(const struct place_pool *pool, int64_t least_mbps, struct whatif_fragmentation *ret);

/* What a lease holds, or what would be the best set of a size, before and after. */
struct whatif_change {
	size_t count; /* devices */
	bool was_there, is_there;
	int64_t bottleneck_before, bottleneck_after, sum_before, sum_after; /* 0 where there is none */
};

struct whatif_removal {
	/* One for each lease that holds one of the devices; before: as it is; after: the best with what it keeps. */
	struct {
		size_t lease; /* index */
		struct device_set replacement; /* empty: there is none */
		struct whatif_change change;
	} * leases;
	size_t n_leases;
	struct whatif_change sizes[WHATIF_SIZES_MAX]; /* best sets of 1, 2, 4, ... free devices */
	size_t n_sizes;
};

void whatif_removal_fini(struct whatif_removal *removal);

/**
 * whatif_removal() - if these devices went away
 * @leases: devices that are taken, by lease
 *
 * A lease that loses devices keeps the rest, and gets the free devices that are best with these.
 *
 * Return: 0, -ENODEV an id is no device, -EINVAL a lease holds a device that is free or twice, -ENOMEM.
 */
int whatif_removal(const struct place_pool *pool, enum place_objective objective, const struct device_set *gone,
		   const struct device_set *leases, size_t n_leases, struct whatif_removal *ret);

#endif

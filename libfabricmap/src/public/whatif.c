// SPDX-License-Identifier: MIT
/* Public what-if: whatif.h about the online devices of a pool, by names. */
#include "public/public.h"

#include "base/base.h"
#include "place/place.h"
#include "place/whatif.h"

#include <string.h>

struct fabricmap_sets {
	struct fabricmap *map; /* whose names are told */
	struct device_sets sets;
};

/* The pool's free devices that are online, in a pool of their own. */
static int pool_online(struct fabricmap_pool *pool, bool linked, struct place_pool **ret)
{
	const struct topology *topology = pool->map->topology;
	const struct place_pool *all;
	struct place_pool *online;
	int r;

	r = place_site_pool(pool->site, (struct site_relation){ .linked = linked }, &all);
	if (r == 0)
		r = place_pool_copy(all, &online);
	if (r < 0)
		return r;
	for (size_t i = 0; i < topology->n_devices; i++)
		if (topology->devices[i].state != TOPOLOGY_STATE_ONLINE && place_pool_is_free(online, i))
			(void)place_pool_take(online, &i, 1); /* it is free */
	*ret = online;
	return 0;
}

/* Takes the sets over, also on failure. */
static int sets_new(struct fabricmap_pool *pool, struct device_sets *inner, struct fabricmap_sets **ret)
{
	struct fabricmap_sets *sets = calloc(1, sizeof(*sets));

	if (!sets) {
		device_sets_fini(inner);
		return -ENOMEM;
	}
	sets->map = fabricmap_ref(pool->map);
	sets->sets = *inner;
	*ret = sets;
	return 0;
}

FABRICMAP_EXPORT int fabricmap_pool_components(struct fabricmap_pool *pool, int64_t least_mbps,
					       struct fabricmap_sets **ret)
{
	_cleanup_(place_pool_freep) struct place_pool *online = NULL;
	struct device_sets sets;
	int r;

	r = pool_online(pool, false, &online);
	if (r == 0)
		r = whatif_components(online, least_mbps, &sets);
	return r < 0 ? r : sets_new(pool, &sets, ret);
}

FABRICMAP_EXPORT int fabricmap_pool_cliques(struct fabricmap_pool *pool, int linked, int64_t least_mbps, size_t max,
					    struct fabricmap_sets **ret)
{
	_cleanup_(place_pool_freep) struct place_pool *online = NULL;
	struct device_sets sets;
	int r;

	r = pool_online(pool, linked, &online);
	if (r == 0)
		r = whatif_cliques(online, least_mbps, max, &sets);
	return r < 0 ? r : sets_new(pool, &sets, ret);
}

FABRICMAP_EXPORT size_t fabricmap_sets_n(const struct fabricmap_sets *sets)
{
	return sets->sets.n;
}

FABRICMAP_EXPORT int fabricmap_sets_is_complete(const struct fabricmap_sets *sets)
{
	return sets->sets.complete;
}

FABRICMAP_EXPORT size_t fabricmap_sets_size(const struct fabricmap_sets *sets, size_t index)
{
	return index < sets->sets.n ? sets->sets.sets[index].n : 0;
}

FABRICMAP_EXPORT const char *fabricmap_sets_device(const struct fabricmap_sets *sets, size_t index, size_t device)
{
	if (device >= fabricmap_sets_size(sets, index))
		return NULL;
	return sets->map->topology->devices[sets->sets.sets[index].devices[device]].name;
}

FABRICMAP_EXPORT struct fabricmap_sets *fabricmap_sets_free(struct fabricmap_sets *sets)
{
	if (!sets)
		return NULL;
	device_sets_fini(&sets->sets);
	fabricmap_unref(sets->map);
	free(sets);
	return NULL;
}

FABRICMAP_EXPORT int fabricmap_pool_fragmentation(struct fabricmap_pool *pool, int linked, int64_t least_mbps,
						  struct fabricmap_fragmentation *ret)
{
	_cleanup_(place_pool_freep) struct place_pool *online = NULL;
	struct whatif_fragmentation inner;
	int r;

	r = pool_online(pool, linked, &online);
	if (r == 0)
		r = whatif_fragmentation(online, least_mbps, &inner);
	if (r < 0)
		return r;
	*ret = (struct fabricmap_fragmentation){
		.n_free = inner.n_free,
		.largest = inner.largest,
		.largest_proved = inner.largest_proved,
		.permille = inner.permille,
		.n_sizes = inner.n_sizes,
	};
	for (size_t i = 0; i < inner.n_sizes; i++)
		ret->n_sets[i] = inner.n_sets[i];
	return 0;
}

static struct fabricmap_change change_of(const struct whatif_change *inner)
{
	return (struct fabricmap_change){
		.count = inner->count,
		.least_before_mbps = inner->was_there ? inner->bottleneck_before : FABRICMAP_UNKNOWN,
		.least_after_mbps = inner->is_there ? inner->bottleneck_after : FABRICMAP_UNKNOWN,
		.sum_before_mbps = inner->was_there ? inner->sum_before : FABRICMAP_UNKNOWN,
		.sum_after_mbps = inner->is_there ? inner->sum_after : FABRICMAP_UNKNOWN,
	};
}

/* Takes nothing over. */
static int devices_of(const struct topology *topology, const char *const *names, size_t n, struct device_set *ret)
{
	_cleanup_(device_set_fini) struct device_set set = { .devices = calloc(n + 1, sizeof(*set.devices)) };

	if (!set.devices)
		return -ENOMEM;
	for (; set.n < n; set.n++) {
		ssize_t device = topology_device_find(topology, names[set.n]);

		if (device < 0)
			return -ENODEV;
		set.devices[set.n] = (size_t)device;
	}
	*ret = set;
	set = (struct device_set){ 0 };
	return 0;
}

static int removal_find(struct fabricmap_pool *pool, const char *const *devices, size_t n_devices,
			const char *objective, const struct device_sets *leases, struct whatif_removal *ret)
{
	_cleanup_(place_pool_freep) struct place_pool *online = NULL;
	_cleanup_(device_set_fini) struct device_set gone = { 0 };
	enum place_objective by;
	int r;

	if (place_objective_from_string(objective, &by) < 0)
		return -EINVAL;
	r = devices_of(pool->map->topology, devices, n_devices, &gone);
	if (r == 0)
		r = pool_online(pool, false, &online);
	if (r == 0)
		r = whatif_removal(online, by, &gone, leases->sets, leases->n, ret);
	return r;
}

FABRICMAP_EXPORT int fabricmap_pool_removal(struct fabricmap_pool *pool, const char *const *devices, size_t n_devices,
					    const char *objective, struct fabricmap_change *ret, size_t size)
{
	_cleanup_(whatif_removal_fini) struct whatif_removal inner = { 0 };
	const struct device_sets none = { 0 };
	int r;

	r = removal_find(pool, devices, n_devices, objective, &none, &inner);
	if (r < 0)
		return r;
	for (size_t i = 0; i < inner.n_sizes && i < size; i++)
		ret[i] = change_of(&inner.sizes[i]);
	return (int)(inner.n_sizes < size ? inner.n_sizes : size);
}

struct fabricmap_removal {
	struct fabricmap *map; /* whose names are told */
	struct whatif_removal inner;
};

static int leases_of(const struct fabricmap_pool *pool, const struct fabricmap_lease *leases, size_t n,
		     struct device_sets *ret)
{
	int r = 0;

	ret->sets = calloc(n + 1, sizeof(*ret->sets));
	if (!ret->sets)
		return -ENOMEM;
	for (; r == 0 && ret->n < n; ret->n++) {
		const struct fabricmap_lease *lease = &leases[ret->n];
		struct device_set *set = &ret->sets[ret->n];

		r = devices_of(pool->map->topology, lease->devices, lease->n_devices, set);
		/* Those that are not online are not free in any case: who holds one has to have taken it. */
		for (size_t i = 0; r == 0 && i < set->n; i++)
			r = place_site_is_free(pool->site, set->devices[i]) ? -EINVAL : 0;
	}
	return r;
}

FABRICMAP_EXPORT int fabricmap_removal_new(struct fabricmap_pool *pool, const char *const *devices, size_t n_devices,
					   const char *objective, const struct fabricmap_lease *leases, size_t n_leases,
					   struct fabricmap_removal **ret)
{
	_cleanup_(device_sets_fini) struct device_sets sets = { 0 };
	_cleanup_(freep) struct fabricmap_removal *removal = calloc(1, sizeof(*removal));
	int r;

	if (!removal)
		return -ENOMEM;
	r = leases_of(pool, leases, n_leases, &sets);
	if (r == 0)
		r = removal_find(pool, devices, n_devices, objective, &sets, &removal->inner);
	if (r < 0)
		return r;
	removal->map = fabricmap_ref(pool->map);
	*ret = steal_ptr(&removal);
	return 0;
}

FABRICMAP_EXPORT struct fabricmap_removal *fabricmap_removal_free(struct fabricmap_removal *removal)
{
	if (!removal)
		return NULL;
	whatif_removal_fini(&removal->inner);
	fabricmap_unref(removal->map);
	free(removal);
	return NULL;
}

FABRICMAP_EXPORT size_t fabricmap_removal_n_leases(const struct fabricmap_removal *removal)
{
	return removal->inner.n_leases;
}

FABRICMAP_EXPORT int fabricmap_removal_lease(const struct fabricmap_removal *removal, size_t index, size_t *ret_lease,
					     struct fabricmap_change *ret)
{
	if (index >= removal->inner.n_leases)
		return -ENOENT;
	*ret_lease = removal->inner.leases[index].lease;
	*ret = change_of(&removal->inner.leases[index].change);
	return 0;
}

FABRICMAP_EXPORT const char *fabricmap_removal_device(const struct fabricmap_removal *removal, size_t index,
						      size_t device)
{
	const struct device_set *set;

	if (index >= removal->inner.n_leases)
		return NULL;
	set = &removal->inner.leases[index].replacement;
	return device < set->n ? removal->map->topology->devices[set->devices[device]].name : NULL;
}

// SPDX-License-Identifier: MIT
/*
 * Public placement: made by place() in a snapshot here, or by the daemon (client). Owns the fds that came with it
 * until they are taken.
 */
#include "public/public.h"

#include "base/base.h"
#include "place/nic.h"
#include "place/place.h"

#include <string.h>

int fabricmap_placement_new(size_t n_devices, struct fabricmap_placement **ret)
{
	struct fabricmap_placement *placement;

	placement = calloc(1, sizeof(*placement));
	if (!placement)
		return -ENOMEM;
	placement->devices = calloc(n_devices ? n_devices : 1, sizeof(*placement->devices));
	if (!placement->devices) {
		free(placement);
		return -ENOMEM;
	}
	placement->n_devices = n_devices;
	placement->bottleneck_mbps = placement->least_mbps = placement->sum_mbps = FABRICMAP_UNKNOWN;
	placement->bound_least_mbps = placement->bound_sum_mbps = FABRICMAP_UNKNOWN;
	for (size_t i = 0; i < n_devices; i++) {
		placement->devices[i].free_bytes = placement->devices[i].devmem_id = FABRICMAP_UNKNOWN;
		placement->devices[i].fd = -1;
	}
	*ret = placement;
	return 0;
}

FABRICMAP_EXPORT struct fabricmap_placement *fabricmap_placement_free(struct fabricmap_placement *placement)
{
	if (!placement)
		return NULL;
	for (size_t i = 0; i < placement->n_devices; i++) {
		closep(&placement->devices[i].fd);
		free(placement->devices[i].device);
		free(placement->devices[i].region);
		free(placement->devices[i].reason);
		free(placement->devices[i].nic);
	}
	free(placement->devices);
	free(placement->assumed);
	free(placement);
	return NULL;
}

void fabricmap_placement_freep(struct fabricmap_placement **placement)
{
	fabricmap_placement_free(*placement);
}

static size_t position_of(const struct placement *chosen, size_t device)
{
	size_t low = 0, high = chosen->n_devices;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (chosen->devices[middle].device <= device)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static int convert_values(const struct placement *chosen, struct fabricmap_placement *placement)
{
	const struct place_answer *answer = &chosen->answer;

	placement->linked = chosen->linked;
	placement->exact = chosen->exact;
	placement->bottleneck_mbps = chosen->bottleneck_mbps;
	placement->least_mbps = answer->bottleneck_mbps;
	placement->sum_mbps = answer->sum_mbps;
	placement->bound_least_mbps = answer->bound_bottleneck_mbps;
	placement->bound_sum_mbps = answer->bound_sum_mbps;
	placement->objective = place_objective_to_string(chosen->objective);
	placement->tie_rule = place_tie_to_string(answer->tie);
	placement->n_assumed = answer->n_assumed;
	placement->assumed = calloc(answer->n_assumed_listed + 1, sizeof(*placement->assumed));
	if (!placement->assumed)
		return -ENOMEM;
	for (size_t i = 0; i < answer->n_assumed_listed; i++)
		for (size_t j = 0; j < 2; j++)
			placement->assumed[i][j] = position_of(chosen, answer->assumed[i][j]);
	placement->n_assumed_listed = answer->n_assumed_listed;
	return 0;
}

int fabricmap_placement_convert(const struct topology *topology, struct placement *chosen,
				struct fabricmap_placement **ret)
{
	_cleanup_(fabricmap_placement_freep) struct fabricmap_placement *placement = NULL;
	_cleanup_(nic_map_fini) struct nic_map nics = { 0 };
	int r;

	r = fabricmap_placement_new(chosen->n_devices, &placement);
	if (r == 0)
		r = convert_values(chosen, placement);
	if (r == 0)
		r = nic_map_init(&nics, topology);
	if (r < 0)
		return r;
	placement->generation = topology->generation;
	for (size_t i = 0; i < chosen->n_devices; i++) {
		const struct topology_device *device = &topology->devices[chosen->devices[i].device];
		struct fabricmap_placement_device *out = &placement->devices[i];
		size_t nic = nic_nearest(&nics, chosen->devices[i].device);

		out->device = strdup(device->name);
		out->reason = steal_ptr(&chosen->devices[i].reason);
		if (nic != TOPOLOGY_NONE)
			out->nic = strdup(topology->nodes[nic].name);
		if (!out->device || (nic != TOPOLOGY_NONE && !out->nic))
			return -ENOMEM;
		if (chosen->devices[i].region == TOPOLOGY_NONE)
			continue;
		out->region = strdup(device->regions[chosen->devices[i].region].name);
		out->free_bytes = device->regions[chosen->devices[i].region].free_bytes;
		if (!out->region)
			return -ENOMEM;
	}
	*ret = steal_ptr(&placement);
	return 0;
}

FABRICMAP_EXPORT int fabricmap_place(const struct fabricmap *map, uint64_t count, uint64_t bytes,
				     const char *const *exclude, size_t n_exclude, struct fabricmap_placement **ret,
				     char **ret_reason)
{
	const struct place_request request = {
		.count = count,
		.bytes = bytes,
		.exclude = exclude,
		.n_exclude = n_exclude,
		.linked = PLACE_LINKED_PREFERRED,
	};
	_cleanup_(placement_freep) struct placement *chosen = NULL;
	_cleanup_(place_failure_fini) struct place_failure failure = { 0 };
	int r;

	r = place(map->topology, &request, &chosen, &failure);
	if (r == 0)
		r = fabricmap_placement_convert(map->topology, chosen, ret);
	if (ret_reason)
		*ret_reason = steal_ptr(&failure.reason);
	return r;
}

FABRICMAP_EXPORT size_t fabricmap_placement_n_devices(const struct fabricmap_placement *placement)
{
	return placement->n_devices;
}

FABRICMAP_EXPORT int64_t fabricmap_placement_generation(const struct fabricmap_placement *placement)
{
	return placement->generation;
}

FABRICMAP_EXPORT int fabricmap_placement_is_linked(const struct fabricmap_placement *placement)
{
	return placement->linked;
}

FABRICMAP_EXPORT int fabricmap_placement_is_exact(const struct fabricmap_placement *placement)
{
	return placement->exact;
}

FABRICMAP_EXPORT int64_t fabricmap_placement_bottleneck_mbps(const struct fabricmap_placement *placement)
{
	return placement->bottleneck_mbps;
}

FABRICMAP_EXPORT const char *fabricmap_placement_device(const struct fabricmap_placement *placement, size_t index)
{
	return index < placement->n_devices ? placement->devices[index].device : NULL;
}

FABRICMAP_EXPORT const char *fabricmap_placement_region(const struct fabricmap_placement *placement, size_t index)
{
	return index < placement->n_devices ? placement->devices[index].region : NULL;
}

FABRICMAP_EXPORT const char *fabricmap_placement_reason(const struct fabricmap_placement *placement, size_t index)
{
	return index < placement->n_devices ? placement->devices[index].reason : NULL;
}

FABRICMAP_EXPORT int64_t fabricmap_placement_free_bytes(const struct fabricmap_placement *placement, size_t index)
{
	return index < placement->n_devices ? placement->devices[index].free_bytes : FABRICMAP_UNKNOWN;
}

FABRICMAP_EXPORT int64_t fabricmap_placement_devmem_id(const struct fabricmap_placement *placement, size_t index)
{
	return index < placement->n_devices ? placement->devices[index].devmem_id : FABRICMAP_UNKNOWN;
}

FABRICMAP_EXPORT const char *fabricmap_placement_nic(const struct fabricmap_placement *placement, size_t index)
{
	return index < placement->n_devices ? placement->devices[index].nic : NULL;
}

FABRICMAP_EXPORT const char *fabricmap_placement_objective(const struct fabricmap_placement *placement)
{
	return placement->objective;
}

FABRICMAP_EXPORT const char *fabricmap_placement_tie_rule(const struct fabricmap_placement *placement)
{
	return placement->tie_rule;
}

FABRICMAP_EXPORT void fabricmap_placement_value(const struct fabricmap_placement *placement, int64_t *ret_least_mbps,
						int64_t *ret_sum_mbps)
{
	*ret_least_mbps = placement->least_mbps;
	*ret_sum_mbps = placement->sum_mbps;
}

FABRICMAP_EXPORT void fabricmap_placement_bound(const struct fabricmap_placement *placement, int64_t *ret_least_mbps,
						int64_t *ret_sum_mbps)
{
	*ret_least_mbps = placement->bound_least_mbps;
	*ret_sum_mbps = placement->bound_sum_mbps;
}

FABRICMAP_EXPORT size_t fabricmap_placement_n_assumed(const struct fabricmap_placement *placement)
{
	return placement->n_assumed;
}

FABRICMAP_EXPORT int fabricmap_placement_assumed(const struct fabricmap_placement *placement, size_t index,
						 const char **ret_a, const char **ret_b)
{
	if (index >= placement->n_assumed_listed)
		return -ENOENT;
	*ret_a = placement->devices[placement->assumed[index][0]].device;
	*ret_b = placement->devices[placement->assumed[index][1]].device;
	return 0;
}

FABRICMAP_EXPORT int fabricmap_placement_take_fd(struct fabricmap_placement *placement, size_t index)
{
	if (index >= placement->n_devices || placement->devices[index].fd < 0)
		return -EBADF;
	return steal_fd(&placement->devices[index].fd);
}

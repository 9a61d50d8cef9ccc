// SPDX-License-Identifier: MIT
/*
 * Public face of the topology. A struct fabricmap holds a topology and its matrix; the objects in it are the model's
 * own under public names. Immutable.
 */
#include "public/public.h"

#include "base/base.h"
#include "source/source.h"

#include <assert.h>
#include <json-c/json.h>
#include <string.h>

static const struct topology_device *device_of(const struct fabricmap_device *device)
{
	return (const struct topology_device *)device;
}

static const struct topology_region *region_of(const struct fabricmap_region *region)
{
	return (const struct topology_region *)region;
}

static const struct topology_link *link_of(const struct fabricmap_link *link)
{
	return (const struct topology_link *)link;
}

static const struct topology_group *group_of(const struct fabricmap_group *group)
{
	return (const struct topology_group *)group;
}

FABRICMAP_EXPORT const char *fabricmap_version(void)
{
	return FABRICMAP_VERSION;
}

int fabricmap_new_topology(struct topology *topology, struct fabricmap **ret)
{
	struct fabricmap *map;

	map = calloc(1, sizeof(*map));
	if (!map)
		return -ENOMEM;
	map->n_refs = 1;
	map->topology = topology_ref(topology);
	*ret = map;
	return 0;
}

FABRICMAP_EXPORT int fabricmap_open(const char *root, struct fabricmap **ret)
{
	_cleanup_(topology_unrefp) struct topology *topology = NULL;
	int r;

	r = source_read(root, &topology);
	if (r < 0)
		return r;
	return fabricmap_new_topology(topology, ret);
}

FABRICMAP_EXPORT int fabricmap_open_path(const char *path, struct fabricmap **ret, char **ret_error)
{
	_cleanup_(topology_unrefp) struct topology *topology = NULL;
	_cleanup_(freep) char *error = NULL;
	int r;

	if (ret_error)
		*ret_error = NULL;
	r = source_load(path, &topology, &error);
	if (r == 0)
		r = fabricmap_new_topology(topology, ret);
	if (r < 0 && ret_error)
		*ret_error = steal_ptr(&error);
	return r;
}

static void json_object_putp(struct json_object **object)
{
	json_object_put(*object);
}

FABRICMAP_EXPORT int fabricmap_open_json_explain(const char *text, struct fabricmap **ret, char **ret_error)
{
	_cleanup_(topology_unrefp) struct topology *topology = NULL;
	_cleanup_(freep) char *error = NULL;
	int r;

	if (ret_error)
		*ret_error = NULL;
	r = source_load_json(text, strlen(text), &topology, &error);
	if (r == 0)
		r = fabricmap_new_topology(topology, ret);
	if (r < 0 && ret_error)
		*ret_error = steal_ptr(&error);
	return r;
}

FABRICMAP_EXPORT int fabricmap_open_json(const char *text, struct fabricmap **ret)
{
	return fabricmap_open_json_explain(text, ret, NULL);
}

FABRICMAP_EXPORT struct fabricmap *fabricmap_ref(struct fabricmap *map)
{
	unsigned int n_refs = __atomic_fetch_add(&map->n_refs, 1, __ATOMIC_RELAXED);

	assert(n_refs > 0);
	return map;
}

FABRICMAP_EXPORT struct fabricmap *fabricmap_unref(struct fabricmap *map)
{
	if (!map || __atomic_sub_fetch(&map->n_refs, 1, __ATOMIC_ACQ_REL) > 0)
		return NULL;
	topology_unref(map->topology);
	free(map->bandwidth);
	free(map);
	return NULL;
}

FABRICMAP_EXPORT char *fabricmap_to_json(const struct fabricmap *map)
{
	_cleanup_(json_object_putp) struct json_object *object = topology_to_json(map->topology);
	const char *text;

	if (!object)
		return NULL;
	text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
	return text ? strdup(text) : NULL;
}

/* Another thread may have made one meanwhile: then that is taken, for somebody may have it already. */
FABRICMAP_EXPORT size_t fabricmap_bandwidth(const struct fabricmap *map, const int64_t **ret)
{
	int64_t **place = &((struct fabricmap *)map)->bandwidth;
	int64_t *made, *there = __atomic_load_n(place, __ATOMIC_ACQUIRE);
	size_t n = map->topology->n_devices;

	*ret = there;
	if (there)
		return n;
	made = n > FABRICMAP_MATRIX_MAX ? NULL : calloc(n ? n * n : 1, sizeof(*made));
	if (!made)
		return 0;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++) {
			struct topology_pair pair = topology_pair(map->topology, i, j);

			made[i * n + j] = pair.assumed ? FABRICMAP_UNKNOWN : pair.bandwidth_mbps;
		}
	if (!__atomic_compare_exchange_n(place, &there, made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		free(made);
		made = there;
	}
	*ret = made;
	return n;
}

FABRICMAP_EXPORT int64_t fabricmap_pair(const struct fabricmap *map, size_t a, size_t b, int *ret_linked,
					int *ret_assumed, const char **ret_kind, const char **ret_source)
{
	struct topology_pair pair;

	if (a >= map->topology->n_devices || b >= map->topology->n_devices)
		return FABRICMAP_UNKNOWN;
	pair = topology_pair(map->topology, a, b);
	if (ret_linked)
		*ret_linked = pair.linked;
	if (ret_assumed)
		*ret_assumed = pair.assumed;
	if (ret_kind)
		*ret_kind = topology_pair_kind_to_string(pair.kind);
	if (ret_source)
		*ret_source = topology_origin_to_string(pair.origin);
	return pair.bandwidth_mbps;
}

FABRICMAP_EXPORT size_t fabricmap_n_memories(const struct fabricmap *map)
{
	return map->topology->n_memories;
}

FABRICMAP_EXPORT int fabricmap_memory(const struct fabricmap *map, size_t index, const char **ret_name,
				      const char **ret_kind, int64_t *ret_size_bytes, int64_t *ret_bandwidth_mbps)
{
	const struct topology_memory *memory;

	if (index >= map->topology->n_memories)
		return -ENOENT;
	memory = &map->topology->memories[index];
	*ret_name = memory->name;
	*ret_kind = topology_memory_kind_to_string(memory->kind);
	*ret_size_bytes = memory->size_bytes;
	*ret_bandwidth_mbps = memory->bandwidth_mbps;
	return 0;
}

FABRICMAP_EXPORT size_t fabricmap_n_accesses(const struct fabricmap *map)
{
	return map->topology->n_accesses;
}

FABRICMAP_EXPORT int fabricmap_access(const struct fabricmap *map, size_t index, const char **ret_memory,
				      const char **ret_initiator, int64_t *ret_class, int64_t ret_figures[4])
{
	const struct topology_access *access;

	if (index >= map->topology->n_accesses)
		return -ENOENT;
	access = &map->topology->accesses[index];
	*ret_memory = map->topology->memories[access->memory].name;
	*ret_initiator = access->initiator;
	*ret_class = access->access_class;
	ret_figures[0] = access->read_bandwidth_mbps;
	ret_figures[1] = access->write_bandwidth_mbps;
	ret_figures[2] = access->read_latency_ns;
	ret_figures[3] = access->write_latency_ns;
	return 0;
}

FABRICMAP_EXPORT int64_t fabricmap_generation(const struct fabricmap *map)
{
	return map->topology->generation;
}

FABRICMAP_EXPORT const char *fabricmap_source(const struct fabricmap *map)
{
	return topology_source_to_string(map->topology->source);
}

FABRICMAP_EXPORT size_t fabricmap_n_warnings(const struct fabricmap *map)
{
	return map->topology->n_warnings;
}

FABRICMAP_EXPORT const char *fabricmap_warning(const struct fabricmap *map, size_t index)
{
	return index < map->topology->n_warnings ? map->topology->warnings[index] : NULL;
}

FABRICMAP_EXPORT size_t fabricmap_n_devices(const struct fabricmap *map)
{
	return map->topology->n_devices;
}

FABRICMAP_EXPORT const struct fabricmap_device *fabricmap_device_at(const struct fabricmap *map, size_t index)
{
	if (index >= map->topology->n_devices)
		return NULL;
	return (const struct fabricmap_device *)&map->topology->devices[index];
}

FABRICMAP_EXPORT const struct fabricmap_device *fabricmap_device_find(const struct fabricmap *map, const char *name)
{
	ssize_t index = topology_device_find(map->topology, name);

	return index < 0 ? NULL : fabricmap_device_at(map, (size_t)index);
}

FABRICMAP_EXPORT const char *fabricmap_device_name(const struct fabricmap_device *device)
{
	return device_of(device)->name;
}

FABRICMAP_EXPORT const char *fabricmap_device_driver(const struct fabricmap_device *device)
{
	return device_of(device)->driver;
}

FABRICMAP_EXPORT const char *fabricmap_device_state(const struct fabricmap_device *device)
{
	return topology_state_to_string(device_of(device)->state);
}

FABRICMAP_EXPORT int64_t fabricmap_device_incarnation(const struct fabricmap_device *device)
{
	return device_of(device)->incarnation;
}

FABRICMAP_EXPORT int64_t fabricmap_device_numa_node(const struct fabricmap_device *device)
{
	return device_of(device)->numa_node;
}

FABRICMAP_EXPORT const char *fabricmap_device_render_node(const struct fabricmap_device *device)
{
	return device_of(device)->render_node;
}

FABRICMAP_EXPORT int64_t fabricmap_device_n_handles(const struct fabricmap_device *device)
{
	return device_of(device)->n_handles;
}

FABRICMAP_EXPORT int fabricmap_device_is_managed(const struct fabricmap_device *device)
{
	return device_of(device)->state != TOPOLOGY_STATE_UNMANAGED;
}

FABRICMAP_EXPORT const char *fabricmap_device_upstream_bridge(const struct fabricmap_device *device)
{
	return device_of(device)->upstream_bridge;
}

FABRICMAP_EXPORT const char *fabricmap_device_pci_class(const struct fabricmap_device *device)
{
	return device_of(device)->pci_class;
}

FABRICMAP_EXPORT int64_t fabricmap_device_distance(const struct fabricmap_device *device,
						   const struct fabricmap_device *to)
{
	for (size_t i = 0; i < device_of(device)->n_distances; i++)
		if (!strcmp(device_of(device)->distances[i].device, device_of(to)->name))
			return device_of(device)->distances[i].distance;
	return FABRICMAP_UNKNOWN;
}

FABRICMAP_EXPORT size_t fabricmap_device_n_regions(const struct fabricmap_device *device)
{
	return device_of(device)->n_regions;
}

FABRICMAP_EXPORT const struct fabricmap_region *fabricmap_device_region_at(const struct fabricmap_device *device,
									   size_t index)
{
	if (index >= device_of(device)->n_regions)
		return NULL;
	return (const struct fabricmap_region *)&device_of(device)->regions[index];
}

FABRICMAP_EXPORT const char *fabricmap_region_name(const struct fabricmap_region *region)
{
	return region_of(region)->name;
}

FABRICMAP_EXPORT int64_t fabricmap_region_size_bytes(const struct fabricmap_region *region)
{
	return region_of(region)->size_bytes;
}

FABRICMAP_EXPORT int64_t fabricmap_region_free_bytes(const struct fabricmap_region *region)
{
	return region_of(region)->free_bytes;
}

FABRICMAP_EXPORT int64_t fabricmap_region_resident_bytes(const struct fabricmap_region *region)
{
	return region_of(region)->resident_bytes;
}

FABRICMAP_EXPORT int64_t fabricmap_region_dead_bytes(const struct fabricmap_region *region)
{
	return region_of(region)->dead_bytes;
}

FABRICMAP_EXPORT const char *fabricmap_region_pagemap_state(const struct fabricmap_region *region)
{
	return topology_pagemap_to_string(region_of(region)->pagemap);
}

FABRICMAP_EXPORT void fabricmap_region_pagemap_refs(const struct fabricmap_region *region, int64_t *ret_handles,
						    int64_t *ret_pages, int64_t *ret_mappings)
{
	if (ret_handles)
		*ret_handles = region_of(region)->pagemap_refs_handles;
	if (ret_pages)
		*ret_pages = region_of(region)->pagemap_refs_pages;
	if (ret_mappings)
		*ret_mappings = region_of(region)->pagemap_refs_mappings;
}

FABRICMAP_EXPORT size_t fabricmap_n_links(const struct fabricmap *map)
{
	return map->topology->n_links;
}

FABRICMAP_EXPORT const struct fabricmap_link *fabricmap_link_at(const struct fabricmap *map, size_t index)
{
	if (index >= map->topology->n_links)
		return NULL;
	return (const struct fabricmap_link *)&map->topology->links[index];
}

FABRICMAP_EXPORT const struct fabricmap_link *fabricmap_link_find(const struct fabricmap *map, size_t accessor,
								  size_t owner)
{
	return (const struct fabricmap_link *)topology_link_find(map->topology, accessor, owner);
}

FABRICMAP_EXPORT size_t fabricmap_link_accessor(const struct fabricmap_link *link)
{
	return link_of(link)->accessor;
}

FABRICMAP_EXPORT size_t fabricmap_link_owner(const struct fabricmap_link *link)
{
	return link_of(link)->owner;
}

FABRICMAP_EXPORT const char *fabricmap_link_type(const struct fabricmap_link *link)
{
	return topology_link_type_to_string(link_of(link)->type);
}

FABRICMAP_EXPORT int fabricmap_link_is_up(const struct fabricmap_link *link)
{
	return link_of(link)->up;
}

FABRICMAP_EXPORT const char *fabricmap_link_why_not(const struct fabricmap_link *link)
{
	return link_of(link)->why_not;
}

FABRICMAP_EXPORT int64_t fabricmap_link_read_bandwidth_mbps(const struct fabricmap_link *link)
{
	return link_of(link)->read_bandwidth_mbps;
}

FABRICMAP_EXPORT int64_t fabricmap_link_write_bandwidth_mbps(const struct fabricmap_link *link)
{
	return link_of(link)->write_bandwidth_mbps;
}

FABRICMAP_EXPORT int64_t fabricmap_link_read_latency_ns(const struct fabricmap_link *link)
{
	return link_of(link)->read_latency_ns;
}

FABRICMAP_EXPORT int64_t fabricmap_link_write_latency_ns(const struct fabricmap_link *link)
{
	return link_of(link)->write_latency_ns;
}

FABRICMAP_EXPORT int64_t fabricmap_link_hops(const struct fabricmap_link *link)
{
	return link_of(link)->hops;
}

FABRICMAP_EXPORT const char *fabricmap_link_provenance(const struct fabricmap_link *link)
{
	return link_of(link)->provenance;
}

FABRICMAP_EXPORT int64_t fabricmap_link_measured_at_s(const struct fabricmap_link *link)
{
	return link_of(link)->measured_at_s;
}

FABRICMAP_EXPORT size_t fabricmap_n_groups(const struct fabricmap *map)
{
	return map->topology->n_groups;
}

FABRICMAP_EXPORT const struct fabricmap_group *fabricmap_group_at(const struct fabricmap *map, size_t index)
{
	if (index >= map->topology->n_groups)
		return NULL;
	return (const struct fabricmap_group *)&map->topology->groups[index];
}

FABRICMAP_EXPORT const char *fabricmap_group_id(const struct fabricmap_group *group)
{
	return group_of(group)->id;
}

FABRICMAP_EXPORT const char *fabricmap_group_link_type(const struct fabricmap_group *group)
{
	return topology_link_type_to_string(group_of(group)->type);
}

FABRICMAP_EXPORT size_t fabricmap_group_n_members(const struct fabricmap_group *group)
{
	return group_of(group)->n_members;
}

FABRICMAP_EXPORT size_t fabricmap_group_member(const struct fabricmap_group *group, size_t index)
{
	return index < group_of(group)->n_members ? group_of(group)->members[index] : (size_t)-1;
}

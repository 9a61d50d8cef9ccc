// SPDX-License-Identifier: MIT
/*
 * The builder: takes things in any order, by name; sorts, resolves and checks them in the end. Belongs to one thread.
 */
#include "base/base.h"
#include "model/model-internal.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct named_link {
	char *accessor, *owner;
	struct topology_link link;
};

struct named_group {
	struct topology_group group;
	char **members;
	size_t n_members;
};

struct topology_builder {
	enum topology_source source;
	int64_t generation;
	struct topology_device *devices;
	size_t n_devices, devices_size;
	struct named_link *links;
	size_t n_links, links_size;
	struct named_group *groups;
	size_t n_groups, groups_size;
	char **warnings;
	size_t n_warnings, warnings_size;
	uint64_t n_warnings_dropped;
};

static void named_link_fini(struct named_link *link)
{
	topology_link_fini(&link->link);
	free(link->accessor);
	free(link->owner);
	*link = (struct named_link){ 0 };
}

static void named_group_fini(struct named_group *group)
{
	topology_group_fini(&group->group);
	for (size_t i = 0; i < group->n_members; i++)
		free(group->members[i]);
	free(group->members);
	*group = (struct named_group){ 0 };
}

/* NULL stays NULL and is no failure. */
static int string_copy(const char *text, char **ret)
{
	*ret = NULL;
	if (!text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

/* Room for one more element in an array. */
static int array_grow(void *array, size_t *size, size_t n, size_t element_bytes)
{
	size_t new_size = *size ? *size * 2 : 8;
	void *grown;

	if (n < *size)
		return 0;
	grown = reallocarray(*(void **)array, new_size, element_bytes);
	if (!grown)
		return -ENOMEM;
	*(void **)array = grown;
	*size = new_size;
	return 0;
}

int topology_builder_new(enum topology_source source, int64_t generation, struct topology_builder **ret)
{
	struct topology_builder *builder = calloc(1, sizeof(*builder));

	if (!builder)
		return -ENOMEM;
	builder->source = source;
	builder->generation = generation;
	*ret = builder;
	return 0;
}

struct topology_builder *topology_builder_free(struct topology_builder *builder)
{
	if (!builder)
		return NULL;
	for (size_t i = 0; i < builder->n_devices; i++)
		topology_device_fini(&builder->devices[i]);
	for (size_t i = 0; i < builder->n_links; i++)
		named_link_fini(&builder->links[i]);
	for (size_t i = 0; i < builder->n_groups; i++)
		named_group_fini(&builder->groups[i]);
	for (size_t i = 0; i < builder->n_warnings; i++)
		free(builder->warnings[i]);
	free(builder->devices);
	free(builder->links);
	free(builder->groups);
	free(builder->warnings);
	free(builder);
	return NULL;
}

void topology_builder_freep(struct topology_builder **builder)
{
	topology_builder_free(*builder);
}

static int region_compare(const void *a, const void *b)
{
	const struct topology_region *a_region = a, *b_region = b;
	int r = strverscmp(a_region->name, b_region->name);

	return r ? r : strcmp(a_region->name, b_region->name);
}

static int distance_compare(const void *a, const void *b)
{
	const struct topology_distance *a_distance = a, *b_distance = b;

	return topology_name_compare(a_distance->device, b_distance->device);
}

static int device_copy(const struct topology_device *device, struct topology_device *ret)
{
	struct topology_device copy = *device;
	int r;

	copy.name = copy.driver = copy.render_node = copy.upstream_bridge = copy.pci_class = NULL;
	copy.n_regions = copy.n_distances = 0;
	copy.regions = calloc(device->n_regions ? device->n_regions : 1, sizeof(*copy.regions));
	copy.distances = calloc(device->n_distances ? device->n_distances : 1, sizeof(*copy.distances));
	r = copy.regions && copy.distances ? 0 : -ENOMEM;
	if (r == 0)
		r = string_copy(device->name, &copy.name);
	if (r == 0)
		r = string_copy(device->driver, &copy.driver);
	if (r == 0)
		r = string_copy(device->render_node, &copy.render_node);
	if (r == 0)
		r = string_copy(device->upstream_bridge, &copy.upstream_bridge);
	if (r == 0)
		r = string_copy(device->pci_class, &copy.pci_class);
	for (size_t i = 0; r == 0 && i < device->n_regions; i++) {
		copy.regions[i] = device->regions[i];
		r = string_copy(device->regions[i].name, &copy.regions[i].name);
		copy.n_regions++;
	}
	for (size_t i = 0; r == 0 && i < device->n_distances; i++) {
		copy.distances[i] = device->distances[i];
		r = string_copy(device->distances[i].device, &copy.distances[i].device);
		copy.n_distances++;
	}
	if (r < 0) {
		topology_device_fini(&copy);
		return r;
	}
	qsort(copy.regions, copy.n_regions, sizeof(*copy.regions), region_compare);
	qsort(copy.distances, copy.n_distances, sizeof(*copy.distances), distance_compare);
	*ret = copy;
	return 0;
}

int topology_builder_add_device(struct topology_builder *builder, const struct topology_device *device)
{
	bool is_unmanaged = device->state == TOPOLOGY_STATE_UNMANAGED;
	struct topology_device copy, *same = NULL;
	int r;

	for (size_t i = 0; i < builder->n_devices && !same; i++)
		if (!strcmp(builder->devices[i].name, device->name))
			same = &builder->devices[i];
	if (same && is_unmanaged == (same->state == TOPOLOGY_STATE_UNMANAGED))
		return -EEXIST;
	if (same && is_unmanaged)
		return 0;
	if (!same && builder->n_devices >= TOPOLOGY_DEVICES_MAX)
		return -E2BIG;
	r = device_copy(device, &copy);
	if (r < 0)
		return r;
	if (same) {
		topology_device_fini(same);
		*same = copy;
		return 0;
	}
	r = array_grow(&builder->devices, &builder->devices_size, builder->n_devices, sizeof(*builder->devices));
	if (r < 0) {
		topology_device_fini(&copy);
		return r;
	}
	builder->devices[builder->n_devices++] = copy;
	return 0;
}

int topology_builder_add_link(struct topology_builder *builder, const char *accessor, const char *owner,
			      const struct topology_link *link)
{
	struct named_link copy = { .link = *link };
	int r;

	r = array_grow(&builder->links, &builder->links_size, builder->n_links, sizeof(*builder->links));
	if (r < 0)
		return r;
	copy.link.why_not = copy.link.provenance = NULL;
	r = string_copy(accessor, &copy.accessor);
	if (r == 0)
		r = string_copy(owner, &copy.owner);
	if (r == 0)
		r = string_copy(link->why_not, &copy.link.why_not);
	if (r == 0)
		r = string_copy(link->provenance, &copy.link.provenance);
	if (r < 0) {
		named_link_fini(&copy);
		return r;
	}
	builder->links[builder->n_links++] = copy;
	return 0;
}

int topology_builder_add_group(struct topology_builder *builder, const char *id, enum topology_link_type type,
			       const char *const *members, size_t n_members)
{
	struct named_group copy = { .group.type = type };
	int r;

	r = array_grow(&builder->groups, &builder->groups_size, builder->n_groups, sizeof(*builder->groups));
	if (r < 0)
		return r;
	copy.members = calloc(n_members ? n_members : 1, sizeof(*copy.members));
	r = copy.members ? string_copy(id, &copy.group.id) : -ENOMEM;
	for (size_t i = 0; r == 0 && i < n_members; i++) {
		r = string_copy(members[i], &copy.members[i]);
		copy.n_members++;
	}
	if (r < 0) {
		named_group_fini(&copy);
		return r;
	}
	builder->groups[builder->n_groups++] = copy;
	return 0;
}

int topology_builder_warn(struct topology_builder *builder, const char *format, ...)
{
	_cleanup_(freep) char *text = NULL;
	va_list ap;
	int r;

	va_start(ap, format);
	r = vasprintf(&text, format, ap);
	va_end(ap);
	if (r < 0) {
		text = NULL;
		return -ENOMEM;
	}
	for (size_t i = 0; i < builder->n_warnings; i++)
		if (!strcmp(builder->warnings[i], text))
			return 0;
	if (builder->n_warnings >= TOPOLOGY_WARNINGS_MAX) {
		builder->n_warnings_dropped++;
		return 0;
	}
	r = array_grow(&builder->warnings, &builder->warnings_size, builder->n_warnings, sizeof(*builder->warnings));
	if (r < 0)
		return r;
	builder->warnings[builder->n_warnings++] = steal_ptr(&text);
	return 0;
}

int topology_builder_add_topology(struct topology_builder *builder, const struct topology *topology)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < topology->n_devices; i++)
		r = topology_builder_add_device(builder, &topology->devices[i]);
	for (size_t i = 0; r == 0 && i < topology->n_links; i++) {
		const struct topology_link *link = &topology->links[i];

		r = topology_builder_add_link(builder, topology->devices[link->accessor].name,
					      topology->devices[link->owner].name, link);
	}
	for (size_t i = 0; r == 0 && i < topology->n_groups; i++) {
		const struct topology_group *group = &topology->groups[i];
		_cleanup_(freep) const char **members = NULL;

		members = calloc(group->n_members ? group->n_members : 1, sizeof(*members));
		if (!members)
			return -ENOMEM;
		for (size_t j = 0; j < group->n_members; j++)
			members[j] = topology->devices[group->members[j]].name;
		r = topology_builder_add_group(builder, group->id, group->type, members, group->n_members);
	}
	for (size_t i = 0; r == 0 && i < topology->n_warnings; i++)
		r = topology_builder_warn(builder, "%s", topology->warnings[i]);
	return r;
}

static int device_compare(const void *a, const void *b)
{
	const struct topology_device *a_device = a, *b_device = b;

	return topology_name_compare(a_device->name, b_device->name);
}

static int link_compare(const void *a, const void *b)
{
	const struct topology_link *a_link = a, *b_link = b;

	if (a_link->accessor != b_link->accessor)
		return a_link->accessor < b_link->accessor ? -1 : 1;
	if (a_link->owner != b_link->owner)
		return a_link->owner < b_link->owner ? -1 : 1;
	return 0;
}

static int group_compare(const void *a, const void *b)
{
	const struct topology_group *a_group = a, *b_group = b;

	return strverscmp(a_group->id, b_group->id);
}

static int index_compare(const void *a, const void *b)
{
	const size_t *a_index = a, *b_index = b;

	return *a_index < *b_index ? -1 : *a_index > *b_index;
}

static int finish_links(struct topology_builder *builder, struct topology *topology)
{
	size_t n_kept = 0;
	int r;

	topology->links = calloc(builder->n_links ? builder->n_links : 1, sizeof(*topology->links));
	topology->links_first = calloc(topology->n_devices + 1, sizeof(*topology->links_first));
	if (!topology->links || !topology->links_first)
		return -ENOMEM;
	for (size_t i = 0; i < builder->n_links; i++) {
		struct named_link *named = &builder->links[i];
		ssize_t accessor = topology_device_find(topology, named->accessor);
		ssize_t owner = topology_device_find(topology, named->owner);

		if (accessor < 0 || owner < 0 || accessor == owner) {
			r = topology_builder_warn(builder, "dangling link: %s -> %s: %s", named->accessor, named->owner,
						  accessor == owner && owner >= 0 ? "a device is not linked to itself" :
										    "no such device");
			if (r < 0)
				return r;
			continue;
		}
		named->link.accessor = (size_t)accessor;
		named->link.owner = (size_t)owner;
		topology->links[topology->n_links++] = named->link;
		named->link = (struct topology_link){ 0 };
	}
	qsort(topology->links, topology->n_links, sizeof(*topology->links), link_compare);
	for (size_t i = 0; i < topology->n_links; i++) {
		struct topology_link *link = &topology->links[i];

		if (n_kept > 0 && link_compare(&topology->links[n_kept - 1], link) == 0) {
			r = topology_builder_warn(builder, "double link: %s -> %s: all but one left out",
						  topology->devices[link->accessor].name,
						  topology->devices[link->owner].name);
			topology_link_fini(link);
			if (r < 0)
				return r;
			continue;
		}
		if (n_kept != i) {
			topology->links[n_kept] = *link;
			*link = (struct topology_link){ 0 };
		}
		n_kept++;
	}
	topology->n_links = n_kept;
	for (size_t i = 0; i < topology->n_links; i++)
		topology->links_first[topology->links[i].accessor + 1] = i + 1;
	for (size_t i = 1; i <= topology->n_devices; i++)
		if (topology->links_first[i] < topology->links_first[i - 1])
			topology->links_first[i] = topology->links_first[i - 1];
	for (size_t i = 0; i < topology->n_links; i++) {
		const struct topology_link *link = &topology->links[i];
		const struct topology_link *back = topology_link_find(topology, link->owner, link->accessor);

		if (!link->up || (back && back->up) || topology->devices[link->accessor].n_regions == 0)
			continue;
		r = topology_builder_warn(builder, "one-sided link: %s -> %s is up, %s -> %s is not",
					  topology->devices[link->accessor].name, topology->devices[link->owner].name,
					  topology->devices[link->owner].name, topology->devices[link->accessor].name);
		if (r < 0)
			return r;
	}
	return 0;
}

static int finish_groups(struct topology_builder *builder, struct topology *topology)
{
	int r;

	topology->groups = calloc(builder->n_groups ? builder->n_groups : 1, sizeof(*topology->groups));
	if (!topology->groups)
		return -ENOMEM;
	for (size_t i = 0; i < builder->n_groups; i++) {
		struct named_group *named = &builder->groups[i];
		struct topology_group *group = &topology->groups[topology->n_groups++];
		size_t n_kept = 0;

		*group = named->group;
		named->group = (struct topology_group){ 0 };
		group->members = calloc(named->n_members ? named->n_members : 1, sizeof(*group->members));
		if (!group->members)
			return -ENOMEM;
		for (size_t j = 0; j < named->n_members; j++) {
			ssize_t member = topology_device_find(topology, named->members[j]);

			if (member >= 0) {
				group->members[group->n_members++] = (size_t)member;
				continue;
			}
			r = topology_builder_warn(builder, "dangling member: group %s: %s: no such device", group->id,
						  named->members[j]);
			if (r < 0)
				return r;
		}
		qsort(group->members, group->n_members, sizeof(*group->members), index_compare);
		for (size_t j = 0; j < group->n_members; j++)
			if (n_kept == 0 || group->members[n_kept - 1] != group->members[j])
				group->members[n_kept++] = group->members[j];
		group->n_members = n_kept;
	}
	qsort(topology->groups, topology->n_groups, sizeof(*topology->groups), group_compare);
	return 0;
}

int topology_builder_finish(struct topology_builder *builder, struct topology **ret)
{
	_cleanup_(topology_unrefp) struct topology *topology = NULL;
	int r;

	topology = calloc(1, sizeof(*topology));
	if (!topology)
		return -ENOMEM;
	topology->n_refs = 1;
	topology->source = builder->source;
	topology->generation = builder->generation;

	if (builder->n_devices > 0)
		qsort(builder->devices, builder->n_devices, sizeof(*builder->devices), device_compare);
	topology->devices = steal_ptr(&builder->devices);
	topology->n_devices = builder->n_devices;
	builder->n_devices = builder->devices_size = 0;

	r = finish_links(builder, topology);
	if (r == 0)
		r = finish_groups(builder, topology);
	if (r < 0)
		return r;
	if (builder->n_warnings_dropped > 0) {
		_cleanup_(freep) char *last = NULL;

		if (asprintf(&last, "and %llu warnings more", (unsigned long long)builder->n_warnings_dropped + 1) <
		    0) {
			last = NULL;
			return -ENOMEM;
		}
		free(builder->warnings[builder->n_warnings - 1]);
		builder->warnings[builder->n_warnings - 1] = steal_ptr(&last);
	}
	topology->warnings = steal_ptr(&builder->warnings);
	topology->n_warnings = builder->n_warnings;
	builder->n_warnings = builder->warnings_size = 0;

	*ret = steal_ptr(&topology);
	return 0;
}

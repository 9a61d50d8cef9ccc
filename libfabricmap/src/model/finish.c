// SPDX-License-Identifier: MIT
/*
 * The end of a builder: sorts what it has, turns names into indices, checks, and leaves out with a warning what does
 * not fit together. Linear in what there is, but for sorting.
 */
#include "base/base.h"
#include "base/sum.h"
#include "model/model-internal.h"

#include <stdio.h>
#include <string.h>

/* Of arrays whose elements begin with their name. */
static int named_compare(const void *a, const void *b)
{
	const char *const *a_name = a, *const *b_name = b;

	return topology_name_compare(*a_name, *b_name);
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

/* Where the elements of who has none begin: where those of the one before end. */
static void firsts_fill(size_t *firsts, size_t n)
{
	for (size_t i = 1; i <= n; i++)
		if (firsts[i] < firsts[i - 1])
			firsts[i] = firsts[i - 1];
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
		ssize_t accessor = name_index_find(&builder->device_index, named->accessor);
		ssize_t owner = name_index_find(&builder->device_index, named->owner);

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
	firsts_fill(topology->links_first, topology->n_devices);
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
			ssize_t member = name_index_find(&builder->device_index, named->members[j]);

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

static int attachment_compare(const void *a, const void *b)
{
	const struct topology_attachment *a_at = a, *b_at = b;

	if (a_at->device != b_at->device)
		return a_at->device < b_at->device ? -1 : 1;
	return a_at->node < b_at->node ? -1 : a_at->node > b_at->node;
}

static int finish_attachments(struct topology_builder *builder, struct topology *topology)
{
	struct topology_attachment *at;
	size_t n_kept = 0;
	int r;

	at = calloc(builder->n_attachments ? builder->n_attachments : 1, sizeof(*at));
	topology->attachments = at;
	topology->attachments_first = calloc(topology->n_devices + 1, sizeof(*topology->attachments_first));
	if (!at || !topology->attachments_first)
		return -ENOMEM;
	for (size_t i = 0; i < builder->n_attachments; i++) {
		const struct named_attachment *named = &builder->attachments[i];
		ssize_t device = name_index_find(&builder->device_index, named->device);
		ssize_t node = name_index_find(&builder->node_index, named->node);

		if (device < 0 || node < 0 || topology->nodes[node].kind != TOPOLOGY_NODE_SWITCH) {
			r = topology_builder_warn(builder, "dangling attachment: %s at %s: no such %s", named->device,
						  named->node, device < 0 ? "device" : "switch");
			if (r < 0)
				return r;
			continue;
		}
		at[topology->n_attachments] = named->attachment;
		at[topology->n_attachments].device = (size_t)device;
		at[topology->n_attachments++].node = (size_t)node;
	}
	qsort(at, topology->n_attachments, sizeof(*at), attachment_compare);
	for (size_t i = 0; i < topology->n_attachments; i++) {
		if (n_kept == 0 || attachment_compare(&at[n_kept - 1], &at[i]) != 0) {
			at[n_kept++] = at[i];
			continue;
		}
		r = topology_builder_warn(builder, "double attachment: %s at %s: all but one left out",
					  topology->devices[at[i].device].name, topology->nodes[at[i].node].name);
		if (r < 0)
			return r;
	}
	topology->n_attachments = n_kept;
	for (size_t i = 0; i < n_kept; i++)
		topology->attachments_first[at[i].device + 1] = i + 1;
	firsts_fill(topology->attachments_first, topology->n_devices);
	return 0;
}

static int access_compare(const void *a, const void *b)
{
	const struct topology_access *a_access = a, *b_access = b;
	int r;

	if (a_access->memory != b_access->memory)
		return a_access->memory < b_access->memory ? -1 : 1;
	r = topology_name_compare(a_access->initiator, b_access->initiator);
	if (r != 0 || a_access->access_class == b_access->access_class)
		return r;
	return a_access->access_class < b_access->access_class ? -1 : 1;
}

static int finish_memories(struct topology_builder *builder, struct topology *topology)
{
	int r;

	for (size_t i = 0; i < topology->n_memories; i++) {
		struct topology_memory *memory = &topology->memories[i];
		ssize_t device = memory->device ? name_index_find(&builder->device_index, memory->device) : -ENOENT;

		memory->resolved_device = device < 0 ? TOPOLOGY_NONE : (size_t)device;
		if (!memory->device || device >= 0)
			continue;
		r = topology_builder_warn(builder, "dangling memory: %s: of %s: no such device", memory->name,
					  memory->device);
		if (r < 0)
			return r;
	}
	topology->accesses = calloc(builder->n_accesses ? builder->n_accesses : 1, sizeof(*topology->accesses));
	if (!topology->accesses)
		return -ENOMEM;
	for (size_t i = 0; i < builder->n_accesses; i++) {
		struct named_access *named = &builder->accesses[i];
		ssize_t memory = name_index_find(&builder->memory_index, named->memory);
		ssize_t node = name_index_find(&builder->node_index, named->access.initiator);
		ssize_t device = name_index_find(&builder->device_index, named->access.initiator);

		if (memory < 0 || (node < 0 && device < 0)) {
			r = topology_builder_warn(builder, "dangling access: %s to %s: no such %s",
						  named->access.initiator, named->memory,
						  memory < 0 ? "memory" : "initiator");
			if (r < 0)
				return r;
			continue;
		}
		named->access.memory = (size_t)memory;
		named->access.initiator_device = device < 0 ? TOPOLOGY_NONE : (size_t)device;
		named->access.initiator_node = device >= 0 ? TOPOLOGY_NONE : (size_t)node;
		topology->accesses[topology->n_accesses++] = named->access;
		named->access = (struct topology_access){ 0 };
	}
	qsort(topology->accesses, topology->n_accesses, sizeof(*topology->accesses), access_compare);
	return 0;
}

static int finish_nodes(struct topology_builder *builder, struct topology *topology)
{
	int r;

	for (size_t i = 0; i < topology->n_nodes; i++) {
		struct topology_node *node = &topology->nodes[i];
		ssize_t parent = node->parent ? name_index_find(&builder->node_index, node->parent) : -ENOENT;

		node->resolved.parent = parent < 0 ? TOPOLOGY_NONE : (size_t)parent;
		if (!node->parent || parent >= 0)
			continue;
		r = topology_builder_warn(builder, "dangling parent: %s: below %s: no such node", node->name,
					  node->parent);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The first device that has the same text; of those without @text the device itself. */
static int first_with(struct name_index *index, const char *text, size_t device, size_t *ret)
{
	ssize_t first;

	first = name_index_find(index, text);
	if (first < 0) {
		*ret = device;
		return name_index_set(index, text, device);
	}
	*ret = (size_t)first;
	return 0;
}

static int finish_device(struct topology_builder *builder, struct topology *topology, size_t i,
			 struct name_index *hives)
{
	struct topology_device *device = &topology->devices[i];
	const struct {
		const char *name;
		size_t *ret;
	} places[] = {
		{ device->parent, &device->resolved.parent },
		{ device->cpu, &device->resolved.cpu },
	};
	const char *slash = strchr(device->name, '/');
	int r = 0;

	for (size_t j = 0; r == 0 && j < sizeof(places) / sizeof(places[0]); j++) {
		ssize_t node = places[j].name ? name_index_find(&builder->node_index, places[j].name) : -ENOENT;

		*places[j].ret = node < 0 ? TOPOLOGY_NONE : (size_t)node;
		if (places[j].name && node < 0)
			r = topology_builder_warn(builder, "dangling parent: %s: below %s: no such node", device->name,
						  places[j].name);
	}
	device->resolved.hive = TOPOLOGY_NONE;
	device->resolved.package = i;
	if (r == 0 && device->hive)
		r = first_with(hives, device->hive, i, &device->resolved.hive);
	/* Partitions of a package stand beside each other in the order of names. */
	if (r == 0 && slash && slash[1] == 'p' && i > 0) {
		const char *before = topology->devices[i - 1].name;
		size_t length = (size_t)(slash - device->name) + 1;

		if (!strncmp(before, device->name, length))
			device->resolved.package = topology->devices[i - 1].resolved.package;
	}
	return r;
}

static int finish_devices(struct topology_builder *builder, struct topology *topology)
{
	_cleanup_(name_index_fini) struct name_index hives = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < topology->n_devices; i++)
		r = finish_device(builder, topology, i, &hives);
	return r;
}

/* Links of the vendor's fabric that a device has, to devices and to switches. */
static int64_t links_count(const struct topology *topology, size_t device)
{
	int64_t n = 0;

	for (size_t i = topology->links_first[device]; i < topology->links_first[device + 1]; i++) {
		const struct topology_link *link = &topology->links[i];

		if (link->up && topology_link_type_is_fabric(link->type))
			n = sum_saturated(n, link->count > 0 ? link->count : 1);
	}
	for (size_t i = topology->attachments_first[device]; i < topology->attachments_first[device + 1]; i++)
		n = sum_saturated(n, topology->attachments[i].count > 0 ? topology->attachments[i].count : 1);
	return n;
}

struct kind_count {
	const char *kind;
	int64_t n_links;
	size_t device;
};

static int kind_count_compare(const void *a, const void *b)
{
	const struct kind_count *a_count = a, *b_count = b;
	int r = strcmp(a_count->kind, b_count->kind);

	if (r != 0)
		return r;
	if (a_count->n_links != b_count->n_links)
		return a_count->n_links < b_count->n_links ? -1 : 1;
	return a_count->device < b_count->device ? -1 : a_count->device > b_count->device;
}

/* The devices [from, to) are of one kind, those with the fewest links first. */
static int warn_missing_links(struct topology_builder *builder, const struct topology *topology,
			      const struct kind_count *counts, size_t n)
{
	/* What so many have alike is how this kind is meant to be linked; less common figures are no norm. */
	enum { NORM_NUMERATOR = 3, NORM_DENOMINATOR = 4, KIND_MIN = 4 };
	size_t n_norm = 0;
	int64_t norm = counts[n / 2].n_links;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		n_norm += counts[i].n_links == norm;
	if (n < KIND_MIN || n_norm * NORM_DENOMINATOR < n * NORM_NUMERATOR)
		return 0;
	for (size_t i = 0; r == 0 && i < n && counts[i].n_links < norm; i++)
		r = topology_builder_warn(builder, "missing links: %s has %lld, %zu of %zu like it have %lld",
					  topology->devices[counts[i].device].name, (long long)counts[i].n_links,
					  n_norm, n, (long long)norm);
	return r;
}

/* One of many equal devices that has lost a link costs all who are placed on it, and nobody says so. */
static int check_missing_links(struct topology_builder *builder, const struct topology *topology)
{
	_cleanup_(freep) struct kind_count *counts = NULL;
	size_t from = 0;
	int r = 0;

	counts = calloc(topology->n_devices ? topology->n_devices : 1, sizeof(*counts));
	if (!counts)
		return -ENOMEM;
	for (size_t i = 0; i < topology->n_devices; i++)
		counts[i] = (struct kind_count){
			.kind = topology->devices[i].arch ?: "",
			.n_links = links_count(topology, i),
			.device = i,
		};
	qsort(counts, topology->n_devices, sizeof(*counts), kind_count_compare);
	for (size_t i = 1; r == 0 && i <= topology->n_devices; i++)
		if (i == topology->n_devices || strcmp(counts[i].kind, counts[from].kind)) {
			r = warn_missing_links(builder, topology, counts + from, i - from);
			from = i;
		}
	return r;
}

/* Sorts an array of named things; afterwards the builder's index tells where a name has come to. */
static int named_sort(void *array, size_t n, size_t element_bytes, struct name_index *index)
{
	int r = 0;

	if (n > 0)
		qsort(array, n, element_bytes, named_compare);
	for (size_t i = 0; r == 0 && i < n; i++) {
		const char *const *name = (const void *)((const char *)array + i * element_bytes);

		r = name_index_set(index, *name, i);
	}
	return r;
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

	topology->devices = steal_ptr(&builder->devices);
	topology->n_devices = builder->n_devices;
	topology->nodes = steal_ptr(&builder->nodes);
	topology->n_nodes = builder->n_nodes;
	topology->memories = steal_ptr(&builder->memories);
	topology->n_memories = builder->n_memories;
	builder->n_devices = builder->devices_size = 0;
	builder->n_nodes = builder->nodes_size = 0;
	builder->n_memories = builder->memories_size = 0;

	r = named_sort(topology->devices, topology->n_devices, sizeof(*topology->devices), &builder->device_index);
	if (r == 0)
		r = named_sort(topology->nodes, topology->n_nodes, sizeof(*topology->nodes), &builder->node_index);
	if (r == 0)
		r = named_sort(topology->memories, topology->n_memories, sizeof(*topology->memories),
			       &builder->memory_index);
	if (r == 0)
		r = finish_nodes(builder, topology);
	if (r == 0)
		r = finish_devices(builder, topology);
	if (r == 0)
		r = finish_links(builder, topology);
	if (r == 0)
		r = finish_attachments(builder, topology);
	if (r == 0)
		r = finish_memories(builder, topology);
	if (r == 0)
		r = finish_groups(builder, topology);
	if (r == 0)
		r = pair_resolve(topology, builder);
	if (r == 0)
		r = check_missing_links(builder, topology);
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

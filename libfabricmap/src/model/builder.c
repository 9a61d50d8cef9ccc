// SPDX-License-Identifier: MIT
/*
 * The builder: takes things in any order, by name; finish.c sorts, resolves and checks them in the end. Belongs to one
 * thread.
 */
#include "base/base.h"
#include "model/model-internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

static void named_attachment_fini(struct named_attachment *attachment)
{
	free(attachment->device);
	free(attachment->node);
	*attachment = (struct named_attachment){ 0 };
}

static void named_access_fini(struct named_access *access)
{
	free(access->memory);
	topology_access_fini(&access->access);
	*access = (struct named_access){ 0 };
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
	builder->origin = TOPOLOGY_ORIGIN_FABRIC;
	builder->generation = generation;
	*ret = builder;
	return 0;
}

void topology_builder_set_origin(struct topology_builder *builder, enum topology_origin origin)
{
	builder->origin = origin;
}

/* A fact that does not say whose it is is that of who adds it. */
static void fact_own(const struct topology_builder *builder, struct topology_fact *fact)
{
	if (!fact->origin)
		fact->origin = builder->origin;
}

struct topology_builder *topology_builder_free(struct topology_builder *builder)
{
	if (!builder)
		return NULL;
	for (size_t i = 0; i < builder->n_devices; i++)
		topology_device_fini(&builder->devices[i]);
	for (size_t i = 0; i < builder->n_links; i++)
		named_link_fini(&builder->links[i]);
	for (size_t i = 0; i < builder->n_nodes; i++)
		topology_node_fini(&builder->nodes[i]);
	for (size_t i = 0; i < builder->n_memories; i++)
		topology_memory_fini(&builder->memories[i]);
	for (size_t i = 0; i < builder->n_attachments; i++)
		named_attachment_fini(&builder->attachments[i]);
	for (size_t i = 0; i < builder->n_accesses; i++)
		named_access_fini(&builder->accesses[i]);
	for (size_t i = 0; i < builder->n_groups; i++)
		named_group_fini(&builder->groups[i]);
	for (size_t i = 0; i < builder->n_warnings; i++)
		free(builder->warnings[i]);
	name_index_fini(&builder->device_index);
	name_index_fini(&builder->node_index);
	name_index_fini(&builder->memory_index);
	free(builder->nodes);
	free(builder->memories);
	free(builder->attachments);
	free(builder->accesses);
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

/* Strings that are copied if they are there. @ret are all NULL before. */
struct string_copies {
	const char *from;
	char **ret;
};

static int strings_copy(const struct string_copies *copies, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = string_copy(copies[i].from, copies[i].ret);
	return r;
}

static int device_copy(const struct topology_device *device, struct topology_device *ret)
{
	struct topology_device copy = *device;
	const struct string_copies strings[] = {
		{ device->name, &copy.name },
		{ device->driver, &copy.driver },
		{ device->render_node, &copy.render_node },
		{ device->upstream_bridge, &copy.upstream_bridge },
		{ device->pci_class, &copy.pci_class },
		{ device->arch, &copy.arch },
		{ device->hive, &copy.hive },
		{ device->parent, &copy.parent },
		{ device->cpu, &copy.cpu },
	};
	const size_t n_strings = sizeof(strings) / sizeof(strings[0]);
	int r;

	for (size_t i = 0; i < n_strings; i++)
		*strings[i].ret = NULL;
	copy.n_regions = copy.n_distances = 0;
	copy.regions = calloc(device->n_regions ? device->n_regions : 1, sizeof(*copy.regions));
	copy.distances = calloc(device->n_distances ? device->n_distances : 1, sizeof(*copy.distances));
	r = copy.regions && copy.distances ? strings_copy(strings, n_strings) : -ENOMEM;
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

/* What is known, and does not say from whom, is from who adds it. */
static void device_own_facts(const struct topology_builder *builder, struct topology_device *device)
{
	const bool is_known[TOPOLOGY_FACTS_N] = {
		[TOPOLOGY_FACT_NUMA_NODE] = device->numa_node >= 0,
		[TOPOLOGY_FACT_ARCH] = device->arch,
		[TOPOLOGY_FACT_HIVE] = device->hive,
		[TOPOLOGY_FACT_PARENT] = device->parent,
		[TOPOLOGY_FACT_CPU] = device->cpu,
		[TOPOLOGY_FACT_PCI_LINK] = device->pci_link.speed_mtps > 0 || device->pci_link.width > 0 ||
					   device->pci_link.bandwidth_mbps > 0,
		[TOPOLOGY_FACT_CPU_LINK] = device->cpu_link.type,
	};

	for (size_t i = 0; i < TOPOLOGY_FACTS_N; i++) {
		struct topology_fact *fact = &device->facts[i];

		if (!is_known[i])
			continue;
		fact_own(builder, fact);
		if (!fact->confidence)
			fact->confidence = TOPOLOGY_CONFIDENCE_REPORTED;
	}
}

int topology_builder_add_device(struct topology_builder *builder, const struct topology_device *device)
{
	bool is_unmanaged = device->state == TOPOLOGY_STATE_UNMANAGED;
	ssize_t position = name_index_find(&builder->device_index, device->name);
	struct topology_device copy, *same = position < 0 ? NULL : &builder->devices[position];
	int r;

	if (same && is_unmanaged == (same->state == TOPOLOGY_STATE_UNMANAGED))
		return -EEXIST;
	if (same && is_unmanaged)
		return 0;
	if (!same && builder->n_devices >= TOPOLOGY_DEVICES_MAX)
		return -E2BIG;
	r = array_grow(&builder->devices, &builder->devices_size, builder->n_devices, sizeof(*builder->devices));
	if (r == 0)
		r = device_copy(device, &copy);
	if (r < 0)
		return r;
	device_own_facts(builder, &copy);
	r = name_index_set(&builder->device_index, copy.name, same ? (size_t)position : builder->n_devices);
	if (r < 0) {
		topology_device_fini(&copy);
		return r;
	}
	if (same) {
		topology_device_fini(same);
		*same = copy;
	} else {
		builder->devices[builder->n_devices++] = copy;
	}
	return 0;
}

int topology_builder_add_node(struct topology_builder *builder, const struct topology_node *node)
{
	struct topology_node copy = *node;
	const struct string_copies strings[] = {
		{ node->name, &copy.name },
		{ node->parent, &copy.parent },
		{ node->vendor, &copy.vendor },
	};
	int r;

	if (name_index_find(&builder->node_index, node->name) >= 0)
		return -EEXIST;
	if (builder->n_nodes >= TOPOLOGY_NODES_MAX)
		return -E2BIG;
	copy.name = copy.parent = copy.vendor = NULL;
	r = array_grow(&builder->nodes, &builder->nodes_size, builder->n_nodes, sizeof(*builder->nodes));
	if (r == 0)
		r = strings_copy(strings, sizeof(strings) / sizeof(strings[0]));
	if (r == 0)
		r = name_index_set(&builder->node_index, copy.name, builder->n_nodes);
	if (r < 0) {
		topology_node_fini(&copy);
		return r;
	}
	fact_own(builder, &copy.fact);
	if (!copy.fact.confidence)
		copy.fact.confidence = TOPOLOGY_CONFIDENCE_REPORTED;
	builder->nodes[builder->n_nodes++] = copy;
	return 0;
}

int topology_builder_add_memory(struct topology_builder *builder, const struct topology_memory *memory)
{
	struct topology_memory copy = *memory;
	const struct string_copies strings[] = { { memory->name, &copy.name }, { memory->device, &copy.device } };
	int r;

	if (name_index_find(&builder->memory_index, memory->name) >= 0)
		return -EEXIST;
	if (builder->n_memories >= TOPOLOGY_MEMORIES_MAX)
		return -E2BIG;
	copy.name = copy.device = NULL;
	r = array_grow(&builder->memories, &builder->memories_size, builder->n_memories, sizeof(*builder->memories));
	if (r == 0)
		r = strings_copy(strings, sizeof(strings) / sizeof(strings[0]));
	if (r == 0)
		r = name_index_set(&builder->memory_index, copy.name, builder->n_memories);
	if (r < 0) {
		topology_memory_fini(&copy);
		return r;
	}
	fact_own(builder, &copy.fact);
	if (!copy.fact.confidence)
		copy.fact.confidence = TOPOLOGY_CONFIDENCE_REPORTED;
	builder->memories[builder->n_memories++] = copy;
	return 0;
}

int topology_builder_add_attachment(struct topology_builder *builder, const char *device, const char *node,
				    const struct topology_attachment *attachment)
{
	struct named_attachment copy = { .attachment = *attachment };
	int r;

	if (builder->n_attachments >= TOPOLOGY_ATTACHMENTS_MAX)
		return -E2BIG;
	r = array_grow(&builder->attachments, &builder->attachments_size, builder->n_attachments,
		       sizeof(*builder->attachments));
	if (r == 0)
		r = string_copy(device, &copy.device);
	if (r == 0)
		r = string_copy(node, &copy.node);
	if (r < 0) {
		named_attachment_fini(&copy);
		return r;
	}
	fact_own(builder, &copy.attachment.fact);
	builder->attachments[builder->n_attachments++] = copy;
	return 0;
}

int topology_builder_add_access(struct topology_builder *builder, const char *memory,
				const struct topology_access *access)
{
	struct named_access copy = { .access = *access };
	int r;

	if (builder->n_accesses >= TOPOLOGY_LINKS_MAX)
		return -E2BIG;
	copy.access.initiator = NULL;
	r = array_grow(&builder->accesses, &builder->accesses_size, builder->n_accesses, sizeof(*builder->accesses));
	if (r == 0)
		r = string_copy(memory, &copy.memory);
	if (r == 0)
		r = string_copy(access->initiator, &copy.access.initiator);
	if (r < 0) {
		named_access_fini(&copy);
		return r;
	}
	fact_own(builder, &copy.access.fact);
	if (!copy.access.fact.confidence)
		copy.access.fact.confidence = TOPOLOGY_CONFIDENCE_REPORTED;
	builder->accesses[builder->n_accesses++] = copy;
	return 0;
}

int topology_builder_add_link(struct topology_builder *builder, const char *accessor, const char *owner,
			      const struct topology_link *link)
{
	struct named_link copy = { .link = *link };
	int r;

	if (builder->n_links >= TOPOLOGY_LINKS_MAX)
		return -E2BIG;
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
	fact_own(builder, &copy.link.fact);
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
	for (size_t i = 0; r == 0 && i < topology->n_nodes; i++)
		r = topology_builder_add_node(builder, &topology->nodes[i]);
	for (size_t i = 0; r == 0 && i < topology->n_memories; i++)
		r = topology_builder_add_memory(builder, &topology->memories[i]);
	for (size_t i = 0; r == 0 && i < topology->n_accesses; i++)
		r = topology_builder_add_access(builder, topology->memories[topology->accesses[i].memory].name,
						&topology->accesses[i]);
	for (size_t i = 0; r == 0 && i < topology->n_attachments; i++)
		r = topology_builder_add_attachment(builder, topology->devices[topology->attachments[i].device].name,
						    topology->nodes[topology->attachments[i].node].name,
						    &topology->attachments[i]);
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

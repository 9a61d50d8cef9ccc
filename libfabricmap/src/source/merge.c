// SPDX-License-Identifier: MIT
/*
 * One topology of what several sources know. Devices are the same if their names are. Of each fact the source that comes
 * first in enum topology_origin is believed; of the links of one class the source that has most of them, so that
 * figures of one class can be compared.
 *
 * Warnings begin with "contradiction".
 */
#include "source/source.h"

#include "base/base.h"
#include "model/index.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	/* All kinds of links that PCI carries are one class. */
	CLASS_PCI = TOPOLOGY_LINK_PCIE_SWITCH,
	CLASSES_N = TOPOLOGY_LINK_SOFTGPU + 1,
	ORIGINS_N = TOPOLOGY_ORIGIN_JSON + 1,
};

struct merge {
	struct topology_builder *builder;
	const struct topology *const *parts;
	size_t n_parts;
	/* Borrowed from the parts, but for arrays of the same. */
	struct topology_device *devices;
	size_t n_devices;
	struct name_index index;
	enum topology_origin origins[CLASSES_N]; /* whose links of a class are taken */
};

static void merge_fini(struct merge *merge)
{
	topology_builder_free(merge->builder);
	free(merge->devices);
	name_index_fini(&merge->index);
}

/* ---- devices ---- */

/* What one fact of a device is, to compare it and to take it over. */
struct fact_value {
	enum topology_fact_kind kind;
	size_t offset, size;
	bool is_text;
};

#define FACT(kind, member, is_text)                                                                               \
	{                                                                                                         \
		kind, offsetof(struct topology_device, member), sizeof(((struct topology_device *)NULL)->member), \
			is_text                                                                                   \
	}

static const struct fact_value fact_values[] = {
	FACT(TOPOLOGY_FACT_NUMA_NODE, numa_node, false),
	FACT(TOPOLOGY_FACT_ARCH, arch, true),
	FACT(TOPOLOGY_FACT_HIVE, hive, true),
	FACT(TOPOLOGY_FACT_PARENT, parent, true),
	FACT(TOPOLOGY_FACT_CPU, cpu, true),
	FACT(TOPOLOGY_FACT_PCI_LINK, pci_link, false),
	FACT(TOPOLOGY_FACT_CPU_LINK, cpu_link, false),
};

static bool is_same(const struct fact_value *value, const void *a, const void *b)
{
	if (value->is_text)
		return !strcmp(*(const char *const *)a, *(const char *const *)b);
	return !memcmp(a, b, value->size);
}

/* Figures of PCI links are in other units in each source, and a bridge has as many names as there are views of it. */
static bool is_comparable(enum topology_fact_kind kind)
{
	return kind == TOPOLOGY_FACT_NUMA_NODE || kind == TOPOLOGY_FACT_ARCH || kind == TOPOLOGY_FACT_HIVE;
}

/* A guess gives way to anything. */
static bool is_better(const struct topology_fact *fact, const struct topology_fact *than)
{
	bool is_guess = fact->confidence == TOPOLOGY_CONFIDENCE_ASSUMED;
	bool than_is_guess = than->confidence == TOPOLOGY_CONFIDENCE_ASSUMED;

	if (!fact->origin || !than->origin)
		return fact->origin;
	if (is_guess != than_is_guess)
		return than_is_guess;
	return fact->origin < than->origin;
}

static int facts_merge(struct merge *merge, struct topology_device *device, const struct topology_device *other)
{
	for (size_t i = 0; i < sizeof(fact_values) / sizeof(fact_values[0]); i++) {
		const struct fact_value *value = &fact_values[i];
		struct topology_fact *fact = &device->facts[value->kind];
		const struct topology_fact *other_fact = &other->facts[value->kind];
		void *at = (char *)device + value->offset;
		const void *other_at = (const char *)other + value->offset;
		int r = 0;

		if (fact->origin && other_fact->origin && is_comparable(value->kind) && !is_same(value, at, other_at))
			r = topology_builder_warn(
				merge->builder, "contradiction: %s: %s: %s and %s differ, %s is believed", device->name,
				topology_fact_kind_to_string(value->kind), topology_origin_to_string(fact->origin),
				topology_origin_to_string(other_fact->origin),
				topology_origin_to_string(is_better(other_fact, fact) ? other_fact->origin :
											fact->origin));
		if (r < 0)
			return r;
		if (!is_better(other_fact, fact))
			continue;
		memcpy(at, other_at, value->size);
		*fact = *other_fact;
	}
	return 0;
}

static int device_add(struct merge *merge, const struct topology_device *device)
{
	ssize_t position = name_index_find(&merge->index, device->name);
	struct topology_device *same = position < 0 ? NULL : &merge->devices[position];
	int r;

	if (same) {
		r = facts_merge(merge, same, device);
		same->driver = same->driver ?: device->driver;
		same->render_node = same->render_node ?: device->render_node;
		same->upstream_bridge = same->upstream_bridge ?: device->upstream_bridge;
		same->pci_class = same->pci_class ?: device->pci_class;
		return r;
	}
	r = name_index_set(&merge->index, device->name, merge->n_devices);
	if (r == 0)
		merge->devices[merge->n_devices++] = *device;
	return r;
}

/* A partition's function, "0000:05:00.0" of "0000:05:00.0/p3", or -ENOENT. */
static ssize_t function_of(const struct merge *merge, const char *name)
{
	const char *slash = strchr(name, '/');
	char function[64];

	if (!slash || (size_t)(slash - name) >= sizeof(function))
		return -ENOENT;
	memcpy(function, name, (size_t)(slash - name));
	function[slash - name] = '\0';
	return name_index_find(&merge->index, function);
}

/*
 * Partitions stand for the function that has them, and are where it is. One that is in the fabric as a whole stays, and
 * its partitions are left out.
 */
static int partitions_merge(struct merge *merge)
{
	_cleanup_(freep) bool *is_out = calloc(merge->n_devices ? merge->n_devices : 1, sizeof(*is_out));
	size_t n_kept = 0;
	int r = 0;

	if (!is_out)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < merge->n_devices; i++) {
		ssize_t position = function_of(merge, merge->devices[i].name);
		struct topology_device *function = position < 0 ? NULL : &merge->devices[position];

		if (!function)
			continue;
		if (function->state != TOPOLOGY_STATE_UNMANAGED) {
			is_out[i] = true;
			r = topology_builder_warn(merge->builder,
						  "contradiction: %s: the fabric has %s as a whole: left out",
						  merge->devices[i].name, function->name);
			continue;
		}
		is_out[position] = true;
		r = facts_merge(merge, &merge->devices[i], function);
	}
	name_index_fini(&merge->index);
	for (size_t i = 0; r == 0 && i < merge->n_devices; i++) {
		if (is_out[i])
			continue;
		merge->devices[n_kept] = merge->devices[i];
		r = name_index_set(&merge->index, merge->devices[n_kept].name, n_kept);
		n_kept++;
	}
	merge->n_devices = n_kept;
	return r;
}

static int devices_merge(struct merge *merge)
{
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < merge->n_parts; i++)
		n += merge->parts[i]->n_devices;
	merge->devices = calloc(n ? n : 1, sizeof(*merge->devices));
	if (!merge->devices)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < merge->n_parts; i++)
		for (size_t j = 0; r == 0 && j < merge->parts[i]->n_devices; j++)
			r = device_add(merge, &merge->parts[i]->devices[j]);
	if (r == 0)
		r = partitions_merge(merge);
	for (size_t i = 0; r == 0 && i < merge->n_devices; i++)
		r = topology_builder_add_device(merge->builder, &merge->devices[i]);
	return r;
}

/* ---- nodes and memories ---- */

static int nodes_merge(struct merge *merge)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < merge->n_parts; i++)
		for (size_t j = 0; r == 0 && j < merge->parts[i]->n_nodes; j++) {
			struct topology_node node = merge->parts[i]->nodes[j];
			bool is_known = false;

			for (size_t k = 0; k < i && !is_known; k++)
				is_known = topology_node_find(merge->parts[k], node.name) >= 0;
			if (is_known)
				continue;
			/* What is not known of it yet. */
			for (size_t k = i + 1; k < merge->n_parts; k++) {
				ssize_t at = topology_node_find(merge->parts[k], node.name);
				const struct topology_node *other = at < 0 ? NULL : &merge->parts[k]->nodes[at];

				if (!other)
					continue;
				if (node.socket == TOPOLOGY_UNKNOWN)
					node.socket = other->socket;
				/* What another knows with its model it knows better. */
				if (other->vendor && (!node.vendor || node.model == TOPOLOGY_UNKNOWN)) {
					node.vendor = other->vendor;
					node.model = other->model;
				}
			}
			r = topology_builder_add_node(merge->builder, &node);
		}
	return r;
}

static int memories_merge(struct merge *merge)
{
	int r = 0;

	/* The kernel's own figures of NUMA nodes come first. */
	for (size_t i = merge->n_parts; r == 0 && i-- > 0;)
		for (size_t j = 0; r == 0 && j < merge->parts[i]->n_memories; j++) {
			r = topology_builder_add_memory(merge->builder, &merge->parts[i]->memories[j]);
			if (r == -EEXIST)
				r = 0;
		}
	for (size_t i = 0; r == 0 && i < merge->n_parts; i++)
		for (size_t j = 0; r == 0 && j < merge->parts[i]->n_accesses; j++) {
			const struct topology_access *access = &merge->parts[i]->accesses[j];

			r = topology_builder_add_access(merge->builder, merge->parts[i]->memories[access->memory].name,
							access);
		}
	return r;
}

/* ---- links ---- */

static size_t class_of(enum topology_link_type type)
{
	return topology_link_type_is_fabric(type) ? (size_t)type : (size_t)CLASS_PCI;
}

/* Whoever has most links of a class; of equals the one that comes first. */
static void origins_choose(struct merge *merge)
{
	size_t counts[CLASSES_N][ORIGINS_N] = { 0 };

	for (size_t i = 0; i < merge->n_parts; i++) {
		const struct topology *part = merge->parts[i];

		for (size_t j = 0; j < part->n_links; j++)
			if (part->links[j].type != TOPOLOGY_LINK_NONE)
				counts[class_of(part->links[j].type)][part->links[j].fact.origin]++;
		for (size_t j = 0; j < part->n_attachments; j++)
			counts[class_of(part->attachments[j].type)][part->attachments[j].fact.origin]++;
	}
	for (size_t i = 0; i < CLASSES_N; i++)
		for (size_t j = 1; j < ORIGINS_N; j++)
			if (!merge->origins[i] || counts[i][j] > counts[i][merge->origins[i]])
				merge->origins[i] = (enum topology_origin)j;
}

static bool is_chosen(const struct merge *merge, enum topology_link_type type, enum topology_origin origin)
{
	return merge->origins[class_of(type)] == origin;
}

/* The record of the same direction in a part, by names. */
static const struct topology_link *link_in(const struct topology *part, const char *accessor, const char *owner)
{
	ssize_t a = topology_device_find(part, accessor), b = topology_device_find(part, owner);

	return a < 0 || b < 0 ? NULL : topology_link_find(part, (size_t)a, (size_t)b);
}

/* What other parts have of the same direction: their word on the state, their contradiction, their figure for PCI. */
static int link_add(struct merge *merge, size_t part, const struct topology_link *link)
{
	const struct topology *own = merge->parts[part];
	const char *accessor = own->devices[link->accessor].name, *owner = own->devices[link->owner].name;
	struct topology_link merged = *link;

	for (size_t i = 0; i < merge->n_parts; i++) {
		const struct topology_link *other = i == part ? NULL : link_in(merge->parts[i], accessor, owner);
		int r = 0;

		if (!other)
			continue;
		if (class_of(other->type) == class_of(link->type)) {
			if (other->bandwidth_mbps != link->bandwidth_mbps && !other->assumed && !link->assumed)
				r = topology_builder_warn(merge->builder,
							  "contradiction: %s -> %s: %s says %" PRId64
							  " MB/s, %s %" PRId64 ": %s is believed",
							  accessor, owner, topology_origin_to_string(link->fact.origin),
							  link->bandwidth_mbps,
							  topology_origin_to_string(other->fact.origin),
							  other->bandwidth_mbps,
							  topology_origin_to_string(link->fact.origin));
			/* Only the kernel's fabric knows whether a link may be used. */
			if (other->fact.origin == TOPOLOGY_ORIGIN_FABRIC && !other->up) {
				merged.up = false;
				merged.why_not = other->why_not;
			}
		} else if (!merged.has_pci_record && !topology_link_type_is_fabric(other->type) && other->up &&
			   is_chosen(merge, other->type, other->fact.origin)) {
			merged.has_pci_record = true;
			merged.pci_bandwidth_mbps = other->pci_mbps;
		}
		if (r < 0)
			return r;
	}
	return topology_builder_add_link(merge->builder, accessor, owner, &merged);
}

/* One of a vendor's fabric stands before one of PCI, and one that says something before "none". */
static bool is_hidden(const struct merge *merge, size_t part, const struct topology_link *link)
{
	const struct topology *own = merge->parts[part];

	if (topology_link_type_is_fabric(link->type))
		return false;
	for (size_t i = 0; i < merge->n_parts; i++) {
		const struct topology_link *other;

		if (i == part)
			continue;
		other = link_in(merge->parts[i], own->devices[link->accessor].name, own->devices[link->owner].name);
		if (!other || !is_chosen(merge, other->type, other->fact.origin))
			continue;
		if (topology_link_type_is_fabric(other->type) ||
		    (link->type == TOPOLOGY_LINK_NONE && other->type != TOPOLOGY_LINK_NONE))
			return true;
	}
	return false;
}

static bool is_device(const struct merge *merge, const char *name)
{
	return name_index_find(&merge->index, name) >= 0;
}

static int links_merge(struct merge *merge)
{
	int r = 0;

	origins_choose(merge);
	for (size_t i = 0; r == 0 && i < merge->n_parts; i++) {
		const struct topology *part = merge->parts[i];

		for (size_t j = 0; r == 0 && j < part->n_links; j++) {
			const struct topology_link *link = &part->links[j];

			if (link->type != TOPOLOGY_LINK_NONE && !is_chosen(merge, link->type, link->fact.origin))
				continue;
			if (is_device(merge, part->devices[link->accessor].name) &&
			    is_device(merge, part->devices[link->owner].name) && !is_hidden(merge, i, link))
				r = link_add(merge, i, link);
		}
		for (size_t j = 0; r == 0 && j < part->n_attachments; j++) {
			const struct topology_attachment *at = &part->attachments[j];

			if (is_chosen(merge, at->type, at->fact.origin) &&
			    is_device(merge, part->devices[at->device].name))
				r = topology_builder_add_attachment(merge->builder, part->devices[at->device].name,
								    part->nodes[at->node].name, at);
		}
	}
	return r;
}

static int groups_and_warnings_merge(struct merge *merge)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < merge->n_parts; i++) {
		const struct topology *part = merge->parts[i];

		for (size_t j = 0; r == 0 && j < part->n_groups; j++) {
			const struct topology_group *group = &part->groups[j];
			_cleanup_(freep) const char **members = NULL;

			members = calloc(group->n_members ? group->n_members : 1, sizeof(*members));
			if (!members)
				return -ENOMEM;
			for (size_t k = 0; k < group->n_members; k++)
				members[k] = part->devices[group->members[k]].name;
			r = topology_builder_add_group(merge->builder, group->id, group->type, members,
						       group->n_members);
		}
		for (size_t j = 0; r == 0 && j < part->n_warnings; j++)
			r = topology_builder_warn(merge->builder, "%s", part->warnings[j]);
	}
	return r;
}

int source_merge(const struct topology *const *parts, size_t n_parts, struct topology **ret)
{
	_cleanup_(merge_fini) struct merge merge = { .parts = parts, .n_parts = n_parts };
	int r;

	r = topology_builder_new(parts[0]->source, parts[0]->generation, &merge.builder);
	if (r == 0)
		r = devices_merge(&merge);
	if (r == 0)
		r = nodes_merge(&merge);
	if (r == 0)
		r = memories_merge(&merge);
	if (r == 0)
		r = links_merge(&merge);
	if (r == 0)
		r = groups_and_warnings_merge(&merge);
	if (r < 0)
		return r;
	return topology_builder_finish(merge.builder, ret);
}

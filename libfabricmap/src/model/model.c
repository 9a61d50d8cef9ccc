// SPDX-License-Identifier: MIT
/*
 * The finished topology: what its words mean, finding things in it, and its end. Immutable, so that only the
 * reference count needs care between threads.
 */
#include "model/model-internal.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const state_names[] = {
	[TOPOLOGY_STATE_ONLINE] = "online",	  [TOPOLOGY_STATE_DRAINING] = "draining",
	[TOPOLOGY_STATE_EVICTING] = "evicting",	  [TOPOLOGY_STATE_OFFLINE] = "offline",
	[TOPOLOGY_STATE_LOST] = "lost",		  [TOPOLOGY_STATE_UNBOUND] = "unbound",
	[TOPOLOGY_STATE_UNMANAGED] = "unmanaged",
};

static const char *const link_type_names[] = {
	[TOPOLOGY_LINK_NONE] = "none",
	[TOPOLOGY_LINK_PCIE_SWITCH] = "pcie_switch",
	[TOPOLOGY_LINK_PCIE_HOST_BRIDGE] = "pcie_host_bridge",
	[TOPOLOGY_LINK_XGMI] = "xgmi",
	[TOPOLOGY_LINK_NVLINK] = "nvlink",
	[TOPOLOGY_LINK_XE_LINK] = "xe_link",
	[TOPOLOGY_LINK_CXL] = "cxl",
	[TOPOLOGY_LINK_SOFTGPU] = "softgpu",
};

static const char *const pagemap_names[] = {
	[TOPOLOGY_PAGEMAP_ABSENT] = "absent",
	[TOPOLOGY_PAGEMAP_ACTIVE] = "active",
	[TOPOLOGY_PAGEMAP_IDLE] = "idle",
	[TOPOLOGY_PAGEMAP_DEAD] = "dead",
};

static const char *const origin_names[] = {
	[TOPOLOGY_ORIGIN_FABRIC] = "fabric", [TOPOLOGY_ORIGIN_NVML] = "nvml", [TOPOLOGY_ORIGIN_PCI] = "pci",
	[TOPOLOGY_ORIGIN_KFD] = "kfd",	     [TOPOLOGY_ORIGIN_NUMA] = "numa", [TOPOLOGY_ORIGIN_HWLOC] = "hwloc",
	[TOPOLOGY_ORIGIN_NCCL] = "nccl",     [TOPOLOGY_ORIGIN_JSON] = "json",
};

static const char *const confidence_names[] = {
	[TOPOLOGY_CONFIDENCE_MEASURED] = "measured",
	[TOPOLOGY_CONFIDENCE_REPORTED] = "reported",
	[TOPOLOGY_CONFIDENCE_DERIVED] = "derived",
	[TOPOLOGY_CONFIDENCE_ASSUMED] = "assumed",
};

static const char *const node_kind_names[] = {
	[TOPOLOGY_NODE_CPU] = "cpu", [TOPOLOGY_NODE_BRIDGE] = "bridge",	      [TOPOLOGY_NODE_SWITCH] = "switch",
	[TOPOLOGY_NODE_NIC] = "nic", [TOPOLOGY_NODE_INITIATOR] = "initiator",
};

static const char *const memory_kind_names[] = {
	[TOPOLOGY_MEMORY_DRAM] = "dram",
	[TOPOLOGY_MEMORY_HBM] = "hbm",
	[TOPOLOGY_MEMORY_CXL] = "cxl",
	[TOPOLOGY_MEMORY_NVM] = "nvm",
};

static const char *const pair_kind_names[] = {
	[TOPOLOGY_PAIR_DIRECT] = "direct",
	[TOPOLOGY_PAIR_SWITCH] = "switch",
	[TOPOLOGY_PAIR_PCI] = "pci",
	[TOPOLOGY_PAIR_UNKNOWN] = "unknown",
};

static const char *const fact_kind_names[] = {
	[TOPOLOGY_FACT_NUMA_NODE] = "numa_node", [TOPOLOGY_FACT_ARCH] = "arch", [TOPOLOGY_FACT_HIVE] = "hive",
	[TOPOLOGY_FACT_PARENT] = "parent",	 [TOPOLOGY_FACT_CPU] = "cpu",	[TOPOLOGY_FACT_PCI_LINK] = "pci_link",
	[TOPOLOGY_FACT_CPU_LINK] = "cpu_link",
};

static const char *const source_names[] = {
	[TOPOLOGY_SOURCE_KERNEL] = "kernel",
	[TOPOLOGY_SOURCE_PARTIAL] = "partial",
};

#define N_NAMES(names) (sizeof(names) / sizeof((names)[0]))

static unsigned int name_find(const char *const *names, size_t n_names, const char *text)
{
	for (size_t i = 1; i < n_names; i++)
		if (!strcmp(names[i], text))
			return (unsigned int)i;
	return 0;
}

enum topology_state topology_state_from_string(const char *text)
{
	return (enum topology_state)name_find(state_names, N_NAMES(state_names), text);
}

enum topology_link_type topology_link_type_from_string(const char *text)
{
	return (enum topology_link_type)name_find(link_type_names, N_NAMES(link_type_names), text);
}

enum topology_pagemap topology_pagemap_from_string(const char *text)
{
	return (enum topology_pagemap)name_find(pagemap_names, N_NAMES(pagemap_names), text);
}

enum topology_origin topology_origin_from_string(const char *text)
{
	return (enum topology_origin)name_find(origin_names, N_NAMES(origin_names), text);
}

enum topology_confidence topology_confidence_from_string(const char *text)
{
	return (enum topology_confidence)name_find(confidence_names, N_NAMES(confidence_names), text);
}

enum topology_node_kind topology_node_kind_from_string(const char *text)
{
	return (enum topology_node_kind)name_find(node_kind_names, N_NAMES(node_kind_names), text);
}

enum topology_memory_kind topology_memory_kind_from_string(const char *text)
{
	return (enum topology_memory_kind)name_find(memory_kind_names, N_NAMES(memory_kind_names), text);
}

enum topology_fact_kind topology_fact_kind_from_string(const char *text)
{
	for (size_t i = 0; i < N_NAMES(fact_kind_names); i++)
		if (!strcmp(fact_kind_names[i], text))
			return (enum topology_fact_kind)i;
	return TOPOLOGY_FACTS_N;
}

const char *topology_origin_to_string(enum topology_origin origin)
{
	return (size_t)origin < N_NAMES(origin_names) ? origin_names[origin] : NULL;
}

const char *topology_confidence_to_string(enum topology_confidence confidence)
{
	return (size_t)confidence < N_NAMES(confidence_names) ? confidence_names[confidence] : NULL;
}

const char *topology_node_kind_to_string(enum topology_node_kind kind)
{
	return (size_t)kind < N_NAMES(node_kind_names) ? node_kind_names[kind] : NULL;
}

const char *topology_memory_kind_to_string(enum topology_memory_kind kind)
{
	return (size_t)kind < N_NAMES(memory_kind_names) ? memory_kind_names[kind] : NULL;
}

const char *topology_pair_kind_to_string(enum topology_pair_kind kind)
{
	return (size_t)kind < N_NAMES(pair_kind_names) ? pair_kind_names[kind] : NULL;
}

const char *topology_fact_kind_to_string(enum topology_fact_kind kind)
{
	return (size_t)kind < N_NAMES(fact_kind_names) ? fact_kind_names[kind] : NULL;
}

bool topology_link_type_is_fabric(enum topology_link_type type)
{
	switch (type) {
	case TOPOLOGY_LINK_XGMI:
	case TOPOLOGY_LINK_NVLINK:
	case TOPOLOGY_LINK_XE_LINK:
	case TOPOLOGY_LINK_CXL:
	case TOPOLOGY_LINK_SOFTGPU:
		return true;
	default:
		return false;
	}
}

const char *topology_state_to_string(enum topology_state state)
{
	return (size_t)state < N_NAMES(state_names) ? state_names[state] : NULL;
}

const char *topology_link_type_to_string(enum topology_link_type type)
{
	return (size_t)type < N_NAMES(link_type_names) ? link_type_names[type] : NULL;
}

const char *topology_pagemap_to_string(enum topology_pagemap state)
{
	return (size_t)state < N_NAMES(pagemap_names) ? pagemap_names[state] : NULL;
}

const char *topology_source_to_string(enum topology_source source)
{
	return (size_t)source < N_NAMES(source_names) ? source_names[source] : NULL;
}

/* Exactly @n_digits lower- or upper-case hex digits, or -1. */
static long hex_parse(const char *text, size_t n_digits)
{
	long value = 0;

	for (size_t i = 0; i < n_digits; i++) {
		unsigned char c = (unsigned char)text[i];

		if (!isxdigit(c))
			return -1;
		value = value * 16 + (isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
	}
	return value;
}

/* DDDD:BB:DD.F, the domain of up to 8 digits, and /p<n> at most. */
static bool pci_parse(const char *name, unsigned long long *ret_address, long *ret_partition)
{
	const char *colon = strchr(name, ':');
	long domain, bus, device, function, partition = -1;

	if (!colon || colon - name < 4 || colon - name > 8)
		return false;
	domain = hex_parse(name, (size_t)(colon - name));
	name = colon + 1;
	/* Each part is looked at only if the one before did not hold the end of the text. */
	bus = hex_parse(name, 2);
	if (domain < 0 || bus < 0 || name[2] != ':')
		return false;
	device = hex_parse(name + 3, 2);
	if (device < 0 || name[5] != '.')
		return false;
	function = hex_parse(name + 6, 1);
	if (function < 0 || function > 7)
		return false;
	name += 7;
	if (name[0] == '/' && name[1] == 'p' && isdigit((unsigned char)name[2])) {
		partition = 0;
		for (name += 2; isdigit((unsigned char)*name) && partition < 1000000; name++)
			partition = partition * 10 + (*name - '0');
	}
	if (*name)
		return false;
	*ret_address = (unsigned long long)domain << 20 | (unsigned long long)bus << 12 |
		       (unsigned long long)device << 4 | (unsigned long long)function;
	*ret_partition = partition;
	return true;
}

int topology_name_compare(const char *a, const char *b)
{
	unsigned long long a_address = 0, b_address = 0;
	long a_partition = 0, b_partition = 0;
	bool a_pci = pci_parse(a, &a_address, &a_partition);
	bool b_pci = pci_parse(b, &b_address, &b_partition);
	int r;

	if (a_pci != b_pci)
		return a_pci ? -1 : 1;
	if (!a_pci) {
		r = strverscmp(a, b);
		return r ? r : strcmp(a, b);
	}
	if (a_address != b_address)
		return a_address < b_address ? -1 : 1;
	if (a_partition != b_partition)
		return a_partition < b_partition ? -1 : 1;
	/* 0000:0a:00.0 and 0000:0A:00.0 are the same address, but not the same name. */
	return strcmp(a, b);
}

/* The arrays of named things begin with the name, and are sorted by it. */
static ssize_t named_find(const void *array, size_t n, size_t element_bytes, const char *name)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *const *at = (const void *)((const char *)array + middle * element_bytes);
		int r = topology_name_compare(name, *at);

		if (r == 0)
			return (ssize_t)middle;
		if (r < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -ENOENT;
}

static_assert(offsetof(struct topology_device, name) == 0, "named_find()");
static_assert(offsetof(struct topology_node, name) == 0, "named_find()");
static_assert(offsetof(struct topology_memory, name) == 0, "named_find()");

ssize_t topology_device_find(const struct topology *topology, const char *name)
{
	ssize_t index = named_find(topology->devices, topology->n_devices, sizeof(*topology->devices), name);

	return index < 0 ? -ENODEV : index;
}

ssize_t topology_node_find(const struct topology *topology, const char *name)
{
	return named_find(topology->nodes, topology->n_nodes, sizeof(*topology->nodes), name);
}

ssize_t topology_memory_find(const struct topology *topology, const char *name)
{
	return named_find(topology->memories, topology->n_memories, sizeof(*topology->memories), name);
}

const struct topology_link *topology_link_find(const struct topology *topology, size_t accessor, size_t owner)
{
	size_t low, high;

	if (accessor >= topology->n_devices || owner >= topology->n_devices)
		return NULL;
	low = topology->links_first[accessor];
	high = topology->links_first[accessor + 1];
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct topology_link *link = &topology->links[middle];

		if (link->owner == owner)
			return link;
		if (owner < link->owner)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

ssize_t topology_device_group(const struct topology *topology, size_t device)
{
	for (size_t i = 0; i < topology->n_groups; i++)
		for (size_t j = 0; j < topology->groups[i].n_members; j++)
			if (topology->groups[i].members[j] == device)
				return (ssize_t)i;
	return -ENOENT;
}

void topology_region_fini(struct topology_region *region)
{
	free(region->name);
	*region = (struct topology_region){ 0 };
}

void topology_device_fini(struct topology_device *device)
{
	for (size_t i = 0; i < device->n_regions; i++)
		topology_region_fini(&device->regions[i]);
	free(device->regions);
	for (size_t i = 0; i < device->n_distances; i++)
		free(device->distances[i].device);
	free(device->distances);
	free(device->upstream_bridge);
	free(device->pci_class);
	free(device->name);
	free(device->driver);
	free(device->render_node);
	free(device->arch);
	free(device->hive);
	free(device->parent);
	free(device->cpu);
	*device = (struct topology_device){ 0 };
}

void topology_link_fini(struct topology_link *link)
{
	free(link->why_not);
	free(link->provenance);
	*link = (struct topology_link){ 0 };
}

void topology_group_fini(struct topology_group *group)
{
	free(group->id);
	free(group->members);
	*group = (struct topology_group){ 0 };
}

void topology_node_fini(struct topology_node *node)
{
	free(node->name);
	free(node->parent);
	free(node->vendor);
	*node = (struct topology_node){ 0 };
}

void topology_memory_fini(struct topology_memory *memory)
{
	free(memory->name);
	free(memory->device);
	*memory = (struct topology_memory){ 0 };
}

void topology_access_fini(struct topology_access *access)
{
	free(access->initiator);
	*access = (struct topology_access){ 0 };
}

struct topology *topology_ref(struct topology *topology)
{
	unsigned int n_refs = __atomic_fetch_add(&topology->n_refs, 1, __ATOMIC_RELAXED);

	assert(n_refs > 0);
	return topology;
}

struct topology *topology_unref(struct topology *topology)
{
	if (!topology || __atomic_sub_fetch(&topology->n_refs, 1, __ATOMIC_ACQ_REL) > 0)
		return NULL;
	for (size_t i = 0; i < topology->n_devices; i++)
		topology_device_fini(&topology->devices[i]);
	for (size_t i = 0; i < topology->n_links; i++)
		topology_link_fini(&topology->links[i]);
	for (size_t i = 0; i < topology->n_groups; i++)
		topology_group_fini(&topology->groups[i]);
	for (size_t i = 0; i < topology->n_nodes; i++)
		topology_node_fini(&topology->nodes[i]);
	for (size_t i = 0; i < topology->n_memories; i++)
		topology_memory_fini(&topology->memories[i]);
	for (size_t i = 0; i < topology->n_accesses; i++)
		topology_access_fini(&topology->accesses[i]);
	for (size_t i = 0; i < topology->n_warnings; i++)
		free(topology->warnings[i]);
	free(topology->nodes);
	free(topology->attachments);
	free(topology->attachments_first);
	free(topology->memories);
	free(topology->accesses);
	free(topology->devices);
	free(topology->links);
	free(topology->links_first);
	free(topology->groups);
	free(topology->warnings);
	free(topology);
	return NULL;
}

void topology_unrefp(struct topology **topology)
{
	topology_unref(*topology);
}

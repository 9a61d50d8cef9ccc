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

ssize_t topology_device_find(const struct topology *topology, const char *name)
{
	size_t low = 0, high = topology->n_devices;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int r = topology_name_compare(name, topology->devices[middle].name);

		if (r == 0)
			return (ssize_t)middle;
		if (r < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -ENODEV;
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
	for (size_t i = 0; i < topology->n_warnings; i++)
		free(topology->warnings[i]);
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

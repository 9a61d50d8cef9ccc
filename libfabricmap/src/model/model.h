/* SPDX-License-Identifier: MIT */
/*
 * model - what is known about the devices of a machine at one moment.
 *
 * A topology is made by a builder, and nothing in it changes afterwards; references may be held and dropped by any
 * thread. It knows nothing of where its facts come from. Unknown numbers are TOPOLOGY_UNKNOWN (-1), unknown strings
 * NULL; neither is ever 0 or "".
 */
#ifndef FABRICMAP_MODEL_H
#define FABRICMAP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct json_object;

enum {
	TOPOLOGY_UNKNOWN = -1,
	/* Rule of pair bandwidth that topology_pair() follows. */
	TOPOLOGY_PAIR_RULE = 1,
	/* Limits on what is taken in from outside. */
	TOPOLOGY_DEVICES_MAX = 4096,
	TOPOLOGY_WARNINGS_MAX = 256,
};

enum topology_source {
	TOPOLOGY_SOURCE_KERNEL = 1, /* "kernel": the fabric's sysfs */
	TOPOLOGY_SOURCE_PARTIAL, /* "partial": the kernel part is absent */
};

/* Text forms: the names in small letters, as in sysfs and in the Varlink interface. */
enum topology_state {
	TOPOLOGY_STATE_ONLINE = 1,
	TOPOLOGY_STATE_DRAINING,
	TOPOLOGY_STATE_EVICTING,
	TOPOLOGY_STATE_OFFLINE,
	TOPOLOGY_STATE_LOST, /* it does not answer any more */
	TOPOLOGY_STATE_UNBOUND, /* its driver was taken off by a removal; the bus still has it */
	TOPOLOGY_STATE_UNMANAGED, /* a GPU or accelerator whose driver, if it has one, has not joined the fabric */
};

enum topology_link_type {
	TOPOLOGY_LINK_NONE = 1,
	TOPOLOGY_LINK_PCIE_SWITCH,
	TOPOLOGY_LINK_PCIE_HOST_BRIDGE,
	TOPOLOGY_LINK_XGMI,
	TOPOLOGY_LINK_NVLINK,
	TOPOLOGY_LINK_XE_LINK,
	TOPOLOGY_LINK_CXL,
	TOPOLOGY_LINK_SOFTGPU,
};

/* Whether there are struct pages for a region. Text forms likewise. */
enum topology_pagemap {
	TOPOLOGY_PAGEMAP_UNKNOWN = 0,
	TOPOLOGY_PAGEMAP_ABSENT,
	TOPOLOGY_PAGEMAP_ACTIVE,
	TOPOLOGY_PAGEMAP_IDLE,
	TOPOLOGY_PAGEMAP_DEAD, /* only dead pages keep it */
};

/* 0 for a text that is none of them. */
enum topology_state topology_state_from_string(const char *text);
enum topology_link_type topology_link_type_from_string(const char *text);
enum topology_pagemap topology_pagemap_from_string(const char *text);

/* Static; NULL for 0 and values out of range. */
const char *topology_state_to_string(enum topology_state state);
const char *topology_link_type_to_string(enum topology_link_type type);
const char *topology_pagemap_to_string(enum topology_pagemap state);
const char *topology_source_to_string(enum topology_source source);

struct topology_region {
	char *name;
	int64_t size_bytes, free_bytes, resident_bytes;
	/* Not part of the topology's JSON. */
	int64_t dead_bytes; /* or TOPOLOGY_UNKNOWN */
	enum topology_pagemap pagemap;
	int64_t pagemap_refs_handles, pagemap_refs_pages, pagemap_refs_mappings;
};

/* From an unmanaged device to one of the fabric, as the kernel counts it: less is nearer. */
struct topology_distance {
	char *device;
	int64_t distance;
};

struct topology_device {
	char *name; /* bus name: 0000:43:00.0 */
	char *driver; /* may be NULL */
	enum topology_state state;
	int64_t incarnation; /* or TOPOLOGY_UNKNOWN */
	int64_t numa_node; /* or TOPOLOGY_UNKNOWN */
	char *render_node; /* "/dev/dri/renderD128" or NULL */
	int64_t n_handles; /* or TOPOLOGY_UNKNOWN */
	struct topology_region *regions; /* by name */
	size_t n_regions;
	/* Of unmanaged devices only. */
	char *upstream_bridge; /* 0000:40:01.0, or NULL */
	char *pci_class; /* 0x030200, or NULL */
	struct topology_distance *distances; /* by device; those that the kernel knows */
	size_t n_distances;
};

/* One direction: how accessor reaches the memory of owner. Numbers may be TOPOLOGY_UNKNOWN. */
struct topology_link {
	size_t accessor, owner; /* index into the topology's devices */
	enum topology_link_type type;
	bool up;
	char *why_not; /* may be NULL */
	int64_t read_bandwidth_mbps, write_bandwidth_mbps;
	int64_t read_latency_ns, write_latency_ns;
	int64_t hops;
	char *provenance; /* may be NULL */
	int64_t measured_at_s; /* the bandwidths, in seconds since 1970; TOPOLOGY_UNKNOWN: they were not measured */
};

struct topology_group {
	char *id;
	enum topology_link_type type;
	size_t *members; /* index into the topology's devices, ascending */
	size_t n_members;
};

struct topology {
	unsigned int n_refs; /* atomic */
	enum topology_source source;
	int64_t generation;
	struct topology_device *devices; /* by topology_name_compare() */
	size_t n_devices;
	struct topology_link *links; /* by accessor, then owner */
	size_t n_links;
	size_t *links_first; /* n_devices + 1: where an accessor's links begin */
	struct topology_group *groups; /* by id */
	size_t n_groups;
	char **warnings; /* in the order in which they were found */
	size_t n_warnings;
};

/* Of one that was put together by hand: frees what it has. */
void topology_device_fini(struct topology_device *device);

struct topology *topology_ref(struct topology *topology);
struct topology *topology_unref(struct topology *topology);
void topology_unrefp(struct topology **topology);

/**
 * topology_name_compare() - the order of devices
 *
 * PCI addresses by domain, bus, device, function and partition ("0000:43:00.0", "0000:43:00.0/p1") as numbers, before
 * all other names; those as strverscmp() has them.
 *
 * Return: as strcmp(). 0 for equal names only.
 */
int topology_name_compare(const char *a, const char *b);

/* Index of a device by its name, -ENODEV if there is none. */
ssize_t topology_device_find(const struct topology *topology, const char *name);

/* NULL if there is no record of that direction. */
const struct topology_link *topology_link_find(const struct topology *topology, size_t accessor, size_t owner);

/* Index of the first group with that device, -ENOENT if it is in none. */
ssize_t topology_device_group(const struct topology *topology, size_t device);

/**
 * struct topology_pair - two devices, without direction
 * @bandwidth_mbps: pair bandwidth by rule version 1
 * @linked: each reaches the other's memory in place
 * @assumed: the figure had to be guessed
 */
struct topology_pair {
	int64_t bandwidth_mbps;
	bool linked;
	bool assumed;
};

/**
 * topology_pair() - pair bandwidth
 *
 * The least of the read and write bandwidths of both directions where both are up. Where one of them is unknown the
 * default of the link's class stands for that direction, assumed. A link that is up in one direction only counts in
 * neither. Pairs without a link: 12000 (16 lanes of PCIe 3), assumed.
 *
 * Return: the pair; for @a == @b bandwidth 0, linked, not assumed.
 */
struct topology_pair topology_pair(const struct topology *topology, size_t a, size_t b);

/* ---- JSON: the type Topology of uapi/org.drmfabric.Fabric.varlink, "fabric.topology/1" ---- */

/* New objects, the caller's; NULL if memory is short. */
struct json_object *topology_to_json(const struct topology *topology);
struct json_object *topology_device_to_json(const struct topology_device *device);
struct json_object *topology_region_to_json(const struct topology_region *region);
struct json_object *topology_link_to_json(const struct topology *topology, const struct topology_link *link);
struct json_object *topology_group_to_json(const struct topology *topology, const struct topology_group *group);

/**
 * topology_from_json() - read a topology back
 * @object: of any origin: everything in it is checked
 *
 * Unknown keys are ignored. Links and groups that name devices which are not there are left out, with a warning; so are
 * devices in a state and links and groups of a type that this build does not know: whoever wrote it is newer.
 *
 * Return: 0, -EPROTONOSUPPORT another schema, -EBADMSG not of that shape, -E2BIG over a limit, -ENOMEM.
 */
int topology_from_json(struct json_object *object, struct topology **ret);

/* ---- builder ---- */

struct topology_builder;

int topology_builder_new(enum topology_source source, int64_t generation, struct topology_builder **ret);
struct topology_builder *topology_builder_free(struct topology_builder *builder);
void topology_builder_freep(struct topology_builder **builder);

/* Add everything that @topology has (its warnings too), for a new one that has more. */
int topology_builder_add_topology(struct topology_builder *builder, const struct topology *topology);

/**
 * topology_builder_add_device() - add a device
 * @device: copied, with its regions and distances
 *
 * A device that is unmanaged gives way to one of the same name that is not, whichever comes first: a function that
 * joins or leaves the fabric may for a moment be seen as both.
 *
 * Return: 0, -EEXIST there is one of that name, -E2BIG too many, -ENOMEM.
 */
int topology_builder_add_device(struct topology_builder *builder, const struct topology_device *device);

/**
 * topology_builder_add_link() - add one direction
 * @accessor, @owner: names; the devices may be added later
 * @link: copied; its accessor and owner are ignored
 *
 * Links with an end that is not there in the end, to itself, or a second time, are left out with a warning.
 */
int topology_builder_add_link(struct topology_builder *builder, const char *accessor, const char *owner,
			      const struct topology_link *link);

int topology_builder_add_group(struct topology_builder *builder, const char *id, enum topology_link_type type,
			       const char *const *members, size_t n_members);

/* A text that is there already is not added again; over TOPOLOGY_WARNINGS_MAX they are only counted. */
int topology_builder_warn(struct topology_builder *builder, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * topology_builder_finish() - sort, resolve names, check
 * @builder: is empty afterwards and can only be freed
 *
 * Adds the warning "one-sided link: ..." for each pair whose link is up in one direction only, but for links of a
 * device without regions: nothing is in the other direction.
 */
int topology_builder_finish(struct topology_builder *builder, struct topology **ret);

#endif

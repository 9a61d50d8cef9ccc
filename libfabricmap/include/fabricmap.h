/* SPDX-License-Identifier: MIT */
/*
 * libfabricmap - which device memory a machine has, who is linked to whom, and handles on it.
 *
 * Five parts, each usable without the others:
 *
 *   struct fabricmap          a snapshot of the topology, from sysfs or from the daemon, and placement on it
 *   fabricmap_devmem_*        devmem fds: handles on one region of one device
 *   fabricmap_prefer()        where ranges of the caller's memory should live; where they are
 *   fabricmap_client_*        the daemon: fabricd's public socket and its admin socket
 *   fabricmap_admin_*         administration without a daemon, for root
 *
 * Conventions. Functions that return int give 0 (or what they say) or a negative errno; a result is written on
 * success only. Numbers that may be unknown are FABRICMAP_UNKNOWN, strings that may be unknown NULL; a number that
 * is unknown is never 0. Bandwidths are MB/s (10^6 bytes/s), latencies ns, sizes bytes. Strings and objects returned
 * as const belong to the object that they were asked of and live as long as it does. Destructors take NULL and return
 * NULL. All fds are close-on-exec. The library prints nothing, has no global state and no threads; an object may be
 * used by one thread at a time, except struct fabricmap, which never changes and may be shared.
 */
#ifndef FABRICMAP_H
#define FABRICMAP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FABRICMAP_UNKNOWN (-1)

/** fabricmap_version() - version of the library that runs, such as "0.1.0"; static */
const char *fabricmap_version(void);

/* ---- topology ---- */

struct fabricmap;
struct fabricmap_device;
struct fabricmap_region;
struct fabricmap_link;
struct fabricmap_group;

/**
 * fabricmap_open() - take a snapshot from sysfs, without any daemon
 * @root: of a sysfs, or of a captured tree of one; NULL is "/sys"
 * @ret: holds one reference
 *
 * Everything that the machine shows: the fabric, and where they know more the AMD compute driver, PCI and NUMA. Without
 * the kernel part fabricmap_source() is "partial", all devices are unmanaged, and a warning says what to do.
 * Whatever is damaged in the tree is left out, with a warning.
 *
 * Return: 0, the negative errno of opening @root, -ENOMEM, -EMFILE.
 */
int fabricmap_open(const char *root, struct fabricmap **ret);

/**
 * fabricmap_open_json() - read what fabricmap_to_json() wrote, on this machine or another
 * @text: JSON, NUL-terminated
 *
 * Return: 0, -EPROTONOSUPPORT another schema, -EBADMSG not such a text, -E2BIG over a limit, -ENOMEM.
 */
int fabricmap_open_json(const char *text, struct fabricmap **ret);

/** fabricmap_open_json_explain() - the same; @ret_error as in fabricmap_open_path() */
int fabricmap_open_json_explain(const char *text, struct fabricmap **ret, char **ret_error);

/**
 * fabricmap_open_path() - a topology from a file or a folder, of whatever kind it is
 * @path: a file of "fabric.topology/1", or a folder: a captured tree of sysfs, or the "nodes" of the AMD compute driver
 * @ret_error: on failure what is wrong, one line for a person, or NULL; the caller frees it with free(); may be NULL
 *
 * XML is not read here, so that nobody who loads this library loads a parser of it: fabricctl reads it.
 *
 * Return: 0, -EPROTONOSUPPORT nothing that is known, -EBADMSG a damaged file, -E2BIG over a limit, -EEXIST a tree in
 * which two nodes stand for one device, -ENOMEM, errors of opening.
 */
int fabricmap_open_path(const char *path, struct fabricmap **ret, char **ret_error);

struct fabricmap *fabricmap_ref(struct fabricmap *map);
struct fabricmap *fabricmap_unref(struct fabricmap *map);

/** fabricmap_to_json() - "fabric.topology/1" as text; the caller frees it with free(); NULL if memory is short */
char *fabricmap_to_json(const struct fabricmap *map);

/** fabricmap_generation() - the kernel's generation when the snapshot was taken, 0 without the kernel part */
int64_t fabricmap_generation(const struct fabricmap *map);

/** fabricmap_source() - "kernel" or "partial"; static */
const char *fabricmap_source(const struct fabricmap *map);

size_t fabricmap_n_warnings(const struct fabricmap *map);

/** fabricmap_warning() - one line for a person; NULL if @index is out of range */
const char *fabricmap_warning(const struct fabricmap *map, size_t index);

/*
 * Devices are in the order of their PCI addresses as numbers. An index is valid in its snapshot only, a name always.
 */
size_t fabricmap_n_devices(const struct fabricmap *map);

/** fabricmap_device_at() - NULL if @index is out of range */
const struct fabricmap_device *fabricmap_device_at(const struct fabricmap *map, size_t index);

/** fabricmap_device_find() - by name; NULL if there is none */
const struct fabricmap_device *fabricmap_device_find(const struct fabricmap *map, const char *name);

/** fabricmap_device_name() - bus name, such as "0000:43:00.0" */
const char *fabricmap_device_name(const struct fabricmap_device *device);

/** fabricmap_device_driver() - or NULL */
const char *fabricmap_device_driver(const struct fabricmap_device *device);

/** fabricmap_device_state() - "online", "draining", "evicting", "offline", "lost", "unbound", "unmanaged"; static */
const char *fabricmap_device_state(const struct fabricmap_device *device);

/** fabricmap_device_incarnation() - counts, from 1, the devices that the name has stood for; or FABRICMAP_UNKNOWN */
int64_t fabricmap_device_incarnation(const struct fabricmap_device *device);

/** fabricmap_device_numa_node() - or FABRICMAP_UNKNOWN */
int64_t fabricmap_device_numa_node(const struct fabricmap_device *device);

/** fabricmap_device_render_node() - such as "/dev/dri/renderD128", or NULL */
const char *fabricmap_device_render_node(const struct fabricmap_device *device);

/** fabricmap_device_n_handles() - devmem handles open when the snapshot was taken; or FABRICMAP_UNKNOWN */
int64_t fabricmap_device_n_handles(const struct fabricmap_device *device);

/**
 * fabricmap_device_is_managed() - 0: a GPU or accelerator that is not in the fabric: it has no driver, or one that does
 * not join. It has no regions; links only if another source than the fabric knows them.
 */
int fabricmap_device_is_managed(const struct fabricmap_device *device);

/** fabricmap_device_upstream_bridge() - bus name of the bridge above an unmanaged device; or NULL */
const char *fabricmap_device_upstream_bridge(const struct fabricmap_device *device);

/** fabricmap_device_pci_class() - of an unmanaged device, such as "0x030200"; or NULL */
const char *fabricmap_device_pci_class(const struct fabricmap_device *device);

/**
 * fabricmap_device_distance() - from an unmanaged device to the memory of a device of the fabric, as the kernel counts
 * it for peer-to-peer DMA: less is nearer; or FABRICMAP_UNKNOWN
 */
int64_t fabricmap_device_distance(const struct fabricmap_device *device, const struct fabricmap_device *to);

size_t fabricmap_device_n_regions(const struct fabricmap_device *device);

/** fabricmap_device_region_at() - by name in order; NULL if @index is out of range */
const struct fabricmap_region *fabricmap_device_region_at(const struct fabricmap_device *device, size_t index);

/** fabricmap_region_name() - such as "vram0" */
const char *fabricmap_region_name(const struct fabricmap_region *region);
int64_t fabricmap_region_size_bytes(const struct fabricmap_region *region);

/** fabricmap_region_free_bytes() - not allocated when the snapshot was taken */
int64_t fabricmap_region_free_bytes(const struct fabricmap_region *region);

/** fabricmap_region_resident_bytes() - memory of processes in the region when the snapshot was taken */
int64_t fabricmap_region_resident_bytes(const struct fabricmap_region *region);

/**
 * fabricmap_region_dead_bytes() - pages in the region whose data is lost: a touch is SIGBUS
 *
 * They are not in resident_bytes, and go when their processes unmap them or end. FABRICMAP_UNKNOWN if the snapshot is
 * not from sysfs.
 */
int64_t fabricmap_region_dead_bytes(const struct fabricmap_region *region);

/** fabricmap_region_pagemap_state() - "absent", "active", "idle", "dead"; NULL if unknown (not from sysfs); static */
const char *fabricmap_region_pagemap_state(const struct fabricmap_region *region);

/**
 * fabricmap_region_pagemap_refs() - what refers to the region's struct pages
 * @ret_handles: open handles
 * @ret_pages: pages in use
 * @ret_mappings: mappings of its pages by devices
 *
 * Each is FABRICMAP_UNKNOWN if unknown, and may be NULL if it is not wanted.
 */
void fabricmap_region_pagemap_refs(const struct fabricmap_region *region, int64_t *ret_handles, int64_t *ret_pages,
				   int64_t *ret_mappings);

/* Links have a direction: the accessor reads and writes memory of the owner. */
size_t fabricmap_n_links(const struct fabricmap *map);

/** fabricmap_link_at() - NULL if @index is out of range */
const struct fabricmap_link *fabricmap_link_at(const struct fabricmap *map, size_t index);

/** fabricmap_link_find() - by index of the devices; NULL if nothing is known of that direction */
const struct fabricmap_link *fabricmap_link_find(const struct fabricmap *map, size_t accessor, size_t owner);

/** fabricmap_link_accessor() - index of the device that reads and writes */
size_t fabricmap_link_accessor(const struct fabricmap_link *link);

/** fabricmap_link_owner() - index of the device whose memory it is */
size_t fabricmap_link_owner(const struct fabricmap_link *link);

/**
 * fabricmap_link_type() - how the memory is reached; static
 *
 * "pcie_switch", "pcie_host_bridge", "xgmi", "nvlink", "xe_link", "cxl", "softgpu" or "none".
 */
const char *fabricmap_link_type(const struct fabricmap_link *link);

/** fabricmap_link_is_up() - 1: memory is used in place; 0: it goes to system memory first */
int fabricmap_link_is_up(const struct fabricmap_link *link);

/** fabricmap_link_why_not() - why it is down, one line for a person; NULL if it is up or nobody says */
const char *fabricmap_link_why_not(const struct fabricmap_link *link);

/* MB/s, ns, and bridges or switches passed; each may be FABRICMAP_UNKNOWN. */
int64_t fabricmap_link_read_bandwidth_mbps(const struct fabricmap_link *link);
int64_t fabricmap_link_write_bandwidth_mbps(const struct fabricmap_link *link);
int64_t fabricmap_link_read_latency_ns(const struct fabricmap_link *link);
int64_t fabricmap_link_write_latency_ns(const struct fabricmap_link *link);
int64_t fabricmap_link_hops(const struct fabricmap_link *link);

/** fabricmap_link_provenance() - where the figures come from: "nominal", "firmware", "measured"; or NULL */
const char *fabricmap_link_provenance(const struct fabricmap_link *link);

/** fabricmap_link_measured_at_s() - when its bandwidths were measured, in seconds since 1970; or FABRICMAP_UNKNOWN */
int64_t fabricmap_link_measured_at_s(const struct fabricmap_link *link);

/* A group is a set of devices that links of one type join, directly or through each other. */
size_t fabricmap_n_groups(const struct fabricmap *map);

/** fabricmap_group_at() - NULL if @index is out of range */
const struct fabricmap_group *fabricmap_group_at(const struct fabricmap *map, size_t index);

/** fabricmap_group_id() - such as "xgmi-0000:43:00.0": the type and the lowest member */
const char *fabricmap_group_id(const struct fabricmap_group *group);
const char *fabricmap_group_link_type(const struct fabricmap_group *group);
size_t fabricmap_group_n_members(const struct fabricmap_group *group);

/** fabricmap_group_member() - index of a device; (size_t)-1 if @index is out of range */
size_t fabricmap_group_member(const struct fabricmap_group *group, size_t index);

/* Of more devices there is no matrix. */
#define FABRICMAP_MATRIX_MAX 1024

/**
 * fabricmap_bandwidth() - pair bandwidth matrix
 * @ret: n*n row-major values in MB/s; symmetric; the diagonal is 0; owned by @map
 *
 * Pair bandwidth by rule version 1: the least of read and write of both directions. FABRICMAP_UNKNOWN where the rule
 * has to guess; placement goes by its guess then. It is made when it is first asked for.
 *
 * Return: n, the number of devices; 0, and NULL in @ret, if there are more than FABRICMAP_MATRIX_MAX or memory is short:
 * then ask for pairs.
 */
size_t fabricmap_bandwidth(const struct fabricmap *map, const int64_t **ret);

/**
 * fabricmap_pair() - pair bandwidth, for any number of devices
 * @a, @b: indices of devices
 * @ret_linked: each reaches the other's memory in place
 * @ret_assumed: a figure had to be guessed
 * @ret_kind: "direct", "switch", "pci", "unknown", NULL of a device with itself; static
 * @ret_source: who says so: "fabric", "kfd", "nccl" and so on, or NULL; static
 *
 * Pair bandwidth by rule version 1. What is not wanted may be NULL.
 *
 * Return: MB/s, also where it is a guess; FABRICMAP_UNKNOWN if an index is out of range.
 */
int64_t fabricmap_pair(const struct fabricmap *map, size_t a, size_t b, int *ret_linked, int *ret_assumed,
		       const char **ret_kind, const char **ret_source);

/* Memories that are no regions: NUMA nodes, and what a vendor's driver says of its devices. */
size_t fabricmap_n_memories(const struct fabricmap *map);

/**
 * fabricmap_memory() - one of them
 * @ret_kind: "dram", "hbm", "cxl", "nvm", or NULL; static
 * @ret_size_bytes, @ret_bandwidth_mbps: or FABRICMAP_UNKNOWN; the bandwidth is that of its banks
 *
 * Return: 0, -ENOENT @index is out of range.
 */
int fabricmap_memory(const struct fabricmap *map, size_t index, const char **ret_name, const char **ret_kind,
		     int64_t *ret_size_bytes, int64_t *ret_bandwidth_mbps);

/* How initiators (NUMA nodes, devices) reach these memories, by memory. */
size_t fabricmap_n_accesses(const struct fabricmap *map);

/**
 * fabricmap_access() - one of them
 * @ret_class: as the kernel's access classes: 0 the best initiator, 1 the best CPU; or FABRICMAP_UNKNOWN
 * @ret_figures: read and write bandwidth in MB/s, read and write latency in ns; each may be FABRICMAP_UNKNOWN
 *
 * Return: 0, -ENOENT @index is out of range.
 */
int fabricmap_access(const struct fabricmap *map, size_t index, const char **ret_memory, const char **ret_initiator,
		     int64_t *ret_class, int64_t ret_figures[4]);

/* ---- placement ---- */

struct fabricmap_placement;

/**
 * fabricmap_place() - choose devices in a snapshot
 * @count: how many
 * @bytes: free in one region of each
 * @exclude: names of devices that may not be chosen; NULL if @n_exclude is 0
 * @ret: the caller frees it with fabricmap_placement_free()
 * @ret_reason: why not, one line for a person, the caller frees it with free(); set to NULL on success and if there is
 * nothing to say; may be NULL
 *
 * A set of devices that all reach each other in place, if there is one; of those, or else of all sets, the one with the
 * largest least pair bandwidth, then the largest sum; ties as fabricmap_placement_tie_rule() says. Nothing is reserved.
 * Who asks often makes a pool (below), which keeps what it has found out about the machine.
 *
 * Return: 0, -EINVAL @count is 0, -ENODEV an excluded name is no device, -ENOSPC not enough devices, -E2BIG as
 * fabricmap_pool_place(), -ENOMEM.
 */
int fabricmap_place(const struct fabricmap *map, uint64_t count, uint64_t bytes, const char *const *exclude,
		    size_t n_exclude, struct fabricmap_placement **ret, char **ret_reason);

/** fabricmap_placement_free() - closes the handles that were not taken */
struct fabricmap_placement *fabricmap_placement_free(struct fabricmap_placement *placement);

size_t fabricmap_placement_n_devices(const struct fabricmap_placement *placement);
int64_t fabricmap_placement_generation(const struct fabricmap_placement *placement);

/** fabricmap_placement_is_linked() - 1: all chosen devices reach each other's memory in place */
int fabricmap_placement_is_linked(const struct fabricmap_placement *placement);

/** fabricmap_placement_is_exact() - 1: it is proved that no better choice exists; 0: there may be one */
int fabricmap_placement_is_exact(const struct fabricmap_placement *placement);

/** fabricmap_placement_bottleneck_mbps() - the least pair bandwidth; FABRICMAP_UNKNOWN also for one device */
int64_t fabricmap_placement_bottleneck_mbps(const struct fabricmap_placement *placement);

/**
 * fabricmap_placement_value() - what the set is worth
 * @ret_least_mbps: the least pair bandwidth, assumed or not; 0 for one device
 * @ret_sum_mbps: of all its pairs
 *
 * Both, and all that follows down to fabricmap_placement_assumed(), are unknown of a placement that the daemon made:
 * FABRICMAP_UNKNOWN, NULL or 0.
 */
void fabricmap_placement_value(const struct fabricmap_placement *placement, int64_t *ret_least_mbps,
			       int64_t *ret_sum_mbps);

/**
 * fabricmap_placement_bound() - no set is worth more
 *
 * As fabricmap_placement_value(); FABRICMAP_UNKNOWN for what is no part of the objective. Of "bottleneck-then-sum" it is
 * the pair of both, compared in that order.
 */
void fabricmap_placement_bound(const struct fabricmap_placement *placement, int64_t *ret_least_mbps,
			       int64_t *ret_sum_mbps);

/** fabricmap_placement_objective() - as fabricmap_request_set_objective(); static */
const char *fabricmap_placement_objective(const struct fabricmap_placement *placement);

/**
 * fabricmap_placement_tie_rule() - how one of several sets of the same value was chosen; static
 *
 * "remainder-cut-names" (up to 16 candidates): the one that leaves the best set of its size to others, then the one with
 * the least bandwidth to the devices that remain, then the lowest names. "cut-names" (up to 24): without the first.
 * What remains are candidates: devices that the request excludes, or that are not what it is about, do not count, as if
 * they were not free.
 * "best-fit": in each part of the machine from where the fewest devices are free. "first": nothing of that.
 */
const char *fabricmap_placement_tie_rule(const struct fabricmap_placement *placement);

/** fabricmap_placement_n_assumed() - pairs of the set whose bandwidth had to be guessed */
size_t fabricmap_placement_n_assumed(const struct fabricmap_placement *placement);

/** fabricmap_placement_assumed() - one of them, by names; -ENOENT: no more are listed (64 at most) */
int fabricmap_placement_assumed(const struct fabricmap_placement *placement, size_t index, const char **ret_a,
				const char **ret_b);

/* The chosen devices, in the order of their names; NULL, FABRICMAP_UNKNOWN or -EBADF if @index is out of range. */
const char *fabricmap_placement_device(const struct fabricmap_placement *placement, size_t index);
const char *fabricmap_placement_region(const struct fabricmap_placement *placement, size_t index);
const char *fabricmap_placement_reason(const struct fabricmap_placement *placement, size_t index);
int64_t fabricmap_placement_free_bytes(const struct fabricmap_placement *placement, size_t index);

/** fabricmap_placement_nic() - the network card that is nearest to it, by name; or NULL; unknown as above */
const char *fabricmap_placement_nic(const struct fabricmap_placement *placement, size_t index);

/** fabricmap_placement_devmem_id() - number of the handle that came with it, or FABRICMAP_UNKNOWN */
int64_t fabricmap_placement_devmem_id(const struct fabricmap_placement *placement, size_t index);

/** fabricmap_placement_take_fd() - the devmem fd, from now on the caller's; -EBADF none came, or it was taken */
int fabricmap_placement_take_fd(struct fabricmap_placement *placement, size_t index);

/*
 * A request: how many devices, and what they have to be. What is not set is not asked for. Names are looked up when a
 * pool is asked.
 */
struct fabricmap_request;

/** fabricmap_request_new() - the caller frees it with fabricmap_request_free(). 0, -ENOMEM */
int fabricmap_request_new(uint64_t count, struct fabricmap_request **ret);
struct fabricmap_request *fabricmap_request_free(struct fabricmap_request *request);

/** fabricmap_request_set_bytes() - free in one region of each */
void fabricmap_request_set_bytes(struct fabricmap_request *request, uint64_t bytes);

/**
 * fabricmap_request_set_objective() - what the best set is
 * @objective: "bottleneck-then-sum" (the least pair bandwidth, then their sum; if nothing is set), "sum", "bottleneck"
 *
 * Return: 0, -EINVAL something else.
 */
int fabricmap_request_set_objective(struct fabricmap_request *request, const char *objective);

#define FABRICMAP_LINKED_ANY 0 /* bandwidth decides; if nothing is set */
#define FABRICMAP_LINKED_PREFERRED 1 /* a set in which all reach each other in place, if there is one */
#define FABRICMAP_LINKED_REQUIRED 2 /* only such a set */

/** fabricmap_request_set_linked() - 0, -EINVAL none of FABRICMAP_LINKED_... */
int fabricmap_request_set_linked(struct fabricmap_request *request, int linked);

/** fabricmap_request_set_link_type() - such a link between any two: as fabricmap_link_type(). 0, -EINVAL */
int fabricmap_request_set_link_type(struct fabricmap_request *request, const char *link_type);

/** fabricmap_request_set_least_mbps() - the least bandwidth of any pair. 0, -EINVAL negative */
int fabricmap_request_set_least_mbps(struct fabricmap_request *request, int64_t least_mbps);

/** fabricmap_request_set_same_package() - 1: partitions of one device only */
void fabricmap_request_set_same_package(struct fabricmap_request *request, int same_package);

/** fabricmap_request_set_numa_node() - all at that node */
void fabricmap_request_set_numa_node(struct fabricmap_request *request, int64_t numa_node);

/** fabricmap_request_set_group() - all in that group, by its id. 0, -ENOMEM */
int fabricmap_request_set_group(struct fabricmap_request *request, const char *group);

/** fabricmap_request_set_nic() - for each no other network card is nearer than that one, by its name. 0, -ENOMEM */
int fabricmap_request_set_nic(struct fabricmap_request *request, const char *nic);

/**
 * fabricmap_request_set_any_device() - 1: also devices that are not in the fabric or have no memory that is known
 *
 * For machines that are only looked at: files, captured trees, other drivers.
 */
void fabricmap_request_set_any_device(struct fabricmap_request *request, int any_device);

/* A device by name that has to be in the set, that may not be, or that is not free. 0, -ENOMEM. */
int fabricmap_request_add_required(struct fabricmap_request *request, const char *device);
int fabricmap_request_add_excluded(struct fabricmap_request *request, const char *device);
int fabricmap_request_add_busy(struct fabricmap_request *request, const char *device);

/*
 * A pool: a machine and which of its devices are taken. What placement has to know of a machine is found out once;
 * taking and giving back devices, and new snapshots in which no device and no link is new, cost nothing like it.
 */
struct fabricmap_pool;

/**
 * fabricmap_pool_new() - all devices are free. Holds a reference to @map
 *
 * Return: 0, -ENOMEM.
 */
int fabricmap_pool_new(struct fabricmap *map, struct fabricmap_pool **ret);
struct fabricmap_pool *fabricmap_pool_free(struct fabricmap_pool *pool);

/** fabricmap_pool_update() - another snapshot of the machine; devices that are taken stay so, by name. As _new() */
int fabricmap_pool_update(struct fabricmap_pool *pool, struct fabricmap *map);

/** fabricmap_pool_take() - devices are not free from now on. 0; -EBUSY one is not free, -ENODEV; then nothing changes */
int fabricmap_pool_take(struct fabricmap_pool *pool, const char *const *devices, size_t n_devices);

/** fabricmap_pool_give() - and again free. 0; -EALREADY one is free, -ENODEV; then nothing changes */
int fabricmap_pool_give(struct fabricmap_pool *pool, const char *const *devices, size_t n_devices);

/**
 * fabricmap_pool_place() - the best set for a request
 * @ret: the caller frees it with fabricmap_placement_free()
 * @ret_reason: as fabricmap_place()
 *
 * Takes nothing. Up to 24 candidates, and among any number where the machine is made of symmetric parts, trees and a few
 * small irregular parts, no better set exists; elsewhere fabricmap_placement_bound() says how much better one could be.
 *
 * Return: 0; -EINVAL a count of 0, fewer than are required, or one required twice or not free; -ENODEV a device, group or
 * network card is not there; -ENOSPC there is no such set; -E2BIG more than 1,200 candidates (free,
 * not excluded), and their links form no tree of small parts: the reason names a device that does not fit; -ENOMEM.
 */
int fabricmap_pool_place(struct fabricmap_pool *pool, const struct fabricmap_request *request,
			 struct fabricmap_placement **ret, char **ret_reason);

/** fabricmap_pool_refusal_is_proved() - 1: the last _place() that found no set was sure that there is none */
int fabricmap_pool_refusal_is_proved(const struct fabricmap_pool *pool);

/* ---- what if ---- */

/*
 * Sets of devices, by names in order. Of the free devices of a pool that are online; with @linked only those pairs count
 * that reach each other in place, and always only those of at least @least_mbps. All of them: -E2BIG more than 1,200
 * devices, and their links form no tree of small parts.
 */
struct fabricmap_sets;

/** fabricmap_pool_components() - free devices that links connect, directly or through each other; the largest first */
int fabricmap_pool_components(struct fabricmap_pool *pool, int64_t least_mbps, struct fabricmap_sets **ret);

/**
 * fabricmap_pool_cliques() - free sets in which every pair counts, and to which no device can be added; the largest first
 * @max: sets, up to 4096; fabricmap_sets_is_complete() tells whether that was all
 *
 * Return: 0, -E2BIG more than 2048 devices are free, -ENOMEM.
 */
int fabricmap_pool_cliques(struct fabricmap_pool *pool, int linked, int64_t least_mbps, size_t max,
			   struct fabricmap_sets **ret);

size_t fabricmap_sets_n(const struct fabricmap_sets *sets);
int fabricmap_sets_is_complete(const struct fabricmap_sets *sets);

/** fabricmap_sets_size() - devices of a set; 0 if @index is out of range */
size_t fabricmap_sets_size(const struct fabricmap_sets *sets, size_t index);

/** fabricmap_sets_device() - NULL if one of both is out of range */
const char *fabricmap_sets_device(const struct fabricmap_sets *sets, size_t index, size_t device);
struct fabricmap_sets *fabricmap_sets_free(struct fabricmap_sets *sets);

struct fabricmap_fragmentation {
	uint64_t n_free;
	uint64_t largest; /* devices of the largest set in which every pair counts */
	uint64_t permille; /* of the free devices that are not in it */
	uint64_t n_sets[16]; /* sets of 1, 2, 4, ... devices that can be had one after the other */
	uint64_t n_sizes; /* entries of it */
	uint64_t largest_proved; /* 1: there is certainly no larger set than that; 0: it is the largest that was found */
	uint64_t reserved[3];
};

/** fabricmap_pool_fragmentation() - how well the free devices can be used. 0, -ENOMEM */
int fabricmap_pool_fragmentation(struct fabricmap_pool *pool, int linked, int64_t least_mbps,
				 struct fabricmap_fragmentation *ret);

/* The best set of so many free devices, before and after. */
struct fabricmap_change {
	uint64_t count;
	int64_t least_before_mbps, least_after_mbps; /* the least pair; FABRICMAP_UNKNOWN where there is no set */
	int64_t sum_before_mbps, sum_after_mbps;
	uint64_t reserved[3];
};

/**
 * fabricmap_pool_removal() - what is left if devices go
 * @devices: names
 * @objective: as fabricmap_request_set_objective()
 * @ret: for sets of 1, 2, 4, ... devices
 * @size: entries of @ret
 *
 * What becomes of leases: fabricmap_removal_new().
 *
 * Return: how many entries were written; -ENODEV a name is none, -EINVAL no such objective, -ENOMEM.
 */
int fabricmap_pool_removal(struct fabricmap_pool *pool, const char *const *devices, size_t n_devices,
			   const char *objective, struct fabricmap_change *ret, size_t size);

/* Devices that a pool has given away together, by names. */
struct fabricmap_lease {
	const char *const *devices;
	size_t n_devices;
};

/* What becomes of leases that lose devices. */
struct fabricmap_removal;

/**
 * fabricmap_removal_new() - leases that lose something if devices go, and the best that could be had for each
 * @devices: names of those that go
 * @objective: as fabricmap_request_set_objective(); of pair bandwidths, linked or not
 * @leases: of devices that are taken in @pool (fabricmap_pool_take()); NULL if @n_leases is 0
 * @ret: the caller frees it with fabricmap_removal_free(); it holds a reference to the pool's map
 *
 * A lease keeps what stays, and is offered the free devices that are best with that: each by itself, so two of them may
 * be offered the same. Nothing is changed.
 *
 * Return: 0; -ENODEV a name is none; -EINVAL no such objective, or a lease holds a device that is free, or that is named
 * twice; -E2BIG as all questions about what if; -ENOMEM.
 */
int fabricmap_removal_new(struct fabricmap_pool *pool, const char *const *devices, size_t n_devices,
			  const char *objective, const struct fabricmap_lease *leases, size_t n_leases,
			  struct fabricmap_removal **ret);
struct fabricmap_removal *fabricmap_removal_free(struct fabricmap_removal *removal);

/** fabricmap_removal_n_leases() - those that lose something, in the order in which they were given */
size_t fabricmap_removal_n_leases(const struct fabricmap_removal *removal);

/**
 * fabricmap_removal_lease() - one of them
 * @ret_lease: its index among those that were given
 * @ret: what it holds, and what it would hold then; FABRICMAP_UNKNOWN after: as many are not to be had
 *
 * Return: 0, -ENOENT @index is out of range.
 */
int fabricmap_removal_lease(const struct fabricmap_removal *removal, size_t index, size_t *ret_lease,
			    struct fabricmap_change *ret);

/** fabricmap_removal_device() - what it would hold, by names in order; NULL: there are no more, or none */
const char *fabricmap_removal_device(const struct fabricmap_removal *removal, size_t index, size_t device);

/* ---- which memory ---- */

struct fabricmap_locations;

/* Who uses a range: a device or a NUMA node's CPUs by name, and how much of all use that is; only ratios count. */
struct fabricmap_accessor {
	const char *name;
	int64_t read_weight, write_weight; /* 0 .. 1000000 */
};

/**
 * fabricmap_place_memory() - where a range of memory should live
 * @bytes: of the range
 * @objective: "bandwidth" (the least time for all that is read and written) or "latency"
 * @exclude: devices and NUMA nodes that may not be chosen; NULL if @n_exclude is 0
 * @ret: up to 8 locations, the best first: what a list of preferred places takes; the caller frees it
 * @ret_reason: as fabricmap_place()
 *
 * Locations are regions that all who use the range reach in place, and NUMA nodes; those with room for all of it first,
 * then those with some. What is not known is assumed, and said: fabricmap_locations_is_assumed().
 *
 * Return: 0; -EINVAL nobody uses it, a weight is out of range, no such objective; -ENODEV an accessor is not there, or
 * what is excluded is no device and no node;
 * -ENOSPC nothing is in reach of all and has room; -ENOMEM.
 */
int fabricmap_place_memory(const struct fabricmap *map, uint64_t bytes, const char *objective,
			   const struct fabricmap_accessor *accessors, size_t n_accessors, const char *const *exclude,
			   size_t n_exclude, struct fabricmap_locations **ret, char **ret_reason);

struct fabricmap_locations *fabricmap_locations_free(struct fabricmap_locations *locations);
size_t fabricmap_locations_n(const struct fabricmap_locations *locations);

/* Of one of them; NULL, 0 or FABRICMAP_UNKNOWN if @index is out of range. */

/** fabricmap_locations_device() - whose region; NULL: system memory, fabricmap_locations_node() */
const char *fabricmap_locations_device(const struct fabricmap_locations *locations, size_t index);

/** fabricmap_locations_region() - such as "vram0"; NULL: system memory */
const char *fabricmap_locations_region(const struct fabricmap_locations *locations, size_t index);

/** fabricmap_locations_node() - such as "node0"; NULL: a region */
const char *fabricmap_locations_node(const struct fabricmap_locations *locations, size_t index);
int64_t fabricmap_locations_free_bytes(const struct fabricmap_locations *locations, size_t index);

/** fabricmap_locations_fits() - 1: it has room for all of the range, as far as is known */
int fabricmap_locations_fits(const struct fabricmap_locations *locations, size_t index);

/** fabricmap_locations_is_assumed() - 1: a figure that put it into its place is not known */
int fabricmap_locations_is_assumed(const struct fabricmap_locations *locations, size_t index);

/* ---- devmem fds ---- */

#define FABRICMAP_DEVICE_NAME_SIZE 32
#define FABRICMAP_REGION_NAME_SIZE 16
#define FABRICMAP_N_REFUSED 16
#define FABRICMAP_WHY_NOT_SIZE 128

/* Flags of fabricmap_devmem_populate(). */
#define FABRICMAP_POPULATE_STRICT 1 /* stop at the first page that resists */

/* Structures below do not change their size; what is reserved is 0. */
struct fabricmap_devmem_info {
	char device[FABRICMAP_DEVICE_NAME_SIZE];
	char region[FABRICMAP_REGION_NAME_SIZE];
	/* "online", "draining", "evicting", "offline", "lost", "revoked"; static; NULL: a newer kernel's */
	const char *state;
	uint64_t incarnation;
	uint64_t id;
	uint64_t size_bytes;
	uint64_t free_bytes;
	uint64_t resident_bytes; /* placed through this handle and still in the region */
	uint64_t reserved[8];
};

struct fabricmap_populate {
	uint64_t moved_bytes; /* by this call */
	uint64_t present_bytes; /* had been there already */
	uint64_t refused_bytes[FABRICMAP_N_REFUSED]; /* stayed where they were, by reason: fabricmap_refused_name() */
	uint64_t reserved[6];
};

struct fabricmap_to_system {
	uint64_t moved_bytes; /* came home by this call */
	uint64_t dead_bytes; /* of the region in the range, their data lost: before, or on their way just now */
	uint64_t reserved[6];
};

struct fabricmap_residency {
	uint64_t region_bytes; /* in the handle's region */
	uint64_t other_bytes; /* in other regions of the fabric */
	uint64_t system_bytes;
	uint64_t absent_bytes; /* not populated, swapped out, not mapped, or not accessible (PROT_NONE) */
	uint64_t dead_bytes; /* of region_bytes and other_bytes: their data is lost, a touch is SIGBUS */
	uint64_t reserved[4];
};

struct fabricmap_reach {
	int reachable; /* 1: in place; 0: through system memory */
	/*
	 * "none", "pcie_switch", "pcie_host_bridge", "xgmi", "nvlink", "xe_link", "cxl", "softgpu", "local" (the same
	 * device); static; NULL: a newer kernel's
	 */
	const char *type;
	const char *provenance; /* "nominal", "firmware", "measured"; static; NULL: there are no figures */
	int64_t read_bandwidth_mbps; /* MB/s (10^6), by the accessor; these five: or FABRICMAP_UNKNOWN */
	int64_t write_bandwidth_mbps;
	int64_t read_latency_ns;
	int64_t write_latency_ns;
	int64_t hops; /* bridges or switches passed */
	uint64_t generation; /* while the accessing device's generation is this, the answer is the same */
	char why_not[FABRICMAP_WHY_NOT_SIZE]; /* if not reachable: one line for a person; else "" */
	uint64_t reserved[4];
};

struct fabricmap_devmem_event {
	/*
	 * "draining" and "evicting" (bytes: on the device), "cancelled" (the handle works again), "lost" (bytes: lost
	 * for good), "revoked" (the device has gone, or the handle was taken back), "back" (a device of that name is
	 * there again); static; NULL: a newer kernel's
	 */
	const char *type;
	/*
	 * Who began it: "admin", "driver" (unbind, hot-unplug, unloading), "suspend", "copy" (the copy engine gave
	 * up), "abandoned" (an administrator gave it up), "grant" (the handle was taken back), "lost" (the device does
	 * not answer any more); static; NULL: nobody, or a newer kernel's
	 */
	const char *reason;
	uint64_t sequence; /* on this handle, from 1; a gap shows that nobody read for too long */
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint64_t deadline_ns; /* "draining": when the notice is over, CLOCK_MONOTONIC; 0: none was given */
	uint64_t bytes;
	uint64_t incarnation; /* of the device; of the new one with "back" */
	uint64_t reserved[4];
};

/**
 * fabricmap_devmem_open() - open a handle on a region
 * @device: name
 * @region: name, such as "vram0"
 *
 * Opens the device's render node for as long as it takes: who may not render may not ask for its memory.
 *
 * Return: an fd, the caller's; -ENODEV no such device in the fabric, or it has gone; -ENOENT no such region, or no
 * render node; -ENOSYS the kernel part is absent; -EACCES not permitted; -ESHUTDOWN the device is draining; -EINVAL,
 * -ENOMEM, -EMFILE.
 */
int fabricmap_devmem_open(const char *device, const char *region);

/**
 * fabricmap_devmem_open_render() - the same by an open render node
 * @render_fd: stays the caller's
 *
 * Return: as fabricmap_devmem_open(); -EBADF no such fd; -EINVAL not a render node of a device in the fabric.
 */
int fabricmap_devmem_open_render(int render_fd, const char *region);

/**
 * fabricmap_devmem_info() - what a handle stands for
 *
 * Works on a revoked handle too: the state is "revoked" and free_bytes 0 then.
 *
 * Return: 0; -ENOTTY not a devmem fd; -EBADF.
 */
int fabricmap_devmem_info(int fd, struct fabricmap_devmem_info *ret);

/**
 * fabricmap_devmem_populate() - move a range of the caller's memory into the region
 * @address: page-aligned
 * @length_bytes: multiple of the page size, not 0
 * @flags: FABRICMAP_POPULATE_*
 * @ret: what happened; also filled when it fails, with how far it got; may be NULL
 *
 * Addresses keep their data. Pages that resist stay in system memory and are counted by reason: that is success,
 * unless STRICT is set.
 *
 * Return: 0; -EINVAL malformed range or flags; -ESHUTDOWN the device is draining; -ENODEV it is gone; -EINTR; with
 * STRICT also -EBUSY (busy, pinned, swapped out, unreachable), -ENOSPC (no room), -EOPNOTSUPP (not anonymous), -EFAULT
 * (not mapped), -ENOMEM, -EIO (copy failed), -EDQUOT (limit), -EHWPOISON (dead).
 */
int fabricmap_devmem_populate(int fd, const void *address, uint64_t length_bytes, unsigned int flags,
			      struct fabricmap_populate *ret);

/**
 * fabricmap_refused_name() - a reason in words
 * @reason: index into refused_bytes
 *
 * Return: "busy", "no room", "not anonymous", "not mapped", "no memory", "copy failed", "other", "pinned",
 * "swapped out", "unreachable", "limit", "dead": static; "unknown" for what a newer kernel may say; never NULL.
 */
const char *fabricmap_refused_name(size_t reason);

/**
 * fabricmap_devmem_to_system() - bring a range of the caller's memory home from the region
 * @ret: also filled when it fails, with how far it got; may be NULL
 *
 * At most 1 TiB at a time. Dead pages do not stop it.
 *
 * Return: 0, -EINVAL malformed range, -EINTR, -EBUSY some page resists, -ENODEV, -ENOMEM.
 */
int fabricmap_devmem_to_system(int fd, const void *address, uint64_t length_bytes, struct fabricmap_to_system *ret);

/**
 * fabricmap_devmem_residency() - how much of a range of the caller's memory is where
 *
 * A snapshot; nothing is faulted in or moved. At most 1 TiB at a time.
 *
 * Return: 0, -EINVAL malformed range, -ENODEV; -EBUSY it has changed faster than one can look, for a second; -EINTR,
 * -ENOMEM.
 */
int fabricmap_devmem_residency(int fd, const void *address, uint64_t length_bytes, struct fabricmap_residency *ret);

/**
 * fabricmap_devmem_reach() - can a handle's device use another region's memory in place?
 * @fd: a handle on the device that accesses
 * @owner_fd: a handle on the region whose memory it is
 *
 * One direction; the other one is another question.
 *
 * Return: 0; -EBADF no such fd; -EBADFD @owner_fd is not a devmem fd; -ENOTTY @fd is not one; -ENODEV one of the
 * devices is gone; -EINTR.
 */
int fabricmap_devmem_reach(int fd, int owner_fd, struct fabricmap_reach *ret);

/**
 * fabricmap_devmem_read_event() - the next event of a handle
 *
 * Waits for one unless the fd is non-blocking; poll() it for POLLIN. After "revoked" poll() says POLLHUP for ever:
 * who waits for "back" asks epoll for edges (EPOLLET).
 *
 * Return: 1 an event; 0 "revoked" has been read, and nothing since; -EAGAIN none yet; -EINTR; -EBADMSG not an event.
 */
int fabricmap_devmem_read_event(int fd, struct fabricmap_devmem_event *ret);

/* ---- promises and grants ---- */

/**
 * fabricmap_devmem_reserve() - have bytes of the region promised to a handle
 * @bytes: instead of what it was promised before; multiple of the page size; 0: nothing
 * @ret_available_bytes: may be NULL. The most that could be had at that moment; written also when it fails
 *
 * Others cannot take what is promised, and as much can be placed through the handle and no more. It ends with the
 * last fd of the handle, with its grant, and with the device.
 *
 * Return: 0; -ENOSPC; -EDQUOT the uid's limit; -EINVAL; -ESHUTDOWN the device is draining; -ENODEV it is gone, or the
 * grant was revoked; -EINTR; -EBADF or -ENOTTY not a devmem fd.
 */
int fabricmap_devmem_reserve(int fd, uint64_t bytes, uint64_t *ret_available_bytes);

/**
 * fabricmap_giver_open() - a file through which handles are given
 *
 * Whoever has it open may take back what was given through it; keep it for as long as that is wanted.
 *
 * Return: an fd; -ENOSYS the kernel part is absent; another negative errno.
 */
int fabricmap_giver_open(void);

/**
 * fabricmap_devmem_grant() - mark a handle of one's own opening as given, before it is passed on
 * @giver_fd: of fabricmap_giver_open()
 * @grant_id: 0: a new grant; else one of this giver's, which the handle joins. Afterwards its number
 *
 * Once for each handle. A grant is there for as long as one of its handles is open or has memory behind it.
 *
 * Return: 0; -EPERM another process has opened the handle; -EALREADY it belongs to a grant; -ENOENT no such grant of
 * this giver; -ENODEV the handle is revoked; -EBADF, -EBADFD not such fds; -ENOMEM.
 */
int fabricmap_devmem_grant(int fd, int giver_fd, uint64_t *grant_id);

/**
 * fabricmap_giver_revoke() - take a grant back
 * @timeout_ms: how long to wait until its memory is at home; 0: do not wait
 * @ret_resident_bytes: may be NULL. What is not at home yet; written also with -ETIMEDOUT and -EINTR
 *
 * Its handles are revoked at once; their holders read "revoked" with reason "grant". To revoke it again only waits.
 *
 * Return: 0; -ENOENT no such grant, or nothing is left of it; -EPERM it was not given through this file; -ETIMEDOUT,
 * -EINTR not all is at home yet, and it goes on; -EBADF, -ENOTTY.
 */
int fabricmap_giver_revoke(int giver_fd, uint64_t grant_id, uint32_t timeout_ms, uint64_t *ret_resident_bytes);

/**
 * fabricmap_admin_revoke() - the same for an administrator, with any grant
 *
 * Return: as fabricmap_giver_revoke(); -ENOSYS the kernel part is absent; -EACCES not permitted.
 */
int fabricmap_admin_revoke(uint64_t grant_id, uint32_t timeout_ms, uint64_t *ret_resident_bytes);

/* ---- who uses a region, as the kernel counts it ---- */

struct fabricmap_usage;

/* What does not apply is FABRICMAP_UNKNOWN. Owned by the usage. */
struct fabricmap_user {
	const char *kind; /* "handle", "process", "inherited": of processes that have gone; NULL: newer than this */
	int is_open; /* handle: somebody has the file open */
	int is_revoked; /* handle: its grant was revoked */
	int64_t pid; /* handle: that opened it; process: that placed the memory; in the caller's PID namespace */
	int64_t uid; /* of that then */
	int64_t devmem_id;
	int64_t grant_id;
	int64_t reserved_bytes; /* handle: promised to it */
	int64_t bytes; /* handle: placed through it; process: for it; dead ones included */
	int64_t dead_bytes;
	uint64_t reserved[4];
};

/**
 * fabricmap_usage_read() - all users of a region at one moment
 *
 * Handles by number, then processes in the order of their first placing, then what is inherited, if anything.
 * Processes and "inherited" make up fabricmap_usage_bytes() with fabricmap_usage_hidden_bytes(); so do handles alone,
 * if none is hidden. Hidden is what belongs to processes that the caller may not read with ptrace(2).
 *
 * Return: 0; -ENODEV no such device; -ENOENT no such region; -EINVAL malformed name; -EAGAIN they come faster than one
 * can ask; -ENOSYS the kernel part is absent, or older than this; -ENOMEM; -EINTR.
 */
int fabricmap_usage_read(const char *device, const char *region, struct fabricmap_usage **ret);
struct fabricmap_usage *fabricmap_usage_free(struct fabricmap_usage *usage);
size_t fabricmap_usage_n(const struct fabricmap_usage *usage);
/** fabricmap_usage_at() - one of them; NULL if @index is out of range */
const struct fabricmap_user *fabricmap_usage_at(const struct fabricmap_usage *usage, size_t index);
/** fabricmap_usage_bytes() - in use in the region, dead pages included */
int64_t fabricmap_usage_bytes(const struct fabricmap_usage *usage);
int64_t fabricmap_usage_hidden_bytes(const struct fabricmap_usage *usage);
size_t fabricmap_usage_n_hidden_handles(const struct fabricmap_usage *usage);
int64_t fabricmap_usage_hidden_reserved_bytes(const struct fabricmap_usage *usage);

/* ---- where the caller's memory should live, and where it is ---- */

#define FABRICMAP_MAX_LOCATIONS 8

enum {
	FABRICMAP_LOCATION_SYSTEM = 1, /* system memory */
	FABRICMAP_LOCATION_LOCAL = 2, /* of the device that touches it; stays where that can use it in place */
	FABRICMAP_LOCATION_DEVMEM = 3 /* the region of a handle */
};

struct fabricmap_location {
	unsigned int type; /* FABRICMAP_LOCATION_* */
	int fd; /* DEVMEM: a devmem fd; else -1 */
};

struct fabricmap_location_info {
	unsigned int type; /* FABRICMAP_LOCATION_*, or a newer kernel's */
	/*
	 * "applies" (memory goes there now), "spare" (an earlier one applies), "full", "draining", "gone",
	 * "unreachable" (for the accessor), "no memory" (the accessor has none of its own); static; NULL: a newer
	 * kernel's
	 */
	const char *status;
	char device[FABRICMAP_DEVICE_NAME_SIZE]; /* DEVMEM; else "" */
	char region[FABRICMAP_REGION_NAME_SIZE];
	uint64_t incarnation; /* of the device; 0 if not DEVMEM */
	uint64_t devmem_id; /* number of the handle; 0 if not DEVMEM */
	uint64_t reserved[4];
};

struct fabricmap_preference {
	uint64_t start; /* address where the range begins */
	uint64_t length_bytes;
	size_t n_locations;
	struct fabricmap_location_info locations[FABRICMAP_MAX_LOCATIONS]; /* best first, as asked */
	uint64_t reserved[4];
};

struct fabricmap_residence {
	char device[FABRICMAP_DEVICE_NAME_SIZE]; /* may have gone, and a newer one have its name */
	char region[FABRICMAP_REGION_NAME_SIZE];
	uint64_t incarnation;
	uint64_t bytes; /* with dead_bytes */
	uint64_t dead_bytes; /* their data is lost, a touch is SIGBUS */
	uint64_t reserved[4];
};

struct fabricmap_range_residency {
	uint64_t system_bytes;
	uint64_t absent_bytes; /* not populated, swapped out, not mapped, not accessible, or private to other drivers */
	uint64_t foreign_bytes; /* in memory of devices that are not in the fabric */
	uint64_t reserved[4];
};

/**
 * fabricmap_prefer() - where a range of the caller's address space should live
 * @address: page-aligned; need not be mapped
 * @length_bytes: multiple of the page size, not 0
 * @locations: best first; NULL if there is none. fds stay the caller's, and may be closed: the handles are kept
 * @n_locations: at most FABRICMAP_MAX_LOCATIONS; 0: forget what was asked for before
 *
 * Moves nothing. A device that misses an address of the range has the memory put into the first location that has
 * room, takes memory and is reached by it; if there is none, it stays. Replaces what was asked for the same addresses;
 * ends with munmap(2), mremap(2) at the old place, execve(2) and the process, and is not inherited.
 *
 * Return: 0; -EINVAL malformed; -EBADF no such fd; -EBADFD not a devmem fd; -EDQUOT the uid has as many ranges as it
 * may have; -ENOSYS the kernel part is absent; -ENOTTY it is too old; -ENOMEM, -EINTR.
 */
int fabricmap_prefer(const void *address, uint64_t length_bytes, const struct fabricmap_location *locations,
		     size_t n_locations);

/**
 * fabricmap_preference() - what was asked for, and what of it applies now
 * @address: the first range that ends behind it is told
 * @accessor_fd: a devmem fd on the device that is to access, or its render node; -1: any: nothing is unreachable then
 *
 * Return: 0; -ENOENT no range ends behind @address; -EBADF, -EBADFD @accessor_fd; -ENOSYS, -ENOTTY; -EINTR.
 */
int fabricmap_preference(const void *address, int accessor_fd, struct fabricmap_preference *ret);

/**
 * fabricmap_range_residency() - how much of a range of the caller's memory is where
 * @address: page-aligned
 * @length_bytes: multiple of the page size, not 0, at most 1 TiB
 * @residences: one for each region that has some of it, in the order of the devices' joining; NULL if there is no room
 * @n_residences: (in) room there; (out) how many there are, also with -ENOSPC
 * @ret: the rest
 *
 * A snapshot; nothing is faulted in or moved. All bytes add up to @length_bytes.
 *
 * Return: 0; -ENOSPC more regions than there is room for; -EINVAL malformed range; -EBUSY it has changed faster than one
 * can look, for a second; -ENOSYS, -ENOTTY; -ENOMEM, -EINTR.
 */
int fabricmap_range_residency(const void *address, uint64_t length_bytes, struct fabricmap_residence *residences,
			      size_t *n_residences, struct fabricmap_range_residency *ret);

/* ---- holders ---- */

struct fabricmap_holders;

/**
 * fabricmap_holders_scan() - who has devmem fds, without any daemon
 * @proc: NULL is "/proc"
 * @device: only holders of this device; NULL for all
 *
 * Only processes whose fdinfo the caller may read are seen: all of them for root.
 *
 * Return: 0, the negative errno of opening @proc, -ENOMEM.
 */
int fabricmap_holders_scan(const char *proc, const char *device, struct fabricmap_holders **ret);
struct fabricmap_holders *fabricmap_holders_free(struct fabricmap_holders *holders);

/** fabricmap_holders_n() - one for each process and handle, by device, pid and handle */
size_t fabricmap_holders_n(const struct fabricmap_holders *holders);

/** fabricmap_holders_n_unreadable() - processes that could not be looked into for want of permission */
size_t fabricmap_holders_n_unreadable(const struct fabricmap_holders *holders);

/* One of them; NULL or FABRICMAP_UNKNOWN if @index is out of range. The region may be NULL (it came from the daemon). */
const char *fabricmap_holders_device(const struct fabricmap_holders *holders, size_t index);
const char *fabricmap_holders_region(const struct fabricmap_holders *holders, size_t index);
const char *fabricmap_holders_comm(const struct fabricmap_holders *holders, size_t index);
int64_t fabricmap_holders_pid(const struct fabricmap_holders *holders, size_t index);
int64_t fabricmap_holders_uid(const struct fabricmap_holders *holders, size_t index);
int64_t fabricmap_holders_devmem_id(const struct fabricmap_holders *holders, size_t index);

/** fabricmap_holders_resident_bytes() - placed through the handle and still in the region; or FABRICMAP_UNKNOWN */
int64_t fabricmap_holders_resident_bytes(const struct fabricmap_holders *holders, size_t index);

/* ---- removal, with or without a daemon ---- */

struct fabricmap_progress {
	const char *step; /* "draining", "evicting", "unbinding", "done" */
	const char *blocked; /* what the evictor waits for: "none", "memory", "busy", "copy" */
	int64_t total_bytes; /* on the device when it began; or FABRICMAP_UNKNOWN */
	int64_t resident_bytes; /* still on it; or FABRICMAP_UNKNOWN */
	int64_t elapsed_ms;
	uint64_t reserved[4];
};

/**
 * fabricmap_progress_fn - is told about a removal, at each step and about every 100 ms
 * @progress: valid during the call
 *
 * Return: 0 to go on; anything else makes the waiting function return it. The removal itself goes on.
 */
typedef int (*fabricmap_progress_fn)(const struct fabricmap_progress *progress, void *userdata);

/* Flags of fabricmap_admin_remove(). */
#define FABRICMAP_REMOVE_KEEP_BOUND 1 /* stop when the device is offline; its driver stays */

/**
 * fabricmap_admin_remove() - take a device away without a daemon, as root
 * @drain_ms: how long holders have to leave before eviction; it starts sooner when the last one has left
 * @flags: FABRICMAP_REMOVE_*
 * @fn: may be NULL
 *
 * Drains, brings every page home, unbinds the driver, and waits for the end of each. Of a device that is lost nothing
 * goes home: it is unbound at once.
 *
 * Return: 0; what @fn returned; -ENODEV no such device; -ENOSYS the kernel part is absent; -EACCES not permitted;
 * -ECANCELED somebody called it off; -ENOTRECOVERABLE it is lost, and was to stay bound; -EINVAL malformed name or
 * flags.
 */
int fabricmap_admin_remove(const char *device, uint32_t drain_ms, unsigned int flags, fabricmap_progress_fn fn,
			   void *userdata);

/**
 * fabricmap_admin_cancel() - call a removal off that has not unbound the device yet
 *
 * Pages that went home stay there.
 *
 * Return: 0, -EALREADY it is online, -ENOTRECOVERABLE it is lost, others as fabricmap_admin_remove().
 */
int fabricmap_admin_cancel(const char *device);

/**
 * fabricmap_admin_abandon() - give up what an eviction under way cannot bring home
 *
 * Pages for which there is no memory, or that cannot be copied, become dead: whoever touches one gets SIGBUS. What can
 * go home still does. There is no way back for a page that is dead.
 *
 * Return: 0, -EALREADY it is not evicting, or was abandoned before; others as fabricmap_admin_remove().
 */
int fabricmap_admin_abandon(const char *device);

/**
 * fabricmap_admin_bring_back() - bind a device's driver again, without a daemon, as root
 *
 * Has the PCI bus find the driver. A device that is bound, but not online, is made online.
 *
 * Return: 0; -EALREADY it is online; -ENODEV no such PCI function; -ENXIO no driver took it within 10 s; -EACCES;
 * -EINVAL malformed name.
 */
int fabricmap_admin_bring_back(const char *device);

/* ---- the daemon ---- */

struct fabricmap_client;

/**
 * fabricmap_client_connect() - connect to fabricd's public socket
 * @path: NULL: the environment's FABRICD_SOCKET unless the program is privileged, or /run/fabricd/org.drmfabric.Fabric
 *
 * A client is one connection: one call at a time. Calls wait for as long as they take unless a timeout is set. A call
 * that ends without its answer (-ETIMEDOUT, -ECONNRESET, a stream that its callback ends) ends the connection too:
 * later calls are -ENOTCONN, for the next answer could be the missing one.
 *
 * Return: 0; -ENOENT or -ECONNREFUSED no daemon there; -ENOTSOCK that is no socket; -EACCES; others of connect().
 */
int fabricmap_client_connect(const char *path, struct fabricmap_client **ret);

/** fabricmap_client_connect_admin() - the admin socket: FABRICD_ADMIN_SOCKET, or /run/fabricd/org.drmfabric.Admin */
int fabricmap_client_connect_admin(const char *path, struct fabricmap_client **ret);
struct fabricmap_client *fabricmap_client_free(struct fabricmap_client *client);

/** fabricmap_client_set_timeout() - how long a call without a callback may take; -1 (the default) is for ever */
void fabricmap_client_set_timeout(struct fabricmap_client *client, int timeout_ms);

/**
 * fabricmap_client_fd() - to poll in a program's own loop: readable means that the daemon has hung up
 *
 * A call that waits ends with -ECONNRESET when the program shuts it down (shutdown(2), SHUT_RDWR), also from a signal
 * handler: signals by themselves do not end a call.
 */
int fabricmap_client_fd(const struct fabricmap_client *client);

/**
 * fabricmap_client_error() - why the last call failed, one line for a person
 *
 * Return: text that is valid until the next call; "" if it did not fail.
 */
const char *fabricmap_client_error(const struct fabricmap_client *client);

/**
 * fabricmap_client_error_name() - the daemon's error, such as "org.drmfabric.Fabric.NotEnoughDevices"
 *
 * Return: text that is valid until the next call; NULL if the last call did not fail, or not by an answer.
 */
const char *fabricmap_client_error_name(const struct fabricmap_client *client);

/*
 * All calls below also return -EPIPE, -ECONNRESET (the daemon has gone), -ETIMEDOUT, -EBADMSG (its answer makes no
 * sense), -EPROTO (an error that has no errno of its own), -ENOMEM, -ENOTCONN (an earlier call ended the connection).
 * After those the client can only be freed, except after -EPROTO and the results that a call names.
 */

/** fabricmap_client_get_topology() - public. As fabricmap_open(), as the daemon sees it */
int fabricmap_client_get_topology(struct fabricmap_client *client, struct fabricmap **ret);

/* Flags of fabricmap_client_place(). */
#define FABRICMAP_PLACE_HANDLES 1 /* each device comes with an open devmem fd */

/**
 * fabricmap_client_place() - public. As fabricmap_place(), decided by the daemon
 * @flags: FABRICMAP_PLACE_*
 *
 * All or nothing: with HANDLES, each device has its fd in fabricmap_placement_take_fd().
 *
 * Return: 0; -EINVAL; -ENODEV an excluded name is no device; -ENOSPC not enough devices; -EACCES the daemon cannot
 * open the device memory, or denies it; -EDQUOT a limit of this client; -ENOSYS the kernel part is absent.
 */
int fabricmap_client_place(struct fabricmap_client *client, uint64_t count, uint64_t bytes, unsigned int flags,
			   const char *const *exclude, size_t n_exclude, struct fabricmap_placement **ret);

struct fabricmap_event {
	int64_t sequence;
	/*
	 * "device_added", "device_removed", "device_changed", "state_changed", "removal_progress", "removal_done",
	 * "removal_failed"; others may come with a newer daemon
	 */
	const char *kind;
	const char *device;
	const char *state; /* or NULL */
	const char *reason; /* or NULL */
	int64_t generation;
	int64_t resident_bytes; /* or FABRICMAP_UNKNOWN */
	uint64_t reserved[4];
};

/**
 * fabricmap_event_fn - takes one event
 * @event: valid during the call; NULL once, at first: from now on nothing is missed
 *
 * Return: 0 to go on; anything else ends the stream and becomes the result of fabricmap_client_subscribe().
 */
typedef int (*fabricmap_event_fn)(const struct fabricmap_event *event, void *userdata);

/**
 * fabricmap_client_subscribe() - public. Wait for events until @fn or the daemon ends it
 *
 * The client can only be freed afterwards.
 *
 * Return: what @fn returned; 0 the daemon ended it.
 */
int fabricmap_client_subscribe(struct fabricmap_client *client, fabricmap_event_fn fn, void *userdata);

/**
 * fabricmap_client_remove() - admin. Take a device away
 * @drain_ms: notice to holders; FABRICMAP_UNKNOWN: as the daemon is configured
 * @fn: may be NULL. If it ends the wait, the client can only be freed.
 *
 * Return: 0; what @fn returned; -ENODEV; -EALREADY it is under way; -EBUSY it failed and fabricmap_client_error()
 * says where it ended; -ENOSYS the kernel part is absent.
 */
int fabricmap_client_remove(struct fabricmap_client *client, const char *device, int64_t drain_ms,
			    fabricmap_progress_fn fn, void *userdata);

/** fabricmap_client_cancel_remove() - admin. Return: 0, -ENODEV, -EALREADY nothing is under way */
int fabricmap_client_cancel_remove(struct fabricmap_client *client, const char *device);

/**
 * fabricmap_client_bring_back() - admin. Bind the driver again to a device that was taken away
 * @ret_incarnation: may be NULL
 *
 * Return: 0, -ENODEV, -EALREADY, -EBUSY it failed and fabricmap_client_error() says why.
 */
int fabricmap_client_bring_back(struct fabricmap_client *client, const char *device, int64_t *ret_incarnation);

/** fabricmap_client_holders() - admin. As fabricmap_holders_scan(), as the daemon sees it */
int fabricmap_client_holders(struct fabricmap_client *client, const char *device, struct fabricmap_holders **ret);

#ifdef __cplusplus
}
#endif

#endif

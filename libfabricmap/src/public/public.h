/* SPDX-License-Identifier: MIT */
/*
 * public - the objects behind the public header, for those parts of the library that make or read them.
 */
#ifndef FABRICMAP_PUBLIC_H
#define FABRICMAP_PUBLIC_H

#include "fabricmap.h"
#include "model/model.h"

#define FABRICMAP_EXPORT __attribute__((__visibility__("default")))

struct fabricmap {
	unsigned int n_refs; /* atomic */
	struct topology *topology;
	int64_t *bandwidth; /* n * n, made when it is first asked for; atomic */
};

struct fabricmap_placement_device {
	char *device, *region, *reason, *nic;
	int64_t free_bytes;
	int64_t devmem_id;
	int fd; /* or -1 */
};

struct fabricmap_placement {
	struct fabricmap_placement_device *devices;
	size_t n_devices;
	int64_t generation;
	int64_t bottleneck_mbps;
	bool linked, exact;
	/* Not from the daemon: FABRICMAP_UNKNOWN and NULL then. */
	int64_t least_mbps, sum_mbps, bound_least_mbps, bound_sum_mbps;
	const char *objective, *tie_rule; /* static */
	size_t n_assumed, n_assumed_listed;
	size_t (*assumed)[2]; /* indices of its devices */
};

struct place_site;

struct fabricmap_pool {
	struct fabricmap *map;
	struct place_site *site;
	bool refusal_proved; /* the last one's */
};

struct fabricmap_holder {
	char *device, *region, *comm; /* region may be NULL */
	int64_t pid, uid, devmem_id, resident_bytes;
};

struct fabricmap_holders {
	struct fabricmap_holder *holders;
	size_t n_holders, size;
	size_t n_unreadable;
};

/* Takes a reference of its own. */
int fabricmap_new_topology(struct topology *topology, struct fabricmap **ret);

int fabricmap_placement_new(size_t n_devices, struct fabricmap_placement **ret);
/* From the inside to the outside. Takes the reasons over. */
struct placement;
int fabricmap_placement_convert(const struct topology *topology, struct placement *chosen,
				struct fabricmap_placement **ret);
void fabricmap_placement_freep(struct fabricmap_placement **placement);

int fabricmap_holders_new(struct fabricmap_holders **ret);

/* Takes over the strings, also on failure. */
int fabricmap_holders_add(struct fabricmap_holders *holders, struct fabricmap_holder *holder);
void fabricmap_holders_sort(struct fabricmap_holders *holders);
void fabricmap_holders_freep(struct fabricmap_holders **holders);
void fabricmap_usage_freep(struct fabricmap_usage **usage);

#endif

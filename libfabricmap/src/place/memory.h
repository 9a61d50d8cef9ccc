/* SPDX-License-Identifier: MIT */
/*
 * memory - where should a range of memory live? For those who read and write it, by bandwidth or latency.
 *
 * Locations are the regions of devices that are online, and the NUMA nodes that the topology knows as memories. One is
 * no answer if somebody who uses the range could not do so in place: then the range would go back and forth. (The CPU
 * does not use a device's region in place; any device uses system memory.)
 */
#ifndef FABRICMAP_PLACE_MEMORY_H
#define FABRICMAP_PLACE_MEMORY_H

#include "model/model.h"

enum {
	MEMORY_LOCATIONS_MAX = 8, /* that the kernel's PREFER takes */
	MEMORY_ACCESSORS_MAX = 1024,
	MEMORY_WEIGHT_MAX = 1000000,
};

enum memory_objective {
	MEMORY_BANDWIDTH = 0, /* the least time for all bytes that are read and written */
	MEMORY_LATENCY, /* the least time for all that wait for one access after the other */
};

/* Who uses the range, and how much of all use that is: only the ratios count. */
struct memory_accessor {
	const char *name; /* a device, or a node (CPUs, "node0"; another initiator) */
	int64_t read_weight, write_weight; /* 0 .. MEMORY_WEIGHT_MAX */
};

struct memory_request {
	uint64_t bytes;
	enum memory_objective objective;
	const struct memory_accessor *accessors;
	size_t n_accessors;
	const char *const *exclude; /* devices, or names of memories */
	size_t n_exclude;
};

struct memory_location {
	size_t device, region; /* a region; device TOPOLOGY_NONE: system memory */
	size_t memory; /* or the topology's memory */
	double cost; /* what is least: per unit of weight, 1/(MB/s) or ns. Rounded; the order is not */
	int64_t away; /* weight of those whose NUMA node is another */
	bool assumed; /* a figure that counts is not known, or guessed by its source */
	int64_t free_bytes; /* or TOPOLOGY_UNKNOWN */
	bool fits; /* has room for all of it, as far as is known */
};

/* First those that have room for all of it, by cost; then those that have some room. The list is PREFER's. */
struct memory_answer {
	struct memory_location locations[MEMORY_LOCATIONS_MAX];
	size_t n_locations;
	size_t n_more; /* would do, too, and did not fit into the list */
};

/**
 * memory_place() - choose locations for a range
 * @ret_reason: on -EINVAL, -ENODEV and -ENOSPC one line for a person, the caller's; may be NULL
 *
 * The first that says something counts. Of another device's region: the link in its direction; accesses to the memory of
 * the region's name ("0000:43:00.0/vram0"; if none has it, to any of the device's); the rule of pair bandwidth. Of an own
 * region: the device's own accesses to that memory; the memory's bandwidth. Of system memory: accesses (HMAT); the least
 * of the memory's bandwidth and of the way there (PCI path, CPU link). What nobody says is assumed:
 *
 * - own memory: a direction is as the other; else no memory has more bandwidth (10,000,000 MB/s), or is nearer (0 ns);
 * - all others: that nothing known is worse.
 *
 * A bandwidth that is none or impossible by the rule of pair bandwidth is not known.
 *
 * Ties, which are exact: at the NUMA node of those who use it (a region is at its device's), known before assumed, regions
 * before system memory, then by name.
 *
 * Return: 0; -EINVAL no accessors, no weight at all, or a weight out of range; -ENODEV a name is none; -ENOSPC no location
 * is in reach of all and has room; -ENOMEM.
 */
int memory_place(const struct topology *topology, const struct memory_request *request, struct memory_answer *ret,
		 char **ret_reason);

/* "bandwidth", "latency"; 0 or -EINVAL */
int memory_objective_from_string(const char *text, enum memory_objective *ret);

#endif

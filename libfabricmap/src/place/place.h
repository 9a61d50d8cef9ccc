/* SPDX-License-Identifier: MIT */
/*
 * place - which devices for a job? The question as people and schedulers put it, by names, about a site; the answer with
 * its reasons. The same question has the same answer, whatever order things were added in.
 */
#ifndef FABRICMAP_PLACE_H
#define FABRICMAP_PLACE_H

#include "place/site.h"

/* Whether the devices of a set have to reach each other's memory in place. */
enum place_linked {
	PLACE_LINKED_ANY = 0, /* bandwidth decides */
	PLACE_LINKED_PREFERRED, /* a set in which all do, if there is one; else bandwidth decides */
	PLACE_LINKED_REQUIRED,
};

/* What is 0 or NULL is not asked for. */
struct place_request {
	uint64_t count; /* devices */
	uint64_t bytes; /* free in one region of each */
	enum place_objective objective;
	enum place_linked linked;
	enum topology_link_type link_type; /* every pair has such a link; implies PLACE_LINKED_REQUIRED */
	int64_t least_mbps; /* of every pair */
	bool same_package;
	const char *group; /* all are in that one */
	const char *nic; /* for each of them it is the nearest, or one of those */
	bool at_numa_node; /* all are there */
	int64_t numa_node;
	/* Names. A device that is busy is not free; one that is excluded is not chosen: the same for one question. */
	const char *const *require, *const *exclude, *const *busy;
	size_t n_require, n_exclude, n_busy;
	/*
	 * Devices that are not in the fabric, and devices without memory that is known, may be chosen too: for machines
	 * that are only looked at.
	 */
	bool any_device;
};

struct placement_device {
	size_t device; /* index into the topology's devices */
	size_t region; /* index into the device's regions; TOPOLOGY_NONE: none is known, and no bytes were asked */
	char *reason; /* one line for a person */
};

struct placement {
	struct placement_device *devices; /* in the topology's order */
	size_t n_devices;
	bool linked; /* all of them reach each other in place; true for one device */
	int64_t bottleneck_mbps; /* TOPOLOGY_UNKNOWN for one device, or if a pair's bandwidth is assumed */
	int64_t sum_mbps; /* of the pair bandwidths, assumed ones included */
	bool exact; /* no better set exists: answer.proved */
	enum place_objective objective;
	struct place_answer answer;
};

/* Why there is no answer. All NULL and 0 unless the result says otherwise. */
struct place_failure {
	size_t n_available;
	char *reason; /* one line for a person */
	char *device; /* -ENODEV: the name in question */
	bool proved; /* -ENOSPC: there is certainly no such set */
	size_t *largest; /* -ENOSPC: the largest set that is linked, or would do, as the reason says; devices */
	size_t n_largest;
	bool largest_proved; /* there is no larger one */
};

struct placement *placement_free(struct placement *placement);
void placement_freep(struct placement **placement);
void place_failure_fini(struct place_failure *failure);

/**
 * place_at() - choose devices of a site
 * @ret: the caller's; indices are into the site's topology
 * @ret_failure: filled if the result is -EINVAL, -ENODEV, -ENOSPC or -E2BIG; the caller finishes it. May be NULL.
 *
 * Among the devices that are free, online and what the request wants: the set with the largest value, by rule
 * TOPOLOGY_PAIR_RULE of pair bandwidth; ties as the answer says (enum place_tie). Of a device's regions the one with the
 * least room that suffices. Nothing is taken.
 *
 * Return: 0; -EINVAL count is 0 or less than what is required, or a device is named twice; -ENODEV a name is none;
 * -ENOSPC there are no such devices; -E2BIG the machine has no form that could be solved; -ENOMEM.
 */
int place_at(struct place_site *site, const struct place_request *request, struct placement **ret,
	     struct place_failure *ret_failure);

/* The same for a topology of which nothing is kept. */
int place(const struct topology *topology, const struct place_request *request, struct placement **ret,
	  struct place_failure *ret_failure);

#endif

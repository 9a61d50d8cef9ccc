/* SPDX-License-Identifier: MIT */
/*
 * place - which devices for a job? A pure function of a topology: the same question has the same answer, whatever
 * order things were added in.
 */
#ifndef FABRICMAP_PLACE_H
#define FABRICMAP_PLACE_H

#include "model/model.h"

enum {
	/* Up to this many candidates the answer is the best there is; above, a good one. */
	PLACE_EXACT_MAX = 16,
};

struct place_request {
	uint64_t count; /* devices */
	uint64_t bytes; /* free in one region of each */
	const char *const *exclude; /* names */
	size_t n_exclude;
};

struct placement_device {
	size_t device; /* index into the topology's devices */
	size_t region; /* index into the device's regions */
	char *reason; /* one line for a person */
};

struct placement {
	struct placement_device *devices; /* in the topology's order */
	size_t n_devices;
	bool linked; /* all of them reach each other in place; true for one device */
	int64_t bottleneck_mbps; /* TOPOLOGY_UNKNOWN for one device, or if a pair's bandwidth is assumed */
	int64_t sum_mbps; /* of the pair bandwidths, assumed ones included */
	bool exact; /* no better set exists */
};

/* Why there is no answer. All NULL and 0 unless the result says otherwise. */
struct place_failure {
	size_t n_available;
	char *reason; /* one line for a person */
	char *device; /* -ENODEV: the name in question */
};

struct placement *placement_free(struct placement *placement);
void placement_freep(struct placement **placement);
void place_failure_fini(struct place_failure *failure);

/**
 * place() - choose devices
 * @ret: the caller's; indices are into @topology
 * @ret_failure: filled if the result is -EINVAL, -ENODEV or -ENOSPC; the caller finishes it. May be NULL.
 *
 * Among the online devices with a region that has @request->bytes free: the set with the most linked pairs, then the
 * largest bottleneck, then the largest sum of pair bandwidths (rule version 1), then the lowest names. Of a device's
 * regions the one with the least room that suffices. Exact for up to PLACE_EXACT_MAX candidates.
 *
 * Return: 0; -EINVAL count is 0; -ENODEV an excluded name is no device; -ENOSPC not enough devices; -ENOMEM.
 */
int place(const struct topology *topology, const struct place_request *request, struct placement **ret,
	  struct place_failure *ret_failure);

#endif

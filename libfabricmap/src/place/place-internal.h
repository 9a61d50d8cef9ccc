/* SPDX-License-Identifier: MIT */
/* Inside of a question: what is looked at once, and the words for a refusal. */
#ifndef FABRICMAP_PLACE_INTERNAL_H
#define FABRICMAP_PLACE_INTERNAL_H

#include "place/place.h"

/* Why a device is no candidate. */
enum place_not {
	PLACE_IS_CANDIDATE = 0,
	PLACE_NOT_FREE, /* taken in the site, or busy by the request */
	PLACE_NOT_WANTED, /* excluded */
	PLACE_NOT_ONLINE,
	PLACE_NOT_MEMORY, /* has none */
	PLACE_NOT_ROOM,
	/* It is not what the request is about: not listed among the reasons. */
	PLACE_NOT_THERE,
};

struct question {
	struct place_site *site;
	const struct topology *topology;
	const struct place_request *request;
	struct site_relation relation;
	enum place_not * not ; /* by device */
	uint64_t *candidates; /* bits */
	size_t n_candidates;
	size_t *required;
	struct place_ask ask;
};

/* Index of the region with the least room that suffices, or -ENOSPC. */
ssize_t place_region(const struct topology_device *device, uint64_t bytes);

enum place_thing {
	PLACE_THING_DEVICE,
	PLACE_THING_GROUP,
	PLACE_THING_NIC,
};

/* A name that is none: what may have been meant. Return: -ENODEV, -ENOMEM. */
int question_no_such(const struct question *question, enum place_thing thing, const char *wanted,
		     struct place_failure *failure);

/* One line for a person, and the largest set beside it. */
int question_refused(const struct question *question, const struct place_refusal *refusal,
		     struct place_failure *failure);

#endif

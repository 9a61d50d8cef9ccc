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

/* That of the request, without links if these are only preferred, and with, to tell the largest set. */
enum { QUESTION_POOLS_MAX = 3 };

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
	/* In a machine that has no form: what was found out for this question alone. */
	struct question_pool {
		struct site_relation relation;
		struct place_pool *pool;
	} pools[QUESTION_POOLS_MAX];
	size_t n_pools;
	struct site_obstacle obstacle;
};

/*
 * The pool for a relation: the site's, or one in which only the question's candidates have pairs. The question's or the
 * site's. Return: 0; -E2BIG there is no form even for those: see the obstacle; -ENOMEM.
 */
int question_pool(struct question *question, struct site_relation relation, const struct place_pool **ret);

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

/* What keeps the candidates from being a tree of small parts. Return: -E2BIG, -ENOMEM. */
int question_irregular(const struct question *question, struct place_failure *failure);

/* One line for a person, and the largest set beside it. */
int question_refused(struct question *question, const struct place_refusal *refusal, struct place_failure *failure);

#endif

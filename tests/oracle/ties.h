/* SPDX-License-Identifier: MIT */
/*
 * ties - the set that the rule wants, of all that are best: (1) the larger best value, same objective and size, among
 * the free devices that remain, (2) the smaller cut to them, (3) the lowest list of names.
 */
#ifndef ORACLE_TIES_H
#define ORACLE_TIES_H

#include "score.h"

enum {
	TIES_MAX = 16,
};

struct ties;

struct ties_question {
	enum objective objective;
	unsigned int k;
	int64_t least_mbps; /* no pair below */
	unsigned int required; /* devices that must be in the set; what remains is asked without them */
};

/**
 * ties_new() - all subsets of a machine of up to TIES_MAX devices
 * @forbidden: n masks: with whom each device must not be in a set, though such pairs count for cuts; NULL: none
 */
struct ties *ties_new(const struct matrix *matrix, const unsigned int *forbidden);
struct ties *ties_free(struct ties *ties);

/* What is asked from now on. */
void ties_ask(struct ties *ties, const struct ties_question *question);

/* The most that a set of the devices of @free can have; SCORE_NONE if there is no such set. */
struct score ties_value(const struct ties *ties, unsigned int free);

/* The set, as a mask of devices; 0 if there is none. */
unsigned int ties_set(const struct ties *ties, unsigned int free);

/* Devices of the largest set that would do, whatever its size and without what is required. */
unsigned int ties_largest(const struct ties *ties, unsigned int free);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * places - where a range of memory should live: the reference for placement of memory, with everything that is known of
 * everybody at every place in one table. Exact: costs are integers.
 */
#ifndef ORACLE_PLACES_H
#define ORACLE_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PLACES_MAX = 24,
	PLACES_USERS_MAX = 8,
	/* Every bandwidth divides it: what a byte costs is then an integer. */
	PLACES_MBPS_UNIT = 30000000,
};

struct place {
	bool is_region; /* else system memory */
	int64_t free_bytes; /* -1: unknown */
	int64_t numa_node; /* -1: unknown, and nobody is away from it; so of users */
};

struct figures {
	bool reached; /* in place */
	int64_t read_mbps, write_mbps, read_ns, write_ns;
	/* Those of which it is said that they are not known. */
	bool guessed_read_mbps, guessed_write_mbps, guessed_read_ns, guessed_write_ns;
};

struct places {
	size_t n_places, n_users;
	struct place places[PLACES_MAX]; /* in the order of names, regions first */
	int64_t user_numa_node[PLACES_USERS_MAX];
	struct figures figures[PLACES_USERS_MAX][PLACES_MAX];
};

struct places_question {
	bool by_latency; /* else by bandwidth */
	int64_t bytes;
	/* What each does of all use. */
	int64_t read_weight[PLACES_USERS_MAX], write_weight[PLACES_USERS_MAX];
	bool excluded[PLACES_MAX];
};

/**
 * places_order() - all places that would do, the best first
 *
 * Those that everybody with a weight reaches in place and that have room: first those with room for all of it; then by
 * cost; then by the weight of those at another NUMA node; then those in whose cost nothing was guessed; then regions
 * before system memory, and by name.
 *
 * Return: how many. All figures are known or guessed, and bandwidths divide PLACES_MBPS_UNIT.
 */
size_t places_order(const struct places *places, const struct places_question *question, size_t *ret);

/* Time for all bytes in units of 1 / (PLACES_MBPS_UNIT MB/s), or in ns. */
int64_t places_cost(const struct places *places, const struct places_question *question, size_t place);

bool places_is_guessed(const struct places *places, const struct places_question *question, size_t place);

bool places_fits(const struct places *places, const struct places_question *question, size_t place);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * journal - the last events, numbered, and who follows them.
 *
 * An event is put into words once and kept in a ring; a subscriber is a place in that ring. So a slow one costs
 * nothing, and when the ring has come round to its place it is dropped with LimitExceeded "events_kept".
 */
#ifndef FABRICD_JOURNAL_H
#define FABRICD_JOURNAL_H

#include <stdint.h>

struct call;
struct manager;
struct journal;

struct journal_event {
	const char *kind; /* of the interface's EventKind */
	const char *device;
	const char *state; /* NULL: unknown */
	int64_t generation;
	int64_t resident_bytes; /* -1: unknown */
	const char *reason; /* NULL: none */
};

int journal_new(struct manager *manager, struct journal **ret);
struct journal *journal_free(struct journal *journal);

/* Out of memory costs the event, and every subscriber is told by the gap in the numbers. */
void journal_add(struct journal *journal, const struct journal_event *event);

/* Answers the call with a stream from now on. */
int journal_subscribe(struct journal *journal, struct call *call);

#endif

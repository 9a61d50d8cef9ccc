/* SPDX-License-Identifier: MIT */
/*
 * topology_watch - the daemon's picture of the kernel.
 *
 * A snapshot is immutable and replaced as a whole: after uevents, and when a request finds that the fabric's
 * generation has moved on. Between two generations only counters of bytes and handles change; they are read again
 * when a request comes and they are older than TOPOLOGY_WATCH_FRESH_MS.
 */
#ifndef FABRICD_TOPOLOGY_WATCH_H
#define FABRICD_TOPOLOGY_WATCH_H

#include "model/model.h"

struct place_site;

enum {
	TOPOLOGY_WATCH_FRESH_MS = 20, /* how old counters may be in an answer */
	TOPOLOGY_WATCH_COALESCE_MS = 20, /* uevents come in flocks */
};

struct manager;
struct topology_watch;
struct wire_buffer;

/* Reads for the first time. Without udev it works on what requests and SIGHUP make it read. */
int topology_watch_new(struct manager *manager, struct topology_watch **ret);
struct topology_watch *topology_watch_free(struct topology_watch *watch);

/* Reads everything now; tells subscribers what is new. Return: 0, or why the picture is still the old one. */
int topology_watch_reread(struct topology_watch *watch);

/* Soon, once for many calls. */
void topology_watch_reread_soon(struct topology_watch *watch);

/* Fresh as above; the watch's, valid until the event loop runs again. Never NULL. */
const struct topology *topology_watch_current(struct topology_watch *watch);

/*
 * The same as placement sees it: graphs of the machine are made when they are first asked for, and again only when
 * devices or links have changed. The watch's, of what topology_watch_current() said last. -ENOMEM.
 */
int topology_watch_site(struct topology_watch *watch, struct place_site **ret);

/* The same as the whole reply of GetTopology; put into words once a snapshot. NULL: out of memory. The watch's. */
struct wire_buffer *topology_watch_reply(struct topology_watch *watch);

/* The fabric's generation as of the current snapshot. */
int64_t topology_watch_generation(const struct topology_watch *watch);

#endif

/* SPDX-License-Identifier: MIT */
/* manager - the daemon: it owns everything else, and everything runs in its event loop. */
#ifndef FABRICD_MANAGER_H
#define FABRICD_MANAGER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "config.h"

struct bufferevent;
struct event;
struct event_base;
struct journal;
struct listener;
struct peer;
struct removal;
struct return_trip;
struct topology;
struct topology_watch;
struct unbound;
struct user;

struct manager {
	struct config config;
	struct event_base *base;
	struct event *on_terminate, *on_interrupt, *on_hangup, *on_watchdog;
	int sysfs_fd; /* O_PATH of the root of sysfs */
	struct topology *file; /* of --topology; NULL: none */
	struct topology_watch *watch;
	struct journal *journal;
	TAILQ_HEAD(, listener) listeners;
	TAILQ_HEAD(, peer) peers;
	size_t n_peers[2]; /* by enum peer_kind: one socket's do not keep the other's out */
	TAILQ_HEAD(, user) users;
	TAILQ_HEAD(, removal) removals;
	TAILQ_HEAD(, return_trip) return_trips;
	TAILQ_HEAD(, unbound) unbound;
	size_t n_workers;
	bool single; /* serves one inherited connection and ends with it */
	int result; /* of the loop */
};

int manager_new(const struct config *config, struct manager **ret);

/* Closes what is open, unlinks the sockets. Jobs that are stuck in the kernel are waited for, but not for ever. */
struct manager *manager_free(struct manager *manager);

/* Until a signal or a fatal error. Return: 0 or a negative errno. */
int manager_run(struct manager *manager);

/* event_free() that takes NULL. Return: NULL. */
struct event *event_drop(struct event *event);

/* The one place that stops the loop. @result: 0 orderly */
void manager_stop(struct manager *manager, int result);

#endif

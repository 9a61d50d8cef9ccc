/* SPDX-License-Identifier: MIT */
/* user - what all connections of one uid hold together. Everything a peer can make us keep is counted here. */
#ifndef FABRICD_USER_H
#define FABRICD_USER_H

#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct manager;

struct user {
	TAILQ_ENTRY(user) entry;
	struct manager *manager;
	unsigned int n_refs;
	uid_t uid;
	uint64_t n_connections[2]; /* by enum peer_kind */
	uint64_t n_subscriptions;
	uint64_t n_requests_running;
	uint64_t n_buffered_bytes;
	uint64_t n_fds_reserved; /* handles that are being opened */
};

/* Finds it or makes it; NULL is out of memory. */
struct user *user_get(struct manager *manager, uid_t uid);
struct user *user_unref(struct user *user);

#endif

/* SPDX-License-Identifier: MIT */
/* What peer.c and call.c know of each other, and nobody else of them. */
#ifndef FABRICD_PEER_INTERNAL_H
#define FABRICD_PEER_INTERNAL_H

#include <stdint.h>
#include <sys/queue.h>

#include "peer.h"

struct event;

struct peer {
	TAILQ_ENTRY(peer) entry;
	struct manager *manager;
	enum peer_kind kind;
	struct user *user;
	uid_t uid;
	pid_t pid;
	struct wire_conn conn;
	struct call *call; /* the request being worked on */
	struct event *on_readable, *on_writable, *on_turn, *on_tick;
	size_t accounted_bytes; /* of the user's n_buffered_bytes */
	uint64_t n_fds_sent; /* since all that was sent had been read */
	int64_t stalled_since_ms, inside_since_ms; /* -1: it is not */
	uint64_t stalled_at_bytes; /* sent by then */
	int stalled_at_unread_bytes;
	bool read_ended; /* no more requests will come */
	bool closing; /* as soon as all is sent */
	bool overflown;
	bool lingering; /* has ended but for handles that nobody has read */
};

/* Queues a message; what goes wrong ends the peer in its next turn. Takes over the fds. */
int peer_queue(struct peer *peer, struct wire_buffer *buffer, const int *fds, size_t n_fds);

/* The name of the limit that a reply of that length would go over, or NULL. */
const char *peer_limit_reached(const struct peer *peer, size_t length_bytes, uint64_t *ret_value);

/* LimitExceeded in place of a reply: there is always room for it. */
void peer_queue_limit(struct peer *peer, const char *limit, uint64_t value);

/* Gives the peer a turn soon: it never runs from within the caller. */
void peer_schedule(struct peer *peer);
void peer_end_after_flush(struct peer *peer);

/* Takes over the request. */
void peer_call(struct peer *peer, struct wire_request *request);

/* The client goes while its request is being worked on. */
void peer_abandon_call(struct peer *peer);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * peer - a connection.
 *
 * Requests are taken one at a time and answered in order: while one is being worked on, the next waits in the
 * receive buffer, then in the socket, then in the client. Between two requests of a connection every other
 * connection has its turn.
 *
 * Who works on a request for longer holds a call: it outlives the peer, so that a result that comes when the client
 * has gone has somewhere to go.
 */
#ifndef FABRICD_PEER_H
#define FABRICD_PEER_H

#include <stdbool.h>
#include <sys/types.h>

#include "wire/service.h"

struct call;
struct credentials;
struct manager;
struct peer;
struct user;

enum peer_kind {
	PEER_PUBLIC,
	PEER_ADMIN,
};

/* Takes over a connected socket, counts it against its user, and answers or closes it if there are too many. */
void peer_accept(struct manager *manager, int fd, enum peer_kind kind);
void peer_free(struct peer *peer);

/* What the client may do by itself, as the kernel saw it when it connected. NULL: it has gone, or out of memory. */
struct credentials *call_credentials(const struct call *call);

/* A handler answers with call_reply() or an error, now or later; a negative result is an error of the daemon. */
typedef int (*call_handler)(struct call *call);

struct method_handler {
	const char *method; /* qualified */
	call_handler handle;
	bool needs_more;
	bool admin;
	bool acts; /* does more than answer: also worth doing when nobody wants the answer */
};

extern const struct method_handler service_fabric_methods[], service_admin_methods[]; /* end with a NULL method */

struct call {
	unsigned int n_refs;
	struct manager *manager;
	struct peer *peer; /* NULL: it has gone */
	struct user *user;
	struct wire_request request;
	uid_t uid;
	pid_t pid;
	bool answered;
	bool running; /* counted in the user's requests_running */
	/* Called when the client goes before the answer. May drop the caller's reference. */
	void (*gone)(struct call *call, void *userdata);
	/* Called when all that was queued has been sent. */
	void (*drained)(struct call *call, void *userdata);
	void *userdata;
};

struct call *call_ref(struct call *call);
struct call *call_unref(struct call *call);

/* Counts it among the requests of its user that run. Return: 0, or 1 when it has been refused: answered by that. */
int call_start_running(struct call *call);

/* The parameters of a call; they have been checked against the table. */
const char *call_string(struct call *call, const char *name);
bool call_int(struct call *call, const char *name, int64_t *ret);

/* The last reply, or with @continues one of a stream. All of these may be called when the peer has gone. */
void call_reply(struct call *call, struct json_object *parameters, bool continues);
void call_reply_fds(struct call *call, struct json_object *parameters, const int *fds, size_t n_fds);
void call_reply_buffer(struct call *call, struct wire_buffer *buffer, bool continues);
void call_error(struct call *call, const char *error, struct json_object *parameters);
void call_error_string(struct call *call, const char *error, const char *field, const char *value);
void call_limit_exceeded(struct call *call, const char *limit, uint64_t value);

/* Nothing waits to be sent to it. */
bool call_is_drained(const struct call *call);

/* fds sent to this user that nobody has read, and those that are being opened for it. */
uint64_t user_unread_fds(const struct user *user);

/* An audit line: who did what. */
void call_audit(const struct call *call, const char *act, const char *object, const char *result);

/* Owners of JSON who ran out of memory pass NULL on; this makes one place of that. */
struct json_object *json_int(int64_t value);
struct json_object *json_string(const char *value); /* NULL is null */

#endif

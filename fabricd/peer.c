// SPDX-License-Identifier: MIT
/* The life of a connection: reading, taking turns, writing, limits, the end. Calls are in call.c. */
#include "peer-internal.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "closer.h"
#include "credentials.h"
#include "log.h"
#include "manager.h"
#include "user.h"

/* Above this a connection's next request waits until the client has taken replies. */
#define HIGH_WATER_BYTES ((size_t)256 << 10)

/* Beyond the unsent bytes that a connection may have: for the word that they are too many. */
#define LAST_WORD_BYTES ((size_t)1 << 10)

#define CLOSE_LINES_PER_SECOND 10

static const struct timeval TICK = { .tv_usec = 200000 };

static const struct wire_interface *const interfaces[] = {
	&wire_interface_org_drmfabric_fabric,
	&wire_interface_org_drmfabric_admin,
};

static const struct wire_service services[] = {
	[PEER_PUBLIC] = {
		.vendor = "drm-fabric", .product = "fabricd", .version = FABRICD_VERSION, .url = FABRICD_URL,
		.interfaces = interfaces, .n_interfaces = 1,
	},
	[PEER_ADMIN] = {
		.vendor = "drm-fabric", .product = "fabricd", .version = FABRICD_VERSION, .url = FABRICD_URL,
		.interfaces = interfaces, .n_interfaces = 2,
	},
};

/* Brings the user's count of bytes up to date. Return: whether it is within the limit. */
static bool peer_account(struct peer *peer)
{
	size_t held = peer->conn.in_size + peer->conn.out_bytes;

	peer->user->n_buffered_bytes += held;
	peer->user->n_buffered_bytes -= peer->accounted_bytes;
	peer->accounted_bytes = held;
	return peer->user->n_buffered_bytes <= peer->manager->config.limits.buffered_bytes_per_uid;
}

static void peer_event(struct event *event, bool wanted)
{
	if (wanted)
		(void)event_add(event, NULL); /* fails only without memory for a fd that is there already */
	else
		(void)event_del(event);
}

static bool has_backlog(const struct peer *peer)
{
	return peer->conn.out_bytes > HIGH_WATER_BYTES;
}

/* What to wait for follows from the state; called at the end of whatever changed it. */
static void peer_rearm(struct peer *peer)
{
	bool inside = wire_conn_is_inside_message(&peer->conn);
	bool waits = peer->conn.out_bytes > 0 || peer->n_fds_sent;

	peer_event(peer->on_readable,
		   !peer->read_ended && !peer->closing && (!peer->call || !inside) && !has_backlog(peer));
	peer_event(peer->on_writable, peer->conn.out_bytes > 0);
	if (waits && peer->stalled_since_ms < 0) {
		peer->stalled_since_ms = now_ms();
		peer->stalled_at_bytes = peer->conn.sent_bytes;
		peer->stalled_at_unread_bytes = 0;
	} else if (!waits) {
		peer->stalled_since_ms = -1;
	}
	if (inside && !peer->call && peer->inside_since_ms < 0)
		peer->inside_since_ms = now_ms();
	else if (!inside || peer->call)
		peer->inside_since_ms = -1;
	/* While nobody reads, nobody notices that it goes. */
	if (waits || inside || (peer->call && peer->read_ended)) {
		if (!evtimer_pending(peer->on_tick, NULL))
			(void)evtimer_add(peer->on_tick, &TICK);
	} else {
		(void)evtimer_del(peer->on_tick);
	}
}

/*
 * The end. Handles that lie in the client's socket stay open until it reads them or closes it, whether ours is closed
 * or not; only with ours can we tell. So it is kept for that, and for nothing else: else the end of a connection would
 * be the way around the limit.
 */
static void peer_end(struct peer *peer)
{
	bool lingers = !peer->manager->single && peer->n_fds_sent > peer->conn.out_fds &&
		       wire_conn_unread_bytes(&peer->conn) > 0;

	if (!lingers) {
		peer_free(peer);
		return;
	}
	if (peer->call)
		peer_abandon_call(peer);
	peer->n_fds_sent -= peer->conn.out_fds; /* those were not sent, and will not be */
	wire_conn_drop(&peer->conn);
	(void)peer_account(peer);
	(void)shutdown(peer->conn.fd, SHUT_RDWR); /* to the client it is closed */
	(void)event_del(peer->on_readable);
	(void)event_del(peer->on_writable);
	(void)event_del(peer->on_turn);
	peer->lingering = true;
	(void)evtimer_add(peer->on_tick, &TICK);
}

static bool peer_has_hung_up(const struct peer *peer)
{
	struct pollfd pollfd = { .fd = peer->conn.fd };

	return poll(&pollfd, 1, 0) == 1 && pollfd.revents & (POLLHUP | POLLERR);
}

/* What a client does wrong is worth a line, but not as many lines as it likes. */
static void peer_close(struct peer *peer, const char *why)
{
	static int64_t second;
	static unsigned int n_lines;

	if (now_ms() / 1000 != second) {
		second = now_ms() / 1000;
		n_lines = 0;
	}
	if (n_lines++ < CLOSE_LINES_PER_SECOND)
		log_info("closed a connection of uid %ju, pid %jd: %s", (uintmax_t)peer->uid, (intmax_t)peer->pid, why);
	peer_end(peer);
}

/* True if the peer is no more. */
static bool peer_flush(struct peer *peer)
{
	int r;

	r = wire_conn_flush(&peer->conn);
	if (r == -ETOOMANYREFS) {
		/* Too many fds on their way already; the kernel counts per user of the daemon. */
		peer_close(peer, "file descriptors that were sent to others are not read, there is no room for more");
		return true;
	}
	if (r < 0) {
		peer_end(peer); /* it has gone: nothing that needs a line */
		return true;
	}
	(void)peer_account(peer); /* less than before */
	if (peer->closing && !peer->conn.out_bytes) {
		peer_end(peer);
		return true;
	}
	return false;
}

void peer_end_after_flush(struct peer *peer)
{
	peer->closing = true;
	peer_schedule(peer);
}

void peer_schedule(struct peer *peer)
{
	/* Not event_active(): that puts it into the very queue that libevent is working off, before everybody else. */
	static const struct timeval now = { 0 };

	if (evtimer_add(peer->on_turn, &now) < 0)
		event_active(peer->on_turn, EV_TIMEOUT, 0); /* no memory: better out of turn than never */
}

int peer_queue(struct peer *peer, struct wire_buffer *buffer, const int *fds, size_t n_fds)
{
	int r;

	r = wire_conn_queue(&peer->conn, buffer, fds, n_fds);
	if (r >= 0) {
		peer->n_fds_sent += n_fds;
		if (!peer_account(peer))
			r = -ENOBUFS;
	}
	if (r < 0) {
		/* The stack above us may still use the peer: the next turn closes it. */
		peer->overflown = true;
		peer_schedule(peer);
		return r;
	}
	peer_schedule(peer);
	return 0;
}

static struct wire_buffer *limit_exceeded(const char *limit, uint64_t value)
{
	struct json_object *parameters = json_object_new_object();
	struct wire_buffer *buffer;

	json_object_object_add(parameters, "limit", json_object_new_string(limit));
	json_object_object_add(parameters, "value", json_object_new_int64((int64_t)value));
	return wire_service_error("org.drmfabric.Fabric.LimitExceeded", parameters, &buffer, NULL) < 0 ? NULL : buffer;
}

const char *peer_limit_reached(const struct peer *peer, size_t length_bytes, uint64_t *ret_value)
{
	uint64_t unsent = peer->conn.limits.out_max_bytes - LAST_WORD_BYTES;
	uint64_t buffered = peer->manager->config.limits.buffered_bytes_per_uid;

	if (peer->conn.out_bytes + length_bytes > unsent) {
		*ret_value = unsent;
		return "unsent_bytes_per_connection";
	}
	if (peer->user->n_buffered_bytes + length_bytes > buffered) {
		*ret_value = buffered;
		return "buffered_bytes_per_uid";
	}
	return NULL;
}

void peer_queue_limit(struct peer *peer, const char *limit, uint64_t value)
{
	struct wire_buffer *buffer = limit_exceeded(limit, value);

	if (!buffer || wire_conn_queue(&peer->conn, buffer, NULL, 0) < 0)
		peer->overflown = true;
	wire_buffer_unref(buffer);
	(void)peer_account(peer); /* it is short */
	peer_schedule(peer);
}

/* One message. True if the peer is no more. */
static bool peer_take_message(struct peer *peer, struct wire_message *message)
{
	struct wire_request request = { 0 };
	struct wire_buffer *reply = NULL;
	int r;

	r = wire_service_take(&services[peer->kind], message, &request, &reply);
	if (r < 0) {
		peer_close(peer, r == -EBADMSG ? "what it sent is not Varlink" : strerror(-r));
		return true;
	}
	if (r == 1) {
		if (reply)
			(void)peer_queue(peer, reply, NULL, 0); /* a failure is dealt with in the next turn */
		wire_buffer_unref(reply);
		return false;
	}
	peer_call(peer, &request);
	return false;
}

/* One turn: at most one request, then whatever can be sent. */
static void peer_turn(struct peer *peer)
{
	struct wire_message message;
	int r = 0;

	if (peer->overflown) {
		peer_close(peer, "it does not take its replies");
		return;
	}
	if (!peer->call && !peer->closing && !has_backlog(peer)) {
		r = wire_conn_next(&peer->conn, &message);
		if (r < 0) {
			peer_close(peer, r == -EMSGSIZE ? "a message is too long" : "what it sent is not Varlink");
			return;
		}
		if (r == 1 && peer_take_message(peer, &message))
			return;
	}
	if (peer_flush(peer))
		return;
	if (peer->call && !peer->conn.out_bytes && peer->call->drained)
		peer->call->drained(peer->call, peer->call->userdata);
	if (peer->read_ended && !peer->call && r == 0 && !has_backlog(peer)) {
		/* Half-closed, and every request is answered. */
		peer->closing = true;
		if (!peer->conn.out_bytes) {
			peer_end(peer);
			return;
		}
	}
	if (r == 1 && !peer->call)
		peer_schedule(peer);
	peer_rearm(peer);
}

static void peer_read(struct peer *peer)
{
	int r;

	r = wire_conn_read(&peer->conn);
	if (r == 0) {
		peer->read_ended = true;
		/* Nobody is left to take an answer; a subscription makes room at once. */
		if (peer->call && peer_has_hung_up(peer)) {
			peer_end(peer);
			return;
		}
	} else if (r == -EAGAIN) {
		return;
	} else if (r < 0) {
		if (r == -ECONNRESET)
			peer_end(peer);
		else
			peer_close(peer, strerror(-r));
		return;
	}
	if (!peer_account(peer)) {
		peer_close(peer, "buffered_bytes_per_uid is reached");
		return;
	}
	peer_turn(peer);
}

/* Things that no event tells. */
static void peer_tick(struct peer *peer)
{
	const struct limits *limits = &peer->manager->config.limits;
	int unread_bytes = peer->n_fds_sent ? wire_conn_unread_bytes(&peer->conn) : 0;
	int64_t now = now_ms();

	if (peer->lingering) {
		if (unread_bytes > 0)
			(void)evtimer_add(peer->on_tick, &TICK);
		else
			peer_free(peer);
		return;
	}
	/* After a half-close, and while requests wait, only a poll tells that it has gone. */
	if (peer->call && peer_has_hung_up(peer)) {
		peer_end(peer);
		return;
	}
	if (unread_bytes <= 0 && !peer->conn.out_bytes)
		peer->n_fds_sent = 0;
	/* It reads: less is there than before. */
	if (unread_bytes < peer->stalled_at_unread_bytes)
		peer->stalled_since_ms = now;
	peer->stalled_at_unread_bytes = unread_bytes;
	if (peer->conn.out_bytes && peer->conn.sent_bytes != peer->stalled_at_bytes) {
		peer->stalled_since_ms = now;
		peer->stalled_at_bytes = peer->conn.sent_bytes;
	}
	if ((peer->conn.out_bytes || peer->n_fds_sent) && peer->stalled_since_ms >= 0 &&
	    now - peer->stalled_since_ms > (int64_t)limits->stall_ms) {
		peer_close(peer, "it does not take its replies (stall_ms)");
		return;
	}
	if (peer->inside_since_ms >= 0 && now - peer->inside_since_ms > (int64_t)limits->message_ms) {
		peer_close(peer, "its message does not come to an end (message_ms)");
		return;
	}
	peer_rearm(peer);
}

static void on_readable(evutil_socket_t fd, short what, void *userdata)
{
	(void)fd;
	(void)what;
	peer_read(userdata);
}

static void on_turn(evutil_socket_t fd, short what, void *userdata)
{
	(void)fd;
	(void)what;
	peer_turn(userdata);
}

static void on_tick(evutil_socket_t fd, short what, void *userdata)
{
	(void)fd;
	(void)what;
	peer_tick(userdata);
}

/* Over a limit: one word why, as far as the socket takes it without waiting. */
static void refuse(int fd, const char *limit, uint64_t value)
{
	struct wire_buffer *buffer = limit_exceeded(limit, value);

	if (buffer)
		(void)send(fd, buffer->text, buffer->length_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	wire_buffer_unref(buffer);
	wire_socket_close(fd, closer_take);
}

void peer_accept(struct manager *manager, int fd, enum peer_kind kind)
{
	const struct limits *limits = &manager->config.limits;
	struct wire_limits wire_limits = {
		.in_max_bytes = WIRE_REQUEST_MAX_BYTES,
		.out_max_bytes = limits->unsent_bytes_per_connection + LAST_WORD_BYTES,
		.dispose = closer_take,
	};
	struct ucred ucred;
	socklen_t length = sizeof(ucred);
	struct user *user;
	struct peer *peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &ucred, &length) < 0) {
		wire_socket_close(fd, closer_take);
		return;
	}
	if (manager->n_peers[kind] >= limits->connections) {
		refuse(fd, "connections", limits->connections);
		return;
	}
	user = user_get(manager, ucred.uid);
	if (!user) {
		wire_socket_close(fd, closer_take);
		return;
	}
	if (user->n_connections[kind] >= limits->connections_per_uid) {
		refuse(fd, "connections_per_uid", limits->connections_per_uid);
		user_unref(user);
		return;
	}
	peer = malloc(sizeof(*peer));
	if (!peer) {
		wire_socket_close(fd, closer_take);
		user_unref(user);
		return;
	}
	*peer = (struct peer){
		.manager = manager,
		.kind = kind,
		.user = user,
		.uid = ucred.uid,
		.pid = ucred.pid,
		.stalled_since_ms = -1,
		.inside_since_ms = -1,
	};
	wire_conn_init(&peer->conn, fd, &wire_limits);
	user->n_connections[kind]++;
	TAILQ_INSERT_TAIL(&manager->peers, peer, entry);
	manager->n_peers[kind]++;
	peer->on_readable = event_new(manager->base, fd, EV_READ | EV_PERSIST, on_readable, peer);
	peer->on_writable = event_new(manager->base, fd, EV_WRITE | EV_PERSIST, on_turn, peer);
	peer->on_turn = event_new(manager->base, -1, 0, on_turn, peer);
	peer->on_tick = event_new(manager->base, -1, 0, on_tick, peer);
	if (!peer->on_readable || !peer->on_writable || !peer->on_turn || !peer->on_tick) {
		peer_free(peer);
		return;
	}
	peer_rearm(peer);
}

void peer_free(struct peer *peer)
{
	struct manager *manager = peer->manager;

	if (peer->call)
		peer_abandon_call(peer);
	peer->on_readable = event_drop(peer->on_readable);
	peer->on_writable = event_drop(peer->on_writable);
	peer->on_turn = event_drop(peer->on_turn);
	peer->on_tick = event_drop(peer->on_tick);
	wire_conn_fini(&peer->conn);
	(void)peer_account(peer);
	assert(!peer->accounted_bytes);
	peer->user->n_connections[peer->kind]--;
	user_unref(peer->user);
	TAILQ_REMOVE(&manager->peers, peer, entry);
	manager->n_peers[peer->kind]--;
	free(peer);
	if (manager->single && !manager->n_peers[PEER_PUBLIC] && !manager->n_peers[PEER_ADMIN])
		manager_stop(manager, 0);
}

uint64_t user_unread_fds(const struct user *user)
{
	uint64_t n = user->n_fds_reserved;
	struct peer *peer;

	TAILQ_FOREACH(peer, &user->manager->peers, entry) {
		if (peer->user != user || !peer->n_fds_sent)
			continue;
		if (!peer->conn.out_bytes && wire_conn_unread_bytes(&peer->conn) == 0)
			peer->n_fds_sent = 0;
		n += peer->n_fds_sent;
	}
	return n;
}

struct credentials *call_credentials(const struct call *call)
{
	struct credentials *credentials;

	if (!call->peer || credentials_new(call->peer->conn.fd, &credentials) < 0)
		return NULL;
	return credentials;
}

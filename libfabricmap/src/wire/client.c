// SPDX-License-Identifier: MIT
/* The blocking client: one connection, one call at a time. Belongs to one thread. */
#include "wire/conn.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct wire_client {
	struct wire_conn conn;
	int timeout_ms;
	bool broken; /* an answer may still come for a call that was given up: no more calls */
};

void wire_reply_fini(struct wire_reply *reply)
{
	for (size_t i = 0; i < reply->n_fds; i++)
		if (reply->fds[i] >= 0)
			(void)close(reply->fds[i]);
	free(reply->fds);
	free(reply->error);
	json_object_put(reply->parameters);
	*reply = (struct wire_reply){ 0 };
}

int wire_reply_take_fd(struct wire_reply *reply, int64_t index)
{
	int fd;

	if (index < 0 || (uint64_t)index >= reply->n_fds || reply->fds[index] < 0)
		return -EBADF;
	fd = reply->fds[index];
	reply->fds[index] = -1;
	return fd;
}

int wire_client_new_fd(int fd, struct wire_client **ret)
{
	static const struct wire_limits limits = {
		.in_max_bytes = WIRE_REPLY_MAX_BYTES,
		.out_max_bytes = WIRE_REQUEST_MAX_BYTES + 1,
		.in_fds_max = WIRE_REPLY_FDS_MAX,
	};
	struct wire_client *client;

	client = malloc(sizeof(*client));
	if (!client) {
		(void)close(fd);
		return -ENOMEM;
	}
	*client = (struct wire_client){ .timeout_ms = -1 };
	wire_conn_init(&client->conn, fd, &limits);
	*ret = client;
	return 0;
}

int wire_client_new(const char *path, struct wire_client **ret)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, r;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	do
		r = connect(fd, (const struct sockaddr *)&address, sizeof(address));
	while (r < 0 && errno == EINTR);
	if (r < 0) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	return wire_client_new_fd(fd, ret);
}

struct wire_client *wire_client_free(struct wire_client *client)
{
	if (client)
		wire_conn_fini(&client->conn);
	free(client);
	return NULL;
}

void wire_client_set_timeout(struct wire_client *client, int timeout_ms)
{
	client->timeout_ms = timeout_ms;
}

int wire_client_fd(const struct wire_client *client)
{
	return client->conn.fd;
}

/* @deadline_ms: on CLOCK_MONOTONIC, -1 for none */
static int wait_for(struct wire_client *client, short events, int64_t deadline_ms)
{
	struct pollfd pollfd = { .fd = client->conn.fd, .events = events };
	int64_t left_ms = -1;
	int r;

	do {
		if (deadline_ms >= 0) {
			left_ms = deadline_ms - now_ms();
			if (left_ms < 0)
				left_ms = 0;
		}
		r = poll(&pollfd, 1, (int)left_ms);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	return r ? 0 : -ETIMEDOUT;
}

static int reply_parse(const struct wire_method *method, struct wire_message *message, struct wire_reply *ret)
{
	struct wire_reply reply = { .fds = message->fds, .n_fds = message->n_fds };
	const struct wire_shape *shape = &method->out;
	struct json_object *envelope = NULL;
	int r;

	r = wire_json_parse(message->text, message->length_bytes, &envelope);
	if (r < 0)
		goto fini_reply;
	json_object_object_foreach(envelope, key, value) {
		if (!strcmp(key, "error") && json_object_is_type(value, json_type_string)) {
			reply.error = strdup(json_object_get_string(value));
			if (!reply.error)
				r = -ENOMEM;
		} else if (!strcmp(key, "parameters") && (!value || json_object_is_type(value, json_type_object))) {
			reply.parameters = json_object_get(value);
		} else if (!strcmp(key, "continues") && json_object_is_type(value, json_type_boolean)) {
			reply.continues = json_object_get_boolean(value);
		} else {
			r = -EBADMSG;
		}
	}
	json_object_put(envelope);
	if (r < 0)
		goto fini_reply;
	if (!reply.parameters)
		reply.parameters = json_object_new_object();
	/* An error that this build does not know is passed on as it is. */
	if (reply.error)
		shape = wire_error_find(reply.error);
	r = -EBADMSG;
	if (reply.error && reply.continues)
		goto fini_reply;
	if (shape && wire_check(shape, reply.parameters, WIRE_LENIENT, NULL) < 0)
		goto fini_reply;
	*ret = reply;
	return 0;

fini_reply:
	wire_reply_fini(&reply);
	return r;
}

static int reply_receive(struct wire_client *client, const struct wire_method *method, int64_t deadline_ms,
			 struct wire_reply *ret)
{
	struct wire_message message;
	int r;

	for (;;) {
		r = wire_conn_next(&client->conn, &message);
		if (r < 0)
			return r;
		if (r)
			return reply_parse(method, &message, ret);
		r = wire_conn_read(&client->conn);
		if (r == 0)
			return -ECONNRESET;
		if (r == -EAGAIN)
			r = wait_for(client, POLLIN, deadline_ms);
		if (r < 0)
			return r;
	}
}

static int request_send(struct wire_client *client, const char *qualified, struct json_object *parameters, bool more,
			int64_t deadline_ms, const struct wire_method **ret_method)
{
	const struct wire_method *method = wire_method_find(qualified, NULL);
	struct json_object *message;
	struct wire_buffer *buffer;
	const char *text;
	size_t length;
	int r;

	if (!method || wire_check(&method->in, parameters, WIRE_STRICT, NULL) < 0)
		return -EINVAL;
	*ret_method = method; /* also if the other side has closed: it may have said something first */
	message = json_object_new_object();
	if (!message)
		return -ENOMEM;
	json_object_object_add(message, "method", json_object_new_string(qualified));
	if (parameters)
		json_object_object_add(message, "parameters", json_object_get(parameters));
	if (more)
		json_object_object_add(message, "more", json_object_new_boolean(true));
	text = json_object_to_json_string_length(message, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE,
						 &length);
	buffer = text ? wire_buffer_new(text, length) : NULL;
	json_object_put(message);
	if (!buffer)
		return -ENOMEM;
	r = length > WIRE_REQUEST_MAX_BYTES ? -EMSGSIZE : wire_conn_queue(&client->conn, buffer, NULL, 0);
	wire_buffer_unref(buffer);
	if (r < 0)
		return r;
	while ((r = wire_conn_flush(&client->conn)) > 0) {
		r = wait_for(client, POLLOUT, deadline_ms);
		if (r < 0)
			return r;
	}
	return r;
}

/* The end of a call that did not come to its last reply: what comes next would be taken for another's. */
static int call_give_up(struct wire_client *client, int r)
{
	client->broken = true;
	return r;
}

int wire_call(struct wire_client *client, const char *method, struct json_object *parameters, struct wire_reply *ret)
{
	int64_t deadline_ms = client->timeout_ms < 0 ? -1 : now_ms() + client->timeout_ms;
	const struct wire_method *table;
	struct wire_reply reply;
	int r, sent;

	if (client->broken)
		return -ENOTCONN;
	sent = request_send(client, method, parameters, false, deadline_ms, &table);
	if (sent == -EINVAL || sent == -EMSGSIZE || sent == -ENOMEM)
		return sent; /* before anything was sent */
	if (sent < 0 && sent != -EPIPE)
		return call_give_up(client, sent);
	/* A server that closed may have said why before it did: too many connections. */
	r = reply_receive(client, table, deadline_ms, &reply);
	if (r < 0)
		return call_give_up(client, sent < 0 ? sent : r);
	if (reply.continues) {
		wire_reply_fini(&reply);
		return call_give_up(client, -EBADMSG);
	}
	*ret = reply;
	return 0;
}

int wire_call_more(struct wire_client *client, const char *method, struct json_object *parameters, wire_reply_fn fn,
		   void *userdata)
{
	const struct wire_method *table;
	bool continues;
	int r;

	if (client->broken)
		return -ENOTCONN;
	r = request_send(client, method, parameters, true, -1, &table);
	if (r == -EINVAL || r == -EMSGSIZE || r == -ENOMEM)
		return r; /* before anything was sent */
	if (r < 0 && r != -EPIPE)
		return call_give_up(client, r);
	do {
		struct wire_reply reply;

		r = reply_receive(client, table, -1, &reply);
		if (r < 0)
			return call_give_up(client, r);
		continues = reply.continues;
		r = fn(&reply, userdata);
		wire_reply_fini(&reply);
		if (r)
			return continues ? call_give_up(client, r) : r;
	} while (continues);
	return 0;
}

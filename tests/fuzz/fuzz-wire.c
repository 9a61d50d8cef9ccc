// SPDX-License-Identifier: MIT
/*
 * The way of a request through the wire: framing over a real socket in pieces that the input chooses, JSON, tables,
 * introspection; and of a reply at a client.
 *
 * With -fsanitize=fuzzer it is a fuzzer; with fuzz-main.c it runs the files that it is given.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "wire/service.h"

static const struct wire_interface *const interfaces[] = {
	&wire_interface_org_drmfabric_fabric,
	&wire_interface_org_drmfabric_admin,
};

static const struct wire_service service = {
	.vendor = "v",
	.product = "p",
	.version = "0",
	.url = "u",
	.interfaces = interfaces,
	.n_interfaces = 2,
};

static void must(bool good)
{
	if (!good)
		abort();
}

static void take(const struct wire_message *message)
{
	struct wire_request request = { 0 };
	struct wire_buffer *reply = NULL;
	struct json_object *json;
	int r;

	r = wire_service_take(&service, message, &request, &reply);
	if (r == 0) {
		/* What has passed the tables fits them. */
		must(wire_check(&request.method->in, request.parameters, WIRE_STRICT, NULL) == 0);
		wire_request_fini(&request);
	} else if (r == 1 && reply) {
		/* What we answer is what we would take. */
		must(wire_json_parse(reply->text, reply->length_bytes - 1, &json) == 0);
		json_object_put(json);
		wire_buffer_unref(reply);
	}
}

static void serve(const uint8_t *data, size_t size, size_t piece)
{
	static const struct wire_limits limits = { .in_max_bytes = 4096, .out_max_bytes = 65536 };
	struct wire_conn conn;
	struct wire_message message;
	int fds[2], r = 0;

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	wire_conn_init(&conn, fds[0], &limits);
	for (size_t at = 0; at < size && r >= 0; at += piece) {
		size_t n = size - at < piece ? size - at : piece;

		must(send(fds[1], data + at, n, MSG_NOSIGNAL) == (ssize_t)n);
		while ((r = wire_conn_read(&conn)) > 0)
			while ((r = wire_conn_next(&conn, &message)) > 0)
				take(&message);
		if (r == -EAGAIN)
			r = 0; /* the next piece */
	}
	wire_conn_fini(&conn);
	(void)close(fds[1]);
}

/* The input is what a server says. */
static void call(const uint8_t *data, size_t size)
{
	struct wire_client *client;
	struct wire_reply reply;
	int fds[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	must(wire_client_new_fd(fds[0], &client) == 0);
	must(send(fds[1], data, size, MSG_NOSIGNAL) == (ssize_t)size);
	(void)shutdown(fds[1], SHUT_WR);
	if (wire_call(client, "org.drmfabric.Fabric.GetTopology", NULL, &reply) == 0)
		wire_reply_fini(&reply);
	wire_client_free(client);
	(void)close(fds[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_object *json, *again;
	const char *text;
	size_t length;

	if (size < 2 || size > 65536)
		return 0;
	/* Longer would not fit the socket's buffer, and nobody reads while we send. */
	serve(data + 1, size - 1, 1 + data[0]);
	call(data + 1, size - 1);
	if (wire_json_parse((const char *)data + 1, size - 1, &json) == 0) {
		text = json_object_to_json_string_length(json, JSON_C_TO_STRING_PLAIN, &length);
		must(wire_json_parse(text, length, &again) == 0);
		json_object_put(again);
		json_object_put(json);
	}
	return 0;
}

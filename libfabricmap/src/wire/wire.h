/* SPDX-License-Identifier: MIT */
/*
 * wire - Varlink over unix stream sockets: framing, file descriptors, checked JSON, interface tables.
 *
 * Serves both ends and knows no event loop. Three layers, each usable alone:
 *
 *   wire_conn     NUL-framed messages and their fds over a socket, in and out, with limits
 *   wire_check_*  JSON against the tables that varlink2c.py makes of uapi/ *.varlink at build time
 *   wire_client   blocking calls on top of both
 *
 * The server's dispatch helpers are in wire/service.h. Nothing here prints.
 *
 * File descriptors: Varlink has none; as with systemd they ride by SCM_RIGHTS on the sendmsg() that carries their
 * message, and the message says which is which by index (fields named <what>_file_descriptor). A message with fds
 * never shares a sendmsg() with another message, and its fds arrive with its first byte.
 */
#ifndef FABRICMAP_WIRE_H
#define FABRICMAP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

/* Constants, not options: they are part of what a peer may rely on. */
enum {
	WIRE_REQUEST_MAX_BYTES = 1 << 20, /* what a server takes in */
	WIRE_REPLY_MAX_BYTES = 16 << 20, /* what a client takes in; also systemd's limit */
	WIRE_DEPTH_MAX = 16, /* nesting of a message; our deepest is 6 */
	WIRE_FDS_MAX = 253, /* SCM_MAX_FD of the kernel */
	WIRE_REPLY_FDS_MAX = 64, /* what a client of ours accepts with one reply */
};

/* ---- interface tables (generated) ---- */

enum wire_kind {
	WIRE_KIND_BOOL = 1,
	WIRE_KIND_INT,
	WIRE_KIND_FLOAT,
	WIRE_KIND_STRING,
	WIRE_KIND_OBJECT, /* any JSON object: Varlink's "object" */
	WIRE_KIND_ENUM,
	WIRE_KIND_STRUCT,
};

enum wire_container {
	WIRE_CONTAINER_NONE,
	WIRE_CONTAINER_ARRAY,
	WIRE_CONTAINER_MAP,
};

struct wire_shape;

struct wire_field {
	const char *name;
	enum wire_kind kind;
	enum wire_container container;
	bool nullable;
	const struct wire_shape *shape; /* of an enum or a struct, otherwise NULL */
};

/* The fields of a struct, a method's parameters or replies, or an error; or the values of an enum. */
struct wire_shape {
	const char *name;
	const struct wire_field *fields;
	size_t n_fields;
	const char *const *values;
	size_t n_values;
};

struct wire_method {
	const char *name; /* without the interface */
	struct wire_shape in, out;
};

struct wire_interface {
	const char *name;
	const char *description; /* the IDL text, for introspection */
	const struct wire_method *methods;
	size_t n_methods;
	const struct wire_shape *errors;
	size_t n_errors;
};

extern const struct wire_interface wire_interface_org_drmfabric_fabric;
extern const struct wire_interface wire_interface_org_drmfabric_admin;
extern const struct wire_interface wire_interface_org_varlink_service;

/**
 * wire_interface_known() - all interfaces of this build
 * @ret: NULL-terminated, static
 *
 * Return: their number.
 */
size_t wire_interface_known(const struct wire_interface *const **ret);

/* "org.drmfabric.Fabric.Place" -> interface and method; NULL if there is none. @ret_interface may be set alone. */
const struct wire_method *wire_method_find(const char *qualified, const struct wire_interface **ret_interface);
const struct wire_shape *wire_error_find(const char *qualified);

/* ---- checked JSON ---- */

/**
 * wire_json_parse() - text of one message to an object
 * @text: not necessarily NUL-terminated
 * @ret: caller puts it
 *
 * Stricter than json-c: one object and nothing after it, valid UTF-8, no control characters or \u0000 in strings,
 * no member twice, integers within int64, finite numbers, at most WIRE_DEPTH_MAX deep.
 *
 * Return: 0, -EBADMSG not such a text, -ENOMEM.
 */
int wire_json_parse(const char *text, size_t length_bytes, struct json_object **ret);

enum wire_strictness {
	WIRE_STRICT, /* a field that the table does not have is wrong: input of a server, all output */
	WIRE_LENIENT, /* it is ignored: a client that reads a newer server's reply */
};

/**
 * wire_check() - does an object have the shape of the table
 * @object: NULL stands for {}
 * @ret_path: the offending field ("placements", not its index), static or owned by @object; may be NULL
 *
 * A nullable field may be null or absent. Floats are no ints. Enums are checked by value.
 *
 * Return: 0 or -EINVAL.
 */
int wire_check(const struct wire_shape *shape, struct json_object *object, enum wire_strictness strictness,
	       const char **ret_path);

/* ---- client ---- */

struct wire_client;

/* A reply. @error is the qualified name of an error, NULL on success. @parameters is never NULL, and has been checked. */
struct wire_reply {
	char *error;
	struct json_object *parameters;
	bool continues;
	int *fds;
	size_t n_fds;
};

void wire_reply_fini(struct wire_reply *reply);

/**
 * wire_reply_take_fd() - take an fd out of a reply
 * @index: as the reply's <what>_file_descriptor field says
 *
 * Return: the fd, now the caller's, or -EBADF if there is none with that index or it was taken.
 */
int wire_reply_take_fd(struct wire_reply *reply, int64_t index);

/**
 * wire_client_new() - connect
 * @path: of the socket
 *
 * Return: 0 or the negative errno of socket() or connect(); -ENAMETOOLONG.
 */
int wire_client_new(const char *path, struct wire_client **ret);

/* Takes over a connected stream socket, also on failure. */
int wire_client_new_fd(int fd, struct wire_client **ret);
struct wire_client *wire_client_free(struct wire_client *client);

/* How long wire_call() waits for its reply; -1 (the default) is for ever. Streams have no limit between replies. */
void wire_client_set_timeout(struct wire_client *client, int timeout_ms);

/* To poll, for whoever has other things to wait for too. */
int wire_client_fd(const struct wire_client *client);

/**
 * wire_call() - one request, one reply
 * @method: "org.drmfabric.Fabric.GetTopology"
 * @parameters: borrowed, NULL for {}
 * @ret: also filled if the server answers with an error: then @ret->error is set and the result is 0
 *
 * After a negative result the connection is of no further use, and later calls are -ENOTCONN: the next answer could be
 * the missing one. Except after -EINVAL, -EMSGSIZE and -ENOMEM before anything was sent.
 *
 * Return: 0; -EINVAL no such method, or @parameters do not fit it; -EBADMSG the reply does not; -EPIPE or
 * -ECONNRESET the server closed; -ETIMEDOUT; -EMSGSIZE; other errors of sendmsg() and recvmsg().
 */
int wire_call(struct wire_client *client, const char *method, struct json_object *parameters, struct wire_reply *ret);

/**
 * wire_reply_fn - takes one reply of a stream
 *
 * @reply is the caller's again after the return (fds not taken are closed).
 *
 * Return: 0 to go on, anything else ends the stream and becomes the result of wire_call_more().
 */
typedef int (*wire_reply_fn)(struct wire_reply *reply, void *userdata);

/**
 * wire_call_more() - one request, a stream of replies
 * @fn: called for each, also for an error that ends the stream
 *
 * Return: 0 when the server ended the stream, the non-zero result of @fn (the connection is then still in the
 * stream: free the client), or as wire_call().
 */
int wire_call_more(struct wire_client *client, const char *method, struct json_object *parameters, wire_reply_fn fn,
		   void *userdata);

#endif

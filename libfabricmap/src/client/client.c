// SPDX-License-Identifier: MIT
/*
 * Public client of fabricd: wire's blocking client with the daemon's methods and errors as functions and errnos. The
 * wire has checked the shape of what it gives, so that fields are taken here as the interface has them. Belongs to
 * one thread.
 */
#include "base/base.h"
#include "public/public.h"
#include "wire/wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FABRIC "org.drmfabric.Fabric."
#define ADMIN "org.drmfabric.Admin."

struct fabricmap_client {
	struct wire_client *wire;
	char *error; /* one line for a person, NULL if none */
	char *error_name;
};

static struct json_object *field(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	(void)json_object_object_get_ex(object, key, &value); /* stays NULL: null */
	return value;
}

static const char *field_string(struct json_object *object, const char *key)
{
	return json_object_get_string(field(object, key));
}

static int64_t field_int(struct json_object *object, const char *key)
{
	struct json_object *value = field(object, key);

	return value ? json_object_get_int64(value) : FABRICMAP_UNKNOWN;
}

static void client_forget_error(struct fabricmap_client *client)
{
	free(client->error);
	free(client->error_name);
	client->error = client->error_name = NULL;
}

/* Without memory for the words the errno has to do. */
static void __attribute__((format(printf, 2, 3)))
client_set_error(struct fabricmap_client *client, const char *format, ...)
{
	va_list ap;

	free(client->error);
	va_start(ap, format);
	if (vasprintf(&client->error, format, ap) < 0)
		client->error = NULL;
	va_end(ap);
}

/* A call that did not get an answer. */
static int client_broken(struct fabricmap_client *client, int r)
{
	const char *reason;

	switch (r) {
	case -ECONNRESET:
	case -EPIPE:
		reason = "the daemon has closed the connection";
		break;
	case -ETIMEDOUT:
		reason = "the daemon has not answered in time";
		break;
	case -ENOTCONN:
		reason = "the connection was given up when an earlier call failed";
		break;
	case -EBADMSG:
		reason = "the daemon's answer makes no sense";
		break;
	default:
		reason = strerrordesc_np(-r) ?: "unknown error";
	}
	client_set_error(client, "%s", reason);
	return r;
}

/* An answer that is an error. */
static int client_refused(struct fabricmap_client *client, const struct wire_reply *reply)
{
	static const struct {
		const char *name;
		int r;
		const char *text; /* instead of what the error itself says */
	} errors[] = {
		{ FABRIC "NoSuchDevice", -ENODEV, "no such device" },
		{ FABRIC "NotEnoughDevices", -ENOSPC, NULL },
		{ FABRIC "CannotOpen", -EACCES, NULL },
		{ FABRIC "LimitExceeded", -EDQUOT, "a limit of this client is reached" },
		{ FABRIC "KernelPartAbsent", -ENOSYS, NULL },
		{ ADMIN "NoSuchDevice", -ENODEV, "no such device" },
		{ ADMIN "AlreadyInProgress", -EALREADY, "that is under way already" },
		{ ADMIN "NotInProgress", -EALREADY, "nothing is under way" },
		{ ADMIN "RemoveFailed", -EBUSY, NULL },
		{ ADMIN "BringBackFailed", -EBUSY, NULL },
		{ ADMIN "KernelPartAbsent", -ENOSYS, NULL },
		{ "org.varlink.service.PermissionDenied", -EACCES, "permission denied" },
		{ "org.varlink.service.InvalidParameter", -EINVAL, "the daemon does not take a parameter" },
		{ "org.varlink.service.MethodNotFound", -EPROTO,
		  "the daemon does not know this call (older version?)" },
		{ "org.varlink.service.MethodNotImplemented", -EPROTO, "the daemon does not do this" },
		{ "org.varlink.service.InterfaceNotFound", -EPROTO, "this socket does not serve this call" },
	};
	const char *device = NULL, *reason = NULL, *what = NULL;
	struct json_object *value = NULL;
	int r = -EPROTO;

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (strcmp(errors[i].name, reply->error))
			continue;
		r = errors[i].r;
		reason = errors[i].text;
	}
	/* An error that this build does not know has not been checked: anything may be in it. */
	if (json_object_object_get_ex(reply->parameters, "device", &value) &&
	    json_object_is_type(value, json_type_string))
		device = json_object_get_string(value);
	if (json_object_object_get_ex(reply->parameters, "reason", &value) &&
	    json_object_is_type(value, json_type_string))
		reason = json_object_get_string(value);
	if ((json_object_object_get_ex(reply->parameters, "limit", &value) ||
	     json_object_object_get_ex(reply->parameters, "parameter", &value) ||
	     json_object_object_get_ex(reply->parameters, "state", &value)) &&
	    json_object_is_type(value, json_type_string))
		what = json_object_get_string(value);
	client_set_error(client, "%s%s%s%s%s%s", device ?: "", device ? ": " : "", reason ?: reply->error,
			 what ? " (" : "", what ?: "", what ? ")" : "");
	client->error_name = strdup(reply->error);
	return r;
}

/* Takes over @parameters, which are NULL if memory was short. */
static int client_call(struct fabricmap_client *client, const char *method, struct json_object *parameters,
		       struct wire_reply *ret)
{
	struct wire_reply reply = { 0 };
	int r;

	client_forget_error(client);
	r = parameters ? wire_call(client->wire, method, parameters, &reply) : -ENOMEM;
	json_object_put(parameters);
	if (r < 0)
		return client_broken(client, r);
	if (reply.error) {
		r = client_refused(client, &reply);
		wire_reply_fini(&reply);
		return r;
	}
	*ret = reply;
	return 0;
}

/* Adds to @object, which is given up if that fails: calls can be nested, and NULL is passed on. */
static struct json_object *with(struct json_object *object, const char *key, struct json_object *value)
{
	if (object && value && json_object_object_add(object, key, value) == 0)
		return object;
	json_object_put(object);
	json_object_put(value);
	return NULL;
}

/* The same for a parameter that may be left out. */
static struct json_object *with_string(struct json_object *object, const char *key, const char *value)
{
	return value ? with(object, key, json_object_new_string(value)) : object;
}

static int client_connect(const char *path, const char *variable, const char *otherwise, struct fabricmap_client **ret)
{
	struct fabricmap_client *client;
	struct stat st;
	int r;

	client = calloc(1, sizeof(*client));
	if (!client)
		return -ENOMEM;
	path = path ?: secure_getenv(variable) ?: otherwise;
	r = wire_client_new(path, &client->wire);
	/* connect() says the same of a socket that nobody listens on: no daemon. */
	if (r == -ECONNREFUSED && stat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		r = -ENOTSOCK;
	if (r < 0) {
		free(client);
		return r;
	}
	*ret = client;
	return 0;
}

FABRICMAP_EXPORT int fabricmap_client_connect(const char *path, struct fabricmap_client **ret)
{
	return client_connect(path, "FABRICD_SOCKET", "/run/fabricd/org.drmfabric.Fabric", ret);
}

FABRICMAP_EXPORT int fabricmap_client_connect_admin(const char *path, struct fabricmap_client **ret)
{
	return client_connect(path, "FABRICD_ADMIN_SOCKET", "/run/fabricd/org.drmfabric.Admin", ret);
}

FABRICMAP_EXPORT struct fabricmap_client *fabricmap_client_free(struct fabricmap_client *client)
{
	if (!client)
		return NULL;
	wire_client_free(client->wire);
	client_forget_error(client);
	free(client);
	return NULL;
}

FABRICMAP_EXPORT void fabricmap_client_set_timeout(struct fabricmap_client *client, int timeout_ms)
{
	wire_client_set_timeout(client->wire, timeout_ms);
}

FABRICMAP_EXPORT int fabricmap_client_fd(const struct fabricmap_client *client)
{
	return wire_client_fd(client->wire);
}

FABRICMAP_EXPORT const char *fabricmap_client_error(const struct fabricmap_client *client)
{
	return client->error ?: "";
}

FABRICMAP_EXPORT const char *fabricmap_client_error_name(const struct fabricmap_client *client)
{
	return client->error_name;
}

FABRICMAP_EXPORT int fabricmap_client_get_topology(struct fabricmap_client *client, struct fabricmap **ret)
{
	_cleanup_(wire_reply_fini) struct wire_reply reply = { 0 };
	_cleanup_(topology_unrefp) struct topology *topology = NULL;
	int r;

	r = client_call(client, FABRIC "GetTopology", json_object_new_object(), &reply);
	if (r < 0)
		return r;
	r = topology_from_json(field(reply.parameters, "topology"), &topology);
	if (r == 0)
		r = fabricmap_new_topology(topology, ret);
	return r < 0 ? client_broken(client, r) : 0;
}

static int placement_read(struct wire_reply *reply, struct fabricmap_placement **ret)
{
	_cleanup_(fabricmap_placement_freep) struct fabricmap_placement *placement = NULL;
	struct json_object *array = field(reply->parameters, "placements");
	int r;

	r = fabricmap_placement_new(json_object_array_length(array), &placement);
	if (r < 0)
		return r;
	placement->generation = field_int(reply->parameters, "generation");
	placement->linked = json_object_get_boolean(field(reply->parameters, "linked"));
	placement->bottleneck_mbps = field_int(reply->parameters, "bottleneck_mbps");
	placement->exact = json_object_get_boolean(field(reply->parameters, "exact"));
	for (size_t i = 0; i < placement->n_devices; i++) {
		struct json_object *object = json_object_array_get_idx(array, i);
		struct fabricmap_placement_device *device = &placement->devices[i];

		device->device = strdup(field_string(object, "device"));
		device->region = strdup(field_string(object, "region"));
		device->reason = strdup(field_string(object, "reason"));
		if (!device->device || !device->region || !device->reason)
			return -ENOMEM;
		device->free_bytes = field_int(object, "free_bytes");
		device->devmem_id = field_int(object, "devmem_id");
		if (!field(object, "devmem_file_descriptor"))
			continue;
		device->fd = wire_reply_take_fd(reply, field_int(object, "devmem_file_descriptor"));
		if (device->fd < 0)
			return -EBADMSG;
	}
	*ret = steal_ptr(&placement);
	return 0;
}

FABRICMAP_EXPORT int fabricmap_client_place(struct fabricmap_client *client, uint64_t count, uint64_t bytes,
					    unsigned int flags, const char *const *exclude, size_t n_exclude,
					    struct fabricmap_placement **ret)
{
	_cleanup_(wire_reply_fini) struct wire_reply reply = { 0 };
	_cleanup_(fabricmap_placement_freep) struct fabricmap_placement *placement = NULL;
	struct json_object *parameters, *names;
	int r;

	if (flags & ~(unsigned int)FABRICMAP_PLACE_HANDLES || count > INT64_MAX || bytes > INT64_MAX) {
		client_forget_error(client);
		client_set_error(client, "out of range");
		return -EINVAL;
	}
	parameters = json_object_new_object();
	parameters = with(parameters, "count", json_object_new_int64((int64_t)count));
	parameters = with(parameters, "bytes", json_object_new_int64((int64_t)bytes));
	if (flags & FABRICMAP_PLACE_HANDLES)
		parameters = with(parameters, "handles", json_object_new_boolean(true));
	if (n_exclude > 0) {
		names = json_object_new_array();
		parameters = with(parameters, "exclude", names);
		for (size_t i = 0; parameters && i < n_exclude; i++) {
			struct json_object *name = json_object_new_string(exclude[i]);

			if (name && json_object_array_add(names, name) == 0)
				continue;
			json_object_put(name);
			json_object_put(parameters);
			parameters = NULL;
		}
	}
	r = client_call(client, FABRIC "Place", parameters, &reply);
	if (r < 0)
		return r;
	r = placement_read(&reply, &placement);
	if (r < 0)
		return client_broken(client, r);
	for (size_t i = 0; flags & FABRICMAP_PLACE_HANDLES && i < placement->n_devices; i++)
		if (placement->devices[i].fd < 0)
			return client_broken(client, -EBADMSG);
	*ret = steal_ptr(&placement);
	return 0;
}

/* A stream with a function of the caller's at its end. */
struct stream {
	struct fabricmap_client *client;
	union {
		fabricmap_event_fn event;
		fabricmap_progress_fn progress;
	} fn;
	void *userdata;
	int verdict; /* of the caller's function */
	int failure; /* what the daemon answered */
};

/* What wire_call_more() gives when on_event() and on_progress() have left the reason in the stream. */
enum { STREAM_ENDED = 1 };

static int stream_call(struct stream *stream, const char *method, struct json_object *parameters, wire_reply_fn fn)
{
	int r;

	client_forget_error(stream->client);
	r = parameters ? wire_call_more(stream->client->wire, method, parameters, fn, stream) : -ENOMEM;
	json_object_put(parameters);
	if (r < 0)
		return client_broken(stream->client, r);
	return stream->verdict ?: stream->failure;
}

static int on_event(struct wire_reply *reply, void *userdata)
{
	struct stream *stream = userdata;
	struct fabricmap_event event = { 0 };
	struct json_object *object;

	if (reply->error) {
		stream->failure = client_refused(stream->client, reply);
		return STREAM_ENDED;
	}
	object = field(reply->parameters, "event");
	if (object) {
		event.sequence = field_int(object, "sequence");
		event.kind = field_string(object, "kind");
		event.device = field_string(object, "device");
		event.state = field_string(object, "state");
		event.reason = field_string(object, "reason");
		event.generation = field_int(object, "generation");
		event.resident_bytes = field_int(object, "resident_bytes");
	}
	stream->verdict = stream->fn.event(object ? &event : NULL, stream->userdata);
	return stream->verdict ? STREAM_ENDED : 0;
}

FABRICMAP_EXPORT int fabricmap_client_subscribe(struct fabricmap_client *client, fabricmap_event_fn fn, void *userdata)
{
	struct stream stream = { .client = client, .fn.event = fn, .userdata = userdata };

	return stream_call(&stream, FABRIC "Subscribe", json_object_new_object(), on_event);
}

static int on_progress(struct wire_reply *reply, void *userdata)
{
	struct stream *stream = userdata;
	struct fabricmap_progress progress = { 0 };
	struct json_object *object;

	if (reply->error) {
		stream->failure = client_refused(stream->client, reply);
		return STREAM_ENDED;
	}
	if (!stream->fn.progress)
		return 0;
	object = field(reply->parameters, "progress");
	progress.step = field_string(object, "step");
	progress.blocked = field_string(object, "blocked");
	progress.total_bytes = field_int(object, "total_bytes");
	progress.resident_bytes = field_int(object, "resident_bytes");
	progress.elapsed_ms = field_int(object, "elapsed_ms");
	stream->verdict = stream->fn.progress(&progress, stream->userdata);
	return stream->verdict ? STREAM_ENDED : 0;
}

FABRICMAP_EXPORT int fabricmap_client_remove(struct fabricmap_client *client, const char *device, int64_t drain_ms,
					     fabricmap_progress_fn fn, void *userdata)
{
	struct stream stream = { .client = client, .fn.progress = fn, .userdata = userdata };
	struct json_object *parameters = with_string(json_object_new_object(), "device", device);

	if (drain_ms != FABRICMAP_UNKNOWN)
		parameters = with(parameters, "drain_ms", json_object_new_int64(drain_ms));
	return stream_call(&stream, ADMIN "Remove", parameters, on_progress);
}

FABRICMAP_EXPORT int fabricmap_client_cancel_remove(struct fabricmap_client *client, const char *device)
{
	_cleanup_(wire_reply_fini) struct wire_reply reply = { 0 };

	return client_call(client, ADMIN "CancelRemove", with_string(json_object_new_object(), "device", device),
			   &reply);
}

FABRICMAP_EXPORT int fabricmap_client_bring_back(struct fabricmap_client *client, const char *device,
						 int64_t *ret_incarnation)
{
	_cleanup_(wire_reply_fini) struct wire_reply reply = { 0 };
	int r;

	r = client_call(client, ADMIN "BringBack", with_string(json_object_new_object(), "device", device), &reply);
	if (r < 0)
		return r;
	if (ret_incarnation)
		*ret_incarnation = field_int(reply.parameters, "incarnation");
	return 0;
}

static int holders_read(struct json_object *devices, struct fabricmap_holders *holders)
{
	for (size_t i = 0; i < json_object_array_length(devices); i++) {
		struct json_object *of_device = json_object_array_get_idx(devices, i);
		struct json_object *array = field(of_device, "holders");

		for (size_t j = 0; j < json_object_array_length(array); j++) {
			struct json_object *object = json_object_array_get_idx(array, j);
			struct fabricmap_holder holder = {
				.device = strdup(field_string(of_device, "device")),
				.comm = strdup(field_string(object, "comm")),
				.pid = field_int(object, "pid"),
				.uid = field_int(object, "uid"),
				.devmem_id = field_int(object, "devmem_id"),
				.resident_bytes = field_int(object, "resident_bytes"),
			};

			if (!holder.device || !holder.comm) {
				free(holder.device);
				free(holder.comm);
				return -ENOMEM;
			}
			if (fabricmap_holders_add(holders, &holder) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

FABRICMAP_EXPORT int fabricmap_client_holders(struct fabricmap_client *client, const char *device,
					      struct fabricmap_holders **ret)
{
	_cleanup_(fabricmap_holders_freep) struct fabricmap_holders *holders = NULL;
	_cleanup_(wire_reply_fini) struct wire_reply reply = { 0 };
	int64_t n_unreadable;
	int r;

	r = fabricmap_holders_new(&holders);
	if (r < 0)
		return r;
	r = client_call(client, ADMIN "ListHolders", with_string(json_object_new_object(), "device", device), &reply);
	if (r < 0)
		return r;
	n_unreadable = field_int(reply.parameters, "unreadable");
	holders->n_unreadable = n_unreadable > 0 ? (size_t)n_unreadable : 0;
	r = holders_read(field(reply.parameters, "device_holders"), holders);
	if (r < 0)
		return client_broken(client, r);
	fabricmap_holders_sort(holders);
	*ret = steal_ptr(&holders);
	return 0;
}

// SPDX-License-Identifier: MIT
/* A request from when it is known to be good to its last reply. */
#include "peer-internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "manager.h"
#include "user.h"

struct json_object *json_int(int64_t value)
{
	return json_object_new_int64(value);
}

struct json_object *json_string(const char *value)
{
	return value ? json_object_new_string(value) : NULL;
}

struct call *call_ref(struct call *call)
{
	call->n_refs++;
	return call;
}

static void call_stop_running(struct call *call)
{
	if (call->running)
		call->user->n_requests_running--;
	call->running = false;
}

struct call *call_unref(struct call *call)
{
	if (!call || --call->n_refs)
		return NULL;
	call_stop_running(call);
	wire_request_fini(&call->request);
	user_unref(call->user);
	free(call);
	return NULL;
}

int call_start_running(struct call *call)
{
	uint64_t limit = call->manager->config.limits.requests_running_per_uid;

	if (call->user->n_requests_running >= limit) {
		call_limit_exceeded(call, "requests_running_per_uid", limit);
		return 1;
	}
	call->user->n_requests_running++;
	call->running = true;
	return 0;
}

const char *call_string(struct call *call, const char *name)
{
	return json_object_get_string(json_object_object_get(call->request.parameters, name));
}

bool call_int(struct call *call, const char *name, int64_t *ret)
{
	struct json_object *value = json_object_object_get(call->request.parameters, name);

	if (!value)
		return false;
	*ret = json_object_get_int64(value);
	return true;
}

/* The last reply is on its way: the next request may come. */
static void call_finish(struct call *call)
{
	struct peer *peer = call->peer;

	assert(!call->answered);
	call->answered = true;
	if (!peer)
		return;
	assert(peer->call == call);
	peer->call = NULL;
	call->peer = NULL;
	peer_schedule(peer);
	call_unref(call);
}

static void call_send(struct call *call, struct wire_buffer *buffer, const int *fds, size_t n_fds, bool continues)
{
	const char *limit = NULL;
	uint64_t value;

	if (call->peer && !call->request.oneway && !continues)
		limit = peer_limit_reached(call->peer, buffer->length_bytes, &value);
	if (limit) {
		for (size_t i = 0; i < n_fds; i++)
			(void)close(fds[i]);
		peer_queue_limit(call->peer, limit, value);
	} else if (call->peer && !call->request.oneway) {
		(void)peer_queue(call->peer, buffer, fds, n_fds); /* the peer ends by it */
	} else {
		for (size_t i = 0; i < n_fds; i++)
			(void)close(fds[i]);
	}
	if (!continues)
		call_finish(call);
}

/* What we were about to say does not fit our own interface. */
static void call_bug(struct call *call, const char *what, const char *path)
{
	struct wire_buffer *buffer;

	log_error("bug: %s of %s.%s does not fit the interface at '%s'", what, call->request.interface->name,
		  call->request.method->name, path);
	if (wire_service_error_string("org.varlink.service.MethodNotImplemented", "method", call->request.method->name,
				      &buffer) < 0) {
		call_finish(call);
		return;
	}
	call_send(call, buffer, NULL, 0, false);
	wire_buffer_unref(buffer);
}

static void call_out_of_memory(struct call *call)
{
	log_error("out of memory while answering %s", call->request.method->name);
	if (call->peer)
		peer_end_after_flush(call->peer);
	call_finish(call);
}

static void call_reply_any(struct call *call, struct json_object *parameters, const int *fds, size_t n_fds,
			   bool continues)
{
	struct wire_buffer *buffer;
	const char *path = "?";
	int r;

	if (continues && (!call->request.more || !call->peer)) {
		json_object_put(parameters);
		return;
	}
	json_object_get(parameters); /* the path may be inside */
	r = wire_service_reply(call->request.method, parameters, continues, &buffer, &path);
	if (r < 0) {
		for (size_t i = 0; i < n_fds; i++)
			(void)close(fds[i]);
		if (r == -EINVAL)
			call_bug(call, "a reply", path);
		else
			call_out_of_memory(call);
	} else {
		call_send(call, buffer, fds, n_fds, continues);
		wire_buffer_unref(buffer);
	}
	json_object_put(parameters);
}

void call_reply(struct call *call, struct json_object *parameters, bool continues)
{
	call_reply_any(call, parameters, NULL, 0, continues);
}

void call_reply_fds(struct call *call, struct json_object *parameters, const int *fds, size_t n_fds)
{
	call_reply_any(call, parameters, fds, n_fds, false);
}

void call_reply_buffer(struct call *call, struct wire_buffer *buffer, bool continues)
{
	call_send(call, buffer, NULL, 0, continues);
}

void call_error(struct call *call, const char *error, struct json_object *parameters)
{
	struct wire_buffer *buffer;
	const char *path = "?";
	int r;

	json_object_get(parameters); /* the path may be inside */
	r = wire_service_error(error, parameters, &buffer, &path);
	if (r == -EINVAL) {
		call_bug(call, error, path);
	} else if (r < 0) {
		call_out_of_memory(call);
	} else {
		call_send(call, buffer, NULL, 0, false);
		wire_buffer_unref(buffer);
	}
	json_object_put(parameters);
}

void call_error_string(struct call *call, const char *error, const char *field, const char *value)
{
	struct json_object *parameters = json_object_new_object();

	json_object_object_add(parameters, field, json_string(value));
	call_error(call, error, parameters);
}

void call_limit_exceeded(struct call *call, const char *limit, uint64_t value)
{
	struct json_object *parameters = json_object_new_object();

	json_object_object_add(parameters, "limit", json_string(limit));
	json_object_object_add(parameters, "value", json_int((int64_t)value));
	call_error(call, "org.drmfabric.Fabric.LimitExceeded", parameters);
}

bool call_is_drained(const struct call *call)
{
	return !call->peer || !call->peer->conn.out_bytes;
}

void call_audit(const struct call *call, const char *act, const char *object, const char *result)
{
	log_at(LOG_NOTICE, "audit: uid=%ju pid=%jd act=%s device=%s result=%s", (uintmax_t)call->uid,
	       (intmax_t)call->pid, act, object, result);
}

static const struct method_handler *handler_find(const struct wire_request *request)
{
	static const struct method_handler *const tables[] = { service_fabric_methods, service_admin_methods };
	size_t length = strlen(request->interface->name);

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct method_handler *h = tables[i]; h->method; h++)
			if (!strncmp(h->method, request->interface->name, length) && h->method[length] == '.' &&
			    !strcmp(h->method + length + 1, request->method->name))
				return h;
	return NULL;
}

void peer_call(struct peer *peer, struct wire_request *request)
{
	const struct method_handler *handler = handler_find(request);
	struct call *call;
	int r;

	call = malloc(sizeof(*call));
	if (!call) {
		wire_request_fini(request);
		peer_end_after_flush(peer);
		return;
	}
	*call = (struct call){
		.n_refs = 1,
		.manager = peer->manager,
		.peer = peer,
		.user = peer->user,
		.request = *request,
		.uid = peer->uid,
		.pid = peer->pid,
	};
	peer->user->n_refs++;
	peer->call = call;
	call_ref(call);
	if (request->oneway && handler && !handler->acts) {
		/* All that it would do is to answer: whoever asks so costs nobody time, and needs no brake. */
		call_finish(call);
	} else if (!handler) {
		call_error_string(call, "org.varlink.service.MethodNotImplemented", "method", request->method->name);
	} else if (handler->admin && peer->kind != PEER_ADMIN) {
		call_error(call, "org.varlink.service.PermissionDenied", NULL);
	} else if (handler->needs_more && !request->more) {
		call_error(call, "org.varlink.service.ExpectedMore", NULL);
	} else {
		r = handler->handle(call);
		if (r < 0 && !call->answered) {
			log_error("%s: %s", handler->method, strerror(-r));
			call_out_of_memory(call);
		}
	}
	call_unref(call);
}

void peer_abandon_call(struct peer *peer)
{
	struct call *call = peer->call;

	peer->call = NULL;
	call->peer = NULL;
	call->drained = NULL;
	if (call->gone)
		call->gone(call, call->userdata);
	call_unref(call);
}

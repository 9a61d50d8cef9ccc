// SPDX-License-Identifier: MIT
/* See service.h. No state: every function is given what it needs. */
#include "wire/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void wire_request_fini(struct wire_request *request)
{
	json_object_put(request->message);
	*request = (struct wire_request){ 0 };
}

static int encode(struct json_object *envelope, struct wire_buffer **ret)
{
	struct wire_buffer *buffer;
	const char *text;
	size_t length;

	text = json_object_to_json_string_length(envelope, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE,
						 &length);
	buffer = text ? wire_buffer_new(text, length) : NULL;
	if (!buffer)
		return -ENOMEM;
	*ret = buffer;
	return 0;
}

/* Puts @parameters in every case. */
static int envelope_encode(const char *error, struct json_object *parameters, bool continues, struct wire_buffer **ret)
{
	struct json_object *envelope = json_object_new_object(), *value;
	int r = -ENOMEM;

	if (!envelope) {
		json_object_put(parameters);
		return -ENOMEM;
	}
	if (error) {
		value = json_object_new_string(error);
		if (!value || json_object_object_add(envelope, "error", value) < 0)
			goto put_both;
	}
	if (!parameters)
		parameters = json_object_new_object();
	if (!parameters || json_object_object_add(envelope, "parameters", parameters) < 0)
		goto put_both;
	if (continues && json_object_object_add(envelope, "continues", json_object_new_boolean(true)) < 0)
		goto put_envelope;
	r = encode(envelope, ret);
put_envelope:
	json_object_put(envelope);
	return r;

put_both:
	json_object_put(parameters);
	json_object_put(envelope);
	return r;
}

int wire_service_reply(const struct wire_method *method, struct json_object *parameters, bool continues,
		       struct wire_buffer **ret, const char **ret_path)
{
	int r;

	r = wire_check(&method->out, parameters, WIRE_STRICT, ret_path);
	if (r < 0) {
		json_object_put(parameters);
		return r;
	}
	return envelope_encode(NULL, parameters, continues, ret);
}

int wire_service_error(const char *error, struct json_object *parameters, struct wire_buffer **ret,
		       const char **ret_path)
{
	const struct wire_shape *shape = wire_error_find(error);
	int r;

	if (ret_path)
		*ret_path = error;
	r = shape ? wire_check(shape, parameters, WIRE_STRICT, ret_path) : -EINVAL;
	if (r < 0) {
		json_object_put(parameters);
		return r;
	}
	return envelope_encode(error, parameters, false, ret);
}

int wire_service_error_string(const char *error, const char *field, const char *value, struct wire_buffer **ret)
{
	struct json_object *parameters = json_object_new_object();

	if (!parameters)
		return -ENOMEM;
	if (json_object_object_add(parameters, field, json_object_new_string(value)) < 0) {
		json_object_put(parameters);
		return -ENOMEM;
	}
	return wire_service_error(error, parameters, ret, NULL);
}

/* ---- org.varlink.service ---- */

static int get_info(const struct wire_service *service, struct wire_buffer **ret)
{
	const struct wire_method *method = wire_method_find("org.varlink.service.GetInfo", NULL);
	struct json_object *parameters = json_object_new_object(), *interfaces = json_object_new_array();

	json_object_object_add(parameters, "vendor", json_object_new_string(service->vendor));
	json_object_object_add(parameters, "product", json_object_new_string(service->product));
	json_object_object_add(parameters, "version", json_object_new_string(service->version));
	json_object_object_add(parameters, "url", json_object_new_string(service->url));
	json_object_array_add(interfaces, json_object_new_string(wire_interface_org_varlink_service.name));
	for (size_t i = 0; i < service->n_interfaces; i++)
		json_object_array_add(interfaces, json_object_new_string(service->interfaces[i]->name));
	json_object_object_add(parameters, "interfaces", interfaces);
	return wire_service_reply(method, parameters, false, ret, NULL);
}

static const struct wire_interface *served_find(const struct wire_service *service, const char *name, size_t length)
{
	const struct wire_interface *self = &wire_interface_org_varlink_service;

	if (strlen(self->name) == length && !memcmp(self->name, name, length))
		return self;
	for (size_t i = 0; i < service->n_interfaces; i++)
		if (strlen(service->interfaces[i]->name) == length &&
		    !memcmp(service->interfaces[i]->name, name, length))
			return service->interfaces[i];
	return NULL;
}

static int get_interface_description(const struct wire_service *service, struct json_object *in,
				     struct wire_buffer **ret)
{
	const struct wire_interface *interface;
	struct json_object *parameters;
	const char *name;

	name = json_object_get_string(json_object_object_get(in, "interface"));
	interface = served_find(service, name, strlen(name));
	if (!interface)
		return wire_service_error_string("org.varlink.service.InterfaceNotFound", "interface", name, ret);
	parameters = json_object_new_object();
	if (!parameters)
		return -ENOMEM;
	json_object_object_add(parameters, "description", json_object_new_string(interface->description));
	return wire_service_reply(wire_method_find("org.varlink.service.GetInterfaceDescription", NULL), parameters,
				  false, ret, NULL);
}

/* ---- calls ---- */

/* The envelope: known keys only, each of its type. "upgrade" is not offered, so it is not known. */
static int envelope_take(struct json_object *message, struct wire_request *request, const char **ret_method,
			 bool *ret_parameters_bad)
{
	const char *method = NULL;
	bool parameters_bad = false;

	json_object_object_foreach(message, key, value) {
		if (!strcmp(key, "method")) {
			if (!json_object_is_type(value, json_type_string))
				return -EBADMSG;
			method = json_object_get_string(value);
		} else if (!strcmp(key, "parameters")) {
			request->parameters = value;
			parameters_bad = value && !json_object_is_type(value, json_type_object);
		} else if (!strcmp(key, "more") || !strcmp(key, "oneway")) {
			if (value && !json_object_is_type(value, json_type_boolean))
				return -EBADMSG;
			*(key[0] == 'm' ? &request->more : &request->oneway) = json_object_get_boolean(value);
		} else {
			return -EBADMSG;
		}
	}
	if (!method || (request->more && request->oneway))
		return -EBADMSG;
	*ret_method = method;
	*ret_parameters_bad = parameters_bad;
	return 0;
}

static int method_resolve(const struct wire_service *service, const char *qualified, struct wire_request *request,
			  struct wire_buffer **ret_reply)
{
	const char *dot = strrchr(qualified, '.');
	const struct wire_interface *interface;
	char *name;
	int r;

	if (!dot)
		return wire_service_error_string("org.varlink.service.MethodNotFound", "method", qualified, ret_reply);
	interface = served_find(service, qualified, (size_t)(dot - qualified));
	if (!interface) {
		name = strndup(qualified, (size_t)(dot - qualified));
		if (!name)
			return -ENOMEM;
		r = wire_service_error_string("org.varlink.service.InterfaceNotFound", "interface", name, ret_reply);
		free(name);
		return r;
	}
	for (size_t i = 0; i < interface->n_methods; i++)
		if (!strcmp(interface->methods[i].name, dot + 1)) {
			request->interface = interface;
			request->method = &interface->methods[i];
			return 0;
		}
	return wire_service_error_string("org.varlink.service.MethodNotFound", "method", qualified, ret_reply);
}

/* Sets *ret_reply if the request ends here. */
static int request_check(const struct wire_service *service, const struct wire_message *message,
			 struct wire_request *request, struct wire_buffer **ret_reply)
{
	static const char invalid[] = "org.varlink.service.InvalidParameter";
	bool parameters_bad;
	const char *method, *path;
	int r;

	r = envelope_take(request->message, request, &method, &parameters_bad);
	if (r < 0)
		return r;
	if (message->fds_refused || message->n_fds)
		return wire_service_error_string(invalid, "parameter", "file_descriptors", ret_reply);
	r = method_resolve(service, method, request, ret_reply);
	if (r < 0 || *ret_reply)
		return r;
	if (parameters_bad)
		return wire_service_error_string(invalid, "parameter", "parameters", ret_reply);
	if (wire_check(&request->method->in, request->parameters, WIRE_STRICT, &path) < 0)
		return wire_service_error_string(invalid, "parameter", path, ret_reply);
	if (request->interface != &wire_interface_org_varlink_service)
		return 0;
	if (!strcmp(request->method->name, "GetInfo"))
		return get_info(service, ret_reply);
	return get_interface_description(service, request->parameters, ret_reply);
}

int wire_service_take(const struct wire_service *service, const struct wire_message *message, struct wire_request *ret,
		      struct wire_buffer **ret_reply)
{
	struct wire_request request = { 0 };
	struct wire_buffer *reply = NULL;
	int r;

	r = wire_json_parse(message->text, message->length_bytes, &request.message);
	if (r < 0)
		return r;
	r = request_check(service, message, &request, &reply);
	if (r < 0) {
		wire_request_fini(&request);
		return r;
	}
	if (!reply) {
		*ret = request;
		return 0;
	}
	if (request.oneway)
		reply = wire_buffer_unref(reply);
	wire_request_fini(&request);
	*ret_reply = reply;
	return 1;
}

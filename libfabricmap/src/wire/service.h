/* SPDX-License-Identifier: MIT */
/*
 * wire_service - what a server does to a message before and after it knows what the message means: take the call
 * apart, check it against the tables, answer org.varlink.service, and put replies together.
 */
#ifndef FABRICMAP_WIRE_SERVICE_H
#define FABRICMAP_WIRE_SERVICE_H

#include "wire/conn.h"

/* What is behind one socket. org.varlink.service is answered without being listed. */
struct wire_service {
	const char *vendor, *product, *version, *url;
	const struct wire_interface *const *interfaces;
	size_t n_interfaces;
};

struct wire_request {
	const struct wire_interface *interface;
	const struct wire_method *method;
	struct json_object *message; /* owns the parameters */
	struct json_object *parameters; /* checked; NULL stands for {} */
	bool more, oneway;
};

void wire_request_fini(struct wire_request *request);

/**
 * wire_service_take() - make a request of a message
 * @ret: filled if the result is 0
 * @ret_reply: filled if the result is 1: an answer that needs nobody else (introspection, a refusal). NULL if the
 * caller wants none.
 *
 * fds that came although no method takes any are refused as InvalidParameter "file_descriptors".
 *
 * Return: 0 a request, 1 dealt with, -EBADMSG not Varlink: close the connection; -ENOMEM.
 */
int wire_service_take(const struct wire_service *service, const struct wire_message *message, struct wire_request *ret,
		      struct wire_buffer **ret_reply);

/**
 * wire_service_reply() - a reply of a method
 * @parameters: put by this function; NULL for {}
 * @ret_path: if it does not fit the table: the offending field. It may be inside @parameters: who looks at it holds a
 * reference of its own to them
 *
 * Return: 0, -EINVAL it does not fit: a bug of the server; -ENOMEM.
 */
int wire_service_reply(const struct wire_method *method, struct json_object *parameters, bool continues,
		       struct wire_buffer **ret, const char **ret_path);

/* The same for an error, by its qualified name, which must be in the tables. */
int wire_service_error(const char *error, struct json_object *parameters, struct wire_buffer **ret,
		       const char **ret_path);

/* An error with one field of type string: most have one. */
int wire_service_error_string(const char *error, const char *field, const char *value, struct wire_buffer **ret);

#endif

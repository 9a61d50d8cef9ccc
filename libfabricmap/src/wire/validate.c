// SPDX-License-Identifier: MIT
/* JSON against the generated tables. Pure functions. */
#include "wire/wire.h"

#include <errno.h>
#include <string.h>

static const struct wire_field *field_find(const struct wire_shape *shape, const char *name)
{
	for (size_t i = 0; i < shape->n_fields; i++)
		if (!strcmp(shape->fields[i].name, name))
			return &shape->fields[i];
	return NULL;
}

static bool value_is_listed(const struct wire_shape *shape, const char *value)
{
	for (size_t i = 0; i < shape->n_values; i++)
		if (!strcmp(shape->values[i], value))
			return true;
	return false;
}

static int check_element(const struct wire_field *field, struct json_object *value, enum wire_strictness strictness,
			 const char **ret_path)
{
	enum json_type type = json_object_get_type(value);
	bool good = false;

	switch (field->kind) {
	case WIRE_KIND_BOOL:
		good = type == json_type_boolean;
		break;
	case WIRE_KIND_INT:
		good = type == json_type_int;
		break;
	case WIRE_KIND_FLOAT:
		good = type == json_type_double || type == json_type_int;
		break;
	case WIRE_KIND_STRING:
		good = type == json_type_string;
		break;
	case WIRE_KIND_OBJECT:
		good = type == json_type_object;
		break;
	case WIRE_KIND_ENUM:
		good = type == json_type_string;
		/* A client takes a value that a newer server has. */
		if (good && strictness == WIRE_STRICT)
			good = value_is_listed(field->shape, json_object_get_string(value));
		break;
	case WIRE_KIND_STRUCT:
		if (type == json_type_object)
			return wire_check(field->shape, value, strictness, ret_path);
		break;
	}
	if (good)
		return 0;
	if (ret_path)
		*ret_path = field->name;
	return -EINVAL;
}

static int check_field(const struct wire_field *field, struct json_object *value, enum wire_strictness strictness,
		       const char **ret_path)
{
	int r;

	if (!value && field->nullable)
		return 0;
	if (field->container == WIRE_CONTAINER_NONE)
		return check_element(field, value, strictness, ret_path);
	if (field->container == WIRE_CONTAINER_ARRAY && json_object_is_type(value, json_type_array)) {
		size_t n = json_object_array_length(value);

		for (size_t i = 0; i < n; i++) {
			r = check_element(field, json_object_array_get_idx(value, i), strictness, ret_path);
			if (r < 0)
				return r;
		}
		return 0;
	}
	if (field->container == WIRE_CONTAINER_MAP && json_object_is_type(value, json_type_object)) {
		json_object_object_foreach(value, key, element) {
			(void)key;
			r = check_element(field, element, strictness, ret_path);
			if (r < 0)
				return r;
		}
		return 0;
	}
	if (ret_path)
		*ret_path = field->name;
	return -EINVAL;
}

int wire_check(const struct wire_shape *shape, struct json_object *object, enum wire_strictness strictness,
	       const char **ret_path)
{
	if (object && strictness == WIRE_STRICT) {
		json_object_object_foreach(object, key, value) {
			(void)value;
			if (field_find(shape, key))
				continue;
			if (ret_path)
				*ret_path = key;
			return -EINVAL;
		}
	}
	for (size_t i = 0; i < shape->n_fields; i++) {
		struct json_object *value = NULL;
		int r;

		if (object)
			(void)json_object_object_get_ex(object, shape->fields[i].name, &value);
		r = check_field(&shape->fields[i], value, strictness, ret_path);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Splits "a.b.C" at its last dot and finds the interface "a.b". */
static const struct wire_interface *interface_of(const char *qualified, const char **ret_symbol)
{
	const struct wire_interface *const *known;
	const char *dot = strrchr(qualified, '.');
	size_t n = wire_interface_known(&known);

	if (!dot)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (strlen(known[i]->name) == (size_t)(dot - qualified) &&
		    !memcmp(known[i]->name, qualified, (size_t)(dot - qualified))) {
			*ret_symbol = dot + 1;
			return known[i];
		}
	return NULL;
}

const struct wire_method *wire_method_find(const char *qualified, const struct wire_interface **ret_interface)
{
	const struct wire_interface *interface;
	const char *symbol;

	interface = interface_of(qualified, &symbol);
	if (!interface)
		return NULL;
	if (ret_interface)
		*ret_interface = interface;
	for (size_t i = 0; i < interface->n_methods; i++)
		if (!strcmp(interface->methods[i].name, symbol))
			return &interface->methods[i];
	return NULL;
}

const struct wire_shape *wire_error_find(const char *qualified)
{
	const struct wire_interface *interface;
	const char *symbol;

	interface = interface_of(qualified, &symbol);
	if (!interface)
		return NULL;
	for (size_t i = 0; i < interface->n_errors; i++)
		if (!strcmp(interface->errors[i].name, symbol))
			return &interface->errors[i];
	return NULL;
}

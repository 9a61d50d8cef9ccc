// SPDX-License-Identifier: MIT
/* Results for programs: keys in the order in which they are added, unknown is null. */
#include "fabricctl.h"

#include <err.h>
#include <json-c/json.h>
#include <stdio.h>

static void add(struct json_object *object, const char *key, struct json_object *value)
{
	if (json_object_object_add(object, key, value) < 0)
		err(EXIT_FAILED, "memory");
}

static struct json_object *checked(struct json_object *value)
{
	if (!value)
		err(EXIT_FAILED, "memory");
	return value;
}

void json_add_string(struct json_object *object, const char *key, const char *value)
{
	add(object, key, value ? checked(json_object_new_string(value)) : NULL);
}

void json_add_int(struct json_object *object, const char *key, int64_t value)
{
	add(object, key, value == FABRICMAP_UNKNOWN ? NULL : checked(json_object_new_int64(value)));
}

void json_add_bool(struct json_object *object, const char *key, bool value)
{
	add(object, key, checked(json_object_new_boolean(value)));
}

struct json_object *json_add_array(struct json_object *object, const char *key)
{
	struct json_object *array = checked(json_object_new_array());

	add(object, key, array);
	return array;
}

struct json_object *json_add_object(struct json_object *object, const char *key)
{
	struct json_object *value = checked(json_object_new_object());

	add(object, key, value);
	return value;
}

struct json_object *json_append_object(struct json_object *array)
{
	struct json_object *object = checked(json_object_new_object());

	if (json_object_array_add(array, object) < 0)
		err(EXIT_FAILED, "memory");
	return object;
}

void json_append_string(struct json_object *array, const char *value)
{
	if (json_object_array_add(array, checked(json_object_new_string(value))) < 0)
		err(EXIT_FAILED, "memory");
}

struct json_object *json_append_array(struct json_object *array)
{
	struct json_object *inner = checked(json_object_new_array());

	if (json_object_array_add(array, inner) < 0)
		err(EXIT_FAILED, "memory");
	return inner;
}

struct json_object *json_new(const char *schema)
{
	struct json_object *object = checked(json_object_new_object());

	json_add_string(object, "schema", schema);
	return object;
}

void json_print(struct json_object *object, bool one_line)
{
	int flags = (one_line ? JSON_C_TO_STRING_PLAIN : JSON_C_TO_STRING_PRETTY) | JSON_C_TO_STRING_NOSLASHESCAPE;
	const char *text = json_object_to_json_string_ext(object, flags);

	if (!text)
		err(EXIT_FAILED, "memory");
	puts(text);
	/* Whoever reads a stream waits for each line. */
	fflush(stdout);
	json_object_put(object);
}

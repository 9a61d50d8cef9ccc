// SPDX-License-Identifier: MIT
/* Parser of fdinfo. Keys that it does not know are skipped: there are always others. Pure. */
#include "devmem/fdinfo.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The value of a line "key:\tvalue" if its key begins with @key, and the rest of the key; else NULL. */
static const char *line_value(const char *line, size_t length, const char *key, const char **ret_rest,
			      size_t *ret_length)
{
	size_t key_length = strlen(key);
	const char *colon;

	if (length < key_length || memcmp(line, key, key_length))
		return NULL;
	colon = memchr(line + key_length, ':', length - key_length);
	if (!colon)
		return NULL;
	*ret_rest = line + key_length;
	for (colon++; colon < line + length && (*colon == ' ' || *colon == '\t'); colon++)
		;
	*ret_length = (size_t)(line + length - colon);
	return colon;
}

static bool copy_name(const char *value, size_t length, char *name, size_t size)
{
	if (length == 0 || length >= size)
		return false;
	for (size_t i = 0; i < length; i++)
		if (value[i] <= ' ' || value[i] > '~')
			return false;
	memcpy(name, value, length);
	name[length] = '\0';
	return true;
}

/* A number, and a unit of the DRM's (Documentation/gpu/drm-usage-stats.rst) if @unit. */
static bool copy_number(const char *value, size_t length, bool unit, int64_t *ret)
{
	int64_t number = 0;
	size_t i;

	for (i = 0; i < length && value[i] >= '0' && value[i] <= '9'; i++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, value[i] - '0', &number))
			return false;
	if (i == 0)
		return false;
	if (unit && length - i == 4 && !memcmp(value + i, " KiB", 4)) {
		if (__builtin_mul_overflow(number, 1024, &number))
			return false;
	} else if (unit && length - i == 4 && !memcmp(value + i, " MiB", 4)) {
		if (__builtin_mul_overflow(number, 1 << 20, &number))
			return false;
	} else if (i != length) {
		return false;
	}
	*ret = number;
	return true;
}

int fdinfo_parse(const char *text, struct fdinfo *ret)
{
	struct fdinfo info = { .devmem_id = FABRICMAP_UNKNOWN, .resident_bytes = FABRICMAP_UNKNOWN };
	bool is_devmem = false, good = true;
	const char *rest;
	size_t length;

	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		size_t line_length = strcspn(line, "\n");
		const char *value;

		value = line_value(line, line_length, "drm-fabric-devmem-id", &rest, &length);
		if (value && *rest == ':') {
			is_devmem = true;
			good &= copy_number(value, length, false, &info.devmem_id);
		}
		value = line_value(line, line_length, "drm-fabric-device", &rest, &length);
		if (value && *rest == ':')
			good &= copy_name(value, length, info.device, sizeof(info.device));
		value = line_value(line, line_length, "drm-fabric-region", &rest, &length);
		if (value && *rest == ':')
			good &= copy_name(value, length, info.region, sizeof(info.region));
		value = line_value(line, line_length, "drm-resident-", &rest, &length);
		if (value && !copy_number(value, length, true, &info.resident_bytes))
			info.resident_bytes = FABRICMAP_UNKNOWN;
	}
	if (!is_devmem)
		return 0;
	if (!good || !info.device[0] || !info.region[0])
		return -EBADMSG;
	*ret = info;
	return 1;
}

/* SPDX-License-Identifier: MIT */
/* name - what a device, region or group may be called. */
#ifndef FABRICMAP_NAME_H
#define FABRICMAP_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Names get into messages, tables and paths; a folder cannot have one that begins with a dot. @size counts the NUL. */
static inline bool name_is_good(const char *name, size_t size)
{
	size_t length = strnlen(name, size);

	if (length == 0 || length >= size || name[0] == '.')
		return false;
	for (size_t i = 0; i < length; i++)
		if (name[i] <= ' ' || name[i] > '~' || name[i] == '/')
			return false;
	return true;
}

#endif

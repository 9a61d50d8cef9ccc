// SPDX-License-Identifier: MIT
/* Lines of a key and a number. Pure functions. */
#include "source/properties.h"

#include <errno.h>
#include <string.h>

static int number_parse(const char *text, uint64_t *ret)
{
	uint64_t value = 0;

	if (!*text)
		return -EINVAL;
	if (*text == '-' && text[1] && !text[1 + strspn(text + 1, "0123456789")])
		return -ERANGE;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			return -ERANGE;
	}
	*ret = value;
	return 0;
}

static struct property *property_find(struct property *wanted, size_t n_wanted, const char *key)
{
	for (size_t i = 0; i < n_wanted; i++)
		if (!strcmp(wanted[i].key, key))
			return &wanted[i];
	return NULL;
}

int properties_parse(char *text, struct property *wanted, size_t n_wanted, const char **ret_key)
{
	*ret_key = NULL;
	while (*text) {
		char *key = text, *end = strchrnul(text, '\n'), *blank;
		struct property *property;
		int r;

		text = *end ? end + 1 : end;
		*end = '\0';
		blank = strchr(key, ' ');
		*ret_key = key;
		if (!blank || blank == key)
			return -EINVAL;
		*blank = '\0';
		property = property_find(wanted, n_wanted, key);
		if (!property)
			continue;
		if (property->is_there)
			return -EEXIST;
		r = number_parse(blank + 1, &property->value);
		if (r == 0 && property->value > property->max)
			r = -ERANGE;
		if (r < 0)
			return r;
		property->is_there = true;
	}
	*ret_key = NULL;
	return 0;
}

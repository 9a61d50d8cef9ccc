/* SPDX-License-Identifier: MIT */
/* properties - text of lines "key number", as the AMD compute driver has it in sysfs. */
#ifndef FABRICMAP_SOURCE_PROPERTIES_H
#define FABRICMAP_SOURCE_PROPERTIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct property {
	const char *key;
	uint64_t max; /* what is more is out of range */
	uint64_t value; /* read */
	bool is_there; /* read */
};

/**
 * properties_parse() - the numbers of some keys
 * @text: is written to
 * @wanted: keys that are not wanted are passed over
 *
 * Return: 0, -EINVAL a line that is none, -ERANGE, -EEXIST a wanted key twice; @ret_key is then the key, within @text or
 * @wanted, or NULL.
 */
int properties_parse(char *text, struct property *wanted, size_t n_wanted, const char **ret_key);

#endif

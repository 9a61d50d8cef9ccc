/* SPDX-License-Identifier: MIT */
/* index - from names to positions in an array, in constant time. Names are borrowed and must outlive it. */
#ifndef FABRICMAP_MODEL_INDEX_H
#define FABRICMAP_MODEL_INDEX_H

#include <stddef.h>
#include <sys/types.h>

struct name_index {
	struct name_slot {
		const char *name; /* NULL: free */
		size_t position;
	} * slots;
	size_t n_slots, n_names; /* n_slots: 0 or a power of two */
};

void name_index_fini(struct name_index *index);

/* Of a name that is there the position is replaced, and @name borrowed instead. Return: 0 or -ENOMEM. */
int name_index_set(struct name_index *index, const char *name, size_t position);

/* -ENOENT if it is not there. */
ssize_t name_index_find(const struct name_index *index, const char *name);

#endif

// SPDX-License-Identifier: MIT
/* A hash table with open addressing, at most half full. */
#include "model/index.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void name_index_fini(struct name_index *index)
{
	free(index->slots);
	*index = (struct name_index){ 0 };
}

/* FNV-1a, folded: names of one machine differ in few characters, often the last ones. */
static size_t name_hash(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3;
	return (size_t)(hash ^ hash >> 29);
}

/* The slot that has the name, or the one that would take it. */
static struct name_slot *slot_of(const struct name_index *index, const char *name)
{
	size_t at = name_hash(name) & (index->n_slots - 1);

	while (index->slots[at].name && strcmp(index->slots[at].name, name))
		at = (at + 1) & (index->n_slots - 1);
	return &index->slots[at];
}

static int grow(struct name_index *index)
{
	struct name_index grown = {
		.n_slots = index->n_slots ? index->n_slots * 2 : 64,
		.n_names = index->n_names,
	};

	grown.slots = calloc(grown.n_slots, sizeof(*grown.slots));
	if (!grown.slots)
		return -ENOMEM;
	for (size_t i = 0; i < index->n_slots; i++)
		if (index->slots[i].name)
			*slot_of(&grown, index->slots[i].name) = index->slots[i];
	free(index->slots);
	*index = grown;
	return 0;
}

int name_index_set(struct name_index *index, const char *name, size_t position)
{
	struct name_slot *slot;

	if (2 * (index->n_names + 1) > index->n_slots && grow(index) < 0)
		return -ENOMEM;
	slot = slot_of(index, name);
	if (!slot->name)
		index->n_names++;
	*slot = (struct name_slot){ name, position };
	return 0;
}

ssize_t name_index_find(const struct name_index *index, const char *name)
{
	const struct name_slot *slot;

	if (index->n_slots == 0)
		return -ENOENT;
	slot = slot_of(index, name);
	return slot->name ? (ssize_t)slot->position : -ENOENT;
}

// SPDX-License-Identifier: MIT
/*
 * Lists of holders: filled by the scan of /proc (devmem) or by the daemon's answer (client).
 */
#include "public/public.h"

#include "base/base.h"

#include <string.h>

int fabricmap_holders_new(struct fabricmap_holders **ret)
{
	struct fabricmap_holders *holders = calloc(1, sizeof(*holders));

	if (!holders)
		return -ENOMEM;
	*ret = holders;
	return 0;
}

static void holder_fini(struct fabricmap_holder *holder)
{
	free(holder->device);
	free(holder->region);
	free(holder->comm);
	*holder = (struct fabricmap_holder){ 0 };
}

int fabricmap_holders_add(struct fabricmap_holders *holders, struct fabricmap_holder *holder)
{
	if (holders->n_holders >= holders->size) {
		size_t size = holders->size ? holders->size * 2 : 16;
		struct fabricmap_holder *grown = reallocarray(holders->holders, size, sizeof(*grown));

		if (!grown) {
			holder_fini(holder);
			return -ENOMEM;
		}
		holders->holders = grown;
		holders->size = size;
	}
	holders->holders[holders->n_holders++] = *holder;
	*holder = (struct fabricmap_holder){ 0 };
	return 0;
}

static int holder_compare(const void *a, const void *b)
{
	const struct fabricmap_holder *a_holder = a, *b_holder = b;
	int r = topology_name_compare(a_holder->device, b_holder->device);

	if (r)
		return r;
	if (a_holder->pid != b_holder->pid)
		return a_holder->pid < b_holder->pid ? -1 : 1;
	if (a_holder->devmem_id != b_holder->devmem_id)
		return a_holder->devmem_id < b_holder->devmem_id ? -1 : 1;
	return 0;
}

/* In order, each process and handle once: a process may have several fds of one handle. */
void fabricmap_holders_sort(struct fabricmap_holders *holders)
{
	size_t n_kept = 0;

	if (holders->n_holders == 0)
		return;
	qsort(holders->holders, holders->n_holders, sizeof(*holders->holders), holder_compare);
	for (size_t i = 0; i < holders->n_holders; i++) {
		if (n_kept > 0 && holder_compare(&holders->holders[n_kept - 1], &holders->holders[i]) == 0) {
			holder_fini(&holders->holders[i]);
			continue;
		}
		if (n_kept != i)
			holders->holders[n_kept] = holders->holders[i];
		n_kept++;
	}
	holders->n_holders = n_kept;
}

FABRICMAP_EXPORT struct fabricmap_holders *fabricmap_holders_free(struct fabricmap_holders *holders)
{
	if (!holders)
		return NULL;
	for (size_t i = 0; i < holders->n_holders; i++)
		holder_fini(&holders->holders[i]);
	free(holders->holders);
	free(holders);
	return NULL;
}

void fabricmap_holders_freep(struct fabricmap_holders **holders)
{
	fabricmap_holders_free(*holders);
}

FABRICMAP_EXPORT size_t fabricmap_holders_n(const struct fabricmap_holders *holders)
{
	return holders->n_holders;
}

FABRICMAP_EXPORT size_t fabricmap_holders_n_unreadable(const struct fabricmap_holders *holders)
{
	return holders->n_unreadable;
}

FABRICMAP_EXPORT const char *fabricmap_holders_device(const struct fabricmap_holders *holders, size_t index)
{
	return index < holders->n_holders ? holders->holders[index].device : NULL;
}

FABRICMAP_EXPORT const char *fabricmap_holders_region(const struct fabricmap_holders *holders, size_t index)
{
	return index < holders->n_holders ? holders->holders[index].region : NULL;
}

FABRICMAP_EXPORT const char *fabricmap_holders_comm(const struct fabricmap_holders *holders, size_t index)
{
	return index < holders->n_holders ? holders->holders[index].comm : NULL;
}

FABRICMAP_EXPORT int64_t fabricmap_holders_pid(const struct fabricmap_holders *holders, size_t index)
{
	return index < holders->n_holders ? holders->holders[index].pid : FABRICMAP_UNKNOWN;
}

FABRICMAP_EXPORT int64_t fabricmap_holders_uid(const struct fabricmap_holders *holders, size_t index)
{
	return index < holders->n_holders ? holders->holders[index].uid : FABRICMAP_UNKNOWN;
}

FABRICMAP_EXPORT int64_t fabricmap_holders_devmem_id(const struct fabricmap_holders *holders, size_t index)
{
	return index < holders->n_holders ? holders->holders[index].devmem_id : FABRICMAP_UNKNOWN;
}

FABRICMAP_EXPORT int64_t fabricmap_holders_resident_bytes(const struct fabricmap_holders *holders, size_t index)
{
	return index < holders->n_holders ? holders->holders[index].resident_bytes : FABRICMAP_UNKNOWN;
}

// SPDX-License-Identifier: MIT
/*
 * Who uses a region, as the kernel counts it: one answer of it, kept.
 */
#include "base/base.h"
#include "base/name.h"
#include "devmem/node.h"
#include "public/public.h"

#include <drm/drm_fabric.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

/* Holders come and go between two questions; so often a little more room is tried. */
#define USAGE_TRIES 16

struct fabricmap_usage {
	struct drm_fabric_holders head;
	struct fabricmap_user *users;
};

static const char *kind_name(uint32_t kind)
{
	switch (kind) {
	case DRM_FABRIC_HOLDER_HANDLE:
		return "handle";
	case DRM_FABRIC_HOLDER_PROCESS:
		return "process";
	case DRM_FABRIC_HOLDER_INHERITED:
		return "inherited";
	default:
		return NULL;
	}
}

static struct fabricmap_user user_of(const struct drm_fabric_holder *row)
{
	bool is_handle = row->kind == DRM_FABRIC_HOLDER_HANDLE, is_somebody = row->kind != DRM_FABRIC_HOLDER_INHERITED;

	return (struct fabricmap_user){
		.kind = kind_name(row->kind),
		.is_open = (row->flags & DRM_FABRIC_HOLDER_OPEN) != 0,
		.is_revoked = (row->flags & DRM_FABRIC_HOLDER_REVOKED) != 0,
		.pid = row->pid ? row->pid : FABRICMAP_UNKNOWN,
		.uid = is_somebody ? (int64_t)row->uid : FABRICMAP_UNKNOWN,
		.devmem_id = is_handle ? (int64_t)row->devmem_id : FABRICMAP_UNKNOWN,
		.grant_id = row->grant_id ? (int64_t)row->grant_id : FABRICMAP_UNKNOWN,
		.reserved_bytes = is_handle ? (int64_t)row->reserved_bytes : FABRICMAP_UNKNOWN,
		.bytes = (int64_t)row->bytes,
		.dead_bytes = (int64_t)row->dead_bytes,
	};
}

/* Asks with room for @n rows, which it frees unless it succeeds. -ENOSPC: head->n_holders is how many there are. */
static int usage_ask(int fd, struct drm_fabric_holders *head, uint32_t n, struct drm_fabric_holder **ret)
{
	_cleanup_(freep) struct drm_fabric_holder *rows = calloc(n ? n : 1, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	head->n_holders = n;
	head->holders = (uintptr_t)rows;
	if (ioctl(fd, DRM_FABRIC_IOCTL_HOLDERS, head) < 0)
		return errno == ENOTTY ? -ENOSYS : -errno;
	*ret = steal_ptr(&rows);
	return 0;
}

FABRICMAP_EXPORT int fabricmap_usage_read(const char *device, const char *region, struct fabricmap_usage **ret)
{
	_cleanup_(fabricmap_usage_freep) struct fabricmap_usage *usage = NULL;
	_cleanup_(freep) struct drm_fabric_holder *rows = NULL;
	_cleanup_(closep) int fd = -1;
	uint32_t n = 16;
	int r = -ENOSPC;

	usage = calloc(1, sizeof(*usage));
	if (!usage)
		return -ENOMEM;
	if (!name_is_good(device, sizeof(usage->head.device)) || !name_is_good(region, sizeof(usage->head.region)))
		return -EINVAL;
	strcpy(usage->head.device, device);
	strcpy(usage->head.region, region);
	fd = node_open("/dev/drm_fabric");
	if (fd < 0)
		return fd;
	for (int i = 0; r == -ENOSPC && i < USAGE_TRIES; i++) {
		r = usage_ask(fd, &usage->head, n, &rows);
		n = usage->head.n_holders + usage->head.n_holders / 8 + 16;
	}
	if (r < 0)
		return r == -ENOSPC ? -EAGAIN : r;
	usage->users = calloc(usage->head.n_holders + 1, sizeof(*usage->users));
	if (!usage->users)
		return -ENOMEM;
	for (uint32_t i = 0; i < usage->head.n_holders; i++)
		usage->users[i] = user_of(&rows[i]);
	*ret = steal_ptr(&usage);
	return 0;
}

FABRICMAP_EXPORT struct fabricmap_usage *fabricmap_usage_free(struct fabricmap_usage *usage)
{
	if (usage)
		free(usage->users);
	free(usage);
	return NULL;
}

void fabricmap_usage_freep(struct fabricmap_usage **usage)
{
	fabricmap_usage_free(*usage);
}

FABRICMAP_EXPORT size_t fabricmap_usage_n(const struct fabricmap_usage *usage)
{
	return usage->head.n_holders;
}

FABRICMAP_EXPORT const struct fabricmap_user *fabricmap_usage_at(const struct fabricmap_usage *usage, size_t index)
{
	return index < usage->head.n_holders ? &usage->users[index] : NULL;
}

FABRICMAP_EXPORT int64_t fabricmap_usage_bytes(const struct fabricmap_usage *usage)
{
	return (int64_t)usage->head.bytes;
}

FABRICMAP_EXPORT int64_t fabricmap_usage_hidden_bytes(const struct fabricmap_usage *usage)
{
	return (int64_t)usage->head.hidden_bytes;
}

FABRICMAP_EXPORT size_t fabricmap_usage_n_hidden_handles(const struct fabricmap_usage *usage)
{
	return usage->head.n_hidden_handles;
}

FABRICMAP_EXPORT int64_t fabricmap_usage_hidden_reserved_bytes(const struct fabricmap_usage *usage)
{
	return (int64_t)usage->head.hidden_reserved_bytes;
}

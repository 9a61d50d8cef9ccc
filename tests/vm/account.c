// SPDX-License-Identifier: MIT
/* Reservations, grants and figures of a region. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "account.h"

#define PATIENCE_MS 60000

void region_setup(size_t vram_bytes)
{
	gpu_restore();
	/* Of a test that failed. */
	(void)gpu_try_bus("del_device", "0");
	gpu_bus("new_device", "0 %zu", vram_bytes);
	ck_assert(gpu_wait_present(REGION_GPU, true, PATIENCE_MS));
}

void region_teardown(void)
{
	wait_no_holders(REGION_GPU);
	gpu_bus("del_device", "0");
	ck_assert(gpu_wait_present(REGION_GPU, false, PATIENCE_MS));
}

struct gpu *region_open(void)
{
	struct gpu *gpu = gpu_open_name(REGION_GPU);

	gpu_open_devmem(gpu);
	return gpu;
}

uint64_t region_figure(const char *file)
{
	char path[64], buf[32];

	snprintf(path, sizeof(path), "regions/vram0/%s", file);
	ck_assert(gpu_attr(REGION_GPU, path, buf, sizeof(buf)));
	return strtoull(buf, NULL, 10);
}

void region_wait(const char *file, uint64_t value)
{
	char path[64], text[32];

	snprintf(path, sizeof(path), "regions/vram0/%s", file);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	ck_assert_msg(gpu_wait_attr(REGION_GPU, path, text, PATIENCE_MS), "%s is %llu and not %s", file,
		      (unsigned long long)region_figure(file), text);
}

char *filled(size_t size, bool huge)
{
	char *a = map_memory(size, huge);

	memset(a, 1, size);
	return a;
}

int try_reserve(int devmem_fd, uint64_t bytes, uint64_t *ret_available)
{
	struct drm_fabric_devmem_reserve args = { .bytes = bytes };
	int r = ioctl(devmem_fd, DRM_FABRIC_DEVMEM_RESERVE, &args) ? -errno : 0;

	if (ret_available)
		*ret_available = args.available_bytes;
	return r;
}

void reserve(int devmem_fd, uint64_t bytes)
{
	int r = try_reserve(devmem_fd, bytes, NULL);

	ck_assert_msg(!r, "RESERVE %llu: %s", (unsigned long long)bytes, strerror(-r));
}

int try_grant(int devmem_fd, int fabric_fd, uint64_t *id)
{
	struct drm_fabric_devmem_grant args = { .fabric_fd = fabric_fd, .grant_id = *id };

	if (ioctl(devmem_fd, DRM_FABRIC_DEVMEM_GRANT, &args))
		return -errno;
	*id = args.grant_id;
	return 0;
}

int try_revoke(int fd, unsigned long cmd, uint64_t id, uint32_t timeout_ms, uint64_t *ret_bytes)
{
	struct drm_fabric_revoke args = { .grant_id = id, .timeout_ms = timeout_ms };
	int r = ioctl(fd, cmd, &args) ? -errno : 0;

	if (ret_bytes)
		*ret_bytes = args.resident_bytes;
	return r;
}

struct drm_fabric_devmem_info devmem_info(int devmem_fd)
{
	struct drm_fabric_devmem_info args = {};

	ck_assert_msg(!ioctl(devmem_fd, DRM_FABRIC_DEVMEM_INFO, &args), "INFO: %s", strerror(errno));
	return args;
}

static int open_node(const char *node)
{
	int fd = open(node, O_RDWR | O_CLOEXEC);

	ck_assert_msg(fd >= 0, "%s: %s", node, strerror(errno));
	return fd;
}

int open_fabric(void)
{
	return open_node("/dev/drm_fabric");
}

int open_admin(void)
{
	return open_node("/dev/drm_fabric_admin");
}

int try_holders(const char *device, struct holders *ret)
{
	int fd = open_fabric(), r;

	memset(ret, 0, sizeof(*ret));
	snprintf(ret->head.device, sizeof(ret->head.device), "%s", device);
	strcpy(ret->head.region, "vram0");
	ret->head.n_holders = MAX_HOLDERS;
	ret->head.holders = (uintptr_t)ret->rows;
	r = ioctl(fd, DRM_FABRIC_IOCTL_HOLDERS, &ret->head) ? -errno : 0;
	close(fd);
	return r;
}

void read_holders(const char *device, struct holders *ret)
{
	uint64_t handles = 0, others = 0, last_id = 0, kind = 0;
	int r = try_holders(device, ret);

	ck_assert_msg(!r, "HOLDERS: %s", strerror(-r));
	for (size_t i = 0; i < ret->head.n_holders; i++) {
		const struct drm_fabric_holder *row = &ret->rows[i];

		ck_assert_uint_ge(row->kind, kind);
		kind = row->kind;
		ck_assert_uint_le(row->dead_bytes, row->bytes);
		if (row->kind == DRM_FABRIC_HOLDER_HANDLE) {
			ck_assert_uint_gt(row->devmem_id, last_id);
			last_id = row->devmem_id;
			handles += row->bytes;
		} else {
			ck_assert_uint_gt(row->bytes, 0);
			others += row->bytes;
		}
	}
	ck_assert_uint_eq(ret->head.bytes, others + ret->head.hidden_bytes);
	if (!ret->head.n_hidden_handles)
		ck_assert_uint_eq(ret->head.bytes, handles);
}

const struct drm_fabric_holder *holder_of_handle(const struct holders *holders, uint64_t id)
{
	for (size_t i = 0; i < holders->head.n_holders; i++)
		if (holders->rows[i].kind == DRM_FABRIC_HOLDER_HANDLE && holders->rows[i].devmem_id == id)
			return &holders->rows[i];
	return NULL;
}

const struct drm_fabric_holder *holder_of_pid(const struct holders *holders, int pid)
{
	for (size_t i = 0; i < holders->head.n_holders; i++)
		if (holders->rows[i].kind == DRM_FABRIC_HOLDER_PROCESS && holders->rows[i].pid == pid)
			return &holders->rows[i];
	return NULL;
}

uint64_t inherited_of(const struct holders *holders)
{
	const struct drm_fabric_holder *last = &holders->rows[holders->head.n_holders - 1];

	return holders->head.n_holders && last->kind == DRM_FABRIC_HOLDER_INHERITED ? last->bytes : 0;
}

void wait_no_holders(const char *device)
{
	uint64_t end = now_ms() + PATIENCE_MS;
	struct holders holders;

	do {
		read_holders(device, &holders);
		if (!holders.head.n_holders && !holders.head.bytes)
			return;
		sleep_ms(10);
	} while (now_ms() < end);
	ck_abort_msg("%s: %u holders are left, of %llu bytes", device, holders.head.n_holders,
		     (unsigned long long)holders.head.bytes);
}

// SPDX-License-Identifier: MIT
/* Preferences and residency as a test sees them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "prefer.h"

void places_init(struct places *places, size_t n)
{
	char name[DRM_FABRIC_DEVICE_NAME_SIZE];

	ck_assert_uint_le(n, PLACES_MAX);
	gpu_reload("");
	*places = (struct places){ .n = n };
	gpu_bus("link", "softgpu0 softgpu1 xgmi 50000 40000 700");
	gpu_bus("link", "softgpu1 softgpu0 xgmi 50000 40000 700");
	for (size_t i = 0; i < n; i++) {
		gpu_bus("new_device", "%zu %zu", i, PLACES_VRAM);
		snprintf(name, sizeof(name), "softgpu%zu", i);
		places->gpus[i] = gpu_open_name(name);
		gpu_open_devmem(places->gpus[i]);
	}
}

static int fd_of_fabric = -1;

void places_fini(struct places *places)
{
	for (size_t i = 0; i < places->n; i++)
		gpu_close(places->gpus[i]);
	places->n = 0;
	/* It keeps the module. */
	if (fd_of_fabric >= 0)
		close(fd_of_fabric);
	fd_of_fabric = -1;
}

int fabric_fd(void)
{
	if (fd_of_fabric < 0)
		fd_of_fabric = open("/dev/drm_fabric", O_RDWR | O_CLOEXEC);
	ck_assert_msg(fd_of_fabric >= 0, "/dev/drm_fabric: %s", strerror(errno));
	return fd_of_fabric;
}

int try_prefer(const struct places *places, const void *addr, size_t size, const char *list)
{
	struct drm_fabric_prefer args = { .start = (uintptr_t)addr, .length_bytes = size };

	for (; *list; list++) {
		struct drm_fabric_location *l = &args.locations[args.n_locations++];

		l->fd = -1;
		if (*list == 'S') {
			l->type = DRM_FABRIC_LOCATION_SYSTEM;
		} else if (*list == 'L') {
			l->type = DRM_FABRIC_LOCATION_LOCAL;
		} else {
			l->type = DRM_FABRIC_LOCATION_DEVMEM;
			l->fd = places->gpus[*list - 'A']->devmem_fd;
		}
	}
	return ioctl(fabric_fd(), DRM_FABRIC_IOCTL_PREFER, &args) ? -errno : 0;
}

void prefer(const struct places *places, const void *addr, size_t size, const char *list)
{
	int r = try_prefer(places, addr, size, list);

	ck_assert_msg(!r, "PREFER %s: %s", list, strerror(-r));
}

int try_preference(const struct gpu *accessor, const void *addr, struct drm_fabric_preference *ret)
{
	*ret = (struct drm_fabric_preference){
		.accessor_fd = !accessor		? -1 :
			       accessor->devmem_fd >= 0 ? accessor->devmem_fd :
							  accessor->render_fd,
		.address = (uintptr_t)addr,
	};
	return ioctl(fabric_fd(), DRM_FABRIC_IOCTL_PREFERENCE, ret) ? -errno : 0;
}

static char place_of(const struct places *places, const struct drm_fabric_location_info *info)
{
	if (info->type == DRM_FABRIC_LOCATION_SYSTEM)
		return 'S';
	if (info->type == DRM_FABRIC_LOCATION_LOCAL)
		return 'L';
	for (size_t i = 0; i < places->n; i++)
		if (places->gpus[i]->devmem_id == info->devmem_id && !strcmp(info->device, places->gpus[i]->name) &&
		    !strcmp(info->region, "vram0"))
			return 'A' + i;
	return '?';
}

const char *preferred(const struct places *places, const void *addr, size_t size, char *buf, size_t buf_size)
{
	uint64_t start = (uintptr_t)addr, at = start;
	struct drm_fabric_preference p;
	size_t len = 0;
	int r;

	*buf = '\0';
	while (!(r = try_preference(NULL, (void *)(uintptr_t)at, &p)) && p.start < start + size) {
		uint64_t end = p.start + p.length_bytes;
		uint64_t first = p.start < start ? start : p.start, last = end > start + size ? start + size : end;

		ck_assert_uint_gt(end, at);
		ck_assert_uint_gt(p.n_locations, 0);
		len += snprintf(buf + len, buf_size - len, "%s%llu-%llu ", len ? ", " : "",
				(unsigned long long)(first - start) / PAGE, (unsigned long long)(last - start) / PAGE);
		for (uint32_t i = 0; i < p.n_locations; i++)
			len += snprintf(buf + len, buf_size - len, "%c", place_of(places, &p.locations[i]));
		ck_assert_uint_lt(len, buf_size);
		at = end;
	}
	ck_assert_msg(!r || r == -ENOENT, "PREFERENCE: %s", strerror(-r));
	return buf;
}

void check_preferred(const struct places *places, const void *addr, size_t size, const char *expected)
{
	char buf[8192];

	ck_assert_str_eq(preferred(places, addr, size, buf, sizeof(buf)), expected);
}

void check_status(const struct gpu *accessor, const void *addr, const char *expected)
{
	char text[DRM_FABRIC_MAX_LOCATIONS + 1] = "";
	struct drm_fabric_preference p;

	ck_assert_int_eq(try_preference(accessor, addr, &p), 0);
	for (uint32_t i = 0; i < p.n_locations; i++)
		text[i] = "?*+fdgun"[p.locations[i].status & 7];
	ck_assert_str_eq(text, expected);
}

void check_resident(const struct places *places, const void *addr, size_t size, const char *expected)
{
	struct drm_fabric_residence in[PLACES_MAX];
	struct drm_fabric_residency args = {
		.n_residences = PLACES_MAX,
		.start = (uintptr_t)addr,
		.length_bytes = size,
		.residences = (uintptr_t)in,
	};
	uint64_t sum = 0;
	char text[256] = "";
	size_t len = 0;

	ck_assert_msg(!ioctl(fabric_fd(), DRM_FABRIC_IOCTL_RESIDENCY, &args), "RESIDENCY: %s", strerror(errno));
	for (uint32_t i = 0; i < args.n_residences; i++) {
		char place = '?';

		for (size_t g = 0; g < places->n; g++)
			if (!strcmp(places->gpus[g]->name, in[i].device))
				place = 'A' + g;
		ck_assert_str_eq(in[i].region, "vram0");
		len += snprintf(text + len, sizeof(text) - len, "%s%c %llu", len ? ", " : "", place,
				(unsigned long long)in[i].bytes / 1024);
		sum += in[i].bytes;
	}
	if (args.system_bytes)
		len += snprintf(text + len, sizeof(text) - len, "%sS %llu", len ? ", " : "",
				(unsigned long long)args.system_bytes / 1024);
	if (args.absent_bytes)
		len += snprintf(text + len, sizeof(text) - len, "%s- %llu", len ? ", " : "",
				(unsigned long long)args.absent_bytes / 1024);
	if (args.foreign_bytes)
		len += snprintf(text + len, sizeof(text) - len, "%sF %llu", len ? ", " : "",
				(unsigned long long)args.foreign_bytes / 1024);
	ck_assert_uint_eq(sum + args.system_bytes + args.absent_bytes + args.foreign_bytes, size);
	ck_assert_str_eq(text, expected);
}

// SPDX-License-Identifier: MIT
/* fabric-demo: options, and what its two halves share. */
#include "demo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <fabricmap.h>

int gpu_open(const char *device)
{
	struct drm_softgpu_vm_create create = { 0 };
	const struct fabricmap_device *found;
	struct fabricmap *map;
	const char *node;
	int fd, r;

	r = fabricmap_open(NULL, &map);
	if (r < 0)
		return r;
	found = fabricmap_device_find(map, device);
	node = found ? fabricmap_device_render_node(found) : NULL;
	fd = node ? open(node, O_RDWR | O_CLOEXEC) : -1;
	r = !node ? -ENODEV : fd < 0 ? -errno : 0;
	fabricmap_unref(map);
	if (r < 0)
		return r;
	if (!ioctl(fd, DRM_IOCTL_SOFTGPU_VM_CREATE, &create))
		return fd;
	r = -errno;
	(void)close(fd); /* nothing was written through it */
	return r;
}

int gpu_exec(int fd, uint32_t op, void *dst, const void *src, size_t size, uint64_t value,
	     struct drm_softgpu_exec *exec)
{
	*exec = (struct drm_softgpu_exec){
		.op = op,
		.dst = (uintptr_t)dst,
		.src = (uintptr_t)src,
		.length_bytes = size,
		.value = value,
	};
	return ioctl(fd, DRM_IOCTL_SOFTGPU_EXEC, exec) ? -errno : 0;
}

void *memory_new(size_t size)
{
	char *whole = mmap(NULL, size + 2 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *aligned;

	if (whole == MAP_FAILED)
		return NULL;
	aligned = (char *)(((uintptr_t)whole + 2 * MIB - 1) & ~(uintptr_t)(2 * MIB - 1));
	(void)madvise(aligned, size, MADV_HUGEPAGE); /* small pages do as well */
	return aligned;
}

uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "memory"))
		return memory_main(strtoull(argv[2], NULL, 0) * MIB, strtoull(argv[3], NULL, 0));
	if (argc >= 4 && !strcmp(argv[1], "work"))
		return work_main(argv[2], (size_t)argc - 3, argv + 3);
	fputs("usage: fabric-demo memory MIB SEED    holds a range; commands on stdin, an answer each on stdout\n"
	      "       fabric-demo work FILE DEVICE... computes there until SIGTERM; rounds so far in FILE\n",
	      stderr);
	return 2;
}

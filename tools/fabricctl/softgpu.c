// SPDX-License-Identifier: MIT
/* The software GPU's operations (uapi/drm/softgpu_drm.h). Stateless; the fd is the caller's. */
#include "softgpu.h"

#include "fabricctl.h"

#include <drm/softgpu_drm.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

int softgpu_open(const char *render_node)
{
	struct drm_softgpu_vm_create vm = { 0 };
	char name[32] = "";
	struct drm_version version = { .name = name, .name_len = sizeof(name) - 1 };
	int fd, r;

	fd = open(render_node, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* Numbers of driver calls mean other things to other drivers. */
	if (ioctl(fd, DRM_IOCTL_VERSION, &version) < 0)
		r = -errno;
	else if (strcmp(name, "softgpu"))
		r = -EOPNOTSUPP;
	else
		r = ioctl(fd, DRM_IOCTL_SOFTGPU_VM_CREATE, &vm) < 0 ? -errno : 0;
	if (r == 0)
		return fd;
	(void)close(fd); /* nothing was written through it */
	return r;
}

static int softgpu_exec(int fd, struct drm_softgpu_exec *exec, struct softgpu_result *ret)
{
	if (ioctl(fd, DRM_IOCTL_SOFTGPU_EXEC, exec) < 0)
		return -errno;
	*ret = (struct softgpu_result){
		.result = exec->result,
		.local_bytes = exec->local_bytes,
		.peer_bytes = exec->peer_bytes,
		.system_bytes = exec->system_bytes,
		.faults = exec->faults,
	};
	return 0;
}

int softgpu_checksum(int fd, const uint64_t *words, size_t n_words, struct softgpu_result *ret)
{
	struct drm_softgpu_exec exec = {
		.op = DRM_SOFTGPU_OP_CHECKSUM,
		.src = (uintptr_t)words,
		.length_bytes = n_words * sizeof(*words),
	};

	return softgpu_exec(fd, &exec, ret);
}

int softgpu_add(int fd, uint64_t *dst, const uint64_t *src, size_t n_words, struct softgpu_result *ret)
{
	struct drm_softgpu_exec exec = {
		.op = DRM_SOFTGPU_OP_ADD,
		.dst = (uintptr_t)dst,
		.src = (uintptr_t)src,
		.length_bytes = n_words * sizeof(*dst),
	};

	return softgpu_exec(fd, &exec, ret);
}

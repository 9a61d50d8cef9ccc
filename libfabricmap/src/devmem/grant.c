// SPDX-License-Identifier: MIT
/*
 * Promises and grants on devmem fds. A grant is the open file's that gave it: the caller keeps that, here is no state.
 */
#include "base/base.h"
#include "devmem/node.h"
#include "public/public.h"

#include <drm/drm_fabric.h>
#include <sys/ioctl.h>

FABRICMAP_EXPORT int fabricmap_devmem_reserve(int fd, uint64_t bytes, uint64_t *ret_available_bytes)
{
	struct drm_fabric_devmem_reserve arg = { .bytes = bytes };
	int r;

	r = ioctl(fd, DRM_FABRIC_DEVMEM_RESERVE, &arg) < 0 ? -errno : 0;
	if (ret_available_bytes)
		*ret_available_bytes = arg.available_bytes;
	return r;
}

FABRICMAP_EXPORT int fabricmap_giver_open(void)
{
	return node_open("/dev/drm_fabric");
}

FABRICMAP_EXPORT int fabricmap_devmem_grant(int fd, int giver_fd, uint64_t *grant_id)
{
	struct drm_fabric_devmem_grant arg = { .fabric_fd = giver_fd, .grant_id = *grant_id };

	if (ioctl(fd, DRM_FABRIC_DEVMEM_GRANT, &arg) < 0)
		return -errno;
	*grant_id = arg.grant_id;
	return 0;
}

static int take_back(int fd, unsigned long request, uint64_t grant_id, uint32_t timeout_ms,
		     uint64_t *ret_resident_bytes)
{
	struct drm_fabric_revoke arg = { .timeout_ms = timeout_ms, .grant_id = grant_id };
	int r;

	r = ioctl(fd, request, &arg) < 0 ? -errno : 0;
	if (ret_resident_bytes)
		*ret_resident_bytes = arg.resident_bytes;
	return r;
}

FABRICMAP_EXPORT int fabricmap_giver_revoke(int giver_fd, uint64_t grant_id, uint32_t timeout_ms,
					    uint64_t *ret_resident_bytes)
{
	return take_back(giver_fd, DRM_FABRIC_IOCTL_REVOKE, grant_id, timeout_ms, ret_resident_bytes);
}

FABRICMAP_EXPORT int fabricmap_admin_revoke(uint64_t grant_id, uint32_t timeout_ms, uint64_t *ret_resident_bytes)
{
	_cleanup_(closep) int fd = -1;

	fd = node_open("/dev/drm_fabric_admin");
	if (fd < 0)
		return fd;
	return take_back(fd, DRM_FABRIC_ADMIN_REVOKE, grant_id, timeout_ms, ret_resident_bytes);
}

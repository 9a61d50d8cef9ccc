// SPDX-License-Identifier: MIT
/*
 * Handles on regions: /dev/drm_fabric and the devmem fds that it gives (uapi/drm/drm_fabric.h). Stateless; the fds
 * are the caller's.
 */
#include "base/base.h"
#include "base/name.h"
#include "devmem/node.h"
#include "public/public.h"
#include "source/tree.h"

#include <drm/drm_fabric.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

/* The public header has its own sizes, so that it needs no header of the kernel. */
_Static_assert(FABRICMAP_DEVICE_NAME_SIZE == DRM_FABRIC_DEVICE_NAME_SIZE, "size of device names");
_Static_assert(FABRICMAP_REGION_NAME_SIZE == DRM_FABRIC_REGION_NAME_SIZE, "size of region names");
_Static_assert(FABRICMAP_N_REFUSED == DRM_FABRIC_N_REFUSED, "number of reasons");
_Static_assert(FABRICMAP_WHY_NOT_SIZE == DRM_FABRIC_WHY_NOT_SIZE, "size of a reason");
_Static_assert(FABRICMAP_POPULATE_STRICT == DRM_FABRIC_POPULATE_STRICT, "populate flags");

int node_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	return errno == ENOENT ? -ENOSYS : -errno;
}

int node_device_folder(const char *device)
{
	_cleanup_(closep) int root_fd = -1;
	_cleanup_(closep) int class_fd = -1;
	char path[sizeof("class/drm_fabric/") + DRM_FABRIC_DEVICE_NAME_SIZE];
	int fd;

	if (!name_is_good(device, DRM_FABRIC_DEVICE_NAME_SIZE))
		return -EINVAL;
	root_fd = tree_open(NULL);
	if (root_fd < 0)
		return root_fd;
	class_fd = tree_open_folder(root_fd, "class/drm_fabric");
	if (class_fd < 0)
		return class_fd == -ENOENT ? -ENOSYS : class_fd;
	(void)snprintf(path, sizeof(path), "class/drm_fabric/%s", device);
	fd = tree_open_folder(root_fd, path);
	return fd == -ENOENT ? -ENODEV : fd;
}

static int render_open(const char *device)
{
	_cleanup_(freep) char *node = NULL;
	_cleanup_(freep) char *path = NULL;
	_cleanup_(closep) int folder_fd = -1;
	int fd, r;

	folder_fd = node_device_folder(device);
	if (folder_fd < 0)
		return folder_fd;
	r = tree_read(folder_fd, "render_node", TREE_VALUE_MAX_BYTES, &node);
	if (r < 0)
		return r;
	if (!name_is_good(node, DRM_FABRIC_DEVICE_NAME_SIZE))
		return -ENOENT;
	if (asprintf(&path, "/dev/dri/%s", node) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

FABRICMAP_EXPORT int fabricmap_devmem_open_render(int render_fd, const char *region)
{
	struct drm_fabric_open_devmem arg = { .render_fd = render_fd };
	_cleanup_(closep) int fd = -1;

	if (!name_is_good(region, sizeof(arg.region)))
		return -EINVAL;
	strcpy(arg.region, region);
	fd = node_open("/dev/drm_fabric");
	if (fd < 0)
		return fd;
	if (ioctl(fd, DRM_FABRIC_IOCTL_OPEN_DEVMEM, &arg) < 0)
		return -errno;
	return arg.fd;
}

FABRICMAP_EXPORT int fabricmap_devmem_open(const char *device, const char *region)
{
	struct fabricmap_devmem_info info;
	_cleanup_(closep) int render_fd = -1;
	_cleanup_(closep) int fd = -1;
	int r;

	render_fd = render_open(device);
	if (render_fd < 0)
		return render_fd;
	fd = fabricmap_devmem_open_render(render_fd, region);
	if (fd < 0)
		return fd;
	/* Render nodes are numbered anew: between sysfs and open() this one may have become another's. */
	r = fabricmap_devmem_info(fd, &info);
	if (r < 0)
		return r;
	if (strcmp(info.device, device))
		return -ENODEV;
	return steal_fd(&fd);
}

static const char *state_name(uint32_t state)
{
	switch (state) {
	case DRM_FABRIC_STATE_ONLINE:
		return "online";
	case DRM_FABRIC_STATE_DRAINING:
		return "draining";
	case DRM_FABRIC_STATE_EVICTING:
		return "evicting";
	case DRM_FABRIC_STATE_OFFLINE:
		return "offline";
	case DRM_FABRIC_STATE_REVOKED:
		return "revoked";
	case DRM_FABRIC_STATE_LOST:
		return "lost";
	default:
		return NULL;
	}
}

FABRICMAP_EXPORT int fabricmap_devmem_info(int fd, struct fabricmap_devmem_info *ret)
{
	struct drm_fabric_devmem_info arg = { 0 };

	if (ioctl(fd, DRM_FABRIC_DEVMEM_INFO, &arg) < 0)
		return -errno;
	*ret = (struct fabricmap_devmem_info){
		.state = state_name(arg.state),
		.incarnation = arg.incarnation,
		.id = arg.id,
		.size_bytes = arg.size_bytes,
		.free_bytes = arg.free_bytes,
		.resident_bytes = arg.resident_bytes,
	};
	memcpy(ret->device, arg.device, sizeof(arg.device));
	memcpy(ret->region, arg.region, sizeof(arg.region));
	ret->device[sizeof(ret->device) - 1] = '\0';
	ret->region[sizeof(ret->region) - 1] = '\0';
	return 0;
}

FABRICMAP_EXPORT int fabricmap_devmem_populate(int fd, const void *address, uint64_t length_bytes, unsigned int flags,
					       struct fabricmap_populate *ret)
{
	struct drm_fabric_devmem_populate arg = {
		.flags = flags,
		.start = (uintptr_t)address,
		.length_bytes = length_bytes,
	};
	int r;

	r = ioctl(fd, DRM_FABRIC_DEVMEM_POPULATE, &arg) < 0 ? -errno : 0;
	if (ret) {
		*ret = (struct fabricmap_populate){
			.moved_bytes = arg.moved_bytes,
			.present_bytes = arg.present_bytes,
		};
		memcpy(ret->refused_bytes, arg.refused_bytes, sizeof(ret->refused_bytes));
	}
	return r;
}

FABRICMAP_EXPORT const char *fabricmap_refused_name(size_t reason)
{
	static const char *const names[] = {
		[DRM_FABRIC_REFUSED_BUSY] = "busy",
		[DRM_FABRIC_REFUSED_NO_ROOM] = "no room",
		[DRM_FABRIC_REFUSED_NOT_ANON] = "not anonymous",
		[DRM_FABRIC_REFUSED_NOT_MAPPED] = "not mapped",
		[DRM_FABRIC_REFUSED_NO_MEMORY] = "no memory",
		[DRM_FABRIC_REFUSED_COPY] = "copy failed",
		[DRM_FABRIC_REFUSED_OTHER] = "other",
		[DRM_FABRIC_REFUSED_PINNED] = "pinned",
		[DRM_FABRIC_REFUSED_SWAPPED] = "swapped out",
		[DRM_FABRIC_REFUSED_UNREACHABLE] = "unreachable",
		[DRM_FABRIC_REFUSED_LIMIT] = "limit",
		[DRM_FABRIC_REFUSED_DEAD] = "dead",
		[DRM_FABRIC_REFUSED_RESERVED] = "reserved",
	};

	return reason < sizeof(names) / sizeof(names[0]) ? names[reason] : "unknown";
}

FABRICMAP_EXPORT int fabricmap_devmem_to_system(int fd, const void *address, uint64_t length_bytes,
						struct fabricmap_to_system *ret)
{
	struct drm_fabric_devmem_to_system arg = {
		.start = (uintptr_t)address,
		.length_bytes = length_bytes,
	};
	int r;

	r = ioctl(fd, DRM_FABRIC_DEVMEM_TO_SYSTEM, &arg) < 0 ? -errno : 0;
	if (ret)
		*ret = (struct fabricmap_to_system){
			.moved_bytes = arg.moved_bytes,
			.dead_bytes = arg.dead_bytes,
		};
	return r;
}

FABRICMAP_EXPORT int fabricmap_devmem_residency(int fd, const void *address, uint64_t length_bytes,
						struct fabricmap_residency *ret)
{
	struct drm_fabric_devmem_residency arg = {
		.start = (uintptr_t)address,
		.length_bytes = length_bytes,
	};

	if (ioctl(fd, DRM_FABRIC_DEVMEM_RESIDENCY, &arg) < 0)
		return -errno;
	*ret = (struct fabricmap_residency){
		.region_bytes = arg.region_bytes,
		.other_bytes = arg.other_bytes,
		.system_bytes = arg.system_bytes,
		.absent_bytes = arg.absent_bytes,
		.dead_bytes = arg.dead_bytes,
	};
	return 0;
}

static const char *reach_type_name(uint32_t type)
{
	static const char *const names[] = {
		[DRM_FABRIC_REACH_NONE] = "none",
		[DRM_FABRIC_REACH_PCIE_SWITCH] = "pcie_switch",
		[DRM_FABRIC_REACH_PCIE_HOST_BRIDGE] = "pcie_host_bridge",
		[DRM_FABRIC_REACH_XGMI] = "xgmi",
		[DRM_FABRIC_REACH_NVLINK] = "nvlink",
		[DRM_FABRIC_REACH_XE_LINK] = "xe_link",
		[DRM_FABRIC_REACH_CXL] = "cxl",
		[DRM_FABRIC_REACH_SOFTGPU] = "softgpu",
	};

	if (type == DRM_FABRIC_REACH_LOCAL)
		return "local";
	return type < sizeof(names) / sizeof(names[0]) ? names[type] : NULL;
}

static const char *reach_provenance_name(uint32_t provenance)
{
	switch (provenance) {
	case DRM_FABRIC_REACH_NOMINAL:
		return "nominal";
	case DRM_FABRIC_REACH_FIRMWARE:
		return "firmware";
	case DRM_FABRIC_REACH_MEASURED:
		return "measured";
	default:
		return NULL;
	}
}

static int64_t figure(uint32_t value)
{
	return value ? (int64_t)value : FABRICMAP_UNKNOWN;
}

FABRICMAP_EXPORT int fabricmap_devmem_reach(int fd, int owner_fd, struct fabricmap_reach *ret)
{
	struct drm_fabric_devmem_reach arg = { .owner_fd = owner_fd };

	if (ioctl(fd, DRM_FABRIC_DEVMEM_REACH, &arg) < 0)
		return -errno;
	*ret = (struct fabricmap_reach){
		.reachable = arg.reachable != 0,
		.type = reach_type_name(arg.type),
		.provenance = reach_provenance_name(arg.provenance),
		.read_bandwidth_mbps = figure(arg.read_bandwidth_mbps),
		.write_bandwidth_mbps = figure(arg.write_bandwidth_mbps),
		.read_latency_ns = figure(arg.read_latency_ns),
		.write_latency_ns = figure(arg.write_latency_ns),
		.hops = figure(arg.hops),
		.generation = arg.generation,
	};
	memcpy(ret->why_not, arg.why_not, sizeof(arg.why_not));
	ret->why_not[sizeof(ret->why_not) - 1] = '\0';
	return 0;
}

static const char *event_name(uint32_t type)
{
	switch (type) {
	case DRM_FABRIC_EVENT_DRAINING:
		return "draining";
	case DRM_FABRIC_EVENT_CANCELLED:
		return "cancelled";
	case DRM_FABRIC_EVENT_EVICTING:
		return "evicting";
	case DRM_FABRIC_EVENT_REVOKED:
		return "revoked";
	case DRM_FABRIC_EVENT_LOST:
		return "lost";
	case DRM_FABRIC_EVENT_BACK:
		return "back";
	default:
		return NULL;
	}
}

static const char *event_reason_name(uint32_t reason)
{
	switch (reason) {
	case DRM_FABRIC_REASON_ADMIN:
		return "admin";
	case DRM_FABRIC_REASON_DRIVER:
		return "driver";
	case DRM_FABRIC_REASON_SUSPEND:
		return "suspend";
	case DRM_FABRIC_REASON_COPY:
		return "copy";
	case DRM_FABRIC_REASON_ABANDONED:
		return "abandoned";
	case DRM_FABRIC_REASON_GRANT:
		return "grant";
	case DRM_FABRIC_REASON_LOST:
		return "lost";
	default:
		return NULL;
	}
}

FABRICMAP_EXPORT int fabricmap_devmem_read_event(int fd, struct fabricmap_devmem_event *ret)
{
	struct drm_fabric_event event;
	ssize_t n;

	/* One at a time: a buffer of that size has room for one whole event only. */
	n = read(fd, &event, sizeof(event));
	if (n < 0)
		return -errno;
	if (n == 0)
		return 0;
	if ((size_t)n < sizeof(event) || event.size_bytes < sizeof(event))
		return -EBADMSG;
	*ret = (struct fabricmap_devmem_event){
		.type = event_name(event.type),
		.sequence = event.seq,
		.time_ns = event.time_ns,
		.reason = event_reason_name(event.reason),
		.deadline_ns = event.deadline_ns,
		.bytes = event.bytes,
		.incarnation = event.incarnation,
	};
	return 1;
}

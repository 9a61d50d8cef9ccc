// SPDX-License-Identifier: MIT
/*
 * Where ranges of the caller's memory should live, and where they are: /dev/drm_fabric (uapi/drm/drm_fabric.h).
 * Stateless: the kernel keeps what was asked, by address.
 */
#include "base/base.h"
#include "devmem/node.h"
#include "public/public.h"

#include <drm/drm_fabric.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

_Static_assert(FABRICMAP_MAX_LOCATIONS == DRM_FABRIC_MAX_LOCATIONS, "number of locations");
_Static_assert((int)FABRICMAP_LOCATION_SYSTEM == DRM_FABRIC_LOCATION_SYSTEM, "type of a location");
_Static_assert((int)FABRICMAP_LOCATION_LOCAL == DRM_FABRIC_LOCATION_LOCAL, "type of a location");
_Static_assert((int)FABRICMAP_LOCATION_DEVMEM == DRM_FABRIC_LOCATION_DEVMEM, "type of a location");

/* On /dev/drm_fabric. Returns 0 or -errno. */
static int fabric_call(unsigned long request, void *arg)
{
	_cleanup_(closep) int fd = -1;

	fd = node_open("/dev/drm_fabric");
	if (fd < 0)
		return fd;
	return ioctl(fd, request, arg) < 0 ? -errno : 0;
}

FABRICMAP_EXPORT int fabricmap_prefer(const void *address, uint64_t length_bytes,
				      const struct fabricmap_location *locations, size_t n_locations)
{
	struct drm_fabric_prefer arg = {
		.n_locations = (uint32_t)n_locations,
		.start = (uintptr_t)address,
		.length_bytes = length_bytes,
	};

	if (n_locations > FABRICMAP_MAX_LOCATIONS)
		return -EINVAL;
	for (size_t i = 0; i < n_locations; i++) {
		arg.locations[i].type = locations[i].type;
		arg.locations[i].fd = locations[i].fd;
	}
	return fabric_call(DRM_FABRIC_IOCTL_PREFER, &arg);
}

static const char *status_name(uint32_t status)
{
	static const char *const names[] = {
		[DRM_FABRIC_LOCATION_APPLIES] = "applies",     [DRM_FABRIC_LOCATION_SPARE] = "spare",
		[DRM_FABRIC_LOCATION_FULL] = "full",	       [DRM_FABRIC_LOCATION_DRAINING] = "draining",
		[DRM_FABRIC_LOCATION_GONE] = "gone",	       [DRM_FABRIC_LOCATION_UNREACHABLE] = "unreachable",
		[DRM_FABRIC_LOCATION_NO_MEMORY] = "no memory",
	};

	return status < sizeof(names) / sizeof(names[0]) ? names[status] : NULL;
}

/* @from: of the kernel, which ends its names */
static void name_copy(char *to, const char *from, size_t size)
{
	memcpy(to, from, size);
	to[size - 1] = '\0';
}

FABRICMAP_EXPORT int fabricmap_preference(const void *address, int accessor_fd, struct fabricmap_preference *ret)
{
	struct drm_fabric_preference arg = { .accessor_fd = accessor_fd, .address = (uintptr_t)address };
	int r;

	r = fabric_call(DRM_FABRIC_IOCTL_PREFERENCE, &arg);
	if (r < 0)
		return r;
	if (arg.n_locations > FABRICMAP_MAX_LOCATIONS)
		return -EBADMSG;
	*ret = (struct fabricmap_preference){
		.start = arg.start,
		.length_bytes = arg.length_bytes,
		.n_locations = arg.n_locations,
	};
	for (size_t i = 0; i < arg.n_locations; i++) {
		const struct drm_fabric_location_info *from = &arg.locations[i];
		struct fabricmap_location_info *to = &ret->locations[i];

		to->type = from->type;
		to->status = status_name(from->status);
		to->devmem_id = from->devmem_id;
		to->incarnation = from->incarnation;
		name_copy(to->device, from->device, sizeof(to->device));
		name_copy(to->region, from->region, sizeof(to->region));
	}
	return 0;
}

FABRICMAP_EXPORT int fabricmap_range_residency(const void *address, uint64_t length_bytes,
					       struct fabricmap_residence *residences, size_t *n_residences,
					       struct fabricmap_range_residency *ret)
{
	_cleanup_(freep) struct drm_fabric_residence *found = NULL;
	struct drm_fabric_residency arg = {
		.n_residences = (uint32_t)*n_residences,
		.start = (uintptr_t)address,
		.length_bytes = length_bytes,
	};
	int r;

	if (*n_residences > UINT32_MAX)
		return -EINVAL;
	if (*n_residences) {
		found = calloc(*n_residences, sizeof(*found));
		if (!found)
			return -ENOMEM;
		arg.residences = (uintptr_t)found;
	}
	r = fabric_call(DRM_FABRIC_IOCTL_RESIDENCY, &arg);
	if (r == -ENOSPC)
		*n_residences = arg.n_residences;
	if (r < 0)
		return r;
	for (size_t i = 0; i < arg.n_residences; i++) {
		residences[i] = (struct fabricmap_residence){
			.incarnation = found[i].incarnation,
			.bytes = found[i].bytes,
			.dead_bytes = found[i].dead_bytes,
		};
		name_copy(residences[i].device, found[i].device, sizeof(residences[i].device));
		name_copy(residences[i].region, found[i].region, sizeof(residences[i].region));
	}
	*n_residences = arg.n_residences;
	*ret = (struct fabricmap_range_residency){
		.system_bytes = arg.system_bytes,
		.absent_bytes = arg.absent_bytes,
		.foreign_bytes = arg.foreign_bytes,
	};
	return 0;
}

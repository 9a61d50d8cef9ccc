// SPDX-License-Identifier: MIT
/*
 * Administration without a daemon: /dev/drm_fabric_admin, with sysfs for progress. The kernel does the work and
 * carries on whoever watches; this starts its steps and waits.
 */
#include "base/base.h"
#include "base/clock.h"
#include "base/name.h"
#include "base/sum.h"
#include "devmem/node.h"
#include "public/public.h"
#include "source/tree.h"

#include <drm/drm_fabric.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>

enum {
	POLL_MS = 100,
	PROBE_TIMEOUT_MS = 10000,
	REGIONS_MAX = 64,
};

/* What sysfs says about a device now; numbers may be TOPOLOGY_UNKNOWN. */
struct status {
	enum topology_state state;
	int64_t incarnation;
	int64_t n_handles;
	int64_t resident_bytes;
	char blocked[16];
};

/* A signal may cut it short: the caller looks at the clock. */
static void sleep_ms(int64_t ms)
{
	const struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	(void)nanosleep(&pause, NULL);
}

static int64_t resident_read(int device_fd)
{
	_cleanup_(tree_list_fini) struct tree_list list = { 0 };
	_cleanup_(closep) int regions_fd = -1;
	int64_t sum = 0;

	regions_fd = tree_open_subfolder(device_fd, "regions");
	/* A device may have no memory of its own to offer. */
	if (regions_fd == -ENOENT)
		return 0;
	if (regions_fd < 0 || tree_list(regions_fd, REGIONS_MAX, &list) < 0)
		return TOPOLOGY_UNKNOWN;
	for (size_t i = 0; i < list.n_names; i++) {
		_cleanup_(closep) int fd = tree_open_subfolder(regions_fd, list.names[i]);
		int64_t bytes;

		if (fd < 0 || tree_read_number(fd, "resident_bytes", &bytes) < 0)
			return TOPOLOGY_UNKNOWN;
		sum = sum_saturated(sum, bytes);
	}
	return sum;
}

/* -ENODEV: it has gone, or was never there. */
static int status_read(const char *device, struct status *ret)
{
	struct status status = {
		.incarnation = TOPOLOGY_UNKNOWN,
		.n_handles = TOPOLOGY_UNKNOWN,
		.blocked = "none",
	};
	_cleanup_(closep) int fd = -1;
	_cleanup_(freep) char *state = NULL;
	_cleanup_(freep) char *blocked = NULL;
	int r;

	fd = node_device_folder(device);
	if (fd < 0)
		return fd;
	r = tree_read(fd, "state", TREE_VALUE_MAX_BYTES, &state);
	/* The folder may be left when the device is not. */
	if (r == -ENOENT)
		return -ENODEV;
	if (r < 0)
		return r;
	status.state = topology_state_from_string(state);
	if (!status.state)
		return -EBADMSG;
	(void)tree_read_number(fd, "incarnation", &status.incarnation); /* stays unknown */
	(void)tree_read_number(fd, "handles", &status.n_handles);
	r = tree_read(fd, "evict_blocked", TREE_VALUE_MAX_BYTES, &blocked);
	if (r == 0)
		(void)snprintf(status.blocked, sizeof(status.blocked), "%s", blocked);
	status.resident_bytes = resident_read(fd);
	*ret = status;
	return 0;
}

static int admin_call(unsigned long request, const char *device, uint32_t timeout_ms)
{
	struct drm_fabric_admin_device arg = { .timeout_ms = timeout_ms };
	_cleanup_(closep) int fd = -1;

	if (!name_is_good(device, sizeof(arg.device)))
		return -EINVAL;
	strcpy(arg.device, device);
	fd = node_open("/dev/drm_fabric_admin");
	if (fd < 0)
		return fd;
	return ioctl(fd, request, &arg) < 0 ? -errno : 0;
}

struct removal {
	const char *device;
	int64_t incarnation;
	int64_t started_ms;
	int64_t total_bytes;
	fabricmap_progress_fn fn;
	void *userdata;
	int verdict; /* of fn: not 0 ends the wait */
};

/* False: the caller's function wants no more. */
static bool removal_report(struct removal *removal, const char *step, const struct status *status)
{
	struct fabricmap_progress progress = {
		.step = step,
		.blocked = status ? status->blocked : "none",
		.resident_bytes = status ? status->resident_bytes : 0,
		.elapsed_ms = now_ms() - removal->started_ms,
	};

	if (status && progress.resident_bytes > removal->total_bytes)
		removal->total_bytes = progress.resident_bytes;
	progress.total_bytes = removal->total_bytes;
	if (removal->fn)
		removal->verdict = removal->fn(&progress, removal->userdata);
	return removal->verdict == 0;
}

/* 1: still there, 0: gone; the same name may have come back as another device. */
static int removal_look(struct removal *removal, struct status *ret)
{
	int r = status_read(removal->device, ret);

	if (r == -ENODEV || r == -ENOSYS)
		return 0;
	if (r < 0)
		return r;
	/* Not known is not gone: the next look tells. */
	if (ret->incarnation == TOPOLOGY_UNKNOWN || removal->incarnation == TOPOLOGY_UNKNOWN)
		return 1;
	return ret->incarnation == removal->incarnation;
}

/* Until the notice is over or the last handle is closed. */
static int removal_drain(struct removal *removal, uint32_t drain_ms)
{
	struct status status;
	int64_t left_ms;
	int r;

	r = admin_call(DRM_FABRIC_ADMIN_DRAIN, removal->device, drain_ms);
	if (r == -ENOTRECOVERABLE)
		return 1; /* lost: nobody can leave, and nothing goes home */
	if (r < 0 && r != -EALREADY)
		return r;
	for (;;) {
		r = removal_look(removal, &status);
		if (r <= 0)
			return r;
		if (status.state == TOPOLOGY_STATE_ONLINE)
			return -ECANCELED;
		if (!removal_report(removal, "draining", &status))
			return 0;
		left_ms = removal->started_ms + drain_ms - now_ms();
		if (left_ms <= 0 || status.n_handles == 0 || status.state != TOPOLOGY_STATE_DRAINING)
			return 1;
		sleep_ms(left_ms < POLL_MS ? left_ms : POLL_MS);
	}
}

static int removal_evict(struct removal *removal, bool keep_bound)
{
	struct status status;
	int r;

	r = admin_call(DRM_FABRIC_ADMIN_EVICT, removal->device, 0);
	if (r < 0 && r != -EALREADY && r != -ETIMEDOUT && r != -ENOTRECOVERABLE)
		return r;
	for (;;) {
		r = removal_look(removal, &status);
		if (r <= 0)
			return r;
		if (status.state == TOPOLOGY_STATE_ONLINE)
			return -ECANCELED;
		if (!removal_report(removal, "evicting", &status))
			return 0;
		if (status.state == TOPOLOGY_STATE_LOST)
			return keep_bound ? -ENOTRECOVERABLE : 1;
		if (status.state == TOPOLOGY_STATE_OFFLINE)
			return 1;
		sleep_ms(POLL_MS);
	}
}

static int removal_unbind(struct removal *removal)
{
	struct status status;
	int r;

	r = admin_call(DRM_FABRIC_ADMIN_UNBIND, removal->device, 0);
	if (r < 0 && r != -EALREADY && r != -ETIMEDOUT && r != -ENODEV)
		return r;
	for (;;) {
		r = removal_look(removal, &status);
		if (r <= 0)
			return r;
		if (status.state == TOPOLOGY_STATE_ONLINE)
			return -ECANCELED;
		if (!removal_report(removal, "unbinding", &status))
			return 0;
		sleep_ms(POLL_MS);
	}
}

FABRICMAP_EXPORT int fabricmap_admin_remove(const char *device, uint32_t drain_ms, unsigned int flags,
					    fabricmap_progress_fn fn, void *userdata)
{
	struct removal removal = {
		.device = device,
		.started_ms = now_ms(),
		.fn = fn,
		.userdata = userdata,
	};
	struct status status;
	int r;

	if (flags & ~(unsigned int)FABRICMAP_REMOVE_KEEP_BOUND)
		return -EINVAL;
	r = status_read(device, &status);
	if (r < 0)
		return r;
	removal.incarnation = status.incarnation;
	removal.total_bytes = status.resident_bytes;
	/*
	 * Each step says 1 to go on, and 0 if the wait is over: the device has gone (by whoever's hand, that is what
	 * was asked), or there is a verdict.
	 */
	r = removal_drain(&removal, drain_ms);
	if (r == 1)
		r = removal_evict(&removal, flags & FABRICMAP_REMOVE_KEEP_BOUND);
	if (r == 1 && !(flags & FABRICMAP_REMOVE_KEEP_BOUND))
		r = removal_unbind(&removal);
	if (r >= 0 && removal.verdict == 0)
		(void)removal_report(&removal, "done", NULL); /* sets the verdict */
	return r < 0 ? r : removal.verdict;
}

FABRICMAP_EXPORT int fabricmap_admin_cancel(const char *device)
{
	return admin_call(DRM_FABRIC_ADMIN_CANCEL, device, 0);
}

FABRICMAP_EXPORT int fabricmap_admin_abandon(const char *device)
{
	return admin_call(DRM_FABRIC_ADMIN_ABANDON, device, 0);
}

static int pci_probe(const char *device)
{
	char path[sizeof("/sys/bus/pci/devices//driver") + DRM_FABRIC_DEVICE_NAME_SIZE];
	_cleanup_(closep) int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", device);
	if (access(path, F_OK) < 0)
		return errno == ENOENT ? -ENODEV : -errno;
	fd = open("/sys/bus/pci/drivers_probe", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, device, strlen(device));
	return n < 0 ? -errno : 0;
}

FABRICMAP_EXPORT int fabricmap_admin_bring_back(const char *device)
{
	int64_t deadline_ms = now_ms() + PROBE_TIMEOUT_MS;
	struct status status;
	int r;

	r = status_read(device, &status);
	if (r == 0)
		return status.state == TOPOLOGY_STATE_ONLINE ? -EALREADY : fabricmap_admin_cancel(device);
	/* Without the kernel part a driver may still bring it along. */
	if (r != -ENODEV && r != -ENOSYS)
		return r;
	r = pci_probe(device);
	if (r < 0)
		return r;
	/* Drivers may probe asynchronously. */
	while (status_read(device, &status) < 0 || status.state != TOPOLOGY_STATE_ONLINE) {
		if (now_ms() >= deadline_ms)
			return -ENXIO;
		sleep_ms(POLL_MS);
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* admin_job - one ioctl on /dev/drm_fabric_admin, in a worker: the kernel says it does not wait, and this makes sure. */
#ifndef FABRICD_ADMIN_JOB_H
#define FABRICD_ADMIN_JOB_H

#include <stdint.h>

struct manager;

/* @result: 0 or a negative errno; -ENOENT and -ENXIO: there is no kernel part */
typedef void (*admin_job_done_fn)(void *userdata, int result);

/**
 * admin_job_start() - DRM_FABRIC_ADMIN_*
 * @timeout_ms: as in struct drm_fabric_admin_device
 *
 * Return: 0: @done will be called; a negative errno: it will not.
 */
int admin_job_start(struct manager *manager, unsigned long request, const char *device, uint32_t timeout_ms,
		    admin_job_done_fn done, void *userdata);

#endif

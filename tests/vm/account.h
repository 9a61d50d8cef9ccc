/* SPDX-License-Identifier: MIT */
/*
 * Reservations, grants and figures of a region as a test sees them.
 */
#ifndef TESTS_ACCOUNT_H
#define TESTS_ACCOUNT_H

#include "gpu.h"

#define MAX_HOLDERS 64

/* The device of region_setup(), which has as much memory as the test says, and nobody else on it. */
#define REGION_GPU "softgpu0"

void region_setup(size_t vram_bytes);
/* Nobody holds anything any more. */
void region_teardown(void);
/* With a handle. */
struct gpu *region_open(void);
/* A file of the region. */
uint64_t region_figure(const char *file);
void region_wait(const char *file, uint64_t value);

/* As map_memory(), every byte 1. */
char *filled(size_t size, bool huge);

struct holders {
	struct drm_fabric_holders head;
	struct drm_fabric_holder rows[MAX_HOLDERS];
};

/* DRM_FABRIC_DEVMEM_RESERVE. Return 0 or -errno; @ret_available may be NULL. */
int try_reserve(int devmem_fd, uint64_t bytes, uint64_t *ret_available);
void reserve(int devmem_fd, uint64_t bytes);
/* DRM_FABRIC_DEVMEM_GRANT. Returns 0 or -errno. */
int try_grant(int devmem_fd, int fabric_fd, uint64_t *id);
/* DRM_FABRIC_IOCTL_REVOKE or _ADMIN_REVOKE. Returns 0 or -errno; @ret_bytes may be NULL. */
int try_revoke(int fd, unsigned long cmd, uint64_t id, uint32_t timeout_ms, uint64_t *ret_bytes);
struct drm_fabric_devmem_info devmem_info(int devmem_fd);

int open_fabric(void);
int open_admin(void);

/* Returns 0 or -errno. */
int try_holders(const char *device, struct holders *ret);
/* Reads them, and asserts that they add up. */
void read_holders(const char *device, struct holders *ret);
/* The row of a handle or a process; NULL: there is none. */
const struct drm_fabric_holder *holder_of_handle(const struct holders *holders, uint64_t id);
const struct drm_fabric_holder *holder_of_pid(const struct holders *holders, int pid);
/* Of the INHERITED row; 0: there is none. */
uint64_t inherited_of(const struct holders *holders);
/* Asserts that nobody holds anything, after a while at the latest. */
void wait_no_holders(const char *device);

#endif

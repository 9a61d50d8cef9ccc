/* SPDX-License-Identifier: MIT */
/*
 * A software GPU as a test sees it. Whatever goes wrong here ends the test: these are tests of what comes after.
 */
#ifndef TESTS_GPU_H
#define TESTS_GPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <drm/drm_fabric.h>
#include <drm/softgpu_drm.h>

#include "harness.h"

#define MIB ((size_t)1 << 20)

struct gpu {
	char name[DRM_FABRIC_DEVICE_NAME_SIZE];
	int render_fd;
	int devmem_fd; /* -1 until gpu_open_devmem() */
	uint64_t devmem_id;
};

/* Loads softgpu if it is not there. Without it nothing can be tested: ends the program. */
void gpu_load(void);
/* Takes both modules out and in again; @options are drm_fabric's. */
void gpu_reload(const char *options);
/* Binds what is unbound, calls off what was begun, switches off all faults. */
void gpu_restore(void);

/* What the rig calls a PCI device, and the port above it. False: it does not know it. */
bool gpu_rig_name(const char *name, char *ret, size_t size);
bool gpu_rig_port(const char *name, char *ret, size_t size);

/* PCI functions that are software GPUs, bound or not, sorted. Returns how many. */
size_t gpu_pci_names(char (*names)[DRM_FABRIC_DEVICE_NAME_SIZE], size_t size);
/* The driver's unbind and bind files; return when it is done. */
void gpu_unbind(const char *name);
void gpu_bind(const char *name);
bool gpu_is_present(const char *name);
/* Return false if it has not come to that in time, which is the stock kernel's: a slow one has more. */
bool gpu_wait_present(const char *name, bool present, unsigned int timeout_ms);
bool gpu_wait_attr(const char *name, const char *path, const char *value, unsigned int timeout_ms);
/* DRM_FABRIC_ADMIN_*. Returns 0 or -errno. */
int gpu_admin(unsigned long cmd, const char *name, uint32_t timeout_ms);

/* Names of the devices in the fabric, sorted. Returns how many. */
size_t gpu_names(char (*names)[DRM_FABRIC_DEVICE_NAME_SIZE], size_t size);
/* The @index-th device with its address space made. */
struct gpu *gpu_open(size_t index);
struct gpu *gpu_open_name(const char *name);
/* The same without an address space on it. */
struct gpu *gpu_open_bare(const char *name);
void gpu_open_devmem(struct gpu *gpu);
void gpu_close(struct gpu *gpu);
/* For devices that may be leaving. Return 0 or -errno. */
int gpu_try_open(const char *name, struct gpu **ret);
int gpu_try_open_devmem(struct gpu *gpu);
/* Two devices that are (not) linked. */
void gpu_open_pair(bool linked, struct gpu **ret_a, struct gpu **ret_b);

/* /sys/class/drm_fabric/<name>/<path>: false if there is none. @buf without the newline. */
bool gpu_attr(const char *name, const char *path, char *buf, size_t size);
uint64_t gpu_figure(const struct gpu *gpu, const char *path);
void gpu_write_attr(const char *name, const char *path, const char *value);
/* Writes a fault switch of the driver's (debugfs). */
void gpu_fault(const struct gpu *gpu, const char *name, unsigned int value);

/* Return 0 or -errno. */
int gpu_try_populate(struct gpu *gpu, void *addr, size_t size, uint32_t flags, struct drm_fabric_devmem_populate *ret);
int gpu_try_exec(struct gpu *gpu, uint32_t op, void *dst, const void *src, size_t size, uint64_t value,
		 struct drm_softgpu_exec *ret);
/* INFO of a devmem fd. */
struct drm_fabric_devmem_info gpu_info(int fd);
/* All of it moves or has been there. */
void gpu_populate(struct gpu *gpu, void *addr, size_t size);
struct drm_softgpu_exec gpu_exec(struct gpu *gpu, uint32_t op, void *dst, const void *src, size_t size, uint64_t value);
struct drm_fabric_devmem_residency gpu_residency(struct gpu *gpu, const void *addr, size_t size);

/* What DRM_SOFTGPU_OP_CHECKSUM must say. */
uint64_t checksum(const void *addr, size_t size);
/* Anonymous memory, aligned to 2 MiB, with or without huge pages, not touched yet. */
void *map_memory(size_t size, bool huge);
/* Fill with, and count bytes that differ from, what @seed gives. */
void pattern_fill(void *addr, size_t size, uint64_t seed);
size_t pattern_differs(const void *addr, size_t size, uint64_t seed);
/* Words that are not @value. */
size_t words_differ(const void *addr, size_t size, uint64_t value);

/* Writes /sys/bus/softgpu/<attr>: devices and links made at run time. Returns 0 or -errno. */
__attribute__((format(printf, 2, 3))) int gpu_try_bus(const char *attr, const char *format, ...);
__attribute__((format(printf, 2, 3))) void gpu_bus(const char *attr, const char *format, ...);
#endif

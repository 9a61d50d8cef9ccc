/* SPDX-License-Identifier: MIT */
/* The program of the demonstration: an application that keeps its memory on devices. */
#ifndef DEMO_H
#define DEMO_H

#include <stddef.h>
#include <stdint.h>

#include <drm/softgpu_drm.h>

#define MIB ((size_t)1 << 20)

/* An open render node of a software GPU with this process's address space on it, or -errno. */
int gpu_open(const char *device);
/* Run one operation; everything else in @exec is an answer. Return: 0 or -errno. */
int gpu_exec(int fd, uint32_t op, void *dst, const void *src, size_t size, uint64_t value,
	     struct drm_softgpu_exec *exec);
/* Anonymous memory, aligned to 2 MiB, huge pages allowed; NULL without memory. */
void *memory_new(size_t size);
uint64_t now_ms(void);

/* Holds a range, and does with it what lines on stdin say. */
int memory_main(size_t size, uint64_t seed);
/* Computes on devices until SIGTERM; the count of rounds is in @file. */
int work_main(const char *file, size_t n_devices, char **devices);

#endif

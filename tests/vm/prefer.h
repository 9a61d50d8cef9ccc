/* SPDX-License-Identifier: MIT */
/*
 * Preferences and residency as a test sees them. Lists of places are written as text: 'S' system memory, 'L' local, and
 * 'A', 'B', ... the devices of a set in their order.
 */
#ifndef TESTS_PREFER_H
#define TESTS_PREFER_H

#include "gpu.h"

#define PAGE ((size_t)4096)
#define PLACES_MAX 4
#define PLACES_VRAM (16 * MIB)

/* GPUs made at run time, with an address space and a handle on each. The first two are linked, nothing else is. */
struct places {
	struct gpu *gpus[PLACES_MAX];
	size_t n;
};

/* Both modules anew, and @n such devices. */
void places_init(struct places *places, size_t n);
void places_fini(struct places *places);

/* /dev/drm_fabric, opened when it is first asked for, and closed by places_fini(). */
int fabric_fd(void);

/* Return 0 or -errno. @list: "" forgets. */
int try_prefer(const struct places *places, const void *addr, size_t size, const char *list);
void prefer(const struct places *places, const void *addr, size_t size, const char *list);
/* The range that ends behind @addr. @accessor may be NULL, and is named by its handle if it has one. Returns 0 or -errno. */
int try_preference(const struct gpu *accessor, const void *addr, struct drm_fabric_preference *ret);
/*
 * What is preferred in [@addr, @addr + @size), in pages from there: "0-4 AB, 8-9 S". Devices are told apart by the
 * handles in @places, a strange one is '?'. @buf holds it.
 */
const char *preferred(const struct places *places, const void *addr, size_t size, char *buf, size_t buf_size);
/* Asserts that this is it. */
void check_preferred(const struct places *places, const void *addr, size_t size, const char *expected);
/* The status of each place of the list at @addr: '*' applies, '+' spare, 'f' full, 'd' draining, 'g' gone, 'u', 'n'. */
void check_status(const struct gpu *accessor, const void *addr, const char *expected);

/* Where [@addr, @addr + @size) is, in KiB: "A 64, S 128, - 4" ('-' absent, 'F' foreign); the sum is checked. */
void check_resident(const struct places *places, const void *addr, size_t size, const char *expected);

#endif

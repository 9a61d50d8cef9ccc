/* SPDX-License-Identifier: MIT */
/*
 * GPUs that a test makes at run time, and the links that it declares between them. They are known by their numbers:
 * softgpu0, softgpu1. Whatever goes wrong here ends the test.
 */
#ifndef TESTS_MADE_H
#define TESTS_MADE_H

#include "gpu.h"

/* Bytes of VRAM of each, and of what made_check_read() moves. */
#define MADE_VRAM (16 * MIB)
#define MADE_READ (2 * MIB)

/* Nothing but what the machine has: no device, no declaration, and names that have never been used. */
void made_begin_anew(void);
void made_device(size_t i);
struct gpu *made_open(size_t i);

void made_link_one_way(size_t a, size_t b);
void made_link_both_ways(size_t a, size_t b);
/* A file of the link: false if there is none. @buf without the newline. */
bool made_link_attr(size_t a, size_t b, const char *attr, char *buf, size_t size);
void made_check_link(size_t a, size_t b, const char *attr, const char *value);
/* Members of a group: false if there is no such group. */
bool made_group_members(const char *group, char *buf, size_t size);

/* @accessor reads what lives on @owner. @a, of MADE_READ bytes, goes there before, with what @seed gives. */
void made_check_read(size_t accessor, size_t owner, bool in_place, char *a, uint64_t seed);

/* A test case that leaves the machine as it was. The timeout of each test is a minute, but with SOAK=1. */
TCase *made_tcase(Suite *suite, const char *name, unsigned int soak_timeout_s);

#endif

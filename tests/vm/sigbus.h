/* SPDX-License-Identifier: MIT */
/*
 * Memory whose data may be lost: what is there, page by page.
 */
#ifndef TESTS_SIGBUS_H
#define TESTS_SIGBUS_H

#include <stddef.h>

/* Reads a byte. Returns 0, or the code of the SIGBUS that came instead, at that address. */
int sigbus_touch(const volatile char *at);

/* What became of a range. */
struct damage {
	size_t right_bytes; /* pages with their data */
	size_t dead_bytes; /* pages without */
	size_t wrong_bytes; /* that differ, in pages of neither kind */
};

/*
 * Looks at all of [@addr, @addr + @size) through the kernel (a dead page is EFAULT, and costs no line in its log), and
 * touches one dead page in 64: that must be SIGBUS for a memory error.
 */
struct damage damage_of(const void *addr, size_t size, const void *expected);

#endif

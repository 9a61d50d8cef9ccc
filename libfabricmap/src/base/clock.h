/* SPDX-License-Identifier: MIT */
/* clock - the one that timeouts and ages are measured with. */
#ifndef FABRICMAP_CLOCK_H
#define FABRICMAP_CLOCK_H

#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC in milliseconds. */
static inline int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#endif

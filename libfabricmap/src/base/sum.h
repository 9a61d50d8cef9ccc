/* SPDX-License-Identifier: MIT */
/* sum - of numbers that come from outside: each is sane by itself, together they need not fit. */
#ifndef FABRICMAP_SUM_H
#define FABRICMAP_SUM_H

#include <stdint.h>

/* a + b, or INT64_MAX if that is too much. Neither is negative. */
static inline int64_t sum_saturated(int64_t a, int64_t b)
{
	return a > INT64_MAX - b ? INT64_MAX : a + b;
}

#endif

/* SPDX-License-Identifier: MIT */
/* random - numbers that a seed says, the same on every machine and with every C library. */
#ifndef ORACLE_RANDOM_H
#define ORACLE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
	uint64_t state; /* begins as the seed */
};

/* SplitMix64 (Steele, Lea, Flood 2014). */
static inline uint64_t random_next(struct random *random)
{
	uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* 0 .. n - 1 */
static inline size_t random_below(struct random *random, size_t n)
{
	return (size_t)(random_next(random) % n);
}

static inline void random_shuffle(struct random *random, size_t *values, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = random_below(random, i), value = values[j];

		values[j] = values[i - 1];
		values[i - 1] = value;
	}
}

/* 0 .. n - 1, shuffled by @seed; 0: as they are. The caller's. */
size_t *random_order(size_t n, uint64_t seed);

#endif

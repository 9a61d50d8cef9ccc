/* SPDX-License-Identifier: MIT */
/* bits - sets of small numbers, 64 a word. */
#ifndef FABRICMAP_PLACE_BITS_H
#define FABRICMAP_PLACE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline size_t bits_words(size_t n)
{
	return (n + 63) / 64;
}

static inline bool bits_has(const uint64_t *bits, size_t i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

static inline void bits_add(uint64_t *bits, size_t i)
{
	bits[i / 64] |= UINT64_C(1) << (i % 64);
}

static inline void bits_remove(uint64_t *bits, size_t i)
{
	bits[i / 64] &= ~(UINT64_C(1) << (i % 64));
}

/* Members from @first on, @n of the numbers. */
static inline uint32_t bits_count(const uint64_t *bits, size_t first, size_t n)
{
	size_t last = first + n;
	uint32_t count = 0;

	while (first < last) {
		uint64_t word = bits[first / 64] >> (first % 64);
		size_t here = 64 - first % 64;

		if (last - first < here) {
			here = last - first;
			word &= (UINT64_C(1) << here) - 1;
		}
		count += (uint32_t)__builtin_popcountll(word);
		first += here;
	}
	return count;
}

/* The first member at or after @from, @n if there is none below that. */
static inline size_t bits_next(const uint64_t *bits, size_t from, size_t n)
{
	while (from < n) {
		uint64_t word = bits[from / 64] >> (from % 64);

		if (word) {
			from += (size_t)__builtin_ctzll(word);
			return from < n ? from : n;
		}
		from = (from / 64 + 1) * 64;
	}
	return n;
}

#define BITS_FOREACH(i, bits, first, end) \
	for (size_t i = bits_next(bits, first, end); i < (end); i = bits_next(bits, i + 1, end))

#endif

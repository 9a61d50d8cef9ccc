// SPDX-License-Identifier: MIT
/*
 * Up to 16 devices: tables over all masks. Twice as many masks are one row of additions, so that 65,536 of them take
 * microseconds; ties are sets of masks, one bit each, in which "some subset of this mask" is a few shifts.
 */
#include "place/local.h"

#include "base/base.h"

#include <assert.h>
#include <string.h>

enum {
	SMALL_MAX = PLACE_TIES_EXACT_MAX,
	RANK_FORBIDDEN = -1,
	RANK_NONE = INT16_MAX, /* a set without pairs */
};

/* Sums fit: 120 pairs of at most 10^7. */
struct tables {
	int32_t *sums; /* 1 << n */
	int16_t *ranks; /* of the least pair */
	int32_t *row_sums; /* 1 << (n - 1) */
	int16_t *row_ranks;
	int32_t levels[SMALL_MAX * (SMALL_MAX - 1) / 2]; /* ascending */
	size_t n_levels;
	bool ranked; /* ranks are filled */
};

/* A set of @k devices that is allowed. */
struct entry {
	int64_t value;
	uint32_t mask;
};

static void tables_fini(struct tables *tables)
{
	free(tables->sums);
}

static int tables_init(struct tables *tables, uint32_t n)
{
	size_t size = (size_t)1 << n;
	char *memory;

	/* One piece: sums, half as many of a row, and the same of ranks. */
	memory = malloc(size * 6 + size * 3 + 64);
	if (!memory)
		return -ENOMEM;
	tables->sums = (int32_t *)(void *)memory;
	tables->row_sums = tables->sums + size;
	tables->ranks = (int16_t *)(void *)(tables->row_sums + (size + 1) / 2);
	tables->row_ranks = tables->ranks + size;
	return 0;
}

static int level_compare(const void *a, const void *b)
{
	const int32_t *a_level = a, *b_level = b;

	return (*a_level > *b_level) - (*a_level < *b_level);
}

/* 0 is the rank of 0 MB/s and of nothing else. */
static int16_t rank_of(const struct tables *tables, int32_t level)
{
	size_t low = 0, high = tables->n_levels;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (tables->levels[middle] <= level)
			low = middle;
		else
			high = middle;
	}
	return (int16_t)(low + (tables->levels[0] > 0));
}

static void fill_sums(struct tables *tables, const struct local *local)
{
	int32_t *restrict sums = tables->sums, *restrict row = tables->row_sums;

	sums[0] = 0;
	row[0] = 0;
	for (uint32_t bit = 0; bit < local->n; bit++) {
		const place_cell *cells = local->cells[local->n - 1 - bit];

		for (uint32_t other = 0; other < bit; other++) {
			size_t n = (size_t)1 << other;
			int32_t mbps = cell_mbps(cells[local->n - 1 - other]);

			for (size_t i = 0; i < n; i++)
				row[n + i] = row[i] + mbps;
		}
		for (size_t i = 0, n = (size_t)1 << bit; i < n; i++)
			sums[n + i] = sums[i] + row[i];
	}
}

static int16_t lesser(int16_t a, int16_t b)
{
	return a < b ? a : b;
}

static void fill_ranks(struct tables *tables, const struct local *local)
{
	int16_t *restrict ranks = tables->ranks, *restrict row = tables->row_ranks;
	size_t n_levels = 0;

	for (uint32_t i = 0; i < local->n; i++)
		for (uint32_t j = i + 1; j < local->n; j++)
			if (local->cells[i][j] >= local->least)
				tables->levels[n_levels++] = local->cells[i][j];
	qsort(tables->levels, n_levels, sizeof(*tables->levels), level_compare);
	tables->n_levels = 0;
	for (size_t i = 0; i < n_levels; i++)
		if (i == 0 || tables->levels[i] != tables->levels[tables->n_levels - 1])
			tables->levels[tables->n_levels++] = tables->levels[i];

	tables->ranked = true;
	ranks[0] = RANK_NONE;
	row[0] = RANK_NONE;
	for (uint32_t bit = 0; bit < local->n; bit++) {
		const place_cell *cells = local->cells[local->n - 1 - bit];

		for (uint32_t other = 0; other < bit; other++) {
			place_cell cell = cells[local->n - 1 - other];
			int16_t rank = cell >= local->least ? rank_of(tables, cell) : RANK_FORBIDDEN;
			size_t n = (size_t)1 << other;

			for (size_t i = 0; i < n; i++)
				row[n + i] = lesser(row[i], rank);
		}
		for (size_t i = 0, n = (size_t)1 << bit; i < n; i++)
			ranks[n + i] = lesser(ranks[i], row[i]);
	}
}

static bool has_forbidden(const struct local *local)
{
	for (uint32_t i = 0; i < local->n; i++)
		for (uint32_t j = i + 1; j < local->n; j++)
			if (local->cells[i][j] < local->least)
				return true;
	return false;
}

static size_t binomial(uint32_t n, uint32_t k)
{
	size_t result = 1;

	for (uint32_t i = 1; i <= k; i++)
		result = result * (n - k + i) / i;
	return result;
}

/* Bytes by the number of their bits: those of s bits from first[s] to first[s + 1]. */
struct bytes {
	uint8_t list[256];
	uint16_t first[10];
};

static void fill_bytes(struct bytes *bytes, uint32_t n_bits)
{
	uint16_t n = 0;

	for (uint32_t size = 0; size <= 8; size++) {
		bytes->first[size] = n;
		for (uint32_t byte = 0; byte < 1U << n_bits; byte++)
			if ((uint32_t)__builtin_popcount(byte) == size)
				bytes->list[n++] = (uint8_t)byte;
	}
	bytes->first[9] = n;
}

static int64_t value_of(const struct tables *tables, enum place_objective objective, int64_t rank, uint32_t mask)
{
	if (objective == PLACE_SUM)
		return tables->sums[mask];
	return objective == PLACE_BOTTLENECK ? rank : rank << 32 | tables->sums[mask];
}

/* All sets of @k devices that are allowed, required or not. */
static size_t list_sets(const struct tables *tables, const struct local *local, uint32_t k,
			enum place_objective objective, struct entry *entries)
{
	uint32_t n_low = local->n < 8 ? local->n : 8;
	struct bytes bytes;
	size_t n = 0;

	fill_bytes(&bytes, n_low);
	for (uint32_t high = 0; high < 1U << (local->n - n_low); high++) {
		uint32_t n_high = (uint32_t)__builtin_popcount(high);

		if (n_high > k || k - n_high > n_low)
			continue;
		for (uint32_t i = bytes.first[k - n_high]; i < bytes.first[k - n_high + 1]; i++) {
			uint32_t mask = high << n_low | bytes.list[i];
			int64_t rank = tables->ranked ? tables->ranks[mask] : 0;

			if (rank == RANK_FORBIDDEN)
				continue;
			if (rank == RANK_NONE)
				rank = 0;
			entries[n++] = (struct entry){ value_of(tables, objective, rank, mask), mask };
		}
	}
	return n;
}

/* A set of masks, one bit each. */
enum { BITMAP_WORDS = (1 << SMALL_MAX) / 64 };

static void bitmap_set(uint64_t *bitmap, uint32_t mask)
{
	bitmap[mask / 64] |= UINT64_C(1) << (mask % 64);
}

static bool bitmap_has(const uint64_t *bitmap, uint32_t mask)
{
	return bitmap[mask / 64] >> (mask % 64) & 1;
}

/* With each mask all masks of @n bits that contain it. */
static void bitmap_close(uint64_t *bitmap, uint32_t n)
{
	static const uint64_t without[] = {
		0x5555555555555555, 0x3333333333333333, 0x0f0f0f0f0f0f0f0f,
		0x00ff00ff00ff00ff, 0x0000ffff0000ffff, 0x00000000ffffffff,
	};
	size_t n_words = n > 6 ? (size_t)1 << (n - 6) : 1;

	for (uint32_t bit = 0; bit < n && bit < 6; bit++)
		for (size_t i = 0; i < n_words; i++)
			bitmap[i] |= (bitmap[i] & without[bit]) << (1U << bit);
	for (uint32_t bit = 6; bit < n; bit++) {
		size_t step = (size_t)1 << (bit - 6);

		for (size_t base = 0; base < n_words; base += 2 * step)
			for (size_t i = 0; i < step; i++)
				bitmap[base + step + i] |= bitmap[base + i];
	}
}

/* Of the sets at @tied those that leave the best set of @k. Return: how many. */
static size_t keep_best_remainder(const struct entry *entries, size_t n_entries, const struct local *local,
				  uint32_t *tied, size_t n_tied)
{
	uint64_t bitmap[BITMAP_WORDS];
	size_t n_words = local->n > 6 ? (size_t)1 << (local->n - 6) : 1, n_kept = 0;
	uint32_t all = local_all(local);
	int64_t best = 0, most = 0;

	memset(bitmap, 0, n_words * sizeof(*bitmap));
	for (size_t i = 0; i < n_tied; i++)
		bitmap_set(bitmap, tied[i]);
	bitmap_close(bitmap, local->n);
	for (size_t i = 0; i < n_entries; i++)
		most = entries[i].value > most ? entries[i].value : most;
	for (size_t i = 0; i < n_entries && best < most; i++)
		if (entries[i].value > best && bitmap_has(bitmap, all ^ entries[i].mask))
			best = entries[i].value;
	/* Nothing left, or nothing of any worth, is the same. */
	if (best == 0)
		return n_tied;
	memset(bitmap, 0, n_words * sizeof(*bitmap));
	for (size_t i = 0; i < n_entries; i++)
		if (entries[i].value == best)
			bitmap_set(bitmap, entries[i].mask);
	bitmap_close(bitmap, local->n);
	for (size_t i = 0; i < n_tied; i++)
		if (bitmap_has(bitmap, all ^ tied[i]))
			tied[n_kept++] = tied[i];
	return n_kept;
}

static uint32_t least_cut(const struct tables *tables, const struct local *local, const uint32_t *tied, size_t n_tied)
{
	/* What the pairs of a set's devices sum up to, inward and outward, by its lower and its higher byte. */
	int64_t low[256] = { 0 }, high[256] = { 0 }, least = INT64_MAX;
	uint32_t best = 0;

	for (uint32_t bit = 0; bit < local->n; bit++) {
		int64_t *half = bit < 8 ? low : high, outward = 0;

		for (uint32_t j = 0; j < local->n; j++)
			if (local->n - 1 - bit != j)
				outward += cell_mbps(local->cells[local->n - 1 - bit][j]);
		for (uint32_t i = 0, n = 1U << (bit % 8); i < n; i++)
			half[n + i] = half[i] + outward;
	}
	for (size_t i = 0; i < n_tied; i++) {
		int64_t cut = low[tied[i] & 255] + high[tied[i] >> 8] - 2 * (int64_t)tables->sums[tied[i]];

		if (cut < least || (cut == least && tied[i] > best)) {
			least = cut;
			best = tied[i];
		}
	}
	return best;
}

int local_small(const struct local *local, uint32_t k, enum place_objective objective, uint32_t *ret)
{
	_cleanup_(tables_fini) struct tables tables = { 0 };
	_cleanup_(freep) struct entry *entries = NULL;
	_cleanup_(freep) uint32_t *tied = NULL;
	size_t n_entries, n_tied = 0;
	int64_t best = -1;
	int r;

	assert(local->n <= SMALL_MAX && k > 0 && k <= local->n);
	r = tables_init(&tables, local->n);
	if (r < 0)
		return r;
	n_entries = binomial(local->n, k);
	entries = malloc(n_entries * sizeof(*entries));
	tied = malloc(n_entries * sizeof(*tied));
	if (!entries || !tied)
		return -ENOMEM;
	fill_sums(&tables, local);
	if (objective != PLACE_SUM || has_forbidden(local))
		fill_ranks(&tables, local);
	n_entries = list_sets(&tables, local, k, objective, entries);
	for (size_t i = 0; i < n_entries; i++) {
		if ((entries[i].mask & local->required) != local->required || entries[i].value < best)
			continue;
		if (entries[i].value > best)
			n_tied = 0;
		best = entries[i].value;
		tied[n_tied++] = entries[i].mask;
	}
	if (n_tied == 0)
		return 0;
	if (n_tied > 1 && 2 * k <= local->n)
		n_tied = keep_best_remainder(entries, n_entries, local, tied, n_tied);
	*ret = n_tied == 1 ? tied[0] : least_cut(&tables, local, tied, n_tied);
	return 1;
}

int local_sums(const struct local *local, uint32_t k_max, double *ret)
{
	_cleanup_(tables_fini) struct tables tables = { 0 };
	int32_t best[SMALL_MAX + 1];
	int r;

	assert(local->n <= SMALL_MAX && k_max <= local->n);
	r = tables_init(&tables, local->n);
	if (r < 0)
		return r;
	fill_sums(&tables, local);
	if (has_forbidden(local))
		fill_ranks(&tables, local);
	memset(best, 0xff, sizeof(best));
	for (uint32_t mask = 0; mask < 1U << local->n; mask++) {
		uint32_t n = (uint32_t)__builtin_popcount(mask);

		if (tables.sums[mask] <= best[n] || (mask & local->required) != local->required ||
		    (tables.ranked && tables.ranks[mask] == RANK_FORBIDDEN))
			continue;
		best[n] = tables.sums[mask];
	}
	for (uint32_t i = 0; i <= k_max; i++)
		ret[i] = best[i];
	return 0;
}

// SPDX-License-Identifier: MIT
/* Up to 24 devices: the two halves of a set. See local.h. */
#include "place/local.h"

#include "base/base.h"

#include <assert.h>
#include <string.h>

enum {
	HALF_MAX = LOCAL_MAX / 2,
	HALF_MASKS = 1 << HALF_MAX,
	HALF_BITS = 6, /* of the two tables that make one of the lower half */
};

/*
 * What is maximised: first "score", which is linear in pairs and devices, then "inward", in devices only. For sums the
 * score is the sum, and to make the cut small (devices' totals less twice the sum) is to make their totals small. For
 * bottlenecks, when the least pair is found, the score is the negative cut itself.
 */
struct half {
	struct local local;
	uint32_t k, n_high, n_low;
	int64_t pair_factor; /* score of a pair, per MB/s */
	int64_t device_score[LOCAL_MAX], device_inward[LOCAL_MAX]; /* by bit */
	uint32_t neighbours[LOCAL_MAX]; /* by bit */
	/* Of the low half, by mask; and those that are allowed, by size: sizes[s] .. sizes[s + 1]. */
	int64_t score[HALF_MASKS], inward[HALF_MASKS];
	uint16_t masks[HALF_MASKS];
	uint32_t sizes[HALF_MAX + 2];
	int64_t most[HALF_MAX + 1]; /* the largest score by size */
	uint32_t next; /* mask of the high half */
	bool found, impossible;
	uint32_t best;
	int64_t best_score, best_inward;
};

static int64_t pair_score(const struct half *half, uint32_t a_bit, uint32_t b_bit)
{
	uint32_t last = half->local.n - 1;

	return half->pair_factor * cell_mbps(half->local.cells[last - a_bit][last - b_bit]);
}

/* Score of a mask; false if a pair in it is not allowed. */
static bool mask_score(const struct half *half, uint32_t mask, int64_t *ret)
{
	int64_t score = 0;

	for (uint32_t rest = mask; rest; rest &= rest - 1) {
		uint32_t bit = (uint32_t)__builtin_ctz(rest), others = rest & (rest - 1);

		if (others & ~half->neighbours[bit])
			return false;
		score += half->device_score[bit];
		for (; others; others &= others - 1)
			score += pair_score(half, bit, (uint32_t)__builtin_ctz(others));
	}
	*ret = score;
	return true;
}

static void fill_low(struct half *half)
{
	uint32_t n_masks = 1U << half->n_low, required = half->local.required & (n_masks - 1), n = 0;
	bool allowed[HALF_MASKS];

	allowed[0] = true;
	for (uint32_t mask = 1; mask < n_masks; mask++) {
		uint32_t rest = mask & (mask - 1), bit = (uint32_t)__builtin_ctz(mask);

		allowed[mask] = allowed[rest] && !(rest & ~half->neighbours[bit]);
		if (!allowed[mask])
			continue;
		half->score[mask] = half->score[rest] + half->device_score[bit];
		half->inward[mask] = half->inward[rest] + half->device_inward[bit];
		for (; rest; rest &= rest - 1)
			half->score[mask] += pair_score(half, bit, (uint32_t)__builtin_ctz(rest));
	}
	for (uint32_t size = 0; size <= half->n_low; size++) {
		half->sizes[size] = n;
		half->most[size] = INT64_MIN;
		for (uint32_t mask = 0; mask < n_masks; mask++) {
			if ((uint32_t)__builtin_popcount(mask) != size || !allowed[mask] ||
			    (mask & required) != required)
				continue;
			half->masks[n++] = (uint16_t)mask;
			if (half->score[mask] > half->most[size])
				half->most[size] = half->score[mask];
		}
	}
	half->sizes[half->n_low + 1] = n;
}

int half_new(const struct local *local, uint32_t k, enum place_objective objective, struct half **ret)
{
	struct half *half = calloc(1, sizeof(*half));
	int32_t least = local->least;

	if (!half)
		return -ENOMEM;
	assert(k > 0 && k <= local->n && local->n <= LOCAL_MAX);
	half->local = *local;
	half->k = k;
	half->n_low = local->n / 2;
	half->n_high = local->n - half->n_low;
	half->pair_factor = 1;
	if (objective != PLACE_SUM && k > 1) {
		least = local_bottleneck(local, k);
		half->impossible = least < 0;
	}
	local_neighbours(local, least, half->neighbours);
	for (uint32_t i = 0; i < local->n; i++)
		for (uint32_t j = 0; j < local->n; j++)
			if (i != j)
				half->device_inward[local->n - 1 - i] -= cell_mbps(local->cells[i][j]);
	if (objective == PLACE_BOTTLENECK) {
		half->pair_factor = 2;
		memcpy(half->device_score, half->device_inward, sizeof(half->device_score));
		memset(half->device_inward, 0, sizeof(half->device_inward));
	}
	fill_low(half);
	*ret = half;
	return 0;
}

struct half *half_free(struct half *half)
{
	free(half);
	return NULL;
}

void half_freep(struct half **half)
{
	half_free(*half);
}

/* What each low device adds to a set with the high half @high; 0 devices are allowed with it: false. */
struct addition {
	int64_t by_bit[HALF_MAX];
	uint32_t allowed; /* low bits */
};

/* The largest that @n devices could add. */
static int64_t most_added(const struct addition *addition, uint32_t n)
{
	int64_t top[HALF_MAX], sum = 0;
	uint32_t n_top = 0;

	if (n == 0)
		return 0;
	for (uint32_t rest = addition->allowed; rest; rest &= rest - 1) {
		int64_t value = addition->by_bit[__builtin_ctz(rest)];
		uint32_t i;

		if (n_top == n && value <= top[n - 1])
			continue;
		for (i = n_top < n ? n_top++ : n - 1; i > 0 && top[i - 1] < value; i--)
			top[i] = top[i - 1];
		top[i] = value;
	}
	for (uint32_t i = 0; i < n_top; i++)
		sum += top[i];
	return sum;
}

static void sum_table(const int64_t *by_bit, uint32_t n_bits, int64_t *ret)
{
	ret[0] = 0;
	for (uint32_t bit = 0; bit < n_bits; bit++)
		for (uint32_t i = 0, n = 1U << bit; i < n; i++)
			ret[n + i] = ret[i] + by_bit[bit];
}

static void with_high(struct half *half, uint32_t high)
{
	uint32_t n_high = (uint32_t)__builtin_popcount(high), mask = high << half->n_low, n_low = half->k - n_high;
	uint32_t n_first = half->n_low < HALF_BITS ? half->n_low : HALF_BITS;
	int64_t first[1 << HALF_BITS], second[1 << HALF_BITS], score, inward = 0;
	struct addition addition = { .allowed = (1U << half->n_low) - 1 };

	if (n_high > half->k || n_low > half->n_low || half->most[n_low] == INT64_MIN ||
	    !mask_score(half, mask, &score))
		return;
	for (uint32_t rest = mask; rest; rest &= rest - 1) {
		addition.allowed &= half->neighbours[__builtin_ctz(rest)];
		inward += half->device_inward[__builtin_ctz(rest)];
	}
	if ((uint32_t)__builtin_popcount(addition.allowed) < n_low)
		return;
	for (uint32_t rest = addition.allowed; rest; rest &= rest - 1) {
		uint32_t bit = (uint32_t)__builtin_ctz(rest);

		for (uint32_t others = mask; others; others &= others - 1)
			addition.by_bit[bit] += pair_score(half, bit, (uint32_t)__builtin_ctz(others));
	}
	if (half->found && score + half->most[n_low] + most_added(&addition, n_low) < half->best_score)
		return;
	sum_table(addition.by_bit, n_first, first);
	sum_table(addition.by_bit + n_first, half->n_low - n_first, second);
	for (uint32_t i = half->sizes[n_low]; i < half->sizes[n_low + 1]; i++) {
		uint32_t low = half->masks[i];
		int64_t total = score + half->score[low] + first[low & ((1U << n_first) - 1)] + second[low >> n_first];
		int64_t total_inward;

		if ((half->found && total < half->best_score) || low & ~addition.allowed)
			continue;
		total_inward = inward + half->inward[low];
		if (half->found && total == half->best_score &&
		    (total_inward < half->best_inward ||
		     (total_inward == half->best_inward && (mask | low) < half->best)))
			continue;
		half->found = true;
		half->best = mask | low;
		half->best_score = total;
		half->best_inward = total_inward;
	}
}

int half_step(struct half *half)
{
	uint32_t n_masks = 1U << half->n_high, required = half->local.required >> half->n_low;

	if (half->impossible)
		return 1;
	for (uint32_t end = half->next + 8; half->next < end && half->next < n_masks; half->next++) {
		/* The lowest names first, which win ties. */
		uint32_t high = n_masks - 1 - half->next;

		if ((high & required) == required)
			with_high(half, high);
	}
	return half->next >= n_masks;
}

int half_result(const struct half *half, uint32_t *ret, int64_t *ret_sum)
{
	uint32_t last = half->local.n - 1;
	int64_t sum = 0;

	if (!half->found)
		return 0;
	for (uint32_t rest = half->best; rest; rest &= rest - 1)
		for (uint32_t others = rest & (rest - 1); others; others &= others - 1)
			sum += cell_mbps(half->local.cells[last - (uint32_t)__builtin_ctz(rest)]
							  [last - (uint32_t)__builtin_ctz(others)]);
	*ret = half->best;
	if (ret_sum)
		*ret_sum = sum;
	return 1;
}

int half_best(const struct local *local, uint32_t k, enum place_objective objective, uint32_t *ret, int64_t *ret_sum)
{
	_cleanup_(half_freep) struct half *half = NULL;
	int r;

	r = half_new(local, k, objective, &half);
	if (r < 0)
		return r;
	while (half_step(half) == 0)
		;
	return half_result(half, ret, ret_sum);
}

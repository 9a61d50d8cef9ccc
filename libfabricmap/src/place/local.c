// SPDX-License-Identifier: MIT
/* Sets without bad pairs among few devices. */
#include "place/local.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void local_neighbours(const struct local *local, int32_t least, uint32_t *ret)
{
	memset(ret, 0, local->n * sizeof(*ret));
	for (uint32_t i = 0; i < local->n; i++)
		for (uint32_t j = 0; j < local->n; j++)
			if (i != j && local->cells[i][j] >= least)
				ret[local->n - 1 - i] |= local_bit(local, j);
}

/* The lowest name. */
static uint32_t highest(uint32_t mask)
{
	return 31 - (uint32_t)__builtin_clz(mask);
}

struct clique {
	const uint32_t *neighbours;
	uint32_t enough, n_best, best;
};

/*
 * A largest clique has the device with the most neighbours in it, or one that is not its neighbour: these are the
 * branches.
 */
static void grow_clique(struct clique *clique, uint32_t members, uint32_t n_members, uint32_t left)
{
	uint32_t branches, most = 0, best_bit = 0;

	if (n_members > clique->n_best) {
		clique->n_best = n_members;
		clique->best = members;
	}
	if (!left || clique->n_best >= clique->enough ||
	    n_members + (uint32_t)__builtin_popcount(left) <= clique->n_best)
		return;
	for (uint32_t rest = left; rest;) {
		uint32_t bit = highest(rest);
		uint32_t n = (uint32_t)__builtin_popcount(clique->neighbours[bit] & left) + 1;

		rest &= ~(1U << bit);
		if (n > most) {
			most = n;
			best_bit = bit;
		}
	}
	branches = left & ~clique->neighbours[best_bit];
	grow_clique(clique, members | 1U << best_bit, n_members + 1, left & clique->neighbours[best_bit]);
	left &= ~(1U << best_bit);
	for (branches &= left; branches;) {
		uint32_t bit = highest(branches);

		if (n_members + (uint32_t)__builtin_popcount(left) <= clique->n_best)
			return;
		grow_clique(clique, members | 1U << bit, n_members + 1, left & clique->neighbours[bit]);
		left &= ~(1U << bit);
		branches &= ~(1U << bit);
	}
}

uint32_t local_clique(const struct local *local, int32_t least, uint32_t enough, uint32_t *ret_mask)
{
	uint32_t neighbours[LOCAL_MAX], left = local_all(local) & ~local->required;
	struct clique clique = { .neighbours = neighbours, .enough = enough };

	assert(least >= local->least);
	local_neighbours(local, least, neighbours);
	for (uint32_t rest = local->required; rest; rest &= rest - 1) {
		uint32_t bit = (uint32_t)__builtin_ctz(rest);

		if ((local->required & ~(1U << bit)) & ~neighbours[bit])
			return 0;
		left &= neighbours[bit];
	}
	grow_clique(&clique, local->required, (uint32_t)__builtin_popcount(local->required), left);
	if (ret_mask)
		*ret_mask = clique.best;
	return clique.n_best;
}

static int level_compare(const void *a, const void *b)
{
	const int32_t *a_level = a, *b_level = b;

	return (*a_level > *b_level) - (*a_level < *b_level);
}

int32_t local_bottleneck(const struct local *local, uint32_t k)
{
	int32_t levels[LOCAL_MAX * (LOCAL_MAX - 1) / 2];
	size_t n = 0, low = 0, high;

	for (uint32_t i = 0; i < local->n; i++)
		for (uint32_t j = i + 1; j < local->n; j++)
			if (local->cells[i][j] >= local->least)
				levels[n++] = local->cells[i][j];
	qsort(levels, n, sizeof(*levels), level_compare);
	/* Levels before low would do, those from high on would not. */
	high = n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (local_clique(local, levels[middle], k, NULL) >= k)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? -1 : levels[low - 1];
}

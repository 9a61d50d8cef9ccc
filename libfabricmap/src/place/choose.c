// SPDX-License-Identifier: MIT
/* From the tables of a tree, or from sizes where there are none, the set itself: from the root to the leaves. */
#include "place/tree.h"

#include "base/base.h"
#include "place/bits.h"
#include "place/local.h"

#include <assert.h>
#include <string.h>

static int choose_part(struct tree *tree, struct place_search *search, uint32_t i, uint32_t k, bool by_table);

/* Of devices that are alike those that are required, then the lowest names. */
static void choose_singles(const struct tree *tree, struct place_search *search, const struct place_part *part,
			   uint32_t k)
{
	size_t end = (size_t)part->first + part->n_singles;

	BITS_FOREACH(position, search->required, part->first, end)
	{
		search->chosen[search->n_chosen++] = (uint32_t)position;
		k--;
	}
	BITS_FOREACH(position, tree->search->candidates, part->first, end)
	{
		if (k == 0)
			break;
		if (bits_has(search->required, position))
			continue;
		search->chosen[search->n_chosen++] = (uint32_t)position;
		k--;
	}
	assert(k == 0);
}

static int choose_kid(struct tree *tree, struct place_search *search, uint32_t i, const struct kid *kid, uint32_t k,
		      bool by_table)
{
	if (k == 0)
		return 0;
	if (kid->part != PART_SINGLES)
		return choose_part(tree, search, kid->part, k, by_table);
	choose_singles(tree, search, &tree->structure->parts[i], k);
	return 0;
}

static int choose_in_block(struct tree *tree, struct place_search *search, uint32_t i, uint32_t k, bool by_table)
{
	const struct place_part *part = &tree->structure->parts[i];
	struct tree_part *state = &tree->parts[i];
	uint32_t positions[LOCAL_MAX], mask;
	struct local local;
	int r;

	if (state->dense) {
		r = dense_choose(state->dense, k, search->chosen + search->n_chosen);
		search->n_chosen += k;
		return r;
	}
	search_local(search, part->first, part->size, &local, positions);
	local.least = tree->threshold;
	r = half_best(&local, k, by_table ? PLACE_SUM : PLACE_BOTTLENECK, &mask, NULL);
	if (r < 0)
		return r;
	assert(r > 0);
	for (uint32_t j = 0; j < local.n; j++)
		if (mask & local_bit(&local, j))
			search->chosen[search->n_chosen++] = positions[j];
	return 0;
}

/* All of it from the first kid that has the value, or where no value counts the room. */
static int choose_one(struct tree *tree, struct place_search *search, uint32_t i, uint32_t k, bool by_table)
{
	const struct tree_part *state = &tree->parts[i];

	for (uint32_t j = 0; j < state->n_kids; j++) {
		const struct kid *kid = &state->kids[j];

		if (!tree_kid_may_be_all(state, kid) || kid->low_size < (int32_t)k)
			continue;
		if (!by_table || tree_kid_value(tree, kid, 0, k, false) == state->low[k])
			return choose_kid(tree, search, i, kid, k, by_table);
	}
	assert(!"a part has the size that its kids gave it");
	return -EINVAL;
}

/* As few as possible from the last kids. */
static int choose_by_table(struct tree *tree, struct place_search *search, uint32_t i, uint32_t k)
{
	const struct tree_part *state = &tree->parts[i];
	double cell = tree->structure->parts[i].cell;
	int r;

	for (uint32_t j = state->n_kids; j-- > 1;) {
		const struct kid *kid = &state->kids[j], *before = &state->kids[j - 1];
		uint32_t n = 0;

		for (; n <= k; n++)
			if (k - n < before->end &&
			    before->low[k - n] + tree_kid_value(tree, kid, cell, n, false) == kid->low[k])
				break;
		assert(n <= k);
		r = choose_kid(tree, search, i, kid, n, true);
		if (r < 0)
			return r;
		k -= n;
	}
	return choose_kid(tree, search, i, &state->kids[0], k, true);
}

/* As many as possible from the first kids. */
static int choose_by_size(struct tree *tree, struct place_search *search, uint32_t i, uint32_t k)
{
	const struct tree_part *state = &tree->parts[i];
	uint32_t n_later = state->n_required;
	int r;

	for (uint32_t j = 0; j < state->n_kids; j++) {
		const struct kid *kid = &state->kids[j];
		uint32_t n;

		n_later -= kid->n_required;
		n = k - n_later < (uint32_t)kid->low_size ? k - n_later : (uint32_t)kid->low_size;
		r = choose_kid(tree, search, i, kid, n, false);
		if (r < 0)
			return r;
		k -= n;
	}
	assert(k == 0);
	return 0;
}

static int choose_part(struct tree *tree, struct place_search *search, uint32_t i, uint32_t k, bool by_table)
{
	const struct place_part *part = &tree->structure->parts[i];
	int r;

	if (part->block)
		return choose_in_block(tree, search, i, k, by_table);
	if (!by_table) {
		r = tree_kids(tree, i);
		if (r < 0)
			return r;
	}
	if (part->cell < tree->threshold)
		return choose_one(tree, search, i, k, by_table);
	return by_table ? choose_by_table(tree, search, i, k) : choose_by_size(tree, search, i, k);
}

static bool is_regular(const struct tree *tree)
{
	for (uint32_t i = 0; i <= tree->root; i++)
		if (tree->parts[i].dense)
			return false;
	return true;
}

/* One device is always a set. */
static void choose_any(struct place_search *search)
{
	BITS_FOREACH(position, search->candidates, 0, search->graph->n_devices)
	{
		search->chosen[search->n_chosen++] = (uint32_t)position;
		return;
	}
}

/* The largest set without a bad pair, of as many as are asked for, whatever was required. */
static int choose_largest(struct place_search *search)
{
	struct tree *tree;
	int r;

	memset(search->required, 0, bits_words(search->graph->n_devices) * sizeof(*search->required));
	search->n_required = 0;
	/* A large irregular part does not look for sets when it is sure that what is asked is too much: ask for less. */
	for (;;) {
		int32_t low, up;

		r = tree_new(search, &tree);
		if (r < 0)
			return r;
		r = tree_sizes(tree, search->least);
		low = tree->parts[tree->root].low_size;
		up = tree->parts[tree->root].up_size;
		if (r < 0 || low >= up || up >= (int32_t)search->count)
			break;
		search->count = (uint32_t)up;
		tree_free(tree);
	}
	if (r == 0) {
		int32_t size = tree->parts[tree->root].low_size, up = tree->parts[tree->root].up_size;
		uint32_t k = size < (int32_t)search->count ? (uint32_t)size : search->count;

		search->largest_proved = size >= up || size >= (int32_t)search->count || up <= 1;
		if (k > 0)
			r = choose_part(tree, search, tree->root, k, false);
		else
			choose_any(search);
	}
	tree_free(tree);
	return r;
}

int tree_finish(struct tree *tree, struct place_search *search)
{
	const struct tree_part *root = &tree->parts[tree->root];
	uint32_t k = search->count;
	bool by_table = search->objective != PLACE_BOTTLENECK;

	search->chosen = calloc((size_t)search->n_candidates + 1, sizeof(*search->chosen));
	if (!search->chosen)
		return -ENOMEM;
	if (root->low_size < (int32_t)k) {
		search->refused = PLACE_REFUSED_PAIRS;
		search->proved = root->up_size < (int32_t)k;
		return choose_largest(search);
	}
	search->tie = is_regular(tree) ? PLACE_TIE_BEST_FIT : PLACE_TIE_FIRST;
	search->proved = true;
	if (search->objective != PLACE_SUM && k > 1 && tree->up_low != tree->level_low)
		search->proved = false;
	if (by_table && root->up[k] > root->low[k])
		search->proved = false;
	search->bound_bottleneck = tree->up_bottleneck;
	search->bound_sum = by_table ? (int64_t)root->up[k] : -1;
	return choose_part(tree, search, tree->root, k, by_table);
}

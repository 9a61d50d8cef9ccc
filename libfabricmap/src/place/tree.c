// SPDX-License-Identifier: MIT
/* Sizes and tables of parts, from the leaves to the root. See tree.h. */
#include "place/tree.h"

#include "base/base.h"
#include "place/bits.h"
#include "place/local.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { PHASE_SIZES = 0, PHASE_PLAN, PHASE_TABLES, PHASE_ENDED };

/* Rows of a table in one step. */
enum { ROWS_MAX = 64 };

static double n_pairs(double n)
{
	return n * (n - 1) / 2;
}

static double *table_new(size_t n)
{
	double *table = malloc(n * sizeof(*table));

	for (size_t i = 0; table && i < n; i++)
		table[i] = -INFINITY;
	return table;
}

static const struct place_part *structure_part(const struct tree *tree, uint32_t part)
{
	return &tree->structure->parts[part];
}

static void count_part(struct tree *tree, uint32_t i)
{
	const struct place_part *part = structure_part(tree, i);
	const struct place_search *search = tree->search;
	struct tree_part *state = &tree->parts[i];
	uint32_t n_parts = part->block ? part->size : part->n_singles;

	state->n_free = state->n_singles = bits_count(search->candidates, part->first, n_parts);
	if (search->n_required > 0)
		state->n_single_required = bits_count(search->required, part->first, n_parts);
	state->n_required = state->n_single_required;
	for (uint32_t j = 0; j < part->n_children; j++) {
		const struct tree_part *child = &tree->parts[tree->structure->children[part->child + j]];

		state->n_free += child->n_free;
		state->n_required += child->n_required;
	}
}

/* Parts that are too large to be exact share the work. */
static int find_dense(struct tree *tree)
{
	const struct place_search *search = tree->search;
	uint32_t n_dense = 0;
	int r = 0;

	for (uint32_t i = 0; i <= tree->root; i++)
		n_dense += structure_part(tree, i)->block && tree->parts[i].n_free > search->local_max;
	for (uint32_t i = 0; r == 0 && i <= tree->root; i++) {
		struct tree_part *state = &tree->parts[i];

		if (structure_part(tree, i)->block && state->n_free > search->local_max)
			r = dense_new(search, structure_part(tree, i), search->work_max / n_dense, &state->dense);
	}
	return r;
}

int tree_new(const struct place_search *search, struct tree **ret)
{
	const struct place_structure *structure = &search->graph->structure;
	struct tree *tree = calloc(1, sizeof(*tree));
	int r = 0;

	if (!tree)
		return -ENOMEM;
	tree->search = search;
	tree->structure = structure;
	tree->root = structure->n_parts - 1;
	tree->parts = calloc(structure->n_parts, sizeof(*tree->parts));
	for (uint32_t i = 0; tree->parts && i < structure->n_parts; i++)
		count_part(tree, i);
	if (tree->parts)
		r = find_dense(tree);
	if (!tree->parts || r < 0) {
		tree_free(tree);
		return -ENOMEM;
	}
	while (tree->first_level < structure->n_levels && structure->levels[tree->first_level] < search->least)
		tree->first_level++;
	tree->level_low = tree->first_level;
	tree->up_low = tree->first_level;
	tree->level_high = structure->n_levels;
	tree->up_high = structure->n_levels;
	*ret = tree;
	return 0;
}

static void kids_free(struct tree_part *part)
{
	for (uint32_t i = 0; i < part->n_kids; i++) {
		if (part->kids[i].up != part->kids[i].low)
			free(part->kids[i].up);
		free(part->kids[i].low);
	}
	free(part->kids);
	part->kids = NULL;
	part->n_kids = 0;
}

struct tree *tree_free(struct tree *tree)
{
	if (!tree)
		return NULL;
	for (uint32_t i = 0; tree->parts && i <= tree->root; i++) {
		struct tree_part *part = &tree->parts[i];

		kids_free(part);
		if (part->up != part->low)
			free(part->up);
		free(part->low);
		dense_free(part->dense);
	}
	half_free(tree->half);
	free(tree->parts);
	free(tree);
	return NULL;
}

/* ---- sizes ---- */

struct size {
	int32_t low, up;
	bool required;
};

/* With another child, any pair being allowed or none. */
static void size_add(struct size *size, bool together, int32_t low, int32_t up, bool required)
{
	if (low == SIZE_NEVER || size->low == SIZE_NEVER) {
		size->low = SIZE_NEVER;
		size->up = up == SIZE_NEVER || size->up == SIZE_NEVER ? SIZE_NEVER : together ? size->up + up : up;
	} else if (together) {
		size->low += low;
		size->up += up;
	} else if (size->required && required) {
		size->low = SIZE_NEVER;
		size->up = SIZE_NEVER;
	} else if (required) {
		size->low = low;
		size->up = up;
	} else if (!size->required) {
		size->low = low > size->low ? low : size->low;
		size->up = up > size->up ? up : size->up;
	}
	size->required |= required;
}

static int size_part(struct tree *tree, uint32_t i, int32_t threshold)
{
	const struct place_part *part = structure_part(tree, i);
	struct tree_part *state = &tree->parts[i];
	bool together = part->cell >= threshold;
	struct size size = { 0 };

	if (state->n_free == 0) {
		state->low_size = 0;
		state->up_size = 0;
		return 0;
	}
	if (state->dense)
		return dense_size(state->dense, threshold, tree->search->count, &state->low_size, &state->up_size);
	if (part->block) {
		uint32_t positions[LOCAL_MAX];
		struct local local;

		search_local(tree->search, part->first, part->size, &local, positions);
		state->low_size = (int32_t)local_clique(&local, threshold, local.n, NULL);
		/* One device is always a set. */
		if (state->low_size == 0)
			state->low_size = SIZE_NEVER;
		state->up_size = state->low_size;
		return 0;
	}
	if (together) {
		size.low = size.up = (int32_t)state->n_singles;
		size.required = state->n_single_required > 0;
	} else if (state->n_single_required > 1) {
		size.low = size.up = SIZE_NEVER;
	} else {
		size.low = size.up = state->n_singles > 0;
		size.required = state->n_single_required > 0;
	}
	for (uint32_t j = 0; j < part->n_children; j++) {
		const struct tree_part *child = &tree->parts[tree->structure->children[part->child + j]];

		if (child->n_free > 0)
			size_add(&size, together, child->low_size, child->up_size, child->n_required > 0);
	}
	state->low_size = size.low;
	state->up_size = size.up;
	return 0;
}

int tree_sizes(struct tree *tree, int32_t threshold)
{
	for (uint32_t i = 0; i <= tree->root; i++) {
		int r = size_part(tree, i, threshold);

		if (r < 0)
			return r;
	}
	tree->threshold = threshold;
	return 0;
}

static bool would_do(const struct tree *tree, int32_t size)
{
	return size >= (int32_t)tree->search->count;
}

/*
 * One level of the search for the largest least pair. What is proved (up) and what is found (low) are two searches in
 * one; they part only where a large irregular part is.
 */
static int step_sizes(struct tree *tree)
{
	const struct tree_part *root = &tree->parts[tree->root];
	bool for_up = tree->up_low < tree->up_high;
	uint32_t low = for_up ? tree->up_low : tree->level_low, high = for_up ? tree->up_high : tree->level_high;
	uint32_t middle = low + (high - low) / 2;
	int r;

	if (tree->search->objective == PLACE_SUM || tree->search->count == 1 || low >= high) {
		int32_t threshold = tree->search->least;

		tree->up_bottleneck = -1;
		if (tree->up_low > tree->first_level)
			tree->up_bottleneck = tree->structure->levels[tree->up_low - 1];
		if (tree->level_low > tree->first_level)
			threshold = tree->structure->levels[tree->level_low - 1];
		tree->phase = PHASE_PLAN;
		return tree_sizes(tree, threshold);
	}
	r = tree_sizes(tree, tree->structure->levels[middle]);
	if (r < 0)
		return r;
	if (would_do(tree, root->up_size)) {
		if (middle + 1 > tree->up_low && middle < tree->up_high)
			tree->up_low = middle + 1;
	} else {
		tree->up_high = middle < tree->up_high ? middle : tree->up_high;
		tree->up_low = tree->up_low < tree->up_high ? tree->up_low : tree->up_high;
	}
	if (would_do(tree, root->low_size)) {
		tree->level_low = middle + 1 > tree->level_low ? middle + 1 : tree->level_low;
		tree->up_low = tree->level_low > tree->up_low ? tree->level_low : tree->up_low;
	} else {
		tree->level_high = middle < tree->level_high ? middle : tree->level_high;
	}
	return 0;
}

/* ---- tables ---- */

static int kid_compare(const void *a, const void *b)
{
	const struct kid *a_kid = a, *b_kid = b;

	if ((a_kid->part == PART_SINGLES) != (b_kid->part == PART_SINGLES))
		return a_kid->part == PART_SINGLES ? -1 : 1;
	if (a_kid->n_free != b_kid->n_free)
		return a_kid->n_free < b_kid->n_free ? -1 : 1;
	return (a_kid->part > b_kid->part) - (a_kid->part < b_kid->part);
}

int tree_kids(struct tree *tree, uint32_t i)
{
	const struct place_part *part = structure_part(tree, i);
	struct tree_part *state = &tree->parts[i];
	bool together = part->cell >= tree->threshold;

	kids_free(state);
	state->kids = calloc((size_t)part->n_children + 1, sizeof(*state->kids));
	if (!state->kids)
		return -ENOMEM;
	if (state->n_singles > 0) {
		int32_t size = together ? (int32_t)state->n_singles : state->n_single_required > 1 ? SIZE_NEVER : 1;

		state->kids[state->n_kids++] = (struct kid){
			.part = PART_SINGLES,
			.n_free = state->n_singles,
			.n_required = state->n_single_required,
			.low_size = size,
			.up_size = size,
		};
	}
	for (uint32_t j = 0; j < part->n_children; j++) {
		uint32_t number = tree->structure->children[part->child + j];
		const struct tree_part *child = &tree->parts[number];

		if (child->n_free == 0)
			continue;
		state->kids[state->n_kids++] = (struct kid){
			.part = number,
			.n_free = child->n_free,
			.n_required = child->n_required,
			.low_size = child->low_size,
			.up_size = child->up_size,
		};
	}
	qsort(state->kids, state->n_kids, sizeof(*state->kids), kid_compare);
	return 0;
}

/* The only kids of a part whose children do not go together that may be chosen. */
bool tree_kid_may_be_all(const struct tree_part *part, const struct kid *kid)
{
	return kid->n_required == part->n_required;
}

/* An irregular part that would be exact, if there were few of them. */
static bool is_middle(const struct tree *tree, uint32_t i)
{
	const struct tree_part *state = &tree->parts[i];

	return structure_part(tree, i)->block && !state->dense && state->n_free > PLACE_TIES_EXACT_MAX &&
	       state->k_min <= state->k_max;
}

/* It gets bounds; the largest set in it is known already. */
static int part_to_dense(struct tree *tree, uint32_t i, uint64_t work)
{
	const struct place_part *part = structure_part(tree, i);
	struct tree_part *state = &tree->parts[i];
	uint32_t positions[LOCAL_MAX], members[LOCAL_MAX], mask, n = 0;
	struct local local;
	int r;

	r = dense_new(tree->search, part, work, &state->dense);
	if (r < 0)
		return r;
	search_local(tree->search, part->first, part->size, &local, positions);
	(void)local_clique(&local, tree->threshold, local.n, &mask);
	for (uint32_t j = 0; j < local.n; j++)
		if (mask & local_bit(&local, j))
			members[n++] = positions[j];
	return dense_know(state->dense, tree->threshold, members, n);
}

/*
 * One size of a part of some 24 takes up to a millisecond. All sizes of a few such parts are proved; where there are more,
 * and they take more than who asks for some hundred devices waits, all of them get bounds as larger ones do.
 */
static int limit_tables(struct tree *tree)
{
	enum { PARTS_MAX = 8, COST_MAX = 5000, LOOKS = 200 };
	const struct place_search *search = tree->search;
	uint64_t cost = 0, n = 0; /* us, about */
	int r = 0;

	for (uint32_t i = 0; i <= tree->root; i++) {
		const struct tree_part *state = &tree->parts[i];
		bool is_sparse = (uint32_t)state->low_size * 2 < state->n_free;

		if (!is_middle(tree, i))
			continue;
		cost += (uint64_t)(state->k_max - state->k_min + 1) * (is_sparse ? 8 : state->n_free > 20 ? 900 : 60);
		n++;
	}
	if (n <= PARTS_MAX || cost <= COST_MAX)
		return 0;
	for (uint32_t i = 0; r == 0 && i <= tree->root; i++) {
		uint64_t least = (uint64_t)LOOKS * tree->parts[i].n_free * tree->parts[i].n_free;

		if (is_middle(tree, i))
			r = part_to_dense(tree, i, search->work_max / n > least ? search->work_max / n : least);
	}
	return r;
}

/* What tables are needed, from the root to the leaves: by the numbers of devices that may be asked of each. */
static int step_plan(struct tree *tree)
{
	uint32_t count = tree->search->count;

	for (uint32_t i = 0; i <= tree->root; i++) {
		tree->parts[i].k_min = 1;
		tree->parts[i].k_max = 0;
	}
	tree->parts[tree->root].k_min = count;
	tree->parts[tree->root].k_max = count;
	for (uint32_t i = tree->root + 1; i-- > 0;) {
		struct tree_part *state = &tree->parts[i];
		bool together = structure_part(tree, i)->cell >= tree->threshold;
		int r;

		if (state->k_min > state->k_max || structure_part(tree, i)->block)
			continue;
		r = tree_kids(tree, i);
		if (r < 0)
			return r;
		for (uint32_t j = 0; j < state->n_kids; j++) {
			struct kid *kid = &state->kids[j];
			struct tree_part *child;

			if (kid->part == PART_SINGLES || kid->up_size == SIZE_NEVER)
				continue;
			child = &tree->parts[kid->part];
			if (together) {
				child->k_min = kid->n_required;
				child->k_max = state->k_max;
			} else if (tree_kid_may_be_all(state, kid) && (uint32_t)kid->up_size >= state->k_min) {
				child->k_min = state->k_min;
				child->k_max = state->k_max;
			}
			if (child->k_max > (uint32_t)kid->up_size)
				child->k_max = (uint32_t)kid->up_size;
		}
	}
	tree->phase = tree->search->objective == PLACE_BOTTLENECK ? PHASE_ENDED : PHASE_TABLES;
	return tree->phase == PHASE_TABLES ? limit_tables(tree) : 0;
}

/* The next size of a part that is exact, or a slice of it. Return: 1 that was the last, 0 call again. */
static int step_rows(struct tree *tree, uint32_t i)
{
	const struct place_part *part = structure_part(tree, i);
	struct tree_part *state = &tree->parts[i];
	int64_t sum;
	uint32_t mask;
	int r;

	if (tree->row > state->k_max) {
		tree->row = 0;
		return 1;
	}
	if (!tree->half) {
		uint32_t positions[LOCAL_MAX];
		struct local local;

		search_local(tree->search, part->first, part->size, &local, positions);
		local.least = tree->threshold;
		return half_new(&local, tree->row, PLACE_SUM, &tree->half);
	}
	r = half_step(tree->half);
	if (r <= 0)
		return r;
	if (half_result(tree->half, &mask, &sum) > 0)
		state->low[tree->row] = (double)sum;
	tree->half = half_free(tree->half);
	tree->row++;
	return 0;
}

/* Return: 1 the part is done, 0 call again. */
static int table_of_block(struct tree *tree, uint32_t i)
{
	const struct place_part *part = structure_part(tree, i);
	struct tree_part *state = &tree->parts[i];
	uint32_t positions[LOCAL_MAX];
	struct local local;
	int r;

	if (state->low)
		return step_rows(tree, i);
	state->low = table_new(state->k_max + 1);
	state->up = state->low;
	if (!state->low)
		return -ENOMEM;
	if (state->dense) {
		state->up = table_new(state->k_max + 1);
		if (!state->up)
			return -ENOMEM;
		r = dense_sums(state->dense, state->k_min, state->k_max, state->low, state->up);
		return r < 0 ? r : 1;
	}
	if (state->n_free <= PLACE_TIES_EXACT_MAX) {
		search_local(tree->search, part->first, part->size, &local, positions);
		local.least = tree->threshold;
		r = local_sums(&local, state->k_max, state->low);
		for (uint32_t k = 0; k <= state->k_max; k++)
			if (state->low[k] < 0)
				state->low[k] = -INFINITY;
		return r < 0 ? r : 1;
	}
	if (state->k_min == 0)
		state->low[0] = 0;
	tree->row = state->k_min > 0 ? state->k_min : 1;
	return 0;
}

/* A kid's own table: entry @k less what its pairs would be worth between children. */
double tree_kid_value(const struct tree *tree, const struct kid *kid, double cell, uint32_t k, bool up)
{
	const struct tree_part *child;

	if (kid->part == PART_SINGLES)
		return k >= kid->n_required && k <= kid->n_free ? 0 : -INFINITY;
	child = &tree->parts[kid->part];
	if (k > child->k_max || child->k_min > child->k_max)
		return k == 0 && kid->n_required == 0 ? 0 : -INFINITY;
	return (up ? child->up : child->low)[k] - cell * n_pairs(k);
}

static bool kid_is_exact(const struct tree *tree, const struct kid *kid)
{
	return kid->part == PART_SINGLES || tree->parts[kid->part].up == tree->parts[kid->part].low;
}

/* The largest for each number of devices from one child alone. */
static int table_of_one(struct tree *tree, uint32_t i)
{
	struct tree_part *state = &tree->parts[i];
	bool exact = true;

	for (uint32_t j = 0; j < state->n_kids; j++)
		exact &= kid_is_exact(tree, &state->kids[j]);
	state->low = table_new(state->k_max + 1);
	state->up = exact ? state->low : table_new(state->k_max + 1);
	if (!state->low || !state->up)
		return -ENOMEM;
	for (uint32_t j = 0; j < state->n_kids; j++) {
		const struct kid *kid = &state->kids[j];

		if (!tree_kid_may_be_all(state, kid))
			continue;
		for (uint32_t k = state->k_min; k <= state->k_max; k++) {
			double low, up;

			/* Singles do not go together either. */
			if (kid->part == PART_SINGLES && k > 1)
				break;
			low = tree_kid_value(tree, kid, 0, k, false);
			up = tree_kid_value(tree, kid, 0, k, true);
			state->low[k] = low > state->low[k] ? low : state->low[k];
			if (!exact)
				state->up[k] = up > state->up[k] ? up : state->up[k];
		}
	}
	return 0;
}

static void add_row(double *restrict sums, const double *restrict before, double value, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		double sum = before[i] + value;

		sums[i] = sum > sums[i] ? sum : sums[i];
	}
}

/* Memory for the tables up to @kid; before the first there is the table of no kid, which is 0 for 0. */
static int kid_begin(struct tree *tree, struct tree_part *state, uint32_t j)
{
	struct kid *kid = &state->kids[j];
	const struct kid *before = j > 0 ? &state->kids[j - 1] : NULL;
	uint32_t size = (uint32_t)kid->up_size + (before ? before->end - 1 : 0);
	bool exact = kid_is_exact(tree, kid) && (!before || before->up == before->low);

	kid->end = (size < state->k_max ? size : state->k_max) + 1;
	kid->low = table_new(kid->end);
	kid->up = exact ? kid->low : table_new(kid->end);
	return kid->low && kid->up ? 0 : -ENOMEM;
}

static void kid_row(struct tree *tree, struct tree_part *state, uint32_t j, uint32_t row, double cell)
{
	struct kid *kid = &state->kids[j];
	const struct kid *before = j > 0 ? &state->kids[j - 1] : NULL;
	double low = tree_kid_value(tree, kid, cell, row, false), up = low;
	uint32_t n;

	if (kid->up != kid->low)
		up = tree_kid_value(tree, kid, cell, row, true);
	if (up == -INFINITY || row >= kid->end)
		return;
	if (!before) {
		kid->low[row] = low;
		kid->up[row] = up;
		return;
	}
	n = kid->end - row < before->end ? kid->end - row : before->end;
	add_row(kid->low + row, before->low, low, n);
	if (kid->up != kid->low)
		add_row(kid->up + row, before->up, up, n);
}

static int table_of_all(struct tree *tree, uint32_t i)
{
	const struct kid *last;
	struct tree_part *state = &tree->parts[i];
	double cell = structure_part(tree, i)->cell;

	assert(state->n_kids > 0);
	last = &state->kids[state->n_kids - 1];
	state->low = table_new(state->k_max + 1);
	state->up = last->up == last->low ? state->low : table_new(state->k_max + 1);
	if (!state->low || !state->up)
		return -ENOMEM;
	for (uint32_t k = state->k_min; k <= state->k_max && k < last->end; k++) {
		state->low[k] = last->low[k] + cell * n_pairs(k);
		if (state->up != state->low)
			state->up[k] = last->up[k] + cell * n_pairs(k);
	}
	return 0;
}

/* Return: 1 the part is done, 0 call again. */
static int step_part(struct tree *tree, uint32_t i)
{
	const struct place_part *part = structure_part(tree, i);
	struct tree_part *state = &tree->parts[i];
	int r;

	if (state->k_min > state->k_max)
		return 1;
	if (part->block)
		return table_of_block(tree, i);
	if (part->cell < tree->threshold) {
		r = table_of_one(tree, i);
		return r < 0 ? r : 1;
	}
	for (uint32_t n_rows = 0; tree->kid < state->n_kids; tree->kid++, tree->row = 0) {
		struct kid *kid = &state->kids[tree->kid];

		/* A step may have ended before its first row. */
		if (!kid->low) {
			r = kid_begin(tree, state, tree->kid);
			if (r < 0)
				return r;
		}
		for (; tree->row <= (uint32_t)kid->up_size && tree->row < kid->end; tree->row++) {
			/* Short rows are many a step. */
			if (kid->end > 256 && ++n_rows > ROWS_MAX)
				return 0;
			kid_row(tree, state, tree->kid, tree->row, part->cell);
		}
	}
	tree->kid = 0;
	r = table_of_all(tree, i);
	return r < 0 ? r : 1;
}

static int step_tables(struct tree *tree)
{
	for (uint32_t n = 0; n < 16; n++) {
		bool is_block = structure_part(tree, tree->part)->block &&
				tree->parts[tree->part].k_min <= tree->parts[tree->part].k_max;
		int r = step_part(tree, tree->part);

		if (r <= 0)
			return r;
		if (tree->part++ == tree->root) {
			tree->phase = PHASE_ENDED;
			return 0;
		}
		/* That was something. */
		if (is_block)
			return 0;
	}
	return 0;
}

int tree_step(struct tree *tree)
{
	int r = 0;

	if (tree->phase == PHASE_SIZES)
		r = step_sizes(tree);
	else if (tree->phase == PHASE_PLAN)
		r = would_do(tree, tree->parts[tree->root].low_size) ? step_plan(tree) : 1;
	else if (tree->phase == PHASE_TABLES)
		r = step_tables(tree);
	return r == 0 ? tree->phase == PHASE_ENDED : r;
}

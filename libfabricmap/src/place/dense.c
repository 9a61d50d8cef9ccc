// SPDX-License-Identifier: MIT
/*
 * Irregular parts that are too large to be exact. What is found: a clique if pairs are forbidden; from all that is
 * allowed the device that gives least is left out until as many are left as are asked for; then two are exchanged as long
 * as work is left, never back at once. What is proved: no device of a set of k gives more than the half of its k - 1 best
 * pairs; and no set has more than what its devices give to all pairs alike, and what noise can add.
 */
#include "place/tree.h"

#include "base/base.h"
#include "place/bits.h"
#include "place/clique.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum {
	CACHE_MAX = 40, /* thresholds; a search for one of 2^31 asks for less */
	SWAP_WIDTH = 12, /* devices on each side that are tried */
	TENURE = 7, /* exchanges for which one that came or went stays */
	/* Devices looked at for each that a class has to have: beyond them few are found. */
	CLASS_LOOKS = 64,
	/* For ranges of sizes a bound that takes time for each is too slow. */
	SIZES_MAX = 8,
};

struct cached_size {
	int32_t threshold, low, up;
	uint32_t *members;
};

struct dense {
	const struct place_block *block;
	uint32_t n, n_required;
	uint32_t *columns; /* of the block, by index; indices are in the order of ids */
	uint32_t *positions;
	bool *is_candidate; /* by column */
	uint32_t *indices; /* by column, of candidates */
	bool *required; /* by index */
	const place_cell *cells; /* n * n, by index: the block's if all of it are candidates */
	place_cell *own_cells;
	int64_t *totals; /* by index: pairs with all others */
	int32_t least; /* cell */
	struct clique_graph graph;
	int32_t threshold; /* of the graph and of the last size */
	struct cached_size cache[CACHE_MAX];
	size_t n_cached;
	int64_t work, work_later, work_classes;
	bool is_all; /* there are no candidates elsewhere */
	/* The last sums: the set for each size is the end of the order; the best for one size may be better. */
	uint32_t *order;
	uint32_t n_order, k_best;
	bool *best; /* by index: for k_best */
};

int dense_new(const struct place_search *search, const struct place_part *part, uint64_t work_max, struct dense **ret)
{
	struct dense *dense = calloc(1, sizeof(*dense));
	uint32_t size = part->size;

	if (!dense)
		return -ENOMEM;
	*ret = dense;
	dense->block = part->block;
	/* One half for sizes, one for sums. */
	dense->work = (int64_t)work_max / 2;
	dense->work_later = (int64_t)work_max / 2;
	/* These are cheap, and say at once which thresholds are too high. */
	dense->work_classes = (int64_t)work_max / 4;
	dense->columns = calloc(size, sizeof(*dense->columns));
	dense->positions = calloc(size, sizeof(*dense->positions));
	dense->order = calloc(size, sizeof(*dense->order));
	dense->is_candidate = calloc(size, sizeof(*dense->is_candidate));
	dense->indices = calloc(size, sizeof(*dense->indices));
	dense->required = calloc(size, sizeof(*dense->required));
	dense->best = calloc(size, sizeof(*dense->best));
	if (!dense->columns || !dense->positions || !dense->order || !dense->is_candidate || !dense->indices ||
	    !dense->required || !dense->best)
		return -ENOMEM;
	BITS_FOREACH(position, search->candidates, part->first, (size_t)part->first + size)
	{
		uint32_t i = dense->n++;

		dense->columns[i] = (uint32_t)position - part->first;
		dense->positions[i] = (uint32_t)position;
		dense->is_candidate[dense->columns[i]] = true;
		dense->indices[dense->columns[i]] = i;
		dense->required[i] = bits_has(search->required, position);
		dense->n_required += dense->required[i];
	}
	dense->is_all = dense->n == search->n_candidates;
	dense->graph.n = dense->n;
	dense->graph.n_words = bits_words(dense->n);
	dense->cells = part->block->cells;
	dense->least = part->block->least;
	if (dense->n == size)
		return 0;
	dense->own_cells = malloc((size_t)dense->n * dense->n * sizeof(*dense->own_cells));
	if (!dense->own_cells)
		return -ENOMEM;
	dense->cells = dense->own_cells;
	dense->least = INT32_MAX;
	for (uint32_t i = 0; i < dense->n; i++) {
		const place_cell *row = &part->block->cells[(size_t)dense->columns[i] * size];
		place_cell *cells = &dense->own_cells[(size_t)i * dense->n];

		for (uint32_t j = 0; j < dense->n; j++) {
			cells[j] = row[dense->columns[j]];
			if (j != i && cells[j] < dense->least)
				dense->least = cells[j];
		}
	}
	return 0;
}

struct dense *dense_free(struct dense *dense)
{
	if (!dense)
		return NULL;
	for (size_t i = 0; i < dense->n_cached; i++)
		free(dense->cache[i].members);
	free(dense->columns);
	free(dense->positions);
	free(dense->order);
	free(dense->is_candidate);
	free(dense->indices);
	free(dense->required);
	free(dense->best);
	free(dense->own_cells);
	free(dense->totals);
	free(dense->graph.rows);
	free(dense);
	return NULL;
}

/* Nearly all pairs of a device are good enough: those that are not are the last of its order. Return: was it so? */
static bool fill_row_but_few(const struct dense *dense, uint32_t i, int32_t threshold, uint64_t *row)
{
	const struct place_block *block = dense->block;
	const uint16_t *order = &block->order[(size_t)dense->columns[i] * block->n];
	const place_cell *cells = &block->cells[(size_t)dense->columns[i] * block->n];

	if (block->n < 8 || cells[order[block->n - block->n / 8]] < threshold)
		return false;
	memset(row, 0xff, dense->graph.n_words * sizeof(*row));
	if (dense->n % 64 > 0)
		row[dense->graph.n_words - 1] = UINT64_MAX >> (64 - dense->n % 64);
	for (uint32_t j = block->n - 1; j-- > 0 && cells[order[j]] < threshold;)
		if (dense->is_candidate[order[j]])
			bits_remove(row, dense->indices[order[j]]);
	bits_remove(row, i);
	return true;
}

static void fill_graph(struct dense *dense, int32_t threshold)
{
	struct clique_graph *graph = &dense->graph;

	for (uint32_t i = 0; i < dense->n; i++) {
		const place_cell *cells = &dense->cells[(size_t)i * dense->n];
		uint64_t *row = graph->rows + i * graph->n_words;

		if (fill_row_but_few(dense, i, threshold, row))
			continue;
		for (size_t word = 0; word < graph->n_words; word++) {
			uint32_t from = (uint32_t)word * 64, n = dense->n - from < 64 ? dense->n - from : 64;
			uint64_t bits = 0;

			for (uint32_t j = 0; j < n; j++)
				bits |= (uint64_t)(cells[from + j] >= threshold) << j;
			row[word] = bits;
		}
		bits_remove(row, i);
	}
	dense->work -= (int64_t)dense->n * dense->n;
}

/* What may be with all that is required. False: these cannot be together themselves. */
static bool with_required(const struct dense *dense, uint64_t *ret)
{
	const struct clique_graph *graph = &dense->graph;

	for (uint32_t i = 0; i < dense->n; i++)
		if (!dense->required[i])
			bits_add(ret, i);
	for (uint32_t i = 0; i < dense->n; i++) {
		const uint64_t *row = graph->rows + i * graph->n_words;

		if (!dense->required[i])
			continue;
		for (uint32_t j = 0; j < dense->n; j++)
			if (dense->required[j] && j != i && !bits_has(row, j))
				return false;
		for (size_t word = 0; word < graph->n_words; word++)
			ret[word] &= row[word];
	}
	return true;
}

/*
 * Classes in which no two devices may be together: a set has at most one of each. Greedily: the first device that is in
 * none, then from its worst pair upwards all that are worse than the threshold with everybody in the class.
 *
 * Return: how many there are, if they are fewer than @enough; else n, or if no work is left.
 */
static int count_classes(struct dense *dense, int32_t threshold, uint32_t enough, uint32_t *ret)
{
	const struct place_block *block = dense->block;
	_cleanup_(freep) const place_cell **class = calloc(dense->n + 1, sizeof(*class)); /* rows */
	_cleanup_(freep) bool *is_free = calloc(block->n + 1, sizeof(*is_free)); /* by column */
	uint32_t n_classes = 0, n_looks = CLASS_LOOKS * (enough < dense->n ? dense->n / enough : 1);

	*ret = dense->n;
	if (!class || !is_free)
		return -ENOMEM;
	memcpy(is_free, dense->is_candidate, block->n * sizeof(*is_free));
	for (uint32_t i = 0; i < dense->n && n_classes < enough && dense->work_classes > 0; i++) {
		const uint16_t *order = &block->order[(size_t)dense->columns[i] * block->n];
		const place_cell *cells = &block->cells[(size_t)dense->columns[i] * block->n];
		uint32_t n = 0, n_left = n_looks, at;

		if (!is_free[dense->columns[i]])
			continue;
		n_classes++;
		is_free[dense->columns[i]] = false;
		/* The last is the row itself. */
		for (uint32_t j = block->n - 1; j-- > 0 && n_left-- > 0 && cells[order[j]] < threshold;) {
			uint16_t column = order[j];

			dense->work_classes -= 2;
			if (!is_free[column])
				continue;
			for (at = 0; at < n && class[at][column] < threshold; at++)
				;
			dense->work_classes -= at;
			if (at < n)
				continue;
			class[n++] = &block->cells[(size_t)column * block->n];
			is_free[column] = false;
		}
	}
	if (n_classes < enough && dense->work_classes > 0)
		*ret = n_classes;
	return 0;
}

/* By what is known of other thresholds. */
static int find_size_cheaply(const struct dense *dense, uint32_t n_classes, struct cached_size *ret)
{
	const struct cached_size *best = NULL;

	ret->low = 0;
	ret->up = (int32_t)n_classes;
	for (size_t i = 0; i < dense->n_cached; i++) {
		const struct cached_size *other = &dense->cache[i];

		if (other->threshold > ret->threshold && other->low > ret->low) {
			ret->low = other->low;
			best = other;
		}
		if (other->threshold < ret->threshold && other->up < ret->up)
			ret->up = other->up;
	}
	if (!best) {
		/* Whether what is required can be together is not known. */
		ret->low = dense->n_required > 0 ? SIZE_NEVER : 0;
		return 0;
	}
	ret->members = malloc((size_t)best->low * sizeof(*ret->members));
	if (!ret->members)
		return -ENOMEM;
	memcpy(ret->members, best->members, (size_t)best->low * sizeof(*ret->members));
	return 0;
}

static int find_size(struct dense *dense, uint32_t enough, struct cached_size *ret)
{
	_cleanup_(freep) uint64_t *among = calloc(dense->graph.n_words + 1, sizeof(*among));
	_cleanup_(freep) uint32_t *members = calloc(dense->n + 1, sizeof(*members));
	struct clique_result result = { .members = members };
	uint32_t n_classes;
	int r;

	r = count_classes(dense, ret->threshold, enough, &n_classes);
	if (r < 0)
		return r;
	if (dense->work <= 0 || (dense->is_all && n_classes < enough))
		return find_size_cheaply(dense, n_classes, ret);
	if (!dense->graph.rows)
		dense->graph.rows = malloc(dense->n * dense->graph.n_words * sizeof(*dense->graph.rows));
	if (!among || !members || !dense->graph.rows)
		return -ENOMEM;
	fill_graph(dense, ret->threshold);
	if (!with_required(dense, among)) {
		ret->low = SIZE_NEVER;
		ret->up = SIZE_NEVER;
		return 0;
	}
	enough = enough > dense->n_required ? enough - dense->n_required : 0;
	r = clique_find(&dense->graph, among, enough, &dense->work, &result);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < dense->n; i++)
		if (dense->required[i])
			members[result.n_members++] = i;
	ret->low = (int32_t)result.n_members;
	ret->up = (int32_t)(result.up + dense->n_required < n_classes ? result.up + dense->n_required : n_classes);
	ret->members = steal_ptr(&members);
	return 0;
}

int dense_size(struct dense *dense, int32_t threshold, uint32_t enough, int32_t *ret_low, int32_t *ret_up)
{
	struct cached_size *cached = NULL;
	int r;

	dense->threshold = threshold;
	if (dense->least >= threshold) {
		*ret_low = (int32_t)dense->n;
		*ret_up = (int32_t)dense->n;
		return 0;
	}
	for (size_t i = 0; i < dense->n_cached; i++)
		if (dense->cache[i].threshold == threshold)
			cached = &dense->cache[i];
	if (!cached) {
		assert(dense->n_cached < CACHE_MAX);
		cached = &dense->cache[dense->n_cached];
		*cached = (struct cached_size){ .threshold = threshold };
		r = find_size(dense, enough, cached);
		if (r < 0)
			return r;
		dense->n_cached++;
	}
	*ret_low = cached->low;
	*ret_up = cached->up;
	return 0;
}

int dense_know(struct dense *dense, int32_t threshold, const uint32_t *positions, uint32_t n)
{
	struct cached_size *cached = &dense->cache[0];

	assert(dense->n_cached == 0);
	*cached = (struct cached_size){ .threshold = threshold, .low = (int32_t)n, .up = (int32_t)n };
	cached->members = calloc((size_t)n + 1, sizeof(*cached->members));
	if (!cached->members)
		return -ENOMEM;
	dense->n_cached++;
	dense->threshold = threshold;
	for (uint32_t i = 0; i < n; i++)
		while (dense->positions[cached->members[i]] != positions[i])
			cached->members[i]++;
	return 0;
}

/* ---- sums ---- */

struct swap {
	struct dense *dense;
	uint32_t k;
	bool *in;
	int64_t *gains; /* by index: to all that are in */
	uint32_t *bad; /* pairs with those in that are not allowed */
	uint32_t *until; /* not moved before that exchange */
	int64_t sum;
};

static int find_totals(struct dense *dense)
{
	dense->totals = calloc(dense->n + 1, sizeof(*dense->totals));
	if (!dense->totals)
		return -ENOMEM;
	for (uint32_t i = 0; i < dense->n; i++) {
		const place_cell *cells = &dense->cells[(size_t)i * dense->n];

		/* The row's own cell is 0. */
		for (uint32_t j = 0; j < dense->n; j++)
			dense->totals[i] += cell_mbps(cells[j]);
	}
	return 0;
}

static int64_t row_gain(const struct dense *dense, uint32_t i, const bool *in)
{
	const place_cell *cells = &dense->cells[(size_t)i * dense->n];
	int64_t gain = 0;

	for (uint32_t j = 0; j < dense->n; j++)
		gain += in[j] && j != i ? cell_mbps(cells[j]) : 0;
	return gain;
}

/* All that may be together: the last size's. */
static void start_set(const struct dense *dense, bool *in)
{
	memset(in, dense->least >= dense->threshold, dense->n * sizeof(*in));
	if (dense->least >= dense->threshold)
		return;
	for (size_t i = 0; i < dense->n_cached; i++)
		if (dense->cache[i].threshold == dense->threshold && dense->cache[i].members)
			for (int32_t j = 0; j < dense->cache[i].low; j++)
				in[dense->cache[i].members[j]] = true;
}

/* Who may be left out. */
struct peeled {
	uint32_t index;
	int64_t gain; /* from all that are in */
};

/* Who gives least, now that the device of @gone (a row; NULL: none) is out; of several the last. */
static uint32_t least_of(struct peeled *list, uint32_t n, const place_cell *gone)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (gone)
			list[i].gain -= cell_mbps(gone[list[i].index]);
		if (list[i].gain < list[at].gain || (list[i].gain == list[at].gain && list[i].index > list[at].index))
			at = i;
	}
	return at;
}

/* Leave out, one after the other, who gives least: sums for all sizes that are asked for. */
static int peel_sums(struct dense *dense, uint32_t k_min, uint32_t k_max, double *low)
{
	_cleanup_(freep) struct peeled *list = calloc(dense->n + 1, sizeof(*list));
	_cleanup_(freep) bool *in = calloc(dense->n, sizeof(*in));
	uint32_t n_left = 0, n_out = 0, n = 0, at;
	int64_t sum = 0;

	if (!list || !in)
		return -ENOMEM;
	start_set(dense, in);
	for (uint32_t i = 0; i < dense->n; i++) {
		int64_t gain;

		if (!in[i])
			continue;
		gain = dense->least >= dense->threshold ? dense->totals[i] : row_gain(dense, i, in);
		sum += gain;
		n_left++;
		if (!dense->required[i])
			list[n++] = (struct peeled){ i, gain };
	}
	sum /= 2;
	dense->n_order = n_left;
	at = least_of(list, n, NULL);
	for (;; n_left--) {
		struct peeled out = list[at];

		if (n_left <= k_max && n_left >= k_min)
			low[n_left] = (double)sum;
		if (n == 0 || n_left == k_min)
			break;
		in[out.index] = false;
		sum -= out.gain;
		dense->order[n_out++] = out.index;
		list[at] = list[--n];
		at = least_of(list, n, &dense->cells[(size_t)out.index * dense->n]);
		dense->work -= n * 2;
	}
	/* What is required, or asked for, is left. */
	for (uint32_t i = 0; i < dense->n; i++)
		if (in[i])
			dense->order[n_out++] = i;
	return 0;
}

static void swap_move(struct swap *swap, uint32_t i, bool in)
{
	const struct dense *dense = swap->dense;
	const place_cell *cells = &dense->cells[(size_t)i * dense->n];
	int32_t threshold = dense->threshold;

	swap->in[i] = in;
	swap->sum += in ? swap->gains[i] : -swap->gains[i];
	for (uint32_t j = 0; j < dense->n; j++) {
		int64_t mbps = cell_mbps(cells[j]);
		uint32_t bad = cells[j] < threshold;

		swap->gains[j] += in ? mbps : -mbps;
		swap->bad[j] += in ? bad : -bad;
	}
	/* The row's own cell is nothing. */
	swap->bad[i] -= in ? cells[i] < threshold : -(uint32_t)(cells[i] < threshold);
}

/* The indices with the largest (or least) gains that may move now. */
static uint32_t swap_list(const struct swap *swap, bool in, uint32_t now, uint32_t *ret)
{
	const struct dense *dense = swap->dense;
	uint32_t n = 0;

	for (uint32_t i = 0; i < dense->n; i++) {
		int64_t gain = in ? -swap->gains[i] : swap->gains[i];
		uint32_t j;

		if (swap->in[i] != in || swap->until[i] > now || (in ? dense->required[i] : swap->bad[i] > 1))
			continue;
		if (n == SWAP_WIDTH && gain <= (in ? -swap->gains[ret[n - 1]] : swap->gains[ret[n - 1]]))
			continue;
		for (j = n < SWAP_WIDTH ? n++ : n - 1;
		     j > 0 && (in ? -swap->gains[ret[j - 1]] : swap->gains[ret[j - 1]]) < gain; j--)
			ret[j] = ret[j - 1];
		ret[j] = i;
	}
	return n;
}

static void swap_run(struct swap *swap)
{
	struct dense *dense = swap->dense;
	int64_t best = swap->sum;

	for (uint32_t now = 1; dense->work > 0; now++) {
		uint32_t outs[SWAP_WIDTH], ins[SWAP_WIDTH], out = 0, in = 0;
		uint32_t n_outs = swap_list(swap, true, now, outs), n_ins = swap_list(swap, false, now, ins);
		int64_t most = INT64_MIN;

		for (uint32_t i = 0; i < n_outs; i++) {
			const place_cell *cells = &dense->cells[(size_t)outs[i] * dense->n];

			for (uint32_t j = 0; j < n_ins; j++) {
				int64_t more = swap->gains[ins[j]] - swap->gains[outs[i]] - cell_mbps(cells[ins[j]]);

				if (swap->bad[ins[j]] > (uint32_t)(cells[ins[j]] < dense->threshold) || more <= most)
					continue;
				most = more;
				out = outs[i];
				in = ins[j];
			}
		}
		dense->work -= (int64_t)dense->n * 6 + SWAP_WIDTH * SWAP_WIDTH;
		if (most == INT64_MIN)
			return;
		swap_move(swap, out, false);
		swap_move(swap, in, true);
		swap->until[out] = now + TENURE + (swap->k > 32);
		swap->until[in] = now + TENURE / 2;
		if (swap->sum <= best)
			continue;
		best = swap->sum;
		memcpy(dense->best, swap->in, dense->n * sizeof(*swap->in));
	}
	swap->sum = best;
}

static int improve(struct dense *dense, uint32_t k, double *low)
{
	_cleanup_(freep) int64_t *gains = calloc(dense->n, sizeof(*gains));
	_cleanup_(freep) uint32_t *bad = calloc(dense->n, sizeof(*bad)), *until = calloc(dense->n, sizeof(*until));
	_cleanup_(freep) bool *in = calloc(dense->n, sizeof(*in));
	struct swap swap = { .dense = dense, .k = k, .in = in, .gains = gains, .bad = bad, .until = until };

	if (!gains || !bad || !until || !in)
		return -ENOMEM;
	for (uint32_t i = 0; i < k; i++)
		swap_move(&swap, dense->order[dense->n_order - 1 - i], true);
	assert((double)swap.sum == *low);
	memcpy(dense->best, in, dense->n * sizeof(*in));
	dense->k_best = k;
	swap_run(&swap);
	*low = (double)swap.sum > *low ? (double)swap.sum : *low;
	return 0;
}

static int double_compare(const void *a, const void *b)
{
	const double *a_value = a, *b_value = b;

	return (*a_value < *b_value) - (*a_value > *b_value);
}

/* The best allowed pairs of a device, one after the other. */
struct best_pairs {
	const uint16_t *order;
	const place_cell *cells;
	uint32_t at, n;
	int64_t sum;
};

static void best_pairs_begin(struct best_pairs *pairs, const struct dense *dense, uint32_t i)
{
	size_t row = (size_t)dense->columns[i] * dense->block->n;

	*pairs = (struct best_pairs){ .order = dense->block->order + row, .cells = dense->block->cells + row };
}

/* The sum of the @n best, which are not less than before. */
static double best_pairs_sum(struct best_pairs *pairs, const struct dense *dense, uint32_t n)
{
	/* The last is the row itself. */
	for (; pairs->at + 1 < dense->block->n && pairs->n < n; pairs->at++) {
		uint16_t column = pairs->order[pairs->at];

		if (!dense->is_candidate[column])
			continue;
		if (pairs->cells[column] < dense->threshold)
			break;
		pairs->sum += pairs->cells[column];
		pairs->n++;
	}
	return pairs->n < n ? -INFINITY : (double)pairs->sum;
}

static double sum_of_best(double *values, uint32_t n, uint32_t k)
{
	double sum = 0;

	qsort(values, n, sizeof(*values), double_compare);
	for (uint32_t i = 0; i < k; i++)
		sum += values[i];
	return sum;
}

/*
 * Either by who is in (each gives half of its best k - 1 pairs), or by who is out: all pairs, less those of who is out,
 * where a pair of two that are out was taken away twice.
 */
static void bound_sum(const struct dense *dense, uint32_t k, double *by_in, double *by_out, double *ret)
{
	uint32_t n = dense->n, n_out = n - k;
	bool both = dense->least >= dense->threshold && n_out <= k;
	double total = 0, sum;

	for (uint32_t i = 0; i < n; i++) {
		struct best_pairs pairs;

		best_pairs_begin(&pairs, dense, i);
		/* n_out <= k */
		if (both) {
			by_out[i] = (n_out > 1 ? best_pairs_sum(&pairs, dense, n_out - 1) / 2 : 0) -
				    (double)dense->totals[i];
			total += (double)dense->totals[i] / 2;
		}
		by_in[i] = best_pairs_sum(&pairs, dense, k - 1) / 2;
	}
	sum = floor(sum_of_best(by_in, n, k));
	*ret = sum > 0 ? sum : 0;
	if (!both)
		return;
	sum = floor(total + sum_of_best(by_out, n, n_out));
	*ret = sum < *ret ? sum : *ret;
}

static void sum_up_best(double *values, uint32_t n)
{
	qsort(values, n, sizeof(*values), double_compare);
	for (uint32_t i = 1; i < n; i++)
		values[i] += values[i - 1];
}

/*
 * By shares and rest, for all sizes at once. With x[i] = 1 for those in the set, the rest adds the half of x' R x. Taken
 * apart as x = a * 1 + y that is a * (the rows' sums of who is in) - a * a * (all rows' sums) / 2 + y' R y / 2, for any a;
 * and y' R y is at most the largest eigenvalue times y' y. The best rows and the best shares are bounded apart.
 */
static int bound_sums_by_rest(const struct dense *dense, uint32_t k_min, uint32_t k_max, double *up)
{
	uint32_t n = dense->n;
	_cleanup_(freep) double *shares = NULL, *rows = NULL;
	double most = dense->block->rest_most, all_shares = 0, all_rows = 0;

	if (!dense->block->shares || !isfinite(most))
		return 0;
	shares = calloc(n, sizeof(*shares));
	rows = calloc(n, sizeof(*rows));
	if (!shares || !rows)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		shares[i] = dense->block->shares[dense->columns[i]];
		all_shares += shares[i];
	}
	for (uint32_t i = 0; i < n; i++) {
		rows[i] = (double)dense->totals[i] - all_shares - ((double)n - 2) * shares[i];
		all_rows += rows[i];
	}
	sum_up_best(shares, n);
	sum_up_best(rows, n);
	for (uint32_t k = k_min > 2 ? k_min : 2; k <= k_max; k++) {
		double given = ((double)k - 1) * shares[k - 1], least = INFINITY;

		for (unsigned int i = 0; i < 2; i++) {
			double a = i ? (double)k / n : 0, y = k * (1 - a) * (1 - a) + (n - k) * a * a;

			least = fmin(least, given + a * rows[k - 1] - a * a * all_rows / 2 + most * y / 2);
		}
		/* Rounding: that many additions. */
		least = floor(least + fabs(given) * 1e-11 + 1);
		up[k] = least < up[k] ? (least > 0 ? least : 0) : up[k];
	}
	return 0;
}

int dense_sums(struct dense *dense, uint32_t k_min, uint32_t k_max, double *low, double *up)
{
	_cleanup_(freep) double *values = calloc(2 * (size_t)dense->n, sizeof(*values));
	bool each = k_max - k_min < SIZES_MAX || dense->n <= PLACE_PROVED_MAX;
	int r;

	if (!values)
		return -ENOMEM;
	r = dense->totals ? 0 : find_totals(dense);
	if (r < 0)
		return r;
	for (uint32_t k = k_min; k <= k_max; k++) {
		if (k < 2)
			up[k] = 0;
		else if (each)
			bound_sum(dense, k, values, values + dense->n, &up[k]);
	}
	if (!each) {
		/* No pair is worth more than the best one. */
		double best = 0;

		for (uint32_t i = 0; i < dense->n; i++) {
			struct best_pairs pairs;
			double pair;

			best_pairs_begin(&pairs, dense, i);
			pair = best_pairs_sum(&pairs, dense, 1);
			best = pair > best ? pair : best;
		}
		for (uint32_t k = k_min > 2 ? k_min : 2; k <= k_max; k++)
			up[k] = best * k * (k - 1) / 2;
	}
	r = bound_sums_by_rest(dense, k_min, k_max, up);
	if (r < 0)
		return r;
	dense->work = dense->work_later;
	r = peel_sums(dense, k_min, k_max, low);
	if (r < 0)
		return r;
	if (k_min == 0)
		low[0] = 0;
	if (k_min == k_max && k_min > 1 && dense->n_order >= k_min && low[k_min] < up[k_min])
		return improve(dense, k_min, &low[k_min]);
	return 0;
}

int dense_choose(const struct dense *dense, uint32_t k, uint32_t *ret_positions)
{
	uint32_t n = 0;

	if (dense->k_best != k) {
		_cleanup_(freep) bool *in = NULL;

		if (dense->n_order >= k) {
			for (uint32_t i = 0; i < k; i++)
				ret_positions[i] = dense->positions[dense->order[dense->n_order - 1 - i]];
			return 0;
		}
		/* No sums were asked for: any of those that may be together. */
		in = calloc(dense->n, sizeof(*in));
		if (!in)
			return -ENOMEM;
		start_set(dense, in);
		for (uint32_t i = 0; i < dense->n && n < k; i++)
			if (in[i] && dense->required[i])
				ret_positions[n++] = dense->positions[i];
		for (uint32_t i = 0; i < dense->n && n < k; i++)
			if (in[i] && !dense->required[i])
				ret_positions[n++] = dense->positions[i];
		assert(n == k);
		return 0;
	}
	for (uint32_t i = 0; i < dense->n; i++)
		if (dense->best[i])
			ret_positions[n++] = dense->positions[i];
	assert(n == k);
	return 0;
}

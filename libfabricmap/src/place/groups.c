// SPDX-License-Identifier: MIT
/* Sets of free devices that belong together: connected through links, or joined each with each. */
#include "place/whatif.h"

#include "base/base.h"
#include "place/bits.h"
#include "place/search-internal.h"

#include <string.h>

enum { CLIQUE_STEPS_MAX = 1 << 20 };

static int sets_add(struct device_sets *sets, const size_t *devices, size_t n)
{
	struct device_set *grown = reallocarray(sets->sets, sets->n + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	sets->sets = grown;
	grown[sets->n].devices = malloc((n + 1) * sizeof(size_t));
	if (!grown[sets->n].devices)
		return -ENOMEM;
	memcpy(grown[sets->n].devices, devices, n * sizeof(size_t));
	grown[sets->n++].n = n;
	return 0;
}

static int set_compare(const void *a, const void *b)
{
	const struct device_set *x = a, *y = b;

	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	for (size_t i = 0; i < x->n; i++)
		if (x->devices[i] != y->devices[i])
			return x->devices[i] < y->devices[i] ? -1 : 1;
	return 0;
}

static void sets_sort(struct device_sets *sets)
{
	if (sets->n > 1)
		qsort(sets->sets, sets->n, sizeof(*sets->sets), set_compare);
}

static bool is_joined(uint32_t packed, int64_t least_mbps, unsigned int need)
{
	return packed_cell(packed) >= 0 && packed_mbps(packed) >= least_mbps && (packed >> 24 & need) == need;
}

/* ---- components ---- */

static uint32_t find(uint32_t *parents, uint32_t device)
{
	while (parents[device] != device) {
		parents[device] = parents[parents[device]];
		device = parents[device];
	}
	return device;
}

static void join(uint32_t *parents, uint32_t a, uint32_t b)
{
	a = find(parents, a);
	b = find(parents, b);
	parents[a > b ? a : b] = a > b ? b : a;
}

/* Pairs of free children of one node that have a matrix. */
static void join_rows(const struct place_pool *pool, const struct place_node *node, const uint32_t *ids, uint32_t n,
		      int64_t least_mbps, uint32_t *parents)
{
	const uint32_t *rows = pool->graph->device_row;

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = 0; j < i; j++)
			if (is_joined(node->rows[(size_t)rows[ids[i]] * node->n_rows + rows[ids[j]]], least_mbps,
				      PLACE_PAIR_LINKED))
				join(parents, ids[i], ids[j]);
}

/*
 * A node whose pairs are joined makes one component of all that is below it, if that is below more than one child: who
 * is below one child meets in another.
 */
static int join_all(const struct place_pool *pool, int64_t least_mbps, uint32_t *parents)
{
	const struct place_graph *graph = pool->graph;
	_cleanup_(freep) uint32_t *n_below = calloc(graph->n_nodes, sizeof(*n_below)); /* children with free devices */
	_cleanup_(freep) uint32_t *some = calloc(graph->n_nodes, sizeof(*some)), *ids = NULL;
	_cleanup_(freep) bool *has_nodes = calloc(graph->n_nodes, sizeof(*has_nodes));

	ids = calloc((size_t)graph->n_devices + 1, sizeof(*ids));
	if (!n_below || !some || !ids || !has_nodes)
		return -ENOMEM;
	for (uint32_t i = 0; i < graph->n_devices; i++) {
		if (!place_pool_is_free(pool, i))
			continue;
		n_below[graph->device_node[i]]++;
		some[graph->device_node[i]] = i;
	}
	for (uint32_t i = graph->n_nodes; i-- > 1;) {
		if (n_below[i] == 0)
			continue;
		n_below[graph->nodes[i].parent]++;
		has_nodes[graph->nodes[i].parent] = true;
		some[graph->nodes[i].parent] = some[i];
	}
	for (uint32_t i = 0; i < graph->n_nodes; i++) {
		const struct place_node *node = &graph->nodes[i];
		uint32_t n = 0;

		if (!node->rows)
			continue;
		for (uint32_t device = 0; device < graph->n_devices; device++)
			if (graph->device_node[device] == i && place_pool_is_free(pool, device))
				ids[n++] = device;
		join_rows(pool, node, ids, n, least_mbps, parents);
	}
	for (uint32_t device = 0; device < graph->n_devices; device++) {
		if (!place_pool_is_free(pool, device))
			continue;
		for (uint32_t i = graph->device_node[device]; i != UINT32_MAX; i = graph->nodes[i].parent)
			if (n_below[i] > 1 && (has_nodes[i] || !graph->nodes[i].rows) &&
			    is_joined(graph->nodes[i].packed, least_mbps, PLACE_PAIR_LINKED))
				join(parents, device, some[i]);
	}
	return 0;
}

int whatif_components(const struct place_pool *pool, int64_t least_mbps, struct device_sets *ret)
{
	uint32_t n = pool->graph->n_devices;
	_cleanup_(freep) uint32_t *parents = calloc((size_t)n + 1, sizeof(*parents));
	_cleanup_(freep) size_t *members = calloc((size_t)n + 1, sizeof(*members));
	_cleanup_(freep) size_t *ends = calloc((size_t)n + 1, sizeof(*ends));
	_cleanup_(device_sets_fini) struct device_sets sets = { .complete = true };
	size_t end = 0;
	int r;

	if (!parents || !members || !ends)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		parents[i] = i;
	r = join_all(pool, least_mbps, parents);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < n; i++)
		if (place_pool_is_free(pool, i))
			ends[find(parents, i)]++;
	for (uint32_t i = 0; i < n; i++) {
		size_t size = ends[i];

		ends[i] = end;
		end += size;
	}
	for (uint32_t i = 0; i < n; i++)
		if (place_pool_is_free(pool, i))
			members[ends[find(parents, i)]++] = i;
	for (uint32_t i = 0, from = 0; i < n; i++) {
		if (ends[i] == from)
			continue;
		r = sets_add(&sets, members + from, ends[i] - from);
		if (r < 0)
			return r;
		from = (uint32_t)ends[i];
	}
	sets_sort(&sets);
	*ret = sets;
	sets = (struct device_sets){ 0 };
	return 0;
}

/* ---- maximal cliques ---- */

struct hunt {
	size_t n, n_words, max;
	uint64_t *rows;
	const size_t *ids;
	size_t *members;
	size_t n_steps;
	struct device_sets *sets;
};

/* Bron and Kerbosch, with the pivot that leaves the fewest branches. Return: 0, 1 no more, -ENOMEM. */
static int grow(struct hunt *hunt, uint64_t *left, uint64_t *done, size_t n_members)
{
	size_t n_words = hunt->n_words, pivot = 0, most = SIZE_MAX;
	_cleanup_(freep) uint64_t *scratch = NULL;
	uint64_t any = 0;
	int r;

	if (hunt->n_steps++ > CLIQUE_STEPS_MAX)
		return 1;
	for (size_t i = 0; i < n_words; i++)
		any |= left[i] | done[i];
	if (!any) {
		if (hunt->sets->n == hunt->max)
			return 1;
		return sets_add(hunt->sets, hunt->members, n_members);
	}
	scratch = malloc(3 * n_words * sizeof(*scratch));
	if (!scratch)
		return -ENOMEM;
	for (size_t v = 0; v < hunt->n; v++) {
		size_t n = 0;

		if (!bits_has(left, v) && !bits_has(done, v))
			continue;
		for (size_t i = 0; i < n_words; i++)
			n += (size_t)__builtin_popcountll(left[i] & ~hunt->rows[v * n_words + i]);
		if (n < most) {
			most = n;
			pivot = v;
		}
	}
	for (size_t i = 0; i < n_words; i++)
		scratch[2 * n_words + i] = left[i] & ~hunt->rows[pivot * n_words + i];
	BITS_FOREACH(v, scratch + 2 * n_words, 0, hunt->n)
	{
		for (size_t i = 0; i < n_words; i++) {
			scratch[i] = left[i] & hunt->rows[v * n_words + i];
			scratch[n_words + i] = done[i] & hunt->rows[v * n_words + i];
		}
		hunt->members[n_members] = hunt->ids[v];
		r = grow(hunt, scratch, scratch + n_words, n_members + 1);
		if (r != 0)
			return r;
		bits_remove(left, v);
		bits_add(done, v);
	}
	return 0;
}

static int id_compare(const void *a, const void *b)
{
	const size_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int whatif_cliques(const struct place_pool *pool, int64_t least_mbps, size_t max, struct device_sets *ret)
{
	const struct place_graph *graph = pool->graph;
	_cleanup_(freep) size_t *ids = calloc(place_pool_n_free(pool) + 1, sizeof(*ids));
	_cleanup_(freep) size_t *members = calloc(place_pool_n_free(pool) + 1, sizeof(*members));
	_cleanup_(freep) uint64_t *rows = NULL, *left = NULL;
	_cleanup_(device_sets_fini) struct device_sets sets = { 0 };
	struct hunt hunt = { .ids = ids, .members = members, .sets = &sets };
	int r = 0;

	if (place_pool_n_free(pool) > WHATIF_CLIQUE_DEVICES_MAX)
		return -E2BIG;
	if (!ids || !members)
		return -ENOMEM;
	for (uint32_t i = 0; i < graph->n_devices; i++)
		if (place_pool_is_free(pool, i))
			ids[hunt.n++] = i;
	hunt.max = max < WHATIF_CLIQUES_MAX ? max : WHATIF_CLIQUES_MAX;
	hunt.n_words = bits_words(hunt.n);
	hunt.rows = rows = calloc(hunt.n * hunt.n_words + 1, sizeof(*rows));
	left = calloc(2 * hunt.n_words + 1, sizeof(*left));
	if (!rows || !left)
		return -ENOMEM;
	for (size_t i = 0; i < hunt.n; i++) {
		bits_add(left, i);
		for (size_t j = 0; j < hunt.n; j++)
			if (i != j &&
			    is_joined(place_graph_packed(graph, (uint32_t)ids[i], (uint32_t)ids[j]), least_mbps, 0))
				bits_add(rows + i * hunt.n_words, j);
	}
	if (hunt.n > 0)
		r = grow(&hunt, left, left + hunt.n_words, 0);
	if (r < 0)
		return r;
	sets.complete = r == 0;
	for (size_t i = 0; i < sets.n; i++)
		qsort(sets.sets[i].devices, sets.sets[i].n, sizeof(size_t), id_compare);
	sets_sort(&sets);
	*ret = sets;
	sets = (struct device_sets){ 0 };
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * Large cliques: first the vertex with the least neighbours goes, again and again, until all that is left is joined,
 * which finds what is planted and bounds what there is (a clique of k has k vertices with k - 1 neighbours each); then
 * branch and bound with colours, of which a clique needs one for each vertex.
 */
#include "place/clique.h"

#include "base/base.h"
#include "place/bits.h"

#include <string.h>

struct hunt {
	const struct clique_graph *graph;
	uint32_t enough;
	int64_t work;
	uint32_t *members; /* the clique that is being grown */
	struct clique_result *result;
};

static const uint64_t *row_of(const struct clique_graph *graph, uint32_t vertex)
{
	return graph->rows + vertex * graph->n_words;
}

static uint32_t count_common(const uint64_t *a, const uint64_t *b, size_t n_words)
{
	uint32_t n = 0;

	for (size_t i = 0; i < n_words; i++)
		n += (uint32_t)__builtin_popcountll(a[i] & b[i]);
	return n;
}

/* Whose degree is the least, now that the vertex of @gone (a row; NULL: none) has left. */
static uint32_t least_of(const uint32_t *list, uint32_t n, uint32_t *degrees, const uint64_t *gone)
{
	uint32_t least = UINT32_MAX, at = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t degree = degrees[list[i]];

		if (gone)
			degree -= (uint32_t)(gone[list[i] / 64] >> (list[i] % 64)) & 1;
		degrees[list[i]] = degree;
		at = degree < least ? i : at;
		least = degree < least ? degree : least;
	}
	return at;
}

/* Peel. Also sets the first bound: what is left at each moment has at most (its least degree + 1) in a clique with it. */
static int peel(struct hunt *hunt, const uint64_t *among)
{
	const struct clique_graph *graph = hunt->graph;
	_cleanup_(freep) uint32_t *degrees = calloc(graph->n + 1, sizeof(*degrees));
	_cleanup_(freep) uint32_t *list = calloc(graph->n + 1, sizeof(*list));
	_cleanup_(freep) uint64_t *left = calloc(graph->n_words + 1, sizeof(*left));
	uint32_t n_left = 0, core = 0, least, at;

	if (!degrees || !list || !left)
		return -ENOMEM;
	memcpy(left, among, graph->n_words * sizeof(*left));
	BITS_FOREACH(v, left, 0, graph->n)
	{
		degrees[v] = count_common(row_of(graph, (uint32_t)v), left, graph->n_words);
		list[n_left++] = (uint32_t)v;
	}
	hunt->work -= (int64_t)(n_left * graph->n_words);
	at = least_of(list, n_left, degrees, NULL);
	while (n_left > 0) {
		const uint64_t *row = row_of(graph, list[at]);

		least = degrees[list[at]];
		core = least > core ? least : core;
		if (least == n_left - 1)
			break;
		bits_remove(left, list[at]);
		list[at] = list[--n_left];
		at = least_of(list, n_left, degrees, row);
		hunt->work -= n_left;
	}
	/* Others may have gone that are joined to all that stayed. */
	BITS_FOREACH(v, among, 0, graph->n)
	{
		if (bits_has(left, v) || count_common(row_of(graph, (uint32_t)v), left, graph->n_words) != n_left)
			continue;
		bits_add(left, v);
		n_left++;
	}
	hunt->result->n_members = 0;
	BITS_FOREACH(v, left, 0, graph->n)
	hunt->result->members[hunt->result->n_members++] = (uint32_t)v;
	hunt->result->up = n_left == 0 ? 0 : core + 1;
	return 0;
}

struct coloured {
	uint32_t vertex, n_colours; /* colours that it and those before it need */
};

/* Colours greedily; lists vertices in the order of their colours. */
static size_t colour(struct hunt *hunt, const uint64_t *among, uint64_t *scratch, struct coloured *ret)
{
	const struct clique_graph *graph = hunt->graph;
	uint64_t *left = scratch, *class = scratch + graph->n_words;
	uint32_t n_colours = 0;
	size_t n = 0;

	memcpy(left, among, graph->n_words * sizeof(*left));
	for (size_t first = bits_next(left, 0, graph->n); first < graph->n; first = bits_next(left, first, graph->n)) {
		n_colours++;
		memcpy(class, left, graph->n_words * sizeof(*class));
		BITS_FOREACH(v, class, first, graph->n)
		{
			const uint64_t *row = row_of(graph, (uint32_t)v);

			bits_remove(left, v);
			ret[n++] = (struct coloured){ (uint32_t)v, n_colours };
			for (size_t i = v / 64; i < graph->n_words; i++)
				class[i] &= ~row[i];
			hunt->work -= (int64_t)(graph->n_words - v / 64) + 4;
		}
	}
	return n;
}

/* Return: 0, 1 there is no need to go on (enough, or no work is left), -ENOMEM. */
static int branch(struct hunt *hunt, uint64_t *among, uint32_t n_members)
{
	const struct clique_graph *graph = hunt->graph;
	_cleanup_(freep) uint64_t *scratch = NULL;
	_cleanup_(freep) struct coloured *order = NULL;
	size_t n = bits_count(among, 0, graph->n);
	int r;

	if (n_members > hunt->result->n_members) {
		memcpy(hunt->result->members, hunt->members, n_members * sizeof(*hunt->members));
		hunt->result->n_members = n_members;
	}
	if (hunt->result->n_members >= hunt->enough || hunt->work <= 0)
		return 1;
	if (n == 0)
		return 0;
	scratch = malloc(graph->n_words * 2 * sizeof(*scratch));
	order = malloc(n * sizeof(*order));
	if (!scratch || !order)
		return -ENOMEM;
	n = colour(hunt, among, scratch, order);
	if (n_members == 0 && n > 0 && order[n - 1].n_colours < hunt->result->up)
		hunt->result->up = order[n - 1].n_colours;
	while (n-- > 0) {
		const uint64_t *row = row_of(graph, order[n].vertex);

		if (n_members + order[n].n_colours <= hunt->result->n_members)
			return 0;
		for (size_t i = 0; i < graph->n_words; i++)
			scratch[i] = among[i] & row[i];
		hunt->members[n_members] = order[n].vertex;
		r = branch(hunt, scratch, n_members + 1);
		if (r != 0)
			return r;
		bits_remove(among, order[n].vertex);
	}
	return 0;
}

int clique_find(const struct clique_graph *graph, const uint64_t *among, uint32_t enough, int64_t *work,
		struct clique_result *ret)
{
	_cleanup_(freep) uint32_t *members = calloc(graph->n + 1, sizeof(*members));
	_cleanup_(freep) uint64_t *left = calloc(graph->n_words + 1, sizeof(*left));
	struct hunt hunt = { .graph = graph, .enough = enough, .work = *work, .members = members, .result = ret };
	int r;

	if (!members || !left)
		return -ENOMEM;
	r = peel(&hunt, among);
	if (r < 0)
		return r;
	if (ret->n_members < enough && ret->n_members < ret->up && ret->up >= enough && hunt.work > 0) {
		memcpy(left, among, graph->n_words * sizeof(*left));
		r = branch(&hunt, left, 0);
		if (r < 0)
			return r;
		if (r == 0)
			ret->up = ret->n_members;
	}
	*work = hunt.work;
	return 0;
}

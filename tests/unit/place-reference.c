// SPDX-License-Identifier: MIT
#include "place-reference.h"

#include <stdio.h>
#include <string.h>

uint32_t chance(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((*seed >> 33) % below);
}

const char *chance_name(size_t number, char name[static 16])
{
	(void)snprintf(name, 16, "%04zx:%02zx:%02zx.0", number >> 13 & 0xffff, number >> 5 & 0xff, number & 0x1f);
	return name;
}

static struct place_pair chance_pair(uint64_t *seed, uint32_t n_levels, uint32_t forbid)
{
	static const int64_t levels[] = { 12000, 36000, 72000, 48000, 0, 10000000, 20600, 1 };
	struct place_pair pair = { .mbps = levels[chance(seed, n_levels)] };

	if (chance(seed, 3) == 0)
		pair.flags |= PLACE_PAIR_ASSUMED;
	if (chance(seed, 3) != 0)
		pair.flags |= PLACE_PAIR_LINKED;
	if (forbid > 0 && chance(seed, forbid) == 0)
		pair.flags |= PLACE_PAIR_FORBIDDEN;
	return pair;
}

struct place_graph *chance_graph(uint64_t *seed, size_t n, uint32_t n_levels, uint32_t forbid)
{
	struct place_graph_builder *builder;
	struct place_graph *graph;
	size_t numbers[64], nodes[64], nodes_of[64], n_nodes = 1, shape = chance(seed, 4);
	char name[16];

	ck_assert_uint_le(n, 64);
	for (size_t i = 0; i < n; i++) {
		size_t j = chance(seed, (uint32_t)i + 1);

		numbers[i] = numbers[j];
		numbers[j] = i;
	}
	ck_assert_int_eq(place_graph_builder_new(chance_pair(seed, n_levels, forbid), &builder), 0);
	nodes[0] = PLACE_NODE_ROOT;
	while (shape > 0 && n_nodes < 1 + n / 3) {
		ssize_t node = place_graph_builder_add_node(builder, nodes[chance(seed, (uint32_t)n_nodes)],
							    chance_pair(seed, n_levels, forbid));

		ck_assert_int_gt(node, 0);
		nodes[n_nodes++] = (size_t)node;
	}
	for (size_t i = 0; i < n; i++) {
		nodes_of[i] = nodes[chance(seed, (uint32_t)n_nodes)];
		ck_assert_int_eq(place_graph_builder_add_device(builder, nodes_of[i], chance_name(numbers[i], name)),
				 (ssize_t)i);
	}
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			/* A matrix at the root, or at some nodes. */
			if (nodes_of[i] == nodes_of[j] && (shape == 0 || (shape == 2 && nodes_of[i] % 2)))
				ck_assert_int_eq(place_graph_builder_set_pair(builder, i, j,
									      chance_pair(seed, n_levels, forbid)),
						 0);
	ck_assert_int_eq(place_graph_builder_finish(builder, &graph), 0);
	place_graph_builder_free(builder);
	return graph;
}

/* ---- all subsets ---- */

struct problem {
	const struct place_graph *graph;
	const struct place_ask *ask;
	size_t ids[20], n;
	struct place_pair pairs[20][20];
};

struct value {
	bool allowed;
	int64_t bottleneck, sum;
};

static struct value value_of(const struct problem *problem, uint32_t mask)
{
	struct value value = { .allowed = true, .bottleneck = INT64_MAX };

	for (size_t i = 0; i < problem->n; i++) {
		for (size_t j = 0; j < i; j++) {
			struct place_pair pair = problem->pairs[i][j];

			if (!(mask >> i & 1) || !(mask >> j & 1))
				continue;
			value.sum += pair.mbps;
			if (pair.mbps < value.bottleneck)
				value.bottleneck = pair.mbps;
			if (pair.flags & PLACE_PAIR_FORBIDDEN || pair.mbps < problem->ask->least_mbps)
				value.allowed = false;
		}
	}
	if (value.bottleneck == INT64_MAX)
		value.bottleneck = 0;
	return value;
}

static int compare(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int value_compare(const struct problem *problem, struct value a, struct value b)
{
	int r;

	if (problem->ask->objective == PLACE_SUM)
		return compare(a.sum, b.sum);
	r = compare(a.bottleneck, b.bottleneck);
	if (r != 0 || problem->ask->objective == PLACE_BOTTLENECK)
		return r;
	return compare(a.sum, b.sum);
}

static struct value best_of_rest(const struct problem *problem, uint32_t rest)
{
	struct value best = { 0 };

	for (uint32_t mask = 0; mask < 1U << problem->n; mask++) {
		struct value value;

		if (mask & ~rest || (size_t)__builtin_popcount(mask) != problem->ask->count)
			continue;
		value = value_of(problem, mask);
		if (value.allowed && value_compare(problem, value, best) > 0)
			best = value;
	}
	return best;
}

static int64_t cut_of(const struct problem *problem, uint32_t mask)
{
	int64_t cut = 0;

	for (size_t i = 0; i < problem->n; i++)
		for (size_t j = 0; j < i; j++)
			if ((mask >> i & 1) != (mask >> j & 1))
				cut += problem->pairs[i][j].mbps;
	return cut;
}

/* Lists of names: the first difference decides, and ids are in the order of names. */
static bool is_lower_list(uint32_t a, uint32_t b)
{
	return a & ((a ^ b) & -(a ^ b));
}

struct reference reference_solve(const struct place_pool *pool, const struct place_ask *ask, bool ties)
{
	struct problem problem = { .ask = ask };
	struct value best = { 0 }, best_rest = { 0 };
	struct reference result = { 0 };
	uint32_t required = 0, chosen = 0, all;
	int64_t best_cut = 0;

	/* The graph is the pool's first member: the reference knows the interface only. */
	problem.graph = *(struct place_graph *const *)(const void *)pool;
	for (size_t i = 0; i < place_graph_n_devices(problem.graph); i++) {
		bool candidate = place_pool_is_free(pool, i) &&
				 (!ask->candidates || ask->candidates[i / 64] >> (i % 64) & 1);

		for (size_t j = 0; j < ask->n_excluded; j++)
			candidate &= ask->excluded[j] != i;
		for (size_t j = 0; j < ask->n_required; j++)
			if (candidate && ask->required[j] == i)
				required |= 1U << problem.n;
		if (!candidate)
			continue;
		ck_assert_uint_lt(problem.n, 20);
		problem.ids[problem.n++] = i;
	}
	for (size_t i = 0; i < problem.n; i++)
		for (size_t j = 0; j < problem.n; j++)
			if (i != j)
				problem.pairs[i][j] = place_graph_pair(problem.graph, problem.ids[i], problem.ids[j]);
	all = (uint32_t)((UINT64_C(1) << problem.n) - 1);
	for (uint32_t mask = 0; mask <= all; mask++) {
		struct value value, rest = { 0 };
		int64_t cut = 0;
		int r;

		if ((mask & required) != required || (size_t)__builtin_popcount(mask) != ask->count)
			continue;
		value = value_of(&problem, mask);
		if (!value.allowed)
			continue;
		r = result.found ? value_compare(&problem, value, best) : 1;
		if (r < 0 || (r == 0 && !ties))
			continue;
		if (ties) {
			rest = best_of_rest(&problem, all & ~mask);
			cut = cut_of(&problem, mask);
		}
		if (r == 0)
			r = value_compare(&problem, rest, best_rest);
		if (r == 0)
			r = -compare(cut, best_cut);
		if (r < 0 || (r == 0 && !is_lower_list(mask, chosen)))
			continue;
		result.found = true;
		best = value;
		best_rest = rest;
		best_cut = cut;
		chosen = mask;
	}
	result.bottleneck = best.bottleneck;
	result.sum = best.sum;
	for (size_t i = 0; i < problem.n; i++)
		if (chosen >> i & 1)
			result.mask |= UINT64_C(1) << problem.ids[i];
	return result;
}

void check_answer(const struct place_pool *pool, const struct place_ask *ask, const struct place_answer *answer)
{
	const struct place_graph *graph = *(struct place_graph *const *)(const void *)pool;
	int64_t sum = 0, bottleneck = INT64_MAX;
	size_t n_assumed = 0, n_required = 0;
	bool linked = true;

	ck_assert_uint_eq(answer->n_devices, ask->count);
	for (size_t i = 0; i < answer->n_devices; i++) {
		ck_assert(place_pool_is_free(pool, answer->devices[i]));
		ck_assert(i == 0 || answer->devices[i - 1] < answer->devices[i]);
		for (size_t j = 0; j < ask->n_excluded; j++)
			ck_assert_uint_ne(answer->devices[i], ask->excluded[j]);
		for (size_t j = 0; j < ask->n_required; j++)
			n_required += answer->devices[i] == ask->required[j];
		for (size_t j = 0; j < i; j++) {
			struct place_pair pair = place_graph_pair(graph, answer->devices[j], answer->devices[i]);

			ck_assert(!(pair.flags & PLACE_PAIR_FORBIDDEN));
			ck_assert_int_ge(pair.mbps, ask->least_mbps);
			sum += pair.mbps;
			bottleneck = pair.mbps < bottleneck ? pair.mbps : bottleneck;
			n_assumed += (pair.flags & PLACE_PAIR_ASSUMED) != 0;
			linked &= (pair.flags & PLACE_PAIR_LINKED) != 0;
		}
	}
	ck_assert_uint_eq(n_required, ask->n_required);
	ck_assert_int_eq(answer->sum_mbps, sum);
	ck_assert_int_eq(answer->bottleneck_mbps, answer->n_devices > 1 ? bottleneck : 0);
	ck_assert_uint_eq(answer->n_assumed, n_assumed);
	ck_assert_uint_eq(answer->n_assumed_listed, n_assumed < PLACE_ASSUMED_MAX ? n_assumed : PLACE_ASSUMED_MAX);
	for (size_t i = 0; i < answer->n_assumed_listed; i++)
		ck_assert(place_graph_pair(graph, answer->assumed[i][0], answer->assumed[i][1]).flags &
			  PLACE_PAIR_ASSUMED);
	ck_assert_int_eq(answer->linked, linked);
}

void check_against(const struct place_ask *ask, const struct place_answer *answer, struct reference best)
{
	int64_t found_first = ask->objective == PLACE_SUM ? answer->sum_mbps : answer->bottleneck_mbps;
	int64_t found_second = ask->objective == PLACE_BOTTLENECK_THEN_SUM ? answer->sum_mbps : 0;
	int64_t best_first = ask->objective == PLACE_SUM ? best.sum : best.bottleneck;
	int64_t best_second = ask->objective == PLACE_BOTTLENECK_THEN_SUM ? best.sum : 0;
	int64_t bound_first = ask->objective == PLACE_SUM ? answer->bound_sum_mbps : answer->bound_bottleneck_mbps;
	int64_t bound_second = ask->objective == PLACE_BOTTLENECK_THEN_SUM ? answer->bound_sum_mbps : 0;

	ck_assert(best.found);
	ck_assert(found_first < best_first || (found_first == best_first && found_second <= best_second));
	ck_assert(bound_first > best_first || (bound_first == best_first && bound_second >= best_second));
	if (!answer->proved)
		return;
	ck_assert_int_eq(found_first, best_first);
	ck_assert_int_eq(found_second, best_second);
	ck_assert_int_eq(bound_first, best_first);
	ck_assert_int_eq(bound_second, best_second);
}

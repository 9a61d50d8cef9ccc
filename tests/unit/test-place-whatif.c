// SPDX-License-Identifier: MIT
#include "machine.h"
#include "place-reference.h"
#include "place/whatif.h"

#include <errno.h>
#include <stdlib.h>

static uint32_t mask_of(const struct device_set *set)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < set->n; i++) {
		ck_assert(i == 0 || set->devices[i - 1] < set->devices[i]);
		mask |= 1U << set->devices[i];
	}
	return mask;
}

/* Who is joined with whom, among the free: once as sets need it, once as links do. */
static void joined(const struct place_graph *graph, const struct place_pool *pool, int64_t least_mbps, bool linked,
		   uint32_t *ret)
{
	for (size_t i = 0; i < place_graph_n_devices(graph); i++) {
		ret[i] = 0;
		for (size_t j = 0; j < place_graph_n_devices(graph); j++) {
			struct place_pair pair;

			if (i == j || !place_pool_is_free(pool, i) || !place_pool_is_free(pool, j))
				continue;
			pair = place_graph_pair(graph, i, j);
			if (!(pair.flags & PLACE_PAIR_FORBIDDEN) && pair.mbps >= least_mbps &&
			    (!linked || pair.flags & PLACE_PAIR_LINKED))
				ret[i] |= 1U << j;
		}
	}
}

static bool is_clique(const uint32_t *rows, uint32_t mask)
{
	for (uint32_t rest = mask; rest; rest &= rest - 1)
		if ((mask & ~(1U << __builtin_ctz(rest))) & ~rows[__builtin_ctz(rest)])
			return false;
	return true;
}

static void compare_components(const struct place_pool *pool, const uint32_t *rows, uint32_t free, int64_t least_mbps)
{
	struct device_sets sets;
	uint32_t seen = 0;

	ck_assert_int_eq(whatif_components(pool, least_mbps, &sets), 0);
	ck_assert(sets.complete);
	for (size_t i = 0; i < sets.n; i++) {
		uint32_t mask = mask_of(&sets.sets[i]), reached = mask & -mask, more = reached;

		ck_assert(i == 0 || sets.sets[i - 1].n >= sets.sets[i].n);
		ck_assert_uint_eq(mask & seen, 0);
		seen |= mask;
		while (more) {
			uint32_t next = 0;

			for (uint32_t rest = more; rest; rest &= rest - 1)
				next |= rows[__builtin_ctz(rest)];
			more = next & ~reached;
			reached |= next;
		}
		ck_assert_uint_eq(reached, mask);
	}
	ck_assert_uint_eq(seen, free);
	device_sets_fini(&sets);
}

static void compare_cliques(const struct place_pool *pool, const uint32_t *rows, uint32_t free, int64_t least_mbps)
{
	struct device_sets sets, fewer;
	struct device_set largest;
	size_t n_maximal = 0, most = 0;
	bool proved;

	ck_assert_int_eq(whatif_cliques(pool, least_mbps, WHATIF_CLIQUES_MAX, &sets), 0);
	ck_assert(sets.complete);
	for (uint32_t mask = free; mask; mask = (mask - 1) & free) {
		bool maximal = is_clique(rows, mask);

		if (maximal && (size_t)__builtin_popcount(mask) > most)
			most = (size_t)__builtin_popcount(mask);
		for (uint32_t rest = free & ~mask; rest && maximal; rest &= rest - 1)
			maximal = mask & ~rows[__builtin_ctz(rest)];
		n_maximal += maximal;
	}
	ck_assert_uint_eq(sets.n, n_maximal);
	for (size_t i = 0; i < sets.n; i++) {
		uint32_t mask = mask_of(&sets.sets[i]);

		ck_assert(is_clique(rows, mask));
		for (size_t j = 0; j < i; j++)
			ck_assert_uint_ne(mask_of(&sets.sets[j]), mask);
	}
	/* The cap is told. */
	if (sets.n > 1) {
		ck_assert_int_eq(whatif_cliques(pool, least_mbps, sets.n - 1, &fewer), 0);
		ck_assert(!fewer.complete);
		ck_assert_uint_eq(fewer.n, sets.n - 1);
		device_sets_fini(&fewer);
	}
	device_sets_fini(&sets);
	ck_assert_int_eq(whatif_largest(pool, least_mbps, &largest, &proved), 0);
	ck_assert(proved);
	ck_assert_uint_eq(largest.n, most);
	ck_assert(is_clique(rows, mask_of(&largest)));
	device_set_fini(&largest);
}

/* Components, maximal cliques and the largest set, against all subsets. */
START_TEST(sets_of_free_devices)
{
	const char *text = getenv("TEST_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : 3;

	for (unsigned int round = 0; round < 300; round++) {
		struct place_graph *graph =
			chance_graph(&seed, 1 + chance(&seed, 10), 1 + chance(&seed, 4), chance(&seed, 2) ? 3 : 0);
		int64_t least_mbps = chance(&seed, 2) ? 20000 : 0;
		struct place_pool *pool;
		uint32_t rows[32], free = 0;

		ck_assert_int_eq(place_pool_new(graph, &pool), 0);
		for (size_t i = 0; i < place_graph_n_devices(graph); i++)
			if (chance(&seed, 4) == 0)
				ck_assert_int_eq(place_pool_take(pool, &i, 1), 0);
			else
				free |= 1U << i;
		joined(graph, pool, least_mbps, true, rows);
		compare_components(pool, rows, free, least_mbps);
		joined(graph, pool, least_mbps, false, rows);
		compare_cliques(pool, rows, free, least_mbps);
		place_pool_free(pool);
		place_graph_unref(graph);
	}
}
END_TEST

/* Two boards of four: pairs of a board 40000, others 10000. */
static struct place_pool *boards(struct place_graph **ret_graph)
{
	struct place_graph_builder *builder;
	struct place_pool *pool;
	char name[16];

	ck_assert_int_eq(place_graph_builder_new((struct place_pair){ .mbps = 10000 }, &builder), 0);
	for (size_t board = 0; board < 2; board++) {
		ssize_t node = place_graph_builder_add_node(
			builder, PLACE_NODE_ROOT, (struct place_pair){ .mbps = 40000, .flags = PLACE_PAIR_LINKED });

		for (size_t i = 0; i < 4; i++)
			ck_assert_int_ge(place_graph_builder_add_device(builder, (size_t)node,
									chance_name(board * 4 + i, name)),
					 0);
	}
	ck_assert_int_eq(place_graph_builder_finish(builder, ret_graph), 0);
	place_graph_builder_free(builder);
	ck_assert_int_eq(place_pool_new(*ret_graph, &pool), 0);
	return pool;
}

START_TEST(fragmentation_in_figures)
{
	const size_t taken[] = { 0, 4, 5 };
	struct whatif_fragmentation result;
	struct place_graph *graph;
	struct place_pool *pool = boards(&graph);

	ck_assert_int_eq(place_pool_take(pool, taken, 3), 0);
	ck_assert_int_eq(whatif_fragmentation(pool, 40000, &result), 0);
	ck_assert_uint_eq(result.n_free, 5);
	ck_assert_uint_eq(result.largest, 3);
	ck_assert(result.largest_proved);
	ck_assert_uint_eq(result.permille, 400);
	ck_assert_uint_eq(result.n_sizes, 2);
	ck_assert_uint_eq(result.n_sets[0], 5);
	ck_assert_uint_eq(result.n_sets[1], 2);
	ck_assert_int_eq(whatif_fragmentation(pool, 0, &result), 0);
	ck_assert_uint_eq(result.permille, 0);
	ck_assert_uint_eq(place_pool_n_free(pool), 5);
	place_pool_free(pool);
	place_graph_unref(graph);
}
END_TEST

/* A lease of two loses one: what it keeps stays, and the best that remains comes to it. */
START_TEST(removal_in_figures)
{
	size_t first[] = { 0, 1 }, second[] = { 4, 5 }, taken[] = { 0, 1, 4, 5 }, third[] = { 1 }, free[] = { 2 };
	const struct device_set leases[] = { { first, 2 }, { second, 2 } }, gone = { third, 1 }, bad = { free, 1 };
	struct whatif_removal result;
	struct place_graph *graph;
	struct place_pool *pool = boards(&graph);

	ck_assert_int_eq(place_pool_take(pool, taken, 4), 0);
	ck_assert_int_eq(whatif_removal(pool, PLACE_BOTTLENECK_THEN_SUM, &gone, leases, 2, &result), 0);
	ck_assert_uint_eq(result.n_leases, 1);
	ck_assert_uint_eq(result.leases[0].lease, 0);
	ck_assert_int_eq(result.leases[0].change.bottleneck_before, 40000);
	ck_assert(result.leases[0].change.is_there);
	ck_assert_int_eq(result.leases[0].change.bottleneck_after, 40000);
	ck_assert_uint_eq(result.leases[0].replacement.n, 2);
	ck_assert_uint_eq(result.leases[0].replacement.devices[0], 0);
	ck_assert_uint_eq(result.leases[0].replacement.devices[1], 2);
	ck_assert_uint_eq(result.n_sizes, 3);
	ck_assert_int_eq(result.sizes[1].bottleneck_before, 40000);
	ck_assert_int_eq(result.sizes[1].bottleneck_after, 40000);
	whatif_removal_fini(&result);

	/* Two free devices, one on each board, go: no pair of a board is left, and four are not there at all. */
	third[0] = 2;
	taken[0] = 2, taken[1] = 6;
	const struct device_set both = { taken, 2 };

	ck_assert_int_eq(whatif_removal(pool, PLACE_SUM, &both, leases, 2, &result), 0);
	ck_assert_uint_eq(result.n_leases, 0);
	ck_assert_int_eq(result.sizes[1].sum_before, 40000);
	ck_assert_int_eq(result.sizes[1].sum_after, 10000);
	ck_assert(result.sizes[2].was_there);
	ck_assert(!result.sizes[2].is_there);
	whatif_removal_fini(&result);
	ck_assert_int_eq(whatif_removal(pool, PLACE_SUM, &both, &bad, 1, &result), -EINVAL);
	free[0] = 8;
	ck_assert_int_eq(whatif_removal(pool, PLACE_SUM, &bad, leases, 2, &result), -ENODEV);
	place_pool_free(pool);
	place_graph_unref(graph);
}
END_TEST

/* The largest set of @among, and of what is in it already. */
static size_t largest_of(const uint64_t *rows, uint64_t among, size_t n_in, size_t best)
{
	best = n_in > best ? n_in : best;
	for (; among && n_in + (size_t)__builtin_popcountll(among) > best; among &= among - 1)
		best = largest_of(rows, among & (among - 1) & rows[__builtin_ctzll(among)], n_in + 1, best);
	return best;
}

/* More devices than are solved one by one, any two of them joined or not: nothing that is said of the largest is false. */
START_TEST(largest_of_irregular_machines)
{
	enum { MOST = 40 };
	uint64_t seed = 5;

	for (unsigned int round = 0; round < 30; round++) {
		uint32_t n = 25 + chance(&seed, MOST - 24), often = 1 + chance(&seed, 8);
		struct place_graph_builder *builder;
		struct whatif_fragmentation result;
		uint64_t rows[MOST] = { 0 };
		struct place_graph *graph;
		struct place_pool *pool;
		char name[16];
		size_t most;

		ck_assert_int_eq(place_graph_builder_new((struct place_pair){ 0 }, &builder), 0);
		for (size_t i = 0; i < n; i++) {
			ck_assert_int_eq(place_graph_builder_add_device(builder, PLACE_NODE_ROOT, chance_name(i, name)),
					 (ssize_t)i);
			for (size_t j = 0; j < i; j++) {
				bool joins = chance(&seed, 10) < often;

				rows[i] |= (uint64_t)joins << j;
				rows[j] |= (uint64_t)joins << i;
				ck_assert_int_eq(place_graph_builder_set_pair(
							 builder, i, j,
							 (struct place_pair){ .mbps = joins ? 50000 : 100 }),
						 0);
			}
		}
		ck_assert_int_eq(place_graph_builder_finish(builder, &graph), 0);
		place_graph_builder_free(builder);
		ck_assert_int_eq(place_pool_new(graph, &pool), 0);
		most = largest_of(rows, UINT64_MAX >> (64 - n), 0, 0);
		for (size_t count = most + 1; count <= n; count += 1 + (n - most) / 4) {
			const struct place_ask ask = { .count = count, .least_mbps = 50000 };
			struct place_refusal refusal;
			struct place_answer answer;

			ck_assert_int_eq(place_solve(pool, &ask, &answer, &refusal), -ENOSPC);
			ck_assert_uint_eq(refusal.why, PLACE_REFUSED_PAIRS);
			ck_assert_msg(refusal.n_largest == most && refusal.largest_proved,
				      "%u devices, round %u, %zu asked: largest %zu%s, it is %zu", n, round, count,
				      refusal.n_largest, refusal.largest_proved ? "" : " (not proved)", most);
			for (size_t i = 0; i < most; i++)
				for (size_t j = 0; j < i; j++)
					ck_assert(rows[refusal.largest[i]] >> refusal.largest[j] & 1);
			place_refusal_fini(&refusal);
		}
		ck_assert_int_eq(whatif_fragmentation(pool, 50000, &result), 0);
		ck_assert_uint_eq(result.largest, most);
		ck_assert(result.largest_proved);
		place_pool_free(pool);
		place_graph_unref(graph);
	}
}
END_TEST

/* Two hundred devices, and hardly any work: a set all the same, and nobody says that it is the largest. */
START_TEST(largest_without_work_is_not_proved)
{
	const struct place_ask ask = { .count = 150, .least_mbps = 50000, .work_max = 1 };
	struct place_graph_builder *builder;
	struct place_refusal refusal;
	struct place_answer answer;
	struct place_graph *graph;
	struct place_pool *pool;
	uint64_t seed = 6;
	char name[16];

	ck_assert_int_eq(place_graph_builder_new((struct place_pair){ 0 }, &builder), 0);
	for (size_t i = 0; i < 200; i++) {
		ck_assert_int_ge(place_graph_builder_add_device(builder, PLACE_NODE_ROOT, chance_name(i, name)), 0);
		for (size_t j = 0; j < i; j++)
			ck_assert_int_eq(place_graph_builder_set_pair(
						 builder, i, j,
						 (struct place_pair){ .mbps = chance(&seed, 10) < 7 ? 50000 : 100 }),
					 0);
	}
	ck_assert_int_eq(place_graph_builder_finish(builder, &graph), 0);
	place_graph_builder_free(builder);
	ck_assert_int_eq(place_pool_new(graph, &pool), 0);
	ck_assert_int_eq(place_solve(pool, &ask, &answer, &refusal), -ENOSPC);
	ck_assert_uint_ge(refusal.n_largest, 1);
	ck_assert(!refusal.largest_proved);
	place_refusal_fini(&refusal);
	place_pool_free(pool);
	place_graph_unref(graph);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		sets_of_free_devices,	       fragmentation_in_figures,	   removal_in_figures,
		largest_of_irregular_machines, largest_without_work_is_not_proved,
	};

	return machine_run_suite("place-whatif", tests, sizeof(tests) / sizeof(tests[0]));
}

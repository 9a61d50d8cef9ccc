// SPDX-License-Identifier: MIT
#include "place-reference.h"

#include "machine.h"
#include "place/search-internal.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t test_seed(void)
{
	const char *text = getenv("TEST_SEED");

	return text ? strtoull(text, NULL, 0) : 20261121;
}

struct chance_ask {
	struct place_ask ask;
	size_t required[4], excluded[4];
};

static void chance_ask(uint64_t *seed, const struct place_graph *graph, struct chance_ask *ret)
{
	size_t n = place_graph_n_devices(graph);

	*ret = (struct chance_ask){
		.ask = { .count = 1 + chance(seed, (uint32_t)n), .objective = chance(seed, 3) },
	};
	if (chance(seed, 4) == 0)
		ret->ask.least_mbps = chance(seed, 2) ? 12001 : 36000;
	ret->ask.required = ret->required;
	ret->ask.excluded = ret->excluded;
	if (chance(seed, 3) == 0)
		for (size_t i = chance(seed, 3); i-- > 0;)
			ret->required[ret->ask.n_required++] = chance(seed, (uint32_t)n);
	if (chance(seed, 4) == 0)
		for (size_t i = chance(seed, 3); i-- > 0;)
			ret->excluded[ret->ask.n_excluded++] = chance(seed, (uint32_t)n);
}

static void take_by_chance(uint64_t *seed, struct place_pool *pool, const struct place_graph *graph, uint32_t one_in)
{
	for (size_t i = 0; i < place_graph_n_devices(graph); i++)
		if (chance(seed, one_in) == 0)
			ck_assert_int_eq(place_pool_take(pool, &i, 1), 0);
}

enum { LOCAL_AS_IT_IS = 0xffff };

/* With another limit between what is solved as a whole and what by parts, exactly and not. */
static int solve(const struct place_pool *pool, const struct place_ask *ask, uint32_t local_max,
		 struct place_answer *ret, struct place_refusal *ret_refusal)
{
	struct place_search *search;
	int r;

	r = place_search_new(pool, ask, &search);
	ck_assert_int_eq(r, 0);
	if (local_max != LOCAL_AS_IT_IS)
		search->local_max = local_max;
	while ((r = place_search_step(search, 0)) == 0)
		ck_assert_int_eq(place_search_finish(search, ret, ret_refusal), -EAGAIN);
	ck_assert_int_eq(r, 1);
	r = place_search_finish(search, ret, ret_refusal);
	place_search_free(search);
	return r;
}

/* One question, against all subsets. Return: whether it was answered, and 2 if that was proved. */
static unsigned int compare(const struct place_pool *pool, const struct place_ask *ask, uint32_t local_max, bool ties)
{
	struct reference best;
	struct place_refusal refusal;
	struct place_answer answer;
	uint64_t mask = 0;
	bool proved;
	int r;

	r = solve(pool, ask, local_max, &answer, &refusal);
	if (r == -EINVAL) {
		ck_assert_int_eq(refusal.why, PLACE_REFUSED_REQUIRED);
		return 0;
	}
	best = reference_solve(pool, ask, ties);
	if (r == -ENOSPC) {
		ck_assert(!best.found || !refusal.proved);
		ck_assert(refusal.proved || local_max < PLACE_PROVED_MAX);
		place_refusal_fini(&refusal);
		return 0;
	}
	ck_assert_int_eq(r, 0);
	check_answer(pool, ask, &answer);
	check_against(ask, &answer, best);
	proved = answer.proved;
	ck_assert(proved || local_max < PLACE_PROVED_MAX);
	for (size_t i = 0; i < answer.n_devices; i++)
		mask |= UINT64_C(1) << answer.devices[i];
	if (ties) {
		ck_assert_int_eq(answer.tie, PLACE_TIE_REMAINDER);
		ck_assert_msg(mask == best.mask, "chosen %#llx, the ties choose %#llx", (unsigned long long)mask,
			      (unsigned long long)best.mask);
	}
	place_answer_fini(&answer);
	return proved ? 2 : 1;
}

static void compare_many(size_t n_graphs, uint32_t n_least, uint32_t n_range, size_t n_asks, uint32_t local_max,
			 bool ties)
{
	uint64_t seed = test_seed();
	size_t n_answered = 0, n_proved = 0;

	for (size_t i = 0; i < n_graphs; i++) {
		struct place_graph *graph = chance_graph(&seed, n_least + chance(&seed, n_range), 1 + chance(&seed, 8),
							 chance(&seed, 2) ? 2 + chance(&seed, 8) : 0);
		struct place_pool *pool;

		ck_assert_int_eq(place_pool_new(graph, &pool), 0);
		if (chance(&seed, 3) == 0)
			take_by_chance(&seed, pool, graph, 4);
		for (size_t j = 0; j < n_asks; j++) {
			struct chance_ask ask;
			unsigned int r;

			chance_ask(&seed, graph, &ask);
			r = compare(pool, &ask.ask, local_max, ties);
			n_answered += r > 0;
			n_proved += r > 1;
		}
		place_pool_free(pool);
		place_graph_unref(graph);
	}
	ck_assert_uint_gt(n_answered, n_graphs);
	ck_assert_uint_gt(n_proved, n_answered / 2);
}

/* Up to 11 devices: the very set that the rule's ties choose. */
START_TEST(ties_are_those_of_the_rule)
{
	compare_many(400, 1, 9, 6, LOCAL_AS_IT_IS, true);
	compare_many(25, 10, 2, 4, LOCAL_AS_IT_IS, true);
}
END_TEST

/* 12 to 19: some through the tables, some through the halves. */
START_TEST(best_value_of_up_to_19)
{
	compare_many(12, 12, 8, 4, LOCAL_AS_IT_IS, false);
}
END_TEST

/* A matrix of three levels of blocks and a star: what is regular in them is found, and a ring is one irregular part. */
START_TEST(structure_is_found)
{
	enum { N = 96 };

	for (unsigned int shape = 0; shape < 3; shape++) {
		struct place_graph_builder *builder;
		struct place_graph *graph;
		char name[16];

		ck_assert_int_eq(place_graph_builder_new((struct place_pair){ .mbps = 1 }, &builder), 0);
		for (size_t i = 0; i < N; i++)
			ck_assert_int_eq(place_graph_builder_add_device(builder, PLACE_NODE_ROOT,
									chance_name((i * 29) % N, name)),
					 (ssize_t)i);
		for (size_t i = 0; i < N; i++) {
			for (size_t j = 0; j < i; j++) {
				struct place_pair pair = { .mbps = 1000 };

				if (shape == 0)
					pair.mbps = i / 8 == j / 8 ? 36000 : i / 32 == j / 32 ? 12000 : 6000;
				else if (shape == 1 && j == 0)
					pair.mbps = 36000;
				else if (shape == 2 && (i - j == 1 || i - j == N - 1))
					pair.mbps = 36000;
				ck_assert_int_eq(place_graph_builder_set_pair(builder, i, j, pair), 0);
			}
		}
		ck_assert_int_eq(place_graph_builder_finish(builder, &graph), 0);
		ck_assert_uint_eq(place_graph_irregular(graph), shape == 2 ? N : 0);
		place_graph_builder_free(builder);
		place_graph_unref(graph);
	}
}
END_TEST

/* What cannot be described is refused, and changes nothing. */
START_TEST(wrong_descriptions)
{
	const struct place_pair good = { .mbps = 1 }, many = { .mbps = PLACE_MBPS_MAX + 1 }, odd = { .flags = 1 << 7 };
	struct place_graph_builder *builder;
	struct place_graph *graph;
	ssize_t node = PLACE_NODE_ROOT;

	ck_assert_int_eq(place_graph_builder_new(many, &builder), -EINVAL);
	ck_assert_int_eq(place_graph_builder_new(odd, &builder), -EINVAL);
	ck_assert_int_eq(place_graph_builder_new(good, &builder), 0);
	ck_assert_int_eq(place_graph_builder_add_node(builder, 1, good), -EINVAL);
	ck_assert_int_eq(place_graph_builder_add_device(builder, 1, "a"), -EINVAL);
	ck_assert_int_eq(place_graph_builder_add_device(builder, 0, "a"), 0);
	ck_assert_int_eq(place_graph_builder_add_device(builder, 0, "b"), 1);
	ck_assert_int_eq(place_graph_builder_set_pair(builder, 0, 0, good), -EINVAL);
	ck_assert_int_eq(place_graph_builder_set_pair(builder, 0, 2, good), -EINVAL);
	ck_assert_int_eq(place_graph_builder_set_pair(builder, 0, 1, many), -EINVAL);
	for (size_t i = 0; node >= 0 && i < PLACE_DEPTH_MAX + 1; i++)
		node = place_graph_builder_add_node(builder, (size_t)node, good);
	ck_assert_int_eq(node, -E2BIG);
	ck_assert_int_eq(place_graph_builder_add_device(builder, 1, "c"), 2);
	ck_assert_int_eq(place_graph_builder_set_pair(builder, 0, 2, good), -EINVAL);
	ck_assert_int_eq(place_graph_builder_add_device(builder, 2, "b"), 3);
	ck_assert_int_eq(place_graph_builder_finish(builder, &graph), -EEXIST);
	place_graph_builder_free(builder);
	/* Nothing at all is a graph, too. */
	ck_assert_int_eq(place_graph_builder_new(good, &builder), 0);
	ck_assert_int_eq(place_graph_builder_finish(builder, &graph), 0);
	ck_assert_uint_eq(place_graph_n_devices(graph), 0);
	ck_assert_int_eq(place_graph_find(graph, "a"), -ENODEV);
	place_graph_builder_free(builder);
	place_graph_unref(graph);
}
END_TEST

/* A search may be given up at any moment. */
START_TEST(search_is_given_up)
{
	uint64_t seed = test_seed();

	for (unsigned int round = 0; round < 60; round++) {
		struct place_graph *graph = chance_graph(&seed, 12 + chance(&seed, 20), 4, 0);
		const struct place_ask ask = { .count = 6, .objective = round % 3 };
		struct place_search *search;
		struct place_pool *pool;

		ck_assert_int_eq(place_pool_new(graph, &pool), 0);
		ck_assert_int_eq(place_search_new(pool, &ask, &search), 0);
		if (round % 2)
			search->local_max = 6;
		/* What it needs of the pool it has. */
		place_pool_free(pool);
		for (uint32_t i = chance(&seed, 20); i-- > 0;)
			ck_assert_int_ge(place_search_step(search, 0), 0);
		place_search_free(search);
		place_graph_unref(graph);
	}
}
END_TEST

/* By parts, with irregular parts of up to 8 exact: what is larger may be missed, but never proved wrongly. */
START_TEST(best_value_by_parts)
{
	compare_many(600, 1, 10, 8, 8, false);
	compare_many(20, 10, 4, 4, 12, false);
}
END_TEST

/* No irregular part is exact. */
START_TEST(bounds_of_irregular_parts)
{
	compare_many(600, 1, 11, 8, 0, false);
}
END_TEST

/* @n_parts of @size devices, each with pairs by chance, and less between them. */
static struct place_graph *irregular_parts(uint32_t n_parts, uint32_t size)
{
	struct place_graph_builder *builder;
	struct place_graph *graph;
	uint64_t seed = 7;
	size_t n = 0;

	ck_assert_int_eq(place_graph_builder_new((struct place_pair){ .mbps = 24000 }, &builder), 0);
	for (uint32_t i = 0; i < n_parts; i++) {
		ssize_t node =
			place_graph_builder_add_node(builder, PLACE_NODE_ROOT, (struct place_pair){ .mbps = 24000 });
		size_t first = n;

		ck_assert_int_gt(node, 0);
		for (; n < first + size; n++) {
			char name[16];

			ck_assert_int_eq(place_graph_builder_add_device(builder, (size_t)node, chance_name(n, name)),
					 (ssize_t)n);
			for (size_t j = first; j < n; j++)
				ck_assert_int_eq(place_graph_builder_set_pair(
							 builder, n, j,
							 (struct place_pair){ .mbps = 30000 + chance(&seed, 30000) }),
						 0);
		}
	}
	ck_assert_int_eq(place_graph_builder_finish(builder, &graph), 0);
	place_graph_builder_free(builder);
	return graph;
}

/* In the least steps that there are. */
static unsigned int answer_in_steps(struct place_graph *graph, size_t count, struct place_answer *ret)
{
	const struct place_ask ask = { .count = count, .objective = PLACE_SUM };
	struct place_search *search;
	struct place_pool *pool;
	unsigned int n_steps = 1;
	int r;

	ck_assert_int_eq(place_pool_new(graph, &pool), 0);
	ck_assert_int_eq(place_search_new(pool, &ask, &search), 0);
	while ((r = place_search_step(search, 0)) == 0)
		n_steps++;
	ck_assert_int_eq(r, 1);
	ck_assert_int_eq(place_search_finish(search, ret, NULL), 0);
	place_search_free(search);
	check_answer(pool, &ask, ret);
	place_pool_free(pool);
	return n_steps;
}

/* A few irregular parts are proved, however many steps that takes: none of these takes long. */
START_TEST(few_irregular_parts_in_short_steps)
{
	struct place_graph *graph = irregular_parts(4, 20);
	struct place_answer answer;

	/* Each size of each part is many. */
	ck_assert_uint_ge(answer_in_steps(graph, 6, &answer), 4 * 6 * 10);
	ck_assert(answer.proved);
	place_answer_fini(&answer);
	place_graph_unref(graph);
}
END_TEST

/* Many have bounds: not said to be proved unless it is so, and never below the best. */
START_TEST(many_irregular_parts_have_bounds)
{
	enum { PARTS = 42, SIZE = 24, COUNT = 3 };
	struct place_graph *graph = irregular_parts(PARTS, SIZE);
	struct place_answer answer;
	int64_t best = 0;

	/* Three of one part, for any pair in one is worth more than any between two. */
	for (size_t first = 0; first < (size_t)PARTS * SIZE; first += SIZE)
		for (size_t a = first; a < first + SIZE; a++)
			for (size_t b = first; b < a; b++)
				for (size_t c = first; c < b; c++) {
					int64_t sum = place_graph_pair(graph, a, b).mbps +
						      place_graph_pair(graph, a, c).mbps +
						      place_graph_pair(graph, b, c).mbps;

					best = sum > best ? sum : best;
				}
	(void)answer_in_steps(graph, COUNT, &answer);
	ck_assert_int_ge(answer.bound_sum_mbps, best);
	ck_assert_int_le(answer.sum_mbps, best);
	ck_assert(!answer.proved || answer.sum_mbps == best);
	place_answer_fini(&answer);
	/* Each of 16 sizes of 42 parts would take half a second. */
	ck_assert_uint_le(answer_in_steps(graph, 16, &answer), 1000);
	ck_assert(!answer.proved);
	ck_assert_int_gt(answer.bound_sum_mbps, answer.sum_mbps);
	place_answer_fini(&answer);
	place_graph_unref(graph);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		ties_are_those_of_the_rule,
		best_value_of_up_to_19,
		structure_is_found,
		wrong_descriptions,
		search_is_given_up,
		best_value_by_parts,
		bounds_of_irregular_parts,
		few_irregular_parts_in_short_steps,
		many_irregular_parts_have_bounds,
	};

	return machine_run_suite("place-search", tests, sizeof(tests) / sizeof(tests[0]));
}

// SPDX-License-Identifier: MIT
/* Structure, up to ten thousand devices: every answer is proved, and has the value that dynamic programming has. */
#include "hierarchy.h"
#include "judge.h"

#include <stdlib.h>
#include <string.h>

/* Every size of the list that is free, for each objective. */
static void compare_sizes(const struct machine *machine, const bool *busy, const size_t *sizes, size_t n_sizes)
{
	struct place_pool *pool = graph_pool(graph_of_machine(machine, 0), busy);

	for (size_t i = 0; i < n_sizes; i++) {
		for (unsigned int objective = 0; objective < N_OBJECTIVES; objective++) {
			struct judge_case question = {
				.machine = machine,
				.busy = busy,
				.ask = { .count = sizes[i], .objective = graph_objective(objective) },
				.objective = objective,
			};
			struct score best = hierarchy_best(machine, busy, objective, sizes[i]);
			struct place_answer answer;

			if (!judge_ask(&question, pool, best, &answer))
				continue;
			ck_assert_msg(answer.proved, "%s, %zu of %zu, %s: not proved", machine->name, sizes[i],
				      answer.n_candidates, objective_names[objective]);
			place_answer_fini(&answer);
		}
	}
	place_pool_free(pool);
}

/* With nothing, a tenth, half and nine tenths of it busy. Frees the machine. */
static void compare(struct machine *machine, const size_t *sizes, size_t n_sizes, uint64_t seed)
{
	static const unsigned int percents[] = { 0, 10, 50, 90 };

	for (size_t i = 0; i < 4; i++) {
		bool *busy;

		/* The others in their turn. */
		if (i && !judge_is_soak() && i != 1 + seed % 3)
			continue;
		busy = generate_busy(machine->n, percents[i], seed);
		compare_sizes(machine, busy, sizes, n_sizes);
		free(busy);
	}
	machine_fini(machine);
}

START_TEST(partitions_of_eight_packages)
{
	static const size_t sizes[] = { 1, 2, 3, 4, 7, 8, 9, 12, 16, 24, 32, 48, 60 };
	uint64_t seed = judge_seed();
	struct machine machine;

	generate_partitions(&machine, 8, 8, 1, seed);
	ck_assert_uint_eq(machine.n, 63);
	compare(&machine, sizes, sizeof(sizes) / sizeof(sizes[0]), seed);
	generate_partitions(&machine, 8, 8, 17, seed);
	compare(&machine, sizes, sizeof(sizes) / sizeof(sizes[0]), seed + 1);
}
END_TEST

START_TEST(one_rack)
{
	uint64_t seed = judge_seed();
	size_t sizes[72];

	for (size_t i = 0; i < 72; i++)
		sizes[i] = i + 1;
	for (size_t n_damaged = 0; n_damaged < 6; n_damaged += judge_is_soak() ? 1 : 3) {
		struct machine machine;

		generate_rack(&machine, n_damaged, seed);
		compare(&machine, sizes, 72, seed + n_damaged);
	}
}
END_TEST

START_TEST(eight_racks)
{
	static const size_t sizes[] = { 4, 8, 16, 36, 72, 73, 144, 288 };
	uint64_t seed = judge_seed();
	struct machine machine;

	generate_racks(&machine, 8, seed);
	ck_assert_uint_eq(machine.n, 576);
	compare(&machine, sizes, sizeof(sizes) / sizeof(sizes[0]), seed);
}
END_TEST

START_TEST(meshes_in_a_tree)
{
	static const size_t sizes[] = { 2, 3, 4, 8, 12, 64, 256 };
	uint64_t seed = judge_seed();
	struct machine machine;

	generate_meshes(&machine, 128, seed);
	ck_assert_uint_eq(machine.n, 1024);
	compare(&machine, sizes, sizeof(sizes) / sizeof(sizes[0]), seed);
}
END_TEST

START_TEST(ten_thousand_in_racks)
{
	static const size_t sizes[] = { 8, 72, 512, 1024, 4096 };
	uint64_t seed = judge_seed();
	struct machine machine;

	generate_racks(&machine, 140, seed);
	ck_assert_uint_eq(machine.n, 10080);
	compare(&machine, sizes, judge_is_soak() ? 5 : 3, seed);
}
END_TEST

START_TEST(ten_thousand_in_hives)
{
	static const size_t sizes[] = { 3, 8, 72, 513, 1024, 4096 };
	uint64_t seed = judge_seed();
	struct machine machine;

	generate_hives(&machine, 2520, 4);
	compare(&machine, sizes, judge_is_soak() ? 6 : 4, seed);
	generate_hives(&machine, 1260, 8);
	compare(&machine, sizes, judge_is_soak() ? 6 : 2, seed + 1);
}
END_TEST

START_TEST(ten_thousand_in_meshes)
{
	static const size_t sizes[] = { 2, 7, 8, 12, 72, 1024 };
	uint64_t seed = judge_seed();
	struct machine machine;

	generate_meshes(&machine, 1260, seed);
	ck_assert_uint_eq(machine.n, 10080);
	compare(&machine, sizes, judge_is_soak() ? 6 : 4, seed);
}
END_TEST

/* Trees of every form, with small irregular parts, larger than what subsets can say. */
START_TEST(random_trees)
{
	uint64_t seed = judge_seed();

	for (uint64_t i = 0; i < (judge_is_soak() ? 400 : 20); i++) {
		size_t n = 17 + (seed + i) % 48;
		size_t sizes[] = { 2, 3, 5, n / 4, n / 2, n - 2 };
		struct machine machine;

		generate_small_tree(&machine, n, seed + i);
		compare(&machine, sizes, sizeof(sizes) / sizeof(sizes[0]), seed + i);
	}
}
END_TEST

/* The same devices when everything was told in another order. */
START_TEST(order_has_no_influence)
{
	uint64_t seed = judge_seed();

	for (unsigned int which = 0; which < 4; which++) {
		struct place_pool *pools[3];
		struct machine machine;
		bool *busy;

		if (which == 0)
			generate_racks(&machine, 8, seed);
		else if (which == 1)
			generate_meshes(&machine, 128, seed);
		else if (which == 2)
			generate_hives(&machine, 2520, 4);
		else
			generate_partitions(&machine, 8, 8, 1, seed);
		busy = generate_busy(machine.n, 20 + (unsigned int)(seed % 50), seed);
		for (unsigned int i = 0; i < 3; i++)
			pools[i] = graph_pool(graph_of_machine(&machine, i * (seed + 1)), busy);
		for (size_t k = 2; k < machine.n / 4; k = 3 * k + 1) {
			for (unsigned int objective = 0; objective < N_OBJECTIVES; objective++) {
				const struct place_ask ask = { .count = k, .objective = graph_objective(objective) };
				struct place_answer answers[3];

				for (unsigned int i = 0; i < 3; i++)
					ck_assert_int_eq(place_solve(pools[i], &ask, answers + i, NULL), 0);
				for (unsigned int i = 1; i < 3; i++)
					ck_assert_msg(!memcmp(answers[0].devices, answers[i].devices,
							      k * sizeof(*answers[0].devices)),
						      "%s, %zu, %s: another set in another order", machine.name, k,
						      objective_names[objective]);
				for (unsigned int i = 0; i < 3; i++)
					place_answer_fini(answers + i);
			}
		}
		for (unsigned int i = 0; i < 3; i++)
			place_pool_free(pools[i]);
		free(busy);
		machine_fini(&machine);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		partitions_of_eight_packages,
		one_rack,
		eight_racks,
		meshes_in_a_tree,
		ten_thousand_in_racks,
		ten_thousand_in_hives,
		ten_thousand_in_meshes,
		random_trees,
		order_has_no_influence,
	};

	return judge_main("placement-trees", tests, sizeof(tests) / sizeof(tests[0]));
}

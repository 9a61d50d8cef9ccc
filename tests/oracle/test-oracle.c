// SPDX-License-Identifier: MIT
/* The oracles against each other: each value by at least two ways that have nothing in common. */
#include "generators.h"
#include "hierarchy.h"
#include "subsets.h"
#include "ties.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

/* The most by taking or leaving each device in turn: no tables, no halves, every pair added when it appears. */
static struct score by_recursion(const struct matrix *matrix, enum objective objective, size_t k, size_t *set,
				 size_t n_set, size_t next)
{
	struct score with, without;

	if (n_set == k)
		return matrix_score(matrix, objective, set, k);
	if (matrix->n - next < k - n_set)
		return SCORE_NONE;
	set[n_set] = next;
	with = by_recursion(matrix, objective, k, set, n_set + 1, next + 1);
	without = by_recursion(matrix, objective, k, set, n_set, next + 1);
	return score_less(with, without) ? without : with;
}

static void compare_values(const struct matrix *matrix, const char *name)
{
	struct ties *ties = ties_new(matrix, NULL);
	size_t set[TIES_MAX];
	struct subsets subsets;

	subsets_best(matrix, &subsets);
	for (size_t k = 1; k <= matrix->n; k++) {
		ck_assert_msg(subsets_clique_bottleneck(matrix, k) == subsets.best[OBJECTIVE_BOTTLENECK][k].first,
			      "%s, %zu devices: cliques", name, k);
		for (unsigned int objective = 0; objective < N_OBJECTIVES; objective++) {
			struct score expected = by_recursion(matrix, objective, k, set, 0, 0);

			ck_assert_msg(score_equal(subsets.best[objective][k], expected), "%s, %zu devices, %s: subsets",
				      name, k, objective_names[objective]);
			ck_assert_msg(score_equal(subsets_one_best(matrix, objective, k), expected),
				      "%s, %zu devices, %s: one size", name, k, objective_names[objective]);
			ties_ask(ties, &(struct ties_question){ .objective = objective, .k = (unsigned int)k });
			ck_assert_msg(score_equal(ties_value(ties, (1U << matrix->n) - 1), expected),
				      "%s, %zu devices, %s: ties", name, k, objective_names[objective]);
		}
	}
	ties_free(ties);
}

/* Four ways to the value of every size. */
START_TEST(values_agree)
{
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct machine machine;
		struct matrix matrix;
		size_t n = 1 + seed % 12;

		switch (seed % 4) {
		case 0:
			generate_noise(&machine, n, seed);
			break;
		case 1:
			generate_planted(&machine, n, n / 2, seed);
			break;
		case 2:
			generate_small_tree(&machine, n, seed);
			break;
		default:
			generate_classes(&machine, n, 4, seed);
			break;
		}
		ck_assert_uint_eq(machine.n, n);
		matrix = machine_matrix(&machine);
		compare_values(&matrix, machine.name);
		matrix_fini(&matrix);
		machine_fini(&machine);
	}
}
END_TEST

/* The dynamic program on trees small enough to look at every subset of what is free. */
START_TEST(hierarchy_is_what_subsets_say)
{
	for (uint64_t seed = 1; seed <= 300; seed++) {
		size_t n = 2 + seed % 13, devices[16], n_free = 0;
		struct matrix matrix, part;
		struct subsets subsets;
		struct machine machine;
		bool *busy;

		generate_small_tree(&machine, n, seed);
		matrix = machine_matrix(&machine);
		busy = generate_busy(n, (unsigned int)(seed % 3) * 25, seed);
		for (size_t i = 0; i < n; i++)
			if (!busy[i])
				devices[n_free++] = i;
		part = matrix_part(&matrix, devices, n_free);
		subsets_best(&part, &subsets);
		for (size_t k = 1; k <= n_free + 1; k++)
			for (unsigned int objective = 0; objective < N_OBJECTIVES; objective++) {
				struct score score = hierarchy_best(&machine, busy, objective, k);
				struct score expected = k <= n_free ? subsets.best[objective][k] : SCORE_NONE;

				ck_assert_msg(score_equal(score, expected),
					      "%s, %zu of %zu free, %s: %lld,%lld, expected %lld,%lld", machine.name, k,
					      n_free, objective_names[objective], (long long)score.first,
					      (long long)score.second, (long long)expected.first,
					      (long long)expected.second);
			}
		matrix_fini(&part);
		matrix_fini(&matrix);
		machine_fini(&machine);
		free(busy);
	}
}
END_TEST

/* The clauses of the tie rule, each on a machine where it alone decides. */
START_TEST(tie_rule_by_hand)
{
	struct matrix matrix = matrix_new(5);
	unsigned int forbidden[5] = { 1U << 1, 1U << 0, 0, 0, 0 };
	struct ties *ties;

	/* 0-1 and 0-2 are best; after 0-1 a pair of 8 is left, after 0-2 one of 5, though by its cut that is better. */
	matrix_set(&matrix, 0, 1, 9);
	matrix_set(&matrix, 0, 2, 9);
	matrix_set(&matrix, 2, 3, 8);
	matrix_set(&matrix, 1, 3, 5);
	matrix_set(&matrix, 1, 4, 5);
	ties = ties_new(&matrix, NULL);
	ties_ask(ties, &(struct ties_question){ .objective = OBJECTIVE_SUM, .k = 2 });
	ck_assert_uint_eq(ties_set(ties, 0x1f), 0x3);
	ties_free(ties);

	/* Nothing is left by either: the cut of 0-2 is smaller. */
	matrix_set(&matrix, 0, 3, 9);
	matrix_set(&matrix, 2, 3, 5);
	matrix_set(&matrix, 1, 3, 8);
	matrix_set(&matrix, 1, 4, 0);
	ties = ties_new(&matrix, NULL);
	ties_ask(ties, &(struct ties_question){ .objective = OBJECTIVE_SUM, .k = 2 });
	ck_assert_uint_eq(ties_set(ties, 0xf), 0x5);
	ck_assert_uint_eq(subsets_least_cut(&matrix, OBJECTIVE_SUM, 2), 0x5);
	/* 4 makes no difference to any of these: names. */
	ck_assert_uint_eq(ties_set(ties, 0x10 | 0x4 | 0x2), 0x6);
	/* What must be there leaves no choice. */
	ties_ask(ties, &(struct ties_question){ .objective = OBJECTIVE_SUM, .k = 2, .required = 0xa });
	ck_assert_uint_eq(ties_set(ties, 0xf), 0xa);
	ck_assert_uint_eq(ties_set(ties, 0x7), 0);
	/* One device is worth 0, and so is what remains: 2 has the smallest cut. */
	ties_ask(ties, &(struct ties_question){ .objective = OBJECTIVE_BOTTLENECK, .k = 1 });
	ck_assert_uint_eq(ties_set(ties, 0xf), 0x4);
	/* All alike: the lowest names. */
	ck_assert_uint_eq(ties_set(ties, 0x8), 0x8);
	ties_ask(ties, &(struct ties_question){ .objective = OBJECTIVE_SUM, .k = 2, .least_mbps = 9 });
	ck_assert_uint_eq(ties_set(ties, 0xe), 0);
	ck_assert_uint_eq(ties_largest(ties, 0xe), 1);
	ck_assert_uint_eq(ties_largest(ties, 0xf), 2);
	ties_free(ties);

	ties = ties_new(&matrix, forbidden);
	ties_ask(ties, &(struct ties_question){ .objective = OBJECTIVE_SUM, .k = 3 });
	ck_assert_uint_eq(ties_set(ties, 0x7), 0);
	ck_assert_uint_eq(ties_set(ties, 0xf), 0xd);
	ties_free(ties);
	matrix_fini(&matrix);
}
END_TEST

/* A machine of ten thousand devices: what is known of it without any search. */
START_TEST(hierarchy_of_ten_thousand)
{
	struct machine machine;
	struct score score;

	generate_racks(&machine, 140, 1);
	ck_assert_uint_eq(machine.n, 10080);
	score = hierarchy_best(&machine, NULL, OBJECTIVE_BOTTLENECK_THEN_SUM, 72);
	ck_assert_int_eq(score.first, RACK_MBPS);
	ck_assert_int_eq(score.second, (int64_t)RACK_MBPS * 72 * 71 / 2);
	score = hierarchy_best(&machine, NULL, OBJECTIVE_BOTTLENECK, 73);
	ck_assert_int_eq(score.first, 100000);
	score = hierarchy_best(&machine, NULL, OBJECTIVE_SUM, 10081);
	ck_assert(score_equal(score, SCORE_NONE));
	machine_fini(&machine);

	generate_hives(&machine, 2520, 4);
	score = hierarchy_best(&machine, NULL, OBJECTIVE_SUM, 8);
	ck_assert_int_eq(score.first, 2 * 6 * 50000 + 16 * 12000);
	machine_fini(&machine);
}
END_TEST

/* Links of a DGX-1V: six for each GPU; of a DGX-1P: four. */
START_TEST(cube_mesh_has_its_links)
{
	for (unsigned int volta = 0; volta < 2; volta++) {
		struct machine machine;

		generate_cube_mesh(&machine, volta);
		for (size_t i = 0; i < 8; i++) {
			int64_t mbps = 0;

			for (size_t j = 0; j < 8; j++)
				if (machine_mbps(&machine, i, j) > 12000)
					mbps += machine_mbps(&machine, i, j);
			ck_assert_int_eq(mbps, volta ? 6 * 20000 : 4 * 18000);
		}
		machine_fini(&machine);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		values_agree,
		hierarchy_is_what_subsets_say,
		tie_rule_by_hand,
		hierarchy_of_ten_thousand,
		cube_mesh_has_its_links,
	};
	Suite *suite = suite_create("oracle");
	TCase *tcase = tcase_create("oracle");
	SRunner *runner;
	int n_failed;

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tcase, tests[i]);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

// SPDX-License-Identifier: MIT
/* Machines without structure, of 17 devices and more: up to 24 every answer is proved; above, no claim is false. */
#include "judge.h"
#include "subsets.h"

#include <stdlib.h>

static struct judge_case question_of(const struct machine *machine, enum objective objective, size_t k)
{
	return (struct judge_case){
		.machine = machine,
		.ask = { .count = k, .objective = graph_objective(objective) },
		.objective = objective,
	};
}

/* What the engine says of the tie it kept to: the smaller cut and the lower names of all best sets. */
static void judge_tie(const struct judge_case *question, const struct matrix *matrix, const struct place_answer *answer)
{
	unsigned int expected;

	if (answer->tie != PLACE_TIE_CUT)
		return;
	expected = subsets_least_cut(matrix, question->objective, question->ask.count);
	ck_assert_msg(judge_mask(answer) == expected, "%s, %zu, %s: %x, the smallest cut is %x",
		      question->machine->name, question->ask.count, objective_names[question->objective],
		      judge_mask(answer), expected);
}

/* Sizes: all of them or each @step-th. Frees the machine. */
static void compare_sizes(struct machine *machine, size_t first, size_t step)
{
	struct matrix matrix = machine_matrix(machine);
	struct place_pool *pool = graph_pool(graph_of_matrix(&matrix, NULL, 0), NULL);
	struct place_pool *other = graph_pool(graph_of_matrix(&matrix, NULL, 7), NULL);
	struct subsets subsets;

	subsets_best(&matrix, &subsets);
	for (size_t k = first; k <= machine->n; k += step) {
		for (unsigned int objective = 0; objective < N_OBJECTIVES; objective++) {
			struct judge_case question = question_of(machine, objective, k);
			struct place_answer answer, again;

			ck_assert(judge_ask(&question, pool, subsets.best[objective][k], &answer));
			ck_assert_msg(answer.proved, "%s, %zu, %s: not proved", machine->name, k,
				      objective_names[objective]);
			ck_assert(judge_ask(&question, other, subsets.best[objective][k], &again));
			ck_assert_msg(judge_mask(&answer) == judge_mask(&again),
				      "%s, %zu, %s: another set in another order", machine->name, k,
				      objective_names[objective]);
			if (machine->n <= 18 || (judge_is_soak() && machine->n <= 20))
				judge_tie(&question, &matrix, &answer);
			place_answer_fini(&answer);
			place_answer_fini(&again);
		}
	}
	place_pool_free(other);
	place_pool_free(pool);
	matrix_fini(&matrix);
	machine_fini(machine);
}

static void shape_of(struct machine *machine, size_t n, uint64_t seed)
{
	switch (seed % 9) {
	case 0:
		generate_classes(machine, n, 4, seed);
		break;
	case 1:
		generate_classes(machine, n, 2, seed);
		break;
	case 2:
		generate_noise(machine, n, seed);
		break;
	case 3:
		generate_planted(machine, n, n / 2, seed);
		break;
	case 4:
		generate_star(machine, n);
		break;
	case 5:
		generate_ring(machine, n);
		break;
	case 6:
		generate_torus(machine, 4, n / 4, 1);
		break;
	case 7:
		generate_small_tree(machine, n, seed);
		break;
	default:
		generate_all_equal(machine, n);
		break;
	}
}

/* 17 to 24 devices beside every subset. */
START_TEST(seventeen_to_twenty_four)
{
	uint64_t seed = judge_seed();
	bool soak = judge_is_soak();

	for (uint64_t i = 0; i < (soak ? 180 : 18); i++) {
		struct machine machine;

		/* The largest take a second for every subset. */
		shape_of(&machine, soak ? 17 + (seed + i / 9) % 8 : 17 + (i / 9) * (1 + (seed + i) % 4), seed + i);
		compare_sizes(&machine, soak ? 1 : 1 + i % 3, soak ? 1 : 3);
	}
}
END_TEST

START_TEST(twenty_four)
{
	uint64_t seed = judge_seed();

	for (uint64_t i = 0; i < (judge_is_soak() ? 18 : 1); i++) {
		struct machine machine;

		shape_of(&machine, 24, judge_is_soak() ? seed + i : 9 * seed);
		compare_sizes(&machine, judge_is_soak() ? 1 : 4, judge_is_soak() ? 1 : 4);
	}
}
END_TEST

/* Two cubes of eight tori: C3 x C3 x C2. */
START_TEST(tori_in_three_dimensions)
{
	struct machine machine;

	generate_torus(&machine, 3, 3, 2);
	compare_sizes(&machine, 1, judge_is_soak() ? 1 : 4);
	if (judge_is_soak()) {
		generate_torus(&machine, 4, 3, 2);
		compare_sizes(&machine, 1, 1);
	}
}
END_TEST

/* What a person finds in a minute: the best of a few hundred random sets, each improved by single exchanges. */
static struct score climb(const struct matrix *matrix, enum objective objective, size_t k, struct random *random)
{
	struct score best = SCORE_NONE;
	size_t *order = calloc(matrix->n, sizeof(*order));

	ck_assert_ptr_nonnull(order);
	for (unsigned int start = 0; start < 4; start++) {
		struct score score;
		bool better = true;

		for (size_t i = 0; i < matrix->n; i++)
			order[i] = i;
		random_shuffle(random, order, matrix->n);
		score = matrix_score(matrix, objective, order, k);
		for (unsigned int turn = 0; better && turn < 4; turn++) {
			better = false;
			for (size_t i = 0; i < k; i++) {
				for (size_t j = k; j < matrix->n; j++) {
					size_t in = order[j];
					struct score now;

					order[j] = order[i];
					order[i] = in;
					now = matrix_score(matrix, objective, order, k);
					if (score_less(score, now)) {
						score = now;
						better = true;
						continue;
					}
					order[i] = order[j];
					order[j] = in;
				}
			}
		}
		if (score_less(best, score))
			best = score;
	}
	free(order);
	return best;
}

/* Too many subsets to look at: no bound is below what somebody can find. */
START_TEST(bounds_of_larger_ones)
{
	uint64_t seed = judge_seed();
	struct random random = { seed };

	for (uint64_t i = 0; i < (judge_is_soak() ? 90 : 9); i++) {
		struct place_pool *pool;
		struct machine machine;
		struct matrix matrix;

		shape_of(&machine, 28 + 4 * (i % 4), seed + i);
		matrix = machine_matrix(&machine);
		pool = graph_pool(graph_of_matrix(&matrix, NULL, 0), NULL);
		for (unsigned int objective = 0; objective < N_OBJECTIVES; objective++) {
			const size_t sizes[] = { 2, 5, machine.n / 4, machine.n / 2, machine.n - 3 };

			for (size_t j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
				struct judge_case question = question_of(&machine, objective, sizes[j]);
				struct place_answer answer;

				judge_solve(&question, pool, &answer);
				judge_known(&question, &answer, climb(&matrix, objective, sizes[j], &random));
				/* Cliques say it exactly where they are small. */
				if (objective == OBJECTIVE_BOTTLENECK && sizes[j] <= 8)
					judge_answer(&question, &answer,
						     (struct score){ subsets_clique_bottleneck(&matrix, sizes[j]), 0 });
				place_answer_fini(&answer);
			}
		}
		place_pool_free(pool);
		matrix_fini(&matrix);
		machine_fini(&machine);
	}
}
END_TEST

/* Few of many, or nearly all: every subset of those that are free. No bound is below the best, none is far above noise. */
START_TEST(bounds_beside_every_subset)
{
	uint64_t seed = judge_seed();
	struct random random = { seed };

	for (uint64_t i = 0; i < (judge_is_soak() ? 90 : 9); i++) {
		size_t n_free = 25 + random_below(&random, 6), devices[64] = { 0 };
		bool busy[64] = { false };
		struct place_pool *pool;
		struct machine machine;
		struct matrix matrix, part;

		shape_of(&machine, 32 + 4 * (i % 4), seed + i);
		matrix = machine_matrix(&machine);
		for (size_t j = 0; j < machine.n; j++)
			devices[j] = j;
		random_shuffle(&random, devices, machine.n);
		for (size_t j = n_free; j < machine.n; j++)
			busy[devices[j]] = true;
		part = matrix_new(n_free);
		for (size_t a = 0; a < n_free; a++)
			for (size_t b = 0; b < a; b++)
				matrix_set(&part, a, b, machine_mbps(&machine, devices[a], devices[b]));
		pool = graph_pool(graph_of_matrix(&matrix, NULL, 0), busy);
		for (unsigned int objective = 0; objective < N_OBJECTIVES; objective++) {
			const size_t sizes[] = { 2, 3, 4, 5, n_free - 4, n_free - 1 };

			for (size_t j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
				struct judge_case question = question_of(&machine, objective, sizes[j]);
				struct place_answer answer;

				question.busy = busy;
				judge_solve(&question, pool, &answer);
				judge_known(&question, &answer, subsets_one_best(&part, objective, sizes[j]));
				place_answer_fini(&answer);
			}
		}
		place_pool_free(pool);
		matrix_fini(&part);
		matrix_fini(&matrix);
		machine_fini(&machine);
	}
}
END_TEST

/* Irregular parts of a tree, of which tables for all numbers of devices are made: the same, of what can be said of them. */
START_TEST(bounds_of_irregular_parts)
{
	static const int64_t uplinks[] = { 5000, 50000, 200000 };
	uint64_t seed = judge_seed();
	struct random random = { seed };

	for (uint64_t i = 0; i < (judge_is_soak() ? 60 : 6); i++) {
		struct machine machine;
		struct place_pool *pool;
		struct matrix matrix;

		machine_init(&machine, "synthetic-parts-seed%llu", (unsigned long long)(seed + i));
		(void)machine_add_node(&machine, 0, 0);
		for (uint64_t part = 0; part < 2; part++) {
			struct matrix inside = matrix_new(26 + random_below(&random, 6));

			for (size_t a = 0; a < inside.n; a++)
				for (size_t b = 0; b < a; b++)
					matrix_set(&inside, a, b, 20000 + (int64_t)random_below(&random, 80000));
			(void)machine_add_cluster(&machine, 0, uplinks[i % 3], inside);
		}
		matrix = machine_matrix(&machine);
		pool = graph_pool(graph_of_machine(&machine, 0), NULL);
		for (unsigned int objective = 0; objective < N_OBJECTIVES; objective++) {
			for (size_t k = 2; k <= machine.n; k += k < 4 ? 1 : machine.n / 4) {
				struct judge_case question = question_of(&machine, objective, k);
				struct place_answer answer;

				judge_solve(&question, pool, &answer);
				judge_known(&question, &answer,
					    k <= 4 ? subsets_one_best(&matrix, objective, k) :
						     climb(&matrix, objective, k, &random));
				place_answer_fini(&answer);
			}
		}
		place_pool_free(pool);
		matrix_fini(&matrix);
		machine_fini(&machine);
	}
}
END_TEST

/* Noise: what is found and the bound are near each other. */
START_TEST(bounds_of_noise_are_near)
{
	uint64_t seed = judge_seed();

	for (uint64_t i = 0; i < (judge_is_soak() ? 8 : 2); i++) {
		struct place_pool *pool;
		struct machine machine;
		struct matrix matrix;

		generate_noise(&machine, 256, seed + i);
		matrix = machine_matrix(&machine);
		pool = graph_pool(graph_of_matrix(&matrix, NULL, 0), NULL);
		for (size_t k = 64; k <= 256; k += 64) {
			struct judge_case question = question_of(&machine, OBJECTIVE_SUM, k);
			struct place_answer answer;

			judge_solve(&question, pool, &answer);
			ck_assert_msg(answer.bound_sum_mbps * 100 <= answer.sum_mbps * 110, "%s, %zu: %lld, bound %lld",
				      machine.name, k, (long long)answer.sum_mbps, (long long)answer.bound_sum_mbps);
			place_answer_fini(&answer);
		}
		place_pool_free(pool);
		matrix_fini(&matrix);
		machine_fini(&machine);
	}
}
END_TEST

/* The optimum was planted: at most 2 % below, and the bound is not lower than what is there. */
START_TEST(planted_cliques)
{
	static const size_t sizes[] = { 16, 32, 64, 128, 256, 1024 };
	uint64_t seed = judge_seed();

	for (size_t i = 0; i < (judge_is_soak() ? 60 : 6); i++) {
		size_t n = sizes[i % 6], k = i / 6 % 2 ? n / 2 : n / 4;
		struct place_pool *pool;
		struct machine machine;
		struct matrix matrix;

		generate_planted(&machine, n, k, seed + i);
		matrix = machine_matrix(&machine);
		pool = graph_pool(graph_of_matrix(&matrix, NULL, 0), NULL);
		for (unsigned int objective = 0; objective < N_OBJECTIVES; objective++) {
			struct judge_case question = question_of(&machine, objective, k);
			struct score planted =
				score_of(objective, k, PLANTED_MBPS, (int64_t)(k * (k - 1) / 2) * PLANTED_MBPS);
			struct place_answer answer;
			int64_t sum, least;

			judge_solve(&question, pool, &answer);
			judge_known(&question, &answer, planted);
			sum = answer.sum_mbps;
			least = answer.bottleneck_mbps;
			ck_assert_msg(objective == OBJECTIVE_BOTTLENECK ||
					      sum >= (int64_t)(k * (k - 1) / 2) * PLANTED_MBPS * 98 / 100,
				      "%s, %s: sum %lld", machine.name, objective_names[objective], (long long)sum);
			ck_assert_msg(objective == OBJECTIVE_SUM || least == PLANTED_MBPS, "%s, %s: bottleneck %lld",
				      machine.name, objective_names[objective], (long long)least);
			place_answer_fini(&answer);
		}
		place_pool_free(pool);
		matrix_fini(&matrix);
		machine_fini(&machine);
	}
}
END_TEST

/* What the best is, a person can say without a search. */
START_TEST(plain_shapes_of_any_size)
{
	static const size_t sizes[] = { 24, 64, 256, 1024 };

	for (size_t i = 0; i < 4; i++) {
		size_t n = sizes[i], k = n / 4;
		const int64_t pairs = (int64_t)(k * (k - 1) / 2), links = (int64_t)k - 1;
		const int64_t sums[] = { 36000 * pairs, 36000 * links + MACHINE_ASSUMED_MBPS * (pairs - links) };

		for (unsigned int shape = 0; shape < 3; shape++) {
			struct place_pool *pool;
			struct machine machine;
			struct matrix matrix;

			if (shape == 0)
				generate_all_equal(&machine, n);
			else if (shape == 1)
				generate_star(&machine, n);
			else
				generate_ring(&machine, n);
			matrix = machine_matrix(&machine);
			pool = graph_pool(graph_of_matrix(&matrix, NULL, 0), NULL);
			for (unsigned int objective = 0; objective < N_OBJECTIVES; objective++) {
				struct judge_case question = question_of(&machine, objective, k);
				int64_t least = shape ? MACHINE_ASSUMED_MBPS : 36000;
				struct place_answer answer;

				ck_assert(judge_ask(&question, pool, score_of(objective, k, least, sums[shape != 0]),
						    &answer));
				/* A ring is not what its structure says; it may be that nothing is proved. */
				ck_assert_msg(answer.proved || shape == 2, "%s, %s: not proved", machine.name,
					      objective_names[objective]);
				place_answer_fini(&answer);
			}
			place_pool_free(pool);
			matrix_fini(&matrix);
			machine_fini(&machine);
		}
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		seventeen_to_twenty_four,   twenty_four,
		tori_in_three_dimensions,   bounds_of_larger_ones,
		bounds_beside_every_subset, bounds_of_irregular_parts,
		bounds_of_noise_are_near,   planted_cliques,
		plain_shapes_of_any_size,
	};

	return judge_main("placement-shapes", tests, sizeof(tests) / sizeof(tests[0]));
}

// SPDX-License-Identifier: MIT
/* Up to sixteen devices: the engine's set is the one that the rule wants, in every case. */
#include "judge.h"
#include "ties.h"

#include <stdlib.h>

/* The same machine as it is told by its structure, by its pairs, and both in another order. */
enum {
	N_TELLINGS = 4,
};

static void tell(const struct machine *machine, uint64_t seed, struct place_graph **ret)
{
	struct matrix matrix = machine_matrix(machine);

	ret[0] = graph_of_machine(machine, 0);
	ret[1] = graph_of_machine(machine, seed | 1);
	ret[2] = graph_of_matrix(&matrix, NULL, 0);
	ret[3] = graph_of_matrix(&matrix, NULL, seed | 1);
	matrix_fini(&matrix);
}

static void compare(const struct machine *machine, struct place_pool *pool, const struct ties *ties,
		    unsigned int free_mask, enum objective objective, size_t k)
{
	bool busy[TIES_MAX] = { false };
	struct judge_case question = {
		.machine = machine,
		.busy = busy,
		.ask = { .count = k, .objective = graph_objective(objective) },
		.objective = objective,
	};
	struct place_answer answer;

	for (size_t i = 0; i < machine->n; i++)
		busy[i] = !(free_mask >> i & 1);
	if (!judge_ask(&question, pool, ties_value(ties, free_mask), &answer))
		return;
	ck_assert_msg(answer.proved, "%s, %zu of %x, %s: not proved", machine->name, k, free_mask,
		      objective_names[objective]);
	ck_assert_int_eq(answer.tie, PLACE_TIE_REMAINDER);
	ck_assert_msg(judge_mask(&answer) == ties_set(ties, free_mask), "%s, %zu of %x, %s: %x, the rule says %x",
		      machine->name, k, free_mask, objective_names[objective], judge_mask(&answer),
		      ties_set(ties, free_mask));
	place_answer_fini(&answer);
}

/* Marks of @pool become those of the mask. */
static void pool_set(struct place_pool *pool, size_t n, unsigned int free_mask)
{
	for (size_t i = 0; i < n; i++) {
		bool free = free_mask >> i & 1;

		if (place_pool_is_free(pool, i) != free)
			ck_assert_int_eq((free ? place_pool_give : place_pool_take)(pool, &i, 1), 0);
	}
	ck_assert_uint_eq(place_pool_n_free(pool), (size_t)__builtin_popcount(free_mask));
}

/* Every k and every objective for each of the masks. Frees the machine. */
static void compare_masks(struct machine *machine, const unsigned int *masks, size_t n_masks, uint64_t seed)
{
	struct matrix matrix = machine_matrix(machine);
	struct ties *ties = ties_new(&matrix, NULL);
	struct place_graph *graphs[N_TELLINGS];
	struct place_pool *pools[N_TELLINGS];

	tell(machine, seed, graphs);
	for (size_t i = 0; i < N_TELLINGS; i++)
		pools[i] = graph_pool(graphs[i], NULL);
	for (unsigned int objective = 0; objective < N_OBJECTIVES; objective++) {
		for (size_t k = 1; k <= machine->n; k++) {
			ties_ask(ties, &(struct ties_question){ .objective = objective, .k = (unsigned int)k });
			for (size_t i = 0; i < n_masks; i++) {
				/* One telling for each question, another each time; all of them for the first. */
				for (size_t j = 0; j < (i ? 1 : N_TELLINGS); j++) {
					struct place_pool *pool = pools[(i + j + k) % N_TELLINGS];

					pool_set(pool, machine->n, masks[i]);
					compare(machine, pool, ties, masks[i], objective, k);
				}
			}
		}
	}
	for (size_t i = 0; i < N_TELLINGS; i++)
		place_pool_free(pools[i]);
	ties_free(ties);
	matrix_fini(&matrix);
	machine_fini(machine);
}

/* Every subset of a machine of n devices, the full one first. */
static void compare_all(struct machine *machine, uint64_t seed)
{
	unsigned int masks[1 << 8];
	size_t n = 0;

	ck_assert_uint_le(machine->n, 8);
	for (unsigned int mask = (1U << machine->n) - 1; mask; mask--)
		masks[n++] = mask;
	compare_masks(machine, masks, n, seed);
}

/* Some of a machine of sixteen, the full one first. */
static void compare_some(struct machine *machine, uint64_t seed)
{
	unsigned int masks[1000];
	struct random random = { seed };
	size_t n = judge_is_soak() ? 1000 : 10;

	masks[0] = (1U << machine->n) - 1;
	for (size_t i = 1; i < n; i++)
		do
			masks[i] = (unsigned int)random_next(&random) & masks[0];
		while (!masks[i]);
	compare_masks(machine, masks, n, seed);
}

static void fixed(struct machine *machine, size_t n, size_t which)
{
	switch (which) {
	case 0:
		generate_all_equal(machine, n);
		break;
	case 1:
		generate_star(machine, n);
		break;
	case 2:
		generate_ring(machine, n);
		break;
	case 3:
		generate_torus(machine, 4, n / 4, 1);
		break;
	case 4:
		generate_torus(machine, 2, 2, n / 4);
		break;
	case 5:
		generate_hives(machine, 2, n / 2);
		break;
	default:
		generate_hives(machine, n / 4, 4);
		break;
	}
}

static void seeded(struct machine *machine, size_t n, uint64_t seed)
{
	switch (seed % 6) {
	case 0:
		generate_noise(machine, n, seed);
		break;
	case 1:
		generate_planted(machine, n, 1 + seed / 6 % n, seed);
		break;
	case 2:
		generate_small_tree(machine, n, seed);
		break;
	case 3:
		generate_classes(machine, n, 2, seed);
		break;
	case 4:
		generate_partitions(machine, 4, n / 4 + 1, 4, seed);
		break;
	default:
		generate_classes(machine, n, 4, seed);
		break;
	}
}

enum {
	N_FIXED = 7,
};

/* Every subset of free devices, every size, every objective: value and set. */
START_TEST(all_questions_of_eight)
{
	struct machine machine;

	for (size_t which = 0; which < N_FIXED; which++) {
		fixed(&machine, 8, which);
		compare_all(&machine, which);
	}
	for (unsigned int volta = 0; volta < 2; volta++) {
		generate_cube_mesh(&machine, volta);
		compare_all(&machine, 1);
	}
}
END_TEST

START_TEST(all_questions_of_random_eight)
{
	uint64_t seed = judge_seed();

	for (uint64_t i = 0; i < (judge_is_soak() ? 600 : 6); i++) {
		struct machine machine;

		seeded(&machine, 8, seed + i);
		compare_all(&machine, seed + i);
	}
}
END_TEST

/* Seeded masks of sixteen devices. */
START_TEST(sixteen)
{
	uint64_t seed = judge_seed();
	struct machine machine;

	/* Every other one, where time is short. */
	for (size_t which = judge_is_soak() ? 0 : seed % 2; which < N_FIXED; which += judge_is_soak() ? 1 : 2) {
		fixed(&machine, 16, which);
		compare_some(&machine, seed + which);
	}
	generate_two_boards(&machine);
	compare_some(&machine, seed);
}
END_TEST

START_TEST(random_sixteen)
{
	uint64_t seed = judge_seed();

	for (uint64_t i = 0; i < (judge_is_soak() ? 60 : 6); i++) {
		struct machine machine;

		seeded(&machine, i % 2 ? 16 : 9 + (seed + i) % 8 / 4 * 4, seed + i);
		compare_some(&machine, seed + i);
	}
}
END_TEST

/* A question with everything that it may have, and all the engine's figures beside those of every subset. */
static void ask_random(const struct matrix *matrix, const struct machine *machine, struct random *random)
{
	size_t n = machine->n, required[TIES_MAX], excluded[TIES_MAX];
	unsigned int forbidden[TIES_MAX] = { 0 }, free_mask = (unsigned int)random_next(random) | 1, candidate_mask;
	static const int64_t least[] = { 0, 0, 0, 13000, 24000, 48000 };
	uint64_t candidates = UINT64_MAX;
	struct judge_case question = { .machine = machine, .forbidden = forbidden };
	struct ties_question asked = { 0 };
	bool busy[TIES_MAX];
	struct place_answer answer;
	struct place_pool *pool;
	struct ties *ties;

	free_mask &= (1U << n) - 1;
	for (size_t i = random_below(random, 3) ? 0 : random_below(random, 2 * n); i; i--) {
		size_t a = random_below(random, n), b = random_below(random, n);

		if (a != b) {
			forbidden[a] |= 1U << b;
			forbidden[b] |= 1U << a;
		}
	}
	for (size_t i = 0; i < n; i++)
		busy[i] = !(free_mask >> i & 1);
	question.busy = busy;
	question.objective = asked.objective = (enum objective)random_below(random, N_OBJECTIVES);
	question.ask.objective = graph_objective(question.objective);
	question.ask.count = asked.k = 1 + (unsigned int)random_below(random, n);
	question.ask.least_mbps = asked.least_mbps = least[random_below(random, 6)];
	if (random_below(random, 2))
		question.ask.candidates = &candidates;
	if (random_below(random, 2))
		candidates = random_next(random) | random_next(random);
	candidate_mask = free_mask & (question.ask.candidates ? (unsigned int)candidates : UINT32_MAX);
	for (size_t i = random_below(random, 3); i; i--) {
		excluded[question.ask.n_excluded] = random_below(random, n);
		candidate_mask &= ~(1U << excluded[question.ask.n_excluded++]);
	}
	question.ask.excluded = excluded;
	for (size_t i = 0; i < n; i++)
		if ((candidate_mask >> i & 1) && question.ask.n_required < asked.k && !random_below(random, 6)) {
			required[question.ask.n_required++] = i;
			asked.required |= 1U << i;
		}
	question.ask.required = required;

	ties = ties_new(matrix, forbidden);
	ties_ask(ties, &asked);
	pool = graph_pool(graph_of_matrix(matrix, forbidden, random_next(random)), busy);
	if (judge_ask(&question, pool, ties_value(ties, candidate_mask), &answer)) {
		ck_assert_msg(answer.proved, "%s: not proved", machine->name);
		ck_assert_msg(judge_mask(&answer) == ties_set(ties, candidate_mask),
			      "%s, %u of %x, %s, least %lld, required %x: %x, the rule says %x", machine->name, asked.k,
			      candidate_mask, objective_names[asked.objective], (long long)asked.least_mbps,
			      asked.required, judge_mask(&answer), ties_set(ties, candidate_mask));
		place_answer_fini(&answer);
	}
	place_pool_free(pool);
	ties_free(ties);
}

START_TEST(constraints_at_random)
{
	uint64_t seed = judge_seed();
	struct random random = { seed };

	for (uint64_t i = 0; i < (judge_is_soak() ? 20000 : 400); i++) {
		struct machine machine;
		struct matrix matrix;

		seeded(&machine, 4 * (1 + random_below(&random, i % 8 ? 2 : 4)), seed + i);
		matrix = machine_matrix(&machine);
		ask_random(&matrix, &machine, &random);
		matrix_fini(&matrix);
		machine_fini(&machine);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		all_questions_of_eight, all_questions_of_random_eight, sixteen, random_sixteen, constraints_at_random,
	};

	return judge_main("placement", tests, sizeof(tests) / sizeof(tests[0]));
}

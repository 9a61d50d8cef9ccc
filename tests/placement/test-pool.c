// SPDX-License-Identifier: MIT
/* What came before has no influence on an answer: takings and givings, slices of time, other searches. */
#include "judge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool same_set(const struct place_answer *a, const struct place_answer *b)
{
	return a->n_devices == b->n_devices && a->proved == b->proved && a->tie == b->tie &&
	       a->bound_bottleneck_mbps == b->bound_bottleneck_mbps && a->bound_sum_mbps == b->bound_sum_mbps &&
	       !memcmp(a->devices, b->devices, a->n_devices * sizeof(*a->devices));
}

static void machine_of(struct machine *machine, unsigned int which, uint64_t seed)
{
	switch (which) {
	case 0:
		generate_racks(machine, 8, seed);
		break;
	case 1:
		generate_meshes(machine, 40, seed);
		break;
	case 2:
		generate_hives(machine, 100, 4);
		break;
	case 3:
		generate_classes(machine, 24, 4, seed);
		break;
	default:
		generate_partitions(machine, 8, 8, 1, seed);
		break;
	}
}

enum {
	N_MACHINES = 5,
};

/* Leases come and go; now and then the same is asked of a pool that never had any. */
START_TEST(history_has_no_influence)
{
	uint64_t seed = judge_seed();
	struct random random = { seed };

	for (unsigned int which = 0; which < N_MACHINES; which++) {
		struct place_answer leases[64];
		struct place_graph *graph;
		struct place_pool *pool;
		struct machine machine;
		size_t n_leases = 0;
		bool *busy;

		machine_of(&machine, which, seed);
		graph = graph_of_machine(&machine, 0);
		pool = graph_pool(place_graph_ref(graph), NULL);
		busy = calloc(machine.n, sizeof(*busy));
		ck_assert_ptr_nonnull(busy);
		for (size_t turn = 0; turn < (judge_is_soak() ? 4000 : 200); turn++) {
			enum objective objective = (enum objective)random_below(&random, N_OBJECTIVES);
			const struct place_ask ask = {
				.count = 1 + random_below(&random, machine.n / 8),
				.objective = graph_objective(objective),
			};
			struct place_answer fresh_answer, answer;
			int r;

			if (n_leases == 64 || (n_leases && random_below(&random, 5) < 2)) {
				size_t which_lease = random_below(&random, n_leases);
				struct place_answer *lease = leases + which_lease;

				ck_assert_int_eq(place_pool_give(pool, lease->devices, lease->n_devices), 0);
				for (size_t i = 0; i < lease->n_devices; i++)
					busy[lease->devices[i]] = false;
				place_answer_fini(lease);
				*lease = leases[--n_leases];
				continue;
			}
			r = place_solve(pool, &ask, &answer, NULL);
			if (turn % 4 == 0) {
				struct place_pool *fresh = graph_pool(place_graph_ref(graph), busy);

				ck_assert_int_eq(place_solve(fresh, &ask, &fresh_answer, NULL), r);
				if (r == 0) {
					ck_assert_msg(same_set(&answer, &fresh_answer),
						      "%s, turn %zu, %zu devices, %s: another set of a fresh pool",
						      machine.name, turn, ask.count, objective_names[objective]);
					place_answer_fini(&fresh_answer);
				}
				place_pool_free(fresh);
			}
			if (r == 0) {
				ck_assert_int_eq(place_pool_take(pool, answer.devices, answer.n_devices), 0);
				for (size_t i = 0; i < answer.n_devices; i++) {
					ck_assert(!busy[answer.devices[i]]);
					busy[answer.devices[i]] = true;
				}
				leases[n_leases++] = answer;
			} else {
				ck_assert_int_eq(r, -ENOSPC);
			}
		}
		for (size_t i = 0; i < n_leases; i++)
			place_answer_fini(leases + i);
		free(busy);
		place_pool_free(pool);
		place_graph_unref(graph);
		machine_fini(&machine);
	}
}
END_TEST

/* In slices of a microsecond, beside another search, and after the pool has changed: the same answer. */
START_TEST(slices_have_no_influence)
{
	uint64_t seed = judge_seed();

	for (unsigned int which = 0; which < N_MACHINES; which++) {
		struct place_pool *pool;
		struct machine machine;

		machine_of(&machine, which, seed);
		pool = graph_pool(graph_of_machine(&machine, 0), NULL);
		for (unsigned int objective = 0; objective < N_OBJECTIVES; objective++) {
			const struct place_ask ask = { .count = machine.n / 3,
						       .objective = graph_objective(objective) };
			struct place_search *searches[2] = { NULL, NULL };
			struct place_answer whole, sliced;
			size_t device = machine.n / 2;
			unsigned int n_done = 0;

			ck_assert_int_eq(place_solve(pool, &ask, &whole, NULL), 0);
			for (unsigned int i = 0; i < 2; i++)
				ck_assert_int_eq(place_search_new(pool, &ask, searches + i), 0);
			ck_assert_int_eq(place_pool_take(pool, &device, 1), 0);
			for (bool done[2] = { false, false }; n_done < 2;) {
				for (unsigned int i = 0; i < 2; i++) {
					int r = done[i] ? 0 : place_search_step(searches[i], 1 + i);

					ck_assert_int_ge(r, 0);
					done[i] |= r == 1;
					n_done += r == 1;
				}
			}
			ck_assert_int_eq(place_pool_give(pool, &device, 1), 0);
			for (unsigned int i = 0; i < 2; i++) {
				ck_assert_int_eq(place_search_finish(searches[i], &sliced, NULL), 0);
				ck_assert_msg(same_set(&whole, &sliced), "%s, %s: another set in slices", machine.name,
					      objective_names[objective]);
				place_answer_fini(&sliced);
				place_search_free(searches[i]);
			}
			place_answer_fini(&whole);
		}
		place_pool_free(pool);
		machine_fini(&machine);
	}
}
END_TEST

/* What cannot be is refused with why, how many there are, and nothing changed. */
START_TEST(refusals_say_why)
{
	const size_t required[] = { 1, 1 }, far[] = { 0, 4 }, stranger[] = { 8 }, busy_device = 2;
	struct place_refusal refusal;
	struct place_answer answer;
	struct place_pool *pool;
	struct machine machine;
	int r;

	generate_hives(&machine, 2, 4);
	pool = graph_pool(graph_of_machine(&machine, 0), NULL);
	ck_assert_int_eq(place_pool_take(pool, &busy_device, 1), 0);

	r = place_solve(pool, &(struct place_ask){ .count = 0 }, &answer, &refusal);
	ck_assert_int_eq(r, -EINVAL);
	ck_assert_int_eq(refusal.why, PLACE_REFUSED_COUNT);
	place_refusal_fini(&refusal);

	r = place_solve(pool, &(struct place_ask){ .count = 8 }, &answer, &refusal);
	ck_assert_int_eq(r, -ENOSPC);
	ck_assert_int_eq(refusal.why, PLACE_REFUSED_FREE);
	ck_assert_uint_eq(refusal.n_candidates, 7);
	place_refusal_fini(&refusal);

	r = place_solve(pool, &(struct place_ask){ .count = SIZE_MAX }, &answer, &refusal);
	ck_assert_int_eq(r, -ENOSPC);
	place_refusal_fini(&refusal);

	/* A hive of 3 and one of 4: the largest that would do is the second. */
	r = place_solve(pool, &(struct place_ask){ .count = 5, .least_mbps = 50000 }, &answer, &refusal);
	ck_assert_int_eq(r, -ENOSPC);
	ck_assert_int_eq(refusal.why, PLACE_REFUSED_PAIRS);
	ck_assert(refusal.proved);
	ck_assert_uint_eq(refusal.n_largest, 4);
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(refusal.largest[i], 4 + i);
	place_refusal_fini(&refusal);

	/* One of each hive is required: no set has only wide pairs. */
	r = place_solve(pool, &(struct place_ask){ .count = 3, .least_mbps = 50000, .required = far, .n_required = 2 },
			&answer, &refusal);
	ck_assert_int_eq(r, -ENOSPC);
	ck_assert_int_eq(refusal.why, PLACE_REFUSED_PAIRS);
	place_refusal_fini(&refusal);

	r = place_solve(pool, &(struct place_ask){ .count = 3, .required = required, .n_required = 2 }, &answer,
			&refusal);
	ck_assert_int_eq(r, -EINVAL);
	ck_assert_int_eq(refusal.why, PLACE_REFUSED_REQUIRED);
	ck_assert_uint_eq(refusal.device, 1);
	place_refusal_fini(&refusal);

	r = place_solve(pool, &(struct place_ask){ .count = 3, .required = &busy_device, .n_required = 1 }, &answer,
			&refusal);
	ck_assert_int_eq(r, -EINVAL);
	ck_assert_int_eq(refusal.why, PLACE_REFUSED_REQUIRED);
	ck_assert_uint_eq(refusal.device, 2);
	place_refusal_fini(&refusal);

	r = place_solve(pool, &(struct place_ask){ .count = 1, .required = far, .n_required = 2 }, &answer, &refusal);
	ck_assert_int_eq(r, -EINVAL);
	ck_assert_int_eq(refusal.why, PLACE_REFUSED_REQUIRED);
	place_refusal_fini(&refusal);

	/* No device at all, and no such objective: not even a refusal. */
	r = place_solve(pool, &(struct place_ask){ .count = 3, .excluded = stranger, .n_excluded = 1 }, &answer, NULL);
	ck_assert_int_eq(r, -ENODEV);
	r = place_solve(pool, &(struct place_ask){ .count = 3, .required = stranger, .n_required = 1 }, &answer, NULL);
	ck_assert_int_eq(r, -ENODEV);
	r = place_solve(pool, &(struct place_ask){ .count = 3, .least_mbps = -1 }, &answer, NULL);
	ck_assert_int_eq(r, -ERANGE);
	r = place_solve(pool, &(struct place_ask){ .count = 3, .objective = (enum place_objective)9 }, &answer, NULL);
	ck_assert_int_eq(r, -ERANGE);
	ck_assert_uint_eq(place_pool_n_free(pool), 7);
	place_pool_free(pool);
	machine_fini(&machine);
}
END_TEST

/* Marks change all together or not at all. */
START_TEST(marks_change_together)
{
	const size_t twice[] = { 3, 3 }, some[] = { 0, 5, 7 }, more[] = { 1, 5 }, stranger[] = { 8, 0 };
	struct place_pool *pool;
	struct machine machine;

	generate_ring(&machine, 8);
	pool = graph_pool(graph_of_machine(&machine, 0), NULL);
	ck_assert_int_eq(place_pool_take(pool, twice, 2), -EBUSY);
	ck_assert_int_eq(place_pool_take(pool, stranger, 2), -EINVAL);
	ck_assert_int_eq(place_pool_give(pool, some, 3), -EALREADY);
	ck_assert_uint_eq(place_pool_n_free(pool), 8);
	ck_assert_int_eq(place_pool_take(pool, some, 3), 0);
	ck_assert_int_eq(place_pool_take(pool, more, 2), -EBUSY);
	ck_assert(place_pool_is_free(pool, 1));
	ck_assert_int_eq(place_pool_give(pool, more, 2), -EALREADY);
	ck_assert_int_eq(place_pool_give(pool, stranger, 2), -EINVAL);
	ck_assert(!place_pool_is_free(pool, 5));
	ck_assert_uint_eq(place_pool_n_free(pool), 5);
	ck_assert_int_eq(place_pool_give(pool, some, 3), 0);
	ck_assert_uint_eq(place_pool_n_free(pool), 8);
	place_pool_free(pool);
	machine_fini(&machine);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		history_has_no_influence,
		slices_have_no_influence,
		refusals_say_why,
		marks_change_together,
	};

	return judge_main("placement-pool", tests, sizeof(tests) / sizeof(tests[0]));
}

// SPDX-License-Identifier: MIT
/* What the free devices are good for, and what a removal does: beside every subset. */
#include "judge.h"
#include "place/whatif.h"
#include "ties.h"

#include <stdlib.h>

/* A machine of up to twelve devices, some of them busy, some pairs forbidden. */
struct scene {
	struct machine machine;
	struct matrix matrix;
	unsigned int forbidden[TIES_MAX];
	unsigned int free_mask;
	int64_t least_mbps;
	struct place_pool *pool;
	struct ties *ties;
};

static void scene_init(struct scene *scene, struct random *random)
{
	static const int64_t least[] = { 0, 0, 13000, 24000, 48000 };
	size_t n = 2 + random_below(random, 11);
	bool busy[TIES_MAX];

	*scene = (struct scene){ .least_mbps = least[random_below(random, 5)] };
	if (random_below(random, 2))
		generate_classes(&scene->machine, n, 4, random_next(random));
	else
		generate_small_tree(&scene->machine, n, random_next(random));
	scene->matrix = machine_matrix(&scene->machine);
	for (size_t i = random_below(random, n); i; i--) {
		size_t a = random_below(random, n), b = random_below(random, n);

		if (a != b) {
			scene->forbidden[a] |= 1U << b;
			scene->forbidden[b] |= 1U << a;
		}
	}
	for (size_t i = 0; i < n; i++) {
		busy[i] = random_below(random, 4) == 0;
		scene->free_mask |= (unsigned int)!busy[i] << i;
	}
	scene->pool = graph_pool(graph_of_matrix(&scene->matrix, scene->forbidden, random_next(random)), busy);
	scene->ties = ties_new(&scene->matrix, scene->forbidden);
}

static void scene_fini(struct scene *scene)
{
	place_pool_free(scene->pool);
	ties_free(scene->ties);
	matrix_fini(&scene->matrix);
	machine_fini(&scene->machine);
}

static unsigned int mask_of(const struct device_set *set)
{
	unsigned int mask = 0;

	for (size_t i = 0; i < set->n; i++) {
		ck_assert(i == 0 || set->devices[i - 1] < set->devices[i]);
		mask |= 1U << set->devices[i];
	}
	return mask;
}

static bool are_joined(const struct scene *scene, size_t a, size_t b)
{
	return !(scene->forbidden[a] >> b & 1) && matrix_at(&scene->matrix, a, b) >= scene->least_mbps;
}

static bool is_clique(const struct scene *scene, unsigned int mask)
{
	for (unsigned int a = mask; a; a &= a - 1)
		for (unsigned int b = a & (a - 1); b; b &= b - 1)
			if (!are_joined(scene, (size_t)__builtin_ctz(a), (size_t)__builtin_ctz(b)))
				return false;
	return true;
}

static bool is_maximal(const struct scene *scene, unsigned int mask)
{
	if (!mask || !is_clique(scene, mask))
		return false;
	for (unsigned int rest = scene->free_mask & ~mask; rest; rest &= rest - 1)
		if (is_clique(scene, mask | (rest & -rest)))
			return false;
	return true;
}

/* The largest first, then by names. */
static bool comes_before(unsigned int a, unsigned int b)
{
	int more = __builtin_popcount(a) - __builtin_popcount(b);

	return more ? more > 0 : a & ((a ^ b) & -(a ^ b));
}

static void compare_sets(const struct scene *scene, const struct device_sets *sets, const unsigned int *masks, size_t n)
{
	ck_assert(sets->complete);
	ck_assert_msg(sets->n == n, "%s: %zu sets, not %zu", scene->machine.name, sets->n, n);
	for (size_t i = 0; i < n; i++) {
		unsigned int next = 0;

		for (size_t j = 0; j < n; j++) {
			size_t n_before = 0;

			for (size_t k = 0; k < n; k++)
				n_before += comes_before(masks[k], masks[j]);
			if (n_before == i)
				next = masks[j];
		}
		ck_assert_msg(mask_of(&sets->sets[i]) == next, "%s: set %zu is %x, not %x", scene->machine.name, i,
			      mask_of(&sets->sets[i]), next);
	}
}

/* Every set of free devices that all are joined and that cannot grow: each once, in order. */
START_TEST(maximal_cliques)
{
	uint64_t seed = judge_seed();
	struct random random = { seed };

	for (unsigned int round = 0; round < (judge_is_soak() ? 3000 : 150); round++) {
		unsigned int masks[1 << 12], most;
		struct device_sets sets;
		struct device_set largest;
		struct scene scene;
		size_t n = 0;
		bool proved;

		scene_init(&scene, &random);
		for (unsigned int mask = scene.free_mask; mask; mask = (mask - 1) & scene.free_mask)
			if (is_maximal(&scene, mask))
				masks[n++] = mask;
		ck_assert_int_eq(whatif_cliques(scene.pool, scene.least_mbps, WHATIF_CLIQUES_MAX, &sets), 0);
		compare_sets(&scene, &sets, masks, n);
		device_sets_fini(&sets);
		if (n > 1) {
			ck_assert_int_eq(whatif_cliques(scene.pool, scene.least_mbps, n - 1, &sets), 0);
			ck_assert(!sets.complete);
			ck_assert_uint_le(sets.n, n - 1);
			device_sets_fini(&sets);
		}

		ties_ask(scene.ties, &(struct ties_question){ .k = 1, .least_mbps = scene.least_mbps });
		most = ties_largest(scene.ties, scene.free_mask);
		ck_assert_int_eq(whatif_largest(scene.pool, scene.least_mbps, &largest, &proved), 0);
		ck_assert(proved);
		ck_assert_uint_eq(largest.n, most);
		ck_assert(is_clique(&scene, mask_of(&largest)));
		ck_assert_uint_eq(mask_of(&largest) & ~scene.free_mask, 0);
		device_set_fini(&largest);
		scene_fini(&scene);
	}
}
END_TEST

static bool are_linked(const struct scene *scene, size_t a, size_t b)
{
	int64_t mbps = matrix_at(&scene->matrix, a, b);

	return (graph_pair_of(mbps).flags & PLACE_PAIR_LINKED) && are_joined(scene, a, b);
}

/* Free devices that reach each other over links. */
START_TEST(components)
{
	uint64_t seed = judge_seed();
	struct random random = { seed };

	for (unsigned int round = 0; round < (judge_is_soak() ? 3000 : 150); round++) {
		unsigned int masks[TIES_MAX], left;
		struct device_sets sets;
		struct scene scene;
		size_t n = 0;

		scene_init(&scene, &random);
		for (left = scene.free_mask; left; left &= ~masks[n++]) {
			bool grew = true;

			masks[n] = left & -left;
			while (grew) {
				grew = false;
				for (unsigned int a = masks[n]; a; a &= a - 1)
					for (unsigned int b = left & ~masks[n]; b; b &= b - 1)
						if (are_linked(&scene, (size_t)__builtin_ctz(a),
							       (size_t)__builtin_ctz(b))) {
							masks[n] |= b & -b;
							grew = true;
						}
			}
		}
		ck_assert_int_eq(whatif_components(scene.pool, scene.least_mbps, &sets), 0);
		compare_sets(&scene, &sets, masks, n);
		device_sets_fini(&sets);
		scene_fini(&scene);
	}
}
END_TEST

START_TEST(fragmentation)
{
	uint64_t seed = judge_seed();
	struct random random = { seed };

	for (unsigned int round = 0; round < (judge_is_soak() ? 3000 : 150); round++) {
		struct whatif_fragmentation fragmentation;
		unsigned int most, n_free;
		struct scene scene;

		scene_init(&scene, &random);
		n_free = (unsigned int)__builtin_popcount(scene.free_mask);
		ties_ask(scene.ties, &(struct ties_question){ .k = 1, .least_mbps = scene.least_mbps });
		most = ties_largest(scene.ties, scene.free_mask);
		ck_assert_int_eq(whatif_fragmentation(scene.pool, scene.least_mbps, &fragmentation), 0);
		ck_assert_uint_eq(fragmentation.n_free, n_free);
		ck_assert_uint_eq(fragmentation.largest, most);
		ck_assert(fragmentation.largest_proved);
		/* However it is rounded. */
		ck_assert(n_free ? labs(1000L * (n_free - most) - (long)fragmentation.permille * n_free) < n_free :
				   fragmentation.permille == 0);
		for (size_t i = 0; i < fragmentation.n_sizes; i++) {
			size_t size = (size_t)1 << i;

			/* One can be had if there is a set of that size; and no device is in two. */
			ck_assert((fragmentation.n_sets[i] > 0) == (size <= most));
			ck_assert_uint_le(fragmentation.n_sets[i] * size, n_free);
		}
		ck_assert(!n_free || fragmentation.n_sets[0] == n_free);
		scene_fini(&scene);
	}
}
END_TEST

/* A value as the objective has it, of what a change says. */
static struct score score_before(const struct whatif_change *change, enum objective objective)
{
	return score_of(objective, change->count, change->bottleneck_before, change->sum_before);
}

static struct score score_after(const struct whatif_change *change, enum objective objective)
{
	return score_of(objective, change->count, change->bottleneck_after, change->sum_after);
}

static struct score best_of(struct scene *scene, enum objective objective, size_t k, unsigned int free_mask,
			    unsigned int required)
{
	ties_ask(scene->ties,
		 &(struct ties_question){ .objective = objective, .k = (unsigned int)k, .required = required });
	return ties_value(scene->ties, free_mask);
}

static void compare_sizes(struct scene *scene, const struct whatif_removal *removal, enum objective objective,
			  unsigned int gone)
{
	for (size_t i = 0; i < removal->n_sizes; i++) {
		const struct whatif_change *change = &removal->sizes[i];
		struct score before = best_of(scene, objective, change->count, scene->free_mask, 0);
		struct score after = best_of(scene, objective, change->count, scene->free_mask & ~gone, 0);

		ck_assert_uint_eq(change->count, (size_t)1 << i);
		ck_assert(change->was_there == !score_equal(before, SCORE_NONE));
		ck_assert(change->is_there == !score_equal(after, SCORE_NONE));
		ck_assert(!change->was_there || score_equal(score_before(change, objective), before));
		ck_assert(!change->is_there || score_equal(score_after(change, objective), after));
	}
}

static void compare_lease(struct scene *scene, const struct whatif_removal *removal, enum objective objective,
			  unsigned int gone, unsigned int lease)
{
	unsigned int kept = lease & ~gone;
	size_t k = (size_t)__builtin_popcount(lease);
	struct score best = best_of(scene, objective, k, (scene->free_mask & ~gone) | kept, kept);
	unsigned int replacement;

	if (!(lease & gone)) {
		ck_assert_uint_eq(removal->n_leases, 0);
		return;
	}
	ck_assert_uint_eq(removal->n_leases, 1);
	ck_assert_uint_eq(removal->leases[0].lease, 0);
	replacement = mask_of(&removal->leases[0].replacement);
	ck_assert_msg((replacement != 0) == !score_equal(best, SCORE_NONE), "%s: lease %x, gone %x: replacement %x",
		      scene->machine.name, lease, gone, replacement);
	ck_assert_uint_eq(removal->leases[0].change.is_there, replacement != 0);
	ck_assert_uint_eq(replacement & gone, 0);
	if (replacement)
		ck_assert_msg(score_equal(score_after(&removal->leases[0].change, objective), best),
			      "%s: lease %x, gone %x: not the best with what is kept", scene->machine.name, lease,
			      gone);
}

/* Best sets of free devices before and after; a lease keeps what it can and gets what is best with it. */
START_TEST(removals)
{
	uint64_t seed = judge_seed();
	struct random random = { seed };

	for (unsigned int round = 0; round < (judge_is_soak() ? 3000 : 150); round++) {
		enum objective objective = (enum objective)random_below(&random, N_OBJECTIVES);
		size_t gone_devices[TIES_MAX], lease_devices[TIES_MAX];
		struct device_set gone = { gone_devices, 0 }, lease = { lease_devices, 0 };
		struct whatif_removal removal;
		struct scene scene;

		scene_init(&scene, &random);
		for (size_t i = 0; i < scene.machine.n; i++) {
			if (random_below(&random, 3) == 0)
				gone_devices[gone.n++] = i;
			if (!(scene.free_mask >> i & 1))
				lease_devices[lease.n++] = i;
		}
		ck_assert_int_eq(whatif_removal(scene.pool, graph_objective(objective), &gone, &lease, 1, &removal), 0);
		compare_sizes(&scene, &removal, objective, mask_of(&gone));
		compare_lease(&scene, &removal, objective, mask_of(&gone), mask_of(&lease));
		whatif_removal_fini(&removal);
		scene_fini(&scene);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { maximal_cliques, components, fragmentation, removals };

	return judge_main("placement-whatif", tests, sizeof(tests) / sizeof(tests[0]));
}

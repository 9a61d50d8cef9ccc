// SPDX-License-Identifier: MIT
/* The whole way: from links, switches and bridges, by the rule, to the set. */
#include "hierarchy.h"
#include "judge.h"
#include "place/place.h"
#include "ties.h"
#include "topologies.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void shape_of(struct machine *machine, size_t n, uint64_t seed)
{
	switch (seed % 7) {
	case 0:
		generate_classes(machine, n, 4, seed);
		break;
	case 1:
		generate_ring(machine, n);
		break;
	case 2:
		generate_star(machine, n);
		break;
	case 3:
		generate_planted(machine, n, n / 2, seed);
		break;
	case 4:
		generate_torus(machine, 2, n / 2, 1);
		break;
	case 5:
		generate_small_tree(machine, n, seed);
		break;
	default:
		generate_noise(machine, n, seed);
		break;
	}
}

static void compare_pairs(const struct machine *machine, const struct topology *topology, size_t n_samples,
			  struct random *random)
{
	ck_assert_uint_eq(topology->n_devices, machine->n);
	for (size_t i = 0; i < n_samples; i++) {
		size_t a = random_below(random, machine->n), b = random_below(random, machine->n);
		struct topology_pair pair = topology_pair(topology, a, b);

		ck_assert_msg(a == b || pair.bandwidth_mbps == machine_mbps(machine, a, b),
			      "%s: %zu (%s) and %zu (%s) have %lld, the rule says %lld", machine->name, a,
			      topology->devices[a].name, b, topology->devices[b].name,
			      (long long)machine_mbps(machine, a, b), (long long)pair.bandwidth_mbps);
	}
}

/* Links of unlike directions, one-sided, down, missing: pairs are what the rule says, in any order. */
START_TEST(pairs_follow_the_rule)
{
	uint64_t seed = judge_seed();
	struct random random = { seed };

	for (uint64_t i = 0; i < (judge_is_soak() ? 2000 : 70); i++) {
		struct topology *topology;
		struct machine machine;

		shape_of(&machine, 2 + (seed + i) % 20, seed + i);
		topology = topology_of_machine(&machine, &(struct topology_plan){ .order = seed * (i % 2),
										  .noise = seed * (i % 3) });
		compare_pairs(&machine, topology, 400, &random);
		topology_unref(topology);
		machine_fini(&machine);
	}
	for (unsigned int volta = 0; volta < 2; volta++) {
		struct topology *topology = topology_of_cube_mesh(volta);
		struct machine machine;

		generate_cube_mesh(&machine, volta);
		compare_pairs(&machine, topology, 400, &random);
		topology_unref(topology);
		machine_fini(&machine);
	}
}
END_TEST

/* Names of masks of devices, for a request. */
struct names {
	char text[TIES_MAX][TOPOLOGY_NAME_SIZE];
	const char *list[TIES_MAX];
	size_t n;
};

static void names_of(struct names *names, unsigned int mask)
{
	names->n = 0;
	for (; mask; mask &= mask - 1) {
		topology_plan_name((size_t)__builtin_ctz(mask), names->text[names->n]);
		names->list[names->n] = names->text[names->n];
		names->n++;
	}
}

static unsigned int random_mask(struct random *random, size_t n, size_t one_in)
{
	unsigned int mask = 0;

	for (size_t i = 0; i < n; i++)
		mask |= (unsigned int)(random_below(random, one_in) == 0) << i;
	return mask;
}

/* What a person may ask, and which devices and pairs that leaves. */
struct wish {
	struct place_request request;
	struct ties_question question;
	struct names busy, exclude, require;
	unsigned int candidates;
	unsigned int forbidden[TIES_MAX], unlinked[TIES_MAX];
};

static void wish_fill(struct wish *wish, const struct machine *machine, const struct topology *topology,
		      struct random *random)
{
	size_t n = machine->n;
	unsigned int busy = random_mask(random, n, 5), exclude = random_mask(random, n, 8);
	static const int64_t least[] = { 0, 0, 0, 20000, 30000 };

	memset(wish, 0, sizeof(*wish));
	wish->question.objective = (enum objective)random_below(random, N_OBJECTIVES);
	wish->question.k = 1 + (unsigned int)random_below(random, n / 2 + 1);
	wish->question.least_mbps = least[random_below(random, 5)];
	wish->request = (struct place_request){
		.count = wish->question.k,
		.objective = graph_objective(wish->question.objective),
		.linked = (enum place_linked)random_below(random, 3),
		.least_mbps = wish->question.least_mbps,
		.bytes = random_below(random, 3) ? 100 : 400,
		.at_numa_node = random_below(random, 4) == 0,
		.numa_node = (int64_t)random_below(random, 2),
	};
	for (size_t i = 0; i < n; i++) {
		const struct topology_device *device = topology->devices + i;

		if (device->state == TOPOLOGY_STATE_ONLINE &&
		    device->regions[0].free_bytes >= (int64_t)wish->request.bytes &&
		    (!wish->request.at_numa_node || device->numa_node == wish->request.numa_node))
			wish->candidates |= 1U << i;
		for (size_t j = 0; j < n; j++)
			if (i != j && !topology_pair(topology, i, j).linked)
				wish->unlinked[i] |= 1U << j;
	}
	wish->candidates &= ~busy & ~exclude;
	if (wish->candidates && random_below(random, 3) == 0)
		wish->question.required = wish->candidates & -wish->candidates;
	names_of(&wish->busy, busy);
	names_of(&wish->exclude, exclude);
	names_of(&wish->require, wish->question.required);
	wish->request.busy = wish->busy.list;
	wish->request.n_busy = wish->busy.n;
	wish->request.exclude = wish->exclude.list;
	wish->request.n_exclude = wish->exclude.n;
	wish->request.require = wish->require.list;
	wish->request.n_require = wish->require.n;
}

/* The set that the rule wants: linked ones first, where that is wished. */
static unsigned int wished_set(const struct wish *wish, const struct matrix *matrix)
{
	unsigned int set = 0;

	for (unsigned int attempt = 0; attempt < 2 && !set; attempt++) {
		bool is_linked = attempt == 0;
		struct ties *ties;

		if (is_linked ? wish->request.linked == PLACE_LINKED_ANY :
				wish->request.linked == PLACE_LINKED_REQUIRED)
			continue;
		ties = ties_new(matrix, is_linked ? wish->unlinked : NULL);
		ties_ask(ties, &wish->question);
		set = ties_set(ties, wish->candidates);
		ties_free(ties);
	}
	return set;
}

static void ask(struct place_site *site, const struct topology *topology, const struct machine *machine,
		const struct wish *wish, const struct matrix *matrix)
{
	unsigned int expected = wished_set(wish, matrix), set = 0;
	struct place_failure failure = { 0 };
	struct placement *placement = NULL;
	int r = site ? place_at(site, &wish->request, &placement, &failure) :
		       place(topology, &wish->request, &placement, &failure);

	for (size_t i = 0; r == 0 && i < placement->n_devices; i++) {
		set |= 1U << placement->devices[i].device;
		ck_assert_ptr_nonnull(placement->devices[i].reason);
		ck_assert_uint_eq(placement->devices[i].region, 0);
	}
	ck_assert_msg(r == 0 || r == -ENOSPC, "%s: %s", machine->name, strerror(-r));
	ck_assert_msg(set == expected, "%s, %llu of %x, %s, least %lld, linked %d, required %x: %x, the rule says %x",
		      machine->name, (unsigned long long)wish->request.count, wish->candidates,
		      objective_names[wish->question.objective], (long long)wish->request.least_mbps,
		      wish->request.linked, wish->question.required, set, expected);
	if (r) {
		ck_assert_ptr_nonnull(failure.reason);
		ck_assert(failure.proved);
		for (size_t i = 0; i < failure.n_largest; i++)
			ck_assert_uint_lt(failure.largest[i], machine->n);
	} else {
		ck_assert(placement->exact);
		ck_assert_uint_eq(placement->n_devices, wish->request.count);
	}
	place_failure_fini(&failure);
	placement_free(placement);
}

/* Everything that a request may ask for, at random, beside all sets: of a topology, and of a site that is kept. */
START_TEST(requests_at_random)
{
	uint64_t seed = judge_seed();
	struct random random = { seed };

	for (uint64_t i = 0; i < (judge_is_soak() ? 3000 : 60); i++) {
		int64_t free_bytes[TIES_MAX], numa_node[TIES_MAX];
		struct topology *topology;
		bool offline[TIES_MAX];
		struct place_site *site;
		struct machine machine;
		struct matrix matrix;

		shape_of(&machine, 2 + random_below(&random, i % 10 ? 9 : 15), seed + i);
		for (size_t j = 0; j < machine.n; j++) {
			free_bytes[j] = random_below(&random, 5) ? 500 : 300;
			numa_node[j] = (int64_t)random_below(&random, 2);
			offline[j] = random_below(&random, 12) == 0;
		}
		topology = topology_of_machine(&machine, &(struct topology_plan){
								 .order = seed * (i % 2),
								 .noise = seed * (i % 3),
								 .free_bytes = free_bytes,
								 .numa_node = numa_node,
								 .offline = offline,
							 });
		matrix = machine_matrix(&machine);
		ck_assert_int_eq(place_site_new(topology, &site), 0);
		for (unsigned int turn = 0; turn < 12; turn++) {
			struct wish wish;

			wish_fill(&wish, &machine, topology, &random);
			ask(turn % 3 ? site : NULL, topology, &machine, &wish, &matrix);
		}
		place_site_free(site);
		topology_unref(topology);
		matrix_fini(&matrix);
		machine_fini(&machine);
	}
}
END_TEST

static void compare_large(const struct machine *machine, const size_t *sizes, size_t n_sizes, uint64_t seed)
{
	struct topology *topology =
		topology_of_machine(machine, &(struct topology_plan){ .order = seed, .noise = seed });
	struct random random = { seed };
	struct place_site *site;

	int r;

	compare_pairs(machine, topology, 20000, &random);
	r = place_site_new(topology, &site);
	ck_assert_msg(r == 0, "%s: %s", machine->name, strerror(-r));
	for (size_t i = 0; i < n_sizes; i++) {
		for (unsigned int objective = 0; objective < N_OBJECTIVES; objective++) {
			struct place_request request = { .count = sizes[i], .objective = graph_objective(objective) };
			struct placement *placement;
			size_t *set;

			ck_assert_int_eq(place_at(site, &request, &placement, NULL), 0);
			ck_assert(placement->exact);
			set = calloc(sizes[i], sizeof(*set));
			ck_assert_ptr_nonnull(set);
			for (size_t j = 0; j < sizes[i]; j++)
				set[j] = placement->devices[j].device;
			ck_assert_msg(score_equal(machine_score(machine, objective, set, sizes[i]),
						  hierarchy_best(machine, NULL, objective, sizes[i])),
				      "%s, %zu, %s: not the best", machine->name, sizes[i], objective_names[objective]);
			free(set);
			placement_free(placement);
		}
	}
	place_site_free(site);
	topology_unref(topology);
}

/* Racks behind switches, hives, cube meshes, trees: as bridges, switches and links. */
START_TEST(structure_is_found_in_topologies)
{
	static const size_t sizes[] = { 4, 8, 9, 71, 130 };
	uint64_t seed = judge_seed() | 1;
	struct machine machine;

	generate_rack(&machine, 2, seed);
	compare_large(&machine, sizes, 4, seed);
	machine_fini(&machine);
	generate_racks(&machine, 8, seed);
	compare_large(&machine, sizes, 5, seed);
	machine_fini(&machine);
	generate_meshes(&machine, 24, seed);
	compare_large(&machine, sizes, 5, seed);
	machine_fini(&machine);
	generate_partitions(&machine, 8, 8, 1, seed);
	compare_large(&machine, sizes, 3, seed);
	machine_fini(&machine);
	generate_racks(&machine, judge_is_soak() ? 140 : 40, seed);
	compare_large(&machine, sizes, 5, seed);
	machine_fini(&machine);
	generate_hives(&machine, judge_is_soak() ? 2520 : 600, 4);
	compare_large(&machine, sizes, 5, seed);
	machine_fini(&machine);
	generate_meshes(&machine, judge_is_soak() ? 1260 : 200, seed);
	compare_large(&machine, sizes, 5, seed);
	machine_fini(&machine);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		pairs_follow_the_rule,
		requests_at_random,
		structure_is_found_in_topologies,
	};

	return judge_main("placement-topology", tests, sizeof(tests) / sizeof(tests[0]));
}

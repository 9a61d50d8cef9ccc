// SPDX-License-Identifier: MIT
/*
 * A synthetic machine as a file of fabric.topology/1, for the command line to be asked about; and what the best is that
 * can be had there, from the oracles, which know nothing of that file.
 *
 *   generate KIND SEED                   the topology, on stdout
 *   generate KIND SEED COUNT OBJECTIVE   the best value: two numbers, bottleneck and sum in MB/s; "-" for what is no part
 *                                        of the objective, "none" if there is no such set
 */
#include "hierarchy.h"
#include "subsets.h"
#include "topologies.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void rack(struct machine *machine, uint64_t seed)
{
	generate_rack(machine, 3, seed);
}

static void racks8(struct machine *machine, uint64_t seed)
{
	generate_racks(machine, 8, seed);
}

static void racks140(struct machine *machine, uint64_t seed)
{
	generate_racks(machine, 140, seed);
}

static void meshes128(struct machine *machine, uint64_t seed)
{
	generate_meshes(machine, 128, seed);
}

static void hives(struct machine *machine, uint64_t seed)
{
	generate_hives(machine, 8 + seed % 9, 4);
}

static void partitions(struct machine *machine, uint64_t seed)
{
	generate_partitions(machine, 8, 8, 1, seed);
}

static void classes(struct machine *machine, uint64_t seed)
{
	generate_classes(machine, 12, 4, seed);
}

static void noise(struct machine *machine, uint64_t seed)
{
	generate_noise(machine, 20, seed);
}

static void ring(struct machine *machine, uint64_t seed)
{
	generate_ring(machine, 8 + seed % 9);
}

static void tree(struct machine *machine, uint64_t seed)
{
	generate_small_tree(machine, 40, seed);
}

static const struct {
	const char *name;
	void (*generate)(struct machine *machine, uint64_t seed);
} kinds[] = {
	{ "rack", rack },	    { "racks8", racks8 }, { "racks140", racks140 },
	{ "meshes128", meshes128 }, { "hives", hives },	  { "classes", classes },
	{ "noise", noise },	    { "ring", ring },	  { "partitions", partitions },
	{ "tree", tree },
};

static int usage(void)
{
	fprintf(stderr, "usage: generate KIND SEED [COUNT OBJECTIVE]\nkinds:");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		fprintf(stderr, " %s", kinds[i].name);
	fprintf(stderr, "\n");
	return 2;
}

static int write_topology(const struct machine *machine, uint64_t seed)
{
	struct topology *topology =
		topology_of_machine(machine, &(struct topology_plan){ .order = seed, .noise = seed });
	struct json_object *object = topology_to_json(topology);
	int r = object ? puts(json_object_to_json_string_ext(object,
							     JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)) :
			 EOF;

	json_object_put(object);
	topology_unref(topology);
	return r == EOF ? EXIT_FAILURE : EXIT_SUCCESS;
}

static struct score best_of(const struct machine *machine, enum objective objective, size_t k)
{
	struct score best;
	struct matrix matrix;

	if (machine->n_clusters > 1)
		return hierarchy_best(machine, NULL, objective, k);
	matrix = machine_matrix(machine);
	best = subsets_one_best(&matrix, objective, k);
	matrix_fini(&matrix);
	return best;
}

static int write_best(const struct machine *machine, size_t k, const char *objective_name)
{
	unsigned int objective = 0;
	struct score best;

	while (objective < N_OBJECTIVES && strcmp(objective_names[objective], objective_name))
		objective++;
	if (objective == N_OBJECTIVES || k == 0)
		return usage();
	best = best_of(machine, objective, k);
	if (score_equal(best, SCORE_NONE))
		puts("none");
	else if (objective == OBJECTIVE_SUM)
		printf("- %lld\n", (long long)best.first);
	else if (objective == OBJECTIVE_BOTTLENECK)
		printf("%lld -\n", (long long)best.first);
	else
		printf("%lld %lld\n", (long long)best.first, (long long)best.second);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct machine machine;
	uint64_t seed;
	int r;

	if (argc != 3 && argc != 5)
		return usage();
	seed = strtoull(argv[2], NULL, 10);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].name, argv[1]))
			continue;
		kinds[i].generate(&machine, seed);
		r = argc == 3 ? write_topology(&machine, seed) :
				write_best(&machine, strtoull(argv[3], NULL, 10), argv[4]);
		machine_fini(&machine);
		return r;
	}
	return usage();
}

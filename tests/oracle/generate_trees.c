// SPDX-License-Identifier: MIT
/* Machines that are trees, with something at their leaves. */
#include "generators.h"

static int64_t one_of(struct random *random, const int64_t *values, size_t n)
{
	return values[random_below(random, n)];
}

/* All pairs alike. */
static struct matrix clique_of(size_t n, int64_t mbps)
{
	struct matrix matrix = matrix_new(n);

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			matrix_set(&matrix, i, j, mbps);
	return matrix;
}

void generate_hives(struct machine *machine, size_t n_hives, size_t size)
{
	size_t root;

	machine_init(machine, "synthetic-hives-%zux%zu", n_hives, size);
	root = machine_add_node(machine, 0, 0);
	for (size_t i = 0; i < n_hives; i++)
		(void)machine_add_cluster(machine, root, MACHINE_ASSUMED_MBPS, clique_of(size, 50000));
}

void generate_noisy_hives(struct machine *machine, size_t n_hives, size_t size, uint64_t seed)
{
	struct random random = { seed };
	size_t root;

	machine_init(machine, "synthetic-noisy-hives-%zux%zu-seed%llu", n_hives, size, (unsigned long long)seed);
	root = machine_add_node(machine, 0, 0);
	for (size_t i = 0; i < n_hives; i++) {
		struct matrix inside = matrix_new(size);

		for (size_t a = 0; a < size; a++)
			for (size_t b = 0; b < a; b++)
				matrix_set(&inside, a, b, 30000 + (int64_t)random_below(&random, 30000));
		(void)machine_add_cluster(machine, root, MACHINE_ASSUMED_MBPS, inside);
	}
}

void generate_partitions(struct machine *machine, size_t n_packages, size_t size, size_t n_missing, uint64_t seed)
{
	struct random random = { seed };
	size_t sizes[64] = { 0 }, root;

	machine_init(machine, "synthetic-partitions-%zux%zu-less%zu-seed%llu", n_packages, size, n_missing,
		     (unsigned long long)seed);
	for (size_t i = 0; i < n_packages; i++)
		sizes[i] = size;
	for (size_t i = 0; i < n_missing;) {
		size_t package = random_below(&random, n_packages);

		if (sizes[package] > 1) {
			sizes[package]--;
			i++;
		}
	}
	root = machine_add_node(machine, 0, 0);
	for (size_t i = 0; i < n_packages; i++)
		(void)machine_add_cluster(machine, root, 48000, clique_of(sizes[i], 819200));
}

/* Below @node. A device that has lost links to the switches is a cluster of its own. */
static void add_rack(struct machine *machine, size_t node, size_t n_damaged, struct random *random)
{
	size_t order[72];

	for (size_t i = 0; i < 72; i++)
		order[i] = i;
	random_shuffle(random, order, 72);
	for (size_t i = 0; i < 72; i++) {
		int64_t mbps = RACK_MBPS;

		for (size_t j = 0; j < n_damaged; j++)
			if (order[j] == i)
				mbps = 40100 * (int64_t)(1 + random_below(random, 17));
		(void)machine_add_cluster(machine, node, mbps, matrix_new(1));
	}
}

void generate_rack(struct machine *machine, size_t n_damaged, uint64_t seed)
{
	struct random random = { seed };

	machine_init(machine, "synthetic-rack72-damaged%zu-seed%llu", n_damaged, (unsigned long long)seed);
	add_rack(machine, machine_add_node(machine, 0, 0), n_damaged, &random);
}

void generate_racks(struct machine *machine, size_t n_racks, uint64_t seed)
{
	/* Of a rack to its leaf, of a leaf to its spine, of a spine to the root: per device, in MB/s. */
	static const int64_t rack_uplinks[] = { 100000, 50000 };
	static const int64_t leaf_uplinks[] = { 50000, 25000 };
	static const int64_t spine_uplinks[] = { 25000, 12500 };
	struct random random = { seed };
	size_t root, spine = 0, leaf = 0;

	machine_init(machine, "synthetic-racks-%zux72-seed%llu", n_racks, (unsigned long long)seed);
	root = machine_add_node(machine, 0, 0);
	for (size_t i = 0; i < n_racks; i++) {
		if (i % 20 == 0)
			spine = machine_add_node(machine, root, one_of(&random, spine_uplinks, 2));
		if (i % 4 == 0)
			leaf = machine_add_node(machine, spine, one_of(&random, leaf_uplinks, 2));
		add_rack(machine, machine_add_node(machine, leaf, one_of(&random, rack_uplinks, 2)), 0, &random);
	}
}

void generate_meshes(struct machine *machine, size_t n_meshes, uint64_t seed)
{
	static const int64_t leaf_uplinks[] = { 6250, 3125 };
	static const int64_t spine_uplinks[] = { 3125, 1500 };
	struct random random = { seed };
	size_t root, spine = 0, leaf = 0;

	machine_init(machine, "synthetic-cube-meshes-%zux8-seed%llu", n_meshes, (unsigned long long)seed);
	root = machine_add_node(machine, 0, 0);
	for (size_t i = 0; i < n_meshes; i++) {
		if (i % 32 == 0)
			spine = machine_add_node(machine, root, one_of(&random, spine_uplinks, 2));
		if (i % 8 == 0)
			leaf = machine_add_node(machine, spine, one_of(&random, leaf_uplinks, 2));
		(void)machine_add_cluster(machine, leaf, 6250, generate_cube_mesh_matrix(true));
	}
}

void generate_small_tree(struct machine *machine, size_t n, uint64_t seed)
{
	static const int64_t uplinks[] = { 3000, 6000, 12000, 24000 };
	static const int64_t inside[] = { 24000, 36000, 48000, 50000 };
	struct random random = { seed };

	machine_init(machine, "synthetic-small-tree-%zu-seed%llu", n, (unsigned long long)seed);
	(void)machine_add_node(machine, 0, 0);
	for (size_t i = 1; i < n / 2; i++)
		(void)machine_add_node(machine, random_below(&random, i), one_of(&random, uplinks, 4));
	while (machine->n < n) {
		size_t size = 1 + random_below(&random, n - machine->n < 5 ? n - machine->n : 5);
		struct matrix matrix = matrix_new(size);

		for (size_t i = 0; i < size; i++)
			for (size_t j = 0; j < i; j++)
				matrix_set(&matrix, i, j, one_of(&random, inside, 4));
		(void)machine_add_cluster(machine, random_below(&random, machine->n_nodes), one_of(&random, uplinks, 4),
					  matrix);
	}
}

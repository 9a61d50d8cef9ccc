// SPDX-License-Identifier: MIT
/* Machines without structure, and those whose facts are published. Trees are in generate_trees.c. */
#include "generators.h"

#include <stdlib.h>

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

/* One cluster is all there is, with a root above it that nothing passes. */
static void machine_of_one(struct machine *machine, struct matrix inside)
{
	size_t root = machine_add_node(machine, 0, 0);

	(void)machine_add_cluster(machine, root, MACHINE_ASSUMED_MBPS, inside);
}

static struct matrix matrix_filled(size_t n, int64_t mbps)
{
	struct matrix matrix = matrix_new(n);

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			matrix_set(&matrix, i, j, mbps);
	return matrix;
}

/* V100's links as nvidia-smi shows them on DGX-1V; P100 has one wherever V100 has any. */
static const unsigned char cube_mesh_links[8][8] = {
	{ 0, 1, 1, 2, 2, 0, 0, 0 }, { 1, 0, 2, 1, 0, 2, 0, 0 }, { 1, 2, 0, 2, 0, 0, 1, 0 }, { 2, 1, 2, 0, 0, 0, 0, 1 },
	{ 2, 0, 0, 0, 0, 1, 1, 2 }, { 0, 2, 0, 0, 1, 0, 2, 1 }, { 0, 0, 1, 0, 1, 2, 0, 2 }, { 0, 0, 0, 1, 2, 1, 2, 0 },
};

/* PCIe 3 of 16 lanes, and the link between two sockets of Broadwell. */
enum {
	SOCKET_MBPS = 12000,
	SOCKETS_MBPS = 10000,
};

int64_t generate_cube_mesh_links(bool volta, size_t a, size_t b)
{
	return volta ? cube_mesh_links[a][b] : cube_mesh_links[a][b] != 0;
}

struct matrix generate_cube_mesh_matrix(bool volta)
{
	struct matrix matrix = matrix_new(8);

	for (size_t i = 0; i < 8; i++) {
		for (size_t j = 0; j < i; j++) {
			int64_t links = generate_cube_mesh_links(volta, i, j);

			if (links)
				matrix_set(&matrix, i, j, links * (volta ? 20000 : 18000));
			else
				matrix_set(&matrix, i, j, i / 4 == j / 4 ? SOCKET_MBPS : SOCKETS_MBPS);
		}
	}
	return matrix;
}

void generate_cube_mesh(struct machine *machine, bool volta)
{
	machine_init(machine, "byhand-dgx-1%c", volta ? 'v' : 'p');
	machine_of_one(machine, generate_cube_mesh_matrix(volta));
}

void generate_two_boards(struct machine *machine)
{
	struct matrix matrix = matrix_new(16);

	for (size_t i = 0; i < 16; i++)
		for (size_t j = 0; j < i; j++)
			matrix_set(&matrix, i, j, i / 8 == j / 8 ? 6 * 25000 : SOCKETS_MBPS);
	machine_init(machine, "byhand-dgx-2h");
	machine_of_one(machine, matrix);
}

void generate_all_equal(struct machine *machine, size_t n)
{
	machine_init(machine, "synthetic-equal-%zu", n);
	machine_of_one(machine, matrix_filled(n, 36000));
}

void generate_star(struct machine *machine, size_t n)
{
	struct matrix matrix = matrix_filled(n, MACHINE_ASSUMED_MBPS);

	/* The middle is not the first, so that order does not find it. */
	for (size_t i = 0; i < n; i++)
		if (i != n / 2)
			matrix_set(&matrix, n / 2, i, 36000);
	machine_init(machine, "synthetic-star-%zu", n);
	machine_of_one(machine, matrix);
}

void generate_ring(struct machine *machine, size_t n)
{
	struct matrix matrix = matrix_filled(n, MACHINE_ASSUMED_MBPS);

	for (size_t i = 0; i < n; i++)
		if (n > 1)
			matrix_set(&matrix, i, (i + 1) % n, 36000);
	machine_init(machine, "synthetic-ring-%zu", n);
	machine_of_one(machine, matrix);
}

void generate_torus(struct machine *machine, size_t x, size_t y, size_t z)
{
	struct matrix matrix = matrix_filled(x * y * z, MACHINE_ASSUMED_MBPS);

	for (size_t i = 0; i < matrix.n; i++) {
		size_t at_x = i % x, at_y = i / x % y, at_z = i / x / y;
		const size_t next[] = {
			(at_z * y + at_y) * x + (at_x + 1) % x,
			(at_z * y + (at_y + 1) % y) * x + at_x,
			((at_z + 1) % z * y + at_y) * x + at_x,
		};

		for (size_t d = 0; d < N_ELEMENTS(next); d++)
			if (next[d] != i)
				matrix_set(&matrix, i, next[d], 50000);
	}
	if (z > 1)
		machine_init(machine, "synthetic-torus-%zux%zux%zu", x, y, z);
	else
		machine_init(machine, "synthetic-torus-%zux%zu", x, y);
	machine_of_one(machine, matrix);
}

void generate_classes(struct machine *machine, size_t n, size_t n_classes, uint64_t seed)
{
	static const int64_t classes[] = { MACHINE_ASSUMED_MBPS, 24000, 48000, 96000, 18000, 36000, 72000 };
	struct matrix matrix = matrix_new(n);
	struct random random = { seed };

	if (n_classes > N_ELEMENTS(classes))
		abort();
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			matrix_set(&matrix, i, j, classes[random_below(&random, n_classes)]);
	machine_init(machine, "synthetic-classes%zu-%zu-seed%llu", n_classes, n, (unsigned long long)seed);
	machine_of_one(machine, matrix);
}

void generate_noise(struct machine *machine, size_t n, uint64_t seed)
{
	struct matrix matrix = matrix_new(n);
	struct random random = { seed };

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			matrix_set(&matrix, i, j, 20000 + (int64_t)random_below(&random, 80000));
	machine_init(machine, "synthetic-noise-%zu-seed%llu", n, (unsigned long long)seed);
	machine_of_one(machine, matrix);
}

void generate_planted(struct machine *machine, size_t n, size_t k, uint64_t seed)
{
	struct matrix matrix = matrix_new(n);
	struct random random = { seed + 1 };
	size_t *order = random_order(n, seed);

	if (k > n)
		abort();
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			matrix_set(&matrix, order[i], order[j],
				   i < k ? PLANTED_MBPS : (random_below(&random, 2) ? MACHINE_ASSUMED_MBPS : 24000));
	free(order);
	machine_init(machine, "synthetic-planted%zu-%zu-seed%llu", k, n, (unsigned long long)seed);
	machine_of_one(machine, matrix);
}

bool *generate_busy(size_t n, unsigned int percent, uint64_t seed)
{
	size_t *order = random_order(n, seed);
	bool *busy = calloc(n ?: 1, sizeof(*busy));

	if (!busy)
		abort();
	for (size_t i = 0; i < n * percent / 100; i++)
		busy[order[i]] = true;
	free(order);
	return busy;
}

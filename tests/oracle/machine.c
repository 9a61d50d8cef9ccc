// SPDX-License-Identifier: MIT
/* Machines as clusters in a tree. */
#include "machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void *grown(void *array, size_t n, size_t size)
{
	/* Twice as much at each power of two. */
	if (n & (n - 1))
		return array;
	array = realloc(array, (n ? 2 * n : 1) * size);
	if (!array) {
		perror("oracle: a synthetic machine");
		abort();
	}
	return array;
}

void machine_init(struct machine *machine, const char *format, ...)
{
	va_list args;

	*machine = (struct machine){ 0 };
	va_start(args, format);
	(void)vsnprintf(machine->name, sizeof(machine->name), format, args);
	va_end(args);
}

void machine_fini(struct machine *machine)
{
	for (size_t i = 0; i < machine->n_clusters; i++)
		matrix_fini(&machine->clusters[i].inside);
	free(machine->clusters);
	free(machine->nodes);
	*machine = (struct machine){ 0 };
}

size_t machine_add_node(struct machine *machine, size_t parent, int64_t uplink_mbps)
{
	machine->nodes = grown(machine->nodes, machine->n_nodes, sizeof(*machine->nodes));
	machine->nodes[machine->n_nodes] = (struct machine_node){ .parent = parent, .uplink_mbps = uplink_mbps };
	return machine->n_nodes++;
}

size_t machine_add_cluster(struct machine *machine, size_t node, int64_t uplink_mbps, struct matrix inside)
{
	machine->clusters = grown(machine->clusters, machine->n_clusters, sizeof(*machine->clusters));
	machine->clusters[machine->n_clusters] = (struct machine_cluster){
		.first = machine->n,
		.inside = inside,
		.node = node,
		.uplink_mbps = uplink_mbps,
	};
	machine->n += inside.n;
	return machine->n_clusters++;
}

const struct machine_cluster *machine_cluster_of(const struct machine *machine, size_t device)
{
	size_t low = 0, high = machine->n_clusters - 1;

	while (low < high) {
		size_t middle = (low + high + 1) / 2;

		if (machine->clusters[middle].first <= device)
			low = middle;
		else
			high = middle - 1;
	}
	return machine->clusters + low;
}

int64_t machine_mbps(const struct machine *machine, size_t a, size_t b)
{
	const struct machine_cluster *one = machine_cluster_of(machine, a), *other = machine_cluster_of(machine, b);
	size_t from = one->node, to = other->node;
	int64_t least;

	if (one == other)
		return matrix_at(&one->inside, a - one->first, b - one->first);
	least = one->uplink_mbps < other->uplink_mbps ? one->uplink_mbps : other->uplink_mbps;
	/* Parents come first, so that the higher number is never above the other. */
	while (from != to) {
		size_t *later = from > to ? &from : &to;

		if (machine->nodes[*later].uplink_mbps < least)
			least = machine->nodes[*later].uplink_mbps;
		*later = machine->nodes[*later].parent;
	}
	return least;
}

struct matrix machine_matrix(const struct machine *machine)
{
	struct matrix matrix = matrix_new(machine->n);

	for (size_t i = 0; i < machine->n; i++)
		for (size_t j = 0; j < i; j++)
			matrix_set(&matrix, i, j, machine_mbps(machine, i, j));
	return matrix;
}

static int64_t of_machine(const void *pairs, size_t a, size_t b)
{
	return machine_mbps(pairs, a, b);
}

struct score machine_score(const struct machine *machine, enum objective objective, const size_t *set, size_t n)
{
	return score_of_set(objective, set, n, of_machine, machine);
}

static int by_mbps_falling(const void *one, const void *other)
{
	const struct machine_edge *a = one, *b = other;

	return a->mbps < b->mbps ? 1 : a->mbps > b->mbps ? -1 : 0;
}

struct machine_edge *machine_edges(const struct machine *machine, size_t *ret_n)
{
	struct machine_edge *edges = calloc(machine->n_nodes + machine->n_clusters, sizeof(*edges));
	size_t n = 0;

	if (!edges)
		abort();
	for (size_t i = 1; i < machine->n_nodes; i++)
		edges[n++] = (struct machine_edge){ i, machine->nodes[i].parent, machine->nodes[i].uplink_mbps };
	for (size_t i = 0; i < machine->n_clusters; i++)
		edges[n++] = (struct machine_edge){ machine->n_nodes + i, machine->clusters[i].node,
						    machine->clusters[i].uplink_mbps };
	qsort(edges, n, sizeof(*edges), by_mbps_falling);
	*ret_n = n;
	return edges;
}

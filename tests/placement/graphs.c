// SPDX-License-Identifier: MIT
/*
 * Machines as graphs. The engine's nodes say what pairs below different children are worth, and the machines' trees have
 * bandwidths on their edges: two parts that the widest edge joins become a node of that bandwidth, and so on.
 */
#include "graphs.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	NOWHERE = -1,
};

#define MUST(call)                                                                \
	({                                                                        \
		__typeof__(call) must_r_ = (call);                                \
		if (must_r_ < 0) {                                                \
			fprintf(stderr, "%s: %lld\n", #call, (long long)must_r_); \
			abort();                                                  \
		}                                                                 \
		must_r_;                                                          \
	})

static void *must_array(size_t n, size_t size)
{
	void *array = calloc(n ?: 1, size);

	if (!array)
		abort();
	return array;
}

void graph_name(size_t device, char *ret)
{
	/* p10 comes after p9, and bus 10 after bus 0f. */
	(void)snprintf(ret, GRAPH_NAME_SIZE, "%04zx:%02zx:00.0/p%zu", device >> 12, device >> 4 & 0xff, device & 15);
}

enum place_objective graph_objective(enum objective objective)
{
	static const enum place_objective objectives[N_OBJECTIVES] = {
		[OBJECTIVE_SUM] = PLACE_SUM,
		[OBJECTIVE_BOTTLENECK] = PLACE_BOTTLENECK,
		[OBJECTIVE_BOTTLENECK_THEN_SUM] = PLACE_BOTTLENECK_THEN_SUM,
	};

	return objectives[objective];
}

struct place_pair graph_pair_of(int64_t mbps)
{
	unsigned int flags = mbps == MACHINE_ASSUMED_MBPS ? PLACE_PAIR_ASSUMED :
			     mbps > MACHINE_ASSUMED_MBPS  ? PLACE_PAIR_LINKED :
							    0;

	return (struct place_pair){ .mbps = mbps, .flags = flags };
}

/* Devices in some order; ret: the builder's number of each. */
static void add_devices(struct place_graph_builder *builder, const size_t *node_of, size_t n, uint64_t order,
			size_t *ret)
{
	size_t *numbers = random_order(n, order);

	for (size_t i = 0; i < n; i++) {
		char name[GRAPH_NAME_SIZE];

		graph_name(numbers[i], name);
		ret[numbers[i]] = (size_t)MUST(
			place_graph_builder_add_device(builder, node_of ? node_of[numbers[i]] : PLACE_NODE_ROOT, name));
	}
	free(numbers);
}

static struct place_graph *finish(struct place_graph_builder *builder)
{
	struct place_graph *graph;

	(void)MUST(place_graph_builder_finish(builder, &graph));
	place_graph_builder_free(builder);
	return graph;
}

struct place_graph *graph_of_matrix(const struct matrix *matrix, const unsigned int *forbidden, uint64_t order)
{
	struct place_graph_builder *builder;
	size_t n = matrix->n, *number = must_array(n, sizeof(*number)), *rows = random_order(n, order + (order != 0));

	(void)MUST(place_graph_builder_new(graph_pair_of(MACHINE_ASSUMED_MBPS), &builder));
	add_devices(builder, NULL, n, order, number);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < i; j++) {
			struct place_pair pair = graph_pair_of(matrix_at(matrix, rows[i], rows[j]));

			if (forbidden && forbidden[rows[i]] >> rows[j] & 1)
				pair.flags |= PLACE_PAIR_FORBIDDEN;
			(void)MUST(place_graph_builder_set_pair(builder, number[rows[i]], number[rows[j]], pair));
		}
	}
	free(rows);
	free(number);
	return finish(builder);
}

/* What has been joined so far: clusters first, then nodes in the order in which the narrower edges made them. */
struct joined {
	ssize_t *parent; /* NOWHERE: none yet */
	ssize_t *same_as; /* another that it has become a part of */
	int64_t *mbps;
	size_t n_clusters, n;
};

static ssize_t real(const struct joined *joined, ssize_t i)
{
	while (i != NOWHERE && joined->same_as[i] != NOWHERE)
		i = joined->same_as[i];
	return i;
}

/* The top of both. */
static ssize_t join(struct joined *joined, ssize_t a, ssize_t b, int64_t mbps)
{
	bool a_fits, b_fits;

	if (a == NOWHERE || b == NOWHERE)
		return a == NOWHERE ? b : a;
	a_fits = (size_t)a >= joined->n_clusters && joined->mbps[a] == mbps;
	b_fits = (size_t)b >= joined->n_clusters && joined->mbps[b] == mbps;
	if (a_fits && b_fits) {
		joined->same_as[b] = a;
	} else if (a_fits) {
		joined->parent[b] = a;
	} else if (b_fits) {
		joined->parent[a] = b;
		return b;
	} else {
		joined->mbps[joined->n] = mbps;
		joined->parent[a] = joined->parent[b] = (ssize_t)joined->n;
		return (ssize_t)joined->n++;
	}
	return a;
}

static size_t find(size_t *leader, size_t i)
{
	while (leader[i] != i)
		i = leader[i] = leader[leader[i]];
	return i;
}

/* Return: the top of all. */
static ssize_t join_all(struct joined *joined, const struct machine *machine)
{
	size_t n_parts = machine->n_nodes + machine->n_clusters, n_edges,
	       *leader = must_array(n_parts, sizeof(*leader));
	struct machine_edge *edges = machine_edges(machine, &n_edges);
	ssize_t *top = must_array(n_parts, sizeof(*top)), all;

	for (size_t i = 0; i < n_parts; i++) {
		leader[i] = i;
		top[i] = i < machine->n_nodes ? NOWHERE : (ssize_t)(i - machine->n_nodes);
	}
	for (size_t i = 0; i < n_edges; i++) {
		size_t a = find(leader, edges[i].a), b = find(leader, edges[i].b);

		top[a] = join(joined, top[a], top[b], edges[i].mbps);
		leader[b] = a;
	}
	all = top[find(leader, 0)];
	free(edges);
	free(leader);
	free(top);
	return all;
}

/* Is it a node of the graph? Clusters of one device are not. */
static bool is_node(const struct joined *joined, const struct machine *machine, size_t i)
{
	return joined->same_as[i] == NOWHERE && (i >= joined->n_clusters || machine->clusters[i].inside.n > 1);
}

/* What most pairs of a cluster are; two devices at least. */
static struct place_pair cluster_pair(const struct machine_cluster *cluster)
{
	return graph_pair_of(matrix_at(&cluster->inside, 0, 1));
}

/* Parents before children, otherwise in the order of @numbers. */
static void add_nodes(struct place_graph_builder *builder, const struct joined *joined, const struct machine *machine,
		      ssize_t top, const size_t *numbers, size_t *ret_node)
{
	bool *is_there = must_array(joined->n, sizeof(*is_there)), again = true;

	ret_node[top] = PLACE_NODE_ROOT;
	is_there[top] = true;
	while (again) {
		again = false;
		for (size_t i = 0; i < joined->n; i++) {
			size_t node = numbers[i];
			ssize_t parent = real(joined, joined->parent[node]);

			if (is_there[node] || !is_node(joined, machine, node) || !is_there[parent])
				continue;
			ret_node[node] = (size_t)MUST(place_graph_builder_add_node(
				builder, ret_node[parent],
				node < joined->n_clusters ? cluster_pair(machine->clusters + node) :
							    graph_pair_of(joined->mbps[node])));
			is_there[node] = again = true;
		}
	}
	free(is_there);
}

static void set_pairs(struct place_graph_builder *builder, const struct machine_cluster *cluster, const size_t *number)
{
	if (cluster->inside.n < 2)
		return;
	for (size_t i = 0; i < cluster->inside.n; i++) {
		for (size_t j = 0; j < i; j++) {
			int64_t mbps = matrix_at(&cluster->inside, i, j);

			if (mbps != cluster_pair(cluster).mbps)
				(void)MUST(place_graph_builder_set_pair(builder, number[cluster->first + i],
									number[cluster->first + j],
									graph_pair_of(mbps)));
		}
	}
}

struct place_graph *graph_of_machine(const struct machine *machine, uint64_t order)
{
	size_t n_joined = 2 * machine->n_clusters, *numbers, *node = must_array(n_joined, sizeof(*node));
	struct joined joined = {
		.parent = must_array(n_joined, sizeof(*joined.parent)),
		.same_as = must_array(n_joined, sizeof(*joined.same_as)),
		.mbps = must_array(n_joined, sizeof(*joined.mbps)),
		.n_clusters = machine->n_clusters,
		.n = machine->n_clusters,
	};
	size_t *node_of = must_array(machine->n, sizeof(*node_of)), *number = must_array(machine->n, sizeof(*number));
	struct place_graph_builder *builder;
	ssize_t top;

	for (size_t i = 0; i < n_joined; i++)
		joined.parent[i] = joined.same_as[i] = NOWHERE;
	top = join_all(&joined, machine);
	(void)MUST(place_graph_builder_new((size_t)top < joined.n_clusters ?
						   (machine->n > 1 ? cluster_pair(machine->clusters + top) :
								     graph_pair_of(MACHINE_ASSUMED_MBPS)) :
						   graph_pair_of(joined.mbps[top]),
					   &builder));
	numbers = random_order(joined.n, order);
	add_nodes(builder, &joined, machine, top, numbers, node);
	for (size_t i = 0; i < machine->n_clusters; i++)
		for (size_t j = 0; j < machine->clusters[i].inside.n; j++)
			node_of[machine->clusters[i].first + j] = is_node(&joined, machine, i) || (ssize_t)i == top ?
									  node[i] :
									  node[real(&joined, joined.parent[i])];
	add_devices(builder, node_of, machine->n, order, number);
	for (size_t i = 0; i < machine->n_clusters; i++)
		set_pairs(builder, machine->clusters + i, number);
	free(joined.parent);
	free(joined.same_as);
	free(joined.mbps);
	free(numbers);
	free(node);
	free(node_of);
	free(number);
	return finish(builder);
}

struct place_pool *graph_pool(struct place_graph *graph, const bool *busy)
{
	struct place_pool *pool;

	(void)MUST(place_pool_new(graph, &pool));
	for (size_t i = 0; busy && i < place_graph_n_devices(graph); i++)
		if (busy[i])
			(void)MUST(place_pool_take(pool, &i, 1));
	place_graph_unref(graph);
	return pool;
}

// SPDX-License-Identifier: MIT
/* Building a graph, and looking pairs up in it. */
#include "place/graph.h"

#include "base/base.h"
#include "model/model.h"
#include "place/structure.h"

#include <assert.h>
#include <string.h>

struct builder_device {
	char *name;
	uint32_t node, row, number;
};

struct builder_pair {
	uint32_t a, b, packed;
};

struct place_graph_builder {
	struct place_node *nodes;
	size_t n_nodes, nodes_size;
	struct builder_device *devices;
	size_t n_devices, devices_size;
	struct builder_pair *pairs;
	size_t n_pairs, pairs_size;
	bool *dense; /* by node */
	size_t dense_size;
};

/* Room for one more. */
static int grow(void *array, size_t n, size_t *size, size_t each)
{
	size_t wanted = *size ? *size * 2 : 16;
	void *grown;

	if (n < *size)
		return 0;
	grown = reallocarray(*(void **)array, wanted, each);
	if (!grown)
		return -ENOMEM;
	*(void **)array = grown;
	*size = wanted;
	return 0;
}

static bool pack(struct place_pair pair, uint32_t *ret)
{
	if (pair.mbps < 0 || pair.mbps > PLACE_MBPS_MAX ||
	    pair.flags & ~(unsigned int)(PLACE_PAIR_ASSUMED | PLACE_PAIR_LINKED | PLACE_PAIR_FORBIDDEN))
		return false;
	*ret = (uint32_t)pair.mbps | pair.flags << 24;
	return true;
}

int place_graph_builder_new(struct place_pair pair, struct place_graph_builder **ret)
{
	_cleanup_(place_graph_builder_freep) struct place_graph_builder *builder = NULL;
	uint32_t packed;
	int r;

	if (!pack(pair, &packed))
		return -EINVAL;
	builder = calloc(1, sizeof(*builder));
	if (!builder)
		return -ENOMEM;
	r = grow(&builder->nodes, 0, &builder->nodes_size, sizeof(*builder->nodes));
	if (r < 0)
		return r;
	r = grow(&builder->dense, 0, &builder->dense_size, sizeof(*builder->dense));
	if (r < 0)
		return r;
	builder->nodes[0] = (struct place_node){ .parent = UINT32_MAX, .packed = packed };
	builder->dense[0] = false;
	builder->n_nodes = 1;
	*ret = steal_ptr(&builder);
	return 0;
}

struct place_graph_builder *place_graph_builder_free(struct place_graph_builder *builder)
{
	if (!builder)
		return NULL;
	for (size_t i = 0; i < builder->n_devices; i++)
		free(builder->devices[i].name);
	free(builder->devices);
	free(builder->nodes);
	free(builder->pairs);
	free(builder->dense);
	free(builder);
	return NULL;
}

void place_graph_builder_freep(struct place_graph_builder **builder)
{
	place_graph_builder_free(*builder);
}

ssize_t place_graph_builder_add_node(struct place_graph_builder *builder, size_t parent, struct place_pair pair)
{
	uint32_t packed, depth;
	int r;

	if (parent >= builder->n_nodes || !pack(pair, &packed))
		return -EINVAL;
	depth = builder->nodes[parent].depth + 1;
	if (builder->n_nodes >= PLACE_NODES_MAX || depth >= PLACE_DEPTH_MAX)
		return -E2BIG;
	r = grow(&builder->nodes, builder->n_nodes, &builder->nodes_size, sizeof(*builder->nodes));
	if (r < 0)
		return r;
	r = grow(&builder->dense, builder->n_nodes, &builder->dense_size, sizeof(*builder->dense));
	if (r < 0)
		return r;
	builder->dense[builder->n_nodes] = false;
	builder->nodes[builder->n_nodes] = (struct place_node){
		.parent = (uint32_t)parent,
		.depth = depth,
		.packed = packed,
	};
	return (ssize_t)builder->n_nodes++;
}

ssize_t place_graph_builder_add_device(struct place_graph_builder *builder, size_t node, const char *name)
{
	int r;

	if (node >= builder->n_nodes)
		return -EINVAL;
	if (builder->n_devices >= PLACE_DEVICES_MAX ||
	    (builder->dense[node] && builder->nodes[node].n_rows >= PLACE_DENSE_MAX))
		return -E2BIG;
	r = grow(&builder->devices, builder->n_devices, &builder->devices_size, sizeof(*builder->devices));
	if (r < 0)
		return r;
	builder->devices[builder->n_devices] = (struct builder_device){
		.name = strdup(name),
		.node = (uint32_t)node,
		.row = builder->nodes[node].n_rows,
		.number = (uint32_t)builder->n_devices,
	};
	if (!builder->devices[builder->n_devices].name)
		return -ENOMEM;
	builder->nodes[node].n_rows++;
	return (ssize_t)builder->n_devices++;
}

int place_graph_builder_set_pair(struct place_graph_builder *builder, size_t a, size_t b, struct place_pair pair)
{
	uint32_t packed, node;
	int r;

	if (a >= builder->n_devices || b >= builder->n_devices || a == b || !pack(pair, &packed))
		return -EINVAL;
	node = builder->devices[a].node;
	if (builder->devices[b].node != node)
		return -EINVAL;
	if (builder->nodes[node].n_rows > PLACE_DENSE_MAX)
		return -E2BIG;
	r = grow(&builder->pairs, builder->n_pairs, &builder->pairs_size, sizeof(*builder->pairs));
	if (r < 0)
		return r;
	builder->dense[node] = true;
	builder->pairs[builder->n_pairs++] = (struct builder_pair){ (uint32_t)a, (uint32_t)b, packed };
	return 0;
}

static int fill_rows(struct place_graph_builder *builder)
{
	for (size_t i = 0; i < builder->n_pairs; i++) {
		const struct builder_pair *pair = &builder->pairs[i];
		const struct builder_device *a = &builder->devices[pair->a], *b = &builder->devices[pair->b];
		struct place_node *node = &builder->nodes[a->node];
		size_t n = node->n_rows;

		if (!node->rows) {
			node->rows = calloc(n * n, sizeof(*node->rows));
			if (!node->rows)
				return -ENOMEM;
			for (size_t j = 0; j < n * n; j++)
				node->rows[j] = node->packed;
		}
		node->rows[a->row * n + b->row] = pair->packed;
		node->rows[b->row * n + a->row] = pair->packed;
	}
	return 0;
}

static int device_compare(const void *a, const void *b)
{
	const struct builder_device *a_device = a, *b_device = b;

	return topology_name_compare(a_device->name, b_device->name);
}

int place_graph_builder_finish(struct place_graph_builder *builder, struct place_graph **ret)
{
	_cleanup_(place_graph_unrefp) struct place_graph *graph = NULL;
	size_t n = builder->n_devices;
	int r;

	graph = calloc(1, sizeof(*graph));
	if (!graph)
		return -ENOMEM;
	graph->n_refs = 1;
	r = fill_rows(builder);
	graph->nodes = steal_ptr(&builder->nodes);
	graph->n_nodes = (uint32_t)builder->n_nodes;
	builder->n_nodes = 0;
	if (r < 0)
		return r;
	if (n > 1)
		qsort(builder->devices, n, sizeof(*builder->devices), device_compare);
	for (size_t i = 0; i + 1 < n; i++)
		if (!topology_name_compare(builder->devices[i].name, builder->devices[i + 1].name))
			return -EEXIST;
	graph->names = calloc(n + 1, sizeof(*graph->names));
	graph->device_node = calloc(n + 1, sizeof(*graph->device_node));
	graph->device_row = calloc(n + 1, sizeof(*graph->device_row));
	if (!graph->names || !graph->device_node || !graph->device_row)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		graph->names[i] = steal_ptr(&builder->devices[i].name);
		graph->device_node[i] = builder->devices[i].node;
		graph->device_row[i] = builder->devices[i].row;
	}
	graph->n_devices = (uint32_t)n;
	builder->n_devices = 0;
	builder->n_pairs = 0;
	r = place_structure_find(graph);
	if (r < 0)
		return r;
	*ret = steal_ptr(&graph);
	return 0;
}

struct place_graph *place_graph_ref(struct place_graph *graph)
{
	__atomic_add_fetch(&graph->n_refs, 1, __ATOMIC_RELAXED);
	return graph;
}

struct place_graph *place_graph_unref(struct place_graph *graph)
{
	if (!graph || __atomic_sub_fetch(&graph->n_refs, 1, __ATOMIC_ACQ_REL) > 0)
		return NULL;
	for (uint32_t i = 0; i < graph->n_devices; i++)
		free(graph->names[i]);
	for (uint32_t i = 0; i < graph->n_nodes; i++)
		free(graph->nodes[i].rows);
	place_structure_fini(&graph->structure);
	free(graph->names);
	free(graph->device_node);
	free(graph->device_row);
	free(graph->nodes);
	free(graph);
	return NULL;
}

void place_graph_unrefp(struct place_graph **graph)
{
	place_graph_unref(*graph);
}

size_t place_graph_n_devices(const struct place_graph *graph)
{
	return graph->n_devices;
}

const char *place_graph_name(const struct place_graph *graph, size_t device)
{
	return device < graph->n_devices ? graph->names[device] : NULL;
}

ssize_t place_graph_find(const struct place_graph *graph, const char *name)
{
	size_t low = 0, high = graph->n_devices;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int r = topology_name_compare(name, graph->names[middle]);

		if (r == 0)
			return (ssize_t)middle;
		if (r < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -ENODEV;
}

uint32_t place_graph_packed(const struct place_graph *graph, uint32_t a, uint32_t b)
{
	const struct place_node *nodes = graph->nodes;
	uint32_t i = graph->device_node[a], j = graph->device_node[b];

	if (i == j && nodes[i].rows)
		return nodes[i].rows[(size_t)graph->device_row[a] * nodes[i].n_rows + graph->device_row[b]];
	while (i != j) {
		if (nodes[i].depth >= nodes[j].depth)
			i = nodes[i].parent;
		else
			j = nodes[j].parent;
	}
	return nodes[i].packed;
}

struct place_pair place_graph_pair(const struct place_graph *graph, size_t a, size_t b)
{
	uint32_t packed;

	assert(a < graph->n_devices && b < graph->n_devices && a != b);
	packed = place_graph_packed(graph, (uint32_t)a, (uint32_t)b);
	return (struct place_pair){ .mbps = packed_mbps(packed), .flags = packed >> 24 };
}

size_t place_graph_irregular(const struct place_graph *graph)
{
	return graph->structure.n_irregular;
}

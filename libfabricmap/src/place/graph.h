/* SPDX-License-Identifier: MIT */
/*
 * graph - devices and what a pair of them is worth: all that choosing devices needs to know of a machine.
 *
 * A builder takes devices in any order, below a tree of nodes. A node says what a pair of devices is worth that are
 * below different children of it (or are children themselves). Devices that are children of one node may have pairs
 * of their own; so a matrix is one node with all devices and all pairs. What is said is a description, and nothing is
 * believed of it: place_graph_builder_finish() looks for the structure in the figures themselves (modules: sets whose
 * members all look alike from outside), and that is what a search works on. A graph never changes and may be shared
 * by threads.
 *
 * A device's id is its place in the order of names (topology_name_compare()), from 0, whatever order they were added
 * in.
 */
#ifndef FABRICMAP_PLACE_GRAPH_H
#define FABRICMAP_PLACE_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	PLACE_DEVICES_MAX = 1 << 15,
	/* Children of one node that have pairs of their own: 4 bytes for each pair, both ways. */
	PLACE_DENSE_MAX = 2048,
	PLACE_NODES_MAX = 1 << 16,
	PLACE_DEPTH_MAX = 64, /* of nodes below each other */
	/* MB/s; all that the model says of a pair (TOPOLOGY_PAIR_MBPS_MAX). */
	PLACE_MBPS_MAX = (1 << 24) - 1,
	/* The node that a builder begins with. */
	PLACE_NODE_ROOT = 0,
};

/* Of a pair. */
enum {
	PLACE_PAIR_ASSUMED = 1 << 0, /* its figure had to be guessed */
	PLACE_PAIR_LINKED = 1 << 1, /* each reaches the other's memory in place */
	PLACE_PAIR_FORBIDDEN = 1 << 2, /* never both in one set; its figure still counts for cuts */
};

struct place_pair {
	int64_t mbps; /* 0..PLACE_MBPS_MAX */
	unsigned int flags; /* PLACE_PAIR_* */
};

struct place_graph;
struct place_graph_builder;

/**
 * place_graph_builder_new() - begin a graph
 * @pair: of the root: every pair of devices for which nothing else is said
 *
 * Return: 0, -EINVAL @pair is out of range, -ENOMEM.
 */
int place_graph_builder_new(struct place_pair pair, struct place_graph_builder **ret);
struct place_graph_builder *place_graph_builder_free(struct place_graph_builder *builder);
void place_graph_builder_freep(struct place_graph_builder **builder);

/**
 * place_graph_builder_add_node() - add a node below another
 * @pair: of devices below different children of the new node
 *
 * Return: the node, > 0; -EINVAL no such parent, or @pair is out of range; -E2BIG too many or too deep;
 * -ENOMEM.
 */
ssize_t place_graph_builder_add_node(struct place_graph_builder *builder, size_t parent, struct place_pair pair);

/**
 * place_graph_builder_add_device() - add a device as a child of a node
 * @name: copied
 *
 * Return: its number among those added, from 0, which is what set_pair() takes and nothing else; -EINVAL no such node,
 * -E2BIG, -ENOMEM.
 */
ssize_t place_graph_builder_add_device(struct place_graph_builder *builder, size_t node, const char *name);

/**
 * place_graph_builder_set_pair() - what one pair is worth
 * @a, @b: numbers from add_device(), different, children of one node; the order does not matter, the last call counts
 *
 * Return: 0; -EINVAL not such devices, or @pair is out of range; -E2BIG more than PLACE_DENSE_MAX devices at that node;
 * -ENOMEM.
 */
int place_graph_builder_set_pair(struct place_graph_builder *builder, size_t a, size_t b, struct place_pair pair);

/**
 * place_graph_builder_finish() - sort, and find the structure
 * @builder: is empty afterwards and can only be freed
 * @ret: one reference
 *
 * Takes time in the order of the pairs that were set, and of the devices and nodes.
 *
 * Return: 0, -EEXIST two devices of one name, -ENOMEM.
 */
int place_graph_builder_finish(struct place_graph_builder *builder, struct place_graph **ret);

struct place_graph *place_graph_ref(struct place_graph *graph);
struct place_graph *place_graph_unref(struct place_graph *graph);
void place_graph_unrefp(struct place_graph **graph);

size_t place_graph_n_devices(const struct place_graph *graph);

/* The graph's; NULL if there is no such device. */
const char *place_graph_name(const struct place_graph *graph, size_t device);

/* -ENODEV if there is none of that name. */
ssize_t place_graph_find(const struct place_graph *graph, const char *name);

/* Ids, different; as it was said to the builder. */
struct place_pair place_graph_pair(const struct place_graph *graph, size_t a, size_t b);

/* Devices of the largest part that has no structure: 0 if the whole graph is symmetric classes in a tree. */
size_t place_graph_irregular(const struct place_graph *graph);

#endif

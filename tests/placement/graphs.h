/* SPDX-License-Identifier: MIT */
/* graphs - machines of the oracles as what the engine takes in. A failure ends the program. */
#ifndef PLACEMENT_GRAPHS_H
#define PLACEMENT_GRAPHS_H

#include "generators.h"
#include "place/search.h"

enum {
	GRAPH_NAME_SIZE = 32,
};

/* The rule's tie (3) is by names as numbers; device i has the i-th of them. */
void graph_name(size_t device, char *ret /* GRAPH_NAME_SIZE */);

/* The engine's name for an objective of the oracles. */
enum place_objective graph_objective(enum objective objective);

/* What the engine is told of a pair of that bandwidth. */
struct place_pair graph_pair_of(int64_t mbps);

/**
 * graph_of_machine() - by its structure: a node for each part of the tree whose pairs are alike
 * @order: seed of the order in which nodes, devices and pairs are told; 0: that of the machine
 */
struct place_graph *graph_of_machine(const struct machine *machine, uint64_t order);

/**
 * graph_of_matrix() - by its pairs, without any structure
 * @forbidden: n masks: with whom each device must not be; NULL: none
 */
struct place_graph *graph_of_matrix(const struct matrix *matrix, const unsigned int *forbidden, uint64_t order);

/* All devices of a graph that are not busy (NULL: all). Frees nothing; drops the caller's reference on the graph. */
struct place_pool *graph_pool(struct place_graph *graph, const bool *busy);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * machine - synthetic machines, as those who made them know them: clusters of devices at the leaves of a tree.
 *
 * Inside a cluster each pair has a bandwidth of its own. Between clusters it is the least on the way through the tree:
 * the uplinks of both clusters' devices, and the links between the nodes on the way. Every machine is synthetic or put
 * down by hand from published facts, and says so in its name.
 */
#ifndef ORACLE_MACHINE_H
#define ORACLE_MACHINE_H

#include "random.h"
#include "score.h"

enum {
	MACHINE_CLUSTER_MAX = 1024,
	/* What the rule says of a pair of which nothing is known. */
	MACHINE_ASSUMED_MBPS = 12000,
};

struct machine_cluster {
	size_t first; /* its devices are first .. first + inside.n - 1 */
	struct matrix inside;
	size_t node; /* that its devices hang from */
	int64_t uplink_mbps; /* of each device */
};

/* A switch or whatever else joins what is below it. Node 0 is the root; a parent comes before its children. */
struct machine_node {
	size_t parent;
	int64_t uplink_mbps; /* to the parent */
};

struct machine {
	char name[96];
	size_t n;
	struct machine_cluster *clusters;
	size_t n_clusters;
	struct machine_node *nodes;
	size_t n_nodes;
};

void machine_fini(struct machine *machine);

/* For generators: each returns the index of what was added. */
void machine_init(struct machine *machine, const char *format, ...) __attribute__((format(printf, 2, 3)));
size_t machine_add_node(struct machine *machine, size_t parent, int64_t uplink_mbps);
/* @inside becomes the machine's. */
size_t machine_add_cluster(struct machine *machine, size_t node, int64_t uplink_mbps, struct matrix inside);

/* The cluster of a device. */
const struct machine_cluster *machine_cluster_of(const struct machine *machine, size_t device);

/* Pair bandwidth, looked up. */
int64_t machine_mbps(const struct machine *machine, size_t a, size_t b);

/* All of it, for machines that are small enough: the caller's. */
struct matrix machine_matrix(const struct machine *machine);

/* An edge of the tree: numbers below n_nodes are nodes, those from there on clusters. */
struct machine_edge {
	size_t a, b;
	int64_t mbps;
};

/* All of them, the widest first: the caller's. */
struct machine_edge *machine_edges(const struct machine *machine, size_t *ret_n);

/* The value of a set, pair by pair. */
struct score machine_score(const struct machine *machine, enum objective objective, const size_t *set, size_t n);

#endif

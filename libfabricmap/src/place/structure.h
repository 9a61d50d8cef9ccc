/* SPDX-License-Identifier: MIT */
/*
 * structure - what is inside of a graph: the description, and the tree of modules that was found in it.
 *
 * A module is a set of devices whose members all look alike to each device outside. A part is a module. It is complete
 * (every pair of different children is worth the same) or irregular (a small matrix). Devices have positions so that
 * those of a part are neighbours: the devices that are children of a complete part themselves ("singles") first.
 */
#ifndef FABRICMAP_PLACE_STRUCTURE_H
#define FABRICMAP_PLACE_STRUCTURE_H

#include "place/graph.h"

/* What a search sees of a pair: its MB/s, or ~MB/s if it is forbidden. So "cell >= least" is all that it asks. */
typedef int32_t place_cell;

static inline int32_t cell_mbps(place_cell cell)
{
	return cell < 0 ? ~cell : cell;
}

struct place_block {
	uint32_t n;
	place_cell *cells; /* n * n; by position in the part */
	uint16_t *order; /* n * n: for each row all columns, the largest cell first; the row itself is the last */
	place_cell least; /* of all pairs */
	/* Too large to be exact: see split.h. Otherwise NULL. */
	double *shares, rest_most;
};

struct place_part {
	uint32_t parent; /* UINT32_MAX: none */
	uint32_t first, size; /* positions */
	uint32_t n_singles; /* complete: of positions, from first */
	uint32_t child, n_children; /* complete: into the structure's children */
	place_cell cell; /* complete: of two devices in different children */
	struct place_block *block; /* irregular; NULL: complete */
};

struct place_structure {
	struct place_part *parts; /* children before their parents: the root is the last */
	uint32_t n_parts;
	uint32_t *children; /* parts */
	uint32_t *ids; /* by position */
	uint32_t *positions; /* by id */
	int32_t *levels; /* the MB/s of pairs that are not forbidden, each once, ascending */
	uint32_t n_levels;
	uint32_t n_irregular;
};

/* A node as it was described. */
struct place_node {
	uint32_t parent, depth;
	uint32_t packed; /* MB/s, and flags << 24 */
	uint32_t n_rows; /* devices that are its children */
	uint32_t *rows; /* packed; n_rows * n_rows; NULL: all as the node says */
};

struct place_graph {
	unsigned int n_refs; /* atomic */
	uint32_t n_devices, n_nodes;
	char **names; /* by id */
	uint32_t *device_node, *device_row; /* by id */
	struct place_node *nodes;
	struct place_structure structure;
};

static inline int32_t packed_mbps(uint32_t packed)
{
	return (int32_t)(packed & 0xffffff);
}

static inline place_cell packed_cell(uint32_t packed)
{
	return (packed >> 24) & PLACE_PAIR_FORBIDDEN ? ~packed_mbps(packed) : packed_mbps(packed);
}

/* Of two different devices. */
uint32_t place_graph_packed(const struct place_graph *graph, uint32_t a, uint32_t b);

/* Everything else in @graph is complete. */
int place_structure_find(struct place_graph *graph);
void place_structure_fini(struct place_structure *structure);

#endif

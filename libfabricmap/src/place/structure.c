// SPDX-License-Identifier: MIT
/*
 * Finding the tree of modules. A set of devices is complete for one cell if the pairs that have another cell do not
 * connect it; its children are what they do connect. There is at most one such cell. A set that is complete for none is
 * irregular. (Modules inside an irregular set are not looked for.)
 */
#include "place/structure.h"

#include "base/base.h"
#include "place/search.h"
#include "place/split.h"

#include <assert.h>
#include <string.h>

enum { NO_DEVICE = UINT32_MAX };

/* A module while the tree is made. */
struct piece {
	uint32_t device; /* NO_DEVICE: has children */
	uint32_t lowest; /* id */
	bool irregular; /* children are devices */
	place_cell cell;
	struct piece *next; /* sibling */
	struct piece *children;
	uint32_t n_children;
};

struct finder {
	const struct place_graph *graph;
	struct piece *pieces; /* all of them */
	size_t n_pieces, pieces_size;
	uint32_t *scratch; /* 2 * n_devices */
};

/* There are never more than two pieces for a device and one for a node: they do not move. */
static struct piece *piece_new(struct finder *finder, uint32_t device)
{
	struct piece *piece = &finder->pieces[finder->n_pieces++];

	assert(finder->n_pieces <= finder->pieces_size);
	*piece = (struct piece){ .device = device, .lowest = device };
	return piece;
}

/* A child that is complete for the same cell is not a child: its children are. */
static void piece_add(struct piece *piece, struct piece *child)
{
	if (child->lowest < piece->lowest)
		piece->lowest = child->lowest;
	if (child->device == NO_DEVICE && !child->irregular && !piece->irregular && child->cell == piece->cell) {
		struct piece *last = child->children;

		while (last->next)
			last = last->next;
		last->next = piece->children;
		piece->children = child->children;
		piece->n_children += child->n_children;
		return;
	}
	child->next = piece->children;
	piece->children = child;
	piece->n_children++;
}

/*
 * Cut a component off: of @n devices at @ids, those that pairs with another cell than @cell connect with the first. They
 * are moved to the front.
 */
static uint32_t component(const struct place_graph *graph, const struct place_node *node, uint32_t *ids, uint32_t n,
			  place_cell cell)
{
	uint32_t n_found = 1;

	for (uint32_t i = 0; i < n_found && n_found < n; i++) {
		const uint32_t *row = &node->rows[(size_t)graph->device_row[ids[i]] * node->n_rows];

		for (uint32_t j = n_found; j < n; j++) {
			uint32_t id = ids[j];

			if (packed_cell(row[graph->device_row[id]]) == cell)
				continue;
			ids[j] = ids[n_found];
			ids[n_found++] = id;
		}
	}
	return n_found;
}

static int cell_compare(const void *a, const void *b)
{
	const int32_t *a_cell = a, *b_cell = b;

	return (*a_cell > *b_cell) - (*a_cell < *b_cell);
}

static uint32_t unique(int32_t *cells, uint32_t n)
{
	uint32_t n_unique = 0;

	if (n > 1)
		qsort(cells, n, sizeof(*cells), cell_compare);
	for (uint32_t i = 0; i < n; i++)
		if (i == 0 || cells[i] != cells[n_unique - 1])
			cells[n_unique++] = cells[i];
	return n_unique;
}

/* The devices at @ids, children of @node that have pairs of their own. @n > 0. */
static int find_pieces(struct finder *finder, const struct place_node *node, uint32_t *ids, uint32_t n,
		       struct piece **ret)
{
	const struct place_graph *graph = finder->graph;
	_cleanup_(freep) int32_t *cells = NULL;
	const uint32_t *row = &node->rows[(size_t)graph->device_row[ids[0]] * node->n_rows];
	struct piece *piece;
	uint32_t n_cells = 0;

	if (n == 1) {
		*ret = piece_new(finder, ids[0]);
		return 0;
	}
	cells = calloc(n, sizeof(*cells));
	if (!cells)
		return -ENOMEM;
	for (uint32_t i = 1; i < n; i++)
		cells[n_cells++] = packed_cell(row[graph->device_row[ids[i]]]);
	n_cells = unique(cells, n_cells);

	piece = piece_new(finder, NO_DEVICE);
	for (uint32_t i = 0; i < n_cells; i++) {
		uint32_t n_first = component(graph, node, ids, n, cells[i]);

		if (n_first == n)
			continue;
		piece->cell = cells[i];
		for (uint32_t from = 0; from < n;) {
			uint32_t n_part = component(graph, node, ids + from, n - from, cells[i]);
			struct piece *child;
			int r;

			r = find_pieces(finder, node, ids + from, n_part, &child);
			if (r < 0)
				return r;
			piece_add(piece, child);
			from += n_part;
		}
		*ret = piece;
		return 0;
	}
	piece->irregular = true;
	for (uint32_t i = 0; i < n; i++)
		piece_add(piece, piece_new(finder, ids[i]));
	*ret = piece;
	return 0;
}

/* One piece for each node, from the leaves upwards; NULL for a node without devices. */
static int find_all(struct finder *finder, struct piece **ret)
{
	const struct place_graph *graph = finder->graph;
	_cleanup_(freep) uint32_t *first = NULL, *next = NULL;
	_cleanup_(freep) struct piece **of_node = NULL;

	of_node = calloc(graph->n_nodes, sizeof(struct piece *));
	first = calloc(graph->n_nodes, sizeof(*first));
	next = calloc((size_t)graph->n_devices + 1, sizeof(*next));
	if (!of_node || !first || !next)
		return -ENOMEM;
	memset(first, 0xff, graph->n_nodes * sizeof(*first));
	for (uint32_t i = graph->n_devices; i-- > 0;) {
		next[i] = first[graph->device_node[i]];
		first[graph->device_node[i]] = i;
	}
	/* A child's number is larger than its parent's; of_node of a node is what its child nodes have come to so far. */
	for (uint32_t i = graph->n_nodes; i-- > 0;) {
		const struct place_node *node = &graph->nodes[i];
		struct piece *piece = of_node[i], *child;
		uint32_t n = 0;
		int r;

		for (uint32_t device = first[i]; device != NO_DEVICE; device = next[device])
			finder->scratch[n++] = device;
		if (n > 0 && !piece) {
			piece = piece_new(finder, NO_DEVICE);
			piece->cell = packed_cell(node->packed);
		}
		if (n > 0 && node->rows) {
			r = find_pieces(finder, node, finder->scratch, n, &child);
			if (r < 0)
				return r;
			piece_add(piece, child);
		} else {
			for (uint32_t j = 0; j < n; j++)
				piece_add(piece, piece_new(finder, finder->scratch[j]));
		}
		if (!piece)
			continue;
		if (piece->n_children == 1) {
			piece = piece->children;
			piece->next = NULL;
		}
		if (i == 0) {
			*ret = piece;
			return 0;
		}
		if (!of_node[node->parent]) {
			of_node[node->parent] = piece_new(finder, NO_DEVICE);
			of_node[node->parent]->cell = packed_cell(graph->nodes[node->parent].packed);
		}
		piece_add(of_node[node->parent], piece);
	}
	*ret = NULL;
	return 0;
}

static int piece_compare(const void *a, const void *b)
{
	const struct piece *const *a_piece = a, *const *b_piece = b;
	bool a_parts = (*a_piece)->device == NO_DEVICE, b_parts = (*b_piece)->device == NO_DEVICE;

	if (a_parts != b_parts)
		return a_parts ? 1 : -1;
	return ((*a_piece)->lowest > (*b_piece)->lowest) - ((*a_piece)->lowest < (*b_piece)->lowest);
}

struct order_entry {
	place_cell cell;
	uint16_t column;
};

static int entry_compare(const void *a, const void *b)
{
	const struct order_entry *a_entry = a, *b_entry = b;

	if (a_entry->cell != b_entry->cell)
		return a_entry->cell > b_entry->cell ? -1 : 1;
	return (int)a_entry->column - (int)b_entry->column;
}

static int block_new(const struct place_graph *graph, const uint32_t *ids, uint32_t n, struct place_block **ret)
{
	_cleanup_(freep) struct order_entry *entries = calloc(n, sizeof(*entries));
	struct place_block *block = calloc(1, sizeof(*block));

	if (block) {
		block->n = n;
		block->cells = calloc((size_t)n * n, sizeof(*block->cells));
		block->order = calloc((size_t)n * n, sizeof(*block->order));
	}
	*ret = block;
	if (!block || !block->cells || !block->order || !entries)
		return -ENOMEM;
	block->least = INT32_MAX;
	for (uint32_t i = 0; i < n; i++) {
		place_cell *row = &block->cells[(size_t)i * n];

		for (uint32_t j = 0; j < n; j++) {
			if (j != i)
				row[j] = packed_cell(place_graph_packed(graph, ids[i], ids[j]));
			entries[j] = (struct order_entry){ j == i ? INT32_MIN : row[j], (uint16_t)j };
		}
		qsort(entries, n, sizeof(*entries), entry_compare);
		for (uint32_t j = 0; j < n; j++)
			block->order[(size_t)i * n + j] = entries[j].column;
		if (n > 1 && entries[n - 2].cell < block->least)
			block->least = entries[n - 2].cell;
	}
	if (n <= PLACE_PROVED_MAX)
		return 0;
	block->shares = calloc(n, sizeof(*block->shares));
	return block->shares ? split_find(block->cells, n, block->shares, &block->rest_most) : -ENOMEM;
}

struct layout {
	struct place_structure *structure;
	const struct place_graph *graph;
	uint32_t n_positions, n_children;
};

/* Parts below @piece, then its own. As deep as the tree. */
static int lay_out(struct layout *layout, const struct piece *piece, uint32_t *ret)
{
	struct place_structure *structure = layout->structure;
	_cleanup_(freep) struct piece **sorted = NULL;
	_cleanup_(freep) uint32_t *below = NULL;
	struct place_part part = { .parent = UINT32_MAX, .first = layout->n_positions, .cell = piece->cell };
	size_t n = 0, n_below = 0;
	int r = 0;

	sorted = calloc(piece->n_children + 1, sizeof(struct piece *));
	below = calloc(piece->n_children + 1, sizeof(*below));
	if (!sorted || !below)
		return -ENOMEM;
	if (piece->device != NO_DEVICE)
		sorted[n++] = (struct piece *)piece;
	for (struct piece *child = piece->children; child; child = child->next)
		sorted[n++] = child;
	qsort(sorted, n, sizeof(struct piece *), piece_compare);
	for (size_t i = 0; i < n; i++) {
		if (sorted[i]->device == NO_DEVICE) {
			r = lay_out(layout, sorted[i], &below[n_below++]);
			if (r < 0)
				return r;
			continue;
		}
		structure->ids[layout->n_positions] = sorted[i]->device;
		structure->positions[sorted[i]->device] = layout->n_positions++;
		part.n_singles++;
	}
	part.size = layout->n_positions - part.first;
	part.child = layout->n_children;
	part.n_children = (uint32_t)n_below;
	for (size_t i = 0; i < n_below; i++) {
		structure->children[layout->n_children++] = below[i];
		structure->parts[below[i]].parent = structure->n_parts;
	}
	if (piece->irregular) {
		r = block_new(layout->graph, &structure->ids[part.first], part.size, &part.block);
		if (part.size > structure->n_irregular)
			structure->n_irregular = part.size;
	}
	*ret = structure->n_parts;
	structure->parts[structure->n_parts++] = part;
	return r;
}

static int find_levels(struct place_structure *structure)
{
	size_t n = (size_t)structure->n_parts + 1;
	int32_t *shrunk;

	for (uint32_t i = 0; i < structure->n_parts; i++)
		if (structure->parts[i].block)
			n += (size_t)structure->parts[i].size * structure->parts[i].size;
	structure->levels = calloc(n, sizeof(*structure->levels));
	if (!structure->levels)
		return -ENOMEM;
	n = 0;
	for (uint32_t i = 0; i < structure->n_parts; i++) {
		const struct place_part *part = &structure->parts[i];
		size_t from = n;

		if (!part->block) {
			if (part->cell >= 0)
				structure->levels[n++] = part->cell;
			continue;
		}
		for (uint32_t j = 0; j < part->size; j++)
			for (uint32_t k = j + 1; k < part->size; k++)
				if (part->block->cells[(size_t)j * part->size + k] >= 0)
					structure->levels[n++] = part->block->cells[(size_t)j * part->size + k];
		n = from + unique(structure->levels + from, (uint32_t)(n - from));
	}
	structure->n_levels = unique(structure->levels, (uint32_t)n);
	/* Of a large matrix they are few, mostly. */
	shrunk = realloc(structure->levels, ((size_t)structure->n_levels + 1) * sizeof(*shrunk));
	if (shrunk)
		structure->levels = shrunk;
	return 0;
}

int place_structure_find(struct place_graph *graph)
{
	struct place_structure *structure = &graph->structure;
	struct finder finder = { .graph = graph };
	_cleanup_(freep) struct piece *pieces = NULL;
	_cleanup_(freep) uint32_t *scratch = NULL;
	struct layout layout = { .structure = structure, .graph = graph };
	struct piece *root = NULL, none = { .device = NO_DEVICE };
	uint32_t last;
	int r;

	finder.pieces_size = (size_t)graph->n_devices * 2 + graph->n_nodes + 1;
	finder.pieces = pieces = calloc(finder.pieces_size, sizeof(*pieces));
	finder.scratch = scratch = calloc((size_t)graph->n_devices + 1, sizeof(*scratch));
	structure->ids = calloc((size_t)graph->n_devices + 1, sizeof(*structure->ids));
	structure->positions = calloc((size_t)graph->n_devices + 1, sizeof(*structure->positions));
	/* A part has at least two children, but for a root of one device or none. */
	structure->parts = calloc((size_t)graph->n_devices + 1, sizeof(*structure->parts));
	structure->children = calloc((size_t)graph->n_devices + 1, sizeof(*structure->children));
	if (!pieces || !scratch || !structure->ids || !structure->positions || !structure->parts ||
	    !structure->children)
		return -ENOMEM;
	r = find_all(&finder, &root);
	if (r < 0)
		return r;
	r = lay_out(&layout, root ? root : &none, &last);
	if (r < 0)
		return r;
	assert(last + 1 == structure->n_parts && layout.n_positions == graph->n_devices);
	return find_levels(structure);
}

void place_structure_fini(struct place_structure *structure)
{
	for (uint32_t i = 0; structure->parts && i < structure->n_parts; i++) {
		if (!structure->parts[i].block)
			continue;
		free(structure->parts[i].block->cells);
		free(structure->parts[i].block->order);
		free(structure->parts[i].block->shares);
		free(structure->parts[i].block);
	}
	free(structure->parts);
	free(structure->children);
	free(structure->ids);
	free(structure->positions);
	free(structure->levels);
}

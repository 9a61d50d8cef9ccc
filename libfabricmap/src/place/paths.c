// SPDX-License-Identifier: MIT
#include "place/paths.h"

#include "base/base.h"

#include <string.h>

enum { NOTHING = SIZE_MAX };

struct edge {
	size_t a, b; /* vertices: devices, then nodes, then sockets by their first device, then the root */
	int64_t mbps;
};

/* What a component has of devices: a whole tree, or a part of one domain. A component that was just joined has many. */
struct item {
	size_t tree; /* NOTHING: a part of */
	size_t domain, n_devices;
	struct item *next;
};

/* A tree of domains. */
struct tree_node {
	size_t domain; /* NOTHING: children come together at mbps */
	int64_t mbps;
	size_t first_child, next; /* sibling */
};

struct joiner {
	const struct topology *topology;
	const struct path_domains *domains;
	size_t n_vertices;
	size_t *parents; /* union and find, by vertex */
	struct item **items; /* by component */
	struct item *all_items; /* one for each device, which never get more */
	struct tree_node *trees;
	size_t n_trees;
	size_t *touched, n_touched; /* components that were joined at this width */
	struct item **partial; /* by domain: its item among those of a component; scratch */
	struct edge *edges;
	size_t n_edges;
	bool assumed;
	size_t first; /* device */
	struct site_obstacle *obstacle;
};

/* Why it is no tree. */
static int give_up(struct joiner *joiner, size_t device, size_t other, const char *why)
{
	*joiner->obstacle = (struct site_obstacle){ .device = device, .other = other, .why = why };
	return -E2BIG;
}

static size_t device_of(const struct joiner *joiner, size_t domain)
{
	size_t device = joiner->first;

	while (joiner->domains->of_device[device] != domain)
		device++;
	return device;
}

static void joiner_fini(struct joiner *joiner)
{
	free(joiner->parents);
	free(joiner->items);
	free(joiner->all_items);
	free(joiner->trees);
	free(joiner->touched);
	free(joiner->partial);
	free(joiner->edges);
}

static size_t find(struct joiner *joiner, size_t vertex)
{
	while (joiner->parents[vertex] != vertex) {
		joiner->parents[vertex] = joiner->parents[joiner->parents[vertex]];
		vertex = joiner->parents[vertex];
	}
	return vertex;
}

static void join(struct joiner *joiner, size_t a, size_t b)
{
	struct item **end;

	a = find(joiner, a);
	b = find(joiner, b);
	if (a == b)
		return;
	joiner->parents[b] = a;
	for (end = &joiner->items[a]; *end; end = &(*end)->next)
		;
	*end = joiner->items[b];
	joiner->items[b] = NULL;
	joiner->touched[joiner->n_touched++] = a;
}

static struct item *item_whole(struct joiner *joiner, struct item *item)
{
	struct tree_node leaf = { .domain = item->domain, .first_child = NOTHING, .next = NOTHING };

	joiner->trees[joiner->n_trees] = leaf;
	item->tree = joiner->n_trees++;
	return item;
}

/* One item again: what came together at @mbps. */
static int settle(struct joiner *joiner, size_t component, int64_t mbps)
{
	struct item *whole = NULL, *parts = NULL, *next;
	size_t n_whole = 0;

	for (struct item *item = joiner->items[component]; item; item = next) {
		next = item->next;
		item->next = NULL;
		if (item->tree == NOTHING) {
			struct item *part = joiner->partial[item->domain];

			if (part) {
				part->n_devices += item->n_devices;
				continue;
			}
			joiner->partial[item->domain] = item;
			item->next = parts;
			parts = item;
			continue;
		}
		item->next = whole;
		whole = item;
		n_whole++;
	}
	for (struct item *part = parts; part; part = next) {
		next = part->next;
		joiner->partial[part->domain] = NULL;
		if (part->n_devices < joiner->domains->sizes[part->domain]) {
			/* Alone it may wait for the rest; others would see a part of it before the whole. */
			if (whole || parts != part || next)
				return give_up(joiner, device_of(joiner, part->domain), TOPOLOGY_NONE,
					       "others are nearer to some of the devices that it is joined with");
			joiner->items[component] = part;
			return 0;
		}
		item_whole(joiner, part)->next = whole;
		whole = part;
		parts = next;
		n_whole++;
	}
	if (n_whole > 1) {
		struct tree_node *tree = &joiner->trees[joiner->n_trees];

		*tree = (struct tree_node){ .domain = NOTHING, .mbps = mbps, .first_child = NOTHING, .next = NOTHING };
		for (struct item *item = whole; item; item = item->next) {
			joiner->trees[item->tree].next = tree->first_child;
			tree->first_child = item->tree;
		}
		whole->tree = joiner->n_trees++;
		whole->next = NULL;
	}
	joiner->items[component] = whole;
	return 0;
}

static int edge_compare(const void *a, const void *b)
{
	const struct edge *a_edge = a, *b_edge = b;

	if (a_edge->mbps != b_edge->mbps)
		return a_edge->mbps > b_edge->mbps ? -1 : 1;
	return (a_edge->a > b_edge->a) - (a_edge->a < b_edge->a);
}

static int join_all(struct joiner *joiner)
{
	qsort(joiner->edges, joiner->n_edges, sizeof(*joiner->edges), edge_compare);
	for (size_t i = 0; i < joiner->n_edges;) {
		int64_t mbps = joiner->edges[i].mbps;

		joiner->n_touched = 0;
		for (; i < joiner->n_edges && joiner->edges[i].mbps == mbps; i++)
			join(joiner, joiner->edges[i].a, joiner->edges[i].b);
		for (size_t j = 0; j < joiner->n_touched; j++) {
			size_t component = joiner->touched[j];
			int r;

			if (find(joiner, component) != component || !joiner->items[component])
				continue;
			r = settle(joiner, component, mbps);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static void add_edge(struct joiner *joiner, size_t a, size_t b, int64_t mbps)
{
	joiner->edges[joiner->n_edges++] = (struct edge){ a, b, mbps };
}

/* The node that has none above it. */
static size_t root_of(const struct topology *topology, size_t node)
{
	while (topology->nodes[node].resolved.parent != TOPOLOGY_NONE)
		node = topology->nodes[node].resolved.parent;
	return node;
}

/* What has to be known of all devices or of none, and the same: in what do two differ? NULL: in nothing. */
static const char *difference(const struct topology *topology, size_t a, size_t b)
{
	const struct topology_device *x = &topology->devices[a], *y = &topology->devices[b];
	const size_t *at = topology->attachments_first;

	if (!x->resolved.has_path || x->resolved.above == TOPOLOGY_NONE)
		return "its PCI path is not known";
	if (x->resolved.uplink_assumed != y->resolved.uplink_assumed)
		return "the PCI link of only one of them is known";
	if ((at[a + 1] > at[a]) != (at[b + 1] > at[b]))
		return "only one of them is at a switch";
	if ((x->resolved.socket >= 0) != (y->resolved.socket >= 0))
		return "the socket of only one of them is known";
	if (x->resolved.cpu_link_assumed != y->resolved.cpu_link_assumed)
		return "the CPU of only one of them is known";
	return NULL;
}

/* The roots that devices are below, and the sockets of these: each by the first device that has it. */
struct roots {
	size_t *sockets; /* by node; NOTHING: none is below it */
	size_t *firsts, n_firsts;
};

static void roots_fini(struct roots *roots)
{
	free(roots->sockets);
	free(roots->firsts);
}

/* All devices below one root have to be of one socket. */
static int add_device(struct joiner *joiner, size_t i, struct roots *roots)
{
	const struct topology *topology = joiner->topology;
	const struct topology_device *device = &topology->devices[i];
	const char *why = difference(topology, i, joiner->first);
	size_t top, j;

	if (why)
		return give_up(joiner, i, joiner->first, why);
	add_edge(joiner, i, topology->n_devices + device->resolved.above, device->resolved.uplink_mbps);
	top = root_of(topology, device->resolved.above);
	if (roots->sockets[top] != NOTHING) {
		if (topology->devices[roots->sockets[top]].resolved.socket == device->resolved.socket)
			return 0;
		return give_up(joiner, i, roots->sockets[top], "they are below one root and of two sockets");
	}
	for (j = 0; j < roots->n_firsts; j++)
		if (topology->devices[roots->firsts[j]].resolved.socket == device->resolved.socket)
			break;
	if (j == roots->n_firsts)
		roots->firsts[roots->n_firsts++] = i;
	else if (topology->devices[roots->firsts[j]].resolved.cpu_link_mbps != device->resolved.cpu_link_mbps)
		return give_up(joiner, i, roots->firsts[j], "they are of one socket and of two kinds of CPU");
	roots->sockets[top] = roots->firsts[j];
	return 0;
}

/*
 * Links of the tree. Above its roots are sockets, with the links between CPUs above them. What is known of some devices
 * only is not known well enough.
 */
static int find_edges(struct joiner *joiner)
{
	const struct topology *topology = joiner->topology;
	size_t n = topology->n_devices, nodes = n, sockets = nodes + topology->n_nodes, root = sockets + n;
	const struct topology_device *first = &topology->devices[joiner->first];
	_cleanup_(roots_fini) struct roots roots = { 0 };
	bool node_assumed = false, root_assumed = false;
	size_t n_roots = 0;

	roots.sockets = malloc((topology->n_nodes + 1) * sizeof(*roots.sockets));
	roots.firsts = malloc((n + 1) * sizeof(*roots.firsts));
	if (!roots.sockets || !roots.firsts)
		return -ENOMEM;
	memset(roots.sockets, 0xff, (topology->n_nodes + 1) * sizeof(*roots.sockets));
	for (size_t i = 0; i < n; i++) {
		int r = joiner->domains->of_device[i] == TOPOLOGY_NONE ? 0 : add_device(joiner, i, &roots);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < topology->n_nodes; i++) {
		const struct topology_node *node = &topology->nodes[i];
		bool is_free = node->kind == TOPOLOGY_NODE_CPU && node->resolved.parent == TOPOLOGY_NONE;
		int64_t mbps = is_free ? INT64_MAX : node->resolved.uplink_mbps;

		if (node->resolved.parent != TOPOLOGY_NONE) {
			add_edge(joiner, nodes + i, nodes + node->resolved.parent, mbps);
			node_assumed |= node->resolved.uplink_assumed;
		} else if (roots.sockets[i] != NOTHING) {
			size_t socket = roots.sockets[i];

			add_edge(joiner, nodes + i, sockets + socket, mbps);
			root_assumed |= !is_free && node->resolved.uplink_assumed;
			n_roots++;
			add_edge(joiner, sockets + socket, root,
				 first->resolved.socket >= 0 ? topology->devices[socket].resolved.cpu_link_mbps :
							       INT64_MAX);
		}
	}
	joiner->assumed = first->resolved.uplink_assumed ||
			  topology->attachments_first[joiner->first + 1] > topology->attachments_first[joiner->first];
	/* On the way from one root to another, and from one socket to another. */
	node_assumed |= n_roots > 1 && root_assumed;
	node_assumed |= roots.n_firsts > 1 && first->resolved.socket >= 0 && first->resolved.cpu_link_assumed;
	/* Which of the pairs those links are in would have to be told apart. */
	if (node_assumed && !joiner->assumed)
		return give_up(joiner, joiner->first, TOPOLOGY_NONE,
			       "its PCI link is known, and of a bridge above some device, or of a CPU, it is not");
	return 0;
}

static int joiner_init(struct joiner *joiner)
{
	const struct topology *topology = joiner->topology;
	size_t n = topology->n_devices;

	joiner->n_vertices = 2 * n + topology->n_nodes + 1;
	joiner->parents = malloc(joiner->n_vertices * sizeof(*joiner->parents));
	joiner->items = calloc(joiner->n_vertices, sizeof(*joiner->items));
	joiner->all_items = calloc(n + 1, sizeof(*joiner->all_items));
	joiner->trees = calloc(2 * n + 1, sizeof(*joiner->trees));
	joiner->touched = calloc(joiner->n_vertices, sizeof(*joiner->touched));
	joiner->partial = calloc(joiner->domains->n + 1, sizeof(*joiner->partial));
	joiner->edges = calloc(n + 2 * topology->n_nodes + 1, sizeof(*joiner->edges));
	if (!joiner->parents || !joiner->items || !joiner->all_items || !joiner->trees || !joiner->touched ||
	    !joiner->partial || !joiner->edges)
		return -ENOMEM;
	for (size_t i = 0; i < joiner->n_vertices; i++)
		joiner->parents[i] = i;
	for (size_t i = 0; i < n; i++) {
		struct item *item = &joiner->all_items[i];

		if (joiner->domains->of_device[i] == TOPOLOGY_NONE)
			continue;
		*item = (struct item){ NOTHING, joiner->domains->of_device[i], 1, NULL };
		if (joiner->domains->sizes[item->domain] == 1)
			(void)item_whole(joiner, item);
		joiner->items[i] = item;
	}
	return 0;
}

static struct place_pair pair_of(int64_t mbps, unsigned int flags)
{
	return (struct place_pair){ .mbps = mbps < PLACE_MBPS_MAX ? mbps : PLACE_MBPS_MAX, .flags = flags };
}

/* From the top down; recursion as deep as there are widths on a path. */
static int emit(const struct joiner *joiner, struct place_graph_builder *builder, size_t parent, size_t tree,
		unsigned int flags, size_t *ret_nodes)
{
	ssize_t node;

	if (joiner->trees[tree].domain != NOTHING) {
		ret_nodes[joiner->trees[tree].domain] = parent;
		return 0;
	}
	node = place_graph_builder_add_node(builder, parent, pair_of(joiner->trees[tree].mbps, flags));
	if (node < 0)
		return (int)node;
	for (size_t child = joiner->trees[tree].first_child; child != NOTHING; child = joiner->trees[child].next) {
		int r = emit(joiner, builder, (size_t)node, child, flags, ret_nodes);

		if (r < 0)
			return r;
	}
	return 0;
}

int paths_add(const struct topology *topology, const struct path_domains *domains, unsigned int flags,
	      struct place_graph_builder **ret_builder, size_t *ret_nodes, struct site_obstacle *ret_obstacle)
{
	_cleanup_(place_graph_builder_freep) struct place_graph_builder *builder = NULL;
	_cleanup_(joiner_fini) struct joiner joiner = {
		.topology = topology,
		.domains = domains,
		.obstacle = ret_obstacle,
	};
	const struct item *all = NULL;
	size_t n_in = 0;
	int r;

	for (size_t i = topology->n_devices; i-- > 0;) {
		if (domains->of_device[i] == TOPOLOGY_NONE)
			continue;
		joiner.first = i;
		n_in++;
	}
	if (n_in > 0) {
		r = joiner_init(&joiner);
		if (r == 0)
			r = find_edges(&joiner);
		if (r == 0)
			r = join_all(&joiner);
		if (r < 0)
			return r;
		all = joiner.items[find(&joiner, joiner.first)];
		/* A part of a domain that nothing joins with the rest: paths end nowhere. */
		for (size_t i = joiner.first; i < topology->n_devices; i++)
			if (domains->of_device[i] != TOPOLOGY_NONE &&
			    (joiner.items[find(&joiner, i)] != all || !all || all->tree == NOTHING))
				return give_up(&joiner, i, joiner.first, "no PCI path joins them");
	}
	if (joiner.assumed)
		flags |= PLACE_PAIR_ASSUMED;
	r = place_graph_builder_new(pair_of(0, n_in < topology->n_devices ? PLACE_PAIR_FORBIDDEN : flags), &builder);
	if (r == 0 && n_in > 0)
		r = emit(&joiner, builder, PLACE_NODE_ROOT, all->tree, flags, ret_nodes);
	if (r < 0)
		return r;
	*ret_builder = steal_ptr(&builder);
	return 0;
}

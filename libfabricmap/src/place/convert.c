// SPDX-License-Identifier: MIT
/*
 * From a topology to a graph.
 *
 * Few devices: all pairs. Many: by the rule a pair is worth what links between the two say, or switches that both are
 * at; and otherwise what the least of the PCI links on the path between them is. So the devices are cut into "domains",
 * the sets that links, switches and packages join; inside of one every pair is asked. Between domains only the paths
 * count, and they are a tree (paths.h). Where a domain does not look the same from everywhere outside, the machine has no
 * such form, and nothing is guessed: it is refused. What came out is compared with the rule in many pairs all the same.
 */
#include "place/site.h"

#include "base/base.h"
#include "place/paths.h"

#include <assert.h>

static bool shares_switch(const struct topology *topology, enum topology_link_type type, size_t a, size_t b)
{
	const struct topology_attachment *at = topology->attachments;

	for (size_t x = topology->attachments_first[a]; x < topology->attachments_first[a + 1]; x++)
		for (size_t y = topology->attachments_first[b]; y < topology->attachments_first[b + 1]; y++)
			if (at[x].node == at[y].node && at[x].type == type && at[y].type == type)
				return true;
	return false;
}

static bool is_linked_by(const struct topology *topology, enum topology_link_type type, size_t a, size_t b)
{
	const struct topology_link *there = topology_link_find(topology, a, b);
	const struct topology_link *back = topology_link_find(topology, b, a);

	if (there && back && there->mutual && there->type == type && back->type == type)
		return true;
	return shares_switch(topology, type, a, b);
}

static bool holds(const struct topology *topology, struct site_relation relation, size_t a, size_t b,
		  const struct topology_pair *pair)
{
	if ((relation.linked || relation.link_type) && !pair->linked)
		return false;
	if (relation.link_type && !is_linked_by(topology, relation.link_type, a, b))
		return false;
	return !relation.same_package || topology->devices[a].resolved.package == topology->devices[b].resolved.package;
}

bool site_relation_holds(const struct topology *topology, struct site_relation relation, size_t a, size_t b)
{
	struct topology_pair pair = topology_pair(topology, a, b);

	return holds(topology, relation, a, b, &pair);
}

static struct place_pair pair_of(const struct topology *topology, struct site_relation relation, size_t a, size_t b)
{
	struct topology_pair pair = topology_pair(topology, a, b);
	struct place_pair result = { .mbps = pair.bandwidth_mbps };

	static_assert((int)PLACE_MBPS_MAX == (int)TOPOLOGY_PAIR_MBPS_MAX, "no pair is cut on the way");
	if (pair.assumed)
		result.flags |= PLACE_PAIR_ASSUMED;
	if (pair.linked)
		result.flags |= PLACE_PAIR_LINKED;
	if (!holds(topology, relation, a, b, &pair))
		result.flags |= PLACE_PAIR_FORBIDDEN;
	return result;
}

/* Devices as children of one node, with all their pairs. */
static int add_dense(struct place_graph_builder *builder, const struct topology *topology,
		     struct site_relation relation, size_t node, const size_t *devices, size_t n)
{
	_cleanup_(freep) size_t *numbers = calloc(n + 1, sizeof(*numbers));

	if (!numbers)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		ssize_t number = place_graph_builder_add_device(builder, node, topology->devices[devices[i]].name);

		if (number < 0)
			return (int)number;
		numbers[i] = (size_t)number;
		for (size_t j = 0; j < i; j++) {
			int r = place_graph_builder_set_pair(builder, numbers[i], numbers[j],
							     pair_of(topology, relation, devices[i], devices[j]));

			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* ---- many devices ---- */

struct domains {
	struct path_domains inner;
	size_t *parents; /* union and find, by device */
	size_t *first; /* by domain: where its devices begin in the list */
	size_t *devices; /* by domain, then by index */
};

static void domains_fini(struct domains *domains)
{
	free(domains->inner.of_device);
	free(domains->inner.sizes);
	free(domains->parents);
	free(domains->first);
	free(domains->devices);
}

static size_t find(struct domains *domains, size_t device)
{
	size_t *parents = domains->parents;

	while (parents[device] != device) {
		parents[device] = parents[parents[device]];
		device = parents[device];
	}
	return device;
}

/* The lower is the first of both. */
static void join(struct domains *domains, size_t a, size_t b)
{
	a = find(domains, a);
	b = find(domains, b);
	if (a < b)
		domains->parents[b] = a;
	else
		domains->parents[a] = b;
}

static int join_all(struct domains *domains, const struct topology *topology)
{
	_cleanup_(freep) size_t *at_node = calloc(topology->n_nodes + 1, sizeof(*at_node));

	if (!at_node)
		return -ENOMEM;
	for (size_t i = 0; i < topology->n_links; i++)
		join(domains, topology->links[i].accessor, topology->links[i].owner);
	for (size_t i = 0; i < topology->n_nodes; i++)
		at_node[i] = TOPOLOGY_NONE;
	for (size_t i = 0; i < topology->n_attachments; i++) {
		const struct topology_attachment *at = &topology->attachments[i];

		if (at_node[at->node] == TOPOLOGY_NONE)
			at_node[at->node] = at->device;
		else
			join(domains, at_node[at->node], at->device);
	}
	for (size_t i = 0; i < topology->n_devices; i++)
		join(domains, i, topology->devices[i].resolved.package);
	return 0;
}

static int domains_init(struct domains *domains, const struct topology *topology)
{
	size_t n = topology->n_devices;
	int r;

	domains->inner.of_device = calloc(n + 1, sizeof(size_t));
	domains->inner.sizes = calloc(n + 1, sizeof(size_t));
	domains->parents = calloc(n + 1, sizeof(size_t));
	domains->first = calloc(n + 2, sizeof(size_t));
	domains->devices = calloc(n + 1, sizeof(size_t));
	if (!domains->inner.of_device || !domains->inner.sizes || !domains->parents || !domains->first ||
	    !domains->devices)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		domains->parents[i] = i;
	r = join_all(domains, topology);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		size_t first = find(domains, i);

		domains->inner.of_device[i] = first == i ? domains->inner.n++ : domains->inner.of_device[first];
		domains->inner.sizes[domains->inner.of_device[i]]++;
	}
	for (size_t i = 0; i < domains->inner.n; i++)
		domains->first[i + 1] = domains->first[i] + domains->inner.sizes[i];
	for (size_t i = 0; i < n; i++)
		domains->devices[domains->first[domains->inner.of_device[i]]++] = i;
	for (size_t i = domains->inner.n; i > 0; i--)
		domains->first[i] = domains->first[i - 1];
	domains->first[0] = 0;
	return 0;
}

/* Pairs by chance, always the same, against the rule itself. */
static bool agrees(const struct topology *topology, struct site_relation relation, const struct place_graph *graph)
{
	enum { SAMPLES = 20000 };
	uint64_t state = 1;

	for (size_t i = 0; i < SAMPLES; i++) {
		struct place_pair pair, rule;
		size_t a, b;

		state = state * 6364136223846793005ULL + 1442695040888963407ULL;
		a = (state >> 33) % topology->n_devices;
		state = state * 6364136223846793005ULL + 1442695040888963407ULL;
		b = (state >> 33) % topology->n_devices;
		if (a == b)
			continue;
		pair = place_graph_pair(graph, a, b);
		rule = pair_of(topology, relation, a, b);
		if (pair.mbps != rule.mbps || pair.flags != rule.flags)
			return false;
	}
	return true;
}

static int graph_of_many(const struct topology *topology, struct site_relation relation, struct place_graph **ret)
{
	_cleanup_(place_graph_builder_freep) struct place_graph_builder *builder = NULL;
	_cleanup_(place_graph_unrefp) struct place_graph *graph = NULL;
	_cleanup_(domains_fini) struct domains domains = { 0 };
	_cleanup_(freep) size_t *nodes = calloc(topology->n_devices + 1, sizeof(*nodes));
	bool apart = relation.linked || relation.link_type || relation.same_package;
	int r;

	if (!nodes)
		return -ENOMEM;
	r = domains_init(&domains, topology);
	if (r == 0)
		r = paths_add(topology, &domains.inner, apart ? PLACE_PAIR_FORBIDDEN : 0, &builder, nodes);
	for (size_t i = 0; r == 0 && i < domains.inner.n; i++) {
		ssize_t node = (ssize_t)nodes[i];

		if (domains.inner.sizes[i] > PLACE_DENSE_MAX)
			return -E2BIG;
		if (domains.inner.sizes[i] > 1)
			node = place_graph_builder_add_node(builder, nodes[i], (struct place_pair){ 0 });
		if (node < 0)
			return (int)node;
		r = add_dense(builder, topology, relation, (size_t)node, domains.devices + domains.first[i],
			      domains.inner.sizes[i]);
	}
	if (r == 0)
		r = place_graph_builder_finish(builder, &graph);
	if (r < 0)
		return r;
	if (!agrees(topology, relation, graph))
		return -E2BIG;
	*ret = steal_ptr(&graph);
	return 0;
}

int site_graph_new(const struct topology *topology, struct site_relation relation, struct place_graph **ret)
{
	_cleanup_(place_graph_builder_freep) struct place_graph_builder *builder = NULL;
	_cleanup_(freep) size_t *devices = NULL;
	int r;

	if (topology->n_devices > SITE_DENSE_MAX)
		return graph_of_many(topology, relation, ret);
	devices = calloc(topology->n_devices + 1, sizeof(*devices));
	if (!devices)
		return -ENOMEM;
	for (size_t i = 0; i < topology->n_devices; i++)
		devices[i] = i;
	r = place_graph_builder_new((struct place_pair){ 0 }, &builder);
	if (r < 0)
		return r;
	r = add_dense(builder, topology, relation, PLACE_NODE_ROOT, devices, topology->n_devices);
	if (r < 0)
		return r;
	return place_graph_builder_finish(builder, ret);
}

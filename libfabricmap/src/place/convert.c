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
#include "place/bits.h"
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

static bool is_in(const uint64_t *among, size_t device)
{
	return !among || bits_has(among, device);
}

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

/* With the first that was there. */
static void join_at(struct domains *domains, size_t *first, size_t device)
{
	if (*first == TOPOLOGY_NONE)
		*first = device;
	else
		join(domains, *first, device);
}

static int join_all(struct domains *domains, const struct topology *topology, const uint64_t *among)
{
	size_t n_firsts = topology->n_nodes + topology->n_devices;
	_cleanup_(freep) size_t *firsts = malloc((n_firsts + 1) * sizeof(*firsts)); /* by node; by package */

	if (!firsts)
		return -ENOMEM;
	for (size_t i = 0; i < topology->n_links; i++)
		if (is_in(among, topology->links[i].accessor) && is_in(among, topology->links[i].owner))
			join(domains, topology->links[i].accessor, topology->links[i].owner);
	for (size_t i = 0; i < n_firsts; i++)
		firsts[i] = TOPOLOGY_NONE;
	for (size_t i = 0; i < topology->n_attachments; i++)
		if (is_in(among, topology->attachments[i].device))
			join_at(domains, &firsts[topology->attachments[i].node], topology->attachments[i].device);
	for (size_t i = 0; i < topology->n_devices; i++)
		if (is_in(among, i))
			join_at(domains, &firsts[topology->n_nodes + topology->devices[i].resolved.package], i);
	return 0;
}

static int domains_init(struct domains *domains, const struct topology *topology, const uint64_t *among)
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
	r = join_all(domains, topology, among);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		size_t first = find(domains, i);

		domains->inner.of_device[i] = TOPOLOGY_NONE;
		if (!is_in(among, i))
			continue;
		domains->inner.of_device[i] = first == i ? domains->inner.n++ : domains->inner.of_device[first];
		domains->inner.sizes[domains->inner.of_device[i]]++;
	}
	for (size_t i = 0; i < domains->inner.n; i++)
		domains->first[i + 1] = domains->first[i] + domains->inner.sizes[i];
	for (size_t i = 0; i < n; i++)
		if (is_in(among, i))
			domains->devices[domains->first[domains->inner.of_device[i]]++] = i;
	for (size_t i = domains->inner.n; i > 0; i--)
		domains->first[i] = domains->first[i - 1];
	domains->first[0] = 0;
	return 0;
}

/* Pairs by chance, always the same, against the rule itself. */
static bool agrees(const struct topology *topology, struct site_relation relation, const struct domains *domains,
		   const struct place_graph *graph, struct site_obstacle *ret_obstacle)
{
	enum { SAMPLES = 20000 };
	size_t n = domains->first[domains->inner.n];
	uint64_t state = 1;

	for (size_t i = 0; n > 1 && i < SAMPLES; i++) {
		struct place_pair pair, rule;
		size_t a, b;

		state = state * 6364136223846793005ULL + 1442695040888963407ULL;
		a = domains->devices[(state >> 33) % n];
		state = state * 6364136223846793005ULL + 1442695040888963407ULL;
		b = domains->devices[(state >> 33) % n];
		if (a == b)
			continue;
		pair = place_graph_pair(graph, a, b);
		rule = pair_of(topology, relation, a, b);
		if (pair.mbps == rule.mbps && pair.flags == rule.flags)
			continue;
		*ret_obstacle = (struct site_obstacle){ a, b, "their pair is not what their paths say" };
		return false;
	}
	return true;
}

/* Those that are left out are at the root by themselves, joined with nobody. */
static int add_others(struct place_graph_builder *builder, const struct topology *topology, const uint64_t *among)
{
	for (size_t i = 0; i < topology->n_devices; i++) {
		ssize_t number;

		if (is_in(among, i))
			continue;
		number = place_graph_builder_add_device(builder, PLACE_NODE_ROOT, topology->devices[i].name);
		if (number < 0)
			return (int)number;
	}
	return 0;
}

static int graph_of_many(const struct topology *topology, struct site_relation relation, const uint64_t *among,
			 struct place_graph **ret, struct site_obstacle *ret_obstacle)
{
	_cleanup_(place_graph_builder_freep) struct place_graph_builder *builder = NULL;
	_cleanup_(place_graph_unrefp) struct place_graph *graph = NULL;
	_cleanup_(domains_fini) struct domains domains = { 0 };
	_cleanup_(freep) size_t *nodes = calloc(topology->n_devices + 1, sizeof(*nodes));
	bool apart = relation.linked || relation.link_type || relation.same_package;
	int r;

	if (!nodes)
		return -ENOMEM;
	r = domains_init(&domains, topology, among);
	if (r == 0)
		r = paths_add(topology, &domains.inner, apart ? PLACE_PAIR_FORBIDDEN : 0, &builder, nodes,
			      ret_obstacle);
	for (size_t i = 0; r == 0 && i < domains.inner.n; i++) {
		ssize_t node = (ssize_t)nodes[i];

		if (domains.inner.sizes[i] > PLACE_DENSE_MAX) {
			*ret_obstacle = (struct site_obstacle){ domains.devices[domains.first[i]], TOPOLOGY_NONE,
								"links join more than 2048 devices with it" };
			return -E2BIG;
		}
		if (domains.inner.sizes[i] > 1)
			node = place_graph_builder_add_node(builder, nodes[i], (struct place_pair){ 0 });
		if (node < 0)
			return (int)node;
		r = add_dense(builder, topology, relation, (size_t)node, domains.devices + domains.first[i],
			      domains.inner.sizes[i]);
	}
	if (r == 0)
		r = add_others(builder, topology, among);
	if (r == 0)
		r = place_graph_builder_finish(builder, &graph);
	if (r < 0)
		return r;
	if (!agrees(topology, relation, &domains, graph, ret_obstacle))
		return -E2BIG;
	*ret = steal_ptr(&graph);
	return 0;
}

static int graph_of_few(const struct topology *topology, struct site_relation relation, const uint64_t *among,
			struct place_graph **ret)
{
	_cleanup_(place_graph_builder_freep) struct place_graph_builder *builder = NULL;
	_cleanup_(freep) size_t *devices = calloc(topology->n_devices + 1, sizeof(*devices));
	ssize_t node = PLACE_NODE_ROOT;
	size_t n = 0;
	int r;

	if (!devices)
		return -ENOMEM;
	for (size_t i = 0; i < topology->n_devices; i++)
		if (is_in(among, i))
			devices[n++] = i;
	r = place_graph_builder_new((struct place_pair){ .flags = among ? PLACE_PAIR_FORBIDDEN : 0 }, &builder);
	if (r < 0)
		return r;
	if (among)
		node = place_graph_builder_add_node(builder, PLACE_NODE_ROOT, (struct place_pair){ 0 });
	if (node < 0)
		return (int)node;
	r = add_dense(builder, topology, relation, (size_t)node, devices, n);
	if (r == 0)
		r = add_others(builder, topology, among);
	if (r < 0)
		return r;
	return place_graph_builder_finish(builder, ret);
}

int site_graph_new(const struct topology *topology, struct site_relation relation, const uint64_t *among,
		   struct place_graph **ret, struct site_obstacle *ret_obstacle)
{
	size_t n = among ? bits_count(among, 0, topology->n_devices) : topology->n_devices;
	struct site_obstacle obstacle = { TOPOLOGY_NONE, TOPOLOGY_NONE, NULL };
	int r;

	if (n <= SITE_DENSE_MAX)
		return graph_of_few(topology, relation, among, ret);
	r = graph_of_many(topology, relation, among, ret, &obstacle);
	if (r == -E2BIG && ret_obstacle)
		*ret_obstacle = obstacle;
	return r;
}

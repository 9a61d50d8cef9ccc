// SPDX-License-Identifier: MIT
/*
 * From a topology to a graph.
 *
 * Few devices: all pairs. Many: by the rule a pair is worth what links between the two say, or switches that both are
 * at; and otherwise what the least of the PCI links on the path between them is. So the devices are cut into "domains",
 * the sets that links and switches join; inside of one every pair is asked. Between domains only the paths count. A
 * domain hangs below the node of the PCI tree that has all of it below; what is worth a pair that meets in a node
 * depends on the least link from there down to each of the two, and on sockets where they meet nowhere. If below each
 * child of a node all devices have the same such figures, a pair of devices of different children is worth what any
 * pair of theirs is. Where they have not, or where a domain is not all that is below its node's children, the machine
 * has no such form, and nothing is guessed.
 */
#include "place/site.h"

#include "base/base.h"

#include <assert.h>
#include <string.h>

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

	if (result.mbps > PLACE_MBPS_MAX)
		result.mbps = PLACE_MBPS_MAX;
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

int site_graph_new(const struct topology *topology, struct site_relation relation, struct place_graph **ret)
{
	_cleanup_(place_graph_builder_freep) struct place_graph_builder *builder = NULL;
	_cleanup_(freep) size_t *devices = calloc(topology->n_devices + 1, sizeof(*devices));
	int r;

	if (!devices)
		return -ENOMEM;
	for (size_t i = 0; i < topology->n_devices; i++)
		devices[i] = i;
	r = place_graph_builder_new((struct place_pair){ 0 }, &builder);
	if (r < 0)
		return r;
	if (topology->n_devices > SITE_DENSE_MAX)
		return -E2BIG;
	r = add_dense(builder, topology, relation, PLACE_NODE_ROOT, devices, topology->n_devices);
	if (r < 0)
		return r;
	return place_graph_builder_finish(builder, ret);
}

// SPDX-License-Identifier: MIT
/* What a set is worth, by the graph's description: by nodes, so that large sets do not take a look at every pair. */
#include "place/search-internal.h"

#include "base/base.h"

#include <string.h>

enum { LOOKUPS_MAX = 1 << 18 };

struct node_count {
	uint32_t own, total; /* chosen devices: children of the node, and all below it */
	uint64_t inner; /* pairs below one child */
};

static uint64_t n_pairs(uint64_t n)
{
	return n < 2 ? 0 : n * (n - 1) / 2;
}

static void take_pairs(struct place_answer *answer, uint64_t n, uint32_t packed)
{
	int32_t mbps = packed_mbps(packed);

	if (n == 0)
		return;
	if (mbps < answer->bottleneck_mbps)
		answer->bottleneck_mbps = mbps;
	answer->sum_mbps += (int64_t)n * mbps;
	answer->linked &= (packed >> 24 & PLACE_PAIR_LINKED) != 0;
	if (packed >> 24 & PLACE_PAIR_ASSUMED)
		answer->n_assumed += n;
}

/* Pairs of chosen devices that are children of one node. */
static void take_rows(const struct place_graph *graph, struct place_answer *answer, const struct place_node *node,
		      const uint32_t *ids, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t *row = &node->rows[(size_t)graph->device_row[ids[i]] * node->n_rows];

		for (uint32_t j = i + 1; j < n; j++)
			take_pairs(answer, 1, row[graph->device_row[ids[j]]]);
	}
}

static int list_assumed(const struct place_graph *graph, struct place_answer *answer)
{
	size_t n_lookups = 0;

	if (answer->n_assumed == 0)
		return 0;
	answer->assumed = calloc(PLACE_ASSUMED_MAX, sizeof(*answer->assumed));
	if (!answer->assumed)
		return -ENOMEM;
	for (size_t i = 0; i < answer->n_devices; i++) {
		for (size_t j = i + 1; j < answer->n_devices; j++) {
			size_t a = answer->devices[i], b = answer->devices[j];

			if (answer->n_assumed_listed == PLACE_ASSUMED_MAX ||
			    answer->n_assumed_listed == answer->n_assumed || n_lookups++ == LOOKUPS_MAX)
				return 0;
			if (!(place_graph_packed(graph, (uint32_t)a, (uint32_t)b) >> 24 & PLACE_PAIR_ASSUMED))
				continue;
			answer->assumed[answer->n_assumed_listed][0] = a;
			answer->assumed[answer->n_assumed_listed++][1] = b;
		}
	}
	return 0;
}

int search_evaluate(const struct place_graph *graph, struct place_answer *answer)
{
	_cleanup_(freep) struct node_count *counts = NULL;
	_cleanup_(freep) uint32_t *ends = NULL, *ids = NULL;
	uint32_t n_ids = 0;

	counts = calloc(graph->n_nodes, sizeof(*counts));
	ends = calloc(graph->n_nodes, sizeof(*ends));
	ids = calloc(answer->n_devices + 1, sizeof(*ids));
	if (!counts || !ends || !ids)
		return -ENOMEM;
	for (size_t i = 0; i < answer->n_devices; i++)
		counts[graph->device_node[answer->devices[i]]].own++;
	for (uint32_t i = 0; i < graph->n_nodes; i++) {
		ends[i] = n_ids;
		n_ids += counts[i].own;
	}
	for (size_t i = 0; i < answer->n_devices; i++)
		ids[ends[graph->device_node[answer->devices[i]]]++] = (uint32_t)answer->devices[i];

	answer->linked = true;
	answer->bottleneck_mbps = answer->n_devices > 1 ? INT64_MAX : 0;
	/* A child's number is larger than its parent's. */
	for (uint32_t i = graph->n_nodes; i-- > 0;) {
		const struct place_node *node = &graph->nodes[i];
		struct node_count *count = &counts[i];
		uint64_t n_between;

		count->total += count->own;
		n_between = n_pairs(count->total) - count->inner;
		if (node->rows) {
			take_rows(graph, answer, node, ids + ends[i] - count->own, count->own);
			n_between -= n_pairs(count->own);
		}
		take_pairs(answer, n_between, node->packed);
		if (i > 0) {
			counts[node->parent].total += count->total;
			counts[node->parent].inner += n_pairs(count->total);
		}
	}
	return list_assumed(graph, answer);
}

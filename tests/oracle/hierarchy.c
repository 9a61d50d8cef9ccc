// SPDX-License-Identifier: MIT
/*
 * Kruskal's view of a tree: its edges from the widest to the narrowest. When an edge joins two parts it is the least on
 * the way from any device of one to any of the other, so that all those pairs have its bandwidth, whatever lies
 * between. What a part can give for each count is thus known from its two halves:
 *
 *	f(c) = max over c = c1 + c2 of f1(c1) + f2(c2) + c1 * c2 * bandwidth
 *
 * and if no pair may be below a threshold, one of c1 and c2 is 0 where the edge is below it.
 */
#include "hierarchy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A part: nodes and clusters joined so far. */
struct part {
	size_t joined_to; /* union-find */
	int64_t *best; /* by count, 0 .. n; -1: not to be had */
	size_t n;
};

static void *must(void *memory)
{
	if (!memory) {
		perror("oracle: dynamic programming");
		abort();
	}
	return memory;
}

/* Every subset of the free devices of a cluster none of whose pairs is below @least_allowed. */
static void cluster_fill(struct part *part, const struct machine_cluster *cluster, const bool *busy,
			 int64_t least_allowed)
{
	unsigned int free_mask = 0;
	size_t n = cluster->inside.n;

	if (n > HIERARCHY_CLUSTER_MAX) {
		fprintf(stderr, "oracle: a cluster of %zu is too large\n", n);
		abort();
	}
	for (size_t i = 0; i < n; i++)
		if (!busy || !busy[cluster->first + i])
			free_mask |= 1U << i;
	part->n = (size_t)__builtin_popcount(free_mask);
	part->best = must(calloc(part->n + 1, sizeof(*part->best)));
	for (size_t c = 1; c <= part->n; c++)
		part->best[c] = -1;
	for (unsigned int mask = free_mask; mask; mask = (mask - 1) & free_mask) {
		int64_t least = INT64_MAX, sum = 0;
		size_t count = (size_t)__builtin_popcount(mask);

		for (unsigned int a = mask; a; a &= a - 1) {
			for (unsigned int b = a & (a - 1); b; b &= b - 1) {
				int64_t mbps =
					matrix_at(&cluster->inside, (size_t)__builtin_ctz(a), (size_t)__builtin_ctz(b));

				sum += mbps;
				least = mbps < least ? mbps : least;
			}
		}
		if (least >= least_allowed && sum > part->best[count])
			part->best[count] = sum;
	}
}

static struct part *root_of(struct part *parts, size_t i)
{
	while (parts[i].joined_to != i)
		i = parts[i].joined_to = parts[parts[i].joined_to].joined_to;
	return parts + i;
}

/* Counts above @k are of no use to anybody. */
static void part_join(struct part *into, struct part *from, int64_t mbps, int64_t least_allowed, size_t k)
{
	size_t n = into->n + from->n < k ? into->n + from->n : k;
	int64_t *best = must(malloc((n + 1) * sizeof(*best)));

	for (size_t c = 0; c <= n; c++)
		best[c] = -1;
	for (size_t i = 0; i <= into->n && i <= n; i++) {
		for (size_t j = 0; j <= from->n && i + j <= n; j++) {
			int64_t sum = into->best[i] + from->best[j] + (int64_t)(i * j) * mbps;

			if (into->best[i] < 0 || from->best[j] < 0 || (i && j && mbps < least_allowed))
				continue;
			if (sum > best[i + j])
				best[i + j] = sum;
		}
	}
	free(into->best);
	free(from->best);
	from->best = NULL;
	into->best = best;
	into->n = n;
}

/* The largest sum of @k free devices none of whose pairs is below @least_allowed, or -1. */
static int64_t best_sum(const struct machine *machine, const bool *busy, size_t k, int64_t least_allowed)
{
	size_t n_parts = machine->n_nodes + machine->n_clusters, n_edges;
	struct part *parts = must(calloc(n_parts, sizeof(*parts)));
	struct machine_edge *edges = machine_edges(machine, &n_edges);
	int64_t best = -1;

	for (size_t i = 0; i < n_parts; i++) {
		parts[i].joined_to = i;
		if (i < machine->n_nodes)
			parts[i].best = must(calloc(1, sizeof(*parts[i].best)));
		else
			cluster_fill(parts + i, machine->clusters + (i - machine->n_nodes), busy, least_allowed);
	}
	for (size_t i = 0; i < n_edges; i++) {
		struct part *into = root_of(parts, edges[i].a), *from = root_of(parts, edges[i].b);

		part_join(into, from, edges[i].mbps, least_allowed, k);
		from->joined_to = (size_t)(into - parts);
	}
	for (size_t i = 0; i < n_parts; i++) {
		if (parts[i].joined_to == i && parts[i].n >= k && parts[i].best[k] > best)
			best = parts[i].best[k];
		free(parts[i].best);
	}
	free(parts);
	free(edges);
	return best;
}

/* The most free devices of a cluster of which no pair is below @mbps. */
static size_t cluster_largest(const struct machine_cluster *cluster, const bool *busy, int64_t mbps)
{
	struct part part = { 0 };
	size_t count;

	cluster_fill(&part, cluster, busy, mbps);
	for (count = part.n; count && part.best[count] < 0; count--)
		;
	free(part.best);
	return count;
}

/* The most free devices of which no pair is below @mbps. */
static size_t largest(const struct machine *machine, const bool *busy, int64_t mbps)
{
	size_t n_parts = machine->n_nodes + machine->n_clusters, n_edges, most = 0;
	struct part *parts = must(calloc(n_parts, sizeof(*parts)));
	struct machine_edge *edges = machine_edges(machine, &n_edges);

	for (size_t i = 0; i < n_parts; i++) {
		parts[i].joined_to = i;
		if (i >= machine->n_nodes)
			parts[i].n = cluster_largest(machine->clusters + (i - machine->n_nodes), busy, mbps);
	}
	for (size_t i = 0; i < n_edges; i++) {
		struct part *into = root_of(parts, edges[i].a), *from = root_of(parts, edges[i].b);

		if (edges[i].mbps >= mbps)
			into->n += from->n;
		else if (from->n > into->n)
			into->n = from->n;
		from->joined_to = (size_t)(into - parts);
	}
	for (size_t i = 0; i < n_parts; i++)
		if (parts[i].joined_to == i && parts[i].n > most)
			most = parts[i].n;
	free(parts);
	free(edges);
	return most;
}

static int falling(const void *one, const void *other)
{
	const int64_t *a = one, *b = other;

	return *a < *b ? 1 : *a > *b ? -1 : 0;
}

/* Bandwidths that pairs may have, from the largest; the caller's. */
static int64_t *thresholds_new(const struct machine *machine, size_t *ret_n)
{
	size_t n = 0, n_all = machine->n_nodes + machine->n_clusters, n_different = 0;
	int64_t *all;

	for (size_t i = 0; i < machine->n_clusters; i++)
		n_all += machine->clusters[i].inside.n * machine->clusters[i].inside.n;
	all = must(calloc(n_all + 1, sizeof(*all)));
	for (size_t i = 1; i < machine->n_nodes; i++)
		all[n++] = machine->nodes[i].uplink_mbps;
	for (size_t i = 0; i < machine->n_clusters; i++) {
		const struct matrix *inside = &machine->clusters[i].inside;

		all[n++] = machine->clusters[i].uplink_mbps;
		for (size_t j = 0; j < inside->n * inside->n; j++)
			all[n++] = inside->mbps[j];
	}
	qsort(all, n, sizeof(*all), falling);
	for (size_t i = 0; i < n; i++)
		if (!n_different || all[i] != all[n_different - 1])
			all[n_different++] = all[i];
	*ret_n = n_different;
	return all;
}

struct score hierarchy_best(const struct machine *machine, const bool *busy, enum objective objective, size_t k)
{
	size_t n_free = 0, n_thresholds;
	int64_t *thresholds, bottleneck = 0;

	for (size_t i = 0; i < machine->n; i++)
		n_free += !busy || !busy[i];
	if (k > n_free)
		return SCORE_NONE;
	if (objective == OBJECTIVE_SUM)
		return (struct score){ best_sum(machine, busy, k, 0), 0 };
	thresholds = thresholds_new(machine, &n_thresholds);
	for (size_t i = 0; k > 1 && i < n_thresholds; i++) {
		bottleneck = thresholds[i];
		if (largest(machine, busy, bottleneck) >= k)
			break;
	}
	free(thresholds);
	return score_of(objective, k, bottleneck,
			objective == OBJECTIVE_BOTTLENECK ? 0 : best_sum(machine, busy, k, bottleneck));
}

// SPDX-License-Identifier: MIT
/* What is kept of a machine between questions. */
#include "place/site.h"

#include "base/base.h"
#include "place/bits.h"

#include <string.h>

struct site_graph {
	struct site_relation relation;
	struct place_pool *pool;
};

struct place_site {
	struct topology *topology;
	struct site_graph *graphs; /* the first is that without a relation */
	size_t n_graphs, n_built;
	bool irregular; /* the first graph knows no pairs: it is there for what is taken */
};

static int site_add(struct place_site *site, const struct topology *topology, struct site_relation relation,
		    const uint64_t *among)
{
	_cleanup_(place_graph_unrefp) struct place_graph *graph = NULL;
	struct site_graph *grown;
	struct place_pool *pool;
	int r;

	grown = reallocarray(site->graphs, site->n_graphs + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	site->graphs = grown;
	r = site_graph_new(topology, relation, among, &graph, NULL);
	if (r < 0)
		return r;
	r = place_pool_new(graph, &pool);
	if (r < 0)
		return r;
	site->graphs[site->n_graphs++] = (struct site_graph){ .relation = relation, .pool = pool };
	site->n_built++;
	return 0;
}

static int site_add_first(struct place_site *site, const struct topology *topology)
{
	_cleanup_(freep) uint64_t *nobody = NULL;
	int r;

	r = site_add(site, topology, (struct site_relation){ 0 }, NULL);
	if (r != -E2BIG)
		return r;
	nobody = calloc(bits_words(topology->n_devices) + 1, sizeof(*nobody));
	if (!nobody)
		return -ENOMEM;
	site->irregular = true;
	return site_add(site, topology, (struct site_relation){ 0 }, nobody);
}

static void graphs_free(struct site_graph *graphs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		place_pool_free(graphs[i].pool);
	free(graphs);
}

int place_site_new(struct topology *topology, struct place_site **ret)
{
	_cleanup_(place_site_freep) struct place_site *site = NULL;
	int r;

	site = calloc(1, sizeof(*site));
	if (!site)
		return -ENOMEM;
	site->topology = topology_ref(topology);
	r = site_add_first(site, topology);
	if (r < 0)
		return r;
	*ret = steal_ptr(&site);
	return 0;
}

struct place_site *place_site_free(struct place_site *site)
{
	if (!site)
		return NULL;
	graphs_free(site->graphs, site->n_graphs);
	topology_unref(site->topology);
	free(site);
	return NULL;
}

void place_site_freep(struct place_site **site)
{
	place_site_free(*site);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_device(const struct topology_device *a, const struct topology_device *b)
{
	return same_text(a->name, b->name) && a->resolved.package == b->resolved.package &&
	       a->resolved.above == b->resolved.above && a->resolved.uplink_mbps == b->resolved.uplink_mbps &&
	       a->resolved.uplink_assumed == b->resolved.uplink_assumed &&
	       a->resolved.has_path == b->resolved.has_path && a->resolved.socket == b->resolved.socket &&
	       a->resolved.cpu_link_mbps == b->resolved.cpu_link_mbps &&
	       a->resolved.cpu_link_assumed == b->resolved.cpu_link_assumed;
}

static bool same_link(const struct topology_link *a, const struct topology_link *b)
{
	return a->accessor == b->accessor && a->owner == b->owner && a->type == b->type && a->up == b->up &&
	       a->bandwidth_mbps == b->bandwidth_mbps && a->pci_mbps == b->pci_mbps && a->assumed == b->assumed &&
	       a->pci_assumed == b->pci_assumed && a->mutual == b->mutual && a->pci_mutual == b->pci_mutual;
}

static bool same_node(const struct topology_node *a, const struct topology_node *b)
{
	return same_text(a->name, b->name) && a->kind == b->kind && a->resolved.parent == b->resolved.parent &&
	       a->resolved.uplink_mbps == b->resolved.uplink_mbps &&
	       a->resolved.uplink_assumed == b->resolved.uplink_assumed;
}

static bool same_attachment(const struct topology_attachment *a, const struct topology_attachment *b)
{
	return a->device == b->device && a->node == b->node && a->type == b->type && a->to_mbps == b->to_mbps &&
	       a->from_mbps == b->from_mbps && a->assumed == b->assumed;
}

/* Everything that topology_pair() and relations look at. */
static bool same_pairs(const struct topology *a, const struct topology *b)
{
	if (a->n_devices != b->n_devices || a->n_links != b->n_links || a->n_nodes != b->n_nodes ||
	    a->n_attachments != b->n_attachments)
		return false;
	for (size_t i = 0; i < a->n_devices; i++)
		if (!same_device(&a->devices[i], &b->devices[i]))
			return false;
	for (size_t i = 0; i < a->n_links; i++)
		if (!same_link(&a->links[i], &b->links[i]))
			return false;
	for (size_t i = 0; i < a->n_nodes; i++)
		if (!same_node(&a->nodes[i], &b->nodes[i]))
			return false;
	for (size_t i = 0; i < a->n_attachments; i++)
		if (!same_attachment(&a->attachments[i], &b->attachments[i]))
			return false;
	return true;
}

int place_site_update(struct place_site *site, struct topology *topology)
{
	struct place_site fresh = { .n_built = site->n_built };
	int r;

	if (!same_pairs(site->topology, topology)) {
		r = site_add_first(&fresh, topology);
		if (r < 0) {
			graphs_free(fresh.graphs, fresh.n_graphs);
			return r;
		}
		for (size_t i = 0; i < site->topology->n_devices; i++) {
			ssize_t device;
			size_t taken;

			if (place_pool_is_free(site->graphs[0].pool, i))
				continue;
			device = topology_device_find(topology, site->topology->devices[i].name);
			taken = (size_t)device;
			if (device >= 0)
				(void)place_pool_take(fresh.graphs[0].pool, &taken, 1); /* it is free there */
		}
		graphs_free(site->graphs, site->n_graphs);
		site->graphs = fresh.graphs;
		site->n_graphs = fresh.n_graphs;
		site->n_built = fresh.n_built;
		site->irregular = fresh.irregular;
	}
	topology_ref(topology);
	topology_unref(site->topology);
	site->topology = topology;
	return 0;
}

const struct topology *place_site_topology(const struct place_site *site)
{
	return site->topology;
}

size_t place_site_n_built(const struct place_site *site)
{
	return site->n_built;
}

int place_site_take(struct place_site *site, const size_t *devices, size_t n)
{
	int r = 0;

	/* All pools are alike: the first says whether it can be. */
	for (size_t i = 0; i < site->n_graphs && r == 0; i++)
		r = place_pool_take(site->graphs[i].pool, devices, n);
	return r;
}

int place_site_give(struct place_site *site, const size_t *devices, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < site->n_graphs && r == 0; i++)
		r = place_pool_give(site->graphs[i].pool, devices, n);
	return r;
}

static bool same_relation(struct site_relation a, struct site_relation b)
{
	return a.linked == b.linked && a.link_type == b.link_type && a.same_package == b.same_package;
}

bool place_site_is_free(const struct place_site *site, size_t device)
{
	return place_pool_is_free(site->graphs[0].pool, device);
}

int place_site_pool(struct place_site *site, struct site_relation relation, const struct place_pool **ret)
{
	struct place_pool *pool;
	int r;

	if (site->irregular)
		return -E2BIG;
	relation.linked |= relation.link_type != 0;
	for (size_t i = 0; i < site->n_graphs; i++) {
		if (!same_relation(site->graphs[i].relation, relation))
			continue;
		*ret = site->graphs[i].pool;
		return 0;
	}
	r = site_add(site, site->topology, relation, NULL);
	if (r < 0)
		return r;
	pool = site->graphs[site->n_graphs - 1].pool;
	for (size_t i = 0; i < site->topology->n_devices; i++)
		if (!place_pool_is_free(site->graphs[0].pool, i))
			(void)place_pool_take(pool, &i, 1); /* all are free there */
	*ret = pool;
	return 0;
}

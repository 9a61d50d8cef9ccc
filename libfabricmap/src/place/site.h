/* SPDX-License-Identifier: MIT */
/*
 * site - a topology as placement sees it: graphs that are made of it once, and which devices are taken.
 *
 * Devices have the same number in the topology, in its graphs and in their pools. A new snapshot of the same machine
 * takes the old one's place; graphs are made again only if something has changed that pairs are made of, so that free
 * bytes, states and leases never cost more than themselves.
 */
#ifndef FABRICMAP_PLACE_SITE_H
#define FABRICMAP_PLACE_SITE_H

#include "model/model.h"
#include "place/search.h"

/* Which pairs may be in one set. */
struct site_relation {
	bool linked; /* only those that reach each other in place */
	enum topology_link_type link_type; /* and that by such a link; 0: any. Implies linked */
	bool same_package;
};

/* Why a machine of many devices has no form: a device, what it does not go with, and in what. */
struct site_obstacle {
	size_t device, other; /* or TOPOLOGY_NONE */
	const char *why; /* static; NULL: nothing is known */
};

struct place_site;

/* Takes a reference of its own. */
int place_site_new(struct topology *topology, struct place_site **ret);
struct place_site *place_site_free(struct place_site *site);
void place_site_freep(struct place_site **site);

/* Another snapshot. Devices that are taken stay so by name. On failure nothing has changed. */
int place_site_update(struct place_site *site, struct topology *topology);

const struct topology *place_site_topology(const struct place_site *site);

/* How often graphs were made; for tests and figures. */
size_t place_site_n_built(const struct place_site *site);

/* As place_pool_take() and place_pool_give(), in all pools. */
int place_site_take(struct place_site *site, const size_t *devices, size_t n);
int place_site_give(struct place_site *site, const size_t *devices, size_t n);

bool place_site_is_free(const struct place_site *site, size_t device);

/*
 * The pool for a relation, made when it is first asked for; the site's, until the next update. -E2BIG: the machine is too
 * irregular for its size, see site_graph_new(): then a question about fewer devices has to have a graph of its own.
 */
int place_site_pool(struct place_site *site, struct site_relation relation, const struct place_pool **ret);

/* The relation's own truth about two devices. */
bool site_relation_holds(const struct topology *topology, struct site_relation relation, size_t a, size_t b);

/**
 * site_graph_new() - a graph of all devices; pairs for which the relation does not hold are forbidden
 * @among: only these have pairs (bits by device); all others are in the graph, and with nobody. NULL: all
 * @ret_obstacle: written if the result is -E2BIG; may be NULL
 *
 * Up to SITE_DENSE_MAX devices every pair is asked of the rule. Above that, pairs are asked within each set of devices
 * that links or switches join, and one representative each for what PCI joins: see convert.c.
 *
 * Return: 0; -E2BIG more than SITE_DENSE_MAX devices, and not of such a form; -ENOMEM.
 */
int site_graph_new(const struct topology *topology, struct site_relation relation, const uint64_t *among,
		   struct place_graph **ret, struct site_obstacle *ret_obstacle);

enum { SITE_DENSE_MAX = 1200 };

#endif

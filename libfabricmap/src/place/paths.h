/* SPDX-License-Identifier: MIT */
/*
 * paths - what pairs of devices are worth by their PCI paths alone, as a tree of builder nodes.
 *
 * A pair is worth the least link on its path (rule of pairs, case 3). Take the links of the PCI tree from the widest to
 * the narrowest, and join what each connects: two devices are worth the link with which they came together. What comes
 * together at one width is one node of the result. That is exact for any tree; nothing is asked pair by pair.
 */
#ifndef FABRICMAP_PLACE_PATHS_H
#define FABRICMAP_PLACE_PATHS_H

#include "model/model.h"
#include "place/site.h"

/* Sets of devices that something else than a path joins, too: they stay together. */
struct path_domains {
	size_t n;
	size_t *of_device; /* by device; TOPOLOGY_NONE: it is left out */
	size_t *sizes; /* by domain */
};

/**
 * paths_add() - nodes for the pairs of devices of different domains
 * @flags: of all these pairs, beside PLACE_PAIR_ASSUMED
 * @ret_nodes: the node below which each domain belongs; by domain
 * @ret_obstacle: written if the result is -E2BIG
 *
 * Whoever is left out may be put below the root, whose pairs are forbidden then.
 *
 * Return: 0; -E2BIG the paths do not tell all of it: a domain does not look the same from everywhere outside, or figures
 * are known of some devices only; -ENOMEM.
 */
int paths_add(const struct topology *topology, const struct path_domains *domains, unsigned int flags,
	      struct place_graph_builder **ret_builder, size_t *ret_nodes, struct site_obstacle *ret_obstacle);

#endif

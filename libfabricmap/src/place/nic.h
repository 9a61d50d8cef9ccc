/* SPDX-License-Identifier: MIT */
/* nic - which network card is near to which device, by the PCI tree. */
#ifndef FABRICMAP_PLACE_NIC_H
#define FABRICMAP_PLACE_NIC_H

#include "model/model.h"

struct nic_map {
	const struct topology *topology;
	size_t *first; /* by node: the first NIC that is it or below it, or TOPOLOGY_NONE */
};

int nic_map_init(struct nic_map *map, const struct topology *topology);
void nic_map_fini(struct nic_map *map);

/* A NIC as near as any (of several the first), a node; TOPOLOGY_NONE if there is none that is known to be near. */
size_t nic_nearest(const struct nic_map *map, size_t device);

/* Is no other nearer? @nic: a node. */
bool nic_is_nearest(const struct nic_map *map, size_t device, size_t nic);

#endif

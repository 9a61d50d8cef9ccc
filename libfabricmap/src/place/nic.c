// SPDX-License-Identifier: MIT
/*
 * The nearest NIC is below the lowest node above the device that has any below it. Where no node is above both, those of
 * the device's NUMA node are as near as each other.
 */
#include "place/nic.h"

#include "base/base.h"

int nic_map_init(struct nic_map *map, const struct topology *topology)
{
	*map = (struct nic_map){ .topology = topology };
	map->first = malloc((topology->n_nodes + 1) * sizeof(*map->first));
	if (!map->first)
		return -ENOMEM;
	for (size_t i = 0; i < topology->n_nodes; i++)
		map->first[i] = TOPOLOGY_NONE;
	for (size_t i = 0; i < topology->n_nodes; i++) {
		if (topology->nodes[i].kind != TOPOLOGY_NODE_NIC)
			continue;
		/* What is above one that has been here has it already. */
		for (size_t at = i; at != TOPOLOGY_NONE && map->first[at] == TOPOLOGY_NONE;
		     at = topology->nodes[at].resolved.parent)
			map->first[at] = i;
	}
	return 0;
}

void nic_map_fini(struct nic_map *map)
{
	free(map->first);
}

/* The lowest node above a device that has a NIC below it. */
static size_t meeting(const struct nic_map *map, size_t device)
{
	size_t at = map->topology->devices[device].resolved.parent;

	while (at != TOPOLOGY_NONE && map->first[at] == TOPOLOGY_NONE)
		at = map->topology->nodes[at].resolved.parent;
	return at;
}

static bool is_at_same_memory(const struct nic_map *map, size_t device, size_t nic)
{
	int64_t numa_node = map->topology->devices[device].numa_node;

	return numa_node >= 0 && map->topology->nodes[nic].numa_node == numa_node;
}

size_t nic_nearest(const struct nic_map *map, size_t device)
{
	size_t at = meeting(map, device);

	if (at != TOPOLOGY_NONE)
		return map->first[at];
	for (size_t i = 0; i < map->topology->n_nodes; i++)
		if (map->topology->nodes[i].kind == TOPOLOGY_NODE_NIC && is_at_same_memory(map, device, i))
			return i;
	return TOPOLOGY_NONE;
}

bool nic_is_nearest(const struct nic_map *map, size_t device, size_t nic)
{
	size_t at = meeting(map, device);

	if (at == TOPOLOGY_NONE)
		return is_at_same_memory(map, device, nic);
	for (size_t above = nic; above != TOPOLOGY_NONE; above = map->topology->nodes[above].resolved.parent)
		if (above == at)
			return true;
	return false;
}

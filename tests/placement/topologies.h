/* SPDX-License-Identifier: MIT */
/*
 * topologies - machines of the oracles as a source would find them: devices, links, switches, bridges, CPUs. What a pair
 * is worth follows from these by the rule, and has to be what the machine says. A failure ends the program.
 */
#ifndef PLACEMENT_TOPOLOGIES_H
#define PLACEMENT_TOPOLOGIES_H

#include "generators.h"
#include "model/model.h"

struct topology_plan {
	uint64_t order; /* seed of the order in which things are told; 0: that of the machine */
	/*
	 * Seed of what makes no difference to any pair: links wider in one direction, links in one direction only, links
	 * that are down. 0: none.
	 */
	uint64_t noise;
	const int64_t *free_bytes; /* of each device, of 1000; NULL: 500 */
	const int64_t *numa_node; /* of each device; NULL: unknown */
	const bool *offline; /* NULL: none is */
};

enum {
	TOPOLOGY_NAME_SIZE = 24,
};

/* Device i has the i-th of them: whole devices, for partitions would be of one package, and a package is in one place. */
void topology_plan_name(size_t device, char *ret /* TOPOLOGY_NAME_SIZE */);

/**
 * topology_of_machine() - the machine as bridges, switches and links
 *
 * A machine that is one cluster has links only, and where a pair is worth MACHINE_ASSUMED_MBPS nothing is said of it.
 * Devices by themselves at a node, with an uplink of some links of 40100, are at so many of 18 switches of that node.
 * All else is links and bridges. Names are those of topology_plan_name().
 */
struct topology *topology_of_machine(const struct machine *machine, const struct topology_plan *plan);

/* DGX-1, as links, sockets and PCI: generate_cube_mesh() is what the rule has to make of it. */
struct topology *topology_of_cube_mesh(bool volta);

#endif

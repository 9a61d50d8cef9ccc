// SPDX-License-Identifier: MIT
/* Captured machines, through the library's own sources. */
#include "captured.h"

#include "place/site.h"
#include "source/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t mbps_of(const struct topology *topology, size_t a, size_t b)
{
	return a == b ? 0 : topology_pair(topology, a, b).bandwidth_mbps;
}

static struct matrix part_of(const struct topology *topology, size_t first, size_t n)
{
	struct matrix matrix = matrix_new(n);

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			matrix_set(&matrix, i, j, mbps_of(topology, first + i, first + j));
	return matrix;
}

/* Devices of a package follow each other, as they are in the order of their names. */
static size_t package_end(const struct topology *topology, size_t first)
{
	size_t end = first + 1;

	while (end < topology->n_devices &&
	       topology->devices[end].resolved.package == topology->devices[first].resolved.package)
		end++;
	return end;
}

/* Packages below one root. Return: are the pairs what that says? */
static bool as_packages(const struct topology *topology, struct machine *machine)
{
	size_t last = topology->n_devices - 1;
	int64_t between = mbps_of(topology, 0, last);

	(void)machine_add_node(machine, 0, 0);
	for (size_t first = 0, end; first <= last; first = end) {
		end = package_end(topology, first);
		(void)machine_add_cluster(machine, 0, between, part_of(topology, first, end - first));
	}
	for (size_t i = 0; i <= last; i++)
		for (size_t j = 0; j < i; j++)
			if (machine_mbps(machine, i, j) != mbps_of(topology, i, j))
				return false;
	return machine->n_clusters > 1 && machine->n_clusters < machine->n;
}

static void machine_of(const struct topology *topology, const char *name, struct machine *ret)
{
	machine_init(ret, "%s", name);
	if (as_packages(topology, ret))
		return;
	machine_fini(ret);
	machine_init(ret, "%s", name);
	(void)machine_add_node(ret, 0, 0);
	(void)machine_add_cluster(ret, 0, 0, part_of(topology, 0, topology->n_devices));
}

bool captured_load(const char *path, const char *name, struct machine *ret_machine, struct place_graph **ret_graph)
{
	struct topology *topology = NULL;
	char *error = NULL;
	int r = source_load(path, &topology, &error);

	if (r == 0 && topology->n_devices)
		r = site_graph_new(topology, (struct site_relation){ 0 }, ret_graph);
	if (r < 0 || !topology->n_devices) {
		fprintf(stderr, "placement: %s is left out: %s\n", path, error ?: r < 0 ? strerror(-r) : "no devices");
		free(error);
		topology_unref(topology);
		return false;
	}
	machine_of(topology, name, ret_machine);
	topology_unref(topology);
	return true;
}

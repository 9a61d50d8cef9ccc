// SPDX-License-Identifier: MIT
/* Captured machines, through the library's own sources. */
#include "captured.h"

#include "place/site.h"
#include "rows.h"
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

void captured_load_row(const char *path, const char *name, size_t n_samples)
{
	/* The largest tree there is, of 63 partitions and 4,034 link files, has that long. */
	const double limit_us = 50000;
	double *us = calloc(n_samples, sizeof(*us)), p99;
	size_t n_devices = 0, n_links = 0, n = 0;
	bool same = true;

	if (!us)
		abort();
	/* The first is for the page cache. */
	for (size_t i = 0; i <= n_samples; i++) {
		struct topology *topology = NULL;
		uint64_t begin = rows_now_ns();
		char *error = NULL;

		if (source_load(path, &topology, &error) < 0) {
			fprintf(stderr, "placement: %s is not loaded: %s\n", path, error ?: "an error");
			free(error);
			free(us);
			return;
		}
		if (i > 0) {
			us[n++] = (double)(rows_now_ns() - begin) / 1000;
			same &= topology->n_devices == n_devices && topology->n_links == n_links;
		}
		n_devices = topology->n_devices;
		n_links = topology->n_links;
		topology_unref(topology);
	}
	p99 = rows_percentile(us, n, 99);
	printf("{ \"name\": \"placement.load\", \"instance\": \"%s\", \"seed\": null, \"n\": %zu, \"links\": %zu, "
	       "\"p50_us\": %.3f, \"p99_us\": %.3f, \"samples\": %zu, \"limit_us\": %.3f, \"holds\": %s, "
	       "\"valid\": %s%s }\n",
	       name, n_devices, n_links, rows_percentile(us, n, 50), p99, n, limit_us,
	       p99 <= limit_us ? "true" : "false", same ? "true" : "false",
	       same ? "" : ", \"why\": \"not the same each time\"");
	(void)fflush(stdout);
	free(us);
}

bool captured_load(const char *path, const char *name, struct machine *ret_machine, struct place_graph **ret_graph)
{
	struct topology *topology = NULL;
	char *error = NULL;
	int r = source_load(path, &topology, &error);

	if (r == 0 && topology->n_devices)
		r = site_graph_new(topology, (struct site_relation){ 0 }, NULL, ret_graph, NULL);
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

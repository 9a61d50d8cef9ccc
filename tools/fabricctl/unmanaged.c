// SPDX-License-Identifier: MIT
/* What is on the bus and not in the fabric: the same lines for topo and devices. */
#include "fabricctl.h"

#include <err.h>
#include <stdio.h>

size_t managed_n(const struct fabricmap *map)
{
	size_t n = 0;

	for (size_t i = 0; i < fabricmap_n_devices(map); i++)
		n += fabricmap_device_is_managed(fabricmap_device_at(map, i)) ? 1 : 0;
	return n;
}

/* The nearest devices of the fabric, and how near they are. */
static void add_nearest(struct table *table, const struct fabricmap *map, const struct fabricmap_device *device)
{
	_cleanup_(freep) char *text = NULL;
	int64_t least = FABRICMAP_UNKNOWN;
	size_t size = 0;
	FILE *file;

	for (size_t i = 0; i < fabricmap_n_devices(map); i++) {
		int64_t distance = fabricmap_device_distance(device, fabricmap_device_at(map, i));

		if (distance != FABRICMAP_UNKNOWN && (least == FABRICMAP_UNKNOWN || distance < least))
			least = distance;
	}
	if (least == FABRICMAP_UNKNOWN) {
		table_add(table, "-");
		return;
	}
	file = open_memstream(&text, &size);
	if (!file)
		err(EXIT_FAILED, "memory");
	fprintf(file, "%lld:", (long long)least);
	for (size_t i = 0; i < fabricmap_n_devices(map); i++)
		if (fabricmap_device_distance(device, fabricmap_device_at(map, i)) == least)
			fprintf(file, " %s", fabricmap_device_name(fabricmap_device_at(map, i)));
	if (fclose(file) != 0)
		err(EXIT_FAILED, "memory");
	table_add(table, text);
}

void unmanaged_print(const struct fabricmap *map)
{
	static const char *const heads[] = { "DEVICE", "STATE", "DRIVER", "CLASS", "NUMA", "BRIDGE", "DISTANCE" };
	enum { N_COLUMNS = sizeof(heads) / sizeof(heads[0]) };
	_cleanup_(table_freep) struct table *table = NULL;
	char text[SIZE_TEXT_SIZE];

	if (managed_n(map) == fabricmap_n_devices(map))
		return;
	puts(managed_n(map) ? "\nNot in the fabric, GPUs or accelerators by their class:" :
			      "Not in the fabric, GPUs or accelerators by their class:");
	table = table_new(N_COLUMNS);
	for (size_t i = 0; i < N_COLUMNS; i++)
		table_add(table, heads[i]);
	for (size_t i = 0; i < fabricmap_n_devices(map); i++) {
		const struct fabricmap_device *device = fabricmap_device_at(map, i);

		if (fabricmap_device_is_managed(device))
			continue;
		table_add(table, fabricmap_device_name(device));
		table_add(table, fabricmap_device_state(device));
		table_add(table, fabricmap_device_driver(device) ?: "-");
		table_add(table, fabricmap_device_pci_class(device) ?: "-");
		table_add(table, number_text(fabricmap_device_numa_node(device), text));
		table_add(table, fabricmap_device_upstream_bridge(device) ?: "-");
		add_nearest(table, map, device);
	}
	table_print(table);
}

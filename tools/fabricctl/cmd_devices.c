// SPDX-License-Identifier: MIT
/*
 * fabricctl devices: devices and their memory, from sysfs; who has it from the kernel, who has fds of it from /proc.
 * Works without the daemon.
 */
#include "fabricctl.h"
#include "usages.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

static int help(void)
{
	puts("usage: fabricctl devices [--holders] [--json] [--root DIR]\n"
	     "\n"
	     "Devices and their memory, a line for each region.\n"
	     "\n"
	     "Options:\n"
	     "      --holders  who has handles on it, and whose memory is there: all processes for root,\n"
	     "                 else one's own\n"
	     "      --json     as JSON (fabric.devices/1)\n"
	     "      --root DIR read this captured tree instead of /sys\n"
	     "      --help     this text");
	return EXIT_DONE;
}

static void holders_freep(struct fabricmap_holders **holders)
{
	fabricmap_holders_free(*holders);
}

static const char *node_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : "-";
}

static void add_pagemap(struct table *table, const struct fabricmap_region *region)
{
	const char *state = fabricmap_region_pagemap_state(region);
	char text[128], handles[SIZE_TEXT_SIZE], pages[SIZE_TEXT_SIZE], mappings[SIZE_TEXT_SIZE];
	int64_t n_handles, n_pages, n_mappings;

	fabricmap_region_pagemap_refs(region, &n_handles, &n_pages, &n_mappings);
	if (!state || strcmp(state, "active")) {
		table_add(table, state ?: "-");
		return;
	}
	(void)snprintf(text, sizeof(text), "active: handles %s, pages %s, mappings %s", number_text(n_handles, handles),
		       number_text(n_pages, pages), number_text(n_mappings, mappings));
	table_add(table, text);
}

static void print_devices(const struct fabricmap *map)
{
	static const char *const heads[] = { "DEVICE", "STATE", "DRIVER", "RENDER",   "NUMA",	"HANDLES",
					     "REGION", "SIZE",	"FREE",	  "RESIDENT", "PAGEMAP" };
	enum { N_DEVICE_COLUMNS = 6, N_COLUMNS = sizeof(heads) / sizeof(heads[0]) };
	_cleanup_(table_freep) struct table *table = table_new(N_COLUMNS);
	char text[SIZE_TEXT_SIZE];

	for (size_t i = 0; i < N_COLUMNS; i++)
		table_add(table, heads[i]);
	for (size_t i = 0; i < fabricmap_n_devices(map); i++) {
		const struct fabricmap_device *device = fabricmap_device_at(map, i);
		size_t n_regions = fabricmap_device_n_regions(device);

		if (!fabricmap_device_is_managed(device))
			continue;
		table_add(table, fabricmap_device_name(device));
		table_add(table, fabricmap_device_state(device));
		table_add(table, fabricmap_device_driver(device) ?: "-");
		table_add(table, node_name(fabricmap_device_render_node(device)));
		table_add(table, number_text(fabricmap_device_numa_node(device), text));
		table_add(table, number_text(fabricmap_device_n_handles(device), text));
		for (size_t j = 0; j < n_regions; j++) {
			const struct fabricmap_region *region = fabricmap_device_region_at(device, j);

			for (size_t column = 0; j > 0 && column < N_DEVICE_COLUMNS; column++)
				table_add(table, "");
			table_add(table, fabricmap_region_name(region));
			table_add(table, size_text(fabricmap_region_size_bytes(region), text));
			table_add(table, size_text(fabricmap_region_free_bytes(region), text));
			table_add(table, size_text(fabricmap_region_resident_bytes(region), text));
			add_pagemap(table, region);
		}
		for (size_t column = N_DEVICE_COLUMNS; n_regions == 0 && column < N_COLUMNS; column++)
			table_add(table, "-");
	}
	table_print(table);
}

/* Rare, and bad: in words. */
static void print_dead(const struct fabricmap *map)
{
	char text[SIZE_TEXT_SIZE];

	for (size_t i = 0; i < fabricmap_n_devices(map); i++) {
		const struct fabricmap_device *device = fabricmap_device_at(map, i);

		for (size_t j = 0; j < fabricmap_device_n_regions(device); j++) {
			const struct fabricmap_region *region = fabricmap_device_region_at(device, j);
			int64_t dead_bytes = fabricmap_region_dead_bytes(region);

			if (dead_bytes == FABRICMAP_UNKNOWN || dead_bytes == 0)
				continue;
			printf("\n%s/%s: %s dead: the data is lost, until its processes unmap it or end\n",
			       fabricmap_device_name(device), fabricmap_region_name(region),
			       size_text(dead_bytes, text));
		}
	}
}

static void print_holders(const struct fabricmap_holders *holders)
{
	static const char *const heads[] = { "DEVICE", "REGION", "PID", "COMM", "UID", "HANDLE", "RESIDENT" };
	enum { N_COLUMNS = sizeof(heads) / sizeof(heads[0]) };
	_cleanup_(table_freep) struct table *table = table_new(N_COLUMNS);
	char text[SIZE_TEXT_SIZE];

	if (fabricmap_holders_n(holders) == 0) {
		puts("\nNo holders");
		return;
	}
	puts("\nHolders:");
	for (size_t i = 0; i < N_COLUMNS; i++)
		table_add(table, heads[i]);
	for (size_t i = 0; i < fabricmap_holders_n(holders); i++) {
		table_add(table, fabricmap_holders_device(holders, i));
		table_add(table, fabricmap_holders_region(holders, i) ?: "-");
		table_add(table, number_text(fabricmap_holders_pid(holders, i), text));
		table_add(table, fabricmap_holders_comm(holders, i));
		table_add(table, number_text(fabricmap_holders_uid(holders, i), text));
		table_add(table, number_text(fabricmap_holders_devmem_id(holders, i), text));
		table_add(table, size_text(fabricmap_holders_resident_bytes(holders, i), text));
	}
	table_print(table);
}

static void holder_to_json(const struct fabricmap_holders *holders, size_t index, struct json_object *array)
{
	struct json_object *object = json_append_object(array);

	json_add_string(object, "region", fabricmap_holders_region(holders, index));
	json_add_int(object, "pid", fabricmap_holders_pid(holders, index));
	json_add_string(object, "comm", fabricmap_holders_comm(holders, index));
	json_add_int(object, "uid", fabricmap_holders_uid(holders, index));
	json_add_int(object, "devmem_id", fabricmap_holders_devmem_id(holders, index));
	json_add_int(object, "resident_bytes", fabricmap_holders_resident_bytes(holders, index));
}

static void region_to_json(const struct fabricmap_region *region, const struct fabricmap_usage *usage,
			   struct json_object *array)
{
	struct json_object *object = json_append_object(array), *refs;
	int64_t n_handles, n_pages, n_mappings;

	json_add_string(object, "name", fabricmap_region_name(region));
	json_add_int(object, "size_bytes", fabricmap_region_size_bytes(region));
	json_add_int(object, "free_bytes", fabricmap_region_free_bytes(region));
	json_add_int(object, "resident_bytes", fabricmap_region_resident_bytes(region));
	json_add_int(object, "dead_bytes", fabricmap_region_dead_bytes(region));
	json_add_string(object, "pagemap_state", fabricmap_region_pagemap_state(region));
	fabricmap_region_pagemap_refs(region, &n_handles, &n_pages, &n_mappings);
	refs = json_add_object(object, "pagemap_refs");
	json_add_int(refs, "handles", n_handles);
	json_add_int(refs, "pages", n_pages);
	json_add_int(refs, "mappings", n_mappings);
	usage_to_json(usage, object);
}

static void print_json(const struct fabricmap *map, const struct fabricmap_holders *holders,
		       const struct usages *usages)
{
	struct json_object *root = json_new("fabric.devices/1"), *devices, *array;

	json_add_int(root, "generation", fabricmap_generation(map));
	json_add_string(root, "source", fabricmap_source(map));
	devices = json_add_array(root, "devices");
	for (size_t i = 0; i < fabricmap_n_devices(map); i++) {
		const struct fabricmap_device *device = fabricmap_device_at(map, i);
		struct json_object *object = json_append_object(devices);

		json_add_string(object, "name", fabricmap_device_name(device));
		json_add_string(object, "driver", fabricmap_device_driver(device));
		json_add_string(object, "state", fabricmap_device_state(device));
		json_add_int(object, "incarnation", fabricmap_device_incarnation(device));
		json_add_int(object, "numa_node", fabricmap_device_numa_node(device));
		json_add_string(object, "render_node", fabricmap_device_render_node(device));
		json_add_int(object, "n_handles", fabricmap_device_n_handles(device));
		json_add_bool(object, "managed", fabricmap_device_is_managed(device));
		json_add_string(object, "upstream_bridge", fabricmap_device_upstream_bridge(device));
		json_add_string(object, "pci_class", fabricmap_device_pci_class(device));
		array = json_add_array(object, "regions");
		for (size_t j = 0; j < fabricmap_device_n_regions(device); j++) {
			const struct fabricmap_region *region = fabricmap_device_region_at(device, j);

			region_to_json(region,
				       usages_find(usages, fabricmap_device_name(device),
						   fabricmap_region_name(region)),
				       array);
		}
		/* null: nobody looked. */
		if (!holders) {
			json_add_string(object, "holders", NULL);
			continue;
		}
		array = json_add_array(object, "holders");
		for (size_t j = 0; j < fabricmap_holders_n(holders); j++)
			if (!strcmp(fabricmap_holders_device(holders, j), fabricmap_device_name(device)))
				holder_to_json(holders, j, array);
	}
	array = json_add_array(root, "warnings");
	for (size_t i = 0; i < fabricmap_n_warnings(map); i++)
		(void)json_object_array_add(array, json_object_new_string(fabricmap_warning(map, i)));
	json_print(root, false);
}

int cmd_devices(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "holders", no_argument, NULL, 'H' },
		{ "json", no_argument, NULL, 'j' },
		{ "root", required_argument, NULL, 'R' },
		{ 0 },
	};
	_cleanup_(map_unrefp) struct fabricmap *map = NULL;
	_cleanup_(holders_freep) struct fabricmap_holders *holders = NULL;
	_cleanup_(usages_freep) struct usages *usages = NULL;
	bool arg_json = false, arg_holders = false;
	const char *arg_root = NULL;
	int c, r;

	while ((c = getopt_long(argc, argv, "hj", options, NULL)) >= 0) {
		switch (c) {
		case 'h':
			return help();
		case 'H':
			arg_holders = true;
			break;
		case 'j':
			arg_json = true;
			break;
		case 'R':
			arg_root = optarg;
			break;
		default:
			return usage_hint("devices");
		}
	}
	if (optind < argc)
		return usage_error("devices", "devices: one argument too many: %s", argv[optind]);
	if (arg_root && arg_holders)
		return usage_error("devices",
				   "devices: a captured tree has no holders (leave out --root or --holders)");
	if (map_open("devices", arg_root, &map) < 0)
		return EXIT_FAILED;
	map_warn("devices", map);
	if (arg_holders) {
		r = fabricmap_holders_scan(NULL, NULL, &holders);
		if (r < 0) {
			error_print("devices: holders: /proc: %s%s", reason(r), remedy(r));
			return EXIT_FAILED;
		}
		r = usages_read(map, &usages);
		if (r < 0) {
			error_print("devices: holders: /dev/drm_fabric: %s%s", reason(r), remedy(r));
			return EXIT_FAILED;
		}
		if (fabricmap_holders_n_unreadable(holders) > 0)
			error_print("devices: holders: %zu processes could not be looked into (try as root)",
				    fabricmap_holders_n_unreadable(holders));
	}
	if (arg_json) {
		print_json(map, holders, usages);
		return EXIT_DONE;
	}
	if (fabricmap_n_devices(map) == 0)
		puts("no devices");
	if (managed_n(map) > 0)
		print_devices(map);
	print_dead(map);
	unmanaged_print(map);
	if (holders)
		print_holders(holders);
	if (usages)
		usages_print(usages);
	return EXIT_DONE;
}

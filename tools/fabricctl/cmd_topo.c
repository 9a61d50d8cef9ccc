// SPDX-License-Identifier: MIT
/* fabricctl topo: the matrix of links, from sysfs or a captured tree of one. */
#include "fabricctl.h"

#include <ctype.h>
#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
	CODE_SIZE = 8,
	DOWN_LINES_MAX = 16,
	MEASURED_LINES_MAX = 64,
};

static const struct link_code {
	const char *type, *code, *meaning;
} codes[] = {
	{ "xgmi", "XG", "XGMI" },
	{ "nvlink", "NV", "NVLink" },
	{ "xe_link", "XL", "Xe Link" },
	{ "cxl", "CX", "CXL" },
	{ "softgpu", "SG", "link between software GPUs" },
	{ "pcie_switch", "SW", "PCIe, below one switch" },
	{ "pcie_host_bridge", "HB", "PCIe, through the host bridge" },
	{ "none", "--", "no way but system memory" },
};

enum { N_CODES = sizeof(codes) / sizeof(codes[0]) };

/* Which codes the matrix has, for the legend. */
struct used {
	bool up[N_CODES], down[N_CODES], unknown;
};

static int help(void)
{
	puts("usage: fabricctl topo [--json] [--bandwidth] [--root DIR | --topology PATH]\n"
	     "\n"
	     "Who is linked to whom. A row is the device that reads and writes, a column the one whose memory it is.\n"
	     "\n"
	     "Options:\n"
	     "  -b, --bandwidth  pair bandwidth in MB/s instead of the type of link\n"
	     "      --json       the topology as JSON (fabric.topology/1)\n"
	     "      --root DIR   read this captured tree instead of /sys\n"
	     "      --topology PATH\n"
	     "                   pair bandwidths and memories of another machine, from a file or folder: fabric.topology/1,\n"
	     "                   XML of NCCL or hwloc, a captured tree of sysfs or of the AMD compute driver\n"
	     "      --help       this text");
	return EXIT_DONE;
}

static size_t code_find(const char *type)
{
	for (size_t i = 0; i < N_CODES; i++)
		if (!strcmp(codes[i].type, type))
			return i;
	return N_CODES - 1;
}

static const char *cell(const struct fabricmap *map, size_t accessor, size_t owner, struct used *used,
			char text[CODE_SIZE])
{
	const struct fabricmap_link *link = fabricmap_link_find(map, accessor, owner);
	size_t code;

	if (accessor == owner)
		return "X";
	if (!link) {
		used->unknown = true;
		return "?";
	}
	code = code_find(fabricmap_link_type(link));
	(void)snprintf(text, CODE_SIZE, "%s", codes[code].code);
	if (fabricmap_link_is_up(link) || code == N_CODES - 1) {
		used->up[code] = true;
		return text;
	}
	used->down[code] = true;
	for (char *p = text; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return text;
}

/* How much of the names' beginning and end is the same for all: columns leave it out. */
static void names_common(const struct fabricmap *map, size_t *ret_prefix, size_t *ret_suffix)
{
	size_t n = fabricmap_n_devices(map), prefix = 0, suffix = 0;
	const char *first = NULL, *colon;

	for (size_t i = 0; i < n; i++) {
		const char *name = fabricmap_device_name(fabricmap_device_at(map, i));
		size_t length = strlen(name);

		if (!fabricmap_device_is_managed(fabricmap_device_at(map, i)))
			continue;
		if (!first) {
			/* The domain and the function of a PCI address, as wholes. */
			first = name;
			colon = strchr(first, ':');
			prefix = colon ? (size_t)(colon - first) + 1 : 0;
			suffix = colon && length > 2 && first[length - 2] == '.' ? 2 : 0;
		}
		if (length != strlen(first))
			prefix = suffix = 0;
		if (strncmp(name, first, prefix))
			prefix = 0;
		if (suffix && strcmp(name + length - suffix, first + strlen(first) - suffix))
			suffix = 0;
	}
	*ret_prefix = prefix;
	*ret_suffix = suffix;
}

static void add_groups(struct table *table, const struct fabricmap *map, size_t device)
{
	_cleanup_(freep) char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		err(EXIT_FAILED, "memory");
	for (size_t i = 0; i < fabricmap_n_groups(map); i++) {
		const struct fabricmap_group *group = fabricmap_group_at(map, i);

		for (size_t j = 0; j < fabricmap_group_n_members(group); j++)
			if (fabricmap_group_member(group, j) == device)
				fprintf(file, "%s%s", ftell(file) > 0 ? "," : "", fabricmap_group_id(group));
	}
	if (fclose(file) != 0)
		err(EXIT_FAILED, "memory");
	table_add(table, *text ? text : "-");
}

static void add_memory(struct table *table, const struct fabricmap_device *device)
{
	char free_text[SIZE_TEXT_SIZE], size[SIZE_TEXT_SIZE], text[2 * SIZE_TEXT_SIZE + 8];
	int64_t free_bytes = 0, size_bytes = 0;

	for (size_t i = 0; i < fabricmap_device_n_regions(device); i++) {
		const struct fabricmap_region *region = fabricmap_device_region_at(device, i);

		/* Sums of damaged trees may not fit: then they stay at the limit. */
		if (__builtin_add_overflow(free_bytes, fabricmap_region_free_bytes(region), &free_bytes))
			free_bytes = INT64_MAX;
		if (__builtin_add_overflow(size_bytes, fabricmap_region_size_bytes(region), &size_bytes))
			size_bytes = INT64_MAX;
	}
	if (fabricmap_device_n_regions(device) == 0) {
		table_add(table, "-");
		return;
	}
	(void)snprintf(text, sizeof(text), "%s of %s", size_text(free_bytes, free_text), size_text(size_bytes, size));
	table_add(table, text);
}

static void print_matrix(const struct fabricmap *map, bool bandwidth, struct used *used)
{
	size_t n = fabricmap_n_devices(map), prefix, suffix;
	_cleanup_(table_freep) struct table *table = table_new(managed_n(map) + 5);
	const int64_t *matrix;

	(void)fabricmap_bandwidth(map, &matrix); /* n */
	names_common(map, &prefix, &suffix);
	table_add(table, "");
	for (size_t i = 0; i < n; i++) {
		const char *name = fabricmap_device_name(fabricmap_device_at(map, i));
		_cleanup_(freep) char *head = NULL;

		if (!fabricmap_device_is_managed(fabricmap_device_at(map, i)))
			continue;
		head = strndup(name + prefix, strlen(name) - prefix - suffix);
		if (!head)
			err(EXIT_FAILED, "memory");
		table_add(table, head);
	}
	table_add(table, "NUMA");
	table_add(table, "STATE");
	table_add(table, "GROUP");
	table_add(table, "VRAM FREE");
	for (size_t i = 0; i < n; i++) {
		const struct fabricmap_device *device = fabricmap_device_at(map, i);
		char number[SIZE_TEXT_SIZE], code[CODE_SIZE];

		if (!fabricmap_device_is_managed(device))
			continue;
		table_add(table, fabricmap_device_name(device));
		for (size_t j = 0; j < n; j++) {
			if (!fabricmap_device_is_managed(fabricmap_device_at(map, j)))
				continue;
			if (bandwidth && i != j)
				table_add(table, number_text(matrix[i * n + j], number));
			else
				table_add(table, cell(map, i, j, used, code));
		}
		table_add(table, number_text(fabricmap_device_numa_node(device), number));
		table_add(table, fabricmap_device_state(device));
		add_groups(table, map, i);
		add_memory(table, device);
	}
	table_print(table);
}

static void print_legend(const struct used *used, bool bandwidth)
{
	puts("\nLegend: row = reads and writes, column = whose memory it is");
	puts("  X   the device itself");
	if (bandwidth) {
		puts("  MB/s (10^6 bytes/s): the least of read and write of both directions; - unknown");
		return;
	}
	for (size_t i = 0; i < N_CODES; i++)
		if (used->up[i])
			printf("  %s  %s\n", codes[i].code, codes[i].meaning);
	for (size_t i = 0; i < N_CODES; i++)
		if (used->down[i])
			printf("  %c%c  %s, down: memory goes to system memory first\n",
			       tolower((unsigned char)codes[i].code[0]), tolower((unsigned char)codes[i].code[1]),
			       codes[i].meaning);
	if (used->unknown)
		puts("  ?   unknown");
}

static void print_groups(const struct fabricmap *map)
{
	if (fabricmap_n_groups(map) == 0)
		return;
	puts("\nGroups: devices that links of one type join");
	for (size_t i = 0; i < fabricmap_n_groups(map); i++) {
		const struct fabricmap_group *group = fabricmap_group_at(map, i);

		printf("  %s:", fabricmap_group_id(group));
		for (size_t j = 0; j < fabricmap_group_n_members(group); j++)
			printf(" %s",
			       fabricmap_device_name(fabricmap_device_at(map, fabricmap_group_member(group, j))));
		putchar('\n');
	}
}

/* Why a link is down; NULL if it is up or nobody says. */
static const char *down_reason(const struct fabricmap_link *link)
{
	return link && !fabricmap_link_is_up(link) ? fabricmap_link_why_not(link) : NULL;
}

/* Only links that say why they are down; both directions in one line if they say the same. */
static void print_down(const struct fabricmap *map)
{
	size_t n_lines = 0;

	for (size_t i = 0; i < fabricmap_n_links(map); i++) {
		const struct fabricmap_link *link = fabricmap_link_at(map, i);
		size_t accessor = fabricmap_link_accessor(link), owner = fabricmap_link_owner(link);
		const char *why_not = down_reason(link), *back;
		bool both;

		if (!why_not)
			continue;
		back = down_reason(fabricmap_link_find(map, owner, accessor));
		both = back && !strcmp(back, why_not);
		if (both && owner < accessor)
			continue;
		if (n_lines++ == 0)
			puts("\nDown:");
		if (n_lines <= DOWN_LINES_MAX)
			printf("  %s %s %s: %s\n", fabricmap_device_name(fabricmap_device_at(map, accessor)),
			       both ? "<->" : "->", fabricmap_device_name(fabricmap_device_at(map, owner)), why_not);
	}
	if (n_lines > DOWN_LINES_MAX)
		printf("  and %zu more (--json has them)\n", n_lines - DOWN_LINES_MAX);
}

/* Which of the figures somebody has measured, and when. */
static void print_measured(const struct fabricmap *map)
{
	size_t n_lines = 0;

	for (size_t i = 0; i < fabricmap_n_links(map); i++) {
		const struct fabricmap_link *link = fabricmap_link_at(map, i);
		char read[SIZE_TEXT_SIZE], write[SIZE_TEXT_SIZE], when[32] = "?";
		time_t at_s = (time_t)fabricmap_link_measured_at_s(link);
		struct tm tm;

		if (fabricmap_link_measured_at_s(link) == FABRICMAP_UNKNOWN)
			continue;
		if (n_lines++ == 0)
			puts("\nMeasured, MB/s:");
		if (n_lines > MEASURED_LINES_MAX)
			continue;
		/* A year of ten digits is no date. */
		if (gmtime_r(&at_s, &tm) && tm.tm_year < 8100)
			(void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
		printf("  %s -> %s: reads %s, writes %s, %s\n",
		       fabricmap_device_name(fabricmap_device_at(map, fabricmap_link_accessor(link))),
		       fabricmap_device_name(fabricmap_device_at(map, fabricmap_link_owner(link))),
		       number_text(fabricmap_link_read_bandwidth_mbps(link), read),
		       number_text(fabricmap_link_write_bandwidth_mbps(link), write), when);
	}
	if (n_lines > MEASURED_LINES_MAX)
		printf("  and %zu more (--json has them)\n", n_lines - MEASURED_LINES_MAX);
}

int cmd_topo(int argc, char **argv)
{
	static const struct option options[] = {
		{ "bandwidth", no_argument, NULL, 'b' },      { "help", no_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },	      { "root", required_argument, NULL, 'R' },
		{ "topology", required_argument, NULL, 'T' }, { 0 },
	};
	_cleanup_(map_unrefp) struct fabricmap *map = NULL;
	bool arg_json = false, arg_bandwidth = false;
	const char *arg_root = NULL, *arg_topology = NULL;
	struct used used = { 0 };
	int c;

	while ((c = getopt_long(argc, argv, "bhj", options, NULL)) >= 0) {
		switch (c) {
		case 'b':
			arg_bandwidth = true;
			break;
		case 'h':
			return help();
		case 'j':
			arg_json = true;
			break;
		case 'R':
			arg_root = optarg;
			break;
		case 'T':
			arg_topology = optarg;
			break;
		default:
			return usage_hint("topo");
		}
	}
	if (optind < argc)
		return usage_error("topo", "topo: one argument too many: %s", argv[optind]);
	if (arg_root && arg_topology)
		return usage_error("topo", "topo: --root and --topology: one of them");
	if (arg_topology ? map_load("topo", arg_topology, &map) < 0 : map_open("topo", arg_root, &map) < 0)
		return EXIT_FAILED;
	map_warn("topo", map);
	if (arg_json) {
		_cleanup_(freep) char *text = fabricmap_to_json(map);

		if (!text)
			err(EXIT_FAILED, "memory");
		puts(text);
		return EXIT_DONE;
	}
	if (arg_topology) {
		topo_pairs_print(map);
		return EXIT_DONE;
	}
	if (fabricmap_n_devices(map) == 0) {
		puts("no devices");
		return EXIT_DONE;
	}
	if (managed_n(map) > 0) {
		print_matrix(map, arg_bandwidth, &used);
		print_legend(&used, arg_bandwidth);
		print_groups(map);
		print_down(map);
	}
	if (arg_bandwidth)
		print_measured(map);
	unmanaged_print(map);
	return EXIT_DONE;
}

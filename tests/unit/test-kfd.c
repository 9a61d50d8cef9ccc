// SPDX-License-Identifier: MIT
/*
 * The tree of the AMD compute driver: what the rule says of it, in machines of a few nodes, and damaged trees. Expected
 * figures are by hand.
 */
#include "machine.h"
#include "source/source.h"
#include "tree-maker.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A machine in words: "C0" a CPU node; "G2:location:generation" a GPU; "L2>0:type:weight:bandwidth" an io_link, "P..."
 * a p2p_link. Locations are hexadecimal.
 */
static void machine_write(const char *root, const char *words)
{
	char *text = strdup(words), *state = NULL;
	unsigned int n_links = 0;

	for (char *word = strtok_r(text, " ", &state); word; word = strtok_r(NULL, " ", &state)) {
		unsigned int node, to, type, weight, gfx;
		unsigned long location;
		long long bandwidth;
		char path[128], properties[512];

		if (sscanf(word, "G%u:%lx:%u", &node, &location, &gfx) == 3) {
			snprintf(path, sizeof(path), "%u/properties", node);
			snprintf(properties, sizeof(properties),
				 "cpu_cores_count 0\nsimd_count 64\ngfx_target_version %u\nlocation_id %lu\ndomain 0\n"
				 "drm_render_minor %u\nhive_id 17\n",
				 gfx, location, 126 + node);
		} else if (sscanf(word, "C%u", &node) == 1) {
			snprintf(path, sizeof(path), "%u/properties", node);
			snprintf(properties, sizeof(properties), "cpu_cores_count 8\nsimd_count 0\nlocation_id 0\n");
		} else {
			ck_assert_int_eq(sscanf(word + 1, "%u>%u:%u:%u:%lld", &node, &to, &type, &weight, &bandwidth),
					 5);
			snprintf(path, sizeof(path), "%u/%s/%u/properties", node,
				 word[0] == 'L' ? "io_links" : "p2p_links", n_links++);
			snprintf(properties, sizeof(properties),
				 "type %u\nnode_from %u\nnode_to %u\nweight %u\nmin_bandwidth 0\nmax_bandwidth %lld\n",
				 type, node, to, weight, bandwidth);
		}
		tree_write(root, path, properties);
	}
	free(text);
}

#define TWO_GPUS "C0 G1:300:90010 G2:2600:90010 "
#define TO_CPU "L1>0:2:20:32000 L2>0:2:20:32000 "
#define TWO_SOCKETS "C0 C1 G2:300:90010 G3:2600:90010 L2>0:2:20:32000 L3>1:2:20:32000 "
#define AMD_CPUS "L0>1:1:32:0 L1>0:1:32:0 "

static const struct {
	const char *clause, *words;
	int64_t mbps;
	bool linked, assumed;
	enum topology_pair_kind kind;
	const char *warning;
} machines[] = {
	{ "XGMI as reported", TWO_GPUS TO_CPU "L1>2:11:15:50000 L2>1:11:15:50000", 50000, true, false,
	  TOPOLOGY_PAIR_DIRECT, NULL },
	{ "in both kinds of links it counts once, the larger",
	  TWO_GPUS TO_CPU "L1>2:11:15:40000 P1>2:11:15:50000 L2>1:11:15:50000 P2>1:11:15:40000", 50000, true, false,
	  TOPOLOGY_PAIR_DIRECT, NULL },
	{ "XGMI of 0 MB/s: one link of the generation, a guess", TWO_GPUS TO_CPU "L1>2:11:15:0 L2>1:11:15:0", 36000,
	  true, true, TOPOLOGY_PAIR_DIRECT, NULL },
	{ "XGMI of 0 MB/s on one side", TWO_GPUS TO_CPU "L1>2:11:15:0 L2>1:11:15:30000", 30000, true, true,
	  TOPOLOGY_PAIR_DIRECT, "asymmetric link: " },
	{ "XGMI one way only: PCI", TWO_GPUS TO_CPU "L1>2:11:15:50000", 24000, false, false, TOPOLOGY_PAIR_PCI,
	  "one-sided link: 0000:03:00.0 -> 0000:26:00.0" },
	{ "XGMI one way only, PCIe both: the PCIe record",
	  TWO_GPUS TO_CPU "L1>2:11:15:50000 P1>2:2:40:16000 P2>1:2:40:16000", 12000, false, false, TOPOLOGY_PAIR_PCI,
	  "one-sided link: " },
	{ "PCIe is 3/4 of what is said, rounded down", TWO_GPUS "L1>0:2:20:10001 L2>0:2:20:32000", 7500, false, false,
	  TOPOLOGY_PAIR_PCI, NULL },
	{ "and at most 16 lanes of the generation", TWO_GPUS "L1>0:2:20:64000 L2>0:2:20:64000", 24000, false, false,
	  TOPOLOGY_PAIR_PCI, NULL },
	{ "which for gfx942 are of 32 GT/s", "C0 G1:300:90402 G2:2600:90402 L1>0:2:20:64000 L2>0:2:20:64000", 48000,
	  false, false, TOPOLOGY_PAIR_PCI, NULL },
	{ "0 MB/s to the CPU is unknown: 16 lanes at 8 GT/s, a guess", TWO_GPUS "L1>0:2:20:0 L2>0:2:20:32000", 12000,
	  false, true, TOPOLOGY_PAIR_PCI, NULL },
	{ "the CPU of least weight", "C0 C1 G2:300:90010 G3:2600:90010 L2>0:2:40:8000 L2>1:2:20:16000 L3>1:2:20:32000",
	  12000, false, false, TOPOLOGY_PAIR_PCI, NULL },
	{ "a GPU-GPU record instead of the GPUs' own", TWO_GPUS TO_CPU "P1>2:2:40:8000 P2>1:2:40:8000", 6000, true,
	  false, TOPOLOGY_PAIR_PCI, NULL },
	{ "of 0 MB/s: the GPUs' own", TWO_GPUS TO_CPU "P1>2:2:40:0 P2>1:2:40:0", 24000, true, false, TOPOLOGY_PAIR_PCI,
	  NULL },
	{ "in one direction only it counts in neither", TWO_GPUS TO_CPU "P1>2:2:40:8000", 24000, false, false,
	  TOPOLOGY_PAIR_PCI, "one-sided link: " },
	{ "across sockets: AMD by the type of the CPUs' link", TWO_SOCKETS AMD_CPUS, 16000, false, false,
	  TOPOLOGY_PAIR_PCI, NULL },
	{ "Intel of unknown model: a guess", TWO_SOCKETS "L0>1:5:21:0 L1>0:5:21:0", 16000, false, true,
	  TOPOLOGY_PAIR_PCI, NULL },
	{ "a GPU-GPU record, and the CPU link", TWO_SOCKETS AMD_CPUS "P2>3:2:72:32000 P3>2:2:72:32000", 16000, true,
	  false, TOPOLOGY_PAIR_PCI, NULL },
	{ "XGMI to the CPU instead of PCI",
	  "C0 G1:300:90402 G2:2600:90402 L1>0:11:15:64000 L1>0:2:20:8000 L2>0:11:15:64000", 64000, false, false,
	  TOPOLOGY_PAIR_PCI, NULL },
	{ "of 0 MB/s: one link of the generation, a guess",
	  "C0 G1:300:90402 G2:2600:90402 L1>0:11:15:0 L2>0:11:15:64000", 48000, false, true, TOPOLOGY_PAIR_PCI, NULL },
	{ "generation unknown", "C0 G1:300:0 G2:2600:0 " TO_CPU "L1>2:11:15:0 L2>1:11:15:0", 36000, true, true,
	  TOPOLOGY_PAIR_DIRECT, NULL },
	{ "impossible: more than 10 TB/s", TWO_GPUS TO_CPU "L1>2:11:15:10000001 L2>1:11:15:50000", 36000, true, true,
	  TOPOLOGY_PAIR_DIRECT, "impossible link: 0000:03:00.0 -> 0000:26:00.0: 10000001 MB/s" },
};

START_TEST(clause)
{
	const struct topology_pair expected = {
		.bandwidth_mbps = machines[_i].mbps,
		.linked = machines[_i].linked,
		.assumed = machines[_i].assumed,
		.kind = machines[_i].kind,
		.origin = TOPOLOGY_ORIGIN_KFD,
	};
	struct topology *topology;
	char *root = tree_make(), *error = NULL;

	machine_write(root, machines[_i].words);
	ck_assert_int_eq(source_kfd_read_nodes(root, &topology, &error), 0);
	tree_remove(root);
	ck_assert_uint_eq(topology->n_devices, 2);
	machine_check_pair(topology, machines[_i].clause, &expected);
	machine_check_warnings(topology, machines[_i].clause, machines[_i].warning);
	topology_unref(topology);
}
END_TEST

static const struct {
	const char *what, *words;
	const char *names[4];
} partitions[] = {
	{ "alone with number 0: a device", "G1:300:90402 G2:2600:90402", { "0000:03:00.0", "0000:26:00.0" } },
	{ "alone with another number: a partition", "G1:303:90402", { "0000:03:00.0/p3" } },
	{ "in the low bits, not in order",
	  "G1:302:90402 G2:300:90402 G3:301:90402",
	  { "0000:03:00.0/p0", "0000:03:00.0/p1", "0000:03:00.0/p2" } },
	{ "in bits 31 to 28, which go first",
	  "G1:300:90402 G2:10000300:90402 G3:20000301:90402",
	  { "0000:03:00.0/p0", "0000:03:00.0/p1", "0000:03:00.0/p2" } },
	{ "by number, not by text", "G1:a0000300:90402 G2:90000300:90402", { "0000:03:00.0/p9", "0000:03:00.0/p10" } },
};

START_TEST(partition_names)
{
	struct topology *topology;
	char *root = tree_make(), *error = NULL;
	size_t n = 0;

	machine_write(root, partitions[_i].words);
	ck_assert_int_eq(source_kfd_read_nodes(root, &topology, &error), 0);
	tree_remove(root);
	for (; n < 4 && partitions[_i].names[n]; n++) {
		ck_assert_msg(n < topology->n_devices, "%s", partitions[_i].what);
		ck_assert_msg(!strcmp(topology->devices[n].name, partitions[_i].names[n]), "%s: %s",
			      partitions[_i].what, topology->devices[n].name);
	}
	ck_assert_uint_eq(topology->n_devices, n);
	if (strchr(topology->devices[0].name, '/'))
		ck_assert_uint_eq(topology->devices[n - 1].resolved.package, 0);
	topology_unref(topology);
}
END_TEST

START_TEST(two_nodes_of_one_name_are_refused)
{
	struct topology *topology;
	char *root = tree_make(), *error = NULL;

	machine_write(root, "G1:301:90402 G2:10000300:90402");
	ck_assert_int_eq(source_kfd_read_nodes(root, &topology, &error), -EEXIST);
	ck_assert_str_eq(error, "two nodes, one of them 2, stand for 0000:03:00.0/p1");
	free(error);
	tree_remove(root);
}
END_TEST

START_TEST(facts_of_a_device)
{
	/* Generation, hive, place, memory, and whose these facts are. */
	struct topology *topology;
	char *root = tree_make(), *error = NULL;
	const struct topology_device *device;

	machine_write(root, TWO_GPUS TO_CPU);
	tree_write(root, "1/mem_banks/0/properties",
		   "heap_type 1\nsize_in_bytes 68702699520\nwidth 4096\nmem_clk_max 1600\n");
	tree_write(root, "0/mem_banks/0/properties",
		   "heap_type 0\nsize_in_bytes 540000000000\nwidth 64\nmem_clk_max 3200\n");
	ck_assert_int_eq(source_kfd_read_nodes(root, &topology, &error), 0);
	tree_remove(root);
	device = &topology->devices[0];
	ck_assert_str_eq(device->arch, "gfx90a");
	ck_assert_str_eq(device->hive, "0x11");
	ck_assert_str_eq(device->driver, "amdgpu");
	ck_assert_str_eq(device->render_node, "/dev/dri/renderD127");
	ck_assert_int_eq(device->state, TOPOLOGY_STATE_UNMANAGED);
	ck_assert_uint_eq(topology->devices[1].resolved.hive, 0);
	ck_assert_str_eq(topology->nodes[device->resolved.cpu].name, "node0");
	ck_assert_int_eq(device->facts[TOPOLOGY_FACT_ARCH].origin, TOPOLOGY_ORIGIN_KFD);
	ck_assert_int_eq(device->facts[TOPOLOGY_FACT_NUMA_NODE].confidence, TOPOLOGY_CONFIDENCE_DERIVED);
	ck_assert_uint_eq(topology->n_memories, 2);
	ck_assert_str_eq(topology->memories[0].name, "0000:03:00.0/vram0");
	ck_assert_int_eq(topology->memories[0].kind, TOPOLOGY_MEMORY_HBM);
	ck_assert_int_eq(topology->memories[0].bandwidth_mbps, 4096 / 8 * 1600 * 2);
	ck_assert_uint_eq(topology->memories[0].resolved_device, 0);
	topology_unref(topology);
}
END_TEST

static const struct {
	const char *path, *text; /* NULL: taken away */
	const char *warning;
	size_t n_devices, n_links;
} damages[] = {
	{ "1/properties", NULL, "unreadable node: 1: properties: missing: left out", 1, 0 },
	{ "1/properties", "", "unreadable node: 1: properties: empty: left out", 1, 0 },
	{ "1/properties", "simd_count 64\nlocation_id",
	  "unreadable node: 1: properties: location_id: not what belongs there", 1, 0 },
	{ "1/properties", "simd_count -1\n", "unreadable node: 1: properties: simd_count: out of range", 1, 0 },
	{ "1/properties", "simd_count 64\nlocation_id 99999999999999999999\n",
	  "unreadable node: 1: properties: location_id: out of range", 1, 0 },
	{ "1/properties", "simd_count 64\nlocation_id 4294967296\n",
	  "unreadable node: 1: properties: location_id: out of range", 1, 0 },
	{ "1/properties", "simd_count 64\nsimd_count 64\nlocation_id 768\n",
	  "unreadable node: 1: properties: simd_count: there twice", 1, 0 },
	{ "1/properties", "simd_count 64\nlocation_id \xff\xfe\n", "unreadable node: 1: properties: not plain text", 1,
	  0 },
	{ "1/properties", "simd_count 64\n", "unreadable node: 1: properties: location_id: missing", 1, 0 },
	{ "1/io_links/2/properties", NULL, "unreadable link: 1: 2/properties: missing: left out", 2, 1 },
	{ "1/io_links/2/properties", "type 11\nnode_from 1\n", "unreadable link: 1: 2/properties: node_to: missing", 2,
	  1 },
	{ "1/io_links/2/properties", "type 11\nnode_from 1\nnode_to 99\nmax_bandwidth 1\n",
	  "dangling link: node 1 -> node 99: no such node", 2, 1 },
	{ "1/io_links/2/properties", "type 11\nnode_from 1\nnode_to 1\nmax_bandwidth 1\n",
	  "dangling link: node 1 -> node 1: a node is not linked to itself", 2, 1 },
	{ "1/io_links/2/properties", "type 11\nnode_from 7\nnode_to 2\nmax_bandwidth 1\n",
	  "unreadable link: 1: 2/properties: node_from is 7", 2, 1 },
	{ "1/io_links/2/properties", "type 11\nnode_from 1\nnode_to 2\nmax_bandwidth -5\n",
	  "unreadable link: 1: 2/properties: max_bandwidth: out of range", 2, 1 },
	{ "1/io_links/9/properties", "type 11\nnode_from 1\nnode_to 2\nmax_bandwidth 18446744073709551615\n",
	  "impossible link: 0000:03:00.0 -> 0000:26:00.0: 18446744073709551615 MB/s", 2, 2 },
	{ "x/properties", "simd_count 1\n", "unreadable node: x: not a name", 2, 2 },
	{ "01/properties", "simd_count 1\n", "unreadable node: 01: not a name", 2, 2 },
};

START_TEST(damage_costs_only_itself)
{
	struct topology *topology;
	char *root = tree_make(), *error = NULL;

	machine_write(root, TWO_GPUS TO_CPU "L1>2:11:15:50000 L2>1:11:15:50000");
	if (damages[_i].text)
		tree_write(root, damages[_i].path, damages[_i].text);
	else
		tree_delete(root, damages[_i].path);
	ck_assert_int_eq(source_kfd_read_nodes(root, &topology, &error), 0);
	tree_remove(root);
	machine_check_warnings(topology, damages[_i].path, damages[_i].warning);
	ck_assert_uint_eq(topology->n_devices, damages[_i].n_devices);
	ck_assert_uint_eq(topology->n_links, damages[_i].n_links);
	topology_unref(topology);
}
END_TEST

START_TEST(links_out_of_the_tree)
{
	/* A link of the file system instead of a file or folder is not followed. */
	struct topology *topology;
	char *root = tree_make(), *error = NULL;

	machine_write(root, TWO_GPUS TO_CPU);
	tree_delete(root, "1/properties");
	tree_link(root, "1/properties", "../2/properties");
	tree_link(root, "3", "2");
	tree_link(root, "2/p2p_links", "/etc");
	tree_link(root, "2/io_links/5", "../../1");
	ck_assert_int_eq(source_kfd_read_nodes(root, &topology, &error), 0);
	tree_remove(root);
	ck_assert_uint_eq(topology->n_devices, 1);
	ck_assert(machine_has_warning(topology, "unreadable node: 1: properties: a link where none belongs"));
	ck_assert(machine_has_warning(topology, "unreadable node: 3: "));
	ck_assert(machine_has_warning(topology, "unreadable node: 2/p2p_links: a link out of the tree"));
	ck_assert(machine_has_warning(topology, "unreadable link: 2: 5/properties: "));
	topology_unref(topology);
}
END_TEST

START_TEST(every_cut_of_a_file_is_read_or_told)
{
	/* A properties file cut off anywhere: no crash, and the other device is there. */
	static const char text[] = "simd_count 64\nlocation_id 768\nhive_id 17\ngfx_target_version 90010\n";
	char *root = tree_make(), *error = NULL;

	machine_write(root, TWO_GPUS TO_CPU);
	for (size_t i = 0; i < sizeof(text); i++) {
		struct topology *topology;

		tree_write_bytes(root, "1/properties", text, i);
		ck_assert_int_eq(source_kfd_read_nodes(root, &topology, &error), 0);
		ck_assert(topology_device_find(topology, "0000:26:00.0") >= 0);
		/* Whole lines are all that counts: a number that is cut may be another number, which nobody can tell. */
		ck_assert(topology->n_devices == 2 || topology->n_warnings > 0 || i < 14);
		topology_unref(topology);
	}
	tree_remove(root);
}
END_TEST

START_TEST(without_the_driver_it_is_empty)
{
	struct topology *topology;
	char *root = tree_make(), *error = NULL;

	ck_assert_int_eq(source_kfd_read(root, &topology, &error), 0);
	ck_assert_uint_eq(topology->n_devices + topology->n_warnings, 0);
	tree_remove(root);
	topology_unref(topology);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("kfd");

	tcase_add_loop_test(tcase, clause, 0, (int)(sizeof(machines) / sizeof(machines[0])));
	tcase_add_loop_test(tcase, partition_names, 0, (int)(sizeof(partitions) / sizeof(partitions[0])));
	tcase_add_test(tcase, two_nodes_of_one_name_are_refused);
	tcase_add_test(tcase, facts_of_a_device);
	tcase_add_loop_test(tcase, damage_costs_only_itself, 0, (int)(sizeof(damages) / sizeof(damages[0])));
	tcase_add_test(tcase, links_out_of_the_tree);
	tcase_add_test(tcase, every_cut_of_a_file_is_read_or_told);
	tcase_add_test(tcase, without_the_driver_it_is_empty);
	return machine_run_tcase("kfd", tcase);
}

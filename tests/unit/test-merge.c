// SPDX-License-Identifier: MIT
/*
 * PCI and NUMA in sysfs, and what all sources together make of one machine. Expected figures are by hand.
 */
#include "machine.h"
#include "source/source.h"
#include "tree-maker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KFD "class/kfd/kfd/topology/nodes/"

/* A function at the end of a chain of bridges, with what its link can do. */
static void pci_write(const char *root, const char *chain, const char *speed, const char *width, const char *class,
		      const char *numa_node)
{
	static const char *const names[] = { "max_link_speed", "max_link_width", "class", "numa_node" };
	const char *values[] = { speed, width, class, numa_node };
	const char *address = strrchr(chain, '/') + 1;
	char path[256], target[256];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!values[i])
			continue;
		snprintf(path, sizeof(path), "devices/pci0000:00/%s/%s", chain, names[i]);
		tree_write(root, path, values[i]);
	}
	snprintf(path, sizeof(path), "bus/pci/devices/%s", address);
	snprintf(target, sizeof(target), "../../../devices/pci0000:00/%s", chain);
	tree_link(root, path, target);
}

static void numa_write(const char *root, unsigned int node, const char *cpumap, unsigned int cpu, const char *package,
		       const char *kib)
{
	char path[128], text[256];

	snprintf(path, sizeof(path), "devices/system/node/node%u/cpumap", node);
	tree_write(root, path, cpumap);
	snprintf(path, sizeof(path), "devices/system/node/node%u/meminfo", node);
	snprintf(text, sizeof(text), "Node %u MemTotal:       %s kB\nNode %u MemFree:        12 kB\n", node, kib, node);
	tree_write(root, path, text);
	if (!package)
		return;
	snprintf(path, sizeof(path), "devices/system/cpu/cpu%u/topology/physical_package_id", cpu);
	tree_write(root, path, package);
}

/* Below one root port: a switch (02) with two downstream ports (03, 04) and a GPU at each; another GPU at another port. */
#define PORT "/0000:00:01.0"
#define SWITCH PORT "/0000:02:00.0"
#define GPU_A SWITCH "/0000:03:00.0/0000:05:00.0"
#define GPU_B SWITCH "/0000:03:01.0/0000:06:00.0"
#define GPU_C "/0000:00:02.0/0000:07:00.0"

static void bus_write(const char *root)
{
	pci_write(root, PORT, "16.0 GT/s PCIe\n", "4\n", "0x060400\n", NULL);
	pci_write(root, SWITCH, "16.0 GT/s PCIe\n", "16\n", "0x060400\n", NULL);
	pci_write(root, SWITCH "/0000:03:00.0", "8.0 GT/s PCIe\n", "16\n", "0x060400\n", NULL);
	pci_write(root, SWITCH "/0000:03:01.0", "16.0 GT/s PCIe\n", "16\n", "0x060400\n", NULL);
	pci_write(root, GPU_A, "16.0 GT/s PCIe\n", "16\n", "0x030200\n", "0\n");
	pci_write(root, GPU_B, "16.0 GT/s PCIe\n", "16\n", "0x120000\n", "0\n");
	pci_write(root, "/0000:00:02.0", "32.0 GT/s PCIe\n", "16\n", "0x060400\n", NULL);
	pci_write(root, GPU_C, "32.0 GT/s PCIe\n", "16\n", "0x038000\n", "1\n");
	/* Neither of them is a GPU. */
	pci_write(root, "/0000:00:03.0", NULL, NULL, "0x030000\n", "0\n");
	pci_write(root, "/0000:00:04.0", NULL, NULL, "0x020000\n", "0\n");
}

static struct topology *root_read(char *root)
{
	struct topology *topology;

	ck_assert_int_eq(source_read(root, &topology), 0);
	tree_remove(root);
	return topology;
}

static int64_t mbps_of(const struct topology *topology, const char *a, const char *b, bool *ret_assumed)
{
	ssize_t a_index = topology_device_find(topology, a), b_index = topology_device_find(topology, b);
	struct topology_pair pair;

	ck_assert_msg(a_index >= 0 && b_index >= 0, "%s, %s", a, b);
	pair = topology_pair(topology, (size_t)a_index, (size_t)b_index);
	*ret_assumed = pair.assumed;
	return pair.bandwidth_mbps;
}

START_TEST(paths_of_pci)
{
	/* A link is the lesser of its ends; the switch's own link counts for who is not below it; sockets by NUMA node. */
	char *root = tree_make();
	struct topology *topology;
	bool assumed;

	bus_write(root);
	topology = root_read(root);
	ck_assert_uint_eq(topology->n_devices, 3);
	/* A's own link: 12000 at the port's end. */
	ck_assert_int_eq(mbps_of(topology, "0000:05:00.0", "0000:06:00.0", &assumed), 12000);
	ck_assert(!assumed);
	/* The switch's link: 4 lanes at the root port's end. The CPUs are unknown, and in different NUMA nodes. */
	ck_assert_int_eq(mbps_of(topology, "0000:05:00.0", "0000:07:00.0", &assumed), 6000);
	ck_assert(assumed);
	ck_assert_str_eq(topology->nodes[topology->devices[0].resolved.parent].name, "0000:02:00.0");
	ck_assert_int_eq(topology->devices[0].facts[TOPOLOGY_FACT_PCI_LINK].origin, TOPOLOGY_ORIGIN_PCI);
	topology_unref(topology);
}
END_TEST

START_TEST(sockets_of_sysfs)
{
	/* The maker of the CPUs, and packages: NUMA nodes 0 and 1 are one package here, and there is nothing to guess. */
	char *root = tree_make();
	struct topology *topology;
	bool assumed;

	bus_write(root);
	numa_write(root, 0, "00000000,00000003\n", 0, "0\n", "1024");
	numa_write(root, 1, "00000001,00000000\n", 32, "0\n", "2048");
	tree_write(root, "devices/system/cpu/modalias", "cpu:type:x86,ven0000fam0006mod0055:feature:,0000,0001\n");
	topology = root_read(root);
	ck_assert_int_eq(mbps_of(topology, "0000:06:00.0", "0000:07:00.0", &assumed), 6000);
	ck_assert(!assumed);
	ck_assert_str_eq(topology->nodes[topology_node_find(topology, "node1")].vendor, "GenuineIntel");
	ck_assert_int_eq(topology->nodes[topology_node_find(topology, "node1")].model, 0x55);
	ck_assert_int_eq(topology->memories[topology_memory_find(topology, "node1")].size_bytes, 2048 * 1024);
	ck_assert_int_eq(topology->memories[topology_memory_find(topology, "node1")].free_bytes, 12 * 1024);
	topology_unref(topology);
}
END_TEST

START_TEST(access_classes)
{
	/* Figures by initiator and class; 0 is unknown; an initiator without CPUs is a node of its own kind. */
	char *root = tree_make();
	struct topology *topology;
	ssize_t node;

	numa_write(root, 0, "00000003\n", 0, "0\n", "1024");
	numa_write(root, 1, "00000000\n", 0, NULL, "0");
	numa_write(root, 2, "00000000\n", 0, NULL, "4096");
	tree_write(root, "devices/system/node/node2/access0/initiators/read_bandwidth", "419431\n");
	tree_write(root, "devices/system/node/node2/access0/initiators/write_bandwidth", "0\n");
	tree_write(root, "devices/system/node/node2/access0/initiators/read_latency", "8\n");
	tree_write(root, "devices/system/node/node2/access0/initiators/write_latency", "-1\n");
	tree_link(root, "devices/system/node/node2/access0/initiators/node1", "../../../node1");
	tree_write(root, "devices/system/node/node2/access1/initiators/read_bandwidth", "131072\n");
	tree_link(root, "devices/system/node/node2/access1/initiators/node0", "../../../node0");
	tree_link(root, "devices/system/node/node2/access1/initiators/node7", "../../../node7");
	topology = root_read(root);
	node = topology_node_find(topology, "node1");
	ck_assert_int_ge(node, 0);
	ck_assert_int_eq(topology->nodes[node].kind, TOPOLOGY_NODE_INITIATOR);
	ck_assert_uint_eq(topology->n_memories, 2);
	ck_assert_uint_eq(topology->n_accesses, 2);
	ck_assert_str_eq(topology->accesses[0].initiator, "node0");
	ck_assert_int_eq(topology->accesses[0].access_class, 1);
	ck_assert_int_eq(topology->accesses[1].read_bandwidth_mbps, 419431);
	ck_assert_int_eq(topology->accesses[1].write_bandwidth_mbps, TOPOLOGY_UNKNOWN);
	ck_assert_int_eq(topology->accesses[1].write_latency_ns, TOPOLOGY_UNKNOWN);
	ck_assert(machine_has_warning(topology, "dangling access: node7 to node2: no such initiator"));
	ck_assert(machine_has_warning(topology, "unreadable access: node2: access0: write_latency: out of range"));
	topology_unref(topology);
}
END_TEST

/* Two GPUs, linked both ways, one of them at the CPU of NUMA node @cpu. */
static void kfd_write(const char *root, const char *a_location, const char *b_location, const char *cpu)
{
	static const char *const links[] = { "1/io_links/0", "2/io_links/0" };
	char text[256], path[128];

	tree_write(root, KFD "0/properties", "cpu_cores_count 8\nsimd_count 0\n");
	tree_write(root, KFD "3/properties", "cpu_cores_count 8\nsimd_count 0\n");
	for (int i = 1; i <= 2; i++) {
		snprintf(path, sizeof(path), KFD "%d/properties", i);
		snprintf(text, sizeof(text), "simd_count 64\nlocation_id %s\ndomain 0\ngfx_target_version 90010\n",
			 i == 1 ? a_location : b_location);
		tree_write(root, path, text);
		snprintf(path, sizeof(path), KFD "%s/properties", links[i - 1]);
		snprintf(text, sizeof(text), "type 11\nnode_from %d\nnode_to %d\nweight 15\nmax_bandwidth 50000\n", i,
			 3 - i);
		tree_write(root, path, text);
		snprintf(path, sizeof(path), KFD "%d/io_links/1/properties", i);
		snprintf(text, sizeof(text), "type 2\nnode_from %d\nnode_to %s\nweight 20\nmax_bandwidth 32000\n", i,
			 cpu);
		tree_write(root, path, text);
	}
}

START_TEST(stock_kernel)
{
	/* Without the kernel part: KFD's devices at their place on the bus, and KFD's links. */
	char *root = tree_make();
	struct topology *topology;
	const struct topology_device *device;
	bool assumed;

	bus_write(root);
	kfd_write(root, "1280", "1536", "0");
	topology = root_read(root);
	ck_assert_uint_eq(topology->n_devices, 3);
	ck_assert_int_eq(mbps_of(topology, "0000:05:00.0", "0000:06:00.0", &assumed), 50000);
	device = &topology->devices[0];
	ck_assert_str_eq(device->arch, "gfx90a");
	ck_assert_str_eq(device->parent, "0000:02:00.0");
	/* The bus is believed of places and links of PCI. */
	ck_assert_int_eq(device->facts[TOPOLOGY_FACT_PCI_LINK].origin, TOPOLOGY_ORIGIN_PCI);
	ck_assert_int_eq(device->facts[TOPOLOGY_FACT_ARCH].origin, TOPOLOGY_ORIGIN_KFD);
	ck_assert(machine_has_warning(topology, "kernel part absent"));
	topology_unref(topology);
}
END_TEST

START_TEST(contradictions_are_told)
{
	/* KFD puts the GPUs at another NUMA node than the bus does. */
	char *root = tree_make();
	struct topology *topology;

	bus_write(root);
	kfd_write(root, "1280", "1536", "3");
	topology = root_read(root);
	ck_assert(machine_has_warning(topology,
				      "contradiction: 0000:05:00.0: numa_node: kfd and pci differ, pci is believed"));
	ck_assert_int_eq(topology->devices[0].numa_node, 0);
	topology_unref(topology);
}
END_TEST

START_TEST(the_fabric_knows_whether_a_link_may_be_used)
{
	/*
	 * KFD has XGMI between devices that are in the fabric, where it is down: KFD's figures are taken, for it has
	 * most links of XGMI, but it is not up.
	 */
	char *root = tree_make();
	struct topology *topology;
	struct topology_pair pair;
	char path[256];

	tree_fabric(root, 2);
	kfd_write(root, "16384", "16640", "0");
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/links/0000:4%c:00.0/type", tree_device(i), i ? '0' : '1');
		tree_write(root, path, "xgmi\n");
		snprintf(path, sizeof(path), "%s/links/0000:4%c:00.0/state", tree_device(i), i ? '0' : '1');
		tree_write(root, path, "down\n");
		snprintf(path, sizeof(path), "%s/links/0000:4%c:00.0/why_not", tree_device(i), i ? '0' : '1');
		tree_write(root, path, "switched off\n");
	}
	topology = root_read(root);
	ck_assert_uint_eq(topology->n_devices, 2);
	ck_assert_int_eq(topology->devices[0].state, TOPOLOGY_STATE_ONLINE);
	ck_assert_str_eq(topology->devices[0].arch, "gfx90a");
	pair = topology_pair(topology, 0, 1);
	ck_assert(!pair.linked);
	ck_assert_int_eq(pair.kind, TOPOLOGY_PAIR_PCI);
	ck_assert_str_eq(topology->links[0].why_not, "switched off");
	topology_unref(topology);
}
END_TEST

START_TEST(one_class_has_one_source)
{
	/* The fabric has PCIe between these two, KFD has XGMI: both are kept, and XGMI comes first. */
	char *root = tree_make();
	struct topology *topology;
	struct topology_pair pair;

	tree_fabric(root, 2);
	kfd_write(root, "16384", "16640", "0");
	topology = root_read(root);
	ck_assert_uint_eq(topology->n_links, 2);
	pair = topology_pair(topology, 0, 1);
	ck_assert_int_eq(pair.bandwidth_mbps, 50000);
	ck_assert_int_eq(pair.origin, TOPOLOGY_ORIGIN_KFD);
	ck_assert_int_eq(topology->links[0].pci_mbps, 12500);
	topology_unref(topology);
}
END_TEST

START_TEST(partitions_stand_for_their_function)
{
	/* The bus has one function, KFD two partitions of it, which are where it is. */
	char *root = tree_make();
	struct topology *topology;

	bus_write(root);
	kfd_write(root, "1280", "1281", "0");
	topology = root_read(root);
	ck_assert_int_eq(topology_device_find(topology, "0000:05:00.0"), -ENODEV);
	ck_assert_str_eq(topology->devices[0].name, "0000:05:00.0/p0");
	ck_assert_str_eq(topology->devices[1].name, "0000:05:00.0/p1");
	ck_assert_str_eq(topology->devices[1].parent, "0000:02:00.0");
	ck_assert_uint_eq(topology->devices[1].resolved.package, 0);
	topology_unref(topology);
}
END_TEST

START_TEST(refused_kfd_costs_the_rest_nothing)
{
	char *root = tree_make();
	struct topology *topology;

	bus_write(root);
	kfd_write(root, "1280", "1280", "0");
	topology = root_read(root);
	ck_assert_uint_eq(topology->n_devices, 3);
	ck_assert(machine_has_warning(topology, "unreadable kfd: two nodes, one of them 2, stand for 0000:05:00.0/p0"));
	topology_unref(topology);
}
END_TEST

static const struct {
	const char *what, *path, *text;
	int r;
	const char *error;
} paths[] = {
	{ "nothing", "file", "", -EBADMSG, "empty" },
	{ "neither", "file", "hello", -EPROTONOSUPPORT, "neither JSON (fabric.topology/1) nor XML (NCCL, hwloc)" },
	{ "XML", "file", "<system/>", -EPROTONOSUPPORT, "XML: only fabricctl and fabricd read that" },
	{ "cut off", "file", "{\"schema\":\"fabric.topology/1\"", -EBADMSG, "JSON: ends too early" },
	{ "damaged", "file", "{\"schema\":,}", -EBADMSG, "JSON: " },
	{ "more after its end", "file", "{\"schema\":\"x\"} {", -EBADMSG, "JSON: unexpected character at byte 15" },
	{ "not UTF-8", "file", "{\"schema\":\"\xff\"}", -EBADMSG, "JSON: " },
	{ "another schema", "file", "{\"schema\":\"fabric.topology/9\"}", -EPROTONOSUPPORT,
	  "schema: not fabric.topology/1" },
	{ "too deep", "file", "{\"schema\":[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]}", -EBADMSG,
	  "JSON: nesting too deep" },
	{ "no array", "file", "{\"schema\":\"fabric.topology/1\",\"generation\":0,\"source\":\"partial\"}", -EBADMSG,
	  "devices: missing" },
	{ "negative", "file",
	  "{\"schema\":\"fabric.topology/1\",\"generation\":0,\"source\":\"partial\",\"devices\":[{\"name\":\"a\",\"state\":"
	  "\"online\",\"regions\":[]},{\"name\":\"b\",\"state\":\"online\",\"regions\":[],\"numa_node\":-1}]}",
	  -EBADMSG, "devices[1]: numa_node: missing, of another type or range, or there twice" },
	{ "huge", "file",
	  "{\"schema\":\"fabric.topology/1\",\"generation\":0,\"source\":\"partial\",\"devices\":[{\"name\":\"a\",\"state\":"
	  "\"online\",\"regions\":[],\"pci_width\":99999999999999999999}]}",
	  -EBADMSG, "devices[0]: pci_width: " },
	{ "the same name twice", "file",
	  "{\"schema\":\"fabric.topology/1\",\"generation\":0,\"source\":\"partial\",\"devices\":[{\"name\":\"a\",\"state\":"
	  "\"online\",\"regions\":[]},{\"name\":\"a\",\"state\":\"online\",\"regions\":[]}]}",
	  -EBADMSG, "devices[1]: name: " },
	{ "a folder of something else", "file/some/where", "x", -EPROTONOSUPPORT,
	  "no tree that we know: neither sysfs, nor KFD's nodes" },
};

START_TEST(paths_that_are_no_topology)
{
	char *root = tree_make(), *error = NULL, *path;
	struct topology *topology;
	int r;

	tree_write(root, paths[_i].path, paths[_i].text);
	ck_assert_int_ge(asprintf(&path, "%s/file", root), 0);
	r = source_load(path, &topology, &error);
	ck_assert_msg(r == paths[_i].r, "%s: %d: %s", paths[_i].what, r, error ?: "");
	ck_assert_msg(error && !strncmp(error, paths[_i].error, strlen(paths[_i].error)), "%s: %s", paths[_i].what,
		      error ?: "");
	free(error);
	free(path);
	tree_remove(root);
}
END_TEST

static const char *const wrappings[] = { "nodes/",
					 "topology/nodes/",
					 "a/b/nodes/",
					 "a/topology/nodes/",
					 "",
					 "sys/class/kfd/kfd/topology/nodes/",
					 "a/sys/class/kfd/kfd/topology/nodes/" };

START_TEST(folders_are_recognized)
{
	/* The nodes by themselves, with folders around them, or in a tree of sysfs. */
	char *root = tree_make(), *error = NULL, path[256];
	struct topology *topology;

	snprintf(path, sizeof(path), "%s0/properties", wrappings[_i]);
	tree_write(root, path, "simd_count 64\nlocation_id 768\n");
	ck_assert_msg(source_load(root, &topology, &error) == 0, "%s: %s", wrappings[_i], error ?: "");
	ck_assert_uint_eq(topology->n_devices, 1);
	topology_unref(topology);
	tree_remove(root);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		paths_of_pci,
		sockets_of_sysfs,
		access_classes,
		stock_kernel,
		contradictions_are_told,
		the_fabric_knows_whether_a_link_may_be_used,
		one_class_has_one_source,
		partitions_stand_for_their_function,
		refused_kfd_costs_the_rest_nothing,
	};
	TCase *tcase = tcase_create("merge");

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tcase, tests[i]);
	tcase_add_loop_test(tcase, paths_that_are_no_topology, 0, (int)(sizeof(paths) / sizeof(paths[0])));
	tcase_add_loop_test(tcase, folders_are_recognized, 0, (int)(sizeof(wrappings) / sizeof(wrappings[0])));
	return machine_run_tcase("merge", tcase);
}

// SPDX-License-Identifier: MIT
#include "machine.h"
#include "source/source.h"
#include "tree-maker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char *root;

static void path_in_device(char path[256], size_t index, const char *name)
{
	ck_assert_int_lt(snprintf(path, 256, "%s/%s", tree_device(index), name), 256);
}

static void device_write(size_t index, const char *name, const char *text)
{
	char path[256];

	path_in_device(path, index, name);
	tree_write(root, path, text);
}

static void device_delete(size_t index, const char *name)
{
	char path[256];

	path_in_device(path, index, name);
	tree_delete(root, path);
}

static struct topology *read_root(void)
{
	struct topology *topology;

	ck_assert_int_eq(source_fabric_read(root, &topology), 0);
	return topology;
}

START_TEST(good_tree_is_read_whole)
{
	/* Four devices on two switches: every value arrives, and nothing is complained about. */
	const struct topology_link *link;
	struct topology *topology;

	root = tree_make();
	tree_fabric(root, 4);
	topology = read_root();
	for (size_t i = 0; i < topology->n_warnings; i++)
		fprintf(stderr, "# %s\n", topology->warnings[i]);
	ck_assert_uint_eq(topology->n_warnings, 0);
	ck_assert_int_eq(topology->source, TOPOLOGY_SOURCE_KERNEL);
	ck_assert_int_eq(topology->generation, 42);
	ck_assert_uint_eq(topology->n_devices, 4);
	ck_assert_uint_eq(topology->n_links, 12);
	ck_assert_uint_eq(topology->n_groups, 2);
	ck_assert_str_eq(topology->devices[1].name, "0000:41:00.0");
	ck_assert_str_eq(topology->devices[1].driver, "softgpu");
	ck_assert_str_eq(topology->devices[1].render_node, "/dev/dri/renderD129");
	ck_assert_int_eq(topology->devices[1].state, TOPOLOGY_STATE_ONLINE);
	ck_assert_int_eq(topology->devices[1].numa_node, 0);
	ck_assert_int_eq(topology->devices[1].regions[0].size_bytes, 268435456);
	ck_assert_int_eq(topology->devices[1].regions[0].free_bytes, 251658240);
	ck_assert_int_eq(topology->devices[1].regions[0].pagemap, TOPOLOGY_PAGEMAP_ACTIVE);
	ck_assert_int_eq(topology->devices[1].regions[0].pagemap_refs_pages, 4096);
	ck_assert_int_eq(topology->devices[1].regions[0].dead_bytes, 8192);
	link = topology_link_find(topology, 2, 3);
	ck_assert(link->up);
	ck_assert_int_eq(link->read_bandwidth_mbps, 13000);
	ck_assert_int_eq(link->write_bandwidth_mbps, 12500);
	ck_assert_int_eq(link->read_latency_ns, 900);
	ck_assert_int_eq(link->write_latency_ns, TOPOLOGY_UNKNOWN);
	ck_assert_str_eq(link->provenance, "nominal");
	ck_assert_ptr_null(link->why_not);
	link = topology_link_find(topology, 0, 3);
	ck_assert(!link->up);
	ck_assert_str_eq(link->why_not, "no common bridge below the root");
	ck_assert_int_eq(topology_pair(topology, 0, 1).bandwidth_mbps, 12500);
	ck_assert_str_eq(topology->groups[1].id, "pcie_switch-0000:42:00.0");
	ck_assert_uint_eq(topology->groups[1].members[1], 3);
	topology_unref(topology);
	tree_remove(root);
}
END_TEST

START_TEST(absent_class_names_the_remedy)
{
	struct topology *topology;

	root = tree_make();
	topology = read_root();
	ck_assert_uint_eq(topology->n_devices, 0);
	ck_assert_int_eq(topology->source, TOPOLOGY_SOURCE_PARTIAL);
	ck_assert_int_eq(topology->generation, 0);
	ck_assert(machine_has_warning(topology, "kernel part absent"));
	ck_assert_ptr_nonnull(strstr(topology->warnings[0], "modprobe drm_fabric"));
	topology_unref(topology);
	tree_remove(root);
}
END_TEST

START_TEST(absent_root_is_an_error)
{
	struct topology *topology;

	ck_assert_int_eq(source_fabric_read("/nonexistent/tree", &topology), -ENOENT);
}
END_TEST

START_TEST(no_devices_is_no_error)
{
	struct topology *topology;

	root = tree_make();
	tree_fabric(root, 0);
	topology = read_root();
	ck_assert_uint_eq(topology->n_devices, 0);
	ck_assert_int_eq(topology->source, TOPOLOGY_SOURCE_KERNEL);
	ck_assert_uint_eq(topology->n_warnings, 0);
	topology_unref(topology);
	tree_remove(root);
}
END_TEST

/* Damage to a value of device 1, what is said about it, and what is left: 4 devices, 12 links, 4 regions. */
static const struct damage {
	const char *file, *text; /* no text: the file is gone */
	const char *warning;
	size_t n_devices, n_links, n_regions;
} damages[] = {
	{ "state", NULL, "unreadable device: 0000:41:00.0: state: missing: left out", 3, 6, 3 },
	{ "state", "sleeping\n", "unreadable device: 0000:41:00.0: state", 3, 6, 3 },
	{ "state", "", "unreadable device: 0000:41:00.0: state: empty", 3, 6, 3 },
	{ "state", "online\nonline\n", "unreadable device: 0000:41:00.0: state: not one line", 3, 6, 3 },
	{ "state", "on\033[31mline\n", "unreadable device: 0000:41:00.0: state: not one line", 3, 6, 3 },
	{ "incarnation", NULL, "unreadable device: 0000:41:00.0: incarnation", 4, 12, 4 },
	{ "handles", "-3\n", "unreadable device: 0000:41:00.0: handles: out of range", 4, 12, 4 },
	{ "handles", "99999999999999999999\n", "unreadable device: 0000:41:00.0: handles: out of range", 4, 12, 4 },
	{ "numa_node", "one\n", "unreadable device: 0000:41:00.0: numa_node: not what", 4, 12, 4 },
	{ "render_node", "../mem\n", "unreadable device: 0000:41:00.0: render_node", 4, 12, 4 },
	{ "render_node", "renderD\n", "unreadable device: 0000:41:00.0: render_node", 4, 12, 4 },
	{ "regions/vram0/size_bytes", NULL, "unreadable region: 0000:41:00.0/vram0: size_bytes: missing", 4, 12, 3 },
	{ "regions/vram0/free_bytes", "1e9\n", "unreadable region: 0000:41:00.0/vram0: free_bytes", 4, 12, 3 },
	{ "regions/vram0/free_bytes", "268435457\n", "unreadable region: 0000:41:00.0/vram0: free_bytes is", 4, 12, 3 },
	{ "links/0000:40:00.0/type", "carrier_pigeon\n", "unreadable link: 0000:41:00.0 -> 0000:40:00.0: type", 4, 11,
	  4 },
	{ "links/0000:40:00.0/state", NULL, "unreadable link: 0000:41:00.0 -> 0000:40:00.0: state", 4, 11, 4 },
	{ "links/0000:40:00.0/state", "down\n", "one-sided link: 0000:40:00.0 -> 0000:41:00.0 is up", 4, 12, 4 },
	{ "links/0000:40:00.0/hops", "0x10\n", "unreadable link: 0000:41:00.0 -> 0000:40:00.0: hops", 4, 12, 4 },
	{ "links/0000:77:00.0/type", "cxl\n", "unreadable link: 0000:41:00.0 -> 0000:77:00.0: state", 4, 12, 4 },
};

START_TEST(damaged_values_cost_only_themselves)
{
	const struct damage *damage = &damages[_i];
	size_t n_regions = 0;
	struct topology *topology;

	root = tree_make();
	tree_fabric(root, 4);
	if (damage->text)
		device_write(1, damage->file, damage->text);
	else
		device_delete(1, damage->file);
	topology = read_root();
	for (size_t i = 0; i < topology->n_devices; i++)
		n_regions += topology->devices[i].n_regions;
	ck_assert_msg(machine_has_warning(topology, damage->warning), "%s: first of %zu: %s", damage->warning,
		      topology->n_warnings, topology->n_warnings ? topology->warnings[0] : "none");
	ck_assert_uint_eq(topology->n_devices, damage->n_devices);
	ck_assert_uint_eq(topology->n_links, damage->n_links);
	ck_assert_uint_eq(n_regions, damage->n_regions);
	topology_unref(topology);
	tree_remove(root);
}
END_TEST

START_TEST(unknown_counts_are_not_zero)
{
	struct topology *topology;

	root = tree_make();
	tree_fabric(root, 2);
	device_delete(0, "incarnation");
	device_write(0, "handles", "many\n");
	topology = read_root();
	ck_assert_int_eq(topology->devices[0].incarnation, TOPOLOGY_UNKNOWN);
	ck_assert_int_eq(topology->devices[0].n_handles, TOPOLOGY_UNKNOWN);
	ck_assert_int_eq(topology->devices[1].incarnation, 1);
	ck_assert(machine_has_warning(topology, "unreadable device: 0000:40:00.0: incarnation: unknown"));
	ck_assert(machine_has_warning(topology, "unreadable device: 0000:40:00.0: handles: unknown"));
	topology_unref(topology);
	tree_remove(root);
}
END_TEST

START_TEST(huge_and_binary_files_are_refused)
{
	static char huge[1 << 20];
	char path[256];
	struct topology *topology;

	root = tree_make();
	tree_fabric(root, 2);
	memset(huge, '1', sizeof(huge));
	path_in_device(path, 0, "state");
	tree_write_bytes(root, path, huge, sizeof(huge));
	path_in_device(path, 1, "state");
	tree_write_bytes(root, path, "onl\0ine\n", 8);
	tree_write_bytes(root, "class/drm_fabric_group/pcie_switch-0000:40:00.0/members", huge, sizeof(huge));
	topology = read_root();
	ck_assert_uint_eq(topology->n_devices, 0);
	ck_assert_uint_eq(topology->n_groups, 0);
	ck_assert(machine_has_warning(topology, "unreadable device: 0000:40:00.0: state: too long"));
	ck_assert(machine_has_warning(topology, "unreadable device: 0000:41:00.0: state: not one line"));
	ck_assert(machine_has_warning(topology, "unreadable group: pcie_switch-0000:40:00.0: too long"));
	topology_unref(topology);
	tree_remove(root);
}
END_TEST

START_TEST(links_do_not_lead_out)
{
	/* A tree of somebody else's has links to this machine: none of them is followed. */
	static const char *const targets[] = { "/etc", "../../../../../../../../../../etc", "../../../x", "loop" };
	struct topology *topology;
	char path[256];

	root = tree_make();
	tree_fabric(root, 1);
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "class/drm_fabric/0000:5%zu:00.0", i);
		tree_link(root, name, targets[i]);
	}
	tree_link(root, "class/drm_fabric/loop", "loop");
	path_in_device(path, 0, "numa_node");
	tree_link(root, path, "/proc/sys/kernel/pid_max");
	path_in_device(path, 0, "regions/vram1");
	tree_link(root, path, "vram0");
	topology = read_root();
	ck_assert_uint_eq(topology->n_devices, 1);
	ck_assert_int_eq(topology->devices[0].numa_node, TOPOLOGY_UNKNOWN);
	ck_assert_uint_eq(topology->devices[0].n_regions, 1);
	ck_assert(machine_has_warning(topology, "unreadable device: 0000:50:00.0: a link out of the tree"));
	ck_assert(machine_has_warning(topology, "unreadable device: 0000:51:00.0: a link out of the tree"));
	ck_assert(machine_has_warning(topology, "unreadable device: 0000:52:00.0"));
	ck_assert(machine_has_warning(topology, "unreadable device: loop: a link where none belongs, or too many"));
	ck_assert(machine_has_warning(topology, "unreadable device: 0000:40:00.0: numa_node: a link"));
	ck_assert(machine_has_warning(topology, "unreadable region: 0000:40:00.0/vram1"));
	topology_unref(topology);
	tree_remove(root);
}
END_TEST

START_TEST(fifos_and_folders_for_files_do_not_hang)
{
	struct topology *topology;
	char path[512];

	root = tree_make();
	tree_fabric(root, 2);
	device_delete(0, "state");
	(void)snprintf(path, sizeof(path), "%s/%s/state", root, tree_device(0));
	ck_assert_int_eq(mkfifo(path, 0644), 0);
	device_delete(1, "state");
	(void)snprintf(path, sizeof(path), "%s/state", tree_device(1));
	tree_folder(root, path);
	topology = read_root();
	ck_assert_uint_eq(topology->n_devices, 0);
	ck_assert(machine_has_warning(topology, "unreadable device: 0000:40:00.0: state: not a regular file"));
	ck_assert(machine_has_warning(topology, "unreadable device: 0000:41:00.0: state: not a regular file"));
	topology_unref(topology);
	tree_remove(root);
}
END_TEST

START_TEST(bad_names_do_not_get_through)
{
	struct topology *topology;

	root = tree_make();
	tree_fabric(root, 1);
	tree_folder(root, "class/drm_fabric/a b");
	tree_folder(root, "class/drm_fabric/\033[2J");
	tree_folder(root, "class/drm_fabric/.hidden");
	tree_folder(root, "class/drm_fabric/0123456789012345678901234567890123456789");
	topology = read_root();
	ck_assert_uint_eq(topology->n_devices, 1);
	ck_assert_uint_eq(topology->n_warnings, 4);
	ck_assert(machine_has_warning(topology, "unreadable device: a%20b: not a name"));
	ck_assert(machine_has_warning(topology, "unreadable device: %1b[2J: not a name"));
	topology_unref(topology);
	tree_remove(root);
}
END_TEST

#define UNMANAGED "devices/virtual/drm_fabric_unmanaged/0000:50:00.0/"

START_TEST(unmanaged_is_no_device_of_the_fabric)
{
	/* All that the kernel says of it arrives; it is in no pair. What is unknown is absent, what is damaged is told. */
	const struct topology_device *device;
	struct topology *topology;

	root = tree_make();
	tree_fabric(root, 2);
	tree_unmanaged(root, "0000:50:00.0", 2);
	topology = read_root();
	ck_assert_uint_eq(topology->n_warnings, 0);
	ck_assert_uint_eq(topology->n_devices, 3);
	ck_assert_uint_eq(topology->n_links, 2);
	device = &topology->devices[2];
	ck_assert_str_eq(device->name, "0000:50:00.0");
	ck_assert_int_eq(device->state, TOPOLOGY_STATE_UNMANAGED);
	ck_assert_str_eq(device->driver, "bochs-drm");
	ck_assert_str_eq(device->pci_class, "0x038000");
	ck_assert_str_eq(device->upstream_bridge, "0000:02:02.0");
	ck_assert_int_eq(device->numa_node, 1);
	ck_assert_int_eq(device->incarnation, TOPOLOGY_UNKNOWN);
	ck_assert_int_eq(device->n_handles, TOPOLOGY_UNKNOWN);
	ck_assert_uint_eq(device->n_regions, 0);
	ck_assert_uint_eq(device->n_distances, 2);
	ck_assert_str_eq(device->distances[1].device, "0000:41:00.0");
	ck_assert_int_eq(device->distances[1].distance, 5);
	ck_assert(!topology_pair(topology, 0, 2).linked);
	topology_unref(topology);

	tree_delete(root, UNMANAGED "driver");
	tree_delete(root, UNMANAGED "numa_node");
	tree_delete(root, UNMANAGED "upstream_bridge");
	tree_write(root, UNMANAGED "distances/0000:40:00.0", "-1\n");
	topology = read_root();
	device = &topology->devices[2];
	ck_assert_ptr_null(device->driver);
	ck_assert_ptr_null(device->upstream_bridge);
	ck_assert_int_eq(device->numa_node, TOPOLOGY_UNKNOWN);
	ck_assert_uint_eq(device->n_distances, 1);
	ck_assert_uint_eq(topology->n_warnings, 1);
	ck_assert(machine_has_warning(topology, "unreadable device: 0000:50:00.0: 0000:40:00.0"));
	topology_unref(topology);
	tree_remove(root);
}
END_TEST

START_TEST(joining_is_not_seen_twice)
{
	/* A function that is in both classes for a moment is the device of the fabric. */
	struct topology *topology;

	root = tree_make();
	tree_fabric(root, 2);
	tree_unmanaged(root, "0000:41:00.0", 1);
	topology = read_root();
	ck_assert_uint_eq(topology->n_warnings, 0);
	ck_assert_uint_eq(topology->n_devices, 2);
	ck_assert_int_eq(topology->devices[1].state, TOPOLOGY_STATE_ONLINE);
	ck_assert_uint_eq(topology->devices[1].n_regions, 1);
	topology_unref(topology);
	tree_remove(root);
}
END_TEST

START_TEST(measured_figures_say_when)
{
	char path[256];
	struct topology *topology;

	root = tree_make();
	tree_fabric(root, 2);
	path_in_device(path, 0, "links/0000:41:00.0/measured_at_s");
	tree_write(root, path, "1795257688\n");
	topology = read_root();
	ck_assert_uint_eq(topology->n_warnings, 0);
	ck_assert_int_eq(topology_link_find(topology, 0, 1)->measured_at_s, 1795257688);
	ck_assert_int_eq(topology_link_find(topology, 1, 0)->measured_at_s, TOPOLOGY_UNKNOWN);
	topology_unref(topology);
	tree_remove(root);
}
END_TEST

static int run(void)
{
	Suite *suite = suite_create("source");
	TCase *tcase = tcase_create("source");
	SRunner *runner;
	int n_failed;

	tcase_add_test(tcase, good_tree_is_read_whole);
	tcase_add_test(tcase, absent_class_names_the_remedy);
	tcase_add_test(tcase, absent_root_is_an_error);
	tcase_add_test(tcase, no_devices_is_no_error);
	tcase_add_loop_test(tcase, damaged_values_cost_only_themselves, 0, sizeof(damages) / sizeof(damages[0]));
	tcase_add_test(tcase, unknown_counts_are_not_zero);
	tcase_add_test(tcase, huge_and_binary_files_are_refused);
	tcase_add_test(tcase, links_do_not_lead_out);
	tcase_add_test(tcase, fifos_and_folders_for_files_do_not_hang);
	tcase_add_test(tcase, bad_names_do_not_get_through);
	tcase_add_test(tcase, unmanaged_is_no_device_of_the_fabric);
	tcase_add_test(tcase, joining_is_not_seen_twice);
	tcase_add_test(tcase, measured_figures_say_when);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(void)
{
	return run();
}

// SPDX-License-Identifier: MIT
#include "machine.h"

#include <errno.h>
#include <string.h>

#define A "0000:03:00.0"
#define B "0000:0a:00.0"
#define C "0000:43:00.0"

START_TEST(names_compare_as_numbers)
{
	/* Domain, bus, device, function and partition count as numbers; other names come after all addresses. */
	static const char *const ordered[] = {
		"0000:03:00.0",	   "0000:0a:00.0",     "0000:0A:00.1", "0000:0b:00.0",	"0000:0b:00.0/p0",
		"0000:0b:00.0/p2", "0000:0b:00.0/p10", "0001:00:00.0", "10000:00:00.0", "0000",
		"0000:03:00.",	   "0000:03:00.0/",    "soft2",	       "soft10",
	};

	for (size_t i = 0; i < sizeof(ordered) / sizeof(ordered[0]); i++)
		for (size_t j = 0; j < sizeof(ordered) / sizeof(ordered[0]); j++) {
			int r = topology_name_compare(ordered[i], ordered[j]);

			ck_assert_msg(i < j ? r < 0 :
				      i > j ? r > 0 :
					      r == 0,
				      "%s and %s: %d", ordered[i], ordered[j], r);
		}
}
END_TEST

START_TEST(devices_are_sorted_whatever_the_order)
{
	/* What is added last may come first; links follow their devices. */
	struct topology_builder *builder = machine_new();
	struct topology *topology;

	machine_link(builder, C, A, TOPOLOGY_LINK_XGMI, true, 5, 5);
	machine_link(builder, A, C, TOPOLOGY_LINK_XGMI, true, 5, 5);
	machine_add(builder, C, TOPOLOGY_STATE_ONLINE, 1);
	machine_add(builder, A, TOPOLOGY_STATE_ONLINE, 1);
	machine_add(builder, B, TOPOLOGY_STATE_ONLINE, 1);
	topology = machine_finish(builder);
	ck_assert_str_eq(topology->devices[0].name, A);
	ck_assert_str_eq(topology->devices[2].name, C);
	ck_assert_int_eq(topology_device_find(topology, B), 1);
	ck_assert_int_eq(topology_device_find(topology, "0000:0b:00.0"), -ENODEV);
	ck_assert_ptr_nonnull(topology_link_find(topology, 0, 2));
	ck_assert_ptr_nonnull(topology_link_find(topology, 2, 0));
	ck_assert_ptr_null(topology_link_find(topology, 0, 1));
	ck_assert_ptr_null(topology_link_find(topology, 1, 7));
	ck_assert_uint_eq(topology->n_warnings, 0);
	topology_unref(topology);
}
END_TEST

START_TEST(links_that_dangle_are_left_out)
{
	/* An end that is not there, the device itself, and a second record: each with a warning. */
	struct topology_builder *builder = machine_new();
	struct topology *topology;

	machine_add(builder, A, TOPOLOGY_STATE_ONLINE, 1);
	machine_add(builder, B, TOPOLOGY_STATE_ONLINE, 1);
	machine_link(builder, A, C, TOPOLOGY_LINK_XGMI, true, 5, 5);
	machine_link(builder, A, A, TOPOLOGY_LINK_XGMI, true, 5, 5);
	machine_join(builder, A, B, TOPOLOGY_LINK_XGMI, 5);
	machine_link(builder, A, B, TOPOLOGY_LINK_XGMI, true, 5, 5);
	topology = machine_finish(builder);
	ck_assert_uint_eq(topology->n_links, 2);
	ck_assert_uint_eq(topology->n_warnings, 3);
	ck_assert(machine_has_warning(topology, "dangling link: " A " -> " C));
	ck_assert(machine_has_warning(topology, "dangling link: " A " -> " A));
	ck_assert(machine_has_warning(topology, "double link: " A " -> " B));
	topology_unref(topology);
}
END_TEST

START_TEST(one_sided_link_is_told)
{
	struct topology_builder *builder = machine_new();
	struct topology *topology;

	machine_add(builder, A, TOPOLOGY_STATE_ONLINE, 1);
	machine_add(builder, B, TOPOLOGY_STATE_ONLINE, 1);
	machine_link(builder, A, B, TOPOLOGY_LINK_XGMI, true, 5, 5);
	machine_link(builder, B, A, TOPOLOGY_LINK_XGMI, false, 5, 5);
	topology = machine_finish(builder);
	ck_assert(machine_has_warning(topology, "one-sided link: " A " -> " B));
	ck_assert_uint_eq(topology->n_warnings, 1);
	topology_unref(topology);
}
END_TEST

START_TEST(link_of_a_device_without_memory_has_one_side)
{
	const struct topology_device engine = {
		.name = (char *)B,
		.driver = (char *)"softdma",
		.state = TOPOLOGY_STATE_ONLINE,
		.incarnation = 1,
		.numa_node = TOPOLOGY_UNKNOWN,
	};
	struct topology_builder *builder = machine_new();
	struct topology *topology;

	machine_add(builder, A, TOPOLOGY_STATE_ONLINE, 1);
	ck_assert_int_eq(topology_builder_add_device(builder, &engine), 0);
	machine_link(builder, B, A, TOPOLOGY_LINK_PCIE_SWITCH, true, 5, 5);
	machine_link(builder, A, B, TOPOLOGY_LINK_PCIE_SWITCH, false, 5, 5);
	topology = machine_finish(builder);
	ck_assert_uint_eq(topology->n_links, 2);
	ck_assert_uint_eq(topology->n_warnings, 0);
	topology_unref(topology);
}
END_TEST

START_TEST(groups_resolve_their_members)
{
	const char *const members[] = { C, A, "0000:ff:00.0", A };
	struct topology_builder *builder = machine_new();
	struct topology *topology;

	machine_add(builder, A, TOPOLOGY_STATE_ONLINE, 1);
	machine_add(builder, B, TOPOLOGY_STATE_ONLINE, 1);
	machine_add(builder, C, TOPOLOGY_STATE_ONLINE, 1);
	ck_assert_int_eq(topology_builder_add_group(builder, "xgmi-" A, TOPOLOGY_LINK_XGMI, members, 4), 0);
	topology = machine_finish(builder);
	ck_assert_uint_eq(topology->groups[0].n_members, 2);
	ck_assert_uint_eq(topology->groups[0].members[0], 0);
	ck_assert_uint_eq(topology->groups[0].members[1], 2);
	ck_assert_int_eq(topology_device_group(topology, 2), 0);
	ck_assert_int_eq(topology_device_group(topology, 1), -ENOENT);
	ck_assert(machine_has_warning(topology, "dangling member: group xgmi-" A ": 0000:ff:00.0"));
	topology_unref(topology);
}
END_TEST

START_TEST(second_device_of_a_name_is_refused)
{
	struct topology_builder *builder = machine_new();
	const struct topology_device device = { .name = (char *)A, .state = TOPOLOGY_STATE_ONLINE };

	machine_add(builder, A, TOPOLOGY_STATE_ONLINE, 1);
	ck_assert_int_eq(topology_builder_add_device(builder, &device), -EEXIST);
	topology_builder_free(builder);
}
END_TEST

START_TEST(warnings_are_bounded)
{
	/* The last one counts those that there was no room for; a text that came before costs nothing. */
	struct topology_builder *builder = machine_new();
	struct topology *topology;

	for (unsigned int i = 0; i < TOPOLOGY_WARNINGS_MAX + 10; i++)
		for (unsigned int j = 0; j < 2; j++)
			ck_assert_int_eq(topology_builder_warn(builder, "warning %u", i), 0);
	topology = machine_finish(builder);
	ck_assert_uint_eq(topology->n_warnings, TOPOLOGY_WARNINGS_MAX);
	/* The last ten, each twice (what is dropped is not remembered), and the one that made room for this. */
	ck_assert_str_eq(topology->warnings[TOPOLOGY_WARNINGS_MAX - 1], "and 21 warnings more");
	topology_unref(topology);
}
END_TEST

START_TEST(topology_can_be_extended)
{
	/* The daemon adds devices that the kernel no longer has. */
	struct topology_builder *builder = machine_new();
	struct topology *first, *second;

	machine_add(builder, B, TOPOLOGY_STATE_ONLINE, 1);
	machine_add(builder, C, TOPOLOGY_STATE_ONLINE, 1);
	machine_join(builder, B, C, TOPOLOGY_LINK_NVLINK, 5);
	first = machine_finish(builder);
	builder = machine_new();
	ck_assert_int_eq(topology_builder_add_topology(builder, first), 0);
	machine_add(builder, A, TOPOLOGY_STATE_UNBOUND, 0);
	second = machine_finish(builder);
	topology_unref(first);
	ck_assert_uint_eq(second->n_devices, 3);
	ck_assert_int_eq(second->devices[0].state, TOPOLOGY_STATE_UNBOUND);
	ck_assert_ptr_nonnull(topology_link_find(second, 1, 2));
	ck_assert_str_eq(second->devices[1].regions[0].name, "vram0");
	topology_unref(second);
}
END_TEST

START_TEST(empty_topology_is_fine)
{
	struct topology *topology = machine_finish(machine_new());

	ck_assert_uint_eq(topology->n_devices, 0);
	ck_assert_ptr_null(topology_link_find(topology, 0, 0));
	ck_assert_int_eq(topology_device_find(topology, A), -ENODEV);
	topology_unref(topology_ref(topology));
	topology_unref(topology);
	ck_assert_ptr_null(topology_unref(NULL));
}
END_TEST

START_TEST(words_and_back)
{
	for (int i = TOPOLOGY_LINK_NONE; i <= TOPOLOGY_LINK_SOFTGPU; i++)
		ck_assert_int_eq(topology_link_type_from_string(topology_link_type_to_string(i)), i);
	for (int i = TOPOLOGY_STATE_ONLINE; i <= TOPOLOGY_STATE_UNMANAGED; i++)
		ck_assert_int_eq(topology_state_from_string(topology_state_to_string(i)), i);
	ck_assert_int_eq(topology_state_from_string("Online"), 0);
	ck_assert_int_eq(topology_state_from_string(""), 0);
	ck_assert_ptr_null(topology_state_to_string(0));
	ck_assert_ptr_null(topology_state_to_string(99));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		names_compare_as_numbers,
		devices_are_sorted_whatever_the_order,
		links_that_dangle_are_left_out,
		one_sided_link_is_told,
		link_of_a_device_without_memory_has_one_side,
		groups_resolve_their_members,
		second_device_of_a_name_is_refused,
		warnings_are_bounded,
		topology_can_be_extended,
		empty_topology_is_fine,
		words_and_back,
	};

	return machine_run_suite("model", tests, sizeof(tests) / sizeof(tests[0]));
}

// SPDX-License-Identifier: MIT
#include "machine.h"

#define A "0000:03:00.0"
#define B "0000:0a:00.0"

/* A and B with one record each way; an absent one has type 0. */
static struct topology_pair pair_of(enum topology_link_type type, bool up, int64_t read_mbps, int64_t write_mbps,
				    enum topology_link_type back_type, bool back_up, int64_t back_read_mbps,
				    int64_t back_write_mbps)
{
	struct topology_builder *builder = machine_new();
	struct topology_pair pair, reverse;
	struct topology *topology;

	machine_add(builder, A, TOPOLOGY_STATE_ONLINE, 1);
	machine_add(builder, B, TOPOLOGY_STATE_ONLINE, 1);
	if (type)
		machine_link(builder, A, B, type, up, read_mbps, write_mbps);
	if (back_type)
		machine_link(builder, B, A, back_type, back_up, back_read_mbps, back_write_mbps);
	topology = machine_finish(builder);
	pair = topology_pair(topology, 0, 1);
	reverse = topology_pair(topology, 1, 0);
	ck_assert_int_eq(pair.bandwidth_mbps, reverse.bandwidth_mbps);
	ck_assert_int_eq(pair.linked, reverse.linked);
	ck_assert_int_eq(pair.assumed, reverse.assumed);
	topology_unref(topology);
	return pair;
}

static void assert_pair(struct topology_pair pair, int64_t bandwidth_mbps, bool linked, bool assumed)
{
	ck_assert_int_eq(pair.bandwidth_mbps, bandwidth_mbps);
	ck_assert_int_eq(pair.linked, linked);
	ck_assert_int_eq(pair.assumed, assumed);
}

START_TEST(least_of_four_figures)
{
	assert_pair(pair_of(TOPOLOGY_LINK_XGMI, true, 48000, 47000, TOPOLOGY_LINK_XGMI, true, 46000, 49000), 46000,
		    true, false);
	assert_pair(pair_of(TOPOLOGY_LINK_PCIE_SWITCH, true, 3, 4, TOPOLOGY_LINK_PCIE_SWITCH, true, 5, 2), 2, true,
		    false);
}
END_TEST

START_TEST(one_side_counts_in_neither)
{
	assert_pair(pair_of(TOPOLOGY_LINK_XGMI, true, 48000, 48000, TOPOLOGY_LINK_XGMI, false, 48000, 48000), 12000,
		    false, true);
	assert_pair(pair_of(TOPOLOGY_LINK_XGMI, true, 48000, 48000, 0, false, 0, 0), 12000, false, true);
}
END_TEST

START_TEST(no_link_is_the_pci_path)
{
	assert_pair(pair_of(0, false, 0, 0, 0, false, 0, 0), 12000, false, true);
	assert_pair(pair_of(TOPOLOGY_LINK_NONE, true, 9, 9, TOPOLOGY_LINK_NONE, true, 9, 9), 12000, false, true);
}
END_TEST

START_TEST(unknown_figures_take_the_class_default)
{
	assert_pair(pair_of(TOPOLOGY_LINK_XGMI, true, -1, -1, TOPOLOGY_LINK_XGMI, true, -1, -1), 36000, true, true);
	assert_pair(pair_of(TOPOLOGY_LINK_NVLINK, true, -1, -1, TOPOLOGY_LINK_NVLINK, true, -1, -1), 20000, true, true);
	assert_pair(pair_of(TOPOLOGY_LINK_XE_LINK, true, 0, 0, TOPOLOGY_LINK_XE_LINK, true, 0, 0), 36000, true, true);
	assert_pair(pair_of(TOPOLOGY_LINK_PCIE_SWITCH, true, -1, -1, TOPOLOGY_LINK_PCIE_SWITCH, true, -1, -1), 12000,
		    true, true);
	/* A guess stays a guess where the least figure is a known one. */
	assert_pair(pair_of(TOPOLOGY_LINK_XGMI, true, 100, -1, TOPOLOGY_LINK_XGMI, true, 50, 50), 50, true, true);
	assert_pair(pair_of(TOPOLOGY_LINK_XGMI, true, -1, 100, TOPOLOGY_LINK_XGMI, true, 500, 500), 100, true, true);
}
END_TEST

START_TEST(device_with_itself)
{
	struct topology_builder *builder = machine_new();
	struct topology *topology;

	machine_add(builder, A, TOPOLOGY_STATE_ONLINE, 1);
	topology = machine_finish(builder);
	assert_pair(topology_pair(topology, 0, 0), 0, true, false);
	topology_unref(topology);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		least_of_four_figures,	 one_side_counts_in_neither,
		no_link_is_the_pci_path, unknown_figures_take_the_class_default,
		device_with_itself,
	};

	return machine_run_suite("pair", tests, sizeof(tests) / sizeof(tests[0]));
}

// SPDX-License-Identifier: MIT
#include "machine.h"
#include "place/place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *name_of(unsigned int i)
{
	static char names[64][16];

	(void)snprintf(names[i], sizeof(names[i]), "0000:%02x:00.0", 0x40 + i);
	return names[i];
}

static struct placement *place_ok(const struct topology *topology, uint64_t count, uint64_t bytes)
{
	const struct place_request request = { .count = count, .bytes = bytes, .linked = PLACE_LINKED_PREFERRED };
	struct placement *placement;

	ck_assert_int_eq(place(topology, &request, &placement, NULL), 0);
	ck_assert_uint_eq(placement->n_devices, count);
	return placement;
}

/* Two pairs of linked devices: the answer is a pair, and of equal ones that with the lower names. */
START_TEST(linked_pair_wins)
{
	struct topology_builder *builder = machine_new();
	struct placement *placement;
	struct topology *topology;

	for (unsigned int i = 0; i < 4; i++)
		machine_add(builder, name_of(i), TOPOLOGY_STATE_ONLINE, 500);
	machine_join(builder, name_of(1), name_of(2), TOPOLOGY_LINK_XGMI, 9000);
	machine_join(builder, name_of(0), name_of(3), TOPOLOGY_LINK_XGMI, 9000);
	topology = machine_finish(builder);
	placement = place_ok(topology, 2, 100);
	ck_assert_uint_eq(placement->devices[0].device, 0);
	ck_assert_uint_eq(placement->devices[1].device, 3);
	ck_assert(placement->linked);
	ck_assert(placement->exact);
	/* Below the 12000 that is assumed of pairs without a link, and still better. */
	ck_assert_int_eq(placement->bottleneck_mbps, 9000);
	placement_free(placement);

	placement = place_ok(topology, 3, 100);
	ck_assert(!placement->linked);
	ck_assert_int_eq(placement->bottleneck_mbps, TOPOLOGY_UNKNOWN);
	placement_free(placement);

	placement = place_ok(topology, 1, 100);
	ck_assert_uint_eq(placement->devices[0].device, 0);
	ck_assert(placement->linked);
	ck_assert_int_eq(placement->bottleneck_mbps, TOPOLOGY_UNKNOWN);
	placement_free(placement);
	topology_unref(topology);
}
END_TEST

START_TEST(refusal_says_why_of_each)
{
	const char *const exclude[] = { "0000:43:00.0" };
	const struct place_request request = { .count = 3, .bytes = 600, .exclude = exclude, .n_exclude = 1 };
	struct topology_builder *builder = machine_new();
	struct place_failure failure = { 0 };
	struct placement *placement = NULL;
	struct topology *topology;

	machine_add(builder, name_of(0), TOPOLOGY_STATE_ONLINE, 600);
	machine_add(builder, name_of(1), TOPOLOGY_STATE_DRAINING, 1000);
	machine_add(builder, name_of(2), TOPOLOGY_STATE_ONLINE, 599);
	machine_add(builder, name_of(3), TOPOLOGY_STATE_ONLINE, 1000);
	machine_add(builder, name_of(4), TOPOLOGY_STATE_ONLINE, 1000);
	topology = machine_finish(builder);
	ck_assert_int_eq(place(topology, &request, &placement, &failure), -ENOSPC);
	ck_assert_ptr_null(placement);
	ck_assert_uint_eq(failure.n_available, 2);
	ck_assert_str_eq(failure.reason, "2 devices have 600 bytes free, 3 asked: 0000:41:00.0 (draining), "
					 "0000:42:00.0 (599 bytes free), 0000:43:00.0 (excluded); "
					 "largest linked free set: 0000:40:00.0");
	place_failure_fini(&failure);
	topology_unref(topology);
}
END_TEST

START_TEST(wrong_questions)
{
	const char *const exclude[] = { "0000:99:00.0" };
	const struct place_request none = { .count = 0 };
	const struct place_request stranger = { .count = 1, .exclude = exclude, .n_exclude = 1 };
	const struct place_request too_many = { .count = UINT64_MAX, .bytes = UINT64_MAX };
	struct topology *topology = machine_finish(machine_new());
	struct place_failure failure = { 0 };
	struct placement *placement;

	ck_assert_int_eq(place(topology, &none, &placement, &failure), -EINVAL);
	place_failure_fini(&failure);
	ck_assert_int_eq(place(topology, &stranger, &placement, &failure), -ENODEV);
	ck_assert_str_eq(failure.device, "0000:99:00.0");
	place_failure_fini(&failure);
	ck_assert_int_eq(place(topology, &too_many, &placement, &failure), -ENOSPC);
	place_failure_fini(&failure);
	ck_assert_int_eq(place(topology, &too_many, &placement, NULL), -ENOSPC);
	topology_unref(topology);
}
END_TEST

START_TEST(tightest_region_is_taken)
{
	/* So that larger requests find room later. */
	struct topology_region regions[] = {
		{ .name = (char *)"vram0", .size_bytes = 1000, .free_bytes = 900 },
		{ .name = (char *)"vram1", .size_bytes = 1000, .free_bytes = 300 },
		{ .name = (char *)"vram2", .size_bytes = 1000, .free_bytes = 100 },
	};
	const struct topology_device device = {
		.name = (char *)"0000:40:00.0",
		.state = TOPOLOGY_STATE_ONLINE,
		.regions = regions,
		.n_regions = 3,
	};
	struct topology_builder *builder = machine_new();
	struct placement *placement;
	struct topology *topology;

	ck_assert_int_eq(topology_builder_add_device(builder, &device), 0);
	topology = machine_finish(builder);
	placement = place_ok(topology, 1, 200);
	ck_assert_uint_eq(placement->devices[0].region, 1);
	placement_free(placement);
	topology_unref(topology);
}
END_TEST

struct random_machine {
	unsigned int n;
	int64_t mbps[16][16]; /* 0: no link */
	bool online[16];
};

static struct topology *random_build(const struct random_machine *machine, unsigned int rotate)
{
	struct topology_builder *builder = machine_new();

	for (unsigned int i = 0; i < machine->n; i++) {
		unsigned int k = (i + rotate) % machine->n;

		machine_add(builder, name_of(k), machine->online[k] ? TOPOLOGY_STATE_ONLINE : TOPOLOGY_STATE_OFFLINE,
			    500);
		for (unsigned int j = 0; j < k; j++)
			if (machine->mbps[k][j])
				machine_join(builder, name_of(k), name_of(j), TOPOLOGY_LINK_XGMI, machine->mbps[k][j]);
	}
	return machine_finish(builder);
}

/* What a set is worth: the least pair, then the sum. */
static int64_t worth(const struct random_machine *machine, unsigned int mask)
{
	int64_t bottleneck = 10000000, sum = 0;

	for (unsigned int i = 0; i < machine->n; i++) {
		for (unsigned int j = 0; j < i; j++) {
			int64_t mbps = machine->mbps[i][j] ?: 12000;

			if (!(mask >> i & 1) || !(mask >> j & 1))
				continue;
			bottleneck = mbps < bottleneck ? mbps : bottleneck;
			sum += mbps;
		}
	}
	return bottleneck << 32 | sum;
}

START_TEST(random_machines_in_any_order)
{
	/* The same devices and links, added in two orders: one answer, and no set is worth more. */
	const char *text = getenv("FABRIC_SEED");
	unsigned int seed = text ? (unsigned int)strtoul(text, NULL, 10) : (unsigned int)time(NULL);

	fprintf(stderr, "# place: FABRIC_SEED=%u\n", seed);
	srand(seed);
	for (unsigned int round = 0; round < 300; round++) {
		struct random_machine machine = { .n = 1 + (unsigned int)rand() % 9 };
		unsigned int n_online = 0, online = 0, masks[2] = { 0 };
		struct place_request request = { 0 };

		for (unsigned int i = 0; i < machine.n; i++) {
			machine.online[i] = rand() % 6 != 0;
			n_online += machine.online[i];
			online |= (unsigned int)machine.online[i] << i;
			for (unsigned int j = 0; j < i; j++)
				machine.mbps[i][j] = machine.mbps[j][i] = rand() % 3 ? 10000 * (1 + rand() % 3) : 0;
		}
		if (n_online == 0)
			continue;
		request.count = 1 + (unsigned int)rand() % n_online;
		for (unsigned int turn = 0; turn < 2; turn++) {
			struct topology *topology = random_build(&machine, (unsigned int)rand());
			struct placement *placement;

			ck_assert_int_eq(place(topology, &request, &placement, NULL), 0);
			ck_assert(placement->exact);
			for (size_t i = 0; i < placement->n_devices; i++) {
				masks[turn] |= 1U << placement->devices[i].device;
				ck_assert_ptr_nonnull(placement->devices[i].reason);
			}
			placement_free(placement);
			topology_unref(topology);
		}
		ck_assert_uint_eq(masks[0], masks[1]);
		for (unsigned int mask = 0; mask <= online; mask++)
			if (!(mask & ~online) && (unsigned int)__builtin_popcount(mask) == request.count)
				ck_assert_msg(worth(&machine, mask) <= worth(&machine, masks[0]),
					      "seed %u, round %u: %x is better than %x", seed, round, mask, masks[0]);
	}
}
END_TEST

START_TEST(large_machine_is_exact_and_deterministic)
{
	/* 24 devices in cliques of 4 by XGMI: one of the cliques, and no doubt. */
	struct topology *topologies[2];
	struct placement *placements[2];

	for (unsigned int turn = 0; turn < 2; turn++) {
		struct topology_builder *builder = machine_new();

		for (unsigned int i = 0; i < 24; i++)
			machine_add(builder, name_of(turn ? 23 - i : i), TOPOLOGY_STATE_ONLINE, 500);
		for (unsigned int i = 0; i < 24; i++)
			for (unsigned int j = 0; j < i; j++)
				if (i % 6 == j % 6)
					machine_join(builder, name_of(i), name_of(j), TOPOLOGY_LINK_XGMI, 36000);
		topologies[turn] = machine_finish(builder);
		placements[turn] = place_ok(topologies[turn], 4, 1);
		ck_assert(placements[turn]->exact);
		ck_assert(placements[turn]->linked);
		for (unsigned int i = 0; i < 4; i++)
			ck_assert_uint_eq(placements[turn]->devices[i].device, 6 * i);
		placement_free(placements[turn]);
		/* All of them is no question. */
		placements[turn] = place_ok(topologies[turn], 24, 1);
		ck_assert(placements[turn]->exact);
		placement_free(placements[turn]);
		topology_unref(topologies[turn]);
	}
}
END_TEST

/* Eight devices: XGMI pairs 0-1, 2-3 (36000), NVLink 4-5-6 (20000), 7 alone; 0 to 3 at NUMA node 0, the rest at 1. */
static struct topology *eight(void)
{
	struct topology_builder *builder = machine_new();
	const char *const members[] = { name_of(4), name_of(5), name_of(6) };
	struct topology_region region = { .name = (char *)"vram0", .size_bytes = 1000 };

	for (unsigned int i = 0; i < 8; i++) {
		const struct topology_device device = {
			.name = (char *)name_of(i),
			.state = TOPOLOGY_STATE_ONLINE,
			.incarnation = 1,
			.numa_node = i / 4,
			.regions = &region,
			.n_regions = 1,
		};

		region.free_bytes = 100 * (i + 1);
		ck_assert_int_eq(topology_builder_add_device(builder, &device), 0);
	}
	machine_join(builder, name_of(0), name_of(1), TOPOLOGY_LINK_XGMI, 36000);
	machine_join(builder, name_of(2), name_of(3), TOPOLOGY_LINK_XGMI, 36000);
	machine_join(builder, name_of(4), name_of(5), TOPOLOGY_LINK_NVLINK, 20000);
	machine_join(builder, name_of(5), name_of(6), TOPOLOGY_LINK_NVLINK, 20000);
	machine_join(builder, name_of(4), name_of(6), TOPOLOGY_LINK_NVLINK, 20000);
	ck_assert_int_eq(topology_builder_add_group(builder, "nvlink-4", TOPOLOGY_LINK_NVLINK, members, 3), 0);
	return machine_finish(builder);
}

/* The devices chosen, as bits. */
static unsigned int chosen(const struct topology *topology, const struct place_request *request)
{
	struct placement *placement;
	unsigned int mask = 0;

	ck_assert_int_eq(place(topology, request, &placement, NULL), 0);
	for (size_t i = 0; i < placement->n_devices; i++)
		mask |= 1U << placement->devices[i].device;
	placement_free(placement);
	return mask;
}

/* Each kind of wish alone changes the answer to what it asks for. */
START_TEST(wishes_are_kept)
{
	const char *const two[] = { "0000:42:00.0" }, *const seven[] = { "0000:47:00.0" };
	struct topology *topology = eight();
	struct place_request request = { .count = 2 };

	ck_assert_uint_eq(chosen(topology, &request), 0x3);
	request.exclude = two;
	request.n_exclude = 1;
	ck_assert_uint_eq(chosen(topology, &request), 0x3);
	request = (struct place_request){ .count = 2, .require = two, .n_require = 1 };
	ck_assert_uint_eq(chosen(topology, &request), 0xc);
	request = (struct place_request){ .count = 2, .require = seven, .n_require = 1 };
	/* Nothing is linked to it: whoever is missed least, and the XGMI pairs stay. */
	ck_assert_uint_eq(chosen(topology, &request) & 0x8f, 0x80);
	request = (struct place_request){ .count = 2, .busy = two, .n_busy = 1, .bytes = 250 };
	ck_assert_uint_eq(chosen(topology, &request) & ~0x70U, 0);
	request = (struct place_request){ .count = 2, .link_type = TOPOLOGY_LINK_NVLINK };
	ck_assert_uint_eq(chosen(topology, &request) & ~0x70U, 0);
	request = (struct place_request){ .count = 3, .least_mbps = 12001 };
	ck_assert_uint_eq(chosen(topology, &request), 0x70);
	request = (struct place_request){ .count = 3, .linked = PLACE_LINKED_PREFERRED };
	ck_assert_uint_eq(chosen(topology, &request), 0x70);
	request = (struct place_request){ .count = 3, .group = "nvlink-4" };
	ck_assert_uint_eq(chosen(topology, &request), 0x70);
	request = (struct place_request){ .count = 4, .at_numa_node = true, .numa_node = 1 };
	ck_assert_uint_eq(chosen(topology, &request), 0xf0);
	request = (struct place_request){ .count = 2, .bytes = 350 };
	ck_assert_uint_eq(chosen(topology, &request) & ~0x70U, 0);
	topology_unref(topology);
}
END_TEST

static void refused(const struct topology *topology, const struct place_request *request, int error, const char *reason)
{
	struct place_failure failure = { 0 };
	struct placement *placement;

	ck_assert_int_eq(place(topology, request, &placement, &failure), error);
	ck_assert_str_eq(failure.reason, reason);
	place_failure_fini(&failure);
}

/* What is wrong, by name, and what could be had instead. */
START_TEST(refusals_can_be_acted_on)
{
	const char *const two[] = { "0000:42:00.0", "0000:42:00.0" };
	struct topology *topology = eight();
	struct place_request request = { .count = 4, .group = "nvlink-4" };

	refused(topology, &request, -ENOSPC,
		"3 devices free in group nvlink-4, 4 asked; largest linked free set: 0000:44:00.0, 0000:45:00.0, "
		"0000:46:00.0");
	request = (struct place_request){ .count = 3, .link_type = TOPOLOGY_LINK_XGMI };
	refused(topology, &request, -ENOSPC,
		"8 devices free, but no 3 that xgmi links join; largest such set: 0000:40:00.0, 0000:41:00.0");
	request = (struct place_request){ .count = 4, .least_mbps = 20000, .at_numa_node = true, .numa_node = 1 };
	refused(topology, &request, -ENOSPC,
		"4 devices free at NUMA node 1, but no 4 with 20000 MB/s for each pair; largest such set: "
		"0000:44:00.0, 0000:45:00.0, 0000:46:00.0; the best 4 have 12000 MB/s");
	request = (struct place_request){ .count = 3, .link_type = TOPOLOGY_LINK_CXL };
	refused(topology, &request, -ENOSPC,
		"8 devices free, but no 3 that cxl links join, nor any two; their links are xgmi, nvlink");
	request = (struct place_request){ .count = 9 };
	refused(topology, &request, -ENOSPC,
		"8 devices free, 9 asked, and there are no others; largest linked free set: 0000:44:00.0, "
		"0000:45:00.0, 0000:46:00.0");
	request = (struct place_request){ .count = 1, .at_numa_node = true, .numa_node = 5 };
	refused(topology, &request, -ENOSPC, "no device at NUMA node 5, 1 asked; there are devices at NUMA nodes 0, 1");
	request = (struct place_request){ .count = 0 };
	refused(topology, &request, -EINVAL, "0 devices asked: ask for 1 or more");
	request = (struct place_request){ .count = 3, .require = two, .n_require = 2 };
	refused(topology, &request, -EINVAL, "0000:42:00.0 is required twice");
	request = (struct place_request){ .count = 3, .require = two, .n_require = 1, .exclude = two, .n_exclude = 1 };
	refused(topology, &request, -EINVAL, "0000:42:00.0 is required, and excluded");
	request = (struct place_request){ .count = 1, .require = two, .n_require = 1, .group = "nvlink-4" };
	refused(topology, &request, -EINVAL, "0000:42:00.0 is required, and not in group nvlink-4");
	request = (struct place_request){ .count = 1, .group = "g" };
	refused(topology, &request, -ENODEV, "no such group: g; there are nvlink-4");
	request.group = "link-4";
	refused(topology, &request, -ENODEV, "no such group: link-4; is nvlink-4 meant?");
	request = (struct place_request){ .count = 1, .require = two, .n_require = 2 };
	refused(topology, &request, -EINVAL, "0000:42:00.0 is required twice");
	request.require = (const char *const[]){ "0000:40:00.0", "0000:44:00.0" };
	refused(topology, &request, -EINVAL, "2 devices required, 1 asked: ask for as many, or require fewer");
	request.count = 3;
	request.least_mbps = 20000;
	refused(topology, &request, -ENOSPC,
		"0000:40:00.0 and 0000:44:00.0 are required, and have 12000 MB/s, 20000 asked of each pair");
	request.linked = PLACE_LINKED_REQUIRED;
	refused(topology, &request, -ENOSPC, "0000:40:00.0 and 0000:44:00.0 are required, and not linked");
	request.require = (const char *const[]){ "41:00.0", "0000:99:00.0" };
	refused(topology, &request, -ENODEV, "no such device: 41:00.0; is 0000:41:00.0 meant?");
	request = (struct place_request){ .count = 1, .nic = "0000:42:00.0" };
	refused(topology, &request, -ENODEV, "no such NIC: 0000:42:00.0; there is none");
	topology_unref(topology);
}
END_TEST

static void add_sm100(struct topology_builder *builder, const char *name)
{
	const struct topology_device device = {
		.name = (char *)name,
		.state = TOPOLOGY_STATE_UNMANAGED,
		.arch = (char *)"sm100",
		.numa_node = TOPOLOGY_UNKNOWN,
	};

	ck_assert_int_eq(topology_builder_add_device(builder, &device), 0);
}

static void add_links(struct topology_builder *builder, const char *a, const char *b, int64_t mbps, int64_t count,
		      int64_t n_records)
{
	for (size_t i = 0; i < 2; i++) {
		const struct topology_link link = {
			.type = TOPOLOGY_LINK_NVLINK,
			.up = true,
			.read_bandwidth_mbps = mbps,
			.write_bandwidth_mbps = mbps,
			.read_latency_ns = TOPOLOGY_UNKNOWN,
			.write_latency_ns = TOPOLOGY_UNKNOWN,
			.hops = TOPOLOGY_UNKNOWN,
			.measured_at_s = TOPOLOGY_UNKNOWN,
			.count = count,
			.n_records = n_records,
			.pci_bandwidth_mbps = TOPOLOGY_UNKNOWN,
		};

		ck_assert_int_eq(topology_builder_add_link(builder, i ? b : a, i ? a : b, &link), 0);
	}
}

/*
 * 255 links of 40100 MB/s are more than one record may say as a bandwidth, and they are what the pair has. What several
 * records come to beyond any machine is cut where it is read: so everybody sees the same, and that it is a guess.
 */
START_TEST(pairs_of_more_than_a_record)
{
	struct topology_builder *builder = machine_new();
	struct place_request request = { .count = 2, .any_device = true };
	struct placement *placement;
	struct topology *topology;

	for (size_t i = 0; i < 4; i++)
		add_sm100(builder,
			  (const char *const[]){ "0000:01:00.0", "0000:02:00.0", "0000:03:00.0", "0000:04:00.0" }[i]);
	add_links(builder, "0000:01:00.0", "0000:02:00.0", 10000000, 0, 0);
	add_links(builder, "0000:03:00.0", "0000:04:00.0", TOPOLOGY_UNKNOWN, 255, 0);
	topology = machine_finish(builder);
	machine_check_warnings(topology, "a legal count", NULL);
	ck_assert_int_eq(topology_pair(topology, 2, 3).bandwidth_mbps, 10225500);
	ck_assert(!topology_pair(topology, 2, 3).assumed);
	ck_assert_int_eq(place(topology, &request, &placement, NULL), 0);
	ck_assert_uint_eq(placement->devices[0].device, 2);
	ck_assert_int_eq(placement->bottleneck_mbps, 10225500);
	ck_assert_int_eq(placement->answer.bound_sum_mbps, 10225500);
	ck_assert(placement->exact);
	placement_free(placement);
	request.least_mbps = 10000001;
	request.exclude = (const char *const[]){ "0000:04:00.0" };
	request.n_exclude = 1;
	ck_assert_int_eq(place(topology, &request, &placement, NULL), -ENOSPC);
	topology_unref(topology);

	builder = machine_new();
	add_sm100(builder, "0000:01:00.0");
	add_sm100(builder, "0000:02:00.0");
	add_links(builder, "0000:01:00.0", "0000:02:00.0", 50000000, 0, 10);
	topology = machine_finish(builder);
	machine_check_warnings(topology, "ten of the most",
			       "impossible link: 0000:01:00.0 -> 0000:02:00.0: more than 16777215 MB/s together");
	ck_assert_int_eq(topology_pair(topology, 0, 1).bandwidth_mbps, TOPOLOGY_PAIR_MBPS_MAX);
	ck_assert(topology_pair(topology, 0, 1).assumed);
	request = (struct place_request){ .count = 2, .any_device = true };
	ck_assert_int_eq(place(topology, &request, &placement, NULL), 0);
	ck_assert_int_eq(placement->answer.sum_mbps, TOPOLOGY_PAIR_MBPS_MAX);
	ck_assert_uint_eq(placement->answer.n_assumed, 1);
	placement_free(placement);
	topology_unref(topology);
}
END_TEST

/* Two switches, each with as much as one attachment may have: together more than a pair can. */
START_TEST(switches_of_more_than_a_pair)
{
	struct topology_builder *builder = machine_new();
	struct topology *topology;

	add_sm100(builder, "0000:01:00.0");
	add_sm100(builder, "0000:02:00.0");
	for (size_t i = 0; i < 4; i++) {
		char *name = (char *)(i < 2 ? "switch0" : "switch1");
		const struct topology_node node = {
			.name = name,
			.kind = TOPOLOGY_NODE_SWITCH,
			.uplink = { .bandwidth_mbps = TOPOLOGY_UNKNOWN },
			.numa_node = TOPOLOGY_UNKNOWN,
			.socket = TOPOLOGY_UNKNOWN,
			.model = TOPOLOGY_UNKNOWN,
			.port_mbps = TOPOLOGY_UNKNOWN,
		};
		const struct topology_attachment at = {
			.type = TOPOLOGY_LINK_NVLINK,
			.to_bandwidth_mbps = 10000000,
			.from_bandwidth_mbps = 10000000,
		};

		if (i % 2 == 0)
			ck_assert_int_eq(topology_builder_add_node(builder, &node), 0);
		ck_assert_int_eq(topology_builder_add_attachment(builder, i % 2 ? "0000:01:00.0" : "0000:02:00.0", name,
								 &at),
				 0);
	}
	topology = machine_finish(builder);
	machine_check_warnings(topology, "two switches",
			       "impossible link: 0000:01:00.0 -> all its switches: more than 16777215 MB/s together");
	ck_assert_int_eq(topology_pair(topology, 0, 1).bandwidth_mbps, TOPOLOGY_PAIR_MBPS_MAX);
	ck_assert(topology_pair(topology, 0, 1).assumed);
	topology_unref(topology);
}
END_TEST

/* More than 24 of which nothing is known but pairs: the largest set is looked for, not only that all are too many. */
START_TEST(refusals_of_irregular_machines)
{
	enum { N = 40 };
	struct topology_builder *builder = machine_new();
	struct place_request request = { .count = N - 2, .linked = PLACE_LINKED_REQUIRED };
	struct topology *topology;
	char names[N][16];
	uint32_t state = 1;

	for (size_t i = 0; i < N; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "0000:%02zx:00.0", i + 1);
		machine_add(builder, names[i], TOPOLOGY_STATE_ONLINE, 500);
	}
	/* A third of all pairs, and all of the last six. */
	for (size_t i = 0; i < N; i++)
		for (size_t j = 0; j < i; j++) {
			state = state * 1664525 + 1013904223;
			if ((i < N - 4 && state >> 24 < 80) || j >= N - 6)
				machine_join(builder, names[i], names[j], TOPOLOGY_LINK_XGMI, 50000);
		}
	topology = machine_finish(builder);
	refused(topology, &request, -ENOSPC,
		"40 devices free, but no 38 that are linked; largest such set: 0000:23:00.0, 0000:24:00.0, "
		"0000:25:00.0, 0000:26:00.0, 0000:27:00.0, 0000:28:00.0");
	request.count = N + 1;
	refused(topology, &request, -ENOSPC,
		"40 devices free, 41 asked, and there are no others; largest linked free set: 0000:23:00.0, "
		"0000:24:00.0, 0000:25:00.0, 0000:26:00.0, 0000:27:00.0, 0000:28:00.0");
	topology_unref(topology);
}
END_TEST

/* A snapshot in which only free bytes and states differ makes no graph again; taken devices stay taken. */
START_TEST(site_keeps_its_graphs)
{
	struct topology *topology = eight(), *same = eight();
	const struct place_request request = { .count = 2 };
	const size_t pair[] = { 0, 1 };
	struct placement *placement;
	struct place_site *site;
	size_t n_built;

	ck_assert_int_eq(place_site_new(topology, &site), 0);
	ck_assert_int_eq(place_site_take(site, pair, 2), 0);
	ck_assert_int_eq(place_site_take(site, pair, 1), -EBUSY);
	n_built = place_site_n_built(site);
	same->devices[2].regions[0].free_bytes = 1;
	ck_assert_int_eq(place_site_update(site, same), 0);
	ck_assert_uint_eq(place_site_n_built(site), n_built);
	ck_assert_int_eq(place_at(site, &request, &placement, NULL), 0);
	ck_assert_uint_eq(placement->devices[0].device, 2);
	ck_assert_uint_eq(placement->devices[1].device, 3);
	placement_free(placement);
	ck_assert_int_eq(place_site_give(site, pair, 2), 0);
	ck_assert_int_eq(place_at(site, &request, &placement, NULL), 0);
	ck_assert_uint_eq(placement->devices[0].device, 0);
	placement_free(placement);
	topology_unref(topology);

	/* Another link: another graph, and what is taken is found again by its name. */
	ck_assert_int_eq(place_site_take(site, pair, 2), 0);
	topology = machine_finish(machine_new());
	ck_assert_int_eq(place_site_update(site, topology), 0);
	ck_assert_uint_gt(place_site_n_built(site), n_built);
	ck_assert_int_eq(place_at(site, &request, &placement, NULL), -ENOSPC);
	place_site_free(site);
	topology_unref(topology);
	topology_unref(same);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		linked_pair_wins,
		refusal_says_why_of_each,
		wrong_questions,
		tightest_region_is_taken,
		random_machines_in_any_order,
		large_machine_is_exact_and_deterministic,
		wishes_are_kept,
		refusals_can_be_acted_on,
		site_keeps_its_graphs,
		refusals_of_irregular_machines,
		pairs_of_more_than_a_record,
		switches_of_more_than_a_pair,
	};

	return machine_run_suite("place", tests, sizeof(tests) / sizeof(tests[0]));
}

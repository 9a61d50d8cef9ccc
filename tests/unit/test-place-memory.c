// SPDX-License-Identifier: MIT
#include "machine.h"
#include "place-reference.h"
#include "place/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_cpu(struct topology_builder *builder, const char *name, int64_t numa_node)
{
	const struct topology_node node = {
		.name = (char *)name,
		.kind = TOPOLOGY_NODE_CPU,
		.numa_node = numa_node,
		.socket = numa_node,
		.model = TOPOLOGY_UNKNOWN,
		.port_mbps = TOPOLOGY_UNKNOWN,
		.uplink = { .bandwidth_mbps = TOPOLOGY_UNKNOWN },
	};

	ck_assert_int_eq(topology_builder_add_node(builder, &node), 0);
}

static void add_memory(struct topology_builder *builder, const char *name, int64_t numa_node, int64_t free_bytes)
{
	const struct topology_memory memory = {
		.name = (char *)name,
		.numa_node = numa_node,
		.size_bytes = 1000,
		.free_bytes = free_bytes,
		.bandwidth_mbps = TOPOLOGY_UNKNOWN,
	};

	ck_assert_int_eq(topology_builder_add_memory(builder, &memory), 0);
}

static void add_access(struct topology_builder *builder, const char *memory, const char *initiator,
		       const int64_t figures[static 4])
{
	const struct topology_access access = {
		.initiator = (char *)initiator,
		.access_class = 0,
		.read_bandwidth_mbps = figures[0],
		.write_bandwidth_mbps = figures[1],
		.read_latency_ns = figures[2],
		.write_latency_ns = figures[3],
	};

	ck_assert_int_eq(topology_builder_add_access(builder, memory, &access), 0);
}

/* Names of the locations, in order. */
static const char *ask(const struct topology *topology, uint64_t bytes, enum memory_objective objective,
		       const struct memory_accessor *accessors, size_t n_accessors)
{
	static char text[256];
	const struct memory_request request = {
		.bytes = bytes,
		.objective = objective,
		.accessors = accessors,
		.n_accessors = n_accessors,
	};
	struct memory_answer answer;
	size_t n = 0;

	ck_assert_int_eq(memory_place(topology, &request, &answer, NULL), 0);
	for (size_t i = 0; i < answer.n_locations; i++) {
		const struct memory_location *at = &answer.locations[i];

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s", i ? " " : "",
				      at->device == TOPOLOGY_NONE ? topology->memories[at->memory].name :
								    topology->devices[at->device].name,
				      at->fits ? "" : "!");
	}
	return text;
}

/* HBM beside DRAM: by bandwidth, by latency, and where it has no room. */
START_TEST(two_kinds_of_system_memory)
{
	static const struct memory_accessor reader = { "cpu0", 1, 0 }, writer = { "cpu0", 0, 1 };
	struct topology_builder *builder = machine_new();
	struct topology *topology;

	add_cpu(builder, "cpu0", 0);
	add_memory(builder, "node0", 0, 900);
	add_memory(builder, "node1", 1, 100);
	add_memory(builder, "node2", 2, 0);
	add_access(builder, "node0", "cpu0", (const int64_t[]){ 22500, 80000, 80, 80 });
	add_access(builder, "node1", "cpu0", (const int64_t[]){ 90000, 70000, 130, 60 });
	add_access(builder, "node2", "cpu0", (const int64_t[]){ 99000, 99000, 1, 1 });
	topology = machine_finish(builder);
	/* node2 is full, and no fallback either. */
	ck_assert_str_eq(ask(topology, 50, MEMORY_BANDWIDTH, &reader, 1), "node1 node0");
	ck_assert_str_eq(ask(topology, 50, MEMORY_BANDWIDTH, &writer, 1), "node0 node1");
	ck_assert_str_eq(ask(topology, 50, MEMORY_LATENCY, &reader, 1), "node0 node1");
	ck_assert_str_eq(ask(topology, 50, MEMORY_LATENCY, &writer, 1), "node1 node0");
	ck_assert_str_eq(ask(topology, 500, MEMORY_BANDWIDTH, &reader, 1), "node0 node1!");
	topology_unref(topology);
}
END_TEST

/* 0 and nothing are unknown, and worse than what is known. */
START_TEST(unknown_figures)
{
	static const struct memory_accessor user = { "cpu0", 1, 1 };
	struct topology_builder *builder = machine_new();
	struct topology *topology;

	add_cpu(builder, "cpu0", 1);
	add_memory(builder, "node0", 0, 900);
	add_memory(builder, "node1", 1, 900);
	add_memory(builder, "node2", 2, TOPOLOGY_UNKNOWN);
	add_access(builder, "node0", "cpu0", (const int64_t[]){ 0, 0, 0, 0 });
	add_access(builder, "node2", "cpu0", (const int64_t[]){ 1000, 1000, 500, 500 });
	topology = machine_finish(builder);
	/* Of the two unknown ones the nearer. */
	ck_assert_str_eq(ask(topology, 50, MEMORY_BANDWIDTH, &user, 1), "node1 node2 node0");
	ck_assert_str_eq(ask(topology, 50, MEMORY_LATENCY, &user, 1), "node1 node2 node0");
	topology_unref(topology);
}
END_TEST

/* A region is an answer only for those who reach it in place. */
START_TEST(only_what_is_in_reach)
{
	static const struct memory_accessor one[] = { { "0000:40:00.0", 3, 1 } };
	static const struct memory_accessor two[] = { { "0000:40:00.0", 1, 1 }, { "0000:41:00.0", 9, 9 } };
	static const struct memory_accessor far[] = { { "0000:40:00.0", 1, 1 }, { "0000:42:00.0", 1, 1 } };
	static const struct memory_accessor with_cpu[] = { { "0000:40:00.0", 1000, 1000 }, { "cpu0", 0, 1 } };
	static const struct memory_accessor idle_cpu[] = { { "0000:40:00.0", 1, 1 }, { "cpu0", 0, 0 } };
	struct topology_builder *builder = machine_new();
	struct memory_answer answer;
	struct topology *topology;
	char *reason;

	for (unsigned int i = 0; i < 3; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "0000:%02x:00.0", 0x40 + i);
		machine_add(builder, name, TOPOLOGY_STATE_ONLINE, 500);
	}
	machine_join(builder, "0000:40:00.0", "0000:41:00.0", TOPOLOGY_LINK_XGMI, 36000);
	add_cpu(builder, "cpu0", 0);
	add_memory(builder, "node0", 0, 900);
	topology = machine_finish(builder);
	ck_assert_str_eq(ask(topology, 50, MEMORY_BANDWIDTH, one, 1), "0000:40:00.0 0000:41:00.0 node0");
	ck_assert_str_eq(ask(topology, 600, MEMORY_BANDWIDTH, one, 1), "node0 0000:40:00.0! 0000:41:00.0!");
	ck_assert_str_eq(ask(topology, 50, MEMORY_BANDWIDTH, two, 2), "0000:41:00.0 0000:40:00.0 node0");
	ck_assert_str_eq(ask(topology, 50, MEMORY_BANDWIDTH, far, 2), "node0");
	ck_assert_str_eq(ask(topology, 50, MEMORY_BANDWIDTH, with_cpu, 2), "node0");
	ck_assert_str_eq(ask(topology, 50, MEMORY_BANDWIDTH, idle_cpu, 2), "0000:40:00.0 0000:41:00.0 node0");

	static const char *const nodes[] = { "node0" };
	struct memory_request request = {
		.bytes = 1,
		.accessors = far,
		.n_accessors = 2,
		.exclude = nodes,
		.n_exclude = 1,
	};

	ck_assert_int_eq(memory_place(topology, &request, &answer, &reason), -ENOSPC);
	ck_assert_str_eq(reason, "no memory is used in place by all of them");
	free(reason);
	request.n_accessors = 0;
	ck_assert_int_eq(memory_place(topology, &request, &answer, &reason), -EINVAL);
	ck_assert_str_eq(reason, "no accessor");
	free(reason);
	request.n_accessors = 1;
	request.accessors = &(struct memory_accessor){ "cpu9", 1, 1 };
	ck_assert_int_eq(memory_place(topology, &request, &answer, &reason), -ENODEV);
	ck_assert_str_eq(reason, "no such accessor: cpu9");
	free(reason);
	request.accessors = &(struct memory_accessor){ "cpu0", 0, 0 };
	ck_assert_int_eq(memory_place(topology, &request, &answer, NULL), -EINVAL);
	topology_unref(topology);
}
END_TEST

/* What costs the same is a tie, whatever fractions it is the sum of; what does not is none, however near it is. */
START_TEST(costs_are_exact)
{
	static const int64_t figures[2][3] = { { 10000, 10000, 60000 }, { 10000, 12000, 30000 } };
	static const struct memory_accessor even[] = { { "cpu0", 1, 0 }, { "cpu1", 1, 0 }, { "cpu2", 1, 0 } };
	static const struct memory_accessor uneven[] = { { "cpu3", 1000000, 0 }, { "cpu4", 1, 0 } };
	struct topology_builder *builder = machine_new();
	struct topology *topology;

	for (size_t i = 0; i < 5; i++)
		add_cpu(builder, (const char *[]){ "cpu0", "cpu1", "cpu2", "cpu3", "cpu4" }[i], TOPOLOGY_UNKNOWN);
	for (size_t i = 0; i < 2; i++) {
		const char *name = i ? "node1" : "node0";

		add_memory(builder, name, (int64_t)i, 900);
		for (size_t j = 0; j < 3; j++)
			add_access(builder, name, even[j].name, (const int64_t[]){ figures[i][j], 1, 1, 1 });
		add_access(builder, name, "cpu3", (const int64_t[]){ 7, 1, 1, 1 });
		add_access(builder, name, "cpu4", (const int64_t[]){ 9999998 + (int64_t)i, 1, 1, 1 });
	}
	topology = machine_finish(builder);
	ck_assert_str_eq(ask(topology, 50, MEMORY_BANDWIDTH, even, 3), "node0 node1");
	ck_assert_str_eq(ask(topology, 50, MEMORY_BANDWIDTH, uneven, 2), "node1 node0");
	topology_unref(topology);
}
END_TEST

static void add_bank(struct topology_builder *builder, const char *name, const char *device, int64_t mbps)
{
	const struct topology_memory bank = {
		.name = (char *)name,
		.numa_node = TOPOLOGY_UNKNOWN,
		.size_bytes = 1000,
		.free_bytes = TOPOLOGY_UNKNOWN,
		.bandwidth_mbps = mbps,
		.device = (char *)device,
	};

	ck_assert_int_eq(topology_builder_add_memory(builder, &bank), 0);
}

/* Two linked devices with two regions each; links have 300 ns. */
static struct topology_builder *two_devices_with(int64_t mbps)
{
	static const char *const names[] = { "0000:40:00.0", "0000:41:00.0" };
	struct topology_builder *builder = machine_new();

	for (size_t i = 0; i < 2; i++) {
		struct topology_region regions[] = {
			{ .name = (char *)"vram0", .size_bytes = 1000, .free_bytes = 500, .resident_bytes = 0 },
			{ .name = (char *)"vram1", .size_bytes = 1000, .free_bytes = 500, .resident_bytes = 0 },
		};
		const struct topology_device device = {
			.name = (char *)names[i],
			.state = TOPOLOGY_STATE_ONLINE,
			.incarnation = 1,
			.numa_node = (int64_t)i,
			.n_handles = TOPOLOGY_UNKNOWN,
			.regions = regions,
			.n_regions = 2,
		};
		const struct topology_link link = {
			.type = TOPOLOGY_LINK_XGMI,
			.up = true,
			.read_bandwidth_mbps = mbps,
			.write_bandwidth_mbps = mbps,
			.read_latency_ns = 300,
			.write_latency_ns = 300,
			.hops = TOPOLOGY_UNKNOWN,
			.measured_at_s = TOPOLOGY_UNKNOWN,
		};

		ck_assert_int_eq(topology_builder_add_device(builder, &device), 0);
		ck_assert_int_eq(topology_builder_add_link(builder, names[i], names[!i], &link), 0);
	}
	return builder;
}

static struct topology_builder *two_devices(void)
{
	return two_devices_with(36000);
}

static const struct memory_location *location_at(struct memory_answer *answer, const struct topology *topology,
						 enum memory_objective objective, size_t index)
{
	const struct memory_request request = {
		.bytes = 10,
		.objective = objective,
		.accessors = &(const struct memory_accessor){ "0000:41:00.0", 1, 1 },
		.n_accessors = 1,
	};

	ck_assert_int_eq(memory_place(topology, &request, answer, NULL), 0);
	ck_assert_uint_eq(answer->n_locations, 4);
	return &answer->locations[index];
}

/* Of own memory nobody says anything: it is first, and that is an assumption. */
START_TEST(own_memory_that_is_unknown)
{
	struct topology *topology = machine_finish(two_devices());
	struct memory_answer answer;

	for (enum memory_objective objective = MEMORY_BANDWIDTH; objective <= MEMORY_LATENCY; objective++)
		for (size_t i = 0; i < 4; i++) {
			const struct memory_location *at = location_at(&answer, topology, objective, i);

			ck_assert_uint_eq(at->device, i < 2);
			ck_assert_uint_eq(at->region, i % 2);
			ck_assert_int_eq(at->assumed, i < 2);
			/* Who asks is at the node of the device that is its own. */
			ck_assert_int_eq(at->away, i < 2 ? 0 : 2);
		}
	topology_unref(topology);
}
END_TEST

/* More than any link has: as if nothing had been said, so own memory, of which something is, goes first. */
START_TEST(impossible_figures_say_nothing)
{
	static const int64_t figures[] = { 5000000000000, 10000001, 0 };

	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		struct topology_builder *builder = two_devices_with(figures[i]);
		const struct memory_location *at;
		struct memory_answer answer;
		struct topology *topology;

		add_bank(builder, "0000:41:00.0/vram0", "0000:41:00.0", 1600000);
		add_bank(builder, "0000:41:00.0/vram1", "0000:41:00.0", figures[i]);
		add_access(builder, "0000:41:00.0/vram1", "0000:41:00.0",
			   (int64_t[]){ figures[i], figures[i], TOPOLOGY_UNKNOWN, TOPOLOGY_UNKNOWN });
		topology = machine_finish(builder);
		/* Own memory of which nothing is known is taken for the best that there is. */
		at = location_at(&answer, topology, MEMORY_BANDWIDTH, 0);
		ck_assert_uint_eq(at->device, 1);
		ck_assert_uint_eq(at->region, 1);
		ck_assert(at->assumed);
		at = location_at(&answer, topology, MEMORY_BANDWIDTH, 1);
		ck_assert_uint_eq(at->device, 1);
		ck_assert_uint_eq(at->region, 0);
		ck_assert(!at->assumed);
		at = location_at(&answer, topology, MEMORY_BANDWIDTH, 2);
		ck_assert_uint_eq(at->device, 0);
		ck_assert(at->assumed);
		topology_unref(topology);
	}
}
END_TEST

/* What is excluded has to be something. */
START_TEST(excluded_that_is_not_there)
{
	struct topology *topology = machine_finish(two_devices());
	const char *exclude[] = { "0000:40:00.0", "nosuch" };
	const struct memory_request request = {
		.bytes = 10,
		.accessors = &(const struct memory_accessor){ "0000:41:00.0", 1, 1 },
		.n_accessors = 1,
		.exclude = exclude,
		.n_exclude = 2,
	};
	struct memory_answer answer;
	char *reason = NULL;

	ck_assert_int_eq(memory_place(topology, &request, &answer, &reason), -ENODEV);
	ck_assert_str_eq(reason, "no such device or memory: nosuch");
	free(reason);
	exclude[1] = "0000:40:00.0";
	ck_assert_int_eq(memory_place(topology, &request, &answer, NULL), 0);
	ck_assert_uint_eq(answer.n_locations, 2);
	topology_unref(topology);
}
END_TEST

/* Links of which no latency is known are farther than own memory of which none is. */
START_TEST(nothing_is_known_of_latency)
{
	static const struct memory_accessor user = { "0000:41:00.0", 1, 1 };
	struct topology_builder *builder = machine_new();
	struct topology *topology;

	machine_add(builder, "0000:40:00.0", TOPOLOGY_STATE_ONLINE, 500);
	machine_add(builder, "0000:41:00.0", TOPOLOGY_STATE_ONLINE, 500);
	machine_join(builder, "0000:40:00.0", "0000:41:00.0", TOPOLOGY_LINK_XGMI, 36000);
	add_memory(builder, "node0", 0, 900);
	topology = machine_finish(builder);
	ck_assert_str_eq(ask(topology, 50, MEMORY_LATENCY, &user, 1), "0000:41:00.0 0000:40:00.0 node0");
	topology_unref(topology);
}
END_TEST

/* What is said of a region by its name is for that one; by latency it is worse than the other device's. */
START_TEST(own_memory_has_figures)
{
	struct topology_builder *builder = two_devices();
	struct topology *topology;
	struct memory_answer answer;

	add_bank(builder, "0000:41:00.0/vram0", "0000:41:00.0", 70000);
	add_bank(builder, "0000:41:00.0/vram1", "0000:41:00.0", 80000);
	add_access(builder, "0000:41:00.0/vram0", "0000:41:00.0", (const int64_t[]){ 0, 0, 400, 400 });
	add_access(builder, "0000:41:00.0/vram1", "0000:41:00.0", (const int64_t[]){ 20000, 0, 250, 0 });
	topology = machine_finish(builder);
	/* 70000 both ways; 36000 over the link; 20000 and 80000. */
	for (size_t i = 0; i < 4; i++) {
		static const size_t devices[] = { 1, 0, 0, 1 }, regions[] = { 0, 0, 1, 1 };
		const struct memory_location *at = location_at(&answer, topology, MEMORY_BANDWIDTH, i);

		ck_assert_uint_eq(at->device, devices[i]);
		ck_assert_uint_eq(at->region, regions[i]);
		ck_assert(!at->assumed);
	}
	/* 250 for reads, which writes are taken to have; 300 over the link; 400. */
	for (size_t i = 0; i < 4; i++) {
		static const size_t devices[] = { 1, 0, 0, 1 }, regions[] = { 1, 0, 1, 0 };
		const struct memory_location *at = location_at(&answer, topology, MEMORY_LATENCY, i);

		ck_assert_uint_eq(at->device, devices[i]);
		ck_assert_uint_eq(at->region, regions[i]);
		ck_assert_int_eq(at->assumed, i == 0);
	}
	topology_unref(topology);
}
END_TEST

/* Memory that has no region's name is that of all of them; another device's access to it stands in for the link's. */
START_TEST(memory_without_a_regions_name)
{
	struct topology_builder *builder = machine_new();
	struct topology *topology;
	struct memory_answer answer;
	const struct memory_request request = {
		.bytes = 10,
		.objective = MEMORY_LATENCY,
		.accessors = (const struct memory_accessor[]){ { "0000:40:00.0", 1, 0 }, { "0000:41:00.0", 1, 0 } },
		.n_accessors = 2,
	};

	machine_add(builder, "0000:40:00.0", TOPOLOGY_STATE_ONLINE, 500);
	machine_add(builder, "0000:41:00.0", TOPOLOGY_STATE_ONLINE, 500);
	machine_join(builder, "0000:40:00.0", "0000:41:00.0", TOPOLOGY_LINK_XGMI, 36000);
	add_bank(builder, "hbm", "0000:41:00.0", TOPOLOGY_UNKNOWN);
	add_access(builder, "hbm", "0000:40:00.0", (const int64_t[]){ 0, 0, 200, 200 });
	add_access(builder, "hbm", "0000:41:00.0", (const int64_t[]){ 0, 0, 100, 100 });
	topology = machine_finish(builder);
	ck_assert_int_eq(memory_place(topology, &request, &answer, NULL), 0);
	/* The other is 0 (own) and 200 (nothing known is worse). */
	ck_assert_uint_eq(answer.locations[0].device, 0);
	ck_assert(answer.locations[0].assumed);
	ck_assert(answer.locations[0].cost == 100);
	ck_assert(!answer.locations[1].assumed);
	ck_assert(answer.locations[1].cost == 150);
	topology_unref(topology);
}
END_TEST

enum { CPUS_MAX = 4, NODES_MAX = 10 };

/* What a location costs, straight from the figures, as thousandths of the least unit that tells two apart. */
static double cost_of(const int64_t figures[static 4], const struct memory_accessor *accessor, bool by_latency)
{
	if (by_latency)
		return (double)(accessor->read_weight * figures[2] + accessor->write_weight * figures[3]);
	return (double)accessor->read_weight / (double)figures[0] + (double)accessor->write_weight / (double)figures[1];
}

/* Machines of several kinds of memory by chance: the first location is the best of all with room, and so on. */
START_TEST(against_all_locations)
{
	const char *text = getenv("TEST_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : 7;

	for (unsigned int round = 0; round < 300; round++) {
		size_t n_cpus = 1 + chance(&seed, CPUS_MAX), n_nodes = 1 + chance(&seed, NODES_MAX), n_would_do = 0;
		int64_t figures[NODES_MAX][CPUS_MAX][4], free_bytes[NODES_MAX];
		struct memory_accessor accessors[CPUS_MAX];
		char names[CPUS_MAX][16];
		struct topology_builder *builder = machine_new();
		struct memory_request request = { .accessors = accessors, .n_accessors = n_cpus };
		struct memory_answer answer;
		struct topology *topology;
		double last = -1;
		int r;

		request.bytes = chance(&seed, 800);
		request.objective = chance(&seed, 2) ? MEMORY_LATENCY : MEMORY_BANDWIDTH;
		for (size_t i = 0; i < n_cpus; i++) {
			(void)snprintf(names[i], sizeof(names[i]), "cpu%zu", i);
			add_cpu(builder, names[i], (int64_t)i);
			accessors[i] = (struct memory_accessor){ names[i], chance(&seed, 5), 1 + chance(&seed, 5) };
		}
		for (size_t i = 0; i < n_nodes; i++) {
			char name[16];

			(void)snprintf(name, sizeof(name), "node%zu", i);
			free_bytes[i] = chance(&seed, 1000);
			add_memory(builder, name, (int64_t)i, free_bytes[i]);
			for (size_t j = 0; j < n_cpus; j++) {
				for (size_t k = 0; k < 4; k++)
					figures[i][j][k] = 1 + chance(&seed, 100000);
				add_access(builder, name, names[j], figures[i][j]);
			}
			n_would_do += free_bytes[i] > 0 || request.bytes == 0;
		}
		topology = machine_finish(builder);
		r = memory_place(topology, &request, &answer, NULL);
		if (n_would_do == 0) {
			ck_assert_int_eq(r, -ENOSPC);
			topology_unref(topology);
			continue;
		}
		ck_assert_int_eq(r, 0);
		ck_assert_uint_eq(answer.n_locations + answer.n_more, n_would_do);
		for (size_t i = 0; i < answer.n_locations; i++) {
			const struct memory_location *at = &answer.locations[i];
			size_t node = (size_t)topology->memories[at->memory].numa_node;
			double cost = 0, least = -1;

			ck_assert_int_eq(at->fits, (uint64_t)free_bytes[node] >= request.bytes);
			for (size_t j = 0; j < n_cpus; j++)
				cost += cost_of(figures[node][j], &accessors[j], request.objective == MEMORY_LATENCY);
			if (i > 0 && at->fits != answer.locations[i - 1].fits)
				last = -1;
			/* The least of those with as much room that cost more than the one before. */
			for (size_t other = 0; other < n_nodes; other++) {
				double its = 0;

				if (((uint64_t)free_bytes[other] >= request.bytes) != at->fits ||
				    (free_bytes[other] == 0 && request.bytes > 0))
					continue;
				for (size_t j = 0; j < n_cpus; j++)
					its += cost_of(figures[other][j], &accessors[j],
						       request.objective == MEMORY_LATENCY);
				if (its > last && (least < 0 || its < least))
					least = its;
			}
			ck_assert_msg(cost == least || cost == last, "seed %llu: %zu costs %g, another %g",
				      (unsigned long long)seed, node, cost, least);
			last = cost;
		}
		topology_unref(topology);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		two_kinds_of_system_memory, unknown_figures,
		only_what_is_in_reach,	    costs_are_exact,
		own_memory_that_is_unknown, nothing_is_known_of_latency,
		own_memory_has_figures,	    memory_without_a_regions_name,
		against_all_locations,	    impossible_figures_say_nothing,
		excluded_that_is_not_there,
	};

	return machine_run_suite("place-memory", tests, sizeof(tests) / sizeof(tests[0]));
}

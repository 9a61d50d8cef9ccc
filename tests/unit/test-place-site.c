// SPDX-License-Identifier: MIT
#include "machine.h"
#include "place/place.h"

#include <errno.h>
#include <stdio.h>

enum { BOARD = 4, BOARDS = 350 };

static void device_name(size_t i, char name[static 16])
{
	(void)snprintf(name, 16, "%04x:%02x:00.0", (unsigned int)(i / 256 % 65536), (unsigned int)(i % 256));
}

static void add_bridge(struct topology_builder *builder, const char *name, const char *parent, int64_t mbps)
{
	const struct topology_node node = {
		.name = (char *)name,
		.kind = TOPOLOGY_NODE_BRIDGE,
		.parent = (char *)parent,
		.uplink = { .bandwidth_mbps = mbps },
		.numa_node = TOPOLOGY_UNKNOWN,
		.socket = TOPOLOGY_UNKNOWN,
		.model = TOPOLOGY_UNKNOWN,
		.port_mbps = TOPOLOGY_UNKNOWN,
	};

	ck_assert_int_eq(topology_builder_add_node(builder, &node), 0);
}

/*
 * Boards of four devices, each below a bridge of its own, these below shelves of 25 boards with uplinks of two widths, and
 * these below one root. Ring links join the devices of a board; with @across one more joins two boards.
 */
static struct topology *shelves(bool across)
{
	struct topology_builder *builder = machine_new();

	add_bridge(builder, "root", NULL, TOPOLOGY_UNKNOWN);
	for (size_t board = 0; board < BOARDS; board++) {
		char shelf[16], bridge[16], names[BOARD][16];
		struct topology_region region = { .name = (char *)"vram0", .size_bytes = 1000, .free_bytes = 500 };

		(void)snprintf(shelf, sizeof(shelf), "shelf%zu", board / 25);
		(void)snprintf(bridge, sizeof(bridge), "board%zu", board);
		if (board % 25 == 0)
			add_bridge(builder, shelf, "root", board % 2 ? 6000 : 3000);
		add_bridge(builder, bridge, shelf, board % 3 ? 12000 : 8000);
		for (size_t i = 0; i < BOARD; i++) {
			const struct topology_device device = {
				.name = names[i],
				.state = TOPOLOGY_STATE_ONLINE,
				.incarnation = 1,
				.numa_node = TOPOLOGY_UNKNOWN,
				.regions = &region,
				.n_regions = 1,
				.parent = bridge,
				.pci_link = { .bandwidth_mbps = 24000 },
			};

			device_name(board * BOARD + i, names[i]);
			ck_assert_int_eq(topology_builder_add_device(builder, &device), 0);
		}
		for (size_t i = 0; i < BOARD; i++)
			machine_join(builder, names[i], names[(i + 1) % BOARD], TOPOLOGY_LINK_XGMI, 40000);
	}
	if (across)
		machine_join(builder, "0000:00:00.0", "0001:00:00.0", TOPOLOGY_LINK_XGMI, 40000);
	return machine_finish(builder);
}

/* Every pair is what the rule says. */
static void compare_with_rule(const struct topology *topology, const struct place_graph *graph, bool linked)
{
	for (size_t a = 0; a < topology->n_devices; a++) {
		ck_assert_str_eq(place_graph_name(graph, a), topology->devices[a].name);
		for (size_t b = a + 1; b < topology->n_devices; b++) {
			struct topology_pair rule = topology_pair(topology, a, b);
			struct place_pair pair = place_graph_pair(graph, a, b);

			if (pair.mbps == rule.bandwidth_mbps && !(pair.flags & PLACE_PAIR_LINKED) == !rule.linked &&
			    !(pair.flags & PLACE_PAIR_ASSUMED) == !rule.assumed &&
			    !(pair.flags & PLACE_PAIR_FORBIDDEN) == (!linked || rule.linked))
				continue;
			ck_abort_msg("%zu and %zu: %lld, flags %x, the rule %lld%s%s", a, b, (long long)pair.mbps,
				     pair.flags, (long long)rule.bandwidth_mbps, rule.assumed ? " assumed" : "",
				     rule.linked ? " linked" : "");
		}
	}
}

/* More devices than pairs are asked of: every pair is what the rule says all the same, and every relation. */
START_TEST(many_devices_by_their_paths)
{
	static const struct site_relation relations[] = { { 0 }, { .linked = true } };
	struct topology *topology = shelves(false);

	ck_assert_uint_gt(topology->n_devices, SITE_DENSE_MAX);
	for (size_t i = 0; i < sizeof(relations) / sizeof(relations[0]); i++) {
		struct place_graph *graph;

		ck_assert_int_eq(site_graph_new(topology, relations[i], &graph), 0);
		ck_assert_uint_le(place_graph_irregular(graph), BOARD);
		compare_with_rule(topology, graph, relations[i].linked);
		place_graph_unref(graph);
	}
	topology_unref(topology);
}
END_TEST

/* A link between two boards of many: neither looks the same from everywhere, and nothing is guessed. */
START_TEST(many_devices_without_a_form)
{
	struct topology *topology = shelves(true);
	const struct place_request request = { .count = 2 };
	struct place_failure failure = { 0 };
	struct placement *placement;
	struct place_graph *graph;

	ck_assert_int_eq(site_graph_new(topology, (struct site_relation){ 0 }, &graph), -E2BIG);
	ck_assert_int_eq(place(topology, &request, &placement, &failure), -E2BIG);
	ck_assert_str_eq(failure.reason,
			 "1400 devices, and their links form no tree of small parts: that is solved for "
			 "up to 1200 (make a topology of fewer)");
	place_failure_fini(&failure);
	topology_unref(topology);
}
END_TEST

static void add_cpu(struct topology_builder *builder, const char *name, int64_t socket)
{
	const struct topology_node node = {
		.name = (char *)name,
		.kind = TOPOLOGY_NODE_CPU,
		.uplink = { .bandwidth_mbps = TOPOLOGY_UNKNOWN },
		.numa_node = TOPOLOGY_UNKNOWN,
		.socket = socket,
		.vendor = (char *)"AuthenticAMD",
		.model = TOPOLOGY_UNKNOWN,
		.port_mbps = TOPOLOGY_UNKNOWN,
	};

	ck_assert_int_eq(topology_builder_add_node(builder, &node), 0);
}

/*
 * The last of many sockets has two roots with two devices each: pairs of these do not go over the link between CPUs, and
 * they are so few that nobody finds one of them by chance.
 */
START_TEST(socket_of_two_roots_among_many)
{
	enum { N = 1300, ROOTS = 26, LAST = 2, EACH = (N - 2 * LAST) / (ROOTS - 2) };
	const char *const last[] = { "0005:10:00.0", "0005:11:00.0", "0005:12:00.0", "0005:13:00.0" };
	const struct place_request request = {
		.count = 2 * LAST,
		.least_mbps = 20000,
		.require = last,
		.n_require = 2 * LAST,
	};
	struct topology_builder *builder = machine_new();
	size_t n = 0;
	struct placement *placement;
	struct topology *topology;
	struct place_graph *graph;

	for (size_t root = 0; root < ROOTS; root++) {
		struct topology_region region = { .name = (char *)"vram0", .size_bytes = 1000, .free_bytes = 500 };
		char cpu[16], name[16];

		(void)snprintf(cpu, sizeof(cpu), "cpu%zu", root);
		add_cpu(builder, cpu, root < ROOTS - 1 ? (int64_t)root : ROOTS - 2);
		for (size_t i = 0; i < (root < ROOTS - 2 ? EACH : LAST); i++) {
			const struct topology_device device = {
				.name = name,
				.state = TOPOLOGY_STATE_ONLINE,
				.incarnation = 1,
				.numa_node = TOPOLOGY_UNKNOWN,
				.regions = &region,
				.n_regions = 1,
				.parent = cpu,
				.pci_link = { .bandwidth_mbps = 24000 },
			};

			device_name(n++, name);
			ck_assert_int_eq(topology_builder_add_device(builder, &device), 0);
		}
	}
	topology = machine_finish(builder);
	ck_assert_int_eq(site_graph_new(topology, (struct site_relation){ 0 }, &graph), 0);
	compare_with_rule(topology, graph, false);
	place_graph_unref(graph);
	ck_assert_int_eq(place(topology, &request, &placement, NULL), 0);
	ck_assert(placement->exact);
	ck_assert_int_eq(placement->answer.bottleneck_mbps, 24000);
	placement_free(placement);
	topology_unref(topology);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		many_devices_by_their_paths,
		many_devices_without_a_form,
		socket_of_two_roots_among_many,
	};

	return machine_run_suite("place-site", tests, sizeof(tests) / sizeof(tests[0]));
}

// SPDX-License-Identifier: MIT
#include "base/base.h"
#include "machine.h"
#include "place/place.h"

#include <errno.h>
#include <stdio.h>

enum { BOARD = 4, BOARDS = 350 };

#define ODD "00ff:00:00.0"

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
 * these below one root. Ring links join the devices of a board; with @across one more joins two boards, and with @odd there
 * is one more device, of which no path is known.
 */
static struct topology *shelves(bool across, bool odd)
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
	if (odd)
		machine_add(builder, ODD, TOPOLOGY_STATE_ONLINE, 500);
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
	struct topology *topology = shelves(false, false);

	ck_assert_uint_gt(topology->n_devices, SITE_DENSE_MAX);
	for (size_t i = 0; i < sizeof(relations) / sizeof(relations[0]); i++) {
		struct place_graph *graph;

		ck_assert_int_eq(site_graph_new(topology, relations[i], NULL, &graph, NULL), 0);
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
	struct topology *topology = shelves(true, false);
	struct place_request request = { .count = 2 };
	struct place_failure failure = { 0 };
	struct placement *placement;
	struct place_graph *graph;

	ck_assert_int_eq(site_graph_new(topology, (struct site_relation){ 0 }, NULL, &graph, NULL), -E2BIG);
	ck_assert_int_eq(place(topology, &request, &placement, &failure), -E2BIG);
	ck_assert_str_eq(
		failure.reason,
		"1400 devices, and their links form no tree of small parts (0000:00:00.0: others are nearer to "
		"some of the devices that it is joined with): that is solved for up to 1200 (exclude what does "
		"not fit, or all but so many)");
	place_failure_fini(&failure);
	/* Without it there is a tree again. */
	request.exclude = (const char *const[]){ "0000:00:00.0" };
	request.n_exclude = 1;
	ck_assert_int_eq(place(topology, &request, &placement, &failure), 0);
	ck_assert(placement->exact);
	ck_assert_int_eq(placement->bottleneck_mbps, 40000);
	placement_free(placement);
	topology_unref(topology);
}
END_TEST

/* So few are left that all their pairs are asked of the rule, whatever form they have. */
START_TEST(few_of_many_need_no_form)
{
	struct topology *topology = shelves(true, false);
	_cleanup_(freep) const char **names = calloc(topology->n_devices, sizeof(*names));
	struct place_request request = { .count = 5, .linked = PLACE_LINKED_REQUIRED };
	struct place_failure failure = { 0 };
	struct placement *placement;

	ck_assert_ptr_nonnull(names);
	for (size_t i = 600; i < topology->n_devices; i++)
		names[request.n_busy++] = topology->devices[i].name;
	request.busy = names;
	ck_assert_int_eq(place(topology, &request, &placement, &failure), -ENOSPC);
	ck_assert_str_eq(failure.reason, "600 devices free, but no 5 that are linked; largest such set: 0001:98:00.0, "
					 "0001:99:00.0");
	place_failure_fini(&failure);
	request.count = 2;
	ck_assert_int_eq(place(topology, &request, &placement, &failure), 0);
	ck_assert(placement->exact);
	ck_assert(placement->linked);
	placement_free(placement);
	topology_unref(topology);
}
END_TEST

/* One that does not fit is named, and who does without it does without its harm: excluded, busy or taken. */
START_TEST(odd_one_of_many)
{
	static const char *const odd[] = { ODD };
	struct topology *topology = shelves(false, true);
	struct place_request request = { .count = 5, .objective = PLACE_SUM };
	struct place_failure failure = { 0 };
	struct placement *placement;
	struct place_site *site;
	const struct place_pool *pool;
	ssize_t device = topology_device_find(topology, ODD);
	size_t taken = (size_t)device;
	int64_t sum_mbps;

	ck_assert_int_ge(device, 0);
	ck_assert_int_eq(place_site_new(topology, &site), 0);
	ck_assert_int_eq(place_site_pool(site, (struct site_relation){ 0 }, &pool), -E2BIG);
	ck_assert_int_eq(place_at(site, &request, &placement, &failure), -E2BIG);
	ck_assert_str_eq(failure.reason,
			 "1401 devices, and their links form no tree of small parts (" ODD
			 " beside 0000:00:00.0: its PCI "
			 "path is not known): that is solved for up to 1200 (exclude what does not fit, or all but so "
			 "many)");
	place_failure_fini(&failure);
	request.exclude = odd;
	request.n_exclude = 1;
	ck_assert_int_eq(place_at(site, &request, &placement, &failure), 0);
	ck_assert(placement->exact);
	sum_mbps = placement->sum_mbps;
	placement_free(placement);
	request = (struct place_request){ .count = 5, .objective = PLACE_SUM, .busy = odd, .n_busy = 1 };
	ck_assert_int_eq(place_at(site, &request, &placement, &failure), 0);
	ck_assert_int_eq(placement->sum_mbps, sum_mbps);
	placement_free(placement);
	request.n_busy = 0;
	ck_assert_int_eq(place_site_take(site, &taken, 1), 0);
	ck_assert_int_eq(place_at(site, &request, &placement, &failure), 0);
	ck_assert_int_eq(placement->sum_mbps, sum_mbps);
	placement_free(placement);
	place_site_free(site);
	topology_unref(topology);

	/* The same as of the machine that never had it. */
	topology = shelves(false, false);
	ck_assert_int_eq(place(topology, &request, &placement, &failure), 0);
	ck_assert_int_eq(placement->sum_mbps, sum_mbps);
	placement_free(placement);
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
	ck_assert_int_eq(site_graph_new(topology, (struct site_relation){ 0 }, NULL, &graph, NULL), 0);
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
		many_devices_by_their_paths,	many_devices_without_a_form, few_of_many_need_no_form, odd_one_of_many,
		socket_of_two_roots_among_many,
	};

	return machine_run_suite("place-site", tests, sizeof(tests) / sizeof(tests[0]));
}

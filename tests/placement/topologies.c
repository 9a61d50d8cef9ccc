// SPDX-License-Identifier: MIT
/* Machines as topologies. */
#include "topologies.h"

#include <stdio.h>
#include <stdlib.h>

#define UNKNOWN_UPLINK                                                                                        \
	{                                                                                                     \
		.speed_mtps = TOPOLOGY_UNKNOWN, .width = TOPOLOGY_UNKNOWN, .bandwidth_mbps = TOPOLOGY_UNKNOWN \
	}

enum {
	SWITCH_LINK_MBPS = 40100,
	SWITCHES_MAX = 18,
	NODE_NAME_SIZE = 48,
};

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "topology: %s: %d\n", what, r);
	abort();
}

void topology_plan_name(size_t device, char *ret)
{
	(void)snprintf(ret, TOPOLOGY_NAME_SIZE, "%04zx:%02zx:%02zx.0", device >> 8, device >> 2 & 0x3f, device & 3);
}

static void bridge_name(size_t node, char *ret)
{
	(void)snprintf(ret, NODE_NAME_SIZE, "bridge%zu", node);
}

static void switch_name(size_t node, size_t i, char *ret)
{
	(void)snprintf(ret, NODE_NAME_SIZE, "switch%zu-%zu", node, i);
}

/* One device at a node whose uplink is so many links of a switch each; 0: it is something else. */
static size_t n_switches(const struct machine_cluster *cluster)
{
	if (cluster->inside.n != 1 || cluster->uplink_mbps % SWITCH_LINK_MBPS)
		return 0;
	return (size_t)(cluster->uplink_mbps / SWITCH_LINK_MBPS);
}

static void add_bridge(struct topology_builder *builder, const struct machine *machine, size_t i)
{
	char name[NODE_NAME_SIZE], parent[NODE_NAME_SIZE];
	const struct topology_node node = {
		.name = name,
		.kind = TOPOLOGY_NODE_BRIDGE,
		.parent = i ? parent : NULL,
		.uplink = {
			.speed_mtps = TOPOLOGY_UNKNOWN,
			.width = TOPOLOGY_UNKNOWN,
			.bandwidth_mbps = i ? machine->nodes[i].uplink_mbps : TOPOLOGY_UNKNOWN,
		},
		.numa_node = TOPOLOGY_UNKNOWN,
		.socket = TOPOLOGY_UNKNOWN,
		.model = TOPOLOGY_UNKNOWN,
		.port_mbps = TOPOLOGY_UNKNOWN,
	};

	bridge_name(i, name);
	bridge_name(machine->nodes[i].parent, parent);
	must(topology_builder_add_node(builder, &node), name);
}

static void add_switches(struct topology_builder *builder, size_t node)
{
	for (size_t i = 0; i < SWITCHES_MAX; i++) {
		char name[NODE_NAME_SIZE];
		const struct topology_node fabric_switch = {
			.name = name,
			.kind = TOPOLOGY_NODE_SWITCH,
			.uplink = UNKNOWN_UPLINK,
			.numa_node = TOPOLOGY_UNKNOWN,
			.socket = TOPOLOGY_UNKNOWN,
			.model = TOPOLOGY_UNKNOWN,
			.port_mbps = TOPOLOGY_UNKNOWN,
		};

		switch_name(node, i, name);
		must(topology_builder_add_node(builder, &fabric_switch), name);
	}
}

static void add_nodes(struct topology_builder *builder, const struct machine *machine, uint64_t order)
{
	size_t *numbers = random_order(machine->n_nodes, order);
	bool *has_switches = calloc(machine->n_nodes, sizeof(*has_switches));

	if (!has_switches)
		abort();
	for (size_t i = 0; i < machine->n_clusters; i++)
		has_switches[machine->clusters[i].node] |= n_switches(machine->clusters + i) > 0;
	for (size_t i = 0; i < machine->n_nodes; i++) {
		add_bridge(builder, machine, numbers[i]);
		if (has_switches[numbers[i]])
			add_switches(builder, numbers[i]);
	}
	free(has_switches);
	free(numbers);
}

static void add_device(struct topology_builder *builder, const struct machine *machine, size_t i,
		       const struct topology_plan *plan)
{
	const struct machine_cluster *cluster = machine_cluster_of(machine, i);
	int64_t free_bytes = plan->free_bytes ? plan->free_bytes[i] : 500;
	struct topology_region region = {
		.name = (char *)"vram0",
		.size_bytes = 1000,
		.free_bytes = free_bytes,
		.resident_bytes = 1000 - free_bytes,
	};
	char name[TOPOLOGY_NAME_SIZE], bridge[NODE_NAME_SIZE];
	const struct topology_device device = {
		.name = name,
		.driver = (char *)"softgpu",
		.state = plan->offline && plan->offline[i] ? TOPOLOGY_STATE_OFFLINE : TOPOLOGY_STATE_ONLINE,
		.incarnation = 1,
		.numa_node = plan->numa_node ? plan->numa_node[i] : TOPOLOGY_UNKNOWN,
		.regions = &region,
		.n_regions = 1,
		.parent = machine->n_clusters > 1 ? bridge : NULL,
		.pci_link = { .bandwidth_mbps = machine->n_clusters > 1 ? cluster->uplink_mbps : TOPOLOGY_UNKNOWN },
	};

	topology_plan_name(i, name);
	bridge_name(cluster->node, bridge);
	must(topology_builder_add_device(builder, &device), name);
	for (size_t j = 0; j < n_switches(cluster); j++) {
		char node[NODE_NAME_SIZE];

		switch_name(cluster->node, j, node);
		must(topology_builder_add_attachment(builder, name, node,
						     &(struct topology_attachment){
							     .type = TOPOLOGY_LINK_NVLINK,
							     .count = 1,
							     .n_records = 1,
							     .to_bandwidth_mbps = SWITCH_LINK_MBPS,
							     .from_bandwidth_mbps = SWITCH_LINK_MBPS,
						     }),
		     node);
	}
}

struct direction {
	bool up;
	int64_t read_mbps, write_mbps;
};

static void add_direction(struct topology_builder *builder, size_t accessor, size_t owner, struct direction direction)
{
	char accessor_name[TOPOLOGY_NAME_SIZE], owner_name[TOPOLOGY_NAME_SIZE];
	const struct topology_link link = {
		.type = TOPOLOGY_LINK_XGMI,
		.up = direction.up,
		.read_bandwidth_mbps = direction.read_mbps,
		.write_bandwidth_mbps = direction.write_mbps,
		.read_latency_ns = TOPOLOGY_UNKNOWN,
		.write_latency_ns = TOPOLOGY_UNKNOWN,
		.hops = TOPOLOGY_UNKNOWN,
		.measured_at_s = TOPOLOGY_UNKNOWN,
	};

	topology_plan_name(accessor, accessor_name);
	topology_plan_name(owner, owner_name);
	must(topology_builder_add_link(builder, accessor_name, owner_name, &link), accessor_name);
}

/* A pair of a cluster: a link, or nothing where that is worth as much. */
static void add_pair(struct topology_builder *builder, size_t a, size_t b, int64_t mbps, int64_t without,
		     struct random *noise)
{
	int64_t more = noise->state ? (int64_t)random_below(noise, 3) * 7000 : 0;
	size_t kind = noise->state ? random_below(noise, 6) : 5;

	if (mbps != without) {
		/* The least of all four figures counts. */
		add_direction(builder, a, b, (struct direction){ true, mbps + (kind & 1 ? 0 : more), mbps + more });
		add_direction(builder, b, a, (struct direction){ true, mbps + more, mbps + (kind & 1 ? more : 0) });
	} else if (kind == 0) {
		/* One-sided. */
		add_direction(builder, a, b, (struct direction){ true, 99000, 99000 });
	} else if (kind == 1) {
		add_direction(builder, b, a, (struct direction){ true, 99000, 99000 });
		add_direction(builder, a, b, (struct direction){ false, 99000, 99000 });
	} else if (kind == 2) {
		add_direction(builder, a, b, (struct direction){ false, 99000, 99000 });
		add_direction(builder, b, a, (struct direction){ false, 99000, 99000 });
	}
}

static void add_cluster_pairs(struct topology_builder *builder, const struct machine *machine,
			      const struct machine_cluster *cluster, struct random *noise)
{
	int64_t without = machine->n_clusters > 1 ? cluster->uplink_mbps : MACHINE_ASSUMED_MBPS;

	for (size_t i = 0; i < cluster->inside.n; i++)
		for (size_t j = 0; j < i; j++)
			add_pair(builder, cluster->first + i, cluster->first + j, matrix_at(&cluster->inside, i, j),
				 without, noise);
}

static struct topology *finish(struct topology_builder *builder)
{
	struct topology *topology;

	must(topology_builder_finish(builder, &topology), "finish");
	topology_builder_free(builder);
	return topology;
}

struct topology *topology_of_machine(const struct machine *machine, const struct topology_plan *plan)
{
	size_t *devices = random_order(machine->n, plan->order),
	       *clusters = random_order(machine->n_clusters, plan->order);
	struct random noise = { plan->noise };
	struct topology_builder *builder;

	must(topology_builder_new(TOPOLOGY_SOURCE_KERNEL, 1, &builder), "builder");
	if (machine->n_clusters > 1)
		add_nodes(builder, machine, plan->order);
	for (size_t i = 0; i < machine->n; i++)
		add_device(builder, machine, devices[i], plan);
	for (size_t i = 0; i < machine->n_clusters; i++)
		add_cluster_pairs(builder, machine, machine->clusters + clusters[i], &noise);
	free(clusters);
	free(devices);
	return finish(builder);
}

/* Broadwell, PCIe 3 of 16 lanes. */
static void add_socketed(struct topology_builder *builder, size_t i, bool volta)
{
	struct topology_region region = { .name = (char *)"vram0", .size_bytes = 1000, .free_bytes = 1000 };
	char name[TOPOLOGY_NAME_SIZE], cpu[NODE_NAME_SIZE];
	const struct topology_device device = {
		.name = name,
		.state = TOPOLOGY_STATE_ONLINE,
		.incarnation = 1,
		.numa_node = (int64_t)i / 4,
		.regions = &region,
		.n_regions = 1,
		.arch = (char *)(volta ? "sm70" : "sm60"),
		.cpu = cpu,
		.pci_link = { .speed_mtps = 8000, .width = 16, .bandwidth_mbps = TOPOLOGY_UNKNOWN },
	};

	topology_plan_name(i, name);
	(void)snprintf(cpu, sizeof(cpu), "node%zu", i / 4);
	must(topology_builder_add_device(builder, &device), name);
}

struct topology *topology_of_cube_mesh(bool volta)
{
	struct topology_builder *builder;

	must(topology_builder_new(TOPOLOGY_SOURCE_KERNEL, 1, &builder), "builder");
	for (size_t i = 0; i < 2; i++) {
		char name[NODE_NAME_SIZE];
		const struct topology_node cpu = {
			.name = name,
			.kind = TOPOLOGY_NODE_CPU,
			.uplink = UNKNOWN_UPLINK,
			.numa_node = (int64_t)i,
			.socket = (int64_t)i,
			.vendor = (char *)"GenuineIntel",
			.model = 79,
			.port_mbps = TOPOLOGY_UNKNOWN,
		};

		(void)snprintf(name, sizeof(name), "node%zu", i);
		must(topology_builder_add_node(builder, &cpu), name);
	}
	for (size_t i = 0; i < 8; i++)
		add_socketed(builder, i, volta);
	for (size_t i = 0; i < 8; i++) {
		for (size_t j = 0; j < 8; j++) {
			char accessor[TOPOLOGY_NAME_SIZE], owner[TOPOLOGY_NAME_SIZE];
			const struct topology_link link = {
				.type = TOPOLOGY_LINK_NVLINK,
				.up = true,
				.count = generate_cube_mesh_links(volta, i, j),
				.read_bandwidth_mbps = TOPOLOGY_UNKNOWN,
				.write_bandwidth_mbps = TOPOLOGY_UNKNOWN,
				.read_latency_ns = TOPOLOGY_UNKNOWN,
				.write_latency_ns = TOPOLOGY_UNKNOWN,
				.hops = TOPOLOGY_UNKNOWN,
				.measured_at_s = TOPOLOGY_UNKNOWN,
			};

			topology_plan_name(i, accessor);
			topology_plan_name(j, owner);
			if (link.count)
				must(topology_builder_add_link(builder, accessor, owner, &link), accessor);
		}
	}
	return finish(builder);
}

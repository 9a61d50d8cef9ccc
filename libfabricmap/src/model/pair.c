// SPDX-License-Identifier: MIT
/*
 * Pair bandwidth, rule version 1. What can be worked out for a device, link or bridge by itself is, once, when the
 * topology is finished; a pair then is comparisons. Pure functions of a topology.
 */
#include "model/model-internal.h"

#include "base/base.h"
#include "base/sum.h"
#include "model/rule.h"

#include <errno.h>
#include <stdlib.h>

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static const char *arch_of(const struct topology *topology, size_t device)
{
	return topology->devices[device].arch;
}

/* ---- links ---- */

static bool is_up(const struct topology_link *link)
{
	return link && link->up && link->type != TOPOLOGY_LINK_NONE;
}

/* What no pair can have is taken for the most that one can. */
static void figure_cut(struct rule_figure *figure)
{
	if (figure->mbps <= TOPOLOGY_PAIR_MBPS_MAX)
		return;
	figure->mbps = TOPOLOGY_PAIR_MBPS_MAX;
	figure->assumed = true;
}

static int warn_cut(struct topology_builder *builder, const char *from, const char *to)
{
	return topology_builder_warn(builder, "impossible link: %s -> %s: more than %d MB/s together", from, to,
				     TOPOLOGY_PAIR_MBPS_MAX);
}

/* Reads and writes each have a figure; the half that is known is an upper bound all the same. */
static struct rule_figure link_figure(const struct topology *topology, const struct topology_link *link, bool *ret_cut)
{
	const char *arch = arch_of(topology, link->accessor);
	struct rule_figure figure;

	if (rule_bandwidth_is_possible(link->read_bandwidth_mbps, link->n_records) &&
	    rule_bandwidth_is_possible(link->write_bandwidth_mbps, link->n_records)) {
		figure.mbps = least(link->read_bandwidth_mbps, link->write_bandwidth_mbps);
		figure.assumed = false;
	} else if (link->read_bandwidth_mbps == TOPOLOGY_UNKNOWN && link->write_bandwidth_mbps == TOPOLOGY_UNKNOWN) {
		figure = rule_record(link->type, arch, TOPOLOGY_UNKNOWN, link->count, link->n_records);
	} else {
		figure = rule_record(link->type, arch, 0, link->count, link->n_records);
		if (rule_bandwidth_is_possible(link->read_bandwidth_mbps, link->n_records))
			figure.mbps = least(figure.mbps, link->read_bandwidth_mbps);
		if (rule_bandwidth_is_possible(link->write_bandwidth_mbps, link->n_records))
			figure.mbps = least(figure.mbps, link->write_bandwidth_mbps);
	}
	figure.assumed |= link->fact.confidence == TOPOLOGY_CONFIDENCE_ASSUMED;
	*ret_cut = figure.mbps > TOPOLOGY_PAIR_MBPS_MAX;
	figure_cut(&figure);
	return figure;
}

/* A figure for the whole way through PCI, if somebody has one; else 0, and the path is looked at. */
static void link_resolve_pci(const struct topology *topology, struct topology_link *link)
{
	struct rule_figure figure;
	bool cut;

	link->pci_mbps = 0;
	link->pci_assumed = false;
	if (topology_link_type_is_fabric(link->type)) {
		if (link->has_pci_record && rule_bandwidth_is_possible(link->pci_bandwidth_mbps, 1))
			link->pci_mbps = link->pci_bandwidth_mbps;
		return;
	}
	if (!is_up(link) || (!rule_bandwidth_is_possible(link->read_bandwidth_mbps, link->n_records) &&
			     !rule_bandwidth_is_possible(link->write_bandwidth_mbps, link->n_records)))
		return;
	figure = link_figure(topology, link, &cut);
	link->pci_mbps = figure.mbps;
	link->pci_assumed = figure.assumed;
}

static bool has_pci_record(const struct topology_link *link)
{
	if (!link)
		return false;
	return topology_link_type_is_fabric(link->type) ? link->has_pci_record : is_up(link);
}

/* From a device without memory to one that has some: nothing is in the other direction. */
static bool has_one_side(const struct topology *topology, const struct topology_link *link)
{
	return topology->devices[link->accessor].n_regions == 0 && topology->devices[link->owner].n_regions > 0;
}

static int links_resolve(struct topology *topology, struct topology_builder *builder)
{
	for (size_t i = 0; i < topology->n_links; i++) {
		struct topology_link *link = &topology->links[i];
		const struct topology_link *back = topology_link_find(topology, link->owner, link->accessor);
		bool cut;
		struct rule_figure figure = link_figure(topology, link, &cut);
		const char *accessor = topology->devices[link->accessor].name;
		const char *owner = topology->devices[link->owner].name;
		int r = 0;

		link->bandwidth_mbps = figure.mbps;
		link->assumed = figure.assumed;
		link->mutual = is_up(link) && is_up(back) &&
			       topology_link_type_is_fabric(link->type) == topology_link_type_is_fabric(back->type);
		link->pci_mutual = has_pci_record(link) && has_pci_record(back);
		link_resolve_pci(topology, link);
		if (!link->fact.confidence)
			link->fact.confidence = figure.assumed		      ? TOPOLOGY_CONFIDENCE_ASSUMED :
						link->measured_at_s > 0	      ? TOPOLOGY_CONFIDENCE_MEASURED :
						link->read_bandwidth_mbps > 0 ? TOPOLOGY_CONFIDENCE_REPORTED :
										TOPOLOGY_CONFIDENCE_DERIVED;
		if (link->up && !(back && back->up) && !has_one_side(topology, link))
			r = topology_builder_warn(builder, "one-sided link: %s -> %s is up, %s -> %s is not", accessor,
						  owner, owner, accessor);
		else if (is_up(link) && is_up(back) && !link->mutual && link->accessor < link->owner)
			r = topology_builder_warn(builder, "one-sided link: %s -> %s is %s, %s -> %s is %s", accessor,
						  owner, topology_link_type_to_string(link->type), owner, accessor,
						  topology_link_type_to_string(back->type));
		if (r < 0)
			return r;
		if (link->count != 0 && !rule_count_is_possible(link->count, link->n_records))
			r = topology_builder_warn(builder, "impossible link: %s -> %s: count %lld", accessor, owner,
						  (long long)link->count);
		if (r == 0 && link->read_bandwidth_mbps > 0 &&
		    !rule_bandwidth_is_possible(link->read_bandwidth_mbps, link->n_records))
			r = topology_builder_warn(builder, "impossible link: %s -> %s: %lld MB/s", accessor, owner,
						  (long long)link->read_bandwidth_mbps);
		if (r == 0 && cut)
			r = warn_cut(builder, accessor, owner);
		if (r < 0)
			return r;
	}
	/* Now that both directions are known. */
	for (size_t i = 0; i < topology->n_links; i++) {
		const struct topology_link *link = &topology->links[i];
		const struct topology_link *back;
		int r;

		if (!link->mutual || !topology_link_type_is_fabric(link->type) || link->owner < link->accessor)
			continue;
		back = topology_link_find(topology, link->owner, link->accessor);
		if (link->bandwidth_mbps == back->bandwidth_mbps)
			continue;
		r = topology_builder_warn(builder, "asymmetric link: %s -> %s %lld MB/s, back %lld MB/s",
					  topology->devices[link->accessor].name, topology->devices[link->owner].name,
					  (long long)link->bandwidth_mbps, (long long)back->bandwidth_mbps);
		if (r < 0)
			return r;
	}
	return 0;
}

static int attachments_resolve(struct topology *topology, struct topology_builder *builder)
{
	int64_t to_all = 0, from_all = 0; /* of one device */

	for (size_t i = 0; i < topology->n_attachments; i++) {
		struct topology_attachment *at = &topology->attachments[i];
		const char *arch = arch_of(topology, at->device);
		struct rule_figure to = rule_record(at->type, arch, at->to_bandwidth_mbps, at->count, at->n_records);
		struct rule_figure from =
			rule_record(at->type, arch, at->from_bandwidth_mbps, at->count, at->n_records);
		bool cut = to.mbps > TOPOLOGY_PAIR_MBPS_MAX || from.mbps > TOPOLOGY_PAIR_MBPS_MAX;
		int r = 0;

		figure_cut(&to);
		figure_cut(&from);
		at->to_mbps = to.mbps;
		at->from_mbps = from.mbps;
		at->assumed = to.assumed || from.assumed || at->fact.confidence == TOPOLOGY_CONFIDENCE_ASSUMED;
		if (!at->fact.confidence)
			at->fact.confidence = at->assumed		? TOPOLOGY_CONFIDENCE_ASSUMED :
					      at->to_bandwidth_mbps > 0 ? TOPOLOGY_CONFIDENCE_REPORTED :
									  TOPOLOGY_CONFIDENCE_DERIVED;
		if (at->count != 0 && !rule_count_is_possible(at->count, at->n_records))
			r = topology_builder_warn(builder, "impossible link: %s -> %s: count %lld",
						  topology->devices[at->device].name, topology->nodes[at->node].name,
						  (long long)at->count);
		if (r == 0 && cut)
			r = warn_cut(builder, topology->devices[at->device].name, topology->nodes[at->node].name);
		if (r < 0)
			return r;
		/* Attachments of a device follow each other. Without more than that no pair of it has more. */
		if (i == 0 || topology->attachments[i - 1].device != at->device)
			to_all = from_all = 0;
		cut = to_all <= TOPOLOGY_PAIR_MBPS_MAX && from_all <= TOPOLOGY_PAIR_MBPS_MAX;
		to_all = sum_saturated(to_all, at->to_mbps);
		from_all = sum_saturated(from_all, at->from_mbps);
		if (cut && (to_all > TOPOLOGY_PAIR_MBPS_MAX || from_all > TOPOLOGY_PAIR_MBPS_MAX))
			r = warn_cut(builder, topology->devices[at->device].name, "all its switches");
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- the tree of PCI ---- */

static int uplink_warn(struct topology_builder *builder, const char *name, const struct topology_uplink *uplink)
{
	if (!rule_uplink_is_impossible(uplink))
		return 0;
	if (uplink->bandwidth_mbps != TOPOLOGY_UNKNOWN && uplink->bandwidth_mbps != 0)
		return topology_builder_warn(builder, "impossible PCI link: %s: %lld MB/s", name,
					     (long long)uplink->bandwidth_mbps);
	return topology_builder_warn(builder, "impossible PCI link: %s: %lld MT/s, %lld lanes", name,
				     (long long)uplink->speed_mtps, (long long)uplink->width);
}

/* Cuts cycles, and chains that are too long: who is cut has no parent. */
static int nodes_resolve(struct topology *topology, struct topology_builder *builder)
{
	enum { UNSEEN = -1, UNDER_WAY = -2 };
	size_t *way = calloc(TOPOLOGY_DEPTH_MAX + 1, sizeof(*way));
	ssize_t *depths = calloc(topology->n_nodes ? topology->n_nodes : 1, sizeof(*depths));
	int r = way && depths ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < topology->n_nodes; i++)
		depths[i] = UNSEEN;
	for (size_t i = 0; r == 0 && i < topology->n_nodes; i++) {
		size_t n = 0, at = i;

		while (at != TOPOLOGY_NONE && depths[at] == UNSEEN && n <= TOPOLOGY_DEPTH_MAX) {
			depths[at] = UNDER_WAY;
			way[n++] = at;
			at = topology->nodes[at].resolved.parent;
		}
		if (at != TOPOLOGY_NONE && depths[at] < 0) {
			size_t cut = way[n - 1];

			r = topology_builder_warn(builder, "cyclic parents: %s is below itself, or too deep: cut",
						  topology->nodes[cut].name);
			topology->nodes[cut].resolved.parent = at = TOPOLOGY_NONE;
		}
		while (n > 0) {
			struct topology_node *node = &topology->nodes[way[--n]];

			depths[way[n]] = at == TOPOLOGY_NONE ? 0 : depths[at] + 1;
			if (depths[way[n]] >= TOPOLOGY_DEPTH_MAX) {
				node->resolved.parent = TOPOLOGY_NONE;
				depths[way[n]] = 0;
				if (r == 0)
					r = topology_builder_warn(builder, "cyclic parents: %s is too deep: cut",
								  node->name);
			}
			node->resolved.depth = (size_t)depths[way[n]];
			at = way[n];
		}
	}
	for (size_t i = 0; r == 0 && i < topology->n_nodes; i++) {
		struct topology_node *node = &topology->nodes[i];
		struct rule_figure figure = rule_uplink(&node->uplink, NULL);

		node->resolved.uplink_mbps = figure.mbps;
		node->resolved.uplink_assumed = figure.assumed;
		if (node->kind == TOPOLOGY_NODE_BRIDGE)
			r = uplink_warn(builder, node->name, &node->uplink);
	}
	free(way);
	free(depths);
	return r;
}

struct numa_cpu {
	int64_t numa_node;
	size_t cpu;
};

static int numa_cpu_compare(const void *a, const void *b)
{
	const struct numa_cpu *a_cpu = a, *b_cpu = b;

	if (a_cpu->numa_node != b_cpu->numa_node)
		return a_cpu->numa_node < b_cpu->numa_node ? -1 : 1;
	return a_cpu->cpu < b_cpu->cpu ? -1 : a_cpu->cpu > b_cpu->cpu;
}

/* CPUs by NUMA node; where two have the same number they are left out, for one of them would be a guess. */
static int numa_cpus(const struct topology *topology, struct numa_cpu **ret, size_t *ret_n)
{
	struct numa_cpu *cpus = calloc(topology->n_nodes ? topology->n_nodes : 1, sizeof(*cpus));
	size_t n = 0, n_kept = 0;

	if (!cpus)
		return -ENOMEM;
	for (size_t i = 0; i < topology->n_nodes; i++)
		if (topology->nodes[i].kind == TOPOLOGY_NODE_CPU && topology->nodes[i].numa_node >= 0)
			cpus[n++] = (struct numa_cpu){ topology->nodes[i].numa_node, i };
	qsort(cpus, n, sizeof(*cpus), numa_cpu_compare);
	for (size_t first = 0, i = 1; i <= n; i++) {
		if (i < n && cpus[i].numa_node == cpus[first].numa_node)
			continue;
		if (i - first == 1)
			cpus[n_kept++] = cpus[first];
		first = i;
	}
	*ret = cpus;
	*ret_n = n_kept;
	return 0;
}

static size_t cpu_of_numa_node(const struct numa_cpu *cpus, size_t n, int64_t numa_node)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (cpus[middle].numa_node == numa_node)
			return cpus[middle].cpu;
		if (cpus[middle].numa_node < numa_node)
			low = middle + 1;
		else
			high = middle;
	}
	return TOPOLOGY_NONE;
}

/* The CPU above a node of the tree. */
static size_t cpu_above(const struct topology *topology, size_t node)
{
	while (node != TOPOLOGY_NONE && topology->nodes[node].kind != TOPOLOGY_NODE_CPU)
		node = topology->nodes[node].resolved.parent;
	return node;
}

/*
 * Sockets are told by different numbers: a CPU that knows its socket has that, another has its own index, and a device
 * of which only the NUMA node is known has that.
 */
static void device_resolve_socket(const struct topology *topology, struct topology_device *device)
{
	enum { CPU_BASE = 1 << 24, NUMA_BASE = 1 << 25 };
	const struct topology_node *cpu = NULL;
	struct rule_figure figure;

	if (device->resolved.cpu != TOPOLOGY_NONE)
		cpu = &topology->nodes[device->resolved.cpu];
	if (cpu && cpu->socket >= 0)
		device->resolved.socket = cpu->socket % CPU_BASE;
	else if (cpu)
		device->resolved.socket = CPU_BASE + (int64_t)device->resolved.cpu;
	else if (device->numa_node >= 0)
		device->resolved.socket = NUMA_BASE + device->numa_node % CPU_BASE;
	else
		device->resolved.socket = TOPOLOGY_UNKNOWN;
	figure = cpu ? rule_cpu_link(cpu->vendor, cpu->model) : rule_cpu_link(NULL, TOPOLOGY_UNKNOWN);
	device->resolved.cpu_link_mbps = figure.mbps;
	device->resolved.cpu_link_assumed = figure.assumed;
}

static int device_resolve_path(struct topology_builder *builder, struct topology_device *device)
{
	struct rule_figure figure;
	int r = 0;

	device->resolved.above = device->resolved.parent;
	device->resolved.has_path = device->resolved.parent != TOPOLOGY_NONE ||
				    device->facts[TOPOLOGY_FACT_PCI_LINK].origin || device->cpu_link.type;
	if (device->cpu_link.type) {
		figure = rule_record(device->cpu_link.type, device->arch, device->cpu_link.bandwidth_mbps,
				     device->cpu_link.count, 0);
		figure.assumed |= device->facts[TOPOLOGY_FACT_CPU_LINK].confidence == TOPOLOGY_CONFIDENCE_ASSUMED;
		device->resolved.above = device->resolved.cpu;
	} else {
		figure = rule_uplink(&device->pci_link, device->arch);
		figure.assumed |= device->facts[TOPOLOGY_FACT_PCI_LINK].confidence == TOPOLOGY_CONFIDENCE_ASSUMED;
		if (device->facts[TOPOLOGY_FACT_PCI_LINK].origin)
			r = uplink_warn(builder, device->name, &device->pci_link);
	}
	device->resolved.uplink_mbps = figure.mbps;
	device->resolved.uplink_assumed = figure.assumed;
	return r;
}

int pair_resolve(struct topology *topology, struct topology_builder *builder)
{
	_cleanup_(freep) struct numa_cpu *cpus = NULL;
	size_t n_cpus = 0;
	int r;

	r = nodes_resolve(topology, builder);
	if (r == 0)
		r = numa_cpus(topology, &cpus, &n_cpus);
	for (size_t i = 0; r == 0 && i < topology->n_devices; i++) {
		struct topology_device *device = &topology->devices[i];

		if (device->resolved.cpu == TOPOLOGY_NONE)
			device->resolved.cpu = cpu_above(topology, device->resolved.parent);
		if (device->resolved.cpu == TOPOLOGY_NONE)
			device->resolved.cpu = cpu_of_numa_node(cpus, n_cpus, device->numa_node);
		device_resolve_socket(topology, device);
		r = device_resolve_path(builder, device);
	}
	if (r == 0)
		r = links_resolve(topology, builder);
	if (r == 0)
		r = attachments_resolve(topology, builder);
	return r;
}

/* ---- pairs ---- */

size_t topology_common_node(const struct topology *topology, size_t a, size_t b)
{
	const struct topology_node *nodes = topology->nodes;
	size_t x = topology->devices[a].resolved.above, y = topology->devices[b].resolved.above;

	while (x != y) {
		if (x == TOPOLOGY_NONE || y == TOPOLOGY_NONE)
			return TOPOLOGY_NONE;
		if (nodes[x].resolved.depth >= nodes[y].resolved.depth)
			x = nodes[x].resolved.parent;
		else
			y = nodes[y].resolved.parent;
	}
	return x;
}

/* The links above a device, up to but not including the common node's own. */
static void climb(const struct topology *topology, const struct topology_device *device, size_t common,
		  struct topology_pair *pair)
{
	pair->bandwidth_mbps = least(pair->bandwidth_mbps, device->resolved.uplink_mbps);
	pair->assumed |= device->resolved.uplink_assumed;
	for (size_t at = device->resolved.above; at != common && at != TOPOLOGY_NONE;
	     at = topology->nodes[at].resolved.parent) {
		const struct topology_node *node = &topology->nodes[at];

		/* What is above a CPU is no PCI link, unless a tree goes on there. */
		if (node->kind == TOPOLOGY_NODE_CPU && node->resolved.parent == TOPOLOGY_NONE)
			continue;
		pair->bandwidth_mbps = least(pair->bandwidth_mbps, node->resolved.uplink_mbps);
		pair->assumed |= node->resolved.uplink_assumed;
	}
}

static enum topology_origin path_origin(const struct topology_device *device)
{
	const struct topology_fact *facts = device->facts;

	if (device->cpu_link.type)
		return facts[TOPOLOGY_FACT_CPU_LINK].origin;
	return facts[TOPOLOGY_FACT_PCI_LINK].origin ?: facts[TOPOLOGY_FACT_PARENT].origin;
}

/* Cases 3 and 4. */
static struct topology_pair pci_pair(const struct topology *topology, size_t a, size_t b,
				     const struct topology_link *there, const struct topology_link *back)
{
	const struct topology_device *a_device = &topology->devices[a], *b_device = &topology->devices[b];
	struct topology_pair pair = { .bandwidth_mbps = INT64_MAX, .kind = TOPOLOGY_PAIR_PCI };
	size_t common = topology_common_node(topology, a, b);
	int64_t there_mbps = 0, back_mbps = 0;

	if (there && back && there->pci_mutual) {
		there_mbps = there->pci_mbps;
		back_mbps = back->pci_mbps;
		pair.origin = there->fact.origin;
	}
	if (there_mbps > 0) {
		pair.bandwidth_mbps = least(pair.bandwidth_mbps, there_mbps);
		pair.assumed |= there->pci_assumed;
	}
	if (back_mbps > 0) {
		pair.bandwidth_mbps = least(pair.bandwidth_mbps, back_mbps);
		pair.assumed |= back->pci_assumed;
	}
	if (there_mbps == 0 || back_mbps == 0) {
		if (a_device->resolved.has_path && b_device->resolved.has_path) {
			climb(topology, a_device, common, &pair);
			climb(topology, b_device, common, &pair);
			pair.origin = path_origin(a_device);
		} else {
			pair.bandwidth_mbps = least(pair.bandwidth_mbps, RULE_PCI_UNKNOWN_MBPS);
			pair.assumed = true;
			if (there_mbps == 0 && back_mbps == 0)
				pair.kind = TOPOLOGY_PAIR_UNKNOWN;
		}
	}
	if (common == TOPOLOGY_NONE && a_device->resolved.socket >= 0 && b_device->resolved.socket >= 0 &&
	    a_device->resolved.socket != b_device->resolved.socket) {
		pair.bandwidth_mbps = least(pair.bandwidth_mbps, a_device->resolved.cpu_link_mbps);
		pair.bandwidth_mbps = least(pair.bandwidth_mbps, b_device->resolved.cpu_link_mbps);
		pair.assumed |= a_device->resolved.cpu_link_assumed || b_device->resolved.cpu_link_assumed;
	}
	return pair;
}

/* Case 2. 0 MB/s: they share no switch. */
static struct topology_pair switch_pair(const struct topology *topology, size_t a, size_t b)
{
	const struct topology_attachment *at = topology->attachments;
	size_t x = topology->attachments_first[a], x_end = topology->attachments_first[a + 1];
	size_t y = topology->attachments_first[b], y_end = topology->attachments_first[b + 1];
	struct topology_pair pair = { .linked = true, .kind = TOPOLOGY_PAIR_SWITCH };
	int64_t there = 0, back = 0;

	while (x < x_end && y < y_end) {
		if (at[x].node != at[y].node) {
			if (at[x].node < at[y].node)
				x++;
			else
				y++;
			continue;
		}
		there = sum_saturated(there, least(at[x].to_mbps, at[y].from_mbps));
		back = sum_saturated(back, least(at[y].to_mbps, at[x].from_mbps));
		pair.assumed |= at[x].assumed || at[y].assumed;
		pair.origin = at[x].fact.origin;
		x++;
		y++;
	}
	pair.bandwidth_mbps = least(there, back);
	if (pair.bandwidth_mbps > TOPOLOGY_PAIR_MBPS_MAX) {
		pair.bandwidth_mbps = TOPOLOGY_PAIR_MBPS_MAX;
		pair.assumed = true;
	}
	return pair;
}

static bool is_on_switches(const struct topology *topology, size_t device)
{
	return topology->attachments_first[device + 1] > topology->attachments_first[device];
}

struct topology_pair topology_pair(const struct topology *topology, size_t a, size_t b)
{
	const struct topology_link *there, *back = NULL;
	struct topology_pair pair;

	if (a == b)
		return (struct topology_pair){ .linked = true };
	there = topology_link_find(topology, a, b);
	if (there)
		back = topology_link_find(topology, b, a);
	if (there && there->mutual && topology_link_type_is_fabric(there->type))
		return (struct topology_pair){
			.bandwidth_mbps = least(there->bandwidth_mbps, back->bandwidth_mbps),
			.linked = true,
			.assumed = there->assumed || back->assumed,
			.kind = TOPOLOGY_PAIR_DIRECT,
			.origin = there->fact.origin,
		};
	if (is_on_switches(topology, a) && is_on_switches(topology, b)) {
		pair = switch_pair(topology, a, b);
		if (pair.bandwidth_mbps > 0)
			return pair;
		pair = pci_pair(topology, a, b, there, back);
		pair.assumed = true;
	} else {
		pair = pci_pair(topology, a, b, there, back);
	}
	pair.linked = there && there->mutual;
	return pair;
}

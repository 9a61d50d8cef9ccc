// SPDX-License-Identifier: MIT
/*
 * The topology of the AMD compute driver (drivers/gpu/drm/amd/amdkfd/kfd_topology.c): a folder per node, GPU or CPU,
 * with files of "key number" lines, and a folder for each of its links and memory banks.
 *
 * What the figures mean: a bandwidth of 0 is unknown; those of PCIe are raw, 4/3 of what gets through; io_links and
 * p2p_links may both have a link, which is one all the same. The number of a partition is in the low bits of
 * location_id, or in bits 31 to 28.
 *
 * Warnings begin with "unreadable kfd", "unreadable node", "unreadable link", "unreadable memory", "impossible link".
 */
#include "source/source.h"

#include "base/base.h"
#include "source/common.h"
#include "source/properties.h"
#include "source/tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NODES "class/kfd/kfd/topology/nodes"

enum {
	NODES_MAX = TOPOLOGY_DEVICES_MAX,
	LINKS_MAX = 1 << 20,
	BANKS_MAX = 64,
	PROPERTIES_SIZE = 8192,
	NAME_SIZE = 40,
	ARCH_SIZE = 24,
	/* include/uapi, CRAT: CRAT_IOLINK_TYPE_* */
	LINK_HYPERTRANSPORT = 1,
	LINK_PCIE = 2,
	LINK_QPI = 5,
	LINK_XGMI = 11,
	/* HSA_MEM_HEAP_TYPE_* */
	HEAP_SYSTEM = 0,
	HEAP_VRAM_PUBLIC = 1,
	HEAP_VRAM_PRIVATE = 2,
};

struct node {
	uint64_t id; /* name of its folder */
	bool is_gpu, is_cpu;
	uint64_t domain, location, hive, render_minor;
	uint64_t hypertransport, qpi; /* links to other CPUs */
	char arch[ARCH_SIZE]; /* "" is unknown */
	char name[NAME_SIZE]; /* of the device, or of the CPU's node */
};

struct edge {
	size_t from, to; /* index of nodes */
	uint64_t type, weight, bandwidth;
};

struct kfd {
	struct topology_builder *builder;
	int fd; /* of the folder of nodes */
	struct node *nodes; /* by id */
	size_t n_nodes;
	struct edge *edges;
	size_t n_edges, edges_size;
	char buffer[PROPERTIES_SIZE];
	char *error;
};

static void kfd_fini(struct kfd *kfd)
{
	topology_builder_free(kfd->builder);
	closep(&kfd->fd);
	free(kfd->nodes);
	free(kfd->edges);
	free(kfd->error);
}

/* 1: read, 0: it cannot be, which has been warned of. */
static int read_properties(struct kfd *kfd, int folder_fd, const char *path, const char *kind, uint64_t id,
			   struct property *wanted, size_t n_wanted)
{
	const char *key = NULL;
	ssize_t length;
	int r;

	length = tree_read_lines(folder_fd, path, kfd->buffer, sizeof(kfd->buffer));
	r = length < 0 ? (int)length : properties_parse(kfd->buffer, wanted, n_wanted, &key);
	if (r == 0)
		return 1;
	if (source_is_fatal(r))
		return r;
	return topology_builder_warn(kfd->builder, "unreadable %s: %" PRIu64 ": %s%s%.32s: %s: left out", kind, id,
				     path, key ? ": " : "", key ?: "", tree_strerror(r));
}

/* ---- nodes ---- */

static void node_set_arch(struct node *node, uint64_t version)
{
	if (version == 0)
		return;
	/* 90010 is 9.0.10, written gfx90a. */
	(void)snprintf(node->arch, sizeof(node->arch), "gfx%" PRIu64 "%" PRIx64 "%" PRIx64, version / 10000,
		       version / 100 % 100, version % 100);
}

static int read_node(struct kfd *kfd, const char *folder, uint64_t id)
{
	enum { CPU_CORES, SIMDS, GFX, LOCATION, DOMAIN, RENDER_MINOR, HIVE, N };
	struct property wanted[N] = {
		[CPU_CORES] = { .key = "cpu_cores_count", .max = INT32_MAX },
		[SIMDS] = { .key = "simd_count", .max = INT32_MAX },
		[GFX] = { .key = "gfx_target_version", .max = 9999999 },
		[LOCATION] = { .key = "location_id", .max = UINT32_MAX },
		[DOMAIN] = { .key = "domain", .max = UINT32_MAX },
		[RENDER_MINOR] = { .key = "drm_render_minor", .max = INT32_MAX },
		[HIVE] = { .key = "hive_id", .max = UINT64_MAX },
	};
	_cleanup_(closep) int fd = -1;
	struct node node = { .id = id };
	int r;

	fd = tree_open_subfolder(kfd->fd, folder);
	if (fd < 0)
		return source_is_fatal(fd) ? fd :
					     topology_builder_warn(kfd->builder, "unreadable node: %" PRIu64 ": %s", id,
								   tree_strerror(fd));
	r = read_properties(kfd, fd, "properties", "node", id, wanted, N);
	if (r <= 0)
		return r;
	node.is_gpu = wanted[SIMDS].value > 0;
	node.is_cpu = wanted[CPU_CORES].value > 0;
	if (node.is_gpu && !wanted[LOCATION].is_there)
		return topology_builder_warn(
			kfd->builder, "unreadable node: %" PRIu64 ": properties: location_id: missing: left out", id);
	node.location = wanted[LOCATION].value;
	node.domain = wanted[DOMAIN].value;
	node.hive = wanted[HIVE].value;
	node.render_minor = wanted[RENDER_MINOR].value;
	node_set_arch(&node, wanted[GFX].value);
	kfd->nodes[kfd->n_nodes++] = node;
	return 0;
}

static int node_compare(const void *a, const void *b)
{
	const struct node *a_node = a, *b_node = b;

	return a_node->id < b_node->id ? -1 : a_node->id > b_node->id;
}

static struct node *node_find(const struct kfd *kfd, uint64_t id)
{
	const struct node key = { .id = id };

	return bsearch(&key, kfd->nodes, kfd->n_nodes, sizeof(*kfd->nodes), node_compare);
}

static int read_nodes(struct kfd *kfd)
{
	_cleanup_(tree_list_fini) struct tree_list list = { 0 };
	int64_t id;
	int r;

	r = tree_list(kfd->fd, NODES_MAX, &list);
	if (r < 0)
		return r;
	kfd->nodes = calloc(list.n_names ? list.n_names : 1, sizeof(*kfd->nodes));
	if (!kfd->nodes)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < list.n_names; i++) {
		if (tree_parse_number(list.names[i], &id) < 0 || (list.names[i][0] == '0' && list.names[i][1]))
			r = source_warn_bad_name(kfd->builder, "node", list.names[i]);
		else
			r = read_node(kfd, list.names[i], (uint64_t)id);
	}
	qsort(kfd->nodes, kfd->n_nodes, sizeof(*kfd->nodes), node_compare);
	return r;
}

/* Domain, bus and device; and the partition, 0 if there is none. */
static uint64_t node_package(const struct node *node)
{
	return node->domain << 16 | (node->location & 0xfff8);
}

static unsigned int node_partition(const struct node *node)
{
	unsigned int high = (unsigned int)(node->location >> 28 & 0xf);

	return high ? high : (unsigned int)(node->location & 7);
}

struct package {
	uint64_t key;
	size_t node;
};

static int package_compare(const void *a, const void *b)
{
	const struct package *a_package = a, *b_package = b;

	if (a_package->key != b_package->key)
		return a_package->key < b_package->key ? -1 : 1;
	return a_package->node < b_package->node ? -1 : a_package->node > b_package->node;
}

static void device_name(struct node *node, bool is_shared)
{
	unsigned int partition = node_partition(node);
	int n;

	n = snprintf(node->name, sizeof(node->name), "%04" PRIx64 ":%02" PRIx64 ":%02" PRIx64 ".0", node->domain,
		     node->location >> 8 & 0xff, node->location >> 3 & 0x1f);
	if (is_shared || partition > 0)
		(void)snprintf(node->name + n, sizeof(node->name) - (size_t)n, "/p%u", partition);
}

/* One alone on its function with number 0 is a device, not the first partition of one. */
static int name_devices(struct kfd *kfd)
{
	_cleanup_(freep) struct package *packages = NULL;
	size_t n = 0;

	packages = calloc(kfd->n_nodes ? kfd->n_nodes : 1, sizeof(*packages));
	if (!packages)
		return -ENOMEM;
	for (size_t i = 0; i < kfd->n_nodes; i++)
		if (kfd->nodes[i].is_gpu)
			packages[n++] = (struct package){ node_package(&kfd->nodes[i]), i };
		else
			(void)snprintf(kfd->nodes[i].name, NAME_SIZE, "node%" PRIu64, kfd->nodes[i].id);
	qsort(packages, n, sizeof(*packages), package_compare);
	for (size_t i = 0; i < n; i++) {
		bool is_shared = (i > 0 && packages[i - 1].key == packages[i].key) ||
				 (i + 1 < n && packages[i + 1].key == packages[i].key);

		device_name(&kfd->nodes[packages[i].node], is_shared);
	}
	return 0;
}

/* ---- links ---- */

static int read_link(struct kfd *kfd, int folder_fd, size_t from, const char *name)
{
	enum { TYPE, FROM, TO, WEIGHT, BANDWIDTH, N };
	struct property wanted[N] = {
		[TYPE] = { .key = "type", .max = UINT32_MAX },
		[FROM] = { .key = "node_from", .max = UINT32_MAX },
		[TO] = { .key = "node_to", .max = UINT32_MAX },
		[WEIGHT] = { .key = "weight", .max = UINT32_MAX },
		/* What is impossible is dealt with where it is used. */
		[BANDWIDTH] = { .key = "max_bandwidth", .max = UINT64_MAX },
	};
	uint64_t id = kfd->nodes[from].id;
	char path[NAME_SIZE + 16];
	const struct node *to;
	int r;

	if (strlen(name) >= NAME_SIZE)
		return source_warn_bad_name(kfd->builder, "link", name);
	(void)snprintf(path, sizeof(path), "%s/properties", name);
	r = read_properties(kfd, folder_fd, path, "link", id, wanted, N);
	if (r <= 0)
		return r;
	for (size_t i = TYPE; i <= TO; i++)
		if (!wanted[i].is_there)
			return topology_builder_warn(kfd->builder,
						     "unreadable link: %" PRIu64 ": %s: %s: missing: left out", id,
						     path, wanted[i].key);
	if (wanted[FROM].value != id)
		return topology_builder_warn(kfd->builder,
					     "unreadable link: %" PRIu64 ": %s: node_from is %" PRIu64 ": left out", id,
					     path, wanted[FROM].value);
	to = node_find(kfd, wanted[TO].value);
	if (!to || wanted[TO].value == id)
		return topology_builder_warn(kfd->builder, "dangling link: node %" PRIu64 " -> node %" PRIu64 ": %s",
					     id, wanted[TO].value,
					     to ? "a node is not linked to itself" : "no such node");
	if (kfd->n_edges >= LINKS_MAX)
		return -E2BIG;
	if (kfd->n_edges == kfd->edges_size) {
		size_t size = kfd->edges_size ? kfd->edges_size * 2 : 256;
		struct edge *grown = reallocarray(kfd->edges, size, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		kfd->edges = grown;
		kfd->edges_size = size;
	}
	kfd->edges[kfd->n_edges++] = (struct edge){
		.from = from,
		.to = (size_t)(to - kfd->nodes),
		.type = wanted[TYPE].value,
		.weight = wanted[WEIGHT].is_there ? wanted[WEIGHT].value : UINT64_MAX,
		.bandwidth = wanted[BANDWIDTH].value,
	};
	return 0;
}

/* 1: the folder of a node is open and listed, 0: it is not there, or cannot be read, which has been warned of. */
static int open_list(struct kfd *kfd, uint64_t id, const char *kind, size_t n_max, int *ret_fd, struct tree_list *ret)
{
	char path[NAME_SIZE + 16];
	int r;

	(void)snprintf(path, sizeof(path), "%" PRIu64 "/%s", id, kind);
	*ret_fd = tree_open_folder(kfd->fd, path);
	/* Older drivers have no p2p_links, and a node without any need not have the folder. */
	if (source_is_absent(*ret_fd))
		return 0;
	r = *ret_fd < 0 ? *ret_fd : tree_list(*ret_fd, n_max, ret);
	if (r == 0)
		return 1;
	if (source_is_fatal(r))
		return r;
	return topology_builder_warn(kfd->builder, "unreadable node: %s: %s", path, tree_strerror(r));
}

static int read_links(struct kfd *kfd, size_t from, const char *kind)
{
	_cleanup_(tree_list_fini) struct tree_list list = { 0 };
	_cleanup_(closep) int fd = -1;
	int r;

	r = open_list(kfd, kfd->nodes[from].id, kind, NODES_MAX, &fd, &list);
	if (r <= 0)
		return r;
	r = 0;
	for (size_t i = 0; r == 0 && i < list.n_names; i++)
		r = read_link(kfd, fd, from, list.names[i]);
	return r;
}

static int edge_compare(const void *a, const void *b)
{
	const struct edge *a_edge = a, *b_edge = b;

	if (a_edge->from != b_edge->from)
		return a_edge->from < b_edge->from ? -1 : 1;
	if (a_edge->to != b_edge->to)
		return a_edge->to < b_edge->to ? -1 : 1;
	if (a_edge->type != b_edge->type)
		return a_edge->type < b_edge->type ? -1 : 1;
	/* The larger first. */
	if (a_edge->bandwidth != b_edge->bandwidth)
		return a_edge->bandwidth > b_edge->bandwidth ? -1 : 1;
	return a_edge->weight < b_edge->weight ? -1 : a_edge->weight > b_edge->weight;
}

/* What both kinds of links have, or one of them twice, is one link. */
static void edges_merge(struct kfd *kfd)
{
	size_t n_kept = 0;

	if (kfd->n_edges > 0)
		qsort(kfd->edges, kfd->n_edges, sizeof(*kfd->edges), edge_compare);
	for (size_t i = 0; i < kfd->n_edges; i++) {
		const struct edge *edge = &kfd->edges[i];
		struct edge *last = n_kept > 0 ? &kfd->edges[n_kept - 1] : NULL;

		if (!last || last->from != edge->from || last->to != edge->to || last->type != edge->type)
			kfd->edges[n_kept++] = *edge;
		else if (edge->weight < last->weight)
			last->weight = edge->weight;
	}
	kfd->n_edges = n_kept;
}

/* MB/s, or TOPOLOGY_UNKNOWN for 0 and what cannot be. */
static int edge_bandwidth(struct kfd *kfd, const struct edge *edge, int64_t *ret)
{
	const struct node *from = &kfd->nodes[edge->from], *to = &kfd->nodes[edge->to];

	*ret = TOPOLOGY_UNKNOWN;
	if (edge->bandwidth > TOPOLOGY_RECORD_MBPS_MAX)
		return topology_builder_warn(kfd->builder, "impossible link: %s -> %s: %" PRIu64 " MB/s", from->name,
					     to->name, edge->bandwidth);
	if (edge->bandwidth == 0)
		return 0;
	if (edge->type == LINK_PCIE)
		*ret = source_pci_effective((int64_t)edge->bandwidth, from->arch);
	else
		*ret = (int64_t)edge->bandwidth;
	return 0;
}

/* One or two records, by type, of the same two GPUs. */
static int add_gpu_link(struct kfd *kfd, const struct edge *xgmi, const struct edge *pcie)
{
	const struct edge *edge = xgmi ?: pcie;
	struct topology_link link = {
		.type = xgmi ? TOPOLOGY_LINK_XGMI : TOPOLOGY_LINK_PCIE_HOST_BRIDGE,
		.up = true,
		.read_latency_ns = TOPOLOGY_UNKNOWN,
		.write_latency_ns = TOPOLOGY_UNKNOWN,
		.hops = TOPOLOGY_UNKNOWN,
		.measured_at_s = TOPOLOGY_UNKNOWN,
		.provenance = (char *)"firmware",
		.has_pci_record = xgmi && pcie,
	};
	int r;

	r = edge_bandwidth(kfd, edge, &link.read_bandwidth_mbps);
	link.write_bandwidth_mbps = link.read_bandwidth_mbps;
	if (r == 0 && link.has_pci_record)
		r = edge_bandwidth(kfd, pcie, &link.pci_bandwidth_mbps);
	if (link.pci_bandwidth_mbps == TOPOLOGY_UNKNOWN)
		link.pci_bandwidth_mbps = 0;
	if (r < 0)
		return r;
	return topology_builder_add_link(kfd->builder, kfd->nodes[edge->from].name, kfd->nodes[edge->to].name, &link);
}

/* The links of one node, [first, end), which are by target, then type. */
static int add_gpu_links(struct kfd *kfd, size_t first, size_t end)
{
	int r = 0;

	while (r == 0 && first < end) {
		const struct edge *xgmi = NULL, *pcie = NULL;
		size_t to = kfd->edges[first].to;

		for (; first < end && kfd->edges[first].to == to; first++) {
			if (kfd->edges[first].type == LINK_XGMI)
				xgmi = &kfd->edges[first];
			else if (kfd->edges[first].type == LINK_PCIE)
				pcie = &kfd->edges[first];
		}
		if (kfd->nodes[to].is_gpu && (xgmi || pcie))
			r = add_gpu_link(kfd, xgmi, pcie);
	}
	return r;
}

/* ---- what goes to the builder ---- */

/* Its way to a CPU: XGMI if there is one, else the PCIe record of least weight. */
static const struct edge *cpu_edge(const struct kfd *kfd, size_t first, size_t end)
{
	const struct edge *best = NULL;

	for (size_t i = first; i < end; i++) {
		const struct edge *edge = &kfd->edges[i];

		if (kfd->nodes[edge->to].is_gpu || (edge->type != LINK_XGMI && edge->type != LINK_PCIE))
			continue;
		if (!best || (edge->type == LINK_XGMI && best->type != LINK_XGMI) ||
		    (edge->type == best->type && edge->weight < best->weight))
			best = edge;
	}
	return best;
}

static int add_gpu(struct kfd *kfd, size_t index, size_t first, size_t end)
{
	const struct node *node = &kfd->nodes[index];
	const struct edge *edge = cpu_edge(kfd, first, end);
	char hive[NAME_SIZE], render_node[NAME_SIZE];
	struct topology_device device = {
		.name = (char *)node->name,
		.driver = (char *)"amdgpu",
		.state = TOPOLOGY_STATE_UNMANAGED,
		.incarnation = TOPOLOGY_UNKNOWN,
		.numa_node = TOPOLOGY_UNKNOWN,
		.n_handles = TOPOLOGY_UNKNOWN,
		.arch = node->arch[0] ? (char *)node->arch : NULL,
		.pci_link = { TOPOLOGY_UNKNOWN, TOPOLOGY_UNKNOWN, TOPOLOGY_UNKNOWN },
	};
	int r = 0;

	if (node->render_minor > 0) {
		(void)snprintf(render_node, sizeof(render_node), "/dev/dri/renderD%" PRIu64, node->render_minor);
		device.render_node = render_node;
	}
	if (node->hive) {
		(void)snprintf(hive, sizeof(hive), "0x%" PRIx64, node->hive);
		device.hive = hive;
	}
	/* Without a figure for its way to the CPU the rule's guess stands for one. */
	if (!edge || edge->type == LINK_PCIE)
		device.facts[TOPOLOGY_FACT_PCI_LINK] = (struct topology_fact){
			TOPOLOGY_ORIGIN_KFD,
			TOPOLOGY_CONFIDENCE_ASSUMED,
		};
	if (edge) {
		device.cpu = kfd->nodes[edge->to].name;
		device.numa_node = (int64_t)kfd->nodes[edge->to].id;
		device.facts[TOPOLOGY_FACT_NUMA_NODE] = (struct topology_fact){
			TOPOLOGY_ORIGIN_KFD,
			TOPOLOGY_CONFIDENCE_DERIVED,
		};
	}
	if (edge && edge->type == LINK_XGMI) {
		device.cpu_link.type = TOPOLOGY_LINK_XGMI;
		r = edge_bandwidth(kfd, edge, &device.cpu_link.bandwidth_mbps);
	} else if (edge) {
		r = edge_bandwidth(kfd, edge, &device.pci_link.bandwidth_mbps);
		if (device.pci_link.bandwidth_mbps > 0)
			device.facts[TOPOLOGY_FACT_PCI_LINK].confidence = TOPOLOGY_CONFIDENCE_REPORTED;
	}
	if (r == 0)
		r = topology_builder_add_device(kfd->builder, &device);
	if (r == -EEXIST) {
		if (asprintf(&kfd->error, "two nodes, one of them %" PRIu64 ", stand for %s", node->id, node->name) >=
		    0)
			return r;
		kfd->error = NULL;
		return -ENOMEM;
	}
	return r < 0 ? r : add_gpu_links(kfd, first, end);
}

static int add_cpu(struct kfd *kfd, size_t index, size_t first, size_t end)
{
	const struct node *node = &kfd->nodes[index];
	struct topology_node cpu = {
		.name = (char *)node->name,
		.kind = TOPOLOGY_NODE_CPU,
		.numa_node = (int64_t)node->id,
		.socket = TOPOLOGY_UNKNOWN,
		.model = TOPOLOGY_UNKNOWN,
		.port_mbps = TOPOLOGY_UNKNOWN,
		.uplink = { TOPOLOGY_UNKNOWN, TOPOLOGY_UNKNOWN, TOPOLOGY_UNKNOWN },
		.fact.confidence = TOPOLOGY_CONFIDENCE_DERIVED,
	};

	/* Which CPUs are joined by such links is all that it says of their maker. */
	for (size_t i = first; i < end; i++) {
		if (kfd->nodes[kfd->edges[i].to].is_gpu)
			continue;
		if (kfd->edges[i].type == LINK_HYPERTRANSPORT)
			cpu.vendor = (char *)"AuthenticAMD";
		else if (kfd->edges[i].type == LINK_QPI)
			cpu.vendor = (char *)"GenuineIntel";
	}
	return topology_builder_add_node(kfd->builder, &cpu);
}

static int add_bank(struct kfd *kfd, const struct node *node, int fd, const char *name)
{
	enum { HEAP, SIZE, WIDTH, CLOCK, N, HBM_WIDTH_MIN = 1024 };
	struct property wanted[N] = {
		[HEAP] = { .key = "heap_type", .max = UINT32_MAX },
		[SIZE] = { .key = "size_in_bytes", .max = INT64_MAX },
		[WIDTH] = { .key = "width", .max = 1 << 20 },
		[CLOCK] = { .key = "mem_clk_max", .max = 1 << 20 },
	};
	struct topology_memory memory = {
		.numa_node = TOPOLOGY_UNKNOWN,
		.free_bytes = TOPOLOGY_UNKNOWN,
		.bandwidth_mbps = TOPOLOGY_UNKNOWN,
	};
	char path[NAME_SIZE + 16], memory_name[2 * NAME_SIZE];
	int r;

	if (strlen(name) >= NAME_SIZE)
		return source_warn_bad_name(kfd->builder, "memory", name);
	(void)snprintf(path, sizeof(path), "%s/properties", name);
	r = read_properties(kfd, fd, path, "memory", node->id, wanted, N);
	if (r <= 0 || !wanted[SIZE].is_there)
		return r < 0 ? r : 0;
	memory.size_bytes = (int64_t)wanted[SIZE].value;
	/* Double data rate, and the width is in bits. */
	if (wanted[WIDTH].value > 0 && wanted[CLOCK].value > 0)
		memory.bandwidth_mbps = (int64_t)(wanted[WIDTH].value * wanted[CLOCK].value * 2 / 8);
	if (node->is_gpu && (wanted[HEAP].value == HEAP_VRAM_PUBLIC || wanted[HEAP].value == HEAP_VRAM_PRIVATE)) {
		memory.device = (char *)node->name;
		memory.kind = wanted[WIDTH].value >= HBM_WIDTH_MIN ? TOPOLOGY_MEMORY_HBM : TOPOLOGY_MEMORY_UNKNOWN;
		(void)snprintf(memory_name, sizeof(memory_name), "%s/vram%s", node->name, name);
	} else if (!node->is_gpu && wanted[HEAP].value == HEAP_SYSTEM) {
		memory.kind = TOPOLOGY_MEMORY_DRAM;
		memory.numa_node = (int64_t)node->id;
		(void)snprintf(memory_name, sizeof(memory_name), "%s%s%s", node->name, strcmp(name, "0") ? "/bank" : "",
			       strcmp(name, "0") ? name : "");
	} else {
		return 0;
	}
	memory.name = memory_name;
	return topology_builder_add_memory(kfd->builder, &memory);
}

static int add_banks(struct kfd *kfd, const struct node *node)
{
	_cleanup_(tree_list_fini) struct tree_list list = { 0 };
	_cleanup_(closep) int fd = -1;
	int r;

	r = open_list(kfd, node->id, "mem_banks", BANKS_MAX, &fd, &list);
	if (r <= 0)
		return r;
	r = 0;
	for (size_t i = 0; r == 0 && i < list.n_names; i++)
		r = add_bank(kfd, node, fd, list.names[i]);
	return r;
}

static int add_all(struct kfd *kfd)
{
	size_t first = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < kfd->n_nodes; i++) {
		size_t end = first;

		while (end < kfd->n_edges && kfd->edges[end].from == i)
			end++;
		if (kfd->nodes[i].is_gpu)
			r = add_gpu(kfd, i, first, end);
		else if (kfd->nodes[i].is_cpu)
			r = add_cpu(kfd, i, first, end);
		if (r == 0)
			r = add_banks(kfd, &kfd->nodes[i]);
		first = end;
	}
	return r;
}

static int read_all(struct kfd *kfd)
{
	int r;

	r = read_nodes(kfd);
	if (r == 0)
		r = name_devices(kfd);
	for (size_t i = 0; r == 0 && i < kfd->n_nodes; i++) {
		r = read_links(kfd, i, "io_links");
		if (r == 0)
			r = read_links(kfd, i, "p2p_links");
	}
	if (r < 0)
		return r;
	edges_merge(kfd);
	return add_all(kfd);
}

/* Takes over @fd. */
static int read_fd(int fd, struct topology **ret, char **ret_error)
{
	_cleanup_(kfd_fini) struct kfd kfd = { .fd = fd };
	int r;

	r = topology_builder_new(TOPOLOGY_SOURCE_PARTIAL, 0, &kfd.builder);
	if (r < 0)
		return r;
	topology_builder_set_origin(kfd.builder, TOPOLOGY_ORIGIN_KFD);
	if (kfd.fd >= 0) {
		r = read_all(&kfd);
		if (r == -E2BIG && !kfd.error && asprintf(&kfd.error, "too many nodes or links") < 0) {
			kfd.error = NULL;
			return -ENOMEM;
		}
	}
	if (r < 0) {
		if (ret_error)
			*ret_error = steal_ptr(&kfd.error);
		return r;
	}
	return topology_builder_finish(kfd.builder, ret);
}

int source_kfd_read(const char *root, struct topology **ret, char **ret_error)
{
	_cleanup_(closep) int root_fd = -1;
	int fd;

	if (ret_error)
		*ret_error = NULL;
	root_fd = tree_open(root);
	if (root_fd < 0)
		return root_fd;
	fd = tree_open_folder(root_fd, NODES);
	if (fd < 0 && source_is_fatal(fd))
		return fd;
	return read_fd(fd, ret, ret_error);
}

int source_kfd_read_nodes(const char *folder, struct topology **ret, char **ret_error)
{
	_cleanup_(closep) int folder_fd = -1;
	int fd;

	if (ret_error)
		*ret_error = NULL;
	folder_fd = tree_open(folder);
	if (folder_fd < 0)
		return folder_fd;
	fd = tree_open_subfolder(folder_fd, ".");
	if (fd < 0)
		return fd;
	return read_fd(fd, ret, ret_error);
}

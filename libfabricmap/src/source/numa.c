// SPDX-License-Identifier: MIT
/*
 * NUMA nodes and CPUs as the kernel has them in sysfs (Documentation/admin-guide/mm/numaperf.rst): sizes of memory, and
 * the access classes that firmware (HMAT) describes. 0 there stands for what firmware did not say.
 *
 * Warnings begin with "unreadable node", "unreadable memory", "unreadable access".
 */
#include "source/source.h"

#include "base/base.h"
#include "source/common.h"
#include "source/tree.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NODES "devices/system/node"
#define CPUS "devices/system/cpu"

enum {
	NODES_MAX = 4096,
	ENTRIES_MAX = 1 << 16, /* a node's folder has a link for each of its memory blocks */
	CLASSES = 2,
	TEXT_SIZE = 16384,
	NAME_SIZE = 32,
};

struct numa_node {
	int64_t number, size_bytes, free_bytes, socket;
	bool has_cpus, is_initiator;
};

struct numa {
	struct topology_builder *builder;
	int root_fd;
	struct numa_node *nodes; /* by number */
	size_t n_nodes;
	char *vendor;
	int64_t model;
	char text[TEXT_SIZE];
};

static void numa_fini(struct numa *numa)
{
	topology_builder_free(numa->builder);
	closep(&numa->root_fd);
	free(numa->nodes);
	free(numa->vendor);
}

/* "node7": 7; else -EINVAL. */
static int number_of(const char *name, int64_t *ret)
{
	if (strncmp(name, "node", 4) || !isdigit((unsigned char)name[4]) || (name[4] == '0' && name[5]))
		return -EINVAL;
	return tree_parse_number(name + 4, ret);
}

static int numa_node_compare(const void *a, const void *b)
{
	const struct numa_node *a_node = a, *b_node = b;

	return a_node->number < b_node->number ? -1 : a_node->number > b_node->number;
}

static struct numa_node *numa_node_find(const struct numa *numa, int64_t number)
{
	const struct numa_node key = { .number = number };

	return bsearch(&key, numa->nodes, numa->n_nodes, sizeof(*numa->nodes), numa_node_compare);
}

/* ---- CPUs ---- */

/* The x86 modalias names the maker and the model: "cpu:type:x86,ven0002fam0019mod0001:...". */
static int read_vendor(struct numa *numa)
{
	static const struct {
		const char *number, *name;
	} makers[] = {
		{ "ven0000", "GenuineIntel" },
		{ "ven0002", "AuthenticAMD" },
	};
	_cleanup_(closep) int fd = -1;
	const char *text;
	ssize_t length;

	numa->model = TOPOLOGY_UNKNOWN;
	fd = tree_open_folder(numa->root_fd, CPUS);
	if (fd < 0)
		return source_is_fatal(fd) ? fd : 0;
	length = tree_read_lines(fd, "modalias", numa->text, sizeof(numa->text));
	if (length < 0)
		return source_is_fatal((int)length) ? (int)length : 0;
	for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]) && !numa->vendor; i++)
		if (strstr(numa->text, makers[i].number)) {
			numa->vendor = strdup(makers[i].name);
			if (!numa->vendor)
				return -ENOMEM;
		}
	text = strstr(numa->text, "mod");
	text = text && !strncmp(text, "modalias", 8) ? strstr(text + 3, "mod") : text;
	if (text && isxdigit((unsigned char)text[3]))
		numa->model = strtol(text + 3, NULL, 16);
	return 0;
}

/* The package of a CPU; unknown if nobody says. */
static int read_socket(struct numa *numa, int64_t cpu, int64_t *ret)
{
	_cleanup_(closep) int fd = -1;
	char path[64];

	*ret = TOPOLOGY_UNKNOWN;
	(void)snprintf(path, sizeof(path), CPUS "/cpu%" PRId64 "/topology", cpu);
	fd = tree_open_folder(numa->root_fd, path);
	if (fd < 0)
		return source_is_fatal(fd) ? fd : 0;
	return source_read_number(numa->builder, fd, "unreadable node: CPU", "physical_package_id", ret);
}

/* The number of the lowest bit in "00000000,0000000c", or -ENOENT. */
static int64_t lowest_cpu(const char *map)
{
	int64_t bit = 0;

	for (const char *p = map + strlen(map); p > map; p--) {
		int value;

		if (p[-1] == ',')
			continue;
		if (!isxdigit((unsigned char)p[-1]))
			return -EINVAL;
		value = isdigit((unsigned char)p[-1]) ? p[-1] - '0' : tolower((unsigned char)p[-1]) - 'a' + 10;
		if (value)
			return bit + __builtin_ctz((unsigned int)value);
		bit += 4;
	}
	return -ENOENT;
}

static int read_cpus(struct numa *numa, int fd, const char *object, struct numa_node *node)
{
	_cleanup_(freep) char *map = NULL;
	int64_t cpu;
	int r;

	node->socket = TOPOLOGY_UNKNOWN;
	r = tree_read(fd, "cpumap", TREE_LIST_VALUE_MAX_BYTES, &map);
	if (r < 0) {
		if (source_is_fatal(r))
			return r;
		return source_is_absent(r) ?
			       0 :
			       topology_builder_warn(numa->builder, "%s: cpumap: %s", object, tree_strerror(r));
	}
	cpu = lowest_cpu(map);
	if (cpu == -EINVAL)
		return topology_builder_warn(numa->builder, "%s: cpumap: %s", object, tree_strerror(-EINVAL));
	if (cpu < 0)
		return 0;
	node->has_cpus = true;
	return read_socket(numa, cpu, &node->socket);
}

/* ---- memory ---- */

/* "Node 5 MemTotal:   97447340 kB"; unknown if it is not there. */
static int meminfo_number(struct numa *numa, const char *object, const char *key, int64_t *ret)
{
	const char *at = strstr(numa->text, key);
	char digits[24] = "";
	int64_t kib;
	size_t n;

	*ret = TOPOLOGY_UNKNOWN;
	if (!at)
		return 0;
	at += strlen(key);
	at += strspn(at, " \t");
	n = strcspn(at, " \t\n");
	if (n < sizeof(digits))
		memcpy(digits, at, n);
	if (tree_parse_number(digits, &kib) < 0 || kib > INT64_MAX / 1024)
		return topology_builder_warn(numa->builder, "%s: meminfo: %s %s", object, key, tree_strerror(-ERANGE));
	*ret = kib * 1024;
	return 0;
}

static int read_meminfo(struct numa *numa, int fd, const char *object, struct numa_node *node)
{
	ssize_t length;
	int r;

	node->size_bytes = node->free_bytes = TOPOLOGY_UNKNOWN;
	length = tree_read_lines(fd, "meminfo", numa->text, sizeof(numa->text));
	if (length < 0) {
		r = (int)length;
		if (source_is_fatal(r))
			return r;
		return source_is_absent(r) ?
			       0 :
			       topology_builder_warn(numa->builder, "%s: meminfo: %s", object, tree_strerror(r));
	}
	r = meminfo_number(numa, object, "MemTotal:", &node->size_bytes);
	return r < 0 ? r : meminfo_number(numa, object, "MemFree:", &node->free_bytes);
}

static int open_node(const struct numa *numa, int64_t number)
{
	char path[64];

	(void)snprintf(path, sizeof(path), NODES "/node%" PRId64, number);
	return tree_open_folder(numa->root_fd, path);
}

static int read_node(struct numa *numa, int64_t number)
{
	struct numa_node node = { .number = number };
	_cleanup_(closep) int fd = -1;
	char object[64];
	int r;

	(void)snprintf(object, sizeof(object), "unreadable node: node%" PRId64, number);
	fd = open_node(numa, number);
	if (fd < 0)
		return source_is_fatal(fd) ? fd :
					     topology_builder_warn(numa->builder, "%s: %s", object, tree_strerror(fd));
	r = read_cpus(numa, fd, object, &node);
	if (r == 0)
		r = read_meminfo(numa, fd, object, &node);
	if (r == 0)
		numa->nodes[numa->n_nodes++] = node;
	return r;
}

static int read_nodes(struct numa *numa, int fd)
{
	_cleanup_(tree_list_fini) struct tree_list list = { 0 };
	int64_t number;
	int r;

	r = tree_list(fd, NODES_MAX, &list);
	if (r < 0)
		return source_is_fatal(r) ?
			       r :
			       topology_builder_warn(numa->builder, "unreadable node: " NODES ": %s", tree_strerror(r));
	numa->nodes = calloc(list.n_names ? list.n_names : 1, sizeof(*numa->nodes));
	if (!numa->nodes)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < list.n_names; i++)
		if (number_of(list.names[i], &number) == 0)
			r = read_node(numa, number);
	if (numa->n_nodes > 0)
		qsort(numa->nodes, numa->n_nodes, sizeof(*numa->nodes), numa_node_compare);
	return r;
}

/* ---- access classes ---- */

static int read_figures(struct numa *numa, int fd, const char *object, struct topology_access *access)
{
	const struct {
		const char *name;
		int64_t *ret;
	} figures[] = {
		{ "read_bandwidth", &access->read_bandwidth_mbps },
		{ "write_bandwidth", &access->write_bandwidth_mbps },
		{ "read_latency", &access->read_latency_ns },
		{ "write_latency", &access->write_latency_ns },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(figures) / sizeof(figures[0]); i++) {
		r = source_read_number(numa->builder, fd, object, figures[i].name, figures[i].ret);
		if (*figures[i].ret == 0)
			*figures[i].ret = TOPOLOGY_UNKNOWN;
	}
	return r;
}

static int read_class(struct numa *numa, const struct numa_node *node, int64_t class)
{
	_cleanup_(tree_list_fini) struct tree_list list = { 0 };
	struct topology_access access = { .access_class = class };
	_cleanup_(closep) int fd = -1;
	char path[96], object[96], memory[NAME_SIZE];
	int64_t number;
	int r;

	(void)snprintf(memory, sizeof(memory), "node%" PRId64, node->number);
	(void)snprintf(object, sizeof(object), "unreadable access: %s: access%" PRId64, memory, class);
	(void)snprintf(path, sizeof(path), NODES "/%s/access%" PRId64 "/initiators", memory, class);
	fd = tree_open_folder(numa->root_fd, path);
	/* Without HMAT there is none. */
	if (source_is_absent(fd))
		return 0;
	r = fd < 0 ? fd : tree_list(fd, NODES_MAX, &list);
	if (r < 0)
		return source_is_fatal(r) ? r :
					    topology_builder_warn(numa->builder, "%s: %s", object, tree_strerror(r));
	r = read_figures(numa, fd, object, &access);
	for (size_t i = 0; r == 0 && i < list.n_names; i++) {
		struct numa_node *initiator;

		if (number_of(list.names[i], &number) < 0)
			continue;
		initiator = numa_node_find(numa, number);
		if (initiator)
			initiator->is_initiator = true;
		access.initiator = list.names[i];
		r = topology_builder_add_access(numa->builder, memory, &access);
	}
	return r;
}

/* ---- what goes to the builder ---- */

static int add_node(struct numa *numa, const struct numa_node *node)
{
	char name[NAME_SIZE];
	const struct topology_node place = {
		.name = name,
		.kind = node->has_cpus ? TOPOLOGY_NODE_CPU : TOPOLOGY_NODE_INITIATOR,
		.numa_node = node->number,
		.socket = node->socket,
		.vendor = node->has_cpus ? numa->vendor : NULL,
		.model = node->has_cpus ? numa->model : TOPOLOGY_UNKNOWN,
		.port_mbps = TOPOLOGY_UNKNOWN,
		.uplink = { TOPOLOGY_UNKNOWN, TOPOLOGY_UNKNOWN, TOPOLOGY_UNKNOWN },
	};
	const struct topology_memory memory = {
		.name = name,
		.numa_node = node->number,
		.size_bytes = node->size_bytes,
		.free_bytes = node->free_bytes,
		.bandwidth_mbps = TOPOLOGY_UNKNOWN,
	};
	int r = 0;

	(void)snprintf(name, sizeof(name), "node%" PRId64, node->number);
	if (node->has_cpus || node->is_initiator)
		r = topology_builder_add_node(numa->builder, &place);
	if (r == 0 && node->size_bytes > 0)
		r = topology_builder_add_memory(numa->builder, &memory);
	return r;
}

static int read_all(struct numa *numa)
{
	_cleanup_(closep) int fd = -1;
	int r;

	fd = tree_open_folder(numa->root_fd, NODES);
	if (fd < 0)
		return source_is_fatal(fd) ? fd : 0;
	r = read_vendor(numa);
	if (r == 0)
		r = read_nodes(numa, fd);
	for (size_t i = 0; r == 0 && i < numa->n_nodes; i++)
		for (int64_t class = 0; r == 0 && class < CLASSES; class ++)
			if (numa->nodes[i].size_bytes > 0)
				r = read_class(numa, &numa->nodes[i], class);
	for (size_t i = 0; r == 0 && i < numa->n_nodes; i++)
		r = add_node(numa, &numa->nodes[i]);
	return r;
}

int source_numa_read(const char *root, struct topology **ret)
{
	_cleanup_(numa_fini) struct numa numa = { .root_fd = -1 };
	int r;

	numa.root_fd = tree_open(root);
	if (numa.root_fd < 0)
		return numa.root_fd;
	r = topology_builder_new(TOPOLOGY_SOURCE_PARTIAL, 0, &numa.builder);
	if (r < 0)
		return r;
	topology_builder_set_origin(numa.builder, TOPOLOGY_ORIGIN_NUMA);
	r = read_all(&numa);
	if (r < 0)
		return r;
	return topology_builder_finish(numa.builder, ret);
}

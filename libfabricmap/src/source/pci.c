// SPDX-License-Identifier: MIT
/*
 * PCI in sysfs: which bridges are above a device, and what its links and theirs can do (max_link_*; what they do now is
 * no guide, an idle GPU runs at 2.5 GT/s).
 *
 * Below a root port come, in turn, the upstream port of a switch and one of its downstream ports (PCIe 6.0 1.3). A link
 * is between a downstream or root port and what is below it; within a switch there is none. So an upstream port
 * stands for its switch, and the ports above a link only have their say in what it can do.
 *
 * Warnings begin with "unreadable PCI device".
 */
#include "source/source.h"

#include "base/base.h"
#include "model/rule.h"
#include "source/common.h"
#include "source/tree.h"

#include <stdio.h>
#include <string.h>

#define DEVICES "bus/pci/devices"

enum {
	FUNCTIONS_MAX = 65536,
	CHAIN_MAX = TOPOLOGY_DEPTH_MAX,
	ADDRESS_SIZE = 16, /* 0000:00:00.0, the domain of up to 8 digits */
	TARGET_SIZE = 2048,
};

struct pci {
	struct topology_builder *builder;
	int root_fd, devices_fd;
};

static void pci_fini(struct pci *pci)
{
	topology_builder_free(pci->builder);
	closep(&pci->root_fd);
	closep(&pci->devices_fd);
}

static bool is_address(const char *text)
{
	const char *colon = strchr(text, ':');
	size_t length = strlen(text);

	return colon && colon - text >= 4 && colon - text <= 8 && length == (size_t)(colon - text) + 8 &&
	       colon[3] == ':' && colon[6] == '.' && strspn(text, "0123456789abcdef:.") == length;
}

/* GPUs and accelerators that are no mere displays. */
static bool is_gpu_class(const char *text)
{
	return !strncmp(text, "0x0302", 6) || !strncmp(text, "0x0380", 6) || !strncmp(text, "0x1200", 6);
}

/* Addresses in the target of a device's link, from the root port to the device itself. */
static size_t chain_of(char *target, const char *chain[CHAIN_MAX])
{
	char *state = NULL;
	size_t n = 0;

	for (char *part = strtok_r(target, "/", &state); part; part = strtok_r(NULL, "/", &state))
		if (is_address(part) && n < CHAIN_MAX)
			chain[n++] = part;
	return n;
}

/* "16.0 GT/s PCIe" in MT/s; TOPOLOGY_UNKNOWN for "Unknown" and the like. */
static int64_t speed_parse(const char *text)
{
	char *end;
	double speed = strtod(text, &end);

	return end != text && speed > 0 && speed < 1000 ? (int64_t)(speed * 1000 + 0.5) : TOPOLOGY_UNKNOWN;
}

static int read_end(struct pci *pci, const char *address, struct topology_uplink *ret)
{
	_cleanup_(freep) char *path = NULL;
	_cleanup_(freep) char *speed = NULL;
	_cleanup_(freep) char *object = NULL;
	_cleanup_(closep) int fd = -1;
	int r;

	*ret = (struct topology_uplink){ TOPOLOGY_UNKNOWN, TOPOLOGY_UNKNOWN, TOPOLOGY_UNKNOWN };
	if (asprintf(&path, DEVICES "/%s", address) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (asprintf(&object, "unreadable PCI device: %s", address) < 0) {
		object = NULL;
		return -ENOMEM;
	}
	fd = tree_open_folder(pci->root_fd, path);
	if (fd < 0)
		return source_is_fatal(fd) ? fd : 0;
	r = source_read_text(pci->builder, fd, object, "max_link_speed", &speed);
	if (r == 0)
		r = source_read_number(pci->builder, fd, object, "max_link_width", &ret->width);
	/* What the kernel says where it does not know. */
	if (ret->width == 255)
		ret->width = TOPOLOGY_UNKNOWN;
	if (speed)
		ret->speed_mtps = speed_parse(speed);
	return r;
}

static bool is_known(const struct topology_uplink *uplink)
{
	return uplink->speed_mtps > 0 && uplink->width >= 0;
}

/* The link above chain[at]: if both ends report, the lesser. */
static int read_link(struct pci *pci, const char *const *chain, size_t at, struct topology_uplink *ret)
{
	struct topology_uplink below, above;
	int r;

	r = read_end(pci, chain[at], &below);
	*ret = below;
	if (r < 0 || at == 0)
		return r;
	r = read_end(pci, chain[at - 1], &above);
	if (r == 0 && is_known(&above) &&
	    (!is_known(&below) || rule_uplink(&above, NULL).mbps < rule_uplink(&below, NULL).mbps))
		*ret = above;
	return r;
}

/* Upstream ports are at odd places; the one above @at, or NULL. */
static const char *switch_above(const char *const *chain, size_t at)
{
	if (at < 3)
		return NULL;
	return chain[at % 2 ? at - 2 : at - 1];
}

static int add_switches(struct pci *pci, const char *const *chain, size_t n)
{
	int r = 0;

	for (size_t at = 1; r == 0 && at + 1 < n; at += 2) {
		struct topology_node node = {
			.name = (char *)chain[at],
			.kind = TOPOLOGY_NODE_BRIDGE,
			.parent = (char *)switch_above(chain, at),
			.numa_node = TOPOLOGY_UNKNOWN,
			.socket = TOPOLOGY_UNKNOWN,
			.model = TOPOLOGY_UNKNOWN,
			.port_mbps = TOPOLOGY_UNKNOWN,
		};

		/* Only what has a downstream port below it is a switch. */
		if (at + 2 >= n)
			break;
		r = read_link(pci, chain, at, &node.uplink);
		if (r == 0)
			r = topology_builder_add_node(pci->builder, &node);
		if (r == -EEXIST)
			r = 0;
	}
	return r;
}

static int read_numa_node(struct pci *pci, int fd, const char *address, int64_t *ret)
{
	_cleanup_(freep) char *text = NULL;
	int r;

	*ret = TOPOLOGY_UNKNOWN;
	r = tree_read(fd, "numa_node", TREE_VALUE_MAX_BYTES, &text);
	if (r < 0)
		return source_is_fatal(r) ? r : 0;
	/* A machine with one node says so of everything, virtual machines too. */
	if (!strcmp(text, "-1"))
		return 0;
	if (tree_parse_number(text, ret) < 0)
		return topology_builder_warn(pci->builder, "unreadable PCI device: %s: numa_node: %s", address,
					     tree_strerror(-EINVAL));
	return 0;
}

static int read_function(struct pci *pci, const struct topology *known, const char *address)
{
	_cleanup_(freep) char *class = NULL;
	_cleanup_(freep) char *path = NULL;
	_cleanup_(closep) int fd = -1;
	const char *chain[CHAIN_MAX];
	char target[TARGET_SIZE];
	struct topology_device device = {
		.name = (char *)address,
		.state = TOPOLOGY_STATE_UNMANAGED,
		.incarnation = TOPOLOGY_UNKNOWN,
		.n_handles = TOPOLOGY_UNKNOWN,
	};
	ssize_t length;
	size_t n;
	int r;

	if (asprintf(&path, DEVICES "/%s", address) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	fd = tree_open_folder(pci->root_fd, path);
	r = fd < 0 ? fd : tree_read(fd, "class", TREE_VALUE_MAX_BYTES, &class);
	if (r < 0)
		return source_is_fatal(r) ? r : 0;
	if (!is_gpu_class(class) && topology_device_find(known, address) < 0)
		return 0;
	length = readlinkat(pci->devices_fd, address, target, sizeof(target) - 1);
	if (length < 0)
		return 0;
	target[length] = '\0';
	n = chain_of(target, chain);
	if (n == 0 || strcmp(chain[n - 1], address))
		return topology_builder_warn(pci->builder, "unreadable PCI device: %s: its link leads elsewhere",
					     address);
	r = read_numa_node(pci, fd, address, &device.numa_node);
	if (r == 0)
		r = read_link(pci, chain, n - 1, &device.pci_link);
	if (r == 0)
		r = add_switches(pci, chain, n);
	if (r < 0)
		return r;
	/* Known to nobody else: then the class tells what it is. */
	device.pci_class = class;
	device.upstream_bridge = n > 1 ? (char *)chain[n - 2] : NULL;
	device.parent = (char *)switch_above(chain, n - 1);
	device.facts[TOPOLOGY_FACT_PCI_LINK].origin = TOPOLOGY_ORIGIN_PCI;
	r = topology_builder_add_device(pci->builder, &device);
	return r == -EEXIST ? 0 : r;
}

int source_pci_read(const char *root, const struct topology *known, struct topology **ret)
{
	_cleanup_(pci_fini) struct pci pci = { .root_fd = -1, .devices_fd = -1 };
	_cleanup_(tree_list_fini) struct tree_list list = { 0 };
	int r;

	pci.root_fd = tree_open(root);
	if (pci.root_fd < 0)
		return pci.root_fd;
	r = topology_builder_new(TOPOLOGY_SOURCE_PARTIAL, 0, &pci.builder);
	if (r < 0)
		return r;
	topology_builder_set_origin(pci.builder, TOPOLOGY_ORIGIN_PCI);
	pci.devices_fd = tree_open_folder(pci.root_fd, DEVICES);
	r = pci.devices_fd < 0 ? pci.devices_fd : tree_list(pci.devices_fd, FUNCTIONS_MAX, &list);
	if (r < 0 && source_is_fatal(r))
		return r;
	r = 0;
	for (size_t i = 0; r == 0 && i < list.n_names; i++)
		if (is_address(list.names[i]))
			r = read_function(&pci, known, list.names[i]);
	if (r < 0)
		return r;
	return topology_builder_finish(pci.builder, ret);
}

// SPDX-License-Identifier: MIT
/*
 * Pair bandwidth, rule version 1, as far as the fabric's sysfs can tell: a link's own figures, the default of its
 * class where it has none, and the PCI path for pairs that no link joins. Pure functions of a topology.
 */
#include "model/model.h"

enum {
	/* 16 lanes at 8 GT/s, 750 MB/s each: what the rule takes where speed and width are unknown. */
	PCI_PATH_MBPS = 12000,
	NVLINK_MBPS = 20000,
	XGMI_MBPS = 36000,
	XE_LINK_MBPS = 36000,
};

static int64_t class_default(enum topology_link_type type)
{
	switch (type) {
	case TOPOLOGY_LINK_NVLINK:
		return NVLINK_MBPS;
	case TOPOLOGY_LINK_XGMI:
		return XGMI_MBPS;
	case TOPOLOGY_LINK_XE_LINK:
		return XE_LINK_MBPS;
	default:
		return PCI_PATH_MBPS;
	}
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static bool is_up(const struct topology_link *link)
{
	return link && link->up && link->type != TOPOLOGY_LINK_NONE;
}

/* D(accessor -> owner) of the rule, for a link that is up. */
static int64_t direction(const struct topology_link *link, bool *assumed)
{
	/* In a link record 0 means unknown. */
	if (link->read_bandwidth_mbps > 0 && link->write_bandwidth_mbps > 0)
		return least(link->read_bandwidth_mbps, link->write_bandwidth_mbps);
	*assumed = true;
	/* The half that is known is an upper bound all the same. */
	if (link->read_bandwidth_mbps > 0)
		return least(link->read_bandwidth_mbps, class_default(link->type));
	if (link->write_bandwidth_mbps > 0)
		return least(link->write_bandwidth_mbps, class_default(link->type));
	return class_default(link->type);
}

struct topology_pair topology_pair(const struct topology *topology, size_t a, size_t b)
{
	struct topology_pair pair = { .bandwidth_mbps = PCI_PATH_MBPS, .assumed = true };
	const struct topology_link *there, *back;

	if (a == b)
		return (struct topology_pair){ .linked = true };
	there = topology_link_find(topology, a, b);
	back = topology_link_find(topology, b, a);
	if (!is_up(there) || !is_up(back))
		return pair;
	pair.linked = true;
	pair.assumed = false;
	pair.bandwidth_mbps = direction(there, &pair.assumed);
	pair.bandwidth_mbps = least(pair.bandwidth_mbps, direction(back, &pair.assumed));
	return pair;
}

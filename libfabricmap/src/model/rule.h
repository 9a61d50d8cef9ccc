/* SPDX-License-Identifier: MIT */
/* rule - the tables of the rule of pair bandwidth, version 1. MB/s throughout. */
#ifndef FABRICMAP_MODEL_RULE_H
#define FABRICMAP_MODEL_RULE_H

#include "model/model.h"

enum {
	/* 16 lanes at 8 GT/s: what stands for a PCI link of which nothing is known. */
	RULE_PCI_UNKNOWN_MBPS = 12000,
	/* CPUs that are none of those in the table. */
	RULE_CPU_OTHER_MBPS = 16000,
};

struct rule_figure {
	int64_t mbps;
	bool assumed; /* it is a guess */
};

/* Of one link or lane. @arch is the generation of the device that has the record, or NULL. */
struct rule_figure rule_class_default(enum topology_link_type type, const char *arch);

/**
 * rule_record() - the figure of link records
 * @bandwidth_mbps: TOPOLOGY_UNKNOWN: they have none; 0 or impossible: what they have means nothing
 * @count: 0: they do not say
 * @n_records: how many records these are together; 0 is one
 */
struct rule_figure rule_record(enum topology_link_type type, const char *arch, int64_t bandwidth_mbps, int64_t count,
			       int64_t n_records);

bool rule_bandwidth_is_possible(int64_t bandwidth_mbps, int64_t n_records);
bool rule_count_is_possible(int64_t count, int64_t n_records);

/* A link of PCI or of another tree; @arch NULL: no generation limits it. */
struct rule_figure rule_uplink(const struct topology_uplink *uplink, const char *arch);

/* What it says is neither unknown (width 0 and 2.5 GT/s x1 are ways to say that) nor possible. */
bool rule_uplink_is_impossible(const struct topology_uplink *uplink);

/* 16 lanes of a generation's own PCI; INT64_MAX if nothing limits it. */
int64_t rule_pci_max(const char *arch);

/* From a CPU to CPUs of other sockets. @vendor may be NULL. */
struct rule_figure rule_cpu_link(const char *vendor, int64_t model);

#endif

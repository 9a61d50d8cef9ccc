// SPDX-License-Identifier: MIT
/* The tables of the rule, and nothing else. Pure functions. */
#include "model/rule.h"

#include <stdlib.h>
#include <string.h>

enum family {
	FAMILY_UNKNOWN,
	FAMILY_SM, /* number is decimal: 90 */
	FAMILY_GFX, /* number is hexadecimal: 0x90a */
};

struct arch {
	enum family family;
	unsigned long number;
};

static struct arch arch_parse(const char *text)
{
	struct arch arch = { 0 };
	char *end;

	if (text && !strncmp(text, "sm", 2) && text[2] >= '1' && text[2] <= '9') {
		arch.number = strtoul(text + 2, &end, 10);
		arch.family = *end ? FAMILY_UNKNOWN : FAMILY_SM;
	} else if (text && !strncmp(text, "gfx", 3) && text[3] >= '1' && text[3] <= '9') {
		arch.number = strtoul(text + 3, &end, 16);
		arch.family = *end ? FAMILY_UNKNOWN : FAMILY_GFX;
		/* Some sources write the last digit of gfx90a in decimal. */
		if (arch.number == 0x910)
			arch.number = 0x90a;
	}
	return arch;
}

static bool is_sm(struct arch arch, unsigned long from, unsigned long to)
{
	return arch.family == FAMILY_SM && arch.number >= from && arch.number <= to;
}

static bool is_gfx(struct arch arch, unsigned long number)
{
	return arch.family == FAMILY_GFX && arch.number == number;
}

static bool is_gfx_line(struct arch arch, unsigned long line)
{
	return arch.family == FAMILY_GFX && arch.number >> 4 == line;
}

static struct rule_figure nvlink_default(struct arch arch)
{
	if (is_sm(arch, 60, 69))
		return (struct rule_figure){ 18000, false };
	if (is_sm(arch, 86, 86))
		return (struct rule_figure){ 12000, false };
	if (is_sm(arch, 70, 89))
		return (struct rule_figure){ 20000, false };
	if (is_sm(arch, 90, 99))
		return (struct rule_figure){ 20600, false };
	if (arch.family == FAMILY_SM && arch.number >= 100)
		return (struct rule_figure){ 40100, false };
	return (struct rule_figure){ 20000, true };
}

static struct rule_figure xgmi_default(struct arch arch)
{
	if (is_gfx(arch, 0x906) || is_gfx(arch, 0x908))
		return (struct rule_figure){ 24000, false };
	if (is_gfx(arch, 0x90a))
		return (struct rule_figure){ 36000, false };
	if (is_gfx_line(arch, 0x94) || is_gfx_line(arch, 0x95))
		return (struct rule_figure){ 48000, false };
	return (struct rule_figure){ 36000, true };
}

struct rule_figure rule_class_default(enum topology_link_type type, const char *arch)
{
	switch (type) {
	case TOPOLOGY_LINK_NVLINK:
		return nvlink_default(arch_parse(arch));
	case TOPOLOGY_LINK_XGMI:
		return xgmi_default(arch_parse(arch));
	case TOPOLOGY_LINK_XE_LINK:
		return (struct rule_figure){ 36000, true };
	default:
		return (struct rule_figure){ RULE_PCI_UNKNOWN_MBPS, true };
	}
}

/* Of a sum of records, each of which has its limit. */
static bool is_within(int64_t value, int64_t n_records, int64_t record_max)
{
	int64_t max;

	if (__builtin_mul_overflow(n_records > 0 ? n_records : 1, record_max, &max))
		max = INT64_MAX;
	return value > 0 && value <= max;
}

bool rule_bandwidth_is_possible(int64_t bandwidth_mbps, int64_t n_records)
{
	return is_within(bandwidth_mbps, n_records, TOPOLOGY_RECORD_MBPS_MAX);
}

bool rule_count_is_possible(int64_t count, int64_t n_records)
{
	return is_within(count, n_records, TOPOLOGY_RECORD_COUNT_MAX);
}

struct rule_figure rule_record(enum topology_link_type type, const char *arch, int64_t bandwidth_mbps, int64_t count,
			       int64_t n_records)
{
	struct rule_figure figure;

	if (rule_bandwidth_is_possible(bandwidth_mbps, n_records))
		return (struct rule_figure){ bandwidth_mbps, false };
	figure = rule_class_default(type, arch);
	if (bandwidth_mbps != TOPOLOGY_UNKNOWN)
		figure.assumed = true;
	if (!rule_count_is_possible(count, n_records)) {
		count = n_records > 0 ? n_records : 1;
		figure.assumed = true;
	}
	if (__builtin_mul_overflow(figure.mbps, count, &figure.mbps))
		figure.mbps = INT64_MAX;
	return figure;
}

/* Effective MB/s of a lane; 0 for a speed that is not in the table. */
static int64_t lane_mbps(int64_t speed_mtps)
{
	switch (speed_mtps) {
	case 2500:
		return 188;
	case 5000:
		return 375;
	case 8000:
		return 750;
	case 16000:
		return 1500;
	case 32000:
		return 3000;
	case 64000:
		return 6000;
	default:
		return 0;
	}
}

static bool is_width(int64_t width)
{
	return width == 1 || width == 2 || width == 4 || width == 8 || width == 12 || width == 16 || width == 32;
}

/* MT/s that a generation's own link has at most; 0: no limit. */
static int64_t speed_max(struct arch arch)
{
	if (is_gfx(arch, 0x906) || is_gfx(arch, 0x908) || is_gfx(arch, 0x90a) || is_sm(arch, 80, 89))
		return 16000;
	if (is_sm(arch, 60, 75))
		return 8000;
	if (is_gfx_line(arch, 0x94) || is_sm(arch, 90, 90))
		return 32000;
	return 0;
}

int64_t rule_pci_max(const char *arch)
{
	int64_t speed = speed_max(arch_parse(arch));

	return speed ? 16 * lane_mbps(speed) : INT64_MAX;
}

/* Virtual machines say so of links of any kind, and slots with nothing in them: one way to say unknown. */
static bool is_unsaid(const struct topology_uplink *uplink)
{
	return uplink->width == 0 || (uplink->speed_mtps == 2500 && uplink->width == 1);
}

struct rule_figure rule_uplink(const struct topology_uplink *uplink, const char *arch)
{
	int64_t speed = uplink->speed_mtps, width = uplink->width, max = speed_max(arch_parse(arch));
	struct rule_figure figure = { 0 };

	if (rule_bandwidth_is_possible(uplink->bandwidth_mbps, 1)) {
		figure.mbps = uplink->bandwidth_mbps;
		if (figure.mbps > rule_pci_max(arch))
			figure.mbps = rule_pci_max(arch);
		return figure;
	}
	if (is_unsaid(uplink))
		speed = width = TOPOLOGY_UNKNOWN;
	if (!lane_mbps(speed)) {
		speed = 8000;
		figure.assumed = true;
	}
	if (!is_width(width)) {
		width = 16;
		figure.assumed = true;
	}
	if (max && speed > max)
		speed = max;
	figure.mbps = width * lane_mbps(speed);
	return figure;
}

bool rule_uplink_is_impossible(const struct topology_uplink *uplink)
{
	if (uplink->bandwidth_mbps != TOPOLOGY_UNKNOWN && uplink->bandwidth_mbps != 0)
		return !rule_bandwidth_is_possible(uplink->bandwidth_mbps, 1);
	if (is_unsaid(uplink))
		return false;
	return (uplink->speed_mtps != TOPOLOGY_UNKNOWN && !lane_mbps(uplink->speed_mtps)) ||
	       (uplink->width != TOPOLOGY_UNKNOWN && !is_width(uplink->width));
}

struct rule_figure rule_cpu_link(const char *vendor, int64_t model)
{
	enum { SAPPHIRE_RAPIDS = 143 };

	if (vendor && !strcmp(vendor, "AuthenticAMD"))
		return (struct rule_figure){ 16000, false };
	if (vendor && !strcmp(vendor, "POWER9"))
		return (struct rule_figure){ 32000, false };
	if (vendor && !strcmp(vendor, "GenuineIntel") && model >= 0)
		return (struct rule_figure){ model >= SAPPHIRE_RAPIDS ? 22000 : 10000, false };
	return (struct rule_figure){ RULE_CPU_OTHER_MBPS, true };
}

// SPDX-License-Identifier: MIT
/*
 * The rule of pair bandwidth, clause by clause: its tables, and for each clause that any source can meet a machine of two
 * to four devices, in our own schema. Expected figures are by hand from the rule's text. What a clause says of one source is
 * in that source's test.
 */
#include "machine.h"
#include "model/rule.h"
#include "source/source.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	enum topology_link_type type;
	const char *arch;
	int64_t mbps;
	bool assumed;
} defaults[] = {
	{ TOPOLOGY_LINK_NVLINK, "sm59", 20000, true },	 { TOPOLOGY_LINK_NVLINK, "sm60", 18000, false },
	{ TOPOLOGY_LINK_NVLINK, "sm69", 18000, false },	 { TOPOLOGY_LINK_NVLINK, "sm70", 20000, false },
	{ TOPOLOGY_LINK_NVLINK, "sm85", 20000, false },	 { TOPOLOGY_LINK_NVLINK, "sm86", 12000, false },
	{ TOPOLOGY_LINK_NVLINK, "sm89", 20000, false },	 { TOPOLOGY_LINK_NVLINK, "sm90", 20600, false },
	{ TOPOLOGY_LINK_NVLINK, "sm99", 20600, false },	 { TOPOLOGY_LINK_NVLINK, "sm100", 40100, false },
	{ TOPOLOGY_LINK_NVLINK, "sm121", 40100, false }, { TOPOLOGY_LINK_NVLINK, NULL, 20000, true },
	{ TOPOLOGY_LINK_NVLINK, "gfx942", 20000, true }, { TOPOLOGY_LINK_XE_LINK, NULL, 36000, true },
	{ TOPOLOGY_LINK_XE_LINK, "sm90", 36000, true },	 { TOPOLOGY_LINK_XGMI, "gfx906", 24000, false },
	{ TOPOLOGY_LINK_XGMI, "gfx908", 24000, false },	 { TOPOLOGY_LINK_XGMI, "gfx90a", 36000, false },
	{ TOPOLOGY_LINK_XGMI, "gfx910", 36000, false },	 { TOPOLOGY_LINK_XGMI, "gfx940", 48000, false },
	{ TOPOLOGY_LINK_XGMI, "gfx942", 48000, false },	 { TOPOLOGY_LINK_XGMI, "gfx950", 48000, false },
	{ TOPOLOGY_LINK_XGMI, "gfx1030", 36000, true },	 { TOPOLOGY_LINK_XGMI, NULL, 36000, true },
	{ TOPOLOGY_LINK_XGMI, "gfx", 36000, true },	 { TOPOLOGY_LINK_NVLINK, "sm9x", 20000, true },
};

START_TEST(class_defaults)
{
	/* The table of defaults, at the edges of its ranges. */
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		struct rule_figure figure = rule_class_default(defaults[i].type, defaults[i].arch);

		ck_assert_msg(figure.mbps == defaults[i].mbps && figure.assumed == defaults[i].assumed, "%s: %lld%s",
			      defaults[i].arch ?: "-", (long long)figure.mbps, figure.assumed ? " assumed" : "");
	}
}
END_TEST

static const struct {
	int64_t speed_mtps, width, bandwidth_mbps;
	const char *arch;
	int64_t mbps;
	bool assumed, impossible;
} uplinks[] = {
	/* Each speed, then each width. */
	{ 2500, 16, -1, NULL, 3008, false, false },
	{ 5000, 16, -1, NULL, 6000, false, false },
	{ 8000, 16, -1, NULL, 12000, false, false },
	{ 16000, 16, -1, NULL, 24000, false, false },
	{ 32000, 16, -1, NULL, 48000, false, false },
	{ 64000, 16, -1, NULL, 96000, false, false },
	{ 8000, 1, -1, NULL, 750, false, false },
	{ 8000, 2, -1, NULL, 1500, false, false },
	{ 8000, 4, -1, NULL, 3000, false, false },
	{ 8000, 8, -1, NULL, 6000, false, false },
	{ 8000, 12, -1, NULL, 9000, false, false },
	{ 8000, 32, -1, NULL, 24000, false, false },
	/* Unknown: 16 lanes, 8 GT/s. */
	{ 16000, -1, -1, NULL, 24000, true, false },
	{ -1, 8, -1, NULL, 6000, true, false },
	{ -1, -1, -1, NULL, 12000, true, false },
	/* Impossible: likewise, each by itself. */
	{ 16000, 3, -1, NULL, 24000, true, true },
	{ 16000, 64, -1, NULL, 24000, true, true },
	{ 12345, 8, -1, NULL, 6000, true, true },
	/* What virtual machines say: then neither is known. 2.5 GT/s with more lanes is a link. */
	{ 2500, 1, -1, NULL, 12000, true, false },
	{ 16000, 0, -1, NULL, 12000, true, false },
	{ 2500, 2, -1, NULL, 376, false, false },
	/* The own link of a generation; one that is not listed has no limit, and that alone is no guess. */
	{ 32000, 16, -1, "gfx906", 24000, false, false },
	{ 32000, 16, -1, "gfx908", 24000, false, false },
	{ 32000, 16, -1, "gfx90a", 24000, false, false },
	{ 64000, 16, -1, "gfx942", 48000, false, false },
	{ 64000, 16, -1, "gfx950", 96000, false, false },
	{ 16000, 16, -1, "sm60", 12000, false, false },
	{ 16000, 16, -1, "sm75", 12000, false, false },
	{ 32000, 16, -1, "sm76", 48000, false, false },
	{ 32000, 16, -1, "sm80", 24000, false, false },
	{ 32000, 16, -1, "sm89", 24000, false, false },
	{ 64000, 16, -1, "sm90", 48000, false, false },
	{ 64000, 16, -1, "sm91", 96000, false, false },
	{ 64000, 16, -1, "sm100", 96000, false, false },
	/* A slower link is not made faster. */
	{ 8000, 4, -1, "gfx90a", 3000, false, false },
	/* A figure for the whole goes first, at most 16 lanes of the generation; one that cannot be does not count. */
	{ 8000, 4, 7000, NULL, 7000, false, false },
	{ -1, -1, 63000, "gfx90a", 24000, false, false },
	{ 8000, 4, 10000001, NULL, 3000, false, true },
};

START_TEST(pci_links)
{
	/* Speed by width, what is not known, what cannot be, and what a generation can do at most. */
	for (size_t i = 0; i < sizeof(uplinks) / sizeof(uplinks[0]); i++) {
		const struct topology_uplink uplink = {
			uplinks[i].speed_mtps,
			uplinks[i].width,
			uplinks[i].bandwidth_mbps,
		};
		struct rule_figure figure = rule_uplink(&uplink, uplinks[i].arch);

		ck_assert_msg(figure.mbps == uplinks[i].mbps && figure.assumed == uplinks[i].assumed,
			      "%zu: %lld%s, not %lld", i, (long long)figure.mbps, figure.assumed ? " assumed" : "",
			      (long long)uplinks[i].mbps);
		ck_assert_msg(rule_uplink_is_impossible(&uplink) == uplinks[i].impossible, "%zu: impossible", i);
	}
}
END_TEST

static const struct {
	const char *vendor;
	int64_t model;
	int64_t mbps;
	bool assumed;
} cpus[] = {
	{ "AuthenticAMD", 1, 16000, false },   { "AuthenticAMD", -1, 16000, false },
	{ "GenuineIntel", 143, 22000, false }, { "GenuineIntel", 207, 22000, false },
	{ "GenuineIntel", 142, 10000, false }, { "GenuineIntel", 85, 10000, false },
	{ "GenuineIntel", -1, 16000, true },   { "POWER9", -1, 32000, false },
	{ "CentaurHauls", 1, 16000, true },    { NULL, -1, 16000, true },
};

START_TEST(cpu_links)
{
	for (size_t i = 0; i < sizeof(cpus) / sizeof(cpus[0]); i++) {
		struct rule_figure figure = rule_cpu_link(cpus[i].vendor, cpus[i].model);

		ck_assert_msg(figure.mbps == cpus[i].mbps && figure.assumed == cpus[i].assumed, "%s %lld: %lld%s",
			      cpus[i].vendor ?: "-", (long long)cpus[i].model, (long long)figure.mbps,
			      figure.assumed ? " assumed" : "");
	}
}
END_TEST

static const struct {
	int64_t bandwidth_mbps, count, n_records;
	int64_t mbps;
	bool assumed;
} records[] = {
	/* gfx90a, XGMI: 36000 each. */
	{ 50000, 0, 0, 50000, false },	    { 10000000, 1, 1, 10000000, false }, { 10000001, 2, 1, 72000, true },
	{ 0, 2, 1, 72000, true },	    { -1, 3, 1, 108000, false },	 { -1, 0, 1, 36000, true },
	{ -1, 255, 1, 255 * 36000, false }, { -1, 256, 1, 36000, true },	 { -1, 300, 2, 300 * 36000, false },
};

START_TEST(link_records)
{
	/* The record's figure, else count times the default; what is absent or cannot be is a guess. */
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		struct rule_figure figure = rule_record(TOPOLOGY_LINK_XGMI, "gfx90a", records[i].bandwidth_mbps,
							records[i].count, records[i].n_records);

		ck_assert_msg(figure.mbps == records[i].mbps && figure.assumed == records[i].assumed, "%zu: %lld%s", i,
			      (long long)figure.mbps, figure.assumed ? " assumed" : "");
	}
}
END_TEST

/* ---- machines: devices a and b, and what is between them ---- */

#define DEVICE(name, rest) "{\"name\":\"" name "\",\"state\":\"online\",\"regions\":[]" rest "}"
#define LINK(from, to, rest) \
	"{\"accessor\":\"" from "\",\"owner\":\"" to "\",\"link_type\":\"xgmi\",\"up\":true" rest "}"
#define BANDWIDTH(read, write) ",\"read_bandwidth_mbps\":" read ",\"write_bandwidth_mbps\":" write
#define AT(device, node, rest) "{\"device\":\"" device "\",\"node\":\"" node "\",\"link_type\":\"nvlink\"" rest "}"
#define SWITCH(name) "{\"name\":\"" name "\",\"kind\":\"switch\"}"
#define BRIDGE(name, rest) "{\"name\":\"" name "\",\"kind\":\"bridge\"" rest "}"
#define CPU(name, rest) "{\"name\":\"" name "\",\"kind\":\"cpu\"" rest "}"
#define BELOW(name) ",\"parent\":\"" name "\""
#define PCI(speed, width) ",\"pci_speed_mtps\":" speed ",\"pci_width\":" width
#define SPEED(speed, width) ",\"speed_mtps\":" speed ",\"width\":" width
#define AMD ",\"vendor\":\"AuthenticAMD\",\"model\":1"
#define OLD_INTEL ",\"vendor\":\"GenuineIntel\",\"model\":85"
#define GFX90A ",\"arch\":\"gfx90a\""
#define SM90 ",\"arch\":\"sm90\""
#define C2C ",\"cpu_link_type\":\"nvlink\",\"cpu_link_bandwidth_mbps\":450000"

static const struct {
	const char *clause;
	const char *devices, *nodes, *links, *attachments;
	int64_t mbps;
	bool linked, assumed;
	enum topology_pair_kind kind;
	const char *warning; /* or NULL */
} machines[] = {
	{ "1: the lesser of both directions", DEVICE("a", "") "," DEVICE("b", ""), "",
	  LINK("a", "b", BANDWIDTH("50000", "48000")) "," LINK("b", "a", BANDWIDTH("47000", "49000")), "", 47000, true,
	  false, TOPOLOGY_PAIR_DIRECT, "asymmetric link: a -> b 48000 MB/s, back 47000 MB/s" },
	{ "1: count x default, of the accessor's generation", DEVICE("a", GFX90A) "," DEVICE("b", GFX90A), "",
	  LINK("a", "b", ",\"count\":4") "," LINK("b", "a", ",\"count\":4"), "", 144000, true, false,
	  TOPOLOGY_PAIR_DIRECT, NULL },
	{ "1: count absent is 1, a guess", DEVICE("a", GFX90A) "," DEVICE("b", GFX90A), "",
	  LINK("a", "b", "") "," LINK("b", "a", ",\"count\":1"), "", 36000, true, true, TOPOLOGY_PAIR_DIRECT, NULL },
	{ "1: a guess is one even if the other direction is less", DEVICE("a", GFX90A) "," DEVICE("b", GFX90A), "",
	  LINK("a", "b", "") "," LINK("b", "a", BANDWIDTH("9", "9")), "", 9, true, true, TOPOLOGY_PAIR_DIRECT,
	  "asymmetric link: a -> b 36000 MB/s, back 9 MB/s" },
	{ "1: impossible count", DEVICE("a", GFX90A) "," DEVICE("b", GFX90A), "",
	  LINK("a", "b", ",\"count\":256") "," LINK("b", "a", ",\"count\":256"), "", 36000, true, true,
	  TOPOLOGY_PAIR_DIRECT, "impossible link: a -> b: count 256" },
	{ "1: goes before switches", DEVICE("a", SM90) "," DEVICE("b", SM90), SWITCH("s"),
	  LINK("a", "b", BANDWIDTH("5", "5")) "," LINK("b", "a", BANDWIDTH("5", "5")),
	  AT("a", "s", ",\"count\":18") "," AT("b", "s", ",\"count\":18"), 5, true, false, TOPOLOGY_PAIR_DIRECT, NULL },
	{ "one-sided: the next case, here PCI",
	  DEVICE("a", GFX90A PCI("8000", "8")) "," DEVICE("b", GFX90A PCI("8000", "16")), "",
	  LINK("a", "b", ",\"count\":4"), "", 6000, false, false, TOPOLOGY_PAIR_PCI,
	  "one-sided link: a -> b is up, b -> a is not" },
	{ "one-sided: the next case, here a switch", DEVICE("a", SM90) "," DEVICE("b", SM90), SWITCH("s"),
	  LINK("b", "a", ",\"count\":4"), AT("a", "s", ",\"count\":1") "," AT("b", "s", ",\"count\":1"), 20600, true,
	  false, TOPOLOGY_PAIR_SWITCH, "one-sided link: b -> a is up" },
	{ "2: sum over switches of the lesser", DEVICE("a", SM90) "," DEVICE("b", SM90), SWITCH("s") "," SWITCH("t"),
	  "",
	  AT("a", "s", ",\"count\":5") "," AT("b", "s", ",\"count\":4") "," AT("a", "t", ",\"count\":2") "," AT(
		  "b", "t", ",\"count\":3"),
	  6 * 20600, true, false, TOPOLOGY_PAIR_SWITCH, NULL },
	{ "2: each direction by itself", DEVICE("a", SM90) "," DEVICE("b", SM90), SWITCH("s"), "",
	  AT("a", "s", ",\"to_bandwidth_mbps\":100,\"from_bandwidth_mbps\":70") "," AT(
		  "b", "s", ",\"to_bandwidth_mbps\":90,\"from_bandwidth_mbps\":80"),
	  70, true, false, TOPOLOGY_PAIR_SWITCH, NULL },
	{ "2: count absent is a guess", DEVICE("a", SM90) "," DEVICE("b", SM90), SWITCH("s"), "",
	  AT("a", "s", "") "," AT("b", "s", ",\"count\":4"), 20600, true, true, TOPOLOGY_PAIR_SWITCH, NULL },
	{ "3: on switches but no common one: a guess",
	  DEVICE("a", SM90 PCI("32000", "16")) "," DEVICE("b", SM90 PCI("32000", "16")), SWITCH("s") "," SWITCH("t"),
	  "", AT("a", "s", ",\"count\":9") "," AT("b", "t", ",\"count\":9"), 48000, false, true, TOPOLOGY_PAIR_PCI,
	  NULL },
	{ "3: the least of the links, the common bridge's own not on the path",
	  DEVICE("a", PCI("16000", "16") BELOW("d")) "," DEVICE("b", PCI("16000", "16") BELOW("e")),
	  BRIDGE("d", SPEED("16000", "8") BELOW("u")) "," BRIDGE("e", SPEED("8000", "8") BELOW("u")) "," BRIDGE(
		  "u", SPEED("2500", "4")),
	  "", "", 6000, false, false, TOPOLOGY_PAIR_PCI, NULL },
	{ "3: through the root, the top bridges' links are on the path",
	  DEVICE("a", PCI("16000", "16") BELOW("d")) "," DEVICE("b", PCI("16000", "16") BELOW("e")),
	  BRIDGE("d", SPEED("8000", "4") BELOW("c")) "," BRIDGE("e", SPEED("16000", "16") BELOW("c")) "," CPU("c", AMD),
	  "", "", 3000, false, false, TOPOLOGY_PAIR_PCI, NULL },
	{ "3: a generation's own link", DEVICE("a", GFX90A PCI("32000", "16")) "," DEVICE("b", PCI("32000", "16")), "",
	  "", "", 24000, false, false, TOPOLOGY_PAIR_PCI, NULL },
	{ "3: speed unknown is a guess, even where another link is less",
	  DEVICE("a", PCI("null", "16")) "," DEVICE("b", PCI("8000", "4")), "", "", "", 3000, false, true,
	  TOPOLOGY_PAIR_PCI, NULL },
	{ "3: width 0", DEVICE("a", PCI("16000", "0")) "," DEVICE("b", PCI("16000", "16")), "", "", "", 12000, false,
	  true, TOPOLOGY_PAIR_PCI, NULL },
	{ "3: width 3", DEVICE("a", PCI("16000", "3")) "," DEVICE("b", PCI("16000", "16")), "", "", "", 24000, false,
	  true, TOPOLOGY_PAIR_PCI, "impossible PCI link: a: 16000 MT/s, 3 lanes" },
	{ "3: across sockets the CPU link",
	  DEVICE("a", PCI("16000", "16") BELOW("c")) "," DEVICE("b", PCI("16000", "16") BELOW("d")),
	  CPU("c", AMD) "," CPU("d", AMD), "", "", 16000, false, false, TOPOLOGY_PAIR_PCI, NULL },
	{ "3: the lesser of both ends' CPU links",
	  DEVICE("a", PCI("16000", "16") BELOW("c")) "," DEVICE("b", PCI("16000", "16") BELOW("d")),
	  CPU("c", AMD) "," CPU("d", OLD_INTEL), "", "", 10000, false, false, TOPOLOGY_PAIR_PCI, NULL },
	{ "3: a CPU of unknown maker is a guess, even where a PCI link is less",
	  DEVICE("a", PCI("8000", "4") BELOW("c")) "," DEVICE("b", PCI("16000", "16") BELOW("d")),
	  CPU("c", "") "," CPU("d", AMD), "", "", 3000, false, true, TOPOLOGY_PAIR_PCI, NULL },
	{ "3: two NUMA nodes of one package are one socket",
	  DEVICE("a", PCI("16000", "16") BELOW("c")) "," DEVICE("b", PCI("16000", "16") BELOW("d")),
	  CPU("c", ",\"numa_node\":0,\"socket\":0" OLD_INTEL) "," CPU("d", ",\"numa_node\":1,\"socket\":0" OLD_INTEL),
	  "", "", 24000, false, false, TOPOLOGY_PAIR_PCI, NULL },
	{ "3: without sockets NUMA nodes are sockets",
	  DEVICE("a", ",\"numa_node\":0" PCI("16000", "16")) "," DEVICE("b", ",\"numa_node\":1" PCI("16000", "16")),
	  CPU("c", ",\"numa_node\":0" OLD_INTEL) "," CPU("d", ",\"numa_node\":1" OLD_INTEL), "", "", 10000, false,
	  false, TOPOLOGY_PAIR_PCI, NULL },
	{ "3: a fabric link to the CPU instead of PCI",
	  DEVICE("a", SM90 C2C PCI("8000", "1") BELOW("c")) "," DEVICE("b", SM90 C2C PCI("8000", "1") BELOW("c")),
	  CPU("c", AMD), "", "", 450000, false, false, TOPOLOGY_PAIR_PCI, NULL },
	{ "3: such a link on one side only",
	  DEVICE("a", SM90 C2C BELOW("c")) "," DEVICE("b", SM90 PCI("32000", "16") BELOW("c")), CPU("c", AMD), "", "",
	  48000, false, false, TOPOLOGY_PAIR_PCI, NULL },
	{ "3: such a link, and the CPU link between sockets",
	  DEVICE("a", SM90 C2C BELOW("c")) "," DEVICE("b", SM90 C2C BELOW("d")), CPU("c", AMD) "," CPU("d", AMD), "",
	  "", 16000, false, false, TOPOLOGY_PAIR_PCI, NULL },
	{ "4: nothing is known", DEVICE("a", "") "," DEVICE("b", ""), "", "", "", 12000, false, true,
	  TOPOLOGY_PAIR_UNKNOWN, NULL },
	{ "4: not more than the CPU link", DEVICE("a", ",\"numa_node\":0") "," DEVICE("b", ",\"numa_node\":1"),
	  CPU("c", ",\"numa_node\":0" OLD_INTEL) "," CPU("d", ",\"numa_node\":1" OLD_INTEL), "", "", 10000, false, true,
	  TOPOLOGY_PAIR_UNKNOWN, NULL },
	{ "a figure for the pair instead of PCI links, the CPU link still applies",
	  DEVICE("a", PCI("8000", "4") BELOW("c")) "," DEVICE("b", PCI("8000", "4") BELOW("d")),
	  CPU("c", AMD) "," CPU("d", AMD),
	  "{\"accessor\":\"a\",\"owner\":\"b\",\"link_type\":\"pcie_host_bridge\",\"up\":true" BANDWIDTH(
		  "20000",
		  "20000") "},"
			   "{\"accessor\":\"b\",\"owner\":\"a\",\"link_type\":\"pcie_host_bridge\",\"up\":true" BANDWIDTH(
				   "21000", "21000") "}",
	  "", 16000, true, false, TOPOLOGY_PAIR_PCI, NULL },
	{ "a figure for one direction only, the path for the other",
	  DEVICE("a", PCI("8000", "4") BELOW("c")) "," DEVICE("b", PCI("8000", "4") BELOW("c")), CPU("c", AMD),
	  "{\"accessor\":\"a\",\"owner\":\"b\",\"link_type\":\"pcie_switch\",\"up\":true" BANDWIDTH(
		  "2000", "2000") "},"
				  "{\"accessor\":\"b\",\"owner\":\"a\",\"link_type\":\"pcie_switch\",\"up\":true}",
	  "", 2000, true, false, TOPOLOGY_PAIR_PCI, NULL },
	{ "damage: a bridge below itself",
	  DEVICE("a", PCI("8000", "16") BELOW("d")) "," DEVICE("b", PCI("8000", "16") BELOW("e")),
	  BRIDGE("d", SPEED("8000", "8") BELOW("e")) "," BRIDGE("e", SPEED("8000", "8") BELOW("d")), "", "", 6000,
	  false, false, TOPOLOGY_PAIR_PCI, "cyclic parents: " },
	{ "damage: no such bridge", DEVICE("a", PCI("8000", "16") BELOW("x")) "," DEVICE("b", PCI("8000", "16")), "",
	  "", "", 12000, false, false, TOPOLOGY_PAIR_PCI, "dangling parent: a: below x: no such node" },
	{ "damage: no such switch", DEVICE("a", PCI("8000", "16")) "," DEVICE("b", PCI("8000", "16")), BRIDGE("s", ""),
	  "", AT("a", "s", "") "," AT("b", "s", ""), 12000, false, false, TOPOLOGY_PAIR_PCI,
	  "dangling attachment: a at s: no such switch" },
	{ "damage: the same link twice", DEVICE("a", "") "," DEVICE("b", ""), "",
	  LINK("a", "b", BANDWIDTH("5", "5")) "," LINK("a", "b", BANDWIDTH("5", "5")) "," LINK("b", "a",
											       BANDWIDTH("5", "5")),
	  "", 5, true, false, TOPOLOGY_PAIR_DIRECT, "double link: a -> b" },
};

static struct topology *machine_load(size_t i)
{
	struct topology *topology = NULL;
	char *text, *error = NULL;
	int r;

	ck_assert_int_ge(
		asprintf(&text,
			 "{\"schema\":\"fabric.topology/1\",\"generation\":0,\"source\":\"partial\",\"groups\":[],"
			 "\"warnings\":[],\"devices\":[%s],\"nodes\":[%s],\"links\":[%s],\"attachments\":[%s]}",
			 machines[i].devices, machines[i].nodes, machines[i].links, machines[i].attachments),
		0);
	r = source_load_json(text, strlen(text), &topology, &error);
	ck_assert_msg(r == 0, "%s: %s", machines[i].clause, error ?: "");
	free(text);
	return topology;
}

START_TEST(clause)
{
	/* W of the machine, both ways round, and the same after it was written and read again. */
	const struct topology_pair expected = {
		.bandwidth_mbps = machines[_i].mbps,
		.linked = machines[_i].linked,
		.assumed = machines[_i].assumed,
		.kind = machines[_i].kind,
	};
	struct topology *topology = machine_load((size_t)_i), *again;
	struct json_object *object = topology_to_json(topology);

	ck_assert_uint_eq(topology->n_devices, 2);
	machine_check_pair(topology, machines[_i].clause, &expected);
	machine_check_warnings(topology, machines[_i].clause, machines[_i].warning);
	ck_assert_int_eq(topology_from_json(object, &again), 0);
	machine_check_pair(again, machines[_i].clause, &expected);
	json_object_put(object);
	topology_unref(again);
	topology_unref(topology);
}
END_TEST

START_TEST(missing_links_are_told)
{
	/* One of eight equal devices has fewer links than the other seven. */
	struct topology_builder *builder = machine_new();
	const struct topology_node node = { .name = (char *)"s", .kind = TOPOLOGY_NODE_SWITCH };
	struct topology *topology;

	ck_assert_int_eq(topology_builder_add_node(builder, &node), 0);
	for (int i = 0; i < 8; i++) {
		const struct topology_attachment at = { .type = TOPOLOGY_LINK_NVLINK, .count = 18 };
		char name[] = "gpu0";

		name[3] = (char)('0' + i);
		machine_add(builder, name, TOPOLOGY_STATE_ONLINE, 1);
		if (i != 5)
			ck_assert_int_eq(topology_builder_add_attachment(builder, name, "s", &at), 0);
	}
	topology = machine_finish(builder);
	ck_assert(machine_has_warning(topology, "missing links: gpu5 has 0, 7 of 8 like it have 18"));
	ck_assert_uint_eq(topology->n_warnings, 1);
	topology_unref(topology);
}
END_TEST

START_TEST(large_machines_are_linear)
{
	/* 10 080 devices in racks of 72 with 18 switches each: no more memory and time than records. */
	enum { RACKS = 140, DEVICES = 72, SWITCHES = 18 };
	struct topology_builder *builder = machine_new();
	const struct topology_node root = { .name = (char *)"spine", .kind = TOPOLOGY_NODE_BRIDGE };
	struct topology *topology;
	struct topology_pair pair;
	char rack[16], name[40];

	ck_assert_int_eq(topology_builder_add_node(builder, &root), 0);
	for (int i = 0; i < RACKS; i++) {
		const struct topology_node above = {
			.name = rack,
			.kind = TOPOLOGY_NODE_BRIDGE,
			.parent = (char *)"spine",
			.uplink = { -1, -1, 50000 },
		};

		snprintf(rack, sizeof(rack), "rack%d", i);
		ck_assert_int_eq(topology_builder_add_node(builder, &above), 0);
		for (int j = 0; j < SWITCHES; j++) {
			const struct topology_node node = { .name = name, .kind = TOPOLOGY_NODE_SWITCH };

			snprintf(name, sizeof(name), "%s/switch%d", rack, j);
			ck_assert_int_eq(topology_builder_add_node(builder, &node), 0);
		}
		for (int j = 0; j < DEVICES; j++) {
			const struct topology_attachment at = {
				.type = TOPOLOGY_LINK_NVLINK,
				.count = 1,
				.to_bandwidth_mbps = TOPOLOGY_UNKNOWN,
				.from_bandwidth_mbps = TOPOLOGY_UNKNOWN,
			};
			const struct topology_device device = {
				.name = name,
				.state = TOPOLOGY_STATE_ONLINE,
				.arch = (char *)"sm100",
				.parent = rack,
				.pci_link = { -1, -1, 25000 },
			};
			char node[40];

			snprintf(name, sizeof(name), "%s/gpu%d", rack, j);
			ck_assert_int_eq(topology_builder_add_device(builder, &device), 0);
			for (int k = 0; k < SWITCHES; k++) {
				snprintf(node, sizeof(node), "%s/switch%d", rack, k);
				ck_assert_int_eq(topology_builder_add_attachment(builder, name, node, &at), 0);
			}
		}
	}
	topology = machine_finish(builder);
	ck_assert_uint_eq(topology->n_devices, (size_t)RACKS * DEVICES);
	pair = topology_pair(topology, (size_t)topology_device_find(topology, "rack3/gpu0"),
			     (size_t)topology_device_find(topology, "rack3/gpu71"));
	ck_assert_int_eq(pair.bandwidth_mbps, SWITCHES * 40100);
	ck_assert(pair.linked && !pair.assumed);
	pair = topology_pair(topology, (size_t)topology_device_find(topology, "rack3/gpu0"),
			     (size_t)topology_device_find(topology, "rack139/gpu71"));
	ck_assert_int_eq(pair.bandwidth_mbps, 25000);
	ck_assert(!pair.linked && pair.assumed);
	topology_unref(topology);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("rule");

	tcase_add_test(tcase, class_defaults);
	tcase_add_test(tcase, pci_links);
	tcase_add_test(tcase, cpu_links);
	tcase_add_test(tcase, link_records);
	tcase_add_loop_test(tcase, clause, 0, (int)(sizeof(machines) / sizeof(machines[0])));
	tcase_add_test(tcase, missing_links_are_told);
	tcase_add_test(tcase, large_machines_are_linear);
	return machine_run_tcase("rule", tcase);
}

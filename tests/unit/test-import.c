// SPDX-License-Identifier: MIT
/*
 * XML of NCCL and hwloc: what the rule says of them, in machines of two devices (expected figures by hand), and damaged
 * and hostile documents.
 */
#include "import/import.h"
#include "machine.h"
#include "source/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define A "0000:03:00.0"
#define B "0000:26:00.0"
#define SYSTEM(inner) "<system version=\"2\">" inner "</system>"
#define CPU(numa, rest, inner) "<cpu numaid=\"" numa "\" " rest ">" inner "</cpu>"
#define AMD "arch=\"x86_64\" vendor=\"AuthenticAMD\" familyid=\"175\" modelid=\"1\""
#define INTEL(model) "arch=\"x86_64\" vendor=\"GenuineIntel\" familyid=\"6\" modelid=\"" model "\""
#define PCI(busid, class, link, inner) "<pci busid=\"" busid "\" class=\"" class "\" " link ">" inner "</pci>"
#define GEN4 "link_speed=\"16.0 GT/s PCIe\" link_width=\"16\""
#define GPU(arch, inner) "<gpu dev=\"0\" " arch ">" inner "</gpu>"
#define GCN "sm=\"104\" gcn=\"910\""
#define XGMI(target, rest) "<xgmi target=\"" target "\" tclass=\"0x038000\" " rest "/>"
#define NVLINK(target, rest) "<nvlink target=\"" target "\" " rest "/>"
#define ONE(busid, arch, inner) PCI(busid, "0x038000", GEN4, GPU(arch, inner))
/* Two GPUs at one CPU, with these links. */
#define TWO(arch, a, b) SYSTEM(CPU("0", AMD, ONE(A, arch, a) ONE(B, arch, b)))
#define SWITCH "tclass=\"0x068000\""

#define TOPOLOGY(inner, rest)                                                                        \
	"<?xml version=\"1.0\"?><!DOCTYPE topology SYSTEM \"hwloc2.dtd\"><topology version=\"3.0\">" \
	"<object type=\"Machine\" os_index=\"0\" gp_index=\"1\">" inner "</object>" rest "</topology>"
#define PACKAGE(gp, vendor, model, inner)                                                       \
	"<object type=\"Package\" gp_index=\"" gp "\"><info name=\"CPUVendor\" value=\"" vendor \
	"\"/><info name=\"CPUModelNumber\" value=\"" model "\"/>" inner "</object>"
#define DEVICE(gp, busid, type, speed)                                                         \
	"<object type=\"PCIDev\" gp_index=\"" gp "\" pci_busid=\"" busid "\" pci_type=\"" type \
	" [10de:1db8] [10de:131d] a1 00\" pci_link_speed=\"" speed "\"/>"
#define OS_DEVICE(gp, busid, type, name)                                                                 \
	"<object type=\"PCIDev\" gp_index=\"" gp "\" pci_busid=\"" busid "\" pci_type=\"" type           \
	" [8086:1db8] [0:0] a1 00\" pci_link_speed=\"15.753846\"><object type=\"OSDev\" gp_index=\"9" gp \
	"\" name=\"" name "\"/></object>"
#define MATRIX(name, n, indexes, values)                                                                  \
	"<distances2hetero nbobjs=\"" n "\" kind=\"25\" name=\"" name "\"><indexes length=\"1\">" indexes \
	"</indexes><u64values length=\"1\">" values "</u64values></distances2hetero>"
#define TWO_DEVICES(speed) \
	PACKAGE("2", "AuthenticAMD", "1", DEVICE("3", A, "0302", speed) DEVICE("4", B, "0302", speed))

static const struct {
	const char *clause, *xml;
	int64_t mbps;
	bool linked, assumed;
	enum topology_pair_kind kind;
	const char *warning;
} machines[] = {
	/* ---- NCCL ---- */
	{ "count x default", TWO(GCN, XGMI(B, "count=\"4\""), XGMI(A, "count=\"4\"")), 144000, true, false,
	  TOPOLOGY_PAIR_DIRECT, NULL },
	{ "rows of one target are summed",
	  TWO(GCN, XGMI(B, "count=\"1\"") XGMI(B, "count=\"2\""), XGMI(A, "count=\"3\"")), 108000, true, false,
	  TOPOLOGY_PAIR_DIRECT, NULL },
	{ "gcn goes before sm", TWO("sm=\"90\" gcn=\"gfx942\"", XGMI(B, "count=\"1\""), XGMI(A, "count=\"1\"")), 48000,
	  true, false, TOPOLOGY_PAIR_DIRECT, NULL },
	{ "gcn with features", TWO("gcn=\"gfx90a:sramecc+:xnack-\"", XGMI(B, "count=\"1\""), XGMI(A, "count=\"1\"")),
	  36000, true, false, TOPOLOGY_PAIR_DIRECT, NULL },
	{ "sm where there is no gcn",
	  TWO("sm=\"90\"", NVLINK(B, "count=\"18\" tclass=\"0x030200\""),
	      NVLINK(A, "count=\"18\" tclass=\"0x030200\"")),
	  18 * 20600, true, false, TOPOLOGY_PAIR_DIRECT, NULL },
	{ "count absent", TWO(GCN, XGMI(B, ""), XGMI(A, "")), 36000, true, true, TOPOLOGY_PAIR_DIRECT, NULL },
	{ "count 0", TWO(GCN, XGMI(B, "count=\"0\""), XGMI(A, "count=\"1\"")), 36000, true, true, TOPOLOGY_PAIR_DIRECT,
	  "impossible link: " A ": <xgmi count=\"0\">" },
	{ "count negative", TWO(GCN, XGMI(B, "count=\"-3\""), XGMI(A, "count=\"1\"")), 36000, true, true,
	  TOPOLOGY_PAIR_DIRECT, "impossible link: " },
	{ "generation unknown", TWO("rank=\"1\"", XGMI(B, "count=\"2\""), XGMI(A, "count=\"2\"")), 72000, true, true,
	  TOPOLOGY_PAIR_DIRECT, NULL },
	{ "one way only", TWO(GCN, XGMI(B, "count=\"4\""), ""), 24000, false, false, TOPOLOGY_PAIR_PCI,
	  "one-sided link: " A " -> " B },
	{ "the device itself as target", TWO(GCN, XGMI(A, "count=\"4\""), ""), 24000, false, false, TOPOLOGY_PAIR_PCI,
	  "dangling target: " A " -> " A ": the device itself: left out" },
	{ "no such target", TWO(GCN, XGMI("0000:99:00.0", "count=\"4\""), ""), 24000, false, false, TOPOLOGY_PAIR_PCI,
	  "dangling target: " A " -> 0000:99:00.0: no such device: left out" },
	{ "switches, by class",
	  TWO("sm=\"90\"", NVLINK("0000:a1:00.0", "count=\"5\" " SWITCH) NVLINK("0000:a2:00.0", "count=\"4\" " SWITCH),
	      NVLINK("0000:a1:00.0", "count=\"4\" " SWITCH) NVLINK("0000:a2:00.0", "count=\"4\" " SWITCH)),
	  8 * 20600, true, false, TOPOLOGY_PAIR_SWITCH, NULL },
	{ "the invisible switch is one",
	  TWO("sm=\"90\"", NVLINK("fffffff:ff:ff.0", "count=\"18\" " SWITCH),
	      NVLINK("fffffff:ff:ff.0", "count=\"18\"")),
	  18 * 20600, true, false, TOPOLOGY_PAIR_SWITCH, NULL },
	{ "C2C instead of PCI",
	  TWO("sm=\"90\"", "<c2c bw=\"22500\" count=\"20\"/>", "<c2c bw=\"22500\" count=\"20\"/>"), 450000, false,
	  false, TOPOLOGY_PAIR_PCI, NULL },
	{ "C2C without count", TWO("sm=\"90\"", "<c2c bw=\"22500\"/>", "<c2c bw=\"22500\" count=\"20\"/>"), 22500,
	  false, true, TOPOLOGY_PAIR_PCI, NULL },
	{ "C2C without bw", TWO("sm=\"90\"", "<c2c count=\"20\"/>", "<c2c bw=\"22500\" count=\"20\"/>"), 24000, false,
	  false, TOPOLOGY_PAIR_PCI, "impossible link: " A ": <c2c> without bw: left out" },
	{ "NVLink to a POWER CPU, and the CPU link",
	  SYSTEM(CPU("0", "arch=\"ppc64\"",
		     ONE(A, "sm=\"70\"", NVLINK("0000:00:00.0", "count=\"3\" tclass=\"0x068001\"")))
			 CPU("8", "arch=\"ppc64\"",
			     ONE(B, "sm=\"70\"", NVLINK("0000:00:00.0", "count=\"3\" tclass=\"0x068001\"")))),
	  32000, false, false, TOPOLOGY_PAIR_PCI, NULL },
	{ "the common bridge's own link is not on the path",
	  SYSTEM(CPU("0", AMD,
		     PCI("0000:01:00.0", "0x060400", "link_speed=\"2.5 GT/s\" link_width=\"4\"",
			 PCI("0000:02:00.0", "0x060400", "link_speed=\"16 GT/s\" link_width=\"8\"", ONE(A, GCN, ""))
				 ONE(B, GCN, "")))),
	  12000, false, false, TOPOLOGY_PAIR_PCI, NULL },
	{ "another socket: Intel from model 143",
	  SYSTEM(CPU("0", INTEL("143"), ONE(A, GCN, "")) CPU("1", INTEL("143"), ONE(B, GCN, ""))), 22000, false, false,
	  TOPOLOGY_PAIR_PCI, NULL },
	{ "another socket: model unknown",
	  SYSTEM(CPU("0", "vendor=\"GenuineIntel\"", ONE(A, GCN, "")) CPU("1", INTEL("85"), ONE(B, GCN, ""))), 10000,
	  false, true, TOPOLOGY_PAIR_PCI, NULL },
	{ "speed empty",
	  SYSTEM(CPU("0", AMD, PCI(A, "0x038000", "link_speed=\"\" link_width=\"8\"", GPU(GCN, "")) ONE(B, GCN, ""))),
	  6000, false, true, TOPOLOGY_PAIR_PCI, NULL },
	{ "width 0",
	  SYSTEM(CPU("0", AMD,
		     PCI(A, "0x038000", "link_speed=\"16 GT/s\" link_width=\"0\"", GPU(GCN, "")) ONE(B, GCN, ""))),
	  12000, false, true, TOPOLOGY_PAIR_PCI, NULL },
	{ "width 3",
	  SYSTEM(CPU("0", AMD,
		     PCI(A, "0x038000", "link_speed=\"16 GT/s\" link_width=\"3\"", GPU(GCN, "")) ONE(B, GCN, ""))),
	  24000, false, true, TOPOLOGY_PAIR_PCI, "impossible PCI link: " A ": 16000 MT/s, 3 lanes" },
	{ "2.5 GT/s x1",
	  SYSTEM(CPU("0", AMD,
		     PCI(A, "0x038000", "link_speed=\"2.5 GT/s PCIe\" link_width=\"1\"", GPU(GCN, "")) ONE(B, GCN, ""))),
	  12000, false, true, TOPOLOGY_PAIR_PCI, NULL },
	{ "NUMA node -1", SYSTEM(CPU("-1", AMD, ONE(A, GCN, "") ONE(B, GCN, ""))), 24000, false, false,
	  TOPOLOGY_PAIR_PCI, "no NUMA node: cpu0: numaid is \"-1\"" },
	{ "no <gpu> anywhere: by class, but no display",
	  SYSTEM(CPU("0", AMD,
		     PCI(A, "0x030200", GEN4, "") PCI(B, "0x120000", GEN4, "")
			     PCI("0000:50:00.0", "0x030000", GEN4, ""))),
	  24000, false, false, TOPOLOGY_PAIR_PCI, NULL },
	{ "the same address twice", SYSTEM(CPU("0", AMD, ONE(A, GCN, "") ONE(B, GCN, "") ONE(A, GCN, ""))), 24000,
	  false, false, TOPOLOGY_PAIR_PCI, "duplicate id: " A },
	{ "no address", SYSTEM(CPU("0", AMD, ONE(A, GCN, "") ONE(B, GCN, "") ONE("elsewhere", GCN, ""))), 24000, false,
	  false, TOPOLOGY_PAIR_PCI, "unreadable device: <pci busid=\"elsewhere\">" },
	/* ---- hwloc ---- */
	{ "the matrix's figure; 0 is no link, the diagonal nothing",
	  TOPOLOGY(TWO_DEVICES("15.753846"),
		   MATRIX("NVLinkBandwidth", "2", "PCIDev:3 PCIDev:4", "1000000 25000 24000 0")),
	  24000, true, false, TOPOLOGY_PAIR_DIRECT, "asymmetric link: " },
	{ "one way only",
	  TOPOLOGY(TWO_DEVICES("15.753846"), MATRIX("XGMIBandwidth", "2", "PCIDev:3 PCIDev:4", "0 25000 0 0")), 12000,
	  false, false, TOPOLOGY_PAIR_PCI, "one-sided link: " A " -> " B },
	{ "objects stand for the PCI function above them",
	  TOPOLOGY(PACKAGE("2", "AuthenticAMD", "1",
			   OS_DEVICE("3", A, "0302", "cuda0") OS_DEVICE("4", B, "0300", "ze1")),
		   MATRIX("XeLinkBandwidth", "2", "OSDev:93 OSDev:94", "0 9000 9000 0")),
	  9000, true, false, TOPOLOGY_PAIR_DIRECT, NULL },
	{ "a switch: the sum over switches",
	  TOPOLOGY(PACKAGE("2", "AuthenticAMD", "1",
			   DEVICE("3", A, "0302", "15.75") DEVICE("4", B, "0302", "15.75")
				   DEVICE("5", "0000:61:00.0", "0680", "1") DEVICE("6", "0000:62:00.0", "0680", "1")),
		   MATRIX("NVLinkBandwidth", "4", "PCIDev:3 PCIDev:4 PCIDev:5 PCIDev:6",
			  "0 0 25000 25000 0 0 20000 25000 25000 25000 0 0 25000 25000 0 0")),
	  45000, true, false, TOPOLOGY_PAIR_SWITCH, NULL },
	{ "none above: a CPU",
	  TOPOLOGY(TWO_DEVICES("15.75"),
		   MATRIX("NVLinkBandwidth", "3", "PCIDev:3 PCIDev:4 Package:2", "0 0 40000 0 0 50000 40000 50000 0")),
	  40000, false, false, TOPOLOGY_PAIR_PCI, NULL },
	{ "GB/s coded 8b/10b", TOPOLOGY(TWO_DEVICES("8"), ""), 6000, false, false, TOPOLOGY_PAIR_PCI, NULL },
	{ "GB/s coded 128b/130b", TOPOLOGY(TWO_DEVICES("31.507692"), ""), 24000, false, false, TOPOLOGY_PAIR_PCI,
	  NULL },
	{ "0.25 GB/s is unknown", TOPOLOGY(TWO_DEVICES("0.25"), ""), 12000, false, true, TOPOLOGY_PAIR_PCI, NULL },
	{ "0 GB/s is unknown", TOPOLOGY(TWO_DEVICES("0.000000"), ""), 12000, false, true, TOPOLOGY_PAIR_PCI, NULL },
	{ "another package",
	  TOPOLOGY(PACKAGE("2", "GenuineIntel", "85", DEVICE("3", A, "0302", "31.507692"))
			   PACKAGE("5", "GenuineIntel", "143", DEVICE("4", B, "0302", "31.507692")),
		   ""),
	  10000, false, false, TOPOLOGY_PAIR_PCI, NULL },
	{ "an object that is not there",
	  TOPOLOGY(TWO_DEVICES("15.75"), MATRIX("NVLinkBandwidth", "2", "PCIDev:3 PCIDev:77", "0 5 5 0")), 11813, false,
	  false, TOPOLOGY_PAIR_PCI, "dangling target: NVLinkBandwidth: object 1" },
	{ "a matrix that is too short",
	  TOPOLOGY(TWO_DEVICES("15.75"), MATRIX("NVLinkBandwidth", "2", "PCIDev:3 PCIDev:4", "0 5 5")), 11813, false,
	  false, TOPOLOGY_PAIR_PCI, "unreadable matrix: NVLinkBandwidth: not as many" },
};

static int load(const char *xml, size_t length, struct topology **ret, char **ret_error)
{
	char *json = NULL;
	int r;

	r = import_xml(xml, length, &json, ret_error);
	if (r < 0)
		return r;
	r = source_load_json(json, strlen(json), ret, ret_error);
	free(json);
	return r;
}

START_TEST(clause)
{
	const struct topology_pair expected = {
		.bandwidth_mbps = machines[_i].mbps,
		.linked = machines[_i].linked,
		.assumed = machines[_i].assumed,
		.kind = machines[_i].kind,
	};
	struct topology *topology;
	char *error = NULL;
	int r;

	r = load(machines[_i].xml, strlen(machines[_i].xml), &topology, &error);
	ck_assert_msg(r == 0, "%s: %s", machines[_i].clause, error ?: "");
	ck_assert_msg(topology->n_devices == 2, "%s: %zu devices", machines[_i].clause, topology->n_devices);
	machine_check_pair(topology, machines[_i].clause, &expected);
	machine_check_warnings(topology, machines[_i].clause, machines[_i].warning);
	topology_unref(topology);
}
END_TEST

START_TEST(memories_of_hwloc)
{
	/* Figures by target and CPUs; CPUs have the name of the NUMA node that is theirs. */
	static const char xml[] = TOPOLOGY(
		"<object type=\"NUMANode\" gp_index=\"5\" os_index=\"0\" cpuset=\"0x3\" subtype=\"DRAM\" local_memory=\"4096\"/>"
		"<object type=\"NUMANode\" gp_index=\"6\" os_index=\"4\" cpuset=\"0x3\" subtype=\"HBM\" local_memory=\"8192\"/>",
		"<memattr name=\"Bandwidth\"><memattr_value target_obj_type=\"NUMANode\" target_obj_gp_index=\"6\" value=\"90000\" "
		"initiator_cpuset=\"0x3\"/><memattr_value target_obj_gp_index=\"99\" value=\"1\" initiator_cpuset=\"0x3\"/></memattr>"
		"<memattr name=\"WriteBandwidth\"><memattr_value target_obj_gp_index=\"6\" value=\"80000\" initiator_cpuset=\"0x3\"/>"
		"</memattr><memattr name=\"Latency\"><memattr_value target_obj_gp_index=\"6\" value=\"0\" initiator_cpuset=\"0x3\"/>"
		"</memattr>");
	struct topology *topology;
	char *error = NULL;

	ck_assert_int_eq(load(xml, sizeof(xml) - 1, &topology, &error), 0);
	ck_assert_uint_eq(topology->n_memories, 2);
	ck_assert_int_eq(topology->memories[1].kind, TOPOLOGY_MEMORY_HBM);
	ck_assert_int_eq(topology->memories[1].size_bytes, 8192);
	ck_assert_uint_eq(topology->n_accesses, 1);
	ck_assert_str_eq(topology->accesses[0].initiator, "node0");
	ck_assert_int_eq(topology->accesses[0].read_bandwidth_mbps, 90000);
	ck_assert_int_eq(topology->accesses[0].write_bandwidth_mbps, 80000);
	ck_assert_int_eq(topology->accesses[0].read_latency_ns, TOPOLOGY_UNKNOWN);
	machine_check_warnings(topology, "memories", "unreadable access: memattr_value: target 99");
	topology_unref(topology);
}
END_TEST

static const struct {
	const char *what, *xml;
	int r;
	const char *error;
} damages[] = {
	{ "nothing", "", -EBADMSG, "XML: no element found, in line 1" },
	{ "cut off", "<system version=\"2\"><cpu numaid=\"0\">", -EBADMSG, "XML: no element found, in line 1" },
	{ "crossed", "<system><cpu></system></cpu>", -EBADMSG, "XML: mismatched tag" },
	{ "not UTF-8", "<system>\xff\xfe</system>", -EBADMSG, "XML: not well-formed" },
	{ "not UTF-8, though it says what it is",
	  "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><system>\xe4</system>", -EBADMSG, "XML: not well-formed" },
	{ "an attribute twice", "<system version=\"1\" version=\"2\"/>", -EBADMSG, "XML: duplicate attribute" },
	{ "declarations", "<!DOCTYPE system [<!ENTITY a \"b\">]><system>&a;</system>", -EBADMSG,
	  "XML: a document type with declarations is refused" },
	{ "an entity from outside", "<!DOCTYPE system SYSTEM \"file:///etc/passwd\"><system>&a;</system>", -EBADMSG,
	  "XML: entities are refused" },
	{ "another kind", "<graphs version=\"1\"/>", -EPROTONOSUPPORT, "XML: a <graphs>, neither NCCL's" },
	{ "a newer hwloc", "<topology version=\"4.0\"/>", -EPROTONOSUPPORT, "hwloc: version 4.0" },
	{ "several hosts (NCCL)",
	  SYSTEM(CPU("0", "host_hash=\"0x1\"", ONE(A, GCN, "")) CPU("0", "host_hash=\"0x2\"", ONE(A, GCN, ""))),
	  -ENOTSUP, "NCCL: several hosts in one file" },
	{ "several hosts (hwloc)",
	  "<topology version=\"2.0\"><object type=\"System\"><object type=\"Machine\"/><object type=\"Machine\"/></object>"
	  "</topology>",
	  -ENOTSUP, "hwloc: several machines in one file" },
};

START_TEST(damage_is_named)
{
	struct topology *topology;
	char *error = NULL;
	int r;

	r = load(damages[_i].xml, strlen(damages[_i].xml), &topology, &error);
	ck_assert_msg(r == damages[_i].r, "%s: %d: %s", damages[_i].what, r, error ?: "");
	ck_assert_msg(error && !strncmp(error, damages[_i].error, strlen(damages[_i].error)), "%s: %s",
		      damages[_i].what, error ?: "");
	free(error);
}
END_TEST

START_TEST(too_deep_and_too_long)
{
	size_t n = (size_t)IMPORT_MAX_BYTES + 1;
	char *xml = malloc(n), *error = NULL, *json = NULL;

	ck_assert_ptr_nonnull(xml);
	memset(xml, ' ', n);
	ck_assert_int_eq(import_xml(xml, n, &json, &error), -E2BIG);
	ck_assert_str_eq(error, "XML: longer than 64 MiB");
	free(error);
	for (size_t i = 0; i < 3000; i += 3)
		memcpy(xml + i, "<a>", 3);
	ck_assert_int_eq(import_xml(xml, 3000, &json, &error), -E2BIG);
	ck_assert_str_eq(error, "XML: elements too deep, in line 1");
	free(error);
	free(xml);
}
END_TEST

START_TEST(every_cut_is_an_error)
{
	/* A document cut off anywhere is never half a topology. */
	static const char xml[] = TWO(GCN, XGMI(B, "count=\"4\""), XGMI(A, "count=\"4\""));

	for (size_t i = 0; i + 1 < sizeof(xml); i++) {
		char *json = NULL, *error = NULL;

		ck_assert_int_eq(import_xml(xml, i, &json, &error), -EBADMSG);
		ck_assert_ptr_nonnull(error);
		free(error);
	}
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("import");

	tcase_add_loop_test(tcase, clause, 0, (int)(sizeof(machines) / sizeof(machines[0])));
	tcase_add_test(tcase, memories_of_hwloc);
	tcase_add_loop_test(tcase, damage_is_named, 0, (int)(sizeof(damages) / sizeof(damages[0])));
	tcase_add_test(tcase, too_deep_and_too_long);
	tcase_add_test(tcase, every_cut_is_an_error);
	return machine_run_tcase("import", tcase);
}

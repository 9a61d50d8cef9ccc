// SPDX-License-Identifier: MIT
/*
 * NCCL's and RCCL's topology (src/graph/xml.h there): CPUs with trees of PCI functions below, GPUs and network cards
 * within those. Counts of links have no bandwidth: that is the model's to derive from the generation.
 *
 * Warnings begin with "dangling target", "impossible link", "impossible PCI link", "duplicate id", "no NUMA node".
 */
#include "import/busid.h"
#include "import/formats.h"

#include "base/base.h"

#include <json-c/json.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
	FUNCTIONS_MAX = 65536,
	CPUS_MAX = 4096,
	RECORDS_MAX = 4096, /* of one GPU */
	CPU_NAME_SIZE = 32,
	ARCH_SIZE = 16,
	/* Classes of targets, without the last byte. */
	CLASS_BRIDGE_OTHER = 0x0680,
	BRIDGE_OTHER_SWITCH = 0x00,
	BRIDGE_OTHER_CPU = 0x01,
	COUNT_MAX = 255,
	WIDTH_MAX = 1 << 20,
};

/* Where a switch is that nobody sees. */
#define INVISIBLE_SWITCH "fffffff:ff:ff.0"

struct function {
	char busid[BUSID_SIZE];
	const struct xml_element *element, *gpu;
	size_t parent; /* index, or (size_t)-1 */
	char cpu[CPU_NAME_SIZE];
	int64_t numa_node;
	bool is_device, has_functions, is_out;
};

/* Records to one target together. */
struct target {
	char name[BUSID_SIZE];
	const char *type;
	enum { TO_DEVICE, TO_SWITCH, TO_CPU } kind;
	int64_t count, n_records;
	bool is_assumed;
};

struct nccl {
	struct emit *emit;
	struct function *functions;
	size_t n_functions, functions_size;
	struct function **devices; /* by address */
	size_t n_devices;
	const char *host_hash;
	bool has_gpus;
	size_t n_cpus;
	int r;
	char **ret_error;
};

static bool is(const struct xml_element *element, const char *name)
{
	return !strcmp(element->name, name);
}

/* "0x060400" without its last byte, or -1. */
static long class_of(const struct xml_element *element, const char *attribute, unsigned int *ret_last)
{
	const char *text = xml_attribute(element, attribute);
	char *end;
	unsigned long value;

	*ret_last = 0;
	if (!text || !*text)
		return -1;
	value = strtoul(text, &end, 16);
	if (*end || value > 0xffffff)
		return -1;
	*ret_last = (unsigned int)(value & 0xff);
	return (long)(value >> 8);
}

static bool is_gpu_class(const struct xml_element *element)
{
	unsigned int last;
	long class = class_of(element, "class", &last);

	return class == 0x0302 || class == 0x0380 || class == 0x1200;
}

/* ---- functions ---- */

static const struct xml_element *child_named(const struct xml_element *element, const char *name)
{
	for (const struct xml_element *child = element->first_child; child; child = child->next)
		if (is(child, name))
			return child;
	return NULL;
}

static int function_add(struct nccl *nccl, const struct xml_element *element, const struct function *function)
{
	if (nccl->n_functions >= FUNCTIONS_MAX)
		return xml_fail(-E2BIG, nccl->ret_error, "NCCL: more than %d PCI functions", FUNCTIONS_MAX);
	if (nccl->n_functions == nccl->functions_size) {
		size_t size = nccl->functions_size ? nccl->functions_size * 2 : 64;
		struct function *grown = reallocarray(nccl->functions, size, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		nccl->functions = grown;
		nccl->functions_size = size;
	}
	nccl->functions[nccl->n_functions] = *function;
	nccl->functions[nccl->n_functions].element = element;
	nccl->functions[nccl->n_functions].gpu = child_named(element, "gpu");
	nccl->has_gpus |= nccl->functions[nccl->n_functions].gpu != NULL;
	nccl->n_functions++;
	return 0;
}

/* What is below a CPU or a function. */
static int read_functions(struct nccl *nccl, const struct xml_element *above, const struct function *like)
{
	int r = 0;

	for (const struct xml_element *child = above->first_child; r == 0 && child; child = child->next) {
		struct function function = *like;
		const char *busid;

		if (!is(child, "pci"))
			continue;
		busid = xml_attribute(child, "busid");
		if (!busid || busid_parse(busid, function.busid) < 0) {
			emit_warn(nccl->emit,
				  "unreadable device: <pci busid=\"%.32s\">: not an address: left out, with all below",
				  busid ?: "");
			continue;
		}
		r = function_add(nccl, child, &function);
		function.parent = nccl->n_functions - 1;
		if (r == 0)
			r = read_functions(nccl, child, &function);
	}
	return r;
}

/* ---- CPUs ---- */

static const char *cpu_vendor(const struct xml_element *element)
{
	const char *arch = xml_attribute(element, "arch"), *vendor = xml_attribute(element, "vendor");

	if (arch && !strncmp(arch, "ppc64", 5))
		return "POWER9";
	if (!vendor || !*vendor)
		return NULL;
	for (const char *p = vendor; *p; p++)
		if (*p <= ' ' || *p > '~')
			return NULL;
	return vendor;
}

static int read_cpu(struct nccl *nccl, const struct xml_element *element)
{
	const char *host_hash = xml_attribute(element, "host_hash");
	struct function like = { .parent = (size_t)-1 };
	struct json_object *node;
	int64_t model;

	if (host_hash && nccl->host_hash && strcmp(host_hash, nccl->host_hash))
		return xml_fail(
			-ENOTSUP, nccl->ret_error,
			"NCCL: several hosts in one file (host_hash %.32s and %.32s): not in this version of the rule",
			nccl->host_hash, host_hash);
	nccl->host_hash = nccl->host_hash ?: host_hash;
	if (xml_number(element, "numaid", EMIT_UNKNOWN, &like.numa_node) < 0 || like.numa_node < 0 ||
	    like.numa_node > INT32_MAX)
		like.numa_node = EMIT_UNKNOWN;
	if (like.numa_node >= 0)
		(void)snprintf(like.cpu, sizeof(like.cpu), "node%" PRId64, like.numa_node);
	else
		(void)snprintf(like.cpu, sizeof(like.cpu), "cpu%zu", nccl->n_cpus);
	if (like.numa_node < 0)
		emit_warn(nccl->emit, "no NUMA node: %s: numaid is \"%.16s\"", like.cpu,
			  xml_attribute(element, "numaid") ?: "");
	if (++nccl->n_cpus > CPUS_MAX)
		return xml_fail(-E2BIG, nccl->ret_error, "NCCL: more than %d CPUs", CPUS_MAX);
	for (const struct xml_element *before = element->parent->first_child; before != element;
	     before = before->next) {
		int64_t other;

		/* A CPU may be there several times: it is one. */
		if (is(before, "cpu") && like.numa_node >= 0 &&
		    xml_number(before, "numaid", EMIT_UNKNOWN, &other) == 0 && other == like.numa_node)
			return read_functions(nccl, element, &like);
	}
	node = emit_node(nccl->emit, like.cpu, "cpu", NULL);
	emit_number(nccl->emit, node, "numa_node", like.numa_node);
	emit_text(nccl->emit, node, "vendor", cpu_vendor(element));
	(void)xml_number(element, "modelid", EMIT_UNKNOWN, &model);
	emit_number(nccl->emit, node, "model", model);
	return read_functions(nccl, element, &like);
}

/* ---- what functions become ---- */

/* The leading number of "16.0 GT/s PCIe", in MT/s; unknown for other texts. */
static int64_t speed_of(const struct xml_element *element)
{
	const char *text = xml_attribute(element, "link_speed");
	char *end;
	double speed;

	if (!text)
		return EMIT_UNKNOWN;
	speed = strtod(text, &end);
	return end != text && speed > 0 && speed < 100000 ? (int64_t)(speed * 1000 + 0.5) : EMIT_UNKNOWN;
}

static struct emit_uplink uplink_of(struct nccl *nccl, const struct function *function)
{
	struct emit_uplink uplink = {
		.speed_mtps = speed_of(function->element),
		.width = EMIT_UNKNOWN,
		.bandwidth_mbps = EMIT_UNKNOWN,
	};
	const char *width = xml_attribute(function->element, "link_width");

	if (width && *width &&
	    (xml_number(function->element, "link_width", EMIT_UNKNOWN, &uplink.width) < 0 || uplink.width < 0 ||
	     uplink.width > WIDTH_MAX)) {
		emit_warn(nccl->emit, "impossible PCI link: %s: link_width is \"%.16s\"", function->busid, width);
		uplink.width = EMIT_UNKNOWN;
	}
	return uplink;
}

/* "gfx90a", of "910", "gfx90a:sramecc+" and the like; or "sm90". */
static bool arch_of(const struct xml_element *gpu, char ret[ARCH_SIZE])
{
	const char *gcn = xml_attribute(gpu, "gcn");
	int64_t sm;
	size_t n;

	if (gcn && *gcn) {
		if (!strncmp(gcn, "gfx", 3))
			gcn += 3;
		n = strcspn(gcn, ":");
		if (n == 0 || n > 8 || strspn(gcn, "0123456789abcdef") < n)
			return false;
		if (n == 3 && !strncmp(gcn, "910", 3))
			gcn = "90a";
		(void)snprintf(ret, ARCH_SIZE, "gfx%.*s", (int)n, gcn);
		return true;
	}
	if (xml_number(gpu, "sm", EMIT_UNKNOWN, &sm) < 0 || sm <= 0 || sm > 9999)
		return false;
	(void)snprintf(ret, ARCH_SIZE, "sm%" PRId64, sm);
	return true;
}

/* The nearest function above that is no device, and is kept. */
static const char *parent_of(const struct nccl *nccl, const struct function *function)
{
	size_t at = function->parent;

	while (at != (size_t)-1 && (nccl->functions[at].is_device || nccl->functions[at].is_out))
		at = nccl->functions[at].parent;
	return at == (size_t)-1 ? function->cpu : nccl->functions[at].busid;
}

/* ---- links ---- */

static int address_compare(const void *busid, const void *function)
{
	return strcmp(busid, (*(const struct function *const *)function)->busid);
}

static bool is_device(const struct nccl *nccl, const char *busid)
{
	return bsearch(busid, nccl->devices, nccl->n_devices, sizeof(*nccl->devices), address_compare) != NULL;
}

/* 1: it counts, 0: it is dropped. */
static int target_of(struct nccl *nccl, const struct function *from, const struct xml_element *element,
		     struct target *ret)
{
	const char *text = xml_attribute(element, "target");
	unsigned int last;
	long class = class_of(element, "tclass", &last);
	const char *why = NULL;

	if (!text || busid_parse(text, ret->name) < 0)
		why = "not an address";
	else if (!strcmp(ret->name, INVISIBLE_SWITCH))
		ret->kind = TO_SWITCH;
	else if (class == CLASS_BRIDGE_OTHER && last == BRIDGE_OTHER_SWITCH)
		ret->kind = TO_SWITCH;
	else if (class == CLASS_BRIDGE_OTHER && last == BRIDGE_OTHER_CPU)
		ret->kind = TO_CPU;
	else if (!strcmp(ret->name, from->busid))
		why = "the device itself";
	else if (!is_device(nccl, ret->name))
		why = "no such device";
	else
		ret->kind = TO_DEVICE;
	if (!why)
		return 1;
	emit_warn(nccl->emit, "dangling target: %s -> %.32s: %s: left out", from->busid, text ?: "", why);
	return 0;
}

/* How many links a record is; a guess where that is absent or cannot be. */
static int64_t count_of(struct nccl *nccl, const struct function *from, const struct xml_element *element,
			bool *is_assumed)
{
	const char *text = xml_attribute(element, "count");
	int64_t count;

	if (text && xml_number(element, "count", 1, &count) == 0 && count >= 1 && count <= COUNT_MAX)
		return count;
	*is_assumed = true;
	if (text)
		emit_warn(nccl->emit, "impossible link: %s: <%s count=\"%.16s\">: taken as 1", from->busid,
			  element->name, text);
	return 1;
}

static struct target *target_find(struct target *targets, size_t *n, const struct target *like)
{
	for (size_t i = 0; i < *n; i++)
		if (!strcmp(targets[i].name, like->name) && targets[i].kind == like->kind &&
		    !strcmp(targets[i].type, like->type))
			return &targets[i];
	targets[*n] = *like;
	return &targets[(*n)++];
}

static void emit_target(struct nccl *nccl, const struct function *from, const struct target *target)
{
	struct json_object *object;

	if (target->kind == TO_CPU)
		return;
	if (target->kind == TO_SWITCH && !emit_recall(nccl->emit, target->name))
		emit_remember(nccl->emit, target->name, emit_node(nccl->emit, target->name, "switch", NULL));
	object = target->kind == TO_SWITCH ? emit_attachment(nccl->emit, from->busid, target->name, target->type) :
					     emit_link(nccl->emit, from->busid, target->name, target->type);
	emit_number(nccl->emit, object, "count", target->count);
	if (target->n_records > 1)
		emit_number(nccl->emit, object, "n_records", target->n_records);
	if (target->is_assumed)
		emit_text(nccl->emit, object, "confidence", "assumed");
}

/* C2C, or NVLink to a POWER CPU. */
static void emit_cpu_link(struct nccl *nccl, const struct function *from, struct json_object *device,
			  const struct target *targets, size_t n_targets)
{
	int64_t bandwidth_mbps = 0, count = 0;
	bool is_assumed = false;

	for (const struct xml_element *child = from->gpu->first_child; child; child = child->next) {
		int64_t bw, links;

		if (!is(child, "c2c"))
			continue;
		if (!xml_attribute(child, "bw")) {
			emit_warn(nccl->emit, "impossible link: %s: <c2c> without bw: left out", from->busid);
			continue;
		}
		links = count_of(nccl, from, child, &is_assumed);
		if (xml_number(child, "bw", 0, &bw) < 0 || bw <= 0 || bw > 10000000) {
			emit_warn(nccl->emit, "impossible link: %s: <c2c bw=\"%.16s\">", from->busid,
				  xml_attribute(child, "bw"));
			is_assumed = true;
			count += links;
			continue;
		}
		bandwidth_mbps += bw * links;
	}
	for (size_t i = 0; i < n_targets && bandwidth_mbps == 0; i++) {
		if (targets[i].kind != TO_CPU)
			continue;
		count += targets[i].count;
		is_assumed |= targets[i].is_assumed;
	}
	if (bandwidth_mbps == 0 && count == 0)
		return;
	emit_text(nccl->emit, device, "cpu_link_type", "nvlink");
	if (bandwidth_mbps > 0)
		emit_number(nccl->emit, device, "cpu_link_bandwidth_mbps", bandwidth_mbps);
	else
		emit_number(nccl->emit, device, "cpu_link_count", count);
	emit_fact(nccl->emit, device, "cpu_link", is_assumed ? "assumed" : bandwidth_mbps > 0 ? "reported" : "derived");
}

static int read_links(struct nccl *nccl, const struct function *from, struct json_object *device)
{
	_cleanup_(freep) struct target *targets = NULL;
	size_t n = 0, n_targets = 0;

	for (const struct xml_element *child = from->gpu->first_child; child; child = child->next)
		n++;
	if (n > RECORDS_MAX)
		return xml_fail(-E2BIG, nccl->ret_error, "NCCL: %s: more than %d links", from->busid, RECORDS_MAX);
	targets = calloc(n ? n : 1, sizeof(*targets));
	if (!targets)
		return -ENOMEM;
	for (const struct xml_element *child = from->gpu->first_child; child; child = child->next) {
		struct target like = { .type = is(child, "xgmi") ? "xgmi" : "nvlink" }, *target;

		if (!is(child, "xgmi") && !is(child, "nvlink"))
			continue;
		if (target_of(nccl, from, child, &like) == 0)
			continue;
		target = target_find(targets, &n_targets, &like);
		target->count += count_of(nccl, from, child, &target->is_assumed);
		target->n_records++;
	}
	for (size_t i = 0; i < n_targets; i++)
		emit_target(nccl, from, &targets[i]);
	emit_cpu_link(nccl, from, device, targets, n_targets);
	return 0;
}

/* ---- */

static int emit_gpu(struct nccl *nccl, const struct function *function)
{
	struct json_object *device = emit_device(nccl->emit, function->busid);
	const struct emit_uplink uplink = uplink_of(nccl, function);
	char arch[ARCH_SIZE];

	emit_number(nccl->emit, device, "numa_node", function->numa_node);
	emit_text(nccl->emit, device, "pci_class", xml_attribute(function->element, "class"));
	if (function->gpu && arch_of(function->gpu, arch)) {
		emit_text(nccl->emit, device, "arch", arch);
		emit_fact(nccl->emit, device, "arch", "reported");
	}
	emit_text(nccl->emit, device, "parent", parent_of(nccl, function));
	emit_fact(nccl->emit, device, "parent", "reported");
	emit_text(nccl->emit, device, "cpu", function->cpu);
	emit_fact(nccl->emit, device, "cpu", "reported");
	if (function->numa_node >= 0)
		emit_fact(nccl->emit, device, "numa_node", "reported");
	emit_device_uplink(nccl->emit, device, &uplink);
	return function->gpu ? read_links(nccl, function, device) : 0;
}

/* Mbit/s of all ports, in MB/s. */
static int64_t ports_of(const struct xml_element *nic)
{
	int64_t sum = 0, speed;

	for (const struct xml_element *child = nic->first_child; child; child = child->next)
		if (is(child, "net") && xml_number(child, "speed", 0, &speed) == 0 && speed > 0 && speed < INT32_MAX)
			sum += speed;
	return sum > 0 ? sum / 8 : EMIT_UNKNOWN;
}

static void emit_bridge(struct nccl *nccl, const struct function *function)
{
	const struct xml_element *nic = child_named(function->element, "nic");
	const struct emit_uplink uplink = uplink_of(nccl, function);
	struct json_object *node;

	/* Functions that are neither, of which there are many, matter to nobody. */
	if (!nic && !function->has_functions)
		return;
	node = emit_node(nccl->emit, function->busid, function->has_functions ? "bridge" : "nic",
			 parent_of(nccl, function));
	emit_number(nccl->emit, node, "numa_node", function->numa_node);
	emit_node_uplink(nccl->emit, node, &uplink);
	if (nic)
		emit_number(nccl->emit, node, "port_mbps", ports_of(nic));
}

static int busid_compare(const void *a, const void *b)
{
	const struct function *const *a_function = a, *const *b_function = b;
	int r = strcmp((*a_function)->busid, (*b_function)->busid);

	/* Devices first, so that of two they stay; then in the order of the file. */
	if (r != 0)
		return r;
	if ((*a_function)->is_device != (*b_function)->is_device)
		return (*a_function)->is_device ? -1 : 1;
	return *a_function < *b_function ? -1 : *a_function > *b_function;
}

/* Of functions with the same address one stays. */
static int sort_functions(struct nccl *nccl)
{
	_cleanup_(freep) struct function **sorted = calloc(nccl->n_functions + 1, sizeof(*sorted));

	nccl->devices = calloc(nccl->n_functions + 1, sizeof(*nccl->devices));
	if (!sorted || !nccl->devices)
		return -ENOMEM;
	for (size_t i = 0; i < nccl->n_functions; i++)
		sorted[i] = &nccl->functions[i];
	qsort(sorted, nccl->n_functions, sizeof(*sorted), busid_compare);
	for (size_t i = 0; i < nccl->n_functions; i++) {
		if (i > 0 && !strcmp(sorted[i]->busid, sorted[i - 1]->busid)) {
			sorted[i]->is_out = true;
			emit_warn(nccl->emit, "duplicate id: %s: all but one left out", sorted[i]->busid);
		} else if (sorted[i]->is_device) {
			nccl->devices[nccl->n_devices++] = sorted[i];
		}
	}
	return 0;
}

static int read_all(struct nccl *nccl, const struct xml_element *root)
{
	int r = 0;

	for (const struct xml_element *child = root->first_child; r == 0 && child; child = child->next)
		if (is(child, "cpu"))
			r = read_cpu(nccl, child);
	if (r < 0)
		return r;
	for (size_t i = 0; i < nccl->n_functions; i++) {
		struct function *function = &nccl->functions[i];

		function->is_device = function->gpu || (!nccl->has_gpus && is_gpu_class(function->element));
		if (function->parent != (size_t)-1)
			nccl->functions[function->parent].has_functions = true;
	}
	r = sort_functions(nccl);
	for (size_t i = 0; r == 0 && i < nccl->n_functions; i++) {
		if (nccl->functions[i].is_out)
			continue;
		if (nccl->functions[i].is_device)
			r = emit_gpu(nccl, &nccl->functions[i]);
		else
			emit_bridge(nccl, &nccl->functions[i]);
	}
	return r;
}

int nccl_read(const struct xml_element *root, struct emit *emit, char **ret_error)
{
	struct nccl nccl = { .emit = emit, .ret_error = ret_error };
	int r;

	r = read_all(&nccl, root);
	free(nccl.functions);
	free(nccl.devices);
	return r;
}

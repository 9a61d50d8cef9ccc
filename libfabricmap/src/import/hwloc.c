// SPDX-License-Identifier: MIT
/*
 * hwloc's topology (version 2 and 3 of its XML; hwloc/topology-xml.c there). libhwloc itself is not used: its releases
 * of version 2 refuse files of version 3, and what is wanted of them is little.
 *
 * Of objects: packages, PCI, NUMA nodes. Of matrices: the bandwidths of vendors' fabrics, in MB/s; objects there stand
 * for the PCI function above them, or for a CPU. Of memory attributes: bandwidth (MB/s) and latency (ns).
 *
 * Warnings begin with "one-sided link", "dangling target", "duplicate id", "unreadable matrix", "unreadable access".
 */
#include "import/busid.h"
#include "import/formats.h"

#include "base/base.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
	OBJECTS_MAX = 1 << 20,
	MATRIX_OBJECTS_MAX = 1024,
	VALUES_MAX = 1 << 16, /* of memory attributes */
	NAME_SIZE = 256,
	VERSION_MAX = 3,
};

struct object {
	uint64_t gp_index;
	const struct xml_element *element;
};

struct hwloc {
	struct emit *emit;
	struct object *objects; /* by gp_index; those that have one */
	size_t n_objects, objects_size;
	size_t n_machines, n_packages, n_values;
	char **ret_error;
};

/* Where in the tree an object is. */
struct context {
	char cpu[NAME_SIZE], parent[NAME_SIZE]; /* "" is none */
	int64_t numa_node;
};

static bool is_type(const struct xml_element *element, const char *type)
{
	const char *is = xml_attribute(element, "type");

	return !strcmp(element->name, "object") && is && !strcmp(is, type);
}

static bool is_package(const struct xml_element *element)
{
	return is_type(element, "Package") || is_type(element, "Socket");
}

/* The value of <info name="...">, or NULL. */
static const char *info_of(const struct xml_element *element, const char *name)
{
	for (const struct xml_element *child = element->first_child; child; child = child->next) {
		const char *is = strcmp(child->name, "info") ? NULL : xml_attribute(child, "name");

		if (is && !strcmp(is, name))
			return xml_attribute(child, "value");
	}
	return NULL;
}

static int number_parse(const char *text, uint64_t *ret)
{
	char *end;

	if (!text || *text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return *end || errno ? -EINVAL : 0;
}

/* ---- objects ---- */

/* GB/s after coding, of all lanes, in MB/s. */
static struct emit_uplink uplink_of(const struct xml_element *element)
{
	const double CODED_8_10 = 750, CODED_128_130 = 761.71875;
	struct emit_uplink uplink = { EMIT_UNKNOWN, EMIT_UNKNOWN, EMIT_UNKNOWN };
	const char *text = xml_attribute(element, "pci_link_speed");
	double speed = text ? strtod(text, NULL) : 0;
	double quarters = speed * 4;

	/* 0.25 is one lane of the first generation: what virtual machines and sleeping links say. */
	if (!(speed > 0) || speed > 10000 || speed == 0.25)
		return uplink;
	if (quarters == (double)(int64_t)quarters)
		uplink.bandwidth_mbps = (int64_t)(CODED_8_10 * speed + 0.5);
	else
		uplink.bandwidth_mbps = (int64_t)(CODED_128_130 * speed + 0.5);
	return uplink;
}

static bool has_gpu_os_device(const struct xml_element *element)
{
	static const char *const names[] = { "nvml", "cuda", "rsmi", "ze" };

	for (const struct xml_element *child = element->first_child; child; child = child->next) {
		const char *name = is_type(child, "OSDev") ? xml_attribute(child, "name") : NULL;

		for (size_t i = 0; name && i < sizeof(names) / sizeof(names[0]); i++) {
			size_t length = strlen(names[i]);

			if (!strncmp(name, names[i], length) && name[length] >= '0' && name[length] <= '9')
				return true;
		}
	}
	return false;
}

static bool is_gpu(const struct xml_element *element)
{
	const char *subtype = xml_attribute(element, "subtype"), *type = xml_attribute(element, "pci_type");

	if (subtype && !strcmp(subtype, "NVSwitch"))
		return false;
	return has_gpu_os_device(element) ||
	       (type && (!strncmp(type, "0302", 4) || !strncmp(type, "0380", 4) || !strncmp(type, "1200", 4)));
}

static int busid_of(const struct xml_element *element, char ret[BUSID_SIZE])
{
	const char *text = xml_attribute(element, "pci_busid");

	return text ? busid_parse(text, ret) : -EINVAL;
}

static void emit_gpu(struct hwloc *hwloc, const struct xml_element *element, const char *busid,
		     const struct context *context)
{
	const struct emit_uplink uplink = uplink_of(element);
	struct json_object *device;

	if (emit_recall(hwloc->emit, busid)) {
		emit_warn(hwloc->emit, "duplicate id: %s: all but one left out", busid);
		return;
	}
	device = emit_device(hwloc->emit, busid);
	emit_remember(hwloc->emit, busid, device);
	emit_number(hwloc->emit, device, "numa_node", context->numa_node);
	if (context->numa_node >= 0)
		emit_fact(hwloc->emit, device, "numa_node", "reported");
	if (context->parent[0]) {
		emit_text(hwloc->emit, device, "parent", context->parent);
		emit_fact(hwloc->emit, device, "parent", "reported");
	}
	if (context->cpu[0]) {
		emit_text(hwloc->emit, device, "cpu", context->cpu);
		emit_fact(hwloc->emit, device, "cpu", "reported");
	}
	emit_device_uplink(hwloc->emit, device, &uplink);
}

static void emit_bridge(struct hwloc *hwloc, const struct xml_element *element, struct context *context)
{
	const struct emit_uplink uplink = uplink_of(element);
	char busid[BUSID_SIZE];
	struct json_object *node;

	/* A host bridge has no address. */
	if (busid_of(element, busid) < 0)
		return;
	if (emit_recall(hwloc->emit, busid)) {
		emit_warn(hwloc->emit, "duplicate id: %s: all but one left out", busid);
		return;
	}
	node = emit_node(hwloc->emit, busid, "bridge",
			 context->parent[0] ? context->parent :
			 context->cpu[0]    ? context->cpu :
					      NULL);
	emit_remember(hwloc->emit, busid, node);
	emit_node_uplink(hwloc->emit, node, &uplink);
	(void)snprintf(context->parent, sizeof(context->parent), "%s", busid);
}

static void emit_package(struct hwloc *hwloc, const struct xml_element *element, struct context *context)
{
	const char *vendor = info_of(element, "CPUVendor"), *model = info_of(element, "CPUModel");
	uint64_t number = hwloc->n_packages++, model_number;
	struct json_object *node;

	(void)snprintf(context->cpu, sizeof(context->cpu), "package%" PRIu64, number);
	node = emit_node(hwloc->emit, context->cpu, "cpu", NULL);
	emit_number(hwloc->emit, node, "socket", (int64_t)number);
	if (model && !strncmp(model, "POWER9", 6))
		vendor = "POWER9";
	if (vendor && *vendor && !strpbrk(vendor, " \t\r\n"))
		emit_text(hwloc->emit, node, "vendor", vendor);
	if (number_parse(info_of(element, "CPUModelNumber"), &model_number) == 0 && model_number <= INT32_MAX)
		emit_number(hwloc->emit, node, "model", (int64_t)model_number);
}

static bool is_cpuset(const char *text)
{
	return *text && strlen(text) < NAME_SIZE / 2 && !text[strspn(text, "0123456789abcdefx,")];
}

static bool numa_name(const struct xml_element *element, char ret[NAME_SIZE], uint64_t *ret_number)
{
	if (number_parse(xml_attribute(element, "os_index"), ret_number) < 0 || *ret_number > INT32_MAX)
		return false;
	(void)snprintf(ret, NAME_SIZE, "node%" PRIu64, *ret_number);
	return true;
}

/* CPUs have the name of the NUMA node with the lowest number that is theirs. */
static void remember_cpus(struct hwloc *hwloc, const char *cpuset, struct json_object *memory, int64_t number)
{
	struct json_object *other, *other_number;
	char key[NAME_SIZE + 8];

	if (!cpuset || !is_cpuset(cpuset) || !memory)
		return;
	(void)snprintf(key, sizeof(key), "cpuset %s", cpuset);
	other = emit_recall(hwloc->emit, key);
	if (!other || !json_object_object_get_ex(other, "numa_node", &other_number) ||
	    json_object_get_int64(other_number) > number)
		emit_remember(hwloc->emit, key, memory);
}

static void emit_numa_node(struct hwloc *hwloc, const struct xml_element *element)
{
	static const struct {
		const char *subtype, *kind;
	} kinds[] = {
		{ "DRAM", "dram" }, { "HBM", "hbm" }, { "MCDRAM", "hbm" }, { "NVM", "nvm" }, { "CXL-DRAM", "cxl" },
	};
	const char *subtype = xml_attribute(element, "subtype");
	struct json_object *memory;
	char name[NAME_SIZE], key[NAME_SIZE + 8];
	uint64_t number, bytes;

	if (!numa_name(element, name, &number)) {
		emit_warn(hwloc->emit, "unreadable memory: a NUMANode without os_index: left out");
		return;
	}
	(void)snprintf(key, sizeof(key), "memory %s", name);
	if (emit_recall(hwloc->emit, key)) {
		emit_warn(hwloc->emit, "duplicate id: %s: all but one left out", name);
		return;
	}
	memory = emit_memory(hwloc->emit, name);
	emit_remember(hwloc->emit, key, memory);
	for (size_t i = 0; subtype && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].subtype, subtype))
			emit_text(hwloc->emit, memory, "kind", kinds[i].kind);
	emit_number(hwloc->emit, memory, "numa_node", (int64_t)number);
	remember_cpus(hwloc, xml_attribute(element, "cpuset"), memory, (int64_t)number);
	if (number_parse(xml_attribute(element, "local_memory"), &bytes) == 0 && bytes > 0 && bytes <= INT64_MAX)
		emit_number(hwloc->emit, memory, "size_bytes", (int64_t)bytes);
}

/* The number of the NUMA node of an object that has one of its own. */
static int64_t only_numa_node(const struct xml_element *element, int64_t otherwise)
{
	char name[NAME_SIZE];
	uint64_t number;
	size_t n = 0;

	for (const struct xml_element *child = element->first_child; child; child = child->next)
		if (is_type(child, "NUMANode") && numa_name(child, name, &number)) {
			n++;
			if (n == 1)
				otherwise = (int64_t)number;
		}
	return n > 1 ? EMIT_UNKNOWN : otherwise;
}

static int object_add(struct hwloc *hwloc, const struct xml_element *element)
{
	struct object object = { .element = element };

	if (number_parse(xml_attribute(element, "gp_index"), &object.gp_index) < 0)
		return 0;
	if (hwloc->n_objects >= OBJECTS_MAX)
		return xml_fail(-E2BIG, hwloc->ret_error, "hwloc: more than %d objects", OBJECTS_MAX);
	if (hwloc->n_objects == hwloc->objects_size) {
		size_t size = hwloc->objects_size ? hwloc->objects_size * 2 : 256;
		struct object *grown = reallocarray(hwloc->objects, size, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		hwloc->objects = grown;
		hwloc->objects_size = size;
	}
	hwloc->objects[hwloc->n_objects++] = object;
	return 0;
}

static int read_objects(struct hwloc *hwloc, const struct xml_element *above, struct context context)
{
	int r = 0;

	for (const struct xml_element *child = above->first_child; r == 0 && child; child = child->next) {
		struct context below = context;
		char busid[BUSID_SIZE];

		if (strcmp(child->name, "object"))
			continue;
		r = object_add(hwloc, child);
		if (r < 0)
			break;
		below.numa_node = only_numa_node(child, context.numa_node);
		if (is_type(child, "Machine") && ++hwloc->n_machines > 1)
			return xml_fail(-ENOTSUP, hwloc->ret_error,
					"hwloc: several machines in one file: not in this version of the rule");
		if (is_package(child))
			emit_package(hwloc, child, &below);
		else if (is_type(child, "NUMANode"))
			emit_numa_node(hwloc, child);
		else if (is_type(child, "Bridge"))
			emit_bridge(hwloc, child, &below);
		else if (is_type(child, "PCIDev") && is_gpu(child) && busid_of(child, busid) == 0)
			emit_gpu(hwloc, child, busid, &context);
		r = read_objects(hwloc, child, below);
	}
	return r;
}

static int object_compare(const void *a, const void *b)
{
	const struct object *a_object = a, *b_object = b;

	return a_object->gp_index < b_object->gp_index ? -1 : a_object->gp_index > b_object->gp_index;
}

static const struct xml_element *object_find(const struct hwloc *hwloc, uint64_t gp_index)
{
	const struct object key = { .gp_index = gp_index };
	const struct object *found;

	/* bsearch() wants an array even of none. */
	if (hwloc->n_objects == 0)
		return NULL;
	found = bsearch(&key, hwloc->objects, hwloc->n_objects, sizeof(*hwloc->objects), object_compare);
	return found ? found->element : NULL;
}

/* ---- matrices ---- */

struct end {
	enum { END_NONE, END_DEVICE, END_SWITCH, END_CPU } kind;
	char busid[BUSID_SIZE];
};

static struct end end_of(const struct hwloc *hwloc, const struct xml_element *element)
{
	struct end end = { .kind = END_NONE };

	for (const struct xml_element *at = element; at; at = at->parent) {
		if (is_type(at, "PCIDev") && busid_of(at, end.busid) == 0) {
			end.kind = is_gpu(at) && emit_recall(hwloc->emit, end.busid) ? END_DEVICE : END_SWITCH;
			return end;
		}
		if (is_package(at))
			break;
	}
	if (element)
		end.kind = END_CPU;
	return end;
}

/* All text of the children of that name, one after the other; the caller frees it. */
static char *text_of(const struct xml_element *element, const char *name)
{
	_cleanup_(freep) char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return NULL;
	for (const struct xml_element *child = element->first_child; child; child = child->next)
		if (!strcmp(child->name, name) && child->text)
			fprintf(file, "%s ", child->text);
	if (fclose(file) != 0)
		return NULL;
	return steal_ptr(&text);
}

/* "OSDev:332", or "332" in matrices of objects of one type. */
static int read_ends(struct hwloc *hwloc, const struct xml_element *matrix, struct end *ends, size_t n)
{
	_cleanup_(freep) char *text = text_of(matrix, "indexes");
	char *state = NULL;
	size_t i = 0;

	if (!text)
		return -ENOMEM;
	for (char *word = strtok_r(text, " \t\r\n", &state); word; word = strtok_r(NULL, " \t\r\n", &state)) {
		const char *colon = strchr(word, ':');
		uint64_t gp_index;

		if (i >= n || number_parse(colon ? colon + 1 : word, &gp_index) < 0)
			return -EINVAL;
		ends[i++] = end_of(hwloc, object_find(hwloc, gp_index));
	}
	return i == n ? 0 : -EINVAL;
}

static int read_values(const struct xml_element *matrix, uint64_t *values, size_t n)
{
	_cleanup_(freep) char *text = text_of(matrix, "u64values");
	char *state = NULL;
	size_t i = 0;

	if (!text)
		return -ENOMEM;
	for (char *word = strtok_r(text, " \t\r\n", &state); word; word = strtok_r(NULL, " \t\r\n", &state)) {
		if (i >= n || number_parse(word, &values[i]) < 0)
			return -EINVAL;
		/* What is too much is too much either way. */
		if (values[i] > INT64_MAX)
			values[i] = INT64_MAX;
		i++;
	}
	return i == n ? 0 : -EINVAL;
}

/* True the first time. */
static bool is_first(struct hwloc *hwloc, const char *a, const char *b)
{
	char key[2 * BUSID_SIZE + 4];

	(void)snprintf(key, sizeof(key), "%s > %s", a, b);
	if (emit_recall(hwloc->emit, key))
		return false;
	emit_remember(hwloc->emit, key, hwloc->emit->links);
	return true;
}

/* There and back, of a device and something else. */
static void emit_end(struct hwloc *hwloc, const char *type, const struct end *device, const struct end *other,
		     uint64_t there, uint64_t back)
{
	struct json_object *object;

	if (other->kind == END_NONE || (there == 0 && back == 0))
		return;
	if (other->kind == END_DEVICE) {
		/* The other direction has its own turn. */
		if (there == 0 || !strcmp(device->busid, other->busid) || !is_first(hwloc, device->busid, other->busid))
			return;
		object = emit_link(hwloc->emit, device->busid, other->busid, type);
		emit_number(hwloc->emit, object, "read_bandwidth_mbps", (int64_t)there);
		emit_number(hwloc->emit, object, "write_bandwidth_mbps", (int64_t)there);
		return;
	}
	if (there == 0 || back == 0) {
		emit_warn(hwloc->emit, "one-sided link: %s and %s: left out", device->busid,
			  other->kind == END_CPU ? "a CPU" : other->busid);
		return;
	}
	if (other->kind == END_CPU) {
		object = emit_recall(hwloc->emit, device->busid);
		if (!is_first(hwloc, device->busid, "cpu"))
			return;
		emit_text(hwloc->emit, object, "cpu_link_type", type);
		emit_number(hwloc->emit, object, "cpu_link_bandwidth_mbps", (int64_t)(there < back ? there : back));
		emit_fact(hwloc->emit, object, "cpu_link", "reported");
		return;
	}
	if (!is_first(hwloc, device->busid, other->busid))
		return;
	if (!emit_recall(hwloc->emit, other->busid))
		emit_remember(hwloc->emit, other->busid, emit_node(hwloc->emit, other->busid, "switch", NULL));
	object = emit_attachment(hwloc->emit, device->busid, other->busid, type);
	emit_number(hwloc->emit, object, "to_bandwidth_mbps", (int64_t)there);
	emit_number(hwloc->emit, object, "from_bandwidth_mbps", (int64_t)back);
}

static int read_matrix(struct hwloc *hwloc, const struct xml_element *matrix, const char *type)
{
	_cleanup_(freep) struct end *ends = NULL;
	_cleanup_(freep) uint64_t *values = NULL;
	uint64_t n;
	int r;

	if (number_parse(xml_attribute(matrix, "nbobjs"), &n) < 0 || n == 0 || n > MATRIX_OBJECTS_MAX) {
		emit_warn(hwloc->emit, "unreadable matrix: %s: nbobjs: left out", xml_attribute(matrix, "name"));
		return 0;
	}
	ends = calloc(n, sizeof(*ends));
	values = calloc(n * n, sizeof(*values));
	if (!ends || !values)
		return -ENOMEM;
	r = read_ends(hwloc, matrix, ends, n);
	if (r == 0)
		r = read_values(matrix, values, n * n);
	if (r == -EINVAL) {
		emit_warn(hwloc->emit, "unreadable matrix: %s: not as many numbers as it says: left out",
			  xml_attribute(matrix, "name"));
		return 0;
	}
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (ends[i].kind == END_NONE)
			emit_warn(hwloc->emit, "dangling target: %s: object %zu: no such object",
				  xml_attribute(matrix, "name"), i);
		for (size_t j = 0; j < n; j++)
			if (i != j && ends[i].kind == END_DEVICE)
				emit_end(hwloc, type, &ends[i], &ends[j], values[i * n + j], values[j * n + i]);
	}
	return r;
}

static int read_matrices(struct hwloc *hwloc, const struct xml_element *root)
{
	static const struct {
		const char *name, *type;
	} kinds[] = {
		{ "NVLinkBandwidth", "nvlink" },
		{ "XGMIBandwidth", "xgmi" },
		{ "XeLinkBandwidth", "xe_link" },
	};
	int r = 0;

	for (const struct xml_element *child = root->first_child; r == 0 && child; child = child->next) {
		const char *name = strncmp(child->name, "distances2", 10) ? NULL : xml_attribute(child, "name");

		for (size_t i = 0; r == 0 && name && i < sizeof(kinds) / sizeof(kinds[0]); i++)
			if (!strcmp(kinds[i].name, name))
				r = read_matrix(hwloc, child, kinds[i].type);
	}
	return r;
}

/* ---- memory attributes ---- */

/* Whose CPUs these are: of the NUMA node with the lowest number, else of a package, else nobody's that has a name. */
static void initiator_of(struct hwloc *hwloc, const char *cpuset, char ret[NAME_SIZE])
{
	struct json_object *memory, *number = NULL, *node;
	char key[NAME_SIZE + 8];

	(void)snprintf(key, sizeof(key), "cpuset %s", cpuset);
	memory = emit_recall(hwloc->emit, key);
	if (memory && json_object_object_get_ex(memory, "numa_node", &number))
		(void)snprintf(ret, NAME_SIZE, "node%" PRId64, json_object_get_int64(number));
	else
		(void)snprintf(ret, NAME_SIZE, "cpus-%.200s", cpuset);
	if (emit_recall(hwloc->emit, ret))
		return;
	node = emit_node(hwloc->emit, ret, number ? "cpu" : "initiator", NULL);
	emit_remember(hwloc->emit, ret, node);
	if (number)
		emit_number(hwloc->emit, node, "numa_node", json_object_get_int64(number));
}

static void emit_value(struct hwloc *hwloc, const char *memory, const char *initiator, const char *keys[2],
		       uint64_t value)
{
	char key[2 * NAME_SIZE + 16];
	struct json_object *access;

	(void)snprintf(key, sizeof(key), "access %s %s", memory, initiator);
	access = emit_recall(hwloc->emit, key);
	if (!access) {
		access = emit_access(hwloc->emit, memory, initiator);
		emit_remember(hwloc->emit, key, access);
	}
	for (size_t i = 0; i < 2 && keys[i]; i++)
		if (value > 0 && value <= INT64_MAX)
			emit_number(hwloc->emit, access, keys[i], (int64_t)value);
}

static void read_value(struct hwloc *hwloc, const struct xml_element *element, const char *keys[2])
{
	const char *cpuset = xml_attribute(element, "initiator_cpuset");
	const struct xml_element *target = NULL;
	char memory[NAME_SIZE], initiator[NAME_SIZE];
	uint64_t gp_index, value, number;

	if (number_parse(xml_attribute(element, "target_obj_gp_index"), &gp_index) == 0)
		target = object_find(hwloc, gp_index);
	if (!target || !is_type(target, "NUMANode") || !numa_name(target, memory, &number)) {
		emit_warn(hwloc->emit, "unreadable access: memattr_value: target %.32s: no such NUMANode: left out",
			  xml_attribute(element, "target_obj_gp_index") ?: "");
		return;
	}
	if (number_parse(xml_attribute(element, "value"), &value) < 0 || !cpuset || !is_cpuset(cpuset)) {
		emit_warn(hwloc->emit, "unreadable access: memattr_value: of %s: value or initiator: left out", memory);
		return;
	}
	initiator_of(hwloc, cpuset, initiator);
	emit_value(hwloc, memory, initiator, keys, value);
}

static void read_attributes(struct hwloc *hwloc, const struct xml_element *root)
{
	static struct {
		const char *name, *keys[2];
	} kinds[] = {
		{ "Bandwidth", { "read_bandwidth_mbps", "write_bandwidth_mbps" } },
		{ "ReadBandwidth", { "read_bandwidth_mbps", NULL } },
		{ "WriteBandwidth", { "write_bandwidth_mbps", NULL } },
		{ "Latency", { "read_latency_ns", "write_latency_ns" } },
		{ "ReadLatency", { "read_latency_ns", NULL } },
		{ "WriteLatency", { "write_latency_ns", NULL } },
	};

	/* Those for one direction are better than those for both: they come after. */
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		for (const struct xml_element *child = root->first_child; child; child = child->next) {
			const char *name = strcmp(child->name, "memattr") ? NULL : xml_attribute(child, "name");

			if (!name || strcmp(name, kinds[i].name))
				continue;
			for (const struct xml_element *value = child->first_child; value; value = value->next)
				if (!strcmp(value->name, "memattr_value") && hwloc->n_values++ < VALUES_MAX)
					read_value(hwloc, value, kinds[i].keys);
		}
}

/* ---- */

static int read_all(struct hwloc *hwloc, const struct xml_element *root)
{
	const char *version = xml_attribute(root, "version");
	struct context context = { .numa_node = EMIT_UNKNOWN };
	int r;

	if (version && strtol(version, NULL, 10) > VERSION_MAX)
		return xml_fail(-EPROTONOSUPPORT, hwloc->ret_error, "hwloc: version %.16s, 3 is the last that is known",
				version);
	r = read_objects(hwloc, root, context);
	if (r < 0)
		return r;
	if (hwloc->n_objects > 0)
		qsort(hwloc->objects, hwloc->n_objects, sizeof(*hwloc->objects), object_compare);
	r = read_matrices(hwloc, root);
	if (r == 0)
		read_attributes(hwloc, root);
	return r;
}

int hwloc_read(const struct xml_element *root, struct emit *emit, char **ret_error)
{
	struct hwloc hwloc = { .emit = emit, .ret_error = ret_error };
	int r;

	r = read_all(&hwloc, root);
	free(hwloc.objects);
	return r;
}

// SPDX-License-Identifier: MIT
/*
 * Reading a topology from JSON of any origin: everything in it is checked. json.c writes it.
 */
#include "base/base.h"
#include "model/json-schema.h"
#include "model/model.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#define NEWER "none that this version knows"

/* What is read, and where it is not as it should be. */
struct reader {
	struct topology_builder *builder;
	const char *bad_key;
};

/*
 * Each getter gives -EBADMSG for a value that is absent or of another type, and remembers its key; strings are borrowed
 * from the object. A string with a NUL inside would be cut short, so it is refused.
 */
static int bad(struct reader *reader, const char *key)
{
	reader->bad_key = key;
	return -EBADMSG;
}

static int get(struct reader *reader, struct json_object *object, const char *key, enum json_type type,
	       struct json_object **ret)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, type))
		return bad(reader, key);
	*ret = value;
	return 0;
}

static int string_of(struct json_object *value, const char **ret)
{
	const char *text;

	if (!json_object_is_type(value, json_type_string))
		return -EBADMSG;
	text = json_object_get_string(value);
	if (strlen(text) != (size_t)json_object_get_string_len(value))
		return -EBADMSG;
	*ret = text;
	return 0;
}

static int get_string(struct reader *reader, struct json_object *object, const char *key, const char **ret)
{
	struct json_object *value;

	if (get(reader, object, key, json_type_string, &value) < 0 || string_of(value, ret) < 0)
		return bad(reader, key);
	return 0;
}

/* Names are compared, printed in columns and separated by blanks elsewhere. */
static int get_name(struct reader *reader, struct json_object *object, const char *key, const char **ret)
{
	const char *text;

	if (get_string(reader, object, key, &text) < 0 || !*text)
		return bad(reader, key);
	for (const char *p = text; *p; p++)
		if (*p <= ' ' || *p > '~')
			return bad(reader, key);
	*ret = text;
	return 0;
}

static int get_int(struct reader *reader, struct json_object *object, const char *key, int64_t *ret)
{
	struct json_object *value;

	if (get(reader, object, key, json_type_int, &value) < 0 || json_object_get_int64(value) < 0)
		return bad(reader, key);
	/* json-c keeps what is above INT64_MAX as unsigned, and cuts it here. Nothing we count is that large. */
	if (json_object_get_uint64(value) > INT64_MAX)
		return bad(reader, key);
	*ret = json_object_get_int64(value);
	return 0;
}

static bool is_null(struct json_object *object, const char *key)
{
	struct json_object *value;

	return !json_object_object_get_ex(object, key, &value) || !value;
}

static int get_nullable_string(struct reader *reader, struct json_object *object, const char *key, const char **ret)
{
	*ret = NULL;
	return is_null(object, key) ? 0 : get_string(reader, object, key, ret);
}

static int get_nullable_name(struct reader *reader, struct json_object *object, const char *key, const char **ret)
{
	*ret = NULL;
	return is_null(object, key) ? 0 : get_name(reader, object, key, ret);
}

static int get_nullable_int(struct reader *reader, struct json_object *object, const char *key, int64_t *ret)
{
	*ret = TOPOLOGY_UNKNOWN;
	return is_null(object, key) ? 0 : get_int(reader, object, key, ret);
}

/* Who says so, in words that a newer writer may have more of. */
static int get_fact(struct reader *reader, struct json_object *object, struct topology_fact *ret)
{
	const char *origin, *confidence;

	if (get_nullable_string(reader, object, "source", &origin) < 0 ||
	    get_nullable_string(reader, object, "confidence", &confidence) < 0)
		return -EBADMSG;
	ret->origin = origin ? topology_origin_from_string(origin) : 0;
	ret->confidence = confidence ? topology_confidence_from_string(confidence) : 0;
	return 0;
}

/* Of a vendor's fabric, or of PCI; null is 0. */
static int get_nullable_link_type(struct reader *reader, struct json_object *object, const char *key,
				  enum topology_link_type *ret)
{
	const char *text;

	*ret = 0;
	if (get_nullable_string(reader, object, key, &text) < 0)
		return -EBADMSG;
	if (!text)
		return 0;
	*ret = topology_link_type_from_string(text);
	return *ret ? 0 : bad(reader, key);
}

/* As links have them: null count is 0. */
static int get_records(struct reader *reader, struct json_object *object, int64_t *ret_count, int64_t *ret_n_records)
{
	int64_t count, n_records;

	if (get_nullable_int(reader, object, "count", &count) < 0 ||
	    get_nullable_int(reader, object, "n_records", &n_records) < 0)
		return -EBADMSG;
	*ret_count = count == TOPOLOGY_UNKNOWN ? 0 : count;
	*ret_n_records = n_records == TOPOLOGY_UNKNOWN ? 0 : n_records;
	return 0;
}

static int region_from_json(struct reader *reader, struct json_object *object, struct topology_region *region)
{
	const char *name;

	if (!json_object_is_type(object, json_type_object) || get_name(reader, object, "name", &name) < 0 ||
	    get_int(reader, object, "size_bytes", &region->size_bytes) < 0 ||
	    get_int(reader, object, "free_bytes", &region->free_bytes) < 0 ||
	    get_int(reader, object, "resident_bytes", &region->resident_bytes) < 0)
		return -EBADMSG;
	/* Borrowed: the builder copies it. */
	region->name = (char *)name;
	region->dead_bytes = TOPOLOGY_UNKNOWN;
	region->pagemap = TOPOLOGY_PAGEMAP_UNKNOWN;
	region->pagemap_refs_handles = region->pagemap_refs_pages = region->pagemap_refs_mappings = TOPOLOGY_UNKNOWN;
	return 0;
}

/* Borrowed: the builder copies them. An older writer has none. */
static int distances_from_json(struct reader *reader, struct json_object *object, struct topology_device *device)
{
	struct json_object *array;
	size_t n;

	if (is_null(object, "distances"))
		return 0;
	if (get(reader, object, "distances", json_type_array, &array) < 0)
		return -EBADMSG;
	n = json_object_array_length(array);
	if (n > TOPOLOGY_DEVICES_MAX)
		return -E2BIG;
	device->distances = calloc(n ? n : 1, sizeof(*device->distances));
	if (!device->distances)
		return -ENOMEM;
	for (; device->n_distances < n; device->n_distances++) {
		struct topology_distance *distance = &device->distances[device->n_distances];
		struct json_object *item = json_object_array_get_idx(array, device->n_distances);
		const char *name;

		if (!json_object_is_type(item, json_type_object) || get_name(reader, item, "device", &name) < 0 ||
		    get_int(reader, item, "distance", &distance->distance) < 0)
			return -EBADMSG;
		distance->device = (char *)name;
	}
	return 0;
}

static int facts_from_json(struct reader *reader, struct json_object *object, struct topology_device *device)
{
	struct json_object *array;

	if (is_null(object, "facts"))
		return 0;
	if (get(reader, object, "facts", json_type_array, &array) < 0)
		return -EBADMSG;
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		struct json_object *item = json_object_array_get_idx(array, i);
		enum topology_fact_kind kind;
		struct topology_fact fact;
		const char *name;

		if (!json_object_is_type(item, json_type_object))
			return bad(reader, "facts");
		if (get_string(reader, item, "fact", &name) < 0 || get_fact(reader, item, &fact) < 0)
			return -EBADMSG;
		kind = topology_fact_kind_from_string(name);
		if (kind < TOPOLOGY_FACTS_N)
			device->facts[kind] = fact;
	}
	return 0;
}

static int get_uplink(struct reader *reader, struct json_object *object, const char *const keys[3],
		      struct topology_uplink *ret)
{
	if (get_nullable_int(reader, object, keys[0], &ret->speed_mtps) < 0 ||
	    get_nullable_int(reader, object, keys[1], &ret->width) < 0 ||
	    get_nullable_int(reader, object, keys[2], &ret->bandwidth_mbps) < 0)
		return -EBADMSG;
	return 0;
}

/* Borrowed: the builder copies it. An older writer has none of it. */
static int place_from_json(struct reader *reader, struct json_object *object, struct topology_device *device)
{
	static const char *const keys[] = { "pci_speed_mtps", "pci_width", "pci_bandwidth_mbps" };
	const char *arch, *hive, *parent, *cpu;

	if (get_nullable_name(reader, object, "arch", &arch) < 0 ||
	    get_nullable_name(reader, object, "hive", &hive) < 0 ||
	    get_nullable_name(reader, object, "parent", &parent) < 0 ||
	    get_nullable_name(reader, object, "cpu", &cpu) < 0 ||
	    get_uplink(reader, object, keys, &device->pci_link) < 0 ||
	    get_nullable_link_type(reader, object, "cpu_link_type", &device->cpu_link.type) < 0 ||
	    get_nullable_int(reader, object, "cpu_link_count", &device->cpu_link.count) < 0 ||
	    get_nullable_int(reader, object, "cpu_link_bandwidth_mbps", &device->cpu_link.bandwidth_mbps) < 0)
		return -EBADMSG;
	if (device->cpu_link.count == TOPOLOGY_UNKNOWN)
		device->cpu_link.count = 0;
	device->arch = (char *)arch;
	device->hive = (char *)hive;
	device->parent = (char *)parent;
	device->cpu = (char *)cpu;
	return facts_from_json(reader, object, device);
}

static int device_from_json(struct reader *reader, struct json_object *object)
{
	_cleanup_(freep) struct topology_region *regions = NULL;
	_cleanup_(freep) struct topology_distance *distances = NULL;
	const char *name, *driver, *state, *render_node, *bridge, *pci_class;
	struct topology_device device = { 0 };
	struct json_object *array;
	int r;

	if (!json_object_is_type(object, json_type_object) || get_name(reader, object, "name", &name) < 0 ||
	    get_nullable_string(reader, object, "driver", &driver) < 0 ||
	    get_string(reader, object, "state", &state) < 0 ||
	    get_nullable_int(reader, object, "incarnation", &device.incarnation) < 0 ||
	    get_nullable_int(reader, object, "numa_node", &device.numa_node) < 0 ||
	    get_nullable_string(reader, object, "render_node", &render_node) < 0 ||
	    get_nullable_int(reader, object, "n_handles", &device.n_handles) < 0 ||
	    get(reader, object, "regions", json_type_array, &array) < 0 ||
	    get_nullable_string(reader, object, "upstream_bridge", &bridge) < 0 ||
	    get_nullable_string(reader, object, "pci_class", &pci_class) < 0)
		return -EBADMSG;
	device.name = (char *)name;
	device.driver = (char *)driver;
	device.render_node = (char *)render_node;
	device.upstream_bridge = (char *)bridge;
	device.pci_class = (char *)pci_class;
	device.state = topology_state_from_string(state);
	if (!device.state)
		return topology_builder_warn(reader->builder, "unreadable device: %s: state: " NEWER ": left out",
					     name);
	device.n_regions = json_object_array_length(array);
	regions = calloc(device.n_regions ? device.n_regions : 1, sizeof(*regions));
	if (!regions)
		return -ENOMEM;
	for (size_t i = 0; i < device.n_regions; i++) {
		r = region_from_json(reader, json_object_array_get_idx(array, i), &regions[i]);
		if (r < 0)
			return r;
	}
	device.regions = regions;
	r = distances_from_json(reader, object, &device);
	distances = device.distances;
	if (r < 0)
		return r;
	r = place_from_json(reader, object, &device);
	if (r < 0)
		return r;
	r = topology_builder_add_device(reader->builder, &device);
	return r == -EEXIST ? bad(reader, "name") : r;
}

static int link_from_json(struct reader *reader, struct json_object *object)
{
	const char *accessor, *owner, *type, *why_not, *provenance;
	struct topology_link link = { 0 };
	struct json_object *up;

	if (!json_object_is_type(object, json_type_object) || get_name(reader, object, "accessor", &accessor) < 0 ||
	    get_name(reader, object, "owner", &owner) < 0 || get_string(reader, object, "link_type", &type) < 0 ||
	    get(reader, object, "up", json_type_boolean, &up) < 0 ||
	    get_nullable_string(reader, object, "why_not", &why_not) < 0 ||
	    get_nullable_int(reader, object, "read_bandwidth_mbps", &link.read_bandwidth_mbps) < 0 ||
	    get_nullable_int(reader, object, "write_bandwidth_mbps", &link.write_bandwidth_mbps) < 0 ||
	    get_nullable_int(reader, object, "read_latency_ns", &link.read_latency_ns) < 0 ||
	    get_nullable_int(reader, object, "write_latency_ns", &link.write_latency_ns) < 0 ||
	    get_nullable_int(reader, object, "hops", &link.hops) < 0 ||
	    get_nullable_string(reader, object, "provenance", &provenance) < 0 ||
	    get_nullable_int(reader, object, "measured_at_s", &link.measured_at_s) < 0 ||
	    get_nullable_int(reader, object, "pci_record_mbps", &link.pci_bandwidth_mbps) < 0 ||
	    get_records(reader, object, &link.count, &link.n_records) < 0 || get_fact(reader, object, &link.fact) < 0)
		return -EBADMSG;
	link.has_pci_record = link.pci_bandwidth_mbps != TOPOLOGY_UNKNOWN;
	link.type = topology_link_type_from_string(type);
	if (!link.type)
		return topology_builder_warn(reader->builder, "unreadable link: %s -> %s: type: " NEWER ": left out",
					     accessor, owner);
	link.up = json_object_get_boolean(up);
	link.why_not = (char *)why_not;
	link.provenance = (char *)provenance;
	return topology_builder_add_link(reader->builder, accessor, owner, &link);
}

static int group_from_json(struct reader *reader, struct json_object *object)
{
	_cleanup_(freep) const char **members = NULL;
	const char *id, *type_name;
	struct json_object *array;
	enum topology_link_type type;
	size_t n_members;

	if (!json_object_is_type(object, json_type_object) || get_name(reader, object, "id", &id) < 0 ||
	    get_string(reader, object, "link_type", &type_name) < 0 ||
	    get(reader, object, "members", json_type_array, &array) < 0)
		return -EBADMSG;
	type = topology_link_type_from_string(type_name);
	if (!type)
		return topology_builder_warn(reader->builder, "unreadable group: %s: type: " NEWER ": left out", id);
	n_members = json_object_array_length(array);
	members = calloc(n_members ? n_members : 1, sizeof(*members));
	if (!members)
		return -ENOMEM;
	for (size_t i = 0; i < n_members; i++)
		if (string_of(json_object_array_get_idx(array, i), &members[i]) < 0)
			return -EBADMSG;
	return topology_builder_add_group(reader->builder, id, type, members, n_members);
}

static int node_from_json(struct reader *reader, struct json_object *object)
{
	static const char *const keys[] = { "speed_mtps", "width", "bandwidth_mbps" };
	const char *name, *kind, *parent, *vendor;
	struct topology_node node = { 0 };
	int r;

	if (!json_object_is_type(object, json_type_object) || get_name(reader, object, "name", &name) < 0 ||
	    get_string(reader, object, "kind", &kind) < 0 || get_nullable_name(reader, object, "parent", &parent) < 0 ||
	    get_uplink(reader, object, keys, &node.uplink) < 0 ||
	    get_nullable_int(reader, object, "numa_node", &node.numa_node) < 0 ||
	    get_nullable_int(reader, object, "socket", &node.socket) < 0 ||
	    get_nullable_name(reader, object, "vendor", &vendor) < 0 ||
	    get_nullable_int(reader, object, "model", &node.model) < 0 ||
	    get_nullable_int(reader, object, "port_mbps", &node.port_mbps) < 0 ||
	    get_fact(reader, object, &node.fact) < 0)
		return -EBADMSG;
	node.kind = topology_node_kind_from_string(kind);
	if (!node.kind)
		return topology_builder_warn(reader->builder, "unreadable node: %s: kind: " NEWER ": left out", name);
	node.name = (char *)name;
	node.parent = (char *)parent;
	node.vendor = (char *)vendor;
	r = topology_builder_add_node(reader->builder, &node);
	return r == -EEXIST ? bad(reader, "name") : r;
}

static int attachment_from_json(struct reader *reader, struct json_object *object)
{
	struct topology_attachment at = { 0 };
	const char *device, *node, *type;

	if (!json_object_is_type(object, json_type_object) || get_name(reader, object, "device", &device) < 0 ||
	    get_name(reader, object, "node", &node) < 0 || get_string(reader, object, "link_type", &type) < 0 ||
	    get_records(reader, object, &at.count, &at.n_records) < 0 ||
	    get_nullable_int(reader, object, "to_bandwidth_mbps", &at.to_bandwidth_mbps) < 0 ||
	    get_nullable_int(reader, object, "from_bandwidth_mbps", &at.from_bandwidth_mbps) < 0 ||
	    get_fact(reader, object, &at.fact) < 0)
		return -EBADMSG;
	at.type = topology_link_type_from_string(type);
	if (!at.type)
		return topology_builder_warn(
			reader->builder, "unreadable attachment: %s at %s: type: " NEWER ": left out", device, node);
	return topology_builder_add_attachment(reader->builder, device, node, &at);
}

static int memory_from_json(struct reader *reader, struct json_object *object)
{
	struct topology_memory memory = { 0 };
	const char *name, *kind, *device;
	int r;

	if (!json_object_is_type(object, json_type_object) || get_name(reader, object, "name", &name) < 0 ||
	    get_nullable_string(reader, object, "kind", &kind) < 0 ||
	    get_nullable_int(reader, object, "numa_node", &memory.numa_node) < 0 ||
	    get_nullable_int(reader, object, "size_bytes", &memory.size_bytes) < 0 ||
	    get_nullable_int(reader, object, "free_bytes", &memory.free_bytes) < 0 ||
	    get_nullable_int(reader, object, "bandwidth_mbps", &memory.bandwidth_mbps) < 0 ||
	    get_nullable_name(reader, object, "device", &device) < 0 || get_fact(reader, object, &memory.fact) < 0)
		return -EBADMSG;
	memory.kind = kind ? topology_memory_kind_from_string(kind) : TOPOLOGY_MEMORY_UNKNOWN;
	memory.name = (char *)name;
	memory.device = (char *)device;
	r = topology_builder_add_memory(reader->builder, &memory);
	return r == -EEXIST ? bad(reader, "name") : r;
}

static int access_from_json(struct reader *reader, struct json_object *object)
{
	struct topology_access access = { 0 };
	const char *memory, *initiator;

	if (!json_object_is_type(object, json_type_object) || get_name(reader, object, "memory", &memory) < 0 ||
	    get_name(reader, object, "initiator", &initiator) < 0 ||
	    get_nullable_int(reader, object, "access_class", &access.access_class) < 0 ||
	    get_nullable_int(reader, object, "read_bandwidth_mbps", &access.read_bandwidth_mbps) < 0 ||
	    get_nullable_int(reader, object, "write_bandwidth_mbps", &access.write_bandwidth_mbps) < 0 ||
	    get_nullable_int(reader, object, "read_latency_ns", &access.read_latency_ns) < 0 ||
	    get_nullable_int(reader, object, "write_latency_ns", &access.write_latency_ns) < 0 ||
	    get_fact(reader, object, &access.fact) < 0)
		return -EBADMSG;
	access.initiator = (char *)initiator;
	return topology_builder_add_access(reader->builder, memory, &access);
}

static int warning_from_json(struct reader *reader, struct json_object *object)
{
	const char *text;

	if (string_of(object, &text) < 0)
		return -EBADMSG;
	return topology_builder_warn(reader->builder, "%s", text);
}

static const struct array {
	const char *key;
	int (*read)(struct reader *reader, struct json_object *object);
	size_t n_max;
	bool is_optional; /* an older writer does not have it */
} arrays[] = {
	{ "devices", device_from_json, TOPOLOGY_DEVICES_MAX, false },
	{ "links", link_from_json, TOPOLOGY_LINKS_MAX, false },
	{ "groups", group_from_json, TOPOLOGY_DEVICES_MAX * 8, false },
	{ "warnings", warning_from_json, TOPOLOGY_WARNINGS_MAX + 1, false },
	{ "nodes", node_from_json, TOPOLOGY_NODES_MAX, true },
	{ "attachments", attachment_from_json, TOPOLOGY_ATTACHMENTS_MAX, true },
	{ "memories", memory_from_json, TOPOLOGY_MEMORIES_MAX, true },
	{ "accesses", access_from_json, TOPOLOGY_LINKS_MAX, true },
};

/* Which element of an array, and what of it. */
struct where {
	const char *array;
	size_t index;
	size_t n_there, n_max; /* -E2BIG: of that array, or 0 */
};

static int read_arrays(struct reader *reader, struct json_object *object, struct where *where)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(arrays) / sizeof(arrays[0]); i++) {
		struct json_object *array;
		size_t n;

		if (arrays[i].is_optional && is_null(object, arrays[i].key))
			continue;
		r = get(reader, object, arrays[i].key, json_type_array, &array);
		if (r < 0)
			return r;
		n = json_object_array_length(array);
		where->array = arrays[i].key;
		if (n > arrays[i].n_max) {
			where->n_there = n;
			where->n_max = arrays[i].n_max;
			return -E2BIG;
		}
		for (where->index = 0; r == 0 && where->index < n; where->index++) {
			reader->bad_key = NULL;
			r = arrays[i].read(reader, json_object_array_get_idx(array, where->index));
			if (r < 0)
				return r;
		}
		where->array = NULL;
	}
	return r;
}

static int read_all(struct reader *reader, struct json_object *object, struct where *where, struct topology **ret)
{
	const char *schema, *source_name;
	enum topology_source source;
	int64_t generation;
	int r;

	if (!json_object_is_type(object, json_type_object) || get_string(reader, object, "schema", &schema) < 0)
		return bad(reader, "schema");
	if (strcmp(schema, TOPOLOGY_JSON_SCHEMA))
		return -EPROTONOSUPPORT;
	if (get_int(reader, object, "generation", &generation) < 0 ||
	    get_string(reader, object, "source", &source_name) < 0)
		return -EBADMSG;
	source = !strcmp(source_name, "kernel")	 ? TOPOLOGY_SOURCE_KERNEL :
		 !strcmp(source_name, "partial") ? TOPOLOGY_SOURCE_PARTIAL :
						   0;
	if (!source)
		return bad(reader, "source");
	r = topology_builder_new(source, generation, &reader->builder);
	if (r < 0)
		return r;
	/* An older daemon does not say of each fact that it is the kernel's. */
	topology_builder_set_origin(reader->builder,
				    source == TOPOLOGY_SOURCE_KERNEL ? TOPOLOGY_ORIGIN_FABRIC : TOPOLOGY_ORIGIN_JSON);
	r = read_arrays(reader, object, where);
	if (r < 0)
		return r;
	return topology_builder_finish(reader->builder, ret);
}

static int explain(int r, const struct reader *reader, const struct where *where, char **ret)
{
	_cleanup_(freep) char *element = NULL;
	int n;

	if (where->array && asprintf(&element, "%s[%zu]: ", where->array, where->index) < 0) {
		element = NULL;
		return -ENOMEM;
	}
	if (r == -EPROTONOSUPPORT)
		n = asprintf(ret, "schema: not " TOPOLOGY_JSON_SCHEMA);
	else if (r == -E2BIG)
		n = where->n_there ? asprintf(ret, "%s: %zu of them, and at most %zu are read", where->array,
					      where->n_there, where->n_max) :
				     asprintf(ret, "%stoo many distances: at most %d are read", element ?: "",
					      TOPOLOGY_DEVICES_MAX);
	else
		n = asprintf(ret, "%s%s%smissing, of another type or range, or there twice", element ?: "",
			     reader->bad_key ?: "", reader->bad_key ? ": " : "");
	if (n >= 0)
		return 0;
	*ret = NULL;
	return -ENOMEM;
}

int topology_from_json_explain(struct json_object *object, struct topology **ret, char **ret_error)
{
	struct reader reader = { 0 };
	struct where where = { 0 };
	int r;

	r = read_all(&reader, object, &where, ret);
	topology_builder_free(reader.builder);
	if (r < 0 && r != -ENOMEM && ret_error && explain(r, &reader, &where, ret_error) < 0)
		return -ENOMEM;
	return r;
}

int topology_from_json(struct json_object *object, struct topology **ret)
{
	return topology_from_json_explain(object, ret, NULL);
}

// SPDX-License-Identifier: MIT
/*
 * The topology as JSON: "fabric.topology/1", the type Topology of the Varlink interface. Keys are written in the
 * interface's order; unknown is null.
 */
#include "base/base.h"
#include "model/model.h"

#include <json-c/json.h>
#include <string.h>

#define SCHEMA "fabric.topology/1"
#define NEWER "none that this version knows"

static void json_object_putp(struct json_object **object)
{
	json_object_put(*object);
}

/* Takes over @value; NULL means that memory was short, unless the caller says that it stands for null. */
static int add(struct json_object *object, const char *key, struct json_object *value)
{
	if (!value)
		return -ENOMEM;
	if (json_object_object_add(object, key, value) == 0)
		return 0;
	json_object_put(value);
	return -ENOMEM;
}

static int add_string(struct json_object *object, const char *key, const char *value)
{
	if (!value)
		return json_object_object_add(object, key, NULL) == 0 ? 0 : -ENOMEM;
	return add(object, key, json_object_new_string(value));
}

static int add_int(struct json_object *object, const char *key, int64_t value)
{
	return add(object, key, json_object_new_int64(value));
}

static int add_nullable_int(struct json_object *object, const char *key, int64_t value)
{
	if (value == TOPOLOGY_UNKNOWN)
		return add_string(object, key, NULL);
	return add_int(object, key, value);
}

static int append(struct json_object *array, struct json_object *value)
{
	if (!value)
		return -ENOMEM;
	if (json_object_array_add(array, value) == 0)
		return 0;
	json_object_put(value);
	return -ENOMEM;
}

struct json_object *topology_region_to_json(const struct topology_region *region)
{
	_cleanup_(json_object_putp) struct json_object *object = json_object_new_object();

	if (!object || add_string(object, "name", region->name) < 0 ||
	    add_int(object, "size_bytes", region->size_bytes) < 0 ||
	    add_int(object, "free_bytes", region->free_bytes) < 0 ||
	    add_int(object, "resident_bytes", region->resident_bytes) < 0)
		return NULL;
	return steal_ptr(&object);
}

static struct json_object *distance_to_json(const struct topology_distance *distance)
{
	_cleanup_(json_object_putp) struct json_object *object = json_object_new_object();

	if (!object || add_string(object, "device", distance->device) < 0 ||
	    add_int(object, "distance", distance->distance) < 0)
		return NULL;
	return steal_ptr(&object);
}

struct json_object *topology_device_to_json(const struct topology_device *device)
{
	_cleanup_(json_object_putp) struct json_object *object = json_object_new_object();
	struct json_object *regions, *distances;

	if (!object || add_string(object, "name", device->name) < 0 ||
	    add_string(object, "driver", device->driver) < 0 ||
	    add_string(object, "state", topology_state_to_string(device->state)) < 0 ||
	    add_nullable_int(object, "incarnation", device->incarnation) < 0 ||
	    add_nullable_int(object, "numa_node", device->numa_node) < 0 ||
	    add_string(object, "render_node", device->render_node) < 0 ||
	    add_nullable_int(object, "n_handles", device->n_handles) < 0)
		return NULL;
	regions = json_object_new_array();
	if (add(object, "regions", regions) < 0)
		return NULL;
	for (size_t i = 0; i < device->n_regions; i++)
		if (append(regions, topology_region_to_json(&device->regions[i])) < 0)
			return NULL;
	if (add(object, "managed", json_object_new_boolean(device->state != TOPOLOGY_STATE_UNMANAGED)) < 0 ||
	    add_string(object, "upstream_bridge", device->upstream_bridge) < 0 ||
	    add_string(object, "pci_class", device->pci_class) < 0)
		return NULL;
	distances = json_object_new_array();
	if (add(object, "distances", distances) < 0)
		return NULL;
	for (size_t i = 0; i < device->n_distances; i++)
		if (append(distances, distance_to_json(&device->distances[i])) < 0)
			return NULL;
	return steal_ptr(&object);
}

struct json_object *topology_link_to_json(const struct topology *topology, const struct topology_link *link)
{
	_cleanup_(json_object_putp) struct json_object *object = json_object_new_object();

	if (!object || add_string(object, "accessor", topology->devices[link->accessor].name) < 0 ||
	    add_string(object, "owner", topology->devices[link->owner].name) < 0 ||
	    add_string(object, "link_type", topology_link_type_to_string(link->type)) < 0 ||
	    add(object, "up", json_object_new_boolean(link->up)) < 0 ||
	    add_string(object, "why_not", link->why_not) < 0 ||
	    add_nullable_int(object, "read_bandwidth_mbps", link->read_bandwidth_mbps) < 0 ||
	    add_nullable_int(object, "write_bandwidth_mbps", link->write_bandwidth_mbps) < 0 ||
	    add_nullable_int(object, "read_latency_ns", link->read_latency_ns) < 0 ||
	    add_nullable_int(object, "write_latency_ns", link->write_latency_ns) < 0 ||
	    add_nullable_int(object, "hops", link->hops) < 0 ||
	    add_string(object, "provenance", link->provenance) < 0 ||
	    add_nullable_int(object, "measured_at_s", link->measured_at_s) < 0)
		return NULL;
	return steal_ptr(&object);
}

struct json_object *topology_group_to_json(const struct topology *topology, const struct topology_group *group)
{
	_cleanup_(json_object_putp) struct json_object *object = json_object_new_object();
	struct json_object *members;

	if (!object || add_string(object, "id", group->id) < 0 ||
	    add_string(object, "link_type", topology_link_type_to_string(group->type)) < 0)
		return NULL;
	members = json_object_new_array();
	if (add(object, "members", members) < 0)
		return NULL;
	for (size_t i = 0; i < group->n_members; i++)
		if (append(members, json_object_new_string(topology->devices[group->members[i]].name)) < 0)
			return NULL;
	return steal_ptr(&object);
}

struct json_object *topology_to_json(const struct topology *topology)
{
	_cleanup_(json_object_putp) struct json_object *object = json_object_new_object();
	struct json_object *array;

	if (!object || add_string(object, "schema", SCHEMA) < 0 ||
	    add_int(object, "generation", topology->generation) < 0 ||
	    add_string(object, "source", topology_source_to_string(topology->source)) < 0)
		return NULL;
	array = json_object_new_array();
	if (add(object, "devices", array) < 0)
		return NULL;
	for (size_t i = 0; i < topology->n_devices; i++)
		if (append(array, topology_device_to_json(&topology->devices[i])) < 0)
			return NULL;
	array = json_object_new_array();
	if (add(object, "links", array) < 0)
		return NULL;
	for (size_t i = 0; i < topology->n_links; i++)
		if (append(array, topology_link_to_json(topology, &topology->links[i])) < 0)
			return NULL;
	array = json_object_new_array();
	if (add(object, "groups", array) < 0)
		return NULL;
	for (size_t i = 0; i < topology->n_groups; i++)
		if (append(array, topology_group_to_json(topology, &topology->groups[i])) < 0)
			return NULL;
	array = json_object_new_array();
	if (add(object, "warnings", array) < 0)
		return NULL;
	for (size_t i = 0; i < topology->n_warnings; i++)
		if (append(array, json_object_new_string(topology->warnings[i])) < 0)
			return NULL;
	return steal_ptr(&object);
}

/*
 * Reading. Each getter gives -EBADMSG for a value that is absent or of another type; strings are borrowed from the
 * object. A string with a NUL inside would be cut short, so it is refused.
 */
static int get(struct json_object *object, const char *key, enum json_type type, struct json_object **ret)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, type))
		return -EBADMSG;
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

static int get_string(struct json_object *object, const char *key, const char **ret)
{
	struct json_object *value;

	if (get(object, key, json_type_string, &value) < 0)
		return -EBADMSG;
	return string_of(value, ret);
}

/* Names are compared, printed in columns and separated by blanks elsewhere. */
static int get_name(struct json_object *object, const char *key, const char **ret)
{
	const char *text;

	if (get_string(object, key, &text) < 0 || !*text)
		return -EBADMSG;
	for (const char *p = text; *p; p++)
		if (*p <= ' ' || *p > '~')
			return -EBADMSG;
	*ret = text;
	return 0;
}

static int get_int(struct json_object *object, const char *key, int64_t *ret)
{
	struct json_object *value;

	if (get(object, key, json_type_int, &value) < 0 || json_object_get_int64(value) < 0)
		return -EBADMSG;
	/* json-c keeps what is above INT64_MAX as unsigned, and cuts it here. Nothing we count is that large. */
	if (json_object_get_uint64(value) > INT64_MAX)
		return -EBADMSG;
	*ret = json_object_get_int64(value);
	return 0;
}

static bool is_null(struct json_object *object, const char *key)
{
	struct json_object *value;

	return !json_object_object_get_ex(object, key, &value) || !value;
}

static int get_nullable_string(struct json_object *object, const char *key, const char **ret)
{
	*ret = NULL;
	return is_null(object, key) ? 0 : get_string(object, key, ret);
}

static int get_nullable_int(struct json_object *object, const char *key, int64_t *ret)
{
	*ret = TOPOLOGY_UNKNOWN;
	return is_null(object, key) ? 0 : get_int(object, key, ret);
}

static int region_from_json(struct json_object *object, struct topology_region *region)
{
	const char *name;

	if (!json_object_is_type(object, json_type_object) || get_name(object, "name", &name) < 0 ||
	    get_int(object, "size_bytes", &region->size_bytes) < 0 ||
	    get_int(object, "free_bytes", &region->free_bytes) < 0 ||
	    get_int(object, "resident_bytes", &region->resident_bytes) < 0)
		return -EBADMSG;
	/* Borrowed: the builder copies it. */
	region->name = (char *)name;
	region->dead_bytes = TOPOLOGY_UNKNOWN;
	region->pagemap = TOPOLOGY_PAGEMAP_UNKNOWN;
	region->pagemap_refs_handles = region->pagemap_refs_pages = region->pagemap_refs_mappings = TOPOLOGY_UNKNOWN;
	return 0;
}

/* Borrowed: the builder copies them. An older writer has none. */
static int distances_from_json(struct json_object *object, struct topology_device *device)
{
	struct json_object *array;
	size_t n;

	if (is_null(object, "distances"))
		return 0;
	if (get(object, "distances", json_type_array, &array) < 0)
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

		if (!json_object_is_type(item, json_type_object) || get_name(item, "device", &name) < 0 ||
		    get_int(item, "distance", &distance->distance) < 0)
			return -EBADMSG;
		distance->device = (char *)name;
	}
	return 0;
}

static int device_from_json(struct topology_builder *builder, struct json_object *object)
{
	_cleanup_(freep) struct topology_region *regions = NULL;
	_cleanup_(freep) struct topology_distance *distances = NULL;
	const char *name, *driver, *state, *render_node, *bridge, *pci_class;
	struct topology_device device = { 0 };
	struct json_object *array;
	int r;

	if (!json_object_is_type(object, json_type_object) || get_name(object, "name", &name) < 0 ||
	    get_nullable_string(object, "driver", &driver) < 0 || get_string(object, "state", &state) < 0 ||
	    get_nullable_int(object, "incarnation", &device.incarnation) < 0 ||
	    get_nullable_int(object, "numa_node", &device.numa_node) < 0 ||
	    get_nullable_string(object, "render_node", &render_node) < 0 ||
	    get_nullable_int(object, "n_handles", &device.n_handles) < 0 ||
	    get(object, "regions", json_type_array, &array) < 0 ||
	    get_nullable_string(object, "upstream_bridge", &bridge) < 0 ||
	    get_nullable_string(object, "pci_class", &pci_class) < 0)
		return -EBADMSG;
	device.name = (char *)name;
	device.driver = (char *)driver;
	device.render_node = (char *)render_node;
	device.upstream_bridge = (char *)bridge;
	device.pci_class = (char *)pci_class;
	device.state = topology_state_from_string(state);
	if (!device.state)
		return topology_builder_warn(builder, "unreadable device: %s: state: " NEWER ": left out", name);
	device.n_regions = json_object_array_length(array);
	regions = calloc(device.n_regions ? device.n_regions : 1, sizeof(*regions));
	if (!regions)
		return -ENOMEM;
	for (size_t i = 0; i < device.n_regions; i++) {
		r = region_from_json(json_object_array_get_idx(array, i), &regions[i]);
		if (r < 0)
			return r;
	}
	device.regions = regions;
	r = distances_from_json(object, &device);
	distances = device.distances;
	if (r < 0)
		return r;
	r = topology_builder_add_device(builder, &device);
	return r == -EEXIST ? -EBADMSG : r;
}

static int link_from_json(struct topology_builder *builder, struct json_object *object)
{
	const char *accessor, *owner, *type, *why_not, *provenance;
	struct topology_link link = { 0 };
	struct json_object *up;

	if (!json_object_is_type(object, json_type_object) || get_name(object, "accessor", &accessor) < 0 ||
	    get_name(object, "owner", &owner) < 0 || get_string(object, "link_type", &type) < 0 ||
	    get(object, "up", json_type_boolean, &up) < 0 || get_nullable_string(object, "why_not", &why_not) < 0 ||
	    get_nullable_int(object, "read_bandwidth_mbps", &link.read_bandwidth_mbps) < 0 ||
	    get_nullable_int(object, "write_bandwidth_mbps", &link.write_bandwidth_mbps) < 0 ||
	    get_nullable_int(object, "read_latency_ns", &link.read_latency_ns) < 0 ||
	    get_nullable_int(object, "write_latency_ns", &link.write_latency_ns) < 0 ||
	    get_nullable_int(object, "hops", &link.hops) < 0 ||
	    get_nullable_string(object, "provenance", &provenance) < 0 ||
	    get_nullable_int(object, "measured_at_s", &link.measured_at_s) < 0)
		return -EBADMSG;
	link.type = topology_link_type_from_string(type);
	if (!link.type)
		return topology_builder_warn(builder, "unreadable link: %s -> %s: type: " NEWER ": left out", accessor,
					     owner);
	link.up = json_object_get_boolean(up);
	link.why_not = (char *)why_not;
	link.provenance = (char *)provenance;
	return topology_builder_add_link(builder, accessor, owner, &link);
}

static int group_from_json(struct topology_builder *builder, struct json_object *object)
{
	_cleanup_(freep) const char **members = NULL;
	const char *id, *type_name;
	struct json_object *array;
	enum topology_link_type type;
	size_t n_members;

	if (!json_object_is_type(object, json_type_object) || get_name(object, "id", &id) < 0 ||
	    get_string(object, "link_type", &type_name) < 0 || get(object, "members", json_type_array, &array) < 0)
		return -EBADMSG;
	type = topology_link_type_from_string(type_name);
	if (!type)
		return topology_builder_warn(builder, "unreadable group: %s: type: " NEWER ": left out", id);
	n_members = json_object_array_length(array);
	members = calloc(n_members ? n_members : 1, sizeof(*members));
	if (!members)
		return -ENOMEM;
	for (size_t i = 0; i < n_members; i++)
		if (string_of(json_object_array_get_idx(array, i), &members[i]) < 0)
			return -EBADMSG;
	return topology_builder_add_group(builder, id, type, members, n_members);
}

static int warning_from_json(struct topology_builder *builder, struct json_object *object)
{
	const char *text;

	if (string_of(object, &text) < 0)
		return -EBADMSG;
	return topology_builder_warn(builder, "%s", text);
}

int topology_from_json(struct json_object *object, struct topology **ret)
{
	static const struct {
		const char *key;
		int (*read)(struct topology_builder *builder, struct json_object *object);
		size_t n_max;
	} arrays[] = {
		{ "devices", device_from_json, TOPOLOGY_DEVICES_MAX },
		{ "links", link_from_json, (size_t)TOPOLOGY_DEVICES_MAX * TOPOLOGY_DEVICES_MAX },
		{ "groups", group_from_json, TOPOLOGY_DEVICES_MAX * 8 },
		{ "warnings", warning_from_json, TOPOLOGY_WARNINGS_MAX + 1 },
	};
	_cleanup_(topology_builder_freep) struct topology_builder *builder = NULL;
	const char *schema, *source_name;
	enum topology_source source;
	int64_t generation;
	int r;

	if (!json_object_is_type(object, json_type_object) || get_string(object, "schema", &schema) < 0)
		return -EBADMSG;
	if (strcmp(schema, SCHEMA))
		return -EPROTONOSUPPORT;
	if (get_int(object, "generation", &generation) < 0 || get_string(object, "source", &source_name) < 0)
		return -EBADMSG;
	source = !strcmp(source_name, "kernel")	 ? TOPOLOGY_SOURCE_KERNEL :
		 !strcmp(source_name, "partial") ? TOPOLOGY_SOURCE_PARTIAL :
						   0;
	if (!source)
		return -EBADMSG;
	r = topology_builder_new(source, generation, &builder);
	for (size_t i = 0; r == 0 && i < sizeof(arrays) / sizeof(arrays[0]); i++) {
		struct json_object *array;
		size_t n;

		r = get(object, arrays[i].key, json_type_array, &array);
		if (r < 0)
			return r;
		n = json_object_array_length(array);
		if (n > arrays[i].n_max)
			return -E2BIG;
		for (size_t j = 0; r == 0 && j < n; j++)
			r = arrays[i].read(builder, json_object_array_get_idx(array, j));
	}
	if (r < 0)
		return r;
	return topology_builder_finish(builder, ret);
}

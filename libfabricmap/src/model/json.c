// SPDX-License-Identifier: MIT
/*
 * The topology as JSON: "fabric.topology/1", the type Topology of the Varlink interface. Keys are written in the
 * interface's order; unknown is null. json-read.c reads it.
 */
#include "base/base.h"
#include "model/json-schema.h"
#include "model/model.h"

#include <json-c/json.h>
#include <string.h>

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

/* 0 stands for unknown, too. */
static int add_positive_int(struct json_object *object, const char *key, int64_t value)
{
	return add_nullable_int(object, key, value > 0 ? value : TOPOLOGY_UNKNOWN);
}

static int add_fact(struct json_object *object, const struct topology_fact *fact)
{
	int r = add_string(object, "source", topology_origin_to_string(fact->origin));

	return r < 0 ? r : add_string(object, "confidence", topology_confidence_to_string(fact->confidence));
}

/* A width of 0 was reported, and tells something. */
static int add_uplink(struct json_object *object, const char *const keys[3], const struct topology_uplink *uplink)
{
	if (add_positive_int(object, keys[0], uplink->speed_mtps) < 0 ||
	    add_nullable_int(object, keys[1], uplink->width) < 0 ||
	    add_positive_int(object, keys[2], uplink->bandwidth_mbps) < 0)
		return -ENOMEM;
	return 0;
}

static int add_facts(struct json_object *object, const struct topology_device *device)
{
	struct json_object *array = json_object_new_array();

	if (add(object, "facts", array) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < TOPOLOGY_FACTS_N; i++) {
		struct json_object *fact;

		if (!device->facts[i].origin)
			continue;
		fact = json_object_new_object();
		if (append(array, fact) < 0 ||
		    add_string(fact, "fact", topology_fact_kind_to_string((enum topology_fact_kind)i)) < 0 ||
		    add_fact(fact, &device->facts[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Where the device is, and how it is joined to what is above it. */
static int add_place(struct json_object *object, const struct topology_device *device)
{
	static const char *const keys[] = { "pci_speed_mtps", "pci_width", "pci_bandwidth_mbps" };
	static const struct topology_uplink unknown = { 0, TOPOLOGY_UNKNOWN, 0 };
	const struct topology_uplink *uplink = device->facts[TOPOLOGY_FACT_PCI_LINK].origin ? &device->pci_link :
											      &unknown;

	if (add_string(object, "arch", device->arch) < 0 || add_string(object, "hive", device->hive) < 0 ||
	    add_string(object, "parent", device->parent) < 0 || add_string(object, "cpu", device->cpu) < 0 ||
	    add_uplink(object, keys, uplink) < 0 ||
	    add_string(object, "cpu_link_type", topology_link_type_to_string(device->cpu_link.type)) < 0)
		return -ENOMEM;
	if (add_positive_int(object, "cpu_link_count", device->cpu_link.count) < 0 ||
	    add_nullable_int(object, "cpu_link_bandwidth_mbps",
			     device->cpu_link.type ? device->cpu_link.bandwidth_mbps : TOPOLOGY_UNKNOWN) < 0)
		return -ENOMEM;
	return add_facts(object, device);
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
	if (add_place(object, device) < 0)
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
	    add_nullable_int(object, "measured_at_s", link->measured_at_s) < 0 ||
	    add_positive_int(object, "count", link->count) < 0 ||
	    add_positive_int(object, "n_records", link->n_records) < 0 ||
	    add_nullable_int(object, "pci_record_mbps",
			     link->has_pci_record ? link->pci_bandwidth_mbps : TOPOLOGY_UNKNOWN) < 0 ||
	    add_fact(object, &link->fact) < 0)
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

static struct json_object *node_to_json(const struct topology *topology, size_t index)
{
	static const char *const keys[] = { "speed_mtps", "width", "bandwidth_mbps" };
	_cleanup_(json_object_putp) struct json_object *object = json_object_new_object();
	const struct topology_node *node = &topology->nodes[index];

	if (!object || add_string(object, "name", node->name) < 0 ||
	    add_string(object, "kind", topology_node_kind_to_string(node->kind)) < 0 ||
	    add_string(object, "parent", node->parent) < 0 || add_uplink(object, keys, &node->uplink) < 0 ||
	    add_nullable_int(object, "numa_node", node->numa_node) < 0 ||
	    add_nullable_int(object, "socket", node->socket) < 0 || add_string(object, "vendor", node->vendor) < 0 ||
	    add_nullable_int(object, "model", node->model) < 0 ||
	    add_nullable_int(object, "port_mbps", node->port_mbps) < 0 || add_fact(object, &node->fact) < 0)
		return NULL;
	return steal_ptr(&object);
}

static struct json_object *attachment_to_json(const struct topology *topology, size_t index)
{
	_cleanup_(json_object_putp) struct json_object *object = json_object_new_object();
	const struct topology_attachment *at = &topology->attachments[index];

	if (!object || add_string(object, "device", topology->devices[at->device].name) < 0 ||
	    add_string(object, "node", topology->nodes[at->node].name) < 0 ||
	    add_string(object, "link_type", topology_link_type_to_string(at->type)) < 0 ||
	    add_positive_int(object, "count", at->count) < 0 ||
	    add_positive_int(object, "n_records", at->n_records) < 0 ||
	    add_nullable_int(object, "to_bandwidth_mbps", at->to_bandwidth_mbps) < 0 ||
	    add_nullable_int(object, "from_bandwidth_mbps", at->from_bandwidth_mbps) < 0 ||
	    add_fact(object, &at->fact) < 0)
		return NULL;
	return steal_ptr(&object);
}

static struct json_object *memory_to_json(const struct topology *topology, size_t index)
{
	_cleanup_(json_object_putp) struct json_object *object = json_object_new_object();
	const struct topology_memory *memory = &topology->memories[index];

	if (!object || add_string(object, "name", memory->name) < 0 ||
	    add_string(object, "kind", topology_memory_kind_to_string(memory->kind)) < 0 ||
	    add_nullable_int(object, "numa_node", memory->numa_node) < 0 ||
	    add_nullable_int(object, "size_bytes", memory->size_bytes) < 0 ||
	    add_nullable_int(object, "free_bytes", memory->free_bytes) < 0 ||
	    add_nullable_int(object, "bandwidth_mbps", memory->bandwidth_mbps) < 0 ||
	    add_string(object, "device", memory->device) < 0 || add_fact(object, &memory->fact) < 0)
		return NULL;
	return steal_ptr(&object);
}

static struct json_object *access_to_json(const struct topology *topology, size_t index)
{
	_cleanup_(json_object_putp) struct json_object *object = json_object_new_object();
	const struct topology_access *access = &topology->accesses[index];

	if (!object || add_string(object, "memory", topology->memories[access->memory].name) < 0 ||
	    add_string(object, "initiator", access->initiator) < 0 ||
	    add_nullable_int(object, "access_class", access->access_class) < 0 ||
	    add_nullable_int(object, "read_bandwidth_mbps", access->read_bandwidth_mbps) < 0 ||
	    add_nullable_int(object, "write_bandwidth_mbps", access->write_bandwidth_mbps) < 0 ||
	    add_nullable_int(object, "read_latency_ns", access->read_latency_ns) < 0 ||
	    add_nullable_int(object, "write_latency_ns", access->write_latency_ns) < 0 ||
	    add_fact(object, &access->fact) < 0)
		return NULL;
	return steal_ptr(&object);
}

static struct json_object *device_at_to_json(const struct topology *topology, size_t index)
{
	return topology_device_to_json(&topology->devices[index]);
}

static struct json_object *link_at_to_json(const struct topology *topology, size_t index)
{
	return topology_link_to_json(topology, &topology->links[index]);
}

static struct json_object *group_at_to_json(const struct topology *topology, size_t index)
{
	return topology_group_to_json(topology, &topology->groups[index]);
}

static struct json_object *warning_at_to_json(const struct topology *topology, size_t index)
{
	return json_object_new_string(topology->warnings[index]);
}

struct json_object *topology_to_json(const struct topology *topology)
{
	const struct {
		const char *key;
		struct json_object *(*write)(const struct topology *topology, size_t index);
		size_t n;
	} arrays[] = {
		{ "devices", device_at_to_json, topology->n_devices },
		{ "links", link_at_to_json, topology->n_links },
		{ "groups", group_at_to_json, topology->n_groups },
		{ "warnings", warning_at_to_json, topology->n_warnings },
		{ "nodes", node_to_json, topology->n_nodes },
		{ "attachments", attachment_to_json, topology->n_attachments },
		{ "memories", memory_to_json, topology->n_memories },
		{ "accesses", access_to_json, topology->n_accesses },
	};
	_cleanup_(json_object_putp) struct json_object *object = json_object_new_object();

	if (!object || add_string(object, "schema", TOPOLOGY_JSON_SCHEMA) < 0 ||
	    add_int(object, "generation", topology->generation) < 0 ||
	    add_string(object, "source", topology_source_to_string(topology->source)) < 0)
		return NULL;
	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
		struct json_object *array = json_object_new_array();

		if (add(object, arrays[i].key, array) < 0)
			return NULL;
		for (size_t j = 0; j < arrays[i].n; j++)
			if (append(array, arrays[i].write(topology, j)) < 0)
				return NULL;
	}
	return steal_ptr(&object);
}

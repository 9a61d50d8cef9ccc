// SPDX-License-Identifier: MIT
/* Our own schema, as uapi/fabric-topology.schema.json has it; unknown keys are left out rather than null. */
#include "import/emit.h"

#include "base/base.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Takes over @value. */
static void put(struct emit *emit, struct json_object *object, const char *key, struct json_object *value)
{
	if (object && value && json_object_object_add(object, key, value) == 0)
		return;
	json_object_put(value);
	emit->failed = true;
}

static struct json_object *append(struct emit *emit, struct json_object *array)
{
	struct json_object *object = json_object_new_object();

	if (array && object && json_object_array_add(array, object) == 0)
		return object;
	json_object_put(object);
	emit->failed = true;
	return NULL;
}

void emit_init(struct emit *emit, const char *source)
{
	const struct {
		const char *key;
		struct json_object **ret;
	} arrays[] = {
		{ "devices", &emit->devices },	 { "links", &emit->links },	  { "groups", NULL },
		{ "warnings", &emit->warnings }, { "nodes", &emit->nodes },	  { "attachments", &emit->attachments },
		{ "memories", &emit->memories }, { "accesses", &emit->accesses },
	};

	*emit = (struct emit){ .source = source,
			       .root = json_object_new_object(),
			       .by_name = json_object_new_object() };
	emit->failed = !emit->by_name;
	emit_text(emit, emit->root, "schema", "fabric.topology/1");
	emit_number(emit, emit->root, "generation", 0);
	emit_text(emit, emit->root, "source", "partial");
	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
		struct json_object *array = json_object_new_array();

		put(emit, emit->root, arrays[i].key, array);
		if (arrays[i].ret && !emit->failed)
			*arrays[i].ret = array;
	}
}

void emit_fini(struct emit *emit)
{
	json_object_put(emit->root);
	json_object_put(emit->by_name);
	emit->root = emit->by_name = NULL;
}

void emit_remember(struct emit *emit, const char *name, struct json_object *object)
{
	put(emit, emit->by_name, name, json_object_get(object));
}

struct json_object *emit_recall(const struct emit *emit, const char *name)
{
	struct json_object *object = NULL;

	return emit->by_name && json_object_object_get_ex(emit->by_name, name, &object) ? object : NULL;
}

int emit_finish(struct emit *emit, char **ret)
{
	const char *text = emit->failed ? NULL : json_object_to_json_string_ext(emit->root, JSON_C_TO_STRING_PLAIN);

	*ret = text ? strdup(text) : NULL;
	return *ret ? 0 : -ENOMEM;
}

void emit_warn(struct emit *emit, const char *format, ...)
{
	_cleanup_(freep) char *text = NULL;
	struct json_object *value;
	va_list ap;
	int r;

	va_start(ap, format);
	r = vasprintf(&text, format, ap);
	va_end(ap);
	if (r < 0) {
		text = NULL;
		emit->failed = true;
		return;
	}
	/* The reader has a limit, and says how many it has left out; it need not have all of them for that. */
	if (!emit->warnings || json_object_array_length(emit->warnings) >= 256)
		return;
	value = json_object_new_string(text);
	if (value && json_object_array_add(emit->warnings, value) == 0)
		return;
	json_object_put(value);
	emit->failed = true;
}

void emit_text(struct emit *emit, struct json_object *object, const char *key, const char *value)
{
	if (value)
		put(emit, object, key, json_object_new_string(value));
}

void emit_number(struct emit *emit, struct json_object *object, const char *key, int64_t value)
{
	if (value >= 0)
		put(emit, object, key, json_object_new_int64(value));
}

struct json_object *emit_device(struct emit *emit, const char *name)
{
	struct json_object *device = append(emit, emit->devices);

	emit_text(emit, device, "name", name);
	emit_text(emit, device, "state", "unmanaged");
	put(emit, device, "regions", json_object_new_array());
	put(emit, device, "facts", json_object_new_array());
	return device;
}

struct json_object *emit_node(struct emit *emit, const char *name, const char *kind, const char *parent)
{
	struct json_object *node = append(emit, emit->nodes);

	emit_text(emit, node, "name", name);
	emit_text(emit, node, "kind", kind);
	emit_text(emit, node, "parent", parent);
	emit_text(emit, node, "source", emit->source);
	return node;
}

struct json_object *emit_link(struct emit *emit, const char *accessor, const char *owner, const char *type)
{
	struct json_object *link = append(emit, emit->links);

	emit_text(emit, link, "accessor", accessor);
	emit_text(emit, link, "owner", owner);
	emit_text(emit, link, "link_type", type);
	put(emit, link, "up", json_object_new_boolean(1));
	emit_text(emit, link, "source", emit->source);
	return link;
}

struct json_object *emit_attachment(struct emit *emit, const char *device, const char *node, const char *type)
{
	struct json_object *attachment = append(emit, emit->attachments);

	emit_text(emit, attachment, "device", device);
	emit_text(emit, attachment, "node", node);
	emit_text(emit, attachment, "link_type", type);
	emit_text(emit, attachment, "source", emit->source);
	return attachment;
}

struct json_object *emit_memory(struct emit *emit, const char *name)
{
	struct json_object *memory = append(emit, emit->memories);

	emit_text(emit, memory, "name", name);
	emit_text(emit, memory, "source", emit->source);
	return memory;
}

struct json_object *emit_access(struct emit *emit, const char *memory, const char *initiator)
{
	struct json_object *access = append(emit, emit->accesses);

	emit_text(emit, access, "memory", memory);
	emit_text(emit, access, "initiator", initiator);
	emit_text(emit, access, "source", emit->source);
	return access;
}

void emit_fact(struct emit *emit, struct json_object *device, const char *fact, const char *confidence)
{
	struct json_object *facts = NULL, *object;

	if (!device || !json_object_object_get_ex(device, "facts", &facts)) {
		emit->failed = true;
		return;
	}
	object = append(emit, facts);
	emit_text(emit, object, "fact", fact);
	emit_text(emit, object, "source", emit->source);
	emit_text(emit, object, "confidence", confidence);
}

void emit_device_uplink(struct emit *emit, struct json_object *device, const struct emit_uplink *uplink)
{
	emit_number(emit, device, "pci_speed_mtps", uplink->speed_mtps);
	emit_number(emit, device, "pci_width", uplink->width);
	emit_number(emit, device, "pci_bandwidth_mbps", uplink->bandwidth_mbps);
	emit_fact(emit, device, "pci_link", "reported");
}

void emit_node_uplink(struct emit *emit, struct json_object *node, const struct emit_uplink *uplink)
{
	emit_number(emit, node, "speed_mtps", uplink->speed_mtps);
	emit_number(emit, node, "width", uplink->width);
	emit_number(emit, node, "bandwidth_mbps", uplink->bandwidth_mbps);
}

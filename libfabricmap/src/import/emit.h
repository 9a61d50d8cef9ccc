/* SPDX-License-Identifier: MIT */
/*
 * emit - a topology of our own schema, put together piece by piece. Failures for want of memory are remembered, and told
 * in the end.
 */
#ifndef FABRICMAP_IMPORT_EMIT_H
#define FABRICMAP_IMPORT_EMIT_H

#include <stdbool.h>
#include <stdint.h>

struct json_object;

/* A number that is not known. */
enum { EMIT_UNKNOWN = -1 };

struct emit {
	const char *source; /* "nccl" or "hwloc" */
	struct json_object *root, *devices, *links, *nodes, *attachments, *memories, *accesses, *warnings;
	struct json_object *by_name; /* devices, nodes and whatever else is to be found again, by its name */
	bool failed;
};

void emit_init(struct emit *emit, const char *source);
void emit_fini(struct emit *emit);

/* JSON, the caller's; -ENOMEM if anything has failed. */
int emit_finish(struct emit *emit, char **ret);

void emit_warn(struct emit *emit, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Remember what belongs to @emit; NULL if that name is not there. */
void emit_remember(struct emit *emit, const char *name, struct json_object *object);
struct json_object *emit_recall(const struct emit *emit, const char *name);

/* NULL text, and EMIT_UNKNOWN numbers, are left out: unknown. */
void emit_text(struct emit *emit, struct json_object *object, const char *key, const char *value);
void emit_number(struct emit *emit, struct json_object *object, const char *key, int64_t value);

/* A link to what is above. */
struct emit_uplink {
	int64_t speed_mtps, width, bandwidth_mbps;
};

/* More keys may be added to what these return, which belongs to @emit and may be NULL. */
struct json_object *emit_device(struct emit *emit, const char *name);
struct json_object *emit_node(struct emit *emit, const char *name, const char *kind, const char *parent);
struct json_object *emit_link(struct emit *emit, const char *accessor, const char *owner, const char *type);
struct json_object *emit_attachment(struct emit *emit, const char *device, const char *node, const char *type);
struct json_object *emit_memory(struct emit *emit, const char *name);
struct json_object *emit_access(struct emit *emit, const char *memory, const char *initiator);

/* What a device's fact is known by: "reported", "derived" or "assumed". */
void emit_fact(struct emit *emit, struct json_object *device, const char *fact, const char *confidence);

/* Of a device (with pci_ before the keys, and its fact), or of a node. */
void emit_device_uplink(struct emit *emit, struct json_object *device, const struct emit_uplink *uplink);
void emit_node_uplink(struct emit *emit, struct json_object *node, const struct emit_uplink *uplink);

#endif

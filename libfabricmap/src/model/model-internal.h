/* SPDX-License-Identifier: MIT */
/* Inside of the model. */
#ifndef FABRICMAP_MODEL_INTERNAL_H
#define FABRICMAP_MODEL_INTERNAL_H

#include "model/index.h"
#include "model/model.h"

void topology_region_fini(struct topology_region *region);
void topology_link_fini(struct topology_link *link);
void topology_group_fini(struct topology_group *group);
void topology_node_fini(struct topology_node *node);
void topology_memory_fini(struct topology_memory *memory);
void topology_access_fini(struct topology_access *access);

/* ---- builder ---- */

/* Two names and what is between them. */
struct named_link {
	char *accessor, *owner;
	struct topology_link link;
};

struct named_attachment {
	char *device, *node;
	struct topology_attachment attachment;
};

struct named_access {
	char *memory;
	struct topology_access access;
};

struct named_group {
	struct topology_group group;
	char **members;
	size_t n_members;
};

struct topology_builder {
	enum topology_source source;
	enum topology_origin origin;
	int64_t generation;
	struct topology_device *devices;
	size_t n_devices, devices_size;
	struct name_index device_index;
	struct topology_node *nodes;
	size_t n_nodes, nodes_size;
	struct name_index node_index;
	struct topology_memory *memories;
	size_t n_memories, memories_size;
	struct name_index memory_index;
	struct named_link *links;
	size_t n_links, links_size;
	struct named_attachment *attachments;
	size_t n_attachments, attachments_size;
	struct named_access *accesses;
	size_t n_accesses, accesses_size;
	struct named_group *groups;
	size_t n_groups, groups_size;
	char **warnings;
	size_t n_warnings, warnings_size;
	uint64_t n_warnings_dropped;
};

/* ---- pair ---- */

/**
 * pair_resolve() - work out what topology_pair() needs, and everything that is called resolved
 * @builder: for warnings only
 *
 * Everything else of @topology is there and sorted.
 *
 * Return: 0 or -ENOMEM.
 */
int pair_resolve(struct topology *topology, struct topology_builder *builder);

#endif

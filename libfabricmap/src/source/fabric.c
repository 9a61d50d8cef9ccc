// SPDX-License-Identifier: MIT
/*
 * The fabric's sysfs, as in uapi/ABI/sysfs-class-drm_fabric. Whatever is not as it is written there costs a warning
 * and what it stands for, never the rest; only what is wrong with this process (memory, fds) ends the reading.
 *
 * Warnings begin with their name: "kernel part absent", "unreadable fabric", "unreadable device", "unreadable
 * region", "unreadable link", "unreadable group", "changed while reading"; the model adds more.
 */
#include "source/source.h"

#include "base/base.h"
#include "base/name.h"
#include "source/common.h"
#include "source/tree.h"

#include <stdio.h>
#include <string.h>

#define CLASS "class/drm_fabric"
#define GROUP_CLASS "class/drm_fabric_group"
#define UNMANAGED_CLASS "class/drm_fabric_unmanaged"

enum {
	/* Sizes of names in uapi/drm/drm_fabric.h, with the NUL. */
	DEVICE_NAME_SIZE = 32,
	REGION_NAME_SIZE = 16,
	GROUP_NAME_SIZE = 64,
	REGIONS_MAX = 64,
	GROUPS_MAX = 4096,
	N_TRIES = 5,
};

/* 1: read, 0: left out, with a warning. */
static int read_region(struct topology_builder *builder, int regions_fd, const char *device, const char *name,
		       struct topology_region *ret)
{
	_cleanup_(closep) int fd = -1;
	_cleanup_(freep) char *object = NULL;
	_cleanup_(freep) char *pagemap = NULL;
	struct topology_region region = { 0 };
	const struct {
		const char *name;
		int64_t *ret;
	} needed[] = {
		{ "size_bytes", &region.size_bytes },
		{ "free_bytes", &region.free_bytes },
		{ "resident_bytes", &region.resident_bytes },
	};
	int r;

	if (asprintf(&object, "unreadable region: %s/%s", device, name) < 0) {
		object = NULL;
		return -ENOMEM;
	}
	fd = tree_open_subfolder(regions_fd, name);
	if (fd < 0) {
		r = fd;
		return source_is_fatal(r) ? r : topology_builder_warn(builder, "%s: %s", object, tree_strerror(r));
	}
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		r = tree_read_number(fd, needed[i].name, needed[i].ret);
		if (source_is_fatal(r))
			return r;
		if (r < 0)
			return topology_builder_warn(builder, "%s: %s: %s: left out", object, needed[i].name,
						     tree_strerror(r));
	}
	if (region.free_bytes > region.size_bytes)
		return topology_builder_warn(builder, "%s: free_bytes is above size_bytes: left out", object);
	r = source_read_text(builder, fd, object, "pagemap_state", &pagemap);
	if (r == 0)
		r = source_read_number(builder, fd, object, "dead_bytes", &region.dead_bytes);
	if (r == 0)
		r = source_read_number(builder, fd, object, "pagemap_refs_handles", &region.pagemap_refs_handles);
	if (r == 0)
		r = source_read_number(builder, fd, object, "pagemap_refs_pages", &region.pagemap_refs_pages);
	if (r == 0)
		r = source_read_number(builder, fd, object, "pagemap_refs_mappings", &region.pagemap_refs_mappings);
	if (r < 0)
		return r;
	region.pagemap = pagemap ? topology_pagemap_from_string(pagemap) : TOPOLOGY_PAGEMAP_UNKNOWN;
	region.name = strdup(name);
	if (!region.name)
		return -ENOMEM;
	*ret = region;
	return 1;
}

static int read_regions(struct topology_builder *builder, int device_fd, struct topology_device *device)
{
	_cleanup_(tree_list_fini) struct tree_list list = { 0 };
	_cleanup_(closep) int fd = -1;
	int r;

	fd = tree_open_subfolder(device_fd, "regions");
	r = fd < 0 ? fd : tree_list(fd, REGIONS_MAX, &list);
	/* A device may have no memory of its own to offer. */
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return source_is_fatal(r) ? r :
					    topology_builder_warn(builder, "unreadable device: %s: regions: %s",
								  device->name, tree_strerror(r));
	device->regions = calloc(list.n_names ? list.n_names : 1, sizeof(*device->regions));
	if (!device->regions)
		return -ENOMEM;
	for (size_t i = 0; i < list.n_names; i++) {
		if (!name_is_good(list.names[i], REGION_NAME_SIZE)) {
			r = source_warn_bad_name(builder, "region", list.names[i]);
			if (r < 0)
				return r;
			continue;
		}
		r = read_region(builder, fd, device->name, list.names[i], &device->regions[device->n_regions]);
		if (r < 0)
			return r;
		if (r > 0)
			device->n_regions++;
	}
	return 0;
}

static int read_link(struct topology_builder *builder, int links_fd, const char *accessor, const char *owner)
{
	_cleanup_(freep) char *object = NULL;
	_cleanup_(freep) char *type = NULL;
	_cleanup_(freep) char *state = NULL;
	_cleanup_(freep) char *why_not = NULL;
	_cleanup_(freep) char *provenance = NULL;
	_cleanup_(closep) int fd = -1;
	struct topology_link link = { 0 };
	int r;

	if (asprintf(&object, "unreadable link: %s -> %s", accessor, owner) < 0) {
		object = NULL;
		return -ENOMEM;
	}
	fd = tree_open_subfolder(links_fd, owner);
	if (fd < 0) {
		r = fd;
		return source_is_fatal(r) ? r : topology_builder_warn(builder, "%s: %s", object, tree_strerror(r));
	}
	r = tree_read(fd, "type", TREE_VALUE_MAX_BYTES, &type);
	if (r == 0) {
		link.type = topology_link_type_from_string(type);
		/* A newer kernel may know more types: this one cannot be told to anybody. */
		if (!link.type)
			r = -EINVAL;
	}
	if (r < 0)
		return source_is_fatal(r) ?
			       r :
			       topology_builder_warn(builder, "%s: type: %s: left out", object, tree_strerror(r));
	r = tree_read(fd, "state", TREE_VALUE_MAX_BYTES, &state);
	if (r == 0 && strcmp(state, "up") && strcmp(state, "down"))
		r = -EINVAL;
	if (r < 0)
		return source_is_fatal(r) ?
			       r :
			       topology_builder_warn(builder, "%s: state: %s: left out", object, tree_strerror(r));
	link.up = !strcmp(state, "up");
	r = source_read_text(builder, fd, object, "why_not", &why_not);
	if (r == 0)
		r = source_read_text(builder, fd, object, "provenance", &provenance);
	if (r == 0)
		r = source_read_number(builder, fd, object, "read_bandwidth", &link.read_bandwidth_mbps);
	if (r == 0)
		r = source_read_number(builder, fd, object, "write_bandwidth", &link.write_bandwidth_mbps);
	if (r == 0)
		r = source_read_number(builder, fd, object, "read_latency", &link.read_latency_ns);
	if (r == 0)
		r = source_read_number(builder, fd, object, "write_latency", &link.write_latency_ns);
	if (r == 0)
		r = source_read_number(builder, fd, object, "hops", &link.hops);
	if (r == 0)
		r = source_read_number(builder, fd, object, "measured_at_s", &link.measured_at_s);
	if (r < 0)
		return r;
	link.why_not = why_not;
	link.provenance = provenance;
	return topology_builder_add_link(builder, accessor, owner, &link);
}

static int read_links(struct topology_builder *builder, int device_fd, const char *accessor)
{
	_cleanup_(tree_list_fini) struct tree_list list = { 0 };
	_cleanup_(closep) int fd = -1;
	int r;

	fd = tree_open_subfolder(device_fd, "links");
	r = fd < 0 ? fd : tree_list(fd, TOPOLOGY_DEVICES_MAX, &list);
	/* The only device of a fabric has no links. */
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return source_is_fatal(r) ? r :
					    topology_builder_warn(builder, "unreadable device: %s: links: %s", accessor,
								  tree_strerror(r));
	for (size_t i = 0; i < list.n_names; i++) {
		if (!name_is_good(list.names[i], DEVICE_NAME_SIZE))
			r = source_warn_bad_name(builder, "link", list.names[i]);
		else
			r = read_link(builder, fd, accessor, list.names[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_device(struct topology_builder *builder, int root_fd, const char *name)
{
	struct topology_device device = { .name = (char *)name };
	_cleanup_(freep) char *path = NULL;
	_cleanup_(freep) char *object = NULL;
	_cleanup_(freep) char *state = NULL;
	_cleanup_(freep) char *driver = NULL;
	_cleanup_(freep) char *render_node = NULL;
	_cleanup_(freep) char *render_path = NULL;
	_cleanup_(closep) int fd = -1;
	int r;

	if (asprintf(&path, CLASS "/%s", name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (asprintf(&object, "unreadable device: %s", name) < 0) {
		object = NULL;
		return -ENOMEM;
	}
	fd = tree_open_folder(root_fd, path);
	if (fd < 0) {
		r = fd;
		return source_is_fatal(r) ?
			       r :
			       topology_builder_warn(builder, "%s: %s", object,
						     r == -ENOENT ? "its link leads nowhere" : tree_strerror(r));
	}
	r = tree_read(fd, "state", TREE_VALUE_MAX_BYTES, &state);
	if (r == 0) {
		device.state = topology_state_from_string(state);
		if (!device.state)
			r = -EINVAL;
	}
	if (r < 0)
		return source_is_fatal(r) ?
			       r :
			       topology_builder_warn(builder, "%s: state: %s: left out", object, tree_strerror(r));

	r = source_read_text(builder, fd, object, "driver", &driver);
	if (r == 0)
		r = source_read_text(builder, fd, object, "render_node", &render_node);
	if (r == 0)
		r = source_read_number(builder, fd, object, "numa_node", &device.numa_node);
	if (r == 0)
		r = source_read_number(builder, fd, object, "incarnation", &device.incarnation);
	if (r == 0)
		r = source_read_number(builder, fd, object, "handles", &device.n_handles);
	/* Every kernel part says these two. */
	if (r == 0 && device.incarnation == TOPOLOGY_UNKNOWN)
		r = topology_builder_warn(builder, "%s: incarnation: unknown", object);
	if (r == 0 && device.n_handles == TOPOLOGY_UNKNOWN)
		r = topology_builder_warn(builder, "%s: handles: unknown", object);
	/* It becomes part of a path in /dev. */
	if (r == 0 && render_node) {
		const char *digits = strncmp(render_node, "renderD", 7) ? "" : render_node + 7;

		if (!*digits || digits[strspn(digits, "0123456789")])
			r = topology_builder_warn(builder, "%s: render_node: %s", object, tree_strerror(-EINVAL));
		else if (asprintf(&render_path, "/dev/dri/%s", render_node) < 0) {
			render_path = NULL;
			r = -ENOMEM;
		}
	}
	if (r < 0)
		return r;
	device.driver = driver;
	device.render_node = render_path;
	r = read_regions(builder, fd, &device);
	if (r == 0)
		r = topology_builder_add_device(builder, &device);
	for (size_t i = 0; i < device.n_regions; i++)
		free(device.regions[i].name);
	free(device.regions);
	if (r < 0)
		return r;
	return read_links(builder, fd, name);
}

/* Files named after devices of the fabric, with a number each. */
static int read_distances(struct topology_builder *builder, int device_fd, const char *object,
			  struct topology_device *device)
{
	_cleanup_(tree_list_fini) struct tree_list list = { 0 };
	_cleanup_(closep) int fd = -1;
	int r;

	fd = tree_open_subfolder(device_fd, "distances");
	r = fd < 0 ? fd : tree_list_files(fd, TOPOLOGY_DEVICES_MAX, &list);
	if (source_is_absent(r))
		return 0;
	if (r < 0)
		return source_is_fatal(r) ?
			       r :
			       topology_builder_warn(builder, "%s: distances: %s", object, tree_strerror(r));
	device->distances = calloc(list.n_names ? list.n_names : 1, sizeof(*device->distances));
	if (!device->distances)
		return -ENOMEM;
	for (size_t i = 0; i < list.n_names; i++) {
		struct topology_distance distance;

		if (!name_is_good(list.names[i], DEVICE_NAME_SIZE))
			r = source_warn_bad_name(builder, "distance", list.names[i]);
		else
			r = source_read_number(builder, fd, object, list.names[i], &distance.distance);
		if (r < 0)
			return r;
		if (!name_is_good(list.names[i], DEVICE_NAME_SIZE) || distance.distance == TOPOLOGY_UNKNOWN)
			continue;
		distance.device = strdup(list.names[i]);
		if (!distance.device)
			return -ENOMEM;
		device->distances[device->n_distances++] = distance;
	}
	return 0;
}

static int read_unmanaged_device(struct topology_builder *builder, int root_fd, const char *name)
{
	_cleanup_(topology_device_fini) struct topology_device device = {
		.state = TOPOLOGY_STATE_UNMANAGED,
		.incarnation = TOPOLOGY_UNKNOWN,
		.n_handles = TOPOLOGY_UNKNOWN,
	};
	_cleanup_(freep) char *path = NULL;
	_cleanup_(freep) char *object = NULL;
	_cleanup_(closep) int fd = -1;
	int r;

	if (asprintf(&path, UNMANAGED_CLASS "/%s", name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (asprintf(&object, "unreadable device: %s", name) < 0) {
		object = NULL;
		return -ENOMEM;
	}
	device.name = strdup(name);
	if (!device.name)
		return -ENOMEM;
	fd = tree_open_folder(root_fd, path);
	/* It went while we were reading. */
	if (source_is_absent(fd))
		return 0;
	if (fd < 0)
		return source_is_fatal(fd) ? fd : topology_builder_warn(builder, "%s: %s", object, tree_strerror(fd));
	r = source_read_text(builder, fd, object, "driver", &device.driver);
	if (r == 0)
		r = source_read_text(builder, fd, object, "pci_class", &device.pci_class);
	if (r == 0)
		r = source_read_text(builder, fd, object, "upstream_bridge", &device.upstream_bridge);
	if (r == 0)
		r = source_read_number(builder, fd, object, "numa_node", &device.numa_node);
	if (r == 0)
		r = read_distances(builder, fd, object, &device);
	if (r == 0)
		r = topology_builder_add_device(builder, &device);
	return r == -E2BIG ? topology_builder_warn(builder, "too many devices: unmanaged ones are left out") : r;
}

/* GPUs and accelerators that are not in the fabric. */
static int read_unmanaged(struct topology_builder *builder, int root_fd)
{
	_cleanup_(tree_list_fini) struct tree_list list = { 0 };
	_cleanup_(closep) int fd = -1;
	int r;

	fd = tree_open_folder(root_fd, UNMANAGED_CLASS);
	r = fd < 0 ? fd : tree_list(fd, TOPOLOGY_DEVICES_MAX, &list);
	/* An older kernel part does not list them. */
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return source_is_fatal(r) ?
			       r :
			       topology_builder_warn(builder, "unreadable fabric: drm_fabric_unmanaged: %s",
						     tree_strerror(r));
	for (size_t i = 0; i < list.n_names; i++) {
		if (!name_is_good(list.names[i], DEVICE_NAME_SIZE))
			r = source_warn_bad_name(builder, "device", list.names[i]);
		else
			r = read_unmanaged_device(builder, root_fd, list.names[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_group(struct topology_builder *builder, int root_fd, const char *id)
{
	_cleanup_(freep) char *path = NULL;
	_cleanup_(freep) char *type_name = NULL;
	_cleanup_(freep) char *text = NULL;
	_cleanup_(freep) const char **members = NULL;
	_cleanup_(closep) int fd = -1;
	enum topology_link_type type = 0;
	size_t n_members = 0;
	char *state = NULL;
	int r;

	if (asprintf(&path, GROUP_CLASS "/%s", id) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	fd = tree_open_folder(root_fd, path);
	r = fd < 0 ? fd : tree_read(fd, "link_type", TREE_VALUE_MAX_BYTES, &type_name);
	if (r == 0) {
		type = topology_link_type_from_string(type_name);
		if (!type)
			r = -EINVAL;
	}
	if (r == 0)
		r = tree_read(fd, "members", TREE_LIST_VALUE_MAX_BYTES, &text);
	if (r < 0)
		return source_is_fatal(r) ?
			       r :
			       topology_builder_warn(builder, "unreadable group: %s: %s", id, tree_strerror(r));
	members = calloc(strlen(text) / 2 + 1, sizeof(*members));
	if (!members)
		return -ENOMEM;
	for (char *member = strtok_r(text, " ", &state); member; member = strtok_r(NULL, " ", &state))
		members[n_members++] = member;
	return topology_builder_add_group(builder, id, type, members, n_members);
}

static int read_groups(struct topology_builder *builder, int root_fd)
{
	_cleanup_(tree_list_fini) struct tree_list list = { 0 };
	_cleanup_(closep) int fd = -1;
	int r;

	fd = tree_open_folder(root_fd, GROUP_CLASS);
	r = fd < 0 ? fd : tree_list(fd, GROUPS_MAX, &list);
	if (r < 0)
		return source_is_fatal(r) ? r :
					    topology_builder_warn(builder, "unreadable fabric: drm_fabric_group: %s",
								  tree_strerror(r));
	for (size_t i = 0; i < list.n_names; i++) {
		if (!name_is_good(list.names[i], GROUP_NAME_SIZE))
			r = source_warn_bad_name(builder, "group", list.names[i]);
		else
			r = read_group(builder, root_fd, list.names[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* 0 and unknown are the same here: no generation. */
static int64_t read_generation(int class_fd, int *ret_r)
{
	int64_t generation = 0;

	*ret_r = tree_read_number(class_fd, "generation", &generation);
	return *ret_r < 0 ? 0 : generation;
}

static int read_absent(int reason, struct topology **ret)
{
	_cleanup_(topology_builder_freep) struct topology_builder *builder = NULL;
	int r;

	r = topology_builder_new(TOPOLOGY_SOURCE_PARTIAL, 0, &builder);
	if (r < 0)
		return r;
	if (reason == -ENOENT)
		r = topology_builder_warn(builder,
					  "kernel part absent: no " CLASS " in sysfs (as root: modprobe drm_fabric)");
	else
		r = topology_builder_warn(builder, "unreadable fabric: " CLASS ": %s", tree_strerror(reason));
	if (r < 0)
		return r;
	return topology_builder_finish(builder, ret);
}

/* 1: read, but the generation moved meanwhile. */
static int read_once(int root_fd, bool last_try, struct topology **ret)
{
	_cleanup_(topology_builder_freep) struct topology_builder *builder = NULL;
	_cleanup_(tree_list_fini) struct tree_list list = { 0 };
	_cleanup_(closep) int class_fd = -1;
	int64_t generation;
	int r, generation_r;

	class_fd = tree_open_folder(root_fd, CLASS);
	if (class_fd < 0)
		return source_is_fatal(class_fd) ? class_fd : read_absent(class_fd, ret);
	generation = read_generation(class_fd, &generation_r);
	if (source_is_fatal(generation_r))
		return generation_r;
	r = topology_builder_new(TOPOLOGY_SOURCE_KERNEL, generation, &builder);
	if (r == 0 && generation_r < 0)
		r = topology_builder_warn(builder, "unreadable fabric: generation: %s", tree_strerror(generation_r));
	if (r < 0)
		return r;

	r = tree_list(class_fd, TOPOLOGY_DEVICES_MAX, &list);
	if (r < 0)
		return source_is_fatal(r) ? r : read_absent(r, ret);
	for (size_t i = 0; i < list.n_names; i++) {
		if (!name_is_good(list.names[i], DEVICE_NAME_SIZE))
			r = source_warn_bad_name(builder, "device", list.names[i]);
		else
			r = read_device(builder, root_fd, list.names[i]);
		if (r < 0)
			return r;
	}
	r = read_groups(builder, root_fd);
	if (r == 0)
		r = read_unmanaged(builder, root_fd);
	if (r < 0)
		return r;
	if (read_generation(class_fd, &r) != generation) {
		if (!last_try)
			return 1;
		r = topology_builder_warn(builder, "changed while reading: parts may not fit together");
		if (r < 0)
			return r;
	}
	return topology_builder_finish(builder, ret);
}

int source_fabric_read(const char *root, struct topology **ret)
{
	_cleanup_(closep) int root_fd = -1;
	int r = 1;

	root_fd = tree_open(root);
	if (root_fd < 0)
		return root_fd;
	for (unsigned int i = 0; r == 1 && i < N_TRIES; i++)
		r = read_once(root_fd, i + 1 == N_TRIES, ret);
	return r;
}

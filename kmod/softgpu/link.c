// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Links that are declared, not found: /sys/bus/softgpu/link and unlink.
 *
 * A table by the names of both ends, for the ends may come later and come again. What it says of a
 * pair replaces what the machine says; "none" is a link that is cut. The accessor's side counts.
 *
 * links_lock guards the table. It is taken in describe_link, with the core's registry held, so the
 * core is told of a change after it has been given up.
 */
#include <linux/kstrtox.h>
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <uapi/drm/drm_fabric.h>

#include "softgpu.h"

struct softgpu_link {
	struct list_head link;
	char accessor[DRM_FABRIC_DEVICE_NAME_SIZE];
	char owner[DRM_FABRIC_DEVICE_NAME_SIZE];
	struct drm_fabric_link_desc desc;
};

static DEFINE_MUTEX(links_lock);
static LIST_HEAD(links);

static const char why_cut[] = "cut: declared as none in /sys/bus/softgpu/link";
static const char why_not_declared[] = "no link is declared: see /sys/bus/softgpu/link";

/* As the core calls them in sysfs. What PCI links there are the machine tells. */
static const struct {
	const char *name;
	enum drm_fabric_link_type type;
} softgpu_link_types[] = {
	{ "none", DRM_FABRIC_LINK_NONE },	{ "xgmi", DRM_FABRIC_LINK_XGMI },
	{ "nvlink", DRM_FABRIC_LINK_NVLINK },	{ "xe_link", DRM_FABRIC_LINK_XE_LINK },
	{ "cxl", DRM_FABRIC_LINK_CXL },		{ "softgpu", DRM_FABRIC_LINK_SOFTGPU },
};

static struct softgpu_link *softgpu_link_find(const char *accessor, const char *owner)
{
	struct softgpu_link *link;

	lockdep_assert_held(&links_lock);

	list_for_each_entry(link, &links, link)
		if (!strcmp(link->accessor, accessor) && !strcmp(link->owner, owner))
			return link;
	return NULL;
}

/* drm_fabric_device_ops.describe_link */
void softgpu_link_describe(struct device *accessor, struct device *owner,
			   struct drm_fabric_link_desc *desc)
{
	struct softgpu_link *link;

	guard(mutex)(&links_lock);

	link = softgpu_link_find(dev_name(accessor), dev_name(owner));
	if (link)
		*desc = link->desc;
	else if (!dev_is_pci(accessor) || !dev_is_pci(owner))
		desc->why_not = why_not_declared;
}

/* A name that a device can have. */
static bool softgpu_link_name_ok(const char *name)
{
	return strlen(name) < DRM_FABRIC_DEVICE_NAME_SIZE && !strchr(name, '/');
}

static bool softgpu_link_ends_ok(const char *accessor, const char *owner)
{
	return softgpu_link_name_ok(accessor) && softgpu_link_name_ok(owner) &&
	       strcmp(accessor, owner);
}

static int softgpu_link_parse(char **argv, int argc, struct drm_fabric_link_desc *ret_desc)
{
	struct drm_fabric_link_desc desc = { .up = true, .hops = 1 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(softgpu_link_types); i++)
		if (!strcmp(argv[0], softgpu_link_types[i].name))
			break;
	if (i == ARRAY_SIZE(softgpu_link_types))
		return -EINVAL;

	desc.type = softgpu_link_types[i].type;
	if (desc.type == DRM_FABRIC_LINK_NONE) {
		*ret_desc = (struct drm_fabric_link_desc){ .why_not = why_cut };
		return argc == 1 ? 0 : -EINVAL;
	}

	if (argc < 3 || argc > 4 || kstrtou32(argv[1], 10, &desc.read_bandwidth_mbps) ||
	    kstrtou32(argv[2], 10, &desc.write_bandwidth_mbps))
		return -EINVAL;
	if (argc == 4 && kstrtou32(argv[3], 10, &desc.read_latency_ns))
		return -EINVAL;
	desc.write_latency_ns = desc.read_latency_ns;
	if (desc.read_bandwidth_mbps || desc.write_bandwidth_mbps || desc.read_latency_ns)
		desc.provenance = DRM_FABRIC_PROVENANCE_NOMINAL;
	*ret_desc = desc;
	return 0;
}

/**
 * softgpu_link_declare() - say how one device reaches another
 * @argv: ACCESSOR OWNER TYPE and its figures, as in uapi/ABI/sysfs-bus-softgpu
 * @argc: number of words
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
int softgpu_link_declare(char **argv, int argc)
{
	struct softgpu_link *link, *found;
	int err;

	if (argc < 3 || !softgpu_link_ends_ok(argv[0], argv[1]))
		return -EINVAL;

	link = kzalloc_obj(*link);
	if (!link)
		return -ENOMEM;
	strscpy(link->accessor, argv[0]);
	strscpy(link->owner, argv[1]);
	err = softgpu_link_parse(argv + 2, argc - 2, &link->desc);
	if (err) {
		kfree(link);
		return err;
	}

	scoped_guard(mutex, &links_lock) {
		found = softgpu_link_find(argv[0], argv[1]);
		if (found)
			list_replace(&found->link, &link->link);
		else
			list_add_tail(&link->link, &links);
	}
	kfree(found);

	softgpu_device_links_changed(argv[0]);
	return 0;
}

/**
 * softgpu_link_forget() - let the machine say again how one device reaches another
 * @argv: ACCESSOR OWNER
 * @argc: number of words
 *
 * Return: 0, -EINVAL, -ENOENT (nothing is declared).
 */
int softgpu_link_forget(char **argv, int argc)
{
	struct softgpu_link *link;

	if (argc != 2 || !softgpu_link_ends_ok(argv[0], argv[1]))
		return -EINVAL;

	scoped_guard(mutex, &links_lock) {
		link = softgpu_link_find(argv[0], argv[1]);
		if (link)
			list_del(&link->link);
	}
	if (!link)
		return -ENOENT;
	kfree(link);

	softgpu_device_links_changed(argv[0]);
	return 0;
}

/* The module goes, and all devices have. */
void softgpu_links_free(void)
{
	struct softgpu_link *link, *next;

	list_for_each_entry_safe(link, next, &links, link)
		kfree(link);
}

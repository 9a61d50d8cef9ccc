// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Groups: connected components of devices whose links of one type are up in both directions. A
 * device without memory only accesses others: of its links the one direction that leads to memory
 * counts.
 *
 * Worked out afresh whenever a device comes or goes or a link changes, and named after what is in
 * them, so that the order in which devices came does not show. Under fabric_registry.
 */
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/sysfs.h>

#include "fabric.h"

struct fabric_group {
	struct device dev;
	struct list_head link;
	enum drm_fabric_link_type type;
	unsigned int n_devices;
	u64 generation;
	char *members;
	bool seen;
	struct mutex lock; /* @n_devices, @generation, @members against readers of the files */
};

static LIST_HEAD(groups);

static struct fabric_group *to_fabric_group(struct device *dev)
{
	return container_of(dev, struct fabric_group, dev);
}

static ssize_t link_type_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", fabric_link_type_name(to_fabric_group(dev)->type));
}
static DEVICE_ATTR_RO(link_type);

static ssize_t n_devices_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct fabric_group *group = to_fabric_group(dev);

	guard(mutex)(&group->lock);
	return sysfs_emit(buf, "%u\n", group->n_devices);
}
static DEVICE_ATTR_RO(n_devices);

static ssize_t members_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct fabric_group *group = to_fabric_group(dev);

	guard(mutex)(&group->lock);
	return sysfs_emit(buf, "%s\n", group->members);
}
static DEVICE_ATTR_RO(members);

static ssize_t generation_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct fabric_group *group = to_fabric_group(dev);

	guard(mutex)(&group->lock);
	return sysfs_emit(buf, "%llu\n", group->generation);
}
static DEVICE_ATTR_RO(generation);

static struct attribute *fabric_group_attrs[] = {
	&dev_attr_link_type.attr,
	&dev_attr_n_devices.attr,
	&dev_attr_members.attr,
	&dev_attr_generation.attr,
	NULL,
};
ATTRIBUTE_GROUPS(fabric_group);

static void fabric_group_release(struct device *dev)
{
	struct fabric_group *group = to_fabric_group(dev);

	kfree(group->members);
	kfree(group);
}

static bool reaches(struct drm_fabric_device *accessor, struct drm_fabric_device *owner,
		    enum drm_fabric_link_type type)
{
	const struct drm_fabric_link_desc *desc = fabric_link_desc(accessor, owner);

	return !owner->n_regions || (desc && desc->type == type && desc->up);
}

static bool linked(struct drm_fabric_device *a, struct drm_fabric_device *b,
		   enum drm_fabric_link_type type)
{
	return (a->n_regions || b->n_regions) && reaches(a, b, type) && reaches(b, a, type);
}

/* Devices of a group that is not what it was. */
static void mark_members(const char *members)
{
	struct drm_fabric_device *fdev;

	list_for_each_entry(fdev, &fabric_devices, link) {
		const char *name = dev_name(&fdev->dev), *at = members;
		size_t len = strlen(name);

		while ((at = strstr(at, name))) {
			if ((at == members || at[-1] == ' ') && (at[len] == ' ' || !at[len]))
				fdev->changed = true;
			at += len;
		}
	}
}

/*
 * The group of that name becomes, or stays, one of @members. Takes @members over.
 * Return: 1 if that is new, 0 if not, or a negative errno.
 */
static int fabric_group_publish(enum drm_fabric_link_type type, const char *lowest, char *members,
				unsigned int n_devices)
{
	struct fabric_group *group;
	int err;

	list_for_each_entry(group, &groups, link) {
		if (group->type != type ||
		    strcmp(dev_name(&group->dev) + strlen(fabric_link_type_name(type)) + 1, lowest))
			continue;
		group->seen = true;
		guard(mutex)(&group->lock);
		if (!strcmp(group->members, members)) {
			kfree(members);
			return 0;
		}
		mark_members(group->members);
		kfree(group->members);
		group->members = members;
		group->n_devices = n_devices;
		group->generation = fabric_generation_bump();
		kobject_uevent(&group->dev.kobj, KOBJ_CHANGE);
		return 1;
	}

	group = kzalloc_obj(*group);
	if (!group) {
		kfree(members);
		return -ENOMEM;
	}
	device_initialize(&group->dev);
	group->dev.class = &fabric_group_class;
	group->dev.groups = fabric_group_groups;
	group->dev.release = fabric_group_release;
	mutex_init(&group->lock);
	group->type = type;
	group->members = members;
	group->n_devices = n_devices;
	group->generation = fabric_generation_bump();
	group->seen = true;
	err = dev_set_name(&group->dev, "%s-%s", fabric_link_type_name(type), lowest);
	if (!err)
		err = device_add(&group->dev);
	if (err) {
		put_device(&group->dev);
		return err;
	}
	list_add_tail(&group->link, &groups);
	return 1;
}

static int cmp_name(const void *a, const void *b)
{
	const struct drm_fabric_device *const *x = a, *const *y = b;

	return strcmp(dev_name(&(*x)->dev), dev_name(&(*y)->dev));
}

/*
 * Collect the component of devs[first] in @members; returns how many. @done: in a component
 * already.
 */
static unsigned int component(struct drm_fabric_device **devs, unsigned int n, unsigned int first,
			      enum drm_fabric_link_type type, bool *done,
			      struct drm_fabric_device **members)
{
	unsigned int n_members = 0;

	members[n_members++] = devs[first];
	done[first] = true;
	for (unsigned int i = 0; i < n_members; i++) {
		for (unsigned int j = 0; j < n; j++) {
			if (done[j] || !linked(members[i], devs[j], type))
				continue;
			done[j] = true;
			members[n_members++] = devs[j];
		}
	}
	sort(members, n_members, sizeof(*members), cmp_name, NULL);
	return n_members;
}

static int fabric_groups_of_type(struct drm_fabric_device **devs, unsigned int n,
				 enum drm_fabric_link_type type, bool *done,
				 struct drm_fabric_device **members)
{
	memset(done, 0, n * sizeof(*done));
	for (unsigned int i = 0; i < n; i++) {
		unsigned int n_members;
		size_t len = 0, size;
		char *names;
		int err;

		if (done[i])
			continue;
		n_members = component(devs, n, i, type, done, members);
		if (n_members < 2)
			continue;
		/* A sysfs file ends at a page; more names than fit are cut, n_devices tells. */
		size = min_t(size_t, n_members * DRM_FABRIC_DEVICE_NAME_SIZE, PAGE_SIZE - 1);
		names = kzalloc(size, GFP_KERNEL);
		if (!names)
			return -ENOMEM;
		for (unsigned int j = 0; j < n_members; j++)
			len += scnprintf(names + len, size - len, "%s%s", j ? " " : "",
					 dev_name(&members[j]->dev));
		err = fabric_group_publish(type, dev_name(&members[0]->dev), names, n_members);
		if (err < 0)
			return err;
		for (unsigned int j = 0; err && j < n_members; j++)
			members[j]->changed = true;
	}
	return 0;
}

/* Publish the groups of the @n devices. False: there is no memory to work them out. */
static bool fabric_groups_work_out(unsigned int n)
{
	struct drm_fabric_device *fdev, **devs, **members;
	unsigned int i = 0;
	bool *done;
	int err = 0;

	devs = kcalloc(n, sizeof(*devs), GFP_KERNEL);
	members = kcalloc(n, sizeof(*members), GFP_KERNEL);
	done = kcalloc(n, sizeof(*done), GFP_KERNEL);
	if (!devs || !members || !done) {
		pr_warn("drm_fabric: no memory to work out the groups: they are out of date\n");
		err = -ENOMEM;
		goto free;
	}
	list_for_each_entry(fdev, &fabric_devices, link)
		devs[i++] = fdev;
	for (int type = DRM_FABRIC_LINK_NONE + 1; type < DRM_FABRIC_N_LINK_TYPES && !err; type++)
		err = fabric_groups_of_type(devs, n, type, done, members);
	if (err)
		pr_warn("drm_fabric: cannot publish all groups (%d)\n", err);
	err = 0;
free:
	kfree(done);
	kfree(members);
	kfree(devs);
	return !err;
}

/* Marks members of groups that come, go or change: fabric_devices_tell() is due. */
void fabric_groups_update(void)
{
	struct fabric_group *group, *next;
	size_t n;

	lockdep_assert_held(&fabric_registry);
	list_for_each_entry(group, &groups, link)
		group->seen = false;
	/* One device is no group, and that takes no memory to say: the last leaves none. */
	n = list_count_nodes(&fabric_devices);
	if (n > 1 && !fabric_groups_work_out(n))
		return;

	list_for_each_entry_safe(group, next, &groups, link) {
		if (group->seen)
			continue;
		list_del(&group->link);
		mark_members(group->members);
		device_unregister(&group->dev);
	}
}

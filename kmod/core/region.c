// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A region of a device's memory, and its files in sysfs. Its struct pages: pagemap.c.
 */
#include <linux/mm.h>
#include <linux/sysfs.h>

#include "fabric.h"
#include "grant.h"

#define IDLE_TIMEOUT_MS 5000

struct drm_fabric_device *drm_fabric_region_device(const struct drm_fabric_region *region)
{
	return region->fdev;
}
EXPORT_SYMBOL_GPL(drm_fabric_region_device);

phys_addr_t drm_fabric_region_phys(const struct drm_fabric_region *region)
{
	return region->phys;
}
EXPORT_SYMBOL_GPL(drm_fabric_region_phys);

u64 drm_fabric_region_size(const struct drm_fabric_region *region)
{
	return region->size;
}
EXPORT_SYMBOL_GPL(drm_fabric_region_size);

/* Attribute files: a figure, or one of the few that are more. */
struct fabric_region_attribute {
	struct attribute attr;
	ssize_t (*show)(struct drm_fabric_region *region, char *buf);
	ssize_t (*store)(struct drm_fabric_region *region, const char *buf, size_t len);
};

static struct drm_fabric_region *to_fabric_region(struct kobject *kobj)
{
	return container_of(kobj, struct drm_fabric_region, kobj);
}

#define FABRIC_REGION_ATTR_RO(_name)                                  \
	static struct fabric_region_attribute region_attr_##_name = { \
		.attr = { .name = __stringify(_name), .mode = 0444 }, \
		.show = _name##_show,                                 \
	}

#define FABRIC_REGION_FIGURE(_name, _value)                                      \
	static ssize_t _name##_show(struct drm_fabric_region *region, char *buf) \
	{                                                                        \
		return sysfs_emit(buf, "%llu\n", (u64)(_value));                 \
	}                                                                        \
	FABRIC_REGION_ATTR_RO(_name)

FABRIC_REGION_FIGURE(size_bytes, region->size);
FABRIC_REGION_FIGURE(free_bytes, region->fdev->ops->free_bytes(region));
FABRIC_REGION_FIGURE(resident_bytes, fabric_region_resident(region));
FABRIC_REGION_FIGURE(dead_bytes, fabric_region_dead(region));
FABRIC_REGION_FIGURE(reserved_bytes, fabric_ledger_read(region, &region->ledger.reserved_bytes));
FABRIC_REGION_FIGURE(inherited_bytes,
		     fabric_ledger_read(region, &region->ledger.inherited_bytes));
FABRIC_REGION_FIGURE(pagemap_refs_handles, atomic_read(&region->n_handles));
FABRIC_REGION_FIGURE(pagemap_refs_pages, atomic64_read(&region->n_pages));
FABRIC_REGION_FIGURE(pagemap_refs_mappings, atomic64_read(&region->n_mappings));
FABRIC_REGION_FIGURE(pagemap_creations, atomic64_read(&region->pagemap_creations));
FABRIC_REGION_FIGURE(moved_in_bytes, atomic64_read(&region->moved_in_bytes));
FABRIC_REGION_FIGURE(moved_out_bytes, atomic64_read(&region->moved_out_bytes));
FABRIC_REGION_FIGURE(evicted_bytes, atomic64_read(&region->evicted_bytes));

static ssize_t pagemap_state_show(struct drm_fabric_region *region, char *buf)
{
	return sysfs_emit(buf, "%s\n", fabric_region_pagemap_state(region));
}
FABRIC_REGION_ATTR_RO(pagemap_state);

static ssize_t idle_timeout_ms_show(struct drm_fabric_region *region, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(region->idle_timeout_ms));
}

static ssize_t idle_timeout_ms_store(struct drm_fabric_region *region, const char *buf, size_t len)
{
	unsigned int ms;
	int err;

	err = kstrtouint(buf, 0, &ms);
	if (err)
		return err;
	WRITE_ONCE(region->idle_timeout_ms, ms);
	fabric_region_check_idle(region);
	return len;
}

static struct fabric_region_attribute region_attr_idle_timeout_ms =
	__ATTR(idle_timeout_ms, 0644, idle_timeout_ms_show, idle_timeout_ms_store);

static ssize_t trim_store(struct drm_fabric_region *region, const char *buf, size_t len)
{
	int err = fabric_parse_act(buf);

	if (!err)
		err = fabric_region_trim(region);
	return err ?: len;
}

static struct fabric_region_attribute region_attr_trim = __ATTR(trim, 0200, NULL, trim_store);

static ssize_t fabric_region_show(struct kobject *kobj, struct attribute *attr, char *buf)
{
	return container_of(attr, struct fabric_region_attribute, attr)
		->show(to_fabric_region(kobj), buf);
}

static ssize_t fabric_region_store(struct kobject *kobj, struct attribute *attr, const char *buf,
				   size_t len)
{
	return container_of(attr, struct fabric_region_attribute, attr)
		->store(to_fabric_region(kobj), buf, len);
}

static struct attribute *fabric_region_attrs[] = {
	&region_attr_size_bytes.attr,
	&region_attr_free_bytes.attr,
	&region_attr_resident_bytes.attr,
	&region_attr_dead_bytes.attr,
	&region_attr_reserved_bytes.attr,
	&region_attr_inherited_bytes.attr,
	&region_attr_pagemap_state.attr,
	&region_attr_pagemap_refs_handles.attr,
	&region_attr_pagemap_refs_pages.attr,
	&region_attr_pagemap_refs_mappings.attr,
	&region_attr_pagemap_creations.attr,
	&region_attr_idle_timeout_ms.attr,
	&region_attr_trim.attr,
	&region_attr_moved_in_bytes.attr,
	&region_attr_moved_out_bytes.attr,
	&region_attr_evicted_bytes.attr,
	NULL,
};
ATTRIBUTE_GROUPS(fabric_region);

static void fabric_region_idle_work(struct work_struct *work)
{
	struct drm_fabric_region *region =
		container_of(work, struct drm_fabric_region, idle_work.work);

	fabric_region_give_up_pagemap(region);
}

static void fabric_region_reclaim_work(struct work_struct *work)
{
	struct drm_fabric_region *region =
		container_of(work, struct drm_fabric_region, reclaim_work);

	fabric_region_give_up_pagemap(region);
}

static void fabric_region_release(struct kobject *kobj)
{
	kfree_rcu(to_fabric_region(kobj), rcu);
}

static const struct sysfs_ops fabric_region_sysfs_ops = {
	.show = fabric_region_show,
	.store = fabric_region_store,
};

static const struct kobj_type fabric_region_ktype = {
	.release = fabric_region_release,
	.sysfs_ops = &fabric_region_sysfs_ops,
	.default_groups = fabric_region_groups,
};

void fabric_region_init_lock(struct drm_fabric_region *region)
{
	mutex_init(&region->lock);
}

/* By its name, or NULL. @fdev holds it. */
struct drm_fabric_region *fabric_region_find(struct drm_fabric_device *fdev, const char *name)
{
	for (unsigned int i = 0; i < fdev->n_regions; i++)
		if (!strcmp(fdev->regions[i]->name, name))
			return fdev->regions[i];
	return NULL;
}

struct drm_fabric_region *fabric_region_create(struct drm_fabric_device *fdev,
					       const struct drm_fabric_region_desc *desc)
{
	struct drm_fabric_region *region;
	int err;

	if (!IS_ALIGNED(desc->size, PAGE_SIZE) || !desc->size ||
	    strlen(desc->name) >= DRM_FABRIC_REGION_NAME_SIZE)
		return ERR_PTR(-EINVAL);
	if (!fdev->ops->alloc || !fdev->ops->free || !fdev->ops->free_bytes || !fdev->ops->copy)
		return ERR_PTR(-EINVAL);
	region = kzalloc_obj(*region);
	if (!region)
		return ERR_PTR(-ENOMEM);
	region->fdev = fdev;
	strscpy(region->name, desc->name);
	region->phys = desc->phys;
	region->size = desc->size;
	region->idle_timeout_ms = IDLE_TIMEOUT_MS;
	fabric_region_init_lock(region);
	INIT_DELAYED_WORK(&region->idle_work, fabric_region_idle_work);
	INIT_WORK(&region->reclaim_work, fabric_region_reclaim_work);
	fabric_handles_init(region);
	fabric_ledger_init(&region->ledger);
	fabric_taken_init(region);
	err = kobject_init_and_add(&region->kobj, &fabric_region_ktype, fdev->regions_dir, "%s",
				   region->name);
	if (err) {
		kobject_put(&region->kobj);
		return ERR_PTR(err);
	}
	return region;
}

/* The device leaves: no files, no timer. The memory goes with the last reference. */
void fabric_region_remove(struct drm_fabric_region *region)
{
	disable_delayed_work_sync(&region->idle_work);
	disable_work_sync(&region->reclaim_work);
	disable_delayed_work_sync(&region->recall_work);
	kobject_del(&region->kobj);
}

void fabric_region_put(struct drm_fabric_region *region)
{
	kobject_put(&region->kobj);
}

// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A device in the fabric: joining and leaving, its files, and how it is found. What happens to it
 * in between is in state.c. The set of devices is under fabric_registry.
 */
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <linux/sysfs.h>

#include "fabric.h"
#include "lost.h"

/* Devices by parent, for device_map: read under RCU. */
static DEFINE_XARRAY(by_parent);
static unsigned long next_slot;

/*
 * How often a name has been used. Kept until the module goes: an incarnation must not come twice.
 */
struct fabric_name {
	struct list_head link;
	u64 incarnation;
	char name[];
};

static LIST_HEAD(names);

static u64 fabric_name_next(const char *name)
{
	struct fabric_name *n;

	lockdep_assert_held(&fabric_registry);
	list_for_each_entry(n, &names, link)
		if (!strcmp(n->name, name))
			return ++n->incarnation;
	n = kzalloc(struct_size(n, name, strlen(name) + 1), GFP_KERNEL);
	if (!n)
		return 0;
	strscpy(n->name, name, strlen(name) + 1);
	list_add(&n->link, &names);
	return ++n->incarnation;
}

void fabric_names_free(void)
{
	struct fabric_name *n, *next;

	list_for_each_entry_safe(n, next, &names, link) {
		list_del(&n->link);
		kfree(n);
	}
}

u64 fabric_device_resident(struct drm_fabric_device *fdev)
{
	u64 sum = 0;

	for (unsigned int i = 0; i < fdev->n_regions; i++)
		sum += fabric_region_resident(fdev->regions[i]);
	return sum;
}

u64 fabric_device_dead(struct drm_fabric_device *fdev)
{
	u64 sum = 0;

	for (unsigned int i = 0; i < fdev->n_regions; i++)
		sum += fabric_region_dead(fdev->regions[i]);
	return sum;
}

/* What every uevent of a device carries. */
int fabric_device_uevent(const struct device *dev, struct kobj_uevent_env *env)
{
	const struct drm_fabric_device *fdev =
		container_of_const(dev, struct drm_fabric_device, dev);
	int err;

	err = add_uevent_var(env, "DRM_FABRIC_STATE=%s", fabric_state_name(READ_ONCE(fdev->state)));
	if (err)
		return err;
	return add_uevent_var(env, "DRM_FABRIC_GENERATION=%llu", READ_ONCE(fdev->generation));
}

/* Something about @fdev, its links or its group is new. */
void fabric_device_changed(struct drm_fabric_device *fdev)
{
	WRITE_ONCE(fdev->generation, fabric_generation_bump());
	kobject_uevent(&fdev->dev.kobj, KOBJ_CHANGE);
}

/* Tell of all devices that are marked, each once, now that everything fits together. */
void fabric_devices_tell(void)
{
	struct drm_fabric_device *fdev;

	lockdep_assert_held(&fabric_registry);
	list_for_each_entry(fdev, &fabric_devices, link) {
		if (!fdev->changed)
			continue;
		fdev->changed = false;
		fabric_device_changed(fdev);
	}
}

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", fabric_state_name(READ_ONCE(to_fabric_device(dev)->state)));
}
static DEVICE_ATTR_RO(state);

static ssize_t incarnation_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", to_fabric_device(dev)->incarnation);
}
static DEVICE_ATTR_RO(incarnation);

static ssize_t generation_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", READ_ONCE(to_fabric_device(dev)->generation));
}
static DEVICE_ATTR_RO(generation);

static ssize_t numa_node_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", dev_to_node(dev->parent));
}
static DEVICE_ATTR_RO(numa_node);

static ssize_t driver_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", to_fabric_device(dev)->drm->driver->name);
}

static struct device_attribute dev_attr_driver_name = __ATTR(driver, 0444, driver_show, NULL);

static ssize_t render_node_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", dev_name(to_fabric_device(dev)->drm->render->kdev));
}
static DEVICE_ATTR_RO(render_node);

static ssize_t handles_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct drm_fabric_device *fdev = to_fabric_device(dev);
	/* The file is there before the regions are. */
	unsigned int n_regions = smp_load_acquire(&fdev->n_regions);
	int n = 0;

	for (unsigned int i = 0; i < n_regions; i++)
		n += atomic_read(&fdev->regions[i]->n_handles);
	return sysfs_emit(buf, "%d\n", n);
}
static DEVICE_ATTR_RO(handles);

static ssize_t evict_blocked_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", fabric_blocked_name(to_fabric_device(dev)));
}
static DEVICE_ATTR_RO(evict_blocked);

static ssize_t drain_store(struct device *dev, struct device_attribute *attr, const char *buf,
			   size_t len)
{
	bool on;
	int err;

	err = kstrtobool(buf, &on);
	if (err)
		return err;
	err = on ? fabric_device_drain(to_fabric_device(dev), 0, false) :
		   fabric_device_cancel(to_fabric_device(dev));
	return err ?: len;
}
static DEVICE_ATTR_WO(drain);

/* Whoever writes to a file does not wait for the end. */
static ssize_t fabric_act_store(struct device *dev, const char *buf, size_t len,
				int (*act)(struct drm_fabric_device *fdev,
					   unsigned int *n_cancels))
{
	unsigned int n_cancels;
	int err = fabric_parse_act(buf);

	if (!err)
		err = act(to_fabric_device(dev), &n_cancels);
	return err ?: len;
}

static ssize_t evict_store(struct device *dev, struct device_attribute *attr, const char *buf,
			   size_t len)
{
	return fabric_act_store(dev, buf, len, fabric_device_evict);
}
static DEVICE_ATTR_WO(evict);

static ssize_t unbind_store(struct device *dev, struct device_attribute *attr, const char *buf,
			    size_t len)
{
	return fabric_act_store(dev, buf, len, fabric_device_unbind);
}
static DEVICE_ATTR_WO(unbind);

static ssize_t abandon_store(struct device *dev, struct device_attribute *attr, const char *buf,
			     size_t len)
{
	int err = fabric_parse_act(buf);

	if (!err)
		err = fabric_device_abandon(to_fabric_device(dev));
	return err ?: len;
}
static DEVICE_ATTR_WO(abandon);

static umode_t fabric_device_is_visible(struct kobject *kobj, struct attribute *attr, int n)
{
	struct device *dev = kobj_to_dev(kobj);

	if (attr == &dev_attr_numa_node.attr && dev_to_node(dev->parent) == NUMA_NO_NODE)
		return 0;
	if (attr == &dev_attr_render_node.attr && !to_fabric_device(dev)->drm->render)
		return 0;
	return attr->mode;
}

static struct attribute *fabric_device_attrs[] = {
	&dev_attr_state.attr,	  &dev_attr_incarnation.attr,	&dev_attr_generation.attr,
	&dev_attr_numa_node.attr, &dev_attr_driver_name.attr,	&dev_attr_render_node.attr,
	&dev_attr_handles.attr,	  &dev_attr_evict_blocked.attr, &dev_attr_drain.attr,
	&dev_attr_evict.attr,	  &dev_attr_unbind.attr,	&dev_attr_abandon.attr,
	NULL,
};

static const struct attribute_group fabric_device_group = {
	.attrs = fabric_device_attrs,
	.is_visible = fabric_device_is_visible,
};
__ATTRIBUTE_GROUPS(fabric_device);

static void fabric_device_release(struct device *dev)
{
	struct drm_fabric_device *fdev = to_fabric_device(dev);

	for (unsigned int i = 0; i < fdev->n_regions; i++)
		fabric_region_put(fdev->regions[i]);
	xa_destroy(&fdev->links);
	/* Of a registration that failed; else it was put when the device left. */
	if (fdev->drm)
		drm_dev_put(fdev->drm);
	put_device(fdev->dev.parent);
	kfree_rcu(fdev, rcu);
}

/* By name, counted, or NULL. */
struct drm_fabric_device *fabric_device_find(const char *name)
{
	struct drm_fabric_device *fdev;

	guard(mutex)(&fabric_registry);
	list_for_each_entry(fdev, &fabric_devices, link)
		if (!strcmp(dev_name(&fdev->dev), name))
			return to_fabric_device(get_device(&fdev->dev));
	return NULL;
}

/*
 * All devices one by one, without holding the registry: the one that joined after @prev, which is
 * put; NULL stands before the first. Counted, or NULL.
 */
struct drm_fabric_device *fabric_device_next(struct drm_fabric_device *prev)
{
	struct drm_fabric_device *fdev, *next = NULL;

	scoped_guard(mutex, &fabric_registry)
		list_for_each_entry(fdev, &fabric_devices, link)
			if (!prev || fdev->slot > prev->slot) {
				next = to_fabric_device(get_device(&fdev->dev));
				break;
			}
	if (prev)
		put_device(&prev->dev);
	return next;
}

/* Whose render node @file is open on: counted, or NULL. */
struct drm_fabric_device *fabric_device_by_file(struct file *file)
{
	struct drm_fabric_device *fdev;

	guard(mutex)(&fabric_registry);
	list_for_each_entry(fdev, &fabric_devices, link) {
		struct drm_file *priv = file->private_data;

		/* Equal operations say that private_data is a drm_file. */
		if (file->f_op != fdev->drm->driver->fops)
			continue;
		if (priv->minor->dev == fdev->drm && priv->minor->type == DRM_MINOR_RENDER)
			return to_fabric_device(get_device(&fdev->dev));
	}
	return NULL;
}

/* The device that joined for @parent, or NULL. Under RCU. */
struct drm_fabric_device *fabric_device_by_parent(struct device *parent)
{
	return xa_load(&by_parent, (unsigned long)parent);
}

/* Does any device that does not reach @owner hold pages? */
bool fabric_device_any_unreaching(struct drm_fabric_device *owner)
{
	struct drm_fabric_device *fdev;
	unsigned long key;

	guard(rcu)();
	xa_for_each(&by_parent, key, fdev)
		if (!fabric_reachable(fdev, owner) && fabric_device_resident(fdev))
			return true;
	return false;
}

void fabric_device_init_locks(struct drm_fabric_device *fdev)
{
	mutex_init(&fdev->state_lock);
	init_rwsem(&fdev->users);
	init_rwsem(&fdev->copies);
	mutex_init(&fdev->vms_lock);
}

static struct drm_fabric_device *
fabric_device_alloc(struct drm_device *drm, const struct drm_fabric_device_ops *ops, void *priv)
{
	struct drm_fabric_device *fdev;

	fdev = kzalloc_obj(*fdev);
	if (!fdev)
		return NULL;
	device_initialize(&fdev->dev);
	fdev->dev.class = &fabric_class;
	fdev->dev.parent = get_device(drm->dev);
	fdev->dev.groups = fabric_device_groups;
	fdev->dev.release = fabric_device_release;
	drm_dev_get(drm);
	fdev->drm = drm;
	fdev->ops = ops;
	fdev->priv = priv;
	INIT_LIST_HEAD(&fdev->link);
	xa_init(&fdev->links);
	fabric_device_init_locks(fdev);
	fabric_state_init(fdev);
	fabric_lost_init(fdev);
	INIT_LIST_HEAD(&fdev->vms);
	return fdev;
}

struct drm_fabric_device *drm_fabric_device_register(struct drm_device *drm,
						     const struct drm_fabric_device_ops *ops,
						     void *priv,
						     const struct drm_fabric_region_desc *regions,
						     unsigned int n_regions)
{
	struct drm_fabric_device *fdev;
	unsigned int i;
	int err;

	if (n_regions > DRM_FABRIC_MAX_REGIONS ||
	    strlen(dev_name(drm->dev)) >= DRM_FABRIC_DEVICE_NAME_SIZE)
		return ERR_PTR(-EINVAL);

	fdev = fabric_device_alloc(drm, ops, priv);
	if (!fdev)
		return ERR_PTR(-ENOMEM);

	guard(mutex)(&fabric_registry);
	err = dev_set_name(&fdev->dev, "%s", dev_name(drm->dev));
	if (err)
		goto put_device;
	if (fabric_device_by_parent(drm->dev)) {
		err = -EEXIST;
		goto put_device;
	}
	fdev->incarnation = fabric_name_next(dev_name(drm->dev));
	if (!fdev->incarnation) {
		err = -ENOMEM;
		goto put_device;
	}
	fdev->slot = next_slot++;
	fdev->generation = fabric_generation_bump();

	/* User space hears of the device when all of it is there. */
	dev_set_uevent_suppress(&fdev->dev, true);
	err = device_add(&fdev->dev);
	if (err)
		goto put_device;
	err = -ENOMEM;
	fdev->regions_dir = kobject_create_and_add("regions", &fdev->dev.kobj);
	fdev->links_dir = kobject_create_and_add("links", &fdev->dev.kobj);
	if (!fdev->regions_dir || !fdev->links_dir)
		goto del_device;
	for (i = 0; i < n_regions; i++) {
		struct drm_fabric_region *region = fabric_region_create(fdev, &regions[i]);

		if (IS_ERR(region)) {
			err = PTR_ERR(region);
			goto remove_regions;
		}
		fdev->regions[i] = region;
		/* For who reads a file of the device at this moment. */
		smp_store_release(&fdev->n_regions, i + 1);
	}
	err = xa_err(xa_store(&by_parent, (unsigned long)drm->dev, fdev, GFP_KERNEL));
	if (err)
		goto remove_regions;
	err = fabric_links_add(fdev);
	if (err) {
		fabric_devices_tell();
		goto erase_parent;
	}

	list_add_tail(&fdev->link, &fabric_devices);
	scoped_guard(mutex, &fdev->state_lock) {
		WRITE_ONCE(fdev->leaving, false);
		if (fabric_asleep && !READ_ONCE(fdev->lost)) {
			fdev->asleep = true;
			fdev->wake_state = DRM_FABRIC_STATE_ONLINE;
			WRITE_ONCE(fdev->state, DRM_FABRIC_STATE_OFFLINE);
		}
	}
	fabric_groups_update();
	fabric_devices_tell();
	dev_set_uevent_suppress(&fdev->dev, false);
	kobject_uevent(&fdev->dev.kobj, KOBJ_ADD);
	fabric_unmanaged_check();
	fabric_handles_back(fdev);
	return fdev;

erase_parent:
	xa_erase(&by_parent, (unsigned long)drm->dev);
remove_regions:
	for (i = 0; i < fdev->n_regions; i++)
		fabric_region_remove(fdev->regions[i]);
del_device:
	kobject_put(fdev->links_dir);
	kobject_put(fdev->regions_dir);
	device_del(&fdev->dev);
put_device:
	put_device(&fdev->dev);
	return ERR_PTR(err);
}
EXPORT_SYMBOL_GPL(drm_fabric_device_register);

void drm_fabric_device_unregister(struct drm_fabric_device *fdev)
{
	unsigned int i;

	fabric_state_leave(fdev);
	fabric_vms_kill(fdev);

	scoped_guard(mutex, &fabric_registry) {
		fabric_links_settle(fdev);
		list_del_init(&fdev->link);
		fabric_links_remove(fdev);
		fabric_groups_update();
		fabric_devices_tell();
		xa_erase(&by_parent, (unsigned long)fdev->dev.parent);
		fabric_generation_bump();
	}
	fabric_unmanaged_check();
	synchronize_rcu();

	/* From here on a handle finds the device gone, and no operation of the driver is called. */
	down_write(&fdev->users);
	WRITE_ONCE(fdev->gone, true);
	up_write(&fdev->users);
	/* Nor from a touch of what was lost with it: nobody waits for these pages. */
	down_write(&fdev->copies);
	up_write(&fdev->copies);
	/* Nor from whoever frees a dead page. */
	synchronize_rcu();
	/* Somebody may have found it lost at the last moment. */
	cancel_work_sync(&fdev->lost_work);
	fabric_device_post(fdev, DRM_FABRIC_EVENT_REVOKED, 0, 0);

	for (i = 0; i < fdev->n_regions; i++)
		fabric_region_remove(fdev->regions[i]);
	kobject_put(fdev->links_dir);
	kobject_put(fdev->regions_dir);
	device_del(&fdev->dev);
	WRITE_ONCE(fdev->left, true);
	wake_up_all(&fdev->waitq);
	/* Now: the driver may be unloaded before the last handle is closed. */
	drm_dev_put(fdev->drm);
	fdev->drm = NULL;
	put_device(&fdev->dev);
}
EXPORT_SYMBOL_GPL(drm_fabric_device_unregister);

void *drm_fabric_device_priv(const struct drm_fabric_device *fdev)
{
	return fdev->priv;
}
EXPORT_SYMBOL_GPL(drm_fabric_device_priv);

struct drm_device *drm_fabric_device_drm(const struct drm_fabric_device *fdev)
{
	return fdev->drm;
}
EXPORT_SYMBOL_GPL(drm_fabric_device_drm);

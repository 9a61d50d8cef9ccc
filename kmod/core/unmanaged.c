// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Functions of the PCI bus that look like GPUs or accelerators and whose driver has not joined:
 * /sys/class/drm_fabric_unmanaged/<function>/, with what only the kernel can say of them.
 *
 * One work item compares what is on the bus with what is listed, and makes it the same. It runs
 * once at the start and whenever a function comes, goes, or gets or loses its driver, or a device
 * joins or leaves. Who has something to tell queues it and is done: bus notifiers run under locks
 * of the bus and the device. A change during a run queues another, so none is missed, and the list
 * is looked up by function, so none is there twice.
 *
 * The list belongs to the work item; files read what the entries hold, never the function, which
 * may be gone.
 */
#include <linux/pci-p2pdma.h>
#include <linux/pci.h>
#include <linux/sysfs.h>

#include "fabric.h"

/* A function whose driver is being changed is looked at again: soon at first. */
#define RETRY_MIN (HZ / 10)
#define RETRY_MAX (10 * HZ)

/**
 * struct fabric_unmanaged - a function that is not in the fabric
 * @dev: in class drm_fabric_unmanaged. Without a parent: when the function goes, its directory
 * goes at once, and this one a little later
 * @pdev: counted
 * @lock: protects @driver against readers of the file
 * @driver: empty: none
 * @bridge: empty: it is on a root bus
 * @distances_dir: "distances"
 * @distances: struct distance
 * @seen: by this run
 */
struct fabric_unmanaged {
	struct device dev;
	struct list_head link;
	struct pci_dev *pdev;
	spinlock_t lock; /* see above */
	char driver[64];
	char bridge[32];
	u32 pci_class;
	int numa_node;
	struct kobject *distances_dir;
	struct list_head distances;
	bool seen;
};

/* A file in distances/, named after a device of the fabric. */
struct distance {
	struct kobj_attribute attr;
	struct list_head link;
	int value;
	bool seen;
	char name[DRM_FABRIC_DEVICE_NAME_SIZE];
};

/* Of the work item. */
static LIST_HEAD(unmanaged);
static unsigned long retry = RETRY_MIN / 2;

static void fabric_unmanaged_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(scan_work, fabric_unmanaged_work);

static struct fabric_unmanaged *to_unmanaged(struct device *dev)
{
	return container_of(dev, struct fabric_unmanaged, dev);
}

static ssize_t numa_node_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", to_unmanaged(dev)->numa_node);
}
static DEVICE_ATTR_RO(numa_node);

static ssize_t upstream_bridge_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", to_unmanaged(dev)->bridge);
}
static DEVICE_ATTR_RO(upstream_bridge);

static ssize_t pci_class_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "0x%06x\n", to_unmanaged(dev)->pci_class);
}
static DEVICE_ATTR_RO(pci_class);

static ssize_t driver_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct fabric_unmanaged *u = to_unmanaged(dev);

	guard(spinlock)(&u->lock);
	/* Its file is about to go: as if it had gone. */
	return *u->driver ? sysfs_emit(buf, "%s\n", u->driver) : -ENODEV;
}

static struct device_attribute dev_attr_driver_name = __ATTR(driver, 0444, driver_show, NULL);

static umode_t unmanaged_is_visible(struct kobject *kobj, struct attribute *attr, int n)
{
	struct fabric_unmanaged *u = to_unmanaged(kobj_to_dev(kobj));

	if (attr == &dev_attr_numa_node.attr && u->numa_node == NUMA_NO_NODE)
		return 0;
	if (attr == &dev_attr_upstream_bridge.attr && !*u->bridge)
		return 0;
	return attr->mode;
}

/* And driver, which comes and goes. */
static struct attribute *unmanaged_attrs[] = {
	&dev_attr_numa_node.attr,
	&dev_attr_upstream_bridge.attr,
	&dev_attr_pci_class.attr,
	NULL,
};

static const struct attribute_group unmanaged_group = {
	.attrs = unmanaged_attrs,
	.is_visible = unmanaged_is_visible,
};
__ATTRIBUTE_GROUPS(unmanaged);

static const struct class fabric_unmanaged_class = {
	.name = "drm_fabric_unmanaged",
	.dev_groups = unmanaged_groups,
};

static ssize_t distance_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	struct distance *d = container_of(attr, struct distance, attr);

	return sysfs_emit(buf, "%d\n", READ_ONCE(d->value));
}

static void distance_remove(struct fabric_unmanaged *u, struct distance *d)
{
	sysfs_remove_file(u->distances_dir, &d->attr.attr);
	list_del(&d->link);
	kfree(d);
}

/* It is @value from @fdev. Returns whether that is new. */
static bool distance_set(struct fabric_unmanaged *u, struct drm_fabric_device *fdev, int value)
{
	struct distance *d;

	list_for_each_entry(d, &u->distances, link) {
		if (strcmp(d->name, dev_name(&fdev->dev)))
			continue;
		d->seen = true;
		if (d->value == value)
			return false;
		WRITE_ONCE(d->value, value);
		return true;
	}
	d = kzalloc_obj(*d);
	if (!d)
		return false;
	strscpy(d->name, dev_name(&fdev->dev));
	d->value = value;
	d->seen = true;
	sysfs_attr_init(&d->attr.attr);
	d->attr.attr.name = d->name;
	d->attr.attr.mode = 0444;
	d->attr.show = distance_show;
	if (sysfs_create_file(u->distances_dir, &d->attr.attr)) {
		kfree(d);
		return false;
	}
	list_add(&d->link, &u->distances);
	return true;
}

/* Returns whether any is new or has gone. */
static bool unmanaged_update_distances(struct fabric_unmanaged *u)
{
	struct drm_fabric_device *fdev;
	struct distance *d, *next;
	bool changed = false;

	lockdep_assert_held(&fabric_registry);
	list_for_each_entry(d, &u->distances, link)
		d->seen = false;
	list_for_each_entry(fdev, &fabric_devices, link) {
		int value = -1;

		if (dev_is_pci(fdev->dev.parent))
			value = pci_p2pdma_distance(to_pci_dev(fdev->dev.parent), &u->pdev->dev,
						    false);
		if (value >= 0)
			changed |= distance_set(u, fdev, value);
	}
	list_for_each_entry_safe(d, next, &u->distances, link) {
		if (d->seen)
			continue;
		distance_remove(u, d);
		changed = true;
	}
	return changed;
}

/*
 * Its driver's name. The lock keeps that from going away; whoever holds it may wait for
 * fabric_registry, so it is tried only. Returns whether the name is new; *@again: look again later.
 */
static bool unmanaged_update_driver(struct fabric_unmanaged *u, bool *again)
{
	char driver[sizeof(u->driver)] = "";
	bool had = *u->driver;

	if (!device_trylock(&u->pdev->dev)) {
		*again = true;
		return false;
	}
	if (u->pdev->dev.driver)
		strscpy(driver, u->pdev->dev.driver->name);
	device_unlock(&u->pdev->dev);
	if (!strcmp(driver, u->driver))
		return false;
	scoped_guard(spinlock, &u->lock)
		strscpy(u->driver, driver);
	if (!*driver)
		device_remove_file(&u->dev, &dev_attr_driver_name);
	else if (!had && device_create_file(&u->dev, &dev_attr_driver_name))
		/* No memory. */
		*u->driver = '\0';
	return true;
}

static void unmanaged_release(struct device *dev)
{
	struct fabric_unmanaged *u = to_unmanaged(dev);

	pci_dev_put(u->pdev);
	kfree(u);
}

static void unmanaged_remove(struct fabric_unmanaged *u)
{
	struct distance *d, *next;

	list_for_each_entry_safe(d, next, &u->distances, link)
		distance_remove(u, d);
	list_del(&u->link);
	kobject_put(u->distances_dir);
	device_unregister(&u->dev);
}

/* User space hears of it when all of it is there. */
static struct fabric_unmanaged *unmanaged_add(struct pci_dev *pdev)
{
	struct pci_dev *bridge = pci_upstream_bridge(pdev);
	struct fabric_unmanaged *u;

	u = kzalloc_obj(*u);
	if (!u)
		return NULL;
	device_initialize(&u->dev);
	u->dev.class = &fabric_unmanaged_class;
	u->dev.release = unmanaged_release;
	u->pdev = pci_dev_get(pdev);
	spin_lock_init(&u->lock);
	INIT_LIST_HEAD(&u->distances);
	u->pci_class = pdev->class;
	u->numa_node = dev_to_node(&pdev->dev);
	if (bridge)
		strscpy(u->bridge, pci_name(bridge));
	dev_set_uevent_suppress(&u->dev, true);
	if (dev_set_name(&u->dev, "%s", pci_name(pdev)) || device_add(&u->dev))
		goto put;
	u->distances_dir = kobject_create_and_add("distances", &u->dev.kobj);
	if (!u->distances_dir)
		goto del;
	list_add_tail(&u->link, &unmanaged);
	return u;

del:
	device_del(&u->dev);
put:
	put_device(&u->dev);
	return NULL;
}

static struct fabric_unmanaged *unmanaged_find(struct pci_dev *pdev)
{
	struct fabric_unmanaged *u;

	list_for_each_entry(u, &unmanaged, link)
		if (u->pdev == pdev)
			return u;
	return NULL;
}

static bool unmanaged_is_due(struct pci_dev *pdev)
{
	unsigned int base = pdev->class >> 16;

	if (base != PCI_BASE_CLASS_DISPLAY && base != PCI_CLASS_ACCELERATOR_PROCESSING >> 8)
		return false;
	guard(rcu)();
	return !fabric_device_by_parent(&pdev->dev);
}

static void unmanaged_tell(struct fabric_unmanaged *u, bool is_new)
{
	fabric_generation_bump();
	dev_set_uevent_suppress(&u->dev, false);
	kobject_uevent(&u->dev.kobj, is_new ? KOBJ_ADD : KOBJ_CHANGE);
}

/* Make the list what the bus says. */
static void fabric_unmanaged_work(struct work_struct *work)
{
	struct fabric_unmanaged *u, *next;
	struct pci_dev *pdev = NULL;
	bool again = false;

	guard(mutex)(&fabric_registry);
	list_for_each_entry(u, &unmanaged, link)
		u->seen = false;
	for_each_pci_dev(pdev) {
		u = unmanaged_is_due(pdev) ? unmanaged_find(pdev) : NULL;
		if (u)
			u->seen = true;
	}
	/* First: another function may have come with the name of one that has gone. */
	list_for_each_entry_safe(u, next, &unmanaged, link) {
		if (u->seen)
			continue;
		unmanaged_remove(u);
		fabric_generation_bump();
	}
	pdev = NULL;
	for_each_pci_dev(pdev) {
		bool is_new, changed;

		if (!unmanaged_is_due(pdev))
			continue;
		u = unmanaged_find(pdev);
		is_new = !u;
		if (is_new)
			u = unmanaged_add(pdev);
		if (!u) {
			pr_warn("drm_fabric: cannot list %s\n", pci_name(pdev));
			continue;
		}
		changed = unmanaged_update_driver(u, &again);
		changed |= unmanaged_update_distances(u);
		if (is_new || changed)
			unmanaged_tell(u, is_new);
	}
	retry = again ? min(2 * retry, RETRY_MAX) : RETRY_MIN / 2;
	if (again)
		queue_delayed_work(fabric_evict_wq, &scan_work, retry);
}

/* Something may be different on the bus or in the fabric. Any context. */
void fabric_unmanaged_check(void)
{
	mod_delayed_work(fabric_evict_wq, &scan_work, 0);
}

static int fabric_unmanaged_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	switch (action) {
	case BUS_NOTIFY_ADD_DEVICE:
	case BUS_NOTIFY_REMOVED_DEVICE: /* at DEL_DEVICE the bus still has it */
	case BUS_NOTIFY_BOUND_DRIVER:
	case BUS_NOTIFY_UNBOUND_DRIVER:
		fabric_unmanaged_check();
	}
	return NOTIFY_DONE;
}

static struct notifier_block fabric_unmanaged_nb = {
	.notifier_call = fabric_unmanaged_notify,
};

int fabric_unmanaged_init(void)
{
	int err;

	err = class_register(&fabric_unmanaged_class);
	if (err)
		return err;
	/* Listen first, then look. */
	err = bus_register_notifier(&pci_bus_type, &fabric_unmanaged_nb);
	if (err) {
		class_unregister(&fabric_unmanaged_class);
		return err;
	}
	fabric_unmanaged_check();
	return 0;
}

/* No device is in the fabric any more. */
void fabric_unmanaged_exit(void)
{
	struct fabric_unmanaged *u, *next;

	bus_unregister_notifier(&pci_bus_type, &fabric_unmanaged_nb);
	disable_delayed_work_sync(&scan_work);
	list_for_each_entry_safe(u, next, &unmanaged, link)
		unmanaged_remove(u);
	class_unregister(&fabric_unmanaged_class);
}

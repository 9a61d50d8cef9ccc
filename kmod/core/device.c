// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A device in the fabric: joining and leaving, and the states between.
 *
 *	online -> draining -> evicting -> offline
 *
 * and back to online from each, while the driver stays.
 *
 * The set of devices is under fabric_registry, a device's state under its state_lock. Who may put
 * pages on a device holds users for reading and looks at the state; who changes the state then
 * takes users for writing once, so that nobody who saw the old one is still at work.
 */
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <linux/sysfs.h>

#include "fabric.h"

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

/* So long the evictor defers to processes that are busy with their mappings. */
#define EVICT_PATIENCE (2 * HZ)
/* So long it tries to copy what the engine does not copy: an engine may be about to be reset. */
#define COPY_PATIENCE (3 * HZ)

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

const char *fabric_state_name(int state)
{
	switch (state) {
	case DRM_FABRIC_STATE_ONLINE:
		return "online";
	case DRM_FABRIC_STATE_DRAINING:
		return "draining";
	case DRM_FABRIC_STATE_EVICTING:
		return "evicting";
	default:
		return "offline";
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

static void fabric_device_set_state(struct drm_fabric_device *fdev, int state)
{
	lockdep_assert_held(&fdev->state_lock);
	WRITE_ONCE(fdev->state, state);
	sysfs_notify(&fdev->dev.kobj, NULL, "state");
	fabric_device_changed(fdev);
	wake_up_all(&fdev->waitq);
}

/* @deadline_ns: CLOCK_MONOTONIC, 0 = none */
static void fabric_device_post(struct drm_fabric_device *fdev, u32 type, u64 deadline_ns, u64 bytes)
{
	const struct drm_fabric_event event = {
		.type = type,
		.deadline_ns = deadline_ns,
		.bytes = bytes,
		.incarnation = fdev->incarnation,
		.reason = fdev->reason,
	};

	for (unsigned int i = 0; i < fdev->n_regions; i++)
		fabric_handles_post(fdev->regions[i], &event);
}

/* Returns when whoever is at work has seen what was written before. */
void fabric_device_flush_users(struct drm_fabric_device *fdev)
{
	down_write(&fdev->users);
	up_write(&fdev->users);
}

/**
 * fabric_device_begin_use() - start work that may put pages on a device
 * @fdev: the device
 *
 * Return: 0: fabric_device_end_use() is due; -ESHUTDOWN: it takes nothing now; -ENODEV: it is gone.
 */
int fabric_device_begin_use(struct drm_fabric_device *fdev)
{
	int err;

	if (down_read_killable(&fdev->users))
		return -EINTR;
	if (READ_ONCE(fdev->state) == DRM_FABRIC_STATE_ONLINE)
		return 0;
	err = READ_ONCE(fdev->leaving) ? -ENODEV : -ESHUTDOWN;
	up_read(&fdev->users);
	return err;
}

void fabric_device_end_use(struct drm_fabric_device *fdev)
{
	up_read(&fdev->users);
}

static void fabric_device_drain_locked(struct drm_fabric_device *fdev, int reason,
				       unsigned int notice_ms)
{
	fdev->reason = reason;
	fabric_device_set_state(fdev, DRM_FABRIC_STATE_DRAINING);
	fdev->deadline_ns = notice_ms ? ktime_get_ns() + (u64)notice_ms * NSEC_PER_MSEC : 0;
	fabric_device_post(fdev, DRM_FABRIC_EVENT_DRAINING, fdev->deadline_ns,
			   fabric_device_resident(fdev));
}

static void fabric_device_evict_locked(struct drm_fabric_device *fdev, int reason)
{
	if (fdev->state == DRM_FABRIC_STATE_ONLINE)
		fabric_device_drain_locked(fdev, reason, 0);
	fdev->reason = reason;
	fdev->abandoned = false;
	fabric_device_set_state(fdev, DRM_FABRIC_STATE_EVICTING);
	fabric_device_post(fdev, DRM_FABRIC_EVENT_EVICTING, 0, fabric_device_resident(fdev));
	queue_work(fabric_evict_wq, &fdev->evict_work);
}

/* The notice is over. If it was called off, and another one began, this is not its time. */
static void fabric_device_deadline_work(struct work_struct *work)
{
	struct drm_fabric_device *fdev =
		container_of(work, struct drm_fabric_device, deadline_work.work);

	guard(mutex)(&fdev->state_lock);
	if (fdev->state == DRM_FABRIC_STATE_DRAINING && fdev->deadline_ns &&
	    ktime_get_ns() >= fdev->deadline_ns)
		fabric_device_evict_locked(fdev, fdev->reason);
}

/* @evict: begin to evict when @notice_ms are over. */
int fabric_device_drain(struct drm_fabric_device *fdev, unsigned int notice_ms, bool evict)
{
	scoped_guard(mutex, &fdev->state_lock) {
		if (fdev->leaving)
			return -ENODEV;
		if (fdev->asleep)
			return -EBUSY;
		if (fdev->state != DRM_FABRIC_STATE_ONLINE)
			return -EALREADY;
		fabric_device_drain_locked(fdev, DRM_FABRIC_REASON_ADMIN, notice_ms);
		fdev->evict_at_deadline = evict && notice_ms;
		if (evict && !notice_ms)
			fabric_device_evict_locked(fdev, DRM_FABRIC_REASON_ADMIN);
		else if (evict)
			/* A jiffy late rather than early: it looks at the clock. */
			mod_delayed_work(fabric_evict_wq, &fdev->deadline_work,
					 msecs_to_jiffies(notice_ms) + 1);
	}
	fabric_device_flush_users(fdev);
	return 0;
}

static void fabric_device_cancel_locked(struct drm_fabric_device *fdev)
{
	WRITE_ONCE(fdev->unbind_wanted, false);
	WRITE_ONCE(fdev->n_cancels, fdev->n_cancels + 1);
	WRITE_ONCE(fdev->abandoned, false);
	fdev->deadline_ns = 0;
	cancel_delayed_work(&fdev->deadline_work);
	fabric_device_set_state(fdev, DRM_FABRIC_STATE_ONLINE);
	fabric_device_post(fdev, DRM_FABRIC_EVENT_CANCELLED, 0, 0);
	fdev->reason = DRM_FABRIC_REASON_NONE;
}

int fabric_device_cancel(struct drm_fabric_device *fdev)
{
	guard(mutex)(&fdev->state_lock);
	if (fdev->leaving || fdev->unbinding)
		return -ENODEV;
	if (fdev->asleep)
		return -EBUSY;
	if (fdev->state == DRM_FABRIC_STATE_ONLINE)
		return -EALREADY;
	fabric_device_cancel_locked(fdev);
	return 0;
}

/* The machine goes to sleep: everything home, until fabric_device_wake(). */
void fabric_device_sleep(struct drm_fabric_device *fdev)
{
	guard(mutex)(&fdev->state_lock);
	fdev->asleep = true;
	/* What is on its way already goes on. */
	if (fdev->state != DRM_FABRIC_STATE_ONLINE && fdev->state != DRM_FABRIC_STATE_DRAINING)
		return;
	fdev->wake_state = fdev->state;
	fdev->wake_reason = fdev->reason;
	fabric_device_evict_locked(fdev, DRM_FABRIC_REASON_SUSPEND);
}

/* Back to where it was, but for one that the driver takes away meanwhile. */
void fabric_device_wake(struct drm_fabric_device *fdev)
{
	int state;
	u64 now;

	guard(mutex)(&fdev->state_lock);
	state = fdev->wake_state;
	fdev->asleep = false;
	fdev->wake_state = 0;
	if (!state || fdev->leaving)
		return;
	if (state == DRM_FABRIC_STATE_ONLINE) {
		fabric_device_cancel_locked(fdev);
		return;
	}
	fdev->reason = fdev->wake_reason;
	fabric_device_set_state(fdev, DRM_FABRIC_STATE_DRAINING);
	fabric_device_post(fdev, DRM_FABRIC_EVENT_DRAINING, fdev->deadline_ns,
			   fabric_device_resident(fdev));
	if (!fdev->evict_at_deadline)
		return;
	now = ktime_get_ns();
	mod_delayed_work(fabric_evict_wq, &fdev->deadline_work,
			 nsecs_to_jiffies(fdev->deadline_ns > now ? fdev->deadline_ns - now : 0) +
				 1);
}

/* What resists becomes dead pages: the evictor goes on with that. */
int fabric_device_abandon(struct drm_fabric_device *fdev)
{
	guard(mutex)(&fdev->state_lock);
	if (fdev->state != DRM_FABRIC_STATE_EVICTING || fdev->abandoned)
		return -EALREADY;
	WRITE_ONCE(fdev->abandoned, true);
	return 0;
}

int fabric_device_evict(struct drm_fabric_device *fdev)
{
	guard(mutex)(&fdev->state_lock);
	if (fdev->leaving)
		return -ENODEV;
	if (fdev->asleep)
		return -EBUSY;
	if (fdev->state == DRM_FABRIC_STATE_EVICTING || fdev->state == DRM_FABRIC_STATE_OFFLINE)
		return -EALREADY;
	fabric_device_evict_locked(fdev, DRM_FABRIC_REASON_ADMIN);
	return 0;
}

int fabric_device_unbind(struct drm_fabric_device *fdev)
{
	guard(mutex)(&fdev->state_lock);
	if (fdev->leaving || fdev->unbinding)
		return -ENODEV;
	if (fdev->asleep)
		return -EBUSY;
	if (fdev->unbind_wanted)
		return -EALREADY;
	fdev->unbind_wanted = true;
	if (fdev->state == DRM_FABRIC_STATE_ONLINE || fdev->state == DRM_FABRIC_STATE_DRAINING)
		fabric_device_evict_locked(fdev, DRM_FABRIC_REASON_ADMIN);
	/* Still there from an unbind that was called off: that one goes on for us. */
	get_device(&fdev->dev);
	if (!queue_work(fabric_evict_wq, &fdev->unbind_work))
		put_device(&fdev->dev);
	return 0;
}

/* The evictor goes on for as long as this is true. */
bool fabric_device_evict_wanted(struct drm_fabric_device *fdev)
{
	return READ_ONCE(fdev->state) == DRM_FABRIC_STATE_EVICTING;
}

static void fabric_device_evict_region(struct drm_fabric_device *fdev,
				       struct drm_fabric_region *region, unsigned long patience)
{
	unsigned long copy_failed = 0; /* since then nothing else was in the way */
	bool bury = false;

	while (fabric_device_evict_wanted(fdev) &&
	       !fabric_region_evict(region, time_before(jiffies, patience), bury)) {
		if (fdev->blocked != FABRIC_BLOCKED_COPY)
			copy_failed = 0;
		else if (!copy_failed)
			copy_failed = jiffies ?: 1;
		/* To sleep is no reason to lose a page: it is refused then. */
		bury = copy_failed && time_after(jiffies, copy_failed + COPY_PATIENCE) &&
		       READ_ONCE(fdev->reason) != DRM_FABRIC_REASON_SUSPEND;
	}
}

/* Is it offline now? Nobody is at work who has begun while it was called off. */
static bool fabric_device_evicted(struct drm_fabric_device *fdev)
{
	guard(rwsem_write)(&fdev->users);
	guard(mutex)(&fdev->state_lock);
	WRITE_ONCE(fdev->blocked, FABRIC_BLOCKED_NONE);
	if (!fabric_device_evict_wanted(fdev))
		return false;
	/* Called off and begun anew, with pages that came in between: another round. */
	if (fabric_device_resident(fdev)) {
		queue_work(fabric_evict_wq, &fdev->evict_work);
		return false;
	}
	fabric_device_set_state(fdev, DRM_FABRIC_STATE_OFFLINE);
	return true;
}

/*
 * The memory is at home; nobody waits for the struct pages to go. Called off meanwhile they are in
 * use again, so nobody may begin while they go.
 */
static void fabric_device_drop_pagemaps(struct drm_fabric_device *fdev)
{
	guard(rwsem_write)(&fdev->users);
	scoped_guard(mutex, &fdev->state_lock)
		if (fdev->state != DRM_FABRIC_STATE_OFFLINE)
			return;
	for (unsigned int i = 0; i < fdev->n_regions; i++)
		fabric_region_drop_pagemap(fdev->regions[i]);
}

static void fabric_device_evict_work(struct work_struct *work)
{
	struct drm_fabric_device *fdev = container_of(work, struct drm_fabric_device, evict_work);
	unsigned long patience = jiffies + EVICT_PATIENCE;
	unsigned int i;

	fabric_device_flush_users(fdev);
	for (i = 0; i < fdev->n_regions; i++)
		fabric_device_evict_region(fdev, fdev->regions[i], patience);

	if (fabric_device_evicted(fdev))
		fabric_device_drop_pagemaps(fdev);
}

/* Evicted, called off, or overtaken by another way of taking the device. */
static bool fabric_device_settled(struct drm_fabric_device *fdev)
{
	return READ_ONCE(fdev->state) == DRM_FABRIC_STATE_OFFLINE ||
	       !READ_ONCE(fdev->unbind_wanted) || READ_ONCE(fdev->leaving);
}

/* From here on it cannot be called off. */
static bool fabric_device_commit_unbind(struct drm_fabric_device *fdev)
{
	guard(mutex)(&fdev->state_lock);
	fdev->unbinding = fdev->unbind_wanted && !fdev->leaving &&
			  fdev->state == DRM_FABRIC_STATE_OFFLINE;
	return fdev->unbinding;
}

static void fabric_device_unbind_work(struct work_struct *work)
{
	struct drm_fabric_device *fdev = container_of(work, struct drm_fabric_device, unbind_work);
	struct device *parent = get_device(fdev->dev.parent);

	wait_event_idle(fdev->waitq, fabric_device_settled(fdev));
	if (fabric_device_commit_unbind(fdev))
		device_release_driver(parent);
	put_device(parent);
	put_device(&fdev->dev);
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
	int n = 0;

	for (unsigned int i = 0; i < fdev->n_regions; i++)
		n += atomic_read(&fdev->regions[i]->n_handles);
	return sysfs_emit(buf, "%d\n", n);
}
static DEVICE_ATTR_RO(handles);

const char *fabric_blocked_name(struct drm_fabric_device *fdev)
{
	static const char *const names[] = {
		[FABRIC_BLOCKED_NONE] = "none",
		[FABRIC_BLOCKED_MEMORY] = "memory",
		[FABRIC_BLOCKED_BUSY] = "busy",
		[FABRIC_BLOCKED_COPY] = "copy",
	};

	return names[READ_ONCE(fdev->blocked)];
}

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

static ssize_t fabric_act_store(struct device *dev, const char *buf, size_t len,
				int (*act)(struct drm_fabric_device *fdev))
{
	int err = fabric_parse_act(buf);

	if (!err)
		err = act(to_fabric_device(dev));
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
	return fabric_act_store(dev, buf, len, fabric_device_abandon);
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
	fdev->state = DRM_FABRIC_STATE_ONLINE;
	/* Until all of it is there, nobody can take it away. */
	fdev->leaving = true;
	INIT_LIST_HEAD(&fdev->link);
	xa_init(&fdev->links);
	fabric_device_init_locks(fdev);
	INIT_WORK(&fdev->evict_work, fabric_device_evict_work);
	INIT_DELAYED_WORK(&fdev->deadline_work, fabric_device_deadline_work);
	INIT_WORK(&fdev->unbind_work, fabric_device_unbind_work);
	init_waitqueue_head(&fdev->waitq);
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
		fdev->regions[fdev->n_regions++] = region;
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
		if (fabric_asleep) {
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

	scoped_guard(mutex, &fdev->state_lock) {
		WRITE_ONCE(fdev->leaving, true);
		if (fdev->state != DRM_FABRIC_STATE_OFFLINE &&
		    fdev->state != DRM_FABRIC_STATE_EVICTING)
			fabric_device_evict_locked(fdev, DRM_FABRIC_REASON_DRIVER);
		wake_up_all(&fdev->waitq);
	}
	cancel_delayed_work_sync(&fdev->deadline_work);
	/* Idle: as long as it takes, and no hung-task warning about it. */
	wait_event_idle(fdev->waitq, READ_ONCE(fdev->state) == DRM_FABRIC_STATE_OFFLINE);
	flush_work(&fdev->evict_work);

	fabric_vms_kill(fdev);

	scoped_guard(mutex, &fabric_registry) {
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
	/* Nor from whoever frees a dead page. */
	synchronize_rcu();
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

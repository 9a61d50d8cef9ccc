// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Handles: devmem file descriptors.
 *
 * A handle is shown to the kernel as a file, to be counted and passed on like any. It outlives
 * its device: then it answers -ENODEV. The file holds one reference, each allocation placed
 * through it another.
 *
 * Events wait in a ring of a fixed size. The end of the device and its coming back always have a
 * place: after the end nothing else is told. Lost data is told after a moment, so that pages that
 * die one by one wake their holders once, and adds to what has been told but not read.
 *
 * Locks: region->handles_lock, revoked_lock inside it, handle->lock inside both. All may be taken
 * under folio locks.
 */
#include <drm/drm_drv.h>
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/pci.h>
#include <linux/poll.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#include "fabric.h"

/* So long deaths are added up before anybody is woken. */
#define LOST_DELAY_MS 10

static atomic64_t last_id;

static const struct file_operations fabric_handle_fops;

static void fabric_handle_free(struct kref *ref)
{
	struct fabric_handle *handle = container_of(ref, struct fabric_handle, ref);
	struct device *dev = &handle->region->fdev->dev;

	fabric_region_put(handle->region);
	fabric_user_put(handle->user);
	kfree(handle);
	put_device(dev);
}

void fabric_handle_put(struct fabric_handle *handle)
{
	kref_put(&handle->ref, fabric_handle_free);
}

/* Pages are taken for it. Any context. Return: 0 or -EDQUOT. */
int fabric_handle_charge(struct fabric_handle *handle, u64 bytes)
{
	int err = fabric_user_charge(handle->user, bytes);

	if (!err)
		atomic64_add(bytes, &handle->resident_bytes);
	return err;
}

void fabric_handle_uncharge(struct fabric_handle *handle, u64 bytes)
{
	atomic64_sub(bytes, &handle->resident_bytes);
	fabric_user_uncharge(handle->user, bytes);
}

static struct drm_fabric_event *fabric_handle_slot(struct fabric_handle *handle, unsigned int i)
{
	return &handle->events[(handle->head + i) % ARRAY_SIZE(handle->events)];
}

/* The newest event, if it waits and says the same. */
static struct drm_fabric_event *fabric_handle_same(struct fabric_handle *handle,
						   const struct drm_fabric_event *event)
{
	struct drm_fabric_event *last;

	if (!handle->n_events)
		return NULL;
	last = fabric_handle_slot(handle, handle->n_events - 1);
	return last->type == event->type && last->reason == event->reason ? last : NULL;
}

static void fabric_handle_post(struct fabric_handle *handle, const struct drm_fabric_event *event)
{
	bool is_end = event->type == DRM_FABRIC_EVENT_REVOKED;
	bool is_back = event->type == DRM_FABRIC_EVENT_BACK;
	struct drm_fabric_event *slot;

	guard(spinlock)(&handle->lock);
	if (handle->revoked != is_back)
		return;
	if (event->type == DRM_FABRIC_EVENT_LOST) {
		slot = fabric_handle_same(handle, event);
		if (slot) {
			slot->bytes += event->bytes;
			return;
		}
	}
	/* Back, gone, and back again: only what is there now is of interest. */
	if (is_back && fabric_handle_same(handle, event))
		handle->n_events--;
	/* Nobody reads: the oldest goes. Sequence numbers show the gap. */
	if (!is_end && !is_back && handle->n_events == FABRIC_HANDLE_EVENTS) {
		handle->head = (handle->head + 1) % ARRAY_SIZE(handle->events);
		handle->n_events--;
	}
	slot = fabric_handle_slot(handle, handle->n_events++);
	*slot = *event;
	slot->size_bytes = sizeof(*slot);
	slot->seq = ++handle->seq;
	slot->time_ns = ktime_get_ns();
	if (is_end)
		WRITE_ONCE(handle->revoked, true);
	wake_up_poll(&handle->waitq, EPOLLIN | EPOLLRDNORM | (is_end ? EPOLLHUP : 0));
}

/* Handles whose device has gone, for when it comes back. A handle leaves when it is closed. */
static LIST_HEAD(revoked_handles);
static DEFINE_SPINLOCK(revoked_lock);

static void fabric_region_tell_lost(struct drm_fabric_region *region)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(region->lost_bytes); i++) {
		const struct drm_fabric_event event = {
			.type = DRM_FABRIC_EVENT_LOST,
			.bytes = atomic64_xchg(&region->lost_bytes[i], 0),
			.incarnation = region->fdev->incarnation,
			.reason = i ? DRM_FABRIC_REASON_ABANDONED : DRM_FABRIC_REASON_COPY,
		};

		if (event.bytes)
			fabric_handles_post(region, &event);
	}
}

static void fabric_region_lost_work(struct work_struct *work)
{
	fabric_region_tell_lost(container_of(work, struct drm_fabric_region, lost_work.work));
}

/* For a region that has just been made. */
void fabric_handles_init(struct drm_fabric_region *region)
{
	spin_lock_init(&region->handles_lock);
	INIT_LIST_HEAD(&region->handles);
	INIT_DELAYED_WORK(&region->lost_work, fabric_region_lost_work);
}

/**
 * fabric_handles_lost() - data of a region is lost for good
 * @region: whose; its device is not gone
 * @bytes: how much more
 * @abandoned: given up by an administrator; else it could not be copied
 *
 * Any context. The holders hear of it a little later, and before the end of the device.
 */
void fabric_handles_lost(struct drm_fabric_region *region, u64 bytes, bool abandoned)
{
	atomic64_add(bytes, &region->lost_bytes[abandoned]);
	queue_delayed_work(fabric_wq, &region->lost_work, msecs_to_jiffies(LOST_DELAY_MS));
}

/* Of the end of the device: once, and from a context that may sleep. Else any context. */
void fabric_handles_post(struct drm_fabric_region *region, const struct drm_fabric_event *event)
{
	bool is_end = event->type == DRM_FABRIC_EVENT_REVOKED;
	struct fabric_handle *handle;

	if (is_end) {
		disable_delayed_work_sync(&region->lost_work);
		fabric_region_tell_lost(region);
	}
	guard(spinlock)(&region->handles_lock);
	list_for_each_entry(handle, &region->handles, link) {
		fabric_handle_post(handle, event);
		if (!is_end)
			continue;
		guard(spinlock)(&revoked_lock);
		list_add_tail(&handle->revoked_link, &revoked_handles);
	}
}

/* A device has joined: whoever had a handle on an earlier one of that name hears of it. */
void fabric_handles_back(struct drm_fabric_device *fdev)
{
	const struct drm_fabric_event event = {
		.type = DRM_FABRIC_EVENT_BACK,
		.incarnation = fdev->incarnation,
	};
	struct fabric_handle *handle;

	guard(spinlock)(&revoked_lock);
	list_for_each_entry(handle, &revoked_handles, revoked_link)
		if (!strcmp(dev_name(&handle->region->fdev->dev), dev_name(&fdev->dev)))
			fabric_handle_post(handle, &event);
}

static bool fabric_handle_peek(struct fabric_handle *handle, struct drm_fabric_event *event)
{
	guard(spinlock)(&handle->lock);
	if (!handle->n_events)
		return false;
	*event = *fabric_handle_slot(handle, 0);
	return true;
}

/* False: it is not the oldest any more, or it has grown since. */
static bool fabric_handle_take(struct fabric_handle *handle, const struct drm_fabric_event *event)
{
	const struct drm_fabric_event *oldest;

	guard(spinlock)(&handle->lock);
	oldest = fabric_handle_slot(handle, 0);
	if (!handle->n_events || oldest->seq != event->seq || oldest->bytes != event->bytes)
		return false;
	handle->head = (handle->head + 1) % ARRAY_SIZE(handle->events);
	handle->n_events--;
	return true;
}

static bool fabric_handle_ready(struct fabric_handle *handle)
{
	return READ_ONCE(handle->n_events) || READ_ONCE(handle->revoked);
}

static ssize_t fabric_handle_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	struct fabric_handle *handle = file->private_data;
	struct drm_fabric_event event;
	ssize_t n = 0;

	if (len < sizeof(event))
		return -EINVAL;
	while (len - n >= sizeof(event)) {
		/* It is taken when it has arrived; another reader may have been faster. */
		if (fabric_handle_peek(handle, &event)) {
			if (copy_to_user(buf + n, &event, sizeof(event)))
				return n ?: -EFAULT;
			if (fabric_handle_take(handle, &event))
				n += sizeof(event);
			continue;
		}
		if (n || READ_ONCE(handle->revoked))
			break;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(handle->waitq, fabric_handle_ready(handle)))
			return -ERESTARTSYS;
	}
	return n;
}

static __poll_t fabric_handle_poll(struct file *file, struct poll_table_struct *wait)
{
	struct fabric_handle *handle = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &handle->waitq, wait);
	guard(spinlock)(&handle->lock);
	if (handle->n_events)
		mask |= EPOLLIN | EPOLLRDNORM;
	if (handle->revoked)
		mask |= EPOLLHUP;
	return mask;
}

static void fabric_handle_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct fabric_handle *handle = file->private_data;
	struct drm_fabric_region *region = handle->region;

	u64 kib = atomic64_read(&handle->resident_bytes) / SZ_1K;

	/*
	 * No drm-client-id: that number is unique among the DRM files of a device, which this is
	 * not one of.
	 */
	seq_printf(m, "drm-driver:\t%s\n", handle->driver);
	if (dev_is_pci(region->fdev->dev.parent))
		seq_printf(m, "drm-pdev:\t%s\n", dev_name(&region->fdev->dev));
	seq_printf(m, "drm-total-%s:\t%llu KiB\n", region->name, kib);
	seq_printf(m, "drm-resident-%s:\t%llu KiB\n", region->name, kib);
	seq_printf(m, "drm-fabric-device:\t%s\n", dev_name(&region->fdev->dev));
	seq_printf(m, "drm-fabric-region:\t%s\n", region->name);
	seq_printf(m, "drm-fabric-incarnation:\t%llu\n", region->fdev->incarnation);
	seq_printf(m, "drm-fabric-devmem-id:\t%llu\n", handle->id);
}

/* [start, start + length): pages of the caller's address space. */
static bool range_ok(u64 start, u64 length)
{
	return length && PAGE_ALIGNED(start) && PAGE_ALIGNED(length) && start < TASK_SIZE &&
	       length <= TASK_SIZE - start;
}

static long fabric_handle_info(struct fabric_handle *handle, void __user *argp)
{
	struct drm_fabric_region *region = handle->region;
	struct drm_fabric_devmem_info args;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	if (args.flags)
		return -EINVAL;
	args = (struct drm_fabric_devmem_info){
		.state = DRM_FABRIC_STATE_REVOKED,
		.incarnation = region->fdev->incarnation,
		.id = handle->id,
		.size_bytes = region->size,
		.resident_bytes = atomic64_read(&handle->resident_bytes),
	};
	strscpy(args.device, dev_name(&region->fdev->dev));
	strscpy(args.region, region->name);
	if (down_read_killable(&region->fdev->users))
		return -EINTR;
	if (!region->fdev->gone) {
		args.state = region->fdev->state;
		args.free_bytes = region->fdev->ops->free_bytes(region);
	}
	up_read(&region->fdev->users);
	return copy_to_user(argp, &args, sizeof(args)) ? -EFAULT : 0;
}

static long fabric_handle_populate(struct fabric_handle *handle, void __user *argp)
{
	struct drm_fabric_devmem_populate args;
	int err;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	if (args.flags & ~DRM_FABRIC_POPULATE_STRICT || args.pad ||
	    !range_ok(args.start, args.length_bytes))
		return -EINVAL;
	err = fabric_populate(handle, &args);
	if (copy_to_user(argp, &args, sizeof(args)))
		return -EFAULT;
	return err;
}

static long fabric_handle_to_system(struct fabric_handle *handle, void __user *argp)
{
	struct drm_fabric_devmem_to_system args;
	int err;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	if (args.flags || args.pad || !range_ok(args.start, args.length_bytes) ||
	    args.length_bytes > SZ_1T)
		return -EINVAL;
	if (READ_ONCE(handle->revoked))
		return -ENODEV;
	err = fabric_to_system(handle->region, &args);
	if (copy_to_user(argp, &args, sizeof(args)))
		return -EFAULT;
	return err;
}

static long fabric_handle_residency(struct fabric_handle *handle, void __user *argp)
{
	struct drm_fabric_devmem_residency args;
	int err;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	if (args.flags || args.pad || !range_ok(args.start, args.length_bytes) ||
	    args.length_bytes > SZ_1T)
		return -EINVAL;
	if (READ_ONCE(handle->revoked))
		return -ENODEV;
	err = fabric_residency(handle->region, &args);
	if (err)
		return err;
	return copy_to_user(argp, &args, sizeof(args)) ? -EFAULT : 0;
}

/* The pair table's numbers are those of user space. */
static_assert((int)DRM_FABRIC_LINK_PCIE_SWITCH == DRM_FABRIC_REACH_PCIE_SWITCH);
static_assert((int)DRM_FABRIC_LINK_PCIE_HOST_BRIDGE == DRM_FABRIC_REACH_PCIE_HOST_BRIDGE);
static_assert((int)DRM_FABRIC_LINK_XGMI == DRM_FABRIC_REACH_XGMI);
static_assert((int)DRM_FABRIC_LINK_NVLINK == DRM_FABRIC_REACH_NVLINK);
static_assert((int)DRM_FABRIC_LINK_XE_LINK == DRM_FABRIC_REACH_XE_LINK);
static_assert((int)DRM_FABRIC_LINK_CXL == DRM_FABRIC_REACH_CXL);
static_assert((int)DRM_FABRIC_LINK_SOFTGPU == DRM_FABRIC_REACH_SOFTGPU);
static_assert((int)DRM_FABRIC_PROVENANCE_NOMINAL == DRM_FABRIC_REACH_NOMINAL);
static_assert((int)DRM_FABRIC_PROVENANCE_FIRMWARE == DRM_FABRIC_REACH_FIRMWARE);
static_assert((int)DRM_FABRIC_PROVENANCE_MEASURED == DRM_FABRIC_REACH_MEASURED);

/* What the pair table says. */
static int fabric_reach(struct drm_fabric_device *accessor, struct drm_fabric_device *owner,
			struct drm_fabric_devmem_reach *args)
{
	const struct drm_fabric_link_desc *desc;

	if (mutex_lock_interruptible(&fabric_registry))
		return -ERESTARTSYS;
	/* A device that leaves goes out of the list first. */
	if (list_empty(&accessor->link) || list_empty(&owner->link)) {
		mutex_unlock(&fabric_registry);
		return -ENODEV;
	}
	args->generation = READ_ONCE(accessor->generation);
	desc = accessor == owner ? NULL : fabric_link_desc(accessor, owner);
	/* What is published, like the rest: with the generation, also while a link goes down. */
	args->reachable = accessor == owner || (desc && desc->up);
	if (accessor == owner) {
		args->type = DRM_FABRIC_REACH_LOCAL;
	} else if (desc) {
		args->type = desc->type;
		args->read_bandwidth_mbps = desc->read_bandwidth_mbps;
		args->write_bandwidth_mbps = desc->write_bandwidth_mbps;
		args->read_latency_ns = desc->read_latency_ns;
		args->write_latency_ns = desc->write_latency_ns;
		args->hops = desc->hops;
		args->provenance = desc->provenance;
	}
	if (!args->reachable)
		strscpy(args->why_not, desc && desc->why_not ? desc->why_not : "the link is down");
	mutex_unlock(&fabric_registry);
	return 0;
}

static long fabric_handle_reach(struct fabric_handle *handle, void __user *argp)
{
	struct drm_fabric_devmem_reach args;
	int err;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	if (args.flags)
		return -EINVAL;
	struct file *file __free(fput) = fget(args.owner_fd);
	if (!file)
		return -EBADF;
	if (file->f_op != &fabric_handle_fops)
		return -EBADFD;
	args = (struct drm_fabric_devmem_reach){ .owner_fd = args.owner_fd };
	err = fabric_reach(handle->region->fdev,
			   ((struct fabric_handle *)file->private_data)->region->fdev, &args);
	if (err)
		return err;
	return copy_to_user(argp, &args, sizeof(args)) ? -EFAULT : 0;
}

static long fabric_handle_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct fabric_handle *handle = file->private_data;
	void __user *argp = (void __user *)arg;

	switch (cmd) {
	case DRM_FABRIC_DEVMEM_INFO:
		return fabric_handle_info(handle, argp);
	case DRM_FABRIC_DEVMEM_POPULATE:
		return fabric_handle_populate(handle, argp);
	case DRM_FABRIC_DEVMEM_TO_SYSTEM:
		return fabric_handle_to_system(handle, argp);
	case DRM_FABRIC_DEVMEM_RESIDENCY:
		return fabric_handle_residency(handle, argp);
	case DRM_FABRIC_DEVMEM_REACH:
		return fabric_handle_reach(handle, argp);
	default:
		return -ENOTTY;
	}
}

static int fabric_handle_release(struct inode *inode, struct file *file)
{
	struct fabric_handle *handle = file->private_data;
	struct drm_fabric_region *region = handle->region;

	scoped_guard(spinlock, &region->handles_lock)
		list_del(&handle->link);
	scoped_guard(spinlock, &revoked_lock)
		list_del_init(&handle->revoked_link);
	if (atomic_dec_and_test(&region->n_handles))
		fabric_region_check_idle(region);
	fabric_handle_put(handle);
	return 0;
}

static const struct file_operations fabric_handle_fops = {
	.owner = THIS_MODULE,
	.read = fabric_handle_read,
	.poll = fabric_handle_poll,
	.unlocked_ioctl = fabric_handle_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.release = fabric_handle_release,
	.show_fdinfo = fabric_handle_show_fdinfo,
};

static struct drm_fabric_region *fabric_region_find(struct drm_fabric_device *fdev,
						    const char *name)
{
	for (unsigned int i = 0; i < fdev->n_regions; i++)
		if (!strcmp(fdev->regions[i]->name, name))
			return fdev->regions[i];
	return NULL;
}

/* A handle on @region, and the region's pagemap. fabric_device_begin_use() has been called. */
static struct file *fabric_handle_new(struct drm_fabric_region *region, const kuid_t *behalf,
				      u64 *ret_id)
{
	struct fabric_handle *handle;
	struct fabric_user *user;
	struct file *file;
	int err;

	user = fabric_user_get(behalf);
	if (IS_ERR(user))
		return ERR_CAST(user);
	handle = kzalloc_obj(*handle, GFP_KERNEL_ACCOUNT);
	if (!handle) {
		fabric_user_put(user);
		return ERR_PTR(-ENOMEM);
	}
	handle->user = user;
	kref_init(&handle->ref);
	handle->id = atomic64_inc_return(&last_id);
	INIT_LIST_HEAD(&handle->revoked_link);
	/* The driver may be gone when it is asked for. */
	strscpy(handle->driver, region->fdev->drm->driver->name);
	spin_lock_init(&handle->lock);
	init_waitqueue_head(&handle->waitq);
	/* A region does not hold its device: the handle does, for both outlive the driver. */
	get_device(&region->fdev->dev);
	kobject_get(&region->kobj);
	handle->region = region;
	file = anon_inode_getfile("[drm-fabric-devmem]", &fabric_handle_fops, handle,
				  O_RDONLY | O_CLOEXEC);
	if (IS_ERR(file)) {
		fabric_handle_put(handle);
		return file;
	}
	/* From here on closing the file undoes it. */
	atomic_inc(&region->n_handles);
	scoped_guard(spinlock, &region->handles_lock)
		list_add_tail(&handle->link, &region->handles);
	/* A drain that has begun meanwhile may have told the others already. */
	if (READ_ONCE(region->fdev->state) != DRM_FABRIC_STATE_ONLINE)
		err = READ_ONCE(region->fdev->leaving) ? -ENODEV : -ESHUTDOWN;
	else
		err = fabric_region_use_pagemap(region);
	if (err) {
		fput(file);
		return ERR_PTR(err);
	}
	*ret_id = handle->id;
	return file;
}

static struct file *fabric_handle_new_on(struct drm_fabric_device *fdev, const char *name,
					 const kuid_t *behalf, u64 *ret_id)
{
	struct drm_fabric_region *region;
	struct file *file;
	int err;

	err = fabric_device_begin_use(fdev);
	if (err)
		return ERR_PTR(err);
	region = fabric_region_find(fdev, name);
	file = region ? fabric_handle_new(region, behalf, ret_id) : ERR_PTR(-ENOENT);
	fabric_device_end_use(fdev);
	return file;
}

/**
 * fabric_handle_open() - make a handle
 * @render_fd: a render node of the device
 * @region: name of the region
 * @behalf: for whom, see fabric_user_get()
 * @ret_id: (out) its number
 *
 * Return: its file, for fabric_handle_install(), or what OPEN_DEVMEM says.
 */
struct file *fabric_handle_open(int render_fd, const char *region, const kuid_t *behalf,
				u64 *ret_id)
{
	struct file *render __free(fput) = fget(render_fd);
	struct drm_fabric_device *fdev;
	struct file *file;

	if (!render)
		return ERR_PTR(-EBADF);
	fdev = fabric_device_by_file(render);
	if (!fdev)
		return ERR_PTR(-EINVAL);
	file = fabric_handle_new_on(fdev, region, behalf, ret_id);
	put_device(&fdev->dev);
	return file;
}

/*
 * Give a handle's file to the caller, and tell: *@ret_fd is in @args, which go to @argp. Puts the
 * file if that fails.
 */
int fabric_handle_install(struct file *file, s32 *ret_fd, const void *args, size_t size,
			  void __user *argp)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd < 0)
		goto put_file;
	*ret_fd = fd;
	if (copy_to_user(argp, args, size)) {
		put_unused_fd(fd);
		fd = -EFAULT;
		goto put_file;
	}
	fd_install(fd, file);
	return 0;

put_file:
	fput(file);
	return fd;
}

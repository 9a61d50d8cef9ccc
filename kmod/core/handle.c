// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Handles: devmem file descriptors.
 *
 * A handle is shown to the kernel as a file, to be counted and passed on like any. It outlives
 * its device: then it answers -ENODEV. The file holds one reference, each allocation placed
 * through it another. Events wait in a ring of a fixed size; the last one, revoked, always has a
 * place.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#include "fabric.h"

static atomic64_t last_id;

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

static void fabric_handle_post(struct fabric_handle *handle, const struct drm_fabric_event *event)
{
	unsigned int room = ARRAY_SIZE(handle->events) - (event->type != DRM_FABRIC_EVENT_REVOKED);
	struct drm_fabric_event *slot;

	guard(spinlock)(&handle->lock);
	if (event->type == DRM_FABRIC_EVENT_REVOKED)
		handle->revoked = true;
	handle->seq++;
	/* Nobody reads: the oldest goes. Sequence numbers show the gap. */
	if (handle->n_events == room) {
		handle->head = (handle->head + 1) % ARRAY_SIZE(handle->events);
		handle->n_events--;
	}
	slot = &handle->events[(handle->head + handle->n_events++) % ARRAY_SIZE(handle->events)];
	*slot = *event;
	slot->size_bytes = sizeof(*slot);
	slot->seq = handle->seq;
	slot->time_ns = ktime_get_ns();
	wake_up_all(&handle->waitq);
}

void fabric_handles_post(struct drm_fabric_region *region, const struct drm_fabric_event *event)
{
	struct fabric_handle *handle;

	guard(spinlock)(&region->handles_lock);
	list_for_each_entry(handle, &region->handles, link)
		fabric_handle_post(handle, event);
}

static bool fabric_handle_take(struct fabric_handle *handle, struct drm_fabric_event *event)
{
	guard(spinlock)(&handle->lock);
	if (!handle->n_events)
		return false;
	*event = handle->events[handle->head];
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
		if (fabric_handle_take(handle, &event)) {
			if (copy_to_user(buf + n, &event, sizeof(event)))
				return n ?: -EFAULT;
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
	if (handle->n_events || handle->revoked)
		mask |= EPOLLIN | EPOLLRDNORM;
	if (handle->revoked)
		mask |= EPOLLHUP;
	return mask;
}

static void fabric_handle_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct fabric_handle *handle = file->private_data;
	struct drm_fabric_region *region = handle->region;

	seq_printf(m, "drm-fabric-device:\t%s\n", dev_name(&region->fdev->dev));
	seq_printf(m, "drm-fabric-region:\t%s\n", region->name);
	seq_printf(m, "drm-fabric-devmem-id:\t%llu\n", handle->id);
	seq_printf(m, "drm-resident-%s:\t%llu KiB\n", region->name,
		   (u64)atomic64_read(&handle->resident_bytes) / SZ_1K);
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
	down_read(&region->fdev->users);
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
static struct file *fabric_handle_new(struct drm_fabric_region *region, u64 *ret_id)
{
	struct fabric_handle *handle;
	struct fabric_user *user;
	struct file *file;
	int err;

	user = fabric_user_get();
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
	err = fabric_region_use_pagemap(region);
	if (err) {
		fput(file);
		return ERR_PTR(err);
	}
	*ret_id = handle->id;
	return file;
}

static struct file *fabric_handle_new_on(struct drm_fabric_device *fdev, const char *name,
					 u64 *ret_id)
{
	struct drm_fabric_region *region;
	struct file *file;
	int err;

	err = fabric_device_begin_use(fdev);
	if (err)
		return ERR_PTR(err);
	region = fabric_region_find(fdev, name);
	file = region ? fabric_handle_new(region, ret_id) : ERR_PTR(-ENOENT);
	fabric_device_end_use(fdev);
	return file;
}

int fabric_handle_open(struct drm_fabric_open_devmem *args, void __user *argp)
{
	struct file *render __free(fput) = fget(args->render_fd);
	struct drm_fabric_device *fdev;
	struct file *file;
	int fd;

	if (!render)
		return -EBADF;
	fdev = fabric_device_by_file(render);
	if (!fdev)
		return -EINVAL;
	file = fabric_handle_new_on(fdev, args->region, &args->id);
	put_device(&fdev->dev);
	if (IS_ERR(file))
		return PTR_ERR(file);

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		goto put_file;
	args->fd = fd;
	if (copy_to_user(argp, args, sizeof(*args))) {
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

// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Handles: devmem file descriptors.
 *
 * A handle is shown to the kernel as a file, to be counted and passed on like any. It outlives
 * its device: then it answers -ENODEV. The file holds one reference, each allocation placed
 * through it another.
 *
 * What its holder is told is in event.c.
 */
#include <drm/drm_drv.h>
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/pci.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#include "event.h"
#include "grant.h"

static const struct file_operations fabric_handle_fops;

static void fabric_handle_free(struct kref *ref)
{
	struct fabric_handle *handle = container_of(ref, struct fabric_handle, ref);
	struct device *dev = &handle->region->fdev->dev;

	fabric_grant_leave(handle);
	fabric_ledger_remove(handle);
	put_pid(handle->opener);
	fabric_region_put(handle->region);
	fabric_user_put(handle->user);
	kfree(handle);
	put_device(dev);
}

void fabric_handle_put(struct fabric_handle *handle)
{
	kref_put(&handle->ref, fabric_handle_free);
}

static void fabric_handle_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct fabric_handle *handle = file->private_data;
	struct drm_fabric_region *region = handle->region;

	u64 kib = fabric_ledger_read(region, &handle->bytes) / SZ_1K;

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
	seq_printf(m, "drm-fabric-grant-id:\t%llu\n",
		   fabric_ledger_read(region, &handle->grant_id));
	seq_printf(m, "drm-fabric-reserved:\t%llu KiB\n",
		   fabric_ledger_read(region, &handle->reserved_bytes) / SZ_1K);
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
		.resident_bytes = fabric_ledger_read(region, &handle->bytes),
	};
	strscpy(args.device, dev_name(&region->fdev->dev));
	strscpy(args.region, region->name);
	if (down_read_killable(&region->fdev->users))
		return -EINTR;
	if (!region->fdev->gone && !READ_ONCE(handle->revoked)) {
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
	    !fabric_range_ok(args.start, args.length_bytes))
		return -EINVAL;
	if (!current->mm)
		return -EINVAL;
	err = fabric_populate(handle, current->mm, &args);
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
	if (args.flags || args.pad || !fabric_range_ok(args.start, args.length_bytes) ||
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
	if (args.flags || args.pad || !fabric_range_ok(args.start, args.length_bytes) ||
	    args.length_bytes > SZ_1T)
		return -EINVAL;
	if (READ_ONCE(handle->revoked))
		return -ENODEV;
	err = fabric_residency(handle->region, &args);
	if (err)
		return err;
	return copy_to_user(argp, &args, sizeof(args)) ? -EFAULT : 0;
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
	if (READ_ONCE(handle->revoked))
		return -ENODEV;
	args = (struct drm_fabric_devmem_reach){ .owner_fd = args.owner_fd };
	err = fabric_reach(handle->region->fdev,
			   ((struct fabric_handle *)file->private_data)->region->fdev, &args);
	if (err)
		return err;
	return copy_to_user(argp, &args, sizeof(args)) ? -EFAULT : 0;
}

static long fabric_handle_reserve(struct fabric_handle *handle, void __user *argp)
{
	struct drm_fabric_devmem_reserve __user *uargs = argp;
	struct drm_fabric_devmem_reserve args;
	int err;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	if (args.flags || args.pad || !PAGE_ALIGNED(args.bytes))
		return -EINVAL;
	/* Now: afterwards it would be too late to fail. */
	if (put_user(0, &uargs->available_bytes))
		return -EFAULT;
	err = fabric_reserve(handle, args.bytes, &args.available_bytes);
	if (copy_to_user(argp, &args, sizeof(args)))
		return -EFAULT;
	return err;
}

static long fabric_handle_grant(struct fabric_handle *handle, void __user *argp)
{
	struct drm_fabric_devmem_grant __user *uargs = argp;
	struct drm_fabric_devmem_grant args;
	int err;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	if (args.flags)
		return -EINVAL;
	struct file *file __free(fput) = fget(args.fabric_fd);
	if (!file)
		return -EBADF;
	if (!fabric_is_fabric_file(file))
		return -EBADFD;
	/* Now: a grant whose number is not known is of no use. */
	if (put_user(args.grant_id, &uargs->grant_id))
		return -EFAULT;
	err = fabric_grant_join(handle, file, &args.grant_id);
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
	case DRM_FABRIC_DEVMEM_RESERVE:
		return fabric_handle_reserve(handle, argp);
	case DRM_FABRIC_DEVMEM_GRANT:
		return fabric_handle_grant(handle, argp);
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
	fabric_events_fini(handle);
	fabric_ledger_close(handle);
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

/* Counted; -EBADF, -EBADFD. */
struct fabric_handle *fabric_handle_by_fd(int fd)
{
	struct file *file __free(fput) = fget(fd);
	struct fabric_handle *handle;

	if (!file)
		return ERR_PTR(-EBADF);
	if (file->f_op != &fabric_handle_fops)
		return ERR_PTR(-EBADFD);
	handle = file->private_data;
	kref_get(&handle->ref);
	return handle;
}

/*
 * A handle on @region that no file stands for: it hears of nothing. @behalf: see fabric_user_get().
 * @opener: whose it is, a process's leader. fabric_device_begin_use() has been called. Return:
 * counted; -EDQUOT, -ENOMEM.
 */
struct fabric_handle *fabric_handle_alloc(struct drm_fabric_region *region, const kuid_t *behalf,
					  struct pid *opener)
{
	struct fabric_handle *handle;
	struct fabric_user *user;

	user = fabric_user_get(behalf);
	if (IS_ERR(user))
		return ERR_CAST(user);
	handle = kzalloc_obj(*handle, GFP_KERNEL_ACCOUNT);
	if (!handle) {
		fabric_user_put(user);
		return ERR_PTR(-ENOMEM);
	}
	handle->user = user;
	handle->bound = behalf;
	kref_init(&handle->ref);
	handle->opener = get_pid(opener);
	fabric_events_init(handle);
	/* The driver may be gone when it is asked for. */
	strscpy(handle->driver, region->fdev->drm->driver->name);
	/* A region does not hold its device: the handle does, for both outlive the driver. */
	get_device(&region->fdev->dev);
	kobject_get(&region->kobj);
	handle->region = region;
	fabric_ledger_add(handle);
	return handle;
}

/* A handle on @region, and the region's pagemap. fabric_device_begin_use() has been called. */
static struct file *fabric_handle_new(struct drm_fabric_region *region, const kuid_t *behalf,
				      u64 *ret_id)
{
	struct fabric_handle *handle;
	struct file *file;
	int err;

	handle = fabric_handle_alloc(region, behalf, task_tgid(current));
	if (IS_ERR(handle))
		return ERR_CAST(handle);
	file = anon_inode_getfile("[drm-fabric-devmem]", &fabric_handle_fops, handle,
				  O_RDONLY | O_CLOEXEC);
	if (IS_ERR(file)) {
		fabric_handle_put(handle);
		return file;
	}
	/* From here on closing the file undoes it. */
	atomic_inc(&region->n_handles);
	fabric_ledger_open(handle);
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
	/* The file keeps it. */
	fabric_region_unuse_pagemap(region);
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

// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The module, its classes, and /dev/drm_fabric.
 *
 * DOC: Overview
 *
 * The core stands between GPU drivers and the kernel's drm_pagemap and drm_gpusvm. Drivers register
 * devices with regions (device.c, region.c); the core compares them pair by pair (link.c,
 * measure.c, group.c), gives regions struct pages when somebody first wants to place memory there
 * (pagemap.c), moves memory in (migrate.c, alloc.c, copy.c), lets the CPU and the evictor move it
 * out (migrate.c, split.c, evict.c), and mirrors address spaces for devices (vm.c, fault.c). It
 * knows whose each byte is (account.c, holders.c, user.c). Programs hold handles on regions
 * (handle.c, event.c), reserve bytes (reserve.c), and give handles to others until they take them
 * back (grant.c, recall.c). They say where ranges of their memory should live (prefer.c), which is
 * looked at when a device misses an address (place.c), and ask where it is (residency.c).
 * Administrators take devices away (admin.c, state.c), and so does the machine when it goes to
 * sleep (power.c); others vanish (lost.c). What is on the bus and has not joined is listed
 * (unmanaged.c).
 *
 * DOC: Locking
 *
 * The order is in <drm/drm_fabric.h>; lockdep.c shows it to lockdep. The maple tree of pagemaps and
 * the pair table are read under RCU.
 */
#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "fabric.h"
#include "grant.h"
#include "mm.h"

/* The set of devices, and what follows from it: links and groups. */
DEFINE_MUTEX(fabric_registry);
LIST_HEAD(fabric_devices);
struct workqueue_struct *fabric_wq;
struct workqueue_struct *fabric_evict_wq;

static atomic64_t generation = ATOMIC64_INIT(1);

u64 fabric_generation(void)
{
	return atomic64_read(&generation);
}

u64 fabric_generation_bump(void)
{
	return atomic64_inc_return(&generation);
}

void *fabric_owner(void)
{
	return &fabric_devices;
}

static ssize_t generation_show(const struct class *class, const struct class_attribute *attr,
			       char *buf)
{
	return sysfs_emit(buf, "%llu\n", fabric_generation());
}
static CLASS_ATTR_RO(generation);

static ssize_t trim_store(const struct class *class, const struct class_attribute *attr,
			  const char *buf, size_t len)
{
	int err = fabric_parse_act(buf);

	if (!err)
		err = fabric_trim();
	return err ?: len;
}
static CLASS_ATTR_WO(trim);

static ssize_t dead_bytes_show(const struct class *class, const struct class_attribute *attr,
			       char *buf)
{
	return sysfs_emit(buf, "%llu\n", fabric_dead_bytes());
}
static CLASS_ATTR_RO(dead_bytes);

static struct attribute *fabric_class_attrs[] = {
	&class_attr_dead_bytes.attr,
	&class_attr_generation.attr,
	&class_attr_trim.attr,
	NULL,
};
ATTRIBUTE_GROUPS(fabric_class);

const struct class fabric_class = {
	.name = "drm_fabric",
	.class_groups = fabric_class_groups,
	.dev_uevent = fabric_device_uevent,
};

const struct class fabric_group_class = {
	.name = "drm_fabric_group",
};

static int fabric_query(void __user *argp)
{
	struct drm_fabric_query args;
	struct drm_fabric_device *fdev;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	if (args.flags)
		return -EINVAL;

	args = (struct drm_fabric_query){
		.abi_version = DRM_FABRIC_ABI_VERSION,
		.generation = fabric_generation(),
		.populate_step_bytes = FABRIC_STEP,
	};
	scoped_guard(mutex, &fabric_registry)
		list_for_each_entry(fdev, &fabric_devices, link)
			args.n_devices++;
	return copy_to_user(argp, &args, sizeof(args)) ? -EFAULT : 0;
}

static int fabric_open_devmem(void __user *argp)
{
	struct drm_fabric_open_devmem args;
	struct file *file;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	if (args.flags || args.pad)
		return -EINVAL;
	if (!fabric_name_ok(args.region, sizeof(args.region)))
		return -EINVAL;

	file = fabric_handle_open(args.render_fd, args.region, NULL, &args.id);
	if (IS_ERR(file))
		return PTR_ERR(file);
	return fabric_handle_install(file, &args.fd, &args, sizeof(args), argp);
}

static long fabric_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *argp = (void __user *)arg;

	switch (cmd) {
	case DRM_FABRIC_IOCTL_QUERY:
		return fabric_query(argp);
	case DRM_FABRIC_IOCTL_OPEN_DEVMEM:
		return fabric_open_devmem(argp);
	case DRM_FABRIC_IOCTL_HOLDERS:
		return fabric_holders(argp);
	case DRM_FABRIC_IOCTL_REVOKE:
		return fabric_grant_revoke(file, argp);
	case DRM_FABRIC_IOCTL_PREFER:
		return fabric_prefer(argp);
	case DRM_FABRIC_IOCTL_PREFERENCE:
		return fabric_preference_read(argp);
	case DRM_FABRIC_IOCTL_RESIDENCY:
		return fabric_residency_ioctl(argp);
	default:
		return -ENOTTY;
	}
}

static int fabric_open(struct inode *inode, struct file *file)
{
	/* Ours from here on: what was given through this file. */
	file->private_data = NULL;
	return 0;
}

static int fabric_release(struct inode *inode, struct file *file)
{
	fabric_giver_close(file);
	return 0;
}

static const struct file_operations fabric_fops = {
	.owner = THIS_MODULE,
	.open = fabric_open,
	.release = fabric_release,
	.unlocked_ioctl = fabric_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/* Is it an open /dev/drm_fabric? */
bool fabric_is_fabric_file(struct file *file)
{
	return file->f_op == &fabric_fops;
}

static struct miscdevice fabric_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "drm_fabric",
	.mode = 0666,
	.fops = &fabric_fops,
};

static int __init fabric_init(void)
{
	int err;

	err = fabric_lockdep_init();
	if (err)
		return err;
	fabric_migrate_init();
	/* Frees pages and pagemaps on behalf of reclaim. */
	fabric_wq = alloc_workqueue("drm_fabric", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!fabric_wq)
		return -ENOMEM;
	/* Needs memory itself: never behind reclaim. */
	fabric_evict_wq = alloc_workqueue("drm_fabric_evict", WQ_UNBOUND, 0);
	if (!fabric_evict_wq) {
		err = -ENOMEM;
		goto destroy_wq;
	}
	err = fabric_shrinker_init();
	if (err)
		goto destroy_evict_wq;
	err = class_register(&fabric_class);
	if (err)
		goto exit_shrinker;
	err = class_register(&fabric_group_class);
	if (err)
		goto unregister_class;
	err = fabric_unmanaged_init();
	if (err)
		goto unregister_group_class;
	err = fabric_holders_init();
	if (err)
		goto unmanaged_exit;
	err = misc_register(&fabric_misc);
	if (err)
		goto holders_exit;
	err = misc_register(&fabric_admin_misc);
	if (err)
		goto deregister_misc;
	err = fabric_power_init();
	if (err)
		goto deregister_admin_misc;
	return 0;

deregister_admin_misc:
	misc_deregister(&fabric_admin_misc);
deregister_misc:
	misc_deregister(&fabric_misc);
holders_exit:
	fabric_holders_exit();
unmanaged_exit:
	fabric_unmanaged_exit();
unregister_group_class:
	class_unregister(&fabric_group_class);
unregister_class:
	class_unregister(&fabric_class);
exit_shrinker:
	fabric_shrinker_exit();
destroy_evict_wq:
	destroy_workqueue(fabric_evict_wq);
destroy_wq:
	destroy_workqueue(fabric_wq);
	return err;
}

static void __exit fabric_exit(void)
{
	fabric_power_exit();
	misc_deregister(&fabric_admin_misc);
	misc_deregister(&fabric_misc);
	fabric_holders_exit();
	fabric_unmanaged_exit();
	class_unregister(&fabric_group_class);
	class_unregister(&fabric_class);
	fabric_shrinker_exit();
	fabric_mms_forget();
	destroy_workqueue(fabric_evict_wq);
	/* RCU callbacks queue work that frees what the last pages left behind. */
	rcu_barrier();
	destroy_workqueue(fabric_wq);
	mmu_notifier_synchronize();
	fabric_names_free();
	rcu_barrier();
}

module_init(fabric_init);
module_exit(fabric_exit);

MODULE_DESCRIPTION("Multi-device fabric manager for GPU memory");
MODULE_LICENSE("Dual MIT/GPL");

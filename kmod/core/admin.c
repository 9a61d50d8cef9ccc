// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * /dev/drm_fabric_admin: take a device away and give it back, take a grant back, and open handles
 * for others. Who may open it may administer; the acts on devices are in sysfs for root, too.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/uaccess.h>
#include <linux/uidgid.h>

#include "fabric.h"
#include "grant.h"

static bool evict_over(struct drm_fabric_device *fdev)
{
	return READ_ONCE(fdev->state) != DRM_FABRIC_STATE_EVICTING;
}

static bool unbind_over(struct drm_fabric_device *fdev)
{
	return READ_ONCE(fdev->left);
}

/* Start @act and wait until it is @over, at most @timeout_ms; 0 = not at all. */
static int fabric_admin_start(struct drm_fabric_device *fdev,
			      int (*act)(struct drm_fabric_device *fdev,
					 unsigned int *n_cancels),
			      bool (*over)(struct drm_fabric_device *fdev), unsigned int timeout_ms)
{
	unsigned int cancels;
	long left;
	int err;

	err = act(fdev, &cancels);
	if (err || !timeout_ms)
		return err;
	left = wait_event_killable_timeout(fdev->waitq,
					   over(fdev) || READ_ONCE(fdev->n_cancels) != cancels,
					   msecs_to_jiffies(timeout_ms));
	if (left < 0)
		return -EINTR;
	if (!left)
		return -ETIMEDOUT;
	if (!READ_ONCE(fdev->left) && READ_ONCE(fdev->n_cancels) != cancels)
		return -ECANCELED;
	if (READ_ONCE(fdev->state) == DRM_FABRIC_STATE_LOST && over == evict_over)
		return -ENOTRECOVERABLE;
	return 0;
}

static int fabric_admin_act(struct drm_fabric_device *fdev, unsigned int cmd, u32 flags,
			    unsigned int timeout_ms)
{
	switch (cmd) {
	case DRM_FABRIC_ADMIN_DRAIN:
		return fabric_device_drain(fdev, timeout_ms, flags & DRM_FABRIC_DRAIN_EVICT);
	case DRM_FABRIC_ADMIN_CANCEL:
		return fabric_device_cancel(fdev);
	case DRM_FABRIC_ADMIN_ABANDON:
		return fabric_device_abandon(fdev);
	case DRM_FABRIC_ADMIN_EVICT:
		return fabric_admin_start(fdev, fabric_device_evict, evict_over, timeout_ms);
	default:
		return fabric_admin_start(fdev, fabric_device_unbind, unbind_over, timeout_ms);
	}
}

static int fabric_admin_open_devmem(void __user *argp)
{
	struct drm_fabric_admin_open_devmem args;
	struct file *file;
	kuid_t uid;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	if (args.flags || !fabric_name_ok(args.region, sizeof(args.region)))
		return -EINVAL;
	uid = make_kuid(current_user_ns(), args.uid);
	if (!uid_valid(uid))
		return -EINVAL;
	file = fabric_handle_open(args.render_fd, args.region, &uid, &args.id);
	if (IS_ERR(file))
		return PTR_ERR(file);
	return fabric_handle_install(file, &args.fd, &args, sizeof(args), argp);
}

static long fabric_admin_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *argp = (void __user *)arg;
	struct drm_fabric_admin_device args;
	struct drm_fabric_device *fdev;
	int err;

	switch (cmd) {
	case DRM_FABRIC_ADMIN_REVOKE:
		return fabric_grant_revoke(NULL, argp);
	case DRM_FABRIC_ADMIN_DRAIN:
	case DRM_FABRIC_ADMIN_CANCEL:
	case DRM_FABRIC_ADMIN_EVICT:
	case DRM_FABRIC_ADMIN_UNBIND:
	case DRM_FABRIC_ADMIN_ABANDON:
		break;
	case DRM_FABRIC_ADMIN_OPEN_DEVMEM:
		return fabric_admin_open_devmem(argp);
	default:
		return -ENOTTY;
	}
	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	if (!args.device[0] || !fabric_name_ok(args.device, sizeof(args.device)))
		return -EINVAL;
	if (args.flags & ~(cmd == DRM_FABRIC_ADMIN_DRAIN ? DRM_FABRIC_DRAIN_EVICT : 0))
		return -EINVAL;
	if ((cmd == DRM_FABRIC_ADMIN_CANCEL || cmd == DRM_FABRIC_ADMIN_ABANDON) && args.timeout_ms)
		return -EINVAL;

	fdev = fabric_device_find(args.device);
	if (!fdev)
		return -ENODEV;
	err = fabric_admin_act(fdev, cmd, args.flags, args.timeout_ms);
	args.resident_bytes = fabric_device_resident(fdev);
	args.dead_bytes = fabric_device_dead(fdev);
	put_device(&fdev->dev);
	if (copy_to_user(argp, &args, sizeof(args)))
		return -EFAULT;
	return err;
}

static const struct file_operations fabric_admin_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = fabric_admin_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

struct miscdevice fabric_admin_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "drm_fabric_admin",
	.mode = 0660,
	.fops = &fabric_admin_fops,
};

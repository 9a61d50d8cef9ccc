// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The device, on whatever bus: a DRM render node above, the fabric beside.
 *
 * The device structure belongs to the drm_device and may outlive the driver, held by open files.
 * Death is designed first: leave the fabric while the engines still run (the core brings every
 * page home with them), let no new work in, wait for what runs, and only then let devres unmap the
 * VRAM.
 */
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_managed.h>
#include <drm/drm_print.h>
#include <uapi/drm/softgpu_drm.h>

#include "softgpu.h"

/* From before they join until they leave. */
static DEFINE_MUTEX(devices_lock);
static LIST_HEAD(devices);

static int softgpu_info_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct softgpu_device *sg = to_softgpu(drm);
	struct drm_softgpu_info *args = data;

	if (args->flags)
		return -EINVAL;

	args->pad = 0;
	args->vram_size_bytes = sg->vram.size;
	args->vram_free_bytes = softgpu_vram_avail(sg);
	args->peer_bytes = atomic64_read(&sg->bytes[DRM_FABRIC_PROTO_PEER]);
	args->local_bytes = atomic64_read(&sg->bytes[DRM_FABRIC_PROTO_LOCAL]);
	args->system_bytes = atomic64_read(&sg->bytes[DRM_FABRIC_PROTO_SYSTEM]);
	args->faults = atomic64_read(&sg->faults);
	return 0;
}

static int softgpu_vm_create_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_softgpu_vm_create *args = data;
	struct softgpu_file *sf = file->driver_priv;
	struct softgpu_vm *vm;

	if (args->flags || args->pad)
		return -EINVAL;

	guard(mutex)(&sf->create_lock);

	if (sf->vm)
		return -EEXIST;

	vm = softgpu_vm_new(to_softgpu(drm));
	if (IS_ERR(vm))
		return PTR_ERR(vm);

	/* Complete before EXEC and fdinfo see it. */
	smp_store_release(&sf->vm, vm);
	return 0;
}

static int softgpu_open(struct drm_device *drm, struct drm_file *file)
{
	struct softgpu_file *sf;

	sf = kzalloc_obj(*sf);
	if (!sf)
		return -ENOMEM;

	mutex_init(&sf->create_lock);
	file->driver_priv = sf;
	return 0;
}

static void softgpu_postclose(struct drm_device *drm, struct drm_file *file)
{
	struct softgpu_file *sf = file->driver_priv;

	sf->vm = softgpu_vm_free(sf->vm);
	mutex_destroy(&sf->create_lock);
	kfree(sf);
}

/* Memory is the core's to tell: it knows what it has put into VRAM for whom. */
static void softgpu_show_fdinfo(struct drm_printer *p, struct drm_file *file)
{
	struct softgpu_file *sf = file->driver_priv;
	/* Pairs with VM_CREATE. */
	struct softgpu_vm *vm = smp_load_acquire(&sf->vm);

	drm_printf(p, "drm-engine-compute:\t%lld ns\n", vm ? atomic64_read(&vm->busy_ns) : 0);
}

static const struct drm_ioctl_desc softgpu_ioctls[] = {
	DRM_IOCTL_DEF_DRV(SOFTGPU_INFO, softgpu_info_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(SOFTGPU_VM_CREATE, softgpu_vm_create_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(SOFTGPU_EXEC, softgpu_exec_ioctl, DRM_RENDER_ALLOW),
};

static const struct file_operations softgpu_fops = {
	.owner = THIS_MODULE,
	.open = drm_open,
	.release = drm_release,
	.unlocked_ioctl = drm_ioctl,
	.compat_ioctl = drm_compat_ioctl,
	.poll = drm_poll,
	.read = drm_read,
	.llseek = noop_llseek,
	.show_fdinfo = drm_show_fdinfo,
	.fop_flags = FOP_UNSIGNED_OFFSET,
};

static const struct drm_driver softgpu_drm_driver = {
	.driver_features = DRIVER_RENDER,
	.open = softgpu_open,
	.postclose = softgpu_postclose,
	.show_fdinfo = softgpu_show_fdinfo,
	.debugfs_init = softgpu_fail_init,
	.ioctls = softgpu_ioctls,
	.num_ioctls = ARRAY_SIZE(softgpu_ioctls),
	.fops = &softgpu_fops,
	.name = "softgpu",
	.desc = "Software GPU",
	.major = 1,
	.minor = 0,
};

/* Only what is listed hears of a change: list it, and then ask what its links are. */
static void softgpu_list(struct softgpu_device *sg)
{
	guard(mutex)(&devices_lock);
	list_add_tail(&sg->link, &devices);
}

static void softgpu_unlist(struct softgpu_device *sg)
{
	guard(mutex)(&devices_lock);
	list_del(&sg->link);
}

/* By name, counted, or NULL. */
static struct softgpu_device *softgpu_find(const char *name)
{
	struct softgpu_device *sg;

	guard(mutex)(&devices_lock);
	list_for_each_entry(sg, &devices, link) {
		if (strcmp(dev_name(sg->drm.dev), name))
			continue;
		drm_dev_get(&sg->drm);
		return sg;
	}
	return NULL;
}

/**
 * softgpu_device_links_changed() - tell the core that the links of a device have changed
 * @name: the device; there need be none of that name
 *
 * Returns when the change is in force. May sleep, for as long as work on a link that is cut takes.
 */
void softgpu_device_links_changed(const char *name)
{
	struct softgpu_device *sg = softgpu_find(name);

	if (!sg)
		return;

	/* Keeps remove() from giving fdev up meanwhile, and waits until the device has joined. */
	mutex_lock(&sg->fdev_lock);
	if (sg->fdev)
		softgpu_fabric_links_changed(sg->fdev);
	mutex_unlock(&sg->fdev_lock);
	drm_dev_put(&sg->drm);
}

/**
 * softgpu_device_lost() - tell the core that a device does not answer any more
 * @sg: the device, also one that joins or leaves at this moment
 *
 * One that leaves is found to be lost by the core itself, if it is not present. May sleep.
 */
void softgpu_device_lost(struct softgpu_device *sg)
{
	guard(mutex)(&sg->fdev_lock);
	if (sg->fdev)
		softgpu_fabric_lost(sg->fdev);
}

static int softgpu_join(struct softgpu_device *sg)
{
	struct drm_fabric_device *fdev;
	int err;

	/* Who opens the node at its uevent waits in VM_CREATE until the device has joined. */
	guard(mutex)(&sg->fdev_lock);

	softgpu_list(sg);
	err = drm_dev_register(&sg->drm, 0);
	if (err) {
		softgpu_unlist(sg);
		return err;
	}

	fdev = softgpu_fabric_join(sg);
	if (IS_ERR(fdev)) {
		/* Not drm_dev_unregister(): somebody may have opened it by now. */
		drm_dev_unplug(&sg->drm);
		softgpu_unlist(sg);
		return PTR_ERR(fdev);
	}

	sg->fdev = fdev;
	return 0;
}

static void softgpu_leave(struct softgpu_device *sg)
{
	struct drm_fabric_device *fdev;

	/* From here VM_CREATE fails. */
	mutex_lock(&sg->fdev_lock);
	fdev = sg->fdev;
	sg->fdev = NULL;
	mutex_unlock(&sg->fdev_lock);

	if (!fdev)
		return;
	softgpu_unlist(sg);
	softgpu_fabric_leave(fdev);
}

/**
 * softgpu_device_add() - make a software GPU of a device
 * @dev: the device, bound to its bus's driver; its drvdata is taken
 * @vram: its memory, copied
 *
 * For probe(). What is made goes by devres, after softgpu_device_remove().
 *
 * Return: 0 or a negative errno, about which the log says more.
 */
int softgpu_device_add(struct device *dev, const struct softgpu_aperture *vram)
{
	struct softgpu_device *sg;
	int err;

	sg = devm_drm_dev_alloc(dev, &softgpu_drm_driver, struct softgpu_device, drm);
	if (IS_ERR(sg))
		return PTR_ERR(sg);

	sg->vram = *vram;
	dev_set_drvdata(dev, sg);
	err = drmm_mutex_init(&sg->drm, &sg->fdev_lock);
	if (err)
		return err;

	err = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64));
	if (err)
		return err;

	err = softgpu_window_init(sg);
	if (err)
		return dev_err_probe(dev, err, "DMA goes through bounce buffers\n");

	err = softgpu_vram_init(sg);
	if (err)
		return err;

	err = softgpu_copy_init(sg);
	if (err)
		return err;

	err = softgpu_exec_init(sg);
	if (err)
		return err;

	err = softgpu_join(sg);
	if (err)
		return dev_err_probe(dev, err, "cannot join the fabric\n");

	drm_info(&sg->drm, "%llu MiB of VRAM\n", sg->vram.size >> 20);
	return 0;
}

/**
 * softgpu_device_remove() - take every page home and stop the engines
 * @dev: the device
 *
 * For remove(). Takes as long as that takes, unless the device is lost; afterwards nothing touches
 * the VRAM.
 */
void softgpu_device_remove(struct device *dev)
{
	struct softgpu_device *sg = dev_get_drvdata(dev);

	softgpu_leave(sg);

	WRITE_ONCE(sg->gone, true);
	drm_dev_unplug(&sg->drm);
	flush_workqueue(sg->exec_wq);
	flush_workqueue(sg->copy_wq);
	softgpu_vram_forget(sg);
}

static int __init softgpu_module_init(void)
{
	int err;

	err = softgpu_bus_register();
	if (err)
		return err;
	err = softgpu_pci_register();
	if (err)
		softgpu_bus_unregister();
	return err;
}

static void __exit softgpu_module_exit(void)
{
	softgpu_pci_unregister();
	softgpu_bus_unregister();
	softgpu_links_free();
}

module_init(softgpu_module_init);
module_exit(softgpu_module_exit);

MODULE_DESCRIPTION("Software GPU");
MODULE_LICENSE("Dual MIT/GPL");

// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * softdma - a device that has no memory to offer and uses that of others, as a network card with
 * RDMA does: QEMU's "edu", whose DMA engine moves pages between the bus and a buffer of one page.
 * It cannot fault: its driver asks for what is not mapped before the engine starts.
 *
 * Without dma_mask=0xffffffffffffffff it cuts addresses short, and does not say so: not to be
 * loaded for every "edu" that is found, so there is no MODULE_DEVICE_TABLE().
 * softdma_device.lock is outside the core's locks and softdma_vm.lock. The latter is taken in
 * reclaim: nothing is allocated under it.
 */
#include <linux/iopoll.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sched/signal.h>
#include <linux/xarray.h>

#include <drm/drm_drv.h>
#include <drm/drm_fabric.h>
#include <drm/drm_file.h>
#include <drm/drm_ioctl.h>
#include <uapi/drm/softdma_drm.h>

#define EDU_DMA_SRC		0x80
#define EDU_DMA_DST		0x88
#define EDU_DMA_COUNT		0x90
#define EDU_DMA_CMD		0x98
#define  EDU_DMA_RUN		BIT(0)
#define  EDU_DMA_FROM_BUFFER	BIT(1)
#define EDU_BUFFER		0x40000 /* as the engine addresses it */
#define EDU_PIECE		SZ_2K /* QEMU 7 aborts if its last byte is used */
#define EDU_TIMEOUT_US		(5 * USEC_PER_SEC)
#define COPY_PATIENCE		(10 * HZ)

/* An entry is an address of the bus, and in its low bits: */
#define ENTRY_VALID		BIT(0)
#define ENTRY_WRITABLE		BIT(1)
#define ENTRY_PEER		BIT(2)

struct softdma_device {
	struct drm_device drm;
	void __iomem *regs;
	struct mutex lock; /* all of the below; the engine and its buffer */
	struct drm_fabric_device *fdev;
	bool broken; /* the engine did not come to an end */
};

struct softdma_vm {
	struct drm_fabric_vm base;
	struct rw_semaphore lock; /* the entries; read while the engine uses them */
	struct xarray entries; /* by page number; a place that was prepared stays */
};

static int softdma_prepare(struct drm_fabric_vm *base, unsigned long start, unsigned long end)
{
	struct softdma_vm *vm = container_of(base, struct softdma_vm, base);
	int err = 0;

	for (unsigned long i = start >> PAGE_SHIFT; i < end >> PAGE_SHIFT && !err; i++)
		err = xa_reserve(&vm->entries, i, GFP_KERNEL_ACCOUNT);
	return err;
}

static void softdma_bind(struct drm_fabric_vm *base, unsigned long start,
			 const struct drm_pagemap_addr *addrs, unsigned long n_addrs, bool writable)
{
	struct softdma_vm *vm = container_of(base, struct softdma_vm, base);
	unsigned long index = start >> PAGE_SHIFT, entry, page;

	guard(rwsem_write)(&vm->lock);
	for (unsigned long i = 0; i < n_addrs; i++) {
		entry = addrs[i].addr | ENTRY_VALID | (writable ? ENTRY_WRITABLE : 0) |
			(addrs[i].proto == DRM_FABRIC_PROTO_PEER ? ENTRY_PEER : 0);
		for (page = 0; page < NR_PAGES(addrs[i].order); page++, entry += PAGE_SIZE)
			xa_store(&vm->entries, index++, xa_mk_value(entry), GFP_NOWAIT);
	}
}

static void softdma_zap(struct drm_fabric_vm *base, unsigned long start, unsigned long end)
{
	struct softdma_vm *vm = container_of(base, struct softdma_vm, base);
	unsigned long index;
	void *entry;

	guard(rwsem_write)(&vm->lock); /* waits for the page that the engine is at */
	xa_for_each_range(&vm->entries, index, entry, start >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT)
		xa_store(&vm->entries, index, xa_mk_value(0), GFP_NOWAIT);
}

static const struct drm_fabric_vm_ops softdma_vm_ops = {
	.prepare = softdma_prepare,
	.bind = softdma_bind,
	.zap = softdma_zap,
};

static const struct drm_fabric_device_ops softdma_fabric_ops = {}; /* it has no memory */

static int softdma_open(struct drm_device *drm, struct drm_file *file)
{
	struct softdma_device *sd = container_of(drm, struct softdma_device, drm);
	struct softdma_vm *vm __free(kfree) = kzalloc_obj(*vm);
	int err;

	if (!vm)
		return -ENOMEM;
	init_rwsem(&vm->lock);
	xa_init(&vm->entries);
	/* Waits for a device that is about to join, and keeps one from leaving meanwhile. */
	scoped_guard(mutex, &sd->lock)
		err = sd->fdev ? drm_fabric_vm_init(&vm->base, sd->fdev, &softdma_vm_ops) : -ENODEV;
	if (!err)
		file->driver_priv = no_free_ptr(vm);
	return err;
}

static void softdma_postclose(struct drm_device *drm, struct drm_file *file)
{
	struct softdma_vm *vm = file->driver_priv;

	drm_fabric_vm_fini(&vm->base);
	xa_destroy(&vm->entries);
	kfree(vm);
}

/* Between @addr of the bus and the buffer. Pulled out its registers read as anything: look last. */
static int softdma_transfer(struct softdma_device *sd, u64 addr, bool from_buffer)
{
	u32 cmd;

	writeq(from_buffer ? EDU_BUFFER : addr, sd->regs + EDU_DMA_SRC);
	writeq(from_buffer ? addr : EDU_BUFFER, sd->regs + EDU_DMA_DST);
	writeq(EDU_PIECE, sd->regs + EDU_DMA_COUNT);
	writel(EDU_DMA_RUN | (from_buffer ? EDU_DMA_FROM_BUFFER : 0), sd->regs + EDU_DMA_CMD);
	if (readl_poll_timeout(sd->regs + EDU_DMA_CMD, cmd,
			       !(cmd & EDU_DMA_RUN) || PCI_POSSIBLE_ERROR(cmd), 1000,
			       EDU_TIMEOUT_US)) {
		/* Whatever it is at must not go on when zap has returned. */
		pci_clear_master(to_pci_dev(sd->drm.dev));
		sd->broken = true;
		return -EIO;
	}
	return pci_device_is_present(to_pci_dev(sd->drm.dev)) ? 0 : -ENODEV;
}

static int softdma_transfer_page(struct softdma_device *sd, u64 from, u64 to)
{
	int idx, err = sd->broken ? -EIO : 0;

	/* Whoever unplugs any DRM device waits for this: around no more than a page. */
	if (!drm_dev_enter(&sd->drm, &idx))
		return -ENODEV;
	for (unsigned long at = 0; at < PAGE_SIZE && !err; at += EDU_PIECE)
		err = softdma_transfer(sd, from + at, false) ?:
		      softdma_transfer(sd, to + at, true);
	drm_dev_exit(idx);
	return err;
}

/* Copies the page at @at as the entries say now. -EAGAIN: *@miss is to be faulted in. */
static int softdma_copy_page(struct softdma_device *sd, struct softdma_vm *vm,
			     struct drm_softdma_copy *args, u64 at, unsigned long *miss)
{
	unsigned long from, to;
	int err;

	ACQUIRE(mutex_kill, lock)(&sd->lock);
	if (ACQUIRE_ERR(mutex_kill, &lock))
		return -EINTR;
	guard(rwsem_read)(&vm->lock);
	from = xa_to_value(xa_load(&vm->entries, (args->src + at) >> PAGE_SHIFT));
	to = xa_to_value(xa_load(&vm->entries, (args->dst + at) >> PAGE_SHIFT));
	*miss = at + (from & ENTRY_VALID ? args->dst : args->src);
	if (!(from & ENTRY_VALID) || !(to & ENTRY_WRITABLE))
		return -EAGAIN;
	err = softdma_transfer_page(sd, from & PAGE_MASK, to & PAGE_MASK);
	if (!err && ((from | to) & ENTRY_PEER) && !drm_fabric_vm_peers_present(&vm->base))
		err = -EBUSY; /* the next look finds it unmapped */
	if (err)
		return err;
	*(from & ENTRY_PEER ? &args->peer_bytes : &args->system_bytes) += PAGE_SIZE;
	*(to & ENTRY_PEER ? &args->peer_bytes : &args->system_bytes) += PAGE_SIZE;
	return 0;
}

static int softdma_copy_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct softdma_device *sd = container_of(drm, struct softdma_device, drm);
	unsigned long deadline = jiffies + COPY_PATIENCE, miss;
	struct softdma_vm *vm = file->driver_priv;
	struct drm_softdma_copy *args = data;
	u64 n = args->length_bytes, at = 0;
	int err;

	if (args->flags || args->pad || !n || !PAGE_ALIGNED(n | args->dst | args->src) ||
	    n > TASK_SIZE || args->dst > TASK_SIZE - n || args->src > TASK_SIZE - n ||
	    (args->dst < args->src + n && args->src < args->dst + n))
		return -EINVAL;
	if (!drm_fabric_vm_is_current(&vm->base))
		return -EACCES;
	args->peer_bytes = 0;
	args->system_bytes = 0;
	while (at < n) {
		if (fatal_signal_pending(current))
			return -EINTR;
		err = softdma_copy_page(sd, vm, args, at, &miss);
		if (!err)
			at += PAGE_SIZE;
		else if (err == -EAGAIN)
			err = drm_fabric_vm_fault(&vm->base, miss, miss == args->dst + at);
		if (!err)
			deadline = jiffies + COPY_PATIENCE;
		else if (err != -EBUSY || time_after(jiffies, deadline))
			return err;
	}
	return 0;
}

static const struct drm_ioctl_desc softdma_ioctls[] = {
	DRM_IOCTL_DEF_DRV(SOFTDMA_COPY, softdma_copy_ioctl, DRM_RENDER_ALLOW),
};

static const struct file_operations softdma_fops = {
	.owner = THIS_MODULE,
	.open = drm_open,
	.release = drm_release,
	.unlocked_ioctl = drm_ioctl,
	.compat_ioctl = drm_compat_ioctl,
	.fop_flags = FOP_UNSIGNED_OFFSET,
};

static const struct drm_driver softdma_drm_driver = {
	.driver_features = DRIVER_RENDER,
	.open = softdma_open,
	.postclose = softdma_postclose,
	.ioctls = softdma_ioctls,
	.num_ioctls = ARRAY_SIZE(softdma_ioctls),
	.fops = &softdma_fops,
	.name = "softdma",
	.desc = "DMA engine without memory",
	.major = 1,
};

static int softdma_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct drm_fabric_device *fdev;
	struct softdma_device *sd;
	int err;

	err = pcim_enable_device(pdev) ?: dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (err)
		return err;
	pci_set_master(pdev);
	sd = devm_drm_dev_alloc(&pdev->dev, &softdma_drm_driver, struct softdma_device, drm);
	if (IS_ERR(sd))
		return PTR_ERR(sd);
	pci_set_drvdata(pdev, sd);
	mutex_init(&sd->lock);
	sd->regs = pcim_iomap_region(pdev, 0, "softdma");
	if (IS_ERR(sd->regs))
		return PTR_ERR(sd->regs);

	guard(mutex)(&sd->lock);
	err = drm_dev_register(&sd->drm, 0);
	if (err)
		return err;
	fdev = drm_fabric_device_register(&sd->drm, &softdma_fabric_ops, sd, NULL, 0);
	if (IS_ERR(fdev))
		drm_dev_unplug(&sd->drm);
	else
		sd->fdev = fdev;
	return PTR_ERR_OR_ZERO(fdev);
}

static void softdma_remove(struct pci_dev *pdev)
{
	struct softdma_device *sd = pci_get_drvdata(pdev);
	struct drm_fabric_device *fdev;

	scoped_guard(mutex, &sd->lock)
		fdev = xchg(&sd->fdev, NULL);
	/* Nothing is mapped afterwards, and nothing can be: what is under way ends. */
	drm_fabric_device_unregister(fdev);
	drm_dev_unplug(&sd->drm);
}

static const struct pci_device_id softdma_ids[] = {
	{ PCI_DEVICE(0x1234, 0x11e8) },
	{ }
};

static struct pci_driver softdma_driver = {
	.name = "softdma",
	.id_table = softdma_ids,
	.probe = softdma_probe,
	.remove = softdma_remove,
};
module_pci_driver(softdma_driver);

MODULE_DESCRIPTION("DMA engine without memory of its own");
MODULE_LICENSE("Dual MIT/GPL");

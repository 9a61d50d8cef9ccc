// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The software GPU's place in the fabric: the operations that the core calls, and every call of the
 * core's functions. This is what a driver needs to join. The rest of the driver knows devices,
 * apertures and address spaces, and passes what stands for something in the fabric on as it is.
 */
#include "softgpu.h"

static struct softgpu_device *to_owner(struct drm_fabric_region *region)
{
	return drm_fabric_device_priv(drm_fabric_region_device(region));
}

static struct device *to_dev(const struct drm_fabric_device *fdev)
{
	return drm_fabric_device_drm(fdev)->dev;
}

static int softgpu_fabric_alloc(struct drm_fabric_region *region, u64 size, u64 *ret_offset)
{
	return softgpu_vram_take(to_owner(region), size, ret_offset);
}

static void softgpu_fabric_free(struct drm_fabric_region *region, u64 offset, u64 size)
{
	softgpu_vram_give(to_owner(region), offset, size);
}

static u64 softgpu_fabric_free_bytes(struct drm_fabric_region *region)
{
	return softgpu_vram_avail(to_owner(region));
}

static struct dma_fence *softgpu_fabric_copy(struct drm_fabric_region *region,
					     const struct drm_fabric_copy *list, unsigned int n)
{
	return softgpu_copy(to_owner(region), drm_fabric_region_device(region), list, n);
}

static void softgpu_fabric_describe_link(struct drm_fabric_device *accessor,
					 struct drm_fabric_device *owner,
					 struct drm_fabric_link_desc *desc)
{
	softgpu_link_describe(to_dev(accessor), to_dev(owner), desc);
}

static int softgpu_fabric_attach_peer(struct drm_fabric_device *accessor,
				      struct drm_fabric_region *region)
{
	const struct softgpu_aperture peer = {
		.phys = drm_fabric_region_phys(region),
		.size = drm_fabric_region_size(region),
	};

	return softgpu_window_attach(drm_fabric_device_priv(accessor), region, &peer);
}

static void softgpu_fabric_revoke_peer(struct drm_fabric_device *accessor,
				       struct drm_fabric_region *region)
{
	softgpu_window_revoke(drm_fabric_device_priv(accessor), region);
}

static int softgpu_fabric_copy_region(struct drm_fabric_device *accessor,
				      struct drm_fabric_region *region, u64 offset, u64 size,
				      bool write)
{
	if (!PAGE_ALIGNED(offset))
		return -EINVAL;
	return softgpu_copy_aperture(drm_fabric_device_priv(accessor), accessor,
				     drm_fabric_region_phys(region) + offset, size, write);
}

static bool softgpu_fabric_present(struct drm_fabric_device *fdev)
{
	return softgpu_is_present(drm_fabric_device_priv(fdev));
}

static const struct drm_fabric_device_ops softgpu_fabric_ops = {
	.alloc = softgpu_fabric_alloc,
	.free = softgpu_fabric_free,
	.free_bytes = softgpu_fabric_free_bytes,
	.copy = softgpu_fabric_copy,
	.attach_peer = softgpu_fabric_attach_peer,
	.revoke_peer = softgpu_fabric_revoke_peer,
	.describe_link = softgpu_fabric_describe_link,
	.copy_region = softgpu_fabric_copy_region,
	.present = softgpu_fabric_present,
};

/* Return: the device in the fabric, or an ERR_PTR. */
struct drm_fabric_device *softgpu_fabric_join(struct softgpu_device *sg)
{
	const struct drm_fabric_region_desc vram = {
		.name = "vram0",
		.phys = sg->vram.phys,
		.size = sg->vram.size,
	};

	return drm_fabric_device_register(&sg->drm, &softgpu_fabric_ops, sg, &vram, 1);
}

void softgpu_fabric_leave(struct drm_fabric_device *fdev)
{
	drm_fabric_device_unregister(fdev);
}

void softgpu_fabric_links_changed(struct drm_fabric_device *fdev)
{
	drm_fabric_links_changed(fdev);
}

void softgpu_fabric_lost(struct drm_fabric_device *fdev)
{
	drm_fabric_device_lost(fdev);
}

/* Is a peer still there whose window has been used? */
bool softgpu_fabric_region_is_present(struct drm_fabric_region *region)
{
	return drm_fabric_device_present(drm_fabric_region_device(region));
}

static int softgpu_fabric_prepare(struct drm_fabric_vm *base, unsigned long start,
				  unsigned long end)
{
	return softgpu_vm_prepare(to_softgpu_vm(base), start, end);
}

static void softgpu_fabric_bind(struct drm_fabric_vm *base, unsigned long start,
				const struct drm_pagemap_addr *addrs, unsigned long n_addrs,
				bool writable)
{
	softgpu_vm_bind(to_softgpu_vm(base), start, addrs, n_addrs, writable);
}

static void softgpu_fabric_zap(struct drm_fabric_vm *base, unsigned long start, unsigned long end)
{
	softgpu_vm_zap(to_softgpu_vm(base), start, end);
}

static const struct drm_fabric_vm_ops softgpu_fabric_vm_ops = {
	.prepare = softgpu_fabric_prepare,
	.bind = softgpu_fabric_bind,
	.zap = softgpu_fabric_zap,
};

/* Mirrors the caller's address space in @vm. Return: 0 or as of drm_fabric_vm_init(). */
int softgpu_fabric_mirror(struct softgpu_vm *vm)
{
	struct softgpu_device *sg = vm->sg;

	/* Keeps remove() from giving fdev up meanwhile. */
	guard(mutex)(&sg->fdev_lock);
	if (!sg->fdev)
		return -ENODEV;
	return drm_fabric_vm_init(&vm->base, sg->fdev, &softgpu_fabric_vm_ops);
}

void softgpu_fabric_unmirror(struct softgpu_vm *vm)
{
	drm_fabric_vm_fini(&vm->base);
}

/* Is it the caller's address space? */
bool softgpu_fabric_is_current(struct softgpu_vm *vm)
{
	return drm_fabric_vm_is_current(&vm->base);
}

/* Is the device still there that has worked in @vm? */
bool softgpu_fabric_is_present(struct softgpu_vm *vm)
{
	return drm_fabric_device_present(vm->base.fdev);
}

/* Return: 0 or as of drm_fabric_vm_fault(). */
int softgpu_fabric_fault(struct softgpu_vm *vm, const struct softgpu_side *miss)
{
	return drm_fabric_vm_fault(&vm->base, miss->addr, miss->write);
}

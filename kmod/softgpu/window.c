// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Windows on peers' apertures, and what an address on the bus means.
 *
 * A device reaches only what it has a window on: the core says when a peer's region may be used
 * and when not any more. windows_lock guards the list. Who uses a window holds it for reading, for
 * one piece of work, so that when revoke has written the list nothing uses the aperture.
 */
#include <linux/dma-direct.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "softgpu.h"

struct softgpu_window {
	struct list_head link;
	struct drm_fabric_region *region;
	/* In masks of windows. */
	unsigned int id;
	phys_addr_t phys;
	u64 size;
	void *kaddr;
};

/**
 * softgpu_window_init() - learn how this device's addresses are translated
 * @sg: the device
 *
 * Return: 0, or -EOPNOTSUPP: DMA goes through bounce buffers, which only a driver that syncs them
 * can use.
 */
int softgpu_window_init(struct softgpu_device *sg)
{
	struct device *dev = sg->drm.dev;
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	/* Memory is found by phys_to_virt(). */
	static_assert(!IS_ENABLED(CONFIG_HIGHMEM));

	if (domain && (domain->type & __IOMMU_DOMAIN_PAGING))
		sg->domain = domain;
	else if (is_swiotlb_force_bounce(dev))
		return -EOPNOTSUPP;

	init_rwsem(&sg->windows_lock);
	INIT_LIST_HEAD(&sg->windows);

	fs_reclaim_acquire(GFP_KERNEL);
	might_lock(&sg->windows_lock);
	fs_reclaim_release(GFP_KERNEL);
	return 0;
}

static struct softgpu_window *softgpu_window_find(struct softgpu_device *sg,
						  struct drm_fabric_region *region)
{
	struct softgpu_window *window;

	lockdep_assert_held(&sg->windows_lock);

	list_for_each_entry(window, &sg->windows, link)
		if (window->region == region)
			return window;
	return NULL;
}

/* drm_fabric_device_ops.attach_peer; @peer: where the region is */
int softgpu_window_attach(struct softgpu_device *sg, struct drm_fabric_region *region,
			  const struct softgpu_aperture *peer)
{
	struct softgpu_window *window;
	int err = 0;

	window = kzalloc_obj(*window);
	if (!window)
		return -ENOMEM;

	window->region = region;
	window->phys = peer->phys;
	window->size = peer->size;
	window->kaddr = memremap(window->phys, window->size, MEMREMAP_WB);
	if (!window->kaddr) {
		err = -ENOMEM;
		goto free_window;
	}

	down_write(&sg->windows_lock);
	window->id = ffz(sg->window_ids);
	if (softgpu_window_find(sg, region))
		err = -EEXIST;
	else if (sg->window_ids == ~0UL)
		err = -ENOSPC;
	if (!err) {
		sg->window_ids |= BIT(window->id);
		list_add(&window->link, &sg->windows);
	}
	up_write(&sg->windows_lock);
	if (!err)
		return 0;

	memunmap(window->kaddr);
free_window:
	kfree(window);
	return err;
}

/* drm_fabric_device_ops.revoke_peer */
void softgpu_window_revoke(struct softgpu_device *sg, struct drm_fabric_region *region)
{
	struct softgpu_window *window;

	/* Waits for the pieces under way; a copy that comes later finds no window and fails. */
	down_write(&sg->windows_lock);
	window = softgpu_window_find(sg, region);
	if (window) {
		sg->window_ids &= ~BIT(window->id);
		list_del(&window->link);
	}
	up_write(&sg->windows_lock);
	if (WARN_ON(!window))
		return;

	memunmap(window->kaddr);
	kfree(window);
}

static phys_addr_t softgpu_bus_to_phys(struct softgpu_device *sg, unsigned int proto,
				       dma_addr_t addr)
{
	if (sg->domain)
		return iommu_iova_to_phys(sg->domain, addr);

	/* dma_map_resource() without an IOMMU gives the physical address as it is. */
	if (proto == DRM_FABRIC_PROTO_PEER)
		return addr;
	return dma_to_phys(sg->drm.dev, addr);
}

/**
 * softgpu_window_resolve() - the page of memory behind an address
 * @sg: the device that accesses; its windows_lock is held for as long as the page is used
 * @proto: enum drm_fabric_proto
 * @addr: address as the core gave it, multiple of PAGE_SIZE
 * @used: (in, out) mask of the windows used
 *
 * Page by page, because an IOMMU may put together what is apart.
 *
 * Return: where the CPU sees the page; NULL if the device does not reach it.
 */
void *softgpu_window_resolve(struct softgpu_device *sg, unsigned int proto, u64 addr,
			     unsigned long *used)
{
	struct softgpu_window *window;
	phys_addr_t phys;

	lockdep_assert_held_read(&sg->windows_lock);

	if (proto == DRM_FABRIC_PROTO_LOCAL)
		return addr < sg->vram.size ? sg->vram.kaddr + addr : NULL;

	phys = softgpu_bus_to_phys(sg, proto, addr);
	if (proto == DRM_FABRIC_PROTO_SYSTEM)
		return phys && pfn_valid(PHYS_PFN(phys)) ? phys_to_virt(phys) : NULL;

	list_for_each_entry(window, &sg->windows, link) {
		if (phys < window->phys || phys - window->phys >= window->size)
			continue;
		*used |= BIT(window->id);
		return window->kaddr + (phys - window->phys);
	}
	return NULL;
}

/**
 * softgpu_window_all_present() - are the peers still there?
 * @sg: the device; its windows_lock has been held since the windows were used
 * @used: mask of windows
 *
 * A write to a device that has been pulled out is lost without a word, and a read gives ones: ask
 * afterwards. It may be a device of another driver: the core knows.
 */
bool softgpu_window_all_present(struct softgpu_device *sg, unsigned long used)
{
	struct softgpu_window *window;

	lockdep_assert_held_read(&sg->windows_lock);

	if (!used)
		return true;

	list_for_each_entry(window, &sg->windows, link)
		if ((used & BIT(window->id)) &&
		    !softgpu_fabric_region_is_present(window->region))
			return false;
	return true;
}

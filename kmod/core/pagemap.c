// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The struct pages that stand for a region's memory: from the first handle to the last reference.
 *
 * Struct pages cost 1.6 % of the memory that they describe, so there are none until somebody
 * opens a handle; they go idle_timeout_ms after the last reference. References are handles, pages
 * in use, and mappings by devices; all are counted here, not in drm_pagemap, because they are
 * published by kind.
 *
 * region->lock protects the life of region->pm. memremap and memunmap take the memory-hotplug
 * lock, so they run in workers only.
 */
#include <drm/drm_drv.h>
#include <linux/hmm.h>
#include <linux/ioport.h>
#include <linux/mm.h>

#include "fabric.h"

/*
 * Which page frames belong to which pagemap. Looked up under RCU for frames that may be gone the
 * next moment.
 */
static DEFINE_MTREE(pagemaps);

/*
 * The region of an entry of a hmm_range_fault() snapshot, or NULL. Under RCU: to be compared, and
 * valid only there.
 */
struct drm_fabric_region *fabric_region_of_entry(unsigned long hmm_pfn)
{
	struct fabric_pagemap *pm;

	if (!(hmm_pfn & HMM_PFN_VALID))
		return NULL;
	pm = mtree_load(&pagemaps, hmm_pfn & ~HMM_PFN_FLAGS);
	return pm ? pm->region : NULL;
}

/* Is it a page of the fabric whose data is lost? For entries as above. */
bool fabric_entry_is_dead(unsigned long hmm_pfn)
{
	unsigned long pfn = hmm_pfn & ~HMM_PFN_FLAGS;
	struct fabric_pagemap *pm;

	guard(rcu)();
	pm = hmm_pfn & HMM_PFN_VALID ? mtree_load(&pagemaps, pfn) : NULL;
	return pm && test_bit(pfn - PHYS_PFN(pm->pgmap.range.start), pm->dead);
}

bool fabric_region_in_use(struct drm_fabric_region *region)
{
	return atomic_read(&region->n_handles) || atomic64_read(&region->n_pages) ||
	       atomic64_read(&region->n_mappings);
}

/* A reference has gone: if it was the last, start the clock. Any context. */
void fabric_region_check_idle(struct drm_fabric_region *region)
{
	if (!fabric_region_in_use(region))
		mod_delayed_work(fabric_wq, &region->idle_work,
				 msecs_to_jiffies(READ_ONCE(region->idle_timeout_ms)));
}

static void fabric_pagemap_free_rcu(struct rcu_head *rcu)
{
	struct fabric_pagemap *pm = container_of(rcu, struct fabric_pagemap, rcu);

	kvfree(pm->dead);
	kvfree(pm->pages);
	kfree(pm);
}

static void fabric_pagemap_destroy_work(struct work_struct *work)
{
	struct fabric_pagemap *pm = container_of(work, struct fabric_pagemap, destroy_work);
	struct drm_fabric_region *region = pm->region;
	struct range range = pm->pgmap.range;

	mtree_erase(&pagemaps, PHYS_PFN(range.start));
	memunmap_pages(&pm->pgmap);
	release_mem_region(range.start, range_len(&range));
	if (atomic_dec_and_test(&region->n_dying))
		wake_up_var(&region->n_dying);
	fabric_region_put(region);
	call_rcu(&pm->rcu, fabric_pagemap_free_rcu);
}

/* The last reference on the drm_pagemap has gone, perhaps under a page-table lock. */
static void fabric_pagemap_destroy(struct drm_pagemap *dpagemap, bool is_atomic_or_reclaim)
{
	queue_work(fabric_wq, &to_fabric_pagemap(dpagemap)->destroy_work);
}

static struct drm_pagemap_addr fabric_device_map(struct drm_pagemap *dpagemap, struct device *dev,
						 struct page *page, unsigned int order,
						 enum dma_data_direction dir)
{
	struct fabric_pagemap *pm = to_fabric_pagemap(dpagemap);
	struct drm_fabric_region *region = pm->region;
	u64 offset = (u64)fabric_page_index(pm, page) << PAGE_SHIFT;
	struct drm_fabric_device *accessor;
	dma_addr_t addr = DMA_MAPPING_ERROR;
	unsigned int proto = DRM_FABRIC_PROTO_PEER;

	if (test_bit(fabric_page_index(pm, page), pm->dead)) {
		/* Whoever planned this access has not seen it die. */
	} else if (dev == region->fdev->dev.parent) {
		addr = offset;
		proto = DRM_FABRIC_PROTO_LOCAL;
	} else {
		/*
		 * The last word: whoever planned this access may have seen a link that has gone
		 * since.
		 */
		guard(rcu)();
		accessor = fabric_device_by_parent(dev);
		if (accessor && fabric_reachable(accessor, region->fdev))
			addr = dma_map_resource(dev, region->phys + offset, PAGE_SIZE << order, dir,
						0);
	}
	if (!dma_mapping_error(dev, addr))
		atomic64_inc(&region->n_mappings);
	return drm_pagemap_addr_encode(addr, proto, order, dir);
}

static void fabric_device_unmap(struct drm_pagemap *dpagemap, struct device *dev,
				const struct drm_pagemap_addr *addr)
{
	struct drm_fabric_region *region = to_fabric_pagemap(dpagemap)->region;

	if (addr->proto == DRM_FABRIC_PROTO_PEER)
		dma_unmap_resource(dev, addr->addr, PAGE_SIZE << addr->order, addr->dir, 0);
	if (atomic64_dec_and_test(&region->n_mappings))
		fabric_region_check_idle(region);
}

static const struct drm_pagemap_ops fabric_pagemap_ops = {
	.device_map = fabric_device_map,
	.device_unmap = fabric_device_unmap,
	.destroy = fabric_pagemap_destroy,
};

static struct fabric_pagemap *fabric_pagemap_new(struct drm_fabric_region *region)
{
	struct fabric_pagemap *pm;
	struct resource *res;
	void *addr;
	int err;

	pm = kzalloc_obj(*pm);
	if (!pm)
		return ERR_PTR(-ENOMEM);
	INIT_WORK(&pm->destroy_work, fabric_pagemap_destroy_work);
	pm->region = region;
	pm->pages = kvcalloc(region->size >> PAGE_SHIFT, sizeof(*pm->pages), GFP_KERNEL);
	pm->dead = kvcalloc(BITS_TO_LONGS(region->size >> PAGE_SHIFT), sizeof(long), GFP_KERNEL);
	if (!pm->pages || !pm->dead) {
		err = -ENOMEM;
		goto free_pm;
	}

	res = request_free_mem_region(&iomem_resource, region->size, "drm_fabric");
	if (IS_ERR(res)) {
		err = PTR_ERR(res);
		goto free_pm;
	}
	pm->pgmap.type = MEMORY_DEVICE_PRIVATE;
	pm->pgmap.range.start = res->start;
	pm->pgmap.range.end = res->end;
	pm->pgmap.nr_range = 1;
	pm->pgmap.owner = fabric_owner();
	pm->pgmap.ops = fabric_dev_pagemap_ops();
	addr = memremap_pages(&pm->pgmap, dev_to_node(region->fdev->dev.parent));
	if (IS_ERR(addr)) {
		err = PTR_ERR(addr);
		goto release_region;
	}
	err = mtree_store_range(&pagemaps, PHYS_PFN(res->start), PHYS_PFN(res->end), pm,
				GFP_KERNEL);
	if (err)
		goto unmap_pages;
	/* Last, for putting it destroys the rest. */
	err = drm_pagemap_init(&pm->dpagemap, &pm->pgmap, region->fdev->drm, &fabric_pagemap_ops);
	if (err)
		goto erase_range;
	kobject_get(&region->kobj);
	return pm;

erase_range:
	mtree_erase(&pagemaps, PHYS_PFN(pm->pgmap.range.start));
unmap_pages:
	memunmap_pages(&pm->pgmap);
release_region:
	release_mem_region(pm->pgmap.range.start, range_len(&pm->pgmap.range));
free_pm:
	/* A reader may have found it in the tree. */
	call_rcu(&pm->rcu, fabric_pagemap_free_rcu);
	return ERR_PTR(err);
}

struct pagemap_request {
	struct work_struct work;
	struct drm_fabric_region *region;
	struct fabric_pagemap *pm;
};

static void pagemap_request_work(struct work_struct *work)
{
	struct pagemap_request *request = container_of(work, struct pagemap_request, work);

	request->pm = fabric_pagemap_new(request->region);
}

/**
 * fabric_region_use_pagemap() - make sure that a region has struct pages
 * @region: the region; the caller holds a reference that keeps the pagemap (a handle)
 *
 * Return: 0 or a negative errno.
 */
int fabric_region_use_pagemap(struct drm_fabric_region *region)
{
	struct pagemap_request request = { .region = region };

	if (mutex_lock_killable(&region->lock))
		return -EINTR;
	if (!region->pm) {
		INIT_WORK_ONSTACK(&request.work, pagemap_request_work);
		queue_work(fabric_evict_wq, &request.work);
		flush_work(&request.work);
		destroy_work_on_stack(&request.work);
		if (!IS_ERR(request.pm))
			region->pm = request.pm;
	}
	mutex_unlock(&region->lock);
	return IS_ERR(request.pm) ? PTR_ERR(request.pm) : 0;
}

static void fabric_region_drop_pagemap_locked(struct drm_fabric_region *region)
{
	struct fabric_pagemap *pm = region->pm;

	lockdep_assert_held(&region->lock);
	if (!pm)
		return;
	atomic_inc(&region->n_dying);
	region->pm = NULL;
	drm_pagemap_put(&pm->dpagemap);
}

void fabric_region_idle_work(struct work_struct *work)
{
	struct drm_fabric_region *region =
		container_of(work, struct drm_fabric_region, idle_work.work);

	guard(mutex)(&region->lock);
	if (!fabric_region_in_use(region))
		fabric_region_drop_pagemap_locked(region);
}

/*
 * Take the pagemap down now. The device takes no pages and has none. Returns when the struct
 * pages have gone, or when only dead pages keep them.
 */
void fabric_region_drop_pagemap(struct drm_fabric_region *region)
{
	scoped_guard(mutex, &region->lock)
		fabric_region_drop_pagemap_locked(region);
	wait_var_event(&region->n_dying, !atomic_read(&region->n_dying) ||
						 atomic64_read(&region->n_dead));
}

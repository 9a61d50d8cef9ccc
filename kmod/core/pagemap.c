// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The struct pages that stand for a region's memory: from the first handle to the last reference.
 *
 * Struct pages cost 1.6 % of the memory that they describe, so there are none until somebody
 * opens a handle; they go idle_timeout_ms after the last reference, or at once if an administrator
 * or reclaim (shrinker.c) asks for them. References are open handles, pages in use, and mappings by
 * devices; all are counted here, not in drm_pagemap, because they are published by kind. Who is
 * about to place pages holds it, too: the handle may be one without a file.
 *
 * A pagemap has gone for its region when region->pm is cleared: nobody refers to it then, it is
 * dying, and that takes as long as memunmap takes. Or an eviction has left dead pages: such a
 * pagemap is buried, and goes with the last of them. In its place there may be a new one by then.
 *
 * region->lock protects the life of region->pm. memremap and memunmap take the memory-hotplug
 * lock, so they run in workers only.
 */
#include <drm/drm_drv.h>
#include <linux/dma-fence.h>
#include <linux/hmm.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>

#include "fabric.h"
#include "split.h"

/*
 * How often a region's pagemap is made: so many at once, and then one in so long. Making one costs
 * memory that nobody is charged for and a moment of the memory-hotplug lock.
 */
#define CREATION_BURST 8
#define CREATION_INTERVAL (NSEC_PER_SEC / 4)

/*
 * Which page frames belong to which pagemap. Looked up under RCU for frames that may be gone the
 * next moment.
 */
static struct maple_tree pagemaps = MTREE_INIT(pagemaps, MT_FLAGS_USE_RCU);

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
	return pm && fabric_page_is_dead(pm, pfn - PHYS_PFN(pm->pgmap.range.start));
}

/* Of all regions, also of those whose device has gone. */
u64 fabric_dead_bytes(void)
{
	struct fabric_pagemap *pm;
	unsigned long index = 0;
	u64 n_pages = 0;

	guard(rcu)();
	mt_for_each(&pagemaps, pm, index, ULONG_MAX)
		n_pages += atomic64_read(READ_ONCE(pm->region->lost) ? &pm->n_pages : &pm->n_dead);
	return n_pages << PAGE_SHIFT;
}

/* Does anything refer to it? Under RCU or its region's lock. */
bool fabric_pagemap_in_use(struct fabric_pagemap *pm)
{
	struct drm_fabric_region *region = pm->region;

	return atomic_read(&region->n_handles) || atomic_read(&region->n_users) ||
	       atomic64_read(&pm->n_pages) || atomic64_read(&region->n_mappings);
}

/* For people. Without the lock: a reader must not wait behind a memremap. */
const char *fabric_region_pagemap_state(struct drm_fabric_region *region)
{
	struct fabric_pagemap *pm;

	guard(rcu)();
	pm = READ_ONCE(region->pm);
	if (pm)
		return fabric_pagemap_in_use(pm) ? "active" : "idle";
	if (fabric_region_dead(region))
		return "dead";
	return atomic_read(&region->n_dying) || atomic_read(&region->n_buried) ? "idle" : "absent";
}

/* A reference has gone, perhaps the last one: start the clock. Any context. */
void fabric_region_check_idle(struct drm_fabric_region *region)
{
	if (!atomic_read(&region->n_handles) && !atomic64_read(&region->n_mappings))
		mod_delayed_work(fabric_wq, &region->idle_work,
				 msecs_to_jiffies(READ_ONCE(region->idle_timeout_ms)));
}

static void fabric_pagemap_free_rcu(struct rcu_head *rcu)
{
	struct fabric_pagemap *pm = container_of(rcu, struct fabric_pagemap, rcu);

	dma_fence_put(pm->arrival);
	kvfree(pm->dead);
	kvfree(pm->pages);
	kfree(pm);
}

static void fabric_pagemap_destroy_work(struct work_struct *work)
{
	struct fabric_pagemap *pm = container_of(work, struct fabric_pagemap, destroy_work);
	struct drm_fabric_region *region = pm->region;
	struct drm_fabric_device *fdev = region->fdev;
	struct range range = pm->pgmap.range;

	mtree_erase(&pagemaps, PHYS_PFN(range.start));
	memunmap_pages(&pm->pgmap);
	release_mem_region(range.start, range_len(&range));
	if (pm->buried)
		atomic_dec(&region->n_buried);
	else if (atomic_dec_and_test(&region->n_dying))
		wake_up_var(&region->n_dying);
	fabric_region_put(region);
	put_device(&fdev->dev);
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

	if (fabric_page_is_dead(pm, fabric_page_index(pm, page))) {
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

/*
 * Upstream puts the reference on the driver's module whether or not it got one (7.3), and a module
 * that goes gives none: its devices leave one by one, and this one is not gone yet.
 */
static int fabric_pagemap_init(struct fabric_pagemap *pm)
{
	struct drm_device *drm = pm->region->fdev->drm;
	struct module *owner = drm->driver->fops->owner;
	int err;

	if (!try_module_get(owner))
		return -ENODEV;
	err = drm_pagemap_init(&pm->dpagemap, &pm->pgmap, drm, &fabric_pagemap_ops);
	module_put(owner);
	return err;
}

/* -ENOMEM, -ENODEV, or what no user can do anything about. */
static struct fabric_pagemap *fabric_pagemap_new(struct drm_fabric_region *region)
{
	/* Whoever asks for so much can be told that there is none: nobody is to die for it. */
	const gfp_t gfp = GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN;
	unsigned long n_pages = region->size >> PAGE_SHIFT;
	struct fabric_pagemap *pm;
	struct resource *res;
	void *addr;
	int err;

	pm = kzalloc_obj(*pm);
	if (!pm)
		return ERR_PTR(-ENOMEM);
	INIT_WORK(&pm->destroy_work, fabric_pagemap_destroy_work);
	fabric_split_init(pm);
	pm->region = region;
	INIT_LIST_HEAD(&pm->link);
	pm->pages = kvcalloc(n_pages, sizeof(*pm->pages), gfp);
	pm->dead = kvcalloc(BITS_TO_LONGS(n_pages), sizeof(long), gfp);
	pm->arrival = fabric_arrival_new(region);
	if (!pm->pages || !pm->dead || !pm->arrival) {
		err = -ENOMEM;
		goto free_pm;
	}

	res = request_free_mem_region(&iomem_resource, region->size, "drm_fabric");
	if (IS_ERR(res)) {
		/* No room for so many page frame numbers. */
		err = -ENOMEM;
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
	err = fabric_pagemap_init(pm);
	if (err)
		goto erase_range;
	/* Who finds it in the tree goes on to the device, which a region does not hold. */
	get_device(&region->fdev->dev);
	kobject_get(&region->kobj);
	atomic64_inc(&region->pagemap_creations);
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

/* Returns how long it is until the next pagemap may be made; 0: now, and that is counted. */
static u64 fabric_region_take_turn(struct drm_fabric_region *region)
{
	const u64 ahead = (CREATION_BURST - 1) * CREATION_INTERVAL;
	u64 now = ktime_get_ns(), due = max(region->creation_due_ns, now);

	lockdep_assert_held(&region->lock);
	if (due - now > ahead)
		return due - now - ahead;
	region->creation_due_ns = due + CREATION_INTERVAL;
	return 0;
}

static int fabric_region_make_pagemap(struct drm_fabric_region *region)
{
	struct pagemap_request request = { .region = region };

	lockdep_assert_held(&region->lock);
	INIT_WORK_ONSTACK(&request.work, pagemap_request_work);
	queue_work(fabric_evict_wq, &request.work);
	flush_work(&request.work);
	destroy_work_on_stack(&request.work);
	if (IS_ERR(request.pm))
		return PTR_ERR(request.pm);
	WRITE_ONCE(region->pm, request.pm);
	fabric_shrinker_add(request.pm);
	return 0;
}

/**
 * fabric_region_use_pagemap() - make sure that a region has struct pages
 * @region: the region; fabric_device_begin_use() has been called
 *
 * Takes the one that is there, also if it is idle. Waits if one was made too often of late, and
 * until the one before has gone: never two of a region, but for dead pages. From then on
 * region->pm stays, and may be read without the lock, until fabric_region_unuse_pagemap(), which
 * is due before fabric_device_end_use().
 *
 * Return: 0; -EINTR; -ENOMEM; -ENODEV: the driver's module is about to go.
 */
int fabric_region_use_pagemap(struct drm_fabric_region *region)
{
	u64 wait_ns;
	int err;

	for (;;) {
		if (wait_var_event_killable(&region->n_dying, !atomic_read(&region->n_dying)) ||
		    mutex_lock_killable(&region->lock))
			return -EINTR;
		if (region->pm)
			break;
		wait_ns = 0;
		if (!atomic_read(&region->n_dying)) {
			wait_ns = fabric_region_take_turn(region);
			if (!wait_ns)
				break;
		}
		mutex_unlock(&region->lock);
		if (wait_ns)
			schedule_timeout_killable(nsecs_to_jiffies(wait_ns) + 1);
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	err = region->pm ? 0 : fabric_region_make_pagemap(region);
	if (!err)
		atomic_inc(&region->n_users);
	mutex_unlock(&region->lock);
	return err;
}

void fabric_region_unuse_pagemap(struct drm_fabric_region *region)
{
	/* It may have been made, and nothing placed there: then nobody else starts the clock. */
	if (atomic_dec_and_test(&region->n_users))
		fabric_region_check_idle(region);
}

/* Nobody will use it any more. If it has pages, they are dead: it goes with them. */
static void fabric_region_drop_pagemap_locked(struct drm_fabric_region *region)
{
	struct fabric_pagemap *pm = region->pm;

	lockdep_assert_held(&region->lock);
	fabric_shrinker_remove(pm);
	pm->buried = atomic64_read(&pm->n_pages);
	atomic_inc(pm->buried ? &region->n_buried : &region->n_dying);
	WRITE_ONCE(region->pm, NULL);
	drm_pagemap_put(&pm->dpagemap);
}

/* The timer, or reclaim. */
void fabric_region_give_up_pagemap(struct drm_fabric_region *region)
{
	guard(mutex)(&region->lock);
	if (!region->pm)
		return;
	WRITE_ONCE(region->pm->wanted, false);
	if (!fabric_pagemap_in_use(region->pm))
		fabric_region_drop_pagemap_locked(region);
}

/**
 * fabric_region_trim() - give up an idle pagemap, and wait until it has gone
 * @region: the region
 *
 * Return: 0, also if there is none; -EBUSY something refers to it; -EINTR it goes, or may go.
 */
int fabric_region_trim(struct drm_fabric_region *region)
{
	int err = 0;

	if (mutex_lock_killable(&region->lock))
		return -EINTR;
	if (region->pm && fabric_pagemap_in_use(region->pm))
		err = -EBUSY;
	else if (region->pm)
		fabric_region_drop_pagemap_locked(region);
	else if (fabric_region_dead(region))
		err = -EBUSY;
	mutex_unlock(&region->lock);
	if (!err && wait_var_event_killable(&region->n_dying, !atomic_read(&region->n_dying)))
		err = -EINTR;
	return err;
}

/* The same for all regions. What is in use stays. */
int fabric_trim(void)
{
	struct drm_fabric_device *fdev = NULL;
	int err = 0;

	while ((fdev = fabric_device_next(fdev))) {
		for (unsigned int i = 0; i < fdev->n_regions && err != -EINTR; i++)
			err = fabric_region_trim(fdev->regions[i]);
		if (err == -EINTR) {
			put_device(&fdev->dev);
			return err;
		}
	}
	return 0;
}

/*
 * Take the pagemap down now. The device takes no pages, and has none but dead ones. Returns when
 * the struct pages have gone that no dead page keeps.
 */
void fabric_region_drop_pagemap(struct drm_fabric_region *region)
{
	scoped_guard(mutex, &region->lock)
		if (region->pm)
			fabric_region_drop_pagemap_locked(region);
	wait_var_event(&region->n_dying, !atomic_read(&region->n_dying));
}

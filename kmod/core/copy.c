// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * From the arrays of drm_pagemap to work for a driver's copy engine, and waiting for it.
 *
 * The arrays are sparse: an entry of order n is followed by 2^n - 1 that mean nothing. A
 * destination with no source is a hole in the process's memory: it is cleared, by the size of the
 * folio, for the address entry of a large hole says order 0. Upstream drivers do not look at the
 * fence's error; a copy that did not happen must not be committed, so here it is looked at, and
 * the copy is tried again.
 */
#include <linux/dma-fence.h>
#include <linux/mm.h>

#include "fabric.h"
#include "lost.h"

#define FABRIC_COPY_TRIES 3

/* Pieces that fit here need no allocation: what a CPU touch brings home always goes through. */
#define FABRIC_COPY_ON_STACK 16

/*
 * Whatever is wrong with the engine or its device, the user sees -EIO. One that has no memory to
 * begin is not wrong: -ENOMEM, and nothing is lost by that.
 */
static int fabric_copy_once(struct drm_fabric_region *region, const struct drm_fabric_copy *list,
			    unsigned int n)
{
	struct dma_fence *fence;
	int err;

	guard(rwsem_read)(&region->fdev->copies);
	if (READ_ONCE(region->lost) || READ_ONCE(region->fdev->gone))
		return -EIO;
	fence = region->fdev->ops->copy(region, list, n);
	if (IS_ERR(fence)) {
		if (!drm_fabric_device_present(region->fdev))
			return -EIO;
		return PTR_ERR(fence) == -ENOMEM ? -ENOMEM : -EIO;
	}
	dma_fence_wait(fence, false);
	err = dma_fence_get_status(fence);
	dma_fence_put(fence);
	/* An engine knows nothing of a device that was pulled out: it has read ones. */
	return !drm_fabric_device_present(region->fdev) || err < 0 ? -EIO : 0;
}

/* Run a list to its end. The same work twice is harmless: sources do not change meanwhile. */
int fabric_copy_run(struct drm_fabric_region *region, const struct drm_fabric_copy *list,
		    unsigned int n)
{
	int err = 0;

	for (int i = 0; i < FABRIC_COPY_TRIES && n; i++) {
		err = fabric_copy_once(region, list, n);
		if (!err || READ_ONCE(region->lost))
			break;
	}
	return err;
}

/*
 * drm_pagemap tells a source that copies to a peer nothing of the region where its pages are going
 * to, but hands it the fence that the destination wants waited for. So every pagemap has one, with
 * nothing to wait for, that says what its region is. No other fence is ever handed on here.
 */
struct fabric_arrival {
	struct dma_fence fence; /* First: the last dma_fence_put() frees it. */
	spinlock_t lock; /* the fence's */
	struct drm_fabric_region *region; /* not counted: a pagemap holds both */
};

static const char *fabric_arrival_name(struct dma_fence *fence)
{
	return "drm_fabric";
}

static const struct dma_fence_ops fabric_arrival_ops = {
	.get_driver_name = fabric_arrival_name,
	.get_timeline_name = fabric_arrival_name,
};

struct dma_fence *fabric_arrival_new(struct drm_fabric_region *region)
{
	struct fabric_arrival *arrival = kzalloc_obj(*arrival);

	static_assert(offsetof(struct fabric_arrival, fence) == 0);
	if (!arrival)
		return NULL;
	spin_lock_init(&arrival->lock);
	arrival->region = region;
	dma_fence_init(&arrival->fence, &fabric_arrival_ops, &arrival->lock,
		       dma_fence_context_alloc(1), 1);
	dma_fence_signal(&arrival->fence);
	return &arrival->fence;
}

static struct drm_fabric_region *arrival_region(struct dma_fence *fence)
{
	return container_of(fence, struct fabric_arrival, fence)->region;
}

struct copy_batch {
	struct drm_fabric_region *region;
	struct drm_fabric_copy *list;
	unsigned int n, size;
	struct drm_fabric_copy on_stack[FABRIC_COPY_ON_STACK];
};

static void copy_batch_init(struct copy_batch *batch, struct drm_fabric_region *region,
			    unsigned long npages)
{
	batch->region = region;
	batch->n = 0;
	batch->list = NULL;
	batch->size = npages;
	if (npages > FABRIC_COPY_ON_STACK)
		batch->list =
			kvmalloc_array(npages, sizeof(*batch->list), GFP_NOWAIT | __GFP_NOWARN);
	if (!batch->list) {
		batch->list = batch->on_stack;
		batch->size = FABRIC_COPY_ON_STACK;
	}
}

static int copy_batch_run(struct copy_batch *batch)
{
	int err = fabric_copy_run(batch->region, batch->list, batch->n);

	batch->n = 0;
	return err;
}

static int copy_batch_add(struct copy_batch *batch, const struct drm_fabric_copy *copy)
{
	batch->list[batch->n++] = *copy;
	return batch->n == batch->size ? copy_batch_run(batch) : 0;
}

static int copy_batch_fini(struct copy_batch *batch, int err)
{
	if (!err)
		err = copy_batch_run(batch);
	if (batch->list != batch->on_stack)
		kvfree(batch->list);
	return err;
}

/*
 * The first page that takes part. With @addrs a page without an address does not: it was
 * collected because it is in the same block, stays where it is, and may even be another region's.
 */
static struct page *first_page(struct page **pages, const struct drm_pagemap_addr *addrs,
			       unsigned long npages)
{
	for (unsigned long i = 0; i < npages; i++)
		if (pages[i] && (!addrs || addrs[i].addr))
			return pages[i];
	return NULL;
}

/*
 * Pages on their way home could not be copied. One by one now: those that still cannot are dead.
 * They are locked by the migration. Between regions nothing dies: a link may be at fault.
 */
static void bury_failed(struct fabric_pagemap *pm, struct page **pages,
			const struct drm_pagemap_addr *addrs, unsigned long npages)
{
	for (unsigned long i = 0; i < npages; i++) {
		struct drm_fabric_copy copy = { .dir = DRM_FABRIC_COPY_FROM_REGION };

		if (!pages[i] || !addrs[i].addr || addrs[i].proto != DRM_FABRIC_PROTO_SYSTEM)
			continue;
		copy.offset = (u64)fabric_page_index(pm, pages[i]) << PAGE_SHIFT;
		copy.addr = addrs[i];
		if (fabric_copy_run(pm->region, &copy, 1) == -EIO && !READ_ONCE(pm->region->lost))
			fabric_folio_kill(page_folio(pages[i]), false);
	}
}

/*
 * drm_pagemap_devmem_ops.copy_to_devmem: @pages are destinations in one region, @addrs sources in
 * system memory.
 */
int fabric_copy_to_devmem(struct page **pages, struct drm_pagemap_addr *addrs, unsigned long npages,
			  struct dma_fence *fence)
{
	struct page *first = first_page(pages, NULL, npages);
	struct fabric_pagemap *pm;
	struct copy_batch batch;
	unsigned long i = 0;
	int err = 0;

	if (!first)
		return 0;
	pm = fabric_page_pagemap(first);
	copy_batch_init(&batch, pm->region, npages);
	while (i < npages && !err) {
		struct drm_fabric_copy copy = { .dir = DRM_FABRIC_COPY_TO_REGION };

		if (!pages[i]) {
			i++;
			continue;
		}
		copy.offset = (u64)fabric_page_index(pm, pages[i]) << PAGE_SHIFT;
		copy.addr = addrs[i];
		if (!addrs[i].addr) {
			copy.dir = DRM_FABRIC_COPY_CLEAR;
			copy.addr.order = folio_order(page_folio(pages[i]));
		}
		err = copy_batch_add(&batch, &copy);
		i += NR_PAGES(copy.addr.order);
	}
	return copy_batch_fini(&batch, err);
}

/*
 * drm_pagemap_devmem_ops.copy_to_ram: @pages are sources in one region, @addrs destinations:
 * system memory or a peer, and then @fence is the arrival of that.
 */
int fabric_copy_to_ram(struct page **pages, struct drm_pagemap_addr *addrs, unsigned long npages,
		       struct dma_fence *fence)
{
	struct page *first = first_page(pages, addrs, npages);
	struct fabric_pagemap *pm;
	struct copy_batch batch;
	unsigned long i = 0, copied = 0;
	int err = 0;

	if (!first)
		return 0;
	pm = fabric_page_pagemap(first);
	copy_batch_init(&batch, pm->region, npages);
	while (i < npages && !err) {
		struct drm_fabric_copy copy = { .dir = DRM_FABRIC_COPY_FROM_REGION };

		/* No address: that page stays. */
		if (!pages[i] || !addrs[i].addr) {
			i++;
			continue;
		}
		/* What the engine could not read once is not trusted if it can the next time. */
		if (fabric_page_is_dead(pm, fabric_page_index(pm, pages[i]))) {
			err = -EIO;
			break;
		}
		/*
		 * The device may have written it, which no page-table entry tells: a page that goes
		 * home clean, as after MADV_FREE, would be dropped by reclaim.
		 */
		folio_set_dirty(page_folio(pages[i]));
		copy.offset = (u64)fabric_page_index(pm, pages[i]) << PAGE_SHIFT;
		copy.addr = addrs[i];
		err = copy_batch_add(&batch, &copy);
		copied += NR_PAGES(copy.addr.order);
		i += NR_PAGES(copy.addr.order);
	}
	err = copy_batch_fini(&batch, err);
	/* What was written to a device that is not there any more has gone nowhere. */
	if (!err && fence && !drm_fabric_device_present(arrival_region(fence)->fdev))
		return -EIO;
	if (err)
		bury_failed(pm, pages, addrs, npages);
	else
		atomic64_add(copied << PAGE_SHIFT, &pm->region->moved_out_bytes);
	return err;
}

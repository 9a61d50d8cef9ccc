// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Home with what was placed through handles that were taken back, while others go on placing.
 *
 * The evictor of a device goes by page frames, which nobody takes meanwhile. Here a frame may be
 * another's by the time it is locked, and even one that is just being made a page. So pages go by
 * their addresses, where they are mapped: the process that placed them is looked at first, then who
 * else maps them, by reverse mapping. A page whose process is busy with its mappings is left for
 * the next round, as one is that cannot be copied or has no room at home: nothing dies here.
 */
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>

#include "evict.h"
#include "grant.h"

static bool recall_wants(struct fabric_pagemap *pm, unsigned long index)
{
	struct fabric_alloc *alloc;

	guard(rcu)();
	alloc = READ_ONCE(pm->pages[index]);
	return alloc && READ_ONCE(alloc->handle->taken) && !fabric_page_is_dead(pm, index);
}

/* The pages around @index that some process maps. False: that has not brought anything home. */
static bool recall_place(struct fabric_pagemap *pm, struct evict_window *w, unsigned long index)
{
	struct page *page = pfn_to_page(PHYS_PFN(pm->pgmap.range.start) + index);
	unsigned long start, end, moved = 0;
	enum fabric_blocked blocked;
	struct vm_area_struct *vma;
	struct evict_place place;
	bool busy;

	if (!evict_lock_place(page, 0, &place, &busy))
		return false;
	vma = find_vma_intersection(place.mm, place.address, place.address + PMD_SIZE);
	if (vma) {
		start = max(place.address, vma->vm_start);
		end = min(ALIGN(start + 1, PMD_SIZE), vma->vm_end);
		start = max(ALIGN_DOWN(start, PMD_SIZE), vma->vm_start);
		blocked = evict_move_mapped(pm, w, vma, start, end, &moved);
		/* In small pages, next time. */
		if (!moved && (w->src[0] & MIGRATE_PFN_COMPOUND) && blocked != FABRIC_BLOCKED_BUSY)
			evict_split(&place, w);
	}
	evict_unlock_place(&place);
	return moved;
}

/* Pages [first, end) of @alloc. */
static void recall_run(struct fabric_pagemap *pm, struct evict_window *w, unsigned long first,
		       unsigned long end, struct fabric_alloc *alloc)
{
	unsigned long n = 0, start = evict_placed_at(alloc, first, &n), moved;
	struct mm_struct *mm = alloc->devmem.mm;
	struct vm_area_struct *vma;

	if (mmget_not_zero(mm)) {
		if (mmap_read_trylock(mm)) {
			n = min(n, end - first);
			vma = find_vma(mm, start);
			if (vma && vma->vm_start <= start &&
			    vma->vm_end - start >= n << PAGE_SHIFT)
				evict_move_mapped(pm, w, vma, start, start + (n << PAGE_SHIFT),
						  &moved);
			mmap_read_unlock(mm);
		}
		mmput_async(mm);
	}
	/* Moved, shared, or in the hands of a child. */
	for (; first < end; first++)
		if (recall_wants(pm, first) && !recall_place(pm, w, first))
			break;
}

/* The first page from @index on, before @end, that is not @alloc's. */
static unsigned long recall_run_end(struct fabric_pagemap *pm, unsigned long index,
				    unsigned long end, const struct fabric_alloc *alloc)
{
	while (index < end && READ_ONCE(pm->pages[index]) == alloc)
		index++;
	return index;
}

static void recall_window(struct fabric_pagemap *pm, struct evict_window *w, unsigned long first,
			  unsigned long end)
{
	struct fabric_alloc *alloc;
	unsigned long next;

	for (; first < end; first = next) {
		next = first + 1;
		if (!recall_wants(pm, first))
			continue;
		alloc = evict_owner(pm, first);
		if (!alloc)
			continue;
		next = recall_run_end(pm, next, end, alloc);
		recall_run(pm, w, first, next, alloc);
		fabric_alloc_put(alloc);
	}
}

/**
 * fabric_recall() - one round over a region, for pages of handles that were taken back
 * @region: the region
 *
 * Ends early, or does nothing, while the device is evicted or asleep: then everything goes home.
 */
void fabric_recall(struct drm_fabric_region *region)
{
	unsigned long n_pages = region->size >> PAGE_SHIFT;
	struct fabric_pagemap *pm;
	struct evict_window *w;
	int state;

	scoped_guard(mutex, &region->lock) {
		pm = region->pm;
		if (!pm)
			return;
		drm_pagemap_get(&pm->dpagemap);
	}
	w = kvzalloc_obj(*w);
	for (unsigned long first = 0; w && first < n_pages; first += WINDOW_PAGES) {
		state = READ_ONCE(region->fdev->state);
		if (state != DRM_FABRIC_STATE_ONLINE && state != DRM_FABRIC_STATE_DRAINING)
			break;
		w->taken = true;
		recall_window(pm, w, first, min(first + WINDOW_PAGES, n_pages));
		cond_resched();
	}
	kvfree(w);
	drm_pagemap_put(&pm->dpagemap);
}

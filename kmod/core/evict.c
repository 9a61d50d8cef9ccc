// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Everything home: the evictor.
 *
 * It goes by page frames, not by processes, so it finds pages whatever has become of the process
 * that placed them. Where that process still has them, a whole piece goes at once by its address,
 * with one look at the page tables; page by page, each by its reverse mapping, goes what is left:
 * moved, shared, or in the hands of a child. It works in aligned windows of a PMD: a large folio
 * never reaches across the end of one. A large folio needs a large page of system memory, for the
 * core mm does not split it without a virtual address; if there is no large page, or some of it
 * cannot be copied, an address is looked up and the folio split there, and the next round finds
 * small pages.
 *
 * A page that could not be copied for some seconds is dead. One for which there is no memory waits,
 * unless the device was abandoned: then it is dead, too.
 */
#include <linux/dma-mapping.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/swap.h>

#include "fabric.h"

#define WINDOW_PAGES (PMD_SIZE >> PAGE_SHIFT)

struct evict_window {
	unsigned long src[PMD_SIZE >> PAGE_SHIFT];
	unsigned long dst[PMD_SIZE >> PAGE_SHIFT];
	struct drm_fabric_copy list[PMD_SIZE >> PAGE_SHIFT];
	unsigned int list_at[PMD_SIZE >> PAGE_SHIFT]; /* whose piece of work that is */
	unsigned long n_pages;
	bool patient; /* leave a run for the next round if its process's mmap_lock is taken */
	bool whole; /* large folios that do not go home die as they are: they do not split */
	bool bury; /* what cannot be copied dies */
	bool abandoned; /* what finds no memory dies */
};

/*
 * A device that somebody takes away at leisure is no reason for the OOM killer to visit somebody
 * else: the evictor leaves some memory that is free or can be had without swapping.
 */
static bool evict_may_take(unsigned long n_pages)
{
	unsigned long reserve = max_t(unsigned long, SZ_16M >> PAGE_SHIFT, totalram_pages() / 64);

	return get_nr_swap_pages() > n_pages || si_mem_available() > (long)(reserve + n_pages);
}

static struct folio *evict_alloc(unsigned int order)
{
	gfp_t gfp = GFP_HIGHUSER_MOVABLE | __GFP_RETRY_MAYFAIL | __GFP_NOWARN;

	return folio_alloc(gfp, order);
}

static void evict_drop(unsigned long *dst)
{
	struct folio *folio = page_folio(migrate_pfn_to_page(*dst));

	folio_unlock(folio);
	folio_put(folio);
	*dst = 0;
}

/* Where a folio is mapped. */
struct evict_place {
	struct mm_struct *mm; /* mm_users held, to be dropped by mmput_async() */
	unsigned long address; /* of the folio's first page, whether or not that is still mapped */
};

/*
 * A living process that maps @folio, which is locked. The lock of an anon_vma that may be freed
 * any moment is tried only, and then it is the right one if the folio is still mapped: as rmap
 * does it.
 */
static bool evict_find_place_locked(struct folio *folio, struct evict_place *place)
{
	unsigned long mapping = (unsigned long)READ_ONCE(folio->mapping);
	struct anon_vma *anon_vma, *root;
	struct rb_node *node;
	bool found = false;

	scoped_guard(rcu) {
		if ((mapping & FOLIO_MAPPING_FLAGS) != FOLIO_MAPPING_ANON || !folio_mapped(folio))
			return false;
		anon_vma = (struct anon_vma *)(mapping - FOLIO_MAPPING_ANON);
		root = READ_ONCE(anon_vma->root);
		if (!down_read_trylock(&root->rwsem))
			return false;
	}
	for (node = folio_mapped(folio) ? rb_first_cached(&anon_vma->rb_root) : NULL;
	     node && !found; node = rb_next(node)) {
		struct vm_area_struct *vma = rb_entry(node, struct anon_vma_chain, rb)->vma;

		place->address = vma->vm_start + ((folio->index - vma->vm_pgoff) << PAGE_SHIFT);
		if (place->address + folio_size(folio) <= vma->vm_start ||
		    place->address >= vma->vm_end)
			continue;
		place->mm = vma->vm_mm;
		found = mmget_not_zero(place->mm);
	}
	up_read(&root->rwsem);
	return found;
}

/* The same for the folio of a page that may be free. */
static bool evict_find_place(struct page *page, struct evict_place *place)
{
	struct folio *folio = page_folio(page);
	bool found = false;

	if (!folio_try_get(folio))
		return false;
	if (page_folio(page) == folio && folio_trylock(folio)) {
		found = evict_find_place_locked(folio, place);
		folio_unlock(folio);
	}
	folio_put(folio);
	return found;
}

/*
 * Split the large folio of @page where some process maps it, so that it can go home in small
 * pages. Any part that is mapped will do. False: there is no such process.
 */
static bool evict_split(struct page *page, struct evict_window *w)
{
	struct migrate_vma migrate = {
		.src = w->src,
		.dst = w->dst,
		.pgmap_owner = fabric_owner(),
		.flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
	};
	struct evict_place place;

	if (!evict_find_place(page, &place))
		return false;
	mmap_read_lock(place.mm);
	migrate.vma = find_vma_intersection(place.mm, place.address, place.address + PMD_SIZE);
	if (migrate.vma) {
		migrate.start = max(place.address, migrate.vma->vm_start);
		migrate.end = min(place.address + PMD_SIZE, migrate.vma->vm_end);
		/* No destinations: everything stays where it is, in small pages. */
		if (!migrate_vma_setup(&migrate)) {
			migrate_vma_pages(&migrate);
			migrate_vma_finalize(&migrate);
		}
	}
	mmap_read_unlock(place.mm);
	mmput_async(place.mm);
	return true;
}

/* The page of a window, locked and unmapped, does not go home. False: it is to be split first. */
static bool evict_give_up(struct evict_window *w, unsigned long i, bool abandoned)
{
	struct folio *folio = page_folio(migrate_pfn_to_page(w->src[i]));

	if (folio_test_large(folio) && !w->whole)
		return false;
	fabric_folio_kill(folio, abandoned);
	return true;
}

/*
 * Destinations for the pages that are locked and unmapped. A page without one stays. Returns what
 * was in the way.
 */
static enum fabric_blocked evict_get_destinations(struct fabric_pagemap *pm, struct evict_window *w)
{
	enum fabric_blocked blocked = FABRIC_BLOCKED_NONE;
	bool may_take = evict_may_take(w->n_pages);

	for (unsigned long i = 0; i < w->n_pages; i++) {
		struct folio *folio = NULL;
		unsigned int order;
		struct page *page;
		bool dead;

		w->dst[i] = 0;
		if (!(w->src[i] & MIGRATE_PFN_MIGRATE))
			continue;
		page = migrate_pfn_to_page(w->src[i]);
		order = folio_order(page_folio(page));
		dead = test_bit(fabric_page_index(pm, page), pm->dead);
		if (may_take && !dead)
			folio = evict_alloc(order);
		if (!folio) {
			if (!dead && !(w->abandoned && evict_give_up(w, i, true)))
				blocked = FABRIC_BLOCKED_MEMORY;
		} else {
			folio_lock(folio);
			w->dst[i] = migrate_pfn(folio_pfn(folio));
			if (order)
				w->dst[i] |= MIGRATE_PFN_COMPOUND;
		}
		for (unsigned long j = 1; j < NR_PAGES(order); j++)
			w->dst[i + j] = 0;
		i += NR_PAGES(order) - 1;
	}
	return blocked;
}

/*
 * Copy what has a destination; what cannot be copied has none afterwards. Pages share the fate of
 * others only if the engine is well.
 */
static enum fabric_blocked evict_copy(struct fabric_pagemap *pm, struct evict_window *w)
{
	struct device *dev = pm->region->fdev->dev.parent;
	enum fabric_blocked blocked = FABRIC_BLOCKED_NONE;
	unsigned int n = 0;
	bool failed;

	for (unsigned long i = 0; i < w->n_pages; i++) {
		struct page *page = migrate_pfn_to_page(w->dst[i]);
		struct drm_fabric_copy *copy = &w->list[n];
		unsigned int order;
		dma_addr_t addr;

		if (!page)
			continue;
		order = folio_order(page_folio(page));
		addr = dma_map_page(dev, page, 0, PAGE_SIZE << order, DMA_FROM_DEVICE);
		if (dma_mapping_error(dev, addr)) {
			evict_drop(&w->dst[i]);
			blocked = FABRIC_BLOCKED_COPY;
			continue;
		}
		copy->dir = DRM_FABRIC_COPY_FROM_REGION;
		copy->offset = (u64)fabric_page_index(pm, migrate_pfn_to_page(w->src[i]))
			       << PAGE_SHIFT;
		copy->addr = drm_pagemap_addr_encode(addr, DRM_INTERCONNECT_SYSTEM, order,
						     DMA_FROM_DEVICE);
		w->list_at[n++] = i;
	}
	failed = fabric_copy_run(pm->region, w->list, n);
	for (unsigned int i = 0; i < n; i++) {
		bool lost = failed && fabric_copy_run(pm->region, &w->list[i], 1);

		dma_unmap_page(dev, w->list[i].addr.addr, PAGE_SIZE << w->list[i].addr.order,
			       DMA_FROM_DEVICE);
		if (!lost)
			continue;
		evict_drop(&w->dst[w->list_at[i]]);
		if (!w->bury || !evict_give_up(w, w->list_at[i], w->abandoned))
			blocked = FABRIC_BLOCKED_COPY;
	}
	return blocked;
}

/* A CPU fault has just brought it home, and holds it for a moment longer. */
static bool evict_is_retired(struct folio *folio)
{
	return (unsigned long)folio_zone_device_data(folio) & DRM_PAGEMAP_ZDD_FLAG_MIGRATED;
}

/* Give isolated pages destinations, and copy them there. */
static enum fabric_blocked evict_transfer(struct fabric_pagemap *pm, struct evict_window *w)
{
	enum fabric_blocked blocked, copy_blocked;

	for (unsigned long i = 0; i < w->n_pages; i++)
		if ((w->src[i] & MIGRATE_PFN_MIGRATE) &&
		    evict_is_retired(page_folio(migrate_pfn_to_page(w->src[i]))))
			w->src[i] &= ~MIGRATE_PFN_MIGRATE;

	blocked = evict_get_destinations(pm, w);
	copy_blocked = evict_copy(pm, w);
	/* The device may have written them: see fabric_copy_to_ram(). */
	for (unsigned long i = 0; i < w->n_pages; i++)
		if (w->dst[i])
			folio_set_dirty(page_folio(migrate_pfn_to_page(w->src[i])));
	return copy_blocked ?: blocked;
}

/* How many pages have been put in their place; before the migration is finalized. */
static unsigned long evict_count(struct fabric_pagemap *pm, struct evict_window *w)
{
	unsigned long moved = 0;

	for (unsigned long i = 0; i < w->n_pages; i++)
		if ((w->src[i] & MIGRATE_PFN_MIGRATE) && w->dst[i])
			moved += folio_nr_pages(page_folio(migrate_pfn_to_page(w->dst[i])));
	atomic64_add(moved << PAGE_SHIFT, &pm->region->evicted_bytes);
	return moved;
}

/* Pages [first, first + w->n_pages), by page frame. */
static enum fabric_blocked evict_move(struct fabric_pagemap *pm, struct evict_window *w,
				      unsigned long first)
{
	enum fabric_blocked blocked;

	if (migrate_device_range(w->src, PHYS_PFN(pm->pgmap.range.start) + first, w->n_pages))
		return FABRIC_BLOCKED_MEMORY;
	blocked = evict_transfer(pm, w);
	migrate_device_pages(w->src, w->dst, w->n_pages);
	evict_count(pm, w);
	migrate_device_finalize(w->src, w->dst, w->n_pages);
	return blocked;
}

/* Where @alloc placed page @index, and how many of its pages from there on lie side by side. */
static unsigned long evict_placed_at(const struct fabric_alloc *alloc, unsigned long index,
				     unsigned long *ret_n)
{
	unsigned long address = alloc->start;

	for (unsigned int i = 0; i < alloc->n_extents; i++) {
		unsigned long extent = alloc->extents[i].offset >> PAGE_SHIFT;
		unsigned long n = alloc->extents[i].n_pages;

		if (index >= extent && index < extent + n) {
			*ret_n = n - (index - extent);
			return address + ((index - extent) << PAGE_SHIFT);
		}
		address += n << PAGE_SHIFT;
	}
	return 0;
}

/*
 * As many of the pages [first, end) as @alloc has placed side by side, by their address in @mm,
 * whose lock is held. What is there and is not theirs stays. True: all of them have moved.
 */
static bool evict_move_by_address(struct fabric_pagemap *pm, struct evict_window *w,
				  unsigned long first, unsigned long end,
				  const struct fabric_alloc *alloc, struct mm_struct *mm)
{
	struct migrate_vma migrate = {
		.src = w->src,
		.dst = w->dst,
		.pgmap_owner = fabric_owner(),
		.flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE | MIGRATE_VMA_SELECT_COMPOUND,
	};
	unsigned long n = 0, moved;

	migrate.start = evict_placed_at(alloc, first, &n);
	if (n < end - first)
		return false;
	migrate.end = migrate.start + ((end - first) << PAGE_SHIFT);
	migrate.vma = find_vma(mm, migrate.start);
	if (!migrate.vma || migrate.vma->vm_start > migrate.start ||
	    migrate.vma->vm_end < migrate.end)
		return false;
	w->n_pages = end - first;
	if (migrate_vma_setup(&migrate) || !migrate.cpages)
		return false;
	for (unsigned long i = 0; i < w->n_pages; i++) {
		struct page *page = migrate_pfn_to_page(w->src[i]);

		/* Holes are offered, too. */
		if (!page || !is_device_private_page(page) || fabric_page_pagemap(page) != pm)
			w->src[i] &= ~MIGRATE_PFN_MIGRATE;
	}
	evict_transfer(pm, w);
	migrate_vma_pages(&migrate);
	moved = evict_count(pm, w);
	migrate_vma_finalize(&migrate);
	return moved == end - first;
}

/*
 * Pages [first, first + w->n_pages) that @alloc's mm has placed.
 *
 * While pages are unmapped, nothing but their mappings keeps the anon_vma by which they are mapped
 * again, and migrate_device_range() takes no reference: a process that maps them must not unmap
 * them meanwhile. That is what its lock is for. It is the process that placed them, or one of its
 * children if that is gone. One that keeps its lock for long must not stop the evictor, though.
 */
static enum fabric_blocked evict_run(struct fabric_pagemap *pm, struct evict_window *w,
				     unsigned long first, struct fabric_alloc *alloc)
{
	struct page *page = pfn_to_page(PHYS_PFN(pm->pgmap.range.start) + first);
	struct evict_place place = { .mm = alloc->devmem.mm };
	bool users = mmget_not_zero(place.mm) || evict_find_place(page, &place);
	bool locked = users && mmap_read_trylock(place.mm);
	enum fabric_blocked blocked = FABRIC_BLOCKED_BUSY;
	unsigned long n_pages = w->n_pages;
	bool large = false;

	if (locked && place.mm == alloc->devmem.mm &&
	    evict_move_by_address(pm, w, first, first + n_pages, alloc, place.mm)) {
		blocked = FABRIC_BLOCKED_NONE;
	} else if (locked || !users || !w->patient) {
		w->n_pages = n_pages;
		blocked = evict_move(pm, w, first);
		large = w->src[0] & MIGRATE_PFN_COMPOUND;
	}
	if (locked)
		mmap_read_unlock(place.mm);
	if (users)
		mmput_async(place.mm);
	if (!large || (blocked != FABRIC_BLOCKED_MEMORY && blocked != FABRIC_BLOCKED_COPY))
		return blocked;
	/* It is mapped nowhere, or its process is on its way out. */
	if (!evict_split(page, w) && (w->bury || w->abandoned)) {
		w->whole = true;
		blocked = evict_move(pm, w, first);
		w->whole = false;
	}
	return blocked;
}

/* Whose page it is, counted; NULL if it is free. */
static struct fabric_alloc *evict_owner(struct fabric_pagemap *pm, unsigned long index)
{
	struct fabric_alloc *alloc;

	guard(rcu)();
	alloc = READ_ONCE(pm->pages[index]);
	return alloc && kref_get_unless_zero(&alloc->ref) ? alloc : NULL;
}

/* The first page from @index on, before @end, that @mm has not placed. */
static unsigned long evict_run_end(struct fabric_pagemap *pm, unsigned long index,
				   unsigned long end, struct mm_struct *mm)
{
	struct fabric_alloc *alloc;

	guard(rcu)();
	for (; index < end; index++) {
		alloc = READ_ONCE(pm->pages[index]);
		if (!alloc || alloc->devmem.mm != mm)
			break;
	}
	return index;
}

/* The pages of one window, run by run. A large folio is within one: it is all one allocation's. */
static enum fabric_blocked evict_window(struct fabric_pagemap *pm, struct evict_window *w,
					unsigned long first, unsigned long end)
{
	enum fabric_blocked blocked = FABRIC_BLOCKED_NONE, b;
	struct fabric_alloc *alloc;
	unsigned long next;

	for (; first < end; first = next) {
		next = first + 1;
		alloc = evict_owner(pm, first);
		if (!alloc)
			continue;
		next = evict_run_end(pm, next, end, alloc->devmem.mm);
		w->n_pages = next - first;
		b = evict_run(pm, w, first, alloc);
		if (b)
			blocked = b;
		fabric_alloc_put(alloc);
	}
	return blocked;
}

/* All windows. Returns what was in the way of some pages. */
static enum fabric_blocked evict_round(struct fabric_pagemap *pm, bool patient, bool bury)
{
	struct drm_fabric_region *region = pm->region;
	unsigned long n_pages = region->size >> PAGE_SHIFT;
	enum fabric_blocked blocked = FABRIC_BLOCKED_NONE, b;
	struct evict_window *w;

	w = kvmalloc_obj(*w);
	if (!w)
		return FABRIC_BLOCKED_MEMORY;
	w->patient = patient;
	w->whole = false;
	w->abandoned = READ_ONCE(region->fdev->abandoned);
	w->bury = bury || w->abandoned;
	for (unsigned long first = 0; first < n_pages; first += WINDOW_PAGES) {
		b = evict_window(pm, w, first, min(first + WINDOW_PAGES, n_pages));
		if (b)
			blocked = b;
		if (!fabric_device_evict_wanted(region->fdev))
			break;
		cond_resched();
	}
	kvfree(w);
	return blocked;
}

/**
 * fabric_region_evict() - one round over a region
 * @region: takes no new pages
 * @patient: leave pages of a process that is busy with its mappings for a later round
 * @bury: pages that the engine cannot copy are dead
 *
 * Return: true if there is nothing alive left in it. Otherwise it has waited a little, and
 * fdev->blocked says for what.
 */
bool fabric_region_evict(struct drm_fabric_region *region, bool patient, bool bury)
{
	struct drm_fabric_device *fdev = region->fdev;
	struct fabric_pagemap *pm;
	enum fabric_blocked blocked;

	/* The last page may go by itself, and the idle timer behind it. */
	scoped_guard(mutex, &region->lock) {
		pm = region->pm;
		if (!pm || !fabric_region_resident(region))
			return true;
		drm_pagemap_get(&pm->dpagemap);
	}
	blocked = evict_round(pm, patient, bury);
	drm_pagemap_put(&pm->dpagemap);

	if (!fabric_region_resident(region))
		return true;
	/* What is left was locked or referenced at that moment, or its freeing is under way. */
	WRITE_ONCE(fdev->blocked, blocked ?: FABRIC_BLOCKED_BUSY);
	schedule_timeout_idle(msecs_to_jiffies(10));
	return false;
}

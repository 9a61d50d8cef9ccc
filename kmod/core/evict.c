// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Everything home: the evictor.
 *
 * It goes by page frames, not by processes, so it finds pages whatever has become of the process
 * that placed them. Where that process still has them, a whole piece goes at once by its address,
 * with one look at the page tables; by its reverse mapping goes what is left: moved, shared, or in
 * the hands of a child. It works in aligned windows of a PMD: a large folio never reaches across
 * the end of one. A large folio needs a large page of system memory, for the core mm does not split
 * it without a virtual address; if there is no large page, or some of it cannot be copied, the
 * folio is split where it is mapped, and the next round finds small pages.
 *
 * While pages are unmapped, nothing but the mappings that they are to have again keeps the anon_vma
 * by which they are found, and the core mm takes no reference. So nothing moves without the
 * mmap_lock of a process that has a mapping in it: its mappings cannot go meanwhile. The lock is
 * tried only, for a process may keep it as long as it likes; its pages are for a later round. Pages
 * that nobody maps are on their way, or their process is: they go by themselves.
 *
 * A page that could not be copied for some seconds is dead. One for which there is no memory waits,
 * and one whose process keeps its lock, unless the device was abandoned: then they are dead, too.
 */
#include <linux/dma-mapping.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/rmap.h>
#include <linux/sched/mm.h>
#include <linux/swap.h>

#include "compat.h"
#include "evict.h"
#include "split.h"

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

static void evict_let_go(struct folio *folio)
{
	folio_unlock(folio);
	folio_put(folio);
}

static void evict_drop(unsigned long *dst)
{
	evict_let_go(page_folio(migrate_pfn_to_page(*dst)));
	*dst = 0;
}

/* Does @vma have room for @folio where reverse mapping looks for it? */
static bool evict_place_in(struct folio *folio, struct vm_area_struct *vma,
			   struct evict_place *place)
{
	place->mm = vma->vm_mm;
	place->address = vma->vm_start +
			 ((folio->index - compat_vma_start_anon_pgoff(vma)) << PAGE_SHIFT);
	return place->address + folio_size(folio) > vma->vm_start && place->address < vma->vm_end;
}

/* The folio of a page that may be free, counted and locked; NULL: it is free, or held. */
static struct folio *evict_hold(struct page *page)
{
	struct folio *folio = page_folio(page);

	if (!folio_try_get(folio))
		return NULL;
	if (page_folio(page) == folio && folio_trylock(folio))
		return folio;
	folio_put(folio);
	return NULL;
}

void evict_unlock_place(const struct evict_place *place)
{
	mmap_read_unlock(place->mm);
	mmput_async(place->mm);
}

/* Lock the process that @vma is a mapping of. False: it goes, or, *@busy, does not let us. */
static bool evict_lock_mm(struct vm_area_struct *vma, bool *busy)
{
	struct mm_struct *mm = vma->vm_mm;

	if (!mmget_not_zero(mm))
		return false;
	if (!mmap_read_trylock(mm)) {
		*busy = true;
	} else {
		/* A mapping that is being taken down, which goes on with the lock for reading? */
		if (vma_lookup(mm, vma->vm_start) == vma)
			return true;
		mmap_read_unlock(mm);
	}
	mmput_async(mm);
	return false;
}

/*
 * Of @folio, which is locked; @skip: pass over so many that could be had. The lock of an anon_vma
 * that may be freed any moment is tried only, and then it is the right one if the folio is still
 * mapped: as rmap does it. While it is held the mapping is there, and from then on mmap_lock keeps
 * it.
 */
static bool evict_lock_place_of(struct folio *folio, unsigned int skip, struct evict_place *place,
				bool *busy)
{
	struct anon_vma *anon_vma, *root;
	struct rb_node *node;
	bool found = false;

	place->mapping = (unsigned long)READ_ONCE(folio->mapping);
	scoped_guard(rcu) {
		if ((place->mapping & FOLIO_MAPPING_FLAGS) != FOLIO_MAPPING_ANON ||
		    !folio_mapped(folio))
			return false;
		anon_vma = (struct anon_vma *)(place->mapping - FOLIO_MAPPING_ANON);
		root = READ_ONCE(anon_vma->root);
		if (!down_read_trylock(&root->rwsem))
			return false;
		if (!folio_mapped(folio)) {
			up_read(&root->rwsem);
			return false;
		}
	}
	for (node = rb_first_cached(&anon_vma->rb_root); node && !found; node = rb_next(node)) {
		struct vm_area_struct *vma = rb_entry(node, struct anon_vma_chain, rb)->vma;

		if (!evict_place_in(folio, vma, place) || !evict_lock_mm(vma, busy))
			continue;
		found = !skip--;
		if (!found)
			evict_unlock_place(place);
	}
	up_read(&root->rwsem);
	return found;
}

/*
 * Lock a process that maps the folio of @page, the first that lets us but for @skip. False: there
 * is none, or not now; *@busy: it is a process that does not let us.
 */
bool evict_lock_place(struct page *page, unsigned int skip, struct evict_place *place, bool *busy)
{
	struct folio *folio = evict_hold(page);
	bool found;

	*busy = false;
	if (!folio)
		return false;
	found = evict_lock_place_of(folio, skip, place, busy);
	evict_let_go(folio);
	return found;
}

/*
 * Split the large folio that is mapped at @place, so that it can go home in small pages. Any part
 * that is mapped will do.
 */
void evict_split(const struct evict_place *place, struct evict_window *w)
{
	struct migrate_vma migrate = {
		.src = w->src,
		.dst = w->dst,
		.pgmap_owner = fabric_owner(),
		.flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
	};
	unsigned long end = place->address + PMD_SIZE;

	migrate.vma = find_vma_intersection(place->mm, place->address, end);
	if (!migrate.vma)
		return;
	migrate.start = max(place->address, migrate.vma->vm_start);
	migrate.end = min(end, migrate.vma->vm_end);
	/* No destinations: everything stays where it is, in small pages. */
	if (!migrate_vma_setup(&migrate)) {
		migrate_vma_pages(&migrate);
		migrate_vma_finalize(&migrate);
	}
}

/*
 * The page of a window, locked and unmapped, does not go home. False: it is to be split first, or
 * the eviction that gave it up was called off while it waited for memory or for the engine.
 */
static bool evict_give_up(struct evict_window *w, unsigned long i, bool abandoned)
{
	struct folio *folio = page_folio(migrate_pfn_to_page(w->src[i]));

	/* It is dead with all others. */
	if (READ_ONCE(fabric_page_pagemap(folio_page(folio, 0))->region->lost))
		return true;
	if (folio_test_large(folio))
		return false;
	if (!fabric_device_evict_wanted(w->fdev, w->nr))
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
		dead = fabric_page_is_dead(pm, fabric_page_index(pm, page));
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
		int err = failed ? fabric_copy_run(pm->region, &w->list[i], 1) : 0;

		dma_unmap_page(dev, w->list[i].addr.addr, PAGE_SIZE << w->list[i].addr.order,
			       DMA_FROM_DEVICE);
		if (!err)
			continue;
		evict_drop(&w->dst[w->list_at[i]]);
		if (err == -ENOMEM)
			blocked = max(blocked, FABRIC_BLOCKED_MEMORY);
		else if (!w->bury || !evict_give_up(w, w->list_at[i], w->abandoned))
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
	return max(copy_blocked, blocked);
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
unsigned long evict_placed_at(const struct fabric_alloc *alloc, unsigned long index,
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

/* Does the evictor want this page, which is locked and not free? */
static bool evict_wants(struct fabric_pagemap *pm, const struct evict_window *w, struct page *page)
{
	/* Holes are offered, too. */
	if (!page || !is_device_private_page(page) || fabric_page_pagemap(page) != pm)
		return false;
	return !w->taken ||
	       READ_ONCE(pm->pages[fabric_page_index(pm, page)])->handle->taken;
}

/* Large pages that others map, too: see split.c. What cannot be split now stays for others. */
static void evict_split_shared(struct evict_window *w, struct mm_struct *mm, unsigned long start,
			       unsigned long end)
{
	struct evict_place place = { .mm = mm };

	for (place.address = ALIGN(start, PMD_SIZE); place.address + PMD_SIZE <= end;
	     place.address += PMD_SIZE)
		if (fabric_split_is_due(mm, place.address))
			evict_split(&place, w);
}

/*
 * What the evictor wants of [start, end), by address: no more than a window, and inside @vma, whose
 * mm is locked. *@ret_moved: how many pages have come home.
 */
enum fabric_blocked evict_move_mapped(struct fabric_pagemap *pm, struct evict_window *w,
				      struct vm_area_struct *vma, unsigned long start,
				      unsigned long end, unsigned long *ret_moved)
{
	struct migrate_vma migrate = {
		.vma = vma,
		.start = start,
		.end = end,
		.src = w->src,
		.dst = w->dst,
		.pgmap_owner = fabric_owner(),
		.flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE | MIGRATE_VMA_SELECT_COMPOUND,
	};
	enum fabric_blocked blocked;

	*ret_moved = 0;
	evict_split_shared(w, vma->vm_mm, start, end);
	w->n_pages = (end - start) >> PAGE_SHIFT;
	if (migrate_vma_setup(&migrate) || !migrate.cpages)
		return FABRIC_BLOCKED_BUSY;
	for (unsigned long i = 0; i < w->n_pages; i++)
		if (!evict_wants(pm, w, migrate_pfn_to_page(w->src[i])))
			w->src[i] &= ~MIGRATE_PFN_MIGRATE;
	blocked = evict_transfer(pm, w);
	migrate_vma_pages(&migrate);
	*ret_moved = evict_count(pm, w);
	migrate_vma_finalize(&migrate);
	return blocked;
}

/*
 * As many of the pages [first, end) as @alloc has placed side by side, by their address in @mm,
 * whose lock is held. What is there and is not theirs stays. True: all of them have moved.
 */
static bool evict_move_by_address(struct fabric_pagemap *pm, struct evict_window *w,
				  unsigned long first, unsigned long end,
				  const struct fabric_alloc *alloc, struct mm_struct *mm)
{
	unsigned long n = 0, size = (end - first) << PAGE_SHIFT, start, moved;
	struct vm_area_struct *vma;

	start = evict_placed_at(alloc, first, &n);
	if (n < end - first)
		return false;
	vma = find_vma(mm, start);
	if (!vma || vma->vm_start > start || vma->vm_end < start + size)
		return false;
	evict_move_mapped(pm, w, vma, start, start + size, &moved);
	return moved == end - first;
}

/*
 * The process that maps @page keeps its lock, and has been waited for: the administrator has said
 * that it may lose it.
 */
static void evict_kill(struct evict_window *w, struct page *page)
{
	struct folio *folio = evict_hold(page);

	if (!folio)
		return;
	if (fabric_device_evict_wanted(w->fdev, w->nr))
		fabric_folio_kill(folio, true);
	evict_let_go(folio);
}

/* Split the folio of @page in whatever process maps it. False: as evict_lock_place(). */
bool evict_split_anywhere(struct page *page, struct evict_window *w, bool *busy)
{
	struct evict_place place;

	for (unsigned int skip = 0; folio_test_large(page_folio(page)); skip++) {
		if (!evict_lock_place(page, skip, &place, busy))
			return false;
		evict_split(&place, w);
		evict_unlock_place(&place);
	}
	return true;
}

/* The first page from @index on, before @end, that is in another anon_vma, large, or free. */
static unsigned long evict_place_end(struct fabric_pagemap *pm, unsigned long index,
				     unsigned long end, const struct evict_place *place)
{
	struct page *page = pfn_to_page(PHYS_PFN(pm->pgmap.range.start));

	while (index < end && !folio_test_large(page_folio(page + index)) &&
	       (unsigned long)READ_ONCE(page_folio(page + index)->mapping) == place->mapping)
		index++;
	return index;
}

/*
 * Pages [first, end) by their reverse mappings. Each as many as one process's lock is good for: the
 * device takes no page meanwhile, so what is in its anon_vma stays in that, or becomes free.
 */
static enum fabric_blocked evict_move_by_rmap(struct fabric_pagemap *pm, struct evict_window *w,
					      unsigned long first, unsigned long end)
{
	enum fabric_blocked blocked = FABRIC_BLOCKED_NONE, b;
	struct evict_place place;
	unsigned long next;
	bool busy;

	for (; first < end; first = next) {
		struct page *page = pfn_to_page(PHYS_PFN(pm->pgmap.range.start) + first);

		next = first + 1;
		if (!evict_split_anywhere(page, w, &busy) ||
		    !evict_lock_place(page, 0, &place, &busy)) {
			if (busy && w->abandoned && !w->patient)
				evict_kill(w, page);
			else
				blocked = max(blocked, FABRIC_BLOCKED_BUSY);
			continue;
		}
		next = evict_place_end(pm, next, end, &place);
		w->n_pages = next - first;
		b = evict_move(pm, w, first);
		evict_unlock_place(&place);
		blocked = max(blocked, b);
	}
	return blocked;
}

/* Pages [first, first + w->n_pages) that @alloc's mm has placed. */
static enum fabric_blocked evict_run(struct fabric_pagemap *pm, struct evict_window *w,
				     unsigned long first, struct fabric_alloc *alloc)
{
	struct mm_struct *mm = alloc->devmem.mm;
	unsigned long end = first + w->n_pages;
	bool moved = false;

	if (mmget_not_zero(mm)) {
		if (mmap_read_trylock(mm)) {
			moved = evict_move_by_address(pm, w, first, end, alloc, mm);
			mmap_read_unlock(mm);
		}
		mmput_async(mm);
	}
	return moved ? FABRIC_BLOCKED_NONE : evict_move_by_rmap(pm, w, first, end);
}

/* Whose page it is, counted; NULL if it is free. */
struct fabric_alloc *evict_owner(struct fabric_pagemap *pm, unsigned long index)
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
		blocked = max(blocked, b);
		fabric_alloc_put(alloc);
	}
	return blocked;
}

/* All windows. Returns what was in the way of some pages. */
static enum fabric_blocked evict_round(struct fabric_pagemap *pm, unsigned int nr, bool patient,
				       bool bury)
{
	struct drm_fabric_region *region = pm->region;
	unsigned long n_pages = region->size >> PAGE_SHIFT;
	enum fabric_blocked blocked = FABRIC_BLOCKED_NONE, b;
	struct evict_window *w;

	w = kvmalloc_obj(*w);
	if (!w)
		return FABRIC_BLOCKED_MEMORY;
	w->fdev = region->fdev;
	w->nr = nr;
	w->patient = patient;
	w->taken = false;
	w->abandoned = READ_ONCE(region->fdev->abandoned);
	w->bury = bury || w->abandoned;
	for (unsigned long first = 0; first < n_pages; first += WINDOW_PAGES) {
		b = evict_window(pm, w, first, min(first + WINDOW_PAGES, n_pages));
		blocked = max(blocked, b);
		if (!fabric_device_evict_wanted(region->fdev, nr))
			break;
		cond_resched();
	}
	kvfree(w);
	return blocked;
}

/**
 * fabric_region_evict() - one round over a region
 * @region: takes no new pages
 * @nr: of the eviction: it ends with that
 * @patient: leave pages of a process that is busy with its mappings for a later round
 * @bury: pages that the engine cannot copy are dead
 *
 * Return: true if there is nothing alive left in it. Otherwise it has waited a little, and
 * fdev->blocked says for what.
 */
bool fabric_region_evict(struct drm_fabric_region *region, unsigned int nr, bool patient,
			 bool bury)
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
	blocked = evict_round(pm, nr, patient, bury);
	drm_pagemap_put(&pm->dpagemap);

	if (!fabric_region_resident(region))
		return true;
	/* What is left was locked or referenced at that moment, or its freeing is under way. */
	WRITE_ONCE(fdev->blocked, blocked ?: FABRIC_BLOCKED_BUSY);
	schedule_timeout_idle(msecs_to_jiffies(10));
	return false;
}

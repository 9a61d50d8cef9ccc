// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Device memory behind one piece of a process's memory.
 *
 * Upstream gives device memory back when the last page of a piece has gone; here each page goes
 * back to the driver the moment it is free: the table fabric_pagemap.pages says to which
 * allocation a page belongs, and the wrapped folio_free looks there. An entry is written by
 * whoever owns the page at that moment (it has just come from the driver, or its last reference
 * has just gone), so it needs no lock.
 *
 * An allocation is freed in a worker: its last reference may go under a page-table lock, and an
 * mm must not. That is after a grace period: until then, whoever found a page of it under RCU may
 * look at its handle and its account, too.
 */
#include <linux/mm.h>

#include "fabric.h"
#include "mm.h"

static LLIST_HEAD(free_list);

static void fabric_alloc_free_work(struct work_struct *work)
{
	struct llist_node *node = llist_del_all(&free_list);
	struct fabric_alloc *alloc, *next;

	llist_for_each_entry_safe(alloc, next, node, free_node) {
		fabric_account_put(alloc->account);
		fabric_handle_put(alloc->handle);
		kfree(alloc);
	}
}

static DECLARE_WORK(free_work, fabric_alloc_free_work);

static void fabric_alloc_free_rcu(struct rcu_head *rcu)
{
	struct fabric_alloc *alloc = container_of(rcu, struct fabric_alloc, rcu);

	llist_add(&alloc->free_node, &free_list);
	queue_work(fabric_wq, &free_work);
}

static void fabric_alloc_last_put(struct kref *ref)
{
	struct fabric_alloc *alloc = container_of(ref, struct fabric_alloc, ref);

	call_rcu(&alloc->rcu, fabric_alloc_free_rcu);
}

void fabric_alloc_put(struct fabric_alloc *alloc)
{
	kref_put(&alloc->ref, fabric_alloc_last_put);
}

/*
 * Holds @handle and @account, which is in the handle's region and keeps its mm_struct. @start:
 * where in that the piece begins.
 */
struct fabric_alloc *fabric_alloc_new(struct fabric_handle *handle, struct fabric_account *account,
				      struct fabric_pagemap *pm, unsigned long start)
{
	struct fabric_alloc *alloc;

	alloc = kzalloc_obj(*alloc, GFP_KERNEL_ACCOUNT);
	if (!alloc)
		return NULL;
	kref_init(&alloc->ref);
	alloc->pm = pm;
	alloc->start = start;
	kref_get(&handle->ref);
	alloc->handle = handle;
	kref_get(&account->ref);
	alloc->account = account;
	alloc->devmem.mm = account->fmm->notifier.mm;
	return alloc;
}

/*
 * Give @n pages from @index on back to the driver. They are in nobody's hands. Any context, under
 * RCU: dead pages outlive their device, and with the last one goes what holds it.
 */
static void fabric_pages_give_back(struct fabric_alloc *alloc, unsigned long index, unsigned long n)
{
	struct fabric_pagemap *pm = alloc->pm;
	struct drm_fabric_region *region = pm->region;
	unsigned long n_dead = 0;
	bool last;

	for (unsigned long i = 0; i < n && atomic64_read(&region->n_dead); i++)
		n_dead += test_and_clear_bit(index + i, pm->dead);
	atomic64_sub(n_dead, &pm->n_dead);
	atomic64_sub(n_dead, &region->n_dead);
	/* At once: between the two, what was promised would look as if it were for everybody. */
	scoped_guard(spinlock, &region->ledger.lock) {
		if (!READ_ONCE(region->fdev->gone))
			region->fdev->ops->free(region, (u64)index << PAGE_SHIFT,
						(u64)n << PAGE_SHIFT);
		fabric_uncharge_locked(alloc->handle, alloc->account, (u64)n << PAGE_SHIFT,
				       (u64)n_dead << PAGE_SHIFT);
	}
	last = atomic64_sub_and_test(n, &pm->n_pages);
	/* Afterwards the device may leave. */
	atomic64_sub(n, &region->n_pages);
	if (last)
		fabric_region_check_idle(region);
}

/* Returns 0 and *@ret_offset, or what the ledger or the driver says. */
static int fabric_alloc_block(struct fabric_alloc *alloc, u64 bytes, u64 *ret_offset)
{
	struct drm_fabric_region *region = alloc->pm->region;
	int err;

	guard(mutex)(&region->ledger.alloc_lock);
	err = fabric_charge(alloc->handle, alloc->account, bytes);
	if (err)
		return err;
	err = region->fdev->ops->alloc(region, bytes, ret_offset);
	if (err)
		fabric_uncharge(alloc->handle, alloc->account, bytes);
	return err;
}

static int fabric_alloc_extent(struct fabric_alloc *alloc, unsigned long n_pages)
{
	struct fabric_pagemap *pm = alloc->pm;
	struct drm_fabric_region *region = pm->region;
	unsigned long index;
	u64 offset;
	int err;

	if (alloc->n_extents == FABRIC_MAX_EXTENTS)
		return -ENOSPC;
	err = fabric_alloc_block(alloc, (u64)n_pages << PAGE_SHIFT, &offset);
	if (err)
		return err;
	index = offset >> PAGE_SHIFT;
	atomic64_add(n_pages, &alloc->pm->n_pages);
	atomic64_add(n_pages, &region->n_pages);
	for (unsigned long i = 0; i < n_pages; i++)
		WRITE_ONCE(pm->pages[index + i], alloc);
	alloc->extents[alloc->n_extents].offset = offset;
	alloc->extents[alloc->n_extents++].n_pages = n_pages;
	alloc->n_pages += n_pages;
	return 0;
}

/*
 * Take pages from the driver, as blocks whose sizes are the powers of two in @npages, the largest
 * first: a whole PMD_SIZE comes as one block, which the helper needs to build a large folio. What
 * is taken when it fails goes back at release.
 */
int fabric_alloc_populate(struct fabric_alloc *alloc, unsigned long npages, unsigned long *pfns)
{
	unsigned long base = PHYS_PFN(alloc->pm->pgmap.range.start), left = npages, n = 0;

	while (left) {
		int err = fabric_alloc_extent(alloc, min(rounddown_pow_of_two(left),
							 PMD_SIZE >> PAGE_SHIFT));

		if (err)
			return err;
		left = npages - alloc->n_pages;
	}
	for (unsigned int i = 0; i < alloc->n_extents; i++)
		for (unsigned long j = 0; j < alloc->extents[i].n_pages; j++)
			pfns[n++] = base + (alloc->extents[i].offset >> PAGE_SHIFT) + j;
	return 0;
}

/*
 * No page refers to it any more: give back pages that never became part of a folio. Perhaps in
 * atomic context.
 */
void fabric_alloc_release(struct drm_pagemap_devmem *devmem)
{
	struct fabric_alloc *alloc = container_of(devmem, struct fabric_alloc, devmem);
	struct fabric_pagemap *pm = alloc->pm;

	guard(rcu)();
	for (unsigned int i = 0;
	     i < alloc->n_extents && atomic_long_read(&alloc->n_freed) < alloc->n_pages; i++) {
		unsigned long index = alloc->extents[i].offset >> PAGE_SHIFT;

		for (unsigned long end = index + alloc->extents[i].n_pages; index < end; index++) {
			if (READ_ONCE(pm->pages[index]) != alloc)
				continue;
			WRITE_ONCE(pm->pages[index], NULL);
			atomic_long_inc(&alloc->n_freed);
			fabric_pages_give_back(alloc, index, 1);
		}
	}
	fabric_alloc_put(alloc);
}

/*
 * The last reference on a device folio has gone, perhaps under a page-table lock. The order
 * matters: the pages leave our books, then upstream drops what the folio refers to, and only then
 * may the driver hand them out again.
 */
void fabric_folio_free(struct folio *folio)
{
	struct fabric_pagemap *pm = container_of(folio->pgmap, struct fabric_pagemap, pgmap);
	unsigned long index = fabric_page_index(pm, folio_page(folio, 0));
	unsigned long n = folio_nr_pages(folio);
	struct fabric_alloc *alloc = READ_ONCE(pm->pages[index]);

	guard(rcu)();
	for (unsigned long i = 0; i < n; i++)
		WRITE_ONCE(pm->pages[index + i], NULL);
	atomic_long_add(n, &alloc->n_freed);
	drm_pagemap_pagemap_ops_get()->folio_free(folio);
	fabric_pages_give_back(alloc, index, n);
}

/*
 * The data of a device folio is lost: from now on a touch is SIGBUS, wherever the folio is mapped.
 * The caller holds the folio's lock. @abandoned: it was given up; else it could not be copied.
 */
void fabric_folio_kill(struct folio *folio, bool abandoned)
{
	struct fabric_pagemap *pm = container_of(folio->pgmap, struct fabric_pagemap, pgmap);
	unsigned long index = fabric_page_index(pm, folio_page(folio, 0)), n = 0;
	struct fabric_alloc *alloc;

	for (unsigned long i = 0; i < folio_nr_pages(folio); i++)
		n += !test_and_set_bit(index + i, pm->dead);
	if (!n)
		return;
	/* The folio is not free: its allocation stays. */
	alloc = READ_ONCE(pm->pages[index]);
	fabric_charge_dead(alloc->handle, alloc->account, (u64)n << PAGE_SHIFT);
	atomic64_add(n, &pm->n_dead);
	atomic64_add(n, &pm->region->n_dead);
	fabric_handles_lost(pm->region, (u64)n << PAGE_SHIFT, abandoned);
}

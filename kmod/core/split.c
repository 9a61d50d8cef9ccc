// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Large pages that several processes map, and the CPU touches.
 *
 * To bring one home upstream takes a large page of system memory, and where there is none it splits
 * the folio while it is unmapped: in the address space of the fault only (7.2 and 7.3,
 * migrate_vma_split_unmapped_folio()). What the others had stays behind as a migration entry for a
 * large folio that is none any more: nobody puts it back, and they wait for it for ever.
 *
 * So such a folio is split first, where it is mapped, for everybody. That cannot be done under the
 * fault, which holds the folio: a worker does it, and the fault comes again and finds small pages.
 *
 * Nor may it leave its device as a whole in any other way while somebody may unmap it who does not
 * wait for that: zap_huge_pmd() (7.3) takes the migration entry of a device folio for a mapping of
 * it, and drops a mapping and a reference that the entry does not have. So whoever moves one holds
 * the mmap_lock of the only process that maps it, or splits it before.
 *
 * The worker needs the mmap_lock of some process that maps the folio, and does not get it while the
 * fault's caller keeps it and somebody waits to have it for writing. So a fault that may lets go of
 * it. One that may not (hmm_range_fault(), some of get_user_pages()) comes again only while that
 * can help, and then fails: a program's own touch is never one of these. The core's own walks
 * see that by fabric_split_n_refused(), and come again after they have let go.
 */
#include <linux/delay.h>
#include <linux/leafops.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/sched/signal.h>

#include "evict.h"
#include "split.h"

/* So often it is tried: who faults meanwhile holds the folio every now and then. */
#define SPLIT_TRIES 100

/* Bits of fabric_pagemap.split_busy. */
#define SPLIT_BUSY 0
#define SPLIT_FAILED 1

static atomic_t split_n_refused;

/* How often a fault has failed that would have had to come again. */
unsigned int fabric_split_n_refused(void)
{
	return atomic_read(&split_n_refused);
}

/* If it does not succeed, the next fault asks again. */
static void fabric_split_work(struct work_struct *work)
{
	struct fabric_pagemap *pm = container_of(work, struct fabric_pagemap, split_work);
	struct page *page = pfn_to_page(PHYS_PFN(pm->pgmap.range.start) + pm->split_index);
	struct evict_window *w = kvmalloc_obj(*w);
	bool done = false, busy;

	for (int i = 0; w && i < SPLIT_TRIES && !done; i++) {
		done = evict_split_anywhere(page, w, &busy);
		if (!done)
			usleep_range(50, 200);
	}
	kvfree(w);
	if (!done)
		set_bit(SPLIT_FAILED, &pm->split_busy);
	clear_bit_unlock(SPLIT_BUSY, &pm->split_busy);
	drm_pagemap_put(&pm->dpagemap);
}

void fabric_split_init(struct fabric_pagemap *pm)
{
	INIT_WORK(&pm->split_work, fabric_split_work);
}

/**
 * fabric_split_is_due() - does a process share the large page of a device that it maps?
 * @mm: its mmap_lock is held: it does not begin to share it meanwhile
 * @address: aligned to PMD_SIZE
 *
 * Return: true: it must be split before it is moved.
 */
bool fabric_split_is_due(struct mm_struct *mm, unsigned long address)
{
	struct folio *folio;
	softleaf_t entry;
	pgd_t *pgd;
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;

	mmap_assert_locked(mm);
	pgd = pgd_offset(mm, address);
	if (pgd_none(*pgd))
		return false;
	p4d = p4d_offset(pgd, address);
	if (p4d_none(*p4d))
		return false;
	pud = pud_offset(p4d, address);
	if (pud_none(*pud) || pud_leaf(*pud))
		return false;
	pmd = pmd_offset(pud, address);
	guard(spinlock)(pmd_lockptr(mm, pmd));
	if (pmd_none(*pmd) || pmd_present(*pmd))
		return false;
	entry = softleaf_from_pmd(*pmd);
	if (!softleaf_is_device_private(entry))
		return false;
	folio = softleaf_to_folio(entry);
	return folio_mapcount(folio) > 1;
}

/* The fault is to come again. @failed: that has not helped up to now. */
static vm_fault_t split_come_again(struct vm_fault *vmf, bool failed)
{
	struct mm_struct *mm = vmf->vma->vm_mm;

	/* A program's own touch, which lets go by itself. */
	if (vmf->flags & FAULT_FLAG_VMA_LOCK)
		return 0;
	if (vmf->flags & FAULT_FLAG_ALLOW_RETRY) {
		if (!(vmf->flags & FAULT_FLAG_RETRY_NOWAIT))
			mmap_read_unlock(mm);
		return VM_FAULT_RETRY;
	}
	if (!failed && !mmap_lock_is_contended(mm) && !fatal_signal_pending(current))
		return 0;
	atomic_inc(&split_n_refused);
	return VM_FAULT_OOM;
}

/**
 * fabric_split_first() - must a page be split before it can come home?
 * @vmf: a fault on a device page, whose folio is locked
 * @ret: (out) then: what the fault says; with VM_FAULT_RETRY mmap_lock has been let go
 *
 * Return: true: it is being split.
 */
bool fabric_split_first(struct vm_fault *vmf, vm_fault_t *ret)
{
	struct folio *folio = page_folio(vmf->page);
	struct fabric_pagemap *pm = container_of(folio->pgmap, struct fabric_pagemap, pgmap);
	unsigned long index = fabric_page_index(pm, folio_page(folio, 0));
	bool failed = false;

	/* With one mapping there is nobody else to whom one could be added. */
	if (!folio_test_large(folio) || folio_mapcount(folio) < 2)
		return false;
	if (!test_and_set_bit_lock(SPLIT_BUSY, &pm->split_busy)) {
		failed = test_and_clear_bit(SPLIT_FAILED, &pm->split_busy) &&
			 pm->split_index == index;
		pm->split_index = index;
		drm_pagemap_get(&pm->dpagemap);
		queue_work(fabric_evict_wq, &pm->split_work);
	}
	*ret = split_come_again(vmf, failed);
	return true;
}

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
 */
#include <linux/delay.h>
#include <linux/mm.h>

#include "evict.h"
#include "split.h"

/* So often it is tried: who faults meanwhile holds the folio every now and then. */
#define SPLIT_TRIES 100

static bool split_try(struct page *page, struct evict_window *w)
{
	struct evict_place place;
	bool busy;

	if (!folio_test_large(page_folio(page)))
		return true;
	if (!evict_lock_place(page, &place, &busy))
		return false;
	evict_split(&place, w);
	evict_unlock_place(&place);
	return !folio_test_large(page_folio(page));
}

/* If it does not succeed, the next fault asks again. */
static void fabric_split_work(struct work_struct *work)
{
	struct fabric_pagemap *pm = container_of(work, struct fabric_pagemap, split_work);
	struct page *page = pfn_to_page(PHYS_PFN(pm->pgmap.range.start) + pm->split_index);
	struct evict_window *w = kvmalloc_obj(*w);

	for (int i = 0; w && i < SPLIT_TRIES && !split_try(page, w); i++)
		usleep_range(50, 200);
	kvfree(w);
	clear_bit_unlock(0, &pm->split_busy);
	drm_pagemap_put(&pm->dpagemap);
}

void fabric_split_init(struct fabric_pagemap *pm)
{
	INIT_WORK(&pm->split_work, fabric_split_work);
}

/**
 * fabric_split_first() - must a page be split before it can come home?
 * @vmf: a fault on a device page, whose folio is locked
 *
 * Return: true: the fault is to come again; it is being split.
 */
bool fabric_split_first(struct vm_fault *vmf)
{
	struct folio *folio = page_folio(vmf->page);
	struct fabric_pagemap *pm = container_of(folio->pgmap, struct fabric_pagemap, pgmap);

	/* With one mapping there is nobody else to whom one could be added. */
	if (!folio_test_large(folio) || folio_mapcount(folio) < 2)
		return false;
	if (!test_and_set_bit_lock(0, &pm->split_busy)) {
		pm->split_index = fabric_page_index(pm, folio_page(folio, 0));
		drm_pagemap_get(&pm->dpagemap);
		queue_work(fabric_evict_wq, &pm->split_work);
	}
	return true;
}

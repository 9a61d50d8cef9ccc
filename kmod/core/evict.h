/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What moves pages home, for evict.c, which wants all of a region, and recall.c, which wants some.
 */
#ifndef FABRIC_EVICT_H
#define FABRIC_EVICT_H

#include <linux/huge_mm.h>

#include "fabric.h"

#define WINDOW_PAGES (PMD_SIZE >> PAGE_SHIFT)

struct evict_window {
	unsigned long src[PMD_SIZE >> PAGE_SHIFT];
	unsigned long dst[PMD_SIZE >> PAGE_SHIFT];
	struct drm_fabric_copy list[PMD_SIZE >> PAGE_SHIFT];
	unsigned int list_at[PMD_SIZE >> PAGE_SHIFT]; /* whose piece of work that is */
	unsigned long n_pages;
	struct drm_fabric_device *fdev;
	unsigned int nr; /* the eviction that decided what follows */
	bool patient; /* what finds a process busy with its mappings lives, abandoned or not */
	bool bury; /* what cannot be copied dies */
	bool abandoned; /* what finds no memory dies */
	bool taken; /* only pages of handles that were taken back */
};

/* Where a folio is mapped. */
struct evict_place {
	struct mm_struct *mm;
	unsigned long address; /* of the folio's first page, whether or not that is still mapped */
	unsigned long mapping; /* folio->mapping: of the anon_vma that a VMA of @mm is in */
};

bool evict_lock_place(struct page *page, unsigned int skip, struct evict_place *place, bool *busy);
void evict_unlock_place(const struct evict_place *place);
void evict_split(const struct evict_place *place, struct evict_window *w);
bool evict_split_anywhere(struct page *page, struct evict_window *w, bool *busy);
struct fabric_alloc *evict_owner(struct fabric_pagemap *pm, unsigned long index);
unsigned long evict_placed_at(const struct fabric_alloc *alloc, unsigned long index,
			      unsigned long *ret_n);
enum fabric_blocked evict_move_mapped(struct fabric_pagemap *pm, struct evict_window *w,
				      struct vm_area_struct *vma, unsigned long start,
				      unsigned long end, unsigned long *ret_moved);

#endif /* FABRIC_EVICT_H */

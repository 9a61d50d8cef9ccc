// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Under memory pressure idle pagemaps go before their time.
 *
 * What is counted is pages of system memory, as many as will be free: a few pagemaps may hold
 * hundreds of megabytes, and a shrinker that counted pagemaps would be asked for one of them only
 * near OOM. Memory is not freed here but by a worker, for that takes the memory-hotplug lock, and
 * who holds that may be the one who reclaims.
 *
 * The lock is taken in reclaim: nothing is allocated under it.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/shrinker.h>

#include "fabric.h"

/* Protects the list of the regions' pagemaps. */
static DEFINE_SPINLOCK(pagemaps_lock);
static LIST_HEAD(pagemaps);
static struct shrinker *shrinker;

void fabric_shrinker_add(struct fabric_pagemap *pm)
{
	guard(spinlock)(&pagemaps_lock);
	list_add_tail(&pm->link, &pagemaps);
}

void fabric_shrinker_remove(struct fabric_pagemap *pm)
{
	guard(spinlock)(&pagemaps_lock);
	list_del_init(&pm->link);
}

/* Struct pages, in pages. */
static unsigned long memmap_pages(const struct fabric_pagemap *pm)
{
	return DIV_ROUND_UP((pm->region->size >> PAGE_SHIFT) * sizeof(struct page), PAGE_SIZE);
}

static bool is_idle_on(struct fabric_pagemap *pm, int nid)
{
	return page_to_nid(pfn_to_page(PHYS_PFN(pm->pgmap.range.start))) == nid &&
	       !READ_ONCE(pm->wanted) && !fabric_pagemap_in_use(pm);
}

static unsigned long fabric_shrinker_count(struct shrinker *s, struct shrink_control *sc)
{
	unsigned long n = 0;
	struct fabric_pagemap *pm;

	guard(spinlock)(&pagemaps_lock);
	list_for_each_entry(pm, &pagemaps, link)
		if (is_idle_on(pm, sc->nid))
			n += memmap_pages(pm);
	return n ?: SHRINK_EMPTY;
}

static unsigned long fabric_shrinker_scan(struct shrinker *s, struct shrink_control *sc)
{
	unsigned long n = 0;
	struct fabric_pagemap *pm;

	guard(spinlock)(&pagemaps_lock);
	list_for_each_entry(pm, &pagemaps, link) {
		if (n >= sc->nr_to_scan)
			break;
		if (!is_idle_on(pm, sc->nid))
			continue;
		/* In the list it holds its region. One that is leaving does not queue any more. */
		WRITE_ONCE(pm->wanted, true);
		if (queue_work(fabric_wq, &pm->region->reclaim_work))
			n += memmap_pages(pm);
	}
	if (!n)
		return SHRINK_STOP;
	sc->nr_scanned = n;
	return n;
}

/* See lockdep.c. */
void fabric_shrinker_lockdep(void)
{
	fs_reclaim_acquire(GFP_KERNEL);
	might_lock(&pagemaps_lock);
	fs_reclaim_release(GFP_KERNEL);
}

int fabric_shrinker_init(void)
{
	/* A pagemap is on its device's node, and so is its memory. */
	shrinker = shrinker_alloc(SHRINKER_NUMA_AWARE, "drm-fabric-pagemaps");
	if (!shrinker)
		return -ENOMEM;
	shrinker->count_objects = fabric_shrinker_count;
	shrinker->scan_objects = fabric_shrinker_scan;
	/* No I/O to have it again. At any pressure one is asked for half of what there is. */
	shrinker->seeks = 0;
	shrinker_register(shrinker);
	return 0;
}

void fabric_shrinker_exit(void)
{
	shrinker_free(shrinker);
}

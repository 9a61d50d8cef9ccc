/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Looking at where an address space's pages are, and fetching some of them home: see walk.c.
 */
#ifndef FABRIC_WALK_H
#define FABRIC_WALK_H

#include <linux/mm.h>
#include <linux/mmu_notifier.h>

struct drm_fabric_region;
struct fabric_limit;

/**
 * struct fabric_walk - a walk over an mm that the walker holds
 * @mni: only keeps the sequence number
 * @pfns: entries of the last snapshot, as of hmm_range_fault(); room for FABRIC_STEP_PAGES
 * @limit: NULL if nobody waits for the end of it
 */
struct fabric_walk {
	struct mmu_interval_notifier mni;
	struct mm_struct *mm;
	unsigned long *pfns;
	const struct fabric_limit *limit;
};

/* Which pages are to come home. @is is called under RCU, with NULL for what is of no region. */
struct fabric_wanted {
	bool (*is)(struct drm_fabric_region *region, const void *arg);
	const void *arg;
};

int fabric_walk_init(struct fabric_walk *walk, struct mm_struct *mm, unsigned long start,
		     unsigned long end, const struct fabric_limit *limit);
void fabric_walk_fini(struct fabric_walk *walk);
int fabric_walk_snapshot(struct fabric_walk *walk, unsigned long start, unsigned long end);
int fabric_walk_home(struct fabric_walk *walk, unsigned long start, unsigned long end,
		     const struct fabric_wanted *wanted, u64 *moved, u64 *dead);

#endif /* FABRIC_WALK_H */

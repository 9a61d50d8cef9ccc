// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Looking at where a process's pages are, and fetching some of them home.
 *
 * hmm_range_fault() without fault flags is the page-table walk that is open to modules. A
 * snapshot may be stale the next moment: it plans, it does not promise. Regions are found by page
 * frame number under RCU, never through struct page: nothing keeps the struct pages of a snapshot
 * alive.
 */
#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "fabric.h"

#define WALK_PAGES (FABRIC_STEP >> PAGE_SHIFT)

/* A walk over an mm that nobody mirrors. Its notifier only keeps the sequence number. */
struct fabric_walk {
	struct mmu_interval_notifier mni;
	struct mm_struct *mm;
	unsigned long *pfns;
};

static bool fabric_walk_invalidate(struct mmu_interval_notifier *mni,
				   const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	mmu_interval_set_seq(mni, cur_seq);
	return true;
}

static const struct mmu_interval_notifier_ops fabric_walk_ops = {
	.invalidate = fabric_walk_invalidate,
};

static int fabric_walk_init(struct fabric_walk *walk, struct mm_struct *mm, unsigned long start,
			    unsigned long end)
{
	int err;

	walk->mm = mm;
	walk->pfns = kvmalloc_array(WALK_PAGES, sizeof(*walk->pfns), GFP_KERNEL);
	if (!walk->pfns)
		return -ENOMEM;
	err = mmu_interval_notifier_insert(&walk->mni, mm, start, end - start, &fabric_walk_ops);
	if (err)
		kvfree(walk->pfns);
	return err;
}

static void fabric_walk_fini(struct fabric_walk *walk)
{
	mmu_interval_notifier_remove(&walk->mni);
	kvfree(walk->pfns);
}

/*
 * hmm_range_fault() until it succeeds or the time is up. Without mmap_lock, and with a reference
 * on the mm that keeps its users.
 */
static int fabric_hmm_range(struct hmm_range *range, struct mm_struct *mm)
{
	unsigned long timeout = jiffies + msecs_to_jiffies(HMM_RANGE_DEFAULT_TIMEOUT);
	int err;

	do {
		if (fatal_signal_pending(current))
			return -EINTR;
		range->notifier_seq = mmu_interval_read_begin(range->notifier);
		err = mmap_read_lock_killable(mm);
		if (err)
			return err;
		err = hmm_range_fault(range);
		mmap_read_unlock(mm);
	} while (err == -EBUSY && time_before(jiffies, timeout));
	return err;
}

static int fabric_walk_snapshot(struct fabric_walk *walk, unsigned long start, unsigned long end)
{
	struct hmm_range range = {
		.notifier = &walk->mni,
		.start = start,
		.end = end,
		.hmm_pfns = walk->pfns,
		.dev_private_owner = fabric_owner(),
	};

	memset(walk->pfns, 0, ((end - start) >> PAGE_SHIFT) * sizeof(*walk->pfns));
	return fabric_hmm_range(&range, walk->mm);
}

/**
 * fabric_home() - bring pages home
 * @mm: whose; the caller holds mm_users
 * @notifier: covers the range
 * @start: first address
 * @end: behind the last; at most FABRIC_STEP from @start
 * @write: get pages that may be written, too: breaks copy-on-write
 *
 * Device pages become system pages; absent pages are faulted in.
 *
 * Return: 0; -EBUSY; -EFAULT; -EINTR; -ENOMEM.
 */
int fabric_home(struct mm_struct *mm, struct mmu_interval_notifier *notifier, unsigned long start,
		unsigned long end, bool write)
{
	unsigned long n = (end - start) >> PAGE_SHIFT;
	struct hmm_range range = {
		.notifier = notifier,
		.start = start,
		.end = end,
		.default_flags = HMM_PFN_REQ_FAULT | (write ? HMM_PFN_REQ_WRITE : 0),
		/* No owner: every device page is foreign, and foreign pages are faulted home. */
	};
	int err;

	range.hmm_pfns = kvcalloc(n, sizeof(*range.hmm_pfns), GFP_KERNEL);
	if (!range.hmm_pfns)
		return -ENOMEM;
	err = fabric_hmm_range(&range, mm);
	kvfree(range.hmm_pfns);
	return err;
}

/* Bring home the runs of entries that @wanted picks. Returns bytes in *@moved. */
static int fabric_walk_home(struct fabric_walk *walk, unsigned long start, unsigned long end,
			    bool (*wanted)(struct drm_fabric_region *region, const void *arg),
			    const void *arg, u64 *moved)
{
	unsigned long n = (end - start) >> PAGE_SHIFT, i = 0, first;
	int err = fabric_walk_snapshot(walk, start, end);

	while (!err && i < n) {
		scoped_guard(rcu) {
			while (i < n && !wanted(fabric_region_of_entry(walk->pfns[i]), arg))
				i++;
			first = i;
			while (i < n && wanted(fabric_region_of_entry(walk->pfns[i]), arg))
				i++;
		}
		if (first == i)
			break;
		err = fabric_home(walk->mm, &walk->mni, start + (first << PAGE_SHIFT),
				  start + (i << PAGE_SHIFT), false);
		if (!err)
			*moved += (i - first) << PAGE_SHIFT;
	}
	return err;
}

static bool is_region(struct drm_fabric_region *region, const void *arg)
{
	return region && region == arg;
}

/* The part of [@start, @end) of current->mm that is in @region comes home. */
int fabric_to_system(struct drm_fabric_region *region, unsigned long start, unsigned long end,
		     u64 *moved)
{
	struct fabric_walk walk;
	int err;

	*moved = 0;
	err = fabric_walk_init(&walk, current->mm, start, end);
	if (err)
		return err;
	for (unsigned long next; start < end && !err; start = next) {
		next = min(ALIGN(start + 1, FABRIC_STEP), end);
		err = fabric_walk_home(&walk, start, next, is_region, region, moved);
		cond_resched();
	}
	fabric_walk_fini(&walk);
	return err;
}

static bool is_unreaching(struct drm_fabric_region *region, const void *arg)
{
	return region && !fabric_reachable(region->fdev, (struct drm_fabric_device *)arg);
}

/*
 * Pages in [@start, @end) of devices that do not reach @owner come home: it is the source's engine
 * that copies from one region to another. @mm is current->mm.
 */
int fabric_home_unreaching(struct drm_fabric_device *owner, struct mm_struct *mm,
			   unsigned long start, unsigned long end)
{
	struct fabric_walk walk;
	u64 moved = 0;
	int err;

	if (!fabric_device_any_unreaching(owner))
		return 0;
	err = fabric_walk_init(&walk, mm, start, end);
	if (err)
		return err;
	err = fabric_walk_home(&walk, start, end, is_unreaching, owner, &moved);
	fabric_walk_fini(&walk);
	return err;
}

int fabric_residency(struct drm_fabric_region *region, struct drm_fabric_devmem_residency *args)
{
	unsigned long start = args->start, end = args->start + args->length_bytes;
	struct fabric_walk walk;
	int err;

	err = fabric_walk_init(&walk, current->mm, start, end);
	if (err)
		return err;
	args->region_bytes = 0;
	args->other_bytes = 0;
	args->system_bytes = 0;
	args->absent_bytes = 0;
	for (unsigned long next; start < end; start = next) {
		next = min(ALIGN(start + 1, FABRIC_STEP), end);
		err = fabric_walk_snapshot(&walk, start, next);
		if (err)
			break;
		guard(rcu)();
		for (unsigned long i = 0; i < (next - start) >> PAGE_SHIFT; i++) {
			struct drm_fabric_region *r = fabric_region_of_entry(walk.pfns[i]);

			if (!(walk.pfns[i] & HMM_PFN_VALID))
				args->absent_bytes += PAGE_SIZE;
			else if (!r)
				args->system_bytes += PAGE_SIZE;
			else if (r == region)
				args->region_bytes += PAGE_SIZE;
			else
				args->other_bytes += PAGE_SIZE;
		}
	}
	fabric_walk_fini(&walk);
	return err;
}

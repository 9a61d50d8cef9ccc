// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Looking at where a process's pages are, and fetching some of them home.
 *
 * hmm_range_fault() without fault flags is the page-table walk that is open to modules. A
 * snapshot may be stale the next moment: it plans, it does not promise. Regions are found by page
 * frame number under RCU, never through struct page: nothing keeps the struct pages of a snapshot
 * alive.
 */
#include <linux/delay.h>
#include <linux/hmm.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/userfaultfd_k.h>

#include "fabric.h"
#include "split.h"
#include "walk.h"

/* A process that does not stand still must not hold whoever waits for the device's users. */
static bool fabric_limit_reached(const struct fabric_limit *limit)
{
	return limit && (time_after_eq(jiffies, limit->end) ||
			 READ_ONCE(limit->used->state) != DRM_FABRIC_STATE_ONLINE);
}

static bool fabric_walk_invalidate(struct mmu_interval_notifier *mni,
				   const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	mmu_interval_set_seq(mni, cur_seq);
	return true;
}

static const struct mmu_interval_notifier_ops fabric_walk_ops = {
	.invalidate = fabric_walk_invalidate,
};

/* @mm: the caller holds its users, for as long as the walk lasts. */
int fabric_walk_init(struct fabric_walk *walk, struct mm_struct *mm, unsigned long start,
		     unsigned long end, const struct fabric_limit *limit)
{
	int err;

	walk->mm = mm;
	walk->limit = limit;
	walk->pfns = kvmalloc_array(FABRIC_STEP_PAGES, sizeof(*walk->pfns), GFP_KERNEL_ACCOUNT);
	if (!walk->pfns)
		return -ENOMEM;
	err = mmu_interval_notifier_insert(&walk->mni, mm, start, end - start, &fabric_walk_ops);
	if (err)
		kvfree(walk->pfns);
	return err;
}

void fabric_walk_fini(struct fabric_walk *walk)
{
	mmu_interval_notifier_remove(&walk->mni);
	kvfree(walk->pfns);
}

/*
 * Who works within a limit holds the users of a device, and must not wait behind a process that
 * keeps its mmap_lock. Return: 0; -EBUSY; -EINTR.
 */
static int fabric_mmap_lock(struct mm_struct *mm, const struct fabric_limit *limit)
{
	if (!limit)
		return mmap_read_lock_killable(mm);
	while (!mmap_read_trylock(mm)) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (fabric_limit_reached(limit))
			return -EBUSY;
		usleep_range(50, 200);
	}
	return 0;
}

/*
 * Pages of devices are in anonymous memory, and what is fetched was that. If it is a file now,
 * which may be one that a FUSE server does not give, it is not to be waited for.
 */
static bool fabric_is_all_anonymous(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct vm_area_struct *vma = find_vma_intersection(mm, start, end);

	while (vma && vma_is_anonymous(vma) && vma->vm_end < end)
		vma = find_vma_intersection(mm, vma->vm_end, end);
	return !vma || vma_is_anonymous(vma);
}

/*
 * hmm_range_fault() until it succeeds or the time is up; once at least. Without mmap_lock, and with
 * a reference on the mm that keeps its users.
 */
static int fabric_hmm_range(struct hmm_range *range, struct mm_struct *mm,
			    const struct fabric_limit *limit)
{
	unsigned long timeout = jiffies + msecs_to_jiffies(HMM_RANGE_DEFAULT_TIMEOUT);
	int err;

	do {
		unsigned int n_refused = fabric_split_n_refused();

		if (fatal_signal_pending(current))
			return -EINTR;
		range->notifier_seq = mmu_interval_read_begin(range->notifier);
		err = fabric_mmap_lock(mm, limit);
		if (err)
			return err;
		if ((range->default_flags & HMM_PFN_REQ_FAULT) &&
		    !fabric_is_all_anonymous(mm, range->start, range->end)) {
			mmap_read_unlock(mm);
			return -EBUSY;
		}
		err = hmm_range_fault(range);
		mmap_read_unlock(mm);
		/* -EFAULT up to 7.2. Perhaps another's, and then it is looked once too often. */
		if ((err == -ENOMEM || err == -EFAULT) && n_refused != fabric_split_n_refused()) {
			err = -EBUSY;
			usleep_range(200, 400);
		}
	} while (err == -EBUSY && time_before(jiffies, timeout) && !fabric_limit_reached(limit));
	return err;
}

/* At most FABRIC_STEP. Nothing is faulted in. Return: 0; -EBUSY, -EINTR. */
int fabric_walk_snapshot(struct fabric_walk *walk, unsigned long start, unsigned long end)
{
	struct hmm_range range = {
		.notifier = &walk->mni,
		.start = start,
		.end = end,
		.hmm_pfns = walk->pfns,
		.dev_private_owner = fabric_owner(),
	};

	memset(walk->pfns, 0, ((end - start) >> PAGE_SHIFT) * sizeof(*walk->pfns));
	return fabric_hmm_range(&range, walk->mm, walk->limit);
}

static int fabric_home_limited(struct mm_struct *mm, struct mmu_interval_notifier *notifier,
			       unsigned long start, unsigned long end, bool write,
			       const struct fabric_limit *limit)
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

	range.hmm_pfns = kvcalloc(n, sizeof(*range.hmm_pfns), GFP_KERNEL_ACCOUNT);
	if (!range.hmm_pfns)
		return -ENOMEM;
	err = fabric_hmm_range(&range, mm, limit);
	kvfree(range.hmm_pfns);
	return err;
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
	return fabric_home_limited(mm, notifier, start, end, write, NULL);
}

enum entry_is { ENTRY_OTHER, ENTRY_WANTED, ENTRY_DEAD };

/* For an entry of a snapshot. A page whose data is lost is wanted nowhere. */
static enum entry_is fabric_walk_entry(const struct fabric_walk *walk, unsigned long i,
				       const struct fabric_wanted *wanted)
{
	guard(rcu)();
	if (!wanted->is(fabric_region_of_entry(walk->pfns[i]), wanted->arg))
		return ENTRY_OTHER;
	return fabric_entry_is_dead(walk->pfns[i]) ? ENTRY_DEAD : ENTRY_WANTED;
}

static void fabric_walk_count(const struct fabric_walk *walk, unsigned long n,
			      const struct fabric_wanted *wanted, unsigned long *alive,
			      unsigned long *dead)
{
	*alive = 0;
	*dead = 0;
	for (unsigned long i = 0; i < n; i++) {
		enum entry_is is = fabric_walk_entry(walk, i, wanted);

		*alive += is == ENTRY_WANTED;
		*dead += is == ENTRY_DEAD;
	}
}

/* Fetch the runs of wanted pages. One that does not come does not stop the next, in time. */
static int fabric_walk_fetch(struct fabric_walk *walk, unsigned long start, unsigned long n,
			     const struct fabric_wanted *wanted)
{
	unsigned long i = 0, first;
	int err = 0;

	while (err != -EINTR && !(err && fabric_limit_reached(walk->limit))) {
		int r;

		while (i < n && fabric_walk_entry(walk, i, wanted) != ENTRY_WANTED)
			i++;
		if (i == n)
			break;
		first = i;
		while (i < n && fabric_walk_entry(walk, i, wanted) == ENTRY_WANTED)
			i++;
		r = fabric_home_limited(walk->mm, &walk->mni, start + (first << PAGE_SHIFT),
					start + (i << PAGE_SHIFT), false, walk->limit);
		err = r ?: err;
	}
	return err;
}

/*
 * Bring wanted pages home, all but the dead. A page that dies on its way stops the run that it is
 * in, with an error that is not the same everywhere (-EFAULT up to 7.2): so after an error it is
 * looked again, for as long as something changes. *@moved and *@dead grow by bytes, also when it
 * fails.
 */
int fabric_walk_home(struct fabric_walk *walk, unsigned long start, unsigned long end,
		     const struct fabric_wanted *wanted, u64 *moved, u64 *dead)
{
	unsigned long n = (end - start) >> PAGE_SHIFT, alive, n_dead;
	int err = fabric_walk_snapshot(walk, start, end), home_err;

	if (err)
		return err;
	fabric_walk_count(walk, n, wanted, &alive, &n_dead);
	while (alive) {
		unsigned long alive_before = alive, dead_before = n_dead;

		home_err = fabric_walk_fetch(walk, start, n, wanted);
		if (!home_err) {
			*moved += (u64)alive << PAGE_SHIFT;
			break;
		}
		err = home_err == -EINTR ? home_err : fabric_walk_snapshot(walk, start, end);
		if (err)
			break;
		fabric_walk_count(walk, n, wanted, &alive, &n_dead);
		if (alive && (alive >= alive_before || fabric_limit_reached(walk->limit))) {
			err = home_err;
			break;
		}
		/* What is no longer alive there has died or come home. */
		if (alive_before - alive > n_dead - dead_before)
			*moved += (u64)(alive_before - alive - (n_dead - dead_before))
				  << PAGE_SHIFT;
	}
	*dead += (u64)n_dead << PAGE_SHIFT;
	return err;
}

static bool is_region(struct drm_fabric_region *region, const void *arg)
{
	return region && region == arg;
}

/* What of the range of current->mm is in @region comes home. */
int fabric_to_system(struct drm_fabric_region *region, struct drm_fabric_devmem_to_system *args)
{
	const struct fabric_wanted wanted = { .is = is_region, .arg = region };
	unsigned long start = args->start, end = args->start + args->length_bytes;
	struct fabric_walk walk;
	int err;

	args->moved_bytes = 0;
	args->dead_bytes = 0;
	if (!current->mm)
		return -EINVAL;
	err = fabric_walk_init(&walk, current->mm, start, end, NULL);
	if (err)
		return err;
	for (unsigned long next; start < end && !err; start = next) {
		next = min(ALIGN(start + 1, FABRIC_STEP), end);
		err = fabric_walk_home(&walk, start, next, &wanted, &args->moved_bytes,
				       &args->dead_bytes);
		cond_resched();
	}
	fabric_walk_fini(&walk);
	/* Neither dead nor home: whatever the fault said about it, it resists. */
	return err == -EFAULT || err == -EHWPOISON || err == -EPERM ? -EBUSY : err;
}

static bool is_unreaching(struct drm_fabric_region *region, const void *arg)
{
	return region && !fabric_reachable(region->fdev, (struct drm_fabric_device *)arg);
}

/*
 * Pages in [@start, @end) of devices that do not reach @owner come home: it is the source's engine
 * that copies from one region to another. The caller holds the users of @mm. Those that have not
 * come within @limit stay.
 */
int fabric_home_unreaching(struct drm_fabric_device *owner, struct mm_struct *mm,
			   unsigned long start, unsigned long end, const struct fabric_limit *limit)
{
	const struct fabric_wanted wanted = { .is = is_unreaching, .arg = owner };
	struct fabric_walk walk;
	u64 moved = 0, dead = 0;
	int err;

	if (!fabric_device_any_unreaching(owner))
		return 0;
	err = fabric_walk_init(&walk, mm, start, end, limit);
	if (err)
		return err;
	err = fabric_walk_home(&walk, start, end, &wanted, &moved, &dead);
	fabric_walk_fini(&walk);
	return err;
}

/* Memory that can be moved into a region at all. */
bool fabric_vma_fits(struct vm_area_struct *vma)
{
	return vma_is_anonymous(vma) && !is_vm_hugetlb_page(vma) && !(vma->vm_flags & VM_SPECIAL);
}

/* Is a page of system memory held for DMA? The page table had it a moment ago. */
static bool fabric_pfn_is_pinned(unsigned long pfn)
{
	/* Meanwhile the frame may have gone altogether: a pagemap that was taken down. */
	struct page *page = pfn_to_online_page(pfn);
	struct folio *folio;
	bool pinned;

	if (!page)
		return false;
	folio = page_folio(page);
	if (!folio_try_get(folio))
		return false;
	pinned = page_folio(page) == folio && folio_maybe_dma_pinned(folio);
	folio_put(folio);
	return pinned;
}

/*
 * Not present, and not a page of the fabric. The page table has an empty entry for what is swapped
 * out, under migration, poisoned, or guarded: hmm does not tell them apart. Holes do not resist
 * unless it is a userfaultfd's to fill them. mmap_lock is held for reading.
 */
static u8 explain_absent(struct mm_struct *mm, unsigned long addr, u8 otherwise)
{
	struct vm_area_struct *vma = vma_lookup(mm, addr);

	if (!vma || !vma_is_accessible(vma))
		return DRM_FABRIC_REFUSED_NOT_MAPPED;
	if (!fabric_vma_fits(vma))
		return DRM_FABRIC_REFUSED_NOT_ANON;
	if (otherwise != DRM_FABRIC_REFUSED_BUSY)
		return otherwise;
	if (userfaultfd_missing(vma) || get_mm_counter_sum(mm, MM_SWAPENTS))
		return DRM_FABRIC_REFUSED_SWAPPED;
	return vma->vm_flags & VM_MAYBE_GUARD ? FABRIC_WHY_GUARDED : FABRIC_WHY_UNKNOWN;
}

/* mmap_lock is held for reading. */
static u8 explain_present(struct drm_fabric_region *region, struct mm_struct *mm,
			  unsigned long addr, unsigned long entry, u8 otherwise)
{
	struct drm_fabric_region *r;

	/* As good as a hole. */
	if (is_zero_pfn(entry & ~HMM_PFN_FLAGS)) {
		struct vm_area_struct *vma = vma_lookup(mm, addr);

		return vma && userfaultfd_missing(vma) ? DRM_FABRIC_REFUSED_SWAPPED : otherwise;
	}
	guard(rcu)();
	r = fabric_region_of_entry(entry);
	if (!r)
		return fabric_pfn_is_pinned(entry & ~HMM_PFN_FLAGS) ? DRM_FABRIC_REFUSED_PINNED :
								      otherwise;
	if (fabric_entry_is_dead(entry))
		return DRM_FABRIC_REFUSED_DEAD;
	if (r == region)
		return FABRIC_WHY_PRESENT;
	return fabric_reachable(r->fdev, region->fdev) ? otherwise : DRM_FABRIC_REFUSED_UNREACHABLE;
}

/* Nothing of this process is swapped out: a touch tells what may not be touched, in time. */
static u8 explain_by_touch(struct fabric_walk *walk, unsigned long addr, u8 why)
{
	int err;

	if (fabric_limit_reached(walk->limit))
		return DRM_FABRIC_REFUSED_BUSY;
	err = fabric_home_limited(walk->mm, &walk->mni, addr, addr + PAGE_SIZE, false, walk->limit);
	if (err != -EFAULT && err != -EHWPOISON)
		return DRM_FABRIC_REFUSED_BUSY;
	return why == FABRIC_WHY_GUARDED ? DRM_FABRIC_REFUSED_NOT_MAPPED : DRM_FABRIC_REFUSED_DEAD;
}

static bool explain_is_absent(const struct fabric_walk *walk, const u8 *why, unsigned long n)
{
	for (unsigned long i = 0; i < n; i++)
		if (why[i] == DRM_FABRIC_REFUSED_BUSY && !(walk->pfns[i] & HMM_PFN_VALID))
			return true;
	return false;
}

static int explain_all(struct fabric_walk *walk, struct drm_fabric_region *region,
		       unsigned long start, unsigned long end, u8 *why)
{
	unsigned long n = (end - start) >> PAGE_SHIFT, addr;
	int err;

	err = fabric_walk_snapshot(walk, start, end);
	/* A page under migration looks like one that is swapped out, for a moment. */
	if (!err && explain_is_absent(walk, why, n) && !fabric_limit_reached(walk->limit)) {
		usleep_range(200, 400);
		err = fabric_walk_snapshot(walk, start, end);
	}
	if (!err)
		err = fabric_mmap_lock(walk->mm, walk->limit);
	if (err)
		return err;
	for (unsigned long i = 0; i < n; i++) {
		if (why[i] == FABRIC_WHY_NOBODY_ASKS)
			continue;
		addr = start + (i << PAGE_SHIFT);
		if (walk->pfns[i] & HMM_PFN_VALID)
			why[i] = explain_present(region, walk->mm, addr, walk->pfns[i], why[i]);
		else
			why[i] = explain_absent(walk->mm, addr, why[i]);
	}
	mmap_read_unlock(walk->mm);
	for (unsigned long i = 0; i < n; i++)
		if (why[i] == FABRIC_WHY_UNKNOWN || why[i] == FABRIC_WHY_GUARDED)
			why[i] = explain_by_touch(walk, start + (i << PAGE_SHIFT), why[i]);
	return 0;
}

/**
 * fabric_explain() - what became of pages that did not go into a region
 * @region: where they should have gone
 * @mm: whose; the caller holds its users, and not mmap_lock
 * @start: first address
 * @end: behind the last; inside one FABRIC_STEP
 * @why: for each page: FABRIC_WHY_NOBODY_ASKS, or the reason unless there is a better one (BUSY,
 * COPY). Afterwards the reason, or FABRIC_WHY_PRESENT
 * @limit: what has not been found out by then is BUSY
 *
 * Return: 0, or a negative errno: then @why is what it was.
 */
int fabric_explain(struct drm_fabric_region *region, struct mm_struct *mm, unsigned long start,
		   unsigned long end, u8 *why, const struct fabric_limit *limit)
{
	struct fabric_walk walk;
	int err;

	err = fabric_walk_init(&walk, mm, start, end, limit);
	if (err)
		return err;
	err = explain_all(&walk, region, start, end, why);
	fabric_walk_fini(&walk);
	return err;
}

// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A device has missed an address of a mirrored address space.
 *
 * A range may hold pages of several regions, some of which the device does not reach. So a fault
 * looks first (a snapshot), fetches home what the device does not reach, cuts the rest into runs
 * with at most one region each, and gets each run as one drm_gpusvm_pages.
 *
 * hmm_range_fault() does not honour a request to write for a device page of the fabric: after a
 * fork such a page is shared, and writing to it in place would write the child's copy, too. Pages
 * that the process may not write are fetched home by a writing fault, which breaks copy-on-write
 * as a CPU write would.
 *
 * Before that a fault asks where the process wants the range to be (prefer.c), and puts it there
 * (place.c), without vm->lock: it waits for other devices. Ranges do not reach across what is
 * preferred differently. What could not be had is not asked for again, or memory would go back and
 * forth: nor is what another device took that does not reach it here. Both until something changes:
 * the preference, which makes the range anew, or a device or a link.
 *
 * A fault that finds the range's count of invalidations changed between its first look and its
 * commit starts again. So does one that has not seen all pages: what was under way at the first
 * look may be anything afterwards, and nothing invalidates when it arrives. One that finds that
 * what is preferred has changed asks again.
 */
#include <linux/cred.h>
#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "fabric.h"
#include "prefer.h"
#include "vm.h"

#define FABRIC_FAULT_TRIES 32
/* So often what is preferred may change during a fault. */
#define FABRIC_ASK_TRIES 4
/* What fault_locked() returns, too: the range is to be put in its place first. */
#define FAULT_ASK 1

/**
 * struct fabric_ask - what a fault has come to by asking for a preference
 * @preference: counted; NULL: it has not asked yet
 * @start: of the range that was put in its place
 * @end: behind the last
 * @generation: when it began with that
 * @n: how often it has asked
 * @n_forgets: drm_fabric_vm.n_forgets when it last looked at what is preferred
 * @settled: not all is where it should be
 */
struct fabric_ask {
	struct fabric_preference *preference;
	unsigned long start;
	unsigned long end;
	u64 generation;
	unsigned int n;
	u64 n_forgets;
	bool settled;
};

/* A fault under way. */
struct fabric_fault {
	struct drm_fabric_vm *vm;
	struct fabric_range *range;
	unsigned long start;
	unsigned long n;
	bool write;
	bool widen; /* a larger range may be had in the place of this one */
	unsigned long deadline; /* in jiffies: whoever waits looks after other things, too */
	u64 seq;
	u64 n_forgets;
	unsigned long *pfns; /* the snapshot */
};

/*
 * Is page @i, a device page, part of one that is mapped as a whole and larger than the range? hmm
 * (7.2 and 7.3, hmm_vma_handle_absent_pmd()) says of such a page that it begins where the walk
 * began: the device would be given the first pages instead of these.
 */
static bool fault_is_part(const struct fabric_fault *f, unsigned long i)
{
	return NR_PAGES(hmm_pfn_to_map_order(f->pfns[i])) > f->n;
}

/* Must page @i go home before the device can use it? Under RCU. */
static bool fault_must_go_home(struct fabric_fault *f, unsigned long i)
{
	struct drm_fabric_region *region = fabric_region_of_entry(f->pfns[i]);

	if (!region)
		return false;
	if (fault_is_part(f, i))
		return true;
	if (f->write && !(f->pfns[i] & HMM_PFN_WRITE))
		return true;
	return !fabric_reachable(f->vm->fdev, region->fdev);
}

/* Is page @i where the device cannot use it at all? */
static bool fault_is_unreachable(struct fabric_fault *f, unsigned long i)
{
	struct drm_fabric_region *region;

	guard(rcu)();
	region = fabric_region_of_entry(f->pfns[i]);
	return region && !fabric_reachable(f->vm->fdev, region->fdev);
}

static int fault_snapshot(struct fabric_fault *f)
{
	struct mmu_interval_notifier *notifier = &f->range->base.notifier->notifier;
	struct mm_struct *mm = f->vm->svm.mm;
	struct hmm_range range = {
		.notifier = notifier,
		.start = f->start,
		.end = f->start + (f->n << PAGE_SHIFT),
		.hmm_pfns = f->pfns,
		.dev_private_owner = fabric_owner(),
	};
	int err;

	memset(f->pfns, 0, f->n * sizeof(*f->pfns));
	range.notifier_seq = mmu_interval_read_begin(notifier);
	drm_gpusvm_notifier_lock(&f->vm->svm);
	f->seq = f->range->seq;
	drm_gpusvm_notifier_unlock(&f->vm->svm);
	mmap_read_lock(mm);
	err = hmm_range_fault(&range);
	mmap_read_unlock(mm);
	return err == -EBUSY ? -EAGAIN : err;
}

/* Does the snapshot show part of a larger device page? */
static bool fault_has_part(const struct fabric_fault *f)
{
	guard(rcu)();
	for (unsigned long i = 0; i < f->n; i++)
		if (fabric_region_of_entry(f->pfns[i]) && fault_is_part(f, i))
			return true;
	return false;
}

/*
 * Fetch home what the device cannot use in place. -EAGAIN: done, look again. -EFAULT: data of some
 * page is lost; a range without that page may do. -E2BIG: a larger range would do.
 */
static int fault_fetch_home(struct fabric_fault *f)
{
	struct mmu_interval_notifier *notifier = &f->range->base.notifier->notifier;
	unsigned long i = 0, first;
	struct fabric_mover mover;
	bool fetched = false, robs;
	int err;

	for (i = 0; i < f->n; i++)
		if (fabric_entry_is_dead(f->pfns[i]))
			return -EFAULT;
	if (f->widen && fault_has_part(f))
		return -E2BIG;
	i = 0;
	while (i < f->n) {
		scoped_guard(rcu) {
			while (i < f->n && !fault_must_go_home(f, i))
				i++;
			first = i;
			while (i < f->n && fault_must_go_home(f, i))
				i++;
		}
		if (first == i)
			break;
		robs = fault_is_unreachable(f, first);
		if (robs)
			fabric_mover_begin(&mover, f->vm);
		err = fabric_home(f->vm->svm.mm, notifier, f->start + (first << PAGE_SHIFT),
				  f->start + (i << PAGE_SHIFT), f->write);
		if (robs)
			fabric_mover_end(&mover);
		if (err)
			return err;
		fetched = true;
	}
	return fetched ? -EAGAIN : 0;
}

/* Runs for the snapshot, with at most one region each. */
static struct fabric_run *fault_cut(struct fabric_fault *f, unsigned int *ret_n)
{
	struct drm_fabric_region *current_region = NULL;
	struct fabric_run *runs;
	unsigned int n = 1, r = 0;

	scoped_guard(rcu) {
		for (unsigned long i = 0; i < f->n; i++) {
			struct drm_fabric_region *region = fabric_region_of_entry(f->pfns[i]);

			if (region && current_region && region != current_region)
				n++;
			if (region)
				current_region = region;
		}
	}
	runs = kvcalloc(n, sizeof(*runs), GFP_KERNEL_ACCOUNT);
	if (!runs)
		return NULL;
	runs[0].start = f->start;
	current_region = NULL;
	scoped_guard(rcu) {
		for (unsigned long i = 0; i < f->n; i++) {
			struct drm_fabric_region *region = fabric_region_of_entry(f->pfns[i]);

			/* A region that has gone since the first pass only makes fewer cuts. */
			if (region && current_region && region != current_region && r + 1 < n) {
				runs[r++].end = f->start + (i << PAGE_SHIFT);
				runs[r].start = f->start + (i << PAGE_SHIFT);
			}
			if (region)
				current_region = region;
		}
	}
	runs[r].end = f->start + (f->n << PAGE_SHIFT);
	for (unsigned int i = 0; i <= r; i++)
		compat_gpusvm_init_pages(&runs[i].pages, f->vm->fdev->drm);
	*ret_n = r + 1;
	return runs;
}

/*
 * device_map refuses a page that the device does not reach, and that is -EFAULT. Was it on its way
 * when the snapshot was made (then it was not seen, and nothing invalidates when it arrives), has
 * it gone away again, or has a link? Then it is no fault of the process's.
 */
static bool fault_was_refused(struct fabric_fault *f)
{
	unsigned long *pfns = kvmemdup(f->pfns, f->n * sizeof(*pfns), GFP_KERNEL);
	u64 seq = f->seq;
	bool refused = !pfns || fault_snapshot(f) || seq != f->seq ||
		       memcmp(pfns, f->pfns, f->n * sizeof(*pfns));

	kvfree(pfns);
	guard(rcu)();
	for (unsigned long i = 0; i < f->n && !refused; i++)
		refused = fault_must_go_home(f, i);
	return refused;
}

static int fault_get_pages(struct fabric_fault *f)
{
	const struct drm_gpusvm_ctx ctx = {
		.device_private_page_owner = fabric_owner(),
		.read_only = !f->write,
		.allow_mixed = true,
	};
	struct fabric_run *runs;
	unsigned int n_runs;

	runs = fault_cut(f, &n_runs);
	if (!runs)
		return -ENOMEM;
	fabric_range_set_runs(f->vm, f->range, runs, n_runs);
	for (unsigned int i = 0; i < n_runs; i++) {
		int err = drm_gpusvm_get_pages(&f->vm->svm, &runs[i].pages, f->vm->svm.mm,
					       &f->range->base.notifier->notifier, runs[i].start,
					       runs[i].end, &ctx);

		/* A page of another region has come in between, or a link has gone: look again. */
		if (err == -EOPNOTSUPP || err == -EBUSY)
			return -EAGAIN;
		if (err == -EFAULT && fault_was_refused(f))
			return -EAGAIN;
		if (err)
			return err;
	}
	return 0;
}

static unsigned long fault_count_addrs(const struct fabric_run *run)
{
	unsigned long n = 0;

	for (unsigned long i = 0; i < fabric_run_npages(run); n++)
		i += NR_PAGES(run->pages.dma_addr[n].order);
	return n;
}

/* Is everything still as it was when it was looked at? notifier_lock is held for reading. */
static bool fault_still_valid(struct fabric_fault *f)
{
	struct fabric_range *range = f->range;

	if (range->seq != f->seq || compat_gpusvm_range_is_unmapped(&range->base))
		return false;
	/* Absent then, perhaps on its way: it may be shared, clean, or out of reach. */
	for (unsigned long i = 0; i < f->n; i++)
		if (!(f->pfns[i] & HMM_PFN_VALID))
			return false;
	for (unsigned int i = 0; i < range->n_runs; i++) {
		struct drm_pagemap *dpagemap = range->runs[i].pages.dpagemap;

		if (!range->runs[i].pages.flags.has_dma_mapping)
			return false;
		/* A link that goes down: revocation, which counts as one, is on its way. */
		if (dpagemap &&
		    !fabric_reachable(f->vm->fdev, to_fabric_pagemap(dpagemap)->region->fdev))
			return false;
	}
	return true;
}

/*
 * A page that was present and writable before may be clean, and nobody will see that the device
 * writes it: reclaim would drop it. (Pages that were faulted in for writing are dirty.) Whoever
 * cleans a page takes the mapping away first. notifier_lock is held and nothing has changed since
 * the snapshot: the pages are there.
 */
static void fault_mark_dirty(struct fabric_fault *f)
{
	for (unsigned long i = 0; i < f->n; i++) {
		struct folio *folio;

		if ((f->pfns[i] & (HMM_PFN_VALID | HMM_PFN_WRITE)) !=
		    (HMM_PFN_VALID | HMM_PFN_WRITE))
			continue;
		folio = page_folio(hmm_pfn_to_page(f->pfns[i]));
		if (!folio_is_device_private(folio) && !folio_test_dirty(folio))
			folio_mark_dirty(folio);
	}
}

static int fault_commit(struct fabric_fault *f)
{
	struct fabric_range *range = f->range;
	int err = -EAGAIN;

	drm_gpusvm_notifier_lock(&f->vm->svm);
	if (READ_ONCE(f->vm->dead)) {
		err = -ENODEV;
	} else if (f->vm->n_forgets != f->n_forgets) {
		err = -ESTALE;
	} else if (fault_still_valid(f)) {
		if (f->write)
			fault_mark_dirty(f);
		for (unsigned int i = 0; i < range->n_runs; i++)
			f->vm->ops->bind(f->vm, range->runs[i].start, range->runs[i].pages.dma_addr,
					 fault_count_addrs(&range->runs[i]), f->write);
		range->mapped = true;
		range->writable = f->write;
		err = 0;
	}
	drm_gpusvm_notifier_unlock(&f->vm->svm);
	return err;
}

static int fault_once(struct fabric_fault *f)
{
	int err;

	err = fault_snapshot(f);
	if (!err)
		err = fault_fetch_home(f);
	if (!err)
		err = fault_get_pages(f);
	/* Getting the pages may have faulted some in: the next round finds them there. */
	if (!err)
		err = fault_commit(f);
	return err;
}

static bool fault_satisfied(struct drm_fabric_vm *vm, struct fabric_range *range, bool write)
{
	bool satisfied;

	drm_gpusvm_notifier_lock(&vm->svm);
	satisfied = range->mapped && (range->writable || !write);
	drm_gpusvm_notifier_unlock(&vm->svm);
	return satisfied;
}

/* The range around @addr inside [@first, @end). */
static struct fabric_range *fault_find_range(struct drm_fabric_vm *vm, unsigned long addr,
					     unsigned long first, unsigned long end, bool write)
{
	const struct drm_gpusvm_ctx ctx = { .read_only = !write,
					    .device_private_page_owner = fabric_owner() };
	struct drm_gpusvm_range *base;

	for (;;) {
		base = drm_gpusvm_range_find_or_insert(&vm->svm, addr, first, end, &ctx);
		if (IS_ERR(base))
			return ERR_CAST(base);
		fabric_range_add(vm, to_fabric_range(base));
		if (drm_gpusvm_range_start(base) >= first && drm_gpusvm_range_end(base) <= end)
			return to_fabric_range(base);
		/* It was made when that was all the same. */
		fabric_range_remove(vm, to_fabric_range(base));
	}
}

/* Is @range to be put in its place first? Then @ask says where that is. */
static bool fault_must_ask(struct fabric_ask *ask, struct fabric_preference *preference,
			   struct fabric_range *range)
{
	unsigned long start = drm_gpusvm_range_start(&range->base);
	unsigned long end = drm_gpusvm_range_end(&range->base);

	if (!preference)
		return false;
	if (ask->preference == preference && start >= ask->start && end <= ask->end) {
		if (ask->settled)
			WRITE_ONCE(range->settled_at, ask->generation);
		return false;
	}
	if (ask->n == FABRIC_ASK_TRIES || READ_ONCE(range->settled_at) == fabric_generation())
		return false;
	if (ask->preference)
		fabric_preference_put(ask->preference);
	kref_get(&preference->ref);
	ask->preference = preference;
	ask->start = start;
	ask->end = end;
	ask->n++;
	return true;
}

/*
 * Map the range around @addr inside [@first, @end), where @preference holds. FAULT_ASK: not yet.
 * -E2BIG, if @widen: small ranges are in the way. -ESTALE: it holds no more.
 */
static int fault_range(struct drm_fabric_vm *vm, unsigned long addr, unsigned long first,
		       unsigned long end, bool write, bool widen,
		       struct fabric_preference *preference, struct fabric_ask *ask,
		       unsigned long *ret_size)
{
	struct fabric_fault f = {
		.vm = vm,
		.write = write,
		.widen = widen,
		.deadline = jiffies + HZ,
		.n_forgets = ask->n_forgets,
	};
	int err;

	f.range = fault_find_range(vm, addr, first, end, write);
	if (IS_ERR(f.range))
		return PTR_ERR(f.range);
	f.start = drm_gpusvm_range_start(&f.range->base);
	*ret_size = drm_gpusvm_range_end(&f.range->base) - f.start;
	f.n = *ret_size >> PAGE_SHIFT;
	if (fault_satisfied(vm, f.range, write))
		return 0;
	if (fault_must_ask(ask, preference, f.range))
		return FAULT_ASK;

	err = vm->ops->prepare(vm, f.start, f.start + *ret_size);
	if (err)
		return err;
	f.pfns = kvmalloc_array(f.n, sizeof(*f.pfns), GFP_KERNEL);
	if (!f.pfns)
		return -ENOMEM;
	err = -EAGAIN;
	for (int i = 0; i < FABRIC_FAULT_TRIES && time_before(jiffies, f.deadline); i++) {
		if (READ_ONCE(vm->dead)) {
			err = -ENODEV;
			break;
		}
		err = fault_once(&f);
		if (err != -EAGAIN)
			break;
		cond_resched();
	}
	kvfree(f.pfns);
	/*
	 * The range may be wider than what may be used around the address: a smaller one may do.
	 * One that is busy comes again, and then must know that it is settled.
	 */
	if (err && err != -EBUSY)
		fabric_range_remove(vm, f.range);
	return err;
}

static int fault_locked(struct drm_fabric_vm *vm, unsigned long addr, bool write,
			struct fabric_ask *ask)
{
	unsigned long page = addr & PAGE_MASK, size = 0, first, end;
	struct fabric_preference *preference;
	int err;

	if (READ_ONCE(vm->dead))
		return -ENODEV;
	fabric_vm_collect(vm);
	/* First: what is preferred changes before it is counted. */
	drm_gpusvm_notifier_lock(&vm->svm);
	ask->n_forgets = vm->n_forgets;
	drm_gpusvm_notifier_unlock(&vm->svm);
	preference = fabric_preference_at(vm->svm.mm, page, &first, &end);
	err = fault_range(vm, addr, first, end, write, true, preference, ask, &size);
	if (err == -E2BIG) {
		/* From a time when there was no large page, or it did not stand still. */
		fabric_vm_remove_in(vm, ALIGN_DOWN(addr, PMD_SIZE),
				    ALIGN_DOWN(addr, PMD_SIZE) + PMD_SIZE);
		err = fault_range(vm, addr, first, end, write, false, preference, ask, &size);
	}
	if ((err == -EFAULT || err == -EPERM || err == -EAGAIN) && size > PAGE_SIZE)
		err = fault_range(vm, addr, page, page + PAGE_SIZE, write, false, NULL, ask, &size);
	if (preference)
		fabric_preference_put(preference);
	switch (err) {
	case -ENOENT:
	case -EPERM:
	case -EIO:
	case -EINVAL:
		return -EFAULT;
	case -EAGAIN:
		return -EBUSY;
	default:
		return err;
	}
}

/* Put the range in its place, without vm->lock. That this fails does not fail the fault. */
static void fault_ask(struct drm_fabric_vm *vm, struct fabric_ask *ask)
{
	struct fabric_mover mover;

	/* Before it looks: what changes from now on is asked again. */
	ask->generation = fabric_generation();
	fabric_mover_begin(&mover, vm);
	scoped_with_creds(vm->cred)
		ask->settled = !fabric_place(vm, ask->preference, ask->start, ask->end);
	fabric_mover_end(&mover);
}

static int fault_run(struct drm_fabric_vm *vm, unsigned long addr, bool write)
{
	struct fabric_ask ask = {};
	unsigned int n_stale = 0;
	int err;

	for (;;) {
		mutex_lock(&vm->lock);
		err = fault_locked(vm, addr, write, &ask);
		mutex_unlock(&vm->lock);
		if (err == FAULT_ASK)
			fault_ask(vm, &ask);
		else if (err != -ESTALE || n_stale++ == FABRIC_ASK_TRIES)
			break;
	}
	if (ask.preference)
		fabric_preference_put(ask.preference);
	return err == -ESTALE ? -EBUSY : err;
}

int drm_fabric_vm_fault(struct drm_fabric_vm *vm, unsigned long addr, bool write)
{
	struct drm_fabric_device *fdev = vm->fdev;
	struct mm_struct *mm = vm->svm.mm;
	int err;

	if (!mmget_not_zero(mm))
		return -EFAULT;
	atomic_inc(&fdev->n_faults);
	/* Pairs with fabric_vms_kill(): that sees it counted, or it sees its address space dead. */
	smp_mb__after_atomic();
	err = READ_ONCE(vm->dead) ? -ENODEV : fault_run(vm, addr, write);
	if (atomic_dec_and_test(&fdev->n_faults))
		wake_up_all(&fdev->waitq);
	mmput(mm);
	return err;
}
EXPORT_SYMBOL_GPL(drm_fabric_vm_fault);

// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * An address space mirrored for a device, on drm_gpusvm.
 *
 * drm_gpusvm keeps ranges and their notifiers. Its pages know system memory and one pagemap; a
 * range may well hold pages of several regions, some of which the device does not reach. So a
 * fault looks first (a snapshot), fetches home what the device does not reach, cuts the rest into
 * runs with at most one region each, and gets each run as one drm_gpusvm_pages.
 *
 * hmm_range_fault() does not honour a request to write for a device page of the fabric: after a
 * fork such a page is shared, and writing to it in place would write the child's copy, too. Pages
 * that the process may not write are fetched home by a writing fault, which breaks copy-on-write
 * as a CPU write would.
 *
 * A range counts its invalidations under notifier_lock. A fault that finds the count changed
 * between its first look and its commit starts again. So does one that has not seen all pages: what
 * was under way at the first look may be anything afterwards, and nothing invalidates when it
 * arrives.
 *
 * Locks: vm->lock for the set of ranges; notifier_lock (write) to change a range's runs, (read)
 * to bind them.
 */
#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "fabric.h"

#define FABRIC_FAULT_TRIES 32

/* One run: system memory and pages of at most one region. */
struct fabric_run {
	struct drm_gpusvm_pages pages;
	unsigned long start;
	unsigned long end;
};

/**
 * struct fabric_range - a range and what the device has mapped of it
 * @runs: under notifier_lock
 * @n_runs: under notifier_lock
 * @seq: counts invalidations; under notifier_lock
 * @mapped: the device has page-table entries; under notifier_lock
 * @writable: of these: they allow writing
 * @gc_link: in vm->gc_list once unmapped
 */
struct fabric_range {
	struct drm_gpusvm_range base;
	struct fabric_run *runs;
	unsigned int n_runs;
	u64 seq;
	bool mapped;
	bool writable;
	struct list_head gc_link;
};

static const unsigned long fabric_chunk_sizes[] = { SZ_2M, SZ_64K, SZ_4K };

static struct fabric_range *to_fabric_range(struct drm_gpusvm_range *range)
{
	return container_of(range, struct fabric_range, base);
}

static struct drm_fabric_vm *to_fabric_vm(struct drm_gpusvm *svm)
{
	return container_of(svm, struct drm_fabric_vm, svm);
}

static struct drm_gpusvm_range *fabric_range_alloc(struct drm_gpusvm *svm)
{
	struct fabric_range *range = kzalloc_obj(*range, GFP_KERNEL_ACCOUNT);

	if (!range)
		return NULL;
	INIT_LIST_HEAD(&range->gc_link);
	return &range->base;
}

static void fabric_range_free(struct drm_gpusvm_range *base)
{
	struct fabric_range *range = to_fabric_range(base);

	WARN_ON_ONCE(range->runs);
	kfree(range);
}

static unsigned long fabric_run_npages(const struct fabric_run *run)
{
	return (run->end - run->start) >> PAGE_SHIFT;
}

/*
 * Take the mapping away from the device and give up what it was made of. notifier_lock is held
 * for writing.
 */
static void fabric_range_unmap(struct drm_fabric_vm *vm, struct fabric_range *range)
{
	const struct drm_gpusvm_ctx ctx = { .in_notifier = true };

	lockdep_assert_held_write(&vm->svm.notifier_lock);
	if (range->mapped)
		vm->ops->zap(vm, drm_gpusvm_range_start(&range->base),
			     drm_gpusvm_range_end(&range->base));
	range->mapped = false;
	range->writable = false;
	range->seq++;
	for (unsigned int i = 0; i < range->n_runs; i++)
		drm_gpusvm_unmap_pages(&vm->svm, &range->runs[i].pages,
				       fabric_run_npages(&range->runs[i]), &ctx);
}

static void fabric_runs_free(struct drm_fabric_vm *vm, struct fabric_run *runs, unsigned int n_runs)
{
	for (unsigned int i = 0; i < n_runs; i++)
		drm_gpusvm_free_pages(&vm->svm, &runs[i].pages, fabric_run_npages(&runs[i]));
	kvfree(runs);
}

/* Put @runs in the place of what @range has. Nothing is mapped afterwards. */
static void fabric_range_set_runs(struct drm_fabric_vm *vm, struct fabric_range *range,
				  struct fabric_run *runs, unsigned int n_runs)
{
	struct fabric_run *old_runs;
	unsigned int n_old;

	down_write(&vm->svm.notifier_lock);
	if (range->mapped)
		fabric_range_unmap(vm, range);
	old_runs = range->runs;
	n_old = range->n_runs;
	range->runs = runs;
	range->n_runs = n_runs;
	up_write(&vm->svm.notifier_lock);
	fabric_runs_free(vm, old_runs, n_old);
}

static void fabric_range_remove(struct drm_fabric_vm *vm, struct fabric_range *range)
{
	lockdep_assert_held(&vm->lock);
	fabric_range_set_runs(vm, range, NULL, 0);
	drm_gpusvm_range_get(&range->base);
	drm_gpusvm_range_remove(&vm->svm, &range->base);
	/* Last: until it was out of the tree, an invalidation could put it on the list again. */
	scoped_guard(spinlock, &vm->gc_lock)
		list_del_init(&range->gc_link);
	drm_gpusvm_range_put(&range->base);
}

/* The process's page tables change. notifier_lock is held for writing, perhaps in reclaim. */
static void fabric_vm_invalidate(struct drm_gpusvm *svm, struct drm_gpusvm_notifier *notifier,
				 const struct mmu_notifier_range *mmu_range)
{
	struct drm_fabric_vm *vm = to_fabric_vm(svm);
	struct drm_gpusvm_range *base = NULL;
	unsigned long start = max(mmu_range->start, drm_gpusvm_notifier_start(notifier));
	unsigned long end = min(mmu_range->end, drm_gpusvm_notifier_end(notifier));

	drm_gpusvm_for_each_range(base, notifier, start, end) {
		struct fabric_range *range = to_fabric_range(base);

		fabric_range_unmap(vm, range);
		if (mmu_range->event != MMU_NOTIFY_UNMAP)
			continue;
		compat_gpusvm_range_set_unmapped(base, mmu_range);
		for (unsigned int i = 0; i < range->n_runs; i++)
			range->runs[i].pages.flags.unmapped = true;
		guard(spinlock)(&vm->gc_lock);
		if (list_empty(&range->gc_link))
			list_add_tail(&range->gc_link, &vm->gc_list);
	}
}

static const struct drm_gpusvm_ops fabric_gpusvm_ops = {
	.range_alloc = fabric_range_alloc,
	.range_free = fabric_range_free,
	.invalidate = fabric_vm_invalidate,
};

/* Forget ranges whose addresses have been unmapped. */
static void fabric_vm_collect(struct drm_fabric_vm *vm)
{
	struct fabric_range *range;

	lockdep_assert_held(&vm->lock);
	for (;;) {
		scoped_guard(spinlock, &vm->gc_lock)
			range = list_first_entry_or_null(&vm->gc_list, struct fabric_range,
							 gc_link);
		if (!range)
			break;
		fabric_range_remove(vm, range);
	}
}

void fabric_vm_init_locks(struct drm_fabric_vm *vm)
{
	mutex_init(&vm->lock);
	spin_lock_init(&vm->gc_lock);
}

int drm_fabric_vm_init(struct drm_fabric_vm *vm, struct drm_fabric_device *fdev,
		       const struct drm_fabric_vm_ops *ops)
{
	int err;

	if (!current->mm)
		return -EINVAL;
	err = fabric_device_begin_use(fdev);
	if (err)
		return err;
	err = compat_gpusvm_init(&vm->svm, "drm_fabric", fdev->drm, current->mm, SZ_512M,
				 &fabric_gpusvm_ops, fabric_chunk_sizes,
				 ARRAY_SIZE(fabric_chunk_sizes));
	if (err)
		goto end_use;
	fabric_vm_init_locks(vm);
	drm_gpusvm_driver_set_lock(&vm->svm, &vm->lock);
	INIT_LIST_HEAD(&vm->gc_list);
	vm->ops = ops;
	get_device(&fdev->dev);
	vm->fdev = fdev;
	scoped_guard(mutex, &fdev->vms_lock)
		list_add_tail(&vm->link, &fdev->vms);
end_use:
	fabric_device_end_use(fdev);
	return err;
}
EXPORT_SYMBOL_GPL(drm_fabric_vm_init);

/* Call @fn for each range that exists. vm->lock is held: none comes or goes but by @fn. */
static void fabric_vm_for_each(struct drm_fabric_vm *vm,
			       void (*fn)(struct drm_fabric_vm *vm, struct fabric_range *range,
					  const void *arg),
			       const void *arg)
{
	struct drm_gpusvm_notifier *notifier, *next_notifier;
	unsigned long end = vm->svm.mm_start + vm->svm.mm_range;

	lockdep_assert_held(&vm->lock);
	drm_gpusvm_for_each_notifier_safe(notifier, next_notifier, &vm->svm, vm->svm.mm_start,
					  end) {
		struct drm_gpusvm_range *base, *next;

		drm_gpusvm_for_each_range_safe(base, next, notifier,
					       drm_gpusvm_notifier_start(notifier),
					       drm_gpusvm_notifier_end(notifier))
			fn(vm, to_fabric_range(base), arg);
	}
}

static void remove_range(struct drm_fabric_vm *vm, struct fabric_range *range, const void *arg)
{
	fabric_range_remove(vm, range);
}

/* @arg: the start of an aligned block of PMD_SIZE. */
static void remove_range_in(struct drm_fabric_vm *vm, struct fabric_range *range, const void *arg)
{
	unsigned long block = *(const unsigned long *)arg;

	if (drm_gpusvm_range_start(&range->base) < block + PMD_SIZE &&
	    drm_gpusvm_range_end(&range->base) > block)
		fabric_range_remove(vm, range);
}

static void unmap_range(struct drm_fabric_vm *vm, struct fabric_range *range, const void *arg)
{
	down_write(&vm->svm.notifier_lock);
	fabric_range_unmap(vm, range);
	up_write(&vm->svm.notifier_lock);
}

static void revoke_range(struct drm_fabric_vm *vm, struct fabric_range *range, const void *arg)
{
	down_write(&vm->svm.notifier_lock);
	for (unsigned int i = 0; i < range->n_runs; i++) {
		struct drm_pagemap *dpagemap = range->runs[i].pages.dpagemap;

		if (!dpagemap || to_fabric_pagemap(dpagemap)->region != arg)
			continue;
		fabric_range_unmap(vm, range);
		break;
	}
	up_write(&vm->svm.notifier_lock);
}

void drm_fabric_vm_fini(struct drm_fabric_vm *vm)
{
	struct drm_fabric_device *fdev = vm->fdev;

	/* In this order: as long as anything is mapped, a link that goes down finds it. */
	scoped_guard(mutex, &vm->lock)
		fabric_vm_for_each(vm, remove_range, NULL);
	scoped_guard(mutex, &fdev->vms_lock)
		list_del(&vm->link);
	drm_gpusvm_fini(&vm->svm);
	mutex_destroy(&vm->lock);
	put_device(&fdev->dev);
}
EXPORT_SYMBOL_GPL(drm_fabric_vm_fini);

/* The device leaves: it accesses nothing any more. */
void fabric_vms_kill(struct drm_fabric_device *fdev)
{
	struct drm_fabric_vm *vm;

	guard(mutex)(&fdev->vms_lock);
	/* First: a fault under way holds vm->lock, and ends at the next look. */
	list_for_each_entry(vm, &fdev->vms, link)
		WRITE_ONCE(vm->dead, true);
	list_for_each_entry(vm, &fdev->vms, link) {
		guard(mutex)(&vm->lock);
		fabric_vm_for_each(vm, unmap_range, NULL);
	}
}

/* @accessor must not use @region any more: its link is down already, so no new mapping is made. */
void fabric_vms_revoke(struct drm_fabric_device *accessor, struct drm_fabric_region *region)
{
	struct drm_fabric_vm *vm;

	guard(mutex)(&accessor->vms_lock);
	list_for_each_entry(vm, &accessor->vms, link) {
		guard(mutex)(&vm->lock);
		fabric_vm_for_each(vm, revoke_range, region);
	}
}

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
	bool fetched = false;
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
		err = fabric_home(f->vm->svm.mm, notifier, f->start + (first << PAGE_SHIFT),
				  f->start + (i << PAGE_SHIFT), f->write);
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
		/*
		 * A link that went down after the mapping was made. It cannot be up again:
		 * revocation waits for vm->lock, which this fault holds.
		 */
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
	if (fault_still_valid(f)) {
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

/* Map the range around @addr inside [@first, @end). -E2BIG, if @widen: small ranges are in the way */
static int fault_range(struct drm_fabric_vm *vm, unsigned long addr, unsigned long first,
		       unsigned long end, bool write, bool widen, unsigned long *ret_size)
{
	const struct drm_gpusvm_ctx ctx = { .read_only = !write,
					    .device_private_page_owner = fabric_owner() };
	struct fabric_fault f = {
		.vm = vm, .write = write, .widen = widen, .deadline = jiffies + HZ,
	};
	struct drm_gpusvm_range *base;
	int err;

	base = drm_gpusvm_range_find_or_insert(&vm->svm, addr, first, end, &ctx);
	if (IS_ERR(base))
		return PTR_ERR(base);
	f.range = to_fabric_range(base);
	f.start = drm_gpusvm_range_start(base);
	*ret_size = drm_gpusvm_range_end(base) - f.start;
	f.n = *ret_size >> PAGE_SHIFT;
	if (fault_satisfied(vm, f.range, write))
		return 0;

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
	/* The range may be wider than what may be used around the address: a smaller one may do. */
	if (err)
		fabric_range_remove(vm, f.range);
	return err;
}

/*
 * Remove what ranges there are in the block of a large page: from a time when there was none, or
 * when it did not stand still.
 */
static void fault_clear_block(struct drm_fabric_vm *vm, unsigned long addr)
{
	unsigned long block = ALIGN_DOWN(addr, PMD_SIZE);

	fabric_vm_for_each(vm, remove_range_in, &block);
}

static int fault_locked(struct drm_fabric_vm *vm, unsigned long addr, bool write)
{
	unsigned long page = addr & PAGE_MASK, size = 0;
	int err;

	if (READ_ONCE(vm->dead))
		return -ENODEV;
	fabric_vm_collect(vm);
	err = fault_range(vm, addr, 0, TASK_SIZE, write, true, &size);
	if (err == -E2BIG) {
		fault_clear_block(vm, addr);
		err = fault_range(vm, addr, 0, TASK_SIZE, write, false, &size);
	}
	if ((err == -EFAULT || err == -EPERM || err == -EAGAIN) && size > PAGE_SIZE)
		err = fault_range(vm, addr, page, page + PAGE_SIZE, write, false, &size);
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

int drm_fabric_vm_fault(struct drm_fabric_vm *vm, unsigned long addr, bool write)
{
	struct mm_struct *mm = vm->svm.mm;
	int err;

	if (!mmget_not_zero(mm))
		return -EFAULT;
	mutex_lock(&vm->lock);
	err = fault_locked(vm, addr, write);
	mutex_unlock(&vm->lock);
	mmput(mm);
	return err;
}
EXPORT_SYMBOL_GPL(drm_fabric_vm_fault);

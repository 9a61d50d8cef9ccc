// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * An address space mirrored for a device, on drm_gpusvm: its ranges, from the fault that made them
 * (fault.c) to their end.
 *
 * drm_gpusvm keeps ranges and their notifiers. Its pages know system memory and one pagemap; a
 * range may well hold pages of several regions: it has a run for each piece with at most one.
 *
 * A range counts its invalidations under notifier_lock, for a fault to see.
 *
 * Locks: vm->lock for the set of ranges; notifier_lock (write) to change a range's runs, (read)
 * to bind them. A fault holds vm->lock for as long as the program's memory takes, which may be
 * behind a FUSE server. So what concerns others (a link that goes down, a device that leaves, what
 * is preferred) goes through vm->ranges under notifier_lock, takes away what is mapped, and counts;
 * a fault under way sees that when it is about to bind.
 */
#include <linux/cred.h>
#include <linux/mm.h>

#include "compat.h"
#include "fabric.h"
#include "vm.h"

static const unsigned long fabric_chunk_sizes[] = { SZ_2M, SZ_64K, SZ_4K };

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
	RB_CLEAR_NODE(&range->node.rb);
	return &range->base;
}

static void fabric_range_free(struct drm_gpusvm_range *base)
{
	struct fabric_range *range = to_fabric_range(base);

	WARN_ON_ONCE(range->runs);
	kfree(range);
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
void fabric_range_set_runs(struct drm_fabric_vm *vm, struct fabric_range *range,
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

/* Before anything is looked at for a range: from here on others find it. */
void fabric_range_add(struct drm_fabric_vm *vm, struct fabric_range *range)
{
	lockdep_assert_held(&vm->lock);
	if (!RB_EMPTY_NODE(&range->node.rb))
		return;
	range->node.start = drm_gpusvm_range_start(&range->base);
	range->node.last = drm_gpusvm_range_end(&range->base) - 1;
	guard(rwsem_write)(&vm->svm.notifier_lock);
	interval_tree_insert(&range->node, &vm->ranges);
}

void fabric_range_remove(struct drm_fabric_vm *vm, struct fabric_range *range)
{
	lockdep_assert_held(&vm->lock);
	fabric_range_set_runs(vm, range, NULL, 0);
	if (!RB_EMPTY_NODE(&range->node.rb)) {
		guard(rwsem_write)(&vm->svm.notifier_lock);
		interval_tree_remove(&range->node, &vm->ranges);
	}
	drm_gpusvm_range_get(&range->base);
	drm_gpusvm_range_remove(&vm->svm, &range->base);
	/* Last: until it was out of the tree, an invalidation could put it on the list again. */
	scoped_guard(spinlock, &vm->gc_lock)
		list_del_init(&range->gc_link);
	drm_gpusvm_range_put(&range->base);
}

static LIST_HEAD(movers);
static DEFINE_SPINLOCK(movers_lock); /* inside notifier_lock */

void fabric_mover_begin(struct fabric_mover *mover, struct drm_fabric_vm *vm)
{
	mover->task = current;
	mover->vm = vm;
	guard(spinlock)(&movers_lock);
	list_add(&mover->link, &movers);
}

void fabric_mover_end(struct fabric_mover *mover)
{
	guard(spinlock)(&movers_lock);
	list_del(&mover->link);
}

/* Does this thread move memory for another address space of a device than @vm? */
static bool fabric_vm_is_robbed(const struct drm_fabric_vm *vm)
{
	const struct fabric_mover *mover;

	/* This thread has put itself there, or it has not. */
	if (list_empty_careful(&movers))
		return false;
	guard(spinlock)(&movers_lock);
	list_for_each_entry(mover, &movers, link)
		if (mover->task == current)
			return mover->vm != vm;
	return false;
}

/* The next fault removes it. */
static void fabric_range_discard(struct drm_fabric_vm *vm, struct fabric_range *range)
{
	guard(spinlock)(&vm->gc_lock);
	if (list_empty(&range->gc_link))
		list_add_tail(&range->gc_link, &vm->gc_list);
}

/* The process's page tables change. notifier_lock is held for writing, perhaps in reclaim. */
static void fabric_vm_invalidate(struct drm_gpusvm *svm, struct drm_gpusvm_notifier *notifier,
				 const struct mmu_notifier_range *mmu_range)
{
	struct drm_fabric_vm *vm = to_fabric_vm(svm);
	struct drm_gpusvm_range *base = NULL;
	unsigned long start = max(mmu_range->start, drm_gpusvm_notifier_start(notifier));
	unsigned long end = min(mmu_range->end, drm_gpusvm_notifier_end(notifier));
	bool robbed = fabric_vm_is_robbed(vm);

	drm_gpusvm_for_each_range(base, notifier, start, end) {
		struct fabric_range *range = to_fabric_range(base);

		fabric_range_unmap(vm, range);
		if (robbed)
			WRITE_ONCE(range->settled_at, fabric_generation());
		if (mmu_range->event != MMU_NOTIFY_UNMAP)
			continue;
		compat_gpusvm_range_set_unmapped(base, mmu_range);
		for (unsigned int i = 0; i < range->n_runs; i++)
			range->runs[i].pages.flags.unmapped = true;
		fabric_range_discard(vm, range);
	}
}

static const struct drm_gpusvm_ops fabric_gpusvm_ops = {
	.range_alloc = fabric_range_alloc,
	.range_free = fabric_range_free,
	.invalidate = fabric_vm_invalidate,
};

/* Forget ranges whose addresses have been unmapped, or for which something else is preferred. */
void fabric_vm_collect(struct drm_fabric_vm *vm)
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
	vm->ranges = RB_ROOT_CACHED;
	vm->ops = ops;
	vm->cred = get_current_cred();
	vm->opener = get_pid(task_tgid(current));
	vm->local = NULL;
	get_device(&fdev->dev);
	vm->fdev = fdev;
	scoped_guard(mutex, &fdev->vms_lock)
		list_add_tail(&vm->link, &fdev->vms);
end_use:
	fabric_device_end_use(fdev);
	return err;
}
EXPORT_SYMBOL_GPL(drm_fabric_vm_init);

typedef void (*fabric_range_fn)(struct drm_fabric_vm *vm, struct fabric_range *range,
				const void *arg);

/*
 * Call @fn for each range that exists in [@start, @end). vm->lock is held: none comes or goes but
 * by @fn.
 */
static void fabric_vm_call_in(struct drm_fabric_vm *vm, unsigned long start, unsigned long end,
			      fabric_range_fn fn, const void *arg)
{
	struct drm_gpusvm_notifier *notifier, *next_notifier;

	lockdep_assert_held(&vm->lock);
	drm_gpusvm_for_each_notifier_safe(notifier, next_notifier, &vm->svm, start, end) {
		struct drm_gpusvm_range *base, *next;

		drm_gpusvm_for_each_range_safe(base, next, notifier,
					       max(start, drm_gpusvm_notifier_start(notifier)),
					       min(end, drm_gpusvm_notifier_end(notifier)))
			fn(vm, to_fabric_range(base), arg);
	}
}

static void fabric_vm_for_each(struct drm_fabric_vm *vm, fabric_range_fn fn, const void *arg)
{
	fabric_vm_call_in(vm, vm->svm.mm_start, vm->svm.mm_start + vm->svm.mm_range, fn, arg);
}

static void remove_range(struct drm_fabric_vm *vm, struct fabric_range *range, const void *arg)
{
	fabric_range_remove(vm, range);
}

/* Remove what ranges there are in [@start, @end). */
void fabric_vm_remove_in(struct drm_fabric_vm *vm, unsigned long start, unsigned long end)
{
	fabric_vm_call_in(vm, start, end, remove_range, NULL);
}

/*
 * Call @fn for each range with a part in [start, end), with notifier_lock (write) held and without
 * vm->lock: what comes meanwhile may be missed.
 */
static void fabric_vm_look_in(struct drm_fabric_vm *vm, unsigned long start, unsigned long end,
			      fabric_range_fn fn, const void *arg)
{
	while (start < end) {
		scoped_guard(rwsem_write, &vm->svm.notifier_lock) {
			struct interval_tree_node *node;

			node = interval_tree_iter_first(&vm->ranges, start, end - 1);
			if (!node)
				return;
			start = node->last + 1;
			fn(vm, container_of(node, struct fabric_range, node), arg);
		}
		cond_resched();
	}
}

static void unmap_range(struct drm_fabric_vm *vm, struct fabric_range *range, const void *arg)
{
	fabric_range_unmap(vm, range);
}

static void forget_range(struct drm_fabric_vm *vm, struct fabric_range *range, const void *arg)
{
	fabric_range_unmap(vm, range);
	fabric_range_discard(vm, range);
}

static void revoke_range(struct drm_fabric_vm *vm, struct fabric_range *range, const void *arg)
{
	/* A fault under way may have seen the link up, and nothing mapped through it yet. */
	range->seq++;
	for (unsigned int i = 0; i < range->n_runs; i++) {
		struct drm_pagemap *dpagemap = range->runs[i].pages.dpagemap;

		if (!dpagemap || to_fabric_pagemap(dpagemap)->region != arg)
			continue;
		fabric_range_unmap(vm, range);
		break;
	}
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
	if (vm->local)
		fabric_handle_put(vm->local);
	put_pid(vm->opener);
	put_cred(vm->cred);
	put_device(&fdev->dev);
}
EXPORT_SYMBOL_GPL(drm_fabric_vm_fini);

/*
 * The device leaves: it accesses nothing any more. Waits for faults under way in its own address
 * spaces, and holds nothing meanwhile that others want.
 */
void fabric_vms_kill(struct drm_fabric_device *fdev)
{
	struct drm_fabric_vm *vm;

	scoped_guard(mutex, &fdev->vms_lock)
		list_for_each_entry(vm, &fdev->vms, link) {
			scoped_guard(rwsem_write, &vm->svm.notifier_lock)
				WRITE_ONCE(vm->dead, true);
			fabric_vm_look_in(vm, 0, TASK_SIZE, unmap_range, NULL);
		}
	/* Pairs with drm_fabric_vm_fault(): that is counted, or sees its address space dead. */
	smp_mb();
	/* Idle: as long as it takes, and no hung-task warning about it. */
	wait_event_idle(fdev->waitq, !atomic_read(&fdev->n_faults));
}

/*
 * @accessor must not use @region any more: its link is down already, so no new mapping is made, and
 * no fault that has begun before binds what it has.
 */
void fabric_vms_revoke(struct drm_fabric_device *accessor, struct drm_fabric_region *region)
{
	struct drm_fabric_vm *vm;

	guard(mutex)(&accessor->vms_lock);
	list_for_each_entry(vm, &accessor->vms, link)
		fabric_vm_look_in(vm, 0, TASK_SIZE, revoke_range, region);
}

/*
 * What is preferred for [@start, @end) of @mm has changed: devices that use it ask again, also in
 * faults under way.
 */
void fabric_vms_forget(struct mm_struct *mm, unsigned long start, unsigned long end)
{
	struct drm_fabric_device *fdev = NULL;
	struct drm_fabric_vm *vm;

	while ((fdev = fabric_device_next(fdev))) {
		guard(mutex)(&fdev->vms_lock);
		list_for_each_entry(vm, &fdev->vms, link) {
			if (vm->svm.mm != mm)
				continue;
			scoped_guard(rwsem_write, &vm->svm.notifier_lock)
				vm->n_forgets++;
			fabric_vm_look_in(vm, start, end, forget_range, NULL);
		}
	}
}

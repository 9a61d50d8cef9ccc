// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The order of locks, shown to lockdep once when the module comes.
 *
 * Lockdep reports what goes against an order that it has seen. Most of the order in DOC: Locking
 * of <drm/drm_fabric.h> is otherwise seen only when a device leaves while memory is short; here
 * all of it is seen first, so that a wrong place is reported the first time it runs. Locks are
 * told apart by where they are initialized: the real ones' functions do it here, too.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "compat.h"
#include "fabric.h"
#include "prefer.h"

struct lock_sample {
	struct drm_fabric_device fdev;
	struct drm_fabric_region region;
	struct drm_fabric_vm vm;
	struct fabric_preferences preferences;
};

/* What is held by who wants memory, and may meet reclaim. */
static void fabric_lockdep_may_reclaim(void)
{
	fs_reclaim_acquire(GFP_KERNEL);
	fs_reclaim_release(GFP_KERNEL);
}

static void fabric_lockdep_device(struct lock_sample *s)
{
	guard(mutex)(&s->fdev.state_lock);
	guard(mutex)(&s->region.lock);
	fabric_lockdep_may_reclaim();
}

static void fabric_lockdep_vm(struct lock_sample *s)
{
	guard(mutex)(&s->fdev.vms_lock);
	guard(mmap_read_lock)(current->mm);
	fs_reclaim_acquire(GFP_KERNEL);
	scoped_guard(rwsem_write, &s->vm.svm.notifier_lock)
		might_lock(&s->vm.gc_lock);
	/* Copies are waited for with pages locked, which reclaim may wait for. */
	might_lock_read(&s->fdev.copies);
	scoped_guard(mutex, &s->region.ledger.alloc_lock)
		might_lock(&s->region.ledger.lock);
	might_lock(&s->preferences.lock);
	fs_reclaim_release(GFP_KERNEL);
}

int fabric_lockdep_init(void)
{
	struct lock_sample *s;
	int err;

	if (!IS_ENABLED(CONFIG_PROVE_LOCKING) || !current->mm)
		return 0;
	s = kzalloc_obj(*s);
	if (!s)
		return -ENOMEM;
	fabric_device_init_locks(&s->fdev);
	fabric_region_init_lock(&s->region);
	fabric_ledger_init(&s->region.ledger);
	fabric_vm_init_locks(&s->vm);
	fabric_preferences_init(&s->preferences);
	err = compat_gpusvm_init_lock(&s->vm.svm);
	if (err)
		goto free;

	scoped_guard(mutex, &s->vm.lock) {
		guard(mutex)(&fabric_registry);
		guard(rwsem_write)(&s->fdev.users);
		fabric_lockdep_device(s);
		fabric_lockdep_vm(s);
	}
	fabric_shrinker_lockdep();
	drm_gpusvm_fini(&s->vm.svm);
free:
	kfree(s);
	return err;
}

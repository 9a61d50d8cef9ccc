// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Address spaces, as far as the fabric has something to remember for them.
 *
 * There is one object for each mm, made when it is first needed and kept for as long as something
 * is remembered: also when the mm has no users any more, for pages that children have inherited are
 * still charged to it. A notifier tells when addresses are unmapped and when the mm goes.
 *
 * mms_lock is inside mmap_lock: making one takes both.
 */
#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "account.h"
#include "mm.h"

static DEFINE_MUTEX(mms_lock);
static DEFINE_HASHTABLE(mms, 8); /* written under mms_lock, read under RCU */

static struct fabric_mm *to_fabric_mm(struct mmu_notifier *notifier)
{
	return container_of(notifier, struct fabric_mm, notifier);
}

static int fabric_mm_invalidate_start(struct mmu_notifier *notifier,
				      const struct mmu_notifier_range *range)
{
	/*
	 * Of nothing else, it may be reclaim; and not for the OOM reaper, who may not wait: that
	 * mm is about to end.
	 */
	if (range->event == MMU_NOTIFY_UNMAP && mmu_notifier_range_blockable(range))
		fabric_preferences_unmap(to_fabric_mm(notifier), range->start, range->end);
	return 0;
}

/* The last user of the mm leaves; its pages are not unmapped yet. */
static void fabric_mm_release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct fabric_mm *fmm = to_fabric_mm(notifier);

	WRITE_ONCE(fmm->gone, true);
	fabric_accounts_gone(fmm);
	fabric_preferences_unmap(fmm, 0, ULONG_MAX);
}

static struct mmu_notifier *fabric_mm_alloc(struct mm_struct *mm)
{
	struct fabric_mm *fmm = kzalloc_obj(*fmm, GFP_KERNEL_ACCOUNT);

	if (!fmm)
		return ERR_PTR(-ENOMEM);
	kref_init(&fmm->ref);
	INIT_LIST_HEAD(&fmm->accounts);
	fmm->pid = get_pid(task_tgid(current));
	fmm->uid = current_uid();
	fabric_preferences_init(&fmm->preferences);
	return &fmm->notifier;
}

/* After a grace period of SRCU, which those who look one up do not wait in. */
static void fabric_mm_free(struct mmu_notifier *notifier)
{
	struct fabric_mm *fmm = to_fabric_mm(notifier);

	fabric_preferences_fini(&fmm->preferences);
	put_pid(fmm->pid);
	kfree_rcu(fmm, rcu);
}

static const struct mmu_notifier_ops fabric_mm_ops = {
	.release = fabric_mm_release,
	.invalidate_range_start = fabric_mm_invalidate_start,
	.alloc_notifier = fabric_mm_alloc,
	.free_notifier = fabric_mm_free,
};

/**
 * fabric_mm_find() - what is remembered for an mm
 * @mm: the caller holds it
 *
 * Any context. Return: counted, or NULL: there is nothing.
 */
struct fabric_mm *fabric_mm_find(struct mm_struct *mm)
{
	struct fabric_mm *fmm;

	guard(rcu)();
	hash_for_each_possible_rcu(mms, fmm, node, (unsigned long)mm)
		if (fmm->notifier.mm == mm && kref_get_unless_zero(&fmm->ref))
			return fmm;
	return NULL;
}

/**
 * fabric_mm_get() - the object of current->mm
 *
 * Takes mmap_lock (write). Return: counted; -EINTR, -ENOMEM.
 */
struct fabric_mm *fabric_mm_get(void)
{
	struct mm_struct *mm = current->mm;
	struct mmu_notifier *notifier;
	struct fabric_mm *fmm;

	fmm = fabric_mm_find(mm);
	if (fmm)
		return fmm;
	if (mmap_write_lock_killable(mm))
		return ERR_PTR(-EINTR);
	mutex_lock(&mms_lock);
	fmm = fabric_mm_find(mm);
	if (fmm)
		goto unlock;
	notifier = mmu_notifier_get_locked(&fabric_mm_ops, mm);
	if (IS_ERR(notifier)) {
		fmm = ERR_CAST(notifier);
		goto unlock;
	}
	fmm = to_fabric_mm(notifier);
	hash_add_rcu(mms, &fmm->node, (unsigned long)mm);
unlock:
	mutex_unlock(&mms_lock);
	mmap_write_unlock(mm);
	return fmm;
}

static void fabric_mm_last_put(struct kref *ref)
{
	struct fabric_mm *fmm = container_of(ref, struct fabric_mm, ref);

	hash_del_rcu(&fmm->node);
	/* Under the lock: whoever makes a new one must not be given this. */
	mmu_notifier_put(&fmm->notifier);
	mutex_unlock(&mms_lock);
}

/* May sleep; not under a lock that mmap_lock is taken under. */
void fabric_mm_put(struct fabric_mm *fmm)
{
	kref_put_mutex(&fmm->ref, fabric_mm_last_put, &mms_lock);
}

/* The module goes, and no device is there: what programs prefer means nothing any more. */
void fabric_mms_forget(void)
{
	struct fabric_mm *fmm;
	int bucket;

	guard(mutex)(&mms_lock);
	hash_for_each(mms, bucket, fmm, node)
		fabric_preferences_unmap(fmm, 0, ULONG_MAX);
}

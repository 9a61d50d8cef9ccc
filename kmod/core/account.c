// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Accounting: each byte of a region is charged to the handle through which it was placed and to the
 * address space that it was placed for, from before the driver is asked for it until after it has
 * it back. Whoever shares a page after a fork has not placed it. When the address space has gone,
 * what is left of its account is the region's inherited memory: its children have it.
 *
 * One spinlock a region is what all figures are under, so that a list of them adds up while others
 * allocate and free.
 *
 * Order: accounts_lock, then a ledger's lock. Either may be taken under page-table locks.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "fabric.h"
#include "grant.h"
#include "mm.h"

/* The accounts of all address spaces, and their last references. */
static DEFINE_SPINLOCK(accounts_lock);
/* Numbers of handles: given under the lock of the region's ledger, whose list is sorted by that. */
static atomic64_t last_id;

void fabric_ledger_init(struct fabric_ledger *ledger)
{
	spin_lock_init(&ledger->lock);
	mutex_init(&ledger->alloc_lock);
	INIT_LIST_HEAD(&ledger->handles);
	INIT_LIST_HEAD(&ledger->accounts);
}

/* A new handle. It gets its number. */
void fabric_ledger_add(struct fabric_handle *handle)
{
	struct fabric_ledger *ledger = &handle->region->ledger;

	guard(spinlock)(&ledger->lock);
	handle->id = atomic64_inc_return(&last_id);
	list_add_tail(&handle->ledger_link, &ledger->handles);
}

/* There is a file of it. */
void fabric_ledger_open(struct fabric_handle *handle)
{
	guard(spinlock)(&handle->region->ledger.lock);
	handle->open = true;
}

/* The file is closed: nothing is promised to it any more. */
void fabric_ledger_close(struct fabric_handle *handle)
{
	fabric_unreserve(handle);
	guard(spinlock)(&handle->region->ledger.lock);
	handle->open = false;
}

/* Nothing refers to it any more. */
void fabric_ledger_remove(struct fabric_handle *handle)
{
	guard(spinlock)(&handle->region->ledger.lock);
	list_del(&handle->ledger_link);
}

/* What was promised and has not been taken. Under the ledger's lock. */
static u64 fabric_ledger_outstanding(const struct fabric_ledger *ledger)
{
	return ledger->committed_bytes - ledger->held_bytes - ledger->bytes;
}

/**
 * fabric_ledger_spare() - how much of a region is neither taken nor promised
 * @region: with its ledger's lock held; its device is not gone
 *
 * What the driver has taken for itself is not there either. Without alloc_lock it is a hint: it may
 * be given to somebody else at this moment.
 *
 * Return: bytes.
 */
u64 fabric_ledger_spare(struct drm_fabric_region *region)
{
	const struct fabric_ledger *ledger = &region->ledger;
	u64 outstanding = fabric_ledger_outstanding(ledger);
	u64 free = region->fdev->ops->free_bytes(region);

	lockdep_assert_held(&ledger->lock);
	return min(region->size - ledger->committed_bytes,
		   free > outstanding ? free - outstanding : 0);
}

/*
 * May so much be taken without a promise? If nothing is promised that is the driver's to say. It is
 * not if all of that is placed at this moment: some may come back before the driver is asked.
 * Return: 0, -ENOSPC, -EXFULL.
 */
static int fabric_ledger_check(struct drm_fabric_region *region, u64 bytes)
{
	const struct fabric_ledger *ledger = &region->ledger;

	lockdep_assert_held(&ledger->lock);
	if (!ledger->reserved_bytes && region->size - ledger->committed_bytes >= bytes)
		return 0;
	if (fabric_ledger_spare(region) >= bytes)
		return 0;
	return region->fdev->ops->free_bytes(region) < bytes ? -ENOSPC : -EXFULL;
}

/* One of the ledger's figures. */
u64 fabric_ledger_read(struct drm_fabric_region *region, const u64 *figure)
{
	guard(spinlock)(&region->ledger.lock);
	return *figure;
}

static struct fabric_account *fabric_account_find(struct drm_fabric_region *region,
						  struct fabric_mm *fmm)
{
	struct fabric_account *account;

	lockdep_assert_held(&accounts_lock);
	list_for_each_entry(account, &fmm->accounts, mm_link) {
		if (account->region != region)
			continue;
		kref_get(&account->ref);
		return account;
	}
	return NULL;
}

static void fabric_account_add(struct fabric_account *account)
{
	struct fabric_ledger *ledger = &account->region->ledger;

	kref_get(&account->fmm->ref);
	account->gone = READ_ONCE(account->fmm->gone);
	list_add(&account->mm_link, &account->fmm->accounts);
	guard(spinlock)(&ledger->lock);
	list_add_tail(&account->link, &ledger->accounts);
}

/**
 * fabric_account_get() - the account of an address space
 * @region: in this region; the caller holds a handle on it
 * @fmm: the address space
 *
 * May sleep. Return: counted, or NULL: no memory.
 */
struct fabric_account *fabric_account_get(struct drm_fabric_region *region, struct fabric_mm *fmm)
{
	struct fabric_account *account, *found;

	scoped_guard(spinlock, &accounts_lock) {
		found = fabric_account_find(region, fmm);
		if (found)
			return found;
	}
	account = kzalloc_obj(*account, GFP_KERNEL_ACCOUNT);
	if (!account)
		return NULL;
	kref_init(&account->ref);
	account->region = region;
	account->fmm = fmm;
	scoped_guard(spinlock, &accounts_lock) {
		found = fabric_account_find(region, fmm);
		if (!found)
			fabric_account_add(account);
	}
	if (!found)
		return account;
	kfree(account);
	return found;
}

static void fabric_account_last_put(struct kref *ref)
{
	struct fabric_account *account = container_of(ref, struct fabric_account, ref);

	list_del(&account->mm_link);
	scoped_guard(spinlock, &account->region->ledger.lock) {
		WARN_ON_ONCE(account->bytes || account->dead_bytes);
		list_del(&account->link);
	}
	spin_unlock(&accounts_lock);
	fabric_mm_put(account->fmm);
	kfree(account);
}

/* May sleep; not under a lock that mmap_lock is taken under. */
void fabric_account_put(struct fabric_account *account)
{
	kref_put_lock(&account->ref, fabric_account_last_put, &accounts_lock);
}

/* The last user of an address space has left, and its addresses are not unmapped yet. */
void fabric_accounts_gone(struct fabric_mm *fmm)
{
	struct fabric_account *account;

	guard(spinlock)(&accounts_lock);
	list_for_each_entry(account, &fmm->accounts, mm_link) {
		guard(spinlock)(&account->region->ledger.lock);
		account->gone = true;
		account->region->ledger.inherited_bytes += account->bytes;
	}
}

/* What counts against the region and the uid: the promise, or what has been placed. */
static u64 fabric_handle_committed(const struct fabric_handle *handle)
{
	return max(handle->reserved_bytes, handle->bytes);
}

/**
 * fabric_handle_commit() - change what is promised to a handle, and placed through it
 * @handle: with its ledger's lock held
 * @reserved_bytes: the promise
 * @bytes: what is placed
 *
 * Not more than the region has: that the caller sees to. Any context.
 *
 * Return: 0; -EDQUOT its uid may not have so much, and nothing has changed. To have less is always
 * possible.
 */
int fabric_handle_commit(struct fabric_handle *handle, u64 reserved_bytes, u64 bytes)
{
	struct fabric_ledger *ledger = &handle->region->ledger;
	u64 was = fabric_handle_committed(handle), is = max(reserved_bytes, bytes);
	int err;

	lockdep_assert_held(&ledger->lock);
	if (is > was) {
		err = fabric_user_charge(handle->user, handle->bound, is - was);
		if (err)
			return err;
	} else if (is < was) {
		fabric_user_uncharge(handle->user, was - is);
	}
	ledger->committed_bytes += is - was;
	ledger->reserved_bytes += reserved_bytes - handle->reserved_bytes;
	ledger->bytes += bytes - handle->bytes;
	handle->reserved_bytes = reserved_bytes;
	handle->bytes = bytes;
	return 0;
}

/**
 * fabric_charge() - pages are about to be taken for somebody
 * @handle: through which
 * @account: for whom; of the handle's region
 * @bytes: how much
 *
 * The ledger's alloc_lock is held until the driver has been asked. The device is not gone.
 *
 * Return: 0; -ENOSPC the region is full; -EXFULL it would be within what others were promised, or
 * more than the handle was; -EDQUOT the uid's limit; -ENODEV the handle's grant was revoked.
 */
int fabric_charge(struct fabric_handle *handle, struct fabric_account *account, u64 bytes)
{
	struct drm_fabric_region *region = handle->region;
	struct fabric_ledger *ledger = &region->ledger;
	int err;

	lockdep_assert_held(&ledger->alloc_lock);
	guard(spinlock)(&ledger->lock);
	if (handle->taken)
		return -ENODEV;
	if (!handle->reserved_bytes)
		err = fabric_ledger_check(region, bytes);
	else
		err = handle->bytes + bytes > handle->reserved_bytes ? -EXFULL : 0;
	if (err)
		return err;
	err = fabric_handle_commit(handle, handle->reserved_bytes, handle->bytes + bytes);
	if (err)
		return err;
	account->bytes += bytes;
	if (account->gone)
		ledger->inherited_bytes += bytes;
	return 0;
}

/**
 * fabric_has_room() - is there room for a page now, and may its uid have it?
 * @region: its device is not gone
 * @handle: through which it would be placed; NULL: one that nothing is promised to, of any uid
 *
 * What is promised is on the uid's account already. Any context. A hint.
 */
bool fabric_has_room(struct drm_fabric_region *region, const struct fabric_handle *handle)
{
	if (region->fdev->ops->free_bytes(region) < PAGE_SIZE)
		return false;
	guard(spinlock)(&region->ledger.lock);
	if (handle && handle->reserved_bytes)
		return handle->bytes + PAGE_SIZE <= handle->reserved_bytes;
	return !fabric_ledger_check(region, PAGE_SIZE) &&
	       (!handle || fabric_user_has_room(handle->user, handle->bound));
}

/*
 * The driver has them back, since this lock was taken: a promise is kept with bytes that it has.
 * @dead_bytes: how much of it was dead. Any context.
 */
void fabric_uncharge_locked(struct fabric_handle *handle, struct fabric_account *account, u64 bytes,
			    u64 dead_bytes)
{
	struct fabric_ledger *ledger = &handle->region->ledger;

	lockdep_assert_held(&ledger->lock);
	account->bytes -= bytes;
	account->dead_bytes -= dead_bytes;
	if (account->gone)
		ledger->inherited_bytes -= bytes;
	handle->dead_bytes -= dead_bytes;
	fabric_handle_commit(handle, handle->reserved_bytes, handle->bytes - bytes);
	fabric_taken_check(handle);
}

/* The driver did not give them. Any context. */
void fabric_uncharge(struct fabric_handle *handle, struct fabric_account *account, u64 bytes)
{
	guard(spinlock)(&handle->region->ledger.lock);
	fabric_uncharge_locked(handle, account, bytes, 0);
}

/* The data of so much is lost. Any context. */
void fabric_charge_dead(struct fabric_handle *handle, struct fabric_account *account, u64 bytes)
{
	guard(spinlock)(&handle->region->ledger.lock);
	handle->dead_bytes += bytes;
	account->dead_bytes += bytes;
	fabric_taken_check(handle);
}

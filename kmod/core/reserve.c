// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Reservations: bytes of a region promised to an open handle.
 *
 * A promise is a figure of the handle: the sum of what is promised or placed never exceeds the
 * region, so a promise is kept by nobody else being given the bytes. They are not taken from the
 * driver before they are used. A reservation ends with the open file, the device, or the handle's
 * grant.
 */
#include <linux/mm.h>

#include "fabric.h"

/* The largest promise that could be made to @handle now. Under the ledger's lock. */
static u64 fabric_reservable(struct fabric_handle *handle)
{
	u64 own = max(handle->reserved_bytes, handle->bytes);

	return round_down(own + fabric_ledger_spare(handle->region), PAGE_SIZE);
}

static int fabric_reserve_locked(struct fabric_handle *handle, u64 bytes, u64 *ret_available)
{
	/* What is being given to somebody is neither free nor taken. */
	guard(mutex)(&handle->region->ledger.alloc_lock);
	/* From here on nobody can change it but whoever has this lock. */
	guard(spinlock)(&handle->region->ledger.lock);
	/* Who takes it back marks it here first: a promise made afterwards would stay. */
	if (handle->taken || READ_ONCE(handle->revoked))
		return -ENODEV;
	*ret_available = fabric_reservable(handle);
	if (bytes > *ret_available)
		return -ENOSPC;
	return fabric_handle_commit(handle, bytes, handle->bytes);
}

/**
 * fabric_reserve() - promise bytes of its region to a handle
 * @handle: instead of what it was promised before
 * @bytes: multiple of the page size
 * @ret_available: the largest @bytes that could be had; written also when it fails
 *
 * Return: 0; -ENOSPC; -EDQUOT; -ESHUTDOWN; -ENODEV; -EINTR. If it fails, all is as before.
 */
int fabric_reserve(struct fabric_handle *handle, u64 bytes, u64 *ret_available)
{
	struct drm_fabric_device *fdev = handle->region->fdev;
	int err;

	*ret_available = 0;
	err = fabric_device_begin_use(fdev);
	if (err)
		return err;
	err = fabric_reserve_locked(handle, bytes, ret_available);
	fabric_device_end_use(fdev);
	return err;
}

/* Nothing is promised to it any more. Any context. */
void fabric_unreserve(struct fabric_handle *handle)
{
	guard(spinlock)(&handle->region->ledger.lock);
	fabric_handle_commit(handle, 0, handle->bytes);
}

/**
 * fabric_region_hold() - take bytes for the core itself
 * @region: its device is in use; its ledger's alloc_lock is held until the driver has been asked
 * @bytes: how much
 *
 * Return: true, and fabric_region_unhold() is due; false: all that is free is promised.
 */
bool fabric_region_hold(struct drm_fabric_region *region, u64 bytes)
{
	struct fabric_ledger *ledger = &region->ledger;

	lockdep_assert_held(&ledger->alloc_lock);
	guard(spinlock)(&ledger->lock);
	if (fabric_ledger_spare(region) < bytes)
		return false;
	ledger->committed_bytes += bytes;
	ledger->held_bytes += bytes;
	return true;
}

void fabric_region_unhold(struct drm_fabric_region *region, u64 bytes)
{
	struct fabric_ledger *ledger = &region->ledger;

	guard(spinlock)(&ledger->lock);
	ledger->committed_bytes -= bytes;
	ledger->held_bytes -= bytes;
}

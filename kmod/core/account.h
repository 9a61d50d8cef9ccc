/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Whose memory a region holds, and to whom it is promised: see account.c.
 */
#ifndef FABRIC_ACCOUNT_H
#define FABRIC_ACCOUNT_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct drm_fabric_region;
struct fabric_handle;
struct fabric_mm;

/**
 * struct fabric_ledger - what is taken and promised of a region; bytes
 * @lock: protects all of it, and the figures of handles and accounts: whoever holds it sees sums
 * that fit. Inside page locks, page-table locks and handles_lock
 * @bytes: taken: the sum over @handles, and over @accounts
 * @inherited_bytes: of @bytes: of accounts whose address space has gone
 * @reserved_bytes: the sum of reservations
 * @committed_bytes: the sum over @handles of what is promised or placed, whichever is more, and
 * @held_bytes; never more than the region's size
 * @held_bytes: taken by the core for itself
 * @alloc_lock: from the look at what is left until the driver has given it: two who look at once
 * would both find it, and the second be given what was promised. Outside @lock
 * @handles: all, also closed ones with memory behind them, by number
 * @accounts: in the order of their first placing
 */
struct fabric_ledger {
	spinlock_t lock; /* see above */
	struct mutex alloc_lock; /* see above */
	u64 bytes;
	u64 inherited_bytes;
	u64 reserved_bytes;
	u64 committed_bytes;
	u64 held_bytes;
	struct list_head handles;
	struct list_head accounts;
};

/**
 * struct fabric_account - an address space's memory in a region
 * @region: not counted: whoever holds an account holds a handle on its region
 * @fmm: counted
 * @link: in the ledger
 * @mm_link: in @fmm
 * @gone: what is left is inherited; with the rest under the ledger's lock
 * @bytes: placed for the address space, until they are free
 * @dead_bytes: of these: their data is lost
 */
struct fabric_account {
	struct kref ref;
	struct drm_fabric_region *region;
	struct fabric_mm *fmm;
	struct list_head link;
	struct list_head mm_link;
	bool gone;
	u64 bytes;
	u64 dead_bytes;
};

void fabric_ledger_init(struct fabric_ledger *ledger);
void fabric_ledger_add(struct fabric_handle *handle);
void fabric_ledger_open(struct fabric_handle *handle);
void fabric_ledger_close(struct fabric_handle *handle);
void fabric_ledger_remove(struct fabric_handle *handle);
u64 fabric_ledger_spare(struct drm_fabric_region *region);
u64 fabric_ledger_read(struct drm_fabric_region *region, const u64 *figure);

struct fabric_account *fabric_account_get(struct drm_fabric_region *region, struct fabric_mm *fmm);
void fabric_account_put(struct fabric_account *account);
void fabric_accounts_gone(struct fabric_mm *fmm);

int fabric_handle_commit(struct fabric_handle *handle, u64 reserved_bytes, u64 bytes);
int fabric_charge(struct fabric_handle *handle, struct fabric_account *account, u64 bytes);
void fabric_uncharge(struct fabric_handle *handle, struct fabric_account *account, u64 bytes);
void fabric_uncharge_locked(struct fabric_handle *handle, struct fabric_account *account, u64 bytes,
			    u64 dead_bytes);
bool fabric_has_room(struct drm_fabric_region *region, const struct fabric_handle *handle);
void fabric_charge_dead(struct fabric_handle *handle, struct fabric_account *account, u64 bytes);

#endif /* FABRIC_ACCOUNT_H */

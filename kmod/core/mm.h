/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the fabric keeps for an address space: see mm.c.
 */
#ifndef FABRIC_MM_H
#define FABRIC_MM_H

#include <linux/kref.h>
#include <linux/mmu_notifier.h>
#include <linux/types.h>
#include <linux/uidgid_types.h>

#include "prefer.h"

/**
 * struct fabric_mm - an address space that memory was placed for, or that has preferences
 * @notifier: on the mm, which it keeps (mmgrab)
 * @ref: accounts, and preferences if there are any
 * @node: in the table of all, by the mm's address
 * @accounts: what it has in regions, see account.c
 * @pid: the process that it was made for, by its leader; counted
 * @uid: of that then
 * @gone: the last user of the mm has left; it has no preferences then
 * @preferences: see prefer.c
 */
struct fabric_mm {
	struct mmu_notifier notifier;
	struct kref ref;
	struct hlist_node node;
	struct list_head accounts;
	struct pid *pid;
	kuid_t uid;
	bool gone;
	struct fabric_preferences preferences;
	struct rcu_head rcu;
};

struct fabric_mm *fabric_mm_get(void);
struct fabric_mm *fabric_mm_find(struct mm_struct *mm);
void fabric_mm_put(struct fabric_mm *fmm);
void fabric_mms_forget(void);

#endif /* FABRIC_MM_H */

/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Handles that were given, and are taken back: see grant.c.
 */
#ifndef FABRIC_GRANT_H
#define FABRIC_GRANT_H

#include <linux/wait.h>

#include "fabric.h"

/* Woken when nothing that lives is left of a handle that was taken back; or of a device. */
extern wait_queue_head_t fabric_taken_waitq;

/* Less lives of a handle than before; with its ledger's lock held. */
static inline void fabric_taken_check(struct fabric_handle *handle)
{
	if (unlikely(handle->taken) && handle->bytes == handle->dead_bytes)
		wake_up_all(&fabric_taken_waitq);
}

int fabric_grant_join(struct fabric_handle *handle, struct file *file, u64 *id);
void fabric_grant_leave(struct fabric_handle *handle);
long fabric_grant_revoke(struct file *file, void __user *argp);
void fabric_giver_close(struct file *file);
void fabric_taken_init(struct drm_fabric_region *region);

/* recall.c */
void fabric_recall(struct drm_fabric_region *region);

#endif /* FABRIC_GRANT_H */

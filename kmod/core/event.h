/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Events of a handle, for handle.c and grant.c. What others tell of is in fabric.h.
 */
#ifndef FABRIC_EVENT_H
#define FABRIC_EVENT_H

#include <linux/fs.h>
#include <linux/poll.h>

#include "fabric.h"

void fabric_handle_post(struct fabric_handle *handle, const struct drm_fabric_event *event);
void fabric_events_init(struct fabric_handle *handle);
void fabric_events_fini(struct fabric_handle *handle);
ssize_t fabric_handle_read(struct file *file, char __user *buf, size_t len, loff_t *pos);
__poll_t fabric_handle_poll(struct file *file, struct poll_table_struct *wait);

#endif /* FABRIC_EVENT_H */

/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Where ranges of an address space should live (prefer.c), and putting them there (place.c).
 */
#ifndef FABRIC_PREFER_H
#define FABRIC_PREFER_H

#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <uapi/drm/drm_fabric.h>

struct drm_fabric_device;
struct drm_fabric_vm;
struct fabric_handle;
struct fabric_mm;
struct fabric_user;
struct mm_struct;
struct prefer_range;

/* @handle: DEVMEM: counted. Its file may have been closed. */
struct fabric_location {
	u32 type;
	struct fabric_handle *handle;
};

/**
 * struct fabric_preference - a list of places; does not change. Ranges share it
 * @user: of whoever asked: for the count of ranges
 */
struct fabric_preference {
	struct kref ref;
	struct fabric_user *user;
	unsigned int n_locations;
	struct fabric_location locations[DRM_FABRIC_MAX_LOCATIONS];
};

/**
 * struct fabric_preferences - all of an address space
 * @lock: protects everything here. Taken by the notifier, so nothing that waits for memory is done
 * under it
 * @ranges: struct prefer_range by address; no two overlap
 * @dropped: ranges that the notifier took out, for @work to free
 * @spares: for the notifier, when there is no memory
 * @n_spares: number of these
 * @is_held: a reference on the fabric_mm, as long as there are ranges; @work drops it
 * @work: frees @dropped
 */
struct fabric_preferences {
	struct mutex lock; /* see above */
	struct rb_root ranges;
	struct prefer_range *dropped;
	struct prefer_range *spares;
	unsigned int n_spares;
	bool is_held;
	struct work_struct work;
};

/* prefer.c */
void fabric_preferences_init(struct fabric_preferences *p);
void fabric_preferences_fini(struct fabric_preferences *p);
void fabric_preferences_unmap(struct fabric_mm *fmm, unsigned long start, unsigned long end);
struct fabric_preference *fabric_preference_at(struct mm_struct *mm, unsigned long addr,
					       unsigned long *ret_start, unsigned long *ret_end);
void fabric_preference_put(struct fabric_preference *preference);
int fabric_prefer(void __user *argp);
int fabric_preference_read(void __user *argp);

/* place.c */
int fabric_location_look(const struct fabric_location *location,
			 struct drm_fabric_device *accessor);
bool fabric_place(struct drm_fabric_vm *vm, const struct fabric_preference *preference,
		  unsigned long start, unsigned long end);

#endif /* FABRIC_PREFER_H */

/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A link, for link.c and measure.c. What others ask of links is in fabric.h.
 */
#ifndef FABRIC_LINK_H
#define FABRIC_LINK_H

#include <linux/spinlock.h>
#include <linux/sysfs.h>

#include "fabric.h"

/* What a measurement has come to. Failed: a negative errno. */
enum fabric_measure_state {
	FABRIC_MEASURE_NEVER,
	FABRIC_MEASURE_RUNNING,
	FABRIC_MEASURE_OK,
};

/* Bandwidths as measured; @at_s: CLOCK_REALTIME, 0 = not measured */
struct fabric_measured {
	u32 read_mbps;
	u32 write_mbps;
	u64 at_s;
};

/**
 * struct fabric_link - an ordered pair of devices
 * @kobj: links/<owner> of the accessor
 * @accessor: not counted: goes after its links
 * @owner: not counted: goes after the links to it
 * @up: the accessor may use the owner's memory: what all decisions look at. Changes under
 * fabric_registry, read anywhere
 * @going: on its way down, and no longer @up: stays as it is until it is there, which
 * fabric_registry is not held for; written under that
 * @going_desc: what it will say then
 * @going_link: whoever takes it down has all such links on a list
 * @n_attached: regions of the owner that the accessor may use, or may still be using: through a
 * window, if it makes any. Changes under fabric_registry, read anywhere
 * @lock: protects who writes @desc, @measured and @shown; inside fabric_registry
 * @view_lock: @desc and @measured_at_s against readers of the files, which must not wait for @lock:
 * its holder takes files away, and waits for their readers
 * @desc: what is published: as the drivers say, with what was measured on top. Its type and up
 * change under fabric_registry only
 * @measured_at_s: of the bandwidths in @desc; 0 = they were not measured
 * @measured: kept for as long as the link is of the same type, even while it is down
 * @shown: the files that exist, a bit for each of the attributes
 * @measure_work: measures; disabled while the link is down
 * @measure_state: enum fabric_measure_state or a negative errno
 * @measure_stop: the worker is to end; what it has measured is worth nothing
 */
struct fabric_link {
	struct kobject kobj;
	struct drm_fabric_device *accessor;
	struct drm_fabric_device *owner;
	bool up;
	bool going;
	struct drm_fabric_link_desc going_desc;
	struct list_head going_link;
	unsigned int n_attached;
	struct mutex lock; /* see above */
	spinlock_t view_lock; /* see above */
	struct drm_fabric_link_desc desc;
	u64 measured_at_s;
	struct fabric_measured measured;
	unsigned long shown;
	struct work_struct measure_work;
	int measure_state;
	bool measure_stop;
	struct rcu_head rcu;
};

/* link.c */
void fabric_link_set_measured(struct fabric_link *link, const struct fabric_measured *measured);

/* measure.c */
void fabric_measure_init(struct fabric_link *link);
void fabric_measure_allow(struct fabric_link *link);
void fabric_measure_stop(struct fabric_link *link);
int fabric_measure_begin(struct fabric_link *link);
ssize_t fabric_measure_emit_state(struct fabric_link *link, char *buf);

#endif /* FABRIC_LINK_H */

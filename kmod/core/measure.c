// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Measuring a link: the accessor's driver copies from and to a scratch block in the owner's memory,
 * for MEASURE_NS each way, from a worker, when root asks for it. What comes out replaces the
 * link's bandwidths.
 *
 * The block is the core's, taken from the driver like any other, but no page of it is ever a
 * process's. The owner's users are held meanwhile, so a drain waits for the end; the worker looks
 * out for that and ends early. It holds no other lock while it copies.
 *
 * Going down stops a measurement with fabric_registry held: nothing here may take that.
 */
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "link.h"
#include "lost.h"

/* Each way. */
#define MEASURE_NS (80 * NSEC_PER_MSEC)
/* One copy need not take longer: a slow link is measured in small pieces. */
#define MEASURE_STEP_NS (5 * NSEC_PER_MSEC)

struct scratch {
	struct drm_fabric_region *region;
	u64 offset;
	u64 size;
};

/* What ends a measurement early. */
static int measure_interrupted(struct fabric_link *link)
{
	if (READ_ONCE(link->measure_stop))
		return -ENOLINK;
	if (READ_ONCE(link->owner->state) != DRM_FABRIC_STATE_ONLINE)
		return -ESHUTDOWN;
	return 0;
}

/* One copy; *@ns is how long it took, and never 0. */
static int measure_copy(struct fabric_link *link, const struct scratch *scratch, u64 size,
			bool write, u64 *ns)
{
	u64 begin;
	int err;

	err = measure_interrupted(link);
	if (err)
		return err;
	begin = ktime_get_ns();
	err = link->accessor->ops->copy_region(link->accessor, scratch->region, scratch->offset,
					       size, write);
	*ns = max(ktime_get_ns() - begin, 1);
	cond_resched();
	return err ?: drm_fabric_device_present(link->owner) ? 0 : -ESHUTDOWN;
}

/* *@mbps is never 0: that would say unknown. */
static int measure_way(struct fabric_link *link, const struct scratch *scratch, bool write,
		       u32 *mbps)
{
	u64 size = min(scratch->size, SZ_64K), bytes = 0, total_ns = 0, ns;
	int err;

	/* Find a size, and wake up what sleeps. */
	for (;; size *= 2) {
		err = measure_copy(link, scratch, size, write, &ns);
		if (err)
			return err;
		if (size == scratch->size || ns > MEASURE_STEP_NS)
			break;
	}
	do {
		err = measure_copy(link, scratch, size, write, &ns);
		if (err)
			return err;
		bytes += size;
		total_ns += ns;
	} while (total_ns < MEASURE_NS);
	*mbps = clamp(mul_u64_u64_div_u64(bytes, NSEC_PER_SEC / 1000000, total_ns), 1, U32_MAX);
	return 0;
}

/* The largest block that there is, and that nobody was promised. */
static int measure_alloc(struct drm_fabric_region *region, struct scratch *scratch)
{
	int err = -ENOSPC;

	scratch->region = region;
	guard(mutex)(&region->ledger.alloc_lock);
	for (scratch->size = PMD_SIZE; scratch->size >= PAGE_SIZE; scratch->size /= 2) {
		if (!fabric_region_hold(region, scratch->size))
			continue;
		err = region->fdev->ops->alloc(region, scratch->size, &scratch->offset);
		if (!err)
			return 0;
		fabric_region_unhold(region, scratch->size);
	}
	return err;
}

static int measure_link(struct fabric_link *link, struct fabric_measured *measured)
{
	struct drm_fabric_device *owner = link->owner;
	struct scratch scratch;
	int err;

	err = fabric_device_begin_use(owner);
	if (err)
		return err;
	err = measure_alloc(owner->regions[0], &scratch);
	if (err)
		goto end_use;
	err = measure_way(link, &scratch, false, &measured->read_mbps);
	if (!err)
		err = measure_way(link, &scratch, true, &measured->write_mbps);
	owner->ops->free(scratch.region, scratch.offset, scratch.size);
	fabric_region_unhold(scratch.region, scratch.size);
end_use:
	fabric_device_end_use(owner);
	/* It may have gone when all was done. */
	return err ?: measure_interrupted(link);
}

/* Under fabric_link.lock, or by the worker: only it ends what runs. */
static void measure_set_state(struct fabric_link *link, int state)
{
	WRITE_ONCE(link->measure_state, state);
	sysfs_notify(&link->kobj, NULL, "measure_state");
}

static void fabric_measure_work(struct work_struct *work)
{
	struct fabric_link *link = container_of(work, struct fabric_link, measure_work);
	struct fabric_measured measured;
	int err;

	err = measure_link(link, &measured);
	if (!err) {
		measured.at_s = ktime_get_real_seconds();
		fabric_link_set_measured(link, &measured);
	}
	/* Last: who sees the end sees the figures. */
	measure_set_state(link, err ?: FABRIC_MEASURE_OK);
}

/* The link is down. */
void fabric_measure_init(struct fabric_link *link)
{
	INIT_WORK(&link->measure_work, fabric_measure_work);
	disable_work(&link->measure_work);
	link->measure_stop = true;
}

/* The link is up. Called once after _init() and each _stop(). */
void fabric_measure_allow(struct fabric_link *link)
{
	WRITE_ONCE(link->measure_stop, false);
	enable_work(&link->measure_work);
}

/* When this returns no measurement is under way, and none begins. Waits for one copy. */
void fabric_measure_stop(struct fabric_link *link)
{
	WRITE_ONCE(link->measure_stop, true);
	disable_work_sync(&link->measure_work);
	/* The worker had not begun. */
	guard(mutex)(&link->lock);
	if (link->measure_state == FABRIC_MEASURE_RUNNING)
		measure_set_state(link, -ENOLINK);
}

/**
 * fabric_measure_begin() - have a link measured
 * @link: the link; the caller has its kobject active
 *
 * Return: 0: under way; -EOPNOTSUPP: the driver cannot; -ENOLINK: it is down; -EBUSY: under way
 * already.
 */
int fabric_measure_begin(struct fabric_link *link)
{
	int was;

	if (!link->accessor->ops->copy_region)
		return -EOPNOTSUPP;
	guard(mutex)(&link->lock);
	was = READ_ONCE(link->measure_state);
	if (was == FABRIC_MEASURE_RUNNING)
		return -EBUSY;
	if (!READ_ONCE(link->up))
		return -ENOLINK;
	/* Before it can end. */
	measure_set_state(link, FABRIC_MEASURE_RUNNING);
	if (queue_work(fabric_evict_wq, &link->measure_work))
		return 0;
	/* It has gone down since. */
	measure_set_state(link, was);
	return -ENOLINK;
}

ssize_t fabric_measure_emit_state(struct fabric_link *link, char *buf)
{
	int state = READ_ONCE(link->measure_state);
	char name[32];

	switch (state) {
	case FABRIC_MEASURE_NEVER:
		return sysfs_emit(buf, "never\n");
	case FABRIC_MEASURE_RUNNING:
		return sysfs_emit(buf, "running\n");
	case FABRIC_MEASURE_OK:
		return sysfs_emit(buf, "ok\n");
	default:
		/* "-ENOSPC" */
		scnprintf(name, sizeof(name), "%pe", ERR_PTR(state));
		return sysfs_emit(buf, "failed: %s\n", name + 1);
	}
}

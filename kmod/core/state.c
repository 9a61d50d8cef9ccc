// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The states of a device, and the ways between them.
 *
 *	online -> draining -> evicting -> offline
 *
 * and back to online from each, while the driver stays. From each of them also to lost, if the
 * device vanishes: from there it leads to unregistration only (lost.c).
 *
 * A device's state is under its state_lock. Who may put pages on a device holds users for reading
 * and looks at the state; who changes the state then takes users for writing once, so that nobody
 * who saw the old one is still at work.
 */
#include <linux/sysfs.h>

#include "fabric.h"
#include "lost.h"

/* So long the evictor defers to processes that are busy with their mappings. */
#define EVICT_PATIENCE (2 * HZ)
/* So long it tries to copy what the engine does not copy: an engine may be about to be reset. */
#define COPY_PATIENCE (3 * HZ)

const char *fabric_state_name(int state)
{
	switch (state) {
	case DRM_FABRIC_STATE_ONLINE:
		return "online";
	case DRM_FABRIC_STATE_DRAINING:
		return "draining";
	case DRM_FABRIC_STATE_EVICTING:
		return "evicting";
	case DRM_FABRIC_STATE_LOST:
		return "lost";
	default:
		return "offline";
	}
}

const char *fabric_blocked_name(struct drm_fabric_device *fdev)
{
	static const char *const names[] = {
		[FABRIC_BLOCKED_NONE] = "none",
		[FABRIC_BLOCKED_MEMORY] = "memory",
		[FABRIC_BLOCKED_BUSY] = "busy",
		[FABRIC_BLOCKED_COPY] = "copy",
	};

	return names[READ_ONCE(fdev->blocked)];
}

static void fabric_device_set_state(struct drm_fabric_device *fdev, int state)
{
	lockdep_assert_held(&fdev->state_lock);
	WRITE_ONCE(fdev->state, state);
	sysfs_notify(&fdev->dev.kobj, NULL, "state");
	fabric_device_changed(fdev);
	wake_up_all(&fdev->waitq);
}

/* @deadline_ns: CLOCK_MONOTONIC, 0 = none */
void fabric_device_post(struct drm_fabric_device *fdev, u32 type, u64 deadline_ns, u64 bytes)
{
	const struct drm_fabric_event event = {
		.type = type,
		.deadline_ns = deadline_ns,
		.bytes = bytes,
		.incarnation = fdev->incarnation,
		.reason = fdev->reason,
	};

	for (unsigned int i = 0; i < fdev->n_regions; i++)
		fabric_handles_post(fdev->regions[i], &event);
}

/* Returns when whoever is at work has seen what was written before. */
void fabric_device_flush_users(struct drm_fabric_device *fdev)
{
	down_write(&fdev->users);
	up_write(&fdev->users);
}

/**
 * fabric_device_begin_use() - start work that may put pages on a device
 * @fdev: the device
 *
 * Return: 0: fabric_device_end_use() is due; -ESHUTDOWN: it takes nothing now; -ENODEV: it is gone
 * or lost.
 */
int fabric_device_begin_use(struct drm_fabric_device *fdev)
{
	int err;

	if (down_read_killable(&fdev->users))
		return -EINTR;
	if (READ_ONCE(fdev->state) == DRM_FABRIC_STATE_ONLINE && !READ_ONCE(fdev->lost))
		return 0;
	err = READ_ONCE(fdev->leaving) || READ_ONCE(fdev->lost) ? -ENODEV : -ESHUTDOWN;
	up_read(&fdev->users);
	return err;
}

void fabric_device_end_use(struct drm_fabric_device *fdev)
{
	up_read(&fdev->users);
}

static void fabric_device_drain_locked(struct drm_fabric_device *fdev, int reason,
				       unsigned int notice_ms)
{
	fdev->reason = reason;
	fabric_device_set_state(fdev, DRM_FABRIC_STATE_DRAINING);
	fdev->deadline_ns = notice_ms ? ktime_get_ns() + (u64)notice_ms * NSEC_PER_MSEC : 0;
	fabric_device_post(fdev, DRM_FABRIC_EVENT_DRAINING, fdev->deadline_ns,
			   fabric_device_resident(fdev));
}

static void fabric_device_evict_locked(struct drm_fabric_device *fdev, int reason)
{
	if (fdev->state == DRM_FABRIC_STATE_ONLINE)
		fabric_device_drain_locked(fdev, reason, 0);
	WRITE_ONCE(fdev->reason, reason);
	WRITE_ONCE(fdev->abandoned, false);
	WRITE_ONCE(fdev->n_evictions, fdev->n_evictions + 1);
	fabric_device_set_state(fdev, DRM_FABRIC_STATE_EVICTING);
	fabric_device_post(fdev, DRM_FABRIC_EVENT_EVICTING, 0, fabric_device_resident(fdev));
	queue_work(fabric_evict_wq, &fdev->evict_work);
}

/* The notice is over. If it was called off, and another one began, this is not its time. */
static void fabric_device_deadline_work(struct work_struct *work)
{
	struct drm_fabric_device *fdev =
		container_of(work, struct drm_fabric_device, deadline_work.work);

	guard(mutex)(&fdev->state_lock);
	if (fdev->state == DRM_FABRIC_STATE_DRAINING && !fdev->lost && fdev->evict_at_deadline &&
	    ktime_get_ns() >= fdev->deadline_ns)
		fabric_device_evict_locked(fdev, fdev->reason);
}

/* May an administrator change its state? 0 or -errno. */
static int fabric_device_may_act(struct drm_fabric_device *fdev)
{
	lockdep_assert_held(&fdev->state_lock);
	if (fdev->leaving)
		return -ENODEV;
	if (fdev->lost)
		return -ENOTRECOVERABLE;
	return fdev->asleep ? -EBUSY : 0;
}

/* @evict: begin to evict when @notice_ms are over. */
int fabric_device_drain(struct drm_fabric_device *fdev, unsigned int notice_ms, bool evict)
{
	int err;

	scoped_guard(mutex, &fdev->state_lock) {
		err = fabric_device_may_act(fdev);
		if (err)
			return err;
		if (fdev->state != DRM_FABRIC_STATE_ONLINE)
			return -EALREADY;
		fabric_device_drain_locked(fdev, DRM_FABRIC_REASON_ADMIN, notice_ms);
		fdev->evict_at_deadline = evict && notice_ms;
		if (evict && !notice_ms)
			fabric_device_evict_locked(fdev, DRM_FABRIC_REASON_ADMIN);
		else if (evict)
			/* A jiffy late rather than early: it looks at the clock. */
			mod_delayed_work(fabric_evict_wq, &fdev->deadline_work,
					 msecs_to_jiffies(notice_ms) + 1);
	}
	fabric_device_flush_users(fdev);
	return 0;
}

static void fabric_device_cancel_locked(struct drm_fabric_device *fdev)
{
	WRITE_ONCE(fdev->unbind_wanted, false);
	WRITE_ONCE(fdev->n_cancels, fdev->n_cancels + 1);
	WRITE_ONCE(fdev->abandoned, false);
	fdev->deadline_ns = 0;
	cancel_delayed_work(&fdev->deadline_work);
	fabric_device_set_state(fdev, DRM_FABRIC_STATE_ONLINE);
	fabric_device_post(fdev, DRM_FABRIC_EVENT_CANCELLED, 0, 0);
	fdev->reason = DRM_FABRIC_REASON_NONE;
}

int fabric_device_cancel(struct drm_fabric_device *fdev)
{
	int err;

	guard(mutex)(&fdev->state_lock);
	err = fdev->unbinding ? -ENODEV : fabric_device_may_act(fdev);
	if (err)
		return err;
	if (fdev->state == DRM_FABRIC_STATE_ONLINE)
		return -EALREADY;
	fabric_device_cancel_locked(fdev);
	return 0;
}

/* The machine goes to sleep: everything home, until fabric_device_wake(). */
void fabric_device_sleep(struct drm_fabric_device *fdev)
{
	guard(mutex)(&fdev->state_lock);
	fdev->asleep = true;
	if (fdev->lost)
		return;
	/* What is on its way already goes on. */
	if (fdev->state != DRM_FABRIC_STATE_ONLINE && fdev->state != DRM_FABRIC_STATE_DRAINING)
		return;
	fdev->wake_state = fdev->state;
	fdev->wake_reason = fdev->reason;
	fabric_device_evict_locked(fdev, DRM_FABRIC_REASON_SUSPEND);
}

/* Back to where it was, but for one that the driver takes away meanwhile. */
void fabric_device_wake(struct drm_fabric_device *fdev)
{
	int state;
	u64 now;

	guard(mutex)(&fdev->state_lock);
	state = fdev->wake_state;
	fdev->asleep = false;
	fdev->wake_state = 0;
	if (!state || fdev->leaving || fdev->lost)
		return;
	if (state == DRM_FABRIC_STATE_ONLINE) {
		fabric_device_cancel_locked(fdev);
		return;
	}
	fdev->reason = fdev->wake_reason;
	fabric_device_set_state(fdev, DRM_FABRIC_STATE_DRAINING);
	fabric_device_post(fdev, DRM_FABRIC_EVENT_DRAINING, fdev->deadline_ns,
			   fabric_device_resident(fdev));
	if (!fdev->evict_at_deadline)
		return;
	now = ktime_get_ns();
	mod_delayed_work(fabric_evict_wq, &fdev->deadline_work,
			 nsecs_to_jiffies(fdev->deadline_ns > now ? fdev->deadline_ns - now : 0) +
				 1);
}

/* What resists becomes dead pages: the evictor goes on with that. */
int fabric_device_abandon(struct drm_fabric_device *fdev)
{
	guard(mutex)(&fdev->state_lock);
	if (fdev->lost)
		return -ENOTRECOVERABLE;
	if (fdev->state != DRM_FABRIC_STATE_EVICTING || fdev->abandoned)
		return -EALREADY;
	WRITE_ONCE(fdev->abandoned, true);
	return 0;
}

/**
 * fabric_device_evict() - begin to evict
 * @fdev: the device
 * @n_cancels: (out) what drm_fabric_device.n_cancels is for as long as nobody calls this off
 *
 * Return: 0, -ENODEV, -EBUSY (sleep), -EALREADY.
 */
int fabric_device_evict(struct drm_fabric_device *fdev, unsigned int *n_cancels)
{
	int err;

	guard(mutex)(&fdev->state_lock);
	err = fabric_device_may_act(fdev);
	if (err)
		return err;
	if (fdev->state == DRM_FABRIC_STATE_EVICTING || fdev->state == DRM_FABRIC_STATE_OFFLINE)
		return -EALREADY;
	fabric_device_evict_locked(fdev, DRM_FABRIC_REASON_ADMIN);
	*n_cancels = fdev->n_cancels;
	return 0;
}

/* The same, and unbind the driver then. */
int fabric_device_unbind(struct drm_fabric_device *fdev, unsigned int *n_cancels)
{
	int err;

	guard(mutex)(&fdev->state_lock);
	err = fdev->unbinding ? -ENODEV : fabric_device_may_act(fdev);
	if (err && err != -ENOTRECOVERABLE)
		return err;
	if (fdev->asleep)
		return -EBUSY;
	if (fdev->unbind_wanted)
		return -EALREADY;
	fdev->unbind_wanted = true;
	*n_cancels = fdev->n_cancels;
	/* From one that is lost there is nothing to evict. */
	if (!err && (fdev->state == DRM_FABRIC_STATE_ONLINE ||
		     fdev->state == DRM_FABRIC_STATE_DRAINING))
		fabric_device_evict_locked(fdev, DRM_FABRIC_REASON_ADMIN);
	/* Still there from an unbind that was called off: that one goes on for us. */
	get_device(&fdev->dev);
	if (!queue_work(fabric_evict_wq, &fdev->unbind_work))
		put_device(&fdev->dev);
	return 0;
}

/*
 * The evictor goes on with eviction @nr for as long as this is true. What it decided for one that
 * was called off is not for the next.
 */
bool fabric_device_evict_wanted(struct drm_fabric_device *fdev, unsigned int nr)
{
	return READ_ONCE(fdev->n_evictions) == nr &&
	       READ_ONCE(fdev->state) == DRM_FABRIC_STATE_EVICTING && !READ_ONCE(fdev->lost);
}

static void fabric_device_evict_region(struct drm_fabric_device *fdev, unsigned int nr,
				       struct drm_fabric_region *region, unsigned long patience)
{
	unsigned long copy_failed = 0; /* since then nothing else was in the way */
	bool bury = false;

	while (fabric_device_evict_wanted(fdev, nr) &&
	       !fabric_region_evict(region, nr, time_before(jiffies, patience), bury)) {
		if (fdev->blocked != FABRIC_BLOCKED_COPY)
			copy_failed = 0;
		else if (!copy_failed)
			copy_failed = jiffies ?: 1;
		/* To sleep is no reason to lose a page: it is refused then. */
		bury = copy_failed && time_after(jiffies, copy_failed + COPY_PATIENCE) &&
		       READ_ONCE(fdev->reason) != DRM_FABRIC_REASON_SUSPEND;
	}
}

/* Is it offline now? Nobody is at work who has begun while it was called off. */
static bool fabric_device_evicted(struct drm_fabric_device *fdev, unsigned int nr)
{
	guard(rwsem_write)(&fdev->users);
	guard(mutex)(&fdev->state_lock);
	WRITE_ONCE(fdev->blocked, FABRIC_BLOCKED_NONE);
	/* Begun anew, it has queued the work anew. */
	if (!fabric_device_evict_wanted(fdev, nr))
		return false;
	/* What the evictor saw was two counters that change. They stand still now. */
	if (fabric_device_resident(fdev)) {
		queue_work(fabric_evict_wq, &fdev->evict_work);
		return false;
	}
	fabric_device_set_state(fdev, DRM_FABRIC_STATE_OFFLINE);
	return true;
}

/* Nothing goes on here any more: what lived is at home, or all is lost. */
static bool fabric_device_is_over(struct drm_fabric_device *fdev)
{
	int state = READ_ONCE(fdev->state);

	return state == DRM_FABRIC_STATE_OFFLINE || state == DRM_FABRIC_STATE_LOST;
}

/*
 * What lives is at home; nobody waits for the struct pages to go. Called off meanwhile they are in
 * use again, so nobody may begin while they go.
 */
void fabric_device_drop_pagemaps(struct drm_fabric_device *fdev)
{
	guard(rwsem_write)(&fdev->users);
	scoped_guard(mutex, &fdev->state_lock)
		if (!fabric_device_is_over(fdev))
			return;
	for (unsigned int i = 0; i < fdev->n_regions; i++)
		fabric_region_drop_pagemap(fdev->regions[i]);
}

static void fabric_device_evict_work(struct work_struct *work)
{
	struct drm_fabric_device *fdev = container_of(work, struct drm_fabric_device, evict_work);
	unsigned long patience = jiffies + EVICT_PATIENCE;
	unsigned int i, nr;

	scoped_guard(mutex, &fdev->state_lock)
		nr = fdev->n_evictions;
	/* Afterwards nobody puts pages on it as long as that eviction is wanted. */
	fabric_device_flush_users(fdev);
	for (i = 0; i < fdev->n_regions; i++)
		fabric_device_evict_region(fdev, nr, fdev->regions[i], patience);

	if (fabric_device_evicted(fdev, nr))
		fabric_device_drop_pagemaps(fdev);
}

/* Evicted, called off, or overtaken by another way of taking the device. */
static bool fabric_device_settled(struct drm_fabric_device *fdev)
{
	return fabric_device_is_over(fdev) || !READ_ONCE(fdev->unbind_wanted) ||
	       READ_ONCE(fdev->leaving);
}

/* From here on it cannot be called off. */
static bool fabric_device_commit_unbind(struct drm_fabric_device *fdev)
{
	guard(mutex)(&fdev->state_lock);
	fdev->unbinding = fdev->unbind_wanted && !fdev->leaving && fabric_device_is_over(fdev);
	return fdev->unbinding;
}

static void fabric_device_unbind_work(struct work_struct *work)
{
	struct drm_fabric_device *fdev = container_of(work, struct drm_fabric_device, unbind_work);
	struct device *parent = get_device(fdev->dev.parent);

	wait_event_idle(fdev->waitq, fabric_device_settled(fdev));
	if (fabric_device_commit_unbind(fdev))
		device_release_driver(parent);
	put_device(parent);
	put_device(&fdev->dev);
}

void fabric_state_init(struct drm_fabric_device *fdev)
{
	fdev->state = DRM_FABRIC_STATE_ONLINE;
	/* Until all of it is there, nobody can take it away. */
	fdev->leaving = true;
	INIT_WORK(&fdev->evict_work, fabric_device_evict_work);
	INIT_DELAYED_WORK(&fdev->deadline_work, fabric_device_deadline_work);
	INIT_WORK(&fdev->unbind_work, fabric_device_unbind_work);
	init_waitqueue_head(&fdev->waitq);
}

/* It has vanished. Whoever would change the state afterwards looks at @lost. */
void fabric_state_lost(struct drm_fabric_device *fdev)
{
	guard(mutex)(&fdev->state_lock);
	cancel_delayed_work(&fdev->deadline_work);
	fdev->deadline_ns = 0;
	fdev->wake_state = 0;
	fdev->reason = DRM_FABRIC_REASON_LOST;
	WRITE_ONCE(fdev->blocked, FABRIC_BLOCKED_NONE);
	fabric_device_set_state(fdev, DRM_FABRIC_STATE_LOST);
}

/* The driver takes the device away: returns when it is offline for good, or lost. */
void fabric_state_leave(struct drm_fabric_device *fdev)
{
	/* It may be leaving because it has been pulled out. */
	(void)drm_fabric_device_present(fdev);
	scoped_guard(mutex, &fdev->state_lock) {
		WRITE_ONCE(fdev->leaving, true);
		/* What was begun for a sleep, which loses no page, is the driver's from now on. */
		if (!fdev->lost && fdev->reason != DRM_FABRIC_REASON_ADMIN)
			WRITE_ONCE(fdev->reason, DRM_FABRIC_REASON_DRIVER);
		if (!fdev->lost && fdev->state != DRM_FABRIC_STATE_OFFLINE &&
		    fdev->state != DRM_FABRIC_STATE_EVICTING)
			fabric_device_evict_locked(fdev, DRM_FABRIC_REASON_DRIVER);
		wake_up_all(&fdev->waitq);
	}
	cancel_delayed_work_sync(&fdev->deadline_work);
	/* Idle: as long as it takes, and no hung-task warning about it. */
	wait_event_idle(fdev->waitq, fabric_device_is_over(fdev));
	flush_work(&fdev->evict_work);
	flush_work(&fdev->lost_work);
}

// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Sleep: before tasks freeze all memory is at home, or the machine stays awake.
 *
 * VRAM does not survive sleep, and behind the freezer nobody could bring it home: an eviction
 * takes processes' locks. So the notifier that runs before the freezer evicts every device, as an
 * administrator would, and waits. It refuses, with the reason in the log, if that takes too long;
 * for want of memory as soon as it is seen that it would. When the machine is awake again, or has
 * never slept, every device goes back to where it was; until then nobody moves one.
 *
 * fabric_asleep is under fabric_registry, drm_fabric_device.asleep under state_lock.
 */
#include <linux/module.h>
#include <linux/suspend.h>

#include "fabric.h"

/* So long it is watched how fast memory goes home when there is little to go to. */
#define MEMORY_PATIENCE (3 * HZ)

static unsigned int suspend_timeout_ms = 20000;
module_param(suspend_timeout_ms, uint, 0644);
MODULE_PARM_DESC(suspend_timeout_ms,
		 "Sleep is refused if memory on devices has not come home after that time");

/*
 * Sleeps that have been prepared and not been called off: one, but for a snapshot device that is
 * kept open meanwhile. Whoever joins now joins asleep.
 */
unsigned int fabric_asleep;

static bool fabric_power_is_home(struct drm_fabric_device *fdev)
{
	/* One that is lost has nothing to bring home. */
	return READ_ONCE(fdev->state) == DRM_FABRIC_STATE_OFFLINE || READ_ONCE(fdev->lost);
}

/* One that is not at home, counted, or NULL. */
static struct drm_fabric_device *fabric_power_next(void)
{
	struct drm_fabric_device *fdev;

	guard(mutex)(&fabric_registry);
	list_for_each_entry(fdev, &fabric_devices, link)
		if (!fabric_power_is_home(fdev))
			return to_fabric_device(get_device(&fdev->dev));
	return NULL;
}

/* What is seen of the device that is waited for. */
struct power_progress {
	unsigned long slot; /* ULONG_MAX: nothing has been seen yet */
	u64 resident; /* at @since */
	unsigned long since;
	bool short_of_memory; /* since then */
};

static void fabric_power_progress_begin(struct power_progress *progress,
					const struct drm_fabric_device *fdev, u64 resident)
{
	*progress = (struct power_progress){
		.slot = fdev->slot,
		.resident = resident,
		.since = jiffies,
	};
}

/*
 * Is there so little memory that it would not come home by the deadline? A machine that is short of
 * it still finds a page now and then, so it is the pace that tells.
 */
static bool fabric_power_is_hopeless(struct power_progress *progress,
				     struct drm_fabric_device *fdev, unsigned long deadline)
{
	u64 resident = fabric_device_resident(fdev), came_home;

	if (fdev->slot != progress->slot)
		fabric_power_progress_begin(progress, fdev, resident);
	progress->short_of_memory |= READ_ONCE(fdev->blocked) == FABRIC_BLOCKED_MEMORY;
	if (time_before(jiffies, progress->since + MEMORY_PATIENCE))
		return false;
	came_home = progress->resident - min(progress->resident, resident);
	if (progress->short_of_memory &&
	    came_home * (deadline - jiffies) < resident * MEMORY_PATIENCE)
		return true;
	fabric_power_progress_begin(progress, fdev, resident);
	return false;
}

/* 0: all memory is at home. -EBUSY, -EINTR: some is not. */
static int fabric_power_wait(void)
{
	unsigned long deadline = jiffies + msecs_to_jiffies(READ_ONCE(suspend_timeout_ms));
	struct power_progress progress = { .slot = ULONG_MAX };
	struct drm_fabric_device *fdev;
	long left = 0;
	int err = 0;

	while (!err && (fdev = fabric_power_next())) {
		if (time_after(jiffies, deadline) ||
		    fabric_power_is_hopeless(&progress, fdev, deadline))
			err = -EBUSY;
		else
			left = wait_event_killable_timeout(fdev->waitq, fabric_power_is_home(fdev),
							   HZ / 20);
		if (left < 0)
			err = -EINTR;
		put_device(&fdev->dev);
	}
	return err;
}

static void fabric_power_complain(void)
{
	struct drm_fabric_device *fdev;

	guard(mutex)(&fabric_registry);
	list_for_each_entry(fdev, &fabric_devices, link)
		if (!fabric_power_is_home(fdev))
			dev_err(&fdev->dev,
				"no sleep: %llu bytes are still on the device, evict_blocked %s\n",
				fabric_device_resident(fdev), fabric_blocked_name(fdev));
}

static void fabric_power_wake(void)
{
	struct drm_fabric_device *fdev;

	guard(mutex)(&fabric_registry);
	/* The module may have come in between. */
	if (!fabric_asleep || --fabric_asleep)
		return;
	list_for_each_entry(fdev, &fabric_devices, link)
		fabric_device_wake(fdev);
}

static int fabric_power_sleep(void)
{
	struct drm_fabric_device *fdev;
	int err;

	scoped_guard(mutex, &fabric_registry) {
		fabric_asleep++;
		list_for_each_entry(fdev, &fabric_devices, link)
			fabric_device_sleep(fdev);
	}
	err = fabric_power_wait();
	if (err) {
		fabric_power_complain();
		fabric_power_wake();
	}
	return err;
}

static int fabric_power_notify(struct notifier_block *nb, unsigned long action, void *data)
{
	switch (action) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		return notifier_from_errno(fabric_power_sleep());
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		fabric_power_wake();
		return NOTIFY_OK;
	default:
		return NOTIFY_DONE;
	}
}

static struct notifier_block fabric_power_nb = {
	.notifier_call = fabric_power_notify,
};

int fabric_power_init(void)
{
	return register_pm_notifier(&fabric_power_nb);
}

void fabric_power_exit(void)
{
	unregister_pm_notifier(&fabric_power_nb);
}

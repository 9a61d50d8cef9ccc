// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Devices that vanish: pulled out, cut off by the bus, or with an engine that does not answer.
 *
 * DOC: A device that is lost
 *
 * From one moment on nothing that was on it is believed: that moment is the writing of
 * drm_fabric_region.lost. It makes all pages of the region dead at once, however many there are and
 * whoever has them locked, for fabric_page_is_dead() is asked
 *
 * - after each copy, in either direction, before what was copied is put in its place. A copy that
 *   had ended before is good. So the device is looked for after each copy (@present), and not
 *   before: what was read of a device that is not there any more was all ones;
 * - before a page is mapped for a device, by a CPU touch, and by all who count.
 *
 * The rest is for a worker, since whoever finds out may hold anything: the state, the links both
 * ways (peers do not touch the aperture afterwards), the device's own address spaces, the holders,
 * and the pagemaps: they are buried, and go with their last page. Nobody waits for a page, so
 * unregistration does not either.
 */
#include "grant.h"
#include "lost.h"

/* How much data goes with it: as it was when the last one who put pages there had ended. */
static void fabric_lost_tell(struct drm_fabric_device *fdev)
{
	u64 bytes = fabric_device_dead(fdev);

	dev_err(&fdev->dev, "lost: it does not answer any more, and held %llu bytes\n", bytes);
	fabric_device_post(fdev, DRM_FABRIC_EVENT_LOST, 0, bytes);
	/* Nothing of it will come home. */
	wake_up_all(&fabric_taken_waitq);
}

static void fabric_lost_work(struct work_struct *work)
{
	struct drm_fabric_device *fdev = container_of(work, struct drm_fabric_device, lost_work);

	fabric_state_lost(fdev);
	drm_fabric_links_changed(fdev);
	fabric_device_flush_users(fdev);
	fabric_lost_tell(fdev);
	fabric_vms_kill(fdev);
	fabric_device_drop_pagemaps(fdev);
}

void fabric_lost_init(struct drm_fabric_device *fdev)
{
	INIT_WORK(&fdev->lost_work, fabric_lost_work);
}

void drm_fabric_device_lost(struct drm_fabric_device *fdev)
{
	/* Whoever finds the device lost finds its pages dead. */
	for (unsigned int i = 0; i < fdev->n_regions; i++)
		WRITE_ONCE(fdev->regions[i]->lost, true);
	if (!xchg(&fdev->lost, true))
		queue_work(fabric_evict_wq, &fdev->lost_work);
}
EXPORT_SYMBOL_GPL(drm_fabric_device_lost);

bool drm_fabric_device_present(struct drm_fabric_device *fdev)
{
	if (fdev->ops->present && !READ_ONCE(fdev->lost) && !READ_ONCE(fdev->gone) &&
	    !fdev->ops->present(fdev))
		drm_fabric_device_lost(fdev);
	return !READ_ONCE(fdev->lost);
}
EXPORT_SYMBOL_GPL(drm_fabric_device_present);

// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Events of handles, and who is told of what.
 *
 * They wait in a ring of a fixed size. The end of the device and its coming back always have a
 * place: after the end nothing else is told. Lost data is told after a moment, so that pages that
 * die one by one wake their holders once, and adds to what has been told but not read.
 *
 * Locks: region->handles_lock, revoked_lock inside it, handle->lock inside both. All may be taken
 * under folio locks.
 */
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/uaccess.h>

#include "event.h"

/* So long deaths are added up before anybody is woken. */
#define LOST_DELAY_MS 10

static struct drm_fabric_event *fabric_handle_slot(struct fabric_handle *handle, unsigned int i)
{
	return &handle->events[(handle->head + i) % ARRAY_SIZE(handle->events)];
}

/* The newest event, if it waits and says the same. */
static struct drm_fabric_event *fabric_handle_same(struct fabric_handle *handle,
						   const struct drm_fabric_event *event)
{
	struct drm_fabric_event *last;

	if (!handle->n_events)
		return NULL;
	last = fabric_handle_slot(handle, handle->n_events - 1);
	return last->type == event->type && last->reason == event->reason ? last : NULL;
}

/* Any context. */
void fabric_handle_post(struct fabric_handle *handle, const struct drm_fabric_event *event)
{
	bool is_end = event->type == DRM_FABRIC_EVENT_REVOKED;
	bool is_back = event->type == DRM_FABRIC_EVENT_BACK;
	struct drm_fabric_event *slot;

	guard(spinlock)(&handle->lock);
	if (handle->revoked != is_back)
		return;
	if (event->type == DRM_FABRIC_EVENT_LOST) {
		slot = fabric_handle_same(handle, event);
		if (slot) {
			slot->bytes += event->bytes;
			return;
		}
	}
	/* Back, gone, and back again: only what is there now is of interest. */
	if (is_back && fabric_handle_same(handle, event))
		handle->n_events--;
	/* Nobody reads: the oldest goes. Sequence numbers show the gap. */
	if (!is_end && !is_back && handle->n_events == FABRIC_HANDLE_EVENTS) {
		handle->head = (handle->head + 1) % ARRAY_SIZE(handle->events);
		handle->n_events--;
	}
	slot = fabric_handle_slot(handle, handle->n_events++);
	*slot = *event;
	slot->size_bytes = sizeof(*slot);
	slot->seq = ++handle->seq;
	slot->time_ns = ktime_get_ns();
	if (is_end)
		WRITE_ONCE(handle->revoked, true);
	wake_up_poll(&handle->waitq, EPOLLIN | EPOLLRDNORM | (is_end ? EPOLLHUP : 0));
}

/* Handles whose device has gone, for when it comes back. A handle leaves when it is closed. */
static LIST_HEAD(revoked_handles);
static DEFINE_SPINLOCK(revoked_lock);

static void fabric_region_tell_lost(struct drm_fabric_region *region)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(region->lost_bytes); i++) {
		const struct drm_fabric_event event = {
			.type = DRM_FABRIC_EVENT_LOST,
			.bytes = atomic64_xchg(&region->lost_bytes[i], 0),
			.incarnation = region->fdev->incarnation,
			.reason = i ? DRM_FABRIC_REASON_ABANDONED : DRM_FABRIC_REASON_COPY,
		};

		if (event.bytes)
			fabric_handles_post(region, &event);
	}
}

static void fabric_region_lost_work(struct work_struct *work)
{
	fabric_region_tell_lost(container_of(work, struct drm_fabric_region, lost_work.work));
}

void fabric_events_init(struct fabric_handle *handle)
{
	INIT_LIST_HEAD(&handle->revoked_link);
	spin_lock_init(&handle->lock);
	init_waitqueue_head(&handle->waitq);
}

/* Nobody has it open any more. */
void fabric_events_fini(struct fabric_handle *handle)
{
	guard(spinlock)(&revoked_lock);
	list_del_init(&handle->revoked_link);
}

/* For a region that has just been made. */
void fabric_handles_init(struct drm_fabric_region *region)
{
	spin_lock_init(&region->handles_lock);
	INIT_LIST_HEAD(&region->handles);
	INIT_DELAYED_WORK(&region->lost_work, fabric_region_lost_work);
}

/**
 * fabric_handles_lost() - data of a region is lost for good
 * @region: whose; its device is not gone
 * @bytes: how much more
 * @abandoned: given up by an administrator; else it could not be copied
 *
 * Any context. The holders hear of it a little later, and before the end of the device.
 */
void fabric_handles_lost(struct drm_fabric_region *region, u64 bytes, bool abandoned)
{
	atomic64_add(bytes, &region->lost_bytes[abandoned]);
	queue_delayed_work(fabric_wq, &region->lost_work, msecs_to_jiffies(LOST_DELAY_MS));
}

/* Of the end of the device: once, and from a context that may sleep. Else any context. */
void fabric_handles_post(struct drm_fabric_region *region, const struct drm_fabric_event *event)
{
	bool is_end = event->type == DRM_FABRIC_EVENT_REVOKED;
	struct fabric_handle *handle;

	if (is_end) {
		disable_delayed_work_sync(&region->lost_work);
		fabric_region_tell_lost(region);
	}
	guard(spinlock)(&region->handles_lock);
	list_for_each_entry(handle, &region->handles, link) {
		fabric_handle_post(handle, event);
		if (!is_end)
			continue;
		fabric_unreserve(handle);
		guard(spinlock)(&revoked_lock);
		list_add_tail(&handle->revoked_link, &revoked_handles);
	}
}

/* A device has joined: whoever had a handle on an earlier one of that name hears of it. */
void fabric_handles_back(struct drm_fabric_device *fdev)
{
	const struct drm_fabric_event event = {
		.type = DRM_FABRIC_EVENT_BACK,
		.incarnation = fdev->incarnation,
	};
	struct fabric_handle *handle;

	guard(spinlock)(&revoked_lock);
	list_for_each_entry(handle, &revoked_handles, revoked_link)
		if (!READ_ONCE(handle->taken) &&
		    !strcmp(dev_name(&handle->region->fdev->dev), dev_name(&fdev->dev)))
			fabric_handle_post(handle, &event);
}

static bool fabric_handle_peek(struct fabric_handle *handle, struct drm_fabric_event *event)
{
	guard(spinlock)(&handle->lock);
	if (!handle->n_events)
		return false;
	*event = *fabric_handle_slot(handle, 0);
	return true;
}

/* False: it is not the oldest any more, or it has grown since. */
static bool fabric_handle_take(struct fabric_handle *handle, const struct drm_fabric_event *event)
{
	const struct drm_fabric_event *oldest;

	guard(spinlock)(&handle->lock);
	oldest = fabric_handle_slot(handle, 0);
	if (!handle->n_events || oldest->seq != event->seq || oldest->bytes != event->bytes)
		return false;
	handle->head = (handle->head + 1) % ARRAY_SIZE(handle->events);
	handle->n_events--;
	return true;
}

static bool fabric_handle_ready(struct fabric_handle *handle)
{
	return READ_ONCE(handle->n_events) || READ_ONCE(handle->revoked);
}

ssize_t fabric_handle_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	struct fabric_handle *handle = file->private_data;
	struct drm_fabric_event event;
	ssize_t n = 0;

	if (len < sizeof(event))
		return -EINVAL;
	while (len - n >= sizeof(event)) {
		/* It is taken when it has arrived; another reader may have been faster. */
		if (fabric_handle_peek(handle, &event)) {
			if (copy_to_user(buf + n, &event, sizeof(event)))
				return n ?: -EFAULT;
			if (fabric_handle_take(handle, &event))
				n += sizeof(event);
			continue;
		}
		if (n || READ_ONCE(handle->revoked))
			break;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(handle->waitq, fabric_handle_ready(handle)))
			return -ERESTARTSYS;
	}
	return n;
}

__poll_t fabric_handle_poll(struct file *file, struct poll_table_struct *wait)
{
	struct fabric_handle *handle = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &handle->waitq, wait);
	guard(spinlock)(&handle->lock);
	if (handle->n_events)
		mask |= EPOLLIN | EPOLLRDNORM;
	if (handle->revoked)
		mask |= EPOLLHUP;
	return mask;
}

// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Grants: handles that somebody opened for others, and can take back.
 *
 * A grant is there for as long as one of its handles is. Who gave it is an open file of
 * /dev/drm_fabric: when that is closed nobody but an administrator can revoke what was given
 * through it, whoever opens the device next.
 *
 * To revoke marks the handles: from then on nothing can be placed through them. What was placed
 * goes home from a worker of each region, which goes on until nothing that lives is left, however
 * long that takes: the device stays, so there is no reason to lose a page. While the device itself
 * is evicted, the worker waits for that.
 *
 * grants_lock is outside the locks of events and ledgers.
 */
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "event.h"
#include "grant.h"

/* How long the worker waits when something resists: longer each time. */
#define RECALL_MIN_MS 10
#define RECALL_MAX_MS 1000

/* Kept by an open file of /dev/drm_fabric from its first grant on. */
struct fabric_giver {
	struct list_head grants;
};

/**
 * struct fabric_grant - handles that are taken back together
 * @giver: NULL: its file is closed
 * @link: in @giver, or alone
 * @handles: never empty
 */
struct fabric_grant {
	u64 id;
	struct fabric_giver *giver;
	struct list_head link;
	struct hlist_node node;
	struct list_head handles;
	bool revoked;
};

static DEFINE_SPINLOCK(grants_lock); /* all of it, and the private_data of files */
static DEFINE_HASHTABLE(grants, 10);
static u64 last_id;

DECLARE_WAIT_QUEUE_HEAD(fabric_taken_waitq);

static struct fabric_grant *fabric_grant_find(u64 id)
{
	struct fabric_grant *grant;

	lockdep_assert_held(&grants_lock);
	hash_for_each_possible(grants, grant, node, id)
		if (grant->id == id)
			return grant;
	return NULL;
}

/* Put @handle into *@grant if it is set, else into @id. Takes what it uses of the arguments. */
static int fabric_grant_join_locked(struct fabric_handle *handle, struct file *file, u64 *id,
				    struct fabric_giver **giver, struct fabric_grant **new)
{
	struct fabric_grant *grant;

	lockdep_assert_held(&grants_lock);
	if (handle->grant)
		return -EALREADY;
	if (READ_ONCE(handle->revoked))
		return -ENODEV;
	if (*id) {
		grant = fabric_grant_find(*id);
		if (!grant || !grant->giver || grant->giver != file->private_data || grant->revoked)
			return -ENOENT;
	} else {
		if (!file->private_data)
			file->private_data = no_free_ptr(*giver);
		grant = no_free_ptr(*new);
		grant->id = ++last_id;
		grant->giver = file->private_data;
		list_add(&grant->link, &grant->giver->grants);
		hash_add(grants, &grant->node, grant->id);
	}
	list_add_tail(&handle->grant_link, &grant->handles);
	handle->grant = grant;
	scoped_guard(spinlock, &handle->region->ledger.lock)
		handle->grant_id = grant->id;
	*id = grant->id;
	return 0;
}

/**
 * fabric_grant_join() - put a handle into a grant
 * @handle: of the caller's own opening
 * @file: the giver's /dev/drm_fabric
 * @id: which grant, 0: a new one; afterwards its number
 *
 * Return: 0; -EPERM, -EALREADY, -ENODEV, -ENOENT, -ENOMEM.
 */
int fabric_grant_join(struct fabric_handle *handle, struct file *file, u64 *id)
{
	if (handle->opener != task_tgid(current))
		return -EPERM;
	struct fabric_giver *giver __free(kfree) = kzalloc_obj(*giver, GFP_KERNEL_ACCOUNT);
	struct fabric_grant *grant __free(kfree) = kzalloc_obj(*grant, GFP_KERNEL_ACCOUNT);
	if (!giver || !grant)
		return -ENOMEM;
	INIT_LIST_HEAD(&giver->grants);
	INIT_LIST_HEAD(&grant->handles);
	guard(spinlock)(&grants_lock);
	return fabric_grant_join_locked(handle, file, id, &giver, &grant);
}

/* Nothing refers to the handle any more. */
void fabric_grant_leave(struct fabric_handle *handle)
{
	struct fabric_grant *grant = handle->grant;

	if (!grant)
		return;
	guard(spinlock)(&grants_lock);
	list_del(&handle->grant_link);
	if (!list_empty(&grant->handles))
		return;
	hash_del(&grant->node);
	list_del(&grant->link);
	kfree(grant);
}

/* The giver's file is closed. What it gave stays given. */
void fabric_giver_close(struct file *file)
{
	struct fabric_giver *giver __free(kfree) = file->private_data;
	struct fabric_grant *grant, *next;

	if (!giver)
		return;
	guard(spinlock)(&grants_lock);
	list_for_each_entry_safe(grant, next, &giver->grants, link) {
		grant->giver = NULL;
		list_del_init(&grant->link);
	}
}

static u64 fabric_handle_alive(struct fabric_handle *handle)
{
	guard(spinlock)(&handle->region->ledger.lock);
	return handle->bytes - fabric_dead_of(handle->region, handle->bytes, handle->dead_bytes);
}

static void fabric_handle_take_back(struct fabric_handle *handle)
{
	const struct drm_fabric_event event = {
		.type = DRM_FABRIC_EVENT_REVOKED,
		.incarnation = handle->region->fdev->incarnation,
		.reason = DRM_FABRIC_REASON_GRANT,
	};

	/* From here on nothing is charged to it, and nothing promised. */
	scoped_guard(spinlock, &handle->region->ledger.lock) {
		handle->taken = true;
		fabric_handle_commit(handle, 0, handle->bytes);
	}
	fabric_handle_post(handle, &event);
	mod_delayed_work(fabric_evict_wq, &handle->region->recall_work, 0);
}

/* @file: the giver's, or NULL: an administrator. */
static int fabric_grant_begin_revoke(struct file *file, u64 id)
{
	struct fabric_handle *handle;
	struct fabric_grant *grant;

	guard(spinlock)(&grants_lock);
	grant = fabric_grant_find(id);
	if (!grant)
		return -ENOENT;
	if (file && (!grant->giver || grant->giver != file->private_data))
		return -EPERM;
	if (grant->revoked)
		return 0;
	grant->revoked = true;
	list_for_each_entry(handle, &grant->handles, grant_link)
		fabric_handle_take_back(handle);
	return 0;
}

/* What lives of it on devices. */
static u64 fabric_grant_alive(u64 id)
{
	struct fabric_handle *handle;
	struct fabric_grant *grant;
	u64 sum = 0;

	guard(spinlock)(&grants_lock);
	grant = fabric_grant_find(id);
	if (grant)
		list_for_each_entry(handle, &grant->handles, grant_link)
			sum += fabric_handle_alive(handle);
	return sum;
}

/* DRM_FABRIC_IOCTL_REVOKE; without @file DRM_FABRIC_ADMIN_REVOKE. */
long fabric_grant_revoke(struct file *file, void __user *argp)
{
	struct drm_fabric_revoke args;
	long left = 1;
	int err;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	if (args.flags || !args.grant_id)
		return -EINVAL;
	err = fabric_grant_begin_revoke(file, args.grant_id);
	if (err)
		return err;
	if (args.timeout_ms)
		left = wait_event_killable_timeout(fabric_taken_waitq,
						   !fabric_grant_alive(args.grant_id),
						   msecs_to_jiffies(args.timeout_ms));
	args.resident_bytes = fabric_grant_alive(args.grant_id);
	if (copy_to_user(argp, &args, sizeof(args)))
		return -EFAULT;
	if (left < 0)
		return -EINTR;
	return left ? 0 : -ETIMEDOUT;
}

/* What lives of all handles of a region that were taken back. */
static u64 fabric_region_taken(struct drm_fabric_region *region)
{
	struct fabric_handle *handle;
	u64 sum = 0;

	guard(spinlock)(&region->ledger.lock);
	list_for_each_entry(handle, &region->ledger.handles, ledger_link)
		if (handle->taken)
			sum += handle->bytes -
			       fabric_dead_of(region, handle->bytes, handle->dead_bytes);
	return sum;
}

static void fabric_recall_work(struct work_struct *work)
{
	struct drm_fabric_region *region =
		container_of(work, struct drm_fabric_region, recall_work.work);
	u64 before = fabric_region_taken(region), after;

	if (before)
		fabric_recall(region);
	after = fabric_region_taken(region);
	if (!after) {
		region->recall_delay_ms = 0;
		return;
	}
	if (after < before)
		region->recall_delay_ms = RECALL_MIN_MS;
	else
		region->recall_delay_ms = clamp(region->recall_delay_ms * 2, RECALL_MIN_MS,
						RECALL_MAX_MS);
	queue_delayed_work(fabric_evict_wq, &region->recall_work,
			   msecs_to_jiffies(region->recall_delay_ms));
}

/* For a region that has just been made. */
void fabric_taken_init(struct drm_fabric_region *region)
{
	INIT_DELAYED_WORK(&region->recall_work, fabric_recall_work);
}

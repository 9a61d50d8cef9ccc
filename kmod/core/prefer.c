// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Where ranges of an address space should live: what was asked, kept by address.
 *
 * A tree of ranges for each mm, no two of which overlap; ranges side by side with the same list
 * are one. They share the lists, which hold the handles, not the files: as a mapping of mmap(2)
 * does, a preference goes on when the fd is closed.
 *
 * The notifier takes out what is unmapped. It may not wait for memory, and needs a node more for a
 * hole in the middle of a range: it asks for one that is given without waiting, charged to who
 * unmaps, then takes one that was put aside for this. If there is none either, or the uid has as
 * many ranges as it may have, the smaller of the two parts is forgotten: uapi says so.
 *
 * A list is freed where one may sleep: by who calls PREFER, or by the worker for the notifier.
 */
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "fabric.h"
#include "mm.h"
#include "prefer.h"

/* So many nodes are kept for the notifier. */
#define PREFER_SPARES 4

/* @next: in a list of those that are no longer, or not yet, in the tree */
struct prefer_range {
	union {
		struct rb_node node;
		struct prefer_range *next;
	};
	unsigned long start;
	unsigned long end;
	struct fabric_preference *preference; /* counted */
};

static void fabric_preference_free(struct kref *ref)
{
	struct fabric_preference *preference = container_of(ref, struct fabric_preference, ref);

	for (unsigned int i = 0; i < preference->n_locations; i++)
		if (preference->locations[i].handle)
			fabric_handle_put(preference->locations[i].handle);
	fabric_user_put_to_prefer(preference->user);
	kfree(preference);
}

/* May sleep. */
void fabric_preference_put(struct fabric_preference *preference)
{
	kref_put(&preference->ref, fabric_preference_free);
}

static bool preference_is_same(const struct fabric_preference *a, const struct fabric_preference *b)
{
	if (a == b)
		return true;
	if (a->user != b->user || a->n_locations != b->n_locations)
		return false;
	for (unsigned int i = 0; i < a->n_locations; i++)
		if (a->locations[i].type != b->locations[i].type ||
		    a->locations[i].handle != b->locations[i].handle)
			return false;
	return true;
}

static struct prefer_range *to_prefer_range(struct rb_node *node)
{
	return rb_entry_safe(node, struct prefer_range, node);
}

/* The first range that ends behind @addr, or NULL. */
static struct prefer_range *prefer_first(const struct fabric_preferences *p, unsigned long addr)
{
	struct rb_node *node = p->ranges.rb_node;
	struct prefer_range *first = NULL;

	lockdep_assert_held(&p->lock);
	while (node) {
		struct prefer_range *range = to_prefer_range(node);

		if (range->end > addr) {
			first = range;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return first;
}

static bool prefer_range_less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct prefer_range, node)->start <
	       rb_entry(b, struct prefer_range, node)->start;
}

/* @range is charged, and of no other list. */
static void prefer_insert(struct fabric_preferences *p, struct prefer_range *range,
			  struct fabric_preference *preference, unsigned long start,
			  unsigned long end)
{
	kref_get(&preference->ref);
	range->preference = preference;
	range->start = start;
	range->end = end;
	rb_add(&range->node, &p->ranges, prefer_range_less);
}

/*
 * Take [@start, @end) out. What has no range any more goes to *@dropped. @rest: a node that is used
 * when it is the middle of a range, and charged then; NULL: the smaller part goes, too.
 */
static void prefer_carve(struct fabric_preferences *p, unsigned long start, unsigned long end,
			 struct prefer_range *rest, struct prefer_range **dropped)
{
	struct prefer_range *range = prefer_first(p, start), *next;

	for (; range && range->start < end; range = next) {
		next = to_prefer_range(rb_next(&range->node));
		if (range->start < start && range->end > end && rest) {
			prefer_insert(p, rest, range->preference, end, range->end);
			range->end = start;
		} else if (range->start < start &&
			   (range->end <= end || start - range->start >= range->end - end)) {
			range->end = start;
		} else if (range->end > end) {
			range->start = end;
		} else {
			rb_erase(&range->node, &p->ranges);
			fabric_user_move_preferences(range->preference->user, -1);
			range->next = *dropped;
			*dropped = range;
		}
	}
}

static void prefer_free_list(struct prefer_range *range)
{
	for (struct prefer_range *next; range; range = next) {
		next = range->next;
		if (range->preference)
			fabric_preference_put(range->preference);
		kfree(range);
		cond_resched();
	}
}

/* Where one may wait for memory. Without memory there are fewer. */
static void prefer_add_spares(struct fabric_preferences *p)
{
	while (READ_ONCE(p->n_spares) < PREFER_SPARES) {
		struct prefer_range *spare;

		spare = kzalloc_obj(*spare, GFP_KERNEL_ACCOUNT);

		if (!spare)
			break;
		guard(mutex)(&p->lock);
		spare->next = p->spares;
		p->spares = spare;
		p->n_spares++;
	}
}

static struct prefer_range *prefer_take_spare(struct fabric_preferences *p)
{
	struct prefer_range *spare = p->spares;

	lockdep_assert_held(&p->lock);
	if (spare) {
		p->spares = spare->next;
		p->n_spares--;
	}
	return spare;
}

/* There are, or just were, ranges. The work holds the mm's object for itself. */
static void prefer_queue_work(struct fabric_mm *fmm)
{
	lockdep_assert_held(&fmm->preferences.lock);
	kref_get(&fmm->ref);
	/* Not the last one: the ranges have theirs. */
	if (!queue_work(fabric_evict_wq, &fmm->preferences.work))
		fabric_mm_put(fmm);
}

/* After the notifier: free what it took out, and put aside what it used. */
static void fabric_preferences_work(struct work_struct *work)
{
	struct fabric_preferences *p = container_of(work, struct fabric_preferences, work);
	struct fabric_mm *fmm = container_of(p, struct fabric_mm, preferences);
	struct prefer_range *dropped;
	bool is_last;

	scoped_guard(mutex, &p->lock) {
		dropped = p->dropped;
		p->dropped = NULL;
		is_last = p->is_held && RB_EMPTY_ROOT(&p->ranges);
		if (is_last)
			p->is_held = false;
	}
	prefer_free_list(dropped);
	if (is_last)
		fabric_mm_put(fmm);
	else
		prefer_add_spares(p);
	fabric_mm_put(fmm);
}

void fabric_preferences_init(struct fabric_preferences *p)
{
	mutex_init(&p->lock);
	p->ranges = RB_ROOT;
	INIT_WORK(&p->work, fabric_preferences_work);
}

/* There are no ranges any more. Any context. */
void fabric_preferences_fini(struct fabric_preferences *p)
{
	WARN_ON_ONCE(!RB_EMPTY_ROOT(&p->ranges) || p->dropped);
	for (struct prefer_range *spare = p->spares, *next; spare; spare = next) {
		next = spare->next;
		kfree(spare);
	}
}

/* The only range that @start and @end are in the middle of, or NULL. */
static struct prefer_range *prefer_around(const struct fabric_preferences *p, unsigned long start,
					  unsigned long end)
{
	struct prefer_range *range = prefer_first(p, start);

	return range && range->start < start && range->end > end ? range : NULL;
}

/**
 * fabric_preferences_unmap() - addresses are unmapped, or the mm ends
 * @fmm: whose; the notifier holds it
 * @start: first address
 * @end: behind the last
 *
 * May sleep, but not wait for memory.
 */
void fabric_preferences_unmap(struct fabric_mm *fmm, unsigned long start, unsigned long end)
{
	struct fabric_preferences *p = &fmm->preferences;
	struct prefer_range *rest = NULL, *around;

	/* Who asks for a preference at this moment may as well have asked before or after. */
	if (RB_EMPTY_ROOT(&p->ranges))
		return;
	guard(mutex)(&p->lock);
	if (RB_EMPTY_ROOT(&p->ranges))
		return;
	around = prefer_around(p, start, end);
	if (around && !fabric_user_add_preference(around->preference->user)) {
		rest = kzalloc_obj(*rest, GFP_ATOMIC | __GFP_ACCOUNT | __GFP_NOWARN);
		rest = rest ?: prefer_take_spare(p);
		if (!rest)
			fabric_user_move_preferences(around->preference->user, -1);
	}
	prefer_carve(p, start, end, rest, &p->dropped);
	if (p->dropped || p->n_spares < PREFER_SPARES)
		prefer_queue_work(fmm);
}

/**
 * fabric_preference_at() - what is preferred for an address
 * @mm: the caller holds it
 * @addr: the address
 * @ret_start: first address for which this answer holds
 * @ret_end: behind the last
 *
 * Return: counted; NULL: nothing.
 */
struct fabric_preference *fabric_preference_at(struct mm_struct *mm, unsigned long addr,
					       unsigned long *ret_start, unsigned long *ret_end)
{
	struct fabric_mm *fmm = fabric_mm_find(mm);
	struct fabric_preference *preference = NULL;

	*ret_start = 0;
	*ret_end = TASK_SIZE;
	if (!fmm)
		return NULL;
	scoped_guard(mutex, &fmm->preferences.lock) {
		struct prefer_range *range = prefer_first(&fmm->preferences, addr), *prev;

		if (range && range->start <= addr) {
			*ret_start = range->start;
			*ret_end = range->end;
			preference = range->preference;
			kref_get(&preference->ref);
			break;
		}
		if (range)
			*ret_end = range->start;
		prev = to_prefer_range(range ? rb_prev(&range->node) :
					       rb_last(&fmm->preferences.ranges));
		if (prev)
			*ret_start = prev->end;
	}
	fabric_mm_put(fmm);
	return preference;
}

/* The widest range around [*@start, *@end) that @preference has then. True: it has it already. */
static bool prefer_widen(struct fabric_preferences *p, const struct fabric_preference *preference,
			 unsigned long *start, unsigned long *end)
{
	struct prefer_range *left = *start ? prefer_first(p, *start - 1) : NULL;
	struct prefer_range *right = prefer_first(p, *end);

	if (left && (left->start > *start || !preference_is_same(left->preference, preference)))
		left = NULL;
	if (right && (right->start > *end || !preference_is_same(right->preference, preference)))
		right = NULL;
	if (left && (left == right || left->end >= *end))
		return true;
	if (left)
		*start = left->start;
	if (right)
		*end = right->end;
	return false;
}

/* Will a range of @user's own make room? */
static bool prefer_frees_one(struct fabric_preferences *p, const struct fabric_user *user,
			     unsigned long start, unsigned long end)
{
	struct prefer_range *range = prefer_first(p, start);

	for (; range && range->start < end; range = to_prefer_range(rb_next(&range->node)))
		if (range->start >= start && range->end <= end && range->preference->user == user)
			return true;
	return false;
}

/*
 * Set or, with NULL, forget. @fresh and @rest: nodes for that; what is left of them is the
 * caller's. Return: 0 or -EDQUOT: then nothing has changed.
 */
static int prefer_set_locked(struct fabric_mm *fmm, unsigned long start, unsigned long end,
			     struct fabric_preference *preference, struct prefer_range **fresh,
			     struct prefer_range **rest, struct prefer_range **dropped)
{
	struct fabric_preferences *p = &fmm->preferences;
	struct prefer_range *around;
	int err;

	if (preference && prefer_widen(p, preference, &start, &end))
		return 0;
	around = prefer_around(p, start, end);
	if (around) {
		err = fabric_user_add_preference(around->preference->user);
		if (err)
			return err;
	}
	if (preference) {
		err = 0;
		if (prefer_frees_one(p, preference->user, start, end))
			fabric_user_move_preferences(preference->user, 1);
		else
			err = fabric_user_add_preference(preference->user);
		if (err && around)
			fabric_user_move_preferences(around->preference->user, -1);
		if (err)
			return err;
	}
	prefer_carve(p, start, end, around ? *rest : NULL, dropped);
	if (around)
		*rest = NULL;
	if (preference) {
		prefer_insert(p, *fresh, preference, start, end);
		*fresh = NULL;
		if (!p->is_held)
			kref_get(&fmm->ref);
		p->is_held = true;
	}
	return 0;
}

static int prefer_set(struct fabric_mm *fmm, unsigned long start, unsigned long end,
		      struct fabric_preference *preference)
{
	struct prefer_range *fresh, *rest, *dropped = NULL;
	int err = -ENOMEM;

	fresh = kzalloc_obj(*fresh, GFP_KERNEL_ACCOUNT);
	rest = kzalloc_obj(*rest, GFP_KERNEL_ACCOUNT);
	if (fresh && rest) {
		prefer_add_spares(&fmm->preferences);
		mutex_lock(&fmm->preferences.lock);
		err = prefer_set_locked(fmm, start, end, preference, &fresh, &rest, &dropped);
		/* The last one may have gone. */
		if (dropped && !preference)
			prefer_queue_work(fmm);
		mutex_unlock(&fmm->preferences.lock);
	}
	kfree(fresh);
	kfree(rest);
	prefer_free_list(dropped);
	return err;
}

static bool prefer_args_ok(const struct drm_fabric_prefer *args)
{
	if (args->flags || args->n_locations > DRM_FABRIC_MAX_LOCATIONS ||
	    !fabric_range_ok(args->start, args->length_bytes))
		return false;
	for (unsigned int i = 0; i < DRM_FABRIC_MAX_LOCATIONS; i++) {
		const struct drm_fabric_location *l = &args->locations[i];

		if (i >= args->n_locations) {
			if (l->type || l->fd)
				return false;
			continue;
		}
		if (l->type == DRM_FABRIC_LOCATION_DEVMEM ? l->fd < 0 : l->fd != -1)
			return false;
		if (l->type < DRM_FABRIC_LOCATION_SYSTEM || l->type > DRM_FABRIC_LOCATION_DEVMEM)
			return false;
	}
	return true;
}

static struct fabric_preference *fabric_preference_new(const struct drm_fabric_prefer *args)
{
	struct fabric_preference *preference;
	int err;

	preference = kzalloc_obj(*preference, GFP_KERNEL_ACCOUNT);
	if (!preference)
		return ERR_PTR(-ENOMEM);
	kref_init(&preference->ref);
	preference->user = fabric_user_get_to_prefer();
	if (IS_ERR(preference->user)) {
		err = PTR_ERR(preference->user);
		kfree(preference);
		return ERR_PTR(err);
	}
	for (unsigned int i = 0; i < args->n_locations; i++) {
		struct fabric_location *location = &preference->locations[i];

		location->type = args->locations[i].type;
		preference->n_locations++;
		if (location->type != DRM_FABRIC_LOCATION_DEVMEM)
			continue;
		location->handle = fabric_handle_by_fd(args->locations[i].fd);
		if (IS_ERR(location->handle)) {
			err = PTR_ERR(location->handle);
			location->handle = NULL;
			fabric_preference_put(preference);
			return ERR_PTR(err);
		}
	}
	return preference;
}

/* DRM_FABRIC_IOCTL_PREFER */
int fabric_prefer(void __user *argp)
{
	struct fabric_preference *preference = NULL;
	struct drm_fabric_prefer args;
	struct fabric_mm *fmm;
	int err = 0;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	if (!prefer_args_ok(&args) || !current->mm)
		return -EINVAL;
	if (args.n_locations)
		preference = fabric_preference_new(&args);
	if (IS_ERR(preference))
		return PTR_ERR(preference);
	fmm = preference ? fabric_mm_get() : fabric_mm_find(current->mm);
	if (IS_ERR(fmm))
		err = PTR_ERR(fmm);
	else if (fmm)
		err = prefer_set(fmm, args.start, args.start + args.length_bytes, preference);
	if (!IS_ERR_OR_NULL(fmm))
		fabric_mm_put(fmm);
	if (preference)
		fabric_preference_put(preference);
	if (!err)
		fabric_vms_forget(current->mm, args.start, args.start + args.length_bytes);
	return err;
}

/* The first range that ends behind @args->address. Return: its list, counted; NULL. */
static struct fabric_preference *preference_find(struct drm_fabric_preference *args)
{
	struct fabric_mm *fmm = fabric_mm_find(current->mm);
	struct fabric_preference *preference = NULL;

	if (!fmm)
		return NULL;
	scoped_guard(mutex, &fmm->preferences.lock) {
		struct prefer_range *range = prefer_first(&fmm->preferences, args->address);

		if (!range)
			break;
		args->start = range->start;
		args->length_bytes = range->end - range->start;
		preference = range->preference;
		kref_get(&preference->ref);
	}
	fabric_mm_put(fmm);
	return preference;
}

static int preference_describe(struct drm_fabric_preference *args,
			       const struct fabric_preference *preference,
			       struct drm_fabric_device *accessor)
{
	bool applies = false;

	args->n_locations = preference->n_locations;
	memset(args->locations, 0, sizeof(args->locations));
	for (unsigned int i = 0; i < preference->n_locations; i++) {
		const struct fabric_location *location = &preference->locations[i];
		struct drm_fabric_location_info *info = &args->locations[i];
		int status = fabric_location_look(location, accessor);

		if (status < 0)
			return status;
		info->type = location->type;
		info->status = status;
		if (status == DRM_FABRIC_LOCATION_APPLIES && applies)
			info->status = DRM_FABRIC_LOCATION_SPARE;
		applies |= status == DRM_FABRIC_LOCATION_APPLIES;
		if (!location->handle)
			continue;
		info->devmem_id = location->handle->id;
		info->incarnation = location->handle->region->fdev->incarnation;
		strscpy(info->device, dev_name(&location->handle->region->fdev->dev));
		strscpy(info->region, location->handle->region->name);
	}
	return 0;
}

/*
 * The device that is to access, by a devmem fd on it, or by its render node: it may have no memory.
 * Counted.
 */
static struct drm_fabric_device *preference_accessor(int fd)
{
	struct fabric_handle *handle = fabric_handle_by_fd(fd);
	struct file *file __free(fput) = NULL;
	struct drm_fabric_device *fdev;

	if (!IS_ERR(handle)) {
		fdev = to_fabric_device(get_device(&handle->region->fdev->dev));
		fabric_handle_put(handle);
		return fdev;
	}
	file = fget(fd);
	fdev = file ? fabric_device_by_file(file) : NULL;
	return fdev ?: ERR_CAST(handle);
}

/* DRM_FABRIC_IOCTL_PREFERENCE */
int fabric_preference_read(void __user *argp)
{
	struct drm_fabric_device *accessor = NULL;
	struct fabric_preference *preference;
	struct drm_fabric_preference args;
	int err = -ENOENT;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	if (args.flags || args.pad || !current->mm)
		return -EINVAL;
	if (args.accessor_fd != -1)
		accessor = preference_accessor(args.accessor_fd);
	if (IS_ERR(accessor))
		return PTR_ERR(accessor);
	preference = preference_find(&args);
	if (preference) {
		err = preference_describe(&args, preference, accessor);
		fabric_preference_put(preference);
	}
	if (accessor)
		put_device(&accessor->dev);
	if (err)
		return err;
	return copy_to_user(argp, &args, sizeof(args)) ? -EFAULT : 0;
}

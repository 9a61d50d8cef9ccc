// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Putting memory where its process prefers it, when a device misses an address.
 *
 * The places of a list are tried in their order. A page is at rest when it is in one of those that
 * have been tried and can be used; what is not goes to the place that is tried now, or stays for
 * the next. So a place that is full keeps what it has, and the rest goes on.
 *
 * It runs in a worker of the device for an mm whose users the fault holds, and on the account of
 * whoever made the device's address space: in its name, by override_creds(). Nothing is locked.
 */
#include <linux/delay.h>
#include <linux/hmm.h>
#include <linux/mm.h>

#include "fabric.h"
#include "prefer.h"
#include "walk.h"

/* So often more for what is busy. */
#define PLACE_TRIES 3

/*
 * What the state of @region's device says. Else: is there room? @handle: through which; NULL: any
 * that nothing is promised to.
 */
static int region_look(struct drm_fabric_region *region, struct drm_fabric_device *accessor,
		       struct fabric_handle *handle)
{
	struct drm_fabric_device *fdev = region->fdev;
	int err = fabric_device_begin_use(fdev);
	bool room;

	if (err)
		return err == -ESHUTDOWN ? DRM_FABRIC_LOCATION_DRAINING :
		       err == -ENODEV    ? DRM_FABRIC_LOCATION_GONE :
					   err;
	room = fabric_has_room(region, handle);
	fabric_device_end_use(fdev);
	if (accessor && !fabric_reachable(accessor, fdev))
		return DRM_FABRIC_LOCATION_UNREACHABLE;
	if (!room)
		return DRM_FABRIC_LOCATION_FULL;
	return DRM_FABRIC_LOCATION_APPLIES;
}

/**
 * fabric_location_look() - can memory go to a location now?
 * @location: which
 * @accessor: for whom; NULL: any
 *
 * Return: enum drm_fabric_location_status, never SPARE; -EINTR.
 */
int fabric_location_look(const struct fabric_location *location,
			 struct drm_fabric_device *accessor)
{
	switch (location->type) {
	case DRM_FABRIC_LOCATION_LOCAL:
		if (!accessor)
			return DRM_FABRIC_LOCATION_APPLIES;
		if (!accessor->n_regions)
			return DRM_FABRIC_LOCATION_NO_MEMORY;
		return region_look(accessor->regions[0], accessor, NULL);
	case DRM_FABRIC_LOCATION_DEVMEM:
		if (READ_ONCE(location->handle->revoked))
			return DRM_FABRIC_LOCATION_GONE;
		return region_look(location->handle->region, accessor, location->handle);
	default:
		return DRM_FABRIC_LOCATION_APPLIES;
	}
}

/* Memory under way to its place. */
struct placing {
	struct drm_fabric_vm *vm;
	const struct fabric_preference *preference;
	struct fabric_walk walk;
	unsigned long start;
	unsigned long n; /* pages */
	unsigned long rests; /* a bit for each location that was tried and keeps what it has */
};

/* Is what is in @region, NULL = system memory, at rest in location @i? Under RCU. */
static bool location_has(const struct placing *p, unsigned int i, struct drm_fabric_region *region)
{
	const struct fabric_location *location = &p->preference->locations[i];

	switch (location->type) {
	case DRM_FABRIC_LOCATION_LOCAL:
		/* What can be used in place stays: two devices would take it from each other. */
		return region && fabric_reachable(p->vm->fdev, region->fdev);
	case DRM_FABRIC_LOCATION_DEVMEM:
		return region == location->handle->region;
	default:
		return !region;
	}
}

static bool placing_is_at_rest(const struct placing *p, unsigned long i)
{
	struct drm_fabric_region *region;

	if (fabric_entry_is_dead(p->walk.pfns[i]))
		return true;
	guard(rcu)();
	region = fabric_region_of_entry(p->walk.pfns[i]);
	for (unsigned int l = 0; l < p->preference->n_locations; l++)
		if ((p->rests & BIT(l)) && location_has(p, l, region))
			return true;
	return false;
}

static unsigned long placing_next(const struct placing *p, unsigned long i, bool at_rest)
{
	while (i < p->n && placing_is_at_rest(p, i) != at_rest)
		i++;
	return i;
}

/* Looks where everything is. Return: 1: all is at rest; 0; negative errno. */
static int placing_look(struct placing *p)
{
	int err = fabric_walk_snapshot(&p->walk, p->start, p->start + (p->n << PAGE_SHIFT));

	return err ?: placing_next(p, 0, false) == p->n;
}

static bool is_any(struct drm_fabric_region *region, const void *arg)
{
	return region;
}

/*
 * The handle of @vm on its own device, made when it is first needed. Counted with @vm. NULL: it
 * cannot be had now.
 */
static struct fabric_handle *placing_local_handle(struct drm_fabric_vm *vm)
{
	struct fabric_handle *handle = READ_ONCE(vm->local), *other;

	if (handle)
		return handle;
	if (fabric_device_begin_use(vm->fdev))
		return NULL;
	handle = fabric_handle_alloc(vm->fdev->regions[0], NULL, vm->opener);
	fabric_device_end_use(vm->fdev);
	if (IS_ERR(handle))
		return NULL;
	/* Another fault may have made one. */
	other = cmpxchg(&vm->local, NULL, handle);
	if (!other)
		return handle;
	fabric_handle_put(handle);
	return other;
}

/* Return: true if some of it may well go in a moment. */
static bool placing_move_run(struct placing *p, const struct fabric_location *location,
			     unsigned long start, unsigned long end)
{
	struct drm_fabric_devmem_populate args = { .start = start, .length_bytes = end - start };
	const struct fabric_wanted wanted = { .is = is_any };
	struct fabric_handle *handle = location->handle;
	u64 moved = 0, dead = 0;

	/* What has not gone is seen by the next look, and why does not matter. */
	if (location->type == DRM_FABRIC_LOCATION_SYSTEM)
		return fabric_walk_home(&p->walk, start, end, &wanted, &moved, &dead) == -EBUSY;
	if (location->type == DRM_FABRIC_LOCATION_LOCAL)
		handle = placing_local_handle(p->vm);
	if (!handle)
		return false;
	(void)fabric_populate(handle, p->walk.mm, &args);
	return args.refused_bytes[DRM_FABRIC_REFUSED_BUSY];
}

/* What is not at rest goes to @location as far as it will. Return: as placing_look(). */
static int placing_pass(struct placing *p, const struct fabric_location *location, bool *busy)
{
	int is_done = placing_look(p);

	for (unsigned long i = 0, first; !is_done; ) {
		first = placing_next(p, i, false);
		i = placing_next(p, first, true);
		if (first == p->n)
			break;
		*busy |= placing_move_run(p, location, p->start + (first << PAGE_SHIFT),
					  p->start + (i << PAGE_SHIFT));
		/* Moving may have used the snapshot for its own. */
		is_done = placing_look(p);
	}
	return is_done;
}

/* A page that is busy at this moment is no reason to go on to the next place. */
static int placing_move(struct placing *p, const struct fabric_location *location)
{
	for (int i = 0;; i++) {
		bool busy = false;
		int is_done = placing_pass(p, location, &busy);

		if (is_done || !busy || i == PLACE_TRIES)
			return is_done;
		usleep_range(200, 1000);
	}
}

static bool placing_run(struct placing *p)
{
	int is_done = 0;

	for (unsigned int i = 0; i < p->preference->n_locations && !is_done; i++) {
		const struct fabric_location *location = &p->preference->locations[i];
		int status = fabric_location_look(location, p->vm->fdev);

		if (READ_ONCE(p->vm->dead))
			return false;
		if (status == DRM_FABRIC_LOCATION_APPLIES || status == DRM_FABRIC_LOCATION_FULL)
			p->rests |= BIT(i);
		if (status == DRM_FABRIC_LOCATION_APPLIES)
			is_done = placing_move(p, location);
		else if (status == DRM_FABRIC_LOCATION_FULL)
			is_done = placing_look(p);
		else if (status < 0)
			return false;
	}
	return is_done == 1;
}

/**
 * fabric_place() - put a range where it is preferred
 * @vm: the device that missed it; the caller holds the users of its mm, and none of its locks
 * @preference: what is preferred
 * @start: first address
 * @end: behind the last, at most FABRIC_STEP from @start
 *
 * Return: true if all of it is in places of the list now.
 */
bool fabric_place(struct drm_fabric_vm *vm, const struct fabric_preference *preference,
		  unsigned long start, unsigned long end)
{
	struct placing p = {
		.vm = vm,
		.preference = preference,
		.start = start,
		.n = (end - start) >> PAGE_SHIFT,
	};
	bool done;

	if (fabric_walk_init(&p.walk, vm->svm.mm, start, end, NULL))
		return false;
	done = placing_run(&p);
	fabric_walk_fini(&p.walk);
	return done;
}

// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * How much of a range of the caller's memory is where.
 *
 * A snapshot tells page frames. Those of the fabric are known by number; of the others, what is
 * not memory of the machine is device memory of somebody else. Device-private memory of a driver
 * that is not in the fabric has no entry that a module is shown: it counts as absent.
 */
#include <linux/hmm.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/sort.h>
#include <linux/uaccess.h>

#include "fabric.h"
#include "walk.h"

/* Where from @addr on something is mapped, at most @end. Return: that, or -EINTR. */
static long residency_skip(struct mm_struct *mm, unsigned long addr, unsigned long end)
{
	struct vm_area_struct *vma;
	int err = mmap_read_lock_killable(mm);

	if (err)
		return err;
	vma = find_vma(mm, addr);
	if (vma)
		end = clamp(vma->vm_start, addr, end);
	mmap_read_unlock(mm);
	return end;
}

/* Calls @fn with the entries of each step; NULL: nothing is mapped there. */
static int residency_walk(u64 start, u64 length,
			  int (*fn)(const unsigned long *entries, unsigned long n, void *arg),
			  void *arg)
{
	unsigned long end = start + length;
	struct fabric_walk walk;
	int err;

	if (!current->mm)
		return -EINVAL;
	err = fabric_walk_init(&walk, current->mm, start, end, NULL);
	if (err)
		return err;
	for (unsigned long at = start, next; at < end && !err; at = next) {
		long mapped = residency_skip(walk.mm, at, end);

		if (mapped < 0) {
			err = mapped;
			break;
		}
		next = mapped;
		if (next > at) {
			err = fn(NULL, (next - at) >> PAGE_SHIFT, arg);
			continue;
		}
		next = min(ALIGN(at + 1, FABRIC_STEP), end);
		err = fabric_walk_snapshot(&walk, at, next);
		if (!err)
			err = fn(walk.pfns, (next - at) >> PAGE_SHIFT, arg);
		cond_resched();
	}
	fabric_walk_fini(&walk);
	return err;
}

/* As seen from one region. */
struct residency_of {
	struct drm_fabric_region *region;
	struct drm_fabric_devmem_residency *args;
};

static int residency_of_step(const unsigned long *entries, unsigned long n, void *arg)
{
	const struct residency_of *of = arg;
	struct drm_fabric_devmem_residency *args = of->args;

	if (!entries) {
		args->absent_bytes += (u64)n << PAGE_SHIFT;
		return 0;
	}
	guard(rcu)();
	for (unsigned long i = 0; i < n; i++) {
		struct drm_fabric_region *r = fabric_region_of_entry(entries[i]);

		if (!(entries[i] & HMM_PFN_VALID))
			args->absent_bytes += PAGE_SIZE;
		else if (!r)
			args->system_bytes += PAGE_SIZE;
		else if (r == of->region)
			args->region_bytes += PAGE_SIZE;
		else
			args->other_bytes += PAGE_SIZE;
		if (r && fabric_entry_is_dead(entries[i]))
			args->dead_bytes += PAGE_SIZE;
	}
	return 0;
}

int fabric_residency(struct drm_fabric_region *region, struct drm_fabric_devmem_residency *args)
{
	struct residency_of of = { .region = region, .args = args };

	args->region_bytes = 0;
	args->other_bytes = 0;
	args->system_bytes = 0;
	args->absent_bytes = 0;
	args->dead_bytes = 0;
	return residency_walk(args->start, args->length_bytes, residency_of_step, &of);
}

/* What was found in one region; holds its device, and that the region. */
struct residence {
	struct drm_fabric_region *region;
	u64 bytes;
	u64 dead_bytes;
};

struct residency {
	struct residence *found;
	unsigned int n_found;
	unsigned int room;
	u64 system_bytes;
	u64 absent_bytes;
	u64 foreign_bytes;
};

static struct residence *residency_find(struct residency *r, struct drm_fabric_region *region)
{
	for (unsigned int i = 0; i < r->n_found; i++)
		if (r->found[i].region == region)
			return &r->found[i];
	return NULL;
}

/* One more. NULL: the page has gone meanwhile, and its device with it. Under RCU; there is room. */
static struct residence *residency_add(struct residency *r, struct drm_fabric_region *region)
{
	if (!kobject_get_unless_zero(&region->fdev->dev.kobj))
		return NULL;
	r->found[r->n_found] = (struct residence){ .region = region };
	return &r->found[r->n_found++];
}

/* From entry @i on, as far as there is room for regions. Returns the first that was not counted. */
static unsigned long residency_count(struct residency *r, const unsigned long *entries,
				     unsigned long i, unsigned long n)
{
	guard(rcu)();
	for (; i < n; i++) {
		struct drm_fabric_region *region = fabric_region_of_entry(entries[i]);
		struct residence *in;

		if (!(entries[i] & HMM_PFN_VALID)) {
			r->absent_bytes += PAGE_SIZE;
			continue;
		}
		if (!region) {
			if (pfn_to_online_page(entries[i] & ~HMM_PFN_FLAGS))
				r->system_bytes += PAGE_SIZE;
			else
				r->foreign_bytes += PAGE_SIZE;
			continue;
		}
		in = residency_find(r, region);
		if (!in && r->n_found == r->room)
			break;
		in = in ?: residency_add(r, region);
		if (!in) {
			r->absent_bytes += PAGE_SIZE;
			continue;
		}
		in->bytes += PAGE_SIZE;
		if (fabric_entry_is_dead(entries[i]))
			in->dead_bytes += PAGE_SIZE;
	}
	return i;
}

static int residency_step(const unsigned long *entries, unsigned long n, void *arg)
{
	struct residency *r = arg;
	unsigned long i = 0;

	if (!entries) {
		r->absent_bytes += (u64)n << PAGE_SHIFT;
		return 0;
	}
	for (;;) {
		struct residence *found;

		i = residency_count(r, entries, i, n);
		if (i == n)
			return 0;
		found = krealloc_array(r->found, r->room + 8, sizeof(*found), GFP_KERNEL_ACCOUNT);
		if (!found)
			return -ENOMEM;
		r->found = found;
		r->room += 8;
	}
}

static void residency_fini(struct residency *r)
{
	for (unsigned int i = 0; i < r->n_found; i++)
		put_device(&r->found[i].region->fdev->dev);
	kfree(r->found);
}

/* By the joining of their devices. */
static int residence_compare(const void *a, const void *b)
{
	const struct residence *ra = a, *rb = b;

	return cmp_int(ra->region->fdev->slot, rb->region->fdev->slot);
}

static int residency_write(struct residency *r, struct drm_fabric_residency *args,
			   struct drm_fabric_residency __user *argp)
{
	struct drm_fabric_residence __user *out = u64_to_user_ptr(args->residences);

	if (r->n_found > args->n_residences)
		return put_user(r->n_found, &argp->n_residences) ? -EFAULT : -ENOSPC;
	sort(r->found, r->n_found, sizeof(*r->found), residence_compare, NULL);
	for (unsigned int i = 0; i < r->n_found; i++) {
		struct drm_fabric_region *region = r->found[i].region;
		struct drm_fabric_residence residence = {
			.incarnation = region->fdev->incarnation,
			.bytes = r->found[i].bytes,
			.dead_bytes = r->found[i].dead_bytes,
		};

		strscpy(residence.device, dev_name(&region->fdev->dev));
		strscpy(residence.region, region->name);
		if (copy_to_user(out + i, &residence, sizeof(residence)))
			return -EFAULT;
	}
	args->n_residences = r->n_found;
	args->system_bytes = r->system_bytes;
	args->absent_bytes = r->absent_bytes;
	args->foreign_bytes = r->foreign_bytes;
	return copy_to_user(argp, args, sizeof(*args)) ? -EFAULT : 0;
}

/* DRM_FABRIC_IOCTL_RESIDENCY */
int fabric_residency_ioctl(void __user *argp)
{
	struct drm_fabric_residency args;
	struct residency r = {};
	int err;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	if (args.flags || !fabric_range_ok(args.start, args.length_bytes) ||
	    args.length_bytes > SZ_1T || !args.n_residences != !args.residences)
		return -EINVAL;
	err = residency_walk(args.start, args.length_bytes, residency_step, &r);
	if (!err)
		err = residency_write(&r, &args, argp);
	residency_fini(&r);
	return err;
}

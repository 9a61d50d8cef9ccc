// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Memory into a region: populate; and back on a CPU touch.
 *
 * drm_pagemap moves a piece whole or not at all. Populate wants as much as will go, so a piece
 * that resists is tried again in 64 KiB and then in 4 KiB pieces, each with an allocation of its
 * own.
 *
 * A device-private page that its owner's populate has put somewhere is shared by everybody who
 * shares the memory. What is populated is the caller's own mm, or, when a device has missed an
 * address of it, the mm that the device mirrors (place.c).
 */
#include <linux/dma-fence.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "fabric.h"
#include "mm.h"
#include "split.h"

static int fabric_populate_devmem_pfn(struct drm_pagemap_devmem *devmem, unsigned long npages,
				      unsigned long *pfns)
{
	return fabric_alloc_populate(container_of(devmem, struct fabric_alloc, devmem), npages,
				     pfns);
}

static const struct drm_pagemap_devmem_ops fabric_devmem_ops = {
	.devmem_release = fabric_alloc_release,
	.populate_devmem_pfn = fabric_populate_devmem_pfn,
	.copy_to_devmem = fabric_copy_to_devmem,
	.copy_to_ram = fabric_copy_to_ram,
};

/*
 * Upstream says SIGBUS for whatever goes wrong. Only a page whose data is lost deserves that; it
 * says so as memory with an error would. Without memory the fault waits for the OOM killer like
 * any other.
 */
static vm_fault_t fabric_migrate_to_ram(struct vm_fault *vmf)
{
	struct fabric_pagemap *pm = fabric_page_pagemap(vmf->page);
	unsigned long index = fabric_page_index(pm, vmf->page);
	struct fabric_alloc *alloc = READ_ONCE(pm->pages[index]);
	vm_fault_t ret;

	if (fabric_page_is_dead(pm, index))
		return VM_FAULT_HWPOISON;
	if (!vmf->pte && fabric_split_first(vmf, &ret))
		return ret;
	/*
	 * The fault holds a reference on the page: its allocation stays.
	 *
	 * Upstream takes this size for the block to bring home, and has no other use for it. A
	 * large folio comes whole: the core mm cannot split one that is mapped by a PMD while the
	 * fault holds it (7.2, migrate_vma_collect_huge_pmd() takes a reference too many), and
	 * the fault would come back for ever. Two faults of both kinds at once are harmless: one
	 * moves more than it needs, or the other comes again.
	 */
	WRITE_ONCE(alloc->devmem.size, vmf->pte ? FABRIC_FAULT_GRANULE : PMD_SIZE);
	ret = drm_pagemap_pagemap_ops_get()->migrate_to_ram(vmf);
	if (ret != VM_FAULT_SIGBUS)
		return ret;
	if (fabric_page_is_dead(pm, index))
		return VM_FAULT_HWPOISON;
	/* A dead neighbour stops the whole block: this page alone, then. */
	if (vmf->pte) {
		WRITE_ONCE(alloc->devmem.size, PAGE_SIZE);
		ret = drm_pagemap_pagemap_ops_get()->migrate_to_ram(vmf);
		if (ret != VM_FAULT_SIGBUS)
			return ret;
	}
	return fabric_page_is_dead(pm, index) ? VM_FAULT_HWPOISON : VM_FAULT_OOM;
}

/* Filled in once: pagemaps that live refer to it. */
static struct dev_pagemap_ops dev_pagemap_ops __ro_after_init;

/* Upstream's operations with ours around two of them. */
void __init fabric_migrate_init(void)
{
	dev_pagemap_ops = *drm_pagemap_pagemap_ops_get();
	dev_pagemap_ops.folio_free = fabric_folio_free;
	dev_pagemap_ops.migrate_to_ram = fabric_migrate_to_ram;
}

const struct dev_pagemap_ops *fabric_dev_pagemap_ops(void)
{
	return &dev_pagemap_ops;
}

/* So long one step looks after pages that do not stand still, all in all. */
#define STEP_PATIENCE HZ

struct populate {
	struct fabric_handle *handle;
	struct fabric_account *account;
	struct fabric_pagemap *pm;
	struct mm_struct *mm;
	struct drm_fabric_devmem_populate *args;
	bool full; /* the region has no page left: no use in trying smaller pieces */
	bool limited; /* the same, of the uid's limit */
	bool promised; /* the same, of what the handle was promised, or others were */
	unsigned long arrived; /* bytes of this step that came in a piece that failed */
	unsigned long block; /* start of the aligned FABRIC_STEP that this step is in */
	unsigned long pos; /* with STRICT: up to here all is seen to, or in doubt */
	struct fabric_limit limit; /* of this step */
	u8 *why; /* for each page of @block that is in doubt; NULL until one is */
	bool in_doubt;
};

/* With STRICT: a page may have been refused, which has to be looked into before it goes on. */
#define POPULATE_IN_DOUBT 1

static int reason_of(int err)
{
	switch (err) {
	case -EBUSY:
		return DRM_FABRIC_REFUSED_BUSY;
	case -ENOSPC:
		return DRM_FABRIC_REFUSED_NO_ROOM;
	case -EOPNOTSUPP:
		return DRM_FABRIC_REFUSED_NOT_ANON;
	case -EFAULT:
	case -ENOENT:
		return DRM_FABRIC_REFUSED_NOT_MAPPED;
	case -ENOMEM:
		return DRM_FABRIC_REFUSED_NO_MEMORY;
	case -EIO:
		return DRM_FABRIC_REFUSED_COPY;
	case -EDQUOT:
		return DRM_FABRIC_REFUSED_LIMIT;
	case -EXFULL:
		return DRM_FABRIC_REFUSED_RESERVED;
	default:
		return DRM_FABRIC_REFUSED_OTHER;
	}
}

/* What STRICT says. */
static int error_of(int reason)
{
	switch (reason) {
	case DRM_FABRIC_REFUSED_NO_ROOM:
	case DRM_FABRIC_REFUSED_RESERVED:
		return -ENOSPC;
	case DRM_FABRIC_REFUSED_NOT_ANON:
		return -EOPNOTSUPP;
	case DRM_FABRIC_REFUSED_NOT_MAPPED:
		return -EFAULT;
	case DRM_FABRIC_REFUSED_NO_MEMORY:
		return -ENOMEM;
	case DRM_FABRIC_REFUSED_COPY:
		return -EIO;
	case DRM_FABRIC_REFUSED_LIMIT:
		return -EDQUOT;
	case DRM_FABRIC_REFUSED_DEAD:
		return -EHWPOISON;
	default:
		return -EBUSY;
	}
}

static bool populate_is_strict(const struct populate *p)
{
	return p->args->flags & DRM_FABRIC_POPULATE_STRICT;
}

/* Count [start, end) as refused. With STRICT that is the end. */
static int populate_refuse(struct populate *p, unsigned long start, unsigned long end, int reason)
{
	p->args->refused_bytes[reason] += end - start;
	return populate_is_strict(p) ? error_of(reason) : 0;
}

/*
 * [start, end) has not moved; why will be looked into when mmap_lock is free. @reason: unless
 * there is a better one.
 */
static int populate_doubt(struct populate *p, unsigned long start, unsigned long end, int reason)
{
	if (!p->why) {
		p->why = kvmalloc(FABRIC_STEP_PAGES, GFP_KERNEL_ACCOUNT);
		if (!p->why)
			return populate_refuse(p, start, end, reason);
		memset(p->why, FABRIC_WHY_NOBODY_ASKS, FABRIC_STEP_PAGES);
	}
	memset(p->why + ((start - p->block) >> PAGE_SHIFT), reason, (end - start) >> PAGE_SHIFT);
	p->in_doubt = true;
	p->pos = end;
	return populate_is_strict(p) ? POPULATE_IN_DOUBT : 0;
}

/* @size bytes are there, and no page was taken for them. */
static void populate_found(struct populate *p, unsigned long size)
{
	unsigned long moved = min(p->arrived, size);

	p->arrived -= moved;
	p->args->moved_bytes += moved;
	p->args->present_bytes += size - moved;
}

/* Move one piece, inside one vma and one PMD, whole or not at all. */
static int populate_try(struct populate *p, unsigned long start, unsigned long end)
{
	const struct drm_pagemap_migrate_details details = {};
	struct device *dev = p->pm->region->fdev->dev.parent;
	unsigned long arrived, size = end - start;
	struct fabric_alloc *alloc;
	int err;

	alloc = fabric_alloc_new(p->handle, p->account, p->pm, start);
	if (!alloc)
		return -ENOMEM;
	/* The size is how much a CPU touch brings home; the true size is in the extents. */
	drm_pagemap_devmem_init(&alloc->devmem, dev, p->mm, &fabric_devmem_ops, &p->pm->dpagemap,
				FABRIC_FAULT_GRANULE, dma_fence_get(p->pm->arrival));
	kref_get(&alloc->ref);
	err = drm_pagemap_migrate_to_devmem(&alloc->devmem, p->mm, start, end, &details);
	/* Upstream puts it only if all went well. */
	dma_fence_put(alloc->devmem.pre_migrate_fence);
	alloc->devmem.pre_migrate_fence = NULL;

	/*
	 * What has arrived is what is left of the pages taken, whatever the call says: it says
	 * busy if a few pages were lost to a race, and always for a large hole (7.2 counts that as
	 * one page).
	 */
	arrived = (alloc->n_pages - atomic_long_read(&alloc->n_freed)) << PAGE_SHIFT;
	atomic64_add(arrived, &p->pm->region->moved_in_bytes);
	if (arrived == size || (!err && alloc->n_pages)) {
		p->args->moved_bytes += size;
		err = 0;
	} else if (!err && atomic64_read(&p->pm->region->n_dead)) {
		/* All of it is there. Perhaps not all of it is alive. */
		err = populate_doubt(p, start, end, DRM_FABRIC_REFUSED_BUSY);
	} else if (!err) {
		populate_found(p, size);
	} else {
		p->arrived += arrived;
	}
	fabric_alloc_put(alloc);
	if (err && READ_ONCE(p->pm->region->lost))
		return -ENODEV;
	/* The range is mapped, that has been seen to: it is a link that went at this moment. */
	return err == -EFAULT ? -EBUSY : err;
}

static int populate_piece(struct populate *p, unsigned long start, unsigned long end)
{
	static const unsigned long sizes[] = { SZ_64K, PAGE_SIZE };
	int err = -EBUSY;

	/* What is to be split is moved in parts. */
	if (end - start < PMD_SIZE || !fabric_split_is_due(p->mm, start))
		err = populate_try(p, start, end);
	/* The grant was revoked at this moment. */
	if (err >= 0 || err == -ENODEV)
		return err;
	/* Own pages among the rest say busy as well: piece by piece they are found to be there. */
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		/* Nothing is there of a piece that wanted pages: it would say busy. */
		if ((err == -ENOSPC && p->full) || (err == -EDQUOT && p->limited) ||
		    (err == -EXFULL && p->promised))
			break;
		if (end - start <= sizes[i])
			continue;
		for (unsigned long next; start < end; start = next) {
			if (fatal_signal_pending(current))
				return -EINTR;
			next = min(ALIGN(start + 1, sizes[i]), end);
			err = populate_piece(p, start, next);
			if (err)
				return err;
		}
		return 0;
	}
	if (end - start == PAGE_SIZE) {
		p->full |= err == -ENOSPC;
		p->limited |= err == -EDQUOT;
		p->promised |= err == -EXFULL;
	}
	if (err == -EBUSY || err == -EIO)
		return populate_doubt(p, start, end, reason_of(err));
	return populate_refuse(p, start, end, reason_of(err));
}

static int populate_vma(struct populate *p, struct vm_area_struct *vma, unsigned long start,
			unsigned long end)
{
	if (!vma_is_accessible(vma))
		return populate_refuse(p, start, end, DRM_FABRIC_REFUSED_NOT_MAPPED);
	if (!fabric_vma_fits(vma))
		return populate_refuse(p, start, end, DRM_FABRIC_REFUSED_NOT_ANON);
	return populate_piece(p, start, end);
}

/*
 * One step: at most FABRIC_STEP, inside one aligned block of that size. mmap_lock is held for
 * reading.
 */
static int populate_step_locked(struct populate *p, unsigned long start, unsigned long end)
{
	while (start < end) {
		struct vm_area_struct *vma = find_vma(p->mm, start);
		unsigned long next;
		int err;

		if (!vma || vma->vm_start >= end) {
			next = end;
			err = populate_refuse(p, start, next, DRM_FABRIC_REFUSED_NOT_MAPPED);
		} else if (vma->vm_start > start) {
			next = vma->vm_start;
			err = populate_refuse(p, start, next, DRM_FABRIC_REFUSED_NOT_MAPPED);
		} else {
			next = min(end, vma->vm_end);
			err = populate_vma(p, vma, start, next);
		}
		if (err)
			return err;
		start = next;
	}
	return 0;
}

/* Count what is in doubt, now that mmap_lock is free. */
static int populate_settle(struct populate *p)
{
	unsigned long first = 0, n = FABRIC_STEP_PAGES;
	int err;

	if (!p->in_doubt)
		return 0;
	while (p->why[first] == FABRIC_WHY_NOBODY_ASKS)
		first++;
	while (p->why[n - 1] == FABRIC_WHY_NOBODY_ASKS)
		n--;
	/* If it fails the reasons are those of before. */
	err = fabric_explain(p->handle->region, p->mm, p->block + (first << PAGE_SHIFT),
			     p->block + (n << PAGE_SHIFT), p->why + first, &p->limit);
	if (err != -EINTR)
		err = 0;
	for (unsigned long i = first; i < n && !err; i++) {
		if (p->why[i] == FABRIC_WHY_PRESENT)
			populate_found(p, PAGE_SIZE);
		else if (p->why[i] != FABRIC_WHY_NOBODY_ASKS)
			err = populate_refuse(p, 0, PAGE_SIZE, p->why[i]);
	}
	memset(p->why + first, FABRIC_WHY_NOBODY_ASKS, n - first);
	p->in_doubt = false;
	return err;
}

static int populate_step(struct populate *p, unsigned long start, unsigned long end)
{
	struct drm_fabric_device *fdev = p->handle->region->fdev;
	int err, settled;

	if (READ_ONCE(p->handle->revoked))
		return -ENODEV;
	err = fabric_device_begin_use(fdev);
	if (err)
		return err;
	/* Since the last step the device may have been evicted and come back. */
	err = fabric_region_use_pagemap(p->handle->region);
	if (err)
		goto end_use;
	p->pm = p->handle->region->pm;
	p->arrived = 0;
	p->block = ALIGN_DOWN(start, FABRIC_STEP);
	p->pos = start;
	p->limit = (struct fabric_limit){ .used = fdev, .end = jiffies + STEP_PATIENCE };

	/*
	 * A device without a link to this one cannot copy its memory here: that goes through system
	 * memory. What stays is refused piece by piece.
	 */
	err = fabric_home_unreaching(fdev, p->mm, start, end, &p->limit);
	if (err == -EINTR)
		goto unuse_pagemap;
	do {
		err = mmap_read_lock_killable(p->mm);
		if (err)
			break;
		err = populate_step_locked(p, p->pos, end);
		mmap_read_unlock(p->mm);
		settled = err < 0 ? 0 : populate_settle(p);
	} while (err == POPULATE_IN_DOUBT && !settled);
	err = err < 0 ? err : settled;
unuse_pagemap:
	fabric_region_unuse_pagemap(p->handle->region);
end_use:
	fabric_device_end_use(fdev);
	return err;
}

/* Of @mm. -EINTR, -ENOMEM, -ESRCH: it has nothing that is remembered, and is not the caller's. */
static struct fabric_account *populate_account(struct drm_fabric_region *region,
					       struct mm_struct *mm)
{
	struct fabric_mm *fmm = mm == current->mm ? fabric_mm_get() : fabric_mm_find(mm);
	struct fabric_account *account;

	if (IS_ERR_OR_NULL(fmm))
		return fmm ? ERR_CAST(fmm) : ERR_PTR(-ESRCH);
	account = fabric_account_get(region, fmm);
	fabric_mm_put(fmm);
	return account ?: ERR_PTR(-ENOMEM);
}

/* Of @mm, whose users the caller holds. May run in a worker. */
int fabric_populate(struct fabric_handle *handle, struct mm_struct *mm,
		    struct drm_fabric_devmem_populate *args)
{
	struct populate p = { .handle = handle, .mm = mm, .args = args };
	unsigned long start = args->start, end = args->start + args->length_bytes, next;
	int err = 0;

	args->moved_bytes = 0;
	args->present_bytes = 0;
	memset(args->refused_bytes, 0, sizeof(args->refused_bytes));
	p.account = populate_account(handle->region, mm);
	if (IS_ERR(p.account))
		return PTR_ERR(p.account);
	for (; start < end && !err; start = next) {
		err = fatal_signal_pending(current) ? -EINTR : 0;
		if (err)
			break;
		next = min(ALIGN(start + 1, FABRIC_STEP), end);
		err = populate_step(&p, start, next);
		cond_resched();
	}
	kvfree(p.why);
	fabric_account_put(p.account);
	return err;
}

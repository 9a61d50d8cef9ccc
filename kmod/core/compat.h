/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What differs between the kernels that the core builds for: 7.0 and later. Kbuild looks into the
 * kernel's headers and defines FABRIC_HAVE_*; versions would not tell of backports.
 *
 * Up to 7.2 a drm_gpusvm belonged to one drm_device and each of its ranges had pages of its own,
 * which the core leaves alone. From 7.3 on pages are the driver's and name their device.
 *
 * Up to 7.2 anonymous pages of a mapping counted from its vm_pgoff; from 7.3 on they have a count
 * of their own, which for private mappings of files (and of /dev/zero) is another one.
 */
#ifndef FABRIC_COMPAT_H
#define FABRIC_COMPAT_H

#include <drm/drm_gpusvm.h>
#include <linux/mm.h>

#ifdef FABRIC_HAVE_GPUSVM_INIT_PAGES

static inline int compat_gpusvm_init(struct drm_gpusvm *svm, const char *name,
				     struct drm_device *drm, struct mm_struct *mm,
				     unsigned long notifier_size,
				     const struct drm_gpusvm_ops *ops,
				     const unsigned long *chunk_sizes, int n_chunk_sizes)
{
	return drm_gpusvm_init(svm, name, mm, 0, TASK_SIZE, notifier_size, ops, chunk_sizes,
			       n_chunk_sizes);
}

/* Its notifier_lock, and nothing else. */
static inline int compat_gpusvm_init_lock(struct drm_gpusvm *svm)
{
	return drm_gpusvm_init(svm, "drm_fabric", NULL, 0, 0, 0, NULL, NULL, 0);
}

static inline void compat_gpusvm_init_pages(struct drm_gpusvm_pages *pages,
					    struct drm_device *drm)
{
	drm_gpusvm_init_pages(pages, drm);
}

static inline void compat_gpusvm_range_set_unmapped(struct drm_gpusvm_range *range,
						    const struct mmu_notifier_range *mmu_range)
{
	drm_gpusvm_range_set_unmapped(range, NULL, 0, mmu_range);
}

static inline bool compat_gpusvm_range_is_unmapped(const struct drm_gpusvm_range *range)
{
	return range->flags.unmapped;
}

#else

static inline int compat_gpusvm_init(struct drm_gpusvm *svm, const char *name,
				     struct drm_device *drm, struct mm_struct *mm,
				     unsigned long notifier_size,
				     const struct drm_gpusvm_ops *ops,
				     const unsigned long *chunk_sizes, int n_chunk_sizes)
{
	return drm_gpusvm_init(svm, name, drm, mm, 0, TASK_SIZE, notifier_size, ops, chunk_sizes,
			       n_chunk_sizes);
}

static inline int compat_gpusvm_init_lock(struct drm_gpusvm *svm)
{
	return drm_gpusvm_init(svm, "drm_fabric", NULL, NULL, 0, 0, 0, NULL, NULL, 0);
}

static inline void compat_gpusvm_init_pages(struct drm_gpusvm_pages *pages,
					    struct drm_device *drm)
{
	pages->notifier_seq = LONG_MAX;
}

static inline void compat_gpusvm_range_set_unmapped(struct drm_gpusvm_range *range,
						    const struct mmu_notifier_range *mmu_range)
{
	drm_gpusvm_range_set_unmapped(range, mmu_range);
}

static inline bool compat_gpusvm_range_is_unmapped(const struct drm_gpusvm_range *range)
{
	return range->pages.flags.unmapped;
}

#endif

/* Where a VMA's anonymous pages begin to count, as folio->index does. */
static inline pgoff_t compat_vma_start_anon_pgoff(const struct vm_area_struct *vma)
{
#ifdef FABRIC_HAVE_VMA_START_ANON_PGOFF
	return vma_start_anon_pgoff(vma);
#else
	return vma->vm_pgoff;
#endif
}

#endif /* FABRIC_COMPAT_H */

// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Fault injection: files in the device's debugfs directory, /sys/kernel/debug/dri/<device>/.
 *
 *	fail_copy_nth	every n-th copy job fails with -EIO, with all but its last piece done;
 *			counted from the first job after a 0; 0 = none fails
 *	bad_page	the copy engine cannot read this page of VRAM, counted from 1; 0 = it
 *			reads all
 *	hang_copy	1: the copy engine does not end what it begins, until copy_timeout_ms are
 *			over (a parameter of the module)
 *	vanish		1: the device is gone from now on: what its VRAM held reads as ones, and it
 *			does not answer; 2: likewise, and its driver does not notice: whoever uses
 *			it next does
 *	corrupt_copy	in each of the next n pages that the copy engine brings from VRAM to
 *			system memory, bit 0 of the first byte is inverted: exactly n bytes are
 *			wrong; reads as the number still to come
 *
 * The state is the device's, all atomic. vanish is for devices that are made at run time.
 */
#include <linux/debugfs.h>

#include <drm/drm_file.h>

#include "softgpu.h"

/**
 * softgpu_fail_copy() - shall this copy job fail?
 * @sg: the device
 */
bool softgpu_fail_copy(struct softgpu_device *sg)
{
	int nth = atomic_read(&sg->fail_copy_nth);

	if (nth <= 0) {
		atomic_set(&sg->fail_copy_seen, 0);
		return false;
	}
	return (unsigned int)atomic_inc_return(&sg->fail_copy_seen) % nth == 0;
}

/**
 * softgpu_bad_page() - can the copy engine not read this page?
 * @sg: the device
 * @page: in VRAM, or elsewhere: then it can
 */
bool softgpu_bad_page(struct softgpu_device *sg, const void *page)
{
	int bad = atomic_read(&sg->bad_page);

	return bad > 0 && page == sg->vram.kaddr + ((u64)(bad - 1) << PAGE_SHIFT);
}

/**
 * softgpu_fail_page() - shall this page be corrupted?
 * @sg: the device
 */
bool softgpu_fail_page(struct softgpu_device *sg)
{
	return atomic_dec_if_positive(&sg->corrupt_copy) >= 0;
}

/* For a device that cannot be pulled out. It comes back when the driver is bound anew. */
static int softgpu_vanish_set(void *data, u64 how)
{
	struct softgpu_device *sg = data;

	if (how != 1 && how != 2)
		return -EINVAL;
	WRITE_ONCE(sg->vanished, true);
	/* Gone first: what is read while the old data goes is not believed. */
	smp_mb();
	memset(sg->vram.kaddr, 0xff, sg->vram.size);
	if (how == 1)
		softgpu_device_lost(sg);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(softgpu_vanish_fops, NULL, softgpu_vanish_set, "%llu\n");

/* drm_driver.debugfs_init */
void softgpu_fail_init(struct drm_minor *minor)
{
	struct softgpu_device *sg = to_softgpu(minor->dev);
	struct dentry *dir = minor->dev->debugfs_root;

	debugfs_create_atomic_t("fail_copy_nth", 0600, dir, &sg->fail_copy_nth);
	debugfs_create_atomic_t("bad_page", 0600, dir, &sg->bad_page);
	debugfs_create_atomic_t("hang_copy", 0600, dir, &sg->hang_copy);
	debugfs_create_file_unsafe("vanish", 0200, dir, sg, &softgpu_vanish_fops);
	debugfs_create_atomic_t("corrupt_copy", 0600, dir, &sg->corrupt_copy);
}

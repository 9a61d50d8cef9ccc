// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The copy engine: moves pages between VRAM and system memory or a peer, in order, each job with a
 * dma_fence.
 *
 * It is in the way of reclaim (the core waits for fences with pages locked), so nothing here waits
 * for memory: where there is none for a job, the copy is done at once, in the caller. The copy is
 * done by pages because copy_page() is fast where memcpy() need not be. The queue is the device's;
 * remove() has stopped it before VRAM is unmapped.
 *
 * It may hang. A job that takes longer than copy_timeout_ms is the last one: the device is lost
 * then. Nobody resets it, for what a reset leaves in VRAM is nothing to rely on.
 */
#include <linux/dma-fence.h>
#include <linux/dma-mapping.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

#include <drm/drm_print.h>

#include "softgpu.h"

static unsigned int copy_timeout_ms = 10000;
module_param(copy_timeout_ms, uint, 0644);
MODULE_PARM_DESC(copy_timeout_ms,
		 "A device whose copy engine works longer than that on one job is lost");

/* The side of a job that is the engine's own: the offsets in its list are into this. */
struct softgpu_local {
	void *kaddr;
	u64 size;
};

struct softgpu_copy_job {
	/* First: the last dma_fence_put() frees the job. */
	struct dma_fence fence;
	/* Of the fence. Not the one inside a fence: that is newer than Linux 7.0. */
	spinlock_t lock;
	struct work_struct work;
	struct softgpu_device *sg;
	struct drm_fabric_device *fdev;
	struct softgpu_local local;
	const struct drm_fabric_copy *list;
	unsigned int n;
};

static const char *softgpu_copy_driver_name(struct dma_fence *fence)
{
	return "softgpu";
}

static const char *softgpu_copy_timeline_name(struct dma_fence *fence)
{
	return "copy";
}

static const struct dma_fence_ops softgpu_copy_fence_ops = {
	.get_driver_name = softgpu_copy_driver_name,
	.get_timeline_name = softgpu_copy_timeline_name,
};

/* Bytes [@done, @end) of @copy, at most SOFTGPU_PIECE. */
static int softgpu_copy_piece(struct softgpu_device *sg, const struct softgpu_local *local,
			      const struct drm_fabric_copy *copy, u64 done, u64 end)
{
	/* Whether the peers are there the core asks when all is done. */
	unsigned long used = 0;

	guard(rwsem_read)(&sg->windows_lock);

	for (; done < end; done += PAGE_SIZE) {
		void *own = local->kaddr + copy->offset + done;
		void *other;

		if (copy->dir == DRM_FABRIC_COPY_CLEAR) {
			clear_page(own);
			continue;
		}

		other = softgpu_window_resolve(sg, copy->addr.proto, copy->addr.addr + done, &used);
		if (!other)
			return -ENXIO;

		if (copy->dir == DRM_FABRIC_COPY_TO_REGION) {
			copy_page(own, other);
			continue;
		}
		if (softgpu_bad_page(sg, own))
			return -EIO;
		copy_page(other, own);
		/* One bit: who compares the bytes counts one. */
		if (copy->addr.proto == DRM_FABRIC_PROTO_SYSTEM && softgpu_fail_page(sg))
			*(u8 *)other ^= 1;
	}

	return 0;
}

static int softgpu_copy_run(struct softgpu_device *sg, const struct softgpu_local *local,
			    const struct drm_fabric_copy *list, unsigned int n)
{
	bool fail = softgpu_fail_copy(sg);
	u64 size, done, end;
	unsigned int i;
	int err;

	for (i = 0; i < n; i++) {
		size = PAGE_SIZE << list[i].addr.order;
		if (!PAGE_ALIGNED(list[i].offset) || size > local->size ||
		    list[i].offset > local->size - size)
			return -EINVAL;

		for (done = 0; done < size; done = end) {
			end = min(size, done + SOFTGPU_PIECE);
			/* An engine that fails has done something: all but the last piece. */
			if (fail && i == n - 1 && end == size)
				return -EIO;
			err = READ_ONCE(sg->copy_stuck) ? -ETIMEDOUT :
				softgpu_copy_piece(sg, local, list + i, done, end);
			if (err)
				return err;
			cond_resched();
		}
	}

	return 0;
}

/* A job has not ended in time: the engine is off from now on, and the job sees that soon. */
static void softgpu_copy_watchdog(struct timer_list *timer)
{
	struct softgpu_device *sg = timer_container_of(sg, timer, copy_watchdog);

	drm_err(&sg->drm, "the copy engine hangs\n");
	WRITE_ONCE(sg->copy_stuck, true);
	softgpu_fabric_lost(sg->copy_fdev);
}

static void softgpu_copy_hang(struct softgpu_device *sg)
{
	while (atomic_read(&sg->hang_copy) && !READ_ONCE(sg->copy_stuck))
		schedule_timeout_idle(msecs_to_jiffies(10));
}

static void softgpu_copy_work(struct work_struct *work)
{
	struct softgpu_copy_job *job = container_of(work, struct softgpu_copy_job, work);
	bool cookie = dma_fence_begin_signalling();
	int err;

	job->sg->copy_fdev = job->fdev;
	mod_timer(&job->sg->copy_watchdog,
		  jiffies + msecs_to_jiffies(READ_ONCE(copy_timeout_ms)));
	softgpu_copy_hang(job->sg);
	err = softgpu_copy_run(job->sg, &job->local, job->list, job->n);
	/* Whoever waits for the fence keeps the device. */
	timer_delete_sync(&job->sg->copy_watchdog);
	if (err)
		dma_fence_set_error(&job->fence, err);
	dma_fence_signal(&job->fence);
	dma_fence_end_signalling(cookie);

	dma_fence_put(&job->fence);
}

static struct dma_fence *softgpu_copy_start(struct softgpu_device *sg,
					    struct drm_fabric_device *fdev,
					    const struct softgpu_local *local,
					    const struct drm_fabric_copy *list, unsigned int n)
{
	struct softgpu_copy_job *job;
	int err;

	static_assert(offsetof(struct softgpu_copy_job, fence) == 0);

	/* Since remove() has stopped it there is nothing to copy with. */
	if (WARN_ON_ONCE(READ_ONCE(sg->gone)))
		return ERR_PTR(-ENODEV);

	job = kmalloc_obj(*job, GFP_NOWAIT);
	if (!job) {
		err = softgpu_copy_run(sg, local, list, n);
		return err ? ERR_PTR(err) : dma_fence_get_stub();
	}

	job->sg = sg;
	job->fdev = fdev;
	job->local = *local;
	job->list = list;
	job->n = n;
	spin_lock_init(&job->lock);
	INIT_WORK(&job->work, softgpu_copy_work);

	spin_lock(&sg->copy_lock);
	dma_fence_init(&job->fence, &softgpu_copy_fence_ops, &job->lock, sg->copy_context,
		       ++sg->copy_seqno);
	/* One for the caller, one for the engine. */
	dma_fence_get(&job->fence);
	queue_work(sg->copy_wq, &job->work);
	spin_unlock(&sg->copy_lock);

	return &job->fence;
}

/* drm_fabric_device_ops.copy */
struct dma_fence *softgpu_copy(struct softgpu_device *sg, struct drm_fabric_device *fdev,
			       const struct drm_fabric_copy *list, unsigned int n)
{
	const struct softgpu_local vram = { .kaddr = sg->vram.kaddr, .size = sg->vram.size };

	return softgpu_copy_start(sg, fdev, &vram, list, n);
}

/* Move [@addr, @addr + @size) of a peer from or to @local, again and again if that is smaller. */
static int softgpu_copy_peer(struct softgpu_device *sg, struct drm_fabric_device *fdev,
			     const struct softgpu_local *local, dma_addr_t addr, u64 size,
			     bool write)
{
	/* As many of @local's size as there are, then one of each smaller one at most. */
	u64 step, most = size / local->size + ilog2(local->size);
	struct drm_fabric_copy *list;
	struct dma_fence *fence;
	unsigned int n = 0;
	int err;

	list = kvcalloc(most, sizeof(*list), GFP_KERNEL);
	if (!list)
		return -ENOMEM;

	for (; size; size -= step, addr += step) {
		step = min(local->size, rounddown_pow_of_two(size));
		list[n].dir = write ? DRM_FABRIC_COPY_FROM_REGION : DRM_FABRIC_COPY_TO_REGION;
		list[n].addr = (struct drm_pagemap_addr){
			.addr = addr,
			.proto = DRM_FABRIC_PROTO_PEER,
			.order = ilog2(step) - PAGE_SHIFT,
			.dir = DMA_BIDIRECTIONAL,
		};
		n++;
	}

	fence = softgpu_copy_start(sg, fdev, local, list, n);
	if (IS_ERR(fence)) {
		err = PTR_ERR(fence);
	} else {
		dma_fence_wait(fence, false);
		err = min(dma_fence_get_status(fence), 0);
		dma_fence_put(fence);
	}
	kvfree(list);
	return err;
}

/*
 * drm_fabric_device_ops.copy_region: by the copy engine, between the peer's window, @phys in its
 * aperture, and a buffer. Not VRAM: it may all be promised, and the core counts what is taken.
 */
int softgpu_copy_aperture(struct softgpu_device *sg, struct drm_fabric_device *fdev,
			  phys_addr_t phys, u64 size, bool write)
{
	struct softgpu_local local = { .size = min(size, SOFTGPU_PIECE) };
	struct device *dev = sg->drm.dev;
	dma_addr_t addr;
	int err;

	if (!size || !PAGE_ALIGNED(size))
		return -EINVAL;

	local.kaddr = kvzalloc(local.size, GFP_KERNEL);
	if (!local.kaddr)
		return -ENOMEM;

	addr = dma_map_resource(dev, phys, size, DMA_BIDIRECTIONAL, 0);
	err = dma_mapping_error(dev, addr);
	if (!err) {
		err = softgpu_copy_peer(sg, fdev, &local, addr, size, write);
		dma_unmap_resource(dev, addr, size, DMA_BIDIRECTIONAL, 0);
	}
	kvfree(local.kaddr);
	return err;
}

static void softgpu_copy_fini(void *data)
{
	struct softgpu_device *sg = data;

	destroy_workqueue(sg->copy_wq);
	timer_shutdown_sync(&sg->copy_watchdog);
}

/**
 * softgpu_copy_init() - make the copy engine
 * @sg: the device, with its VRAM mapped: devres takes the engine down first
 *
 * Return: 0 or -ENOMEM.
 */
int softgpu_copy_init(struct softgpu_device *sg)
{
	spin_lock_init(&sg->copy_lock);
	timer_setup(&sg->copy_watchdog, softgpu_copy_watchdog, 0);
	sg->copy_context = dma_fence_context_alloc(1);
	sg->copy_wq = alloc_ordered_workqueue("softgpu-copy-%s", WQ_MEM_RECLAIM | WQ_HIGHPRI,
					      dev_name(sg->drm.dev));
	if (!sg->copy_wq)
		return -ENOMEM;
	return devm_add_action_or_reset(sg->drm.dev, softgpu_copy_fini, sg);
}

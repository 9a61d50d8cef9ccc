// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What VRAM is free.
 *
 * A gen_pool over offsets, owned by the drm_device: INFO may still ask while the driver goes.
 * Chosen because it gives back any part of what it gave out, in any context, without memory of its
 * own: the core frees page by page, under page-table locks. It has no lock: its bitmap is atomic.
 * gpu_buddy can do neither.
 */
#include <linux/genalloc.h>
#include <linux/log2.h>
#include <linux/moduleparam.h>

#include <drm/drm_managed.h>
#include <drm/drm_print.h>

#include "softgpu.h"

/* gen_pool_alloc() says 0 for "full": addresses begin here. Keeps the largest alignment. */
#define SOFTGPU_VRAM_BASE	PMD_SIZE

static unsigned long keep_bytes;
module_param(keep_bytes, ulong, 0644);
MODULE_PARM_DESC(keep_bytes,
		 "VRAM that the driver keeps for itself, of devices probed from now on (default: 0)");

static void softgpu_vram_fini(struct drm_device *drm, void *data)
{
	gen_pool_destroy(data);
}

static void softgpu_vram_forget_chunk(struct gen_pool *pool, struct gen_pool_chunk *chunk,
				      void *data)
{
	bitmap_zero(chunk->bits, gen_pool_size(pool) >> PAGE_SHIFT);
	atomic_long_set(&chunk->avail, gen_pool_size(pool));
}

/**
 * softgpu_vram_forget() - make all of the VRAM free, whoever has it
 * @sg: the device, after it has left the fabric
 *
 * What is taken then is of pages whose data is lost: the core keeps these for as long as a process
 * has them, but gives nothing back any more. gen_pool_destroy() BUGs on what is taken.
 */
void softgpu_vram_forget(struct softgpu_device *sg)
{
	size_t bytes = gen_pool_size(sg->vram_pool) - gen_pool_avail(sg->vram_pool);

	if (!bytes)
		return;
	drm_info(&sg->drm, "it leaves with %zu bytes of VRAM whose data is lost\n", bytes);
	gen_pool_for_each_chunk(sg->vram_pool, softgpu_vram_forget_chunk, NULL);
}

/**
 * softgpu_vram_init() - make the VRAM free, but for what the driver keeps
 * @sg: the device
 *
 * Return: 0 or -ENOMEM.
 */
int softgpu_vram_init(struct softgpu_device *sg)
{
	int node = dev_to_node(sg->drm.dev);
	struct gen_pool *pool;
	u64 keep;
	int err;

	pool = gen_pool_create(PAGE_SHIFT, node);
	if (!pool)
		return -ENOMEM;

	err = drmm_add_action_or_reset(&sg->drm, softgpu_vram_fini, pool);
	if (err)
		return err;

	/* What is kept is the end of it: it is never free. */
	keep = PAGE_ALIGN(min(READ_ONCE(keep_bytes), sg->vram.size - PAGE_SIZE));
	err = gen_pool_add(pool, SOFTGPU_VRAM_BASE, sg->vram.size - keep, node);
	if (err)
		return err;

	sg->vram_pool = pool;
	return 0;
}

/**
 * softgpu_vram_take() - take a block of VRAM
 * @sg: the device
 * @size: bytes, a power of two from PAGE_SIZE to PMD_SIZE; the block is aligned to it
 * @ret_offset: where it is
 *
 * Any context. Return: 0 or -ENOSPC.
 */
int softgpu_vram_take(struct softgpu_device *sg, u64 size, u64 *ret_offset)
{
	struct genpool_data_align align = { .align = size };
	unsigned long addr;

	if (WARN_ON_ONCE(!is_power_of_2(size) || size < PAGE_SIZE || size > PMD_SIZE))
		return -ENOSPC;

	addr = gen_pool_alloc_algo(sg->vram_pool, size, gen_pool_first_fit_align, &align);
	if (!addr)
		return -ENOSPC;

	*ret_offset = addr - SOFTGPU_VRAM_BASE;
	return 0;
}

/* Gives any part of what was taken back. Any context. */
void softgpu_vram_give(struct softgpu_device *sg, u64 offset, u64 size)
{
	gen_pool_free(sg->vram_pool, SOFTGPU_VRAM_BASE + offset, size);
}

/* Bytes that are not taken. Any context. */
u64 softgpu_vram_avail(struct softgpu_device *sg)
{
	return gen_pool_avail(sg->vram_pool);
}

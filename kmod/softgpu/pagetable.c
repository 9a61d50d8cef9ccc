// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The page table of an address space: what the compute engine sees of a process.
 *
 * Two levels: an xarray of leaves, each a page of u64 entries of PAGE_SIZE each. Leaves come with
 * prepare, where memory may be allocated, and stay until the VM is freed, so that bind and zap
 * never allocate or free. pt_lock guards the entries: the engine holds it for reading from the
 * look-up until it has touched the memory, so when zap has written nothing uses the old mapping:
 * that is the TLB flush. It is taken in reclaim.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "softgpu.h"

/* An entry: address, multiple of PAGE_SIZE, and below it: */
#define SOFTGPU_PTE_VALID	BIT_ULL(0)
#define SOFTGPU_PTE_WRITABLE	BIT_ULL(1)
#define SOFTGPU_PTE_PROTO_SHIFT	2
#define SOFTGPU_PTE_PROTO_MASK	GENMASK_ULL(3, 2)
#define SOFTGPU_PTE_ADDR_MASK	((u64)PAGE_MASK)

#define SOFTGPU_PTES_PER_LEAF	(PAGE_SIZE / sizeof(u64))
#define SOFTGPU_LEAF_SIZE	(SOFTGPU_PTES_PER_LEAF * PAGE_SIZE)

static unsigned long softgpu_leaf_index(unsigned long addr)
{
	return addr / SOFTGPU_LEAF_SIZE;
}

static u64 *softgpu_pte(u64 *leaf, unsigned long addr)
{
	return leaf + (addr >> PAGE_SHIFT) % SOFTGPU_PTES_PER_LEAF;
}

/* drm_fabric_vm_ops.prepare */
int softgpu_vm_prepare(struct softgpu_vm *vm, unsigned long start, unsigned long end)
{
	unsigned long index;
	void *leaf;
	int err;

	for (index = softgpu_leaf_index(start); index <= softgpu_leaf_index(end - 1); index++) {
		if (xa_load(&vm->leaves, index))
			continue;

		leaf = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
		if (!leaf)
			return -ENOMEM;
		err = xa_insert(&vm->leaves, index, leaf, GFP_KERNEL_ACCOUNT);
		if (err)
			free_page((unsigned long)leaf);
		if (err && err != -EBUSY)
			return err;
	}
	return 0;
}

/* drm_fabric_vm_ops.bind */
void softgpu_vm_bind(struct softgpu_vm *vm, unsigned long start,
		     const struct drm_pagemap_addr *addrs, unsigned long n_addrs, bool writable)
{
	unsigned long i, page, addr = start;
	u64 *leaf = NULL;

	guard(rwsem_write)(&vm->pt_lock);

	for (i = 0; i < n_addrs; i++) {
		u64 flags = SOFTGPU_PTE_VALID | (writable ? SOFTGPU_PTE_WRITABLE : 0) |
			    addrs[i].proto << SOFTGPU_PTE_PROTO_SHIFT;

		for (page = 0; page < NR_PAGES(addrs[i].order); page++, addr += PAGE_SIZE) {
			if (!leaf || IS_ALIGNED(addr, SOFTGPU_LEAF_SIZE))
				leaf = xa_load(&vm->leaves, softgpu_leaf_index(addr));
			if (WARN_ON_ONCE(!leaf))
				return;
			*softgpu_pte(leaf, addr) = (addrs[i].addr + page * PAGE_SIZE) | flags;
		}
	}
}

/* drm_fabric_vm_ops.zap */
void softgpu_vm_zap(struct softgpu_vm *vm, unsigned long start, unsigned long end)
{
	unsigned long index, leaf_start, from, to;
	u64 *leaf;

	if (start >= end)
		return;

	guard(rwsem_write)(&vm->pt_lock);

	/* By leaves that there are: the range may be a whole address space. */
	xa_for_each_range(&vm->leaves, index, leaf, softgpu_leaf_index(start),
			  softgpu_leaf_index(end - 1)) {
		leaf_start = index * SOFTGPU_LEAF_SIZE;
		from = max(start, leaf_start);
		to = min(end - 1, leaf_start + SOFTGPU_LEAF_SIZE - 1);
		memset(softgpu_pte(leaf, from), 0,
		       ((to >> PAGE_SHIFT) - (from >> PAGE_SHIFT) + 1) * sizeof(u64));
	}
}

/**
 * softgpu_vm_walk() - look an address up as the compute engine does
 * @vm: the address space; its pt_lock and the device's windows_lock are held until the memory has
 * been used
 * @side: (in, out) the address
 * @used: (in, out) mask of the windows used
 *
 * Return: 0, -EAGAIN (a fault would help), -EFAULT (mapped to what the device does not reach).
 */
int softgpu_vm_walk(struct softgpu_vm *vm, struct softgpu_side *side, unsigned long *used)
{
	u64 need = SOFTGPU_PTE_VALID | (side->write ? SOFTGPU_PTE_WRITABLE : 0);
	u64 *leaf, pte;
	void *page;

	lockdep_assert_held_read(&vm->pt_lock);

	leaf = xa_load(&vm->leaves, softgpu_leaf_index(side->addr));
	if (!leaf)
		return -EAGAIN;

	pte = *softgpu_pte(leaf, side->addr);
	if ((pte & need) != need)
		return -EAGAIN;

	side->proto = (pte & SOFTGPU_PTE_PROTO_MASK) >> SOFTGPU_PTE_PROTO_SHIFT;
	page = softgpu_window_resolve(vm->sg, side->proto, pte & SOFTGPU_PTE_ADDR_MASK, used);
	if (!page)
		return -EFAULT;

	side->kaddr = page + offset_in_page(side->addr);
	return 0;
}

/**
 * softgpu_vm_new() - mirror the caller's address space
 * @sg: the device
 *
 * Return: the VM, or an ERR_PTR as of drm_fabric_vm_init().
 */
struct softgpu_vm *softgpu_vm_new(struct softgpu_device *sg)
{
	struct softgpu_vm *vm;
	int err;

	vm = kzalloc_obj(*vm);
	if (!vm)
		return ERR_PTR(-ENOMEM);

	vm->sg = sg;
	mutex_init(&vm->exec_lock);
	xa_init(&vm->leaves);
	init_rwsem(&vm->pt_lock);

	/* As drm_gpusvm_init() does: lockdep shall know before the first reclaim. */
	fs_reclaim_acquire(GFP_KERNEL);
	might_lock(&vm->pt_lock);
	fs_reclaim_release(GFP_KERNEL);

	err = softgpu_fabric_mirror(vm);
	if (err) {
		mutex_destroy(&vm->exec_lock);
		kfree(vm);
		return ERR_PTR(err);
	}
	return vm;
}

/**
 * softgpu_vm_free() - end a mirror
 * @vm: the VM, no EXEC of which runs; may be NULL
 *
 * Also after the driver has gone. Return: NULL.
 */
struct softgpu_vm *softgpu_vm_free(struct softgpu_vm *vm)
{
	unsigned long index;
	void *leaf;

	if (!vm)
		return NULL;

	softgpu_fabric_unmirror(vm);
	xa_for_each(&vm->leaves, index, leaf)
		free_page((unsigned long)leaf);
	xa_destroy(&vm->leaves);
	mutex_destroy(&vm->exec_lock);
	kfree(vm);
	return NULL;
}

/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Ranges of a mirrored address space, for vm.c and fault.c.
 */
#ifndef FABRIC_VM_H
#define FABRIC_VM_H

#include <drm/drm_fabric.h>
#include <linux/interval_tree.h>
#include <linux/list.h>

/* One run: system memory and pages of at most one region. */
struct fabric_run {
	struct drm_gpusvm_pages pages;
	unsigned long start;
	unsigned long end;
};

/**
 * struct fabric_range - a range and what the device has mapped of it
 * @runs: under notifier_lock
 * @n_runs: under notifier_lock
 * @seq: counts invalidations; under notifier_lock
 * @mapped: the device has page-table entries; under notifier_lock
 * @writable: of these: they allow writing
 * @settled_at: fabric_generation() when it became clear that it stays where it is; 0: not yet
 * @node: in vm->ranges
 * @gc_link: in vm->gc_list once unmapped, or to be made anew
 */
struct fabric_range {
	struct drm_gpusvm_range base;
	struct fabric_run *runs;
	unsigned int n_runs;
	u64 seq;
	bool mapped;
	bool writable;
	u64 settled_at;
	struct interval_tree_node node;
	struct list_head gc_link;
};

static inline struct fabric_range *to_fabric_range(struct drm_gpusvm_range *range)
{
	return container_of(range, struct fabric_range, base);
}

static inline unsigned long fabric_run_npages(const struct fabric_run *run)
{
	return (run->end - run->start) >> PAGE_SHIFT;
}

/* A thread that moves memory for @vm: other devices that had it there do not take it back. */
struct fabric_mover {
	struct list_head link;
	struct task_struct *task;
	struct drm_fabric_vm *vm;
};

/* vm.c */
void fabric_range_add(struct drm_fabric_vm *vm, struct fabric_range *range);
void fabric_range_set_runs(struct drm_fabric_vm *vm, struct fabric_range *range,
			   struct fabric_run *runs, unsigned int n_runs);
void fabric_range_remove(struct drm_fabric_vm *vm, struct fabric_range *range);
void fabric_vm_collect(struct drm_fabric_vm *vm);
void fabric_vm_remove_in(struct drm_fabric_vm *vm, unsigned long start, unsigned long end);
void fabric_mover_begin(struct fabric_mover *mover, struct drm_fabric_vm *vm);
void fabric_mover_end(struct fabric_mover *mover);

#endif /* FABRIC_VM_H */

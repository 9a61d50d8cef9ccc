/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * softgpu - a GPU in software.
 *
 * DOC: Overview
 *
 * A render node with VRAM, a page table of its own with faults, a copy engine and a compute
 * engine; the example for authors of drivers that join the fabric.
 *
 *	pci.c		born on PCI: VRAM is a BAR
 *	bus.c		born anywhere, at run time: VRAM is RAM
 *	link.c		links that are declared at run time
 *	drv.c		the DRM device: life and death, whatever the bus
 *	fabric.c	its place in the fabric: all that the core calls and that calls the core
 *	vram.c		what VRAM is free
 *	copy.c		the copy engine: finite work, dma_fence, never faults
 *	window.c	peers' apertures, and what an address on the bus means
 *	pagetable.c	an address space: what the compute engine sees of a process
 *	exec.c		the compute engine: may fault, no dma_fence
 *	fail.c		fault injection
 *
 * DOC: Locking
 *
 * From the outside in; the core's locks are in <drm/drm_fabric.h>.
 *
 *	softgpu_vm.exec_lock (mutex: one EXEC of an address space at a time)
 *	  drm_fabric_vm.lock ... drm_gpusvm.notifier_lock (the core's, by drm_fabric_vm_fault())
 *	    softgpu_vm.pt_lock (rwsem: the page table; read while the engine touches memory)
 *	      softgpu_device.windows_lock (rwsem: the windows; read while one is used)
 *
 *	softgpu_file.create_lock (mutex: VM_CREATE of a file)
 *	  softgpu_device.fdev_lock (mutex: the device's place in the fabric)
 *	    the core's, by drm_fabric_device_register() and drm_fabric_links_changed()
 *	      links_lock of link.c (mutex: declared links)
 *	    devices_lock of drv.c (mutex: the list of devices)
 *
 *	softgpu_bus_lock (mutex: what new_device has made)
 *	  the device lock of the driver core: probe()
 *
 * pt_lock is taken in reclaim, windows_lock also on the way to a dma_fence: no memory is allocated
 * under either, and the engines hold them for SOFTGPU_PIECE bytes at a time.
 */
#ifndef _SOFTGPU_H_
#define _SOFTGPU_H_

#include <linux/atomic.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/rwsem.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include <drm/drm_device.h>
#include <drm/drm_fabric.h>

struct drm_file;
struct drm_minor;
struct gen_pool;
struct iommu_domain;
struct workqueue_struct;

/* How much an engine does between two chances for others. */
#define SOFTGPU_PIECE	max_t(u64, PAGE_SIZE, SZ_64K)

/* Counters are by enum drm_fabric_proto. */
#define SOFTGPU_N_PROTOS	(DRM_FABRIC_PROTO_PEER + 1)

/**
 * struct softgpu_aperture - the VRAM as a bus gives it
 * @phys: where it is, for peers
 * @size: bytes, multiple of PAGE_SIZE
 * @kaddr: where the CPU sees it; good for as long as the driver is bound
 */
struct softgpu_aperture {
	phys_addr_t phys;
	u64 size;
	void *kaddr;
};

/**
 * struct softgpu_device - one software GPU
 *
 * Lives as long as its drm_device, that is also while a file outlives the driver. @vram and the
 * workqueues go with the driver (devres), after remove() has stopped the engines.
 */
struct softgpu_device {
	struct drm_device drm;
	/** @link: in the list of devices, while @fdev is there or about to be */
	struct list_head link;
	/** @domain: translates this device's DMA addresses; NULL if nothing does */
	struct iommu_domain *domain;

	/** @fdev_lock: protects @fdev */
	struct mutex fdev_lock;
	/** @fdev: NULL before the device has joined the fabric and once it leaves */
	struct drm_fabric_device *fdev;
	/** @gone: the engines must stop; set once, after the core has left */
	bool gone;

	struct softgpu_aperture vram;
	struct gen_pool *vram_pool;

	struct workqueue_struct *copy_wq;
	/** @copy_lock: fences are queued in the order of @copy_seqno */
	spinlock_t copy_lock;
	u64 copy_context;
	u64 copy_seqno;
	/** @copy_stuck: the copy engine has not ended a job in time, and is off */
	bool copy_stuck;
	/** @copy_watchdog: runs while a job does */
	struct timer_list copy_watchdog;
	/** @copy_fdev: whose job that is */
	struct drm_fabric_device *copy_fdev;

	/** @windows_lock: protects @windows, @window_ids; held for reading to use a window */
	struct rw_semaphore windows_lock;
	struct list_head windows;
	unsigned long window_ids;

	struct workqueue_struct *exec_wq;
	/** @bytes: read and written by the compute engine */
	atomic64_t bytes[SOFTGPU_N_PROTOS];
	atomic64_t faults;

	/** @fail_copy_nth: every n-th copy job fails; 0 = none does */
	atomic_t fail_copy_nth;
	atomic_t fail_copy_seen;
	/** @bad_page: the copy engine does not read this page of VRAM, from 1 */
	atomic_t bad_page;
	/** @vanished: it does not answer any more: see fail.c */
	bool vanished;
	/** @hang_copy: the copy engine does not end what it begins */
	atomic_t hang_copy;
	/** @corrupt_copy: so many pages from VRAM to system memory will have one bit wrong */
	atomic_t corrupt_copy;
};

/**
 * struct softgpu_vm - a process's address space as the compute engine sees it
 *
 * Owned by its file; freed when that is closed, maybe after the driver has gone.
 */
struct softgpu_vm {
	struct drm_fabric_vm base;
	struct softgpu_device *sg;
	/** @exec_lock: held by the EXEC that runs */
	struct mutex exec_lock;
	/** @busy_ns: time that the compute engine has spent on it */
	atomic64_t busy_ns;
	/** @pt_lock: protects the entries in @leaves; to write it is the TLB flush */
	struct rw_semaphore pt_lock;
	/** @leaves: pages of page-table entries; added by prepare, freed with the VM */
	struct xarray leaves;
};

struct softgpu_file {
	/** @create_lock: one VM_CREATE at a time */
	struct mutex create_lock;
	/** @vm: NULL until VM_CREATE, then the same until the file is closed; release/acquire */
	struct softgpu_vm *vm;
};

/**
 * struct softgpu_side - an address that an operation uses, and what is behind it at the moment
 * @addr: the address
 * @write: to write there
 * @proto: enum drm_fabric_proto: where the memory is
 * @kaddr: where the CPU sees it, good to the end of the page
 */
struct softgpu_side {
	unsigned long addr;
	bool write;
	unsigned int proto;
	void *kaddr;
};

static inline struct softgpu_device *to_softgpu(struct drm_device *drm)
{
	return container_of(drm, struct softgpu_device, drm);
}

static inline struct softgpu_vm *to_softgpu_vm(struct drm_fabric_vm *vm)
{
	return container_of(vm, struct softgpu_vm, base);
}

/* Has it not been pulled out? Asked after an access: one to a device that is away does not fail. */
static inline bool softgpu_is_present(struct softgpu_device *sg)
{
	struct device *dev = sg->drm.dev;

	return !READ_ONCE(sg->vanished) &&
	       (!dev_is_pci(dev) || pci_device_is_present(to_pci_dev(dev)));
}

int softgpu_device_add(struct device *dev, const struct softgpu_aperture *vram);
void softgpu_device_remove(struct device *dev);
void softgpu_device_links_changed(const char *name);
void softgpu_device_lost(struct softgpu_device *sg);

struct drm_fabric_device *softgpu_fabric_join(struct softgpu_device *sg);
void softgpu_fabric_leave(struct drm_fabric_device *fdev);
void softgpu_fabric_links_changed(struct drm_fabric_device *fdev);
void softgpu_fabric_lost(struct drm_fabric_device *fdev);
bool softgpu_fabric_is_present(struct softgpu_vm *vm);
bool softgpu_fabric_region_is_present(struct drm_fabric_region *region);
int softgpu_fabric_mirror(struct softgpu_vm *vm);
void softgpu_fabric_unmirror(struct softgpu_vm *vm);
bool softgpu_fabric_is_current(struct softgpu_vm *vm);
int softgpu_fabric_fault(struct softgpu_vm *vm, const struct softgpu_side *miss);

int softgpu_pci_register(void);
void softgpu_pci_unregister(void);

int softgpu_bus_register(void);
void softgpu_bus_unregister(void);

int softgpu_link_declare(char **argv, int argc);
int softgpu_link_forget(char **argv, int argc);
void softgpu_link_describe(struct device *accessor, struct device *owner,
			   struct drm_fabric_link_desc *desc);
void softgpu_links_free(void);

int softgpu_vram_init(struct softgpu_device *sg);
int softgpu_vram_take(struct softgpu_device *sg, u64 size, u64 *ret_offset);
void softgpu_vram_give(struct softgpu_device *sg, u64 offset, u64 size);
void softgpu_vram_forget(struct softgpu_device *sg);
u64 softgpu_vram_avail(struct softgpu_device *sg);

int softgpu_copy_init(struct softgpu_device *sg);
struct dma_fence *softgpu_copy(struct softgpu_device *sg, struct drm_fabric_device *fdev,
			       const struct drm_fabric_copy *list, unsigned int n);
int softgpu_copy_aperture(struct softgpu_device *sg, struct drm_fabric_device *fdev,
			  phys_addr_t phys, u64 size, bool write);

int softgpu_window_init(struct softgpu_device *sg);
int softgpu_window_attach(struct softgpu_device *sg, struct drm_fabric_region *region,
			  const struct softgpu_aperture *peer);
void softgpu_window_revoke(struct softgpu_device *sg, struct drm_fabric_region *region);
void *softgpu_window_resolve(struct softgpu_device *sg, unsigned int proto, u64 addr,
			     unsigned long *used);
bool softgpu_window_all_present(struct softgpu_device *sg, unsigned long used);

struct softgpu_vm *softgpu_vm_new(struct softgpu_device *sg);
struct softgpu_vm *softgpu_vm_free(struct softgpu_vm *vm);
int softgpu_vm_prepare(struct softgpu_vm *vm, unsigned long start, unsigned long end);
void softgpu_vm_bind(struct softgpu_vm *vm, unsigned long start,
		     const struct drm_pagemap_addr *addrs, unsigned long n_addrs, bool writable);
void softgpu_vm_zap(struct softgpu_vm *vm, unsigned long start, unsigned long end);
int softgpu_vm_walk(struct softgpu_vm *vm, struct softgpu_side *side, unsigned long *used);

int softgpu_exec_init(struct softgpu_device *sg);
int softgpu_exec_ioctl(struct drm_device *drm, void *data, struct drm_file *file);

void softgpu_fail_init(struct drm_minor *minor);
bool softgpu_fail_copy(struct softgpu_device *sg);
bool softgpu_bad_page(struct softgpu_device *sg, const void *page);
bool softgpu_fail_page(struct softgpu_device *sg);

#endif /* _SOFTGPU_H_ */

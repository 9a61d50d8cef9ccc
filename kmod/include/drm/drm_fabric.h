/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What a driver of a GPU, or of another device with DMA, implements and calls to join the fabric.
 * How it fits together, with examples: kmod/README.md.
 *
 * A driver registers its drm_device with a table of small operations and a description of its
 * memory regions. The core does the rest: it owns the pagemaps (made on first use), moves
 * processes' memory in and out, keeps the table of links, hands out devmem handles, mirrors
 * address spaces for the device, and takes everything home before the device goes. A driver never
 * calls drm_pagemap or drm_gpusvm itself.
 *
 * DOC: Locking
 *
 * From the outside in. Nothing may be taken against this order.
 *
 *	drm_fabric_vm.lock (mutex: ranges of one address space; held for as long as a program's
 *	memory takes, so nobody waits for it who holds another lock)
 *	drm_fabric_registry (mutex: the set of devices, links, groups)
 *	  drm_fabric_device.users (rwsem; read: puts pages on the device; write: waits for these)
 *	    drm_fabric_device.state_lock (mutex)
 *	      region->lock (mutex: the pagemap's life; memremap waits behind it, in a worker)
 *	      region->handles_lock, grants_lock (spinlocks), a handle's lock inside both
 *	    drm_fabric_device.vms_lock (mutex: the device's address spaces)
 *	      mmap_lock of the mirrored mm (read; taken inside the helpers)
 *	        mms_lock (mutex: what is known of each mm)
 *	        page locks
 *	          drm_fabric_device.copies (rwsem; read: copies; write: leaving waits for these)
 *	            the driver's copy engine: progresses without memory that waits for reclaim
 *	        reclaim: whatever is above may be held by who waits for memory, nothing below
 *	          drm_gpusvm.notifier_lock (read: commit; write: invalidation, also from reclaim)
 *	            drm_fabric_vm.gc_lock (spinlock), the driver's page-table lock
 *	            the list of threads that move memory for devices (spinlock)
 *	          fabric_mm.preferences.lock (mutex: what was asked for ranges of the mm)
 *	          the shrinker's list of pagemaps (spinlock)
 *	          accounts_lock (spinlock)
 *	            the ledger of a region (spinlock), inside handles_lock and grants_lock, too
 *	          fabric_ledger.alloc_lock (mutex: to look at what is left, and take it)
 *	            the ledger of a region again; the driver's allocator
 *
 * A link's lock (mutex: its figures) is inside drm_fabric_registry and inside users; work of a link
 * takes users of the owner for reading, and is waited for with drm_fabric_registry held.
 *
 * users_lock (mutex: the uids) is inside all mutexes of the core, and may allocate.
 *
 * state_lock and vms_lock are not held together, nor are region->lock and what is below vms_lock.
 * Spinlocks of the core have nothing inside but wait queues, what queues work, and the driver's
 * @free and @free_bytes under a ledger's.
 *
 * The pair table is read without locks (RCU): it is consulted under notifier_lock.
 */
#ifndef _DRM_FABRIC_H_
#define _DRM_FABRIC_H_

#include <drm/drm_gpusvm.h>
#include <drm/drm_pagemap.h>
#include <linux/mutex.h>
#include <linux/rbtree_types.h>
#include <linux/sched.h>
#include <linux/types.h>

struct dma_fence;
struct drm_device;
struct drm_fabric_device;
struct drm_fabric_region;
struct drm_fabric_vm;
struct fabric_handle;
struct pid;

/**
 * enum drm_fabric_proto - what a struct drm_pagemap_addr handed to a driver means
 * @DRM_FABRIC_PROTO_SYSTEM: a DMA address of system memory, for the accessing device
 * @DRM_FABRIC_PROTO_LOCAL: an offset into the device's own region
 * @DRM_FABRIC_PROTO_PEER: a DMA address, for the accessing device, inside the aperture of a
 * peer's region
 *
 * One enum for all drivers in the fabric: they share a pagemap owner, so they must not misread
 * each other.
 */
enum drm_fabric_proto {
	DRM_FABRIC_PROTO_SYSTEM = DRM_INTERCONNECT_SYSTEM,
	DRM_FABRIC_PROTO_LOCAL = DRM_INTERCONNECT_DRIVER,
	DRM_FABRIC_PROTO_PEER,
};

enum drm_fabric_link_type {
	DRM_FABRIC_LINK_NONE,
	DRM_FABRIC_LINK_PCIE_SWITCH,
	DRM_FABRIC_LINK_PCIE_HOST_BRIDGE,
	DRM_FABRIC_LINK_XGMI,
	DRM_FABRIC_LINK_NVLINK,
	DRM_FABRIC_LINK_XE_LINK,
	DRM_FABRIC_LINK_CXL,
	DRM_FABRIC_LINK_SOFTGPU,
	DRM_FABRIC_N_LINK_TYPES,
};

enum drm_fabric_provenance {
	DRM_FABRIC_PROVENANCE_NONE,
	DRM_FABRIC_PROVENANCE_NOMINAL,
	DRM_FABRIC_PROVENANCE_FIRMWARE,
	DRM_FABRIC_PROVENANCE_MEASURED,
};

/**
 * struct drm_fabric_link_desc - one direction of a pair: accessor -> owner
 * @type: how the accessor reaches the owner
 * @up: the accessor can use the owner's memory in place
 * @why_not: if not @up: why, one line for a person; a string that lives as long as the module
 * that gave it
 * @read_bandwidth_mbps: reads by the accessor, MB/s (10^6); 0 = unknown
 * @write_bandwidth_mbps: writes by the accessor, MB/s (10^6); 0 = unknown
 * @read_latency_ns: 0 = unknown
 * @write_latency_ns: 0 = unknown
 * @hops: bridges or switches passed; 0 = unknown
 * @provenance: where the figures come from
 */
struct drm_fabric_link_desc {
	enum drm_fabric_link_type type;
	bool up;
	const char *why_not;
	u32 read_bandwidth_mbps;
	u32 write_bandwidth_mbps;
	u32 read_latency_ns;
	u32 write_latency_ns;
	u32 hops;
	enum drm_fabric_provenance provenance;
};

enum drm_fabric_copy_dir {
	DRM_FABRIC_COPY_CLEAR, /* zero the region's bytes; the other side is not used */
	DRM_FABRIC_COPY_TO_REGION,
	DRM_FABRIC_COPY_FROM_REGION,
};

/**
 * struct drm_fabric_copy - one piece of work for a copy engine
 * @dir: direction, seen from the region
 * @offset: into the region, bytes, multiple of PAGE_SIZE
 * @addr: the other side; its order gives the size of both sides: PAGE_SIZE << order. Its proto is
 * DRM_FABRIC_PROTO_SYSTEM, or with COPY_FROM_REGION also DRM_FABRIC_PROTO_PEER
 */
struct drm_fabric_copy {
	enum drm_fabric_copy_dir dir;
	u64 offset;
	struct drm_pagemap_addr addr;
};

/**
 * struct drm_fabric_device_ops - what a driver does for the core
 *
 * Each may be called from before drm_fabric_device_register() returns until
 * drm_fabric_device_unregister() has returned, never after. Several calls may run at a time, of
 * the same operation as well, except where one lock that is named as held says otherwise.
 *
 * A device with regions needs @alloc, @free, @free_bytes and @copy; one without needs none.
 *
 * "Context" says where an operation runs and which locks of the core's are held. "No waiting for
 * memory": it may sleep, but may neither allocate with __GFP_DIRECT_RECLAIM (GFP_NOWAIT is right)
 * nor wait for a lock or a worker that does. An operation calls nothing of the core's but what is
 * for any context.
 */
struct drm_fabric_device_ops {
	/**
	 * @alloc: take @size bytes of @region: contiguous, aligned to @size, a power of two of at
	 * least PAGE_SIZE and at most PMD_SIZE. What they hold is of no interest: the core
	 * overwrites or clears them.
	 *
	 * Context: process. drm_fabric_device.users (read) of the owner, and for populate
	 * mmap_lock (read) and page locks; fabric_ledger.alloc_lock: one at a time for each
	 * region. May sleep, no waiting for memory.
	 *
	 * Return: 0 and *@offset; -ENOSPC: there is no such block: the core tries smaller ones,
	 * and pages that get none are refused as DRM_FABRIC_REFUSED_NO_ROOM.
	 */
	int (*alloc)(struct drm_fabric_region *region, u64 size, u64 *offset);

	/**
	 * @free: give back [@offset, @offset + @size), multiples of PAGE_SIZE: any part of what
	 * was allocated, each byte once. The bytes need not be cleared.
	 *
	 * Context: any, also atomic: a spinlock of the core's, page-table locks and the RCU read
	 * lock may be held. Must not sleep. Cannot fail.
	 */
	void (*free)(struct drm_fabric_region *region, u64 offset, u64 size);

	/**
	 * @free_bytes: how much of @region could be allocated now, in blocks of PAGE_SIZE.
	 *
	 * Users are promised bytes that are free by this figure. A driver that takes memory for
	 * itself lowers the figure by that, best before it joins; afterwards only by what it must
	 * have, for it may be taking what somebody was promised. That is then missing: who comes
	 * last finds the region full. What is freed is in the figure when @free returns.
	 *
	 * Context: any, also under a spinlock of the core's. Must not sleep.
	 */
	u64 (*free_bytes)(struct drm_fabric_region *region);

	/**
	 * @copy: start @n pieces of work of @region's copy engine, in any order among themselves.
	 *
	 * Called with page locks held; the fence is in the reclaim path: no allocation that may
	 * wait for reclaim may be needed for it to signal. Finite work only: a driver that sees
	 * its engine not end a job calls drm_fabric_device_lost() and, when the engine cannot touch
	 * memory any more, signals the fence. An engine that fails, or without @present finds its
	 * device gone after the copy, sets the fence's error: the core keeps the source and tries
	 * again or gives up. @list belongs to the core and is valid until
	 * the fence has signalled.
	 *
	 * Context: process: a populate, a page fault of the CPU, or the core's evictor. Page
	 * locks, and maybe mmap_lock (read) or the lock of one VMA. May sleep, no waiting for
	 * memory.
	 *
	 * Return: a fence that the caller puts, or an ERR_PTR. -ENOMEM, which only an engine that
	 * takes memory without waiting can meet, costs no data: the copy is tried again later. Any
	 * other is an engine that fails: the work is tried three times, and then its destination
	 * is not used.
	 */
	struct dma_fence *(*copy)(struct drm_fabric_region *region,
				  const struct drm_fabric_copy *list, unsigned int n);

	/**
	 * @present: is the device still there? Optional.
	 *
	 * The core asks after each copy from or to its memory, and when it leaves; if it is not
	 * there the device is lost, as by drm_fabric_device_lost(). To read an ID from the
	 * configuration space is right (pci_device_is_present()).
	 *
	 * Context: any, with page locks and locks of other drivers held. Must neither sleep nor
	 * allocate.
	 */
	bool (*present)(struct drm_fabric_device *fdev);

	/**
	 * @describe_link: how @accessor, the driver's own device, reaches @owner. Optional.
	 *
	 * *@desc holds what the PCI default rule says; the driver may overwrite it. @owner may be
	 * another driver's device: its drm_fabric_device_priv() means nothing here. A link to a
	 * device without regions is down whatever is said.
	 *
	 * Context: process. drm_fabric_registry. May sleep and allocate. Asked when either end
	 * joins, and at drm_fabric_links_changed() of either end.
	 */
	void (*describe_link)(struct drm_fabric_device *accessor, struct drm_fabric_device *owner,
			      struct drm_fabric_link_desc *desc);

	/**
	 * @attach_peer: @accessor may use @region of a peer from now on: make a window on its
	 * aperture. Optional.
	 *
	 * Afterwards @accessor's work may meet memory of a device that has vanished, and reads
	 * ones there: before a job that has used @region is reported as done,
	 * drm_fabric_device_present() of its device has to say so.
	 *
	 * Context: process. drm_fabric_registry. May sleep and allocate.
	 *
	 * Return: 0, or a negative errno: then the link is published as down.
	 */
	int (*attach_peer)(struct drm_fabric_device *accessor, struct drm_fabric_region *region);

	/**
	 * @revoke_peer: @accessor must not touch @region any more. Optional if there is no
	 * @attach_peer.
	 *
	 * The core has removed all its mappings before; copies may be under way. Returns when
	 * nothing of @accessor uses the aperture. Called once for each successful @attach_peer.
	 *
	 * Context: process. drm_fabric_registry. May sleep, and wait for work of @accessor that
	 * ends by itself. Cannot fail.
	 */
	void (*revoke_peer)(struct drm_fabric_device *accessor, struct drm_fabric_region *region);

	/**
	 * @copy_region: move @size bytes between @accessor, the driver's own device, and
	 * [@offset, @offset + @size) of @region, a peer's, the way @accessor's programs would: to
	 * measure the link. Optional: without it the link cannot be measured.
	 *
	 * @write: by @accessor into @region; otherwise it reads. The bytes at @offset are scratch
	 * that the core has taken from the peer for this. The link is up and stays so.
	 *
	 * Context: a worker, one at a time for each link. drm_fabric_device.users (read) of the
	 * owner. May sleep, and allocate, but comes back in bounded time: draining the peer and
	 * taking the link down wait for it.
	 *
	 * Return: 0 when the bytes have arrived, or a negative errno, which measure_state shows.
	 */
	int (*copy_region)(struct drm_fabric_device *accessor, struct drm_fabric_region *region,
			   u64 offset, u64 size, bool write);
};

/**
 * struct drm_fabric_vm_ops - what a driver does with an address space
 *
 * All are needed. What they share is a lock of the driver's that @zap takes in reclaim: nothing may
 * be allocated under it, and whoever holds it while the device accesses memory holds it for a
 * bounded time. None is called once drm_fabric_vm_fini() or drm_fabric_device_unregister() has
 * returned.
 */
struct drm_fabric_vm_ops {
	/**
	 * @prepare: get the memory that binding [@start, @end) needs, so that @bind needs none.
	 * The same again is possible at any time.
	 *
	 * Context: that of drm_fabric_vm_fault(). drm_fabric_vm.lock: one at a time for each
	 * @vm. May sleep and allocate.
	 *
	 * Return: 0 or -ENOMEM, which drm_fabric_vm_fault() returns.
	 */
	int (*prepare)(struct drm_fabric_vm *vm, unsigned long start, unsigned long end);

	/**
	 * @bind: map @addrs from @start on: a compact array, one element a piece of PAGE_SIZE <<
	 * order bytes, whose proto is an enum drm_fabric_proto. Overwrites what is mapped there.
	 * All of it has been prepared. @writable: the device may write; otherwise it must not.
	 *
	 * Context: that of drm_fabric_vm_fault(). drm_fabric_vm.lock, drm_gpusvm.notifier_lock
	 * (read): one at a time for each @vm. May sleep, must not allocate at all. Cannot fail.
	 */
	void (*bind)(struct drm_fabric_vm *vm, unsigned long start,
		     const struct drm_pagemap_addr *addrs, unsigned long n_addrs, bool writable);

	/**
	 * @zap: unmap [@start, @end). When it returns the device uses none of it, and what it
	 * has written has arrived.
	 *
	 * Context: process, any: whoever changes the process's memory, also reclaim, with locks of
	 * memory management held. drm_gpusvm.notifier_lock (write), so neither @bind nor another
	 * @zap of this @vm runs. May sleep, must not allocate at all, and must not wait for
	 * anything but accesses that run. Cannot fail.
	 */
	void (*zap)(struct drm_fabric_vm *vm, unsigned long start, unsigned long end);
};

/**
 * struct drm_fabric_region_desc - a memory region as its driver describes it
 * @name: "vram0"; up to 15 characters
 * @phys: CPU physical address of the aperture that shows the whole region, and what a peer maps
 * @size: bytes, multiple of PAGE_SIZE
 */
struct drm_fabric_region_desc {
	const char *name;
	phys_addr_t phys;
	u64 size;
};

/**
 * drm_fabric_device_register() - join the fabric
 * @drm: the registered device; drm->dev is its parent and gives the name
 * @ops: the driver's operations
 * @priv: for drm_fabric_device_priv()
 * @regions: memory regions, copied
 * @n_regions: at most DRM_FABRIC_MAX_REGIONS; 0 for a device that only uses others' memory
 *
 * May call @ops, and operations of peers, before it returns. For probe(): programs can open the
 * node of @drm before this returns, and have to wait in drm_fabric_vm_init()'s caller for @fdev.
 *
 * Context: process, without locks that operations take. Takes drm_fabric_registry. May sleep.
 *
 * Return: the device; ERR_PTR: -EINVAL (too many regions, one that is empty or not of whole pages,
 * without the operations that it needs, or with a name of 16 characters or more; a device's name of
 * 32 or more), -EEXIST (the parent has joined already), -ENOMEM, or what sysfs says.
 */
struct drm_fabric_device *drm_fabric_device_register(struct drm_device *drm,
						     const struct drm_fabric_device_ops *ops,
						     void *priv,
						     const struct drm_fabric_region_desc *regions,
						     unsigned int n_regions);

/* An address of DRM_FABRIC_PROTO_LOCAL does not say which region it is in. */
#define DRM_FABRIC_MAX_REGIONS 1

/**
 * drm_fabric_device_unregister() - leave the fabric
 * @fdev: the device; not to be used afterwards
 *
 * For the driver's remove(), before it stops its engines and before drm_dev_unplug(). Brings
 * every page home, revokes handles and address spaces, lets peers go and takes down the pagemaps.
 * Waits as long as that takes.
 *
 * A device that is lost, or that @present does not find, brings nothing home, and waits for no
 * page, but for copies that its engine has begun: its memory goes with it, and @free is not called
 * for it any more.
 *
 * Address spaces live on, dead: drm_fabric_vm_fault() says -ENODEV, drm_fabric_vm_fini() is due.
 *
 * Context: process, without locks that operations take, and with nobody in drm_fabric_vm_init() or
 * drm_fabric_links_changed() of @fdev. Takes drm_fabric_registry and the locks below it.
 */
void drm_fabric_device_unregister(struct drm_fabric_device *fdev);

/**
 * drm_fabric_device_lost() - the device does not answer any more
 * @fdev: the device
 *
 * Nothing that it holds is believed from this call on, even if it comes back: a touch of its pages
 * is SIGBUS, and copies under way have failed. Peers are revoked, its address spaces ended and its
 * holders told soon afterwards, by a worker. What is left to the driver is
 * drm_fabric_device_unregister(); a device that comes back registers anew.
 *
 * Any context, atomic as well: an error handler of the bus, a timeout of an engine. From
 * registration until drm_fabric_device_unregister() has returned; more than once is harmless.
 */
void drm_fabric_device_lost(struct drm_fabric_device *fdev);

/**
 * drm_fabric_device_present() - is a device still there?
 * @fdev: the driver's own, or drm_fabric_region_device() of a peer's region between @attach_peer
 * and @revoke_peer
 *
 * For who has used its memory, afterwards. A device that does not answer is lost from then on.
 * Where @present may be called.
 *
 * Return: true: what was read was its data; false: it is lost, and what was read is nothing.
 */
bool drm_fabric_device_present(struct drm_fabric_device *fdev);

/**
 * drm_fabric_links_changed() - links from or to a device may be different now
 * @fdev: the device
 *
 * Asks the drivers of both ends of each link anew (@describe_link). A link that is down now is
 * revoked when this returns: no accessor uses the peer's memory any more, running work goes on
 * through system memory, and a measurement has ended. May sleep, and wait for populates under way.
 * Harmless before the device has joined others and once it leaves; not after
 * drm_fabric_device_unregister() has returned. Not from an operation of the driver, and not under a
 * lock that one takes.
 */
void drm_fabric_links_changed(struct drm_fabric_device *fdev);

/**
 * drm_fabric_device_priv() - what the driver gave when it registered
 * @fdev: a device of the same driver
 *
 * Context: any.
 *
 * Return: what the driver registered it with.
 */
void *drm_fabric_device_priv(const struct drm_fabric_device *fdev);

/**
 * drm_fabric_device_drm() - the DRM device; not counted
 * @fdev: any device that an operation was given
 *
 * Context: any.
 *
 * Return: the device, which lives until its driver has unregistered it.
 */
struct drm_device *drm_fabric_device_drm(const struct drm_fabric_device *fdev);

/**
 * drm_fabric_region_device() - whose memory it is
 * @region: any region that an operation was given
 *
 * Context: any.
 *
 * Return: the device.
 */
struct drm_fabric_device *drm_fabric_region_device(const struct drm_fabric_region *region);

/**
 * drm_fabric_region_phys() - where the CPU, and a peer, find the region's aperture
 * @region: any region that an operation was given
 *
 * Context: any.
 *
 * Return: a CPU physical address.
 */
phys_addr_t drm_fabric_region_phys(const struct drm_fabric_region *region);

/**
 * drm_fabric_region_size() - how large a region is
 * @region: any region that an operation was given
 *
 * Context: any.
 *
 * Return: bytes.
 */
u64 drm_fabric_region_size(const struct drm_fabric_region *region);

/**
 * struct drm_fabric_vm - an address space of a process, mirrored for a device
 *
 * Embedded in the driver's own structure. Members belong to the core.
 */
struct drm_fabric_vm {
	/** @svm: the mirror */
	struct drm_gpusvm svm;
	/** @fdev: the device that accesses */
	struct drm_fabric_device *fdev;
	/** @ops: the driver's operations */
	const struct drm_fabric_vm_ops *ops;
	/** @lock: protects the set of ranges; outside mmap_lock and notifier_lock */
	struct mutex lock;
	/** @link: in fdev->vms, under fdev->vms_lock */
	struct list_head link;
	/** @ranges: by address; under svm.notifier_lock, for who must not wait for @lock */
	struct rb_root_cached ranges;
	/** @n_forgets: how often what is preferred has changed; under svm.notifier_lock */
	u64 n_forgets;
	/** @gc_list: ranges whose mapping has gone, or that are to be made anew; under @gc_lock */
	struct list_head gc_list;
	/** @gc_lock: protects @gc_list, inside notifier_lock */
	spinlock_t gc_lock;
	/** @dead: the device is leaving; nothing is bound any more under svm.notifier_lock */
	bool dead;
	/** @cred: of whoever made it: memory is placed for it on that one's account */
	const struct cred *cred;
	/** @opener: the process that made it, by its leader */
	struct pid *opener;
	/** @local: through which memory is placed on @fdev if that is preferred; NULL at first */
	struct fabric_handle *local;
};

/**
 * drm_fabric_vm_init() - mirror current->mm for a device
 * @vm: zeroed memory that lives until drm_fabric_vm_fini()
 * @fdev: the accessing device
 * @ops: the driver's operations
 *
 * Calls no operation.
 *
 * Context: process, of the program whose memory it is. Takes drm_fabric_device.users (read), which
 * an eviction that begins may keep it from for a while. May sleep. A lock of the driver's may be
 * held, e.g. the one that keeps remove() from giving @fdev up meanwhile.
 *
 * Return: 0; -EINVAL there is no current->mm; -ESHUTDOWN draining; -ENODEV leaving; -EINTR a fatal
 * signal; -ENOMEM.
 */
int drm_fabric_vm_init(struct drm_fabric_vm *vm, struct drm_fabric_device *fdev,
		       const struct drm_fabric_vm_ops *ops);

/**
 * drm_fabric_vm_is_current() - is it the caller's address space?
 * @vm: the mirror
 *
 * A file may be inherited or passed on. Addresses that come with a call mean something in the
 * caller's address space, and must not be used in another's.
 *
 * Context: process.
 *
 * Return: whether it is.
 */
static inline bool drm_fabric_vm_is_current(const struct drm_fabric_vm *vm)
{
	return vm->svm.mm == current->mm;
}

/**
 * drm_fabric_vm_fini() - end a mirror
 * @vm: the mirror; no drm_fabric_vm_fault() of it runs
 *
 * Zaps what is mapped. May be called after the device has left.
 *
 * Context: process, without locks that operations take. Takes drm_fabric_vm.lock. May sleep.
 */
void drm_fabric_vm_fini(struct drm_fabric_vm *vm);

/**
 * drm_fabric_vm_fault() - make an address usable by the device
 * @vm: the address space
 * @addr: the address that the device missed
 * @write: it wants to write
 *
 * Puts the range around @addr where the process prefers it, if it has said so and there is room.
 * Maps it where its pages are if the device reaches them, and brings home the pages that it does
 * not reach. Binds through @vm->ops. What is bound may be zapped before this
 * is over: look again, and ask again. A device that cannot fault has its driver ask before it
 * starts, for each page.
 *
 * Context: process, without locks: a worker of the device, or the program's own call. Takes
 * drm_fabric_vm.lock and mmap_lock (read). May sleep, for as long as the process's own page fault
 * would; must not be in the way of a dma_fence. After drm_fabric_device_unregister() it says
 * -ENODEV.
 *
 * Return: 0; -EFAULT no such mapping, not writable, its data is lost, or the process has gone;
 * -ENODEV the device leaves or has left; -ENOMEM; -EBUSY the range does not stand still (try
 * again); -EINTR a fatal signal.
 */
int drm_fabric_vm_fault(struct drm_fabric_vm *vm, unsigned long addr, bool write);

/**
 * drm_fabric_vm_peers_present() - are the peers still there whose memory the device uses?
 * @vm: the address space
 *
 * For a device that keeps no windows and so does not know whose memory it was, after it has
 * used memory of %DRM_FABRIC_PROTO_PEER and before it lets @zap go on: reads of a peer that has
 * vanished give ones. If one is missing, what was done is to be done again; the fault tells what
 * there is to tell.
 *
 * Context: any. Calls @present of drivers of peers.
 *
 * Return: whether all are. After the device has left: true.
 */
bool drm_fabric_vm_peers_present(struct drm_fabric_vm *vm);

#endif /* _DRM_FABRIC_H_ */

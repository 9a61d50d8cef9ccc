/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Inside of the fabric core. Nothing here is for drivers: that is <drm/drm_fabric.h>.
 */
#ifndef FABRIC_H
#define FABRIC_H

#include <drm/drm_fabric.h>
#include <linux/cleanup.h>
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/kref.h>
#include <linux/kstrtox.h>
#include <linux/llist.h>
#include <linux/maple_tree.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/string.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <uapi/drm/drm_fabric.h>

#include "account.h"

struct fabric_grant;
struct fabric_handle;
struct fabric_link;

/* What an evictor waits for; of several things the last of these. */
enum fabric_blocked {
	FABRIC_BLOCKED_NONE,
	FABRIC_BLOCKED_BUSY,
	FABRIC_BLOCKED_MEMORY,
	FABRIC_BLOCKED_COPY,
};

/**
 * struct drm_fabric_device - a device in the fabric
 * @dev: in class drm_fabric; child of the parent, and its name
 * @drm: counted
 * @incarnation: how many devices of this name there have been
 * @slot: key of this device in others' @links
 * @generation: of the last change here
 * @link: in fabric_devices, under fabric_registry
 * @changed: something about it or its links or groups is new, and nobody has been told; under
 * fabric_registry
 * @links: fabric_link by the owner's slot; written under fabric_registry, read under RCU
 * @state_lock: protects @state, @leaving and what goes with a change; inside fabric_registry
 * @state: enum drm_fabric_state
 * @leaving: the driver's remove() has begun; no way back
 * @unbind_wanted: unbind when it is offline, unless that is called off
 * @unbinding: unbind_work is about to call remove(); no way back
 * @n_cancels: counts cancels, for those who wait for something that was called off
 * @n_evictions: counts evictions begun: an evictor that was called off must not go on with the next
 * @lost: it has vanished; no way back. Set before @state and without a lock: see lost.c
 * @gone: remove() has come to its end; no operation of the driver is called any more
 * @left: after that: its files in sysfs have gone, too
 * @users: held for reading by work that may put pages on the device. A change of state flushes it
 * by taking it for writing. Outside mmap_lock
 * @copies: held for reading while its engine copies; unregistration waits for that, by taking it
 * for writing: pages of a device that is lost keep nobody
 * @blocked: enum fabric_blocked
 * @reason: enum drm_fabric_event_reason: who began what leads from online
 * @deadline_ns: of the notice, CLOCK_MONOTONIC; 0 = none; under @state_lock
 * @evict_at_deadline: begin to evict then
 * @abandoned: what does not go home is given up; under @state_lock
 * @asleep: the machine sleeps, or is about to: no administrator changes the state
 * @wake_state: the state to go back to then; 0: it stays as it is
 * @wake_reason: the @reason that goes with that
 * @evict_work: takes everything home
 * @deadline_work: begins that when the notice is over
 * @unbind_work: unbinds the driver
 * @lost_work: does what follows from @lost
 * @waitq: woken on each change of state, when the device is gone and when @n_faults is 0
 * @vms: address spaces, under @vms_lock
 * @n_faults: drm_fabric_vm_fault() that runs
 */
struct drm_fabric_device {
	struct device dev;
	struct drm_device *drm;
	const struct drm_fabric_device_ops *ops;
	void *priv;
	u64 incarnation;
	unsigned long slot;
	u64 generation;
	struct list_head link;
	bool changed;
	struct xarray links;
	struct kobject *links_dir;
	struct kobject *regions_dir;
	struct mutex state_lock; /* see above */
	int state;
	bool leaving;
	bool unbind_wanted;
	bool unbinding;
	int lost;
	bool gone;
	bool left;
	unsigned int n_cancels;
	unsigned int n_evictions;
	struct rw_semaphore users;
	struct rw_semaphore copies;
	int blocked;
	int reason;
	u64 deadline_ns;
	bool evict_at_deadline;
	bool abandoned;
	bool asleep;
	int wake_state;
	int wake_reason;
	struct work_struct evict_work;
	struct delayed_work deadline_work;
	struct work_struct unbind_work;
	struct work_struct lost_work;
	wait_queue_head_t waitq;
	struct mutex vms_lock; /* see above */
	struct list_head vms;
	atomic_t n_faults;
	unsigned int n_regions;
	struct drm_fabric_region *regions[DRM_FABRIC_MAX_REGIONS];
	struct rcu_head rcu;
};

/**
 * struct drm_fabric_region - memory of a device
 * @kobj: regions/<name>; its release frees the region
 * @fdev: not counted: the device holds its regions, and a handle holds both
 * @lock: protects the life of @pm
 * @pm: the struct pages, or NULL
 * @n_dying: pagemaps that are being taken down, and will be gone soon
 * @n_buried: pagemaps that only dead pages keep
 * @n_handles: open handles
 * @n_users: between fabric_region_use_pagemap() and _unuse_pagemap(): @pm stays
 * @n_pages: pages taken from the driver, whether or not they hold data yet
 * @n_dead: of these: tombstones, while it is not @lost
 * @lost: the device has vanished: all pages are dead, in every pagemap of the region
 * @n_mappings: addresses given out by device_map
 * @pagemap_creations: how often there was a new @pm
 * @creation_due_ns: when as many would be right as have been made; under @lock
 * @idle_work: takes @pm down when nothing has referred to it for @idle_timeout_ms
 * @reclaim_work: takes it down if nothing refers to it
 * @handles: open handles, under @handles_lock
 * @ledger: whose the bytes are, and what is promised
 * @recall_work: takes home what was placed through handles that were taken back
 * @recall_delay_ms: how long that waits for what resists
 * @lost_bytes: that holders have not been told of: could not be copied, and abandoned
 * @lost_work: tells them
 */
struct drm_fabric_region {
	struct kobject kobj;
	struct drm_fabric_device *fdev;
	char name[DRM_FABRIC_REGION_NAME_SIZE];
	phys_addr_t phys;
	u64 size;
	struct mutex lock; /* see above */
	struct fabric_pagemap *pm;
	atomic_t n_dying;
	atomic_t n_buried;
	atomic_t n_handles;
	atomic_t n_users;
	atomic64_t n_pages;
	atomic64_t n_dead;
	bool lost;
	atomic64_t n_mappings;
	atomic64_t moved_in_bytes;
	atomic64_t moved_out_bytes;
	atomic64_t evicted_bytes;
	atomic64_t pagemap_creations;
	u64 creation_due_ns;
	unsigned int idle_timeout_ms;
	struct delayed_work idle_work;
	struct work_struct reclaim_work;
	spinlock_t handles_lock; /* see above */
	struct list_head handles;
	struct fabric_ledger ledger;
	struct delayed_work recall_work;
	unsigned int recall_delay_ms;
	atomic64_t lost_bytes[2];
	struct delayed_work lost_work;
	struct rcu_head rcu;
};

/**
 * struct fabric_pagemap - struct pages for a region, from memremap to memunmap
 * @dpagemap: counted: one reference is the core's, one each zdd's and each mapping's
 * @pgmap: the core's own memremap, not devm: it outlives an unbind if it must
 * @region: counted, and so is its device
 * @pages: per page of the region: the allocation that it belongs to, or NULL. A set entry holds
 * no reference; the page's zdd does. Who does not own the page looks under RCU
 * @dead: per page: a tombstone, its data is lost. Set by whoever holds the folio's lock, cleared
 * when the page is free. fabric_page_is_dead() reads it
 * @n_pages, @n_dead: as in struct drm_fabric_region, of this pagemap
 * @arrival: see copy.c
 * @buried: not the region's any more, and dead pages keep it
 * @wanted: reclaim has asked for it
 * @split_work: splits the large folio at page @split_index, while bit 0 of @split_busy is set; bit
 * 1: it has not succeeded
 * @link: the shrinker's
 */
struct fabric_pagemap {
	struct drm_pagemap dpagemap;
	struct dev_pagemap pgmap;
	struct drm_fabric_region *region;
	struct fabric_alloc **pages;
	unsigned long *dead;
	atomic64_t n_pages;
	atomic64_t n_dead;
	struct dma_fence *arrival;
	bool buried;
	bool wanted;
	struct list_head link;
	struct work_struct destroy_work;
	struct work_struct split_work;
	unsigned long split_index;
	unsigned long split_busy;
	struct rcu_head rcu;
};

#define FABRIC_MAX_EXTENTS 16

/**
 * struct fabric_alloc - one successful or failed move of a piece of memory into a region
 * @devmem: what drm_pagemap knows; its size is the granule in which a CPU touch brings pages
 * home, not ours
 * @handle: counted: through which it was placed
 * @account: counted: for whom
 * @n_extents: number of @extents, each a block that the driver gave
 * @n_pages: pages in all extents
 * @n_freed: of these, pages given back
 *
 * The account keeps devmem.mm: after a fork pages may outlive the mm that placed them.
 */
struct fabric_alloc {
	struct drm_pagemap_devmem devmem;
	struct kref ref;
	struct fabric_pagemap *pm;
	struct fabric_handle *handle;
	struct fabric_account *account;
	unsigned long start;
	unsigned int n_extents;
	unsigned long n_pages;
	atomic_long_t n_freed;
	struct llist_node free_node;
	struct rcu_head rcu;
	struct {
		u64 offset;
		unsigned long n_pages;
	} extents[FABRIC_MAX_EXTENTS];
};

/* A CPU touch brings home the aligned block of this size around it, or the whole large page. */
#define FABRIC_FAULT_GRANULE max_t(unsigned long, SZ_64K, PAGE_SIZE)
/* Populate works, and can be interrupted, in steps of this size. */
#define FABRIC_STEP PMD_SIZE
#define FABRIC_STEP_PAGES (FABRIC_STEP >> PAGE_SHIFT)

/* A name from user space: it ends, and nothing is behind its end. */
static inline bool fabric_name_ok(const char *name, size_t size)
{
	size_t len = strnlen(name, size);

	return len < size && !memchr_inv(name + len, 0, size - len);
}

/* [start, start + length): pages of an address space. */
static inline bool fabric_range_ok(u64 start, u64 length)
{
	return length && PAGE_ALIGNED(start) && PAGE_ALIGNED(length) && start < TASK_SIZE &&
	       length <= TASK_SIZE - start;
}

/* What may be written to a file that does one thing: 1. Returns 0 or -EINVAL. */
static inline int fabric_parse_act(const char *buf)
{
	bool on;
	int err = kstrtobool(buf, &on);

	return err || on ? err : -EINVAL;
}

/* main.c */
extern struct mutex fabric_registry;
extern struct list_head fabric_devices;
extern struct workqueue_struct *fabric_wq;
extern struct workqueue_struct *fabric_evict_wq;
bool fabric_is_fabric_file(struct file *file);
extern const struct class fabric_class;
extern const struct class fabric_group_class;
u64 fabric_generation(void);
u64 fabric_generation_bump(void);
/* The owner of all fabric pages: one for the fabric, reachability is decided by pairs. */
void *fabric_owner(void);

/* lockdep.c */
int fabric_lockdep_init(void);

/* device.c */
void fabric_device_init_locks(struct drm_fabric_device *fdev);
struct drm_fabric_device *fabric_device_find(const char *name);
struct drm_fabric_device *fabric_device_next(struct drm_fabric_device *prev);
struct drm_fabric_device *fabric_device_by_file(struct file *file);
struct drm_fabric_device *fabric_device_by_parent(struct device *parent);
bool fabric_device_any_unreaching(struct drm_fabric_device *owner);
int fabric_device_uevent(const struct device *dev, struct kobj_uevent_env *env);
void fabric_device_changed(struct drm_fabric_device *fdev);
void fabric_devices_tell(void);
u64 fabric_device_resident(struct drm_fabric_device *fdev);
u64 fabric_device_dead(struct drm_fabric_device *fdev);
void fabric_names_free(void);

static inline struct drm_fabric_device *to_fabric_device(struct device *dev)
{
	return container_of(dev, struct drm_fabric_device, dev);
}

/* state.c */
void fabric_state_init(struct drm_fabric_device *fdev);
void fabric_state_leave(struct drm_fabric_device *fdev);
void fabric_device_post(struct drm_fabric_device *fdev, u32 type, u64 deadline_ns, u64 bytes);
void fabric_device_flush_users(struct drm_fabric_device *fdev);
int fabric_device_begin_use(struct drm_fabric_device *fdev);
void fabric_device_end_use(struct drm_fabric_device *fdev);
int fabric_device_drain(struct drm_fabric_device *fdev, unsigned int notice_ms, bool evict);
int fabric_device_cancel(struct drm_fabric_device *fdev);
int fabric_device_evict(struct drm_fabric_device *fdev, unsigned int *n_cancels);
int fabric_device_unbind(struct drm_fabric_device *fdev, unsigned int *n_cancels);
int fabric_device_abandon(struct drm_fabric_device *fdev);
void fabric_device_sleep(struct drm_fabric_device *fdev);
void fabric_device_wake(struct drm_fabric_device *fdev);
void fabric_state_lost(struct drm_fabric_device *fdev);
void fabric_device_drop_pagemaps(struct drm_fabric_device *fdev);
bool fabric_device_evict_wanted(struct drm_fabric_device *fdev, unsigned int nr);
const char *fabric_state_name(int state);
const char *fabric_blocked_name(struct drm_fabric_device *fdev);

/* link.c */
int fabric_links_add(struct drm_fabric_device *fdev);
void fabric_links_remove(struct drm_fabric_device *fdev);
void fabric_links_settle(struct drm_fabric_device *fdev);
bool fabric_reachable(struct drm_fabric_device *accessor, struct drm_fabric_device *owner);
const struct drm_fabric_link_desc *fabric_link_desc(struct drm_fabric_device *accessor,
						    struct drm_fabric_device *owner);
const char *fabric_link_type_name(enum drm_fabric_link_type type);

/* unmanaged.c */
int fabric_unmanaged_init(void);
void fabric_unmanaged_exit(void);
void fabric_unmanaged_check(void);

/* group.c */
void fabric_groups_update(void);

/* Pages in use, without those whose data is lost. */
static inline u64 fabric_region_resident(struct drm_fabric_region *region)
{
	/* A dead page leaves n_dead first: in this order nothing that lives is overlooked. */
	s64 n_pages = atomic64_read_acquire(&region->n_pages);
	s64 n_dead = atomic64_read(&region->n_dead);

	if (READ_ONCE(region->lost))
		return 0;
	return (u64)max(n_pages - n_dead, 0) << PAGE_SHIFT;
}

static inline u64 fabric_region_dead(struct drm_fabric_region *region)
{
	return (u64)atomic64_read(READ_ONCE(region->lost) ? &region->n_pages : &region->n_dead)
	       << PAGE_SHIFT;
}

/* Of @bytes in the region: how much is dead, if @dead_bytes were counted one by one. */
static inline u64 fabric_dead_of(const struct drm_fabric_region *region, u64 bytes, u64 dead_bytes)
{
	return READ_ONCE(region->lost) ? bytes : dead_bytes;
}

/* region.c */
struct drm_fabric_region *fabric_region_find(struct drm_fabric_device *fdev, const char *name);
struct drm_fabric_region *fabric_region_create(struct drm_fabric_device *fdev,
					       const struct drm_fabric_region_desc *desc);
void fabric_region_init_lock(struct drm_fabric_region *region);
void fabric_region_remove(struct drm_fabric_region *region);
void fabric_region_put(struct drm_fabric_region *region);

/* pagemap.c */
bool fabric_pagemap_in_use(struct fabric_pagemap *pm);
const char *fabric_region_pagemap_state(struct drm_fabric_region *region);
void fabric_region_give_up_pagemap(struct drm_fabric_region *region);
int fabric_region_trim(struct drm_fabric_region *region);
int fabric_trim(void);
u64 fabric_dead_bytes(void);
int fabric_region_use_pagemap(struct drm_fabric_region *region);
void fabric_region_unuse_pagemap(struct drm_fabric_region *region);
void fabric_region_check_idle(struct drm_fabric_region *region);
void fabric_region_drop_pagemap(struct drm_fabric_region *region);
struct drm_fabric_region *fabric_region_of_entry(unsigned long hmm_pfn);
bool fabric_entry_is_dead(unsigned long hmm_pfn);

static inline struct fabric_pagemap *to_fabric_pagemap(struct drm_pagemap *dpagemap)
{
	return container_of(dpagemap, struct fabric_pagemap, dpagemap);
}

static inline struct fabric_pagemap *fabric_page_pagemap(struct page *page)
{
	return container_of(page_pgmap(page), struct fabric_pagemap, pgmap);
}

static inline unsigned long fabric_page_index(struct fabric_pagemap *pm, struct page *page)
{
	return page_to_pfn(page) - PHYS_PFN(pm->pgmap.range.start);
}

/* Is the data of a page lost, with its device or alone? Under RCU, or with a hold on the page. */
static inline bool fabric_page_is_dead(struct fabric_pagemap *pm, unsigned long index)
{
	return READ_ONCE(pm->region->lost) || test_bit(index, pm->dead);
}

/* shrinker.c */
void fabric_shrinker_add(struct fabric_pagemap *pm);
void fabric_shrinker_remove(struct fabric_pagemap *pm);
int fabric_shrinker_init(void);
void fabric_shrinker_exit(void);
void fabric_shrinker_lockdep(void);

/* alloc.c */
struct fabric_alloc *fabric_alloc_new(struct fabric_handle *handle, struct fabric_account *account,
				      struct fabric_pagemap *pm, unsigned long start);
void fabric_alloc_put(struct fabric_alloc *alloc);
int fabric_alloc_populate(struct fabric_alloc *alloc, unsigned long npages, unsigned long *pfns);
void fabric_alloc_release(struct drm_pagemap_devmem *devmem);
void fabric_folio_free(struct folio *folio);
void fabric_folio_kill(struct folio *folio, bool abandoned);

/* copy.c */
int fabric_copy_run(struct drm_fabric_region *region, const struct drm_fabric_copy *list,
		    unsigned int n);
int fabric_copy_to_devmem(struct page **pages, struct drm_pagemap_addr *addrs, unsigned long npages,
			  struct dma_fence *fence);
int fabric_copy_to_ram(struct page **pages, struct drm_pagemap_addr *addrs, unsigned long npages,
		       struct dma_fence *fence);
struct dma_fence *fabric_arrival_new(struct drm_fabric_region *region);

/* migrate.c */
void fabric_migrate_init(void);
const struct dev_pagemap_ops *fabric_dev_pagemap_ops(void);
int fabric_populate(struct fabric_handle *handle, struct mm_struct *mm,
		    struct drm_fabric_devmem_populate *args);

/* walk.c */
enum fabric_why {
	/* values of enum drm_fabric_refusal, and */
	FABRIC_WHY_NOBODY_ASKS = DRM_FABRIC_N_REFUSED,
	FABRIC_WHY_PRESENT, /* it is in the region, alive */
	FABRIC_WHY_UNKNOWN, /* inside walk.c only */
	FABRIC_WHY_GUARDED, /* inside walk.c only */
};

/**
 * struct fabric_limit - where work ends that holds the users of a device
 * @used: that device: it ends when that is not online any more
 * @end: in jiffies
 */
struct fabric_limit {
	struct drm_fabric_device *used;
	unsigned long end;
};

int fabric_explain(struct drm_fabric_region *region, struct mm_struct *mm, unsigned long start,
		   unsigned long end, u8 *why, const struct fabric_limit *limit);
bool fabric_vma_fits(struct vm_area_struct *vma);
int fabric_to_system(struct drm_fabric_region *region, struct drm_fabric_devmem_to_system *args);
int fabric_home_unreaching(struct drm_fabric_device *owner, struct mm_struct *mm,
			   unsigned long start, unsigned long end,
			   const struct fabric_limit *limit);
int fabric_home(struct mm_struct *mm, struct mmu_interval_notifier *notifier, unsigned long start,
		unsigned long end, bool write);

/* residency.c */
int fabric_residency(struct drm_fabric_region *region, struct drm_fabric_devmem_residency *args);
int fabric_residency_ioctl(void __user *argp);

/* evict.c */
bool fabric_region_evict(struct drm_fabric_region *region, unsigned int nr, bool patient,
			 bool bury);

/* vm.c */
void fabric_vm_init_locks(struct drm_fabric_vm *vm);
void fabric_vms_kill(struct drm_fabric_device *fdev);
void fabric_vms_revoke(struct drm_fabric_device *accessor, struct drm_fabric_region *region);
void fabric_vms_forget(struct mm_struct *mm, unsigned long start, unsigned long end);

/* user.c */
struct fabric_user *fabric_user_get(const kuid_t *behalf);
void fabric_user_put(struct fabric_user *user);
kuid_t fabric_user_uid(const struct fabric_user *user);
int fabric_user_charge(struct fabric_user *user, bool bound, u64 bytes);
void fabric_user_uncharge(struct fabric_user *user, u64 bytes);
bool fabric_user_has_room(struct fabric_user *user, bool bound);
struct fabric_user *fabric_user_get_to_prefer(void);
void fabric_user_put_to_prefer(struct fabric_user *user);
int fabric_user_add_preference(struct fabric_user *user);
void fabric_user_move_preferences(struct fabric_user *user, int n);

/* handle.c */
#define FABRIC_HANDLE_EVENTS 8

/**
 * struct fabric_handle - a devmem fd, or what LOCAL places memory through (place.c)
 * @ref: the file or the address space, each preference, and each allocation placed through it
 * @user: the uid that opened it, or that it was opened for
 * @bound: opened for that uid: its limits hold whoever uses the handle
 * @opener: the process that did, or that made the address space, by its leader; counted
 * @link: in the region's open handles
 * @ledger_link: in the region's ledger, whose lock all of the next are under
 * @open: the file is open
 * @taken: its grant was revoked: nothing is charged to it any more
 * @grant_id: 0: none
 * @reserved_bytes: promised to it; 0: nothing, and then it has what nobody was promised
 * @bytes: placed through it
 * @dead_bytes: of these: their data is lost
 * @grant: NULL: none; with @grant_link under grants_lock
 */
struct fabric_handle {
	struct kref ref;
	u64 id;
	struct drm_fabric_region *region;
	struct fabric_user *user;
	bool bound;
	struct pid *opener;
	struct list_head link;
	struct list_head ledger_link;
	bool open;
	bool taken;
	u64 grant_id;
	u64 reserved_bytes;
	u64 bytes;
	u64 dead_bytes;
	struct fabric_grant *grant;
	struct list_head grant_link;
	struct list_head revoked_link;
	char driver[32];
	spinlock_t lock; /* events */
	wait_queue_head_t waitq;
	bool revoked;
	u64 seq;
	unsigned int head, n_events;
	struct drm_fabric_event events[FABRIC_HANDLE_EVENTS + 2]; /* the end, and back again */
};

struct file *fabric_handle_open(int render_fd, const char *region, const kuid_t *behalf,
				u64 *ret_id);
int fabric_handle_install(struct file *file, s32 *ret_fd, const void *args, size_t size,
			  void __user *argp);
struct fabric_handle *fabric_handle_alloc(struct drm_fabric_region *region, const kuid_t *behalf,
					  struct pid *opener);
struct fabric_handle *fabric_handle_by_fd(int fd);
void fabric_handle_put(struct fabric_handle *handle);

/* reserve.c */
int fabric_reserve(struct fabric_handle *handle, u64 bytes, u64 *ret_available);
void fabric_unreserve(struct fabric_handle *handle);
bool fabric_region_hold(struct drm_fabric_region *region, u64 bytes);
void fabric_region_unhold(struct drm_fabric_region *region, u64 bytes);

/* holders.c */
int fabric_holders_init(void);
void fabric_holders_exit(void);
long fabric_holders(void __user *argp);

/* event.c */
/* @event: type and what goes with it; the rest is filled in for each handle. */
void fabric_handles_post(struct drm_fabric_region *region, const struct drm_fabric_event *event);
void fabric_handles_init(struct drm_fabric_region *region);
void fabric_handles_lost(struct drm_fabric_region *region, u64 bytes, bool abandoned);
void fabric_handles_back(struct drm_fabric_device *fdev);

/* reach.c */
int fabric_reach(struct drm_fabric_device *accessor, struct drm_fabric_device *owner,
		 struct drm_fabric_devmem_reach *args);

/* power.c */
extern unsigned int fabric_asleep;
int fabric_power_init(void);
void fabric_power_exit(void);

/* admin.c */
extern struct miscdevice fabric_admin_misc;

#endif /* FABRIC_H */

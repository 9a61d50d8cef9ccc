/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * drm_fabric - user interface of the multi-device fabric manager.
 *
 * Three kinds of file:
 *
 *   /dev/drm_fabric        0666. DRM_FABRIC_IOCTL_*: what there is, handles, where the caller's memory
 *                          should live and where it is.
 *   a devmem fd            made by _OPEN_DEVMEM: a handle on one region (one VRAM of one device). It is
 *                          passed over sockets like any fd. DRM_FABRIC_DEVMEM_*; read(2) and poll(2) deliver
 *                          events.
 *   /dev/drm_fabric_admin  0660. DRM_FABRIC_ADMIN_*: take a device away and give it back.
 *
 * Who is linked to whom, states and counters are in sysfs (uapi/ABI/), not here.
 *
 * Rules for every operation: a structure has the same layout for 32 and 64 bit callers; @flags
 * and padding with a bit or byte that this version does not know are -EINVAL, an ioctl of another
 * file is -ENOTTY, an unreadable argument is -EFAULT; whatever fails has changed nothing unless
 * its entry says otherwise. Structures grow at the end only: the size is part of the ioctl
 * number, and a larger structure gets a number of its own while the old one keeps working.
 * Unknown values in outputs must be ignored by readers.
 */
#ifndef _UAPI_DRM_FABRIC_H_
#define _UAPI_DRM_FABRIC_H_

#include <linux/ioctl.h>
#include <linux/types.h>

#if defined(__cplusplus)
extern "C" {
#endif

#define DRM_FABRIC_ABI_VERSION		1

/* Sizes of names, with the terminating NUL. Unused bytes are zero. */
#define DRM_FABRIC_DEVICE_NAME_SIZE	32	/* bus name of the parent: "0000:43:00.0" */
#define DRM_FABRIC_REGION_NAME_SIZE	16	/* "vram0" */

/**
 * struct drm_fabric_query - what this kernel supports
 * @flags: (in) must be 0
 * @abi_version: (out) DRM_FABRIC_ABI_VERSION of the kernel
 * @generation: (out) changes whenever a device, link, group or state changes
 * @features: (out) bit mask, no bit defined yet
 * @n_devices: (out) registered devices
 * @populate_step_bytes: (out) unit in which POPULATE works and can be interrupted
 */
struct drm_fabric_query {
	__u32 flags;
	__u32 abi_version;
	__u64 generation;
	__u64 features;
	__u32 n_devices;
	__u32 populate_step_bytes;
};

/**
 * struct drm_fabric_open_devmem - open a handle on a region
 * @flags: (in) must be 0; the fd is always close-on-exec
 * @render_fd: (in) an open render-node fd of the device: whoever may render may ask for its memory
 * @region: (in) name of the region, NUL terminated, zero padded ("vram0")
 * @fd: (out) the devmem fd
 * @pad: must be 0
 * @id: (out) the handle's number, as in fdinfo's drm-fabric-devmem-id; never used twice
 *
 * Makes the region's pagemap if there is none.
 *
 * Errors: -EBADF no such fd; -EINVAL not a render node of a device in the fabric, or a malformed
 * name; -ENOENT no such region; -ESHUTDOWN the device is draining; -ENODEV it is gone or lost; -EDQUOT the
 * caller's uid has max_handles_per_uid handles (a parameter of the module; not for
 * CAP_SYS_RESOURCE), among them closed ones if memory placed through them is still there; -EINTR
 * while it waited for a pagemap; -ENOMEM, -EMFILE.
 */
struct drm_fabric_open_devmem {
	__u32 flags;
	__s32 render_fd;
	char region[DRM_FABRIC_REGION_NAME_SIZE];
	__s32 fd;
	__u32 pad;
	__u64 id;
};

/**
 * struct drm_fabric_devmem_info - what a handle stands for
 * @flags: (in) must be 0
 * @state: (out) enum drm_fabric_state of the device
 * @device: (out) name of the device, as in /sys/class/drm_fabric/
 * @region: (out) name of the region
 * @incarnation: (out) counts the devices that this name has stood for
 * @id: (out) the handle's number
 * @size_bytes: (out) size of the region
 * @free_bytes: (out) not allocated now; a hint, others allocate too
 * @resident_bytes: (out) placed through this handle and still in the region
 *
 * Works on a revoked handle too: then @state is DRM_FABRIC_STATE_REVOKED and @free_bytes is 0.
 */
struct drm_fabric_devmem_info {
	__u32 flags;
	__u32 state;
	char device[DRM_FABRIC_DEVICE_NAME_SIZE];
	char region[DRM_FABRIC_REGION_NAME_SIZE];
	__u64 incarnation;
	__u64 id;
	__u64 size_bytes;
	__u64 free_bytes;
	__u64 resident_bytes;
};

/* State of a device. Text form in sysfs in parentheses. */
enum drm_fabric_state {
	DRM_FABRIC_STATE_ONLINE = 1,	/* (online) */
	DRM_FABRIC_STATE_DRAINING,	/* (draining) no new handles and populates; data and access as before */
	DRM_FABRIC_STATE_EVICTING,	/* (evicting) pages are on their way home */
	DRM_FABRIC_STATE_OFFLINE,	/* (offline) bound, holds nothing that lives, takes nothing */
	DRM_FABRIC_STATE_REVOKED,	/* handles only: the device has gone, or the grant was revoked */
	DRM_FABRIC_STATE_LOST,		/* (lost) bound, but does not answer any more; what it held is dead */
};

/* Why a page stayed where it was. Index into drm_fabric_devmem_populate.refused_bytes. */
enum drm_fabric_refusal {
	DRM_FABRIC_REFUSED_BUSY = 0,	/* locked or changing at that moment: try again */
	DRM_FABRIC_REFUSED_NO_ROOM,	/* the region is full */
	DRM_FABRIC_REFUSED_NOT_ANON,	/* file-backed, shared, huge or device memory */
	DRM_FABRIC_REFUSED_NOT_MAPPED,	/* no mapping at that address, or none that may be touched */
	DRM_FABRIC_REFUSED_NO_MEMORY,	/* no memory for book-keeping */
	DRM_FABRIC_REFUSED_COPY,	/* the copy engine failed; the data is where it was */
	DRM_FABRIC_REFUSED_OTHER,
	DRM_FABRIC_REFUSED_PINNED,	/* held for DMA by somebody: O_DIRECT, io_uring, vfio, RDMA */
	DRM_FABRIC_REFUSED_SWAPPED,	/* swapped out, or left to a userfaultfd: touch it first */
	DRM_FABRIC_REFUSED_UNREACHABLE,	/* on another device, and did not come home from there */
	DRM_FABRIC_REFUSED_LIMIT,	/* through handles that their uid opened max_bytes_per_uid are placed */
	DRM_FABRIC_REFUSED_DEAD,	/* its data is lost: a touch is SIGBUS, munmap(2) gets rid of it */
	DRM_FABRIC_REFUSED_RESERVED,	/* the rest of the reservation, or what is left beside others', is too small */
	DRM_FABRIC_N_REFUSED = 16,	/* the rest is zero */
};

#define DRM_FABRIC_POPULATE_STRICT	0x1	/* stop at the first page that resists */

/**
 * struct drm_fabric_devmem_populate - move a range of the caller's memory into the region
 * @flags: (in) DRM_FABRIC_POPULATE_*
 * @pad: must be 0
 * @start: (in) page-aligned address in the caller's address space
 * @length_bytes: (in) multiple of the page size, not 0
 * @moved_bytes: (out) moved by this call
 * @present_bytes: (out) had been there already
 * @refused_bytes: (out) stayed where they were, by reason
 *
 * Addresses keep their data. Pages that resist stay in system memory and are counted; that is
 * success unless STRICT is set. Works in steps of populate_step_bytes; a fatal signal ends it
 * after a step.
 *
 * The outputs are written also when it fails, and say how far it got; nothing is moved back.
 * Errors: -EINVAL malformed range; -ESHUTDOWN the device is draining; -ENODEV it is gone or lost, or
 * the handle's grant was revoked; -EINTR; -ENOMEM; with STRICT also -EBUSY (busy, pinned, swapped or
 * unreachable), -ENOSPC (region full, or reserved), -EOPNOTSUPP (not anonymous), -EFAULT (not mapped),
 * -EIO (copy engine), -EDQUOT (limit), -EHWPOISON (dead); refused_bytes tells which.
 */
struct drm_fabric_devmem_populate {
	__u32 flags;
	__u32 pad;
	__u64 start;
	__u64 length_bytes;
	__u64 moved_bytes;
	__u64 present_bytes;
	__u64 refused_bytes[DRM_FABRIC_N_REFUSED];
};

/**
 * struct drm_fabric_devmem_to_system - bring a range of the caller's memory home from the region
 * @flags: (in) must be 0
 * @pad: must be 0
 * @start: (in) page-aligned address in the caller's address space
 * @length_bytes: (in) multiple of the page size, not 0, at most 1 TiB
 * @moved_bytes: (out) came home by this call, also when it fails
 * @dead_bytes: (out) pages of the region in the range whose data is lost, among them those that
 * could not be copied just now
 *
 * Pages of other regions and of system memory stay where they are. Works in steps of
 * populate_step_bytes; a fatal signal ends it after a step. Dead pages do not stop it.
 *
 * Errors: -EINVAL malformed range; -EINTR; -EBUSY some page resists; -ENODEV; -ENOMEM.
 */
struct drm_fabric_devmem_to_system {
	__u32 flags;
	__u32 pad;
	__u64 start;
	__u64 length_bytes;
	__u64 moved_bytes;
	__u64 dead_bytes;
};

/**
 * struct drm_fabric_devmem_residency - how much of a range of the caller's memory is where
 * @flags: (in) must be 0
 * @pad: must be 0
 * @start: (in) page-aligned address in the caller's address space
 * @length_bytes: (in) multiple of the page size, not 0, at most 1 TiB
 * @region_bytes: (out) in this handle's region
 * @other_bytes: (out) in other regions of the fabric
 * @system_bytes: (out) in system memory
 * @absent_bytes: (out) not populated, swapped out, not mapped, or not accessible (PROT_NONE)
 * @dead_bytes: (out) of @region_bytes and @other_bytes: pages whose data is lost
 *
 * A snapshot: nothing is faulted in or moved.
 *
 * Errors: -EINVAL malformed; -ENODEV the handle is revoked; -EFAULT; -ENOMEM; -EINTR; -EBUSY the range
 * has changed faster than one can look, for a second.
 */
struct drm_fabric_devmem_residency {
	__u32 flags;
	__u32 pad;
	__u64 start;
	__u64 length_bytes;
	__u64 region_bytes;
	__u64 other_bytes;
	__u64 system_bytes;
	__u64 absent_bytes;
	__u64 dead_bytes;
};

/**
 * struct drm_fabric_devmem_reserve - bytes promised to this handle
 * @flags: (in) must be 0
 * @pad: must be 0
 * @bytes: (in) of the region, instead of what was promised before; multiple of the page size;
 * 0 = nothing
 * @available_bytes: (out) the largest @bytes that could be had at that moment, also when it fails
 *
 * While bytes are promised, nobody else can take them, and as many can be placed through this handle
 * and no more; what had been placed through it before counts. Without a promise it has what nobody
 * was promised. A reservation ends with the open file, with the grant, and with the device; bytes
 * that are placed stay. A device that is drained and comes back keeps its promises.
 *
 * Errors: -EINVAL malformed; -ENOSPC less than @bytes is left; -ESHUTDOWN the device is draining;
 * -ENODEV it is gone, or the grant was revoked; -EDQUOT the opener's uid may not have so many
 * (max_bytes_per_uid, a parameter of the module); -EINTR. If it fails, the promise is as before.
 */
struct drm_fabric_devmem_reserve {
	__u32 flags;
	__u32 pad;
	__u64 bytes;
	__u64 available_bytes;
};

/**
 * struct drm_fabric_devmem_grant - mark a handle as given, so that it can be taken back
 * @flags: (in) must be 0
 * @fabric_fd: (in) /dev/drm_fabric as opened by the giver: whoever holds that open file may revoke
 * @grant_id: (in) 0: a new grant; else one that was made with the same @fabric_fd, which this handle
 * joins. (out) its number; never used twice
 *
 * For whoever opened the handle, before it is passed on; once for each handle. A grant is there for as
 * long as one of its handles is open or has memory behind it.
 *
 * Errors: -EINVAL malformed; -EBADF no such fd; -EBADFD @fabric_fd is not /dev/drm_fabric; -EPERM the
 * caller has not opened the handle; -EALREADY it belongs to a grant; -ENOENT no such grant of this
 * giver; -ENODEV the handle is revoked; -ENOMEM.
 */
struct drm_fabric_devmem_grant {
	__u32 flags;
	__s32 fabric_fd;
	__u64 grant_id;
};

/**
 * struct drm_fabric_revoke - take a grant back
 * @flags: (in) must be 0
 * @timeout_ms: (in) how long to wait until its memory is at home, 0 = do not wait
 * @grant_id: (in) which
 * @resident_bytes: (out) placed through its handles, still on devices, and alive
 *
 * Its handles are revoked at once (event REVOKED with reason GRANT; every later operation but INFO is
 * -ENODEV), their reservations end, and what was placed through them goes home. Other grants, and
 * other handles of the same holders, are not touched. A page that cannot go home, because memory is
 * short or the copy fails, stays and is tried again until it can: nothing is lost. On /dev/drm_fabric:
 * for the giver, through the open file that gave it. On /dev/drm_fabric_admin: any grant. To revoke it
 * again only waits.
 *
 * Errors: -EINVAL malformed; -ENOENT no such grant, or nothing is left of it; -EPERM it was not given
 * through this file; -ETIMEDOUT not all is at home yet, goes on; -EINTR likewise.
 */
struct drm_fabric_revoke {
	__u32 flags;
	__u32 timeout_ms;
	__u64 grant_id;
	__u64 resident_bytes;
};

enum drm_fabric_holder_kind {
	DRM_FABRIC_HOLDER_HANDLE = 1,	/* an open handle, or another with memory behind it: closed, or LOCAL's */
	DRM_FABRIC_HOLDER_PROCESS,	/* an address space that memory was placed for */
	DRM_FABRIC_HOLDER_INHERITED,	/* memory whose address space has gone: children have it */
};

#define DRM_FABRIC_HOLDER_OPEN		0x1	/* HANDLE: somebody has the file open */
#define DRM_FABRIC_HOLDER_REVOKED	0x2	/* HANDLE: its grant was revoked */

/**
 * struct drm_fabric_holder - who holds memory of a region
 * @kind: enum drm_fabric_holder_kind
 * @flags: DRM_FABRIC_HOLDER_*
 * @pid: HANDLE: of the process that opened it, or with LOCAL made the device's address space; PROCESS:
 * that placed the memory; in the caller's PID namespace, 0 = not there, or gone
 * @uid: of that process when it did so, in the caller's user namespace (overflow uid: not there)
 * @devmem_id: HANDLE: its number
 * @grant_id: HANDLE: 0 = none
 * @reserved_bytes: HANDLE: promised to it
 * @bytes: HANDLE: placed through it; PROCESS: for it; until they are free, dead ones included
 * @dead_bytes: of @bytes: their data is lost
 */
struct drm_fabric_holder {
	__u32 kind;
	__u32 flags;
	__s32 pid;
	__u32 uid;
	__u64 devmem_id;
	__u64 grant_id;
	__u64 reserved_bytes;
	__u64 bytes;
	__u64 dead_bytes;
};

/**
 * struct drm_fabric_holders - list who holds memory of a region
 * @flags: (in) must be 0
 * @n_holders: (in) room in @holders; (out) how many there are for the caller to see
 * @device: (in) name of the device, NUL terminated, zero padded
 * @region: (in) name of the region likewise
 * @holders: (in) address of an array of struct drm_fabric_holder; 0 if there is no room
 * @bytes: (out) in use in the region, dead pages included
 * @hidden_bytes: (out) of @bytes: of address spaces that the caller may not see
 * @n_hidden_handles: (out) handles that the caller may not see
 * @hidden_reserved_bytes: (out) promised to these
 *
 * Everything of processes that the caller may read with ptrace(2) (its own among them), and all with
 * CAP_SYS_ADMIN; handles whose opener has gone only with that. A snapshot under one lock: @bytes is
 * @hidden_bytes and the @bytes of PROCESS and INHERITED rows, exactly; HANDLE rows divide the same
 * bytes another way. Rows: HANDLE by number, then PROCESS in the order of their first placing, then
 * INHERITED if there is any.
 *
 * Errors: -EINVAL malformed; -ENODEV no such device; -ENOENT no such region; -EFAULT; -ENOMEM;
 * -EINTR; -ENOSPC more than there is room for: @n_holders says how many, nothing else is written.
 */
struct drm_fabric_holders {
	__u32 flags;
	__u32 n_holders;
	char device[DRM_FABRIC_DEVICE_NAME_SIZE];
	char region[DRM_FABRIC_REGION_NAME_SIZE];
	__u64 holders;
	__u64 bytes;
	__u64 hidden_bytes;
	__u64 n_hidden_handles;
	__u64 hidden_reserved_bytes;
};

enum drm_fabric_location_type {
	DRM_FABRIC_LOCATION_SYSTEM = 1,	/* system memory */
	DRM_FABRIC_LOCATION_LOCAL,	/* memory of the device that touches it; stays where it can be used in place */
	DRM_FABRIC_LOCATION_DEVMEM,	/* the region of a handle */
};

/**
 * struct drm_fabric_location - where memory may live
 * @type: enum drm_fabric_location_type
 * @fd: a devmem fd if it is DEVMEM, else -1
 */
struct drm_fabric_location {
	__u32 type;
	__s32 fd;
};

#define DRM_FABRIC_MAX_LOCATIONS	8

/**
 * struct drm_fabric_prefer - where a range of the caller's address space should live
 * @flags: (in) must be 0
 * @n_locations: (in) at most DRM_FABRIC_MAX_LOCATIONS; 0: forget what was asked for before
 * @start: (in) page-aligned address
 * @length_bytes: (in) multiple of the page size, not 0
 * @locations: (in) best first; the rest is zero
 *
 * A preference moves nothing by itself. Devices ask for it when they miss an address: the first
 * location that has room, takes memory and is reached by the device is where the memory goes; if there
 * is none, it stays. Memory that devices use already counts as missed. What a location cannot take goes
 * to the next. A device asks again when it misses the address again, but not for what was refused, nor
 * for what another device, which does not reach it there, has taken meanwhile, until a preference for
 * it, a device or a link changes: memory does not go back and forth. With LOCAL it stays with any device
 * that the one that touches it reaches.
 *
 * A preference holds for addresses, mapped or not; a later one replaces it where they overlap. It ends
 * with munmap(2) of what is mapped there, at the old place of mremap(2), with execve(2) and the process;
 * a child has none. It holds the handle, not its number: closing the fd, or using its number anew, does
 * not change it. A location whose device or grant has gone does not come back. Memory is placed on the
 * account of whoever opened the handle; with LOCAL, of whoever made the device's address space: that has
 * a handle of its own then, which counts as one, has no fd, and is nowhere but among the holders.
 *
 * A hole that munmap(2) or mremap(2) makes in a range makes two of it. If the uid has as many as it may
 * have, or there is no memory left at all, the smaller part is forgotten.
 *
 * Errors: -EINVAL malformed; -EBADF no such fd; -EBADFD not a devmem fd; -EDQUOT the caller's uid has
 * max_preferences_per_uid ranges (a parameter of the module); -ENOMEM; -EINTR.
 */
struct drm_fabric_prefer {
	__u32 flags;
	__u32 n_locations;
	__u64 start;
	__u64 length_bytes;
	struct drm_fabric_location locations[DRM_FABRIC_MAX_LOCATIONS];
};

enum drm_fabric_location_status {
	DRM_FABRIC_LOCATION_APPLIES = 1,	/* memory goes there now */
	DRM_FABRIC_LOCATION_SPARE,		/* it would, but an earlier one applies */
	DRM_FABRIC_LOCATION_FULL,		/* no room, or none that is not promised to others; keeps what it has */
	DRM_FABRIC_LOCATION_DRAINING,		/* the device takes no memory now */
	DRM_FABRIC_LOCATION_GONE,		/* the device or the grant has gone for good */
	DRM_FABRIC_LOCATION_UNREACHABLE,	/* the accessor does not reach it */
	DRM_FABRIC_LOCATION_NO_MEMORY,		/* LOCAL: the accessor has no memory of its own */
};

/**
 * struct drm_fabric_location_info - what has become of a location
 * @type: enum drm_fabric_location_type
 * @status: enum drm_fabric_location_status
 * @devmem_id: DEVMEM: number of the handle, else 0
 * @incarnation: DEVMEM: of its device, else 0
 * @device: DEVMEM: name of its device, else empty
 * @region: DEVMEM: name of its region, else empty
 */
struct drm_fabric_location_info {
	__u32 type;
	__u32 status;
	__u64 devmem_id;
	__u64 incarnation;
	char device[DRM_FABRIC_DEVICE_NAME_SIZE];
	char region[DRM_FABRIC_REGION_NAME_SIZE];
};

/**
 * struct drm_fabric_preference - read a preference back
 * @flags: (in) must be 0
 * @accessor_fd: (in) a devmem fd on the device that is to access, or its render node; -1 = any: then
 * nothing is unreachable, and LOCAL applies
 * @address: (in) the first range that ends behind it
 * @start: (out) where that range begins
 * @length_bytes: (out) its length; what was asked in one call may be several ranges by now, and ranges
 * side by side with the same list are one
 * @n_locations: (out)
 * @pad: must be 0
 * @locations: (out) as asked, and what of it applies now
 *
 * Errors: -EINVAL malformed; -ENOENT no range ends behind @address; -EBADF @accessor_fd is not open;
 * -EBADFD it is neither; -EINTR.
 */
struct drm_fabric_preference {
	__u32 flags;
	__s32 accessor_fd;
	__u64 address;
	__u64 start;
	__u64 length_bytes;
	__u32 n_locations;
	__u32 pad;
	struct drm_fabric_location_info locations[DRM_FABRIC_MAX_LOCATIONS];
};

/**
 * struct drm_fabric_residence - how much is in one region
 * @device: name of the device; it may have gone, and a newer one have its name
 * @region: name of the region
 * @incarnation: of the device
 * @bytes: dead pages included
 * @dead_bytes: of @bytes: their data is lost
 */
struct drm_fabric_residence {
	char device[DRM_FABRIC_DEVICE_NAME_SIZE];
	char region[DRM_FABRIC_REGION_NAME_SIZE];
	__u64 incarnation;
	__u64 bytes;
	__u64 dead_bytes;
};

/**
 * struct drm_fabric_residency - how much of a range of the caller's memory is where
 * @flags: (in) must be 0
 * @n_residences: (in) room in @residences; (out) how many regions have some of it
 * @start: (in) page-aligned address in the caller's address space
 * @length_bytes: (in) multiple of the page size, not 0, at most 1 TiB
 * @residences: (in) address of an array of struct drm_fabric_residence; 0 if there is no room
 * @system_bytes: (out) in system memory
 * @absent_bytes: (out) not populated, swapped out, not mapped, not accessible (PROT_NONE), or in private
 * memory of a device whose driver is not in the fabric (which nobody else is shown)
 * @foreign_bytes: (out) in memory of other devices that the CPU sees, persistent memory among it
 *
 * A snapshot: nothing is faulted in or moved. The figures and the @bytes of all regions add up to
 * @length_bytes. Regions in the order of their devices' joining.
 *
 * Errors: -EINVAL malformed; -EFAULT; -ENOMEM; -EINTR; -EBUSY the range has changed faster than one
 * can look, for a second; -ENOSPC more regions than there is room for: @n_residences says how many,
 * nothing else is written.
 */
struct drm_fabric_residency {
	__u32 flags;
	__u32 n_residences;
	__u64 start;
	__u64 length_bytes;
	__u64 residences;
	__u64 system_bytes;
	__u64 absent_bytes;
	__u64 foreign_bytes;
};

/* How a device reaches a peer's memory. Text form in sysfs in parentheses. */
enum drm_fabric_reach_type {
	DRM_FABRIC_REACH_NONE = 0,		/* (none) not known, or not at all */
	DRM_FABRIC_REACH_PCIE_SWITCH,		/* (pcie_switch) */
	DRM_FABRIC_REACH_PCIE_HOST_BRIDGE,	/* (pcie_host_bridge) */
	DRM_FABRIC_REACH_XGMI,			/* (xgmi) */
	DRM_FABRIC_REACH_NVLINK,		/* (nvlink) */
	DRM_FABRIC_REACH_XE_LINK,		/* (xe_link) */
	DRM_FABRIC_REACH_CXL,			/* (cxl) */
	DRM_FABRIC_REACH_SOFTGPU,		/* (softgpu) */
	DRM_FABRIC_REACH_LOCAL = 255,		/* both handles are on one device */
};

/* Where a link's figures come from. Text form in sysfs in parentheses. */
enum drm_fabric_reach_provenance {
	DRM_FABRIC_REACH_UNKNOWN = 0,	/* (none) there are no figures */
	DRM_FABRIC_REACH_NOMINAL,	/* (nominal) */
	DRM_FABRIC_REACH_FIRMWARE,	/* (firmware) */
	DRM_FABRIC_REACH_MEASURED,	/* (measured) */
};

#define DRM_FABRIC_WHY_NOT_SIZE		128

/**
 * struct drm_fabric_devmem_reach - can this handle's device use another region's memory in place?
 * @flags: (in) must be 0
 * @owner_fd: (in) a devmem fd on the region whose memory it is
 * @reachable: (out) 1: in place; 0: through system memory
 * @type: (out) enum drm_fabric_reach_type
 * @read_bandwidth_mbps: (out) MB/s (10^6), 0 = unknown
 * @write_bandwidth_mbps: (out) likewise
 * @read_latency_ns: (out) 0 = unknown
 * @write_latency_ns: (out) likewise
 * @hops: (out) bridges or switches passed, 0 = unknown
 * @provenance: (out) enum drm_fabric_reach_provenance
 * @generation: (out) of the accessing device: while it stays the same, so does the answer
 * @why_not: (out) if not @reachable: why, one line for a person, NUL terminated
 *
 * One direction; ask the other handle for the other one.
 *
 * Errors: -EINVAL flags; -EBADF no such fd; -EBADFD not a devmem fd; -ENODEV one of the devices is
 * gone.
 */
struct drm_fabric_devmem_reach {
	__u32 flags;
	__s32 owner_fd;
	__u32 reachable;
	__u32 type;
	__u32 read_bandwidth_mbps;
	__u32 write_bandwidth_mbps;
	__u32 read_latency_ns;
	__u32 write_latency_ns;
	__u32 hops;
	__u32 provenance;
	__u64 generation;
	char why_not[DRM_FABRIC_WHY_NOT_SIZE];
};

/* What read(2) on a devmem fd returns: whole events only, oldest first. */
enum drm_fabric_event_type {
	DRM_FABRIC_EVENT_DRAINING = 1,	/* @deadline_ns: of the notice, 0 = none; @bytes on the device */
	DRM_FABRIC_EVENT_CANCELLED,	/* the drain was called off, the handle works again */
	DRM_FABRIC_EVENT_EVICTING,	/* pages are going home; @bytes on the device */
	DRM_FABRIC_EVENT_REVOKED,	/* every later operation but INFO is -ENODEV */
	DRM_FABRIC_EVENT_LOST,		/* data on the device is lost for good: @bytes */
	DRM_FABRIC_EVENT_BACK,		/* after REVOKED: there is a device of this name again */
};

/* Who began it. */
enum drm_fabric_event_reason {
	DRM_FABRIC_REASON_NONE = 0,
	DRM_FABRIC_REASON_ADMIN,	/* an administrator, or the daemon */
	DRM_FABRIC_REASON_DRIVER,	/* the driver's remove(): unbind, hot-unplug, unloading */
	DRM_FABRIC_REASON_SUSPEND,	/* the machine goes to sleep */
	DRM_FABRIC_REASON_COPY,		/* the copy engine gave up */
	DRM_FABRIC_REASON_ABANDONED,	/* an administrator gave up what would not go home */
	DRM_FABRIC_REASON_LOST,		/* the device does not answer any more */
	DRM_FABRIC_REASON_GRANT,	/* whoever gave it, or an administrator, revoked the grant */
};

/**
 * struct drm_fabric_event - one event
 * @type: enum drm_fabric_event_type
 * @size_bytes: size of this event
 * @seq: number of the event on this handle, from 1: a gap shows that nobody read for too long
 * @time_ns: CLOCK_MONOTONIC
 * @deadline_ns: CLOCK_MONOTONIC, 0 = none
 * @bytes: see the type
 * @incarnation: of the device; of the new one with BACK
 * @reason: enum drm_fabric_event_reason
 * @pad: 0
 *
 * After REVOKED read(2) returns 0 when there is no event; poll(2) says EPOLLHUP, and EPOLLIN for as
 * long as there is one. Whoever waits for BACK asks epoll for edges (EPOLLET).
 */
struct drm_fabric_event {
	__u32 type;
	__u32 size_bytes;
	__u64 seq;
	__u64 time_ns;
	__u64 deadline_ns;
	__u64 bytes;
	__u64 incarnation;
	__u32 reason;
	__u32 pad;
};

#define DRM_FABRIC_DRAIN_EVICT		0x1	/* DRAIN: evict when the notice is over */

/**
 * struct drm_fabric_admin_device - an administrative act on a device
 * @flags: (in) DRAIN: DRM_FABRIC_DRAIN_*; otherwise must be 0
 * @timeout_ms: (in) DRAIN: notice that the holders are told of, 0 = none; EVICT, UNBIND: how long to
 * wait for the end, 0 = do not wait; CANCEL, ABANDON: must be 0
 * @device: (in) name of the device, NUL terminated, zero padded
 * @resident_bytes: (out) on the device, and alive
 * @dead_bytes: (out) on the device, their data lost
 *
 * DRAIN: online -> draining. Without DRAIN_EVICT whoever drains keeps the notice by asking for
 * EVICT only then. CANCEL: draining, evicting or offline -> online; pages that went home stay
 * there. EVICT: -> draining -> evicting -> offline. UNBIND: the same, and then the driver is
 * unbound; the device goes out of the fabric. ABANDON: only while it is evicting: what could not
 * go home for want of memory, because the copy failed, or because its process keeps its address
 * space locked becomes dead pages, so that the eviction ends; pages that can go home still do. A page
 * once dead stays dead, also after CANCEL. A device that is lost has nothing to bring home, and does
 * not come back: UNBIND gets rid of it, and waits for nobody's memory.
 *
 * Errors: -EINVAL malformed; -ENODEV no such device; -EALREADY it is in that state (ABANDON: it is
 * not evicting); -EBUSY the machine is going to sleep or has not yet woken up: afterwards the device
 * is as it was before (not ABANDON); -ETIMEDOUT not done yet, goes on; -EINTR likewise; -ECANCELED
 * somebody called it off meanwhile; -ENOTRECOVERABLE the device is lost, or was lost meanwhile (not
 * UNBIND).
 */
struct drm_fabric_admin_device {
	__u32 flags;
	__u32 timeout_ms;
	char device[DRM_FABRIC_DEVICE_NAME_SIZE];
	__u64 resident_bytes;
	__u64 dead_bytes;
};

/**
 * struct drm_fabric_admin_open_devmem - open a handle for somebody else
 * @flags: (in) must be 0; the fd is always close-on-exec
 * @render_fd: (in) as in struct drm_fabric_open_devmem: the caller vouches that @uid may render there
 * @region: (in) name of the region, NUL terminated, zero padded
 * @uid: (in) for whom, in the caller's user namespace: the handle counts, and what is placed through
 * it, as if @uid had opened it
 * @fd: (out) the devmem fd, to be passed on
 * @id: (out) the handle's number
 *
 * For a service that opens handles for its clients and would otherwise use up its own limits for all
 * of them. The limits of @uid hold whoever the caller is, and whoever uses the handle.
 *
 * Errors: those of OPEN_DEVMEM, of which -EDQUOT is @uid's; -EINVAL also if @uid is nobody's here.
 */
struct drm_fabric_admin_open_devmem {
	__u32 flags;
	__s32 render_fd;
	char region[DRM_FABRIC_REGION_NAME_SIZE];
	__u32 uid;
	__s32 fd;
	__u64 id;
};

#define DRM_FABRIC_IOCTL_BASE	0xFA

/* /dev/drm_fabric */
#define DRM_FABRIC_IOCTL_QUERY		_IOWR(DRM_FABRIC_IOCTL_BASE, 0x00, struct drm_fabric_query)
#define DRM_FABRIC_IOCTL_OPEN_DEVMEM	_IOWR(DRM_FABRIC_IOCTL_BASE, 0x01, struct drm_fabric_open_devmem)
#define DRM_FABRIC_IOCTL_PREFER		_IOW(DRM_FABRIC_IOCTL_BASE, 0x02, struct drm_fabric_prefer)
#define DRM_FABRIC_IOCTL_PREFERENCE	_IOWR(DRM_FABRIC_IOCTL_BASE, 0x03, struct drm_fabric_preference)
#define DRM_FABRIC_IOCTL_RESIDENCY	_IOWR(DRM_FABRIC_IOCTL_BASE, 0x04, struct drm_fabric_residency)
#define DRM_FABRIC_IOCTL_HOLDERS	_IOWR(DRM_FABRIC_IOCTL_BASE, 0x05, struct drm_fabric_holders)
#define DRM_FABRIC_IOCTL_REVOKE		_IOWR(DRM_FABRIC_IOCTL_BASE, 0x06, struct drm_fabric_revoke)

/* devmem fd */
#define DRM_FABRIC_DEVMEM_INFO		_IOWR(DRM_FABRIC_IOCTL_BASE, 0x10, struct drm_fabric_devmem_info)
#define DRM_FABRIC_DEVMEM_POPULATE	_IOWR(DRM_FABRIC_IOCTL_BASE, 0x11, struct drm_fabric_devmem_populate)
#define DRM_FABRIC_DEVMEM_TO_SYSTEM	_IOWR(DRM_FABRIC_IOCTL_BASE, 0x12, struct drm_fabric_devmem_to_system)
#define DRM_FABRIC_DEVMEM_RESIDENCY	_IOWR(DRM_FABRIC_IOCTL_BASE, 0x13, struct drm_fabric_devmem_residency)
#define DRM_FABRIC_DEVMEM_REACH		_IOWR(DRM_FABRIC_IOCTL_BASE, 0x14, struct drm_fabric_devmem_reach)
#define DRM_FABRIC_DEVMEM_RESERVE	_IOWR(DRM_FABRIC_IOCTL_BASE, 0x15, struct drm_fabric_devmem_reserve)
#define DRM_FABRIC_DEVMEM_GRANT		_IOWR(DRM_FABRIC_IOCTL_BASE, 0x16, struct drm_fabric_devmem_grant)

/* /dev/drm_fabric_admin */
#define DRM_FABRIC_ADMIN_DRAIN		_IOWR(DRM_FABRIC_IOCTL_BASE, 0x20, struct drm_fabric_admin_device)
#define DRM_FABRIC_ADMIN_CANCEL		_IOWR(DRM_FABRIC_IOCTL_BASE, 0x21, struct drm_fabric_admin_device)
#define DRM_FABRIC_ADMIN_EVICT		_IOWR(DRM_FABRIC_IOCTL_BASE, 0x22, struct drm_fabric_admin_device)
#define DRM_FABRIC_ADMIN_UNBIND		_IOWR(DRM_FABRIC_IOCTL_BASE, 0x23, struct drm_fabric_admin_device)
#define DRM_FABRIC_ADMIN_ABANDON	_IOWR(DRM_FABRIC_IOCTL_BASE, 0x24, struct drm_fabric_admin_device)
#define DRM_FABRIC_ADMIN_REVOKE		_IOWR(DRM_FABRIC_IOCTL_BASE, 0x25, struct drm_fabric_revoke)
#define DRM_FABRIC_ADMIN_OPEN_DEVMEM	_IOWR(DRM_FABRIC_IOCTL_BASE, 0x26, struct drm_fabric_admin_open_devmem)

#if defined(__cplusplus)
}
#endif

#endif /* _UAPI_DRM_FABRIC_H_ */

/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * drm_fabric - user interface of the multi-device fabric manager.
 *
 * Three kinds of file:
 *
 *   /dev/drm_fabric        0666. DRM_FABRIC_IOCTL_QUERY and _OPEN_DEVMEM.
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
 * name; -ENOENT no such region; -ESHUTDOWN the device is draining; -ENODEV it is gone; -ENOMEM,
 * -EMFILE.
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
	DRM_FABRIC_STATE_OFFLINE,	/* (offline) bound, holds nothing, takes nothing */
	DRM_FABRIC_STATE_REVOKED,	/* handles only: the device that it was for has gone */
};

/* Why a page stayed where it was. Index into drm_fabric_devmem_populate.refused_bytes. */
enum drm_fabric_refusal {
	DRM_FABRIC_REFUSED_BUSY = 0,	/* pinned, locked, swapped out, or changing at that moment */
	DRM_FABRIC_REFUSED_NO_ROOM,	/* the region is full */
	DRM_FABRIC_REFUSED_NOT_ANON,	/* file-backed, shared, huge or device memory */
	DRM_FABRIC_REFUSED_NOT_MAPPED,	/* no mapping at that address, or none that may be touched */
	DRM_FABRIC_REFUSED_NO_MEMORY,	/* no memory for book-keeping */
	DRM_FABRIC_REFUSED_COPY,	/* the copy engine failed; the data is where it was */
	DRM_FABRIC_REFUSED_OTHER,
	DRM_FABRIC_N_REFUSED = 8,
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
 * Errors: -EINVAL malformed range; -ESHUTDOWN the device is draining; -ENODEV it is gone; -EINTR;
 * with STRICT also -EBUSY, -ENOSPC (region full), -EOPNOTSUPP (not anonymous), -EFAULT (not
 * mapped), -ENOMEM, -EIO (copy engine).
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
 * @length_bytes: (in) multiple of the page size, not 0
 * @moved_bytes: (out) came home by this call, also when it fails
 *
 * Pages of other regions and of system memory stay where they are.
 *
 * Errors: -EINVAL malformed range; -EINTR; -EBUSY some page resists; -EFAULT some page could not be
 * copied; -ENODEV; -ENOMEM.
 */
struct drm_fabric_devmem_to_system {
	__u32 flags;
	__u32 pad;
	__u64 start;
	__u64 length_bytes;
	__u64 moved_bytes;
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
 *
 * A snapshot: nothing is faulted in or moved.
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
};

/* What read(2) on a devmem fd returns: whole events only, oldest first. */
enum drm_fabric_event_type {
	DRM_FABRIC_EVENT_DRAINING = 1,	/* @arg: milliseconds of notice, 0 = none */
	DRM_FABRIC_EVENT_CANCELLED,	/* the drain was called off, the handle works again */
	DRM_FABRIC_EVENT_EVICTING,	/* @arg: bytes that the device holds */
	DRM_FABRIC_EVENT_REVOKED,	/* last event; every later operation is -ENODEV, read(2) ends with 0 */
};

/**
 * struct drm_fabric_event - one event
 * @type: enum drm_fabric_event_type
 * @size_bytes: size of this event
 * @seq: number of the event on this handle, from 1
 * @time_ns: CLOCK_MONOTONIC
 * @arg: see the type
 */
struct drm_fabric_event {
	__u32 type;
	__u32 size_bytes;
	__u64 seq;
	__u64 time_ns;
	__u64 arg;
};

/**
 * struct drm_fabric_admin_device - an administrative act on a device
 * @flags: (in) must be 0
 * @timeout_ms: (in) DRAIN: notice that the holders are told of (0 = none), whoever drains keeps it
 * by asking for EVICT only then; EVICT, UNBIND: how long to wait for the end (0 = do not wait)
 * @device: (in) name of the device, NUL terminated, zero padded
 * @resident_bytes: (out) still on the device
 *
 * DRAIN: online -> draining. CANCEL: draining, evicting or offline -> online; pages that went
 * home stay there. EVICT: -> draining -> evicting -> offline. UNBIND: the same, and then the
 * driver is unbound; the device goes out of the fabric.
 *
 * Errors: -EINVAL malformed name; -ENODEV no such device; -EALREADY it is in that state;
 * -ETIMEDOUT not done yet, goes on; -EINTR likewise; -ECANCELED somebody called it off meanwhile.
 */
struct drm_fabric_admin_device {
	__u32 flags;
	__u32 timeout_ms;
	char device[DRM_FABRIC_DEVICE_NAME_SIZE];
	__u64 resident_bytes;
};

#define DRM_FABRIC_IOCTL_BASE	0xFA

/* /dev/drm_fabric */
#define DRM_FABRIC_IOCTL_QUERY		_IOWR(DRM_FABRIC_IOCTL_BASE, 0x00, struct drm_fabric_query)
#define DRM_FABRIC_IOCTL_OPEN_DEVMEM	_IOWR(DRM_FABRIC_IOCTL_BASE, 0x01, struct drm_fabric_open_devmem)

/* devmem fd */
#define DRM_FABRIC_DEVMEM_INFO		_IOWR(DRM_FABRIC_IOCTL_BASE, 0x10, struct drm_fabric_devmem_info)
#define DRM_FABRIC_DEVMEM_POPULATE	_IOWR(DRM_FABRIC_IOCTL_BASE, 0x11, struct drm_fabric_devmem_populate)
#define DRM_FABRIC_DEVMEM_TO_SYSTEM	_IOWR(DRM_FABRIC_IOCTL_BASE, 0x12, struct drm_fabric_devmem_to_system)
#define DRM_FABRIC_DEVMEM_RESIDENCY	_IOWR(DRM_FABRIC_IOCTL_BASE, 0x13, struct drm_fabric_devmem_residency)

/* /dev/drm_fabric_admin */
#define DRM_FABRIC_ADMIN_DRAIN		_IOWR(DRM_FABRIC_IOCTL_BASE, 0x20, struct drm_fabric_admin_device)
#define DRM_FABRIC_ADMIN_CANCEL		_IOWR(DRM_FABRIC_IOCTL_BASE, 0x21, struct drm_fabric_admin_device)
#define DRM_FABRIC_ADMIN_EVICT		_IOWR(DRM_FABRIC_IOCTL_BASE, 0x22, struct drm_fabric_admin_device)
#define DRM_FABRIC_ADMIN_UNBIND		_IOWR(DRM_FABRIC_IOCTL_BASE, 0x23, struct drm_fabric_admin_device)

#if defined(__cplusplus)
}
#endif

#endif /* _UAPI_DRM_FABRIC_H_ */

/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * softdma - user interface of a DMA engine without memory of its own.
 *
 * A program opens the render node; the file stands for its address space from then on. (open(2) says
 * ESHUTDOWN while the device is draining.) COPY moves pages between plain addresses, wherever they
 * are: in a linked peer's memory in place, else in system memory.
 */
#ifndef _UAPI_SOFTDMA_DRM_H_
#define _UAPI_SOFTDMA_DRM_H_

#include <drm/drm.h>

#if defined(__cplusplus)
extern "C" {
#endif

/**
 * struct drm_softdma_copy - copy pages and wait for it
 * @flags: (in) must be 0
 * @pad: must be 0
 * @dst: (in) page-aligned address
 * @src: (in) page-aligned address
 * @length_bytes: (in) multiple of the page size, not 0; the ranges must not overlap
 * @peer_bytes: (out) read and written in place in the memory of linked peers
 * @system_bytes: (out) read and written in system memory
 *
 * Pages are copied one by one, in order. After an error @peer_bytes and @system_bytes tell of those
 * before it, which have been written: twice their size, for each is read and written. The page that
 * it ended at may hold anything.
 *
 * Errors: -EINVAL: nothing is changed; -EACCES the file was opened by another address space;
 * -EFAULT an address is not mapped or not writable, or its data is lost; -EINTR a fatal signal;
 * -EBUSY memory that does not stand still for 10 s; -EIO the engine does not come to an end: never
 * again until the device is bound anew; -ENODEV the device leaves or has left; -ENOMEM.
 */
struct drm_softdma_copy {
	__u32 flags;
	__u32 pad;
	__u64 dst;
	__u64 src;
	__u64 length_bytes;
	__u64 peer_bytes;
	__u64 system_bytes;
};

#define DRM_SOFTDMA_COPY	0x00

#define DRM_IOCTL_SOFTDMA_COPY	DRM_IOWR(DRM_COMMAND_BASE + DRM_SOFTDMA_COPY, struct drm_softdma_copy)

#if defined(__cplusplus)
}
#endif

#endif /* _UAPI_SOFTDMA_DRM_H_ */

/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR MIT */
/*
 * softgpu - user interface of the software GPU.
 *
 * A program opens the render node, makes the file's address space with VM_CREATE (it mirrors the
 * caller's own memory: every address means the same on the GPU as in the program), and runs
 * operations on plain addresses with EXEC. Pages that the GPU misses are faulted in by the GPU
 * itself, wherever they are.
 */
#ifndef _UAPI_SOFTGPU_DRM_H_
#define _UAPI_SOFTGPU_DRM_H_

#include <drm/drm.h>

#if defined(__cplusplus)
extern "C" {
#endif

/**
 * struct drm_softgpu_info - about the device
 * @flags: (in) must be 0
 * @pad: (out) 0
 * @vram_size_bytes: (out) size of the VRAM
 * @vram_free_bytes: (out) not allocated now
 * @peer_bytes: (out) read and written by EXEC in peers' memory, since the device was bound
 * @local_bytes: (out) the same in its own VRAM
 * @system_bytes: (out) the same in system memory
 * @faults: (out) faults that the device took since it was bound
 */
struct drm_softgpu_info {
	__u32 flags;
	__u32 pad;
	__u64 vram_size_bytes;
	__u64 vram_free_bytes;
	__u64 peer_bytes;
	__u64 local_bytes;
	__u64 system_bytes;
	__u64 faults;
};

/**
 * struct drm_softgpu_vm_create - mirror the caller's address space on this file
 * @flags: (in) must be 0
 * @pad: must be 0
 *
 * Once a file. Errors: -EEXIST; -ESHUTDOWN the device is draining; -ENODEV; -EINTR; -ENOMEM.
 */
struct drm_softgpu_vm_create {
	__u32 flags;
	__u32 pad;
};

/* Operations. A word is a little-endian u64. */
enum drm_softgpu_op {
	DRM_SOFTGPU_OP_FILL = 1,	/* dst[i] = @value */
	DRM_SOFTGPU_OP_COPY,		/* dst[i] = src[i]; ranges must not overlap */
	DRM_SOFTGPU_OP_ADD,		/* dst[i] = dst[i] + src[i]; src == dst is allowed, other overlap is not */
	DRM_SOFTGPU_OP_CHECKSUM,	/* result = sum over i of src[i] * (2 i + 1), modulo 2^64 */
};

/**
 * struct drm_softgpu_exec - run one operation and wait for it
 * @op: (in) enum drm_softgpu_op
 * @flags: (in) must be 0
 * @dst: (in) address, multiple of 8; must be 0 where the operation has no destination
 * @src: (in) address, multiple of 8; must be 0 where the operation has no source
 * @length_bytes: (in) multiple of 8, not 0
 * @value: (in) for FILL, else 0
 * @result: (out) for CHECKSUM
 * @local_bytes: (out) bytes read and written in the device's own VRAM
 * @peer_bytes: (out) bytes read and written in place in the memory of linked peers
 * @system_bytes: (out) bytes read and written in system memory
 * @faults: (out) faults taken
 *
 * Errors: -EINVAL; -ENOENT no VM_CREATE on this file; -EACCES the file's address space is not the
 * caller's; -EFAULT an address is not mapped or not writable, or was lost with a peer (words
 * before it may have been written); -EINTR a fatal signal (likewise); -EBUSY memory that does not
 * stand still for 10 s (likewise); -ENODEV; -ENOMEM.
 */
struct drm_softgpu_exec {
	__u32 op;
	__u32 flags;
	__u64 dst;
	__u64 src;
	__u64 length_bytes;
	__u64 value;
	__u64 result;
	__u64 local_bytes;
	__u64 peer_bytes;
	__u64 system_bytes;
	__u64 faults;
};

#define DRM_SOFTGPU_INFO	0x00
#define DRM_SOFTGPU_VM_CREATE	0x01
#define DRM_SOFTGPU_EXEC	0x02

#define DRM_IOCTL_SOFTGPU_INFO		DRM_IOWR(DRM_COMMAND_BASE + DRM_SOFTGPU_INFO, struct drm_softgpu_info)
#define DRM_IOCTL_SOFTGPU_VM_CREATE	DRM_IOWR(DRM_COMMAND_BASE + DRM_SOFTGPU_VM_CREATE, struct drm_softgpu_vm_create)
#define DRM_IOCTL_SOFTGPU_EXEC		DRM_IOWR(DRM_COMMAND_BASE + DRM_SOFTGPU_EXEC, struct drm_softgpu_exec)

#if defined(__cplusplus)
}
#endif

#endif /* _UAPI_SOFTGPU_DRM_H_ */

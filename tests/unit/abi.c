/* SPDX-License-Identifier: MIT */
/*
 * The kernel's structures are laid out alike for 32 and 64 bit callers: sizes and places as numbers, compiled for both.
 * A number that changes here changes what programs in the field pass to the kernel.
 */
#include <drm/drm_fabric.h>
#include <drm/softdma_drm.h>
#include <stddef.h>

#define SIZE(_type, _size) _Static_assert(sizeof(struct _type) == (_size), #_type)
#define AT(_type, _field, _offset) _Static_assert(offsetof(struct _type, _field) == (_offset), #_type "." #_field)

SIZE(drm_fabric_query, 32);
AT(drm_fabric_query, generation, 8);
AT(drm_fabric_query, n_devices, 24);

SIZE(drm_fabric_open_devmem, 40);
AT(drm_fabric_open_devmem, render_fd, 4);
AT(drm_fabric_open_devmem, region, 8);
AT(drm_fabric_open_devmem, fd, 24);
AT(drm_fabric_open_devmem, id, 32);
SIZE(drm_fabric_admin_open_devmem, 40);
AT(drm_fabric_admin_open_devmem, render_fd, 4);
AT(drm_fabric_admin_open_devmem, region, 8);
AT(drm_fabric_admin_open_devmem, uid, 24);
AT(drm_fabric_admin_open_devmem, fd, 28);
AT(drm_fabric_admin_open_devmem, id, 32);

SIZE(drm_fabric_devmem_info, 96);
AT(drm_fabric_devmem_info, device, 8);
AT(drm_fabric_devmem_info, region, 40);
AT(drm_fabric_devmem_info, incarnation, 56);
AT(drm_fabric_devmem_info, resident_bytes, 88);

SIZE(drm_fabric_devmem_populate, 168);
AT(drm_fabric_devmem_populate, start, 8);
AT(drm_fabric_devmem_populate, moved_bytes, 24);
AT(drm_fabric_devmem_populate, refused_bytes, 40);

SIZE(drm_fabric_devmem_to_system, 40);
AT(drm_fabric_devmem_to_system, start, 8);
AT(drm_fabric_devmem_to_system, dead_bytes, 32);

SIZE(drm_fabric_devmem_residency, 64);
AT(drm_fabric_devmem_residency, start, 8);
AT(drm_fabric_devmem_residency, region_bytes, 24);
AT(drm_fabric_devmem_residency, dead_bytes, 56);

SIZE(drm_fabric_devmem_reserve, 24);
AT(drm_fabric_devmem_reserve, bytes, 8);
AT(drm_fabric_devmem_reserve, available_bytes, 16);

SIZE(drm_fabric_devmem_grant, 16);
AT(drm_fabric_devmem_grant, fabric_fd, 4);
AT(drm_fabric_devmem_grant, grant_id, 8);

SIZE(drm_fabric_revoke, 24);
AT(drm_fabric_revoke, timeout_ms, 4);
AT(drm_fabric_revoke, resident_bytes, 16);

SIZE(drm_fabric_holder, 56);
AT(drm_fabric_holder, uid, 12);
AT(drm_fabric_holder, devmem_id, 16);
AT(drm_fabric_holder, reserved_bytes, 32);
AT(drm_fabric_holder, dead_bytes, 48);

SIZE(drm_fabric_holders, 96);
AT(drm_fabric_holders, device, 8);
AT(drm_fabric_holders, region, 40);
AT(drm_fabric_holders, holders, 56);
AT(drm_fabric_holders, hidden_reserved_bytes, 88);

SIZE(drm_fabric_devmem_reach, 176);
AT(drm_fabric_devmem_reach, owner_fd, 4);
AT(drm_fabric_devmem_reach, generation, 40);
AT(drm_fabric_devmem_reach, why_not, 48);

SIZE(drm_fabric_location, 8);
AT(drm_fabric_location, fd, 4);

SIZE(drm_fabric_prefer, 88);
AT(drm_fabric_prefer, n_locations, 4);
AT(drm_fabric_prefer, start, 8);
AT(drm_fabric_prefer, locations, 24);

SIZE(drm_fabric_location_info, 72);
AT(drm_fabric_location_info, devmem_id, 8);
AT(drm_fabric_location_info, device, 24);
AT(drm_fabric_location_info, region, 56);

SIZE(drm_fabric_preference, 616);
AT(drm_fabric_preference, accessor_fd, 4);
AT(drm_fabric_preference, address, 8);
AT(drm_fabric_preference, n_locations, 32);
AT(drm_fabric_preference, locations, 40);

SIZE(drm_fabric_residence, 72);
AT(drm_fabric_residence, region, 32);
AT(drm_fabric_residence, incarnation, 48);
AT(drm_fabric_residence, dead_bytes, 64);

SIZE(drm_fabric_residency, 56);
AT(drm_fabric_residency, n_residences, 4);
AT(drm_fabric_residency, residences, 24);
AT(drm_fabric_residency, foreign_bytes, 48);

SIZE(drm_fabric_event, 56);
AT(drm_fabric_event, seq, 8);
AT(drm_fabric_event, incarnation, 40);
AT(drm_fabric_event, reason, 48);

SIZE(drm_fabric_admin_device, 56);
AT(drm_fabric_admin_device, device, 8);
AT(drm_fabric_admin_device, resident_bytes, 40);

SIZE(drm_softdma_copy, 48);
AT(drm_softdma_copy, dst, 8);
AT(drm_softdma_copy, length_bytes, 24);
AT(drm_softdma_copy, system_bytes, 40);

/* The size is part of the number. */
_Static_assert(DRM_FABRIC_IOCTL_QUERY == 0xc020fa00, "QUERY");
_Static_assert(DRM_FABRIC_IOCTL_OPEN_DEVMEM == 0xc028fa01, "OPEN_DEVMEM");
_Static_assert(DRM_FABRIC_IOCTL_HOLDERS == 0xc060fa05, "HOLDERS");
_Static_assert(DRM_FABRIC_IOCTL_REVOKE == 0xc018fa06, "REVOKE");
_Static_assert(DRM_FABRIC_IOCTL_PREFER == 0x4058fa02, "PREFER");
_Static_assert(DRM_FABRIC_IOCTL_PREFERENCE == 0xc268fa03, "PREFERENCE");
_Static_assert(DRM_FABRIC_IOCTL_RESIDENCY == 0xc038fa04, "RESIDENCY");
_Static_assert(DRM_FABRIC_DEVMEM_INFO == 0xc060fa10, "INFO");
_Static_assert(DRM_FABRIC_DEVMEM_POPULATE == 0xc0a8fa11, "POPULATE");
_Static_assert(DRM_FABRIC_DEVMEM_TO_SYSTEM == 0xc028fa12, "TO_SYSTEM");
_Static_assert(DRM_FABRIC_DEVMEM_RESIDENCY == 0xc040fa13, "RESIDENCY");
_Static_assert(DRM_FABRIC_DEVMEM_REACH == 0xc0b0fa14, "REACH");
_Static_assert(DRM_FABRIC_DEVMEM_RESERVE == 0xc018fa15, "RESERVE");
_Static_assert(DRM_FABRIC_DEVMEM_GRANT == 0xc010fa16, "GRANT");
_Static_assert(DRM_FABRIC_ADMIN_DRAIN == 0xc038fa20, "DRAIN");
_Static_assert(DRM_FABRIC_ADMIN_CANCEL == 0xc038fa21, "CANCEL");
_Static_assert(DRM_FABRIC_ADMIN_EVICT == 0xc038fa22, "EVICT");
_Static_assert(DRM_FABRIC_ADMIN_UNBIND == 0xc038fa23, "UNBIND");
_Static_assert(DRM_FABRIC_ADMIN_ABANDON == 0xc038fa24, "ABANDON");
_Static_assert(DRM_FABRIC_ADMIN_OPEN_DEVMEM == 0xc028fa26, "ADMIN_OPEN_DEVMEM");
_Static_assert(DRM_FABRIC_ADMIN_REVOKE == 0xc018fa25, "REVOKE");
_Static_assert(DRM_IOCTL_SOFTDMA_COPY == 0xc0306440, "SOFTDMA_COPY");

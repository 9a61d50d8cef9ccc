// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Can one device use another's memory in place? What the pair table says, for programs.
 */
#include <linux/mutex.h>
#include <linux/string.h>

#include "fabric.h"

/* The pair table's numbers are those of user space. */
static_assert((int)DRM_FABRIC_LINK_PCIE_SWITCH == DRM_FABRIC_REACH_PCIE_SWITCH);
static_assert((int)DRM_FABRIC_LINK_PCIE_HOST_BRIDGE == DRM_FABRIC_REACH_PCIE_HOST_BRIDGE);
static_assert((int)DRM_FABRIC_LINK_XGMI == DRM_FABRIC_REACH_XGMI);
static_assert((int)DRM_FABRIC_LINK_NVLINK == DRM_FABRIC_REACH_NVLINK);
static_assert((int)DRM_FABRIC_LINK_XE_LINK == DRM_FABRIC_REACH_XE_LINK);
static_assert((int)DRM_FABRIC_LINK_CXL == DRM_FABRIC_REACH_CXL);
static_assert((int)DRM_FABRIC_LINK_SOFTGPU == DRM_FABRIC_REACH_SOFTGPU);
static_assert((int)DRM_FABRIC_PROVENANCE_NOMINAL == DRM_FABRIC_REACH_NOMINAL);
static_assert((int)DRM_FABRIC_PROVENANCE_FIRMWARE == DRM_FABRIC_REACH_FIRMWARE);
static_assert((int)DRM_FABRIC_PROVENANCE_MEASURED == DRM_FABRIC_REACH_MEASURED);

/**
 * fabric_reach() - how @accessor reaches the memory of @owner
 * @accessor: the device that accesses
 * @owner: the device whose memory it is
 * @args: the outputs are filled in; they are zero
 *
 * Return: 0; -ENODEV one of them is gone; -ERESTARTSYS.
 */
int fabric_reach(struct drm_fabric_device *accessor, struct drm_fabric_device *owner,
		 struct drm_fabric_devmem_reach *args)
{
	const struct drm_fabric_link_desc *desc;

	if (mutex_lock_interruptible(&fabric_registry))
		return -ERESTARTSYS;
	/* A device that leaves goes out of the list first. */
	if (list_empty(&accessor->link) || list_empty(&owner->link)) {
		mutex_unlock(&fabric_registry);
		return -ENODEV;
	}
	args->generation = READ_ONCE(accessor->generation);
	desc = accessor == owner ? NULL : fabric_link_desc(accessor, owner);
	/* What is published, like the rest: with the generation, also while a link goes down. */
	args->reachable = accessor == owner || (desc && desc->up);
	if (accessor == owner) {
		args->type = DRM_FABRIC_REACH_LOCAL;
	} else if (desc) {
		args->type = desc->type;
		args->read_bandwidth_mbps = desc->read_bandwidth_mbps;
		args->write_bandwidth_mbps = desc->write_bandwidth_mbps;
		args->read_latency_ns = desc->read_latency_ns;
		args->write_latency_ns = desc->write_latency_ns;
		args->hops = desc->hops;
		args->provenance = desc->provenance;
	}
	if (!args->reachable)
		strscpy(args->why_not, desc && desc->why_not ? desc->why_not : "the link is down");
	mutex_unlock(&fabric_registry);
	return 0;
}

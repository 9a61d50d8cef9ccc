// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Links: ordered pairs of devices, accessor -> owner.
 *
 * Upstream's owner groups are cliques, found first come first served: with A-B and B-C linked the
 * result depends on who came first, and one linked pair loses. Here every ordered pair stands
 * alone. There is one entry for each, also for pairs that cannot reach each other: it says why
 * not.
 *
 * Written under fabric_registry; looked up under RCU, also with notifier_lock held.
 */
#include <linux/moduleparam.h>
#include <linux/pci-p2pdma.h>
#include <linux/pci.h>
#include <linux/sysfs.h>

#include "fabric.h"

static bool host_bridge_links;
module_param(host_bridge_links, bool, 0444);
MODULE_PARM_DESC(host_bridge_links, "use peers through a host bridge that passes peer traffic (default: no)");

static const char why_host_bridge[] =
	"only through the host bridge: load drm_fabric with host_bridge_links=1 to use it";
static const char why_acs[] = "access control (ACS) of the switch sends peer traffic to the root";
static const char why_no_path[] =
	"no common PCIe bridge, and the host bridge is not known to pass peer traffic";

struct fabric_link {
	struct kobject kobj;
	struct drm_fabric_device *accessor;
	struct drm_fabric_device *owner;
	struct drm_fabric_link_desc desc;
	unsigned int n_attached; /* regions of the owner that the accessor has a window on */
	bool up;
	struct rcu_head rcu;
};

static const char *const type_names[DRM_FABRIC_N_LINK_TYPES] = {
	[DRM_FABRIC_LINK_NONE] = "none",
	[DRM_FABRIC_LINK_PCIE_SWITCH] = "pcie_switch",
	[DRM_FABRIC_LINK_PCIE_HOST_BRIDGE] = "pcie_host_bridge",
	[DRM_FABRIC_LINK_XGMI] = "xgmi",
	[DRM_FABRIC_LINK_NVLINK] = "nvlink",
	[DRM_FABRIC_LINK_XE_LINK] = "xe_link",
	[DRM_FABRIC_LINK_CXL] = "cxl",
	[DRM_FABRIC_LINK_SOFTGPU] = "softgpu",
};

const char *fabric_link_type_name(enum drm_fabric_link_type type)
{
	return type_names[type];
}

/* MB/s (10^6) of one lane after coding and protocol overhead; 0: not a speed that a link has. */
static u32 pcie_lane_mbps(enum pci_bus_speed speed)
{
	switch (speed) {
	case PCIE_SPEED_2_5GT:
		return 188;
	case PCIE_SPEED_5_0GT:
		return 375;
	case PCIE_SPEED_8_0GT:
		return 750;
	case PCIE_SPEED_16_0GT:
		return 1500;
	case PCIE_SPEED_32_0GT:
		return 3000;
	case PCIE_SPEED_64_0GT:
		return 6000;
	default:
		return 0;
	}
}

/*
 * What the link above @pdev can carry by its capabilities, not by its momentary speed (an idle
 * device saves power). 0: unknown. 2.5 GT/s x1 is what virtual machines say of every port, and
 * means nothing.
 */
static u32 pcie_uplink_mbps(struct pci_dev *pdev)
{
	enum pci_bus_speed speed;
	enum pcie_link_width width;

	if (!pci_is_pcie(pdev))
		return 0;
	speed = pcie_get_speed_cap(pdev);
	width = pcie_get_width_cap(pdev);
	if (width == PCIE_LNK_WIDTH_UNKNOWN || width == PCIE_LNK_WIDTH_RESRV ||
	    (speed == PCIE_SPEED_2_5GT && width == PCIE_LNK_X1))
		return 0;
	return pcie_lane_mbps(speed) * width;
}

/*
 * Does a port send peer requests up to the root instead of across the switch? (PCIe 6.0 6.12.1.1)
 */
static bool acs_redirects(struct pci_dev *bridge)
{
	int pos = pci_find_ext_capability(bridge, PCI_EXT_CAP_ID_ACS);
	u16 ctrl;

	if (!pos || pci_read_config_word(bridge, pos + PCI_ACS_CTRL, &ctrl))
		return false;
	return ctrl & (PCI_ACS_RR | PCI_ACS_EC);
}

struct pci_path {
	u32 hops;
	u32 mbps; /* the least so far; 0 once a link is unknown */
	bool redirected;
};

/* From @pdev up to, not including, @common. */
static void pci_path_walk(struct pci_path *path, struct pci_dev *pdev, struct pci_dev *common)
{
	for (; pdev && pdev != common; pdev = pci_upstream_bridge(pdev)) {
		u32 mbps = pcie_uplink_mbps(pdev);

		path->mbps = min(path->mbps, mbps);
		if (pci_is_bridge(pdev)) {
			path->hops++;
			path->redirected |= acs_redirects(pdev);
		}
	}
}

static struct pci_dev *pci_common_bridge(struct pci_dev *a, struct pci_dev *b)
{
	for (a = pci_upstream_bridge(a); a; a = pci_upstream_bridge(a))
		for (struct pci_dev *c = pci_upstream_bridge(b); c; c = pci_upstream_bridge(c))
			if (a == c)
				return a;
	return NULL;
}

static void fabric_link_describe_pci(struct pci_dev *accessor, struct pci_dev *owner,
				     struct drm_fabric_link_desc *desc)
{
	struct pci_dev *common = pci_common_bridge(accessor, owner);
	struct pci_path path = { .mbps = U32_MAX };

	pci_path_walk(&path, accessor, common);
	pci_path_walk(&path, owner, common);
	if (common)
		path.hops++;

	if (common && !path.redirected) {
		desc->type = DRM_FABRIC_LINK_PCIE_SWITCH;
		desc->up = true;
		desc->why_not = NULL;
	} else if (pci_p2pdma_distance(owner, &accessor->dev, false) >= 0) {
		desc->type = DRM_FABRIC_LINK_PCIE_HOST_BRIDGE;
		desc->up = host_bridge_links;
		desc->why_not = desc->up ? NULL : why_host_bridge;
		path.hops++;
	} else {
		desc->why_not = path.redirected ? why_acs : why_no_path;
		return;
	}
	desc->hops = path.hops;
	if (path.mbps) {
		desc->read_bandwidth_mbps = path.mbps;
		desc->write_bandwidth_mbps = path.mbps;
		desc->provenance = DRM_FABRIC_PROVENANCE_NOMINAL;
	}
}

/* A link's figures, for the attribute files. All are u32 and 0 where unknown. */
struct fabric_link_attribute {
	struct attribute attr;
	size_t offset;
};

static struct fabric_link *to_fabric_link(struct kobject *kobj)
{
	return container_of(kobj, struct fabric_link, kobj);
}

#define FABRIC_LINK_ATTR(_name, _offset)                              \
	static struct fabric_link_attribute link_attr_##_name = {     \
		.attr = { .name = __stringify(_name), .mode = 0444 }, \
		.offset = _offset,                                    \
	}

#define FABRIC_LINK_FIGURE(_name, _field) \
	FABRIC_LINK_ATTR(_name, offsetof(struct drm_fabric_link_desc, _field))

FABRIC_LINK_ATTR(type, 0);
FABRIC_LINK_ATTR(state, 0);
FABRIC_LINK_ATTR(why_not, 0);
FABRIC_LINK_ATTR(provenance, 0);
FABRIC_LINK_FIGURE(read_bandwidth, read_bandwidth_mbps);
FABRIC_LINK_FIGURE(write_bandwidth, write_bandwidth_mbps);
FABRIC_LINK_FIGURE(read_latency, read_latency_ns);
FABRIC_LINK_FIGURE(write_latency, write_latency_ns);
FABRIC_LINK_FIGURE(hops, hops);

static u32 fabric_link_figure(const struct fabric_link *link,
			      const struct fabric_link_attribute *la)
{
	return *(const u32 *)((const char *)&link->desc + la->offset);
}

static ssize_t fabric_link_show(struct kobject *kobj, struct attribute *attr, char *buf)
{
	static const char *const provenances[] = {
		[DRM_FABRIC_PROVENANCE_NONE] = "none",
		[DRM_FABRIC_PROVENANCE_NOMINAL] = "nominal",
		[DRM_FABRIC_PROVENANCE_FIRMWARE] = "firmware",
		[DRM_FABRIC_PROVENANCE_MEASURED] = "measured",
	};
	struct fabric_link_attribute *la = container_of(attr, struct fabric_link_attribute, attr);
	struct fabric_link *link = to_fabric_link(kobj);

	if (la == &link_attr_type)
		return sysfs_emit(buf, "%s\n", type_names[link->desc.type]);
	if (la == &link_attr_state)
		return sysfs_emit(buf, "%s\n", READ_ONCE(link->up) ? "up" : "down");
	if (la == &link_attr_why_not)
		return sysfs_emit(buf, "%s\n", link->desc.why_not);
	if (la == &link_attr_provenance)
		return sysfs_emit(buf, "%s\n", provenances[link->desc.provenance]);
	return sysfs_emit(buf, "%u\n", fabric_link_figure(link, la));
}

static umode_t fabric_link_is_visible(struct kobject *kobj, struct attribute *attr, int n)
{
	struct fabric_link_attribute *la = container_of(attr, struct fabric_link_attribute, attr);
	struct fabric_link *link = to_fabric_link(kobj);
	bool visible;

	if (la == &link_attr_type || la == &link_attr_state)
		visible = true;
	else if (la == &link_attr_why_not)
		visible = link->desc.why_not;
	else if (la == &link_attr_provenance)
		visible = link->desc.provenance != DRM_FABRIC_PROVENANCE_NONE;
	else
		visible = fabric_link_figure(link, la);
	return visible ? attr->mode : 0;
}

static struct attribute *fabric_link_attrs[] = {
	&link_attr_type.attr,		&link_attr_state.attr,
	&link_attr_why_not.attr,	&link_attr_provenance.attr,
	&link_attr_read_bandwidth.attr, &link_attr_write_bandwidth.attr,
	&link_attr_read_latency.attr,	&link_attr_write_latency.attr,
	&link_attr_hops.attr,		NULL,
};

static const struct attribute_group fabric_link_group = {
	.attrs = fabric_link_attrs,
	.is_visible = fabric_link_is_visible,
};
__ATTRIBUTE_GROUPS(fabric_link);

static void fabric_link_release(struct kobject *kobj)
{
	struct fabric_link *link = to_fabric_link(kobj);

	kfree_rcu(link, rcu);
}

static const struct sysfs_ops fabric_link_sysfs_ops = {
	.show = fabric_link_show,
};

static const struct kobj_type fabric_link_ktype = {
	.release = fabric_link_release,
	.sysfs_ops = &fabric_link_sysfs_ops,
	.default_groups = fabric_link_groups,
};

static void fabric_link_attach(struct fabric_link *link)
{
	struct drm_fabric_device *accessor = link->accessor, *owner = link->owner;

	if (!owner->n_regions) {
		link->desc.up = false;
		link->desc.why_not = "the peer has no memory of its own";
	}
	if (!link->desc.up) {
		link->desc.why_not = link->desc.why_not ?: "the driver does not say why";
		return;
	}
	for (; link->n_attached < owner->n_regions && accessor->ops->attach_peer;
	     link->n_attached++) {
		if (!accessor->ops->attach_peer(accessor, owner->regions[link->n_attached]))
			continue;
		while (link->n_attached)
			accessor->ops->revoke_peer(accessor, owner->regions[--link->n_attached]);
		link->desc.up = false;
		link->desc.why_not = "the accessing driver could not map the peer's aperture";
		return;
	}
	link->desc.why_not = NULL;
	WRITE_ONCE(link->up, true);
}

static void fabric_link_remove(struct fabric_link *link)
{
	struct drm_fabric_device *accessor = link->accessor, *owner = link->owner;

	WRITE_ONCE(link->up, false);
	/* Eviction has ended all mappings. The walk waits for faults, with the registry held. */
	for (unsigned int i = 0; i < owner->n_regions; i++)
		if (atomic64_read(&owner->regions[i]->n_mappings))
			fabric_vms_revoke(accessor, owner->regions[i]);
	while (link->n_attached)
		accessor->ops->revoke_peer(accessor, owner->regions[--link->n_attached]);
	xa_erase(&accessor->links, owner->slot);
	if (link->kobj.state_in_sysfs)
		kobject_del(&link->kobj);
	kobject_put(&link->kobj);
}

static int fabric_link_add(struct drm_fabric_device *accessor, struct drm_fabric_device *owner)
{
	struct fabric_link *link;
	int err;

	link = kzalloc_obj(*link);
	if (!link)
		return -ENOMEM;
	kobject_init(&link->kobj, &fabric_link_ktype);
	link->accessor = accessor;
	link->owner = owner;
	link->desc.why_not = "not PCI devices, and the driver knows of no link";
	if (dev_is_pci(accessor->dev.parent) && dev_is_pci(owner->dev.parent))
		fabric_link_describe_pci(to_pci_dev(accessor->dev.parent),
					 to_pci_dev(owner->dev.parent), &link->desc);
	if (accessor->ops->describe_link)
		accessor->ops->describe_link(accessor, owner, &link->desc);
	fabric_link_attach(link);

	err = xa_err(xa_store(&accessor->links, owner->slot, link, GFP_KERNEL));
	if (!err)
		err = kobject_add(&link->kobj, accessor->links_dir, "%s", dev_name(&owner->dev));
	if (err)
		fabric_link_remove(link);
	return err;
}

/* Both directions between @fdev, which is not in the list yet, and every other device. */
int fabric_links_add(struct drm_fabric_device *fdev)
{
	struct drm_fabric_device *peer;
	int err = 0;

	lockdep_assert_held(&fabric_registry);
	list_for_each_entry(peer, &fabric_devices, link) {
		err = fabric_link_add(fdev, peer);
		if (!err)
			err = fabric_link_add(peer, fdev);
		if (err)
			break;
		fabric_device_changed(peer);
	}
	if (err)
		fabric_links_remove(fdev);
	return err;
}

void fabric_links_remove(struct drm_fabric_device *fdev)
{
	struct drm_fabric_device *peer;
	struct fabric_link *link;
	unsigned long slot;

	lockdep_assert_held(&fabric_registry);
	xa_for_each(&fdev->links, slot, link)
		fabric_link_remove(link);
	list_for_each_entry(peer, &fabric_devices, link) {
		link = xa_load(&peer->links, fdev->slot);
		if (!link)
			continue;
		fabric_link_remove(link);
		fabric_device_changed(peer);
	}
}

/* May @accessor use memory of @owner in place? Any context. */
bool fabric_reachable(struct drm_fabric_device *accessor, struct drm_fabric_device *owner)
{
	struct fabric_link *link;

	if (accessor == owner)
		return true;
	guard(rcu)();
	link = xa_load(&accessor->links, owner->slot);
	return link && READ_ONCE(link->up);
}

/* What is published of a pair, or NULL. Under fabric_registry. */
const struct drm_fabric_link_desc *fabric_link_desc(struct drm_fabric_device *accessor,
						    struct drm_fabric_device *owner)
{
	struct fabric_link *link = xa_load(&accessor->links, owner->slot);

	lockdep_assert_held(&fabric_registry);
	return link ? &link->desc : NULL;
}

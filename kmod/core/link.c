// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Links: ordered pairs of devices, accessor -> owner.
 *
 * Upstream's owner groups are cliques, found first come first served: with A-B and B-C linked the
 * result depends on who came first, and one linked pair loses. Here every ordered pair stands
 * alone. There is one entry for each, also for pairs that cannot reach each other: it says why
 * not.
 *
 * The table is written under fabric_registry and looked up under RCU, also with notifier_lock held.
 *
 * DOC: A link that goes down
 *
 * Nobody may use the owner's memory through it when revoke_peer() is called, and nothing that was
 * planned before may be carried out afterwards, even if the link is up again by then. Whoever maps
 * for an accessor looks at fabric_link.up and uses the mapping inside one critical section that
 * going down waits for:
 *
 * - a fault counts invalidations of its range from its first look to its commit, with notifier_lock
 *   held at both, and fabric_vms_revoke() counts one for every range of the accessor's address
 *   spaces: it does not wait for the fault, which looks again;
 * - populate, where the accessor's copy engine writes into the owner, holds the owner's users from
 *   its first look to the end of the copy, and they are flushed;
 * - a measurement is a work item that is waited for.
 *
 * So each of them is over or comes to nothing, or begins when @up is false already: down and up in
 * between cannot be missed, and no generation is needed to notice it: a link that is on its way
 * down is not looked at again, nor does an end of it go, before it is there. The evictor and CPU
 * touches use no link. After a refusal nothing goes back by itself: a fault moves memory to a
 * device only where its process prefers that (place.c), so the rest stays in system memory.
 *
 * Accesses that run and populates take a while: fabric_registry is not held meanwhile. What the
 * link shows changes when it is down, and who comes or goes in between meets a link that is not up.
 * A fault takes as long as a program's memory takes, which may be behind a FUSE server: nobody
 * waits for that.
 */
#include <linux/moduleparam.h>
#include <linux/pci-p2pdma.h>
#include <linux/pci.h>
#include <linux/sysfs.h>

#include "link.h"

/* Woken when a link that was on its way down is there. */
static DECLARE_WAIT_QUEUE_HEAD(links_waitq);

static bool host_bridge_links;
module_param(host_bridge_links, bool, 0444);
MODULE_PARM_DESC(host_bridge_links, "use peers through a host bridge that passes peer traffic (default: no)");

static const char why_host_bridge[] =
	"only through the host bridge: load drm_fabric with host_bridge_links=1 to use it";
static const char why_acs[] = "access control (ACS) of the switch sends peer traffic to the root";
static const char why_no_path[] =
	"no common PCIe bridge, and the host bridge is not known to pass peer traffic";

static const char why_owner_lost[] = "the peer is lost";
static const char why_accessor_lost[] = "the device is lost";

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

#define FABRIC_LINK_ATTR(_name, _mode, _offset)                        \
	static struct fabric_link_attribute link_attr_##_name = {      \
		.attr = { .name = __stringify(_name), .mode = _mode }, \
		.offset = _offset,                                     \
	}

#define FABRIC_LINK_FIGURE(_name, _field) \
	FABRIC_LINK_ATTR(_name, 0444, offsetof(struct drm_fabric_link_desc, _field))

FABRIC_LINK_ATTR(type, 0444, 0);
FABRIC_LINK_ATTR(state, 0444, 0);
FABRIC_LINK_ATTR(why_not, 0444, 0);
FABRIC_LINK_ATTR(provenance, 0444, 0);
FABRIC_LINK_FIGURE(read_bandwidth, read_bandwidth_mbps);
FABRIC_LINK_FIGURE(write_bandwidth, write_bandwidth_mbps);
FABRIC_LINK_FIGURE(read_latency, read_latency_ns);
FABRIC_LINK_FIGURE(write_latency, write_latency_ns);
FABRIC_LINK_FIGURE(hops, hops);
FABRIC_LINK_ATTR(measure, 0200, 0);
FABRIC_LINK_ATTR(measure_state, 0444, 0);
FABRIC_LINK_ATTR(measured_at_s, 0444, 0);

static struct attribute *fabric_link_attrs[] = {
	&link_attr_type.attr,		&link_attr_state.attr,
	&link_attr_why_not.attr,	&link_attr_provenance.attr,
	&link_attr_read_bandwidth.attr, &link_attr_write_bandwidth.attr,
	&link_attr_read_latency.attr,	&link_attr_write_latency.attr,
	&link_attr_hops.attr,		&link_attr_measure.attr,
	&link_attr_measure_state.attr,	&link_attr_measured_at_s.attr,
	NULL,
};

/* What is published at a moment: all of one piece. */
struct link_view {
	struct drm_fabric_link_desc desc;
	u64 measured_at_s;
};

static struct link_view fabric_link_view(struct fabric_link *link)
{
	guard(spinlock)(&link->view_lock);
	return (struct link_view){ .desc = link->desc, .measured_at_s = link->measured_at_s };
}

static u32 link_figure(const struct link_view *view, const struct fabric_link_attribute *la)
{
	return *(const u32 *)((const char *)&view->desc + la->offset);
}

/* Is there anything to say? What is unknown has no file. */
static bool link_is_known(const struct link_view *view, const struct fabric_link_attribute *la)
{
	if (la == &link_attr_type || la == &link_attr_state || la == &link_attr_measure ||
	    la == &link_attr_measure_state)
		return true;
	if (la == &link_attr_why_not)
		return view->desc.why_not;
	if (la == &link_attr_provenance)
		return view->desc.provenance != DRM_FABRIC_PROVENANCE_NONE;
	if (la == &link_attr_measured_at_s)
		return view->measured_at_s;
	return link_figure(view, la);
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
	struct link_view view = fabric_link_view(link);

	/* It has just become unknown, and its file is about to go: as if it had gone. */
	if (!link_is_known(&view, la))
		return -ENODEV;
	if (la == &link_attr_type)
		return sysfs_emit(buf, "%s\n", type_names[view.desc.type]);
	if (la == &link_attr_state)
		return sysfs_emit(buf, "%s\n", view.desc.up ? "up" : "down");
	if (la == &link_attr_why_not)
		return sysfs_emit(buf, "%s\n", view.desc.why_not);
	if (la == &link_attr_provenance)
		return sysfs_emit(buf, "%s\n", provenances[view.desc.provenance]);
	if (la == &link_attr_measure_state)
		return fabric_measure_emit_state(link, buf);
	if (la == &link_attr_measured_at_s)
		return sysfs_emit(buf, "%llu\n", view.measured_at_s);
	return sysfs_emit(buf, "%u\n", link_figure(&view, la));
}

/* Of link_attr_measure. Waits for nothing that going down holds: that waits for this. */
static ssize_t fabric_link_store(struct kobject *kobj, struct attribute *attr, const char *buf,
				 size_t len)
{
	int err = fabric_parse_act(buf);

	if (!err)
		err = fabric_measure_begin(to_fabric_link(kobj));
	return err ?: len;
}

static umode_t fabric_link_is_visible(struct kobject *kobj, struct attribute *attr, int n)
{
	return test_bit(n, &to_fabric_link(kobj)->shown) ? attr->mode : 0;
}

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
	.store = fabric_link_store,
};

static const struct kobj_type fabric_link_ktype = {
	.release = fabric_link_release,
	.sysfs_ops = &fabric_link_sysfs_ops,
	.default_groups = fabric_link_groups,
};

/*
 * Files for what is known, and for nothing else. One by one: sysfs_update_group() takes away all
 * files and makes them anew, and whoever reads one meanwhile finds the link half gone.
 */
static void fabric_link_update_files(struct fabric_link *link)
{
	struct link_view view = fabric_link_view(link);

	lockdep_assert_held(&link->lock);
	for (int i = 0; fabric_link_attrs[i]; i++) {
		struct attribute *attr = fabric_link_attrs[i];
		struct fabric_link_attribute *la =
			container_of(attr, struct fabric_link_attribute, attr);
		bool known = link_is_known(&view, la);

		if (known == test_bit(i, &link->shown))
			continue;
		/* At first kobject_add() makes them. Without memory the next change tries again. */
		if (known && link->kobj.state_in_sysfs && sysfs_create_file(&link->kobj, attr))
			continue;
		if (!known)
			sysfs_remove_file(&link->kobj, attr);
		__assign_bit(i, &link->shown, known);
	}
}

/*
 * From now on @desc is published, with what was measured on top. Readers see all of it or all of
 * what was before.
 */
static void fabric_link_publish(struct fabric_link *link, const struct drm_fabric_link_desc *desc)
{
	struct drm_fabric_link_desc told = *desc;

	lockdep_assert_held(&link->lock);
	if (link->measured.at_s) {
		told.read_bandwidth_mbps = link->measured.read_mbps;
		told.write_bandwidth_mbps = link->measured.write_mbps;
		told.provenance = DRM_FABRIC_PROVENANCE_MEASURED;
	}
	scoped_guard(spinlock, &link->view_lock) {
		link->desc = told;
		link->measured_at_s = link->measured.at_s;
	}
	fabric_link_update_files(link);
}

/* The worker of a link has measured it. */
void fabric_link_set_measured(struct fabric_link *link, const struct fabric_measured *measured)
{
	scoped_guard(mutex, &link->lock) {
		link->measured = *measured;
		fabric_link_publish(link, &link->desc);
	}
	fabric_device_changed(link->accessor);
}

/* What the bus and the accessor's driver say now. */
static void fabric_link_describe(struct fabric_link *link, struct drm_fabric_link_desc *desc)
{
	struct drm_fabric_device *accessor = link->accessor, *owner = link->owner;

	*desc = (struct drm_fabric_link_desc){
		.why_not = "not PCI devices, and the driver knows of no link",
	};
	if (dev_is_pci(accessor->dev.parent) && dev_is_pci(owner->dev.parent))
		fabric_link_describe_pci(to_pci_dev(accessor->dev.parent),
					 to_pci_dev(owner->dev.parent), desc);
	if (accessor->ops->describe_link)
		accessor->ops->describe_link(accessor, owner, desc);
	if (!owner->n_regions) {
		desc->up = false;
		desc->why_not = "the peer has no memory of its own";
	}
	if (READ_ONCE(accessor->lost) || READ_ONCE(owner->lost)) {
		desc->up = false;
		desc->why_not = READ_ONCE(owner->lost) ? why_owner_lost : why_accessor_lost;
	}
	if (desc->up)
		desc->why_not = NULL;
	else
		desc->why_not = desc->why_not ?: "the driver does not say why";
}

static void fabric_link_detach(struct fabric_link *link)
{
	struct drm_fabric_device *accessor = link->accessor, *owner = link->owner;

	for (unsigned int n = link->n_attached; n; n--) {
		if (accessor->ops->revoke_peer)
			accessor->ops->revoke_peer(accessor, owner->regions[n - 1]);
		WRITE_ONCE(link->n_attached, n - 1);
	}
}

/* It is down and is to be up. @desc says why not if that cannot be. */
static void fabric_link_up(struct fabric_link *link, struct drm_fabric_link_desc *desc)
{
	struct drm_fabric_device *accessor = link->accessor, *owner = link->owner;

	for (unsigned int n = link->n_attached; n < owner->n_regions; n++) {
		if (accessor->ops->attach_peer &&
		    accessor->ops->attach_peer(accessor, owner->regions[n])) {
			fabric_link_detach(link);
			desc->up = false;
			desc->why_not = "the accessing driver could not map the peer's aperture";
			return;
		}
		WRITE_ONCE(link->n_attached, n + 1);
	}
	WRITE_ONCE(link->up, true);
	fabric_measure_allow(link);
}

/* It is up and is to be down: see DOC: A link that goes down. What it says then is @desc. */
static void fabric_link_begin_down(struct fabric_link *link,
				   const struct drm_fabric_link_desc *desc, struct list_head *going)
{
	WRITE_ONCE(link->up, false);
	link->going_desc = *desc;
	link->going = true;
	kobject_get(&link->kobj);
	list_add_tail(&link->going_link, going);
}

/* Without fabric_registry: it waits for populates. Both ends wait for it before they go. */
static void fabric_link_wait_down(struct fabric_link *link)
{
	struct drm_fabric_device *accessor = link->accessor, *owner = link->owner;

	fabric_measure_stop(link);
	/* Always: a fault that has seen the link up may have no mapping yet. */
	for (unsigned int i = 0; i < owner->n_regions; i++)
		fabric_vms_revoke(accessor, owner->regions[i]);
	fabric_device_flush_users(owner);
}

static bool desc_is_same(const struct drm_fabric_link_desc *a, const struct drm_fabric_link_desc *b)
{
	return a->type == b->type && a->up == b->up &&
	       !strcmp(a->why_not ?: "", b->why_not ?: "") &&
	       a->read_bandwidth_mbps == b->read_bandwidth_mbps &&
	       a->write_bandwidth_mbps == b->write_bandwidth_mbps &&
	       a->read_latency_ns == b->read_latency_ns &&
	       a->write_latency_ns == b->write_latency_ns && a->hops == b->hops &&
	       a->provenance == b->provenance;
}

/* What its driver says is so now. Marks the accessor if anything is different. */
static void fabric_link_tell(struct fabric_link *link, const struct drm_fabric_link_desc *desc)
{
	struct drm_fabric_link_desc was;

	guard(mutex)(&link->lock);
	was = link->desc;
	if (desc->type != was.type)
		link->measured.at_s = 0;
	fabric_link_publish(link, desc);
	link->accessor->changed |= !desc_is_same(&link->desc, &was);
}

static void fabric_link_end_down(struct fabric_link *link)
{
	fabric_link_detach(link);
	fabric_link_tell(link, &link->going_desc);
	list_del(&link->going_link);
	WRITE_ONCE(link->going, false);
}

/* Ask anew, and make it so; but one that is to go down has only begun to, and is in @going. */
static void fabric_link_refresh(struct fabric_link *link, struct list_head *going)
{
	struct drm_fabric_link_desc desc;

	fabric_link_describe(link, &desc);
	if (link->up && !desc.up) {
		fabric_link_begin_down(link, &desc, going);
		return;
	}
	if (link->up && desc.type != link->desc.type) {
		/* Half of it would be of one link and half of the other. */
		fabric_measure_stop(link);
		fabric_measure_allow(link);
	} else if (!link->up && desc.up) {
		fabric_link_up(link, &desc);
	}
	fabric_link_tell(link, &desc);
}

static void fabric_link_remove(struct fabric_link *link)
{
	struct drm_fabric_device *accessor = link->accessor, *owner = link->owner;

	/*
	 * One of the two has been evicted, and the link does not come back: nothing is under way
	 * between them but a measurement, and no mapping is made. So the walk, with the registry
	 * held, is for what should not be there.
	 */
	if (link->up) {
		WRITE_ONCE(link->up, false);
		fabric_measure_stop(link);
	}
	for (unsigned int i = 0; i < owner->n_regions; i++)
		if (atomic64_read(&owner->regions[i]->n_mappings))
			fabric_vms_revoke(accessor, owner->regions[i]);
	fabric_link_detach(link);
	xa_erase(&accessor->links, owner->slot);
	if (link->kobj.state_in_sysfs)
		kobject_del(&link->kobj);
	kobject_put(&link->kobj);
}

static int fabric_link_add(struct drm_fabric_device *accessor, struct drm_fabric_device *owner)
{
	struct drm_fabric_link_desc desc;
	struct fabric_link *link;
	int err;

	link = kzalloc_obj(*link);
	if (!link)
		return -ENOMEM;
	kobject_init(&link->kobj, &fabric_link_ktype);
	link->accessor = accessor;
	link->owner = owner;
	mutex_init(&link->lock);
	spin_lock_init(&link->view_lock);
	fabric_measure_init(link);
	fabric_link_describe(link, &desc);
	if (desc.up)
		fabric_link_up(link, &desc);
	scoped_guard(mutex, &link->lock)
		fabric_link_publish(link, &desc);

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
		peer->changed = true;
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
		peer->changed = true;
	}
}

/* A link from or to @fdev that is on its way down, counted, or NULL. */
static struct fabric_link *fabric_links_find_going(struct drm_fabric_device *fdev)
{
	struct drm_fabric_device *peer;
	struct fabric_link *links[2];

	list_for_each_entry(peer, &fabric_devices, link) {
		links[0] = xa_load(&fdev->links, peer->slot);
		links[1] = xa_load(&peer->links, fdev->slot);
		for (unsigned int i = 0; i < ARRAY_SIZE(links); i++) {
			if (!links[i] || !links[i]->going)
				continue;
			kobject_get(&links[i]->kobj);
			return links[i];
		}
	}
	return NULL;
}

/**
 * fabric_links_settle() - wait until no link from or to a device is on its way down
 * @fdev: the device
 *
 * fabric_registry is held, given up meanwhile, and held again: until that is given up the links
 * stay settled.
 */
void fabric_links_settle(struct drm_fabric_device *fdev)
{
	struct fabric_link *link;

	lockdep_assert_held(&fabric_registry);
	while ((link = fabric_links_find_going(fdev))) {
		mutex_unlock(&fabric_registry);
		/* As long as it takes, and no hung-task warning about it. */
		wait_event_idle(links_waitq, !READ_ONCE(link->going));
		kobject_put(&link->kobj);
		mutex_lock(&fabric_registry);
	}
}

void drm_fabric_links_changed(struct drm_fabric_device *fdev)
{
	struct drm_fabric_device *peer;
	struct fabric_link *link, *next;
	LIST_HEAD(going);

	guard(mutex)(&fabric_registry);
	fabric_links_settle(fdev);
	/* Not there yet, or leaving: its links are described, or go, all the same. */
	if (list_empty(&fdev->link))
		return;
	list_for_each_entry(peer, &fabric_devices, link) {
		if (peer == fdev)
			continue;
		fabric_link_refresh(xa_load(&fdev->links, peer->slot), &going);
		fabric_link_refresh(xa_load(&peer->links, fdev->slot), &going);
	}
	if (!list_empty(&going)) {
		mutex_unlock(&fabric_registry);
		list_for_each_entry(link, &going, going_link)
			fabric_link_wait_down(link);
		mutex_lock(&fabric_registry);
	}
	list_for_each_entry_safe(link, next, &going, going_link) {
		fabric_link_end_down(link);
		kobject_put(&link->kobj);
	}
	wake_up_all(&links_waitq);
	fabric_groups_update();
	fabric_devices_tell();
}
EXPORT_SYMBOL_GPL(drm_fabric_links_changed);

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

bool drm_fabric_vm_peers_present(struct drm_fabric_vm *vm)
{
	struct fabric_link *link;
	unsigned long slot;

	/* A link is attached until all that its accessor has mapped has been taken away. */
	guard(rcu)();
	xa_for_each(&vm->fdev->links, slot, link)
		if (READ_ONCE(link->n_attached) && !drm_fabric_device_present(link->owner))
			return false;
	return true;
}
EXPORT_SYMBOL_GPL(drm_fabric_vm_peers_present);

/*
 * What is published of a pair, or NULL. Under fabric_registry: type and up are good, the figures
 * may be written at this moment.
 */
const struct drm_fabric_link_desc *fabric_link_desc(struct drm_fabric_device *accessor,
						    struct drm_fabric_device *owner)
{
	struct fabric_link *link = xa_load(&accessor->links, owner->slot);

	lockdep_assert_held(&fabric_registry);
	return link ? &link->desc : NULL;
}

// SPDX-License-Identifier: MIT
/* See topology_watch.h. What differs between two snapshots is told by topology_diff.c. */
#include "topology_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <libudev.h>

#include "base/clock.h"
#include "log.h"
#include "manager.h"
#include "peer.h"
#include "place/site.h"
#include "removal.h"
#include "source/source.h"
#include "sysfs.h"
#include "topology_diff.h"
#include "topology_file.h"
#include "unbound.h"

struct topology_watch {
	struct manager *manager;
	struct topology *topology;
	struct place_site *site; /* of this or an earlier snapshot; NULL: not asked for yet */
	struct wire_buffer *reply; /* NULL: not asked for yet */
	int64_t read_ms; /* when the counters were read */
	struct udev *udev;
	struct udev_monitor *monitor;
	struct event *on_uevent, *on_reread;
};

/* Takes over the reference. */
static void watch_replace(struct topology_watch *watch, struct topology *topology)
{
	if (watch->topology)
		topology_diff_tell(watch->manager->journal, watch->topology, topology);
	topology_unref(watch->topology);
	watch->topology = topology;
	watch->reply = wire_buffer_unref(watch->reply);
}

/* @topology with the devices that Remove has taken away. */
static int add_unbound(struct manager *manager, struct topology **topology)
{
	struct topology_builder *builder;
	struct topology *merged;
	struct unbound *unbound;
	int r;

	unbound_refresh(manager);
	if (TAILQ_EMPTY(&manager->unbound))
		return 0;
	r = topology_builder_new((*topology)->source, (*topology)->generation, &builder);
	if (r < 0)
		return r;
	r = topology_builder_add_topology(builder, *topology);
	TAILQ_FOREACH(unbound, &manager->unbound, entry) {
		struct topology_device device = {
			.name = unbound->device,
			.state = TOPOLOGY_STATE_UNBOUND,
			.incarnation = unbound->incarnation,
			.numa_node = unbound->numa_node,
		};

		if (r < 0)
			break;
		r = topology_builder_add_device(builder, &device);
		if (r == -EEXIST)
			r = 0; /* it came back just now */
	}
	if (r >= 0)
		r = topology_builder_finish(builder, &merged);
	topology_builder_free(builder);
	if (r < 0)
		return r;
	topology_unref(*topology);
	*topology = merged;
	return 0;
}

int topology_watch_reread(struct topology_watch *watch)
{
	struct topology *topology;
	int r;

	r = source_read(watch->manager->config.root, &topology);
	if (r < 0) {
		log_error("cannot read the topology: %s", strerror(-r));
		return r;
	}
	removal_notice_gone(watch->manager);
	r = topology_file_add(&topology, watch->manager->file);
	if (r == 0)
		r = add_unbound(watch->manager, &topology);
	if (r < 0) {
		log_error("cannot read the topology: %s", strerror(-r));
		topology_unref(topology);
		return r;
	}
	watch->read_ms = now_ms();
	watch_replace(watch, topology);
	return 0;
}

/* The counters of one device into @ret, a shallow copy. Return: whether any differs. */
static bool read_counters(struct manager *manager, struct topology_device *ret)
{
	bool differs = false;
	int64_t value;

	if (sysfs_read_int(manager->sysfs_fd, &value, "class/drm_fabric/%s/handles", ret->name) == 0) {
		differs = value != ret->n_handles;
		ret->n_handles = value;
	}
	for (size_t i = 0; i < ret->n_regions; i++) {
		struct topology_region *region = &ret->regions[i];

		if (sysfs_read_int(manager->sysfs_fd, &value, "class/drm_fabric/%s/regions/%s/free_bytes", ret->name,
				   region->name) == 0) {
			differs |= value != region->free_bytes;
			region->free_bytes = value;
		}
		if (sysfs_read_int(manager->sysfs_fd, &value, "class/drm_fabric/%s/regions/%s/resident_bytes",
				   ret->name, region->name) == 0) {
			differs |= value != region->resident_bytes;
			region->resident_bytes = value;
		}
	}
	return differs;
}

static int add_device_with_counters(struct manager *manager, struct topology_builder *builder,
				    const struct topology_device *device, bool *differs)
{
	struct topology_device copy = *device;
	int r;

	copy.regions = NULL;
	if (device->n_regions) {
		copy.regions = malloc(device->n_regions * sizeof(copy.regions[0]));
		if (!copy.regions)
			return -ENOMEM;
		memcpy(copy.regions, device->regions, device->n_regions * sizeof(copy.regions[0]));
	}
	if (device->state != TOPOLOGY_STATE_UNBOUND && device->state != TOPOLOGY_STATE_UNMANAGED &&
	    read_counters(manager, &copy))
		*differs = true;
	r = topology_builder_add_device(builder, &copy);
	free(copy.regions);
	return r;
}

/* The same links, groups and warnings. */
static int add_unchanged(struct topology_builder *builder, const struct topology *topology)
{
	int r = 0;

	for (size_t i = 0; i < topology->n_links && r >= 0; i++)
		r = topology_builder_add_link(builder, topology->devices[topology->links[i].accessor].name,
					      topology->devices[topology->links[i].owner].name, &topology->links[i]);
	for (size_t i = 0; i < topology->n_groups && r >= 0; i++) {
		const struct topology_group *group = &topology->groups[i];
		const char **members = malloc((group->n_members + 1) * sizeof(members[0]));

		if (!members)
			return -ENOMEM;
		for (size_t j = 0; j < group->n_members; j++)
			members[j] = topology->devices[group->members[j]].name;
		r = topology_builder_add_group(builder, group->id, group->type, members, group->n_members);
		free(members);
	}
	for (size_t i = 0; i < topology->n_warnings && r >= 0; i++)
		r = topology_builder_warn(builder, "%s", topology->warnings[i]);
	return r;
}

static int refresh_counters(struct topology_watch *watch)
{
	struct topology *old = watch->topology, *topology;
	struct topology_builder *builder;
	bool differs = false;
	int r;

	r = topology_builder_new(old->source, old->generation, &builder);
	if (r < 0)
		return r;
	for (size_t i = 0; i < old->n_devices && r >= 0; i++)
		r = add_device_with_counters(watch->manager, builder, &old->devices[i], &differs);
	if (r >= 0 && differs)
		r = add_unchanged(builder, old);
	if (r >= 0 && differs)
		r = topology_builder_finish(builder, &topology);
	topology_builder_free(builder);
	if (r < 0)
		return r;
	watch->read_ms = now_ms();
	if (differs)
		watch_replace(watch, topology);
	return 0;
}

/* Makes the picture as fresh as promised; where that fails the old one is the best there is. */
static void refresh(struct topology_watch *watch)
{
	int64_t generation;
	int r;

	if (now_ms() - watch->read_ms < TOPOLOGY_WATCH_FRESH_MS)
		return;
	r = sysfs_read_int(watch->manager->sysfs_fd, &generation, "class/drm_fabric/generation");
	if (r == -ENOENT && watch->topology->source == TOPOLOGY_SOURCE_PARTIAL) {
		watch->read_ms = now_ms();
		return;
	}
	if (r < 0 || generation != watch->topology->generation)
		r = topology_watch_reread(watch);
	else
		r = refresh_counters(watch);
	if (r < 0)
		watch->read_ms = now_ms(); /* not at every request: the failure is logged */
}

const struct topology *topology_watch_current(struct topology_watch *watch)
{
	refresh(watch);
	return watch->topology;
}

int topology_watch_site(struct topology_watch *watch, struct place_site **ret)
{
	int r = 0;

	if (!watch->site)
		r = place_site_new(watch->topology, &watch->site);
	else if (place_site_topology(watch->site) != watch->topology)
		r = place_site_update(watch->site, watch->topology);
	if (r == 0)
		*ret = watch->site;
	return r;
}

struct wire_buffer *topology_watch_reply(struct topology_watch *watch)
{
	const struct wire_method *method = wire_method_find("org.drmfabric.Fabric.GetTopology", NULL);
	struct json_object *parameters;
	const char *path = "out of memory";

	refresh(watch);
	if (watch->reply)
		return watch->reply;
	parameters = json_object_new_object();
	if (!parameters)
		return NULL;
	json_object_object_add(parameters, "topology", topology_to_json(watch->topology));
	json_object_get(parameters); /* the path may be inside */
	if (wire_service_reply(method, parameters, false, &watch->reply, &path) < 0) {
		log_error("bug: the topology does not fit the interface at '%s'", path);
		watch->reply = NULL;
	}
	json_object_put(parameters);
	return watch->reply;
}

int64_t topology_watch_generation(const struct topology_watch *watch)
{
	return watch->topology->generation;
}

void topology_watch_reread_soon(struct topology_watch *watch)
{
	static const struct timeval later = { .tv_usec = TOPOLOGY_WATCH_COALESCE_MS * 1000 };

	/* Not moved when it is set already: an unending flock must not keep us from reading. */
	if (!evtimer_pending(watch->on_reread, NULL))
		(void)evtimer_add(watch->on_reread, &later);
}

static void watch_uevent(struct topology_watch *watch)
{
	struct udev_device *device;

	/* What happened is read from sysfs; that something happened is all that counts here. */
	while ((device = udev_monitor_receive_device(watch->monitor)))
		udev_device_unref(device);
	topology_watch_reread_soon(watch);
}

static void on_uevent(evutil_socket_t fd, short what, void *userdata)
{
	(void)fd;
	(void)what;
	watch_uevent(userdata);
}

static void on_reread(evutil_socket_t fd, short what, void *userdata)
{
	(void)fd;
	(void)what;
	(void)topology_watch_reread(userdata); /* logged there */
}

static int watch_udev(struct topology_watch *watch)
{
	static const char *const subsystems[] = { "drm_fabric", "drm_fabric_group", "drm_fabric_unmanaged", "drm",
						  "pci" };

	watch->udev = udev_new();
	/* "kernel": sysfs is what we read, not udev's database; and there may be no udevd. */
	watch->monitor = watch->udev ? udev_monitor_new_from_netlink(watch->udev, "kernel") : NULL;
	if (!watch->monitor)
		return -ENOTSUP;
	for (size_t i = 0; i < sizeof(subsystems) / sizeof(subsystems[0]); i++)
		(void)udev_monitor_filter_add_match_subsystem_devtype(watch->monitor, subsystems[i], NULL);
	/* An overrun costs uevents; the generation, looked at by each request, makes up for them. */
	(void)udev_monitor_set_receive_buffer_size(watch->monitor, 1 << 20);
	if (udev_monitor_enable_receiving(watch->monitor) < 0)
		return -ENOTSUP;
	watch->on_uevent = event_new(watch->manager->base, udev_monitor_get_fd(watch->monitor), EV_READ | EV_PERSIST,
				     on_uevent, watch);
	if (!watch->on_uevent || event_add(watch->on_uevent, NULL) < 0)
		return -ENOMEM;
	return 0;
}

int topology_watch_new(struct manager *manager, struct topology_watch **ret)
{
	struct topology_watch *watch;
	int r;

	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	watch->manager = manager;
	watch->on_reread = evtimer_new(manager->base, on_reread, watch);
	if (!watch->on_reread) {
		topology_watch_free(watch);
		return -ENOMEM;
	}
	/* Listen first, then read: what happens in between is not missed. A captured tree has no uevents. */
	r = manager->config.root ? 0 : watch_udev(watch);
	if (r < 0)
		log_warning("no uevents (%s): changes are seen when a request comes", strerror(-r));
	r = topology_watch_reread(watch);
	if (r < 0) {
		topology_watch_free(watch);
		return r;
	}
	*ret = watch;
	return 0;
}

struct topology_watch *topology_watch_free(struct topology_watch *watch)
{
	if (!watch)
		return NULL;
	if (watch->on_uevent)
		event_free(watch->on_uevent);
	if (watch->on_reread)
		event_free(watch->on_reread);
	udev_monitor_unref(watch->monitor);
	udev_unref(watch->udev);
	wire_buffer_unref(watch->reply);
	place_site_free(watch->site);
	topology_unref(watch->topology);
	free(watch);
	return NULL;
}

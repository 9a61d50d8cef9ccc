// SPDX-License-Identifier: MIT
/* The way back: drivers_probe of the device's bus in a worker (a probe takes as long as the driver likes), then sysfs. */
#include "bring_back.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "log.h"
#include "manager.h"
#include "peer.h"
#include "sysfs.h"
#include "topology_watch.h"
#include "worker.h"

static const struct timeval TICK = { .tv_usec = 100000 };

struct return_trip {
	TAILQ_ENTRY(return_trip) entry;
	struct manager *manager;
	struct call *call;
	char *device;
	char bus[64];
	int64_t started_ms;
	struct event *on_tick;
	bool busy; /* the worker is at it */
	bool abandoned;
};

static void trip_free(struct return_trip *trip)
{
	TAILQ_REMOVE(&trip->manager->return_trips, trip, entry);
	if (trip->on_tick)
		event_free(trip->on_tick);
	call_unref(trip->call);
	free(trip->device);
	free(trip);
}

static void reply_failed(struct call *call, const char *device, const char *reason)
{
	struct json_object *parameters = json_object_new_object();

	json_object_object_add(parameters, "device", json_string(device));
	json_object_object_add(parameters, "reason", json_string(reason));
	call_error(call, "org.drmfabric.Admin.BringBackFailed", parameters);
}

static void trip_fail(struct return_trip *trip, const char *reason)
{
	call_audit(trip->call, "bring-back", trip->device, reason);
	reply_failed(trip->call, trip->device, reason);
	trip_free(trip);
}

static void trip_tick(struct return_trip *trip)
{
	struct json_object *parameters;
	int64_t incarnation;
	int r;

	(void)evtimer_add(trip->on_tick, &TICK);
	if (trip->busy)
		return;
	if (sysfs_read_int(trip->manager->sysfs_fd, &incarnation, "class/drm_fabric/%s/incarnation", trip->device) ==
	    0) {
		(void)topology_watch_reread(trip->manager->watch); /* logged there */
		call_audit(trip->call, "bring-back", trip->device, "done");
		parameters = json_object_new_object();
		json_object_object_add(parameters, "incarnation", json_int(incarnation));
		call_reply(trip->call, parameters, false);
		trip_free(trip);
		return;
	}
	if (now_ms() - trip->started_ms <= (int64_t)trip->manager->config.limits.bring_back_ms)
		return;
	r = sysfs_has_driver(trip->manager->sysfs_fd, trip->bus, trip->device);
	if (r < 0)
		trip_fail(trip, strerror(-r));
	else if (r)
		trip_fail(trip, "a driver has it, but has not joined the fabric");
	else
		trip_fail(trip, "no driver takes it: is its module loaded?");
}

static void on_tick(evutil_socket_t fd, short what, void *userdata)
{
	(void)fd;
	(void)what;
	trip_tick(userdata);
}

static int trip_run(void *data)
{
	struct return_trip *trip = data;
	char path[128];
	int fd, r = 0;

	(void)snprintf(path, sizeof(path), "bus/%s/drivers_probe", trip->bus);
	fd = openat(trip->manager->sysfs_fd, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, trip->device, strlen(trip->device)) < 0)
		r = -errno;
	(void)close(fd);
	return r;
}

static void trip_done(void *data, int result)
{
	struct return_trip *trip = data;
	char reason[160];

	trip->busy = false;
	if (trip->abandoned) {
		trip_free(trip);
		return;
	}
	if (result < 0) {
		(void)snprintf(reason, sizeof(reason), "/sys/bus/%s/drivers_probe: %s", trip->bus, strerror(-result));
		trip_fail(trip, reason);
		return;
	}
	trip_tick(trip);
}

static struct return_trip *trip_find(struct manager *manager, const char *device)
{
	struct return_trip *trip;

	TAILQ_FOREACH(trip, &manager->return_trips, entry)
		if (!strcmp(trip->device, device))
			return trip;
	return NULL;
}

int bring_back_start(struct call *call, const char *device)
{
	struct manager *manager = call->manager;
	struct return_trip *trip;
	char bus[sizeof(trip->bus)];
	int r;

	if (!sysfs_name_is_valid(device)) {
		call_error_string(call, "org.drmfabric.Admin.NoSuchDevice", "device", device);
		return 0;
	}
	r = sysfs_has_device(manager->sysfs_fd, device);
	if (r < 0) {
		reply_failed(call, device, strerror(-r));
		return 0;
	}
	if (r) {
		reply_failed(call, device,
			     "it is in the fabric (a removal that has not unbound it yet can be cancelled)");
		return 0;
	}
	r = sysfs_bus_of(manager->sysfs_fd, device, bus, sizeof(bus));
	if (r == -ENODEV) {
		call_error_string(call, "org.drmfabric.Admin.NoSuchDevice", "device", device);
		return 0;
	}
	if (r == 0)
		r = sysfs_has_driver(manager->sysfs_fd, bus, device);
	if (r < 0) {
		reply_failed(call, device, strerror(-r));
		return 0;
	}
	if (r) {
		reply_failed(call, device, "a driver has it, but has not joined the fabric");
		return 0;
	}
	if (trip_find(manager, device)) {
		call_error_string(call, "org.drmfabric.Admin.AlreadyInProgress", "device", device);
		return 0;
	}
	if (manager->config.root) {
		call_error_string(call, "org.drmfabric.Admin.KernelPartAbsent", "reason",
				  "the topology is a captured tree (--root)");
		return 0;
	}
	if (call_start_running(call))
		return 0;
	trip = calloc(1, sizeof(*trip));
	if (!trip)
		return -ENOMEM;
	trip->manager = manager;
	trip->started_ms = now_ms();
	strcpy(trip->bus, bus);
	TAILQ_INSERT_TAIL(&manager->return_trips, trip, entry);
	trip->device = strdup(device);
	trip->on_tick = evtimer_new(manager->base, on_tick, trip);
	r = trip->device && trip->on_tick ? worker_run(manager, trip_run, trip_done, trip) : -ENOMEM;
	if (r < 0) {
		trip_free(trip);
		return r;
	}
	trip->busy = true;
	trip->call = call_ref(call);
	call_audit(call, "bring-back", device, "started");
	(void)evtimer_add(trip->on_tick, &TICK);
	return 0;
}

void bring_back_abandon_all(struct manager *manager)
{
	struct return_trip *trip, *next;

	for (trip = TAILQ_FIRST(&manager->return_trips); trip; trip = next) {
		next = TAILQ_NEXT(trip, entry);
		(void)evtimer_del(trip->on_tick);
		trip->abandoned = true;
		if (!trip->busy)
			trip_free(trip);
	}
}

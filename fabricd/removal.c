// SPDX-License-Identifier: MIT
/*
 * The state machine of a removal. In the event loop only; the kernel is asked through admin_job, one question at a
 * time (busy), and a removal is not freed while one is open.
 */
#include "removal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <drm/drm_fabric.h>
#include <event2/event.h>

#include "admin_job.h"
#include "base/clock.h"
#include "journal.h"
#include "log.h"
#include "manager.h"
#include "peer.h"
#include "sysfs.h"
#include "topology_watch.h"
#include "unbound.h"

static const struct timeval TICK = { .tv_usec = 100000 };

enum step {
	STEP_DRAINING,
	STEP_EVICTING,
	STEP_UNBINDING,
	STEP_CANCELLING,
	STEP_DONE,
};

static const char *const step_names[] = {
	[STEP_DRAINING] = "draining",	[STEP_EVICTING] = "evicting", [STEP_UNBINDING] = "unbinding",
	[STEP_CANCELLING] = "draining", [STEP_DONE] = "done",
};

struct removal {
	TAILQ_ENTRY(removal) entry;
	struct manager *manager;
	char *device;
	enum step step;
	struct call *call; /* of Remove */
	struct call *canceller; /* of CancelRemove, or NULL */
	char failure[160]; /* why it is being called off; empty: it is not */
	struct event *on_tick;
	bool busy; /* the kernel has been asked and has not answered */
	bool abandoned; /* the daemon ends */
	int64_t started_ms, step_ms, progress_ms; /* CLOCK_MONOTONIC */
	uint32_t drain_ms;
	int64_t incarnation, numa_node; /* -1: unknown */
	int64_t total_bytes, resident_bytes;
};

static struct removal *removal_find(struct manager *manager, const char *device)
{
	struct removal *removal;

	TAILQ_FOREACH(removal, &manager->removals, entry)
		if (!strcmp(removal->device, device))
			return removal;
	return NULL;
}

static void removal_free(struct removal *removal)
{
	TAILQ_REMOVE(&removal->manager->removals, removal, entry);
	event_free(removal->on_tick);
	call_unref(removal->call);
	call_unref(removal->canceller);
	free(removal->device);
	free(removal);
}

static void read_state(struct removal *removal, char *ret, size_t size)
{
	int r = sysfs_read(removal->manager->sysfs_fd, ret, size, "class/drm_fabric/%s/state", removal->device);

	if (r < 0)
		strcpy(ret, r == -ENOENT || r == -ENOTDIR || r == -ENODEV ? "gone" : "unknown");
}

static struct json_object *progress_to_json(const struct removal *removal)
{
	struct json_object *parameters = json_object_new_object(), *progress = json_object_new_object();
	char blocked[32] = "none";

	if (removal->step == STEP_EVICTING)
		(void)sysfs_read(removal->manager->sysfs_fd, blocked, sizeof(blocked),
				 "class/drm_fabric/%s/evict_blocked", removal->device); /* stays "none" */
	json_object_object_add(progress, "step", json_string(step_names[removal->step]));
	json_object_object_add(progress, "total_bytes",
			       removal->total_bytes < 0 ? NULL : json_int(removal->total_bytes));
	json_object_object_add(progress, "resident_bytes",
			       removal->resident_bytes < 0 ? NULL : json_int(removal->resident_bytes));
	json_object_object_add(progress, "elapsed_ms", json_int(now_ms() - removal->started_ms));
	json_object_object_add(progress, "blocked", json_string(blocked));
	json_object_object_add(parameters, "progress", progress);
	return parameters;
}

static void removal_tell(struct removal *removal, const char *kind, const char *state, const char *reason)
{
	journal_add(removal->manager->journal, &(struct journal_event){
						       .kind = kind,
						       .device = removal->device,
						       .state = state,
						       .generation = topology_watch_generation(removal->manager->watch),
						       .resident_bytes = removal->resident_bytes,
						       .reason = reason,
					       });
}

static void reply_failed(struct call *call, const char *device, const char *state, const char *reason)
{
	struct json_object *parameters = json_object_new_object();

	json_object_object_add(parameters, "device", json_string(device));
	json_object_object_add(parameters, "state", json_string(state));
	json_object_object_add(parameters, "reason", json_string(reason));
	call_error(call, "org.drmfabric.Admin.RemoveFailed", parameters);
}

static bool is_kernel_absent(int error)
{
	return error == -ENOENT || error == -ENXIO;
}

static void reply_kernel_absent(struct call *call)
{
	call_error_string(call, "org.drmfabric.Admin.KernelPartAbsent", "reason",
			  call->manager->config.root ? "the topology is a captured tree (--root)" :
						       "there is no /dev/drm_fabric_admin: load the module drm_fabric");
}

/* The end that was wanted. Frees it. */
static void removal_finish(struct removal *removal)
{
	removal->step = STEP_DONE;
	removal->resident_bytes = 0;
	(void)topology_watch_reread(removal->manager->watch); /* logged there; who asks next sees what we say now */
	removal_tell(removal, "removal_done", unbound_find(removal->manager, removal->device) ? "unbound" : NULL, NULL);
	call_audit(removal->call, "remove", removal->device, "done");
	call_reply(removal->call, progress_to_json(removal), false);
	if (removal->canceller)
		reply_failed(removal->canceller, removal->device, "gone",
			     "the device was gone before it could be kept");
	removal_free(removal);
}

/* The other end. Frees it. */
static void removal_fail(struct removal *removal, const char *reason)
{
	char state[32];

	read_state(removal, state, sizeof(state));
	(void)topology_watch_reread(removal->manager->watch); /* logged there; who asks next sees what we say now */
	removal_tell(removal, "removal_failed", state, reason);
	call_audit(removal->call, "remove", removal->device, reason);
	reply_failed(removal->call, removal->device, state, reason);
	if (removal->canceller && !strcmp(state, "online"))
		call_reply(removal->canceller, NULL, false);
	else if (removal->canceller)
		reply_failed(removal->canceller, removal->device, state, reason);
	removal_free(removal);
}

static void on_cancelled(void *userdata, int result)
{
	struct removal *removal = userdata;

	removal->busy = false;
	if (removal->abandoned) {
		removal_free(removal);
		return;
	}
	if (result < 0 && result != -EALREADY)
		log_warning("%s: cannot call the removal off: %s", removal->device, strerror(-result));
	removal_fail(removal, removal->failure);
}

/* Give the device back, then fail with the reason. */
static void removal_back_out(struct removal *removal, const char *reason)
{
	int r;

	removal->step = STEP_CANCELLING;
	(void)snprintf(removal->failure, sizeof(removal->failure), "%s", reason);
	r = admin_job_start(removal->manager, DRM_FABRIC_ADMIN_CANCEL, removal->device, 0, on_cancelled, removal);
	if (r < 0) {
		removal_fail(removal, reason);
		return;
	}
	removal->busy = true;
}

static void on_step_taken(void *userdata, int result);

static void removal_step(struct removal *removal, enum step step)
{
	static const unsigned long requests[] = {
		[STEP_DRAINING] = DRM_FABRIC_ADMIN_DRAIN,
		[STEP_EVICTING] = DRM_FABRIC_ADMIN_EVICT,
		[STEP_UNBINDING] = DRM_FABRIC_ADMIN_UNBIND,
	};
	char reason[128];
	int r;

	removal->step = step;
	removal->step_ms = removal->progress_ms = now_ms();
	r = admin_job_start(removal->manager, requests[step], removal->device,
			    step == STEP_DRAINING ? removal->drain_ms : 0, on_step_taken, removal);
	if (r < 0 && step == STEP_DRAINING) {
		removal_fail(removal, strerror(-r)); /* nothing to give back */
		return;
	}
	if (r < 0) {
		(void)snprintf(reason, sizeof(reason), "%s: %s", step_names[step], strerror(-r));
		removal_back_out(removal, reason);
		return;
	}
	removal->busy = true;
	call_reply(removal->call, progress_to_json(removal), true);
	removal_tell(removal, "removal_progress", step_names[step], NULL);
}

static void on_step_taken(void *userdata, int result)
{
	struct removal *removal = userdata;
	char reason[128];

	removal->busy = false;
	if (removal->abandoned) {
		removal_free(removal);
		return;
	}
	/* -EALREADY: a predecessor has asked for it; -ETIMEDOUT: it goes on, as it should. */
	if (result == 0 || result == -EALREADY || result == -ETIMEDOUT) {
		if (removal->failure[0])
			removal_back_out(removal, "called off");
		return;
	}
	if (result == -ENODEV && removal->step == STEP_UNBINDING)
		return; /* gone already; the tick sees it */
	if (result == -ENOTRECOVERABLE && !removal->failure[0])
		return; /* lost; the tick sees it */
	if (is_kernel_absent(result)) {
		call_audit(removal->call, "remove", removal->device, "the kernel part is absent");
		reply_kernel_absent(removal->call);
		if (removal->canceller)
			reply_kernel_absent(removal->canceller);
		removal_free(removal);
		return;
	}
	(void)snprintf(reason, sizeof(reason), "%s: %s", step_names[removal->step], strerror(-result));
	if (removal->step == STEP_DRAINING)
		removal_fail(removal, reason); /* nothing to give back */
	else
		removal_back_out(removal, reason);
}

static bool has_handles(const struct removal *removal)
{
	int64_t n;

	return sysfs_read_int(removal->manager->sysfs_fd, &n, "class/drm_fabric/%s/handles", removal->device) < 0 || n;
}

/* Remembers a device that has gone, if its bus still has it. */
static void remember_unbound(struct removal *removal)
{
	char bus[64];

	if (sysfs_bus_of(removal->manager->sysfs_fd, removal->device, bus, sizeof(bus)) == 0 &&
	    unbound_add(removal->manager, removal->device, removal->incarnation < 0 ? 0 : removal->incarnation,
			removal->numa_node) < 0)
		log_error("out of memory: %s is not remembered as unbound", removal->device);
}

/* The device that we removed has gone, or another has come in its place meanwhile. */
static bool is_gone(const struct removal *removal)
{
	int64_t incarnation;
	int r = sysfs_has_device(removal->manager->sysfs_fd, removal->device);

	/* Not known is not gone: the next tick looks again. */
	if (r <= 0 || removal->incarnation < 0)
		return r == 0;
	return sysfs_read_int(removal->manager->sysfs_fd, &incarnation, "class/drm_fabric/%s/incarnation",
			      removal->device) == 0 &&
	       incarnation != removal->incarnation;
}

static void watch_eviction(struct removal *removal, const char *state, int64_t now)
{
	char reason[128], blocked[32] = "none";

	/* What is lost does not come home. */
	if (!strcmp(state, "offline") || !strcmp(state, "lost")) {
		removal_step(removal, STEP_UNBINDING);
		return;
	}
	if (!strcmp(state, "online")) {
		removal_fail(removal, "the eviction was called off by someone else");
		return;
	}
	if (now - removal->progress_ms <= (int64_t)removal->manager->config.limits.evict_stall_ms)
		return;
	(void)sysfs_read(removal->manager->sysfs_fd, blocked, sizeof(blocked), "class/drm_fabric/%s/evict_blocked",
			 removal->device); /* stays "none" */
	(void)snprintf(reason, sizeof(reason), "no progress for %ju ms with %jd bytes left, blocked: %s",
		       (uintmax_t)removal->manager->config.limits.evict_stall_ms,
		       (intmax_t)(removal->resident_bytes < 0 ? 0 : removal->resident_bytes), blocked);
	removal_back_out(removal, reason);
}

static void removal_tick(struct removal *removal)
{
	int64_t now = now_ms(), resident_bytes;
	bool moved = false;
	char state[32];

	(void)evtimer_add(removal->on_tick, &TICK);
	if (is_gone(removal)) {
		if (removal->busy)
			return; /* its answer comes, then we are here again */
		remember_unbound(removal);
		removal_finish(removal);
		return;
	}
	if (sysfs_resident_bytes(removal->manager->sysfs_fd, removal->device, &resident_bytes) == 0) {
		if (removal->resident_bytes < 0 || resident_bytes < removal->resident_bytes)
			removal->progress_ms = now;
		moved = resident_bytes != removal->resident_bytes;
		removal->resident_bytes = resident_bytes;
		if (resident_bytes > removal->total_bytes)
			removal->total_bytes = resident_bytes;
	}
	call_reply(removal->call, progress_to_json(removal), true);
	if (moved)
		removal_tell(removal, "removal_progress", step_names[removal->step], NULL);
	if (removal->busy)
		return;
	read_state(removal, state, sizeof(state));
	switch (removal->step) {
	case STEP_DRAINING:
		if (!strcmp(state, "online"))
			removal_fail(removal, "the drain was called off by someone else");
		else if (!strcmp(state, "lost"))
			removal_step(removal, STEP_UNBINDING);
		else if (now - removal->step_ms >= removal->drain_ms ||
			 (!has_handles(removal) && !removal->resident_bytes))
			removal_step(removal, STEP_EVICTING);
		break;
	case STEP_EVICTING:
		watch_eviction(removal, state, now);
		break;
	case STEP_UNBINDING:
		if (now - removal->step_ms > (int64_t)removal->manager->config.limits.unbind_ms)
			removal_back_out(removal, "the driver does not let go of the device");
		break;
	default:
		break;
	}
}

static void on_tick(evutil_socket_t fd, short what, void *userdata)
{
	(void)fd;
	(void)what;
	removal_tick(userdata);
}

/* Return: whether it has been answered: there is no such device, or nobody can tell. */
static bool reply_unless_there(struct call *call, const char *device)
{
	int r = sysfs_name_is_valid(device) ? sysfs_has_device(call->manager->sysfs_fd, device) : 0;

	if (r < 0)
		reply_failed(call, device, "unknown", strerror(-r));
	else if (!r)
		call_error_string(call, "org.drmfabric.Admin.NoSuchDevice", "device", device);
	return r <= 0;
}

int removal_start(struct call *call, const char *device, uint32_t drain_ms)
{
	struct manager *manager = call->manager;
	struct removal *removal;
	int r;

	if (reply_unless_there(call, device))
		return 0;
	if (removal_find(manager, device)) {
		call_error_string(call, "org.drmfabric.Admin.AlreadyInProgress", "device", device);
		return 0;
	}
	if (manager->config.root) {
		reply_kernel_absent(call);
		return 0;
	}
	r = call_start_running(call);
	if (r)
		return 0;
	removal = malloc(sizeof(*removal));
	if (!removal)
		return -ENOMEM;
	*removal = (struct removal){
		.manager = manager,
		.drain_ms = drain_ms,
		.incarnation = -1,
		.numa_node = -1,
		.total_bytes = -1,
		.resident_bytes = -1,
	};
	removal->started_ms = removal->progress_ms = now_ms();
	removal->device = strdup(device);
	removal->on_tick = evtimer_new(manager->base, on_tick, removal);
	if (!removal->device || !removal->on_tick) {
		if (removal->on_tick)
			event_free(removal->on_tick);
		free(removal->device);
		free(removal);
		return -ENOMEM;
	}
	/* What cannot be read stays -1: unknown. */
	(void)sysfs_read_int(manager->sysfs_fd, &removal->incarnation, "class/drm_fabric/%s/incarnation", device);
	(void)sysfs_read_int(manager->sysfs_fd, &removal->numa_node, "class/drm_fabric/%s/numa_node", device);
	(void)sysfs_resident_bytes(manager->sysfs_fd, device, &removal->resident_bytes);
	removal->total_bytes = removal->resident_bytes;
	removal->call = call_ref(call);
	TAILQ_INSERT_TAIL(&manager->removals, removal, entry);
	call_audit(call, "remove", device, "started");
	(void)evtimer_add(removal->on_tick, &TICK);
	removal_step(removal, STEP_DRAINING);
	return 0;
}

/* CancelRemove of a device that the kernel drains without us: its answer is all that there is to wait for. */
struct lone_cancel {
	struct call *call;
	char *device;
};

static void on_lone_cancelled(void *userdata, int result)
{
	struct lone_cancel *cancel = userdata;
	struct call *call = cancel->call;
	char state[32] = "gone";

	call_audit(call, "cancel-remove", cancel->device, result < 0 ? strerror(-result) : "done");
	(void)topology_watch_reread(call->manager->watch); /* logged there */
	(void)sysfs_read(call->manager->sysfs_fd, state, sizeof(state), "class/drm_fabric/%s/state", cancel->device);
	if (result == 0)
		call_reply(call, NULL, false);
	else if (result == -EALREADY)
		call_error_string(call, "org.drmfabric.Admin.NotInProgress", "device", cancel->device);
	else if (result == -ENODEV)
		call_error_string(call, "org.drmfabric.Admin.NoSuchDevice", "device", cancel->device);
	else if (is_kernel_absent(result))
		reply_kernel_absent(call);
	else
		reply_failed(call, cancel->device, state, strerror(-result));
	call_unref(call);
	free(cancel->device);
	free(cancel);
}

static int cancel_alone(struct call *call, const char *device)
{
	struct lone_cancel *cancel;
	int r;

	if (call_start_running(call))
		return 0;
	cancel = malloc(sizeof(*cancel));
	if (!cancel)
		return -ENOMEM;
	cancel->device = strdup(device);
	cancel->call = call_ref(call);
	r = cancel->device ?
		    admin_job_start(call->manager, DRM_FABRIC_ADMIN_CANCEL, device, 0, on_lone_cancelled, cancel) :
		    -ENOMEM;
	if (r < 0) {
		call_unref(call);
		free(cancel->device);
		free(cancel);
	}
	return r;
}

int removal_cancel(struct call *call, const char *device)
{
	struct manager *manager = call->manager;
	struct removal *removal;
	char state[32];

	if (reply_unless_there(call, device))
		return 0;
	removal = removal_find(manager, device);
	if (!removal) {
		if (sysfs_read(manager->sysfs_fd, state, sizeof(state), "class/drm_fabric/%s/state", device) > 0 &&
		    !strcmp(state, "online")) {
			call_error_string(call, "org.drmfabric.Admin.NotInProgress", "device", device);
			return 0;
		}
		if (manager->config.root) {
			reply_kernel_absent(call);
			return 0;
		}
		return cancel_alone(call, device);
	}
	if (removal->step == STEP_UNBINDING) {
		reply_failed(call, device, "unbinding", "too late: the driver is being unbound");
		return 0;
	}
	if (removal->canceller || removal->step == STEP_CANCELLING) {
		call_error_string(call, "org.drmfabric.Admin.AlreadyInProgress", "device", device);
		return 0;
	}
	if (call_start_running(call))
		return 0;
	removal->canceller = call_ref(call);
	call_audit(call, "cancel-remove", device, "started");
	if (removal->busy) {
		/* The kernel's answer to the step comes first. */
		strcpy(removal->failure, "called off");
		return 0;
	}
	removal_back_out(removal, "called off");
	return 0;
}

void removal_notice_gone(struct manager *manager)
{
	struct removal *removal;

	TAILQ_FOREACH(removal, &manager->removals, entry)
		if (removal->step == STEP_UNBINDING && is_gone(removal))
			remember_unbound(removal);
}

void removal_abandon_all(struct manager *manager)
{
	struct removal *removal, *next;

	for (removal = TAILQ_FIRST(&manager->removals); removal; removal = next) {
		next = TAILQ_NEXT(removal, entry);
		log_warning("%s: its removal is left where it is (%s)", removal->device, step_names[removal->step]);
		(void)evtimer_del(removal->on_tick);
		removal->abandoned = true;
		if (!removal->busy)
			removal_free(removal);
	}
}

// SPDX-License-Identifier: MIT
/* org.drmfabric.Fabric. Handlers: take the parameters, check what they mean, act, reply. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "credentials.h"
#include "handles.h"
#include "journal.h"
#include "log.h"
#include "manager.h"
#include "peer.h"
#include "place/place.h"
#include "topology_watch.h"
#include "user.h"

static int handle_get_topology(struct call *call)
{
	struct wire_buffer *reply = topology_watch_reply(call->manager->watch);

	if (!reply)
		return -ENOMEM;
	call_reply_buffer(call, reply, false);
	return 0;
}

static int handle_subscribe(struct call *call)
{
	return journal_subscribe(call->manager->journal, call);
}

/* A Place that has its devices and may wait for its handles. */
struct placing {
	struct call *call;
	struct topology *topology;
	struct placement *placement;
	size_t n_reserved; /* of the user's n_fds_reserved */
};

static void placing_free(struct placing *placing)
{
	placing->call->user->n_fds_reserved -= placing->n_reserved;
	placement_free(placing->placement);
	topology_unref(placing->topology);
	call_unref(placing->call);
	free(placing);
}

/* @handles: NULL if none were asked for */
static struct json_object *placing_to_json(const struct placing *placing, const struct handles *handles)
{
	struct json_object *parameters = json_object_new_object(), *list = json_object_new_array();
	const struct placement *placement = placing->placement;

	for (size_t i = 0; i < placement->n_devices; i++) {
		const struct placement_device *chosen = &placement->devices[i];
		const struct topology_device *device = &placing->topology->devices[chosen->device];
		const struct topology_region *region = &device->regions[chosen->region];
		struct json_object *json = json_object_new_object();

		json_object_object_add(json, "device", json_string(device->name));
		json_object_object_add(json, "region", json_string(region->name));
		json_object_object_add(json, "free_bytes", json_int(region->free_bytes));
		json_object_object_add(json, "reason", json_string(chosen->reason ?: ""));
		json_object_object_add(json, "devmem_file_descriptor", handles ? json_int((int64_t)i) : NULL);
		json_object_object_add(json, "devmem_id", handles ? json_int((int64_t)handles->list[i].id) : NULL);
		json_object_array_add(list, json);
	}
	json_object_object_add(parameters, "generation", json_int(placing->topology->generation));
	json_object_object_add(parameters, "placements", list);
	json_object_object_add(parameters, "linked", json_object_new_boolean(placement->linked));
	json_object_object_add(parameters, "bottleneck_mbps",
			       placement->bottleneck_mbps < 0 ? NULL : json_int(placement->bottleneck_mbps));
	json_object_object_add(parameters, "exact", json_object_new_boolean(placement->exact));
	return parameters;
}

static void reply_cannot_open(struct call *call, const char *device, const char *reason)
{
	struct json_object *parameters = json_object_new_object();

	json_object_object_add(parameters, "device", json_string(device));
	json_object_object_add(parameters, "reason", json_string(reason));
	call_error(call, "org.drmfabric.Fabric.CannotOpen", parameters);
}

static void placing_with_handles(struct handles *handles, int result, void *userdata)
{
	struct placing *placing = userdata;
	struct call *call = placing->call;
	int fds[WIRE_FDS_MAX];

	if (result < 0) {
		reply_cannot_open(call, handles->list[handles->n_failed].device, handles->failure);
	} else {
		log_info("audit: uid=%ju pid=%jd act=place handles=%zu", (uintmax_t)call->uid, (intmax_t)call->pid,
			 handles->n);
		for (size_t i = 0; i < handles->n; i++) {
			fds[i] = handles->list[i].fd;
			handles->list[i].fd = -1; /* the reply's from here on */
		}
		call_reply_fds(call, placing_to_json(placing, handles), fds, handles->n);
	}
	handles_free(handles);
	placing_free(placing);
}

/* Takes over the placing, also on failure. */
static int placing_open(struct placing *placing)
{
	const struct placement *placement = placing->placement;
	uint64_t limit = placing->call->manager->config.limits.unread_handles_per_uid;
	struct credentials *credentials;
	struct handles *handles;
	int r = 0;

	if (placement->n_devices > WIRE_REPLY_FDS_MAX) {
		call_limit_exceeded(placing->call, "handles_per_reply", WIRE_REPLY_FDS_MAX);
		goto free_placing;
	}
	if (user_unread_fds(placing->call->user) + placement->n_devices > limit) {
		call_limit_exceeded(placing->call, "unread_handles_per_uid", limit);
		goto free_placing;
	}
	if (placing->call->manager->config.root) {
		reply_cannot_open(placing->call, placing->topology->devices[placement->devices[0].device].name,
				  "the topology is a captured tree (--root), not this machine's");
		goto free_placing;
	}
	if (call_start_running(placing->call))
		goto free_placing;
	/* Other requests of this user come while these are being opened. */
	placing->n_reserved = placement->n_devices;
	placing->call->user->n_fds_reserved += placing->n_reserved;
	r = -ENOMEM;
	credentials = call_credentials(placing->call);
	handles = credentials ? handles_new(placing->call->manager, credentials, placement->n_devices) : NULL;
	if (!handles) {
		credentials_free(credentials);
		goto free_placing;
	}
	for (size_t i = 0; i < handles->n; i++) {
		const struct topology_device *device = &placing->topology->devices[placement->devices[i].device];

		handles->list[i].device = strdup(device->name);
		handles->list[i].region = strdup(device->regions[placement->devices[i].region].name);
		handles->list[i].render_node = device->render_node ? strdup(device->render_node) : NULL;
		if (!handles->list[i].device || !handles->list[i].region)
			goto free_handles;
	}
	r = handles_open(handles, placing_with_handles, placing);
	if (r < 0)
		goto free_handles;
	return 0;

free_handles:
	handles_free(handles);
free_placing:
	placing_free(placing);
	return r;
}

static void reply_not_placed(struct call *call, const struct topology *topology, const struct place_request *request,
			     int error, const struct place_failure *failure)
{
	struct json_object *parameters;

	if (error == -ENODEV) {
		call_error_string(call, "org.drmfabric.Fabric.NoSuchDevice", "device", failure->device ?: "");
		return;
	}
	if (topology->source == TOPOLOGY_SOURCE_PARTIAL && !topology->n_devices) {
		call_error_string(call, "org.drmfabric.Fabric.KernelPartAbsent", "reason",
				  topology->n_warnings ? topology->warnings[0] : "load the module drm_fabric");
		return;
	}
	parameters = json_object_new_object();
	json_object_object_add(parameters, "asked", json_int((int64_t)request->count));
	json_object_object_add(parameters, "available", json_int((int64_t)failure->n_available));
	json_object_object_add(parameters, "reason", json_string(failure->reason ?: ""));
	call_error(call, "org.drmfabric.Fabric.NotEnoughDevices", parameters);
}

static int placing_start(struct call *call, const struct place_request *request, bool with_handles)
{
	const struct topology *topology = topology_watch_current(call->manager->watch);
	struct place_failure failure = { 0 };
	struct placement *placement;
	struct placing *placing;
	struct place_site *site;
	int r;

	r = topology_watch_site(call->manager->watch, &site);
	if (r == 0)
		r = place_at(site, request, &placement, &failure);
	if (r == -ENODEV || r == -ENOSPC || r == -E2BIG) {
		reply_not_placed(call, topology, request, r, &failure);
		r = 0;
		goto fini_failure;
	}
	if (r == -EINVAL) {
		call_error_string(call, "org.varlink.service.InvalidParameter", "parameter", "count");
		r = 0;
		goto fini_failure;
	}
	if (r < 0)
		goto fini_failure;
	placing = malloc(sizeof(*placing));
	if (!placing) {
		placement_free(placement);
		return -ENOMEM;
	}
	*placing = (struct placing){
		.call = call_ref(call),
		.topology = topology_ref((struct topology *)topology),
		.placement = placement,
	};
	if (with_handles)
		return placing_open(placing);
	call_reply(call, placing_to_json(placing, NULL), false);
	placing_free(placing);
	return 0;

fini_failure:
	place_failure_fini(&failure);
	return r;
}

static int handle_place(struct call *call)
{
	struct json_object *parameters = call->request.parameters, *exclude;
	struct place_request request = { .linked = PLACE_LINKED_PREFERRED };
	const char **names = NULL;
	int64_t count = 0, bytes = 0;
	int r;

	(void)call_int(call, "count", &count); /* both are there: the table says so */
	(void)call_int(call, "bytes", &bytes);
	if (count < 1 || bytes < 0) {
		call_error_string(call, "org.varlink.service.InvalidParameter", "parameter",
				  count < 1 ? "count" : "bytes");
		return 0;
	}
	request.count = (uint64_t)count;
	request.bytes = (uint64_t)bytes;
	exclude = json_object_object_get(parameters, "exclude");
	if (exclude) {
		request.n_exclude = json_object_array_length(exclude);
		/* More names than there can be devices are not worth the work. */
		if (request.n_exclude > TOPOLOGY_DEVICES_MAX) {
			call_error_string(call, "org.varlink.service.InvalidParameter", "parameter", "exclude");
			return 0;
		}
		names = malloc((request.n_exclude + 1) * sizeof(names[0]));
		if (!names)
			return -ENOMEM;
		for (size_t i = 0; i < request.n_exclude; i++)
			names[i] = json_object_get_string(json_object_array_get_idx(exclude, i));
		request.exclude = names;
	}
	r = placing_start(call, &request, json_object_get_boolean(json_object_object_get(parameters, "handles")));
	free(names);
	return r;
}

const struct method_handler service_fabric_methods[] = {
	{ .method = "org.drmfabric.Fabric.GetTopology", .handle = handle_get_topology },
	{ .method = "org.drmfabric.Fabric.Subscribe", .handle = handle_subscribe, .needs_more = true },
	{ .method = "org.drmfabric.Fabric.Place", .handle = handle_place },
	{ 0 },
};

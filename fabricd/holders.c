// SPDX-License-Identifier: MIT
/* The walk through /proc is libfabricmap's, and runs in a worker: a machine may have many processes. */
#include "holders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fabricmap.h"
#include "log.h"
#include "manager.h"
#include "peer.h"
#include "topology_watch.h"
#include "worker.h"

struct holders_job {
	struct call *call;
	char *device;
	struct topology *topology;
	struct fabricmap_holders *holders;
};

static void job_free(struct holders_job *job)
{
	fabricmap_holders_free(job->holders);
	topology_unref(job->topology);
	call_unref(job->call);
	free(job->device);
	free(job);
}

static int job_run(void *data)
{
	struct holders_job *job = data;

	return fabricmap_holders_scan(NULL, job->device, &job->holders);
}

static struct json_object *holder_to_json(const struct fabricmap_holders *holders, size_t index)
{
	struct json_object *json = json_object_new_object();
	int64_t resident_bytes = fabricmap_holders_resident_bytes(holders, index);

	json_object_object_add(json, "pid", json_int(fabricmap_holders_pid(holders, index)));
	json_object_object_add(json, "comm", json_string(fabricmap_holders_comm(holders, index) ?: ""));
	json_object_object_add(json, "uid", json_int(fabricmap_holders_uid(holders, index)));
	json_object_object_add(json, "devmem_id", json_int(fabricmap_holders_devmem_id(holders, index)));
	json_object_object_add(json, "resident_bytes", resident_bytes < 0 ? NULL : json_int(resident_bytes));
	return json;
}

/* The holders of one device, with its name. @holders: NULL for none */
static struct json_object *device_to_json(const struct fabricmap_holders *holders, const char *device)
{
	struct json_object *json = json_object_new_object(), *list = json_object_new_array();
	size_t n = holders ? fabricmap_holders_n(holders) : 0;

	for (size_t i = 0; i < n; i++) {
		const char *name = fabricmap_holders_device(holders, i);

		if (name && !strcmp(name, device))
			json_object_array_add(list, holder_to_json(holders, i));
	}
	json_object_object_add(json, "device", json_string(device));
	json_object_object_add(json, "holders", list);
	return json;
}

static void reply(struct call *call, const struct topology *topology, const char *device,
		  const struct fabricmap_holders *holders)
{
	size_t n_unreadable = holders ? fabricmap_holders_n_unreadable(holders) : 0;

	struct json_object *parameters = json_object_new_object(), *list = json_object_new_array();

	for (size_t i = 0; i < topology->n_devices; i++)
		if (!device || !strcmp(device, topology->devices[i].name))
			json_object_array_add(list, device_to_json(holders, topology->devices[i].name));
	json_object_object_add(parameters, "device_holders", list);
	json_object_object_add(parameters, "unreadable", json_int((int64_t)n_unreadable));
	call_reply(call, parameters, false);
}

static void job_done(void *data, int result)
{
	struct holders_job *job = data;

	if (result < 0) {
		log_error("cannot look for holders: %s", strerror(-result));
		call_error_string(job->call, "org.drmfabric.Admin.HoldersUnknown", "reason", strerror(-result));
		job_free(job);
		return;
	}
	if (fabricmap_holders_n_unreadable(job->holders))
		log_warning("holders: %zu processes may not be looked into (CAP_SYS_PTRACE is missing)",
			    fabricmap_holders_n_unreadable(job->holders));
	reply(job->call, job->topology, job->device, job->holders);
	job_free(job);
}

int holders_list(struct call *call, const char *device)
{
	const struct topology *topology = topology_watch_current(call->manager->watch);
	struct holders_job *job;
	int r;

	if (device && topology_device_find(topology, device) < 0) {
		call_error_string(call, "org.drmfabric.Admin.NoSuchDevice", "device", device);
		return 0;
	}
	if (call->manager->config.root) {
		/* The processes of this machine hold nothing of a captured tree. */
		reply(call, topology, device, NULL);
		return 0;
	}
	if (call_start_running(call))
		return 0;
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	job->call = call_ref(call);
	job->topology = topology_ref((struct topology *)topology);
	job->device = device ? strdup(device) : NULL;
	r = device && !job->device ? -ENOMEM : worker_run(call->manager, job_run, job_done, job);
	if (r < 0)
		job_free(job);
	return r;
}

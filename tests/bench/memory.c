// SPDX-License-Identifier: MIT
/*
 * Memory placement on captured machines. A row is valid if the list is in order, and if what looking at all figures says
 * is at its head: no memory whose figures for that initiator are known costs less than the first.
 */
#include "memory.h"

#include "place/memory.h"
#include "rows.h"
#include "source/source.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct memory_row {
	const char *instance;
	const struct topology *topology;
	const char *initiator;
	enum memory_objective objective;
	uint64_t bytes;
};

/* What one access record says that a read and a write cost; < 0: not all of it is known. */
static double access_cost(const struct topology_access *access, enum memory_objective objective)
{
	if (objective == MEMORY_LATENCY)
		return access->read_latency_ns > 0 && access->write_latency_ns > 0 ?
			       (double)(access->read_latency_ns + access->write_latency_ns) / 2 :
			       -1;
	return access->read_bandwidth_mbps > 0 && access->write_bandwidth_mbps > 0 ?
		       (1.0 / (double)access->read_bandwidth_mbps + 1.0 / (double)access->write_bandwidth_mbps) / 2 :
		       -1;
}

static const char *why_invalid(const struct memory_row *row, const struct memory_answer *answer)
{
	const struct topology *topology = row->topology;

	for (size_t i = 1; i < answer->n_locations; i++) {
		const struct memory_location *before = &answer->locations[i - 1], *location = &answer->locations[i];

		if (!before->fits && location->fits)
			return "room after no room";
		if (before->fits == location->fits && location->cost < before->cost * (1 - 1e-9))
			return "the list is not in order";
	}
	for (size_t i = 0; i < topology->n_accesses; i++) {
		const struct topology_access *access = &topology->accesses[i];
		const struct topology_memory *memory = &topology->memories[access->memory];
		int64_t room = memory->free_bytes < 0 ? memory->size_bytes : memory->free_bytes;
		bool fits = room < 0 || (uint64_t)room >= row->bytes;
		double cost = access_cost(access, row->objective);

		if (strcmp(access->initiator, row->initiator) || cost < 0)
			continue;
		if (fits && (!answer->locations[0].fits || cost < answer->locations[0].cost * (1 - 1e-9)))
			return "a memory costs less than the first";
	}
	return NULL;
}

static void print(const struct memory_row *row, const struct memory_answer *answer, double *us, size_t n,
		  const char *why)
{
	struct json_object *set = json_object_new_array();

	for (size_t i = 0; i < answer->n_locations; i++)
		json_object_array_add(
			set, json_object_new_string(answer->locations[i].device == TOPOLOGY_NONE ?
							    row->topology->memories[answer->locations[i].memory].name :
							    row->topology->devices[answer->locations[i].device].name));
	printf("{ \"name\": \"placement.m1\", \"instance\": \"%s\", \"seed\": null, \"n\": %zu, \"k\": %zu, "
	       "\"objective\": \"%s\", \"busy\": \"0%%\", \"initiator\": \"%s\", \"bytes\": %llu, \"set\": %s, "
	       "\"p50_us\": %.3f, \"p99_us\": %.3f, \"samples\": %zu, \"valid\": %s",
	       row->instance, row->topology->n_memories + row->topology->n_devices, answer->n_locations,
	       row->objective == MEMORY_LATENCY ? "latency" : "bandwidth", row->initiator,
	       (unsigned long long)row->bytes, json_object_to_json_string_ext(set, JSON_C_TO_STRING_SPACED),
	       rows_percentile(us, n, 50), rows_percentile(us, n, 99), n, why ? "false" : "true");
	if (why)
		printf(", \"why\": \"%s\"", why);
	printf(" }\n");
	json_object_put(set);
}

static void run(const struct memory_row *row, size_t n_samples)
{
	const struct memory_accessor accessor = { row->initiator, 1, 1 };
	const struct memory_request request = {
		.bytes = row->bytes,
		.objective = row->objective,
		.accessors = &accessor,
		.n_accessors = 1,
	};
	double *us = calloc(n_samples, sizeof(*us));
	struct memory_answer answer;
	int r = 0;

	if (!us)
		abort();
	for (size_t i = 0; i < n_samples && r == 0; i++) {
		uint64_t begin = rows_now_ns();

		r = memory_place(row->topology, &request, &answer, NULL);
		us[i] = (double)(rows_now_ns() - begin) / 1000;
	}
	if (r < 0)
		answer = (struct memory_answer){ 0 };
	print(row, &answer, us, n_samples, r < 0 ? "refused" : why_invalid(row, &answer));
	free(us);
}

void memory_rows(const char *path, const char *name, size_t n_samples)
{
	struct topology *topology = NULL;
	char *error = NULL;

	if (source_load(path, &topology, &error) < 0 || !topology->n_memories) {
		fprintf(stderr, "placement: %s is left out: %s\n", path, error ?: "no memories");
		free(error);
		topology_unref(topology);
		return;
	}
	for (size_t i = 0; i < topology->n_nodes; i++) {
		if (topology->nodes[i].kind != TOPOLOGY_NODE_CPU && topology->nodes[i].kind != TOPOLOGY_NODE_INITIATOR)
			continue;
		for (unsigned int turn = 0; turn < 4; turn++)
			run(
				&(struct memory_row){
					.instance = name,
					.topology = topology,
					.initiator = topology->nodes[i].name,
					.objective = turn % 2 ? MEMORY_LATENCY : MEMORY_BANDWIDTH,
					/* Little, and what only the largest may have. */
					.bytes = turn / 2 ? UINT64_C(100) << 30 : 1 << 20,
				},
				n_samples);
	}
	topology_unref(topology);
}

// SPDX-License-Identifier: MIT
/* Why there are no such devices, in words that say what to change. */
#include "place/place-internal.h"

#include "base/base.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Devices that a line lists. */
enum { LISTED_MAX = 16 };

static int64_t most_free(const struct topology_device *device)
{
	int64_t most = 0;

	for (size_t i = 0; i < device->n_regions; i++)
		if (device->regions[i].free_bytes > most)
			most = device->regions[i].free_bytes;
	return most;
}

static void print_not(FILE *file, const struct topology_device *device, enum place_not not )
{
	switch (not ) {
	case PLACE_NOT_FREE:
		fprintf(file, "%s (busy)", device->name);
		break;
	case PLACE_NOT_WANTED:
		fprintf(file, "%s (excluded)", device->name);
		break;
	case PLACE_NOT_ONLINE:
		fprintf(file, "%s (%s)", device->name, topology_state_to_string(device->state));
		break;
	case PLACE_NOT_MEMORY:
		fprintf(file, "%s (no memory)", device->name);
		break;
	case PLACE_NOT_ROOM:
		fprintf(file, "%s (%" PRId64 " free)", device->name, most_free(device));
		break;
	default:
		break;
	}
}

static void print_where(FILE *file, const struct place_request *request)
{
	if (request->group)
		fprintf(file, " in group %s", request->group);
	if (request->at_numa_node)
		fprintf(file, " at NUMA node %" PRId64, request->numa_node);
	if (request->nic)
		fprintf(file, " next to %s", request->nic);
}

static void print_pairs(FILE *file, const struct question *question)
{
	const struct place_request *request = question->request;

	if (request->link_type)
		fprintf(file, " that %s links join", topology_link_type_to_string(request->link_type));
	else if (question->relation.linked)
		fprintf(file, " that are linked");
	if (request->same_package)
		fprintf(file, " in one package");
	if (request->least_mbps > 0)
		fprintf(file, " with %" PRId64 " MB/s for each pair", request->least_mbps);
}

static void print_devices(FILE *file, const struct topology *topology, const size_t *devices, size_t n)
{
	for (size_t i = 0; i < n && i < LISTED_MAX; i++)
		fprintf(file, "%s%s", i ? ", " : "", topology->devices[devices[i]].name);
	if (n > LISTED_MAX)
		fprintf(file, " and %zu more", n - LISTED_MAX);
	if (n == 0)
		fprintf(file, "none");
}

/* Too few: whoever is missing and why, and what could be had. */
static void print_free(FILE *file, const struct question *question)
{
	const struct topology *topology = question->topology;
	size_t n = question->n_candidates, n_listed = 0, n_more = 0;

	if (question->request->bytes > 0)
		fprintf(file, "%zu device%s %" PRIu64 " bytes free", n, n == 1 ? " has" : "s have",
			question->request->bytes);
	else
		fprintf(file, "%zu device%s free", n, n == 1 ? "" : "s");
	print_where(file, question->request);
	fprintf(file, ", %" PRIu64 " asked", question->request->count);
	for (size_t i = 0; i < topology->n_devices; i++) {
		if (question->not [i] == PLACE_IS_CANDIDATE || question->not [i] == PLACE_NOT_THERE)
			continue;
		if (n_listed == LISTED_MAX) {
			n_more++;
			continue;
		}
		fprintf(file, n_listed++ ? ", " : ": ");
		print_not(file, &topology->devices[i], question->not [i]);
	}
	if (n_more > 0)
		fprintf(file, " and %zu more", n_more);
}

static void print_required(FILE *file, const struct question *question, size_t device)
{
	const struct place_request *request = question->request;

	if (device == SIZE_MAX) {
		fprintf(file, "%zu devices required, %" PRIu64 " asked", request->n_require, request->count);
		return;
	}
	fprintf(file, "required: ");
	switch (question->not [device]) {
	case PLACE_IS_CANDIDATE:
		fprintf(file, "%s is named twice", question->topology->devices[device].name);
		break;
	case PLACE_NOT_THERE:
		fprintf(file, "%s is not", question->topology->devices[device].name);
		print_where(file, request);
		break;
	default:
		print_not(file, &question->topology->devices[device], question->not [device]);
		break;
	}
}

/* The largest set of candidates whose pairs are linked, for whom less would do. */
static int find_largest_linked(const struct question *question, struct place_failure *failure)
{
	_cleanup_(place_refusal_fini) struct place_refusal refusal = { 0 };
	_cleanup_(place_answer_fini) struct place_answer answer = { 0 };
	const struct site_relation relation = { .linked = true };
	struct place_ask ask = {
		.count = question->n_candidates,
		.objective = PLACE_BOTTLENECK,
		.candidates = question->candidates,
	};
	const struct place_pool *pool;
	int r;

	if (ask.count == 0)
		return 0;
	r = place_site_pool(question->site, relation, &pool);
	if (r < 0)
		return r;
	r = place_solve(pool, &ask, &answer, &refusal);
	if (r == 0) {
		failure->largest = steal_ptr(&answer.devices);
		failure->n_largest = answer.n_devices;
	} else if (r == -ENOSPC) {
		failure->largest = steal_ptr(&refusal.largest);
		failure->n_largest = refusal.n_largest;
	} else {
		return r;
	}
	return 0;
}

int question_refused(const struct question *question, const struct place_refusal *refusal,
		     struct place_failure *failure)
{
	_cleanup_(freep) char *text = NULL;
	size_t size = 0;
	FILE *file;
	int r = 0;

	failure->n_available = question->n_candidates;
	failure->proved = refusal->proved;
	if (refusal->why == PLACE_REFUSED_FREE)
		r = find_largest_linked(question, failure);
	if (r < 0)
		return r;
	file = open_memstream(&text, &size);
	if (!file)
		return -ENOMEM;
	switch (refusal->why) {
	case PLACE_REFUSED_COUNT:
		fprintf(file, "0 devices asked");
		break;
	case PLACE_REFUSED_REQUIRED:
		print_required(file, question, refusal->device);
		break;
	case PLACE_REFUSED_FREE:
		print_free(file, question);
		fprintf(file, "; largest linked free set: ");
		print_devices(file, question->topology, failure->largest, failure->n_largest);
		break;
	case PLACE_REFUSED_PAIRS:
		fprintf(file, "%zu devices free", question->n_candidates);
		print_where(file, question->request);
		fprintf(file, ", but no %" PRIu64, question->request->count);
		print_pairs(file, question);
		if (question->request->n_require > 0)
			fprintf(file, " with those that are required");
		fprintf(file, refusal->proved ? "; largest such set: " :
						" were found (there may be some); largest such set found: ");
		print_devices(file, question->topology, refusal->largest, refusal->n_largest);
		failure->largest = calloc(refusal->n_largest + 1, sizeof(*failure->largest));
		if (failure->largest)
			memcpy(failure->largest, refusal->largest, refusal->n_largest * sizeof(*failure->largest));
		failure->n_largest = refusal->n_largest;
		r = failure->largest ? 0 : -ENOMEM;
		break;
	}
	if (fclose(file) != 0 || r < 0)
		return -ENOMEM;
	failure->reason = steal_ptr(&text);
	return 0;
}

// SPDX-License-Identifier: MIT
/* Why there are no such devices, in words that say what to change. */
#include "place/place-internal.h"

#include "base/base.h"
#include "place/bits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Devices that a line lists. */
enum { LISTED_MAX = 16 };

/* ---- names ---- */

/* Those of one kind of things, one after the other: NULL for those that are another. */
typedef const char *(*name_at_fn)(const struct topology *topology, size_t index);

static const char *device_name_at(const struct topology *topology, size_t index)
{
	return topology->devices[index].name;
}

static const char *group_name_at(const struct topology *topology, size_t index)
{
	return topology->groups[index].id;
}

static const char *nic_name_at(const struct topology *topology, size_t index)
{
	return topology->nodes[index].kind == TOPOLOGY_NODE_NIC ? topology->nodes[index].name : NULL;
}

/* One that the wanted name is a part of, or a few of all. */
static void print_names(FILE *file, const struct topology *topology, name_at_fn name_at, size_t n, const char *wanted)
{
	enum { NAMES_MAX = 8 };
	size_t n_listed = 0;

	for (size_t i = 0; i < n && *wanted; i++) {
		const char *name = name_at(topology, i);

		if (!name || !strcasestr(name, wanted))
			continue;
		fprintf(file, "; is %s meant?", name);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const char *name = name_at(topology, i);

		if (name && n_listed++ < NAMES_MAX)
			fprintf(file, "%s%s", n_listed == 1 ? "; there are " : ", ", name);
	}
	if (n_listed > NAMES_MAX)
		fprintf(file, " and %zu more", n_listed - NAMES_MAX);
	if (n_listed == 0)
		fprintf(file, "; there is none");
}

int question_no_such(const struct question *question, enum place_thing thing, const char *wanted,
		     struct place_failure *failure)
{
	const struct topology *topology = question->topology;
	const struct {
		const char *what;
		name_at_fn name_at;
		size_t n;
	} things[] = {
		[PLACE_THING_DEVICE] = { "device", device_name_at, topology->n_devices },
		[PLACE_THING_GROUP] = { "group", group_name_at, topology->n_groups },
		[PLACE_THING_NIC] = { "NIC", nic_name_at, topology->n_nodes },
	};
	_cleanup_(freep) char *text = NULL;
	size_t size = 0;
	FILE *file;

	failure->device = strdup(wanted);
	if (!failure->device)
		return -ENOMEM;
	file = open_memstream(&text, &size);
	if (!file)
		return -ENOMEM;
	fprintf(file, "no such %s: %s", things[thing].what, wanted);
	print_names(file, topology, things[thing].name_at, things[thing].n, wanted);
	if (fclose(file) != 0)
		return -ENOMEM;
	failure->reason = steal_ptr(&text);
	return -ENODEV;
}

int question_irregular(const struct question *question, struct place_failure *failure)
{
	const struct topology *topology = question->topology;
	const struct site_obstacle *obstacle = &question->obstacle;
	_cleanup_(freep) char *text = NULL;
	size_t size = 0;
	FILE *file;

	file = open_memstream(&text, &size);
	if (!file)
		return -ENOMEM;
	fprintf(file, "%zu devices, and their links form no tree of small parts", question->n_candidates);
	if (obstacle->why && obstacle->other != TOPOLOGY_NONE && obstacle->other != obstacle->device)
		fprintf(file, " (%s beside %s: %s)", topology->devices[obstacle->device].name,
			topology->devices[obstacle->other].name, obstacle->why);
	else if (obstacle->why)
		fprintf(file, " (%s: %s)", topology->devices[obstacle->device].name, obstacle->why);
	fprintf(file, ": that is solved for up to %d (exclude what does not fit, or all but so many)", SITE_DENSE_MAX);
	if (fclose(file) != 0)
		return -ENOMEM;
	failure->n_available = question->n_candidates;
	failure->reason = steal_ptr(&text);
	return -E2BIG;
}

/* ---- devices ---- */

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
		fprintf(file, "busy");
		break;
	case PLACE_NOT_WANTED:
		fprintf(file, "excluded");
		break;
	case PLACE_NOT_ONLINE:
		fprintf(file, "%s", topology_state_to_string(device->state));
		break;
	case PLACE_NOT_MEMORY:
		fprintf(file, "no memory known");
		break;
	case PLACE_NOT_ROOM:
		fprintf(file, "%" PRId64 " bytes free", most_free(device));
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

/* Nothing is where it was asked for: where there is something. */
static void print_nothing_there(FILE *file, const struct question *question)
{
	const struct topology *topology = question->topology;
	size_t n_listed = 0;
	int64_t last = -1;

	fprintf(file, "no device");
	print_where(file, question->request);
	fprintf(file, ", %" PRIu64 " asked", question->request->count);
	/* Each node once, ascending. */
	while (question->request->at_numa_node && n_listed < LISTED_MAX) {
		int64_t next = INT64_MAX;

		for (size_t i = 0; i < topology->n_devices; i++)
			if (topology->devices[i].numa_node > last && topology->devices[i].numa_node < next)
				next = topology->devices[i].numa_node;
		if (next == INT64_MAX)
			break;
		fprintf(file, "%s%" PRId64, n_listed++ ? ", " : "; there are devices at NUMA nodes ", next);
		last = next;
	}
	if (question->request->at_numa_node && n_listed == 0)
		fprintf(file, "; of no device a NUMA node is known");
}

/* Too few: whoever is missing and why, and what could be had. */
static void print_free(FILE *file, const struct question *question, const struct place_failure *failure)
{
	const struct topology *topology = question->topology;
	size_t n = question->n_candidates, n_there = 0, n_listed = 0, n_more = 0;

	for (size_t i = 0; i < topology->n_devices; i++)
		n_there += question->not [i] != PLACE_NOT_THERE;
	if (topology->n_devices == 0) {
		fprintf(file, "the topology has no devices, %" PRIu64 " asked", question->request->count);
		return;
	}
	if (n_there == 0) {
		print_nothing_there(file, question);
		return;
	}
	if (question->request->bytes > 0)
		fprintf(file, "%zu device%s %" PRIu64 " bytes free", n, n == 1 ? " has" : "s have",
			question->request->bytes);
	else
		fprintf(file, "%zu device%s free", n, n == 1 ? "" : "s");
	print_where(file, question->request);
	fprintf(file, ", %" PRIu64 " asked", question->request->count);
	if (n == topology->n_devices)
		fprintf(file, ", and there are no others");
	for (size_t i = 0; i < topology->n_devices; i++) {
		if (question->not [i] == PLACE_IS_CANDIDATE || question->not [i] == PLACE_NOT_THERE)
			continue;
		if (n_listed == LISTED_MAX) {
			n_more++;
			continue;
		}
		fprintf(file, "%s%s (", n_listed++ ? ", " : ": ", topology->devices[i].name);
		print_not(file, &topology->devices[i], question->not [i]);
		fprintf(file, ")");
	}
	if (n_more > 0)
		fprintf(file, " and %zu more", n_more);
	if (n == 0)
		return;
	fprintf(file, "; largest linked free set%s: ", failure->largest_proved ? "" : " found");
	print_devices(file, topology, failure->largest, failure->n_largest);
}

static void print_required(FILE *file, const struct question *question, size_t device)
{
	const struct place_request *request = question->request;

	if (device == SIZE_MAX) {
		fprintf(file, "%zu devices required, %" PRIu64 " asked: ask for as many, or require fewer",
			request->n_require, request->count);
		return;
	}
	fprintf(file, "%s is required", question->topology->devices[device].name);
	switch (question->not [device]) {
	case PLACE_IS_CANDIDATE:
		fprintf(file, " twice");
		break;
	case PLACE_NOT_THERE:
		fprintf(file, ", and not");
		print_where(file, request);
		break;
	default:
		fprintf(file, ", and ");
		print_not(file, &question->topology->devices[device], question->not [device]);
		if (question->not [device] == PLACE_NOT_ROOM)
			fprintf(file, ", %" PRIu64 " asked", request->bytes);
		break;
	}
}

/* ---- pairs ---- */

/* Two that are required and cannot be together: nothing else has to be said. */
static bool print_required_pair(FILE *file, const struct question *question)
{
	const struct topology *topology = question->topology;
	const struct place_request *request = question->request;

	for (size_t i = 0; i < request->n_require; i++) {
		for (size_t j = 0; j < i; j++) {
			size_t a = question->required[j], b = question->required[i];
			struct topology_pair pair = topology_pair(topology, a, b);

			if (site_relation_holds(topology, question->relation, a, b) &&
			    pair.bandwidth_mbps >= request->least_mbps)
				continue;
			fprintf(file, "%s and %s are required, and ", topology->devices[a].name,
				topology->devices[b].name);
			if (request->same_package &&
			    topology->devices[a].resolved.package != topology->devices[b].resolved.package)
				fprintf(file, "of two packages");
			else if (question->relation.linked && !pair.linked)
				fprintf(file, "not linked");
			else if (!site_relation_holds(topology, question->relation, a, b))
				fprintf(file, "no %s link joins them",
					topology_link_type_to_string(request->link_type));
			else
				fprintf(file, "have %" PRId64 " MB/s, %" PRId64 " asked of each pair",
					pair.bandwidth_mbps, request->least_mbps);
			return true;
		}
	}
	return false;
}

/* Types of links that are up between candidates. */
static void print_link_types(FILE *file, const struct question *question)
{
	const struct topology *topology = question->topology;
	uint64_t seen = 0;

	for (size_t i = 0; i < topology->n_links; i++) {
		const struct topology_link *link = &topology->links[i];

		if (link->mutual && link->type != TOPOLOGY_LINK_NONE &&
		    bits_has(question->candidates, link->accessor) && bits_has(question->candidates, link->owner))
			seen |= UINT64_C(1) << link->type;
	}
	for (size_t i = 0; i < topology->n_attachments; i++)
		if (bits_has(question->candidates, topology->attachments[i].device))
			seen |= UINT64_C(1) << topology->attachments[i].type;
	if (!seen)
		fprintf(file, "; they have no links");
	for (unsigned int type = 0, n = 0; type < 64; type++)
		if (seen >> type & 1)
			fprintf(file, "%s%s", n++ ? ", " : "; their links are ", topology_link_type_to_string(type));
}

/* What the least could have been. Return: as place_solve(), or 0 if there is no such set either. */
static int print_best_least(FILE *file, struct question *question)
{
	_cleanup_(place_refusal_fini) struct place_refusal refusal = { 0 };
	_cleanup_(place_answer_fini) struct place_answer answer = { 0 };
	struct place_ask ask = question->ask;
	const struct place_pool *pool;
	int r;

	ask.least_mbps = 0;
	ask.objective = PLACE_BOTTLENECK;
	r = question_pool(question, question->relation, &pool);
	if (r == 0)
		r = place_solve(pool, &ask, &answer, &refusal);
	if (r == 0)
		fprintf(file, "; the best %" PRIu64 " have %" PRId64 " MB/s", question->request->count,
			answer.bottleneck_mbps);
	return r == -ENOSPC ? 0 : r;
}

static int print_no_pairs(FILE *file, struct question *question, const struct place_refusal *refusal)
{
	const struct place_request *request = question->request;

	if (print_required_pair(file, question))
		return 0;
	fprintf(file, "%zu devices free", question->n_candidates);
	print_where(file, request);
	fprintf(file, ", but no %" PRIu64, request->count);
	print_pairs(file, question);
	if (request->n_require > 0)
		fprintf(file, " with those that are required");
	if (!refusal->proved)
		fprintf(file, " were found (there may be some)");
	if (refusal->n_largest > 1) {
		fprintf(file, "; largest such set%s: ", refusal->largest_proved ? "" : " found");
		print_devices(file, question->topology, refusal->largest, refusal->n_largest);
	} else if (refusal->proved && refusal->largest_proved && request->count > 2) {
		fprintf(file, ", nor any two");
	}
	if (request->link_type && refusal->n_largest < 2)
		print_link_types(file, question);
	return request->least_mbps > 0 ? print_best_least(file, question) : 0;
}

/* The largest set of candidates whose pairs are linked, for whom less would do. */
static int find_largest_linked(struct question *question, struct place_failure *failure)
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
	r = question_pool(question, relation, &pool);
	if (r < 0)
		return r;
	r = place_solve(pool, &ask, &answer, &refusal);
	if (r == 0) {
		failure->largest = steal_ptr(&answer.devices);
		failure->n_largest = answer.n_devices;
		failure->largest_proved = true;
	} else if (r == -ENOSPC) {
		failure->largest = steal_ptr(&refusal.largest);
		failure->n_largest = refusal.n_largest;
		failure->largest_proved = refusal.largest_proved;
	} else {
		return r;
	}
	return 0;
}

int question_refused(struct question *question, const struct place_refusal *refusal, struct place_failure *failure)
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
		fprintf(file, "0 devices asked: ask for 1 or more");
		break;
	case PLACE_REFUSED_REQUIRED:
		print_required(file, question, refusal->device);
		break;
	case PLACE_REFUSED_FREE:
		print_free(file, question, failure);
		break;
	case PLACE_REFUSED_PAIRS:
		r = print_no_pairs(file, question, refusal);
		failure->largest = calloc(refusal->n_largest + 1, sizeof(*failure->largest));
		if (!failure->largest)
			r = -ENOMEM;
		else
			memcpy(failure->largest, refusal->largest, refusal->n_largest * sizeof(*failure->largest));
		failure->n_largest = failure->largest ? refusal->n_largest : 0;
		failure->largest_proved = refusal->largest_proved;
		break;
	}
	if (fclose(file) != 0 && r == 0)
		r = -ENOMEM;
	if (r < 0)
		return r;
	failure->reason = steal_ptr(&text);
	return 0;
}

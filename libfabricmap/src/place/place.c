// SPDX-License-Identifier: MIT
/* A request by names, made a question by numbers; and its answer, in names again. */
#include "place/place.h"

#include "base/base.h"
#include "place/bits.h"
#include "place/nic.h"
#include "place/place-internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct placement *placement_free(struct placement *placement)
{
	if (!placement)
		return NULL;
	for (size_t i = 0; i < placement->n_devices; i++)
		free(placement->devices[i].reason);
	free(placement->devices);
	place_answer_fini(&placement->answer);
	free(placement);
	return NULL;
}

void placement_freep(struct placement **placement)
{
	placement_free(*placement);
}

void place_failure_fini(struct place_failure *failure)
{
	free(failure->reason);
	free(failure->device);
	free(failure->largest);
	*failure = (struct place_failure){ 0 };
}

static void question_fini(struct question *question)
{
	free(question->not );
	free(question->candidates);
	free(question->required);
	for (size_t i = 0; i < question->n_pools; i++)
		place_pool_free(question->pools[i].pool);
}

int question_pool(struct question *question, struct site_relation relation, const struct place_pool **ret)
{
	_cleanup_(place_graph_unrefp) struct place_graph *graph = NULL;
	struct question_pool *own = &question->pools[question->n_pools];
	int r;

	r = place_site_pool(question->site, relation, ret);
	if (r != -E2BIG)
		return r;
	for (size_t i = 0; i < question->n_pools; i++) {
		const struct site_relation other = question->pools[i].relation;

		if (other.linked != relation.linked || other.link_type != relation.link_type ||
		    other.same_package != relation.same_package)
			continue;
		*ret = question->pools[i].pool;
		return 0;
	}
	assert(question->n_pools < QUESTION_POOLS_MAX);
	r = site_graph_new(question->topology, relation, question->candidates, &graph, &question->obstacle);
	if (r == 0)
		r = place_pool_new(graph, &own->pool);
	if (r < 0)
		return r;
	own->relation = relation;
	*ret = own->pool;
	question->n_pools++;
	return 0;
}

/* ---- names ---- */

/* Marks devices by name, if nothing was said of them before. */
static int mark_names(struct question *question, const char *const *names, size_t n, enum place_not as,
		      struct place_failure *failure)
{
	for (size_t i = 0; i < n; i++) {
		ssize_t device = topology_device_find(question->topology, names[i]);

		if (device < 0)
			return question_no_such(question, PLACE_THING_DEVICE, names[i], failure);
		if (question->not [device] == PLACE_IS_CANDIDATE)
			question->not [device] = as;
	}
	return 0;
}

static int mark_group(struct question *question, struct place_failure *failure)
{
	const struct topology *topology = question->topology;
	_cleanup_(freep) bool *members = calloc(topology->n_devices + 1, sizeof(*members));
	const struct topology_group *group = NULL;

	if (!members)
		return -ENOMEM;
	for (size_t i = 0; i < topology->n_groups && !group; i++)
		if (!strcmp(topology->groups[i].id, question->request->group))
			group = &topology->groups[i];
	if (!group)
		return question_no_such(question, PLACE_THING_GROUP, question->request->group, failure);
	for (size_t i = 0; i < group->n_members; i++)
		members[group->members[i]] = true;
	for (size_t i = 0; i < topology->n_devices; i++)
		if (!members[i])
			question->not [i] = PLACE_NOT_THERE;
	return 0;
}

static int mark_nic(struct question *question, struct place_failure *failure)
{
	_cleanup_(nic_map_fini) struct nic_map map = { 0 };
	ssize_t nic = topology_node_find(question->topology, question->request->nic);
	int r;

	if (nic < 0 || question->topology->nodes[nic].kind != TOPOLOGY_NODE_NIC)
		return question_no_such(question, PLACE_THING_NIC, question->request->nic, failure);
	r = nic_map_init(&map, question->topology);
	for (size_t i = 0; r == 0 && i < question->topology->n_devices; i++)
		if (!nic_is_nearest(&map, i, (size_t)nic))
			question->not [i] = PLACE_NOT_THERE;
	return r;
}

/* ---- candidates ---- */

ssize_t place_region(const struct topology_device *device, uint64_t bytes)
{
	ssize_t best = -ENOSPC;

	for (size_t i = 0; i < device->n_regions; i++) {
		if (device->regions[i].free_bytes < 0 || (uint64_t)device->regions[i].free_bytes < bytes)
			continue;
		if (best < 0 || device->regions[i].free_bytes < device->regions[best].free_bytes)
			best = (ssize_t)i;
	}
	return best;
}

static enum place_not judge(const struct question *question, const struct topology_device *device)
{
	const struct place_request *request = question->request;

	if (request->at_numa_node && device->numa_node != request->numa_node)
		return PLACE_NOT_THERE;
	if (device->state != TOPOLOGY_STATE_ONLINE &&
	    !(request->any_device && device->state == TOPOLOGY_STATE_UNMANAGED))
		return PLACE_NOT_ONLINE;
	if (place_region(device, request->bytes) >= 0 || (request->any_device && request->bytes == 0))
		return PLACE_IS_CANDIDATE;
	return device->n_regions == 0 ? PLACE_NOT_MEMORY : PLACE_NOT_ROOM;
}

static int find_candidates(struct question *question, struct place_failure *failure)
{
	const struct place_request *request = question->request;
	size_t n = question->topology->n_devices;
	int r;

	question->not = calloc(n + 1, sizeof(*question->not ));
	question->candidates = calloc(bits_words(n) + 1, sizeof(*question->candidates));
	question->required = calloc(request->n_require + 1, sizeof(*question->required));
	if (!question->not || !question->candidates || !question->required)
		return -ENOMEM;
	r = request->group ? mark_group(question, failure) : 0;
	if (r == 0 && request->nic)
		r = mark_nic(question, failure);
	if (r == 0)
		r = mark_names(question, request->busy, request->n_busy, PLACE_NOT_FREE, failure);
	if (r == 0)
		r = mark_names(question, request->exclude, request->n_exclude, PLACE_NOT_WANTED, failure);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (question->not [i] != PLACE_IS_CANDIDATE)
			continue;
		question->not [i] = place_site_is_free(question->site, i) ?
					    judge(question, &question->topology->devices[i]) :
					    PLACE_NOT_FREE;
		if (question->not [i] != PLACE_IS_CANDIDATE)
			continue;
		bits_add(question->candidates, i);
		question->n_candidates++;
	}
	for (size_t i = 0; i < request->n_require; i++) {
		ssize_t device = topology_device_find(question->topology, request->require[i]);

		if (device < 0)
			return question_no_such(question, PLACE_THING_DEVICE, request->require[i], failure);
		question->required[i] = (size_t)device;
	}
	return 0;
}

/* ---- the answer ---- */

static int device_reason(const struct question *question, const struct place_answer *answer, size_t position,
			 char **ret)
{
	size_t n_linked = 0, n_others = answer->n_devices - 1;
	int64_t least = INT64_MAX;
	bool assumed = false;
	int r;

	if (n_others == 0) {
		r = asprintf(ret, question->request->bytes ? "has the memory free" : "free");
		return r < 0 ? -ENOMEM : 0;
	}
	for (size_t i = 0; i < answer->n_devices; i++) {
		struct topology_pair pair;

		if (i == position)
			continue;
		pair = topology_pair(question->topology, answer->devices[position], answer->devices[i]);
		n_linked += pair.linked;
		assumed |= pair.assumed;
		if (pair.bandwidth_mbps < least)
			least = pair.bandwidth_mbps;
	}
	r = asprintf(ret, "linked to %zu of %zu others, least pair bandwidth %" PRId64 " MB/s%s", n_linked, n_others,
		     least, assumed ? " (assumed)" : "");
	return r < 0 ? -ENOMEM : 0;
}

/* Beyond that many devices nobody reads a line about each, and each takes a look at all others. */
enum { REASONS_MAX = 256 };

/* Takes over the answer's arrays, on success. */
static int placement_new(const struct question *question, struct place_answer *answer, struct placement **ret)
{
	_cleanup_(placement_freep) struct placement *placement = NULL;
	int r;

	placement = calloc(1, sizeof(*placement));
	if (!placement)
		return -ENOMEM;
	placement->devices = calloc(answer->n_devices, sizeof(*placement->devices));
	if (!placement->devices)
		return -ENOMEM;
	for (size_t i = 0; i < answer->n_devices; i++) {
		const struct topology_device *device = &question->topology->devices[answer->devices[i]];
		ssize_t region = place_region(device, question->request->bytes);
		char *reason = NULL;

		if (answer->n_devices <= REASONS_MAX) {
			r = device_reason(question, answer, i, &reason);
			if (r < 0)
				return r;
		}
		placement->devices[placement->n_devices++] = (struct placement_device){
			.device = answer->devices[i],
			.region = region < 0 ? TOPOLOGY_NONE : (size_t)region,
			.reason = reason,
		};
	}
	placement->linked = answer->linked;
	placement->sum_mbps = answer->sum_mbps;
	placement->bottleneck_mbps = answer->n_devices == 1 || answer->n_assumed > 0 ? TOPOLOGY_UNKNOWN :
										       answer->bottleneck_mbps;
	placement->exact = answer->proved;
	placement->objective = question->request->objective;
	placement->answer = *answer;
	*answer = (struct place_answer){ 0 };
	*ret = steal_ptr(&placement);
	return 0;
}

static int solve(struct question *question, struct placement **ret, struct place_refusal *ret_refusal)
{
	_cleanup_(place_answer_fini) struct place_answer answer = { 0 };
	const struct place_pool *pool;
	int r;

	r = question_pool(question, question->relation, &pool);
	if (r < 0)
		return r;
	r = place_solve(pool, &question->ask, &answer, ret_refusal);
	if (r < 0)
		return r;
	return placement_new(question, &answer, ret);
}

static int find(struct question *question, struct placement **ret, struct place_refusal *ret_refusal)
{
	const struct place_request *request = question->request;
	int r;

	question->relation.same_package = request->same_package;
	question->relation.link_type = request->link_type;
	question->relation.linked = request->link_type || request->linked != PLACE_LINKED_ANY;
	r = solve(question, ret, ret_refusal);
	if (r != -ENOSPC || request->link_type || request->linked != PLACE_LINKED_PREFERRED)
		return r;
	place_refusal_fini(ret_refusal);
	question->relation.linked = false;
	return solve(question, ret, ret_refusal);
}

int place_at(struct place_site *site, const struct place_request *request, struct placement **ret,
	     struct place_failure *ret_failure)
{
	_cleanup_(place_failure_fini) struct place_failure failure = { 0 };
	_cleanup_(place_refusal_fini) struct place_refusal refusal = { 0 };
	_cleanup_(question_fini) struct question question = {
		.site = site,
		.topology = place_site_topology(site),
		.request = request,
	};
	int r;

	r = find_candidates(&question, &failure);
	if (r == 0) {
		question.ask = (struct place_ask){
			.count = request->count,
			.objective = request->objective,
			.least_mbps = request->least_mbps,
			.required = question.required,
			.n_required = request->n_require,
			.candidates = question.candidates,
		};
		r = find(&question, ret, &refusal);
		if (r == -ENOSPC || r == -EINVAL) {
			int error = question_refused(&question, &refusal, &failure);

			r = error < 0 ? error : r;
		}
	}
	if (r == -E2BIG)
		r = question_irregular(&question, &failure);
	if (ret_failure && (r == -ENODEV || r == -ENOSPC || r == -EINVAL || r == -E2BIG)) {
		*ret_failure = failure;
		failure = (struct place_failure){ 0 };
	}
	return r;
}

int place(const struct topology *topology, const struct place_request *request, struct placement **ret,
	  struct place_failure *ret_failure)
{
	_cleanup_(place_site_freep) struct place_site *site = NULL;
	int r;

	/* Only counted: a topology never changes. */
	r = place_site_new((struct topology *)topology, &site);
	if (r < 0)
		return r;
	return place_at(site, request, ret, ret_failure);
}

// SPDX-License-Identifier: MIT
/*
 * Choosing devices. Works on a matrix of the candidates' pairs, which are in the topology's order, so that among sets
 * of equal value the first one found is the one with the lowest names.
 */
#include "place/place.h"

#include "base/base.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct candidate {
	size_t device, region;
};

/* What a set is worth, most important first. */
struct value {
	int64_t n_linked; /* pairs */
	int64_t bottleneck_mbps;
	int64_t sum_mbps;
};

struct search {
	const struct candidate *candidates;
	size_t n;
	const struct topology_pair *pairs; /* n * n */
	size_t count;
	size_t *chosen, *best;
	struct value best_value;
	bool found;
};

struct placement *placement_free(struct placement *placement)
{
	if (!placement)
		return NULL;
	for (size_t i = 0; i < placement->n_devices; i++)
		free(placement->devices[i].reason);
	free(placement->devices);
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
	*failure = (struct place_failure){ 0 };
}

static int value_compare(const struct value *a, const struct value *b)
{
	if (a->n_linked != b->n_linked)
		return a->n_linked < b->n_linked ? -1 : 1;
	if (a->bottleneck_mbps != b->bottleneck_mbps)
		return a->bottleneck_mbps < b->bottleneck_mbps ? -1 : 1;
	if (a->sum_mbps != b->sum_mbps)
		return a->sum_mbps < b->sum_mbps ? -1 : 1;
	return 0;
}

/* The value of a set with one member more. */
static struct value value_with(const struct search *search, struct value value, const size_t *members, size_t n,
			       size_t next)
{
	for (size_t i = 0; i < n; i++) {
		const struct topology_pair *pair = &search->pairs[members[i] * search->n + next];

		value.n_linked += pair->linked;
		value.sum_mbps += pair->bandwidth_mbps;
		if (pair->bandwidth_mbps < value.bottleneck_mbps)
			value.bottleneck_mbps = pair->bandwidth_mbps;
	}
	return value;
}

/* All sets in order of names; at most C(16, 8) = 12870 of them. */
static void search_all(struct search *search, size_t n_chosen, size_t from, struct value value)
{
	if (n_chosen == search->count) {
		if (!search->found || value_compare(&value, &search->best_value) > 0) {
			memcpy(search->best, search->chosen, search->count * sizeof(*search->best));
			search->best_value = value;
			search->found = true;
		}
		return;
	}
	for (size_t i = from; i + (search->count - n_chosen) <= search->n; i++) {
		search->chosen[n_chosen] = i;
		search_all(search, n_chosen + 1, i + 1, value_with(search, value, search->chosen, n_chosen, i));
	}
}

/* One device or all devices are no question, however many there are. */
static bool is_exact(size_t n, size_t count)
{
	return n <= PLACE_EXACT_MAX || count == 1 || count == n;
}

static int index_compare(const void *a, const void *b)
{
	const size_t *a_index = a, *b_index = b;

	return *a_index < *b_index ? -1 : *a_index > *b_index;
}

/* From each device in turn, add the one that makes the best set; the best of these sets. */
static void search_greedy(struct search *search)
{
	for (size_t start = 0; start < search->n; start++) {
		struct value value = { .bottleneck_mbps = INT64_MAX };
		size_t n_chosen = 1;

		search->chosen[0] = start;
		while (n_chosen < search->count) {
			struct value next_value = { .n_linked = -1 };
			size_t next = search->n;

			for (size_t i = 0; i < search->n; i++) {
				struct value with;
				bool is_member = false;

				for (size_t j = 0; j < n_chosen; j++)
					is_member |= search->chosen[j] == i;
				if (is_member)
					continue;
				with = value_with(search, value, search->chosen, n_chosen, i);
				if (next == search->n || value_compare(&with, &next_value) > 0) {
					next = i;
					next_value = with;
				}
			}
			search->chosen[n_chosen++] = next;
			value = next_value;
		}
		if (!search->found || value_compare(&value, &search->best_value) > 0) {
			memcpy(search->best, search->chosen, search->count * sizeof(*search->best));
			search->best_value = value;
			search->found = true;
		}
	}
	qsort(search->best, search->count, sizeof(*search->best), index_compare);
}

static bool is_excluded(const struct place_request *request, const char *name)
{
	for (size_t i = 0; i < request->n_exclude; i++)
		if (!strcmp(request->exclude[i], name))
			return true;
	return false;
}

/* Index of the region with the least room that suffices, or -ENOSPC. */
static ssize_t region_choose(const struct topology_device *device, uint64_t bytes)
{
	ssize_t best = -ENOSPC;

	for (size_t i = 0; i < device->n_regions; i++) {
		if ((uint64_t)device->regions[i].free_bytes < bytes)
			continue;
		if (best < 0 || device->regions[i].free_bytes < device->regions[best].free_bytes)
			best = (ssize_t)i;
	}
	return best;
}

static int64_t most_free(const struct topology_device *device)
{
	int64_t most = 0;

	for (size_t i = 0; i < device->n_regions; i++)
		if (device->regions[i].free_bytes > most)
			most = device->regions[i].free_bytes;
	return most;
}

/* Everything that is wrong with the devices that were not candidates. */
static int reason_not_enough(const struct topology *topology, const struct place_request *request, size_t n, char **ret)
{
	_cleanup_(freep) char *text = NULL;
	const char *separator = ": ";
	size_t size = 0;
	FILE *file;

	file = open_memstream(&text, &size);
	if (!file)
		return -ENOMEM;
	fprintf(file, "%zu device%s %" PRIu64 " bytes free, %" PRIu64 " asked", n, n == 1 ? " has" : "s have",
		request->bytes, request->count);
	for (size_t i = 0; i < topology->n_devices; i++) {
		const struct topology_device *device = &topology->devices[i];

		if (is_excluded(request, device->name))
			fprintf(file, "%s%s (excluded)", separator, device->name);
		else if (device->state != TOPOLOGY_STATE_ONLINE)
			fprintf(file, "%s%s (%s)", separator, device->name, topology_state_to_string(device->state));
		else if (device->n_regions == 0)
			fprintf(file, "%s%s (no memory)", separator, device->name);
		else if (region_choose(device, request->bytes) < 0)
			fprintf(file, "%s%s (%" PRId64 " free)", separator, device->name, most_free(device));
		else
			continue;
		separator = ", ";
	}
	if (fclose(file) != 0)
		return -ENOMEM;
	*ret = steal_ptr(&text);
	return 0;
}

static int device_reason(const struct search *search, size_t position, char **ret)
{
	size_t member = search->best[position], n_linked = 0;
	int64_t least = INT64_MAX;
	bool assumed = false;
	int r;

	for (size_t i = 0; i < search->count; i++) {
		const struct topology_pair *pair = &search->pairs[member * search->n + search->best[i]];

		if (search->best[i] == member)
			continue;
		n_linked += pair->linked;
		assumed |= pair->assumed;
		if (pair->bandwidth_mbps < least)
			least = pair->bandwidth_mbps;
	}
	if (search->count == 1)
		r = asprintf(ret, "lowest name with the memory free");
	else
		r = asprintf(ret, "linked to %zu of %zu others, least pair bandwidth %" PRId64 " MB/s%s", n_linked,
			     search->count - 1, least, assumed ? " (assumed)" : "");
	return r < 0 ? -ENOMEM : 0;
}

static int placement_new(const struct search *search, struct placement **ret)
{
	_cleanup_(placement_freep) struct placement *placement = NULL;
	bool assumed = false;
	int r;

	placement = calloc(1, sizeof(*placement));
	if (!placement)
		return -ENOMEM;
	placement->devices = calloc(search->count, sizeof(*placement->devices));
	if (!placement->devices)
		return -ENOMEM;
	for (size_t i = 0; i < search->count; i++) {
		const struct candidate *candidate = &search->candidates[search->best[i]];
		char *reason;

		for (size_t j = 0; j < i; j++)
			assumed |= search->pairs[search->best[i] * search->n + search->best[j]].assumed;
		r = device_reason(search, i, &reason);
		if (r < 0)
			return r;
		placement->devices[placement->n_devices++] = (struct placement_device){
			.device = candidate->device,
			.region = candidate->region,
			.reason = reason,
		};
	}
	placement->linked = search->best_value.n_linked == (int64_t)(search->count * (search->count - 1) / 2);
	placement->sum_mbps = search->best_value.sum_mbps;
	placement->bottleneck_mbps = search->count == 1 || assumed ? TOPOLOGY_UNKNOWN :
								     search->best_value.bottleneck_mbps;
	placement->exact = is_exact(search->n, search->count);
	*ret = steal_ptr(&placement);
	return 0;
}

/* Hand what is known of a failure to the caller. */
static int give_up(struct place_failure *failure, struct place_failure *ret_failure, int r)
{
	if (ret_failure) {
		*ret_failure = *failure;
		*failure = (struct place_failure){ 0 };
	}
	return r;
}

static int check_request(const struct topology *topology, const struct place_request *request,
			 struct place_failure *failure)
{
	if (request->count == 0) {
		failure->reason = strdup("0 devices asked");
		return failure->reason ? -EINVAL : -ENOMEM;
	}
	for (size_t i = 0; i < request->n_exclude; i++) {
		if (topology_device_find(topology, request->exclude[i]) >= 0)
			continue;
		failure->device = strdup(request->exclude[i]);
		if (!failure->device)
			return -ENOMEM;
		if (asprintf(&failure->reason, "no such device: %s", request->exclude[i]) < 0) {
			failure->reason = NULL;
			return -ENOMEM;
		}
		return -ENODEV;
	}
	return 0;
}

int place(const struct topology *topology, const struct place_request *request, struct placement **ret,
	  struct place_failure *ret_failure)
{
	_cleanup_(place_failure_fini) struct place_failure failure = { 0 };
	_cleanup_(freep) struct candidate *candidates = NULL;
	_cleanup_(freep) struct topology_pair *pairs = NULL;
	_cleanup_(freep) size_t *indices = NULL;
	struct search search = { 0 };
	int r;

	r = check_request(topology, request, &failure);
	if (r < 0)
		return r == -ENOMEM ? r : give_up(&failure, ret_failure, r);

	candidates = calloc(topology->n_devices ? topology->n_devices : 1, sizeof(*candidates));
	if (!candidates)
		return -ENOMEM;
	for (size_t i = 0; i < topology->n_devices; i++) {
		const struct topology_device *device = &topology->devices[i];
		ssize_t region = region_choose(device, request->bytes);

		if (device->state != TOPOLOGY_STATE_ONLINE || region < 0 || is_excluded(request, device->name))
			continue;
		candidates[search.n++] = (struct candidate){ .device = i, .region = (size_t)region };
	}
	if (search.n < request->count) {
		failure.n_available = search.n;
		r = reason_not_enough(topology, request, search.n, &failure.reason);
		return r < 0 ? r : give_up(&failure, ret_failure, -ENOSPC);
	}

	search.candidates = candidates;
	search.count = (size_t)request->count;
	pairs = calloc(search.n * search.n, sizeof(*pairs));
	indices = calloc(search.count * 2, sizeof(*indices));
	if (!pairs || !indices)
		return -ENOMEM;
	for (size_t i = 0; i < search.n; i++)
		for (size_t j = 0; j < search.n; j++)
			pairs[i * search.n + j] = topology_pair(topology, candidates[i].device, candidates[j].device);
	search.pairs = pairs;
	search.chosen = indices;
	search.best = indices + search.count;
	if (is_exact(search.n, search.count))
		search_all(&search, 0, 0, (struct value){ .bottleneck_mbps = INT64_MAX });
	else
		search_greedy(&search);
	assert(search.found);
	return placement_new(&search, ret);
}

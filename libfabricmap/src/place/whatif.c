// SPDX-License-Identifier: MIT
/* Largest sets, fragmentation and removals: questions to the engine about a pool, or about a copy of one. */
#include "place/whatif.h"

#include "base/base.h"
#include "place/search-internal.h"

void device_set_fini(struct device_set *set)
{
	free(set->devices);
	*set = (struct device_set){ 0 };
}

void device_sets_fini(struct device_sets *sets)
{
	for (size_t i = 0; i < sets->n; i++)
		device_set_fini(&sets->sets[i]);
	free(sets->sets);
	*sets = (struct device_sets){ 0 };
}

void whatif_removal_fini(struct whatif_removal *removal)
{
	for (size_t i = 0; i < removal->n_leases; i++)
		device_set_fini(&removal->leases[i].replacement);
	free(removal->leases);
	*removal = (struct whatif_removal){ 0 };
}

int whatif_largest(const struct place_pool *pool, int64_t least_mbps, struct device_set *ret, bool *ret_proved)
{
	const struct place_ask ask = {
		.count = place_pool_n_free(pool),
		.objective = PLACE_BOTTLENECK,
		.least_mbps = least_mbps,
	};
	struct place_refusal refusal = { 0 };
	struct place_answer answer;
	int r;

	*ret = (struct device_set){ 0 };
	*ret_proved = true;
	if (ask.count == 0)
		return 0;
	r = place_solve(pool, &ask, &answer, &refusal);
	if (r == 0) {
		*ret = (struct device_set){ steal_ptr(&answer.devices), answer.n_devices };
		place_answer_fini(&answer);
		return 0;
	}
	if (r != -ENOSPC)
		return r;
	*ret = (struct device_set){ steal_ptr(&refusal.largest), refusal.n_largest };
	*ret_proved = refusal.largest_proved;
	place_refusal_fini(&refusal);
	/* Whoever looks for all of them spends less on what can be had. */
	for (struct place_ask more = ask; !*ret_proved && ret->n + 1 < ask.count;) {
		more.count = ret->n + 1;
		r = place_solve(pool, &more, &answer, &refusal);
		if (r == -ENOSPC) {
			*ret_proved = refusal.proved;
			place_refusal_fini(&refusal);
			return 0;
		}
		if (r < 0)
			return r;
		device_set_fini(ret);
		*ret = (struct device_set){ steal_ptr(&answer.devices), answer.n_devices };
		place_answer_fini(&answer);
	}
	return 0;
}

/* As many sets of @count as can be had one after the other. */
static int count_sets(const struct place_pool *pool, int64_t least_mbps, size_t count, size_t *ret)
{
	_cleanup_(place_pool_freep) struct place_pool *copy = NULL;
	const struct place_ask ask = { .count = count, .objective = PLACE_BOTTLENECK, .least_mbps = least_mbps };
	size_t n = 0;
	int r;

	r = place_pool_copy(pool, &copy);
	while (r == 0) {
		struct place_answer answer;

		r = place_solve(copy, &ask, &answer, NULL);
		if (r < 0)
			break;
		r = place_pool_take(copy, answer.devices, answer.n_devices);
		place_answer_fini(&answer);
		n++;
	}
	*ret = n;
	return r == -ENOSPC ? 0 : r;
}

int whatif_fragmentation(const struct place_pool *pool, int64_t least_mbps, struct whatif_fragmentation *ret)
{
	struct whatif_fragmentation result = { .n_free = place_pool_n_free(pool) };
	struct device_set largest;
	int r;

	r = whatif_largest(pool, least_mbps, &largest, &result.largest_proved);
	if (r < 0)
		return r;
	result.largest = largest.n;
	device_set_fini(&largest);
	if (result.n_free > 0)
		result.permille = (unsigned int)(1000 - result.largest * 1000 / result.n_free);
	for (size_t count = 1; count <= result.largest && result.n_sizes < WHATIF_SIZES_MAX; count *= 2) {
		r = count_sets(pool, least_mbps, count, &result.n_sets[result.n_sizes++]);
		if (r < 0)
			return r;
	}
	*ret = result;
	return 0;
}

/* ---- removal ---- */

struct removal {
	const struct place_pool *pool;
	enum place_objective objective;
	const struct device_set *gone;
	struct place_pool *after; /* without what is gone */
};

static void removal_fini(struct removal *removal)
{
	place_pool_free(removal->after);
}

static bool set_has(const struct device_set *set, size_t device)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->devices[i] == device)
			return true;
	return false;
}

/* The best set among the free devices of @pool with @required; its value where it belongs. */
static int best_of(const struct place_pool *pool, const struct place_ask *ask, bool *ret_there, int64_t *ret_bottleneck,
		   int64_t *ret_sum, struct device_set *ret_set)
{
	struct place_answer answer;
	int r;

	*ret_there = false;
	r = place_solve(pool, ask, &answer, NULL);
	if (r == -ENOSPC || r == -EINVAL)
		return 0;
	if (r < 0)
		return r;
	*ret_there = true;
	*ret_bottleneck = answer.bottleneck_mbps;
	*ret_sum = answer.sum_mbps;
	if (ret_set)
		*ret_set = (struct device_set){ steal_ptr(&answer.devices), answer.n_devices };
	place_answer_fini(&answer);
	return 0;
}

static int change_of_size(const struct removal *removal, size_t count, struct whatif_change *ret)
{
	const struct place_ask ask = { .count = count, .objective = removal->objective };
	int r;

	*ret = (struct whatif_change){ .count = count };
	r = best_of(removal->pool, &ask, &ret->was_there, &ret->bottleneck_before, &ret->sum_before, NULL);
	if (r == 0)
		r = best_of(removal->after, &ask, &ret->is_there, &ret->bottleneck_after, &ret->sum_after, NULL);
	return r;
}

static int change_of_lease(const struct removal *removal, const struct device_set *lease, struct whatif_change *ret,
			   struct device_set *ret_replacement)
{
	struct place_answer now = { .devices = lease->devices, .n_devices = lease->n };
	struct place_ask ask = { .count = lease->n, .objective = removal->objective };
	_cleanup_(freep) size_t *kept = calloc(lease->n + 1, sizeof(*kept));
	int r;

	if (!kept)
		return -ENOMEM;
	*ret = (struct whatif_change){ .count = lease->n, .was_there = true };
	r = search_evaluate(removal->pool->graph, &now);
	free(now.assumed);
	if (r < 0)
		return r;
	ret->bottleneck_before = now.bottleneck_mbps;
	ret->sum_before = now.sum_mbps;
	for (size_t i = 0; i < lease->n; i++)
		if (!set_has(removal->gone, lease->devices[i]))
			kept[ask.n_required++] = lease->devices[i];
	ask.required = kept;
	r = place_pool_give(removal->after, kept, ask.n_required);
	if (r < 0)
		return r;
	r = best_of(removal->after, &ask, &ret->is_there, &ret->bottleneck_after, &ret->sum_after, ret_replacement);
	/* They were free only for this question. */
	(void)place_pool_take(removal->after, kept, ask.n_required);
	return r;
}

static int check_removal(const struct removal *removal, const struct device_set *leases, size_t n_leases)
{
	_cleanup_(place_pool_freep) struct place_pool *copy = NULL;
	size_t n = place_graph_n_devices(removal->pool->graph);
	int r;

	for (size_t i = 0; i < removal->gone->n; i++)
		if (removal->gone->devices[i] >= n)
			return -ENODEV;
	r = place_pool_copy(removal->pool, &copy);
	for (size_t i = 0; r == 0 && i < n_leases; i++) {
		for (size_t j = 0; j < leases[i].n; j++)
			if (leases[i].devices[j] >= n)
				return -ENODEV;
		/* Each is held once, and by one. */
		r = place_pool_give(copy, leases[i].devices, leases[i].n);
	}
	return r == -EALREADY ? -EINVAL : r;
}

static int find_removal(struct removal *removal, const struct device_set *leases, size_t n_leases,
			struct whatif_removal *result)
{
	int r;

	for (size_t i = 0; i < removal->gone->n; i++) {
		size_t device = removal->gone->devices[i];

		if (!place_pool_is_free(removal->after, device))
			continue;
		r = place_pool_take(removal->after, &device, 1);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < n_leases; i++) {
		bool hit = false;

		for (size_t j = 0; j < leases[i].n; j++)
			hit |= set_has(removal->gone, leases[i].devices[j]);
		if (!hit)
			continue;
		result->leases[result->n_leases].lease = i;
		r = change_of_lease(removal, &leases[i], &result->leases[result->n_leases].change,
				    &result->leases[result->n_leases].replacement);
		result->n_leases++;
		if (r < 0)
			return r;
	}
	for (size_t count = 1; count <= place_pool_n_free(removal->pool) && result->n_sizes < WHATIF_SIZES_MAX;
	     count *= 2) {
		r = change_of_size(removal, count, &result->sizes[result->n_sizes++]);
		if (r < 0)
			return r;
	}
	return 0;
}

int whatif_removal(const struct place_pool *pool, enum place_objective objective, const struct device_set *gone,
		   const struct device_set *leases, size_t n_leases, struct whatif_removal *ret)
{
	_cleanup_(removal_fini) struct removal removal = { .pool = pool, .objective = objective, .gone = gone };
	_cleanup_(whatif_removal_fini) struct whatif_removal result = { 0 };
	int r;

	r = check_removal(&removal, leases, n_leases);
	if (r == 0)
		r = place_pool_copy(pool, &removal.after);
	if (r < 0)
		return r;
	result.leases = calloc(n_leases + 1, sizeof(*result.leases));
	if (!result.leases)
		return -ENOMEM;
	r = find_removal(&removal, leases, n_leases, &result);
	if (r < 0)
		return r;
	*ret = result;
	result = (struct whatif_removal){ 0 };
	return 0;
}

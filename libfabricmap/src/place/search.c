// SPDX-License-Identifier: MIT
/* One question from its beginning to its answer: who solves it, and what the solution is worth. */
#include "place/search-internal.h"

#include "base/base.h"
#include "place/bits.h"
#include "place/local.h"

#include <assert.h>
#include <string.h>
#include <time.h>

static const char *const objective_names[] = {
	[PLACE_BOTTLENECK_THEN_SUM] = "bottleneck-then-sum",
	[PLACE_SUM] = "sum",
	[PLACE_BOTTLENECK] = "bottleneck",
};

int place_objective_from_string(const char *text, enum place_objective *ret)
{
	for (size_t i = 0; i < sizeof(objective_names) / sizeof(objective_names[0]); i++) {
		if (strcmp(text, objective_names[i]) != 0)
			continue;
		*ret = (enum place_objective)i;
		return 0;
	}
	return -EINVAL;
}

const char *place_objective_to_string(enum place_objective objective)
{
	return objective_names[objective];
}

const char *place_tie_to_string(enum place_tie tie)
{
	switch (tie) {
	case PLACE_TIE_REMAINDER:
		return "remainder-cut-names";
	case PLACE_TIE_CUT:
		return "cut-names";
	case PLACE_TIE_BEST_FIT:
		return "best-fit";
	case PLACE_TIE_FIRST:
		return "first";
	}
	return NULL;
}

void place_answer_fini(struct place_answer *answer)
{
	free(answer->devices);
	free(answer->assumed);
	*answer = (struct place_answer){ 0 };
}

void place_refusal_fini(struct place_refusal *refusal)
{
	free(refusal->largest);
	*refusal = (struct place_refusal){ 0 };
}

static bool ids_are_good(const struct place_graph *graph, const size_t *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ids[i] >= graph->n_devices)
			return false;
	return true;
}

static void read_candidates(struct place_search *search, const struct place_pool *pool, const struct place_ask *ask)
{
	const struct place_structure *structure = &search->graph->structure;
	uint32_t n = search->graph->n_devices;

	memcpy(search->candidates, pool->free, bits_words(n) * sizeof(*pool->free));
	for (uint32_t i = 0; ask->candidates && i < n; i++)
		if (!bits_has(ask->candidates, structure->ids[i]))
			bits_remove(search->candidates, i);
	for (size_t i = 0; i < ask->n_excluded; i++)
		bits_remove(search->candidates, structure->positions[ask->excluded[i]]);
	search->n_candidates = bits_count(search->candidates, 0, n);
}

static void refuse(struct place_search *search, enum place_refused why, size_t device)
{
	search->refused = why;
	search->refused_device = device;
	search->proved = true;
	search->phase = SEARCH_ENDED;
}

static void read_required(struct place_search *search, const struct place_ask *ask)
{
	for (size_t i = 0; i < ask->n_required; i++) {
		uint32_t position = search->graph->structure.positions[ask->required[i]];

		if (!bits_has(search->candidates, position) || bits_has(search->required, position)) {
			refuse(search, PLACE_REFUSED_REQUIRED, ask->required[i]);
			return;
		}
		bits_add(search->required, position);
		search->n_required++;
	}
	if (ask->n_required > ask->count)
		refuse(search, PLACE_REFUSED_REQUIRED, SIZE_MAX);
}

/*
 * Only what neither structure nor 24 devices bounds is ever cut short: of a matrix of n devices, some passes over it, so
 * that the time is some milliseconds.
 */
static uint64_t default_work(uint32_t n)
{
	uint64_t cells = (uint64_t)n * n * 4;

	return cells < 600000 ? 600000 : cells > 2400000 ? 2400000 : cells;
}

int place_search_new(const struct place_pool *pool, const struct place_ask *ask, struct place_search **ret)
{
	_cleanup_(place_search_freep) struct place_search *search = NULL;
	struct place_graph *graph = pool->graph;
	size_t n_words = bits_words(graph->n_devices) + 1;

	if ((unsigned int)ask->objective > PLACE_BOTTLENECK || ask->least_mbps < 0)
		return -ERANGE;
	if (!ids_are_good(graph, ask->required, ask->n_required) ||
	    !ids_are_good(graph, ask->excluded, ask->n_excluded))
		return -ENODEV;
	search = calloc(1, sizeof(*search));
	if (!search)
		return -ENOMEM;
	search->graph = place_graph_ref(graph);
	search->candidates = calloc(n_words * 2, sizeof(*search->candidates));
	if (!search->candidates)
		return -ENOMEM;
	search->required = search->candidates + n_words;
	search->objective = ask->objective;
	search->least = ask->least_mbps > PLACE_MBPS_MAX ? PLACE_MBPS_MAX + 1 : (int32_t)ask->least_mbps;
	search->local_max = LOCAL_MAX;
	read_candidates(search, pool, ask);
	search->work_max = ask->work_max ? ask->work_max : default_work(search->n_candidates);
	if (ask->count == 0)
		refuse(search, PLACE_REFUSED_COUNT, SIZE_MAX);
	else
		read_required(search, ask);
	if (search->phase != SEARCH_ENDED && search->n_candidates < ask->count)
		refuse(search, PLACE_REFUSED_FREE, SIZE_MAX);
	search->count = (uint32_t)ask->count;
	*ret = steal_ptr(&search);
	return 0;
}

struct place_search *place_search_free(struct place_search *search)
{
	if (!search)
		return NULL;
	place_graph_unref(search->graph);
	half_free(search->half);
	tree_free(search->tree);
	free(search->candidates);
	free(search->chosen);
	free(search);
	return NULL;
}

void place_search_freep(struct place_search **search)
{
	place_search_free(*search);
}

void search_local(const struct place_search *search, uint32_t first, uint32_t n, struct local *ret,
		  uint32_t *ret_positions)
{
	const uint32_t *ids = search->graph->structure.ids;
	uint32_t n_local = 0;

	BITS_FOREACH(position, search->candidates, first, (size_t)first + n)
	{
		uint32_t i = n_local++;

		/* Lists of names are compared: by id. */
		assert(n_local <= LOCAL_MAX);
		for (; i > 0 && ids[ret_positions[i - 1]] > ids[position]; i--)
			ret_positions[i] = ret_positions[i - 1];
		ret_positions[i] = (uint32_t)position;
	}
	ret->n = n_local;
	ret->least = search->least;
	ret->required = 0;
	for (uint32_t i = 0; i < n_local; i++) {
		if (bits_has(search->required, ret_positions[i]))
			ret->required |= local_bit(ret, i);
		ret->cells[i][i] = 0;
		for (uint32_t j = 0; j < i; j++) {
			place_cell cell = packed_cell(
				place_graph_packed(search->graph, ids[ret_positions[i]], ids[ret_positions[j]]));

			ret->cells[i][j] = cell;
			ret->cells[j][i] = cell;
		}
	}
}

/* The set of @mask, or what there is instead of one. */
static int end_local(struct place_search *search, struct local *local, const uint32_t *positions, int found,
		     uint32_t mask)
{
	if (found < 0)
		return found;
	search->proved = true;
	search->phase = SEARCH_ENDED;
	if (!found) {
		search->refused = PLACE_REFUSED_PAIRS;
		search->largest_proved = true;
		local->required = 0;
		(void)local_clique(local, local->least, local->n, &mask);
	}
	search->chosen = calloc(local->n, sizeof(*search->chosen));
	if (!search->chosen)
		return -ENOMEM;
	for (uint32_t i = 0; i < local->n; i++)
		if (mask & local_bit(local, i))
			search->chosen[search->n_chosen++] = positions[i];
	return 0;
}

static int start(struct place_search *search)
{
	uint32_t positions[LOCAL_MAX], mask = 0;
	struct local local;
	int r;

	if (search->n_candidates > search->local_max) {
		search->phase = SEARCH_TREE;
		return tree_new(search, &search->tree);
	}
	search_local(search, 0, search->graph->n_devices, &local, positions);
	if (search->n_candidates > PLACE_TIES_EXACT_MAX) {
		search->tie = PLACE_TIE_CUT;
		search->phase = SEARCH_HALF;
		return half_new(&local, search->count, search->objective, &search->half);
	}
	search->tie = PLACE_TIE_REMAINDER;
	r = local_small(&local, search->count, search->objective, &mask);
	return end_local(search, &local, positions, r, mask);
}

static int end_half(struct place_search *search)
{
	uint32_t positions[LOCAL_MAX], mask = 0;
	struct local local;
	int r;

	search_local(search, 0, search->graph->n_devices, &local, positions);
	r = half_result(search->half, &mask, NULL);
	return end_local(search, &local, positions, r, mask);
}

static int slice(struct place_search *search)
{
	int r;

	switch (search->phase) {
	case SEARCH_START:
		return start(search);
	case SEARCH_HALF:
		r = half_step(search->half);
		return r > 0 ? end_half(search) : r;
	case SEARCH_TREE:
		r = tree_step(search->tree);
		if (r <= 0)
			return r;
		search->phase = SEARCH_ENDED;
		return tree_finish(search->tree, search);
	default:
		return 0;
	}
}

static uint64_t cpu_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int place_search_step(struct place_search *search, uint64_t budget_us)
{
	uint64_t end = budget_us == UINT64_MAX ? UINT64_MAX : cpu_us() + budget_us;
	int r;

	while (search->phase != SEARCH_ENDED) {
		r = slice(search);
		if (r < 0)
			return r;
		if (end != UINT64_MAX && search->phase != SEARCH_ENDED && cpu_us() >= end)
			return 0;
	}
	return 1;
}

static int id_compare(const void *a, const void *b)
{
	const size_t *a_id = a, *b_id = b;

	return (*a_id > *b_id) - (*a_id < *b_id);
}

static int chosen_ids(const struct place_search *search, size_t **ret)
{
	size_t *ids = calloc((size_t)search->n_chosen + 1, sizeof(*ids));

	if (!ids)
		return -ENOMEM;
	for (uint32_t i = 0; i < search->n_chosen; i++)
		ids[i] = search->graph->structure.ids[search->chosen[i]];
	if (search->n_chosen > 1)
		qsort(ids, search->n_chosen, sizeof(*ids), id_compare);
	*ret = ids;
	return 0;
}

static int finish_refused(struct place_search *search, struct place_refusal *ret)
{
	int error = search->refused == PLACE_REFUSED_COUNT || search->refused == PLACE_REFUSED_REQUIRED ? -EINVAL :
													  -ENOSPC;
	int r;

	if (!ret)
		return error;
	*ret = (struct place_refusal){
		.why = search->refused,
		.proved = search->proved,
		.n_candidates = search->n_candidates,
		.device = search->refused_device,
	};
	if (search->refused != PLACE_REFUSED_PAIRS)
		return error;
	r = chosen_ids(search, &ret->largest);
	if (r < 0)
		return r;
	ret->n_largest = search->n_chosen;
	ret->largest_proved = search->largest_proved;
	return error;
}

int place_search_finish(struct place_search *search, struct place_answer *ret, struct place_refusal *ret_refusal)
{
	_cleanup_(place_answer_fini) struct place_answer answer = { 0 };
	int r;

	if (search->phase != SEARCH_ENDED)
		return -EAGAIN;
	if (search->refused)
		return finish_refused(search, ret_refusal);
	r = chosen_ids(search, &answer.devices);
	if (r < 0)
		return r;
	answer.n_devices = search->n_chosen;
	answer.n_candidates = search->n_candidates;
	answer.proved = search->proved;
	answer.tie = search->tie;
	r = search_evaluate(search->graph, &answer);
	if (r < 0)
		return r;
	/* The set may be worth more than what it was looked for with. */
	answer.proved |= (search->objective == PLACE_SUM || answer.bottleneck_mbps == search->bound_bottleneck) &&
			 (search->objective == PLACE_BOTTLENECK || answer.sum_mbps == search->bound_sum);
	answer.bound_bottleneck_mbps = answer.proved ? answer.bottleneck_mbps : search->bound_bottleneck;
	answer.bound_sum_mbps = answer.proved ? answer.sum_mbps : search->bound_sum;
	if (search->objective == PLACE_SUM)
		answer.bound_bottleneck_mbps = -1;
	if (search->objective == PLACE_BOTTLENECK)
		answer.bound_sum_mbps = -1;
	*ret = answer;
	answer = (struct place_answer){ 0 };
	return 0;
}

int place_solve(const struct place_pool *pool, const struct place_ask *ask, struct place_answer *ret,
		struct place_refusal *ret_refusal)
{
	_cleanup_(place_search_freep) struct place_search *search = NULL;
	int r;

	r = place_search_new(pool, ask, &search);
	if (r < 0)
		return r;
	r = place_search_step(search, UINT64_MAX);
	if (r < 0)
		return r;
	return place_search_finish(search, ret, ret_refusal);
}

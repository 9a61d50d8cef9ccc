// SPDX-License-Identifier: MIT
/* Rows of the placement benchmark. */
#include "rows.h"

#include "hierarchy.h"
#include "subsets.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	/* Of every subset of one size. */
	PEER_SETS_MAX = 10000000,
	/* A row takes no longer than that, once it has SAMPLES_MIN. */
	ROW_NS_MAX = 300000000,
	SAMPLES_MIN = 100,
	PEER_SAMPLES = 5,
};

static struct rows_mode rows_mode;

void rows_begin(const struct rows_mode *mode)
{
	rows_mode = *mode;
}

uint64_t rows_now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* p99 that a row may have, in microseconds; 0: there is none for its size. */
static double limit_us(size_t n)
{
	static const struct {
		size_t n;
		double us;
	} limits[] = { { 8, 20 }, { 16, 300 }, { 24, 15000 }, { 576, 5000 }, { 1024, 10000 }, { 10080, 100000 } };

	if (n == 63 || n == 72)
		return 1000;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (n <= limits[i].n)
			return n > 24 && n < 576 ? 0 : limits[i].us;
	return 0;
}

/* ---- what is timed ---- */

static struct json_object *score_to_json(int64_t bottleneck_mbps, int64_t sum_mbps)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "bottleneck_mbps",
			       bottleneck_mbps < 0 ? NULL : json_object_new_int64(bottleneck_mbps));
	json_object_object_add(object, "sum_mbps", sum_mbps < 0 ? NULL : json_object_new_int64(sum_mbps));
	return object;
}

/* As who asked over a socket would have it. */
static void encode_reply(const struct place_graph *graph, const struct place_answer *answer)
{
	struct json_object *reply = json_object_new_object(), *devices = json_object_new_array();

	for (size_t i = 0; i < answer->n_devices; i++)
		json_object_array_add(devices, json_object_new_string(place_graph_name(graph, answer->devices[i])));
	json_object_object_add(reply, "devices", devices);
	json_object_object_add(reply, "value", score_to_json(answer->bottleneck_mbps, answer->sum_mbps));
	json_object_object_add(reply, "bound", score_to_json(answer->bound_bottleneck_mbps, answer->bound_sum_mbps));
	json_object_object_add(reply, "proved", json_object_new_boolean(answer->proved));
	json_object_object_add(reply, "tie", json_object_new_string(place_tie_to_string(answer->tie)));
	(void)json_object_to_json_string_ext(reply, JSON_C_TO_STRING_PLAIN);
	json_object_put(reply);
}

/* The last answer or refusal, and what all of them have in common. */
struct outcome {
	struct place_answer answer;
	struct place_refusal refusal;
	int r;
	bool all_proved;
	double *us;
	size_t n;
};

static void ask_once(const struct row *row, struct outcome *outcome)
{
	const struct place_ask ask = {
		.count = row->k,
		.objective = graph_objective(row->objective),
		.least_mbps = row->least_mbps,
		.required = row->required,
		.n_required = row->n_required,
	};
	uint64_t begin;

	if (outcome->r == 0)
		place_answer_fini(&outcome->answer);
	else
		place_refusal_fini(&outcome->refusal);
	outcome->answer = (struct place_answer){ 0 };
	outcome->refusal = (struct place_refusal){ 0 };
	begin = rows_now_ns();
	outcome->r = place_solve(row->pool, &ask, &outcome->answer, &outcome->refusal);
	if (outcome->r == 0)
		encode_reply(row->graph, &outcome->answer);
	outcome->us[outcome->n++] = (double)(rows_now_ns() - begin) / 1000;
	outcome->all_proved &= outcome->r == 0 ? outcome->answer.proved : outcome->refusal.proved;
}

static void set_marks(struct place_pool *pool, size_t n, unsigned int free_mask)
{
	for (size_t i = 0; i < n; i++)
		if (place_pool_is_free(pool, i) != (free_mask >> i & 1))
			(void)(free_mask >> i & 1 ? place_pool_give : place_pool_take)(pool, &i, 1);
}

static unsigned int free_mask_of(const struct row *row)
{
	unsigned int mask = 0;

	for (size_t i = 0; i < row->machine->n; i++)
		mask |= (unsigned int)(!row->busy || !row->busy[i]) << i;
	return mask;
}

static struct outcome outcome_new(const struct row *row)
{
	size_t n_most = rows_mode.n_samples > row->n_masks ? rows_mode.n_samples : row->n_masks;
	uint64_t end = rows_now_ns() + ROW_NS_MAX;
	struct outcome outcome = { .all_proved = true, .us = calloc(n_most + 2, sizeof(double)) };

	if (!outcome.us)
		abort();
	/* Once for nothing, as the first question is the only one that finds cold caches. */
	ask_once(row, &outcome);
	outcome.n = 0;
	for (size_t i = 0; outcome.n < n_most; i++) {
		if (row->n_masks) {
			unsigned int mask = row->masks[i % row->n_masks];

			/* The first is the full one, so that there always is one. */
			if ((size_t)__builtin_popcount(mask) < row->k)
				continue;
			set_marks(row->pool, row->machine->n, mask);
		}
		ask_once(row, &outcome);
		if (outcome.n >= SAMPLES_MIN && rows_now_ns() > end)
			break;
	}
	/* What is printed is the set of the row itself. */
	if (row->n_masks) {
		set_marks(row->pool, row->machine->n, free_mask_of(row));
		ask_once(row, &outcome);
		outcome.n--;
	}
	return outcome;
}

static int compare_double(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

double rows_percentile(double *samples, size_t n, unsigned int percent)
{
	qsort(samples, n, sizeof(*samples), compare_double);
	return n ? samples[(n * percent + 99) / 100 - 1] : 0;
}

/* ---- referees and peers ---- */

static double n_sets(size_t n, size_t k)
{
	double sets = 1;

	for (size_t i = 0; i < k; i++)
		sets = sets * (double)(n - i) / (double)(i + 1);
	return sets;
}

/* The pairs of the devices that are free: the caller's. */
static struct matrix free_part(const struct row *row)
{
	size_t *devices = calloc(row->machine->n, sizeof(*devices)), n = 0;
	struct matrix matrix;

	if (!devices)
		abort();
	for (size_t i = 0; i < row->machine->n; i++)
		if (!row->busy || !row->busy[i])
			devices[n++] = i;
	matrix = matrix_new(n);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			matrix_set(&matrix, i, j, machine_mbps(row->machine, devices[i], devices[j]));
	free(devices);
	return matrix;
}

struct verdict {
	struct score best; /* SCORE_NONE: nobody knows, or there is no such set */
	bool is_known;
	const char *peer; /* or NULL */
	double peer_us;
};

static void verdict_subsets(const struct row *row, struct verdict *ret)
{
	struct matrix matrix = free_part(row);
	double us[PEER_SAMPLES];
	size_t n = rows_mode.is_short ? 1 : PEER_SAMPLES;

	if (matrix.n <= 64 && row->k <= matrix.n && n_sets(matrix.n, row->k) <= PEER_SETS_MAX) {
		for (size_t i = 0; i < n; i++) {
			uint64_t begin = rows_now_ns();

			ret->best = subsets_one_best(&matrix, row->objective, row->k);
			us[i] = (double)(rows_now_ns() - begin) / 1000;
		}
		*ret = (struct verdict){ ret->best, true, "every_subset", rows_percentile(us, n, 50) };
	}
	matrix_fini(&matrix);
}

static struct verdict verdict_of(const struct row *row)
{
	struct verdict verdict = { .best = SCORE_NONE };
	uint64_t begin;

	switch (row->referee) {
	case REFEREE_SUBSETS:
		verdict_subsets(row, &verdict);
		break;
	case REFEREE_TREE:
		begin = rows_now_ns();
		verdict.best = hierarchy_best(row->machine, row->busy, row->objective, row->k);
		verdict.peer_us = (double)(rows_now_ns() - begin) / 1000;
		verdict.peer = "dynamic_program";
		verdict.is_known = true;
		break;
	case REFEREE_KNOWN:
		verdict.best = row->known;
		verdict.is_known = true;
		break;
	case REFEREE_NONE:
		break;
	}
	/* They do not know of such conditions, which are there to have no answer. */
	if (row->least_mbps)
		verdict.best = SCORE_NONE;
	return verdict;
}

/* ---- a line ---- */

static void add(struct json_object *line, const char *key, struct json_object *value)
{
	json_object_object_add(line, key, value);
}

static void add_number(struct json_object *line, const char *key, double value, bool is_there)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%.3f", value);
	add(line, key, is_there ? json_object_new_double_s(value, text) : NULL);
}

static struct score score_of_answer(const struct row *row, const struct place_answer *answer)
{
	return score_of(row->objective, answer->n_devices, answer->bottleneck_mbps, answer->sum_mbps);
}

/* Of the first figure of the objective that differs. */
static double gap_percent(const struct row *row, const struct place_answer *answer)
{
	int64_t found[2] = { answer->bottleneck_mbps, answer->sum_mbps };
	int64_t bound[2] = { answer->bound_bottleneck_mbps, answer->bound_sum_mbps };

	for (size_t i = row->objective == OBJECTIVE_SUM; i < (row->objective == OBJECTIVE_BOTTLENECK ? 1 : 2); i++)
		if (bound[i] != found[i])
			return bound[i] > 0 ? 100.0 * (double)(bound[i] - found[i]) / (double)bound[i] : 0;
	return 0;
}

static const char *why_invalid(const struct row *row, const struct outcome *outcome, const struct verdict *verdict)
{
	struct score found;

	if (outcome->r != 0) {
		if (outcome->r != -ENOSPC && outcome->r != -EINVAL)
			return "an error";
		return verdict->is_known && !score_equal(verdict->best, SCORE_NONE) ? "refused, and there is a set" :
										      NULL;
	}
	found = score_of_answer(row, &outcome->answer);
	if (!score_equal(machine_score(row->machine, row->objective, outcome->answer.devices,
				       outcome->answer.n_devices),
			 found))
		return "the set does not have the value that is said";
	if (!verdict->is_known)
		return NULL;
	if (score_less(verdict->best, found))
		return "better than the best: the referee is wrong";
	if (outcome->answer.proved && !score_equal(verdict->best, found))
		return "said to be proved, and is not the best";
	if (score_less(score_of(row->objective, outcome->answer.n_devices, outcome->answer.bound_bottleneck_mbps,
				outcome->answer.bound_sum_mbps),
		       verdict->best))
		return "the bound is below the best";
	return NULL;
}

static const char *refusal_words(const struct outcome *outcome)
{
	static const char *const words[] = {
		[PLACE_REFUSED_COUNT] = "count",
		[PLACE_REFUSED_REQUIRED] = "required",
		[PLACE_REFUSED_FREE] = "free",
		[PLACE_REFUSED_PAIRS] = "pairs",
	};

	if (outcome->r == 0 || outcome->refusal.why < PLACE_REFUSED_COUNT || outcome->refusal.why > PLACE_REFUSED_PAIRS)
		return NULL;
	return words[outcome->refusal.why];
}

static struct json_object *text_or_null(const char *text)
{
	return text ? json_object_new_string(text) : NULL;
}

static struct json_object *verdict_to_json(const struct row *row, const struct verdict *verdict)
{
	if (!verdict->is_known || score_equal(verdict->best, SCORE_NONE))
		return NULL;
	switch (row->objective) {
	case OBJECTIVE_SUM:
		return score_to_json(-1, verdict->best.first);
	case OBJECTIVE_BOTTLENECK:
		return score_to_json(verdict->best.first, -1);
	default:
		return score_to_json(verdict->best.first, verdict->best.second);
	}
}

static void add_answer(struct json_object *line, const struct row *row, const struct outcome *outcome)
{
	const struct place_answer *answer = &outcome->answer;
	struct json_object *set = json_object_new_array();

	for (size_t i = 0; i < answer->n_devices; i++)
		json_object_array_add(set, json_object_new_int64((int64_t)answer->devices[i]));
	add(line, "set", set);
	add(line, "found",
	    outcome->r == 0 ? score_to_json(answer->bottleneck_mbps, answer->sum_mbps) : score_to_json(-1, -1));
	add(line, "bound",
	    outcome->r == 0 ? score_to_json(answer->bound_bottleneck_mbps, answer->bound_sum_mbps) :
			      score_to_json(-1, -1));
	add(line, "refused", text_or_null(refusal_words(outcome)));
	add(line, "proved", json_object_new_boolean(outcome->all_proved));
	add_number(line, "gap_percent", outcome->r == 0 ? gap_percent(row, answer) : 0, outcome->r == 0);
}

static void print(const struct row *row, struct outcome *outcome, const struct verdict *verdict)
{
	double p50 = rows_percentile(outcome->us, outcome->n, 50), p99 = rows_percentile(outcome->us, outcome->n, 99);
	const char *why = why_invalid(row, outcome, verdict);
	struct json_object *line = json_object_new_object();
	double limit = limit_us(row->machine->n);
	char name[64];

	if (!outcome->n)
		why = "nothing was measured";
	(void)snprintf(name, sizeof(name), "placement.%s", row->name);
	add(line, "name", json_object_new_string(name));
	add(line, "instance", json_object_new_string(row->machine->name));
	add(line, "seed", row->seed ? json_object_new_int64((int64_t)row->seed) : NULL);
	add(line, "n", json_object_new_int64((int64_t)row->machine->n));
	add(line, "k", json_object_new_int64((int64_t)row->k));
	add(line, "objective", json_object_new_string(objective_names[row->objective]));
	add(line, "busy", json_object_new_string(row->busy_words));
	add_answer(line, row, outcome);
	add(line, "optimum", verdict_to_json(row, verdict));
	add_number(line, "p50_us", p50, true);
	add_number(line, "p99_us", p99, true);
	add(line, "samples", json_object_new_int64((int64_t)outcome->n));
	add_number(line, "limit_us", limit, limit > 0);
	add(line, "holds", limit > 0 ? json_object_new_boolean(p99 <= limit) : NULL);
	add(line, "peer", text_or_null(verdict->peer));
	add_number(line, "peer_us", verdict->peer_us, verdict->peer);
	add_number(line, "ratio", p50 / (verdict->peer_us ?: 1), verdict->peer);
	add(line, "valid", json_object_new_boolean(!why));
	if (why)
		add(line, "why", json_object_new_string(why));
	puts(json_object_to_json_string_ext(line, JSON_C_TO_STRING_SPACED));
	json_object_put(line);
}

void row_run(const struct row *row)
{
	struct outcome outcome = outcome_new(row);
	struct verdict verdict = verdict_of(row);

	print(row, &outcome, &verdict);
	(void)fflush(stdout);
	if (outcome.r == 0)
		place_answer_fini(&outcome.answer);
	else
		place_refusal_fini(&outcome.refusal);
	free(outcome.us);
}

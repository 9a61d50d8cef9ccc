// SPDX-License-Identifier: MIT
/*
 * How long the placement engine takes, and how good its answers are: one JSON object a line. Machines are synthetic, or
 * put down from published facts; their names say which. Times are of a thread's CPU, from the question to the encoded
 * reply. Each row says what an independent referee knows to be the best, and what exact work of another kind costs.
 *
 * tests/README.md says what each row means.
 */
#include "captured.h"
#include "memory.h"
#include "rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

enum {
	SEED = 1,
	MASKS_OF_EIGHT = 255,
	MASKS_OF_SIXTEEN = 1000,
};

static bool is_short;

/* ---- machines with all their questions ---- */

struct questions {
	const char *name;
	const size_t *sizes;
	size_t n_sizes;
	enum referee referee;
	const unsigned int *masks;
	size_t n_masks;
	uint64_t seed;
};

static void ask_sizes(struct machine *machine, struct place_graph *graph, const struct questions *questions,
		      const bool *busy, const char *busy_words)
{
	struct place_pool *pool = graph_pool(place_graph_ref(graph), busy);

	for (size_t i = 0; i < questions->n_sizes; i++) {
		for (unsigned int objective = 0; objective < N_OBJECTIVES; objective++) {
			row_run(&(struct row){
				.name = questions->name,
				.machine = machine,
				.graph = graph,
				.pool = pool,
				.busy = busy,
				.busy_words = busy_words,
				.seed = questions->seed,
				.k = questions->sizes[i],
				.objective = objective,
				.referee = questions->referee,
				.masks = questions->masks,
				.n_masks = questions->n_masks,
			});
		}
	}
	place_pool_free(pool);
}

/* Nothing, a tenth, half and nine tenths of it busy. Frees the machine. */
static void ask_structured(struct machine *machine, const struct questions *questions)
{
	static const unsigned int percents[] = { 0, 10, 50, 90 };
	struct place_graph *graph = graph_of_machine(machine, 0);

	for (size_t i = 0; i < (is_short ? 2 : N_ELEMENTS(percents)); i++) {
		bool *busy = generate_busy(machine->n, percents[i], SEED);
		struct questions asked = *questions;
		char words[8];

		/* More than are free is another row's matter. */
		while (asked.n_sizes && asked.sizes[asked.n_sizes - 1] > machine->n * (100 - percents[i]) / 100)
			asked.n_sizes--;
		(void)snprintf(words, sizeof(words), "%u%%", percents[i]);
		ask_sizes(machine, graph, &asked, busy, words);
		free(busy);
	}
	place_graph_unref(graph);
	machine_fini(machine);
}

/* All of it, or many masks of free devices. Frees the machine. */
static void ask_dense(struct machine *machine, const struct questions *questions, const char *busy_words)
{
	struct matrix matrix = machine_matrix(machine);
	struct place_graph *graph = graph_of_matrix(&matrix, NULL, 0);

	ask_sizes(machine, graph, questions, NULL, busy_words);
	place_graph_unref(graph);
	matrix_fini(&matrix);
	machine_fini(machine);
}

/* 1 .. 16 */
static const size_t *counting(void)
{
	static size_t sizes[16];

	for (size_t i = 0; i < N_ELEMENTS(sizes); i++)
		sizes[i] = i + 1;
	return sizes;
}

/* R1: eight devices, every set of free ones. */
static void run_eight(void)
{
	unsigned int masks[MASKS_OF_EIGHT];
	struct questions questions = {
		.name = "r1",
		.sizes = counting(),
		.n_sizes = 8,
		.referee = REFEREE_SUBSETS,
		.masks = masks,
		.n_masks = is_short ? 4 : MASKS_OF_EIGHT,
	};
	struct machine machine;

	for (unsigned int i = 0; i < MASKS_OF_EIGHT; i++)
		masks[i] = 255 - i;
	for (unsigned int volta = 0; volta < 2; volta++) {
		generate_cube_mesh(&machine, volta);
		ask_dense(&machine, &questions, "every subset");
	}
	questions.name = "eight";
	questions.seed = SEED;
	generate_classes(&machine, 8, 4, SEED);
	ask_dense(&machine, &questions, "every subset");
}

/* R4: sixteen, seeded masks. */
static void run_sixteen(void)
{
	unsigned int masks[MASKS_OF_SIXTEEN] = { 0xffff };
	struct random random = { SEED };
	struct questions questions = {
		.name = "r4",
		.sizes = counting(),
		.n_sizes = 16,
		.referee = REFEREE_SUBSETS,
		.masks = masks,
		.n_masks = is_short ? 4 : MASKS_OF_SIXTEEN,
	};
	struct machine machine;

	for (unsigned int i = 1; i < MASKS_OF_SIXTEEN; i++)
		masks[i] = (unsigned int)random_next(&random) & 0xffff;
	generate_two_boards(&machine);
	ask_dense(&machine, &questions, "seeded masks");
	questions.name = "sixteen";
	questions.seed = SEED;
	generate_classes(&machine, 16, 4, SEED);
	ask_dense(&machine, &questions, "seeded masks");
	generate_noise(&machine, 16, SEED);
	ask_dense(&machine, &questions, "seeded masks");
}

/* S1 to S4, and partitions as R6 has them. */
static void run_structured(void)
{
	static const size_t of_63[] = { 1, 2, 3, 4, 7, 8, 9, 12, 16, 24, 32, 48, 60 };
	static const size_t of_72[] = { 1, 2, 3, 4, 5, 7, 8, 12, 16, 18, 24, 32, 36, 48, 64, 71, 72 };
	static const size_t of_576[] = { 4, 8, 16, 36, 72, 73, 144, 288 };
	static const size_t of_1024[] = { 2, 3, 4, 8, 12, 64, 256 };
	static const size_t of_10080[] = { 8, 72, 512, 1024, 4096 };
	struct questions questions = { .referee = REFEREE_TREE, .seed = SEED };
	struct machine machine;

#define ASK(row_name, row_sizes)                                          \
	do {                                                              \
		questions.name = row_name;                                \
		questions.sizes = row_sizes;                              \
		questions.n_sizes = is_short ? 1 : N_ELEMENTS(row_sizes); \
		ask_structured(&machine, &questions);                     \
	} while (0)

	generate_partitions(&machine, 8, 8, 1, SEED);
	ASK("partitions", of_63);
	generate_rack(&machine, 0, SEED);
	ASK("s1", of_72);
	generate_rack(&machine, 3, SEED);
	ASK("s1_damaged", of_72);
	generate_racks(&machine, 8, SEED);
	ASK("s2", of_576);
	generate_meshes(&machine, 128, SEED);
	ASK("s3", of_1024);
	generate_racks(&machine, 140, SEED);
	ASK("s4", of_10080);
	generate_hives(&machine, 2520, 4);
	ASK("hives", of_10080);
#undef ASK
}

/* Without structure: the value is known to who made it, or to nobody. */
static void ask_adversarial(struct machine *machine, uint64_t seed)
{
	const size_t sizes[] = { machine->n / 4, machine->n / 2 };

	ask_dense(machine,
		  &(struct questions){
			  .name = "s5",
			  .sizes = sizes,
			  .n_sizes = 2,
			  .referee = REFEREE_SUBSETS,
			  .seed = seed,
		  },
		  "0%");
}

static void ask_planted(size_t n, size_t k)
{
	struct place_graph *graph;
	struct place_pool *pool;
	struct machine machine;
	struct matrix matrix;

	generate_planted(&machine, n, k, SEED);
	matrix = machine_matrix(&machine);
	graph = graph_of_matrix(&matrix, NULL, 0);
	pool = graph_pool(place_graph_ref(graph), NULL);
	for (unsigned int objective = 0; objective < N_OBJECTIVES; objective++)
		row_run(&(struct row){
			.name = "s5_planted",
			.machine = &machine,
			.graph = graph,
			.pool = pool,
			.busy_words = "0%",
			.seed = SEED,
			.k = k,
			.objective = objective,
			.referee = REFEREE_KNOWN,
			.known = score_of(objective, k, PLANTED_MBPS, (int64_t)(k * (k - 1) / 2) * PLANTED_MBPS),
		});
	place_pool_free(pool);
	place_graph_unref(graph);
	matrix_fini(&matrix);
	machine_fini(&machine);
}

/* Many irregular parts that each would be exact: bounds, in the time of a machine of their size. */
static void ask_noisy_hives(size_t n_hives, size_t size)
{
	static const size_t sizes[] = { 8, 16, 64, 500 };
	struct place_graph *graph;
	struct machine machine;

	generate_noisy_hives(&machine, n_hives, size, SEED);
	graph = graph_of_machine(&machine, 0);
	ask_sizes(&machine, graph,
		  &(struct questions){
			  .name = "noisy_hives",
			  .sizes = sizes,
			  .n_sizes = is_short ? 2 : N_ELEMENTS(sizes),
			  .referee = REFEREE_NONE,
			  .seed = SEED,
		  },
		  NULL, "0%");
	place_graph_unref(graph);
	machine_fini(&machine);
}

static void run_adversarial(void)
{
	static const size_t sizes[] = { 16, 20, 24, 32, 64, 256, 1024 };
	static const size_t tori[][3] = { { 4, 4, 1 }, { 6, 4, 1 }, { 8, 8, 1 }, { 32, 32, 1 },
					  { 3, 3, 2 }, { 4, 3, 2 }, { 4, 4, 4 }, { 16, 8, 8 } };
	struct machine machine;

	for (size_t i = 0; i < (is_short ? 2 : N_ELEMENTS(sizes)); i++) {
		generate_classes(&machine, sizes[i], 4, SEED);
		ask_adversarial(&machine, SEED);
		generate_noise(&machine, sizes[i], SEED);
		ask_adversarial(&machine, SEED);
		generate_all_equal(&machine, sizes[i]);
		ask_adversarial(&machine, 0);
		generate_star(&machine, sizes[i]);
		ask_adversarial(&machine, 0);
		generate_ring(&machine, sizes[i]);
		ask_adversarial(&machine, 0);
		ask_planted(sizes[i], sizes[i] / 4);
		ask_planted(sizes[i], sizes[i] / 2);
	}
	ask_noisy_hives(42, 24);
	for (size_t i = 0; i < (is_short ? 1 : N_ELEMENTS(tori)); i++) {
		generate_torus(&machine, tori[i][0], tori[i][1], tori[i][2]);
		ask_adversarial(&machine, 0);
	}
}

/* R2, R3, R6: a machine that was captured, of 8, 16 or more devices. */
static void run_captured(const char *path, const char *name)
{
	static const size_t of_more[] = { 1, 2, 3, 4, 7, 8, 9, 12, 16, 24, 32, 48, 60 };
	unsigned int masks[MASKS_OF_SIXTEEN];
	struct random random = { SEED };
	struct questions questions = { .name = "captured", .sizes = counting(), .referee = REFEREE_SUBSETS };
	struct place_graph *graph;
	struct machine machine;

	captured_load_row(path, name, is_short ? 3 : 100);
	/* It has said why. */
	if (!captured_load(path, name, &machine, &graph))
		return;
	if (machine.n > 16) {
		questions.sizes = of_more;
		questions.n_sizes = N_ELEMENTS(of_more);
		questions.referee = machine.n_clusters > 1 ? REFEREE_TREE : REFEREE_NONE;
		while (questions.n_sizes && of_more[questions.n_sizes - 1] > machine.n)
			questions.n_sizes--;
	} else {
		questions.n_sizes = machine.n;
		questions.masks = masks;
		questions.n_masks = is_short ? 4 : machine.n <= 8 ? MASKS_OF_EIGHT : MASKS_OF_SIXTEEN;
		masks[0] = (1U << machine.n) - 1;
		for (size_t i = 1; i < questions.n_masks; i++)
			masks[i] = machine.n <= 8 ? masks[0] - (unsigned int)i % masks[0] :
						    (unsigned int)random_next(&random) & masks[0];
	}
	ask_sizes(&machine, graph, &questions, NULL, questions.n_masks ? "many masks" : "0%");
	place_graph_unref(graph);
	machine_fini(&machine);
}

/* S6: what cannot be, said as fast as what can. Frees the machine. */
static void ask_impossible(struct machine *machine, bool is_dense)
{
	const size_t far[] = { 0, machine->n - 1 };
	struct matrix matrix = is_dense ? machine_matrix(machine) : (struct matrix){ 0 };
	struct place_graph *graph = is_dense ? graph_of_matrix(&matrix, NULL, 0) : graph_of_machine(machine, 0);
	bool *all_busy = generate_busy(machine->n, 100, SEED);
	struct place_pool *pool = graph_pool(place_graph_ref(graph), NULL);
	struct place_pool *empty = graph_pool(place_graph_ref(graph), all_busy);

	for (unsigned int objective = 0; objective < (is_short ? 1 : N_OBJECTIVES); objective++) {
		struct row row = {
			.machine = machine,
			.graph = graph,
			.pool = pool,
			.busy_words = "0%",
			.objective = objective,
			.referee = machine->n <= 64 ? REFEREE_SUBSETS : REFEREE_NONE,
		};

		row.name = "s6_one_more_than_free";
		row.k = machine->n + 1;
		row_run(&row);
		row.name = "s6_least_pair_that_nobody_has";
		row.k = machine->n / 2;
		row.least_mbps = 9000000;
		row_run(&row);
		row.name = "s6_required_are_apart";
		row.least_mbps = MACHINE_ASSUMED_MBPS + 1;
		row.required = far;
		row.n_required = N_ELEMENTS(far);
		if (machine_mbps(machine, far[0], far[1]) < row.least_mbps)
			row_run(&row);
		row.required = NULL;
		row.n_required = 0;
		row.least_mbps = 0;
		row.name = "s6_all_busy";
		row.pool = empty;
		row.busy = all_busy;
		row.busy_words = "100%";
		row.k = 1;
		row_run(&row);
	}
	place_pool_free(empty);
	place_pool_free(pool);
	place_graph_unref(graph);
	free(all_busy);
	matrix_fini(&matrix);
	machine_fini(machine);
}

static void run_impossible(void)
{
	struct machine machine;

	generate_cube_mesh(&machine, true);
	ask_impossible(&machine, true);
	generate_two_boards(&machine);
	ask_impossible(&machine, true);
	generate_classes(&machine, 24, 4, SEED);
	ask_impossible(&machine, true);
	generate_partitions(&machine, 8, 8, 1, SEED);
	ask_impossible(&machine, false);
	generate_rack(&machine, 3, SEED);
	ask_impossible(&machine, false);
	generate_racks(&machine, 8, SEED);
	ask_impossible(&machine, false);
	generate_meshes(&machine, 128, SEED);
	ask_impossible(&machine, false);
	generate_racks(&machine, 140, SEED);
	ask_impossible(&machine, false);
}

/* ---- churn ---- */

enum {
	CHURN_SIZE = 8,
	CHURN_PERCENT = 95,
	CHURN_LIMIT = 5000,
};

static size_t rss_kib(void)
{
	FILE *statm = fopen("/proc/self/statm", "re");
	unsigned long total = 0, resident = 0;

	if (statm && fscanf(statm, "%lu %lu", &total, &resident) != 2)
		resident = 0;
	if (statm)
		(void)fclose(statm);
	return resident * (size_t)(sysconf(_SC_PAGESIZE) / 1024);
}

static bool allocate(struct place_pool *pool, struct place_answer *ret)
{
	const struct place_ask ask = { .count = CHURN_SIZE };

	return !place_solve(pool, &ask, ret, NULL) && !place_pool_take(pool, ret->devices, ret->n_devices);
}

/* Leases of eight until 95 % are busy; then one ends at random and another begins, again and again. */
static void run_churn(void)
{
	size_t n_cycles = is_short ? 1000 : 1000000, n_leases, n_failed = 0, rss_before = 0;
	struct random random = { SEED };
	struct place_answer *leases;
	struct place_pool *pool;
	struct machine machine;
	uint64_t begin = 0;
	double per_s;

	generate_racks(&machine, 140, SEED);
	pool = graph_pool(graph_of_machine(&machine, 0), NULL);
	n_leases = machine.n * CHURN_PERCENT / 100 / CHURN_SIZE;
	leases = calloc(n_leases, sizeof(*leases));
	if (!leases)
		abort();
	for (size_t i = 0; i < n_leases; i++)
		if (!allocate(pool, leases + i))
			abort();
	/* The first tenth mixes, and is not counted. */
	for (size_t i = 0; i < n_cycles + n_cycles / 10; i++) {
		struct place_answer *lease = leases + random_below(&random, n_leases);

		if (i == n_cycles / 10) {
			rss_before = rss_kib();
			begin = rows_now_ns();
		}
		n_failed += place_pool_give(pool, lease->devices, lease->n_devices) != 0;
		place_answer_fini(lease);
		n_failed += !allocate(pool, lease);
	}
	per_s = (double)n_cycles * 1e9 / (double)(rows_now_ns() - begin);
	printf("{\"name\": \"placement.churn_per_s\", \"instance\": \"%s\", \"seed\": %d, \"n\": %zu, \"k\": %d, "
	       "\"objective\": \"bottleneck-then-sum\", \"busy\": \"%d%%\", \"value\": %.0f, \"unit\": \"1/s\", "
	       "\"samples\": %zu, \"limit\": %d, \"holds\": %s, \"rss_before_kib\": %zu, \"rss_after_kib\": %zu, "
	       "\"valid\": %s}\n",
	       machine.name, SEED, machine.n, CHURN_SIZE, CHURN_PERCENT, per_s, n_cycles, CHURN_LIMIT,
	       per_s >= CHURN_LIMIT ? "true" : "false", rss_before, rss_kib(), n_failed ? "false" : "true");
	for (size_t i = 0; i < n_leases; i++)
		place_answer_fini(leases + i);
	free(leases);
	place_pool_free(pool);
	machine_fini(&machine);
}

/* ---- */

static const struct {
	const char *name;
	void (*run)(void);
} parts[] = {
	{ "eight", run_eight },		  { "sixteen", run_sixteen },
	{ "structured", run_structured }, { "adversarial", run_adversarial },
	{ "impossible", run_impossible }, { "churn", run_churn },
};

static int usage(void)
{
	fprintf(stderr, "usage: placement [--short] [--captured NAME PATH | --memory NAME PATH]... [PART]\nparts:");
	for (size_t i = 0; i < N_ELEMENTS(parts); i++)
		fprintf(stderr, " %s", parts[i].name);
	fprintf(stderr, "; without, all of them\n");
	return 2;
}

int main(int argc, char **argv)
{
	const char *only = NULL;
	bool is_found = false;
	int captured = 0;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--short")) {
			is_short = true;
		} else if ((!strcmp(argv[i], "--captured") || !strcmp(argv[i], "--memory")) && i + 2 < argc) {
			captured = captured ?: i;
			i += 2;
		} else if (argv[i][0] == '-' || only) {
			return usage();
		} else {
			only = argv[i];
		}
	}
	rows_begin(&(struct rows_mode){ .n_samples = is_short ? 3 : 1000, .is_short = is_short });
	for (size_t i = 0; i < N_ELEMENTS(parts); i++) {
		if (only && strcmp(only, parts[i].name))
			continue;
		parts[i].run();
		is_found = true;
	}
	if (!is_found)
		return usage();
	for (int i = captured; i && i < argc; i++) {
		if (!strcmp(argv[i], "--captured"))
			run_captured(argv[i + 2], argv[i + 1]);
		else if (!strcmp(argv[i], "--memory"))
			memory_rows(argv[i + 2], argv[i + 1], is_short ? 3 : 1000);
		else
			continue;
		i += 2;
	}
	return EXIT_SUCCESS;
}

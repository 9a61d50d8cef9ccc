/* SPDX-License-Identifier: MIT */
/* rows - one question to the placement engine, asked often enough to say how long it takes: one line of JSON. */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include "graphs.h"

/* Who else knows the best value. */
enum referee {
	REFEREE_NONE,
	REFEREE_SUBSETS, /* every subset of that size: also the peer, if they are few enough */
	REFEREE_TREE, /* dynamic programming on the machine's tree: also the peer */
	REFEREE_KNOWN, /* the machine was made so */
};

struct row {
	const char *name; /* "placement." is put before it */
	const struct machine *machine;
	const struct place_graph *graph;
	struct place_pool *pool; /* of that graph; its marks are @busy */
	const bool *busy; /* NULL: none */
	const char *busy_words; /* "0%", "90%", ... */
	uint64_t seed; /* 0: there is none */
	size_t k;
	enum objective objective;
	enum referee referee;
	struct score known; /* REFEREE_KNOWN */
	/* More sets of busy devices, for the times only: masks of free ones, for machines of up to 32 devices. */
	const unsigned int *masks;
	size_t n_masks;
	/* For questions that have no answer. */
	int64_t least_mbps;
	const size_t *required;
	size_t n_required;
};

struct rows_mode {
	size_t n_samples; /* of each row */
	bool is_short;
};

void rows_begin(const struct rows_mode *mode);

/* Ask, time, compare with the referee and the peer, print. */
void row_run(const struct row *row);

/* Of n samples, which it sorts; 0 if there are none. */
double rows_percentile(double *samples, size_t n, unsigned int percent);

/* Thread CPU time. */
uint64_t rows_now_ns(void);

#endif

/* SPDX-License-Identifier: MIT */
/* captured - a machine that somebody captured, for the benchmark: its graph, and its pairs for the referees. */
#ifndef BENCH_CAPTURED_H
#define BENCH_CAPTURED_H

#include "graphs.h"

/**
 * captured_load() - load a file or folder that libfabricmap knows
 * @name: what it is called in rows
 * @ret_machine: pairs as the rule has them: judged elsewhere, taken as given here. A tree if partitions of one package
 *               are all alike from outside, else one cluster
 *
 * Return: false, with a line on stderr, if it cannot be loaded.
 */
bool captured_load(const char *path, const char *name, struct machine *ret_machine, struct place_graph **ret_graph);

/* One line: how long it takes to read that file or tree, files of it in the page cache. */
void captured_load_row(const char *path, const char *name, size_t n_samples);

#endif

/* SPDX-License-Identifier: MIT */
/* memory - rows of the benchmark about memory: where should a range live that an initiator of a captured machine uses? */
#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H

#include <stddef.h>

/* Each initiator, by bandwidth and by latency, little and more than any memory has. Left out aloud if it has no memories. */
void memory_rows(const char *path, const char *name, size_t n_samples);

#endif

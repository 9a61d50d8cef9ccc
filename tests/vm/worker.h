/* SPDX-License-Identifier: MIT */
/*
 * Programs that compute with all GPUs of a machine while those come and go, and know what each word of their memory
 * must be: by CPU, by GPU, after forks, in memory that moves.
 */
#ifndef TESTS_WORKER_H
#define TESTS_WORKER_H

#include "gpu.h"

#define WORKER_AREA_SIZE (2 * MIB)
#define WORKER_MAX_GPUS 8

/* What one of them has done. */
struct tally {
	uint64_t loops, compared_bytes, differing_bytes, moved_bytes, execs, lost_execs, turned_away, forks;
};

struct workers;

/* Starts @n processes that work with the devices @names. Their choices follow from TEST_SEED. */
struct workers *workers_start(size_t n, char (*names)[DRM_FABRIC_DEVICE_NAME_SIZE], size_t n_names);
/* Ends them after a last comparison of all that they have. Returns the bytes that differed; asserts that all worked. */
uint64_t workers_stop(struct workers *workers);

/* A child that ends with its parent. */
int fork_child(void);
/* Ends it by force; asserts that it had not ended by itself. */
void kill_child(int pid);

#endif

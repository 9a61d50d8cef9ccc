// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE ((size_t)4096)

int fork_child(void)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

void kill_child(int pid)
{
	int status;

	/* One that has ended is there until it is waited for: only its status tells. */
	ck_assert(!kill(pid, SIGKILL));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "child %d: status %#x", pid, status);
}

#define N_AREAS 3

#define MAX_WORKERS 8

/* In memory that all processes share. */
struct workers {
	bool stop;
	size_t n, n_gpus;
	char names[WORKER_MAX_GPUS][DRM_FABRIC_DEVICE_NAME_SIZE];
	struct tally tallies[MAX_WORKERS];
	pid_t pids[MAX_WORKERS];
};

/* A program that knows what each word of its memory must be. */
struct worker {
	struct workers *board;
	struct tally *tally;
	uint64_t random;
	struct gpu *gpus[WORKER_MAX_GPUS];
	uint64_t *areas[N_AREAS];
	uint64_t *models[N_AREAS];
	unsigned int n_children;
};

static size_t below(struct worker *w, size_t limit)
{
	return test_random(&w->random) % limit;
}

/* A random part of an area, in units of @unit bytes. */
static void worker_part(struct worker *w, size_t unit, size_t *ret_offset, size_t *ret_size)
{
	*ret_size = (1 + below(w, WORKER_AREA_SIZE / unit / 2)) * unit;
	*ret_offset = below(w, (WORKER_AREA_SIZE - *ret_size) / unit + 1) * unit;
}

static void worker_compare(struct worker *w, size_t area, size_t offset, size_t size)
{
	const unsigned char *is = (unsigned char *)w->areas[area] + offset;
	const unsigned char *should = (unsigned char *)w->models[area] + offset;
	uint64_t n = 0;

	if (memcmp(is, should, size))
		for (size_t i = 0; i < size; i++)
			n += is[i] != should[i];
	__atomic_add_fetch(&w->tally->differing_bytes, n, __ATOMIC_RELAXED);
	__atomic_add_fetch(&w->tally->compared_bytes, size, __ATOMIC_RELAXED);
}

static void worker_close(struct worker *w, size_t i)
{
	if (w->gpus[i])
		gpu_close(w->gpus[i]);
	w->gpus[i] = NULL;
}

/* A GPU that may die any moment, or NULL: then it is away just now. */
static struct gpu *worker_gpu(struct worker *w)
{
	size_t i = below(w, w->board->n_gpus);
	int r = 0;

	if (!w->gpus[i])
		r = gpu_try_open(w->board->names[i], &w->gpus[i]);
	if (!r && w->gpus[i]->devmem_fd < 0)
		r = gpu_try_open_devmem(w->gpus[i]);
	if (r) {
		/* What a device may say while it comes and goes. */
		ck_assert_msg(r == -ENODEV || r == -ESHUTDOWN || r == -ENOENT || r == -ENXIO || r == -EINVAL,
			      "opening %s: %s", w->board->names[i], strerror(-r));
		w->tally->turned_away++;
		worker_close(w, i);
		return NULL;
	}
	return w->gpus[i];
}

static void worker_lost(struct worker *w, struct gpu *gpu)
{
	for (size_t i = 0; i < w->board->n_gpus; i++)
		if (w->gpus[i] == gpu)
			worker_close(w, i);
}

static void worker_populate(struct worker *w, size_t area)
{
	struct drm_fabric_devmem_populate args;
	struct gpu *gpu = worker_gpu(w);
	size_t offset, size;
	int r;

	if (!gpu)
		return;
	worker_part(w, PAGE, &offset, &size);
	r = gpu_try_populate(gpu, (char *)w->areas[area] + offset, size, 0, &args);
	w->tally->moved_bytes += args.moved_bytes;
	if (!r)
		return;
	ck_assert_msg(r == -ESHUTDOWN || r == -ENODEV, "POPULATE on %s: %s", gpu->name, strerror(-r));
	w->tally->turned_away++;
	if (r == -ENODEV)
		worker_lost(w, gpu);
}

/* One operation. If its device left on the way each word of the destination is the old or the new one. */
static void worker_exec(struct worker *w, size_t area)
{
	size_t other = (area + 1) % N_AREAS, offset, size;
	uint32_t op = 1 + below(w, 4);
	uint64_t *dst, *model, value = test_random(&w->random), n = 0;
	const uint64_t *src, *src_model;
	struct drm_softgpu_exec args;
	struct gpu *gpu = worker_gpu(w);
	int r;

	if (!gpu)
		return;
	worker_part(w, 8, &offset, &size);
	dst = w->areas[area] + offset / 8;
	model = w->models[area] + offset / 8;
	src = w->areas[other] + offset / 8;
	src_model = w->models[other] + offset / 8;
	r = gpu_try_exec(gpu, op, op == DRM_SOFTGPU_OP_CHECKSUM ? NULL : dst, op == DRM_SOFTGPU_OP_FILL ? NULL : src,
			 size, op == DRM_SOFTGPU_OP_FILL ? value : 0, &args);
	ck_assert_msg(!r || r == -ENODEV, "EXEC %u on %s: %s", op, gpu->name, strerror(-r));
	if (r)
		w->tally->lost_execs++;
	else
		w->tally->execs++;
	if (op == DRM_SOFTGPU_OP_CHECKSUM) {
		n = !r && args.result != checksum(src_model, size) ? 8 : 0;
	} else {
		for (size_t i = 0; i < size / 8; i++) {
			uint64_t new = op == DRM_SOFTGPU_OP_FILL ? value :
				       op == DRM_SOFTGPU_OP_COPY ? src_model[i] :
								   model[i] + src_model[i];

			if (r) {
				n += dst[i] != new &&dst[i] != model[i] ? 8 : 0;
				new = dst[i];
			}
			model[i] = new;
		}
	}
	__atomic_add_fetch(&w->tally->differing_bytes, n, __ATOMIC_RELAXED);
	if (r)
		worker_lost(w, gpu);
}

/* A child that shares the pages and looks at them a little later. */
static void worker_fork(struct worker *w)
{
	unsigned int ms = below(w, 400);
	pid_t pid;

	while (waitpid(-1, NULL, w->n_children < 2 ? WNOHANG : 0) > 0)
		w->n_children--;
	pid = fork_child();
	if (!pid) {
		for (size_t i = 0; i < w->board->n_gpus; i++)
			worker_close(w, i);
		sleep_ms(ms);
		for (size_t i = 0; i < N_AREAS; i++)
			worker_compare(w, i, 0, WORKER_AREA_SIZE);
		_exit(0);
	}
	w->n_children++;
	w->tally->forks++;
}

static void worker_step(struct worker *w)
{
	size_t area = below(w, N_AREAS), offset, size;
	uint64_t seed;
	char *at;

	worker_part(w, PAGE, &offset, &size);
	at = (char *)w->areas[area] + offset;
	switch (below(w, 16)) {
	case 0:
		seed = test_random(&w->random);
		pattern_fill(at, size, seed);
		pattern_fill((char *)w->models[area] + offset, size, seed);
		break;
	case 1:
		worker_fork(w);
		break;
	case 2:
		ck_assert(!munmap(at, size));
		ck_assert(mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
		memset((char *)w->models[area] + offset, 0, size);
		break;
	case 3:
		worker_compare(w, area, 0, WORKER_AREA_SIZE);
		break;
	case 4:
	case 5:
		worker_compare(w, area, offset, PAGE);
		break;
	case 6:
	case 7:
	case 8:
	case 9:
	case 10:
		worker_populate(w, area);
		break;
	default:
		worker_exec(w, area);
		break;
	}
	w->tally->loops++;
}

static void worker_main(struct workers *board, size_t index)
{
	struct worker w = { .board = board, .tally = &board->tallies[index], .random = test_seed() + index };

	for (size_t i = 0; i < N_AREAS; i++) {
		w.areas[i] = map_memory(WORKER_AREA_SIZE, (index + i) % 2);
		w.models[i] = calloc(1, WORKER_AREA_SIZE);
		ck_assert_ptr_nonnull(w.models[i]);
	}
	while (!__atomic_load_n(&board->stop, __ATOMIC_RELAXED))
		worker_step(&w);
	for (size_t i = 0; i < N_AREAS; i++)
		worker_compare(&w, i, 0, WORKER_AREA_SIZE);
	while (waitpid(-1, NULL, 0) > 0)
		;
	_exit(0);
}

struct workers *workers_start(size_t n, char (*names)[DRM_FABRIC_DEVICE_NAME_SIZE], size_t n_names)
{
	struct workers *board;

	ck_assert_uint_le(n, MAX_WORKERS);
	ck_assert_uint_le(n_names, WORKER_MAX_GPUS);
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(board != MAP_FAILED);
	board->n = n;
	board->n_gpus = n_names;
	memcpy(board->names, names, n_names * sizeof(*names));
	for (size_t i = 0; i < n; i++) {
		/* The board is shared: only the parent writes there. */
		pid_t pid = fork_child();

		if (!pid)
			worker_main(board, i);
		board->pids[i] = pid;
	}
	return board;
}

uint64_t workers_stop(struct workers *board)
{
	uint64_t differing = 0;

	__atomic_store_n(&board->stop, true, __ATOMIC_RELAXED);
	for (size_t i = 0; i < board->n; i++)
		wait_child(board->pids[i]);
	for (size_t i = 0; i < board->n; i++) {
		const struct tally *t = &board->tallies[i];

		note("worker %zu: %llu steps, %llu operations, %llu cut off, %llu times turned away, %llu forks, %llu MiB "
		     "moved, %llu MiB compared, %llu bytes differ",
		     i, (unsigned long long)t->loops, (unsigned long long)t->execs, (unsigned long long)t->lost_execs,
		     (unsigned long long)t->turned_away, (unsigned long long)t->forks,
		     (unsigned long long)(t->moved_bytes / MIB), (unsigned long long)(t->compared_bytes / MIB),
		     (unsigned long long)t->differing_bytes);
		differing += t->differing_bytes;
		ck_assert_uint_gt(t->execs, 0);
		ck_assert_uint_gt(t->moved_bytes, 0);
		ck_assert_uint_gt(t->compared_bytes, 0);
	}
	munmap(board, sizeof(*board));
	return differing;
}

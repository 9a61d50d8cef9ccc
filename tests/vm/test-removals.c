// SPDX-License-Identifier: MIT
/* Devices are taken away, one after another, while programs compute with them: nobody loses a byte. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gpu.h"

#define PAGE ((size_t)4096)

/* For what must come, sooner or later. */
#define PATIENCE_MS 60000

static void load(void)
{
	gpu_restore();
}

static uint64_t resident(const char *name)
{
	char buf[32];

	return gpu_attr(name, "regions/vram0/resident_bytes", buf, sizeof(buf)) ? strtoull(buf, NULL, 10) : 0;
}

static int fork_child(void)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

#define N_WORKERS 3
#define N_AREAS 3
#define AREA_SIZE (2 * MIB)
#define MAX_GPUS 8

/* In memory that all processes share. */
struct board {
	bool stop;
	size_t n_gpus;
	char names[MAX_GPUS][DRM_FABRIC_DEVICE_NAME_SIZE];
	struct tally {
		uint64_t loops, compared_bytes, differing_bytes, moved_bytes, execs, lost_execs, turned_away, forks;
	} tallies[N_WORKERS];
};

/* A program that knows what each word of its memory must be. */
struct worker {
	struct board *board;
	struct tally *tally;
	uint64_t random;
	struct gpu *gpus[MAX_GPUS];
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
	*ret_size = (1 + below(w, AREA_SIZE / unit / 2)) * unit;
	*ret_offset = below(w, (AREA_SIZE - *ret_size) / unit + 1) * unit;
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
			worker_compare(w, i, 0, AREA_SIZE);
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
		worker_compare(w, area, 0, AREA_SIZE);
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

static void worker_main(struct board *board, size_t index)
{
	struct worker w = { .board = board, .tally = &board->tallies[index], .random = test_seed() + index };

	for (size_t i = 0; i < N_AREAS; i++) {
		w.areas[i] = map_memory(AREA_SIZE, (index + i) % 2);
		w.models[i] = calloc(1, AREA_SIZE);
		ck_assert_ptr_nonnull(w.models[i]);
	}
	while (!__atomic_load_n(&board->stop, __ATOMIC_RELAXED))
		worker_step(&w);
	for (size_t i = 0; i < N_AREAS; i++)
		worker_compare(&w, i, 0, AREA_SIZE);
	while (waitpid(-1, NULL, 0) > 0)
		;
	_exit(0);
}

enum removal { REMOVE_ADMIN, REMOVE_SYSFS, REMOVE_DRIVER, REMOVE_PCI, REMOVE_RIG, N_REMOVALS };

static const char *const removal_names[] = { "UNBIND ioctl", "sysfs unbind", "driver unbind", "PCI remove",
					     "host unplug" };

/* The rig's name of a device. */
static bool rig_name(const char *name, char *ret, size_t size)
{
	char command[128];
	FILE *pipe;
	bool found;

	snprintf(command, sizeof(command), "rig list | awk '$2 == \"%s\" { printf \"%%s\", $1 }'", name);
	pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	found = fgets(ret, size, pipe);
	pclose(pipe);
	return found;
}

/* It does not go: what it says of itself, and where everybody waits in the kernel. */
static void explain(const char *name)
{
	static const char *const files[] = { "state", "evict_blocked", "handles", "regions/vram0/resident_bytes",
					     "regions/vram0/pagemap_refs_mappings" };
	char buf[64];

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		note("%s: %s %s", name, files[i], gpu_attr(name, files[i], buf, sizeof(buf)) ? buf : "(absent)");
	write_file("/proc/sysrq-trigger", "t");
}

static void take_away(enum removal how, const char *name, const char *rig)
{
	char file[128];
	bool gone;
	int r;

	switch (how) {
	case REMOVE_ADMIN:
		r = gpu_admin(DRM_FABRIC_ADMIN_UNBIND, name, PATIENCE_MS);
		if (r == -ETIMEDOUT)
			explain(name);
		ck_assert_msg(!r, "UNBIND of %s: %s", name, strerror(-r));
		break;
	case REMOVE_SYSFS:
		gpu_write_attr(name, "unbind", "1");
		gone = gpu_wait_present(name, false, PATIENCE_MS);
		if (!gone)
			explain(name);
		ck_assert_msg(gone, "%s: still there after %d ms", name, PATIENCE_MS);
		break;
	case REMOVE_DRIVER:
		gpu_unbind(name);
		break;
	case REMOVE_PCI:
		snprintf(file, sizeof(file), "/sys/bus/pci/devices/%s/remove", name);
		write_file(file, "1");
		break;
	default:
		ck_assert_int_eq(shell("rig unplug %s >/dev/null", rig), 0);
		break;
	}
}

static void give_back(enum removal how, const char *name, const char *rig)
{
	char file[128];
	uint64_t end = now_ms() + PATIENCE_MS;

	switch (how) {
	case REMOVE_PCI:
		write_file("/sys/bus/pci/rescan", "1");
		break;
	case REMOVE_RIG:
		ck_assert_int_eq(shell("rig plug %s >/dev/null", rig), 0);
		break;
	default:
		/* Those that do not wait for the driver: it is unbound a moment after the device has left. */
		snprintf(file, sizeof(file), "/sys/bus/pci/devices/%s/driver", name);
		while (!access(file, F_OK) && now_ms() < end)
			sleep_ms(1);
		gpu_bind(name);
		break;
	}
	ck_assert(gpu_wait_present(name, true, PATIENCE_MS));
	gpu_write_attr(name, "regions/vram0/idle_timeout_ms", "200");
}

/* proves: removal after removal in one boot while programs compute: not one byte is lost, and nothing stays behind */
START_TEST(removals_under_load)
{
	size_t n_removals = getenv("REMOVALS") ? strtoull(getenv("REMOVALS"), NULL, 0) : test_loops(20, 200);
	struct histogram {
		uint64_t n, ms, bytes;
	} histogram[N_REMOVALS] = {};
	uint64_t random = test_seed(), differing = 0;
	pid_t pids[N_WORKERS];
	struct board *board;

	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(board != MAP_FAILED);
	board->n_gpus = gpu_names(board->names, MAX_GPUS);
	for (size_t i = 0; i < board->n_gpus; i++)
		gpu_write_attr(board->names[i], "regions/vram0/idle_timeout_ms", "200");
	for (size_t i = 0; i < N_WORKERS; i++) {
		pids[i] = fork_child();
		if (!pids[i])
			worker_main(board, i);
	}
	for (size_t i = 0; i < n_removals; i++) {
		const char *name = board->names[test_random(&random) % board->n_gpus];
		/* Native hot-plug takes seconds: every eighth. */
		enum removal how = i % 8 == 7 ? REMOVE_RIG : test_random(&random) % REMOVE_RIG;
		char *own = map_memory(AREA_SIZE, test_random(&random) % 2), rig[32];
		bool keep = test_random(&random) % 2;
		uint64_t held, start, took;
		struct gpu *gpu;

		if (how == REMOVE_RIG && !rig_name(name, rig, sizeof(rig)))
			how = REMOVE_PCI;
		sleep_ms(test_random(&random) % 300);
		gpu = gpu_open_name(name);
		gpu_open_devmem(gpu);
		pattern_fill(own, AREA_SIZE, test_seed() + i);
		gpu_populate(gpu, own, AREA_SIZE);
		if (!keep)
			gpu_close(gpu);
		held = resident(name);
		ck_assert_uint_ge(held, MIB);
		start = now_ms();
		take_away(how, name, rig);
		took = now_ms() - start;
		ck_assert(!gpu_is_present(name));
		ck_assert_uint_eq(pattern_differs(own, AREA_SIZE, test_seed() + i), 0);
		histogram[how].n++;
		histogram[how].ms += took;
		histogram[how].bytes += held;
		give_back(how, name, rig);
		if (keep)
			gpu_close(gpu);
		munmap(own, AREA_SIZE);
	}
	__atomic_store_n(&board->stop, true, __ATOMIC_RELAXED);
	for (size_t i = 0; i < N_WORKERS; i++)
		wait_child(pids[i]);

	for (size_t i = 0; i < N_REMOVALS; i++)
		note("%-13s %3llu removals, %6.1f MiB, %6llu ms, %.2f ms per MiB", removal_names[i],
		     (unsigned long long)histogram[i].n, (double)histogram[i].bytes / MIB,
		     (unsigned long long)histogram[i].ms,
		     histogram[i].bytes ? (double)histogram[i].ms * MIB / histogram[i].bytes : 0);
	for (size_t i = 0; i < N_WORKERS; i++) {
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
	ck_assert_uint_eq(differing, 0);
	for (size_t i = 0; i < board->n_gpus; i++) {
		ck_assert(gpu_wait_attr(board->names[i], "regions/vram0/pagemap_state", "absent", 10000));
		ck_assert_uint_eq(resident(board->names[i]), 0);
	}
	ck_assert_int_eq(shell("rmmod softgpu && rmmod drm_fabric"), 0);
	ck_assert_int_eq(shell("modprobe softgpu"), 0);
	for (size_t i = 0; i < board->n_gpus; i++)
		ck_assert(gpu_is_present(board->names[i]));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("removals");
	TCase *tcase = tcase_create("removals");

	test_seed();
	gpu_load();
	/* Times ten, by the environment: an hour for a soak. */
	tcase_set_timeout(tcase, 360);
	tcase_add_checked_fixture(tcase, load, NULL);
	tcase_add_test(tcase, removals_under_load);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}

// SPDX-License-Identifier: MIT
/* Struct pages for a device's memory: there when somebody needs them, and only then. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gpu.h"

#define SIZE (4 * MIB)
#define PAGE ((size_t)4096)
/* Of one struct page. */
#define MEMMAP_BYTES 64

#define STATE "regions/vram0/pagemap_state"
#define TRIM "regions/vram0/trim"
/* How often struct pages of a region are made: so many at once, then so many a second. */
#define BURST 8
#define PER_SECOND 4

static void load(void)
{
	char names[64][DRM_FABRIC_DEVICE_NAME_SIZE];
	size_t n;

	gpu_restore();
	n = gpu_names(names, 64);
	for (size_t i = 0; i < n; i++) {
		gpu_write_attr(names[i], "regions/vram0/idle_timeout_ms", "0");
		ck_assert(gpu_wait_attr(names[i], STATE, "absent", 5000));
		gpu_write_attr(names[i], "regions/vram0/idle_timeout_ms", "5000");
	}
}

static uint64_t refs(const struct gpu *gpu, const char *kind)
{
	char path[64];

	snprintf(path, sizeof(path), "regions/vram0/pagemap_refs_%s", kind);
	return gpu_figure(gpu, path);
}

static bool state_is(const struct gpu *gpu, const char *state)
{
	return gpu_wait_attr(gpu->name, STATE, state, 0);
}

/*
 * Asserts that all struct pages of the region are there, and nothing more than since @before: they are mapped, and so
 * allocated, in pieces of 2 MiB if there are such. Returns how much system memory they take, in pages.
 */
static uint64_t check_memmap(const struct gpu *gpu, uint64_t before)
{
	uint64_t least = gpu_figure(gpu, "regions/vram0/size_bytes") / PAGE * MEMMAP_BYTES / PAGE;
	uint64_t piece = 2 * MIB / PAGE, now = vmstat("nr_memmap_pages");

	ck_assert_uint_ge(now, before + least);
	ck_assert_uint_le(now, before + (least + piece - 1) / piece * piece);
	return now - before;
}

static uint64_t creations(const struct gpu *gpu)
{
	return gpu_figure(gpu, "regions/vram0/pagemap_creations");
}

static int trim(const struct gpu *gpu)
{
	char file[160];

	snprintf(file, sizeof(file), "/sys/class/drm_fabric/%s/" TRIM, gpu->name);
	return try_write_file(file, "1");
}

static int trim_all(void)
{
	return try_write_file("/sys/class/drm_fabric/trim", "1");
}

static void drop_caches(void)
{
	write_file("/proc/sys/vm/drop_caches", "2");
}

/* The first devices, their pagemaps idle and to be kept for very long. Returns how many. */
static size_t open_idle(struct gpu **gpus, size_t size)
{
	char names[64][DRM_FABRIC_DEVICE_NAME_SIZE];
	size_t n = gpu_names(names, 64);

	n = n < size ? n : size;
	for (size_t i = 0; i < n; i++) {
		gpus[i] = gpu_open_name(names[i]);
		gpu_write_attr(names[i], "regions/vram0/idle_timeout_ms", "3600000");
		gpu_open_devmem(gpus[i]);
		close(gpus[i]->devmem_fd);
		gpus[i]->devmem_fd = -1;
		ck_assert(state_is(gpus[i], "idle"));
	}
	return n;
}

static void close_devmem(struct gpu *gpu)
{
	close(gpu->devmem_fd);
	gpu->devmem_fd = -1;
}

/* proves: modules that are just loaded have taken no memory for struct pages, and a look at the files takes none */
START_TEST(absent_at_start)
{
	char names[64][DRM_FABRIC_DEVICE_NAME_SIZE];
	uint64_t before = vmstat("nr_memmap_pages");
	struct gpu *gpu;
	size_t n;

	gpu_reload("");
	n = gpu_names(names, 64);
	ck_assert_uint_gt(n, 0);
	for (size_t i = 0; i < n; i++)
		ck_assert(gpu_wait_attr(names[i], STATE, "absent", 0));
	/* A program that only computes in system memory needs none, either. */
	gpu = gpu_open(0);
	gpu_exec(gpu, DRM_SOFTGPU_OP_FILL, map_memory(SIZE, false), NULL, SIZE, 1);
	ck_assert(state_is(gpu, "absent"));
	gpu_close(gpu);
	ck_assert_uint_eq(vmstat("nr_memmap_pages"), before);
}
END_TEST

/* proves: the first handle makes the struct pages of its region and of no other; what refers to them is told by kind */
START_TEST(references_by_kind)
{
	uint64_t before = vmstat("nr_memmap_pages"), mappings;
	struct gpu *gpu = gpu_open(0), *user;
	char *a = map_memory(SIZE, false);
	int second;

	gpu_open_devmem(gpu);
	ck_assert(state_is(gpu, "active"));
	check_memmap(gpu, before);
	ck_assert_uint_eq(refs(gpu, "handles"), 1);
	ck_assert_uint_eq(gpu_figure(gpu, "handles"), 1);
	ck_assert_uint_eq(refs(gpu, "pages"), 0);
	ck_assert_uint_eq(refs(gpu, "mappings"), 0);
	second = dup(gpu->devmem_fd);
	ck_assert_uint_eq(refs(gpu, "handles"), 1);
	close(second);
	second = gpu->devmem_fd;
	gpu_open_devmem(gpu);
	ck_assert_uint_eq(refs(gpu, "handles"), 2);
	close(second);
	ck_assert_uint_eq(refs(gpu, "handles"), 1);

	memset(a, 1, SIZE);
	gpu_populate(gpu, a, SIZE);
	ck_assert_uint_eq(refs(gpu, "pages"), SIZE / PAGE);
	user = gpu_open_name(gpu->name);
	gpu_exec(user, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0);
	mappings = refs(gpu, "mappings");
	ck_assert_uint_gt(mappings, 0);
	ck_assert_uint_le(mappings, SIZE / PAGE);
	gpu_close(user);
	ck_assert_uint_eq(refs(gpu, "mappings"), 0);
	ck_assert(!munmap(a, SIZE));
	ck_assert_uint_eq(refs(gpu, "pages"), 0);
	ck_assert(state_is(gpu, "active"));
	close_devmem(gpu);
	ck_assert_uint_eq(refs(gpu, "handles"), 0);
	ck_assert(state_is(gpu, "idle"));
	check_memmap(gpu, before);
	gpu_close(gpu);
}
END_TEST

/* proves: the timeout is what it says, and afterwards the memory is back to the page */
START_TEST(goes_after_the_timeout)
{
	static const struct {
		const char *timeout;
		unsigned int least_ms, most_ms;
	} cases[] = { { "0", 0, 700 }, { "200", 200, 1200 }, { "5000", 5000, 6500 } };
	uint64_t before = vmstat("nr_memmap_pages"), start, took;
	struct gpu *gpu = gpu_open(0);

	/* 5000 is the default: not written. */
	if (strcmp(cases[_i].timeout, "5000"))
		gpu_write_attr(gpu->name, "regions/vram0/idle_timeout_ms", cases[_i].timeout);
	else
		ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/idle_timeout_ms"), 5000);
	gpu_open_devmem(gpu);
	start = now_ms();
	close_devmem(gpu);
	ck_assert(gpu_wait_attr(gpu->name, STATE, "absent", 20000));
	took = now_ms() - start;
	note("idle_timeout_ms=%s: gone after %llu ms", cases[_i].timeout, (unsigned long long)took);
	ck_assert_uint_ge(took, cases[_i].least_ms);
	ck_assert_uint_le(took, cases[_i].most_ms);
	ck_assert_uint_eq(vmstat("nr_memmap_pages"), before);
	gpu_close(gpu);
}
END_TEST

/* proves: a timeout that is no number is refused, and a new one holds for what is idle already */
START_TEST(timeout_is_changed)
{
	struct gpu *gpu = gpu_open(0);
	const char *file = "/sys/class/drm_fabric/%s/regions/vram0/idle_timeout_ms";
	char path[160];

	snprintf(path, sizeof(path), file, gpu->name);
	ck_assert_int_eq(try_write_file(path, "soon"), -EINVAL);
	ck_assert_int_eq(try_write_file(path, "-1"), -EINVAL);
	ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/idle_timeout_ms"), 5000);
	gpu_open_devmem(gpu);
	close_devmem(gpu);
	ck_assert(state_is(gpu, "idle"));
	write_file(path, "10");
	ck_assert(gpu_wait_attr(gpu->name, STATE, "absent", 2000));
	gpu_close(gpu);
}
END_TEST

/* proves: who comes back in time finds the struct pages that were there: they are not made again */
START_TEST(reopened_while_idle)
{
	uint64_t before = vmstat("nr_memmap_pages"), pages, start, first_ms, again_ms = 0;
	size_t n = test_loops(30, 300);
	struct gpu *gpu = gpu_open(0);
	uint64_t made = creations(gpu);

	start = now_ms();
	gpu_open_devmem(gpu);
	first_ms = now_ms() - start;
	pages = check_memmap(gpu, before);
	for (size_t i = 0; i < n; i++) {
		close_devmem(gpu);
		ck_assert(state_is(gpu, "idle"));
		ck_assert_uint_eq(vmstat("nr_memmap_pages"), before + pages);
		start = now_ms();
		gpu_open_devmem(gpu);
		again_ms += now_ms() - start;
		ck_assert_uint_eq(vmstat("nr_memmap_pages"), before + pages);
		ck_assert_uint_eq(creations(gpu), made + 1);
	}
	note("opened in %llu ms the first time, in %.2f ms while idle", (unsigned long long)first_ms,
	     (double)again_ms / (double)n);
	gpu_close(gpu);
}
END_TEST

/* proves: pages that live on the device keep the struct pages when nobody has a file open any more */
START_TEST(resident_pages_keep_it)
{
	uint64_t before = vmstat("nr_memmap_pages");
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, _i), name[32];

	snprintf(name, sizeof(name), "%s", gpu->name);
	gpu_write_attr(name, "regions/vram0/idle_timeout_ms", "100");
	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	gpu_close(gpu);
	sleep_ms(500);
	ck_assert(gpu_wait_attr(name, STATE, "active", 0));
	ck_assert_uint_gt(vmstat("nr_memmap_pages"), before);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	ck_assert(gpu_wait_attr(name, STATE, "absent", 2000));
	ck_assert_uint_eq(vmstat("nr_memmap_pages"), before);
}
END_TEST

/* proves: handles that come and go around the end of the timeout neither lose the struct pages nor leak them */
START_TEST(open_and_close_in_a_row)
{
	uint64_t before = vmstat("nr_memmap_pages"), random = test_seed();
	size_t n = test_loops(100, 1000);
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(64 << 10, false);

	gpu_write_attr(gpu->name, "regions/vram0/idle_timeout_ms", "20");
	for (size_t i = 0; i < n; i++) {
		gpu_open_devmem(gpu);
		memset(a, (int)i, 64 << 10);
		gpu_populate(gpu, a, 64 << 10);
		ck_assert_int_eq(a[test_random(&random) % (64 << 10)], (char)i);
		close_devmem(gpu);
		if (i % 4 == 0)
			sleep_ms(test_random(&random) % 40);
	}
	ck_assert(gpu_wait_attr(gpu->name, STATE, "absent", 2000));
	ck_assert_uint_eq(vmstat("nr_memmap_pages"), before);
	gpu_close(gpu);
}
END_TEST

/* proves: an eviction takes the struct pages down at once, and the handles that are open make new ones when needed */
START_TEST(eviction_takes_it_down)
{
	uint64_t before = vmstat("nr_memmap_pages");
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, _i);

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, gpu->name, 20000), 0);
	ck_assert(gpu_wait_attr(gpu->name, "state", "offline", 0));
	/* The memory is at home; the struct pages go a moment later, open handle or not. */
	ck_assert(gpu_wait_attr(gpu->name, "regions/vram0/pagemap_state", "absent", 5000));
	ck_assert_uint_eq(vmstat("nr_memmap_pages"), before);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0), 0);
	gpu_populate(gpu, a, SIZE);
	check_memmap(gpu, before);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_close(gpu);
}
END_TEST

/* proves: an administrator gets the memory of idle struct pages at once, and never of those in use */
START_TEST(trim_takes_what_is_idle)
{
	uint64_t before = vmstat("nr_memmap_pages");
	struct gpu *gpu = gpu_open(0), *user;
	char *a = map_memory(SIZE, _i), file[160];

	snprintf(file, sizeof(file), "/sys/class/drm_fabric/%s/" TRIM, gpu->name);
	ck_assert_int_eq(try_write_file(file, "0"), -EINVAL);
	ck_assert_int_eq(try_write_file(file, "all"), -EINVAL);
	ck_assert_int_eq(trim(gpu), 0);
	gpu_write_attr(gpu->name, "regions/vram0/idle_timeout_ms", "3600000");

	/* A handle; pages; a mapping; nothing. */
	gpu_open_devmem(gpu);
	ck_assert_int_eq(trim(gpu), -EBUSY);
	memset(a, 1, SIZE);
	gpu_populate(gpu, a, SIZE);
	close_devmem(gpu);
	ck_assert_uint_eq(refs(gpu, "handles"), 0);
	ck_assert_int_eq(trim(gpu), -EBUSY);
	user = gpu_open_name(gpu->name);
	gpu_exec(user, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0);
	ck_assert_int_eq(trim(gpu), -EBUSY);
	ck_assert(!munmap(a, SIZE));
	gpu_close(user);
	ck_assert(state_is(gpu, "idle"));
	check_memmap(gpu, before);
	ck_assert_int_eq(trim(gpu), 0);
	ck_assert_uint_eq(vmstat("nr_memmap_pages"), before);
	ck_assert(state_is(gpu, "absent"));
	ck_assert_int_eq(trim(gpu), 0);
	gpu_close(gpu);
}
END_TEST

/* proves: one write gives up the idle struct pages of all devices, and leaves alone what is in use */
START_TEST(trim_all_devices)
{
	uint64_t before = vmstat("nr_memmap_pages"), made;
	struct gpu *gpus[8];
	size_t n = open_idle(gpus, 8);

	ck_assert_int_eq(try_write_file("/sys/class/drm_fabric/trim", "0"), -EINVAL);
	gpu_open_devmem(gpus[0]);
	made = creations(gpus[0]);
	ck_assert_int_eq(trim_all(), 0);
	ck_assert(state_is(gpus[0], "active"));
	check_memmap(gpus[0], before);
	for (size_t i = 1; i < n; i++)
		ck_assert(state_is(gpus[i], "absent"));
	ck_assert_uint_eq(creations(gpus[0]), made);
	for (size_t i = 0; i < n; i++)
		gpu_close(gpus[i]);
	ck_assert_int_eq(trim_all(), 0);
	ck_assert_uint_eq(vmstat("nr_memmap_pages"), before);
}
END_TEST

/* proves: who is not root can read how long struct pages are kept, and change nothing about them */
START_TEST(nobody_changes_nothing)
{
	static const char *const files[] = { "idle_timeout_ms", "trim" };
	struct gpu *gpu = gpu_open(0);
	char file[160], text[32];
	struct stat st;
	int pid;

	gpu_open_devmem(gpu);
	close_devmem(gpu);
	for (size_t i = 0; i < 2; i++) {
		snprintf(file, sizeof(file), "/sys/class/drm_fabric/%s/regions/vram0/%s", gpu->name, files[i]);
		ck_assert(!stat(file, &st));
		ck_assert_uint_eq(st.st_uid, 0);
		ck_assert_uint_eq(st.st_mode & 0777, i ? 0200 : 0644);
	}
	pid = fork();
	if (!pid) {
		if (setgid(65534) || setuid(65534))
			_exit(1);
		ck_assert_int_eq(trim(gpu), -EACCES);
		ck_assert_int_eq(trim_all(), -EACCES);
		snprintf(file, sizeof(file), "/sys/class/drm_fabric/%s/regions/vram0/idle_timeout_ms", gpu->name);
		ck_assert_int_eq(try_write_file(file, "0"), -EACCES);
		ck_assert(read_file(file, text, sizeof(text)));
		ck_assert_str_eq(text, "5000");
		_exit(0);
	}
	wait_child(pid);
	ck_assert(state_is(gpu, "idle"));
	gpu_close(gpu);
}
END_TEST

static bool all_absent(struct gpu **gpus, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!state_is(gpus[i], "absent"))
			return false;
	return true;
}

/* Takes system memory until no device has struct pages any more. The first to die if there is none left. */
static void squeeze(struct gpu **gpus, size_t n)
{
	size_t piece = 4 * MIB, taken = 0;

	write_file("/proc/self/oom_score_adj", "1000");
	while (!all_absent(gpus, n)) {
		char *a = mmap(NULL, piece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

		if (a == MAP_FAILED)
			_exit(2);
		taken += piece;
		if (vmstat("nr_free_pages") < 8192)
			sleep_ms(5);
	}
	note("gone when %zu MiB had been taken, with %llu MiB free", taken / MIB,
	     (unsigned long long)vmstat("nr_free_pages") * PAGE / MIB);
	_exit(0);
}

/* proves: when memory is short idle struct pages go at once, whatever their timeout, and to the page */
START_TEST(reclaimed_when_idle)
{
	uint64_t before = vmstat("nr_memmap_pages"), start;
	struct gpu *gpus[8];
	size_t n = open_idle(gpus, 8);
	int pid;

	check_memmap(gpus[0], before + (vmstat("nr_memmap_pages") - before) / n * (n - 1));
	start = now_ms();
	if (!_i) {
		drop_caches();
		for (size_t i = 0; i < n; i++)
			ck_assert(gpu_wait_attr(gpus[i]->name, STATE, "absent", 1000));
	} else {
		pid = fork();
		if (!pid)
			squeeze(gpus, n);
		wait_child(pid);
		ck_assert(all_absent(gpus, n));
	}
	note("%zu devices, gone after %llu ms", n, (unsigned long long)(now_ms() - start));
	ck_assert_uint_eq(vmstat("nr_memmap_pages"), before);
	for (size_t i = 0; i < n; i++)
		gpu_close(gpus[i]);
}
END_TEST

/* proves: reclaim takes no struct pages that are in use, and asks again for those that were when it asked */
START_TEST(not_reclaimed_in_use)
{
	uint64_t before = vmstat("nr_memmap_pages"), made;
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, false);

	gpu_write_attr(gpu->name, "regions/vram0/idle_timeout_ms", "3600000");
	gpu_open_devmem(gpu);
	made = creations(gpu);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	for (int i = 0; i < 10; i++) {
		drop_caches();
		if (i % 2) {
			close_devmem(gpu);
			gpu_open_devmem(gpu);
		}
	}
	close_devmem(gpu);
	drop_caches();
	ck_assert(state_is(gpu, "active"));
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	ck_assert(state_is(gpu, "idle"));
	ck_assert_uint_eq(creations(gpu), made);
	drop_caches();
	ck_assert(gpu_wait_attr(gpu->name, STATE, "absent", 1000));
	ck_assert_uint_eq(vmstat("nr_memmap_pages"), before);
	gpu_close(gpu);
}
END_TEST

/* proves: dead pages keep the struct pages that they are, and no others: those made after them go as ever */
START_TEST(beside_dead_pages)
{
	uint64_t before = vmstat("nr_memmap_pages"), one;
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, _i), *b = map_memory(SIZE, _i);

	gpu_write_attr(gpu->name, "regions/vram0/idle_timeout_ms", "3600000");
	gpu_open_devmem(gpu);
	one = check_memmap(gpu, before);
	memset(a, 1, SIZE);
	gpu_populate(gpu, a, SIZE);
	gpu_fault(gpu, "fail_copy_nth", 1);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, gpu->name, 20000), 0);
	gpu_fault(gpu, "fail_copy_nth", 0);
	ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/dead_bytes"), SIZE);
	ck_assert(state_is(gpu, "dead"));
	ck_assert_int_eq(trim(gpu), -EBUSY);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0), 0);

	pattern_fill(b, SIZE, test_seed());
	gpu_populate(gpu, b, SIZE);
	ck_assert(state_is(gpu, "active"));
	ck_assert_uint_eq(vmstat("nr_memmap_pages"), before + 2 * one);
	ck_assert_uint_eq(pattern_differs(b, SIZE, test_seed()), 0);
	close_devmem(gpu);
	ck_assert(state_is(gpu, "idle"));
	ck_assert_int_eq(trim(gpu), 0);
	ck_assert(state_is(gpu, "dead"));
	ck_assert_uint_eq(vmstat("nr_memmap_pages"), before + one);
	ck_assert(!munmap(a, SIZE));
	ck_assert(gpu_wait_attr(gpu->name, STATE, "absent", 1000));
	ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/dead_bytes"), 0);
	ck_assert_uint_eq(vmstat("nr_memmap_pages"), before);
	gpu_close(gpu);
}
END_TEST

static uint64_t cpu_ms(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_stime.tv_sec + usage.ru_utime.tv_sec) * 1000 +
	       (uint64_t)(usage.ru_stime.tv_usec + usage.ru_utime.tv_usec) / 1000;
}

/* proves: whoever makes and unmakes struct pages in a loop does so a few times a second, asleep for the rest */
START_TEST(storm_is_limited)
{
	struct gpu *gpu = gpu_open(0);
	uint64_t made = creations(gpu), start = now_ms(), cpu = cpu_ms(), took, opened = 0;

	if (!_i)
		gpu_write_attr(gpu->name, "regions/vram0/idle_timeout_ms", "0");
	while (now_ms() - start < 4000) {
		gpu_open_devmem(gpu);
		close_devmem(gpu);
		opened++;
		if (_i)
			ck_assert_int_eq(trim(gpu), 0);
		else
			ck_assert(gpu_wait_attr(gpu->name, STATE, "absent", 2000));
	}
	took = now_ms() - start;
	made = creations(gpu) - made;
	cpu = cpu_ms() - cpu;
	note("opened %llu times in %llu ms: %llu creations, %llu ms of CPU time", (unsigned long long)opened,
	     (unsigned long long)took, (unsigned long long)made, (unsigned long long)cpu);
	ck_assert_uint_le(made, BURST + PER_SECOND * took / 1000 + 1);
	/* It is a limit, no stop. */
	ck_assert_uint_ge(made, PER_SECOND * took / 1000 - 2);
	ck_assert_uint_le(cpu, took / 4);
	gpu_close(gpu);
}
END_TEST

/* proves: who waits for its turn can be killed, and leaves nothing behind */
START_TEST(killed_while_waiting)
{
	uint64_t before = vmstat("nr_memmap_pages");
	struct gpu *gpu = gpu_open(0);
	int pid, status;

	for (int i = 0; i < 3 * BURST; i++) {
		ck_assert_int_eq(trim(gpu), 0);
		pid = fork();
		if (!pid) {
			gpu_open_devmem(gpu);
			_exit(0);
		}
		sleep_ms(i < BURST ? 1 : 20);
		kill(pid, SIGKILL);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(gpu_wait_attr(gpu->name, "handles", "0", 1000));
	}
	ck_assert_int_eq(trim(gpu), 0);
	ck_assert_uint_eq(vmstat("nr_memmap_pages"), before);
	gpu_close(gpu);
}
END_TEST

#define N_OPENERS 4

static void race_opener(const char *name, uint64_t random, size_t n)
{
	struct gpu *gpu = gpu_open_name(name);
	size_t size = 256 << 10;
	char *a = map_memory(size, false);

	for (size_t i = 0; i < n; i++) {
		uint64_t seed = test_random(&random);

		gpu_open_devmem(gpu);
		pattern_fill(a, size, seed);
		if (seed & 1)
			gpu_populate(gpu, a, size);
		if (seed & 2)
			gpu_exec(gpu, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, size, 0);
		/* With pages left on the device, or without. */
		if (seed & 4)
			ck_assert_uint_eq(pattern_differs(a, size, seed), 0);
		close_devmem(gpu);
		if (seed % 7 == 0)
			sleep_ms(test_random(&random) % 20);
		ck_assert_uint_eq(pattern_differs(a, size, seed), 0);
	}
	gpu_close(gpu);
	_exit(0);
}

static void race_taker(const struct gpu *gpu, uint64_t random)
{
	char ms[8];
	int r;

	for (;;) {
		switch (test_random(&random) % 4) {
		case 0:
			r = trim(gpu);
			ck_assert(!r || r == -EBUSY);
			break;
		case 1:
			ck_assert_int_eq(trim_all(), 0);
			break;
		case 2:
			drop_caches();
			break;
		default:
			snprintf(ms, sizeof(ms), "%u", (unsigned int)(test_random(&random) % 10));
			gpu_write_attr(gpu->name, "regions/vram0/idle_timeout_ms", ms);
		}
	}
}

/* proves: open, close, trim, reclaim and the timer race, and lose neither data nor count */
START_TEST(everybody_at_once)
{
	uint64_t before = vmstat("nr_memmap_pages"), random = test_seed(), made;
	size_t n = test_loops(100, 3000);
	int openers[N_OPENERS], takers[2], status;
	struct gpu *gpu = gpu_open(0);

	made = creations(gpu);
	for (int i = 0; i < 2; i++) {
		takers[i] = fork();
		if (!takers[i])
			race_taker(gpu, random + 100 + (unsigned int)i);
	}
	for (int i = 0; i < N_OPENERS; i++) {
		openers[i] = fork();
		if (!openers[i])
			race_opener(gpu->name, random + (unsigned int)i, n);
	}
	for (int i = 0; i < N_OPENERS; i++)
		wait_child(openers[i]);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(waitpid(takers[i], &status, WNOHANG), 0);
		kill(takers[i], SIGKILL);
		ck_assert_int_eq(waitpid(takers[i], &status, 0), takers[i]);
	}
	note("%zu x %d handles, %llu creations", n, N_OPENERS, (unsigned long long)(creations(gpu) - made));
	gpu_write_attr(gpu->name, "regions/vram0/idle_timeout_ms", "0");
	ck_assert(gpu_wait_attr(gpu->name, STATE, "absent", 2000));
	ck_assert_uint_eq(refs(gpu, "handles"), 0);
	ck_assert_uint_eq(refs(gpu, "pages"), 0);
	ck_assert_uint_eq(refs(gpu, "mappings"), 0);
	ck_assert_uint_eq(vmstat("nr_memmap_pages"), before);
	gpu_close(gpu);
}
END_TEST

/* Takes softgpu out, as soon as the pagemap that has just gone has let go of it. */
static void remove_module(void)
{
	uint64_t end = now_ms() + 5000;
	long r;

	do {
		r = syscall(SYS_delete_module, "softgpu", O_NONBLOCK);
	} while (r && errno == EWOULDBLOCK && now_ms() < end);
	_exit(r ? 1 : 0);
}

/* proves: no struct pages are made for a device whose module goes but that has not left yet: nothing would hold it */
START_TEST(module_that_goes)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, false), text[16] = "";
	struct drm_fabric_devmem_populate args;
	uint64_t end = now_ms() + 10000;
	pid_t pid;
	int r;

	gpu_open_devmem(gpu);
	memset(a, 1, SIZE);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, gpu->name, 20000), 0);
	ck_assert(gpu_wait_attr(gpu->name, STATE, "absent", 5000));
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0), 0);
	close(gpu->render_fd);
	gpu->render_fd = -1;
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid)
		remove_module();
	/* Devices leave in the reverse order of their coming: this one is the last. */
	do {
		if (!read_file("/sys/module/softgpu/initstate", text, sizeof(text)))
			break;
	} while (strcmp(text, "going") && now_ms() < end);
	ck_assert_str_eq(text, "going");
	r = gpu_try_populate(gpu, a, SIZE, 0, &args);
	wait_child(pid);
	gpu_load();
	ck_assert_int_eq(r, -ENODEV);
	ck_assert_uint_eq(args.moved_bytes, 0);
	gpu_close(gpu);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pagemap");
	TCase *tcase = tcase_create("pagemap");

	test_seed();
	gpu_load();
	tcase_set_timeout(tcase, 12);
	tcase_add_checked_fixture(tcase, load, NULL);
	tcase_add_test(tcase, absent_at_start);
	tcase_add_test(tcase, references_by_kind);
	tcase_add_loop_test(tcase, goes_after_the_timeout, 0, 3);
	tcase_add_test(tcase, timeout_is_changed);
	tcase_add_test(tcase, reopened_while_idle);
	tcase_add_loop_test(tcase, resident_pages_keep_it, 0, 2);
	tcase_add_test(tcase, open_and_close_in_a_row);
	tcase_add_loop_test(tcase, eviction_takes_it_down, 0, 2);
	tcase_add_loop_test(tcase, trim_takes_what_is_idle, 0, 2);
	tcase_add_test(tcase, trim_all_devices);
	tcase_add_test(tcase, nobody_changes_nothing);
	tcase_add_test(tcase, not_reclaimed_in_use);
	tcase_add_loop_test(tcase, storm_is_limited, 0, 2);
	tcase_add_test(tcase, killed_while_waiting);
	tcase_add_test(tcase, module_that_goes);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("long");
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, load, NULL);
	tcase_add_loop_test(tcase, beside_dead_pages, 0, 2);
	tcase_add_loop_test(tcase, reclaimed_when_idle, 0, 2);
	tcase_add_test(tcase, everybody_at_once);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}

// SPDX-License-Identifier: MIT
/* Pages whose data is lost: SIGBUS there and only there, never other data, and nothing else suffers. */
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
#include "sigbus.h"

#define PAGE ((size_t)4096)
#define SIZE (4 * MIB)
#define PATIENCE_MS 60000

/* A page of VRAM that is among the first that a device gives out. */
#define BAD_PAGE 17

static const bool huge_or_not[] = { false, true };

static void restore(void)
{
	gpu_restore();
}

/* Touches every page: dead ones say SIGBUS for a memory error, the others have their data. Returns bytes that are dead. */
static size_t dead_bytes_of(char *addr, size_t size, const char *expected)
{
	size_t dead = 0;

	for (size_t i = 0; i < size; i += PAGE) {
		int code = sigbus_touch(addr + i);

		if (code) {
			ck_assert_int_eq(code, BUS_MCEERR_AR);
			dead += PAGE;
		} else {
			ck_assert_int_eq(memcmp(addr + i, expected + i, PAGE), 0);
		}
	}
	return dead;
}

static char *copy_of(const char *addr, size_t size)
{
	char *copy = map_memory(size, true);

	memcpy(copy, addr, size);
	return copy;
}

static uint64_t region_figure(const char *name, const char *file)
{
	char path[64], buf[32];

	snprintf(path, sizeof(path), "regions/vram0/%s", file);
	ck_assert(gpu_attr(name, path, buf, sizeof(buf)));
	return strtoull(buf, NULL, 10);
}

static void wait_region_figure(const char *name, const char *file, uint64_t value)
{
	char path[64], text[32];

	snprintf(path, sizeof(path), "regions/vram0/%s", file);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	ck_assert_msg(gpu_wait_attr(name, path, text, PATIENCE_MS), "%s: %s is %llu and not %s", name, file,
		      (unsigned long long)region_figure(name, file), text);
}

/* proves: a page that cannot be copied home is dead: SIGBUS for everybody who shares it, again and again, until unmapped */
START_TEST(touch_of_a_bad_page)
{
	bool huge = huge_or_not[_i];
	size_t expected = huge ? 2 * MIB : PAGE;
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, huge), *copy, *dead = NULL;
	struct drm_softgpu_exec exec;
	pid_t child;

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	copy = copy_of(a, SIZE);
	gpu_populate(gpu, a, SIZE);
	gpu_fault(gpu, "bad_page", BAD_PAGE);
	ck_assert_uint_eq(dead_bytes_of(a, SIZE, copy), expected);
	ck_assert_uint_eq(region_figure(gpu->name, "dead_bytes"), expected);
	ck_assert_uint_eq(region_figure(gpu->name, "resident_bytes"), 0);
	/* An engine that can read it again does not bring it back to life. */
	gpu_fault(gpu, "bad_page", 0);
	ck_assert_uint_eq(dead_bytes_of(a, SIZE, copy), expected);
	for (size_t i = 0; i < SIZE && !dead; i += PAGE)
		if (sigbus_touch(a + i))
			dead = a + i;
	ck_assert_ptr_nonnull(dead);
	ck_assert_int_eq(gpu_try_exec(gpu, DRM_SOFTGPU_OP_CHECKSUM, NULL, dead, PAGE, 0, &exec), -EFAULT);
	/* Its neighbours are well. */
	if (dead >= a + PAGE)
		ck_assert_uint_eq(gpu_exec(gpu, DRM_SOFTGPU_OP_CHECKSUM, NULL, dead - PAGE, PAGE, 0).result,
				  checksum(copy + (dead - PAGE - a), PAGE));

	child = fork();
	if (!child)
		_exit(sigbus_touch(dead) == BUS_MCEERR_AR ? 0 : 1);
	wait_child(child);
	ck_assert_uint_eq(region_figure(gpu->name, "dead_bytes"), expected);
	ck_assert(!munmap(a, SIZE));
	wait_region_figure(gpu->name, "dead_bytes", 0);
	ck_assert_uint_eq(region_figure(gpu->name, "pagemap_refs_pages"), 0);
	gpu_close(gpu);
}
END_TEST

/* proves: a device leaves with one page dead, in small and in large pages; the dead page outlives the device, and holds its driver */
START_TEST(unbind_with_a_bad_page)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, huge_or_not[_i]), *copy, name[DRM_FABRIC_DEVICE_NAME_SIZE];

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	copy = copy_of(a, SIZE);
	gpu_populate(gpu, a, SIZE);
	gpu_fault(gpu, "bad_page", BAD_PAGE);
	strcpy(name, gpu->name);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, name, PATIENCE_MS), 0);
	ck_assert(gpu_wait_attr(name, "state", "offline", 0));
	ck_assert_uint_eq(region_figure(name, "dead_bytes"), PAGE);
	ck_assert(gpu_wait_attr(name, "regions/vram0/pagemap_state", "dead", PATIENCE_MS));
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_UNBIND, name, PATIENCE_MS), 0);
	ck_assert(!gpu_is_present(name));
	ck_assert_uint_eq(dead_bytes_of(a, SIZE, copy), PAGE);
	gpu_close(gpu);
	ck_assert_int_ne(shell("rmmod softgpu 2>/dev/null"), 0);
	gpu_bind(name);
	ck_assert(gpu_wait_present(name, true, PATIENCE_MS));
	/* The new device knows nothing of it, and it stays dead. */
	ck_assert_uint_eq(region_figure(name, "dead_bytes"), 0);
	ck_assert_uint_eq(dead_bytes_of(a, SIZE, copy), PAGE);
	gpu = gpu_open_name(name);
	gpu_open_devmem(gpu);
	pattern_fill(copy, SIZE, test_seed() + 1);
	gpu_populate(gpu, copy, SIZE);
	ck_assert_uint_eq(pattern_differs(copy, SIZE, test_seed() + 1), 0);
	gpu_close(gpu);
	ck_assert(!munmap(a, SIZE));
	/* Now nothing holds the driver but the devices' idle pagemaps. */
	ck_assert_int_eq(shell("for i in $(seq 100); do rmmod softgpu 2>/dev/null && exit 0; sleep 0.2; done; exit 1"),
			 0);
	ck_assert_int_eq(shell("modprobe softgpu"), 0);
}
END_TEST

/* Bytes on the processors' own lists of free pages: dozens of MiB that no other figure has. */
static uint64_t listed_bytes(void)
{
	unsigned long long pages = 0, n;
	char line[128];
	FILE *f = fopen("/proc/zoneinfo", "r");

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " count: %llu", &n) == 1)
			pages += n;
	fclose(f);
	return pages * PAGE;
}

/* What can be had, also what lies in batches that look used: those are emptied. */
static uint64_t available_bytes(void)
{
	unsigned long long kib = 0;
	char line[128];
	FILE *f;

	write_file("/proc/sys/vm/drop_caches", "1");
	f = fopen("/proc/meminfo", "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			break;
	fclose(f);
	return kib * 1024 + listed_bytes();
}

/* Fills memory until so much is left, and holds it until it is killed. */
static pid_t hog(size_t leave)
{
	int ready[2];
	char byte;
	pid_t pid;

	ck_assert(!pipe(ready));
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid) {
		close(ready[1]);
		ck_assert_int_eq(read(ready[0], &byte, 1), 1);
		close(ready[0]);
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int calm = 0; calm < 3;) {
		if (available_bytes() < leave + 2 * MIB) {
			calm++;
			sleep_ms(20);
			continue;
		}
		calm = 0;
		if (mmap(NULL, 2 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) ==
		    MAP_FAILED)
			_exit(1);
	}
	if (write(ready[1], "x", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static void end_hog(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* On the device, and left in system memory: of that the evictor keeps 16 MiB or a 64th of all, and takes the rest. */
#define MUCH (48 * MIB)
#define LITTLE (32 * MIB)

/* proves: with memory full an eviction waits and says for what, hurts nobody, and ends well when there is memory again */
START_TEST(memory_full_then_freed)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(MUCH, huge_or_not[_i]);
	pid_t eater;

	gpu_open_devmem(gpu);
	pattern_fill(a, MUCH, test_seed());
	gpu_populate(gpu, a, MUCH);
	eater = hog(LITTLE);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, gpu->name, 0), 0);
	ck_assert(gpu_wait_attr(gpu->name, "evict_blocked", "memory", PATIENCE_MS));
	sleep_ms(500);
	ck_assert(gpu_wait_attr(gpu->name, "state", "evicting", 0));
	ck_assert_uint_ge(region_figure(gpu->name, "resident_bytes"), MUCH - LITTLE);
	ck_assert_int_eq(waitpid(eater, NULL, WNOHANG), 0);
	end_hog(eater);
	ck_assert(gpu_wait_attr(gpu->name, "state", "offline", PATIENCE_MS));
	ck_assert_uint_eq(region_figure(gpu->name, "dead_bytes"), 0);
	ck_assert_uint_eq(pattern_differs(a, MUCH, test_seed()), 0);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0), 0);
	gpu_close(gpu);
}
END_TEST

/* proves: with memory full, and the device abandoned, exactly what dead_bytes says is lost, and it leaves */
START_TEST(memory_full_abandoned)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(MUCH, huge_or_not[_i]), name[DRM_FABRIC_DEVICE_NAME_SIZE];
	size_t dead = 0;
	uint64_t expected;
	pid_t eater;

	gpu_open_devmem(gpu);
	strcpy(name, gpu->name);
	for (size_t i = 0; i < MUCH; i += PAGE)
		pattern_fill(a + i, PAGE, test_seed() + i);
	gpu_populate(gpu, a, MUCH);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_ABANDON, name, 0), -EALREADY);
	ck_assert_int_eq(shell("fabricctl remove %s --abandon 2>/dev/null", name), 1);
	eater = hog(LITTLE);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, name, 0), 0);
	ck_assert(gpu_wait_attr(name, "evict_blocked", "memory", PATIENCE_MS));
	sleep_ms(200);
	ck_assert_uint_ge(region_figure(name, "resident_bytes"), MUCH - LITTLE);
	ck_assert_int_eq(shell("fabricctl remove %s --abandon", name), 0);
	ck_assert(gpu_wait_attr(name, "state", "offline", PATIENCE_MS));
	expected = region_figure(name, "dead_bytes");
	ck_assert_uint_gt(expected, 0);
	ck_assert_uint_eq(region_figure(name, "resident_bytes"), 0);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_UNBIND, name, PATIENCE_MS), 0);
	ck_assert(!gpu_is_present(name));
	ck_assert_int_eq(waitpid(eater, NULL, WNOHANG), 0);
	end_hog(eater);
	for (size_t i = 0; i < MUCH; i += PAGE) {
		int code = sigbus_touch(a + i);

		if (code) {
			ck_assert_int_eq(code, BUS_MCEERR_AR);
			dead += PAGE;
		} else {
			ck_assert_uint_eq(pattern_differs(a + i, PAGE, test_seed() + i), 0);
		}
	}
	note("%s: %zu of %zu MiB abandoned", name, dead / MIB, MUCH / MIB);
	ck_assert_uint_eq(dead, expected);
	gpu_close(gpu);
	gpu_bind(name);
	ck_assert(!munmap(a, MUCH));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dead");
	TCase *tcase = tcase_create("dead");

	test_seed();
	gpu_load();
	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, restore, restore);
	tcase_add_loop_test(tcase, touch_of_a_bad_page, 0, 2);
	tcase_add_loop_test(tcase, unbind_with_a_bad_page, 0, 2);
	tcase_add_loop_test(tcase, memory_full_then_freed, 0, 2);
	tcase_add_loop_test(tcase, memory_full_abandoned, 0, 2);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}

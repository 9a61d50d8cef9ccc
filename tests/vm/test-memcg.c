// SPDX-License-Identifier: MIT
/* Memory cgroups: memory on a device stays charged as what it was, there and back, and ends with its processes. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gpu.h"

#define SIZE (16 * MIB)
#define PATIENCE_MS 60000

/* Book-keeping of a process that the test does not look at: page tables, stacks, the program itself. */
#define OTHER (4 * MIB)

#define ROOT "/tmp/test-memcg"
#define GROUP ROOT "/job"

static uint64_t figure(const char *file)
{
	char path[128], buf[64];

	snprintf(path, sizeof(path), GROUP "/%s", file);
	ck_assert_msg(read_file(path, buf, sizeof(buf)), "%s: %s", path, strerror(errno));
	return strtoull(buf, NULL, 10);
}

static uint64_t oom_kills(void)
{
	char buf[512];
	const char *at;

	ck_assert(read_file(GROUP "/memory.events", buf, sizeof(buf)));
	at = strstr(buf, "oom_kill ");
	ck_assert_ptr_nonnull(at);
	return strtoull(at + 9, NULL, 10);
}

static void make_group(void)
{
	gpu_restore();
	ck_assert(!mkdir(ROOT, 0700) || errno == EEXIST);
	ck_assert_msg(!mount("none", ROOT, "cgroup2", 0, NULL), "cgroup2: %s", strerror(errno));
	write_file(ROOT "/cgroup.subtree_control", "+memory");
	ck_assert(!mkdir(GROUP, 0700));
}

static void remove_group(void)
{
	for (unsigned int i = 0; rmdir(GROUP) && errno == EBUSY && i < 200; i++)
		sleep_ms(10);
	umount(ROOT);
	rmdir(ROOT);
}

static void enter_group(void)
{
	write_file(GROUP "/cgroup.procs", "0");
}

/* proves: memory that moves to a device and is evicted from it stays charged to its cgroup, with the same figure */
START_TEST(charge_goes_along)
{
	struct gpu *gpu;
	uint64_t before;
	char *a;

	enter_group();
	gpu = gpu_open(0);
	gpu_open_devmem(gpu);
	a = map_memory(SIZE, _i);
	pattern_fill(a, SIZE, test_seed());
	before = figure("memory.current");
	ck_assert_uint_ge(before, SIZE);
	gpu_populate(gpu, a, SIZE);
	ck_assert_uint_ge(figure("memory.current") + OTHER, before);
	ck_assert_uint_le(figure("memory.current"), before + OTHER);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, gpu->name, PATIENCE_MS), 0);
	ck_assert_uint_ge(figure("memory.current") + OTHER, before);
	ck_assert_uint_le(figure("memory.current"), before + OTHER);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_close(gpu);
	write_file(ROOT "/cgroup.procs", "0");
}
END_TEST

/* proves: a cgroup at its limit gets its memory home, by touch and by eviction: it was charged all the time */
START_TEST(home_at_the_limit)
{
	struct gpu *gpu;
	char limit[32], *a;

	enter_group();
	gpu = gpu_open(0);
	gpu_open_devmem(gpu);
	a = map_memory(SIZE, _i);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	snprintf(limit, sizeof(limit), "%llu", (unsigned long long)(figure("memory.current") + OTHER));
	write_file(GROUP "/memory.max", limit);
	for (size_t i = 0; i < SIZE / 2; i += 4096)
		((volatile char *)a)[i];
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, gpu->name, PATIENCE_MS), 0);
	ck_assert_uint_eq(oom_kills(), 0);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_close(gpu);
	write_file(ROOT "/cgroup.procs", "0");
}
END_TEST

/* proves: when a cgroup is killed, what its processes had on a device is free, forked children included */
START_TEST(killed_with_pages_on_the_device)
{
	struct gpu *gpu = gpu_open(0);
	char name[DRM_FABRIC_DEVICE_NAME_SIZE], byte;
	int ready[2];
	pid_t pid;

	strcpy(name, gpu->name);
	gpu_close(gpu);
	ck_assert(!pipe(ready));
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		char *a;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		enter_group();
		gpu = gpu_open_name(name);
		gpu_open_devmem(gpu);
		a = map_memory(SIZE, _i);
		pattern_fill(a, SIZE, test_seed());
		gpu_populate(gpu, a, SIZE);
		if (!fork())
			for (;;)
				pause();
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	write_file(GROUP "/cgroup.kill", "1");
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert(gpu_wait_attr(name, "regions/vram0/resident_bytes", "0", PATIENCE_MS));
	ck_assert(gpu_wait_attr(name, "regions/vram0/pagemap_refs_mappings", "0", PATIENCE_MS));
	ck_assert(gpu_wait_attr(name, "handles", "0", PATIENCE_MS));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("memcg");
	TCase *tcase = tcase_create("memcg");

	test_seed();
	gpu_load();
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, make_group, remove_group);
	tcase_add_loop_test(tcase, charge_goes_along, 0, 2);
	tcase_add_loop_test(tcase, home_at_the_limit, 0, 2);
	tcase_add_loop_test(tcase, killed_with_pages_on_the_device, 0, 2);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}

// SPDX-License-Identifier: MIT
/* A device is taken away, one situation at a time: nobody loses a byte. */
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

#define SIZE (8 * MIB)

/* For what must come, sooner or later. */
#define PATIENCE_MS 60000

static const bool huge_or_not[] = { false, true };

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

/* The pid of a child that has ended and is still to be waited for. */
static int wait_any(void)
{
	siginfo_t info = {};

	ck_assert(!waitid(P_ALL, 0, &info, WEXITED | WNOWAIT));
	return info.si_pid;
}

/* proves: pages whose placer has closed every file come home when the device goes */
START_TEST(files_closed_with_pages_resident)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, huge_or_not[_i]), name[32];

	gpu_open_devmem(gpu);
	snprintf(name, sizeof(name), "%s", gpu->name);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	gpu_close(gpu);
	ck_assert_uint_ge(resident(name), SIZE);
	gpu_unbind(name);
	ck_assert(!gpu_is_present(name));
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_bind(name);
	ck_assert_uint_eq(resident(name), 0);
}
END_TEST

/* proves: pages of a program that has ended, kept by its child, come home for the child */
START_TEST(parent_exited_child_keeps)
{
	char *a = map_memory(SIZE, huge_or_not[_i]), c = 0;
	char names[64][DRM_FABRIC_DEVICE_NAME_SIZE];
	const char *name = names[0];
	int populated[2], go[2];
	struct gpu *gpu;
	pid_t parent;

	ck_assert_uint_gt(gpu_names(names, 64), 0);
	ck_assert(!pipe(populated));
	ck_assert(!pipe(go));
	ck_assert(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	parent = fork_child();
	if (!parent) {
		pid_t child;

		gpu = gpu_open_name(name);
		gpu_open_devmem(gpu);
		pattern_fill(a, SIZE, test_seed());
		gpu_populate(gpu, a, SIZE);
		child = fork();
		if (child)
			_exit(child > 0 ? 0 : 1);
		gpu_close(gpu);
		/* Its parent ends. */
		while (getppid() == parent)
			sleep_ms(1);
		(void)!write(populated[1], &c, 1);
		(void)!read(go[0], &c, 1);
		_exit(pattern_differs(a, SIZE, test_seed()) ? 1 : 0);
	}
	wait_child(parent);
	ck_assert_int_eq(read(populated[0], &c, 1), 1);
	ck_assert_uint_ge(resident(name), SIZE);
	gpu_unbind(name);
	ck_assert_int_eq(write(go[1], &c, 1), 1);
	/* The orphan is ours now. */
	wait_child(wait_any());
	gpu_bind(name);
}
END_TEST

/* proves: large and small pages and holes of one device come home together */
START_TEST(large_and_small_pages)
{
	struct gpu *gpu = gpu_open(0);
	char *large = map_memory(SIZE, true), *small = map_memory(SIZE, false), *holes = map_memory(SIZE, true);
	uint64_t seed = test_seed();

	gpu_open_devmem(gpu);
	pattern_fill(large, SIZE, seed);
	pattern_fill(small, SIZE, seed + 1);
	gpu_populate(gpu, large, SIZE);
	gpu_populate(gpu, small, SIZE);
	gpu_populate(gpu, holes, SIZE);
	/* Parts of large pages are gone, others written by the device, one touched by the CPU. */
	ck_assert(!munmap(large + SIZE - MIB, MIB));
	gpu_exec(gpu, DRM_SOFTGPU_OP_COPY, holes, small, MIB, 0);
	(void)*(volatile char *)(small + SIZE / 2);
	ck_assert_uint_ge(resident(gpu->name), 2 * SIZE);
	gpu_unbind(gpu->name);
	ck_assert_uint_eq(pattern_differs(large, SIZE - MIB, seed), 0);
	ck_assert_uint_eq(pattern_differs(small, SIZE, seed + 1), 0);
	ck_assert_uint_eq(pattern_differs(holes, MIB, seed + 1), 0);
	ck_assert_uint_eq(words_differ(holes + MIB, SIZE - MIB, 0), 0);
	gpu_bind(gpu->name);
	gpu_close(gpu);
}
END_TEST

/* Removes @name from another process at a random moment of the next @within_ms. */
static pid_t unbind_soon(const char *name, unsigned int within_ms)
{
	uint64_t random = test_seed() + now_ms();
	unsigned int ms = test_random(&random) % within_ms;
	pid_t pid = fork_child();

	if (!pid) {
		sleep_ms(ms);
		_exit(try_write_file("/sys/bus/pci/drivers/softgpu/unbind", name) ? 1 : 0);
	}
	return pid;
}

/* proves: an operation that runs while its device leaves ends right or with ENODEV, and no word is anything else */
START_TEST(unbind_during_exec)
{
	struct gpu *gpu = gpu_open(0);
	uint64_t *a = map_memory(SIZE, huge_or_not[_i]);
	struct drm_softgpu_exec args;
	uint64_t done = 0, torn = 0;
	pid_t remover;
	int r;

	gpu_open_devmem(gpu);
	memset(a, 0, SIZE);
	gpu_populate(gpu, a, SIZE);
	remover = unbind_soon(gpu->name, 400);
	while (!(r = gpu_try_exec(gpu, DRM_SOFTGPU_OP_FILL, a, NULL, SIZE, done + 1, &args)))
		done++;
	ck_assert_int_eq(r, -ENODEV);
	wait_child(remover);
	/* Every word is of the last whole operation, or of the one that was cut off. */
	for (size_t i = 0; i < SIZE / 8; i++)
		torn += a[i] != done && a[i] != done + 1;
	ck_assert_uint_eq(torn, 0);
	ck_assert_int_eq(gpu_try_exec(gpu, DRM_SOFTGPU_OP_FILL, a, NULL, SIZE, 0, &args), -ENODEV);
	gpu_bind(gpu->name);
	gpu_close(gpu);
}
END_TEST

/* proves: a peer that computes in place in memory of a device that leaves goes on, and computes right */
START_TEST(unbind_under_a_peer)
{
	uint64_t *a = map_memory(SIZE, huge_or_not[_i]), done = 0;
	struct gpu *owner, *peer;
	struct drm_softgpu_exec e;
	pid_t remover;

	gpu_open_pair(true, &owner, &peer);
	gpu_open_devmem(owner);
	memset(a, 0, SIZE);
	gpu_populate(owner, a, SIZE);
	remover = unbind_soon(owner->name, 400);
	do {
		e = gpu_exec(peer, DRM_SOFTGPU_OP_FILL, a, NULL, SIZE, ++done);
	} while (!waitpid(remover, NULL, WNOHANG));
	ck_assert(!gpu_is_present(owner->name));
	e = gpu_exec(peer, DRM_SOFTGPU_OP_FILL, a, NULL, SIZE, ++done);
	ck_assert_uint_eq(e.peer_bytes, 0);
	ck_assert_uint_eq(words_differ(a, SIZE, done), 0);
	gpu_bind(owner->name);
	gpu_close(owner);
	gpu_close(peer);
}
END_TEST

/* proves: populate against unbind: it ends with ESHUTDOWN or ENODEV, and the data is whole */
START_TEST(unbind_while_populating)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, huge_or_not[_i]);
	struct drm_fabric_devmem_populate args;
	uint64_t end = now_ms() + PATIENCE_MS;
	pid_t remover;
	int r;

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	remover = unbind_soon(gpu->name, 400);
	do {
		r = gpu_try_populate(gpu, a, SIZE, 0, &args);
		*(volatile char *)(a + (now_ms() % SIZE)) += 0;
	} while (!r && now_ms() < end);
	ck_assert_msg(r == -ESHUTDOWN || r == -ENODEV, "%s", strerror(-r));
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	wait_child(remover);
	ck_assert_int_eq(gpu_try_populate(gpu, a, SIZE, 0, &args), -ENODEV);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_bind(gpu->name);
	gpu_close(gpu);
}
END_TEST

/* proves: an eviction that cannot go on says why, is called off without a loss, and succeeds when the cause is gone */
START_TEST(cancel_in_the_middle_of_evict)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, huge_or_not[_i]);

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	gpu_fault(gpu, "fail_copy_nth", 1);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, gpu->name, 0), 0);
	ck_assert(gpu_wait_attr(gpu->name, "evict_blocked", "copy", PATIENCE_MS));
	ck_assert(gpu_wait_attr(gpu->name, "state", "evicting", 0));
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, gpu->name, 0), -EALREADY);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0), 0);
	ck_assert(gpu_wait_attr(gpu->name, "state", "online", 0));
	ck_assert(gpu_wait_attr(gpu->name, "evict_blocked", "none", PATIENCE_MS));
	ck_assert_uint_eq(resident(gpu->name), SIZE);
	gpu_fault(gpu, "fail_copy_nth", 0);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_populate(gpu, a, SIZE);
	gpu_unbind(gpu->name);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_bind(gpu->name);
	gpu_close(gpu);
}
END_TEST

/* proves: an unbind waits as long as pages cannot come home, and goes on when they can */
START_TEST(unbind_waits_for_the_copy_engine)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, huge_or_not[_i]);
	pid_t remover;

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	gpu_fault(gpu, "fail_copy_nth", 1);
	remover = unbind_soon(gpu->name, 1);
	ck_assert(gpu_wait_attr(gpu->name, "evict_blocked", "copy", PATIENCE_MS));
	sleep_ms(200);
	ck_assert_int_eq(waitpid(remover, NULL, WNOHANG), 0);
	ck_assert_uint_eq(resident(gpu->name), SIZE);
	/* The driver is leaving: there is nothing to call off. */
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0), -ENODEV);
	gpu_fault(gpu, "fail_copy_nth", 0);
	wait_child(remover);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_bind(gpu->name);
	gpu_close(gpu);
}
END_TEST

/* proves: who waits for an unbind hears that somebody called it off, or that it takes longer than he would wait */
START_TEST(waiting_for_an_unbind)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, false);
	pid_t waiter;

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	gpu_fault(gpu, "fail_copy_nth", 1);
	waiter = fork_child();
	if (!waiter)
		_exit(gpu_admin(DRM_FABRIC_ADMIN_UNBIND, gpu->name, PATIENCE_MS) == -ECANCELED ? 0 : 1);
	ck_assert(gpu_wait_attr(gpu->name, "evict_blocked", "copy", PATIENCE_MS));
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0), 0);
	wait_child(waiter);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_UNBIND, gpu->name, 100), -ETIMEDOUT);
	ck_assert(gpu_wait_attr(gpu->name, "state", "evicting", 0));
	gpu_fault(gpu, "fail_copy_nth", 0);
	ck_assert(gpu_wait_present(gpu->name, false, PATIENCE_MS));
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_bind(gpu->name);
	gpu_close(gpu);
}
END_TEST

/* proves: two devices leave at the same time, each with memory that the other uses */
START_TEST(two_devices_at_once)
{
	char *a = map_memory(SIZE, huge_or_not[_i % 2]), *b = map_memory(SIZE, huge_or_not[_i % 2]);
	struct gpu *one, *other;
	pid_t first, second;

	gpu_open_pair(_i / 2, &one, &other);
	gpu_open_devmem(one);
	gpu_open_devmem(other);
	pattern_fill(a, SIZE, test_seed());
	pattern_fill(b, SIZE, test_seed() + 1);
	gpu_populate(one, a, SIZE);
	gpu_populate(other, b, SIZE);
	if (_i / 2) {
		gpu_exec(other, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0);
		gpu_exec(one, DRM_SOFTGPU_OP_CHECKSUM, NULL, b, SIZE, 0);
	}
	first = unbind_soon(one->name, 1);
	second = unbind_soon(other->name, 1);
	wait_child(first);
	wait_child(second);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	ck_assert_uint_eq(pattern_differs(b, SIZE, test_seed() + 1), 0);
	gpu_bind(one->name);
	gpu_bind(other->name);
	gpu_close(one);
	gpu_close(other);
}
END_TEST

/* proves: a device that comes back is another one: a new incarnation, old files stay dead, new ones work */
START_TEST(back_again)
{
	struct drm_fabric_devmem_populate populate;
	struct gpu *gpu = gpu_open(0), *again;
	char *a = map_memory(SIZE, huge_or_not[_i]);
	struct drm_softgpu_exec exec;
	uint64_t incarnation;

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	incarnation = gpu_figure(gpu, "incarnation");
	gpu_unbind(gpu->name);
	gpu_bind(gpu->name);
	ck_assert_uint_eq(gpu_figure(gpu, "incarnation"), incarnation + 1);
	ck_assert_int_eq(gpu_try_populate(gpu, a, SIZE, 0, &populate), -ENODEV);
	ck_assert_int_eq(gpu_try_exec(gpu, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0, &exec), -ENODEV);
	again = gpu_open_name(gpu->name);
	gpu_open_devmem(again);
	ck_assert_uint_gt(again->devmem_id, gpu->devmem_id);
	gpu_populate(again, a, SIZE);
	gpu_close(gpu);
	ck_assert_uint_eq(resident(again->name), SIZE);
	ck_assert_uint_eq(gpu_exec(again, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0).local_bytes, SIZE);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_close(again);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("remove");
	TCase *tcase;

	test_seed();
	gpu_load();
	tcase = tcase_create("scenarios");
	tcase_set_timeout(tcase, 12);
	tcase_add_checked_fixture(tcase, load, NULL);
	tcase_add_loop_test(tcase, files_closed_with_pages_resident, 0, 2);
	tcase_add_loop_test(tcase, parent_exited_child_keeps, 0, 2);
	tcase_add_test(tcase, large_and_small_pages);
	tcase_add_loop_test(tcase, unbind_during_exec, 0, 2);
	tcase_add_loop_test(tcase, unbind_under_a_peer, 0, 2);
	tcase_add_loop_test(tcase, unbind_while_populating, 0, 2);
	tcase_add_loop_test(tcase, cancel_in_the_middle_of_evict, 0, 2);
	tcase_add_loop_test(tcase, unbind_waits_for_the_copy_engine, 0, 2);
	tcase_add_test(tcase, waiting_for_an_unbind);
	tcase_add_loop_test(tcase, two_devices_at_once, 0, 4);
	tcase_add_loop_test(tcase, back_again, 0, 2);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}

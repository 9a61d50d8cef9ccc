// SPDX-License-Identifier: MIT
/* Memory goes to a device and comes home with its data, whoever looks at it meanwhile. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gpu.h"

#define SIZE (8 * MIB)

static const bool huge_or_not[] = { false, true };

/* proves: the engine computes right on system memory, through faults of its own */
START_TEST(gpu_computes_on_system_memory)
{
	struct gpu *gpu = gpu_open(0);
	uint64_t *a = map_memory(SIZE, huge_or_not[_i]), *b = map_memory(SIZE, huge_or_not[_i]);
	struct drm_softgpu_exec e;

	e = gpu_exec(gpu, DRM_SOFTGPU_OP_FILL, a, NULL, SIZE, 0x0123456789abcdef);
	ck_assert_uint_eq(e.system_bytes, SIZE);
	ck_assert_uint_gt(e.faults, 0);
	ck_assert_uint_eq(words_differ(a, SIZE, 0x0123456789abcdef), 0);
	pattern_fill(a, SIZE, test_seed());
	gpu_exec(gpu, DRM_SOFTGPU_OP_COPY, b, a, SIZE, 0);
	ck_assert_uint_eq(pattern_differs(b, SIZE, test_seed()), 0);
	e = gpu_exec(gpu, DRM_SOFTGPU_OP_CHECKSUM, NULL, b, SIZE, 0);
	ck_assert_uint_eq(e.result, checksum(a, SIZE));
	gpu_exec(gpu, DRM_SOFTGPU_OP_ADD, b, a, SIZE, 0);
	for (size_t i = 0; i < SIZE / 8; i++)
		ck_assert_uint_eq(b[i], 2 * a[i]);
	gpu_close(gpu);
}
END_TEST

/* proves: populate moves, the kernel counts it, a CPU touch brings a granule home, the data is the same */
START_TEST(populate_and_cpu_touch)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, huge_or_not[_i]);
	size_t granule = huge_or_not[_i] ? 2 * MIB : 64 << 10;
	uint64_t seed = test_seed(), resident, sum;
	struct drm_fabric_devmem_residency where;
	struct drm_softgpu_exec e;

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, seed);
	sum = checksum(a, SIZE);
	resident = gpu_figure(gpu, "regions/vram0/resident_bytes");
	gpu_populate(gpu, a, SIZE);
	ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/resident_bytes"), resident + SIZE);
	where = gpu_residency(gpu, a, SIZE);
	ck_assert_uint_eq(where.region_bytes, SIZE);
	e = gpu_exec(gpu, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0);
	ck_assert_uint_eq(e.result, sum);
	ck_assert_uint_eq(e.local_bytes, SIZE);
	ck_assert_uint_eq(e.system_bytes, 0);
	/* Again: it is there. */
	gpu_populate(gpu, a, SIZE);
	ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/resident_bytes"), resident + SIZE);

	(void)*(volatile char *)(a + SIZE / 2);
	where = gpu_residency(gpu, a, SIZE);
	ck_assert_uint_eq(where.system_bytes, granule);
	ck_assert_uint_eq(where.region_bytes, SIZE - granule);
	ck_assert_uint_eq(pattern_differs(a, SIZE, seed), 0);
	where = gpu_residency(gpu, a, SIZE);
	ck_assert_uint_eq(where.system_bytes, SIZE);
	ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/resident_bytes"), resident);
	gpu_close(gpu);
}
END_TEST

/* proves: what the device computes in its own memory is what the CPU sees */
START_TEST(gpu_writes_in_vram)
{
	struct gpu *gpu = gpu_open(0);
	uint64_t *a = map_memory(SIZE, huge_or_not[_i]);
	struct drm_softgpu_exec e;

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	e = gpu_exec(gpu, DRM_SOFTGPU_OP_FILL, a, NULL, SIZE / 2, 7);
	ck_assert_uint_eq(e.local_bytes, SIZE / 2);
	ck_assert_uint_eq(words_differ(a, SIZE / 2, 7), 0);
	gpu_close(gpu);
}
END_TEST

/* proves: a linked peer reads in place: nothing moves, and it counts the bytes */
START_TEST(linked_peer_reads_in_place)
{
	char *a = map_memory(SIZE, huge_or_not[_i]);
	struct drm_softgpu_exec e;
	struct gpu *owner, *peer;
	uint64_t sum;

	gpu_open_pair(true, &owner, &peer);
	gpu_open_devmem(owner);
	pattern_fill(a, SIZE, test_seed());
	sum = checksum(a, SIZE);
	gpu_populate(owner, a, SIZE);
	e = gpu_exec(peer, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0);
	ck_assert_uint_eq(e.result, sum);
	ck_assert_uint_eq(e.peer_bytes, SIZE);
	ck_assert_uint_eq(e.system_bytes, 0);
	ck_assert_uint_eq(gpu_residency(owner, a, SIZE).region_bytes, SIZE);
	gpu_exec(peer, DRM_SOFTGPU_OP_FILL, a, NULL, SIZE, 42);
	ck_assert_uint_eq(gpu_residency(owner, a, SIZE).region_bytes, SIZE);
	ck_assert_uint_eq(*(uint64_t *)a, 42);
	gpu_close(peer);
	gpu_close(owner);
}
END_TEST

/* proves: a device without a link gets the data through system memory and never touches the peer */
START_TEST(unlinked_goes_through_system_memory)
{
	char *a = map_memory(SIZE, huge_or_not[_i]);
	struct drm_softgpu_exec e;
	struct gpu *owner, *peer;
	uint64_t sum;

	gpu_open_pair(false, &owner, &peer);
	gpu_open_devmem(owner);
	pattern_fill(a, SIZE, test_seed());
	sum = checksum(a, SIZE);
	gpu_populate(owner, a, SIZE);
	e = gpu_exec(peer, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0);
	ck_assert_uint_eq(e.result, sum);
	ck_assert_uint_eq(e.peer_bytes, 0);
	ck_assert_uint_eq(e.system_bytes, SIZE);
	ck_assert_uint_eq(gpu_residency(owner, a, SIZE).system_bytes, SIZE);
	gpu_close(peer);
	gpu_close(owner);
}
END_TEST

/* proves: memory in several places at once: own, linked, unlinked, system, in stripes of pages in one range */
START_TEST(stripes_of_four_places)
{
	struct gpu *gpus[4];
	char *a = map_memory(SIZE, false);
	struct drm_softgpu_exec e;
	uint64_t sum;

	for (size_t i = 0; i < 4; i++) {
		gpus[i] = gpu_open(i);
		gpu_open_devmem(gpus[i]);
	}
	for (size_t g = 0; g < 4; g++) {
		pattern_fill(a, SIZE, test_seed() + g);
		sum = checksum(a, SIZE);
		for (size_t i = 0; i < SIZE / 4096; i++)
			if (i % 5 < 4)
				gpu_populate(gpus[i % 5], a + i * 4096, 4096);
		e = gpu_exec(gpus[g], DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0);
		ck_assert_uint_eq(e.result, sum);
		ck_assert_uint_gt(e.peer_bytes, 0);
		ck_assert_uint_gt(e.local_bytes, 0);
		ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed() + g), 0);
	}
	for (size_t i = 0; i < 4; i++)
		gpu_close(gpus[i]);
}
END_TEST

/* proves: memory goes from device to device, linked or not, and stays the same */
START_TEST(device_to_device)
{
	char *a = map_memory(SIZE, huge_or_not[_i % 2]);
	struct gpu *from, *to;

	gpu_open_pair(_i / 2, &from, &to);
	gpu_open_devmem(from);
	gpu_open_devmem(to);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(from, a, SIZE);
	gpu_populate(to, a, SIZE);
	ck_assert_uint_eq(gpu_residency(to, a, SIZE).region_bytes, SIZE);
	ck_assert_uint_eq(gpu_residency(from, a, SIZE).region_bytes, 0);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_close(from);
	gpu_close(to);
}
END_TEST

/* proves: memory that was never touched is zero on the device, whatever was there before */
START_TEST(holes_are_zero)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, huge_or_not[_i]);

	gpu_open_devmem(gpu);
	memset(a, 0xff, SIZE);
	gpu_populate(gpu, a, SIZE);
	ck_assert(!madvise(a, SIZE, MADV_DONTNEED));
	gpu_populate(gpu, a, SIZE);
	ck_assert_uint_eq(gpu_exec(gpu, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0).result, 0);
	ck_assert_uint_eq(words_differ(a, SIZE, 0), 0);
	gpu_close(gpu);
}
END_TEST

/* proves: after a fork the device's writes stay the parent's own, in system memory, own VRAM and a peer's */
START_TEST(fork_keeps_the_childs_copy)
{
	char *a = map_memory(SIZE, huge_or_not[_i % 2]);
	struct gpu *owner, *peer, *writer;
	int ready[2], status;
	char c = 0;
	pid_t pid;

	gpu_open_pair(true, &owner, &peer);
	writer = _i / 2 ? peer : owner;
	gpu_open_devmem(owner);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(owner, a, SIZE);
	/* The device has it mapped for writing when the fork comes. */
	gpu_exec(writer, DRM_SOFTGPU_OP_COPY, a, a + SIZE / 2, SIZE / 2, 0);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(owner, a, SIZE);
	ck_assert(!pipe(ready));
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		(void)!read(ready[0], &c, 1);
		_exit(pattern_differs(a, SIZE, test_seed()) ? 1 : 0);
	}
	gpu_exec(writer, DRM_SOFTGPU_OP_FILL, a, NULL, SIZE, 9);
	ck_assert_int_eq(write(ready[1], &c, 1), 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(words_differ(a, SIZE, 9), 0);
	gpu_close(peer);
	gpu_close(owner);
}
END_TEST

static void *map_and_unmap(void *arg)
{
	const bool *stop = arg;

	while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
		void *a = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (a == MAP_FAILED || munmap(a, MIB))
			abort();
		usleep(20);
	}
	return NULL;
}

/* Shares large pages with its parent until that closes its end. */
static pid_t sharer(const char *a, bool busy, int *ret_end)
{
	static bool stop;
	pthread_t thread;
	int pipes[2];
	pid_t pid;
	char c;

	ck_assert(!pipe(pipes));
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pipes[1]);
		if (busy)
			ck_assert(!pthread_create(&thread, NULL, map_and_unmap, &stop));
		(void)!read(pipes[0], &c, 1);
		__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
		_exit(pattern_differs(a, SIZE, test_seed()) ? 1 : 0);
	}
	close(pipes[0]);
	*ret_end = pipes[1];
	return pid;
}

/*
 * proves: large pages that a process shares with its child come home, by TO_SYSTEM, for the device's write and for who
 * reads the process, however busy it and the child are with their mappings
 */
START_TEST(shared_and_busy_with_mappings)
{
	struct gpu *gpu = gpu_open(0);
	bool stop = false;
	pthread_t threads[2];

	gpu_open_devmem(gpu);
	for (size_t i = 0; i < 2; i++)
		ck_assert(!pthread_create(&threads[i], NULL, map_and_unmap, &stop));
	for (size_t i = 0; i < test_loops(4, 100); i++) {
		char *a = map_memory(SIZE, true), *copy = map_memory(SIZE, false);
		struct drm_fabric_devmem_to_system args = { .start = (uintptr_t)a, .length_bytes = SIZE };
		uint64_t end = now_ms() + 30000;
		struct drm_softgpu_exec exec;
		int child_end, fd, r = -EBUSY;
		pid_t pid;

		pattern_fill(a, SIZE, test_seed());
		memset(copy, 0, SIZE);
		gpu_populate(gpu, a, SIZE);
		pid = sharer(a, _i % 2, &child_end);
		/* Busy it may be, but not for ever. */
		while (r == -EBUSY && now_ms() < end) {
			switch (_i / 2) {
			case 0:
				r = ioctl(gpu->devmem_fd, DRM_FABRIC_DEVMEM_TO_SYSTEM, &args) ? -errno : 0;
				break;
			case 1:
				r = gpu_try_exec(gpu, DRM_SOFTGPU_OP_FILL, a, NULL, SIZE, 9, &exec);
				break;
			default:
				fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
				r = pread(fd, copy, SIZE, (off_t)(uintptr_t)a) == (ssize_t)SIZE ? 0 : -EBUSY;
				close(fd);
			}
		}
		ck_assert_msg(!r, "%s", strerror(-r));
		if (_i / 2 == 1)
			ck_assert_uint_eq(words_differ(a, SIZE, 9), 0);
		else
			ck_assert_uint_eq(pattern_differs(_i / 2 ? copy : a, SIZE, test_seed()), 0);
		close(child_end);
		wait_child(pid);
		ck_assert(!munmap(a, SIZE) && !munmap(copy, SIZE));
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (size_t i = 0; i < 2; i++)
		ck_assert(!pthread_join(threads[i], NULL));
	gpu_close(gpu);
}
END_TEST

/*
 * proves: a page that is freed is free on the device at once, though its neighbours stay; a large page when its last
 * part goes, as in system memory
 */
START_TEST(munmap_frees_at_once)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, huge_or_not[_i]);
	uint64_t resident;

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	resident = gpu_figure(gpu, "regions/vram0/resident_bytes");
	gpu_populate(gpu, a, SIZE);
	ck_assert(!munmap(a + SIZE - MIB, MIB));
	if (!huge_or_not[_i])
		ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/resident_bytes"), resident + SIZE - MIB);
	ck_assert_uint_eq(pattern_differs(a, SIZE - MIB, test_seed()), 0);
	ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/resident_bytes"), resident);
	gpu_close(gpu);
}
END_TEST

/* proves: a full region takes what fits, says why the rest stayed, and loses nothing */
START_TEST(full_region)
{
	struct gpu *gpu = gpu_open(0);
	uint64_t vram = gpu_figure(gpu, "regions/vram0/size_bytes");
	struct drm_fabric_devmem_populate args;
	char *a;

	gpu_open_devmem(gpu);
	a = map_memory(vram + 8 * MIB, true);
	pattern_fill(a, vram + 8 * MIB, test_seed());
	ck_assert_int_eq(gpu_try_populate(gpu, a, vram + 8 * MIB, 0, &args), 0);
	ck_assert_uint_eq(args.moved_bytes, vram);
	ck_assert_uint_eq(args.refused_bytes[DRM_FABRIC_REFUSED_NO_ROOM], 8 * MIB);
	ck_assert_int_eq(gpu_try_populate(gpu, a, vram + 8 * MIB, DRM_FABRIC_POPULATE_STRICT, &args), -ENOSPC);
	ck_assert_uint_eq(pattern_differs(a, vram + 8 * MIB, test_seed()), 0);
	gpu_close(gpu);
}
END_TEST

/* proves: a copy engine that fails now and then costs time, not data */
START_TEST(failing_copies_are_retried)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, huge_or_not[_i]);

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	gpu_fault(gpu, "fail_copy_nth", 3);
	gpu_populate(gpu, a, SIZE);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_fault(gpu, "fail_copy_nth", 0);
	gpu_close(gpu);
}
END_TEST

/* proves: the comparison of these tests sees a single wrong byte */
START_TEST(a_planted_corruption_is_seen)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, huge_or_not[_i]);

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	gpu_fault(gpu, "corrupt_copy", 1);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 1);
	gpu_close(gpu);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("memory");
	TCase *tcase;

	test_seed();
	gpu_load();
	tcase = tcase_create("memory");
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, gpu_computes_on_system_memory, 0, 2);
	tcase_add_loop_test(tcase, populate_and_cpu_touch, 0, 2);
	tcase_add_loop_test(tcase, gpu_writes_in_vram, 0, 2);
	tcase_add_loop_test(tcase, linked_peer_reads_in_place, 0, 2);
	tcase_add_loop_test(tcase, unlinked_goes_through_system_memory, 0, 2);
	tcase_add_test(tcase, stripes_of_four_places);
	tcase_add_loop_test(tcase, device_to_device, 0, 4);
	tcase_add_loop_test(tcase, holes_are_zero, 0, 2);
	tcase_add_loop_test(tcase, fork_keeps_the_childs_copy, 0, 4);
	tcase_add_loop_test(tcase, munmap_frees_at_once, 0, 2);
	tcase_add_test(tcase, full_region);
	tcase_add_loop_test(tcase, failing_copies_are_retried, 0, 2);
	tcase_add_loop_test(tcase, a_planted_corruption_is_seen, 0, 2);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("busy");
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, shared_and_busy_with_mappings, 0, 6);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}

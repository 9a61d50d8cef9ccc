// SPDX-License-Identifier: MIT
/* What does not move into a region says why: the true reason, and no other. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gpu.h"

#define PAGE ((size_t)4096)
#define SIZE (4 * MIB)
/* Where something is the matter: in the middle of a step, and not at its beginning. */
#define AT (2 * MIB + 5 * PAGE)
/* A page of VRAM that is among the first that a device gives out. */
#define BAD_PAGE 17

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

static const bool huge_or_not[] = { false, true };

static void load(void)
{
	gpu_restore();
}

static const char *const reason_names[DRM_FABRIC_N_REFUSED] = {
	"busy",	 "no room", "not anonymous", "not mapped",  "no memory", "copy",
	"other", "pinned",  "swapped",	     "unreachable", "limit",	 "dead",
};

/* One call: what moved and was there, and @bytes of @reason alone, make up @size. */
static void expect_refused(struct gpu *gpu, char *a, size_t size, enum drm_fabric_refusal reason, size_t bytes)
{
	struct drm_fabric_devmem_populate args;

	ck_assert_int_eq(gpu_try_populate(gpu, a, size, 0, &args), 0);
	for (size_t i = 0; i < DRM_FABRIC_N_REFUSED; i++)
		ck_assert_msg(args.refused_bytes[i] == (i == reason ? bytes : 0), "refused: %s %llu, and not %zu",
			      reason_names[i] ?: "?", args.refused_bytes[i], i == reason ? bytes : 0);
	ck_assert_uint_eq(args.moved_bytes + args.present_bytes, size - bytes);
}

/* The same again and with STRICT: it stops at the first page, and says why. */
static void expect_strict(struct gpu *gpu, char *a, size_t size, enum drm_fabric_refusal reason, int error)
{
	struct drm_fabric_devmem_populate args;

	ck_assert_int_eq(gpu_try_populate(gpu, a, size, DRM_FABRIC_POPULATE_STRICT, &args), error);
	for (size_t i = 0; i < DRM_FABRIC_N_REFUSED; i++)
		ck_assert_msg(!args.refused_bytes[i] == (i != reason), "STRICT: refused: %s %llu",
			      reason_names[i] ?: "?", args.refused_bytes[i]);
}

/* Nothing resists any more; an unpin may take its time. */
static void expect_all_moves(struct gpu *gpu, char *a, size_t size)
{
	struct drm_fabric_devmem_populate args;
	uint64_t end = now_ms() + 5000;

	do {
		ck_assert_int_eq(gpu_try_populate(gpu, a, size, 0, &args), 0);
	} while (args.moved_bytes + args.present_bytes < size && now_ms() < end);
	ck_assert_uint_eq(gpu_residency(gpu, a, size).region_bytes, size);
}

static int ring_pin(void *addr, size_t size)
{
	struct iovec iov = { .iov_base = addr, .iov_len = size };
	struct io_uring_params params = {};
	int fd = (int)syscall(SYS_io_uring_setup, 1, &params);

	ck_assert_msg(fd >= 0, "io_uring_setup: %s", strerror(errno));
	ck_assert_msg(!syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS, &iov, 1), "register: %s",
		      strerror(errno));
	return fd;
}

/* proves: a page that somebody has pinned for DMA is told apart from one that is busy; let go it moves */
START_TEST(pinned)
{
	bool huge = huge_or_not[_i];
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, huge);
	int ring;

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	ring = ring_pin(a + AT, PAGE);
	/* It is a large page as a whole that is pinned. */
	expect_refused(gpu, a, SIZE, DRM_FABRIC_REFUSED_PINNED, huge ? 2 * MIB : PAGE);
	expect_strict(gpu, a, SIZE, DRM_FABRIC_REFUSED_PINNED, -EBUSY);
	ck_assert_uint_eq(gpu_residency(gpu, a, SIZE).system_bytes, huge ? 2 * MIB : PAGE);
	close(ring);
	expect_all_moves(gpu, a, SIZE);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_close(gpu);
}
END_TEST

/* Pages of [@a, @a + @size) that are swapped out, or on a device, in bytes. */
static size_t swapped_bytes(const char *a, size_t size)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	uint64_t entry;

	ck_assert_int_ge(fd, 0);
	for (size_t i = 0; i < size; i += PAGE) {
		ck_assert_int_eq(pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)(a + i) / PAGE * 8)), 8);
		n += entry >> 62 & 1 ? PAGE : 0;
	}
	close(fd);
	return n;
}

static bool swap_on(void)
{
	/* On already: a test before has ended badly. */
	(void)swapoff("/dev/zram0");
	if (!swapon("/dev/zram0", 0))
		return true;
	return !shell("modprobe zram && echo 64M >/sys/block/zram0/disksize && mkswap /dev/zram0 >/dev/null") &&
	       !swapon("/dev/zram0", 0);
}

/* proves: what is swapped out stays there, counted; touched it moves */
START_TEST(swapped)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, huge_or_not[_i]);
	uint64_t end = now_ms() + 5000;

	if (!swap_on()) {
		note("SKIPPED: no zram to swap to");
		gpu_close(gpu);
		return;
	}
	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	do {
		ck_assert(!madvise(a + MIB, MIB, MADV_PAGEOUT));
	} while (swapped_bytes(a + MIB, MIB) < MIB && now_ms() < end);
	ck_assert_uint_eq(swapped_bytes(a, SIZE), MIB);
	ck_assert_uint_eq(gpu_residency(gpu, a, SIZE).absent_bytes, MIB);
	expect_refused(gpu, a, SIZE, DRM_FABRIC_REFUSED_SWAPPED, MIB);
	expect_strict(gpu, a, SIZE, DRM_FABRIC_REFUSED_SWAPPED, -EBUSY);
	ck_assert_uint_eq(swapped_bytes(a + MIB, MIB), MIB);
	for (size_t i = MIB; i < 2 * MIB; i += PAGE)
		(void)*(volatile char *)(a + i);
	expect_all_moves(gpu, a, SIZE);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	ck_assert(!swapoff("/dev/zram0"));
	gpu_close(gpu);
}
END_TEST

/* proves: a page that a userfaultfd has to fill is left to it */
START_TEST(left_to_a_userfaultfd)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, false), *source = map_memory(SIZE, false);
	struct uffdio_copy copy;
	int fd;

	fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	ck_assert_msg(fd >= 0, "userfaultfd: %s", strerror(errno));
	ck_assert(!ioctl(fd, UFFDIO_API, &api));
	range.range.start = (uintptr_t)a;
	range.range.len = SIZE;
	ck_assert(!ioctl(fd, UFFDIO_REGISTER, &range));
	gpu_open_devmem(gpu);
	pattern_fill(source, SIZE, test_seed());
	/* All but one page is there; that one is missing, or zero for now. */
	copy = (struct uffdio_copy){ .dst = (uintptr_t)a, .src = (uintptr_t)source, .len = AT };
	ck_assert(!ioctl(fd, UFFDIO_COPY, &copy));
	copy = (struct uffdio_copy){ .dst = (uintptr_t)a + AT + PAGE,
				     .src = (uintptr_t)source + AT + PAGE,
				     .len = SIZE - AT - PAGE };
	ck_assert(!ioctl(fd, UFFDIO_COPY, &copy));
	if (_i) {
		struct uffdio_zeropage zero = { .range = { (uintptr_t)a + AT, PAGE } };

		ck_assert(!ioctl(fd, UFFDIO_ZEROPAGE, &zero));
	}
	expect_refused(gpu, a, SIZE, DRM_FABRIC_REFUSED_SWAPPED, PAGE);
	expect_strict(gpu, a, SIZE, DRM_FABRIC_REFUSED_SWAPPED, -EBUSY);
	if (_i) {
		a[AT] = 0;
		memcpy(a + AT, source + AT, PAGE);
	} else {
		copy = (struct uffdio_copy){ .dst = (uintptr_t)a + AT, .src = (uintptr_t)source + AT, .len = PAGE };
		ck_assert(!ioctl(fd, UFFDIO_COPY, &copy));
	}
	expect_all_moves(gpu, a, SIZE);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	close(fd);
	gpu_close(gpu);
}
END_TEST

/* proves: a guarded page is not mapped, as far as anybody can tell */
START_TEST(guarded)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, huge_or_not[_i]);

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	ck_assert_msg(!madvise(a + AT, PAGE, MADV_GUARD_INSTALL), "guard: %s", strerror(errno));
	expect_refused(gpu, a, SIZE, DRM_FABRIC_REFUSED_NOT_MAPPED, PAGE);
	expect_strict(gpu, a, SIZE, DRM_FABRIC_REFUSED_NOT_MAPPED, -EFAULT);
	gpu_close(gpu);
}
END_TEST

static sigjmp_buf bus_return;

static void on_bus(int signal)
{
	(void)signal;
	siglongjmp(bus_return, 1);
}

static bool touch_is_sigbus(const volatile char *at)
{
	const struct sigaction action = { .sa_handler = on_bus };
	volatile bool bus = true;
	struct sigaction old;

	ck_assert(!sigaction(SIGBUS, &action, &old));
	if (!sigsetjmp(bus_return, 1)) {
		(void)*at;
		bus = false;
	}
	ck_assert(!sigaction(SIGBUS, &old, NULL));
	return bus;
}

static struct drm_fabric_devmem_to_system to_system(struct gpu *gpu, char *a, size_t size)
{
	struct drm_fabric_devmem_to_system args = { .start = (uintptr_t)a, .length_bytes = size };

	ck_assert_msg(!ioctl(gpu->devmem_fd, DRM_FABRIC_DEVMEM_TO_SYSTEM, &args), "TO_SYSTEM: %s", strerror(errno));
	return args;
}

/*
 * proves: a page whose data is lost is neither there nor moved, for its own device and for others; it does not stop what
 * is asked of its neighbours
 */
START_TEST(dead)
{
	bool huge = huge_or_not[_i];
	size_t lost = huge ? 2 * MIB : PAGE;
	struct drm_fabric_devmem_residency where;
	struct drm_fabric_devmem_to_system home;
	char *a = map_memory(SIZE, huge);
	struct gpu *gpu, *linked;

	gpu_open_pair(true, &gpu, &linked);
	gpu_open_devmem(gpu);
	gpu_open_devmem(linked);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	gpu_fault(gpu, "bad_page", BAD_PAGE);
	/* It dies on its way. */
	home = to_system(gpu, a, SIZE);
	gpu_fault(gpu, "bad_page", 0);
	ck_assert_uint_eq(home.dead_bytes, lost);
	ck_assert_uint_eq(home.moved_bytes, SIZE - lost);
	/* It has been dead. */
	home = to_system(gpu, a, SIZE);
	ck_assert_uint_eq(home.dead_bytes, lost);
	ck_assert_uint_eq(home.moved_bytes, 0);
	where = gpu_residency(gpu, a, SIZE);
	ck_assert_uint_eq(where.dead_bytes, lost);
	ck_assert_uint_eq(where.region_bytes, lost);
	ck_assert_uint_eq(where.system_bytes, SIZE - lost);

	expect_refused(gpu, a, SIZE, DRM_FABRIC_REFUSED_DEAD, lost);
	expect_refused(gpu, a, SIZE, DRM_FABRIC_REFUSED_DEAD, lost);
	expect_strict(gpu, a, SIZE, DRM_FABRIC_REFUSED_DEAD, -EHWPOISON);
	expect_refused(linked, a, SIZE, DRM_FABRIC_REFUSED_DEAD, lost);
	expect_strict(linked, a, SIZE, DRM_FABRIC_REFUSED_DEAD, -EHWPOISON);
	where = gpu_residency(linked, a, SIZE);
	ck_assert_uint_eq(where.dead_bytes, lost);
	ck_assert_uint_eq(where.other_bytes, lost);
	ck_assert_uint_eq(where.region_bytes, SIZE - lost);
	home = to_system(linked, a, SIZE);
	ck_assert_uint_eq(home.dead_bytes, 0);
	ck_assert_uint_eq(home.moved_bytes, SIZE - lost);

	/* Everything else is well. */
	for (size_t i = 0; i < SIZE; i += PAGE)
		if (touch_is_sigbus(a + i))
			ck_assert(!munmap(a + i, PAGE));
	ck_assert_uint_eq(gpu_residency(gpu, a, SIZE).absent_bytes, lost);
	gpu_close(gpu);
	gpu_close(linked);
}
END_TEST

/* proves: an engine that copies nothing home loses all of it, and TO_SYSTEM comes to an end and says so */
START_TEST(all_die)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, huge_or_not[_i]);
	struct drm_fabric_devmem_to_system home;

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	gpu_fault(gpu, "fail_copy_nth", 1);
	home = to_system(gpu, a, SIZE);
	gpu_fault(gpu, "fail_copy_nth", 0);
	ck_assert_uint_eq(home.moved_bytes, 0);
	ck_assert_uint_eq(home.dead_bytes, SIZE);
	ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/dead_bytes"), SIZE);
	ck_assert(!munmap(a, SIZE));
	gpu_close(gpu);
}
END_TEST

static void on_quiet_bus(int signal)
{
	(void)signal;
}

/* proves: a page that the machine's own memory lost is dead, too */
START_TEST(memory_error)
{
	const struct sigaction quiet = { .sa_handler = on_quiet_bus };
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, false);

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	/* The kernel says it to whoever asks for it, too. */
	ck_assert(!sigaction(SIGBUS, &quiet, NULL));
	if (madvise(a + AT, PAGE, MADV_HWPOISON)) {
		note("SKIPPED: no memory errors on request: %s", strerror(errno));
		gpu_close(gpu);
		return;
	}
	expect_refused(gpu, a, SIZE, DRM_FABRIC_REFUSED_DEAD, PAGE);
	expect_strict(gpu, a, SIZE, DRM_FABRIC_REFUSED_DEAD, -EHWPOISON);
	gpu_close(gpu);
}
END_TEST

/* proves: TO_SYSTEM and RESIDENCY take up to 1 TiB, holes and all, and no more; a fatal signal ends them */
START_TEST(long_ranges)
{
	const size_t tib = (size_t)1 << 40;
	struct drm_fabric_devmem_to_system home = { .length_bytes = tib };
	struct drm_fabric_devmem_residency where = { .length_bytes = tib };
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, false);
	pid_t pid;

	gpu_open_devmem(gpu);
	memset(a, 1, SIZE);
	gpu_populate(gpu, a, SIZE);
	home.start = where.start = (uintptr_t)a + SIZE - tib - PAGE;
	home.length_bytes += PAGE;
	where.length_bytes += PAGE;
	ck_assert(ioctl(gpu->devmem_fd, DRM_FABRIC_DEVMEM_TO_SYSTEM, &home) && errno == EINVAL);
	ck_assert(ioctl(gpu->devmem_fd, DRM_FABRIC_DEVMEM_RESIDENCY, &where) && errno == EINVAL);
	home.start = where.start = (uintptr_t)a + SIZE - tib;
	home.length_bytes = where.length_bytes = tib;
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		for (;;)
			(void)ioctl(gpu->devmem_fd, DRM_FABRIC_DEVMEM_TO_SYSTEM, &home);
	}
	sleep_ms(20);
	kill(pid, SIGKILL);
	{
		uint64_t start = now_ms();
		int status;

		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_uint_lt(now_ms() - start, 1000);
	}
	ck_assert(!ioctl(gpu->devmem_fd, DRM_FABRIC_DEVMEM_RESIDENCY, &where));
	ck_assert_uint_ge(where.region_bytes, SIZE);
	ck_assert_uint_eq(where.region_bytes + where.other_bytes + where.system_bytes + where.absent_bytes, tib);
	ck_assert(!ioctl(gpu->devmem_fd, DRM_FABRIC_DEVMEM_TO_SYSTEM, &home));
	ck_assert_uint_eq(home.moved_bytes, where.region_bytes);
	ck_assert_uint_eq(words_differ(a, SIZE, 0x0101010101010101), 0);
	gpu_close(gpu);
}
END_TEST

struct rival {
	struct gpu *gpu;
	char *memory;
	bool stop;
};

/* What resists costs time, page by page. */
#define RIVAL_SIZE (512ul << 10)

static void *rival_run(void *argument)
{
	struct rival *rival = argument;
	struct drm_fabric_devmem_populate args;

	while (!__atomic_load_n(&rival->stop, __ATOMIC_RELAXED))
		(void)gpu_try_populate(rival->gpu, rival->memory, RIVAL_SIZE, 0, &args);
	return NULL;
}

/* proves: two that pull at the same memory, linked or not: each byte is accounted for, busy or out of reach */
START_TEST(rivals)
{
	struct drm_fabric_devmem_populate args;
	uint64_t busy = 0, unreachable = 0;
	char *a = map_memory(2 * MIB, _i / 2);
	struct rival rival = { .memory = a };
	size_t n = test_loops(8, 2000);
	struct gpu *gpu;
	pthread_t thread;

	gpu_open_pair(_i % 2, &gpu, &rival.gpu);
	gpu_open_devmem(gpu);
	gpu_open_devmem(rival.gpu);
	pattern_fill(a, RIVAL_SIZE, test_seed());
	ck_assert(!pthread_create(&thread, NULL, rival_run, &rival));
	for (size_t i = 0; i < n; i++) {
		uint64_t sum;

		ck_assert_int_eq(gpu_try_populate(gpu, a, RIVAL_SIZE, 0, &args), 0);
		busy += args.refused_bytes[DRM_FABRIC_REFUSED_BUSY];
		unreachable += args.refused_bytes[DRM_FABRIC_REFUSED_UNREACHABLE];
		sum = args.moved_bytes + args.present_bytes + args.refused_bytes[DRM_FABRIC_REFUSED_BUSY] +
		      args.refused_bytes[DRM_FABRIC_REFUSED_UNREACHABLE];
		ck_assert_uint_eq(sum, RIVAL_SIZE);
		if (_i % 2)
			ck_assert_uint_eq(args.refused_bytes[DRM_FABRIC_REFUSED_UNREACHABLE], 0);
	}
	__atomic_store_n(&rival.stop, true, __ATOMIC_RELAXED);
	ck_assert(!pthread_join(thread, NULL));
	note("%slinked rivals: of %zu KiB asked %llu KiB busy, %llu KiB out of reach", _i % 2 ? "" : "not ",
	     n * RIVAL_SIZE / 1024, (unsigned long long)busy / 1024, (unsigned long long)unreachable / 1024);
	ck_assert_uint_eq(pattern_differs(a, RIVAL_SIZE, test_seed()), 0);
	gpu_close(gpu);
	gpu_close(rival.gpu);
}
END_TEST

#define RESTLESS_SIZE (2 * MIB)

static void *restless_run(void *argument)
{
	char *a = argument;

	for (;;) {
		ck_assert(!mprotect(a, RESTLESS_SIZE, PROT_READ));
		ck_assert(!mprotect(a, RESTLESS_SIZE, PROT_READ | PROT_WRITE));
	}
	return NULL;
}

/* Populates pages that may not be touched and never stand still, for ever. */
static void restless(struct gpu *gpu, int ready)
{
	char *a = map_memory(RESTLESS_SIZE, false);
	struct drm_fabric_devmem_populate args;
	pthread_t threads[8];
	uint64_t start;

	memset(a, 1, RESTLESS_SIZE);
	ck_assert_msg(!madvise(a, RESTLESS_SIZE, MADV_GUARD_INSTALL), "guard: %s", strerror(errno));
	for (size_t i = 0; i < 8; i++)
		ck_assert(!pthread_create(&threads[i], NULL, restless_run, a));
	ck_assert_int_eq(write(ready, "", 1), 1);
	for (;;) {
		start = now_ms();
		if (gpu_try_populate(gpu, a, RESTLESS_SIZE, 0, &args) == -ESHUTDOWN)
			_exit(0);
		note("populate took %llu ms: %llu bytes busy, %llu not mapped", (unsigned long long)(now_ms() - start),
		     args.refused_bytes[DRM_FABRIC_REFUSED_BUSY], args.refused_bytes[DRM_FABRIC_REFUSED_NOT_MAPPED]);
		ck_assert_uint_eq(args.refused_bytes[DRM_FABRIC_REFUSED_BUSY] +
					  args.refused_bytes[DRM_FABRIC_REFUSED_NOT_MAPPED],
				  RESTLESS_SIZE);
	}
}

/* proves: a process that changes its mappings all the time does not keep a device from being drained */
START_TEST(restless_process_holds_nobody)
{
	struct gpu *gpu = gpu_open(0);
	uint64_t start, took;
	int ready[2];
	pid_t pid;
	char c;

	gpu_open_devmem(gpu);
	ck_assert(!pipe(ready));
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid)
		restless(gpu, ready[1]);
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	sleep_ms(500);
	start = now_ms();
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_DRAIN, gpu->name, 0), 0);
	took = now_ms() - start;
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	note("the drain took %llu ms", (unsigned long long)took);
	ck_assert_uint_lt(took, 2500 * test_slowness());
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0), 0);
	gpu_close(gpu);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("refusals");
	TCase *tcase = tcase_create("refusals");

	test_seed();
	gpu_load();
	tcase_set_timeout(tcase, test_is_soak() ? 600 : 30);
	tcase_add_checked_fixture(tcase, load, NULL);
	tcase_add_loop_test(tcase, pinned, 0, 2);
	tcase_add_loop_test(tcase, swapped, 0, 2);
	tcase_add_loop_test(tcase, left_to_a_userfaultfd, 0, 2);
	tcase_add_loop_test(tcase, guarded, 0, 2);
	tcase_add_loop_test(tcase, dead, 0, 2);
	tcase_add_loop_test(tcase, all_die, 0, 2);
	tcase_add_test(tcase, memory_error);
	tcase_add_test(tcase, long_ranges);
	tcase_add_test(tcase, restless_process_holds_nobody);
	tcase_add_loop_test(tcase, rivals, 0, 4);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}

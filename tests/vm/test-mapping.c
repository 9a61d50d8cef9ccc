// SPDX-License-Identifier: MIT
/* Memory on a device is the process's memory still: whatever it does to its mappings holds there, too. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gpu.h"

#define SIZE (8 * MIB)
#ifndef MADV_COLLAPSE /* a libc before 2.37 */
#define MADV_COLLAPSE 25
#endif

static const bool huge_or_not[] = { false, true };

static void load(void)
{
	gpu_restore();
}

/* proves: memory that was never touched is moved like any other, and counted as that */
START_TEST(untouched_memory_counts_as_moved)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, huge_or_not[_i]);
	struct drm_fabric_devmem_populate args;
	uint64_t moved;

	gpu_open_devmem(gpu);
	moved = gpu_figure(gpu, "regions/vram0/moved_in_bytes");
	ck_assert_int_eq(gpu_try_populate(gpu, a, SIZE, 0, &args), 0);
	ck_assert_uint_eq(gpu_residency(gpu, a, SIZE).region_bytes, SIZE);
	ck_assert_uint_eq(args.moved_bytes, SIZE);
	ck_assert_uint_eq(args.present_bytes, 0);
	ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/moved_in_bytes"), moved + SIZE);
	ck_assert_int_eq(gpu_try_populate(gpu, a, SIZE, 0, &args), 0);
	ck_assert_uint_eq(args.moved_bytes, 0);
	ck_assert_uint_eq(args.present_bytes, SIZE);
	gpu_close(gpu);
}
END_TEST

/* proves: what is moved to another address keeps its data and its place, and the device finds it there only */
START_TEST(mremap_keeps_the_place)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, huge_or_not[_i]), *b = map_memory(SIZE, huge_or_not[_i]);
	struct drm_softgpu_exec e;
	uint64_t sum;

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	sum = checksum(a, SIZE);
	gpu_populate(gpu, a, SIZE);
	gpu_exec(gpu, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0);
	ck_assert(mremap(a, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, b) == b);
	ck_assert_uint_eq(gpu_residency(gpu, b, SIZE).region_bytes, SIZE);
	e = gpu_exec(gpu, DRM_SOFTGPU_OP_CHECKSUM, NULL, b, SIZE, 0);
	ck_assert_uint_eq(e.result, sum);
	ck_assert_uint_eq(e.local_bytes, SIZE);
	ck_assert_int_eq(gpu_try_exec(gpu, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0, &e), -EFAULT);
	ck_assert_uint_eq(pattern_differs(b, SIZE, test_seed()), 0);
	gpu_close(gpu);
}
END_TEST

/* proves: a device may do to memory what its process may: nothing more, in VRAM, a peer's and system memory */
START_TEST(protection_holds_for_devices)
{
	char *a = map_memory(SIZE, huge_or_not[_i % 2]);
	struct gpu *owner, *peer, *accessor;
	struct drm_softgpu_exec e;
	uint64_t sum;

	gpu_open_pair(true, &owner, &peer);
	gpu_open_devmem(owner);
	pattern_fill(a, SIZE, test_seed());
	sum = checksum(a, SIZE);
	if (_i / 2)
		gpu_populate(owner, a, SIZE);
	accessor = _i / 4 ? peer : owner;
	/* It has it mapped for writing. */
	gpu_exec(accessor, DRM_SOFTGPU_OP_COPY, a + SIZE / 2, a, SIZE / 2, 0);
	pattern_fill(a, SIZE, test_seed());
	if (_i / 2)
		gpu_populate(owner, a, SIZE);
	ck_assert(!mprotect(a, SIZE, PROT_READ));
	ck_assert_int_eq(gpu_try_exec(accessor, DRM_SOFTGPU_OP_FILL, a, NULL, SIZE, 1, &e), -EFAULT);
	ck_assert_int_eq(gpu_try_exec(accessor, DRM_SOFTGPU_OP_ADD, a, a, 8, 0, &e), -EFAULT);
	e = gpu_exec(accessor, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0);
	ck_assert_uint_eq(e.result, sum);
	ck_assert_int_eq(gpu_try_exec(accessor, DRM_SOFTGPU_OP_FILL, a, NULL, SIZE, 1, &e), -EFAULT);
	ck_assert(!mprotect(a, SIZE, PROT_NONE));
	ck_assert_int_eq(gpu_try_exec(accessor, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0, &e), -EFAULT);
	ck_assert(!mprotect(a, SIZE, PROT_READ | PROT_WRITE));
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_exec(accessor, DRM_SOFTGPU_OP_FILL, a, NULL, SIZE, 1);
	ck_assert_uint_eq(words_differ(a, SIZE, 1), 0);
	gpu_close(owner);
	gpu_close(peer);
}
END_TEST

/* proves: memory that is mapped for reading only moves, and stays as it is */
START_TEST(read_only_memory_moves)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, huge_or_not[_i]);
	struct drm_softgpu_exec e;

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	ck_assert(!mprotect(a, SIZE, PROT_READ));
	gpu_populate(gpu, a, SIZE);
	e = gpu_exec(gpu, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0);
	ck_assert_uint_eq(e.local_bytes, SIZE);
	ck_assert_int_eq(gpu_try_exec(gpu, DRM_SOFTGPU_OP_FILL, a, NULL, SIZE, 1, &e), -EFAULT);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_close(gpu);
}
END_TEST

/* proves: memory that may not be touched is not, and counted as that */
START_TEST(untouchable_memory_stays)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, huge_or_not[_i]);
	struct drm_fabric_devmem_populate args;

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	ck_assert(!mprotect(a, SIZE, PROT_NONE));
	ck_assert_int_eq(gpu_try_populate(gpu, a, SIZE, 0, &args), 0);
	ck_assert_uint_eq(args.refused_bytes[DRM_FABRIC_REFUSED_NOT_MAPPED], SIZE);
	ck_assert_uint_eq(args.moved_bytes, 0);
	ck_assert(!mprotect(a, SIZE, PROT_READ | PROT_WRITE));
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_close(gpu);
}
END_TEST

/* proves: a device loses what its process unmaps or gives up, at once */
START_TEST(unmapped_memory_is_gone_for_the_device)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, huge_or_not[_i]);
	struct drm_softgpu_exec e;

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	gpu_exec(gpu, DRM_SOFTGPU_OP_ADD, a, a, SIZE, 0);
	ck_assert(!madvise(a, SIZE / 2, MADV_DONTNEED));
	ck_assert_uint_eq(gpu_exec(gpu, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE / 2, 0).result, 0);
	ck_assert(!munmap(a + SIZE / 2, SIZE / 4));
	ck_assert_int_eq(gpu_try_exec(gpu, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0, &e), -EFAULT);
	ck_assert_int_eq(gpu_try_exec(gpu, DRM_SOFTGPU_OP_FILL, a + SIZE / 2, NULL, 8, 0, &e), -EFAULT);
	gpu_exec(gpu, DRM_SOFTGPU_OP_FILL, a + 3 * SIZE / 4, NULL, SIZE / 4, 3);
	ck_assert_uint_eq(words_differ(a, SIZE / 2, 0), 0);
	ck_assert_uint_eq(words_differ(a + 3 * SIZE / 4, SIZE / 4, 3), 0);
	gpu_close(gpu);
}
END_TEST

/* proves: a hole in the middle of a range costs nothing but itself; with STRICT it is the end */
START_TEST(hole_in_the_range)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, huge_or_not[_i]), *whole = map_memory(SIZE, false);
	size_t at = 3 * MIB + (64 << 10), size = 20 << 10;
	struct drm_fabric_devmem_populate args;

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	ck_assert(!munmap(a + at, size));
	ck_assert_int_eq(gpu_try_populate(gpu, a, SIZE, DRM_FABRIC_POPULATE_STRICT, &args), -EFAULT);
	ck_assert_uint_le(args.moved_bytes, at);
	ck_assert_int_eq(gpu_try_populate(gpu, a, SIZE, 0, &args), 0);
	ck_assert_uint_eq(args.refused_bytes[DRM_FABRIC_REFUSED_NOT_MAPPED], size);
	ck_assert_uint_eq(args.moved_bytes + args.present_bytes, SIZE - size);
	ck_assert_uint_eq(gpu_residency(gpu, a, SIZE).region_bytes, SIZE - size);
	ck_assert_uint_eq(gpu_residency(gpu, a, SIZE).absent_bytes, size);
	ck_assert(mmap(a + at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == a + at);
	/* The pattern goes on behind the hole as if there were none. */
	pattern_fill(whole, SIZE, test_seed());
	memcpy(a + at, whole + at, size);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_close(gpu);
}
END_TEST

/* Memory that is not the process's own: by kind. */
enum other_memory { FILE_PRIVATE, FILE_SHARED, SHMEM, HUGETLB, N_OTHER };

static char *map_other(enum other_memory kind)
{
	int fd = -1, flags = kind == FILE_PRIVATE ? MAP_PRIVATE : MAP_SHARED;
	char *a;

	switch (kind) {
	case FILE_PRIVATE:
	case FILE_SHARED:
		fd = open("/var", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		ck_assert(fd >= 0 && !ftruncate(fd, SIZE));
		break;
	case SHMEM:
		flags |= MAP_ANONYMOUS;
		break;
	default:
		write_file("/proc/sys/vm/nr_hugepages", "8");
		flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB;
		break;
	}
	a = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, flags, fd, 0);
	ck_assert_msg(a != MAP_FAILED, "kind %d: %s", kind, strerror(errno));
	if (fd >= 0)
		close(fd);
	return a;
}

/* proves: files, shared and huge-TLB memory stay in system memory, counted; a device computes with them in place */
START_TEST(other_memory_is_used_in_place)
{
	struct drm_fabric_devmem_populate args;
	struct gpu *gpu = gpu_open(0);
	char *a = map_other(_i), *b = map_memory(SIZE, true);
	struct drm_softgpu_exec e;

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	ck_assert_int_eq(gpu_try_populate(gpu, a, SIZE, 0, &args), 0);
	ck_assert_uint_eq(args.refused_bytes[DRM_FABRIC_REFUSED_NOT_ANON], SIZE);
	ck_assert_uint_eq(args.moved_bytes, 0);
	ck_assert_int_eq(gpu_try_populate(gpu, a, SIZE, DRM_FABRIC_POPULATE_STRICT, &args), -EOPNOTSUPP);
	e = gpu_exec(gpu, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0);
	ck_assert_uint_eq(e.result, checksum(a, SIZE));
	ck_assert_uint_eq(e.system_bytes, SIZE);
	/* Between it and VRAM, both ways. */
	gpu_populate(gpu, b, SIZE);
	gpu_exec(gpu, DRM_SOFTGPU_OP_COPY, b, a, SIZE, 0);
	gpu_exec(gpu, DRM_SOFTGPU_OP_FILL, a, NULL, SIZE, 7);
	gpu_exec(gpu, DRM_SOFTGPU_OP_COPY, a, b, SIZE / 2, 0);
	ck_assert_uint_eq(pattern_differs(a, SIZE / 2, test_seed()), 0);
	ck_assert_uint_eq(words_differ(a + SIZE / 2, SIZE / 2, 7), 0);
	ck_assert_uint_eq(pattern_differs(b, SIZE, test_seed()), 0);
	ck_assert(!munmap(a, SIZE));
	if (_i == HUGETLB)
		write_file("/proc/sys/vm/nr_hugepages", "0");
	gpu_close(gpu);
}
END_TEST

/* proves: a device that writes shared memory is seen by the other process, and a private file keeps its contents */
START_TEST(shared_memory_is_shared)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_other(SHMEM);
	pid_t pid;

	memset(a, 1, SIZE);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		gpu = gpu_open_name(gpu->name);
		gpu_exec(gpu, DRM_SOFTGPU_OP_FILL, a, NULL, SIZE, 5);
		_exit(0);
	}
	wait_child(pid);
	ck_assert_uint_eq(words_differ(a, SIZE, 5), 0);
	gpu_close(gpu);
}
END_TEST

/* proves: a page that somebody holds stays, counted, and the rest moves; let go it moves, too */
START_TEST(held_page_stays)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, false), *at = a + 5 * MIB + 4096, seen[4096];
	struct iovec iov = { .iov_base = at, .iov_len = 4096 };
	struct drm_fabric_devmem_populate args;
	int pipes[2];

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	ck_assert(!pipe(pipes));
	ck_assert_int_eq(vmsplice(pipes[1], &iov, 1, 0), 4096);
	ck_assert_int_eq(gpu_try_populate(gpu, a, SIZE, 0, &args), 0);
	ck_assert_uint_eq(args.refused_bytes[DRM_FABRIC_REFUSED_BUSY], 4096);
	ck_assert_uint_eq(args.moved_bytes, SIZE - 4096);
	ck_assert_int_eq(gpu_try_populate(gpu, a, SIZE, DRM_FABRIC_POPULATE_STRICT, &args), -EBUSY);
	/* The holder and the process have the same page still. */
	gpu_exec(gpu, DRM_SOFTGPU_OP_FILL, at, NULL, 4096, 11);
	ck_assert_int_eq(read(pipes[0], seen, sizeof(seen)), 4096);
	for (size_t i = 0; i < sizeof(seen); i++)
		ck_assert_int_eq(seen[i], i % 8 ? 0 : 11);
	close(pipes[0]);
	close(pipes[1]);
	gpu_populate(gpu, a, SIZE);
	ck_assert_uint_eq(gpu_residency(gpu, a, SIZE).region_bytes, SIZE);
	gpu_close(gpu);
}
END_TEST

/* proves: memory that is locked into RAM keeps its data, and every byte of it is accounted for */
START_TEST(locked_memory)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, huge_or_not[_i]);
	struct drm_fabric_devmem_populate args;
	uint64_t sum = 0;

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	ck_assert(!mlock(a, SIZE));
	ck_assert_int_eq(gpu_try_populate(gpu, a, SIZE, 0, &args), 0);
	for (size_t i = 0; i < DRM_FABRIC_N_REFUSED; i++)
		sum += args.refused_bytes[i];
	ck_assert_uint_eq(args.moved_bytes + args.present_bytes + sum, SIZE);
	note("mlock: %llu moved, %llu stay", (unsigned long long)args.moved_bytes, (unsigned long long)sum);
	ck_assert_uint_eq(gpu_exec(gpu, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0).result, checksum(a, SIZE));
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_close(gpu);
}
END_TEST

/* proves: with STRICT a copy engine that fails is told, and the data is where it was */
START_TEST(strict_copy_error)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, huge_or_not[_i]);
	struct drm_fabric_devmem_populate args;
	int strict, lenient;

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	gpu_fault(gpu, "fail_copy_nth", 1);
	strict = gpu_try_populate(gpu, a, SIZE, DRM_FABRIC_POPULATE_STRICT, &args);
	lenient = gpu_try_populate(gpu, a, SIZE, 0, &args);
	gpu_fault(gpu, "fail_copy_nth", 0);
	ck_assert_int_eq(strict, -EIO);
	ck_assert_int_eq(lenient, 0);
	ck_assert_uint_eq(args.refused_bytes[DRM_FABRIC_REFUSED_COPY], SIZE);
	ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/resident_bytes"), 0);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_close(gpu);
}
END_TEST

/* proves: TO_SYSTEM brings home what is asked, of this region only */
START_TEST(to_system_on_request)
{
	struct drm_fabric_devmem_to_system args;
	char *a = map_memory(SIZE, huge_or_not[_i]);
	struct gpu *one, *other;

	gpu_open_pair(true, &one, &other);
	gpu_open_devmem(one);
	gpu_open_devmem(other);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(one, a, SIZE / 2);
	gpu_populate(other, a + SIZE / 2, SIZE / 2);
	args = (struct drm_fabric_devmem_to_system){ .start = (uintptr_t)a, .length_bytes = SIZE };
	ck_assert(!ioctl(one->devmem_fd, DRM_FABRIC_DEVMEM_TO_SYSTEM, &args));
	ck_assert_uint_eq(args.moved_bytes, SIZE / 2);
	ck_assert_uint_eq(gpu_residency(one, a, SIZE).region_bytes, 0);
	ck_assert_uint_eq(gpu_residency(one, a, SIZE).other_bytes, SIZE / 2);
	ck_assert_uint_eq(gpu_residency(one, a, SIZE).system_bytes, SIZE / 2);
	ck_assert(!ioctl(one->devmem_fd, DRM_FABRIC_DEVMEM_TO_SYSTEM, &args));
	ck_assert_uint_eq(args.moved_bytes, 0);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_close(one);
	gpu_close(other);
}
END_TEST

/* proves: what a process leaves on a device when it ends is free */
START_TEST(exit_frees)
{
	struct gpu *gpu = gpu_open(0);
	uint64_t before = gpu_figure(gpu, "regions/vram0/resident_bytes"), end;
	char byte = 0;
	int ready[2];
	pid_t pid;

	ck_assert(!pipe(ready));
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		struct gpu *own = gpu_open_name(gpu->name);
		char *a = map_memory(SIZE, huge_or_not[_i % 2]);

		gpu_open_devmem(own);
		memset(a, 1, SIZE);
		gpu_populate(own, a, SIZE);
		gpu_exec(own, DRM_SOFTGPU_OP_ADD, a, a, SIZE, 0);
		ck_assert_int_eq(write(ready[1], &byte, 1), 1);
		if (_i / 2)
			pause();
		_exit(0);
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	if (_i / 2) {
		ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/resident_bytes"), before + SIZE);
		kill(pid, SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	/* The mirror holds the memory until the file's release has run, in a worker. */
	end = now_ms() + 5000;
	while (gpu_figure(gpu, "regions/vram0/resident_bytes") != before)
		ck_assert_uint_lt(now_ms(), end);
	ck_assert_uint_eq(gpu_figure(gpu, "handles"), 0);
	gpu_close(gpu);
}
END_TEST

/* proves: two programs on one device do not see or hinder each other */
START_TEST(two_programs_on_one_device)
{
	struct gpu *gpu = gpu_open(0);
	size_t n_loops = test_loops(20, 500);
	pid_t pids[2];

	for (size_t p = 0; p < 2; p++) {
		pids[p] = fork();
		ck_assert_int_ge(pids[p], 0);
		if (!pids[p]) {
			struct gpu *own = gpu_open_name(gpu->name);
			char *a = map_memory(SIZE / 4, p), *b = map_memory(SIZE / 4, !p);

			gpu_open_devmem(own);
			for (size_t i = 0; i < n_loops; i++) {
				uint64_t seed = test_seed() + 2 * i + p;

				pattern_fill(a, SIZE / 4, seed);
				gpu_populate(own, a, SIZE / 4);
				gpu_populate(own, b, SIZE / 4);
				gpu_exec(own, DRM_SOFTGPU_OP_COPY, b, a, SIZE / 4, 0);
				ck_assert_uint_eq(pattern_differs(b, SIZE / 4, seed), 0);
				ck_assert_uint_eq(pattern_differs(a, SIZE / 4, seed), 0);
			}
			_exit(0);
		}
	}
	wait_child(pids[0]);
	wait_child(pids[1]);
	gpu_close(gpu);
}
END_TEST

/* proves: a device that knew the beginning of a large page before it was one reads and writes all of it right, in place */
START_TEST(large_page_behind_small_ranges)
{
	const size_t part = 64 << 10;
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(2 * MIB, true);
	struct drm_softgpu_exec e;

	gpu_open_devmem(gpu);
	ck_assert(!munmap(a, 2 * MIB));
	ck_assert(mmap(a, part, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == a);
	memset(a, 1, part);
	/* The device's own range cannot be larger than the mapping. */
	gpu_exec(gpu, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, part, 0);
	ck_assert(mmap(a + part, 2 * MIB - part, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		       0) == a + part);
	pattern_fill(a, 2 * MIB, test_seed());
	ck_assert_msg(!madvise(a, 2 * MIB, MADV_COLLAPSE), "MADV_COLLAPSE: %s", strerror(errno));
	gpu_populate(gpu, a, 2 * MIB);
	/* First behind the known beginning: there the device must not be given that. */
	e = gpu_exec(gpu, DRM_SOFTGPU_OP_CHECKSUM, NULL, a + part, part, 0);
	ck_assert_uint_eq(e.local_bytes, part);
	if (_i)
		gpu_exec(gpu, DRM_SOFTGPU_OP_FILL, a + 3 * part, NULL, part, 0x0101010101010101);
	ck_assert_uint_eq(gpu_residency(gpu, a, 2 * MIB).region_bytes, 2 * MIB);
	ck_assert_uint_eq(e.result, checksum(a + part, part));
	if (_i) {
		for (size_t i = 3 * part; i < 4 * part; i++)
			ck_assert_int_eq(a[i], 1);
		gpu_exec(gpu, DRM_SOFTGPU_OP_COPY, a + 3 * part, a, part, 0);
		ck_assert(!memcmp(a + 3 * part, a, part));
		ck_assert_uint_eq(pattern_differs(a, 3 * part, test_seed()), 0);
	} else {
		ck_assert_uint_eq(pattern_differs(a, 2 * MIB, test_seed()), 0);
	}
	gpu_close(gpu);
}
END_TEST

/* proves: private memory of /dev/zero, which counts its pages its own way, comes home for a child that has it alone */
START_TEST(zero_device_of_a_child)
{
	struct gpu *gpu = gpu_open(0);
	int fd = open("/dev/zero", O_RDWR | O_CLOEXEC), gone[2];
	char *a, c = 0;
	pid_t pid;

	ck_assert_int_ge(fd, 0);
	ck_assert(!pipe(gone));
	gpu_open_devmem(gpu);
	a = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	ck_assert(a != MAP_FAILED);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		close(gone[1]);
		(void)!read(gone[0], &c, 1);
		_exit(pattern_differs(a, SIZE, test_seed()) ? 1 : 0);
	}
	ck_assert(!munmap(a, SIZE));
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, gpu->name, 5000), 0);
	ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/resident_bytes"), 0);
	close(gone[1]);
	wait_child(pid);
	gpu_close(gpu);
	close(fd);
}
END_TEST

/* proves: an address space belongs to who made it: not to a child, and there is one a file */
START_TEST(address_space_of_somebody_else)
{
	struct gpu *gpu = gpu_open(0), *bare = gpu_open_bare(gpu->name);
	struct drm_softgpu_vm_create create = {};
	char *a = map_memory(SIZE, false);
	struct drm_softgpu_exec e;
	pid_t pid;

	ck_assert(ioctl(gpu->render_fd, DRM_IOCTL_SOFTGPU_VM_CREATE, &create) && errno == EEXIST);
	ck_assert_int_eq(gpu_try_exec(bare, DRM_SOFTGPU_OP_FILL, a, NULL, SIZE, 1, &e), -ENOENT);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid)
		_exit(gpu_try_exec(gpu, DRM_SOFTGPU_OP_FILL, a, NULL, SIZE, 1, &e) == -EACCES ? 0 : 1);
	wait_child(pid);
	gpu_close(bare);
	gpu_close(gpu);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mapping");
	TCase *tcase = tcase_create("mapping");

	test_seed();
	gpu_load();
	tcase_set_timeout(tcase, 12);
	tcase_add_checked_fixture(tcase, load, NULL);
	tcase_add_loop_test(tcase, untouched_memory_counts_as_moved, 0, 2);
	tcase_add_loop_test(tcase, mremap_keeps_the_place, 0, 2);
	tcase_add_loop_test(tcase, protection_holds_for_devices, 0, 6);
	tcase_add_loop_test(tcase, read_only_memory_moves, 0, 2);
	tcase_add_loop_test(tcase, untouchable_memory_stays, 0, 2);
	tcase_add_loop_test(tcase, unmapped_memory_is_gone_for_the_device, 0, 2);
	tcase_add_loop_test(tcase, hole_in_the_range, 0, 2);
	tcase_add_loop_test(tcase, other_memory_is_used_in_place, 0, N_OTHER);
	tcase_add_test(tcase, shared_memory_is_shared);
	tcase_add_test(tcase, held_page_stays);
	tcase_add_loop_test(tcase, locked_memory, 0, 2);
	tcase_add_loop_test(tcase, strict_copy_error, 0, 2);
	tcase_add_loop_test(tcase, to_system_on_request, 0, 2);
	tcase_add_loop_test(tcase, exit_frees, 0, 4);
	tcase_add_test(tcase, two_programs_on_one_device);
	tcase_add_loop_test(tcase, large_page_behind_small_ranges, 0, 2);
	tcase_add_test(tcase, zero_device_of_a_child);
	tcase_add_test(tcase, address_space_of_somebody_else);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}

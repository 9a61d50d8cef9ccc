// SPDX-License-Identifier: MIT
/* Preferences: what was asked is what is read back, after everything that may happen to addresses, processes, devices. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "prefer.h"

#define STRANGER 65534
#define PAGES ((size_t)64)
#define SIZE (PAGES * PAGE)
#define PATIENCE_MS 60000

static void set_limit(const char *name, uint64_t value)
{
	char file[128], text[32];

	snprintf(file, sizeof(file), "/sys/module/drm_fabric/parameters/%s", name);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	write_file(file, text);
}

static char *arena(void)
{
	return map_memory(2 * MIB, false);
}

static void map_again(char *addr, size_t size)
{
	ck_assert_ptr_eq(mmap(addr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
			 addr);
}

static void unmap(char *a, size_t first, size_t end)
{
	ck_assert(!munmap(a + first * PAGE, (end - first) * PAGE));
	map_again(a + first * PAGE, (end - first) * PAGE);
}

/* proves: overlaps replace, sides with equal lists merge, holes in every position split, trim, and take out */
START_TEST(ranges)
{
	struct places p;
	char *a = arena();

	places_init(&p, 2);
	check_preferred(&p, a, SIZE, "");
	prefer(&p, a, 8 * PAGE, "AB");
	check_preferred(&p, a, SIZE, "0-8 AB");
	/* Overlap: at the end, at the beginning, in the middle, around, exactly. */
	prefer(&p, a + 6 * PAGE, 4 * PAGE, "BA");
	check_preferred(&p, a, SIZE, "0-6 AB, 6-10 BA");
	prefer(&p, a + 4 * PAGE, 3 * PAGE, "S");
	check_preferred(&p, a, SIZE, "0-4 AB, 4-7 S, 7-10 BA");
	prefer(&p, a + PAGE, PAGE, "LS");
	check_preferred(&p, a, SIZE, "0-1 AB, 1-2 LS, 2-4 AB, 4-7 S, 7-10 BA");
	prefer(&p, a + PAGE, 8 * PAGE, "L");
	check_preferred(&p, a, SIZE, "0-1 AB, 1-9 L, 9-10 BA");
	prefer(&p, a + PAGE, 8 * PAGE, "S");
	check_preferred(&p, a, SIZE, "0-1 AB, 1-9 S, 9-10 BA");
	/* Merge: left, right, both, inside, past the ends; other orders and lengths do not. */
	prefer(&p, a + PAGE, 2 * PAGE, "AB");
	check_preferred(&p, a, SIZE, "0-3 AB, 3-9 S, 9-10 BA");
	prefer(&p, a + 7 * PAGE, 2 * PAGE, "BA");
	check_preferred(&p, a, SIZE, "0-3 AB, 3-7 S, 7-10 BA");
	prefer(&p, a + 7 * PAGE, 5 * PAGE, "AB");
	prefer(&p, a + 3 * PAGE, 4 * PAGE, "AB");
	check_preferred(&p, a, SIZE, "0-12 AB");
	prefer(&p, a + 3 * PAGE, 4 * PAGE, "AB");
	prefer(&p, a, 12 * PAGE, "AB");
	check_preferred(&p, a, SIZE, "0-12 AB");
	prefer(&p, a + 10 * PAGE, 4 * PAGE, "AB");
	check_preferred(&p, a, SIZE, "0-14 AB");
	prefer(&p, a + 14 * PAGE, PAGE, "A");
	prefer(&p, a + 15 * PAGE, PAGE, "ABS");
	check_preferred(&p, a, SIZE, "0-14 AB, 14-15 A, 15-16 ABS");
	/* Forget: in the middle, at both ends, all, and what is not there. */
	prefer(&p, a + 6 * PAGE, 2 * PAGE, "");
	prefer(&p, a, PAGE, "");
	prefer(&p, a + 13 * PAGE, PAGE, "");
	check_preferred(&p, a, SIZE, "1-6 AB, 8-13 AB, 14-15 A, 15-16 ABS");
	prefer(&p, a + 20 * PAGE, PAGE, "");
	/* A gap that is filled joins both sides. */
	prefer(&p, a + 6 * PAGE, 2 * PAGE, "AB");
	check_preferred(&p, a, SIZE, "1-13 AB, 14-15 A, 15-16 ABS");
	/* munmap: the same holes. */
	unmap(a, 5, 7);
	unmap(a, 0, 2);
	unmap(a, 12, 14);
	unmap(a, 14, 15);
	check_preferred(&p, a, SIZE, "2-5 AB, 7-12 AB, 15-16 ABS");
	unmap(a, 4, 16);
	check_preferred(&p, a, SIZE, "2-4 AB");
	/* Without a range it is as at the beginning, and begins anew. */
	unmap(a, 0, 16);
	check_preferred(&p, a, SIZE, "");
	prefer(&p, a, PAGE, "BSL");
	check_preferred(&p, a, SIZE, "0-1 BSL");
	/* A map over it unmaps it; what keeps the mapping keeps it. */
	prefer(&p, a + PAGE, PAGE, "A");
	map_again(a, PAGE);
	ck_assert(!mprotect(a + PAGE, PAGE, PROT_READ));
	ck_assert(!madvise(a + PAGE, PAGE, MADV_DONTNEED));
	check_preferred(&p, a, SIZE, "1-2 A");
	/* Addresses need no mapping; the whole address space is a range, too. */
	ck_assert(!munmap(a, 2 * MIB));
	prefer(&p, a + 3 * PAGE, PAGE, "B");
	check_preferred(&p, a, SIZE, "3-4 B");
	prefer(&p, (void *)PAGE, (1ull << 47) - 2 * PAGE, "S");
	check_preferred(&p, a, SIZE, "0-64 S");
	prefer(&p, (void *)PAGE, (1ull << 47) - 2 * PAGE, "");
	check_preferred(&p, a, SIZE, "");
	places_fini(&p);
}
END_TEST

/* proves: mremap leaves nothing at the old place and brings nothing to the new one; parts, growing and shrinking, too */
START_TEST(moved_mappings)
{
	struct places p;
	char *a = arena(), *b = arena();

	places_init(&p, 1);
	prefer(&p, a, 16 * PAGE, "A");
	prefer(&p, b, 16 * PAGE, "S");
	ck_assert_ptr_eq(mremap(a + 4 * PAGE, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, b + 8 * PAGE),
			 b + 8 * PAGE);
	/* Something must be there to be moved, for the page tables to be looked at. */
	check_preferred(&p, b, SIZE, "0-8 S, 12-16 S");
	memset(a + 12 * PAGE, 1, 2 * PAGE);
	ck_assert_ptr_eq(mremap(a + 12 * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, b + 20 * PAGE),
			 b + 20 * PAGE);
	check_preferred(&p, a, SIZE, "0-4 A, 8-12 A, 14-16 A");
	check_preferred(&p, b, SIZE, "0-8 S, 12-16 S");
	/* The old mapping stays, its pages go. */
	memset(a, 1, 2 * PAGE);
	ck_assert_ptr_eq(mremap(a, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, b + 24 * PAGE),
			 b + 24 * PAGE);
	check_preferred(&p, a, SIZE, "2-4 A, 8-12 A, 14-16 A");
	/* Shrinking unmaps; growing in place does not. */
	ck_assert_ptr_eq(mremap(a + 8 * PAGE, 4 * PAGE, 2 * PAGE, 0), a + 8 * PAGE);
	check_preferred(&p, a, SIZE, "2-4 A, 8-10 A, 14-16 A");
	ck_assert_ptr_eq(mremap(a + 8 * PAGE, 2 * PAGE, 3 * PAGE, 0), a + 8 * PAGE);
	check_preferred(&p, a, SIZE, "2-4 A, 8-10 A, 14-16 A");
	places_fini(&p);
}
END_TEST

static const char *const lists[] = { "", "A", "B", "AB", "S", "L", "LS", "BAS" };

#define N_LISTS (sizeof(lists) / sizeof(*lists))

/* What preferred() must say of @model: the list of each page. */
static void model_text(const uint8_t *model, char *buf, size_t size)
{
	size_t len = 0;

	*buf = '\0';
	for (size_t i = 0, end; i < PAGES; i = end) {
		for (end = i + 1; end < PAGES && model[end] == model[i]; end++)
			;
		if (model[i])
			len += snprintf(buf + len, size - len, "%s%zu-%zu %s", len ? ", " : "", i, end,
					lists[model[i]]);
	}
}

/* proves: the same as a model that keeps a list for each page, after each of thousands of steps */
START_TEST(as_a_model)
{
	size_t n = test_loops(3000, 100000);
	uint64_t random = test_seed();
	uint8_t model[PAGES] = {};
	char expected[8192];
	struct places p;
	char *a = arena(), *elsewhere = arena();

	places_init(&p, 2);
	memset(a, 1, SIZE);
	for (size_t i = 0; i < n; i++) {
		size_t first = test_random(&random) % PAGES, size = 1 + test_random(&random) % (PAGES - first);
		size_t list = test_random(&random) % N_LISTS;

		size = test_random(&random) % 2 ? size : 1 + size % 4;
		size = size > PAGES - first ? PAGES - first : size;
		switch (test_random(&random) % 4) {
		case 0:
			unmap(a, first, first + size);
			list = 0;
			break;
		case 1:
			a[first * PAGE] = 1;
			ck_assert_ptr_eq(mremap(a + first * PAGE, size * PAGE, size * PAGE,
						MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere),
					 elsewhere);
			map_again(a + first * PAGE, size * PAGE);
			list = 0;
			break;
		default:
			prefer(&p, a + first * PAGE, size * PAGE, lists[list]);
		}
		memset(model + first, list, size);
		model_text(model, expected, sizeof(expected));
		check_preferred(&p, a, SIZE, expected);
		check_preferred(&p, elsewhere, SIZE, "");
	}
	note("%zu steps", n);
	places_fini(&p);
}
END_TEST

/* In the new program, which is no test. */
static int after_exec(void)
{
	struct drm_fabric_preference p = { .accessor_fd = -1 };
	int fd = open("/dev/drm_fabric", O_RDWR | O_CLOEXEC);

	return fd >= 0 && ioctl(fd, DRM_FABRIC_IOCTL_PREFERENCE, &p) && errno == ENOENT ? 0 : 1;
}

/* proves: a child has none, of its own it has; neither touches the other's; execve ends them */
START_TEST(fork_and_exec)
{
	struct places p;
	char *a = arena();
	pid_t pid;

	places_init(&p, 2);
	prefer(&p, a, 4 * PAGE, "AB");
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		check_preferred(&p, a, SIZE, "");
		prefer(&p, a + PAGE, 4 * PAGE, "BA");
		ck_assert(!munmap(a, 2 * PAGE));
		check_preferred(&p, a, SIZE, "2-5 BA");
		execl("/proc/self/exe", "test-prefer", "after-exec", NULL);
		_exit(2);
	}
	wait_child(pid);
	check_preferred(&p, a, SIZE, "0-4 AB");
	places_fini(&p);
}
END_TEST

/* proves: a preference holds the handle: not the fd, not its number, and not what comes after the device */
START_TEST(what_a_location_is)
{
	struct drm_fabric_preference is;
	struct gpu *again;
	struct places p;
	char *a = arena();
	int fd;

	places_init(&p, 2);
	prefer(&p, a, PAGE, "AB");
	check_status(NULL, a, "*+");
	/* The fd is closed, and its number used anew for the other device. */
	fd = p.gpus[0]->devmem_fd;
	close(fd);
	check_preferred(&p, a, SIZE, "0-1 AB");
	check_status(NULL, a, "*+");
	ck_assert_int_eq(dup2(p.gpus[1]->devmem_fd, fd), fd);
	check_preferred(&p, a, SIZE, "0-1 AB");
	ck_assert_int_eq(try_preference(NULL, a, &is), 0);
	ck_assert_str_eq(is.locations[0].device, "softgpu0");
	ck_assert_str_eq(is.locations[1].device, "softgpu1");
	ck_assert_uint_eq(is.locations[0].incarnation, 1);
	ck_assert_uint_eq(is.start, (uintptr_t)a);
	ck_assert_uint_eq(is.length_bytes, PAGE);
	/* The same list is the same handles: what looks alike is not. */
	prefer(&p, a + PAGE, PAGE, "BB");
	prefer(&p, a + 2 * PAGE, PAGE, "AB");
	check_preferred(&p, a, SIZE, "0-1 AB, 1-3 BB");
	close(fd);
	/* The device goes, and one of its name comes. */
	gpu_bus("del_device", "0");
	check_preferred(&p, a, SIZE, "0-1 AB, 1-3 BB");
	check_status(NULL, a, "g*");
	gpu_bus("new_device", "0 %zu", PLACES_VRAM);
	check_status(NULL, a, "g*");
	again = gpu_open_name("softgpu0");
	gpu_open_devmem(again);
	ck_assert_int_eq(try_preference(again, a, &is), 0);
	ck_assert_uint_eq(is.locations[0].incarnation, 1);
	ck_assert_uint_eq(is.locations[0].devmem_id, p.gpus[0]->devmem_id);
	close(p.gpus[0]->render_fd);
	free(p.gpus[0]);
	p.gpus[0] = again;
	check_preferred(&p, a, SIZE, "0-1 ?B, 1-3 BB");
	prefer(&p, a, PAGE, "AB");
	check_status(NULL, a, "*+");
	/* With an open handle it goes the same way. */
	gpu_bus("del_device", "0");
	check_status(NULL, a, "g*");
	places_fini(&p);
	/* Nothing keeps the modules. */
	gpu_reload("");
	ck_assert_int_eq(try_preference(NULL, a, &is), -ENOENT);
}
END_TEST

/* proves: calls with wrong arguments say which, and change nothing */
START_TEST(errors)
{
	struct drm_fabric_prefer args = { .n_locations = 2, .length_bytes = PAGE };
	struct drm_fabric_preference is;
	struct places p;
	char *a = arena();
	struct gpu none = { .devmem_fd = 1000 }, wrong;

	places_init(&p, 1);
	wrong.devmem_fd = fabric_fd();
	prefer(&p, a, 4 * PAGE, "A");
	args.start = (uintptr_t)a;
	args.locations[0] = (struct drm_fabric_location){ DRM_FABRIC_LOCATION_DEVMEM, p.gpus[0]->devmem_fd };
	args.locations[1] = (struct drm_fabric_location){ DRM_FABRIC_LOCATION_DEVMEM, 1000 };
	ck_assert(ioctl(fabric_fd(), DRM_FABRIC_IOCTL_PREFER, &args) && errno == EBADF);
	args.locations[1].fd = fabric_fd();
	ck_assert(ioctl(fabric_fd(), DRM_FABRIC_IOCTL_PREFER, &args) && errno == EBADFD);
	args.locations[1].fd = -1;
	ck_assert(ioctl(fabric_fd(), DRM_FABRIC_IOCTL_PREFER, &args) && errno == EINVAL);
	args.locations[1] = (struct drm_fabric_location){ DRM_FABRIC_LOCATION_SYSTEM, 0 };
	ck_assert(ioctl(fabric_fd(), DRM_FABRIC_IOCTL_PREFER, &args) && errno == EINVAL);
	args.locations[1] = (struct drm_fabric_location){ DRM_FABRIC_LOCATION_DEVMEM + 1, -1 };
	ck_assert(ioctl(fabric_fd(), DRM_FABRIC_IOCTL_PREFER, &args) && errno == EINVAL);
	args.locations[1] = (struct drm_fabric_location){ DRM_FABRIC_LOCATION_SYSTEM, -1 };
	args.n_locations = 1;
	ck_assert(ioctl(fabric_fd(), DRM_FABRIC_IOCTL_PREFER, &args) && errno == EINVAL);
	args.n_locations = 9;
	ck_assert(ioctl(fabric_fd(), DRM_FABRIC_IOCTL_PREFER, &args) && errno == EINVAL);
	check_preferred(&p, a, SIZE, "0-4 A");
	ck_assert_int_eq(try_preference(NULL, a + 4 * PAGE, &is), -ENOENT);
	ck_assert_int_eq(try_preference(&none, a, &is), -EBADF);
	ck_assert_int_eq(try_preference(&wrong, a, &is), -EBADFD);
	args.n_locations = 2;
	ck_assert(!ioctl(fabric_fd(), DRM_FABRIC_IOCTL_PREFER, &args));
	check_preferred(&p, a, SIZE, "0-1 AS, 1-4 A");
	places_fini(&p);
}
END_TEST

/* proves: a uid has so many ranges, over its processes, and not one more by any way; what it has it may change */
START_TEST(limit)
{
	struct places p;
	char *a = arena();
	pid_t pid;

	places_init(&p, 2);
	set_limit("max_preferences_per_uid", 3);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		ck_assert(!setgid(STRANGER));
		ck_assert(!setuid(STRANGER));
		prefer(&p, a, PAGE, "A");
		prefer(&p, a + 2 * PAGE, 8 * PAGE, "B");
		prefer(&p, a + 20 * PAGE, PAGE, "A");
		ck_assert_int_eq(try_prefer(&p, a + 30 * PAGE, PAGE, "A"), -EDQUOT);
		ck_assert_int_eq(try_prefer(&p, a + 4 * PAGE, PAGE, "A"), -EDQUOT);
		ck_assert_int_eq(try_prefer(&p, a + 4 * PAGE, PAGE, ""), -EDQUOT);
		check_preferred(&p, a, SIZE, "0-1 A, 2-10 B, 20-21 A");
		/* Replaced, grown, merged. */
		prefer(&p, a + 20 * PAGE, PAGE, "S");
		prefer(&p, a + 10 * PAGE, PAGE, "B");
		prefer(&p, a + PAGE, PAGE, "B");
		check_preferred(&p, a, SIZE, "0-1 A, 1-11 B, 20-21 S");
		/* A hole costs the smaller part. */
		unmap(a, 4, 5);
		check_preferred(&p, a, SIZE, "0-1 A, 5-11 B, 20-21 S");
		unmap(a, 9, 10);
		check_preferred(&p, a, SIZE, "0-1 A, 5-9 B, 20-21 S");
		/* The uid's other processes have what it leaves. */
		unmap(a, 20, 21);
		pid = fork();
		if (!pid) {
			prefer(&p, a, PAGE, "A");
			_exit(try_prefer(&p, a + 2 * PAGE, PAGE, "A") == -EDQUOT ? 0 : 1);
		}
		wait_child(pid);
		/* That one's are given back when it has gone, at once. */
		prefer(&p, a + 40 * PAGE, PAGE, "L");
		ck_assert_int_eq(try_prefer(&p, a + 50 * PAGE, PAGE, "L"), -EDQUOT);
		_exit(0);
	}
	wait_child(pid);
	/* CAP_SYS_RESOURCE: any number. */
	for (size_t i = 0; i < 16; i++)
		prefer(&p, a + 2 * i * PAGE, PAGE, "A");
	unmap(a, 0, 32);
	places_fini(&p);
	set_limit("max_preferences_per_uid", 65536);
}
END_TEST

/* proves: handles that only preferences hold count as handles of their uid, until those end by any way */
START_TEST(handles_end)
{
	struct places p;
	char *a = arena();
	pid_t pid;

	places_init(&p, 1);
	set_limit("max_handles_per_uid", 2);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		uint64_t end = now_ms() + PATIENCE_MS;
		int r;

		ck_assert(!setgid(STRANGER));
		ck_assert(!setuid(STRANGER));
		/* Forgotten, unmapped, replaced. */
		for (size_t i = 0; i < 30; i++) {
			while ((r = gpu_try_open_devmem(p.gpus[0])) == -EDQUOT && now_ms() < end)
				sleep_ms(1);
			ck_assert_int_eq(r, 0);
			prefer(&p, a, 3 * PAGE, "A");
			close(p.gpus[0]->devmem_fd);
			if (i % 3 == 0)
				unmap(a, 0, 3);
			else if (i % 3 == 1)
				prefer(&p, a, 3 * PAGE, "S");
			else
				prefer(&p, a, 3 * PAGE, "");
		}
		/* Two that stay, and end with the process. */
		for (size_t i = 0; i < 2; i++) {
			while ((r = gpu_try_open_devmem(p.gpus[0])) == -EDQUOT && now_ms() < end)
				sleep_ms(1);
			ck_assert_int_eq(r, 0);
			prefer(&p, a + i * PAGE, PAGE, "A");
			close(p.gpus[0]->devmem_fd);
		}
		ck_assert_int_eq(gpu_try_open_devmem(p.gpus[0]), -EDQUOT);
		_exit(0);
	}
	wait_child(pid);
	places_fini(&p);
	set_limit("max_handles_per_uid", 1024);
	gpu_reload("");
}
END_TEST

/* ---- storms ---- */

struct storm {
	const struct places *places;
	char *a;
	int fabric_fd;
	uint64_t random;
	bool stop;
	size_t n;
};

static void *storm_run(void *arg)
{
	struct storm *s = arg;
	struct drm_fabric_prefer in_child = {
		.n_locations = 1,
		.start = (uintptr_t)s->a,
		.length_bytes = SIZE,
		.locations = { { DRM_FABRIC_LOCATION_SYSTEM, -1 } },
	};

	while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE)) {
		uint64_t x = test_random(&s->random);
		size_t first = x % PAGES, size = 1 + (x >> 8) % (PAGES - first);
		struct drm_fabric_preference is;
		struct drm_softgpu_exec e;
		pid_t pid;
		int r;

		switch ((x >> 16) % 16) {
		case 0 ... 7:
			r = try_prefer(s->places, s->a + first * PAGE, size * PAGE, lists[(x >> 32) % N_LISTS]);
			/* A handle of a device that has gone is one. */
			ck_assert_msg(!r, "PREFER: %s", strerror(-r));
			break;
		case 8 ... 10:
			(void)mmap(s->a + first * PAGE, size * PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
			break;
		case 11 ... 12:
			r = try_preference(s->places->gpus[x >> 63], s->a + first * PAGE, &is);
			ck_assert_msg(!r || r == -ENOENT, "PREFERENCE: %s", strerror(-r));
			break;
		case 13:
			pid = fork();
			/* Another thread may have held any lock of libcheck's. */
			if (!pid)
				_exit(ioctl(s->fabric_fd, DRM_FABRIC_IOCTL_PREFER, &in_child));
			wait_child(pid);
			break;
		default:
			/* The device may have gone. */
			(void)gpu_try_exec(s->places->gpus[x >> 63], DRM_SOFTGPU_OP_FILL, s->a + first * PAGE, NULL,
					   size * PAGE, x, &e);
		}
		s->n++;
	}
	return NULL;
}

/* proves: many threads prefer, unmap, fork and compute in the same range, end in the middle of it, while devices drain and
 * go: nothing is left, and the modules go */
START_TEST(storms)
{
	size_t rounds = test_loops(3, 100), n = 0;
	struct storm storms[4];
	pthread_t threads[4];
	int ready[2];
	struct places p;
	pid_t pid;
	char c = 0;

	ck_assert(!pipe2(ready, O_CLOEXEC));
	for (size_t round = 0; round < rounds; round++) {
		places_init(&p, 2);
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (!pid) {
			char *a = arena();

			/* Address spaces are of who makes them. */
			places_fini(&p);
			p = (struct places){ .gpus = { gpu_open_name("softgpu0"), gpu_open_name("softgpu1") }, .n = 2 };
			gpu_open_devmem(p.gpus[0]);
			gpu_open_devmem(p.gpus[1]);
			ck_assert_int_eq(write(ready[1], &c, 1), 1);
			for (size_t i = 0; i < 4; i++) {
				storms[i] = (struct storm){ &p, a, fabric_fd(), test_seed() + round * 4 + i, false, 0 };
				ck_assert(!pthread_create(&threads[i], NULL, storm_run, &storms[i]));
			}
			sleep_ms(1000 * test_slowness());
			/* Sometimes they end in the middle. */
			if (round % 2)
				_exit(0);
			for (size_t i = 0; i < 4; i++) {
				__atomic_store_n(&storms[i].stop, true, __ATOMIC_RELEASE);
				pthread_join(threads[i], NULL);
				ck_assert_uint_gt(storms[i].n, 0);
				n += storms[i].n;
			}
			note("%zu steps", n);
			_exit(0);
		}
		places_fini(&p);
		ck_assert_int_eq(read(ready[0], &c, 1), 1);
		sleep_ms(200 * test_slowness());
		for (size_t i = 0; i < 3; i++) {
			ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, "softgpu1", PATIENCE_MS), 0);
			ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, "softgpu1", 0), 0);
		}
		gpu_bus("unlink", "softgpu0 softgpu1");
		gpu_bus("del_device", "1");
		wait_child(pid);
		ck_assert(gpu_wait_attr("softgpu0", "handles", "0", PATIENCE_MS));
		ck_assert(gpu_wait_attr("softgpu0", "regions/vram0/pagemap_refs_pages", "0", PATIENCE_MS));
		ck_assert(gpu_wait_attr("softgpu0", "regions/vram0/pagemap_refs_mappings", "0", PATIENCE_MS));
	}
	gpu_reload("");
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite = suite_create("prefer");
	TCase *tcase = tcase_create("prefer"), *storm = tcase_create("storms");

	if (argc > 1 && !strcmp(argv[1], "after-exec"))
		return after_exec();
	test_seed();
	gpu_load();
	tcase_set_timeout(tcase, getenv("SOAK") ? 1200 : 120);
	tcase_add_test(tcase, ranges);
	tcase_add_test(tcase, moved_mappings);
	tcase_add_test(tcase, as_a_model);
	tcase_add_test(tcase, fork_and_exec);
	tcase_add_test(tcase, what_a_location_is);
	tcase_add_test(tcase, errors);
	tcase_add_test(tcase, limit);
	tcase_add_test(tcase, handles_end);
	tcase_set_timeout(storm, getenv("SOAK") ? 1200 : 120);
	tcase_add_test(storm, storms);
	suite_add_tcase(suite, tcase);
	suite_add_tcase(suite, storm);
	return test_run(suite);
}

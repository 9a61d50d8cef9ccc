// SPDX-License-Identifier: MIT
/* Reservations: bytes that nobody else takes. Grants: handles that are taken back, with what was placed through them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "account.h"
#include "worker.h"

#define PAGE ((size_t)4096)
#define VRAM (150 * MIB)
#define SIZE (4 * MIB)
#define PATIENCE_MS 60000
#define STRANGER 65534
#define NAME REGION_GPU

static void setup(void)
{
	region_setup(VRAM);
}

static void teardown(void)
{
	region_teardown();
	write_file("/sys/module/drm_fabric/parameters/max_bytes_per_uid", "0");
	write_file("/sys/module/drm_fabric/parameters/max_handles_per_uid", "1024");
	write_file("/sys/module/softgpu/parameters/keep_bytes", "0");
}

static struct drm_fabric_devmem_populate populate(struct gpu *gpu, void *a, size_t size)
{
	struct drm_fabric_devmem_populate args;
	int r = gpu_try_populate(gpu, a, size, 0, &args);

	ck_assert_msg(!r, "POPULATE: %s", strerror(-r));
	return args;
}

/* proves: of 150 MiB two cannot have 100 each; the second is told what there is; when the first is killed it has them */
START_TEST(two_of_one_region)
{
	struct gpu *gpu = region_open();
	uint64_t available;
	int ready[2];
	char byte;
	pid_t pid;

	ck_assert(!pipe(ready));
	pid = fork_child();
	if (!pid) {
		struct gpu *own = region_open();
		char *a = filled(SIZE, true);

		reserve(own->devmem_fd, 100 * MIB);
		gpu_populate(own, a, SIZE);
		ck_assert_int_eq(write(ready[1], "x", 1), 1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	ck_assert_int_eq(try_reserve(gpu->devmem_fd, 100 * MIB, &available), -ENOSPC);
	ck_assert_uint_eq(available, 50 * MIB);
	ck_assert_uint_eq(region_figure("reserved_bytes"), 100 * MIB);
	reserve(gpu->devmem_fd, 50 * MIB);
	ck_assert_int_eq(try_reserve(gpu->devmem_fd, 50 * MIB + PAGE, &available), -ENOSPC);
	ck_assert_uint_eq(available, 50 * MIB);
	ck_assert_uint_eq(region_figure("reserved_bytes"), VRAM);
	ck_assert(!kill(pid, SIGKILL));
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	region_wait("reserved_bytes", 50 * MIB);
	region_wait("resident_bytes", 0);
	reserve(gpu->devmem_fd, 100 * MIB);
	reserve(gpu->devmem_fd, VRAM);
	reserve(gpu->devmem_fd, 0);
	ck_assert_uint_eq(region_figure("reserved_bytes"), 0);
	gpu_close(gpu);
}
END_TEST

/* proves: what is promised can be placed, to the page, and no more; what was placed before counts */
START_TEST(no_more_than_promised)
{
	struct gpu *gpu = region_open();
	struct drm_fabric_devmem_populate args;
	size_t promised = SIZE / 2 + 3 * PAGE;
	char *a = filled(SIZE, true);

	gpu_populate(gpu, a, PAGE);
	reserve(gpu->devmem_fd, promised);
	args = populate(gpu, a, SIZE);
	ck_assert_uint_eq(args.moved_bytes, promised - PAGE);
	ck_assert_uint_eq(args.present_bytes, PAGE);
	ck_assert_uint_eq(args.refused_bytes[DRM_FABRIC_REFUSED_RESERVED], SIZE - promised);
	ck_assert_uint_eq(devmem_info(gpu->devmem_fd).resident_bytes, promised);
	ck_assert_int_eq(gpu_try_populate(gpu, a, SIZE, DRM_FABRIC_POPULATE_STRICT, &args), -ENOSPC);
	ck_assert_uint_gt(args.refused_bytes[DRM_FABRIC_REFUSED_RESERVED], 0);
	/* A promise of less than is there: it stays, nothing is added. */
	reserve(gpu->devmem_fd, PAGE);
	ck_assert_uint_eq(region_figure("reserved_bytes"), PAGE);
	ck_assert_uint_eq(populate(gpu, a, SIZE).moved_bytes, 0);
	ck_assert_uint_eq(devmem_info(gpu->devmem_fd).resident_bytes, promised);
	reserve(gpu->devmem_fd, 0);
	gpu_populate(gpu, a, SIZE);
	ck_assert_uint_eq(words_differ(a, SIZE, 0x0101010101010101), 0);
	munmap(a, SIZE);
	gpu_close(gpu);
}
END_TEST

/* proves: others get what is left and nothing of what is promised, reserving or placing, also with VRAM to spare */
START_TEST(others_leave_it)
{
	struct gpu *gpu = region_open(), *other = region_open();
	struct drm_fabric_devmem_populate args;
	char *a = filled(SIZE, true), *b = filled(SIZE, true);
	size_t left = SIZE / 4 + PAGE;
	uint64_t available;

	reserve(gpu->devmem_fd, VRAM - left);
	args = populate(other, b, SIZE);
	ck_assert_uint_eq(args.moved_bytes, left);
	ck_assert_uint_eq(args.refused_bytes[DRM_FABRIC_REFUSED_RESERVED], SIZE - left);
	ck_assert_uint_eq(args.refused_bytes[DRM_FABRIC_REFUSED_NO_ROOM], 0);
	ck_assert_int_eq(try_reserve(other->devmem_fd, left + PAGE, &available), -ENOSPC);
	ck_assert_uint_eq(available, left);
	ck_assert_int_eq(try_reserve(gpu->devmem_fd, VRAM, &available), -ENOSPC);
	ck_assert_uint_eq(available, VRAM - left);
	/* The promise is kept. */
	gpu_populate(gpu, a, SIZE);
	/* What is given back is others' at once. */
	munmap(b, left);
	reserve(gpu->devmem_fd, VRAM - SIZE + left);
	args = populate(other, b + left, SIZE - left);
	ck_assert_uint_eq(args.moved_bytes, SIZE - left);
	/* All is promised or taken. */
	args = populate(other, filled(SIZE, true), SIZE);
	ck_assert_uint_eq(args.moved_bytes, 0);
	ck_assert_uint_eq(args.refused_bytes[DRM_FABRIC_REFUSED_RESERVED], SIZE);
	gpu_close(gpu);
	gpu_close(other);
	munmap(a, SIZE);
	munmap(b + left, SIZE - left);
}
END_TEST

/* proves: an eviction that is called off leaves promises as they were; the device's end ends them */
START_TEST(survives_a_cancelled_removal)
{
	struct gpu *gpu = region_open(), *other = region_open();
	char *a = filled(SIZE, true);
	uint64_t available;

	reserve(gpu->devmem_fd, 100 * MIB);
	gpu_populate(gpu, a, SIZE);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_DRAIN, NAME, 0), 0);
	ck_assert_int_eq(try_reserve(other->devmem_fd, PAGE, &available), -ESHUTDOWN);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, NAME, PATIENCE_MS), 0);
	ck_assert_uint_eq(region_figure("reserved_bytes"), 100 * MIB);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, NAME, 0), 0);
	ck_assert_int_eq(try_reserve(other->devmem_fd, 50 * MIB + PAGE, &available), -ENOSPC);
	ck_assert_uint_eq(available, 50 * MIB);
	gpu_populate(gpu, a, SIZE);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, NAME, PATIENCE_MS), 0);
	gpu_bus("del_device", "0");
	ck_assert_int_eq(try_reserve(gpu->devmem_fd, 0, NULL), -ENODEV);
	gpu_bus("new_device", "0 %zu", VRAM);
	gpu_close(other);
	other = region_open();
	reserve(other->devmem_fd, VRAM);
	gpu_close(other);
	gpu_close(gpu);
	munmap(a, SIZE);
}
END_TEST

static void reserve_as_stranger(struct gpu *gpu)
{
	char *a = filled(SIZE, true);

	gpu_open_devmem(gpu);
	ck_assert_int_eq(try_reserve(gpu->devmem_fd, SIZE + PAGE, NULL), -EDQUOT);
	reserve(gpu->devmem_fd, SIZE / 2);
	/* What is placed within a promise is not counted twice. */
	ck_assert_uint_eq(populate(gpu, a, SIZE).moved_bytes, SIZE / 2);
	reserve(gpu->devmem_fd, SIZE);
	gpu_populate(gpu, a, SIZE);
	ck_assert_int_eq(try_reserve(gpu->devmem_fd, SIZE + PAGE, NULL), -EDQUOT);
	munmap(a, SIZE);
}

/* proves: a promise counts against the uid's limit as if it were placed, once */
START_TEST(uid_limit)
{
	struct gpu *gpu = gpu_open_name(NAME);
	char text[32];

	snprintf(text, sizeof(text), "%zu", SIZE);
	write_file("/sys/module/drm_fabric/parameters/max_bytes_per_uid", text);
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork_child();

		if (!pid) {
			ck_assert(!setgid(STRANGER) && !setuid(STRANGER));
			reserve_as_stranger(gpu);
			_exit(0);
		}
		wait_child(pid);
	}
	gpu_close(gpu);
}
END_TEST

/* All but SIZE. */
#define KEPT (VRAM - SIZE)

/* Asks for one page after the other, all of which others were promised. */
static void get_nothing(void)
{
	struct gpu *gpu = region_open();
	char *a = filled(SIZE, false);

	for (size_t i = 0;; i = (i + PAGE) % SIZE)
		ck_assert_uint_eq(populate(gpu, a + i, PAGE).moved_bytes, 0);
}

/* proves: what was promised is not given away while it is taken and let go, also if the driver has kept memory for itself */
START_TEST(kept_beside_the_drivers)
{
	uint64_t end = now_ms() + 1000 * test_loops(10, 120);
	struct gpu *gpu;
	pid_t pids[2];
	char text[32];
	size_t n = 0;
	char *a;

	gpu_bus("del_device", "0");
	snprintf(text, sizeof(text), "%zu", KEPT);
	write_file("/sys/module/softgpu/parameters/keep_bytes", text);
	gpu_bus("new_device", "0 %zu", VRAM);
	ck_assert(gpu_wait_present(NAME, true, PATIENCE_MS));
	write_file("/sys/module/softgpu/parameters/keep_bytes", "0");
	gpu = region_open();
	ck_assert_uint_eq(region_figure("free_bytes"), SIZE);
	ck_assert_int_eq(try_reserve(gpu->devmem_fd, SIZE + PAGE, NULL), -ENOSPC);
	reserve(gpu->devmem_fd, SIZE);
	for (size_t i = 0; i < 2; i++) {
		pids[i] = fork_child();
		if (!pids[i])
			get_nothing();
	}
	/* Nobody shares it. */
	a = filled(SIZE, false);
	for (; now_ms() < end; n++) {
		gpu_populate(gpu, a, SIZE);
		ck_assert(!madvise(a, SIZE, MADV_DONTNEED));
		memset(a, 1, SIZE);
	}
	for (size_t i = 0; i < 2; i++)
		kill_child(pids[i]);
	note("placed %zu times", n);
	munmap(a, SIZE);
	gpu_close(gpu);
}
END_TEST

/* proves: processes that reserve, place and end at any moment leave nothing promised, and never more than there is */
START_TEST(storm)
{
	size_t loops = test_loops(150, 5000);
	uint64_t state = test_seed();
	pid_t pids[4];

	for (size_t i = 0; i < 4; i++) {
		uint64_t seed = test_random(&state);

		pids[i] = fork_child();
		if (pids[i])
			continue;
		for (size_t j = 0;; j++) {
			struct gpu *gpu = region_open();
			size_t size = (1 + test_random(&seed) % 512) * PAGE;
			struct drm_fabric_devmem_populate args;
			char *a = filled(size, true);

			(void)try_reserve(gpu->devmem_fd, test_random(&seed) % (2 * VRAM / PAGE) * PAGE, NULL);
			ck_assert_int_eq(gpu_try_populate(gpu, a, size, 0, &args), 0);
			(void)try_reserve(gpu->devmem_fd, test_random(&seed) % 3 * PAGE, NULL);
			if (test_random(&seed) % 2)
				munmap(a, size);
			gpu_close(gpu);
			munmap(a, size);
		}
	}
	for (size_t i = 0; i < loops; i++) {
		ck_assert_uint_le(region_figure("reserved_bytes"), VRAM);
		sleep_ms(10);
	}
	for (size_t i = 0; i < 4; i++)
		kill_child(pids[i]);
	wait_no_holders(NAME);
	ck_assert_uint_eq(region_figure("reserved_bytes"), 0);
	ck_assert_uint_eq(region_figure("free_bytes"), VRAM);
}
END_TEST

static struct drm_fabric_event read_event(struct gpu *gpu)
{
	struct drm_fabric_event event;

	ck_assert_int_eq(read(gpu->devmem_fd, &event, sizeof(event)), sizeof(event));
	return event;
}

/* Asserts that it is as a handle is whose grant was revoked. */
static void assert_revoked(struct gpu *gpu, char *a)
{
	struct drm_fabric_devmem_residency residency = { .start = (uintptr_t)a, .length_bytes = PAGE };
	struct drm_fabric_devmem_to_system home = { .start = (uintptr_t)a, .length_bytes = PAGE };
	struct drm_fabric_devmem_reach reach = { .owner_fd = gpu->devmem_fd };
	struct drm_fabric_devmem_populate args;
	struct pollfd poll_fd = { .fd = gpu->devmem_fd, .events = POLLIN };
	struct drm_fabric_event event = read_event(gpu);
	int fabric_fd = open_fabric();
	uint64_t id = 0;

	ck_assert_uint_eq(event.type, DRM_FABRIC_EVENT_REVOKED);
	ck_assert_uint_eq(event.reason, DRM_FABRIC_REASON_GRANT);
	ck_assert_int_eq(read(gpu->devmem_fd, &event, sizeof(event)), 0);
	ck_assert_int_eq(poll(&poll_fd, 1, 0), 1);
	ck_assert_int_eq(poll_fd.revents, POLLHUP);
	ck_assert_uint_eq(devmem_info(gpu->devmem_fd).state, DRM_FABRIC_STATE_REVOKED);
	ck_assert_uint_eq(devmem_info(gpu->devmem_fd).free_bytes, 0);
	ck_assert_int_eq(gpu_try_populate(gpu, a, PAGE, 0, &args), -ENODEV);
	ck_assert_int_eq(try_reserve(gpu->devmem_fd, PAGE, NULL), -ENODEV);
	ck_assert_int_ne(try_grant(gpu->devmem_fd, fabric_fd, &id), 0);
	ck_assert(ioctl(gpu->devmem_fd, DRM_FABRIC_DEVMEM_RESIDENCY, &residency) && errno == ENODEV);
	ck_assert(ioctl(gpu->devmem_fd, DRM_FABRIC_DEVMEM_TO_SYSTEM, &home) && errno == ENODEV);
	ck_assert(ioctl(gpu->devmem_fd, DRM_FABRIC_DEVMEM_REACH, &reach) && errno == ENODEV);
	close(fabric_fd);
}

/* proves: of three grants one is taken back: its holders hear of it, its pages go home, and nothing else changes */
START_TEST(one_of_three_grants)
{
	int fabric_fd = open_fabric();
	struct gpu *gpus[4], *mate = region_open();
	struct drm_fabric_devmem_populate args;
	uint64_t ids[4] = {}, left;
	struct holders holders;
	char *a[4], *both;

	for (size_t i = 0; i < 4; i++) {
		struct pollfd poll_fd = { .events = POLLIN };

		gpus[i] = region_open();
		/* The last belongs to none. */
		if (i < 3)
			ck_assert_int_eq(try_grant(gpus[i]->devmem_fd, fabric_fd, &ids[i]), 0);
		reserve(gpus[i]->devmem_fd, 2 * SIZE);
		a[i] = map_memory(SIZE, i % 2);
		pattern_fill(a[i], SIZE, test_seed() + i);
		gpu_populate(gpus[i], a[i], SIZE);
		poll_fd.fd = gpus[i]->devmem_fd;
		ck_assert_int_eq(poll(&poll_fd, 1, 0), 0);
	}
	ck_assert_int_eq(try_grant(mate->devmem_fd, fabric_fd, &ids[1]), 0);
	/* Pages of several grants side by side. */
	both = map_memory(SIZE, false);
	pattern_fill(both, SIZE, test_seed() + 4);
	for (size_t i = 0; i < SIZE; i += 16 * PAGE)
		gpu_populate(i / PAGE % 64 ? gpus[0] : mate, both + i, 16 * PAGE);

	ck_assert_int_eq(try_revoke(fabric_fd, DRM_FABRIC_IOCTL_REVOKE, ids[1], PATIENCE_MS, &left), 0);
	ck_assert_uint_eq(left, 0);
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(gpu_residency(gpus[0], a[i], SIZE).region_bytes, i == 1 ? 0 : SIZE);
	ck_assert_uint_eq(gpu_residency(gpus[0], both, SIZE).region_bytes, SIZE / 4 * 3);
	ck_assert_uint_eq(region_figure("reserved_bytes"), 3 * 2 * SIZE);
	assert_revoked(gpus[1], a[1]);
	assert_revoked(mate, both);
	read_holders(NAME, &holders);
	for (size_t i = 0; i < 4; i++) {
		const struct drm_fabric_holder *row = holder_of_handle(&holders, gpus[i]->devmem_id);

		ck_assert_uint_eq(row->grant_id, ids[i]);
		ck_assert_uint_eq(row->flags, DRM_FABRIC_HOLDER_OPEN | (i == 1 ? DRM_FABRIC_HOLDER_REVOKED : 0));
		ck_assert_uint_eq(row->reserved_bytes, i == 1 ? 0 : 2 * SIZE);
	}
	/* The others go on. Memory that came home can go back through them. */
	for (size_t i = 0; i < 4; i++) {
		if (i == 1)
			continue;
		ck_assert_int_eq(gpu_try_populate(gpus[i], a[i], SIZE, 0, &args), 0);
		ck_assert_uint_eq(args.present_bytes, SIZE);
	}
	gpu_populate(gpus[2], a[1], SIZE);
	/* To revoke it again only waits. */
	ck_assert_int_eq(try_revoke(fabric_fd, DRM_FABRIC_IOCTL_REVOKE, ids[1], PATIENCE_MS, &left), 0);
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(pattern_differs(a[i], SIZE, test_seed() + i), 0);
	ck_assert_uint_eq(pattern_differs(both, SIZE, test_seed() + 4), 0);
	for (size_t i = 0; i < 4; i++) {
		munmap(a[i], SIZE);
		gpu_close(gpus[i]);
	}
	munmap(both, SIZE);
	gpu_close(mate);
	close(fabric_fd);
}
END_TEST

/* proves: only who gave a grant through this very file, or an administrator, takes it back; only who opened a handle gives it */
START_TEST(whose_grant_it_is)
{
	int giver = open_fabric(), other = open_fabric(), admin = open_admin();
	struct gpu *gpu = region_open(), *second = region_open(), *third = region_open();
	uint64_t id = 0, none = 0, unknown = 1ull << 60;
	pid_t pid;

	pid = fork_child();
	if (!pid)
		_exit(try_grant(gpu->devmem_fd, giver, &none) == -EPERM ? 0 : 1);
	wait_child(pid);
	ck_assert_int_eq(try_grant(gpu->devmem_fd, -1, &none), -EBADF);
	ck_assert_int_eq(try_grant(gpu->devmem_fd, admin, &none), -EBADFD);
	ck_assert_int_eq(try_grant(gpu->devmem_fd, second->devmem_fd, &none), -EBADFD);
	ck_assert_int_eq(try_grant(gpu->devmem_fd, giver, &unknown), -ENOENT);
	ck_assert_int_eq(try_grant(gpu->devmem_fd, giver, &id), 0);
	ck_assert_uint_ne(id, 0);
	ck_assert_int_eq(try_grant(gpu->devmem_fd, giver, &none), -EALREADY);
	ck_assert_int_eq(try_grant(second->devmem_fd, other, &id), -ENOENT);
	ck_assert_int_eq(try_grant(second->devmem_fd, giver, &id), 0);
	ck_assert_int_eq(try_revoke(other, DRM_FABRIC_IOCTL_REVOKE, id, 0, NULL), -EPERM);
	ck_assert_int_eq(try_revoke(giver, DRM_FABRIC_IOCTL_REVOKE, unknown, 0, NULL), -ENOENT);
	ck_assert_int_eq(try_revoke(giver, DRM_FABRIC_ADMIN_REVOKE, id, 0, NULL), -ENOTTY);
	ck_assert_int_eq(try_revoke(admin, DRM_FABRIC_IOCTL_REVOKE, id, 0, NULL), -ENOTTY);
	/* The same open file in another process is the giver, too. */
	pid = fork_child();
	if (!pid)
		_exit(try_revoke(giver, DRM_FABRIC_IOCTL_REVOKE, id, PATIENCE_MS, NULL) ? 1 : 0);
	wait_child(pid);
	ck_assert_uint_eq(devmem_info(gpu->devmem_fd).state, DRM_FABRIC_STATE_REVOKED);
	ck_assert_uint_eq(devmem_info(second->devmem_fd).state, DRM_FABRIC_STATE_REVOKED);
	/* What is revoked cannot be joined. */
	ck_assert_int_eq(try_grant(third->devmem_fd, giver, &id), -ENOENT);

	id = 0;
	ck_assert_int_eq(try_grant(third->devmem_fd, giver, &id), 0);
	close(giver);
	/* A file that is opened now is another's. */
	giver = open_fabric();
	ck_assert_int_eq(try_revoke(giver, DRM_FABRIC_IOCTL_REVOKE, id, 0, NULL), -EPERM);
	ck_assert_uint_eq(devmem_info(third->devmem_fd).state, DRM_FABRIC_STATE_ONLINE);
	ck_assert_int_eq(try_revoke(admin, DRM_FABRIC_ADMIN_REVOKE, id, PATIENCE_MS, NULL), 0);
	ck_assert_uint_eq(devmem_info(third->devmem_fd).state, DRM_FABRIC_STATE_REVOKED);
	gpu_close(gpu);
	gpu_close(second);
	gpu_close(third);
	ck_assert_int_eq(try_revoke(admin, DRM_FABRIC_ADMIN_REVOKE, id, 0, NULL), -ENOENT);
	close(giver);
	close(other);
	close(admin);
}
END_TEST

/* proves: what children have inherited, moved and shared comes home, too, and with it what is large */
START_TEST(revoke_reaches_children)
{
	int fabric_fd = open_fabric(), ready[2], go[2];
	struct gpu *gpu = region_open();
	uint64_t id = 0, left;
	pid_t pid;
	char byte;

	ck_assert(!pipe(ready) && !pipe(go));
	ck_assert_int_eq(try_grant(gpu->devmem_fd, fabric_fd, &id), 0);
	pid = fork_child();
	if (!pid) {
		char *a = map_memory(SIZE, _i), *b;
		pid_t child;

		pattern_fill(a, SIZE, test_seed());
		gpu_populate(gpu, a, SIZE);
		/* The second half lies elsewhere. */
		b = map_memory(SIZE / 2, _i);
		ck_assert_ptr_eq(mremap(a + SIZE / 2, SIZE / 2, SIZE / 2, MREMAP_MAYMOVE | MREMAP_FIXED, b), b);
		child = fork();
		if (child)
			_exit(0);
		ck_assert_int_eq(write(ready[1], "x", 1), 1);
		ck_assert_int_eq(read(go[0], &byte, 1), 1);
		ck_assert_uint_eq(gpu_residency(region_open(), a, SIZE / 2).region_bytes, 0);
		memcpy(map_memory(SIZE, false), a, SIZE / 2);
		mremap(b, SIZE / 2, SIZE / 2, MREMAP_MAYMOVE | MREMAP_FIXED, a + SIZE / 2);
		ck_assert_int_eq(write(ready[1], pattern_differs(a, SIZE, test_seed()) ? "n" : "y", 1), 1);
		_exit(0);
	}
	wait_child(pid);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	region_wait("inherited_bytes", SIZE);
	ck_assert_int_eq(try_revoke(fabric_fd, DRM_FABRIC_IOCTL_REVOKE, id, PATIENCE_MS, &left), 0);
	ck_assert_uint_eq(left, 0);
	ck_assert_uint_eq(region_figure("inherited_bytes"), 0);
	ck_assert_int_eq(write(go[1], "x", 1), 1);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	ck_assert_int_eq(byte, 'y');
	gpu_close(gpu);
	close(fabric_fd);
}
END_TEST

static void *populate_until_revoked(void *arg)
{
	struct gpu *gpu = arg;
	struct drm_fabric_devmem_populate args;
	char *a = filled(SIZE, true);
	intptr_t r;

	do {
		r = gpu_try_populate(gpu, a, SIZE, 0, &args);
		((volatile char *)a)[test_random(&(uint64_t){ now_ms() }) % SIZE];
	} while (!r);
	ck_assert_uint_eq(words_differ(a, SIZE, 0x0101010101010101), 0);
	munmap(a, SIZE);
	return (void *)r;
}

/* proves: a revoke in the middle of populates ends them, and leaves nothing behind; others go on placing meanwhile */
START_TEST(revoke_while_they_populate)
{
	int fabric_fd = open_fabric();
	struct gpu *stays = region_open();
	char *a = filled(SIZE, true);

	for (size_t i = 0; i < test_loops(10, 200); i++) {
		struct gpu *gpu = region_open();
		uint64_t id = 0, left = 1;
		pthread_t threads[2];
		void *result;

		ck_assert_int_eq(try_grant(gpu->devmem_fd, fabric_fd, &id), 0);
		for (size_t j = 0; j < 2; j++)
			ck_assert(!pthread_create(&threads[j], NULL, populate_until_revoked, gpu));
		gpu_populate(stays, a, SIZE);
		sleep_ms(20);
		ck_assert_int_eq(try_revoke(fabric_fd, DRM_FABRIC_IOCTL_REVOKE, id, PATIENCE_MS, &left), 0);
		ck_assert_uint_eq(left, 0);
		for (size_t j = 0; j < 2; j++) {
			ck_assert(!pthread_join(threads[j], &result));
			ck_assert_int_eq((intptr_t)result, -ENODEV);
		}
		ck_assert_uint_eq(devmem_info(gpu->devmem_fd).resident_bytes, 0);
		ck_assert_uint_eq(gpu_residency(stays, a, SIZE).region_bytes, SIZE);
		gpu_close(gpu);
	}
	munmap(a, SIZE);
	gpu_close(stays);
	close(fabric_fd);
}
END_TEST

/* Asks for a promise again and again. Returns what ended that. */
static void *reserve_until_revoked(void *arg)
{
	int fd = *(int *)arg;
	uint64_t bytes = 0;
	intptr_t r;

	do {
		bytes = bytes % (4 * PAGE) + PAGE;
		r = try_reserve(fd, bytes, NULL);
	} while (!r);
	return (void *)r;
}

/* proves: nothing is promised to a handle that is taken back at this moment */
START_TEST(revoke_while_they_reserve)
{
	size_t loops = test_loops(3000, 30000);
	int fabric_fd = open_fabric();
	struct gpu *gpu = gpu_open_name(NAME);

	for (size_t i = 0; i < loops; i++) {
		uint64_t id = 0;
		pthread_t thread;
		void *result;

		gpu_open_devmem(gpu);
		ck_assert_int_eq(try_grant(gpu->devmem_fd, fabric_fd, &id), 0);
		ck_assert(!pthread_create(&thread, NULL, reserve_until_revoked, &gpu->devmem_fd));
		while (!region_figure("reserved_bytes"))
			;
		ck_assert_int_eq(try_revoke(fabric_fd, DRM_FABRIC_IOCTL_REVOKE, id, 0, NULL), 0);
		ck_assert(!pthread_join(thread, &result));
		ck_assert_int_eq((intptr_t)result, -ENODEV);
		ck_assert_msg(!region_figure("reserved_bytes"), "round %zu of %zu", i, loops);
		close(gpu->devmem_fd);
	}
	gpu->devmem_fd = -1;
	gpu_close(gpu);
	close(fabric_fd);
}
END_TEST

/* proves: who waits for memory to come home does not wait for what is lost with the device */
START_TEST(revoke_ends_with_a_lost_device)
{
	int fabric_fd = open_fabric();
	struct gpu *gpu = region_open();
	char *a = filled(SIZE, true);
	uint64_t id = 0, start, left = 1;
	pid_t pid;

	ck_assert_int_eq(try_grant(gpu->devmem_fd, fabric_fd, &id), 0);
	gpu_populate(gpu, a, SIZE);
	gpu_fault(gpu, "fail_copy_nth", 1);
	pid = fork_child();
	if (!pid) {
		sleep_ms(500);
		gpu_fault(gpu, "vanish", 1);
		_exit(0);
	}
	start = now_ms();
	ck_assert_int_eq(try_revoke(fabric_fd, DRM_FABRIC_IOCTL_REVOKE, id, PATIENCE_MS, &left), 0);
	ck_assert_uint_lt(now_ms() - start, PATIENCE_MS / 4);
	ck_assert_uint_eq(left, 0);
	wait_child(pid);
	munmap(a, SIZE);
	gpu_close(gpu);
	close(fabric_fd);
}
END_TEST

/* proves: an engine that does not copy holds a revoke up, and costs no data: it ends when the engine works again */
START_TEST(revoke_loses_nothing)
{
	int fabric_fd = open_fabric();
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, _i);
	uint64_t id = 0, left;

	gpu_open_devmem(gpu);
	ck_assert_int_eq(try_grant(gpu->devmem_fd, fabric_fd, &id), 0);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	gpu_fault(gpu, "fail_copy_nth", 1);
	ck_assert_int_eq(try_revoke(fabric_fd, DRM_FABRIC_IOCTL_REVOKE, id, 4000, &left), -ETIMEDOUT);
	ck_assert_uint_eq(left, SIZE);
	ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/dead_bytes"), 0);
	gpu_fault(gpu, "fail_copy_nth", 0);
	ck_assert_int_eq(try_revoke(fabric_fd, DRM_FABRIC_IOCTL_REVOKE, id, PATIENCE_MS, &left), 0);
	ck_assert_uint_eq(left, 0);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	munmap(a, SIZE);
	gpu_close(gpu);
	close(fabric_fd);
}
END_TEST

/* proves: a grant may be revoked before, while and after its device goes, and comes back: no event but one, none of its coming back */
START_TEST(revoke_while_it_goes)
{
	int fabric_fd = open_fabric();
	char *a = map_memory(SIZE, true);

	pattern_fill(a, SIZE, test_seed());
	for (size_t i = 0; i < test_loops(12, 100); i++) {
		struct gpu *gpu = region_open();
		struct drm_fabric_event event;
		unsigned int n_ends = 0;
		uint64_t id = 0;
		pid_t pid;

		ck_assert_int_eq(try_grant(gpu->devmem_fd, fabric_fd, &id), 0);
		reserve(gpu->devmem_fd, SIZE);
		gpu_populate(gpu, a, SIZE);
		pid = fork_child();
		if (!pid) {
			sleep_ms(i % 4 * 5);
			gpu_bus("del_device", "0");
			_exit(0);
		}
		sleep_ms(i % 3 * 5);
		ck_assert_int_eq(try_revoke(fabric_fd, DRM_FABRIC_IOCTL_REVOKE, id, PATIENCE_MS, NULL), 0);
		wait_child(pid);
		gpu_bus("new_device", "0 %zu", VRAM);
		while (read(gpu->devmem_fd, &event, sizeof(event)) > 0) {
			ck_assert_uint_ne(event.type, DRM_FABRIC_EVENT_BACK);
			n_ends += event.type == DRM_FABRIC_EVENT_REVOKED;
		}
		ck_assert_uint_eq(n_ends, 1);
		ck_assert_uint_eq(devmem_info(gpu->devmem_fd).resident_bytes, 0);
		gpu_close(gpu);
		ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	}
	munmap(a, SIZE);
	close(fabric_fd);
}
END_TEST

static void many_grants(struct gpu *gpu, unsigned int n)
{
	int fabric_fd = open_fabric(), *fds = calloc(n, sizeof(*fds));
	uint64_t id = 0;

	for (unsigned int i = 0; i < n; i++) {
		id = 0;
		ck_assert_int_eq(gpu_try_open_devmem(gpu), 0);
		fds[i] = gpu->devmem_fd;
		ck_assert_int_eq(try_grant(fds[i], fabric_fd, &id), 0);
	}
	ck_assert_int_eq(gpu_try_open_devmem(gpu), -EDQUOT);
	ck_assert_int_eq(try_revoke(fabric_fd, DRM_FABRIC_IOCTL_REVOKE, id, PATIENCE_MS, NULL), 0);
	/* With the last handle the grant goes; a file that gave many ends with them. */
	close(fds[n - 1]);
	ck_assert_int_eq(try_revoke(fabric_fd, DRM_FABRIC_IOCTL_REVOKE, id, 0, NULL), -ENOENT);
	close(fabric_fd);
}

/* proves: a uid has as many grants as handles, and they go with the process */
START_TEST(many)
{
	struct gpu *gpu = gpu_open_name(NAME);
	pid_t pid;

	write_file("/sys/module/drm_fabric/parameters/max_handles_per_uid", "500");
	for (int i = 0; i < 2; i++) {
		pid = fork_child();
		if (!pid) {
			ck_assert(!setgid(STRANGER) && !setuid(STRANGER));
			many_grants(gpu, 500);
			_exit(0);
		}
		wait_child(pid);
	}
	gpu_close(gpu);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reserve");
	TCase *tcase = tcase_create("reserve");

	test_seed();
	gpu_load();
	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, two_of_one_region);
	tcase_add_test(tcase, no_more_than_promised);
	tcase_add_test(tcase, others_leave_it);
	tcase_add_test(tcase, survives_a_cancelled_removal);
	tcase_add_test(tcase, uid_limit);
	tcase_add_test(tcase, storm);
	tcase_add_test(tcase, one_of_three_grants);
	tcase_add_test(tcase, whose_grant_it_is);
	tcase_add_loop_test(tcase, revoke_reaches_children, 0, 2);
	tcase_add_test(tcase, revoke_while_they_populate);
	tcase_add_loop_test(tcase, revoke_loses_nothing, 0, 2);
	tcase_add_test(tcase, revoke_ends_with_a_lost_device);
	tcase_add_test(tcase, revoke_while_it_goes);
	tcase_add_test(tcase, many);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("races");
	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, kept_beside_the_drivers);
	tcase_add_test(tcase, revoke_while_they_reserve);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}

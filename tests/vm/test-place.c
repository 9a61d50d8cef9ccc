// SPDX-License-Identifier: MIT
/* Where memory goes when a device misses it and its process prefers a place: seen by what devices use, and by residency. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "account.h"
#include "prefer.h"
#include "worker.h"

#define STRANGER 65534
#define SIZE (2 * MIB)
#define FEW (16 * PAGE)
#define KIB 1024

static const bool huge_or_not[] = { false, true };

/* Memory with data. */
static char *memory(size_t size, bool huge)
{
	char *a = map_memory(size, huge);

	pattern_fill(a, size, test_seed());
	return a;
}

/* @gpu reads all of it, and finds so many bytes in its own memory, a peer's, and the machine's. Returns its faults. */
static uint64_t check_read(struct gpu *gpu, const void *a, size_t size, size_t local, size_t peer)
{
	struct drm_softgpu_exec e = gpu_exec(gpu, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, size, 0);

	ck_assert_uint_eq(e.local_bytes, local);
	ck_assert_uint_eq(e.peer_bytes, peer);
	ck_assert_uint_eq(e.system_bytes, size - local - peer);
	return e.faults;
}

/* Its data is right; comes home. */
static void check_data(const void *a, size_t size)
{
	ck_assert_uint_eq(pattern_differs(a, size, test_seed()), 0);
}

static uint64_t gpu_peer_bytes(struct gpu *gpu)
{
	struct drm_softgpu_info info = {};

	ck_assert(!ioctl(gpu->render_fd, DRM_IOCTL_SOFTGPU_INFO, &info));
	return info.peer_bytes;
}

/* proves: nothing moves until a device misses it; then it goes to the first place; what is mapped already, too */
START_TEST(first_place)
{
	struct places p;
	uint64_t before;
	char *a;

	places_init(&p, 2);
	a = memory(SIZE, huge_or_not[_i]);
	/* Without a preference as ever. */
	check_read(p.gpus[0], a, SIZE, 0, 0);
	check_resident(&p, a, SIZE, "S 2048");
	prefer(&p, a, SIZE, "BA");
	check_status(p.gpus[0], a, "*+");
	check_resident(&p, a, SIZE, "S 2048");
	before = gpu_peer_bytes(p.gpus[0]);
	check_read(p.gpus[0], a, SIZE, 0, SIZE);
	ck_assert_uint_eq(gpu_peer_bytes(p.gpus[0]) - before, SIZE);
	check_resident(&p, a, SIZE, "B 2048");
	/* The other order, over what is there. */
	prefer(&p, a, SIZE, "AB");
	check_resident(&p, a, SIZE, "B 2048");
	check_read(p.gpus[1], a, SIZE, 0, SIZE);
	check_resident(&p, a, SIZE, "A 2048");
	check_read(p.gpus[0], a, SIZE, SIZE, 0);
	/* It is placed through the handle of the list. */
	ck_assert_uint_eq(gpu_figure(p.gpus[0], "regions/vram0/resident_bytes"), SIZE);
	/* What the CPU takes home goes back when it is missed again. */
	check_data(a, SIZE);
	check_resident(&p, a, SIZE, "S 2048");
	check_read(p.gpus[1], a, SIZE, 0, SIZE);
	check_resident(&p, a, SIZE, "A 2048");
	/* Home. */
	prefer(&p, a, SIZE, "SA");
	check_resident(&p, a, SIZE, "A 2048");
	check_read(p.gpus[0], a, SIZE, 0, 0);
	check_resident(&p, a, SIZE, "S 2048");
	/* Forgotten: it stays. */
	prefer(&p, a, SIZE, "A");
	check_read(p.gpus[0], a, SIZE, SIZE, 0);
	prefer(&p, a, SIZE, "");
	check_read(p.gpus[0], a, SIZE, SIZE, 0);
	check_read(p.gpus[1], a, SIZE, 0, SIZE);
	check_data(a, SIZE);
	/* What was never touched is made where it belongs. */
	ck_assert(!madvise(a, SIZE, MADV_DONTNEED));
	prefer(&p, a, SIZE, "B");
	gpu_exec(p.gpus[1], DRM_SOFTGPU_OP_FILL, a, NULL, SIZE, 7);
	check_resident(&p, a, SIZE, "B 2048");
	ck_assert_uint_eq(words_differ(a, SIZE, 7), 0);
	places_fini(&p);
}
END_TEST

/* proves: a place that is full keeps what it has and lets the rest go on to the next, page by page */
START_TEST(full)
{
	struct drm_fabric_devmem_populate args;
	struct gpu hog = { .devmem_fd = -1 };
	struct places p;
	char *a, *b;

	places_init(&p, 2);
	hog.render_fd = p.gpus[0]->render_fd;
	gpu_open_devmem(&hog);
	/* All but 1 MiB and a page. */
	b = memory(PLACES_VRAM, false);
	ck_assert_int_eq(gpu_try_populate(&hog, b, PLACES_VRAM - MIB - PAGE, 0, &args), 0);
	a = memory(SIZE, huge_or_not[_i]);
	prefer(&p, a, SIZE, "AB");
	check_status(p.gpus[0], a, "*+");
	check_read(p.gpus[0], a, SIZE, MIB + PAGE, SIZE - MIB - PAGE);
	check_resident(&p, a, SIZE, "A 1028, B 1020");
	check_status(p.gpus[0], a, "f*");
	check_status(NULL, a, "f*");
	/* That stands. */
	ck_assert_uint_eq(check_read(p.gpus[0], a, SIZE, MIB + PAGE, SIZE - MIB - PAGE), 0);
	prefer(&p, a, SIZE, "ABS");
	check_read(p.gpus[0], a, SIZE, MIB + PAGE, SIZE - MIB - PAGE);
	/* Without a next place it stays where it is. */
	check_data(a, SIZE);
	ck_assert_int_eq(gpu_try_populate(&hog, b, PLACES_VRAM - PAGE, 0, &args), 0);
	prefer(&p, a, SIZE, "A");
	check_read(p.gpus[0], a, SIZE, PAGE, 0);
	check_resident(&p, a, SIZE, "A 4, S 2044");
	/* There is room again. */
	close(hog.devmem_fd);
	ck_assert(!munmap(b, PLACES_VRAM));
	prefer(&p, a, SIZE, "A");
	check_status(p.gpus[0], a, "*");
	check_read(p.gpus[0], a, SIZE, SIZE, 0);
	check_data(a, SIZE);
	places_fini(&p);
}
END_TEST

/* proves: what is promised to others is no room, neither through a handle nor for LOCAL; what is promised to the list's own
 * handle is all that goes through it */
START_TEST(promised)
{
	struct gpu hog = { .devmem_fd = -1 };
	struct places p;
	char *a;

	places_init(&p, 2);
	hog.render_fd = p.gpus[0]->render_fd;
	gpu_open_devmem(&hog);
	reserve(hog.devmem_fd, PLACES_VRAM - MIB);
	a = memory(SIZE, huge_or_not[_i]);
	prefer(&p, a, SIZE, "AB");
	check_status(p.gpus[1], a, "*+");
	check_read(p.gpus[1], a, SIZE, SIZE - MIB, MIB);
	check_resident(&p, a, SIZE, "A 1024, B 1024");
	check_status(p.gpus[1], a, "f*");
	check_data(a, SIZE);
	reserve(hog.devmem_fd, PLACES_VRAM);
	prefer(&p, a, SIZE, "LB");
	check_status(p.gpus[0], a, "f*");
	check_read(p.gpus[0], a, SIZE, 0, SIZE);
	check_data(a, SIZE);
	/* Given up, it is room again. */
	reserve(hog.devmem_fd, 0);
	prefer(&p, a, SIZE, "LB");
	check_status(p.gpus[0], a, "*+");
	check_read(p.gpus[0], a, SIZE, SIZE, 0);
	check_data(a, SIZE);
	/* The list's own. */
	reserve(p.gpus[0]->devmem_fd, SIZE / 4);
	prefer(&p, a, SIZE, "AB");
	check_read(p.gpus[1], a, SIZE, SIZE - SIZE / 4, SIZE / 4);
	check_status(p.gpus[1], a, "f*");
	check_data(a, SIZE);
	close(hog.devmem_fd);
	places_fini(&p);
}
END_TEST

/* proves: a handle that was taken back is passed over, and what was placed through it comes home and goes on to the next */
START_TEST(grant_revoked)
{
	struct places p;
	uint64_t id = 0, left;
	char *a, *b;
	int giver;

	places_init(&p, 2);
	giver = open_fabric();
	ck_assert_int_eq(try_grant(p.gpus[0]->devmem_fd, giver, &id), 0);
	a = memory(SIZE, huge_or_not[_i]);
	b = memory(SIZE, huge_or_not[_i]);
	prefer(&p, a, SIZE, "AB");
	prefer(&p, b, SIZE, "A");
	check_read(p.gpus[0], a, SIZE, SIZE, 0);
	check_read(p.gpus[0], b, SIZE, SIZE, 0);
	ck_assert_int_eq(try_revoke(giver, DRM_FABRIC_IOCTL_REVOKE, id, 30000, &left), 0);
	ck_assert_uint_eq(left, 0);
	check_resident(&p, a, SIZE, "S 2048");
	check_status(p.gpus[1], a, "g*");
	check_status(NULL, b, "g");
	check_read(p.gpus[0], a, SIZE, 0, SIZE);
	check_resident(&p, a, SIZE, "B 2048");
	/* Nothing else is preferred: it stays where it is. */
	check_read(p.gpus[0], b, SIZE, 0, 0);
	check_data(a, SIZE);
	check_data(b, SIZE);
	close(giver);
	places_fini(&p);
}
END_TEST

/* proves: a device that drains, or has gone, is passed over; called back it is taken again */
START_TEST(draining_and_gone)
{
	struct places p;
	char *a;

	places_init(&p, 2);
	a = memory(SIZE, huge_or_not[_i]);
	prefer(&p, a, SIZE, "AB");
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_DRAIN, "softgpu0", 0), 0);
	check_status(p.gpus[1], a, "d*");
	check_read(p.gpus[1], a, SIZE, SIZE, 0);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, "softgpu0", 0), 0);
	check_status(p.gpus[1], a, "*+");
	check_data(a, SIZE);
	check_read(p.gpus[1], a, SIZE, 0, SIZE);
	check_resident(&p, a, SIZE, "A 2048");
	/* Evicted and offline. */
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, "softgpu0", 30000), 0);
	check_status(p.gpus[1], a, "d*");
	check_read(p.gpus[1], a, SIZE, SIZE, 0);
	gpu_bus("del_device", "0");
	check_status(p.gpus[1], a, "g*");
	check_status(NULL, a, "g*");
	prefer(&p, a, SIZE, "A");
	check_read(p.gpus[1], a, SIZE, SIZE, 0);
	check_data(a, SIZE);
	check_read(p.gpus[1], a, SIZE, 0, 0);
	places_fini(&p);
}
END_TEST

/* proves: what the accessor does not reach is passed over; a link that comes is used at the next miss */
START_TEST(unreachable)
{
	struct places p;
	char *a;

	places_init(&p, 3);
	a = memory(SIZE, huge_or_not[_i]);
	prefer(&p, a, SIZE, "AC");
	check_status(NULL, a, "*+");
	check_status(p.gpus[0], a, "*u");
	check_status(p.gpus[2], a, "u*");
	check_read(p.gpus[2], a, SIZE, SIZE, 0);
	prefer(&p, a, SIZE, "A");
	check_status(p.gpus[2], a, "u");
	check_read(p.gpus[2], a, SIZE, SIZE, 0);
	check_data(a, SIZE);
	check_read(p.gpus[2], a, SIZE, 0, 0);
	check_resident(&p, a, SIZE, "S 2048");
	/* The other one has it, then this one needs it: it stays home, and nobody asks again. */
	check_read(p.gpus[0], a, SIZE, SIZE, 0);
	check_read(p.gpus[2], a, SIZE, 0, 0);
	check_read(p.gpus[0], a, SIZE, 0, 0);
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(check_read(p.gpus[i % 2 * 2], a, SIZE, 0, 0), 0);
	check_resident(&p, a, SIZE, "S 2048");
	gpu_bus("link", "softgpu2 softgpu0 cxl 1000 1000");
	check_status(p.gpus[2], a, "*");
	check_data(a, SIZE);
	ck_assert(!madvise(a, SIZE, MADV_DONTNEED));
	check_read(p.gpus[2], a, SIZE, 0, SIZE);
	check_resident(&p, a, SIZE, "A 2048");
	places_fini(&p);
}
END_TEST

/* proves: LOCAL is the memory of who touches it first, and of linked devices no other takes it away; of devices that are not,
 * it ends in system memory */
START_TEST(local)
{
	struct places p;
	char *a, *b;

	places_init(&p, 3);
	a = memory(SIZE, huge_or_not[_i]);
	b = memory(SIZE, huge_or_not[_i]);
	prefer(&p, a, SIZE, "LS");
	check_status(p.gpus[2], a, "*+");
	check_read(p.gpus[0], a, SIZE, SIZE, 0);
	for (size_t i = 0; i < 3; i++) {
		uint64_t faults = check_read(p.gpus[1], a, SIZE, 0, SIZE);

		ck_assert_uint_eq(!faults, i > 0);
		ck_assert_uint_eq(check_read(p.gpus[0], a, SIZE, SIZE, 0), 0);
	}
	check_resident(&p, a, SIZE, "A 2048");
	prefer(&p, b, SIZE, "L");
	check_read(p.gpus[0], b, SIZE, SIZE, 0);
	check_read(p.gpus[2], b, SIZE, SIZE, 0);
	check_resident(&p, b, SIZE, "C 2048");
	check_read(p.gpus[0], b, SIZE, 0, 0);
	check_read(p.gpus[2], b, SIZE, 0, 0);
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(check_read(p.gpus[i % 2 * 2], b, SIZE, 0, 0), 0);
	check_resident(&p, b, SIZE, "S 2048");
	/* The CPU is no such device: what it takes home goes back. */
	check_data(a, SIZE);
	check_read(p.gpus[0], a, SIZE, SIZE, 0);
	/* The address space's own handle goes with it, its memory does not. */
	gpu_close(p.gpus[0]);
	p.gpus[0] = gpu_open_name("softgpu0");
	gpu_open_devmem(p.gpus[0]);
	check_resident(&p, a, SIZE, "A 2048");
	check_data(a, SIZE);
	places_fini(&p);
}
END_TEST

/* proves: a preference ends at its last byte: no page beside it moves, and each goes to its own place */
START_TEST(boundaries)
{
	static const struct {
		size_t first, end;
	} ranges[] = {
		{ 0, 1 }, { 511, 512 }, { 1, 511 }, { 17, 18 }, { 15, 33 }, { 16, 32 }, { 3, 500 }, { 500, 530 }
	};
	char expected[64];
	struct places p;
	size_t in;
	char *a;

	places_init(&p, 2);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
		a = memory(2 * SIZE, huge_or_not[_i]);
		/* A range that the device has mapped as a whole already, every other time. */
		if (i % 2)
			check_read(p.gpus[0], a, 2 * SIZE, 0, 0);
		in = ranges[i].end - ranges[i].first;
		prefer(&p, a + ranges[i].first * PAGE, in * PAGE, "A");
		check_read(p.gpus[0], a, 2 * SIZE, in * PAGE, 0);
		snprintf(expected, sizeof(expected), "A %zu, S %zu", in * 4, (1024 - in) * 4);
		check_resident(&p, a, 2 * SIZE, expected);
		snprintf(expected, sizeof(expected), "A %zu", in * 4);
		check_resident(&p, a + ranges[i].first * PAGE, in * PAGE, expected);
		check_data(a, 2 * SIZE);
		ck_assert(!munmap(a, 2 * SIZE));
	}
	a = memory(SIZE, huge_or_not[_i]);
	for (size_t i = 0; i < 512; i += 7)
		prefer(&p, a + i * PAGE, (i + 7 > 512 ? 512 - i : 7) * PAGE, i % 3 == 0 ? "A" : i % 3 == 1 ? "B" : "S");
	gpu_exec(p.gpus[0], DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0);
	for (size_t i = 0; i < 511; i += 7)
		check_resident(&p, a + i * PAGE, 7 * PAGE, i % 3 == 0 ? "A 28" : i % 3 == 1 ? "B 28" : "S 28");
	check_data(a, SIZE);
	places_fini(&p);
}
END_TEST

/* proves: what cannot move is used where it is, and not tried again and again */
START_TEST(immovable)
{
	struct places p;
	char *a, *b;

	places_init(&p, 1);
	a = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(a != MAP_FAILED);
	pattern_fill(a, SIZE, test_seed());
	prefer(&p, a, SIZE, "A");
	check_read(p.gpus[0], a, SIZE, 0, 0);
	check_resident(&p, a, SIZE, "S 2048");
	ck_assert_uint_eq(check_read(p.gpus[0], a, SIZE, 0, 0), 0);
	/* A copy engine that fails fails no access. */
	b = memory(SIZE, true);
	prefer(&p, b, SIZE, "A");
	gpu_fault(p.gpus[0], "fail_copy_nth", 1);
	check_read(p.gpus[0], b, SIZE, 0, 0);
	gpu_fault(p.gpus[0], "fail_copy_nth", 0);
	check_data(b, SIZE);
	prefer(&p, b, SIZE, "A");
	check_read(p.gpus[0], b, SIZE, SIZE, 0);
	check_data(b, SIZE);
	places_fini(&p);
}
END_TEST

/* proves: bytes that a device places count for whoever opened the handle, or made the address space: a worker is not exempt */
START_TEST(limits)
{
	struct drm_softgpu_vm_create create = {};
	struct gpu *mine[2];
	struct places p;
	pid_t pid;

	places_init(&p, 2);
	/* Who may open them is another matter. */
	mine[0] = gpu_open_bare("softgpu0");
	mine[1] = gpu_open_bare("softgpu1");
	write_file("/sys/module/drm_fabric/parameters/max_bytes_per_uid", "1048576");
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		char *a = memory(SIZE, huge_or_not[_i]);

		ck_assert(!setgid(STRANGER));
		ck_assert(!setuid(STRANGER));
		for (size_t i = 0; i < 2; i++) {
			p.gpus[i] = mine[i];
			ck_assert(!ioctl(mine[i]->render_fd, DRM_IOCTL_SOFTGPU_VM_CREATE, &create));
			gpu_open_devmem(mine[i]);
		}
		prefer(&p, a, SIZE, "AB");
		check_read(p.gpus[0], a, SIZE, MIB, 0);
		check_resident(&p, a, SIZE, "A 1024, S 1024");
		check_status(p.gpus[0], a, "ff");
		check_data(a, SIZE);
		prefer(&p, a, SIZE, "L");
		check_read(p.gpus[1], a, SIZE, MIB, 0);
		check_resident(&p, a, SIZE, "B 1024, S 1024");
		_exit(0);
	}
	wait_child(pid);
	write_file("/sys/module/drm_fabric/parameters/max_bytes_per_uid", "0");
	gpu_close(mine[0]);
	gpu_close(mine[1]);
	places_fini(&p);
}
END_TEST

static void within_the_promise(struct places *p)
{
	char *a = memory(SIZE, false);

	for (size_t i = 0; i < 2; i++) {
		struct drm_softgpu_vm_create create = {};

		ck_assert(!ioctl(p->gpus[i]->render_fd, DRM_IOCTL_SOFTGPU_VM_CREATE, &create));
		gpu_open_devmem(p->gpus[i]);
	}
	reserve(p->gpus[0]->devmem_fd, MIB);
	ck_assert_int_eq(try_reserve(p->gpus[1]->devmem_fd, PAGE, NULL), -EDQUOT);
	prefer(p, a, SIZE, "AB");
	check_status(p->gpus[0], a, "*f");
	check_read(p->gpus[0], a, SIZE, MIB, 0);
	check_resident(p, a, SIZE, "A 1024, S 1024");
	check_status(p->gpus[0], a, "ff");
	check_data(a, SIZE);
}

/* proves: a uid that has promised itself all that it may have can place it: it is on its account already */
START_TEST(promised_up_to_the_limit)
{
	struct gpu *mine[2];
	struct places p;
	pid_t pid;

	places_init(&p, 2);
	mine[0] = gpu_open_bare("softgpu0");
	mine[1] = gpu_open_bare("softgpu1");
	write_file("/sys/module/drm_fabric/parameters/max_bytes_per_uid", "1048576");
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		ck_assert(!setgid(STRANGER));
		ck_assert(!setuid(STRANGER));
		p.gpus[0] = mine[0];
		p.gpus[1] = mine[1];
		within_the_promise(&p);
		_exit(0);
	}
	wait_child(pid);
	write_file("/sys/module/drm_fabric/parameters/max_bytes_per_uid", "0");
	gpu_close(mine[0]);
	gpu_close(mine[1]);
	places_fini(&p);
}
END_TEST

/* The row that is not a handle's of @p. NULL: there is none. */
static const struct drm_fabric_holder *local_row(const struct places *p, const struct holders *holders)
{
	for (size_t i = 0; i < holders->head.n_holders; i++) {
		const struct drm_fabric_holder *row = &holders->rows[i];
		bool known = false;

		for (size_t j = 0; j < p->n; j++)
			known |= row->devmem_id == p->gpus[j]->devmem_id;
		if (row->kind == DRM_FABRIC_HOLDER_HANDLE && !known)
			return row;
	}
	return NULL;
}

/* proves: what LOCAL places is in the name of who made the device's address space, and nobody has that open */
START_TEST(local_holder)
{
	const struct drm_fabric_holder *row;
	struct holders holders;
	struct places p;
	char *a;

	places_init(&p, 1);
	a = memory(SIZE, huge_or_not[_i]);
	prefer(&p, a, SIZE, "L");
	check_read(p.gpus[0], a, SIZE, SIZE, 0);
	read_holders("softgpu0", &holders);
	row = local_row(&p, &holders);
	ck_assert_ptr_nonnull(row);
	ck_assert_int_eq(row->pid, getpid());
	ck_assert_uint_eq(row->flags, 0);
	ck_assert_uint_eq(row->bytes, SIZE);
	/* Without memory behind it, it is none. */
	check_data(a, SIZE);
	read_holders("softgpu0", &holders);
	ck_assert_ptr_null(local_row(&p, &holders));
	check_read(p.gpus[0], a, SIZE, SIZE, 0);
	gpu_close(p.gpus[0]);
	p.gpus[0] = gpu_open_name("softgpu0");
	gpu_open_devmem(p.gpus[0]);
	read_holders("softgpu0", &holders);
	row = local_row(&p, &holders);
	ck_assert_ptr_nonnull(row);
	ck_assert_uint_eq(row->flags, 0);
	check_data(a, SIZE);
	read_holders("softgpu0", &holders);
	ck_assert_ptr_null(local_row(&p, &holders));
	places_fini(&p);
}
END_TEST

/* Asks for the struct pages of @name all the time. */
static pid_t start_trimming(const char *name)
{
	char file[128];
	pid_t pid = fork_child();

	if (pid)
		return pid;
	snprintf(file, sizeof(file), "/sys/class/drm_fabric/%s/regions/vram0/trim", name);
	for (;;)
		(void)try_write_file(file, "1");
}

/* proves: struct pages stay while memory is placed through a handle that has no file: LOCAL's, or a preference's */
START_TEST(nobody_has_it_open)
{
	uint64_t end = now_ms() + 1000 * test_loops(8, 60), last = end + 60000;
	size_t n = 0, placed = 0;
	struct places p;
	pid_t pid;

	places_init(&p, 1);
	gpu_write_attr("softgpu0", "regions/vram0/idle_timeout_ms", "0");
	close(p.gpus[0]->devmem_fd);
	p.gpus[0]->devmem_fd = -1;
	pid = start_trimming("softgpu0");
	/* A slow kernel takes a while until something is placed at all. */
	for (; now_ms() < end || (!placed && now_ms() < last); n++) {
		char *a = memory(FEW, false);
		struct drm_softgpu_exec e;

		if (_i)
			gpu_open_devmem(p.gpus[0]);
		prefer(&p, a, FEW, _i ? "A" : "L");
		if (_i)
			close(p.gpus[0]->devmem_fd);
		p.gpus[0]->devmem_fd = -1;
		e = gpu_exec(p.gpus[0], DRM_SOFTGPU_OP_CHECKSUM, NULL, a, FEW, 0);
		placed += e.local_bytes;
		/* It comes home with its struct pages, or with those that were there meanwhile. */
		if (n % 4)
			check_data(a, FEW);
		ck_assert(!munmap(a, FEW));
	}
	kill_child(pid);
	note("%zu times, %zu MiB placed", n, placed >> 20);
	ck_assert_uint_gt(placed, 0);
	gpu_write_attr("softgpu0", "regions/vram0/idle_timeout_ms", "0");
	ck_assert(gpu_wait_attr("softgpu0", "regions/vram0/pagemap_state", "absent", 10000));
	places_fini(&p);
}
END_TEST

/* proves: residency adds up over several regions, in the order of joining, and says how many it has no room for */
START_TEST(residency)
{
	struct drm_fabric_residence in[2];
	struct drm_fabric_residency args = {};
	struct places p;
	char *a;

	places_init(&p, 3);
	a = memory(SIZE, huge_or_not[_i]);
	gpu_populate(p.gpus[2], a, 16 * PAGE);
	gpu_populate(p.gpus[0], a + 16 * PAGE, 32 * PAGE);
	gpu_populate(p.gpus[1], a + 100 * PAGE, PAGE);
	ck_assert(!munmap(a + 200 * PAGE, PAGE));
	ck_assert(!mprotect(a + 210 * PAGE, PAGE, PROT_NONE));
	check_resident(&p, a, SIZE, "A 128, B 4, C 64, S 1844, - 8");
	check_resident(&p, a + 200 * PAGE, PAGE, "- 4");
	args = (struct drm_fabric_residency){ .start = (uintptr_t)a,
					      .length_bytes = SIZE,
					      .n_residences = 2,
					      .residences = (uintptr_t)in,
					      .system_bytes = 5 };
	ck_assert(ioctl(fabric_fd(), DRM_FABRIC_IOCTL_RESIDENCY, &args) && errno == ENOSPC);
	ck_assert_uint_eq(args.n_residences, 3);
	ck_assert_uint_eq(args.system_bytes, 5);
	args.n_residences = 0;
	args.residences = 0;
	ck_assert(ioctl(fabric_fd(), DRM_FABRIC_IOCTL_RESIDENCY, &args) && errno == ENOSPC);
	ck_assert_uint_eq(args.n_residences, 3);
	/* Without room: where there is no region. */
	args.start += 300 * PAGE;
	args.length_bytes = 10 * PAGE;
	args.n_residences = 0;
	ck_assert(!ioctl(fabric_fd(), DRM_FABRIC_IOCTL_RESIDENCY, &args));
	ck_assert_uint_eq(args.n_residences, 0);
	ck_assert_uint_eq(args.system_bytes, 10 * PAGE);
	/* Far and wide. */
	args = (struct drm_fabric_residency){ .start = 0, .length_bytes = 1ull << 40 };
	ck_assert(!ioctl(fabric_fd(), DRM_FABRIC_IOCTL_RESIDENCY, &args));
	ck_assert_uint_eq(args.system_bytes + args.absent_bytes + args.foreign_bytes, 1ull << 40);
	places_fini(&p);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("place");
	TCase *tcase = tcase_create("place");

	test_seed();
	gpu_load();
	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, first_place, 0, 2);
	tcase_add_loop_test(tcase, full, 0, 2);
	tcase_add_loop_test(tcase, promised, 0, 2);
	tcase_add_loop_test(tcase, grant_revoked, 0, 2);
	tcase_add_loop_test(tcase, draining_and_gone, 0, 2);
	tcase_add_loop_test(tcase, unreachable, 0, 2);
	tcase_add_loop_test(tcase, local, 0, 2);
	tcase_add_loop_test(tcase, boundaries, 0, 2);
	tcase_add_test(tcase, immovable);
	tcase_add_loop_test(tcase, limits, 0, 2);
	tcase_add_test(tcase, promised_up_to_the_limit);
	tcase_add_loop_test(tcase, local_holder, 0, 2);
	tcase_add_loop_test(tcase, residency, 0, 2);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("races");
	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, nobody_has_it_open, 0, 2);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}

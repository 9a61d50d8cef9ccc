// SPDX-License-Identifier: MIT
/*
 * Devices vanish with memory on them: what was there says SIGBUS to everybody, never anything else, all else lives, and
 * nobody waits.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gpu.h"
#include "sigbus.h"
#include "worker.h"

#define VRAM (80 * MIB)
#define SHARED (64 * MIB)
#define SMALL (4 * MIB)

/* For what must come, sooner or later. */
#define PATIENCE_MS 60000
/* Of a driver that has nothing to wait for, on the stock kernel. */
#define UNBIND_MS 1000

/* The driver's switch: gone, and its driver notices; or nobody does. */
#define VANISH_NOTICED 1
#define VANISH_SILENTLY 2

#define LOST "softgpu0"
#define PEER "softgpu1"

static const bool huge_or_not[] = { false, true };

static uint64_t class_dead_bytes(void)
{
	char buf[32];

	ck_assert(read_file("/sys/class/drm_fabric/dead_bytes", buf, sizeof(buf)));
	return strtoull(buf, NULL, 10);
}

static void wait_class_dead_bytes(uint64_t bytes)
{
	uint64_t end = now_ms() + PATIENCE_MS;

	while (class_dead_bytes() != bytes && now_ms() < end)
		sleep_ms(5);
	ck_assert_uint_eq(class_dead_bytes(), bytes);
}

static void take_away(void)
{
	for (int i = 0; i < 2; i++)
		(void)gpu_try_bus("del_device", "%d", i);
}

/* Two devices that reach each other. */
static void make(void)
{
	gpu_load();
	take_away();
	wait_class_dead_bytes(0);
	write_file("/sys/module/softgpu/parameters/copy_timeout_ms", "10000");
	gpu_bus("new_device", "0 %zu", VRAM);
	gpu_bus("new_device", "1 %zu", VRAM);
	gpu_bus("link", LOST " " PEER " xgmi 1000 1000");
	gpu_bus("link", PEER " " LOST " xgmi 1000 1000");
}

static void vanish(const char *name, unsigned int how)
{
	char file[128], text[8];

	snprintf(file, sizeof(file), "/sys/kernel/debug/dri/%s/vanish", name);
	snprintf(text, sizeof(text), "%u", how);
	write_file(file, text);
}

/* In another process, at a random moment of the next @within_ms. */
static pid_t vanish_soon(const char *name, unsigned int how, unsigned int within_ms)
{
	uint64_t random = test_seed() + now_ms();
	unsigned int ms = test_random(&random) % within_ms;
	pid_t pid = fork_child();

	if (!pid) {
		sleep_ms(ms);
		vanish(name, how);
		_exit(0);
	}
	return pid;
}

static char *copy_of(const char *addr, size_t size)
{
	char *copy = map_memory(size, true);

	memcpy(copy, addr, size);
	return copy;
}

static void all_dead(const char *addr, size_t size, const char *expected)
{
	struct damage damage = damage_of(addr, size, expected);

	ck_assert_uint_eq(damage.dead_bytes, size);
}

static void all_right(const char *addr, size_t size, const char *expected)
{
	struct damage damage = damage_of(addr, size, expected);

	ck_assert_uint_eq(damage.right_bytes, size);
}

/* What a race may leave: data or nothing. Returns the bytes that are dead. */
static size_t none_wrong(const char *addr, size_t size, const char *expected)
{
	struct damage damage = damage_of(addr, size, expected);

	ck_assert_uint_eq(damage.wrong_bytes, 0);
	ck_assert_uint_eq(damage.right_bytes + damage.dead_bytes, size);
	return damage.dead_bytes;
}

/* The next event of @type; others are read over. */
static struct drm_fabric_event wait_event(struct gpu *gpu, uint32_t type)
{
	struct pollfd pollfd = { .fd = gpu->devmem_fd, .events = POLLIN };
	struct drm_fabric_event event;

	do {
		ck_assert_int_eq(poll(&pollfd, 1, PATIENCE_MS), 1);
		ck_assert_int_eq(read(gpu->devmem_fd, &event, sizeof(event)), sizeof(event));
	} while (event.type != type);
	return event;
}

static struct gpu *open_on(const char *name)
{
	struct gpu *gpu = gpu_open_name(name);

	gpu_open_devmem(gpu);
	return gpu;
}

/* Unbinds what is lost, by the bus's file: it waits for nobody. */
static void unbind_fast(const char *name)
{
	uint64_t start = now_ms(), took_ms;

	write_file("/sys/bus/softgpu/drivers/softgpu/unbind", name);
	took_ms = now_ms() - start;
	note("%s: unbound in %llu ms", name, (unsigned long long)took_ms);
	ck_assert_uint_le(took_ms, UNBIND_MS * test_slowness());
	ck_assert(!gpu_is_present(name));
}

/*
 * Two processes with 64 MiB on the device that is to be lost, which they share and a peer uses, and what must not
 * suffer: memory on the peer and in system memory.
 */
struct scene {
	struct gpu *lost, *peer;
	char *shared, *shared_copy; /* 64 MiB on the device to lose */
	char *on_peer, *at_home, *small_copy;
	struct drm_softgpu_exec in_place; /* what the peer saw of it */
	int to_child, from_child;
	pid_t child; /* has SMALL of its own on the device, too */
};

static void child_of_scene(const struct scene *scene, const char *name, int from, int to)
{
	struct gpu *gpu = open_on(name);
	char *own = copy_of(scene->small_copy, SMALL), c = 0;

	gpu_populate(gpu, own, SMALL);
	ck_assert_int_eq(write(to, &c, 1), 1);
	ck_assert_int_eq(read(from, &c, 1), 1);
	all_dead(scene->shared, SHARED, scene->shared_copy);
	all_dead(own, SMALL, scene->small_copy);
	all_right(scene->at_home, SMALL, scene->small_copy);
	ck_assert_int_eq(write(to, &c, 1), 1);
	ck_assert_int_eq(read(from, &c, 1), 1);
	_exit(0);
}

static void ask_child(const struct scene *scene)
{
	char c = 0;

	ck_assert_int_eq(write(scene->to_child, &c, 1), 1);
	ck_assert_int_eq(read(scene->from_child, &c, 1), 1);
}

static struct scene scene_set(const char *lost, const char *peer, bool huge)
{
	struct scene scene = { .lost = open_on(lost), .peer = open_on(peer) };
	int down[2], up[2];
	char c;

	scene.shared = map_memory(SHARED, huge);
	pattern_fill(scene.shared, SHARED, test_seed());
	scene.shared_copy = copy_of(scene.shared, SHARED);
	scene.small_copy = copy_of(scene.shared, SMALL);
	scene.on_peer = copy_of(scene.small_copy, SMALL);
	scene.at_home = copy_of(scene.small_copy, SMALL);
	gpu_populate(scene.lost, scene.shared, SHARED);
	gpu_populate(scene.peer, scene.on_peer, SMALL);
	scene.in_place = gpu_exec(scene.peer, DRM_SOFTGPU_OP_CHECKSUM, NULL, scene.shared, SMALL, 0);
	ck_assert_uint_eq(scene.in_place.peer_bytes, SMALL);
	ck_assert_uint_eq(scene.in_place.result, checksum(scene.small_copy, SMALL));
	ck_assert(!pipe(down) && !pipe(up));
	scene.child = fork_child();
	if (!scene.child)
		child_of_scene(&scene, lost, down[0], up[1]);
	close(down[0]);
	close(up[1]);
	scene.to_child = down[1];
	scene.from_child = up[0];
	ck_assert_int_eq(read(scene.from_child, &c, 1), 1);
	ck_assert_uint_eq(gpu_figure(scene.lost, "regions/vram0/resident_bytes"), SHARED + SMALL);
	return scene;
}

/* The device of the scene is lost, and perhaps gone. */
static void scene_check_loss(struct scene *scene)
{
	struct drm_softgpu_exec exec;
	struct drm_fabric_devmem_residency residency;
	struct drm_fabric_devmem_populate populate;

	ck_assert_int_eq(gpu_try_exec(scene->peer, DRM_SOFTGPU_OP_CHECKSUM, NULL, scene->shared, SMALL, 0, &exec),
			 -EFAULT);
	ck_assert_int_eq(gpu_try_exec(scene->lost, DRM_SOFTGPU_OP_CHECKSUM, NULL, scene->at_home, SMALL, 0, &exec),
			 -ENODEV);
	all_dead(scene->shared, SHARED, scene->shared_copy);
	ask_child(scene);
	all_right(scene->at_home, SMALL, scene->small_copy);
	ck_assert_uint_eq(gpu_exec(scene->peer, DRM_SOFTGPU_OP_CHECKSUM, NULL, scene->on_peer, SMALL, 0).result,
			  scene->in_place.result);
	all_right(scene->on_peer, SMALL, scene->small_copy);
	residency = gpu_residency(scene->peer, scene->shared, SHARED);
	ck_assert_uint_eq(residency.dead_bytes, SHARED);
	ck_assert_int_eq(gpu_try_populate(scene->peer, scene->shared, SMALL, 0, &populate), 0);
	ck_assert_uint_eq(populate.refused_bytes[DRM_FABRIC_REFUSED_DEAD], SMALL);
	ck_assert_int_eq(gpu_try_populate(scene->lost, scene->at_home, SMALL, 0, &populate), -ENODEV);
	ck_assert_uint_eq(class_dead_bytes(), SHARED + SMALL);
}

/* A device of the same name is there again: it works, and knows nothing of what was lost. What was stays dead. */
static void scene_check_return(struct scene *scene, const char *name, uint64_t incarnation)
{
	struct gpu *again = open_on(name);

	ck_assert_uint_eq(gpu_figure(again, "incarnation"), incarnation + 1);
	ck_assert_uint_eq(wait_event(scene->lost, DRM_FABRIC_EVENT_BACK).incarnation, incarnation + 1);
	ck_assert_uint_eq(gpu_figure(again, "regions/vram0/dead_bytes"), 0);
	gpu_populate(again, scene->at_home, SMALL);
	ck_assert_uint_eq(gpu_exec(again, DRM_SOFTGPU_OP_CHECKSUM, NULL, scene->at_home, SMALL, 0).local_bytes, SMALL);
	ck_assert_uint_eq(gpu_exec(scene->peer, DRM_SOFTGPU_OP_CHECKSUM, NULL, scene->at_home, SMALL, 0).peer_bytes,
			  SMALL);
	all_right(scene->at_home, SMALL, scene->small_copy);
	all_dead(scene->shared, SHARED, scene->shared_copy);
	ck_assert_uint_eq(class_dead_bytes(), SHARED + SMALL);
	gpu_close(again);
}

/* Memory that is lost is given up bit by bit. */
static void scene_strike(struct scene *scene)
{
	char c = 0;

	ck_assert_int_eq(write(scene->to_child, &c, 1), 1);
	wait_child(scene->child);
	wait_class_dead_bytes(SHARED);
	ck_assert(!munmap(scene->shared + SHARED / 2, SHARED / 2));
	wait_class_dead_bytes(SHARED / 2);
	/* What is mapped anew there is new. */
	ck_assert(!madvise(scene->shared, SMALL, MADV_DONTNEED));
	ck_assert_uint_eq(words_differ(scene->shared, SMALL, 0), 0);
	wait_class_dead_bytes(SHARED / 2 - SMALL);
	ck_assert(!munmap(scene->shared, SHARED / 2));
	wait_class_dead_bytes(0);
	ck_assert(!munmap(scene->shared_copy, SHARED) && !munmap(scene->small_copy, SMALL) &&
		  !munmap(scene->on_peer, SMALL) && !munmap(scene->at_home, SMALL));
	close(scene->to_child);
	close(scene->from_child);
	gpu_close(scene->lost);
	gpu_close(scene->peer);
}

/* proves: with its device its memory is lost and nothing else, for everybody, exactly counted, and the device comes back */
START_TEST(two_processes_and_a_peer)
{
	struct scene scene = scene_set(LOST, PEER, huge_or_not[_i % 2]);
	uint64_t incarnation = gpu_figure(scene.lost, "incarnation");
	struct drm_fabric_event event;

	if (_i / 2) {
		/* Who finds out is the peer: what it reads is not what was there. */
		struct drm_softgpu_exec exec;

		vanish(LOST, VANISH_SILENTLY);
		ck_assert_int_eq(gpu_try_exec(scene.peer, DRM_SOFTGPU_OP_CHECKSUM, NULL, scene.shared, SMALL, 0, &exec),
				 -EFAULT);
	} else {
		vanish(LOST, VANISH_NOTICED);
	}
	event = wait_event(scene.lost, DRM_FABRIC_EVENT_LOST);
	ck_assert_uint_eq(event.reason, DRM_FABRIC_REASON_LOST);
	ck_assert_uint_eq(event.bytes, SHARED + SMALL);
	ck_assert(gpu_wait_attr(LOST, "state", "lost", PATIENCE_MS));
	ck_assert(gpu_wait_attr(PEER, "links/" LOST "/state", "down", PATIENCE_MS));
	ck_assert(gpu_wait_attr(PEER, "links/" LOST "/why_not", "the peer is lost", PATIENCE_MS));
	ck_assert(gpu_wait_attr(LOST, "links/" PEER "/why_not", "the device is lost", PATIENCE_MS));
	ck_assert(gpu_wait_attr(LOST, "regions/vram0/pagemap_state", "dead", PATIENCE_MS));
	ck_assert_uint_eq(gpu_figure(scene.lost, "regions/vram0/dead_bytes"), SHARED + SMALL);
	ck_assert_uint_eq(gpu_figure(scene.lost, "regions/vram0/resident_bytes"), 0);
	scene_check_loss(&scene);
	unbind_fast(LOST);
	event = wait_event(scene.lost, DRM_FABRIC_EVENT_REVOKED);
	ck_assert_uint_eq(event.reason, DRM_FABRIC_REASON_LOST);
	ck_assert_uint_eq(class_dead_bytes(), SHARED + SMALL);
	write_file("/sys/bus/softgpu/drivers/softgpu/bind", LOST);
	scene_check_return(&scene, LOST, incarnation);
	scene_strike(&scene);
}
END_TEST

/* proves: a device that is taken away finds nobody home: unbinding sees that, and does not wait */
START_TEST(found_out_by_the_unbind)
{
	struct scene scene = scene_set(LOST, PEER, huge_or_not[_i]);

	vanish(LOST, VANISH_SILENTLY);
	unbind_fast(LOST);
	ck_assert_uint_eq(wait_event(scene.lost, DRM_FABRIC_EVENT_LOST).bytes, SHARED + SMALL);
	scene_check_loss(&scene);
	scene_strike(&scene);
}
END_TEST

enum moment { ONLINE, DRAINING, EVICTING, OFFLINE, ASLEEP, N_MOMENTS };

/* Brings LOST into a state. Returns an fd that keeps it there, or -1. */
static int bring_to(struct gpu *gpu, enum moment moment)
{
	int fd = -1;

	switch (moment) {
	case DRAINING:
		ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_DRAIN, gpu->name, PATIENCE_MS), 0);
		break;
	case EVICTING:
		gpu_fault(gpu, "fail_copy_nth", 1);
		ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, gpu->name, 0), 0);
		ck_assert(gpu_wait_attr(gpu->name, "evict_blocked", "copy", PATIENCE_MS));
		break;
	case OFFLINE:
		ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, gpu->name, PATIENCE_MS), 0);
		break;
	case ASLEEP:
		/* To be open is to be about to hibernate. */
		fd = open("/dev/snapshot", O_RDONLY | O_CLOEXEC);
		ck_assert_msg(fd >= 0, "/dev/snapshot: %s", strerror(errno));
		ck_assert(gpu_wait_attr(gpu->name, "state", "offline", 0));
		break;
	default:
		break;
	}
	return fd;
}

/* proves: a device is lost from every state, for good, and an administrator can do one thing: unbind it */
START_TEST(lost_in_every_state)
{
	static const unsigned long refused[] = { DRM_FABRIC_ADMIN_DRAIN, DRM_FABRIC_ADMIN_CANCEL,
						 DRM_FABRIC_ADMIN_EVICT, DRM_FABRIC_ADMIN_ABANDON };
	bool at_home = _i == OFFLINE || _i == ASLEEP;
	struct gpu *gpu = open_on(LOST);
	char *a = map_memory(SMALL, true), *copy;
	struct drm_fabric_devmem_info info = { 0 };
	uint64_t start;
	int asleep;

	pattern_fill(a, SMALL, test_seed());
	copy = copy_of(a, SMALL);
	gpu_populate(gpu, a, SMALL);
	asleep = bring_to(gpu, _i);
	vanish(LOST, VANISH_NOTICED);
	ck_assert(gpu_wait_attr(LOST, "state", "lost", PATIENCE_MS));
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		ck_assert_int_eq(gpu_admin(refused[i], LOST, 0), -ENOTRECOVERABLE);
	ck_assert_int_eq(gpu_try_open_devmem(gpu), -ENODEV);
	ck_assert_int_eq(ioctl(gpu->devmem_fd, DRM_FABRIC_DEVMEM_INFO, &info), 0);
	ck_assert_uint_eq(info.state, DRM_FABRIC_STATE_LOST);
	if (asleep >= 0) {
		ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_UNBIND, LOST, 0), -EBUSY);
		close(asleep);
		ck_assert(gpu_wait_attr(PEER, "state", "online", PATIENCE_MS));
		ck_assert(gpu_wait_attr(LOST, "state", "lost", 0));
	}
	/* The machine sleeps, and wakes up with it. */
	write_file("/sys/power/pm_test", "freezer");
	write_file("/sys/module/suspend/parameters/pm_test_delay", "0");
	ck_assert_int_eq(try_write_file("/sys/power/state", "freeze"), 0);
	ck_assert(gpu_wait_attr(LOST, "state", "lost", 0));
	if (at_home)
		all_right(a, SMALL, copy);
	else
		all_dead(a, SMALL, copy);
	ck_assert_uint_eq(class_dead_bytes(), at_home ? 0 : SMALL);
	start = now_ms();
	if (_i == ONLINE)
		ck_assert_int_eq(shell("fabricctl remove --no-daemon " LOST), 0);
	else if (_i == DRAINING)
		gpu_write_attr(LOST, "unbind", "1");
	else
		ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_UNBIND, LOST, PATIENCE_MS), 0);
	ck_assert(gpu_wait_present(LOST, false, PATIENCE_MS));
	ck_assert_uint_le(now_ms() - start, UNBIND_MS * test_slowness());
	gpu_close(gpu);
}
END_TEST

/* proves: an unbind that waits for memory to come home goes on when there is nothing to wait for any more */
START_TEST(lost_while_somebody_waits)
{
	struct gpu *gpu = open_on(LOST);
	char *a = map_memory(SMALL, false), *copy;
	pid_t evictor, unbinder;

	pattern_fill(a, SMALL, test_seed());
	copy = copy_of(a, SMALL);
	gpu_populate(gpu, a, SMALL);
	gpu_fault(gpu, "fail_copy_nth", 1);
	evictor = fork_child();
	if (!evictor)
		_exit(gpu_admin(DRM_FABRIC_ADMIN_EVICT, LOST, PATIENCE_MS) == -ENOTRECOVERABLE ? 0 : 1);
	ck_assert(gpu_wait_attr(LOST, "evict_blocked", "copy", PATIENCE_MS));
	unbinder = fork_child();
	if (!unbinder) {
		if (_i)
			_exit(try_write_file("/sys/bus/softgpu/drivers/softgpu/unbind", LOST) ? 1 : 0);
		_exit(gpu_admin(DRM_FABRIC_ADMIN_UNBIND, LOST, PATIENCE_MS) ? 1 : 0);
	}
	sleep_ms(100);
	/* It leaves already: its driver tells nobody. The next copy finds out. */
	vanish(LOST, _i ? VANISH_SILENTLY : VANISH_NOTICED);
	wait_child(evictor);
	wait_child(unbinder);
	ck_assert(!gpu_is_present(LOST));
	all_dead(a, SMALL, copy);
	gpu_close(gpu);
}
END_TEST

/* What is under way when the device vanishes. */
enum work { POPULATE_AND_TOUCH, COMPUTE_IN_PLACE, COPY_BY_PEER, FROM_PEER_AND_BACK, EVICT, N_WORKS };

/* Works on until the device is lost. All that it has is @a and @b, which have the data of @copy. */
static void work_on(enum work work, struct gpu *lost, struct gpu *peer, char *a, char *b, const char *copy)
{
	struct drm_fabric_devmem_populate populate;
	uint64_t end = now_ms() + PATIENCE_MS, sum = checksum(copy, SMALL);
	struct drm_softgpu_exec exec;
	int r = 0;

	while (!r && now_ms() < end) {
		r = gpu_try_populate(lost, a, SMALL, 0, &populate);
		/* Another is evicting it. */
		if (r == -ESHUTDOWN) {
			r = 0;
			continue;
		}
		if (r)
			break;
		switch (work) {
		case POPULATE_AND_TOUCH:
			(void)none_wrong(a, SMALL, copy);
			break;
		case COMPUTE_IN_PLACE:
			for (int i = 0; i < 16 && !r; i++) {
				r = gpu_try_exec(peer, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SMALL, 0, &exec);
				if (!r)
					ck_assert_uint_eq(exec.result, sum);
			}
			break;
		case COPY_BY_PEER:
			r = gpu_try_exec(peer, DRM_SOFTGPU_OP_COPY, b, a, SMALL, 0, &exec);
			/* What a job that failed has written is what it has written. */
			if (r)
				memcpy(b, copy, SMALL);
			break;
		case FROM_PEER_AND_BACK:
			(void)gpu_try_populate(peer, a, SMALL, 0, &populate);
			break;
		default:
			r = gpu_admin(DRM_FABRIC_ADMIN_EVICT, LOST, PATIENCE_MS) ?:
				    gpu_admin(DRM_FABRIC_ADMIN_CANCEL, LOST, 0);
			ck_assert(!r || r == -ENOTRECOVERABLE);
			break;
		}
	}
	ck_assert_msg(r == -ENODEV || r == -EFAULT || r == -ENOTRECOVERABLE, "%s", strerror(-r));
}

/* proves: whatever is under way: each page has its data or is dead, each result is right or an error */
START_TEST(lost_in_the_middle)
{
	enum work work = _i / 4;
	bool huge = _i % 2;
	size_t dead = 0, loops = test_loops(2, 20);

	for (size_t i = 0; i < loops; i++) {
		struct gpu *lost = open_on(LOST), *peer = open_on(PEER);
		char *a = map_memory(SMALL, huge), *b = map_memory(SMALL, huge), *copy;
		pid_t vanisher, workers[2];

		pattern_fill(a, SMALL, test_seed() + i);
		copy = copy_of(a, SMALL);
		memcpy(b, copy, SMALL);
		/* Others who move the same memory, and memory of their own, to the device. */
		for (size_t k = 0; k < 2; k++) {
			workers[k] = fork_child();
			if (workers[k])
				continue;
			if (k)
				a = copy_of(copy, SMALL);
			work_on(POPULATE_AND_TOUCH, lost, NULL, a, b, copy);
			(void)none_wrong(a, SMALL, copy);
			_exit(0);
		}
		vanisher = vanish_soon(LOST, _i / 2 % 2 ? VANISH_SILENTLY : VANISH_NOTICED, 300 * test_slowness());
		work_on(work, lost, peer, a, b, copy);
		wait_child(vanisher);
		wait_child(workers[0]);
		wait_child(workers[1]);
		dead += none_wrong(a, SMALL, copy);
		(void)none_wrong(b, SMALL, copy);
		unbind_fast(LOST);
		dead += none_wrong(a, SMALL, copy);
		gpu_close(lost);
		gpu_close(peer);
		munmap(a, SMALL);
		munmap(b, SMALL);
		munmap(copy, SMALL);
		wait_class_dead_bytes(0);
		write_file("/sys/bus/softgpu/drivers/softgpu/bind", LOST);
	}
	note("work %d: %zu KiB were dead in %zu rounds", work, dead / 1024, loops);
}
END_TEST

/* proves: unbound while others still touch what was on it: no copy begins any more when that has returned (the driver says
 * so in the kernel log), each page has its data or is dead */
START_TEST(unbound_in_the_middle)
{
	size_t loops = test_loops(5, 100);

	for (size_t i = 0; i < loops; i++) {
		struct gpu *lost = open_on(LOST), *peer = open_on(PEER);
		pid_t workers[4];

		for (size_t k = 0; k < 4; k++) {
			char *a, *copy;

			workers[k] = fork_child();
			if (workers[k])
				continue;
			a = map_memory(SMALL, _i);
			pattern_fill(a, SMALL, test_seed() + k);
			copy = copy_of(a, SMALL);
			work_on(POPULATE_AND_TOUCH, lost, peer, a, copy, copy);
			(void)none_wrong(a, SMALL, copy);
			_exit(0);
		}
		sleep_ms(100);
		vanish(LOST, i % 2 ? VANISH_SILENTLY : VANISH_NOTICED);
		unbind_fast(LOST);
		for (size_t k = 0; k < 4; k++)
			wait_child(workers[k]);
		gpu_close(lost);
		gpu_close(peer);
		wait_class_dead_bytes(0);
		write_file("/sys/bus/softgpu/drivers/softgpu/bind", LOST);
	}
}
END_TEST

/* proves: a copy engine that hangs is found out after its time; what waits for it goes on, and the device is lost */
START_TEST(dead_engine)
{
	struct gpu *lost = open_on(LOST), *peer = open_on(PEER);
	char *a = map_memory(SMALL, huge_or_not[_i % 2]), *copy;
	struct drm_fabric_devmem_populate populate;
	uint64_t start;

	pattern_fill(a, SMALL, test_seed());
	copy = copy_of(a, SMALL);
	gpu_populate(lost, a, SMALL);
	write_file("/sys/module/softgpu/parameters/copy_timeout_ms", "1000");
	gpu_fault(lost, "hang_copy", 1);
	start = now_ms();
	switch (_i / 2) {
	case 0:
		ck_assert_int_eq(sigbus_touch(a), BUS_MCEERR_AR);
		break;
	case 1:
		ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, LOST, PATIENCE_MS), -ENOTRECOVERABLE);
		break;
	case 2:
		ck_assert_int_eq(gpu_try_populate(peer, a, SMALL, 0, &populate), 0);
		ck_assert_uint_eq(populate.refused_bytes[DRM_FABRIC_REFUSED_DEAD], SMALL);
		break;
	default:
		/* Into it: nothing is lost that had not been there. */
		ck_assert_int_eq(gpu_try_populate(lost, copy, SMALL, 0, &populate), -ENODEV);
		ck_assert_uint_eq(pattern_differs(copy, SMALL, test_seed()), 0);
		break;
	}
	/* Not at once. (Of a guest that gets no time the clocks disagree.) */
	ck_assert_uint_ge(now_ms() - start, 500);
	ck_assert(gpu_wait_attr(LOST, "state", "lost", PATIENCE_MS));
	all_dead(a, SMALL, copy);
	unbind_fast(LOST);
	gpu_close(lost);
	gpu_close(peer);
}
END_TEST

/* proves: the same when a card is pulled out of its slot, and put back while what it held is still mapped */
START_TEST(pulled_out)
{
	size_t loops = test_loops(2, 100);

	for (size_t i = 0; i < loops; i++) {
		struct gpu *lost, *peer;
		struct scene scene;
		char rig[32], took_ms[32], name[DRM_FABRIC_DEVICE_NAME_SIZE];
		uint64_t incarnation;

		gpu_open_pair(true, &lost, &peer);
		strcpy(name, lost->name);
		ck_assert(gpu_rig_name(name, rig, sizeof(rig)));
		incarnation = gpu_figure(lost, "incarnation");
		scene = scene_set(name, peer->name, i % 2);
		gpu_close(lost);
		gpu_close(peer);
		/* It says how long it was from the card's going to the end of remove(). */
		ck_assert_int_eq(shell("rig surprise %s >/tmp/surprise", rig), 0);
		ck_assert(read_file("/tmp/surprise", took_ms, sizeof(took_ms)));
		note("%s: gone in %s ms", name, took_ms);
		ck_assert_int_le(atoi(took_ms), UNBIND_MS * (int)test_slowness());
		ck_assert(!gpu_is_present(name));
		scene_check_loss(&scene);
		ck_assert_int_eq(shell("rig plug %s >/dev/null", rig), 0);
		ck_assert(gpu_wait_present(name, true, PATIENCE_MS));
		scene_check_return(&scene, name, incarnation);
		scene_strike(&scene);
	}
}
END_TEST

/* proves: an error of the bus that it gets over costs nothing: what is on the device stays there and is used in place */
START_TEST(bus_error_that_is_none)
{
	struct gpu *gpu, *peer;
	char *a = map_memory(SMALL, huge_or_not[_i]), port[32];
	struct drm_softgpu_exec exec;

	gpu_open_pair(true, &gpu, &peer);
	gpu_open_devmem(gpu);
	pattern_fill(a, SMALL, test_seed());
	gpu_populate(gpu, a, SMALL);
	ck_assert(gpu_rig_port(gpu->name, port, sizeof(port)));
	ck_assert_int_eq(shell("dmesg -C && rig aer %s COMP_TIME", port), 0);
	ck_assert_int_eq(shell("for i in $(seq 300); do dmesg | grep -q 'device recovery successful' && exit 0; "
			       "sleep 0.1; done; dmesg; exit 1"),
			 0);
	ck_assert(gpu_wait_attr(gpu->name, "state", "online", 0));
	ck_assert_uint_eq(gpu_residency(gpu, a, SMALL).region_bytes, SMALL);
	exec = gpu_exec(peer, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SMALL, 0);
	ck_assert_uint_eq(exec.peer_bytes, SMALL);
	ck_assert_uint_eq(pattern_differs(a, SMALL, test_seed()), 0);
	ck_assert_uint_eq(exec.result, checksum(a, SMALL));
	gpu_close(gpu);
	gpu_close(peer);
}
END_TEST

/* proves: a bus that reports the way to a device as broken (AER) loses that device and no other; a new one comes with a rescan */
START_TEST(bus_error_that_is_fatal)
{
	struct gpu *lost, *peer;
	struct scene scene;
	char name[DRM_FABRIC_DEVICE_NAME_SIZE], port[32];
	uint64_t incarnation, start;

	gpu_open_pair(true, &lost, &peer);
	strcpy(name, lost->name);
	ck_assert(gpu_rig_port(name, port, sizeof(port)));
	incarnation = gpu_figure(lost, "incarnation");
	scene = scene_set(name, peer->name, huge_or_not[_i]);
	gpu_close(lost);
	gpu_close(peer);
	ck_assert_int_eq(shell("rig aer %s DLP", port), 0);
	ck_assert_uint_eq(wait_event(scene.lost, DRM_FABRIC_EVENT_LOST).bytes, SHARED + SMALL);
	ck_assert(gpu_wait_attr(name, "state", "lost", PATIENCE_MS));
	ck_assert(gpu_wait_attr(scene.peer->name, "state", "online", 0));
	scene_check_loss(&scene);
	start = now_ms();
	ck_assert_int_eq(shell("echo 1 >/sys/bus/pci/devices/$(rig address %s)/remove", port), 0);
	note("%s: removed with its port in %llu ms", name, (unsigned long long)(now_ms() - start));
	ck_assert(!gpu_is_present(name));
	ck_assert_int_eq(shell("echo 1 >/sys/bus/pci/rescan"), 0);
	ck_assert(gpu_wait_present(name, true, PATIENCE_MS));
	scene_check_return(&scene, name, incarnation);
	scene_strike(&scene);
}
END_TEST

/* proves: nothing of what was lost keeps the driver once it is unmapped */
START_TEST(nothing_stays_behind)
{
	struct gpu *gpu = open_on(LOST);
	char *a = map_memory(SMALL, true);

	memset(a, 1, SMALL);
	gpu_populate(gpu, a, SMALL);
	vanish(LOST, VANISH_NOTICED);
	ck_assert(gpu_wait_attr(LOST, "state", "lost", PATIENCE_MS));
	gpu_close(gpu);
	unbind_fast(LOST);
	ck_assert_int_ne(shell("rmmod softgpu 2>/dev/null"), 0);
	ck_assert(!munmap(a, SMALL));
	wait_class_dead_bytes(0);
	ck_assert_int_eq(shell("for i in $(seq 100); do rmmod softgpu 2>/dev/null && exit 0; sleep 0.2; done; exit 1"),
			 0);
	ck_assert_int_eq(shell("rmmod drm_fabric && modprobe softgpu"), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lost");
	TCase *tcase;

	test_seed();
	gpu_load();
	tcase = tcase_create("run time");
	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, make, take_away);
	tcase_add_loop_test(tcase, two_processes_and_a_peer, 0, 4);
	tcase_add_loop_test(tcase, found_out_by_the_unbind, 0, 2);
	tcase_add_loop_test(tcase, lost_in_every_state, 0, N_MOMENTS);
	tcase_add_loop_test(tcase, lost_while_somebody_waits, 0, 2);
	tcase_add_loop_test(tcase, dead_engine, 0, 8);
	tcase_add_test(tcase, nothing_stays_behind);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("races");
	tcase_set_timeout(tcase, 300);
	tcase_add_checked_fixture(tcase, make, take_away);
	tcase_add_loop_test(tcase, lost_in_the_middle, 0, 4 * N_WORKS);
	tcase_add_loop_test(tcase, unbound_in_the_middle, 0, 2);
	suite_add_tcase(suite, tcase);
	if (!shell("ls -d /sys/bus/pci/drivers/softgpu/0000:* >/dev/null 2>&1")) {
		tcase = tcase_create("PCI");
		tcase_set_timeout(tcase, 600);
		tcase_add_checked_fixture(tcase, gpu_restore, gpu_restore);
		tcase_add_test(tcase, pulled_out);
		tcase_add_loop_test(tcase, bus_error_that_is_none, 0, 2);
		tcase_add_loop_test(tcase, bus_error_that_is_fatal, 0, 2);
		suite_add_tcase(suite, tcase);
	}
	return test_run(suite);
}

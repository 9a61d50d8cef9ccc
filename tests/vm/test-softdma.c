// SPDX-License-Identifier: MIT
/*
 * A device of another driver, without memory and without page faults, shares the fabric: it uses a linked GPU's
 * memory in place over the bus and any other through system memory, whatever happens meanwhile. No program here makes
 * an address space on a GPU: for these tests GPUs only publish their memory.
 */
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

#include <drm/softdma_drm.h>

#include "prefer.h"

/* The engine takes 0.4 s for a page. */
#define SIZE (4 * PAGE)
#define LONG_SIZE (20 * PAGE)
#define PATIENCE_MS 60000
/* In which anybody who does not wait for the engine is done, on the stock kernel. */
#define SOON_MS 3000

#define DRIVER "/sys/bus/pci/drivers/softdma"

/* A page of VRAM that is among the first that a device gives out. */
#define BAD_PAGE 17

struct dma {
	char name[DRM_FABRIC_DEVICE_NAME_SIZE];
	int fd;
};

static char gpus[2][DRM_FABRIC_DEVICE_NAME_SIZE];
static char linked_name[DRM_FABRIC_DEVICE_NAME_SIZE], alone_name[DRM_FABRIC_DEVICE_NAME_SIZE];

/* Two GPUs with a DMA engine on their switch, and one that is elsewhere. */
static void restore(void)
{
	char names[64][DRM_FABRIC_DEVICE_NAME_SIZE], driver[32], path[96], state[16];
	size_t n, n_gpus = 0;

	gpu_restore();
	ck_assert_int_eq(shell("modprobe softdma"), 0);
	ck_assert_int_eq(shell("for d in $(lspci -Dnd 1234:11e8 | cut -d' ' -f1); do "
			       "test -e " DRIVER "/$d || echo $d >" DRIVER "/bind || exit 1; done"),
			 0);
	linked_name[0] = alone_name[0] = '\0';
	n = gpu_names(names, 64);
	for (size_t i = 0; i < n; i++) {
		ck_assert(gpu_attr(names[i], "driver", driver, sizeof(driver)));
		if (!strcmp(driver, "softgpu") && n_gpus < 2) {
			strcpy(gpus[n_gpus++], names[i]);
			continue;
		}
		(void)gpu_admin(DRM_FABRIC_ADMIN_CANCEL, names[i], 0);
		snprintf(path, sizeof(path), "links/%s/state", gpus[0]);
		ck_assert(gpu_attr(names[i], path, state, sizeof(state)));
		strcpy(strcmp(state, "up") ? alone_name : linked_name, names[i]);
	}
	ck_assert_uint_eq(n_gpus, 2);
	ck_assert(linked_name[0] && alone_name[0]);
}

static int dma_try_open(const char *name, struct dma *dma)
{
	char node[64], path[80];

	strcpy(dma->name, name);
	if (!gpu_attr(name, "render_node", node, sizeof(node)))
		return -ENODEV;
	snprintf(path, sizeof(path), "/dev/dri/%s", node);
	dma->fd = open(path, O_RDWR | O_CLOEXEC);
	return dma->fd < 0 ? -errno : 0;
}

static struct dma dma_open(const char *name)
{
	struct dma dma;
	int r = dma_try_open(name, &dma);

	ck_assert_msg(!r, "render node of %s: %s", name, strerror(-r));
	return dma;
}

static int dma_try_copy(const struct dma *dma, void *dst, const void *src, size_t size, struct drm_softdma_copy *ret)
{
	*ret = (struct drm_softdma_copy){ .dst = (uintptr_t)dst, .src = (uintptr_t)src, .length_bytes = size };
	return ioctl(dma->fd, DRM_IOCTL_SOFTDMA_COPY, ret) ? -errno : 0;
}

static struct drm_softdma_copy dma_copy(const struct dma *dma, void *dst, const void *src, size_t size)
{
	struct drm_softdma_copy args;
	int r = dma_try_copy(dma, dst, src, size, &args);

	ck_assert_msg(!r, "COPY on %s: %s", dma->name, strerror(-r));
	ck_assert_uint_eq(args.peer_bytes + args.system_bytes, 2 * size);
	return args;
}

/* A GPU that nobody computes on, with a handle. */
static struct gpu *gpu_publish(size_t i)
{
	struct gpu *gpu = gpu_open_bare(gpus[i]);

	gpu_open_devmem(gpu);
	return gpu;
}

static char *memory_with(size_t size, uint64_t seed)
{
	char *a = map_memory(size, false);

	pattern_fill(a, size, seed);
	return a;
}

static void check_link(const char *accessor, const char *owner, const char *type, const char *state, const char *why)
{
	char path[96], text[128];

	snprintf(path, sizeof(path), "links/%s/type", owner);
	ck_assert(gpu_attr(accessor, path, text, sizeof(text)));
	ck_assert_str_eq(text, type);
	snprintf(path, sizeof(path), "links/%s/state", owner);
	ck_assert(gpu_attr(accessor, path, text, sizeof(text)));
	ck_assert_str_eq(text, state);
	snprintf(path, sizeof(path), "links/%s/why_not", owner);
	ck_assert_int_eq(gpu_attr(accessor, path, text, sizeof(text)), !!why);
	if (why)
		ck_assert_ptr_nonnull(strstr(text, why));
}

/* proves: devices of two drivers are in one group, with links where there is memory to reach, and nobody warns of the rest */
START_TEST(two_drivers_share_a_group)
{
	char path[128], text[256], expected[128];

	for (size_t i = 0; i < 2; i++) {
		check_link(linked_name, gpus[i], "pcie_switch", "up", NULL);
		check_link(gpus[i], linked_name, "pcie_switch", "down", "no memory");
		check_link(alone_name, gpus[i], "none", "down", "no common PCIe bridge");
	}
	snprintf(path, sizeof(path), "/sys/class/drm_fabric_group/pcie_switch-%s/members", gpus[0]);
	ck_assert(read_file(path, text, sizeof(text)));
	snprintf(expected, sizeof(expected), "%s %s %s", gpus[0], gpus[1], linked_name);
	ck_assert_str_eq(text, expected);
	ck_assert_int_eq(shell("test -z \"$(ls /sys/class/drm_fabric/%s/regions)\"", linked_name), 0);
	ck_assert_int_eq(shell("test -z \"$(fabricctl topo 2>&1 >/dev/null | grep -v daemon)\""), 0);
}
END_TEST

/* proves: from one linked GPU's memory to another's, in place on both sides: the pages stay where they are */
START_TEST(linked_peers_are_used_in_place)
{
	struct gpu *from = gpu_publish(0), *to = gpu_publish(1);
	struct dma dma = dma_open(linked_name);
	char *a = memory_with(SIZE, test_seed()), *b = memory_with(SIZE, test_seed() + 1);
	struct drm_softdma_copy copy;

	gpu_populate(from, a, SIZE);
	gpu_populate(to, b, SIZE);
	copy = dma_copy(&dma, b, a, SIZE);
	ck_assert_uint_eq(copy.peer_bytes, 2 * SIZE);
	ck_assert_uint_eq(gpu_residency(from, a, SIZE).region_bytes, SIZE);
	ck_assert_uint_eq(gpu_residency(to, b, SIZE).region_bytes, SIZE);
	ck_assert_uint_eq(pattern_differs(b, SIZE, test_seed()), 0);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	/* All of it is in system memory now; and back into a GPU's. */
	copy = dma_copy(&dma, a, b, PAGE);
	ck_assert_uint_eq(copy.system_bytes, 2 * PAGE);
	pattern_fill(a, SIZE, test_seed() + 2);
	gpu_populate(to, b, SIZE);
	copy = dma_copy(&dma, b, a, SIZE);
	ck_assert_uint_eq(copy.peer_bytes, SIZE);
	ck_assert_uint_eq(copy.system_bytes, SIZE);
	ck_assert_uint_eq(gpu_residency(to, b, SIZE).region_bytes, SIZE);
	ck_assert_uint_eq(pattern_differs(b, SIZE, test_seed() + 2), 0);
	close(dma.fd);
	gpu_close(from);
	gpu_close(to);
}
END_TEST

/* proves: what a preference comes to is told for a device without memory, too: nothing is local to it, the rest as for any */
START_TEST(no_place_of_its_own)
{
	struct gpu *gpu = gpu_publish(0);
	struct places p = { .gpus = { gpu }, .n = 1 };
	struct dma linked = dma_open(linked_name), alone = dma_open(alone_name);
	char *a = memory_with(SIZE, test_seed());

	prefer(&p, a, SIZE, "LAS");
	check_status(&(struct gpu){ .render_fd = linked.fd, .devmem_fd = -1 }, a, "n*+");
	check_status(&(struct gpu){ .render_fd = alone.fd, .devmem_fd = -1 }, a, "nu*");
	check_status(gpu, a, "*++");
	close(linked.fd);
	close(alone.fd);
	places_fini(&p);
}
END_TEST

/* proves: a device without a link gets the same data, and the pages have come home for it */
START_TEST(unlinked_peers_come_home)
{
	struct gpu *gpu = gpu_publish(0);
	struct dma dma = dma_open(alone_name);
	char *a = memory_with(SIZE, test_seed()), *b = memory_with(SIZE, test_seed() + 1);
	struct drm_softdma_copy copy;

	gpu_populate(gpu, a, SIZE);
	gpu_populate(gpu, b, SIZE);
	copy = dma_copy(&dma, b, a, SIZE);
	ck_assert_uint_eq(copy.peer_bytes, 0);
	ck_assert_uint_eq(copy.system_bytes, 2 * SIZE);
	ck_assert_uint_eq(gpu_residency(gpu, a, SIZE).region_bytes, 0);
	ck_assert_uint_eq(gpu_residency(gpu, b, SIZE).region_bytes, 0);
	ck_assert_uint_eq(pattern_differs(b, SIZE, test_seed()), 0);
	close(dma.fd);
	gpu_close(gpu);
}
END_TEST

/* proves: GPUs on which no address space is ever made serve populate from anywhere, peers, CPU touch and eviction */
START_TEST(publishing_takes_no_faults)
{
	struct drm_softgpu_info info = {};
	struct gpu *first = gpu_publish(0), *second = gpu_publish(1);
	struct dma dma = dma_open(linked_name);
	char *a = memory_with(2 * MIB, test_seed()), *b = map_memory(PAGE, false);

	gpu_populate(first, a, 2 * MIB);
	ck_assert_uint_eq(dma_copy(&dma, b, a + MIB, PAGE).peer_bytes, PAGE);
	ck_assert_int_eq(memcmp(a + MIB, b, PAGE), 0);
	gpu_populate(second, a, 2 * MIB);
	ck_assert_uint_eq(gpu_residency(second, a, 2 * MIB).region_bytes, 2 * MIB);
	ck_assert_uint_eq(dma_copy(&dma, b, a, PAGE).peer_bytes, PAGE);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, second->name, PATIENCE_MS), 0);
	ck_assert_uint_eq(pattern_differs(a, 2 * MIB, test_seed()), 0);
	ck_assert(!ioctl(first->render_fd, DRM_IOCTL_SOFTGPU_INFO, &info));
	ck_assert_uint_eq(info.faults, 0);
	close(dma.fd);
	gpu_close(first);
	gpu_close(second);
}
END_TEST

/* A copy that runs by itself. */
struct running {
	struct dma dma;
	char *dst, *src;
	size_t size;
	pthread_t thread;
	volatile bool ended;
	int r;
	struct drm_softdma_copy args;
};

static void *run(void *arg)
{
	struct running *running = arg;

	running->r = dma_try_copy(&running->dma, running->dst, running->src, running->size, &running->args);
	running->ended = true;
	return NULL;
}

/* Returns when the first page is surely under way. */
static void start(struct running *running)
{
	ck_assert(!pthread_create(&running->thread, NULL, run, running));
	sleep_ms(1000 * test_slowness());
	ck_assert(!running->ended);
}

static void stop(struct running *running)
{
	ck_assert(!pthread_join(running->thread, NULL));
}

static void touch_and_place_again(struct gpu *gpu, struct running *running)
{
	for (size_t i = 0; !running->ended; i++) {
		ck_assert_uint_eq(pattern_differs(running->src, running->size, test_seed()), 0);
		(void)*(volatile char *)(running->dst + i * PAGE % running->size);
		gpu_populate(gpu, running->src, running->size);
		gpu_populate(gpu, running->dst, running->size);
		sleep_ms(100);
	}
}

static void evict_again_and_again(struct gpu *gpu, struct running *running)
{
	while (!running->ended) {
		uint64_t began = now_ms();

		ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, gpu->name, PATIENCE_MS), 0);
		ck_assert_uint_lt(now_ms() - began, SOON_MS * test_slowness());
		ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0), 0);
		gpu_populate(gpu, running->src, running->size);
		gpu_populate(gpu, running->dst, running->size);
		sleep_ms(300);
	}
}

static void unbind_once(struct gpu *gpu, struct running *running)
{
	uint64_t began = now_ms();

	gpu_unbind(gpu->name);
	/* It waits for one page at most. */
	ck_assert_uint_lt(now_ms() - began, SOON_MS * test_slowness());
	ck_assert(!running->ended);
	gpu_bind(gpu->name);
}

static const struct {
	const char *what;
	void (*disturb)(struct gpu *gpu, struct running *running);
} disturbances[] = {
	{ "CPU touches", touch_and_place_again },
	{ "evictions", evict_again_and_again },
	{ "an unbind", unbind_once },
};

/* proves: the data is right, and nobody waits long, if pages move and the GPU leaves while the engine reads and writes them */
START_TEST(memory_moves_during_a_copy)
{
	struct gpu *gpu = gpu_publish(0);
	struct running running = {
		.dma = dma_open(linked_name),
		.src = memory_with(LONG_SIZE, test_seed()),
		.dst = memory_with(LONG_SIZE, test_seed() + 1),
		.size = LONG_SIZE,
	};

	gpu_populate(gpu, running.src, LONG_SIZE);
	gpu_populate(gpu, running.dst, LONG_SIZE);
	start(&running);
	disturbances[_i].disturb(gpu, &running);
	stop(&running);
	ck_assert_msg(!running.r, "COPY: %s", strerror(-running.r));
	note("%s: %llu bytes of peers', %llu of system memory", disturbances[_i].what, running.args.peer_bytes,
	     running.args.system_bytes);
	ck_assert_uint_gt(running.args.peer_bytes, 0);
	ck_assert_uint_eq(running.args.peer_bytes + running.args.system_bytes, 2 * LONG_SIZE);
	ck_assert_uint_eq(pattern_differs(running.src, LONG_SIZE, test_seed()), 0);
	ck_assert_uint_eq(pattern_differs(running.dst, LONG_SIZE, test_seed()), 0);
	close(running.dma.fd);
	gpu_close(gpu);
}
END_TEST

/* Ways to take the engine, and to have it again. */
static const struct {
	const char *take, *back;
} departures[] = {
	{ "echo %s >" DRIVER "/unbind", "true" },
	{ "echo 1 >/sys/bus/pci/devices/%s/remove", "echo 1 >/sys/bus/pci/rescan" },
	{ "rig unplug linked >/dev/null; : %s", "rig plug linked >/dev/null" },
	{ "rig surprise linked >/dev/null; : %s", "rig plug linked >/dev/null" },
};

/* proves: the engine leaves during a copy, pulled out, too: ENODEV, whole pages and no others are written, the module goes when
 * files are closed */
START_TEST(engine_leaves_during_a_copy)
{
	struct gpu *gpu = gpu_publish(0);
	struct running running = {
		.dma = dma_open(linked_name),
		.src = memory_with(LONG_SIZE, test_seed()),
		.dst = memory_with(LONG_SIZE, test_seed() + 1),
		.size = LONG_SIZE,
	};
	char *before = memory_with(LONG_SIZE, test_seed() + 1), name[DRM_FABRIC_DEVICE_NAME_SIZE];
	uint64_t began;
	size_t done;

	strcpy(name, linked_name);
	gpu_populate(gpu, running.src, LONG_SIZE);
	start(&running);
	began = now_ms();
	ck_assert_int_eq(shell(departures[_i].take, name), 0);
	ck_assert(gpu_wait_present(name, false, SOON_MS));
	stop(&running);
	note("%s: %llu ms", departures[_i].take, (unsigned long long)(now_ms() - began));
	ck_assert_int_eq(running.r, -ENODEV);
	done = (running.args.peer_bytes + running.args.system_bytes) / 2;
	ck_assert_uint_gt(done, 0);
	ck_assert_uint_lt(done, LONG_SIZE);
	ck_assert_int_eq(memcmp(running.dst, running.src, done), 0);
	/* Of the page that a card was pulled out at nobody knows. */
	ck_assert_int_eq(memcmp(running.dst + done + PAGE, before + done + PAGE, LONG_SIZE - done - PAGE), 0);
	if (_i < 3)
		ck_assert_int_eq(memcmp(running.dst + done, before + done, PAGE), 0);
	ck_assert_int_eq(dma_try_copy(&running.dma, running.dst, running.src, PAGE, &running.args), -ENODEV);
	ck_assert_int_eq(shell("%s", departures[_i].back), 0);
	ck_assert_int_ne(shell("rmmod softdma 2>/dev/null"), 0);
	close(running.dma.fd);
	ck_assert_int_eq(shell("rmmod softdma"), 0);
	gpu_close(gpu);
}
END_TEST

/* proves: a draining engine takes nobody new, and those whom it has go on */
START_TEST(engine_drains)
{
	struct dma dma = dma_open(linked_name), late;
	char *a = memory_with(PAGE, test_seed()), *b = map_memory(PAGE, false);

	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_DRAIN, linked_name, 0), 0);
	ck_assert_int_eq(dma_try_open(linked_name, &late), -ESHUTDOWN);
	dma_copy(&dma, b, a, PAGE);
	ck_assert_uint_eq(pattern_differs(b, PAGE, test_seed()), 0);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, linked_name, 0), 0);
	close(dma.fd);
}
END_TEST

static void writes_what_the_child_has_not(struct gpu *gpu)
{
	struct dma dma = dma_open(linked_name);
	char *a = memory_with(2 * SIZE, test_seed()), *b = memory_with(SIZE, test_seed() + 1), byte;
	int go[2];
	pid_t child;

	if (gpu)
		gpu_populate(gpu, b, SIZE);
	/* The entries are there and writable before the fork takes that away. */
	dma_copy(&dma, b, a, PAGE);
	ck_assert(!pipe(go));
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		char *expected = memory_with(SIZE, test_seed() + 1);

		memcpy(expected, a, PAGE);
		_exit(read(go[0], &byte, 1) == 1 && !memcmp(b, expected, SIZE) ? 0 : 1);
	}
	/* Entries for reading do not let it write. */
	dma_copy(&dma, a + SIZE, b + PAGE, PAGE);
	dma_copy(&dma, b, a, SIZE);
	ck_assert_int_eq(write(go[1], "x", 1), 1);
	wait_child(child);
	ck_assert_uint_eq(pattern_differs(b, SIZE, test_seed()), 0);
	close(go[0]);
	close(go[1]);
	close(dma.fd);
}

/* proves: what the engine writes after a fork the other process does not see, in a GPU's memory and in system memory */
START_TEST(fork_shares_the_destination)
{
	struct gpu *gpu = gpu_publish(0);

	writes_what_the_child_has_not(gpu);
	writes_what_the_child_has_not(NULL);
	gpu_close(gpu);
}
END_TEST

/* proves: processes take turns at one engine, each with its own data */
START_TEST(two_processes_share_the_engine)
{
	struct gpu *gpu = gpu_publish(0);
	pid_t children[2];

	for (size_t i = 0; i < 2; i++) {
		children[i] = fork();
		ck_assert_int_ge(children[i], 0);
		if (!children[i]) {
			struct dma dma = dma_open(linked_name);
			char *a = memory_with(SIZE, test_seed() + i), *b = map_memory(SIZE, false);

			gpu_populate(gpu, a, SIZE);
			dma_copy(&dma, b, a, SIZE);
			_exit(pattern_differs(b, SIZE, test_seed() + i) ? 1 : 0);
		}
	}
	wait_child(children[0]);
	wait_child(children[1]);
	gpu_close(gpu);
}
END_TEST

/* proves: a process that is killed during a copy is gone with the page that is under way */
START_TEST(copier_is_killed)
{
	struct gpu *gpu = gpu_publish(0);
	uint64_t began;
	pid_t child;

	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		struct dma dma = dma_open(linked_name);
		char *a = memory_with(LONG_SIZE, test_seed());

		gpu_populate(gpu, a, LONG_SIZE);
		dma_copy(&dma, map_memory(LONG_SIZE, false), a, LONG_SIZE);
		_exit(0);
	}
	sleep_ms(1000 * test_slowness());
	ck_assert(!kill(child, SIGKILL));
	began = now_ms();
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	ck_assert_uint_lt(now_ms() - began, SOON_MS * test_slowness());
	ck_assert(gpu_wait_attr(gpu->name, "regions/vram0/resident_bytes", "0", PATIENCE_MS));
	gpu_close(gpu);
}
END_TEST

/* Can the CPU read it? Its data is lost if not: no signal this way. */
static bool is_readable(const char *at)
{
	int fds[2];
	bool can;

	ck_assert(!pipe(fds));
	can = write(fds[1], at, 1) == 1;
	close(fds[0]);
	close(fds[1]);
	return can;
}

/* proves: a page whose data is lost is an error and no data, and its neighbour is well */
START_TEST(dead_page_is_an_error)
{
	struct gpu *gpu = gpu_publish(0);
	struct dma dma = dma_open(linked_name);
	char *a = memory_with(MIB, test_seed()), *b = memory_with(PAGE, test_seed() + 1), *dead = NULL;
	struct drm_softdma_copy args;

	gpu_populate(gpu, a, MIB);
	gpu_fault(gpu, "bad_page", BAD_PAGE);
	for (size_t i = 0; i < MIB && !dead; i += PAGE)
		if (!is_readable(a + i))
			dead = a + i;
	ck_assert_ptr_nonnull(dead);
	ck_assert_int_eq(dma_try_copy(&dma, b, dead, PAGE, &args), -EFAULT);
	ck_assert_uint_eq(args.peer_bytes + args.system_bytes, 0);
	ck_assert_uint_eq(pattern_differs(b, PAGE, test_seed() + 1), 0);
	ck_assert_int_eq(dma_try_copy(&dma, dead, b, PAGE, &args), -EFAULT);
	dead = dead == a ? a + PAGE : dead - PAGE;
	dma_copy(&dma, b, dead, PAGE);
	ck_assert_int_eq(memcmp(b, dead, PAGE), 0);
	ck_assert(!munmap(a, MIB));
	close(dma.fd);
	gpu_close(gpu);
}
END_TEST

/* proves: what is read of a peer that has vanished, and nobody has noticed, is not taken for data */
START_TEST(vanished_peer_is_an_error)
{
	struct gpu *gpu = gpu_publish(0);
	struct dma dma = dma_open(linked_name);
	char *a = memory_with(SIZE, test_seed()), *b = map_memory(SIZE, false);
	struct drm_softdma_copy args;

	gpu_populate(gpu, a, SIZE);
	ck_assert_uint_eq(dma_copy(&dma, b, a, PAGE).peer_bytes, PAGE);
	gpu_fault(gpu, "vanish", 2);
	ck_assert_int_eq(dma_try_copy(&dma, b, a, SIZE, &args), -EFAULT);
	ck_assert_uint_eq(args.peer_bytes + args.system_bytes, 0);
	ck_assert(!munmap(a, SIZE));
	close(dma.fd);
	gpu_unbind(gpu->name);
	gpu_bind(gpu->name);
	gpu_close(gpu);
}
END_TEST

static void refuse(const struct dma *dma, int expected, uint64_t dst, uint64_t src, uint64_t size)
{
	struct drm_softdma_copy args = { .dst = dst, .src = src, .length_bytes = size, .peer_bytes = 1 };
	int r = ioctl(dma->fd, DRM_IOCTL_SOFTDMA_COPY, &args) ? -errno : 0;

	ck_assert_msg(r == expected, "COPY of %llx to %llx, %llx: %d instead of %d", (unsigned long long)src,
		      (unsigned long long)dst, (unsigned long long)size, r, expected);
}

/* proves: malformed calls are refused and change nothing; what is not mapped, not writable or another's is an error */
START_TEST(bad_calls_are_refused)
{
	static const uint64_t odd[] = { 1, 8, 4095, 1ull << 63, -1ull, -4096ull, 1ull << 47, (1ull << 47) - 4096 };
	struct drm_softdma_copy args;
	struct drm_fabric_open_devmem open_args = { .region = "vram0" };
	struct gpu *gpu = gpu_publish(0);
	struct dma dma = dma_open(linked_name);
	char *a = memory_with(SIZE, test_seed()), *b = memory_with(SIZE, test_seed() + 1),
	     *hole = map_memory(SIZE, false);
	uint64_t x = (uintptr_t)a, y = (uintptr_t)b;
	pid_t child;
	int fd;

	gpu_populate(gpu, a, SIZE);
	refuse(&dma, -EINVAL, y, x, 0);
	refuse(&dma, -EINVAL, x, x, PAGE);
	refuse(&dma, -EINVAL, x + PAGE, x, 2 * PAGE);
	refuse(&dma, -EINVAL, x, x + PAGE, 2 * PAGE);
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		refuse(&dma, -EINVAL, odd[i], x, 2 * PAGE);
		refuse(&dma, -EINVAL, y, odd[i], 2 * PAGE);
		refuse(&dma, -EINVAL, y, x, odd[i]);
	}
	for (uint32_t bit = 0; bit < 32; bit++) {
		args = (struct drm_softdma_copy){ .flags = 1u << bit, .dst = y, .src = x, .length_bytes = PAGE };
		ck_assert(ioctl(dma.fd, DRM_IOCTL_SOFTDMA_COPY, &args) && errno == EINVAL);
		args = (struct drm_softdma_copy){ .pad = 1u << bit, .dst = y, .src = x, .length_bytes = PAGE };
		ck_assert(ioctl(dma.fd, DRM_IOCTL_SOFTDMA_COPY, &args) && errno == EINVAL);
	}
	ck_assert(ioctl(dma.fd, DRM_IOCTL_SOFTDMA_COPY, NULL) && errno == EFAULT);
	ck_assert(ioctl(dma.fd, DRM_IO(DRM_COMMAND_BASE + 1), NULL) && errno == EINVAL);
	ck_assert(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, dma.fd, 0) == MAP_FAILED);
	ck_assert_int_eq(errno, ENODEV);
	/* It has no memory to give. */
	open_args.render_fd = dma.fd;
	fd = open("/dev/drm_fabric", O_RDWR | O_CLOEXEC);
	ck_assert(ioctl(fd, DRM_FABRIC_IOCTL_OPEN_DEVMEM, &open_args) && errno == ENOENT);
	close(fd);

	ck_assert(!munmap(hole, SIZE));
	refuse(&dma, -EFAULT, y, (uintptr_t)hole, PAGE);
	refuse(&dma, -EFAULT, (uintptr_t)hole, x, PAGE);
	refuse(&dma, -EFAULT, 0, x, PAGE);
	ck_assert(!mprotect(b + PAGE, PAGE, PROT_READ));
	refuse(&dma, -EFAULT, y + PAGE, x, PAGE);
	child = fork();
	if (!child)
		_exit(dma_try_copy(&dma, b, a, PAGE, &args) == -EACCES ? 0 : 1);
	wait_child(child);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	ck_assert_uint_eq(pattern_differs(b, SIZE, test_seed() + 1), 0);

	/* The pages before the one that cannot be written have been, and that is told. */
	ck_assert_int_eq(dma_try_copy(&dma, b, a, SIZE, &args), -EFAULT);
	ck_assert_uint_eq(args.peer_bytes + args.system_bytes, 2 * PAGE);
	ck_assert_int_eq(memcmp(a, b, PAGE), 0);
	ck_assert(!mprotect(b + PAGE, PAGE, PROT_READ | PROT_WRITE));
	dma_copy(&dma, b, a, SIZE);
	ck_assert_uint_eq(pattern_differs(b, SIZE, test_seed()), 0);
	close(dma.fd);
	gpu_close(gpu);
}
END_TEST

static TCase *add_tcase(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, restore, restore);
	suite_add_tcase(suite, tcase);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("softdma");
	TCase *tcase;

	test_seed();
	gpu_load();
	tcase = add_tcase(suite, "sharing");
	tcase_add_test(tcase, two_drivers_share_a_group);
	tcase_add_test(tcase, linked_peers_are_used_in_place);
	tcase_add_test(tcase, no_place_of_its_own);
	tcase_add_test(tcase, unlinked_peers_come_home);
	tcase_add_test(tcase, publishing_takes_no_faults);
	tcase = add_tcase(suite, "moving");
	tcase_add_loop_test(tcase, memory_moves_during_a_copy, 0, 3);
	tcase_add_loop_test(tcase, engine_leaves_during_a_copy, 0, sizeof(departures) / sizeof(departures[0]));
	tcase_add_test(tcase, engine_drains);
	tcase = add_tcase(suite, "processes");
	tcase_add_test(tcase, fork_shares_the_destination);
	tcase_add_test(tcase, two_processes_share_the_engine);
	tcase_add_test(tcase, copier_is_killed);
	tcase_add_test(tcase, dead_page_is_an_error);
	tcase_add_test(tcase, vanished_peer_is_an_error);
	tcase_add_test(tcase, bad_calls_are_refused);
	return test_run(suite);
}

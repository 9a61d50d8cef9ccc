// SPDX-License-Identifier: MIT
/* Links as they are declared between GPUs that are made at run time: each pair for itself, in any order, at any time. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dump.h"
#include "made.h"

#define MAX_GPUS 4

/* The @index-th order of @n. */
static void permutation(size_t index, size_t n, size_t *order)
{
	size_t left[MAX_GPUS];

	for (size_t i = 0; i < n; i++)
		left[i] = i;
	for (size_t i = 0; i < n; i++) {
		size_t take = index % (n - i);

		index /= n - i;
		order[i] = left[take];
		memmove(left + take, left + take + 1, (n - i - take - 1) * sizeof(*left));
	}
}

static const struct graph {
	const char *name;
	size_t n, n_orders;
	size_t n_links;
	size_t links[4][2];
	const char *group;
} graphs[] = {
	{ "chain", 3, 6, 2, { { 0, 1 }, { 1, 2 } }, "softgpu0 softgpu1 softgpu2" },
	{ "ring", 4, 24, 4, { { 0, 1 }, { 1, 2 }, { 2, 3 }, { 3, 0 } }, "softgpu0 softgpu1 softgpu2 softgpu3" },
};

#define N_GRAPHS (sizeof(graphs) / sizeof(graphs[0]))

static bool is_linked(const struct graph *graph, size_t a, size_t b)
{
	for (size_t i = 0; i < graph->n_links; i++)
		if ((graph->links[i][0] == a && graph->links[i][1] == b) ||
		    (graph->links[i][0] == b && graph->links[i][1] == a))
			return true;
	return false;
}

static void declare_links(const struct graph *graph)
{
	for (size_t i = 0; i < graph->n_links; i++)
		made_link_both_ways(graph->links[i][0], graph->links[i][1]);
}

static void check_graph(const struct graph *graph)
{
	char buf[256];

	for (size_t a = 0; a < graph->n; a++) {
		for (size_t b = 0; b < graph->n; b++) {
			if (a == b)
				continue;
			made_check_link(a, b, "type", is_linked(graph, a, b) ? "xgmi" : "none");
			made_check_link(a, b, "state", is_linked(graph, a, b) ? "up" : "down");
			ck_assert_int_eq(made_link_attr(a, b, "why_not", buf, sizeof(buf)), !is_linked(graph, a, b));
			if (!is_linked(graph, a, b))
				continue;
			made_check_link(a, b, "read_bandwidth", "50000");
			made_check_link(a, b, "write_bandwidth", "40000");
			made_check_link(a, b, "read_latency", "700");
			made_check_link(a, b, "write_latency", "700");
			made_check_link(a, b, "provenance", "nominal");
		}
	}
	ck_assert(made_group_members("xgmi-softgpu0", buf, sizeof(buf)));
	ck_assert_str_eq(buf, graph->group);
}

/* proves: in whatever order linked devices come, everything that is published of them is the same to the byte */
START_TEST(any_order_of_arrival)
{
	const struct graph *graph = &graphs[_i];
	size_t order[MAX_GPUS], n_runs = test_loops(graph->n_orders > 8 ? 8 : graph->n_orders, graph->n_orders);
	char *first = NULL, *again;

	/* All of them, or some that lie apart; which ones the seed says. */
	for (size_t run = 0; run < n_runs; run++) {
		size_t stride = graph->n_orders / n_runs;

		permutation(n_runs < graph->n_orders ? run * stride + test_seed() % stride : run, graph->n, order);
		made_begin_anew();
		declare_links(graph);
		for (size_t i = 0; i < graph->n; i++)
			made_device(order[i]);
		check_graph(graph);
		again = dump_fabric(false);
		if (first)
			compare_texts(again, first);
		else
			first = strdup(again);
		free(again);
	}
	/* Of something, or all comparisons succeed. */
	ck_assert_ptr_nonnull(strstr(first, "softgpu0/links/softgpu1/state: up\n"));
	ck_assert_ptr_nonnull(strstr(first, "softgpu0/links/softgpu2/why_not: "));
	ck_assert_ptr_nonnull(strstr(first, "softgpu1/regions/vram0/size_bytes: 16777216\n"));
	ck_assert_ptr_nonnull(strstr(first, "/members: softgpu0"));
	note("%s: %zu orders of %zu, %zu bytes each", graph->name, n_runs, graph->n_orders, strlen(first));
	free(first);
}
END_TEST

/* proves: links may be declared before their ends come, between, and after, and again: the same is published */
START_TEST(any_time_of_declaration)
{
	const struct graph *graph = &graphs[_i];
	char *first = NULL, *again;

	for (size_t when = 0; when <= graph->n + 1; when++) {
		made_begin_anew();
		for (size_t i = 0; i <= graph->n; i++) {
			if (i == when || when > graph->n)
				declare_links(graph);
			if (i < graph->n)
				made_device(i);
		}
		check_graph(graph);
		again = dump_fabric(false);
		if (first)
			compare_texts(again, first);
		else
			first = strdup(again);
		free(again);
	}
	free(first);
}
END_TEST

/* ---- accesses ---- */

/* proves: linked peers are read in place, all others through system memory, and the data is right */
START_TEST(accesses_follow_links)
{
	const struct graph *graph = &graphs[_i];
	char *a = map_memory(MADE_READ, true);

	made_begin_anew();
	declare_links(graph);
	for (size_t i = 0; i < graph->n; i++)
		made_device(i);
	for (size_t owner = 0; owner < graph->n; owner++)
		for (size_t accessor = 0; accessor < graph->n; accessor++)
			if (accessor != owner)
				made_check_read(accessor, owner, is_linked(graph, accessor, owner), a,
						test_seed() + owner * MAX_GPUS + accessor);
	ck_assert(!munmap(a, MADE_READ));
}
END_TEST

/* proves: a link of one direction is one: there in place, back through system memory, and no group */
START_TEST(one_direction)
{
	char *a = map_memory(MADE_READ, _i), buf[64];

	made_begin_anew();
	made_device(0);
	made_device(1);
	made_link_one_way(0, 1);
	made_check_link(0, 1, "state", "up");
	made_check_link(1, 0, "state", "down");
	made_check_link(1, 0, "type", "none");
	ck_assert(!made_group_members("xgmi-softgpu0", buf, sizeof(buf)));
	made_check_read(0, 1, true, a, test_seed());
	made_check_read(1, 0, false, a, test_seed() + 1);
	made_check_read(0, 1, true, a, test_seed() + 2);
	ck_assert(!munmap(a, MADE_READ));
}
END_TEST

/* ---- a link that goes and comes under load ---- */

/* One GPU adds the common source to its own slice, over and over. */
struct worker {
	pthread_t thread;
	struct gpu *gpu;
	uint64_t *slice;
	const uint64_t *source;
	size_t n_done;
	int r;
	bool stop;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	struct drm_softgpu_exec e;

	while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE) && !w->r) {
		w->r = gpu_try_exec(w->gpu, DRM_SOFTGPU_OP_ADD, w->slice, w->source, MADE_READ, 0, &e);
		if (!w->r)
			__atomic_add_fetch(&w->n_done, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void wait_for_work(struct worker *w, size_t n)
{
	size_t until = __atomic_load_n(&w->n_done, __ATOMIC_ACQUIRE) + n;
	uint64_t end = now_ms() + 30000;

	while (__atomic_load_n(&w->n_done, __ATOMIC_ACQUIRE) < until) {
		ck_assert_msg(now_ms() < end, "%s makes no progress: %s", w->gpu->name, strerror(-w->r));
		sleep_ms(1);
	}
}

static uint64_t peer_bytes_so_far(struct gpu *gpu)
{
	struct drm_softgpu_info info = {};

	ck_assert(!ioctl(gpu->render_fd, DRM_IOCTL_SOFTGPU_INFO, &info));
	return info.peer_bytes;
}

/* proves: a link that is cut under running work is not used any more when the cut returns, the work goes on and its
 * results are right; the reason is told; and a link that comes back is used again */
START_TEST(cut_under_load)
{
	uint64_t *all = map_memory(4 * MADE_READ, _i), *source = all + 3 * MADE_READ / 8;
	struct worker workers[3] = {};
	struct drm_fabric_devmem_populate moved;
	char buf[256];
	uint64_t peer;

	made_begin_anew();
	for (size_t i = 0; i < 3; i++)
		made_device(i);
	made_link_both_ways(0, 1);
	made_link_both_ways(1, 2);
	pattern_fill(all, 4 * MADE_READ, test_seed());
	for (size_t i = 0; i < 3; i++)
		workers[i] = (struct worker){ .gpu = made_open(i), .slice = all + i * MADE_READ / 8, .source = source };
	gpu_open_devmem(workers[1].gpu);
	gpu_populate(workers[1].gpu, all, 4 * MADE_READ);
	for (size_t i = 0; i < 3; i++)
		ck_assert(!pthread_create(&workers[i].thread, NULL, work, &workers[i]));
	wait_for_work(&workers[0], 1);
	ck_assert_uint_gt(peer_bytes_so_far(workers[0].gpu), 0);

	for (size_t loop = 0; loop < test_loops(5, 100); loop++) {
		gpu_bus("link", "softgpu0 softgpu1 none");
		/* What began before tells its bytes at its end. */
		wait_for_work(&workers[0], 1);
		peer = peer_bytes_so_far(workers[0].gpu);
		ck_assert_int_eq(gpu_try_populate(workers[1].gpu, all, 4 * MADE_READ, 0, &moved), 0);
		wait_for_work(&workers[0], 2);
		ck_assert_uint_eq(peer_bytes_so_far(workers[0].gpu), peer);

		made_link_one_way(0, 1);
		ck_assert_int_eq(gpu_try_populate(workers[1].gpu, all, 4 * MADE_READ, 0, &moved), 0);
		wait_for_work(&workers[0], 2);
	}
	gpu_bus("link", "softgpu0 softgpu1 none");
	for (size_t i = 0; i < 3; i++) {
		__atomic_store_n(&workers[i].stop, true, __ATOMIC_RELEASE);
		ck_assert(!pthread_join(workers[i].thread, NULL));
		ck_assert_msg(!workers[i].r, "EXEC on %s: %s", workers[i].gpu->name, strerror(-workers[i].r));
	}
	for (size_t i = 0; i < 3; i++) {
		uint64_t *was = map_memory(4 * MADE_READ, false);

		pattern_fill(was, 4 * MADE_READ, test_seed());
		for (size_t j = 0; j < MADE_READ / 8; j++)
			ck_assert_uint_eq(workers[i].slice[j],
					  was[i * MADE_READ / 8 + j] + workers[i].n_done * source[j]);
		munmap(was, 4 * MADE_READ);
		note("%s: %zu times", workers[i].gpu->name, workers[i].n_done);
		gpu_close(workers[i].gpu);
	}

	made_check_link(0, 1, "state", "down");
	made_check_link(0, 1, "type", "none");
	ck_assert(made_link_attr(0, 1, "why_not", buf, sizeof(buf)));
	ck_assert_ptr_nonnull(strstr(buf, "cut"));
	ck_assert(!made_link_attr(0, 1, "read_bandwidth", buf, sizeof(buf)));
	ck_assert(!made_group_members("xgmi-softgpu0", buf, sizeof(buf)));
	ck_assert(made_group_members("xgmi-softgpu1", buf, sizeof(buf)));
	ck_assert_str_eq(buf, "softgpu1 softgpu2");
	made_check_read(0, 1, false, (char *)all, test_seed() + 1);
	made_check_read(2, 1, true, (char *)all, test_seed() + 2);

	made_link_one_way(0, 1);
	made_check_link(0, 1, "state", "up");
	ck_assert(!made_link_attr(0, 1, "why_not", buf, sizeof(buf)));
	ck_assert(made_group_members("xgmi-softgpu0", buf, sizeof(buf)));
	made_check_read(0, 1, true, (char *)all, test_seed() + 3);

	/* Nothing declared is nothing linked. */
	gpu_bus("unlink", "softgpu0 softgpu1");
	made_check_link(0, 1, "state", "down");
	made_check_read(0, 1, false, (char *)all, test_seed() + 4);
	ck_assert(!munmap(all, 4 * MADE_READ));
}
END_TEST

/* ---- a link that goes down behind a fault that takes long ---- */

/* A file system of one file, "slow", whose server answers reads when it is told to. */
struct slow {
	char dir[32], file[40];
	int asked, go; /* ends of pipes: a read has come; answer it */
	pid_t pid;
};

static void slow_reply(int fd, const struct fuse_in_header *in, int error, const void *data, size_t size)
{
	struct fuse_out_header out = { .len = sizeof(out) + size, .error = error, .unique = in->unique };
	const struct iovec iov[] = { { &out, sizeof(out) }, { (void *)data, size } };

	/* Whoever asked may have been killed. */
	(void)!writev(fd, iov, size ? 2 : 1);
}

static struct fuse_attr slow_attr(uint64_t node)
{
	return (struct fuse_attr){
		.ino = node,
		.size = node == FUSE_ROOT_ID ? 0 : 4096,
		.mode = node == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644,
		.nlink = 1,
	};
}

static void slow_serve(int fd, int asked, int go)
{
	static char buf[1 << 17], zeros[4096];
	const struct fuse_in_header *in = (const void *)buf;
	char c;

	while (read(fd, buf, sizeof(buf)) > 0) {
		struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096 };
		struct fuse_attr_out attr = { .attr_valid = 60, .attr = slow_attr(in->nodeid) };
		struct fuse_entry_out entry = { .nodeid = 2, .entry_valid = 60, .attr_valid = 60, .attr = slow_attr(2) };
		struct fuse_open_out opened = {};

		switch (in->opcode) {
		case FUSE_INIT:
			slow_reply(fd, in, 0, &init, sizeof(init));
			break;
		case FUSE_LOOKUP:
			slow_reply(fd, in, 0, &entry, sizeof(entry));
			break;
		case FUSE_GETATTR:
			slow_reply(fd, in, 0, &attr, sizeof(attr));
			break;
		case FUSE_OPEN:
			slow_reply(fd, in, 0, &opened, sizeof(opened));
			break;
		case FUSE_READ:
			if (write(asked, "", 1) != 1 || read(go, &c, 1) != 1)
				_exit(1);
			slow_reply(fd, in, 0, zeros, sizeof(zeros));
			break;
		case FUSE_FORGET:
		case FUSE_BATCH_FORGET:
			break;
		default:
			slow_reply(fd, in, -ENOSYS, NULL, 0);
		}
	}
	_exit(0);
}

static void slow_mount(struct slow *slow)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC), asked[2], go[2];
	char options[64];

	ck_assert_msg(fd >= 0, "/dev/fuse: %s", strerror(errno));
	strcpy(slow->dir, "/tmp/slow-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(slow->dir));
	snprintf(slow->file, sizeof(slow->file), "%s/slow", slow->dir);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	ck_assert_msg(!mount("slow", slow->dir, "fuse", 0, options), "mount: %s", strerror(errno));
	ck_assert(!pipe(asked) && !pipe(go));
	slow->pid = fork();
	ck_assert_int_ge(slow->pid, 0);
	if (!slow->pid)
		slow_serve(fd, asked[1], go[0]);
	close(fd);
	slow->asked = asked[0];
	slow->go = go[1];
}

static void slow_unmount(struct slow *slow)
{
	ck_assert(!umount(slow->dir));
	wait_child(slow->pid);
	ck_assert(!rmdir(slow->dir));
}

static pid_t in_a_child(void (*fn)(void *arg), void *arg)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		fn(arg);
		_exit(0);
	}
	return pid;
}

/* GPU 0 computes what is in the file. */
static void read_slow_file(void *arg)
{
	struct slow *slow = arg;
	struct gpu *gpu = made_open(0);
	int fd = open(slow->file, O_RDONLY | O_CLOEXEC);
	void *a;

	ck_assert_int_ge(fd, 0);
	a = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	ck_assert(a != MAP_FAILED);
	ck_assert_uint_eq(gpu_exec(gpu, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, 4096, 0).result, checksum(a, 4096));
	gpu_close(gpu);
}

static void cut_the_link(void *arg)
{
	(void)arg;
	gpu_bus("link", "softgpu0 softgpu1 none");
}

static void take_an_end_away(void *arg)
{
	(void)arg;
	gpu_bus("del_device", "1");
}

/* All that looks at the set of devices, and two that change it. */
static void ask_and_come_and_go(void *arg)
{
	struct drm_fabric_devmem_reach reach = {};
	struct drm_fabric_query query = {};
	struct gpu *a = made_open(0), *b = made_open(1);
	int fd = open("/dev/drm_fabric", O_RDWR | O_CLOEXEC);
	char *memory = map_memory(MADE_READ, true);

	(void)arg;
	ck_assert(!ioctl(fd, DRM_FABRIC_IOCTL_QUERY, &query));
	gpu_open_devmem(a);
	gpu_open_devmem(b);
	reach.owner_fd = b->devmem_fd;
	ck_assert(!ioctl(a->devmem_fd, DRM_FABRIC_DEVMEM_REACH, &reach));
	ck_assert_uint_eq(reach.reachable, 0);
	gpu_populate(b, memory, MADE_READ);
	gpu_exec(a, DRM_SOFTGPU_OP_FILL, memory, NULL, MADE_READ, 7);
	ck_assert_uint_eq(words_differ(memory, MADE_READ, 7), 0);
	gpu_close(a);
	gpu_close(b);
	made_device(3);
	gpu_bus("del_device", "2");
}

/* Does it end by itself, well? */
static bool ends_soon(pid_t pid)
{
	uint64_t end = now_ms() + 20000;
	pid_t done = 0;
	int status = 0;

	while (!done && now_ms() < end) {
		done = waitpid(pid, &status, WNOHANG);
		sleep_ms(10);
	}
	return done == pid && WIFEXITED(status) && !WEXITSTATUS(status);
}

/* Three GPUs, a link, and a program that GPU 0 works for: it waits for the file. */
static pid_t slow_set(struct slow *slow, void (*reader)(void *arg))
{
	pid_t pid;
	char c;

	made_begin_anew();
	for (size_t i = 0; i < 3; i++)
		made_device(i);
	made_link_one_way(0, 1);
	slow_mount(slow);
	pid = in_a_child(reader, slow);
	ck_assert_int_eq(read(slow->asked, &c, 1), 1);
	return pid;
}

/* proves: a link is cut, and an end of it taken away, behind a fault that takes as long as a FUSE server likes: nobody
 * waits for that, and the fault ends well */
START_TEST(cut_behind_a_slow_fault)
{
	bool cut, others, left;
	struct slow slow;
	pid_t reader;

	reader = slow_set(&slow, read_slow_file);
	cut = ends_soon(in_a_child(cut_the_link, NULL));
	others = ends_soon(in_a_child(ask_and_come_and_go, NULL));
	left = ends_soon(in_a_child(take_an_end_away, NULL));
	ck_assert_int_eq(waitpid(reader, NULL, WNOHANG), 0);
	ck_assert_int_eq(write(slow.go, "", 1), 1);
	wait_child(reader);
	slow_unmount(&slow);
	ck_assert_msg(cut, "who cut the link waited along");
	ck_assert_msg(others, "others waited along");
	ck_assert_msg(left, "who took the peer away waited along");
	ck_assert(!gpu_is_present("softgpu1"));
	ck_assert(!gpu_is_present("softgpu2"));
	ck_assert(gpu_is_present("softgpu3"));
}
END_TEST

/* GPU 1 goes, and its holder hears of it. */
static void lose_a_peer(void *arg)
{
	struct gpu *gpu = made_open(1);
	struct drm_fabric_event event;

	(void)arg;
	gpu_open_devmem(gpu);
	write_file("/sys/kernel/debug/dri/softgpu1/vanish", "1");
	do {
		ck_assert_int_eq(read(gpu->devmem_fd, &event, sizeof(event)), sizeof(event));
	} while (event.type != DRM_FABRIC_EVENT_LOST);
	gpu_bus("del_device", "1");
	gpu_close(gpu);
}

/* proves: a peer that is lost says so, and goes, behind a fault of a device that is linked to it */
START_TEST(loss_behind_a_slow_fault)
{
	struct slow slow;
	pid_t reader = slow_set(&slow, read_slow_file);
	bool lost = ends_soon(in_a_child(lose_a_peer, NULL));

	ck_assert_int_eq(write(slow.go, "", 1), 1);
	wait_child(reader);
	slow_unmount(&slow);
	ck_assert_msg(lost, "who lost the peer waited along");
	ck_assert(!gpu_is_present("softgpu1"));
}
END_TEST

struct preferer {
	char *memory;
	int done;
};

static void *prefer_system_memory(void *arg)
{
	struct preferer *p = arg;
	struct drm_fabric_prefer args = {
		.start = (uintptr_t)p->memory,
		.length_bytes = MADE_READ,
		.n_locations = 1,
		.locations = { { .type = DRM_FABRIC_LOCATION_SYSTEM, .fd = -1 } },
	};
	int fd = open("/dev/drm_fabric", O_RDWR | O_CLOEXEC);

	/* The other thread's fault has begun when the file is asked for. */
	sleep_ms(500);
	ck_assert_msg(!ioctl(fd, DRM_FABRIC_IOCTL_PREFER, &args), "PREFER: %s", strerror(errno));
	__atomic_store_n(&p->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* The same, while another thread of the program says what it prefers. */
static void read_slow_file_and_prefer(void *arg)
{
	struct preferer p = { .memory = map_memory(MADE_READ, true) };
	struct gpu *gpu = made_open(1);
	pthread_t thread;

	gpu_exec(gpu, DRM_SOFTGPU_OP_FILL, p.memory, NULL, MADE_READ, 7);
	ck_assert(!pthread_create(&thread, NULL, prefer_system_memory, &p));
	read_slow_file(arg);
	ck_assert(!pthread_join(thread, NULL));
	ck_assert_int_eq(p.done, 1);
	gpu_exec(gpu, DRM_SOFTGPU_OP_FILL, p.memory, NULL, MADE_READ, 9);
	ck_assert_uint_eq(words_differ(p.memory, MADE_READ, 9), 0);
	gpu_close(gpu);
}

static void begin_and_drain(void *arg)
{
	(void)arg;
	gpu_close(made_open(0));
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_DRAIN, "softgpu0", 0), 0);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, "softgpu0", 0), 0);
	gpu_close(made_open(0));
}

/* proves: who says what it prefers beside a fault of its own that takes long keeps nobody from the device */
START_TEST(prefer_beside_a_slow_fault)
{
	struct slow slow;
	pid_t reader = slow_set(&slow, read_slow_file_and_prefer);
	bool others;

	sleep_ms(1500);
	others = ends_soon(in_a_child(begin_and_drain, NULL));
	ck_assert_int_eq(write(slow.go, "", 1), 1);
	wait_child(reader);
	slow_unmount(&slow);
	ck_assert_msg(others, "others waited along");
}
END_TEST

/* proves: a link between PCI devices is cut and comes back by what is declared, and is again what it was when that is
 * forgotten */
START_TEST(links_of_pci_devices)
{
	char names[64][DRM_FABRIC_DEVICE_NAME_SIZE], path[96], state[16];
	char *a, *before, *after;
	size_t n, peer;

	made_begin_anew();
	n = gpu_names(names, 64);
	for (peer = 1; peer < n; peer++) {
		snprintf(path, sizeof(path), "links/%s/state", names[peer]);
		if (gpu_attr(names[0], path, state, sizeof(state)) && !strcmp(state, "up"))
			break;
	}
	if (peer >= n) {
		note("no linked pair on PCI here");
		return;
	}
	a = map_memory(MADE_READ, true);
	before = dump_fabric(false);
	for (size_t i = 0; i < 3; i++) {
		struct gpu *reader = gpu_open_name(names[0]), *holder = gpu_open_name(names[peer]);
		struct drm_softgpu_exec e;

		if (i == 0)
			gpu_bus("link", "%s %s none", names[0], names[peer]);
		else if (i == 1)
			gpu_bus("link", "%s %s cxl 1000 2000", names[0], names[peer]);
		else
			gpu_bus("unlink", "%s %s", names[0], names[peer]);
		gpu_open_devmem(holder);
		pattern_fill(a, MADE_READ, test_seed() + i);
		gpu_populate(holder, a, MADE_READ);
		e = gpu_exec(reader, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, MADE_READ, 0);
		ck_assert_uint_eq(e.peer_bytes, i ? MADE_READ : 0);
		ck_assert_uint_eq(e.result, checksum(a, MADE_READ));
		gpu_close(reader);
		gpu_close(holder);
	}
	ck_assert(!munmap(a, MADE_READ));
	/* What counts has counted. */
	made_begin_anew();
	after = dump_fabric(false);
	compare_texts(after, before);
	free(before);
	free(after);
}
END_TEST
int main(void)
{
	Suite *suite = suite_create("pairs");
	TCase *tcase;

	test_seed();
	gpu_load();
	tcase = made_tcase(suite, "order", 300);
	tcase_add_loop_test(tcase, any_order_of_arrival, 0, N_GRAPHS);
	tcase_add_loop_test(tcase, any_time_of_declaration, 0, N_GRAPHS);
	tcase = made_tcase(suite, "access", 60);
	tcase_add_loop_test(tcase, accesses_follow_links, 0, N_GRAPHS);
	tcase_add_loop_test(tcase, one_direction, 0, 2);
	tcase_add_test(tcase, links_of_pci_devices);
	tcase = made_tcase(suite, "cut", 900);
	tcase_add_loop_test(tcase, cut_under_load, 0, 2);
	tcase = made_tcase(suite, "slow", 60);
	tcase_add_test(tcase, cut_behind_a_slow_fault);
	tcase_add_test(tcase, loss_behind_a_slow_fault);
	tcase_add_test(tcase, prefer_beside_a_slow_fault);
	return test_run(suite);
}

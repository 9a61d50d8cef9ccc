// SPDX-License-Identifier: MIT
/* Links as they are declared between GPUs that are made at run time: each pair for itself, in any order, at any time. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gpu.h"

#define VRAM (16 * MIB)
#define SIZE (2 * MIB)
#define MAX_GPUS 4
#define DRIVER "/sys/bus/softgpu/drivers/softgpu"

/* Nothing but what the machine has: no device, no declaration, and names that have never been used. */
static void begin_anew(void)
{
	gpu_reload("");
}

static void name_of(size_t i, char *name)
{
	snprintf(name, DRM_FABRIC_DEVICE_NAME_SIZE, "softgpu%zu", i);
}

static void new_device(size_t i)
{
	gpu_bus("new_device", "%zu %zu", i, VRAM);
}

static void link_one_way(size_t a, size_t b)
{
	gpu_bus("link", "softgpu%zu softgpu%zu xgmi 50000 40000 700", a, b);
}

static void link_both_ways(size_t a, size_t b)
{
	link_one_way(a, b);
	link_one_way(b, a);
}

static struct gpu *open_gpu(size_t i)
{
	char name[DRM_FABRIC_DEVICE_NAME_SIZE];

	name_of(i, name);
	return gpu_open_name(name);
}

static bool link_attr(size_t a, size_t b, const char *attr, char *buf, size_t size)
{
	char path[96], name[DRM_FABRIC_DEVICE_NAME_SIZE];

	name_of(a, name);
	snprintf(path, sizeof(path), "links/softgpu%zu/%s", b, attr);
	return gpu_attr(name, path, buf, size);
}

static void check_link(size_t a, size_t b, const char *attr, const char *value)
{
	char buf[256];

	ck_assert_msg(link_attr(a, b, attr, buf, sizeof(buf)), "softgpu%zu -> softgpu%zu: no %s", a, b, attr);
	ck_assert_str_eq(buf, value);
}

static bool group_members(const char *group, char *buf, size_t size)
{
	char file[128];

	snprintf(file, sizeof(file), "/sys/class/drm_fabric_group/%s/members", group);
	return read_file(file, buf, size);
}

/* ---- the whole tree ---- */

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Its minor is given out in the order of arrival. That it is the device's own does not depend on that. */
static void dump_render_node(FILE *out, const char *file, const char *node)
{
	char path[128], is[PATH_MAX], parent[PATH_MAX];
	const char *device = strstr(file, "/drm_fabric/") + strlen("/drm_fabric/");

	snprintf(path, sizeof(path), "/sys/class/drm/%.32s/device", node);
	ck_assert_msg(realpath(path, is), "%s", path);
	snprintf(path, sizeof(path), "/sys/class/drm_fabric/%.*s/device", (int)strcspn(device, "/"), device);
	ck_assert_msg(realpath(path, parent), "%s", path);
	ck_assert_str_eq(is, parent);
	fprintf(out, "its own\n");
}

static void dump_file(FILE *out, const FTSENT *entry, bool all)
{
	static char text[8192];
	char *generation;

	fprintf(out, "%s", entry->fts_path);
	if (!(entry->fts_statp->st_mode & 0444)) {
		fprintf(out, " is written only\n");
		return;
	}
	/* Some of power/ cannot be read while there is no runtime power management. */
	if (!read_file(entry->fts_accpath, text, sizeof(text))) {
		fprintf(out, ": %s\n", strerror(errno));
		return;
	}
	fprintf(out, ": ");
	if (!all && !strcmp(entry->fts_name, "render_node")) {
		dump_render_node(out, entry->fts_path, text);
		return;
	}
	/* It counts, as the file of that name does. */
	generation = all || strcmp(entry->fts_name, "uevent") ? NULL : strstr(text, "DRM_FABRIC_GENERATION=");
	if (generation)
		*generation = '\0';
	fprintf(out, "%s\n", text);
}

/* @all: also what must depend on the order in which devices came. */
static void dump_tree(FILE *out, const char *class, bool all)
{
	char *const roots[] = { (char *)class, NULL };
	char target[256];
	FTSENT *entry;
	ssize_t n;
	FTS *fts;

	fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	ck_assert_ptr_nonnull(fts);
	while ((entry = fts_read(fts))) {
		switch (entry->fts_info) {
		case FTS_SL:
			/* The devices of a class are links. Whatever they link to is not ours. */
			n = readlink(entry->fts_accpath, target, sizeof(target));
			ck_assert_int_gt(n, 0);
			fprintf(out, "%s -> %.*s\n", entry->fts_path, (int)n, target);
			if (entry->fts_level == 1)
				fts_set(fts, entry, FTS_FOLLOW);
			break;
		case FTS_F:
			if (all || strcmp(entry->fts_name, "generation"))
				dump_file(out, entry, all);
			break;
		case FTS_D:
			fprintf(out, "%s/\n", entry->fts_path);
			break;
		case FTS_DP:
			break;
		default:
			ck_abort_msg("%s: %d %s", entry->fts_path, entry->fts_info, strerror(entry->fts_errno));
		}
	}
	fts_close(fts);
}

static char *dump(bool all)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	dump_tree(out, "/sys/class/drm_fabric", all);
	dump_tree(out, "/sys/class/drm_fabric_group", all);
	fclose(out);
	return text;
}

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
		link_both_ways(graph->links[i][0], graph->links[i][1]);
}

static void check_graph(const struct graph *graph)
{
	char buf[256];

	for (size_t a = 0; a < graph->n; a++) {
		for (size_t b = 0; b < graph->n; b++) {
			if (a == b)
				continue;
			check_link(a, b, "type", is_linked(graph, a, b) ? "xgmi" : "none");
			check_link(a, b, "state", is_linked(graph, a, b) ? "up" : "down");
			ck_assert_int_eq(link_attr(a, b, "why_not", buf, sizeof(buf)), !is_linked(graph, a, b));
			if (!is_linked(graph, a, b))
				continue;
			check_link(a, b, "read_bandwidth", "50000");
			check_link(a, b, "write_bandwidth", "40000");
			check_link(a, b, "read_latency", "700");
			check_link(a, b, "write_latency", "700");
			check_link(a, b, "provenance", "nominal");
		}
	}
	ck_assert(group_members("xgmi-softgpu0", buf, sizeof(buf)));
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
		begin_anew();
		declare_links(graph);
		for (size_t i = 0; i < graph->n; i++)
			new_device(order[i]);
		check_graph(graph);
		again = dump(false);
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
		begin_anew();
		for (size_t i = 0; i <= graph->n; i++) {
			if (i == when || when > graph->n)
				declare_links(graph);
			if (i < graph->n)
				new_device(i);
		}
		check_graph(graph);
		again = dump(false);
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

/* @accessor reads what lives on @owner. @a goes there before. */
static void check_read(size_t accessor, size_t owner, bool in_place, char *a, uint64_t seed)
{
	struct gpu *reader = open_gpu(accessor), *holder = open_gpu(owner);
	struct drm_softgpu_exec e;

	gpu_open_devmem(holder);
	pattern_fill(a, SIZE, seed);
	gpu_populate(holder, a, SIZE);
	e = gpu_exec(reader, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0);
	ck_assert_uint_eq(e.local_bytes, 0);
	ck_assert_uint_eq(e.peer_bytes, in_place ? SIZE : 0);
	ck_assert_uint_eq(e.system_bytes, in_place ? 0 : SIZE);
	ck_assert_uint_eq(gpu_residency(holder, a, SIZE).region_bytes, in_place ? SIZE : 0);
	ck_assert_uint_eq(e.result, checksum(a, SIZE));
	ck_assert_uint_eq(pattern_differs(a, SIZE, seed), 0);
	gpu_close(reader);
	gpu_close(holder);
}

/* proves: linked peers are read in place, all others through system memory, and the data is right */
START_TEST(accesses_follow_links)
{
	const struct graph *graph = &graphs[_i];
	char *a = map_memory(SIZE, true);

	begin_anew();
	declare_links(graph);
	for (size_t i = 0; i < graph->n; i++)
		new_device(i);
	for (size_t owner = 0; owner < graph->n; owner++)
		for (size_t accessor = 0; accessor < graph->n; accessor++)
			if (accessor != owner)
				check_read(accessor, owner, is_linked(graph, accessor, owner), a,
					   test_seed() + owner * MAX_GPUS + accessor);
	ck_assert(!munmap(a, SIZE));
}
END_TEST

/* proves: a link of one direction is one: there in place, back through system memory, and no group */
START_TEST(one_direction)
{
	char *a = map_memory(SIZE, _i), buf[64];

	begin_anew();
	new_device(0);
	new_device(1);
	link_one_way(0, 1);
	check_link(0, 1, "state", "up");
	check_link(1, 0, "state", "down");
	check_link(1, 0, "type", "none");
	ck_assert(!group_members("xgmi-softgpu0", buf, sizeof(buf)));
	check_read(0, 1, true, a, test_seed());
	check_read(1, 0, false, a, test_seed() + 1);
	check_read(0, 1, true, a, test_seed() + 2);
	ck_assert(!munmap(a, SIZE));
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
		w->r = gpu_try_exec(w->gpu, DRM_SOFTGPU_OP_ADD, w->slice, w->source, SIZE, 0, &e);
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
	uint64_t *all = map_memory(4 * SIZE, _i), *source = all + 3 * SIZE / 8;
	struct worker workers[3] = {};
	struct drm_fabric_devmem_populate moved;
	char buf[256];
	uint64_t peer;

	begin_anew();
	for (size_t i = 0; i < 3; i++)
		new_device(i);
	link_both_ways(0, 1);
	link_both_ways(1, 2);
	pattern_fill(all, 4 * SIZE, test_seed());
	for (size_t i = 0; i < 3; i++)
		workers[i] = (struct worker){ .gpu = open_gpu(i), .slice = all + i * SIZE / 8, .source = source };
	gpu_open_devmem(workers[1].gpu);
	gpu_populate(workers[1].gpu, all, 4 * SIZE);
	for (size_t i = 0; i < 3; i++)
		ck_assert(!pthread_create(&workers[i].thread, NULL, work, &workers[i]));
	wait_for_work(&workers[0], 1);
	ck_assert_uint_gt(peer_bytes_so_far(workers[0].gpu), 0);

	for (size_t loop = 0; loop < test_loops(5, 100); loop++) {
		gpu_bus("link", "softgpu0 softgpu1 none");
		/* What began before tells its bytes at its end. */
		wait_for_work(&workers[0], 1);
		peer = peer_bytes_so_far(workers[0].gpu);
		ck_assert_int_eq(gpu_try_populate(workers[1].gpu, all, 4 * SIZE, 0, &moved), 0);
		wait_for_work(&workers[0], 2);
		ck_assert_uint_eq(peer_bytes_so_far(workers[0].gpu), peer);

		link_one_way(0, 1);
		ck_assert_int_eq(gpu_try_populate(workers[1].gpu, all, 4 * SIZE, 0, &moved), 0);
		wait_for_work(&workers[0], 2);
	}
	gpu_bus("link", "softgpu0 softgpu1 none");
	for (size_t i = 0; i < 3; i++) {
		__atomic_store_n(&workers[i].stop, true, __ATOMIC_RELEASE);
		ck_assert(!pthread_join(workers[i].thread, NULL));
		ck_assert_msg(!workers[i].r, "EXEC on %s: %s", workers[i].gpu->name, strerror(-workers[i].r));
	}
	for (size_t i = 0; i < 3; i++) {
		uint64_t *was = map_memory(4 * SIZE, false);

		pattern_fill(was, 4 * SIZE, test_seed());
		for (size_t j = 0; j < SIZE / 8; j++)
			ck_assert_uint_eq(workers[i].slice[j], was[i * SIZE / 8 + j] + workers[i].n_done * source[j]);
		munmap(was, 4 * SIZE);
		note("%s: %zu times", workers[i].gpu->name, workers[i].n_done);
		gpu_close(workers[i].gpu);
	}

	check_link(0, 1, "state", "down");
	check_link(0, 1, "type", "none");
	ck_assert(link_attr(0, 1, "why_not", buf, sizeof(buf)));
	ck_assert_ptr_nonnull(strstr(buf, "cut"));
	ck_assert(!link_attr(0, 1, "read_bandwidth", buf, sizeof(buf)));
	ck_assert(!group_members("xgmi-softgpu0", buf, sizeof(buf)));
	ck_assert(group_members("xgmi-softgpu1", buf, sizeof(buf)));
	ck_assert_str_eq(buf, "softgpu1 softgpu2");
	check_read(0, 1, false, (char *)all, test_seed() + 1);
	check_read(2, 1, true, (char *)all, test_seed() + 2);

	link_one_way(0, 1);
	check_link(0, 1, "state", "up");
	ck_assert(!link_attr(0, 1, "why_not", buf, sizeof(buf)));
	ck_assert(group_members("xgmi-softgpu0", buf, sizeof(buf)));
	check_read(0, 1, true, (char *)all, test_seed() + 3);

	/* Nothing declared is nothing linked. */
	gpu_bus("unlink", "softgpu0 softgpu1");
	check_link(0, 1, "state", "down");
	check_read(0, 1, false, (char *)all, test_seed() + 4);
	ck_assert(!munmap(all, 4 * SIZE));
}
END_TEST

/* proves: a link between PCI devices is cut and comes back by what is declared, and is again what it was when that is
 * forgotten */
START_TEST(links_of_pci_devices)
{
	char names[64][DRM_FABRIC_DEVICE_NAME_SIZE], path[96], state[16];
	char *a, *before, *after;
	size_t n, peer;

	begin_anew();
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
	a = map_memory(SIZE, true);
	before = dump(false);
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
		pattern_fill(a, SIZE, test_seed() + i);
		gpu_populate(holder, a, SIZE);
		e = gpu_exec(reader, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0);
		ck_assert_uint_eq(e.peer_bytes, i ? SIZE : 0);
		ck_assert_uint_eq(e.result, checksum(a, SIZE));
		gpu_close(reader);
		gpu_close(holder);
	}
	ck_assert(!munmap(a, SIZE));
	/* What counts has counted. */
	begin_anew();
	after = dump(false);
	compare_texts(after, before);
	free(before);
	free(after);
}
END_TEST

/* ---- the devices ---- */

/* proves: every seventh job of all copy engines fails, and all data is right */
START_TEST(every_seventh_copy_fails)
{
	char *a = map_memory(4 * SIZE, _i);
	struct gpu *gpus[3];

	begin_anew();
	for (size_t i = 0; i < 3; i++)
		new_device(i);
	link_both_ways(0, 1);
	link_both_ways(1, 2);
	for (size_t i = 0; i < 3; i++) {
		gpus[i] = open_gpu(i);
		gpu_open_devmem(gpus[i]);
		gpu_fault(gpus[i], "fail_copy_nth", 7);
	}
	for (size_t loop = 0; loop < test_loops(6, 200); loop++) {
		struct gpu *holder = gpus[loop % 3], *reader = gpus[(loop + 1) % 3];
		uint64_t seed = test_seed() + loop;
		struct drm_softgpu_exec e;
		uint64_t sum;

		pattern_fill(a, 4 * SIZE, seed);
		sum = checksum(a, 4 * SIZE);
		gpu_populate(holder, a, 4 * SIZE);
		e = gpu_exec(reader, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, 4 * SIZE, 0);
		ck_assert_uint_eq(e.result, sum);
		ck_assert_uint_eq(pattern_differs(a, 4 * SIZE, seed), 0);
		ck_assert_uint_eq(gpu_figure(holder, "regions/vram0/dead_bytes"), 0);
	}
	for (size_t i = 0; i < 3; i++)
		gpu_close(gpus[i]);
	ck_assert(!munmap(a, 4 * SIZE));
}
END_TEST

/* proves: del_device and unbind bring all data home; a bound device is a new incarnation with its declared links */
START_TEST(a_device_goes_and_comes)
{
	struct gpu *holder, *reader;
	char *a = map_memory(SIZE, true), buf[64];

	begin_anew();
	new_device(0);
	new_device(1);
	link_both_ways(0, 1);
	for (size_t i = 0; i < 2; i++) {
		holder = open_gpu(1);
		reader = open_gpu(0);
		gpu_open_devmem(holder);
		pattern_fill(a, SIZE, test_seed() + i);
		gpu_populate(holder, a, SIZE);
		ck_assert_uint_eq(gpu_exec(reader, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0).peer_bytes, SIZE);
		if (i)
			gpu_bus("del_device", "1");
		else
			write_file(DRIVER "/unbind", "softgpu1");
		ck_assert(!gpu_is_present("softgpu1"));
		ck_assert_uint_eq(gpu_exec(reader, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0).system_bytes, SIZE);
		ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed() + i), 0);
		gpu_close(holder);
		gpu_close(reader);
		/* Unbound, it has its name still. */
		ck_assert_int_eq(gpu_try_bus("new_device", "1 %zu", VRAM), i ? 0 : -EEXIST);
		if (!i)
			write_file(DRIVER "/bind", "softgpu1");
		ck_assert(gpu_attr("softgpu1", "incarnation", buf, sizeof(buf)));
		ck_assert_str_eq(buf, i ? "3" : "2");
		check_link(0, 1, "state", "up");
		check_link(1, 0, "state", "up");
	}
	gpu_bus("del_device", "0");
	ck_assert_int_eq(gpu_try_bus("del_device", "0"), -ENODEV);
	ck_assert(!munmap(a, SIZE));
}
END_TEST

/* proves: the module stays as long as a handle is good, and not for one that is revoked: that may outlive it, and the
 * device that it was on; unloading takes all devices along */
START_TEST(unloading)
{
	struct gpu *gpu;
	int fd;

	begin_anew();
	new_device(0);
	new_device(1);
	new_device(2);
	gpu = open_gpu(0);
	gpu_open_devmem(gpu);
	ck_assert_int_ne(shell("rmmod softgpu 2>/dev/null"), 0);
	ck_assert(gpu_is_present("softgpu0"));
	gpu_bus("del_device", "0");
	fd = dup(gpu->devmem_fd);
	gpu_close(gpu);
	ck_assert_int_eq(shell("rmmod softgpu"), 0);
	ck_assert(access("/sys/bus/softgpu", F_OK));
	ck_assert(!gpu_is_present("softgpu1"));
	ck_assert_int_ne(shell("rmmod drm_fabric 2>/dev/null"), 0);
	close(fd);
	ck_assert_int_eq(shell("rmmod drm_fabric"), 0);
}
END_TEST

/* proves: measuring moves bytes through the copy engine, with VRAM of its own and when all of that is taken; one that
 * fails is no figure */
START_TEST(links_can_be_measured)
{
	char *a = map_memory(VRAM, true), buf[64];
	struct gpu *gpu;

	begin_anew();
	new_device(0);
	new_device(1);
	link_one_way(0, 1);
	gpu = open_gpu(0);
	gpu_open_devmem(gpu);
	gpu_fault(gpu, "fail_copy_nth", 1);
	gpu_write_attr("softgpu0", "links/softgpu1/measure", "1");
	(void)gpu_wait_attr("softgpu0", "links/softgpu1/measure_state", "failed: EIO", 10000);
	check_link(0, 1, "measure_state", "failed: EIO");
	check_link(0, 1, "provenance", "nominal");
	check_link(0, 1, "read_bandwidth", "50000");
	gpu_fault(gpu, "fail_copy_nth", 0);

	for (size_t i = 0; i < 2; i++) {
		uint64_t free_bytes = gpu_figure(gpu, "regions/vram0/free_bytes");

		gpu_write_attr("softgpu0", "links/softgpu1/measure", "1");
		ck_assert(gpu_wait_attr("softgpu0", "links/softgpu1/measure_state", "ok", 10000));
		check_link(0, 1, "provenance", "measured");
		ck_assert(link_attr(0, 1, "read_bandwidth", buf, sizeof(buf)));
		ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/free_bytes"), free_bytes);
		note("%s: read %s MB/s", i ? "by a buffer" : "by VRAM", buf);
		/* Now all of it. */
		pattern_fill(a, VRAM, test_seed());
		gpu_populate(gpu, a, VRAM);
		/* Another type is another link: the figures are declared ones again. */
		gpu_bus("link", "softgpu0 softgpu1 %s 10 20", i ? "xgmi" : "cxl");
		check_link(0, 1, "provenance", "nominal");
		ck_assert(!link_attr(0, 1, "read_latency", buf, sizeof(buf)));
	}
	ck_assert_uint_eq(pattern_differs(a, VRAM, test_seed()), 0);
	gpu_close(gpu);
	ck_assert(!munmap(a, VRAM));
}
END_TEST

static uint64_t free_memory(void)
{
	char text[4096];
	const char *line;

	ck_assert_int_eq(shell("sync; echo 3 >/proc/sys/vm/drop_caches"), 0);
	ck_assert(read_file("/proc/meminfo", text, sizeof(text)));
	line = strstr(text, "MemFree:");
	ck_assert_ptr_nonnull(line);
	return strtoull(line + strlen("MemFree:"), NULL, 10) << 10;
}

/* proves: devices are made until memory is used up, then refused and nothing is left behind; deleted, they give all of
 * it back */
START_TEST(memory_runs_out)
{
	uint64_t before, after;
	size_t n = 0;
	int r;

	begin_anew();
	before = free_memory();
	while (!(r = gpu_try_bus("new_device", "%zu %zu", n, 256 * MIB))) {
		n++;
		ck_assert_uint_lt(n, 1000);
	}
	ck_assert_int_eq(r, -ENOMEM);
	ck_assert_uint_gt(n, 0);
	ck_assert(access("/sys/bus/softgpu/devices/softgpu0", F_OK) == 0);
	ck_assert_int_eq(shell("test -e /sys/bus/softgpu/devices/softgpu%zu", n), 1);
	for (size_t i = 0; i < n; i++)
		gpu_bus("del_device", "%zu", i);
	after = free_memory();
	note("%zu devices of 256 MiB; free: %llu MiB before, %llu MiB after", n, (unsigned long long)before >> 20,
	     (unsigned long long)after >> 20);
	ck_assert_uint_ge(after + 64 * MIB, before);
}
END_TEST

/* ---- bad input ---- */

#define NAME_32 "a2345678901234567890123456789012"

static const struct {
	const char *attr;
	const char *text;
	int r;
} bad_input[] = {
	{ "new_device", "\n", -EINVAL },
	{ "new_device", "x", -EINVAL },
	{ "new_device", "2", -EINVAL },
	{ "new_device", "2 x", -EINVAL },
	{ "new_device", "2x 16777216", -EINVAL },
	{ "new_device", "-2 16777216", -EINVAL },
	{ "new_device", "softgpu2 16777216", -EINVAL },
	{ "new_device", "2 16777216 0 0", -EINVAL },
	{ "new_device", "2 16777216 0x0", -EINVAL },
	{ "new_device", "2147483648 16777216", -EINVAL },
	{ "new_device", "4294967298 16777216", -EINVAL },
	{ "new_device", "2 0", -EINVAL },
	{ "new_device", "2 1", -EINVAL },
	{ "new_device", "2 16777217", -EINVAL },
	{ "new_device", "2 -16777216", -EINVAL },
	{ "new_device", "2 16M", -EINVAL },
	{ "new_device", "2 1073807360", -EINVAL }, /* 1 GiB and 64 KiB */
	{ "new_device", "2 18446744073709551616", -EINVAL },
	{ "new_device", "2 18446744073692774400", -EINVAL },
	{ "new_device", "2 16777216 -1", -EINVAL },
	{ "new_device", "2 16777216 63", -EINVAL },
	{ "new_device", "2 16777216 4096", -EINVAL },
	{ "new_device", "2 16777216 2147483648", -EINVAL },
	{ "new_device", "0 16777216", -EEXIST },
	{ "new_device", "01 16777216", -EEXIST },
	{ "del_device", "\n", -EINVAL },
	{ "del_device", "x", -EINVAL },
	{ "del_device", "softgpu0", -EINVAL },
	{ "del_device", "0 1", -EINVAL },
	{ "del_device", "-0 ", -EINVAL },
	{ "del_device", "4294967296", -EINVAL },
	{ "del_device", "2", -ENODEV },
	{ "link", "\n", -EINVAL },
	{ "link", "softgpu0", -EINVAL },
	{ "link", "softgpu0 softgpu1", -EINVAL },
	{ "link", "softgpu0 softgpu1 xgmi", -EINVAL },
	{ "link", "softgpu0 softgpu1 xgmi 1", -EINVAL },
	{ "link", "softgpu0 softgpu1 xgmi 1 x", -EINVAL },
	{ "link", "softgpu0 softgpu1 xgmi -1 1", -EINVAL },
	{ "link", "softgpu0 softgpu1 xgmi 1 4294967296", -EINVAL },
	{ "link", "softgpu0 softgpu1 xgmi 1 1 x", -EINVAL },
	{ "link", "softgpu0 softgpu1 xgmi 1 1 1 1", -EINVAL },
	{ "link", "softgpu0 softgpu1 none 1 1", -EINVAL },
	{ "link", "softgpu0 softgpu1 XGMI 1 1", -EINVAL },
	{ "link", "softgpu0 softgpu1 warp 1 1", -EINVAL },
	{ "link", "softgpu0 softgpu1 pcie_switch 1 1", -EINVAL },
	{ "link", "softgpu0 softgpu0 xgmi 1 1", -EINVAL },
	{ "link", "softgpu0 softgpu0 none", -EINVAL },
	{ "link", "softgpu0 " NAME_32 " none", -EINVAL },
	{ "link", NAME_32 " softgpu1 none", -EINVAL },
	{ "link", "softgpu0/links softgpu1 none", -EINVAL },
	{ "unlink", "\n", -EINVAL },
	{ "unlink", "softgpu0", -EINVAL },
	{ "unlink", "softgpu0 softgpu1 xgmi", -EINVAL },
	{ "unlink", "softgpu0 softgpu0", -EINVAL },
	{ "unlink", NAME_32 " softgpu1", -EINVAL },
	{ "unlink", "softgpu1 softgpu0", -ENOENT },
	{ "unlink", "softgpu0 softgpu2", -ENOENT },
	{ "drivers/softgpu/unbind", "softgpu2", -ENODEV },
	{ "drivers/softgpu/bind", "softgpu2", -ENODEV },
};

/* proves: what is not right is refused with the error that is documented, and nothing is different, counters included */
START_TEST(bad_input_changes_nothing)
{
	char file[128], *before, *after;
	int fd;

	begin_anew();
	new_device(0);
	new_device(1);
	link_one_way(0, 1);
	before = dump(true);
	for (size_t i = 0; i < sizeof(bad_input) / sizeof(bad_input[0]); i++) {
		int r = gpu_try_bus(bad_input[i].attr, "%s", bad_input[i].text);

		ck_assert_msg(r == bad_input[i].r, "%s <- \"%s\": %s", bad_input[i].attr, bad_input[i].text,
			      r ? strerror(-r) : "accepted");
	}
	/* A 0, and more behind it. */
	for (size_t i = 0; i < 4; i++) {
		static const struct {
			const char *attr, *text;
			size_t size;
		} zeros[] = { { "new_device", "2 16777216\0 0", 13 },
			      { "del_device", "0\0x", 3 },
			      { "link", "softgpu0 softgpu1 none\0", 23 },
			      { "unlink", "softgpu0 softgpu1\0\0", 19 } };

		snprintf(file, sizeof(file), "/sys/bus/softgpu/%s", zeros[i].attr);
		fd = open(file, O_WRONLY | O_CLOEXEC);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(write(fd, zeros[i].text, zeros[i].size), -1);
		ck_assert_int_eq(errno, EINVAL);
		close(fd);
	}
	after = dump(true);
	compare_texts(after, before);
	free(before);
	free(after);
}
END_TEST

/* proves: these files are root's */
START_TEST(for_root_only)
{
	static const char *const attrs[] = { "new_device", "del_device", "link", "unlink" };
	int pid;

	begin_anew();
	pid = fork();
	if (!pid) {
		if (setgid(65534) || setuid(65534))
			_exit(1);
		for (size_t i = 0; i < 4; i++)
			if (gpu_try_bus(attrs[i], "0") != -EACCES)
				_exit(2);
		_exit(0);
	}
	wait_child(pid);
}
END_TEST

static bool is_soak(void)
{
	const char *soak = getenv("SOAK");

	return soak && !strcmp(soak, "1");
}

static TCase *add_tcase(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, 60);
	/* Who comes next finds the machine as it was. */
	tcase_add_unchecked_fixture(tcase, NULL, begin_anew);
	suite_add_tcase(suite, tcase);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("pairs");
	TCase *tcase;

	test_seed();
	gpu_load();
	tcase = add_tcase(suite, "order");
	tcase_set_timeout(tcase, is_soak() ? 300 : 60);
	tcase_add_loop_test(tcase, any_order_of_arrival, 0, N_GRAPHS);
	tcase_add_loop_test(tcase, any_time_of_declaration, 0, N_GRAPHS);
	tcase = add_tcase(suite, "access");
	tcase_add_loop_test(tcase, accesses_follow_links, 0, N_GRAPHS);
	tcase_add_loop_test(tcase, one_direction, 0, 2);
	tcase_add_test(tcase, links_of_pci_devices);
	tcase = add_tcase(suite, "cut");
	tcase_set_timeout(tcase, is_soak() ? 900 : 60);
	tcase_add_loop_test(tcase, cut_under_load, 0, 2);
	tcase = add_tcase(suite, "devices");
	tcase_set_timeout(tcase, is_soak() ? 900 : 60);
	tcase_add_loop_test(tcase, every_seventh_copy_fails, 0, 2);
	tcase_add_test(tcase, a_device_goes_and_comes);
	tcase_add_test(tcase, unloading);
	tcase_add_test(tcase, links_can_be_measured);
	tcase_add_test(tcase, memory_runs_out);
	tcase = add_tcase(suite, "input");
	tcase_add_test(tcase, bad_input_changes_nothing);
	tcase_add_test(tcase, for_root_only);
	return test_run(suite);
}

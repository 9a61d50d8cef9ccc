// SPDX-License-Identifier: MIT
/*
 * What the kernel part costs beside the nearest thing that the stock kernel does itself: one JSON object a line,
 *
 *   {"name", "value", "unit", "peer", "peer_value", "ratio", "valid", "why"}
 *
 * To be run under --icount: guest time is then the number of instructions that all processors have executed, the same
 * in each run, plus what all have slept. "valid" is false, and "why" says why, if one side demonstrably did not do the
 * work. The copying itself is not what is compared: there are rows of it alone, and rows without it.
 *
 * tests/README.md says what each row means.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "gpu.h"

#define PAGE ((size_t)4096)
#define MAX_ROUNDS 9
#define TRACE "/sys/kernel/tracing"
#define WAIT_MS 60000

static size_t n_rounds = 5;
static size_t n_calls = 10000;
static size_t size = 64 * MIB;

/* Why the current row is worthless; empty if it is not. */
static char why[160];

__attribute__((format(printf, 1, 2))) static void invalid(const char *format, ...)
{
	va_list args;

	if (why[0])
		return;
	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t median(uint64_t *values, size_t n)
{
	if (!n)
		return 0;
	qsort(values, n, sizeof(*values), compare_u64);
	return values[n / 2];
}

static void row(const char *name, uint64_t value, const char *unit, const char *peer, uint64_t peer_value)
{
	if (!value || !peer_value)
		invalid("nothing was measured");
	printf("{\"name\": \"kernel.%s\", \"value\": %llu, \"unit\": \"%s\", \"peer\": \"%s\", \"peer_value\": %llu, "
	       "\"ratio\": ",
	       name, (unsigned long long)value, unit, peer, (unsigned long long)peer_value);
	if (peer_value)
		printf("%.3f", (double)value / (double)peer_value);
	else
		printf("null");
	if (why[0])
		printf(", \"valid\": false, \"why\": \"%s\"}\n", why);
	else
		printf(", \"valid\": true}\n");
	fflush(stdout);
	why[0] = '\0';
}

/* -- where the time goes ----------------------------------------------------------- */

/* It is emptied by being opened so. */
static void trace_clear(void)
{
	int fd = open(TRACE "/trace", O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
}

/* Events of @group, named bench for our own, are noted from here on. */
static bool trace_begin(const char *group)
{
	(void)try_write_file(TRACE "/tracing_on", "0");
	(void)try_write_file(TRACE "/buffer_size_kb", "16384");
	(void)try_write_file(TRACE "/trace_clock", "mono");
	trace_clear();
	return !shell("echo 1 >" TRACE "/events/%s/enable", group) && !try_write_file(TRACE "/tracing_on", "1");
}

static void trace_end(const char *group)
{
	(void)try_write_file(TRACE "/tracing_on", "0");
	(void)shell("echo 0 >" TRACE "/events/%s/enable", group);
}

/* The next event of the trace: its processor, time, and the text from its name on. */
static bool trace_next(FILE *f, unsigned int *ret_cpu, uint64_t *ret_ns, char *text, size_t text_size)
{
	unsigned long long seconds, micros;
	char line[512], *cpu;
	int at = 0;

	while (fgets(line, sizeof(line), f)) {
		cpu = line[0] == '#' ? NULL : strchr(line, '[');
		/* bench-123     [000] d..1.    12.345678: name: words */
		if (!cpu || sscanf(cpu, "[%u] %*s %llu.%llu: %n", ret_cpu, &seconds, &micros, &at) != 3 ||
		    *ret_cpu >= 64)
			continue;
		*ret_ns = seconds * 1000000000 + micros * 1000;
		snprintf(text, text_size, "%s", cpu + at);
		return true;
	}
	return false;
}

/* From here on calls of @function, which does not call itself, are noted. */
static bool function_begin(const char *function)
{
	(void)try_write_file(TRACE "/kprobe_events", "");
	return !shell("echo 'p:bench/in %s' >" TRACE "/kprobe_events && echo 'r:bench/out %s' >>" TRACE
		      "/kprobe_events",
		      function, function) &&
	       trace_begin("bench");
}

/* Nanoseconds between calls and returns. */
static uint64_t function_end(void)
{
	uint64_t entered[64] = {}, sum = 0, now;
	unsigned int cpu;
	char text[64];
	FILE *f;

	trace_end("bench");
	f = fopen(TRACE "/trace", "re");
	while (f && trace_next(f, &cpu, &now, text, sizeof(text))) {
		if (!strncmp(text, "in:", 3)) {
			entered[cpu] = now;
		} else if (!strncmp(text, "out:", 4) && entered[cpu]) {
			sum += now - entered[cpu];
			entered[cpu] = 0;
		}
	}
	if (f)
		fclose(f);
	(void)try_write_file(TRACE "/kprobe_events", "");
	return sum;
}

/* Nanoseconds of [@from, @to), after trace_begin("power/cpu_idle"), for which no processor had anything to do. */
static uint64_t idle_end(uint64_t from, uint64_t to)
{
	uint64_t idle = 0, sum = 0, all = (1ull << sysconf(_SC_NPROCESSORS_ONLN)) - 1, since = 0, now;
	unsigned int cpu;
	char text[64];
	FILE *f;

	trace_end("power/cpu_idle");
	f = fopen(TRACE "/trace", "re");
	while (f && trace_next(f, &cpu, &now, text, sizeof(text))) {
		bool ends = strstr(text, "state=4294967295");

		now = now < from ? from : now > to ? to : now;
		if (idle == all && ends)
			sum += now - since;
		idle = ends ? idle & ~(1ull << cpu) : idle | 1ull << cpu;
		if (idle == all && !ends)
			since = now;
		/* The first event of a processor that was idle before is an end: it says nothing. */
	}
	if (f)
		fclose(f);
	return sum;
}

/* -- move_pages(2) ------------------------------------------------------------------ */

static void *vector[64 * MIB / PAGE];
static int nodes[64 * MIB / PAGE], status[64 * MIB / PAGE];

/* All small pages of @addr are on @node. */
static bool is_on_node(char *addr, int node)
{
	size_t n = size / PAGE;

	for (size_t i = 0; i < n; i++)
		vector[i] = addr + i * PAGE;
	if (syscall(SYS_move_pages, 0, n, vector, NULL, status, 0))
		return false;
	for (size_t i = 0; i < n; i++)
		if (status[i] != node)
			return false;
	return true;
}

/* Nanoseconds. One address for a large page: the least that the call needs. */
static uint64_t move_pages(char *addr, bool huge, int node)
{
	size_t step = huge ? 2 * MIB : PAGE, n = size / step;
	uint64_t start;
	long r;

	for (size_t i = 0; i < n; i++) {
		vector[i] = addr + i * step;
		nodes[i] = node;
		status[i] = -1;
	}
	start = now_ns();
	r = syscall(SYS_move_pages, 0, n, vector, nodes, status, MPOL_MF_MOVE);
	start = now_ns() - start;
	if (r)
		invalid("move_pages(2) returned %ld (errno %d)", r, errno);
	for (size_t i = 0; i < n; i++)
		if (status[i] != node)
			invalid("move_pages(2): status %d of page %zu", status[i], i);
	if (!is_on_node(addr, node))
		invalid("move_pages(2) did not move all");
	return start;
}

/* Bytes of @addr's mapping in large pages. */
static size_t huge_bytes(const char *addr)
{
	char line[256], head[32];
	bool ours = false;
	size_t sum = 0;
	FILE *f;

	snprintf(head, sizeof(head), "%lx-", (unsigned long)addr);
	f = fopen("/proc/self/smaps", "re");
	while (f && fgets(line, sizeof(line), f)) {
		size_t kib;

		if (strstr(line, "-") && strspn(line, "0123456789abcdef") == (size_t)(strchr(line, '-') - line))
			ours = !strncmp(line, head, strlen(head));
		else if (ours && sscanf(line, "AnonHugePages: %zu kB", &kib) == 1)
			sum = kib << 10;
	}
	if (f)
		fclose(f);
	return sum;
}

static void compact(void)
{
	(void)try_write_file("/proc/sys/vm/drop_caches", "3");
	(void)try_write_file("/proc/sys/vm/compact_memory", "1");
}

/* Filled, on node 0. */
static char *new_memory(bool huge)
{
	unsigned long mask = 1;
	char *addr;

	compact();
	if (syscall(SYS_set_mempolicy, MPOL_BIND, &mask, 8 * sizeof(mask)))
		invalid("set_mempolicy: %s", strerror(errno));
	addr = map_memory(size, huge);
	pattern_fill(addr, size, 1);
	if (syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0))
		invalid("set_mempolicy: %s", strerror(errno));
	if (!is_on_node(addr, 0))
		invalid("not all memory is on node 0");
	if (huge && huge_bytes(addr) != size)
		invalid("%zu of %zu bytes are in large pages", huge_bytes(addr), size);
	return addr;
}

/* -- one device ------------------------------------------------------------------------ */

static uint64_t populate(struct gpu *gpu, char *addr)
{
	struct drm_fabric_devmem_populate args;
	uint64_t start = now_ns();
	int r = gpu_try_populate(gpu, addr, size, 0, &args);

	start = now_ns() - start;
	if (r || args.moved_bytes != size)
		invalid("POPULATE: %d, moved %llu of %zu", r, (unsigned long long)args.moved_bytes, size);
	if (gpu_residency(gpu, addr, size).region_bytes != size)
		invalid("POPULATE did not move all");
	return start;
}

static uint64_t to_system(struct gpu *gpu, char *addr)
{
	struct drm_fabric_devmem_to_system args = { .start = (uintptr_t)addr, .length_bytes = size };
	uint64_t start = now_ns();
	int r = ioctl(gpu->devmem_fd, DRM_FABRIC_DEVMEM_TO_SYSTEM, &args) ? -errno : 0;

	start = now_ns() - start;
	if (r || args.moved_bytes != size)
		invalid("TO_SYSTEM: %d, moved %llu of %zu", r, (unsigned long long)args.moved_bytes, size);
	return start;
}

static uint64_t evict(struct gpu *gpu, char *addr)
{
	uint64_t start = now_ns();
	int r = gpu_admin(DRM_FABRIC_ADMIN_EVICT, gpu->name, WAIT_MS);

	start = now_ns() - start;
	if (r || gpu_residency(gpu, addr, size).system_bytes != size)
		invalid("EVICT: %d, or not all is home", r);
	r = gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0);
	if (r)
		invalid("CANCEL: %d", r);
	return start;
}

static uint64_t touch(struct gpu *gpu, char *addr)
{
	uint64_t start = now_ns();

	for (size_t i = 0; i < size; i += PAGE)
		(void)*(volatile char *)(addr + i);
	start = now_ns() - start;
	if (gpu_residency(gpu, addr, size).system_bytes != size)
		invalid("a touch did not bring all home");
	return start;
}

/* Before and after what must not split. */
static void check_whole(char *addr, bool huge, uint64_t n_splits)
{
	if (huge && vmstat("thp_split_page") != n_splits)
		invalid("large pages were split: %llu", (unsigned long long)(vmstat("thp_split_page") - n_splits));
	if (huge && huge_bytes(addr) != size)
		invalid("came home as small pages");
	if (pattern_differs(addr, size, 1))
		invalid("data differs");
}

/* A row about @what ("to_vram") by @page ("4k"), worthless if @failed says so. */
static void move_row(const char *what, const char *page, const char *rest, uint64_t value, uint64_t peer_value,
		     const char *failed)
{
	char name[64];

	snprintf(why, sizeof(why), "%s", failed);
	snprintf(name, sizeof(name), "%s_%s_%s", what, page, rest);
	row(name, value, "ns", "move_pages(2)", peer_value);
}

static void moves(struct gpu *gpu, bool huge)
{
	/* Of large pages: small ones are so many that the probes would be in the figure. The bytes are the same. */
	static uint64_t copy_ours, copy_theirs;
	const char *page = huge ? "2m" : "4k";
	uint64_t to_vram[MAX_ROUNDS], evicted[MAX_ROUNDS], touched[MAX_ROUNDS], moved[MAX_ROUNDS];
	uint64_t in, out, back, peer, n_splits, executed = 0;
	char *ours = new_memory(huge), *theirs = new_memory(huge);
	char failed[sizeof(why)];

	compact();
	n_splits = huge ? vmstat("thp_split_page") : 0;
	/* The first round is to warm up. */
	for (size_t i = 0; i <= n_rounds; i++) {
		size_t at = i ? i - 1 : 0;

		to_vram[at] = populate(gpu, ours);
		evicted[at] = evict(gpu, ours);
		(void)populate(gpu, ours);
		touched[at] = touch(gpu, ours);
		check_whole(ours, huge, n_splits);
		moved[at] = move_pages(theirs, huge, 1);
		(void)move_pages(theirs, huge, 0);
		if (huge && huge_bytes(theirs) != size)
			invalid("move_pages(2) split large pages");
	}
	in = median(to_vram, n_rounds);
	out = median(evicted, n_rounds);
	back = median(touched, n_rounds);
	peer = median(moved, n_rounds);

	if (huge) {
		if (function_begin("softgpu:softgpu_copy_work"))
			(void)populate(gpu, ours);
		copy_ours = function_end();
		if (function_begin("folio_mc_copy"))
			(void)move_pages(theirs, huge, 1);
		copy_theirs = function_end();
	}
	if (gpu_residency(gpu, ours, size).region_bytes != size)
		(void)populate(gpu, ours);
	if (trace_begin("power/cpu_idle")) {
		executed = evict(gpu, ours);
		executed -= idle_end(0, UINT64_MAX);
	}

	memcpy(failed, why, sizeof(why));
	move_row("to_vram", page, "vs_move_pages", in, peer, failed);
	move_row("evict", page, "vs_move_pages", out, peer, failed);
	/* An eviction also waits: for timers and grace periods, which cost nobody anything. */
	move_row("evict", page, "executed_vs_move_pages", executed, peer, failed);
	move_row("fault_back", page, "vs_move_pages", back, peer, failed);
	if (huge)
		move_row("copy", page, "vs_move_pages", copy_ours, copy_theirs, failed);
	move_row("to_vram", page, "without_copy", in - copy_ours, peer - copy_theirs, failed);
	move_row("evict", page, "executed_without_copy", executed - copy_ours, peer - copy_theirs, failed);
	move_row("fault_back", page, "without_copy", back - copy_ours, peer - copy_theirs, failed);
	munmap(ours, size);
	munmap(theirs, size);
}

/* -- two devices ------------------------------------------------------------------------- */

/* @in_bar: VRAM is a PCI function's BAR, else RAM. */
static void peer_migrate(bool huge, bool in_bar)
{
	uint64_t direct[MAX_ROUNDS], around[MAX_ROUNDS];
	char *addr = new_memory(huge), name[64];
	struct gpu *a, *b;

	if (in_bar) {
		gpu_open_pair(true, &a, &b);
	} else {
		for (int i = 0; i < 2; i++) {
			gpu_bus("new_device", "%d %zu", i, 2 * size);
			gpu_bus("link", "softgpu%d softgpu%d softgpu 0 0", i, 1 - i);
		}
		a = gpu_open_name("softgpu0");
		b = gpu_open_name("softgpu1");
	}
	gpu_open_devmem(a);
	gpu_open_devmem(b);
	for (size_t i = 0; i <= n_rounds; i++) {
		size_t at = i ? i - 1 : 0;
		uint64_t home;

		(void)populate(a, addr);
		home = vmstat("pgalloc_normal") + vmstat("pgalloc_dma32");
		direct[at] = populate(b, addr);
		home = vmstat("pgalloc_normal") + vmstat("pgalloc_dma32") - home;
		if (home > size / PAGE / 2)
			invalid("the pages went through system memory: %llu were allocated", (unsigned long long)home);
		(void)to_system(b, addr);
		(void)populate(a, addr);
		around[at] = to_system(a, addr);
		around[at] += populate(b, addr);
		(void)to_system(b, addr);
	}
	if (pattern_differs(addr, size, 1))
		invalid("data differs");
	snprintf(name, sizeof(name), "peer_migrate%s%s_vs_via_system", huge ? "_2m" : "", in_bar ? "_bar" : "");
	row(name, median(direct, n_rounds), "ns", "TO_SYSTEM, then POPULATE", median(around, n_rounds));
	gpu_close(b);
	gpu_close(a);
	munmap(addr, size);
	for (int i = 0; i < 2 && !in_bar; i++) {
		gpu_bus("unlink", "softgpu%d softgpu%d", i, 1 - i);
		gpu_bus("del_device", "%d", i);
	}
}

/* -- calls ----------------------------------------------------------------------------------- */

static void devmem_open(struct gpu *gpu)
{
	struct drm_fabric_open_devmem args = { .render_fd = gpu->render_fd, .region = "vram0" };
	uint64_t ours = 0, theirs = 0;
	int fd = open("/dev/drm_fabric", O_RDWR | O_CLOEXEC), null;

	/* The handle of @gpu is open: the pagemap is there. The first turn is to warm up. */
	for (size_t turn = 0; turn < 2; turn++) {
		ours = now_ns();
		for (size_t i = 0; i < n_calls; i++) {
			if (ioctl(fd, DRM_FABRIC_IOCTL_OPEN_DEVMEM, &args))
				invalid("OPEN_DEVMEM: %s", strerror(errno));
			else
				close(args.fd);
		}
		ours = now_ns() - ours;
		theirs = now_ns();
		for (size_t i = 0; i < n_calls; i++) {
			null = open("/dev/null", O_RDWR | O_CLOEXEC);
			if (null < 0)
				invalid("/dev/null: %s", strerror(errno));
			close(null);
		}
		theirs = now_ns() - theirs;
	}
	row("devmem_open_vs_open_null", ours / n_calls, "ns/call", "open and close of /dev/null", theirs / n_calls);
	close(fd);
}

/*
 * Nanoseconds of a read, the median: while other work goes on under icount, instructions of the other processor fall
 * into a few of the reads. Without @going_on as often as there are calls, else while the figure is not 0.
 */
static uint64_t read_ns(int fd, bool going_on, size_t *ret_n)
{
	static uint64_t samples[100000];
	size_t n, limit = going_on ? 100000 : n_calls;
	char buf[64];

	for (n = 0; n < limit; n++) {
		uint64_t start = now_ns();
		ssize_t r = pread(fd, buf, sizeof(buf) - 1, 0);

		samples[n] = now_ns() - start;
		if (r <= 0) {
			invalid("read: %s", strerror(errno));
			break;
		}
		buf[r] = '\0';
		if (going_on && !strtoull(buf, NULL, 10))
			break;
	}
	if (ret_n)
		*ret_n = n;
	return median(samples, n);
}

static uint64_t clock_ns(void)
{
	static uint64_t samples[1001];

	for (size_t i = 0; i < 1001; i++) {
		samples[i] = now_ns();
		samples[i] = now_ns() - samples[i];
	}
	return median(samples, 1001);
}

static void sysfs_read(struct gpu *gpu)
{
	uint64_t ours, theirs, busy, clock = clock_ns();
	char file[160];
	int figure, vendor, r;
	char *addr;
	size_t n;

	snprintf(file, sizeof(file), "/sys/class/drm_fabric/%s/regions/vram0/resident_bytes", gpu->name);
	figure = open(file, O_RDONLY | O_CLOEXEC);
	snprintf(file, sizeof(file), "/sys/bus/pci/devices/%s/vendor", gpu->name);
	vendor = open(file, O_RDONLY | O_CLOEXEC);
	if (figure < 0 || vendor < 0)
		invalid("%s: %s", file, strerror(errno));
	(void)read_ns(figure, false, NULL);
	(void)read_ns(vendor, false, NULL);
	ours = read_ns(figure, false, NULL) - clock;
	theirs = read_ns(vendor, false, NULL) - clock;
	row("sysfs_read_vs_stock_attribute", ours, "ns/read", "a PCI device's vendor", theirs);

	addr = new_memory(false);
	(void)populate(gpu, addr);
	r = gpu_admin(DRM_FABRIC_ADMIN_EVICT, gpu->name, 0);
	if (r)
		invalid("EVICT: %d", r);
	busy = read_ns(figure, true, &n) - clock;
	if (n < 100)
		invalid("only %zu reads during the eviction", n);
	if (!gpu_wait_attr(gpu->name, "state", "offline", WAIT_MS))
		invalid("the eviction did not end");
	r = gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0);
	if (r)
		invalid("CANCEL: %d", r);
	row("sysfs_read_in_eviction_vs_stock_attribute", busy, "ns/read", "a PCI device's vendor, idle", theirs);
	munmap(addr, size);
	close(vendor);
	close(figure);
}

/*
 * Both wait for grace periods, whose phase has nothing to do with the work: what was executed is compared, without the
 * time in which nobody had anything to do.
 */
static void pagemap_create(struct gpu *gpu)
{
	uint64_t ours[MAX_ROUNDS], theirs[MAX_ROUNDS], start, end;
	uint64_t region = gpu_figure(gpu, "regions/vram0/size_bytes");
	char buf[64];
	int r;

	gpu_write_attr(gpu->name, "regions/vram0/idle_timeout_ms", "0");
	for (size_t i = 0; i <= n_rounds; i++) {
		size_t at = i ? i - 1 : 0;

		if (!gpu_wait_attr(gpu->name, "regions/vram0/pagemap_state", "absent", WAIT_MS))
			invalid("the pagemap stays");
		trace_begin("power/cpu_idle");
		start = now_ns();
		r = gpu_try_open_devmem(gpu);
		end = now_ns();
		ours[at] = end - start - idle_end(start, end);
		if (r)
			invalid("OPEN_DEVMEM: %d", r);
		else
			close(gpu->devmem_fd);
		gpu->devmem_fd = -1;

		theirs[at] = 0;
		trace_begin("power/cpu_idle");
		if (shell("modprobe bench_pagemap size_bytes=%llu", (unsigned long long)region) ||
		    !read_file("/sys/module/bench_pagemap/parameters/start_ns", buf, sizeof(buf))) {
			invalid("no module bench_pagemap");
		} else {
			start = strtoull(buf, NULL, 10);
			ck_assert(read_file("/sys/module/bench_pagemap/parameters/end_ns", buf, sizeof(buf)));
			end = strtoull(buf, NULL, 10);
			theirs[at] = end - start - idle_end(start, end);
		}
		(void)shell("rmmod bench_pagemap");
	}
	row("pagemap_create_vs_memremap", median(ours, n_rounds), "ns", "memremap_pages() of as much, by a module",
	    median(theirs, n_rounds));
}

/* What copying as much costs a program and the device's compute engine. */
static void copies(struct gpu *gpu)
{
	char *a = new_memory(false), *b = new_memory(false);
	uint64_t program[MAX_ROUNDS], engine[MAX_ROUNDS];

	for (size_t i = 0; i <= n_rounds; i++) {
		size_t at = i ? i - 1 : 0;

		program[at] = now_ns();
		memcpy(b, a, size);
		program[at] = now_ns() - program[at];
		engine[at] = now_ns();
		gpu_exec(gpu, DRM_SOFTGPU_OP_COPY, b, a, size, 0);
		engine[at] = now_ns() - engine[at];
	}
	row("exec_copy_vs_memcpy", median(engine, n_rounds), "ns", "memcpy(3) of as much", median(program, n_rounds));
	munmap(a, size);
	munmap(b, size);
}

START_TEST(all)
{
	struct gpu *gpu;

	gpu_load();
	gpu = gpu_open(0);
	gpu_open_devmem(gpu);
	copies(gpu);
	moves(gpu, true);
	moves(gpu, false);
	devmem_open(gpu);
	sysfs_read(gpu);
	gpu_close(gpu);

	for (int i = 0; i < 4; i++)
		peer_migrate(i % 2, i / 2);
	gpu = gpu_open(0);
	pagemap_create(gpu);
	gpu_close(gpu);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite = suite_create("kernel");
	TCase *tcase = tcase_create("all");
	cpu_set_t first;
	SRunner *runner;
	int n_failed;

	if (argc > 1 && !strcmp(argv[1], "--short")) {
		n_rounds = 1;
		n_calls = 500;
		size = 8 * MIB;
	} else if (argc > 1) {
		fprintf(stderr, "usage: kernel [--short]\n");
		return 2;
	}
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(0, sizeof(first), &first))
		invalid("sched_setaffinity: %s", strerror(errno));

	/* What gpu.c asserts needs a test around it. */
	tcase_add_test(tcase, all);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_SILENT);
	n_failed = srunner_ntests_failed(runner);
	if (n_failed) {
		TestResult **failures = srunner_failures(runner);

		fprintf(stderr, "%s:%d: %s\n", tr_lfile(failures[0]), tr_lno(failures[0]), tr_msg(failures[0]));
		free(failures);
	}
	srunner_free(runner);
	return n_failed ? 1 : 0;
}

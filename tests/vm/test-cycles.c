// SPDX-License-Identifier: MIT
/*
 * Devices are drained, called back, taken away and given back, again and again, while programs compute with them and
 * all that can be in the way is in the way: nobody loses a byte, and nothing stays behind.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gpu.h"
#include "worker.h"

#define PAGE ((size_t)4096)
#define AREA_SIZE (2 * MIB)

/* For what must come, sooner or later. */
#define PATIENCE_MS 60000

static void load(void)
{
	gpu_restore();
}

static uint64_t resident(const char *name)
{
	char buf[32];

	return gpu_attr(name, "regions/vram0/resident_bytes", buf, sizeof(buf)) ? strtoull(buf, NULL, 10) : 0;
}

/* What is done to a device in a cycle. */
enum act {
	DRAIN_AND_CANCEL,
	EVICT_AND_CANCEL,
	/* From here on it is gone afterwards. */
	UNBIND_IOCTL,
	UNBIND_SYSFS,
	UNBIND_DRIVER,
	REMOVE_PCI,
	DEVICE_DEL,
	N_ACTS,
};

static const char *const act_names[] = { "drain, cancel", "evict, cancel", "UNBIND ioctl", "sysfs unbind",
					 "driver unbind", "PCI remove",	   "device_del" };

/* What is in the way. */
enum hurdle {
	NONE,
	ORPHAN, /* the process that placed the pages has gone, its child has them */
	CLOSED, /* every file is closed, pages are resident */
	PINNED, /* some pages are registered with io_uring */
	COPY_FAILS, /* every seventh job of the copy engine */
	N_HURDLES,
};

static const char *const hurdle_names[] = { "nothing", "orphan", "closed", "pinned", "7th copy fails" };

/* It does not go: what it says of itself, and where everybody waits in the kernel. */
static void explain(const char *name)
{
	static const char *const files[] = { "state", "evict_blocked", "handles", "regions/vram0/resident_bytes",
					     "regions/vram0/pagemap_refs_mappings" };
	char buf[64];

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		note("%s: %s %s", name, files[i], gpu_attr(name, files[i], buf, sizeof(buf)) ? buf : "(absent)");
	write_file("/proc/sysrq-trigger", "t");
}

static void take_away(enum act act, const char *name, const char *rig)
{
	char file[128];
	bool gone;
	int r;

	switch (act) {
	case UNBIND_IOCTL:
		r = gpu_admin(DRM_FABRIC_ADMIN_UNBIND, name, PATIENCE_MS);
		if (r == -ETIMEDOUT)
			explain(name);
		ck_assert_msg(!r, "UNBIND of %s: %s", name, strerror(-r));
		break;
	case UNBIND_SYSFS:
		gpu_write_attr(name, "unbind", "1");
		gone = gpu_wait_present(name, false, PATIENCE_MS);
		if (!gone)
			explain(name);
		ck_assert_msg(gone, "%s: still there after %d ms", name, PATIENCE_MS);
		break;
	case UNBIND_DRIVER:
		gpu_unbind(name);
		break;
	case REMOVE_PCI:
		snprintf(file, sizeof(file), "/sys/bus/pci/devices/%s/remove", name);
		write_file(file, "1");
		break;
	default:
		ck_assert_int_eq(shell("rig unplug %s >/dev/null", rig), 0);
		break;
	}
}

static void give_back(enum act act, const char *name, const char *rig)
{
	char file[128];
	uint64_t end = now_ms() + PATIENCE_MS;

	switch (act) {
	case REMOVE_PCI:
		write_file("/sys/bus/pci/rescan", "1");
		break;
	case DEVICE_DEL:
		ck_assert_int_eq(shell("rig plug %s >/dev/null", rig), 0);
		break;
	default:
		/* Those that do not wait for the driver: it is unbound a moment after the device has left. */
		snprintf(file, sizeof(file), "/sys/bus/pci/devices/%s/driver", name);
		while (!access(file, F_OK) && now_ms() < end)
			sleep_ms(1);
		gpu_bind(name);
		break;
	}
	ck_assert(gpu_wait_present(name, true, PATIENCE_MS));
	gpu_write_attr(name, "regions/vram0/idle_timeout_ms", "200");
}

/* The machine's tracer, if it has one, times the driver's remove(): from entry to return, in microseconds. */
#define TRACING "/sys/kernel/tracing/"

/* It is emptied by being opened for writing anew. */
static bool trace_clear(void)
{
	int fd = open(TRACING "trace", O_WRONLY | O_TRUNC | O_CLOEXEC);

	return fd >= 0 && !close(fd);
}

static bool trace_remove(void)
{
	/* The tail: whoever sleeps is written in two lines, and the name would be in the one without the time. */
	return !try_write_file(TRACING "set_ftrace_filter", "pci_device_remove") &&
	       !try_write_file(TRACING "current_tracer", "function_graph") &&
	       !try_write_file(TRACING "options/funcgraph-tail", "1") && trace_clear();
}

/* Of the one remove() since the last time. 0: there was none, or several. */
static double traced_remove_us(void)
{
	char line[256];
	double us, found = 0;
	unsigned int n = 0;
	FILE *f = fopen(TRACING "trace", "r");

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f)) {
		char *at = strstr(line, " us ");

		if (!at || !strstr(line, "pci_device_remove"))
			continue;
		while (at > line && strchr("0123456789.", at[-1]))
			at--;
		if (sscanf(at, "%lf", &us) == 1) {
			found = us;
			n++;
		}
	}
	fclose(f);
	ck_assert(trace_clear());
	return n == 1 ? found : 0;
}

/* Registers @size bytes at @addr with an io_uring: they are pinned until the returned fd is closed; -1: no io_uring. */
static int pin(void *addr, size_t size)
{
	struct io_uring_params params = {};
	const struct iovec vec = { .iov_base = addr, .iov_len = size };
	int fd = (int)syscall(SYS_io_uring_setup, 1, &params);

	if (fd < 0)
		return -1;
	ck_assert_msg(!syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS, &vec, 1),
		      "registering a buffer with io_uring: %s", strerror(errno));
	return fd;
}

/* Memory on the device that a cycle takes along. */
struct cargo {
	enum hurdle hurdle;
	char *area; /* own; NULL: an orphan has it */
	uint64_t seed;
	struct gpu *gpu; /* open through the cycle, or NULL */
	int pin_fd; /* -1: nothing is pinned */
	int orphan_go, orphan_result; /* pipes */
};

static void cargo_place(struct cargo *c, struct gpu *gpu)
{
	pattern_fill(c->area, AREA_SIZE, c->seed);
	if (c->hurdle == PINNED)
		c->pin_fd = pin(c->area + AREA_SIZE / 4, 16 * PAGE);
	if (c->pin_fd >= 0) {
		struct drm_fabric_devmem_populate args;

		ck_assert_int_eq(gpu_try_populate(gpu, c->area, AREA_SIZE, 0, &args), 0);
		ck_assert_uint_ge(args.moved_bytes, AREA_SIZE / 4);
	} else {
		gpu_populate(gpu, c->area, AREA_SIZE);
	}
}

/* A child places the pages, has a child of its own, and goes. That one says in the end whether they are right. */
static void cargo_orphan(struct cargo *c, const char *name)
{
	int go[2], result[2];
	char byte;
	pid_t pid;

	ck_assert(!pipe(go) && !pipe(result));
	pid = fork_child();
	if (!pid) {
		struct gpu *gpu = gpu_open_name(name);

		gpu_open_devmem(gpu);
		cargo_place(c, gpu);
		gpu_close(gpu);
		if (fork())
			_exit(0);
		close(go[1]);
		byte = read(go[0], &byte, 1) >= 0 && !pattern_differs(c->area, AREA_SIZE, c->seed) ? 'y' : 'n';
		_exit(write(result[1], &byte, 1) != 1);
	}
	close(go[0]);
	close(result[1]);
	wait_child(pid);
	munmap(c->area, AREA_SIZE);
	c->area = NULL;
	c->orphan_go = go[1];
	c->orphan_result = result[0];
}

static void cargo_load(struct cargo *c, const char *name, enum hurdle hurdle, uint64_t *random)
{
	*c = (struct cargo){ .hurdle = hurdle, .pin_fd = -1, .seed = test_random(random) };
	/* A large page that is pinned in part is pinned. */
	c->area = map_memory(AREA_SIZE, test_random(random) % 2 && hurdle != PINNED);
	if (hurdle == ORPHAN) {
		cargo_orphan(c, name);
		return;
	}
	c->gpu = gpu_open_name(name);
	gpu_open_devmem(c->gpu);
	cargo_place(c, c->gpu);
	if (hurdle == COPY_FAILS)
		gpu_fault(c->gpu, "fail_copy_nth", 7);
	if (hurdle == CLOSED) {
		gpu_close(c->gpu);
		c->gpu = NULL;
	}
}

/* Asserts that all of it is there. */
static void cargo_unload(struct cargo *c)
{
	char byte = 'n';

	if (c->area) {
		ck_assert_uint_eq(pattern_differs(c->area, AREA_SIZE, c->seed), 0);
		munmap(c->area, AREA_SIZE);
	} else {
		close(c->orphan_go);
		ck_assert_int_eq(read(c->orphan_result, &byte, 1), 1);
		ck_assert_int_eq(byte, 'y');
		close(c->orphan_result);
	}
	if (c->pin_fd >= 0)
		close(c->pin_fd);
	if (c->gpu)
		gpu_close(c->gpu);
}

/* Drained or half evicted, and called back: it is as before. */
static void call_back(enum act act, const char *name)
{
	int r;

	ck_assert_int_eq(gpu_admin(act == DRAIN_AND_CANCEL ? DRM_FABRIC_ADMIN_DRAIN : DRM_FABRIC_ADMIN_EVICT, name, 0),
			 0);
	if (act == EVICT_AND_CANCEL)
		sleep_ms(5);
	r = gpu_admin(DRM_FABRIC_ADMIN_CANCEL, name, 0);
	ck_assert_msg(!r, "CANCEL of %s: %s", name, strerror(-r));
	ck_assert(gpu_wait_attr(name, "state", "online", 0));
}

#define MAX_SAMPLES 512

struct act_figures {
	size_t n, n_samples;
	uint64_t bytes;
	double samples[MAX_SAMPLES]; /* of remove(): microseconds per MiB that was resident */
};

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void act_report(enum act act, struct act_figures *f)
{
	double median, most;

	if (!f->n_samples) {
		note("%-13s %3zu times, %6.1f MiB resident", act_names[act], f->n, (double)f->bytes / MIB);
		return;
	}
	qsort(f->samples, f->n_samples, sizeof(*f->samples), compare_doubles);
	median = f->samples[f->n_samples / 2];
	most = f->samples[f->n_samples - 1];
	note("%-13s %3zu times, %6.1f MiB resident, remove() %.2f ms per MiB (median), %.2f ms (most, %.1f x)",
	     act_names[act], f->n, (double)f->bytes / MIB, median / 1000, most / 1000, most / median);
}

/* Takes memory so that no large page is free, and holds it until it is killed. */
static pid_t fragment_memory(void)
{
	unsigned long long kib = 0;
	char line[128];
	int ready[2];
	size_t size;
	pid_t pid;
	char *at;
	FILE *f;

	ck_assert(!pipe(ready));
	pid = fork_child();
	if (pid) {
		close(ready[1]);
		ck_assert_int_eq(read(ready[0], line, 1), 1);
		close(ready[0]);
		return pid;
	}
	f = fopen("/proc/meminfo", "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			break;
	size = (kib * 1024 - 128 * MIB) & ~(2 * MIB - 1);
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED || madvise(at, size, MADV_NOHUGEPAGE))
		_exit(1);
	/* One page of each two stays, and cannot be moved. */
	write_file("/proc/sys/vm/compact_unevictable_allowed", "0");
	for (size_t i = 0; i < size; i += PAGE)
		at[i] = 1;
	for (size_t i = 0; i < size; i += 2 * PAGE)
		if (mlock(at + i, PAGE) && errno != ENOMEM)
			_exit(1);
	for (size_t i = PAGE; i < size; i += 2 * PAGE)
		madvise(at + i, PAGE, MADV_DONTNEED);
	if (write(ready[1], "x", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

struct cycles {
	char names[WORKER_MAX_GPUS][DRM_FABRIC_DEVICE_NAME_SIZE];
	size_t n_names, n_resident, n_hurdles[N_HURDLES];
	uint64_t random;
	bool traced;
	struct act_figures acts[N_ACTS];
};

static void cycle(struct cycles *cs, enum act act, enum hurdle hurdle)
{
	const char *name = cs->names[test_random(&cs->random) % cs->n_names];
	struct act_figures *f = &cs->acts[act];
	struct cargo cargo;
	uint64_t held;
	char rig[32];
	double us;

	if (act == DEVICE_DEL && !gpu_rig_name(name, rig, sizeof(rig)))
		act = REMOVE_PCI;
	sleep_ms(test_random(&cs->random) % 300);
	cargo_load(&cargo, name, hurdle, &cs->random);
	held = resident(name);
	f->n++;
	f->bytes += held;
	cs->n_resident += held > 0;
	cs->n_hurdles[hurdle]++;
	if (act < UNBIND_IOCTL) {
		call_back(act, name);
		if (hurdle == COPY_FAILS)
			gpu_fault(cargo.gpu, "fail_copy_nth", 0);
		cargo_unload(&cargo);
		return;
	}
	if (cs->traced)
		traced_remove_us();
	take_away(act, name, rig);
	ck_assert_msg(!gpu_is_present(name), "%s: there after %s", name, act_names[act]);
	us = cs->traced ? traced_remove_us() : 0;
	if (us > 0 && held >= MIB && f->n_samples < MAX_SAMPLES)
		f->samples[f->n_samples++] = us / ((double)held / MIB);
	cargo_unload(&cargo);
	give_back(act, name, rig);
}

/* proves: cycle after cycle in one boot while programs compute: not one byte is lost, and nothing stays behind */
START_TEST(cycles_under_load)
{
	size_t n = getenv("CYCLES") ? strtoull(getenv("CYCLES"), NULL, 0) : test_loops(50, 500);
	struct cycles *cs = calloc(1, sizeof(*cs));
	struct workers *workers;
	pid_t fragmenter = 0;

	ck_assert_ptr_nonnull(cs);
	cs->random = test_seed();
	cs->n_names = gpu_names(cs->names, WORKER_MAX_GPUS);
	cs->traced = trace_remove();
	if (!cs->traced)
		note("no function_graph tracer: remove() is not timed");
	for (size_t i = 0; i < cs->n_names; i++)
		gpu_write_attr(cs->names[i], "regions/vram0/idle_timeout_ms", "200");
	workers = workers_start(3, cs->names, cs->n_names);
	for (size_t i = 0; i < n; i++) {
		/* Each act with each hurdle in turn; native hot-plug takes seconds, and is rarer. */
		enum act act = i % 16 == 15 ? DEVICE_DEL : (enum act)(i % DEVICE_DEL);

		/* The last tenth without a free large page. */
		if (i == n - n / 10)
			fragmenter = fragment_memory();
		cycle(cs, act, (enum hurdle)(test_random(&cs->random) % N_HURDLES));
	}
	if (fragmenter) {
		kill(fragmenter, SIGKILL);
		waitpid(fragmenter, NULL, 0);
		write_file("/proc/sys/vm/compact_unevictable_allowed", "1");
	}
	ck_assert_uint_eq(workers_stop(workers), 0);
	for (size_t i = 0; i < N_ACTS; i++) {
		act_report((enum act)i, &cs->acts[i]);
		ck_assert_uint_ge(cs->acts[i].n, n >= 500 ? 20 : n >= 50 ? 2 : 0);
	}
	for (size_t i = 0; i < N_HURDLES; i++)
		note("in the way: %-14s %3zu times", hurdle_names[i], cs->n_hurdles[i]);
	note("%zu of %zu cycles with resident bytes", cs->n_resident, n);
	ck_assert_uint_ge(cs->n_resident, n * 4 / 5);
	if (cs->traced)
		write_file(TRACING "current_tracer", "nop");

	for (size_t i = 0; i < cs->n_names; i++) {
		ck_assert(gpu_wait_attr(cs->names[i], "regions/vram0/pagemap_state", "absent", 10000));
		ck_assert_uint_eq(resident(cs->names[i]), 0);
		ck_assert(gpu_wait_attr(cs->names[i], "regions/vram0/dead_bytes", "0", 0));
		ck_assert(gpu_wait_attr(cs->names[i], "regions/vram0/pagemap_refs_mappings", "0", 0));
		ck_assert(gpu_wait_attr(cs->names[i], "handles", "0", 0));
	}
	ck_assert_int_eq(shell("rmmod softgpu && rmmod drm_fabric"), 0);
	ck_assert_int_eq(shell("modprobe softgpu"), 0);
	for (size_t i = 0; i < cs->n_names; i++)
		ck_assert(gpu_is_present(cs->names[i]));
	free(cs);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cycles");
	TCase *tcase = tcase_create("cycles");

	test_seed();
	gpu_load();
	/* Times ten, by the environment: an hour for a soak. */
	tcase_set_timeout(tcase, 480);
	tcase_add_checked_fixture(tcase, load, NULL);
	tcase_add_test(tcase, cycles_under_load);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}

// SPDX-License-Identifier: MIT
/*
 * The machine goes to sleep: what was on devices is at home before tasks freeze. With pm_test=freezer a sleep ends
 * behind the freezer, so the guest need not wake up by itself.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "account.h"

/* Its way home takes longer than the freezer. */
#define SIZE (128 * MIB)
#define TIMEOUT_FILE "/sys/module/drm_fabric/parameters/suspend_timeout_ms"

static const char *const sleeps[] = { "freeze", "mem", "disk" };

static bool have_sleep(const char *state)
{
	char text[128];

	return read_file("/sys/power/state", text, sizeof(text)) && strstr(text, state);
}

static void restore(void)
{
	gpu_restore();
	write_file(TIMEOUT_FILE, "20000");
	write_file("/sys/module/suspend/parameters/pm_test_delay", "0");
	write_file("/sys/power/pm_test", "freezer");
}

/* Returns 0 or -errno, when it is over. */
static int go_to_sleep(const char *state)
{
	return try_write_file("/sys/power/state", state);
}

static struct drm_fabric_event next_event(struct gpu *gpu)
{
	struct drm_fabric_event event;

	ck_assert_int_eq(read(gpu->devmem_fd, &event, sizeof(event)), sizeof(event));
	return event;
}

static void check_event(struct gpu *gpu, uint32_t type, uint64_t bytes)
{
	struct drm_fabric_event event = next_event(gpu);

	ck_assert_uint_eq(event.type, type);
	ck_assert_uint_eq(event.reason, DRM_FABRIC_REASON_SUSPEND);
	ck_assert_uint_eq(event.bytes, bytes);
}

static int open_uevents(void)
{
	const struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd, size = 1 << 20;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	ck_assert_int_ge(fd, 0);
	ck_assert(!setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)));
	ck_assert(!bind(fd, (const struct sockaddr *)&address, sizeof(address)));
	return fd;
}

/* The states that the uevents of @name tell of, in order, without repetitions: "draining evicting". */
static void told_states(int fd, const char *name, char *states, size_t size)
{
	char message[4096], last[32] = "";
	ssize_t n;

	states[0] = '\0';
	while ((n = recv(fd, message, sizeof(message) - 1, 0)) > 0) {
		const char *path = message, *end = message + n;

		message[n] = '\0';
		if (strlen(path) < strlen(name) || strcmp(path + strlen(path) - strlen(name), name) ||
		    !strstr(path, "/drm_fabric/"))
			continue;
		for (const char *s = message; s < end; s += strlen(s) + 1) {
			if (strncmp(s, "DRM_FABRIC_STATE=", 17) || !strcmp(s + 17, last))
				continue;
			snprintf(last, sizeof(last), "%s", s + 17);
			snprintf(states + strlen(states), size - strlen(states), "%s%s", *states ? " " : "", last);
		}
	}
}

/* Does the kernel log say @text in a line that names @name, since it was cleared? */
static bool log_says(const char *name, const char *text)
{
	static char log[1 << 20];
	char *line, *save;
	int n = klogctl(4 /* read and clear */, log, sizeof(log) - 1);

	ck_assert_int_ge(n, 0);
	log[n] = '\0';
	for (line = strtok_r(log, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strstr(line, name) && strstr(line, text)) {
			note("%s", line);
			return true;
		}
	return false;
}

static void clear_log(void)
{
	ck_assert_int_ge(klogctl(5, NULL, 0), 0);
}

/*
 * proves: memory on a device is at home before tasks freeze, and right afterwards; the device is back by itself, its
 * holders are told, and everything works again
 */
START_TEST(data_is_at_home_asleep)
{
	const char *state = sleeps[_i / 2];
	struct gpu *gpu = gpu_open(0);
	uint64_t evicted = gpu_figure(gpu, "regions/vram0/evicted_bytes");
	char *a = map_memory(SIZE, _i % 2), states[256];
	int uevents = open_uevents();

	if (!have_sleep(state)) {
		note("SKIP: this kernel knows no sleep of kind '%s'", state);
		return;
	}
	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	ck_assert_int_eq(go_to_sleep(state), 0);

	/* Nobody has touched it since: it came home with the sleep. (A snapshot may see hints of NUMA balancing.) */
	ck_assert_uint_eq(gpu_residency(gpu, a, SIZE).region_bytes, 0);
	ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/resident_bytes"), 0);
	ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/evicted_bytes"), evicted + SIZE);
	ck_assert(gpu_wait_attr(gpu->name, "state", "online", 0));
	told_states(uevents, gpu->name, states, sizeof(states));
	ck_assert_str_eq(states, "draining evicting offline online");
	check_event(gpu, DRM_FABRIC_EVENT_DRAINING, SIZE);
	check_event(gpu, DRM_FABRIC_EVENT_EVICTING, SIZE);
	check_event(gpu, DRM_FABRIC_EVENT_CANCELLED, 0);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);

	gpu_populate(gpu, a, SIZE);
	ck_assert_uint_eq(gpu_exec(gpu, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0).result, checksum(a, SIZE));
	close(uevents);
	gpu_close(gpu);
}
END_TEST

/* proves: a device that an administrator has taken away stays as he left it; what is on it goes home all the same */
START_TEST(stays_as_it_was_left)
{
	struct drm_fabric_admin_device drain = { .flags = DRM_FABRIC_DRAIN_EVICT, .timeout_ms = 6000 };
	struct gpu *gpu = gpu_open(0), *off = gpu_open(1);
	char *a = map_memory(SIZE, false);
	int fd;

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, off->name, 20000), 0);
	if (!_i) {
		ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_DRAIN, gpu->name, 0), 0);
	} else {
		snprintf(drain.device, sizeof(drain.device), "%s", gpu->name);
		fd = open("/dev/drm_fabric_admin", O_RDWR | O_CLOEXEC);
		ck_assert_int_ge(fd, 0);
		ck_assert(!ioctl(fd, DRM_FABRIC_ADMIN_DRAIN, &drain));
		close(fd);
	}
	ck_assert_int_eq(go_to_sleep("freeze"), 0);
	ck_assert(gpu_wait_attr(gpu->name, "state", "draining", 0));
	ck_assert(gpu_wait_attr(off->name, "state", "offline", 0));
	ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/resident_bytes"), 0);
	ck_assert_uint_eq(gpu_residency(gpu, a, SIZE).region_bytes, 0);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	/* The notice goes on as well. */
	if (_i)
		ck_assert(gpu_wait_attr(gpu->name, "state", "offline", 8000));
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0), 0);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, off->name, 0), 0);
	gpu_populate(gpu, a, SIZE);
	gpu_close(gpu);
	gpu_close(off);
}
END_TEST

/* proves: a promise outlives a sleep, one that was refused, too: nobody else has had the bytes, and its owner has them all */
START_TEST(promises_are_kept)
{
	struct gpu *gpu = gpu_open(0), other = { .render_fd = gpu->render_fd };
	uint64_t size = gpu_figure(gpu, "regions/vram0/size_bytes"), promised = size - 4 * MIB, available;
	char *a = map_memory(SIZE, _i), *b = map_memory(8 * MIB, false);
	struct drm_fabric_devmem_populate args;

	gpu_open_devmem(gpu);
	gpu_open_devmem(&other);
	pattern_fill(a, SIZE, test_seed());
	memset(b, 1, 8 * MIB);
	reserve(gpu->devmem_fd, promised);
	gpu_populate(gpu, a, SIZE);
	if (_i)
		write_file(TIMEOUT_FILE, "1");
	ck_assert_int_eq(go_to_sleep("freeze"), _i ? -EBUSY : 0);
	write_file(TIMEOUT_FILE, "20000");
	ck_assert(gpu_wait_attr(gpu->name, "state", "online", 0));
	ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/reserved_bytes"), promised);
	ck_assert_int_eq(gpu_try_populate(&other, b, 8 * MIB, 0, &args), 0);
	ck_assert_uint_eq(args.moved_bytes, 4 * MIB);
	ck_assert_uint_eq(args.refused_bytes[DRM_FABRIC_REFUSED_RESERVED], 4 * MIB);
	ck_assert_int_eq(try_reserve(other.devmem_fd, 4 * MIB + 4096, &available), -ENOSPC);
	gpu_populate(gpu, a, SIZE);
	ck_assert_uint_eq(gpu_residency(gpu, a, SIZE).region_bytes, SIZE);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	close(other.devmem_fd);
	gpu_close(gpu);
}
END_TEST

/* proves: what does not come home in time keeps the machine awake; the log says which device, and it works on */
START_TEST(refused_in_time)
{
	size_t size = 384 * MIB;
	struct gpu *gpu = gpu_open(0), *other = gpu_open(1);
	char *a = map_memory(size, false);
	struct drm_fabric_devmem_populate args;
	struct drm_fabric_event event;
	uint64_t start;

	gpu_open_devmem(gpu);
	gpu_open_devmem(other);
	pattern_fill(a, size, test_seed());
	gpu_populate(gpu, a, size);
	write_file(TIMEOUT_FILE, "1");
	clear_log();
	start = now_ms();
	ck_assert_int_eq(go_to_sleep("freeze"), -EBUSY);
	note("refused after %llu ms", (unsigned long long)(now_ms() - start));
	ck_assert(log_says(gpu->name, "no sleep: "));
	ck_assert(gpu_wait_attr(gpu->name, "state", "online", 0));
	ck_assert(gpu_wait_attr(other->name, "state", "online", 0));
	ck_assert_uint_gt(gpu_figure(gpu, "regions/vram0/resident_bytes"), 0);
	for (int i = 0; i < 3; i++)
		event = next_event(other);
	ck_assert_uint_eq(event.type, DRM_FABRIC_EVENT_CANCELLED);
	ck_assert_uint_eq(event.reason, DRM_FABRIC_REASON_SUSPEND);
	ck_assert_int_eq(gpu_try_populate(gpu, a, 4 * MIB, 0, &args), 0);
	ck_assert_uint_eq(pattern_differs(a, size, test_seed()), 0);
	write_file(TIMEOUT_FILE, "20000");
	ck_assert_int_eq(go_to_sleep("freeze"), 0);
	ck_assert_uint_eq(pattern_differs(a, size, test_seed()), 0);
	gpu_close(gpu);
	gpu_close(other);
}
END_TEST

/* Takes system memory until there is not much more than @left; keeps it until it is killed. The first to die. */
static void hold_memory(int ready, size_t left)
{
	write_file("/proc/self/oom_score_adj", "1000");
	while (vmstat("nr_free_pages") * 4096 > left)
		if (mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) ==
		    MAP_FAILED)
			_exit(2);
	ck_assert_int_eq(write(ready, "", 1), 1);
	for (;;)
		pause();
}

/* proves: without room in system memory the machine stays awake, and says so long before the timeout */
START_TEST(refused_without_memory)
{
	size_t size = 480 * MIB;
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(size, _i);
	int ready[2], pid, status, r;
	uint64_t start, took;
	char c;

	gpu_open_devmem(gpu);
	pattern_fill(a, size, test_seed());
	gpu_populate(gpu, a, size);
	ck_assert(!pipe(ready));
	pid = fork();
	if (!pid)
		hold_memory(ready[1], 256 * MIB);
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	clear_log();
	start = now_ms();
	r = go_to_sleep("freeze");
	took = now_ms() - start;
	note("sleep: %s after %llu ms", strerror(-r), (unsigned long long)took);
	ck_assert_int_eq(waitpid(pid, &status, WNOHANG), 0);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(r, -EBUSY);
	/* Before the time for all of it is up; a slow kernel takes that to get there. */
	if (test_slowness() == 1)
		ck_assert_uint_lt(took, 15000);
	ck_assert(log_says(gpu->name, "evict_blocked memory"));
	ck_assert(gpu_wait_attr(gpu->name, "state", "online", 0));
	ck_assert_uint_gt(gpu_figure(gpu, "regions/vram0/resident_bytes"), 0);
	ck_assert_int_eq(go_to_sleep("freeze"), 0);
	ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/resident_bytes"), 0);
	ck_assert_uint_eq(pattern_differs(a, size, test_seed()), 0);
	gpu_close(gpu);
}
END_TEST

static void admin_in_a_loop(const char *name)
{
	uint64_t random = test_seed();

	for (;;) {
		static const unsigned long cmds[] = { DRM_FABRIC_ADMIN_DRAIN, DRM_FABRIC_ADMIN_EVICT,
						      DRM_FABRIC_ADMIN_CANCEL, DRM_FABRIC_ADMIN_CANCEL };
		int r = gpu_admin(cmds[test_random(&random) % 4], name, 0);

		ck_assert_msg(!r || r == -EALREADY || r == -EBUSY, "%s", strerror(-r));
		sleep_ms(test_random(&random) % 5);
	}
}

/* proves: with an administrator and an unbind in the way a sleep neither sticks nor loses anything */
START_TEST(sleep_among_others)
{
	size_t n = test_loops(5, 50);
	struct gpu *gpu = gpu_open(0), *other = gpu_open(1);
	char *a = map_memory(SIZE, false), *b = map_memory(SIZE, true), name[32], other_name[32];
	struct drm_fabric_devmem_populate args;
	int pid, status;

	snprintf(name, sizeof(name), "%s", gpu->name);
	snprintf(other_name, sizeof(other_name), "%s", other->name);
	gpu_open_devmem(gpu);
	gpu_open_devmem(other);
	pattern_fill(a, SIZE, test_seed());
	pattern_fill(b, SIZE, test_seed() + 1);
	gpu_populate(other, b, SIZE);
	gpu_close(other);
	pid = fork();
	if (!pid)
		admin_in_a_loop(name);
	for (size_t i = 0; i < n; i++) {
		(void)gpu_try_populate(gpu, a, SIZE, 0, &args);
		if (i == 1) {
			int unbinder = fork();

			if (!unbinder) {
				gpu_unbind(other_name);
				_exit(0);
			}
			ck_assert_int_eq(go_to_sleep("freeze"), 0);
			wait_child(unbinder);
		} else {
			ck_assert_int_eq(go_to_sleep("freeze"), 0);
		}
		ck_assert_int_eq(waitpid(pid, &status, WNOHANG), 0);
	}
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(gpu_wait_present(other_name, false, 5000));
	gpu_bind(other_name);
	(void)gpu_admin(DRM_FABRIC_ADMIN_CANCEL, name, 0);
	gpu_populate(gpu, a, SIZE);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	ck_assert_uint_eq(pattern_differs(b, SIZE, test_seed() + 1), 0);
	gpu_close(gpu);
}
END_TEST

/* proves: a driver that takes its device away while that is going home for a sleep need not wait for what cannot come */
START_TEST(taken_away_before_the_sleep)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(4 * MIB, false), name[32];
	struct drm_fabric_event event;
	pid_t sleeper;
	int r;

	snprintf(name, sizeof(name), "%s", gpu->name);
	gpu_open_devmem(gpu);
	pattern_fill(a, 4 * MIB, test_seed());
	gpu_populate(gpu, a, 4 * MIB);
	gpu_fault(gpu, "fail_copy_nth", 1);
	sleeper = fork();
	ck_assert_int_ge(sleeper, 0);
	if (!sleeper) {
		r = go_to_sleep("freeze");
		_exit(r && r != -EBUSY);
	}
	ck_assert(gpu_wait_attr(name, "state", "evicting", 5000));
	ck_assert(gpu_wait_attr(name, "evict_blocked", "copy", 5000));
	gpu_unbind(name);
	wait_child(sleeper);
	do
		event = next_event(gpu);
	while (event.type != DRM_FABRIC_EVENT_REVOKED);
	ck_assert_uint_eq(event.reason, DRM_FABRIC_REASON_DRIVER);
	ck_assert(!munmap(a, 4 * MIB));
	gpu_close(gpu);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sleep");
	TCase *tcase = tcase_create("sleep");

	if (!have_sleep("freeze") || access("/sys/power/pm_test", F_OK)) {
		printf("1..0 # SKIP this kernel has no sleep states that can be tested (CONFIG_PM_DEBUG)\n");
		return 0;
	}
	gpu_load();
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, restore, NULL);
	tcase_add_loop_test(tcase, data_is_at_home_asleep, 0, 6);
	tcase_add_loop_test(tcase, stays_as_it_was_left, 0, 2);
	tcase_add_loop_test(tcase, promises_are_kept, 0, 2);
	tcase_add_test(tcase, refused_in_time);
	tcase_add_loop_test(tcase, refused_without_memory, 0, 2);
	tcase_add_test(tcase, taken_away_before_the_sleep);
	tcase_add_test(tcase, sleep_among_others);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}

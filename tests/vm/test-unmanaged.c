// SPDX-License-Identifier: MIT
/* GPUs whose driver has not joined: listed as long as that is so, with what the bus says of them. */
#define _GNU_SOURCE
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gpu.h"

#define CLASS "/sys/class/drm_fabric_unmanaged"
#define PCI "/sys/bus/pci/devices"
#define MAX 32
/* With its end. */
#define NAME_SIZE DRM_FABRIC_DEVICE_NAME_SIZE
#define SVGA "0x0405"

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Names in a folder, sorted. Returns how many; 0 if there is no folder. */
static size_t list(const char *folder, char (*names)[NAME_SIZE], size_t size)
{
	struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	dir = opendir(folder);
	while (dir && (entry = readdir(dir)) && n < size)
		if (entry->d_name[0] != '.')
			snprintf(names[n++], NAME_SIZE, "%.31s", entry->d_name);
	if (dir)
		closedir(dir);
	qsort(names, n, NAME_SIZE, compare_names);
	return n;
}

static bool pci_attr(const char *name, const char *attr, char *buf, size_t size)
{
	char file[128];

	snprintf(file, sizeof(file), PCI "/%.31s/%.60s", name, attr);
	return read_file(file, buf, size);
}

static bool attr(const char *name, const char *attr, char *buf, size_t size)
{
	char file[128];

	snprintf(file, sizeof(file), CLASS "/%.31s/%.60s", name, attr);
	return read_file(file, buf, size);
}

/* Has the function a driver? Its name, then. */
static bool pci_driver(const char *name, char *driver, size_t size)
{
	char file[128], target[PATH_MAX];
	ssize_t n;

	snprintf(file, sizeof(file), PCI "/%.31s/driver", name);
	n = readlink(file, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	snprintf(driver, size, "%s", strrchr(target, '/') + 1);
	return true;
}

/* Functions that are to be listed: by their class, and not in the fabric. */
static size_t expected(char (*names)[NAME_SIZE])
{
	char all[MAX * 4][NAME_SIZE], class[16];
	size_t n_all = list(PCI, all, MAX * 4), n = 0;

	for (size_t i = 0; i < n_all; i++) {
		if (!pci_attr(all[i], "class", class, sizeof(class)))
			continue;
		if (strncmp(class, "0x03", 4) && strncmp(class, "0x12", 4))
			continue;
		if (!gpu_is_present(all[i]) && n < MAX)
			memcpy(names[n++], all[i], NAME_SIZE);
	}
	return n;
}

/* How many bridges are passed between two functions below a common one; -1: there is none below the root. */
static int bridges_between(const char *a, const char *b)
{
	char file[128], path_a[PATH_MAX], path_b[PATH_MAX];
	size_t same = 0;
	int n_same = 0, n = 0;

	snprintf(file, sizeof(file), PCI "/%.31s", a);
	ck_assert(realpath(file, path_a));
	snprintf(file, sizeof(file), PCI "/%.31s", b);
	ck_assert(realpath(file, path_b));
	for (size_t i = 0; path_a[i] && path_a[i] == path_b[i]; i++)
		if (path_a[i] == '/') {
			same = i;
			n_same++;
		}
	/* /sys/devices/pci0000:00/<port>/: the port is a bridge that both are below. */
	if (n_same < 5)
		return -1;
	for (const char *p = path_a + same; p; p = strchr(p + 1, '/'))
		n++;
	for (const char *p = path_b + same; p; p = strchr(p + 1, '/'))
		n++;
	return n;
}

/* Does the list say something else than the bus? What, in @why. */
static bool differs(char *why, size_t size)
{
	char is[MAX][NAME_SIZE], must[MAX][NAME_SIZE], text[64], driver[64];
	size_t n_is = list(CLASS, is, MAX), n_must = expected(must);

	if (n_is != n_must) {
		snprintf(why, size, "%zu are listed, must be %zu", n_is, n_must);
		return true;
	}
	for (size_t i = 0; i < n_must; i++) {
		if (!strcmp(is[i], must[i]))
			continue;
		snprintf(why, size, "%.31s is listed, must be %.31s", is[i], must[i]);
		return true;
	}
	for (size_t i = 0; i < n_must; i++) {
		bool has_driver = pci_driver(must[i], driver, sizeof(driver));

		if (attr(must[i], "driver", text, sizeof(text)) != has_driver || (has_driver && strcmp(text, driver))) {
			snprintf(why, size, "driver of %.31s is %.63s", must[i], has_driver ? driver : "none");
			return true;
		}
	}
	return false;
}

static void wait_settled(void)
{
	uint64_t end = now_ms() + 5000;
	char why[256];

	while (differs(why, sizeof(why))) {
		ck_assert_msg(now_ms() < end, "%s", why);
		sleep_ms(5);
	}
}

static void check_distance(const char *name, const char *gpu)
{
	int distance = bridges_between(name, gpu);
	uint64_t end = now_ms() + 5000;
	char file[128], text[64];

	snprintf(file, sizeof(file), "distances/%.31s", gpu);
	/* The device may have come a moment ago. */
	while (!attr(name, file, text, sizeof(text))) {
		/* Across the host bridge it is the processor that decides. */
		if (distance < 0)
			return;
		ck_assert_msg(now_ms() < end, "no distance from %s to %s", name, gpu);
		sleep_ms(5);
	}
	if (distance >= 0)
		ck_assert_int_eq(atoi(text), distance);
	else
		ck_assert_int_gt(atoi(text), 0);
}

static void check_values(void)
{
	char names[MAX][NAME_SIZE], gpus[MAX][NAME_SIZE], entries[MAX][NAME_SIZE];
	char text[64], want[64], path[PATH_MAX], file[128];
	size_t n = expected(names), n_gpus = gpu_names(gpus, MAX);

	for (size_t i = 0; i < n; i++) {
		const char *slash, *bridge;

		ck_assert(attr(names[i], "pci_class", text, sizeof(text)));
		ck_assert(pci_attr(names[i], "class", want, sizeof(want)));
		ck_assert_str_eq(text, want);
		ck_assert(pci_attr(names[i], "numa_node", want, sizeof(want)));
		ck_assert_int_eq(attr(names[i], "numa_node", text, sizeof(text)), strcmp(want, "-1") != 0);
		if (strcmp(want, "-1"))
			ck_assert_str_eq(text, want);
		snprintf(file, sizeof(file), PCI "/%.31s", names[i]);
		ck_assert(realpath(file, path));
		slash = strrchr(path, '/');
		path[slash - path] = '\0';
		bridge = strrchr(path, '/') + 1;
		ck_assert_int_eq(attr(names[i], "upstream_bridge", text, sizeof(text)), strncmp(bridge, "pci", 3) != 0);
		if (strncmp(bridge, "pci", 3))
			ck_assert_str_eq(text, bridge);
		for (size_t j = 0; j < n_gpus; j++)
			check_distance(names[i], gpus[j]);
		snprintf(file, sizeof(file), CLASS "/%.31s/distances", names[i]);
		ck_assert_uint_le(list(file, entries, MAX), n_gpus);
	}
	note("%zu functions, %zu devices of the fabric", n, n_gpus);
}

/* The function that may be taken for anything: nobody's driver wants it. False: the machine has none. */
static bool find_svga(char *name)
{
	char all[MAX * 4][NAME_SIZE], id[16];
	size_t n = list(PCI, all, MAX * 4);

	for (size_t i = 0; i < n; i++) {
		if (!pci_attr(all[i], "device", id, sizeof(id)) || strcmp(id, SVGA))
			continue;
		memcpy(name, all[i], NAME_SIZE);
		return true;
	}
	note("the machine has no vmware-svga");
	return false;
}

static void pci_write(const char *name, const char *attr, const char *value)
{
	char file[128];

	snprintf(file, sizeof(file), PCI "/%.31s/%.60s", name, attr);
	write_file(file, value);
}

/* @driver: NULL: none */
static void bind_to(const char *name, const char *driver)
{
	char bound[64];

	if (pci_driver(name, bound, sizeof(bound)))
		pci_write(name, "driver/unbind", name);
	pci_write(name, "driver_override", driver ?: "none");
	if (driver)
		write_file("/sys/bus/pci/drivers_probe", name);
	ck_assert_int_eq(pci_driver(name, bound, sizeof(bound)), driver != NULL);
}

static void unplug(const char *name)
{
	pci_write(name, "remove", "1");
}

static void rescan(void)
{
	write_file("/sys/bus/pci/rescan", "1");
}

static void setup(void)
{
	char svga[NAME_SIZE];

	rescan();
	if (find_svga(svga))
		bind_to(svga, NULL);
	gpu_restore();
	wait_settled();
}

/* proves: the display functions of the machine and nothing else are listed, each once, with what the bus says of them */
START_TEST(unmanaged_of_the_machine)
{
	char names[MAX][NAME_SIZE];

	ck_assert_uint_gt(expected(names), 0);
	check_values();
}
END_TEST

/* proves: who takes a function that stays a stranger is told, and that nobody has it any more */
START_TEST(driver_is_told)
{
	char svga[NAME_SIZE], text[64];

	if (!find_svga(svga))
		return;
	ck_assert_int_eq(shell("modprobe pci-stub"), 0);
	ck_assert(!attr(svga, "driver", text, sizeof(text)));
	for (int i = 0; i < 3; i++) {
		bind_to(svga, "pci-stub");
		wait_settled();
		ck_assert(attr(svga, "driver", text, sizeof(text)));
		ck_assert_str_eq(text, "pci-stub");
		bind_to(svga, NULL);
		wait_settled();
		ck_assert(!attr(svga, "driver", text, sizeof(text)));
	}
	check_values();
}
END_TEST

/* proves: a function whose driver joins is a device and no stranger, and a stranger again when it has left */
START_TEST(joining_hides_it)
{
	char svga[NAME_SIZE], file[128];

	if (!find_svga(svga))
		return;
	for (int i = 0; i < 3; i++) {
		bind_to(svga, "softgpu");
		ck_assert(gpu_is_present(svga));
		wait_settled();
		snprintf(file, sizeof(file), CLASS "/%.31s", svga);
		ck_assert(access(file, F_OK));
		check_values();
		bind_to(svga, NULL);
		ck_assert(!gpu_is_present(svga));
		wait_settled();
		ck_assert(!access(file, F_OK));
	}
	check_values();
}
END_TEST

/* proves: a function that is unplugged is not listed, and again when it is plugged, and the generation tells */
START_TEST(unplugging_takes_it_off)
{
	char svga[NAME_SIZE], file[128], before[32], after[32];

	if (!find_svga(svga))
		return;
	snprintf(file, sizeof(file), CLASS "/%.31s", svga);
	for (int i = 0; i < 3; i++) {
		ck_assert(read_file("/sys/class/drm_fabric/generation", before, sizeof(before)));
		unplug(svga);
		wait_settled();
		ck_assert(access(file, F_OK));
		rescan();
		wait_settled();
		ck_assert(!access(file, F_OK));
		/* The name is seen before the rest, and the generation last. */
		sleep_ms(50);
		ck_assert(read_file("/sys/class/drm_fabric/generation", after, sizeof(after)));
		ck_assert_uint_ge(strtoull(after, NULL, 10), strtoull(before, NULL, 10) + 2);
	}
	check_values();
}
END_TEST

/* proves: devices of the fabric that come and go come and go among the distances */
START_TEST(distances_follow_the_fabric)
{
	char names[MAX][NAME_SIZE], gpus[MAX][NAME_SIZE], file[128];
	size_t n = expected(names), n_gpus = gpu_names(gpus, MAX), n_seen = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n_gpus; j++) {
			uint64_t end = now_ms() + 5000;

			snprintf(file, sizeof(file), CLASS "/%.31s/distances/%.31s", names[i], gpus[j]);
			if (access(file, F_OK))
				continue;
			n_seen++;
			gpu_unbind(gpus[j]);
			while (!access(file, F_OK)) {
				ck_assert_msg(now_ms() < end, "%s is still there", file);
				sleep_ms(5);
			}
			gpu_bind(gpus[j]);
			while (access(file, F_OK)) {
				ck_assert_msg(now_ms() < end, "no %s", file);
				sleep_ms(5);
			}
		}
	note("%zu distances", n_seen);
}
END_TEST

/* proves: whatever happens to a function, in any order and without a pause, the list is right in the end */
START_TEST(list_is_right_after_a_storm)
{
	static const char *const drivers[] = { "pci-stub", "softgpu", NULL };
	size_t n_loops = test_loops(40, 1000);
	uint64_t random = test_seed();
	char svga[NAME_SIZE];

	if (!find_svga(svga))
		return;
	ck_assert_int_eq(shell("modprobe pci-stub"), 0);
	for (size_t loop = 0; loop < n_loops; loop++) {
		unsigned int what = test_random(&random) % 4;

		if (what < 3) {
			bind_to(svga, drivers[what]);
		} else {
			unplug(svga);
			rescan();
		}
		if (test_random(&random) % 8 == 0)
			wait_settled();
	}
	wait_settled();
	check_values();
}
END_TEST

/* proves: no function is missed or listed twice if it comes while the module does, and none is in the way of its going */
START_TEST(list_is_right_after_loading_in_a_storm)
{
	size_t n_loops = test_loops(4, 50);
	char svga[NAME_SIZE];
	pid_t pid;

	if (!find_svga(svga))
		return;
	pid = fork();
	if (!pid) {
		for (;;) {
			char file[128];

			snprintf(file, sizeof(file), PCI "/%.31s/remove", svga);
			(void)try_write_file(file, "1");
			(void)try_write_file("/sys/bus/pci/rescan", "1");
		}
	}
	for (size_t loop = 0; loop < n_loops; loop++)
		gpu_reload("");
	ck_assert(!kill(pid, SIGKILL));
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	rescan();
	gpu_restore();
	wait_settled();
	check_values();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("unmanaged");
	TCase *tcase = tcase_create("unmanaged");

	test_seed();
	gpu_load();
	tcase_set_timeout(tcase, 20);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, unmanaged_of_the_machine);
	tcase_add_test(tcase, driver_is_told);
	tcase_add_test(tcase, joining_hides_it);
	tcase_add_test(tcase, unplugging_takes_it_off);
	tcase_add_test(tcase, distances_follow_the_fabric);
	tcase_add_test(tcase, list_is_right_after_a_storm);
	tcase_add_test(tcase, list_is_right_after_loading_in_a_storm);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}

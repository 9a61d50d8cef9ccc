// SPDX-License-Identifier: MIT
/*
 * The library's calls on handles, and what a person sees of it all with fabricctl, with and without the daemon: the
 * kernel's own interface is what the other tests are about.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fabricmap.h>

#include "gpu.h"
#include "sigbus.h"
#include "worker.h"

#define PAGE ((size_t)4096)
#define SIZE (4 * MIB)
#define VRAM (64 * MIB)
#define PATIENCE_MS 60000
#define A "softgpu0"
#define B "softgpu1"
#define SOCKET "/tmp/fabricd-tools"
#define ADMIN_SOCKET SOCKET "-admin"
#define OUTPUT "/tmp/tools-output"

static pid_t daemon_pid;

static void take_away(void)
{
	if (daemon_pid) {
		kill(daemon_pid, SIGTERM);
		wait_child(daemon_pid);
		daemon_pid = 0;
	}
	for (int i = 0; i < 2; i++)
		(void)gpu_try_bus("del_device", "%d", i);
}

static void make(void)
{
	gpu_load();
	take_away();
	gpu_bus("new_device", "0 %zu", VRAM);
	gpu_bus("new_device", "1 %zu", VRAM);
	gpu_bus("link", A " " B " xgmi 50000 40000 700");
	gpu_bus("link", B " " A " xgmi 50000 40000 700");
}

/* With its fd from the library. */
static struct gpu *open_by_library(const char *name)
{
	struct gpu *gpu = gpu_open_name(name);

	gpu->devmem_fd = fabricmap_devmem_open(name, "vram0");
	ck_assert_msg(gpu->devmem_fd >= 0, "%s: %s", name, strerror(-gpu->devmem_fd));
	return gpu;
}

static char *memory(size_t size)
{
	char *a = map_memory(size, false);

	pattern_fill(a, size, test_seed());
	return a;
}

/* The one with @id; asserts that it is there. */
static const struct fabricmap_user *user_of_handle(const struct fabricmap_usage *usage, uint64_t id)
{
	for (size_t i = 0; i < fabricmap_usage_n(usage); i++) {
		const struct fabricmap_user *user = fabricmap_usage_at(usage, i);

		if (!strcmp(user->kind, "handle") && user->devmem_id == (int64_t)id)
			return user;
	}
	ck_abort_msg("no handle %llu", (unsigned long long)id);
	return NULL;
}

/* proves: bytes are promised, a grant is taken back with what was placed through it, and who used what is told, in the library's words */
START_TEST(promises_and_grants)
{
	struct gpu *gpu = open_by_library(A), *other = open_by_library(A);
	int giver = fabricmap_giver_open();
	struct fabricmap_devmem_event event;
	struct fabricmap_devmem_info info;
	const struct fabricmap_user *user;
	struct fabricmap_populate populate;
	struct fabricmap_usage *usage;
	uint64_t available, id = 0, again, left;
	char *a = memory(SIZE);

	ck_assert_int_ge(giver, 0);
	ck_assert_int_eq(fabricmap_devmem_reserve(gpu->devmem_fd, VRAM - SIZE, &available), 0);
	ck_assert_uint_eq(available, VRAM);
	ck_assert_int_eq(fabricmap_devmem_reserve(other->devmem_fd, 2 * SIZE, &available), -ENOSPC);
	ck_assert_uint_eq(available, SIZE);
	ck_assert_int_eq(fabricmap_devmem_reserve(gpu->devmem_fd, PAGE + 1, NULL), -EINVAL);
	ck_assert_int_eq(fabricmap_devmem_reserve(giver, PAGE, NULL), -ENOTTY);

	ck_assert_int_eq(fabricmap_devmem_grant(gpu->devmem_fd, giver, &id), 0);
	again = id;
	ck_assert_int_eq(fabricmap_devmem_grant(gpu->devmem_fd, giver, &again), -EALREADY);
	again = id + 1;
	ck_assert_int_eq(fabricmap_devmem_grant(other->devmem_fd, giver, &again), -ENOENT);
	ck_assert_int_eq(fabricmap_devmem_populate(gpu->devmem_fd, a, SIZE, FABRICMAP_POPULATE_STRICT, &populate), 0);
	ck_assert_uint_eq(populate.moved_bytes, SIZE);

	ck_assert_int_eq(fabricmap_devmem_info(gpu->devmem_fd, &info), 0);
	ck_assert_int_eq(fabricmap_usage_read(A, "vram0", &usage), 0);
	user = user_of_handle(usage, info.id);
	ck_assert_int_eq(user->grant_id, id);
	ck_assert_int_eq(user->reserved_bytes, VRAM - SIZE);
	ck_assert_int_eq(user->bytes, SIZE);
	ck_assert_int_eq(user->pid, getpid());
	ck_assert(user->is_open && !user->is_revoked);
	ck_assert_int_eq(fabricmap_usage_bytes(usage), SIZE);
	ck_assert_int_eq(fabricmap_usage_hidden_bytes(usage), 0);
	fabricmap_usage_free(usage);

	ck_assert_int_eq(fabricmap_giver_revoke(giver, id + 1, 0, NULL), -ENOENT);
	ck_assert_int_eq(fabricmap_giver_revoke(giver, id, PATIENCE_MS, &left), 0);
	ck_assert_uint_eq(left, 0);
	ck_assert_int_eq(fabricmap_devmem_read_event(gpu->devmem_fd, &event), 1);
	ck_assert_str_eq(event.type, "revoked");
	ck_assert_str_eq(event.reason, "grant");
	ck_assert_int_eq(fabricmap_devmem_populate(gpu->devmem_fd, a, SIZE, 0, &populate), -ENODEV);
	ck_assert_int_eq(fabricmap_devmem_info(gpu->devmem_fd, &info), 0);
	ck_assert_str_eq(info.state, "revoked");
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	ck_assert_int_eq(fabricmap_devmem_reserve(other->devmem_fd, VRAM, NULL), 0);

	/* An administrator takes back what he has not given. */
	id = 0;
	ck_assert_int_eq(fabricmap_devmem_grant(other->devmem_fd, giver, &id), 0);
	ck_assert_int_eq(fabricmap_admin_revoke(id, PATIENCE_MS, NULL), 0);
	close(giver);
	gpu_close(gpu);
	gpu_close(other);
}
END_TEST

/* proves: a preference is said, read back and followed, and where the memory is then, by the library */
START_TEST(preferences)
{
	struct gpu *a_gpu = open_by_library(A), *b_gpu = open_by_library(B);
	const struct fabricmap_location list[] = {
		{ FABRICMAP_LOCATION_DEVMEM, b_gpu->devmem_fd },
		{ FABRICMAP_LOCATION_LOCAL, -1 },
		{ FABRICMAP_LOCATION_SYSTEM, -1 },
	};
	struct fabricmap_range_residency rest;
	struct fabricmap_residence in[2];
	struct fabricmap_preference p;
	char *a = memory(SIZE);
	size_t n = 2;

	ck_assert_int_eq(fabricmap_prefer(a + 1, SIZE, list, 3), -EINVAL);
	ck_assert_int_eq(fabricmap_prefer(a, SIZE, list, 3), 0);
	ck_assert_int_eq(fabricmap_preference(a, a_gpu->render_fd, &p), 0);
	ck_assert_uint_eq(p.start, (uintptr_t)a);
	ck_assert_uint_eq(p.length_bytes, SIZE);
	ck_assert_uint_eq(p.n_locations, 3);
	ck_assert_str_eq(p.locations[0].device, B);
	ck_assert_str_eq(p.locations[0].status, "applies");
	ck_assert_str_eq(p.locations[1].status, "spare");
	ck_assert_str_eq(p.locations[2].status, "spare");
	ck_assert_uint_eq(gpu_exec(a_gpu, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE / 2, 0).peer_bytes, SIZE / 2);
	ck_assert_int_eq(fabricmap_range_residency(a, SIZE, in, &n, &rest), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(in[0].device, B);
	ck_assert_uint_eq(in[0].bytes, SIZE / 2);
	ck_assert_uint_eq(rest.system_bytes, SIZE / 2);
	n = 0;
	ck_assert_int_eq(fabricmap_range_residency(a, SIZE, NULL, &n, &rest), -ENOSPC);
	ck_assert_uint_eq(n, 1);
	/* What comes of it when the first place goes. */
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_DRAIN, B, 0), 0);
	ck_assert_int_eq(fabricmap_preference(a, a_gpu->devmem_fd, &p), 0);
	ck_assert_str_eq(p.locations[0].status, "draining");
	ck_assert_str_eq(p.locations[1].status, "applies");
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, B, 0), 0);
	ck_assert_int_eq(fabricmap_prefer(a, SIZE, NULL, 0), 0);
	ck_assert_int_eq(fabricmap_preference(a, -1, &p), -ENOENT);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_close(a_gpu);
	gpu_close(b_gpu);
}
END_TEST

/* What fabricctl @arguments print, of the device @name; put by the caller. */
static struct json_object *seen_by_fabricctl(const char *arguments, const char *name, struct json_object **ret_device)
{
	struct json_object *root, *devices, *value;

	ck_assert_int_eq(shell("fabricctl %s --json >" OUTPUT, arguments), 0);
	root = json_object_from_file(OUTPUT);
	ck_assert_ptr_nonnull(root);
	ck_assert(json_object_object_get_ex(root, "devices", &devices));
	for (size_t i = 0; i < json_object_array_length(devices); i++) {
		*ret_device = json_object_array_get_idx(devices, i);
		ck_assert(json_object_object_get_ex(*ret_device, "name", &value));
		if (!strcmp(json_object_get_string(value), name))
			return root;
	}
	ck_abort_msg("no device %s", name);
	return NULL;
}

static int64_t number(struct json_object *object, const char *key)
{
	struct json_object *value;

	ck_assert_msg(json_object_object_get_ex(object, key, &value), "no %s", key);
	return json_object_get_int64(value);
}

/* The first of the array @key of @object. */
static struct json_object *first_of(struct json_object *object, const char *key)
{
	struct json_object *array;

	ck_assert_msg(json_object_object_get_ex(object, key, &array), "no %s", key);
	ck_assert_uint_gt(json_object_array_length(array), 0);
	return json_object_array_get_idx(array, 0);
}

static void *wait_for_ever(void *nothing)
{
	for (;;)
		pause();
	return nothing;
}

/* A process that holds a handle with SIZE of its memory behind it and twice that promised. @headless: its first thread ends. */
static pid_t start_holder(const char *name, bool headless)
{
	int ready[2];
	pid_t pid;
	char c;

	ck_assert(!pipe(ready));
	pid = fork_child();
	if (!pid) {
		struct gpu *gpu = open_by_library(name);

		ck_assert_int_eq(fabricmap_devmem_reserve(gpu->devmem_fd, 2 * SIZE, NULL), 0);
		gpu_populate(gpu, memory(SIZE), SIZE);
		ck_assert_int_eq(write(ready[1], "", 1), 1);
		if (headless) {
			pthread_t thread;

			ck_assert(!pthread_create(&thread, NULL, wait_for_ever, NULL));
			pthread_exit(NULL);
		}
		wait_for_ever(NULL);
	}
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	return pid;
}

/* proves: an administrator sees who holds a device, what is promised to him and what is there, and when he has gone nobody does */
START_TEST(holders)
{
	struct json_object *root, *device, *region, *value, *users, *holder;
	int64_t reserved = 0, bytes = 0;
	pid_t pid = start_holder(A, _i);
	char text[32];

	if (_i)
		ck_assert_int_eq(
			shell("for i in $(seq 100); do grep -q '^State:.Z' /proc/%d/status && exit 0; sleep 0.1; done; "
			      "exit 1",
			      pid),
			0);
	root = seen_by_fabricctl("devices --holders", A, &device);
	holder = first_of(device, "holders");
	ck_assert_int_eq(number(holder, "pid"), pid);
	ck_assert_int_eq(number(holder, "resident_bytes"), SIZE);
	region = first_of(device, "regions");
	ck_assert(json_object_object_get_ex(region, "usage", &value) &&
		  json_object_object_get_ex(value, "users", &users));
	for (size_t i = 0; i < json_object_array_length(users); i++) {
		struct json_object *user = json_object_array_get_idx(users, i);

		ck_assert_int_eq(number(user, "pid"), pid);
		reserved += number(user, "reserved_bytes");
		bytes += number(user, "bytes");
	}
	ck_assert_int_eq(reserved, 2 * SIZE);
	/* Once for the handle, once for the process. */
	ck_assert_int_eq(bytes, 2 * SIZE);
	json_object_put(root);
	/* As text, too. */
	snprintf(text, sizeof(text), "%d", pid);
	ck_assert_int_eq(shell("fabricctl devices --holders | tee " OUTPUT " | grep -q '\\b%s\\b'", text), 0);
	/* Somebody else learns that there is one, not who. */
	ck_assert_int_eq(shell("setpriv --reuid=65534 --regid=65534 --clear-groups fabricctl devices --holders >" OUTPUT
			       "; ! grep -q '\\b%s\\b' " OUTPUT,
			       text),
			 0);
	ck_assert(!kill(pid, SIGKILL));
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert(gpu_wait_attr(A, "handles", "0", PATIENCE_MS));
	root = seen_by_fabricctl("devices --holders", A, &device);
	ck_assert(json_object_object_get_ex(device, "holders", &holder));
	ck_assert_uint_eq(json_object_array_length(holder), 0);
	json_object_put(root);
}
END_TEST

static void start_daemon(void)
{
	daemon_pid = fork_child();
	if (!daemon_pid) {
		execlp("fabricd", "fabricd", "--socket", SOCKET, "--admin-socket", ADMIN_SOCKET, NULL);
		_exit(127);
	}
	ck_assert_int_eq(shell("for i in $(seq 600); do test -S " ADMIN_SOCKET " && exit 0; sleep 0.1; done; exit 1"),
			 0);
	ck_assert(!setenv("FABRICD_SOCKET", SOCKET, 1) && !setenv("FABRICD_ADMIN_SOCKET", ADMIN_SOCKET, 1));
}

/* proves: a device that is lost is seen as that, and taken away, by the daemon (0) and without it (1); the peer stays */
START_TEST(lost_device_is_removed)
{
	struct gpu *lost = open_by_library(A), *peer = open_by_library(B);
	struct json_object *root, *device, *value;
	char *a = memory(SIZE);

	if (!_i)
		start_daemon();
	gpu_populate(lost, a, SIZE);
	write_file("/sys/kernel/debug/dri/" A "/vanish", "1");
	ck_assert(gpu_wait_attr(A, "state", "lost", PATIENCE_MS));
	root = seen_by_fabricctl("devices", A, &device);
	ck_assert(json_object_object_get_ex(device, "state", &value));
	ck_assert_str_eq(json_object_get_string(value), "lost");
	ck_assert_int_eq(number(first_of(device, "regions"), "dead_bytes"), SIZE);
	json_object_put(root);
	ck_assert_int_eq(shell("fabricctl topo >" OUTPUT), 0);
	ck_assert_int_eq(shell("fabricctl remove " A " --keep-bound 2>&1 | tee " OUTPUT " | grep -q lost"), 0);
	ck_assert(gpu_is_present(A));
	ck_assert_int_eq(shell("fabricctl remove " A " %s >" OUTPUT " 2>&1 || { cat " OUTPUT "; exit 1; }",
			       _i ? "--no-daemon" : ""),
			 0);
	ck_assert(!gpu_is_present(A));
	ck_assert(gpu_wait_attr(B, "state", "online", 0));
	/* The data is gone, and says so, wherever the device is. */
	ck_assert_int_eq(sigbus_touch(a), BUS_MCEERR_AR);
	munmap(a, SIZE);
	gpu_close(lost);
	gpu_close(peer);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tools");
	TCase *tcase;

	test_seed();
	gpu_load();
	tcase = tcase_create("library");
	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, make, take_away);
	tcase_add_test(tcase, promises_and_grants);
	tcase_add_test(tcase, preferences);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("fabricctl");
	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, make, take_away);
	tcase_add_loop_test(tcase, holders, 0, 2);
	tcase_add_loop_test(tcase, lost_device_is_removed, 0, 2);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}

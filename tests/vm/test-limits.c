// SPDX-License-Identifier: MIT
/* Limits of a uid: how many handles, how many bytes; and who is not bound by them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fabricmap.h>

#include "gpu.h"

#define PAGE ((size_t)4096)
#define SIZE (4 * MIB)
#define STRANGER 65534
#define OTHER 65533

static void set_limit(const char *name, uint64_t value)
{
	char file[128], text[32];

	snprintf(file, sizeof(file), "/sys/module/drm_fabric/parameters/%s", name);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	write_file(file, text);
}

static void load(void)
{
	gpu_restore();
	set_limit("max_handles_per_uid", 1024);
	set_limit("max_bytes_per_uid", 0);
}

/* Runs @fn in a process of its own. With @keep that has CAP_SYS_RESOURCE still. */
static void as_user(unsigned int uid, bool keep, struct gpu *gpu, void (*fn)(struct gpu *gpu))
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {};
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid) {
		wait_child(pid);
		return;
	}
	ck_assert(!prctl(PR_SET_KEEPCAPS, keep));
	ck_assert(!setgid(uid));
	ck_assert(!setuid(uid));
	if (keep) {
		data[0].permitted = data[0].effective = 1u << CAP_SYS_RESOURCE;
		ck_assert(!syscall(SYS_capset, &header, data));
	}
	fn(gpu);
	_exit(0);
}

/* One more handle. Returns the fd, or -errno. */
static int more(struct gpu *gpu)
{
	int r = gpu_try_open_devmem(gpu), fd = gpu->devmem_fd;

	gpu->devmem_fd = -1;
	return r ?: fd;
}

static void three_handles(struct gpu *gpu)
{
	int fds[3];

	for (size_t i = 0; i < 3; i++)
		ck_assert_int_ge(fds[i] = more(gpu), 0);
	ck_assert_int_eq(more(gpu), -EDQUOT);
	/* Another fd of the same handle is not another handle, and does not end it. */
	ck_assert_int_ge(dup(fds[2]), 0);
	ck_assert_int_eq(more(gpu), -EDQUOT);
	close(fds[2]);
	ck_assert_int_eq(more(gpu), -EDQUOT);
	close(fds[1]);
	ck_assert_int_ge(fds[1] = more(gpu), 0);
	ck_assert_int_eq(more(gpu), -EDQUOT);
}

static void four_handles(struct gpu *gpu)
{
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_ge(more(gpu), 0);
}

static void others_count_for_themselves(struct gpu *gpu)
{
	pid_t pid;

	three_handles(gpu);
	/* The same uid in another process. */
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid)
		_exit(more(gpu) == -EDQUOT ? 0 : 1);
	wait_child(pid);
}

/* proves: a uid has so many handles and no more; others have theirs, and CAP_SYS_RESOURCE as many as it likes */
START_TEST(handles)
{
	struct gpu *gpu = gpu_open(0);
	int mine;

	set_limit("max_handles_per_uid", 3);
	mine = more(gpu);
	ck_assert_int_ge(mine, 0);
	as_user(STRANGER, false, gpu, three_handles);
	as_user(STRANGER, false, gpu, others_count_for_themselves);
	as_user(OTHER, false, gpu, three_handles);
	as_user(STRANGER, true, gpu, four_handles);
	/* Root has it. */
	four_handles(gpu);
	set_limit("max_handles_per_uid", 0);
	as_user(STRANGER, false, gpu, four_handles);
	close(mine);
	gpu_close(gpu);
}
END_TEST

#define BYTES (MIB + 3 * PAGE)

static struct drm_fabric_devmem_populate populate(struct gpu *gpu, char *a, size_t size)
{
	struct drm_fabric_devmem_populate args;

	ck_assert_int_eq(gpu_try_populate(gpu, a, size, 0, &args), 0);
	return args;
}

/* To the byte: a limit that is not a whole large page is used up in small ones. */
static void so_many_bytes(struct gpu *gpu)
{
	char *a = map_memory(SIZE, false), *b = map_memory(SIZE, true);
	struct drm_fabric_devmem_populate args;
	struct gpu second = { .render_fd = gpu->render_fd };

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	args = populate(gpu, a, SIZE);
	ck_assert_uint_eq(args.moved_bytes, BYTES);
	ck_assert_uint_eq(args.refused_bytes[DRM_FABRIC_REFUSED_LIMIT], SIZE - BYTES);
	ck_assert_uint_eq(gpu_residency(gpu, a, SIZE).region_bytes, BYTES);
	/* What is there is not charged again. */
	args = populate(gpu, a, SIZE);
	ck_assert_uint_eq(args.present_bytes, BYTES);
	ck_assert_uint_eq(args.refused_bytes[DRM_FABRIC_REFUSED_LIMIT], SIZE - BYTES);
	ck_assert_int_eq(gpu_try_populate(gpu, a, SIZE, DRM_FABRIC_POPULATE_STRICT, &args), -EDQUOT);
	ck_assert_uint_gt(args.refused_bytes[DRM_FABRIC_REFUSED_LIMIT], 0);
	/* It is the uid's limit, not the handle's. */
	gpu_open_devmem(&second);
	memset(b, 1, SIZE);
	ck_assert_uint_eq(populate(&second, b, SIZE).refused_bytes[DRM_FABRIC_REFUSED_LIMIT], SIZE);
	/* What comes home, by a touch or for good, makes room at once. */
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	ck_assert_uint_eq(populate(gpu, a, SIZE).moved_bytes, BYTES);
	ck_assert(!munmap(a, SIZE));
	ck_assert_uint_eq(populate(&second, b, SIZE).moved_bytes, BYTES);
	ck_assert_uint_eq(words_differ(b, SIZE, 0x0101010101010101), 0);
	close(second.devmem_fd);
	close(gpu->devmem_fd);
}

static void all_bytes(struct gpu *gpu)
{
	char *a = map_memory(SIZE, true);

	gpu_open_devmem(gpu);
	memset(a, 1, SIZE);
	gpu_populate(gpu, a, SIZE);
}

/* proves: a uid places so many bytes and no more, over all its handles; what leaves makes room */
START_TEST(bytes)
{
	struct gpu *gpu = gpu_open(0);

	set_limit("max_bytes_per_uid", BYTES);
	as_user(STRANGER, false, gpu, so_many_bytes);
	/* The last one left nothing behind. */
	as_user(STRANGER, false, gpu, so_many_bytes);
	as_user(OTHER, false, gpu, so_many_bytes);
	as_user(STRANGER, true, gpu, all_bytes);
	all_bytes(gpu);
	set_limit("max_bytes_per_uid", 0);
	as_user(STRANGER, false, gpu, all_bytes);
	gpu_close(gpu);
}
END_TEST

/* The handle is closed, its memory is there. */
static void closed_but_used(struct gpu *gpu)
{
	char *a = map_memory(SIZE, false);
	uint64_t end;
	int r;

	memset(a, 1, SIZE);
	gpu_open_devmem(gpu);
	gpu_populate(gpu, a, SIZE);
	close(gpu->devmem_fd);
	gpu->devmem_fd = -1;
	ck_assert_int_eq(more(gpu), -EDQUOT);
	ck_assert(!munmap(a, SIZE));
	/* A worker frees it. */
	end = now_ms() + 5000;
	do {
		r = more(gpu);
	} while (r == -EDQUOT && now_ms() < end);
	ck_assert_int_ge(r, 0);
}

/* proves: closing handles does not help him who leaves memory behind through each */
START_TEST(closed_handles_with_memory_count)
{
	struct gpu *gpu = gpu_open(0);

	set_limit("max_handles_per_uid", 1);
	as_user(STRANGER, false, gpu, closed_but_used);
	gpu_close(gpu);
}
END_TEST

static int admin_fd;
static int handles_for_them[3];

/* A handle that root opens for @uid. Returns the fd, or -errno. */
static int open_for(struct gpu *gpu, unsigned int uid)
{
	struct drm_fabric_admin_open_devmem args = { .render_fd = gpu->render_fd, .region = "vram0", .uid = uid };

	return ioctl(admin_fd, DRM_FABRIC_ADMIN_OPEN_DEVMEM, &args) ? -errno : args.fd;
}

static void theirs_are_used_up(struct gpu *gpu)
{
	ck_assert_int_eq(more(gpu), -EDQUOT);
	ck_assert(open("/dev/drm_fabric_admin", O_RDWR | O_CLOEXEC) < 0 && errno == EACCES);
}

static void one_of_theirs_is_left(struct gpu *gpu)
{
	ck_assert_int_ge(more(gpu), 0);
	ck_assert_int_eq(more(gpu), -EDQUOT);
}

/* Through the handle that somebody opened for us: it is the same account. */
static void bytes_are_theirs(struct gpu *gpu)
{
	struct gpu given = { .render_fd = gpu->render_fd, .devmem_fd = handles_for_them[0] };
	char *a = map_memory(SIZE, false), *b = map_memory(SIZE, false);

	memset(a, 1, SIZE);
	memset(b, 1, SIZE);
	ck_assert_uint_eq(populate(&given, a, SIZE).moved_bytes, BYTES);
	gpu_open_devmem(gpu);
	ck_assert_uint_eq(populate(gpu, b, SIZE).refused_bytes[DRM_FABRIC_REFUSED_LIMIT], SIZE);
}

static int try_reserve_bytes(int fd, uint64_t bytes)
{
	struct drm_fabric_devmem_reserve args = { .bytes = bytes };

	return ioctl(fd, DRM_FABRIC_DEVMEM_RESERVE, &args) ? -errno : 0;
}

static void limited_for_root(struct gpu *gpu)
{
	struct gpu given = { .render_fd = gpu->render_fd, .devmem_fd = handles_for_them[0] };
	struct drm_fabric_devmem_populate args;
	char *a = map_memory(SIZE, false);

	memset(a, 1, SIZE);
	ck_assert_int_eq(try_reserve_bytes(given.devmem_fd, BYTES + PAGE), -EDQUOT);
	args = populate(&given, a, SIZE);
	ck_assert_uint_eq(args.moved_bytes, BYTES);
	ck_assert_uint_eq(args.refused_bytes[DRM_FABRIC_REFUSED_LIMIT], SIZE - BYTES);
	ck_assert_int_eq(try_reserve_bytes(given.devmem_fd, BYTES), 0);
	ck_assert(!munmap(a, SIZE));
	/* Its own have no limit. */
	gpu_open_devmem(gpu);
	ck_assert_int_eq(try_reserve_bytes(gpu->devmem_fd, BYTES + PAGE), 0);
}

/* proves: what an administrator opens for somebody is on that one's account, and on nobody else's */
START_TEST(opened_for_others)
{
	struct gpu *gpu = gpu_open(0);

	admin_fd = open("/dev/drm_fabric_admin", O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(admin_fd, 0);
	set_limit("max_handles_per_uid", 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_ge(handles_for_them[i] = open_for(gpu, STRANGER), 0);
	/* Root may have more, but not for him. */
	ck_assert_int_eq(open_for(gpu, STRANGER), -EDQUOT);
	four_handles(gpu);
	as_user(STRANGER, false, gpu, theirs_are_used_up);
	as_user(OTHER, false, gpu, three_handles);
	ck_assert_int_eq(open_for(gpu, (unsigned int)-1), -EINVAL);
	close(handles_for_them[2]);
	as_user(STRANGER, false, gpu, one_of_theirs_is_left);
	set_limit("max_handles_per_uid", 0);
	ck_assert_int_ge(handles_for_them[2] = open_for(gpu, STRANGER), 0);
	set_limit("max_bytes_per_uid", BYTES);
	as_user(STRANGER, false, gpu, bytes_are_theirs);
	/* Also as long as whoever opened it uses it. */
	limited_for_root(gpu);
	close(admin_fd);
	gpu_close(gpu);
}
END_TEST

#define SOCKET "/tmp/fabricd-limits"

/* One device with its handle. Returns what the daemon says; the handle stays open. */
static int place_one(void)
{
	struct fabricmap_placement *placement = NULL;
	struct fabricmap_client *client = NULL;
	int r;

	ck_assert_int_eq(fabricmap_client_connect(SOCKET, &client), 0);
	r = fabricmap_client_place(client, 1, 0, FABRICMAP_PLACE_HANDLES, NULL, 0, &placement);
	if (r)
		note("the daemon: %s", fabricmap_client_error(client));
	else
		ck_assert_int_ge(fabricmap_placement_take_fd(placement, 0), 0);
	fabricmap_placement_free(placement);
	fabricmap_client_free(client);
	return r;
}

static void three_placements(struct gpu *gpu)
{
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(place_one(), 0);
	ck_assert_int_lt(place_one(), 0);
	ck_assert_int_eq(more(gpu), -EDQUOT);
}

/* proves: handles that the daemon opens are on the account of its client: one cannot use up another's */
START_TEST(opened_by_the_daemon)
{
	struct gpu *gpu = gpu_open(0);
	uint64_t end = now_ms() + 10000;
	pid_t pid;

	ck_assert_int_eq(shell("chmod 666 /dev/dri/renderD*"), 0);
	set_limit("max_handles_per_uid", 3);
	unlink(SOCKET);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		execlp("fabricd", "fabricd", "--socket", SOCKET, "--admin-socket", SOCKET "-admin", NULL);
		_exit(127);
	}
	while (access(SOCKET, F_OK) && now_ms() < end)
		sleep_ms(10);
	ck_assert(!chmod(SOCKET, 0666));
	as_user(STRANGER, false, gpu, three_placements);
	as_user(OTHER, false, gpu, three_placements);
	ck_assert(!kill(pid, SIGTERM));
	wait_child(pid);
	gpu_close(gpu);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("limits");
	TCase *tcase = tcase_create("limits");

	test_seed();
	gpu_load();
	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, load, load);
	tcase_add_test(tcase, handles);
	tcase_add_test(tcase, bytes);
	tcase_add_test(tcase, closed_handles_with_memory_count);
	tcase_add_test(tcase, opened_for_others);
	tcase_add_test(tcase, opened_by_the_daemon);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}

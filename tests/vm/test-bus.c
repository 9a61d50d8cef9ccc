// SPDX-License-Identifier: MIT
/* GPUs that are made at run time: how they come and go, and what is refused. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dump.h"
#include "made.h"

#define DRIVER "/sys/bus/softgpu/drivers/softgpu"

/* proves: every seventh job of all copy engines fails, and all data is right */
START_TEST(every_seventh_copy_fails)
{
	char *a = map_memory(4 * MADE_READ, _i);
	struct gpu *gpus[3];

	made_begin_anew();
	for (size_t i = 0; i < 3; i++)
		made_device(i);
	made_link_both_ways(0, 1);
	made_link_both_ways(1, 2);
	for (size_t i = 0; i < 3; i++) {
		gpus[i] = made_open(i);
		gpu_open_devmem(gpus[i]);
		gpu_fault(gpus[i], "fail_copy_nth", 7);
	}
	for (size_t loop = 0; loop < test_loops(6, 200); loop++) {
		struct gpu *holder = gpus[loop % 3], *reader = gpus[(loop + 1) % 3];
		uint64_t seed = test_seed() + loop;
		struct drm_softgpu_exec e;
		uint64_t sum;

		pattern_fill(a, 4 * MADE_READ, seed);
		sum = checksum(a, 4 * MADE_READ);
		gpu_populate(holder, a, 4 * MADE_READ);
		e = gpu_exec(reader, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, 4 * MADE_READ, 0);
		ck_assert_uint_eq(e.result, sum);
		ck_assert_uint_eq(pattern_differs(a, 4 * MADE_READ, seed), 0);
		ck_assert_uint_eq(gpu_figure(holder, "regions/vram0/dead_bytes"), 0);
	}
	for (size_t i = 0; i < 3; i++)
		gpu_close(gpus[i]);
	ck_assert(!munmap(a, 4 * MADE_READ));
}
END_TEST

/* proves: del_device and unbind bring all data home; a bound device is a new incarnation with its declared links */
START_TEST(a_device_goes_and_comes)
{
	struct gpu *holder, *reader;
	char *a = map_memory(MADE_READ, true), buf[64];

	made_begin_anew();
	made_device(0);
	made_device(1);
	made_link_both_ways(0, 1);
	for (size_t i = 0; i < 2; i++) {
		holder = made_open(1);
		reader = made_open(0);
		gpu_open_devmem(holder);
		pattern_fill(a, MADE_READ, test_seed() + i);
		gpu_populate(holder, a, MADE_READ);
		ck_assert_uint_eq(gpu_exec(reader, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, MADE_READ, 0).peer_bytes,
				  MADE_READ);
		if (i)
			gpu_bus("del_device", "1");
		else
			write_file(DRIVER "/unbind", "softgpu1");
		ck_assert(!gpu_is_present("softgpu1"));
		ck_assert_uint_eq(gpu_exec(reader, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, MADE_READ, 0).system_bytes,
				  MADE_READ);
		ck_assert_uint_eq(pattern_differs(a, MADE_READ, test_seed() + i), 0);
		gpu_close(holder);
		gpu_close(reader);
		/* Unbound, it has its name still. */
		ck_assert_int_eq(gpu_try_bus("new_device", "1 %zu", MADE_VRAM), i ? 0 : -EEXIST);
		if (!i)
			write_file(DRIVER "/bind", "softgpu1");
		ck_assert(gpu_attr("softgpu1", "incarnation", buf, sizeof(buf)));
		ck_assert_str_eq(buf, i ? "3" : "2");
		made_check_link(0, 1, "state", "up");
		made_check_link(1, 0, "state", "up");
	}
	gpu_bus("del_device", "0");
	ck_assert_int_eq(gpu_try_bus("del_device", "0"), -ENODEV);
	ck_assert(!munmap(a, MADE_READ));
}
END_TEST

/* proves: the module stays as long as a handle is good, and not for one that is revoked: that may outlive it, and the
 * device that it was on; unloading takes all devices along */
START_TEST(unloading)
{
	struct gpu *gpu;
	int fd;

	made_begin_anew();
	made_device(0);
	made_device(1);
	made_device(2);
	gpu = made_open(0);
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

/* proves: measuring moves bytes through the copy engine, with MADE_VRAM of its own and when all of that is taken; one that
 * fails is no figure */
START_TEST(links_can_be_measured)
{
	char *a = map_memory(MADE_VRAM, true), buf[64];
	struct gpu *gpu;

	made_begin_anew();
	made_device(0);
	made_device(1);
	made_link_one_way(0, 1);
	gpu = made_open(0);
	gpu_open_devmem(gpu);
	gpu_fault(gpu, "fail_copy_nth", 1);
	gpu_write_attr("softgpu0", "links/softgpu1/measure", "1");
	(void)gpu_wait_attr("softgpu0", "links/softgpu1/measure_state", "failed: EIO", 10000);
	made_check_link(0, 1, "measure_state", "failed: EIO");
	made_check_link(0, 1, "provenance", "nominal");
	made_check_link(0, 1, "read_bandwidth", "50000");
	gpu_fault(gpu, "fail_copy_nth", 0);

	for (size_t i = 0; i < 2; i++) {
		uint64_t free_bytes = gpu_figure(gpu, "regions/vram0/free_bytes");

		gpu_write_attr("softgpu0", "links/softgpu1/measure", "1");
		ck_assert(gpu_wait_attr("softgpu0", "links/softgpu1/measure_state", "ok", 10000));
		made_check_link(0, 1, "provenance", "measured");
		ck_assert(made_link_attr(0, 1, "read_bandwidth", buf, sizeof(buf)));
		ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/free_bytes"), free_bytes);
		note("%s: read %s MB/s", i ? "by a buffer" : "by VRAM", buf);
		/* Now all of it. */
		pattern_fill(a, MADE_VRAM, test_seed());
		gpu_populate(gpu, a, MADE_VRAM);
		/* Another type is another link: the figures are declared ones again. */
		gpu_bus("link", "softgpu0 softgpu1 %s 10 20", i ? "xgmi" : "cxl");
		made_check_link(0, 1, "provenance", "nominal");
		ck_assert(!made_link_attr(0, 1, "read_latency", buf, sizeof(buf)));
	}
	ck_assert_uint_eq(pattern_differs(a, MADE_VRAM, test_seed()), 0);
	gpu_close(gpu);
	ck_assert(!munmap(a, MADE_VRAM));
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

	made_begin_anew();
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

	made_begin_anew();
	made_device(0);
	made_device(1);
	made_link_one_way(0, 1);
	before = dump_fabric(true);
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
	after = dump_fabric(true);
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

	made_begin_anew();
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
int main(void)
{
	Suite *suite = suite_create("bus");
	TCase *tcase;

	test_seed();
	gpu_load();
	tcase = made_tcase(suite, "devices", 900);
	tcase_add_loop_test(tcase, every_seventh_copy_fails, 0, 2);
	tcase_add_test(tcase, a_device_goes_and_comes);
	tcase_add_test(tcase, unloading);
	tcase_add_test(tcase, links_can_be_measured);
	tcase_add_test(tcase, memory_runs_out);
	tcase = made_tcase(suite, "input", 60);
	tcase_add_test(tcase, bad_input_changes_nothing);
	tcase_add_test(tcase, for_root_only);
	return test_run(suite);
}

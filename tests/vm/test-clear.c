// SPDX-License-Identifier: MIT
/* What one program leaves in a device's memory, no other program ever sees. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gpu.h"

#define STRANGER 65534
#define PAGE ((size_t)4096)
/* The stranger goes through the whole of VRAM in steps of this size, keeping all. */
#define STEP (32 * MIB)

static void load(void)
{
	gpu_restore();
}

/* Every page of VRAM gets bytes that are not zero, and is free again. */
static void leave_dirt(const char *name)
{
	struct drm_fabric_devmem_populate args;
	struct gpu *gpu = gpu_open_name(name);
	uint64_t vram = gpu_figure(gpu, "regions/vram0/size_bytes");
	char *a = map_memory(vram, true);

	gpu_open_devmem(gpu);
	memset(a, 0xff, vram);
	ck_assert_int_eq(gpu_try_populate(gpu, a, vram, 0, &args), 0);
	ck_assert_uint_eq(args.moved_bytes, vram);
	gpu_exec(gpu, DRM_SOFTGPU_OP_FILL, a, NULL, vram, ~0ull);
	ck_assert(!munmap(a, vram));
	ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/resident_bytes"), 0);
	gpu_close(gpu);
}

/* Control: the dirt is in the BAR of a device without a driver. Else the test would prove nothing. */
static void check_dirt(const char *name)
{
	const volatile uint64_t *bar;
	size_t dirty = 0, n;
	char file[96];
	int fd;

	snprintf(file, sizeof(file), "/sys/bus/pci/devices/%s/enable", name);
	write_file(file, "1");
	snprintf(file, sizeof(file), "/sys/bus/pci/devices/%s/resource2", name);
	fd = open(file, O_RDWR | O_CLOEXEC);
	ck_assert_msg(fd >= 0, "%s: %s", file, strerror(errno));
	n = lseek(fd, 0, SEEK_END) / PAGE;
	ck_assert_uint_gt(n, 0);
	bar = mmap(NULL, n * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	ck_assert_msg(bar != MAP_FAILED, "%s: %s", file, strerror(errno));
	for (size_t i = 0; i < n; i++)
		dirty += bar[i * PAGE / 8 + 7] == ~0ull;
	munmap((void *)bar, n * PAGE);
	close(fd);
	snprintf(file, sizeof(file), "/sys/bus/pci/devices/%s/enable", name);
	write_file(file, "0");
	ck_assert_uint_eq(dirty, n);
}

/* Another user takes all of the VRAM for memory that it never touched, and looks at it through the GPU and itself. */
static void stranger_finds_zeroes(const char *name, bool huge)
{
	struct gpu *gpu = gpu_open_bare(name);
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		uint64_t vram = gpu_figure(gpu, "regions/vram0/size_bytes");
		struct drm_softgpu_vm_create create = {};
		char *seen = map_memory(STEP, true), *a = map_memory(vram, huge);

		ck_assert(!setgid(STRANGER));
		ck_assert(!setuid(STRANGER));
		ck_assert(!ioctl(gpu->render_fd, DRM_IOCTL_SOFTGPU_VM_CREATE, &create));
		gpu_open_devmem(gpu);
		for (size_t at = 0; at < vram; at += STEP) {
			struct drm_softgpu_exec e;

			gpu_populate(gpu, a + at, STEP);
			/* Through the GPU: it reads all in VRAM and writes to memory that held ones. */
			memset(seen, 0xff, STEP);
			e = gpu_exec(gpu, DRM_SOFTGPU_OP_COPY, seen, a + at, STEP, 0);
			ck_assert_uint_eq(e.local_bytes, STEP);
			ck_assert_uint_eq(words_differ(seen, STEP, 0), 0);
		}
		ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/resident_bytes"), vram);
		ck_assert_uint_eq(words_differ(a, vram, 0), 0);
		_exit(0);
	}
	wait_child(pid);
	gpu_close(gpu);
}

static const char *first_name(void)
{
	static char names[64][DRM_FABRIC_DEVICE_NAME_SIZE];

	ck_assert_uint_gt(gpu_names(names, 64), 0);
	return names[0];
}

/* proves: memory that another user freed is zero, in large and in small pages */
START_TEST(freed_memory_is_zero)
{
	const char *name = first_name();

	leave_dirt(name);
	stranger_finds_zeroes(name, _i);
}
END_TEST

/* proves: the rest of a page that a program wrote only in part is zero */
START_TEST(partly_written_memory_is_zero)
{
	const char *name = first_name();
	struct gpu *gpu;
	char *a = map_memory(4 * MIB, _i);

	leave_dirt(name);
	gpu = gpu_open_name(name);
	gpu_open_devmem(gpu);
	/* One word in the middle of system memory, the rest untouched; then one written by the GPU. */
	a[MIB + 17] = 1;
	gpu_populate(gpu, a, 4 * MIB);
	gpu_exec(gpu, DRM_SOFTGPU_OP_FILL, a + 3 * MIB, NULL, 8, 2);
	ck_assert_int_eq(a[MIB + 17], 1);
	ck_assert_int_eq(a[3 * MIB], 2);
	a[MIB + 17] = 0;
	memset(a + 3 * MIB, 0, 8);
	ck_assert_uint_eq(words_differ(a, 4 * MIB, 0), 0);
	gpu_close(gpu);
}
END_TEST

/* proves: a device that the driver left and took again shows nothing of before */
START_TEST(unbind_and_bind)
{
	const char *name = first_name();

	leave_dirt(name);
	gpu_unbind(name);
	check_dirt(name);
	gpu_bind(name);
	stranger_finds_zeroes(name, _i);
}
END_TEST

/* proves: a device that was pulled and put back with its memory as it was shows nothing of before */
START_TEST(unplug_and_plug)
{
	const char *name = first_name();
	char rig[32];

	ck_assert(gpu_rig_name(name, rig, sizeof(rig)));
	leave_dirt(name);
	/* What is not there when the device goes is not there when it is back: look before. */
	gpu_unbind(name);
	check_dirt(name);
	gpu_bind(name);
	ck_assert_int_eq(shell("rig unplug %s >/dev/null", rig), 0);
	ck_assert(!gpu_is_present(name));
	ck_assert_int_eq(shell("rig plug %s >/dev/null", rig), 0);
	ck_assert(gpu_wait_present(name, true, 20000));
	stranger_finds_zeroes(name, true);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("clear");
	TCase *tcase = tcase_create("clear");

	test_seed();
	gpu_load();
	tcase_set_timeout(tcase, 20);
	tcase_add_checked_fixture(tcase, load, NULL);
	tcase_add_loop_test(tcase, freed_memory_is_zero, 0, 2);
	tcase_add_loop_test(tcase, partly_written_memory_is_zero, 0, 2);
	tcase_add_loop_test(tcase, unbind_and_bind, 0, 2);
	tcase_add_test(tcase, unplug_and_plug);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}

// SPDX-License-Identifier: MIT
/* Struct pages for a device's memory: there when somebody needs them, and only then. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gpu.h"

#define SIZE (4 * MIB)
#define PAGE ((size_t)4096)
/* Of one struct page. */
#define MEMMAP_BYTES 64

#define STATE "regions/vram0/pagemap_state"

static void load(void)
{
	char names[64][DRM_FABRIC_DEVICE_NAME_SIZE];
	size_t n;

	gpu_restore();
	n = gpu_names(names, 64);
	for (size_t i = 0; i < n; i++) {
		gpu_write_attr(names[i], "regions/vram0/idle_timeout_ms", "0");
		ck_assert(gpu_wait_attr(names[i], STATE, "absent", 5000));
		gpu_write_attr(names[i], "regions/vram0/idle_timeout_ms", "5000");
	}
}

static uint64_t refs(const struct gpu *gpu, const char *kind)
{
	char path[64];

	snprintf(path, sizeof(path), "regions/vram0/pagemap_refs_%s", kind);
	return gpu_figure(gpu, path);
}

static bool state_is(const struct gpu *gpu, const char *state)
{
	return gpu_wait_attr(gpu->name, STATE, state, 0);
}

/*
 * Asserts that all struct pages of the region are there, and nothing more than since @before: they are mapped, and so
 * allocated, in pieces of 2 MiB if there are such. Returns how much system memory they take, in pages.
 */
static uint64_t check_memmap(const struct gpu *gpu, uint64_t before)
{
	uint64_t least = gpu_figure(gpu, "regions/vram0/size_bytes") / PAGE * MEMMAP_BYTES / PAGE;
	uint64_t piece = 2 * MIB / PAGE, now = vmstat("nr_memmap_pages");

	ck_assert_uint_ge(now, before + least);
	ck_assert_uint_le(now, before + (least + piece - 1) / piece * piece);
	return now - before;
}

static void close_devmem(struct gpu *gpu)
{
	close(gpu->devmem_fd);
	gpu->devmem_fd = -1;
}

/* proves: modules that are just loaded have taken no memory for struct pages, and a look at the files takes none */
START_TEST(absent_at_start)
{
	char names[64][DRM_FABRIC_DEVICE_NAME_SIZE];
	uint64_t before = vmstat("nr_memmap_pages");
	struct gpu *gpu;
	size_t n;

	gpu_reload("");
	n = gpu_names(names, 64);
	ck_assert_uint_gt(n, 0);
	for (size_t i = 0; i < n; i++)
		ck_assert(gpu_wait_attr(names[i], STATE, "absent", 0));
	/* A program that only computes in system memory needs none, either. */
	gpu = gpu_open(0);
	gpu_exec(gpu, DRM_SOFTGPU_OP_FILL, map_memory(SIZE, false), NULL, SIZE, 1);
	ck_assert(state_is(gpu, "absent"));
	gpu_close(gpu);
	ck_assert_uint_eq(vmstat("nr_memmap_pages"), before);
}
END_TEST

/* proves: the first handle makes the struct pages of its region and of no other; what refers to them is told by kind */
START_TEST(references_by_kind)
{
	uint64_t before = vmstat("nr_memmap_pages"), mappings;
	struct gpu *gpu = gpu_open(0), *user;
	char *a = map_memory(SIZE, false);
	int second;

	gpu_open_devmem(gpu);
	ck_assert(state_is(gpu, "active"));
	check_memmap(gpu, before);
	ck_assert_uint_eq(refs(gpu, "handles"), 1);
	ck_assert_uint_eq(gpu_figure(gpu, "handles"), 1);
	ck_assert_uint_eq(refs(gpu, "pages"), 0);
	ck_assert_uint_eq(refs(gpu, "mappings"), 0);
	second = dup(gpu->devmem_fd);
	ck_assert_uint_eq(refs(gpu, "handles"), 1);
	close(second);
	second = gpu->devmem_fd;
	gpu_open_devmem(gpu);
	ck_assert_uint_eq(refs(gpu, "handles"), 2);
	close(second);
	ck_assert_uint_eq(refs(gpu, "handles"), 1);

	memset(a, 1, SIZE);
	gpu_populate(gpu, a, SIZE);
	ck_assert_uint_eq(refs(gpu, "pages"), SIZE / PAGE);
	user = gpu_open_name(gpu->name);
	gpu_exec(user, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0);
	mappings = refs(gpu, "mappings");
	ck_assert_uint_gt(mappings, 0);
	ck_assert_uint_le(mappings, SIZE / PAGE);
	gpu_close(user);
	ck_assert_uint_eq(refs(gpu, "mappings"), 0);
	ck_assert(!munmap(a, SIZE));
	ck_assert_uint_eq(refs(gpu, "pages"), 0);
	ck_assert(state_is(gpu, "active"));
	close_devmem(gpu);
	ck_assert_uint_eq(refs(gpu, "handles"), 0);
	ck_assert(state_is(gpu, "idle"));
	check_memmap(gpu, before);
	gpu_close(gpu);
}
END_TEST

/* proves: the timeout is what it says, and afterwards the memory is back to the page */
START_TEST(goes_after_the_timeout)
{
	static const struct {
		const char *timeout;
		unsigned int least_ms, most_ms;
	} cases[] = { { "0", 0, 700 }, { "200", 200, 1200 }, { "5000", 5000, 6500 } };
	uint64_t before = vmstat("nr_memmap_pages"), start, took;
	struct gpu *gpu = gpu_open(0);

	/* 5000 is the default: not written. */
	if (strcmp(cases[_i].timeout, "5000"))
		gpu_write_attr(gpu->name, "regions/vram0/idle_timeout_ms", cases[_i].timeout);
	else
		ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/idle_timeout_ms"), 5000);
	gpu_open_devmem(gpu);
	start = now_ms();
	close_devmem(gpu);
	ck_assert(gpu_wait_attr(gpu->name, STATE, "absent", 20000));
	took = now_ms() - start;
	note("idle_timeout_ms=%s: gone after %llu ms", cases[_i].timeout, (unsigned long long)took);
	ck_assert_uint_ge(took, cases[_i].least_ms);
	ck_assert_uint_le(took, cases[_i].most_ms);
	ck_assert_uint_eq(vmstat("nr_memmap_pages"), before);
	gpu_close(gpu);
}
END_TEST

/* proves: a timeout that is no number is refused, and a new one holds for what is idle already */
START_TEST(timeout_is_changed)
{
	struct gpu *gpu = gpu_open(0);
	const char *file = "/sys/class/drm_fabric/%s/regions/vram0/idle_timeout_ms";
	char path[160];

	snprintf(path, sizeof(path), file, gpu->name);
	ck_assert_int_eq(try_write_file(path, "soon"), -EINVAL);
	ck_assert_int_eq(try_write_file(path, "-1"), -EINVAL);
	ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/idle_timeout_ms"), 5000);
	gpu_open_devmem(gpu);
	close_devmem(gpu);
	ck_assert(state_is(gpu, "idle"));
	write_file(path, "10");
	ck_assert(gpu_wait_attr(gpu->name, STATE, "absent", 2000));
	gpu_close(gpu);
}
END_TEST

/* proves: who comes back in time finds the struct pages that were there: they are not made again */
START_TEST(reopened_while_idle)
{
	uint64_t before = vmstat("nr_memmap_pages"), pages, start, first_ms, again_ms = 0;
	size_t n = test_loops(30, 300);
	struct gpu *gpu = gpu_open(0);

	start = now_ms();
	gpu_open_devmem(gpu);
	first_ms = now_ms() - start;
	pages = check_memmap(gpu, before);
	for (size_t i = 0; i < n; i++) {
		close_devmem(gpu);
		ck_assert(state_is(gpu, "idle"));
		ck_assert_uint_eq(vmstat("nr_memmap_pages"), before + pages);
		start = now_ms();
		gpu_open_devmem(gpu);
		again_ms += now_ms() - start;
		ck_assert_uint_eq(vmstat("nr_memmap_pages"), before + pages);
	}
	note("opened in %llu ms the first time, in %.2f ms while idle", (unsigned long long)first_ms,
	     (double)again_ms / (double)n);
	gpu_close(gpu);
}
END_TEST

/* proves: pages that live on the device keep the struct pages when nobody has a file open any more */
START_TEST(resident_pages_keep_it)
{
	uint64_t before = vmstat("nr_memmap_pages");
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, _i), name[32];

	snprintf(name, sizeof(name), "%s", gpu->name);
	gpu_write_attr(name, "regions/vram0/idle_timeout_ms", "100");
	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	gpu_close(gpu);
	sleep_ms(500);
	ck_assert(gpu_wait_attr(name, STATE, "active", 0));
	ck_assert_uint_gt(vmstat("nr_memmap_pages"), before);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	ck_assert(gpu_wait_attr(name, STATE, "absent", 2000));
	ck_assert_uint_eq(vmstat("nr_memmap_pages"), before);
}
END_TEST

/* proves: handles that come and go around the end of the timeout neither lose the struct pages nor leak them */
START_TEST(open_and_close_in_a_row)
{
	uint64_t before = vmstat("nr_memmap_pages"), random = test_seed();
	size_t n = test_loops(100, 1000);
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(64 << 10, false);

	gpu_write_attr(gpu->name, "regions/vram0/idle_timeout_ms", "20");
	for (size_t i = 0; i < n; i++) {
		gpu_open_devmem(gpu);
		memset(a, (int)i, 64 << 10);
		gpu_populate(gpu, a, 64 << 10);
		ck_assert_int_eq(a[test_random(&random) % (64 << 10)], (char)i);
		close_devmem(gpu);
		if (i % 4 == 0)
			sleep_ms(test_random(&random) % 40);
	}
	ck_assert(gpu_wait_attr(gpu->name, STATE, "absent", 2000));
	ck_assert_uint_eq(vmstat("nr_memmap_pages"), before);
	gpu_close(gpu);
}
END_TEST

/* proves: an eviction takes the struct pages down at once, and the handles that are open make new ones when needed */
START_TEST(eviction_takes_it_down)
{
	uint64_t before = vmstat("nr_memmap_pages");
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, _i);

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, gpu->name, 20000), 0);
	ck_assert(gpu_wait_attr(gpu->name, "state", "offline", 0));
	ck_assert_uint_eq(vmstat("nr_memmap_pages"), before);
	ck_assert(state_is(gpu, "absent"));
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0), 0);
	gpu_populate(gpu, a, SIZE);
	check_memmap(gpu, before);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_close(gpu);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pagemap");
	TCase *tcase = tcase_create("pagemap");

	test_seed();
	gpu_load();
	tcase_set_timeout(tcase, 12);
	tcase_add_checked_fixture(tcase, load, NULL);
	tcase_add_test(tcase, absent_at_start);
	tcase_add_test(tcase, references_by_kind);
	tcase_add_loop_test(tcase, goes_after_the_timeout, 0, 3);
	tcase_add_test(tcase, timeout_is_changed);
	tcase_add_test(tcase, reopened_while_idle);
	tcase_add_loop_test(tcase, resident_pages_keep_it, 0, 2);
	tcase_add_test(tcase, open_and_close_in_a_row);
	tcase_add_loop_test(tcase, eviction_takes_it_down, 0, 2);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}

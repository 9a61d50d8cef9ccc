// SPDX-License-Identifier: MIT
/*
 * Every allocation on the way of every operation fails in turn, by /proc/self/fail-nth of a kernel with fault
 * injection: an error comes back, or what was asked for is done; nothing leaks, no data changes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "prefer.h"

#define SIZE ((size_t)256 * 1024)
#define PATIENCE_MS 60000

/* More allocations than any operation makes. */
#define MAX_NTH 2000

struct context {
	char name[DRM_FABRIC_DEVICE_NAME_SIZE];
	struct gpu *gpu;
	char *area;
	int fabric_fd, admin_fd;
	uint64_t grant_id;
	size_t n_preferred; /* bytes, after the call */
};

/* One operation: brought to where it can be called, called, undone. */
struct path {
	const char *name;
	void (*prepare)(struct context *c);
	int (*call)(struct context *c);
	void (*undo)(struct context *c);
};

static int result_of(int r)
{
	return r < 0 ? -errno : 0;
}

static void with_handle(struct context *c)
{
	c->gpu = gpu_open_name(c->name);
	gpu_open_devmem(c->gpu);
	c->area = map_memory(SIZE, false);
	pattern_fill(c->area, SIZE, test_seed());
}

static void with_pages(struct context *c)
{
	with_handle(c);
	gpu_populate(c->gpu, c->area, SIZE);
}

static void without_handle(struct context *c)
{
	ck_assert_uint_eq(pattern_differs(c->area, SIZE, test_seed()), 0);
	munmap(c->area, SIZE);
	gpu_close(c->gpu);
}

static void open_render(struct context *c)
{
	c->gpu = gpu_open_bare(c->name);
}

static void close_render(struct context *c)
{
	gpu_close(c->gpu);
}

static void nothing(struct context *c)
{
	(void)c;
}

static int call_query(struct context *c)
{
	struct drm_fabric_query args = {};

	return result_of(ioctl(c->fabric_fd, DRM_FABRIC_IOCTL_QUERY, &args));
}

static int call_open_devmem(struct context *c)
{
	struct drm_fabric_open_devmem args = { .render_fd = c->gpu->render_fd, .region = "vram0" };

	if (ioctl(c->fabric_fd, DRM_FABRIC_IOCTL_OPEN_DEVMEM, &args))
		return -errno;
	c->gpu->devmem_fd = args.fd;
	return 0;
}

static int call_admin_open_devmem(struct context *c)
{
	struct drm_fabric_admin_open_devmem args = { .render_fd = c->gpu->render_fd, .region = "vram0", .uid = 65534 };

	if (ioctl(c->admin_fd, DRM_FABRIC_ADMIN_OPEN_DEVMEM, &args))
		return -errno;
	c->gpu->devmem_fd = args.fd;
	return 0;
}

static int call_info(struct context *c)
{
	struct drm_fabric_devmem_info args = {};

	return result_of(ioctl(c->gpu->devmem_fd, DRM_FABRIC_DEVMEM_INFO, &args));
}

static int call_reach(struct context *c)
{
	struct drm_fabric_devmem_reach args = { .owner_fd = c->gpu->devmem_fd };

	return result_of(ioctl(c->gpu->devmem_fd, DRM_FABRIC_DEVMEM_REACH, &args));
}

static int call_populate(struct context *c)
{
	struct drm_fabric_devmem_populate args;

	return gpu_try_populate(c->gpu, c->area, SIZE, 0, &args);
}

static int call_populate_strict(struct context *c)
{
	struct drm_fabric_devmem_populate args;

	return gpu_try_populate(c->gpu, c->area, SIZE, DRM_FABRIC_POPULATE_STRICT, &args);
}

static int call_to_system(struct context *c)
{
	struct drm_fabric_devmem_to_system args = { .start = (uintptr_t)c->area, .length_bytes = SIZE };

	return result_of(ioctl(c->gpu->devmem_fd, DRM_FABRIC_DEVMEM_TO_SYSTEM, &args));
}

static int call_residency(struct context *c)
{
	struct drm_fabric_devmem_residency args = { .start = (uintptr_t)c->area, .length_bytes = SIZE };

	return result_of(ioctl(c->gpu->devmem_fd, DRM_FABRIC_DEVMEM_RESIDENCY, &args));
}

static int call_reserve(struct context *c)
{
	struct drm_fabric_devmem_reserve args = { .bytes = SIZE };

	return result_of(ioctl(c->gpu->devmem_fd, DRM_FABRIC_DEVMEM_RESERVE, &args));
}

static int grant(struct context *c, uint64_t *ret_id)
{
	struct drm_fabric_devmem_grant args = { .fabric_fd = c->fabric_fd };
	int r = result_of(ioctl(c->gpu->devmem_fd, DRM_FABRIC_DEVMEM_GRANT, &args));

	*ret_id = args.grant_id;
	return r;
}

static int call_grant(struct context *c)
{
	uint64_t id;

	return grant(c, &id);
}

static void with_grant(struct context *c)
{
	with_pages(c);
	ck_assert_int_eq(grant(c, &c->grant_id), 0);
}

static int call_revoke(struct context *c)
{
	struct drm_fabric_revoke args = { .grant_id = c->grant_id, .timeout_ms = PATIENCE_MS };

	return result_of(ioctl(c->fabric_fd, DRM_FABRIC_IOCTL_REVOKE, &args));
}

static int call_holders(struct context *c)
{
	struct drm_fabric_holder rows[8];
	struct drm_fabric_holders args = { .n_holders = 8, .region = "vram0", .holders = (uintptr_t)rows };
	int r;

	memcpy(args.device, c->name, sizeof(args.device));
	r = result_of(ioctl(c->fabric_fd, DRM_FABRIC_IOCTL_HOLDERS, &args));
	if (!r)
		ck_assert_uint_eq(args.bytes, SIZE);
	return r;
}

static int call_range_residency(struct context *c)
{
	struct drm_fabric_residence in[8];
	struct drm_fabric_residency args = {
		.start = (uintptr_t)c->area, .length_bytes = SIZE, .n_residences = 8, .residences = (uintptr_t)in
	};

	return result_of(ioctl(c->fabric_fd, DRM_FABRIC_IOCTL_RESIDENCY, &args));
}

/* Bytes from the beginning of the area on that have a preference, up to the first that has none. */
static size_t preferred_bytes(struct context *c, size_t from)
{
	struct drm_fabric_preference is = { .accessor_fd = -1, .address = (uintptr_t)c->area + from };
	uint64_t at = (uintptr_t)c->area + from;

	if (ioctl(c->fabric_fd, DRM_FABRIC_IOCTL_PREFERENCE, &is) || is.start > at)
		return 0;
	return is.start + is.length_bytes - at;
}

static int prefer_here(struct context *c, size_t from, size_t size)
{
	struct drm_fabric_prefer args = {
		.n_locations = 1,
		.start = (uintptr_t)c->area + from,
		.length_bytes = size,
		.locations = { { DRM_FABRIC_LOCATION_DEVMEM, c->gpu->devmem_fd } },
	};

	return result_of(ioctl(c->fabric_fd, DRM_FABRIC_IOCTL_PREFER, &args));
}

/* An error has changed nothing. */
static int call_prefer(struct context *c)
{
	int r = prefer_here(c, 0, SIZE);

	c->n_preferred = r ? 0 : SIZE;
	return r;
}

static void with_preference(struct context *c)
{
	with_handle(c);
	ck_assert_int_eq(prefer_here(c, 0, SIZE), 0);
}

static void preferred_without_handle(struct context *c)
{
	ck_assert_uint_eq(preferred_bytes(c, 0), c->n_preferred);
	without_handle(c);
}

static int call_preference(struct context *c)
{
	struct drm_fabric_preference is = { .accessor_fd = c->gpu->devmem_fd };

	return result_of(ioctl(c->fabric_fd, DRM_FABRIC_IOCTL_PREFERENCE, &is));
}

/* Forgets the middle: two ranges become of one. */
static int call_forget(struct context *c)
{
	struct drm_fabric_prefer args = { .start = (uintptr_t)c->area + PAGE, .length_bytes = PAGE };
	int r = result_of(ioctl(c->fabric_fd, DRM_FABRIC_IOCTL_PREFER, &args));

	c->n_preferred = r ? SIZE : PAGE;
	return r;
}

/* The notifier has something put aside: no part is forgotten, whatever fails. */
static int call_munmap(struct context *c)
{
	int r = result_of(munmap(c->area + PAGE, PAGE));

	c->n_preferred = r ? 0 : SIZE - 2 * PAGE;
	return r;
}

static void unmapped_without_handle(struct context *c)
{
	if (c->n_preferred) {
		ck_assert_uint_eq(preferred_bytes(c, 0), PAGE);
		ck_assert_uint_eq(preferred_bytes(c, 2 * PAGE), c->n_preferred);
	} else {
		ck_assert_uint_eq(preferred_bytes(c, 0), SIZE);
	}
	munmap(c->area, SIZE);
	gpu_close(c->gpu);
}

static int call_vm_create(struct context *c)
{
	struct drm_softgpu_vm_create args = {};

	return result_of(ioctl(c->gpu->render_fd, DRM_IOCTL_SOFTGPU_VM_CREATE, &args));
}

static int call_exec(struct context *c)
{
	struct drm_softgpu_exec args;
	int r = gpu_try_exec(c->gpu, DRM_SOFTGPU_OP_CHECKSUM, NULL, c->area, SIZE, 0, &args);

	if (!r)
		ck_assert_uint_eq(args.result, checksum(c->area, SIZE));
	return r;
}

static int call_read_event(struct context *c)
{
	struct drm_fabric_event event;

	return read(c->gpu->devmem_fd, &event, sizeof(event)) < 0 ? -errno : 0;
}

static void with_event(struct context *c)
{
	with_handle(c);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_DRAIN, c->name, 0), 0);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, c->name, 0), 0);
}

static int admin(struct context *c, unsigned long cmd, uint32_t timeout_ms)
{
	struct drm_fabric_admin_device args = { .timeout_ms = timeout_ms };

	snprintf(args.device, sizeof(args.device), "%s", c->name);
	return result_of(ioctl(c->admin_fd, cmd, &args));
}

static int call_drain(struct context *c)
{
	return admin(c, DRM_FABRIC_ADMIN_DRAIN, 0);
}

static int call_cancel(struct context *c)
{
	return admin(c, DRM_FABRIC_ADMIN_CANCEL, 0);
}

static int call_evict(struct context *c)
{
	return admin(c, DRM_FABRIC_ADMIN_EVICT, PATIENCE_MS);
}

static int call_unbind(struct context *c)
{
	return admin(c, DRM_FABRIC_ADMIN_UNBIND, PATIENCE_MS);
}

static void drained(struct context *c)
{
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_DRAIN, c->name, 0), 0);
}

static void online(struct context *c)
{
	gpu_admin(DRM_FABRIC_ADMIN_CANCEL, c->name, 0);
}

static void online_without_handle(struct context *c)
{
	online(c);
	without_handle(c);
}

static void bound_without_handle(struct context *c)
{
	without_handle(c);
	if (!gpu_is_present(c->name))
		gpu_bind(c->name);
	ck_assert(gpu_wait_present(c->name, true, PATIENCE_MS));
}

/* The thread touches what is on the device: the fault's allocations are its own. SIGBUS would end the test. */
static int call_touch(struct context *c)
{
	for (size_t i = 0; i < SIZE; i += 4096)
		((volatile char *)c->area)[i];
	return 0;
}

static const struct path paths[] = {
	{ "QUERY", nothing, call_query, nothing },
	{ "OPEN_DEVMEM", open_render, call_open_devmem, close_render },
	{ "ADMIN_OPEN_DEVMEM", open_render, call_admin_open_devmem, close_render },
	{ "INFO", with_handle, call_info, without_handle },
	{ "REACH", with_handle, call_reach, without_handle },
	{ "POPULATE", with_handle, call_populate, without_handle },
	{ "POPULATE STRICT", with_handle, call_populate_strict, without_handle },
	{ "TO_SYSTEM", with_pages, call_to_system, without_handle },
	{ "RESIDENCY", with_pages, call_residency, without_handle },
	{ "RESERVE", with_pages, call_reserve, without_handle },
	{ "GRANT", with_pages, call_grant, without_handle },
	{ "REVOKE", with_grant, call_revoke, without_handle },
	{ "HOLDERS", with_pages, call_holders, without_handle },
	{ "RESIDENCY of regions", with_pages, call_range_residency, without_handle },
	{ "PREFER", with_handle, call_prefer, preferred_without_handle },
	{ "PREFER nothing", with_preference, call_forget, preferred_without_handle },
	{ "PREFERENCE", with_preference, call_preference, without_handle },
	{ "munmap", with_preference, call_munmap, unmapped_without_handle },
	{ "read", with_event, call_read_event, without_handle },
	{ "VM_CREATE", open_render, call_vm_create, close_render },
	{ "EXEC", with_pages, call_exec, without_handle },
	{ "DRAIN", nothing, call_drain, online },
	{ "CANCEL", drained, call_cancel, online },
	{ "EVICT", with_pages, call_evict, online_without_handle },
	{ "UNBIND", with_pages, call_unbind, bound_without_handle },
	{ "CPU touch", with_pages, call_touch, without_handle },
};

#define N_PATHS (sizeof(paths) / sizeof(*paths))

/* Errors that an operation without memory may give; EFAULT when it is its argument that cannot be copied. */
static bool is_no_memory(int r)
{
	return r == -ENOMEM || r == -EBUSY || r == -EAGAIN || r == -ENFILE || r == -EFAULT;
}

/* Did the allocation that was to fail come? None fails afterwards. The file itself copies, which counts as one. */
static bool fail_nth_was_reached(int fail_fd)
{
	char text[16];
	bool reached = pread(fail_fd, text, sizeof(text) - 1, 0) > 0 && text[0] == '0';

	while (pwrite(fail_fd, "0", 1, 0) != 1)
		ck_assert_int_eq(errno, EFAULT);
	return reached;
}

/* proves: every allocation of the operation fails in turn, with an error and without harm, until it succeeds without one */
START_TEST(each_allocation_fails)
{
	const struct path *path = &paths[_i];
	struct context c = {};
	char names[8][DRM_FABRIC_DEVICE_NAME_SIZE], text[16];
	unsigned int nth, n_errors = 0;
	int fail_fd, r = 0;

	fail_fd = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fail_fd < 0) {
		note("skipped: %s: this kernel has no fault injection", path->name);
		return;
	}
	/* By default only allocations that cannot wait fail. */
	write_file("/sys/kernel/debug/failslab/ignore-gfp-wait", "N");
	write_file("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N");
	write_file("/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N");
	write_file("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	ck_assert_uint_ge(gpu_names(names, 8), 1);
	strcpy(c.name, names[0]);
	c.fabric_fd = open("/dev/drm_fabric", O_RDWR | O_CLOEXEC);
	c.admin_fd = open("/dev/drm_fabric_admin", O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(c.fabric_fd, 0);
	ck_assert_int_ge(c.admin_fd, 0);

	for (nth = 1; nth < MAX_NTH; nth++) {
		bool injected;

		path->prepare(&c);
		snprintf(text, sizeof(text), "%u", nth);
		ck_assert_int_gt(pwrite(fail_fd, text, strlen(text), 0), 0);
		r = path->call(&c);
		injected = fail_nth_was_reached(fail_fd);
		n_errors += injected && r;
		ck_assert_msg(!r || (injected && is_no_memory(r)), "%s, allocation %u: %s", path->name, nth,
			      strerror(-r));
		path->undo(&c);
		if (!injected)
			break;
	}
	note("%s: %u allocations failed in turn, %u times an error came back", path->name, nth - 1, n_errors);
	ck_assert_uint_lt(nth, MAX_NTH);
	ck_assert(gpu_wait_attr(c.name, "handles", "0", PATIENCE_MS));
	ck_assert(gpu_wait_attr(c.name, "regions/vram0/pagemap_refs_pages", "0", PATIENCE_MS));
	ck_assert(gpu_wait_attr(c.name, "regions/vram0/pagemap_refs_mappings", "0", PATIENCE_MS));
	ck_assert(gpu_wait_attr(c.name, "regions/vram0/dead_bytes", "0", 0));
	close(c.fabric_fd);
	close(c.admin_fd);
	close(fail_fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("failnth");
	TCase *tcase = tcase_create("failnth");

	test_seed();
	gpu_load();
	tcase_set_timeout(tcase, 300);
	tcase_add_checked_fixture(tcase, gpu_restore, gpu_restore);
	tcase_add_loop_test(tcase, each_allocation_fails, 0, N_PATHS);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}

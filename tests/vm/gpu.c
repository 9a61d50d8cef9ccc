// SPDX-License-Identifier: MIT
/* A software GPU as a test sees it. */
#define _GNU_SOURCE
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gpu.h"

#define CLASS "/sys/class/drm_fabric"

#define DRIVER "/sys/bus/pci/drivers/softgpu"

static bool is_loaded(void)
{
	return !access("/sys/module/softgpu", F_OK);
}

void gpu_load(void)
{
	if (is_loaded() || !shell("modprobe softgpu"))
		return;
	printf("Bail out! modprobe softgpu failed\n");
	exit(1);
}

bool gpu_is_present(const char *name)
{
	char file[128];

	snprintf(file, sizeof(file), CLASS "/%s", name);
	return !access(file, F_OK);
}

bool gpu_wait_present(const char *name, bool present, unsigned int timeout_ms)
{
	uint64_t end = now_ms() + (uint64_t)timeout_ms * test_slowness();

	while (gpu_is_present(name) != present) {
		if (now_ms() > end)
			return false;
		sleep_ms(5);
	}
	return true;
}

bool gpu_wait_attr(const char *name, const char *path, const char *value, unsigned int timeout_ms)
{
	uint64_t end = now_ms() + (uint64_t)timeout_ms * test_slowness();
	char buf[256];

	while (!gpu_attr(name, path, buf, sizeof(buf)) || strcmp(buf, value)) {
		if (now_ms() > end)
			return false;
		sleep_ms(5);
	}
	return true;
}

/* One field of the line that the rig has for a device. */
static bool rig_list(const char *name, const char *field, char *ret, size_t size)
{
	char command[160];
	FILE *pipe;
	bool found;

	snprintf(command, sizeof(command),
		 "rig list | awk '$2 == \"%s\" { sub(\"port=\", \"\", $4); printf \"%%s\", %s }'", name, field);
	pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	found = fgets(ret, size, pipe);
	pclose(pipe);
	return found;
}

bool gpu_rig_name(const char *name, char *ret, size_t size)
{
	return rig_list(name, "$1", ret, size);
}

bool gpu_rig_port(const char *name, char *ret, size_t size)
{
	return rig_list(name, "$4", ret, size);
}

void gpu_unbind(const char *name)
{
	write_file(DRIVER "/unbind", name);
}

void gpu_bind(const char *name)
{
	write_file(DRIVER "/bind", name);
}

int gpu_admin(unsigned long cmd, const char *name, uint32_t timeout_ms)
{
	struct drm_fabric_admin_device args = { .timeout_ms = timeout_ms };
	int fd, r = 0;

	snprintf(args.device, sizeof(args.device), "%s", name);
	fd = open("/dev/drm_fabric_admin", O_RDWR | O_CLOEXEC);
	ck_assert_msg(fd >= 0, "/dev/drm_fabric_admin: %s", strerror(errno));
	if (ioctl(fd, cmd, &args))
		r = -errno;
	close(fd);
	return r;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

size_t gpu_names(char (*names)[DRM_FABRIC_DEVICE_NAME_SIZE], size_t size)
{
	struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	dir = opendir(CLASS);
	ck_assert_msg(dir, CLASS ": %s (modprobe softgpu)", strerror(errno));
	while ((entry = readdir(dir)) && n < size)
		if (entry->d_type == DT_LNK)
			snprintf(names[n++], sizeof(*names), "%.31s", entry->d_name);
	closedir(dir);
	qsort(names, n, sizeof(*names), compare_names);
	return n;
}

size_t gpu_pci_names(char (*names)[DRM_FABRIC_DEVICE_NAME_SIZE], size_t size)
{
	char file[128], id[32];
	struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	dir = opendir("/sys/bus/pci/devices");
	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir)) && n < size) {
		snprintf(file, sizeof(file), "/sys/bus/pci/devices/%.31s/device", entry->d_name);
		if (entry->d_name[0] == '.' || !read_file(file, id, sizeof(id)) || strcmp(id, "0x1110"))
			continue;
		snprintf(names[n++], sizeof(*names), "%.31s", entry->d_name);
	}
	closedir(dir);
	qsort(names, n, sizeof(*names), compare_names);
	return n;
}

void gpu_reload(const char *options)
{
	char names[64][DRM_FABRIC_DEVICE_NAME_SIZE];
	size_t n = is_loaded() ? gpu_names(names, 64) : 0;

	/* Struct pages keep the modules. */
	for (size_t i = 0; i < n; i++) {
		gpu_write_attr(names[i], "regions/vram0/idle_timeout_ms", "0");
		ck_assert(gpu_wait_attr(names[i], "regions/vram0/pagemap_state", "absent", 5000));
	}
	if (is_loaded())
		ck_assert_int_eq(shell("modprobe -r softgpu"), 0);
	/* modprobe -r has taken it along, or there was somebody at it. */
	if (!access("/sys/module/drm_fabric", F_OK))
		ck_assert_int_eq(shell("rmmod drm_fabric"), 0);
	ck_assert_int_eq(shell("modprobe drm_fabric %s", options), 0);
	ck_assert_int_eq(shell("modprobe softgpu"), 0);
}

void gpu_restore(void)
{
	char names[64][DRM_FABRIC_DEVICE_NAME_SIZE];
	char file[128];
	size_t n;

	gpu_load();
	n = gpu_pci_names(names, 64);
	for (size_t i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "/sys/kernel/debug/dri/%s/fail_copy_nth", names[i]);
		(void)try_write_file(file, "0");
		snprintf(file, sizeof(file), "/sys/kernel/debug/dri/%s/corrupt_copy", names[i]);
		(void)try_write_file(file, "0");
		snprintf(file, sizeof(file), "/sys/kernel/debug/dri/%s/bad_page", names[i]);
		(void)try_write_file(file, "0");
		/* Online already: -EALREADY. Not there, or leaving: bound below. */
		(void)gpu_admin(DRM_FABRIC_ADMIN_CANCEL, names[i], 0);
		snprintf(file, sizeof(file), "/sys/bus/pci/devices/%s/driver", names[i]);
		if (access(file, F_OK))
			gpu_bind(names[i]);
	}
}

bool gpu_attr(const char *name, const char *path, char *buf, size_t size)
{
	char file[256];

	snprintf(file, sizeof(file), CLASS "/%s/%s", name, path);
	return read_file(file, buf, size);
}

uint64_t gpu_figure(const struct gpu *gpu, const char *path)
{
	char buf[64];

	ck_assert_msg(gpu_attr(gpu->name, path, buf, sizeof(buf)), "%s/%s is absent", gpu->name, path);
	return strtoull(buf, NULL, 10);
}

void gpu_write_attr(const char *name, const char *path, const char *value)
{
	char file[256];

	snprintf(file, sizeof(file), CLASS "/%s/%s", name, path);
	write_file(file, value);
}

void gpu_fault(const struct gpu *gpu, const char *name, unsigned int value)
{
	char file[128], text[16];

	snprintf(file, sizeof(file), "/sys/kernel/debug/dri/%s/%s", gpu->name, name);
	snprintf(text, sizeof(text), "%u", value);
	write_file(file, text);
}

static int try_open_bare(const char *name, struct gpu **ret)
{
	char node[64], path[80];
	struct gpu *gpu;
	int fd;

	if (!gpu_attr(name, "render_node", node, sizeof(node)))
		return -ENODEV;
	snprintf(path, sizeof(path), "/dev/dri/%s", node);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	gpu = calloc(1, sizeof(*gpu));
	ck_assert_ptr_nonnull(gpu);
	snprintf(gpu->name, sizeof(gpu->name), "%s", name);
	gpu->devmem_fd = -1;
	gpu->render_fd = fd;
	*ret = gpu;
	return 0;
}

int gpu_try_open(const char *name, struct gpu **ret)
{
	struct drm_softgpu_vm_create create = {};
	struct gpu *gpu;
	int r;

	r = try_open_bare(name, &gpu);
	if (r)
		return r;
	if (ioctl(gpu->render_fd, DRM_IOCTL_SOFTGPU_VM_CREATE, &create)) {
		r = -errno;
		gpu_close(gpu);
		return r;
	}
	*ret = gpu;
	return 0;
}

struct gpu *gpu_open_bare(const char *name)
{
	struct gpu *gpu;
	int r = try_open_bare(name, &gpu);

	ck_assert_msg(!r, "render node of %s: %s", name, strerror(-r));
	return gpu;
}

struct gpu *gpu_open_name(const char *name)
{
	struct gpu *gpu;
	int r = gpu_try_open(name, &gpu);

	ck_assert_msg(!r, "address space on %s: %s", name, strerror(-r));
	return gpu;
}

struct gpu *gpu_open(size_t index)
{
	char names[64][DRM_FABRIC_DEVICE_NAME_SIZE];
	size_t n = gpu_names(names, 64);

	ck_assert_msg(index < n, "device %zu asked, there are %zu", index, n);
	return gpu_open_name(names[index]);
}

int gpu_try_open_devmem(struct gpu *gpu)
{
	struct drm_fabric_open_devmem args = { .render_fd = gpu->render_fd, .region = "vram0" };
	int fd, r = 0;

	fd = open("/dev/drm_fabric", O_RDWR | O_CLOEXEC);
	ck_assert_msg(fd >= 0, "/dev/drm_fabric: %s", strerror(errno));
	if (ioctl(fd, DRM_FABRIC_IOCTL_OPEN_DEVMEM, &args))
		r = -errno;
	close(fd);
	if (r)
		return r;
	gpu->devmem_fd = args.fd;
	gpu->devmem_id = args.id;
	return 0;
}

void gpu_open_devmem(struct gpu *gpu)
{
	int r = gpu_try_open_devmem(gpu);

	ck_assert_msg(!r, "OPEN_DEVMEM on %s: %s", gpu->name, strerror(-r));
}

void gpu_close(struct gpu *gpu)
{
	if (gpu->devmem_fd >= 0)
		close(gpu->devmem_fd);
	close(gpu->render_fd);
	free(gpu);
}

void gpu_open_pair(bool linked, struct gpu **ret_a, struct gpu **ret_b)
{
	char names[64][DRM_FABRIC_DEVICE_NAME_SIZE], path[96], state[32];
	size_t n = gpu_names(names, 64);

	for (size_t i = 1; i < n; i++) {
		snprintf(path, sizeof(path), "links/%s/state", names[i]);
		ck_assert(gpu_attr(names[0], path, state, sizeof(state)));
		if (linked != !strcmp(state, "up"))
			continue;
		*ret_a = gpu_open_name(names[0]);
		*ret_b = gpu_open_name(names[i]);
		return;
	}
	ck_abort_msg("no device that is %slinked to %s", linked ? "" : "not ", names[0]);
}

int gpu_try_populate(struct gpu *gpu, void *addr, size_t size, uint32_t flags, struct drm_fabric_devmem_populate *ret)
{
	*ret = (struct drm_fabric_devmem_populate){ .flags = flags, .start = (uintptr_t)addr, .length_bytes = size };
	return ioctl(gpu->devmem_fd, DRM_FABRIC_DEVMEM_POPULATE, ret) ? -errno : 0;
}

void gpu_populate(struct gpu *gpu, void *addr, size_t size)
{
	struct drm_fabric_devmem_populate args;
	int r = gpu_try_populate(gpu, addr, size, 0, &args);

	ck_assert_msg(!r, "POPULATE on %s: %s", gpu->name, strerror(-r));
	ck_assert_msg(
		args.moved_bytes + args.present_bytes == size,
		"POPULATE on %s: %llu moved, %llu there, of %zu; refused busy %llu, no room %llu, not mapped %llu, copy %llu",
		gpu->name, args.moved_bytes, args.present_bytes, size, args.refused_bytes[DRM_FABRIC_REFUSED_BUSY],
		args.refused_bytes[DRM_FABRIC_REFUSED_NO_ROOM], args.refused_bytes[DRM_FABRIC_REFUSED_NOT_MAPPED],
		args.refused_bytes[DRM_FABRIC_REFUSED_COPY]);
}

int gpu_try_exec(struct gpu *gpu, uint32_t op, void *dst, const void *src, size_t size, uint64_t value,
		 struct drm_softgpu_exec *ret)
{
	*ret = (struct drm_softgpu_exec){
		.op = op, .dst = (uintptr_t)dst, .src = (uintptr_t)src, .length_bytes = size, .value = value
	};
	return ioctl(gpu->render_fd, DRM_IOCTL_SOFTGPU_EXEC, ret) ? -errno : 0;
}

struct drm_softgpu_exec gpu_exec(struct gpu *gpu, uint32_t op, void *dst, const void *src, size_t size, uint64_t value)
{
	struct drm_softgpu_exec args;
	int r = gpu_try_exec(gpu, op, dst, src, size, value, &args);

	ck_assert_msg(!r, "EXEC %u on %s: %s", op, gpu->name, strerror(-r));
	return args;
}

struct drm_fabric_devmem_info gpu_info(int fd)
{
	struct drm_fabric_devmem_info args = {};

	ck_assert_msg(!ioctl(fd, DRM_FABRIC_DEVMEM_INFO, &args), "INFO: %s", strerror(errno));
	return args;
}

struct drm_fabric_devmem_residency gpu_residency(struct gpu *gpu, const void *addr, size_t size)
{
	struct drm_fabric_devmem_residency args = { .start = (uintptr_t)addr, .length_bytes = size };

	ck_assert_msg(!ioctl(gpu->devmem_fd, DRM_FABRIC_DEVMEM_RESIDENCY, &args), "RESIDENCY: %s", strerror(errno));
	return args;
}

uint64_t checksum(const void *addr, size_t size)
{
	const uint64_t *words = addr;
	uint64_t sum = 0;

	for (size_t i = 0; i < size / sizeof(*words); i++)
		sum += words[i] * (2 * i + 1);
	return sum;
}

void *map_memory(size_t size, bool huge)
{
	size_t whole = size + 2 * MIB;
	uintptr_t start, aligned;
	void *addr;

	addr = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert(addr != MAP_FAILED);
	start = (uintptr_t)addr;
	aligned = (start + 2 * MIB - 1) & ~(2 * MIB - 1);
	if (aligned > start)
		munmap(addr, aligned - start);
	if (start + whole > aligned + size)
		munmap((void *)(aligned + size), start + whole - aligned - size);
	ck_assert(!madvise((void *)aligned, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
	return (void *)aligned;
}

static uint64_t pattern_word(uint64_t seed, size_t i)
{
	uint64_t x = seed + i * 0x9e3779b97f4a7c15u;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	return x ^ (x >> 27);
}

void pattern_fill(void *addr, size_t size, uint64_t seed)
{
	uint64_t *words = addr;

	for (size_t i = 0; i < size / sizeof(*words); i++)
		words[i] = pattern_word(seed, i);
}

size_t pattern_differs(const void *addr, size_t size, uint64_t seed)
{
	const uint64_t *words = addr;
	size_t n = 0;

	for (size_t i = 0; i < size / sizeof(*words); i++) {
		uint64_t diff = words[i] ^ pattern_word(seed, i);

		for (; diff; diff >>= 8)
			n += (diff & 0xff) != 0;
	}
	return n;
}

size_t words_differ(const void *addr, size_t size, uint64_t value)
{
	const uint64_t *words = addr;
	size_t n = 0;

	for (size_t i = 0; i < size / sizeof(*words); i++)
		n += words[i] != value;
	return n;
}

static int write_bus(const char *attr, const char *format, va_list args, char *text, size_t size)
{
	char file[128];

	vsnprintf(text, size, format, args);
	snprintf(file, sizeof(file), "/sys/bus/softgpu/%s", attr);
	return try_write_file(file, text);
}

int gpu_try_bus(const char *attr, const char *format, ...)
{
	char text[256];
	va_list args;
	int r;

	va_start(args, format);
	r = write_bus(attr, format, args, text, sizeof(text));
	va_end(args);
	return r;
}

void gpu_bus(const char *attr, const char *format, ...)
{
	char text[256];
	va_list args;
	int r;

	va_start(args, format);
	r = write_bus(attr, format, args, text, sizeof(text));
	va_end(args);
	ck_assert_msg(!r, "%s <- %s: %s", attr, text, strerror(-r));
}

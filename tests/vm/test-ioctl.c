// SPDX-License-Identifier: MIT
/* Calls that are wrong, thousands of them: none succeeds, none changes anything. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gpu.h"

#define SIZE (4 * MIB)
#define PAGE ((size_t)4096)
#define STRANGER 65534

static void load(void)
{
	gpu_restore();
}

static int open_file(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	return fd;
}

enum target { TARGET_FABRIC, TARGET_DEVMEM, TARGET_ADMIN, TARGET_RENDER, TARGET_NULL, N_TARGETS };

struct call {
	const char *name;
	unsigned long cmd;
	enum target target;
	size_t size;
	bool (*malformed)(const void *args);
};

union arguments {
	struct drm_fabric_query query;
	struct drm_fabric_open_devmem open;
	struct drm_fabric_prefer prefer;
	struct drm_fabric_preference preference;
	struct drm_fabric_residency range_residency;
	struct drm_fabric_devmem_info info;
	struct drm_fabric_devmem_populate populate;
	struct drm_fabric_devmem_to_system to_system;
	struct drm_fabric_devmem_residency residency;
	struct drm_fabric_devmem_reach reach;
	struct drm_fabric_devmem_reserve reserve;
	struct drm_fabric_devmem_grant grant;
	struct drm_fabric_holders holders;
	struct drm_fabric_revoke revoke;
	struct drm_fabric_admin_device admin;
	struct drm_fabric_admin_open_devmem admin_open;
	struct drm_softgpu_info sg_info;
	struct drm_softgpu_vm_create vm_create;
	struct drm_softgpu_exec exec;
	uint64_t words[77];
};

/* Addresses between here and the end of a larger address space are nobody's on this machine: left out. */
#define SURELY_USER (1ull << 46)
#define SURELY_KERNEL (1ull << 56)

static bool bad_range(uint64_t start, uint64_t length)
{
	return start % PAGE || length % PAGE || !length || start >= SURELY_KERNEL || length >= SURELY_KERNEL;
}

/* An empty name is well formed, and nobody's. */
static bool bad_name(const char *name, size_t size)
{
	size_t len = strnlen(name, size);

	for (size_t i = len; i < size; i++)
		if (name[i])
			return true;
	return len == size;
}

static bool query_malformed(const void *args)
{
	return ((const struct drm_fabric_query *)args)->flags;
}

static bool open_malformed(const void *args)
{
	const struct drm_fabric_open_devmem *a = args;

	return a->flags || a->pad || bad_name(a->region, sizeof(a->region));
}

static bool location_malformed(const struct drm_fabric_location *l, bool used)
{
	if (!used)
		return l->type || l->fd;
	if (l->type == DRM_FABRIC_LOCATION_DEVMEM)
		return l->fd < 0;
	return (l->type != DRM_FABRIC_LOCATION_SYSTEM && l->type != DRM_FABRIC_LOCATION_LOCAL) || l->fd != -1;
}

static bool prefer_malformed(const void *args)
{
	const struct drm_fabric_prefer *a = args;
	bool bad = a->flags || a->n_locations > DRM_FABRIC_MAX_LOCATIONS || bad_range(a->start, a->length_bytes);

	for (uint32_t i = 0; i < DRM_FABRIC_MAX_LOCATIONS; i++)
		bad |= location_malformed(&a->locations[i], i < a->n_locations);
	return bad;
}

static bool preference_malformed(const void *args)
{
	const struct drm_fabric_preference *a = args;

	return a->flags || a->pad;
}

static bool range_residency_malformed(const void *args)
{
	const struct drm_fabric_residency *a = args;

	return a->flags || bad_range(a->start, a->length_bytes) || a->length_bytes > 1ull << 40 ||
	       !a->n_residences != !a->residences;
}

static bool info_malformed(const void *args)
{
	return ((const struct drm_fabric_devmem_info *)args)->flags;
}

static bool populate_malformed(const void *args)
{
	const struct drm_fabric_devmem_populate *a = args;

	return a->flags & ~DRM_FABRIC_POPULATE_STRICT || a->pad || bad_range(a->start, a->length_bytes);
}

static bool to_system_malformed(const void *args)
{
	const struct drm_fabric_devmem_to_system *a = args;

	return a->flags || a->pad || bad_range(a->start, a->length_bytes) || a->length_bytes > 1ull << 40;
}

static bool residency_malformed(const void *args)
{
	const struct drm_fabric_devmem_residency *a = args;

	return a->flags || a->pad || bad_range(a->start, a->length_bytes) || a->length_bytes > 1ull << 40;
}

static bool reach_malformed(const void *args)
{
	return ((const struct drm_fabric_devmem_reach *)args)->flags;
}

static bool reserve_malformed(const void *args)
{
	const struct drm_fabric_devmem_reserve *a = args;

	return a->flags || a->pad || a->bytes % PAGE;
}

static bool grant_malformed(const void *args)
{
	return ((const struct drm_fabric_devmem_grant *)args)->flags;
}

static bool revoke_malformed(const void *args)
{
	const struct drm_fabric_revoke *a = args;

	return a->flags || !a->grant_id;
}

static bool holders_malformed(const void *args)
{
	const struct drm_fabric_holders *a = args;

	return a->flags || bad_name(a->device, sizeof(a->device)) || bad_name(a->region, sizeof(a->region)) ||
	       (a->n_holders && !a->holders);
}

static bool drain_malformed(const void *args)
{
	const struct drm_fabric_admin_device *a = args;

	return a->flags & ~DRM_FABRIC_DRAIN_EVICT || bad_name(a->device, sizeof(a->device));
}

static bool evict_malformed(const void *args)
{
	const struct drm_fabric_admin_device *a = args;

	return a->flags || bad_name(a->device, sizeof(a->device));
}

/* Nothing to wait for. */
static bool cancel_malformed(const void *args)
{
	return evict_malformed(args) || ((const struct drm_fabric_admin_device *)args)->timeout_ms;
}

static bool admin_open_malformed(const void *args)
{
	const struct drm_fabric_admin_open_devmem *a = args;

	return a->flags || a->uid == (uid_t)-1 || bad_name(a->region, sizeof(a->region));
}

static bool sg_info_malformed(const void *args)
{
	return ((const struct drm_softgpu_info *)args)->flags;
}

static bool vm_create_malformed(const void *args)
{
	const struct drm_softgpu_vm_create *a = args;

	return a->flags || a->pad;
}

static bool exec_malformed(const void *args)
{
	const struct drm_softgpu_exec *a = args;
	bool has_dst = a->op != DRM_SOFTGPU_OP_CHECKSUM, has_src = a->op != DRM_SOFTGPU_OP_FILL;

	return !a->op || a->op > DRM_SOFTGPU_OP_CHECKSUM || a->flags || a->dst % 8 || a->src % 8 ||
	       a->length_bytes % 8 || !a->length_bytes || (!has_dst && a->dst) || (!has_src && a->src) ||
	       (a->value && a->op != DRM_SOFTGPU_OP_FILL) || a->dst >= SURELY_KERNEL || a->src >= SURELY_KERNEL ||
	       a->length_bytes >= SURELY_KERNEL;
}

#define CALL(_cmd, _target, _type, _malformed)                  \
	{                                                       \
#_cmd, _cmd, _target, sizeof(_type), _malformed \
	}

static const struct call calls[] = {
	CALL(DRM_FABRIC_IOCTL_QUERY, TARGET_FABRIC, struct drm_fabric_query, query_malformed),
	CALL(DRM_FABRIC_IOCTL_OPEN_DEVMEM, TARGET_FABRIC, struct drm_fabric_open_devmem, open_malformed),
	CALL(DRM_FABRIC_IOCTL_PREFER, TARGET_FABRIC, struct drm_fabric_prefer, prefer_malformed),
	CALL(DRM_FABRIC_IOCTL_PREFERENCE, TARGET_FABRIC, struct drm_fabric_preference, preference_malformed),
	CALL(DRM_FABRIC_IOCTL_RESIDENCY, TARGET_FABRIC, struct drm_fabric_residency, range_residency_malformed),
	CALL(DRM_FABRIC_DEVMEM_INFO, TARGET_DEVMEM, struct drm_fabric_devmem_info, info_malformed),
	CALL(DRM_FABRIC_DEVMEM_POPULATE, TARGET_DEVMEM, struct drm_fabric_devmem_populate, populate_malformed),
	CALL(DRM_FABRIC_DEVMEM_TO_SYSTEM, TARGET_DEVMEM, struct drm_fabric_devmem_to_system, to_system_malformed),
	CALL(DRM_FABRIC_DEVMEM_RESIDENCY, TARGET_DEVMEM, struct drm_fabric_devmem_residency, residency_malformed),
	CALL(DRM_FABRIC_DEVMEM_REACH, TARGET_DEVMEM, struct drm_fabric_devmem_reach, reach_malformed),
	CALL(DRM_FABRIC_DEVMEM_RESERVE, TARGET_DEVMEM, struct drm_fabric_devmem_reserve, reserve_malformed),
	CALL(DRM_FABRIC_DEVMEM_GRANT, TARGET_DEVMEM, struct drm_fabric_devmem_grant, grant_malformed),
	CALL(DRM_FABRIC_IOCTL_HOLDERS, TARGET_FABRIC, struct drm_fabric_holders, holders_malformed),
	CALL(DRM_FABRIC_IOCTL_REVOKE, TARGET_FABRIC, struct drm_fabric_revoke, revoke_malformed),
	CALL(DRM_FABRIC_ADMIN_REVOKE, TARGET_ADMIN, struct drm_fabric_revoke, revoke_malformed),
	CALL(DRM_FABRIC_ADMIN_DRAIN, TARGET_ADMIN, struct drm_fabric_admin_device, drain_malformed),
	CALL(DRM_FABRIC_ADMIN_CANCEL, TARGET_ADMIN, struct drm_fabric_admin_device, cancel_malformed),
	CALL(DRM_FABRIC_ADMIN_EVICT, TARGET_ADMIN, struct drm_fabric_admin_device, evict_malformed),
	CALL(DRM_FABRIC_ADMIN_ABANDON, TARGET_ADMIN, struct drm_fabric_admin_device, cancel_malformed),
	CALL(DRM_FABRIC_ADMIN_UNBIND, TARGET_ADMIN, struct drm_fabric_admin_device, evict_malformed),
	CALL(DRM_FABRIC_ADMIN_OPEN_DEVMEM, TARGET_ADMIN, struct drm_fabric_admin_open_devmem, admin_open_malformed),
	CALL(DRM_IOCTL_SOFTGPU_INFO, TARGET_RENDER, struct drm_softgpu_info, sg_info_malformed),
	CALL(DRM_IOCTL_SOFTGPU_VM_CREATE, TARGET_RENDER, struct drm_softgpu_vm_create, vm_create_malformed),
	CALL(DRM_IOCTL_SOFTGPU_EXEC, TARGET_RENDER, struct drm_softgpu_exec, exec_malformed),
};

#define N_CALLS (sizeof(calls) / sizeof(*calls))

/* A program with memory on the device, which must stay as it is. */
struct victim {
	struct gpu *gpu;
	char *memory;
	int fds[N_TARGETS];
};

static void victim_init(struct victim *v)
{
	v->gpu = gpu_open(0);
	gpu_open_devmem(v->gpu);
	v->memory = map_memory(SIZE, false);
	pattern_fill(v->memory, SIZE, test_seed());
	gpu_populate(v->gpu, v->memory, SIZE);
	v->fds[TARGET_FABRIC] = open_file("/dev/drm_fabric", O_RDWR);
	v->fds[TARGET_DEVMEM] = v->gpu->devmem_fd;
	v->fds[TARGET_ADMIN] = open_file("/dev/drm_fabric_admin", O_RDWR);
	v->fds[TARGET_RENDER] = v->gpu->render_fd;
	v->fds[TARGET_NULL] = open_file("/dev/null", O_RDWR);
}

/* What no failing call may change, as text: of all devices but one. */
static void all_state_but(char *text, size_t size, const char *name)
{
	static const char *const files[] = { "state",
					     "handles",
					     "regions/vram0/resident_bytes",
					     "regions/vram0/dead_bytes",
					     "regions/vram0/reserved_bytes",
					     "regions/vram0/inherited_bytes",
					     "regions/vram0/pagemap_state",
					     "regions/vram0/pagemap_refs_handles",
					     "regions/vram0/free_bytes",
					     "regions/vram0/moved_in_bytes",
					     "regions/vram0/moved_out_bytes" };
	char names[64][DRM_FABRIC_DEVICE_NAME_SIZE], buf[64];
	size_t n = gpu_names(names, 64), len = 0;

	for (size_t i = 0; i < n; i++) {
		for (size_t f = 0; f < sizeof(files) / sizeof(*files) && strcmp(names[i], name); f++) {
			ck_assert(gpu_attr(names[i], files[f], buf, sizeof(buf)));
			/* What nobody uses goes when its time is over. */
			if (!strcmp(buf, "idle"))
				strcpy(buf, "absent");
			len += snprintf(text + len, size - len, "%s %s %s\n", names[i], files[f], buf);
			ck_assert_uint_lt(len, size);
		}
	}
}

static void all_state(char *text, size_t size)
{
	char buf[64];
	size_t len;

	ck_assert(read_file("/sys/class/drm_fabric/generation", buf, sizeof(buf)));
	len = snprintf(text, size, "generation %s\n", buf);
	all_state_but(text + len, size - len, "");
}

/* Mostly numbers that mean something somewhere. */
static uint64_t random_word(struct victim *v, uint64_t *random)
{
	uint64_t x = test_random(random);
	const uint64_t choices[] = {
		0,
		1,
		x % 64,
		1ull << (x % 64),
		(uintptr_t)v->memory,
		(uintptr_t)v->memory + x % SIZE,
		(uintptr_t)v->memory + x % 1024 * PAGE,
		x % 1024 * PAGE,
		x % SURELY_USER / PAGE * PAGE,
		-PAGE,
		-(x % 1024) * PAGE,
		0xffff888000000000ull + x % 1024 * PAGE,
		0xffffffff81000000ull,
		~0ull,
		x,
		(uint64_t)v->gpu->render_fd << 32,
	};

	return choices[test_random(random) % (sizeof(choices) / sizeof(*choices))];
}

static void random_arguments(struct victim *v, const struct call *call, union arguments *args, uint64_t *random)
{
	do {
		for (size_t i = 0; i < sizeof(args->words) / 8; i++)
			args->words[i] = test_random(random) % 3 ? random_word(v, random) : 0;
		/* Often all is right but one thing. */
		if (call->cmd == DRM_FABRIC_IOCTL_OPEN_DEVMEM && test_random(random) % 2) {
			args->open.render_fd = v->gpu->render_fd;
			memcpy(args->open.region, "vram0", 6);
		}
		if (call->cmd == DRM_FABRIC_IOCTL_PREFER && test_random(random) % 2) {
			args->prefer = (struct drm_fabric_prefer){
				.n_locations = 2,
				.start = (uintptr_t)v->memory,
				.length_bytes = SIZE,
				.locations = { { DRM_FABRIC_LOCATION_DEVMEM, v->gpu->devmem_fd },
					       { DRM_FABRIC_LOCATION_SYSTEM, -1 } },
			};
			args->words[test_random(random) % (sizeof(args->prefer) / 8)] = random_word(v, random);
		}
		if (call->cmd == DRM_FABRIC_ADMIN_OPEN_DEVMEM) {
			if (test_random(random) % 2) {
				args->admin_open.render_fd = v->gpu->render_fd;
				memcpy(args->admin_open.region, "vram0", 6);
			}
		} else if (call->target == TARGET_ADMIN && test_random(random) % 2) {
			memset(args, 0, sizeof(*args));
			snprintf(args->admin.device, sizeof(args->admin.device), "%s", v->gpu->name);
			args->admin.device[test_random(random) % 32] = (char)test_random(random);
			args->admin.flags = test_random(random) % 4 ? 0 : 1u << test_random(random) % 32;
			args->admin.timeout_ms = test_random(random) % 4 ? 0 : (uint32_t)test_random(random);
		}
		if (call->cmd == DRM_FABRIC_DEVMEM_GRANT && test_random(random) % 2)
			args->grant.fabric_fd = v->fds[TARGET_FABRIC];
		if (call->cmd == DRM_FABRIC_IOCTL_HOLDERS && test_random(random) % 2) {
			snprintf(args->holders.device, sizeof(args->holders.device), "%s", v->gpu->name);
			memcpy(args->holders.region, "vram0", 6);
		}
		if (call->cmd == DRM_FABRIC_DEVMEM_REACH && test_random(random) % 2)
			args->reach.owner_fd = v->gpu->devmem_fd;
	} while (!call->malformed(args));
}

/* @leaving: the device is, or has left. */
static void call_malformed(struct victim *v, size_t n, uint64_t seed, bool leaving)
{
	union arguments args;
	uint64_t random = seed;

	for (size_t c = 0; c < N_CALLS; c++) {
		for (size_t i = 0; i < n; i++) {
			enum target target = test_random(&random) % 4 ? calls[c].target :
									test_random(&random) % N_TARGETS;
			int r;

			random_arguments(v, &calls[c], &args, &random);
			r = ioctl(v->fds[target], calls[c].cmd, &args) ? -errno : 0;
			ck_assert_msg(r < 0, "malformed %s succeeds on file %d", calls[c].name, target);
			if (leaving && r == -ENODEV && target == TARGET_RENDER)
				continue;
			if (target != calls[c].target)
				ck_assert_msg(r == -ENOTTY || target == TARGET_NULL, "%s on file %d: %s", calls[c].name,
					      target, strerror(-r));
			else
				ck_assert_msg(r == -EINVAL, "malformed %s: %s", calls[c].name, strerror(-r));
		}
	}
}

/* proves: thousands of malformed calls, by root and by nobody, on right and wrong files: none succeeds, all stays */
START_TEST(malformed_calls)
{
	static char before[32768], after[32768];
	size_t n = test_loops(500, 10000);
	struct victim v;
	pid_t pid;

	victim_init(&v);
	all_state(before, sizeof(before));
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		if (_i) {
			ck_assert(!setgid(STRANGER));
			ck_assert(!setuid(STRANGER));
		}
		call_malformed(&v, n, test_seed() + _i, false);
		_exit(0);
	}
	wait_child(pid);
	all_state(after, sizeof(after));
	ck_assert_str_eq(before, after);
	ck_assert_uint_eq(gpu_residency(v.gpu, v.memory, SIZE).region_bytes, SIZE);
	ck_assert_uint_eq(pattern_differs(v.memory, SIZE, test_seed()), 0);
	ck_assert(ioctl(v.fds[TARGET_FABRIC], DRM_FABRIC_IOCTL_PREFERENCE,
			&(struct drm_fabric_preference){ .accessor_fd = -1 }) &&
		  errno == ENOENT);
	note("%zu calls as uid %d", n * N_CALLS, _i ? STRANGER : 0);
}
END_TEST

/* proves: the same while the device is taken away and comes back: it does, and the others do not notice */
START_TEST(malformed_calls_while_it_leaves)
{
	static char before[32768], after[32768];
	size_t n = test_loops(3, 60);
	char names[64][DRM_FABRIC_DEVICE_NAME_SIZE], *moving;
	struct drm_fabric_devmem_info info = {};
	struct victim v, other;
	pid_t pid;

	victim_init(&v);
	ck_assert_uint_gt(gpu_names(names, 64), 1);
	moving = v.gpu->name;
	/* The one that stays. */
	victim_init(&other);
	gpu_close(other.gpu);
	other.gpu = gpu_open_name(names[1]);
	gpu_open_devmem(other.gpu);
	gpu_populate(other.gpu, other.memory, SIZE);
	all_state_but(before, sizeof(before), moving);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		if (_i) {
			ck_assert(!setgid(STRANGER));
			ck_assert(!setuid(STRANGER));
		}
		for (uint64_t seed = test_seed();; seed++)
			call_malformed(&v, 50, seed, true);
	}
	for (size_t i = 0; i < n; i++) {
		sleep_ms(20);
		gpu_unbind(moving);
		sleep_ms(20);
		ck_assert(!ioctl(v.gpu->devmem_fd, DRM_FABRIC_DEVMEM_INFO, &info));
		ck_assert_uint_eq(info.state, DRM_FABRIC_STATE_REVOKED);
		gpu_bind(moving);
		ck_assert(gpu_wait_attr(moving, "state", "online", 0));
		ck_assert(gpu_wait_attr(moving, "handles", "0", 0));
		ck_assert(gpu_wait_attr(moving, "regions/vram0/resident_bytes", "0", 0));
	}
	/* It is at it still: nothing was out of order. */
	ck_assert_int_eq(waitpid(pid, NULL, WNOHANG), 0);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	all_state_but(after, sizeof(after), moving);
	ck_assert_str_eq(before, after);
	ck_assert_uint_eq(gpu_residency(other.gpu, other.memory, SIZE).region_bytes, SIZE);
	ck_assert_uint_eq(pattern_differs(other.memory, SIZE, test_seed()), 0);
	ck_assert_uint_eq(pattern_differs(v.memory, SIZE, test_seed()), 0);
}
END_TEST

/* proves: each of the wrong ranges that one thinks of is told apart from a right one */
START_TEST(malformed_ranges)
{
	static const unsigned long cmds[] = { DRM_FABRIC_DEVMEM_POPULATE, DRM_FABRIC_DEVMEM_TO_SYSTEM,
					      DRM_FABRIC_DEVMEM_RESIDENCY };
	static char before[32768], after[32768];
	struct victim v;

	victim_init(&v);
	all_state(before, sizeof(before));
	for (size_t c = 0; c < 3; c++) {
		uintptr_t at = (uintptr_t)v.memory;
		const struct {
			uint64_t start, length;
		} ranges[] = {
			{ at + 1, PAGE },
			{ at + 2048, PAGE },
			{ at, 0 },
			{ at, 1 },
			{ at, PAGE - 1 },
			{ at, PAGE + 8 },
			{ at, -PAGE },
			{ at, -at },
			{ at, PAGE - at },
			{ -PAGE, PAGE },
			{ -PAGE, 2 * PAGE },
			{ 0xffff888000000000, PAGE },
			{ 0xffffffff81000000, 2 * MIB },
			{ 1ull << 63, PAGE },
			{ 0, ~0ull },
			{ 0, -PAGE },
			{ 0, 1ull << 63 },
		};

		for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
			/* All three begin alike. */
			union arguments args = { .to_system = { .start = ranges[i].start,
								.length_bytes = ranges[i].length } };

			ck_assert_msg(ioctl(v.gpu->devmem_fd, cmds[c], &args) && errno == EINVAL,
				      "call %zu, range %zu: %s", c, i, strerror(errno));
		}
	}
	for (size_t i = 0; i < 2; i++) {
		/* Both begin alike here. */
		union arguments args = { .prefer = { .start = (uintptr_t)v.memory + i, .length_bytes = PAGE - i } };

		args.prefer.start += !i;
		ck_assert(ioctl(v.fds[TARGET_FABRIC], DRM_FABRIC_IOCTL_PREFER, &args) && errno == EINVAL);
		ck_assert(ioctl(v.fds[TARGET_FABRIC], DRM_FABRIC_IOCTL_RESIDENCY, &args) && errno == EINVAL);
	}
	all_state(after, sizeof(after));
	ck_assert_str_eq(before, after);
}
END_TEST

/* proves: arguments that cannot be read or written are EFAULT, half ones too, and leave nothing behind */
START_TEST(bad_pointers)
{
	static char before[32768], after[32768];
	struct drm_fabric_devmem_grant grant;
	char *pages, *read_only;
	struct victim v;

	victim_init(&v);
	pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert(pages != MAP_FAILED);
	ck_assert(!munmap(pages + PAGE, PAGE));
	read_only = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert(read_only != MAP_FAILED);
	all_state(before, sizeof(before));
	for (size_t c = 0; c < N_CALLS; c++) {
		void *const bad[] = {
			NULL,
			(void *)8,
			pages + PAGE,
			pages + PAGE - 4,
			pages + PAGE - calls[c].size + 1,
			(void *)0xffff888000000000,
			(void *)0xffffffff81000000,
			(void *)-8,
		};

		for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
			ck_assert_msg(ioctl(v.fds[calls[c].target], calls[c].cmd, bad[i]) && errno == EFAULT,
				      "%s with bad pointer %zu: %s", calls[c].name, i, strerror(errno));
	}
	/* A handle that cannot be told of is none. */
	*(struct drm_fabric_open_devmem *)read_only =
		(struct drm_fabric_open_devmem){ .render_fd = v.gpu->render_fd, .region = "vram0" };
	ck_assert(!mprotect(read_only, PAGE, PROT_READ));
	ck_assert(ioctl(v.fds[TARGET_FABRIC], DRM_FABRIC_IOCTL_OPEN_DEVMEM, read_only) && errno == EFAULT);
	/* Nor is a promise or a grant made that cannot be told of. */
	ck_assert(!mprotect(read_only, PAGE, PROT_READ | PROT_WRITE));
	*(struct drm_fabric_devmem_reserve *)read_only = (struct drm_fabric_devmem_reserve){ .bytes = SIZE };
	ck_assert(!mprotect(read_only, PAGE, PROT_READ));
	ck_assert(ioctl(v.fds[TARGET_DEVMEM], DRM_FABRIC_DEVMEM_RESERVE, read_only) && errno == EFAULT);
	ck_assert(!mprotect(read_only, PAGE, PROT_READ | PROT_WRITE));
	*(struct drm_fabric_devmem_grant *)read_only =
		(struct drm_fabric_devmem_grant){ .fabric_fd = v.fds[TARGET_FABRIC] };
	grant = *(struct drm_fabric_devmem_grant *)read_only;
	ck_assert(!mprotect(read_only, PAGE, PROT_READ));
	ck_assert(ioctl(v.fds[TARGET_DEVMEM], DRM_FABRIC_DEVMEM_GRANT, read_only) && errno == EFAULT);
	all_state(after, sizeof(after));
	ck_assert_str_eq(before, after);
	ck_assert(!ioctl(v.fds[TARGET_DEVMEM], DRM_FABRIC_DEVMEM_GRANT, &grant));
	ck_assert_uint_eq(pattern_differs(v.memory, SIZE, test_seed()), 0);
}
END_TEST

/* proves: a number whose size is not ours is no call of ours, with one byte more or less */
START_TEST(sizes_of_calls)
{
	union arguments args = {};
	struct victim v;

	victim_init(&v);
	for (size_t c = 0; c < N_CALLS; c++) {
		/* DRM takes any size: it fills up or cuts. */
		if (calls[c].target == TARGET_RENDER)
			continue;
		for (int more = -8; more <= 8; more += 8) {
			unsigned long cmd = _IOC(_IOC_READ | _IOC_WRITE, _IOC_TYPE(calls[c].cmd), _IOC_NR(calls[c].cmd),
						 calls[c].size + more);

			if (more)
				ck_assert(ioctl(v.fds[calls[c].target], cmd, &args) && errno == ENOTTY);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ioctl");
	TCase *tcase = tcase_create("ioctl");

	test_seed();
	gpu_load();
	/* A wrong range that is taken for a right one is a walk of hours. */
	tcase_set_timeout(tcase, test_is_soak() ? 300 : 20);
	tcase_add_checked_fixture(tcase, load, NULL);
	tcase_add_test(tcase, malformed_ranges);
	tcase_add_test(tcase, bad_pointers);
	tcase_add_test(tcase, sizes_of_calls);
	tcase_add_loop_test(tcase, malformed_calls, 0, 2);
	tcase_add_loop_test(tcase, malformed_calls_while_it_leaves, 0, 2);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}

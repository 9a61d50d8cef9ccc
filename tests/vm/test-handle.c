// SPDX-License-Identifier: MIT
/* Handles: who gets one, what it does in whose hands, and what it tells. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gpu.h"

#define SIZE (4 * MIB)
#define STRANGER 65534
#define PATIENCE_MS 20000
/* More events than a handle keeps. */
#define MANY_DRAINS 20

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

static struct drm_fabric_devmem_info info(int fd)
{
	struct drm_fabric_devmem_info args = {};

	ck_assert_msg(!ioctl(fd, DRM_FABRIC_DEVMEM_INFO, &args), "INFO: %s", strerror(errno));
	return args;
}

/* ---- who gets one ---- */

static int try_open(struct drm_fabric_open_devmem *args)
{
	int fd = open_file("/dev/drm_fabric", O_RDWR), r;

	r = ioctl(fd, DRM_FABRIC_IOCTL_OPEN_DEVMEM, args) ? -errno : 0;
	close(fd);
	return r;
}

static int try_open_fd(int fd)
{
	struct drm_fabric_open_devmem args = { .render_fd = fd, .region = "vram0" };
	int r = try_open(&args);

	if (!r)
		close(args.fd);
	return r;
}

/* The first node of /dev/dri/@prefix* of that driver, or not of it. -1: none. */
static int open_node(const char *prefix, const char *driver, bool of_driver)
{
	char link[128], target[256];
	struct dirent *entry;
	int fd = -1;
	ssize_t n;
	DIR *dir;

	dir = opendir("/dev/dri");
	ck_assert_ptr_nonnull(dir);
	while (fd < 0 && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)))
			continue;
		snprintf(link, sizeof(link), "/sys/class/drm/%.31s/device/driver", entry->d_name);
		n = readlink(link, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		if (!strcmp(strrchr(target, '/') ?: "/", driver) != of_driver)
			continue;
		snprintf(link, sizeof(link), "/dev/dri/%.31s", entry->d_name);
		fd = open_file(link, O_RDWR);
	}
	closedir(dir);
	return fd;
}

/* proves: only an open render node of a device in the fabric gives a handle */
START_TEST(only_a_render_node)
{
	struct gpu *gpu = gpu_open(0);
	int fd;

	gpu_open_devmem(gpu);
	ck_assert_int_eq(try_open_fd(gpu->render_fd), 0);
	ck_assert_int_eq(try_open_fd(-1), -EBADF);
	ck_assert_int_eq(try_open_fd(12345), -EBADF);
	ck_assert_int_eq(try_open_fd(gpu->devmem_fd), -EINVAL);
	fd = open_file("/dev/null", O_RDWR);
	ck_assert_int_eq(try_open_fd(fd), -EINVAL);
	close(fd);
	fd = open_file("/tmp", O_TMPFILE | O_RDWR);
	ck_assert_int_eq(try_open_fd(fd), -EINVAL);
	close(fd);
	fd = open_file("/dev/drm_fabric", O_RDWR);
	ck_assert_int_eq(try_open_fd(fd), -EINVAL);
	close(fd);
	fd = open_node("card", "/softgpu", true);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(try_open_fd(fd), -EINVAL);
	close(fd);
	/* Only a path: not open on anything. */
	fd = open_file("/dev/dri", O_PATH);
	ck_assert_int_eq(try_open_fd(fd), -EBADF);
	close(fd);
	gpu_close(gpu);
}
END_TEST

/* proves: a render node of a driver that knows nothing of the fabric gives no handle */
START_TEST(render_node_of_a_stranger)
{
	int fd;

	if (shell("modprobe vgem")) {
		note("no vgem: not tested");
		return;
	}
	fd = open_node("renderD", "/softgpu", false);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(try_open_fd(fd), -EINVAL);
	close(fd);
	ck_assert_int_eq(shell("modprobe -r vgem"), 0);
}
END_TEST

/* proves: what the structure does not allow is refused, and makes nothing */
START_TEST(malformed_opens)
{
	struct gpu *gpu = gpu_open(0);
	const struct drm_fabric_open_devmem good = { .render_fd = gpu->render_fd, .region = "vram0" };
	struct drm_fabric_open_devmem args = good;

	memcpy(args.region, "vram1", 6);
	ck_assert_int_eq(try_open(&args), -ENOENT);
	args = good;
	memset(args.region, 'v', sizeof(args.region));
	ck_assert_int_eq(try_open(&args), -EINVAL);
	args = good;
	args.region[sizeof(args.region) - 1] = 'x';
	ck_assert_int_eq(try_open(&args), -EINVAL);
	args = good;
	args.region[6] = 'x';
	ck_assert_int_eq(try_open(&args), -EINVAL);
	args = good;
	memset(args.region, 0, sizeof(args.region));
	ck_assert_int_lt(try_open(&args), 0);
	for (unsigned int bit = 0; bit < 32; bit++) {
		args = good;
		args.flags = 1u << bit;
		ck_assert_int_eq(try_open(&args), -EINVAL);
		args = good;
		args.pad = 1u << bit;
		ck_assert_int_eq(try_open(&args), -EINVAL);
	}
	ck_assert_uint_eq(gpu_figure(gpu, "handles"), 0);
	args = good;
	ck_assert_int_eq(try_open(&args), 0);
	ck_assert_uint_eq(gpu_figure(gpu, "handles"), 1);
	ck_assert_int_eq(fcntl(args.fd, F_GETFD), FD_CLOEXEC);
	close(args.fd);
	gpu_close(gpu);
}
END_TEST

/* ---- what it tells ---- */

static void fdinfo(int fd, const char *key, char *ret, size_t size)
{
	char path[64], text[2048], *line;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	ck_assert(read_file(path, text, sizeof(text)));
	line = strstr(text, key);
	ck_assert_msg(line, "no %s in %s", key, text);
	snprintf(ret, size, "%s", line + strlen(key));
	ret[strcspn(ret, "\n")] = '\0';
}

/* proves: INFO, fdinfo and sysfs agree; a number is never used twice */
START_TEST(told_of_a_handle)
{
	struct drm_fabric_query query = {};
	struct gpu *gpu = gpu_open(0), *second;
	char *a = map_memory(SIZE, false), names[64][DRM_FABRIC_DEVICE_NAME_SIZE], text[64];
	struct drm_fabric_devmem_info i;
	int fd;

	gpu_open_devmem(gpu);
	i = info(gpu->devmem_fd);
	ck_assert_uint_eq(i.state, DRM_FABRIC_STATE_ONLINE);
	ck_assert_str_eq(i.device, gpu->name);
	ck_assert_str_eq(i.region, "vram0");
	ck_assert_uint_eq(i.incarnation, gpu_figure(gpu, "incarnation"));
	ck_assert_uint_eq(i.id, gpu->devmem_id);
	ck_assert_uint_eq(i.size_bytes, gpu_figure(gpu, "regions/vram0/size_bytes"));
	ck_assert_uint_eq(i.free_bytes, gpu_figure(gpu, "regions/vram0/free_bytes"));
	ck_assert_uint_eq(i.free_bytes, i.size_bytes);
	ck_assert_uint_eq(i.resident_bytes, 0);

	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	i = info(gpu->devmem_fd);
	ck_assert_uint_eq(i.resident_bytes, SIZE);
	ck_assert_uint_eq(i.free_bytes, i.size_bytes - SIZE);
	fdinfo(gpu->devmem_fd, "drm-fabric-device:\t", text, sizeof(text));
	ck_assert_str_eq(text, gpu->name);
	fdinfo(gpu->devmem_fd, "drm-fabric-region:\t", text, sizeof(text));
	ck_assert_str_eq(text, "vram0");
	fdinfo(gpu->devmem_fd, "drm-fabric-devmem-id:\t", text, sizeof(text));
	ck_assert_uint_eq(strtoull(text, NULL, 10), gpu->devmem_id);
	fdinfo(gpu->devmem_fd, "drm-resident-vram0:\t", text, sizeof(text));
	ck_assert_str_eq(text, "4096 KiB");
	/* The keys that all of DRM has: Documentation/gpu/drm-usage-stats.rst. */
	fdinfo(gpu->devmem_fd, "drm-total-vram0:\t", text, sizeof(text));
	ck_assert_str_eq(text, "4096 KiB");
	fdinfo(gpu->devmem_fd, "drm-driver:\t", text, sizeof(text));
	ck_assert_str_eq(text, "softgpu");
	fdinfo(gpu->devmem_fd, "drm-pdev:\t", text, sizeof(text));
	ck_assert_str_eq(text, gpu->name);
	fdinfo(gpu->devmem_fd, "drm-fabric-incarnation:\t", text, sizeof(text));
	ck_assert_uint_eq(strtoull(text, NULL, 10), i.incarnation);

	/* Resident is what went through that handle. */
	second = gpu_open_name(gpu->name);
	gpu_open_devmem(second);
	ck_assert_uint_gt(second->devmem_id, gpu->devmem_id);
	ck_assert_uint_eq(info(second->devmem_fd).resident_bytes, 0);
	ck_assert(!munmap(a, SIZE / 2));
	ck_assert_uint_eq(info(gpu->devmem_fd).resident_bytes, SIZE / 2);
	gpu_close(second);
	gpu_close(gpu);

	fd = open_file("/dev/drm_fabric", O_RDWR);
	ck_assert(!ioctl(fd, DRM_FABRIC_IOCTL_QUERY, &query));
	ck_assert_uint_eq(query.abi_version, DRM_FABRIC_ABI_VERSION);
	ck_assert_uint_eq(query.n_devices, gpu_names(names, 64));
	ck_assert_uint_eq(query.populate_step_bytes, 2 * MIB);
	ck_assert(read_file("/sys/class/drm_fabric/generation", text, sizeof(text)));
	ck_assert_uint_eq(query.generation, strtoull(text, NULL, 10));
	close(fd);
}
END_TEST

/* ---- in whose hands ---- */

static void send_fd(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(fd))] = {}, byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	ck_assert_int_eq(sendmsg(socket, &message, 0), 1);
}

static int receive_fd(int socket)
{
	char control[CMSG_SPACE(sizeof(int))] = {}, byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	int fd;

	ck_assert_int_eq(recvmsg(socket, &message, MSG_CMSG_CLOEXEC), 1);
	ck_assert_ptr_nonnull(CMSG_FIRSTHDR(&message));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

/* Who gets a handle through @socket, and has memory of its own where the giver has some. */
static int in_other_hands(const char *device, int socket, char *a)
{
	struct gpu mine = { .render_fd = -1 };
	char node[64], path[80], byte = 0;

	mine.devmem_fd = receive_fd(socket);
	/* It could not have had it by itself. */
	ck_assert(gpu_attr(device, "render_node", node, sizeof(node)));
	snprintf(path, sizeof(path), "/dev/dri/%s", node);
	ck_assert_int_lt(open(path, O_RDWR), 0);
	ck_assert_int_lt(open("/dev/drm_fabric_admin", O_RDWR), 0);
	ck_assert(mmap(a, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == a);
	pattern_fill(a, SIZE, test_seed() + 1);
	gpu_populate(&mine, a, SIZE);
	ck_assert_uint_eq(gpu_residency(&mine, a, SIZE).region_bytes, SIZE);
	ck_assert_uint_eq(info(mine.devmem_fd).resident_bytes, SIZE);
	ck_assert_int_eq(write(socket, &byte, 1), 1);
	ck_assert_int_eq(read(socket, &byte, 1), 1);
	ck_assert_uint_eq(gpu_residency(&mine, a, SIZE).region_bytes, SIZE);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed() + 1), 0);
	return 0;
}

/*
 * proves: a handle that is passed on, to another user, also in namespaces of his own, works on the memory of whoever
 * holds it, and of nobody else
 */
START_TEST(passed_to_another_user)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, _i % 2), byte = 0;
	int sockets[2];
	pid_t pid;

	ck_assert(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets));
	pattern_fill(a, SIZE, test_seed());
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		close(gpu->render_fd);
		ck_assert(!setgid(STRANGER));
		ck_assert(!setuid(STRANGER));
		if (_i / 2) {
			ck_assert_msg(!unshare(CLONE_NEWUSER | CLONE_NEWPID), "unshare: %s", strerror(errno));
			pid = fork();
			ck_assert_int_ge(pid, 0);
			if (pid) {
				wait_child(pid);
				_exit(0);
			}
			ck_assert_int_eq(getpid(), 1);
		}
		_exit(in_other_hands(gpu->name, sockets[1], a));
	}
	/* Opened after the fork: the child has it through the socket only. */
	gpu_open_devmem(gpu);
	send_fd(sockets[0], gpu->devmem_fd);
	ck_assert_int_eq(read(sockets[0], &byte, 1), 1);
	ck_assert_uint_eq(gpu_residency(gpu, a, SIZE).system_bytes, SIZE);
	ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/resident_bytes"), SIZE);
	ck_assert_uint_eq(gpu_figure(gpu, "handles"), 1);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	ck_assert_int_eq(write(sockets[0], &byte, 1), 1);
	wait_child(pid);
	gpu_close(gpu);
}
END_TEST

/* ---- whose memory it reaches ---- */

static struct drm_fabric_devmem_reach reach(struct gpu *accessor, struct gpu *owner)
{
	struct drm_fabric_devmem_reach args;

	/* Outputs need not be clean. */
	memset(&args, 0xa5, sizeof(args));
	args.flags = 0;
	args.owner_fd = owner->devmem_fd;
	ck_assert_msg(!ioctl(accessor->devmem_fd, DRM_FABRIC_DEVMEM_REACH, &args), "REACH: %s", strerror(errno));
	return args;
}

/* A figure of a link; 0 if there is none. */
static uint64_t link_figure(struct gpu *accessor, struct gpu *owner, const char *file)
{
	char path[96], text[64];

	snprintf(path, sizeof(path), "links/%s/%s", owner->name, file);
	return gpu_attr(accessor->name, path, text, sizeof(text)) ? strtoull(text, NULL, 10) : 0;
}

static void link_text(struct gpu *accessor, struct gpu *owner, const char *file, char *ret, size_t size)
{
	char path[96];

	snprintf(path, sizeof(path), "links/%s/%s", owner->name, file);
	if (!gpu_attr(accessor->name, path, ret, size))
		*ret = '\0';
}

/* proves: REACH says of each ordered pair what sysfs says */
START_TEST(reach_is_the_link)
{
	static const char *const types[] = { "none",	"pcie_switch", "pcie_host_bridge", "xgmi", "nvlink",
					     "xe_link", "cxl",	       "softgpu" };
	static const char *const provenances[] = { "", "nominal", "firmware", "measured" };
	char names[64][DRM_FABRIC_DEVICE_NAME_SIZE], text[256];
	size_t n = gpu_names(names, 64), n_up = 0, n_down = 0;
	struct gpu *gpus[64];

	for (size_t i = 0; i < n; i++) {
		gpus[i] = gpu_open_name(names[i]);
		gpu_open_devmem(gpus[i]);
	}
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < n; j++) {
			struct drm_fabric_devmem_reach r = reach(gpus[i], gpus[j]);

			ck_assert_uint_eq(r.generation, gpu_figure(gpus[i], "generation"));
			ck_assert_int_eq(memchr(r.why_not, 0, sizeof(r.why_not)) != NULL, true);
			ck_assert_int_eq(!r.reachable, !!r.why_not[0]);
			if (i == j) {
				ck_assert_uint_eq(r.type, DRM_FABRIC_REACH_LOCAL);
				ck_assert_uint_eq(r.reachable, 1);
				ck_assert_uint_eq(r.provenance, DRM_FABRIC_REACH_UNKNOWN);
				continue;
			}
			link_text(gpus[i], gpus[j], "state", text, sizeof(text));
			ck_assert_uint_eq(r.reachable, !strcmp(text, "up"));
			n_up += r.reachable;
			n_down += !r.reachable;
			link_text(gpus[i], gpus[j], "why_not", text, sizeof(text));
			ck_assert_str_eq(r.why_not, text);
			link_text(gpus[i], gpus[j], "type", text, sizeof(text));
			ck_assert_uint_lt(r.type, sizeof(types) / sizeof(*types));
			ck_assert_str_eq(text, types[r.type]);
			link_text(gpus[i], gpus[j], "provenance", text, sizeof(text));
			ck_assert_uint_lt(r.provenance, 4);
			ck_assert_str_eq(text, provenances[r.provenance]);
			ck_assert_uint_eq(r.read_bandwidth_mbps, link_figure(gpus[i], gpus[j], "read_bandwidth"));
			ck_assert_uint_eq(r.write_bandwidth_mbps, link_figure(gpus[i], gpus[j], "write_bandwidth"));
			ck_assert_uint_eq(r.read_latency_ns, link_figure(gpus[i], gpus[j], "read_latency"));
			ck_assert_uint_eq(r.write_latency_ns, link_figure(gpus[i], gpus[j], "write_latency"));
			ck_assert_uint_eq(r.hops, link_figure(gpus[i], gpus[j], "hops"));
		}
	}
	note("%zu pairs are linked, %zu are not", n_up, n_down);
	for (size_t i = 0; i < n; i++)
		gpu_close(gpus[i]);
}
END_TEST

static int try_reach(int fd, int owner_fd, uint32_t flags)
{
	struct drm_fabric_devmem_reach args = { .flags = flags, .owner_fd = owner_fd };

	return ioctl(fd, DRM_FABRIC_DEVMEM_REACH, &args) ? -errno : 0;
}

/* proves: REACH asks for two handles, both on devices that are there */
START_TEST(reach_of_what_is_not_there)
{
	struct gpu *gpu, *other;
	int null = open_file("/dev/null", O_RDWR);

	gpu_open_pair(true, &gpu, &other);
	gpu_open_devmem(gpu);
	gpu_open_devmem(other);
	ck_assert_int_eq(try_reach(gpu->devmem_fd, -1, 0), -EBADF);
	ck_assert_int_eq(try_reach(gpu->devmem_fd, 12345, 0), -EBADF);
	ck_assert_int_eq(try_reach(gpu->devmem_fd, null, 0), -EBADFD);
	ck_assert_int_eq(try_reach(gpu->devmem_fd, other->render_fd, 0), -EBADFD);
	for (unsigned int bit = 0; bit < 32; bit++)
		ck_assert_int_eq(try_reach(gpu->devmem_fd, other->devmem_fd, 1u << bit), -EINVAL);
	ck_assert_int_eq(try_reach(gpu->devmem_fd, other->devmem_fd, 0), 0);
	/* A device that drains is there. */
	gpu_write_attr(other->name, "drain", "1");
	ck_assert_int_eq(try_reach(gpu->devmem_fd, other->devmem_fd, 0), 0);
	gpu_unbind(other->name);
	ck_assert_int_eq(try_reach(gpu->devmem_fd, other->devmem_fd, 0), -ENODEV);
	ck_assert_int_eq(try_reach(other->devmem_fd, gpu->devmem_fd, 0), -ENODEV);
	ck_assert_int_eq(try_reach(other->devmem_fd, other->devmem_fd, 0), -ENODEV);
	/* Back, but the handle is on the device of before. */
	gpu_bind(other->name);
	ck_assert_int_eq(try_reach(gpu->devmem_fd, other->devmem_fd, 0), -ENODEV);
	close(null);
	gpu_close(gpu);
	gpu_close(other);
}
END_TEST

/* ---- events ---- */

static bool next_event(int fd, struct drm_fabric_event *ret)
{
	ssize_t n = read(fd, ret, sizeof(*ret));

	ck_assert_msg(n >= 0, "read: %s", strerror(errno));
	ck_assert(!n || n == sizeof(*ret));
	return n;
}

static struct drm_fabric_event expect_event(int fd, uint32_t type, uint64_t *seq, uint64_t *time_ns)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	struct drm_fabric_event event;

	ck_assert_int_eq(poll(&poller, 1, PATIENCE_MS), 1);
	ck_assert(poller.revents & POLLIN);
	ck_assert(next_event(fd, &event));
	ck_assert_uint_eq(event.type, type);
	ck_assert_uint_eq(event.size_bytes, sizeof(event));
	ck_assert_uint_eq(event.seq, ++*seq);
	ck_assert_uint_ge(event.time_ns, *time_ns);
	ck_assert_uint_le(event.time_ns / 1000000, now_ms());
	*time_ns = event.time_ns;
	return event;
}

static short poll_now(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };

	ck_assert_int_ge(poll(&poller, 1, 0), 0);
	return poller.revents;
}

/* All operations of a handle but INFO. */
static void expect_dead(struct gpu *gpu, void *addr)
{
	struct drm_fabric_devmem_to_system home = { .start = (uintptr_t)addr, .length_bytes = SIZE };
	struct drm_fabric_devmem_residency where = { .start = (uintptr_t)addr, .length_bytes = SIZE };
	struct drm_fabric_devmem_populate populate;
	struct drm_fabric_devmem_info i;

	ck_assert_int_eq(gpu_try_populate(gpu, addr, SIZE, 0, &populate), -ENODEV);
	ck_assert(ioctl(gpu->devmem_fd, DRM_FABRIC_DEVMEM_TO_SYSTEM, &home) && errno == ENODEV);
	ck_assert(ioctl(gpu->devmem_fd, DRM_FABRIC_DEVMEM_RESIDENCY, &where) && errno == ENODEV);
	i = info(gpu->devmem_fd);
	ck_assert_uint_eq(i.state, DRM_FABRIC_STATE_REVOKED);
	ck_assert_str_eq(i.device, gpu->name);
	ck_assert_uint_eq(i.id, gpu->devmem_id);
	ck_assert_uint_eq(i.free_bytes, 0);
	ck_assert_uint_eq(i.resident_bytes, 0);
}

/* proves: a holder hears of each change, in order, up to the last; then the handle is dead, and says so */
START_TEST(life_in_events)
{
	uint64_t seq = 0, time_ns = 0;
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, _i);
	struct drm_fabric_event event;
	void *volatile nowhere = (void *)8;
	char small[sizeof(event) - 1];
	uint64_t free_bytes;
	int fd;

	gpu_open_devmem(gpu);
	fd = gpu->devmem_fd;
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	free_bytes = info(fd).free_bytes;
	ck_assert_int_eq(poll_now(fd), 0);
	ck_assert(!fcntl(fd, F_SETFL, O_NONBLOCK));
	ck_assert(read(fd, &event, sizeof(event)) < 0 && errno == EAGAIN);
	ck_assert(!fcntl(fd, F_SETFL, 0));

	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_DRAIN, gpu->name, 1234), 0);
	ck_assert_int_eq(poll_now(fd), POLLIN);
	ck_assert(read(fd, small, sizeof(small)) < 0 && errno == EINVAL);
	ck_assert(read(fd, nowhere, sizeof(event)) < 0 && errno == EFAULT);
	/* A bad address has lost that event: sequence numbers tell. */
	seq++;
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0), 0);
	expect_event(fd, DRM_FABRIC_EVENT_CANCELLED, &seq, &time_ns);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_DRAIN, gpu->name, 1234), 0);
	event = expect_event(fd, DRM_FABRIC_EVENT_DRAINING, &seq, &time_ns);
	ck_assert_uint_eq((event.deadline_ns - event.time_ns + 999999) / 1000000, 1234);
	ck_assert_uint_eq(info(fd).state, DRM_FABRIC_STATE_DRAINING);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_DRAIN, gpu->name, 0), -EALREADY);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0), 0);
	expect_event(fd, DRM_FABRIC_EVENT_CANCELLED, &seq, &time_ns);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0), -EALREADY);
	ck_assert_uint_eq(info(fd).state, DRM_FABRIC_STATE_ONLINE);
	ck_assert_uint_eq(info(fd).resident_bytes, SIZE);

	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, gpu->name, PATIENCE_MS), 0);
	event = expect_event(fd, DRM_FABRIC_EVENT_DRAINING, &seq, &time_ns);
	ck_assert_uint_eq(event.deadline_ns, 0);
	event = expect_event(fd, DRM_FABRIC_EVENT_EVICTING, &seq, &time_ns);
	ck_assert_uint_eq(event.bytes, SIZE);
	ck_assert_uint_eq(info(fd).state, DRM_FABRIC_STATE_OFFLINE);
	ck_assert_uint_eq(info(fd).resident_bytes, 0);
	ck_assert_uint_eq(info(fd).free_bytes, free_bytes + SIZE);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, gpu->name, 0), -EALREADY);
	ck_assert_int_eq(poll_now(fd), 0);

	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_UNBIND, gpu->name, PATIENCE_MS), 0);
	ck_assert_int_eq(poll_now(fd) & (POLLIN | POLLHUP), POLLIN | POLLHUP);
	expect_event(fd, DRM_FABRIC_EVENT_REVOKED, &seq, &time_ns);
	ck_assert(!next_event(fd, &event));
	ck_assert(!next_event(fd, &event));
	ck_assert_int_eq(poll_now(fd), POLLHUP);
	expect_dead(gpu, a);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0), -ENODEV);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_close(gpu);
}
END_TEST

/* proves: a reader that sleeps is woken by an event, and by the end */
START_TEST(reader_is_woken)
{
	struct gpu *gpu = gpu_open(0);
	pid_t pid;

	gpu_open_devmem(gpu);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		struct drm_fabric_event event;
		uint32_t last = 0;

		while (next_event(gpu->devmem_fd, &event))
			last = event.type;
		_exit(last == DRM_FABRIC_EVENT_REVOKED ? 0 : 1);
	}
	sleep_ms(50);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_DRAIN, gpu->name, 0), 0);
	sleep_ms(50);
	gpu_unbind(gpu->name);
	wait_child(pid);
	gpu_close(gpu);
}
END_TEST

/* proves: who does not read loses the oldest events, sees that by the numbers, and still gets the last */
START_TEST(events_overflow)
{
	struct gpu *gpu = gpu_open(0);
	struct drm_fabric_event events[4 * MANY_DRAINS];
	ssize_t n;

	gpu_open_devmem(gpu);
	for (unsigned int i = 0; i < MANY_DRAINS; i++) {
		ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_DRAIN, gpu->name, i), 0);
		ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0), 0);
	}
	if (_i)
		gpu_unbind(gpu->name);
	/* More room than events, and a part of one: whole ones come. */
	n = read(gpu->devmem_fd, events, sizeof(events) - 1);
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(n % sizeof(*events), 0);
	n /= sizeof(*events);
	ck_assert_int_ge(n, 2);
	for (ssize_t i = 1; i < n; i++)
		ck_assert_uint_eq(events[i].seq, events[i - 1].seq + 1);
	/* An unbind drains, evicts, revokes. */
	ck_assert_uint_eq(events[n - 1].seq, 2 * MANY_DRAINS + (_i ? 3 : 0));
	ck_assert_uint_eq(events[n - 1].type, _i ? DRM_FABRIC_EVENT_REVOKED : DRM_FABRIC_EVENT_CANCELLED);
	gpu_close(gpu);
}
END_TEST

static int epoll_of(int fd, uint32_t events)
{
	struct epoll_event event = { .events = events };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	ck_assert_int_ge(epoll, 0);
	ck_assert(!epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
	return epoll;
}

/* What epoll says within that time; 0: nothing. */
static uint32_t epoll_next(int epoll, int timeout_ms)
{
	struct epoll_event event = {};

	return epoll_wait(epoll, &event, 1, timeout_ms) > 0 ? event.events : 0;
}

/* proves: who holds a dead handle hears once when a device of that name is there again, and can wait for it */
START_TEST(back_again)
{
	uint64_t seq = 0, time_ns = 0, incarnation;
	struct gpu *gpu = gpu_open(0), *fresh;
	char *a = map_memory(SIZE, false);
	struct drm_fabric_event event;
	int fd, edges, levels;

	gpu_open_devmem(gpu);
	fd = gpu->devmem_fd;
	incarnation = info(fd).incarnation;
	edges = epoll_of(fd, EPOLLIN | EPOLLET);
	levels = epoll_of(fd, EPOLLIN);
	ck_assert_uint_eq(epoll_next(edges, 0), 0);
	gpu_unbind(gpu->name);
	ck_assert_uint_eq(epoll_next(edges, 0), EPOLLIN | EPOLLHUP);
	ck_assert_uint_eq(epoll_next(edges, 0), 0);
	expect_event(fd, DRM_FABRIC_EVENT_DRAINING, &seq, &time_ns);
	expect_event(fd, DRM_FABRIC_EVENT_EVICTING, &seq, &time_ns);
	event = expect_event(fd, DRM_FABRIC_EVENT_REVOKED, &seq, &time_ns);
	ck_assert_uint_eq(event.incarnation, incarnation);
	ck_assert_uint_eq(event.reason, DRM_FABRIC_REASON_DRIVER);
	ck_assert(!next_event(fd, &event));
	/* A level stays, an edge has gone: who waits for more asks for edges. */
	ck_assert_uint_eq(epoll_next(levels, 0), EPOLLHUP);
	ck_assert_uint_eq(epoll_next(edges, 100), 0);

	gpu_bind(gpu->name);
	ck_assert_uint_eq(epoll_next(edges, PATIENCE_MS), EPOLLIN | EPOLLHUP);
	event = expect_event(fd, DRM_FABRIC_EVENT_BACK, &seq, &time_ns);
	ck_assert_uint_eq(event.incarnation, gpu_figure(gpu, "incarnation"));
	ck_assert_uint_gt(event.incarnation, incarnation);
	ck_assert_uint_eq(event.reason, DRM_FABRIC_REASON_NONE);
	ck_assert(!next_event(fd, &event));
	ck_assert_uint_eq(epoll_next(edges, 100), 0);
	expect_dead(gpu, a);

	/* Another device is not this one. A new handle is alive, and hears of its own device's life only. */
	fresh = gpu_open_name(gpu->name);
	gpu_open_devmem(fresh);
	memset(a, 1, SIZE);
	gpu_populate(fresh, a, SIZE);
	ck_assert_int_eq(poll_now(fresh->devmem_fd), 0);
	if (gpu_names((char[64][DRM_FABRIC_DEVICE_NAME_SIZE]){}, 64) > 1) {
		struct gpu *other = gpu_open(1);

		gpu_unbind(other->name);
		gpu_bind(other->name);
		ck_assert(!next_event(fd, &event));
		gpu_close(other);
	}
	/* Nobody reads: only what is there last is told, after the end. */
	gpu_close(fresh);
	for (int i = 0; i < 3; i++) {
		gpu_unbind(gpu->name);
		gpu_bind(gpu->name);
	}
	ck_assert(next_event(fd, &event));
	ck_assert_uint_eq(event.type, DRM_FABRIC_EVENT_BACK);
	ck_assert_uint_eq(event.seq, seq + 3);
	ck_assert_uint_eq(event.incarnation, gpu_figure(gpu, "incarnation"));
	ck_assert(!next_event(fd, &event));
	close(edges);
	close(levels);
	gpu_close(gpu);
}
END_TEST

struct tally {
	int fd;
	uint64_t bytes, wakes;
	bool stop;
};

/* Reads as fast as it can. */
static void *tally_run(void *argument)
{
	struct tally *tally = argument;
	struct pollfd poller = { .fd = tally->fd, .events = POLLIN };
	struct drm_fabric_event event;

	while (!__atomic_load_n(&tally->stop, __ATOMIC_RELAXED)) {
		if (poll(&poller, 1, 50) <= 0)
			continue;
		ck_assert(next_event(tally->fd, &event));
		ck_assert_uint_eq(event.type, DRM_FABRIC_EVENT_LOST);
		tally->bytes += event.bytes;
		tally->wakes++;
	}
	return NULL;
}

/* proves: holders are told how much was lost, all of it, and not of every page by itself */
START_TEST(lost_pages)
{
	struct gpu *gpu = gpu_open(0), *second = gpu_open(0);
	struct drm_fabric_devmem_to_system home = { .length_bytes = SIZE };
	uint64_t seq = 0, time_ns = 0, start, end;
	char *a = map_memory(SIZE, _i);
	struct tally tally = {};
	struct drm_fabric_event event;
	pthread_t reader;

	gpu_open_devmem(gpu);
	gpu_open_devmem(second);
	tally.fd = second->devmem_fd;
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	ck_assert(!pthread_create(&reader, NULL, tally_run, &tally));
	start = now_ms();
	gpu_fault(gpu, "fail_copy_nth", 1);
	home.start = (uintptr_t)a;
	ck_assert(!ioctl(gpu->devmem_fd, DRM_FABRIC_DEVMEM_TO_SYSTEM, &home));
	gpu_fault(gpu, "fail_copy_nth", 0);
	ck_assert_uint_eq(home.dead_bytes, SIZE);
	sleep_ms(100);
	end = now_ms();
	__atomic_store_n(&tally.stop, true, __ATOMIC_RELAXED);
	ck_assert(!pthread_join(reader, NULL));
	ck_assert_uint_eq(tally.bytes, SIZE);
	/* At most one in 10 ms. */
	ck_assert_uint_le(tally.wakes, (end - start) / 10 + 1);
	note("%llu pages died in %llu ms: %llu events", (unsigned long long)(SIZE / 4096),
	     (unsigned long long)(end - start), (unsigned long long)tally.wakes);
	/* Who did not read meanwhile has it in one. */
	event = expect_event(gpu->devmem_fd, DRM_FABRIC_EVENT_LOST, &seq, &time_ns);
	ck_assert_uint_eq(event.bytes, SIZE);
	ck_assert_uint_eq(event.reason, DRM_FABRIC_REASON_COPY);
	ck_assert_uint_eq(event.incarnation, info(gpu->devmem_fd).incarnation);
	ck_assert_int_eq(poll_now(gpu->devmem_fd), 0);
	ck_assert(!munmap(a, SIZE));
	gpu_close(second);
	gpu_close(gpu);
}
END_TEST

/* proves: what an administrator gives up is told as that, before the end */
START_TEST(abandoned_pages)
{
	uint64_t seq = 0, time_ns = 0;
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, _i);
	struct drm_fabric_event event;

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	gpu_fault(gpu, "fail_copy_nth", 1);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, gpu->name, 0), 0);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_ABANDON, gpu->name, 0), 0);
	gpu_unbind(gpu->name);
	expect_event(gpu->devmem_fd, DRM_FABRIC_EVENT_DRAINING, &seq, &time_ns);
	event = expect_event(gpu->devmem_fd, DRM_FABRIC_EVENT_EVICTING, &seq, &time_ns);
	ck_assert_uint_eq(event.bytes, SIZE);
	event = expect_event(gpu->devmem_fd, DRM_FABRIC_EVENT_LOST, &seq, &time_ns);
	ck_assert_uint_eq(event.bytes, SIZE);
	ck_assert_uint_eq(event.reason, DRM_FABRIC_REASON_ABANDONED);
	expect_event(gpu->devmem_fd, DRM_FABRIC_EVENT_REVOKED, &seq, &time_ns);
	ck_assert(!munmap(a, SIZE));
	gpu_close(gpu);
}
END_TEST

/* proves: draining keeps new memory out, and everything else as it was */
START_TEST(draining)
{
	struct drm_fabric_devmem_populate populate;
	struct drm_softgpu_vm_create create = {};
	struct gpu *gpu = gpu_open(0), *late;
	char *a = map_memory(SIZE, _i), *b = map_memory(SIZE, _i);
	struct drm_softgpu_exec e;

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	gpu_write_attr(gpu->name, "drain", "1");
	ck_assert(gpu_wait_attr(gpu->name, "state", "draining", 0));
	ck_assert_int_eq(try_open_fd(gpu->render_fd), -ESHUTDOWN);
	memset(b, 1, SIZE);
	ck_assert_int_eq(gpu_try_populate(gpu, b, SIZE, 0, &populate), -ESHUTDOWN);
	ck_assert_uint_eq(populate.moved_bytes, 0);
	late = gpu_open_bare(gpu->name);
	ck_assert(ioctl(late->render_fd, DRM_IOCTL_SOFTGPU_VM_CREATE, &create) && errno == ESHUTDOWN);
	gpu_close(late);

	ck_assert_uint_eq(gpu_residency(gpu, a, SIZE).region_bytes, SIZE);
	e = gpu_exec(gpu, DRM_SOFTGPU_OP_CHECKSUM, NULL, a, SIZE, 0);
	ck_assert_uint_eq(e.local_bytes, SIZE);
	gpu_exec(gpu, DRM_SOFTGPU_OP_COPY, b, a, SIZE, 0);
	ck_assert_uint_eq(pattern_differs(b, SIZE, test_seed()), 0);
	ck_assert_uint_eq(e.result, checksum(a, SIZE));
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_write_attr(gpu->name, "drain", "0");
	ck_assert_int_eq(try_open_fd(gpu->render_fd), 0);
	gpu_populate(gpu, a, SIZE);
	gpu_close(gpu);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("handle");
	TCase *tcase = tcase_create("handle");

	test_seed();
	gpu_load();
	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, load, NULL);
	tcase_add_test(tcase, only_a_render_node);
	tcase_add_test(tcase, render_node_of_a_stranger);
	tcase_add_test(tcase, malformed_opens);
	tcase_add_test(tcase, told_of_a_handle);
	tcase_add_loop_test(tcase, passed_to_another_user, 0, 4);
	tcase_add_test(tcase, reach_is_the_link);
	tcase_add_test(tcase, reach_of_what_is_not_there);
	tcase_add_loop_test(tcase, life_in_events, 0, 2);
	tcase_add_test(tcase, reader_is_woken);
	tcase_add_loop_test(tcase, events_overflow, 0, 2);
	tcase_add_test(tcase, back_again);
	tcase_add_loop_test(tcase, lost_pages, 0, 2);
	tcase_add_loop_test(tcase, abandoned_pages, 0, 2);
	tcase_add_loop_test(tcase, draining, 0, 2);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}

// SPDX-License-Identifier: MIT
/* Handles: who gets one, what it does in whose hands, and what it says of itself. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gpu.h"

#define SIZE (4 * MIB)
#define STRANGER 65534

static int open_file(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	return fd;
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
	i = gpu_info(gpu->devmem_fd);
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
	i = gpu_info(gpu->devmem_fd);
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
	ck_assert_uint_eq(gpu_info(second->devmem_fd).resident_bytes, 0);
	ck_assert(!munmap(a, SIZE / 2));
	ck_assert_uint_eq(gpu_info(gpu->devmem_fd).resident_bytes, SIZE / 2);
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
	ck_assert_uint_eq(gpu_info(mine.devmem_fd).resident_bytes, SIZE);
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
		close(sockets[0]);
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
	/* So that a child that dies is the end of a wait for it. */
	close(sockets[1]);
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
	tcase_add_checked_fixture(tcase, gpu_restore, NULL);
	tcase_add_test(tcase, only_a_render_node);
	tcase_add_test(tcase, render_node_of_a_stranger);
	tcase_add_test(tcase, malformed_opens);
	tcase_add_test(tcase, told_of_a_handle);
	tcase_add_loop_test(tcase, passed_to_another_user, 0, 4);
	tcase_add_test(tcase, reach_is_the_link);
	tcase_add_test(tcase, reach_of_what_is_not_there);
	tcase_add_loop_test(tcase, draining, 0, 2);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}

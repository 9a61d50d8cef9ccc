// SPDX-License-Identifier: MIT
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE_MAX (4 << 20)

const char *harness_device(int index)
{
	static char names[8][16];
	char *name = names[index % 8];

	snprintf(name, sizeof(names[0]), "0000:%02x:00.0", (unsigned int)(index + 3) & 0xff);
	return name;
}

static void make_folders(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		ck_assert(mkdir(path, 0755) == 0 || errno == EEXIST);
		*slash = '/';
	}
}

void harness_write(const struct harness *harness, const char *value, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;
	FILE *file;
	int n;

	n = snprintf(path, sizeof(path), "%s/", harness->root);
	va_start(args, format);
	vsnprintf(path + n, sizeof(path) - (size_t)n, format, args);
	va_end(args);
	make_folders(path);
	file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	fprintf(file, "%s\n", value);
	ck_assert_int_eq(fclose(file), 0);
}

void harness_set_generation(const struct harness *harness, int generation)
{
	char value[16];

	snprintf(value, sizeof(value), "%d", generation);
	harness_write(harness, value, "class/drm_fabric/generation");
}

static void add_link(const struct harness *harness, const char *accessor, const char *owner)
{
	static const char *const files[][2] = {
		{ "type", "pcie_switch" },	{ "state", "up" }, { "read_bandwidth", "25000" },
		{ "write_bandwidth", "24000" }, { "hops", "1" },   { "provenance", "nominal" },
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		harness_write(harness, files[i][1], "class/drm_fabric/%s/links/%s/%s", accessor, owner, files[i][0]);
}

void harness_add_device(const struct harness *harness, int index, int n_devices)
{
	static const char *const files[][2] = {
		{ "state", "online" },
		{ "incarnation", "1" },
		{ "generation", "1" },
		{ "numa_node", "0" },
		{ "driver", "softgpu" },
		{ "render_node", "renderD128" },
		{ "handles", "0" },
		{ "regions/vram0/size_bytes", "1073741824" },
		{ "regions/vram0/free_bytes", "1073741824" },
		{ "regions/vram0/resident_bytes", "0" },
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		harness_write(harness, files[i][1], "class/drm_fabric/%s/%s", harness_device(index), files[i][0]);
	for (int peer = 0; peer < n_devices; peer++)
		if (peer != index)
			add_link(harness, harness_device(index), harness_device(peer));
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_tree(const char *path)
{
	ck_assert_int_eq(nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void harness_remove_device(const struct harness *harness, int index)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/class/drm_fabric/%s", harness->root, harness_device(index));
	remove_tree(path);
}

static pid_t spawn(const struct harness *harness, const char *const *arguments, int stderr_fd, int listen_fd)
{
	const char *argv[32] = { FABRICD,	  "--root",	    harness->root, "--socket",
				 harness->public, "--admin-socket", harness->admin };
	size_t n = 7;
	pid_t pid;

	if (harness->config[0]) {
		argv[n++] = "--config";
		argv[n++] = harness->config;
	}
	for (size_t i = 0; arguments && arguments[i]; i++)
		argv[n++] = arguments[i];
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		/* A test that fails has no time to end it. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_DFL); /* it would inherit that we ignore it */
		/* Its words are not TAP. */
		int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

		if (!getenv("FABRICD_TEST_VERBOSE")) {
			char log[160];

			snprintf(log, sizeof(log), "%s/log", harness->folder);
			fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		}
		dup2(fd, STDOUT_FILENO);
		dup2(getenv("FABRICD_TEST_VERBOSE") ? STDERR_FILENO : fd, STDERR_FILENO);
		if (stderr_fd >= 0)
			dup2(stderr_fd, STDERR_FILENO);
		if (listen_fd >= 0) {
			char text[16];

			snprintf(text, sizeof(text), "%d", getpid());
			setenv("LISTEN_PID", text, 1);
			setenv("LISTEN_FDS", "1", 1);
			listen_fd = fcntl(listen_fd, F_DUPFD, 10); /* it may be 3, and then keeps CLOEXEC */
			dup2(listen_fd, 3);
			close(listen_fd);
		}
		execv(FABRICD, (char *const *)argv);
		_exit(127);
	}
	return pid;
}

static void wait_for_socket(const struct harness *harness)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	/* The admin socket is the last one to be made. */
	strcpy(address.sun_path, harness->admin);
	for (int i = 0; i < 1000; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int r = connect(fd, (struct sockaddr *)&address, sizeof(address));

		close(fd);
		if (r == 0)
			return;
		ck_assert_int_eq(waitpid(harness->pid, NULL, WNOHANG), 0);
		usleep(10000);
	}
	ck_abort_msg("fabricd does not come up");
}

/* Until the daemon has dealt with the connections that have ended: tests count its files. */
static void settle(const struct harness *harness)
{
	size_t n_files = 0;

	for (int i = 0; i < 3;) {
		size_t now = harness_n_open_files(harness);

		i = now == n_files ? i + 1 : 0;
		n_files = now;
		usleep(20000);
	}
}

void harness_add_class(const struct harness *harness)
{
	char path[PATH_MAX];

	harness_set_generation(harness, 1);
	snprintf(path, sizeof(path), "%s/class/drm_fabric_group", harness->root);
	ck_assert_int_eq(mkdir(path, 0755), 0);
}

void harness_start(struct harness *harness, int n_devices, const char *config)
{
	*harness = (struct harness){ .folder = "/tmp/fabricd-test-XXXXXX" };
	ck_assert_ptr_nonnull(mkdtemp(harness->folder));
	snprintf(harness->root, sizeof(harness->root), "%s/sys", harness->folder);
	snprintf(harness->public, sizeof(harness->public), "%s/public", harness->folder);
	snprintf(harness->admin, sizeof(harness->admin), "%s/admin", harness->folder);
	ck_assert_int_eq(mkdir(harness->root, 0755), 0);
	if (config) {
		FILE *file;

		snprintf(harness->config, sizeof(harness->config), "%s/config", harness->folder);
		file = fopen(harness->config, "we");
		ck_assert_ptr_nonnull(file);
		fputs(config, file);
		fclose(file);
	}
	for (int i = 0; i < n_devices; i++)
		harness_add_device(harness, i, n_devices);
	if (n_devices)
		harness_add_class(harness);
	harness->pid = spawn(harness, NULL, -1, -1);
	wait_for_socket(harness);
	settle(harness);
}

void harness_restart(struct harness *harness, int stderr_fd, int listen_fd)
{
	ck_assert_int_eq(kill(harness->pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(harness->pid, NULL, 0), harness->pid);
	harness->pid = spawn(harness, NULL, stderr_fd, listen_fd);
	wait_for_socket(harness);
	settle(harness);
}

/* What it said, when something is wrong with its end. */
static void show_log(const struct harness *harness)
{
	char path[160], line[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/log", harness->folder);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		fprintf(stderr, "# %s", line);
	if (file)
		fclose(file);
}

void harness_stop(struct harness *harness)
{
	int status;

	ck_assert_int_eq(kill(harness->pid, SIGTERM), 0);
	ck_assert_int_eq(waitpid(harness->pid, &status, 0), harness->pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		show_log(harness);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	ck_assert_int_eq(access(harness->public, F_OK), -1);
	ck_assert_int_eq(access(harness->admin, F_OK), -1);
	remove_tree(harness->folder);
}

int harness_run(const struct harness *harness, const char *const *arguments)
{
	pid_t pid = spawn(harness, arguments, -1, -1);
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

void harness_reread(const struct harness *harness)
{
	ck_assert_int_eq(kill(harness->pid, SIGHUP), 0);
}

size_t harness_n_open_files(const struct harness *harness)
{
	char path[64];
	size_t n = 0;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/fd", harness->pid);
	directory = opendir(path);
	ck_assert_ptr_nonnull(directory);
	while (readdir(directory))
		n++;
	closedir(directory);
	return n;
}

size_t harness_resident_kib(const struct harness *harness)
{
	char path[64], line[256];
	size_t kib = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", harness->pid);
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "VmRSS: %zu", &kib) == 1)
			break;
	fclose(file);
	return kib;
}

/* ---- raw connections ---- */

int raw_connect(const char *path)
{
	static const struct timeval timeout = { .tv_sec = 10 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

size_t raw_send(int fd, const char *bytes, size_t length)
{
	size_t sent = 0;

	while (sent < length) {
		ssize_t n = send(fd, bytes + sent, length - sent, MSG_NOSIGNAL);

		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			break;
		ck_assert_msg(n >= 0, "send: %s", strerror(errno));
		sent += (size_t)n;
	}
	return sent;
}

void raw_request(int fd, const char *text)
{
	ck_assert_uint_eq(raw_send(fd, text, strlen(text) + 1), strlen(text) + 1);
}

bool raw_send_with_fds(int fd, const char *bytes, size_t length, const int *fds, size_t n_fds)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(253 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)bytes, length };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space };
	ssize_t sent;

	message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
	memcpy(CMSG_DATA(&control.align), fds, n_fds * sizeof(int));
	sent = sendmsg(fd, &message, MSG_NOSIGNAL);
	if (sent < 0 && errno == EPERM)
		return false;
	ck_assert_int_eq(sent, (ssize_t)length);
	return true;
}

char *raw_receive(int fd)
{
	char *text = malloc(MESSAGE_MAX);
	size_t length = 0;

	ck_assert_ptr_nonnull(text);
	for (;;) {
		/* Up to the NUL and not further: what follows is the next message. */
		ssize_t n = recv(fd, text + length, MESSAGE_MAX - length, MSG_PEEK);
		char *end;

		if (n == 0 || (n < 0 && errno == ECONNRESET)) {
			free(text);
			return NULL;
		}
		ck_assert_msg(n > 0, "recv: %s", strerror(errno));
		end = memchr(text + length, '\0', (size_t)n);
		if (end)
			n = end + 1 - (text + length);
		ck_assert_int_eq(recv(fd, text + length, (size_t)n, 0), n);
		length += (size_t)n;
		if (end)
			return text;
		ck_assert_uint_lt(length, MESSAGE_MAX);
	}
}

struct json_object *raw_receive_json(int fd)
{
	struct json_object *json;
	char *text = raw_receive(fd);

	ck_assert_msg(text, "closed instead of a reply");
	json = json_tokener_parse(text);
	ck_assert_msg(json, "no JSON: %s", text);
	free(text);
	return json;
}

void raw_expect(int fd, const char *expected)
{
	char *text = raw_receive(fd);

	ck_assert_msg(text, "closed instead of %s", expected);
	ck_assert_str_eq(text, expected);
	free(text);
}

void raw_expect_closed(int fd)
{
	char *text = raw_receive(fd);

	ck_assert_msg(!text, "not closed but %s", text);
	close(fd);
}

struct json_object *raw_expect_error(int fd, const char *error)
{
	struct json_object *json = raw_receive_json(fd), *parameters;
	const char *got = json_object_get_string(json_object_object_get(json, "error"));

	ck_assert_msg(got, "no error but %s", json_object_to_json_string(json));
	ck_assert_str_eq(got, error);
	parameters = json_object_get(json_object_object_get(json, "parameters"));
	json_object_put(json);
	return parameters;
}

void raw_expect_invalid(int fd, const char *parameter)
{
	struct json_object *parameters = raw_expect_error(fd, "org.varlink.service.InvalidParameter");

	ck_assert_str_eq(json_object_get_string(json_object_object_get(parameters, "parameter")), parameter);
	json_object_put(parameters);
}

struct json_object *raw_call(const char *path, const char *text)
{
	struct json_object *json;
	int fd = raw_connect(path);

	raw_request(fd, text);
	json = raw_receive_json(fd);
	close(fd);
	return json;
}

void harness_expect_alive(const struct harness *harness)
{
	struct json_object *json = raw_call(harness->public, "{\"method\":\"org.varlink.service.GetInfo\"}");

	ck_assert_ptr_nonnull(json_object_object_get(json, "parameters"));
	json_object_put(json);
}

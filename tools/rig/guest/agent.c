// SPDX-License-Identifier: MIT
/*
 * The agent is process 1 of a test guest. It runs one command at a time for
 * the host and carries its output over one virtio-serial port, framed, so that
 * output is binary-safe, stdout and stderr stay apart, and the end of a command
 * cannot overtake its last byte (which separate ports cannot promise).
 *
 * Frame: one byte type, four bytes little-endian length, payload.
 *   host to guest   X run: u8 pty, u16 rows, u16 columns, argv (NUL-separated)
 *                   I input for the pty     W u16 rows, u16 columns
 *                   K u8 signal             M text for the kernel log
 *                   S sysrq character       P power off
 *   guest to host   H hello                 O stdout        E stderr
 *                   C "exit N" or "signal N", and "taint N"
 *                   F the command could not be started: reason
 *
 * Single-threaded. Each command lives in a control group of its own, and what
 * it leaves running is killed with it: the next command starts clean.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT_NAME "fabric.agent"
#define GROUP "/sys/fs/cgroup/rig"
#define FRAME_MAX 65536
#define ARG_MAX_COUNT 1024

struct job {
	pid_t pid; /* 0: no command is running */
	int out_fd, err_fd; /* read ends; for a pty out_fd is its master */
	bool pty;
};

static int port_fd = -1;
static struct job job = { .out_fd = -1, .err_fd = -1 };

static void fatal(const char *what)
{
	/* Process 1 must not return: this line and the panic are the report. */
	fprintf(stderr, "rig agent: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void power_off(void)
{
	sync();
	(void)reboot(RB_POWER_OFF);
	fatal("power off");
}

static int write_all(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		size -= n;
	}
	return 0;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = write_all(fd, text, strlen(text));
	close(fd);
	return r;
}

/* The host went away: nothing is left to do for anybody. */
static void send_frame(char type, const void *data, uint32_t size)
{
	static char frame[FRAME_MAX + 5];
	uint32_t le = htole32(size);

	frame[0] = type;
	memcpy(frame + 1, &le, sizeof(le));
	memcpy(frame + 5, data, size);
	if (write_all(port_fd, frame, size + 5) < 0)
		power_off();
}

static void read_exactly(void *data, size_t size)
{
	char *p = data;

	while (size) {
		ssize_t n = read(port_fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			power_off();
		p += n;
		size -= n;
	}
}

/* By name in sysfs: the /dev/virtio-ports links are udev's and may be late. */
static void open_port(void)
{
	DIR *dir = opendir("/sys/class/virtio-ports");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char path[PATH_MAX], name[64] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", entry->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fscanf(f, "%63s", name) == 1 && !strcmp(name, PORT_NAME)) {
			snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
			port_fd = open(path, O_RDWR | O_CLOEXEC);
		}
		fclose(f);
	}
	if (dir)
		closedir(dir);
	if (port_fd < 0)
		fatal("no virtio port " PORT_NAME);
}

static void child(char **argv, int err_fd)
{
	sigset_t none;
	int null_fd;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)write_file("/proc/self/oom_score_adj", "0");
	(void)write_file(GROUP "/cgroup.procs", "0");
	if (!job.pty) {
		setsid();
		null_fd = open("/dev/null", O_RDONLY);
		dup2(null_fd, 0);
		dup2(job.out_fd, 1);
		dup2(err_fd, 2);
		if (null_fd > 2)
			close(null_fd);
	}
	(void)chdir("/root");
	execvp(argv[0], argv);
	dprintf(2, "rig: %s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static void job_start(char *payload, uint32_t size)
{
	struct winsize ws = {};
	char *argv[ARG_MAX_COUNT + 1], *p = payload + 5;
	int out[2], err[2], argc = 0;
	uint16_t rows, columns;

	if (size < 7 || payload[size - 1] || job.pid) {
		send_frame('F', "bad request", 11);
		return;
	}
	job.pty = payload[0];
	memcpy(&rows, payload + 1, 2);
	memcpy(&columns, payload + 3, 2);
	ws.ws_row = le16toh(rows);
	ws.ws_col = le16toh(columns);
	for (; p < payload + size && argc < ARG_MAX_COUNT; p += strlen(p) + 1)
		argv[argc++] = p;
	argv[argc] = NULL;

	(void)mkdir(GROUP, 0755);
	if (job.pty) {
		job.pid = forkpty(&job.out_fd, NULL, NULL, &ws);
		if (!job.pid)
			child(argv, -1);
	} else {
		if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
			fatal("pipe");
		job.out_fd = out[1];
		job.pid = fork();
		if (!job.pid)
			child(argv, err[1]);
		close(out[1]);
		close(err[1]);
		job.out_fd = out[0];
		job.err_fd = err[0];
		fcntl(job.err_fd, F_SETFL, O_NONBLOCK);
	}
	if (job.pid < 0)
		fatal("fork");
	fcntl(job.out_fd, F_SETFD, FD_CLOEXEC);
	fcntl(job.out_fd, F_SETFL, O_NONBLOCK);
}

/* Passes on what is there now; false at the end of the stream. */
static bool pump(int fd, char type, bool until_empty)
{
	static char buffer[FRAME_MAX];
	ssize_t n;

	do {
		n = read(fd, buffer, sizeof(buffer));
		if (n > 0)
			send_frame(type, buffer, n);
	} while ((n > 0 && until_empty) || (n < 0 && errno == EINTR));
	return n > 0 || (n < 0 && errno == EAGAIN);
}

static void pump_or_close(int *fd, char type)
{
	if (*fd >= 0 && !pump(*fd, type, false)) {
		close(*fd);
		*fd = -1;
	}
}

static void job_end(int status)
{
	char text[96], taint[32] = "?";
	FILE *f;

	(void)write_file(GROUP "/cgroup.kill", "1");
	if (job.out_fd >= 0) {
		(void)pump(job.out_fd, 'O', true);
		close(job.out_fd);
	}
	if (job.err_fd >= 0) {
		(void)pump(job.err_fd, 'E', true);
		close(job.err_fd);
	}
	job = (struct job){ .out_fd = -1, .err_fd = -1 };

	f = fopen("/proc/sys/kernel/tainted", "re");
	if (f) {
		if (fscanf(f, "%31s", taint) != 1)
			strcpy(taint, "?");
		fclose(f);
	}
	snprintf(text, sizeof(text), "%s %d taint %s", WIFSIGNALED(status) ? "signal" : "exit",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), taint);
	send_frame('C', text, strlen(text));
}

/* As process 1 we inherit every orphan: reap all, act on our own. */
static void reap(int signal_fd)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(signal_fd, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == job.pid)
			job_end(status);
	}
}

static void resize(const char *payload)
{
	uint16_t rows, columns;
	struct winsize ws = {};

	memcpy(&rows, payload, 2);
	memcpy(&columns, payload + 2, 2);
	ws.ws_row = le16toh(rows);
	ws.ws_col = le16toh(columns);
	(void)ioctl(job.out_fd, TIOCSWINSZ, &ws);
}

static void serve_host(void)
{
	static char payload[FRAME_MAX + 1];
	char header[5], sysrq[2] = "";
	uint32_t size;

	read_exactly(header, sizeof(header));
	memcpy(&size, header + 1, sizeof(size));
	size = le32toh(size);
	if (size > FRAME_MAX)
		fatal("frame too long");
	read_exactly(payload, size);
	payload[size] = '\0';

	switch (header[0]) {
	case 'X':
		job_start(payload, size);
		break;
	case 'I':
		if (job.pty && job.out_fd >= 0)
			(void)write_all(job.out_fd, payload, size);
		break;
	case 'W':
		if (job.pty && job.out_fd >= 0 && size == 4)
			resize(payload);
		break;
	case 'K':
		if (job.pid && size == 1)
			(void)kill(-job.pid, payload[0]);
		break;
	case 'M':
		(void)write_file("/dev/kmsg", payload);
		break;
	case 'S':
		sysrq[0] = payload[0];
		(void)write_file("/proc/sysrq-trigger", sysrq);
		break;
	case 'P':
		power_off();
	}
}

int main(void)
{
	struct pollfd fds[4];
	sigset_t mask;
	int signal_fd;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signal_fd < 0)
		fatal("signalfd");
	(void)write_file("/proc/self/oom_score_adj", "-1000");
	open_port();
	send_frame('H', "", 0);

	for (;;) {
		fds[0] = (struct pollfd){ .fd = port_fd, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = signal_fd, .events = POLLIN };
		fds[2] = (struct pollfd){ .fd = job.out_fd, .events = POLLIN };
		fds[3] = (struct pollfd){ .fd = job.err_fd, .events = POLLIN };
		if (poll(fds, 4, -1) < 0 && errno != EINTR)
			fatal("poll");

		if (fds[2].revents)
			pump_or_close(&job.out_fd, 'O');
		if (fds[3].revents)
			pump_or_close(&job.err_fd, 'E');
		if (fds[1].revents)
			reap(signal_fd);
		if (fds[0].revents & POLLIN)
			serve_host();
		else if (fds[0].revents & POLLHUP)
			power_off();
	}
}

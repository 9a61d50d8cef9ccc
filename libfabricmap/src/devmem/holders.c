// SPDX-License-Identifier: MIT
/*
 * Who has devmem fds: every process's fdinfo. Processes and fds come and go meanwhile; what has gone is not there.
 */
#include "base/base.h"
#include "base/read.h"
#include "devmem/fdinfo.h"
#include "public/public.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

static void closedirp(DIR **folder)
{
	if (*folder)
		(void)closedir(*folder); /* only read from */
}

static DIR *folder_open(int fd, const char *name)
{
	int folder_fd = openat(fd, name, FOLDER_FLAGS);
	DIR *folder;

	if (folder_fd < 0)
		return NULL;
	folder = fdopendir(folder_fd);
	if (!folder)
		closep(&folder_fd);
	return folder;
}

/* The beginning of a file, as text. */
static int text_read(int folder_fd, const char *name, char *text, size_t size)
{
	_cleanup_(closep) int fd = -1;
	ssize_t n;

	fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read_to_end(fd, text, size - 1);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	return 0;
}

static int64_t uid_read(int pid_fd)
{
	char text[4096];
	const char *line;
	long uid;

	if (text_read(pid_fd, "status", text, sizeof(text)) < 0)
		return FABRICMAP_UNKNOWN;
	line = strstr(text, "\nUid:");
	if (!line || sscanf(line, "\nUid: %ld", &uid) != 1)
		return FABRICMAP_UNKNOWN;
	return uid;
}

/* A process chooses its name: it may hold anything. */
static char *comm_read(int pid_fd)
{
	char text[64];

	if (text_read(pid_fd, "comm", text, sizeof(text)) < 0)
		return strdup("?");
	text[strcspn(text, "\n")] = '\0';
	for (char *p = text; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	return strdup(text[0] ? text : "?");
}

static int holder_add(struct fabricmap_holders *holders, int pid_fd, int64_t pid, const struct fdinfo *info)
{
	struct fabricmap_holder holder = {
		.device = strdup(info->device),
		.region = strdup(info->region),
		.comm = comm_read(pid_fd),
		.pid = pid,
		.uid = uid_read(pid_fd),
		.devmem_id = info->devmem_id,
		.resident_bytes = info->resident_bytes,
	};

	if (!holder.device || !holder.region || !holder.comm) {
		free(holder.device);
		free(holder.region);
		free(holder.comm);
		return -ENOMEM;
	}
	return fabricmap_holders_add(holders, &holder);
}

/* A process that is looked into. */
struct process {
	struct fabricmap_holders *holders;
	const char *device; /* or NULL */
	int64_t pid;
	int fd; /* its folder */
	bool is_unreadable;
};

/* @name: a folder of fdinfo below that of the process. Return: 1: there are fds; 0: there are none; a fatal error. */
static int fds_scan(struct process *process, const char *name)
{
	_cleanup_(closedirp) DIR *folder = NULL;
	const struct dirent *entry;
	struct fdinfo info;
	char text[4096];
	int r, any = 0;

	folder = folder_open(process->fd, name);
	if (!folder) {
		process->is_unreadable |= errno == EACCES || errno == EPERM;
		return errno == ENOMEM || errno == EMFILE || errno == ENFILE ? -errno : 0;
	}
	while ((entry = readdir(folder))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		any = 1;
		r = text_read(dirfd(folder), entry->d_name, text, sizeof(text));
		if (r == -EACCES || r == -EPERM) {
			process->is_unreadable = true;
			break;
		}
		if (r < 0 || fdinfo_parse(text, &info) <= 0)
			continue;
		if (process->device && strcmp(process->device, info.device))
			continue;
		r = holder_add(process->holders, process->fd, process->pid, &info);
		if (r < 0)
			return r;
	}
	return any;
}

/* The first thread of a process shows no fds any more when it has ended; the others do. */
static int threads_scan(struct process *process)
{
	_cleanup_(closedirp) DIR *folder = folder_open(process->fd, "task");
	const struct dirent *entry;
	char name[64];
	int r = 0;

	while (folder && r == 0 && (entry = readdir(folder))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		(void)snprintf(name, sizeof(name), "task/%.20s/fdinfo", entry->d_name);
		r = fds_scan(process, name);
	}
	return r;
}

static int process_scan(struct fabricmap_holders *holders, int proc_fd, const char *pid, const char *device)
{
	_cleanup_(closep) int fd = openat(proc_fd, pid, FOLDER_FLAGS);
	struct process process = {
		.holders = holders,
		.device = device,
		.pid = strtoll(pid, NULL, 10),
		.fd = fd,
	};
	int r;

	if (fd < 0)
		return 0;
	r = fds_scan(&process, "fdinfo");
	if (r == 0 && !process.is_unreadable)
		r = threads_scan(&process);
	holders->n_unreadable += process.is_unreadable;
	return r < 0 ? r : 0;
}

FABRICMAP_EXPORT int fabricmap_holders_scan(const char *proc, const char *device, struct fabricmap_holders **ret)
{
	_cleanup_(fabricmap_holders_freep) struct fabricmap_holders *holders = NULL;
	_cleanup_(closedirp) DIR *folder = NULL;
	const struct dirent *entry;
	int r;

	r = fabricmap_holders_new(&holders);
	if (r < 0)
		return r;
	folder = folder_open(AT_FDCWD, proc ?: "/proc");
	if (!folder)
		return -errno;
	while ((entry = readdir(folder))) {
		if (entry->d_name[strspn(entry->d_name, "0123456789")])
			continue;
		r = process_scan(holders, dirfd(folder), entry->d_name, device);
		if (r < 0)
			return r;
	}
	fabricmap_holders_sort(holders);
	*ret = steal_ptr(&holders);
	return 0;
}

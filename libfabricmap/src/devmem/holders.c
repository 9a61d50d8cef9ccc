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

static int process_scan(struct fabricmap_holders *holders, int proc_fd, const char *pid, const char *device)
{
	_cleanup_(closedirp) DIR *folder = NULL;
	_cleanup_(closep) int pid_fd = -1;
	const struct dirent *entry;
	struct fdinfo info;
	char text[4096];
	int r;

	pid_fd = openat(proc_fd, pid, FOLDER_FLAGS);
	if (pid_fd < 0)
		return 0;
	folder = folder_open(pid_fd, "fdinfo");
	if (!folder) {
		if (errno == EACCES || errno == EPERM)
			holders->n_unreadable++;
		return errno == ENOMEM || errno == EMFILE || errno == ENFILE ? -errno : 0;
	}
	while ((entry = readdir(folder))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		r = text_read(dirfd(folder), entry->d_name, text, sizeof(text));
		if (r == -EACCES || r == -EPERM) {
			holders->n_unreadable++;
			break;
		}
		if (r < 0 || fdinfo_parse(text, &info) <= 0)
			continue;
		if (device && strcmp(device, info.device))
			continue;
		r = holder_add(holders, pid_fd, strtoll(pid, NULL, 10), &info);
		if (r < 0)
			return r;
	}
	return 0;
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

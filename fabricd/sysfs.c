// SPDX-License-Identifier: MIT
/* No state. Names in paths have been checked by the caller with sysfs_name_is_valid(). */
#include "sysfs.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <drm/drm_fabric.h>

#include "base/name.h"
#include "base/sum.h"
#include "source/tree.h"

enum {
	BUSES_MAX = 1024,
	REGIONS_MAX = 64,
};

bool sysfs_name_is_valid(const char *name)
{
	return name_is_good(name, DRM_FABRIC_DEVICE_NAME_SIZE);
}

/* The folder of a path through links, but not out of the root; then the file in it. */
static int read_at(int root_fd, char *ret, size_t size, char *path)
{
	char *slash = strrchr(path, '/'), *text;
	int folder_fd, r;

	*slash = '\0';
	folder_fd = tree_open_folder(root_fd, path);
	if (folder_fd < 0)
		return folder_fd;
	r = tree_read(folder_fd, slash + 1, TREE_VALUE_MAX_BYTES, &text);
	(void)close(folder_fd);
	if (r < 0)
		return r;
	if (strlen(text) < size)
		r = (int)strlen(strcpy(ret, text));
	else
		r = -EBADMSG;
	free(text);
	return r;
}

static int format_path(char *ret, const char *format, va_list args)
{
	int n = vsnprintf(ret, PATH_MAX, format, args);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int sysfs_read(int root_fd, char *ret, size_t size, const char *format, ...)
{
	char path[PATH_MAX];
	va_list args;
	int r;

	va_start(args, format);
	r = format_path(path, format, args);
	va_end(args);
	return r < 0 ? r : read_at(root_fd, ret, size, path);
}

int sysfs_read_int(int root_fd, int64_t *ret, const char *format, ...)
{
	char path[PATH_MAX], text[32];
	va_list args;
	int r;

	va_start(args, format);
	r = format_path(path, format, args);
	va_end(args);
	if (r >= 0)
		r = read_at(root_fd, text, sizeof(text), path);
	return r < 0 ? r : tree_parse_number(text, ret);
}

/* Only what says so is an absence: too many open files are none. */
static int has_folder(int root_fd, const char *path)
{
	int fd = tree_open_folder(root_fd, path);

	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR ? 0 : fd;
	(void)close(fd);
	return 1;
}

int sysfs_has_device(int root_fd, const char *device)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "class/drm_fabric/%s", device);
	return has_folder(root_fd, path);
}

int sysfs_resident_bytes(int root_fd, const char *device, int64_t *ret)
{
	struct tree_list regions;
	int64_t total = 0, bytes;
	char path[PATH_MAX];
	int fd, r;

	(void)snprintf(path, sizeof(path), "class/drm_fabric/%s/regions", device);
	fd = tree_open_folder(root_fd, path);
	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR ? -ENODEV : fd;
	r = tree_list(fd, REGIONS_MAX, &regions);
	(void)close(fd);
	if (r < 0)
		return r;
	/* A file that goes while we read is a device that goes: the next look will tell. */
	for (size_t i = 0; i < regions.n_names; i++)
		if (sysfs_read_int(root_fd, &bytes, "%s/%s/resident_bytes", path, regions.names[i]) == 0)
			total = sum_saturated(total, bytes);
	tree_list_fini(&regions);
	*ret = total;
	return 0;
}

int sysfs_bus_of(int root_fd, const char *device, char *ret, size_t size)
{
	struct tree_list buses;
	char path[PATH_MAX];
	int fd, r;

	fd = tree_open_folder(root_fd, "bus");
	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR ? -ENODEV : fd;
	r = tree_list(fd, BUSES_MAX, &buses);
	(void)close(fd);
	if (r < 0)
		return r;
	r = -ENODEV;
	for (size_t i = 0; i < buses.n_names && r < 0; i++) {
		int found;

		if (strlen(buses.names[i]) >= size)
			continue;
		(void)snprintf(path, sizeof(path), "bus/%s/devices/%s", buses.names[i], device);
		found = has_folder(root_fd, path);
		if (found < 0)
			r = found; /* unless another bus has it */
		if (found <= 0)
			continue;
		strcpy(ret, buses.names[i]);
		r = 0;
	}
	tree_list_fini(&buses);
	return r;
}

int sysfs_has_driver(int root_fd, const char *bus, const char *device)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "bus/%s/devices/%s/driver", bus, device);
	return has_folder(root_fd, path);
}

// SPDX-License-Identifier: MIT
/*
 * Reading files that nobody vouches for. Stateless.
 */
#include "source/tree.h"

#include "base/base.h"
#include "base/read.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

int tree_open(const char *root)
{
	int fd = open(root ?: "/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Remove the last component of @path. */
static void path_pop(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash)
		*slash = '\0';
	else
		*path = '\0';
}

/*
 * One component at a time: @done is a path without links and without "..", @left is still to be looked at. What
 * changes meanwhile may fool it; that takes somebody who may write below the root.
 */
int tree_open_folder_walk(int root_fd, const char *path)
{
	char done[PATH_MAX] = "", left[PATH_MAX], target[PATH_MAX], rest[PATH_MAX];
	unsigned int n_links = 0;
	int fd;

	if (strlen(path) >= sizeof(left))
		return -ENAMETOOLONG;
	strcpy(left, path);
	if (left[0] == '/')
		return -EXDEV;
	while (left[0]) {
		size_t length = strcspn(left, "/"), done_length = strlen(done);
		ssize_t target_length;

		strcpy(rest, left + length + strspn(left + length, "/"));
		left[length] = '\0';
		if (length == 0 || !strcmp(left, ".")) {
			strcpy(left, rest);
			continue;
		}
		if (!strcmp(left, "..")) {
			if (!done[0])
				return -EXDEV;
			path_pop(done);
			strcpy(left, rest);
			continue;
		}
		if (done_length + 1 + length >= sizeof(done))
			return -ENAMETOOLONG;
		if (done_length > 0)
			strcat(done, "/");
		strcat(done, left);
		target_length = readlinkat(root_fd, done, target, sizeof(target) - 1);
		if (target_length < 0) {
			if (errno != EINVAL)
				return -errno;
			strcpy(left, rest);
			continue;
		}
		target[target_length] = '\0';
		if (++n_links > TREE_LINKS_MAX)
			return -ELOOP;
		if (target[0] == '/')
			return -EXDEV;
		if ((size_t)target_length + 1 + strlen(rest) >= sizeof(left))
			return -ENAMETOOLONG;
		path_pop(done);
		strcpy(left, target);
		strcat(left, "/");
		strcat(left, rest);
	}
	fd = openat(root_fd, done[0] ? done : ".", FOLDER_FLAGS | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

int tree_open_folder(int root_fd, const char *path)
{
	const struct open_how how = {
		.flags = FOLDER_FLAGS,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int fd, n_tries = 0;

	/* -EAGAIN: something was renamed meanwhile (openat2(2)). */
	do
		fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN && ++n_tries < 8);
	if (fd >= 0)
		return fd;
	/* Before Linux 5.6, and in sandboxes whose filter does not know it. */
	if (errno == ENOSYS || errno == EPERM)
		return tree_open_folder_walk(root_fd, path);
	return -errno;
}

int tree_open_subfolder(int folder_fd, const char *name)
{
	int fd = openat(folder_fd, name, FOLDER_FLAGS | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

void tree_list_fini(struct tree_list *list)
{
	for (size_t i = 0; i < list->n_names; i++)
		free(list->names[i]);
	free(list->names);
	*list = (struct tree_list){ 0 };
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_regular(int folder_fd, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_REG;
	return fstatat(folder_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

/* What is regular files, or what is not. */
static int list_entries(int folder_fd, size_t n_max, bool files, struct tree_list *ret)
{
	_cleanup_(tree_list_fini) struct tree_list list = { 0 };
	size_t size = 0;
	DIR *folder;
	int fd, r = 0;

	fd = openat(folder_fd, ".", FOLDER_FLAGS);
	if (fd < 0)
		return -errno;
	folder = fdopendir(fd);
	if (!folder) {
		r = -errno;
		(void)close(fd);
		return r;
	}
	for (;;) {
		const struct dirent *entry;

		errno = 0;
		entry = readdir(folder);
		if (!entry) {
			r = -errno;
			break;
		}
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
		    is_regular(folder_fd, entry) != files)
			continue;
		if (list.n_names >= n_max) {
			r = -E2BIG;
			break;
		}
		if (list.n_names >= size) {
			char **grown = reallocarray(list.names, size ? size * 2 : 16, sizeof(*grown));

			if (!grown) {
				r = -ENOMEM;
				break;
			}
			list.names = grown;
			size = size ? size * 2 : 16;
		}
		list.names[list.n_names] = strdup(entry->d_name);
		if (!list.names[list.n_names]) {
			r = -ENOMEM;
			break;
		}
		list.n_names++;
	}
	(void)closedir(folder); /* only read from */
	if (r < 0)
		return r;
	if (list.n_names > 0)
		qsort(list.names, list.n_names, sizeof(*list.names), name_compare);
	*ret = list;
	list = (struct tree_list){ 0 };
	return 0;
}

int tree_list(int folder_fd, size_t n_max, struct tree_list *ret)
{
	return list_entries(folder_fd, n_max, false, ret);
}

int tree_list_files(int folder_fd, size_t n_max, struct tree_list *ret)
{
	return list_entries(folder_fd, n_max, true, ret);
}

static int open_file_walk(int folder_fd, const char *path, int flags)
{
	_cleanup_(closep) int folder = -1;
	char name[NAME_MAX + 1];
	const char *slash;
	int fd;

	while ((slash = strchr(path, '/'))) {
		size_t length = (size_t)(slash - path);

		if (length >= sizeof(name))
			return -ENAMETOOLONG;
		memcpy(name, path, length);
		name[length] = '\0';
		fd = tree_open_subfolder(folder < 0 ? folder_fd : folder, name);
		if (fd < 0)
			return fd;
		closep(&folder);
		folder = fd;
		path = slash + 1;
	}
	fd = openat(folder < 0 ? folder_fd : folder, path, flags);
	return fd < 0 ? -errno : fd;
}

/* A regular file, through no link anywhere on the way. */
static int open_file(int folder_fd, const char *path)
{
	enum { FLAGS = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC };
	const struct open_how how = { .flags = FLAGS, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	_cleanup_(closep) int fd = -1;
	struct stat st;

	/* Looked at before it is opened: to open a device can do something. */
	if (fstatat(folder_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return -ELOOP;
	if (!S_ISREG(st.st_mode))
		return -ENOTSUP;
	if (strchr(path, '/')) {
		fd = (int)syscall(SYS_openat2, folder_fd, path, &how, sizeof(how));
		if (fd < 0)
			fd = errno == ENOSYS || errno == EPERM ? open_file_walk(folder_fd, path, FLAGS) : -errno;
	} else {
		fd = openat(folder_fd, path, FLAGS);
		if (fd < 0)
			return -errno;
	}
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOTSUP;
	return steal_fd(&fd);
}

int tree_read(int folder_fd, const char *name, size_t max_bytes, char **ret)
{
	_cleanup_(closep) int fd = -1;
	_cleanup_(freep) char *text = NULL;
	ssize_t length;
	size_t n;

	fd = open_file(folder_fd, name);
	if (fd < 0)
		return fd;
	/* One more tells a file that is too long. */
	text = malloc(max_bytes + 2);
	if (!text)
		return -ENOMEM;
	length = read_to_end(fd, text, max_bytes + 1);
	if (length < 0)
		return (int)length;
	n = (size_t)length;
	if (n > max_bytes)
		return -EFBIG;
	if (n > 0 && text[n - 1] == '\n')
		n--;
	if (n == 0)
		return -ENODATA;
	for (size_t i = 0; i < n; i++)
		if (text[i] < ' ' || text[i] > '~')
			return -EILSEQ;
	text[n] = '\0';
	*ret = steal_ptr(&text);
	return 0;
}

ssize_t tree_read_lines(int folder_fd, const char *path, char *buffer, size_t size)
{
	_cleanup_(closep) int fd = -1;
	ssize_t length;

	fd = open_file(folder_fd, path);
	if (fd < 0)
		return fd;
	length = read_to_end(fd, buffer, size);
	if (length < 0)
		return length;
	if ((size_t)length >= size)
		return -EFBIG;
	for (ssize_t i = 0; i < length; i++)
		if ((buffer[i] < ' ' || buffer[i] > '~') && buffer[i] != '\n' && buffer[i] != '\t')
			return -EBADMSG;
	buffer[length] = '\0';
	return length == 0 ? -ENODATA : length;
}

int tree_parse_number(const char *text, int64_t *ret)
{
	const char *digits = *text == '-' ? text + 1 : text;
	int64_t value = 0;

	if (!*digits || digits[strspn(digits, "0123456789")])
		return -EINVAL;
	if (digits != text)
		return -ERANGE;
	for (; *digits; digits++)
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *digits - '0', &value))
			return -ERANGE;
	*ret = value;
	return 0;
}

int tree_read_number(int folder_fd, const char *name, int64_t *ret)
{
	_cleanup_(freep) char *text = NULL;
	int r;

	r = tree_read(folder_fd, name, TREE_VALUE_MAX_BYTES, &text);
	if (r < 0)
		return r;
	return tree_parse_number(text, ret);
}

const char *tree_strerror(int r)
{
	switch (r) {
	case -ENOENT:
		return "missing";
	case -ENOTSUP:
		return "not a regular file";
	case -ENOTDIR:
		return "not a folder";
	case -ELOOP:
		return "a link where none belongs, or too many";
	case -EXDEV:
		return "a link out of the tree";
	case -EFBIG:
		return "too long";
	case -E2BIG:
		return "too many";
	case -EILSEQ:
		return "not one line of text";
	case -EBADMSG:
		return "not plain text";
	case -ENODATA:
		return "empty";
	case -EINVAL:
		return "not what belongs there";
	case -ERANGE:
		return "out of range";
	case -EEXIST:
		return "there twice";
	case -ENODEV:
		return "gone";
	default:
		return strerrordesc_np(-r) ?: "unreadable";
	}
}

/* SPDX-License-Identifier: MIT */
/*
 * tree - reading files of sysfs, or of a captured tree of one, that nobody vouches for.
 *
 * Folders are found by following links, but never out of the root. Values are read from regular files only, through
 * no link, up to a limit, and have to be text. No call waits for anybody.
 */
#ifndef FABRICMAP_SOURCE_TREE_H
#define FABRICMAP_SOURCE_TREE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	TREE_VALUE_MAX_BYTES = 4096,
	TREE_LIST_VALUE_MAX_BYTES = 1 << 16, /* of a file that holds a list: a page of the largest size */
	TREE_LINKS_MAX = 16,
};

/* An fd of the root; NULL is "/sys". */
int tree_open(const char *root);

/**
 * tree_open_folder() - open a folder below the root, through links
 * @path: relative to the root
 *
 * Return: an fd, -EXDEV a link leads out of the root, -ELOOP, -ENOENT, -ENOTDIR, other errors of open().
 */
int tree_open_folder(int root_fd, const char *path);

/* The same without openat2(), for kernels and sandboxes that do not have it. */
int tree_open_folder_walk(int root_fd, const char *path);

/* A folder in a folder, not through a link (-ELOOP or -ENOTDIR). */
int tree_open_subfolder(int folder_fd, const char *name);

struct tree_list {
	char **names; /* sorted */
	size_t n_names;
};

void tree_list_fini(struct tree_list *list);

/**
 * tree_list() - what is in a folder, without regular files
 * @ret: the caller finishes it
 *
 * Return: 0, -E2BIG more than @n_max, -ENOMEM, errors of reading.
 */
int tree_list(int folder_fd, size_t n_max, struct tree_list *ret);

/* The regular files in it. */
int tree_list_files(int folder_fd, size_t n_max, struct tree_list *ret);

/**
 * tree_read() - the value in a file
 * @ret: one line, without the newline at its end; the caller frees it
 *
 * Return: 0, -ENOENT, -ELOOP a link, -ENOTSUP not a regular file, -EFBIG, -EILSEQ not one line of
 * printable ASCII, -ENODATA empty, -ENOMEM, errors of reading.
 */
int tree_read(int folder_fd, const char *name, size_t max_bytes, char **ret);

/**
 * tree_read_lines() - text of several lines, from a file in a folder or in folders below it
 * @path: through no link anywhere
 * @buffer: filled, with a NUL at its end
 *
 * Return: length in bytes, or as tree_read(), but -EBADMSG what is not printable ASCII, tabs and newlines.
 */
ssize_t tree_read_lines(int folder_fd, const char *path, char *buffer, size_t size);

/* A decimal number from 0 to INT64_MAX; -ERANGE for other numbers and -EINVAL for other texts; else as tree_read(). */
int tree_read_number(int folder_fd, const char *name, int64_t *ret);

/* The parser by itself. */
int tree_parse_number(const char *text, int64_t *ret);

/* What a negative result of the functions above means, for a warning; static. */
const char *tree_strerror(int r);

#endif

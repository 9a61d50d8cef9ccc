// SPDX-License-Identifier: MIT
/* Topologies from files and folders. XML becomes our JSON before the library sees it. */
#include "fabricctl.h"

#include "import/import.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { HEAD_SIZE = 256 };

/* All of a regular file, for parsers; NULL and *ret_r. The caller frees it. */
static char *file_read(int fd, size_t size, size_t *ret_length, int *ret_r)
{
	_cleanup_(freep) char *text = malloc(size + 1);
	size_t n = 0;
	char *done;

	if (!text) {
		*ret_r = -ENOMEM;
		return NULL;
	}
	while (n < size) {
		ssize_t r = read(fd, text + n, size - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			*ret_r = -errno;
			return NULL;
		}
		if (r == 0)
			break;
		n += (size_t)r;
	}
	done = text;
	text = NULL;
	*ret_length = n;
	*ret_r = 0;
	return done;
}

static int xml_load(int fd, size_t size, struct fabricmap **ret, char **ret_error)
{
	_cleanup_(freep) char *text = NULL;
	_cleanup_(freep) char *json = NULL;
	size_t length;
	int r;

	if (size > IMPORT_MAX_BYTES) {
		if (asprintf(ret_error, "XML: longer than %d MiB", IMPORT_MAX_BYTES >> 20) < 0)
			*ret_error = NULL;
		return -E2BIG;
	}
	text = file_read(fd, size, &length, &r);
	if (!text)
		return r;
	r = import_xml(text, length, &json, ret_error);
	return r < 0 ? r : fabricmap_open_json_explain(json, ret, ret_error);
}

int topology_load(const char *path, struct fabricmap **ret, char **ret_error)
{
	_cleanup_(closep) int fd = -1;
	char head[HEAD_SIZE];
	struct stat st;
	ssize_t n;

	*ret_error = NULL;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	/* What it cannot look into the library shall complain of. */
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return fabricmap_open_path(path, ret, ret_error);
	n = pread(fd, head, sizeof(head), 0);
	if (n > 0 && import_is_xml(head, (size_t)n))
		return xml_load(fd, (size_t)st.st_size, ret, ret_error);
	return fabricmap_open_path(path, ret, ret_error);
}

void map_warn(const char *verb, const struct fabricmap *map)
{
	for (size_t i = 0; i < fabricmap_n_warnings(map); i++)
		error_print("%s: warning: %s", verb, fabricmap_warning(map, i));
}

int map_load(const char *verb, const char *path, struct fabricmap **ret)
{
	_cleanup_(freep) char *error = NULL;
	int r;

	r = topology_load(path, ret, &error);
	if (r < 0) {
		error_print("%s: %s: %s", verb, path, error ?: strerrordesc_np(-r) ?: "unreadable");
		return r;
	}
	map_warn(verb, *ret);
	return 0;
}

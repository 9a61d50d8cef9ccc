// SPDX-License-Identifier: MIT
/* A file that may be XML. */
#include "import/import.h"

#include "base/base.h"
#include "base/read.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum { HEAD_SIZE = 256 };

int import_file(const char *path, char **ret, char **ret_error)
{
	_cleanup_(freep) char *text = NULL;
	_cleanup_(closep) int fd = -1;
	char head[HEAD_SIZE];
	struct stat st;
	ssize_t n;
	int r;

	*ret_error = NULL;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	n = pread(fd, head, sizeof(head), 0);
	if (n <= 0 || !import_is_xml(head, (size_t)n))
		return 0;
	if (st.st_size > IMPORT_MAX_BYTES) {
		if (asprintf(ret_error, "XML: longer than %d MiB", IMPORT_MAX_BYTES >> 20) < 0)
			*ret_error = NULL;
		return -E2BIG;
	}
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	n = read_to_end(fd, text, (size_t)st.st_size);
	if (n < 0)
		return (int)n;
	r = import_xml(text, (size_t)n, ret, ret_error);
	return r < 0 ? r : 1;
}

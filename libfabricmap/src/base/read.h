/* SPDX-License-Identifier: MIT */
/* read - a file from here to its end. */
#ifndef FABRICMAP_READ_H
#define FABRICMAP_READ_H

#include <errno.h>
#include <sys/types.h>
#include <unistd.h>

/* At most @size bytes. Return: how many there were, or a negative errno. */
static inline ssize_t read_to_end(int fd, char *ret, size_t size)
{
	size_t n = 0;

	while (n < size) {
		ssize_t r = read(fd, ret + n, size - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		n += (size_t)r;
	}
	return (ssize_t)n;
}

#endif

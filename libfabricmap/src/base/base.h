/* SPDX-License-Identifier: MIT */
/*
 * base - the two macros of ownership, and what goes with them.
 *
 *	_cleanup_(freep) char *text = NULL;
 *	...
 *	*ret = steal_ptr(&text);
 *	return 0;
 */
#ifndef FABRICMAP_BASE_H
#define FABRICMAP_BASE_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((__cleanup__(fn)))

/* The value of a pointer variable, which is NULL afterwards. */
#define steal_ptr(p)                                   \
	({                                             \
		__typeof__(p) steal_p_ = (p);          \
		__typeof__(*(p)) steal_v_ = *steal_p_; \
		*steal_p_ = NULL;                      \
		steal_v_;                              \
	})

static inline int steal_fd(int *fd)
{
	int value = *fd;

	*fd = -1;
	return value;
}

/* p points to the pointer; void * so that it fits pointers of all types. */
static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void closep(int *fd)
{
	int saved_errno = errno;

	/* Nothing was written through these fds, and nobody could do anything about a failure. */
	if (*fd >= 0)
		(void)close(*fd);
	errno = saved_errno;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * closer - closes what clients sent and nobody asked for, beside the event loop.
 *
 * The last close() of a file is where the kernel does what its owner arranged for: a TCP socket waits for its data to
 * be taken (SO_LINGER), a file of FUSE for its server. Since Linux 6.16 such fds are kept out (SO_PASSRIGHTS, see
 * listen.c); before that, and on connections that were there before we were, they come here.
 */
#ifndef FABRICD_CLOSER_H
#define FABRICD_CLOSER_H

#include <stddef.h>

/* Closes them soon. Takes no memory, and never waits but with CLOSER_MAX waiting already. */
void closer_take(const int *fds, size_t n_fds);

enum {
	CLOSER_MAX = 1024, /* waiting to be closed */
	CLOSER_THREADS_MAX = 8, /* so many that hang hold nobody up */
};

#endif

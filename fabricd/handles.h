/* SPDX-License-Identifier: MIT */
/* handles - devmem fds for a placement: opened in a worker (the kernel may make struct pages), all or none. */
#ifndef FABRICD_HANDLES_H
#define FABRICD_HANDLES_H

#include <stddef.h>
#include <stdint.h>

struct credentials;
struct manager;

struct handle {
	char *device;
	char *region;
	char *render_node; /* as the kernel's fabric says; NULL: only libdrm can tell */
	int fd; /* -1 until it is open */
	uint64_t id;
};

struct handles {
	struct manager *manager;
	struct credentials *credentials; /* of who asks: it gets nothing that it could not open by itself */
	size_t n_failed; /* which one could not be opened */
	char failure[192]; /* of that one, for a person */
	size_t n;
	struct handle list[];
};

/* @result: 0 all are open; else a negative errno, and none is */
typedef void (*handles_done_fn)(struct handles *handles, int result, void *userdata);

/* Takes over the credentials, but not on failure. */
struct handles *handles_new(struct manager *manager, struct credentials *credentials, size_t n);
struct handles *handles_free(struct handles *handles); /* closes what is open */

/* Return: 0: @done will be called, and gets the handles; a negative errno: it will not. */
int handles_open(struct handles *handles, handles_done_fn done, void *userdata);

#endif

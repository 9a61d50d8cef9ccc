/* SPDX-License-Identifier: MIT */
/* What can be set: by options, and limits by a file of "name = value" lines. */
#ifndef FABRICD_CONFIG_H
#define FABRICD_CONFIG_H

#include <stdint.h>
#include <stdio.h>

#define FABRICD_SOCKET_PATH "/run/fabricd/org.drmfabric.Fabric"
#define FABRICD_ADMIN_SOCKET_PATH "/run/fabricd/org.drmfabric.Admin"

/* Named as in the file, in errors (LimitExceeded.limit) and in fabricd(8). All are numbers; most are limits. */
struct limits {
	uint64_t connections;
	uint64_t connections_per_uid;
	uint64_t subscriptions_per_uid;
	uint64_t buffered_bytes_per_uid;
	uint64_t unsent_bytes_per_connection;
	uint64_t unread_handles_per_uid;
	uint64_t requests_running_per_uid;
	uint64_t events_kept;
	uint64_t message_ms;
	uint64_t stall_ms;
	uint64_t drain_ms;
	uint64_t evict_stall_ms;
	uint64_t unbind_ms;
	uint64_t bring_back_ms;
};

struct config {
	const char *root; /* NULL: this machine */
	const char *socket_path, *admin_socket_path;
	const char *topology; /* what a file says of this machine; NULL: none */
	const char *file; /* NULL: none */
	struct limits limits;
};

void config_init(struct config *config);

/**
 * limits_read() - defaults, and what the file sets
 * @path: NULL for none
 *
 * A line that is wrong is logged with its number.
 *
 * Return: 0; -EINVAL; errors of fopen(). @ret is untouched then.
 */
int limits_read(const char *path, struct limits *ret);

/* One line each: name, default, meaning. */
void limits_print(FILE *file);

#endif

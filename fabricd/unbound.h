/* SPDX-License-Identifier: MIT */
/* unbound - devices that Remove has taken away and that their bus still has, so that BringBack can find them. */
#ifndef FABRICD_UNBOUND_H
#define FABRICD_UNBOUND_H

#include <stdint.h>
#include <sys/queue.h>

struct manager;

struct unbound {
	TAILQ_ENTRY(unbound) entry;
	char *device;
	int64_t incarnation; /* its last */
	int64_t numa_node; /* -1: unknown */
};

int unbound_add(struct manager *manager, const char *device, int64_t incarnation, int64_t numa_node);
struct unbound *unbound_find(struct manager *manager, const char *device);
void unbound_drop(struct manager *manager, struct unbound *unbound);

/* Forgets those that are in the fabric again, and those that their bus has lost. */
void unbound_refresh(struct manager *manager);

#endif

// SPDX-License-Identifier: MIT
/* A list in memory. A daemon that starts anew does not know them, and BringBack does not need it to: it takes any
 * device that a bus has and that no driver holds. */
#include "unbound.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "manager.h"
#include "sysfs.h"

int unbound_add(struct manager *manager, const char *device, int64_t incarnation, int64_t numa_node)
{
	struct unbound *unbound;

	if (unbound_find(manager, device))
		return 0;
	unbound = malloc(sizeof(*unbound));
	if (!unbound)
		return -ENOMEM;
	*unbound = (struct unbound){ .incarnation = incarnation, .numa_node = numa_node };
	unbound->device = strdup(device);
	if (!unbound->device) {
		free(unbound);
		return -ENOMEM;
	}
	TAILQ_INSERT_TAIL(&manager->unbound, unbound, entry);
	return 0;
}

struct unbound *unbound_find(struct manager *manager, const char *device)
{
	struct unbound *unbound;

	TAILQ_FOREACH(unbound, &manager->unbound, entry)
		if (!strcmp(unbound->device, device))
			return unbound;
	return NULL;
}

void unbound_drop(struct manager *manager, struct unbound *unbound)
{
	TAILQ_REMOVE(&manager->unbound, unbound, entry);
	free(unbound->device);
	free(unbound);
}

void unbound_refresh(struct manager *manager)
{
	struct unbound *unbound, *next;
	char bus[64];
	int r;

	for (unbound = TAILQ_FIRST(&manager->unbound); unbound; unbound = next) {
		next = TAILQ_NEXT(unbound, entry);
		r = sysfs_has_device(manager->sysfs_fd, unbound->device);
		if (r == 0 && sysfs_bus_of(manager->sysfs_fd, unbound->device, bus, sizeof(bus)) == -ENODEV)
			r = 1; /* gone for good */
		if (r == 1) /* what cannot be told now is told by the next look */
			unbound_drop(manager, unbound);
	}
}

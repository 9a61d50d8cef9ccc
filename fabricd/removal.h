/* SPDX-License-Identifier: MIT */
/*
 * removal - a device on its way out: draining, evicting, unbinding, done.
 *
 * The kernel does the work and holds the state; this asks it for the next step and watches sysfs. If the daemon dies
 * in the middle, the device stays in the state that it is in, and its successor can remove it or call it off.
 */
#ifndef FABRICD_REMOVAL_H
#define FABRICD_REMOVAL_H

#include <stdint.h>

struct call;
struct manager;

/* Answers the call when the device is away or stays; with 'more' also on the way. */
int removal_start(struct call *call, const char *device, uint32_t drain_ms);

/* Answers when the kernel has taken the device back. Also for a removal that somebody else has started. */
int removal_cancel(struct call *call, const char *device);

/* A device has left the fabric that a removal was unbinding: it is unbound from now on. */
void removal_notice_gone(struct manager *manager);

/* At the end of the daemon: lets go, and leaves the devices as they are. */
void removal_abandon_all(struct manager *manager);

#endif

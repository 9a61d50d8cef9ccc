/* SPDX-License-Identifier: MIT */
#ifndef FABRICD_BRING_BACK_H
#define FABRICD_BRING_BACK_H

struct call;
struct manager;

/**
 * bring_back_start() - have the bus look for a driver for a device, and wait until it is in the fabric
 *
 * For every device that a bus has and that no driver holds, whether or not this daemon took it away.
 */
int bring_back_start(struct call *call, const char *device);

void bring_back_abandon_all(struct manager *manager);

#endif

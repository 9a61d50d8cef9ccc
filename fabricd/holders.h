/* SPDX-License-Identifier: MIT */
#ifndef FABRICD_HOLDERS_H
#define FABRICD_HOLDERS_H

struct call;

/**
 * holders_list() - answer ListHolders
 * @device: NULL for all devices of the topology
 *
 * Who has devmem fds, from /proc/<pid>/fdinfo. A device without holders is listed with none. A process that has the
 * same handle under several numbers is listed once for it; two processes that share one are both listed.
 */
int holders_list(struct call *call, const char *device);

#endif

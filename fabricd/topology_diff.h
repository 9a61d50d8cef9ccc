/* SPDX-License-Identifier: MIT */
#ifndef FABRICD_TOPOLOGY_DIFF_H
#define FABRICD_TOPOLOGY_DIFF_H

#include "model/model.h"

struct journal;

/**
 * topology_diff_tell() - events for what differs between two topologies
 *
 * device_added, device_removed, state_changed; device_changed for everything else that a generation stands for: the
 * device's own facts and its links as accessor. Counters of bytes and handles are no events.
 */
void topology_diff_tell(struct journal *journal, const struct topology *old, const struct topology *new);

#endif

/* SPDX-License-Identifier: MIT */
/* What a file says of this machine beside what it shows itself: --topology. */
#ifndef FABRICD_TOPOLOGY_FILE_H
#define FABRICD_TOPOLOGY_FILE_H

struct topology;

/**
 * topology_file_read() - of any kind that fabricctl topo --topology takes
 * @ret: the caller's reference
 *
 * Failure is logged. Return: 0 or a negative errno.
 */
int topology_file_read(const char *path, struct topology **ret);

/**
 * topology_file_add() - to what the machine shows, which is believed more
 * @topology: replaced
 * @file: NULL changes nothing
 *
 * Return: 0 or a negative errno, @topology is untouched then.
 */
int topology_file_add(struct topology **topology, const struct topology *file);

#endif

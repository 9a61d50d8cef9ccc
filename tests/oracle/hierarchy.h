/* SPDX-License-Identifier: MIT */
/*
 * hierarchy - the best value of a size on machines of any size that are clusters in a tree: dynamic programming along
 * the tree, with tables of every subset at its leaves.
 */
#ifndef ORACLE_HIERARCHY_H
#define ORACLE_HIERARCHY_H

#include "machine.h"

enum {
	HIERARCHY_CLUSTER_MAX = 16, /* devices of a cluster; each has a table of its subsets */
};

/**
 * hierarchy_best() - the best that @k free devices can have
 * @busy: machine->n entries; NULL: all are free
 *
 * Return: SCORE_NONE if fewer than @k are free. Time and memory grow as n * k.
 */
struct score hierarchy_best(const struct machine *machine, const bool *busy, enum objective objective, size_t k);

#endif

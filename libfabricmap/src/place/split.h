/* SPDX-License-Identifier: MIT */
/*
 * split - pairs of an irregular part as what both ends give, and what is left of them: pair(i, j) = share(i) + share(j) +
 * rest(i, j). Where there is no structure the rest is noise, and what noise can add to a set is bounded by its largest
 * eigenvalue: much less than if every device had its best pairs.
 */
#ifndef FABRICMAP_PLACE_SPLIT_H
#define FABRICMAP_PLACE_SPLIT_H

#include "place/structure.h"

/* Beyond that, the eigenvalue takes longer (n^3) than anybody waits for. */
enum { SPLIT_MAX = 1200 };

/**
 * split_find() - split all pairs of @n > 2 devices
 * @cells: n * n, symmetric
 * @ret_shares: n
 * @ret_most: no eigenvalue of the rest, or of what is left of it without some of the devices, is larger; INFINITY: not
 *            found
 *
 * Return: 0, -ENOMEM.
 */
int split_find(const place_cell *cells, uint32_t n, double *ret_shares, double *ret_most);

#endif

/* SPDX-License-Identifier: MIT */
/* The public header needs nothing before it, and may come twice. */
#include <fabricmap.h>
#include <fabricmap.h>

size_t use(const struct fabricmap *map);

size_t use(const struct fabricmap *map)
{
	return fabricmap_n_devices(map);
}

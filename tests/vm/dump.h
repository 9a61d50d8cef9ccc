/* SPDX-License-Identifier: MIT */
/* All that sysfs says of the fabric, as one text, to be compared. */
#ifndef TESTS_DUMP_H
#define TESTS_DUMP_H

#include <stdbool.h>

/* @all: also what must depend on the order in which devices came. The caller frees it. */
char *dump_fabric(bool all);

#endif

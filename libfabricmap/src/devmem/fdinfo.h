/* SPDX-License-Identifier: MIT */
/* fdinfo - what the kernel writes about a devmem fd in /proc/<pid>/fdinfo/<fd>. */
#ifndef FABRICMAP_DEVMEM_FDINFO_H
#define FABRICMAP_DEVMEM_FDINFO_H

#include <stdint.h>

#include "fabricmap.h"

struct fdinfo {
	char device[FABRICMAP_DEVICE_NAME_SIZE];
	char region[FABRICMAP_REGION_NAME_SIZE];
	int64_t devmem_id;
	int64_t resident_bytes; /* or FABRICMAP_UNKNOWN */
};

/* 1: a devmem fd, 0: another file, -EBADMSG: it says that it is one, but not which. @text is NUL-terminated. */
int fdinfo_parse(const char *text, struct fdinfo *ret);

#endif

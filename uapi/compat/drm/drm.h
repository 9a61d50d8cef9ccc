/* SPDX-License-Identifier: MIT */
/*
 * The kernel's drm.h where linux-libc-dev leaves it out in favour of libdrm-dev (Debian 12). Found after the system's
 * own folders, and so only if those have none. Not installed.
 */
#include <libdrm/drm.h>

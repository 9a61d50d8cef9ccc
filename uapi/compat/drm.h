/* SPDX-License-Identifier: MIT */
/* libdrm's name of the kernel's drm.h, without pkg-config. Not installed. */
#include <drm/drm.h>

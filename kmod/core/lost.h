/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Devices that vanish: see lost.c.
 */
#ifndef FABRIC_LOST_H
#define FABRIC_LOST_H

#include "fabric.h"

void fabric_lost_init(struct drm_fabric_device *fdev);

#endif /* FABRIC_LOST_H */

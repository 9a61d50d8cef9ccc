/* SPDX-License-Identifier: MIT */
/*
 * source - makes a topology of what a machine, or a captured tree of one, shows.
 */
#ifndef FABRICMAP_SOURCE_H
#define FABRICMAP_SOURCE_H

#include "model/model.h"

/**
 * source_fabric_read() - read class/drm_fabric and class/drm_fabric_group below a root
 * @root: of a sysfs, or a captured tree of one; NULL is "/sys"
 * @ret: the topology
 *
 * Nothing outside of @root is read, whatever links the tree has. Files and folders that are missing, damaged or
 * hostile make warnings and leave out what they stand for. Without the class the topology has no device, its source
 * is "partial", and a warning says what to do. Reads again if the generation moved meanwhile.
 *
 * Return: 0, the negative errno of opening @root, -ENOMEM, -EMFILE, -ENFILE.
 */
int source_fabric_read(const char *root, struct topology **ret);

#endif

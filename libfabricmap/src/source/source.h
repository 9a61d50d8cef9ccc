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

/**
 * source_kfd_read() - read the AMD compute driver's class/kfd/kfd/topology/nodes below a root
 * @root: as above
 * @ret_error: of -EEXIST and -E2BIG, what is wrong; the caller frees it. May be NULL
 *
 * GPUs become unmanaged devices, with their links, generation, hive and memory; CPUs nodes. Damaged parts make warnings
 * and leave out what they stand for. Without that folder the topology is empty.
 *
 * Return: 0, -EEXIST two nodes stand for the same device, -E2BIG, else as source_fabric_read().
 */
int source_kfd_read(const char *root, struct topology **ret, char **ret_error);

/* The same of a folder that is such a "nodes" folder; -ENOENT etc. if it cannot be opened. */
int source_kfd_read_nodes(const char *folder, struct topology **ret, char **ret_error);

/**
 * source_numa_read() - read devices/system/node and devices/system/cpu below a root
 *
 * NUMA nodes become memories, and nodes of kind cpu, or initiator if they have no CPUs but reach memory; accesses are
 * the kernel's access classes. Without these folders the topology is empty.
 *
 * Return: as source_fabric_read().
 */
int source_numa_read(const char *root, struct topology **ret);

/**
 * source_pci_read() - read bus/pci/devices below a root
 * @known: devices whose place on the bus is wanted, whatever they are
 *
 * These, and all GPUs and accelerators by their class, become unmanaged devices; switches above them, bridges.
 *
 * Return: as source_fabric_read().
 */
int source_pci_read(const char *root, const struct topology *known, struct topology **ret);

/**
 * source_merge() - one topology of several
 * @parts: at least one; source and generation are those of the first
 *
 * Return: 0, -E2BIG, -ENOMEM.
 */
int source_merge(const struct topology *const *parts, size_t n_parts, struct topology **ret);

/* ---- load.c ---- */

/**
 * source_read() - everything that a machine, or a captured tree of one, shows: fabric, KFD, PCI, NUMA
 * @root: as above
 *
 * Return: as source_fabric_read().
 */
int source_read(const char *root, struct topology **ret);

/**
 * source_load() - a topology from a file or a folder, of whatever kind it is
 * @path: a file of fabric.topology/1; or a folder: a captured tree of sysfs (or one with a folder sys), KFD's "nodes" or
 *        what has it, or a folder with nothing but one of these
 * @ret_error: what is wrong, for a person; the caller frees it. NULL if memory is short
 *
 * Return: 0, -EPROTONOSUPPORT nothing that we know, -EBADMSG a damaged file, -E2BIG, -EEXIST, errors of opening.
 */
int source_load(const char *path, struct topology **ret, char **ret_error);

/* The same of the text of such a file. */
int source_load_json(const char *text, size_t length, struct topology **ret, char **ret_error);

#endif

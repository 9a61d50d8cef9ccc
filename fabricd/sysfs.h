/* SPDX-License-Identifier: MIT */
/* sysfs - single values of the fabric's sysfs, below the manager's root. For what changes all the time; the whole is
 * read by libfabricmap's source. */
#ifndef FABRICD_SYSFS_H
#define FABRICD_SYSFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A name that can be a device's: one component of a path, and short enough for the kernel's structures. */
bool sysfs_name_is_valid(const char *name);

/**
 * sysfs_read() - one small file
 * @ret: without the final newline
 * @format: printf-like; a path below @root_fd with at least one folder
 *
 * Return: length; -ENOENT; -EBADMSG longer than the buffer; others as tree_read() of libfabricmap's source.
 */
int sysfs_read(int root_fd, char *ret, size_t size, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same for a decimal number that is not negative. */
int sysfs_read_int(int root_fd, int64_t *ret, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Whether the fabric has the device. Return: 1, 0 it has not, a negative errno: nobody knows. */
int sysfs_has_device(int root_fd, const char *device);

/* Sum of the resident_bytes of a device's regions. Return: 0, -ENODEV, other errors of reading. */
int sysfs_resident_bytes(int root_fd, const char *device, int64_t *ret);

/* Name of the bus that has a device of that name ("pci"). Return: 0, -ENODEV, other errors of reading: unknown. */
int sysfs_bus_of(int root_fd, const char *device, char *ret, size_t size);

/* Return: as sysfs_has_device(). */
int sysfs_has_driver(int root_fd, const char *bus, const char *device);

#endif

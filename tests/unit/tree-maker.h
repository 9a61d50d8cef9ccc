/* SPDX-License-Identifier: MIT */
/* tree-maker - descriptions of sysfs trees, written to a temporary folder. A failure fails the test. */
#ifndef TREE_MAKER_H
#define TREE_MAKER_H

#include <stddef.h>

/* The path of a new folder; tree_remove() removes all that is in it and frees the path. */
char *tree_make(void);
void tree_remove(char *root);

/* A file, with the folders that lead to it. */
void tree_write(const char *root, const char *path, const char *text);
void tree_write_bytes(const char *root, const char *path, const void *bytes, size_t n_bytes);
void tree_link(const char *root, const char *path, const char *target);
void tree_folder(const char *root, const char *path);
void tree_delete(const char *root, const char *path);

/*
 * The fabric of @n_devices at 0000:<40+i>:00.0 as the kernel shows it: the class's entries are links to
 * devices/pci0000:00/<name>/drm_fabric/<name>. Devices 2k and 2k+1 are below one switch: read 13000, write 12500 MB/s;
 * other pairs go through the host bridge and are down.
 */
void tree_fabric(const char *root, size_t n_devices);

/* A function at @name that is not in the fabric, with a distance to each of the first @n_devices. */
void tree_unmanaged(const char *root, const char *name, size_t n_devices);

/* The folder of device @index below the root, static. */
const char *tree_device(size_t index);

#endif

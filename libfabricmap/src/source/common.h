/* SPDX-License-Identifier: MIT */
/* common - what sources that read a tree do alike: damaged parts make warnings, and only they are left out. */
#ifndef FABRICMAP_SOURCE_COMMON_H
#define FABRICMAP_SOURCE_COMMON_H

#include "model/model.h"

/* Something is wrong with this process, not with the tree: reading ends. */
bool source_is_fatal(int r);

/* Has no file, or had one a moment ago. */
bool source_is_absent(int r);

int source_warn_bad_name(struct topology_builder *builder, const char *kind, const char *name);

/* A number that may be absent: unknown then, and if it is damaged, with a warning that begins with @object. */
int source_read_number(struct topology_builder *builder, int folder_fd, const char *object, const char *name,
		       int64_t *ret);

/* The same for a text; @ret is the caller's. */
int source_read_text(struct topology_builder *builder, int folder_fd, const char *object, const char *name, char **ret);

/**
 * source_pci_effective() - of a PCIe figure that counts bits on the wire, what gets through
 * @arch: generation whose own link it is, "" or NULL if that is not known
 *
 * Return: 3/4 of it, at most 16 lanes of the generation.
 */
int64_t source_pci_effective(int64_t raw_mbps, const char *arch);

#endif

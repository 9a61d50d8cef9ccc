/* SPDX-License-Identifier: MIT */
/* formats - what the kinds of XML are read by. */
#ifndef FABRICMAP_IMPORT_FORMATS_H
#define FABRICMAP_IMPORT_FORMATS_H

#include "import/emit.h"
#include "import/xml.h"

enum { BUSID_SIZE = 24 };

/* An address of PCI in small letters, the domain of at least four digits. Return: 0, or -EINVAL for anything else. */
int busid_parse(const char *text, char ret[BUSID_SIZE]);

/* @root is the root element of that format. Return: as import_xml(). */
int nccl_read(const struct xml_element *root, struct emit *emit, char **ret_error);
int hwloc_read(const struct xml_element *root, struct emit *emit, char **ret_error);

#endif

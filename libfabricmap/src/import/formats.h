/* SPDX-License-Identifier: MIT */
/* formats - what the kinds of XML are read by. */
#ifndef FABRICMAP_IMPORT_FORMATS_H
#define FABRICMAP_IMPORT_FORMATS_H

#include "import/emit.h"
#include "import/xml.h"

/* @root is the root element of that format. Return: as import_xml(). */
int nccl_read(const struct xml_element *root, struct emit *emit, char **ret_error);
int hwloc_read(const struct xml_element *root, struct emit *emit, char **ret_error);

#endif

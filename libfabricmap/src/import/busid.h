/* SPDX-License-Identifier: MIT */
/* busid - the address of a PCI function, as files write it. */
#ifndef FABRICMAP_IMPORT_BUSID_H
#define FABRICMAP_IMPORT_BUSID_H

enum { BUSID_SIZE = 24 };

/* In small letters, the domain of at least four digits. Return: 0, or -EINVAL for anything else. */
int busid_parse(const char *text, char ret[BUSID_SIZE]);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * import - topologies in other people's XML, as text of our own schema. For fabricctl and fabricd: it is no part of the
 * shared library, so that whoever schedules with that loads no parser of XML.
 */
#ifndef FABRICMAP_IMPORT_H
#define FABRICMAP_IMPORT_H

#include <stdbool.h>
#include <stddef.h>

/* The longest file that is taken, and how deep its elements may be. */
enum {
	IMPORT_MAX_BYTES = 64 << 20,
	IMPORT_DEPTH_MAX = 256,
};

/* The first character that is no blank is a "<". */
static inline bool import_is_xml(const char *text, size_t length)
{
	size_t at = 0;

	while (at < length && (text[at] == ' ' || text[at] == '\t' || text[at] == '\r' || text[at] == '\n'))
		at++;
	return at < length && text[at] == '<';
}

/**
 * import_xml() - NCCL's or hwloc's XML (versions 2 and 3) as "fabric.topology/1"
 * @text: need not end with a NUL
 * @ret: JSON, the caller frees it
 * @ret_error: what is wrong, for a person; the caller frees it. NULL if memory is short
 *
 * Nothing is expanded and nothing is fetched: a document type with declarations in it is refused. Figures are passed on
 * as they are, units apart; what they mean for pairs is the model's business.
 *
 * Return: 0, -EBADMSG damaged, -EPROTONOSUPPORT another kind of XML, -ENOTSUP several hosts in one file, -E2BIG too long
 * or too deep, -ENOSYS built without expat, -ENOMEM.
 */
int import_xml(const char *text, size_t length, char **ret, char **ret_error);

/**
 * import_file() - the same of a file, if it is XML
 *
 * Return: 1, 0 it is something else, or nothing that can be looked into; else as import_xml(), or errors of reading.
 */
int import_file(const char *path, char **ret, char **ret_error);

#endif

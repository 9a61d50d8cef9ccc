/* SPDX-License-Identifier: MIT */
/* xml - a document as a tree of elements, by expat. */
#ifndef FABRICMAP_IMPORT_XML_H
#define FABRICMAP_IMPORT_XML_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct xml_element {
	char *name;
	char **attributes; /* name, value, name, value, ..., NULL */
	char *text; /* all of it, or NULL */
	size_t text_length;
	struct xml_element *parent, *first_child, *last_child, *next;
};

/* @ret: its root; the caller frees it. Return: as import_xml(). */
int xml_parse(const char *text, size_t length, struct xml_element **ret, char **ret_error);
struct xml_element *xml_free(struct xml_element *root);
void xml_freep(struct xml_element **root);

/* NULL if it has none. */
const char *xml_attribute(const struct xml_element *element, const char *name);

/* The attribute in decimal; @unknown if there is none, -EINVAL if it is no number, in which case it is @unknown too. */
int xml_number(const struct xml_element *element, const char *name, int64_t unknown, int64_t *ret);

/* Sets *ret_error. Return: @r, or -ENOMEM. */
int xml_fail(int r, char **ret_error, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif

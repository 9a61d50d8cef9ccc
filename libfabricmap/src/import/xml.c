// SPDX-License-Identifier: MIT
/*
 * Documents of any origin: limited in length and depth, nothing is expanded, nothing is fetched. Belongs to one thread.
 */
#include "import/xml.h"

#include "base/base.h"
#include "import/import.h"

#include <expat.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct parse {
	XML_Parser parser;
	struct xml_element *root, *at;
	unsigned int depth;
	int r;
	const char *why;
};

int xml_fail(int r, char **ret_error, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(ret_error, format, ap);
	va_end(ap);
	if (n >= 0)
		return r;
	*ret_error = NULL;
	return -ENOMEM;
}

static struct xml_element *element_free(struct xml_element *element)
{
	for (size_t i = 0; element->attributes && element->attributes[i]; i++)
		free(element->attributes[i]);
	free(element->attributes);
	free(element->name);
	free(element->text);
	free(element);
	return NULL;
}

struct xml_element *xml_free(struct xml_element *root)
{
	struct xml_element *at = root;

	/* Without recursion, though depth is limited: leaves first, each unhooked from its parent. */
	while (at) {
		struct xml_element *parent = at->parent, *child = at->first_child;

		if (child) {
			at->first_child = child->next;
			at = child;
			continue;
		}
		if (at == root)
			parent = NULL;
		element_free(at);
		at = parent;
	}
	return NULL;
}

void xml_freep(struct xml_element **root)
{
	xml_free(*root);
}

static void stop(struct parse *parse, int r, const char *why)
{
	if (parse->r == 0) {
		parse->r = r;
		parse->why = why;
	}
	(void)XML_StopParser(parse->parser, XML_FALSE);
}

static struct xml_element *element_new(const char *name, const char **attributes)
{
	struct xml_element *element = calloc(1, sizeof(*element));
	size_t n = 0;

	if (!element)
		return NULL;
	while (attributes[n])
		n++;
	element->name = strdup(name);
	element->attributes = calloc(n + 1, sizeof(*element->attributes));
	for (size_t i = 0; element->attributes && i < n; i++) {
		element->attributes[i] = strdup(attributes[i]);
		if (!element->attributes[i])
			return element_free(element);
	}
	return element->name && element->attributes ? element : element_free(element);
}

static void XMLCALL on_start(void *data, const char *name, const char **attributes)
{
	struct parse *parse = data;
	struct xml_element *element;

	/* Some handlers are still called after the parser was stopped. */
	if (parse->r < 0)
		return;
	if (++parse->depth > IMPORT_DEPTH_MAX) {
		stop(parse, -E2BIG, "elements too deep");
		return;
	}
	element = element_new(name, attributes);
	if (!element) {
		stop(parse, -ENOMEM, NULL);
		return;
	}
	element->parent = parse->at;
	if (!parse->at)
		parse->root = element;
	else if (parse->at->last_child)
		parse->at->last_child->next = element;
	else
		parse->at->first_child = element;
	if (parse->at)
		parse->at->last_child = element;
	parse->at = element;
}

static void XMLCALL on_end(void *data, const char *name)
{
	struct parse *parse = data;

	(void)name;
	if (parse->r < 0)
		return;
	parse->depth--;
	parse->at = parse->at->parent;
}

static void XMLCALL on_text(void *data, const char *text, int length)
{
	struct parse *parse = data;
	struct xml_element *at = parse->at;
	char *grown;

	if (!at || length <= 0 || parse->r < 0)
		return;
	grown = realloc(at->text, at->text_length + (size_t)length + 1);
	if (!grown) {
		stop(parse, -ENOMEM, NULL);
		return;
	}
	memcpy(grown + at->text_length, text, (size_t)length);
	at->text = grown;
	at->text_length += (size_t)length;
	at->text[at->text_length] = '\0';
}

/* hwloc names its own; that is not fetched, and may not say anything here. */
static void XMLCALL on_doctype(void *data, const char *name, const char *system, const char *public, int has_subset)
{
	(void)name;
	(void)system;
	(void)public;
	if (has_subset)
		stop(data, -EBADMSG, "a document type with declarations is refused");
}

static unsigned long line_of(XML_Parser parser)
{
#if XML_MAJOR_VERSION > 2 || XML_MINOR_VERSION >= 9 /* where the other is deprecated */
	return (unsigned long)XML_GetCurrentLineNumber64(parser);
#else
	return XML_GetCurrentLineNumber(parser);
#endif
}

static void XMLCALL on_entity(void *data, const char *name, int is_parameter)
{
	(void)name;
	(void)is_parameter;
	stop(data, -EBADMSG, "entities are refused");
}

static int parse_all(struct parse *parse, const char *text, size_t length, char **ret_error)
{
	unsigned long line;

	if (length > IMPORT_MAX_BYTES)
		return xml_fail(-E2BIG, ret_error, "XML: longer than %d MiB", IMPORT_MAX_BYTES >> 20);
	/* Whatever the document says of itself. */
	parse->parser = XML_ParserCreate("UTF-8");
	if (!parse->parser)
		return -ENOMEM;
	XML_SetUserData(parse->parser, parse);
	XML_SetElementHandler(parse->parser, on_start, on_end);
	XML_SetCharacterDataHandler(parse->parser, on_text);
	XML_SetStartDoctypeDeclHandler(parse->parser, on_doctype);
	XML_SetSkippedEntityHandler(parse->parser, on_entity);
	if (XML_Parse(parse->parser, text, (int)length, XML_TRUE) == XML_STATUS_OK)
		return 0;
	line = line_of(parse->parser);
	if (parse->r == -ENOMEM || XML_GetErrorCode(parse->parser) == XML_ERROR_NO_MEMORY)
		return -ENOMEM;
	if (parse->r < 0)
		return xml_fail(parse->r, ret_error, "XML: %s, in line %lu", parse->why, line);
	return xml_fail(-EBADMSG, ret_error, "XML: %s, in line %lu", XML_ErrorString(XML_GetErrorCode(parse->parser)),
			line);
}

int xml_parse(const char *text, size_t length, struct xml_element **ret, char **ret_error)
{
	struct parse parse = { 0 };
	int r;

	r = parse_all(&parse, text, length, ret_error);
	if (parse.parser)
		XML_ParserFree(parse.parser);
	if (r < 0)
		xml_free(parse.root);
	else
		*ret = parse.root;
	return r;
}

const char *xml_attribute(const struct xml_element *element, const char *name)
{
	for (size_t i = 0; element->attributes[i]; i += 2)
		if (!strcmp(element->attributes[i], name))
			return element->attributes[i + 1];
	return NULL;
}

int xml_number(const struct xml_element *element, const char *name, int64_t unknown, int64_t *ret)
{
	const char *text = xml_attribute(element, name);
	char *end;
	long long value;

	*ret = unknown;
	if (!text)
		return 0;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (end == text || *end || errno)
		return -EINVAL;
	*ret = value;
	return 0;
}

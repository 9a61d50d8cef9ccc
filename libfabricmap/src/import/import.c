// SPDX-License-Identifier: MIT
/* Which kind of XML it is. */
#include "import/import.h"

#include "base/base.h"
#include "import/formats.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

int busid_parse(const char *text, char ret[BUSID_SIZE])
{
	const char *colon = strchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;

	if (n < 1 || n > 8 || strlen(text) != n + 8 || colon[3] != ':' || colon[6] != '.' ||
	    strspn(text, "0123456789abcdefABCDEF:.") != n + 8)
		return -EINVAL;
	(void)snprintf(ret, BUSID_SIZE, "%.*s%s", n < 4 ? (int)(4 - n) : 0, "0000", text);
	for (char *p = ret; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return 0;
}

int import_xml(const char *text, size_t length, char **ret, char **ret_error)
{
	_cleanup_(xml_freep) struct xml_element *root = NULL;
	_cleanup_(emit_fini) struct emit emit = { 0 };
	bool is_nccl, is_hwloc;
	int r;

	*ret_error = NULL;
	r = xml_parse(text, length, &root, ret_error);
	if (r < 0)
		return r;
	is_nccl = !strcmp(root->name, "system");
	is_hwloc = !strcmp(root->name, "topology");
	if (!is_nccl && !is_hwloc)
		return xml_fail(-EPROTONOSUPPORT, ret_error,
				"XML: a <%.32s>, neither NCCL's <system> nor hwloc's <topology>", root->name);
	emit_init(&emit, is_nccl ? "nccl" : "hwloc");
	r = is_nccl ? nccl_read(root, &emit, ret_error) : hwloc_read(root, &emit, ret_error);
	return r < 0 ? r : emit_finish(&emit, ret);
}

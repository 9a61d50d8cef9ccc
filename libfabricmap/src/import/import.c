// SPDX-License-Identifier: MIT
/* Which kind of XML it is. */
#include "import/import.h"

#include "base/base.h"
#include "import/formats.h"

#include <string.h>

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

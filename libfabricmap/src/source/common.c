// SPDX-License-Identifier: MIT
/* What reading functions of trees have in common. Stateless. */
#include "source/common.h"

#include "base/base.h"
#include "model/rule.h"
#include "source/tree.h"

#include <stdio.h>

bool source_is_fatal(int r)
{
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE;
}

int source_warn_bad_name(struct topology_builder *builder, const char *kind, const char *name)
{
	enum { SHOWN_BYTES_MAX = 32 };
	char text[3 * SHOWN_BYTES_MAX + 1] = "";
	size_t n = 0;

	for (; *name && n + 4 < sizeof(text); name++) {
		if (*name > ' ' && *name <= '~')
			text[n++] = *name;
		else
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%%%02x", (unsigned char)*name);
	}
	text[n] = '\0';
	return topology_builder_warn(builder, "unreadable %s: %s%s: not a name", kind, text, *name ? "..." : "");
}

bool source_is_absent(int r)
{
	return r == -ENOENT || r == -ENODEV;
}

int source_read_number(struct topology_builder *builder, int folder_fd, const char *object, const char *name,
		       int64_t *ret)
{
	int r;

	*ret = TOPOLOGY_UNKNOWN;
	r = tree_read_number(folder_fd, name, ret);
	if (r == 0 || source_is_absent(r))
		return 0;
	if (source_is_fatal(r))
		return r;
	return topology_builder_warn(builder, "%s: %s: %s", object, name, tree_strerror(r));
}

int source_read_text(struct topology_builder *builder, int folder_fd, const char *object, const char *name, char **ret)
{
	int r;

	*ret = NULL;
	r = tree_read(folder_fd, name, TREE_VALUE_MAX_BYTES, ret);
	if (r == 0 || source_is_absent(r))
		return 0;
	if (source_is_fatal(r))
		return r;
	return topology_builder_warn(builder, "%s: %s: %s", object, name, tree_strerror(r));
}

int64_t source_pci_effective(int64_t raw_mbps, const char *arch)
{
	int64_t max = rule_pci_max(arch), effective = raw_mbps * 3 / 4;

	return effective < max ? effective : max;
}

// SPDX-License-Identifier: MIT
/* Read once, at the start; added whenever the machine is read again. */
#include "topology_file.h"

#include <string.h>

#include "base/base.h"
#include "import/import.h"
#include "log.h"
#include "model/model.h"
#include "source/source.h"

int topology_file_read(const char *path, struct topology **ret)
{
	_cleanup_(freep) char *json = NULL;
	_cleanup_(freep) char *error = NULL;
	int r;

	r = import_file(path, &json, &error);
	if (r > 0)
		r = source_load_json(json, strlen(json), ret, &error);
	else if (r == 0)
		r = source_load(path, ret, &error);
	if (r < 0)
		log_error("%s: %s", path, error ?: strerror(-r));
	return r;
}

int topology_file_add(struct topology **topology, const struct topology *file)
{
	const struct topology *const parts[] = { *topology, file };
	struct topology *merged;
	int r;

	if (!file)
		return 0;
	r = source_merge(parts, 2, &merged);
	if (r < 0)
		return r;
	topology_unref(*topology);
	*topology = merged;
	return 0;
}

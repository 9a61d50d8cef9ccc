// SPDX-License-Identifier: MIT
/* Topologies from files and folders. XML becomes our JSON before the library sees it. */
#include "fabricctl.h"

#include "import/import.h"

#include <string.h>

int topology_load(const char *path, struct fabricmap **ret, char **ret_error)
{
	_cleanup_(freep) char *json = NULL;
	int r;

	r = import_file(path, &json, ret_error);
	if (r < 0)
		return r;
	return r > 0 ? fabricmap_open_json_explain(json, ret, ret_error) : fabricmap_open_path(path, ret, ret_error);
}

void map_warn(const char *verb, const struct fabricmap *map)
{
	for (size_t i = 0; i < fabricmap_n_warnings(map); i++)
		error_print("%s: warning: %s", verb, fabricmap_warning(map, i));
}

int map_load(const char *verb, const char *path, struct fabricmap **ret)
{
	_cleanup_(freep) char *error = NULL;
	int r;

	r = topology_load(path, ret, &error);
	if (r < 0) {
		error_print("%s: %s: %s", verb, path, error ?: strerrordesc_np(-r) ?: "unreadable");
		return r;
	}
	map_warn(verb, *ret);
	return 0;
}

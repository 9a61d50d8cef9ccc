// SPDX-License-Identifier: MIT
/* Topologies from files and folders. XML becomes our JSON before the library sees it. */
#include "fabricctl.h"

#include "import/import.h"

#include <ctype.h>
#include <stdio.h>
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

/* By its whole name: 0000:03:00.0 is not in what is said of 0000:03:00.0/p1. */
static bool is_about(const char *warning, const char *device)
{
	size_t length = strlen(device);

	for (const char *at = strstr(warning, device); at; at = strstr(at + 1, device))
		if ((at == warning || !isalnum((unsigned char)at[-1])) && !isalnum((unsigned char)at[length]) &&
		    at[length] != '/')
			return true;
	return false;
}

static bool is_about_any(const char *warning, const struct fabricmap_placement *placement)
{
	for (size_t i = 0; placement && i < fabricmap_placement_n_devices(placement); i++)
		if (is_about(warning, fabricmap_placement_device(placement, i)))
			return true;
	return false;
}

void map_warn_briefly(const char *verb, const char *path, const struct fabricmap *map,
		      const struct fabricmap_placement *placement)
{
	size_t n = fabricmap_n_warnings(map), n_chosen = 0;
	char chosen[64] = "";

	if (n < 2) {
		map_warn(verb, map);
		return;
	}
	for (size_t i = 0; i < n; i++)
		n_chosen += is_about_any(fabricmap_warning(map, i), placement);
	if (n_chosen > 0)
		(void)snprintf(chosen, sizeof(chosen), ", %zu of them about chosen devices", n_chosen);
	error_print("%s: %zu warnings about the topology%s ('fabricctl topo%s%s' tells them)", verb, n, chosen,
		    path ? " --topology " : "", path ?: "");
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
	return 0;
}

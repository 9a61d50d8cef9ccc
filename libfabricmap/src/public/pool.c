// SPDX-License-Identifier: MIT
/* Public requests and pools: place_at() under names that stay. */
#include "public/public.h"

#include "base/base.h"
#include "place/place.h"

#include <string.h>

/* Names that are the list's. */
struct name_list {
	char **names;
	size_t n;
};

struct fabricmap_request {
	struct place_request request;
	char *group, *nic;
	struct name_list required, excluded, busy;
};

static void name_list_fini(struct name_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->names[i]);
	free(list->names);
}

static int name_list_add(struct name_list *list, const char *name)
{
	char **grown = reallocarray(list->names, list->n + 1, sizeof(char *));

	if (!grown)
		return -ENOMEM;
	list->names = grown;
	list->names[list->n] = strdup(name);
	if (!list->names[list->n])
		return -ENOMEM;
	list->n++;
	return 0;
}

static int set_text(char **text, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*text);
	*text = copy;
	return 0;
}

FABRICMAP_EXPORT int fabricmap_request_new(uint64_t count, struct fabricmap_request **ret)
{
	struct fabricmap_request *request = calloc(1, sizeof(*request));

	if (!request)
		return -ENOMEM;
	request->request.count = count;
	*ret = request;
	return 0;
}

FABRICMAP_EXPORT struct fabricmap_request *fabricmap_request_free(struct fabricmap_request *request)
{
	if (!request)
		return NULL;
	name_list_fini(&request->required);
	name_list_fini(&request->excluded);
	name_list_fini(&request->busy);
	free(request->group);
	free(request->nic);
	free(request);
	return NULL;
}

FABRICMAP_EXPORT void fabricmap_request_set_bytes(struct fabricmap_request *request, uint64_t bytes)
{
	request->request.bytes = bytes;
}

FABRICMAP_EXPORT int fabricmap_request_set_objective(struct fabricmap_request *request, const char *objective)
{
	return place_objective_from_string(objective, &request->request.objective);
}

FABRICMAP_EXPORT int fabricmap_request_set_linked(struct fabricmap_request *request, int linked)
{
	static const enum place_linked values[] = {
		[FABRICMAP_LINKED_ANY] = PLACE_LINKED_ANY,
		[FABRICMAP_LINKED_PREFERRED] = PLACE_LINKED_PREFERRED,
		[FABRICMAP_LINKED_REQUIRED] = PLACE_LINKED_REQUIRED,
	};

	if (linked < 0 || (size_t)linked >= sizeof(values) / sizeof(values[0]))
		return -EINVAL;
	request->request.linked = values[linked];
	return 0;
}

FABRICMAP_EXPORT int fabricmap_request_set_link_type(struct fabricmap_request *request, const char *link_type)
{
	enum topology_link_type type = topology_link_type_from_string(link_type);

	if (!type || type == TOPOLOGY_LINK_NONE)
		return -EINVAL;
	request->request.link_type = type;
	return 0;
}

FABRICMAP_EXPORT int fabricmap_request_set_least_mbps(struct fabricmap_request *request, int64_t least_mbps)
{
	if (least_mbps < 0)
		return -EINVAL;
	request->request.least_mbps = least_mbps;
	return 0;
}

FABRICMAP_EXPORT void fabricmap_request_set_same_package(struct fabricmap_request *request, int same_package)
{
	request->request.same_package = same_package;
}

FABRICMAP_EXPORT void fabricmap_request_set_numa_node(struct fabricmap_request *request, int64_t numa_node)
{
	request->request.at_numa_node = true;
	request->request.numa_node = numa_node;
}

FABRICMAP_EXPORT int fabricmap_request_set_group(struct fabricmap_request *request, const char *group)
{
	return set_text(&request->group, group);
}

FABRICMAP_EXPORT int fabricmap_request_set_nic(struct fabricmap_request *request, const char *nic)
{
	return set_text(&request->nic, nic);
}

FABRICMAP_EXPORT void fabricmap_request_set_any_device(struct fabricmap_request *request, int any_device)
{
	request->request.any_device = any_device;
}

FABRICMAP_EXPORT int fabricmap_request_add_required(struct fabricmap_request *request, const char *device)
{
	return name_list_add(&request->required, device);
}

FABRICMAP_EXPORT int fabricmap_request_add_excluded(struct fabricmap_request *request, const char *device)
{
	return name_list_add(&request->excluded, device);
}

FABRICMAP_EXPORT int fabricmap_request_add_busy(struct fabricmap_request *request, const char *device)
{
	return name_list_add(&request->busy, device);
}

FABRICMAP_EXPORT int fabricmap_pool_new(struct fabricmap *map, struct fabricmap_pool **ret)
{
	_cleanup_(freep) struct fabricmap_pool *pool = calloc(1, sizeof(*pool));
	int r;

	if (!pool)
		return -ENOMEM;
	r = place_site_new(map->topology, &pool->site);
	if (r < 0)
		return r;
	pool->map = fabricmap_ref(map);
	*ret = steal_ptr(&pool);
	return 0;
}

FABRICMAP_EXPORT struct fabricmap_pool *fabricmap_pool_free(struct fabricmap_pool *pool)
{
	if (!pool)
		return NULL;
	place_site_free(pool->site);
	fabricmap_unref(pool->map);
	free(pool);
	return NULL;
}

FABRICMAP_EXPORT int fabricmap_pool_update(struct fabricmap_pool *pool, struct fabricmap *map)
{
	int r = place_site_update(pool->site, map->topology);

	if (r < 0)
		return r;
	fabricmap_ref(map);
	fabricmap_unref(pool->map);
	pool->map = map;
	return 0;
}

static int change(struct fabricmap_pool *pool, const char *const *devices, size_t n,
		  int (*apply)(struct place_site *site, const size_t *devices, size_t n))
{
	_cleanup_(freep) size_t *indices = calloc(n + 1, sizeof(*indices));

	if (!indices)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		ssize_t device = topology_device_find(pool->map->topology, devices[i]);

		if (device < 0)
			return -ENODEV;
		indices[i] = (size_t)device;
	}
	return apply(pool->site, indices, n);
}

FABRICMAP_EXPORT int fabricmap_pool_take(struct fabricmap_pool *pool, const char *const *devices, size_t n_devices)
{
	return change(pool, devices, n_devices, place_site_take);
}

FABRICMAP_EXPORT int fabricmap_pool_give(struct fabricmap_pool *pool, const char *const *devices, size_t n_devices)
{
	return change(pool, devices, n_devices, place_site_give);
}

FABRICMAP_EXPORT int fabricmap_pool_place(struct fabricmap_pool *pool, const struct fabricmap_request *request,
					  struct fabricmap_placement **ret, char **ret_reason)
{
	_cleanup_(placement_freep) struct placement *chosen = NULL;
	_cleanup_(place_failure_fini) struct place_failure failure = { 0 };
	struct place_request inner = request->request;
	int r;

	inner.group = request->group;
	inner.nic = request->nic;
	inner.require = (const char *const *)request->required.names;
	inner.n_require = request->required.n;
	inner.exclude = (const char *const *)request->excluded.names;
	inner.n_exclude = request->excluded.n;
	inner.busy = (const char *const *)request->busy.names;
	inner.n_busy = request->busy.n;
	r = place_at(pool->site, &inner, &chosen, &failure);
	if (r == 0)
		r = fabricmap_placement_convert(pool->map->topology, chosen, ret);
	pool->refusal_proved = failure.proved;
	if (ret_reason)
		*ret_reason = steal_ptr(&failure.reason);
	return r;
}

FABRICMAP_EXPORT int fabricmap_pool_refusal_is_proved(const struct fabricmap_pool *pool)
{
	return pool->refusal_proved;
}

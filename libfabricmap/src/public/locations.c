// SPDX-License-Identifier: MIT
/* Public memory placement: memory_place() under names that stay. */
#include "public/public.h"

#include "base/base.h"
#include "place/memory.h"

#include <string.h>

struct fabricmap_locations {
	struct topology *topology; /* whose names are told */
	struct memory_answer answer;
};

static int locations_new(const struct fabricmap *map, const struct memory_answer *answer,
			 struct fabricmap_locations **ret)
{
	struct fabricmap_locations *locations = malloc(sizeof(*locations));

	if (!locations)
		return -ENOMEM;
	*locations = (struct fabricmap_locations){ topology_ref(map->topology), *answer };
	*ret = locations;
	return 0;
}

FABRICMAP_EXPORT int fabricmap_place_memory(const struct fabricmap *map, uint64_t bytes, const char *objective,
					    const struct fabricmap_accessor *accessors, size_t n_accessors,
					    const char *const *exclude, size_t n_exclude,
					    struct fabricmap_locations **ret, char **ret_reason)
{
	_cleanup_(freep) struct memory_accessor *inner = NULL;
	struct memory_request request = {
		.bytes = bytes,
		.n_accessors = n_accessors,
		.exclude = exclude,
		.n_exclude = n_exclude,
	};
	struct memory_answer answer;
	int r;

	if (ret_reason)
		*ret_reason = NULL;
	if (memory_objective_from_string(objective, &request.objective) < 0)
		return -EINVAL;
	inner = calloc(n_accessors + 1, sizeof(*inner));
	if (!inner)
		return -ENOMEM;
	for (size_t i = 0; i < n_accessors; i++)
		inner[i] = (struct memory_accessor){ accessors[i].name, accessors[i].read_weight,
						     accessors[i].write_weight };
	request.accessors = inner;
	r = memory_place(map->topology, &request, &answer, ret_reason);
	return r < 0 ? r : locations_new(map, &answer, ret);
}

FABRICMAP_EXPORT struct fabricmap_locations *fabricmap_locations_free(struct fabricmap_locations *locations)
{
	if (!locations)
		return NULL;
	topology_unref(locations->topology);
	free(locations);
	return NULL;
}

FABRICMAP_EXPORT size_t fabricmap_locations_n(const struct fabricmap_locations *locations)
{
	return locations->answer.n_locations;
}

static const struct memory_location *location_at(const struct fabricmap_locations *locations, size_t index)
{
	return index < locations->answer.n_locations ? &locations->answer.locations[index] : NULL;
}

static const struct topology_device *device_at(const struct fabricmap_locations *locations, size_t index)
{
	const struct memory_location *location = location_at(locations, index);

	return location && location->device != TOPOLOGY_NONE ? &locations->topology->devices[location->device] : NULL;
}

FABRICMAP_EXPORT const char *fabricmap_locations_device(const struct fabricmap_locations *locations, size_t index)
{
	const struct topology_device *device = device_at(locations, index);

	return device ? device->name : NULL;
}

FABRICMAP_EXPORT const char *fabricmap_locations_region(const struct fabricmap_locations *locations, size_t index)
{
	const struct topology_device *device = device_at(locations, index);

	return device ? device->regions[locations->answer.locations[index].region].name : NULL;
}

FABRICMAP_EXPORT const char *fabricmap_locations_node(const struct fabricmap_locations *locations, size_t index)
{
	const struct memory_location *location = location_at(locations, index);

	return location && location->memory != TOPOLOGY_NONE ? locations->topology->memories[location->memory].name :
							       NULL;
}

FABRICMAP_EXPORT int64_t fabricmap_locations_free_bytes(const struct fabricmap_locations *locations, size_t index)
{
	const struct memory_location *location = location_at(locations, index);

	return location ? location->free_bytes : FABRICMAP_UNKNOWN;
}

FABRICMAP_EXPORT int fabricmap_locations_fits(const struct fabricmap_locations *locations, size_t index)
{
	const struct memory_location *location = location_at(locations, index);

	return location && location->fits;
}

FABRICMAP_EXPORT int fabricmap_locations_is_assumed(const struct fabricmap_locations *locations, size_t index)
{
	const struct memory_location *location = location_at(locations, index);

	return location && location->assumed;
}

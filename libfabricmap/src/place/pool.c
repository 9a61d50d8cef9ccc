// SPDX-License-Identifier: MIT
/* Which devices of a graph are free. */
#include "place/search-internal.h"

#include "base/base.h"
#include "place/bits.h"

#include <string.h>

int place_pool_new(struct place_graph *graph, struct place_pool **ret)
{
	_cleanup_(place_pool_freep) struct place_pool *pool = NULL;

	pool = calloc(1, sizeof(*pool));
	if (!pool)
		return -ENOMEM;
	pool->graph = place_graph_ref(graph);
	pool->free = calloc(bits_words(graph->n_devices) + 1, sizeof(*pool->free));
	if (!pool->free)
		return -ENOMEM;
	for (uint32_t i = 0; i < graph->n_devices; i++)
		bits_add(pool->free, i);
	pool->n_free = graph->n_devices;
	*ret = steal_ptr(&pool);
	return 0;
}

int place_pool_copy(const struct place_pool *pool, struct place_pool **ret)
{
	struct place_pool *copy;
	int r;

	r = place_pool_new(pool->graph, &copy);
	if (r < 0)
		return r;
	memcpy(copy->free, pool->free, bits_words(pool->graph->n_devices) * sizeof(*copy->free));
	copy->n_free = pool->n_free;
	*ret = copy;
	return 0;
}

struct place_pool *place_pool_free(struct place_pool *pool)
{
	if (!pool)
		return NULL;
	place_graph_unref(pool->graph);
	free(pool->free);
	free(pool);
	return NULL;
}

void place_pool_freep(struct place_pool **pool)
{
	place_pool_free(*pool);
}

size_t place_pool_n_free(const struct place_pool *pool)
{
	return pool->n_free;
}

bool place_pool_is_free(const struct place_pool *pool, size_t device)
{
	return device < pool->graph->n_devices && bits_has(pool->free, pool->graph->structure.positions[device]);
}

static void flip(struct place_pool *pool, const size_t *devices, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t position = pool->graph->structure.positions[devices[i]];

		pool->free[position / 64] ^= UINT64_C(1) << (position % 64);
	}
}

/* All that are @free change; if one is not, nothing does, with @error. */
static int change(struct place_pool *pool, const size_t *devices, size_t n, bool free, int error)
{
	for (size_t i = 0; i < n; i++) {
		if (devices[i] < pool->graph->n_devices && place_pool_is_free(pool, devices[i]) == free) {
			flip(pool, &devices[i], 1);
			continue;
		}
		flip(pool, devices, i);
		return devices[i] < pool->graph->n_devices ? error : -EINVAL;
	}
	return 0;
}

int place_pool_take(struct place_pool *pool, const size_t *devices, size_t n)
{
	int r = change(pool, devices, n, true, -EBUSY);

	if (r == 0)
		pool->n_free -= n;
	return r;
}

int place_pool_give(struct place_pool *pool, const size_t *devices, size_t n)
{
	int r = change(pool, devices, n, false, -EALREADY);

	if (r == 0)
		pool->n_free += n;
	return r;
}

// SPDX-License-Identifier: MIT
#include "random.h"

#include <stdio.h>
#include <stdlib.h>

size_t *random_order(size_t n, uint64_t seed)
{
	struct random random = { seed };
	size_t *order = calloc(n ?: 1, sizeof(*order));

	if (!order) {
		perror("oracle: an order");
		abort();
	}
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	if (seed)
		random_shuffle(&random, order, n);
	return order;
}

// SPDX-License-Identifier: MIT
/*
 * Our own schema, of any origin: what is taken can be written, is taken again, and is then the same, pairs included.
 *
 * With -fsanitize=fuzzer it is a fuzzer; with fuzz-main.c it runs the files that it is given.
 */
#include <json-c/json.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "source/source.h"

static void must(bool good)
{
	if (!good)
		abort();
}

static void pairs_compare(const struct topology *a, const struct topology *b)
{
	must(a->n_devices == b->n_devices);
	for (size_t i = 0; i < a->n_devices && i < 16; i++)
		for (size_t j = 0; j < a->n_devices && j < 16; j++) {
			struct topology_pair pair = topology_pair(a, i, j), again = topology_pair(b, i, j);

			must(pair.bandwidth_mbps == again.bandwidth_mbps && pair.linked == again.linked &&
			     pair.assumed == again.assumed && pair.kind == again.kind);
			again = topology_pair(a, j, i);
			must(pair.bandwidth_mbps == again.bandwidth_mbps && pair.linked == again.linked &&
			     pair.assumed == again.assumed);
			must(pair.bandwidth_mbps > 0 || i == j);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct topology *topology, *again;
	struct json_object *object;
	char *error = NULL;
	int r;

	r = source_load_json((const char *)data, size, &topology, &error);
	must(r == 0 ? !error : error != NULL);
	free(error);
	if (r < 0)
		return 0;
	object = topology_to_json(topology);
	must(object != NULL);
	must(topology_from_json(object, &again) == 0);
	pairs_compare(topology, again);
	json_object_put(object);
	topology_unref(topology);
	topology_unref(again);
	return 0;
}

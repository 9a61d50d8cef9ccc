// SPDX-License-Identifier: MIT
/*
 * XML of NCCL and hwloc, of any origin: what is taken makes a topology in our own schema.
 *
 * With -fsanitize=fuzzer it is a fuzzer; with fuzz-main.c it runs the files that it is given.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "import/import.h"
#include "source/source.h"

static void must(bool good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct topology *topology;
	char *json = NULL, *error = NULL;
	int r;

	r = import_xml((const char *)data, size, &json, &error);
	must(r == 0 ? json && !error : !json && error);
	free(error);
	if (r < 0)
		return 0;
	must(source_load_json(json, strlen(json), &topology, &error) == 0);
	for (size_t i = 0; i < topology->n_devices && i < 8; i++)
		for (size_t j = 0; j < i; j++)
			must(topology_pair(topology, i, j).bandwidth_mbps > 0);
	topology_unref(topology);
	free(json);
	return 0;
}

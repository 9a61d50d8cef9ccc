// SPDX-License-Identifier: MIT
/* Topologies by description. */
#include "machine.h"

#include <stdlib.h>
#include <string.h>

int machine_run_tcase(const char *name, TCase *tcase)
{
	Suite *suite = suite_create(name);
	SRunner *runner;
	int n_failed;

	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int machine_run_suite(const char *name, const TTest *const *tests, size_t n_tests)
{
	TCase *tcase = tcase_create(name);

	for (size_t i = 0; i < n_tests; i++)
		tcase_add_test(tcase, tests[i]);
	return machine_run_tcase(name, tcase);
}

void machine_check_pair(const struct topology *topology, const char *what, const struct topology_pair *expected)
{
	for (size_t a = 0; a < 2; a++) {
		struct topology_pair pair = topology_pair(topology, a, 1 - a);

		ck_assert_msg(pair.bandwidth_mbps == expected->bandwidth_mbps, "%s: %lld, not %lld", what,
			      (long long)pair.bandwidth_mbps, (long long)expected->bandwidth_mbps);
		ck_assert_msg(pair.assumed == expected->assumed, "%s: assumed %d", what, pair.assumed);
		ck_assert_msg(pair.linked == expected->linked, "%s: linked %d", what, pair.linked);
		ck_assert_msg(pair.kind == expected->kind, "%s: kind %d", what, pair.kind);
		if (expected->origin)
			ck_assert_msg(pair.origin == expected->origin, "%s: origin %d", what, pair.origin);
	}
}

void machine_check_warnings(const struct topology *topology, const char *what, const char *warning)
{
	if (warning)
		ck_assert_msg(machine_has_warning(topology, warning), "%s: no \"%s\" but \"%s\"", what, warning,
			      topology->n_warnings ? topology->warnings[0] : "");
	else
		ck_assert_msg(topology->n_warnings == 0, "%s: %s", what, topology->warnings[0]);
}

struct topology_builder *machine_new(void)
{
	struct topology_builder *builder;

	ck_assert_int_eq(topology_builder_new(TOPOLOGY_SOURCE_KERNEL, 42, &builder), 0);
	return builder;
}

void machine_add(struct topology_builder *builder, const char *name, enum topology_state state, int64_t free_bytes)
{
	struct topology_region region = {
		.name = (char *)"vram0",
		.size_bytes = 1000,
		.free_bytes = free_bytes,
		.resident_bytes = 1000 - free_bytes,
	};
	const struct topology_device device = {
		.name = (char *)name,
		.driver = (char *)"softgpu",
		.state = state,
		.incarnation = 1,
		.numa_node = TOPOLOGY_UNKNOWN,
		.regions = &region,
		.n_regions = 1,
	};

	ck_assert_int_eq(topology_builder_add_device(builder, &device), 0);
}

void machine_link(struct topology_builder *builder, const char *accessor, const char *owner,
		  enum topology_link_type type, bool up, int64_t read_mbps, int64_t write_mbps)
{
	const struct topology_link link = {
		.type = type,
		.up = up,
		.read_bandwidth_mbps = read_mbps,
		.write_bandwidth_mbps = write_mbps,
		.read_latency_ns = TOPOLOGY_UNKNOWN,
		.write_latency_ns = TOPOLOGY_UNKNOWN,
		.hops = TOPOLOGY_UNKNOWN,
		.measured_at_s = TOPOLOGY_UNKNOWN,
	};

	ck_assert_int_eq(topology_builder_add_link(builder, accessor, owner, &link), 0);
}

void machine_join(struct topology_builder *builder, const char *a, const char *b, enum topology_link_type type,
		  int64_t mbps)
{
	machine_link(builder, a, b, type, true, mbps, mbps);
	machine_link(builder, b, a, type, true, mbps, mbps);
}

struct topology *machine_finish(struct topology_builder *builder)
{
	struct topology *topology;

	ck_assert_int_eq(topology_builder_finish(builder, &topology), 0);
	topology_builder_free(builder);
	return topology;
}

bool machine_has_warning(const struct topology *topology, const char *beginning)
{
	for (size_t i = 0; i < topology->n_warnings; i++)
		if (!strncmp(topology->warnings[i], beginning, strlen(beginning)))
			return true;
	return false;
}

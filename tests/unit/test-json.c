// SPDX-License-Identifier: MIT
#include "machine.h"
#include "source/source.h"
#include "tree-maker.h"
#include "wire/wire.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

static struct topology *tree_topology(size_t n_devices)
{
	struct topology *topology;
	char *root = tree_make();

	tree_fabric(root, n_devices);
	ck_assert_int_eq(source_fabric_read(root, &topology), 0);
	tree_remove(root);
	return topology;
}

START_TEST(round_trip_is_the_identity)
{
	/* Written, read and written again: the same text. Unknowns stay null. */
	struct topology *topology = tree_topology(4), *again;
	struct json_object *object = topology_to_json(topology), *object_again;

	ck_assert_ptr_nonnull(object);
	ck_assert_int_eq(topology_from_json(object, &again), 0);
	object_again = topology_to_json(again);
	ck_assert_str_eq(json_object_to_json_string(object), json_object_to_json_string(object_again));
	ck_assert_ptr_nonnull(strstr(json_object_to_json_string(object), "\"write_latency_ns\": null"));
	ck_assert_int_eq(strncmp(json_object_to_json_string(object), "{ \"schema\": \"fabric.topology\\/1\"", 31), 0);
	json_object_put(object);
	json_object_put(object_again);
	topology_unref(topology);
	topology_unref(again);
}
END_TEST

START_TEST(unknown_counts_are_null)
{
	/* In text and in the daemon's interface, and not 0 when read again. */
	const struct topology_device device = {
		.name = (char *)"0000:40:00.0",
		.state = TOPOLOGY_STATE_ONLINE,
		.incarnation = TOPOLOGY_UNKNOWN,
		.numa_node = TOPOLOGY_UNKNOWN,
		.n_handles = TOPOLOGY_UNKNOWN,
	};
	const struct wire_method *method = wire_method_find("org.drmfabric.Fabric.GetTopology", NULL);
	struct topology_builder *builder = machine_new();
	struct topology *topology, *again;
	struct json_object *reply = json_object_new_object();
	const char *path = "", *text;

	ck_assert_int_eq(topology_builder_add_device(builder, &device), 0);
	topology = machine_finish(builder);
	json_object_object_add(reply, "topology", topology_to_json(topology));
	text = json_object_to_json_string(reply);
	ck_assert_ptr_nonnull(strstr(text, "\"incarnation\": null"));
	ck_assert_ptr_nonnull(strstr(text, "\"n_handles\": null"));
	ck_assert_msg(wire_check(&method->out, reply, WIRE_STRICT, &path) == 0, "%s", path);
	ck_assert_int_eq(topology_from_json(json_object_object_get(reply, "topology"), &again), 0);
	ck_assert_int_eq(again->devices[0].incarnation, TOPOLOGY_UNKNOWN);
	ck_assert_int_eq(again->devices[0].n_handles, TOPOLOGY_UNKNOWN);
	json_object_put(reply);
	topology_unref(topology);
	topology_unref(again);
}
END_TEST

START_TEST(unmanaged_there_and_back)
{
	/* With its distances; an older writer's device has none of the new keys, and is managed. */
	struct topology_distance distances[] = { { (char *)"0000:41:00.0", 5 }, { (char *)"0000:40:00.0", 0 } };
	const struct topology_device device = {
		.name = (char *)"0000:50:00.0",
		.state = TOPOLOGY_STATE_UNMANAGED,
		.incarnation = TOPOLOGY_UNKNOWN,
		.numa_node = TOPOLOGY_UNKNOWN,
		.n_handles = TOPOLOGY_UNKNOWN,
		.upstream_bridge = (char *)"0000:02:02.0",
		.pci_class = (char *)"0x120000",
		.distances = distances,
		.n_distances = 2,
	};
	struct topology_builder *builder = machine_new();
	struct json_object *object, *object_again, *first;
	struct topology *topology, *again;

	ck_assert_int_eq(topology_builder_add_device(builder, &device), 0);
	ck_assert_int_eq(topology_builder_add_device(builder, &device), -EEXIST);
	topology = machine_finish(builder);
	object = topology_to_json(topology);
	ck_assert_int_eq(topology_from_json(object, &again), 0);
	object_again = topology_to_json(again);
	ck_assert_str_eq(json_object_to_json_string(object), json_object_to_json_string(object_again));
	ck_assert_ptr_nonnull(strstr(json_object_to_json_string(object), "\"managed\": false"));
	ck_assert_str_eq(again->devices[0].pci_class, "0x120000");
	ck_assert_str_eq(again->devices[0].distances[0].device, "0000:40:00.0");
	ck_assert_int_eq(again->devices[0].distances[0].distance, 0);
	json_object_put(object_again);
	topology_unref(again);

	first = json_object_array_get_idx(json_object_object_get(object, "devices"), 0);
	json_object_object_add(first, "state", json_object_new_string("online"));
	json_object_object_del(first, "managed");
	json_object_object_del(first, "distances");
	ck_assert_int_eq(topology_from_json(object, &again), 0);
	ck_assert_uint_eq(again->devices[0].n_distances, 0);
	json_object_put(object);
	topology_unref(topology);
	topology_unref(again);
}
END_TEST

START_TEST(unmanaged_gives_way)
{
	/* To the same function as a device of the fabric, and to one that a removal has unbound, whichever comes first. */
	const struct topology_device unmanaged = { .name = (char *)"a", .state = TOPOLOGY_STATE_UNMANAGED };
	const struct topology_device unbound = { .name = (char *)"a", .state = TOPOLOGY_STATE_UNBOUND };

	for (int order = 0; order < 2; order++) {
		struct topology_builder *builder = machine_new();
		struct topology *topology;

		ck_assert_int_eq(topology_builder_add_device(builder, order ? &unbound : &unmanaged), 0);
		ck_assert_int_eq(topology_builder_add_device(builder, order ? &unmanaged : &unbound), 0);
		ck_assert_int_eq(topology_builder_add_device(builder, &unbound), -EEXIST);
		topology = machine_finish(builder);
		ck_assert_uint_eq(topology->n_devices, 1);
		ck_assert_int_eq(topology->devices[0].state, TOPOLOGY_STATE_UNBOUND);
		topology_unref(topology);
	}
}
END_TEST

START_TEST(fits_the_varlink_interface)
{
	/* The daemon answers GetTopology with it: no key too many, none missing, all of the right type. */
	struct topology *topology = tree_topology(3);
	struct json_object *reply = json_object_new_object();
	const struct wire_method *method = wire_method_find("org.drmfabric.Fabric.GetTopology", NULL);
	const char *path = "";

	ck_assert_ptr_nonnull(method);
	json_object_object_add(reply, "topology", topology_to_json(topology));
	ck_assert_msg(wire_check(&method->out, reply, WIRE_STRICT, &path) == 0, "%s", path);
	json_object_put(reply);
	topology_unref(topology);
}
END_TEST

static const struct wrong {
	const char *path, *value; /* no value: the key is gone */
	int r;
} wrongs[] = {
	{ "/schema", "\"fabric.topology/2\"", -EPROTONOSUPPORT },
	{ "/schema", "1", -EBADMSG },
	{ "/schema", NULL, -EBADMSG },
	{ "/generation", "-1", -EBADMSG },
	{ "/generation", "18446744073709551615", -EBADMSG },
	{ "/generation", "1.5", -EBADMSG },
	{ "/source", "\"rumour\"", -EBADMSG },
	{ "/devices", "{}", -EBADMSG },
	{ "/devices/0", "7", -EBADMSG },
	{ "/devices/0", "null", -EBADMSG },
	{ "/devices/0/name", "\"\"", -EBADMSG },
	{ "/devices/0/name", "\"a b\"", -EBADMSG },
	{ "/devices/0/name", "\"a\\u0000b\"", -EBADMSG },
	{ "/devices/0/name", "\"0000:41:00.0\"", -EBADMSG },
	{ "/devices/0/state", "7", -EBADMSG },
	{ "/devices/0/state", "\"asleep\"", 0 },
	{ "/devices/0/numa_node", "\"0\"", -EBADMSG },
	{ "/devices/0/regions/0/size_bytes", "null", -EBADMSG },
	{ "/devices/0/incarnation", "-1", -EBADMSG },
	{ "/devices/0/incarnation", "null", 0 },
	{ "/devices/0/n_handles", "\"2\"", -EBADMSG },
	{ "/devices/0/n_handles", "null", 0 },
	{ "/devices/0/distances", "[{}]", -EBADMSG },
	{ "/devices/0/distances", "[{\"device\":\"a\",\"distance\":-1}]", -EBADMSG },
	{ "/devices/0/distances", "null", 0 },
	{ "/devices/0/pci_class", "7", -EBADMSG },
	{ "/links/0/measured_at_s", "\"noon\"", -EBADMSG },
	{ "/links/0/link_type", "\"rope\"", 0 },
	{ "/links/0/link_type", "null", -EBADMSG },
	{ "/groups/0/link_type", "\"rope\"", 0 },
	{ "/links/0/up", "1", -EBADMSG },
	{ "/links/0/accessor", NULL, -EBADMSG },
	{ "/groups/0/members", "[7]", -EBADMSG },
	{ "/warnings", "[null]", -EBADMSG },
	{ "/devices/0/numa_node", NULL, 0 },
	{ "/devices/0/colour", "\"red\"", 0 },
	{ "/links/0/owner", "\"0000:99:00.0\"", 0 },
};

START_TEST(wrong_ones_are_refused)
{
	const struct wrong *wrong = &wrongs[_i];
	struct topology *topology = tree_topology(2), *read = NULL;
	struct json_object *object = topology_to_json(topology), *holder = NULL, *value = NULL;
	char path[64];
	char *key;

	(void)snprintf(path, sizeof(path), "%s", wrong->path);
	key = strrchr(path, '/');
	*key++ = '\0';
	ck_assert_int_eq(path[0] ? json_pointer_get(object, path, &holder) : ((holder = object), 0), 0);
	if (wrong->value)
		value = json_tokener_parse(wrong->value);
	if (json_object_is_type(holder, json_type_array))
		json_object_array_put_idx(holder, 0, value);
	else if (wrong->value)
		json_object_object_add(holder, key, value);
	else
		json_object_object_del(holder, key);
	ck_assert_msg(topology_from_json(object, &read) == wrong->r, "%s", wrong->path);
	topology_unref(read);
	json_object_put(object);
	topology_unref(topology);
}
END_TEST

START_TEST(other_json_is_refused)
{
	static const char *const texts[] = { "[]", "7", "\"x\"", "{}", "null" };
	struct topology *topology;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct json_object *object = json_tokener_parse(texts[i]);

		ck_assert_int_eq(topology_from_json(object, &topology), -EBADMSG);
		json_object_put(object);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json");
	TCase *tcase = tcase_create("json");
	SRunner *runner;
	int n_failed;

	tcase_add_test(tcase, round_trip_is_the_identity);
	tcase_add_test(tcase, unmanaged_there_and_back);
	tcase_add_test(tcase, unmanaged_gives_way);
	tcase_add_test(tcase, unknown_counts_are_null);
	tcase_add_test(tcase, fits_the_varlink_interface);
	tcase_add_loop_test(tcase, wrong_ones_are_refused, 0, sizeof(wrongs) / sizeof(wrongs[0]));
	tcase_add_test(tcase, other_json_is_refused);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}

// SPDX-License-Identifier: MIT
/* What the daemon answers to those who ask well. */
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define FABRIC "org.drmfabric.Fabric."
#define ADMIN "org.drmfabric.Admin."
#define GET_TOPOLOGY "{\"method\":\"" FABRIC "GetTopology\"}"

static struct harness harness;

static void start(void)
{
	harness_start(&harness, 3, NULL);
}

static void stop(void)
{
	harness_stop(&harness);
}

static struct json_object *get(struct json_object *json, const char *name)
{
	struct json_object *value = NULL;

	ck_assert_msg(json_object_object_get_ex(json, name, &value), "no %s in %s", name,
		      json_object_to_json_string(json));
	return value;
}

static const char *get_string(struct json_object *json, const char *name)
{
	return json_object_get_string(get(json, name));
}

START_TEST(info_names_the_interfaces_of_each_socket)
{
	struct json_object *json = raw_call(harness.public, "{\"method\":\"org.varlink.service.GetInfo\"}");
	struct json_object *parameters = get(json, "parameters");

	ck_assert_str_eq(get_string(parameters, "product"), "fabricd");
	ck_assert_str_eq(json_object_to_json_string_ext(get(parameters, "interfaces"), JSON_C_TO_STRING_PLAIN),
			 "[\"org.varlink.service\",\"org.drmfabric.Fabric\"]");
	json_object_put(json);

	json = raw_call(harness.admin, "{\"method\":\"org.varlink.service.GetInfo\",\"parameters\":null}");
	ck_assert_uint_eq(json_object_array_length(get(get(json, "parameters"), "interfaces")), 3);
	json_object_put(json);
}
END_TEST

START_TEST(descriptions_are_the_files_of_uapi)
{
	static const char *const names[] = { "org.drmfabric.Fabric", "org.drmfabric.Admin" };
	int fd = raw_connect(harness.admin);

	for (size_t i = 0; i < 2; i++) {
		char request[256], path[1024], text[16384];
		struct json_object *json;
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s.varlink", UAPI, names[i]);
		file = fopen(path, "re");
		ck_assert_ptr_nonnull(file);
		text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
		fclose(file);
		snprintf(request, sizeof(request),
			 "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
			 "\"parameters\":{\"interface\":\"%s\"}}",
			 names[i]);
		raw_request(fd, request);
		json = raw_receive_json(fd);
		ck_assert_str_eq(get_string(get(json, "parameters"), "description"), text);
		json_object_put(json);
	}
	raw_request(fd, "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
			"\"parameters\":{\"interface\":\"org.varlink.service\"}}");
	json_object_put(raw_receive_json(fd));
	close(fd);
}
END_TEST

START_TEST(topology_shows_the_tree)
{
	struct json_object *json = raw_call(harness.public, GET_TOPOLOGY);
	struct json_object *topology = get(get(json, "parameters"), "topology");
	struct json_object *device = json_object_array_get_idx(get(topology, "devices"), 1);

	ck_assert_str_eq(get_string(topology, "schema"), "fabric.topology/1");
	ck_assert_str_eq(get_string(topology, "source"), "kernel");
	ck_assert_uint_eq(json_object_array_length(get(topology, "devices")), 3);
	ck_assert_uint_eq(json_object_array_length(get(topology, "links")), 6);
	ck_assert_str_eq(get_string(device, "name"), harness_device(1));
	ck_assert_str_eq(get_string(device, "state"), "online");
	json_object_put(json);
}
END_TEST

/* The generation does not move when bytes do: the answer has to be fresh all the same. */
START_TEST(topology_has_fresh_counters_within_a_generation)
{
	struct json_object *json = raw_call(harness.public, GET_TOPOLOGY), *region;

	json_object_put(json);
	harness_write(&harness, "12345678", "class/drm_fabric/%s/regions/vram0/free_bytes", harness_device(0));
	harness_write(&harness, "7", "class/drm_fabric/%s/handles", harness_device(0));
	usleep(100000);
	json = raw_call(harness.public, GET_TOPOLOGY);
	region = json_object_array_get_idx(get(get(get(json, "parameters"), "topology"), "devices"), 0);
	ck_assert_int_eq(json_object_get_int64(get(region, "n_handles")), 7);
	region = json_object_array_get_idx(get(region, "regions"), 0);
	ck_assert_int_eq(json_object_get_int64(get(region, "free_bytes")), 12345678);
	json_object_put(json);
}
END_TEST

/* Without a uevent (there are none in a tree of files) the generation tells that there is something new. */
START_TEST(topology_follows_the_generation)
{
	struct json_object *json;

	harness_remove_device(&harness, 2);
	harness_set_generation(&harness, 2);
	usleep(100000);
	json = raw_call(harness.public, GET_TOPOLOGY);
	ck_assert_uint_eq(json_object_array_length(get(get(get(json, "parameters"), "topology"), "devices")), 2);
	json_object_put(json);
}
END_TEST

START_TEST(place_chooses_and_says_why)
{
	struct json_object *json = raw_call(harness.public,
					    "{\"method\":\"" FABRIC "Place\",\"parameters\":"
					    "{\"count\":2,\"bytes\":4096,\"exclude\":[\"0000:03:00.0\"]}}");
	struct json_object *parameters = get(json, "parameters");
	struct json_object *first = json_object_array_get_idx(get(parameters, "placements"), 0);

	ck_assert_uint_eq(json_object_array_length(get(parameters, "placements")), 2);
	ck_assert_str_eq(get_string(first, "device"), "0000:04:00.0");
	ck_assert_str_ne(get_string(first, "reason"), "");
	ck_assert(!get(first, "devmem_file_descriptor"));
	ck_assert(json_object_get_boolean(get(parameters, "linked")));
	ck_assert_int_eq(json_object_get_int64(get(parameters, "bottleneck_mbps")), 24000);
	json_object_put(json);
}
END_TEST

START_TEST(place_names_its_errors)
{
	static const struct {
		const char *parameters, *error;
	} cases[] = {
		{ "{\"count\":4,\"bytes\":1}", FABRIC "NotEnoughDevices" },
		{ "{\"count\":1,\"bytes\":2147483648}", FABRIC "NotEnoughDevices" },
		{ "{\"count\":9223372036854775807,\"bytes\":9223372036854775807}", FABRIC "NotEnoughDevices" },
		{ "{\"count\":1,\"bytes\":1,\"exclude\":[\"nobody\"]}", FABRIC "NoSuchDevice" },
		{ "{\"count\":2,\"bytes\":1,\"handles\":true}", FABRIC "CannotOpen" },
		{ "{\"count\":0,\"bytes\":1}", "org.varlink.service.InvalidParameter" },
		{ "{\"count\":-1,\"bytes\":1}", "org.varlink.service.InvalidParameter" },
		{ "{\"count\":1,\"bytes\":-1}", "org.varlink.service.InvalidParameter" },
	};
	int fd = raw_connect(harness.public);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char request[256];

		snprintf(request, sizeof(request), "{\"method\":\"" FABRIC "Place\",\"parameters\":%s}",
			 cases[i].parameters);
		raw_request(fd, request);
		json_object_put(raw_expect_error(fd, cases[i].error));
	}
	close(fd);
}
END_TEST

START_TEST(admin_names_its_errors)
{
	static const struct {
		const char *method, *parameters, *error;
	} cases[] = {
		{ "Remove", "{\"device\":\"nobody\"}", "NoSuchDevice" },
		{ "Remove", "{\"device\":\"../drm_fabric\"}", "NoSuchDevice" },
		{ "Remove", "{\"device\":\"\"}", "NoSuchDevice" },
		{ "Remove", "{\"device\":\"0000:03:00.0\"}", "KernelPartAbsent" },
		{ "CancelRemove", "{\"device\":\"nobody\"}", "NoSuchDevice" },
		{ "CancelRemove", "{\"device\":\"0000:03:00.0\"}", "NotInProgress" },
		{ "BringBack", "{\"device\":\"nobody\"}", "NoSuchDevice" },
		{ "BringBack", "{\"device\":\"0000:03:00.0\"}", "BringBackFailed" },
		{ "ListHolders", "{\"device\":\"nobody\"}", "NoSuchDevice" },
	};
	int fd = raw_connect(harness.admin);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char request[256], error[64];

		snprintf(request, sizeof(request), "{\"method\":\"" ADMIN "%s\",\"parameters\":%s}", cases[i].method,
			 cases[i].parameters);
		snprintf(error, sizeof(error), ADMIN "%s", cases[i].error);
		raw_request(fd, request);
		json_object_put(raw_expect_error(fd, error));
	}
	raw_request(fd,
		    "{\"method\":\"" ADMIN "Remove\",\"parameters\":{\"device\":\"0000:03:00.0\",\"drain_ms\":-1}}");
	raw_expect_invalid(fd, "drain_ms");
	close(fd);
}
END_TEST

/* A device whose drain a daemon before this one began is shown as it is, and can be called off. */
START_TEST(device_found_draining_is_shown_and_can_be_cancelled)
{
	struct json_object *json, *device;

	harness_write(&harness, "draining", "class/drm_fabric/%s/state", harness_device(0));
	harness_set_generation(&harness, 2);
	usleep(100000);
	json = raw_call(harness.public, GET_TOPOLOGY);
	device = json_object_array_get_idx(get(get(get(json, "parameters"), "topology"), "devices"), 0);
	ck_assert_str_eq(get_string(device, "state"), "draining");
	json_object_put(json);
	/* As far as a tree of files goes: not "not in progress". */
	json = raw_call(harness.admin,
			"{\"method\":\"" ADMIN "CancelRemove\",\"parameters\":{\"device\":\"0000:03:00.0\"}}");
	ck_assert_str_eq(get_string(json, "error"), ADMIN "KernelPartAbsent");
	json_object_put(json);
}
END_TEST

/* More devices than are solved whatever they look like: those that are not in the fabric do not count. */
START_TEST(many_devices_beside_few_to_place)
{
	struct json_object *json;

	for (unsigned int i = 0; i < 1201; i++)
		harness_write(&harness, "0x030200", "class/drm_fabric_unmanaged/%04x:99:00.0/pci_class", i + 1);
	harness_set_generation(&harness, 2);
	usleep(100000);
	json = raw_call(harness.public,
			"{\"method\":\"org.drmfabric.Fabric.Place\",\"parameters\":{\"count\":2,\"bytes\":0}}");
	ck_assert_uint_eq(json_object_array_length(get(get(json, "parameters"), "placements")), 2);
	json_object_put(json);
}
END_TEST

/* A GPU that is not in the fabric is shown, and nothing more: it is not chosen, not removed, and seen when it joins. */
START_TEST(unmanaged_is_shown_and_not_used)
{
	struct json_object *json, *devices;

	harness_write(&harness, "0x030200", "class/drm_fabric_unmanaged/0000:99:00.0/pci_class");
	harness_write(&harness, "stranger", "class/drm_fabric_unmanaged/0000:99:00.0/driver");
	harness_set_generation(&harness, 2);
	usleep(100000);
	json = raw_call(harness.public, GET_TOPOLOGY);
	devices = get(get(get(json, "parameters"), "topology"), "devices");
	ck_assert_uint_eq(json_object_array_length(devices), 4);
	ck_assert_str_eq(get_string(json_object_array_get_idx(devices, 3), "state"), "unmanaged");
	ck_assert_str_eq(get_string(json_object_array_get_idx(devices, 3), "driver"), "stranger");
	ck_assert(!json_object_get_boolean(get(json_object_array_get_idx(devices, 3), "managed")));
	json_object_put(json);

	json = raw_call(harness.public,
			"{\"method\":\"org.drmfabric.Fabric.Place\",\"parameters\":{\"count\":4,\"bytes\":0}}");
	ck_assert_str_eq(get_string(json, "error"), "org.drmfabric.Fabric.NotEnoughDevices");
	ck_assert_ptr_nonnull(strstr(get_string(get(json, "parameters"), "reason"), "0000:99:00.0 (unmanaged)"));
	json_object_put(json);
	json = raw_call(harness.admin, "{\"method\":\"" ADMIN "Remove\",\"parameters\":{\"device\":\"0000:99:00.0\"}}");
	ck_assert_str_eq(get_string(json, "error"), ADMIN "NoSuchDevice");
	json_object_put(json);
}
END_TEST

START_TEST(admin_interface_is_not_on_the_public_socket)
{
	struct json_object *json;

	json = raw_call(harness.public, "{\"method\":\"" ADMIN "ListHolders\"}");
	ck_assert_str_eq(get_string(json, "error"), "org.varlink.service.InterfaceNotFound");
	json_object_put(json);
	json = raw_call(harness.public, "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
					"\"parameters\":{\"interface\":\"org.drmfabric.Admin\"}}");
	ck_assert_str_eq(get_string(json, "error"), "org.varlink.service.InterfaceNotFound");
	json_object_put(json);
}
END_TEST

START_TEST(sockets_have_their_modes)
{
	struct stat st;

	ck_assert_int_eq(stat(harness.public, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0666);
	ck_assert_int_eq(stat(harness.admin, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0660);
}
END_TEST

START_TEST(pipelined_requests_are_answered_in_order)
{
	enum { N = 500 };
	char *requests = calloc(N, 128);
	size_t length = 0;
	int fd = raw_connect(harness.public);

	for (int i = 0; i < N; i++)
		length += (size_t)sprintf(requests + length, "{\"method\":\"org.drmfabric.Fabric.M%d\"}", i) + 1;
	ck_assert_uint_eq(raw_send(fd, requests, length), length);
	/* Half-closed: all replies come, and then the end. */
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	for (int i = 0; i < N; i++) {
		struct json_object *parameters = raw_expect_error(fd, "org.varlink.service.MethodNotFound");
		char expected[64];

		snprintf(expected, sizeof(expected), "org.drmfabric.Fabric.M%d", i);
		ck_assert_str_eq(get_string(parameters, "method"), expected);
		json_object_put(parameters);
	}
	raw_expect_closed(fd);
	free(requests);
}
END_TEST

START_TEST(oneway_has_no_reply)
{
	int fd = raw_connect(harness.public);

	raw_request(fd, "{\"method\":\"" FABRIC "GetTopology\",\"oneway\":true}");
	raw_request(fd, "{\"method\":\"" FABRIC "Nonsense\",\"oneway\":true}");
	raw_request(fd, "{\"method\":\"" FABRIC "Nonsense\"}");
	json_object_put(raw_expect_error(fd, "org.varlink.service.MethodNotFound"));
	close(fd);
}
END_TEST

START_TEST(message_in_single_bytes_is_understood)
{
	int fd = raw_connect(harness.public);
	const char *text = "{\"method\":\"" FABRIC "X\"}";

	for (size_t i = 0; i <= strlen(text); i++)
		ck_assert_uint_eq(raw_send(fd, text + i, 1), 1);
	json_object_put(raw_expect_error(fd, "org.varlink.service.MethodNotFound"));
	close(fd);
}
END_TEST

START_TEST(second_daemon_does_not_steal_a_live_socket)
{
	static const char *const none[] = { NULL };

	ck_assert_int_eq(harness_run(&harness, none), 1);
	harness_expect_alive(&harness);
}
END_TEST

START_TEST(usage_is_checked)
{
	static const char *const wrong[] = { "--nonsense", NULL }, *const extra[] = { "word", NULL };
	static const char *const help[] = { "--help", NULL }, *const version[] = { "--version", NULL };

	ck_assert_int_eq(harness_run(&harness, wrong), 2);
	ck_assert_int_eq(harness_run(&harness, extra), 2);
	ck_assert_int_eq(harness_run(&harness, help), 0);
	ck_assert_int_eq(harness_run(&harness, version), 0);
}
END_TEST

/* Leaves a socket file behind that nobody answers at, as a daemon that was killed does. */
START_TEST(stale_socket_is_replaced)
{
	ck_assert_int_eq(kill(harness.pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(harness.pid, NULL, 0), harness.pid);
	ck_assert_int_eq(access(harness.public, F_OK), 0);
	harness.pid = fork();
	if (harness.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(FABRICD, FABRICD, "--root", harness.root, "--socket", harness.public, "--admin-socket",
		      harness.admin, NULL);
		_exit(127);
	}
	for (int i = 0; i < 500; i++) {
		struct sockaddr_un address = { .sun_family = AF_UNIX };
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		strcpy(address.sun_path, harness.admin);
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
			i = 500;
		close(fd);
		usleep(10000);
	}
	harness_expect_alive(&harness);
}
END_TEST

START_TEST(file_that_is_no_socket_is_left_alone)
{
	struct harness other = harness;
	static const char *const none[] = { NULL };
	struct stat st;

	snprintf(other.public, sizeof(other.public), "%s/sys", harness.folder);
	ck_assert_int_eq(harness_run(&other, none), 1);
	ck_assert_int_eq(stat(other.public, &st), 0);
}
END_TEST

/* varlinkctl with an executable: a connected socket as fd 3. */
START_TEST(inherited_connection_is_served_and_ends_the_daemon)
{
	char pid_text[16];
	struct json_object *json;
	int fds[2], status;
	pid_t pid;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		dup2(fds[1], 3);
		if (fds[0] != 3)
			close(fds[0]);
		snprintf(pid_text, sizeof(pid_text), "%d", getpid());
		setenv("LISTEN_PID", pid_text, 1);
		setenv("LISTEN_FDS", "1", 1);
		setenv("LISTEN_FDNAMES", "varlink", 1);
		execl(FABRICD, FABRICD, "--root", harness.root, NULL);
		_exit(127);
	}
	close(fds[1]);
	raw_request(fds[0], "{\"method\":\"org.varlink.service.GetInfo\"}");
	json = raw_receive_json(fds[0]);
	ck_assert_uint_eq(json_object_array_length(get(get(json, "parameters"), "interfaces")), 3);
	json_object_put(json);
	close(fds[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
END_TEST

/* No class/drm_fabric at all: an empty topology that says so, and devices once they are there. */
START_TEST(kernel_part_may_come_later)
{
	struct harness bare;
	struct json_object *json, *topology;

	harness_start(&bare, 0, NULL);
	json = raw_call(bare.public, GET_TOPOLOGY);
	topology = get(get(json, "parameters"), "topology");
	ck_assert_str_eq(get_string(topology, "source"), "partial");
	ck_assert_uint_ge(json_object_array_length(get(topology, "warnings")), 1);
	json_object_put(json);
	json = raw_call(bare.public, "{\"method\":\"" FABRIC "Place\",\"parameters\":{\"count\":1,\"bytes\":1}}");
	ck_assert_str_eq(get_string(json, "error"), FABRIC "KernelPartAbsent");
	json_object_put(json);

	harness_add_device(&bare, 0, 1);
	harness_add_class(&bare);
	usleep(100000);
	json = raw_call(bare.public, GET_TOPOLOGY);
	topology = get(get(json, "parameters"), "topology");
	ck_assert_str_eq(get_string(topology, "source"), "kernel");
	ck_assert_uint_eq(json_object_array_length(get(topology, "devices")), 1);
	json_object_put(json);
	harness_stop(&bare);
}
END_TEST

Suite *basic_suite(void)
{
	Suite *suite = suite_create("basic");
	TCase *tcase = tcase_create("answers");

	tcase_add_checked_fixture(tcase, start, stop);
	tcase_set_timeout(tcase, 20);
	tcase_add_test(tcase, info_names_the_interfaces_of_each_socket);
	tcase_add_test(tcase, descriptions_are_the_files_of_uapi);
	tcase_add_test(tcase, topology_shows_the_tree);
	tcase_add_test(tcase, topology_has_fresh_counters_within_a_generation);
	tcase_add_test(tcase, topology_follows_the_generation);
	tcase_add_test(tcase, place_chooses_and_says_why);
	tcase_add_test(tcase, place_names_its_errors);
	tcase_add_test(tcase, admin_names_its_errors);
	tcase_add_test(tcase, device_found_draining_is_shown_and_can_be_cancelled);
	tcase_add_test(tcase, many_devices_beside_few_to_place);
	tcase_add_test(tcase, unmanaged_is_shown_and_not_used);
	tcase_add_test(tcase, admin_interface_is_not_on_the_public_socket);
	tcase_add_test(tcase, pipelined_requests_are_answered_in_order);
	tcase_add_test(tcase, oneway_has_no_reply);
	tcase_add_test(tcase, message_in_single_bytes_is_understood);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("sockets");
	tcase_add_checked_fixture(tcase, start, stop);
	tcase_set_timeout(tcase, 20);
	tcase_add_test(tcase, sockets_have_their_modes);
	tcase_add_test(tcase, second_daemon_does_not_steal_a_live_socket);
	tcase_add_test(tcase, usage_is_checked);
	tcase_add_test(tcase, stale_socket_is_replaced);
	tcase_add_test(tcase, file_that_is_no_socket_is_left_alone);
	tcase_add_test(tcase, inherited_connection_is_served_and_ends_the_daemon);
	tcase_add_test(tcase, kernel_part_may_come_later);
	suite_add_tcase(suite, tcase);
	return suite;
}

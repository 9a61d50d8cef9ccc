// SPDX-License-Identifier: MIT
/* The public client against a peer that says exactly what a test has it say: what no well-made daemon would. */
#include "fabricmap.h"
#include "machine.h"
#include "tree-maker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char *folder;
static pid_t peer;

/* The first request, then @reply (and its NUL), then hang up. */
static void talk_once(int fd, const char *reply)
{
	char request[4096];

	if (read(fd, request, sizeof(request)) > 0 && reply)
		(void)!write(fd, reply, strlen(reply) + 1); /* whether it arrives is the test's business */
}

/* The reply comes when the client has given up, and the connection stays until the client ends it. */
static void talk_late(int fd, const char *reply)
{
	char request[4096];

	if (read(fd, request, sizeof(request)) <= 0)
		return;
	(void)usleep(200000);
	(void)!write(fd, reply, strlen(reply) + 1);
	while (read(fd, request, sizeof(request)) > 0)
		;
}

static void talk_once_each(int fd, const char *reply)
{
	char request[4096];

	while (read(fd, request, sizeof(request)) > 0)
		(void)!write(fd, reply, strlen(reply) + 1);
}

/* Each request gets the reply twice: a stream does not end when its reader does. */
static void talk_on(int fd, const char *reply)
{
	char request[4096];

	while (read(fd, request, sizeof(request)) > 0)
		for (int i = 0; i < 2; i++)
			(void)!write(fd, reply, strlen(reply) + 1);
}

/* A client on a new socket, and on its other side @talk. */
static struct fabricmap_client *client_with(void (*talk)(int fd, const char *reply), const char *reply)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct fabricmap_client *client;
	int listener;

	folder = tree_make();
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", folder);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(listener, 0);
	ck_assert_int_eq(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	peer = fork();
	if (peer == 0) {
		talk(accept(listener, NULL, NULL), reply);
		_exit(0);
	}
	(void)close(listener);
	ck_assert_int_eq(fabricmap_client_connect(address.sun_path, &client), 0);
	return client;
}

static struct fabricmap_client *client_of(const char *reply)
{
	return client_with(talk_once, reply);
}

static void client_done(struct fabricmap_client *client)
{
	fabricmap_client_free(client);
	(void)waitpid(peer, NULL, 0); /* it ends by itself */
	tree_remove(folder);
}

START_TEST(errors_become_errnos)
{
	static const struct {
		const char *reply;
		int r;
		const char *error;
	} cases[] = {
		{ "{\"error\":\"org.drmfabric.Fabric.NotEnoughDevices\",\"parameters\":{\"asked\":2,\"available\":1,"
		  "\"reason\":\"one is draining\"}}",
		  -ENOSPC, "one is draining" },
		{ "{\"error\":\"org.drmfabric.Fabric.NoSuchDevice\",\"parameters\":{\"device\":\"0000:01:00.0\"}}",
		  -ENODEV, "0000:01:00.0: no such device" },
		{ "{\"error\":\"org.drmfabric.Fabric.LimitExceeded\",\"parameters\":{\"limit\":\"handles\",\"value\":9}}",
		  -EDQUOT, "a limit of this client is reached (handles)" },
		{ "{\"error\":\"org.drmfabric.Fabric.FromTheFuture\",\"parameters\":{\"reason\":7}}", -EPROTO,
		  "org.drmfabric.Fabric.FromTheFuture" },
		{ "{\"error\":\"org.varlink.service.PermissionDenied\"}", -EACCES, "permission denied" },
		{ "{\"parameters\":{\"generation\":1,\"placements\":[],\"linked\":7,\"exact\":true}}", -EBADMSG, NULL },
		{ "{\"parameters\":{\"generation\":1,\"linked\":true,\"exact\":true,\"placements\":[{\"device\":\"d\","
		  "\"region\":\"r\",\"free_bytes\":1,\"reason\":\"x\",\"devmem_file_descriptor\":0}]}}",
		  -EBADMSG, NULL },
		{ "{\"parameters\":{\"generation\":1,\"linked\":true,\"exact\":true,\"placements\":[{\"device\":\"d\","
		  "\"region\":\"r\",\"free_bytes\":1,\"reason\":\"x\"}]}}",
		  -EBADMSG, NULL },
		{ "[]", -EBADMSG, NULL },
		{ NULL, -ECONNRESET, NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fabricmap_client *client = client_of(cases[i].reply);
		struct fabricmap_placement *placement = NULL;
		int r = fabricmap_client_place(client, 1, 1, FABRICMAP_PLACE_HANDLES, NULL, 0, &placement);

		ck_assert_msg(r == cases[i].r, "case %zu: %d", i, r);
		ck_assert_ptr_null(placement);
		ck_assert_str_ne(fabricmap_client_error(client), "");
		if (cases[i].error)
			ck_assert_str_eq(fabricmap_client_error(client), cases[i].error);
		client_done(client);
	}
}
END_TEST

static const char placed[] =
	"{\"parameters\":{\"generation\":5,\"linked\":false,\"bottleneck_mbps\":null,\"exact\":true,\"placements\":["
	"{\"device\":\"0000:01:00.0\",\"region\":\"vram0\",\"free_bytes\":9,\"reason\":\"why\"}]}}";

START_TEST(placement_without_handles)
{
	struct fabricmap_client *client = client_of(placed);
	struct fabricmap_placement *placement;

	ck_assert_int_eq(fabricmap_client_place(client, 1, 1, 0, NULL, 0, &placement), 0);
	ck_assert_str_eq(fabricmap_client_error(client), "");
	ck_assert_ptr_null(fabricmap_client_error_name(client));
	ck_assert_uint_eq(fabricmap_placement_n_devices(placement), 1);
	ck_assert_str_eq(fabricmap_placement_device(placement, 0), "0000:01:00.0");
	ck_assert_int_eq(fabricmap_placement_generation(placement), 5);
	ck_assert_int_eq(fabricmap_placement_bottleneck_mbps(placement), FABRICMAP_UNKNOWN);
	ck_assert_int_eq(fabricmap_placement_is_exact(placement), 1);
	ck_assert_int_eq(fabricmap_placement_take_fd(placement, 0), -EBADF);
	ck_assert_int_eq(fabricmap_placement_take_fd(placement, 9), -EBADF);
	fabricmap_placement_free(placement);
	client_done(client);
}
END_TEST

/* proves: an answer that comes too late is not taken for the answer of the next call */
START_TEST(late_answer_is_nobodys)
{
	struct fabricmap_client *client = client_with(talk_late, placed);
	struct fabricmap_placement *placement = NULL;
	struct fabricmap *map;

	fabricmap_client_set_timeout(client, 20);
	ck_assert_int_eq(fabricmap_client_place(client, 1, 1, 0, NULL, 0, &placement), -ETIMEDOUT);
	fabricmap_client_set_timeout(client, 2000);
	(void)usleep(400000); /* it is there now */
	ck_assert_int_eq(fabricmap_client_place(client, 2, 7, 0, NULL, 0, &placement), -ENOTCONN);
	ck_assert_ptr_null(placement);
	ck_assert_str_eq(fabricmap_client_error(client), "the connection was given up when an earlier call failed");
	ck_assert_int_eq(fabricmap_client_get_topology(client, &map), -ENOTCONN);
	client_done(client);
}
END_TEST

static int enough(const struct fabricmap_event *event, void *userdata)
{
	(void)event;
	(void)userdata;
	return 7;
}

START_TEST(nothing_after_a_stream_that_was_left)
{
	struct fabricmap_client *client = client_with(talk_on, "{\"parameters\":{\"event\":null},\"continues\":true}");
	struct fabricmap *map;

	ck_assert_int_eq(fabricmap_client_subscribe(client, enough, NULL), 7);
	ck_assert_int_eq(fabricmap_client_get_topology(client, &map), -ENOTCONN);
	ck_assert_int_eq(fabricmap_client_subscribe(client, enough, NULL), -ENOTCONN);
	client_done(client);
}
END_TEST

START_TEST(refusal_leaves_the_connection)
{
	/* Neither an error of the daemon's nor a wrong argument is the end of it. */
	struct fabricmap_client *client = client_with(
		talk_once_each, "{\"error\":\"org.drmfabric.Fabric.NoSuchDevice\",\"parameters\":{\"device\":\"x\"}}");
	struct fabricmap_placement *placement;

	ck_assert_int_eq(fabricmap_client_place(client, 1, 1, 99, NULL, 0, &placement), -EINVAL);
	ck_assert_int_eq(fabricmap_client_place(client, 1, 1, 0, NULL, 0, &placement), -ENODEV);
	ck_assert_int_eq(fabricmap_client_place(client, 1, 1, 0, NULL, 0, &placement), -ENODEV);
	client_done(client);
}
END_TEST

START_TEST(newer_daemon_costs_only_what_is_new)
{
	/* A state and a type of link that this build does not know. */
	struct fabricmap_client *client = client_of(
		"{\"parameters\":{\"topology\":{\"schema\":\"fabric.topology/1\",\"generation\":1,\"source\":\"kernel\","
		"\"devices\":[{\"name\":\"a\",\"state\":\"online\",\"incarnation\":null,\"n_handles\":null,\"regions\":[]},"
		"{\"name\":\"b\",\"state\":\"online\",\"incarnation\":2,\"n_handles\":3,\"regions\":[]},"
		"{\"name\":\"c\",\"state\":\"hibernating\",\"incarnation\":1,\"n_handles\":0,\"regions\":[]}],"
		"\"links\":[{\"accessor\":\"a\",\"owner\":\"b\",\"link_type\":\"tachyon\",\"up\":true}],"
		"\"groups\":[{\"id\":\"g\",\"link_type\":\"tachyon\",\"members\":[\"a\"]}],\"warnings\":[]}}}");
	static const char *const warnings[] = {
		"unreadable device: c: state: none that this version knows: left out",
		"unreadable link: a -> b: type: none that this version knows: left out",
		"unreadable group: g: type: none that this version knows: left out",
	};
	struct fabricmap *map;

	ck_assert_int_eq(fabricmap_client_get_topology(client, &map), 0);
	ck_assert_uint_eq(fabricmap_n_devices(map), 2);
	ck_assert_uint_eq(fabricmap_n_links(map), 0);
	ck_assert_uint_eq(fabricmap_n_groups(map), 0);
	ck_assert_uint_eq(fabricmap_n_warnings(map), 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert_str_eq(fabricmap_warning(map, i), warnings[i]);
	ck_assert_int_eq(fabricmap_device_incarnation(fabricmap_device_at(map, 0)), FABRICMAP_UNKNOWN);
	ck_assert_int_eq(fabricmap_device_n_handles(fabricmap_device_at(map, 0)), FABRICMAP_UNKNOWN);
	ck_assert_int_eq(fabricmap_device_n_handles(fabricmap_device_at(map, 1)), 3);
	fabricmap_unref(map);
	client_done(client);
}
END_TEST

START_TEST(holders_that_are_not_all)
{
	struct fabricmap_client *client = client_of("{\"parameters\":{\"device_holders\":[],\"unreadable\":3}}");
	struct fabricmap_holders *holders;

	ck_assert_int_eq(fabricmap_client_holders(client, NULL, &holders), 0);
	ck_assert_uint_eq(fabricmap_holders_n(holders), 0);
	ck_assert_uint_eq(fabricmap_holders_n_unreadable(holders), 3);
	fabricmap_holders_free(holders);
	client_done(client);
}
END_TEST

START_TEST(topology_that_makes_no_sense)
{
	struct fabricmap_client *client = client_of(
		"{\"parameters\":{\"topology\":{\"schema\":\"fabric.topology/9\",\"generation\":1,\"source\":\"kernel\","
		"\"devices\":[],\"links\":[],\"groups\":[],\"warnings\":[]}}}");
	struct fabricmap *map = NULL;

	ck_assert_int_eq(fabricmap_client_get_topology(client, &map), -EPROTONOSUPPORT);
	ck_assert_ptr_null(map);
	client_done(client);
}
END_TEST

START_TEST(no_daemon)
{
	struct fabricmap_client *client;

	ck_assert_int_eq(fabricmap_client_connect("/nonexistent/socket", &client), -ENOENT);
	/* A mistake is not an absent daemon: others decide for themselves then. */
	ck_assert_int_eq(fabricmap_client_connect("/dev/null", &client), -ENOTSOCK);
	ck_assert_int_eq(fabricmap_client_connect_admin("/etc", &client), -ENOTSOCK);
	ck_assert_int_eq(setenv("FABRICD_SOCKET", "/nonexistent/elsewhere", 1), 0);
	ck_assert_int_eq(fabricmap_client_connect(NULL, &client), -ENOENT);
	ck_assert_ptr_null(fabricmap_client_free(NULL));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		errors_become_errnos,
		placement_without_handles,
		late_answer_is_nobodys,
		nothing_after_a_stream_that_was_left,
		refusal_leaves_the_connection,
		newer_daemon_costs_only_what_is_new,
		holders_that_are_not_all,
		topology_that_makes_no_sense,
		no_daemon,
	};

	return machine_run_suite("client", tests, sizeof(tests) / sizeof(tests[0]));
}

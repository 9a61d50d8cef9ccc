// SPDX-License-Identifier: MIT
/* Those who take too much: the limit is named or the connection closed, and others are served meanwhile. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define GET_TOPOLOGY "{\"method\":\"org.drmfabric.Fabric.GetTopology\"}"
#define SUBSCRIBE "{\"method\":\"org.drmfabric.Fabric.Subscribe\",\"more\":true}"

static struct harness harness;

static void stop(void)
{
	harness_stop(&harness);
}

static void start(void)
{
	harness_start(&harness, 3, NULL);
}

static void start_small(void)
{
	harness_start(&harness, 3,
		      "# small enough to be reached\n"
		      "connections_per_uid = 4\n"
		      "subscriptions_per_uid = 2\n"
		      "stall_ms = 500\n"
		      "\n"
		      "message_ms=500\n");
}

static void expect_limit(int fd, const char *limit, int64_t value)
{
	struct json_object *parameters = raw_expect_error(fd, "org.drmfabric.Fabric.LimitExceeded");

	ck_assert_str_eq(json_object_get_string(json_object_object_get(parameters, "limit")), limit);
	ck_assert_int_eq(json_object_get_int64(json_object_object_get(parameters, "value")), value);
	json_object_put(parameters);
}

START_TEST(two_hundred_connections_are_served)
{
	enum { N = 200 };
	int fds[N];

	for (int i = 0; i < N; i++)
		fds[i] = raw_connect(harness.public);
	for (int i = 0; i < N; i++)
		raw_request(fds[i], GET_TOPOLOGY);
	for (int i = N - 1; i >= 0; i--) {
		json_object_put(raw_receive_json(fds[i]));
		close(fds[i]);
	}
	harness_expect_alive(&harness);
}
END_TEST

START_TEST(thousands_of_connections_leave_nothing_behind)
{
	size_t before = harness_n_open_files(&harness);

	for (int i = 0; i < 3000; i++) {
		int fd = raw_connect(harness.public);

		if (i % 3 == 0)
			raw_request(fd, GET_TOPOLOGY);
		if (i % 3 == 1)
			raw_send(fd, "{", 1);
		close(fd);
	}
	harness_expect_alive(&harness);
	usleep(300000);
	ck_assert_uint_eq(harness_n_open_files(&harness), before);
}
END_TEST

START_TEST(connection_over_the_limit_is_told_so)
{
	int fds[4], fd;

	for (int i = 0; i < 4; i++) {
		fds[i] = raw_connect(harness.public);
		raw_request(fds[i], GET_TOPOLOGY);
		json_object_put(raw_receive_json(fds[i]));
	}
	fd = raw_connect(harness.public);
	expect_limit(fd, "connections_per_uid", 4);
	raw_expect_closed(fd);
	/* One that ends makes room. */
	close(fds[0]);
	usleep(200000);
	harness_expect_alive(&harness);
	for (int i = 1; i < 4; i++)
		close(fds[i]);
}
END_TEST

START_TEST(subscription_over_the_limit_is_told_so)
{
	struct json_object *json;
	bool subscribed = false;
	int fds[3];

	for (int i = 0; i < 3; i++) {
		fds[i] = raw_connect(harness.public);
		raw_request(fds[i], SUBSCRIBE);
		if (i < 2)
			raw_expect(fds[i], "{\"parameters\":{\"event\":null},\"continues\":true}");
	}
	expect_limit(fds[2], "subscriptions_per_uid", 2);
	close(fds[0]);
	/* The daemon learns of it when it next looks, which may be after our next request. */
	for (int i = 0; i < 100 && !subscribed; i++) {
		raw_request(fds[2], SUBSCRIBE);
		json = raw_receive_json(fds[2]);
		subscribed = json_object_object_get(json, "continues");
		json_object_put(json);
		usleep(subscribed ? 0 : 5000);
	}
	ck_assert(subscribed);
	close(fds[1]);
	close(fds[2]);
}
END_TEST

/* The administrator gets in, however many connections others have. */
START_TEST(public_connections_do_not_fill_the_admin_socket)
{
	struct harness few;
	struct json_object *json;
	int fds[3], fd;

	harness_start(&few, 1, "connections = 3\nconnections_per_uid = 3\n");
	for (int i = 0; i < 3; i++) {
		fds[i] = raw_connect(few.public);
		raw_request(fds[i], GET_TOPOLOGY);
		json_object_put(raw_receive_json(fds[i]));
	}
	fd = raw_connect(few.public);
	expect_limit(fd, "connections", 3);
	close(fd);
	json = raw_call(few.admin, GET_TOPOLOGY);
	ck_assert_ptr_null(json_object_object_get(json, "error"));
	json_object_put(json);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	harness_stop(&few);
}
END_TEST

/* Named, and the connection goes on. */
START_TEST(reply_over_the_limit_is_told_so)
{
	struct harness large;
	int fd;

	harness_start(&large, 24, "unsent_bytes_per_connection = 65536\n");
	fd = raw_connect(large.public);
	for (int i = 0; i < 3; i++) {
		raw_request(fd, GET_TOPOLOGY);
		expect_limit(fd, "unsent_bytes_per_connection", 65536);
	}
	raw_request(fd, "{\"method\":\"a.B\"}");
	json_object_put(raw_expect_error(fd, "org.varlink.service.InterfaceNotFound"));
	close(fd);
	harness_stop(&large);
}
END_TEST

/* Many connections with as much work as fits: who comes later has a turn before all of that is done. */
START_TEST(pipelined_requests_let_others_have_their_turn)
{
	enum { N = 200 };
	struct harness busy;
	static const char request[] =
		"{\"method\":\"org.drmfabric.Fabric.Place\",\"parameters\":{\"count\":4,\"bytes\":1}}";
	static char requests[sizeof(request) * 600];
	int64_t start_ms;
	int fds[N];

	harness_start(&busy, 24, NULL);
	for (size_t i = 0; i < sizeof(requests); i += sizeof(request))
		memcpy(requests + i, request, sizeof(request));
	for (int i = 0; i < N; i++)
		fds[i] = raw_connect(busy.public);
	harness_expect_alive(&busy); /* all are accepted */
	ck_assert_int_eq(kill(busy.pid, SIGSTOP), 0);
	for (int i = 0; i < N; i++)
		raw_send(fds[i], requests, sizeof(requests));
	ck_assert_int_eq(kill(busy.pid, SIGCONT), 0);
	start_ms = now_ms();
	harness_expect_alive(&busy);
	start_ms = now_ms() - start_ms;
	ck_assert_msg(start_ms < 500, "answered after %jd ms", (intmax_t)start_ms);
	for (int i = 0; i < N; i++)
		close(fds[i]);
	harness_stop(&busy);
}
END_TEST

/* Sends as much as goes and reads nothing: it does not grow the daemon, others are served, and then it is closed. */
START_TEST(client_that_never_reads_is_closed)
{
	struct timespec pause = { .tv_nsec = 10000000 };
	int fd = raw_connect(harness.public);
	size_t n_sent = 0, before = harness_resident_kib(&harness);
	ssize_t n = 0;

	for (int i = 0; i < 500; i++) {
		n = send(fd, GET_TOPOLOGY, sizeof(GET_TOPOLOGY), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			break;
		if (n < 0) {
			nanosleep(&pause, NULL);
			harness_expect_alive(&harness);
		} else {
			n_sent++;
			i = 0;
		}
	}
	ck_assert_int_lt(n, 0);
	ck_assert(errno == EPIPE || errno == ECONNRESET);
	ck_assert_uint_gt(n_sent, 100);
	ck_assert_uint_lt(harness_resident_kib(&harness), before + 8192);
	close(fd);
	harness_expect_alive(&harness);
}
END_TEST

START_TEST(message_that_does_not_end_is_closed)
{
	int fd = raw_connect(harness.public), idle = raw_connect(harness.public);

	raw_send(fd, "{\"method\":", 10);
	raw_expect_closed(fd);
	/* Who says nothing may stay. */
	raw_request(idle, GET_TOPOLOGY);
	json_object_put(raw_receive_json(idle));
	close(idle);
}
END_TEST

/* Before it is read, a reply may be cut off by the client's end at any place. */
START_TEST(client_that_goes_before_its_reply_does_no_harm)
{
	for (int i = 0; i < 300; i++) {
		int fd = raw_connect(i % 2 ? harness.public : harness.admin);

		for (int j = 0; j < 20; j++)
			raw_send(fd, GET_TOPOLOGY, sizeof(GET_TOPOLOGY));
		if (i % 3 == 0)
			raw_send(fd, SUBSCRIBE, sizeof(SUBSCRIBE));
		close(fd);
	}
	harness_expect_alive(&harness);
}
END_TEST

START_TEST(wrong_configuration_is_refused)
{
	static const char *const wrong[] = { "connections = many\n", "connections = 0\n", "colour = 3\n",
					     "connections\n" };
	static const char *const none[] = { NULL };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct harness other = harness;
		FILE *file;

		snprintf(other.config, sizeof(other.config), "%s/wrong", harness.folder);
		snprintf(other.public, sizeof(other.public), "%s/other", harness.folder);
		file = fopen(other.config, "we");
		fputs(wrong[i], file);
		fclose(file);
		ck_assert_int_eq(harness_run(&other, none), 1);
	}
}
END_TEST

/* However long it is. The rest of this one would be a limit by itself, and a wrong one. */
START_TEST(long_line_of_the_configuration_is_one_line)
{
	struct harness other;
	char config[1024];

	memset(config, 'x', sizeof(config));
	config[0] = '#';
	strcpy(config + 511, "connections = many\nstall_ms = 500\n");
	harness_start(&other, 1, config);
	harness_expect_alive(&other);
	harness_stop(&other);
}
END_TEST

/* Whoever reads its words may go. */
START_TEST(closed_stderr_does_no_harm)
{
	int fds[2], fd;

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	harness_restart(&harness, fds[1], -1);
	close(fds[1]);
	close(fds[0]);
	fd = raw_connect(harness.public);
	raw_send(fd, "x", 2); /* worth a line */
	raw_expect_closed(fd);
	harness_expect_alive(&harness);
}
END_TEST

/* A folder that others may read they may lock; the lock is a file that they may not. */
START_TEST(locked_folder_does_not_keep_it_from_starting)
{
	static const char *const none[] = { NULL };
	struct harness other = harness;
	char path[128];
	int fd = open(harness.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	harness_restart(&harness, -1, -1);
	harness_expect_alive(&harness);
	close(fd);
	snprintf(path, sizeof(path), "%s/fabricd.lock", harness.folder);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	/* Who may hold it does keep it. */
	fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	snprintf(other.public, sizeof(other.public), "%s/other", harness.folder);
	ck_assert_int_eq(harness_run(&other, none), 1);
	close(fd);
}
END_TEST

/* SIGTERM with everything open: a stream, an unfinished message, an unread reply. harness_stop() looks at the exit. */
START_TEST(orderly_end_with_open_connections)
{
	int stream = raw_connect(harness.public), half = raw_connect(harness.admin), full = raw_connect(harness.public);

	raw_request(stream, SUBSCRIBE);
	raw_expect(stream, "{\"parameters\":{\"event\":null},\"continues\":true}");
	raw_send(half, "{\"method\"", 9);
	for (int i = 0; i < 1000; i++)
		if (send(full, GET_TOPOLOGY, sizeof(GET_TOPOLOGY), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
			break;
	usleep(50000);
}
END_TEST

Suite *limits_suite(void)
{
	Suite *suite = suite_create("limits");
	TCase *tcase = tcase_create("defaults");

	tcase_add_checked_fixture(tcase, start, stop);
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, two_hundred_connections_are_served);
	tcase_add_test(tcase, thousands_of_connections_leave_nothing_behind);
	tcase_add_test(tcase, client_that_goes_before_its_reply_does_no_harm);
	tcase_add_test(tcase, wrong_configuration_is_refused);
	tcase_add_test(tcase, orderly_end_with_open_connections);
	tcase_add_test(tcase, public_connections_do_not_fill_the_admin_socket);
	tcase_add_test(tcase, reply_over_the_limit_is_told_so);
	tcase_add_test(tcase, pipelined_requests_let_others_have_their_turn);
	tcase_add_test(tcase, long_line_of_the_configuration_is_one_line);
	tcase_add_test(tcase, closed_stderr_does_no_harm);
	tcase_add_test(tcase, locked_folder_does_not_keep_it_from_starting);
	suite_add_tcase(suite, tcase);
	tcase = tcase_create("small");
	tcase_add_checked_fixture(tcase, start_small, stop);
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, connection_over_the_limit_is_told_so);
	tcase_add_test(tcase, subscription_over_the_limit_is_told_so);
	tcase_add_test(tcase, client_that_never_reads_is_closed);
	tcase_add_test(tcase, message_that_does_not_end_is_closed);
	suite_add_tcase(suite, tcase);
	return suite;
}

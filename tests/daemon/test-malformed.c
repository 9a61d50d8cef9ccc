// SPDX-License-Identifier: MIT
/* Those who ask badly: a named error or a closed connection, and nobody else notices. */
#include "harness.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

static struct harness harness;

static void start(void)
{
	harness_start(&harness, 3, NULL);
}

static void stop(void)
{
	harness_stop(&harness);
}

#define PLACE "{\"method\":\"org.drmfabric.Fabric.Place\",\"parameters\":"
#define BYTES(s) s, sizeof(s) - 1

/* What closes the connection. All with their NUL, unless it is the NUL that is wrong. */
static const struct {
	const char *what, *bytes;
	size_t length;
} closing[] = {
	{ "empty message", BYTES("\0") },
	{ "words", BYTES("hello\0") },
	{ "HTTP", BYTES("GET / HTTP/1.1\r\nHost: x\r\n\r\n\0") },
	{ "array", BYTES("[]\0") },
	{ "string", BYTES("\"method\"\0") },
	{ "number", BYTES("1\0") },
	{ "null", BYTES("null\0") },
	{ "empty object", BYTES("{}\0") },
	{ "unfinished object", BYTES("{\"method\":\"a.B\"\0") },
	{ "trailing junk", BYTES("{\"method\":\"a.B\"}x\0") },
	{ "two objects in a message", BYTES("{\"method\":\"a.B\"}{\"method\":\"a.B\"}\0") },
	{ "trailing comma", BYTES("{\"method\":\"a.B\",}\0") },
	{ "single quotes", BYTES("{'method':'a.B'}\0") },
	{ "comment", BYTES("{\"method\":/**/\"a.B\"}\0") },
	{ "method is a number", BYTES("{\"method\":1}\0") },
	{ "method is null", BYTES("{\"method\":null}\0") },
	{ "no method", BYTES("{\"parameters\":{}}\0") },
	{ "more is a string", BYTES("{\"method\":\"a.B\",\"more\":\"yes\"}\0") },
	{ "more and oneway", BYTES("{\"method\":\"a.B\",\"more\":true,\"oneway\":true}\0") },
	{ "upgrade", BYTES("{\"method\":\"a.B\",\"upgrade\":true}\0") },
	{ "unknown member", BYTES("{\"method\":\"a.B\",\"id\":7}\0") },
	{ "member twice", BYTES("{\"method\":\"a.B\",\"method\":\"a.C\"}\0") },
	{ "member twice inside", BYTES(PLACE "{\"count\":1,\"count\":2,\"bytes\":1}}\0") },
	{ "member twice by escape", BYTES("{\"method\":\"a.B\",\"m\\u0065thod\":\"a.C\"}\0") },
	{ "escaped NUL", BYTES("{\"method\":\"a.B\\u0000C\"}\0") },
	{ "escaped NUL in a name", BYTES("{\"method\\u0000x\":\"a.B\"}\0") },
	{ "control character", BYTES("{\"method\":\"a.B\x01\"}\0") },
	{ "not UTF-8", BYTES("{\"method\":\"a.\xff\"}\0") },
	{ "overlong UTF-8", BYTES("{\"method\":\"a.\xc0\xaf\"}\0") },
	{ "surrogate in UTF-8", BYTES("{\"method\":\"a.\xed\xa0\x80\"}\0") },
	{ "above int64", BYTES(PLACE "{\"count\":9223372036854775808,\"bytes\":1}}\0") },
	{ "below int64", BYTES(PLACE "{\"count\":-9223372036854775809,\"bytes\":1}}\0") },
	{ "above uint64", BYTES(PLACE "{\"count\":99999999999999999999,\"bytes\":1}}\0") },
	{ "NaN", BYTES(PLACE "{\"count\":NaN,\"bytes\":1}}\0") },
	{ "Infinity", BYTES(PLACE "{\"count\":Infinity,\"bytes\":1}}\0") },
	{ "huge float", BYTES(PLACE "{\"count\":1e999,\"bytes\":1}}\0") },
	{ "leading zero after a minus", BYTES(PLACE "{\"count\":-01,\"bytes\":1}}\0") },
	{ "no digit after the point", BYTES(PLACE "{\"count\":1.,\"bytes\":1}}\0") },
	{ "leading zero", BYTES(PLACE "{\"count\":01,\"bytes\":1}}\0") },
};

START_TEST(what_is_not_varlink_closes_the_connection)
{
	int fd = raw_connect(harness.public);

	raw_send(fd, closing[_i].bytes, closing[_i].length);
	raw_expect_closed(fd);
	harness_expect_alive(&harness);
}
END_TEST

static const struct {
	const char *request, *parameter;
} invalid[] = {
	{ PLACE "{}}", "count" },
	{ "{\"method\":\"org.drmfabric.Fabric.Place\"}", "count" },
	{ PLACE "{\"count\":1}}", "bytes" },
	{ PLACE "{\"count\":null,\"bytes\":1}}", "count" },
	{ PLACE "{\"count\":1.5,\"bytes\":1}}", "count" },
	{ PLACE "{\"count\":1e2,\"bytes\":1}}", "count" },
	{ PLACE "{\"count\":true,\"bytes\":1}}", "count" },
	{ PLACE "{\"count\":\"1\",\"bytes\":1}}", "count" },
	{ PLACE "{\"count\":[1],\"bytes\":1}}", "count" },
	{ PLACE "{\"count\":1,\"bytes\":{}}}", "bytes" },
	{ PLACE "{\"count\":1,\"bytes\":1,\"handles\":1}}", "handles" },
	{ PLACE "{\"count\":1,\"bytes\":1,\"exclude\":\"a\"}}", "exclude" },
	{ PLACE "{\"count\":1,\"bytes\":1,\"exclude\":[1]}}", "exclude" },
	{ PLACE "{\"count\":1,\"bytes\":1,\"exclude\":[null]}}", "exclude" },
	{ PLACE "{\"count\":1,\"bytes\":1,\"exclude\":{\"a\":\"b\"}}}", "exclude" },
	{ PLACE "{\"count\":1,\"bytes\":1,\"colour\":\"red\"}}", "colour" },
	{ PLACE "[]}", "parameters" },
	{ PLACE "\"count\"}", "parameters" },
	{ "{\"method\":\"org.drmfabric.Fabric.GetTopology\",\"parameters\":{\"x\":1}}", "x" },
	{ "{\"method\":\"org.varlink.service.GetInterfaceDescription\"}", "interface" },
};

START_TEST(wrong_parameter_is_named_and_the_connection_goes_on)
{
	int fd = raw_connect(harness.public);

	raw_request(fd, invalid[_i].request);
	raw_expect_invalid(fd, invalid[_i].parameter);
	raw_request(fd, invalid[_i].request);
	raw_expect_invalid(fd, invalid[_i].parameter);
	close(fd);
}
END_TEST

static const struct {
	const char *request, *error;
} unknown[] = {
	{ "{\"method\":\"nodot\"}", "org.varlink.service.MethodNotFound" },
	{ "{\"method\":\"\"}", "org.varlink.service.MethodNotFound" },
	{ "{\"method\":\".\"}", "org.varlink.service.InterfaceNotFound" },
	{ "{\"method\":\"org.drmfabric.Nothing.Place\"}", "org.varlink.service.InterfaceNotFound" },
	{ "{\"method\":\"org.drmfabric.Fabric.\"}", "org.varlink.service.MethodNotFound" },
	{ "{\"method\":\"org.drmfabric.Fabric.Placed\"}", "org.varlink.service.MethodNotFound" },
	{ "{\"method\":\"org.drmfabric.Fabric.place\"}", "org.varlink.service.MethodNotFound" },
	{ "{\"method\":\"org.drmfabric.Fabric.Subscribe\"}", "org.varlink.service.ExpectedMore" },
	{ "{\"method\":\"org.drmfabric.Fabric.Subscribe\",\"more\":false}", "org.varlink.service.ExpectedMore" },
};

START_TEST(unknown_method_is_named)
{
	int fd = raw_connect(harness.public);

	raw_request(fd, unknown[_i].request);
	json_object_put(raw_expect_error(fd, unknown[_i].error));
	close(fd);
}
END_TEST

/* Deeper than WIRE_DEPTH_MAX closes; very deep does not cost the stack. */
START_TEST(deep_nesting_closes_the_connection)
{
	static const int depths[] = { 17, 1000, 500000 };
	char *text = malloc(1100000);

	for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
		int fd = raw_connect(harness.public), n = depths[i];
		size_t length = (size_t)sprintf(text, "{\"method\":\"a.B\",\"parameters\":{\"x\":");

		memset(text + length, '[', (size_t)n);
		memset(text + length + n, ']', (size_t)n);
		memcpy(text + length + 2 * n, "}}", 3);
		raw_send(fd, text, length + 2 * (size_t)n + 3);
		raw_expect_closed(fd);
	}
	free(text);
	harness_expect_alive(&harness);
}
END_TEST

START_TEST(message_of_a_mebibyte_is_taken_and_a_longer_one_closes)
{
	static const char head[] = "{\"method\":\"a.B\",\"parameters\":{\"x\":\"";
	size_t max = 1 << 20, length = sizeof(head) - 1;
	char *text = malloc(4 * max);
	int fd = raw_connect(harness.public);

	memset(text, 'x', 4 * max);
	memcpy(text, head, length);
	memcpy(text + max - 3, "\"}}", 4);
	raw_send(fd, text, max + 1);
	json_object_put(raw_expect_error(fd, "org.varlink.service.InterfaceNotFound"));
	close(fd);

	fd = raw_connect(harness.public);
	text[max - 3] = text[max - 2] = text[max - 1] = text[max] = 'x';
	memcpy(text + max - 2, "\"}}", 4);
	raw_send(fd, text, max + 2);
	raw_expect_closed(fd);

	/* And one that never ends. */
	fd = raw_connect(harness.public);
	memset(text + max - 2, 'x', 8);
	ck_assert_uint_lt(raw_send(fd, text, 4 * max), 4 * max);
	raw_expect_closed(fd);
	free(text);
	harness_expect_alive(&harness);
}
END_TEST

/*
 * They do not stay in the daemon: as many open files after as before. The kernel keeps them out, or else the request
 * is refused by name.
 */
START_TEST(unasked_fds_are_refused)
{
	static const char request[] = "{\"method\":\"org.drmfabric.Fabric.GetTopology\"}";
	size_t before = harness_n_open_files(&harness);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), fd = raw_connect(harness.public), fds[253];

	for (size_t i = 0; i < 253; i++)
		fds[i] = null;
	for (int i = 0; i < 20; i++) {
		if (raw_send_with_fds(fd, request, sizeof(request), fds, i % 2 ? 253 : 1))
			raw_expect_invalid(fd, "file_descriptors");
		/* The mark is on that message alone. */
		raw_request(fd, "{\"method\":\"a.B\"}");
		json_object_put(raw_expect_error(fd, "org.varlink.service.InterfaceNotFound"));
	}
	/* With the last byte of a message that came without. */
	raw_send(fd, request, sizeof(request) - 1);
	usleep(50000);
	if (raw_send_with_fds(fd, "", 1, fds, 3)) {
		raw_expect_invalid(fd, "file_descriptors");
	} else {
		raw_send(fd, "", 1);
		json_object_put(raw_receive_json(fd));
	}
	usleep(50000);
	ck_assert_uint_eq(harness_n_open_files(&harness), before + 1);
	close(fd);
	close(null);
	usleep(100000);
	ck_assert_uint_eq(harness_n_open_files(&harness), before);
}
END_TEST

/* fds with each byte of a message that has no end: bounded by the message, not by the fds. */
START_TEST(fds_with_every_byte_cost_nothing)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), fd = raw_connect(harness.public);
	size_t before = harness_resident_kib(&harness);

	for (int i = 0; i < 20000; i++)
		if (!raw_send_with_fds(fd, "x", 1, &null, 1))
			break;
	usleep(100000);
	/* Every one would be 24 bytes and more; ASan makes that 64. */
	ck_assert_uint_lt(harness_resident_kib(&harness), before + 600);
	close(fd);
	close(null);
}
END_TEST

/* A connection that the daemon inherits in its listener's queue: to that one fds can be sent on any kernel. */
static int connect_before_the_daemon(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listen_fd, fd;

	unlink(harness.public);
	strcpy(address.sun_path, harness.public);
	listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(listen_fd, 16), 0);
	fd = raw_connect(harness.public);
	harness_restart(&harness, -1, listen_fd);
	close(listen_fd);
	return fd;
}

/* A TCP socket whose last close() takes 20 seconds: nobody reads what is in it. */
static int make_lingering(int *ret_other)
{
	static const struct linger linger = { .l_onoff = 1, .l_linger = 20 };
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
	static char bytes[65536];

	ck_assert_int_eq(bind(listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(listen_fd, 1), 0);
	ck_assert_int_eq(getsockname(listen_fd, (struct sockaddr *)&address, &length), 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	*ret_other = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	close(listen_fd);
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	return fd;
}

/* 0: a request is answered meanwhile; 1: so it is when the connection ends before the fd was read. */
START_TEST(fd_that_takes_long_to_close_holds_nobody_up)
{
	static const char request[] = "{\"method\":\"a.B\"}";
	int fd = connect_before_the_daemon(), other, lingering = make_lingering(&other);
	int64_t start_ms;

	/* Until ours is closed: else that might be the last close(). */
	ck_assert_int_eq(kill(harness.pid, SIGSTOP), 0);
	if (_i)
		raw_send(fd, "x", 2); /* closes the connection, with the rest unread in it */
	ck_assert(raw_send_with_fds(fd, request, sizeof(request), &lingering, 1));
	/* It is in the socket: from here on the last close() is the daemon's. */
	close(lingering);
	start_ms = now_ms();
	ck_assert_int_eq(kill(harness.pid, SIGCONT), 0);
	usleep(50000);
	harness_expect_alive(&harness);
	if (!_i)
		raw_expect_invalid(fd, "file_descriptors");
	ck_assert_int_lt(now_ms() - start_ms, 3000);
	close(fd);
	close(other); /* with data unread: a reset, which ends the lingering */
	unlink(harness.public);
}
END_TEST

/* The same as unasked_fds_are_refused, on a connection to which the kernel lets them through. */
START_TEST(fds_on_an_older_connection_are_refused)
{
	static const char request[] = "{\"method\":\"org.drmfabric.Fabric.GetTopology\"}";
	int fd = connect_before_the_daemon(), null = open("/dev/null", O_RDONLY | O_CLOEXEC), fds[253];
	size_t before = harness_n_open_files(&harness);

	for (size_t i = 0; i < 253; i++)
		fds[i] = null;
	for (int i = 0; i < 20; i++) {
		ck_assert(raw_send_with_fds(fd, request, sizeof(request), fds, i % 2 ? 253 : 1));
		raw_expect_invalid(fd, "file_descriptors");
		raw_request(fd, "{\"method\":\"a.B\"}");
		json_object_put(raw_expect_error(fd, "org.varlink.service.InterfaceNotFound"));
	}
	usleep(100000);
	ck_assert_uint_eq(harness_n_open_files(&harness), before);
	close(fd);
	close(null);
	unlink(harness.public);
}
END_TEST

/* Any bytes, from a fixed seed. */
START_TEST(noise_does_no_harm)
{
	static const char alphabet[] = "{}[]\":,\\abcm0129.-+eE tfn\0\xff\n\x80";
	unsigned int state = 12345;

	for (int i = 0; i < 200; i++) {
		int fd = raw_connect(harness.public);
		char noise[512];

		for (size_t j = 0; j < sizeof(noise); j++) {
			state = state * 1103515245 + 12345;
			noise[j] = alphabet[(state >> 16) % sizeof(alphabet)];
		}
		raw_send(fd, noise, sizeof(noise));
		close(fd);
	}
	harness_expect_alive(&harness);
}
END_TEST

Suite *malformed_suite(void)
{
	Suite *suite = suite_create("malformed");
	TCase *tcase = tcase_create("malformed");

	tcase_add_checked_fixture(tcase, start, stop);
	tcase_set_timeout(tcase, 20);
	tcase_add_loop_test(tcase, what_is_not_varlink_closes_the_connection, 0,
			    (int)(sizeof(closing) / sizeof(closing[0])));
	tcase_add_loop_test(tcase, wrong_parameter_is_named_and_the_connection_goes_on, 0,
			    (int)(sizeof(invalid) / sizeof(invalid[0])));
	tcase_add_loop_test(tcase, unknown_method_is_named, 0, (int)(sizeof(unknown) / sizeof(unknown[0])));
	tcase_add_test(tcase, deep_nesting_closes_the_connection);
	tcase_add_test(tcase, message_of_a_mebibyte_is_taken_and_a_longer_one_closes);
	tcase_add_test(tcase, unasked_fds_are_refused);
	tcase_add_test(tcase, fds_with_every_byte_cost_nothing);
	tcase_add_test(tcase, fds_on_an_older_connection_are_refused);
	tcase_add_loop_test(tcase, fd_that_takes_long_to_close_holds_nobody_up, 0, 2);
	tcase_add_test(tcase, noise_does_no_harm);
	suite_add_tcase(suite, tcase);
	return suite;
}

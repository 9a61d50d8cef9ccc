// SPDX-License-Identifier: MIT
/* Subscriptions: what is told, to whom, and to whom no longer. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SUBSCRIBE "{\"method\":\"org.drmfabric.Fabric.Subscribe\",\"more\":true}"
#define FIRST "{\"parameters\":{\"event\":null},\"continues\":true}"

static struct harness harness;

static void start(void)
{
	/* The stalled are to be dropped for being behind, not for being stalled. */
	harness_start(&harness, 3, "events_kept = 16\nstall_ms = 60000\n");
}

static void stop(void)
{
	harness_stop(&harness);
}

static int subscribe(void)
{
	int fd = raw_connect(harness.public);

	raw_request(fd, SUBSCRIBE);
	raw_expect(fd, FIRST);
	return fd;
}

/* Return: the event's sequence. */
static int64_t expect_event(int fd, const char *kind, const char *device, const char *state)
{
	struct json_object *json = raw_receive_json(fd), *event;
	const char *got;
	int64_t sequence;

	ck_assert(json_object_get_boolean(json_object_object_get(json, "continues")));
	event = json_object_object_get(json_object_object_get(json, "parameters"), "event");
	ck_assert_ptr_nonnull(event);
	ck_assert_str_eq(json_object_get_string(json_object_object_get(event, "kind")), kind);
	ck_assert_str_eq(json_object_get_string(json_object_object_get(event, "device")), device);
	got = json_object_get_string(json_object_object_get(event, "state"));
	ck_assert_pstr_eq(got, state);
	sequence = json_object_get_int64(json_object_object_get(event, "sequence"));
	json_object_put(json);
	return sequence;
}

START_TEST(changes_are_told_in_order_to_all)
{
	int a = subscribe(), b = subscribe();
	int64_t sequence;

	harness_write(&harness, "draining", "class/drm_fabric/%s/state", harness_device(1));
	harness_set_generation(&harness, 2);
	harness_reread(&harness);
	sequence = expect_event(a, "state_changed", harness_device(1), "draining");
	ck_assert_int_eq(expect_event(b, "state_changed", harness_device(1), "draining"), sequence);

	harness_remove_device(&harness, 2);
	harness_set_generation(&harness, 3);
	harness_reread(&harness);
	ck_assert_int_eq(expect_event(a, "device_changed", harness_device(0), "online"), sequence + 1);
	ck_assert_int_eq(expect_event(a, "device_changed", harness_device(1), "draining"), sequence + 2);
	ck_assert_int_eq(expect_event(a, "device_removed", harness_device(2), NULL), sequence + 3);

	harness_add_device(&harness, 2, 3);
	harness_write(&harness, "2", "class/drm_fabric/%s/incarnation", harness_device(2));
	harness_set_generation(&harness, 4);
	harness_reread(&harness);
	for (int i = 0; i < 2; i++)
		json_object_put(raw_receive_json(a));
	ck_assert_int_eq(expect_event(a, "device_added", harness_device(2), "online"), sequence + 6);
	close(a);
	close(b);
}
END_TEST

/* Counters are no events: they would drown the others. */
START_TEST(counters_are_not_told)
{
	int fd = subscribe();

	harness_write(&harness, "99", "class/drm_fabric/%s/regions/vram0/free_bytes", harness_device(0));
	harness_reread(&harness);
	usleep(100000);
	harness_write(&harness, "offline", "class/drm_fabric/%s/state", harness_device(0));
	harness_set_generation(&harness, 2);
	harness_reread(&harness);
	expect_event(fd, "state_changed", harness_device(0), "offline");
	close(fd);
}
END_TEST

/* Stops reading, while another reads all: the slow one is dropped by name, the other misses nothing. */
START_TEST(slow_subscriber_is_dropped_by_name)
{
	int slow = raw_connect(harness.public), quick = subscribe(), small = 4096;
	int64_t sequence = 0;
	int n_events = 0;
	char *text;

	ck_assert_int_eq(setsockopt(slow, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	raw_request(slow, SUBSCRIBE);
	raw_expect(slow, FIRST);
	for (int i = 0; i < 3000; i++) {
		int64_t next;

		harness_write(&harness, i % 2 ? "online" : "draining", "class/drm_fabric/%s/state", harness_device(0));
		harness_set_generation(&harness, i + 2);
		harness_reread(&harness);
		next = expect_event(quick, "state_changed", harness_device(0), i % 2 ? "online" : "draining");
		ck_assert(!sequence || next == sequence + 1);
		sequence = next;
	}
	/* What had been sent to it is there, then the error. */
	for (;;) {
		text = raw_receive(slow);
		ck_assert_ptr_nonnull(text);
		if (strstr(text, "\"error\""))
			break;
		n_events++;
		free(text);
	}
	ck_assert_str_eq(text, "{\"error\":\"org.drmfabric.Fabric.LimitExceeded\","
			       "\"parameters\":{\"limit\":\"events_kept\",\"value\":16}}");
	free(text);
	ck_assert_int_gt(n_events, 0);
	ck_assert_int_lt(n_events, 3000);
	/* The stream has ended, the connection has not. */
	raw_request(slow, SUBSCRIBE);
	raw_expect(slow, FIRST);
	close(slow);
	close(quick);
}
END_TEST

/* Half-closed: the stream goes on; gone: it ends. */
START_TEST(half_closed_subscriber_is_served_until_it_goes)
{
	size_t before = harness_n_open_files(&harness);
	int fd = subscribe();

	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	usleep(100000);
	harness_write(&harness, "lost", "class/drm_fabric/%s/state", harness_device(0));
	harness_set_generation(&harness, 2);
	harness_reread(&harness);
	expect_event(fd, "state_changed", harness_device(0), "lost");
	close(fd);
	usleep(500000);
	ck_assert_uint_eq(harness_n_open_files(&harness), before);
}
END_TEST

Suite *events_suite(void)
{
	Suite *suite = suite_create("events");
	TCase *tcase = tcase_create("events");

	tcase_add_checked_fixture(tcase, start, stop);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, changes_are_told_in_order_to_all);
	tcase_add_test(tcase, counters_are_not_told);
	tcase_add_test(tcase, slow_subscriber_is_dropped_by_name);
	tcase_add_test(tcase, half_closed_subscriber_is_served_until_it_goes);
	suite_add_tcase(suite, tcase);
	return suite;
}

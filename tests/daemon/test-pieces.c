// SPDX-License-Identifier: MIT
/* Parts of the daemon by themselves: what needs another uid or devmem fds to be seen from outside. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/sum.h"
#include "credentials.h"
#include "manager.h"
#include "peer-internal.h"
#include "sysfs.h"
#include "user.h"

static struct manager manager;
static int client; /* the other end of the one connection */

static void connect_pair(void)
{
	int fds[2];

	memset(&manager, 0, sizeof(manager));
	config_init(&manager.config);
	manager.config.limits.stall_ms = 300;
	TAILQ_INIT(&manager.peers);
	TAILQ_INIT(&manager.users);
	manager.base = event_base_new();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	client = fds[1];
	peer_accept(&manager, fds[0], PEER_PUBLIC);
	ck_assert_uint_eq(manager.n_peers[PEER_PUBLIC], 1);
}

static void disconnect(void)
{
	while (!TAILQ_EMPTY(&manager.peers))
		peer_free(TAILQ_FIRST(&manager.peers));
	ck_assert(TAILQ_EMPTY(&manager.users));
	event_base_free(manager.base);
	if (client >= 0)
		close(client);
}

static void run_for(int64_t ms)
{
	for (int64_t end = now_ms() + ms; now_ms() < end; usleep(2000))
		event_base_loop(manager.base, EVLOOP_NONBLOCK);
}

static void send_fd(void)
{
	struct wire_buffer *buffer = wire_buffer_new("{}", 2);
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(peer_queue(TAILQ_FIRST(&manager.peers), buffer, &fd, 1), 0);
	wire_buffer_unref(buffer);
	run_for(50);
	ck_assert_uint_eq(user_unread_fds(TAILQ_FIRST(&manager.users)), 1);
}

/* What the client has ended is counted until it has read its fds, or closed the socket (1). */
START_TEST(unread_fds_are_counted_after_a_half_close)
{
	char bytes[16];

	connect_pair();
	send_fd();
	ck_assert_int_eq(shutdown(client, SHUT_WR), 0);
	run_for(500);
	ck_assert_uint_eq(manager.n_peers[PEER_PUBLIC], 1);
	ck_assert_uint_eq(user_unread_fds(TAILQ_FIRST(&manager.users)), 1);
	if (_i) {
		close(client);
		client = -1;
	} else {
		ck_assert_int_eq(recv(client, bytes, sizeof(bytes), 0), 3);
		ck_assert_int_eq(recv(client, bytes, sizeof(bytes), 0), 0);
	}
	run_for(500);
	ck_assert_uint_eq(manager.n_peers[PEER_PUBLIC], 0);
	disconnect();
}
END_TEST

/* Who leaves them lying is cut off after stall_ms, and they stay counted. */
START_TEST(client_that_leaves_fds_unread_is_cut_off)
{
	char bytes[16];

	connect_pair();
	send_fd();
	run_for(1000);
	ck_assert_int_eq(send(client, "x", 1, MSG_NOSIGNAL), -1);
	ck_assert_uint_eq(user_unread_fds(TAILQ_FIRST(&manager.users)), 1);
	ck_assert_int_eq(recv(client, bytes, sizeof(bytes), 0), 3);
	ck_assert_int_eq(recv(client, bytes, sizeof(bytes), 0), 0);
	run_for(500);
	ck_assert_uint_eq(manager.n_peers[PEER_PUBLIC], 0);
	disconnect();
}
END_TEST

/* Who has read them is not. */
START_TEST(client_that_reads_its_fds_stays)
{
	char bytes[16];

	connect_pair();
	send_fd();
	ck_assert_int_eq(recv(client, bytes, sizeof(bytes), 0), 3);
	run_for(1000);
	ck_assert_uint_eq(manager.n_peers[PEER_PUBLIC], 1);
	ck_assert_uint_eq(user_unread_fds(TAILQ_FIRST(&manager.users)), 0);
	ck_assert_int_eq(recv(client, bytes, sizeof(bytes), 0), -1);
	disconnect();
}
END_TEST

/* Those that are being opened are in the count that the next request is measured by. */
START_TEST(fds_on_their_way_are_counted)
{
	struct user *user;

	connect_pair();
	user = TAILQ_FIRST(&manager.users);
	user->n_fds_reserved = 7;
	ck_assert_uint_eq(user_unread_fds(user), 7);
	user->n_fds_reserved = 0;
	disconnect();
}
END_TEST

static const struct {
	uid_t uid;
	gid_t gid, group; /* group: a supplementary one */
	mode_t mode; /* of a file of uid 10, gid 20 */
	bool may;
} openings[] = {
	{ 0, 0, 0, 0000, true },     { 10, 1, 1, 0600, true },	{ 10, 1, 1, 0400, false }, { 10, 20, 20, 0066, false },
	{ 11, 20, 1, 0660, true },   { 11, 1, 20, 0660, true }, { 11, 1, 1, 0660, false }, { 11, 1, 20, 0640, false },
	{ 11, 20, 20, 0606, false }, { 11, 1, 1, 0666, true },	{ 11, 1, 1, 0664, false },
};

START_TEST(mode_bits_say_who_may_open)
{
	struct credentials *credentials = calloc(1, sizeof(*credentials) + sizeof(gid_t));
	struct stat st = { .st_uid = 10, .st_gid = 20, .st_mode = S_IFCHR | openings[_i].mode };

	credentials->uid = openings[_i].uid;
	credentials->gid = openings[_i].gid;
	credentials->n_groups = 1;
	credentials->groups[0] = openings[_i].group;
	ck_assert(credentials_may_open(credentials, &st) == openings[_i].may);
	credentials_free(credentials);
}
END_TEST

START_TEST(credentials_are_those_of_the_other_end)
{
	struct credentials *credentials;
	gid_t groups[256];
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	ck_assert_int_eq(credentials_new(fds[0], &credentials), 0);
	ck_assert_uint_eq(credentials->uid, geteuid());
	ck_assert_uint_eq(credentials->gid, getegid());
	ck_assert_int_eq((int)credentials->n_groups, getgroups(256, groups));
	ck_assert_mem_eq(credentials->groups, groups, credentials->n_groups * sizeof(gid_t));
	credentials_free(credentials);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(device_names_are_single_visible_components)
{
	static const char *const wrong[] = { "", ".", "..", ".hidden", "a/b", "a b", "\x01" };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(!sysfs_name_is_valid(wrong[i]), "%s", wrong[i]);
	ck_assert(sysfs_name_is_valid("0000:03:00.0"));
}
END_TEST

/* Too many open files are not the absence of a device. */
START_TEST(device_that_cannot_be_looked_at_is_not_absent)
{
	int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), closed = dup(root_fd);

	ck_assert_int_eq(sysfs_has_device(root_fd, "nobody"), 0);
	close(closed);
	ck_assert_int_eq(sysfs_has_device(closed, "nobody"), -EBADF);
	close(root_fd);
}
END_TEST

START_TEST(sums_stay_within_their_type)
{
	ck_assert_int_eq(sum_saturated(1, 2), 3);
	ck_assert_int_eq(sum_saturated(INT64_MAX, 0), INT64_MAX);
	ck_assert_int_eq(sum_saturated(INT64_MAX - 1, INT64_MAX), INT64_MAX);
}
END_TEST

Suite *pieces_suite(void)
{
	Suite *suite = suite_create("pieces");
	TCase *tcase = tcase_create("pieces");

	tcase_set_timeout(tcase, 20);
	tcase_add_loop_test(tcase, unread_fds_are_counted_after_a_half_close, 0, 2);
	tcase_add_test(tcase, client_that_leaves_fds_unread_is_cut_off);
	tcase_add_test(tcase, client_that_reads_its_fds_stays);
	tcase_add_test(tcase, fds_on_their_way_are_counted);
	tcase_add_loop_test(tcase, mode_bits_say_who_may_open, 0, (int)(sizeof(openings) / sizeof(openings[0])));
	tcase_add_test(tcase, credentials_are_those_of_the_other_end);
	tcase_add_test(tcase, device_names_are_single_visible_components);
	tcase_add_test(tcase, device_that_cannot_be_looked_at_is_not_absent);
	tcase_add_test(tcase, sums_stay_within_their_type);
	suite_add_tcase(suite, tcase);
	return suite;
}

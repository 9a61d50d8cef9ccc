// SPDX-License-Identifier: MIT
/* Events on handles: what a holder is told, when, and how often. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gpu.h"

#define SIZE (4 * MIB)
#define PATIENCE_MS 20000
/* More events than a handle keeps. */
#define MANY_DRAINS 20

static bool next_event(int fd, struct drm_fabric_event *ret)
{
	ssize_t n = read(fd, ret, sizeof(*ret));

	ck_assert_msg(n >= 0, "read: %s", strerror(errno));
	ck_assert(!n || n == sizeof(*ret));
	return n;
}

static struct drm_fabric_event expect_event(int fd, uint32_t type, uint64_t *seq, uint64_t *time_ns)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	struct drm_fabric_event event;

	ck_assert_int_eq(poll(&poller, 1, PATIENCE_MS), 1);
	ck_assert(poller.revents & POLLIN);
	ck_assert(next_event(fd, &event));
	ck_assert_uint_eq(event.type, type);
	ck_assert_uint_eq(event.size_bytes, sizeof(event));
	ck_assert_uint_eq(event.seq, ++*seq);
	ck_assert_uint_ge(event.time_ns, *time_ns);
	ck_assert_uint_le(event.time_ns / 1000000, now_ms());
	*time_ns = event.time_ns;
	return event;
}

static short poll_now(int fd)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };

	ck_assert_int_ge(poll(&poller, 1, 0), 0);
	return poller.revents;
}

/* All operations of a handle but INFO. */
static void expect_dead(struct gpu *gpu, void *addr)
{
	struct drm_fabric_devmem_to_system home = { .start = (uintptr_t)addr, .length_bytes = SIZE };
	struct drm_fabric_devmem_residency where = { .start = (uintptr_t)addr, .length_bytes = SIZE };
	struct drm_fabric_devmem_populate populate;
	struct drm_fabric_devmem_info i;

	ck_assert_int_eq(gpu_try_populate(gpu, addr, SIZE, 0, &populate), -ENODEV);
	ck_assert(ioctl(gpu->devmem_fd, DRM_FABRIC_DEVMEM_TO_SYSTEM, &home) && errno == ENODEV);
	ck_assert(ioctl(gpu->devmem_fd, DRM_FABRIC_DEVMEM_RESIDENCY, &where) && errno == ENODEV);
	i = gpu_info(gpu->devmem_fd);
	ck_assert_uint_eq(i.state, DRM_FABRIC_STATE_REVOKED);
	ck_assert_str_eq(i.device, gpu->name);
	ck_assert_uint_eq(i.id, gpu->devmem_id);
	ck_assert_uint_eq(i.free_bytes, 0);
	ck_assert_uint_eq(i.resident_bytes, 0);
}

/* proves: a holder hears of each change, in order, up to the last; then the handle is dead, and says so */
START_TEST(life_in_events)
{
	uint64_t seq = 0, time_ns = 0;
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, _i);
	struct drm_fabric_event event;
	void *volatile nowhere = (void *)8;
	char small[sizeof(event) - 1];
	uint64_t free_bytes, start_ms, end_ms;
	int fd;

	gpu_open_devmem(gpu);
	fd = gpu->devmem_fd;
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	free_bytes = gpu_info(fd).free_bytes;
	ck_assert_int_eq(poll_now(fd), 0);
	ck_assert(!fcntl(fd, F_SETFL, O_NONBLOCK));
	ck_assert(read(fd, &event, sizeof(event)) < 0 && errno == EAGAIN);
	ck_assert(!fcntl(fd, F_SETFL, 0));

	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_DRAIN, gpu->name, 1234), 0);
	ck_assert_int_eq(poll_now(fd), POLLIN);
	ck_assert(read(fd, small, sizeof(small)) < 0 && errno == EINVAL);
	ck_assert(read(fd, nowhere, sizeof(event)) < 0 && errno == EFAULT);
	/* That has lost nothing. */
	expect_event(fd, DRM_FABRIC_EVENT_DRAINING, &seq, &time_ns);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0), 0);
	expect_event(fd, DRM_FABRIC_EVENT_CANCELLED, &seq, &time_ns);
	start_ms = now_ms();
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_DRAIN, gpu->name, 1234), 0);
	end_ms = now_ms() + 1;
	event = expect_event(fd, DRM_FABRIC_EVENT_DRAINING, &seq, &time_ns);
	ck_assert_uint_ge(event.deadline_ns, (start_ms + 1234) * 1000000);
	ck_assert_uint_le(event.deadline_ns, (end_ms + 1234) * 1000000);
	ck_assert_uint_eq(gpu_info(fd).state, DRM_FABRIC_STATE_DRAINING);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_DRAIN, gpu->name, 0), -EALREADY);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0), 0);
	expect_event(fd, DRM_FABRIC_EVENT_CANCELLED, &seq, &time_ns);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0), -EALREADY);
	ck_assert_uint_eq(gpu_info(fd).state, DRM_FABRIC_STATE_ONLINE);
	ck_assert_uint_eq(gpu_info(fd).resident_bytes, SIZE);

	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, gpu->name, PATIENCE_MS), 0);
	event = expect_event(fd, DRM_FABRIC_EVENT_DRAINING, &seq, &time_ns);
	ck_assert_uint_eq(event.deadline_ns, 0);
	event = expect_event(fd, DRM_FABRIC_EVENT_EVICTING, &seq, &time_ns);
	ck_assert_uint_eq(event.bytes, SIZE);
	ck_assert_uint_eq(gpu_info(fd).state, DRM_FABRIC_STATE_OFFLINE);
	ck_assert_uint_eq(gpu_info(fd).resident_bytes, 0);
	ck_assert_uint_eq(gpu_info(fd).free_bytes, free_bytes + SIZE);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, gpu->name, 0), -EALREADY);
	ck_assert_int_eq(poll_now(fd), 0);

	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_UNBIND, gpu->name, PATIENCE_MS), 0);
	ck_assert_int_eq(poll_now(fd) & (POLLIN | POLLHUP), POLLIN | POLLHUP);
	expect_event(fd, DRM_FABRIC_EVENT_REVOKED, &seq, &time_ns);
	ck_assert(!next_event(fd, &event));
	ck_assert(!next_event(fd, &event));
	ck_assert_int_eq(poll_now(fd), POLLHUP);
	expect_dead(gpu, a);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0), -ENODEV);
	ck_assert_uint_eq(pattern_differs(a, SIZE, test_seed()), 0);
	gpu_close(gpu);
}
END_TEST

/* proves: a reader that sleeps is woken by an event, and by the end */
START_TEST(reader_is_woken)
{
	struct gpu *gpu = gpu_open(0);
	pid_t pid;

	gpu_open_devmem(gpu);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		struct drm_fabric_event event;
		uint32_t last = 0;

		while (next_event(gpu->devmem_fd, &event))
			last = event.type;
		_exit(last == DRM_FABRIC_EVENT_REVOKED ? 0 : 1);
	}
	sleep_ms(50);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_DRAIN, gpu->name, 0), 0);
	sleep_ms(50);
	gpu_unbind(gpu->name);
	wait_child(pid);
	gpu_close(gpu);
}
END_TEST

/* proves: who does not read loses the oldest events, sees that by the numbers, and still gets the last */
START_TEST(events_overflow)
{
	struct gpu *gpu = gpu_open(0);
	struct drm_fabric_event events[4 * MANY_DRAINS];
	ssize_t n;

	gpu_open_devmem(gpu);
	for (unsigned int i = 0; i < MANY_DRAINS; i++) {
		ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_DRAIN, gpu->name, i), 0);
		ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0), 0);
	}
	if (_i)
		gpu_unbind(gpu->name);
	/* More room than events, and a part of one: whole ones come. */
	n = read(gpu->devmem_fd, events, sizeof(events) - 1);
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(n % sizeof(*events), 0);
	n /= sizeof(*events);
	ck_assert_int_ge(n, 2);
	for (ssize_t i = 1; i < n; i++)
		ck_assert_uint_eq(events[i].seq, events[i - 1].seq + 1);
	/* An unbind drains, evicts, revokes. */
	ck_assert_uint_eq(events[n - 1].seq, 2 * MANY_DRAINS + (_i ? 3 : 0));
	ck_assert_uint_eq(events[n - 1].type, _i ? DRM_FABRIC_EVENT_REVOKED : DRM_FABRIC_EVENT_CANCELLED);
	gpu_close(gpu);
}
END_TEST

static int epoll_of(int fd, uint32_t events)
{
	struct epoll_event event = { .events = events };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	ck_assert_int_ge(epoll, 0);
	ck_assert(!epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
	return epoll;
}

/* What epoll says within that time; 0: nothing. */
static uint32_t epoll_next(int epoll, int timeout_ms)
{
	struct epoll_event event = {};

	return epoll_wait(epoll, &event, 1, timeout_ms) > 0 ? event.events : 0;
}

/* proves: who holds a dead handle hears once when a device of that name is there again, and can wait for it */
START_TEST(back_again)
{
	uint64_t seq = 0, time_ns = 0, incarnation;
	struct gpu *gpu = gpu_open(0), *fresh;
	char *a = map_memory(SIZE, false);
	struct drm_fabric_event event;
	int fd, edges, levels;

	gpu_open_devmem(gpu);
	fd = gpu->devmem_fd;
	incarnation = gpu_info(fd).incarnation;
	edges = epoll_of(fd, EPOLLIN | EPOLLET);
	levels = epoll_of(fd, EPOLLIN);
	ck_assert_uint_eq(epoll_next(edges, 0), 0);
	gpu_unbind(gpu->name);
	ck_assert_uint_eq(epoll_next(edges, 0), EPOLLIN | EPOLLHUP);
	ck_assert_uint_eq(epoll_next(edges, 0), 0);
	expect_event(fd, DRM_FABRIC_EVENT_DRAINING, &seq, &time_ns);
	expect_event(fd, DRM_FABRIC_EVENT_EVICTING, &seq, &time_ns);
	event = expect_event(fd, DRM_FABRIC_EVENT_REVOKED, &seq, &time_ns);
	ck_assert_uint_eq(event.incarnation, incarnation);
	ck_assert_uint_eq(event.reason, DRM_FABRIC_REASON_DRIVER);
	ck_assert(!next_event(fd, &event));
	/* A level stays, an edge has gone: who waits for more asks for edges. */
	ck_assert_uint_eq(epoll_next(levels, 0), EPOLLHUP);
	ck_assert_uint_eq(epoll_next(edges, 100), 0);

	gpu_bind(gpu->name);
	ck_assert_uint_eq(epoll_next(edges, PATIENCE_MS), EPOLLIN | EPOLLHUP);
	event = expect_event(fd, DRM_FABRIC_EVENT_BACK, &seq, &time_ns);
	ck_assert_uint_eq(event.incarnation, gpu_figure(gpu, "incarnation"));
	ck_assert_uint_gt(event.incarnation, incarnation);
	ck_assert_uint_eq(event.reason, DRM_FABRIC_REASON_NONE);
	ck_assert(!next_event(fd, &event));
	ck_assert_uint_eq(epoll_next(edges, 100), 0);
	expect_dead(gpu, a);

	/* Another device is not this one. A new handle is alive, and hears of its own device's life only. */
	fresh = gpu_open_name(gpu->name);
	gpu_open_devmem(fresh);
	memset(a, 1, SIZE);
	gpu_populate(fresh, a, SIZE);
	ck_assert_int_eq(poll_now(fresh->devmem_fd), 0);
	if (gpu_names((char[64][DRM_FABRIC_DEVICE_NAME_SIZE]){}, 64) > 1) {
		struct gpu *other = gpu_open(1);

		gpu_unbind(other->name);
		gpu_bind(other->name);
		ck_assert(!next_event(fd, &event));
		gpu_close(other);
	}
	/* Nobody reads: only what is there last is told, after the end. */
	gpu_close(fresh);
	for (int i = 0; i < 3; i++) {
		gpu_unbind(gpu->name);
		gpu_bind(gpu->name);
	}
	ck_assert(next_event(fd, &event));
	ck_assert_uint_eq(event.type, DRM_FABRIC_EVENT_BACK);
	ck_assert_uint_eq(event.seq, seq + 3);
	ck_assert_uint_eq(event.incarnation, gpu_figure(gpu, "incarnation"));
	ck_assert(!next_event(fd, &event));
	close(edges);
	close(levels);
	gpu_close(gpu);
}
END_TEST

struct tally {
	int fd;
	uint64_t bytes, wakes;
	bool stop;
};

/* Reads as fast as it can. */
static void *tally_run(void *argument)
{
	struct tally *tally = argument;
	struct pollfd poller = { .fd = tally->fd, .events = POLLIN };
	struct drm_fabric_event event;

	while (!__atomic_load_n(&tally->stop, __ATOMIC_RELAXED)) {
		if (poll(&poller, 1, 50) <= 0)
			continue;
		ck_assert(next_event(tally->fd, &event));
		ck_assert_uint_eq(event.type, DRM_FABRIC_EVENT_LOST);
		tally->bytes += event.bytes;
		tally->wakes++;
	}
	return NULL;
}

/* proves: holders are told how much was lost, all of it, and not of every page by itself */
START_TEST(lost_pages)
{
	struct gpu *gpu = gpu_open(0), *second = gpu_open(0);
	struct drm_fabric_devmem_to_system home = { .length_bytes = SIZE };
	uint64_t seq = 0, time_ns = 0, start, end;
	char *a = map_memory(SIZE, _i);
	struct tally tally = {};
	struct drm_fabric_event event;
	pthread_t reader;

	gpu_open_devmem(gpu);
	gpu_open_devmem(second);
	tally.fd = second->devmem_fd;
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	ck_assert(!pthread_create(&reader, NULL, tally_run, &tally));
	start = now_ms();
	gpu_fault(gpu, "fail_copy_nth", 1);
	home.start = (uintptr_t)a;
	ck_assert(!ioctl(gpu->devmem_fd, DRM_FABRIC_DEVMEM_TO_SYSTEM, &home));
	gpu_fault(gpu, "fail_copy_nth", 0);
	ck_assert_uint_eq(home.dead_bytes, SIZE);
	sleep_ms(100);
	end = now_ms();
	__atomic_store_n(&tally.stop, true, __ATOMIC_RELAXED);
	ck_assert(!pthread_join(reader, NULL));
	ck_assert_uint_eq(tally.bytes, SIZE);
	/* At most one in 10 ms. */
	ck_assert_uint_le(tally.wakes, (end - start) / 10 + 1);
	note("%llu pages died in %llu ms: %llu events", (unsigned long long)(SIZE / 4096),
	     (unsigned long long)(end - start), (unsigned long long)tally.wakes);
	/* Who did not read meanwhile has it in one. */
	event = expect_event(gpu->devmem_fd, DRM_FABRIC_EVENT_LOST, &seq, &time_ns);
	ck_assert_uint_eq(event.bytes, SIZE);
	ck_assert_uint_eq(event.reason, DRM_FABRIC_REASON_COPY);
	ck_assert_uint_eq(event.incarnation, gpu_info(gpu->devmem_fd).incarnation);
	ck_assert_int_eq(poll_now(gpu->devmem_fd), 0);
	ck_assert(!munmap(a, SIZE));
	gpu_close(second);
	gpu_close(gpu);
}
END_TEST

/* proves: what an administrator gives up is told as that, before the end */
START_TEST(abandoned_pages)
{
	uint64_t seq = 0, time_ns = 0;
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(SIZE, _i);
	struct drm_fabric_event event;

	gpu_open_devmem(gpu);
	pattern_fill(a, SIZE, test_seed());
	gpu_populate(gpu, a, SIZE);
	gpu_fault(gpu, "fail_copy_nth", 1);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, gpu->name, 0), 0);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_ABANDON, gpu->name, 0), 0);
	gpu_unbind(gpu->name);
	expect_event(gpu->devmem_fd, DRM_FABRIC_EVENT_DRAINING, &seq, &time_ns);
	event = expect_event(gpu->devmem_fd, DRM_FABRIC_EVENT_EVICTING, &seq, &time_ns);
	ck_assert_uint_eq(event.bytes, SIZE);
	event = expect_event(gpu->devmem_fd, DRM_FABRIC_EVENT_LOST, &seq, &time_ns);
	ck_assert_uint_eq(event.bytes, SIZE);
	ck_assert_uint_eq(event.reason, DRM_FABRIC_REASON_ABANDONED);
	expect_event(gpu->devmem_fd, DRM_FABRIC_EVENT_REVOKED, &seq, &time_ns);
	ck_assert(!munmap(a, SIZE));
	gpu_close(gpu);
}
END_TEST

#define MUCH (64 * MIB)

/* proves: what was given up in an eviction that was called off is not given up in the next */
START_TEST(abandoned_and_called_off)
{
	struct gpu *gpu = gpu_open(0);
	char *a = map_memory(MUCH, _i);
	uint64_t before, after;

	gpu_open_devmem(gpu);
	memset(a, 1, MUCH);
	gpu_populate(gpu, a, MUCH);
	gpu_fault(gpu, "fail_copy_nth", 1);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, gpu->name, 0), 0);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_ABANDON, gpu->name, 0), 0);
	while (!gpu_figure(gpu, "regions/vram0/dead_bytes"))
		;
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0), 0);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, gpu->name, 0), 0);
	before = gpu_figure(gpu, "regions/vram0/dead_bytes");
	ck_assert_uint_lt(before, MUCH);
	/* Less than it takes until what cannot be copied is dead anyway. */
	sleep_ms(1500);
	after = gpu_figure(gpu, "regions/vram0/dead_bytes");
	note("%llu bytes dead when it was called off, %llu after", (unsigned long long)before,
	     (unsigned long long)after);
	/* A page that was in the evictor's hands at that moment. */
	ck_assert_uint_le(after, before + 2 * MIB);
	gpu_fault(gpu, "fail_copy_nth", 0);
	ck_assert(gpu_wait_attr(gpu->name, "state", "offline", PATIENCE_MS));
	ck_assert_uint_eq(gpu_figure(gpu, "regions/vram0/dead_bytes"), after);
	ck_assert(!munmap(a, MUCH));
	gpu_close(gpu);
}
END_TEST

#define OPENERS_LOOPS 300

/* Opens handles until there are no more, and tells whether the last one knows why. */
static void open_until_drained(struct gpu *gpu)
{
	struct pollfd poller = { .events = POLLIN };
	int last = -1, r;

	while (!(r = gpu_try_open_devmem(gpu))) {
		if (last >= 0)
			close(last);
		last = gpu->devmem_fd;
	}
	ck_assert_int_eq(r, -ESHUTDOWN);
	/* First the state, then the event. */
	poller.fd = last;
	ck_assert(last < 0 || poll(&poller, 1, 1000) == 1);
	_exit(0);
}

/* proves: every handle that could be opened hears of a drain, also one that was opened at that moment */
START_TEST(opened_while_draining)
{
	struct gpu *gpu = gpu_open(0);

	gpu_open_devmem(gpu);
	for (size_t i = 0; i < test_loops(OPENERS_LOOPS, 10 * OPENERS_LOOPS); i++) {
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		if (!pid)
			open_until_drained(gpu);
		sleep_ms(3 + i % 5);
		ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_DRAIN, gpu->name, 0), 0);
		wait_child(pid);
		ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, gpu->name, 0), 0);
	}
	gpu_close(gpu);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("events");
	TCase *tcase = tcase_create("events");

	test_seed();
	gpu_load();
	tcase_set_timeout(tcase, 30);
	tcase_add_checked_fixture(tcase, gpu_restore, NULL);
	tcase_add_loop_test(tcase, life_in_events, 0, 2);
	tcase_add_test(tcase, reader_is_woken);
	tcase_add_loop_test(tcase, events_overflow, 0, 2);
	tcase_add_test(tcase, back_again);
	tcase_add_loop_test(tcase, lost_pages, 0, 2);
	tcase_add_loop_test(tcase, abandoned_pages, 0, 2);
	tcase_add_loop_test(tcase, abandoned_and_called_off, 0, 2);
	tcase_add_test(tcase, opened_while_draining);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}

// SPDX-License-Identifier: MIT
/* Memory whose data may be lost. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "sigbus.h"

#define PAGE ((size_t)4096)

/* Of so many dead pages one is touched. */
#define TOUCH_EVERY 64

static sigjmp_buf bus_return;
static volatile int bus_code;
static void *volatile bus_address;

static void on_bus(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	bus_code = info->si_code;
	bus_address = info->si_addr;
	siglongjmp(bus_return, 1);
}

int sigbus_touch(const volatile char *at)
{
	const struct sigaction action = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO };
	struct sigaction old;

	ck_assert(!sigaction(SIGBUS, &action, &old));
	bus_code = 0;
	if (!sigsetjmp(bus_return, 1))
		(void)*at;
	ck_assert(!sigaction(SIGBUS, &old, NULL));
	if (bus_code)
		ck_assert_ptr_eq((char *)((uintptr_t)bus_address & ~(PAGE - 1)), (char *)((uintptr_t)at & ~(PAGE - 1)));
	return bus_code;
}

/* Reads through a pipe. False: its data is lost. */
static bool read_page(const int pipe[2], const char *addr, char *page)
{
	ssize_t n = write(pipe[1], addr, PAGE);

	if (n < 0 && errno == EFAULT)
		return false;
	ck_assert_int_eq(n, PAGE);
	ck_assert_int_eq(read(pipe[0], page, PAGE), PAGE);
	return true;
}

struct damage damage_of(const void *addr, size_t size, const void *expected)
{
	struct damage damage = { 0 };
	char page[PAGE];
	size_t n_dead = 0;
	int fds[2];

	ck_assert(!pipe(fds));
	for (size_t i = 0; i < size; i += PAGE) {
		const char *is = (const char *)addr + i, *was = (const char *)expected + i;

		if (!read_page(fds, is, page)) {
			damage.dead_bytes += PAGE;
			if (n_dead++ % TOUCH_EVERY == 0)
				ck_assert_int_eq(sigbus_touch(is), BUS_MCEERR_AR);
		} else if (!memcmp(page, was, PAGE)) {
			damage.right_bytes += PAGE;
		} else {
			for (size_t j = 0; j < PAGE; j++)
				damage.wrong_bytes += page[j] != was[j];
		}
	}
	close(fds[0]);
	close(fds[1]);
	return damage;
}

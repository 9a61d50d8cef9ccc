// SPDX-License-Identifier: MIT
/* What the tests in a guest have in common and is not a GPU. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

uint64_t test_seed(void)
{
	static uint64_t seed;
	const char *text;

	if (!seed) {
		text = getenv("TEST_SEED");
		seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL) * 1000003u + (uint64_t)getpid();
		note("TEST_SEED=%llu", (unsigned long long)seed);
	}
	return seed;
}

uint64_t test_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15u;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

bool test_is_soak(void)
{
	const char *soak = getenv("SOAK");

	return soak && !strcmp(soak, "1");
}

size_t test_loops(size_t n, size_t soak)
{
	const char *loops = getenv("TEST_LOOPS");

	if (loops)
		return strtoull(loops, NULL, 0);
	return test_is_soak() ? soak : n;
}

void note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("# ");
	vprintf(format, args);
	printf("\n");
	fflush(stdout);
	va_end(args);
}

unsigned int test_slowness(void)
{
	const char *text = getenv("RIG_SLOWNESS");

	return text ? (unsigned int)strtoul(text, NULL, 10) : 1;
}

uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void sleep_ms(unsigned int ms)
{
	const struct timespec span = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&span, NULL);
}

int shell(const char *format, ...)
{
	char command[512];
	va_list args;
	int status;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool read_file(const char *file, char *buf, size_t size)
{
	ssize_t n;
	int fd;

	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n < 0)
		return false;
	if (n && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return true;
}

int try_write_file(const char *file, const char *value)
{
	int fd, r = 0;

	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		r = -errno;
	close(fd);
	return r;
}

void write_file(const char *file, const char *value)
{
	int r = try_write_file(file, value);

	ck_assert_msg(!r, "%s <- %s: %s", file, value, strerror(-r));
}

uint64_t vmstat(const char *key)
{
	static char text[16384];
	const char *line;

	ck_assert(read_file("/proc/vmstat", text, sizeof(text)));
	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, key, strlen(key)) && line[strlen(key)] == ' ')
			return strtoull(line + strlen(key), NULL, 10);
	}
	ck_abort_msg("no %s in /proc/vmstat", key);
	return 0;
}

void compare_texts(const char *is, const char *was)
{
	size_t at = 0;

	if (!strcmp(is, was))
		return;
	while (is[at] == was[at])
		at++;
	while (at && is[at - 1] != '\n')
		at--;
	ck_abort_msg("is %.*s, was %.*s", (int)strcspn(is + at, "\n"), is + at, (int)strcspn(was + at, "\n"), was + at);
}

void wait_child(int pid)
{
	int status;

	ck_assert_int_ge(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(!status, "child: exit status %d, signal %d", WEXITSTATUS(status), WTERMSIG(status));
}

int test_run(Suite *suite)
{
	SRunner *runner;
	int failed;

	test_seed();
	runner = srunner_create(suite);
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * What the tests in a guest have in common and is not a GPU: seeds, loop counts, files, commands, the run itself.
 */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* TEST_SEED of the environment, else a new one; printed once. */
uint64_t test_seed(void);
/* The next number of a sequence that *@state, at first a seed, stands for. */
uint64_t test_random(uint64_t *state);
/* TEST_LOOPS of the environment, else @soak with SOAK=1, else @n. */
size_t test_loops(size_t n, size_t soak);
/* SOAK=1: full counts. */
bool test_is_soak(void);
/* A line for people in the TAP. */
__attribute__((format(printf, 1, 2))) void note(const char *format, ...);

/* So many times longer than on the stock kernel may things take (a debug kernel). */
unsigned int test_slowness(void);

uint64_t now_ms(void);
void sleep_ms(unsigned int ms);
/* Runs a shell command. Returns its exit status. */
__attribute__((format(printf, 1, 2))) int shell(const char *format, ...);
/* Whole small files. @buf without the last newline; false if it cannot be read. */
bool read_file(const char *file, char *buf, size_t size);
/* Return 0 or -errno. */
int try_write_file(const char *file, const char *value);
void write_file(const char *file, const char *value);
/* A line "<key> <number>" of /proc/vmstat. */
uint64_t vmstat(const char *key);
/* Asserts that they are the same; says the first line that differs. */
void compare_texts(const char *is, const char *was);
/* Asserts that @pid ends well. */
void wait_child(int pid);

/* Runs a suite as TAP. Returns the program's exit status. */
int test_run(Suite *suite);

#endif

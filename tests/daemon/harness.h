/* SPDX-License-Identifier: MIT */
/*
 * harness - a real fabricd on a tree of files that the test makes, and raw connections to it.
 *
 * Everything is below one temporary folder; the daemon is ended and its exit looked at by harness_stop().
 */
#ifndef TEST_HARNESS_H
#define TEST_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <check.h>
#include <json-c/json.h>

struct harness {
	char folder[64];
	char root[96], public[96], admin[96], config[96];
	pid_t pid;
};

/* @config: lines for --config, NULL for none; @n_devices: 0 for a tree without the kernel part */
void harness_start(struct harness *harness, int n_devices, const char *config);

/* SIGTERM; asserts exit code 0 (under ASan: no leak) and that the sockets are gone. Removes the folder. */
void harness_stop(struct harness *harness);

/*
 * Kills the daemon and starts another. @stderr_fd: takes the place of its log, -1 for none; @listen_fd: a listening
 * socket that it inherits as the public one, -1 for none.
 */
void harness_restart(struct harness *harness, int stderr_fd, int listen_fd);

/* A fabricd with further arguments that is expected to end by itself. Return: its exit code. */
int harness_run(const struct harness *harness, const char *const *arguments);

/* One file of the tree. */
void harness_write(const struct harness *harness, const char *value, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void harness_add_class(const struct harness *harness); /* what the module's loading makes */
void harness_add_device(const struct harness *harness, int index, int n_devices);
void harness_remove_device(const struct harness *harness, int index);
void harness_set_generation(const struct harness *harness, int generation);

/* "0000:03:00.0" and so on; static, for eight indexes at a time */
const char *harness_device(int index);

/* Has the daemon read the tree again. */
void harness_reread(const struct harness *harness);
size_t harness_n_open_files(const struct harness *harness);
size_t harness_resident_kib(const struct harness *harness);

/* ---- raw connections: a timeout of 10 s, or the test fails ---- */

int raw_connect(const char *path);

/* All of it, or the number of bytes that went before the other side closed. */
size_t raw_send(int fd, const char *bytes, size_t length);
void raw_request(int fd, const char *text); /* with its NUL */

/* Return: whether they went; if not, the daemon's kernel keeps them out (SO_PASSRIGHTS), and nothing was sent. */
bool raw_send_with_fds(int fd, const char *bytes, size_t length, const int *fds, size_t n_fds);

/* The next message; NULL when the daemon closed. The caller frees it. */
char *raw_receive(int fd);
struct json_object *raw_receive_json(int fd); /* asserts that there is one */

/* Asserts on the whole of the next message. */
void raw_expect(int fd, const char *text);
void raw_expect_closed(int fd);

/* "error" of the next message; asserts that it is there, and equal. Return: its parameters, to be put. */
struct json_object *raw_expect_error(int fd, const char *error);
void raw_expect_invalid(int fd, const char *parameter);

/* One request on a new connection. */
struct json_object *raw_call(const char *path, const char *text);

/* The daemon still answers. */
void harness_expect_alive(const struct harness *harness);

Suite *basic_suite(void);
Suite *malformed_suite(void);
Suite *limits_suite(void);
Suite *events_suite(void);
Suite *pieces_suite(void);

#endif

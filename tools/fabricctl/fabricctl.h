/* SPDX-License-Identifier: MIT */
/*
 * fabricctl - what its verbs share. A verb is one function; it gets the arguments from its own name on, and its
 * result is the program's exit code.
 */
#ifndef FABRICCTL_H
#define FABRICCTL_H

#include <errno.h>
#include <fabricmap.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

struct json_object;

/* Exit codes. */
enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

int cmd_topo(int argc, char **argv);
int cmd_devices(int argc, char **argv);
int cmd_place(int argc, char **argv);
int cmd_run_check(int argc, char **argv);
int cmd_remove(int argc, char **argv);
int cmd_bring_back(int argc, char **argv);
int cmd_events(int argc, char **argv);

/* Words, on stderr, with the program's name before and a newline after. */
void error_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A wrong command line: says so and where help is. Return: EXIT_USAGE. */
int usage_error(const char *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* getopt_long() has printed what is wrong already. Return: EXIT_USAGE. */
int usage_hint(const char *verb);

/* What to try after a negative errno from the library: " (...)", or "". Static. */
const char *remedy(int r);

/* "No such device" and the like; static. */
const char *reason(int r);

/* ---- text.c ---- */

enum { SIZE_TEXT_SIZE = 24 };

/* "240.0 MiB"; "-" for FABRICMAP_UNKNOWN. Return: @text. */
const char *size_text(int64_t bytes, char text[SIZE_TEXT_SIZE]);

/* "-" for FABRICMAP_UNKNOWN. Return: @text. */
const char *number_text(int64_t number, char text[SIZE_TEXT_SIZE]);

/* N, N K, N M, N G, N T (powers of 1024) without the blank; -EINVAL, -ERANGE. */
int size_parse(const char *text, uint64_t *ret);

/* 0 to @max, decimal; -EINVAL, -ERANGE. */
int number_parse(const char *text, uint64_t max, uint64_t *ret);

/* ---- table.c: text in columns ---- */

struct table;

/* @n_columns texts a row. Ends the program if memory is short, like all below. */
struct table *table_new(size_t n_columns);
struct table *table_free(struct table *table);
void table_freep(struct table **table);

/* The next cell, row by row. Copied. */
void table_add(struct table *table, const char *text);

/* On stdout; columns two blanks apart, no blanks at the end of lines. */
void table_print(const struct table *table);

/* ---- json.c: results for programs ---- */

/* NULL and FABRICMAP_UNKNOWN become null. They end the program if memory is short. */
void json_add_string(struct json_object *object, const char *key, const char *value);
void json_add_int(struct json_object *object, const char *key, int64_t value);
void json_add_bool(struct json_object *object, const char *key, bool value);
struct json_object *json_add_array(struct json_object *object, const char *key);
struct json_object *json_add_object(struct json_object *object, const char *key);
struct json_object *json_append_object(struct json_object *array);
struct json_object *json_append_array(struct json_object *array);
void json_append_string(struct json_object *array, const char *value);
struct json_object *json_new(const char *schema);

/* On stdout, then put. @one_line for streams. */
void json_print(struct json_object *object, bool one_line);

/* ---- unmanaged.c ---- */

/* How many devices are in the fabric. */
size_t managed_n(const struct fabricmap *map);

/* The others, if there are any, after a blank line if there is something before. */
void unmanaged_print(const struct fabricmap *map);

/* ---- topo_pairs.c ---- */

/* Pair bandwidths and memories, of all devices whether they are in the fabric or not. */
void topo_pairs_print(const struct fabricmap *map);

/* ---- shared by verbs ---- */

/* The machine's topology from sysfs. Reports failure. */
int map_open(const char *verb, const char *root, struct fabricmap **ret);
void map_unrefp(struct fabricmap **map);

/**
 * topology_load() - a topology from a file or folder of any kind: our JSON, NCCL's or hwloc's XML, a captured tree
 * @ret_error: on failure what is wrong, for a person; the caller frees it. NULL if there is nothing but the errno
 *
 * Return: 0 or a negative errno, as fabricmap_open_path().
 */
int topology_load(const char *path, struct fabricmap **ret, char **ret_error);

/* A topology's warnings, on stderr. */
void map_warn(const char *verb, const struct fabricmap *map);

/*
 * One line for whoever wants devices and not the topology: how many warnings, how many of them name a device that was
 * chosen, and where they are told. If there is one, it is that line. @path as map_load(), NULL: this machine; @placement
 * may be NULL.
 */
void map_warn_briefly(const char *verb, const char *path, const struct fabricmap *map,
		      const struct fabricmap_placement *placement);

/* topology_load(), and failure reported. */
int map_load(const char *verb, const char *path, struct fabricmap **ret);
void placement_freep(struct fabricmap_placement **placement);
void client_freep(struct fabricmap_client **client);

enum place_by {
	PLACE_BY_ANY, /* the daemon if there is one */
	PLACE_BY_LIBRARY,
};

/**
 * place_devices() - ask the daemon, or decide here if there is none, and say so
 * @ret_by_daemon: who did
 * @ret_why_not: on failure what was told, if there were words; the caller's; may be NULL
 *
 * Return: 0 or a negative errno, which has been reported if @quiet_errno is another.
 */
int place_devices(const char *verb, enum place_by by, uint64_t count, uint64_t bytes, unsigned int flags,
		  const char *const *exclude, size_t n_exclude, int quiet_errno, struct fabricmap_placement **ret,
		  bool *ret_by_daemon, char **ret_why_not);

#define _cleanup_(fn) __attribute__((__cleanup__(fn)))

static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void closep(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* nothing was written through it */
}

#endif

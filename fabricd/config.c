// SPDX-License-Identifier: MIT
/* The table of limits is here and nowhere else; --help prints it. */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

struct limit {
	const char *name;
	size_t offset;
	uint64_t min, max, value;
	const char *meaning;
};

#define LIMIT(name, min, max, value, meaning)                                  \
	{                                                                      \
#name, offsetof(struct limits, name), min, max, value, meaning \
	}

static const struct limit table[] = {
	LIMIT(connections, 1, 65536, 1024, "open connections, of each socket"),
	LIMIT(connections_per_uid, 1, 65536, 256, "of them, of one user and socket"),
	LIMIT(subscriptions_per_uid, 1, 4096, 32, "event streams of one user"),
	LIMIT(buffered_bytes_per_uid, 1 << 20, 1ULL << 32, 32 << 20, "received or unsent bytes held for one user"),
	LIMIT(unsent_bytes_per_connection, 1 << 16, 1 << 30, 8 << 20, "replies that a connection has not taken"),
	LIMIT(unread_handles_per_uid, 1, 4096, 128, "file descriptors opened for one user and not read"),
	LIMIT(requests_running_per_uid, 1, 4096, 64, "requests of one user that wait for the kernel"),
	LIMIT(events_kept, 4, 65536, 1024, "events; a subscriber that is further behind is dropped"),
	LIMIT(message_ms, 100, 3600000, 30000, "time for a message to come in whole"),
	LIMIT(stall_ms, 100, 3600000, 10000, "a connection that takes nothing for so long is closed"),
	LIMIT(drain_ms, 0, 3600000, 1000, "notice to holders before a removal evicts, unless it says itself"),
	LIMIT(evict_stall_ms, 100, 3600000, 30000, "a removal without progress for so long is called off"),
	LIMIT(unbind_ms, 100, 3600000, 30000, "time for a driver to let go of its device"),
	LIMIT(bring_back_ms, 100, 3600000, 15000, "time for a device to come back"),
};

#define N_LIMITS (sizeof(table) / sizeof(table[0]))

static uint64_t *limit_of(struct limits *limits, const struct limit *limit)
{
	return (uint64_t *)(void *)((char *)limits + limit->offset);
}

void config_init(struct config *config)
{
	*config = (struct config){
		.socket_path = FABRICD_SOCKET_PATH,
		.admin_socket_path = FABRICD_ADMIN_SOCKET_PATH,
	};
	(void)limits_read(NULL, &config->limits); /* without a file it cannot fail */
}

static int limit_set(struct limits *limits, const char *name, const char *text)
{
	char *end;

	for (size_t i = 0; i < N_LIMITS; i++) {
		uint64_t value;

		if (strcmp(table[i].name, name))
			continue;
		errno = 0;
		value = strtoull(text, &end, 10);
		if (errno || *end || !isdigit((unsigned char)text[0]))
			return -EINVAL;
		if (value < table[i].min || value > table[i].max)
			return -ERANGE;
		*limit_of(limits, &table[i]) = value;
		return 0;
	}
	return -ENOENT;
}

static char *trim(char *text)
{
	size_t length;

	text += strspn(text, " \t\r\n");
	length = strlen(text);
	while (length && strchr(" \t\r\n", text[length - 1]))
		text[--length] = '\0';
	return text;
}

static int line_take(struct limits *limits, char *line, const char *path, int number)
{
	char *name, *value;
	int r;

	name = trim(line);
	if (!*name || *name == '#')
		return 0;
	value = strchr(name, '=');
	if (!value) {
		log_error("%s:%d: expected 'name = value'", path, number);
		return -EINVAL;
	}
	*value++ = '\0';
	name = trim(name);
	value = trim(value);
	r = limit_set(limits, name, value);
	if (r == -ENOENT)
		log_error("%s:%d: no such limit: %s", path, number, name);
	else if (r == -ERANGE)
		log_error("%s:%d: %s is out of range: %s", path, number, name, value);
	else if (r < 0)
		log_error("%s:%d: %s is no number: %s", path, number, name, value);
	return r < 0 ? -EINVAL : 0;
}

int limits_read(const char *path, struct limits *ret)
{
	struct limits limits;
	size_t size = 0;
	char *line = NULL;
	int r = 0, number = 0;
	ssize_t length;
	FILE *file;

	for (size_t i = 0; i < N_LIMITS; i++)
		*limit_of(&limits, &table[i]) = table[i].value;
	if (path) {
		file = fopen(path, "re");
		if (!file)
			return -errno;
		while (!r && (length = getline(&line, &size, file)) >= 0) {
			number++;
			if (strlen(line) == (size_t)length) {
				r = line_take(&limits, line, path, number);
			} else {
				log_error("%s:%d: a NUL byte is no text", path, number);
				r = -EINVAL;
			}
		}
		if (!r && !feof(file))
			r = -EIO; /* or no memory for a line of that length */
		free(line);
		(void)fclose(file); /* only read */
		if (r < 0)
			return r;
	}
	*ret = limits;
	return 0;
}

void limits_print(FILE *file)
{
	for (size_t i = 0; i < N_LIMITS; i++)
		fprintf(file, "  %-28s %10" PRIu64 "  %s\n", table[i].name, table[i].value, table[i].meaning);
}

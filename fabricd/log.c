// SPDX-License-Identifier: MIT
/* One line a call, written with one write(2): lines of threads do not mix. */
#include "log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool with_priority;

void log_init(void)
{
	unsigned long long device, inode;
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat st;

	/* systemd.exec(5): set, and equal to our stderr, if that goes to the journal. */
	if (stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0)
		with_priority = st.st_dev == device && st.st_ino == inode;
}

void log_at(int priority, const char *format, ...)
{
	char line[1024];
	size_t at = 0;
	va_list args;
	int n;

	if (with_priority)
		at = (size_t)snprintf(line, sizeof(line), "<%d>", priority);
	else
		at = (size_t)snprintf(line, sizeof(line), "fabricd: ");
	va_start(args, format);
	n = vsnprintf(line + at, sizeof(line) - at - 1, format, args);
	va_end(args);
	if (n < 0)
		return;
	at = at + (size_t)n < sizeof(line) - 1 ? at + (size_t)n : sizeof(line) - 2;
	/* What a peer or a device is called must not start a line of its own. */
	for (size_t i = 0; i < at; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[at++] = '\n';
	if (write(STDERR_FILENO, line, at) < 0)
		return; /* nowhere to say it */
}

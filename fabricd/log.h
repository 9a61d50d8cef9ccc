/* SPDX-License-Identifier: MIT */
/* Words of the daemon on stderr, with the <N> prefix that systemd reads when it is systemd's stderr. */
#ifndef FABRICD_LOG_H
#define FABRICD_LOG_H

#include <syslog.h>

void log_init(void);
void log_at(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_at(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)

#endif

// SPDX-License-Identifier: MIT
/* Words and numbers for people, and from them. */
#include "fabricctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void __attribute__((format(printf, 1, 0))) error_vprint(const char *format, va_list ap)
{
	fflush(stdout);
	fputs("fabricctl: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
}

void error_print(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	error_vprint(format, ap);
	va_end(ap);
}

int usage_hint(const char *verb)
{
	error_print("try 'fabricctl %s --help'", verb);
	return EXIT_USAGE;
}

int usage_error(const char *verb, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	error_vprint(format, ap);
	va_end(ap);
	return usage_hint(verb);
}

const char *reason(int r)
{
	switch (r) {
	case -ENOSYS:
		return "the kernel part is absent";
	case -ESHUTDOWN:
		return "the device is draining";
	case -ENOTRECOVERABLE:
		return "the device is lost: it does not answer any more";
	case -ENODEV:
		return "no such device in the fabric";
	default:
		return strerrordesc_np(-r) ?: "unknown error";
	}
}

const char *remedy(int r)
{
	switch (r) {
	case -ENOSYS:
		return " (as root: modprobe drm_fabric)";
	case -EACCES:
	case -EPERM:
		return " (try as root)";
	case -ENODEV:
		return " ('fabricctl devices' lists them)";
	case -ENOENT:
	case -ECONNREFUSED:
		return " (is fabricd running? systemctl status fabricd)";
	case -ESHUTDOWN:
		return " ('fabricctl bring-back' makes it usable again)";
	case -ENOTRECOVERABLE:
		return " ('fabricctl remove' without --keep-bound takes it away)";
	default:
		return "";
	}
}

const char *number_text(int64_t number, char text[SIZE_TEXT_SIZE])
{
	if (number == FABRICMAP_UNKNOWN)
		(void)snprintf(text, SIZE_TEXT_SIZE, "-");
	else
		(void)snprintf(text, SIZE_TEXT_SIZE, "%lld", (long long)number);
	return text;
}

const char *size_text(int64_t bytes, char text[SIZE_TEXT_SIZE])
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes;
	size_t unit = 0;

	if (bytes == FABRICMAP_UNKNOWN)
		return number_text(bytes, text);
	if (bytes < 1024) {
		(void)snprintf(text, SIZE_TEXT_SIZE, "%lld B", (long long)bytes);
		return text;
	}
	/* 1023.95 and more would be printed as 1024.0. */
	for (value /= 1024; value >= 1023.95 && unit + 1 < sizeof(units) / sizeof(units[0]); value /= 1024)
		unit++;
	(void)snprintf(text, SIZE_TEXT_SIZE, "%.1f %s", value, units[unit]);
	return text;
}

static int digits_parse(const char **text, uint64_t *ret)
{
	uint64_t value = 0;

	if (**text < '0' || **text > '9')
		return -EINVAL;
	for (; **text >= '0' && **text <= '9'; (*text)++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(**text - '0'), &value))
			return -ERANGE;
	*ret = value;
	return 0;
}

int number_parse(const char *text, uint64_t max, uint64_t *ret)
{
	uint64_t value;
	int r;

	r = digits_parse(&text, &value);
	if (r < 0)
		return r;
	if (*text)
		return -EINVAL;
	if (value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

int size_parse(const char *text, uint64_t *ret)
{
	static const char units[] = "KMGT";
	uint64_t value, factor = 1;
	int r;

	r = digits_parse(&text, &value);
	if (r < 0)
		return r;
	if (*text) {
		const char *unit = strchr(units, *text >= 'a' ? *text - 'a' + 'A' : *text);

		/* K, KiB: the same. KB would be another number. */
		if (!unit || (text[1] && strcmp(text + 1, "iB")))
			return -EINVAL;
		factor = 1ULL << (10 * (unit - units + 1));
	}
	if (__builtin_mul_overflow(value, factor, &value) || value > INT64_MAX)
		return -ERANGE;
	*ret = value;
	return 0;
}

// SPDX-License-Identifier: MIT
#include "import/busid.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

int busid_parse(const char *text, char ret[BUSID_SIZE])
{
	const char *colon = strchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;

	if (n < 1 || n > 8 || strlen(text) != n + 8 || colon[3] != ':' || colon[6] != '.' ||
	    strspn(text, "0123456789abcdefABCDEF:.") != n + 8)
		return -EINVAL;
	(void)snprintf(ret, BUSID_SIZE, "%.*s%s", n < 4 ? (int)(4 - n) : 0, "0000", text);
	for (char *p = ret; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return 0;
}

// SPDX-License-Identifier: MIT
/* See credentials.h. No state. */
#include "credentials.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59 /* Linux 4.13 */
#endif

/* A kernel keeps at most so many for a process (NGROUPS_MAX). */
#define GROUPS_MAX ((socklen_t)65536)

int credentials_new(int fd, struct credentials **ret)
{
	struct credentials *credentials;
	struct ucred ucred;
	socklen_t length = sizeof(ucred), groups_bytes = 0;
	int r;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &ucred, &length) < 0)
		return -errno;
	/* Without room it tells how much it takes. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &groups_bytes) < 0 && errno != ERANGE)
		groups_bytes = 0; /* a kernel without it: the first group is what there is */
	if (groups_bytes > GROUPS_MAX * sizeof(gid_t))
		return -E2BIG;
	credentials = malloc(sizeof(*credentials) + groups_bytes);
	if (!credentials)
		return -ENOMEM;
	if (groups_bytes && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, credentials->groups, &groups_bytes) < 0) {
		r = -errno;
		free(credentials);
		return r;
	}
	credentials->uid = ucred.uid;
	credentials->gid = ucred.gid;
	credentials->n_groups = groups_bytes / sizeof(gid_t);
	*ret = credentials;
	return 0;
}

struct credentials *credentials_free(struct credentials *credentials)
{
	free(credentials);
	return NULL;
}

static bool has_group(const struct credentials *credentials, gid_t gid)
{
	if (credentials->gid == gid)
		return true;
	for (size_t i = 0; i < credentials->n_groups; i++)
		if (credentials->groups[i] == gid)
			return true;
	return false;
}

bool credentials_may_open(const struct credentials *credentials, const struct stat *st)
{
	mode_t wanted = S_IROTH | S_IWOTH;

	if (credentials->uid == 0)
		return true;
	if (credentials->uid == st->st_uid)
		wanted = S_IRUSR | S_IWUSR;
	else if (has_group(credentials, st->st_gid))
		wanted = S_IRGRP | S_IWGRP;
	return (st->st_mode & wanted) == wanted;
}

/* SPDX-License-Identifier: MIT */
/* credentials - who is at the other end of a connection, as the kernel saw it at the time of connect(). */
#ifndef FABRICD_CREDENTIALS_H
#define FABRICD_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

struct credentials {
	uid_t uid;
	gid_t gid;
	size_t n_groups;
	gid_t groups[]; /* supplementary */
};

/* Of a connected unix socket (SO_PEERCRED, SO_PEERGROUPS). Return: 0, errors of getsockopt(), -ENOMEM. */
int credentials_new(int fd, struct credentials **ret);
struct credentials *credentials_free(struct credentials *credentials);

/**
 * credentials_may_open() - may they open a file for reading and writing
 * @st: of the file
 *
 * By its mode bits, as the kernel does it: the owner's, else the group's, else everybody's; uid 0 may. ACLs are not
 * looked at: who is let in by an ACL alone is not, here.
 */
bool credentials_may_open(const struct credentials *credentials, const struct stat *st);

#endif

// SPDX-License-Identifier: MIT
/* See listen.h. */
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include "log.h"
#include "manager.h"
#include "peer.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* asm-generic, Linux 6.16 */
#endif

#define LISTEN_FDS_START 3
#define BACKLOG 512
#define LOCK_NAME "fabricd.lock"
/* Connections taken in one turn of the event loop. */
#define ACCEPT_BATCH 16

struct listener {
	TAILQ_ENTRY(listener) entry;
	struct manager *manager;
	enum peer_kind kind;
	int fd;
	char *path; /* made here: to unlink. NULL: inherited */
	dev_t device;
	ino_t inode;
	struct event *on_connection, *on_resume;
};

static void listener_free(struct listener *listener)
{
	TAILQ_REMOVE(&listener->manager->listeners, listener, entry);
	if (listener->on_connection)
		event_free(listener->on_connection);
	if (listener->on_resume)
		event_free(listener->on_resume);
	if (listener->fd >= 0)
		(void)close(listener->fd);
	if (listener->path) {
		struct stat st;

		if (lstat(listener->path, &st) == 0 && st.st_dev == listener->device && st.st_ino == listener->inode)
			(void)unlink(listener->path); /* a stale file is dealt with at the next start */
	}
	free(listener->path);
	free(listener);
}

static void listener_accept(struct listener *listener)
{
	static const struct timeval pause = { .tv_usec = 200000 };

	for (int i = 0; i < ACCEPT_BATCH; i++) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			peer_accept(listener->manager, fd, listener->kind);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			/* Level-triggered: without a pause this would be a busy loop. */
			log_error("cannot accept a connection: %s", strerror(errno));
			(void)event_del(listener->on_connection);
			(void)evtimer_add(listener->on_resume, &pause);
		}
		return;
	}
}

static void on_connection(evutil_socket_t fd, short what, void *userdata)
{
	(void)fd;
	(void)what;
	listener_accept(userdata);
}

static void on_resume(evutil_socket_t fd, short what, void *userdata)
{
	struct listener *listener = userdata;

	(void)fd;
	(void)what;
	(void)event_add(listener->on_connection, NULL);
}

/*
 * No method takes fds. Connections inherit it, and who sends one gets EPERM. A kernel before 6.16 does not know it:
 * then, and on connections made before, closer.c closes what comes.
 */
static void refuse_fds(int fd)
{
	int no = 0;

	(void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof(no));
}

/* Takes over fd and path. */
static int listener_add(struct manager *manager, int fd, enum peer_kind kind, char *path, const struct stat *st)
{
	struct listener *listener;

	listener = calloc(1, sizeof(*listener));
	if (!listener) {
		(void)close(fd);
		free(path);
		return -ENOMEM;
	}
	listener->manager = manager;
	listener->kind = kind;
	listener->fd = fd;
	listener->path = path;
	if (st) {
		listener->device = st->st_dev;
		listener->inode = st->st_ino;
	}
	refuse_fds(fd);
	TAILQ_INSERT_TAIL(&manager->listeners, listener, entry);
	listener->on_connection = event_new(manager->base, fd, EV_READ | EV_PERSIST, on_connection, listener);
	listener->on_resume = evtimer_new(manager->base, on_resume, listener);
	if (!listener->on_connection || !listener->on_resume || event_add(listener->on_connection, NULL) < 0) {
		listener_free(listener);
		return -ENOMEM;
	}
	return 0;
}

/* ---- inherited ---- */

static int set_flags(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

static enum peer_kind inherited_kind(const struct manager *manager, int fd, const char *name)
{
	struct sockaddr_un address = { 0 };
	socklen_t length = sizeof(address) - 1;

	if (!strcmp(name, "admin"))
		return PEER_ADMIN;
	if (getsockname(fd, (struct sockaddr *)&address, &length) == 0 && address.sun_family == AF_UNIX &&
	    !strcmp(address.sun_path, manager->config.admin_socket_path))
		return PEER_ADMIN;
	return PEER_PUBLIC;
}

static int inherit(struct manager *manager, int fd, const char *name, bool *found)
{
	int listening, domain, r;
	socklen_t length = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0 || domain != AF_UNIX ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) < 0) {
		log_error("inherited file descriptor %d (%s) is no unix socket", fd, name);
		return -ENOTSOCK;
	}
	r = set_flags(fd);
	if (r < 0)
		return r;
	if (!listening) {
		refuse_fds(fd);
		manager->single = true;
		peer_accept(manager, fd, PEER_ADMIN);
		return 0;
	}
	found[inherited_kind(manager, fd, name)] = true;
	return listener_add(manager, fd, inherited_kind(manager, fd, name), NULL, NULL);
}

/* LISTEN_FDS and its relatives. */
static int inherit_all(struct manager *manager, bool *found)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS"), *env_names = getenv("LISTEN_FDNAMES");
	char *names, *at, *name;
	long n;
	int r = 0;

	if (!pid || !fds || strtol(pid, NULL, 10) != getpid())
		return 0;
	n = strtol(fds, NULL, 10);
	if (n < 0 || n > 16)
		return -EINVAL;
	names = strdup(env_names ?: "");
	if (!names)
		return -ENOMEM;
	at = names;
	for (long i = 0; i < n && r >= 0; i++) {
		name = strsep(&at, ":");
		r = inherit(manager, LISTEN_FDS_START + (int)i, name ?: "", found);
	}
	free(names);
	/* Not for children, and not for a second time. */
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return r;
}

/* ---- made here ---- */

/* Whether somebody answers at the address: 0 no, it is free or stale; -EADDRINUSE yes; other errors. */
static int probe(const char *path, const struct sockaddr_un *address)
{
	struct stat st;
	int fd, r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
	(void)close(fd);
	/* -EAGAIN: alive, with a full backlog. */
	if (r != -ECONNREFUSED)
		return r == 0 || r == -EAGAIN ? -EADDRINUSE : r;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/*
 * Two daemons that start at once must not both find the other's file stale: one at a time has the folder's lock. That
 * is a file of its own: a folder that others may read they may lock as well, and keep us waiting for ever.
 */
static int lock_folder(const char *path, int *ret)
{
	char folder[PATH_MAX], lock[PATH_MAX], *slash;
	int fd, r;

	if (snprintf(folder, sizeof(folder), "%s", path) >= (int)sizeof(folder))
		return -ENAMETOOLONG;
	slash = strrchr(folder, '/');
	if (!slash)
		strcpy(folder, ".");
	else
		slash[slash == folder] = '\0';
	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return -errno;
	if (snprintf(lock, sizeof(lock), "%s/" LOCK_NAME, folder) >= (int)sizeof(lock))
		return -ENAMETOOLONG;
	/* It stays: to unlink a lock is a race with whoever has just opened it. */
	fd = open(lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		r = -errno;
		log_error("%s: %s", lock, strerror(errno));
		return r;
	}
	/* Held for microseconds by other daemons. */
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK || i == 200) {
			log_error("%s: somebody holds this lock", lock);
			(void)close(fd);
			return -EBUSY;
		}
		(void)usleep(10000);
	}
	*ret = fd;
	return 0;
}

static int bind_and_listen(int fd, const struct sockaddr_un *address, enum peer_kind kind)
{
	const char *path = address->sun_path;
	struct group *group;
	mode_t old;
	int r;

	old = umask(kind == PEER_ADMIN ? 0117 : 0111);
	r = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
	(void)umask(old);
	if (r < 0)
		return r;
	/* As fabricd-admin.socket has it. Without the group only root's processes get in. */
	group = kind == PEER_ADMIN && geteuid() == 0 ? getgrnam("fabric") : NULL;
	if (group && chown(path, (uid_t)-1, group->gr_gid) < 0)
		log_warning("%s: cannot give it to group fabric: %s", path, strerror(errno));
	if (listen(fd, BACKLOG) < 0) {
		r = -errno;
		(void)unlink(path); /* it was ours */
	}
	return r;
}

static int make(struct manager *manager, const char *path, enum peer_kind kind)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;
	int lock_fd, fd, r;
	char *copy;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	r = lock_folder(path, &lock_fd);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		r = -errno;
		goto close_lock;
	}
	r = probe(path, &address);
	if (r >= 0)
		r = bind_and_listen(fd, &address, kind);
	if (r >= 0 && lstat(path, &st) < 0)
		r = -errno;
	if (r < 0) {
		(void)close(fd);
		goto close_lock;
	}
	copy = strdup(path);
	if (copy) {
		r = listener_add(manager, fd, kind, copy, &st);
	} else {
		(void)close(fd);
		(void)unlink(path); /* it was ours */
		r = -ENOMEM;
	}
close_lock:
	(void)close(lock_fd);
	return r;
}

int listen_open_all(struct manager *manager)
{
	const char *const paths[] = {
		[PEER_PUBLIC] = manager->config.socket_path,
		[PEER_ADMIN] = manager->config.admin_socket_path,
	};
	bool found[2] = { false, false };
	int r;

	r = inherit_all(manager, found);
	if (r < 0) {
		log_error("cannot use the inherited sockets: %s", strerror(-r));
		return r;
	}
	if (manager->single)
		return 0;
	for (size_t kind = 0; kind < 2; kind++) {
		if (found[kind])
			continue;
		r = make(manager, paths[kind], (enum peer_kind)kind);
		if (r == -EADDRINUSE)
			log_error("%s: another daemon answers there", paths[kind]);
		else if (r < 0)
			log_error("%s: cannot listen: %s", paths[kind], strerror(-r));
		if (r < 0)
			return r;
	}
	return 0;
}

void listen_close_all(struct manager *manager)
{
	while (!TAILQ_EMPTY(&manager->listeners))
		listener_free(TAILQ_FIRST(&manager->listeners));
}

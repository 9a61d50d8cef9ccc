/* SPDX-License-Identifier: MIT */
/*
 * listener - where connections come from: sockets that systemd hands over, or that are made here.
 *
 * A socket file of a daemon that is no more is replaced; one that answers is never touched.
 */
#ifndef FABRICD_LISTEN_H
#define FABRICD_LISTEN_H

struct manager;

/**
 * listen_open_all() - take over what was inherited, make what is missing
 *
 * Inherited sockets (sd_listen_fds(3)) are "admin" or anything else, by LISTEN_FDNAMES or by their address. If one is
 * a connected socket, as varlinkctl hands it to an executable, only that connection is served, and with it the
 * daemon ends; it runs with the rights of who started it, so both interfaces are there.
 *
 * Return: 0; -EADDRINUSE a daemon is alive there; other errors, logged.
 */
int listen_open_all(struct manager *manager);

/* Unlinks the files of sockets made here, as long as they are still ours. */
void listen_close_all(struct manager *manager);

#endif

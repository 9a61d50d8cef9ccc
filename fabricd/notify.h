/* SPDX-License-Identifier: MIT */
#ifndef FABRICD_NOTIFY_H
#define FABRICD_NOTIFY_H

/**
 * notify_send() - tell the service manager
 * @state: "READY=1", see sd_notify(3)
 *
 * Return: 0 sent, or there is nobody to tell; negative errno.
 */
int notify_send(const char *state);

#endif

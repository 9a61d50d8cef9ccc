/* SPDX-License-Identifier: MIT */
/*
 * worker - something that may block in the kernel, done beside the event loop.
 *
 * Making a pagemap (OPEN_DEVMEM), probing a driver, walking /proc: each takes milliseconds to seconds, and nobody
 * else is to notice. A thread per job; jobs are few and counted against the user who asked.
 */
#ifndef FABRICD_WORKER_H
#define FABRICD_WORKER_H

struct manager;

/* Runs in the thread. Touches @data only; the event loop keeps away from it until the job is done. */
typedef int (*worker_fn)(void *data);

/* Runs in the event loop, once. @result: of the worker_fn */
typedef void (*worker_done_fn)(void *data, int result);

/**
 * worker_run() - start a job
 *
 * Return: 0: @done will be called, later; a negative errno: it will not.
 */
int worker_run(struct manager *manager, worker_fn run, worker_done_fn done, void *data);

#endif

// SPDX-License-Identifier: MIT
/* A thread, and an eventfd that brings its end back into the event loop. */
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "manager.h"

struct worker {
	struct manager *manager;
	worker_fn run;
	worker_done_fn done;
	void *data;
	int result;
	int fd;
	struct event *event;
	pthread_t thread;
};

static void *worker_main(void *userdata)
{
	struct worker *worker = userdata;
	uint64_t one = 1;

	worker->result = worker->run(worker->data);
	if (write(worker->fd, &one, sizeof(one)) != sizeof(one))
		abort(); /* an eventfd takes a 1 */
	return NULL;
}

static void worker_dispatch(evutil_socket_t fd, short what, void *userdata)
{
	struct worker *worker = userdata;
	worker_done_fn done = worker->done;
	void *data = worker->data;
	int result;

	(void)fd;
	(void)what;
	(void)pthread_join(worker->thread, NULL);
	result = worker->result;
	worker->manager->n_workers--;
	event_free(worker->event);
	(void)close(worker->fd);
	free(worker);
	done(data, result);
}

int worker_run(struct manager *manager, worker_fn run, worker_done_fn done, void *data)
{
	struct worker *worker;
	sigset_t all, old;
	int r;

	worker = malloc(sizeof(*worker));
	if (!worker)
		return -ENOMEM;
	*worker = (struct worker){ .manager = manager, .run = run, .done = done, .data = data };
	worker->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (worker->fd < 0) {
		r = -errno;
		goto free_worker;
	}
	worker->event = event_new(manager->base, worker->fd, EV_READ, worker_dispatch, worker);
	if (!worker->event || event_add(worker->event, NULL) < 0) {
		r = -ENOMEM;
		goto free_event;
	}
	/* Signals are the event loop's. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&worker->thread, NULL, worker_main, worker);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r < 0)
		goto free_event;
	manager->n_workers++;
	return 0;

free_event:
	if (worker->event)
		event_free(worker->event);
	(void)close(worker->fd);
free_worker:
	free(worker);
	return r;
}

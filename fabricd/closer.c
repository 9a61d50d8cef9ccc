// SPDX-License-Identifier: MIT
/*
 * A ring and a few threads, all static: a close() that hangs is not waited for, so what it uses may never be freed.
 * The threads begin when there is something to close and end when there is nothing; the lock guards everything here.
 */
#include "closer.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int ring[CLOSER_MAX];
static size_t first, n_waiting, n_threads, n_closing; /* n_closing of the threads are in close() now */

static void *closer_main(void *userdata)
{
	(void)userdata;
	(void)pthread_mutex_lock(&lock);
	while (n_waiting) {
		int fd = ring[first];

		first = (first + 1) % CLOSER_MAX;
		n_waiting--;
		n_closing++;
		(void)pthread_mutex_unlock(&lock);
		(void)close(fd);
		(void)pthread_mutex_lock(&lock);
		n_closing--;
	}
	n_threads--;
	(void)pthread_mutex_unlock(&lock);
	return NULL;
}

/* Called with the lock. One more, unless enough are free or it cannot be had. */
static void thread_start_locked(void)
{
	pthread_attr_t attributes;
	sigset_t all, old;
	pthread_t thread;

	if (n_threads == CLOSER_THREADS_MAX || n_threads - n_closing >= n_waiting || pthread_attr_init(&attributes))
		return;
	(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	/* Signals are the event loop's. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&thread, &attributes, closer_main, NULL) == 0)
		n_threads++;
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attributes);
}

void closer_take(const int *fds, size_t n_fds)
{
	for (size_t i = 0; i < n_fds; i++) {
		bool taken = false;

		(void)pthread_mutex_lock(&lock);
		if (n_waiting < CLOSER_MAX) {
			ring[(first + n_waiting++) % CLOSER_MAX] = fds[i];
			thread_start_locked();
			/* Without any thread it would wait for ever. */
			taken = n_threads > 0;
			if (!taken)
				n_waiting--;
		}
		(void)pthread_mutex_unlock(&lock);
		if (!taken)
			(void)close(fds[i]);
	}
}

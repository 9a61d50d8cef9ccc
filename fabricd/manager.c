// SPDX-License-Identifier: MIT
/* The daemon's beginning, its signals and its end. */
#include "manager.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/event.h>

#include "bring_back.h"
#include "journal.h"
#include "listen.h"
#include "log.h"
#include "notify.h"
#include "peer.h"
#include "removal.h"
#include "topology_file.h"
#include "topology_watch.h"
#include "unbound.h"

/* How long the end waits for jobs that are in the kernel. */
#define JOBS_WAIT_MS 3000

static void notify(const char *state)
{
	int r;

	r = notify_send(state);
	if (r < 0)
		log_warning("cannot notify the service manager: %s", strerror(-r));
}

void manager_stop(struct manager *manager, int result)
{
	manager->result = result;
	(void)event_base_loopbreak(manager->base);
}

static void manager_reload(struct manager *manager)
{
	struct limits limits;
	int r;

	r = limits_read(manager->config.file, &limits);
	if (r < 0) {
		log_error("%s: %s; the old limits stay", manager->config.file, strerror(-r));
	} else {
		limits.events_kept = manager->config.limits.events_kept; /* the ring is made at the start */
		manager->config.limits = limits;
	}
	if (topology_watch_reread(manager->watch) == 0)
		log_info("read everything again");
}

static void on_terminate(evutil_socket_t signal, short what, void *userdata)
{
	(void)signal;
	(void)what;
	manager_stop(userdata, 0);
}

static void on_hangup(evutil_socket_t signal, short what, void *userdata)
{
	(void)signal;
	(void)what;
	manager_reload(userdata);
}

static void on_watchdog(evutil_socket_t fd, short what, void *userdata)
{
	(void)fd;
	(void)what;
	(void)userdata;
	notify("WATCHDOG=1");
}

static int add_watchdog(struct manager *manager)
{
	const char *text = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	struct timeval half;
	long long usec;

	usec = text ? strtoll(text, NULL, 10) / 2 : 0;
	if (usec <= 0 || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	half = (struct timeval){ .tv_sec = usec / 1000000, .tv_usec = usec % 1000000 };
	manager->on_watchdog = event_new(manager->base, -1, EV_PERSIST, on_watchdog, manager);
	return manager->on_watchdog && event_add(manager->on_watchdog, &half) == 0 ? 0 : -ENOMEM;
}

static int add_signals(struct manager *manager)
{
	manager->on_terminate = evsignal_new(manager->base, SIGTERM, on_terminate, manager);
	manager->on_interrupt = evsignal_new(manager->base, SIGINT, on_terminate, manager);
	manager->on_hangup = evsignal_new(manager->base, SIGHUP, on_hangup, manager);
	if (!manager->on_terminate || event_add(manager->on_terminate, NULL) < 0 || !manager->on_interrupt ||
	    event_add(manager->on_interrupt, NULL) < 0 || !manager->on_hangup ||
	    event_add(manager->on_hangup, NULL) < 0)
		return -ENOMEM;
	return 0;
}

/* Connections cost a file each; the soft limit of 1024 is for select(2), which nobody here uses. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* then the old one holds */
}

int manager_new(const struct config *config, struct manager **ret)
{
	struct manager *manager;
	int r;

	manager = calloc(1, sizeof(*manager));
	if (!manager)
		return -ENOMEM;
	manager->config = *config;
	TAILQ_INIT(&manager->listeners);
	TAILQ_INIT(&manager->peers);
	TAILQ_INIT(&manager->users);
	TAILQ_INIT(&manager->removals);
	TAILQ_INIT(&manager->return_trips);
	TAILQ_INIT(&manager->unbound);
	raise_file_limit();
	manager->sysfs_fd = open(config->root ?: "/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (manager->sysfs_fd < 0) {
		r = -errno;
		log_error("%s: %s", config->root ?: "/sys", strerror(errno));
		goto free_manager;
	}
	manager->base = event_base_new();
	r = manager->base ? add_signals(manager) : -ENOMEM;
	if (r >= 0)
		r = add_watchdog(manager);
	if (r >= 0)
		r = journal_new(manager, &manager->journal);
	if (r >= 0 && config->topology)
		r = topology_file_read(config->topology, &manager->file);
	if (r >= 0)
		r = topology_watch_new(manager, &manager->watch);
	/* Last: who connects is answered from the first moment on. */
	if (r >= 0)
		r = listen_open_all(manager);
	if (r < 0)
		goto free_manager;
	*ret = manager;
	return 0;

free_manager:
	manager_free(manager);
	return r;
}

static void on_jobs_late(evutil_socket_t fd, short what, void *userdata)
{
	(void)fd;
	(void)what;
	*(bool *)userdata = true;
}

/* Jobs use what is about to be freed. */
static void wait_for_jobs(struct manager *manager)
{
	static const struct timeval later = { .tv_sec = JOBS_WAIT_MS / 1000, .tv_usec = JOBS_WAIT_MS % 1000 * 1000 };
	bool late = false;
	struct event *timer;

	if (!manager->n_workers)
		return;
	timer = evtimer_new(manager->base, on_jobs_late, &late);
	if (timer)
		(void)evtimer_add(timer, &later);
	while (manager->n_workers && timer && !late)
		if (event_base_loop(manager->base, EVLOOP_ONCE) < 0)
			break;
	if (timer)
		event_free(timer);
	if (manager->n_workers) {
		log_error("%zu jobs are stuck in the kernel: ending without them", manager->n_workers);
		_exit(EXIT_FAILURE);
	}
}

struct event *event_drop(struct event *event)
{
	if (event)
		event_free(event);
	return NULL;
}

struct manager *manager_free(struct manager *manager)
{
	if (!manager)
		return NULL;
	listen_close_all(manager);
	manager->single = false;
	while (!TAILQ_EMPTY(&manager->peers))
		peer_free(TAILQ_FIRST(&manager->peers));
	removal_abandon_all(manager);
	bring_back_abandon_all(manager);
	wait_for_jobs(manager);
	while (!TAILQ_EMPTY(&manager->unbound))
		unbound_drop(manager, TAILQ_FIRST(&manager->unbound));
	manager->watch = topology_watch_free(manager->watch);
	manager->file = topology_unref(manager->file);
	manager->journal = journal_free(manager->journal);
	assert(TAILQ_EMPTY(&manager->users) && TAILQ_EMPTY(&manager->removals) && TAILQ_EMPTY(&manager->return_trips));
	manager->on_terminate = event_drop(manager->on_terminate);
	manager->on_interrupt = event_drop(manager->on_interrupt);
	manager->on_hangup = event_drop(manager->on_hangup);
	manager->on_watchdog = event_drop(manager->on_watchdog);
	if (manager->base)
		event_base_free(manager->base);
	if (manager->sysfs_fd >= 0)
		(void)close(manager->sysfs_fd);
	free(manager);
	return NULL;
}

int manager_run(struct manager *manager)
{
	int r;

	log_info("ready: %zu devices, generation %" PRId64, topology_watch_current(manager->watch)->n_devices,
		 topology_watch_generation(manager->watch));
	for (size_t i = 0; i < topology_watch_current(manager->watch)->n_warnings; i++)
		log_warning("%s", topology_watch_current(manager->watch)->warnings[i]);
	notify("READY=1");
	r = event_base_dispatch(manager->base);
	notify("STOPPING=1");
	return r < 0 ? -EIO : manager->result;
}

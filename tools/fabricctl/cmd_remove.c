// SPDX-License-Identifier: MIT
/*
 * fabricctl remove: take a device away, through the daemon if there is one, else with the kernel alone. The removal
 * is the daemon's or the kernel's: who interrupts this program only stops watching it.
 */
#include "fabricctl.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <json-c/json.h>

/* What the callback ends the wait with. */
enum { INTERRUPTED = 1 };

static volatile sig_atomic_t interrupted;
/* The client's, or -1. Written before the handlers are there. */
static volatile sig_atomic_t socket_fd = -1;

struct view {
	const char *device;
	bool json;
	char step[16], blocked[16];
	int64_t resident_bytes, printed_ms;
};

static int help(void)
{
	puts("usage: fabricctl remove DEVICE [--drain-ms N] [--keep-bound] [--no-daemon] [--json]\n"
	     "       fabricctl remove DEVICE --cancel [--no-daemon]\n"
	     "       fabricctl remove DEVICE --abandon\n"
	     "\n"
	     "Refuse new users, tell holders, bring every page home, unbind the driver. No byte is lost.\n"
	     "\n"
	     "Options:\n"
	     "      --abandon     of an eviction under way: what cannot go home is lost, and who touches it gets SIGBUS\n"
	     "      --cancel      call a removal off that has not unbound the device yet\n"
	     "      --drain-ms N  how long holders have to leave before their pages are brought home\n"
	     "      --keep-bound  stop when the device is offline; implies --no-daemon\n"
	     "      --no-daemon   use the kernel's own interface even if the daemon runs\n"
	     "      --json        a JSON object a line (fabric.progress/1)\n"
	     "      --help        this text");
	return EXIT_DONE;
}

/* Ends the wait for a daemon that says nothing. What it has said already is still read. */
static void on_signal(int number)
{
	int saved_errno = errno;

	(void)number;
	interrupted = 1;
	if (socket_fd >= 0)
		(void)shutdown(socket_fd, SHUT_RDWR); /* the daemon may have hung up meanwhile */
	errno = saved_errno;
}

/* Whether that is what ended the wait. */
static bool was_interrupted(int r)
{
	return r == INTERRUPTED || (interrupted && (r == -ECONNRESET || r == -EPIPE || r == -EINTR));
}

static int on_progress(const struct fabricmap_progress *progress, void *userdata)
{
	struct view *view = userdata;
	char resident[SIZE_TEXT_SIZE], total[SIZE_TEXT_SIZE];

	if (view->json) {
		struct json_object *object = json_new("fabric.progress/1");

		json_add_string(object, "device", view->device);
		json_add_string(object, "step", progress->step);
		json_add_int(object, "total_bytes", progress->total_bytes);
		json_add_int(object, "resident_bytes", progress->resident_bytes);
		json_add_int(object, "elapsed_ms", progress->elapsed_ms);
		json_add_string(object, "blocked", progress->blocked);
		json_print(object, true);
		return interrupted ? INTERRUPTED : 0;
	}
	/* Nothing new is worth a line once a second only. */
	if (strcmp(view->step, progress->step) || strcmp(view->blocked, progress->blocked) ||
	    view->resident_bytes != progress->resident_bytes || progress->elapsed_ms - view->printed_ms >= 1000) {
		(void)snprintf(view->step, sizeof(view->step), "%s", progress->step);
		(void)snprintf(view->blocked, sizeof(view->blocked), "%s", progress->blocked);
		view->resident_bytes = progress->resident_bytes;
		view->printed_ms = progress->elapsed_ms;
		printf("%6lld.%lld s  %-9s  %s of %s still there", (long long)(progress->elapsed_ms / 1000),
		       (long long)(progress->elapsed_ms % 1000 / 100), progress->step,
		       size_text(progress->resident_bytes, resident), size_text(progress->total_bytes, total));
		if (strcmp(progress->blocked, "none"))
			printf("  blocked: %s", progress->blocked);
		putchar('\n');
		fflush(stdout);
	}
	return interrupted ? INTERRUPTED : 0;
}

/* The admin client; *ret stays NULL if there is no daemon. */
static int connect_admin(const char *verb, bool no_daemon, struct fabricmap_client **ret)
{
	int r;

	if (no_daemon)
		return 0;
	r = fabricmap_client_connect_admin(NULL, ret);
	if (r == 0)
		return 0;
	if (r == -ENOENT || r == -ECONNREFUSED) {
		error_print("%s: no daemon: done with the kernel alone", verb);
		return 0;
	}
	error_print("%s: the daemon's admin socket: %s%s", verb, reason(r), remedy(r));
	return r;
}

static int cancel(const char *device, bool no_daemon)
{
	_cleanup_(client_freep) struct fabricmap_client *client = NULL;
	int r;

	if (connect_admin("remove", no_daemon, &client) < 0)
		return EXIT_FAILED;
	r = client ? fabricmap_client_cancel_remove(client, device) : fabricmap_admin_cancel(device);
	if (r == 0)
		return EXIT_DONE;
	if (client)
		error_print("remove: %s --cancel: %s", device, fabricmap_client_error(client));
	else
		error_print("remove: %s --cancel: %s%s", device, r == -EALREADY ? "it is online" : reason(r),
			    remedy(r));
	return EXIT_FAILED;
}

/* By the kernel's own interface, also while the daemon removes it: that goes on when nothing is in its way. */
static int abandon(const char *device)
{
	int r = fabricmap_admin_abandon(device);

	if (r == 0)
		return EXIT_DONE;
	error_print("remove: %s --abandon: %s%s", device,
		    r == -EALREADY ? "nothing is being brought home from it, or it was abandoned before" : reason(r),
		    remedy(r));
	return EXIT_FAILED;
}

static int remove_device(struct view *view, int64_t drain_ms, bool keep_bound, bool no_daemon)
{
	_cleanup_(client_freep) struct fabricmap_client *client = NULL;
	/* Once: the second one ends the program, whatever it waits for. */
	const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND };
	int r;

	if (connect_admin("remove", no_daemon, &client) < 0)
		return EXIT_FAILED;
	if (client)
		socket_fd = fabricmap_client_fd(client);
	/* Cannot fail: these signals can be caught. */
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	if (client)
		r = fabricmap_client_remove(client, view->device, drain_ms, on_progress, view);
	else
		r = fabricmap_admin_remove(view->device, drain_ms == FABRICMAP_UNKNOWN ? 0 : (uint32_t)drain_ms,
					   keep_bound ? FABRICMAP_REMOVE_KEEP_BOUND : 0, on_progress, view);
	socket_fd = -1;
	if (r == 0)
		return EXIT_DONE;
	if (was_interrupted(r))
		error_print("remove: %s: interrupted while %s; 'fabricctl remove %s --cancel' calls it off, "
			    "'fabricctl remove %s' goes on",
			    view->device, view->step[0] ? view->step : "under way", view->device, view->device);
	else if (client)
		error_print("remove: %s%s", fabricmap_client_error(client), r == -ENODEV ? remedy(r) : "");
	else
		error_print("remove: %s: %s%s", view->device,
			    r == -ECANCELED ? "somebody called it off: it is online" : reason(r), remedy(r));
	return EXIT_FAILED;
}

int cmd_remove(int argc, char **argv)
{
	static const struct option options[] = {
		{ "abandon", no_argument, NULL, 'a' },	      { "cancel", no_argument, NULL, 'c' },
		{ "drain-ms", required_argument, NULL, 'd' }, { "help", no_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },	      { "keep-bound", no_argument, NULL, 'k' },
		{ "no-daemon", no_argument, NULL, 'n' },      { 0 },
	};
	bool arg_abandon = false, arg_cancel = false, arg_keep_bound = false, arg_no_daemon = false;
	struct view view = { 0 };
	int64_t arg_drain_ms = FABRICMAP_UNKNOWN;
	uint64_t number;
	int c;

	while ((c = getopt_long(argc, argv, "hj", options, NULL)) >= 0) {
		switch (c) {
		case 'a':
			arg_abandon = true;
			break;
		case 'c':
			arg_cancel = true;
			break;
		case 'd':
			if (number_parse(optarg, UINT32_MAX, &number) < 0)
				return usage_error("remove", "remove: --drain-ms %s: not a number of milliseconds",
						   optarg);
			arg_drain_ms = (int64_t)number;
			break;
		case 'h':
			return help();
		case 'j':
			view.json = true;
			break;
		case 'k':
			arg_keep_bound = arg_no_daemon = true;
			break;
		case 'n':
			arg_no_daemon = true;
			break;
		default:
			return usage_hint("remove");
		}
	}
	if (optind + 1 != argc)
		return usage_error("remove", "remove: %s", optind < argc ? "more than one DEVICE" : "no DEVICE");
	view.device = argv[optind];
	if (arg_abandon && (arg_cancel || arg_no_daemon || arg_drain_ms != FABRICMAP_UNKNOWN || view.json))
		return usage_error("remove", "remove: --abandon takes no other option");
	if (arg_abandon)
		return abandon(view.device);
	if (arg_cancel && (arg_keep_bound || arg_drain_ms != FABRICMAP_UNKNOWN || view.json))
		return usage_error("remove", "remove: --cancel takes no option but --no-daemon");
	if (arg_cancel)
		return cancel(view.device, arg_no_daemon);
	return remove_device(&view, arg_drain_ms, arg_keep_bound, arg_no_daemon);
}

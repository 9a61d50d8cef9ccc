// SPDX-License-Identifier: MIT
/* fabricctl events: the daemon's stream of events, a line each. */
#include "fabricctl.h"

#include <getopt.h>
#include <stdio.h>

#include <json-c/json.h>

/* What the callback ends the stream with. */
enum { ENOUGH = 1 };

struct view {
	bool json;
	uint64_t left; /* UINT64_MAX: no end */
};

static int help(void)
{
	puts("usage: fabricctl events [--count N] [--json]\n"
	     "\n"
	     "What happens to devices from now on, as the daemon tells it.\n"
	     "\n"
	     "Options:\n"
	     "      --count N  end after N events\n"
	     "      --json     a JSON object a line (fabric.event/1)\n"
	     "      --help     this text");
	return EXIT_DONE;
}

static void print_json(const struct fabricmap_event *event)
{
	struct json_object *object = json_new("fabric.event/1");

	json_add_int(object, "sequence", event->sequence);
	json_add_string(object, "kind", event->kind);
	json_add_string(object, "device", event->device);
	json_add_string(object, "state", event->state);
	json_add_int(object, "generation", event->generation);
	json_add_int(object, "resident_bytes", event->resident_bytes);
	json_add_string(object, "reason", event->reason);
	json_print(object, true);
}

static void print_text(const struct fabricmap_event *event)
{
	char text[SIZE_TEXT_SIZE];

	printf("%lld %s %s", (long long)event->sequence, event->kind, event->device);
	if (event->state)
		printf(" %s", event->state);
	if (event->resident_bytes != FABRICMAP_UNKNOWN)
		printf(" %s still there", size_text(event->resident_bytes, text));
	if (event->reason)
		printf(": %s", event->reason);
	putchar('\n');
	fflush(stdout);
}

static int on_event(const struct fabricmap_event *event, void *userdata)
{
	struct view *view = userdata;

	if (!event)
		return 0;
	if (view->json)
		print_json(event);
	else
		print_text(event);
	/* Nobody reads it any more. */
	if (ferror(stdout))
		return ENOUGH;
	if (view->left != UINT64_MAX)
		view->left--;
	return view->left == 0 ? ENOUGH : 0;
}

int cmd_events(int argc, char **argv)
{
	static const struct option options[] = {
		{ "count", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	_cleanup_(client_freep) struct fabricmap_client *client = NULL;
	struct view view = { .left = UINT64_MAX };
	int c, r;

	while ((c = getopt_long(argc, argv, "hj", options, NULL)) >= 0) {
		switch (c) {
		case 'c':
			if (number_parse(optarg, INT64_MAX, &view.left) < 0 || view.left == 0)
				return usage_error("events", "events: --count %s: not a number above 0", optarg);
			break;
		case 'h':
			return help();
		case 'j':
			view.json = true;
			break;
		default:
			return usage_hint("events");
		}
	}
	if (optind < argc)
		return usage_error("events", "events: one argument too many: %s", argv[optind]);
	r = fabricmap_client_connect(NULL, &client);
	if (r < 0) {
		error_print("events: the daemon's socket: %s%s", reason(r), remedy(r));
		return EXIT_FAILED;
	}
	r = fabricmap_client_subscribe(client, on_event, &view);
	if (r == ENOUGH)
		return EXIT_DONE;
	error_print("events: %s", r < 0 ? fabricmap_client_error(client) : "the daemon has ended the stream");
	return EXIT_FAILED;
}

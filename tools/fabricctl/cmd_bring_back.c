// SPDX-License-Identifier: MIT
/* fabricctl bring-back: bind a device's driver again, through the daemon or with the kernel alone. */
#include "fabricctl.h"

#include <getopt.h>
#include <stdio.h>

static int help(void)
{
	puts("usage: fabricctl bring-back DEVICE [--no-daemon]\n"
	     "\n"
	     "Bind the driver again to a device that was removed, or make one online that is not.\n"
	     "\n"
	     "Options:\n"
	     "      --no-daemon  let the PCI bus find the driver, even if the daemon runs\n"
	     "      --help       this text");
	return EXIT_DONE;
}

static const char *direct_reason(int r)
{
	switch (r) {
	case -EALREADY:
		return "it is online";
	case -ENODEV:
		return "no such PCI function (it may have been taken out of its slot)";
	case -ENXIO:
		return "no driver took it (see the kernel's log)";
	default:
		return reason(r);
	}
}

int cmd_bring_back(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "no-daemon", no_argument, NULL, 'n' },
		{ 0 },
	};
	_cleanup_(client_freep) struct fabricmap_client *client = NULL;
	bool arg_no_daemon = false;
	const char *device;
	int c, r;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
		switch (c) {
		case 'h':
			return help();
		case 'n':
			arg_no_daemon = true;
			break;
		default:
			return usage_hint("bring-back");
		}
	}
	if (optind + 1 != argc)
		return usage_error("bring-back", "bring-back: %s",
				   optind < argc ? "more than one DEVICE" : "no DEVICE");
	device = argv[optind];
	if (!arg_no_daemon) {
		r = fabricmap_client_connect_admin(NULL, &client);
		if (r == -ENOENT || r == -ECONNREFUSED) {
			error_print("bring-back: no daemon: done with the kernel alone");
		} else if (r < 0) {
			error_print("bring-back: the daemon's admin socket: %s%s", reason(r), remedy(r));
			return EXIT_FAILED;
		}
	}
	if (client) {
		r = fabricmap_client_bring_back(client, device, NULL);
		if (r < 0)
			error_print("bring-back: %s", fabricmap_client_error(client));
	} else {
		r = fabricmap_admin_bring_back(device);
		if (r < 0)
			error_print("bring-back: %s: %s%s", device, direct_reason(r), r == -EACCES ? remedy(r) : "");
	}
	if (r < 0)
		return EXIT_FAILED;
	printf("%s is back\n", device);
	return EXIT_DONE;
}

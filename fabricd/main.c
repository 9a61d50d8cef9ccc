// SPDX-License-Identifier: MIT
/* Options, and the exit code. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "log.h"
#include "manager.h"

enum {
	ARG_HELP = 'h',
	ARG_VERSION = 'V',
	ARG_ROOT = 'r',
	ARG_SOCKET = 's',
	ARG_ADMIN_SOCKET = 'a',
	ARG_CONFIG = 'c',
	ARG_TOPOLOGY = 't',
};

static const struct option options[] = {
	{ "help", no_argument, NULL, ARG_HELP },
	{ "version", no_argument, NULL, ARG_VERSION },
	{ "root", required_argument, NULL, ARG_ROOT },
	{ "socket", required_argument, NULL, ARG_SOCKET },
	{ "admin-socket", required_argument, NULL, ARG_ADMIN_SOCKET },
	{ "config", required_argument, NULL, ARG_CONFIG },
	{ "topology", required_argument, NULL, ARG_TOPOLOGY },
	{ 0 },
};

static void help(void)
{
	printf("Usage: fabricd [OPTION...]\n"
	       "Topology and placement of a machine's device memory, over Varlink.\n\n"
	       "  -r, --root DIR           read a captured tree of sysfs instead of /sys\n"
	       "  -s, --socket PATH        public socket (" FABRICD_SOCKET_PATH ")\n"
	       "  -a, --admin-socket PATH  admin socket (" FABRICD_ADMIN_SOCKET_PATH ")\n"
	       "  -c, --config FILE        lines of 'name = value'\n"
	       "  -t, --topology PATH      what a file says of this machine beside what it shows: NCCL or hwloc XML,\n"
	       "                           fabric.topology/1, a captured tree\n"
	       "  -h, --help               this\n"
	       "  -V, --version            version\n\n"
	       "Names for --config, with their defaults:\n");
	limits_print(stdout);
}

/* Return: 0 go on, 1 done, -EINVAL wrong usage. */
static int parse(int argc, char **argv, struct config *config)
{
	int option;

	while ((option = getopt_long(argc, argv, "hVr:s:a:c:t:", options, NULL)) >= 0) {
		switch (option) {
		case ARG_HELP:
			help();
			return 1;
		case ARG_VERSION:
			printf("fabricd " FABRICD_VERSION "\n");
			return 1;
		case ARG_ROOT:
			config->root = optarg;
			break;
		case ARG_SOCKET:
			config->socket_path = optarg;
			break;
		case ARG_ADMIN_SOCKET:
			config->admin_socket_path = optarg;
			break;
		case ARG_CONFIG:
			config->file = optarg;
			break;
		case ARG_TOPOLOGY:
			config->topology = optarg;
			break;
		default:
			return -EINVAL; /* getopt has said it */
		}
	}
	if (optind < argc) {
		fprintf(stderr, "fabricd: unexpected argument: %s\n", argv[optind]);
		return -EINVAL;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct manager *manager;
	struct config config;
	int r;

	(void)signal(SIGPIPE, SIG_IGN); /* whoever reads stderr may go: no reason to */
	log_init();
	config_init(&config);
	r = parse(argc, argv, &config);
	if (r)
		return r < 0 ? 2 : EXIT_SUCCESS;
	r = limits_read(config.file, &config.limits);
	if (r < 0) {
		log_error("%s: %s", config.file, strerror(-r));
		return EXIT_FAILURE;
	}
	r = manager_new(&config, &manager);
	if (r < 0) {
		log_error("cannot start: %s", strerror(-r));
		return EXIT_FAILURE;
	}
	r = manager_run(manager);
	if (r < 0)
		log_error("stopped: %s", strerror(-r));
	manager_free(manager);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

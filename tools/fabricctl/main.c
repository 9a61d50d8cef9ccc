// SPDX-License-Identifier: MIT
/* fabricctl VERB [OBJECT] [OPTIONS]: finds the verb. Results are on stdout, words on stderr. */
#include "fabricctl.h"

#include <stdio.h>
#include <string.h>

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} verbs[] = {
	{ "topo", cmd_topo, "who is linked to whom" },
	{ "devices", cmd_devices, "devices, their memory, and who holds it" },
	{ "place", cmd_place, "choose devices for a job" },
	{ "run-check", cmd_run_check, "put memory on devices, compute there, compare" },
	{ "remove", cmd_remove, "take a device away, losing nothing" },
	{ "bring-back", cmd_bring_back, "give a device back" },
	{ "events", cmd_events, "what happens to devices, as it happens" },
};

static void help_print(void)
{
	puts("usage: fabricctl VERB [OBJECT] [OPTIONS]\n"
	     "\n"
	     "Verbs:");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		printf("  %-12s %s\n", verbs[i].name, verbs[i].summary);
	puts("\n"
	     "Options:\n"
	     "  --help       this text, or that of a verb after it (also: fabricctl help VERB)\n"
	     "  --version    version of the program and of its library\n"
	     "\n"
	     "See fabricctl(1).");
}

/* What was written may only now turn out not to have arrived. */
static int stdout_finish(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	error_print("standard output: %s", strerror(errno));
	return code == EXIT_DONE ? EXIT_FAILED : code;
}

static int verb_run(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(argv[0], verbs[i].name)) {
			/* So that getopt's own messages look like ours. */
			argv[0] = program_invocation_short_name;
			return stdout_finish(verbs[i].run(argc, argv));
		}
	error_print("no such verb: %s (try 'fabricctl --help')", argv[0]);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		error_print("no verb (try 'fabricctl --help')");
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "help") && argc > 2) {
		char *of_verb[] = { argv[2], (char *)"--help", NULL };

		if (argc > 3) {
			error_print("help: one argument too many: %s (try 'fabricctl --help')", argv[3]);
			return EXIT_USAGE;
		}
		return verb_run(2, of_verb);
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		help_print();
		return stdout_finish(EXIT_DONE);
	}
	if (!strcmp(argv[1], "--version")) {
		printf("fabricctl %s (libfabricmap %s)\n", FABRICCTL_VERSION, fabricmap_version());
		return stdout_finish(EXIT_DONE);
	}
	return verb_run(argc - 1, argv + 1);
}

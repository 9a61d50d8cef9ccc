// SPDX-License-Identifier: MIT
/* fabricd over real sockets, on a tree of files. Needs nothing of the machine. */
#include "harness.h"

#include <signal.h>
#include <stdlib.h>

int main(void)
{
	SRunner *runner;
	int n_failed;

	signal(SIGPIPE, SIG_IGN);
	runner = srunner_create(basic_suite());
	srunner_add_suite(runner, malformed_suite());
	srunner_add_suite(runner, limits_suite());
	srunner_add_suite(runner, events_suite());
	srunner_add_suite(runner, pieces_suite());
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

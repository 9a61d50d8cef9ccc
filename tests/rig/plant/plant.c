// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The rig's negative control: a module that does, when loaded, what a broken
 * module would do, so that tests/rig can prove that the rig notices.
 */
#include <linux/mm.h>
#include <linux/module.h>

static char *what = "nothing";
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "nothing, warn, bug, oops, taint or panic");

static int __init plant_init(void)
{
	pr_info("plant: %s\n", what);
	if (!strcmp(what, "warn"))
		WARN(1, "planted warning\n");
	else if (!strcmp(what, "bug"))
		pr_err("BUG: planted line\n");
	else if (!strcmp(what, "oops"))
		WRITE_ONCE(*(volatile int *)NULL, 1);
	else if (!strcmp(what, "taint"))
		add_taint(TAINT_USER, LOCKDEP_STILL_OK);
	else if (!strcmp(what, "panic"))
		panic("planted panic");
	return 0;
}

static void __exit plant_exit(void)
{
}

module_init(plant_init);
module_exit(plant_exit);
MODULE_DESCRIPTION("Plants kernel-log lines for the rig's own tests");
MODULE_LICENSE("Dual MIT/GPL");

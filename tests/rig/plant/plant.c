// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The rig's negative control: a module that does, when loaded, what a broken
 * module would do, so that tests/rig can prove that the rig notices.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

static char *what = "nothing";
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "nothing, warn, bug, oops, taint or panic; for a debug kernel overrun, stale, deadlock, "
		       "atomic, rcu, leak, object or shift");

/*
 * What only a debug kernel sees. None of it does harm there: a byte is read, locks
 * are taken in two orders by one thread, and so on.
 */
static void overrun(void)
{
	char *p = kmalloc(24, GFP_KERNEL);
	volatile int end = 24;

	if (p)
		pr_info("plant: %d\n", READ_ONCE(p[end]));
	kfree(p);
}

static void stale(void)
{
	char *p = kmalloc(24, GFP_KERNEL);

	kfree(p);
	OPTIMIZER_HIDE_VAR(p);
	if (p)
		pr_info("plant: %d\n", READ_ONCE(p[0]));
}

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);

static void deadlock(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);
	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

static DEFINE_SPINLOCK(atomic_lock);

static void atomic(void)
{
	spin_lock(&atomic_lock);
	might_sleep();
	spin_unlock(&atomic_lock);
}

static int __rcu *shared;

static void rcu(void)
{
	pr_info("plant: %p\n", rcu_dereference(shared));
}

/* Several: a stale address on some stack is a reference for kmemleak. */
static void leak(void)
{
	for (int i = 0; i < 16; i++) {
		void *p = kmalloc(24, GFP_KERNEL);

		OPTIMIZER_HIDE_VAR(p);
	}
}

static void tick(struct timer_list *timer)
{
}

/* Freed while it runs. ODEBUG stops it; without ODEBUG this would do harm indeed. */
static void object(void)
{
	struct timer_list *timer = kmalloc_obj(*timer);

	if (!timer || !IS_ENABLED(CONFIG_DEBUG_OBJECTS_FREE))
		return;
	timer_setup(timer, tick, 0);
	mod_timer(timer, jiffies + 3600 * HZ);
	kfree(timer);
}

static void shift(void)
{
	volatile int by = 40;

	pr_info("plant: %d\n", 1 << by);
}

static const struct {
	const char *name;
	void (*plant)(void);
} plants[] = {
	{ "overrun", overrun }, { "stale", stale }, { "deadlock", deadlock }, { "atomic", atomic },
	{ "rcu", rcu },		{ "leak", leak },   { "object", object },     { "shift", shift },
};

static int __init plant_init(void)
{
	pr_info("plant: %s\n", what);
	for (size_t i = 0; i < ARRAY_SIZE(plants); i++)
		if (!strcmp(what, plants[i].name))
			plants[i].plant();
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

// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What one uid may have: handles, bytes placed through them or promised to them, and ranges with a
 * preference.
 *
 * There is one entry for each uid that has handles or preferences. A handle holds the entry of
 * whoever opened it, also in other hands: who passes handles on answers for them, but for an
 * administrator who says for whom they are. An entry counts handles for as long as they take
 * memory, which may be after they were closed: pages placed through them, and preferences, keep
 * them.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/moduleparam.h>
#include <linux/user_namespace.h>

#include "fabric.h"

static unsigned int max_handles_per_uid = 1024;
module_param(max_handles_per_uid, uint, 0644);
MODULE_PARM_DESC(max_handles_per_uid, "handles that a uid may have (default: 1024; 0: any number)");

static unsigned long max_bytes_per_uid;
module_param(max_bytes_per_uid, ulong, 0644);
MODULE_PARM_DESC(max_bytes_per_uid,
		 "bytes that a uid may place or reserve on devices (default: 0: any number)");

static unsigned int max_preferences_per_uid = 65536;
module_param(max_preferences_per_uid, uint, 0644);
MODULE_PARM_DESC(max_preferences_per_uid,
		 "ranges of addresses that a uid may prefer places for (default: 65536; 0: any number)");

/**
 * struct fabric_user - what a uid has
 * @n_refs: handles, and lists of places; the entry goes with the last. Under users_lock
 * @n_handles: under users_lock
 * @n_preferences: ranges with such a list
 * @bytes: placed through its handles
 */
struct fabric_user {
	kuid_t uid;
	unsigned int n_refs;
	unsigned int n_handles;
	atomic_t n_preferences;
	atomic64_t bytes;
};

static DEFINE_MUTEX(users_lock);
static DEFINE_XARRAY_FLAGS(users, XA_FLAGS_ACCOUNT); /* by uid, under users_lock */

/* Without an entry in the audit log: it is no offence to have reached a limit. */
static bool fabric_user_is_exempt(void)
{
	return ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE);
}

/* The entry of @uid, one reference more; -ENOMEM. */
static struct fabric_user *fabric_user_entry(kuid_t uid)
{
	struct fabric_user *user;
	int err;

	lockdep_assert_held(&users_lock);
	user = xa_load(&users, __kuid_val(uid));
	if (!user) {
		user = kzalloc_obj(*user, GFP_KERNEL_ACCOUNT);
		if (!user)
			return ERR_PTR(-ENOMEM);
		user->uid = uid;
		err = xa_err(xa_store(&users, __kuid_val(uid), user, GFP_KERNEL));
		if (err) {
			kfree(user);
			return ERR_PTR(err);
		}
	}
	user->n_refs++;
	return user;
}

static void fabric_user_unref(struct fabric_user *user)
{
	lockdep_assert_held(&users_lock);
	if (--user->n_refs)
		return;
	WARN_ON_ONCE(atomic64_read(&user->bytes) || atomic_read(&user->n_preferences));
	xa_erase(&users, __kuid_val(user->uid));
	kfree(user);
}

/**
 * fabric_user_get() - count a new handle
 * @behalf: the uid that it is for, whose limit holds whoever the caller is; NULL: the caller's
 *
 * Return: the uid's entry, for fabric_user_put(); -EDQUOT, -ENOMEM.
 */
struct fabric_user *fabric_user_get(const kuid_t *behalf)
{
	unsigned int max = READ_ONCE(max_handles_per_uid);
	struct fabric_user *user;

	guard(mutex)(&users_lock);
	user = fabric_user_entry(behalf ? *behalf : current_uid());
	if (IS_ERR(user))
		return user;
	if (max && user->n_handles >= max && (behalf || !fabric_user_is_exempt())) {
		fabric_user_unref(user);
		return ERR_PTR(-EDQUOT);
	}
	user->n_handles++;
	return user;
}

kuid_t fabric_user_uid(const struct fabric_user *user)
{
	return user->uid;
}

/* May sleep. */
void fabric_user_put(struct fabric_user *user)
{
	guard(mutex)(&users_lock);
	user->n_handles--;
	fabric_user_unref(user);
}

/* For a list of places of the caller's uid. Return: fabric_user_put_to_prefer() is due; -ENOMEM. */
struct fabric_user *fabric_user_get_to_prefer(void)
{
	guard(mutex)(&users_lock);
	return fabric_user_entry(current_uid());
}

/* May sleep. */
void fabric_user_put_to_prefer(struct fabric_user *user)
{
	guard(mutex)(&users_lock);
	fabric_user_unref(user);
}

/* One range more. Any context. Return: 0 or -EDQUOT. */
int fabric_user_add_preference(struct fabric_user *user)
{
	unsigned int max = READ_ONCE(max_preferences_per_uid);
	unsigned int n = atomic_inc_return(&user->n_preferences);

	if (n <= max || !max || fabric_user_is_exempt())
		return 0;
	atomic_dec(&user->n_preferences);
	return -EDQUOT;
}

/* @n more, or fewer, which nothing may stop. Any context. */
void fabric_user_move_preferences(struct fabric_user *user, int n)
{
	atomic_add(n, &user->n_preferences);
}

/*
 * The caller is about to place @bytes more on behalf of @user, or to promise them. @bound: whoever
 * the caller is. Any context. Return: 0 or -EDQUOT.
 */
int fabric_user_charge(struct fabric_user *user, bool bound, u64 bytes)
{
	unsigned long max = READ_ONCE(max_bytes_per_uid);

	if ((u64)atomic64_add_return(bytes, &user->bytes) <= max || !max ||
	    (!bound && fabric_user_is_exempt()))
		return 0;
	atomic64_sub(bytes, &user->bytes);
	return -EDQUOT;
}

void fabric_user_uncharge(struct fabric_user *user, u64 bytes)
{
	atomic64_sub(bytes, &user->bytes);
}

/* May a page be placed on behalf of @user? @bound: as above. A hint. */
bool fabric_user_has_room(struct fabric_user *user, bool bound)
{
	unsigned long max = READ_ONCE(max_bytes_per_uid);

	return !max || (u64)atomic64_read(&user->bytes) + PAGE_SIZE <= max ||
	       (!bound && fabric_user_is_exempt());
}

// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What one uid may have: handles, and bytes placed through them or promised to them.
 *
 * There is one entry for each uid that has handles. A handle holds the entry of whoever opened it,
 * also in other hands: who passes handles on answers for them, but for an administrator who says
 * for whom they are. An entry counts handles for as long
 * as they take memory, which may be after they were closed: pages placed through them keep them.
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

struct fabric_user {
	kuid_t uid;
	unsigned int n_handles; /* under users_lock; the entry goes with the last */
	atomic64_t bytes;
};

static DEFINE_MUTEX(users_lock);
static DEFINE_XARRAY_FLAGS(users, XA_FLAGS_ACCOUNT); /* by uid, under users_lock */

/* Without an entry in the audit log: it is no offence to have reached a limit. */
static bool fabric_user_is_exempt(void)
{
	return ns_capable_noaudit(&init_user_ns, CAP_SYS_RESOURCE);
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
	kuid_t uid = behalf ? *behalf : current_uid();
	struct fabric_user *user;
	int err;

	guard(mutex)(&users_lock);
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
	} else if (max && user->n_handles >= max && (behalf || !fabric_user_is_exempt())) {
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
	if (--user->n_handles)
		return;
	WARN_ON_ONCE(atomic64_read(&user->bytes));
	xa_erase(&users, __kuid_val(user->uid));
	kfree(user);
}

/*
 * The caller is about to place @bytes more on behalf of @user, or to promise them. Any context.
 * Return: 0 or -EDQUOT.
 */
int fabric_user_charge(struct fabric_user *user, u64 bytes)
{
	unsigned long max = READ_ONCE(max_bytes_per_uid);

	if ((u64)atomic64_add_return(bytes, &user->bytes) <= max || !max || fabric_user_is_exempt())
		return 0;
	atomic64_sub(bytes, &user->bytes);
	return -EDQUOT;
}

void fabric_user_uncharge(struct fabric_user *user, u64 bytes)
{
	atomic64_sub(bytes, &user->bytes);
}

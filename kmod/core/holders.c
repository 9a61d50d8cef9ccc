// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Who holds memory of a region, for those who may know.
 *
 * The figures of all handles and accounts are copied under the ledger's lock, so that they add up.
 * Who may see whose is looked into afterwards, for that sleeps; what is not for the caller is
 * counted together.
 *
 * The caller may see what he may read with ptrace(2). The kernel's own test is not exported, and
 * one of our own would leave out the security modules. But the kernel makes this test whenever a
 * process's maps file is opened: so that file is opened, on a mount of proc that nobody else has,
 * with the caller's credentials. If that cannot be done, the answer is no.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mount.h>
#include <linux/path.h>
#include <linux/pid.h>
#include <linux/proc_fs.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>

#include "fabric.h"
#include "mm.h"

/* NULL: there is no proc here. */
static struct vfsmount *proc_mount;

/* Of the PID namespace that the module is loaded from; who is not in there stays hidden. */
int fabric_holders_init(void)
{
	struct file_system_type *type = get_fs_type("proc");
	struct vfsmount *mount;

	if (!type)
		return 0;
	mount = kern_mount(type);
	module_put(type->owner);
	if (IS_ERR(mount))
		return PTR_ERR(mount);
	proc_mount = mount;
	return 0;
}

void fabric_holders_exit(void)
{
	if (proc_mount)
		kern_unmount(proc_mount);
}

/*
 * One line of the list, with what it refers to.
 *
 * @pid: counted
 * @fmm: PROCESS: counted
 */
struct holder_entry {
	struct drm_fabric_holder row;
	struct pid *pid;
	struct fabric_mm *fmm;
	kuid_t uid;
};

struct holder_list {
	struct holder_entry *entries;
	size_t n, size;
	u64 bytes;
};

static struct holder_entry *holder_add(struct holder_list *list)
{
	/* Past the end they are only counted. */
	return list->n++ < list->size ? &list->entries[list->n - 1] : NULL;
}

static void holder_add_handle(struct holder_list *list, struct fabric_handle *handle)
{
	struct holder_entry *entry;

	if (!handle->open && !handle->bytes)
		return;
	entry = holder_add(list);
	if (!entry)
		return;
	*entry = (struct holder_entry){
		.row = {
			.kind = DRM_FABRIC_HOLDER_HANDLE,
			.flags = (handle->open ? DRM_FABRIC_HOLDER_OPEN : 0) |
				 (handle->taken ? DRM_FABRIC_HOLDER_REVOKED : 0),
			.devmem_id = handle->id,
			.grant_id = handle->grant_id,
			.reserved_bytes = handle->reserved_bytes,
			.bytes = handle->bytes,
			.dead_bytes = fabric_dead_of(handle->region, handle->bytes,
						     handle->dead_bytes),
		},
		.pid = get_pid(handle->opener),
		.uid = fabric_user_uid(handle->user),
	};
}

static void holder_add_account(struct holder_list *list, struct fabric_account *account)
{
	struct holder_entry *entry;

	if (account->gone || !account->bytes)
		return;
	entry = holder_add(list);
	if (!entry)
		return;
	kref_get(&account->fmm->ref);
	*entry = (struct holder_entry){
		.row = {
			.kind = DRM_FABRIC_HOLDER_PROCESS,
			.bytes = account->bytes,
			.dead_bytes = fabric_dead_of(account->region, account->bytes,
						     account->dead_bytes),
		},
		.pid = get_pid(account->fmm->pid),
		.fmm = account->fmm,
		.uid = account->fmm->uid,
	};
}

static void holder_add_inherited(struct holder_list *list, struct fabric_ledger *ledger)
{
	struct fabric_account *account;
	struct holder_entry *entry;

	if (!ledger->inherited_bytes)
		return;
	entry = holder_add(list);
	if (!entry)
		return;
	*entry = (struct holder_entry){
		.row = {
			.kind = DRM_FABRIC_HOLDER_INHERITED,
			.bytes = ledger->inherited_bytes,
		},
		.uid = INVALID_UID,
	};
	list_for_each_entry(account, &ledger->accounts, link)
		if (account->gone)
			entry->row.dead_bytes += fabric_dead_of(account->region, account->bytes,
								account->dead_bytes);
}

static void holder_list_fini(struct holder_list *list)
{
	for (size_t i = 0; i < min(list->n, list->size); i++) {
		put_pid(list->entries[i].pid);
		if (list->entries[i].fmm)
			fabric_mm_put(list->entries[i].fmm);
	}
	kvfree(list->entries);
	list->entries = NULL;
}

/* All at one moment. False: it does not fit into list->size. */
static bool holder_list_take(struct holder_list *list, struct fabric_ledger *ledger)
{
	struct fabric_account *account;
	struct fabric_handle *handle;

	guard(spinlock)(&ledger->lock);
	list->n = 0;
	list->bytes = ledger->bytes;
	list_for_each_entry(handle, &ledger->handles, ledger_link)
		holder_add_handle(list, handle);
	list_for_each_entry(account, &ledger->accounts, link)
		holder_add_account(list, account);
	holder_add_inherited(list, ledger);
	return list->n <= list->size;
}

/* @list is zeroed. */
static int holder_list_init(struct holder_list *list, struct fabric_ledger *ledger)
{
	while (!holder_list_take(list, ledger)) {
		size_t size = list->n + list->n / 8 + 8;

		holder_list_fini(list);
		list->size = 0;
		if (fatal_signal_pending(current))
			return -EINTR;
		list->entries = kvcalloc(size, sizeof(*list->entries), GFP_KERNEL_ACCOUNT);
		if (!list->entries)
			return -ENOMEM;
		list->size = size;
	}
	return 0;
}

/* A thread of a process that has not ended, counted, or NULL. Not always the first. */
static struct task_struct *holder_thread(struct pid *pid)
{
	struct task_struct *leader, *task;

	guard(rcu)();
	leader = pid_task(pid, PIDTYPE_TGID);
	if (!leader)
		return NULL;
	for_each_thread(leader, task)
		if (READ_ONCE(task->mm))
			return get_task_struct(task);
	return NULL;
}

/* May the caller read this thread's process, by ptrace(2)'s rules? True also if it has ended. */
static bool holder_may_read(struct task_struct *task)
{
	struct pid_namespace *ns;
	struct path root;
	struct file *file;
	char name[48];
	pid_t nr;

	if (!proc_mount)
		return false;
	root.mnt = proc_mount;
	root.dentry = proc_mount->mnt_root;
	ns = proc_pid_ns(proc_mount->mnt_sb);
	nr = task_tgid_nr_ns(task, ns);
	if (!nr)
		return false;
	snprintf(name, sizeof(name), "%d/task/%d/maps", nr, task_pid_nr_ns(task, ns));
	file = file_open_root(&root, name, O_RDONLY | O_CLOEXEC, 0);
	if (IS_ERR(file))
		return false;
	fput(file);
	return true;
}

/*
 * @mm: that it must have, or NULL: any; compared, not used. The thread's is looked at before and
 * after: with an execve(2) between the answer would be about another, with its end no answer.
 */
static bool holder_may_see(struct pid *pid, const struct mm_struct *mm)
{
	struct task_struct *task __free(put_task) = holder_thread(pid);
	const struct mm_struct *before = task ? READ_ONCE(task->mm) : NULL;

	if (!before || (mm && before != mm))
		return false;
	return before == current->mm || (holder_may_read(task) && READ_ONCE(task->mm) == before);
}

/* The process that is meant is not there any more, or another by now: no number. */
static s32 holder_pid(const struct holder_entry *entry)
{
	struct task_struct *task __free(put_task) = NULL;

	if (!entry->pid)
		return 0;
	task = holder_thread(entry->pid);
	if (!task || (entry->fmm && entry->fmm->notifier.mm != READ_ONCE(task->mm)))
		return 0;
	return pid_vnr(entry->pid);
}

static bool holder_is_visible(const struct holder_entry *entry, const struct holder_entry *last,
			      bool last_visible)
{
	if (entry->row.kind == DRM_FABRIC_HOLDER_INHERITED)
		return true;
	if (entry->fmm && entry->fmm->notifier.mm == current->mm)
		return true;
	/* Who has one handle often has more. */
	if (last && !entry->fmm && !last->fmm && entry->pid == last->pid)
		return last_visible;
	return holder_may_see(entry->pid, entry->fmm ? entry->fmm->notifier.mm : NULL);
}

static void holder_finish(struct holder_entry *entry)
{
	entry->row.pid = holder_pid(entry);
	entry->row.uid = from_kuid_munged(current_user_ns(), entry->uid);
}

/* Leaves what the caller may see, as rows, at the beginning of list->entries' memory. */
static int holder_list_sift(struct holder_list *list, struct drm_fabric_holders *args)
{
	bool all = ns_capable_noaudit(&init_user_ns, CAP_SYS_ADMIN), visible = false;
	const struct holder_entry *last = NULL;
	struct drm_fabric_holder *rows;
	struct holder_entry *entry;
	size_t n = 0;
	int err = 0;

	rows = kvcalloc(max(list->n, 1), sizeof(*rows), GFP_KERNEL_ACCOUNT);
	if (!rows)
		return -ENOMEM;
	args->bytes = list->bytes;
	for (entry = list->entries; entry < list->entries + list->n; last = entry++) {
		if (fatal_signal_pending(current)) {
			err = -EINTR;
			goto free;
		}
		visible = all || holder_is_visible(entry, last, visible);
		cond_resched();
		if (visible) {
			holder_finish(entry);
			rows[n++] = entry->row;
		} else if (entry->row.kind == DRM_FABRIC_HOLDER_HANDLE) {
			args->n_hidden_handles++;
			args->hidden_reserved_bytes += entry->row.reserved_bytes;
		} else {
			args->hidden_bytes += entry->row.bytes;
		}
	}
	if (n > args->n_holders)
		err = -ENOSPC;
	else if (copy_to_user(u64_to_user_ptr(args->holders), rows, n * sizeof(*rows)))
		err = -EFAULT;
	args->n_holders = n;
free:
	kvfree(rows);
	return err;
}

static int fabric_region_holders(struct drm_fabric_region *region, struct drm_fabric_holders *args)
{
	struct holder_list list = {};
	int err;

	err = holder_list_init(&list, &region->ledger);
	if (!err)
		err = holder_list_sift(&list, args);
	holder_list_fini(&list);
	return err;
}

/* DRM_FABRIC_IOCTL_HOLDERS */
long fabric_holders(void __user *argp)
{
	struct drm_fabric_holders __user *uargs = argp;
	struct drm_fabric_region *region;
	struct drm_fabric_device *fdev;
	struct drm_fabric_holders args;
	int err;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	if (args.flags || !args.device[0] || !fabric_name_ok(args.device, sizeof(args.device)) ||
	    !fabric_name_ok(args.region, sizeof(args.region)) || (args.n_holders && !args.holders))
		return -EINVAL;
	args.bytes = 0;
	args.hidden_bytes = 0;
	args.n_hidden_handles = 0;
	args.hidden_reserved_bytes = 0;
	fdev = fabric_device_find(args.device);
	if (!fdev)
		return -ENODEV;
	region = fabric_region_find(fdev, args.region);
	err = region ? fabric_region_holders(region, &args) : -ENOENT;
	put_device(&fdev->dev);
	if (err == -ENOSPC)
		return put_user(args.n_holders, &uargs->n_holders) ? -EFAULT : err;
	if (err)
		return err;
	return copy_to_user(argp, &args, sizeof(args)) ? -EFAULT : 0;
}

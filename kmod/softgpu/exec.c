// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The compute engine: runs operations on a process's addresses, through the page table and by
 * faults.
 *
 * A job belongs to the ioctl that waits for it and lives on its stack. It may fault, that is wait
 * for memory and for other devices, so no dma_fence may depend on it. The queue is the device's
 * and runs address spaces side by side, one job of each at a time (exec_lock). Memory is touched
 * under pt_lock, a piece at a time.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <uapi/drm/softgpu_drm.h>

#include "softgpu.h"

/* How long one piece may miss again and again before the job gives up. */
#define SOFTGPU_EXEC_PATIENCE	(10 * HZ)

/* So many misses of a piece are repeated without a pause. */
#define SOFTGPU_EXEC_EAGER	16

struct softgpu_job {
	struct work_struct work;
	struct completion done;
	struct softgpu_vm *vm;
	const struct drm_softgpu_exec *args;
	/* The waiter has been killed. */
	bool cancel;
	int err;
	/* Bytes done. */
	u64 pos;
	u64 result;
	u64 bytes[SOFTGPU_N_PROTOS];
	u64 faults;
};

/* Look one side up and cut *@n to what is in one page. */
static int softgpu_exec_look(struct softgpu_vm *vm, struct softgpu_side *side, u64 *n,
			     unsigned long *used)
{
	*n = min(*n, PAGE_SIZE - offset_in_page(side->addr));
	return softgpu_vm_walk(vm, side, used);
}

static void softgpu_exec_op(struct softgpu_job *job, const struct softgpu_side *dst,
			    const struct softgpu_side *src, u64 n)
{
	const __le64 *from = src->kaddr;
	u64 first = job->pos / sizeof(u64);
	u64 words = n / sizeof(u64);
	__le64 *to = dst->kaddr;
	u64 i;

	switch (job->args->op) {
	case DRM_SOFTGPU_OP_FILL:
		memset64((u64 *)to, (__force u64)cpu_to_le64(job->args->value), words);
		job->bytes[dst->proto] += n;
		break;
	case DRM_SOFTGPU_OP_COPY:
		if (n == PAGE_SIZE)
			copy_page(dst->kaddr, src->kaddr);
		else
			memcpy(dst->kaddr, src->kaddr, n);
		job->bytes[src->proto] += n;
		job->bytes[dst->proto] += n;
		break;
	case DRM_SOFTGPU_OP_ADD:
		for (i = 0; i < words; i++)
			to[i] = cpu_to_le64(le64_to_cpu(to[i]) + le64_to_cpu(from[i]));
		job->bytes[src->proto] += n;
		job->bytes[dst->proto] += 2 * n;
		break;
	case DRM_SOFTGPU_OP_CHECKSUM:
		for (i = 0; i < words; i++)
			job->result += le64_to_cpu(from[i]) * (2 * (first + i) + 1);
		job->bytes[src->proto] += n;
		break;
	}
}

/*
 * Work on until a piece is done or an address is missing: that is then in *@ret_miss. What has
 * been done stays done. Return: 0, -EAGAIN (fault *@ret_miss in), -EFAULT.
 */
static int softgpu_exec_piece(struct softgpu_job *job, struct softgpu_side *ret_miss)
{
	const struct drm_softgpu_exec *args = job->args;
	u64 end = min(args->length_bytes, job->pos + SOFTGPU_PIECE);
	struct softgpu_vm *vm = job->vm;
	unsigned long used = 0;
	int err = 0;
	u64 n;

	guard(rwsem_read)(&vm->pt_lock);
	guard(rwsem_read)(&vm->sg->windows_lock);

	for (; job->pos < end; job->pos += n) {
		struct softgpu_side dst = { .addr = args->dst + job->pos, .write = true };
		struct softgpu_side src = { .addr = args->src + job->pos };

		n = end - job->pos;
		if (args->op != DRM_SOFTGPU_OP_FILL) {
			err = softgpu_exec_look(vm, &src, &n, &used);
			*ret_miss = src;
		}
		if (!err && args->op != DRM_SOFTGPU_OP_CHECKSUM) {
			err = softgpu_exec_look(vm, &dst, &n, &used);
			*ret_miss = dst;
		}
		if (err)
			break;

		softgpu_exec_op(job, &dst, &src, n);
	}

	/* The bus error of this machine: a peer that has been pulled out. */
	return softgpu_window_all_present(vm->sg, used) ? err : -EFAULT;
}

static int softgpu_exec_run(struct softgpu_job *job)
{
	struct softgpu_device *sg = job->vm->sg;
	unsigned long deadline = jiffies + SOFTGPU_EXEC_PATIENCE;
	struct softgpu_side miss = {};
	unsigned int misses = 0;
	u64 pos;
	int err;

	while (job->pos < job->args->length_bytes) {
		if (READ_ONCE(job->cancel))
			return -EINTR;
		if (READ_ONCE(sg->gone))
			return -ENODEV;

		pos = job->pos;
		err = softgpu_exec_piece(job, &miss);
		if (err && err != -EAGAIN)
			return err;
		if (job->pos != pos) {
			misses = 0;
			deadline = jiffies + SOFTGPU_EXEC_PATIENCE;
		}
		if (err == -EAGAIN) {
			if (misses++ > SOFTGPU_EXEC_EAGER) {
				if (time_after(jiffies, deadline))
					return -EBUSY;
				usleep_range(100, 1000);
			}
			job->faults++;
			err = softgpu_fabric_fault(job->vm, &miss);
			if (err && err != -EBUSY)
				return err;
		}
		cond_resched();
	}

	return 0;
}

static void softgpu_exec_work(struct work_struct *work)
{
	struct softgpu_job *job = container_of(work, struct softgpu_job, work);
	struct softgpu_device *sg = job->vm->sg;
	u64 start_ns = ktime_get_ns();
	unsigned int i;

	job->err = softgpu_exec_run(job);
	/* What was read of a device that has been pulled out was all ones. */
	if (!softgpu_fabric_is_present(job->vm))
		job->err = -ENODEV;

	for (i = 0; i < SOFTGPU_N_PROTOS; i++)
		atomic64_add(job->bytes[i], &sg->bytes[i]);
	atomic64_add(job->faults, &sg->faults);
	atomic64_add(ktime_get_ns() - start_ns, &job->vm->busy_ns);

	complete(&job->done);
}

static bool softgpu_exec_range_ok(u64 addr, u64 length_bytes)
{
	return IS_ALIGNED(addr, sizeof(u64)) && length_bytes <= TASK_SIZE &&
	       addr <= TASK_SIZE - length_bytes;
}

static bool softgpu_exec_args_ok(const struct drm_softgpu_exec *args)
{
	u64 n = args->length_bytes;

	if (args->flags || !n || !IS_ALIGNED(n, sizeof(u64)) ||
	    !softgpu_exec_range_ok(args->dst, n) || !softgpu_exec_range_ok(args->src, n))
		return false;

	/* The ranges are within TASK_SIZE: the sums below do not wrap. */
	switch (args->op) {
	case DRM_SOFTGPU_OP_FILL:
		return !args->src;
	case DRM_SOFTGPU_OP_COPY:
		return !args->value && (args->dst + n <= args->src || args->src + n <= args->dst);
	case DRM_SOFTGPU_OP_ADD:
		return !args->value && (args->dst == args->src ||
					args->dst + n <= args->src || args->src + n <= args->dst);
	case DRM_SOFTGPU_OP_CHECKSUM:
		return !args->value && !args->dst;
	default:
		return false;
	}
}

/* The job is on this stack: returns when the engine has done with it. */
static int softgpu_exec_wait(struct softgpu_device *sg, struct softgpu_job *job)
{
	int idx;

	/* Around the queueing only: remove() flushes the queue when nobody can be here. */
	if (!drm_dev_enter(&sg->drm, &idx))
		return -ENODEV;
	queue_work(sg->exec_wq, &job->work);
	drm_dev_exit(idx);

	if (wait_for_completion_killable(&job->done)) {
		WRITE_ONCE(job->cancel, true);
		wait_for_completion(&job->done);
	}
	return job->err;
}

int softgpu_exec_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct softgpu_file *sf = file->driver_priv;
	struct drm_softgpu_exec *args = data;
	struct softgpu_job job = { .args = args };
	int err;

	if (!softgpu_exec_args_ok(args))
		return -EINVAL;

	/* Pairs with VM_CREATE. */
	job.vm = smp_load_acquire(&sf->vm);
	if (!job.vm)
		return -ENOENT;
	if (!softgpu_fabric_is_current(job.vm))
		return -EACCES;

	if (mutex_lock_killable(&job.vm->exec_lock))
		return -EINTR;
	init_completion(&job.done);
	INIT_WORK_ONSTACK(&job.work, softgpu_exec_work);
	err = softgpu_exec_wait(to_softgpu(drm), &job);
	destroy_work_on_stack(&job.work);
	mutex_unlock(&job.vm->exec_lock);
	if (err)
		return err;

	args->result = job.result;
	args->local_bytes = job.bytes[DRM_FABRIC_PROTO_LOCAL];
	args->peer_bytes = job.bytes[DRM_FABRIC_PROTO_PEER];
	args->system_bytes = job.bytes[DRM_FABRIC_PROTO_SYSTEM];
	args->faults = job.faults;
	return 0;
}

static void softgpu_exec_fini(void *data)
{
	struct softgpu_device *sg = data;

	destroy_workqueue(sg->exec_wq);
}

/**
 * softgpu_exec_init() - make the compute engine
 * @sg: the device, with its VRAM mapped: devres takes the engine down first
 *
 * Return: 0 or -ENOMEM.
 */
int softgpu_exec_init(struct softgpu_device *sg)
{
	sg->exec_wq = alloc_workqueue("softgpu-exec-%s", WQ_UNBOUND, 0, dev_name(sg->drm.dev));
	if (!sg->exec_wq)
		return -ENOMEM;
	return devm_add_action_or_reset(sg->drm.dev, softgpu_exec_fini, sg);
}

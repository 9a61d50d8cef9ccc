// SPDX-License-Identifier: MIT
/* Whose memory a region holds: figures that follow every step, add up at every moment, and are told only to who may know. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "account.h"
#include "worker.h"

#define PAGE ((size_t)4096)
#define SIZE (4 * MIB)
#define PATIENCE_MS 60000
#define STRANGER 65534
#define OTHER 65533
#define NAME REGION_GPU
#define VRAM (24 * MIB)

static void setup(void)
{
	region_setup(VRAM);
}

static void say(int fd)
{
	ck_assert_int_eq(write(fd, "x", 1), 1);
}

static void hear(int fd)
{
	char byte;

	ck_assert_int_eq(read(fd, &byte, 1), 1);
}

/*
 * The model: five processes, each with the same addresses, in blocks of what a CPU touch brings home; three handles.
 * A block that is mapped is an object, shared after a fork until one of them writes. An object is at home, or was
 * placed by an address space through a handle.
 */
#define N_WORKERS 5
#define N_BLOCKS 48
#define BLOCK ((size_t)64 * 1024)
#define N_HANDLES 3

enum op {
	OP_POPULATE,
	OP_TO_SYSTEM,
	OP_WRITE,
	OP_DONTNEED,
	OP_FORK,
	OP_EXIT,
	OP_KILL,
	OP_RESERVE,
	OP_EVICT,
};

static const char *const op_names[] = { "populate", "to system", "write",   "dontneed", "fork",
					"exit",	    "kill",	 "reserve", "evict" };

struct order {
	enum op op;
	unsigned int handle, first, n, child;
};

struct object {
	unsigned int n_refs;
	int space; /* that placed it, -1: at home */
	unsigned int handle;
};

struct process {
	pid_t pid; /* 0: there is none */
	int pidfd;
	int space;
	int orders[2], answers[2];
	struct object *blocks[N_BLOCKS];
};

struct model {
	struct process processes[N_WORKERS];
	struct gpu *handles[N_HANDLES];
	uint64_t reserved[N_HANDLES], placed[N_HANDLES];
	int n_spaces;
	char *area;
	uint64_t room; /* not promised to anybody else for good */
	size_t n_settled;
};

static void worker_order(struct model *m, const struct order *order)
{
	struct drm_fabric_devmem_populate args;
	struct drm_fabric_devmem_to_system home;
	char *at = m->area + order->first * BLOCK;
	size_t size = order->n * BLOCK;
	int r;

	switch (order->op) {
	case OP_POPULATE:
		/* What another process has just looked at is busy for a moment. */
		do {
			r = gpu_try_populate(m->handles[order->handle], at, size, 0, &args);
			ck_assert_int_eq(r, 0);
		} while (args.refused_bytes[DRM_FABRIC_REFUSED_BUSY]);
		break;
	case OP_TO_SYSTEM:
		do {
			home = (struct drm_fabric_devmem_to_system){ .start = (uintptr_t)at, .length_bytes = size };
			r = ioctl(m->handles[0]->devmem_fd, DRM_FABRIC_DEVMEM_TO_SYSTEM, &home) ? -errno : 0;
		} while (r == -EBUSY);
		ck_assert_int_eq(r, 0);
		break;
	case OP_WRITE:
		memset(at, 2, size);
		break;
	case OP_DONTNEED:
		ck_assert(!madvise(at, size, MADV_DONTNEED));
		break;
	case OP_EXIT:
		_exit(0);
	default:
		ck_abort_msg("order %d", order->op);
	}
}

static void worker_loop(struct model *m, unsigned int me)
{
	struct order order;
	pid_t answer;

	/* Its parent may be any of them. */
	signal(SIGCHLD, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(m->processes[me].orders[0], &order, sizeof(order)) == sizeof(order)) {
		answer = 0;
		if (order.op == OP_FORK) {
			answer = fork();
			if (!answer) {
				me = order.child;
				continue;
			}
		} else {
			worker_order(m, &order);
		}
		if (write(m->processes[me].answers[1], &answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	_exit(1);
}

static pid_t tell(struct process *p, const struct order *order)
{
	pid_t answer;

	ck_assert_int_eq(write(p->orders[1], order, sizeof(*order)), sizeof(*order));
	if (order->op == OP_EXIT)
		return 0;
	ck_assert_int_eq(read(p->answers[0], &answer, sizeof(answer)), sizeof(answer));
	return answer;
}

static void unref(struct model *m, struct object **object)
{
	struct object *o = *object;

	*object = NULL;
	if (!o || --o->n_refs)
		return;
	if (o->space >= 0)
		m->placed[o->handle] -= BLOCK;
	free(o);
}

static struct object *new_object(void)
{
	struct object *o = calloc(1, sizeof(*o));

	ck_assert_ptr_nonnull(o);
	*o = (struct object){ .n_refs = 1, .space = -1 };
	return o;
}

static void go_home(struct model *m, struct object *o)
{
	if (!o || o->space < 0)
		return;
	m->placed[o->handle] -= BLOCK;
	o->space = -1;
}

static void begin(struct model *m, struct process *p, pid_t pid)
{
	p->pid = pid;
	p->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	ck_assert_int_ge(p->pidfd, 0);
	p->space = m->n_spaces++;
}

static void end(struct model *m, struct process *p)
{
	struct pollfd poll_fd = { .fd = p->pidfd, .events = POLLIN };

	ck_assert_int_eq(poll(&poll_fd, 1, PATIENCE_MS), 1);
	close(p->pidfd);
	for (size_t i = 0; i < N_BLOCKS; i++)
		unref(m, &p->blocks[i]);
	p->pid = 0;
}

static uint64_t committed(const struct model *m, unsigned int handle)
{
	return m->reserved[handle] > m->placed[handle] ? m->reserved[handle] : m->placed[handle];
}

static uint64_t left_of(const struct model *m)
{
	uint64_t left = m->room;

	for (unsigned int i = 0; i < N_HANDLES; i++)
		left -= committed(m, i);
	return left;
}

static void model_populate(struct model *m, struct process *p, const struct order *order)
{
	for (unsigned int i = order->first; i < order->first + order->n; i++) {
		struct object *o = p->blocks[i];
		unsigned int h = order->handle;

		if (o && o->space >= 0)
			continue;
		if (m->reserved[h] ? m->placed[h] + BLOCK > m->reserved[h] : left_of(m) < BLOCK)
			continue;
		if (!o)
			o = p->blocks[i] = new_object();
		o->space = p->space;
		o->handle = h;
		m->placed[h] += BLOCK;
	}
}

static void model_order(struct model *m, struct process *p, const struct order *order)
{
	if (order->op == OP_POPULATE) {
		model_populate(m, p, order);
		return;
	}
	for (unsigned int i = order->first; i < order->first + order->n; i++) {
		if (order->op == OP_DONTNEED) {
			unref(m, &p->blocks[i]);
			continue;
		}
		go_home(m, p->blocks[i]);
		if (order->op == OP_TO_SYSTEM || (p->blocks[i] && p->blocks[i]->n_refs == 1))
			continue;
		unref(m, &p->blocks[i]);
		p->blocks[i] = new_object();
	}
}

static void do_fork(struct model *m, struct process *p, unsigned int child, const struct order *order)
{
	struct process *c = &m->processes[child];

	begin(m, c, tell(p, order));
	memcpy(c->blocks, p->blocks, sizeof(c->blocks));
	for (size_t i = 0; i < N_BLOCKS; i++)
		if (c->blocks[i])
			c->blocks[i]->n_refs++;
}

static void do_reserve(struct model *m, unsigned int handle, uint64_t bytes)
{
	uint64_t most = left_of(m) + committed(m, handle), available;
	int r = try_reserve(m->handles[handle]->devmem_fd, bytes, &available);

	ck_assert_int_eq(r, bytes > most ? -ENOSPC : 0);
	ck_assert_uint_eq(available, most);
	if (!r)
		m->reserved[handle] = bytes;
}

/* Is everything as the model has it? NULL, or what is not. */
static const char *compare(const struct model *m, char *text, size_t size)
{
	uint64_t by_space[N_WORKERS] = {}, inherited = 0, total = 0, reserved = 0;
	const struct object *seen[N_WORKERS * N_BLOCKS];
	struct holders holders;
	size_t n_seen = 0;

	for (size_t i = 0; i < N_WORKERS * N_BLOCKS; i++) {
		const struct object *o = m->processes[i / N_BLOCKS].blocks[i % N_BLOCKS];
		size_t j;

		for (j = 0; j < n_seen && seen[j] != o; j++)
			;
		if (!o || o->space < 0 || j < n_seen)
			continue;
		seen[n_seen++] = o;
		total += BLOCK;
		for (j = 0; j < N_WORKERS && (!m->processes[j].pid || m->processes[j].space != o->space); j++)
			;
		if (j < N_WORKERS)
			by_space[j] += BLOCK;
		else
			inherited += BLOCK;
	}
	read_holders(NAME, &holders);
	for (unsigned int i = 0; i < N_HANDLES; i++) {
		const struct drm_fabric_holder *row = holder_of_handle(&holders, m->handles[i]->devmem_id);

		reserved += m->reserved[i];
		if (!row || row->bytes != m->placed[i] || row->reserved_bytes != m->reserved[i]) {
			snprintf(text, size, "handle %u: %llu bytes, %llu reserved, and not %llu, %llu", i,
				 row ? row->bytes : 0, row ? row->reserved_bytes : 0, (unsigned long long)m->placed[i],
				 (unsigned long long)m->reserved[i]);
			return text;
		}
	}
	for (unsigned int i = 0; i < N_WORKERS; i++) {
		const struct drm_fabric_holder *row =
			m->processes[i].pid ? holder_of_pid(&holders, m->processes[i].pid) : NULL;

		if (by_space[i] != (row ? row->bytes : 0)) {
			snprintf(text, size, "process %u: %llu bytes and not %llu", i, row ? row->bytes : 0,
				 (unsigned long long)by_space[i]);
			return text;
		}
	}
	if (holders.head.bytes != total || inherited_of(&holders) != inherited ||
	    region_figure("inherited_bytes") != inherited ||
	    region_figure("reserved_bytes") != reserved + VRAM - m->room) {
		snprintf(text, size,
			 "in all %llu bytes, %llu inherited, and not %llu, %llu; %llu reserved and not %llu",
			 holders.head.bytes, (unsigned long long)inherited_of(&holders), (unsigned long long)total,
			 (unsigned long long)inherited, (unsigned long long)region_figure("reserved_bytes"),
			 (unsigned long long)(reserved + VRAM - m->room));
		return text;
	}
	return NULL;
}

/* A page that goes may be held a moment longer by who looks at it. */
static void assert_equal(struct model *m, size_t step, const struct order *order)
{
	uint64_t until = now_ms() + 2000;
	const char *what;
	char text[256];

	what = compare(m, text, sizeof(text));
	m->n_settled += what != NULL;
	while (what && now_ms() < until) {
		sleep_ms(1);
		what = compare(m, text, sizeof(text));
	}
	ck_assert_msg(!what, "step %zu, %s: %s", step, op_names[order->op], what);
}

static enum op random_op(uint64_t *seed)
{
	static const struct {
		enum op op;
		unsigned int weight;
	} ops[] = { { OP_POPULATE, 40 }, { OP_TO_SYSTEM, 10 }, { OP_WRITE, 15 },  { OP_DONTNEED, 10 }, { OP_FORK, 8 },
		    { OP_EXIT, 4 },	 { OP_KILL, 3 },       { OP_RESERVE, 9 }, { OP_EVICT, 1 } };
	unsigned int x = test_random(seed) % 100, i;

	for (i = 0; x >= ops[i].weight; i++)
		x -= ops[i].weight;
	return ops[i].op;
}

/* One random step. False: it makes no sense now. */
static bool random_step(struct model *m, uint64_t *seed, struct order *order)
{
	struct process *p = &m->processes[test_random(seed) % N_WORKERS];
	unsigned int n_alive = 0;

	for (unsigned int i = 0; i < N_WORKERS; i++)
		n_alive += m->processes[i].pid != 0;
	*order = (struct order){
		.op = random_op(seed),
		.handle = test_random(seed) % N_HANDLES,
		.first = test_random(seed) % N_BLOCKS,
		.child = test_random(seed) % N_WORKERS,
	};
	order->n = 1 + test_random(seed) % (N_BLOCKS - order->first < 12 ? N_BLOCKS - order->first : 12);
	if (order->op == OP_EVICT) {
		ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, NAME, PATIENCE_MS), 0);
		ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, NAME, 0), 0);
		for (size_t i = 0; i < N_WORKERS * N_BLOCKS; i++)
			go_home(m, m->processes[i / N_BLOCKS].blocks[i % N_BLOCKS]);
		return true;
	}
	if (order->op == OP_RESERVE) {
		do_reserve(m, order->handle, test_random(seed) % 3 ? order->first / 2 * BLOCK : 0);
		return true;
	}
	if (!p->pid)
		return false;
	switch (order->op) {
	case OP_FORK:
		if (m->processes[order->child].pid)
			return false;
		do_fork(m, p, order->child, order);
		return true;
	case OP_EXIT:
	case OP_KILL:
		if (n_alive == 1)
			return false;
		if (order->op == OP_EXIT)
			tell(p, order);
		else
			ck_assert(!kill(p->pid, SIGKILL));
		end(m, p);
		return true;
	default:
		tell(p, order);
		model_order(m, p, order);
		return true;
	}
}

/* proves: the kernel's figures are a model's at every step of random work, forks, ends and evictions, and end at nothing */
START_TEST(as_the_model_has_it)
{
	size_t loops = test_loops(1200, 10000), n_ops[OP_EVICT + 1] = {};
	struct gpu *filler = region_open();
	uint64_t seed = test_seed();
	struct model m = { .room = 8 * MIB };
	pid_t pid;

	reserve(filler->devmem_fd, VRAM - m.room);
	m.area = map_memory(N_BLOCKS * BLOCK, false);
	for (unsigned int i = 0; i < N_HANDLES; i++)
		m.handles[i] = region_open();
	for (unsigned int i = 0; i < N_WORKERS; i++)
		ck_assert(!pipe(m.processes[i].orders) && !pipe(m.processes[i].answers));
	ck_assert(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	signal(SIGCHLD, SIG_IGN);
	pid = fork();
	if (!pid)
		worker_loop(&m, 0);
	begin(&m, &m.processes[0], pid);

	for (size_t step = 0; step < loops;) {
		struct order order;

		if (!random_step(&m, &seed, &order))
			continue;
		assert_equal(&m, step++, &order);
		n_ops[order.op]++;
	}
	for (unsigned int i = 0; i < N_WORKERS; i++) {
		if (!m.processes[i].pid)
			continue;
		ck_assert(!kill(m.processes[i].pid, SIGKILL));
		end(&m, &m.processes[i]);
	}
	for (unsigned int i = 0; i < N_HANDLES; i++)
		gpu_close(m.handles[i]);
	gpu_close(filler);
	wait_no_holders(NAME);
	ck_assert_uint_eq(region_figure("reserved_bytes"), 0);
	ck_assert_uint_eq(region_figure("inherited_bytes"), 0);
	ck_assert_uint_eq(region_figure("free_bytes"), VRAM);
	note("%zu steps equal, %zu after a moment: %zu populates, %zu forks, %zu ends, %zu evictions", loops,
	     m.n_settled, n_ops[OP_POPULATE], n_ops[OP_FORK], n_ops[OP_EXIT] + n_ops[OP_KILL], n_ops[OP_EVICT]);
}
END_TEST

/* proves: rows add up to the last byte while others place, free, fork and die as fast as they can */
START_TEST(sums_while_others_allocate)
{
	struct gpu *gpu = region_open();
	struct holders holders;
	uint64_t most = 0, end;
	pid_t pids[3];

	for (size_t i = 0; i < 3; i++) {
		pids[i] = fork_child();
		if (pids[i])
			continue;
		for (size_t j = 0;; j++) {
			struct drm_fabric_devmem_populate args;
			char *a = filled(SIZE, j % 2);
			pid_t pid;

			ck_assert_int_eq(gpu_try_populate(gpu, a, SIZE, 0, &args), 0);
			pid = fork();
			if (!pid)
				_exit(0);
			munmap(a, SIZE);
			waitpid(pid, NULL, 0);
		}
	}
	end = now_ms() + 60000;
	for (size_t i = 0; i < test_loops(500, 20000) || (!most && now_ms() < end); i++) {
		read_holders(NAME, &holders);
		if (holders.head.bytes > most)
			most = holders.head.bytes;
		if (i % 16 == 0)
			sleep_ms(10);
	}
	ck_assert_uint_gt(most, 0);
	for (size_t i = 0; i < 3; i++)
		kill_child(pids[i]);
	gpu_close(gpu);
}
END_TEST

/* proves: who has gone or runs another program has no row; what his children have is inherited, until they let go */
START_TEST(inherited)
{
	struct gpu *gpu = region_open();
	int ready[2], go[2], ask[2];
	struct holders holders;
	pid_t pid;

	ck_assert(!pipe(ready) && !pipe(go) && !pipe(ask));
	pid = fork_child();
	if (!pid) {
		char *a = filled(SIZE, _i);

		gpu_populate(gpu, a, SIZE);
		close(gpu->devmem_fd);
		if (!fork()) {
			prctl(PR_SET_PDEATHSIG, 0);
			hear(ask[0]);
			munmap(a, SIZE / 2);
			say(ready[1]);
			hear(ask[0]);
			_exit(0);
		}
		say(ready[1]);
		hear(go[0]);
		execlp("sleep", "sleep", "1000", NULL);
		_exit(1);
	}
	hear(ready[0]);
	read_holders(NAME, &holders);
	ck_assert_ptr_nonnull(holder_of_pid(&holders, pid));
	ck_assert_uint_eq(holder_of_pid(&holders, pid)->bytes, SIZE);
	ck_assert_uint_eq(holder_of_pid(&holders, pid)->uid, 0);
	ck_assert_uint_eq(holder_of_handle(&holders, gpu->devmem_id)->bytes, SIZE);
	ck_assert_int_eq(holder_of_handle(&holders, gpu->devmem_id)->pid, getpid());
	ck_assert_uint_eq(inherited_of(&holders), 0);
	say(go[1]);
	region_wait("inherited_bytes", SIZE);
	read_holders(NAME, &holders);
	ck_assert_ptr_null(holder_of_pid(&holders, pid));
	ck_assert_uint_eq(inherited_of(&holders), SIZE);
	ck_assert(!kill(pid, SIGKILL));
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	/* The handle is not needed for it, and is a row until the memory has gone. */
	close(gpu->devmem_fd);
	read_holders(NAME, &holders);
	ck_assert_uint_eq(holder_of_handle(&holders, gpu->devmem_id)->bytes, SIZE);
	ck_assert_uint_eq(holder_of_handle(&holders, gpu->devmem_id)->flags, 0);
	say(ask[1]);
	hear(ready[0]);
	ck_assert_uint_eq(region_figure("inherited_bytes"), SIZE / 2);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_EVICT, NAME, PATIENCE_MS), 0);
	ck_assert_uint_eq(region_figure("inherited_bytes"), 0);
	ck_assert_int_eq(gpu_admin(DRM_FABRIC_ADMIN_CANCEL, NAME, 0), 0);
	say(ask[1]);
	gpu->devmem_fd = -1;
	gpu_close(gpu);
}
END_TEST

static void become(unsigned int uid)
{
	ck_assert(!setgid(uid) && !setuid(uid));
	/* Else nobody of the same uid may look either. */
	ck_assert(!prctl(PR_SET_DUMPABLE, 1));
}

static void sees_all(const struct holders *h)
{
	ck_assert_uint_eq(h->head.n_hidden_handles + h->head.hidden_bytes + h->head.hidden_reserved_bytes, 0);
	ck_assert_uint_eq(h->head.n_holders, 2);
	ck_assert_uint_eq(h->head.bytes, SIZE);
	ck_assert_uint_eq(h->rows[0].reserved_bytes, 2 * SIZE);
	ck_assert_uint_eq(h->rows[1].bytes, SIZE);
}

static void sees_nothing(const struct holders *h)
{
	ck_assert_uint_eq(h->head.n_holders, 0);
	ck_assert_uint_eq(h->head.n_hidden_handles, 1);
	ck_assert_uint_eq(h->head.bytes, SIZE);
	ck_assert_uint_eq(h->head.hidden_bytes, SIZE);
	ck_assert_uint_eq(h->head.hidden_reserved_bytes, 2 * SIZE);
}

static void look(unsigned int uid, void (*expected)(const struct holders *h))
{
	pid_t pid = fork_child();

	if (!pid) {
		struct holders holders;

		if (uid)
			become(uid);
		read_holders(NAME, &holders);
		expected(&holders);
		_exit(0);
	}
	wait_child(pid);
}

/* proves: others' figures are for root and for who may read the process with ptrace(2); the rest sees sums */
START_TEST(who_may_know)
{
	struct gpu *gpu = gpu_open_name(NAME);
	int ready[2], go[2];
	pid_t pid;

	ck_assert(!pipe(ready) && !pipe(go));
	pid = fork_child();
	if (!pid) {
		struct holders holders;
		char *a;

		become(STRANGER);
		gpu_open_devmem(gpu);
		a = filled(SIZE, true);
		reserve(gpu->devmem_fd, 2 * SIZE);
		gpu_populate(gpu, a, SIZE);
		read_holders(NAME, &holders);
		sees_all(&holders);
		ck_assert_int_eq(holders.rows[0].pid, getpid());
		ck_assert_int_eq(holders.rows[1].pid, getpid());
		ck_assert_uint_eq(holders.rows[1].uid, STRANGER);
		say(ready[1]);
		hear(go[0]);
		ck_assert(!prctl(PR_SET_DUMPABLE, 0));
		/* Itself it may always see. */
		read_holders(NAME, &holders);
		sees_all(&holders);
		say(ready[1]);
		hear(go[0]);
		_exit(0);
	}
	hear(ready[0]);
	look(0, sees_all);
	look(STRANGER, sees_all);
	look(OTHER, sees_nothing);
	say(go[1]);
	hear(ready[0]);
	look(0, sees_all);
	look(STRANGER, sees_nothing);
	look(OTHER, sees_nothing);
	say(go[1]);
	wait_child(pid);
	gpu_close(gpu);
}
END_TEST

/* proves: numbers of processes and users are those of the caller's namespaces, and none where they are not there */
START_TEST(namespaces)
{
	struct gpu *gpu = region_open();
	char *a = filled(SIZE, false);
	pid_t pid;

	gpu_populate(gpu, a, SIZE);
	pid = fork_child();
	if (!pid) {
		ck_assert(!unshare(CLONE_NEWPID));
		pid = fork();
		if (!pid) {
			struct holders holders;

			/* Root, with a namespace of its own: all rows, and nobody of them is in here. */
			read_holders(NAME, &holders);
			ck_assert_uint_eq(holders.head.n_holders, 2);
			ck_assert_int_eq(holders.rows[0].pid, 0);
			ck_assert_int_eq(holders.rows[1].pid, 0);
			ck_assert_uint_eq(holders.rows[1].uid, 0);
			gpu_populate(gpu, filled(SIZE, false), SIZE);
			read_holders(NAME, &holders);
			ck_assert_uint_eq(holders.head.n_holders, 3);
			ck_assert_int_eq(holders.rows[2].pid, 1);
			/* Without a mapping root is nobody, and all its rights are for in here. */
			ck_assert(!unshare(CLONE_NEWUSER));
			read_holders(NAME, &holders);
			ck_assert_uint_eq(holders.head.n_holders, 1);
			ck_assert_uint_eq(holders.head.hidden_bytes, SIZE);
			ck_assert_int_eq(holders.rows[0].pid, 1);
			ck_assert_uint_eq(holders.rows[0].uid, STRANGER);
			_exit(0);
		}
		wait_child(pid);
		_exit(0);
	}
	wait_child(pid);
	munmap(a, SIZE);
	gpu_close(gpu);
}
END_TEST

/* proves: who has less room than there are rows is told how many, and nothing is written */
START_TEST(room)
{
	struct gpu *gpus[5];
	struct holders holders = { .rows[0].kind = 77 };
	int fd = open_fabric();

	for (size_t i = 0; i < 5; i++)
		gpus[i] = region_open();
	strcpy(holders.head.device, NAME);
	strcpy(holders.head.region, "vram0");
	holders.head.bytes = 5;
	for (uint32_t n = 0; n < 5; n++) {
		holders.head.n_holders = n;
		holders.head.holders = n ? (uintptr_t)holders.rows : 0;
		ck_assert(ioctl(fd, DRM_FABRIC_IOCTL_HOLDERS, &holders.head) && errno == ENOSPC);
		ck_assert_uint_eq(holders.head.n_holders, 5);
		ck_assert_uint_eq(holders.head.bytes, 5);
		ck_assert_uint_eq(holders.rows[0].kind, 77);
	}
	holders.head.holders = (uintptr_t)holders.rows;
	ck_assert(!ioctl(fd, DRM_FABRIC_IOCTL_HOLDERS, &holders.head));
	ck_assert_uint_eq(holders.head.bytes, 0);
	ck_assert_uint_eq(holders.rows[4].devmem_id, gpus[4]->devmem_id);
	strcpy(holders.head.region, "vram1");
	ck_assert(ioctl(fd, DRM_FABRIC_IOCTL_HOLDERS, &holders.head) && errno == ENOENT);
	strcpy(holders.head.device, "softgpu7");
	ck_assert(ioctl(fd, DRM_FABRIC_IOCTL_HOLDERS, &holders.head) && errno == ENODEV);
	for (size_t i = 0; i < 5; i++)
		gpu_close(gpus[i]);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("account");
	TCase *tcase = tcase_create("account");

	test_seed();
	gpu_load();
	tcase_set_timeout(tcase, test_loops(240, 3000));
	tcase_add_checked_fixture(tcase, setup, region_teardown);
	tcase_add_test(tcase, as_the_model_has_it);
	tcase_add_test(tcase, sums_while_others_allocate);
	tcase_add_loop_test(tcase, inherited, 0, 2);
	tcase_add_test(tcase, who_may_know);
	tcase_add_test(tcase, namespaces);
	tcase_add_test(tcase, room);
	suite_add_tcase(suite, tcase);
	return test_run(suite);
}

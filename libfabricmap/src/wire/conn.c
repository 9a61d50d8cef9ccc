// SPDX-License-Identifier: MIT
/*
 * Framing. The inside of wire_conn: a sliding input buffer, the fds that came with it, and the output queue.
 *
 * Which message do fds belong to? The kernel ends a recvmsg() with the piece of the stream that carried fds
 * (net/unix/af_unix.c, unix_stream_read_generic()) and hands them over with the first byte of it. So they belong to
 * the message that the last byte of that recvmsg() is part of, if senders keep the rule in wire.h.
 */
#include "wire/conn.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define READ_BYTES ((size_t)64 << 10)
#define IOV_BATCH 16

struct wire_fds {
	struct wire_fds *next;
	uint64_t offset; /* of a byte of their message */
	size_t n_fds; /* 0: refused */
	int fds[];
};

struct wire_out {
	struct wire_out *next;
	struct wire_buffer *buffer;
	size_t sent_bytes;
	size_t n_fds;
	int fds[];
};

struct wire_buffer *wire_buffer_new(const char *text, size_t length_bytes)
{
	struct wire_buffer *buffer;

	buffer = malloc(sizeof(*buffer) + length_bytes + 1);
	if (!buffer)
		return NULL;
	buffer->n_refs = 1;
	buffer->length_bytes = length_bytes + 1;
	memcpy(buffer->text, text, length_bytes);
	buffer->text[length_bytes] = '\0';
	return buffer;
}

struct wire_buffer *wire_buffer_ref(struct wire_buffer *buffer)
{
	buffer->n_refs++;
	return buffer;
}

struct wire_buffer *wire_buffer_unref(struct wire_buffer *buffer)
{
	if (buffer && --buffer->n_refs == 0)
		free(buffer);
	return NULL;
}

static void close_all(const int *fds, size_t n_fds)
{
	for (size_t i = 0; i < n_fds; i++)
		if (fds[i] >= 0)
			(void)close(fds[i]); /* nothing to be done about a failure */
}

void wire_conn_init(struct wire_conn *conn, int fd, const struct wire_limits *limits)
{
	assert(fd >= 0);
	*conn = (struct wire_conn){ .fd = fd, .limits = *limits };
	conn->fds_last = &conn->fds_first;
	conn->out_last = &conn->out_first;
}

static void out_drop_first(struct wire_conn *conn)
{
	struct wire_out *out = conn->out_first;

	conn->out_first = out->next;
	if (!conn->out_first)
		conn->out_last = &conn->out_first;
	conn->out_bytes -= out->buffer->length_bytes - out->sent_bytes;
	conn->out_fds -= out->n_fds;
	close_all(out->fds, out->n_fds);
	wire_buffer_unref(out->buffer);
	free(out);
}

static struct wire_fds *fds_pop(struct wire_conn *conn)
{
	struct wire_fds *first = conn->fds_first;

	conn->fds_first = first->next;
	if (!conn->fds_first)
		conn->fds_last = &conn->fds_first;
	return first;
}

void wire_conn_drop(struct wire_conn *conn)
{
	while (conn->out_first)
		out_drop_first(conn);
	while (conn->fds_first) {
		struct wire_fds *set = fds_pop(conn);

		close_all(set->fds, set->n_fds);
		free(set);
	}
	free(conn->in);
	conn->in = NULL;
	conn->in_size = conn->in_start = conn->in_end = conn->in_scanned = 0;
}

void wire_socket_close(int fd, void (*dispose)(const int *fds, size_t n_fds))
{
	int n_bytes;

	if (dispose) {
		/* From here on nothing comes in, so what is there now is all. Closing it closes the fds that are in it. */
		(void)shutdown(fd, SHUT_RDWR);
		if (ioctl(fd, FIONREAD, &n_bytes) < 0 || n_bytes > 0) {
			dispose(&fd, 1);
			return;
		}
	}
	(void)close(fd);
}

void wire_conn_fini(struct wire_conn *conn)
{
	wire_conn_drop(conn);
	if (conn->fd >= 0)
		wire_socket_close(conn->fd, conn->limits.dispose);
	conn->fd = -1;
}

/* Room for READ_BYTES more. The buffer never grows past one message of the longest kind plus one read. */
static int make_room(struct wire_conn *conn)
{
	size_t used = conn->in_end - conn->in_start, size;
	char *in;

	if (conn->in_size - conn->in_end >= READ_BYTES)
		return 0;
	if (conn->in_start) {
		memmove(conn->in, conn->in + conn->in_start, used);
		conn->in_offset += conn->in_start;
		conn->in_scanned -= conn->in_start;
		conn->in_start = 0;
		conn->in_end = used;
	}
	if (conn->in_size - conn->in_end >= READ_BYTES)
		return 0;
	size = conn->in_size ? conn->in_size * 2 : READ_BYTES;
	while (size - conn->in_end < READ_BYTES)
		size *= 2;
	in = realloc(conn->in, size);
	if (!in)
		return -ENOMEM;
	conn->in = in;
	conn->in_size = size;
	return 0;
}

/*
 * Remembers that the message whose last byte came just now has fds; n_fds is 0 if they were refused. One mark a
 * message is enough for that: else each byte of a message could cost its sender nothing and us an allocation.
 */
static int fds_keep(struct wire_conn *conn, const int *fds, size_t n_fds)
{
	struct wire_fds *set;

	if (n_fds == 0 && conn->fds_first) {
		char *from;

		set = (struct wire_fds *)((char *)conn->fds_last - offsetof(struct wire_fds, next));
		from = conn->in + (set->offset - conn->in_offset);
		if (!memchr(from, '\0', (size_t)(conn->in + conn->in_end - 1 - from))) {
			set->offset = conn->in_offset + conn->in_end - 1;
			return 0;
		}
	}
	set = malloc(sizeof(*set) + n_fds * sizeof(int));
	if (!set) {
		close_all(fds, n_fds);
		return -ENOMEM;
	}
	set->next = NULL;
	set->offset = conn->in_offset + conn->in_end - 1;
	set->n_fds = n_fds;
	if (n_fds)
		memcpy(set->fds, fds, n_fds * sizeof(int));
	*conn->fds_last = set;
	conn->fds_last = &set->next;
	return 0;
}

/* Return: whether there were any. */
static bool fds_dispose(struct wire_conn *conn, struct msghdr *message)
{
	bool found = false;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(message); cmsg; cmsg = CMSG_NXTHDR(message, cmsg)) {
		int fds[WIRE_FDS_MAX];
		size_t n_fds;

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		n_fds = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(cmsg), n_fds * sizeof(int));
		conn->limits.dispose(fds, n_fds);
		found = true;
	}
	return found;
}

/* Everything that came with one recvmsg(). */
static int fds_receive(struct wire_conn *conn, struct msghdr *message)
{
	struct cmsghdr *cmsg;
	int r = 0;

	if (!conn->limits.in_fds_max) {
		if (!fds_dispose(conn, message) && !(message->msg_flags & MSG_CTRUNC))
			return 0;
		conn->n_fds_refused++;
		return fds_keep(conn, NULL, 0);
	}
	for (cmsg = CMSG_FIRSTHDR(message); cmsg; cmsg = CMSG_NXTHDR(message, cmsg)) {
		int fds[WIRE_FDS_MAX];
		size_t n_fds;

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		n_fds = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(cmsg), n_fds * sizeof(int));
		if (r || n_fds > conn->limits.in_fds_max || message->msg_flags & MSG_CTRUNC) {
			close_all(fds, n_fds);
			conn->n_fds_refused++;
			r = -EBADMSG;
			continue;
		}
		r = fds_keep(conn, fds, n_fds);
	}
	/* Some are lost already: the limit of open files of this process, most likely. */
	if (message->msg_flags & MSG_CTRUNC)
		return -EBADMSG;
	return r;
}

int wire_conn_read(struct wire_conn *conn)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(WIRE_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov;
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t length;
	int r;

	r = make_room(conn);
	if (r < 0)
		return r;
	iov = (struct iovec){ .iov_base = conn->in + conn->in_end, .iov_len = READ_BYTES };
	if (conn->limits.in_fds_max || conn->limits.dispose) {
		message.msg_control = control.space;
		message.msg_controllen = sizeof(control.space);
	}
	do
		length = recvmsg(conn->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (length < 0 && errno == EINTR);
	if (length < 0)
		return -errno;
	if (length == 0)
		return 0;
	conn->in_end += (size_t)length;
	r = fds_receive(conn, &message);
	return r < 0 ? r : 1;
}

static int message_fds(struct wire_conn *conn, uint64_t end_offset, struct wire_message *message)
{
	while (conn->fds_first && conn->fds_first->offset < end_offset) {
		struct wire_fds *set = fds_pop(conn);
		size_t n_fds = message->n_fds + set->n_fds;
		int *fds;

		if (set->n_fds == 0) {
			message->fds_refused = true;
			free(set);
			continue;
		}
		fds = n_fds > conn->limits.in_fds_max ? NULL : realloc(message->fds, n_fds * sizeof(int));
		if (!fds) {
			close_all(set->fds, set->n_fds);
			close_all(message->fds, message->n_fds);
			free(message->fds);
			free(set);
			return n_fds > conn->limits.in_fds_max ? -EBADMSG : -ENOMEM;
		}
		memcpy(fds + message->n_fds, set->fds, set->n_fds * sizeof(int));
		message->fds = fds;
		message->n_fds = n_fds;
		free(set);
	}
	return 0;
}

int wire_conn_next(struct wire_conn *conn, struct wire_message *ret)
{
	struct wire_message message = { 0 };
	char *end;
	int r;

	if (conn->in_start == conn->in_end)
		return 0;
	end = memchr(conn->in + conn->in_scanned, '\0', conn->in_end - conn->in_scanned);
	if (!end) {
		conn->in_scanned = conn->in_end;
		return conn->in_end - conn->in_start > conn->limits.in_max_bytes ? -EMSGSIZE : 0;
	}
	message.text = conn->in + conn->in_start;
	message.length_bytes = (size_t)(end - message.text);
	if (message.length_bytes > conn->limits.in_max_bytes)
		return -EMSGSIZE;
	if (message.length_bytes == 0)
		return -EBADMSG;
	conn->in_start = conn->in_scanned = (size_t)(end + 1 - conn->in);
	r = message_fds(conn, conn->in_offset + conn->in_start, &message);
	if (r < 0)
		return r;
	*ret = message;
	return 1;
}

bool wire_conn_is_inside_message(const struct wire_conn *conn)
{
	return conn->in_start != conn->in_end;
}

int wire_conn_queue(struct wire_conn *conn, struct wire_buffer *buffer, const int *fds, size_t n_fds)
{
	struct wire_out *out;
	int r = -ENOMEM;

	if (n_fds > WIRE_FDS_MAX) {
		r = -E2BIG;
		goto close_fds;
	}
	if (buffer->length_bytes > conn->limits.out_max_bytes - conn->out_bytes) {
		r = -ENOBUFS;
		goto close_fds;
	}
	out = malloc(sizeof(*out) + n_fds * sizeof(int));
	if (!out)
		goto close_fds;
	*out = (struct wire_out){ .buffer = wire_buffer_ref(buffer), .n_fds = n_fds };
	if (n_fds)
		memcpy(out->fds, fds, n_fds * sizeof(int));
	*conn->out_last = out;
	conn->out_last = &out->next;
	conn->out_bytes += buffer->length_bytes;
	conn->out_fds += n_fds;
	return 0;

close_fds:
	close_all(fds, n_fds);
	return r;
}

/* One sendmsg(): the first message alone if it has fds to go, else as many without fds as fit the vector. */
static ssize_t send_some(struct wire_conn *conn)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(WIRE_FDS_MAX * sizeof(int))];
	} control = { 0 };
	struct iovec iov[IOV_BATCH];
	struct msghdr message = { .msg_iov = iov };
	struct wire_out *out = conn->out_first;
	ssize_t length;

	if (out->n_fds) {
		struct cmsghdr *cmsg = &control.align;

		message.msg_control = control.space;
		message.msg_controllen = CMSG_SPACE(out->n_fds * sizeof(int));
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(out->n_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), out->fds, out->n_fds * sizeof(int));
		iov[message.msg_iovlen++] = (struct iovec){ out->buffer->text, out->buffer->length_bytes };
	} else {
		for (; out && !out->n_fds && message.msg_iovlen < IOV_BATCH; out = out->next)
			iov[message.msg_iovlen++] = (struct iovec){
				.iov_base = out->buffer->text + out->sent_bytes,
				.iov_len = out->buffer->length_bytes - out->sent_bytes,
			};
	}
	do
		length = sendmsg(conn->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (length < 0 && errno == EINTR);
	return length < 0 ? -errno : length;
}

int wire_conn_flush(struct wire_conn *conn)
{
	while (conn->out_first) {
		ssize_t length = send_some(conn);
		size_t left;

		if (length == -EAGAIN)
			return 1;
		if (length < 0)
			return (int)length;
		conn->sent_bytes += (size_t)length;
		if (length > 0 && conn->out_first->n_fds) {
			/* They are the kernel's now, and must not go out again with the rest of the message. */
			close_all(conn->out_first->fds, conn->out_first->n_fds);
			conn->out_fds -= conn->out_first->n_fds;
			conn->out_first->n_fds = 0;
		}
		for (left = (size_t)length; left;) {
			struct wire_out *out = conn->out_first;
			size_t rest = out->buffer->length_bytes - out->sent_bytes;
			size_t taken = left < rest ? left : rest;

			out->sent_bytes += taken;
			conn->out_bytes -= taken;
			left -= taken;
			if (out->sent_bytes == out->buffer->length_bytes)
				out_drop_first(conn);
		}
	}
	return 0;
}

int wire_conn_unread_bytes(const struct wire_conn *conn)
{
	int n_bytes;

	return ioctl(conn->fd, SIOCOUTQ, &n_bytes) < 0 ? -errno : n_bytes;
}

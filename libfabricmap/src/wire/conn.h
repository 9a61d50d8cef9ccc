/* SPDX-License-Identifier: MIT */
/*
 * wire_conn - one end of a connection: NUL-framed messages in, a queue of messages out, file descriptors both ways.
 *
 * Embedded in its owner, who polls the socket. Works on blocking and non-blocking sockets alike: every call of the
 * kernel is made once per need with MSG_DONTWAIT, waiting is the owner's business.
 */
#ifndef FABRICMAP_WIRE_CONN_H
#define FABRICMAP_WIRE_CONN_H

#include "wire/wire.h"

/* Text of one message with its NUL. Counted, so that one text can be in the queues of many connections. */
struct wire_buffer {
	unsigned int n_refs;
	size_t length_bytes;
	char text[];
};

struct wire_buffer *wire_buffer_new(const char *text, size_t length_bytes);
struct wire_buffer *wire_buffer_ref(struct wire_buffer *buffer);
struct wire_buffer *wire_buffer_unref(struct wire_buffer *buffer);

struct wire_out;
struct wire_fds;

struct wire_limits {
	size_t in_max_bytes; /* longest message taken in */
	size_t out_max_bytes; /* unsent bytes before wire_conn_queue() says -ENOBUFS */
	/* fds taken in with one message. With 0 a message that comes with some is marked, and nobody sees them. */
	size_t in_fds_max;
	/*
	 * Takes over fds that nobody asked for, and the socket itself if something unread is in it that may hold some.
	 * Their last close() may block for as long as their sender likes (a TCP socket that lingers), and the kernel
	 * does it in the thread that reads them without room for them, too. NULL: the kernel may, in this thread.
	 */
	void (*dispose)(const int *fds, size_t n_fds);
};

struct wire_conn {
	int fd;
	struct wire_limits limits;
	char *in;
	size_t in_size, in_start, in_end, in_scanned;
	uint64_t in_offset; /* stream offset of in[0] */
	struct wire_fds *fds_first, **fds_last;
	uint64_t n_fds_refused; /* messages that came with fds nobody asked for */
	struct wire_out *out_first, **out_last;
	size_t out_bytes; /* unsent */
	uint64_t sent_bytes; /* ever */
	size_t out_fds; /* in the queue, unsent */
};

/* A message as it came. @text has its NUL, and is valid until the next wire_conn_ call that reads. */
struct wire_message {
	const char *text;
	size_t length_bytes; /* without the NUL */
	bool fds_refused;
	int *fds; /* the receiver's: close and free */
	size_t n_fds;
};

/* Takes over @fd. */
void wire_conn_init(struct wire_conn *conn, int fd, const struct wire_limits *limits);

/* Closes the socket and every fd that it holds. Does nothing the second time. */
void wire_conn_fini(struct wire_conn *conn);

/* Closes a socket; @dispose as in wire_limits. */
void wire_socket_close(int fd, void (*dispose)(const int *fds, size_t n_fds));

/* Forgets all that came and was not taken, and all that is queued. The socket stays. */
void wire_conn_drop(struct wire_conn *conn);

/**
 * wire_conn_read() - take in what there is, at most 64 KiB
 *
 * Return: 1 something came, 0 the peer has ended its stream, -EAGAIN nothing there, -EMSGSIZE the message that is
 * coming is too long, -EBADMSG fds came that could not be kept together with their message, or errors of recvmsg().
 */
int wire_conn_read(struct wire_conn *conn);

/**
 * wire_conn_next() - the next whole message
 *
 * Return: 1, 0 none yet, -EMSGSIZE, -EBADMSG an empty one.
 */
int wire_conn_next(struct wire_conn *conn, struct wire_message *ret);

/* Something of an unfinished message is there. */
bool wire_conn_is_inside_message(const struct wire_conn *conn);

/**
 * wire_conn_queue() - put a message in the queue
 * @fds: taken over (closed once sent, or on failure); the array itself stays the caller's
 *
 * Return: 0, -ENOBUFS over the limit, -E2BIG more than WIRE_FDS_MAX, -ENOMEM.
 */
int wire_conn_queue(struct wire_conn *conn, struct wire_buffer *buffer, const int *fds, size_t n_fds);

/**
 * wire_conn_flush() - send what the socket takes
 *
 * Return: 0 all is sent, 1 there is more, or a negative errno of sendmsg(): give the connection up.
 */
int wire_conn_flush(struct wire_conn *conn);

/* Bytes that were sent and that the peer has not read yet. */
int wire_conn_unread_bytes(const struct wire_conn *conn);

#endif

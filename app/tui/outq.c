/* outq - what the terminal has not taken yet. */
#include "app/tui/outq.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"

/* Its own opening, since O_NONBLOCK on the shell's would outlive us. */
void outq_open(struct outq *q, int fd)
{
	const char *name = fd >= 0 && isatty(fd) ? ttyname(fd) : NULL;

	*q = (struct outq){ .fd = -1 };
	if (name)
		q->fd = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	q->own = q->fd >= 0;
	if (!q->own)
		q->fd = fd;
}

void outq_close(struct outq *q)
{
	if (q->own)
		close(q->fd);
	xfree(q->pending);
}

static void room_for(struct outq *q, size_t n)
{
	if (q->n + n <= q->cap)
		return;
	q->cap = (q->n + n) * 2;
	q->pending = xrealloc(q->pending, q->cap);
}

void outq_put(struct outq *q, const char *s, size_t n)
{
	room_for(q, n);
	memcpy(q->pending + q->n, s, n);
	q->n += n;
}

void outq_str(struct outq *q, const char *s)
{
	if (s)
		outq_put(q, s, strlen(s));
}

void outq_take(struct outq *q, int file)
{
	off_t n = lseek(file, 0, SEEK_END);

	if (n <= 0)
		return;
	room_for(q, (size_t)n);
	for (off_t at = 0; at < n;) {
		ssize_t k = pread(file, q->pending + q->n, (size_t)(n - at), at);

		if (k <= 0)
			break;
		at += k;
		q->n += (size_t)k;
	}
	if (ftruncate(file, 0) == 0)
		lseek(file, 0, SEEK_SET);
}

bool outq_flush(struct outq *q)
{
	size_t at = 0;

	if (q->fd < 0) {
		q->bytes += q->n;
		q->n = 0;
		return true;
	}
	while (at < q->n) {
		ssize_t k = write(q->fd, q->pending + at, q->n - at);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0 && errno != EAGAIN)
			at = q->n; /* the terminal is gone: reading will tell */
		if (k <= 0)
			break;
		at += (size_t)k;
		q->bytes += (unsigned long)k;
	}
	if (at)
		memmove(q->pending, q->pending + at, q->n - at);
	q->n -= at;
	return !q->n;
}

void outq_drain(struct outq *q)
{
	for (int tries = 0; !outq_flush(q) && tries < 20; tries++) {
		struct pollfd p = { .fd = q->fd, .events = POLLOUT };

		poll(&p, 1, 50);
	}
}

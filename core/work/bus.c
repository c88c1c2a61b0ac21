/* bus.c - queues of events, one a subscriber.
 *
 * Locks: bus.mu guards the list of subscribers; each sub.mu its own queue and is taken
 * under bus.mu while publishing (order: bus.mu, sub.mu).  Both are leaves otherwise. */
#include "core/work/bus.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/alloc.h"

struct node {
	struct node *next, *prev;
	struct event ev;
};

struct sub {
	struct sub *next;
	uint64_t kinds;
	int fd;
	pthread_mutex_t mu;
	struct node *head, *tail;
};

struct bus {
	pthread_mutex_t mu;
	struct sub *subs;
	struct event last[EV_KINDS]; /* states; kind EV_NONE: none yet */
};

static bool is_state(enum ev_kind k)
{
	enum { STATE = 1, EDGE = 0 };
	static const bool state[EV_KINDS] = { false,
#define X(name, class) class,
		EV_LIST(X)
#undef X
	};

	return state[k];
}

struct snap *snap_ref(struct snap *s)
{
	if (s)
		atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void snap_unref(struct snap *s)
{
	if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
		s->free(s);
}

struct bus *bus_new(void)
{
	struct bus *b = xalloc(sizeof *b);

	pthread_mutex_init(&b->mu, NULL);
	return b;
}

static void sub_free(struct sub *s)
{
	for (struct node *n = s->head, *next; n; n = next) {
		next = n->next;
		snap_unref(n->ev.snap);
		xfree(n);
	}
	pthread_mutex_destroy(&s->mu);
	close(s->fd);
	xfree(s);
}

void bus_free(struct bus *b)
{
	if (!b)
		return;
	for (struct sub *s = b->subs, *next; s; s = next) {
		next = s->next;
		sub_free(s);
	}
	for (int i = 0; i < EV_KINDS; i++)
		snap_unref(b->last[i].snap);
	pthread_mutex_destroy(&b->mu);
	xfree(b);
}

static void unlink_node(struct sub *s, struct node *n)
{
	*(n->prev ? &n->prev->next : &s->head) = n->next;
	*(n->next ? &n->next->prev : &s->tail) = n->prev;
}

static void append_node(struct sub *s, struct node *n)
{
	n->next = NULL;
	n->prev = s->tail;
	*(s->tail ? &s->tail->next : &s->head) = n;
	s->tail = n;
}

/* Caller holds s->mu.  A state event takes the place of its unread predecessor at the end
 * of the queue, so that what is read never runs ahead of an edge published before it. */
static void enqueue(struct sub *s, const struct event *ev)
{
	struct node *n = NULL;

	if (is_state(ev->kind))
		for (n = s->tail; n; n = n->prev)
			if (n->ev.kind == ev->kind && n->ev.key == ev->key)
				break;
	if (n) {
		unlink_node(s, n);
		snap_unref(n->ev.snap);
	} else {
		n = xalloc(sizeof *n);
	}
	n->ev = *ev;
	snap_ref(ev->snap);
	append_node(s, n);
}

static struct sub *subscribe(struct bus *b, uint64_t kinds, bool late)
{
	struct sub *s = xalloc(sizeof *s);
	uint64_t one = 1;

	s->kinds = kinds;
	s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&s->mu, NULL);
	pthread_mutex_lock(&b->mu);
	for (int i = 0; late && i < EV_KINDS; i++)
		if (b->last[i].kind != EV_NONE && kinds >> i & 1)
			enqueue(s, &b->last[i]);
	if (s->head && write(s->fd, &one, sizeof one) < 0) {
		/* cannot be full */
	}
	s->next = b->subs;
	b->subs = s;
	pthread_mutex_unlock(&b->mu);
	return s;
}

struct sub *bus_subscribe(struct bus *b, uint64_t kinds)
{
	return subscribe(b, kinds, false);
}

struct sub *bus_subscribe_late(struct bus *b, uint64_t kinds)
{
	return subscribe(b, kinds, true);
}

void bus_unsubscribe(struct bus *b, struct sub *s)
{
	pthread_mutex_lock(&b->mu);
	for (struct sub **at = &b->subs; *at; at = &(*at)->next)
		if (*at == s) {
			*at = s->next;
			break;
		}
	pthread_mutex_unlock(&b->mu);
	sub_free(s);
}

/* Caller holds b->mu. */
static void remember(struct bus *b, const struct event *ev)
{
	if (!is_state(ev->kind) || ev->kind == EV_JOB_PROGRESS)
		return;
	snap_ref(ev->snap);
	snap_unref(b->last[ev->kind].snap);
	b->last[ev->kind] = *ev;
}

void bus_publish(struct bus *b, struct event ev)
{
	uint64_t one = 1;

	pthread_mutex_lock(&b->mu);
	remember(b, &ev);
	for (struct sub *s = b->subs; s; s = s->next) {
		if (!(s->kinds >> ev.kind & 1))
			continue;
		pthread_mutex_lock(&s->mu);
		enqueue(s, &ev);
		pthread_mutex_unlock(&s->mu);
		if (write(s->fd, &one, sizeof one) < 0) {
			/* the counter is full: the reader is already due to wake */
		}
	}
	pthread_mutex_unlock(&b->mu);
	snap_unref(ev.snap);
}

int sub_fd(const struct sub *s)
{
	return s->fd;
}

bool sub_next(struct sub *s, struct event *ev)
{
	struct node *n;
	uint64_t count;

	pthread_mutex_lock(&s->mu);
	n = s->head;
	if (n) {
		unlink_node(s, n);
		*ev = n->ev;
	} else if (read(s->fd, &count, sizeof count) < 0) {
		/* nothing to clear */
	}
	pthread_mutex_unlock(&s->mu);
	xfree(n);
	return n != NULL;
}

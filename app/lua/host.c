/* host.c - one call at a time from a script's thread to the session's. */
#include "app/lua/host.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/alloc.h"

struct call {
	host_fn *fn;
	void *arg;
	struct err *e;
	uint32_t job;
	enum st st;
	enum { WAITS, RUNS, DONE } state;
};

struct host {
	struct session *session;
	struct bus *bus;
	struct host_face face;
	host_command_fn *command, *allowed;
	void *command_arg;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct call *call; /* the script's, on its stack; NULL: none */
	bool closed;
	int fd;
};

struct host *host_new(struct session *s, struct bus *b, const struct host_face *face)
{
	struct host *h = xalloc(sizeof *h);

	*h = (struct host){ .session = s, .bus = b, .face = *face };
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->changed, NULL);
	h->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return h;
}

void host_free(struct host *h)
{
	if (!h)
		return;
	close(h->fd);
	pthread_cond_destroy(&h->changed);
	pthread_mutex_destroy(&h->lock);
	xfree(h);
}

void host_set_command(struct host *h, host_command_fn *fn, void *arg)
{
	h->command = fn;
	h->command_arg = arg;
}

enum st host_command(struct host *h, const char *line, struct err *e)
{
	if (h->command)
		return h->command(h->command_arg, line, e);
	return err_set(e, ST_UNSUPPORTED, "there is no command line here");
}

void host_set_allowed(struct host *h, host_command_fn *fn)
{
	h->allowed = fn;
}

enum st host_allowed(struct host *h, const char *line, struct err *e)
{
	if (h->allowed)
		return h->allowed(h->command_arg, line, e);
	return err_set(e, ST_UNSUPPORTED, "there is no command line here");
}

int host_fd(const struct host *h)
{
	return h->fd;
}

const struct host_face *host_face(const struct host *h)
{
	return &h->face;
}

struct bus *host_bus(struct host *h)
{
	return h->bus;
}

void host_wake(struct host *h)
{
	pthread_mutex_lock(&h->lock);
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
}

void host_close(struct host *h)
{
	pthread_mutex_lock(&h->lock);
	h->closed = true;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
}

static void run(struct host *h, struct call *c)
{
	struct jobs *q = session_jobs(h->session);
	uint32_t before = q ? jobs_last(q) : 0, after;

	c->st = c->fn(h->session, c->arg, c->e);
	after = q ? jobs_last(q) : 0;
	c->job = after != before ? after : 0;
}

void host_serve(struct host *h)
{
	struct call *c;
	uint64_t n;

	if (read(h->fd, &n, sizeof n) < 0) {
		/* nothing was signalled; a call may wait all the same */
	}
	pthread_mutex_lock(&h->lock);
	c = h->call;
	if (c && c->state == WAITS) {
		c->state = RUNS;
		pthread_mutex_unlock(&h->lock);
		run(h, c);
		pthread_mutex_lock(&h->lock);
		c->state = DONE;
		pthread_cond_broadcast(&h->changed);
	}
	pthread_mutex_unlock(&h->lock);
}

static enum st submit(struct host *h, const struct token *stop, struct call *c)
{
	uint64_t one = 1;
	enum st st = ST_OK;

	pthread_mutex_lock(&h->lock);
	h->call = c;
	if (write(h->fd, &one, sizeof one) < 0) {
		/* full: it is readable already */
	}
	while (c->state == RUNS || (c->state == WAITS && !h->closed && !token_stopped(stop)))
		pthread_cond_wait(&h->changed, &h->lock);
	h->call = NULL;
	if (c->state == DONE)
		st = c->st;
	else if (h->closed)
		st = err_set(c->e, ST_CANCELLED, "the session has ended");
	else
		st = err_set(c->e, ST_CANCELLED, "stopped");
	pthread_mutex_unlock(&h->lock);
	return st;
}

enum st host_call(struct host *h, const struct token *stop, host_fn *fn, void *arg, uint32_t *job,
	struct err *e)
{
	struct call c = { .fn = fn, .arg = arg, .e = e };
	enum st st = submit(h, stop, &c);

	if (job)
		*job = c.job;
	return st;
}

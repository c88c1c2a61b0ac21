/* runs_io.c - one thread that reads and changes run folders. */
#include "core/work/runs_io.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/work/snap.h"

enum { SETTLE_MS = 60, LIVE_MS = 1000, BLIND_MS = 2000, WATCHES = 64 };
static const uint32_t folder_changes = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;

struct asked {
	enum runs_ask what;
	char *id, *text;
	struct asked *next;
};

struct runs_io {
	struct bus *bus;
	char *dir;
	pthread_t thread;
	int wake;
	pthread_mutex_t mu; /* over these four */
	struct asked *first, *last;
	size_t waiting; /* asked for and not done; 1 more until the first index is out */
	bool quit;

	/* the thread's own */
	int notify;         /* inotify; -1: refused */
	int watch[WATCHES]; /* of the folder, then of runs that are being written */
	size_t n_watches;
	struct runs now;
	struct err err;
	bool known; /* now was published */
	char *trashed;
};

static void say(struct runs_io *io, enum log_level level, const char *text)
{
	bus_publish(io->bus,
		(struct event){
			.kind = EV_NOTICE, .n = level, .snap = &snap_text_new(text)->snap });
}

static void free_snap(struct snap *s)
{
	struct snap_runs *r = (struct snap_runs *)s;

	runs_release(&r->all);
	xfree(r->dir);
	xfree(r->trashed);
	xfree(r);
}

static void publish(struct runs_io *io, double seconds)
{
	struct snap_runs *s = xalloc(sizeof *s);

	atomic_init(&s->snap.refs, 1);
	s->snap.free = free_snap;
	s->all = runs_copy(&io->now);
	s->dir = xstrdup(io->dir);
	s->trashed = io->trashed ? xstrdup(io->trashed) : NULL;
	s->err = io->err;
	s->seconds = seconds;
	bus_publish(io->bus, (struct event){ .kind = EV_RUNS, .snap = &s->snap });
}

/* ---- looking */

/* The folder itself and those of runs that are being written: when they end, a file comes. */
static void watch_anew(struct runs_io *io)
{
	for (size_t i = 0; i < io->n_watches; i++)
		inotify_rm_watch(io->notify, io->watch[i]);
	io->n_watches = 0;
	if (io->notify < 0)
		return;
	io->watch[0] = inotify_add_watch(io->notify, io->dir, folder_changes | IN_ONLYDIR);
	io->n_watches = io->watch[0] >= 0;
	for (size_t i = 0; i < io->now.n && io->n_watches < WATCHES; i++) {
		int w;

		if (strcmp(io->now.at[i].status, "running") != 0)
			continue;
		w = inotify_add_watch(io->notify, io->now.at[i].path, folder_changes | IN_ONLYDIR);
		if (w >= 0)
			io->watch[io->n_watches++] = w;
	}
}

static void look(struct runs_io *io, bool tell)
{
	double from = clock_now();
	struct err e = { 0 }, before = io->err;
	bool changed;

	if (runs_update(&io->now, io->dir, &changed, &e))
		io->err = e;
	else
		io->err = (struct err){ 0 };
	changed |= io->err.st != before.st;
	if (!changed && !tell && io->known)
		return;
	watch_anew(io);
	publish(io, clock_now() - from);
	if (!io->known) {
		io->known = true;
		pthread_mutex_lock(&io->mu);
		io->waiting--;
		pthread_mutex_unlock(&io->mu);
	}
}

static bool any_running(const struct runs_io *io)
{
	for (size_t i = 0; i < io->now.n; i++)
		if (!strcmp(io->now.at[i].status, "running"))
			return true;
	return false;
}

/* Until something is to be done; true: something may have changed. */
static bool wait_for(struct runs_io *io)
{
	struct pollfd fds[] = { { .fd = io->wake, .events = POLLIN },
		{ .fd = io->n_watches ? io->notify : -1, .events = POLLIN } };
	int ms = fds[1].fd < 0 ? BLIND_MS : any_running(io) ? LIVE_MS : -1;
	char buf[4096];
	uint64_t n;

	poll(fds, 2, ms);
	if (fds[1].revents) { /* a run is made of several files: all of them at once */
		poll(NULL, 0, SETTLE_MS);
		while (read(io->notify, buf, sizeof buf) > 0)
			;
	}
	if (fds[0].revents && read(io->wake, &n, sizeof n) < 0) {
		/* somebody else's wake: none waits */
	}
	return true;
}

/* ---- doing */

static enum st tag(const struct run_entry *r, const char *text, struct err *e)
{
	char *words = xstrdup(text), *save;
	enum st st = ST_OK;

	for (char *w = strtok_r(words, " ", &save); w && !st; w = strtok_r(NULL, " ", &save)) {
		bool less = !strncmp(w, "no-", 3);
		char *one = less ? xprintf("-%s", w + 3) : xstrdup(w);

		st = run_tag(r, one, e);
		xfree(one);
	}
	xfree(words);
	return st;
}

static enum st throw_away(struct runs_io *io, const struct run_entry *r, struct err *e)
{
	char *to = NULL, *text;
	enum st st = run_trash(r, &to, e);

	if (st)
		return st;
	xfree(io->trashed);
	io->trashed = to;
	text = xprintf("%s is in the trash (u: back)", r->id);
	say(io, LOG_INFO, text);
	xfree(text);
	return ST_OK;
}

static enum st bring_back(struct runs_io *io, const char *from, struct err *e)
{
	char *id = NULL, *text;
	enum st st;

	if (!*from && !io->trashed)
		return err_set(e, ST_INVALID,
			"restore: nothing was thrown away in this sitting (ls %s/.trash)", io->dir);
	st = run_restore(io->dir, *from ? from : io->trashed, &id, e);
	if (st)
		return st;
	xfree(io->trashed);
	io->trashed = NULL;
	text = xprintf("%s is back", id);
	say(io, LOG_INFO, text);
	xfree(text);
	xfree(id);
	return ST_OK;
}

static void act(struct runs_io *io, const struct asked *a)
{
	struct err e = { 0 };
	const struct run_entry *r = NULL;
	enum st st = ST_OK;

	if (a->what == RUNS_TAG || a->what == RUNS_NOTE || a->what == RUNS_TRASH) {
		r = runs_find(&io->now, a->id, &e);
		st = r ? ST_OK : e.st;
	}
	if (r && a->what == RUNS_TAG)
		st = tag(r, a->text, &e);
	else if (r && a->what == RUNS_NOTE)
		st = run_set_notes(r, a->text, &e);
	else if (r && a->what == RUNS_TRASH)
		st = throw_away(io, r, &e);
	else if (a->what == RUNS_RESTORE)
		st = bring_back(io, a->id, &e);
	if (st)
		say(io, LOG_ERROR, e.msg);
}

/* All that waits; true: there was something. */
static bool act_all(struct runs_io *io, bool *quit)
{
	bool any = false;

	for (;;) {
		struct asked *a;

		pthread_mutex_lock(&io->mu);
		a = io->first;
		if (a && !(io->first = a->next))
			io->last = NULL;
		*quit = io->quit;
		pthread_mutex_unlock(&io->mu);
		if (!a)
			return any;
		act(io, a);
		look(io, true); /* the next may be about what this one changed */
		pthread_mutex_lock(&io->mu);
		io->waiting--;
		pthread_mutex_unlock(&io->mu);
		xfree(a->id);
		xfree(a->text);
		xfree(a);
		any = true;
	}
}

static void *run(void *arg)
{
	struct runs_io *io = arg;
	bool quit = false;

	look(io, true);
	while (act_all(io, &quit), !quit)
		if (wait_for(io))
			look(io, false);
	return NULL;
}

/* ---- the other threads' side */

struct runs_io *runs_io_new(struct bus *b)
{
	struct runs_io *io = xalloc(sizeof *io);

	io->bus = b;
	io->dir = runs_dir();
	io->waiting = 1;
	pthread_mutex_init(&io->mu, NULL);
	io->notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	io->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (pthread_create(&io->thread, NULL, run, io)) {
		close(io->notify);
		close(io->wake);
		xfree(io->dir);
		xfree(io);
		return NULL;
	}
	return io;
}

static void wake(struct runs_io *io)
{
	uint64_t one = 1;

	if (write(io->wake, &one, sizeof one) < 0) {
		/* the counter is full: it is due to wake */
	}
}

void runs_io_free(struct runs_io *io)
{
	if (!io)
		return;
	pthread_mutex_lock(&io->mu);
	io->quit = true;
	pthread_mutex_unlock(&io->mu);
	wake(io);
	pthread_join(io->thread, NULL);
	close(io->wake);
	if (io->notify >= 0)
		close(io->notify);
	runs_release(&io->now);
	pthread_mutex_destroy(&io->mu);
	xfree(io->trashed);
	xfree(io->dir);
	xfree(io);
}

void runs_io_do(struct runs_io *io, enum runs_ask what, const char *id, const char *text)
{
	struct asked *a = xalloc(sizeof *a);

	*a = (struct asked){ what, xstrdup(id ? id : ""), xstrdup(text ? text : ""), NULL };
	pthread_mutex_lock(&io->mu);
	if (io->last)
		io->last->next = a;
	else
		io->first = a;
	io->last = a;
	io->waiting++;
	pthread_mutex_unlock(&io->mu);
	wake(io);
}

bool runs_io_busy(struct runs_io *io)
{
	bool busy;

	pthread_mutex_lock(&io->mu);
	busy = io->waiting > 0;
	pthread_mutex_unlock(&io->mu);
	return busy;
}

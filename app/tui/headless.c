/* headless - the same commands and frames, from a file of keys.
 *
 * A line is a key's name (or several), a `:command`, `wait idle`, `wait MS`, `dump FILE`,
 * `size WxH`, `type TEXT`, `paste TEXT`; # begins a comment line. */
#include "app/tui/headless.h"

#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "app/tui/commands.h"
#include "app/tui/keys.h"
#include "app/tui/scripting.h"
#include "app/tui/term.h"
#include "app/tui/tour.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/text.h"

enum { IDLE_LIMIT_S = 600, FRAME_MS = 33 };

struct play {
	struct tui *t;
	struct term *term; /* counts bytes when statistics are wanted; or NULL */
	int signal_fd, killed;
	double last_frame;
};

static void frame(struct play *s)
{
	struct tui *t = s->t;
	double from = clock_now(), took;

	t->now = from;
	compose(t);
	if (s->term) {
		term_show(s->term, t->screen, &t->theme, opt_on(&t->opt, OPT_ASCII));
		term_flush(s->term);
		t->stats.bytes = term_bytes(s->term);
	}
	took = (clock_now() - from) * 1000;
	tui_frame_took(t, took);
	t->dirty = false;
	s->last_frame = clock_now();
}

int headless_signal(int signal_fd)
{
	struct signalfd_siginfo info;

	if (read(signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
		return 0;
	if (info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM || info.ssi_signo == SIGHUP)
		return 128 + (int)info.ssi_signo;
	return 0;
}

/* Delivers events for at most ms, or until nothing runs; frames as the loop would. */
static bool pump(struct play *s, double ms, bool until_idle)
{
	struct tui *t = s->t;
	double until = clock_now() + ms / 1000;

	for (;;) {
		struct pollfd fds[3 + SCRIPTING_FDS] = { { .fd = s->signal_fd, .events = POLLIN },
			{ .fd = sub_fd(t->sub), .events = POLLIN },
			{ .fd = -1, .events = POLLIN } };
		bool more;
		double now;

		scripting_tell(t); /* first: idle is when what it told has arrived, too */
		more = tui_deliver(t, 2);
		now = t->now = clock_now();
		if (t->dirty && now - s->last_frame >= FRAME_MS / 1000.0)
			frame(s);
		if (s->killed || t->quit || (until_idle && !more && tui_idle(t)))
			return true;
		if (now >= until)
			return false;
		if (session_jobs(t->s))
			fds[2].fd = jobs_fd(session_jobs(t->s));
		scripting_fds(t->scripting, fds + 3);
		poll(fds, 3 + SCRIPTING_FDS, more ? 0 : (int)fmin(FRAME_MS, (until - now) * 1000 + 1));
		if (fds[0].revents && !s->killed) /* another may follow, such as CONT */
			s->killed = headless_signal(s->signal_fd);
	}
}

static enum st dump(struct tui *t, const char *path, struct err *e)
{
	size_t n = strlen(path);
	bool ascii = opt_on(&t->opt, OPT_ASCII);
	char *text = n > 5 && !strcmp(path + n - 5, ".ansi")
			     ? surface_dump_ansi(t->screen, ascii, &t->theme)
			     : surface_dump(t->screen, ascii);
	enum st st;

	if (!strcmp(path, "-")) {
		fputs(text, stdout);
		st = ST_OK;
	} else {
		st = fs_write_all(path, text, strlen(text), e);
	}
	xfree(text);
	return st;
}

static void key(struct play *s, uint32_t k)
{
	double from = clock_now();

	tui_key(s->t, k);
	tui_deliver(s->t, 2);
	frame(s);
	tui_key_shown(s->t, (clock_now() - from) * 1000);
	if (s->t->want_suspend) /* there is no shell to go to */
		s->t->want_suspend = false;
}

static enum st type(struct play *s, const char *text, struct err *e)
{
	uint32_t k;

	(void)e;
	for (size_t at = 0, n = strlen(text); at < n;) {
		at += utf8_decode(text + at, n - at, &k);
		key(s, k);
	}
	return ST_OK;
}

static enum st keys(struct play *s, char *line, struct err *e)
{
	uint32_t k;

	for (char *save, *name = strtok_r(line, " ", &save); name && !s->t->quit;
		name = strtok_r(NULL, " ", &save)) {
		if (!key_parse(name, strlen(name), &k))
			return err_set(e, ST_INVALID, "there is no key \"%s\"", name);
		key(s, k);
	}
	return ST_OK;
}

static enum st wait_for(struct play *s, const char *what, struct err *e)
{
	char *end;
	double ms;

	if (!strcmp(what, "idle")) {
		if (!pump(s, IDLE_LIMIT_S * 1000.0, true))
			return err_set(e, ST_IO, "not idle after %d s", IDLE_LIMIT_S);
		return ST_OK;
	}
	ms = strtod(what, &end);
	if (*end || end == what || !(ms >= 0))
		return err_set(
			e, ST_INVALID, "wait: expected idle or milliseconds, got \"%s\"", what);
	pump(s, ms, false);
	return ST_OK;
}

static enum st line(struct play *s, char *l, struct err *e)
{
	struct tui *t = s->t;
	int w, h, end = 0;

	if (!*l || (*l == '#' && l[1]))
		return ST_OK;
	if (*l == ':' && l[1]) {
		command_run(t, l + 1);
		tui_deliver(t, 2);
		return ST_OK;
	}
	if (!strncmp(l, "wait ", 5))
		return wait_for(s, l + 5, e);
	if (!strncmp(l, "type ", 5))
		return type(s, l + 5, e);
	if (!strncmp(l, "paste ", 6)) {
		tui_paste(t, l + 6, strlen(l + 6));
		return ST_OK;
	}
	if (!strncmp(l, "dump ", 5)) {
		frame(s);
		return dump(t, l + 5, e);
	}
	if (!strncmp(l, "size ", 5)) {
		if (sscanf(l + 5, "%dx%d%n", &w, &h, &end) != 2 || l[5 + end] || w < 1 || h < 1 ||
			w > 1000 || h > 1000)
			return err_set(e, ST_INVALID, "size: expected WxH, got \"%s\"", l + 5);
		tui_resize(t, w, h);
		return ST_OK;
	}
	return keys(s, l, e);
}

static enum st play_file(struct play *s, const char *path, struct err *e)
{
	char *text, *at;
	size_t n;
	int number = 0;
	enum st st = fs_read(path, 1 << 20, &text, &n, e);

	if (st)
		return st;
	for (at = text; *at && !st && !s->t->quit && !s->killed;) {
		size_t len = strcspn(at, "\n");
		bool more = at[len];

		at[len] = 0;
		number++;
		tui_deliver(s->t, 2);
		st = line(s, at, e);
		at += len + more;
	}
	big_free(text);
	return st ? err_at(e, st, "%s:%d", path, number) : ST_OK;
}

/* By itself, without the pauses that are for eyes. */
static void play_tour(struct play *s)
{
	struct tui *t = s->t;

	tour_begin(t, true);
	frame(s);
	while (!t->quit && !s->killed && t->tour) {
		if (tour_play(t, tui_deliver(t, 2)))
			frame(s);
		else
			pump(s, 20, false);
	}
}

int headless_run(struct tui *t, int signal_fd)
{
	struct play s = { .t = t, .signal_fd = signal_fd };
	struct term_options o = { .in = -1,
		.out = -1,
		.name = "xterm-256color",
		.w = t->screen->w,
		.h = t->screen->h,
		.sync = true };
	struct err e = { 0 };
	bool unknown;
	enum st st = ST_OK;

	if ((t->o->stats || t->o->tour) && term_open(&s.term, &o, &unknown, &e))
		s.term = NULL;
	tui_deliver(t, 2);
	frame(&s);
	if (t->o->tour)
		play_tour(&s);
	else if (t->o->keys)
		st = play_file(&s, t->o->keys, &e);
	else
		pump(&s, 1000, true);
	tui_deliver(t, 2);
	frame(&s);
	if (!st && t->o->dump)
		st = dump(t, t->o->dump, &e);
	term_close(s.term);
	if (st)
		tui_complain(&e);
	return st ? (st == ST_INVALID ? 2 : 1) : s.killed;
}

int once_run(struct tui *t, int signal_fd, bool color)
{
	struct play s = { .t = t, .signal_fd = signal_fd };
	bool ascii = opt_on(&t->opt, OPT_ASCII);
	char *text;

	t->hint = false;
	pump(&s, 1000, true);
	frame(&s);
	text = color ? surface_dump_ansi(t->screen, ascii, &t->theme)
		     : surface_dump(t->screen, ascii);
	fputs(text, stdout);
	xfree(text);
	return s.killed;
}

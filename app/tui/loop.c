/* loop - one poll over the terminal, the signals, the bus and the jobs. */
#include "app/tui/loop.h"

#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "app/tui/keys.h"
#include "app/tui/scripting.h"
#include "app/tui/term.h"
#include "app/tui/tour.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"

/* Keys are shown at once, 30 frames a second at most; what happens by itself need not be
 * seen more often than it can be read, and text that streams lies between. */
enum { KEY_FRAME_MS = 33, STREAM_FRAME_MS = 50, EVENT_FRAME_MS = 100, STALL_MS = 50 };
enum { STILL_FRAME_MS = 1000 }; /* :set motion off: what happens by itself */

struct loop {
	struct tui *t;
	struct term *term;
	int signal_fd;
	double last_frame, key_at; /* key_at: the oldest key not shown yet; 0: none */
	unsigned long keys;
	double input_at;
	double turn_began;
	bool mouse, sync;
	double rest; /* seconds until the session wants its turn; < 0: never */
};

static void read_signals(struct loop *l)
{
	struct signalfd_siginfo info;
	struct tui *t = l->t;

	while (read(l->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
		switch (info.ssi_signo) {
		case SIGWINCH:
			picture_close(t);
			t->dirty |= term_resized(l->term);
			break;
		case SIGINT:
			tui_key(t, KEY_CTRL | 'c');
			break;
		case SIGTSTP:
			t->want_suspend = true;
			break;
		case SIGCONT:
			term_resume(l->term);
			t->dirty = true;
			break;
		case SIGTERM:
		case SIGHUP:
			t->exit_status = 128 + (int)info.ssi_signo;
			t->quit = true;
			break;
		default:
			break;
		}
	}
}

static void take_input(struct loop *l, bool late)
{
	struct input_event ev;
	struct tui *t = l->t;

	while (!t->quit && term_next(l->term, &ev, late)) {
		if (ev.kind == INPUT_PASTE) {
			tui_paste(t, ev.text, ev.n);
		} else if (ev.kind == INPUT_DEVICE) {
			picture_heard(t, ev.sixel);
			continue; /* nobody's key */
		} else if (ev.kind == INPUT_MOUSE) {
			if (opt_on(&t->opt, OPT_MOUSE))
				tui_mouse(t, ev.x, ev.y, ev.button, ev.dragged);
		} else {
			if (!l->key_at)
				l->key_at = l->input_at;
			l->keys++;
			tui_key(t, ev.key);
		}
		if (!l->key_at)
			l->key_at = l->input_at;
	}
}

/* Keys that were typed for the other program were no commands to us. */
static void drop_signals(int fd)
{
	struct signalfd_siginfo info;
	sigset_t back;
	bool ended = false;

	sigemptyset(&back);
	while (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
		ended |= info.ssi_signo == SIGTERM || info.ssi_signo == SIGHUP;
		if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGHUP)
			sigaddset(&back, (int)info.ssi_signo);
	}
	if (ended) /* whoever wants us to end still does */
		raise(sigismember(&back, SIGTERM) ? SIGTERM : SIGHUP);
}

/* $VISUAL, $EDITOR or vi on a file; the shell, since the name may hold options. */
static void edit(struct loop *l)
{
	static char sh[] = "sh", c[] = "-c", how[] = "exec ${VISUAL:-${EDITOR:-vi}} \"$1\"",
		    self[] = "bitdial";
	struct tui *t = l->t;
	char *argv[] = { sh, c, how, self, t->want_edit, NULL };
	struct err e = { 0 };
	int rc = term_run(l->term, argv, &e);

	drop_signals(l->signal_fd);
	if (rc < 0)
		tui_notice(t, LOG_ERROR, "edit: %s", e.msg);
	else if (rc)
		tui_notice(t, LOG_WARN, "edit: the editor ended with status %d ($EDITOR is %s)", rc,
			getenv("EDITOR") ? getenv("EDITOR") : "not set");
	xfree(t->want_edit);
	t->want_edit = NULL;
	if (t->runs_io)
		runs_io_do(t->runs_io, RUNS_LOOK, "", "");
	t->dirty = true;
	l->turn_began = clock_now();
}

/* What commands asked of the terminal. */
static void obey(struct loop *l)
{
	struct tui *t = l->t;

	if (t->want_suspend) {
		picture_close(t);
		t->want_suspend = false;
		term_suspend(l->term);
		t->dirty = true;
		l->turn_began = clock_now();
	}
	if (t->want_edit)
		edit(l);
	if (t->want_redraw) {
		t->want_redraw = false;
		term_redraw(l->term);
		t->dirty = true;
	}
	if (t->clipboard) {
		term_clipboard(l->term, t->clipboard);
		xfree(t->clipboard);
		t->clipboard = NULL;
	}
	if (t->picture.ask) {
		t->picture.ask = false;
		term_ask_device(l->term);
	}
	if (picture_due(t)) {
		term_picture(l->term, t->picture.bytes, t->picture.n, t->picture.line);
		t->picture.shown = true;
		term_flush(l->term);
	}
	if (t->ring) {
		t->ring = false;
		term_bell(l->term);
	}
	if (l->mouse != opt_on(&t->opt, OPT_MOUSE)) {
		l->mouse = !l->mouse;
		term_set_mouse(l->term, l->mouse);
	}
	if (l->sync != opt_on(&t->opt, OPT_SYNC)) {
		l->sync = !l->sync;
		term_set_sync(l->term, l->sync);
	}
}

static void draw(struct loop *l)
{
	struct tui *t = l->t;
	double from = clock_now(), took;
	int w, h;

	t->now = from;
	term_size(l->term, &w, &h);
	term_pixels(l->term, &t->picture.pixel_w, &t->picture.pixel_h);
	tui_resize(t, w, h);
	compose(t);
	term_show(l->term, t->screen, &t->theme, opt_on(&t->opt, OPT_ASCII));
	term_flush(l->term);
	took = (clock_now() - from) * 1000;
	t->dirty = false;
	t->stats.bytes = term_bytes(l->term);
	tui_frame_took(t, took);
	for (; l->keys; l->keys--)
		tui_key_shown(t, (clock_now() - l->key_at) * 1000);
	l->key_at = 0;
	l->last_frame = from;
}

/* Seconds until the next frame is due; < 0: none is. */
static double due(const struct loop *l)
{
	const struct tui *t = l->t;
	double tick = tui_next_tick(t), ms;

	if (t->picture.shown)
		return -1;
	if (!t->dirty)
		return tick;
	ms = l->key_at                     ? KEY_FRAME_MS
	     : t->streaming                ? STREAM_FRAME_MS
	     : opt_on(&t->opt, OPT_MOTION) ? EVENT_FRAME_MS
	     : t->tour && t->tour->plays   ? EVENT_FRAME_MS
					   : STILL_FRAME_MS;
	ms = l->last_frame + ms / 1000 - clock_now();
	return ms > 0 ? ms : 0;
}

static int wait_ms(const struct loop *l, bool more, bool busy_line)
{
	double s = due(l);

	if (more)
		return 0;
	if (l->rest >= 0 && (s < 0 || s > l->rest))
		s = l->rest;
	if (picture_wait(l->t) >= 0 && (s < 0 || s > picture_wait(l->t)))
		s = picture_wait(l->t);
	if (term_waits(l->term) && (s < 0 || s > ESC_MS / 1000.0))
		s = ESC_MS / 1000.0;
	if (tour_due(l->t) >= 0 && (s < 0 || s > tour_due(l->t)))
		s = tour_due(l->t);
	if (busy_line) /* the line says when it is ready */
		s = s < 0 ? s : fmax(s, 0.1);
	return s < 0 ? -1 : (int)ceil(s * 1000);
}

/* One turn; false: the end. */
static bool turn(struct loop *l, bool *more)
{
	enum { TTY, SIG, BUS, JOB, OUT, LUA, FDS = LUA + SCRIPTING_FDS };
	struct tui *t = l->t;
	double tick = tui_next_tick(t), asked = t->now;
	bool ready = term_flush(l->term), first = !l->key_at;
	struct pollfd fds[FDS] = {
		[TTY] = { .fd = STDIN_FILENO, .events = POLLIN },
		[SIG] = { .fd = l->signal_fd, .events = POLLIN },
		[BUS] = { .fd = sub_fd(t->sub), .events = POLLIN },
		[JOB] = { .fd = session_jobs(t->s) ? jobs_fd(session_jobs(t->s)) : -1,
			.events = POLLIN },
		[OUT] = { .fd = ready ? -1 : term_out_fd(l->term), .events = POLLOUT },
	};
	double began, took;
	int n;

	scripting_fds(t->scripting, fds + LUA);
	n = poll(fds, FDS, wait_ms(l, *more, !ready));
	began = t->now = l->turn_began = clock_now();

	if (fds[SIG].revents)
		read_signals(l);
	if (n > 0 && fds[TTY].revents) {
		l->input_at = began;
		if (!term_read(l->term)) {
			t->exit_status = 128 + SIGHUP; /* the terminal is gone */
			return false;
		}
	}
	take_input(l, n == 0);
	*more = tui_deliver(t, 2);
	scripting_tell(t);
	tour_play(t, *more);
	obey(l);
	l->rest = session_tick(t->s);
	if (tick >= 0 && t->now >= asked + tick)
		t->dirty = true; /* a notice is over */
	/* The first key after a pause is shown at once. */
	if (t->dirty && !t->picture.shown && term_flush(l->term) &&
		((first && l->key_at) || due(l) <= 0))
		draw(l);
	took = (clock_now() - l->turn_began) * 1000;
	if (took > t->stats.worst_turn_ms)
		t->stats.worst_turn_ms = took;
	if (took > STALL_MS) { /* for us; nothing that the user could do about it */
		t->stats.slow_turns++;
		log_at(LOG_INFO, "loop", "one turn took %.0f ms", took);
	}
	return !t->quit;
}

int loop_run(struct tui *t, struct term *term, int signal_fd)
{
	struct loop l = { .t = t, .term = term, .signal_fd = signal_fd };
	bool more = false;

	l.mouse = opt_on(&t->opt, OPT_MOUSE);
	l.sync = opt_on(&t->opt, OPT_SYNC);
	t->picture.able = SIXEL_NOT_ASKED;
	draw(&l);
	while (turn(&l, &more))
		;
	return t->exit_status;
}

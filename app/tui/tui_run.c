/* tui_run - which way the workbench runs: on a terminal, as lines, as a batch, or one frame. */
#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "app/tui/headless.h"
#include "app/tui/loop.h"
#include "app/tui/scripting.h"
#include "app/tui/term.h"
#include "app/tui/tour.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/json.h"

static struct tui_stats last_stats;

const struct tui_stats *tui_last_stats(void)
{
	return &last_stats;
}

static void our_signals(sigset_t *set)
{
	static const int list[] = { SIGWINCH, SIGINT, SIGTERM, SIGTSTP, SIGCONT, SIGHUP };

	sigemptyset(set);
	for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
		sigaddset(set, list[i]);
}

void tui_block_signals(void)
{
	sigset_t set;

	our_signals(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

/* ---- which way */

static void print_stats(const struct tui_stats *s, struct session *session)
{
	struct json_out o;

	json_out_init(&o, false);
	json_open(&o, NULL, '{');
	json_put_i64(&o, "keys", (int64_t)s->keys);
	json_put_f64(&o, "key_p50_ms", s->p50_ms);
	json_put_f64(&o, "key_p99_ms", s->p99_ms);
	json_put_f64(&o, "key_worst_ms", s->worst_ms);
	if (s->worst_turn_ms > 0) { /* there was a terminal */
		json_put_i64(&o, "slow_turns", (int64_t)s->slow_turns);
		json_put_f64(&o, "worst_turn_ms", s->worst_turn_ms);
	}
	json_put_i64(&o, "frames", (int64_t)s->frames);
	json_put_f64(&o, "frame_ms", s->draw_ms);
	json_put_f64(&o, "first_frame_ms", s->first_frame_ms);
	json_put_i64(&o, "bytes", (int64_t)s->bytes);
	json_put_f64(&o, "bytes_per_second", s->seconds > 0 ? (double)s->bytes / s->seconds : 0);
	json_put_f64(&o, "seconds", s->seconds);
	if (s->answer_tokens) {
		json_put_i64(&o, "answer_tokens", (int64_t)s->answer_tokens);
		json_put_f64(&o, "answer_tok_s", s->answer_tok_s);
	}
	/* the longest that a stop would have waited for each kind of job */
	json_put_f64(&o, "worst_poll_ms_open", jobs_worst_gap(session_jobs(session), "open") * 1e3);
	json_put_f64(&o, "worst_poll_ms_scan", jobs_worst_gap(session_jobs(session), "scan") * 1e3);
	json_close(&o, '}');
	printf("%.*s\n", (int)o.n, o.s);
	json_out_release(&o);
}

static void end(struct tui *t)
{
	t->stats.seconds = clock_now() - t->started;
	t->stats.answer_tokens = t->chat.answer_tokens;
	t->stats.answer_tok_s = t->chat.tok_s;
	if (t->n_lag) { /* with the last ones in it */
		t->quit = true;
		t->stats.keys--;
		t->n_lag--;
		tui_key_shown(t, t->lag[t->n_lag % LAGS]);
	}
	last_stats = t->stats;
	if (!scripting_end(t->scripting)) {
		fprintf(stderr, "bitdial: left while a script was inside a C function\n");
		fflush(stdout);
		_exit(t->exit_status);
	}
	tui_free(t);
}

static bool has_terminal(void)
{
	const char *term = getenv("TERM");

	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && *term &&
	       strcmp(term, "dumb");
}

static int without_terminal(
	struct session *s, struct bus *b, const struct tui_options *o, int signal_fd)
{
	bool tty = isatty(STDOUT_FILENO);
	struct winsize ws;
	int w = o->w, h = o->h, status;
	struct tui *t = tui_new(s, b, o, o->headless || tty ? 256 : 0, term_is_utf8());

	if (!w && tty && o->once && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) && ws.ws_col) {
		w = ws.ws_col;
		h = ws.ws_row - 1; /* the shell's prompt comes after it */
	}
	tui_resize(t, w ? w : 120, h ? h : 36);
	if (o->script)
		status = batch_run(t, signal_fd);
	else if (o->headless)
		status = headless_run(t, signal_fd);
	else if (o->plain)
		status = plain_run(t, signal_fd);
	else
		status = once_run(t, signal_fd, t->theme.depth != DEPTH_MONO);
	status = tour_ended(t, status);
	end(t);
	fflush(stdout);
	return status;
}

static int on_terminal(struct session *s, struct bus *b, const struct tui_options *o, int signal_fd)
{
	char *dir = o->state_dir ? xstrdup(o->state_dir) : fs_place(FS_STATE);
	char *log = xprintf("%s/log", dir);
	struct term_options to = { .in = STDIN_FILENO,
		.out = STDOUT_FILENO,
		.mouse = !o->no_mouse,
		.sync = !o->no_sync,
		.w = o->w,
		.h = o->h };
	struct term *term;
	struct tui *t;
	struct err e;
	bool unknown;
	int status, w, h;

	if (!o->read_only && !fs_mkdirs(dir, &e))
		to.log = log;
	if (term_open(&term, &to, &unknown, &e)) {
		tui_complain(&e);
		status = 1;
	} else {
		t = tui_new(s, b, o, term_colors(term), term_is_utf8());
		if (unknown)
			tui_notice(t, LOG_WARN, "TERM=%s is not known here; xterm-256color is used",
				getenv("TERM"));
		term_size(term, &w, &h);
		tui_resize(t, w, h);
		term_show_cursor(term, o->show_cursor);
		if (o->tour)
			tour_begin(t, true);
		status = loop_run(t, term, signal_fd);
		term_close(term);
		status = tour_ended(t, status);
		end(t);
	}
	xfree(log);
	xfree(dir);
	return status;
}

int tui_run(struct session *s, struct bus *b, const struct tui_options *o)
{
	sigset_t set;
	int signal_fd, status;

	/* Of the locale only what characters are: numbers keep their point. */
	setlocale(LC_CTYPE, "");
	last_stats = (struct tui_stats){ 0 };
	if (!o->headless && !o->once && !o->plain && !o->script && !has_terminal()) {
		fprintf(stderr, "bitdial: this is not a terminal; try bitdial --once or bitdial "
				"--plain\n");
		return 2;
	}
	tui_block_signals();
	our_signals(&set);
	signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (signal_fd < 0) {
		fprintf(stderr, "bitdial: no signalfd: %s\n", strerror(errno));
		return 1;
	}
	if (o->headless || o->once || o->plain || o->script)
		status = without_terminal(s, b, o, signal_fd);
	else
		status = on_terminal(s, b, o, signal_fd);
	close(signal_fd);
	if (o->stats)
		print_stats(&last_stats, s);
	return status;
}

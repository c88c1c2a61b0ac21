/* term - ncurses into memory, memory to the terminal, and back to normal in any case. */
#include "app/tui/term.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include <curses.h>

#include "app/tui/guard.h"
#include "app/tui/term_private.h"
#include "core/base/alloc.h"
#include "core/base/log_capture.h"

static void arm_guard(struct term *t, const char *log)
{
	static const char *const caps[] = { "cnorm", "sgr0", "rmkx", "rmcup" };
	const char *reset[6] = { "\033[?2026l\033[?2004l\033[?1006l\033[?1002l\033[?1000l" };

	for (size_t i = 0; i < sizeof caps / sizeof caps[0]; i++) {
		const char *s = tigetstr(caps[i]);

		reset[i + 1] = s && s != (const char *)-1 ? s : "";
	}
	guard_arm(t->out.fd, t->saved_err >= 0 ? t->saved_err : STDERR_FILENO,
		t->raw ? &t->saved : NULL, reset, log);
}

/* ---- modes */

/* What ncurses wrote since the last call, into the queue. */
static void collect(struct term *t)
{
	fflush(t->mem_file);
	outq_take(&t->out, t->mem);
}

static void go_raw(struct term *t)
{
	struct termios now = t->saved;

	if (!t->raw)
		return;
	cfmakeraw(&now);
	now.c_cc[VMIN] = 1;
	now.c_cc[VTIME] = 0;
	tcsetattr(t->in, TCSADRAIN, &now);
}

/* ---- size */

static void ask_size(struct term *t)
{
	struct winsize ws;

	if (t->fixed_size)
		return;
	if (t->out.fd >= 0 && !ioctl(t->out.fd, TIOCGWINSZ, &ws) && ws.ws_col && ws.ws_row) {
		t->w = ws.ws_col;
		t->h = ws.ws_row;
	}
}

void term_size(const struct term *t, int *w, int *h)
{
	*w = t->w;
	*h = t->h;
}

bool term_resized(struct term *t)
{
	int w = t->w, h = t->h;

	ask_size(t);
	if (t->w == w && t->h == h)
		return false;
	resizeterm(t->h, t->w);
	clearok(curscr, TRUE);
	return true;
}

void term_redraw(struct term *t)
{
	(void)t;
	clearok(curscr, TRUE);
}

/* ---- opening and closing */

static void redirect_stderr(struct term *t, const char *path)
{
	int fd;

	t->saved_err = -1;
	/* A library's warning must not land on the screen, with or without a log.  A sanitizer's
	 * report leaves the process before anyone would read it from a pipe. */
#ifndef __SANITIZE_ADDRESS__
	if (path) {
		t->saved_err = log_capture();
		t->captured = t->saved_err >= 0;
		if (t->captured)
			return;
	}
#endif
	fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
	if (fd < 0)
		fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	t->saved_err = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	dup2(fd, STDERR_FILENO);
	close(fd);
}

static enum st start_curses(struct term *t, const char *name, bool *unknown, struct err *e)
{
	const char *term = name ? name : getenv("TERM");
	char number[16];

	t->mem = memfd_create("screen", MFD_CLOEXEC);
	t->mem_file = t->mem >= 0 ? fdopen(t->mem, "w+") : NULL;
	t->in_file = fopen("/dev/null", "r");
	if (!t->mem_file || !t->in_file)
		return err_set(e, ST_IO, "no memory for a screen: %s", strerror(errno));
	*unknown = false;
	/* The memory file has no size: else newterm takes 24 lines, and sets the
	 * terminal's scrolling region to them. */
	ask_size(t);
	snprintf(number, sizeof number, "%d", t->h);
	setenv("LINES", number, 1);
	snprintf(number, sizeof number, "%d", t->w);
	setenv("COLUMNS", number, 1);
	t->screen = newterm(term, t->mem_file, t->in_file);
	if (!t->screen) {
		*unknown = true;
		t->screen = newterm("xterm-256color", t->mem_file, t->in_file);
	}
	/* Exported, they would hold the size for ever. */
	unsetenv("LINES");
	unsetenv("COLUMNS");
	if (!t->screen)
		return err_set(e, ST_UNSUPPORTED, "the terminal \"%s\" is not known here; set TERM",
			term ? term : "");
	typeahead(-1); /* input is ours: a frame is never left half drawn for it */
	t->has_mouse = tigetstr("kmous");
	t->colors = 0;
	if (has_colors() && start_color() == OK) {
		use_default_colors();
		t->colors = COLORS;
	}
	nonl();
	leaveok(stdscr, FALSE);
	scrollok(stdscr, FALSE);
	curs_set(0);
	return ST_OK;
}

static void free_term(struct term *t)
{
	if (t->captured) {
		log_capture_end(t->saved_err);
	} else if (t->saved_err >= 0) {
		dup2(t->saved_err, STDERR_FILENO);
		close(t->saved_err);
	}
	if (t->mem_file)
		fclose(t->mem_file);
	if (t->in_file)
		fclose(t->in_file);
	outq_close(&t->out);
	input_release(&t->input);
	xfree(t);
}

enum st term_open(struct term **out, const struct term_options *o, bool *unknown, struct err *e)
{
	struct term *t = xalloc(sizeof *t);
	enum st st;

	/* An exported pair would hold the size (and block every resize). */
	unsetenv("LINES");
	unsetenv("COLUMNS");
	t->in = o->in;
	t->saved_err = -1;
	t->mem = -1;
	t->sync = o->sync;
	t->w = o->w ? o->w : 80;
	t->h = o->h ? o->h : 24;
	t->fixed_size = o->w && o->h;
	outq_open(&t->out, o->out);
	t->raw = t->in >= 0 && isatty(t->in) && !tcgetattr(t->in, &t->saved);
	st = start_curses(t, o->name, unknown, e);
	if (st) {
		free_term(t);
		return st;
	}
	ask_size(t);
	resizeterm(t->h, t->w);
	redirect_stderr(t, o->log);
	if (t->out.fd >= 0)
		arm_guard(t, o->log);
	go_raw(t);
	/* newterm has written what enters the alternate screen already. */
	refresh();
	collect(t);
	t->mouse = false;
	term_modes_on(t);
	term_set_mouse(t, o->mouse);
	clearok(curscr, TRUE);
	*out = t;
	return ST_OK;
}

void term_close(struct term *t)
{
	if (!t)
		return;
	term_modes_off(t);
	curs_set(1);
	endwin();
	collect(t);
	outq_drain(&t->out);
	if (t->raw)
		tcsetattr(t->in, TCSADRAIN, &t->saved);
	guard_disarm();
	delscreen(t->screen);
	free_term(t);
}

static void leave(struct term *t)
{
	term_modes_off(t);
	curs_set(1);
	endwin();
	collect(t);
	outq_drain(&t->out);
	if (t->raw)
		tcsetattr(t->in, TCSADRAIN, &t->saved);
}

void term_suspend(struct term *t)
{
	leave(t);
	raise(SIGSTOP);
	term_resume(t);
}

/* After fork: nothing but system calls. */
static void become(const struct term *t, char *const *argv)
{
	sigset_t none;

	sigemptyset(&none);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (t->saved_err >= 0)
		dup2(t->saved_err, STDERR_FILENO);
	execvp(argv[0], argv);
	_exit(127);
}

int term_run(struct term *t, char *const *argv, struct err *e)
{
	int status = 0;
	pid_t pid;

	leave(t);
	pid = fork();
	if (!pid)
		become(t, argv);
	if (pid < 0)
		err_set(e, ST_IO, "cannot start %s: %s", argv[0], strerror(errno));
	while (pid > 0 && (waitpid(pid, &status, WUNTRACED) == pid || errno == EINTR)) {
		if (WIFEXITED(status) || WIFSIGNALED(status))
			break;
		if (WIFSTOPPED(status)) /* there is no shell to go to from inside of us */
			kill(pid, SIGCONT);
	}
	term_resume(t);
	return pid < 0 ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

void term_resume(struct term *t)
{
	go_raw(t);
	curs_set(0);
	clearok(curscr, TRUE);
	refresh();
	collect(t);
	term_modes_on(t);
	term_resized(t);
	clearok(curscr, TRUE);
}

int term_colors(const struct term *t)
{
	return t->colors;
}
bool term_is_utf8(void)
{
	return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

/* ---- a frame */

static void put_cell(struct term *t, const struct surface *s, int x, int y,
	const struct theme *theme, bool ascii)
{
	const struct cell *c = &s->cell[y * s->w + x];
	bool wide = x + 1 < s->w && c[1].ch[0] == UINT32_MAX;
	struct style style = style_fit(theme_style(theme, c->role, c->ch[0]), t->colors);
	wchar_t text[4] = { L' ' };
	attr_t attr = 0;
	cchar_t out;
	int pair = 0;

	if (c->ch[0] == UINT32_MAX) {
		if (ascii)
			mvaddch(y, x, ' ');
		return;
	}
	if (!c->ch[0])
		style = (struct style){ -1, -1, 0 };
	else if (ascii)
		text[0] = (wchar_t)glyph_ascii(c->ch[0]);
	else if (wcwidth((wchar_t)c->ch[0]) != 1 + wide)
		text[0] = L'?'; /* the C library would put it elsewhere than we did */
	else
		for (int i = 0; i < 3; i++)
			text[i] = (wchar_t)c->ch[i];
	attr |= style.attr & ATTR_BOLD ? A_BOLD : 0;
	attr |= style.attr & ATTR_DIM ? A_DIM : 0;
	attr |= style.attr & ATTR_UNDERLINE ? A_UNDERLINE : 0;
	attr |= style.attr & ATTR_REVERSE ? A_REVERSE : 0;
	if (t->colors && (style.fg >= 0 || style.bg >= 0))
		pair = alloc_pair(style.fg, style.bg);
	if (pair < 0)
		pair = 0;
	/* The short argument holds no large pair; the pointer does. */
	if (setcchar(&out, text, attr, (short)(pair > 32767 ? 32767 : pair), &pair) == OK)
		mvadd_wch(y, x, &out);
}

void term_show(struct term *t, const struct surface *s, const struct theme *theme, bool ascii)
{
	size_t before = t->out.n;
	bool at = s->cursor_x >= 0 && s->cursor_x < t->w && s->cursor_y < t->h;
	const char begin[] = "\033[?2026h", end[] = "\033[?2026l";

	erase();
	for (int y = 0; y < s->h && y < t->h; y++)
		for (int x = 0; x < s->w && x < t->w; x++)
			put_cell(t, s, x, y, theme, ascii);
	move(at ? s->cursor_y : t->h - 1, at ? s->cursor_x : 0);
	curs_set(at && (s->cursor_on || t->show_cursor));
	wnoutrefresh(stdscr);
	doupdate();
	if (t->sync)
		outq_put(&t->out, begin, sizeof begin - 1);
	collect(t);
	if (t->sync && t->out.n == before + sizeof begin - 1)
		t->out.n = before; /* nothing changed */
	else if (t->sync)
		outq_put(&t->out, end, sizeof end - 1);
}

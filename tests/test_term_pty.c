/* test_term_pty.c - the terminal as a pseudo terminal: its modes after a crash, its size, a slow
 * line.  One newterm a process: Criterion forks for each test. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "app/tui/term.h"

static struct term *term;

static void end(void)
{
	term_close(term);
}

TestSuite(term_pty, .fini = end);

static void show(const struct surface *s)
{
	struct theme t;

	theme_init(&t, "default", color_depth(COLOR_AUTO, term_colors(term)), RAMP_VIRIDIS, false);
	term_show(term, s, &t, false);
}

static int open_pty(int *slave)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);

	cr_assert_geq(master, 0);
	cr_assert_not(grantpt(master));
	cr_assert_not(unlockpt(master));
	*slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	cr_assert_geq(*slave, 0);
	return master;
}

static size_t drain(int master, char *buf, size_t cap)
{
	size_t n = 0;
	struct pollfd p = { .fd = master, .events = POLLIN };

	while (n + 1 < cap && poll(&p, 1, 100) > 0) {
		ssize_t k = read(master, buf + n, cap - 1 - n);

		if (k <= 0)
			break;
		n += (size_t)k;
	}
	buf[n] = 0;
	return n;
}

static void child(int slave, bool crash)
{
	struct term_options o = {
		.in = slave, .out = slave, .name = "xterm-256color", .mouse = true
	};
	struct surface *s = surface_new(10, 3);
	struct err e;
	bool unknown;

	if (term_open(&term, &o, &unknown, &e))
		_exit(9);
	show(s);
	term_flush(term);
	if (crash)
		raise(SIGSEGV);
	exit(0); /* not term_close: a library may do that to us */
}

static void ends(bool crash)
{
	static char bytes[65536];
	struct termios before, after;
	int slave, master = open_pty(&slave), status;
	pid_t pid;

	tcgetattr(slave, &before);
	pid = fork();
	if (!pid)
		child(slave, crash);
	waitpid(pid, &status, 0);
	drain(master, bytes, sizeof bytes);
	tcgetattr(slave, &after);
	cr_assert_eq(before.c_lflag, after.c_lflag);
	cr_assert_eq(before.c_oflag, after.c_oflag);
	cr_assert_eq(before.c_iflag, after.c_iflag);
	cr_assert(strstr(bytes, "\033[?1049l"), "the alternate screen was not left");
	cr_assert(strstr(bytes, "\033[?1000l"), "the mouse is still on");
	if (crash)
		cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	else
		cr_assert(WIFEXITED(status) && !WEXITSTATUS(status));
}

Test(term_pty, a_crash_restores_the_terminal)
{
	ends(true);
}
Test(term_pty, an_exit_nobody_planned_restores_the_terminal)
{
	ends(false);
}

Test(term_pty, follows_the_size_of_the_window)
{
	int slave, master = open_pty(&slave), w, h;
	struct term_options o = { .in = slave, .out = slave, .name = "xterm-256color" };
	struct winsize ws = { .ws_row = 12, .ws_col = 40 };
	struct err e;
	bool unknown;

	setenv("COLUMNS", "99", 1); /* an exported size must not hold */
	ioctl(master, TIOCSWINSZ, &ws);
	cr_assert_not(term_open(&term, &o, &unknown, &e), "%s", e.msg);
	term_size(term, &w, &h);
	cr_assert_eq(w, 40);
	cr_assert_eq(h, 12);
	for (int i = 0; i < 50; i++) {
		struct surface *s;
		struct canvas c;

		ws.ws_col = (unsigned short)(1 + i * 37 % 200);
		ws.ws_row = (unsigned short)(1 + i * 13 % 60);
		ioctl(master, TIOCSWINSZ, &ws);
		cr_assert(term_resized(term) || !i);
		term_size(term, &w, &h);
		cr_assert_eq(w, ws.ws_col);
		s = surface_new(w, h);
		c = canvas_of(s);
		canvas_box(&c, true, "Title", "漢字");
		show(s);
		surface_free(s);
		while (!term_flush(term)) {
			char buf[4096];

			cr_assert_gt(read(master, buf, sizeof buf), 0);
		}
	}
}

Test(term_pty, a_slow_line_holds_frames_back_rather_than_the_program, .timeout = 10)
{
	int slave, master = open_pty(&slave);
	struct term_options o = {
		.in = slave, .out = slave, .name = "xterm-256color", .w = 200, .h = 60
	};
	struct surface *s = surface_new(200, 60);
	struct canvas c = canvas_of(s);
	struct err e;
	bool unknown, full = false;

	setlocale(LC_CTYPE, "C.UTF-8");
	cr_assert_not(term_open(&term, &o, &unknown, &e), "%s", e.msg);
	for (uint32_t i = 0; i < 40 && !full; i++) {
		canvas_fill(&c, 0, 0, 200, 60, ROLE_TEXT, 'a' + i % 26);
		show(s);
		full = !term_flush(term); /* nobody reads: it fills up, and returns */
	}
	cr_assert(full);
	for (int i = 0; i < 1000 && !term_flush(term); i++) {
		char buf[65536];

		cr_assert_gt(read(master, buf, sizeof buf), 0);
	}
	cr_assert(term_flush(term));
	surface_free(s);
}

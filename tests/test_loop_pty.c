/* test_loop_pty.c - the real loop on a pseudo terminal, its screen read through libvterm. */
#include "tests/tui_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

#include <vterm.h>

#include "core/base/clock.h"
#include "core/base/log.h"

static int master = -1;
static long fake_tick_ms; /* of the child */
static bool fake_sixel;
static pid_t pid;
static VTerm *vt;
static VTermScreen *screen;
static struct termios before;

static void set_size(int w, int h)
{
	struct winsize ws = { .ws_row = (unsigned short)h, .ws_col = (unsigned short)w };

	ioctl(master, TIOCSWINSZ, &ws);
	vterm_set_size(vt, h, w);
}

/* As the real session has it. */
static void on_log(enum log_level l, const char *text)
{
	bus_publish(bus,
		(struct event){ .kind = EV_NOTICE, .n = l, .snap = &snap_text_new(text)->snap });
}

static void child(int slave)
{
	struct tui_options o = { .panels = spies, .state_dir = dir, .sub = sub, .stats = true };
	struct err e;

	if (log_open(path_of("log"), &e))
		_exit(9);
	log_watch(on_log);
	close(master); /* else it would never be gone */
	setsid();
	ioctl(slave, TIOCSCTTY, 0);
	dup2(slave, 0);
	dup2(slave, 1);
	publish_model();
	publish_answer();
	_exit(tui_run(&fake, bus, &o));
}

static void begin(void)
{
	int slave;

	fixture_open();
	fake.tick_ms = fake_tick_ms;
	fake.sixel = fake_sixel ? "\033Pq#0;2;0;0;0~~@@vv@@~~-\033\\" : NULL;
	fake.bus = fake_sixel ? bus : NULL;
	write_text("state.json", "{\"v\":1,\"hint_seen\":true}");
	vt = vterm_new(24, 80);
	vterm_set_utf8(vt, 1);
	screen = vterm_obtain_screen(vt);
	vterm_screen_enable_altscreen(screen, 1);
	vterm_screen_reset(screen, 1);
	master = posix_openpt(O_RDWR | O_NOCTTY);
	cr_assert(master >= 0 && !grantpt(master) && !unlockpt(master));
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	cr_assert_geq(slave, 0);
	tcgetattr(slave, &before);
	set_size(80, 24);
	pid = fork();
	if (!pid)
		child(slave);
	close(slave);
}

static void begin_slowly(void)
{
	fake_tick_ms = 60;
	begin();
}

static void finish(void)
{
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	if (master >= 0)
		close(master);
	vterm_free(vt);
	fixture_close();
}

TestSuite(pty, .init = begin, .fini = finish, .timeout = 20);

/* Feeds the emulator for up to ms; false: the other side is gone. */
static bool feed(int ms)
{
	struct pollfd p = { .fd = master, .events = POLLIN };
	char buf[65536];
	ssize_t n;

	if (poll(&p, 1, ms) <= 0)
		return true;
	n = read(master, buf, sizeof buf);
	if (n <= 0)
		return false;
	vterm_input_write(vt, buf, (size_t)n);
	return true;
}

static const char *line(int y)
{
	static char buf[2048];
	int h, w;
	size_t n;

	vterm_get_size(vt, &h, &w);
	n = vterm_screen_get_text(screen, buf, sizeof buf - 1,
		(VTermRect){ .start_row = y, .end_row = y + 1, .end_col = w });
	buf[n] = 0;
	return buf;
}

/* Until row y (from the bottom when negative) shows the text, as a person would wait. */
static void wait_for(int y, const char *text)
{
	double until = clock_now() + 10;
	int h, w;

	vterm_get_size(vt, &h, &w);
	if (y < 0)
		y += h;
	while (!strstr(line(y), text)) {
		cr_assert(
			clock_now() < until, "row %d never showed \"%s\" but %s", y, text, line(y));
		cr_assert(feed(50), "it ended before row %d showed \"%s\"", y, text);
	}
}

static void type(const char *keys)
{
	cr_assert_eq(write(master, keys, strlen(keys)), (ssize_t)strlen(keys));
}

static int exit_status(void)
{
	double until = clock_now() + 10;
	int status = 0;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		cr_assert(clock_now() < until, "it does not end");
		feed(20);
	}
	pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(pty, keys_are_seen_and_q_leaves_everything_as_it_was)
{
	struct termios after;

	wait_for(0, " bitdial tiny");
	wait_for(-2, " SEARCH 4.25 KL .0131");
	type("3");
	wait_for(0, "[3]Chat");
	type("h\xc3\xa9llo");
	wait_for(4, "hllo"); /* the fixture's panel takes ASCII only */
	type("\033[200~pasted\nq\033[201~");
	wait_for(4, "pasted");
	type("\033");
	wait_for(-2, "? help");
	type("\0331");
	wait_for(0, "[1]Search");
	type(":bud");
	wait_for(-1, ":bud");
	type("\003");
	for (int i = 0; i < 200 && strstr(line(23), "bud"); i++)
		feed(20);
	cr_assert_null(strstr(line(23), "bud"));
	type("q");
	cr_assert_eq(exit_status(), 0);
	tcgetattr(master, &after);
	cr_assert_eq(before.c_lflag, after.c_lflag);
	cr_assert_eq(before.c_iflag, after.c_iflag);
	cr_assert_eq(before.c_oflag, after.c_oflag);
}

Test(pty, follows_the_window_down_to_one_cell_and_back)
{
	wait_for(0, " bitdial tiny");
	for (int i = 0; i < 60; i++) {
		set_size(1 + i * 37 % 150, 1 + i * 13 % 50);
		kill(pid, SIGWINCH);
		feed(1);
	}
	set_size(1, 1);
	kill(pid, SIGWINCH);
	feed(100);
	set_size(120, 36);
	kill(pid, SIGWINCH);
	wait_for(0, "[1]Search  2 Train  3 Chat");
	wait_for(-2, "predicted");
	wait_for(31, "Jobs");
	type("q");
	cr_assert_eq(exit_status(), 0);
}

Test(pty, stops_to_the_shell_and_comes_back)
{
	int status;
	double until = clock_now() + 10;

	wait_for(0, " bitdial tiny");
	type("\x1a");
	while (waitpid(pid, &status, WUNTRACED | WNOHANG) == 0) {
		cr_assert(clock_now() < until, "it did not stop");
		feed(20);
	}
	cr_assert(WIFSTOPPED(status));
	for (int i = 0; i < 5; i++)
		feed(20);
	cr_assert_null(strstr(line(0), "bitdial tiny"), "the alternate screen was left");
	kill(pid, SIGCONT);
	wait_for(0, " bitdial tiny");
	type("q");
	cr_assert_eq(exit_status(), 0);
}

Test(pty, a_request_to_end_restores_the_terminal)
{
	struct termios after;

	wait_for(0, " bitdial tiny");
	kill(pid, SIGTERM);
	cr_assert_eq(exit_status(), 143);
	tcgetattr(master, &after);
	cr_assert_eq(before.c_lflag, after.c_lflag);
}

Test(pty, a_terminal_that_goes_away_ends_the_program)
{
	wait_for(0, " bitdial tiny");
	close(master);
	master = -1;
	for (int i = 0; i < 500; i++) {
		int status;

		if (waitpid(pid, &status, WNOHANG)) {
			pid = 0;
			cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 129, "%d", status);
			return;
		}
		usleep(20000);
	}
	cr_assert_fail("it still runs");
}

Test(pty, a_turn_that_takes_long_is_for_the_log_and_the_statistics_alone, .init = begin_slowly)
{
	wait_for(0, " bitdial tiny");
	type("...");
	wait_for(-2, " SEARCH ");
	for (int i = 0; i < 20; i++) {
		char *log = read_text("log");
		bool told = strstr(log, "one turn took ");

		big_free(log);
		feed(50);
		cr_assert_null(strstr(line(22), "turn took"), "%s", line(22));
		if (told && i > 4) {
			type("q");
			cr_assert_eq(exit_status(), 0);
			for (int y = 0; y < 24; y++)
				if (strstr(line(y), "\"slow_turns\":") &&
					!strstr(line(y), "\"slow_turns\":0"))
					return;
			cr_assert_fail("the statistics do not count it");
		}
	}
	cr_assert_fail("the log does not tell");
}

/* ---- pictures over the screen: what goes out is looked at itself, since libvterm shows no sixels
 */

static char seen[1 << 20];
static size_t n_seen;

/* Waits for a piece of what the program writes; ms later at most: false. */
static bool writes(const char *text, double ms)
{
	double until = clock_now() + ms / 1000;

	while (!memmem(seen, n_seen, text, strlen(text))) {
		struct pollfd p = { .fd = master, .events = POLLIN };
		ssize_t n;

		if (clock_now() > until)
			return false;
		if (poll(&p, 1, 20) <= 0)
			continue;
		n = read(master, seen + n_seen, sizeof seen - n_seen);
		if (n <= 0)
			return false;
		vterm_input_write(vt, seen + n_seen, (size_t)n);
		n_seen += (size_t)n;
	}
	return true;
}

static void begin_with_pictures(void)
{
	fake_sixel = true;
	begin();
}

#define SIXELS "\033Pq#0;2;0;0;0~~@@vv@@~~-\033\\"

Test(pty, a_terminal_that_says_so_is_shown_the_picture_until_a_key, .init = begin_with_pictures)
{
	wait_for(0, " bitdial tiny");
	n_seen = 0;
	type(":plot run\r");
	cr_assert(writes("\033[c", 5000), "it is not asked");
	cr_assert_not(writes("\033Pq", 200), "nothing before the answer");
	type("\033[?62;4;22c");
	cr_assert(writes(SIXELS, 5000), "no picture");
	cr_assert(writes("front.png - any key goes back", 2000));
	/* one piece, between the marks of a whole frame, and nothing behind it but by a key */
	{
		char *at = memmem(seen, n_seen, "\033Pq", 3),
		     *from = memrchr(seen, 'h', (size_t)(at - seen));

		cr_assert(from && !strncmp(from - 7, "\033[?2026h", 8));
		cr_assert(writes("any key goes back\033[?2026l", 2000));
	}
	n_seen = 0;
	cr_assert_not(writes("\033[", 400), "a frame over the picture");
	type("?"); /* taken by the picture: no help opens */
	wait_for(0, " bitdial tiny");
	for (int i = 0; i < 10; i++)
		feed(20);
	cr_assert(strstr(line(1), "Sensitivity"), "%s", line(1));
	cr_assert_null(strstr(line(3), "help"), "%s", line(3));
	type(":set ascii on\r");
	wait_for(-2, "ascii = on");
	/* the second time it is known */
	n_seen = 0;
	type(":plot run\r");
	cr_assert(writes(SIXELS, 5000), "no second picture");
	cr_assert_null(memmem(seen, n_seen, "\033[c", 3), "asked twice");
	set_size(100, 30);
	kill(pid, SIGWINCH);
	wait_for(28, " SEARCH ");
	type("q");
	cr_assert_eq(exit_status(), 0);
}

Test(pty, a_terminal_that_does_not_answer_or_says_no_gets_no_sixels, .init = begin_with_pictures)
{
	wait_for(0, " bitdial tiny");
	n_seen = 0;
	type(":plot run\r");
	cr_assert(writes("\033[c", 5000));
	cr_assert_not(writes("\033Pq", 1500));
	type("\033[?1;2c");
	type(":plot run\r");
	cr_assert_not(writes("\033Pq", 500));
	type(":set sixel off\r:plot run\r");
	cr_assert_not(writes("\033Pq", 300));
	type(":set sixel on\r:plot run\r"); /* the person's word */
	cr_assert(writes("\033Pq", 3000));
	type("x");
	type("q");
	cr_assert_eq(exit_status(), 0);
}

Test(pty, the_mouse_focuses_a_panel)
{
	wait_for(1, "┏━ Sensitivity");
	type("\033[<0;60;5M\033[<0;60;5m");
	wait_for(1, "┏━ Cell");
	type("q");
	cr_assert_eq(exit_status(), 0);
}

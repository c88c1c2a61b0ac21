/* test_term.c - real ncurses into memory, read back through libvterm: what a terminal
 * would show.  One newterm a process: Criterion forks for each test. */
#include <criterion/criterion.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vterm.h>

#include "app/tui/term.h"
#include "core/base/alloc.h"

static struct term *term;
static VTerm *vt;
static VTermScreen *screen;
static int out = -1;
static struct surface *made[64]; /* freed at the end, also where a test ends early */
static size_t n_made;

static struct surface *keep(struct surface *s)
{
	if (n_made < sizeof made / sizeof made[0])
		made[n_made++] = s;
	return s;
}

static void end(void)
{
	term_close(term);
	if (vt)
		vterm_free(vt);
	if (out >= 0)
		close(out);
	while (n_made)
		surface_free(made[--n_made]);
}

TestSuite(term, .fini = end);

static void begin(const char *name, int w, int h)
{
	struct term_options o = {
		.in = -1, .name = name, .w = w, .h = h, .sync = true, .mouse = true
	};
	struct err e;
	bool unknown;

	setlocale(LC_CTYPE, "C.UTF-8");
	out = memfd_create("terminal", 0);
	o.out = out;
	cr_assert_not(term_open(&term, &o, &unknown, &e), "%s", e.msg);
	vt = vterm_new(h, w);
	vterm_set_utf8(vt, 1);
	screen = vterm_obtain_screen(vt);
	vterm_screen_enable_altscreen(screen, 1);
	vterm_screen_reset(screen, 1);
}

/* What was written since the last call goes to the emulator; its size. */
static size_t feed(void)
{
	static off_t read_to;
	char buf[65536];
	size_t sum = 0;
	ssize_t n;

	cr_assert(term_flush(term));
	while ((n = pread(out, buf, sizeof buf, read_to)) > 0) {
		vterm_input_write(vt, buf, (size_t)n);
		read_to += n;
		sum += (size_t)n;
	}
	vterm_screen_flush_damage(screen);
	return sum;
}

static const char *row(int y, int w)
{
	static char buf[1024];
	VTermRect r = { .start_row = y, .end_row = y + 1, .start_col = 0, .end_col = w };
	size_t n = vterm_screen_get_text(screen, buf, sizeof buf - 1, r);

	while (n && buf[n - 1] == ' ')
		n--;
	buf[n] = 0;
	return buf;
}

static VTermScreenCell cell(int x, int y)
{
	VTermScreenCell c;

	vterm_screen_get_cell(screen, (VTermPos){ .row = y, .col = x }, &c);
	return c;
}

static void show(struct surface *s, const char *theme, bool ascii)
{
	struct theme t;

	theme_init(&t, theme, color_depth(COLOR_AUTO, term_colors(term)), RAMP_VIRIDIS, false);
	term_show(term, s, &t, ascii);
}

static struct surface *picture(int w, int h)
{
	struct surface *s = keep(surface_new(w, h));
	struct canvas c = canvas_of(s);

	canvas_box(&c, true, "Title", "note");
	canvas_text(&c, 2, 1, ROLE_STRONG, "bold");
	canvas_text(&c, 8, 1, ROLE_RAMP_LAST, "4█");
	canvas_text(&c, 11, 1, ROLE_SERIES0, "●");
	canvas_text(&c, 2, 2, ROLE_TEXT, "漢字 é ⠉⠑");
	return s;
}

Test(term, shows_text_boxes_and_wide_characters)
{
	struct surface *s = picture(24, 4);

	begin("xterm-256color", 24, 4);
	cr_assert_eq(term_colors(term), 256);
	show(s, "default", false);
	feed();
	cr_assert_str_eq(row(0, 24), "┏━ Title ━━━━━━━ note ━┓");
	cr_assert_str_eq(row(1, 24), "┃ bold  4█ ●           ┃");
	cr_assert_str_eq(row(2, 24), "┃ 漢字 é ⠉⠑            ┃");
	/* The lower right corner is written and nothing scrolled. */
	cr_assert_str_eq(row(3, 24), "┗━━━━━━━━━━━━━━━━━━━━━━┛");
	cr_assert_eq(cell(2, 2).width, 2);
}

Test(term, colours_are_those_of_the_palette)
{
	struct surface *s = picture(24, 4);
	VTermScreenCell c;

	begin("xterm-256color", 24, 4);
	show(s, "default", false);
	feed();
	cr_assert(cell(2, 1).attrs.bold);
	cr_assert(VTERM_COLOR_IS_DEFAULT_BG(&(VTermColor){ .type = cell(2, 1).bg.type }));
	c = cell(8, 1); /* a digit: the ramp behind it, black on it */
	cr_assert(VTERM_COLOR_IS_INDEXED(&c.bg));
	cr_assert_eq(c.bg.indexed.idx, 226);
	cr_assert_eq(c.fg.indexed.idx, 16);
	c = cell(9, 1); /* a shade: the ramp itself */
	cr_assert(VTERM_COLOR_IS_INDEXED(&c.fg));
	cr_assert_eq(c.fg.indexed.idx, 226);
	cr_assert_eq(cell(11, 1).fg.indexed.idx, 214);
}

Test(term, mono_writes_no_colour)
{
	struct surface *s = picture(24, 4);
	char bytes[8192];
	ssize_t n;

	begin("vt100", 24, 4);
	cr_assert_eq(term_colors(term), 0);
	show(s, "default", true);
	feed();
	cr_assert_str_eq(row(0, 24), "#= Title ======= note =#");
	cr_assert_str_eq(row(1, 24), "# bold  4# @           #");
	cr_assert_str_eq(row(2, 24), "# ? ?  ? ''            #");
	cr_assert(cell(2, 1).attrs.bold);
	n = pread(out, bytes, sizeof bytes - 1, 0);
	bytes[n] = 0;
	for (char *at = bytes; (at = strstr(at, "\033[")); at++) {
		size_t len = strspn(at + 2, "0123456789;");

		cr_assert(at[2 + len] != 'm' || atoi(at + 2) < 30, "a colour was written: %.*s",
			(int)len, at + 2);
	}
}

Test(term, eight_colours_are_enough)
{
	struct surface *s = picture(24, 4);

	begin("linux", 24, 4);
	cr_assert_eq(term_colors(term), 8);
	show(s, "dark", true);
	feed();
	cr_assert_str_eq(row(1, 24), "# bold  4# @           #");
}

Test(term, a_frame_that_did_not_change_costs_nothing)
{
	struct surface *s = picture(100, 30);
	size_t full, same, one;

	begin("xterm-256color", 100, 30);
	show(s, "default", false);
	full = feed();
	cr_assert_gt(full, 100);
	show(s, "default", false);
	same = feed();
	cr_assert_eq(same, 0, "%zu bytes", same);
	canvas_text(&(struct canvas){ s, 0, 0, 100, 30 }, 50, 20, ROLE_TEXT, "x");
	show(s, "default", false);
	one = feed();
	cr_assert(one > 0 && one < 100, "%zu bytes", one);
	cr_assert_eq(term_bytes(term), (unsigned long)lseek(out, 0, SEEK_END));
}

Test(term, frames_are_wrapped_as_one)
{
	struct surface *s = picture(24, 4);
	char bytes[8192], *begin_at, *end_at;
	ssize_t n;

	begin("xterm-256color", 24, 4);
	show(s, "default", false);
	feed();
	n = pread(out, bytes, sizeof bytes - 1, 0);
	bytes[n] = 0;
	begin_at = strstr(bytes, "\033[?2026h");
	end_at = strstr(bytes, "\033[?2026l");
	cr_assert(begin_at && end_at && strstr(begin_at, "Title") < end_at);
	term_set_sync(term, false);
	surface_clear(s);
	show(s, "default", false);
	feed();
	n = pread(out, bytes, sizeof bytes - 1, end_at - bytes + 8);
	bytes[n] = 0;
	cr_assert_null(strstr(bytes, "?2026"));
}

Test(term, only_known_escapes_are_sent)
{
	struct surface *s = keep(surface_new(40, 4));
	struct canvas c = canvas_of(s);
	char bytes[16384];
	ssize_t n;

	begin("xterm-256color", 40, 4);
	canvas_text(&c, 0, 0, ROLE_TEXT,
		"\033]0;title\a\033[5n\x9b"
		"6n\033P$q\033\\ \xc2\x9d"
		"x");
	canvas_text(&c, 0, 1, ROLE_TEXT, "\033]52;c;aGk=\a \xe2\x80\xae rtl");
	show(s, "default", false);
	feed();
	n = pread(out, bytes, sizeof bytes - 1, 0);
	bytes[n] = 0;
	for (ssize_t i = 0; i + 1 < n; i++) {
		cr_assert((unsigned char)bytes[i] != 7, "a bell or the end of an OSC");
		if (bytes[i] == 033)
			cr_assert(strchr("[(=>", bytes[i + 1]), "ESC %c", bytes[i + 1]);
	}
	cr_assert_str_eq(row(0, 40), "]0;title[5n\357\277\2756nP$q\\ x");
}

Test(term, the_cursor_is_where_the_surface_says)
{
	struct surface *s = picture(24, 4);
	VTermPos at;
	VTermState *state;

	begin("xterm-256color", 24, 4);
	state = vterm_obtain_state(vt);
	canvas_cursor(&(struct canvas){ s, 0, 0, 24, 4 }, 5, 2, true);
	show(s, "default", false);
	feed();
	vterm_state_get_cursorpos(state, &at);
	cr_assert_eq(at.row, 2);
	cr_assert_eq(at.col, 5);
}

static bool sees_cursor;

static int on_property(VTermProp prop, VTermValue *value, void *user)
{
	(void)user;
	if (prop == VTERM_PROP_CURSORVISIBLE)
		sees_cursor = value->boolean;
	return 1;
}

Test(term, a_cursor_that_marks_the_focus_is_moved_and_seen_where_that_is_wanted)
{
	static const VTermScreenCallbacks hear = { .settermprop = on_property };
	struct surface *s = picture(24, 4);
	struct canvas all = { s, 0, 0, 24, 4 };
	VTermPos at;

	begin("xterm-256color", 24, 4);
	vterm_screen_set_callbacks(screen, &hear, NULL);
	canvas_cursor(&all, 7, 1, false);
	show(s, "default", false);
	feed();
	vterm_state_get_cursorpos(vterm_obtain_state(vt), &at);
	cr_assert_eq(at.row, 1);
	cr_assert_eq(at.col, 7);
	cr_assert_not(sees_cursor);
	term_show_cursor(term, true);
	show(s, "default", false);
	feed();
	cr_assert(sees_cursor);
	term_show_cursor(term, false);
	show(s, "default", false);
	feed();
	cr_assert_not(sees_cursor);
}

Test(term, any_size_of_surface_is_shown_in_any_size_of_terminal)
{
	begin("xterm-256color", 7, 3);
	for (int w = 1; w < 12; w++)
		for (int h = 1; h < 6; h++) {
			struct surface *s = picture(w, h);

			show(s, "default", false);
			feed();
		}
	cr_assert_str_eq(row(0, 7), "┏━ Titl");
}

Test(term, leaving_puts_everything_back)
{
	struct surface *s = picture(24, 4);
	char bytes[8192];
	off_t from;
	ssize_t n;

	begin("xterm-256color", 24, 4);
	show(s, "default", false);
	feed();
	from = lseek(out, 0, SEEK_END);
	term_close(term);
	term = NULL;
	n = pread(out, bytes, sizeof bytes - 1, from);
	cr_assert_gt(n, 0);
	bytes[n] = 0;
	cr_assert(strstr(bytes, "\033[?1000l"), "mouse");
	cr_assert(strstr(bytes, "\033[?2004l"), "paste");
	cr_assert(strstr(bytes, "\033[?1049l"), "alternate screen");
	cr_assert(strstr(bytes, "\033[?25h") || strstr(bytes, "\033[?12l\033[?25h"), "cursor");
}

Test(term, the_clipboard_is_base64)
{
	char bytes[8192];
	ssize_t n;

	begin("xterm-256color", 24, 4);
	feed();
	term_clipboard(term, "layers.0.q é");
	feed();
	n = pread(out, bytes, sizeof bytes - 1, 0);
	bytes[n] = 0;
	cr_assert(strstr(bytes, "\033]52;c;bGF5ZXJzLjAucSDDqQ==\a"));
}

Test(term, an_unknown_terminal_is_taken_for_xterm)
{
	struct term_options o = { .in = -1, .out = -1, .name = "no-such-terminal", .w = 9, .h = 9 };
	struct err e;
	bool unknown = false;

	cr_assert_not(term_open(&term, &o, &unknown, &e), "%s", e.msg);
	cr_assert(unknown);
	cr_assert_eq(term_colors(term), 256);
}

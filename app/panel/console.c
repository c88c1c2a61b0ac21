/* console - Lua beside the panels it drives: what was typed, what came of it, and the next line.
 *
 * What is typed goes out as a command and comes back: as an event that says that it runs or must wait,
 * or, before the next key, as the command "more": it is not a whole chunk yet. */
#include "app/panel/console.h"

#include <stdio.h>
#include <string.h>

#include "app/panel/common.h"
#include "app/panel/editor.h"
#include "app/panel/entry.h"
#include "app/panel/lines.h"
#include "app/panel/panel.h"
#include "app/tui/keys.h"
#include "core/base/alloc.h"

enum { NAMES = 64, NAMES_SHOWN = 8 };

struct name {
	char text[64], help[128];
};

struct console_panel {
	struct lines *said;
	struct editor edit;
	bool away;         /* from the input line: letters are commands */
	char *state;       /* what runs; NULL: nothing */
	bool refused;      /* the last chunk came back */
	bool asked;        /* candidates may come */
	size_t word;       /* bytes before the cursor that a candidate replaces */
	struct name *name; /* [n_names] */
	size_t n_names;
	int chosen;    /* -1: none */
	char *command; /* lent out by on_text */
};

static const struct binding keys[] = {
	{ "Enter", "open",
		"run the chunk, or a new line where it is not complete; in the "
		"transcript: back to the input line" },
	{ "M-Enter C-j", "newline", "a new line in the chunk" },
	{ "i", "write", "to the input line, where Tab completes and Up recalls" },
	{ "t", "traceback", "errors with their tracebacks, or without" },
	{ "C-k", "wipe", "in the transcript: empty it" },
	{ NULL, NULL, NULL },
};

static void *create(void)
{
	struct console_panel *p = xalloc(sizeof *p);

	p->said = lines_new();
	p->name = xarray(NAMES, sizeof *p->name);
	p->edit.by_prefix = true;
	p->chosen = -1;
	return p;
}

static void destroy(void *self)
{
	struct console_panel *p = self;

	lines_free(p->said);
	editor_release(&p->edit);
	xfree(p->name);
	xfree(p->state);
	xfree(p->command);
	xfree(p);
}

static void close_names(struct console_panel *p)
{
	p->n_names = 0;
	p->chosen = -1;
	p->asked = false;
}

/* ---- events */

/* Before what was typed meanwhile. */
static void put_before(struct console_panel *p, const char *text)
{
	char *later = xstrdup(p->edit.n ? p->edit.text : "");

	editor_set(&p->edit, text);
	editor_insert(&p->edit, later, strlen(later));
	xfree(later);
}

static void hear_past(struct console_panel *p, const char *text)
{
	char *all = xstrdup(text), *save = NULL;

	for (char *s = strtok_r(all, "\n", &save); s; s = strtok_r(NULL, "\n", &save)) {
		for (char *b = s; (b = strchr(b, CONSOLE_BREAK)) != NULL;)
			*b = '\n';
		editor_remember(&p->edit, s);
	}
	xfree(all);
}

static void replace_word(struct console_panel *p, const char *with, size_t n)
{
	struct editor *e = &p->edit;

	if (p->word > e->at)
		return;
	memmove(e->text + e->at - p->word, e->text + e->at, e->n - e->at + 1);
	e->n -= p->word;
	e->at -= p->word;
	editor_insert(e, with, n);
	p->word = n;
}

static size_t common(const struct console_panel *p)
{
	size_t n = strlen(p->name[0].text);

	for (size_t i = 1; i < p->n_names; i++) {
		size_t same = 0;

		while (same < n && p->name[i].text[same] == p->name[0].text[same])
			same++;
		n = same;
	}
	return n;
}

static void hear_names(struct console_panel *p, const char *text, size_t word)
{
	size_t n;

	if (!p->asked || word > p->edit.at)
		return;
	close_names(p);
	for (const char *s = text; *s && p->n_names < NAMES; s += n + (s[n] == '\n')) {
		struct name *to = &p->name[p->n_names++];
		size_t tab = strcspn(s, "\t\n");

		n = strcspn(s, "\n");
		snprintf(to->text, sizeof to->text, "%.*s", (int)tab, s);
		snprintf(to->help, sizeof to->help, "%.*s", (int)(tab < n ? n - tab - 1 : 0),
			s + tab + (tab < n));
	}
	p->word = word;
	if (!p->n_names)
		return;
	n = common(p);
	if (n > word)
		replace_word(p, p->name[0].text, n);
	if (p->n_names == 1)
		close_names(p);
}

static void said(
	struct console_panel *p, const char *text, const char *before, enum role role, bool fold)
{
	lines_add(p->said, text,
		(struct line_look){
			.first = before, .rest = *before ? "  " : "", .role = role, .fold = fold });
}

static bool on_event(void *self, const struct event *ev)
{
	struct console_panel *p = self;
	const struct snap_text *snap = (const struct snap_text *)ev->snap;
	const char *text = snap ? snap->text : "";

	switch ((enum console_say)ev->key) {
	case CONSOLE_PAST:
		hear_past(p, text);
		return false;
	case CONSOLE_INPUT:
		said(p, text, "> ", ROLE_ACCENT, false);
		editor_remember(&p->edit, text);
		lines_last(p->said);
		break;
	case CONSOLE_OUT:
		said(p, text, "", ROLE_TEXT, false);
		break;
	case CONSOLE_ERROR:
		said(p, text, "", ROLE_BAD, true);
		break;
	case CONSOLE_NOTE:
		said(p, text, "", ROLE_DIM, false);
		break;
	case CONSOLE_STATE:
		xfree(p->state);
		p->state = *text ? xstrdup(text) : NULL;
		break;
	case CONSOLE_BACK:
		put_before(p, text);
		p->refused = true;
		break;
	case CONSOLE_NAMES:
		hear_names(p, text, ev->n > 0 ? (size_t)ev->n : 0);
		break;
	}
	return true;
}

/* ---- typing */

static const char *lend(struct console_panel *p, char *command)
{
	xfree(p->command);
	return p->command = command;
}

static const char *run(struct console_panel *p)
{
	char *command;

	if (editor_blank(&p->edit))
		return "";
	command = editor_command("lua", p->edit.text);
	editor_set(&p->edit, "");
	lines_last(p->said);
	return lend(p, command);
}

static const char *complete(struct console_panel *p, int step)
{
	const char *s;
	char *before;

	if (editor_blank(&p->edit))
		return NULL; /* Tab leaves, as it does elsewhere */
	if (p->n_names) {
		p->chosen += step;
		if (p->chosen >= (int)p->n_names)
			p->chosen = 0;
		if (p->chosen < 0)
			p->chosen = (int)p->n_names - 1;
		s = p->name[p->chosen].text;
		replace_word(p, s, strlen(s));
		return "";
	}
	before = xstrndup(p->edit.text, p->edit.at);
	p->asked = true;
	lend(p, editor_command("complete", before));
	xfree(before);
	return p->command;
}

static const char *leave(struct console_panel *p)
{
	bool names = p->n_names;

	close_names(p);
	if (names)
		return "";
	if (p->state)
		return "stop";
	p->away = true;
	return "";
}

static const char *interrupt(struct console_panel *p)
{
	if (p->state || !p->edit.n)
		return NULL;
	editor_set(&p->edit, "");
	return "";
}

static const char *on_text(void *self, uint32_t key)
{
	struct console_panel *p = self;

	p->refused = false;
	switch (key) {
	case KEY_TAB:
		return complete(p, 1);
	case KEY_SHIFT | KEY_TAB:
		return p->n_names ? complete(p, -1) : NULL;
	case KEY_ESC:
		return leave(p);
	default:
		close_names(p);
	}
	switch (key) {
	case KEY_ENTER:
		return run(p);
	case KEY_CTRL | 'c':
		return interrupt(p);
	case KEY_PGUP:
	case KEY_PGDN:
		lines_page(p->said, key == KEY_PGUP ? -1 : 1);
		return "";
	default:
		return editor_key(&p->edit, key) ? "" : NULL;
	}
}

static void on_paste(void *self, const char *s, size_t n)
{
	struct console_panel *p = self;

	close_names(p);
	p->edit.cut = false;
	editor_insert(&p->edit, s, n);
}

static bool wants_text(const void *self)
{
	return !((const struct console_panel *)self)->away;
}

/* ---- commands */

static void move(struct console_panel *p, const char *where)
{
	if (!strcmp(where, "up") || !strcmp(where, "down"))
		lines_scroll(p->said, *where == 'u' ? -1 : 1);
	else if (!strncmp(where, "page-", 5))
		lines_page(p->said, where[5] == 'u' ? -1 : 1);
	else if (!strcmp(where, "first"))
		lines_first(p->said);
	else if (!strcmp(where, "last"))
		lines_last(p->said);
}

static bool on_command(void *self, const char *word, const char *arg)
{
	struct console_panel *p = self;

	if (!strcmp(word, "move")) {
		move(p, arg);
		return true;
	}
	if (!strcmp(word, "traceback")) {
		lines_unfold(p->said);
		return true;
	}
	if (!strcmp(word, "more")) {
		put_before(p, arg);
		editor_insert(&p->edit, "\n", 1);
		return true;
	}
	if (!strcmp(word, "wipe")) {
		lines_clear(p->said);
		return true;
	}
	return entry_command(&p->edit, &p->away, word);
}

/* ---- drawing */

static void draw_state(const struct console_panel *p, struct canvas *c, int y)
{
	char below[48];

	if (p->state)
		panel_cut(c, 0, y, c->w, ROLE_ACCENT, p->state);
	else if (p->edit.cut)
		panel_cut(c, 0, y, c->w, ROLE_WARN, "a chunk holds 64 kB: the rest was left out");
	else
		panel_cut(c, 0, y, c->w, ROLE_DIM,
			p->away ? "i writes  t tracebacks  C-k empties"
				: "Enter runs  Tab completes  Up recalls  Esc leaves");
	if (p->state && p->refused)
		canvas_right(c, c->w, y, ROLE_WARN, " one at a time: it waits here ");
	else if (lines_below(p->said)) {
		snprintf(below, sizeof below, " %zu below ", lines_below(p->said));
		canvas_right(c, c->w, y, ROLE_DIM, below);
	}
}

static void draw_names(const struct console_panel *p, struct canvas *c)
{
	int n = (int)p->n_names, room = c->h < NAMES_SHOWN ? c->h : NAMES_SHOWN, w = 0;
	size_t top;
	struct canvas in;

	if (n > room)
		n = room;
	if (n < 1)
		return;
	top = panel_scrolled(p->n_names, (size_t)n, p->chosen < 0 ? 0 : (size_t)p->chosen);
	in = canvas_sub(c, 0, c->h - n, c->w, n);
	canvas_fill(&in, 0, 0, in.w, in.h, ROLE_TEXT, ' ');
	for (size_t i = 0; i < p->n_names; i++)
		if ((int)strlen(p->name[i].text) > w)
			w = (int)strlen(p->name[i].text);
	for (int i = 0; i < n; i++) {
		const struct name *name = &p->name[top + (size_t)i];
		bool chosen = (int)top + i == p->chosen;

		if (chosen)
			canvas_fill(&in, 0, i, in.w, 1, ROLE_SEL, ' ');
		canvas_text(&in, 1, i, chosen ? ROLE_SEL : ROLE_ACCENT, name->text);
		panel_cut(&in, w + 3, i, in.w - w - 3, chosen ? ROLE_SEL : ROLE_DIM, name->help);
	}
}

static void draw(const void *self, struct canvas *c, bool focus)
{
	const struct console_panel *p = self;
	struct entry l;
	struct entry_rows r;
	struct canvas top;

	entry_wrap(&p->edit, c->w, &l);
	r = entry_share(c->h, l.n, 2);
	top = canvas_sub(c, 0, 0, c->w, r.above);
	if (lines_empty(p->said))
		panel_cut(&top, 0, 0, top.w, ROLE_DIM,
			"Lua: bitdial.search{ bpw = 3 } turns the dial; F1 has the keys.");
	lines_draw(p->said, &top);
	if (p->n_names)
		draw_names(p, &top);
	if (r.state)
		draw_state(p, c, r.above);
	if (r.input)
		entry_draw(&p->edit, c, r.above + r.state, r.input, &l,
			(struct entry_look){ .prompt = ">", .away = p->away, .focus = focus });
	entry_release(&l);
}

static const char *on_mouse(void *self, int x, int y, int button, int w, int h)
{
	struct console_panel *p = self;
	struct entry_rows r;
	struct entry l;

	(void)x;
	if (button == MOUSE_WHEEL_UP || button == MOUSE_WHEEL_DOWN) {
		lines_scroll(p->said, button == MOUSE_WHEEL_UP ? -3 : 3);
		return "";
	}
	entry_wrap(&p->edit, w, &l);
	r = entry_share(h, l.n, 2);
	entry_release(&l);
	if (button != MOUSE_LEFT || y < r.above + r.state)
		return NULL;
	p->away = false;
	return "";
}

/* What the last chunk printed. */
static char *copy(const void *self)
{
	return lines_copy(((const struct console_panel *)self)->said, ROLE_TEXT);
}

const struct panel_class panel_console = {
	.name = "console",
	.title = "Lua",
	.min_w = 30,
	.min_h = 4,
	.events = 1u << EV_CONSOLE,
	.keys = keys,
	.create = create,
	.destroy = destroy,
	.on_event = on_event,
	.on_text = on_text,
	.on_paste = on_paste,
	.wants_text = wants_text,
	.on_command = on_command,
	.on_mouse = on_mouse,
	.copy = copy,
	.draw = draw,
};

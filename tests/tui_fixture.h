/* tui_fixture.h - panels that say what they heard, a fake session, and a headless run of a
 * key script; for suites of app/tui.  Include in one file of a binary. */
#ifndef BD_TESTS_TUI_FIXTURE_H
#define BD_TESTS_TUI_FIXTURE_H

#include <criterion/criterion.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/panel/panel.h"
#include "app/tui/keys.h"
#include "app/tui/loop.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "tests/fake_session.h"

#define HELPER __attribute__((unused)) static /* not every suite needs each */

struct spy {
	char last[64]; /* command it took */
	char filter[64], text[256], command[300];
	int events;
	int64_t cursor;
	bool leaves; /* has left its input line */
};

static void *spy_new(void)
{
	return xalloc(sizeof(struct spy));
}
static void spy_free(void *self)
{
	xfree(self);
}
static bool spy_event(void *self, const struct event *ev)
{
	(void)ev;
	((struct spy *)self)->events++;
	return true;
}
static void spy_draw(const void *self, struct canvas *c, bool focus)
{
	const struct spy *s = self;

	canvas_printf(c, 0, 0, ROLE_TEXT, "%s%s", focus ? "focus " : "", s->last);
	if (s->filter[0])
		canvas_printf(c, 0, 1, ROLE_TEXT, "filter %s", s->filter);
	if (s->text[0])
		canvas_text(c, 0, 2, ROLE_TEXT, s->text);
}
static bool map_command(void *self, const char *word, const char *arg)
{
	struct spy *s = self;

	if (!strcmp(word, "filter")) {
		snprintf(s->filter, sizeof s->filter, "%s", arg);
		return true;
	}
	if (strcmp(word, "cursor") && strcmp(word, "view") && strcmp(word, "open") &&
		strcmp(word, "sing"))
		return false;
	snprintf(s->last, sizeof s->last, "%.20s %.40s", word, arg);
	s->cursor += !strcmp(arg, "right");
	return true;
}
static int64_t map_cursor(const void *self)
{
	return ((const struct spy *)self)->cursor;
}
static char *map_copy(const void *self)
{
	(void)self;
	return xstrdup("layers.0.q");
}
static const char *map_mouse(void *self, int x, int y, int button, int w, int h)
{
	struct spy *s = self;

	(void)w, (void)h;
	snprintf(s->command, sizeof s->command, "cursor at %d %d %d", x, y, button);
	return s->command;
}
static const char *map_note(const void *self)
{
	(void)self;
	return "32 layers";
}
static bool talk_wants(const void *self)
{
	return !((const struct spy *)self)->leaves;
}
static const char *talk_text(void *self, uint32_t key)
{
	struct spy *s = self;
	size_t n = strlen(s->text);

	if (key == KEY_ENTER) {
		snprintf(s->command, sizeof s->command, "say %s", s->text);
		s->text[0] = 0;
		return s->command;
	}
	if (key == KEY_ESC) {
		s->leaves = true;
		return "";
	}
	if (!key_is_text(key) || key > 126 || n + 2 > sizeof s->text)
		return NULL;
	s->text[n] = (char)key;
	s->text[n + 1] = 0;
	return "";
}
static void talk_paste(void *self, const char *s, size_t n)
{
	struct spy *p = self;

	snprintf(p->text, sizeof p->text, "%.*s", (int)n, s);
}

static const struct binding map_keys[] = {
	{ "h j k l", "cursor left | cursor down | cursor up | cursor right", "move the crosshair" },
	{ "v", "view next", "bits, damage" },
	{ NULL, NULL, NULL },
};
static const struct binding slider_keys[] = {
	{ ", .", "budget -0.05 | budget +0.05", "0.05 bit less, more" },
	{ NULL, NULL, NULL },
};

#define SPY .create = spy_new, .destroy = spy_free, .on_event = spy_event, .draw = spy_draw
static const struct panel_class spy_map = { .name = "heatmap",
	.title = "Sensitivity",
	.min_w = 42,
	.min_h = 9,
	.keys = map_keys,
	.events = ~0ull,
	SPY,
	.on_command = map_command,
	.copy = map_copy,
	.cursor = map_cursor,
	.on_mouse = map_mouse,
	.note = map_note };
static const struct panel_class spy_cell = {
	.name = "cell", .title = "Cell", .min_w = 30, .min_h = 8, SPY
};
static const struct panel_class spy_slider = {
	.name = "slider", .title = "Budget", .min_w = 24, .min_h = 1, .keys = slider_keys, SPY
};
static const struct panel_class spy_front = {
	.name = "front", .title = "Front", .min_w = 40, .min_h = 5, SPY
};
static const struct panel_class spy_search = {
	.name = "search", .title = "Search", .min_w = 30, .min_h = 6, SPY
};
static const struct panel_class spy_jobs = {
	.name = "jobs", .title = "Jobs", .min_w = 30, .min_h = 1, SPY
};
static const struct panel_class spy_chat = { .name = "chat",
	.title = "Chat",
	.min_w = 40,
	.min_h = 6,
	SPY,
	.on_text = talk_text,
	.wants_text = talk_wants,
	.on_paste = talk_paste };
static const struct panel_class *const spies[] = { &spy_map, &spy_cell, &spy_slider, &spy_front,
	&spy_search, &spy_jobs, &spy_chat, NULL };

/* ---- a run */

static struct bus *bus;
static struct sub *sub; /* hears what is published before the next run */
static char dir[64];

static void fixture_open(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	setenv("LC_ALL", "C.UTF-8", 1);
	setenv("TERM", "xterm-256color", 1);
	unsetenv("NO_COLOR");
	unsetenv("COLORFGBG");
	snprintf(dir, sizeof dir, "/tmp/bdtuiXXXXXX");
	cr_assert(mkdtemp(dir));
	setenv("XDG_CONFIG_HOME", dir, 1);
	setenv("XDG_STATE_HOME", dir, 1);
	setenv("BITDIAL_SHARE", dir, 1); /* what is built in, whatever is beside the suite */
	bus = bus_new();
	sub = tui_subscribe(bus);
	fake = (struct session){ .bpw = 4.25 };
}

static void fixture_close(void)
{
	struct err e;

	bus_free(bus);
	cr_expect_not(fs_remove_tree(dir, &e), "%s", e.msg);
}

static char *path_of(const char *name)
{
	static char path[4][128];
	static int at;

	at = (at + 1) % 4;
	snprintf(path[at], sizeof path[at], "%s/%s", dir, name);
	return path[at];
}

static void write_text(const char *name, const char *text)
{
	struct err e;

	cr_assert_not(fs_write_all(path_of(name), text, strlen(text), &e), "%s", e.msg);
}

HELPER char *read_text(const char *name)
{
	struct err e = { 0 };
	char *text;
	size_t n;

	cr_assert_not(fs_read(path_of(name), 1 << 20, &text, &n, &e), "%s", e.msg);
	return text;
}

/* Runs a key script and returns the last frame; big_free. */
static char *play_with(struct tui_options o, int w, int h, const char *keys)
{
	write_text("keys", keys);
	o.headless = true;
	o.w = w;
	o.h = h;
	o.keys = path_of("keys");
	o.dump = path_of("frame");
	if (!o.panels)
		o.panels = spies;
	o.state_dir = dir;
	o.sub = sub;
	sub = tui_subscribe(bus);
	cr_assert_eq(tui_run(&fake, bus, &o), 0);
	return read_text("frame");
}

HELPER char *play(int w, int h, const char *keys)
{
	return play_with((struct tui_options){ 0 }, w, h, keys);
}

/* Row y of a frame, in a static buffer. */
HELPER const char *row(const char *frame, int y)
{
	static char buf[4][2048];
	static int at;
	size_t n;

	for (; y > 0; y--) {
		frame += strcspn(frame, "\n");
		frame += *frame == '\n';
	}
	n = strcspn(frame, "\n");
	at = (at + 1) % 4;
	snprintf(buf[at], sizeof buf[at], "%.*s", (int)n, frame);
	return buf[at];
}

HELPER int rows(const char *frame)
{
	int n = 0;

	for (; *frame; frame++)
		n += *frame == '\n';
	return n;
}

/* ---- snapshots as the session would publish them */

static void publish(enum ev_kind kind, struct snap *snap)
{
	bus_publish(bus, (struct event){ .kind = kind, .snap = snap });
}

HELPER void publish_model(void)
{
	struct snap_model *m = snap_model_new(14, 2);
	struct err e;

	snprintf(m->name, sizeof m->name, "tiny");
	snprintf(m->arch, sizeof m->arch, "llama");
	snprintf(m->reference, sizeof m->reference, "Q4_1 file, dequantized");
	snprintf(m->text, sizeof m->text, "self-sampled, seed 1");
	snprintf(m->device, sizeof m->device, "cpu, 2 threads");
	m->layers = 2;
	m->ctx = 8192;
	m->params = 134515008;
	m->file_bytes = 98362432;
	cr_assert_not(format_parse(&m->format[0], "int2g64", &e));
	cr_assert_not(format_parse(&m->format[1], "int4g128", &e));
	publish(EV_MODEL, &m->snap);
}

HELPER void publish_answer(void)
{
	struct snap_answer *a = snap_answer_new(14, false);

	a->stored_bpw = 4.25;
	a->kl = 0.0131;
	a->in_nats = true;
	a->bytes = 59 << 20;
	a->measured_kl = NAN;
	publish(EV_ANSWER, &a->snap);
}

HELPER void publish_job(uint32_t id, const char *name, double done, double total)
{
	struct snap_progress *p = snap_progress_new();

	bus_publish(
		bus, (struct event){
			     .kind = EV_JOB_BEGAN, .key = id, .snap = &snap_text_new(name)->snap });
	snprintf(p->name, sizeof p->name, "%s", name);
	p->done = done;
	p->total = total;
	p->left_s = 3;
	bus_publish(bus, (struct event){ .kind = EV_JOB_PROGRESS, .key = id, .snap = &p->snap });
}

HELPER void publish_chat(bool streaming)
{
	struct snap_chat *c = snap_chat_new("hi", 2, NULL, 0);

	c->stats.streaming = streaming;
	fake.streaming = streaming;
	publish(EV_CHAT, &c->snap);
}

#endif

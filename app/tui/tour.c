/* tour - where we are in it, what is shown of it, and the keys it sends. */
#include "app/tui/tour.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/tui/commands.h"
#include "app/tui/keys.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/text.h"

/* Seconds: to read a sentence, after a key, after a typed character, for what runs to end. */
static const double to_read = 3.5, after_key = 0.4, after_char = 0.07, patience = 120;

/* ---- the stations */

static void load(struct tui *t, struct tour_script *s)
{
	char *path = fs_share("tour.lua");
	struct err e = { 0 };
	bool ok = fs_is_file(path) && !tour_load(s, path, &e);

	if (e.msg[0])
		tui_notice(t, LOG_ERROR, "%s; the built-in one is used", e.msg);
	if (!ok && tour_parse(s, "tour.lua", tour_builtin, strlen(tour_builtin), &e))
		tui_notice(t, LOG_ERROR, "%s", e.msg);
	xfree(path);
}

/* What the stations speak of is in the default arrangement of the Search screen. */
static void put_default(struct tui *t)
{
	const char *name = screen_first(t, '1');

	screen_go(t, "search");
	if (!name || t->place[t->at].arr.key != '1' || !strcmp(t->place[t->at].arr.name, name))
		return;
	snprintf(t->tour->former, ARR_NAME, "%s", t->place[t->at].arr.name);
	screen_choose(t, name);
}

/* ... unless another was chosen meanwhile; who is on another screen stays there. */
static void give_back(struct tui *t)
{
	const char *name = screen_first(t, '1');
	size_t at = t->at;

	for (size_t i = 0; name && t->tour->former[0] && i < t->n_places; i++)
		if (t->place[i].arr.key == '1' && !strcmp(t->place[i].arr.name, name)) {
			screen_choose(t, t->tour->former);
			t->at = at;
			return;
		}
}

static void at_station(struct tui *t)
{
	struct tour *tour = t->tour;

	tour->heard = false;
	tour->line = tour->ch = 0;
	tour->waits = 0;
	tour->next = clock_now() + (t->o->headless ? 0 : to_read);
	t->dirty = true;
}

void tour_begin(struct tui *t, bool plays)
{
	tour_end(t);
	t->tour = xalloc(sizeof *t->tour);
	load(t, &t->tour->script);
	if (!t->tour->script.n) {
		tour_end(t);
		return;
	}
	t->tour->plays = plays;
	t->stats.tour_stations = t->tour->script.n;
	t->stats.tour_passed = 0;
	t->hint = false;
	if (!t->o->plain)
		put_default(t);
	at_station(t);
}

void tour_end(struct tui *t)
{
	if (t->tour)
		give_back(t);
	xfree(t->tour);
	t->tour = NULL;
	t->dirty = true;
}

void tour_next(struct tui *t)
{
	struct tour *tour = t->tour;

	t->stats.tour_passed += tour->heard;
	if (++tour->at < tour->script.n) {
		at_station(t);
		return;
	}
	if (tour->plays)
		t->quit = true; /* who plays it says the last sentence */
	else
		tui_notice(t, LOG_INFO, "%s", tour->script.finish);
	snprintf(t->tour_said, sizeof t->tour_said, "%s", tour->script.finish);
	tour_end(t);
}

static bool names(const struct tui *t, const struct tour_station *s, const char *command)
{
	size_t n = strlen(command);

	if (!strcmp(s->waits, command))
		return true;
	return t->o->plain && !strncmp(s->command, command, n) &&
	       (!s->command[n] || s->command[n] == ' ');
}

void tour_heard(struct tui *t, const char *command)
{
	struct tour *tour = t->tour;

	/* One that only opened the command line has done nothing yet. */
	if (!tour || t->prompt.kind || !names(t, &tour->script.station[tour->at], command))
		return;
	tour->heard = true;
	if (!tour->plays)
		tour_next(t);
}

bool tour_key(struct tui *t, uint32_t key)
{
	if (!t->tour || t->tour->sending)
		return false;
	if (t->tour->plays) {
		t->tour->plays = false;
		tui_notice(t, LOG_INFO, "the tour waits for you now; Esc ends it");
	}
	/* What is innermost is closed first. */
	if (key != KEY_ESC || t->list.open || t->prompt.kind || t->question || t->filtering ||
		t->zoom || t->bare || focus_takes_text(t))
		return false;
	tour_end(t);
	tui_notice(t, LOG_INFO, "the tour is over (:tour begins it again)");
	return true;
}

/* ---- what is seen of it */

struct wrapped {
	struct canvas *c;
	const char *text;
	int y;
};

static void draw_line(void *arg, size_t start, size_t len)
{
	struct wrapped *w = arg;

	if (w->c)
		canvas_textn(w->c, 0, w->y, ROLE_TEXT, w->text + start, len);
	w->y++;
}

void tour_draw(const struct tui *t, struct canvas *all)
{
	enum { WIDEST = 58 };
	const struct tour *tour = t->tour;
	const struct tour_station *s;
	struct wrapped lines = { 0 };
	struct canvas box, in;
	char title[32];
	int w, h;

	if (!tour || all->w < 24 || all->h < 8)
		return;
	s = &tour->script.station[tour->at];
	w = all->w - 2 < WIDEST ? all->w - 2 : WIDEST;
	canvas_wrap(s->say, strlen(s->say), w - 4, draw_line, &lines);
	h = lines.y + 3;
	if (h > all->h - 3)
		h = all->h - 3;
	/* Above an input line, not on it. */
	box = canvas_sub(all, all->w - w - 1, focus_takes_text(t) ? 1 : all->h - h - 2, w, h);
	canvas_fill(&box, 0, 0, w, h, ROLE_TEXT, ' ');
	snprintf(title, sizeof title, "Tour %zu of %zu", tour->at + 1, tour->script.n);
	canvas_box(&box, true, title, tour->plays ? "plays by itself" : "Esc ends it");
	in = canvas_sub(&box, 2, 1, w - 4, h - 3);
	lines = (struct wrapped){ &in, s->say, 0 };
	canvas_wrap(s->say, strlen(s->say), w - 4, draw_line, &lines);
	canvas_printf(&box, 2, h - 2, ROLE_STRONG, "press %s", s->key);
}

/* ---- the keys it sends */

double tour_due(const struct tui *t)
{
	double left;

	if (!t->tour || !t->tour->plays)
		return -1;
	left = t->tour->next - clock_now();
	return left > 0 ? left : 0;
}

static void send(struct tui *t, uint32_t key)
{
	double from = clock_now();

	t->tour->sending = true;
	tui_key(t, key);
	if (t->tour) {
		t->tour->sending = false;
		t->tour->next = clock_now();
	}
	tui_key_shown(t, (clock_now() - from) * 1000);
}

static void pause_for(struct tui *t, double s)
{
	if (t->tour)
		t->tour->next = clock_now() + (t->o->headless ? 0 : s);
}

static void next_line(struct tour *tour)
{
	tour->line++;
	tour->ch = 0;
	tour->waits = 0;
}

/* True: over, or it took too long. */
static bool waited(struct tui *t, const char *what, bool more)
{
	struct tour *tour = t->tour;
	double now = clock_now();
	bool first = !tour->waits;

	if (first)
		tour->waits = now;
	if (!strcmp(what, "idle"))
		return (!more && !first && tui_idle(t) && !t->streaming) ||
		       now - tour->waits > patience;
	return now - tour->waits >= strtod(what, NULL) / 1000;
}

/* A character of "type TEXT", or a key of a line of names. */
static void send_next(struct tui *t, const char *line)
{
	bool typed = !strncmp(line, "type ", 5);
	struct tour *tour = t->tour;
	uint32_t key;
	size_t n;

	if (typed && !tour->ch)
		tour->ch = 5;
	line += tour->ch;
	if (typed) {
		n = utf8_decode(line, strlen(line), &key);
	} else {
		line += strspn(line, " ");
		n = strcspn(line, " ");
		if (!key_parse(line, n, &key))
			key = 0;
		n = (size_t)(line - tour->script.station[tour->at].play[tour->line]) + n - tour->ch;
	}
	tour->ch += n;
	if (!tour->script.station[tour->at].play[tour->line][tour->ch])
		next_line(tour);
	if (key)
		send(t, key);
	pause_for(t, typed ? after_char : after_key);
}

bool tour_play(struct tui *t, bool more)
{
	struct tour *tour = t->tour;
	const struct tour_station *s;
	const char *line;

	if (!tour || !tour->plays || clock_now() < tour->next)
		return false;
	t->dirty = true;
	s = &tour->script.station[tour->at];
	if (tour->line >= s->n_plays) {
		tour->missed += !tour->heard;
		tour_next(t);
		return true;
	}
	line = s->play[tour->line];
	if (!strncmp(line, "wait ", 5)) {
		tour->next = clock_now() + 0.02;
		if (!waited(t, line + 5, more))
			return false;
		next_line(tour);
	} else if (*line == ':' && line[1]) {
		next_line(tour);
		command_run(t, line + 1);
		pause_for(t, after_key);
	} else {
		send_next(t, line);
	}
	return true;
}

enum st cmd_tour(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	(void)argc, (void)argv, (void)rest, (void)e;
	tour_begin(t, false);
	return ST_OK;
}

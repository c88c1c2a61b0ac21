/* lists - overlays of lines: help, notices, options, doctor; typing filters them. */
#include <ctype.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "app/tui/commands.h"
#include "app/tui/devices.h"
#include "app/tui/keys.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

void list_close(struct tui *t)
{
	for (size_t i = 0; i < t->list.n; i++)
		xfree(t->list.line[i].text);
	xfree(t->list.line);
	t->list = (struct list){ 0 };
}

void list_open(struct tui *t, const char *title)
{
	list_close(t);
	t->list.open = true;
	snprintf(t->list.title, sizeof t->list.title, "%s", title);
}

void list_add(struct tui *t, enum role role, const char *fmt, ...)
{
	struct list *l = &t->list;
	char buf[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	l->line = xrealloc(l->line, (l->n + 1) * sizeof *l->line);
	l->line[l->n++] = (struct list_line){ xstrdup(buf), role };
}

bool list_line_matches(const struct list *l, const struct list_line *line)
{
	return !l->filter[0] || (line->role != ROLE_STRONG && strcasestr(line->text, l->filter));
}

/* ---- keys of an open list */

static void scroll(struct list *l, long by)
{
	long top = (long)l->top + by;

	if (top > (long)l->n - 1)
		top = (long)l->n - 1;
	l->top = top < 0 ? 0 : (size_t)top;
}

/* Of a list one line of which is chosen. */
static bool choose(struct tui *t, uint32_t key)
{
	struct list *l = &t->list;
	size_t last = l->n ? l->n - 1 : 0;

	switch (key) {
	case KEY_UP:
		l->at -= l->at > 0;
		return true;
	case KEY_DOWN:
		l->at += l->at < last;
		return true;
	case KEY_PGUP:
		l->at = l->at > 10 ? l->at - 10 : 0;
		return true;
	case KEY_PGDN:
		l->at = l->at + 10 < last ? l->at + 10 : last;
		return true;
	case KEY_HOME:
		l->at = 0;
		return true;
	case KEY_END:
		l->at = last;
		return true;
	case KEY_ESC:
	case 'q':
		list_close(t);
		return true;
	default:
		return l->on_key(t, l->at, key) || key_is_text(key);
	}
}

bool list_key(struct tui *t, uint32_t key)
{
	struct list *l = &t->list;
	size_t n = strlen(l->filter);
	char utf8[4];
	size_t len;

	if (l->on_key)
		return choose(t, key);
	switch (key) {
	case KEY_UP:
		scroll(l, -1);
		return true;
	case KEY_DOWN:
		scroll(l, 1);
		return true;
	case KEY_PGUP:
		scroll(l, -10);
		return true;
	case KEY_PGDN:
		scroll(l, 10);
		return true;
	case KEY_HOME:
		l->top = 0;
		return true;
	case KEY_ESC:
	case KEY_ENTER:
		list_close(t);
		return true;
	case KEY_BACKSPACE:
		while (n && ((unsigned char)l->filter[--n] & 0xc0) == 0x80)
			;
		l->filter[n] = 0;
		l->top = 0;
		return true;
	default:
		break;
	}
	if (!key_is_text(key))
		return false;
	/* The key that opened a list closes it, as q does. */
	if (!n && (key == 'q' || key == '?' || key == '!')) {
		list_close(t);
		return true;
	}
	len = utf8_encode(key, utf8);
	if (n + len < sizeof l->filter) {
		memcpy(l->filter + n, utf8, len);
		l->filter[n + len] = 0;
		l->top = 0;
	}
	return true;
}

/* ---- help */

/* Is one of its keys not taken by a table that is asked before? */
struct seen {
	const struct binding *const *before;
	bool any;
};

static bool is_free(void *arg, uint32_t key, const char *command, size_t len)
{
	struct seen *s = arg;
	char buf[256];

	(void)command, (void)len;
	for (size_t i = 0; i < 3; i++)
		if (s->before[i] && keys_find(s->before[i], key, buf, sizeof buf))
			return true;
	s->any = true;
	return false;
}

static void add_keys(struct tui *t, const struct binding *b, const struct binding *const before[3])
{
	for (; b && b->keys; b++) {
		struct seen seen = { before, false };

		keys_walk(b, is_free, &seen);
		if (seen.any)
			list_add(t, ROLE_TEXT, "  %-20s %s", b->keys, b->help);
	}
}

static void add_title(struct tui *t, const char *name)
{
	if (t->list.n)
		list_add(t, ROLE_TEXT, "%s", "");
	list_add(t, ROLE_STRONG, "%c%s", toupper((unsigned char)name[0]), name + 1);
}

/* What the program itself would do with a key here; false: nothing. */
static bool builtin_command(const struct tui *t, uint32_t key, char *out, size_t cap)
{
	long at = focus_now(t);

	return (at >= 0 && keys_find(t->class[at] -> keys, key, out, cap)) ||
	       (t->n_places && keys_find(keys_of(screen_name(t, t->at)), key, out, cap)) ||
	       keys_find(keys_of("global"), key, out, cap);
}

struct instead {
	const struct tui *t;
	char text[128];
};

static bool note_instead(void *arg, uint32_t key, const char *command, size_t len)
{
	struct instead *s = arg;
	char was[256];

	(void)command, (void)len;
	if (builtin_command(s->t, key, was, sizeof was))
		snprintf(s->text, sizeof s->text, "  (instead of %.100s)", was);
	return !s->text[0];
}

/* The user's own; what the program would do otherwise is said. */
static void add_own(struct tui *t, const struct binding *b)
{
	for (; b->keys; b++) {
		struct instead s = { .t = t };

		keys_walk(b, note_instead, &s);
		list_add(t, ROLE_TEXT, "  %-20s %s%s", b->keys, b->help, s.text);
	}
}

void list_binds(struct tui *t)
{
	list_open(t, "Your keys: bind [PLACE] KEYS COMMAND");
	for (size_t i = 0; i < t->binds.n; i++) {
		const struct bind *b = &t->binds.at[i];
		bool said = strcmp(b->key.help, b->key.command) != 0;

		list_add(t, ROLE_TEXT, "%-10s %-12s %s%s%s", b->context, b->key.keys,
			b->key.command, said ? "  -- " : "", said ? b->key.help : "");
	}
	if (!t->binds.n)
		list_add(t, ROLE_DIM,
			"none yet: bind F5 measure, or bind(\"global\", \"F5\", "
			"\"measure\") in init.lua");
}

void list_help(struct tui *t, const char *word)
{
	struct binding own[BINDS_MAX + 1];
	long at = focus_now(t);
	const char *screen = t->n_places ? screen_name(t, t->at) : "";
	const struct binding *panel = at >= 0 ? t->class[at]->keys : NULL;
	const struct binding *before[3] = { own, NULL, NULL };

	tui_binds(t, own);
	list_open(t, "Help: type to filter, Esc closes");
	snprintf(t->list.filter, sizeof t->list.filter, "%s", word);
	if (own->keys) {
		add_title(t, "your own");
		add_own(t, own);
	}
	if (panel && panel->keys) {
		add_title(t, t->class[at] -> title);
		add_keys(t, panel, before);
		before[1] = panel;
	}
	if (keys_of(screen)) {
		char title[ARR_NAME + 16];

		snprintf(title, sizeof title, "%s screen", screen);
		add_title(t, title);
		add_keys(t, keys_of(screen), before);
		before[2] = keys_of(screen);
	}
	add_title(t, "anywhere");
	add_keys(t, keys_of("global"), before);
	add_title(t, "commands");
	for (const struct command *c = command_table; c->name; c++) {
		char usage[64];

		snprintf(usage, sizeof usage, "%s %s", c->name, c->args);
		list_add(t, ROLE_TEXT, "  :%-25s %s", usage, c->help);
	}
}

/* ---- the others */

/* Bytes of s that go on a line of w columns: up to its last blank, if any. */
static size_t line_bytes(const char *s, int w)
{
	struct text_cell cell;
	size_t n = strlen(s), at = 0, from = 0, blank = 0;
	int x = 0;

	while (text_next(s, n, &at, &cell)) {
		x += cell.width;
		if (x > w)
			return blank ? blank : from ? from : at;
		if (cell.ch[0] == ' ')
			blank = at;
		from = at;
	}
	return n;
}

/* Nothing of text is cut: what does not fit stands under it. */
static void add_wrapped(struct tui *t, enum role role, const char *head, const char *text)
{
	int indent = text_width(head, strlen(head)), w = t->screen->w - 4 - indent;
	size_t n;

	if (w < 16) { /* the text then begins a line of its own */
		list_add(t, role, "%s", head);
		w = t->screen->w > 8 ? t->screen->w - 5 : 3;
		indent = 1;
		head = " ";
	}
	do {
		n = line_bytes(text, w);
		list_add(t, role, "%s%*s%.*s", head, *head ? 0 : indent, "", (int)n, text);
		head = "";
		text += n;
	} while (*text);
}

void list_notices(struct tui *t)
{
	static const char *const name[] = { "error", "warn", "info", "debug", "trace" };
	static const enum role role[] = { ROLE_BAD, ROLE_WARN, ROLE_TEXT, ROLE_DIM, ROLE_DIM };
	size_t kept = t->n_notices < NOTICES ? t->n_notices : NOTICES;
	char ago[16], head[64];

	list_open(t, "Notices, newest first");
	for (size_t i = 0; i < kept; i++) {
		struct notice *n = &t->notice[(t->n_notices - 1 - i) % NOTICES];
		int level = n->strength > LOG_TRACE ? LOG_INFO : (int)n->strength;

		n->seen = true;
		snprintf(head, sizeof head, "%8s ago  %-5s  ", num_time(t->now - n->at, ago),
			name[level]);
		add_wrapped(t, role[level], head, n->text);
	}
	if (!kept)
		list_add(t, ROLE_DIM, "nothing was reported");
}

static const char *rho_text(double rho, size_t n, char out[24])
{
	if (rho == rho)
		snprintf(out, 24, "%.3f (%zu)", rho, n);
	else
		snprintf(out, 24, "- (%zu)", n);
	return out;
}

static void add_pairs(struct tui *t, const struct snap_map *map)
{
	char line[256], rho[24], fmt[FORMAT_NAME];
	size_t at = (size_t)snprintf(line, sizeof line, "%-7s %-14s", "", "all cells");

	for (size_t f = 0; f < map->k && at < sizeof line; f++)
		if (!format_is_keep(t->model->format[f]))
			at += (size_t)snprintf(line + at, sizeof line - at, " %-14s",
				format_name(t->model->format[f], fmt));
	list_add(t, ROLE_DIM, "%s", line);
	for (size_t i = 0; i < map->pairs; i++) {
		const struct source_pair *p = &map->pair[i];

		at = (size_t)snprintf(line, sizeof line, "%d and %d %-14s", p->a + 1, p->b + 1,
			rho_text(p->rho, p->n, rho));
		for (size_t f = 0; f < map->k && at < sizeof line; f++)
			if (!format_is_keep(t->model->format[f]))
				at += (size_t)snprintf(line + at, sizeof line - at, " %-14s",
					rho_text(p->format_rho[f], p->format_n[f], rho));
		list_add(t, ROLE_TEXT, "%s", line);
	}
}

void list_sources(struct tui *t)
{
	const struct snap_map *map = t->map;

	list_open(t, "Texts that are measured and calibrated on");
	if (!map || !t->model || t->model->k != map->k || !map->sources) {
		list_add(t, ROLE_TEXT, "%s", t->model ? t->model->text : "no model is open yet");
		list_add(t, ROLE_DIM,
			"one text (several: :text self=0.5 prose.txt=0.3 chat.jsonl=0.2)");
		return;
	}
	for (size_t i = 0; i < map->sources; i++)
		list_add(t, ROLE_TEXT, "%zu  weight %.3f  %s", i + 1, map->on[i].weight,
			map->on[i].name);
	list_add(t, ROLE_DIM, "%s", "");
	list_add(t, ROLE_STRONG,
		"Do they agree? Rank correlation of the cells' KL (Spearman; in how many)");
	add_pairs(t, map);
}

void list_options(struct tui *t)
{
	char range[96];

	list_open(t, "Options: set NAME VALUE");
	for (int i = 0; i < OPTS; i++)
		list_add(t, ROLE_TEXT, "%-15s %-10s %-24s %s", option_table[i].name,
			t->opt.value[i][0] ? t->opt.value[i] : "-",
			opt_range((enum opt)i, range, sizeof range), option_table[i].help);
}

void list_doctor(struct tui *t)
{
	static const char *const depth[] = { "none", "16", "256" };
	const char *term = getenv("TERM");
	const struct snap_model *m = t->model;
	char params[16], bytes[16], devices[DEVICES_LIST];

	list_open(t, "Doctor");
	list_add(t, ROLE_TEXT, "version    %s", BD_VERSION);
	if (t->o->plain)
		list_add(t, ROLE_TEXT, "terminal   %s, lines only", term ? term : "none");
	else
		list_add(t, ROLE_TEXT, "terminal   %s, %d x %d", term ? term : "none", t->screen->w,
			t->screen->h);
	list_add(t, ROLE_TEXT, "colours    %s used, %d offered, theme %s", depth[t->theme.depth],
		t->terminal_colors, t->theme.name);
	list_add(t, ROLE_TEXT, "characters %s, drawn as %s", nl_langinfo(CODESET),
		opt_on(&t->opt, OPT_ASCII) ? "ASCII" : "UTF-8");
	if (m) {
		list_add(t, ROLE_TEXT, "model      %s, %s, %s parameters, %s", m->name, m->arch,
			num_count(m->params, params), text_bytes(m->file_bytes, bytes));
		list_add(t, ROLE_TEXT, "file       %s", m->path);
		list_add(t, ROLE_TEXT, "reference  %s", m->reference);
		list_add(t, ROLE_TEXT, "text       %s", m->text);
		list_add(t, ROLE_TEXT, "device     %s", m->device);
	} else {
		list_add(t, ROLE_TEXT, "model      none open");
	}
	list_add(t, ROLE_TEXT, "devices    %s", devices_list(devices));
	if (!t->o->plain)
		list_add(t, ROLE_TEXT, "frames     %lu, %.2f ms each; keys %lu, p99 %.1f ms",
			t->stats.frames, t->stats.draw_ms, t->stats.keys, t->stats.p99_ms);
}

/* ---- votes */

static void add_pair(struct tui *t, const struct vote_pair *p)
{
	size_t decided = p->won[0] + p->won[1];

	list_add(t, ROLE_STRONG, "%.2f bpw (%s) and %.2f bpw (%s): votes %zu, of them blind %zu",
		p->bpw[0], p->id[0], p->bpw[1], p->id[1], decided + p->tie + p->bad, p->blind);
	list_add(t, ROLE_TEXT,
		"  %.2f bpw better %zu, %.2f bpw better %zu, the same %zu, both bad %zu", p->bpw[0],
		p->won[0], p->bpw[1], p->won[1], p->tie, p->bad);
	if (!decided) {
		list_add(t, ROLE_DIM, "  none of them decides");
		return;
	}
	list_add(t, ROLE_TEXT,
		"  %.2f bpw wins %.0f %% of %zu decided; 95 %% interval %.0f to %.0f %%: %s",
		p->bpw[1], 100 * (double)p->won[1] / (double)decided, decided, 100 * p->lo,
		100 * p->hi,
		p->lo > 0.5   ? "better than chance"
		: p->hi < 0.5 ? "worse than chance"
			      : "may be chance");
}

void list_votes(struct tui *t, const struct snap_votes *v)
{
	list_open(t, "Votes: Esc closes");
	for (size_t i = 0; i < v->n; i++)
		add_pair(t, &v->pair[i]);
	if (!v->n)
		list_add(t, ROLE_DIM,
			"no votes on this model yet: a on the Chat screen, ask, then ( ) = -");
	else
		list_add(t, ROLE_DIM,
			"interval: Wilson's score interval (1927), ties and bad ones left out");
	if (v->strange)
		list_add(t, ROLE_WARN, "%zu lines of chat.ndjson are no votes and were passed over",
			v->strange);
}

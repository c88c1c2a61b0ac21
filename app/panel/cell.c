/* cell - the linear under the crosshair: its shape, its bits, what each format would cost. */
#include "app/panel/panel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/panel/common.h"
#include "app/panel/map.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

struct cell_panel {
	struct snap_model *model;
	struct snap_map *map;
	struct snap_answer *answer;
	struct snap_variants *variants;
	struct snap_odds *odds;
	size_t at; /* linear */
};

static void *create(void)
{
	return xalloc(sizeof(struct cell_panel));
}

static void destroy(void *self)
{
	struct cell_panel *p = self;

	snap_unref((struct snap *)p->model);
	snap_unref((struct snap *)p->map);
	snap_unref((struct snap *)p->answer);
	snap_unref((struct snap *)p->variants);
	snap_unref((struct snap *)p->odds);
	xfree(p);
}

static bool on_event(void *self, const struct event *ev)
{
	struct cell_panel *p = self;

	switch (ev->kind) {
	case EV_MODEL:
		p->model = panel_hold(p->model, ev);
		if (!p->model || p->at >= p->model->n)
			p->at = 0;
		return true;
	case EV_MAP:
		p->map = panel_hold(p->map, ev);
		return true;
	case EV_ANSWER:
		p->answer = panel_hold(p->answer, ev);
		return true;
	case EV_VARIANTS:
		p->variants = panel_hold(p->variants, ev);
		return true;
	case EV_ODDS:
		p->odds = panel_hold(p->odds, ev);
		return true;
	case EV_CURSOR:
		if (ev->n >= 0)
			p->at = (size_t)ev->n;
		return true;
	default:
		return false;
	}
}

/* What is known of this linear; each may be missing. */
struct facts {
	const struct snap_model *m;
	const struct snap_map *map;
	const struct map_cell *cell;        /* [k] */
	const struct variant_info *variant; /* [k] */
	size_t chosen;                      /* m->k: not known */
	int pin;                            /* -1: free */
	size_t at;
	struct map_scale scale;
};

static bool facts_of(const struct cell_panel *p, struct facts *f)
{
	const struct snap_model *m = p->model;

	*f = (struct facts){ .m = m, .pin = -1, .at = p->at };
	if (!m || p->at >= m->n)
		return false;
	f->chosen = m->k;
	if (p->map && p->map->n == m->n && p->map->k == m->k) {
		f->map = p->map;
		f->cell = &p->map->cell[p->at * m->k];
		f->scale = map_scale_of(m, p->map);
	}
	if (p->variants && p->variants->n == m->n && p->variants->k == m->k)
		f->variant = &p->variants->at[p->at * m->k];
	if (p->answer && p->answer->n == m->n && p->answer->choice[p->at] < m->k) {
		f->chosen = p->answer->choice[p->at];
		f->pin = p->answer->pin[p->at];
	}
	return true;
}

/* ---- lines */

static void draw_name(const struct facts *f, struct canvas *c, int y)
{
	struct parts p = { .c = c, .x = 1, .y = y };
	uint32_t rows = f->m->shape[f->at].rows, cols = f->m->shape[f->at].cols;
	char name[32], n[16];

	panel_part(&p, ROLE_STRONG, "%s", map_name(f->at, name));
	panel_part(&p, ROLE_TEXT, "%u x %u", rows, cols);
	panel_part(&p, ROLE_DIM, "%s", panel_count((uint64_t)rows * cols, n));
}

static void draw_chosen(const struct facts *f, struct canvas *c, int y)
{
	struct parts p = { .c = c, .x = 1, .y = y };
	char fmt[FORMAT_NAME], name[32];

	if (y == 0 && c->h == 1) /* no other line names it */
		panel_part(&p, ROLE_STRONG, "%s", map_name(f->at, name));
	if (f->chosen == f->m->k) {
		panel_part(&p, ROLE_DIM, "no layout yet");
		return;
	}
	panel_part(&p, ROLE_ACCENT, "%s", format_name(f->m->format[f->chosen], fmt));
	if (format_is_keep(f->m->format[f->chosen]))
		panel_part(&p, ROLE_TEXT, "as in the file");
	else if (f->variant && f->variant[f->chosen].by[0])
		panel_part(&p, ROLE_TEXT, "by %s%s", f->variant[f->chosen].by,
			f->variant[f->chosen].best                    ? ", its best"
			: map_is_calibrated(f->variant[f->chosen].by) ? " so far"
								      : ", data-free so far");
	else if (f->variant)
		panel_part(&p, ROLE_DIM, "not made yet");
}

/* How a cell is known, in five columns: tokens measured, or that it is a score. */
static const char *how(const struct map_cell *c, char out[16])
{
	switch (c->state) {
	case CELL_SCORED:
		return "score";
	case CELL_FAST:
	case CELL_SCANNED:
		snprintf(out, 16, c->tokens > 99999 ? "%uk" : "%u",
			c->tokens > 99999 ? c->tokens / 1000 : c->tokens);
		return c->tokens ? out : "exact";
	case CELL_RUNNING:
		return "now";
	case CELL_FAILED:
		return "fail!";
	default:
		return "-";
	}
}

/* Columns of the table from the left, and which are worth their place most. */
enum column { COL_FORMAT, COL_KL, COL_SE, COL_TEXT, COL_BYTES, COL_BAR, COL_BY, COLS };
static const struct {
	const char *head;
	int width, rank;
} column[COLS] = {
	{ "format", 9, 0 },
	{ "KL", 6, 1 },
	{ "±", 6, 5 },
	{ "text", 6, 2 },
	{ "bytes", 6, 3 },
	{ "", 2, 4 },
	{ "by", 8, 6 },
};

/* Where each column that fits begins; -1: it does not. */
static void place_columns(int w, int x[COLS])
{
	int used = 0, at = 0;
	bool in[COLS] = { false };

	for (int rank = 0; rank < COLS; rank++)
		for (int i = 0; i < COLS; i++)
			if (column[i].rank == rank && used + column[i].width <= w) {
				in[i] = true;
				used += column[i].width;
			}
	for (int i = 0; i < COLS; i++) {
		x[i] = in[i] || !i ? at : -1;
		at += in[i] ? column[i].width : 0;
	}
}

static void right_at(
	struct canvas *c, const int x[COLS], enum column col, int y, enum role r, const char *text)
{
	if (x[col] >= 0)
		canvas_right(c, x[col] + column[col].width, y, r, text);
}

static void draw_head(const struct facts *f, struct canvas *c, int y, const int x[COLS])
{
	bool scores = f->map && !f->scale.nats;

	for (int i = COL_FORMAT; i < COLS; i++)
		if (i == COL_FORMAT || i == COL_BY)
			canvas_text(c, x[i] < 0 ? c->w : x[i] + 1, y, ROLE_DIM, column[i].head);
		else
			right_at(c, x, (enum column)i, y, ROLE_DIM,
				i == COL_KL && scores ? "error" : column[i].head);
}

/* A mix by its letter on the map: "c 3/8 4+2". */
static const char *row_name(struct format f, char out[FORMAT_NAME])
{
	if (!format_is_mix(f))
		return format_name(f, out);
	snprintf(out, FORMAT_NAME, "%c %d/%d %d+%d", format_letter(f), f.part, FORMAT_PARTS,
		f.hi_bits, f.bits);
	return out;
}

static void draw_row(const struct facts *f, struct canvas *c, int y, size_t k, const int x[COLS])
{
	static const char *const bar[8] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	const struct map_cell *cell = f->cell ? &f->cell[k] : NULL;
	bool known = cell && map_known(cell), nats = known && map_in_nats(cell);
	int level = cell ? map_cell_level(&f->scale, cell) : -1;
	enum role r = k == f->chosen ? ROLE_ACCENT : ROLE_TEXT;
	double value = known ? (double)cell->value : (double)NAN;
	uint64_t bytes = f->m->bytes[f->at * f->m->k + k];
	bool guessed = cell && cell->state == CELL_SCORED && format_is_mix(f->m->format[k]);
	char buf[16], fmt[FORMAT_NAME];

	if (k == f->chosen)
		canvas_text(c, 0, y, r, "▸");
	canvas_text(c, 1, y, r, row_name(f->m->format[k], fmt));
	if (guessed) /* between the ends: nats, but not measured */
		value = cell->estimate > 0 ? (double)cell->estimate : (double)NAN;
	/* A first score is no number of nats: dim, and named in its column. */
	right_at(c, x, COL_KL, y, nats ? r : ROLE_DIM, panel_kl(value, buf));
	if (nats && cell->se > 0)
		right_at(c, x, COL_SE, y, ROLE_DIM, panel_kl((double)cell->se, buf));
	right_at(c, x, COL_TEXT, y, ROLE_DIM, guessed ? "est." : cell ? how(cell, buf) : "-");
	right_at(c, x, COL_BYTES, y, ROLE_TEXT, panel_bytes5(bytes, buf));
	if (level >= 0)
		right_at(c, x, COL_BAR, y, panel_ramp(level), bar[level]);
	if (f->variant && x[COL_BY] >= 0)
		canvas_printf(c, x[COL_BY] + 1, y, ROLE_DIM, "%.5s%s", f->variant[k].by,
			f->variant[k].by[0] && !f->variant[k].best ? ".." : "");
}

/* The digit that the map has for a format. */
static const char *short_name(struct format f, char out[16])
{
	snprintf(out, 16, "%c", format_letter(f));
	return out;
}

/* What each format does on one of several texts. */
static void draw_source(const struct facts *f, struct canvas *c, int y, size_t source)
{
	const struct snap_map *map = f->map;
	const struct map_cell *cell = &map->part[(source * map->n + f->at) * map->k];
	char bits[16], kl[16], name[9];
	int x = 1 + (int)sizeof name - 1;

	text_clean(name, sizeof name, map->on[source].name, strlen(map->on[source].name), true);
	panel_cut(c, 1, y, c->w - 1, ROLE_DIM, name);
	for (size_t k = 0; k < map->k && x + 9 <= c->w; k++) {
		if (format_is_keep(f->m->format[k]))
			continue;
		canvas_printf(c, x + 2, y, ROLE_DIM, "%s", short_name(f->m->format[k], bits));
		canvas_right(c, x + 9, y, k == f->chosen ? ROLE_ACCENT : ROLE_TEXT,
			map_in_nats(&cell[k]) ? panel_kl((double)cell[k].value, kl) : "-");
		x += 9;
	}
}

/* How often the linear got each format when the damages were redrawn within their errors. */
static bool draw_odds(const struct cell_panel *cp, const struct facts *f, struct parts *p)
{
	const struct snap_odds *o = cp->odds;
	char bits[16];

	if (!o || !cp->answer || o->generation != cp->answer->generation || o->n != f->m->n ||
		o->k != f->m->k)
		return false;
	panel_part(p, ROLE_DIM, "odds");
	for (size_t k = 0; k < o->k; k++) {
		double share = (double)o->prob[f->at * o->k + k];

		if (share >= 0.005)
			panel_part(p, k == f->chosen ? ROLE_ACCENT : ROLE_TEXT, "%s %.0f%%",
				short_name(f->m->format[k], bits), 100 * share);
	}
	return true;
}

static void draw_rank(const struct cell_panel *cp, const struct facts *f, struct canvas *c, int y)
{
	struct parts p = { .c = c, .x = 1, .y = y };
	size_t rank = f->map ? map_rank(f->m, f->map, 0, f->at) : 0;

	if (!rank)
		panel_part(&p, ROLE_DIM, "not scored yet");
	else
		panel_part(&p, ROLE_TEXT, "rank %zu of %zu", rank, f->m->n);
	if (!draw_odds(cp, f, &p) && rank)
		panel_part(&p, ROLE_DIM, f->scale.nats ? "by KL a byte" : "by score a byte");
}

/* Another linear that moves with this one, and how many do. */
static size_t tied_to(const struct snap_answer *a, size_t at, size_t *other)
{
	size_t n = 0;

	for (size_t i = a->n; a->tie && i--;)
		if (i != at && a->tie[i] == a->tie[at]) {
			*other = i;
			n++;
		}
	return n;
}

/* Pin, floor and tie with their price, and what the mark has. */
static void draw_rules(const struct cell_panel *cp, const struct facts *f, struct canvas *c, int y)
{
	const struct snap_answer *a = f->chosen < f->m->k ? cp->answer : NULL;
	struct parts p = { .c = c, .x = 1, .y = y };
	int floor = a ? a->floor[f->at] : 0;
	char fmt[FORMAT_NAME], name[32], kl[16];
	size_t other = 0, tied = a ? tied_to(a, f->at, &other) : 0;

	if (f->pin >= 0 && (size_t)f->pin < f->m->k)
		panel_part(&p, ROLE_STRONG, "pinned to %s", format_name(f->m->format[f->pin], fmt));
	else if (floor > 0 && (size_t)floor < f->m->k)
		panel_part(&p, ROLE_STRONG, "at least %s", format_name(f->m->format[floor], fmt));
	else if (!tied)
		panel_part(&p, ROLE_TEXT, "pinned no");
	if (a && a->price && !isnan(a->price[f->at]))
		panel_part(&p, ROLE_TEXT, "costs %s", panel_kl((double)a->price[f->at], kl));
	if (tied)
		panel_part(&p, ROLE_TEXT, tied > 1 ? "tied to %s and %zu more" : "tied to %s",
			map_name(other, name), tied - 1);
	if (map_direction(a, f->at))
		panel_part(&p, ROLE_ACCENT, "A %s",
			format_name(f->m->format[a->a_choice[f->at]], fmt));
}

/* Lines by how much they are worth: the rows of formats come after the first two. */
enum line {
	LINE_NAME,
	LINE_CHOSEN,
	LINE_HEAD,
	LINE_ROWS,
	LINE_SOURCES,
	LINE_RANK,
	LINE_PIN,
	LINES
};

static void choose_lines(int h, int rows, int sources, bool in[LINES])
{
	static const enum line worth[] = { LINE_CHOSEN, LINE_ROWS, LINE_SOURCES, LINE_RANK,
		LINE_NAME, LINE_PIN, LINE_HEAD };

	for (size_t i = 0; i < LINES; i++) {
		int need = worth[i] == LINE_ROWS ? rows : worth[i] == LINE_SOURCES ? sources : 1;

		in[worth[i]] = h > 0;
		h -= need;
	}
}

static void draw(const void *self, struct canvas *c, bool focus)
{
	bool in[LINES];
	struct facts f;
	int x[COLS], y = 0;

	(void)focus;
	if (!facts_of(self, &f)) {
		panel_cut(c, 1, 0, c->w - 1, ROLE_DIM, "no linear under the crosshair");
		return;
	}
	choose_lines(c->h, (int)f.m->k, f.map ? (int)f.map->sources : 0, in);
	place_columns(c->w, x);
	if (in[LINE_NAME])
		draw_name(&f, c, y++);
	if (in[LINE_CHOSEN])
		draw_chosen(&f, c, y++);
	if (in[LINE_HEAD])
		draw_head(&f, c, y++, x);
	for (size_t k = 0; in[LINE_ROWS] && k < f.m->k; k++)
		draw_row(&f, c, y++, k, x);
	for (size_t s = 0; in[LINE_SOURCES] && f.map && s < f.map->sources && y < c->h; s++)
		draw_source(&f, c, y++, s);
	if (in[LINE_RANK])
		draw_rank(self, &f, c, y++);
	if (in[LINE_PIN])
		draw_rules(self, &f, c, y++);
	if (y + 1 < c->h)
		panel_cut(c, 1, c->h - 1, c->w - 1, ROLE_DIM, "p pin   f free");
}

static char *copy(const void *self)
{
	char fmt[FORMAT_NAME], name[32], kl[16];
	struct facts f;

	if (!facts_of(self, &f) || f.chosen == f.m->k)
		return NULL;
	map_name(f.at, name);
	format_name(f.m->format[f.chosen], fmt);
	if (!f.cell || !map_known(&f.cell[f.chosen]) || !map_in_nats(&f.cell[f.chosen]))
		return xprintf("%s %s", name, fmt);
	return xprintf("%s %s KL %s", name, fmt, panel_kl((double)f.cell[f.chosen].value, kl));
}

const struct panel_class panel_cell = {
	.name = "cell",
	.title = "Cell",
	.min_w = 30,
	.min_h = 8,
	.events = 1u << EV_MODEL | 1u << EV_MAP | 1u << EV_ANSWER | 1u << EV_VARIANTS |
		  1u << EV_ODDS | 1u << EV_CURSOR,
	.create = create,
	.destroy = destroy,
	.on_event = on_event,
	.copy = copy,
	.draw = draw,
};

/* cell - the linear under the crosshair: its shape, its bits, what each format would cost. */
#include "app/panel/panel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/panel/cell_rows.h"
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

static void part_rule(const struct cell_panel *cp, const struct facts *f, struct parts *p)
{
	int floor = f->chosen < f->m->k ? cp->answer->floor[f->at] : 0;
	char fmt[FORMAT_NAME];

	if (f->pin >= 0 && (size_t)f->pin < f->m->k)
		panel_part(p, ROLE_STRONG, "pinned to %s", format_name(f->m->format[f->pin], fmt));
	else if (floor > 0 && (size_t)floor < f->m->k)
		panel_part(p, ROLE_STRONG, "at least %s", format_name(f->m->format[floor], fmt));
}

/* rule: no other line says it. */
static void draw_chosen(
	const struct cell_panel *cp, const struct facts *f, struct canvas *c, int y, bool rule)
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
			map_is_trained(f->variant[f->chosen].by)      ? ""
			: f->variant[f->chosen].best                  ? ", its best"
			: map_is_calibrated(f->variant[f->chosen].by) ? " so far"
								      : ", data-free so far");
	else if (f->variant)
		panel_part(&p, ROLE_DIM, "not made yet");
	if (rule)
		part_rule(cp, f, &p);
}

/* How a cell is known, in five columns: tokens measured, that it was of a variant before, or that
 * it is a score. */
static const char *how(const struct map_cell *c, char out[16])
{
	switch (c->state) {
	case CELL_SCORED:
		return "score";
	case CELL_FAST:
	case CELL_SCANNED:
		if (c->stale)
			return "stale";
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
struct place {
	int x[COLS], w[COLS];
};

static struct place place_columns(int w, bool mixes)
{
	struct place p;
	int used = 0, at = 0;
	bool in[COLS] = { false };

	for (int i = 0; i < COLS; i++)
		p.w[i] = column[i].width + (i == COL_FORMAT && mixes ? 2 : 0);
	for (int rank = 0; rank < COLS; rank++)
		for (int i = 0; i < COLS; i++)
			if (column[i].rank == rank && used + p.w[i] <= w) {
				in[i] = true;
				used += p.w[i];
			}
	for (int i = 0; i < COLS; i++) {
		p.x[i] = in[i] || !i ? at : -1;
		at += in[i] ? p.w[i] : 0;
	}
	return p;
}

static void right_at(struct canvas *c, const struct place *p, enum column col, int y, enum role r,
	const char *text)
{
	if (p->x[col] >= 0)
		canvas_right(c, p->x[col] + p->w[col], y, r, text);
}

/* Where not all formats are shown, how many of them. */
static void draw_head(const struct facts *f, struct canvas *c, int y, const struct place *x,
	const struct cell_rows *rows)
{
	bool scores = f->map && !f->scale.nats;

	for (int i = COL_FORMAT; i < COLS; i++)
		if (i == COL_FORMAT && rows->n < rows->of)
			canvas_printf(c, 1, y, ROLE_DIM, "%zu of %zu", rows->n, rows->of);
		else if (i == COL_FORMAT || i == COL_BY)
			canvas_text(
				c, x->x[i] < 0 ? c->w : x->x[i] + 1, y, ROLE_DIM, column[i].head);
		else
			right_at(c, x, (enum column)i, y, ROLE_DIM,
				i == COL_KL && scores ? "error" : column[i].head);
}

/* A mix by its letter on the map: "c 3/8 4+2". */
static const char *row_name(const struct snap_model *m, size_t k, char out[FORMAT_NAME])
{
	struct format f = m->format[k];

	if (!format_is_mix(f))
		return format_name(f, out);
	snprintf(out, FORMAT_NAME, "%c %d/%d %d+%d", map_letter(m, k), f.part, FORMAT_PARTS,
		f.hi_bits, f.bits);
	return out;
}

static void draw_row(
	const struct facts *f, struct canvas *c, int y, size_t k, const struct place *x)
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
	canvas_text(c, 1, y, r, row_name(f->m, k, fmt));
	if (guessed) /* between the ends: nats, but not measured */
		value = cell->estimate > 0 ? (double)cell->estimate : (double)NAN;
	/* A first score is no number of nats: dim, and named in its column. */
	right_at(c, x, COL_KL, y, nats && !cell->stale ? r : ROLE_DIM, panel_kl(value, buf));
	if (nats && cell->se > 0)
		right_at(c, x, COL_SE, y, ROLE_DIM, panel_kl((double)cell->se, buf));
	right_at(c, x, COL_TEXT, y, ROLE_DIM, guessed ? "est." : cell ? how(cell, buf) : "-");
	right_at(c, x, COL_BYTES, y, ROLE_TEXT, panel_bytes5(bytes, buf));
	if (level >= 0)
		right_at(c, x, COL_BAR, y, panel_ramp(level), bar[level]);
	if (f->variant && x->x[COL_BY] >= 0)
		canvas_printf(c, x->x[COL_BY] + 1, y, ROLE_DIM, "%.5s%s", f->variant[k].by,
			f->variant[k].by[0] && !f->variant[k].best ? ".." : "");
}

/* What each format does on one of several texts. */
static void draw_source(const struct facts *f, struct canvas *c, int y, size_t source)
{
	const struct snap_map *map = f->map;
	const struct map_cell *cell = &map->part[(source * map->n + f->at) * map->k];
	char kl[16], name[9];
	int x = 1 + (int)sizeof name - 1;

	text_clean(name, sizeof name, map->on[source].name, strlen(map->on[source].name), true);
	panel_cut(c, 1, y, c->w - 1, ROLE_DIM, name);
	for (size_t k = 0; k < map->k && x + 9 <= c->w; k++) {
		/* Mixes are not measured one by one on each text. */
		if (format_is_keep(f->m->format[k]) ||
			(format_is_mix(f->m->format[k]) && !map_in_nats(&cell[k])))
			continue;
		canvas_printf(c, x + 2, y, ROLE_DIM, "%c", map_letter(f->m, k));
		canvas_right(c, x + 9, y,
			cell[k].stale    ? ROLE_DIM
			: k == f->chosen ? ROLE_ACCENT
					 : ROLE_TEXT,
			map_in_nats(&cell[k]) ? panel_kl((double)cell[k].value, kl) : "-");
		x += 9;
	}
}

/* How often the linear got each format when the damages were redrawn within their errors. */
static size_t odds_of(const struct cell_panel *cp, const struct facts *f, uint8_t order[FORMAT_MAX])
{
	const struct snap_odds *o = cp->odds;

	if (!o || !cp->answer || o->generation != cp->answer->generation || o->n != f->m->n ||
		o->k != f->m->k)
		return 0;
	return cell_odds_order(&o->prob[f->at * o->k], o->k, f->chosen, order);
}

/* "odds 4 57% 3 41%", as many as fit from x on; false: not the likeliest and the chosen. */
static bool draw_odds(const struct cell_panel *cp, const struct facts *f, struct canvas *c, int x,
	int y, bool try)
{
	uint8_t order[FORMAT_MAX];
	size_t n = odds_of(cp, f, order);
	char one[16];
	int end = x + 4;

	if (!n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int w = snprintf(one, sizeof one, " %c %.0f%%", map_letter(f->m, order[i]),
			100 * (double)cp->odds->prob[f->at * f->m->k + order[i]]);

		if (end + w > c->w)
			return i > 1 || order[0] == f->chosen;
		if (!try)
			canvas_text(
				c, end, y, order[i] == f->chosen ? ROLE_ACCENT : ROLE_TEXT, one);
		end += w;
	}
	return true;
}

/* The rank gives way to the odds. */
static void draw_rank(const struct cell_panel *cp, const struct facts *f, struct canvas *c, int y)
{
	struct parts p = { .c = c, .x = 1, .y = y };
	size_t rank = f->map ? map_rank(f->m, f->map, 0, f->at) : 0;
	uint8_t order[FORMAT_MAX];
	bool odds = odds_of(cp, f, order);
	char text[48];
	int w = snprintf(text, sizeof text, "rank %zu of %zu", rank, f->m->n);

	if (!rank)
		w = snprintf(text, sizeof text, "not scored yet");
	else if (odds && !draw_odds(cp, f, c, 1 + w + 2, y, true))
		w = snprintf(text, sizeof text, "rank %zu/%zu", rank, f->m->n);
	if (odds && !draw_odds(cp, f, c, 1 + w + 2, y, true))
		w = -2;
	else
		panel_part(&p, rank ? ROLE_TEXT : ROLE_DIM, "%s", text);
	if (odds) {
		canvas_text(c, 1 + w + 2, y, ROLE_DIM, "odds");
		draw_odds(cp, f, c, 1 + w + 2, y, false);
	} else if (rank) {
		panel_part(&p, ROLE_DIM, f->scale.nats ? "by KL a byte" : "by score a byte");
	}
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
	char fmt[FORMAT_NAME], name[32], kl[16];
	size_t other = 0, tied = a ? tied_to(a, f->at, &other) : 0;

	part_rule(cp, f, &p);
	if (!p.n && !tied)
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

/* Lines by how much they are worth. */
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

/* What of the h lines is left goes to more rows of mixes, which are given back. */
static size_t choose_lines(int h, const struct cell_rows *least, int sources, bool in[LINES])
{
	static const enum line worth[] = { LINE_CHOSEN, LINE_ROWS, LINE_NAME, LINE_SOURCES,
		LINE_RANK, LINE_PIN, LINE_HEAD };
	size_t rows = 0;

	for (size_t i = 0; i < LINES; i++) {
		enum line l = worth[i];
		int need = l == LINE_ROWS ? (int)least->n : l == LINE_SOURCES ? sources : 1;

		in[l] = h > 0;
		if (l == LINE_ROWS) /* one is kept for the name */
			need = need < h - 1 || h <= 1 ? need : h - 1;
		if (need > h)
			need = h > 0 ? h : 0;
		rows = l == LINE_ROWS ? (size_t)need : rows;
		h -= need;
	}
	rows += (size_t)h;
	return rows < least->of ? rows : least->of;
}

static void draw(const void *self, struct canvas *c, bool focus)
{
	bool in[LINES];
	struct cell_rows rows;
	struct place x;
	struct facts f;
	int y = 0;
	size_t n;

	(void)focus;
	if (!facts_of(self, &f)) {
		panel_cut(c, 1, 0, c->w - 1, ROLE_DIM, "no linear under the crosshair");
		return;
	}
	rows = cell_rows_of(f.m, f.at, f.chosen, 0);
	n = choose_lines(c->h, &rows, f.map ? (int)f.map->sources : 0, in);
	if (n)
		rows = cell_rows_of(f.m, f.at, f.chosen, n);
	x = place_columns(c->w, rows.mixes);
	if (in[LINE_NAME])
		draw_name(&f, c, y++);
	if (in[LINE_CHOSEN])
		draw_chosen(self, &f, c, y++, !in[LINE_PIN]);
	if (in[LINE_HEAD])
		draw_head(&f, c, y++, &x, &rows);
	for (size_t i = 0; n && i < rows.n; i++)
		draw_row(&f, c, y++, rows.k[i], &x);
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

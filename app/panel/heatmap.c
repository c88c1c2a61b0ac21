/* heatmap - which bits each linear gets, and how much damage it does.
 *
 * Rows are kinds of linear, columns are blocks.  The digit is the width chosen at this
 * budget (k: kept as in the file), the shade and the colour are the damage when that
 * linear alone goes to the smallest format.  Beside the mark A, + and - stand where a
 * linear has more bits and fewer than there. */
#include "app/panel/panel.h"

#include <stdio.h>
#include <string.h>

#include "app/panel/common.h"
#include "app/panel/grid.h"
#include "app/panel/map.h"
#include "app/tui/keys.h"
#include "app/tui/view.h"
#include "core/base/alloc.h"

enum map_view { MAP_BITS, MAP_DAMAGE, MAP_CHANGE, MAP_VIEWS };
static const char *const view_name[MAP_VIEWS] = { "bits", "damage", "change" };

struct heatmap {
	struct snap_model *model;
	struct snap_map *map, one;    /* one: of a text alone */
	const struct snap_map *shown; /* map or one */
	size_t source;
	struct snap_answer *answer;
	size_t cursor; /* linear */
	enum map_view view;
	bool turned; /* rows are blocks */
	int bin;     /* blocks in one column */
	char filter[MAP_FILTER];
	char note[160];
};

static const struct binding keys[] = {
	{ "T", "transpose", "rows are blocks, or columns" },
	{ "-", "bin", "several blocks a column; a bin shows its worst" },
	{ NULL, NULL, NULL },
};

static void *create(void)
{
	struct heatmap *h = xalloc(sizeof *h);

	h->bin = 1;
	return h;
}

static void destroy(void *self)
{
	struct heatmap *h = self;

	snap_unref((struct snap *)h->model);
	snap_unref((struct snap *)h->map);
	snap_unref((struct snap *)h->answer);
	xfree(h);
}

static bool has_linears(const struct heatmap *h)
{
	return h->model && h->model->n >= MAP_KINDS;
}

/* Snapshots of one model: a map of the former one is not shown on the next. */
static struct map_of what(const struct heatmap *h)
{
	struct map_of of = { .model = h->model };

	if (h->model && h->shown && h->shown->n == h->model->n && h->shown->k == h->model->k)
		of.map = h->shown;
	if (h->model && h->answer && h->answer->n == h->model->n)
		of.answer = h->answer;
	return of;
}

static void write_note(struct heatmap *h)
{
	struct map_of of = what(h);
	char fmt[FORMAT_NAME];
	struct map_change d;

	h->note[0] = 0;
	if (map_change_of(of.answer, &d) && (d.up || d.down || h->view == MAP_CHANGE))
		snprintf(h->note, sizeof h->note, "against A: %zu up, %zu down", d.up, d.down);
	else if (of.map && of.map == &h->one) /* short: it has to fit where the panel is narrow */
		snprintf(h->note, sizeof h->note, "on %s: %s", h->one.text, h->one.source);
	else if (of.map && h->model->k)
		snprintf(h->note, sizeof h->note, "if one linear alone is %s: %s",
			format_name(h->model->format[0], fmt), of.map->source);
}

static bool on_event(void *self, const struct event *ev)
{
	struct heatmap *h = self;

	switch (ev->kind) {
	case EV_MODEL:
		h->model = panel_hold(h->model, ev);
		if (!h->model || h->cursor >= h->model->n)
			h->cursor = 0;
		break;
	case EV_MAP:
		h->map = panel_hold(h->map, ev);
		break;
	case EV_VIEW:
		h->source = (size_t)(ev->n & VIEW_SOURCE) >> VIEW_SOURCE_SHIFT;
		break;
	case EV_ANSWER:
		h->answer = panel_hold(h->answer, ev);
		break;
	default:
		return false;
	}
	h->shown = map_on(h->map, h->source, &h->one);
	write_note(h);
	return true;
}

/* ---- moving */

static size_t blocks_of(const struct heatmap *h)
{
	return h->model->n / MAP_KINDS;
}

/* The cursor's place among these rows; one that is not there goes to the first. */
static size_t kind_place(const struct heatmap *h, const size_t *kind, size_t n)
{
	size_t at = 0;

	while (at < n && kind[at] != h->cursor % MAP_KINDS)
		at++;
	return at < n ? at : 0;
}

static void set_filter(struct heatmap *h, const char *text)
{
	size_t kind[MAP_KINDS], n;

	snprintf(h->filter, sizeof h->filter, "%s", text);
	n = map_kinds(h->filter, kind);
	if (has_linears(h))
		h->cursor = h->cursor / MAP_KINDS * MAP_KINDS + kind[kind_place(h, kind, n)];
}

static long within(long v, long n)
{
	return v < 0 ? 0 : v >= n ? n - 1 : v;
}

static void move(struct heatmap *h, const char *where)
{
	size_t kind[MAP_KINDS], n = map_kinds(h->filter, kind);
	long layers = (long)blocks_of(h), layer = (long)h->cursor / MAP_KINDS;
	long row = (long)kind_place(h, kind, n), dx = 0, dy = 0, swap;

	if (!strcmp(where, "left") || !strcmp(where, "right"))
		dx = *where == 'l' ? -1 : 1;
	else if (!strcmp(where, "up") || !strcmp(where, "down"))
		dy = *where == 'u' ? -1 : 1;
	if (h->turned) {
		swap = dx;
		dx = dy;
		dy = swap;
	}
	if (!strcmp(where, "first"))
		dx = -layers;
	else if (!strcmp(where, "last"))
		dx = layers;
	else if (!strncmp(where, "page-", 5))
		dx = where[5] == 'u' ? -8 : 8;
	layer = within(layer + dx * h->bin, layers);
	row = within(row + dy, (long)n);
	h->cursor = (size_t)layer * MAP_KINDS + kind[row];
}

/* By rank of damage a byte, round and round; among the cells that pass the filter. */
static void step(struct heatmap *h, int by)
{
	struct map_of of = what(h);
	size_t best = 0, best_rank = 0, end = 0, end_rank = 0, mine;

	if (!of.map)
		return;
	mine = map_rank(h->model, of.map, 0, h->cursor);
	for (size_t i = 0; i < of.map->n; i++) {
		size_t rank = map_matches(h->filter, &of, i) ? map_rank(h->model, of.map, 0, i) : 0;

		if (!rank)
			continue;
		if (!end_rank || (by > 0 ? rank < end_rank : rank > end_rank)) {
			end = i;
			end_rank = rank;
		}
		if ((by > 0 ? rank > mine && (!best_rank || rank < best_rank)
			    : rank < mine && rank > best_rank)) {
			best = i;
			best_rank = rank;
		}
	}
	if (best_rank || end_rank)
		h->cursor = best_rank ? best : end;
}

static bool set_view(struct heatmap *h, const char *name)
{
	bool marked = h->answer && h->answer->has_a;

	for (int v = 0; v < MAP_VIEWS; v++)
		if (!strcmp(name, view_name[v])) {
			h->view = (enum map_view)v;
			write_note(h);
			return true;
		}
	if (strcmp(name, "next"))
		return false;
	h->view = (h->view + 1) % (marked ? MAP_VIEWS : MAP_CHANGE);
	write_note(h);
	return true;
}

static bool on_command(void *self, const char *word, const char *arg)
{
	struct heatmap *h = self;

	if (!strcmp(word, "filter"))
		set_filter(h, arg);
	else if (!strcmp(word, "view"))
		return set_view(h, arg);
	else if (!strcmp(word, "transpose"))
		h->turned = !h->turned;
	else if (!strcmp(word, "bin"))
		h->bin = h->bin >= 8 ? 1 : 2 * h->bin;
	else if (!has_linears(h))
		return false;
	else if (!strcmp(word, "move"))
		move(h, arg);
	else if (!strcmp(word, "next"))
		step(h, 1);
	else if (!strcmp(word, "prev"))
		step(h, -1);
	else
		return false;
	return true;
}

static int64_t cursor(const void *self)
{
	return (int64_t)((const struct heatmap *)self)->cursor;
}

/* ---- where things are */

static struct grid lay_out(const struct heatmap *h, int w, int height)
{
	struct grid g = { .blocks = blocks_of(h), .bin = (size_t)h->bin, .turned = h->turned };

	g.kinds = map_kinds(h->filter, g.kind);
	g.at_x = h->cursor / MAP_KINDS / g.bin;
	g.at_y = kind_place(h, g.kind, g.kinds);
	grid_lay_out(&g, w, height);
	return g;
}

static struct map_scale scale_of(const struct heatmap *h)
{
	struct map_of of = what(h);

	return of.map ? map_scale_of(h->model, of.map) : (struct map_scale){ .lo = 1, .hi = 16 };
}

/* The linear a cell stands for: of a bin, the cursor's or its worst. */
static size_t linear_at(const struct heatmap *h, const struct grid *g, size_t x, size_t y,
	const struct map_scale *s, bool worst_only)
{
	size_t kind = g->kind[g->turned ? x : y], block = (g->turned ? y : x) * g->bin;
	struct map_of of = what(h);
	size_t best = block * MAP_KINDS + kind;
	double worst = -1;

	for (size_t b = block; b < block + g->bin && b < blocks_of(h); b++) {
		size_t i = b * MAP_KINDS + kind;

		if (i == h->cursor && !worst_only)
			return i;
		if (of.map && map_level(s, of.map, i) >= 0 &&
			(double)of.map->cell[i * of.map->k].value > worst) {
			worst = (double)of.map->cell[i * of.map->k].value;
			best = i;
		}
	}
	return best;
}

/* ---- drawing */

static const char *shade_of(const struct map_of *of, size_t i, int level)
{
	int state = of->map ? of->map->cell[i * of->map->k].state : CELL_UNKNOWN;

	return state == CELL_FAILED    ? "!"
	       : state == CELL_RUNNING ? "◌"
	       : level < 0             ? "·"
				       : panel_shade(level);
}

static bool in_trouble(const struct map_of *of, size_t i)
{
	int state = of->map ? of->map->cell[i * of->map->k].state : CELL_UNKNOWN;

	return state == CELL_FAILED || state == CELL_RUNNING;
}

/* More bits than at the mark, fewer, or the same; the more of it, the stronger. */
static enum role change_role(const struct map_of *of, size_t i)
{
	int by = (int)of->answer->choice[i] - (int)of->answer->a_choice[i];
	int far = by < 0 ? -by : by;

	far = far > 3 ? 3 : far;
	return by < 0 ? ROLE_DIFF0 + 3 - far : ROLE_DIFF0 + 4 + far;
}

static void draw_cell(const struct heatmap *h, struct canvas *c, const struct grid *g, int x, int y,
	size_t i, const struct map_scale *s)
{
	struct map_of of = what(h);
	int level = of.map ? map_level(s, of.map, i) : -1;
	bool kept = map_matches(h->filter, &of, i);
	bool guess = of.map && map_is_guess(s, &of.map->cell[i * of.map->k + s->format]);
	enum role r = level < 0 || !kept || guess ? ROLE_DIM : panel_ramp(level), shade = r;
	const char *mark = "·", *second = shade_of(&of, i, level);
	int moved = map_direction(of.answer, i);
	char digit[2] = "";

	if (of.answer) {
		digit[0] = map_letter(h->model, of.answer->choice[i]);
		mark = digit;
	}
	/* Where there is no column for it, that a cell is being measured or failed comes first. */
	if (h->view == MAP_DAMAGE || (g->step == 1 && in_trouble(&of, i)))
		mark = shade_of(&of, i, level);
	if (h->view == MAP_CHANGE) {
		second = moved ? mark : " ";
		mark = moved > 0 ? "+" : moved < 0 ? "-" : "·";
		shade = r = moved && kept ? change_role(&of, i) : ROLE_DIM;
	} else if (h->view == MAP_BITS && moved) {
		second = moved > 0 ? "+" : "-";
		shade = kept ? change_role(&of, i) : ROLE_DIM;
	}
	if (i == h->cursor)
		r = ROLE_CURSOR;
	else if (of.answer && (of.answer->pin[i] >= 0 || of.answer->floor[i] > 0) && kept)
		r = ROLE_STRONG;
	canvas_text(c, x, y, r, mark);
	if (g->step > 1)
		canvas_text(c, x + 1, y, shade, second);
}

static bool any_match(const struct heatmap *h)
{
	struct map_of of = what(h);

	for (size_t i = 0; i < h->model->n; i++)
		if (map_matches(h->filter, &of, i))
			return true;
	return false;
}

static void draw_legend(
	const struct heatmap *h, struct canvas *c, const struct grid *g, const struct map_scale *s)
{
	static const int at[4] = { 1, 3, 5, 7 };
	int x = c->w < 30 ? 0 : 2, y = g->legend_y;
	char kl[16], signs[160];

	if (h->view == MAP_CHANGE && g->legend) {
		bool marked = h->answer && h->answer->has_a;

		panel_cut(c, x, y, c->w - x, ROLE_DIM,
			marked ? "+ more bits than at mark A   - fewer   · the same"
			       : "no mark A yet (a puts it here)");
		return;
	}
	if (g->legend > 1)
		panel_cut(c, x, y++, c->w - x, ROLE_DIM,
			map_signs(h->model, c->w - x, signs, sizeof signs));
	if (!g->legend)
		return;
	if (h->filter[0])
		x += 2 + canvas_printf(c, x, y, ROLE_ACCENT, "/%s%s", h->filter,
				 any_match(h) ? "" : ": no match");
	if (!what(h).map) {
		canvas_text(c, x, y, ROLE_DIM, "no scores yet");
		return;
	}
	for (int i = 0; i < 4; i++) {
		x += canvas_text(c, x, y, panel_ramp(at[i]), panel_shade(at[i]));
		x += canvas_printf(c, x, y, ROLE_DIM, c->w < 50 ? " %s " : " %s  ",
			panel_kl(map_threshold(s, at[i]), kl));
	}
	panel_unit(c, x, y, s->nats);
}

static void draw(const void *self, struct canvas *c, bool focus)
{
	const struct heatmap *h = self;
	struct map_scale s;
	struct grid g;

	if (!has_linears(h)) {
		panel_cut(c, 1, 0, c->w - 1, ROLE_DIM,
			h->model ? "a model of no linears" : "no model is open yet");
		return;
	}
	s = scale_of(h);
	g = lay_out(h, c->w, c->h);
	grid_draw_labels(&g, c);
	for (size_t y = 0; y < g.show_y; y++)
		for (size_t x = 0; x < g.show_x; x++)
			draw_cell(h, c, &g, g.x0 + (int)x * g.step, g.y0 + (int)y,
				linear_at(h, &g, g.first_x + x, g.first_y + y, &s, false), &s);
	draw_legend(h, c, &g, &s);
	if (focus)
		canvas_cursor(c, g.x0 + (int)(g.at_x - g.first_x) * g.step,
			g.y0 + (int)(g.at_y - g.first_y), false);
}

static const char *note(const void *self)
{
	const struct heatmap *h = self;

	return h->note[0] ? h->note : NULL;
}

static const char *on_mouse(void *self, int x, int y, int button, int w, int height)
{
	struct heatmap *h = self;
	struct map_scale s;
	struct grid g;
	size_t x_at, y_at;

	if (!has_linears(h) || button != MOUSE_LEFT)
		return NULL;
	g = lay_out(h, w, height);
	if (!grid_hit(&g, x, y, &x_at, &y_at))
		return NULL;
	s = scale_of(h);
	h->cursor = linear_at(h, &g, x_at, y_at, &s, true);
	return "";
}

static char *copy(const void *self)
{
	const struct heatmap *h = self;
	struct map_of of = what(h);
	char fmt[FORMAT_NAME], name[32];

	if (!of.answer || h->cursor >= of.answer->n)
		return NULL;
	return xprintf("%s %s", map_name(h->cursor, name),
		format_name(h->model->format[of.answer->choice[h->cursor]], fmt));
}

/* The view that is seen: under "bits" the colours are the damage, which is what a picture is for.
 */
static struct figure *figure(const void *self)
{
	const struct heatmap *h = self;
	struct map_of of = what(h);

	return figure_map(of.model, of.map, of.answer,
		view_name[h->view == MAP_BITS && of.map ? MAP_DAMAGE : h->view], NULL, NULL);
}

const struct panel_class panel_heatmap = {
	.name = "heatmap",
	.title = "Sensitivity",
	.min_w = 42,
	.min_h = 9,
	.events = 1u << EV_MODEL | 1u << EV_MAP | 1u << EV_ANSWER | 1u << EV_VIEW,
	.keys = keys,
	.create = create,
	.destroy = destroy,
	.on_event = on_event,
	.on_command = on_command,
	.on_mouse = on_mouse,
	.cursor = cursor,
	.copy = copy,
	.figure = figure,
	.draw = draw,
	.note = note,
};

/* show_map - the heat map as a sorted list, the layout by kinds, one linear in every format. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/panel/map.h"
#include "app/tui/show.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

static enum st need_model(const struct tui *t, const char *what, struct err *e)
{
	if (t->model && t->model->n && t->model->k)
		return ST_OK;
	return err_set(e, ST_INVALID, "show %s: no model is open (open PATH opens one)", what);
}

static bool fits(const struct tui *t)
{
	return t->answer && t->answer->n == t->model->n;
}

/* ---- the map */

struct row {
	size_t linear;
	double value;
	bool nats;
};

/* The worst first; what is in nats before what is a score. */
static int worse(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->nats != y->nats)
		return x->nats ? -1 : 1;
	if (x->value != y->value)
		return x->value > y->value ? -1 : 1;
	return x->linear < y->linear ? -1 : x->linear > y->linear;
}

/* Rows of the linears that are known and that the filter keeps; how many. */
static size_t rows_of(const struct tui *t, const struct snap_map *map, const char *filter,
	struct row *row, size_t *unknown)
{
	struct map_of of = { t->model, map, fits(t) ? t->answer : NULL };
	size_t probe = map_scale_of(t->model, map).format, n = 0;

	*unknown = 0;
	for (size_t i = 0; i < map->n; i++) {
		const struct map_cell *c = &map->cell[i * map->k + probe];

		if (!map_matches(filter, &of, i))
			continue;
		if (!map_known(c))
			++*unknown;
		else
			row[n++] = (struct row){ i, (double)c->value, map_in_nats(c) };
	}
	qsort(row, n, sizeof *row, worse);
	return n;
}

/* "20 q k": how many, and which. */
static size_t how_many(const char **arg, size_t all)
{
	char *end;
	unsigned long n = strtoul(*arg, &end, 10);

	if (end != *arg && (*end == ' ' || !*end) && **arg >= '0' && **arg <= '9') {
		*arg = end + strspn(end, " ");
		return n < all ? n : all;
	}
	if (!strncmp(*arg, "all", 3) && ((*arg)[3] == ' ' || !(*arg)[3])) {
		*arg += 3;
		*arg += strspn(*arg, " ");
		return all;
	}
	return all < 10 ? all : 10;
}

static void map_row(struct tui *t, const struct row *r, size_t place)
{
	char kl[24], fmt[FORMAT_NAME], now[FORMAT_NAME + 16] = "";

	if (fits(t) && t->answer->choice[r->linear] < t->model->k)
		snprintf(now, sizeof now, ", now %s",
			format_name(t->model->format[t->answer->choice[r->linear]], fmt));
	list_add(t, ROLE_TEXT, "%zu: layer %zu %s, %s %s%s%s", place, r->linear / MAP_KINDS,
		map_kind[r->linear % MAP_KINDS], r->nats ? "damage" : "first score",
		show_kl(r->value, kl), now,
		fits(t) && t->answer->pin[r->linear] >= 0 ? ", pinned" : "");
}

enum st show_map(struct tui *t, const char *arg, struct err *e)
{
	const struct snap_map *map;
	struct snap_map part;
	enum st st = need_model(t, "map", e);
	char fmt[FORMAT_NAME];
	size_t n, shown, unknown;
	struct row *row;

	if (st)
		return st;
	map = map_on(t->map, (size_t)((t->view & VIEW_SOURCE) >> VIEW_SOURCE_SHIFT), &part);
	if (!map || map->n != t->model->n || map->k != t->model->k) {
		list_add(t, ROLE_TEXT, "map: no cell is known yet");
		return ST_OK;
	}
	row = xarray(map->n, sizeof *row);
	shown = how_many(&arg, map->n);
	n = rows_of(t, map, arg, row, &unknown);
	shown = shown < n ? shown : n;
	list_add(t, ROLE_STRONG, "most sensitive: %zu of %zu linears%s%s, each alone in %s, by %s",
		shown, n, *arg ? " that match " : "", arg,
		format_name(t->model->format[map_scale_of(t->model, map).format], fmt),
		map->source[0] ? map->source : "what is known");
	for (size_t i = 0; i < shown; i++)
		map_row(t, &row[i], i + 1);
	if (unknown)
		list_add(t, ROLE_TEXT, "not known yet: %zu linears", unknown);
	xfree(row);
	return ST_OK;
}

/* ---- the layout */

/* "0 to 3, 7": the layers of a kind that have a format; how many. */
static size_t layers_with(const struct tui *t, size_t kind, size_t f, char *out, size_t cap)
{
	const struct snap_answer *a = t->answer;
	size_t layers = a->n / MAP_KINDS, count = 0;

	*out = 0;
	for (size_t l = 0; l < layers; l++) {
		size_t from = l, at = strlen(out);

		if (a->choice[l * MAP_KINDS + kind] != f)
			continue;
		while (l + 1 < layers && a->choice[(l + 1) * MAP_KINDS + kind] == f)
			l++;
		count += l - from + 1;
		if (l > from)
			snprintf(out + at, cap - at, l > from + 1 ? "%s%zu to %zu" : "%s%zu, %zu",
				at ? ", " : "", from, l);
		else
			snprintf(out + at, cap - at, "%s%zu", at ? ", " : "", from);
	}
	return count;
}

static void layout_kind(struct tui *t, size_t kind)
{
	char layers[360], fmt[FORMAT_NAME];

	for (size_t f = 0; f < t->model->k; f++) {
		size_t n = layers_with(t, kind, f, layers, sizeof layers);

		if (n)
			list_add(t, ROLE_TEXT, "%s: %zu in %s, layer%s %s", map_kind[kind], n,
				format_name(t->model->format[f], fmt), n > 1 ? "s" : "", layers);
	}
}

static void layout_counts(struct tui *t)
{
	char line[400], fmt[FORMAT_NAME];
	size_t count[FORMAT_MAX] = { 0 }, at, pinned = 0;

	for (size_t i = 0; i < t->answer->n; i++) {
		count[t->answer->choice[i] < t->model->k ? t->answer->choice[i] : 0]++;
		pinned += t->answer->pin[i] >= 0;
	}
	at = (size_t)snprintf(line, sizeof line, "layout: %.2f bpw", t->answer->stored_bpw);
	for (size_t f = 0; f < t->model->k && at < sizeof line; f++)
		if (count[f])
			at += (size_t)snprintf(line + at, sizeof line - at, ", %zu in %s", count[f],
				format_name(t->model->format[f], fmt));
	if (pinned && at < sizeof line)
		snprintf(line + at, sizeof line - at, "; %zu pinned", pinned);
	list_add(t, ROLE_STRONG, "%s", line);
}

static void layout_each(struct tui *t)
{
	char name[32], fmt[FORMAT_NAME];

	for (size_t i = 0; i < t->answer->n; i++)
		list_add(t, ROLE_TEXT, "%s: %s%s", map_name(i, name),
			t->answer->choice[i] < t->model->k
				? format_name(t->model->format[t->answer->choice[i]], fmt)
				: "not known",
			t->answer->pin[i] >= 0 ? ", pinned" : "");
}

enum st show_layout(struct tui *t, const char *arg, struct err *e)
{
	enum st st = need_model(t, "layout", e);
	bool all = !strcmp(arg, "all"), known = !*arg || all;

	if (st)
		return st;
	for (size_t k = 0; k < MAP_KINDS; k++)
		known |= !strcmp(arg, map_kind[k]);
	if (!known)
		return err_set(e, ST_INVALID,
			"show layout: expected all, or a kind such as v or down, got \"%s\"", arg);
	if (!fits(t)) {
		list_add(t, ROLE_TEXT, "layout: none under the dial yet");
		return ST_OK;
	}
	layout_counts(t);
	for (size_t k = 0; !all && k < MAP_KINDS; k++)
		if (!*arg || !strcmp(arg, map_kind[k]))
			layout_kind(t, k);
	if (all)
		layout_each(t);
	return ST_OK;
}

/* ---- one linear */

/* "layers.3.v", or "3 v"; false: there is none of that name. */
static bool find_linear(const struct snap_model *m, const char *arg, size_t *at)
{
	char name[32], short_name[32];

	for (*at = 0; *at < m->n; ++*at) {
		snprintf(short_name, sizeof short_name, "%zu %s", *at / MAP_KINDS,
			map_kind[*at % MAP_KINDS]);
		if (!strcmp(arg, map_name(*at, name)) || !strcmp(arg, short_name))
			return true;
	}
	return false;
}

static const char *known_by(const struct map_cell *c)
{
	if (c->stale)
		return "stale: of the variant before";
	switch (c->state) {
	case CELL_SCORED:
		return "first score";
	case CELL_FAST:
		return "fast pass";
	case CELL_SCANNED:
		return "scanned";
	case CELL_RUNNING:
		return "being measured";
	case CELL_FAILED:
		return "failed";
	default:
		return "not known yet";
	}
}

static void cell_format(struct tui *t, size_t at, size_t k)
{
	const struct snap_model *m = t->model;
	const struct map_cell *c = t->map && t->map->n == m->n && t->map->k == m->k
					   ? &t->map->cell[at * m->k + k]
					   : NULL;
	const struct variant_info *v =
		t->variants && t->variants->n == m->n && t->variants->k == m->k
			? &t->variants->at[at * m->k + k]
			: NULL;
	char fmt[FORMAT_NAME], bytes[16], kl[24], damage[64] = "", by[32] = "";

	if (format_is_keep(m->format[k]))
		snprintf(damage, sizeof damage, ", as in the file, no damage");
	else if (c && map_known(c) && map_in_nats(c))
		snprintf(damage, sizeof damage, ", damage %s, %s", show_kl((double)c->value, kl),
			known_by(c));
	else if (c)
		snprintf(damage, sizeof damage, ", %s%s%s", known_by(c), map_known(c) ? " " : "",
			map_known(c) ? show_kl((double)c->value, kl) : "");
	if (v && v->by[0])
		snprintf(by, sizeof by, ", by %s%s", v->by, v->best ? "" : " so far");
	list_add(t, ROLE_TEXT, "%s: %s%s%s%s", format_name(m->format[k], fmt),
		text_bytes(m->bytes[at * m->k + k], bytes), damage, by,
		fits(t) && t->answer->choice[at] == k ? ", chosen now" : "");
}

enum st show_cell(struct tui *t, const char *arg, struct err *e)
{
	enum st st = need_model(t, "cell", e);
	const struct snap_model *m = t->model;
	char name[32], fmt[FORMAT_NAME], n[16];
	size_t at;

	if (st)
		return st;
	if (!*arg)
		at = t->cursor < m->n ? t->cursor : 0;
	else if (!find_linear(m, arg, &at))
		return err_set(e, ST_INVALID,
			"show cell: there is no linear \"%s\"; they are called such as layers.0.v",
			arg);
	list_add(t, ROLE_STRONG, "%s: %u outputs, %u inputs, %s weights", map_name(at, name),
		m->shape[at].rows, m->shape[at].cols,
		num_count((uint64_t)m->shape[at].rows * m->shape[at].cols, n));
	if (t->map && t->map->n == m->n && t->map->k == m->k) {
		size_t rank = map_rank(m, t->map, map_scale_of(m, t->map).format, at);

		if (rank)
			list_add(t, ROLE_TEXT, "rank: %zu of %zu by damage a byte", rank, m->n);
	}
	if (fits(t) && t->answer->pin[at] >= 0 && (size_t)t->answer->pin[at] < m->k)
		list_add(t, ROLE_TEXT, "pinned to %s",
			format_name(m->format[t->answer->pin[at]], fmt));
	for (size_t k = 0; k < m->k; k++)
		if (!format_is_mix(m->format[k]) || (fits(t) && t->answer->choice[at] == k))
			cell_format(t, at, k);
	return ST_OK;
}

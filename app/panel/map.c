/* map.c - levels and ranks of cells, and which of them a filter keeps. */
#include "app/panel/map.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"

const char *const map_kind[MAP_KINDS] = { "q", "k", "v", "o", "gate", "up", "down" };

bool map_in_nats(const struct map_cell *c)
{
	if (c->state == CELL_RUNNING) /* shows what was known before */
		return c->tokens > 0;
	return c->state == CELL_FAST || c->state == CELL_SCANNED;
}

bool map_known(const struct map_cell *c)
{
	return c->state != CELL_UNKNOWN && c->state != CELL_FAILED && !isnan(c->value);
}

bool map_is_estimate(const struct map_scale *s, const struct map_cell *c)
{
	return s->nats && c->state == CELL_SCORED && c->estimate > 0;
}

bool map_is_guess(const struct map_scale *s, const struct map_cell *c)
{
	return map_is_estimate(s, c) || c->stale;
}

struct map_scale map_scale_of(const struct snap_model *m, const struct snap_map *map)
{
	struct map_scale s = { .format = 0, .nats = false, .lo = INFINITY, .hi = 0 };

	(void)m;
	for (size_t i = 0; i < map->n; i++)
		s.nats |= map_in_nats(&map->cell[i * map->k + s.format]);
	for (size_t i = 0; i < map->n; i++) {
		const struct map_cell *c = &map->cell[i * map->k + s.format];

		if (!map_known(c) || map_in_nats(c) != s.nats || !(c->value > 0))
			continue;
		s.lo = (double)c->value < s.lo ? (double)c->value : s.lo;
		s.hi = (double)c->value > s.hi ? (double)c->value : s.hi;
	}
	if (!(s.hi > 0)) {
		s.lo = 0.001;
		s.hi = 0.064;
	} else if (s.hi < 16 * s.lo) { /* differences that small are no colour apart */
		s.lo = s.hi / 16;
	}
	return s;
}

double map_threshold(const struct map_scale *s, int l)
{
	return s->lo * pow(s->hi / s->lo, l / 7.5);
}

int map_cell_level(const struct map_scale *s, const struct map_cell *c)
{
	double v = (double)c->value;
	int l = 0;

	if (map_is_estimate(s, c))
		v = (double)c->estimate;
	else if (!map_known(c) || map_in_nats(c) != s->nats)
		return -1;
	while (l < 7 && v >= map_threshold(s, l + 1))
		l++;
	return l;
}

int map_level(const struct map_scale *s, const struct snap_map *map, size_t linear)
{
	return map_cell_level(s, &map->cell[linear * map->k + s->format]);
}

/* Damage a byte saved; nats come before scores, which are of another size. */
static double worth(
	const struct snap_model *m, const struct snap_map *map, size_t probe, size_t linear)
{
	const struct map_cell *c = &map->cell[linear * map->k + probe];
	uint64_t bytes = m->bytes[linear * m->k + probe];

	if (!map_known(c) || !bytes)
		return -1;
	return (double)c->value / (double)bytes * (map_in_nats(c) ? 1e6 : 1);
}

static bool before(double wa, size_t a, double wb, size_t b)
{
	return wa > wb || (wa == wb && a < b);
}

size_t map_rank(const struct snap_model *m, const struct snap_map *map, size_t probe, size_t linear)
{
	double mine = worth(m, map, probe, linear);
	size_t rank = 1;

	if (mine < 0)
		return 0;
	for (size_t i = 0; i < map->n; i++)
		rank += i != linear && before(worth(m, map, probe, i), i, mine, linear);
	return rank;
}

bool map_is_trained(const char *quantizer)
{
	return !strcmp(quantizer, "dial");
}

bool map_is_calibrated(const char *quantizer)
{
	return !strcmp(quantizer, "gptq");
}

const char *map_name(size_t linear, char out[32])
{
	snprintf(out, 32, "layers.%zu.%s", linear / MAP_KINDS, map_kind[linear % MAP_KINDS]);
	return out;
}

char map_letter(const struct snap_model *m, size_t k)
{
	return format_letter(m->format, m->k, k);
}

const char *map_signs(const struct snap_model *m, int w, char *out, size_t cap)
{
	char pairs[FORMAT_PAIRS];

	format_pairs(m->format, m->k, pairs);
	if (!*pairs)
		snprintf(out, cap, "%s",
			w >= 72 ? "digit: bits at this budget, k: as in the file   "
				  "shade and colour: damage"
				: "digit bits (k: as in file)  shade damage");
	else if (w >= 50 + (int)strlen(pairs))
		snprintf(out, cap, "digit: bits, k: as in file, %s by eighths   shade: damage",
			pairs);
	else
		snprintf(out, cap, "%s by eighths, k file", pairs);
	return out;
}

/* ---- the mark */

int map_direction(const struct snap_answer *a, size_t linear)
{
	if (!a || !a->has_a || linear >= a->n)
		return 0;
	return (a->choice[linear] > a->a_choice[linear]) -
	       (a->choice[linear] < a->a_choice[linear]);
}

bool map_change_of(const struct snap_answer *a, struct map_change *c)
{
	*c = (struct map_change){ 0 };
	if (!a || !a->has_a)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		int d = map_direction(a, i);

		c->up += d > 0;
		c->down += d < 0;
	}
	c->kl = snap_from_mark(a, &c->measured);
	c->bytes = (int64_t)a->bytes - (int64_t)a->a_bytes;
	return true;
}

/* ---- texts */

const struct snap_map *map_on(const struct snap_map *m, size_t source, struct snap_map *out)
{
	if (!source || !m || source > m->sources || !m->part)
		return m;
	*out = (struct snap_map){ .n = m->n,
		.k = m->k,
		.cell = m->part + (source - 1) * m->n * m->k,
		.scored = m->scored,
		.fast = m->fast,
		.scanned = m->scanned,
		.wanted = m->wanted };
	snprintf(out->text, sizeof out->text, "%s", m->on[source - 1].name);
	snprintf(out->source, sizeof out->source, "%s", m->source);
	return out;
}

int map_source_named(const struct snap_map *m, const char *name)
{
	char *end;
	unsigned long number = strtoul(name, &end, 10);

	if (!strcmp(name, "all"))
		return 0;
	for (size_t i = 0; m && i < m->sources; i++)
		if (!strcmp(name, m->on[i].name))
			return (int)i + 1;
	if (m && end != name && !*end && number >= 1 && number <= m->sources)
		return (int)number;
	return -1;
}

/* ---- filters */

static int kind_of(const char *word)
{
	for (int i = 0; i < MAP_KINDS; i++)
		if (!strcmp(word, map_kind[i]))
			return i;
	return -1;
}

/* Bit 1 << kind: the rows that a filter keeps. */
static unsigned kept_kinds(const char *filter)
{
	char words[MAP_FILTER], *save = NULL;
	unsigned kinds = 0;

	snprintf(words, sizeof words, "%s", filter);
	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
		if (kind_of(w) >= 0)
			kinds |= 1u << kind_of(w);
	return kinds ? kinds : (1u << MAP_KINDS) - 1;
}

size_t map_kinds(const char *filter, size_t out[MAP_KINDS])
{
	unsigned kept = kept_kinds(filter);
	size_t n = 0;

	for (size_t i = 0; i < MAP_KINDS; i++)
		if (kept >> i & 1)
			out[n++] = i;
	return n;
}

static bool word_holds(const char *w, const struct map_of *of, size_t i)
{
	const struct map_cell *c = of->map ? &of->map->cell[i * of->map->k] : NULL;
	char name[32], pattern[MAP_FILTER + 8];

	if (!strncmp(w, "bits=", 5))
		return of->answer && w[5] == map_letter(of->model, of->answer->choice[i]) && !w[6];
	if (!strncmp(w, "kl>", 3) || !strncmp(w, "kl<", 3))
		return c && map_known(c) && map_in_nats(c) &&
		       (w[2] == '>' ? (double)c->value > strtod(w + 3, NULL)
				    : (double)c->value < strtod(w + 3, NULL));
	if (!strcmp(w, "pinned"))
		return of->answer && of->answer->pin[i] >= 0;
	snprintf(pattern, sizeof pattern, "*%s*", w);
	return text_glob(pattern, map_name(i, name));
}

bool map_matches(const char *filter, const struct map_of *of, size_t linear)
{
	char words[MAP_FILTER], *save = NULL;

	if (!*filter)
		return true;
	if (!(kept_kinds(filter) >> linear % MAP_KINDS & 1))
		return false;
	snprintf(words, sizeof words, "%s", filter);
	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
		if (kind_of(w) < 0 && !word_holds(w, of, linear))
			return false;
	return true;
}

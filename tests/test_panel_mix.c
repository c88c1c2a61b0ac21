/* test_panel_mix.c - the map and the cell panel where linears can be mixes of two formats. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "tests/lib_panel.h"

extern const struct panel_class panel_heatmap, panel_cell;

static struct alone p;
static char *shown;

static bool says(int w, int h, const char *what)
{
	xfree(shown);
	shown = alone_draw(&p, w, h);
	return strstr(shown, what);
}

static void end(void)
{
	xfree(shown);
	shown = NULL;
	alone_close(&p);
}

TestSuite(mixes, .fini = end);

/* Two layers in int2g64, int3g64, int4g128, keep and their eight mixes; one linear is narrow. */
static struct snap_model *model(void)
{
	struct snap_model *m = snap_model_new(14, FORMAT_MAX);
	struct err e;

	m->layers = 2;
	cr_assert_eq(format_list(m->format, &m->k, "int2g64,int3g64,int4g128,keep", &e), ST_OK);
	m->k = format_add_mixes(m->format, m->k);
	cr_assert_eq(m->k, 12);
	for (size_t i = 0; i < m->n; i++) {
		m->shape[i].rows = 576;
		m->shape[i].cols = i == 1 ? 64 : 576;
		for (size_t k = 0; k < m->k; k++)
			m->bytes[i * m->k + k] = (20 + 2 * k) * 1024;
	}
	return m;
}

static struct snap_map *map(size_t k, size_t sources)
{
	struct snap_map *m = snap_map_new(14, k);

	for (size_t i = 0; i < m->n * k; i++)
		m->cell[i] = (struct map_cell){
			.state = CELL_SCORED, .value = 0.5f, .estimate = 0.027f, .se = NAN
		};
	for (size_t i = 0; i < m->n; i++)
		m->cell[i * k] = (struct map_cell){
			.state = CELL_SCANNED, .tokens = 512, .value = 0.09f, .se = 0.001f
		};
	snap_map_parts(m, sources);
	for (size_t s = 0; s < sources; s++) {
		snprintf(m->on[s].name, sizeof m->on[s].name, "text%zu", s + 1);
		memcpy(m->part + s * m->n * k, m->cell, m->n * k * sizeof *m->cell);
	}
	return m;
}

static void begin(const struct panel_class *class, size_t chosen, size_t sources)
{
	struct snap_model *m = model();
	struct snap_answer *a = snap_answer_new(14, false);

	for (size_t i = 0; i < a->n; i++) {
		a->choice[i] = (uint8_t)(i == 1 ? 0 : chosen);
		a->pin[i] = -1;
	}
	p = alone_open(class);
	alone_hear(&p, EV_MAP, 0, 0, &map(m->k, sources)->snap);
	alone_hear(&p, EV_MODEL, 0, 0, &m->snap);
	alone_hear(&p, EV_ANSWER, 0, 0, &a->snap);
}

Test(mixes, name_and_numbers_stand_apart_at_every_width)
{
	begin(&panel_cell, 3, 0);
	for (int w = 30; w < 60; w++)
		cr_assert(says(w, 12, "3/8 4+2  .0270"), "%d columns\n%s", w, shown);
}

Test(mixes, the_name_and_the_chosen_format_stay_and_of_the_mixes_its_neighbours)
{
	begin(&panel_cell, 3, 0);
	for (int h = 3; h < 24; h++) {
		cr_assert(says(36, h, " layers.0.q  576 x 576"), "%d lines\n%s", h, shown);
		cr_assert(says(36, h, "▸c 3/8 4+2"), "%d lines\n%s", h, shown);
	}
	cr_assert(says(36, 12, "rank "), "%s", shown);
	cr_assert(says(36, 12, "pinned no"), "%s", shown);
	cr_assert(says(36, 12, " 7 of 12 "), "%s", shown);
	cr_assert(says(36, 12, " b 2/8 4+2"), "%s", shown);
	cr_assert(says(36, 12, " d 4/8 4+2"), "%s", shown);
	cr_assert_not(says(36, 12, " h 4/8 4+3"), "%s", shown);
	cr_assert(says(36, 20, " h 4/8 4+3"), "there is room for all\n%s", shown);
}

Test(mixes, several_texts_leave_the_name_and_the_chosen_format)
{
	begin(&panel_cell, 3, 3);
	for (int h = 3; h < 24; h++) {
		cr_assert(says(33, h, " layers.0.q  576 x 576"), "%d lines\n%s", h, shown);
		cr_assert(says(33, h, "▸c 3/8 4+2"), "%d lines\n%s", h, shown);
	}
	cr_assert(says(33, 12, "text3"), "%s", shown);
}

Test(mixes, a_linear_too_narrow_for_mixes_lists_none)
{
	begin(&panel_cell, 3, 0);
	alone_hear(&p, EV_CURSOR, 0, 1, NULL);
	cr_assert_not(says(36, 20, "/8 4+"), "%s", shown);
	cr_assert(says(36, 20, "▸int2g64 "), "%s", shown);
	cr_assert(says(36, 20, " keep "), "%s", shown);
	cr_assert_not(says(36, 20, " of 12"), "%s", shown);
}

Test(mixes, the_legend_says_which_letters_are_which_pair)
{
	begin(&panel_heatmap, 3, 0);
	cr_assert(says(43, 10, "a-d: 4+2, e-h: 4+3 by eighths"), "80x24\n%s", shown);
	cr_assert(says(80, 12, "k: as in file, a-d: 4+2, e-h: 4+3 by eighths   shade: damage"),
		"%s", shown);
}

/* ---- odds */

static void hear_odds(const float *prob, size_t chosen)
{
	struct snap_odds *o = snap_odds_new(14, 12);
	struct snap_answer *a = snap_answer_new(14, false);

	for (size_t i = 0; i < 14; i++) {
		memcpy(o->prob + i * 12, prob, 12 * sizeof *prob);
		a->choice[i] = (uint8_t)chosen;
		a->pin[i] = -1;
	}
	alone_hear(&p, EV_ANSWER, 0, 0, &a->snap);
	alone_hear(&p, EV_ODDS, 0, 0, &o->snap);
}

Test(mixes, odds_name_the_likeliest_first_and_always_the_chosen)
{
	static const float prob[12] = { 0.01f, [5] = 0.41f, [10] = 0.57f };

	begin(&panel_cell, 5, 0);
	hear_odds(prob, 10);
	cr_assert(says(60, 12, "odds 4 57% 3 41% 2 1%"), "%s", shown);
	hear_odds(prob, 0);
	cr_assert(says(60, 12, "odds 4 57% 2 1% 3 41%"), "%s", shown);
	for (int w = 30; w < 60; w++)
		cr_assert(says(w, 12, "odds 4 57% 2 1%"), "%d columns\n%s", w, shown);
	cr_assert(says(36, 12, "rank "), "%s", shown);
	hear_odds(prob, 3);
	cr_assert(says(36, 12, " c 0%"), "chosen, though no draw had it\n%s", shown);
}

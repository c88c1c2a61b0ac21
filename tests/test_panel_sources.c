/* test_panel_sources.c - several texts on the map, in the cell panel and in the list. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/panel/map.h"
#include "app/tui/view.h"
#include "core/base/alloc.h"
#include "tests/lib_panel.h"

extern const struct panel_class panel_heatmap, panel_cell;

/* The made-up map, and two texts: on the second the order of the linears is turned round. */
static struct snap_map *two_texts(size_t layers)
{
	struct snap_map *m = made_map(layers, CELL_SCANNED);
	size_t nk = m->n * m->k;

	snap_map_parts(m, 2);
	snprintf(m->on[0].name, sizeof m->on[0].name, "self");
	snprintf(m->on[1].name, sizeof m->on[1].name, "prose.txt");
	m->on[0].weight = m->on[1].weight = 0.5;
	for (size_t i = 0; i < nk; i++) {
		m->part[i] = m->cell[i];
		m->part[nk + i] = m->cell[(m->n - 1 - i / m->k) * m->k + i % m->k];
	}
	return m;
}

static struct alone begin(const struct panel_class *class, struct snap_map *m)
{
	struct alone p = alone_open(class);

	alone_hear(&p, EV_MODEL, 0, 0, &made_model(3)->snap);
	alone_hear(&p, EV_MAP, 0, 0, &m->snap);
	alone_hear(&p, EV_ANSWER, 0, 0, &made_answer(3)->snap);
	return p;
}

static void shows(struct alone *p, int w, int h, int y, const char *want)
{
	char *drawn = alone_draw(p, w, h);

	cr_assert_str_eq(alone_row(drawn, y), want, "got\n%s", drawn);
	xfree(drawn);
}

static void look_at(struct alone *p, int64_t source)
{
	alone_hear(p, EV_VIEW, 0, source << VIEW_SOURCE_SHIFT, NULL);
}

Test(panel_sources, the_map_shows_the_mean_or_one_text)
{
	struct alone p = begin(&panel_heatmap, two_texts(3));

	shows(&p, 60, 12, 1, " ▸        q 2 k▓4▓");
	shows(&p, 60, 12, 7, "       down 4▒3▓2█");
	look_at(&p, 2);
	shows(&p, 60, 12, 1, " ▸        q 2█k▓4▒");
	shows(&p, 60, 12, 7, "       down 4▓3▓2");
	cr_assert_str_eq(
		p.class->note(p.self), "on prose.txt: scan");
	look_at(&p, 1);
	shows(&p, 60, 12, 7, "       down 4▒3▓2█");
	cr_assert_str_eq(p.class->note(p.self), "on self: scan");
	look_at(&p, 0);
	cr_assert_str_eq(p.class->note(p.self), "if one linear alone is int2g64: scan");
	alone_close(&p);
}

Test(panel_sources, a_text_that_is_gone_is_not_shown)
{
	struct alone p = begin(&panel_heatmap, two_texts(3));

	look_at(&p, 2);
	alone_hear(&p, EV_MAP, 0, 0, &made_map(3, CELL_SCANNED)->snap);
	shows(&p, 60, 12, 7, "       down 4▒3▓2█");
	cr_assert_str_eq(p.class->note(p.self), "if one linear alone is int2g64: scan");
	alone_hear(&p, EV_MAP, 0, 0, &two_texts(3)->snap);
	shows(&p, 60, 12, 7, "       down 4▓3▓2");
	alone_close(&p);
}

Test(panel_sources, the_next_notable_thing_is_that_of_the_text_shown)
{
	struct alone p = begin(&panel_heatmap, two_texts(3));
	int64_t of_all, of_one;

	p.class->on_command(p.self, "move", "last");
	p.class->on_command(p.self, "next", "");
	of_all = p.class->cursor(p.self);
	look_at(&p, 2);
	p.class->on_command(p.self, "move", "last");
	p.class->on_command(p.self, "next", "");
	of_one = p.class->cursor(p.self);
	cr_assert_neq(of_all, of_one);
	alone_close(&p);
}

Test(panel_sources, the_cell_panel_lists_every_text)
{
	struct snap_map *m = two_texts(3);
	struct alone p;

	m->part[m->n * m->k + 2].state = CELL_UNKNOWN; /* int4g128 on prose.txt */
	p = begin(&panel_cell, m);
	alone_hear(&p, EV_CURSOR, 0, 0, NULL);
	shows(&p, 45, 14, 7, " self      2 .0010  3 .0003  4 .0001");
	shows(&p, 45, 14, 8, " prose.tx  2 .0210  3 .0053  4     -");
	cr_assert(alone_stays_inside(&p, 45, 14));
	for (int h = 0; h < 14; h++)
		cr_assert(alone_stays_inside(&p, 30, h), "at %d lines", h);
	alone_hear(&p, EV_MAP, 0, 0, &made_map(3, CELL_SCANNED)->snap);
	shows(&p, 45, 14, 7, " rank 21 of 21  by KL a byte");
	alone_close(&p);
}

Test(panel_sources, texts_go_by_number_and_name)
{
	struct snap_map *m = two_texts(3), out;

	cr_assert_eq(map_source_named(m, "all"), 0);
	cr_assert_eq(map_source_named(m, "prose.txt"), 2);
	cr_assert_eq(map_source_named(m, "1"), 1);
	cr_assert_eq(map_source_named(m, "0"), -1);
	cr_assert_eq(map_source_named(m, "3"), -1);
	cr_assert_eq(map_source_named(m, "1x"), -1);
	cr_assert_eq(map_source_named(m, ""), -1);
	cr_assert_eq(map_source_named(NULL, "1"), -1);
	cr_assert_eq(map_source_named(NULL, "all"), 0);
	cr_assert_eq(map_on(m, 0, &out), m);
	cr_assert_eq(map_on(m, 3, &out), m);
	cr_assert_eq(map_on(m, 2, &out), &out);
	cr_assert_eq(out.cell, m->part + m->n * m->k);
	snap_unref(&m->snap);
}

/* test_panel_mark.c - heatmap and cell beside the mark A, and under pins, floors and ties. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/panel/map.h"
#include "core/base/alloc.h"
#include "tests/lib_panel.h"

extern const struct panel_class panel_heatmap, panel_cell;

static struct alone p;
static char *shown;

static void begin(const struct panel_class *class, size_t layers, enum cell_state state)
{
	p = alone_open(class);
	alone_hear(&p, EV_MODEL, 0, 0, &made_model(layers)->snap);
	alone_hear(&p, EV_MAP, 0, 0, &made_map(layers, state)->snap);
	alone_hear(&p, EV_ANSWER, 0, 0, &made_answer(layers)->snap);
}

static const char *row(int w, int h, int y)
{
	xfree(shown);
	shown = alone_draw(&p, w, h);
	return alone_row(shown, y);
}

static void command(const char *word, const char *arg)
{
	cr_assert(p.class->on_command(p.self, word, arg), "%s %s", word, arg);
}

static void end(void)
{
	xfree(shown);
	shown = NULL;
	alone_close(&p);
}

TestSuite(map_mark, .fini = end);
TestSuite(cell_rules, .fini = end);

/* made_answer with A where q of block 0 had more bits, k of it fewer. */
static struct snap_answer *marked_answer(size_t layers)
{
	struct snap_answer *a = snap_answer_new(layers * 7, true), *from = made_answer(layers);

	memcpy(a->choice, from->choice, a->n);
	memcpy(a->pin, from->pin, a->n);
	memcpy(a->a_choice, from->choice, a->n);
	a->a_choice[0] = 3;
	a->a_choice[1] = 0;
	a->kl = 0.2;
	a->a_kl = 0.25;
	a->bytes = 100;
	a->a_bytes = 130;
	a->in_nats = true;
	a->measured_kl = NAN;
	snap_unref(&from->snap);
	return a;
}

Test(map_mark, cells_say_where_they_have_more_bits_than_at_the_mark)
{
	begin(&panel_heatmap, 3, CELL_SCANNED);
	cr_assert_not(map_change_of(NULL, &(struct map_change){ 0 }));
	alone_hear(&p, EV_ANSWER, 0, 0, &marked_answer(3)->snap);
	cr_assert_str_eq(p.class->note(p.self), "against A: 1 up, 1 down");
	cr_assert_str_eq(row(60, 12, 1), " ▸        q 2-k▓4▓");
	cr_assert_str_eq(row(60, 12, 2), "          k 3+2▓k▓");
	cr_assert_str_eq(row(60, 12, 3), "          v 4░3▓2▓", "the others as they were");
	command("view", "change");
	cr_assert_str_eq(row(60, 12, 1), " ▸        q -2· ·");
	cr_assert_str_eq(row(60, 12, 2), "          k +3· ·");
	cr_assert(strstr(row(60, 12, 9), "+ more bits than at mark A   - fewer   · the same"));
	cr_assert_str_eq(row(9, 9, 1), "    q -··", "one column is enough: %s", row(9, 9, 1));
}

Test(map_mark, v_goes_by_the_change_only_when_there_is_a_mark)
{
	begin(&panel_heatmap, 3, CELL_SCANNED);
	command("view", "next");
	command("view", "next");
	cr_assert_str_eq(row(60, 12, 1), " ▸        q 2 k▓4▓", "bits again");
	command("view", "change");
	cr_assert(strstr(row(60, 12, 9), "no mark A yet (a puts it here)"));
	command("view", "bits");
	alone_hear(&p, EV_ANSWER, 0, 0, &marked_answer(3)->snap);
	command("view", "next");
	command("view", "next");
	cr_assert_str_eq(row(60, 12, 1), " ▸        q -2· ·");
}

Test(map_mark, the_change_is_counted_and_in_nats_or_not_known)
{
	struct snap_answer *a = marked_answer(3);
	struct map_change d;

	begin(&panel_heatmap, 3, CELL_SCANNED);
	cr_assert(map_change_of(a, &d));
	cr_assert_eq(d.up, 1);
	cr_assert_eq(d.down, 1);
	cr_assert_eq(d.bytes, -30);
	cr_assert_float_eq(d.kl, -0.05, 1e-12);
	a->in_nats = false;
	cr_assert(map_change_of(a, &d));
	cr_assert(isnan(d.kl));
	cr_assert_eq(map_direction(a, 0), -1);
	cr_assert_eq(map_direction(a, 1), 1);
	cr_assert_eq(map_direction(a, 99), 0);
	snap_unref(&a->snap);
}

Test(cell_rules, rules_are_named_with_their_price)
{
	struct snap_answer *a = marked_answer(3);

	begin(&panel_cell, 3, CELL_SCANNED);
	a->floor[0] = 2;
	a->price = xarray(a->n + 1, sizeof *a->price);
	for (size_t i = 0; i < a->n; i++)
		a->price[i] = NAN;
	a->price[0] = 0.013f;
	a->price[1] = 0.5f;
	a->pin[1] = 1;
	alone_hear(&p, EV_ANSWER, 0, 0, snap_ref(&a->snap));
	cr_assert_str_eq(row(60, 12, 8), " at least int4g128  costs .0130  A keep");
	alone_hear(&p, EV_CURSOR, 0, 1, NULL);
	cr_assert_str_eq(row(60, 12, 8), " pinned to int3g64  costs .5000  A int2g64");
	alone_hear(&p, EV_CURSOR, 0, 2, NULL);
	cr_assert_str_eq(row(60, 12, 8), " pinned no");
	snap_unref(&a->snap);
}

Test(cell_rules, a_tie_names_another_that_moves_with_it)
{
	struct snap_answer *a = made_answer(3);

	begin(&panel_cell, 3, CELL_SCANNED);
	a->tie = xarray(a->n + 1, sizeof *a->tie);
	for (size_t i = 0; i < a->n; i++)
		a->tie[i] = (uint16_t)i;
	a->tie[1] = a->tie[2] = 0;
	a->tie[5] = 4;
	alone_hear(&p, EV_ANSWER, 0, 0, &a->snap);
	cr_assert_str_eq(row(60, 12, 8), " tied to layers.0.k and 1 more");
	alone_hear(&p, EV_CURSOR, 0, 5, NULL);
	cr_assert_str_eq(row(60, 12, 8), " tied to layers.0.gate");
	alone_hear(&p, EV_CURSOR, 0, 3, NULL);
	cr_assert_str_eq(row(60, 12, 8), " pinned no");
}

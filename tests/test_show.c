/* test_show.c - what the panels show, as lines: on their own and over a screen. */
#include "tests/plain_fixture.h"

TestSuite(show, .init = fixture_open, .fini = fixture_close, .timeout = 30);

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

static void publish_cells(void)
{
	struct snap_map *m = snap_map_new(14, 2);
	struct snap_model *model;
	struct err e;

	model = snap_model_new(14, 2);
	snprintf(model->name, sizeof model->name, "tiny");
	snprintf(model->text, sizeof model->text, "self-sampled");
	model->layers = 2;
	cr_assert_not(format_parse(&model->format[0], "int2g64", &e));
	cr_assert_not(format_parse(&model->format[1], "int4g128", &e));
	for (size_t i = 0; i < 28; i++)
		model->bytes[i] = 100;
	publish(EV_MODEL, &model->snap);
	for (size_t i = 0; i < 13; i++) /* the last is not known */
		m->cell[2 * i] = (struct map_cell){ .state = CELL_SCANNED,
			.tokens = 512,
			.value = (float)(0.01 * (double)((i * 5) % 13 + 1)) };
	snprintf(m->source, sizeof m->source, "scan");
	publish(EV_MAP, &m->snap);
}

Test(show, the_map_is_a_list_from_the_worst)
{
	char *text, *first, *second;

	publish_cells();
	publish_answer();
	text = say("show map 3\nshow map all down\n", 0);
	/* i * 5 % 13 is 12 at i 5, layer 0 up, and 11 at i 10, layer 1 o */
	first = strstr(text, "1: layer 0 up, damage .1300");
	second = strstr(text, "2: layer 1 o, damage .1200");
	cr_assert(first && second && first < second, "%s", text);
	cr_expect(
		strstr(text, "most sensitive: 3 of 13 linears, each alone in int2g64, by scan\n"));
	cr_expect(strstr(text, "not known yet: 1 linears\n"));
	cr_expect_eq(count(text, " down, damage"), 1u, "%s", text);
	big_free(text);
}

Test(show, the_layout_is_counts_by_kind_and_a_list)
{
	char *text;

	publish_cells();
	publish_answer();
	text = say("show layout\nshow layout all\nshow layout zz\n", 2);
	cr_expect(strstr(text, "layout: 4.25 bpw, 14 in int2g64; 14 pinned\n") ||
			  strstr(text, "layout: 4.25 bpw, 14 in int2g64\n"),
		"%s", text);
	cr_expect(strstr(text, "gate: 2 in int2g64, layers 0, 1\n"), "%s", text);
	cr_expect(strstr(text, "layers.1.down: int2g64"), "%s", text);
	cr_expect(strstr(text, "error: show layout: expected all, or a kind"), "%s", text);
	big_free(text);
}

Test(show, a_linear_and_the_front_and_a_panel_without_lines_are_shown)
{
	struct snap_front *f = snap_front_new(3, 2);
	char *text;

	publish_cells();
	for (size_t i = 0; i < 3; i++) {
		f->bytes[i] = 1000 * (i + 2);
		f->kl[i] = 0.3 - 0.1 * (double)i;
	}
	f->least = 2000;
	f->most = 4000;
	f->least_bpw = 2;
	f->most_bpw = 4;
	f->in_nats = true;
	f->point[0] = (struct front_point){ .bpw = 3.5, .kl = 0.2, .se = 0.01, .what = "measured" };
	f->point[1] =
		(struct front_point){ .bpw = 2.5, .kl = 0.4, .what = "uniform", .missed = true };
	publish(EV_FRONT, &f->snap);
	text = say("show cell layers.0.q\nshow cell 1 up\nshow cell nosuch\nshow front\nshow cell\n"
		   "show jobs\nshow heatmap\nshow maap\n",
		2);
	cr_expect(strstr(text, "int2g64: 100 B, damage .0100, scanned"), "%s", text);
	cr_expect(strstr(text, "layers.1.up: "), "%s", text);
	cr_expect(strstr(text, "error: show cell: there is no linear \"nosuch\""), "%s", text);
	cr_expect_lt(strstr(text, "uniform: 2.50 bpw, damage .4000, more than two errors"),
		strstr(text, "measured: 3.50 bpw, damage .2000, give or take .0100\n"));
	cr_expect(strstr(text, "3.00 bpw: damage .2000\n"), "%s", text);
	cr_expect(strstr(text, "jobs: nothing runs\n"), "%s", text);
	cr_expect(strstr(text, "error: show: no topic \"maap\"; did you mean map\n"), "%s", text);
	big_free(text);
}

Test(show, on_a_screen_the_same_lines_are_a_list)
{
	char *f;

	publish_cells();
	f = play(100, 24, ":show map 3\n");
	cr_assert(strstr(f, "1: layer 0 up, damage .1300"), "%s", f);
	big_free(f);
	f = play(100, 24, ":show nosuch\nwait 0\n");
	cr_assert(strstr(f, "show: no topic \"nosuch\" (show lists them)"), "%s", f);
	big_free(f);
}

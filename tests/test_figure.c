/* test_figure.c - what a panel shows as numbers: of the model, of runs, as files. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/work/figure.h"
#include "core/work/run.h"
#include "tests/lib_base.h"

static struct err e;

static char *file(const char *path)
{
	char *s;
	size_t n;

	cr_assert_eq(fs_read(path, 1 << 24, &s, &n, &e), ST_OK, "%s", e.msg);
	return s;
}

static struct figure *words(void)
{
	static const char *const names[] = { "what", "x", "y" };
	struct figure *f = figure_new("words", "t", "x", "y");
	struct figure_value rows[][3] = { { { "a,\"b\"", 0 }, { NULL, 1.5 }, { NULL, -2 } },
		{ { "tab\there\nline", 0 }, { NULL, NAN }, { NULL, 1e-9 } } };

	figure_columns(f, 3, names);
	figure_row(f, rows[0]);
	figure_row(f, rows[1]);
	return f;
}

static void begin(void)
{
	tmp_dir();
	setenv("BD_RUNS", tmp_path("runs"), 1);
}

TestSuite(figure, .init = begin, .timeout = 60);

Test(figure, a_table_is_written_as_each_ending_has_it)
{
	struct figure *f = words();
	struct json j;
	char *s;

	cr_assert_eq(figure_write(f, tmp_path("a.csv"), &e), ST_OK, "%s", e.msg);
	s = file(tmp_path("a.csv"));
	cr_assert(strstr(s, "what,x,y\r\n\"a,\"\"b\"\"\",1.5,-2\r\n") == s, "%s", s);
	cr_assert(strstr(s, ",,1e-09\r\n") && !strchr(strstr(s, "\r\ntab") + 2, '\t'), "%s", s);
	big_free(s);
	cr_assert_eq(figure_write(f, tmp_path("a.tsv"), &e), ST_OK, "%s", e.msg);
	s = file(tmp_path("a.tsv"));
	cr_assert(strstr(s, "# what\tx\ty\n") == s && strstr(s, "\tnan\t1e-09\n"), "%s", s);
	big_free(s);
	cr_assert_eq(figure_write(f, tmp_path("a.json"), &e), ST_OK, "%s", e.msg);
	cr_assert_eq(json_load(&j, tmp_path("a.json"), 1 << 20, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(cJSON_GetArraySize(j.root), 2);
	cr_assert_str_eq(
		json_member(cJSON_GetArrayItem(j.root, 1), "what")->valuestring, "tab\there\nline");
	cr_assert(cJSON_IsNull(json_member(cJSON_GetArrayItem(j.root, 1), "x")));
	json_release(&j);
	cr_assert_eq(figure_write(f, tmp_path("a.xls"), &e), ST_INVALID);
	cr_assert(strstr(e.msg, ".csv, .tsv, .json or .gp"), "%s", e.msg);
	figure_free(f);
	f = figure_new("none", "", "", "");
	cr_assert_eq(figure_write(f, tmp_path("b.csv"), &e), ST_INVALID);
	figure_free(f);
}

Test(figure, a_name_that_is_taken_is_numbered_with_all_that_lies_beside)
{
	char *name = figure_free_name(tmp_dir(), "front", ".png");

	cr_assert_str_eq(name, tmp_path("front.png"));
	xfree(name);
	tmp_write(tmp_path("front.tsv"), "mine", 4);
	tmp_write(tmp_path("front-2.gp"), "mine", 4);
	name = figure_free_name(tmp_dir(), "front", ".png");
	cr_assert_str_eq(name, tmp_path("front-3.png"));
	xfree(name);
}

/* ---- runs */

static char *a_run(const char *metric, const char *text)
{
	struct run_info info = { .kind = "train",
		.model = "m",
		.model_path = "p",
		.model_sha = "s",
		.options = metric };
	struct run *r;
	char *dir, *path, *id;

	cr_assert_eq(run_new(&r, &info, &e), ST_OK, "%s", e.msg);
	id = xstrdup(run_id(r));
	dir = xprintf("%s/metrics", run_path(r));
	cr_assert_eq(fs_mkdirs(dir, &e), ST_OK);
	path = xprintf("%s/%s.tsv", dir, metric);
	tmp_write(path, text, strlen(text));
	run_end(r, ST_OK, "");
	xfree(path);
	xfree(dir);
	return id;
}

Test(figure, the_loss_of_runs_becomes_curves)
{
	char *a = a_run(
		"loss", "# step\twall_s\tvalue\n1\t0.5\t3.0\n2\t0.9\tnan\n3\t1.4\t2.5\n4\t1.");
	char *b = a_run("flips", "1\t0\t10\n2\t1\t20\n");
	const char *word[] = { a, b };
	struct figure *f;

	cr_assert_eq(figure_runs(&f, word, 2, NULL, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(f->plot.n, 2);
	cr_assert_eq(f->plot.series[0].n, 3, "the last line is not whole yet");
	cr_assert(strstr(f->plot.series[0].label, " loss") &&
		  strstr(f->plot.series[1].label, " flips"));
	cr_assert_eq(f->plot.series[0].x[2], 3.0);
	cr_assert_eq(f->plot.series[0].y[2], 2.5);
	cr_assert(isnan(f->plot.series[0].y[1]));
	cr_assert_eq(f->rows, 5);
	figure_free(f);
	cr_assert_eq(figure_runs(&f, word, 1, "flips", NULL, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "has no metrics/flips.tsv"), "%s", e.msg);
	xfree(a);
	xfree(b);
}

Test(figure, a_table_of_several_columns_is_drawn_by_the_column_that_is_asked_for)
{
	char *a = a_run("train", "# step\tloss\tflips\ttok_s\n1\t3.0\t70\t9\n2\t2.5\t60\t8\n");
	const char *word[] = { a };
	struct figure *f;

	cr_assert_eq(figure_runs(&f, word, 1, NULL, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(f->plot.n, 1);
	cr_assert_eq(f->plot.series[0].y[1], 2.5);
	cr_assert(strstr(f->plot.series[0].label, " train loss"), "%s", f->plot.series[0].label);
	figure_free(f);
	cr_assert_eq(figure_runs(&f, word, 1, "flips", NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(f->plot.series[0].y[0], 70.0);
	figure_free(f);
	cr_assert_eq(figure_runs(&f, word, 1, "train", NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(f->plot.series[0].y[0], 9.0, "a file's own name: its last column");
	figure_free(f);
	cr_assert_eq(figure_runs(&f, word, 1, "step_s", NULL, &e), ST_INVALID);
	xfree(a);
}

Test(figure, files_of_numbers_that_are_none_are_named_with_their_line)
{
	const char *path = tmp_path("x.tsv"), *none = "nosuchrun";
	struct figure *f;

	tmp_write(path, "1\t2\n1\n", 6);
	cr_assert_eq(figure_runs(&f, &path, 1, NULL, NULL, &e), ST_FORMAT);
	cr_assert(strstr(e.msg, "x.tsv: line 2"), "%s", e.msg);
	cr_assert_null(f);
	tmp_write(path, "1\tsystem('x')\n", 14);
	cr_assert_eq(figure_runs(&f, &path, 1, NULL, NULL, &e), ST_FORMAT);
	cr_assert_eq(figure_runs(&f, &none, 1, NULL, NULL, &e), ST_INVALID);
	cr_assert(strstr(e.msg, "nosuchrun"), "%s", e.msg);
}

Test(figure, a_curve_of_many_steps_is_thinned_and_says_so)
{
	char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);
	const char *path = tmp_path("long.tsv");
	struct figure *f;

	for (int i = 0; i < 50001; i++)
		fprintf(to, "%d\t%d\n", i, i);
	fclose(to);
	tmp_write(path, text, n);
	free(text);
	cr_assert_eq(figure_runs(&f, &path, 1, NULL, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(f->plot.series[0].n, 16667);
	cr_assert_eq(f->plot.series[0].y[16666], 49998.0);
	cr_assert(
		strstr(f->plot.series[0].label, "(every 3 steps)"), "%s", f->plot.series[0].label);
	cr_assert_eq(f->rows, 50001, "an export is whole");
	figure_free(f);
}

/* ---- of the model */

static struct snap_model *model(void)
{
	struct snap_model *m = snap_model_new(14, 2);

	snprintf(m->name, sizeof m->name, "tiny");
	m->layers = 2;
	cr_assert_eq(format_parse(&m->format[0], "int2g64", &e), ST_OK);
	cr_assert_eq(format_parse(&m->format[1], "int4g128", &e), ST_OK);
	for (size_t i = 0; i < 28; i++) {
		m->bytes[i] = 100 + i;
		m->nominal[i] = i % 2 ? 4.25f : 2.5f;
	}
	return m;
}

Test(figure, the_map_has_a_cell_for_every_linear_and_no_score_among_nats)
{
	struct snap_model *m = model();
	struct snap_map *map = snap_map_new(14, 2);
	struct snap_answer *a = snap_answer_new(14, false);
	struct figure *f;

	for (size_t i = 0; i < 14; i++) {
		map->cell[2 * i] = (struct map_cell){
			.state = CELL_SCANNED, .tokens = 64, .value = (float)(i + 1), .se = 0.1f
		};
		map->cell[2 * i + 1] = (struct map_cell){ .value = NAN, .se = NAN };
		a->choice[i] = i % 2;
	}
	map->cell[2 * 3] = (struct map_cell){ .state = CELL_SCORED, .value = 99, .se = NAN };
	f = figure_map(m, map, a, "damage", NULL, &e);
	cr_assert_not_null(f, "%s", e.msg);
	cr_assert_eq(f->plot.rows, 7);
	cr_assert_eq(f->plot.cols, 2);
	cr_assert_eq(f->plot.value[0], 1.0);
	cr_assert_eq(f->plot.value[1], 8.0); /* q of block 1 */
	cr_assert(isnan(f->plot.value[3 * 2]), "a first score is no nats");
	cr_assert(f->plot.log_y);
	cr_assert_eq(f->rows, 28);
	figure_free(f);
	f = figure_map(m, map, a, "bits", NULL, &e);
	cr_assert_eq(f->plot.value[2], 4.25);
	figure_free(f);
	cr_assert_null(figure_map(m, map, a, "change", NULL, &e));
	cr_assert(strstr(e.msg, "no mark A"), "%s", e.msg);
	cr_assert_null(figure_map(m, map, a, "colour", NULL, &e));
	cr_assert(strstr(e.msg, "\"colour\""), "%s", e.msg);
	cr_assert_null(figure_map(m, map, a, "damage", "int5g64", &e));
	cr_assert_null(figure_map(NULL, map, a, "damage", NULL, &e));
	f = figure_map(m, NULL, NULL, "damage", NULL, &e);
	cr_assert_null(f);
	snap_unref(&m->snap);
	snap_unref(&map->snap);
	snap_unref(&a->snap);
}

Test(figure, the_front_has_its_points_by_kind_and_the_dial)
{
	struct snap_model *m = model();
	struct snap_front *s = snap_front_new(3, 3);
	struct snap_answer *a = snap_answer_new(14, false);
	struct figure *f;

	for (size_t i = 0; i < 3; i++) {
		s->bytes[i] = 100 * (i + 1);
		s->kl[i] = 2.0 - (double)i; /* the last does no damage: not on a logarithmic axis */
		s->point[i] = (struct front_point){ .bytes = 150, .bpw = 3, .kl = 1, .se = 0.1 };
		snprintf(
			s->point[i].what, sizeof s->point[i].what, i == 1 ? "uniform" : "measured");
	}
	s->least = 100;
	s->least_bpw = 2;
	s->in_nats = true;
	a->stored_bpw = 3.5;
	a->kl = 0.5;
	a->in_nats = true;
	f = figure_front(m, s, a);
	cr_assert_eq(f->plot.n, 4); /* predicted, measured, uniform, now */
	cr_assert_str_eq(f->plot.series[1].label, "measured");
	cr_assert_eq(f->plot.series[1].n, 2);
	cr_assert_eq(f->plot.series[2].error[0], 0.1);
	cr_assert(isnan(f->plot.series[0].y[2]));
	cr_assert_eq(f->plot.series[0].x[1], 4.0);
	cr_assert_eq(f->rows, 3 + 3 + 1);
	figure_free(f);
	cr_assert_null(figure_front(m, NULL, a));
	snap_unref(&m->snap);
	snap_unref(&s->snap);
	snap_unref(&a->snap);
}

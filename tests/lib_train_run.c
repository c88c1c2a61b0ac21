/* lib_train_run.c - see lib_train_run.h. */
#include "tests/lib_train_run.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "tests/lib_base.h"
#include "tests/lib_work.h"

char scene_warned[4096];

static void on_log(enum log_level l, const char *text)
{
	(void)l;
	snprintf(scene_warned + strlen(scene_warned), sizeof scene_warned - strlen(scene_warned),
		"%s\n", text);
}

void scene_home(void)
{
	work_home();
	log_watch(on_log);
}

size_t scene_format(const struct desk *d, const char *name)
{
	char own[FORMAT_NAME];
	size_t i = 0;

	while (i < d->set.k && strcmp(format_name(d->set.format[i], own), name) != 0)
		i++;
	cr_assert(i < d->set.k, "%s", name);
	return i;
}

void scene_open(struct scene *s, const char *model)
{
	struct err e = { 0 };
	uint8_t *choice;

	s->d = work_desk(model, "int2g64,int4g64,keep", NULL);
	choice = xarray(s->d->set.n, 1);
	for (size_t i = 0; i < s->d->set.n; i++)
		choice[i] = (uint8_t)scene_format(s->d, i % 9 == 8 ? "keep"
							: i % 2    ? "int2g64"
								   : "int4g64");
	desk_layout_of(s->d, choice, (double)NAN, (double)NAN, &s->l);
	s->view = xarray(s->d->set.n, sizeof *s->view);
	cr_assert_eq(desk_view(s->d, choice, s->view, NULL, &e), ST_OK, "%s", e.msg);
	xfree(choice);
}

void scene_close(struct scene *s)
{
	xfree(s->view);
	layout_release(&s->l);
	desk_close(s->d);
}

const char *scene_rows(const char *name, size_t n)
{
	const char *path = tmp_path(name);
	char *s = xalloc(n * 128 + 1), *at = s;

	for (size_t i = 0; i < n; i++)
		at += snprintf(at, 128,
			"{\"prompt\": \"turn %c%zu\", \"completion\": \"%c%c bits %.*s\"}\n",
			(int)('a' + i % 26), i, (int)('a' + i % 26), (int)('z' - i % 26),
			(int)(3 + i % 11), "weights are heavy");
	tmp_write(path, s, (size_t)(at - s));
	xfree(s);
	return path;
}

struct train_ask scene_ask(const char *method)
{
	struct train_ask a;

	train_ask_init(&a);
	a.data = scene_rows("data.jsonl", 40);
	a.method = method;
	a.steps = 12;
	a.window = 48;
	a.windows = 2;
	a.held = 0.1;
	a.held_every = 4;
	a.save_every = 5;
	a.seed = 3;
	return a;
}

char *scene_went(struct scene *s, const struct train_ask *a, enum st expected, struct err *e)
{
	struct train_run *r = NULL;
	char *dir, *runs = runs_dir();

	cr_assert_eq(train_run_new(&r, s->d, &s->l, s->view, a, NULL, e), ST_OK, "%s", e->msg);
	dir = xprintf("%s/%s", runs, train_run_id(r));
	cr_assert_eq(train_run_go(r, NULL, NULL, e), expected, "%s", e->msg);
	train_run_free(r);
	xfree(runs);
	return dir;
}

char *scene_file(const char *dir, const char *name, size_t *n)
{
	char *path = xprintf("%s/%s", dir, name), *text = NULL;
	struct err e = { 0 };

	cr_assert_eq(fs_read(path, 64 << 20, &text, n, &e), ST_OK, "%s", e.msg);
	xfree(path);
	return text;
}

void scene_same_file(const char *one, const char *two, const char *name)
{
	size_t n1, n2;
	char *x = scene_file(one, name, &n1), *y = scene_file(two, name, &n2);

	cr_expect(n1 == n2 && !memcmp(x, y, n1), "%s of %s and %s differ", name, one, two);
	big_free(x);
	big_free(y);
}

void scene_copy(const char *from, const char *to, const char *name)
{
	char *path = xprintf("%s/%s", to, name), *text;
	size_t n;

	text = scene_file(from, name, &n);
	tmp_write(path, text, n);
	big_free(text);
	xfree(path);
}

bool scene_has(const char *dir, const char *name)
{
	char *path = xprintf("%s/%s", dir, name);
	bool is = fs_is_there(path);

	xfree(path);
	return is;
}

void scene_steps_once(const char *dir, const char *name, uint64_t from, uint64_t to)
{
	size_t n;
	char *text = scene_file(dir, name, &n), *at = strchr(text, '\n') + 1;

	cr_expect_eq(*text, '#', "%s", name);
	for (uint64_t i = from; i <= to; i++) {
		cr_assert(*at, "%s: step %llu is missing", name, (unsigned long long)i);
		cr_expect_eq(strtoull(at, NULL, 10), i, "%s: %.30s", name, at);
		at = strchr(at, '\n') + 1;
	}
	cr_expect_eq(*at, '\0', "%s: %.30s", name, at);
	big_free(text);
}

double scene_number(const char *dir, const char *key)
{
	char *path = xprintf("%s/end.json", dir);
	double v = (double)NAN;
	struct json j;
	struct err e = { 0 };

	cr_assert_eq(json_load(&j, path, 1 << 20, &e), ST_OK, "%s", e.msg);
	cr_expect_eq(json_get_f64(&j, json_member(j.root, "numbers"), "", key, -1e18, 1e18, &v, &e),
		ST_OK, "%s", e.msg);
	json_release(&j);
	xfree(path);
	return v;
}

static bool stop_poll(const struct sink *s)
{
	return ((struct stopper *)s->self)->now;
}

static void stop_step(void *arg, const struct train_report *rep)
{
	struct stopper *s = arg;

	s->now = rep->step == s->after;
}

static void stop_saved(void *arg, uint64_t step, const char *dir)
{
	struct stopper *s = arg;

	(void)step;
	cr_expect(fs_is_dir(dir));
	s->saved++;
}

void stopper_init(struct stopper *s, uint64_t after)
{
	*s = (struct stopper){ .sink = { .poll = stop_poll, .self = s },
		.seen = { .step = stop_step, .saved = stop_saved, .arg = s },
		.after = after };
}

char *scene_stopped(struct scene *s, const struct train_ask *a, uint64_t after)
{
	struct train_run *r = NULL;
	struct stopper stop;
	char *dir, *runs = runs_dir();
	struct err e = { 0 };

	stopper_init(&stop, after);
	cr_assert_eq(
		train_run_new(&r, s->d, &s->l, s->view, a, &stop.sink, &e), ST_OK, "%s", e.msg);
	cr_expect_eq(train_run_go(r, &stop.seen, &stop.sink, &e), ST_CANCELLED, "%s", e.msg);
	dir = xprintf("%s/%s", runs, train_run_id(r));
	train_run_free(r);
	xfree(runs);
	return dir;
}

struct train_ask scene_again(const char *dir)
{
	struct train_ask a;

	train_ask_init(&a);
	a.resume = dir;
	return a;
}

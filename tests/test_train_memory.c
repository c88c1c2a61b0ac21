/* test_train_memory.c - what a run takes of the machine is what was foretold (FORMULAS.md 3.5: T9),
 * as the kernel counts it: train_bytes and train_need could be wrong together. */
#include <criterion/criterion.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/tune/train_need.h"
#include "tests/lib_random_model.h"
#include "tests/lib_train.h"

enum { WINDOW = 32, STEPS = 1 };

/* 20 million weights in its linears: 82 MB in float, 11 MB in int4g64. */
static const struct random_shape shape = { "20M", 6, 512, 1536, 8, 8, 64, 0 };

/* Of /proc/self/status, in bytes. */
static double status(const char *key)
{
	FILE *f = fopen("/proc/self/status", "r");
	unsigned long kib = 0;
	char line[256];

	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, key, strlen(key)))
			(void)!sscanf(line + strlen(key), " %lu", &kib);
	if (f)
		fclose(f);
	return (double)kib * 1024;
}

struct place {
	struct taught t; /* its rows and its tokenizer */
	struct model *m;
};

static struct place place_open(void)
{
	struct place p = { .t = taught_open("cpu", "keep", 20, WINDOW, 0) };
	struct random_shape s = shape;

	s.vocab = p.t.m->hp.vocab;
	p.m = random_model(backend_find("cpu"), &s, 4, 64, 1);
	cr_assert_not_null(p.m);
	return p;
}

static void place_close(struct place *p)
{
	random_model_free(p->m);
	taught_close(&p->t);
}

static double foretold(const struct place *p, const struct train_how *how)
{
	struct train_shape *s = train_shapes(&p->m->hp, format_int(4, 64));
	struct train_memory x;
	struct err e = { 0 };

	cr_assert_eq(train_need(&x, &p->m->hp, s, p->m->n_linears, 0, how, WINDOW, &e), ST_OK, "%s",
		e.msg);
	xfree(s);
	return (double)(x.total - x.frozen);
}

/* "": all went well. */
static const char *steps(
	const struct place *p, const struct train_how *how, size_t n, struct err *e)
{
	const struct train_from from = { .view = p->m->ref, .forms = 1 };
	struct train_report r;
	struct train *t = NULL;
	enum st st = train_new(&t, p->m, &from, how, p->t.pack, NULL, e);

	for (size_t i = 0; !st && i < n; i++)
		st = train_step(t, &r, NULL, e);
	train_free(t);
	return st ? e->msg : "";
}

/* How far its peak went above where a process began that did some steps; a child of this one begins
 * with a peak of what it is at that moment. */
static double took(const struct place *p, const struct train_how *how)
{
	struct err e = { 0 };
	int ends[2], end;
	double more = 0, began;
	pid_t child;

	cr_assert_eq(pipe(ends), 0);
	child = fork();
	cr_assert_geq(child, 0);
	if (!child) {
		began = status("VmRSS:");
		if (*steps(p, how, STEPS, &e))
			_exit(1);
		more = status("VmHWM:") - began;
		_exit(write(ends[1], &more, sizeof more) == (ssize_t)sizeof more ? 0 : 2);
	}
	close(ends[1]);
	cr_expect_eq(read(ends[0], &more, sizeof more), (ssize_t)sizeof more);
	close(ends[0]);
	cr_assert_eq(waitpid(child, &end, 0), child);
	cr_assert_eq(end, 0, "a run of %s failed", how->method->name);
	return more;
}

/* To a tenth, and a few pages: a float copy of the weights would be 82 MB. */
static void takes_what_was_foretold(const struct place *p, const char *method)
{
	struct train_how how;
	double said, is;

	train_how_init(&how, train_method_find(method));
	train_how_steps(&how, STEPS);
	how.windows = 2;
	said = foretold(p, &how);
	is = took(p, &how);
	cr_expect(fabs(is - said) < 0.1 * said + 2e6, "%s: foretold %.1f MB, it took %.1f", method,
		said / 1e6, is / 1e6);
}

Test(train_memory, the_peak_of_a_process_that_trains_is_what_was_foretold, .timeout = 120)
{
	static const char *const methods[] = { "rank", "flips", "latent", "fp", "galore-fp",
		"lora" };
	struct train_how how;
	struct err e = { 0 };
	struct place p;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	cr_skip("a sanitizer takes memory of its own");
#endif
	p = place_open();
	/* libraries take their buffers at the first call */
	train_how_init(&how, train_method_find("stats"));
	train_how_steps(&how, STEPS);
	how.windows = 2;
	cr_assert_str_eq(steps(&p, &how, STEPS, &e), "");
	malloc_trim(0); /* what is free would be taken before more is */
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		takes_what_was_foretold(&p, methods[i]);
	place_close(&p);
}

/* verbs_calibrate.c - calibrate: a run of train with what a calibration has where nothing is said.
 */
#include <stdio.h>

#include "app/verbs_train.h"
#include "core/work/calibrate.h"
#include "core/work/desk.h"

/* Of the words that become others of train: they are named as they were given. */
static enum st check(const struct args *a, const struct train_ask *ask, struct err *e)
{
	const char *names = a->formats ? desk_formats(a->formats) : NULL;
	struct format f[FORMAT_MAX];
	size_t n;

	if (a->text && !*a->text)
		return err_set(e, ST_INVALID, "--text: the name is empty: give a text");
	if (a->resume || ask->layout || a->dial)
		return ST_OK;
	if (names && format_list(f, &n, names, e))
		return err_at(e, e->st, "--formats");
	return ask->dial ? ST_OK
			 : err_set(e, ST_INVALID,
				   "--formats %.80s: nothing in it is trained: name formats of one "
				   "width, such as int2g64,int4g128",
				   a->formats ? a->formats : "");
}

int verb_calibrate(const struct args *a)
{
	struct args as = *a;
	struct train_ask open, ask;
	struct err e = { 0 };
	int rc;

	train_ask_init(&open);
	open.method = a->method;
	open.data = a->data;
	open.text = a->text;
	open.dial = a->dial;
	open.layout = a->layout;
	open.resume = a->resume;
	open.steps = a->steps;
	ask = calibrate_ask(&open, a->formats, NULL);
	as.method = ask.method;
	as.data = ask.data;
	as.text = ask.text;
	as.dial = ask.dial;
	as.steps = ask.steps;
	as.teach = !a->teacher && ask.teach;
	as.all = ask.all;
	rc = check(a, &ask, &e) ? verb_fail(&e) : verb_train(&as);
	train_ask_release(&ask);
	return rc;
}

/* verbs_calibrate.c - calibrate: a run of train with what a calibration has where nothing is said.
 */
#include <stdio.h>

#include "app/verbs_train.h"
#include "core/work/calibrate.h"

int verb_calibrate(const struct args *a)
{
	struct args as = *a;
	struct train_ask open, ask;
	int rc;

	train_ask_init(&open);
	open.method = a->method;
	open.data = a->data;
	open.text = a->text;
	open.dial = a->dial;
	open.layout = a->layout;
	open.resume = a->resume;
	open.steps = a->steps;
	open.patience = a->patience;
	ask = calibrate_ask(&open, a->formats, NULL);
	as.method = ask.method;
	as.data = ask.data;
	as.text = ask.text;
	as.dial = ask.dial;
	as.steps = ask.steps;
	as.patience = ask.patience;
	as.teach = !a->teacher && ask.teach;
	as.all = ask.all;
	rc = verb_train(&as);
	train_ask_release(&ask);
	return rc;
}

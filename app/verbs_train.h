/* verbs_train.h - what the files of `bitdial train` share.  Main thread. */
#ifndef BD_APP_VERBS_TRAIN_H
#define BD_APP_VERBS_TRAIN_H

#include "app/verbs.h"
#include "core/tune/train_need.h"
#include "core/work/train_run.h"

/* verbs_train.c: the method that --method names, or the one of train_ask_init; ST_INVALID with a
 * near one. */
BD_MUST_USE enum st train_verb_method(
	const struct train_method **out, const struct args *a, struct err *e);
/* What was asked for, names and numbers looked at; strings are borrowed. */
BD_MUST_USE enum st train_verb_ask(struct train_ask *ask, const struct args *a, struct err *e);
/* The same with another method, by which its memory is foretold. */
BD_MUST_USE enum st train_verb_how(struct train_how *how, size_t *window,
	const struct train_method *m, const struct train_ask *ask, struct err *e);

/* What --dial goes with, and that each of it is a format; without one ST_OK. */
BD_MUST_USE enum st train_verb_dial(
	const struct train_method *m, const struct args *a, struct err *e);

struct train_verb;
/* Of --resume: the model and the layout that the run's folder names, into t->as. */
BD_MUST_USE enum st train_verb_take_up(struct train_verb *t, struct err *e);

struct train_verb {
	const struct args *a;
	struct args as; /* of a run that is resumed: with its model and layout */
	struct train_ask ask;
	struct desk *d;
	struct layout l;
	const struct mat **view;
	struct train_run *run;
	char *path, *layout; /* owned; of as */
	/* of what was seen */
	struct train_report last;
	struct train_first first; /* of the whole run */
	double held, held_se, kl;
	double began, told;
	uint64_t began_at;
};

/* verbs_train_tell.c: before the first step, while it goes on, at the end. */
void train_verb_begins(struct train_verb *t);
struct train_seen train_verb_seen(struct train_verb *t);
void train_verb_ends(const struct train_verb *t);
void train_verb_json(const struct train_verb *t, const char *status);
/* A path as a shell takes it again. */
void train_verb_quoted(char *out, size_t cap, const char *path);

/* verbs_train_plan.c: --dry-run.  Only headers are read; of a folder without weights config.json.
 */
int train_verb_plan(const struct args *a);

#endif

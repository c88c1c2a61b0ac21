/* task.h - tasks of multiple choice, by the likelihood of each option.
 *
 * A file is JSON, an object a line, in one of the forms of task_form_table: our own (prompt,
 * options, answer) or as published sets have it.  An item's score of an option is the sum of log p
 * of the option's tokens behind its context; `right` takes the largest sum, `right_norm` the
 * largest sum divided by the characters of the option, so that long options are not punished (acc
 * and acc_norm of EleutherAI's lm-evaluation-harness; as there a context is encoded together with
 * its option, blanks at its end belong to the option, and what exceeds the model's context is cut
 * from the left).  A BOS stands first where the tokenizer itself adds one.  Contexts are worded as
 * the harness has them, but for race (each question alone).
 *
 * Reading: any thread, errors name the line.  Scoring: engine thread, polls the sink.
 */
#ifndef BD_EVAL_TASK_H
#define BD_EVAL_TASK_H

#include <cjson/cJSON.h>

#include "core/base/arena.h"
#include "core/model/forward.h"
#include "core/text/tokenizer.h"

enum { TASK_OPTIONS = 8 };

struct task_item {
	size_t line, n, answer;
	const char *context[TASK_OPTIONS]; /* mostly one and the same */
	const char *option[TASK_OPTIONS];  /* without the blank before it */
	bool glued;                        /* there is none: the option goes on within the line */
};

struct task {
	struct arena memory;
	const struct task_form *form;
	char name[64]; /* of the file */
	struct task_item *item;
	size_t n, cap;
};

/* One published way to write items down: a line of task_forms.c's table. */
struct task_form {
	const char *name, *key; /* the member of an object that tells */
	/* Adds what a line holds, an item or several. */
	enum st (*take)(struct task *t, const struct task_form *f, const cJSON *o, struct err *e);
	const char *beside; /* labels lie in a file of that ending: "-labels.lst"; NULL: within */
};
extern const struct task_form task_form_table[]; /* name NULL ends it */

/* limit: items at most; 0: all. */
BD_MUST_USE enum st task_read(
	struct task *t, const char *path, size_t limit, const struct sink *s, struct err *e);
void task_release(struct task *t);
/* For the forms: an item to be filled. */
struct task_item *task_add(struct task *t);
const char *task_text(struct task *t, const char *fmt, ...) BD_PRINTF(2, 3);

struct task_result {
	size_t items, right, right_norm;
	float *score;              /* [items][TASK_OPTIONS] sums of log p; big_free */
	uint8_t *pick, *pick_norm; /* [items] */
};
void task_result_release(struct task_result *r);

/* view NULL: the reference.  start: what an empty context begins with (desk_start). */
BD_MUST_USE enum st task_run(struct task_result *r, const struct task *t, const struct model *m,
	const struct mat *const *view, const struct tokenizer *tok, int32_t start,
	const struct sink *s, struct err *e);

/* Of k right ones of n: their share, and its standard error (binomial). */
double task_share(size_t k, size_t n);
double task_share_se(size_t k, size_t n);

#endif

/* verbs_teach.c - teach: what the reference says of a data file, kept for calibration. */
#include <stdio.h>
#include <string.h>

#include "app/verbs_train.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/tune/teach.h"
#include "core/work/train_data.h"

static enum st check(const struct args *a, struct err *e)
{
	const char *data = a->data ? a->data : a->text;

	if (!data || !a->out)
		return err_set(e, ST_INVALID, "usage: bitdial teach MODEL --data FILE -o DIR");
	if (!*data)
		return err_set(e, ST_INVALID, "--%s: the name is empty: give a file",
			a->data ? "data" : "text");
	if (!*a->out)
		return err_set(e, ST_INVALID,
			"usage: bitdial teach MODEL --data FILE -o DIR: the name of DIR is empty");
	if (a->data && a->text)
		return err_set(e, ST_INVALID, "--data and --text name the same thing: give one");
	if (a->top > TEACH_MOST)
		return err_set(e, ST_INVALID, "--top %llu: at most %d tokens a row",
			(unsigned long long)a->top, TEACH_MOST);
	if (fs_is_file(a->out))
		return err_set(e, ST_INVALID, "-o %s is a file: name a folder", a->out);
	return a->read_only ? err_set(e, ST_INVALID, "--read-only, and teach writes a folder")
			    : ST_OK;
}

/* The line that learns from it: all that decides which sequences there are goes with it. */
static void next(const struct args *a, const char *data)
{
	char file[1024], dir[1024], model[1024] = "";

	train_verb_quoted(file, sizeof file, data);
	train_verb_quoted(dir, sizeof dir, a->out);
	if (a->n_words)
		train_verb_quoted(model, sizeof model, a->word[0]);
	printf("next       bitdial calibrate%s%s --data %s --teacher %s",
		a->demo  ? " --demo"
		: *model ? " "
			 : "",
		model, file, dir);
	if (a->template)
		printf(" --template %s", a->template);
	if (a->window)
		printf(" --window %llu", (unsigned long long)a->window);
	if (a->held >= 0)
		printf(" --held %.9g", a->held);
	if (a->rows)
		printf(" --rows %llu", (unsigned long long)a->rows);
	if (a->samples)
		printf(" --samples %llu", (unsigned long long)a->samples);
	putchar('\n');
}

static void tell(const struct args *a, const struct desk *d, const struct pack *p,
	const struct teach_how *how, const char *data, bool done)
{
	const struct pack_counts *c = pack_counts(p);
	uint64_t bytes = teach_bytes(d->m, p, how->top);
	struct json_out o;
	char b[16];

	if (a->json) {
		verb_begin(&o);
		json_put_str(&o, "folder", a->out);
		json_put_i64(&o, "sequences", (int64_t)c->sequences);
		json_put_i64(&o, "tokens", (int64_t)c->tokens);
		json_put_i64(&o, "top", (int64_t)how->top);
		json_put_i64(&o, "bytes", (int64_t)bytes);
		json_put_bool(&o, "done", done);
		verb_json(&o);
		return;
	}
	if (!done) {
		verb_note("%llu sequences, %llu tokens, the %zu most probable of each and the "
			  "rest: %s",
			(unsigned long long)c->sequences, (unsigned long long)c->tokens, how->top,
			text_bytes(bytes, b));
		return;
	}
	printf("teacher    %s: %llu tokens, %s\n", a->out, (unsigned long long)c->tokens,
		text_bytes(bytes, b));
	next(a, data);
}

static enum st teach(
	const struct args *a, const struct train_ask *ask, struct desk *d, struct err *e)
{
	struct teach_how how = { .top = a->top ? a->top : TEACH_TOP, .math = MATH_BF16 };
	struct pack *p = NULL;
	char sha[65], model[65];
	uint64_t bytes, room = fs_free_bytes(a->out);
	enum st st;

	if (how.top > d->m->hp.vocab)
		how.top = d->m->hp.vocab;
	how.model = model;
	st = train_data_read(
		&p, sha, d, ask, ask->data, ask->held, ask->rows, ask->samples, verb_sink(), e);
	if (st)
		return st;
	st = train_data_said(a->out, ask, p, sha, e);
	if (st) {
		pack_free(p);
		return st;
	}
	bytes = teach_bytes(d->m, p, how.top);
	if (!a->json || a->dry_run)
		tell(a, d, p, &how, ask->data, false);
	if (bytes > room && !a->dry_run && !fs_is_dir(a->out)) {
		char b1[16], b2[16];

		st = err_set(e, ST_IO,
			"%s: a teacher's cache of %s, and %s are free: fewer --samples, or a "
			"smaller --top",
			a->out, text_bytes(bytes, b1), text_bytes(room, b2));
	}
	if (!st && !a->dry_run)
		st = train_data_model(model, d, verb_sink(), e);
	verb_keeps(true);
	if (!st && !a->dry_run)
		st = teach_write(a->out, d->m, p, &how, verb_sink(), e);
	if (!st && !a->dry_run)
		st = train_data_put_said(a->out, ask, p, sha, e);
	if (!st && !a->dry_run)
		tell(a, d, p, &how, ask->data, true);
	pack_free(p);
	return st;
}

int verb_teach(const struct args *a)
{
	struct args as = *a;
	struct desk *d = NULL;
	struct train_ask ask;
	struct err e = { 0 };
	enum st st = check(a, &e);

	/* as a training run of the same words takes it */
	as.data = a->data ? a->data : a->text;
	as.text = NULL;
	if (!st)
		st = train_verb_ask(&ask, &as, &e);
	if (!st)
		st = verb_desk(&d, a, &e);
	if (!st) {
		ask.teach = true;
		train_ask_fill(&ask);
		st = teach(a, &ask, d, &e);
	}
	desk_close(d);
	return st ? verb_fail(&e) : 0;
}

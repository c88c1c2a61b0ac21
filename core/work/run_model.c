/* run_model.c - see run_model.h. */
#include "core/work/run_model.h"

#include <stdbool.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/work/dial_run.h"
#include "core/work/run_checkpoint.h"
#include "core/work/runs.h"

static bool is_adapters(const char *dir)
{
	return fs_holds(dir, "adapter_config.json") && !fs_holds(dir, "config.json");
}

/* dir: of a checkpoint; run: as it was named. */
static enum st no_model(const char *dir, const char *run, struct err *e)
{
	return err_set(e, ST_INVALID,
		"%.80s: adapters, which are no model by themselves: PEFT reads them beside the "
		"model "
		"they were trained on, from %.160s",
		run, dir);
}

static bool any(const char *dir)
{
	(void)dir;
	return true;
}

static enum st checkpoint(char **path, const char *run, const char *word, struct err *e)
{
	char *dir = run_checkpoint(run, any);
	enum st st;

	if (dir && !is_adapters(dir)) {
		*path = dir;
		return ST_OK;
	}
	st = dir ? no_model(dir, word, e)
		 : err_set(e, ST_INVALID,
			   "%.160s: this run has no checkpoint yet, so there is no model in it: "
			   "name the "
			   "model",
			   word);
	xfree(dir);
	return st;
}

static enum st of_entry(char **path, const struct run_entry *r, const char *word, struct err *e)
{
	if (!strcmp(r->kind, "train"))
		return checkpoint(path, r->path, word, e);
	return err_set(e, ST_INVALID,
		"%.80s: a run of %.15s, with no model in it: name the model%s", word,
		*r->kind ? r->kind : "an unknown kind",
		r->has_layout ? ", and the run as --layout" : "");
}

/* A word that is no path. */
static enum st by_id(char **path, const char *word, struct err *e)
{
	const struct run_entry *r;
	struct runs all;
	struct err none;
	enum st st = ST_OK;

	if (runs_load(&all, NULL, &none)) /* then there is none of that id, either */
		return ST_OK;
	r = runs_find(&all, word, e);
	if (r)
		st = of_entry(path, r, word, e);
	else if (runs_matching(&all, word))
		st = ST_INVALID;
	runs_release(&all);
	return st;
}

static enum st by_folder(char **path, const char *dir, struct err *e)
{
	const struct run_entry *r;
	struct runs all;
	struct err none;
	char *real;
	enum st st = ST_OK;

	if (is_adapters(dir))
		return no_model(dir, dir, e);
	if (!fs_holds(dir, "run.json") || fs_holds(dir, "config.json"))
		return ST_OK;
	real = fs_real(dir);
	if (!runs_open(&all, &r, real, &none))
		st = of_entry(path, r, dir, e);
	runs_release(&all);
	xfree(real);
	return st;
}

enum st run_model_of_one(char **path, const char *word, struct err *e)
{
	enum st st = ST_OK;

	*path = NULL;
	if (fs_is_dir(word))
		st = by_folder(path, word, e);
	else if (*word && !strchr(word, '/') && !fs_is_there(word))
		st = by_id(path, word, e);
	if (!st && !*path)
		*path = xstrdup(word);
	return st;
}

enum st run_model(char **path, const char *word, struct err *e)
{
	struct dial_run dial = { .dir = NULL };
	enum st st;

	if (!dial_run_is(word))
		return run_model_of_one(path, word, e);
	*path = NULL;
	st = dial_run_find(&dial, word, e);
	if (!st)
		*path = xstrdup(dial.model);
	dial_run_release(&dial);
	return st;
}

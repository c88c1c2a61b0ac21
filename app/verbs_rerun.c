/* verbs_rerun.c - what made a run, once more: its command line from run.json, in its folder.
 *
 * What is different now (bitdial, machine, backend, model, script) is said before it begins.  A
 * script is run only where it lies at the path that its user gave, outside of the runs, and is
 * the one it was. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "app/verbs.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/io/checkpoint.h"
#include "core/work/cache.h"
#include "core/work/runs.h"
#include "kernels/backend.h"

struct again {
	const struct run_entry *r;
	char **argv; /* [argc + 1]; the entry's */
	int argc;
	struct args a;
};

/* ---- which command line */

static void take_words(struct again *g, const struct run_words *w, const char *name)
{
	size_t first = name != NULL;

	g->argv = xarray(w->n + 2, sizeof *g->argv);
	g->argc = (int)(w->n + first);
	if (name)
		g->argv[0] = (char *)name;
	for (size_t i = 0; i < w->n; i++)
		g->argv[i + first] = w->at[i];
}

static bool is_verb_of(const struct args *a, const char *verb)
{
	return !strcmp(a->verb, verb);
}

/* A script found in a run folder is never run by the program. */
static bool has_acts(const struct run_entry *r)
{
	char *path = xprintf("%s/acts.lua", r->path);
	bool has = fs_is_file(path);

	xfree(path);
	return has;
}

/* 0, or the exit code after it was said why there is nothing to run. */
static int choose(struct again *g, struct err *e)
{
	const struct run_entry *r = g->r;
	int rc;

	if (!r->argv.n && !r->again.n)
		return err_set(e, ST_INVALID,
			"%s says no command line: bitdial %s wrote it; see bitdial runs show %s "
			"and "
			"type it again",
			r->id, *r->version ? r->version : "of old", r->id);
	take_words(g, r->argv.n ? &r->argv : &r->again, r->argv.n ? NULL : "bitdial");
	rc = args_parse(&g->a, g->argc, g->argv);
	if (rc)
		return rc;
	if (is_verb_of(&g->a, "open") && r->again.n) {
		xfree(g->argv);
		take_words(g, &r->again, "bitdial");
		return args_parse(&g->a, g->argc, g->argv);
	}
	if (is_verb_of(&g->a, "open") && has_acts(r))
		return err_set(e, ST_UNSUPPORTED,
			"%s was made in the workbench: its acts are in its folder, and you run "
			"them yourself: bitdial --batch %s/acts.lua",
			r->id, r->path);
	if (is_verb_of(&g->a, "open"))
		return err_set(e, ST_UNSUPPORTED,
			"%s was made in the workbench and no verb makes it%s%s; bitdial %s "
			"--layout %s "
			"opens it there",
			r->id, *r->again_not ? ": " : "", r->again_not, r->model_path, r->id);
	if (is_verb_of(&g->a, "rerun"))
		return err_set(e, ST_INVALID, "%s: a rerun is no command line of a run", r->id);
	return 0;
}

/* Where it was typed: relative paths are meant from there. */
static enum st go_there(const struct again *g, struct err *e)
{
	char *runs = xstrndup(g->r->path, strlen(g->r->path) - strlen(g->r->id) - 1);
	char *real = realpath(runs, NULL);
	enum st st = ST_OK;

	runs_dir_set(real ? real : runs);
	free(real);
	xfree(runs);
	if (*g->r->cwd && chdir(g->r->cwd))
		st = err_set(
			e, ST_IO, "%s was made in %s: %s", g->r->id, g->r->cwd, strerror(errno));
	if (!st && g->a.runs)
		runs_dir_set(g->a.runs);
	return st;
}

/* ---- what is different now */

static void compare(const char *what, const char *was, const char *now)
{
	if (*was && strcmp(was, now) != 0)
		verb_note("warning: %s was %s, now it is %s", what, was, now);
}

static void compare_model(const struct again *g)
{
	struct checkpoint *ck;
	struct cache *cache = NULL;
	struct err e;

	if (g->a.demo || !*g->r->model_path)
		return;
	if (checkpoint_open(&ck, g->r->model_path, &e)) {
		verb_note("warning: the model is not there as it was: %s", e.msg);
		return;
	}
	if (strcmp(ck->header_sha256, g->r->model_sha) != 0) {
		verb_note("warning: %s is another model than it was: its header is %.16s, it was "
			  "%.16s",
			g->r->model_path, ck->header_sha256, g->r->model_sha);
	} else if (*g->r->file_sha && !cache_open(&cache, ck, false, &e) &&
		   !cache_identify(cache, ck, verb_sink(), &e) &&
		   strcmp(cache_sha(cache), g->r->file_sha) != 0) {
		verb_note("warning: the weights of %s changed: SHA-256 is %.16s, it was %.16s",
			g->r->model_path, cache_sha(cache), g->r->file_sha);
	}
	cache_close(cache);
	checkpoint_close(ck);
}

/* Is the file below the folder of runs, or in its trash? */
static bool in_runs(const char *real)
{
	char *dir = runs_dir(), *top = realpath(dir, NULL);
	size_t n = top ? strlen(top) : 0;
	bool in = n && !strncmp(real, top, n) && real[n] == '/';

	free(top);
	xfree(dir);
	return in;
}

static enum st check_script(const struct again *g, struct err *e)
{
	const char *id = g->r->id;
	char *real, sha[65];
	enum st st;

	if (!g->a.script || !*g->r->script_sha)
		return err_set(e, ST_INVALID,
			"%s does not say which script it was made by; run it by hand: bitdial "
			"--batch "
			"FILE.lua",
			id);
	st = run_script_hash(g->a.script, &real, sha, e);
	if (st)
		return err_at(e, st, "%s", id);
	if (in_runs(real))
		st = err_set(e, ST_INVALID,
			"%s lies in the folder of runs: what is found there is never run; copy it "
			"out if it is yours",
			real);
	else if (strcmp(real, g->r->script) != 0)
		st = err_set(e, ST_INVALID,
			"%s was made by the script %s; its command line now "
			"leads to %s",
			id, g->r->script, real);
	xfree(real);
	return st;
}

/* Has it changed?  Then it is the user who says that it is run. */
static enum st compare_script(const struct again *g, bool anyway, struct err *e)
{
	char *real, sha[65];
	enum st st = run_script_hash(g->a.script, &real, sha, e);

	if (st)
		return st;
	if (strcmp(sha, g->r->script_sha) != 0 && !anyway)
		st = err_set(e, ST_INVALID,
			"%s is another script than the one that made %s (SHA-256 %.12s, it was "
			"%.12s): --anyway runs it",
			real, g->r->id, sha, g->r->script_sha);
	else if (strcmp(sha, g->r->script_sha) != 0)
		verb_note("warning: %s is another script than it was: SHA-256 is %.16s, it was "
			  "%.16s",
			real, sha, g->r->script_sha);
	xfree(real);
	return st;
}

static enum st compare_all(const struct again *g, bool anyway, struct err *e)
{
	struct utsname u;
	enum st st = ST_OK;

	if (is_verb_of(&g->a, "batch")) {
		st = check_script(g, e);
		if (!st)
			st = compare_script(g, anyway, e);
	}
	if (st)
		return st;
	compare("bitdial", g->r->version, BD_VERSION);
	compare("the backend", g->r->backend, backend_best()->path());
	compare("the host", g->r->host, uname(&u) ? "" : u.nodename);
	compare_model(g);
	return ST_OK;
}

/* ---- the verb */

static void tell(const struct again *g)
{
	char *all = xstrdup("bitdial"), *longer;

	for (int i = 1; i < g->argc; i++) {
		longer = xprintf("%s %s", all, g->argv[i]);
		xfree(all);
		all = longer;
	}
	verb_note("again: %s", all);
	xfree(all);
}

static int run_again(struct again *g)
{
	run_origin_set(g->argc, g->argv);
	for (const struct verb *v = verb_table; v->name; v++)
		if (!strcmp(v->name, g->a.verb))
			return v->run(&g->a);
	return 2;
}

int verb_rerun(const struct args *a)
{
	struct again g = { .argc = 0 };
	struct runs all = { 0 };
	struct err e = { 0 };
	int rc = 0;

	if (!a->n_words) {
		verb_note(
			"bitdial: rerun wants a run: bitdial rerun RUN (bitdial runs lists them)");
		return 2;
	}
	if (runs_load(&all, NULL, &e) || !(g.r = runs_find(&all, a->word[0], &e)))
		rc = verb_fail(&e);
	if (!rc && (rc = choose(&g, &e)) && e.st)
		rc = verb_fail(&e);
	if (!rc && (go_there(&g, &e) || compare_all(&g, a->anyway, &e)))
		rc = verb_fail(&e);
	if (!rc) {
		tell(&g);
		rc = run_again(&g);
	}
	xfree(g.argv);
	runs_release(&all);
	return rc;
}

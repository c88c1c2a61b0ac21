/* verbs_rerun.c - what made a run, once more: its command line from run.json, in its folder.
 *
 * A run.json may be a stranger's and say anything.  So: only verbs that make runs, their whole
 * command line shown first; nothing written over what is there, and of a run that this account
 * did not write nothing outside of the folder one is in and no script, unless told --anyway.  A
 * script that lies in a run folder is never run.  What is different now (bitdial, machine,
 * backend, model, script) is said before it begins. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "app/verbs.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/text.h"
#include "core/io/checkpoint.h"
#include "core/quant/layout.h"
#include "core/work/cache.h"
#include "core/work/run_made.h"
#include "core/work/runs.h"
#include "core/work/device.h"

struct again {
	const struct run_entry *r;
	char **argv; /* [argc + 1]; the entry's */
	int argc;
	struct args a;
	const struct verb *verb; /* of a */
	bool anyway, ours;       /* ours: this account wrote its run.json */
	char *here;              /* where one is */
	char *device;            /* "--device=cpu", a word of argv; NULL: it is as it was */
	char *top, *usual;       /* folders of runs: where it was found, and without --runs */
};

/* ---- which command line */

static void take_words(struct again *g, const struct run_words *w, const char *name)
{
	size_t first = name != NULL;

	g->argv = xarray(w->n + 4, sizeof *g->argv);
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

/* The words as arguments, which are looked at anew each time: 0, or an exit code after it was
 * said what is wrong with them. */
static int parse(struct again *g, const struct run_words *w, const char *name)
{
	int rc;

	xfree(g->argv);
	take_words(g, w, name);
	rc = args_parse(&g->a, g->argc, g->argv);
	g->verb = verb_table;
	while (!rc && g->verb->name && !is_verb_of(&g->a, g->verb->name))
		g->verb++;
	return rc;
}

/* The model, or the calibrated run that has what its layout takes; xfree. */
static char *opens(const struct run_entry *r)
{
	char *path = xprintf("%s/layout.json", r->path), *word = NULL;
	struct layout l = { 0 };

	if (r->has_layout && !layout_read(&l, path, NULL, NULL)) {
		word = *l.calibrated ? xstrdup(l.calibrated) : NULL;
		layout_release(&l);
	}
	xfree(path);
	return word ? word : xstrdup(r->model_path);
}

/* Of what was done on the screen. */
static enum st refuse_open(const struct again *g, struct err *e)
{
	const struct run_entry *r = g->r;
	char *model;

	if (has_acts(r))
		return err_set(e, ST_UNSUPPORTED,
			"%s was made in the workbench: its acts are in its folder, and you run "
			"them yourself: bitdial --batch %s/acts.lua",
			r->id, r->path);
	model = opens(r);
	err_set(e, ST_UNSUPPORTED,
		"%s was made in the workbench and no verb makes it%s%s; bitdial %s --layout %s "
		"opens it there",
		r->id, *r->again_not ? ": " : "", r->again_not, model, r->id);
	xfree(model);
	return e->st;
}

/* 0, or the exit code after it was said why there is nothing to run. */
static int choose(struct again *g, struct err *e)
{
	const struct run_entry *r = g->r;
	bool again = !r->argv.n;
	int rc;

	if (!r->argv.n && !r->again.n)
		return err_set(e, ST_INVALID,
			"%s says no command line: bitdial %s wrote it; see bitdial runs show %s "
			"and type it again",
			r->id, *r->version ? r->version : "of old", r->id);
	rc = parse(g, again ? &r->again : &r->argv, again ? "bitdial" : NULL);
	if (!rc && !again && is_verb_of(&g->a, "open") && r->again.n) {
		again = true;
		rc = parse(g, &r->again, "bitdial");
	}
	if (rc || g->verb->makes_runs)
		return rc;
	if (!again && is_verb_of(&g->a, "open"))
		return refuse_open(g, e);
	return err_set(e, ST_INVALID,
		"%s: its command line is one of bitdial %s, and a rerun does only what makes runs "
		"(scan, search, eval, export, train, calibrate, a script)",
		r->id, g->a.verb);
}

/* On another device than it was: its command line, which is told and kept with the new run, names
 * that one.  0, or an exit code after it was said why not. */
static int elsewhere(struct again *g, const char *device)
{
	static const char option[] = "--device";
	const size_t n = sizeof option - 1;
	char **v = g->argv;
	int i, rc;

	if (!device)
		return 0;
	for (i = 1; i < g->argc && strcmp(v[i], "--") != 0 && v[i] != g->a.script; i++)
		if (!strncmp(v[i], option, n) && (v[i][n] == '=' || !v[i][n]))
			break;
	if (i + 1 < g->argc && !strcmp(v[i], option)) {
		v[i + 1] = (char *)device;
	} else {
		bool there = i < g->argc && !strncmp(v[i], option, n);

		if (!there)
			memmove(v + 2, v + 1, (size_t)(g->argc++ - 1) * sizeof *v);
		g->device = xprintf("%s=%s", option, device);
		v[there ? i : 1] = g->device;
	}
	rc = args_parse(&g->a, g->argc, g->argv);
	if (!rc && (!g->a.device || strcmp(g->a.device, device) != 0)) {
		verb_note("bitdial: --device: %s was made by a command line that takes none",
			g->r->id);
		rc = 1;
	}
	return rc;
}

static char *real_of(const char *path)
{
	char *real = realpath(path, NULL), *out = real ? xstrdup(real) : NULL;

	free(real); /* the C library's */
	return out;
}

static char *real_runs(void)
{
	char *dir = runs_dir(), *real = real_of(dir);

	if (!real)
		return dir;
	xfree(dir);
	return real;
}

/* Where it was typed: relative paths are meant from there.  Its run goes where it was found. */
static enum st go_there(struct again *g, struct err *e)
{
	g->here = real_of(".");
	g->top = real_runs();
	runs_dir_set(NULL);
	g->usual = real_runs();
	runs_dir_set(g->top);
	if (*g->r->cwd && chdir(g->r->cwd))
		return err_set(
			e, ST_IO, "%s was made in %s: %s", g->r->id, g->r->cwd, strerror(errno));
	return ST_OK;
}

/* ---- what it may do */

static bool is_below(const char *path, const char *dir)
{
	size_t n = dir ? strlen(dir) : 0;

	return n && (n == 1 || (!strncmp(path, dir, n) && (path[n] == '/' || !path[n])));
}

/* Is it in a folder of runs, or with a run.json beside it or in a folder above? */
static bool is_of_a_run(const struct again *g, const char *real)
{
	char *dir = xstrdup(real), *slash;
	bool is = is_below(real, g->top) || is_below(real, g->usual);
	struct stat sb;

	while (!is && (slash = strrchr(dir, '/'))) {
		char *head;

		*slash = '\0';
		head = xprintf("%s/run.json", dir);
		is = !lstat(head, &sb);
		xfree(head);
	}
	xfree(dir);
	return is;
}

/* Where a file that need not be there would really lie; NULL: that cannot be told; xfree. */
static char *real_parent(const char *path)
{
	char *dir = xstrdup(path), *slash, *real = NULL;

	if (strstr(path, "..")) {
		xfree(dir);
		return NULL;
	}
	while (!real && (slash = strrchr(dir, '/'))) {
		slash[slash == dir] = '\0';
		real = real_of(dir);
		if (slash == dir)
			break;
	}
	if (!real)
		real = real_of(".");
	xfree(dir);
	return real;
}

/* -o of export and search. */
static enum st check_out(const struct again *g, struct err *e)
{
	const char *out = g->a.out, *id = g->r->id;
	struct stat sb;
	char *real;
	bool inside;

	if (!out || g->anyway)
		return ST_OK;
	if (!lstat(out, &sb))
		return err_set(e, ST_INVALID,
			"%s writes %s, which is there: --anyway writes it anew", id, out);
	if (g->ours)
		return ST_OK;
	real = real_parent(out);
	inside = real && is_below(real, g->here);
	xfree(real);
	if (inside)
		return ST_OK;
	return err_set(e, ST_INVALID,
		"%s writes %s, outside of the folder you are in, and this account did not write "
		"that run: --anyway writes it",
		id, out);
}

/* Also where `require` of a script looks, as a stranger has it. */
static enum st check_place(const struct again *g, struct err *e)
{
	char *real = real_of(".");
	bool bad = !g->ours && (!real || is_of_a_run(g, real));
	enum st st = ST_OK;

	if (bad)
		st = err_set(e, ST_INVALID,
			"%s: its script would be run in %s, a folder of runs: what is found there "
			"is "
			"never run",
			g->r->id, real ? real : "a folder that is gone");
	xfree(real);
	return st;
}

/* ---- what is different now */

static void compare(const char *what, const char *was, const char *now)
{
	if (*was && *now && strcmp(was, now) != 0)
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
	if (is_of_a_run(g, real))
		st = err_set(e, ST_INVALID,
			"%s lies in a folder of runs: what is found there is never run; copy it "
			"out if it is yours",
			real);
	else if (strcmp(real, g->r->script) != 0)
		st = err_set(e, ST_INVALID,
			"%s was made by the script %s; its command line now "
			"leads to %s",
			id, g->r->script, real);
	else if (!g->ours && !g->anyway)
		st = err_set(e, ST_INVALID,
			"this account did not write %s, which would run the script %s: read it, "
			"then --anyway runs it",
			id, real);
	xfree(real);
	return st ? st : check_place(g, e);
}

/* Has it changed?  Then it is the user who says that it is run. */
static enum st compare_script(const struct again *g, struct err *e)
{
	char *real, sha[65];
	enum st st = run_script_hash(g->a.script, &real, sha, e);

	if (st)
		return st;
	if (strcmp(sha, g->r->script_sha) != 0 && !g->anyway)
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

static enum st check_all(const struct again *g, struct err *e)
{
	enum st st = check_out(g, e);

	if (!st && is_verb_of(&g->a, "batch"))
		st = check_script(g, e);
	if (!st && is_verb_of(&g->a, "batch"))
		st = compare_script(g, e);
	return st;
}

/* What will compute, which hangs on the device that its own command line names; where there is
 * none such, the verb says so itself. */
static const char *computes(const struct again *g)
{
	struct err e;

	return verb_device(&g->a, &e) ? "" : device_computes();
}

static void compare_all(const struct again *g)
{
	struct utsname u;

	compare("bitdial", g->r->version, BD_VERSION);
	compare("the backend", g->r->backend, computes(g));
	compare("the host", g->r->host, uname(&u) ? "" : u.nodename);
	compare_model(g);
}

/* ---- the verb */

/* All of it, however long, before any of it is done. */
static void tell(const struct again *g)
{
	struct run_words w = { g->argv + 1, g->argc > 0 ? (size_t)g->argc - 1 : 0 };
	char *words = run_command(&w), *clean;
	size_t cap = 8 * strlen(words) + 1;

	clean = xalloc(cap);
	text_clean(clean, cap, words, strlen(words), true);
	fprintf(stderr, "again: bitdial %s\n", clean);
	xfree(clean);
	xfree(words);
}

static void release(struct again *g)
{
	xfree(g->argv);
	xfree(g->device);
	xfree(g->here);
	xfree(g->top);
	xfree(g->usual);
}

int verb_rerun(const struct args *a)
{
	struct again g = { .anyway = a->anyway };
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
	if (!rc)
		rc = elsewhere(&g, a->device);
	if (!rc) {
		g.ours = run_made_here(g.r->path);
		if (go_there(&g, &e) || check_all(&g, &e))
			rc = verb_fail(&e);
	}
	if (!rc) {
		tell(&g);
		compare_all(&g);
		run_origin_set(g.argc, g.argv);
		run_origin_repeats(g.r->id);
		rc = g.verb->run(&g.a);
	}
	release(&g);
	runs_release(&all);
	return rc;
}

/* runs.h - the run folders there are: found, filtered, sorted, marked with words, thrown away.
 *
 * An index made from the folders' own run.json, end.json and layout.json each time it is asked
 * for, so that a folder copied, renamed or deleted by hand is what it looks like.  A folder that is
 * no run is passed over; what a run of an older bitdial does not say is "" or NAN.  One thread
 * at a time.
 */
#ifndef BD_WORK_RUNS_H
#define BD_WORK_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/work/run.h"

enum { RUN_WORDS = 64 };

struct run_words {
	char **at; /* [n] */
	size_t n;
};

struct run_entry {
	char *id, *path; /* the folder's name, and where it is */
	char kind[16];   /* "scan", "search" */
	char status[16]; /* "ok", "cancelled", "crashed", "failed"; "running" while it is written */
	char state[16];  /* for people: running, done, stopped, crashed, failed */
	char *model, *model_path, *model_sha, *file_sha, *text, *options, *summary, *version;
	char *tags;    /* words with a blank between; "": none */
	char *parents; /* ids it was made from, a blank between */
	char *notes;   /* the beginning of notes.md */
	char *host, *backend;
	char *dial;                   /* of training: formats that were trained at once; "": one layout */
	char *script, *script_sha;    /* that asked for it; "": none did */
	char *cwd;                    /* where argv was typed */
	struct run_words argv, again; /* again: as run_info has it */
	char *again_not;
	uint64_t seed;
	int64_t began;      /* seconds since 1970 */
	double began_at;    /* the same with what is behind the point */
	double seconds;     /* NAN: not known */
	double bpw, kl, se; /* of its layout; NAN: it has none */
	bool measured;      /* kl was measured by this run, not predicted when it was made */
	bool taught;        /* of training: KL is what it lowered, and kl is of what it held out */
	bool has_layout;    /* layout.json is there and could be read */
	uint64_t bytes;     /* of the linears in that layout; 0: none */
	struct {
		char name[RUN_NUMBER_NAME];
		double v;
	} number[RUN_NUMBERS]; /* of end.json */
	size_t n_numbers;
	uint64_t stamp; /* changes when something of the folder does */
};

struct runs {
	struct run_entry *at;
	size_t n;
};

/* All runs of a folder (NULL: runs_dir), newest first.  A folder that is not there has none. */
BD_MUST_USE enum st runs_load(struct runs *r, const char *dir, struct err *e);
void runs_release(struct runs *r);
/* The same again in r, which runs_load or this filled: what has not changed is not read anew.
 * *changed: r is another than before. */
BD_MUST_USE enum st runs_update(
	struct runs *r, const char *dir, bool *changed, struct err *e);
struct runs runs_copy(const struct runs *r);
/* How it stands by now: status, seconds and summary anew; "gone" where the folder is no more. */
void run_refresh(struct run_entry *r);
/* Leaves those that a filter names: words, all of which must hold.
 *   kind:search  tag:good  state:done  status:ok  model:smol  since:2d (h, d, w)
 *   bpw<5  kl<=0.02  seconds>60      -WORD: not      WORD: in id, model, text, options or tags */
BD_MUST_USE enum st runs_filter(struct runs *r, const char *filter, struct err *e);
/* "began", "kind", "status", "state", "model", "seconds", "bpw", "kl"; "-kl": the other way round. */
BD_MUST_USE enum st runs_sort(struct runs *r, const char *by, struct err *e);
/* Those that the filter names in that order, as indices; order [r->n], *n of them. */
BD_MUST_USE enum st runs_pick(const struct runs *r, const char *filter, const char *by,
	size_t *order, size_t *n, struct err *e);
/* The one whose id is this, ends with it or begins with it; NULL and e: none, or several. */
const struct run_entry *runs_find(const struct runs *r, const char *id, struct err *e);
size_t runs_matching(const struct runs *r, const char *id); /* how many of them that could be */
/* Loads the runs of the folder that `word` is in, where it is a path, else those of runs_dir, and finds
 * it; *one is in *all, which runs_release takes also after a failure. */
BD_MUST_USE enum st runs_open(
	struct runs *all, const struct run_entry **one, const char *word, struct err *e);
/* An end of the id that people can type and that is this run's alone ("search-7f3a"). */
const char *runs_short(const struct runs *r, const struct run_entry *one);
/* The newest scan of that model and text that went well, else that did not fail, as a parent;
 * NULL: there is none. */
const struct run_entry *runs_scan_of(
	const struct runs *r, const char *model_sha, const char *text);

/* What two runs differ in, and what one says: fn gets each line's name, and y NULL for one. */
typedef void run_fact_fn(void *arg, const char *name, const char *x, const char *y);
void run_facts(const struct run_entry *r, run_fact_fn *fn, void *arg);
void run_differences(const struct run_entry *x, const struct run_entry *y, run_fact_fn *fn,
	void *arg);

/* A command line on one line, as a shell would take it again; xfree. */
char *run_command(const struct run_words *w);

/* A word more, or ("-word") one less. */
BD_MUST_USE enum st run_tag(const struct run_entry *r, const char *tag, struct err *e);
/* To .trash beside the runs; the path it is at then, xfree. */
BD_MUST_USE enum st run_trash(const struct run_entry *r, char **to, struct err *e);
/* Back from there, from: the path that run_trash gave, or a name in .trash, its beginning or its
 * end where no other has it; the id, xfree. */
BD_MUST_USE enum st run_restore(
	const char *dir, const char *from, char **id, struct err *e);
/* Its notes.md, "" where there are none; xfree. */
char *run_notes(const struct run_entry *r);
BD_MUST_USE enum st run_set_notes(const struct run_entry *r, const char *text, struct err *e);

/* ST_INVALID where that file of the run is a link: it would be written elsewhere. */
BD_MUST_USE enum st run_may_write(const struct run_entry *r, const char *file, struct err *e);

#endif

/* runs.h - the run folders there are: found, filtered, sorted, marked with words, thrown away.
 *
 * An index made from the folders' own run.json, end.json and layout.json each time it is asked
 * for, so that a folder copied, renamed or deleted by hand is what it looks like.  A folder that is
 * no run is passed over.  One thread.
 */
#ifndef BD_WORK_RUNS_H
#define BD_WORK_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

enum { RUN_WORDS = 64 };

struct run_entry {
	char *id, *path; /* the folder's name, and where it is */
	char kind[16];   /* "scan", "search" */
	char status[16]; /* "ok", "cancelled", "crashed", "failed"; "running" while it is written */
	char *model, *model_path, *model_sha, *text, *options, *summary, *version;
	char *tags;    /* words with a blank between; "": none */
	char *parents; /* ids it was made from, a blank between */
	uint64_t seed;
	int64_t began;      /* seconds since 1970 */
	double seconds;     /* NAN: not known */
	double bpw, kl, se; /* of its layout, as predicted then; NAN: it has none */
	uint64_t bytes;     /* of the linears in that layout; 0: none */
};

struct runs {
	struct run_entry *at;
	size_t n;
};

/* All runs of a folder (NULL: runs_dir), newest first.  A folder that is not there has none. */
BD_MUST_USE enum st runs_load(struct runs *r, const char *dir, struct err *e);
void runs_release(struct runs *r);
/* How it stands by now: status, seconds and summary anew; "gone" where the folder is no more. */
void run_refresh(struct run_entry *r);
/* Leaves those that a filter names: words, all of which must hold.
 *   kind:search  tag:good  status:ok  model:smol  since:2d (h, d, w)
 *   bpw<5  kl<=0.02  seconds>60      -WORD: not      WORD: in id, model, text, options or tags */
BD_MUST_USE enum st runs_filter(struct runs *r, const char *filter, struct err *e);
/* "began", "kind", "status", "model", "seconds", "bpw", "kl"; "-kl": the other way round. */
BD_MUST_USE enum st runs_sort(struct runs *r, const char *by, struct err *e);
/* The one whose id is this, ends with it or begins with it; NULL and e: none, or several. */
const struct run_entry *runs_find(const struct runs *r, const char *id, struct err *e);

/* A word more, or ("-word") one less. */
BD_MUST_USE enum st run_tag(const struct run_entry *r, const char *tag, struct err *e);
/* To .trash beside the runs; the path it is at then, xfree. */
BD_MUST_USE enum st run_trash(const struct run_entry *r, char **to, struct err *e);
/* Its notes.md, "" where there are none; xfree. */
char *run_notes(const struct run_entry *r);
BD_MUST_USE enum st run_set_notes(const struct run_entry *r, const char *text, struct err *e);

#endif

/* run.h - a folder on disk: everything one job did.
 *
 * runs/20260101-201403-scan-7f3a/ with run.json (written once), lock (held while the
 * writer lives), events.ndjson and the job's own files, and end.json written last.  A
 * run without end.json whose lock is free was cut short.  run.json says what was done with what:
 * the command line and its folder, the script with its SHA-256, the model's, the host, the
 * backend, bitdial's version, and the runs that this one was made from.  Append-only; copying or
 * deleting a folder by hand is always fine.  A struct run belongs to one thread; when
 * disk writing fails the run goes on in memory and says so once.
 */
#ifndef BD_WORK_RUN_H
#define BD_WORK_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/quant/layout.h"

struct run;
struct json_out;

struct run_info {         /* what run.json says; a string that is NULL is "" there */
	const char *kind; /* "scan", "search" */
	const char *model, *model_path, *model_sha; /* sha: of the header */
	const char *file_sha;                       /* of all bytes of the model */
	const char *text;                           /* what it measured on */
	const char *options;                        /* one line */
	const char *parents;                        /* ids it was made from, a blank between */
	uint64_t seed;
	/* What makes it again, behind the program's name; n_again 0: the command line does, unless
	 * again_not says why there is no such thing. */
	const char *const *again;
	size_t n_again;
	const char *again_not;
	const char *script, *script_sha; /* that asked for it; NULL: run_origin_script's */
	void (*put)(void *arg, struct json_out *o); /* members of its own kind; NULL: none */
	void *put_arg;
};

/* The command line of this process, and the script that all of it is for: what every run of it
 * says it came from.  Copied; before the first thread. */
void run_origin_set(int argc, char *const *argv);
BD_MUST_USE enum st run_origin_script(const char *path, struct err *e);
/* The run that all of this process repeats: a parent of every run of it, the first.  NULL: none. */
void run_origin_repeats(const char *id);
/* Where a file really is (xfree), and the SHA-256 of its bytes. */
BD_MUST_USE enum st run_script_hash(const char *path, char **real, char sha[65], struct err *e);

/* --runs, else $BD_RUNS, else ./runs if it exists, else the data folder's; xfree. */
char *runs_dir(void);
void runs_dir_set(const char *dir); /* --runs */

BD_MUST_USE enum st run_new(struct run **out, const struct run_info *info, struct err *e);
/* A run that ended or was cut short goes on in its folder: its lock is taken (ST_INVALID: it still
 * runs), its end.json removed, and what is written stands behind what is there.  before: seconds
 * that it took until then. */
BD_MUST_USE enum st run_again(struct run **out, const char *path, struct err *e);
void run_took(struct run *r, double before);
const char *run_id(const struct run *r);
const char *run_path(const struct run *r);
/* A line of an appended file of the run ("scan.tsv"); `header` is its first line.  A file in a folder
 * of the run ("metrics/loss.tsv"): the folder is there. */
BD_MUST_USE enum st run_line(
	struct run *r, const char *file, const char *header, const char *line, struct err *e);
BD_MUST_USE enum st run_event(struct run *r, const char *ev, const char *text, struct err *e);
BD_MUST_USE enum st run_layout(struct run *r, const struct layout *l, struct err *e);
/* A number of end.json ("kl", "stored_bpw"), once a name; what is not finite and what is too many
 * is left out.  NULL is fine. */
enum { RUN_NUMBERS = 20, RUN_NUMBER_NAME = 24 };
void run_number(struct run *r, const char *name, double v);
/* Writes end.json and closes; NULL is fine. */
void run_end(struct run *r, enum st st, const char *summary);

/* Runs of this model that were cut short since nobody said so: calls fn with each id and
 * marks them as told ("end.json" with status crashed). */
void runs_crashed(
	const char *model_sha, void (*fn)(void *arg, const char *id, const char *kind), void *arg);
/* A run's layout.json by id or path; xfree; NULL: no such run. */
char *run_layout_path(const char *id);

#endif

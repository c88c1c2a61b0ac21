/* verbs.h - what `bitdial VERB` does.
 *
 * One line of verbs.c's table a verb: name, arguments, help, the options it takes.
 * Results go to stdout (one JSON object with --json), people's text to stderr.  Exit
 * codes: 0 done, 1 failed, 2 wrong usage, 128 + signal.  Main thread.
 */
#ifndef BD_APP_VERBS_H
#define BD_APP_VERBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/base/err.h"
#include "core/base/sink.h"
#include "core/work/snap.h"

/* Every option of every verb, parsed; strings are borrowed from argv. */
struct args {
	const char *verb;
	const char *word[8]; /* positional, after the verb */
	size_t n_words;
	const char *text, *layout, *prompt, *formats, *out, *template, *keys, *dump, *quantizer,
		*color, *runs, *arrange, *screen, *log_level, *size, *headless, *system, *guard,
		*task, *mix, *kv, *head, *precision, *sort, *device, *data, *method, *test, *resume, *teacher, *dial;
	const char *texts[SOURCES_MAX]; /* each --text; text is the last */
	size_t n_texts;
	const char *script; /* --batch FILE */
	int script_argc;
	char *const *script_argv; /* what follows it */
	bool sandbox, sandbox_weak; /* a stranger's */
	double sandbox_seconds;     /* 0: not given */
	uint64_t sandbox_mib;       /* 0: not given */
	double bpw, temp, lr, lr_s, lr_gain, budget, held; /* NAN: not given */
	uint64_t steps, windows, rank, held_every, save_every, rows, samples, patience;
	uint64_t tokens, limit, window, top, max_tokens, threads;
	int64_t seed;       /* -1: not given */
	bool events, fresh, json, demo, once, plain, ascii, no_mouse, no_sync, read_only, clear_cache, colors, stats,
		refine, dry_run, anyway, tour, show_cursor, no_config, default_config, roff, options,
		all, teach, recompute, f32, across, lean;
};

struct verb {
	const char *name, *arguments, *summary;
	const char *options; /* names of args.c's table it takes, separated by blanks */
	size_t words;        /* at most, after the verb */
	int (*run)(const struct args *a);
	bool makes_runs; /* and nothing else: what rerun may do again */
};
extern const struct verb verb_table[]; /* ends with a NULL name */

/* args.c: returns 0, or an exit code after it said what is wrong. */
int args_parse(struct args *a, int argc, char **argv);
int args_help(const char *topic, bool to_stdout);
void args_help_verb(FILE *to, const struct verb *v); /* args_help.c */
/* help lua [MODULE]; roff: the manual page. */
int args_help_lua(const char *module, bool roff);
/* help --options [VERB]. */
int args_help_options(const char *topic);
/* The i-th option of all there are, without its dashes (NULL: no more), and what it
 * wants ("FILE"; NULL: nothing). */
const char *args_option_name(size_t i);
bool args_is_verb(const char *word);
const char *args_option_value(size_t i);
const char *args_option_help(size_t i);
bool args_option_again(size_t i); /* may it come several times? */
bool args_takes(const struct verb *v, const char *option);
/* shell.c: what there is to complete, as lines; of all verbs (NULL), or one. */
void shell_options(const struct verb *only);

/* verbs_util.c: what the verbs share */
const struct sink *verb_sink(void);   /* stops at SIGINT and SIGTERM, progress to a terminal */
void verb_signals(void);
void verb_fault_signals(void);        /* SIGBUS of a mapped file: one sentence and exit 1 */
int verb_fail(const struct err *e);   /* prints the sentence; the exit code */
struct json_out;
void verb_begin(struct json_out *o);   /* an object */
void verb_json(struct json_out *o);    /* closes the object, prints and releases it */
void verb_note(const char *fmt, ...) BD_PRINTF(1, 2); /* stderr, sanitised */
void verb_line(const char *text); /* stderr, where it is a terminal: written over by what comes next */
void verb_print(const char *s, size_t n);             /* stdout, sanitised */
/* Before the verb begins again: what was printed and is not out yet is forgotten. */
void verb_take_back(void);
/* A number of a table with so many digits; "-" where it is not known. */
const char *verb_number(char out[24], int digits, double v);
/* Is what a stop leaves of the verb's work found again by the next run?  False until said. */
void verb_keeps(bool yes);
/* Whoever read the output has gone, which ended the verb: of one whose work is what it prints (scan
 * --events | head) that is no failure, and nothing is said. */
bool verb_unread(void);
/* At the end of everything: rc, or 1 and a sentence when stdout could not be written. */
int verb_flush(int rc);
/* Warnings of any room go to the log file; true: nothing of them comes to stderr by itself. */
bool verb_log(const struct args *a);
struct desk;
struct scan_cell;
/* With --events a line for a measured cell; of a desk of verb_desk, who is not asked otherwise, it
 * comes by itself. */
void verb_cell(const struct desk *d, const struct scan_cell *c, const char *stage);
/* What --layout names; of a number of bits it says by what a search chose it (*searched). */
struct layout;
BD_MUST_USE enum st verb_layout_of(
	struct desk *d, const char *name, struct layout *l, bool *searched, struct err *e);
/* The layout of --layout and --quantizer as mats, view [n_linears]; the reference when none
 * was given (l stays as it is). */
struct mat;
BD_MUST_USE enum st verb_view(struct desk *d, const struct args *a, struct layout *l,
	const struct mat **view, struct err *e);
/* The texts of --text with their weights; sources_release. */
struct sources;
BD_MUST_USE enum st verb_sources(struct sources *out, const struct args *a, struct err *e);
/* Chooses what --device names (before anything computes); without it what works best here. */
BD_MUST_USE enum st verb_device(const struct args *a, struct err *e);
/* verbs_device.c: what failed on a device may begin again in another process, once: "cpu" where the device was
 * chosen by the program (lost, full or failing: the processor then), its name where it was asked
 * for and is lost to this process only; NULL: not, as where some of the result was printed. */
const char *verb_again(void);
bool verb_again_mark(void); /* in the environment, for that process; false: not to be */
bool verb_is_again(void);   /* is this one it? */
void verb_told(void);       /* what was printed cannot be taken back; verb_print says so itself */
void verb_failed(enum st st); /* by verb_fail */
void verb_leave(void);        /* gives back what is not another process's: the demo's folder */
/* The same for a verb that has no screen to show it on: says why a device was passed over, and may
 * begin again. */
BD_MUST_USE enum st verb_choose_device(const struct args *a, struct err *e);
/* Opens args' model (or the default, or the demo). */
BD_MUST_USE enum st verb_desk(struct desk **out, const struct args *a, struct err *e);
/* verbs_estimate.c: says with --dry-run what the work takes (*leave: then that was all), and
 * refuses what does not fit unless told --anyway. */
struct estimate;
BD_MUST_USE enum st verb_foretell(
	const struct args *a, const struct estimate *x, bool *leave, struct err *e);
/* What of this kind was cut short on the model, one line on stderr; then word that it runs again
 * (NULL with --read-only), for underway_end. */
struct underway *verb_underway(const struct args *a, struct desk *d, const char *kind);
char *verb_default_model(void); /* path; xfree; NULL: not there */
/* Writes the tiny one into the cache, or to a temporary file that goes at the end; xfree. */
char *verb_demo_model(bool read_only, struct err *e);

/* init.lua unless --no-config, then what the command line says instead; and what a new session gets
 * of it.  config outlives o. */
struct config;
struct session_options;
void verb_config(struct config *c, const struct args *a, struct session_options *o);
void verb_config_notes(const struct config *c); /* what was wrong, on stderr */

int verb_colors(void); /* doctor --colors */
/* What --sandbox and its options say: *out is NULL (no sandbox) or o.  An exit code, told. */
struct sandbox_options;
int verb_sandbox(
	const struct args *a, struct sandbox_options *o, const struct sandbox_options **out);

/* verbs_record.c: a run folder of what a verb does.  NULL with --read-only, and where none can be
 * made, which is a warning.  layout: --layout, "" or NULL: none. */
struct run;
struct run *verb_run_begin(const struct args *a, struct desk *d, const char *kind);
void verb_run_layout(struct run *r, const struct layout *l);
/* What failed or was stopped is said in it too; NULL is fine. */
void verb_run_end(struct run *r, enum st st, const struct err *e, const char *summary);

int verb_doctor(const struct args *a);
int verb_rerun(const struct args *a);
int verb_batch(const struct args *a);
int verb_runs(const struct args *a);
int verb_watch(const struct args *a);
int verb_open(const struct args *a);
int verb_tokens(const struct args *a);
int verb_calibrate(const struct args *a);
int verb_teach(const struct args *a);
int verb_layout_cut(const struct args *a); /* of verb_layout */
int verb_logits(const struct args *a);
int verb_eval(const struct args *a);
int verb_eval_task(const struct args *a); /* eval --task */
int verb_scan(const struct args *a);
int verb_search(const struct args *a);
int verb_layout(const struct args *a);
int verb_export(const struct args *a);
int verb_train(const struct args *a);
int verb_chat(const struct args *a);
int verb_help(const struct args *a);

#endif

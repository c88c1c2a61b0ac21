/* session.h - one sitting with one model: the verbs behind every key, line and script.
 *
 * The session owns the model, its variants, the cache, the scan, the front and the
 * jobs that fill them.  Verbs are called on the UI thread (or a verb's main thread);
 * each returns at once: what takes longer than a millisecond is a job, and what comes
 * of it is published on the bus as snapshots (snap.h).  Turning the dial is answered in
 * the call itself: session_budget publishes EV_ANSWER before it returns.
 * Verbs that cannot be done say why in one sentence (err) and change nothing.
 */
#ifndef BD_WORK_SESSION_H
#define BD_WORK_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/model/sampler.h"
#include "core/work/bus.h"
#include "core/work/dial.h"
#include "core/work/job.h"
#include "core/work/snap.h"
#include "core/work/sources.h"

struct session;

struct session_options {
	const char *formats;  /* NULL: the default dial */
	const struct sources *sources; /* to scan and calibrate on; NULL: self-sampled */
	bool mix;             /* channel-mixes join the formats */
	size_t scan_tokens;   /* 0: 512 */
	const char *template; /* --template, NULL: the model's own */
	const char *layout;   /* start with that layout file; NULL: none */
	bool auto_scan;       /* prepare variants, first score, fast pass and scan by itself */
	bool no_runs; /* a scan leaves no run folder */
	bool no_offers; /* what was cut short is left for another sitting: nobody is there to ask */
	bool anew;    /* what was measured before is passed over */
	bool read_only;       /* the cache is read only, no runs */
	int threads;          /* 0: one a core */
	const char *device;   /* "cpu", "cuda:0"; NULL: "auto" (backend_use) */
	bool demo;
};

struct session *session_new(const struct session_options *o, struct bus *b);
/* Stops everything, joins, flushes; safe at any time. */
void session_free(struct session *s);
struct jobs *session_jobs(struct session *s); /* for jobs_fd, jobs_drain */

/* ---- verbs; UI thread */

/* Opens a model as a job: EV_MODEL when its header is known, notices when it fails. */
BD_MUST_USE enum st session_open(struct session *s, const char *path, struct err *e);
BD_MUST_USE enum st session_text(struct session *s, const char *path, size_t tokens,
	struct err *e); /* NULL: self-sampled again */
/* Several sources with their weights, or one (sources.h); borrowed. */
BD_MUST_USE enum st session_sources(
	struct session *s, const struct sources *src, size_t tokens, struct err *e);
BD_MUST_USE enum st session_formats(struct session *s, const char *names, struct err *e);

/* The dial. bpw is stored bits per weight; answers in the call. */
BD_MUST_USE enum st session_budget(struct session *s, double bpw, struct err *e);
BD_MUST_USE enum st session_budget_bytes(struct session *s, uint64_t bytes, struct err *e);
double session_budget_now(const struct session *s);
/* A layout by its formats, with what was predicted of it. */
BD_MUST_USE enum st session_choose(struct session *s, const uint8_t *choice, size_t n, double kl,
	double se, struct err *e);
/* In the place of the layout under the dial one of no more bytes by a plain rule: "uniform",
 * "ends", "random" (of that seed).  n: linears of the model. */
BD_MUST_USE enum st session_guard(
	struct session *s, const char *name, uint64_t seed, size_t n, struct err *e);
/* pattern: a glob over linear names ("layers.*.v"); format NULL: as it is now.
 * *matched is how many linears it named. */
BD_MUST_USE enum st session_pin(
	struct session *s, const char *pattern, const char *format, size_t *matched, struct err *e);
BD_MUST_USE enum st session_free_pin(
	struct session *s, const char *pattern, size_t *matched, struct err *e);
/* The budget by any of its faces (ask.h), and where that led. */
BD_MUST_USE enum st session_ask(
	struct session *s, const struct ask *a, struct dial_reached *r, struct err *e);
/* format: the lowest allowed; "any": none.  As dial_floor, dial_tie, dial_price, dial_mark. */
BD_MUST_USE enum st session_floor(
	struct session *s, const char *pattern, const char *format, size_t *matched, struct err *e);
BD_MUST_USE enum st session_tie(
	struct session *s, const char *what, size_t *units, struct err *e);
BD_MUST_USE enum st session_price(struct session *s, const char *pattern, unsigned which,
	struct dial_price *p, struct err *e);
BD_MUST_USE enum st session_mark(
	struct session *s, enum dial_mark_verb verb, bool *marked, struct err *e);
BD_MUST_USE enum st session_to_mark(struct session *s, struct err *e);
BD_MUST_USE enum st session_undo(struct session *s, struct err *e); /* budget and pins */
BD_MUST_USE enum st session_redo(struct session *s, struct err *e);

/* Measurements as jobs. */
BD_MUST_USE enum st session_scan(struct session *s, struct err *e);    /* starts or goes on */
/* For a script: as `bitdial scan`, which leaves what is undecided alone unless that is asked for.
 * *running: the scan that runs already and does; 0: one is started. */
BD_MUST_USE enum st session_scan_cells(
	struct session *s, bool undecided, uint32_t *running, struct err *e);
uint32_t session_scanning(struct session *s);                          /* the scan's job; 0: none */
BD_MUST_USE enum st session_measure(struct session *s, struct err *e); /* KL of the layout now */
/* A local search about the layout now, judged by measured KL: minutes.  The refined layout takes
 * its place unless the dial was turned meanwhile. */
BD_MUST_USE enum st session_refine(struct session *s, struct err *e);
/* The measured layout that does better than the one under the dial, in its place. */
BD_MUST_USE enum st session_better(struct session *s, struct err *e);
/* Called by the loop at every turn: measures the layout under the dial when it has rested for
 * a while, where auto_measure is on, text to measure on is at hand, and a measurement takes
 * less than ten seconds.  Seconds until it would like to be called again; below 0: not before
 * something happens. */
double session_tick(struct session *s);
BD_MUST_USE enum st session_keep(
	struct session *s, const char *name, struct err *e); /* as run, whose id its end says */
/* ... that says which script asked for it (where it is, the SHA-256 of its text). */
BD_MUST_USE enum st session_keep_for(struct session *s, const char *name, const char *script,
	const char *script_sha, struct err *e);
/* x and Ctrl-C: the topmost running job, or the one with this id (0: topmost);
 * false: nothing runs. */
bool session_stop(struct session *s, uint32_t job);
/* As jobs_raise. */
BD_MUST_USE enum st session_raise(struct session *s, uint32_t job, struct err *e);
/* What was cut short when the program last ended, as the notice at opening offered (its event's key
 * is NOTICE_OFFER): goes on with it, or (false: nothing was offered) leaves it.  Without an answer
 * the next start offers it again. */
enum { NOTICE_OFFER = 1 };
BD_MUST_USE enum st session_resume(struct session *s, struct err *e);
bool session_leave(struct session *s);
/* What of it is still offered, as "training of 14:02"; false: nothing is. */
bool session_offer(const struct session *s, char what[48]);
/* A scan although memory or disk are estimated not to do. */
BD_MUST_USE enum st session_scan_anyway(struct session *s, struct err *e);
bool session_busy(const struct session *s); /* anything queued or running */

/* Moves the model to a device ("cpu", "cuda:0", "auto": as backend_use) as a job: what computes is
 * stopped first; the layout, the conversation, marks, cells and measured points stay; variants are
 * taken from the cache or made again, and the scan goes on there.  Nothing changes when it fails:
 * the model stays where it was (where that device is lost, it goes to the processor).  Without a
 * model: where the next one is opened. */
BD_MUST_USE enum st session_device(struct session *s, const char *name, struct err *e);
/* The name of the backend in use; any thread. */
const char *session_device_now(const struct session *s);

/* How fast a product is here, as a job; EV_TIMING. */
BD_MUST_USE enum st session_time(struct session *s, const struct timing_ask *a, struct err *e);

/* A picture, as a job; EV_PLOT when it is there.  Takes figure over, also when it fails; NULL: the
 * runs and files of word[0..n) (figure_runs).  path NULL: a free name in figure_dir(); else that,
 * or with a number where it is taken.  w, h: as sixels of so many pixels, too; 0: not. */
struct figure;
struct plot_ask {
	struct figure *figure;
	const char *const *word;
	size_t n;
	const char *path;
	int w, h;
};
BD_MUST_USE enum st session_plot(struct session *s, const struct plot_ask *a, struct err *e);

/* What a layout makes of a text or of a task, as a job; EV_SCORE. */
enum score_of {
	SCORE_LAYOUT, /* under the dial */
	SCORE_REFERENCE,
	SCORE_COUNT /* tokens alone */
};
struct score_ask {
	enum score_of of;
	const char *text;     /* a file; NULL with no task: the measuring text of 2,048 tokens */
	const char *task;     /* a file, or the name of one (eval/task.h) */
	size_t limit, window; /* tokens or items at most, 0: all; tokens of a window, 0: 512 */
};
BD_MUST_USE enum st session_score(struct session *s, const struct score_ask *a, struct err *e);

BD_MUST_USE enum st session_layout_write(struct session *s, const char *path, struct err *e);
BD_MUST_USE enum st session_layout_read(struct session *s, const char *path, struct err *e);
BD_MUST_USE enum st session_export(struct session *s, const char *dir, struct err *e); /* job */

/* ---- chat: one transcript, published as EV_CHAT (snap_chat) at most 20 times a second */

/* Sends a message; the answer streams (EV_CHAT).  Refused while one is streaming. */
BD_MUST_USE enum st session_say(struct session *s, const char *text, struct err *e);
BD_MUST_USE enum st session_again(struct session *s, struct err *e); /* r: whole answer anew */
bool session_chat_stop(struct session *s);                           /* false: nothing streams */
BD_MUST_USE enum st session_chat_clear(struct session *s, struct err *e);
void session_chat_sampler(struct session *s, const struct sampler_options *o);
void session_chat_system(struct session *s, const char *text); /* NULL: the template's own */
/* Whether someone sees how fast answers read memory: what the machine reads at best, to hold them
 * against, is measured only then (chat_measure_wall), now or after the first answer. */
void session_rates(struct session *s, bool shown);

/* ---- training, one run at a time, as a job (train_run.h); EV_TRAIN (snap_train) after each step */

enum switch_verb { SWITCH_OFF, SWITCH_ON, SWITCH_TOGGLE };
struct train_ask;
/* Begins (or, ask->resume, goes on with) a run from the layout under the dial. */
BD_MUST_USE enum st session_train(struct session *s, const struct train_ask *ask, struct err *e);
uint32_t session_training(struct session *s); /* its job; 0: none */
/* The calibration that the dial has comes off, and the model's own variants are there again; or
 * (on) a run's is put on, run NULL: the one that came off last. */
BD_MUST_USE enum st session_wear(struct session *s, bool on, const char *run, struct err *e);
/* Between steps; what is paused still answers in the chat.  *paused: what it is now. */
BD_MUST_USE enum st session_train_pause(
	struct session *s, enum switch_verb verb, bool *paused, struct err *e);
/* A checkpoint after the step that runs. */
BD_MUST_USE enum st session_train_save(struct session *s, struct err *e);
/* The chat answers from the model in training, as of its last finished step, or from the dial's. */
BD_MUST_USE enum st session_train_chat(
	struct session *s, enum switch_verb verb, bool *on, struct err *e);
/* An earlier run's curve behind the one that runs; NULL: none. */
BD_MUST_USE enum st session_train_ghost(struct session *s, const char *run, struct err *e);

/* ---- two answers to each message, by the mark A and by the layout under the dial; EV_AB */

/* From the next message on; refused without a mark.  *on: what it is now. */
BD_MUST_USE enum st session_ab(
	struct session *s, enum switch_verb verb, bool *on, struct err *e);
/* Which of the two answers shown is better: kept in chat.ndjson, names revealed. */
BD_MUST_USE enum st session_vote(struct session *s, enum vote_pick pick, struct err *e);
BD_MUST_USE enum st session_votes(struct session *s, struct err *e); /* EV_VOTES */

/* ---- what an act was made on, for a log of acts and its replay */

struct dial_acted;
void session_acted(struct session *s, struct dial_acted *a); /* dial.h */
/* As if no more cells and measured layouts were known than the journals held at that place, as a
 * job (desk_seek); the next move of the dial is one of its own.  With session_options.anew the
 * stages run first where they do not hold as much. */
BD_MUST_USE enum st session_seek(struct session *s, size_t cells, size_t points, struct err *e);

/* ---- options set with :set that the session holds; app/tui/options.def lists them */
BD_MUST_USE enum st session_set(
	struct session *s, const char *name, const char *value, struct err *e);

#endif

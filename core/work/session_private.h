/* session_private.h - what the files of the session share; nobody else includes it.
 *
 * Members are marked with the thread that owns them: the engine thread (jobs) or the UI
 * thread (verbs).  What crosses goes through the dial, the bus, a job's argument or an
 * atomic.
 */
#ifndef BD_WORK_SESSION_PRIVATE_H
#define BD_WORK_SESSION_PRIVATE_H

#include <stdatomic.h>

#include "core/work/ab.h"
#include "core/work/chat.h"
#include "core/work/desk.h"
#include "core/work/dial.h"
#include "core/work/run.h"
#include "core/work/session.h"
#include "core/work/underway.h"

struct session {
	struct bus *bus;
	struct jobs *jobs;
	struct dial *dial;

	/* engine thread */
	struct desk *desk;
	struct chat *chat;
	struct run *scan_run;
	double last_cells, last_exact, last_chat; /* when they were published */
	struct source_pair pair[SOURCE_PAIRS];    /* as published; counted once a second */
	double last_pairs;
	size_t pairs;
	uint64_t view_generation;                 /* of the dial, when the chat last looked */
	uint32_t view_layout;                     /* counts the layouts that it found */
	uint8_t *view_choice;
	double view_bpw;
	struct ab *ab;  /* NULL: nothing was asked of two yet */
	double last_ab; /* published */
	struct rng shuffle;
	uint32_t ab_turns; /* prompts so far */
	char *asked;       /* the last message of either conversation; NULL: none, or cleared */

	/* set by the engine, read by the UI */
	atomic_bool ready;
	atomic_bool exact_again; /* the front moved while the exact programme ran */
	atomic_bool can_measure; /* text to measure on is cached */
	atomic_bool offered;     /* cut, to be gone on with; then the UI thread's */
	struct cut_short cut;
	struct underway *unanswered; /* word of it, for the next start */
	atomic_bool slow;        /* ... but it takes long: only when asked, until another model */

	/* set by the UI, read by the engine */
	atomic_bool ab_on, ab_blind;
	atomic_bool scan_asked;  /* by :scan, and not at its end yet */
	atomic_bool scan_plain;  /* by a script: what is undecided is left alone */
	atomic_bool scan_anyway; /* by :scan!, although it is estimated not to fit */
	atomic_bool rates_shown; /* somebody looks at how fast answers read memory */

	struct session_train *train; /* session_train.h */

	/* UI thread */
	char *path, *formats, *template, *layout, *system;
	char *device;     /* as asked for; NULL: auto */
	bool device_lost; /* once, and the model went to the processor */
	struct sources sources; /* of the text; none: self-sampled */
	bool ab_after;
	size_t scan_tokens, max_tokens;
	struct chat_how chat_how;
	double turned_at;             /* when the dial was last moved */
	uint64_t measured_generation; /* of the layout measured last by itself */
	uint64_t guards_generation;   /* of the one whose guards were asked for last */
	uint64_t odds_generation;     /* of the one whose odds were asked for last */
	uint32_t measure_job;         /* that last one */
	atomic_bool quiet; /* stopped by the user: nothing begins by itself until the dial is turned */
	bool mix; /* set mix channel */
	bool auto_measure, auto_scan, read_only, no_runs, no_offers, anew, demo;
	struct sampler_options sampler;
};

/* What a job is asked to do; owned by the job. */
struct deed {
	struct session *s;
	char *path, *text;
	char *device; /* job_open: where */
	char *script, script_sha[65]; /* job_keep: that asked for it; NULL: none did */
	size_t tokens;
	struct desk_place place; /* job_seek */
	bool mix;    /* job_change of formats: with channel-mixes */
	bool flag;   /* job_change: the text is changed; job_measure: nobody asked for it */
	bool resume; /* the dial's stages go on when this is done */
	struct desk_options options;
	struct sources sources; /* job_open, job_change: of the text */
	struct sampler_options sampler;
	struct chat_how how;
	bool pair, after; /* job_chat: of A and B, one after the other */
	enum vote_pick pick;
	struct ab_texts *texts; /* job_compare */
};

/* The layout under the dial, xfree, with its bytes and what is predicted; NULL: there is none. */
uint8_t *session_choice(struct session *s, uint64_t *bytes, double *kl, double *se);

extern const struct job_class job_open, job_change, job_prepare, job_exact, job_odds, job_measure,
	job_guards, job_refine, job_export, job_keep, job_layout_read, job_layout_write, job_chat,
	job_chat_clear, job_compare, job_ab, job_vote, job_votes, job_seek;

struct deed *deed_new(struct session *s, const char *path, const char *text);
/* What every job has in common when it ended: a failure is said once. */
void deed_done(struct job *j);
/* UI thread: that a job failed, and what is done about a device that did. */
void job_failed(struct session *s, const struct job *j);
/* Engine thread: the device that a model is opened on (NULL: auto) is in use from now on; and when
 * opening it there failed: it is to be tried on the processor. */
BD_MUST_USE enum st device_open(struct session *s, const char *name, struct err *e);
bool device_give_way(struct session *s, const char *name, enum st st, const struct err *why);
/* ... and the dial's stages go on where it was asked for, also when the job failed: the scan
 * was stopped for it. */
void deed_done_resume(struct job *j);
/* Another text (of s->sources) or other formats, as a job; the dial's stages go on after it. */
void session_change(struct session *s, const char *formats, size_t tokens, bool text);
/* UI thread: refused while no model is open. */
BD_MUST_USE enum st session_need_model(const struct session *s, const char *verb, struct err *e);
uint32_t deed_submit(struct session *s, const struct job_class *c, struct deed *d);
/* The index of a format of the dial by name, or by its bits alone ("4"). */
BD_MUST_USE enum st session_format_of(struct session *s, const char *name, int *fmt, struct err *e);
/* The dial was moved, unless st says that it could not be: the layout is measured when it has
 * rested, and the exact programme follows.  Gives st back. */
enum st session_turned(struct session *s, enum st st);
/* Any thread: the exact programme for the front as it is, unless it is there. */
void session_want_exact(struct session *s);

/* Engine thread: word that the job runs, for the next start (underway.h); of a layout where
 * choice is given.  Its end: cut short where the program ends in it. */
struct underway *underway_of(struct session *s, const char *kind, const uint8_t *choice);
void resume_look(struct session *s, bool goes_on);
/* UI thread: what is offered is not answered in this sitting; the next that opens the model offers
 * it. */
void resume_put_off(struct session *s);
BD_MUST_USE enum st session_read_layout(
	struct session *s, const char *path, const struct sink *sink, struct err *e);
/* Says what the job is estimated at, and whether it fits (anyway: it begins all the same). */
struct estimate;
BD_MUST_USE enum st foretell(
	struct job *j, const struct estimate *x, bool anyway, const char *way, struct err *e);

/* Engine thread: the mixes in the layout under the dial are made and measured, and it is solved
 * again, a few times at most (session_mix.c). */
BD_MUST_USE enum st mix_settle(struct job *j, struct err *e);

/* Engine thread: what is undecided in the layout under the dial, on more text (session_scan.c). */
BD_MUST_USE enum st scan_settle(struct job *j, bool go_on, bool tell, struct err *e);

/* Snapshots; engine thread. */
void publish_header(struct session *s, const struct checkpoint *ck, const char *formats);
void publish_model(struct session *s);
void publish_device(struct session *s); /* the model again, of which only that changed */
void publish_variants(struct session *s);
/* Map, damages and front; at most ten a second unless `now`. */
void publish_cells(struct session *s, bool now);
void publish_points(struct session *s); /* measured layouts */
void publish_chat(struct session *s, bool now);
void publish_ab(struct session *s, bool now);

/* ---- training (session_train.c) */
struct session_train *session_train_new(void);
void session_train_free(struct session *s);
/* UI thread: refused while a run is in training. */
BD_MUST_USE enum st session_need_no_training(struct session *s, const char *verb, struct err *e);
/* UI thread: it stops after the step under way, with a checkpoint; false: it is no such job, or was
 * asked that already, and is to be stopped as every job. */
bool session_train_halt(struct session *s, uint32_t job);
/* Engine thread: the copy goes, and with it what the chat answers from. */
void training_drop(struct session *s);
/* Engine thread: what came off the dial is of another model. */
void wear_forget(struct session *s);
/* Engine thread, before an answer: by the copy that is in training, or (false) by the dial's. */
bool training_wear(struct session *s);
/* ... and then its mats (view [n], NULL: not wanted); false: the dial's. */
bool training_view(struct session *s, const struct mat **view, uint32_t *layout, double *bpw);

/* Engine thread: what is answered again where a conversation has no question of its own. */
void chat_asked(struct session *s, const char *text);
/* job_chat where the message is for A and B. */
BD_MUST_USE enum st work_pair(struct job *j, struct err *e);
/* Options of the pair; false: not one of them. */
bool session_ab_set(
	struct session *s, const char *name, const char *value, enum st *st, struct err *e);
void notice(struct session *s, int level, const char *fmt, ...) BD_PRINTF(3, 4);

#endif

/* bus.h - how threads tell each other what happened.
 *
 * Two classes, told apart by kind:
 *   state  only the newest matters; a newer one with the same kind and key
 *          replaces one that was not read yet (progress, slider answer)
 *   edge   each is delivered once, in order (job began, job ended)
 * Streams (tokens, log lines) do not travel here: they are appended to a log, and the
 * bus carries "series 7 now has 2140" as state.
 *
 * Events are values.  A large payload is a snapshot: immutable, counted, shared
 * between threads without a lock (types in snap.h).  Publish from any thread; a sub
 * belongs to its reader's thread.  Cannot fail.
 */
#ifndef BD_WORK_BUS_H
#define BD_WORK_BUS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
#define EV_LIST(X) /* kind, class; payload */ \
	X(MODEL,      STATE) /* snap_model: opened, or replaced */ \
	X(MAP,        STATE) /* snap_map: cells, as the scan knows them */ \
	X(FRONT,      STATE) /* snap_front: curve, measured points, guards */ \
	X(ANSWER,     STATE) /* snap_answer: the layout under the dial */ \
	X(ODDS,       STATE) /* snap_odds: how sure the layout under the dial is */ \
	X(VARIANTS,   STATE) /* snap_variants: which variant each cell has */ \
	X(CHAT,       STATE) /* snap_chat: the transcript so far */ \
	X(AB,         STATE) /* snap_ab: two answers side by side */ \
	X(VOTES,      EDGE)  /* snap_votes: what was asked for */ \
	X(TIMING,     STATE) /* key: job; snap_timing: how fast a product is */ \
	X(RUNS,       STATE) /* snap_runs (runs_io.h): the index of run folders */ \
	X(PLOT,       EDGE)  /* key: job; snap_plot: a picture was drawn */ \
	X(SCORE,      STATE) /* key: job; snap_score: what a text or a task made of a layout */ \
	X(CURSOR,     STATE) /* n: linear under the crosshair */ \
	X(JOB_QUEUED, EDGE)  /* key: job; snap_job: it waits, or has another place */ \
	X(JOB_STOPPING, EDGE) /* key: job; asked to stop, not yet at its end */ \
	X(JOB_BEGAN,  EDGE)  /* key: job; snap_text: its name */ \
	X(JOB_PROGRESS, STATE) /* key: job; snap_progress */ \
	X(JOB_ENDED,  EDGE)  /* key: job; n: enum st; snap_text: the sentence */ \
	X(NOTICE,     EDGE)  /* n: enum log_level; snap_text */ \
	X(CONSOLE,    EDGE)  /* key: enum console_say (app/panel/console.h); snap_text */ \
	X(LOG,        STATE) /* n: lines logged so far (log_read) */ \
	X(DEVICE,     STATE) /* snap_device: load and memory, once a second while shown */ \
	X(TRAIN,      STATE) /* snap_train (snap_train.h): the run in training, or the last one */ \
	X(VIEW,       STATE) /* n: enum view_bits: what the panels show (ramp, view, log axis) */
/* clang-format on */

enum ev_kind {
	EV_NONE,
#define X(name, class) EV_##name,
	EV_LIST(X)
#undef X
		EV_KINDS
};

struct snap {
	atomic_int refs;
	void (*free)(struct snap *s);
};

struct event {
	enum ev_kind kind;
	uint32_t key; /* job, transcript */
	int64_t n;
	struct snap *snap; /* or NULL */
};

struct bus;
struct sub;

struct bus *bus_new(void);
void bus_free(struct bus *b);                             /* and its subscriptions */
struct sub *bus_subscribe(struct bus *b, uint64_t kinds); /* bit 1 << kind */
/* ... by who came late: it begins with the newest of each kind of state but progress. */
struct sub *bus_subscribe_late(struct bus *b, uint64_t kinds);
void bus_unsubscribe(struct bus *b, struct sub *s); /* and frees it; the reader's thread */
void bus_publish(struct bus *b, struct event ev);         /* takes ev.snap over */

int sub_fd(const struct sub *s);                /* readable: something waits */
bool sub_next(struct sub *s, struct event *ev); /* caller then owns ev->snap */

struct snap *snap_ref(struct snap *s);
void snap_unref(struct snap *s); /* NULL is fine */

#endif

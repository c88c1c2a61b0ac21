/* chat.h - one conversation with the model under the dial.
 *
 * The answering layout is asked for before every token, so that turning the dial in the
 * middle of an answer takes effect with the next one; the KV cache stays, the transcript
 * records the layout of each stretch.  Belongs to the thread that owns the desk; others
 * see snapshots.
 */
#ifndef BD_WORK_CHAT_H
#define BD_WORK_CHAT_H

#include "core/model/sampler.h"
#include "core/work/desk.h"

struct chat;

/* What answers: fills view with the mats of the layout now; *layout changes when the
 * layout does, *bpw is its stored bits a weight. */
struct chat_source {
	enum st (*view)(void *arg, const struct mat **view, uint32_t *layout, double *bpw,
		const struct sink *s, struct err *e);
	void *arg;
	/* After each piece of text, on the engine thread; NULL: not wanted. */
	void (*wrote)(void *arg, const char *text, size_t n);
};

/* How answers are computed; all 0: the default. */
struct chat_how {
	size_t ctx; /* positions kept; the model's own at most */
	enum kv_type kv; /* how they are */
	char head[FORMAT_NAME]; /* format of the head; "": as in the file */
	bool exact; /* activations in float; else MATH_FAST */
};
/* One of its words by name, as :set has them; false: there is no such word. */
bool chat_how_set(
	struct chat_how *how, const char *name, const char *value, enum st *st, struct err *e);

/* Refused, with what to do, when there is
 * no tokenizer or no known chat template. */
BD_MUST_USE enum st chat_new(
	struct chat **out, struct desk *d, const struct chat_how *how, struct err *e);
void chat_free(struct chat *c); /* no answer may be under way */
struct fwd *chat_fwd(struct chat *c); /* that computes its answers, for other gains or adapters */

void chat_sampler(struct chat *c, const struct sampler_options *o, size_t max_tokens);
/* Otherwise from now on; the conversation goes on. */
BD_MUST_USE enum st chat_set(struct chat *c, const struct chat_how *how, struct err *e);
void chat_system(struct chat *c, const char *text); /* from the next conversation on */

/* A user's message into the transcript; answered by chat_answer. */
void chat_say(struct chat *c, const char *text);
/* Drops the last answer so that chat_answer gives it anew, wholly under the layout now.
 * false: there is none. */
bool chat_rewind(struct chat *c);
/* Before chat_answer after a rewind: the same seed where the layout is another one, so that
 * the layouts are compared; the next seed where the answer would be the same again. */
void chat_next_seed(struct chat *c, uint32_t layout);
void chat_clear(struct chat *c);
/* Gives back what it has of the model's memory, which is about to move; what was said stays, and
 * chat_set before the next answer takes it there. */
void chat_leave(struct chat *c);

/* Answers the last message.  ST_CANCELLED keeps what was said. */
BD_MUST_USE enum st chat_answer(
	struct chat *c, const struct chat_source *src, const struct sink *s, struct err *e);

/* The same in steps, after chat_say or chat_rewind, for two conversations that take turns: the
 * prompt into the cache, a token
 * at a time while there are more, and the end with what became of it (also after a chat_say
 * that was never begun). */
BD_MUST_USE enum st chat_begin(
	struct chat *c, const struct chat_source *src, const struct sink *s, struct err *e);
BD_MUST_USE enum st chat_next(struct chat *c, const struct chat_source *src, bool *more,
	const struct sink *s, struct err *e);
void chat_end(struct chat *c, enum st st);

/* The last answer in ids; borrowed until the conversation goes on. */
struct chat_said {
	const int32_t *before; /* what stood in the context before it */
	size_t n_before;
	const int32_t *said; /* the answer, with its end of turn where it said one */
	const size_t *at;    /* byte of the transcript where each one's text begins */
	size_t n_said;
	bool ended; /* the last of said is the end of turn */
};
struct chat_said chat_said(const struct chat *c);

/* Measures, once, how fast this machine reads: what the answers' read_rate is held against (a
 * tenth of a second, so only where someone sees it). */
void chat_measure_wall(struct chat *c);
struct snap_chat *chat_snapshot(struct chat *c);

#endif

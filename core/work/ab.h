/* ab.h - two conversations that are asked the same: by the marked layout, A, and by the layout
 * under the dial, B.
 *
 * Each side has its own history and KV cache; prompt, seed and sampler are the same.  The
 * layouts are given with the prompt and stay for that answer.  Belongs to the thread that owns
 * the desk; others see snapshots (snap_ab).
 */
#ifndef BD_WORK_AB_H
#define BD_WORK_AB_H

#include "core/work/chat.h"
#include "core/work/votes.h"

struct ab;

enum { AB_A, AB_B };

struct ab_options {
	struct sampler_options sampler;
	size_t max_tokens; /* 0: 512 */
	struct chat_how how;
	const char *system;
	bool after;    /* one after the other, at full speed; else they alternate tokens */
	bool blind;    /* names are hidden until the vote */
	bool swap;     /* B stands on the left */
	uint32_t turn; /* another one for each prompt of a sitting */
};

/* Two conversations' caches; refused with a sentence where there is no memory for both. */
BD_MUST_USE enum st ab_new(struct ab **out, struct desk *d, const struct chat_how *how, struct err *e);
void ab_free(struct ab *p); /* NULL is fine; no answer may be under way */
void ab_clear(struct ab *p);
void ab_leave(struct ab *p); /* chat_leave of both */

/* The layouts and all else that holds for the next answers.  choice [n of the desk], stored bits
 * a weight; both by AB_A, AB_B. */
BD_MUST_USE enum st ab_set(struct ab *p, const struct ab_options *o, const uint8_t *const choice[2],
	const double bpw[2], struct err *e);
/* A message to both; NULL: the last one again, with the same seed where a layout is another one
 * than before, with the next where the answers would be the same.  false: there is none. */
bool ab_say(struct ab *p, const char *text);
/* Both answers; ST_CANCELLED keeps what was said.  wrote: after each piece of text. */
BD_MUST_USE enum st ab_answer(
	struct ab *p, void (*wrote)(void *arg), void *arg, const struct sink *s, struct err *e);
double ab_speed(const struct ab *p, int side); /* tokens a second; 0: not known, or shared */

/* ---- comparing; ab_compare.c */

/* The last answers as the comparison reads them: copies. */
struct ab_texts {
	uint32_t turn; /* of the pair: what ab_set_compared asks for */
	struct ab_text {
		uint8_t *choice;
		int32_t *ids; /* what stood before the answer, then the answer */
		size_t before, said;
		bool ended; /* the last id is the end of turn */
	} side[2];
};
struct ab_result {
	struct ab_compared sums;
	float *kl; /* [n] KL(A||B) at each token of A's answer, nats; big_free */
	size_t n;
};
BD_MUST_USE enum st ab_texts(const struct ab *p, struct ab_texts **out, struct err *e);
void ab_texts_free(struct ab_texts *t); /* NULL is fine */
/* A's text through A and B, B's text through A and the reference.  KL(A||B) = sum over the
 * vocabulary of p_A log(p_A / p_B). */
BD_MUST_USE enum st ab_compare(struct desk *d, const struct ab_texts *t, struct ab_result *r,
	const struct sink *s, struct err *e);

/* One text through two views: for each token said, KL(p||q) in nats; how often the likeliest
 * tokens agree; the text's mean negative log-likelihood under both.  kl [said]; before at
 * least 1. */
struct ab_forced {
	double nll_p, nll_q;
	size_t agree;
};
BD_MUST_USE enum st ab_force(struct ab_forced *f, double *kl, const struct model *m,
	const struct mat *const *p_view, const struct mat *const *q_view, const int32_t *ids,
	size_t before, size_t said, const struct sink *s, struct err *e);

/* r is taken over; NULL: it was not compared.  Nothing happens when the pair has gone on. */
void ab_set_compared(struct ab *p, uint32_t turn, struct ab_result *r);
void ab_comparing(struct ab *p); /* it is on its way */

/* ---- voting */

/* v is what is to be kept.  Refused while they answer, and twice. */
BD_MUST_USE enum st ab_vote(const struct ab *p, enum vote_pick pick, struct vote *v, struct err *e);
void ab_voted(struct ab *p, enum vote_pick pick); /* it is kept: reveals the names */

/* on and blind of the snapshot are the caller's; p NULL: an empty one. */
struct snap_ab *ab_snapshot(const struct ab *p);

#endif

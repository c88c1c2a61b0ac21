/* chat_private.h - what the files of a conversation share; nobody else includes it.
 *
 * chat_transcript.c keeps what was said, chat.c answers.
 */
#ifndef BD_WORK_CHAT_PRIVATE_H
#define BD_WORK_CHAT_PRIVATE_H

#include "core/work/chat.h"

struct message {
	const char *role;
	char *text;
	size_t len;
};

struct chat {
	struct desk *d;
	struct fwd *fwd;
	struct kv *kv;
	float *logits; /* [vocab], host */
	const struct mat **view;
	struct chat_how how;
	struct sampler_options options;
	size_t max_tokens;
	char *system;
	struct message *msg;
	size_t n_msg, cap_msg;
	size_t in_kv;   /* messages whose tokens are in the cache */
	int32_t unfed;  /* last token said, when it is not in the cache yet; -1 */
	size_t turn;    /* messages so far, forgotten ones included */
	uint64_t again; /* added to the seed: answers asked for once more */
	uint32_t first_layout, last_layout; /* of the last answer */

	struct tok_ids fed;       /* what is in the cache */
	struct tok_ids said;      /* the last answer, with its end of turn */
	size_t *said_at;          /* [cap_at]: where in text a token's begins */
	size_t cap_at, answer_at; /* answer_at: tokens in the cache before it */
	struct sampler *sampler;  /* of the answer under way */
	double asked, first_at;
	struct fwd_times times; /* since the first token, as these: */
	double in_forward, in_sampler;
	double in_timed;          /* of in_forward, the steps that times is of */
	size_t steps, timed;      /* since then */
	const char *end; /* why it ended; "": it has not */

	char *text;
	size_t len, cap;
	struct chat_piece *piece;
	size_t n, cap_piece;
	struct chat_stats stats;
};

/* The transcript's text and the last piece of it grow. */
void chat_append(struct chat *c, const char *s, size_t n);
void chat_begin_piece(struct chat *c, enum chat_who who, double bpw, uint32_t layout);
/* Messages as the template renders them. */
void chat_add_message(struct chat *c, const char *role, const char *text, size_t n);
void chat_drop_messages(struct chat *c, size_t keep);
/* Nothing of the conversation is in the cache any more. */
void chat_forget_kv(struct chat *c);
/* From now on an answer is due. */
void chat_await(struct chat *c);

#endif

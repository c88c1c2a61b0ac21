/* pack.h - what a model is trained on: rows of a data file as ids, of which some are learned, put
 * together into windows.
 *
 * A row of messages is written by the model's chat template, its own default system message
 * included, as the chat writes it; what is learned are the answers and the tokens that end them,
 * or everything (`all`).  Without a template messages follow each other with a line end between,
 * and eos ends an answer.  Rows longer than the window are cut; where nothing that is learned is
 * left, the row is left out.  A text is learned whole: what does not fit into one sequence goes on
 * in the next, with BOS before it where the tokenizer puts one; eos ends a document.
 *
 * A sequence of n + 1 tokens takes n rows: the last token is a label only.  label[t] is the token
 * behind ids[t] when that is learned, else -1.  A sequence sees nothing but itself and its
 * positions begin at 0; no row is padding.
 *
 * The same file, tokenizer and pack_how give the same batches, whatever was asked for before and
 * on any thread: an epoch's order are its sequences sorted by hash(seed, epoch, sequence), put
 * first-fit into the last 64 windows.  Which rows are held out their content alone decides, not
 * the seed: the first 8 bytes of the SHA-256 of roles and texts, as a number below 1, are less
 * than `held`.  (Where that gives none of several different rows, the one with the least number.)
 *
 * A struct pack is in memory whole: 4 bytes a token.  It belongs to one thread at a time.
 */
#ifndef BD_TEXT_PACK_H
#define BD_TEXT_PACK_H

#include "core/text/dataset.h"
#include "core/text/tokenizer.h"

struct pack_how {
	const struct tokenizer *tok;
	const struct template *template; /* NULL: none */
	const char *jinja;               /* as of template_render */
	size_t window;                   /* rows of a window, 1 to PACK_WINDOW_MAX */
	bool all;                        /* everything is learned, not the answers alone */
	double held; /* share of rows held out, 0 to below 1; 1: all, for measuring */
	size_t samples; /* sequences to train on at most, evenly over the file; 0: all */
	uint64_t seed;
};

#define PACK_WINDOW_MAX 1048576

struct pack_counts {
	uint64_t rows;  /* that were read */
	uint64_t empty; /* left out: no answer, or nothing in it */
	uint64_t lost;  /* left out: nothing that is learned is left in the window */
	uint64_t cut;   /* whose end is left out */
	uint64_t held;  /* held out */
	/* of one epoch, and of what is held out: */
	uint64_t sequences, tokens, labelled; /* tokens: rows of windows */
	uint64_t held_sequences, held_tokens, held_labelled;
};

struct pack;

/* Reads d to its end, or to the rows it is opened for; polls, and tells progress in bytes. */
BD_MUST_USE enum st pack_read(struct pack **out, struct dataset *d, const struct pack_how *how,
	const struct sink *s, struct err *e);
void pack_free(struct pack *p); /* NULL is fine */

const struct pack_counts *pack_counts(const struct pack *p);
size_t pack_window(const struct pack *p); /* rows of a window, as pack_how said */
/* Of all ids, what of them is learned, and pack_how: a run that is resumed wants the same. */
const char *pack_sha256(const struct pack *p);
/* Of the ids of the sequences of training alone, in their order. */
void pack_train_sha256(const struct pack *p, char hex[65]);

/* One row's ids (appended) and, as from and to indices into them, what is learned of it. */
BD_MUST_USE enum st pack_tokens(const struct pack_how *how, const struct dataset_row *row,
	struct tok_ids *ids, struct tok_ids *learned, const struct sink *s, struct err *e);

/* ---- batches */

struct pack_span { /* one sequence: rows of the batch, whose positions are 0 to rows - 1 */
	size_t start, rows;
	size_t seq; /* which one: those of training from 0 in file order, then those held out */
};

struct pack_window { /* where it begins; one more behind the last */
	size_t row, span;
};

struct pack_batch {            /* of several windows: what an optimizer step takes */
	int32_t *ids, *labels; /* [rows] */
	struct pack_span *spans;
	struct pack_window *windows; /* [n_windows + 1] */
	size_t rows, n_spans, n_windows;
	size_t labelled; /* labels of the whole batch: the divisor of its loss (FORMULAS.md 1.6) */
	size_t cap;      /* private */
};

void pack_batch_release(struct pack_batch *b);

struct pack_place { /* the window that comes next: all that a checkpoint must keep */
	uint64_t epoch, at;
};

/* The next `windows` windows, over the end of an epoch into the one after it; *place goes on.  A
 * place that does not exist is ST_INVALID. */
BD_MUST_USE enum st pack_next(struct pack *p, struct pack_place *place, size_t windows,
	struct pack_batch *b, struct err *e);
/* The same of what is held out, in the order of the file, from window *at on; no window: that
 * was all. */
BD_MUST_USE enum st pack_held(
	struct pack *p, size_t *at, size_t windows, struct pack_batch *b, struct err *e);
/* Sequences of training in file order from *at to before `end`, as many as fit into so many rows (a
 * window or more). */
BD_MUST_USE enum st pack_in_order(struct pack *p, size_t *at, size_t end, size_t rows,
	struct pack_batch *b, struct err *e);
/* Rows of a sequence, numbered as in pack_span. */
size_t pack_rows(const struct pack *p, size_t seq);
/* Windows of an epoch: it differs by the order. */
BD_MUST_USE enum st pack_windows(struct pack *p, uint64_t epoch, size_t *n, struct err *e);

#endif

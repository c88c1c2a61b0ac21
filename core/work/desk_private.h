/* desk_private.h - what the files of the desk share; nobody else includes it. */
#ifndef BD_WORK_DESK_PRIVATE_H
#define BD_WORK_DESK_PRIVATE_H

#include "core/work/desk.h"

/* Seeds split what the model writes for different uses, so that nothing is measured on
 * text it was calibrated on. */
enum { SEED_SCAN = 1, SEED_CALIB = 2, SEED_MEASURE = 3, SEED_TEACH = 4 };

enum {
	DESK_SCAN_TOKENS = 512,
	DESK_SCAN_LEN = 64,  /* self-sampled: eight sequences side by side */
	DESK_FILE_LEN = 128, /* sequences of a file's text */
	DESK_SCORE_TOKENS = 128,
	DESK_CALIB_LEN = 256,
	DESK_CALIB_SEQS = 16, /* 4,096 tokens */
	DESK_MORE_SEQS = 48,  /* 12,288 to calibrate on, 4,096 to measure on */
	DESK_MEASURE_SEQS = 16
};

size_t desk_format_index(const struct desk *d, struct format f); /* set.k: none of the dial's */
uint64_t desk_bytes(const struct desk *d, size_t linear, size_t fmt);
void desk_by(const struct quantizer *q, char out[12]);
/* The same with what it is calibrated on, where it is: CACHE_BY of a cell.  q NULL: a mix's share. */
void desk_cell_by(const struct desk *d, const struct quantizer *q, char out[CACHE_BY]);
void desk_name_calib(struct desk *d); /* calib_id of the texts there are now */
/* The calibrated best of one cell, whatever is in its slot. */
BD_MUST_USE enum st desk_best_variant(
	struct desk *d, size_t linear, size_t fmt, const struct sink *s, struct err *e);
void desk_apply_cells(struct desk *d);
/* desk_dial.c: was it made by a run?  A format's variants from the run that is worn; *has: it has it. */
bool desk_by_run(const struct quantizer *q);
BD_MUST_USE enum st desk_dial_format(
	struct desk *d, size_t fmt, bool *has, const struct sink *s, struct err *e);
void desk_blank_cells(struct desk *d); /* nothing is known of any */
BD_MUST_USE enum st desk_load_format(
	struct desk *d, size_t fmt, const struct sink *s, struct err *e);
BD_MUST_USE enum st desk_load_variants(struct desk *d, const struct sink *s, struct err *e);
void desk_store_best(const struct desk *d, size_t fmt, const struct sink *s);
void desk_best_key(const struct desk *d, char out[16]); /* "best-1a2b3c4d" */

/* The points of the variants and the text as they are now, from the cache; nothing happens
 * where those have not changed. */
void desk_points_load(struct desk *d);
void desk_points_free(struct desk *d);
BD_MUST_USE enum st desk_anchors(struct desk *d, const struct sink *s, struct err *e);

/* The same sink without progress, for parts of what is counted in other units. */
static inline const struct sink *desk_silent(const struct sink *s, struct sink *quiet)
{
	if (!s)
		return NULL;
	*quiet = *s;
	quiet->progress = NULL;
	return quiet;
}

void desk_tell(struct desk *d, enum desk_change what);

/* The stages' work; each skips what is done. */
BD_MUST_USE enum st desk_data_free(
	struct desk *d, const char *quantizer, const struct sink *s, struct err *e);
BD_MUST_USE enum st desk_need_moments(struct desk *d, const struct sink *s, struct err *e);
BD_MUST_USE enum st desk_calibrate(struct desk *d, const struct sink *s, struct err *e);
BD_MUST_USE enum st desk_first_score(struct desk *d, const struct sink *s, struct err *e);
/* state: CELL_FAST or CELL_SCANNED. */
BD_MUST_USE enum st desk_measure_cells(
	struct desk *d, enum cell_state state, const struct sink *s, struct err *e);

/* Is any cell of the format one to make a variant for and to measure? */
bool desk_any_useful(const struct desk *d, size_t fmt);
/* Leaves formats out, the widest first, until the variants of the rest take at most `room`
 * bytes or one is left beside keep; names them in `out`.  How many stay. */
size_t desk_fit_formats(
	const struct model *m, struct format *f, size_t k, uint64_t room, char *out, size_t cap);

/* How far off the damage of a mix is between its ends, as a share of their distance, over
 * sqrt(t (1 - t)): measured on 287 cells of the default model, as was that the square of the
 * estimated share is nearer than the share (CONTRIBUTING, Decisions). */
#define DESK_MIX_OFF 0.4
/* Shares of the mixes that have none yet. */
BD_MUST_USE enum st desk_mix_shares(struct desk *d, const struct sink *s, struct err *e);
/* Fills the mixes' places of what desk_damage found for all others. */
void desk_mix_damage(const struct desk *d, double *damage, double *se);
/* Takes those out that were not measured. */
void desk_measured_only(const struct desk *d, double *damage);
/* Has the layout a mix that was not measured?  Then its damages are no sum of measured ones. */
bool desk_estimated(const struct desk *d, const uint8_t *choice);
/* Is it a cell that the stages make a variant for, and measure? */
bool desk_staged(const struct desk *d, size_t linear, size_t fmt);
/* These cells, whose variants are there, on the scan's text. */
BD_MUST_USE enum st desk_measure_list(struct desk *d, const struct scan_cell *cell, size_t n,
	const struct sink *s, struct err *e);

/* Sequences of the self-sampled text to scan on. */
size_t desk_scan_seqs(const struct desk *d);
/* The pieces of desk_text.c that several sources are made of: path NULL is self-sampled. */
BD_MUST_USE enum st desk_self_text(struct desk *d, uint64_t seed, size_t n_seq, size_t len,
	struct token_text *t, const struct sink *s, struct err *e);
BD_MUST_USE enum st desk_file_text(struct desk *d, const char *path, size_t skip, size_t n_seq,
	size_t len, struct token_text *t, const struct sink *s, struct err *e);
/* Which file it is now, and how many tokens it has of so many. */
BD_MUST_USE enum st desk_name_file(struct desk *d, const char *path, size_t tokens,
	struct fs_id *id, size_t *have, const struct sink *s, struct err *e);
BD_MUST_USE enum st desk_scan_text_of(struct desk *d, const char *path, struct token_text *t,
	const struct sink *s, struct err *e);
/* Is there so much more than the scan's part and what else is taken from it? */
BD_MUST_USE enum st desk_has_more(struct desk *d, const char *path, size_t tokens, bool *has,
	const struct sink *s, struct err *e);
/* For cells that need more than the scan's; n_seq 0: there is not so much. */
BD_MUST_USE enum st desk_more_text_of(struct desk *d, const char *path, size_t tokens,
	struct token_text *t, const struct sink *s, struct err *e);
size_t desk_scan_part(const struct desk *d); /* ids at a file's beginning that the scan uses */
void desk_hash_text(const struct token_text *t, char out[17]);
/* Forgets the former. */
void desk_begin_text(struct desk *d, const char *path, const struct fs_id *id, size_t tokens);
char *desk_calib_source(const struct desk *d, const char *path, const struct fs_id *id); /* xfree */

/* desk_sources.c; only where there are several, but for desk_many_texts. */
bool desk_many_texts(const struct desk *d);
void desk_free_source_cells(struct desk *d); /* also where there are none */
void desk_forget_heads(struct desk *d);
void desk_forget_sources(struct desk *d);    /* there are none from now on */
void desk_new_source_cells(struct desk *d);
void desk_texts_cell(struct desk *d, size_t at); /* `cell` from the sources' own */
void desk_texts_cached(struct desk *d, const struct cached_cell *c, size_t n);
BD_MUST_USE enum st desk_texts_scan(struct desk *d, const struct sink *s, struct err *e);
BD_MUST_USE enum st desk_texts_calib(
	struct desk *d, size_t n_seq, const struct sink *s, struct err *e);
BD_MUST_USE enum st desk_texts_measure(
	struct desk *d, size_t tokens, struct token_text *t, const struct sink *s, struct err *e);
char *desk_texts_key(const struct desk *d); /* what calibrated variants depend on; xfree */
/* A cell of the journal into these cells [n][k] of a text of `all` tokens. */
void desk_take_cached(struct desk *d, const struct cached_cell *c, size_t all,
	struct map_cell *cell, char (*by)[CACHE_BY]);

/* The scan's and the calibration's text, made now if need be. */
BD_MUST_USE enum st desk_scan_text(struct desk *d, const struct sink *s, struct err *e);
BD_MUST_USE enum st desk_calib_text(
	struct desk *d, size_t n_seq, const struct sink *s, struct err *e);

#endif

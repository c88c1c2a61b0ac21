/* desk.h - one model with all that belongs to it: tokenizer, variants, texts, cells, cache.
 *
 * The one-shot verbs use a desk directly; the session wraps one in jobs.  All functions
 * run on the thread that owns the desk (the engine thread, or a verb's main thread) and
 * poll the sink they get; stopping keeps what is finished.  What a stage finds is kept in
 * the desk and in the cache; `changed` (may be NULL) is called after each piece, on the
 * same thread.
 *
 * The dial's stages, in order (desk_stage runs one; each is skipped where the cache has its
 * result):
 *   minmax   a data-free variant of every cell at once
 *   text     512 tokens to scan on (self-sampled, or from the file)
 *   score    first score of every cell
 *   clip     better data-free variants
 *   fast     KL on 64 tokens of every cell that a dial could use
 *   calib    4,096 tokens of other text; second moments
 *   gptq     calibrated variants; each cell keeps the quantizer with the lower output error
 *   scan     KL on all of the scan's text, most promising cells first
 *   ends     KL of the smallest layout and of a few between, which predictions are anchored at
 *   more     calibration and measuring text up to 16 k tokens
 */
#ifndef BD_WORK_DESK_H
#define BD_WORK_DESK_H

#include "core/eval/eval.h"
#include "core/model/model.h"
#include "core/model/selftext.h"
#include "core/quant/layout.h"
#include "core/quant/variant.h"
#include "core/search/front.h"
#include "core/search/predict.h"
#include "core/search/refine.h"
#include "core/search/scan.h"
#include "core/text/template.h"
#include "core/text/tokenizer.h"
#include "core/work/cache.h"
#include "core/work/dial_run.h"
#include "core/work/point.h"
#include "core/work/snap.h"
#include "core/work/sources.h"

enum stage {
	STAGE_MINMAX,
	STAGE_TEXT,
	STAGE_SCORE,
	STAGE_CLIP,
	STAGE_FAST,
	STAGE_CALIB,
	STAGE_GPTQ,
	STAGE_SCAN,
	STAGE_ENDS,
	STAGE_MORE,
	STAGES
};

enum desk_change { DESK_FORMATS, DESK_VARIANTS, DESK_CELLS, DESK_TEXT, DESK_POINTS };

struct desk_options {
	const char *formats;  /* NULL: the default dial */
	const char *text;     /* scan and calibrate on this file; NULL: self-sampled */
	const struct sources *sources; /* or on these; NULL: text */
	bool mix;             /* channel-mixes of the dial's ends join the formats */
	const char *template; /* NULL: the model's own */
	size_t scan_tokens;   /* 0: 512 */
	bool read_only;
	bool anew; /* what was measured and made before is passed over */
	/* Called when the header is known, before any weight is read; NULL: not wanted. */
	void (*header)(void *arg, const struct checkpoint *ck);
	void *arg;
};

struct desk {
	struct model *m;
	struct tokenizer *tok;           /* NULL: the model has none */
	struct err tok_err;              /* why */
	const struct template *template; /* NULL: unknown */
	struct err template_err;         /* why, with what to do */
	struct cache *cache;
	struct variant_set set;
	struct dial_run dial;  /* whose variants stand in place of the desk's own; dir NULL: none */
	char *formats;         /* as asked for; NULL: the default dial */
	bool mix;              /* channel-mixes join them */
	size_t keep;           /* index of the keep format, or set.k */
	struct map_cell *cell; /* [n][k]: what is known */
	char (*cell_by)[CACHE_BY]; /* [n][k]: what made the variant measured, as in cache.h */
	double *score;         /* [n][k]: first scores, NAN unknown */
	bool *useful;          /* [n][k]: no other format is smaller and better */
	struct token_text scan_text, calib_text;
	char *text_path;    /* NULL: self-sampled, or several sources */
	struct fs_id text_id; /* of that file when it was named */
	char text_name[96]; /* for people */
	char text_hash[17]; /* of scan_text's ids; "": there is none yet */
	char calib_id[9];   /* which texts are calibrated on, whatever their weights */
	char *text_told;    /* what was said of files, each in a line of its own */
	/* Where there are several sources, each has its own part of the scan's text, just as if it
	 * were alone, and its own cells; `cell` is then their weighted mean, and scan_text mixes
	 * all parts in sequences of the shortest length, for what wants one text. */
	struct sources sources;
	struct desk_source {
		struct token_text text;
		struct fs_id id;       /* of its file when it was named */
		char hash[17];         /* of its ids; "": there are none yet */
		struct map_cell *cell; /* [n][k] */
		char (*cell_by)[CACHE_BY]; /* [n][k] */
	} source[SOURCES_MAX];         /* [sources.n] where that is 2 or more, else not used */
	struct moments moments;
	struct desk_head { /* those that were asked for */
		struct format format;
		struct mat mat;
		void *memory;
		const struct backend *home; /* whose memory it is; NULL: the host's */
		struct desk_head *next;
	} *head;
	size_t scan_tokens;
	bool *calibrated;           /* [n][k]: gptq was tried against what is in the slot */
	bool best[FORMAT_MAX];      /* every slot of this format is the calibrated best */
	bool data_free[FORMAT_MAX]; /* ... is at least the clip stage's */
	struct point *point; /* in the order they were measured */
	size_t n_points;
	char point_key[17]; /* what those without mixes depend on; "": none are kept */
	bool points_known;
	size_t cells_kept;          /* taken from the cache at opening */
	void (*changed)(void *arg, enum desk_change what);
	void (*measured)(void *arg, const struct scan_cell *c, const char *stage);
	void (*began)(void *arg, enum stage g); /* a stage */
	void *arg;
};

/* The dial's default formats. */
extern const char desk_formats_default[];
/* NULL where "default" asks for them. */
const char *desk_formats(const char *names);

/* path: of a model; or a run (its folder, a checkpoint of it, or its id) that calibrated a dial, which
 * opens the model that it was of and wears its variants, in its formats where none are asked for. */
BD_MUST_USE enum st desk_open(struct desk **out, const char *path, const struct desk_options *o,
	const struct sink *s, struct err *e);
void desk_close(struct desk *d);
/* The model to another backend, with its variants; cells, points and texts stay.  Where there is no
 * room it stays where it was.  others (may be NULL) gives back what was taken of the model's
 * memory (model_move).  ST_DEVICE when the other device fails: the model may be there. */
BD_MUST_USE enum st desk_move(struct desk *d, const struct backend *be, void (*others)(void *arg),
	void *arg, const struct sink *s, struct err *e);
/* A file that was never opened before is hashed whole, to find or found its cache.  The
 * stages do it first of all; until then nothing is kept. */
BD_MUST_USE enum st desk_identify(struct desk *d, const struct sink *s, struct err *e);

/* Another set of formats or another text: variants, cells and scores start anew from the
 * cache.  Where the variants of all formats would take more than half of the memory there
 * is, the widest are left out, and the log says which. */
BD_MUST_USE enum st desk_set_formats(
	struct desk *d, const char *names, const struct sink *s, struct err *e);
BD_MUST_USE enum st desk_set_text(struct desk *d, const char *path, size_t tokens,
	const struct sink *s, struct err *e);

/* Several sources, or one: as desk_set_text.  Each source is scanned on `tokens` tokens of its
 * own, so that its cells hold under any weights, and are those it would have alone; only
 * calibrated variants made under other weights may stand behind a cell from the cache. */
BD_MUST_USE enum st desk_set_sources(struct desk *d, const struct sources *src, size_t tokens,
	const struct sink *s, struct err *e);
/* The same text again, with all the cache has of it. */
BD_MUST_USE enum st desk_text_again(struct desk *d, const struct sink *s, struct err *e);

BD_MUST_USE enum st desk_stage(struct desk *d, enum stage g, const struct sink *s, struct err *e);
const char *desk_stage_name(enum stage g);
const char *desk_stage_unit(enum stage g); /* of its progress: "cells"; "": none */
/* Stages up to and with `last`, in order. */
BD_MUST_USE enum st desk_prepare(
	struct desk *d, enum stage last, const struct sink *s, struct err *e);

/* Cells that a layout hangs on, measured on DESK_MORE_TOKENS tokens of the same kind in place of
 * the scan's: those of self-sampled text begin with the scan's own.  A file that is too short
 * for more leaves them as they are.  Cells that already stand on as many are passed over;
 * measured, where given, is how many were not, also after a stop. */
enum { DESK_MORE_TOKENS = 2048, DESK_FAST_TOKENS = 64 /* of the fast pass */ };
BD_MUST_USE enum st desk_measure_more(struct desk *d, const struct scan_cell *cell, size_t n,
	size_t *measured, const struct sink *s, struct err *e);
/* Of these cells those that desk_measure_more would measure, in their order; *n: how many. */
BD_MUST_USE enum st desk_lacking(
	struct desk *d, struct scan_cell *cell, size_t *n, const struct sink *s, struct err *e);

/* Where the journals of cells and of measured layouts stand, counted as cache_length does. */
struct desk_place {
	size_t cells, points;
};
struct desk_place desk_place(const struct desk *d);
/* The desk as it was at that place: what it knows is what the journals held then, and what is
 * measured from now on is not kept.  Where they are shorter, with `measure` the stages run to their
 * end first (a scan that is cut short goes on in another order), else it is an error.  desk_here:
 * back to what is known. */
BD_MUST_USE enum st desk_seek(
	struct desk *d, struct desk_place at, bool measure, const struct sink *s, struct err *e);
void desk_here(struct desk *d);

/* The head in a packed format, by the best quantizer that needs no data: made when first asked
 * for, the desk's until it closes.  "keep" or "": *out is NULL, the model's own. */
BD_MUST_USE enum st desk_head(struct desk *d, const char *format, const struct mat **out,
	const struct sink *s, struct err *e);

/* Channel-mixes on (:set mix channel) or off (layer), with the formats there are.  Cells of
 * mixes are not measured by the stages: they lie between their linear's measured ends, by the
 * output error estimated for each input (quant/mix.h). */
BD_MUST_USE enum st desk_set_dial(struct desk *d, const char *formats, bool mix,
	const struct sink *s, struct err *e);
bool desk_mixes(const struct desk *d); /* is any format one? */
bool desk_is_mix(const struct desk *d, size_t fmt);
/* Makes the mixes that a layout chooses, calibrated. */
BD_MUST_USE enum st desk_mix_make(
	struct desk *d, const uint8_t *choice, const struct sink *s, struct err *e);
/* ... and measures those cells on the scan's
 * text; how many were not yet measured. */
BD_MUST_USE enum st desk_mix_measure(struct desk *d, const uint8_t *choice, size_t *fresh,
	const struct sink *s, struct err *e);
enum { DESK_MIX_ROUNDS = 3 }; /* of choosing and measuring, before what is left stays estimated */
/* The least damage of a layout of these bytes without mixes: what the choice that hardware
 * likes costs.  NAN: none fits. */
BD_MUST_USE enum st desk_layer_price(
	const struct desk *d, uint64_t bytes, double *kl, double *se, struct err *e);
/* Takes the mixes out of a solver's damages. */
void desk_layers_only(const struct desk *d, double *damage);

/* The variants of a run that calibrated a dial in every format it has, instead of the desk's own;
 * NULL: those again.  What was measured of the former ones counts as measured fast until the scan
 * measures it again, and measured layouts are forgotten.  After a failure the formats that were not
 * reached have what they had. */
BD_MUST_USE enum st desk_wear(
	struct desk *d, const struct dial_run *r, const struct sink *s, struct err *e);
bool desk_worn(const struct desk *d, size_t fmt); /* is this format a run's? */
/* What a layout says made a linear's variant: NULL for keep, and for what a run made. */
const struct quantizer *desk_made_by(const struct desk *d, size_t linear, size_t fmt);

/* Makes sure of one variant: by NULL takes whatever is there, else the simplest is made. */
BD_MUST_USE enum st desk_variant(struct desk *d, size_t linear, size_t fmt,
	const struct quantizer *by, const struct sink *s, struct err *e);
/* Fills variant.error of one slot: output error under the calibration text's moments. */
BD_MUST_USE enum st desk_variant_error(
	struct desk *d, size_t linear, size_t fmt, const struct sink *s, struct err *e);
/* The mats a choice runs with, [n_linears]; makes what is missing. */
BD_MUST_USE enum st desk_view(struct desk *d, const uint8_t *choice, const struct mat **view,
	const struct sink *s, struct err *e);

/* The mats a layout runs with: each linear by the quantizer the layout names, or by the best
 * one (gptq against clip) where it names none, which may take a while. */
BD_MUST_USE enum st desk_layout_view(struct desk *d, const struct layout *l,
	const struct mat **view, const struct sink *s, struct err *e);

/* Damages of every cell for the front, in nats where anything in nats is known: a cell with
 * only a first score gets the value that cells with both suggest.  damage, se [n][k].
 * Returns false while only first scores are known.  source: which measurement ("fast
 * pass"). */
bool desk_damage(const struct desk *d, double *damage, double *se, const char **source);
void desk_front_input(
	const struct desk *d, struct front_input *in, uint64_t *bytes, double *damage, double *se);

/* KL of a layout on so many tokens of the measuring text, kept as a point; what: one word.
 * Points measured on variants that are no more are forgotten. */
enum { DESK_MEASURE_TOKENS = 2048 };
BD_MUST_USE enum st desk_measure(struct desk *d, const uint8_t *choice, size_t tokens,
	const char *what, struct eval_result *r, const struct sink *s, struct err *e);
/* NULL: it was not measured. */
const struct point *desk_point_of(const struct desk *d, const uint8_t *choice);
/* A layout that somebody else measured, on text of its own: kept as long as the variants are. */
void desk_put_point(struct desk *d, const uint8_t *choice, double kl, uint32_t tokens);
/* What a layout's cells add up to.  damage [n][k]. */
double desk_sum(const struct desk *d, const double *damage, const uint8_t *choice);
/* From sums of these damages to KL, through the points.  damage [n][k]. */
void desk_prediction(const struct desk *d, const double *damage, struct predict *p);

/* A layout within `budget` bytes made better by measured moves (refine.h), under the pins, floors
 * and ties of rules (NULL: none), and measured before and after on text that had no part in it.
 * Makes the best variants first where they are missing.  Without a gain on that text, too, and
 * after a stop, choice is as it was. */
struct desk_refined {
	struct refine_result r;
	double kl_from, se_from, kl_to, se_to; /* on the measuring text; to: where it changed */
	bool exact; /* every linear is as in the file: there is nothing to exchange */
};
BD_MUST_USE enum st desk_refine(struct desk *d, uint8_t *choice, uint64_t budget,
	const struct front_input *rules, struct desk_refined *out, const struct sink *s,
	struct err *e);

/* L of the verbs: a file, a run, a format name, or a number of stored bits a weight (from
 * the best scores there are; *source says which; NULL for the others).  When a format is
 * not among the dial's it joins them.  Prepares the first score when there is nothing. */
BD_MUST_USE enum st desk_layout(struct desk *d, const char *name, struct layout *l,
	const char **source, const struct sink *s, struct err *e);
/* The layout of a choice, filled in whole. */
void desk_layout_of(
	const struct desk *d, const uint8_t *choice, double kl, double se, struct layout *l);

/* Text to ids for scans and evals: a text file's bytes; the first bad offset of one that is
 * not UTF-8, or that the vocabulary has no token for, is said once through the log.
 * limit 0: all.  What lies behind the limit is not read.  Fails where the file is one of the
 * desk's texts and has changed since that was set. */
BD_MUST_USE enum st desk_tokens(struct desk *d, const char *path, size_t limit,
	struct tok_ids *ids, const struct sink *s, struct err *e);

/* Ids a self-sampled sequence begins with: BOS or the chat template's start. */
size_t desk_start(const struct desk *d, int32_t start[8]);

/* Held-out text for measuring a layout: other seeds or the part of the file behind what was
 * used so far. */
BD_MUST_USE enum st desk_measure_text(
	struct desk *d, size_t tokens, struct token_text *t, const struct sink *s, struct err *e);
/* A view on held-out text; of several sources, sequences by weight, and each source a stratum
 * of the mean with the weight it has exactly. */
struct eval_result;
BD_MUST_USE enum st desk_measure_view(struct desk *d, const struct mat *const *view, size_t tokens,
	struct eval_result *r, const struct sink *s, struct err *e);

#endif

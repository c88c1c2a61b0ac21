/* snap.h - what panels show, as immutable counted snapshots.
 *
 * Built by one thread, published on the bus, then read-only for ever.  The first
 * member is `struct snap`, so that a pointer to any is a pointer to that; arrays
 * belong to the snapshot.  Formats are indices into snap_model.format, in ascending
 * bits.  NAN is "not known".
 */
#ifndef BD_WORK_SNAP_H
#define BD_WORK_SNAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/quant/format.h"
#include "core/search/front.h" /* names of guards */
#include "core/work/bus.h"
#include "core/work/timing.h"

struct snap_text {
	struct snap snap;
	char *text;
};

struct snap_progress {
	struct snap snap;
	char name[48];       /* "scan", "prepare int4g128 gptq" */
	double done, total;  /* units: `unit` */
	char unit[16];       /* "cells", "tokens", "linears" */
	double seconds;      /* since it began */
	double rate, left_s; /* units a second; seconds left (NAN: not known) */
	double ran_s;        /* since the job began, with all its stages */
	double whole_s;      /* what the job was estimated at before it began; NAN: nothing */
	bool held;           /* a person has paused it: there is no rate */
};

/* A job that waits. */
struct snap_job {
	struct snap snap;
	char name[48];
	uint32_t parent; /* the job (or script) that asked for it; 0: none */
	int lane;        /* enum lane */
	int64_t order;   /* among those that wait in its lane: the lowest is next */
};

/* What computes, as it is now: the processor first, then every device that was opened. */
enum { DEVICES = 4 };
struct snap_device {
	struct snap snap;
	size_t n;
	struct device_now {
		char id[16];      /* "cpu", "cuda:0": what session_device takes */
		bool here;        /* the model is there */
		char name[80];    /* "AMD EPYC 9654" */
		char kernels[80]; /* "avx512 (of avx2, avx512)" */
		int threads, cores; /* 0 but for the processor */
		double load; /* share of all its cores that is at work, 0 ... 1; NAN: not known */
		uint64_t used, total; /* its memory; total 0: not known */
		uint64_t ours;        /* of used, by this process; 0: not known */
		bool asleep; /* not opened by this process: load and used are not known */
	} at[DEVICES];
	uint64_t resident;  /* of this process */
	double load_1min;   /* of the machine; NAN: not known */
	double process;     /* cores this process keeps busy; NAN: not known yet */
	uint64_t available; /* what a job may still take: mem_available */
	char none[120];     /* why there is no device but the processor, where it was looked for; "" */
};

struct snap_model {
	struct snap snap;
	char name[96], path[256], arch[32];
	char sha[17];       /* of the headers */
	char reference[64]; /* "Q4_1 file, dequantized" */
	char text[96];      /* what scans measure on: "self-sampled, seed 1" */
	char device[48];    /* "cpu avx512, 2 threads" */
	bool demo;          /* the tiny generated one */
	size_t layers, n;   /* n linears = layers * 7 */
	uint64_t weights, params, file_bytes;
	size_t k;
	struct format format[FORMAT_MAX];
	struct {
		uint32_t rows, cols;
	} * shape;            /* [n] */
	uint64_t *bytes;      /* [n][k] stored bytes */
	float *nominal;       /* [n][k] b + 4/g, or what the file's type has */
	uint64_t other_bytes; /* of the file: everything but the linears */
	size_t ctx, vocab;
};

enum cell_state {
	CELL_UNKNOWN, /* nothing yet */
	CELL_SCORED,  /* first score only: `value` is relative output error */
	CELL_FAST,    /* KL on the fast pass's 64 tokens */
	CELL_SCANNED, /* KL on the scan's text */
	CELL_RUNNING, /* being measured; value is the former one */
	CELL_FAILED
};

struct map_cell {
	uint8_t state; /* enum cell_state */
	uint32_t tokens;
	float value; /* nats a token (or the first score) */
	float se;
	float estimate; /* CELL_SCORED: nats its score suggests, once any are known; 0: none */
	bool stale; /* of a variant that was there before a calibration was put on or taken off */
};

/* The texts that cells are measured on, where there are several. */
enum { SOURCES_MAX = 4, SOURCE_PAIRS = SOURCES_MAX * (SOURCES_MAX - 1) / 2, SOURCE_NAME = 48 };

struct map_source {
	char name[SOURCE_NAME]; /* "self", "prose.txt" */
	double weight;          /* of the mean that `cell` holds; in all 1 */
};

/* Spearman's rank correlation between the KL of the cells on two sources. */
struct source_pair {
	uint8_t a, b;
	size_t n;                    /* cells that are measured on both */
	double rho;                  /* NAN: too few */
	size_t format_n[FORMAT_MAX]; /* of one format only */
	double format_rho[FORMAT_MAX];
};

struct snap_map {
	struct snap snap;
	size_t n, k;
	struct map_cell *cell; /* [n][k]; of several sources the weighted mean */
	size_t sources;        /* 0: one text */
	struct map_source on[SOURCES_MAX];
	struct map_cell *part; /* [sources][n][k]: each alone; NULL: one text */
	size_t pairs;
	struct source_pair pair[SOURCE_PAIRS];
	size_t scored, fast, scanned, wanted; /* cells in each state at least; to be measured */
	size_t stale;                         /* of these */
	char text[96];                        /* the text it was measured on */
	char source[24]; /* "first score", "fast pass", "scan": what the damages are */
};

struct variant_info {
	char by[12]; /* quantizer; "" when there is none yet */
	bool best;   /* no better one is being prepared */
	float error;
};
struct snap_variants {
	struct snap snap;
	size_t n, k;
	struct variant_info *at;   /* [n][k] */
	size_t ready, best, total; /* slots filled; filled with the best; all */
};

enum { FRONT_BANDS = 4 }; /* bands of sizes a bit a weight: guards are measured once in each */

struct front_point {
	uint64_t bytes;
	double bpw, kl, se;
	char what[16]; /* "measured", "uniform", "ends", "random" */
	/* Off what is predicted of that very layout, before it was measured or by now, by more than
	 * two standard errors. */
	bool missed;
};

struct snap_front {
	struct snap snap;
	size_t n; /* of the predicted curve */
	uint64_t *bytes;
	double *kl;
	size_t n_points; /* measured layouts and guards */
	struct front_point *point;
	uint64_t least, most; /* the ends of the dial, bytes */
	double least_bpw, most_bpw;
	bool in_nats; /* false while only first scores are known */
};

struct snap_answer {
	struct snap snap;
	uint64_t generation; /* of the slider */
	double asked_bpw;    /* where the dial stands */
	uint64_t budget, bytes, file_bytes;
	double stored_bpw, nominal_bpw;
	double kl, se; /* predicted */
	double sum;    /* of single damages: what kl is made of */
	bool in_nats;  /* false: from first scores only */
	double bound;
	double layer_kl; /* predicted of the best without channel-mixes; 0: there are none */
	bool exact;
	double solve_ms;
	double measured_kl, measured_se; /* NAN: not measured */
	bool measured_early;             /* while better variants were still to come (point.h) */
	size_t cells, points;            /* the place of the journals it was made on (desk.h) */
	/* Within the rules, of at most as many bytes, and measured to do less damage than this one
	 * (or than is predicted for it, beyond doubt).  NAN: there is none such. */
	struct front_point better; /* .kl */
	size_t n;
	uint8_t *choice; /* [n] */
	int8_t *pin;     /* [n]: -1 free */
	int8_t *floor;   /* [n]: the lowest format allowed; 0: any */
	uint16_t *tie;   /* [n]: the same number moves together; NULL: nothing is tied */
	/* Nats that the pins, floors and ties cost at these bytes: all together (NAN: there are
	 * none), and each linear's own pin or floor ([n], NAN: it has none; NULL: there are none). */
	double rules_kl;
	float *price;
	/* mark A; a_kl is predicted, as kl is */
	bool has_a;
	double a_bpw, a_kl, a_measured_kl; /* NAN: not measured */
	uint64_t a_bytes;
	uint8_t *a_choice; /* [n] or NULL */
};

/* From the mark A to here: of the measured damages where both are, else of the predicted; NAN: there
 * is no mark, or nothing is known in nats. */
double snap_from_mark(const struct snap_answer *a, bool *measured);

/* The layout under the dial, solved again on damages redrawn within their errors. */
struct snap_odds {
	struct snap snap;
	size_t n, k, draws;
	float *prob;      /* [n][k]: share of the draws in which the linear got the format */
	size_t undecided; /* linears whose likeliest format has a share below 0.8 */
	double stability; /* share of the weights that a draw and the likeliest agree on */
	uint64_t generation; /* of the layout it is about */
};

/* A piece of transcript: text by one speaker, by one layout.  Text is raw bytes. */
enum chat_who { CHAT_USER, CHAT_MODEL, CHAT_NOTE };
#define LAYOUT_OF_STEP 0x80000000u
struct chat_piece {
	enum chat_who who;
	size_t turn;     /* counts messages from 0 */
	double bpw;      /* stored bpw of the answering layout (CHAT_MODEL) */
	uint32_t layout; /* counts layouts in this sitting: changes when the dial turned;
			  * LAYOUT_OF_STEP and up: a model in training, as it was after that step */
	size_t at, len;  /* bytes of snap_chat.text */
	bool open;       /* still streaming */
	bool differs;    /* begins with the token in which two answers differ first */
};
/* Where the time between two tokens of an answer goes, as shares of 1. */
struct chat_shares {
	double linears, attention, head, sampling;
	double other;   /* norms, RoPE, activations, embedding */
	double waiting; /* what else the engine did meanwhile, and writing the text down */
};
struct chat_stats {
	size_t prompt_tokens, answer_tokens, ctx_used, ctx;
	double ttft_ms, tok_s; /* of the last answer */
	struct chat_shares shares; /* of its time after the first token; all 0: there is none */
	double read_rate; /* bytes of weights read a second in that time */
	double wall_rate; /* that this machine reads at best; 0: not measured */
	bool streaming;
	char end[24];      /* "end of turn", "stopped by you", "context full", "token limit" */
	char template[16]; /* "chatml" */
	double bpw;        /* of the layout that answered last; NAN: none */
	double temperature;
	uint64_t seed;
};
struct snap_chat {
	struct snap snap;
	char *text;
	size_t len;
	struct chat_piece *piece;
	size_t n;
	struct chat_stats stats;
};

/* Two answers to the same prompt, by the mark A and by the layout under the dial, B. */
enum ab_state { AB_EMPTY, AB_ANSWERING, AB_COMPARING, AB_COMPARED, AB_NOT_COMPARED };
enum vote_pick { VOTE_NONE, VOTE_LEFT, VOTE_RIGHT, VOTE_TIE, VOTE_BAD }; /* bad: both are */
/* By teacher forcing, at temperature 1, each token of an answer given what stood before it in
 * that answer's own conversation. */
struct ab_compared {
	double kl_mean, kl_max; /* KL(A||B) on A's text, nats a token; NAN: nothing to compare */
	size_t kl_at;           /* the token of the maximum, counted from 1 */
	char kl_token[24];      /* its text, raw bytes, maybe cut; or "end of turn" */
	double top1;            /* share of A's tokens where the likeliest of both is the same */
	double ppl_a, ppl_ref;  /* of B's text under A and under the reference */
};
struct ab_side {
	struct snap_chat *chat; /* its transcript; NULL: nothing was said yet */
	char name;              /* 'A', 'B'; 0: hidden */
	double bpw;             /* stored; NAN: not known, hidden */
	char id[9];             /* of the layout; "": hidden */
};
struct snap_ab {
	struct snap snap;
	bool on;                /* prompts are answered twice */
	bool blind;             /* ... and the names of the next ones are hidden */
	bool hidden;            /* names of these are, until the vote */
	bool shared;            /* lockstep: rates share the machine */
	enum ab_state state;
	struct ab_side side[2]; /* left, right */
	size_t differs;         /* the first differing token, from 1; 0: none so far */
	enum vote_pick vote;
	struct ab_compared compared; /* AB_COMPARED, and not hidden */
	float *kl;                   /* [n_kl] a token of A's text; or NULL */
	size_t n_kl;
};

/* Votes between two layouts, the one of fewer stored bits first. */
struct vote_pair {
	char id[2][9];
	double bpw[2];
	size_t won[2], tie, bad;
	size_t blind;  /* of all of them */
	double lo, hi; /* 95 % interval of the second one's share of won[0] + won[1] */
};
struct snap_votes {
	struct snap snap;
	size_t n, strange; /* strange: lines that are no votes */
	struct vote_pair *pair;
};

struct snap_timing {
	struct snap snap;
	struct timing_ask ask;
	struct timing took;
};

struct snap_plot {
	struct snap snap;
	char *path;  /* of the picture */
	char *sixel; /* [n] the same for the screen; NULL: none was asked for */
	size_t n;
};

struct snap_score {
	struct snap snap;
	double stored_bpw; /* NAN: of the reference */
	/* of a text */
	size_t tokens;                 /* scored, or counted */
	double nll, ppl, kl, se, top1; /* NAN: not asked for */
	/* of a task of multiple choice (eval/task.h) */
	size_t items, right, right_norm;
};

/* Shared-by-name helpers: allocate with xalloc, refs 1, the right free. */
struct snap_text *snap_text_new(const char *text);
struct snap_progress *snap_progress_new(void);
struct snap_job *snap_job_new(const char *name);
struct snap_device *snap_device_new(void);
struct snap_model *snap_model_new(size_t n, size_t k);
struct snap_map *snap_map_new(size_t n, size_t k);
void snap_map_parts(struct snap_map *m, size_t sources); /* makes room for `part` */
struct snap_variants *snap_variants_new(size_t n, size_t k);
struct snap_front *snap_front_new(size_t n, size_t n_points);
struct snap_answer *snap_answer_new(size_t n, bool with_a);
struct snap_odds *snap_odds_new(size_t n, size_t k);
/* "31.0 of 34.1 GB/s  linears 71 %  head 18 % ..."; empty: there was no answer of two tokens. */
enum { SHARES_TEXT = 160 };
const char *chat_shares_text(const struct chat_stats *s, char out[SHARES_TEXT]);
struct snap_chat *snap_chat_new(
	const char *text, size_t len, const struct chat_piece *piece, size_t n);
struct snap_ab *snap_ab_new(size_t n_kl); /* owns its sides' chats */
struct snap_votes *snap_votes_new(size_t n);
struct snap_timing *snap_timing_new(void);
/* Copies path; takes sixel over (xfree). */
struct snap_plot *snap_plot_new(const char *path, char *sixel, size_t n);
struct snap_score *snap_score_new(void);

#endif

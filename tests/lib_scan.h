/* lib_scan.h - a seeded model with variants in two formats and keep, a text, and what a scan
 * should say about them by whole forwards. */
#ifndef BD_LIB_SCAN_H
#define BD_LIB_SCAN_H

#include "core/search/scan.h"

enum { FORMATS = 3, SETUP_SEED = 11 }; /* int2g64, int4g128, keep */

struct setup {
	struct model *m;
	struct variant_set v;
	struct token_text t;
	float **ref; /* [n_seq]: the reference's logits once asked for */
};

/* From then on the cpu backend is one without MATH_BF16X3: a scan is computed in float, and as a
 * whole forward but for the order of sums. */
void setup_begin(struct setup *s, size_t n_seq, size_t len);
/* After it, the best path with MATH_BF16X3 (false: this machine has none), and back to float. */
bool setup_x3(void);
void setup_float(void);
void setup_text(struct setup *s, size_t n_seq, size_t len); /* another one */
void setup_end(struct setup *s);
/* Every (linear, format), formats innermost; xfree. */
struct scan_cell *setup_cells(const struct setup *s, size_t *n);

/* The linear in that format: its variant, or the reference's own for keep. */
const struct mat *setup_mat(const struct setup *s, size_t linear, size_t fmt);
/* A copy of that view (NULL: the reference), to be changed; xfree. */
const struct mat **setup_view(const struct setup *s, const struct mat *const *of);

/* A view, and base (NULL: the reference) with one linear swapped, by whole forwards; pieces of
 * `piece` tokens make the standard errors. */
struct scan_cell naive_view(const struct setup *s, const struct mat *const *base,
	const struct mat *const *view, size_t piece);
struct scan_cell naive_cell(const struct setup *s, const struct mat *const *base, size_t linear,
	size_t fmt, size_t piece);

struct seen {
	struct scan_cell *cell; /* xfree */
	size_t n, max;
};
struct seen seen_new(size_t max);
void seen_done(void *seen, const struct scan_cell *c);
void expect_cell(const struct scan_cell *got, const struct scan_cell *want);

#endif

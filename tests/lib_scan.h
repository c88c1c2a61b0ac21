/* lib_scan.h - a seeded model with variants in two formats and keep, and a text. */
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

void setup_begin(struct setup *s, size_t n_seq, size_t len);
void setup_text(struct setup *s, size_t n_seq, size_t len); /* another one */
void setup_end(struct setup *s);
/* Every (linear, format), formats innermost; xfree. */
struct scan_cell *setup_cells(const struct setup *s, size_t *n);

#endif

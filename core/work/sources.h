/* sources.h - the texts that something is measured and calibrated on, and how much each counts.
 *
 * A source is a text file (corpus.h) or what the model writes by itself.  Each is named by
 * a word SOURCE or SOURCE=WEIGHT: a file, or "self" (a file of that name is "./self").  A
 * name that is a file as it stands is that file, else the weight is what follows the last
 * '='; 1 where none is given.  Weights are brought to a sum of 1.  Any thread.
 */
#ifndef BD_WORK_SOURCES_H
#define BD_WORK_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/work/snap.h"

struct source {
	char *path; /* NULL: self-sampled */
	double weight;
};
struct sources {
	size_t n; /* 0: as one that is self-sampled */
	struct source at[SOURCES_MAX];
};

/* The words of a command or an option, in the order given; what: "text", "--text".  On
 * failure *out is empty.  Files must exist where there are several sources. */
BD_MUST_USE enum st sources_parse(
	struct sources *out, const char *const *word, size_t n, const char *what, struct err *e);
/* path NULL: self-sampled. */
struct sources sources_of(const char *path);
struct sources sources_copy(const struct sources *s);
void sources_release(struct sources *s);

/* A file that can be read as a text, else a sentence: what it is, and what to do. */
BD_MUST_USE enum st source_check(const char *what, const char *path, struct err *e);

/* "self" or the file's name, with as much of its path as tells it from the others; cleaned and
 * cut. */
const char *source_name(const struct sources *s, size_t i, char out[SOURCE_NAME]);

/* Which source each of n sequences is from, so that every beginning of the list holds them by
 * weight as near as it can; count [s->n]: how many each gives. */
void sources_order(const struct sources *s, uint8_t *order, size_t n, size_t count[SOURCES_MAX]);

/* Spearman's rank correlation between what the cells do on each two of n_sources: over all
 * cells and within a format.  part [n_sources][n][k]; cells without a KL on both, and those
 * that are exact, are left out.  How many pairs were written. */
size_t sources_agree(size_t n_sources, const struct map_cell *part, size_t n, size_t k,
	struct source_pair out[SOURCE_PAIRS]);

#endif

/* estimate.h - minutes, memory and disk of a long job before it begins, and whether they fit.
 *
 * Each step of a job is so much work in its own unit (below), so many seconds a unit: as measured
 * on this machine (rates.h), else a rate of ours, stated with its machine in estimate.c, scaled by
 * how fast a product of 1024 x 1024 is here (a short measurement, once a process).  Only what
 * is not in the cache yet counts.  Everything is an estimate, and labelled as one.
 *
 * Units, W weights of the linears, B = 2 W and H = 2 vocab * hidden operations a token, L blocks:
 *   minmax, clip   weights to be rounded, each format
 *   text, more     tokens to be written * (B + H)
 *   score          128 tokens * B * (formats + 1)
 *   fast, scan     tokens * sum over cells (B (L - l) / L + H): only the blocks from the changed
 *                  one (l) on are run, and the head (search/scan.h); once for each source
 *   moments        4096 tokens * B + 2 tokens * sum over sites of cols^2
 *   gptq           rows * cols^2 a linear and format, cols^3 a site: the updates of the weights not
 *                  yet rounded, and the Cholesky factor they share (Frantar et al. 2023, section 3)
 *   measure, ends  tokens * 2 (B + H): the reference and the layout
 *   refine         three rounds of 128 moves on the scan's text, half of the blocks each, and of
 *                  four layouts on 2048 tokens (refine.c)
 *   export         bytes written
 * Peak memory: packed variants to be made, and the larger of the scan's states and logits
 * (scan_need) and of what calibration takes: moments of all sites (4 cols^2 bytes), a linear as
 * floats, codes and result (13 bytes a weight), and its factors (16 cols^2).
 *
 * Thread: the desk's.
 */
#ifndef BD_WORK_ESTIMATE_H
#define BD_WORK_ESTIMATE_H

#include "core/work/desk.h"

enum { ESTIMATE_PARTS = 16, ESTIMATE_WORDS = 4 };

struct estimate_part {
	const char *what; /* "scan" */
	double units, seconds;
	bool measured; /* the rate is of this machine */
};
struct estimate_bytes {
	const char *what; /* "packed variants" */
	uint64_t bytes;
};
struct estimate {
	const char *job; /* "scan" */
	struct estimate_part part[ESTIMATE_PARTS];
	size_t n;
	double seconds;
	double later_s; /* at most that much more, for cells that stay undecided; 0: none */
	struct estimate_bytes memory[ESTIMATE_WORDS], disk[ESTIMATE_WORDS];
	uint64_t memory_sum, memory_room, disk_sum, disk_room; /* room as it is now */
	/* Of memory, what is the device's, where the model is on one: there_at is its name. */
	struct estimate_bytes there[ESTIMATE_WORDS];
	uint64_t there_sum, there_room;
	char there_at[16]; /* "": it is not */
	char disk_at[200];
};

/* Stages up to and with `last`, of what is left of them. */
void estimate_stages(struct estimate *x, const struct desk *d, enum stage last);
/* A scan as the workbench does it: all stages, and what stays undecided later. */
void estimate_scan(struct estimate *x, const struct desk *d);
void estimate_refine(struct estimate *x, const struct desk *d);
void estimate_measure(struct estimate *x, const struct desk *d, size_t tokens);
/* Of a layout, to the folder or file dir. */
void estimate_export(
	struct estimate *x, const struct desk *d, const struct layout *l, const char *dir);

/* Pure: sums and seconds from parts, and the rest of x from the outside. */
void estimate_sum(struct estimate *x);
/* What does not fit is said with its arithmetic; anyway: how to begin all the same (NULL: there
 * is no way), "--anyway". */
BD_MUST_USE enum st estimate_fits(const struct estimate *x, const char *anyway, struct err *e);
enum { ESTIMATE_LINE = 240 };
/* "about 4 min, 310 MiB of memory, 120 MiB of disk (estimated, rates measured here)". */
const char *estimate_line(const struct estimate *x, char out[ESTIMATE_LINE]);
/* All of the arithmetic, a line each, through put. */
void estimate_tell(const struct estimate *x, void (*put)(void *arg, const char *line), void *arg);

/* How far a scan is: " at 417 of 630 cells", " in the fast pass, at ...", " before its first cell";
 * false: every cell is measured. */
enum { ESTIMATE_STOOD = 64 };
bool estimate_stood(const struct desk *d, char out[ESTIMATE_STOOD]);

/* Units that a stage has left to do; for who measures how long it takes. */
double estimate_stage_units(const struct desk *d, enum stage g);
const char *estimate_stage_kind(enum stage g); /* NULL: it takes no time of its own */
double estimate_refine_units(const struct desk *d);
double estimate_measure_units(const struct desk *d, size_t tokens);

#endif

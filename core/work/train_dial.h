/* train_dial.h - a run that trains every format of a dial at once: its forms, which of them a step
 * takes, and the budgets it is looked at.
 *
 * Private to core/work.  On the thread that owns the desk.
 */
#ifndef BD_WORK_TRAIN_DIAL_H
#define BD_WORK_TRAIN_DIAL_H

#include "core/tune/draw.h"
#include "core/work/desk.h"
#include "core/work/snap_train.h"

/* Looked at: every linear in the smallest format, three random mixtures, every one in the largest. */
enum { DIAL_POINTS = TRAIN_POINTS };

/* The formats that "int2g64,int4g128" names, the smallest first. */
struct dial_formats {
	size_t n;
	struct format at[FORMAT_MAX];
	double bpw[FORMAT_MAX]; /* stored, as `stored` says */
};
/* ST_INVALID: one is none, is keep or a mix, takes as many bits as another; there is none, or too
 * many. */
BD_MUST_USE enum st dial_formats_read(struct dial_formats *out, const char *names,
	enum st (*stored)(void *arg, const char *name, struct format f, double *bpw, struct err *e),
	void *arg, struct err *e);
/* What of that the names alone say, with no model. */
BD_MUST_USE enum st dial_formats_check(const char *names, struct err *e);

struct train_dial {
	size_t forms;              /* formats, the smallest first */
	struct format *format;     /* [forms] */
	struct layout *all;        /* [forms]: each everywhere it fits, as the desk numbers formats */
	double *bpw;               /* [forms] stored */
	const struct mat **view;   /* [forms][n_linears] */
	struct dial_draw draw;
	struct {
		double bpw;    /* as drawn: the mean of what its linears have */
		uint8_t *form; /* [n_linears] */
		double kl;     /* of the last look; NAN: none */
		uint32_t tokens; /* that it is a mean of */
	} point[DIAL_POINTS];
	size_t points; /* of them; one where there is one form */
};

/* names: formats, "int2g64,int4g128"; makes their variants, the best there are.  ST_INVALID: one is
 * none, is a mix, or stands there twice. */
BD_MUST_USE enum st train_dial_open(struct train_dial **out, struct desk *d, const char *names,
	uint64_t seed, const struct sink *s, struct err *e);
void train_dial_free(struct train_dial *a); /* NULL is fine */
/* The last of `names`: what a run says it began from. */
char *train_dial_top(const char *names); /* xfree */

#endif

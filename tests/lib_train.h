/* lib_train.h - a small model, data that it can learn, and runs over them, for the suites of
 * core/tune/train. */
#ifndef BD_TESTS_LIB_TRAIN_H
#define BD_TESTS_LIB_TRAIN_H

#include "core/quant/variant.h"
#include "core/tune/train.h"

struct taught {
	struct model *m;
	struct tokenizer *tok;
	struct pack *pack;
	struct variant *v; /* [n_linears]; empty where format does not fit, or is keep */
	const struct mat **view;
};

/* The demo model, its linears in `format` ("keep": as in the file) by minmax where they are wide
 * enough for it; data: `rows` rows, `held` of which are held out, in windows of `window`. */
struct taught taught_open(
	const char *backend, const char *format, size_t rows, size_t window, double held);
void taught_close(struct taught *t);

/* Of 8 steps of two windows, seed 3, the rates high: a run in a test is short. */
struct train_how taught_how(const char *method);
struct train *taught_new(const struct taught *t, const struct train_how *how);
/* n steps; the loss of the last, and what they counted together (NULL: not wanted). */
double taught_steps(struct train *t, size_t n, struct tune_counts *sum);
/* SHA-256 of all that a checkpoint holds (its own sum), so of weights, states and place. */
void taught_sum(const struct train *t, char sum[65]);

#endif

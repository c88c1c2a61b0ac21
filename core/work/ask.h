/* ask.h - what a person types as a budget: bits, bytes, a damage or a speed.
 *
 * Pure; any thread.
 */
#ifndef BD_WORK_ASK_H
#define BD_WORK_ASK_H

#include "core/base/err.h"

enum ask_what {
	ASK_BPW,   /* 4.25, 4.25bpw: stored bits a weight of the linears */
	ASK_STEP,  /* +0.05, -0.5: bits a weight from where the dial stands */
	ASK_BYTES, /* 120MiB, 1.2GB: of the linears as stored, as the screen calls bytes */
	ASK_FILE,  /* file 150MiB: the linears and all else of the file */
	ASK_KL,    /* kl<=0.02: nats a token, predicted */
	ASK_SPEED  /* 60tok/s: tokens decoded a second */
};

struct ask {
	enum ask_what what;
	double value;
};

BD_MUST_USE enum st ask_parse(struct ask *a, const char *text, struct err *e);

#endif

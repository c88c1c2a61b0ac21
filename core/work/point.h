/* point.h - a measured layout: what the desk keeps, the dial shows and predictions go through. */
#ifndef BD_WORK_POINT_H
#define BD_WORK_POINT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { POINTS_MAX = 256 }; /* kept of a model; the ones measured longest ago go */

struct point {
	uint8_t *choice; /* [linears]: index of the dial's format */
	uint64_t bytes;  /* stored, of the linears */
	double kl, se;   /* nats a token */
	uint32_t tokens; /* measured on */
	char what[16];   /* "measured", "early", or the guard it is: "uniform" */
	bool estimated;  /* it has mixes whose damage is not measured */
};

/* Measured while better variants were still to come: shown, and used for nothing, since it is not kept
 * and says nothing of them. */
static inline bool point_early(const char *what)
{
	return !strcmp(what, "early");
}

/* Does it say what layouts of the front do?  A refined one was chosen for doing better than its
 * damages add up to, a guard was not chosen by them at all. */
static inline bool point_predicts(const char *what)
{
	return !strcmp(what, "measured");
}

#endif

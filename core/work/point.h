/* point.h - a measured layout: what the desk keeps, the dial shows and predictions go through. */
#ifndef BD_WORK_POINT_H
#define BD_WORK_POINT_H

#include <stdint.h>

struct point {
	uint8_t *choice; /* [linears]: index of the dial's format */
	uint64_t bytes;  /* stored, of the linears */
	double kl, se;   /* nats a token */
	uint32_t tokens; /* measured on */
	char what[16];   /* "measured", or the guard it is: "uniform" */
};

#endif

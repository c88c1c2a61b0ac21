/* clock.h - seconds on CLOCK_MONOTONIC, for durations.  Any thread. */
#ifndef BD_BASE_CLOCK_H
#define BD_BASE_CLOCK_H

double clock_now(void);

#endif

/* sink.h - what an engine room tells the world, and how the world stops it.
 *
 * A long loop gets a `const struct sink *` and calls sink_poll between pieces of
 * work of at most 20 ms.  The owner (a job, a verb, a test) decides what poll
 * does: it may run more urgent work on the same thread before it returns, so
 * backend scratch must not be live across a poll.  NULL is a sink that never
 * stops and tells nobody.  Called on the thread that does the work.
 */
#ifndef BD_BASE_SINK_H
#define BD_BASE_SINK_H

#include <stdbool.h>
#include <stddef.h>

struct sink {
	bool (*poll)(const struct sink *s); /* true: stop now, return ST_CANCELLED */
	void (*progress)(const struct sink *s, double done, double total);
	void (*point)(const struct sink *s, const char *series, double step, double value);
	void *self;
};

bool sink_poll(const struct sink *s);
void sink_progress(const struct sink *s, double done, double total);
void sink_point(const struct sink *s, const char *series, double step, double value);

#endif

/* sink.c - a sink may be absent, and so may each of its functions. */
#include "core/base/sink.h"

bool sink_poll(const struct sink *s)
{
	return s && s->poll && s->poll(s);
}

void sink_progress(const struct sink *s, double done, double total)
{
	if (s && s->progress)
		s->progress(s, done, total);
}

void sink_point(const struct sink *s, const char *series, double step, double value)
{
	if (s && s->point)
		s->point(s, series, step, value);
}

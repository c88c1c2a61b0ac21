/* pace.c - long texts: polls, progress, and where a text may be cut. */
#include "core/text/tok.h"

/* Six milliseconds of merging on a slow core, and not so little that polls are felt. */
enum { STEP = 1 << 15, PART = 1 << 20 };

bool tok_paced(struct tok_pace *p, size_t work)
{
	p->worked += work;
	if (p->worked < STEP || p->stopped)
		return p->stopped;
	p->worked = 0;
	sink_progress(p->s, (double)(p->done < p->total ? p->done : p->total), (double)p->total);
	p->stopped = sink_poll(p->s);
	return p->stopped;
}

/* Before a space that stands behind any other ASCII character: no scanner has a piece that goes
 * over that point, or looks back over it.  A text without such a place stays whole. */
size_t tok_part_end(const char *s, size_t n, size_t at)
{
	if (n - at <= PART)
		return n;
	for (size_t i = at + PART; i < n; i++)
		if (s[i] == ' ' && s[i - 1] > ' ' && s[i - 1] < 0x7f)
			return i;
	return n;
}

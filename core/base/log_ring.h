/* log_ring.h - the last lines of the log, for who shows them.
 *
 * 64 kB of text in memory; log.c puts each line in when it is written, readers keep a number
 * of their own and copy lines out one by one.  A reader never waits for a disk.  Any thread;
 * its lock is a leaf, taken inside the log's.
 */
#ifndef BD_BASE_LOG_RING_H
#define BD_BASE_LOG_RING_H

#include <stdint.h>

#include "core/base/log.h"

enum { LOG_TEXT = 1024, LOG_WORD = 16 };

struct log_line {
	uint64_t n; /* of all lines since the start, from 0 */
	double at;  /* seconds since the start */
	enum log_level level;
	char thread[LOG_WORD], module[LOG_WORD];
	char text[LOG_TEXT];
};

void log_ring_put(
	double at, enum log_level l, const char *thread, const char *module, const char *text);
uint64_t log_ring_head(void); /* lines put so far */
/* The line *next, or the oldest kept one behind it, and *next is the one after it; false: there
 * is none yet. */
bool log_ring_read(uint64_t *next, struct log_line *out);

#endif

/* outq.h - bytes on their way to the terminal, which may take its time.
 *
 * They are queued and written without blocking, so that a slow line holds nobody up; what the
 * line has not taken waits.  UI thread.
 */
#ifndef BD_APP_TUI_OUTQ_H
#define BD_APP_TUI_OUTQ_H

#include <stdbool.h>
#include <stddef.h>

struct outq {
	int fd;        /* below 0: nowhere, the bytes are only counted */
	bool own;      /* our own opening of the terminal, not blocking */
	char *pending; /* [cap], n of them waiting; whoever put the last may take them back */
	size_t n, cap;
	unsigned long bytes; /* written so far */
};

void outq_open(struct outq *q, int fd);
void outq_close(struct outq *q);
void outq_put(struct outq *q, const char *s, size_t n);
void outq_str(struct outq *q, const char *s); /* NULL: nothing */
void outq_take(struct outq *q, int file);     /* all of a file, which is then empty */
bool outq_flush(struct outq *q);              /* false: the line is busy */
void outq_drain(struct outq *q);              /* all of it, but not for ever */

#endif

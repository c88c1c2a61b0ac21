/* buf.h - text that grows as it is put together.  One thread.
 *
 * struct buf b = { 0 }; ... xfree(b.s): what was put, ended by a zero byte; NULL: nothing was.
 */
#ifndef BD_CORE_BASE_BUF_H
#define BD_CORE_BASE_BUF_H

#include <stddef.h>

struct buf {
	char *s;
	size_t n, cap;
};

void buf_put(struct buf *b, const char *s, size_t n);
void buf_str(struct buf *b, const char *s);

#endif

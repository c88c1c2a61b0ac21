/* corpus.h - the text of a file that something is measured or calibrated on.
 *
 * A file is text as it is, byte for byte; one whose name ends with .jsonl is a JSON
 * object a line (a byte order mark before the first is passed over), of which the member
 * "text", "content", "story" or "document" (the
 * first there is) counts, put together with an empty line between.  Any thread.
 */
#ifndef BD_TEXT_CORPUS_H
#define BD_TEXT_CORPUS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"
#include "core/base/fs.h"
#include "core/base/sink.h"

struct corpus {
	char *text; /* big_free; NUL behind it */
	size_t n;
	bool whole;      /* there is no more of it */
	bool still;      /* it was one and the same file from the first byte to the last */
	struct fs_id id; /* which */
};

/* The first `want` bytes of its text or somewhat more, 0: all of it; what lies behind is neither
 * read nor checked.  A file of more than max bytes is refused.  Polls s between pieces; errors
 * name the line. */
BD_MUST_USE enum st corpus_read(struct corpus *out, const char *path, size_t max, size_t want,
	const struct sink *s, struct err *e);

#endif

/* corpus.h - the text of a file that something is measured or calibrated on.
 *
 * A file is text as it is, byte for byte; one whose name ends with .jsonl is a JSON
 * object a line, of which the member "text", "content", "story" or "document" (the
 * first there is) counts, put together with an empty line between.  Any thread.
 */
#ifndef BD_TEXT_CORPUS_H
#define BD_TEXT_CORPUS_H

#include <stddef.h>

#include "core/base/err.h"

/* At most max bytes of file; big_free the result; NUL behind it.  Errors name the line. */
BD_MUST_USE enum st corpus_read(
	const char *path, size_t max, char **out, size_t *len, struct err *e);

#endif

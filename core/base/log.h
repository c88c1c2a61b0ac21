/* log.h - lines for people: "12.031 warn engine search: text".
 *
 * The level is compared before anything is formatted; control characters are
 * escaped; the same message is written at most ten times a second with a count
 * of the rest.  Until log_open, lines at or above warn go to fd 2.  Any thread.
 */
#ifndef BD_BASE_LOG_H
#define BD_BASE_LOG_H

#include <stdbool.h>

#include "core/base/err.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };

BD_MUST_USE enum st log_open(const char *path, struct err *e); /* rotates at 1 MB, 5 kept */
void log_close(void);
/* "debug" or "info,bus=trace"; false: not understood. */
BD_MUST_USE bool log_levels(const char *spec);
void log_thread(const char *name); /* names the calling thread in its lines */
/* Called with each line of warn and error, on the thread that logs. */
void log_watch(void (*fn)(enum log_level l, const char *text));

void log_write(enum log_level l, const char *module, const char *fmt, ...) BD_PRINTF(3, 4);
/* A text of several lines, such as a traceback: a line each, and a notice of none. */
void log_text(enum log_level l, const char *module, const char *text);
const char *log_level_name(enum log_level l);
bool log_wanted(enum log_level l, const char *module);
unsigned long log_lines(void);

#define log_at(l, module, ...)                                 \
	do {                                                   \
		if (log_wanted((l), (module)))                 \
			log_write((l), (module), __VA_ARGS__); \
	} while (0)

#endif

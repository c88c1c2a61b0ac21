/* events.h - what happens, as lines of JSON on stdout, for programs (terminal.md 6.17).
 *
 * Every line has v (1), t (seconds since the first) and ev; bytes and seconds have no prefixes, and
 * numbers that are not known are null.  Lines are written whole, by this file alone.  Any thread.
 */
#ifndef BD_APP_EVENTS_H
#define BD_APP_EVENTS_H

#include <stdbool.h>

#include "core/base/json.h"

void events_start(void); /* from now on; before any other thread */
bool events_on(void);
/* Why a line could not be written (ENOSPC, EPIPE); 0: all were. */
int events_errno(void);
/* A line that the caller fills between. */
void event_begin(struct json_out *o, const char *name);
void event_end(struct json_out *o);
void event_text(const char *name, const char *text);

#endif

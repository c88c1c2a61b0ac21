/* transcript.h - a conversation as wrapped lines that can be scrolled.
 *
 * Lines of messages that did not change are kept; of the one that grows only its last
 * line is wrapped again.  The view follows the end unless it was scrolled up.  UI thread.
 */
#ifndef BD_APP_PANEL_TRANSCRIPT_H
#define BD_APP_PANEL_TRANSCRIPT_H

#include "app/tui/canvas.h"
#include "core/work/snap.h"

struct transcript;

struct transcript *transcript_new(void);
void transcript_free(struct transcript *t);
void transcript_set(struct transcript *t, const struct snap_chat *c);
/* For a view of w x h; also what scrolling counts in. */
void transcript_lay_out(struct transcript *t, int w, int h);
/* Two that are laid out to the same height and shown beside each other: what stands at the same
 * place in both begins on the same line.  Holds until transcript_alone. */
void transcript_align(struct transcript *a, struct transcript *b);
void transcript_alone(struct transcript *t);
void transcript_draw(const struct transcript *t, struct canvas *c); /* as laid out last */
void transcript_scroll(struct transcript *t, long lines);           /* up: negative */
void transcript_page(struct transcript *t, long pages);
void transcript_first(struct transcript *t);
void transcript_last(struct transcript *t);
size_t transcript_below(const struct transcript *t); /* lines after the last one seen */
bool transcript_empty(const struct transcript *t);
/* Lines wrapped since it was made: what the cache saves is seen in tests. */
size_t transcript_wraps(const struct transcript *t);

#endif

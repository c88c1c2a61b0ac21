/* osc52.h - a text as the sequence that puts it on the terminal's clipboard.
 * Pure; any thread. */
#ifndef BD_APP_TUI_OSC52_H
#define BD_APP_TUI_OSC52_H

char *osc52(const char *text); /* xfree */

#endif

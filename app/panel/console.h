/* console.h - what the Lua console is told, as events of kind EV_CONSOLE: the key says which, a
 * snap_text what.
 */
#ifndef BD_APP_PANEL_CONSOLE_H
#define BD_APP_PANEL_CONSOLE_H

enum console_say {
	CONSOLE_PAST = 1, /* earlier inputs, oldest first, a line each; CONSOLE_BREAK in them */
	CONSOLE_INPUT,    /* a chunk that runs now */
	CONSOLE_OUT,      /* lines that were printed */
	CONSOLE_ERROR,    /* why it failed: a sentence, a traceback behind it */
	CONSOLE_NOTE,     /* what else there is to say: stopped, a goal missed */
	CONSOLE_STATE,    /* what runs, and what it waits for; "": nothing runs */
	CONSOLE_BACK,     /* a chunk that cannot run now: back into the input; n: 0 */
	CONSOLE_NAMES     /* candidates, "NAME\tHELP\n"; n: bytes of the word they are for */
};

enum { CONSOLE_BREAK = 0x1e }; /* stands for a line feed in CONSOLE_PAST */

#endif

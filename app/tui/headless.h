/* headless.h - the workbench without a terminal: key scripts, one frame, plain lines.
 * Private to app/tui; UI thread. */
#ifndef BD_APP_TUI_HEADLESS_H
#define BD_APP_TUI_HEADLESS_H

#include <stdbool.h>

struct tui;

/* Exit statuses. */
int headless_run(struct tui *t, int signal_fd); /* t->o->keys, t->o->dump */
int once_run(struct tui *t, int signal_fd, bool color);
int plain_run(struct tui *t, int signal_fd);
int batch_run(struct tui *t, int signal_fd); /* t->o->script; batch.c */

/* 128 and the signal that came and ends the program; 0: none did. */
int headless_signal(int signal_fd);

#endif

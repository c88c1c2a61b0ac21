/* guard.h - the terminal as it was, whatever ends the program.
 *
 * Armed while the screen is ours.  A fault, an abort or an exit that nobody planned writes
 * what was prepared and puts the modes back; nothing but write, tcsetattr and raise happens
 * in the handler.  One terminal a process.
 */
#ifndef BD_APP_TUI_GUARD_H
#define BD_APP_TUI_GUARD_H

#include <termios.h>

/* reset: NULL-terminated strings that are copied; saved NULL: no modes; log: named in the
 * note to err_fd, or NULL. */
void guard_arm(
	int fd, int err_fd, const struct termios *saved, const char *const *reset, const char *log);
void guard_disarm(void);

#endif

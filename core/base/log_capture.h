/* log_capture.h - what libraries print to fd 2 becomes lines of the log, module "stderr".
 *
 * Read through a pipe by a thread of its own while the screen belongs to the program: one
 * capture a process.  What is in the pipe when the program faults is not lost: the crash path
 * reads log_capture_fd (any thread, async-signal-safe).
 */
#ifndef BD_BASE_LOG_CAPTURE_H
#define BD_BASE_LOG_CAPTURE_H

/* fd 2 as it was, for log_capture_end; -1: it stays as it is. */
int log_capture(void);
void log_capture_end(int saved); /* takes the lines that are there, and saved; -1 is fine */
int log_capture_fd(void);        /* read end, non-blocking; -1: nothing is captured */

#endif

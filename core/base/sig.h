/* sig.h - the signals a thread other than the main one takes: its own faults, nothing else.
 *
 * A fault that is blocked kills at once, past every handler: no sentence, and the terminal
 * stays as the screen left it.
 */
#ifndef BD_BASE_SIG_H
#define BD_BASE_SIG_H

#include <signal.h>

/* The mask to start a thread under. */
static inline void sig_all_but_faults(sigset_t *set)
{
	static const int fault[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP };

	sigfillset(set);
	for (unsigned i = 0; i < sizeof fault / sizeof fault[0]; i++)
		sigdelset(set, fault[i]);
}

#endif

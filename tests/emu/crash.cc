/* crash.cc - a crash in device code, or on device memory, says where it was; what is only not open
 * yet opens (emu_admit). */
#include "emu.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static struct sigaction before;

/* The process ends here or in whatever handled the signal before, so that what a handler must
 * not call does no harm that is not done already. */
static void crashed(int signal, siginfo_t *info, void *)
{
	const uintptr_t a = (uintptr_t)info->si_addr;
	const char *did;
	char name[384], text[800];
	int n = 0;

	if (emu_admit(info->si_addr))
		return;
	did = emu_touched(info->si_addr);
	if (did) {
		emu_thread_name(name, sizeof name);
		n = snprintf(text, sizeof text, "emulator: %s: %s\n", name, did);
	} else if (a >= emu_arena && a < emu_arena_end) {
		n = snprintf(text, sizeof text, "emulator: the host touches %s\n",
			emu_where(info->si_addr));
	}
	if (n > 0 && write(STDERR_FILENO, text, (size_t)n) < 0) {
		/* nobody listens */
	}
	sigaction(signal, &before, nullptr);
}

void emu_watch(void)
{
	static thread_local bool watched;
	static char room[64 << 10];
	struct sigaction s = {}, was = {};
	stack_t stack = {};

	/* a program may have put its own in front meanwhile */
	s.sa_sigaction = crashed;
	s.sa_flags = SA_SIGINFO | SA_ONSTACK;
	sigaction(SIGSEGV, &s, &was);
	if (was.sa_sigaction != crashed)
		before = was;
	if (watched)
		return;
	watched = true;
	/* a fiber that has run out of its stack has none for a handler */
	if (!sigaltstack(nullptr, &stack) && stack.ss_flags & SS_DISABLE) {
		stack.ss_sp = room;
		stack.ss_size = sizeof room;
		stack.ss_flags = 0;
		sigaltstack(&stack, nullptr);
	}
}

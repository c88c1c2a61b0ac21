/* probe - instructions tried in a child process. */
#include "kernels/cpu/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

enum { PATIENCE = 1 }; /* seconds of the processor for what neither answers nor dies */

/* In the child, where another thread may have held any lock: system calls only.  A byte is
 * written for each probe that is good. */
static void try_all(bool (*const *probe)(void), size_t n, int to)
{
	/* our handlers would tidy up the terminal of a process that lives on */
	static const int fatal[] = { SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGTRAP, SIGXCPU };
	const struct rlimit no_core = { 0, 0 }, patience = { PATIENCE, PATIENCE + 1 };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) {
		signal(fatal[i], SIG_DFL);
		sigaddset(&set, fatal[i]);
	}
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	setrlimit(RLIMIT_CORE, &no_core);
	setrlimit(RLIMIT_CPU, &patience);
	for (size_t i = 0; i < n; i++)
		if ((probe[i] && !probe[i]()) || write(to, "", 1) != 1)
			break;
	_exit(0);
}

static size_t count(int from)
{
	size_t n = 0;
	ssize_t got;
	char c;

	while ((got = read(from, &c, 1)) != 0) {
		if (got < 0 && errno != EINTR)
			break;
		n += got > 0;
	}
	return n;
}

size_t cpu_probe(bool (*const *probe)(void), size_t n)
{
	size_t sure = 0, good;
	int end[2];
	pid_t child;

	while (sure < n && !probe[sure])
		sure++;
	if (sure == n || pipe2(end, O_CLOEXEC))
		return sure;
	child = fork();
	if (child == 0)
		try_all(probe, n, end[1]);
	close(end[1]);
	good = child > 0 ? count(end[0]) : 0;
	close(end[0]);
	/* whoever ignores SIGCHLD has had it reaped */
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return good > sure ? good : sure;
}

#if defined(__x86_64__)
bool cpu_has_bf16(void)
{
	return __builtin_cpu_supports("avx512bf16");
}

bool cpu_has_amx(void)
{
	/* arch/x86/include/uapi/asm/prctl.h */
	enum { ARCH_REQ_XCOMP_PERM = 0x1023, XTILECFG = 17, XTILEDATA = 18 };
	const unsigned tiles = 1u << XTILECFG | 1u << XTILEDATA;
	const unsigned kinds = 1u << 22 | 1u << 24; /* AMX-BF16, AMX-TILE */
	unsigned a, b, c, d;

	/* OSXSAVE: xgetbv may be asked which registers the system keeps */
	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 27))
		return false;
	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & kinds) != kinds)
		return false;
	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return (a & tiles) == tiles && !syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA);
}
#endif

/* sandbox_jail.c - a process gives up what a script needs not: files, memory, time, system calls.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <math.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "app/lua/sandbox_child.h"

void jail_close_files(void)
{
	/* Before Linux 5.9 one by one; what others opened is closed on exec anyway. */
	if (close_range(2, ~0u, 0))
		for (int fd = 2; fd < 4096; fd++)
			close(fd);
}

static void limit(int what, rlim_t soft, rlim_t hard)
{
	struct rlimit r;

	if (!getrlimit((__rlimit_resource_t)what, &r)) { /* never more than there was */
		r.rlim_max = hard < r.rlim_max ? hard : r.rlim_max;
		r.rlim_cur = soft < r.rlim_max ? soft : r.rlim_max;
		(void)setrlimit((__rlimit_resource_t)what, &r);
	}
}

/* Bytes of address space that are taken already: the program itself, most of it never touched. */
static rlim_t address_space(void)
{
	unsigned long long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f) {
		if (fscanf(f, "%llu", &pages) != 1)
			pages = 0;
		fclose(f);
	}
	return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* The allocator of the Lua state counts exactly; these hold also where Lua itself is subverted. */
void jail_limits(size_t memory, double seconds)
{
	enum { BESIDE = 128 << 20 }; /* messages, the allocator's own losses */
	rlim_t space = address_space(), cpu = (rlim_t)ceil(child_cpu() + seconds) + 1;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	space = 0; /* its shadow takes terabytes */
#endif
	if (space)
		limit(RLIMIT_AS, space + memory + BESIDE, space + memory + BESIDE);
	limit(RLIMIT_CPU, cpu, cpu + 1);
	limit(RLIMIT_FSIZE, 0, 0);
	limit(RLIMIT_NPROC, 0, 0);
	limit(RLIMIT_CORE, 0, 0);
	limit(RLIMIT_NOFILE, 2, 2);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#endif

#ifdef MACHINE

/* Memory, the socket, a clock, the end: nothing else.  Any other call ends the process. */
static const int calls[] = {
	SYS_read,
	SYS_write,
	SYS_brk,
	SYS_munmap,
	SYS_mremap,
	SYS_madvise,
	SYS_futex,
	SYS_clock_gettime,
	SYS_gettimeofday,
	SYS_getrandom,
	SYS_rt_sigreturn,
	SYS_restart_syscall,
	SYS_exit,
	SYS_exit_group,
#if defined(__SANITIZE_ADDRESS__)
	SYS_sigaltstack, /* its longjmp asks where the stacks are */
#endif
#ifdef SYS_time
	SYS_time,
#endif
};
/* Memory, unless it is to be executed: their third argument. */
static const int maps[] = { SYS_mmap, SYS_mprotect };
enum { N_CALLS = sizeof calls / sizeof *calls, N_MAPS = sizeof maps / sizeof *maps };

#define DATA(member) ((uint32_t)offsetof(struct seccomp_data, member))
#define LOAD(at)     (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)
#define RETURN(what) (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, what)
#define IF(op, k, yes, no) \
	(struct sock_filter) BPF_JUMP(BPF_JMP | BPF_##op | BPF_K, (uint32_t)(k), yes, no)

bool jail_filter(void)
{
	struct sock_filter f[8 + 2 * N_CALLS + 5 * N_MAPS];
	struct sock_fprog program = { .filter = f };
	unsigned short n = 0;

	f[n++] = LOAD(DATA(arch));
	f[n++] = IF(JEQ, MACHINE, 1, 0);
	f[n++] = RETURN(SECCOMP_RET_KILL_PROCESS);
	f[n++] = LOAD(DATA(nr));
	f[n++] = IF(JGE, 0x40000000, 0, 1); /* x32 of x86-64: other numbers for the same calls */
	f[n++] = RETURN(SECCOMP_RET_KILL_PROCESS);
	for (size_t i = 0; i < N_CALLS; i++) {
		f[n++] = IF(JEQ, calls[i], 0, 1);
		f[n++] = RETURN(SECCOMP_RET_ALLOW);
	}
	for (size_t i = 0; i < N_MAPS; i++) {
		f[n++] = IF(JEQ, maps[i], 0, 4);
		f[n++] = LOAD(DATA(args[2])); /* the low half: both machines are little-endian */
		f[n++] = IF(JSET, PROT_EXEC, 0, 1);
		f[n++] = RETURN(SECCOMP_RET_KILL_PROCESS);
		f[n++] = RETURN(SECCOMP_RET_ALLOW);
	}
	f[n++] = RETURN(SECCOMP_RET_KILL_PROCESS);
	program.len = n;
	return !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}

#else

bool jail_filter(void)
{
	return false;
}

#endif

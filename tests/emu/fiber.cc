/* fiber.cc - fibers: a switch is a dozen instructions where we know the processor, and
 * swapcontext (two system calls) elsewhere. */
#include "fiber.h"

#include "emu.h"

#include <sys/mman.h>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define EMU_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EMU_ASAN 1
#endif
#endif
#ifdef EMU_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#if !defined(__x86_64__) && !defined(EMU_UCONTEXT)
#define EMU_UCONTEXT 1
#endif
#ifdef EMU_UCONTEXT
#include <ucontext.h>
#endif

enum {
#ifdef EMU_ASAN
	STACK = 256 << 10,
#else
	STACK = 64 << 10,
#endif
	PAGE = 4096
};

struct fiber {
#ifdef EMU_UCONTEXT
	ucontext_t at;
#else
	void *sp;
#endif
	char *stack; /* lowest address */
	size_t size;
	void *fake; /* AddressSanitizer's */
};

static struct fiber home;
struct fiber *fiber_now = &home;
static struct fiber *came; /* ran before */
/* Never destroyed: what is in it is in use until the process ends. */
static std::vector<struct fiber *> &spare = *new std::vector<struct fiber *>;

#ifndef EMU_UCONTEXT
/* Leaves what the ABI says a call keeps on the old stack, goes on with the new. */
extern "C" __attribute__((visibility("hidden"))) void emu_switch(void **save, void *to);
asm(".text\n"
    ".p2align 4\n"
    ".globl emu_switch\n"
    ".hidden emu_switch\n"
    ".type emu_switch, @function\n"
    "emu_switch:\n"
    "	pushq %rbp\n"
    "	pushq %rbx\n"
    "	pushq %r12\n"
    "	pushq %r13\n"
    "	pushq %r14\n"
    "	pushq %r15\n"
    "	movq %rsp, (%rdi)\n"
    "	movq %rsi, %rsp\n"
    "	popq %r15\n"
    "	popq %r14\n"
    "	popq %r13\n"
    "	popq %r12\n"
    "	popq %rbx\n"
    "	popq %rbp\n"
    "	ret\n"
    ".size emu_switch, . - emu_switch\n");
#endif

/* The fiber that runs has just been switched to. */
static void arrived(void)
{
#ifdef EMU_ASAN
	const void *stack;

	__sanitizer_finish_switch_fiber(fiber_now->fake, &stack, &came->size);
	came->stack = (char *)stack;
#endif
}

void fiber_go(struct fiber *to)
{
	struct fiber *from = fiber_now;

	if (to == from)
		return;
	came = from;
	fiber_now = to;
#ifdef EMU_ASAN
	__sanitizer_start_switch_fiber(&from->fake, to->stack, to->size);
#endif
#ifdef EMU_UCONTEXT
	swapcontext(&from->at, &to->at);
#else
	emu_switch(&from->sp, to->sp);
#endif
	arrived();
}

static struct fiber *fiber_new(void (*main)(void))
{
	static unsigned number;
	struct fiber *f = new fiber();
	/* or all stacks' ends would want the same lines of the cache */
	const size_t turn = number++ * 5 % 64 * 64;
	char *p = (char *)mmap(nullptr, STACK + PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED || mprotect(p, PAGE, PROT_NONE))
		emu_die("no memory for the stack of one more thread");
	f->stack = p + PAGE;
	f->size = STACK - turn;
#ifdef EMU_UCONTEXT
	getcontext(&f->at);
	f->at.uc_stack.ss_sp = f->stack;
	f->at.uc_stack.ss_size = f->size;
	f->at.uc_link = nullptr;
	makecontext(&f->at, main, 0);
#else
	/* six registers, where to go, and a return address that is never used, so that the
	 * stack is aligned as after a call */
	void **top = (void **)(f->stack + f->size);

	memset(top - 8, 0, 8 * sizeof *top);
	top[-2] = (void *)main;
	f->sp = top - 8;
#endif
	return f;
}

struct fiber *fiber_home(void)
{
	return &home;
}

struct fiber *fiber_take(void (*main)(void))
{
	struct fiber *f;

	if (spare.empty())
		return fiber_new(main);
	f = spare.back();
	spare.pop_back();
	return f;
}

void fiber_give(struct fiber *f)
{
	spare.push_back(f);
}

void fiber_begun(void)
{
	arrived();
}

bool fiber_past_stack(const void *p)
{
	const char *c = (const char *)p;

	return fiber_now != &home && c < fiber_now->stack && c >= fiber_now->stack - PAGE;
}

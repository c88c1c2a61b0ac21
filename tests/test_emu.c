/* test_emu.c - the thread emulator that the CUDA backend is tested on: it does what a device
 * does, and finds what a device would not say.  Its kernels are in tests/emu/selftest.cu. */
#include <criterion/criterion.h>

#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int emu_test_sums(void);
int emu_test_shuffles(void);
int emu_test_tickets(void);
int emu_test_copies(void);
int emu_test_products(void);
int emu_test_subnormals(void);
int emu_test_mistake(const char *name);
int emu_test_race(void);
int emu_test_streams(void);
int emu_test_events(void);
int emu_test_errors(void);
int emu_test_memory(void);
int emu_test_hang(void);
void emu_test_device(int said[3], int *devices);
int emu_test_gemm(void);
uint16_t emu_half_of(float x);
float emu_float_of_half(uint16_t h);
uint16_t emu_bf16_of(float x);

static const char *const orders[] = { "forward", "reverse", "1", "2", "3" };
#define EACH_ORDER         \
	for (size_t o = 0; \
		o < sizeof orders / sizeof *orders && !setenv("EMU_ORDER", orders[o], 1); o++)

Test(emu, barriers_keep_threads_together_in_any_order)
{
	EACH_ORDER cr_assert_eq(emu_test_sums(), 0, "order %s", orders[o]);
}

Test(emu, lanes_exchange_what_they_hold)
{
	EACH_ORDER cr_assert_eq(emu_test_shuffles(), 0, "order %s", orders[o]);
}

Test(emu, the_last_block_is_found_by_a_ticket)
{
	EACH_ORDER cr_assert_eq(emu_test_tickets(), 0, "order %s", orders[o]);
}

Test(emu, copies_land_when_they_are_waited_for)
{
	EACH_ORDER cr_assert_eq(emu_test_copies(), 0, "order %s", orders[o]);
}

Test(emu, tensor_products_are_those_of_a_loop)
{
	EACH_ORDER cr_assert_eq(emu_test_products(), 0, "order %s", orders[o]);
}

Test(emu, subnormal_halves_count)
{
	cr_assert_eq(emu_test_subnormals(), 0);
}

Test(emu, a_missing_barrier_shows)
{
	setenv("EMU_ORDER", "reverse", 1);
	cr_assert_gt(emu_test_race(), 0);
	setenv("EMU_ORDER", "7", 1);
	cr_assert_gt(emu_test_race(), 0);
}

Test(emu, streams_carry_out_late_and_graphs_again)
{
	cr_assert_eq(emu_test_streams(), 0);
}

Test(emu, events_are_reached_in_order)
{
	cr_assert_eq(emu_test_events(), 0);
}

Test(emu, calls_fail_when_they_are_told_to)
{
	cr_assert_eq(emu_test_errors(), 0);
}

Test(emu, a_device_can_hang_for_a_while)
{
	cr_assert_eq(emu_test_hang(), 0);
}

/* By CUDA's numbers: 35 insufficient driver, 100 no device, 101 no such device, 2 no memory. */
Test(emu, the_environment_says_what_device_there_is)
{
	int said[3], n;

	emu_test_device(said, &n);
	cr_assert(n == 1 && !said[0] && !said[1] && !said[2]);
	setenv("EMU_DEVICES", "0", 1);
	emu_test_device(said, &n);
	cr_assert(n == 0 && said[0] == 100 && said[1] == 101);
	setenv("EMU_DEVICES", "1", 1);
	setenv("EMU_DRIVER", "12040", 1);
	emu_test_device(said, &n);
	cr_assert(n == 0 && said[0] == 35 && said[1] == 35);
}

Test(emu, the_environment_says_which_call_fails)
{
	int said[3], n;

	setenv("EMU_FAIL", "3:2", 1);
	emu_test_device(said, &n);
	cr_assert(!said[0] && !said[1] && said[2] == 2);
	emu_test_device(said, &n);
	cr_assert(!said[0] && !said[1] && !said[2]);
}

Test(emu, there_is_so_much_memory)
{
	setenv("EMU_MEMORY", "50000000", 1);
	cr_assert_eq(emu_test_memory(), 0);
}

Test(emu, the_host_is_kept_out_by_pages_where_there_are_no_keys)
{
	setenv("EMU_FENCE", "pages", 1);
	setenv("EMU_CHECK", "1", 1);
	cr_assert_eq(emu_test_sums(), 0);
	cr_assert_eq(emu_test_memory(), 0);
}

Test(emu, cublas_products_are_those_of_a_loop)
{
	cr_assert_eq(emu_test_gemm(), 0);
}

/* ---- what must be found ---- */

/* Runs it in a child; what it said, and how it ended. */
static int ends(const char *mistake, char *said, size_t size)
{
	size_t n = 0;
	int fd[2], status;
	ssize_t got;
	pid_t pid;

	cr_assert_eq(pipe(fd), 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (!pid) {
		const struct rlimit none = { 0, 0 };

		setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL);
		signal(SIGSEGV, SIG_DFL);
		dup2(fd[1], STDERR_FILENO);
		close(fd[0]);
		close(fd[1]);
		_exit(emu_test_mistake(mistake) ? 2 : 0);
	}
	close(fd[1]);
	while (n < size - 1 && (got = read(fd[0], said + n, size - 1 - n)) > 0)
		n += (size_t)got;
	said[n] = '\0';
	close(fd[0]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void found(const char *mistake, const char *sentence)
{
	char said[8192];
	const int status = ends(mistake, said, sizeof said);

	cr_assert(WIFSIGNALED(status), "%s: ended with status %x: %s", mistake, (unsigned)status,
		said);
	cr_assert(strstr(said, sentence), "%s: said \"%s\"", mistake, said);
}

Test(emu, a_barrier_that_some_threads_miss_is_found)
{
	found("half_a_barrier", "kernel half_a_barrier, block (0, 0, 0), thread 0 of 224: waits at "
				"the barrier of tests/emu/selftest.cu:");
	found("half_a_barrier", "with 99 others, thread 100 has returned without it");
	found("two_barriers", "thread 0 at that of tests/emu/selftest.cu:");
}

Test(emu, lanes_that_do_not_meet_are_found)
{
	found("lane_left", "kernel lane_left, block (0, 0, 0), thread 0 of 224: waits at");
	found("lane_left", "for lane 7, which has returned");
	found("lane_elsewhere", "for lane 9, which is at the barrier of");
	found("lane_not_named", "names lanes 0x0000ffff, not lane 16, which calls it");
	found("masks_differ", "with lanes 0x00ffffff");
}

Test(emu, shared_memory_has_an_end)
{
	found("shared_overrun", "wrote byte 800 of 800 bytes of shared memory");
	found("shared_far",
		"thread 0 of 224: touches byte 16384 of its 800 bytes of shared memory");
}

Test(emu, device_memory_has_an_end)
{
	found("behind_the_end",
		"thread 0 of 224: touches 8192 bytes behind the end of allocation 1 of 4096 "
		"bytes");
	found("just_behind", "somebody wrote byte 4 of allocation 3, which has 4 bytes");
	found("copy_too_long", "copy to of 4100 bytes");
	found("freed_twice", "cudaFree of");
	found("freed_read", "allocation 1 of 4096 bytes, which was freed");
}

Test(emu, what_is_not_aligned_is_found)
{
	found("not_aligned", "which is not 16-aligned");
}

Test(emu, the_host_cannot_read_device_memory)
{
	found("host_read", "the host touches byte 0 of allocation 1 of 4096 bytes");
	setenv("EMU_FENCE", "pages", 1);
	found("host_read", "the host touches byte 0 of allocation 1 of 4096 bytes");
	setenv("EMU_FENCE", "0", 1);
	{
		char said[256];

		cr_assert_eq(ends("host_read", said, sizeof said), 0);
	}
}

/* ---- numbers ---- */

Test(emu, every_half_comes_back)
{
	for (uint32_t h = 0; h < 65536; h++) {
		const float f = emu_float_of_half((uint16_t)h);

		if ((h & 0x7c00) == 0x7c00 && (h & 0x3ff))
			cr_assert(isnan(f));
		else
			cr_assert_eq(emu_half_of(f), h, "half %04x is %a", h, (double)f);
	}
}

/* Between two neighbours the nearer one, half way the even one. */
Test(emu, halves_and_bfloat16s_are_rounded_to_nearest_even)
{
	for (uint32_t h = 0; h < 0x7bff; h++) {
		const float low = emu_float_of_half((uint16_t)h);
		const float high = emu_float_of_half((uint16_t)(h + 1)), mid = (low + high) / 2;

		cr_assert_eq(emu_half_of(mid), h + (h & 1), "%a", (double)mid);
		cr_assert_eq(emu_half_of(nextafterf(mid, 0)), h);
		cr_assert_eq(emu_half_of(-nextafterf(mid, INFINITY)), (h + 1) | 0x8000);
	}
	cr_assert_eq(emu_half_of(65519.996f), 0x7bff);
	cr_assert_eq(emu_half_of(65520.0f), 0x7c00);
	cr_assert_eq(emu_half_of(1e30f), 0x7c00);
	cr_assert_eq(emu_half_of(NAN) & 0x7fff, 0x7fff);
	cr_assert_eq(emu_bf16_of(1.00390625f), 0x3f80);
	cr_assert_eq(emu_bf16_of(1.01171875f), 0x3f82);
	cr_assert_eq(emu_bf16_of(3.4e38f), 0x7f80);
	cr_assert_eq(emu_bf16_of(1e-40f), 0x0001);
	cr_assert(emu_bf16_of(NAN) == 0x7fff);
}

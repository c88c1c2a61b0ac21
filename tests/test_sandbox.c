/* test_sandbox.c - strangers' scripts in the real process: what is hostile is ended with a
 * sentence, what is not works, and the program lives on. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/lua/sandbox.h"
#include "app/lua/sandbox_child.h"
#include "app/lua/script.h"
#include "app/tui/stranger.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "tests/lib_base.h"
#include "tests/lib_work.h"

static const struct hostile {
	bool ended;
	const char *what, *text, *want;
} scripts[] = {
#define H(what, text, want) { true, what, text, want },
#define W(what, text, want) { false, what, text, want },
#include "tests/sandbox_hostile.def"
#undef H
#undef W
};
enum { N = sizeof scripts / sizeof *scripts, AT_ONCE = 4 };

static struct bus *bus;
static struct session *session;
static struct sandbox_options options;

/* The program lies beside the folder of the suites; the Makefile builds it before this one. */
static const char *program(void)
{
	static char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 32);

	cr_assert_gt(n, 0);
	path[n] = 0;
	*strrchr(path, '/') = 0;
	strcpy(strrchr(path, '/'), "/bitdial");
	return path;
}

struct run {
	const char *what;
	struct host *host;
	struct script *script;
	char printed[8192], noticed[1024], said[1024];
	int code;
	bool over;
};

static void append(char *to, size_t size, const char *line)
{
	size_t n = strlen(to);

	snprintf(to + n, size - n, "%s\n", line);
}

static void print(void *arg, const char *line)
{
	append(((struct run *)arg)->printed, sizeof((struct run *)arg)->printed, line);
}

static void notice(void *arg, const char *line)
{
	append(((struct run *)arg)->noticed, sizeof((struct run *)arg)->noticed, line);
}

static enum st no_commands(void *arg, const char *line, struct err *e)
{
	(void)arg;
	return err_set(e, ST_INVALID, "typed: %s", line);
}

static void start(struct run *r, const char *what, const char *text)
{
	char *argv[] = { (char *)(uintptr_t)work_demo(1) };
	struct script_options o = {
		.path = what, .text = text, .argc = 1, .argv = argv, .sandbox = &options
	};
	struct host_face face = { .print = print, .notice = notice, .arg = r };
	struct err e = { 0 };

	*r = (struct run){ .what = what, .host = host_new(session, bus, &face) };
	host_set_command(r->host, no_commands, NULL);
	host_set_allowed(r->host, stranger_may);
	cr_assert_eq(script_start(&r->script, r->host, &o, &e), ST_OK, "%s", e.msg);
}

/* Serves one; true when it is over. */
static bool turn(struct run *r)
{
	struct pollfd p = { .fd = r->script ? script_fd(r->script) : -1, .events = POLLIN };
	const char *sentence;

	if (!r->script)
		return true;
	host_serve(r->host);
	if (poll(&p, 1, 0) <= 0)
		return false;
	r->code = script_join(r->script, &sentence);
	snprintf(r->said, sizeof r->said, "%s", sentence);
	script_free(r->script);
	r->script = NULL;
	host_free(r->host);
	r->over = true;
	return true;
}

static void serve(struct run *r)
{
	double began = clock_now();

	while (!turn(r)) {
		struct pollfd p[3] = { { .fd = script_fd(r->script), .events = POLLIN },
			{ .fd = host_fd(r->host), .events = POLLIN },
			{ .fd = jobs_fd(session_jobs(session)), .events = POLLIN } };

		poll(p, 3, 20);
		jobs_drain(session_jobs(session));
		cr_assert_lt(clock_now() - began, 60, "%s does not end", r->what);
	}
}

static struct run run_text(const char *text)
{
	struct run r;

	start(&r, "s.lua", text);
	serve(&r);
	return r;
}

static void begin(void)
{
	struct session_options o = { .threads = 1, .scan_tokens = 64, .no_runs = true };

	work_home_texts();
	options = (struct sandbox_options){ .program = program() };
	cr_assert_eq(access(options.program, X_OK), 0, "%s is not built", options.program);
	bus = bus_new();
	session = session_new(&o, bus);
	work_opened(session, bus);
}

static void end(void)
{
	session_free(session);
	bus_free(bus);
}

TestSuite(sandbox, .init = begin, .fini = end, .timeout = 120);

static void check(const struct hostile *h, const struct run *r)
{
	if (h->ended) {
		cr_expect_eq(
			r->code, SCRIPT_FAILED, "%s: status %d, %s", h->what, r->code, r->said);
		cr_expect(r->said[0] && strstr(r->said, h->want), "%s: \"%s\" does not say \"%s\"",
			h->what, r->said, h->want);
	} else {
		cr_expect_eq(r->code, SCRIPT_OK, "%s: status %d, %s", h->what, r->code, r->said);
		cr_expect(strstr(r->printed, h->want), "%s: \"%s\" is not \"%s\"", h->what,
			r->printed, h->want);
	}
}

Test(sandbox, hostile_scripts_are_ended_and_harmless_ones_work)
{
	static struct run run[AT_ONCE];
	const struct hostile *of[AT_ONCE] = { NULL };
	size_t next = 0, done = 0, hostile = 0;
	double began = clock_now();

	options.memory = 16 << 20;
	while (done < N) {
		for (size_t k = 0; k < AT_ONCE; k++) {
			if (of[k] && turn(&run[k])) {
				check(of[k], &run[k]);
				hostile += of[k]->ended;
				of[k] = NULL;
				done++;
			}
			if (!of[k] && next < N) {
				of[k] = &scripts[next++];
				options.seconds = strstr(of[k]->want, "of its own") ? 0.04 : 3;
				start(&run[k], of[k]->what, of[k]->text);
			}
		}
		jobs_drain(session_jobs(session));
		poll(NULL, 0, 2);
		cr_assert_lt(clock_now() - began, 100, "they do not end");
	}
	cr_expect_geq(hostile, 60);
	cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1, "a process was left behind");
}

Test(sandbox, what_it_waits_for_is_not_its_own_time)
{
	struct run r;

	options.seconds = 0.1;
	r = run_text("local m <close> = assert(bitdial.open(arg[1]))\n"
		     "assert(bitdial.scan():wait())\n"
		     "local l = assert(bitdial.search(3):wait())\n"
		     "print(l.bpw <= 3, assert(bitdial.measure(l):wait()).damage > 0, "
		     "l:use().bytes == l.bytes)\n"
		     "local n = 0 for _ in pairs(l:formats()) do n = n + 1 end print(n)\n"
		     "bitdial.expect(l.bpw > 3, 'a goal\\27[1m')");
	cr_assert_eq(r.code, SCRIPT_MISSED, "%s", r.said);
	cr_assert_str_eq(r.printed, "true\ttrue\ttrue\n28\n");
	cr_assert_eq(strncmp(r.noticed, "a goal", 6), 0);
	cr_assert(!strchr(r.noticed, 27));
}

Test(sandbox, scripts_that_ship_run_as_strangers_up_to_the_picture)
{
	static const char *const name[] = { "scripts/blame.lua", "scripts/front.lua" };
	char *argv[] = { xstrdup(work_demo(1)), xstrdup("f.svg"), xstrdup("4") };
	struct err e = { 0 };
	struct run r[2];

	for (int i = 0; i < 2; i++) {
		struct script_options o = {
			.path = name[i], .argc = i ? 3 : 1, .argv = argv, .sandbox = &options
		};
		struct host_face face = { .print = print, .notice = notice, .arg = &r[i] };

		r[i] = (struct run){ .what = name[i], .host = host_new(session, bus, &face) };
		cr_assert_eq(script_start(&r[i].script, r[i].host, &o, &e), ST_OK, "%s", e.msg);
		serve(&r[i]);
	}
	cr_assert_eq(r[0].code, SCRIPT_OK, "%s", r[0].said);
	cr_assert(strstr(r[0].printed, "nats/MB"), "%s", r[0].printed);
	cr_assert(strstr(r[1].printed, "uniform") && strchr(r[1].printed, '4'), "%s", r[1].printed);
	cr_assert(strstr(r[1].said, "bitdial.plot.curves is not for a stranger"), "%s", r[1].said);
	for (int i = 0; i < 3; i++)
		xfree(argv[i]);
}

Test(sandbox, a_stop_ends_it_also_inside_a_function_of_c)
{
	static const char *const texts[] = { "print('on'); (''):rep(1 << 62)",
		"print('on') while true do end",
		"print('on') while true do bitdial.models.now() end" };

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		double began = clock_now();
		struct run r;

		start(&r, "s.lua", texts[i]);
		while (!r.printed[0] && clock_now() - began < 30) {
			turn(&r);
			poll(NULL, 0, 1);
		}
		script_stop(r.script);
		serve(&r);
		cr_assert_eq(r.code, SCRIPT_STOPPED, "%s: %s", texts[i], r.said);
		cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1, "a process was left behind");
	}
}

Test(sandbox, a_console_and_the_person_s_own_scripts_keep_all_of_lua)
{
	struct script_options o = { .path = "s.lua",
		.text = "print(type(io.open), type(os.exit))" };
	struct run r = { .what = "s.lua" };
	struct host_face face = { .print = print, .arg = &r };
	struct err e = { 0 };

	r.host = host_new(session, bus, &face);
	cr_assert_eq(script_start(&r.script, r.host, &o, &e), ST_OK, "%s", e.msg);
	serve(&r);
	cr_assert_str_eq(r.printed, "function\tfunction\n");
}

/* ---- other programs in its place: what comes through the socket may be anything */

Test(sandbox, a_process_that_talks_nonsense_is_ended)
{
	static const struct {
		const char *shell, *say;
	} other[] = {
		{ "exec cat", "sent what no script can send" }, /* gives back what it hears */
		{ "exec yes", "sent what no script can send" },
		{ "printf '\\002\\0\\0\\0H\\001'; printf '\\001\\0\\0\\0?'; cat > /dev/null",
			"sent what no script can send" },
		{ "exit 5", "its process ended by itself (status 5)" },
		{ "kill -SEGV $$", "crashed its Lua (Segmentation fault)" },
		{ NULL, "could not be started" },
	};
	char *path = xstrdup(tmp_path("other"));

	for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
		struct run r;

		options.program = other[i].shell ? path : "/no/such/program";
		if (other[i].shell) {
			char *text = xprintf("#!/bin/sh\n%s\n", other[i].shell);

			tmp_write(path, text, strlen(text));
			cr_assert_eq(chmod(path, 0700), 0);
			xfree(text);
		}
		r = run_text("print(1)");
		cr_expect_eq(r.code, SCRIPT_FAILED);
		cr_expect(strstr(r.said, other[i].say), "%s: %s", other[i].shell, r.said);
		cr_expect_str_empty(r.printed);
	}
	xfree(path);
}

/* ---- the jail itself, without Lua in between: as if Lua had been subverted */

static int in_jail(void (*act)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		jail_close_files();
		jail_limits(16 << 20, 5);
		if (!jail_filter())
			_exit(99);
		act();
		_exit(7);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void nothing(void) {}
static void computes(void)
{
	char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	p[0] = 1;
	(void)!write(1, p, 0);
}
static void opens(void)
{
	syscall(SYS_openat, -100, "/etc/passwd", 0);
}
static void connects(void)
{
	syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}
static void executes(void)
{
	char *argv[] = { NULL };

	syscall(SYS_execve, "/bin/true", argv, argv);
}
static void kills(void)
{
	syscall(SYS_kill, getppid(), 0);
}
static void forks(void)
{
	syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}
static void traces(void)
{
	syscall(SYS_ptrace, 0, 0, 0, 0);
}
static void maps_code(void)
{
	syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void makes_code(void)
{
	syscall(SYS_mprotect, (uintptr_t)&options & ~4095ul, 4096, 7);
}
static void sends(void)
{
	syscall(SYS_sendmsg, 1, NULL, 0);
}
static void reads_memory(void)
{
	syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}
static void unlocks(void)
{
	syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
}

Test(jail, system_calls_that_no_script_needs_end_the_process)
{
	static void (*const act[])(void) = { opens, connects, executes, kills, forks, traces,
		maps_code, makes_code, sends, reads_memory, unlocks };
	int status = in_jail(nothing);

	if (WIFEXITED(status) && WEXITSTATUS(status) == 99) {
		printf("skipped: there is no filter of system calls here\n");
		return;
	}
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7, "%d", status);
	status = in_jail(computes);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7, "%d", status);
	for (size_t i = 0; i < sizeof act / sizeof *act; i++) {
		status = in_jail(act[i]);
		cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "act %zu: %d", i,
			status);
	}
}

/* From now on this process cannot set a filter, nor can its children: as on a system without. */
static void no_filters(void)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_SET_SECCOMP, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = { .len = sizeof f / sizeof *f, .filter = f };

	cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p, 0, 0), 0);
}

Test(sandbox, without_a_filter_nothing_is_run_unless_that_is_accepted)
{
	struct run r;

	no_filters();
	r = run_text("print('on')");
	cr_assert_eq(r.code, SCRIPT_FAILED);
	cr_assert(strstr(r.said, "was not run: this system has no filter") &&
			  strstr(r.said, "--sandbox-weak"),
		"%s", r.said);
	cr_assert_str_empty(r.printed);
	options.weak = true;
	r = run_text("print('on')");
	cr_assert_eq(r.code, SCRIPT_OK, "%s", r.said);
	cr_assert_str_eq(r.printed, "on\n");
}

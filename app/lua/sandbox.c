/* sandbox.c - the program's side of a stranger's script: starts the process, answers it, ends it.
 */
#include "app/lua/sandbox.h"

#include <errno.h>
#include <lauxlib.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "app/lua/l.h"
#include "app/lua/sandbox_serve.h"
#include "app/lua/script.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"

enum why { RUNS, ENDED, GONE, BROKEN, STOPPED, TOO_LONG, SILENT, PRINTED, CALLED, NO_FILTER };

struct sandbox {
	struct l_ctx *ctx;
	struct sandbox_options o;
	struct server server;
	pid_t pid;
	int fd;        /* a socket to it; does not block */
	double cpu_at; /* its processor time when the script began */
	double waited; /* for it, so far: its own time on the wall */
	uint8_t *message;
	size_t cap;
	enum why why;
};

/* ---- the process */

static int spawn(pid_t *pid, const char *program, int end)
{
	static char name[] = "bitdial", word[] = SANDBOX_CHILD,
		    threads[] = "OPENBLAS_NUM_THREADS=1", zone[] = "TZ=UTC0", locale[] = "LC_ALL=C";
	const char *libraries = getenv("LD_LIBRARY_PATH");
	char *path = libraries ? xprintf("LD_LIBRARY_PATH=%s", libraries) : NULL;
	char *argv[] = { name, word, NULL }, *env[] = { threads, zone, locale, path, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, usual;
	int rc;

	sigemptyset(&none);
	sigfillset(&usual);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, end, 0);
	posix_spawn_file_actions_adddup2(&files, end, 1);
	posix_spawnattr_init(&attr);
	/* A group of its own: Ctrl-C is the program's to handle. */
	posix_spawnattr_setflags(
		&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &usual);
	rc = posix_spawn(pid, program ? program : "/proc/self/exe", &files, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	xfree(path);
	return rc;
}

static bool begin(struct sandbox *b)
{
	int end[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, end))
		return false;
	rc = spawn(&b->pid, b->o.program, end[1]);
	close(end[1]);
	b->fd = end[0];
	if (rc) {
		close(b->fd);
		errno = rc;
		return false;
	}
	return true;
}

static double cpu_of(pid_t pid)
{
	struct timespec t;
	clockid_t id;

	if (clock_getcpuclockid(pid, &id) || clock_gettime(id, &t))
		return 0;
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- waiting for it; only this time is the script's */

/* Lua code ends itself at the limit and says where it was; this is for what does not. */
static double grace(const struct sandbox *b)
{
	return 0.02 + 0.05 * b->o.seconds;
}

static bool ready(struct sandbox *b, short events)
{
	struct pollfd p[2] = { { .fd = b->fd, .events = events },
		{ .fd = b->ctx->wake_fd, .events = POLLIN } };
	double began = clock_now();

	for (;;) {
		int n = poll(p, 2, 20);
		double now = clock_now();

		b->waited += now - began;
		began = now;
		if (token_stopped(b->ctx->stop))
			b->why = STOPPED;
		else if (cpu_of(b->pid) - b->cpu_at > b->o.seconds + grace(b))
			b->why = TOO_LONG;
		else if (b->waited > 20 + 10 * b->o.seconds) /* it cannot sleep: it was stopped */
			b->why = SILENT;
		else if (n > 0 && p[0].revents)
			return true;
		else
			continue;
		return false;
	}
}

static bool read_all(struct sandbox *b, void *to, size_t want)
{
	for (size_t at = 0; at < want;) {
		ssize_t n = recv(b->fd, (char *)to + at, want - at, MSG_DONTWAIT);

		if (n > 0) {
			at += (size_t)n;
		} else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			if (!ready(b, POLLIN))
				return false;
		} else {
			b->why = GONE;
			return false;
		}
	}
	return true;
}

static bool send_all(struct sandbox *b, const struct wire *w)
{
	for (size_t at = 0; at < w->n;) {
		ssize_t n = send(b->fd, w->p + at, w->n - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			at += (size_t)n;
		} else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			if (!ready(b, POLLOUT))
				return false;
		} else {
			b->why = GONE;
			return false;
		}
	}
	return true;
}

static bool receive(struct sandbox *b, uint32_t *n)
{
	if (!read_all(b, n, sizeof *n))
		return false;
	if (!*n || *n > WIRE_ASKED) {
		b->why = BROKEN;
		return false;
	}
	if (*n > b->cap) {
		b->message = xrealloc(b->message, *n);
		b->cap = *n;
	}
	return read_all(b, b->message, *n);
}

/* ---- the conversation */

static bool send_script(struct sandbox *b, const struct sandbox_script *s)
{
	struct wire w = { .max = WIRE_ANSWERED };
	uint64_t bits;
	bool sent;

	memcpy(&bits, &b->o.seconds, sizeof bits);
	wire_begin(&w);
	wire_u64(&w, b->o.memory);
	wire_u64(&w, bits);
	wire_str(&w, s->path, strlen(s->path));
	wire_str(&w, s->text, strlen(s->text));
	wire_u32(&w, (uint32_t)s->argc);
	for (int i = 0; i < s->argc; i++)
		wire_str(&w, s->argv[i], strlen(s->argv[i]));
	wire_end(&w);
	sent = !w.full && send_all(b, &w);
	wire_release(&w);
	return sent;
}

/* The process says whether the filter stands; then the script begins. */
static bool greet(struct sandbox *b)
{
	struct wire w = { .max = 64 };
	uint32_t n;
	bool sent;

	if (!receive(b, &n))
		return false;
	if (n != 2 || b->message[0] != SANDBOX_HELLO) {
		b->why = BROKEN;
		return false;
	}
	if (!b->message[1] && !b->o.weak) {
		b->why = NO_FILTER;
		return false;
	}
	b->cpu_at = cpu_of(b->pid);
	b->waited = 0;
	wire_begin(&w);
	wire_end(&w);
	sent = send_all(b, &w);
	wire_release(&w);
	return sent;
}

static void converse(struct sandbox *b)
{
	static const enum why why[] = { [SERVE_ANSWERED] = RUNS,
		[SERVE_ENDED] = ENDED,
		[SERVE_BROKEN] = BROKEN,
		[SERVE_PRINTED] = PRINTED,
		[SERVE_CALLED] = CALLED };
	uint32_t n;

	while (b->why == RUNS && receive(b, &n)) {
		b->why = why[server_take(&b->server, b->message, n)];
		if (token_stopped(b->ctx->stop))
			b->why = STOPPED;
		if (b->why == RUNS && !send_all(b, &b->server.answer))
			break;
	}
}

/* ---- the end */

static char *because_gone(const struct sandbox *b, const char *path, int status)
{
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	if (sig == SIGSYS)
		return xprintf("%s asked the system for something that no script needs, and was "
			       "ended",
			path);
	if (sig == SIGXCPU)
		return xprintf("%s used more than %g s of its own (--sandbox-seconds)", path,
			b->o.seconds);
	if (sig)
		return xprintf(
			"%s crashed its Lua (%s); nothing else was touched", path, strsignal(sig));
	return xprintf("%s: its process ended by itself (status %d)", path, WEXITSTATUS(status));
}

/* Its own last words are below ours. */
static char *with_words(char *sentence, const char *words)
{
	char *both = words && *words ? xprintf("%s\n%s", sentence, words) : xstrdup(sentence);

	xfree(sentence);
	return both;
}

static char *because_ended(const struct sandbox *b, const char *path)
{
	const char *words = b->server.sentence, *at;

	if (b->server.end == END_ERROR)
		return xstrdup(words && *words ? words : "it failed");
	if (b->server.end == END_MEMORY)
		return with_words(xprintf("%s used more than %zu MiB of memory (--sandbox-memory)",
					  path, b->o.memory >> 20),
			words);
	at = words ? strstr(words, ": " SANDBOX_LATE) : NULL;
	return xprintf("%s used more than %g s of its own (--sandbox-seconds)%s%.*s", path,
		b->o.seconds, at ? ", at " : "", at ? (int)(at - words) : 0, at ? words : "");
}

static char *because(const struct sandbox *b, const char *path, int status)
{
	switch (b->why) {
	case GONE:
		return because_gone(b, path, status);
	case ENDED:
		return because_ended(b, path);
	case STOPPED:
		return xstrdup("stopped");
	case TOO_LONG:
		return xprintf("%s used more than %g s of its own (--sandbox-seconds), inside one "
			       "function of Lua's",
			path, b->o.seconds);
	case SILENT:
		return xprintf("%s stood still for too long", path);
	case PRINTED:
		return xprintf("%s printed more than %d MiB", path, SANDBOX_PRINTED >> 20);
	case CALLED:
		return xprintf("%s called bitdial more than %d times", path, SERVE_CALLS);
	case NO_FILTER:
		return xprintf("%s was not run: this system has no filter of system calls "
			       "(seccomp); --sandbox-weak does with limits alone",
			path);
	default:
		return xprintf("%s sent what no script can send, and was ended", path);
	}
}

static int conclude(struct sandbox *b, const char *path, char **sentence)
{
	int status = 0;

	(void)kill(b->pid, SIGKILL); /* in any case; a zombie does not mind */
	while (waitpid(b->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (b->why == ENDED && b->server.end == END_WELL)
		return b->ctx->missed ? SCRIPT_MISSED : SCRIPT_OK;
	*sentence = because(b, path, status);
	return b->why == STOPPED ? SCRIPT_STOPPED : SCRIPT_FAILED;
}

int sandbox_run(struct l_ctx *c, const struct sandbox_options *o, const struct sandbox_script *s,
	char **sentence)
{
	struct sandbox b = { .ctx = c, .o = *o };
	lua_State *L = luaL_newstate();
	int code = SCRIPT_FAILED;

	*sentence = NULL;
	if (!L) {
		*sentence = xstrdup("no memory for Lua");
		return code;
	}
	*(struct l_ctx **)lua_getextraspace(L) = c;
	c->stranger = true;
	b.o.seconds = o->seconds > 0 ? o->seconds : SANDBOX_SECONDS;
	b.o.memory = o->memory ? o->memory : SANDBOX_MEMORY;
	server_open(&b.server, L, s->argv, s->argc);
	if (!begin(&b)) {
		*sentence = xprintf(
			"%s: its process could not be started: %s", s->path, strerror(errno));
	} else {
		b.cpu_at = 0;
		if (send_script(&b, s) && greet(&b))
			converse(&b);
		code = conclude(&b, s->path, sentence);
		close(b.fd);
	}
	server_close(&b.server);
	xfree(b.message);
	return code;
}

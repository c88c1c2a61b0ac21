/* plot_run.c - gnuplot as a child: no shell, no environment, limits, three pipes. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/work/plot.h"
#include "core/work/plot_private.h"

enum { CPU_S = 20, WALL_S = 30, LOG = 512 };
static const size_t output_most = 64u << 20;
static const rlim_t memory_most = (rlim_t)1 << 30;

struct child {
	pid_t pid;
	int in, out, err; /* our ends; -1: closed */
	const char *script;
	size_t sent, total;
	char *got;
	size_t n, cap;
	char log[LOG];
	size_t logged;
	bool too_much;
};

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The first gnuplot of PATH. */
static char *program(void)
{
	const char *path = getenv("PATH");
	char *all = xstrdup(path ? path : "/usr/bin:/bin"), *save, *found = NULL;

	for (char *d = strtok_r(all, ":", &save); d && !found; d = strtok_r(NULL, ":", &save)) {
		found = xprintf("%s/gnuplot", d);
		if (access(found, X_OK)) {
			xfree(found);
			found = NULL;
		}
	}
	xfree(all);
	return found;
}

bool plot_possible(void)
{
	char *p = program();
	bool is = p != NULL;

	xfree(p);
	return is;
}

static void limit(pid_t pid, int what, rlim_t most)
{
	struct rlimit r = { most, most };

	(void)prlimit(pid, (__rlimit_resource_t)what, &r, NULL);
}

static enum st spawn(struct child *c, const char *exe, const char *dir, struct err *e)
{
	char *argv[] = { (char *)"gnuplot", (char *)"-d", NULL };
	char *env[] = { (char *)"LC_ALL=C.UTF-8", (char *)"PATH=/usr/bin:/bin", NULL };
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, err[2] = { -1, -1 }, rc;
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t none;

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		rc = errno;
	else {
		sigemptyset(&none);
		posix_spawn_file_actions_init(&fa);
		posix_spawnattr_init(&at);
		posix_spawnattr_setsigmask(&at, &none);
		posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
		posix_spawn_file_actions_adddup2(&fa, in[0], 0);
		posix_spawn_file_actions_adddup2(&fa, out[1], 1);
		posix_spawn_file_actions_adddup2(&fa, err[1], 2);
		posix_spawn_file_actions_addchdir_np(&fa, dir);
		rc = posix_spawn(&c->pid, exe, &fa, &at, argv, env);
		posix_spawn_file_actions_destroy(&fa);
		posix_spawnattr_destroy(&at);
	}
	shut(&in[0]);
	shut(&out[1]);
	shut(&err[1]);
	c->in = in[1];
	c->out = out[0];
	c->err = err[0];
	if (!rc)
		return ST_OK;
	shut(&c->in);
	shut(&c->out);
	shut(&c->err);
	return err_set(e, ST_IO, "gnuplot did not start: %s", strerror(rc));
}

static void send_more(struct child *c)
{
	ssize_t n = write(c->in, c->script + c->sent, c->total - c->sent);

	if (n > 0)
		c->sent += (size_t)n;
	else if (errno != EAGAIN && errno != EINTR)
		c->sent = c->total; /* it has ended: its log says why */
	if (c->sent == c->total)
		shut(&c->in);
}

static void take_picture(struct child *c)
{
	ssize_t n;

	if (c->cap - c->n < 65536) {
		c->cap = c->cap ? 2 * c->cap : 262144;
		c->got = xrealloc(c->got, c->cap);
	}
	n = read(c->out, c->got + c->n, c->cap - c->n);
	if (n > 0)
		c->n += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		shut(&c->out);
	c->too_much |= c->n > output_most;
}

static void take_log(struct child *c)
{
	char buf[LOG];
	ssize_t n = read(c->err, buf, sizeof buf);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		shut(&c->err);
		return;
	}
	for (ssize_t i = 0; i < n && c->logged + 1 < LOG; i++)
		c->log[c->logged++] = buf[i] == '\n' || buf[i] == '\r' ? ' ' : buf[i];
}

/* It has ended; it is still to be reaped, so that its number stays its own. */
static bool has_ended(const struct child *c)
{
	siginfo_t si = { 0 };

	return !waitid(P_PID, (id_t)c->pid, &si, WEXITED | WNOHANG | WNOWAIT) &&
	       si.si_pid == c->pid;
}

static enum st may_go_on(const struct child *c, double began, const struct sink *s, struct err *e)
{
	if (c->too_much)
		return err_set(e, ST_INVALID, "gnuplot wrote more than %zu MiB: stopped",
			output_most >> 20);
	if (clock_now() - began > WALL_S)
		return err_set(e, ST_IO, "gnuplot took more than %d s: stopped", WALL_S);
	if (sink_poll(s))
		return err_set(e, ST_CANCELLED, "stopped while gnuplot drew");
	return ST_OK;
}

/* Until it has ended and what it wrote is read, or it may not go on.  It may close its outputs and
 * stay, and what it started may hold them open when it is gone: neither keeps us waiting. */
static enum st talk(struct child *c, const struct sink *s, struct err *e)
{
	double began = clock_now();
	enum st st;

	for (;;) {
		struct pollfd p[3] = { { .fd = c->in, .events = POLLOUT },
			{ .fd = c->out, .events = POLLIN }, { .fd = c->err, .events = POLLIN } };
		bool ended = has_ended(c); /* before the look at what is there to read */

		(void)poll(p, 3, ended ? 0 : 20);
		if (p[0].revents)
			send_more(c);
		if (p[1].revents)
			take_picture(c);
		if (p[2].revents)
			take_log(c);
		st = may_go_on(c, began, s, e);
		if (st || (ended && !p[1].revents && !p[2].revents))
			return st;
	}
}

static enum st conclude(struct child *c, enum st st, struct err *e)
{
	int status = 0;

	kill(-c->pid, SIGKILL); /* with what it left behind */
	if (st)
		kill(c->pid, SIGKILL); /* it may have left its group */
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (st)
		return st;
	while (c->logged && c->log[c->logged - 1] == ' ')
		c->log[--c->logged] = '\0';
	if (!WIFEXITED(status) || WEXITSTATUS(status) || !c->n)
		return err_set(e, ST_IO, "gnuplot ended%s%s",
			c->logged ? ": " : " without a picture", c->log);
	return ST_OK;
}

static enum st run_in(
	const char *exe, const char *dir, struct child *c, const struct sink *s, struct err *e)
{
	enum st st = spawn(c, exe, dir, e);

	if (st)
		return st;
	limit(c->pid, RLIMIT_CPU, CPU_S);
	limit(c->pid, RLIMIT_AS, memory_most);
	limit(c->pid, RLIMIT_FSIZE, output_most);
	fcntl(c->in, F_SETFL, O_NONBLOCK);
	fcntl(c->out, F_SETFL, O_NONBLOCK);
	fcntl(c->err, F_SETFL, O_NONBLOCK);
	st = talk(c, s, e);
	shut(&c->in);
	shut(&c->out);
	shut(&c->err);
	return conclude(c, st, e);
}

enum st plot_run(const char *script, char **out, size_t *n, const struct sink *s, struct err *e)
{
	struct child c = {
		.script = script, .total = strlen(script), .in = -1, .out = -1, .err = -1
	};
	const char *tmp = getenv("TMPDIR");
	char *exe = program(), *dir = xprintf("%s/bitdial-plot.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	enum st st;

	if (!exe)
		st = err_set(e, ST_UNSUPPORTED,
			"gnuplot is not installed (Debian: gnuplot-nox): no picture was drawn, but "
			"the .gp and the .tsv that draw it are there");
	else if (!mkdtemp(dir))
		st = err_set(e, ST_IO, "%s: %s", dir, strerror(errno));
	else {
		st = run_in(exe, dir, &c, s, e);
		(void)!fs_remove_tree(dir, NULL);
	}
	xfree(exe);
	xfree(dir);
	if (st) {
		xfree(c.got);
		c.got = NULL;
		c.n = 0;
	}
	*out = c.got;
	*n = c.n;
	return st;
}

/* plain - the loop without a screen: lines in, lines out.
 *
 * A person's line is carried out at once.  A line of a pipe or a file waits until what was begun
 * before it has ended, so that the same lines give the same answers; only those that steer what
 * runs (stop, set, quit!) do not. */
#include "app/tui/plain.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "app/tui/headless.h"
#include "app/tui/scripting.h"
#include "app/tui/tour.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"

/* Wide enough that no sentence of a list is wrapped. */
enum { WIDTH = 400, HEIGHT = 36 };

/* ---- lines of the input */

static void read_input(struct plain *p)
{
	ssize_t n;

	if (p->n == PLAIN_INPUT - 1 && !memchr(p->in, '\n', p->n)) {
		if (!p->skips)
			plain_line(p, ROLE_BAD, "error: a line of more than %d bytes is left out",
				PLAIN_INPUT);
		plain_failed(p, ST_INVALID);
		p->skips = true;
		p->n = 0;
	}
	do
		n = read(STDIN_FILENO, p->in + p->n, PLAIN_INPUT - 1 - p->n);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		p->ended = true;
	else
		p->n += (size_t)n;
}

/* The next line, without its end; NULL: none yet.  xfree. */
static char *peek_line(const struct plain *p, size_t *taken)
{
	const char *feed = memchr(p->in, '\n', p->n);
	size_t n = feed ? (size_t)(feed - p->in) : p->n;
	char *line;

	if (!feed && (!p->ended || !p->n))
		return NULL;
	*taken = n + (feed != NULL);
	line = xstrndup(p->in, n);
	line[strcspn(line, "\r")] = 0;
	return line;
}

static bool steers(const char *line)
{
	static const char *const word[] = { "stop", "set", "quit!" };

	line += strspn(line, " \t");
	line += *line == ':';
	for (size_t i = 0; i < sizeof word / sizeof word[0]; i++)
		if (!strncmp(line, word[i], strlen(word[i])) && strchr(" ;", line[strlen(word[i])]))
			return true;
	return false;
}

/* Nothing runs, and all of it was said. */
static bool settled(struct plain *p, bool more)
{
	if (more || !tui_idle(p->t) || p->t->streaming)
		return false;
	plain_rest(p, true);
	return true;
}

/* One line that may be carried out now; false: there is none. */
static bool take_line(struct plain *p, bool more)
{
	size_t taken;
	char *line = peek_line(p, &taken);

	if (!line)
		return false;
	if (!p->person && !steers(line) && !settled(p, more)) {
		xfree(line);
		return false;
	}
	p->n -= taken;
	memmove(p->in, p->in + taken, p->n);
	if (!p->skips) {
		p->prompted = false; /* the terminal has echoed the end of the line */
		plain_run_line(p, line);
	}
	p->skips = false;
	xfree(line);
	return true;
}

/* The tour by itself: its commands, as if they were lines of a file. */
static bool play_tour(struct plain *p, bool more)
{
	struct tour *tour = p->t->tour;

	if (!tour || !tour->plays || !settled(p, more))
		return false;
	if (tour->line) { /* its command has ended */
		tour->missed += !tour->heard;
		tour_next(p->t);
		return true;
	}
	tour->line = 1;
	plain_tour(p);
	plain_run_line(p, tour->script.station[tour->at].command);
	return true;
}

/* ---- signals */

static void interrupted(struct plain *p)
{
	double now = clock_now();
	bool again = now - p->stopped_at < 2;

	p->stopped_at = now;
	p->prompted |= p->person; /* behind the terminal's own ^C */
	if (again) {
		p->killed = 128 + SIGINT;
		return;
	}
	if (p->t->streaming && session_chat_stop(p->t->s)) {
		plain_line(p, ROLE_WARN,
			"stopping the answer; Ctrl-C again within 2 seconds ends the "
			"program");
	} else if (p->t->scripting && scripting_runs(p->t->scripting)) {
		scripting_stop(p->t->scripting);
		session_stop(p->t->s, 0);
		plain_line(p, ROLE_WARN,
			"stopping the script; Ctrl-C again within 2 seconds ends the "
			"program");
	} else if (session_stop(p->t->s, 0)) {
		plain_line(p, ROLE_WARN,
			"stopping %s; Ctrl-C again within 2 seconds ends the program",
			p->n_jobs ? p->job[p->n_jobs - 1].name : "what runs");
	} else {
		plain_line(p, ROLE_TEXT,
			"nothing runs; Ctrl-C again within 2 seconds ends the program");
		return;
	}
	if (!p->person)
		plain_failed(p, ST_CANCELLED);
}

static void read_signals(struct plain *p, int signal_fd)
{
	struct signalfd_siginfo info;

	while (read(signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
		switch (info.ssi_signo) {
		case SIGINT:
			interrupted(p);
			break;
		case SIGTERM:
		case SIGHUP:
			p->killed = 128 + (int)info.ssi_signo;
			break;
		case SIGTSTP:
			raise(SIGSTOP);
			p->prompted = false;
			break;
		default:
			break;
		}
	}
}

/* ---- the loop */

static int wait_ms(const struct plain *p, bool more, bool busy_input, double tick)
{
	double s = plain_rest_due(p);

	if (more)
		return 0;
	if (tick >= 0 && (s < 0 || tick < s))
		s = tick;
	if (busy_input && (s < 0 || s > 0.05)) /* a line waits until what runs has ended */
		s = 0.05;
	return s < 0 ? -1 : (int)ceil(s * 1000);
}

static bool plays(const struct plain *p)
{
	return p->t->tour && p->t->tour->plays;
}

/* True: the end. */
static bool turn(struct plain *p, int signal_fd, bool *more)
{
	enum { IN, SIG, BUS, JOB, LUA, FDS = LUA + SCRIPTING_FDS };
	struct tui *t = p->t;
	bool full = p->n == PLAIN_INPUT - 1 && memchr(p->in, '\n', p->n);
	/* What measures by itself after a while is for who has a while. */
	double tick = p->person ? session_tick(t->s) : -1;
	struct pollfd fds[FDS] = {
		[IN] = { .fd = p->ended || full || plays(p) ? -1 : STDIN_FILENO, .events = POLLIN },
		[SIG] = { .fd = signal_fd, .events = POLLIN },
		[BUS] = { .fd = sub_fd(t->sub), .events = POLLIN },
		[JOB] = { .fd = session_jobs(t->s) ? jobs_fd(session_jobs(t->s)) : -1,
			.events = POLLIN },
	};

	scripting_fds(t->scripting, fds + LUA);
	poll(fds, FDS, wait_ms(p, *more, p->n || p->ended || plays(p), tick));
	t->now = clock_now();
	if (fds[SIG].revents)
		read_signals(p, signal_fd);
	if (fds[IN].revents)
		read_input(p);
	*more = tui_deliver(t, 2);
	scripting_tell(t);
	plain_notices(p);
	plain_rest(p, false);
	while (!t->quit && !p->killed && !p->broken && (play_tour(p, *more) || take_line(p, *more)))
		*more = tui_deliver(t, 2);
	if (t->quit || p->killed || p->broken)
		return true;
	if (p->ended && !p->n && !plays(p) && (p->person || settled(p, *more)))
		return true;
	if (p->prompts && !*more && !p->ended && tui_idle(t) && plain_rest_due(p) < 0)
		plain_prompt(p);
	return false;
}

/* ---- beginning and end */

static void say_line(void *arg, const char *line)
{
	plain_line(arg, ROLE_TEXT, "%s", line);
}

static void begin(struct plain *p)
{
	const struct host_face face = { .print = say_line, .notice = say_line, .arg = p };
	struct tui *t = p->t;

	t->hint = false;
	t->tell = plain_event;
	t->tell_arg = p;
	if (t->scripting) { /* what scripts print are lines, not notices */
		scripting_free(t->scripting);
		t->scripting = scripting_new(t, &face);
	}
	if (p->prompts)
		plain_line(p, ROLE_TEXT,
			"bitdial, one line for each change; help lists the commands, quit ends");
	if (t->o->tour)
		tour_begin(t, true);
}

/* Their lines come to us as long as they run. */
static void end_scripts(struct plain *p)
{
	if (!scripting_end(p->t->scripting)) {
		fprintf(stderr, "bitdial: left while a script was inside a C function\n");
		_exit(p->killed ? p->killed : 1);
	}
	scripting_free(p->t->scripting);
	p->t->scripting = NULL;
}

int plain_run(struct tui *t, int signal_fd)
{
	struct plain p = { .t = t,
		.person = isatty(STDIN_FILENO),
		.color = t->o->color && !strcmp(t->o->color, "always") };
	bool more = true;

	p.prompts = p.person && isatty(STDOUT_FILENO);
	p.in = xalloc(PLAIN_INPUT);
	pthread_mutex_init(&p.lock, NULL);
	tui_resize(t, WIDTH, HEIGHT);
	begin(&p);
	while (!turn(&p, signal_fd, &more))
		;
	tui_deliver(t, 20);
	plain_notices(&p);
	if (!p.killed && t->tour_said[0] && t->o->tour)
		plain_line(&p, ROLE_TEXT, "%s", t->tour_said);
	if (!t->model && !p.killed && !t->quit)
		plain_line(&p, ROLE_TEXT, "model: none open");
	t->tell = NULL;
	if (p.prompted && !p.broken) {
		fputc('\n', stdout);
		fflush(stdout);
	}
	end_scripts(&p);
	pthread_mutex_destroy(&p.lock);
	xfree(p.in);
	if (p.killed)
		return p.killed;
	return p.person || p.broken ? 0 : p.status;
}

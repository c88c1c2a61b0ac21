/* plain_say - what changes, a line each: said once, when it rests. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/tui/plain.h"
#include "app/tui/show.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/text.h"

/* Seconds: a better prediction is said when none came for so long; one that the dial asked for,
 * sooner; progress, every so often; and so far apart at least. */
static const double rests = 2, moves = 0.25, progress_most = 10, progress_least = 1;

/* ---- lines */

/* Nobody reads any more: no failure of ours, and not to be told at the end, either. */
static void hang_up(struct plain *p)
{
	int fd = errno == EPIPE ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;

	p->broken = true;
	if (fd < 0)
		return;
	dup2(fd, STDOUT_FILENO);
	close(fd);
	clearerr(stdout);
}

static const char *color_of(enum role role)
{
	switch (role) {
	case ROLE_BAD:
		return "\033[31m";
	case ROLE_WARN:
		return "\033[33m";
	case ROLE_STRONG:
		return "\033[1m";
	default:
		return "";
	}
}

void plain_line(struct plain *p, enum role role, const char *fmt, ...)
{
	char buf[1024], clean[2048];
	const char *color = p->color ? color_of(role) : "";
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	buf[strlen(buf) - utf8_partial_tail(buf, strlen(buf))] = 0;
	plain_no_keys(buf, sizeof buf);
	n = text_clean(clean, sizeof clean, buf, strlen(buf), true);
	for (size_t i = 0; i < n; i++) /* one line, whatever it holds */
		if (clean[i] == '\n')
			clean[i] = ' ';
	pthread_mutex_lock(&p->lock);
	errno = 0;
	if (!p->broken && (fprintf(stdout, "%s%s%s%s\n", p->prompted ? "\n" : "", color, clean,
				   *color ? "\033[0m" : "") < 0 ||
				  fflush(stdout)))
		hang_up(p);
	p->prompted = false;
	p->lines++;
	pthread_mutex_unlock(&p->lock);
}

void plain_prompt(struct plain *p)
{
	pthread_mutex_lock(&p->lock);
	if (!p->prompted && !p->broken) {
		errno = 0;
		if (fputs(p->chat ? "say> " : "> ", stdout) < 0 || fflush(stdout))
			hang_up(p);
		p->prompted = true;
	}
	pthread_mutex_unlock(&p->lock);
}

void plain_failed(struct plain *p, enum st st)
{
	if (!p->status)
		p->status = st == ST_INVALID ? 2 : 1;
}

void plain_notices(struct plain *p)
{
	const struct tui *t = p->t;

	if (t->n_notices - p->notices > NOTICES)
		p->notices = t->n_notices - NOTICES;
	for (; p->notices < t->n_notices; p->notices++) {
		const struct notice *n = &t->notice[p->notices % NOTICES];

		if (n->strength == LOG_ERROR && !strcmp(p->last_error, n->text))
			continue; /* the job that failed has said it */
		if (n->strength == LOG_ERROR)
			snprintf(p->last_error, sizeof p->last_error, "%s", n->text);
		plain_line(p,
			n->strength == LOG_ERROR  ? ROLE_BAD
			: n->strength == LOG_WARN ? ROLE_WARN
						  : ROLE_TEXT,
			"%s: %s",
			n->strength == LOG_ERROR  ? "error"
			: n->strength == LOG_WARN ? "warning"
						  : "notice",
			n->text);
	}
}

/* "name      value  help" as it would be said: "name: value, help". */
static void unpad(const char *s, char *out, size_t cap)
{
	size_t n = 0;
	bool first = true;

	for (s += strspn(s, " "); *s && n + 3 < cap;) {
		size_t blanks = strspn(s, " ");

		if (blanks < 2 || !s[blanks]) {
			out[n++] = *s++;
			continue;
		}
		if (n && !strchr(":,;.", out[n - 1]))
			out[n++] = first ? ':' : ',';
		out[n++] = ' ';
		first = false;
		s += blanks;
	}
	while (n && out[n - 1] == ' ')
		n--;
	out[n] = 0;
}

void plain_list(struct plain *p)
{
	struct list *l = &p->t->list;
	char line[640];
	size_t said = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (!list_line_matches(l, &l->line[i]))
			continue;
		unpad(l->line[i].text, line, sizeof line);
		if (!*line)
			continue;
		plain_line(p, l->line[i].role, "%s", line);
		said++;
	}
	if (!said)
		plain_line(p, ROLE_TEXT, "nothing there matches \"%s\"", l->filter);
	list_close(p->t);
}

/* ---- the model and the dial */

static void say_new(struct plain *p, const char *what, char *was, size_t cap, const char *now)
{
	if (!strcmp(was, now) || !*now || !strcmp(now, "-"))
		return;
	snprintf(was, cap, "%s", now);
	plain_line(p, ROLE_TEXT, "%s: %s", what, now);
}

static void say_model(struct plain *p)
{
	const struct snap_model *m = p->t->model;
	char params[16], bytes[16];

	if (!m || !strcmp(m->text, "-")) /* of the header alone: more comes at once */
		return;
	if (strcmp(p->model, m->name) != 0) {
		snprintf(p->model, sizeof p->model, "%s", m->name);
		plain_line(p, ROLE_STRONG, "model: %s, %s, %s parameters, %s", m->name, m->arch,
			num_count(m->params, params), text_bytes(m->file_bytes, bytes));
	}
	say_new(p, "reference", p->reference, sizeof p->reference, m->reference);
	say_new(p, "text", p->text, sizeof p->text, m->text);
	say_new(p, "device", p->device, sizeof p->device, m->device);
}

static void note_answer(struct plain *p)
{
	double now = clock_now();

	if (p->t->answer->asked_bpw != p->asked && !p->moved_at)
		p->moved_at = now;
	p->asked = p->t->answer->asked_bpw;
	p->changed_at = now;
}

static void say_answer(struct plain *p)
{
	const struct snap_answer *a = p->t->answer;
	char line[SHOW_LINE], better[160] = "", kl[16];

	p->moved_at = p->changed_at = 0;
	if (!a)
		return;
	show_answer(p->t, line);
	if (strcmp(line, p->answer) != 0)
		plain_line(p, ROLE_STRONG, "%s", line);
	snprintf(p->answer, sizeof p->answer, "%s", line);
	if (isfinite(a->better.kl))
		snprintf(better, sizeof better,
			"better: %s at %.2f bpw, measured damage %s (the command better takes it)",
			a->better.what, a->better.bpw, num_kl(a->better.kl, kl));
	if (*better && strcmp(better, p->better) != 0)
		plain_line(p, ROLE_WARN, "%s", better);
	snprintf(p->better, sizeof p->better, "%s", better);
}

double plain_rest_due(const struct plain *p)
{
	double now = clock_now(), due;

	if (!p->changed_at)
		return -1;
	due = p->changed_at + rests;
	if (p->moved_at && p->moved_at + moves < due)
		due = p->moved_at + moves;
	if (tui_idle(p->t) && p->changed_at + moves < due)
		due = p->changed_at + moves;
	return due > now ? due - now : 0;
}

void plain_rest(struct plain *p, bool now)
{
	double due = plain_rest_due(p);

	if (due >= 0 && (now || due == 0))
		say_answer(p);
}

/* ---- jobs */

/* What the dial does for itself many times a minute, and what is said by what comes of it. */
static bool is_small(const char *name)
{
	static const char *const small[] = { "solve", "odds", "memory speed", "time", "clear",
		"keep", "chat", "A/B", "compare", "vote", "votes" };

	for (size_t i = 0; i < sizeof small / sizeof small[0]; i++)
		if (!strcmp(name, small[i]))
			return true;
	return false;
}

static struct plain_job *job_of(struct plain *p, uint32_t id)
{
	for (size_t i = 0; i < p->n_jobs; i++)
		if (p->job[i].id == id)
			return &p->job[i];
	return NULL;
}

static void job_began(struct plain *p, const struct event *ev)
{
	const struct snap_text *text = (const struct snap_text *)ev->snap;
	const char *name = text ? text->text : "job";
	struct plain_job *j;

	if (is_small(name) || p->n_jobs == PLAIN_JOBS || job_of(p, ev->key))
		return;
	j = &p->job[p->n_jobs++];
	*j = (struct plain_job){ .id = ev->key, .began = clock_now(), .last = clock_now() };
	snprintf(j->name, sizeof j->name, "%s", name);
	snprintf(j->stage, sizeof j->stage, "%s", name);
	plain_line(p, ROLE_TEXT, "job %u: %s begins", j->id, j->name);
}

static void job_progress(struct plain *p, const struct event *ev)
{
	const struct snap_progress *g = (const struct snap_progress *)ev->snap;
	struct plain_job *j = job_of(p, ev->key);
	double now = clock_now(), done;
	char left[16];

	if (!j || !g)
		return;
	done = g->total > 0 ? 100 * g->done / g->total : 0;
	if (strcmp(j->stage, g->name) != 0 && now - j->last >= progress_least)
		j->done = -10;
	if (now - j->last < progress_least ||
		(done < j->done + 10 && now - j->last < progress_most))
		return;
	j->last = now;
	j->done = done;
	snprintf(j->stage, sizeof j->stage, "%s", g->name);
	if (g->total > 0)
		plain_line(p, ROLE_TEXT, "job %u: %s, %.0f percent, %.0f of %.0f %s%s%s%s", j->id,
			g->name, floor(done), g->done, g->total, g->unit,
			g->held               ? ", paused"
			: isfinite(g->left_s) ? ", "
					      : "",
			isfinite(g->left_s) ? num_time(g->left_s, left) : "",
			isfinite(g->left_s) ? " left" : "");
	else
		plain_line(p, ROLE_TEXT, "job %u: %s, working %s", j->id, g->name,
			num_time(g->seconds, left));
}

static void job_ended(struct plain *p, const struct event *ev)
{
	const struct snap_text *text = (const struct snap_text *)ev->snap;
	struct plain_job *j = job_of(p, ev->key);
	enum st st = (enum st)ev->n;
	const char *why = text ? text->text : "";
	char took[16];

	if (st && st != ST_CANCELLED)
		plain_failed(p, ST_IO);
	if (!j)
		return;
	if (clock_now() - j->began < 9.95)
		snprintf(took, sizeof took, "%.1f s", clock_now() - j->began);
	else
		num_time(clock_now() - j->began, took);
	if (!st)
		plain_line(p, ROLE_TEXT, "job %u: %s is done after %s", j->id, j->name, took);
	else if (st == ST_CANCELLED)
		plain_line(p, ROLE_WARN, "job %u: %s was stopped after %s", j->id, j->name, took);
	else if (!strcmp(why, p->last_error)) /* a notice has said why */
		plain_line(p, ROLE_BAD, "job %u: %s failed after %s", j->id, j->name, took);
	else
		plain_line(
			p, ROLE_BAD, "job %u: %s failed after %s: %s", j->id, j->name, took, why);
	if (st && st != ST_CANCELLED)
		snprintf(p->last_error, sizeof p->last_error, "%s", why);
	p->n_jobs--;
	memmove(j, j + 1, (size_t)(&p->job[p->n_jobs] - j) * sizeof *j);
}

/* ---- all */

void plain_event(void *arg, const struct event *ev)
{
	struct plain *p = arg;

	switch (ev->kind) {
	case EV_MODEL:
		say_model(p);
		break;
	case EV_ANSWER:
		if (p->t->answer)
			note_answer(p);
		break;
	case EV_JOB_BEGAN:
		job_began(p, ev);
		break;
	case EV_JOB_PROGRESS:
		job_progress(p, ev);
		break;
	case EV_JOB_ENDED:
		plain_notices(p);
		job_ended(p, ev);
		break;
	case EV_CHAT:
		plain_chat(p, p->t->talk);
		break;
	case EV_AB:
		plain_ab(p, p->t->ab);
		break;
	default:
		break;
	}
	plain_notices(p);
	if (p->t->list.open) /* of votes, when they were counted */
		plain_list(p);
}

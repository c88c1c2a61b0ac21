/* lib_work.c - see lib_work.h. */
#include "tests/lib_work.h"

#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/work/desk_private.h"
#include "tests/lib_base.h"

void work_home(void)
{
	setenv("XDG_CACHE_HOME", tmp_path("cache"), 1);
	setenv("XDG_DATA_HOME", tmp_path("data"), 1);
	setenv("XDG_STATE_HOME", tmp_path("state"), 1);
	setenv("BD_RUNS", tmp_path("runs"), 1);
}

/* In a folder of the program whose tests these are, each in a process of its own. */
static const char *texts_folder(pid_t program)
{
	static char path[64];

	snprintf(path, sizeof path, "/tmp/bitdial-test-texts-%ld", (long)program);
	return path;
}

static void shell(const char *fmt, const char *a, const char *b)
{
	char line[1024];

	snprintf(line, sizeof line, fmt, a, b);
	cr_assert_eq(system(line), 0, "%s", line);
}

static void write_texts(const char *folder)
{
	struct desk_options o = { .scan_tokens = 64 };
	struct token_text t = { 0 };
	struct desk *d = NULL;
	struct err e = { 0 };

	setenv("XDG_CACHE_HOME", folder, 1);
	cr_assert_eq(desk_open(&d, work_demo(1), &o, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(desk_identify(d, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(desk_scan_text(d, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(desk_calib_text(d, DESK_MORE_SEQS, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(desk_measure_text(d, DESK_MEASURE_SEQS * DESK_CALIB_LEN, &t, NULL, &e), ST_OK,
		"%s", e.msg);
	token_text_release(&t);
	cr_assert_eq(
		desk_more_text_of(d, NULL, DESK_MORE_TOKENS, &t, NULL, &e), ST_OK, "%s", e.msg);
	token_text_release(&t);
	desk_close(d);
}

void work_home_texts(void)
{
	const char *folder = texts_folder(getppid());
	char *written = xprintf("%s/written", folder);
	int fd;

	cr_assert(!mkdir(folder, 0700) || errno == EEXIST, "%s", folder);
	fd = open(folder, O_RDONLY | O_DIRECTORY);
	cr_assert(fd >= 0 && !flock(fd, LOCK_EX), "%s", folder);
	if (access(written, F_OK)) {
		write_texts(folder);
		tmp_write(written, "", 0);
	}
	close(fd);
	xfree(written);
	work_home();
	shell("mkdir -p '%s/bitdial' && cp -R '%s/bitdial/models' \"$XDG_CACHE_HOME/bitdial/\"",
		getenv("XDG_CACHE_HOME"), folder);
}

ReportHook(POST_ALL)(struct criterion_global_stats *stats)
{
	const char *folder = texts_folder(getpid());

	(void)stats;
	if (!access(folder, F_OK))
		shell("rm -rf '%s'", folder, "");
}

const char *work_demo(uint64_t seed)
{
	static char path[512];
	struct err e = { 0 };

	snprintf(path, sizeof path, "%s/demo-%llu.gguf", tmp_dir(), (unsigned long long)seed);
	cr_assert_eq(model_demo_write(path, seed, &e), ST_OK, "%s", e.msg);
	return path;
}

struct desk *work_desk(const char *path, const char *formats, const char *text)
{
	struct desk_options o = { .formats = formats, .text = text, .scan_tokens = 128 };
	struct desk *d = NULL;
	struct err e = { 0 };

	cr_assert_eq(desk_open(&d, path, &o, NULL, &e), ST_OK, "%s", e.msg);
	cr_assert_eq(desk_identify(d, NULL, &e), ST_OK, "%s", e.msg);
	return d;
}

const char *work_text(const char *name, size_t n)
{
	static const char word[] = "the dial turns and the map turns with it. ";
	const char *path = tmp_path(name);
	char *s = xalloc(n + 1);

	for (size_t i = 0; i < n; i++)
		s[i] = i % 7 == 3 ? (char)('a' + i / 7 % 26) : word[i % (sizeof word - 1)];
	tmp_write(path, s, n);
	xfree(s);
	return path;
}

void work_watch(struct work_seen *w, struct bus *b)
{
	memset(w, 0, sizeof *w);
	w->sub = bus_subscribe(b, ~0ull);
}

static void set(void *slot, struct snap *s)
{
	struct snap **p = slot;

	snap_unref(*p);
	*p = s;
}

static void note(struct work_seen *w, char c)
{
	size_t n = strlen(w->order);

	if (n + 1 < sizeof w->order && !(n && w->order[n - 1] == c && strchr("mfavc", c)))
		w->order[n] = c;
}

static void hear(struct work_seen *w, struct event *ev)
{
	size_t n = strlen(w->said);

	switch (ev->kind) {
	case EV_MODEL:
		note(w, 'M');
		set(&w->model, ev->snap);
		return;
	case EV_MAP:
		note(w, 'm');
		set(&w->map, ev->snap);
		return;
	case EV_FRONT:
		note(w, 'f');
		set(&w->front, ev->snap);
		return;
	case EV_ANSWER:
		note(w, 'a');
		set(&w->answer, ev->snap);
		return;
	case EV_VARIANTS:
		note(w, 'v');
		set(&w->variants, ev->snap);
		return;
	case EV_CHAT:
		note(w, 'c');
		set(&w->chat, ev->snap);
		return;
	case EV_AB:
		set(&w->ab, ev->snap);
		return;
	case EV_VOTES:
		set(&w->votes, ev->snap);
		return;
	case EV_TRAIN:
		set(&w->train, ev->snap);
		return;
	case EV_JOB_BEGAN:
		w->began++;
		break;
	case EV_JOB_ENDED:
		w->ended++;
		w->last = (enum st)ev->n;
		w->stopped += w->last == ST_CANCELLED;
		snprintf(w->sentence, sizeof w->sentence, "%s",
			((struct snap_text *)ev->snap)->text);
		break;
	case EV_NOTICE:
		w->notices++;
		snprintf(w->said + n, sizeof w->said - n, "%s\n",
			((struct snap_text *)ev->snap)->text);
		break;
	default:
		break;
	}
	snap_unref(ev->snap);
}

void work_read(struct work_seen *w)
{
	struct event ev;

	while (sub_next(w->sub, &ev))
		hear(w, &ev);
}

void work_unwatch(struct work_seen *w)
{
	work_read(w);
	set(&w->model, NULL);
	set(&w->map, NULL);
	set(&w->front, NULL);
	set(&w->answer, NULL);
	set(&w->variants, NULL);
	set(&w->chat, NULL);
	set(&w->ab, NULL);
	set(&w->votes, NULL);
	set(&w->train, NULL);
}

static void nap(void)
{
	struct timespec ms = { 0, 2000000 };

	nanosleep(&ms, NULL);
}

bool work_settle(struct session *s, struct work_seen *w)
{
	double until = clock_now() + 60;

	do {
		jobs_drain(session_jobs(s));
		work_read(w);
		if (!session_busy(s)) {
			work_read(w);
			return true;
		}
		nap();
	} while (clock_now() < until);
	return false;
}

bool work_until(struct session *s, struct work_seen *w, bool (*fn)(const struct work_seen *w))
{
	double until = clock_now() + 60;

	do {
		jobs_drain(session_jobs(s));
		work_read(w);
		if (fn(w))
			return true;
		if (!session_busy(s)) { /* what has not happened by now will not */
			work_read(w);
			return fn(w);
		}
		nap();
	} while (clock_now() < until);
	return false;
}

const char *work_file(const char *name, size_t n)
{
	static char path[4][512];
	static size_t next;
	char *to = path[next++ % 4];

	snprintf(to, 512, "%s", work_text(name, n));
	return to;
}

struct sources work_sources(const char *const *word, size_t n)
{
	struct sources s;
	struct err e = { 0 };

	cr_assert_eq(sources_parse(&s, word, n, "text", &e), ST_OK, "%s", e.msg);
	return s;
}

void work_opened(struct session *s, struct bus *b)
{
	struct work_seen w = { 0 };
	struct err e = { 0 };

	work_watch(&w, b);
	cr_assert_eq(session_open(s, work_demo(1), &e), ST_OK, "%s", e.msg);
	cr_assert(work_settle(s, &w));
	work_unwatch(&w);
}

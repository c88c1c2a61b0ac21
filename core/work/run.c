/* run.c - run folders: made, appended to, ended, and found again. */
#include "core/work/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/sha256.h"
#include "core/work/run_made.h"
#include "core/work/device.h"

enum { MAX_LOGS = 8, SCRIPT_MAX = 64 << 20 };

struct run {
	char *path, *id;
	int lock;
	double began;
	struct {
		char *file;
		struct fs_log *log;
	} logs[MAX_LOGS];
	struct {
		char name[RUN_NUMBER_NAME];
		double v;
	} number[RUN_NUMBERS];
	size_t n_numbers;
};

/* ---- where runs come from */

static struct {
	char **argv; /* [argc] */
	int argc;
	char *cwd, *script, script_sha[65];
	char *repeats; /* the run; NULL: none */
} origin;

void run_origin_set(int argc, char *const *argv)
{
	char *here = getcwd(NULL, 0); /* the C library's */

	for (int i = 0; i < origin.argc; i++)
		xfree(origin.argv[i]);
	xfree(origin.argv);
	xfree(origin.cwd);
	origin.argc = argc;
	origin.argv = xarray((size_t)argc + 1, sizeof *origin.argv);
	for (int i = 0; i < argc; i++)
		origin.argv[i] = xstrdup(argv[i]);
	origin.cwd = xstrdup(here ? here : "");
	free(here);
}

enum st run_script_hash(const char *path, char **real, char sha[65], struct err *e)
{
	char *text;
	size_t n;
	enum st st = fs_read(path, SCRIPT_MAX, &text, &n, e);

	if (st)
		return st;
	sha256_of(text, n, sha);
	big_free(text);
	*real = fs_real(path);
	return ST_OK;
}

enum st run_origin_script(const char *path, struct err *e)
{
	char *real;
	enum st st = run_script_hash(path, &real, origin.script_sha, e);

	if (st)
		return st;
	xfree(origin.script);
	origin.script = real;
	return ST_OK;
}

void run_origin_repeats(const char *id)
{
	xfree(origin.repeats);
	origin.repeats = id ? xstrdup(id) : NULL;
}

static char *runs_given;

void runs_dir_set(const char *dir)
{
	xfree(runs_given);
	runs_given = dir ? xstrdup(dir) : NULL;
}

char *runs_dir(void)
{
	const char *env = getenv("BD_RUNS");
	char *data, *dir;

	if (runs_given)
		return xstrdup(runs_given);
	if (env && *env)
		return xstrdup(env);
	if (fs_is_dir("runs"))
		return xstrdup("runs");
	data = fs_place(FS_DATA);
	dir = xprintf("%s/runs", data);
	xfree(data);
	return dir;
}

/* Sortable, typeable, unique by exclusive mkdir with retry. */
static enum st make_folder(struct run *r, const struct run_info *info, struct err *e)
{
	char *dir = runs_dir(), stamp[32], hex[65];
	enum st st = fs_mkdirs(dir, e);
	bool made = st != ST_OK;
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &tm);
	for (int i = 0; !made && i < 64; i++) {
		char *seed = xprintf(
			"%s %s %s %d %.9f", stamp, info->kind, info->options, i, clock_now());

		sha256_of(seed, strlen(seed), hex);
		xfree(seed);
		xfree(r->id);
		xfree(r->path);
		r->id = xprintf("%s-%s-%.4s", stamp, info->kind, hex);
		r->path = xprintf("%s/%s", dir, r->id);
		st = fs_mkdir_new(r->path, e);
		made = !st || !fs_is_dir(r->path); /* else taken: another name */
	}
	xfree(dir);
	return st;
}

/* Seconds since 1970, to the millisecond: runs of one second have an order. */
static double wall_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (double)t.tv_sec + (double)(t.tv_nsec / 1000000) * 1e-3;
}

static void put_words(struct json_out *o, const char *key, const char *const *word, size_t n)
{
	if (!n)
		return;
	json_open(o, key, '[');
	for (size_t i = 0; i < n; i++)
		json_put_str(o, NULL, word[i]);
	json_close(o, ']');
}

static void put_text(struct json_out *o, const char *key, const char *text)
{
	if (text && *text)
		json_put_str(o, key, text);
}

/* The run that this one repeats, then what it was made from. */
static void put_parents(struct json_out *o, const char *parents)
{
	const char *more = parents ? parents : "";
	char *all = origin.repeats ? xprintf("%s%s%s", origin.repeats, *more ? " " : "", more)
				   : xstrdup(more);

	put_text(o, "parents", all);
	xfree(all);
}

/* What it came from, and what makes it again. */
static void put_origin(struct json_out *o, const struct run_info *info)
{
	put_words(o, "argv", (const char *const *)origin.argv, (size_t)origin.argc);
	put_text(o, "cwd", origin.cwd);
	put_words(o, "again", info->again, info->n_again);
	put_text(o, "again_not", info->again_not);
	put_text(o, "script", info->script ? info->script : origin.script);
	put_text(o, "script_sha256", info->script ? info->script_sha : origin.script_sha);
	put_parents(o, info->parents);
}

static enum st write_head(struct run *r, const struct run_info *info, struct err *e)
{
	struct json_out o;
	struct utsname u;
	char *path = xprintf("%s/run.json", r->path);
	char *real = fs_real(info->model_path); /* good from another folder, too */
	enum st st;

	json_out_init(&o, true);
	json_open(&o, NULL, '{');
	json_put_i64(&o, "v", 1);
	json_put_str(&o, "kind", info->kind);
	json_put_str(&o, "model", info->model);
	json_put_str(&o, "model_path", real);
	json_put_str(&o, "model_sha256", info->model_sha);
	put_text(&o, "file_sha256", info->file_sha);
	json_put_str(&o, "text", info->text ? info->text : "");
	json_put_str(&o, "options", info->options ? info->options : "");
	json_put_i64(&o, "seed", (int64_t)info->seed);
	json_put_f64(&o, "began", wall_clock());
	json_put_str(&o, "bitdial", BD_VERSION);
	json_put_str(&o, "host", uname(&u) ? "" : u.nodename);
	json_put_str(&o, "backend", device_computes());
	put_origin(&o, info);
	if (info->put)
		info->put(info->put_arg, &o);
	json_close(&o, '}');
	st = fs_note(path, o.s, o.n, e); /* the engine must not wait for the disk */
	if (!st)
		run_made_note(r->id, o.s, o.n);
	json_out_release(&o);
	xfree(real);
	xfree(path);
	return st;
}

enum st run_new(struct run **out, const struct run_info *info, struct err *e)
{
	struct run *r = xalloc(sizeof *r);
	enum st st;
	char *lock;
	bool made;
	int pid;

	r->lock = -1;
	r->began = clock_now();
	st = make_folder(r, info, e);
	made = !st;
	if (!st) {
		lock = xprintf("%s/lock", r->path);
		r->lock = fs_lock(lock, &pid, e);
		xfree(lock);
		st = r->lock < 0 ? ST_IO : write_head(r, info, e);
	}
	if (st) {
		fs_unlock(r->lock);
		if (made && fs_remove_tree(r->path, NULL)) {
			/* an empty folder stays; nothing reads it as a run */
		}
		xfree(r->id);
		xfree(r->path);
		xfree(r);
		return err_at(e, st, "new run");
	}
	*out = r;
	return ST_OK;
}

enum st run_again(struct run **out, const char *path, struct err *e)
{
	char *lock = xprintf("%s/lock", path), *end = xprintf("%s/end.json", path);
	const char *id = fs_name(path);
	int pid = 0, fd = fs_lock(lock, &pid, e);
	enum st st = ST_OK;

	if (fd < 0 && fs_is_locked(lock))
		st = err_set(e, ST_INVALID,
			"%s still runs (process %d): stop it first, or let it end", id, pid);
	else if (fd < 0)
		st = ST_IO;
	else
		st = fs_remove_tree(end, e);
	if (st) {
		fs_unlock(fd);
	} else {
		*out = xalloc(sizeof **out);
		(*out)->lock = fd;
		(*out)->began = clock_now();
		(*out)->path = xstrdup(path);
		(*out)->id = xstrdup(id);
	}
	xfree(lock);
	xfree(end);
	return st;
}

void run_took(struct run *r, double before)
{
	r->began -= before;
}

const char *run_id(const struct run *r)
{
	return r->id;
}
const char *run_path(const struct run *r)
{
	return r->path;
}

enum st run_line(
	struct run *r, const char *file, const char *header, const char *line, struct err *e)
{
	size_t i = 0;
	enum st st = ST_OK;

	while (i < MAX_LOGS && r->logs[i].file && strcmp(r->logs[i].file, file))
		i++;
	if (i == MAX_LOGS)
		return err_set(e, ST_INVALID, "%s: more than %d logs in a run", file, MAX_LOGS);
	if (!r->logs[i].file) {
		char *path = xprintf("%s/%s", r->path, file);

		if (fs_is_file(path)) /* of a run that goes on */
			header = NULL;
		st = fs_log_open(&r->logs[i].log, path, e);
		xfree(path);
		if (st)
			return st;
		r->logs[i].file = xstrdup(file);
		if (header)
			st = fs_log_line(r->logs[i].log, header, e);
	}
	return st ? st : fs_log_line(r->logs[i].log, line, e);
}

enum st run_event(struct run *r, const char *ev, const char *text, struct err *e)
{
	struct json_out o;
	enum st st;

	json_out_init(&o, false);
	json_open(&o, NULL, '{');
	json_put_i64(&o, "v", 1);
	json_put_f64(&o, "t", clock_now() - r->began);
	json_put_str(&o, "ev", ev);
	json_put_str(&o, "text", text);
	json_close(&o, '}');
	st = run_line(r, "events.ndjson", NULL, o.s, e);
	json_out_release(&o);
	return st;
}

enum st run_layout(struct run *r, const struct layout *l, struct err *e)
{
	char *path = xprintf("%s/layout.json", r->path);
	enum st st = layout_write(l, path, e);

	xfree(path);
	return st;
}

void run_number(struct run *r, const char *name, double v)
{
	size_t i = 0;

	if (!r || !isfinite(v))
		return;
	while (i < r->n_numbers && strcmp(r->number[i].name, name) != 0)
		i++; /* a name is there once */
	if (i == RUN_NUMBERS)
		return;
	snprintf(r->number[i].name, RUN_NUMBER_NAME, "%s", name);
	r->number[i].v = v;
	r->n_numbers += i == r->n_numbers;
}

/* r: with its numbers; NULL: of a run that nobody holds. */
static enum st write_end(const char *dir, const char *status, double seconds, const char *summary,
	const struct run *r, struct err *e)
{
	char *path = xprintf("%s/end.json", dir);
	struct json_out o;
	enum st st;

	json_out_init(&o, true);
	json_open(&o, NULL, '{');
	json_put_i64(&o, "v", 1);
	json_put_str(&o, "status", status);
	json_put_f64(&o, "seconds", seconds);
	json_put_str(&o, "summary", summary ? summary : "");
	if (r && r->n_numbers) {
		json_open(&o, "numbers", '{');
		for (size_t i = 0; i < r->n_numbers; i++)
			json_put_f64(&o, r->number[i].name, r->number[i].v);
		json_close(&o, '}');
	}
	json_close(&o, '}');
	st = fs_write_all(path, o.s, o.n, e);
	json_out_release(&o);
	xfree(path);
	return st;
}

void run_end(struct run *r, enum st st, const char *summary)
{
	struct err e;

	if (!r)
		return;
	for (size_t i = 0; i < MAX_LOGS; i++) {
		fs_log_close(r->logs[i].log);
		xfree(r->logs[i].file);
	}
	if (write_end(r->path, st == ST_CANCELLED ? "cancelled" : st_name(st),
		    clock_now() - r->began, summary, r, &e)) {
		/* without it the run reads as cut short, which is then the truth */
	}
	fs_unlock(r->lock);
	xfree(r->id);
	xfree(r->path);
	xfree(r);
}

/* true when dir is a run of this model whose writer is gone without an end. */
static bool is_crashed(const char *dir, const char *model_sha, char kind[16])
{
	char *end = xprintf("%s/end.json", dir), *head = xprintf("%s/run.json", dir);
	char *lock = xprintf("%s/lock", dir);
	const char *sha = NULL, *k = NULL;
	struct json j;
	bool crashed = false;
	int pid, fd;

	if (!fs_is_file(end) && fs_is_file(head) && !json_load(&j, head, 1 << 20, NULL)) {
		if (!json_get_str(&j, j.root, "", "model_sha256", &sha, NULL) &&
			!json_get_str(&j, j.root, "", "kind", &k, NULL) &&
			!strcmp(sha, model_sha)) {
			fd = fs_lock(lock, &pid, NULL);
			crashed = fd >= 0 && !fs_is_file(end); /* it may just have ended */
			fs_unlock(fd);
			snprintf(kind, 16, "%s", k);
		}
		json_release(&j);
	}
	xfree(end);
	xfree(head);
	xfree(lock);
	return crashed;
}

void runs_crashed(
	const char *model_sha, void (*fn)(void *arg, const char *id, const char *kind), void *arg)
{
	char *dir = runs_dir(), **names = NULL, kind[16];
	size_t n = 0;

	if (!fs_is_dir(dir) || fs_list(dir, &names, &n, NULL))
		n = 0;
	for (size_t i = 0; i < n; i++) {
		char *run = xprintf("%s/%s", dir, names[i]);

		if (is_crashed(run, model_sha, kind)) {
			fn(arg, names[i], kind);
			if (write_end(run, "crashed", 0, "found without an end", NULL, NULL)) {
				/* told again next time */
			}
		}
		xfree(run);
		xfree(names[i]);
	}
	xfree(names);
	xfree(dir);
}

char *run_layout_path(const char *id)
{
	char *dir = runs_dir(), *path;

	path = fs_is_dir(id) ? xprintf("%s/layout.json", id)
			     : xprintf("%s/%s/layout.json", dir, id);
	xfree(dir);
	if (fs_is_file(path))
		return path;
	xfree(path);
	return NULL;
}

/* underway.c - see underway.h. */
#include "core/work/underway.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/log.h"

enum { MODEL = 16, LAYOUT_MAX = 64 << 20 };

struct underway {
	char *base;
	int lock;
};

static char *place(void)
{
	char *state = fs_place(FS_STATE), *dir = xprintf("%s/underway", state);

	xfree(state);
	return dir;
}

static void remove_files(const char *base)
{
	static const char *const end[] = { "json", "layout", "lock" };

	for (int i = 0; i < 3; i++) {
		char *path = xprintf("%s.%s", base, end[i]);

		unlink(path);
		xfree(path);
	}
}

static enum st write_word(const char *base, const struct cut_short *c, struct err *e)
{
	char *path = xprintf("%s.json", base), *layout = xprintf("%s.layout", base);
	struct json_out o;
	enum st st = c->layout ? fs_note(layout, c->layout, strlen(c->layout), e) : ST_OK;

	json_out_init(&o, false);
	json_open(&o, NULL, '{');
	json_put_i64(&o, "v", 1);
	json_put_str(&o, "kind", c->kind);
	json_put_i64(&o, "began", c->began);
	json_put_f64(&o, "bpw", c->bpw);
	json_close(&o, '}');
	if (!st)
		st = fs_note(path, o.s, o.n, e);
	json_out_release(&o);
	xfree(path);
	xfree(layout);
	return st;
}

/* l: in place of the text of c's layout; NULL: that. */
static struct underway *leave_word(
	const struct cut_short *c, const char *model, const struct layout *l)
{
	static unsigned count;
	struct underway *u = xalloc(sizeof *u);
	char *dir = place(), *lock, *layout;
	struct err e;
	int pid;
	enum st st = fs_mkdirs(dir, &e);

	u->lock = -1;
	u->base = xprintf("%s/%.*s-%s-%lld-%ld-%u", dir, MODEL, model, c->kind, (long long)c->began,
		(long)getpid(), count++);
	lock = xprintf("%s.lock", u->base);
	layout = xprintf("%s.layout", u->base);
	if (!st) {
		u->lock = fs_lock(lock, &pid, &e);
		st = u->lock < 0 ? ST_IO : l ? layout_write(l, layout, &e) : ST_OK;
	}
	if (!st)
		st = write_word(u->base, c, &e);
	xfree(layout);
	xfree(lock);
	xfree(dir);
	if (!st)
		return u;
	log_at(LOG_INFO, "underway", "%s; the next start will not know of it", e.msg);
	underway_end(u, false);
	return NULL;
}

struct underway *underway_begin(const char *kind, const char *model, const struct layout *l)
{
	struct cut_short c = { .began = (int64_t)time(NULL),
		.bpw = l ? layout_stored_bpw(l) : (double)NAN };

	snprintf(c.kind, sizeof c.kind, "%s", kind);
	return leave_word(&c, model, l);
}

struct underway *underway_again(const struct cut_short *c, const char *model)
{
	return leave_word(c, model, NULL);
}

void underway_end(struct underway *u, bool cut)
{
	if (!u)
		return;
	if (!cut)
		remove_files(u->base);
	if (u->lock >= 0)
		fs_unlock(u->lock);
	xfree(u->base);
	xfree(u);
}

/* ---- the next start */

void cut_short_release(struct cut_short *c)
{
	xfree(c->layout);
	*c = (struct cut_short){ 0 };
}

static char *read_layout_text(const char *base)
{
	char *path = xprintf("%s.layout", base), *text, *out = NULL;
	size_t n;

	if (fs_is_file(path) && !fs_read(path, LAYOUT_MAX, &text, &n, NULL)) {
		out = xstrdup(text);
		big_free(text);
	}
	xfree(path);
	return out;
}

/* What a file of ours says; false: it says nothing that is understood. */
static bool read_word(const char *base, struct cut_short *c)
{
	char *path = xprintf("%s.json", base);
	const char *kind;
	double began = 0;
	struct json j;
	bool good = false;

	*c = (struct cut_short){ .bpw = (double)NAN };
	if (fs_is_file(path) && !json_load(&j, path, 1 << 16, NULL)) {
		good = !json_get_str(&j, j.root, "", "kind", &kind, NULL) &&
		       !json_get_f64(&j, j.root, "", "began", 0, 1e12, &began, NULL);
		if (good)
			snprintf(c->kind, sizeof c->kind, "%s", kind);
		if (json_get_f64(&j, j.root, "", "bpw", 0, 64, &c->bpw, NULL))
			c->bpw = (double)NAN;
		c->began = (int64_t)began;
		json_release(&j);
	}
	xfree(path);
	if (good)
		c->layout = read_layout_text(base);
	return good;
}

/* Does it name a word about this model and kind? */
static bool names_it(const char *name, const char *model, const char *kind)
{
	size_t n = strlen(name), k = kind ? strlen(kind) : 0;

	return n > 5 && !strcmp(name + n - 5, ".json") && strnlen(model, MODEL) == MODEL &&
	       !strncmp(name, model, MODEL) && name[MODEL] == '-' &&
	       (!kind || (!strncmp(name + MODEL + 1, kind, k) && name[MODEL + 1 + k] == '-'));
}

/* Takes it away where nobody holds it. */
static bool take(const char *base, struct cut_short *c)
{
	char *path = xprintf("%s.lock", base);
	int pid, lock = fs_lock(path, &pid, NULL);
	bool good;

	*c = (struct cut_short){ .bpw = (double)NAN };
	good = lock >= 0 && read_word(base, c);
	if (lock >= 0) {
		remove_files(base);
		fs_unlock(lock);
	}
	xfree(path);
	return good;
}

bool underway_take(const char *model, const char *kind, struct cut_short *out)
{
	char *dir = place(), **names = NULL;
	size_t n = 0;

	*out = (struct cut_short){ .bpw = (double)NAN };
	if (!fs_is_dir(dir) || fs_list(dir, &names, &n, NULL))
		n = 0;
	for (size_t i = 0; i < n; i++) {
		struct cut_short c;
		char *base;

		if (names_it(names[i], model, kind)) {
			base = xprintf("%s/%.*s", dir, (int)strlen(names[i]) - 5, names[i]);
			if (take(base, &c) && c.began >= out->began) {
				cut_short_release(out);
				*out = c;
			} else {
				cut_short_release(&c);
			}
			xfree(base);
		}
		xfree(names[i]);
	}
	xfree(names);
	xfree(dir);
	return out->kind[0] != '\0';
}

const char *cut_short_when(int64_t began, char out[24])
{
	time_t t = (time_t)began, now = time(NULL);
	struct tm then, today;

	localtime_r(&t, &then);
	localtime_r(&now, &today);
	if (now - t < 86400 && then.tm_yday == today.tm_yday)
		strftime(out, 24, "%H:%M", &then);
	else if (now - t < 6 * 86400)
		strftime(out, 24, "%a %H:%M", &then);
	else
		strftime(out, 24, "%Y-%m-%d", &then);
	return out;
}

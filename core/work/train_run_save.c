/* train_run_save.c - checkpoints: written beside and renamed, found again, and given up. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/quant/bundle.h"
#include "core/tune/lora.h"
#include "core/work/dial_run.h"
#include "core/work/run_checkpoint.h"
#include "core/work/train_run_private.h"

enum { FAR_MAX = 1 << 16 };
static const double MOST = 1e18; /* of any number in it: bytes, seconds, nats */

/* ---- names */

static const char gone[] = ".gone-";

static char *folder_of(const struct train_run *r, uint64_t step)
{
	return xprintf(
		"%s/%s%0*llu", r->path, run_step_head, RUN_STEP_DIGITS, (unsigned long long)step);
}

/* ---- train.json */

static const struct far_member {
	const char *name;
	bool count;
	size_t at;
} far_members[] = {
	{ "step", true, offsetof(struct train_so_far, step) },
	{ "steps", true, offsetof(struct train_so_far, steps) },
	{ "tokens", true, offsetof(struct train_so_far, tokens) },
	{ "seconds", false, offsetof(struct train_so_far, seconds) },
	{ "wall", false, offsetof(struct train_so_far, wall) },
	{ "ema", false, offsetof(struct train_so_far, ema) },
	{ "ema_weight", false, offsetof(struct train_so_far, ema_weight) },
	{ "best_step", true, offsetof(struct train_so_far, best_step) },
	{ "best_nll", false, offsetof(struct train_so_far, best_nll) },
	{ "waited", true, offsetof(struct train_so_far, waited) },
	{ "look_nll", false, offsetof(struct train_so_far, look_nll) },
	{ "look_kl", false, offsetof(struct train_so_far, look_kl) },
	{ "peak_bytes", false, offsetof(struct train_so_far, peak) },
	{ "changed", false, offsetof(struct train_so_far, changed) },
};

enum { FAR_MEMBERS = sizeof far_members / sizeof *far_members };

static enum st write_far(const struct train_so_far *f, const char *dir, struct err *e)
{
	char *path = xprintf("%s/train.json", dir);
	struct json_out o;
	enum st st;

	json_out_init(&o, true);
	json_open(&o, NULL, '{');
	json_put_i64(&o, "v", 1);
	for (size_t i = 0; i < FAR_MEMBERS; i++) {
		const char *p = (const char *)f + far_members[i].at;

		if (far_members[i].count)
			json_put_i64(&o, far_members[i].name, (int64_t) * (const uint64_t *)p);
		else
			json_put_f64(&o, far_members[i].name, *(const double *)p);
	}
	json_put_bool(&o, "looked", f->look_step == f->step);
	json_close(&o, '}');
	st = fs_write_all(path, o.s, o.n, e);
	json_out_release(&o);
	xfree(path);
	return st;
}

static enum st read_far(struct train_so_far *f, const char *dir, struct err *e)
{
	char *path = xprintf("%s/train.json", dir);
	bool looked = false;
	struct json j;
	enum st st = json_load(&j, path, FAR_MAX, e);

	for (size_t i = 0; !st && i < FAR_MEMBERS; i++) {
		char *p = (char *)f + far_members[i].at;
		const char *name = far_members[i].name;
		const cJSON *v = json_member(j.root, name);

		if (!v && far_members[i].at == offsetof(struct train_so_far, waited))
			f->waited = 0; /* of a version that did not count */
		else if (far_members[i].count)
			st = json_get_u64(
				&j, j.root, "", name, 0, UINT64_C(1) << 52, (uint64_t *)p, e);
		else if (v && cJSON_IsNull(v))
			*(double *)p = (double)NAN;
		else
			st = json_get_f64(&j, j.root, "", name, -MOST, MOST, (double *)p, e);
		if (st)
			json_release(&j);
	}
	if (!st) {
		st = json_get_bool(&j, j.root, "", "looked", &looked, e);
		json_release(&j);
	}
	f->look_step = !st && looked ? f->step : UINT64_MAX;
	xfree(path);
	return st;
}

/* ---- which there are */

/* What can be done about a checkpoint that cannot be read; one of another run is as it should be.
 */
static enum st way_out(const struct train_run *r, uint64_t step, enum st st, struct err *e)
{
	char *dir = folder_of(r, step), *state = xprintf("%s/train.state", dir);
	char *far = xprintf("%s/train.json", dir), *older = run_newest(r->path, step);
	struct err was = *e;
	const char *name = strrchr(dir, '/') + 1;

	if (st != ST_FORMAT && fs_is_file(state) && fs_is_file(far))
		; /* no damage: the sentence says it all */
	else if (older)
		st = err_set(e, st,
			"%.200s: remove %s from the run's folder, and it goes on from %s", was.msg,
			name, strrchr(older, '/') + 1);
	else if (*r->worn)
		st = err_set(e, st, "%.240s: begin a new run", was.msg);
	else
		st = err_set(e, st, "%.200s: remove %s from the run's folder, and it begins anew",
			was.msg, name);
	xfree(dir);
	xfree(state);
	xfree(far);
	xfree(older);
	return st;
}

enum st train_run_last(struct train_run *r, bool *there, struct err *e)
{
	char **name, *dir;
	size_t n;
	uint64_t step, last = 0;
	enum st st = fs_list(r->path, &name, &n, e);

	*there = false;
	if (st)
		return st;
	for (size_t i = 0; i < n; i++) {
		if (run_is_checkpoint(name[i], &step) && (!*there || step > last)) {
			last = step;
			*there = true;
		}
		xfree(name[i]);
	}
	xfree(name);
	if (!*there)
		return ST_OK;
	dir = folder_of(r, last);
	st = read_far(&r->far, dir, e);
	if (st)
		st = err_at(e, st, "%s", dir);
	if (!st && r->far.step != last)
		st = err_set(e, ST_FORMAT, "%s/train.json: it is of step %llu", dir,
			(unsigned long long)r->far.step);
	if (st)
		st = way_out(r, last, st, e);
	r->saved_step = last;
	xfree(r->folder);
	r->folder = dir;
	return st;
}

/* Both were looked at on the same windows, before they were written. */
char *train_run_better(const struct train_run *r, double *nll)
{
	char *dir;

	if (isnan(r->far.best_nll) || r->far.best_step == r->saved_step)
		return NULL;
	dir = folder_of(r, r->far.best_step);
	*nll = r->far.best_nll;
	if (fs_is_dir(dir))
		return dir;
	xfree(dir);
	return NULL;
}

enum st train_run_load(struct train_run *r, struct err *e)
{
	enum st st = r->folder ? train_load(r->t, r->folder, e) : ST_OK;

	return st ? way_out(r, r->saved_step, st, e) : ST_OK;
}

/* Under another name first: what is called step-000150 is whole at any time. */
static void give_up(const struct train_run *r, const char *name)
{
	char *from = xprintf("%s/%s", r->path, name), *to = xprintf("%s/%s%s", r->path, gone, name);
	struct err e;
	enum st st = ST_OK;

	if (strncmp(name, gone, strlen(gone)) != 0 && !bundle_is_partial(name)) {
		st = fs_remove_tree(to, &e);
		if (!st)
			st = fs_rename(from, to, &e);
		if (!st)
			st = fs_remove_tree(to, &e);
	} else {
		st = fs_remove_tree(from, &e);
	}
	if (st)
		log_at(LOG_WARN, "train", "an old checkpoint stays: %s", e.msg);
	xfree(from);
	xfree(to);
}

static void point(const struct train_run *r, const char *link, uint64_t step)
{
	char *path = xprintf("%s/%s", r->path, link);
	char *name = xprintf("%s%0*llu", run_step_head, RUN_STEP_DIGITS, (unsigned long long)step);
	struct err e;

	if (fs_link(path, name, &e))
		log_at(LOG_WARN, "train", "%s", e.msg);
	xfree(path);
	xfree(name);
}

void train_run_prune(struct train_run *r)
{
	bool best = !isnan(r->far.best_nll);
	char **name;
	size_t n;
	uint64_t step;

	/* First, so that they never lead nowhere; also after a kill in between. */
	if (r->saved_step != UINT64_MAX)
		point(r, "last", r->saved_step);
	if (best)
		point(r, "best", r->far.best_step);
	if (fs_list(r->path, &name, &n, NULL))
		return;
	for (size_t i = 0; i < n; i++) {
		bool old = run_is_checkpoint(name[i], &step) && step != r->saved_step &&
			   !(best && step == r->far.best_step);

		if (old || (!strncmp(name[i], run_step_head, 5) && bundle_is_partial(name[i])) ||
			!strncmp(name[i], gone, strlen(gone)))
			give_up(r, name[i]);
		xfree(name[i]);
	}
	xfree(name);
}

/* ---- written */

/* What its layout.json says: nobody's quantizer made these codes; masters are of no format. */
static void make_written(struct train_run *r)
{
	static const struct format keep = { 0 };

	if (r->written.n)
		return;
	if (r->how.method->what == TRAIN_MASTERS) {
		layout_init(&r->written, r->d->m, &keep, 1);
		layout_count(&r->written, r->d->m);
	} else {
		layout_copy(&r->written, r->l);
		for (size_t i = 0; i < r->written.n; i++)
			if (!format_is_keep(r->written.format[r->written.choice[i]]))
				r->written.by[i] = NULL;
	}
	r->written.predicted_kl = r->written.predicted_se = (double)NAN;
}

/* A folder a format, each of which opens as a model. */
static enum st fill_forms(struct train_run *r, const char *tmp, const struct sink *s, struct err *e)
{
	size_t n = r->d->m->n_linears;
	uint8_t *form = xarray(n, 1);
	char name[FORMAT_NAME];
	enum st st = ST_OK;

	for (size_t f = 0; !st && f < r->dial->forms; f++) {
		const struct layout *l = &r->dial->all[f];
		char *dir = xprintf("%s/%s", tmp, format_name(r->dial->format[f], name));

		memset(form, (int)f, n);
		st = fs_mkdirs(dir, e);
		if (!st)
			st = bundle_put(dir, r->d->m, l, train_take_forms(r->t, form),
				train_gains(r->t), s, e);
		if (!st)
			st = dial_run_seal(dir, s, e);
		xfree(dir);
	}
	xfree(form);
	return st;
}

static enum st fill(struct train_run *r, const char *tmp, const struct sink *s, struct err *e)
{
	enum st st;

	if (r->how.method->what == TRAIN_ADAPTERS) {
		st = lora_write(train_lora(r->t), tmp, e);
	} else if (r->dial) {
		st = fill_forms(r, tmp, s, e);
	} else {
		make_written(r);
		st = bundle_put(tmp, r->d->m, &r->written, train_take_forms(r->t, NULL),
			train_gains(r->t), s, e);
	}
	if (!st)
		st = train_save(r->t, tmp, e);
	return st ? st : write_far(&r->far, tmp, e);
}

static double looked(const struct train_run *r)
{
	return r->how.teach ? r->far.look_kl : r->far.look_nll;
}

bool train_run_is_best(const struct train_run *r)
{
	const struct train_so_far *f = &r->far;

	return f->look_step == f->step &&
	       (isnan(f->best_nll) ? !isnan(looked(r)) : looked(r) < f->best_nll);
}

static enum st write_folder(
	struct train_run *r, const char *dir, const struct sink *s, struct err *e)
{
	char *tmp = NULL;
	enum st st = train_run_room(r, 1, e);

	if (!st)
		st = bundle_begin(&tmp, dir, e);
	if (!st) {
		st = fill(r, tmp, s, e);
		if (!st)
			st = bundle_end(tmp, dir, e);
		else
			(void)!fs_remove_tree(tmp, NULL);
	}
	xfree(tmp);
	return st;
}

enum st train_run_save(struct train_run *r, const struct sink *s, struct err *e)
{
	struct train_so_far before = r->far, *f = &r->far;
	char *dir = folder_of(r, f->step);
	enum st st;

	f->wall = clock_now() - r->began;
	f->peak = fmax(f->peak, (double)train_run_peak());
	if (train_run_is_best(r)) {
		f->best_nll = looked(r);
		f->best_step = f->step;
	}
	st = r->saved_step == f->step ? write_far(f, dir, e) : write_folder(r, dir, s, e);
	if (st) {
		f->best_nll = before.best_nll;
		f->best_step = before.best_step;
		xfree(dir);
		return st;
	}
	xfree(r->folder);
	r->folder = dir;
	r->saved_step = f->step;
	train_run_prune(r);
	return ST_OK;
}

/* train_state.c - a run in one file: all that going on needs beside model, data and rates.
 *
 *	struct head; text (head.text bytes, what the run was asked for, a line a value);
 *	struct entry [head.parts]; of each part its weights (codes, scales, offsets, or floats), then
 *	its optimizer's state; SHA-256 of all that, 64 hexadecimal digits
 * Numbers as this kind of machine has them.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/fs.h"
#include "core/base/sha256.h"
#include "core/model/place.h"
#include "core/tune/teacher.h"
#include "core/tune/train_private.h"

#define NAME "train.state"

struct head {
	char magic[8]; /* "bdtrain1" */
	uint64_t text, parts;
	uint64_t step, skipped, bad;
	uint64_t epoch, at; /* of the data */
};

struct entry {
	uint64_t rows, cols, bits, group; /* bits 0: float */
	uint64_t weights, state;          /* bytes */
};

enum { SUM = 64 };

/* ---- what a file of this run says before its data */

static char *text_of(const struct train *t)
{
	const struct tune_options *o = &t->how.tune;
	char base[80] = "";

	if (*t->base)
		snprintf(base, sizeof base, "base %s\n", t->base);
	return xprintf(
		"method %s\nsteps %llu\nwindows %zu\nwindow %zu\nmath %d\nseed %llu\nlr %.17g\n"
		"lr_scales %.17g\nlr_gains %.17g\nunit %d\nb1 %.17g\nb2 %.17g\neps %.17g\n"
		"decay %.17g\nwarmup %llu\nfloor %.17g\nfrom %.17g\nto %.17g\nfirst_move %llu\n"
		"across %d\nmoments %d\nlean %d\nrank %zu\nalpha %.17g\ngap %llu\nback "
		"%.17g\nrounds %d\n"
		"hidden %zu\nlinears %zu\nforms %zu\nteacher %s\ndata %s\n%s",
		t->how.method->name, (unsigned long long)o->steps, t->how.windows,
		pack_window(t->pack), (int)t->how.math, (unsigned long long)o->seed, o->lr, o->lr_s,
		t->how.lr_gain, (int)o->unit, o->b1, o->b2, o->eps, o->decay,
		(unsigned long long)o->warmup, o->floor, o->from, o->to,
		(unsigned long long)o->first_move, o->across, (int)o->moments, o->lean, o->rank,
		t->how.alpha, (unsigned long long)o->gap, o->back, o->rounds, t->m->hp.hidden,
		t->m->n_linears, t->from.forms, teacher_name(t->from.teacher), pack_sha256(t->pack),
		base);
}

/* The arrays of a mat that lies in host memory. */
static void add_mat(struct sha256 *sum, const struct mat *w)
{
	const void *at;

	for (int part = w->type == MAT_MIX; part >= 0; part--) {
		struct mat one = w->type == MAT_MIX ? mat_part(w, part) : *w;

		for (int i = 0; i < 3; i++) {
			size_t n = train_array(&one, i, &at);

			sha256_add(sum, at, n);
		}
	}
	if (w->type == MAT_MIX)
		sha256_add(sum, w->order, w->cols * sizeof *w->order);
}

enum st train_base(char sum[65], const struct train *t, const struct sink *s, struct err *e)
{
	struct sha256 of;
	struct mat here;
	void *memory;
	enum st st = ST_OK;

	sha256_start(&of);
	for (size_t i = 0; !st && i < t->m->n_linears; i++) {
		const struct mat *w = &t->linear[i].mat;

		if (w->data == t->m->ref[i]->data)
			continue;
		memory = NULL;
		if (!t->m->be->host_memory)
			st = place_get(&here, &memory, w, t->m, "a linear beside adapters", e);
		if (st)
			break;
		sha256_add(&of, &i, sizeof i);
		add_mat(&of, memory ? &here : w);
		big_free(memory);
		if (sink_poll(s))
			st = err_set(e, ST_CANCELLED, "stopped");
	}
	sha256_hex(&of, sum);
	return st;
}

static size_t weights_bytes(const struct mat *w)
{
	const void *at;

	return train_array(w, 0, &at) + train_array(w, 1, &at) + train_array(w, 2, &at);
}

static struct entry entry_of(const struct tuned *u)
{
	bool codes = u->w.type == MAT_INT;

	return (struct entry){ u->w.rows, u->w.cols, codes ? (uint64_t)u->w.bits : 0,
		codes ? u->w.group : 0, weights_bytes(&u->w), u->state_bytes };
}

static uint64_t file_bytes(const struct train *t, size_t text)
{
	uint64_t n = sizeof(struct head) + text + SUM;

	for (size_t i = 0; i < t->n; i++)
		n += sizeof(struct entry) + weights_bytes(&t->tuned[i].w) + t->tuned[i].state_bytes;
	return n;
}

/* ---- writing */

struct writer {
	struct fs_out *o;
	struct sha256 sha;
	struct err *e;
	enum st st;
};

static void out(struct writer *w, const void *p, size_t n)
{
	if (w->st)
		return;
	sha256_add(&w->sha, p, n);
	w->st = fs_out_write(w->o, p, n, w->e);
}

static void write_all(struct writer *w, const struct train *t, const char *text)
{
	struct head h = { "", strlen(text), t->n, t->step, t->skipped, t->bad, t->place.epoch,
		t->place.at };
	char sum[SUM + 1];

	memcpy(h.magic, "bdtrain1", sizeof h.magic);
	sha256_start(&w->sha);
	out(w, &h, sizeof h);
	out(w, text, h.text);
	for (size_t i = 0; i < t->n; i++) {
		struct entry x = entry_of(&t->tuned[i]);

		out(w, &x, sizeof x);
	}
	for (size_t i = 0; i < t->n; i++) {
		const void *at;
		size_t n;

		for (int k = 0; k < 3; k++) {
			n = train_array(&t->tuned[i].w, k, &at);
			if (n)
				out(w, at, n);
		}
		out(w, t->tuned[i].state, t->tuned[i].state_bytes);
	}
	sha256_hex(&w->sha, sum);
	if (!w->st)
		w->st = fs_out_write(w->o, sum, SUM, w->e);
}

enum st train_save(const struct train *t, const char *dir, struct err *e)
{
	char *path = xprintf("%s/" NAME, dir), *text = text_of(t);
	struct writer w = { .e = e };

	w.st = fs_out_open(&w.o, path, file_bytes(t, strlen(text)), e);
	if (!w.st) {
		write_all(&w, t, text);
		if (w.st)
			fs_out_abort(w.o);
		else
			w.st = fs_out_commit(w.o, e);
	}
	xfree(path);
	xfree(text);
	return w.st;
}

/* ---- reading */

struct reader {
	struct train *t;
	const char *path;
	struct fs_map map;
	size_t at;
	struct head h;
};

static enum st damaged(const struct reader *r, struct err *e)
{
	return err_set(e, ST_FORMAT, "%s is damaged", r->path);
}

/* The first line that differs, in words. */
static enum st differs(
	const struct reader *r, const char *text, const char *there, size_t n, struct err *e)
{
	static const char base[] = "base ";
	size_t line = 0, i = 0;

	while (i < n && text[i] && text[i] == there[i]) {
		line = text[i] == '\n' ? i + 1 : line;
		i++;
	}
	if (!strncmp(text + line, base, strlen(base)))
		return err_set(e, ST_INVALID,
			"%s: its adapters were trained beside other weights than those here: open "
			"what it began from, or begin a new run",
			r->path);
	return err_set(e, ST_INVALID, "%s is of another run: \"%.*s\" there, \"%.*s\" here",
		r->path, (int)(strcspn(there + line, "\n")), there + line,
		(int)strcspn(text + line, "\n"), text + line);
}

/* Of adapters of an older version, which does not say what they are beside? */
static bool before_base(const char *there, const char *text)
{
	const char *base = strstr(text, "\nbase ");
	size_t n = base ? (size_t)(base + 1 - text) : 0;

	return base && strlen(there) == n && !memcmp(there, text, n);
}

static enum st check_text(struct reader *r, struct err *e)
{
	char *text = text_of(r->t), *there;
	enum st st = ST_OK;

	if (r->h.text > r->map.size - SUM - r->at)
		st = damaged(r, e);
	if (!st) {
		there = xstrndup((const char *)r->map.data + r->at, r->h.text);
		if (strcmp(there, text) != 0 && !before_base(there, text))
			st = differs(r, text, there, strlen(there), e);
		xfree(there);
	}
	r->at += r->h.text;
	if (!st && r->map.size != file_bytes(r->t, r->h.text))
		st = err_set(e, ST_INVALID, "%s is of another model or layout: %zu bytes, not %llu",
			r->path, r->map.size, (unsigned long long)file_bytes(r->t, r->h.text));
	xfree(text);
	return st;
}

static enum st check_entries(struct reader *r, struct err *e)
{
	for (size_t i = 0; i < r->t->n; i++, r->at += sizeof(struct entry)) {
		struct entry here = entry_of(&r->t->tuned[i]), there;

		memcpy(&there, r->map.data + r->at, sizeof there);
		if (memcmp(&here, &there, sizeof here) != 0)
			return err_set(e, ST_INVALID,
				"%s is of another model or layout: its matrix %zu is %llu x %llu "
				"of "
				"%llu bits, not %llu x %llu of %llu",
				r->path, i, (unsigned long long)there.rows,
				(unsigned long long)there.cols, (unsigned long long)there.bits,
				(unsigned long long)here.rows, (unsigned long long)here.cols,
				(unsigned long long)here.bits);
	}
	return ST_OK;
}

/* Into memory of its own first: whether the optimizers take their states. */
static enum st check_states(struct reader *r, struct err *e)
{
	size_t most = 0, at = r->at;
	enum st st = ST_OK;
	void *own;

	for (size_t i = 0; i < r->t->n; i++)
		most = r->t->tuned[i].state_bytes > most ? r->t->tuned[i].state_bytes : most;
	own = big_alloc(most, "a state that is read", e);
	if (!own)
		return ST_NOMEM;
	for (size_t i = 0; !st && i < r->t->n; i++) {
		struct tuned u = r->t->tuned[i];

		at += weights_bytes(&u.w);
		u.state = own;
		st = optim_load(
			r->t->part[i].by, &u, r->map.data + at, u.state_bytes, &r->t->part[i].o, e);
		at += u.state_bytes;
	}
	big_free(own);
	return st;
}

static enum st check_file(struct reader *r, struct err *e)
{
	char sum[SUM + 1];
	enum st st;

	if (r->map.size < sizeof r->h + SUM)
		return damaged(r, e);
	memcpy(&r->h, r->map.data, sizeof r->h);
	if (memcmp(r->h.magic, "bdtrain1", sizeof r->h.magic) != 0)
		return err_set(e, ST_FORMAT, "%s is no state of a training run", r->path);
	sha256_of(r->map.data, r->map.size - SUM, sum);
	if (memcmp(sum, r->map.data + r->map.size - SUM, SUM) != 0)
		return damaged(r, e);
	r->at = sizeof r->h;
	st = check_text(r, e);
	if (!st && r->h.parts != r->t->n)
		st = damaged(r, e);
	if (!st)
		st = check_entries(r, e);
	return st ? st : check_states(r, e);
}

/* Everything fits: nothing fails from here on but a device. */
static enum st take(struct reader *r, struct err *e)
{
	struct train *t = r->t;
	enum st st = ST_OK;
	const void *to;
	size_t n;

	for (size_t i = 0; !st && i < t->n; i++) {
		for (int k = 0; k < 3; k++) {
			n = train_array(&t->tuned[i].w, k, &to);
			if (n)
				memcpy((void *)to, r->map.data + r->at, n);
			r->at += n;
		}
		st = optim_load(t->part[i].by, &t->tuned[i], r->map.data + r->at,
			t->tuned[i].state_bytes, &t->part[i].o, e);
		r->at += t->tuned[i].state_bytes;
	}
	for (size_t i = 0; i < t->m->n_linears * t->from.forms; i++)
		if (t->linear[i].device)
			train_put(t->m, &t->linear[i].mat, &t->linear[i].here);
	for (size_t i = 0; !st && t->lora && i < t->m->n_linears; i++)
		st = lora_changed(t->lora, i, e);
	if (t->gains)
		t->m->be->put(t->gain[0], t->gain_here, t->gains * t->m->hp.hidden * sizeof(float));
	t->step = r->h.step;
	t->skipped = r->h.skipped;
	t->bad = r->h.bad;
	t->place = (struct pack_place){ r->h.epoch, r->h.at };
	return st ? st : model_fault(t->m, e);
}

enum st train_load(struct train *t, const char *dir, struct err *e)
{
	char *path = xprintf("%s/" NAME, dir);
	struct reader r = { .t = t, .path = path };
	enum st st = fs_map_open(&r.map, path, e);

	if (!st) {
		st = check_file(&r, e);
		if (!st)
			st = take(&r, e);
		fs_map_close(&r.map);
	}
	xfree(path);
	return st;
}

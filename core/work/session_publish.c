/* session_publish.c - from the desk's tables to snapshots on the bus. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/work/desk_private.h"
#include "core/work/device.h"
#include "core/work/session_private.h"
#include "kernels/pool.h"

void notice(struct session *s, int level, const char *fmt, ...)
{
	struct snap_text *t;
	char buf[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	t = snap_text_new(buf);
	bus_publish(s->bus, (struct event){ .kind = EV_NOTICE, .n = level, .snap = &t->snap });
}

static void facts(struct snap_model *m, const struct checkpoint *ck)
{
	const struct tensor *t = checkpoint_find(ck, "layers.0.down");
	const char *type = t ? dtype_name(t->dtype) : "integer";
	const struct backend *be;
	const char *path;
	bool exact = t && (t->dtype == DT_F32 || t->dtype == DT_F16 || t->dtype == DT_BF16);

	snprintf(m->name, sizeof m->name, "%s", ck->name);
	snprintf(m->path, sizeof m->path, "%s", ck->path);
	snprintf(m->sha, sizeof m->sha, "%.16s", ck->header_sha256);
	snprintf(m->arch, sizeof m->arch, "%s", ck->hp.arch);
	snprintf(m->reference, sizeof m->reference, exact ? "%s weights" : "%s file, dequantized",
		type);
	be = backend_now();
	path = be->path ? be->path() : ""; /* "amx (of ref, ..., amx)": the one in use */
	if (be->host_memory)
		snprintf(m->device, sizeof m->device, "cpu %.*s, %d threads",
			(int)strcspn(path, " "), path, pool_threads());
	else
		device_title(be, m->device, sizeof m->device);
	m->layers = ck->hp.layers;
	m->ctx = ck->hp.ctx;
	m->vocab = ck->hp.vocab;
	m->file_bytes = ck->file_bytes;
}

static const char *const kind_tensor[LINEAR_KINDS] = { "q", "k", "v", "o", "gate", "up", "down" };

/* Before any weight is read: shapes and bytes from the header alone. */
void publish_header(struct session *s, const struct checkpoint *ck, const char *formats)
{
	size_t n = ck->hp.layers * LINEAR_KINDS, k = 0;
	struct format f[FORMAT_MAX];
	struct snap_model *m;
	char name[48];

	if (format_list(f, &k, formats ? formats : desk_formats_default, NULL))
		k = 0;
	m = snap_model_new(n, k);
	facts(m, ck);
	m->demo = s->demo;
	m->k = k;
	memcpy(m->format, f, k * sizeof *f);
	for (size_t i = 0; i < n; i++) {
		const struct tensor *t;

		snprintf(name, sizeof name, "layers.%zu.%s", i / LINEAR_KINDS,
			kind_tensor[i % LINEAR_KINDS]);
		t = checkpoint_find(ck, name);
		if (t && t->rank == 2) {
			m->shape[i].rows = (uint32_t)t->dim[0];
			m->shape[i].cols = (uint32_t)t->dim[1];
			m->weights += t->dim[0] * t->dim[1];
		}
	}
	for (size_t i = 0; i < ck->n_tensors; i++) {
		uint64_t count = 1;

		for (int r = 0; r < ck->tensors[i].rank; r++)
			count *= ck->tensors[i].dim[r];
		m->params += count;
	}
	snprintf(m->text, sizeof m->text, "-");
	bus_publish(s->bus, (struct event){ .kind = EV_MODEL, .snap = &m->snap });
}

static struct snap_model *model_snapshot(struct session *s)
{
	const struct desk *d = s->desk;
	size_t n = d->set.n, k = d->set.k;
	struct snap_model *m = snap_model_new(n, k);
	uint64_t kept = 0;

	facts(m, d->m->ck);
	m->demo = s->demo;
	m->weights = d->m->weights;
	m->k = k;
	memcpy(m->format, d->set.format, k * sizeof *m->format);
	for (size_t i = 0; i < n; i++) {
		m->shape[i].rows = (uint32_t)d->m->linear[i].rows;
		m->shape[i].cols = (uint32_t)d->m->linear[i].cols;
		kept += d->m->linear[i].file_bytes;
		for (size_t f = 0; f < k; f++) {
			m->bytes[i * k + f] = desk_bytes(d, i, f);
			m->nominal[i * k + f] = (float)layout_nominal(d->m, i, d->set.format[f]);
		}
	}
	m->other_bytes = d->m->ck->file_bytes > kept ? d->m->ck->file_bytes - kept : 0;
	m->params = d->m->weights + d->m->embed.rows * d->m->embed.cols;
	snprintf(m->text, sizeof m->text, "%s", d->text_name);
	return m;
}

void publish_model(struct session *s)
{
	struct snap_model *m = model_snapshot(s);

	dial_model(s->dial, m);
	bus_publish(s->bus, (struct event){ .kind = EV_MODEL, .snap = &m->snap });
}

void publish_device(struct session *s)
{
	bus_publish(s->bus,
		(struct event){ .kind = EV_MODEL, .snap = &model_snapshot(s)->snap });
}

void publish_variants(struct session *s)
{
	const struct desk *d = s->desk;
	size_t n = d->set.n, k = d->set.k;
	struct snap_variants *v = snap_variants_new(n, k);

	for (size_t i = 0; i < n * k; i++) {
		const struct variant *slot = &d->set.slot[i];

		if (!d->useful[i] || i % k == d->keep || (desk_is_mix(d, i % k) && !slot->mat.data))
			continue;
		v->total++;
		if (!slot->mat.data)
			continue;
		v->ready++;
		snprintf(v->at[i].by, sizeof v->at[i].by, "%s", slot->by->name);
		v->at[i].best = d->best[i % k] || (desk_is_mix(d, i % k) && d->calibrated[i]);
		v->at[i].error = (float)slot->error;
		v->best += v->at[i].best;
	}
	bus_publish(s->bus, (struct event){ .kind = EV_VARIANTS, .snap = &v->snap });
}

/* What each of several sources says alone, and how far they agree. */
static void publish_sources(struct session *s, struct snap_map *m, bool now)
{
	const struct desk *d = s->desk;
	size_t nk = m->n * m->k;
	double t = clock_now();

	if (d->sources.n < 2 || !d->source[0].cell)
		return;
	snap_map_parts(m, d->sources.n);
	for (size_t i = 0; i < m->sources; i++) {
		source_name(&d->sources, i, m->on[i].name);
		m->on[i].weight = d->sources.at[i].weight;
		memcpy(m->part + i * nk, d->source[i].cell, nk * sizeof *m->part);
	}
	if (now || t - s->last_pairs > 1) {
		s->last_pairs = t;
		s->pairs = sources_agree(m->sources, m->part, m->n, m->k, s->pair);
	}
	m->pairs = s->pairs;
	memcpy(m->pair, s->pair, sizeof m->pair);
}

/* damage: NULL while nothing is in nats. */
static void publish_map(struct session *s, const char *source, const double *damage, bool now)
{
	const struct desk *d = s->desk;
	size_t n = d->set.n, k = d->set.k;
	struct snap_map *m = snap_map_new(n, k);

	memcpy(m->cell, d->cell, n * k * sizeof *m->cell);
	publish_sources(s, m, now);
	for (size_t i = 0; i < n * k; i++) {
		if (!d->useful[i] || i % k == d->keep)
			continue;
		if (damage && d->cell[i].state == CELL_SCORED)
			m->cell[i].estimate = (float)damage[i];
		if (desk_is_mix(d, i % k)) /* not the stages' to measure */
			continue;
		m->wanted++;
		m->scored += d->cell[i].state >= CELL_SCORED;
		m->fast += d->cell[i].state >= CELL_FAST;
		m->scanned += d->cell[i].state == CELL_SCANNED;
		m->stale += d->cell[i].stale;
	}
	snprintf(m->text, sizeof m->text, "%s", d->text_name);
	snprintf(m->source, sizeof m->source, "%s", source);
	bus_publish(s->bus, (struct event){ .kind = EV_MAP, .snap = &m->snap });
}

/* What the dial is told next is what was known at this place of the journals. */
static void publish_place(struct session *s)
{
	struct desk_place at = desk_place(s->desk);

	dial_known(s->dial, at.cells, at.points);
}

void publish_cells(struct session *s, bool now)
{
	const struct desk *d = s->desk;
	size_t nk = d->set.n * d->set.k;
	double t = clock_now(), *damage, *se;
	const char *source;
	struct err e;
	bool nats;

	if (!now && t - s->last_cells < 0.1)
		return;
	s->last_cells = t;
	damage = xarray(nk + 1, sizeof *damage);
	se = xarray(nk + 1, sizeof *se);
	publish_place(s);
	nats = desk_damage(d, damage, se, &source);
	publish_map(s, source, nats ? damage : NULL, now);
	if (dial_damage(s->dial, damage, se, nats, &e))
		notice(s, LOG_ERROR, "%s", e.msg);
	xfree(damage);
	xfree(se);
	/* 20 ms of exact solving a second is cheap beside the scan that feeds it. */
	if (now || t - s->last_exact > 1) {
		s->last_exact = t;
		session_want_exact(s);
	}
}

void publish_points(struct session *s)
{
	struct desk *d = s->desk;

	for (size_t i = 0; i < d->n_points; i++)
		d->point[i].estimated = desk_estimated(d, d->point[i].choice);
	publish_place(s);
	dial_points(s->dial, d->point, d->n_points);
}

void publish_ab(struct session *s, bool now)
{
	double t = clock_now();
	struct snap_ab *a;

	if (!now && t - s->last_ab < 0.05)
		return;
	s->last_ab = t;
	a = ab_snapshot(s->ab);
	a->on = atomic_load(&s->ab_on);
	a->blind = atomic_load(&s->ab_blind);
	bus_publish(s->bus, (struct event){ .kind = EV_AB, .snap = &a->snap });
}

void publish_chat(struct session *s, bool now)
{
	double t = clock_now();

	if (!s->chat || (!now && t - s->last_chat < 0.05))
		return;
	s->last_chat = t;
	bus_publish(
		s->bus, (struct event){ .kind = EV_CHAT, .snap = &chat_snapshot(s->chat)->snap });
}

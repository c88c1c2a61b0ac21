/* snap.c - making and freeing the snapshots of snap.h. */
#include "core/work/snap.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"

/* One function a type: the arrays are its own, the struct comes last. */
static void *start(size_t size, void (*fn)(struct snap *))
{
	struct snap *s = xalloc(size);

	atomic_init(&s->refs, 1);
	s->free = fn;
	return s;
}

static void text_free(struct snap *s)
{
	xfree(((struct snap_text *)s)->text);
	xfree(s);
}

struct snap_text *snap_text_new(const char *text)
{
	struct snap_text *s = start(sizeof *s, text_free);

	s->text = xstrdup(text);
	return s;
}

static void plain_free(struct snap *s)
{
	xfree(s);
}

struct snap_timing *snap_timing_new(void)
{
	return start(sizeof(struct snap_timing), plain_free);
}

static void plot_free(struct snap *s)
{
	xfree(((struct snap_plot *)s)->path);
	xfree(((struct snap_plot *)s)->sixel);
	xfree(s);
}

struct snap_plot *snap_plot_new(const char *path, char *sixel, size_t n)
{
	struct snap_plot *s = start(sizeof *s, plot_free);

	s->path = xstrdup(path);
	s->sixel = sixel;
	s->n = n;
	return s;
}

struct snap_score *snap_score_new(void)
{
	struct snap_score *s = start(sizeof *s, plain_free);

	s->stored_bpw = s->nll = s->ppl = s->kl = s->se = s->top1 = (double)NAN;
	return s;
}

struct snap_progress *snap_progress_new(void)
{
	struct snap_progress *s = start(sizeof *s, plain_free);

	s->ran_s = s->whole_s = (double)NAN;
	return s;
}

struct snap_job *snap_job_new(const char *name)
{
	struct snap_job *s = start(sizeof *s, plain_free);

	snprintf(s->name, sizeof s->name, "%s", name);
	return s;
}

struct snap_device *snap_device_new(void)
{
	return start(sizeof(struct snap_device), plain_free);
}

static void model_free_snap(struct snap *s)
{
	struct snap_model *m = (struct snap_model *)s;

	xfree(m->shape);
	xfree(m->bytes);
	xfree(m->nominal);
	xfree(m);
}

struct snap_model *snap_model_new(size_t n, size_t k)
{
	struct snap_model *m = start(sizeof *m, model_free_snap);

	m->n = n;
	m->k = k;
	m->shape = xarray(n + 1, sizeof *m->shape);
	m->bytes = xarray(n * k + 1, sizeof *m->bytes);
	m->nominal = xarray(n * k + 1, sizeof *m->nominal);
	return m;
}

static void map_free(struct snap *s)
{
	xfree(((struct snap_map *)s)->cell);
	xfree(((struct snap_map *)s)->part);
	xfree(s);
}

struct snap_map *snap_map_new(size_t n, size_t k)
{
	struct snap_map *m = start(sizeof *m, map_free);

	m->n = n;
	m->k = k;
	m->cell = xarray(n * k + 1, sizeof *m->cell);
	return m;
}

void snap_map_parts(struct snap_map *m, size_t sources)
{
	xfree(m->part);
	m->sources = sources;
	m->part = sources ? xarray(sources * m->n * m->k + 1, sizeof *m->part) : NULL;
}

static void variants_free(struct snap *s)
{
	xfree(((struct snap_variants *)s)->at);
	xfree(s);
}

struct snap_variants *snap_variants_new(size_t n, size_t k)
{
	struct snap_variants *v = start(sizeof *v, variants_free);

	v->n = n;
	v->k = k;
	v->at = xarray(n * k + 1, sizeof *v->at);
	return v;
}

static void odds_free(struct snap *s)
{
	xfree(((struct snap_odds *)s)->prob);
	xfree(s);
}

struct snap_odds *snap_odds_new(size_t n, size_t k)
{
	struct snap_odds *o = start(sizeof *o, odds_free);

	o->n = n;
	o->k = k;
	o->prob = xarray(n * k + 1, sizeof *o->prob);
	return o;
}

static void front_free_snap(struct snap *s)
{
	struct snap_front *f = (struct snap_front *)s;

	xfree(f->bytes);
	xfree(f->kl);
	xfree(f->point);
	xfree(f);
}

struct snap_front *snap_front_new(size_t n, size_t n_points)
{
	struct snap_front *f = start(sizeof *f, front_free_snap);

	f->n = n;
	f->n_points = n_points;
	f->bytes = xarray(n + 1, sizeof *f->bytes);
	f->kl = xarray(n + 1, sizeof *f->kl);
	f->point = xarray(n_points + 1, sizeof *f->point);
	return f;
}

static void answer_free(struct snap *s)
{
	struct snap_answer *a = (struct snap_answer *)s;

	xfree(a->choice);
	xfree(a->pin);
	xfree(a->floor);
	xfree(a->tie);
	xfree(a->price);
	xfree(a->a_choice);
	xfree(a);
}

struct snap_answer *snap_answer_new(size_t n, bool with_a)
{
	struct snap_answer *a = start(sizeof *a, answer_free);

	a->n = n;
	a->choice = xarray(n + 1, sizeof *a->choice);
	a->pin = xarray(n + 1, sizeof *a->pin);
	a->floor = xarray(n + 1, sizeof *a->floor);
	a->rules_kl = a->a_measured_kl = (double)NAN;
	a->better.kl = (double)NAN;
	a->a_choice = with_a ? xarray(n + 1, sizeof *a->a_choice) : NULL;
	a->has_a = with_a;
	return a;
}

static void chat_free(struct snap *s)
{
	struct snap_chat *c = (struct snap_chat *)s;

	xfree(c->text);
	xfree(c->piece);
	xfree(c);
}

const char *chat_shares_text(const struct chat_stats *s, char out[SHARES_TEXT])
{
	const struct chat_shares *p = &s->shares;
	int n;

	out[0] = '\0';
	if (!(p->linears > 0))
		return out;
	n = snprintf(out, SHARES_TEXT, "%.1f", s->read_rate * 1e-9);
	if (s->wall_rate > 0)
		n += snprintf(out + n, (size_t)(SHARES_TEXT - n), " of %.1f", s->wall_rate * 1e-9);
	snprintf(out + n, (size_t)(SHARES_TEXT - n),
		" GB/s  linears %.0f %%  head %.0f %%  attention %.0f %%  sampling %.0f %%  "
		"other %.0f %%  waiting %.0f %%",
		100 * p->linears, 100 * p->head, 100 * p->attention, 100 * p->sampling,
		100 * p->other, 100 * p->waiting);
	return out;
}

struct snap_chat *snap_chat_new(
	const char *text, size_t len, const struct chat_piece *piece, size_t n)
{
	struct snap_chat *c = start(sizeof *c, chat_free);

	c->text = xalloc(len + 1);
	if (len)
		memcpy(c->text, text, len);
	c->len = len;
	c->piece = xarray(n + 1, sizeof *piece);
	if (n)
		memcpy(c->piece, piece, n * sizeof *piece);
	c->n = n;
	return c;
}

static void ab_free(struct snap *s)
{
	struct snap_ab *a = (struct snap_ab *)s;

	for (int i = 0; i < 2; i++)
		snap_unref((struct snap *)a->side[i].chat);
	xfree(a->kl);
	xfree(a);
}

struct snap_ab *snap_ab_new(size_t n_kl)
{
	struct snap_ab *a = start(sizeof *a, ab_free);

	a->kl = n_kl ? xarray(n_kl, sizeof *a->kl) : NULL;
	a->n_kl = n_kl;
	for (int i = 0; i < 2; i++)
		a->side[i].bpw = (double)NAN;
	return a;
}

static void votes_free(struct snap *s)
{
	xfree(((struct snap_votes *)s)->pair);
	xfree(s);
}

struct snap_votes *snap_votes_new(size_t n)
{
	struct snap_votes *v = start(sizeof *v, votes_free);

	v->n = n;
	v->pair = xarray(n + 1, sizeof *v->pair);
	return v;
}

double snap_from_mark(const struct snap_answer *a, bool *measured)
{
	*measured = a->has_a && isfinite(a->measured_kl) && isfinite(a->a_measured_kl);
	if (*measured)
		return a->measured_kl - a->a_measured_kl;
	return a->has_a && a->in_nats ? a->kl - a->a_kl : (double)NAN;
}

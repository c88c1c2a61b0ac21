/* layout.c - the choice of a format for every linear, and what it adds up to. */
#include "core/quant/layout.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/model/model.h"

/* A copy that fits, cut between characters. */
static void name_copy(char *out, size_t cap, const char *s)
{
	size_t n = strlen(s);

	if (n >= cap) {
		n = cap - 1;
		n -= utf8_partial_tail(s, n);
	}
	memcpy(out, s, n);
	out[n] = '\0';
}

void layout_init(struct layout *l, const struct model *m, const struct format *f, size_t k)
{
	*l = (struct layout){ .n = m->n_linears,
		.k = k < FORMAT_MAX ? k : FORMAT_MAX,
		.weights = m->weights,
		.predicted_kl = NAN,
		.predicted_se = NAN };
	name_copy(l->model_name, sizeof l->model_name, m->ck->name);
	snprintf(l->model_sha, sizeof l->model_sha, "%s", m->ck->header_sha256);
	for (size_t i = 0; i < l->k; i++)
		l->format[i] = f[i];
	l->choice = xarray(l->n + 1, sizeof *l->choice);
	l->by = xarray(l->n + 1, sizeof *l->by);
	layout_count(l, m);
}

void layout_copy(struct layout *to, const struct layout *from)
{
	*to = *from;
	to->choice = xarray(from->n + 1, sizeof *to->choice);
	to->by = xarray(from->n + 1, sizeof *to->by);
	if (!from->n)
		return;
	memcpy(to->choice, from->choice, from->n * sizeof *to->choice);
	memcpy(to->by, from->by, from->n * sizeof *to->by);
}

void layout_release(struct layout *l)
{
	xfree(l->choice);
	xfree(l->by);
	*l = (struct layout){ 0 };
}

void layout_count(struct layout *l, const struct model *m)
{
	l->bytes = 0;
	for (size_t i = 0; i < l->n; i++) {
		const struct linear *w = &m->linear[i];
		struct format f = l->format[l->choice[i]];

		l->bytes += format_is_keep(f) ? w->file_bytes : format_bytes(f, w->rows, w->cols);
	}
}

double layout_stored_bpw(const struct layout *l)
{
	return l->weights ? (double)l->bytes * 8 / (double)l->weights : 0;
}

double layout_nominal(const struct model *m, size_t linear, struct format f)
{
	const struct mat *w = &m->linear[linear].ref;

	if (!format_is_keep(f))
		return format_nominal(f);
	if (w->type == MAT_INT)
		return format_nominal(format_int(w->bits, w->group));
	return w->type == MAT_F32 ? 32 : 16;
}

double layout_nominal_bpw(const struct layout *l, const struct model *m)
{
	double sum = 0, weights = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct linear *w = &m->linear[i];
		double n = (double)w->rows * (double)w->cols;

		sum += n * layout_nominal(m, i, l->format[l->choice[i]]);
		weights += n;
	}
	return weights > 0 ? sum / weights : 0;
}

uint64_t layout_file_bytes(const struct layout *l, const struct model *m)
{
	uint64_t linears = 0, all = m->ck->file_bytes;

	for (size_t i = 0; i < m->n_linears; i++)
		linears += m->linear[i].file_bytes;
	return l->bytes + (all > linears ? all - linears : 0);
}

/* lib_plain.c - see lib_plain.h. */
#include "tests/lib_plain.h"

#include <math.h>
#include <string.h>

#include "core/base/alloc.h"

struct span batch[SEQS] = { { NULL, 5 }, { NULL, 9 }, { NULL, 2 } };

static double *widened(const float *x, size_t n)
{
	double *d = xarray(n, sizeof *d);

	for (size_t i = 0; i < n; i++)
		d[i] = (double)x[i];
	return d;
}

static double *rows_of(const struct model *m, const struct mat *w)
{
	float *x = m->be->alloc(w->rows * w->cols * sizeof *x);
	double *d;

	m->be->dequant(x, w, 0, w->rows);
	d = widened(x, w->rows * w->cols);
	m->be->free(x);
	return d;
}

struct plain plain_of(const struct model *m)
{
	struct plain p = { .m = m };

	p.w = xarray(m->n_linears, sizeof *p.w);
	p.gain = xarray(2 * m->hp.layers + 1, sizeof *p.gain);
	for (size_t i = 0; i < m->n_linears; i++)
		p.w[i] = rows_of(m, m->ref[i]);
	for (size_t l = 0; l < m->hp.layers; l++) {
		p.gain[2 * l] = widened(m->attn_norm[l], m->hp.hidden);
		p.gain[2 * l + 1] = widened(m->mlp_norm[l], m->hp.hidden);
	}
	p.gain[2 * m->hp.layers] = widened(m->final_norm, m->hp.hidden);
	p.embed = rows_of(m, &m->embed);
	p.head = rows_of(m, &m->head);
	return p;
}

void plain_free(struct plain *p)
{
	for (size_t i = 0; i < p->m->n_linears; i++)
		xfree(p->w[i]);
	for (size_t i = 0; i <= 2 * p->m->hp.layers; i++)
		xfree(p->gain[i]);
	xfree(p->w);
	xfree(p->gain);
	xfree(p->embed);
	xfree(p->head);
}

static void multiply(double *y, const double *w, const double *x, size_t m, size_t out, size_t in)
{
	for (size_t i = 0; i < m; i++)
		for (size_t o = 0; o < out; o++) {
			const double *a = w + o * in, *b = x + i * in;
			double sum[4] = { 0 }; /* one waits for itself */

			for (size_t k = 0; k < in; k++)
				sum[k % 4] += a[k] * b[k];
			y[i * out + o] = sum[0] + sum[1] + sum[2] + sum[3];
		}
}

static void normalised(double *y, const double *x, const double *g, size_t m, size_t n, double eps)
{
	for (size_t i = 0; i < m; i++) {
		double sum = 0, r;

		for (size_t k = 0; k < n; k++)
			sum += x[i * n + k] * x[i * n + k];
		r = 1 / sqrt(sum / (double)n + eps);
		for (size_t k = 0; k < n; k++)
			y[i * n + k] = x[i * n + k] * r * g[k];
	}
}

static void turned(double *x, size_t m, size_t heads, const struct model *model)
{
	size_t dim = model->hp.head_dim, half = dim / 2;

	for (size_t p = 0; p < m; p++)
		for (size_t h = 0; h < heads; h++)
			for (size_t i = 0; i < half; i++) {
				double *v = x + (p * heads + h) * dim;
				double a = (double)p * (double)model->inv_freq[i];
				size_t u = model->hp.rope_pairs ? 2 * i : i;
				size_t w = model->hp.rope_pairs ? 2 * i + 1 : i + half;
				double vu = v[u], vw = v[w];

				v[u] = vu * cos(a) - vw * sin(a);
				v[w] = vw * cos(a) + vu * sin(a);
			}
}

static void attended(double *out, const double *q, const double *k, const double *v, size_t m,
	const struct hparams *hp)
{
	size_t dim = hp->head_dim, group = hp->heads / hp->kv_heads;
	double *p = xarray(m, sizeof *p);

	for (size_t h = 0; h < hp->heads; h++)
		for (size_t i = 0; i < m; i++) {
			size_t from = hp->window && i + 1 > hp->window ? i + 1 - hp->window : 0;
			const double *qi = q + (i * hp->heads + h) * dim;
			double sum = 0, *o = out + (i * hp->heads + h) * dim;

			memset(o, 0, dim * sizeof *o);
			for (size_t j = from; j <= i; j++) {
				const double *kj = k + (j * hp->kv_heads + h / group) * dim;

				p[j] = 0;
				for (size_t c = 0; c < dim; c++)
					p[j] += qi[c] * kj[c];
				p[j] = exp(p[j] / sqrt((double)dim));
				sum += p[j];
			}
			for (size_t j = from; j <= i; j++) {
				const double *vj = v + (j * hp->kv_heads + h / group) * dim;
				double share = p[j] / sum;

				for (size_t c = 0; c < dim; c++)
					o[c] += share * vj[c];
			}
		}
	xfree(p);
}

/* One sequence; adds the loss of its labelled rows. */
static double sequence_loss(
	const struct plain *p, const int32_t *ids, const int32_t *label, size_t m)
{
	const struct hparams *hp = &p->m->hp;
	size_t d = hp->hidden, nq = hp->heads * hp->head_dim, nk = hp->kv_heads * hp->head_dim;
	double *h = xarray(m * d, sizeof *h), *x = xarray(m * d, sizeof *x), *z, total = 0;
	double *q = xarray(m * nq, sizeof *q), *k = xarray(m * nk, sizeof *k);
	double *v = xarray(m * nk, sizeof *v), *a = xarray(m * nq, sizeof *a);
	double *g = xarray(m * hp->inter, sizeof *g), *u = xarray(m * hp->inter, sizeof *u);

	for (size_t i = 0; i < m; i++)
		memcpy(h + i * d, p->embed + (size_t)ids[i] * d, d * sizeof *h);
	for (size_t l = 0; l < hp->layers; l++) {
		double *const *w = p->w + l * LINEAR_KINDS;

		normalised(x, h, p->gain[2 * l], m, d, hp->eps);
		multiply(q, w[LINEAR_Q], x, m, nq, d);
		multiply(k, w[LINEAR_K], x, m, nk, d);
		multiply(v, w[LINEAR_V], x, m, nk, d);
		turned(q, m, hp->heads, p->m);
		turned(k, m, hp->kv_heads, p->m);
		attended(a, q, k, v, m, hp);
		multiply(x, w[LINEAR_O], a, m, d, nq);
		for (size_t i = 0; i < m * d; i++)
			h[i] += x[i];
		normalised(x, h, p->gain[2 * l + 1], m, d, hp->eps);
		multiply(g, w[LINEAR_GATE], x, m, hp->inter, d);
		multiply(u, w[LINEAR_UP], x, m, hp->inter, d);
		for (size_t i = 0; i < m * hp->inter; i++)
			g[i] = g[i] / (1 + exp(-g[i])) * u[i];
		multiply(x, w[LINEAR_DOWN], g, m, d, hp->inter);
		for (size_t i = 0; i < m * d; i++)
			h[i] += x[i];
	}
	normalised(x, h, p->gain[2 * hp->layers], m, d, hp->eps);
	z = xarray(m * hp->vocab, sizeof *z);
	multiply(z, p->head, x, m, hp->vocab, d);
	for (size_t i = 0; i < m; i++) {
		double sum = 0;

		for (size_t j = 0; j < hp->vocab; j++)
			sum += exp(z[i * hp->vocab + j]);
		if (label[i] >= 0)
			total += log(sum) - z[i * hp->vocab + (size_t)label[i]];
	}
	double *const all[] = { h, x, z, q, k, v, a, g, u };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		xfree(all[i]);
	return total;
}

double plain_loss(const struct plain *p, const int32_t *ids, const int32_t *label)
{
	double sum = 0;

	for (size_t i = 0, at = 0; i < SEQS; at += batch[i++].rows)
		sum += sequence_loss(p, ids + at, label + at, batch[i].rows);
	return sum;
}

size_t plain_rows(void)
{
	size_t n = 0;

	for (size_t i = 0; i < SEQS; i++)
		n += batch[i].rows;
	return n;
}

int32_t *plain_letters(void)
{
	static const char text[] = "the model and its bits";
	int32_t *ids = xarray(plain_rows(), sizeof *ids);

	for (size_t i = 0; i < plain_rows(); i++)
		ids[i] = text[(i + i / 22) % (sizeof text - 1)];
	return ids;
}

void plain_labels(int32_t *label, const struct model *m, const int32_t *ids)
{
	for (size_t i = 0; i < plain_rows(); i++)
		label[i] = i % 4 == 1 || i == 14 ? -1 : (ids[i] + 3) % (int32_t)m->hp.vocab;
}

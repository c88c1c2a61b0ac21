/* verbs_sources.c - what `scan` prints of several texts: each one's columns, and how far they
 * agree. */
#include <math.h>
#include <stdio.h>

#include "app/verbs.h"
#include "app/verbs_sources.h"
#include "core/base/alloc.h"
#include "core/base/json.h"
#include "core/work/desk.h"

void sources_json(struct json_out *o, const struct desk *d)
{
	char name[SOURCE_NAME];

	if (d->sources.n < 2)
		return;
	json_open(o, "sources", '[');
	for (size_t i = 0; i < d->sources.n; i++) {
		const struct token_text *t = &d->source[i].text;

		json_open(o, NULL, '{');
		json_put_str(o, "name", source_name(&d->sources, i, name));
		json_put_f64(o, "weight", d->sources.at[i].weight);
		json_put_i64(o, "tokens", (int64_t)(t->n_seq * t->len));
		json_put_str(o, "text_hash", d->source[i].hash);
		json_close(o, '}');
	}
	json_close(o, ']');
}

void sources_cell_json(struct json_out *o, const struct desk *d, size_t at)
{
	if (d->sources.n < 2)
		return;
	json_open(o, "sources", '[');
	for (size_t i = 0; i < d->sources.n; i++) {
		const struct map_cell *c = &d->source[i].cell[at];

		json_open(o, NULL, '{');
		json_put_f64(o, "kl", (double)c->value);
		json_put_f64(o, "se", (double)c->se);
		json_put_i64(o, "tokens", c->tokens);
		json_close(o, '}');
	}
	json_close(o, ']');
}

void sources_head(const struct desk *d)
{
	char name[SOURCE_NAME];

	for (size_t i = 0; i < d->sources.n && d->sources.n > 1; i++) {
		source_name(&d->sources, i, name);
		printf("\tKL %s\tse %s", name, name);
	}
	printf("\n");
}

void sources_cell(const struct desk *d, size_t at)
{
	char kl[24], se[24];

	for (size_t i = 0; i < d->sources.n && d->sources.n > 1; i++)
		printf("\t%s\t%s", verb_number(kl, 6, (double)d->source[i].cell[at].value),
			verb_number(se, 3, (double)d->source[i].cell[at].se));
	printf("\n");
}

/* ---- do they agree? */

static size_t pairs_of(const struct desk *d, struct source_pair pair[SOURCE_PAIRS])
{
	size_t nk = d->set.n * d->set.k, pairs;
	struct map_cell *part;

	if (d->sources.n < 2)
		return 0;
	part = xarray(d->sources.n * nk + 1, sizeof *part);
	for (size_t i = 0; i < d->sources.n * nk; i++)
		part[i] = d->source[i / nk].cell[i % nk];
	pairs = sources_agree(d->sources.n, part, d->set.n, d->set.k, pair);
	xfree(part);
	return pairs;
}

static void put_pair(struct json_out *o, const struct desk *d, const struct source_pair *p)
{
	char a[SOURCE_NAME], b[SOURCE_NAME], fmt[FORMAT_NAME];

	json_open(o, NULL, '{');
	json_put_str(o, "a", source_name(&d->sources, p->a, a));
	json_put_str(o, "b", source_name(&d->sources, p->b, b));
	json_put_f64(o, "rho", p->rho);
	json_put_i64(o, "n", (int64_t)p->n);
	json_open(o, "formats", '[');
	for (size_t f = 0; f < d->set.k; f++) {
		if (f == d->keep)
			continue;
		json_open(o, NULL, '{');
		json_put_str(o, "format", format_name(d->set.format[f], fmt));
		json_put_f64(o, "rho", p->format_rho[f]);
		json_put_i64(o, "n", (int64_t)p->format_n[f]);
		json_close(o, '}');
	}
	json_close(o, ']');
	json_close(o, '}');
}

void sources_pairs_json(struct json_out *o, const struct desk *d)
{
	struct source_pair pair[SOURCE_PAIRS];
	size_t n = pairs_of(d, pair);

	if (!n)
		return;
	json_open(o, "rank_correlation", '[');
	for (size_t i = 0; i < n; i++)
		put_pair(o, d, &pair[i]);
	json_close(o, ']');
}

void sources_pairs(const struct desk *d)
{
	struct source_pair pair[SOURCE_PAIRS];
	size_t n = pairs_of(d, pair);
	char a[SOURCE_NAME], b[SOURCE_NAME], fmt[FORMAT_NAME];

	if (n)
		printf("# rank correlation\ttext\ttext\tformat\trho\tcells\n");
	for (size_t i = 0; i < n; i++) {
		const struct source_pair *p = &pair[i];

		source_name(&d->sources, p->a, a);
		source_name(&d->sources, p->b, b);
		printf("# rank correlation\t%s\t%s\tall\t%.4f\t%zu\n", a, b, p->rho, p->n);
		for (size_t f = 0; f < d->set.k; f++)
			if (f != d->keep)
				printf("# rank correlation\t%s\t%s\t%s\t%.4f\t%zu\n", a, b,
					format_name(d->set.format[f], fmt), p->format_rho[f],
					p->format_n[f]);
	}
}

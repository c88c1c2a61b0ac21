/* test_ab_compare.c - what is said about two answers to the same, against sums over whole rows of
 * logits. */
#include "tests/ab_fixture.h"

TestSuite(ab_compare, .init = set_up, .fini = tear_down, .timeout = 120);

Test(ab_compare, a_layout_and_itself_differ_nowhere_and_kl_is_0)
{
	struct ab_options o = options(3);
	struct ab *p = pair_of(all[0], all[0], &o);
	struct ab_texts *t;
	struct ab_result r;
	struct snap_ab *s;

	say(p, "hello there");
	r = compared(p, &t);
	cr_assert_gt(r.n, 0);
	cr_assert_eq(r.sums.kl_mean, 0);
	cr_assert_eq(r.sums.kl_max, 0);
	cr_assert_eq(r.sums.top1, 1);
	for (size_t i = 0; i < r.n; i++)
		cr_assert_eq(r.kl[i], 0);
	ab_set_compared(p, o.turn, &r);
	s = ab_snapshot(p);
	cr_assert_eq(s->differs, 0);
	cr_assert_eq(s->state, AB_COMPARED);
	for (int i = 0; i < 2; i++)
		for (size_t k = 0; k < s->side[i].chat->n; k++)
			cr_assert_not(s->side[i].chat->piece[k].differs);
	snap_unref(&s->snap);
	ab_texts_free(t);
	ab_free(p);
}

/* Logits after each token of a text, a token at a time through a cache: [n][vocab]. */
static float *rows(const struct mat *const *view, const struct ab_text *t)
{
	size_t n = t->before + t->said, vocab = d->m->hp.vocab;
	float *z = xarray(n * vocab, sizeof *z);
	struct fwd *f;
	struct kv *kv;

	ok(fwd_new(&f, d->m, 1, &e));
	ok(kv_new(&kv, d->m, n, KV_F32, &e));
	for (size_t i = 0; i < n; i++)
		ok(fwd_step(f, view, &kv, &t->ids[i], 1, z + i * vocab, NULL, &e));
	kv_free(kv);
	fwd_free(f);
	return z;
}

static double *softmax(const float *z)
{
	size_t vocab = d->m->hp.vocab;
	double *p = xarray(vocab, sizeof *p), most = -INFINITY, sum = 0;

	for (size_t i = 0; i < vocab; i++)
		most = fmax(most, (double)z[i]);
	for (size_t i = 0; i < vocab; i++)
		sum += p[i] = exp((double)z[i] - most);
	for (size_t i = 0; i < vocab; i++)
		p[i] /= sum;
	return p;
}

static size_t largest(const double *p)
{
	size_t at = 0;

	for (size_t i = 0; i < d->m->hp.vocab; i++)
		at = p[i] > p[at] ? i : at;
	return at;
}

/* One text under two views, from whole distributions. */
static void by_hand(const struct ab_text *t, const struct mat *const *p_view,
	const struct mat *const *q_view, double *kl, double nll[2], size_t *agree)
{
	size_t vocab = d->m->hp.vocab;
	float *zp = rows(p_view, t), *zq = rows(q_view, t);

	nll[0] = nll[1] = 0;
	*agree = 0;
	for (size_t i = 0; i < t->said; i++) {
		size_t row = t->before + i - 1, next = (size_t)t->ids[t->before + i];
		double *p = softmax(zp + row * vocab), *q = softmax(zq + row * vocab);

		kl[i] = 0;
		for (size_t v = 0; v < vocab; v++)
			kl[i] += p[v] > 0 ? p[v] * log(p[v] / q[v]) : 0;
		nll[0] -= log(p[next]) / (double)t->said;
		nll[1] -= log(q[next]) / (double)t->said;
		*agree += largest(p) == largest(q);
		xfree(p);
		xfree(q);
	}
	xfree(zp);
	xfree(zq);
}

Test(ab_compare, kl_agreement_and_perplexities_are_those_of_whole_distributions)
{
	struct ab_options o = options(11);
	struct ab *p;
	struct ab_texts *t;
	struct ab_result r;
	const struct mat **view[2];
	double *kl, nll[2], sum = 0, most = 0;
	size_t agree;

	o.max_tokens = 150; /* longer than what goes through the blocks together */
	o.sampler.temperature = 0.8;
	p = pair_of(all[0], all[1], &o);
	say(p, "the dial turns, and the map turns with it");
	say(p, "and then?"); /* a history behind it */
	r = compared(p, &t);
	cr_assert_eq(r.n, t->side[AB_A].said);
	kl = xarray(r.n, sizeof *kl);
	for (int i = 0; i < 2; i++) {
		view[i] = xarray(d->set.n, sizeof *view[i]);
		ok(desk_view(d, all[i], view[i], NULL, &e));
	}
	by_hand(&t->side[AB_A], view[0], view[1], kl, nll, &agree);
	for (size_t i = 0; i < r.n; i++) {
		cr_assert_float_eq((double)r.kl[i], kl[i], 1e-5 + 1e-4 * kl[i],
			"token %zu: %g, by hand %g", i, (double)r.kl[i], kl[i]);
		sum += kl[i];
		most = fmax(most, kl[i]);
	}
	cr_assert_gt(most, 1e-4, "the layouts are different");
	cr_assert_float_eq(r.sums.kl_mean, sum / (double)r.n, 1e-5);
	cr_assert_float_eq(r.sums.kl_max, most, 1e-4);
	cr_assert_float_eq(kl[r.sums.kl_at - 1], most, 1e-4);
	cr_assert_float_eq(r.sums.top1, (double)agree / (double)r.n, 1.01 / (double)r.n);
	kl = xrealloc(kl, t->side[AB_B].said * sizeof *kl);
	by_hand(&t->side[AB_B], view[0], d->m->ref, kl, nll, &agree);
	cr_assert_float_eq(r.sums.ppl_a, exp(nll[0]), 1e-4 * exp(nll[0]));
	cr_assert_float_eq(r.sums.ppl_ref, exp(nll[1]), 1e-4 * exp(nll[1]));
	big_free(r.kl);
	ab_texts_free(t);
	for (int i = 0; i < 2; i++)
		xfree(view[i]);
	xfree(kl);
	ab_free(p);
}

Test(ab_compare, the_first_differing_token_is_marked_in_both)
{
	struct snap_ab *s = NULL;
	struct ab_texts *t;
	size_t n, same = 0;

	for (uint64_t seed = 1; seed < 30 && same < 1; seed++) { /* one that begins alike */
		struct ab_options o = options(seed);
		struct ab *p = pair_of(all[1], all[0], &o);

		o.sampler.temperature = 0.3;
		ok(ab_set(p, &o, (const uint8_t *const[]){ all[1], all[0] }, (double[]){ 4.5, 2.5 },
			&e));
		say(p, "hello there");
		ok(ab_texts(p, &t, &e));
		n = t->side[0].said < t->side[1].said ? t->side[0].said : t->side[1].said;
		same = 0;
		while (same < n && t->side[0].ids[t->side[0].before + same] ==
					   t->side[1].ids[t->side[1].before + same])
			same++;
		s = ab_snapshot(p);
		cr_assert_eq(s->differs, same < n ? same + 1 : 0);
		if (!s->differs)
			same = 0;
		for (int i = 0; i < 2 && s->differs; i++) {
			const struct snap_chat *c = s->side[i].chat;
			size_t marks = 0, before = 0;

			for (size_t k = 0; k < c->n; k++) {
				marks += c->piece[k].differs;
				if (c->piece[k].who == CHAT_MODEL && !c->piece[k].differs)
					before += c->piece[k].len;
			}
			cr_assert_eq(marks, 1);
			cr_assert(same || before <= 1, "nothing, or a blank");
		}
		snap_unref(&s->snap);
		ab_texts_free(t);
		ab_free(p);
	}
	cr_assert_geq(same, 1, "none began alike");
}

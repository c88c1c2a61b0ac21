/* dial_predict.c - what is predicted, through what was measured. */
#include <math.h>

#include "core/work/dial_private.h"

double dial_predicted(const struct dial *d, double sum, double sum_se, double *se)
{
	if (d->now && d->now->in_nats)
		return predict_kl(&d->predict, sum, sum_se, se);
	if (se)
		*se = sum_se;
	return sum;
}

void dial_refit(struct dial *d)
{
	d->predict = (struct predict){ 0 };
	for (size_t i = 0; i < d->n_points && d->now && d->now->in_nats; i++)
		if (point_predicts(d->point[i].what) && !d->point_estimated[i])
			predict_add(&d->predict, dial_sum(d, d->point_choice[i], NULL),
				d->point[i].kl, d->point[i].se);
	predict_fit(&d->predict);
}

bool dial_missed(const struct dial *d, const uint8_t *choice, double kl, double se)
{
	double sum_se = (double)NAN, sum, was, was_se;

	if (!d->now || !d->now->in_nats)
		return false;
	sum = dial_sum(d, choice, &sum_se);
	was = dial_predicted(d, sum, sum_se, &was_se);
	return predict_missed(kl, se, was, was_se);
}

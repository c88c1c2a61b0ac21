/* cell_rows.c - the formats of a linear that are worth a row, and their odds in order. */
#include "app/panel/cell_rows.h"

/* 0 goes last. */
static size_t place_of(const struct snap_model *m, size_t chosen, size_t k)
{
	size_t at = chosen < m->k ? chosen : 0, off = k < at ? at - k : k - at;

	return k == chosen ? 0 : off + (format_is_mix(m->format[k]) ? FORMAT_MAX : 0);
}

struct cell_rows cell_rows_of(const struct snap_model *m, size_t at, size_t chosen, size_t room)
{
	struct cell_rows r = { 0 };
	bool in[FORMAT_MAX] = { false };
	size_t least = 0;

	for (size_t k = 0; k < m->k; k++) {
		bool mix = format_is_mix(m->format[k]);

		in[k] = k == chosen || format_fits(m->format[k], m->shape[at].cols);
		r.of += in[k];
		r.mixes |= in[k] && mix;
		least += in[k] && (!mix || k == chosen);
	}
	r.n = r.of;
	while (room && r.n > room) {
		size_t last = m->k;

		for (size_t k = 0; k < m->k; k++)
			if (in[k] && (last == m->k ||
					     place_of(m, chosen, k) >= place_of(m, chosen, last)))
				last = k;
		in[last] = false;
		r.n--;
	}
	if (!room)
		r.n = least;
	for (size_t k = 0, n = 0; k < m->k; k++)
		if (in[k])
			r.k[n++] = (uint8_t)k;
	return r;
}

size_t cell_odds_order(const float *prob, size_t k, size_t chosen, uint8_t order[FORMAT_MAX])
{
	size_t n = 0, i;

	for (size_t f = 0; f < k; f++) {
		if ((double)prob[f] < 0.005 && f != chosen)
			continue;
		for (i = n++; i && prob[order[i - 1]] < prob[f]; i--)
			order[i] = order[i - 1];
		order[i] = (uint8_t)f;
	}
	for (i = n; i-- > 2;)
		if (order[i] == chosen) {
			order[i] = order[i - 1];
			order[i - 1] = (uint8_t)chosen;
		}
	return n;
}

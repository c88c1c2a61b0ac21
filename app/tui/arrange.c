/* arrange - rows of panels into rectangles: drop, shrink, or one panel alone. */
#include "app/tui/arrange.h"

#include <math.h>
#include <string.h>

struct fit {                /* a row of what is left of the arrangement */
	int drop, h, least; /* lines wanted and needed */
	bool rest;
	int n;
	const struct arr_panel *panel[ARR_PANELS];
	struct arr_size min[ARR_PANELS];
};

struct plan {
	int n;
	struct fit row[ARR_ROWS];
};

static bool named(const char *a, const char *b)
{
	return b && !strcmp(a, b);
}

static void remove_panel(struct fit *f, int at)
{
	f->n--;
	for (int i = at; i < f->n; i++) {
		f->panel[i] = f->panel[i + 1];
		f->min[i] = f->min[i + 1];
	}
}

static void remove_row(struct plan *p, int at)
{
	p->n--;
	for (int i = at; i < p->n; i++)
		p->row[i] = p->row[i + 1];
}

/* The panels of a row that w columns can hold; the one in focus leaves last. */
static void fit_row(struct fit *f, const struct arr_row *row, int w, int h, const char *focus,
	struct arr_size (*min)(const void *arg, const char *name), const void *arg)
{
	int sum = 0;

	*f = (struct fit){ .drop = row->drop, .rest = !row->h };
	for (int i = 0; i < row->n && i < ARR_PANELS; i++) {
		struct arr_size m = min(arg, row->panel[i].name);

		if (m.w < 0 || m.w > w || m.h > h || (row->h && m.h > row->h))
			continue;
		f->panel[f->n] = &row->panel[i];
		f->min[f->n++] = (struct arr_size){ m.w > 1 ? m.w : 1, m.h > 1 ? m.h : 1 };
	}
	for (int i = 0; i < f->n; i++)
		sum += f->min[i].w;
	while (sum > w) {
		int at = f->n - 1;

		if (named(f->panel[at]->name, focus))
			at--;
		sum -= f->min[at].w;
		remove_panel(f, at);
	}
	for (int i = 0; i < f->n; i++)
		if (f->min[i].h > f->least)
			f->least = f->min[i].h;
	f->h = row->h ? row->h : f->least;
}

static int total(const struct plan *p, bool least)
{
	int sum = 0;

	for (int i = 0; i < p->n; i++)
		sum += least ? p->row[i].least : p->row[i].h;
	return sum;
}

static int next_to_drop(const struct plan *p)
{
	int at = -1;

	for (int i = 0; i < p->n; i++)
		if (p->row[i].drop && (at < 0 || p->row[i].drop < p->row[at].drop))
			at = i;
	return at;
}

/* false: even the smallest heights of the rows that stay are too much. */
static bool fit_height(struct plan *p, int h)
{
	int rest = 0, tall = 0, at;

	while (total(p, false) > h && (at = next_to_drop(p)) >= 0)
		remove_row(p, at);
	if (!p->n || total(p, true) > h)
		return false;
	for (int i = p->n - 1; i >= 0; i--) {
		int over = total(p, false) - h, slack = p->row[i].h - p->row[i].least;

		if (over > 0)
			p->row[i].h -= slack < over ? slack : over;
	}
	for (int i = 0; i < p->n; i++) {
		rest += p->row[i].rest;
		if (p->row[i].h > p->row[tall].h)
			tall = i;
	}
	if (!rest) {
		p->row[tall].h += h - total(p, false);
		return true;
	}
	for (int i = 0; i < p->n; i++)
		if (p->row[i].rest) {
			int share = (h - total(p, false)) / rest--;

			p->row[i].h += share;
		}
	return true;
}

static void widths(const struct fit *f, int w, int out[ARR_PANELS])
{
	double given = 0, free_share;
	int open = 0, sum = 0;

	for (int i = 0; i < f->n; i++) {
		given += f->panel[i]->weight;
		open += f->panel[i]->weight <= 0;
	}
	free_share = open && given < 1 ? (1 - given) / open : 0;
	if (!open || given > 1)
		given = given + free_share * open;
	else
		given = 1;
	for (int i = 0; i < f->n; i++) {
		double share = f->panel[i]->weight > 0 ? f->panel[i]->weight : free_share;

		out[i] = i == f->n - 1 ? w - sum : (int)lround(share / given * w);
		if (out[i] < f->min[i].w)
			out[i] = f->min[i].w;
		sum += out[i];
	}
	/* Minimums were met by taking too much: give back where there is slack. */
	for (int i = f->n - 1; i >= 0 && sum > w; i--) {
		int slack = out[i] - f->min[i].w, over = sum - w;
		int cut = slack < over ? slack : over;

		out[i] -= cut;
		sum -= cut;
	}
	out[f->n - 1] += w - sum;
}

static size_t place(const struct plan *p, int w, struct arr_rect *out)
{
	size_t n = 0;
	int y = 0;

	for (int i = 0; i < p->n; i++) {
		int width[ARR_PANELS] = { 0 }, x = 0;

		widths(&p->row[i], w, width);
		for (int k = 0; k < p->row[i].n; k++) {
			out[n++] = (struct arr_rect){ p->row[i].panel[k]->name, x, y, width[k],
				p->row[i].h };
			x += width[k];
		}
		y += p->row[i].h;
	}
	return n;
}

/* One panel alone: the one in focus, else the first that fits. */
static size_t single(const struct arr_rows *rows, int w, int h, const char *focus,
	struct arr_size (*min)(const void *arg, const char *name), const void *arg,
	struct arr_rect *out)
{
	for (int only_focus = focus ? 1 : 0; only_focus >= 0; only_focus--)
		for (int i = 0; i < rows->n; i++)
			for (int k = 0; k < rows->row[i].n; k++) {
				const char *name = rows->row[i].panel[k].name;
				struct arr_size m = min(arg, name);

				if (m.w < 0 || m.w > w || m.h > h ||
					(only_focus && !named(name, focus)))
					continue;
				out[0] = (struct arr_rect){ name, 0, 0, w, h };
				return 1;
			}
	return 0;
}

size_t arrange(const struct arrangement *a, int w, int h, const char *focus,
	struct arr_size (*min)(const void *arg, const char *name), const void *arg,
	struct arr_rect out[ARR_RECTS])
{
	const struct arr_rows *rows = w < ARR_NARROW && a->narrow.n ? &a->narrow : &a->wide;
	struct plan p = { 0 };

	if (w < 1 || h < 1)
		return 0;
	for (int i = 0; i < rows->n; i++) {
		fit_row(&p.row[p.n], &rows->row[i], w, h, focus, min, arg);
		if (p.row[p.n].n)
			p.n++;
	}
	if (!fit_height(&p, h))
		return single(rows, w, h, focus, min, arg, out);
	return place(&p, w, out);
}

/* estimate.c - see estimate.h for the units and their sources. */
#include "core/work/estimate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/text.h"
#include "core/model/place.h"
#include "core/work/desk_private.h"
#include "core/work/device.h"
#include "core/work/rates.h"

/* Seconds a unit where nothing was measured: SmolLM2-135M-Instruct on two cores of a Xeon with AMX
 * in a quiet hour, most of them from the stages' times in README.md ("Times"); a product of 64
 * rows with 1024 x 1024 int8 weights in float does about our_gops there. */
static const double our_gops = 180;
static const struct {
	const char *kind;
	double each;
} ours[] = { { "minmax", 4.7e-9 }, { "text", 2.7e-11 }, { "score", 5.5e-12 }, { "clip", 1.8e-8 },
	{ "fast", 4e-12 }, { "moments", 1.5e-11 }, { "gptq", 6e-11 }, { "scan", 3e-12 },
	{ "ends", 6e-12 }, { "more", 1.5e-11 }, { "measure", 6e-12 }, { "refine", 4e-12 },
	{ "export", 5e-9 } };

static const char *const stage_kind[STAGES] = { [STAGE_MINMAX] = "minmax",
	[STAGE_TEXT] = "text",
	[STAGE_SCORE] = "score",
	[STAGE_CLIP] = "clip",
	[STAGE_FAST] = "fast",
	[STAGE_CALIB] = "moments",
	[STAGE_GPTQ] = "gptq",
	[STAGE_SCAN] = "scan",
	[STAGE_ENDS] = "ends",
	[STAGE_MORE] = "more" };

const char *estimate_stage_kind(enum stage g)
{
	return stage_kind[g];
}

/* ---- rates */

/* How much quicker a product is here than where `ours` was measured. */
static double speed(const struct backend *be)
{
	static struct {
		const struct backend *of;
		double known;
	} at[2]; /* processor, device */
	struct timing_ask a = { .rows = 1024, .cols = 1024, .m = 64, .math = MATH_F32 };
	struct timing t;
	size_t i = !be->host_memory;

	if (at[i].of == be)
		return at[i].known;
	at[i].of = be;
	at[i].known = 1;
	if (!format_parse(&a.format, "int8g128", NULL) && !timing_run(&a, be, &t, NULL, NULL) &&
		t.least_us > 0)
		/* The best of the passes: others may use the machine at this moment. */
		at[i].known = 2e-3 * 1024 * 1024 * 64 / t.least_us / our_gops;
	return at[i].known;
}

/* Codes are chosen on the processor, wherever the model runs. */
static const struct backend *where(const struct desk *d, const char *kind)
{
	if (!strcmp(kind, "minmax") || !strcmp(kind, "clip") || !strcmp(kind, "gptq"))
		return backend_best();
	return d->m->be;
}

static double seconds_each(const struct desk *d, const char *kind, bool *measured)
{
	double each = 0;

	*measured = rates_get(kind, d->m->weights, &each);
	for (size_t i = 0; !*measured && i < sizeof ours / sizeof *ours; i++)
		if (!strcmp(ours[i].kind, kind))
			each = ours[i].each / (strcmp(kind, "export") ? speed(where(d, kind)) : 1);
	return each;
}

static void add_part(
	struct estimate *x, const struct desk *d, const char *what, const char *kind, double units)
{
	struct estimate_part *p = &x->part[x->n];

	if (!(units > 0) || x->n == ESTIMATE_PARTS)
		return;
	*p = (struct estimate_part){ .what = what, .units = units };
	p->seconds = units * seconds_each(d, kind, &p->measured);
	x->n++;
}

static void add_bytes(struct estimate_bytes *to, const char *what, uint64_t bytes)
{
	for (size_t i = 0; i < ESTIMATE_WORDS && bytes; i++)
		if (!to[i].what) {
			to[i] = (struct estimate_bytes){ what, bytes };
			return;
		}
}

void estimate_sum(struct estimate *x)
{
	x->seconds = 0;
	x->memory_sum = x->there_sum = x->disk_sum = 0;
	for (size_t i = 0; i < x->n; i++)
		x->seconds += x->part[i].seconds;
	for (size_t i = 0; i < ESTIMATE_WORDS; i++) {
		x->memory_sum += x->memory[i].bytes;
		x->there_sum += x->there[i].bytes;
		x->disk_sum += x->disk[i].bytes;
	}
}

static void finish(struct estimate *x, const struct desk *d, const char *dir)
{
	uint64_t room = mem_available(), space = device_address_room();

	estimate_sum(x);
	if (!d->m->be->host_memory) {
		x->there_room = place_room(d->m->be);
		snprintf(x->there_at, sizeof x->there_at, "%s", d->m->be->name);
	}
	x->memory_room = space < room ? space : room;
	x->disk_room = x->disk_sum ? fs_free_bytes(dir) : 0;
	snprintf(x->disk_at, sizeof x->disk_at, "%s", dir);
}

/* ---- units */

static double block_ops(const struct desk *d)
{
	return 2 * (double)d->m->weights;
}

static double head_ops(const struct desk *d)
{
	return 2 * (double)d->m->head.rows * (double)d->m->head.cols;
}

static size_t texts(const struct desk *d)
{
	return desk_many_texts(d) ? d->sources.n : 1;
}

static size_t scan_tokens(const struct desk *d)
{
	return d->scan_tokens ? d->scan_tokens : DESK_SCAN_TOKENS;
}

/* Tokens that the model has to write itself: those that are neither here nor in the cache. */
static double to_write(const struct desk *d, uint64_t seed, size_t n_seq, size_t len)
{
	struct token_text t = { 0 };
	bool self = !desk_many_texts(d) && !d->text_path, have;

	for (size_t i = 0; desk_many_texts(d) && i < d->sources.n; i++)
		self |= !d->sources.at[i].path;
	if (!self)
		return 0;
	have = cache_get_text(d->cache, seed, n_seq, len, &t);
	if (have)
		token_text_release(&t);
	return have ? 0 : (double)(n_seq * len);
}

static double text_units(const struct desk *d)
{
	if (d->scan_text.n_seq)
		return 0;
	return to_write(d, SEED_SCAN, desk_scan_seqs(d), DESK_SCAN_LEN) *
	       (block_ops(d) + head_ops(d));
}

static double more_units(const struct desk *d)
{
	double t = d->calib_text.n_seq >= DESK_MORE_SEQS
			   ? 0
			   : to_write(d, SEED_CALIB, DESK_MORE_SEQS, DESK_CALIB_LEN);

	t += to_write(d, SEED_MEASURE, DESK_MEASURE_SEQS, DESK_CALIB_LEN);
	return t * (block_ops(d) + head_ops(d));
}

/* Weights of cells that a quantizer has still to see. */
static double weights_units(const struct desk *d, bool clip)
{
	const struct quantizer *minmax = quantizer_find("minmax");
	double n = 0;

	for (size_t i = 0; i < d->set.n; i++)
		for (size_t f = 0; f < d->set.k; f++) {
			const struct variant *v = &d->set.slot[i * d->set.k + f];

			if (desk_staged(d, i, f) && (!v->mat.data || (clip && v->by == minmax)))
				n += (double)d->m->linear[i].rows * (double)d->m->linear[i].cols;
		}
	return n;
}

static double score_units(const struct desk *d)
{
	size_t formats = 0;

	for (size_t f = 0; f < d->set.k; f++)
		for (size_t i = 0; i < d->set.n; i++)
			if (desk_staged(d, i, f) && isnan(d->score[i * d->set.k + f])) {
				formats++;
				break;
			}
	return formats ? DESK_SCORE_TOKENS * block_ops(d) * ((double)formats + 1) : 0;
}

static double cells_units(const struct desk *d, enum cell_state state)
{
	double tokens = (double)(state == CELL_FAST ? DESK_FAST_TOKENS : scan_tokens(d)), sum = 0;
	double layers = (double)d->m->hp.layers;

	for (size_t i = 0; i < d->set.n; i++)
		for (size_t f = 0; f < d->set.k; f++) {
			uint8_t is = d->cell[i * d->set.k + f].state;
			double from = (double)(i / 7) / layers;

			if (desk_staged(d, i, f) && (is < state || is > CELL_SCANNED))
				sum += block_ops(d) * (1 - from) + head_ops(d);
		}
	return sum * tokens * (double)texts(d);
}

static bool to_calibrate(const struct desk *d, size_t i, size_t f)
{
	return desk_staged(d, i, f) && !d->best[f] && !d->calibrated[i * d->set.k + f];
}

static bool any_to_calibrate(const struct desk *d)
{
	for (size_t i = 0; i < d->set.n * d->set.k; i++)
		if (to_calibrate(d, i / d->set.k, i % d->set.k))
			return true;
	return false;
}

static double sites_sum(const struct desk *d, double power)
{
	double sum = 0;
	int last = -1;

	for (size_t i = 0; i < d->set.n; i++) {
		int site = (int)linear_site(d->m->linear[i].kind);

		if (site != last)
			sum += pow((double)d->m->linear[i].cols, power);
		last = site;
	}
	return sum;
}

static double moments_units(const struct desk *d)
{
	double tokens = DESK_CALIB_SEQS * DESK_CALIB_LEN, write;

	if (!any_to_calibrate(d) || d->moments.h)
		return 0;
	write = d->calib_text.n_seq ? 0 : to_write(d, SEED_CALIB, DESK_CALIB_SEQS, DESK_CALIB_LEN);
	return tokens * (block_ops(d) + 2 * sites_sum(d, 2)) + write * (block_ops(d) + head_ops(d));
}

static double gptq_units(const struct desk *d)
{
	double sum = any_to_calibrate(d) ? sites_sum(d, 3) : 0;

	for (size_t i = 0; i < d->set.n; i++)
		for (size_t f = 0; f < d->set.k; f++)
			if (to_calibrate(d, i, f))
				sum += (double)d->m->linear[i].rows *
				       pow((double)d->m->linear[i].cols, 2);
	return sum;
}

double estimate_measure_units(const struct desk *d, size_t tokens)
{
	return (double)tokens * 2 * (block_ops(d) + head_ops(d));
}

/* Five layouts at most (desk_points.c), fewer where one takes long. */
static double ends_units(const struct desk *d)
{
	return d->n_points ? 0 : 5 * estimate_measure_units(d, DESK_MEASURE_TOKENS);
}

double estimate_refine_units(const struct desk *d)
{
	double cells = 3 * 128 * (double)scan_tokens(d) * (block_ops(d) / 2 + head_ops(d));
	double views = 3 * 4 * (double)DESK_MORE_TOKENS * (block_ops(d) + head_ops(d));

	return (cells + views) * (double)texts(d) +
	       2 * estimate_measure_units(d, DESK_MEASURE_TOKENS);
}

double estimate_stage_units(const struct desk *d, enum stage g)
{
	switch (g) {
	case STAGE_MINMAX:
		return weights_units(d, false);
	case STAGE_TEXT:
		return text_units(d);
	case STAGE_SCORE:
		return score_units(d);
	case STAGE_CLIP:
		return weights_units(d, true);
	case STAGE_FAST:
		return cells_units(d, CELL_FAST);
	case STAGE_CALIB:
		return moments_units(d);
	case STAGE_GPTQ:
		return gptq_units(d);
	case STAGE_SCAN:
		return cells_units(d, CELL_SCANNED);
	case STAGE_ENDS:
		return ends_units(d);
	default:
		return more_units(d);
	}
}

/* ---- bytes */

/* Packed variants that are neither in memory nor mapped from the cache. */
static uint64_t variants_bytes(
	const struct desk *d, bool (*wanted)(const struct desk *, size_t, size_t))
{
	uint64_t sum = 0;

	for (size_t i = 0; i < d->set.n; i++)
		for (size_t f = 0; f < d->set.k; f++)
			if (desk_staged(d, i, f) && wanted(d, i, f))
				sum += desk_bytes(d, i, f);
	return sum;
}

static bool no_variant(const struct desk *d, size_t i, size_t f)
{
	return !d->set.slot[i * d->set.k + f].mat.data;
}

/* One linear as floats, its codes and the packed result, with its factors. */
static uint64_t quantizing_bytes(const struct desk *d)
{
	uint64_t most = 0;

	for (size_t i = 0; i < d->set.n; i++) {
		uint64_t rows = d->m->linear[i].rows, cols = d->m->linear[i].cols;
		uint64_t need = 13 * rows * cols + 16 * cols * cols;

		most = need > most ? need : most;
	}
	return most;
}

/* What the model needs where it runs. */
static struct estimate_bytes *runs_in(struct estimate *x, const struct desk *d)
{
	return d->m->be->host_memory ? x->memory : x->there;
}

static void stage_memory(struct estimate *x, const struct desk *d, enum stage last)
{
	struct token_text t = { .n_seq = (scan_tokens(d) + DESK_SCAN_LEN - 1) / DESK_SCAN_LEN *
					 texts(d),
		.len = DESK_SCAN_LEN };
	uint64_t states = last >= STAGE_SCORE ? scan_need(d->m, &t) : 0, calib = 0;

	if (last >= STAGE_GPTQ && any_to_calibrate(d))
		calib = (uint64_t)(4 * sites_sum(d, 2)) + quantizing_bytes(d);
	else if (weights_units(d, true) > 0)
		calib = quantizing_bytes(d);
	add_bytes(runs_in(x, d), "packed variants", variants_bytes(d, no_variant));
	if (calib > states || !d->m->be->host_memory)
		add_bytes(x->memory, "moments and one linear in float", calib);
	if (calib <= states || !d->m->be->host_memory)
		add_bytes(runs_in(x, d), "hidden states and logits", states);
}

/* Files of the cache: the data-free variants of a format and its best ones, cells, texts. */
static void stage_disk(struct estimate *x, const struct desk *d, enum stage last)
{
	uint64_t variants = 0, cells = 0;

	if (!d->cache)
		return;
	for (size_t f = 0; f < d->set.k; f++)
		for (size_t i = 0; i < d->set.n; i++) {
			if (!desk_staged(d, i, f))
				continue;
			if (last >= STAGE_CLIP && !d->data_free[f])
				variants += desk_bytes(d, i, f);
			if (last >= STAGE_GPTQ && !d->best[f])
				variants += desk_bytes(d, i, f);
			cells += d->cell[i * d->set.k + f].state != CELL_SCANNED;
		}
	add_bytes(x->disk, "variants in the cache", variants);
	add_bytes(x->disk, "journal and texts", cells ? cells * 3 * 120 + (256 << 10) : 0);
}

/* ---- jobs */

static void stages(struct estimate *x, const struct desk *d, enum stage last)
{
	for (int g = 0; g <= (int)last; g++)
		add_part(x, d, desk_stage_name((enum stage)g), stage_kind[g],
			estimate_stage_units(d, (enum stage)g));
	stage_memory(x, d, last);
	if (!cache_keeps(d->cache))
		return;
	stage_disk(x, d, last);
}

static void finish_in_cache(struct estimate *x, const struct desk *d)
{
	char *dir = cache_dir();

	finish(x, d, dir);
	xfree(dir);
}

void estimate_stages(struct estimate *x, const struct desk *d, enum stage last)
{
	*x = (struct estimate){ .job = "scan" };
	stages(x, d, last);
	finish_in_cache(x, d);
}

void estimate_scan(struct estimate *x, const struct desk *d)
{
	bool measured;

	estimate_stages(x, d, STAGE_MORE);
	/* Three rounds of 48 cells on more text, half of the blocks each (session_scan.c). */
	if (x->seconds > 0)
		x->later_s = 144.0 * DESK_MORE_TOKENS * (double)texts(d) *
			     (block_ops(d) / 2 + head_ops(d)) * seconds_each(d, "scan", &measured);
}

void estimate_refine(struct estimate *x, const struct desk *d)
{
	*x = (struct estimate){ .job = "refine" };
	stages(x, d, STAGE_GPTQ);
	add_part(x, d, "exchanges of bits", "refine", estimate_refine_units(d));
	finish_in_cache(x, d);
}

void estimate_measure(struct estimate *x, const struct desk *d, size_t tokens)
{
	*x = (struct estimate){ .job = "measure" };
	add_part(x, d, "measuring", "measure", estimate_measure_units(d, tokens));
	finish_in_cache(x, d);
}

void estimate_export(
	struct estimate *x, const struct desk *d, const struct layout *l, const char *dir)
{
	const char *slash = strrchr(dir, '/');
	char *parent =
		slash > dir ? xstrndup(dir, (size_t)(slash - dir)) : xstrdup(slash ? "/" : ".");
	double weights = 0, gptq = 0;
	uint64_t packed = 0, bytes = layout_file_bytes(l, d->m);

	*x = (struct estimate){ .job = "export" };
	for (size_t i = 0; i < l->n; i++) {
		size_t f = desk_format_index(d, l->format[l->choice[i]]);
		const struct linear *w = &d->m->linear[i];

		/* A format that is not the dial's yet joins it, with a variant of this linear. */
		if (format_is_keep(l->format[l->choice[i]]) ||
			(f < d->set.k && (d->best[f] || d->calibrated[i * d->set.k + f])))
			continue;
		weights += (double)w->rows * (double)w->cols;
		gptq += (double)w->rows * pow((double)w->cols, 2);
		packed += format_bytes(l->format[l->choice[i]], w->rows, w->cols);
	}
	add_part(x, d, "clip variants", "clip", weights);
	add_part(x, d, "moments to calibrate on", "moments",
		gptq > 0 && !d->moments.h ? 4096 * (block_ops(d) + 2 * sites_sum(d, 2)) : 0);
	add_part(x, d, "gptq variants", "gptq", gptq > 0 ? gptq + sites_sum(d, 3) : 0);
	add_part(x, d, "writing", "export", (double)bytes);
	add_bytes(runs_in(x, d), "packed variants", packed);
	add_bytes(x->memory, "moments and one linear in float",
		gptq > 0 ? (uint64_t)(4 * sites_sum(d, 2)) + quantizing_bytes(d) : 0);
	add_bytes(x->disk, "linears", l->bytes);
	add_bytes(x->disk, "embeddings, norms and the rest of the file", bytes - l->bytes);
	add_bytes(x->disk, "tokenizer and config", 16384 + 120 * d->m->hp.vocab);
	finish(x, d, parent);
	xfree(parent);
}

/* lib_ops.c - see lib_ops.h: the table, and the memory and the judging that all checks share. */
#include "tests/lib_ops.h"

#include <dlfcn.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/f16.h"

const struct op_check op_checks[] = {
	{ "memory", op_memory, false },
	{ "device info", op_device_info, true },
	{ "packed products, exact", op_packed_exact, false },
	{ "packed, 1 to 512 rows", op_packed_rows, false },
	{ "packed, every math", op_packed_maths, false },
	{ "packed, whole layers", op_packed_layers, false },
	{ "mixes of two widths", op_mixes, false },
	{ "dense products", op_dense, false },
	{ "products that share x", op_shared_x, false },
	{ "x of every size", op_ranges, false },
	{ "x that is not finite", op_not_finite, false },
	{ "rows as float, embedding", op_rows_as_float, false },
	{ "gemm", op_gemm, false },
	{ "gemm, empty and NaN", op_gemm_zero, false },
	{ "rmsnorm", op_rmsnorm, false },
	{ "rope", op_rope, false },
	{ "round_kv", op_round_kv, false },
	{ "attention", op_attention, false },
	{ "attention, long", op_attention_long, false },
	{ "attention, sharp", op_attention_sharp, false },
	{ "swiglu, add", op_elements, false },
	{ "row_stats", op_row_stats, false },
	{ "kl", op_kl, false },
	{ "sq_diff", op_sq_diff, false },
	{ "steps replayed", op_steps, false },
	{ "operations together", op_joined, true },
	{ "the same bits again", op_repeats, false },
	{ "products, back", op_products_back, false },
	{ "rmsnorm, back", op_rmsnorm_back, false },
	{ "attention, back", op_attention_back, false },
	{ "attention, back, NaN", op_attention_back_nan, false },
	{ "swiglu, back", op_swiglu_back, false },
	{ "losses, back", op_losses_back, false },
	{ "embedding, back", op_embed_back, false },
	{ "the same bits back", op_back_repeats, false },
	{ NULL, NULL, false },
};

enum { PAD = 256, LOOKED_AT = 8 << 20 /* inputs up to it are read back whole */ };

/* A piece of the backend's memory, or of the host's (base NULL). */
struct op_array {
	struct op_array *next;
	unsigned char *base;  /* pad, skew, bytes, pad */
	unsigned char *image; /* what was put at base; or host memory */
	size_t skew, bytes;
	bool stays;
};

/* ---- what is said */

void op_case(struct op_run *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->what, sizeof r->what, fmt, ap);
	va_end(ap);
}

void op_fail(struct op_run *r, const char *fmt, ...)
{
	size_t n;
	va_list ap;

	if (r->failed[0])
		return;
	n = (size_t)snprintf(r->failed, sizeof r->failed, "%s: ", r->what);
	va_start(ap, fmt);
	vsnprintf(r->failed + n, sizeof r->failed - n, fmt, ap);
	va_end(ap);
}

void op_share(struct op_run *r, double e, uint64_t n)
{
	r->compared += n;
	if (!(e <= r->worst)) {
		r->worst = e;
		memcpy(r->where, r->what, sizeof r->where);
	}
	if (!(e <= 1))
		op_fail(r, "the error is %.3g times what is allowed", e);
}

void op_same(struct op_run *r, const void *got, const void *want, size_t n, const char *of)
{
	const unsigned char *a = got, *b = want;

	r->compared += n / sizeof(float) + 1;
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i]) {
			op_fail(r, "%s: byte %zu of %zu is %02x, not %02x", of, i, n, a[i], b[i]);
			return;
		}
}

double op_relative(const float *got, const float *want, size_t n, double floor)
{
	double most = 0;

	for (size_t i = 0; i < n; i++) {
		double g = (double)got[i], w = (double)want[i], e = fabs(g - w) / (fabs(w) + floor);

		if (g == w || (isnan(g) && isnan(w)))
			continue;
		if (!(e <= most))
			most = isnan(e) ? INFINITY : e;
	}
	return most;
}

/* ---- memory */

static struct op_array *add(struct op_run *r, size_t bytes)
{
	struct op_array *a = xalloc(sizeof *a);

	a->bytes = bytes;
	a->next = r->arrays;
	r->arrays = a;
	return a;
}

void *op_host(struct op_run *r, size_t bytes)
{
	struct op_array *a = add(r, bytes);

	a->image = xalloc(bytes + 1);
	memset(a->image, 0xff, bytes);
	return a->image;
}

float *op_floats(struct op_run *r, size_t n, double size)
{
	float *p = op_host(r, n * sizeof *p);

	for (size_t i = 0; i < n; i++)
		p[i] = (float)(rng_normal(&r->rng) * size);
	return p;
}

static void *place(struct op_run *r, const void *host, size_t bytes, size_t skew, bool stays)
{
	struct op_array *a = add(r, bytes);
	size_t all = bytes + skew + 2 * PAD;

	a->skew = skew;
	a->stays = stays;
	a->image = xalloc(all);
	memset(a->image, 0xff, all);
	if (host)
		memcpy(a->image + PAD + skew, host, bytes);
	a->base = r->b->alloc(all);
	if (!a->base) {
		op_fail(r, "no memory for %zu bytes", all);
		op_end(r); /* nothing more can be said, and what follows must not write anywhere */
		fprintf(stderr, "%s\n", r->failed);
		_Exit(1);
	}
	r->b->put(a->base, a->image, all);
	return a->base + PAD + skew;
}

const void *op_put(struct op_run *r, const void *host, size_t bytes, size_t skew)
{
	return place(r, host, bytes, skew, true);
}

void *op_out(struct op_run *r, size_t bytes, size_t skew)
{
	return place(r, NULL, bytes, skew, false);
}

void *op_inout(struct op_run *r, const void *host, size_t bytes, size_t skew)
{
	return place(r, host, bytes, skew, false);
}

void *op_get(struct op_run *r, const void *p, size_t bytes)
{
	void *host = op_host(r, bytes);

	r->b->get(host, p, bytes);
	return host;
}

/* Bytes from ... to of an array, which must be those that were put. */
static void look(struct op_run *r, const struct op_array *a, size_t from, size_t to)
{
	unsigned char *now = xalloc(to - from + 1);

	r->b->get(now, a->base + from, to - from);
	for (size_t i = from; i < to; i++)
		if (now[i - from] != a->image[i]) {
			long at = (long)i - (long)(PAD + a->skew);
			bool within = at >= 0 && (size_t)at < a->bytes;

			op_fail(r, "%s byte %ld of memory of %zu was written",
				within ? "an input:" : "outside:", at, a->bytes);
			break;
		}
	xfree(now);
}

void op_end(struct op_run *r)
{
	struct op_array *a, *next;
	struct err e = { 0 };

	for (a = r->arrays; a; a = next) {
		next = a->next;
		if (a->base) {
			size_t begin = PAD + a->skew, end = begin + a->bytes;

			look(r, a, 0, a->stays && a->bytes <= LOOKED_AT ? end : begin);
			look(r, a, end, end + PAD);
			r->b->free(a->base);
		}
		xfree(a->image);
		xfree(a);
	}
	r->arrays = NULL;
	if (backend_fault(r->b, &e))
		op_fail(r, "%s", e.msg);
}

/* ---- matrices */

/* Codes of any value, but 0 in the padding; scales and offsets of weights about 0.1. */
static void random_codes(struct op_run *r, struct mat *w)
{
	size_t words = mat_code_bytes(w->bits, w->rows, w->cols) / sizeof(uint32_t);
	size_t groups = mat_groups(w->cols, w->group), n = w->rows * groups;
	uint32_t *data = op_host(r, words * sizeof *data);
	uint16_t *s = op_host(r, n * sizeof *s), *o = op_host(r, n * sizeof *o), *scale, *offset;
	double levels = (1 << w->bits) - 1;

	if (w->rows % MAT_TILE == 0 && w->cols % MAT_BLOCK == 0) {
		for (size_t i = 0; i < words; i++)
			data[i] = (uint32_t)(rng_u64(&r->rng) >> 32);
	} else {
		uint8_t *codes = op_host(r, w->rows * w->cols);

		for (size_t i = 0; i < w->rows * w->cols; i++)
			codes[i] = (uint8_t)(rng_u64(&r->rng) >> 32 & ((1u << w->bits) - 1));
		mat_pack(data, w->bits, w->rows, w->cols, codes);
	}
	for (size_t i = 0; i < n; i++) {
		double size = 0.02 + 0.1 * rng_unit(&r->rng);

		s[i] = f16_from_f32((float)(size / levels));
		o[i] = f16_from_f32((float)(-size * rng_unit(&r->rng)));
	}
	n = mat_stat_count(w->rows, w->cols, w->group) * sizeof *scale;
	scale = op_host(r, n);
	offset = op_host(r, n);
	mat_pack_stats(scale, w->rows, w->cols, w->group, s);
	mat_pack_stats(offset, w->rows, w->cols, w->group, o);
	w->data = data;
	w->scale = scale;
	w->offset = offset;
}

static void random_dense(struct op_run *r, struct mat *w)
{
	size_t n = w->rows * w->cols;
	float *f = op_floats(r, n, 0.05);
	uint16_t *half;

	w->data = f;
	if (w->type == MAT_F32)
		return;
	w->data = half = op_host(r, n * sizeof *half);
	for (size_t i = 0; i < n; i++)
		half[i] = w->type == MAT_F16 ? f16_from_f32(f[i]) : bf16_from_f32(f[i]);
}

static void put_part(struct op_run *r, struct mat *w)
{
	size_t stats = mat_stat_count(w->rows, w->cols, w->group) * sizeof *w->scale;

	w->data = op_put(r, w->data, mat_code_bytes(w->bits, w->rows, w->cols), 0);
	w->scale = op_put(r, w->scale, stats, 0);
	w->offset = op_put(r, w->offset, stats, 0);
}

struct op_mat op_mat(
	struct op_run *r, enum mat_type type, int bits, size_t group, size_t rows, size_t cols)
{
	struct op_mat m = { .host = { .type = type, .rows = rows, .cols = cols } };

	if (type == MAT_INT) {
		m.host.bits = bits;
		m.host.group = group;
		random_codes(r, &m.host);
		m.dev = m.host;
		put_part(r, &m.dev);
		return m;
	}
	random_dense(r, &m.host);
	m.dev = m.host;
	m.dev.data = op_put(r, m.host.data, (size_t)mat_bytes(&m.host), 0);
	return m;
}

struct op_mat op_mix(
	struct op_run *r, int bits, int low_bits, size_t rows, size_t cols, size_t high)
{
	struct op_mat a = op_mat(r, MAT_INT, bits, 32, rows, high);
	struct op_mat b = op_mat(r, MAT_INT, low_bits, 64, rows, cols - high);
	uint16_t *order = op_host(r, cols * sizeof *order);

	for (size_t i = 0; i < cols; i++)
		order[i] = (uint16_t)i;
	for (size_t i = cols; i-- > 1;) {
		size_t k = rng_below(&r->rng, (uint32_t)i + 1);
		uint16_t t = order[i];

		order[i] = order[k];
		order[k] = t;
	}
	for (int dev = 0; dev < 2; dev++) {
		struct mat *to = dev ? &a.dev : &a.host, *low = dev ? &b.dev : &b.host;

		to->type = MAT_MIX;
		to->cols = cols;
		to->high = high;
		to->low_bits = low->bits;
		to->low_group = low->group;
		to->low_data = low->data;
		to->low_scale = low->scale;
		to->low_offset = low->offset;
	}
	a.host.order = order;
	a.dev.order = op_put(r, order, cols * sizeof *order, 0);
	return a;
}

const char *op_mat_name(const struct mat *w, char out[80])
{
	static const char *const dense[] = { "f32", "f16", "bf16" };

	if (w->type == MAT_INT)
		snprintf(out, 80, "%zu x %zu int%dg%zu", w->rows, w->cols, w->bits, w->group);
	else if (w->type == MAT_MIX)
		snprintf(out, 80, "%zu x %zu mix of %zu int%dg%zu and int%dg%zu", w->rows, w->cols,
			w->high, w->bits, w->group, w->low_bits, w->low_group);
	else
		snprintf(out, 80, "%zu x %zu %s", w->rows, w->cols, dense[w->type]);
	return out;
}

/* ---- running */

bool op_check_run(const struct op_check *c, struct op_run *r)
{
	rng_seed(&r->rng, 1);
	r->worst = 0;
	r->compared = 0;
	r->failed[0] = 0;
	r->where[0] = 0;
	op_case(r, "%s", c->name);
	c->run(r);
	op_end(r);
	if (!r->compared)
		op_fail(r, "nothing was compared");
	return !r->failed[0];
}

const struct backend *op_open(const char *so, const char *name, char *why, size_t size)
{
	const struct backend *const *(*entry)(void), *const *all;
	struct err e = { 0 };
	void *at = dlopen(so, RTLD_NOW | RTLD_LOCAL);
	char have[120] = "";

	if (!at) {
		snprintf(why, size, "%s", dlerror());
		return NULL;
	}
	*(void **)&entry = dlsym(at, "bd_backend_entry");
	all = entry ? entry() : NULL;
	if (!all || !all[0]) {
		snprintf(why, size, all ? "%s has no device to offer" : "%s is no backend", so);
		return NULL;
	}
	for (size_t i = 0; all[i]; i++) {
		size_t n = strlen(have);

		snprintf(have + n, sizeof have - n, "%s%s", i ? ", " : "", all[i]->name);
		if (name && strcmp(name, all[i]->name))
			continue;
		if (all[i]->abi != BD_BACKEND_ABI || all[i]->size != sizeof(struct backend)) {
			snprintf(why, size, "%s is of backend ABI %d, not %d", so, all[i]->abi,
				BD_BACKEND_ABI);
			return NULL;
		}
		if (!all[i]->score()) {
			snprintf(why, size, "%s cannot be used: %s", all[i]->name, all[i]->path());
			return NULL;
		}
		if (all[i]->open && all[i]->open(&e)) {
			snprintf(why, size, "%s", e.msg);
			return NULL;
		}
		return all[i];
	}
	snprintf(why, size, "there is no %s here: %s", name, have);
	return NULL;
}

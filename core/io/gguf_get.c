/* gguf_get.c - values of a parsed GGUF header by key, type and range checked, and the numbers
 * that stand for types. */
#include "core/io/gguf.h"

#include <stdlib.h>
#include <string.h>

static const char *const type_name[GGUF_TYPES] = { "an integer", "an integer", "an integer",
	"an integer", "an integer", "an integer", "a number", "a bool", "a string", "an array",
	"an integer", "an integer", "a number" };

/* ggml's tensor types.  dtype -1: known, but not read here. */
static const struct {
	const char *name;
	int dtype;
} ggml_types[] = {
	[0] = { "F32", DT_F32 },
	[1] = { "F16", DT_F16 },
	[2] = { "Q4_0", DT_Q4_0 },
	[3] = { "Q4_1", DT_Q4_1 },
	[6] = { "Q5_0", DT_Q5_0 },
	[7] = { "Q5_1", DT_Q5_1 },
	[8] = { "Q8_0", DT_Q8_0 },
	[9] = { "Q8_1", -1 },
	[10] = { "Q2_K", -1 },
	[11] = { "Q3_K", -1 },
	[12] = { "Q4_K", DT_Q4_K },
	[13] = { "Q5_K", -1 },
	[14] = { "Q6_K", DT_Q6_K },
	[15] = { "Q8_K", -1 },
	[16] = { "IQ2_XXS", -1 },
	[17] = { "IQ2_XS", -1 },
	[18] = { "IQ3_XXS", -1 },
	[19] = { "IQ1_S", -1 },
	[20] = { "IQ4_NL", -1 },
	[21] = { "IQ3_S", -1 },
	[22] = { "IQ2_S", -1 },
	[23] = { "IQ4_XS", -1 },
	[24] = { "I8", -1 },
	[25] = { "I16", -1 },
	[26] = { "I32", -1 },
	[27] = { "I64", -1 },
	[28] = { "F64", -1 },
	[29] = { "IQ1_M", -1 },
	[30] = { "BF16", DT_BF16 },
	[34] = { "TQ1_0", -1 },
	[35] = { "TQ2_0", -1 },
	[39] = { "MXFP4", -1 },
	[40] = { "NVFP4", -1 },
	[41] = { "Q1_0", -1 },
};

const char *gguf_tensor_type(uint64_t number, int *dtype)
{
	if (number >= sizeof ggml_types / sizeof *ggml_types)
		return NULL;
	*dtype = ggml_types[number].dtype;
	return ggml_types[number].name;
}

uint64_t gguf_le(const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | p[n];
	return v;
}

int gguf_compare(const char *a, size_t n, const char *b, size_t m)
{
	int d = memcmp(a, b, n < m ? n : m);

	return d ? d : (n > m) - (n < m);
}

static int by_key(const void *a, const void *b)
{
	const struct gguf_kv *x = a, *y = b;

	return gguf_compare(x->key, x->key_len, y->key, y->key_len);
}

const struct gguf_kv *gguf_find(const struct gguf *g, const char *key)
{
	struct gguf_kv want = { .key = key, .key_len = strlen(key) };

	return g->n_kv ? bsearch(&want, g->kv, g->n_kv, sizeof *g->kv, by_key) : NULL;
}

static enum st wrong_type(const struct gguf *g, const char *key, const char *expected,
	enum gguf_type got, struct err *e)
{
	return err_set(e, ST_FORMAT, "%s: %s: expected %s, got %s", g->where, key, expected,
		type_name[got]);
}

enum st gguf_u64(const struct gguf *g, const char *key, uint64_t lo, uint64_t hi, uint64_t *out,
	struct err *e)
{
	const struct gguf_kv *kv = gguf_find(g, key);
	uint64_t v;
	bool negative = false;

	if (!kv)
		return ST_OK;
	if (kv->type == GGUF_F32 || kv->type == GGUF_F64 || kv->type == GGUF_BOOL ||
		kv->type == GGUF_STRING || kv->type == GGUF_ARRAY)
		return wrong_type(g, key, "an integer", kv->type, e);
	v = gguf_le(g->head + kv->at, kv->bytes);
	if (kv->type == GGUF_I8 || kv->type == GGUF_I16 || kv->type == GGUF_I32 ||
		kv->type == GGUF_I64)
		negative = v >> (8 * kv->bytes - 1);
	if (negative)
		return err_set(e, ST_FORMAT, "%s: %s is negative, not from %llu to %llu", g->where,
			key, (unsigned long long)lo, (unsigned long long)hi);
	if (v < lo || v > hi)
		return err_set(e, ST_FORMAT, "%s: %s is %llu, not from %llu to %llu", g->where, key,
			(unsigned long long)v, (unsigned long long)lo, (unsigned long long)hi);
	*out = v;
	return ST_OK;
}

enum st gguf_f64(const struct gguf *g, const char *key, double *out, struct err *e)
{
	const struct gguf_kv *kv = gguf_find(g, key);
	float f;

	if (!kv)
		return ST_OK;
	if (kv->type == GGUF_F64) {
		memcpy(out, g->head + kv->at, 8);
		return ST_OK;
	}
	if (kv->type != GGUF_F32)
		return wrong_type(g, key, "a number", kv->type, e);
	memcpy(&f, g->head + kv->at, 4);
	*out = (double)f;
	return ST_OK;
}

enum st gguf_bool(const struct gguf *g, const char *key, bool *out, struct err *e)
{
	const struct gguf_kv *kv = gguf_find(g, key);

	if (!kv)
		return ST_OK;
	if (kv->type != GGUF_BOOL)
		return wrong_type(g, key, "a bool", kv->type, e);
	*out = g->head[kv->at];
	return ST_OK;
}

enum st gguf_string(const struct gguf *g, const char *key, const char **s, size_t *n, struct err *e)
{
	const struct gguf_kv *kv = gguf_find(g, key);

	if (!kv)
		return ST_OK;
	if (kv->type != GGUF_STRING)
		return wrong_type(g, key, "a string", kv->type, e);
	*s = (const char *)g->head + kv->at;
	*n = kv->bytes;
	return ST_OK;
}

enum st gguf_array(const struct gguf *g, const char *key, enum gguf_type elem,
	const struct gguf_kv **out, struct err *e)
{
	const struct gguf_kv *kv = gguf_find(g, key);

	*out = NULL;
	if (!kv)
		return ST_OK;
	if (kv->type != GGUF_ARRAY)
		return wrong_type(g, key, "an array", kv->type, e);
	if (kv->elem != elem)
		return err_set(e, ST_FORMAT, "%s: %s: each element should be %s, not %s", g->where,
			key, type_name[elem], type_name[kv->elem]);
	*out = kv;
	return ST_OK;
}

const char *gguf_next_string(const struct gguf *g, size_t *at, size_t *n)
{
	const char *s = (const char *)g->head + *at + 8;

	*n = gguf_le(g->head + *at, 8);
	*at += 8 + *n;
	return s;
}

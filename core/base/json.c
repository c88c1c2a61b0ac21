/* json.c - small documents as a cJSON tree that keeps none of cJSON's leniency.
 *
 * The pull parser reads the text first, so that what it refuses (bad UTF-8,
 * leading zeros, raw control characters, trailing bytes, deep nesting) never
 * reaches cJSON; keys are then compared in the tree.
 */
#include "core/base/json.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/text.h"

enum {
	VALUES_MAX = 2000000, /* 64 bytes of tree each; our documents have thousands */
	FEW_KEYS = 8,         /* up to here comparing all pairs is quicker than sorting */
	PATH = 160,
};

/* 2^53: from here on a double may stand for an integer that was rounded to it. */
#define EXACT_END 9007199254740992.0

/* Every rule of the text itself. */
static enum st check_text(const char *where, const char *s, size_t n, struct err *e)
{
	struct jpull p;
	size_t bad = utf8_first_bad(s, n), values = 0;
	enum st st = ST_OK;
	enum jtok t = JT_END;

	if (bad < n)
		return err_set(e, ST_FORMAT, "%s: byte %zu: not UTF-8", where, bad);
	jpull_init(&p, where, s, n);
	do {
		t = jpull_next(&p);
		if (t == JT_BAD)
			st = err_set(e, p.err.st, "%s", p.err.msg);
		else if ((t == JT_KEY || t == JT_STRING) && memchr(p.text, '\0', p.len))
			st = err_set(
				e, ST_FORMAT, "%s: byte %zu: \\u0000 inside a string", where, p.at);
		else if (++values > VALUES_MAX)
			st = err_set(e, ST_FORMAT, "%s: more than %d values", where, VALUES_MAX);
	} while (!st && t != JT_END);
	jpull_release(&p);
	return st;
}

static int by_key(const void *a, const void *b)
{
	return strcmp((*(const cJSON *const *)a)->string, (*(const cJSON *const *)b)->string);
}

/* The second of two equal keys of obj in *twice, or NULL. */
static enum st find_twice(const cJSON *obj, const char **twice, struct err *e)
{
	const cJSON *c, *d, **sorted;
	size_t n = 0, i = 0;

	*twice = NULL;
	cJSON_ArrayForEach(c, obj) n++;
	if (n <= FEW_KEYS) {
		cJSON_ArrayForEach(
			c, obj) for (d = c->next; d;
				     d = d->next) if (!strcmp(c->string, d->string)) *twice =
			c->string;
		return ST_OK;
	}
	sorted = big_array(n, sizeof *sorted, "the keys of a JSON object", e);
	if (!sorted)
		return ST_NOMEM;
	cJSON_ArrayForEach(c, obj) sorted[i++] = c;
	qsort(sorted, n, sizeof *sorted, by_key);
	for (i = 1; i < n; i++)
		if (!strcmp(sorted[i - 1]->string, sorted[i]->string))
			*twice = sorted[i]->string;
	big_free(sorted);
	return ST_OK;
}

/* Recursive, but no deeper than the pull parser let the text be. */
static enum st check_keys(const char *where, const cJSON *v, const char *path, struct err *e)
{
	const char *twice;
	const cJSON *c;
	size_t i = 0;
	enum st st = ST_OK;

	if (cJSON_IsObject(v)) {
		st = find_twice(v, &twice, e);
		if (!st && twice)
			st = err_set(e, ST_FORMAT, "%s: %s.%s: given twice", where, path, twice);
	}
	if (st)
		return st;
	cJSON_ArrayForEach(c, v)
	{
		char sub[PATH];

		i++;
		if (!c->child)
			continue;
		if (cJSON_IsObject(v))
			snprintf(sub, sizeof sub, "%s.%s", path, c->string);
		else
			snprintf(sub, sizeof sub, "%s[%zu]", path, i - 1);
		st = check_keys(where, c, sub, e);
		if (st)
			return st;
	}
	return ST_OK;
}

enum st json_parse(struct json *j, const char *where, const char *s, size_t n, struct err *e)
{
	enum st st;

	*j = (struct json){ .where = where };
	st = check_text(where, s, n, e);
	if (st)
		return st;
	j->root = cJSON_ParseWithLength(s, n);
	if (!j->root)
		return err_set(e, ST_NOMEM, "%s: no memory for its %zu bytes as a tree", where, n);
	st = check_keys(where, j->root, "", e);
	if (st)
		json_release(j);
	return st;
}

enum st json_load(struct json *j, const char *path, size_t max, struct err *e)
{
	char *text;
	size_t n;
	enum st st;

	*j = (struct json){ 0 };
	st = fs_read(path, max, &text, &n, e);
	if (st)
		return st;
	st = json_parse(j, fs_name(path), text, n, e);
	big_free(text);
	return st;
}

void json_release(struct json *j)
{
	cJSON_Delete(j->root);
	j->root = NULL;
}

const cJSON *json_member(const cJSON *obj, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(obj, key);
}

/* ---- getters */

/* "a string", "5", ...: what stands where something else was expected. */
static const char *got(const cJSON *v, char out[32])
{
	if (!v)
		return "nothing";
	if (cJSON_IsNumber(v)) {
		json_f64(out, v->valuedouble);
		return out;
	}
	if (cJSON_IsString(v))
		return "a string";
	if (cJSON_IsBool(v))
		return cJSON_IsTrue(v) ? "true" : "false";
	if (cJSON_IsNull(v))
		return "null";
	return cJSON_IsArray(v) ? "an array" : "an object";
}

static enum st wrong(const struct json *j, const cJSON *v, const char *path, const char *key,
	const char *expected, struct err *e)
{
	char text[32];

	return err_set(e, ST_FORMAT, "%s: %s.%s: expected %s, got %s", j->where, path, key,
		expected, got(v, text));
}

enum st json_get_u64(const struct json *j, const cJSON *obj, const char *path, const char *key,
	uint64_t lo, uint64_t hi, uint64_t *out, struct err *e)
{
	const cJSON *v = json_member(obj, key);
	char expected[80];
	double d = cJSON_IsNumber(v) ? v->valuedouble : -1;

	/* All range checks before the cast, which is undefined outside. */
	if (d >= 0 && d < EXACT_END && d == floor(d) && (uint64_t)d >= lo && (uint64_t)d <= hi) {
		*out = (uint64_t)d;
		return ST_OK;
	}
	if (hi >= (uint64_t)EXACT_END)
		snprintf(
			expected, sizeof expected, "an integer from %" PRIu64 " to below 2^53", lo);
	else
		snprintf(expected, sizeof expected, "an integer from %" PRIu64 " to %" PRIu64, lo,
			hi);
	return wrong(j, v, path, key, expected, e);
}

static void describe_range(char out[96], double lo, double hi)
{
	if (hi < DBL_MAX)
		snprintf(out, 96, "a number from %.9g to %.9g", lo, hi);
	else if (lo > 0 && lo <= DBL_MIN)
		snprintf(out, 96, "a finite number above 0");
	else if (lo > -DBL_MAX)
		snprintf(out, 96, "a finite number of at least %.9g", lo);
	else
		snprintf(out, 96, "a finite number");
}

enum st json_get_f64(const struct json *j, const cJSON *obj, const char *path, const char *key,
	double lo, double hi, double *out, struct err *e)
{
	const cJSON *v = json_member(obj, key);
	char expected[96];

	if (cJSON_IsNumber(v) && isfinite(v->valuedouble) && v->valuedouble >= lo &&
		v->valuedouble <= hi) {
		*out = v->valuedouble;
		return ST_OK;
	}
	describe_range(expected, lo, hi);
	return wrong(j, v, path, key, expected, e);
}

enum st json_get_str(const struct json *j, const cJSON *obj, const char *path, const char *key,
	const char **out, struct err *e)
{
	const cJSON *v = json_member(obj, key);

	if (!cJSON_IsString(v))
		return wrong(j, v, path, key, "a string", e);
	*out = v->valuestring;
	return ST_OK;
}

enum st json_get_bool(const struct json *j, const cJSON *obj, const char *path, const char *key,
	bool *out, struct err *e)
{
	const cJSON *v = json_member(obj, key);

	if (!cJSON_IsBool(v))
		return wrong(j, v, path, key, "true or false", e);
	*out = cJSON_IsTrue(v);
	return ST_OK;
}

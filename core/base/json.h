/* json.h - JSON in and out, over cJSON for small documents and by a pull parser
 * for large or hostile ones.
 *
 * Getters name the file and the path in their sentence: "config.json:
 * .rope_theta: expected a finite number above 0, got a string".  Documents are
 * strict UTF-8, no duplicate keys, nothing after the value.  Not NULL-safe: the
 * object must exist.  A document belongs to one thread.
 */
#ifndef BD_BASE_JSON_H
#define BD_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "core/base/err.h"

struct json {
	cJSON *root;
	const char *where; /* borrowed: the file's name for messages */
};

BD_MUST_USE enum st json_parse(
	struct json *j, const char *where, const char *s, size_t n, struct err *e);
BD_MUST_USE enum st json_load(struct json *j, const char *path, size_t max, struct err *e);
void json_release(struct json *j);

/* Members of obj.  `path` is obj's own path for messages ("" for the root).  A
 * member that is absent is an error, too (ST_FORMAT).  Integers are exact: 2^53
 * and above is refused.  Bounds of a number: DBL_MIN for "above 0", +-DBL_MAX for none. */
const cJSON *json_member(const cJSON *obj, const char *key); /* NULL: absent */
BD_MUST_USE enum st json_get_u64(const struct json *j, const cJSON *obj, const char *path,
	const char *key, uint64_t lo, uint64_t hi, uint64_t *out, struct err *e);
BD_MUST_USE enum st json_get_f64(const struct json *j, const cJSON *obj, const char *path,
	const char *key, double lo, double hi, double *out, struct err *e);
BD_MUST_USE enum st json_get_str(const struct json *j, const cJSON *obj, const char *path,
	const char *key, const char **out, struct err *e);
BD_MUST_USE enum st json_get_bool(const struct json *j, const cJSON *obj, const char *path,
	const char *key, bool *out, struct err *e);

/* ---- writing: a growing buffer; numbers that are not finite become null */

struct json_out {
	char *s; /* xfree'd by json_out_release */
	size_t n, cap;
	unsigned depth;
	bool first[32];
	bool pretty;
};

void json_out_init(struct json_out *o, bool pretty);
void json_out_release(struct json_out *o);
/* A bracket is '{' or '[', then '}' or ']'; key is NULL inside arrays. */
void json_open(struct json_out *o, const char *key, char bracket);
void json_close(struct json_out *o, char bracket);
void json_put_str(struct json_out *o, const char *key, const char *v);
/* The shorter of %.9g and %.17g that reads back. */
void json_put_f64(struct json_out *o, const char *key, double v);
/* With six decimals at most: seconds; NaN and infinity are null. */
void json_put_fixed(struct json_out *o, const char *key, double v);
int json_f64(char out[32], double v); /* those digits alone, of a finite v; their number */
void json_put_i64(struct json_out *o, const char *key, int64_t v);
void json_put_bool(struct json_out *o, const char *key, bool v);
void json_put_null(struct json_out *o, const char *key);

/* ---- pull parser: one pass, no tree, UTF-8 checked, depth at most 16 */

enum jtok {
	JT_END,
	JT_OBJECT,
	JT_OBJECT_END,
	JT_ARRAY,
	JT_ARRAY_END,
	JT_KEY,
	JT_STRING,
	JT_NUMBER,
	JT_TRUE,
	JT_FALSE,
	JT_NULL,
	JT_BAD
};

struct jpull {
	const char *s;
	size_t n, at;
	const char *where;
	char *text; /* JT_KEY, JT_STRING: unescaped bytes, NUL added, good until the next call */
	size_t len, cap;
	double number;
	uint64_t u64; /* JT_NUMBER: exact when is_u64 */
	bool is_u64;
	unsigned depth;
	unsigned char stack[16]; /* private */
	unsigned char state;     /* private */
	struct err err;          /* why JT_BAD: names the byte offset */
};

void jpull_init(struct jpull *p, const char *where, const char *s, size_t n);
void jpull_release(struct jpull *p);
enum jtok jpull_next(struct jpull *p);
/* After a key or inside an array: skip one whole value. */
BD_MUST_USE enum st jpull_skip(struct jpull *p, struct err *e);

#endif

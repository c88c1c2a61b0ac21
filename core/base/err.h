/* err.h - how a function in core/ says what went wrong.
 *
 * A function that can fail returns enum st and takes `struct err *` last.
 * ST_OK is 0, so `if (st)` reads as "if it failed".  The callee writes one
 * sentence for a person; callers add where they were, never reword.
 * err may be NULL: the code alone is then the answer.
 * Running out of memory is ST_NOMEM where a file, a model, a text or a job sets
 * the size (big_alloc); any other allocation ends the program cleanly (xalloc).
 */
#ifndef BD_BASE_ERR_H
#define BD_BASE_ERR_H

#include <stddef.h>

/* clang-format off */
#define ST_LIST(X)                              \
	X(OK,          "ok")                    \
	X(INVALID,     "invalid argument")      \
	X(IO,          "input/output error")    \
	X(FORMAT,      "not in the expected form") \
	X(UNSUPPORTED, "not supported here")    \
	X(NOMEM,       "out of memory")         \
	X(CANCELLED,   "cancelled")             \
	X(DEVICE,      "device failed")
/* clang-format on */

enum st {
#define X(name, text) ST_##name,
	ST_LIST(X)
#undef X
};

struct err {
	enum st st;
	char msg[320];
};

#define BD_PRINTF(a, b) __attribute__((format(printf, a, b)))
#define BD_MUST_USE     __attribute__((warn_unused_result))

const char *st_name(enum st st);

/* Fill *e (if any) and return st, so that a failure is one statement.  Bytes
 * that are not printable (names from files) are written as \xNN. */
enum st err_set(struct err *e, enum st st, const char *fmt, ...) BD_PRINTF(3, 4);

/* Put "where: " before what is already there; returns st. */
enum st err_at(struct err *e, enum st st, const char *fmt, ...) BD_PRINTF(3, 4);

#endif

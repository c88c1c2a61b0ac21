/* dataset_private.h - what the files of the reader share; private to core/text. */
#ifndef BD_TEXT_DATASET_PRIVATE_H
#define BD_TEXT_DATASET_PRIVATE_H

#include "core/base/fs.h"
#include "core/base/sha256.h"
#include "core/text/dataset.h"

enum {
	DATASET_ROW_MAX = 16 << 20,  /* bytes */
	DATASET_MESSAGES_MAX = 4096, /* a row */
};

enum dataset_form { FORM_LINES, FORM_ARRAY, FORM_TEXT };

/* ---- dataset_feed.c: the bytes of the file, in pieces, as rows */

struct feed {
	struct fs_in in;
	char *raw; /* [at, have) is what was read and not yet taken */
	size_t at, have, cap;
	uint64_t line, read; /* line of raw[at], from 1; bytes of the file so far */
	bool end;
	struct sha256 sum;
};

/* One more piece behind raw[have), which may move raw; nothing at the end of the file. */
BD_MUST_USE enum st feed_more(struct feed *f, const struct sink *s, struct err *e);
void feed_pass(struct feed *f, size_t n); /* these bytes have been taken */
/* Passes blanks; *c is the byte that then stands in front, -1: none. */
BD_MUST_USE enum st feed_blanks(struct feed *f, int *c, const struct sink *s, struct err *e);
/* Bytes in front up to a line end (not counted), to the end of the object that begins there, or
 * of a piece of text; where is for errors.  An object that does not end: up to the file's end. */
BD_MUST_USE enum st feed_line(
	struct feed *f, const char *where, size_t *n, const struct sink *s, struct err *e);
BD_MUST_USE enum st feed_object(
	struct feed *f, const char *where, size_t *n, const struct sink *s, struct err *e);
BD_MUST_USE enum st feed_text(struct feed *f, size_t *n, const struct sink *s, struct err *e);

/* ---- dataset.c */

struct dataset {
	struct feed f;
	char *path;
	enum dataset_form form;
	enum dataset_kind kind;
	bool known;    /* kind is */
	bool ready;    /* the first row is taken apart and was not yet given */
	bool over;     /* the array is closed */
	uint64_t rows; /* at most */
	struct dataset_row row;
	struct chat_message *msg; /* [DATASET_MESSAGES_MAX] */
	char *text;               /* the strings of the row */
	size_t cap, used;
	char *sha; /* once it is known */
};

/* ---- dataset_row.c */

/* Takes one object apart: d->row.msg, .n. */
BD_MUST_USE enum st dataset_take_object(struct dataset *d, const char *s, size_t n, struct err *e);
BD_MUST_USE enum st dataset_take_text(struct dataset *d, const char *s, size_t n, struct err *e);

#endif

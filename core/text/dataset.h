/* dataset.h - the rows of a file that a model is trained on.
 *
 * What a file is, its content tells, not its name (but .txt is always text):
 *   a JSON object a line, or a JSON array of objects, whose members are
 *     messages              a list of {role, content}; roles system, user, assistant
 *     prompt, completion    a user's message and the assistant's answer
 *     instruction, output   the same, as Alpaca has them; an `input` that is not empty follows
 *                           the instruction behind an empty line
 *     text                  a document
 *   plain text in UTF-8, cut behind line ends into rows of about 4 KiB; CR LF becomes LF.
 * Other members are passed over; all rows of a file are of the first one's kind.  JSON is strict:
 * UTF-8, no key twice, strings where strings are expected.  A byte order mark in front is passed
 * over.  Errors name file and line (of an array: row and line) and say what to do.
 *
 * Read once, front to back, a megabyte at a time: memory is that of the longest row, 16 MiB at
 * most.  A struct belongs to one thread.
 */
#ifndef BD_TEXT_DATASET_H
#define BD_TEXT_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/base/sink.h"
#include "core/text/template.h"

enum dataset_kind {
	DATASET_MESSAGES,
	DATASET_PROMPT,
	DATASET_ALPACA,
	DATASET_TEXT,  /* documents of JSON */
	DATASET_PLAIN, /* pieces of one text */
};

struct dataset;

struct dataset_row {
	/* A document is one message whose role is "text".  Strings end with a NUL, may hold others.
	 */
	const struct chat_message *msg;
	size_t n;              /* 0: there are no more rows */
	uint64_t number, line; /* from 1; where the row begins */
	bool last;             /* false: a piece of a plain text that goes on in the next row */
};

/* Reads as far as the first row, so that what is no data is known at once.  rows: at most so many
 * are given, 0: all. */
BD_MUST_USE enum st dataset_open(
	struct dataset **out, const char *path, uint64_t rows, struct err *e);
void dataset_close(struct dataset *d); /* NULL is fine */

const char *dataset_path(const struct dataset *d);
enum dataset_kind dataset_kind(const struct dataset *d);
const char *dataset_kind_name(enum dataset_kind k); /* "prompt and completion" */
/* Bytes of the file that have been read, and those it has. */
void dataset_progress(const struct dataset *d, uint64_t *done, uint64_t *total);

/* The next row; it is good until the next call.  Polls s between pieces. */
BD_MUST_USE enum st dataset_next(
	struct dataset *d, struct dataset_row *row, const struct sink *s, struct err *e);

/* Of all bytes of the file; reads what is left of it, so that no row comes after this.  A file
 * that was written to meanwhile is an error. */
BD_MUST_USE enum st dataset_sha256(
	struct dataset *d, char out[65], const struct sink *s, struct err *e);

/* "data.jsonl: line 3", "data.json: row 2 (line 9)": for errors about the row given last; xfree. */
char *dataset_where(const struct dataset *d);

#endif

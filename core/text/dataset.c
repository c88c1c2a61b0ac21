/* dataset.c - see dataset.h: which form a file has, and its rows one after the other. */
#include "core/text/dataset.h"

#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/text/dataset_private.h"

const char *dataset_kind_name(enum dataset_kind k)
{
	static const char *const names[] = { "messages", "prompt and completion",
		"instruction, input and output", "texts", "plain text" };

	return names[k];
}

char *dataset_where(const struct dataset *d)
{
	if (d->form == FORM_ARRAY)
		return xprintf("%s: row %llu (line %llu)", d->path,
			(unsigned long long)d->row.number, (unsigned long long)d->row.line);
	return xprintf("%s: line %llu", d->path, (unsigned long long)d->row.line);
}

/* ---- what the file is */

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n >= k && !strcmp(s + n - k, end);
}

static bool is_json_name(const char *path)
{
	return ends_with(path, ".json") || ends_with(path, ".jsonl");
}

static enum st pass_mark(struct dataset *d, struct err *e)
{
	const struct feed *f = &d->f;

	if (f->have >= 3 && !memcmp(f->raw, "\xef\xbb\xbf", 3))
		feed_pass(&d->f, 3);
	if (f->have >= 2 && (!memcmp(f->raw, "\xff\xfe", 2) || !memcmp(f->raw, "\xfe\xff", 2)))
		return err_set(e, ST_FORMAT,
			"%s: text in UTF-16; convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)",
			d->path);
	return ST_OK;
}

/* c stands in front; what stands behind it tells an array of rows from a text in brackets. */
static enum dataset_form form_of(const struct dataset *d, int c)
{
	const struct feed *f = &d->f;
	size_t i = f->at + 1;

	if (ends_with(d->path, ".txt"))
		return FORM_TEXT;
	if (c == '{')
		return FORM_LINES;
	if (c != '[')
		return FORM_TEXT;
	while (i < f->have && f->raw[i] && strchr(" \t\r\n", f->raw[i]))
		i++;
	if (ends_with(d->path, ".json") || (i < f->have && f->raw[i] == '{'))
		return FORM_ARRAY;
	return ends_with(d->path, ".jsonl") ? FORM_LINES : FORM_TEXT;
}

static enum st recognise(struct dataset *d, struct err *e)
{
	struct feed *f = &d->f;
	enum st st = feed_more(f, NULL, e);
	const char *nul;
	int c;

	if (!st)
		st = pass_mark(d, e);
	if (st)
		return st;
	nul = f->have ? memchr(f->raw, '\0', f->have) : NULL;
	if (nul)
		return err_set(e, ST_FORMAT,
			"%s: byte %zu is zero: neither text nor JSON; give a .json, .jsonl or .txt "
			"file",
			d->path, (size_t)(nul - f->raw));
	/* A text keeps the blanks it begins with. */
	if (ends_with(d->path, ".txt")) {
		d->form = FORM_TEXT;
	} else {
		st = feed_blanks(f, &c, NULL, e);
		if (st)
			return st;
		d->form = form_of(d, c);
		if (c >= 0 && d->form == FORM_TEXT && is_json_name(d->path))
			return err_set(e, ST_FORMAT,
				"%s: line %llu: not JSON, which begins with { or [; a text has a "
				"name that ends with .txt",
				d->path, (unsigned long long)f->line);
	}
	d->known = d->form == FORM_TEXT;
	d->kind = DATASET_PLAIN;
	if (d->form == FORM_ARRAY)
		feed_pass(f, 1);
	return ST_OK;
}

/* ---- rows; each leaves d->row.n at 0 when there is none */

static void begin_row(struct dataset *d)
{
	d->row.number++;
	d->row.line = d->f.line;
}

typedef enum st feed_span(
	struct feed *f, const char *where, size_t *n, const struct sink *s, struct err *e);

/* The object that begins here; `span` says how far it goes. */
static enum st take_row(struct dataset *d, feed_span *span, const struct sink *s, struct err *e)
{
	size_t n = 0;
	char *where;
	enum st st;

	begin_row(d);
	where = dataset_where(d);
	st = span(&d->f, where, &n, s, e);
	xfree(where);
	if (!st)
		st = dataset_take_object(d, d->f.raw + d->f.at, n, e);
	if (!st)
		feed_pass(&d->f, n);
	return st;
}

static enum st next_line(struct dataset *d, const struct sink *s, struct err *e)
{
	int c;
	enum st st = feed_blanks(&d->f, &c, s, e);

	return st || c < 0 ? st : take_row(d, feed_line, s, e);
}

/* Behind the end of the array. */
static enum st end_array(struct dataset *d, const struct sink *s, struct err *e)
{
	int c;
	enum st st;

	feed_pass(&d->f, 1);
	st = feed_blanks(&d->f, &c, s, e);
	d->over = true;
	if (!st && c >= 0)
		st = err_set(e, ST_FORMAT,
			"%s: line %llu: something after the end of the list; take it out", d->path,
			(unsigned long long)d->f.line);
	return st;
}

static enum st bad_array(const struct dataset *d, struct err *e, const char *want)
{
	return err_set(e, ST_FORMAT,
		"%s: line %llu: after row %llu: expected %s; is the file whole?", d->path,
		(unsigned long long)d->f.line, (unsigned long long)d->row.number, want);
}

static enum st next_item(struct dataset *d, const struct sink *s, struct err *e)
{
	int c = -1;
	enum st st = d->over ? ST_OK : feed_blanks(&d->f, &c, s, e);

	if (st || d->over)
		return st;
	if (c == ']')
		return end_array(d, s, e);
	if (d->row.number) {
		if (c != ',')
			return bad_array(d, e, "a comma or ]");
		feed_pass(&d->f, 1);
		st = feed_blanks(&d->f, &c, s, e);
		if (st)
			return st;
	}
	if (c != '{')
		return bad_array(d, e, "a row in { }");
	return take_row(d, feed_object, s, e);
}

static enum st next_piece(struct dataset *d, const struct sink *s, struct err *e)
{
	size_t n = 0;
	enum st st = feed_text(&d->f, &n, s, e);

	if (st || !n)
		return st;
	begin_row(d);
	st = dataset_take_text(d, d->f.raw + d->f.at, n, e);
	if (!st)
		feed_pass(&d->f, n);
	d->row.last = d->f.end && d->f.at == d->f.have;
	return st;
}

static enum st read_row(struct dataset *d, const struct sink *s, struct err *e)
{
	d->row.n = 0;
	d->row.msg = d->msg;
	d->row.last = true;
	switch (d->form) {
	case FORM_LINES:
		return next_line(d, s, e);
	case FORM_ARRAY:
		return next_item(d, s, e);
	default:
		return next_piece(d, s, e);
	}
}

/* ---- the ways in */

enum st dataset_open(struct dataset **out, const char *path, uint64_t rows, struct err *e)
{
	struct dataset *d = xalloc(sizeof *d);
	enum st st;

	*out = NULL;
	d->path = xstrdup(path);
	d->rows = rows;
	d->f.line = 1;
	d->msg = xarray(DATASET_MESSAGES_MAX, sizeof *d->msg);
	sha256_start(&d->f.sum);
	st = fs_in_open(&d->f.in, d->path, e);
	if (!st)
		st = recognise(d, e);
	if (!st)
		st = read_row(d, NULL, e);
	if (!st && !d->row.n)
		st = err_set(e, ST_FORMAT, "%s: no row in it; a data file has at least one", path);
	if (st) {
		dataset_close(d);
		return st;
	}
	d->ready = true;
	*out = d;
	return ST_OK;
}

void dataset_close(struct dataset *d)
{
	if (!d)
		return;
	fs_in_close(&d->f.in);
	big_free(d->f.raw);
	big_free(d->text);
	xfree(d->msg);
	xfree(d->sha);
	xfree(d->path);
	xfree(d);
}

const char *dataset_path(const struct dataset *d)
{
	return d->path;
}

enum dataset_kind dataset_kind(const struct dataset *d)
{
	return d->kind;
}

void dataset_progress(const struct dataset *d, uint64_t *done, uint64_t *total)
{
	*done = d->f.read - (d->f.have - d->f.at);
	*total = d->f.in.id.size;
}

enum st dataset_next(
	struct dataset *d, struct dataset_row *row, const struct sink *s, struct err *e)
{
	enum st st = ST_OK;

	if (d->ready)
		d->ready = false;
	else if (d->sha || (d->rows && d->row.number >= d->rows))
		d->row.n = 0;
	else
		st = read_row(d, s, e);
	*row = d->row;
	return st;
}

enum st dataset_sha256(struct dataset *d, char out[65], const struct sink *s, struct err *e)
{
	enum st st = ST_OK;

	while (!d->sha && !st && !d->f.end) {
		d->f.at = d->f.have;
		st = feed_more(&d->f, s, e);
	}
	if (st)
		return st;
	if (!d->sha) {
		if (!fs_in_same(&d->f.in))
			return err_set(e, ST_IO, "%s was written to while it was read; start again",
				d->path);
		d->sha = xalloc(65);
		sha256_hex(&d->f.sum, d->sha);
	}
	memcpy(out, d->sha, 65);
	return ST_OK;
}

/* corpus.c - see corpus.h. */
#include "core/text/corpus.h"

#include <stdbool.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/json.h"
#include "core/base/text.h"

enum { PIECE = 1 << 20 };

static const char *const members[] = { "text", "content", "story", "document" };

static bool is_lines(const char *path)
{
	size_t n = strlen(path);

	return n > 6 && !strcmp(path + n - 6, ".jsonl");
}

static bool is_blank(const char *s, size_t n)
{
	while (n && strchr(" \t\r", s[n - 1]))
		n--;
	return !n;
}

/* The text of one line, put at *to; a text is never longer than the line it is from. */
static enum st take_line(
	const char *where, const char *line, size_t n, char *out, size_t *to, struct err *e)
{
	struct json j;
	enum st st = json_parse(&j, where, line, n, e);
	const cJSON *v = NULL;

	if (st)
		return st;
	for (size_t i = 0; i < sizeof members / sizeof *members && cJSON_IsObject(j.root) && !v; i++)
		v = json_member(j.root, members[i]);
	if (!cJSON_IsString(v)) {
		json_release(&j);
		return err_set(e, ST_FORMAT,
			"%s: expected an object with a string \"text\" (or content, story, document)",
			where);
	}
	n = strlen(v->valuestring);
	if (*to) {
		memcpy(out + *to, "\n\n", 2);
		*to += 2;
	}
	memcpy(out + *to, v->valuestring, n);
	*to += n;
	json_release(&j);
	return ST_OK;
}

/* Room for `need` bytes, with those there are. */
static enum st grow(char **p, size_t used, size_t *cap, size_t need, struct err *e)
{
	size_t more = 2 * *cap > need ? 2 * *cap : need;
	char *q;

	if (need <= *cap)
		return ST_OK;
	q = big_alloc(more, "the text of a file", e);
	if (!q)
		return ST_NOMEM;
	if (used)
		memcpy(q, *p, used);
	big_free(*p);
	*p = q;
	*cap = more;
	return ST_OK;
}

static enum st read_plain(
	struct corpus *out, struct fs_in *in, size_t want, const struct sink *s, struct err *e)
{
	/* Up to three bytes more end a character that is cut. */
	size_t n = want && want + 3 < in->id.size ? want + 3 : (size_t)in->id.size, got = PIECE;
	enum st st = ST_OK;

	out->text = big_alloc(n + 1, in->path, e);
	if (!out->text)
		return ST_NOMEM;
	out->whole = n == in->id.size;
	while (!st && out->n < n && got == PIECE) {
		if (sink_poll(s))
			return err_set(e, ST_CANCELLED, "stopped");
		st = fs_in_read(in, out->text + out->n, n - out->n < PIECE ? n - out->n : PIECE,
			&got, e);
		out->n += got;
	}
	if (!out->whole && out->n == n)
		for (out->n = want; out->n < n && (out->text[out->n] & 0xc0) == 0x80; out->n++)
			;
	return st;
}

/* What was read of a file of lines and not yet taken. */
struct lines {
	struct fs_in *in;
	char *raw;
	size_t have, at, cap, number;
	bool end;
};

/* The next line, without its end; *line NULL: there is none. */
static enum st next_line(struct lines *l, const char **line, size_t *n, const struct sink *s,
	struct err *e)
{
	size_t from = l->at, got;
	const char *nl;
	enum st st;

	while (!(nl = from < l->have ? memchr(l->raw + from, '\n', l->have - from) : NULL) &&
		!l->end) {
		if (sink_poll(s))
			return err_set(e, ST_CANCELLED, "stopped");
		if (l->at)
			memmove(l->raw, l->raw + l->at, l->have - l->at);
		l->have -= l->at;
		l->at = 0;
		from = l->have;
		st = grow(&l->raw, l->have, &l->cap, l->have + PIECE, e);
		if (!st)
			st = fs_in_read(l->in, l->raw + l->have, PIECE, &got, e);
		if (st)
			return st;
		l->end = got < PIECE;
		l->have += got;
	}
	*line = l->at < l->have ? l->raw + l->at : NULL;
	*n = (nl ? (size_t)(nl - l->raw) : l->have) - l->at;
	l->at += *n + 1;
	if (*line && !l->number++ && *n >= 3 && !memcmp(*line, "\xef\xbb\xbf", 3)) {
		*line += 3;
		*n -= 3;
	}
	return ST_OK;
}

static enum st read_lines(
	struct corpus *out, struct fs_in *in, size_t want, const struct sink *s, struct err *e)
{
	struct lines l = { .in = in };
	size_t cap = 0, n = 0;
	const char *line = NULL;
	enum st st = grow(&out->text, 0, &cap, PIECE, e);

	while (!st && !(want && out->n >= want)) {
		char *where;

		st = next_line(&l, &line, &n, s, e);
		out->whole = !st && !line;
		if (st || !line)
			break;
		if (is_blank(line, n))
			continue;
		st = grow(&out->text, out->n, &cap, out->n + n + 3, e);
		where = xprintf("%s: line %zu", in->path, l.number);
		if (!st)
			st = take_line(where, line, n, out->text, &out->n, e);
		xfree(where);
	}
	big_free(l.raw);
	return st;
}

enum st corpus_read(struct corpus *out, const char *path, size_t max, size_t want,
	const struct sink *s, struct err *e)
{
	char b1[16], b2[16];
	struct fs_in in;
	enum st st = fs_in_open(&in, path, e);

	*out = (struct corpus){ .id = in.id };
	if (st)
		return st;
	if (in.id.size > max)
		st = err_set(e, ST_INVALID, "%s has %s, at most %s are read here", path,
			text_bytes(in.id.size, b1), text_bytes(max, b2));
	if (!st)
		st = (is_lines(path) ? read_lines : read_plain)(out, &in, want, s, e);
	out->still = fs_in_same(&in);
	fs_in_close(&in);
	if (st) {
		big_free(out->text);
		out->text = NULL;
	} else {
		out->text[out->n] = '\0';
	}
	return st;
}

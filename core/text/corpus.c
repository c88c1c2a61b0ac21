/* corpus.c - see corpus.h. */
#include "core/text/corpus.h"

#include <stdbool.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"

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

enum st corpus_read(const char *path, size_t max, char **out, size_t *len, struct err *e)
{
	char *lines, *text;
	size_t n, to = 0, number = 1;
	enum st st;

	if (!is_lines(path))
		return fs_read(path, max, out, len, e);
	st = fs_read(path, max, &lines, &n, e);
	if (st)
		return st;
	text = big_alloc(n + 1, "the text of a file", e);
	if (!text)
		st = ST_NOMEM;
	for (size_t at = 0, end; at < n && !st; at = end + 1, number++) {
		const char *nl = memchr(lines + at, '\n', n - at);
		char *where;

		end = nl ? (size_t)(nl - lines) : n;
		if (is_blank(lines + at, end - at))
			continue;
		where = xprintf("%s: line %zu", path, number);
		st = take_line(where, lines + at, end - at, text, &to, e);
		xfree(where);
	}
	big_free(lines);
	if (st) {
		big_free(text);
		return st;
	}
	text[to] = '\0';
	*out = text;
	*len = to;
	return ST_OK;
}

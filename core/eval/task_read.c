/* task_read.c - a file of questions into items. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/eval/task.h"

enum { FILE_MAX = 256 << 20, LINE_MOST = 1 << 20 };

void task_release(struct task *t)
{
	xfree(t->item);
	arena_release(&t->memory);
	*t = (struct task){ 0 };
}

struct task_item *task_add(struct task *t)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 128;
		t->item = xrealloc(t->item, t->cap * sizeof *t->item);
	}
	t->item[t->n] = (struct task_item){ 0 };
	return &t->item[t->n++];
}

const char *task_text(struct task *t, const char *fmt, ...)
{
	va_list ap, again;
	char *s;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	s = ARENA_NEW(&t->memory, char, (size_t)n + 1);
	vsnprintf(s, (size_t)n + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return s;
}

/* The first whose member is there: "prompt" is ours. */
static const struct task_form *form_of(const cJSON *o)
{
	for (const struct task_form *f = task_form_table; f->name; f++)
		if (json_member(o, f->key))
			return f;
	return NULL;
}

static enum st one_line(
	struct task *t, const char *where, const char *s, size_t n, size_t line, struct err *e)
{
	size_t before = t->n;
	struct json j;
	enum st st = json_parse(&j, where, s, n, e);

	if (st)
		return st;
	if (!cJSON_IsObject(j.root))
		st = err_set(e, ST_FORMAT, "%s: expected an object", where);
	if (!st && !t->form && !(t->form = form_of(j.root)))
		st = err_set(e, ST_FORMAT,
			"%s: no known form of a task; ours is {\"prompt\":, \"options\": [], "
			"\"answer\":}",
			where);
	if (!st && (st = t->form->take(t, t->form, j.root, e)))
		st = err_at(e, st, "%s (%s)", where, t->form->name);
	for (size_t i = before; i < t->n; i++)
		t->item[i].line = line;
	json_release(&j);
	return st;
}

/* "piqa.valid-labels.lst" of "piqa.valid.jsonl": a line an item. */
static enum st labels(struct task *t, const char *path, struct err *e)
{
	const char *dot = strrchr(path, '.');
	char *other = xprintf(
		     "%.*s%s", dot ? (int)(dot - path) : (int)strlen(path), path, t->form->beside),
	     *text = NULL, *at;
	size_t n;
	enum st st = fs_read(other, FILE_MAX, &text, &n, e);

	at = text;
	for (size_t i = 0; !st && i < t->n; i++) {
		unsigned long v = strtoul(at, &at, 10);

		if (v >= t->item[i].n || (*at != '\n' && *at != '\r' && *at))
			st = err_set(e, ST_FORMAT,
				"%s: line %zu: expected the number of an option, from 0", other,
				i + 1);
		t->item[i].answer = v;
		at += strspn(at, "\r\n");
	}
	big_free(text);
	xfree(other);
	return st;
}

static void name_of(struct task *t, const char *path)
{
	const char *name = fs_name(path), *end = strstr(name, ".jsonl");

	snprintf(
		t->name, sizeof t->name, "%.*s", end ? (int)(end - name) : (int)strlen(name), name);
}

enum st task_read(
	struct task *t, const char *path, size_t limit, const struct sink *s, struct err *e)
{
	char *text = NULL, *where;
	size_t n, line = 0;
	size_t polled = 0; /* up to where it was asked whether to go on */
	enum st st;

	*t = (struct task){ 0 };
	arena_init(&t->memory, 0);
	name_of(t, path);
	st = fs_read(path, FILE_MAX, &text, &n, e);
	/* a byte order mark is no part of the first line */
	for (size_t at = !st && n >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
		!st && at < n && (!limit || t->n < limit);) {
		size_t len = strcspn(text + at, "\n");

		line++;
		if (len > LINE_MOST)
			st = err_set(e, ST_FORMAT,
				"%s: line %zu: %zu bytes; %d, a question each, are the most", path,
				line, len, LINE_MOST);
		else if ((at - polled > LINE_MOST || line % 64 == 0) && (polled = at, sink_poll(s)))
			st = err_set(e, ST_CANCELLED, "stopped");
		if (!st && len > strspn(text + at, " \t\r")) {
			where = xprintf("%s: line %zu", path, line);
			st = one_line(t, where, text + at, len, line, e);
			xfree(where);
		}
		at += len + 1;
	}
	if (limit && t->n > limit)
		t->n = limit;
	if (!st && !t->n)
		st = err_set(e, ST_FORMAT, "%s: there are no questions in it", path);
	if (!st && t->form->beside)
		st = labels(t, path, e);
	if (st)
		task_release(t);
	big_free(text);
	return st;
}

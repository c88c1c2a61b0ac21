/* prompt - one line of text, what was typed before, and what may come next. */
#include "app/tui/prompt.h"

#include <stdio.h>
#include <string.h>

#include "app/tui/keys.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/text.h"

/* ---- history */

void history_load(struct history *h, const char *path)
{
	char *text;
	size_t n;

	*h = (struct history){ 0 };
	if (!fs_is_file(path) || fs_read(path, 1 << 20, &text, &n, NULL))
		return;
	for (char *s = text; *s;) {
		size_t len = strcspn(s, "\n");
		bool more = s[len];

		s[len] = 0;
		if (len > 1 && len < PROMPT_MAX && (*s == ':' || *s == '/' || *s == HISTORY_LUA))
			history_add(h, *s, s + 1);
		s += len + more;
	}
	h->changed = false;
	big_free(text);
}

enum st history_save(const struct history *h, const char *path, struct err *e)
{
	size_t bytes = 0, at = 0;
	char *all;
	enum st st;

	for (size_t i = 0; i < h->n; i++)
		bytes += strlen(h->line[i]) + 1;
	all = xalloc(bytes + 1);
	for (size_t i = 0; i < h->n; i++)
		at += (size_t)sprintf(all + at, "%s\n", h->line[i]);
	st = fs_write_all(path, all, bytes, e);
	xfree(all);
	return st;
}

void history_release(struct history *h)
{
	for (size_t i = 0; i < h->n; i++)
		xfree(h->line[i]);
	xfree(h->line);
	*h = (struct history){ 0 };
}

static void remove_line(struct history *h, size_t at)
{
	xfree(h->line[at]);
	memmove(&h->line[at], &h->line[at + 1], (h->n - at - 1) * sizeof *h->line);
	h->n--;
}

void history_add(struct history *h, char kind, const char *line)
{
	char *own = xprintf("%c%s", kind, line);

	for (char *s = own; *s; s++)
		if (*s == '\n')
			*s = kind == HISTORY_LUA ? HISTORY_BREAK : ' ';
	for (size_t i = 0; i < h->n; i++)
		if (!strcmp(h->line[i], own)) {
			remove_line(h, i);
			break;
		}
	if (!h->line)
		h->line = xarray(HISTORY_MAX, sizeof *h->line);
	if (h->n == HISTORY_MAX)
		remove_line(h, 0);
	h->line[h->n++] = own;
	h->changed = true;
}

/* ---- completion */

static int match_class(const char *word, size_t n, const char *text)
{
	size_t at = 0;

	if (!strncmp(text, word, n))
		return 0;
	for (const char *s = text; *s; s++)
		if (!strncmp(s, word, n))
			return 1;
	for (const char *s = text; *s && at < n; s++)
		at += *s == word[at];
	return at == n ? 2 : -1;
}

void completion_add(
	struct completion *c, const char *word, size_t n, const char *text, const char *help)
{
	int class = match_class(word, n, text);
	size_t at = 0;

	if (class < 0 || strlen(text) + 3 > sizeof c->item[0].text)
		return;
	while (at < c->n && match_class(word, n, c->item[at].text) <= class)
		at++;
	if (at == COMPLETIONS)
		return;
	if (c->n == COMPLETIONS)
		c->n--;
	memmove(&c->item[at + 1], &c->item[at], (c->n - at) * sizeof c->item[0]);
	snprintf(c->item[at].text, sizeof c->item[at].text, "%s", text);
	snprintf(c->item[at].help, sizeof c->item[at].help, "%s", help);
	c->n++;
}

/* ---- the line */

void prompt_open(struct prompt *p, enum prompt_kind kind, struct history *h, const char *text)
{
	p->kind = kind;
	p->history = h;
	p->past = -1;
	p->searching = false;
	p->chosen = -1;
	p->list.n = 0;
	p->n = p->at = 0;
	p->text[0] = 0;
	prompt_insert(p, text, strlen(text));
}

void prompt_close(struct prompt *p)
{
	p->kind = PROMPT_NONE;
	p->list.n = 0;
	p->searching = false;
}

static void set_line(struct prompt *p, const char *s)
{
	snprintf(p->text, sizeof p->text, "%s", s);
	p->n = p->at = strlen(p->text);
}

void prompt_insert(struct prompt *p, const char *s, size_t n)
{
	if (n > PROMPT_MAX - 1 - p->n) {
		n = PROMPT_MAX - 1 - p->n;
		n -= utf8_partial_tail(s, n);
	}
	memmove(p->text + p->at + n, p->text + p->at, p->n - p->at + 1);
	memcpy(p->text + p->at, s, n);
	for (size_t i = p->at; i < p->at + n; i++)
		if ((unsigned char)p->text[i] < ' ')
			p->text[i] = ' ';
	p->at += n;
	p->n += n;
}

static size_t before(const struct prompt *p, size_t at)
{
	while (at && ((unsigned char)p->text[--at] & 0xc0) == 0x80)
		;
	return at;
}

static size_t after(const struct prompt *p, size_t at)
{
	if (at < p->n)
		at++;
	while (at < p->n && ((unsigned char)p->text[at] & 0xc0) == 0x80)
		at++;
	return at;
}

static size_t word_before(const struct prompt *p)
{
	size_t at = p->at;

	while (at && p->text[at - 1] == ' ')
		at--;
	while (at && p->text[at - 1] != ' ')
		at--;
	return at;
}

static size_t word_after(const struct prompt *p)
{
	size_t at = p->at;

	while (at < p->n && p->text[at] == ' ')
		at++;
	while (at < p->n && p->text[at] != ' ')
		at++;
	return at;
}

static void cut(struct prompt *p, size_t from, size_t to)
{
	memmove(p->text + from, p->text + to, p->n - to + 1);
	p->n -= to - from;
	p->at = from;
}

/* Up and Down: lines that begin as the typed one; step -1 is older. */
static enum prompt_result walk_history(struct prompt *p, int step)
{
	char kind = p->kind == PROMPT_FILTER ? '/' : ':';
	long at = p->past < 0 ? (long)p->history->n : p->past;

	if (p->past < 0)
		snprintf(p->typed, sizeof p->typed, "%s", p->text);
	for (at += step; at >= 0 && at < (long)p->history->n; at += step) {
		const char *line = p->history->line[at];

		if (*line == kind && !strncmp(line + 1, p->typed, strlen(p->typed)) &&
			strcmp(line + 1, p->text)) {
			p->past = at;
			set_line(p, line + 1);
			return PROMPT_EDITED;
		}
	}
	if (step > 0 && p->past >= 0) {
		p->past = -1;
		set_line(p, p->typed);
		return PROMPT_EDITED;
	}
	return PROMPT_MOVED;
}

/* C-r: the newest line older than `below` that holds the query. */
static void search_history(struct prompt *p, long below)
{
	char kind = p->kind == PROMPT_FILTER ? '/' : ':';

	for (long at = below - 1; at >= 0; at--) {
		const char *line = p->history->line[at];

		if (*line == kind && strstr(line + 1, p->query)) {
			p->past = at;
			set_line(p, line + 1);
			return;
		}
	}
}

static enum prompt_result search_key(struct prompt *p, uint32_t key)
{
	size_t n = strlen(p->query);
	char utf8[4];

	if (key == (KEY_CTRL | 'r')) {
		search_history(p, p->past < 0 ? (long)p->history->n : p->past);
	} else if (key_is_text(key)) {
		size_t len = utf8_encode(key, utf8);

		if (n + len < sizeof p->query) {
			memcpy(p->query + n, utf8, len);
			p->query[n + len] = 0;
		}
		search_history(p, (long)p->history->n);
	} else if (key == KEY_BACKSPACE && n) {
		while (n && ((unsigned char)p->query[--n] & 0xc0) == 0x80)
			;
		p->query[n] = 0;
		search_history(p, (long)p->history->n);
	} else {
		return PROMPT_IGNORED;
	}
	return PROMPT_EDITED;
}

/* Tab: as far as all candidates that begin with the word agree, then one after another. */
static enum prompt_result complete(struct prompt *p, int step)
{
	const struct completion *c = &p->list;
	size_t n = p->at - c->from, common;

	if (!c->n)
		return PROMPT_MOVED;
	common = strlen(c->item[0].text);
	for (size_t i = 0; i < c->n; i++) {
		size_t same = 0;

		while (same < common && c->item[i].text[same] == c->item[0].text[same])
			same++;
		common = same;
	}
	if (p->chosen < 0 && step > 0 && c->n > 1 && common > n &&
		!strncmp(c->item[0].text, p->text + c->from, n)) {
		cut(p, c->from, p->at);
		prompt_insert(p, c->item[0].text, common);
		return PROMPT_EDITED;
	}
	p->chosen += step;
	if (p->chosen >= (int)c->n)
		p->chosen = 0;
	if (p->chosen < 0)
		p->chosen = (int)c->n - 1;
	cut(p, c->from, p->at);
	prompt_insert(p, c->item[p->chosen].text, strlen(c->item[p->chosen].text));
	if (c->n == 1) {
		if (p->at == p->n && c->item[0].text[strlen(c->item[0].text) - 1] != '/')
			prompt_insert(p, " ", 1);
		return PROMPT_EDITED;
	}
	return PROMPT_MOVED;
}

static enum prompt_result move_key(struct prompt *p, uint32_t key)
{
	switch (key) {
	case KEY_LEFT:
		p->at = before(p, p->at);
		break;
	case KEY_RIGHT:
		p->at = after(p, p->at);
		break;
	case KEY_HOME:
	case KEY_CTRL | 'a':
		p->at = 0;
		break;
	case KEY_END:
	case KEY_CTRL | 'e':
		p->at = p->n;
		break;
	case KEY_CTRL | KEY_LEFT:
	case KEY_ALT | 'b':
		p->at = word_before(p);
		break;
	case KEY_CTRL | KEY_RIGHT:
	case KEY_ALT | 'f':
		p->at = word_after(p);
		break;
	default:
		return PROMPT_IGNORED;
	}
	return PROMPT_MOVED;
}

static enum prompt_result edit_key(struct prompt *p, uint32_t key)
{
	char utf8[4];

	if (key_is_text(key)) {
		prompt_insert(p, utf8, utf8_encode(key, utf8));
		return PROMPT_EDITED;
	}
	switch (key) {
	case KEY_BACKSPACE:
	case KEY_CTRL | 'h':
		if (!p->n)
			return PROMPT_CANCEL;
		cut(p, before(p, p->at), p->at);
		break;
	case KEY_DEL:
		cut(p, p->at, after(p, p->at));
		break;
	case KEY_CTRL | 'w':
		cut(p, word_before(p), p->at);
		break;
	case KEY_CTRL | 'u':
		cut(p, 0, p->at);
		break;
	case KEY_CTRL | 'k':
		cut(p, p->at, p->n);
		break;
	default:
		return move_key(p, key);
	}
	return PROMPT_EDITED;
}

enum prompt_result prompt_key(struct prompt *p, uint32_t key)
{
	enum prompt_result r;

	if (p->searching) {
		r = search_key(p, key);
		if (r != PROMPT_IGNORED)
			return r;
		p->searching = false;
	}
	switch (key) {
	case KEY_ENTER:
	case KEY_CTRL | 'j':
		return PROMPT_ENTER;
	case KEY_ESC:
	case KEY_CTRL | 'c':
		return PROMPT_CANCEL;
	case KEY_UP:
		return walk_history(p, -1);
	case KEY_DOWN:
		return walk_history(p, 1);
	case KEY_CTRL | 'r':
		p->searching = true;
		p->query[0] = 0;
		return PROMPT_MOVED;
	case KEY_TAB:
		return complete(p, 1);
	case KEY_SHIFT | KEY_TAB:
		return complete(p, -1);
	default:
		break;
	}
	r = edit_key(p, key);
	if (r == PROMPT_EDITED) {
		p->past = -1;
		p->chosen = -1;
	}
	return r;
}

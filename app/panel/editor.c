/* editor.c - a text buffer with a cursor between what a person sees as characters. */
#include "app/panel/editor.h"

#include <string.h>

#include "app/tui/keys.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

void editor_release(struct editor *e)
{
	for (size_t i = 0; i < e->n_past; i++)
		xfree(e->past[i]);
	xfree(e->past);
	xfree(e->text);
	xfree(e->draft);
	*e = (struct editor){ 0 };
}

/* ---- text */

static void erase(struct editor *e, size_t from, size_t to)
{
	if (from >= to)
		return;
	memmove(e->text + from, e->text + to, e->n - to + 1);
	e->n -= to - from;
	e->at = from;
}

static void insert_clean(struct editor *e, const char *s, size_t n)
{
	if (n > EDITOR_MAX - e->n) {
		n = EDITOR_MAX - e->n;
		n -= utf8_partial_tail(s, n);
		e->cut = true;
	}
	if (e->n + n + 1 > e->cap) {
		e->cap = (e->n + n + 1) * 2;
		e->text = xrealloc(e->text, e->cap);
	}
	memmove(e->text + e->at + n, e->text + e->at, e->n - e->at);
	memcpy(e->text + e->at, s, n);
	e->n += n;
	e->at += n;
	e->text[e->n] = 0;
}

/* Terminals paste a line's end as CR; what no screen shows would be sent unseen. */
void editor_insert(struct editor *e, const char *s, size_t n)
{
	char *lines = xalloc(n + 1), *clean;
	size_t m = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n' && i && s[i - 1] == '\r')
			continue;
		lines[m++] = s[i] == '\r' ? '\n' : s[i];
	}
	clean = xalloc(3 * m + 1); /* a bad byte becomes U+FFFD */
	insert_clean(e, clean, text_clean(clean, 3 * m + 1, lines, m, false));
	xfree(clean);
	xfree(lines);
}

void editor_set(struct editor *e, const char *s)
{
	e->n = e->at = 0;
	insert_clean(e, s, strlen(s));
}

bool editor_blank(const struct editor *e)
{
	for (size_t i = 0; i < e->n; i++)
		if (!strchr(" \t\n", e->text[i]))
			return false;
	return true;
}

char *editor_command(const char *word, const char *text)
{
	char *out = xalloc(strlen(word) + 2 * strlen(text) + sizeof " \"\""), *to = out;

	to = stpcpy(stpcpy(to, word), " \"");
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			*to++ = '\\';
		*to++ = *text;
	}
	*to++ = '"';
	*to = 0;
	return out;
}

/* ---- the past */

void editor_remember(struct editor *e, const char *text)
{
	bool was_draft = e->past_at == e->n_past;

	if (e->n_past && !strcmp(e->past[e->n_past - 1], text))
		return;
	if (!e->past)
		e->past = xarray(EDITOR_PAST, sizeof *e->past);
	if (e->n_past == EDITOR_PAST) {
		xfree(e->past[0]);
		memmove(e->past, e->past + 1, --e->n_past * sizeof *e->past);
		e->past_at -= e->past_at > 0;
	}
	e->past[e->n_past++] = xstrdup(text);
	if (was_draft)
		e->past_at = e->n_past;
}

void editor_sent(struct editor *e)
{
	if (e->n)
		editor_remember(e, e->text);
	editor_set(e, "");
	e->past_at = e->n_past;
	e->cut = false;
	xfree(e->draft);
	e->draft = NULL;
}

/* The next one in that direction, of those that begin as the draft where that is asked for. */
static bool find_past(const struct editor *e, bool earlier, size_t *at)
{
	const char *draft = e->by_prefix && e->draft ? e->draft : "";

	for (*at = e->past_at; earlier ? *at > 0 : *at < e->n_past;) {
		*at += earlier ? (size_t)-1 : 1;
		if (*at == e->n_past || !strncmp(e->past[*at], draft, strlen(draft)))
			return true;
	}
	return false;
}

static void recall(struct editor *e, bool earlier)
{
	size_t at;

	if (e->past_at == e->n_past) {
		xfree(e->draft);
		e->draft = xstrdup(e->n ? e->text : "");
	}
	if (!find_past(e, earlier, &at))
		return;
	e->past_at = at;
	editor_set(e, at < e->n_past ? e->past[at] : e->draft ? e->draft : "");
}

/* ---- places */

static size_t line_start(const struct editor *e, size_t at)
{
	while (at && e->text[at - 1] != '\n')
		at--;
	return at;
}

static size_t line_end(const struct editor *e, size_t at)
{
	while (at < e->n && e->text[at] != '\n')
		at++;
	return at;
}

/* Between characters with all their marks, as the screen shows them. */
static size_t after(const struct editor *e, size_t at)
{
	struct text_cell cell;

	return text_next(e->text, e->n, &at, &cell) ? at : e->n;
}

static size_t before(const struct editor *e, size_t at)
{
	size_t from, next;

	if (!at || e->text[at - 1] == '\n')
		return at ? at - 1 : 0;
	for (from = line_start(e, at); (next = after(e, from)) < at; from = next)
		;
	return from;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

static size_t word_before(const struct editor *e)
{
	size_t at = e->at;

	while (at && is_blank(e->text[at - 1]))
		at--;
	while (at && !is_blank(e->text[at - 1]))
		at--;
	return at;
}

static size_t word_after(const struct editor *e)
{
	size_t at = e->at;

	while (at < e->n && is_blank(e->text[at]))
		at++;
	while (at < e->n && !is_blank(e->text[at]))
		at++;
	return at;
}

/* As many characters into the line above or below; false: there is none. */
static bool move_line(struct editor *e, bool up)
{
	size_t start = line_start(e, e->at), end = line_end(e, e->at), chars = 0, to;

	if (up ? !start : end == e->n)
		return false;
	for (size_t i = start; i < e->at; i = after(e, i))
		chars++;
	to = up ? line_start(e, start - 1) : end + 1;
	while (chars-- && to < e->n && e->text[to] != '\n')
		to = after(e, to);
	e->at = to;
	return true;
}

/* ---- keys */

static bool is_move(struct editor *e, uint32_t key, size_t *to)
{
	switch (key) {
	case KEY_LEFT:
		*to = before(e, e->at);
		return true;
	case KEY_RIGHT:
		*to = after(e, e->at);
		return true;
	case KEY_CTRL | KEY_LEFT:
	case KEY_ALT | 'b':
		*to = word_before(e);
		return true;
	case KEY_CTRL | KEY_RIGHT:
	case KEY_ALT | 'f':
		*to = word_after(e);
		return true;
	case KEY_HOME:
	case KEY_CTRL | 'a':
		*to = line_start(e, e->at);
		return true;
	case KEY_END:
	case KEY_CTRL | 'e':
		*to = line_end(e, e->at);
		return true;
	default:
		return false;
	}
}

static bool edits(struct editor *e, uint32_t key)
{
	char utf8[4];

	switch (key) {
	case KEY_BACKSPACE:
		erase(e, before(e, e->at), e->at);
		return true;
	case KEY_DEL:
		erase(e, e->at, after(e, e->at));
		return true;
	case KEY_CTRL | 'w':
	case KEY_ALT | KEY_BACKSPACE:
		erase(e, word_before(e), e->at);
		return true;
	case KEY_CTRL | 'u':
		erase(e, line_start(e, e->at), e->at);
		return true;
	case KEY_CTRL | 'k':
		erase(e, e->at, line_end(e, e->at));
		return true;
	case KEY_CTRL | 'j':
	case KEY_ALT | KEY_ENTER:
		editor_insert(e, "\n", 1);
		return true;
	default:
		break;
	}
	if (!key_is_text(key))
		return false;
	editor_insert(e, utf8, utf8_encode(key, utf8));
	return true;
}

bool editor_key(struct editor *e, uint32_t key)
{
	size_t to;

	if (!e->text)
		editor_set(e, "");
	e->cut = false;
	if (is_move(e, key, &to))
		e->at = to;
	else if (key == KEY_UP || key == KEY_DOWN) {
		if (!move_line(e, key == KEY_UP))
			recall(e, key == KEY_UP);
	} else
		return edits(e, key);
	return true;
}

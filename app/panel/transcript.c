/* transcript.c - from pieces of text to messages, from messages to lines. */
#include "app/panel/transcript.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/panel/common.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

/* From `at` on, bytes have that role. */
struct span {
	size_t at;
	enum role role;
};

struct line {
	size_t at, len;
};

/* One speaker's text as it is shown: who, marks of layouts, the text itself. */
struct message {
	char *text; /* [n] */
	size_t n, cap;
	struct span *span;
	size_t n_span, cap_span;
	bool open; /* still streaming */

	struct line *line; /* of the first `wrapped` bytes at the transcript's width */
	size_t n_line, cap_line, wrapped;
	size_t pad; /* blank lines that follow, beside the one between messages */
};

struct transcript {
	struct message *msg;
	size_t n, cap;
	int w, h;
	size_t total; /* lines, with blank ones between messages */
	size_t top;   /* first line seen, unless it follows the end */
	bool follow;
	size_t wraps;
};

struct transcript *transcript_new(void)
{
	struct transcript *t = xalloc(sizeof *t);

	t->follow = true;
	t->w = 80;
	t->h = 24;
	return t;
}

static void message_release(struct message *m)
{
	xfree(m->text);
	xfree(m->span);
	xfree(m->line);
	*m = (struct message){ 0 };
}

void transcript_free(struct transcript *t)
{
	for (size_t i = 0; i < t->n; i++)
		message_release(&t->msg[i]);
	xfree(t->msg);
	xfree(t);
}

bool transcript_empty(const struct transcript *t)
{
	return !t->n;
}
size_t transcript_wraps(const struct transcript *t)
{
	return t->wraps;
}

/* ---- from pieces to messages */

static void append(struct message *m, enum role role, const char *s, size_t n)
{
	if (!n)
		return;
	if (m->n + n > m->cap) {
		m->cap = (m->n + n) * 2;
		m->text = xrealloc(m->text, m->cap);
	}
	if (!m->n_span || m->span[m->n_span - 1].role != role) {
		if (m->n_span == m->cap_span) {
			m->cap_span = m->cap_span ? 2 * m->cap_span : 8;
			m->span = xrealloc(m->span, m->cap_span * sizeof *m->span);
		}
		m->span[m->n_span++] = (struct span){ m->n, role };
	}
	memcpy(m->text + m->n, s, n);
	m->n += n;
}

/* What the layout was is said where it changes, so that nothing is said twice. */
struct layouts {
	bool any;
	uint32_t last;
};

static void append_mark(struct message *m, struct layouts *l, const struct chat_piece *p)
{
	char mark[48];
	int n;

	if (p->differs)
		append(m, ROLE_WARN, "┆", strlen("┆"));
	if (isnan(p->bpw) || (l->any && l->last == p->layout))
		return;
	*l = (struct layouts){ true, p->layout };
	if (p->layout >= LAYOUT_OF_STEP)
		n = snprintf(mark, sizeof mark, "┆step %u┆ ", p->layout - LAYOUT_OF_STEP);
	else
		n = snprintf(mark, sizeof mark, "┆%.2f bpw┆ ", p->bpw);
	append(m, ROLE_DIM, mark, (size_t)n);
}

static bool continues(const struct chat_piece *p, const struct chat_piece *next)
{
	return p->who == CHAT_MODEL && next->who == CHAT_MODEL && p->turn == next->turn;
}

/* Pieces first to end are one answer.  A character that began under one layout and ended
 * under the next stands behind the mark; one that is not whole yet is held back. */
static void append_answer(
	struct message *m, const struct snap_chat *c, size_t first, size_t end, struct layouts *l)
{
	char held[4];
	size_t n_held = 0;

	append(m, ROLE_STRONG, "model: ", 7);
	for (size_t i = first; i < end; i++) {
		const struct chat_piece *p = &c->piece[i];
		const char *s = c->text + p->at;
		size_t tail = 0;

		append_mark(m, l, p);
		append(m, ROLE_TEXT, held, n_held);
		if (i + 1 < end || p->open)
			tail = utf8_partial_tail(s, p->len);
		append(m, ROLE_TEXT, s, p->len - tail);
		memcpy(held, s + p->len - tail, tail);
		n_held = tail;
	}
	m->open = c->piece[end - 1].open;
}

static size_t build(struct message *m, const struct snap_chat *c, size_t first, struct layouts *l)
{
	const struct chat_piece *p = &c->piece[first];
	size_t end = first + 1;

	while (end < c->n && continues(&c->piece[end - 1], &c->piece[end]))
		end++;
	switch (p->who) {
	case CHAT_USER:
		append(m, ROLE_ACCENT, "you: ", 5);
		append(m, ROLE_TEXT, c->text + p->at, p->len);
		break;
	case CHAT_MODEL:
		append_answer(m, c, first, end, l);
		break;
	case CHAT_NOTE:
		append(m, ROLE_DIM, c->text + p->at, p->len);
		break;
	}
	return end;
}

/* The lines of the old one that hold for the new one; it takes over what it was given. */
static void replace(struct message *old, struct message *now)
{
	if (now->n >= old->wrapped && old->n >= old->wrapped && old->wrapped &&
		!memcmp(old->text, now->text, old->wrapped)) {
		now->line = old->line;
		now->n_line = old->n_line;
		now->cap_line = old->cap_line;
		now->wrapped = old->wrapped;
		old->line = NULL;
	}
	now->pad = old->pad; /* until they are aligned anew */
	message_release(old);
	*old = *now;
}

void transcript_set(struct transcript *t, const struct snap_chat *c)
{
	struct layouts l = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < c->n; n++) {
		struct message m = { 0 };

		i = build(&m, c, i, &l);
		if (n == t->cap) {
			t->cap = t->cap ? 2 * t->cap : 16;
			t->msg = xrealloc(t->msg, t->cap * sizeof *t->msg);
		}
		if (n == t->n)
			t->msg[t->n++] = (struct message){ 0 };
		replace(&t->msg[n], &m);
	}
	while (t->n > n)
		message_release(&t->msg[--t->n]);
	transcript_lay_out(t, t->w, t->h);
}

/* ---- from messages to lines */

struct wrap_to {
	struct transcript *t;
	struct message *m;
	size_t base;
};

static void add_line(void *arg, size_t start, size_t len)
{
	struct wrap_to *to = arg;
	struct message *m = to->m;

	if (m->n_line == m->cap_line) {
		m->cap_line = m->cap_line ? 2 * m->cap_line : 16;
		m->line = xrealloc(m->line, m->cap_line * sizeof *m->line);
	}
	m->line[m->n_line++] = (struct line){ to->base + start, len };
	to->t->wraps++;
}

/* Breaks depend on what is before them only, so all lines but the last one stay. */
static void wrap(struct transcript *t, struct message *m)
{
	struct wrap_to to = { t, m, 0 };

	if (m->wrapped == m->n)
		return;
	if (m->n_line)
		to.base = m->line[--m->n_line].at;
	canvas_wrap(m->text + to.base, m->n - to.base, t->w, add_line, &to);
	m->wrapped = m->n;
}

/* Which message a line is in; *at: the line within it, from n_line on, a blank one after. */
static struct message *message_at(const struct transcript *t, size_t line, size_t *at)
{
	for (size_t i = 0; i < t->n; i++) {
		if (line <= t->msg[i].n_line + t->msg[i].pad) {
			*at = line;
			return &t->msg[i];
		}
		line -= t->msg[i].n_line + t->msg[i].pad + 1;
	}
	return NULL;
}

static size_t count(const struct transcript *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		n += t->msg[i].n_line + t->msg[i].pad + 1;
	return n ? n - 1 : 0;
}

/* The line of message `m` that holds byte `at`, counted from the first of all. */
static size_t line_of(const struct transcript *t, const struct message *m, size_t at)
{
	size_t line = 0, i = 0;

	for (const struct message *q = t->msg; q < m; q++)
		line += q->n_line + q->pad + 1;
	while (i + 1 < m->n_line && m->line[i + 1].at <= at)
		i++;
	return line + i;
}

static void clamp(struct transcript *t)
{
	size_t room = t->h > 0 ? (size_t)t->h : 0;

	if (!t->follow && t->top + room >= t->total)
		t->follow = true;
}

void transcript_lay_out(struct transcript *t, int w, int h)
{
	struct message *anchor = NULL;
	size_t at = 0, byte = 0;

	w = w < 1 ? 1 : w;
	if (w != t->w) {
		if (!t->follow && (anchor = message_at(t, t->top, &at)))
			byte = at < anchor->n_line ? anchor->line[at].at : anchor->n;
		for (size_t i = 0; i < t->n; i++)
			t->msg[i].n_line = t->msg[i].wrapped = 0;
		t->w = w;
	}
	t->h = h;
	for (size_t i = 0; i < t->n; i++)
		wrap(t, &t->msg[i]);
	t->total = count(t);
	if (anchor)
		t->top = line_of(t, anchor, byte);
	clamp(t);
}

static void pad_nothing(struct transcript *t)
{
	for (size_t i = 0; i < t->n; i++)
		t->msg[i].pad = 0;
}

/* Lines of message i, 0 where it is still to come. */
static size_t lines_of(const struct transcript *t, size_t i)
{
	return i < t->n ? t->msg[i].n_line : 0;
}

/* Message i of t takes as many lines; of one still to come those stand behind the last. */
static void pad_to(struct transcript *t, size_t i, size_t lines)
{
	if (i < t->n)
		t->msg[i].pad = lines > t->msg[i].n_line ? lines - t->msg[i].n_line : 0;
	else if (i == t->n && i)
		t->msg[i - 1].pad += lines + 1;
}

void transcript_align(struct transcript *a, struct transcript *b)
{
	size_t n = a->n > b->n ? a->n : b->n, before = 0;

	pad_nothing(a);
	pad_nothing(b);
	for (size_t i = 0; i < n; i++) {
		size_t x = lines_of(a, i), y = lines_of(b, i), most = x > y ? x : y;
		size_t room = a->h > 0 && (size_t)a->h > before ? (size_t)a->h - before : 0;

		/* The end of a long answer does not push a short one off the view. */
		if (i + 1 == n && most > room)
			most = room;
		pad_to(a, i, most);
		pad_to(b, i, most);
		before = most + 1;
	}
	a->total = count(a);
	b->total = count(b);
	clamp(a);
	clamp(b);
}

void transcript_alone(struct transcript *t)
{
	pad_nothing(t);
	t->total = count(t);
	clamp(t);
}

/* ---- scrolling */

static size_t top_now(const struct transcript *t)
{
	size_t room = t->h > 0 ? (size_t)t->h : 0;

	return !t->follow ? t->top : t->total > room ? t->total - room : 0;
}

void transcript_scroll(struct transcript *t, long lines)
{
	size_t top = top_now(t);

	if (lines < 0 && (size_t)-lines > top)
		t->top = 0;
	else
		t->top = top + (size_t)lines;
	t->follow = false;
	clamp(t);
}

void transcript_page(struct transcript *t, long pages)
{
	transcript_scroll(t, pages * (t->h > 2 ? t->h - 2 : 1));
}

void transcript_first(struct transcript *t)
{
	t->top = 0;
	t->follow = false;
	clamp(t);
}

void transcript_last(struct transcript *t)
{
	t->follow = true;
}

/* When lines are hidden below, the last row says how many. */
size_t transcript_below(const struct transcript *t)
{
	size_t room = t->h > 1 ? (size_t)t->h - 1 : 0;

	return t->follow || t->top + room >= t->total ? 0 : t->total - t->top - room;
}

/* ---- drawing */

static void draw_line(struct canvas *c, int y, const struct message *m, const struct line *l)
{
	size_t at = l->at, end = l->at + l->len, span = 0, from;
	struct text_cell cell;
	int x = 0;

	/* Cell by cell: a mark belongs to the base before it, whatever their roles are. */
	for (from = at; text_next(m->text, end, &at, &cell); from = at) {
		while (span + 1 < m->n_span && m->span[span + 1].at <= from)
			span++;
		if (cell.ch[0] == '\t') {
			x += 8 - x % 8;
			continue;
		}
		x += canvas_textn(c, x, y, m->span[span].role, m->text + from, at - from);
	}
}

void transcript_draw(const struct transcript *t, struct canvas *c)
{
	size_t top = top_now(t), below = transcript_below(t), at;
	int rows = c->h < t->h ? c->h : t->h;
	const struct message *m;

	for (int y = 0; y < rows - (below > 0); y++) {
		m = message_at(t, top + (size_t)y, &at);
		if (!m)
			break;
		if (at >= m->n_line)
			continue;
		draw_line(c, y, m, &m->line[at]);
		if (m->open && at + 1 == m->n_line)
			canvas_text(c, panel_columns(m->text + m->line[at].at, m->line[at].len), y,
				ROLE_ACCENT, "▌");
	}
	if (below)
		canvas_printf(c, 0, rows - 1, ROLE_ACCENT, "▼ %zu more lines", below);
}

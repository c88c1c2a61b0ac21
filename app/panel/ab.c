/* ab.c - A and B in columns, and the strip that compares them. */
#include "app/panel/ab.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/panel/common.h"
#include "app/panel/transcript.h"
#include "core/base/alloc.h"

enum { SIDE_BY_SIDE = 56, STRIP = 4 };

struct ab_view {
	struct snap_ab *s;
	struct transcript *said[2]; /* left, right */
};

struct ab_view *ab_view_new(void)
{
	struct ab_view *v = xalloc(sizeof *v);

	for (int i = 0; i < 2; i++)
		v->said[i] = transcript_new();
	return v;
}

void ab_view_free(struct ab_view *v)
{
	snap_unref((struct snap *)v->s);
	for (int i = 0; i < 2; i++)
		transcript_free(v->said[i]);
	xfree(v);
}

void ab_view_set(struct ab_view *v, const struct snap_ab *s)
{
	static const struct snap_chat nothing = { .n = 0 };

	snap_unref((struct snap *)v->s);
	v->s = (struct snap_ab *)snap_ref((struct snap *)s);
	for (int i = 0; s && i < 2; i++)
		transcript_set(v->said[i], s->side[i].chat ? s->side[i].chat : &nothing);
}

bool ab_view_on(const struct ab_view *v)
{
	return v->s && v->s->on;
}

bool ab_view_streams(const struct ab_view *v)
{
	return v->s && v->s->state == AB_ANSWERING;
}

/* ---- one side */

static void draw_head(const struct ab_view *v, int i, struct canvas *c, int y)
{
	const struct ab_side *s = &v->s->side[i];
	struct parts line = { .c = c, .x = 0, .y = y };

	if (v->s->hidden) {
		panel_part(&line, ROLE_STRONG, i ? "right" : "left");
		panel_part(&line, ROLE_DIM, "name hidden until the vote");
		return;
	}
	if (!s->name) {
		panel_part(&line, ROLE_STRONG, "%c", "AB"[i]);
		panel_part(&line, ROLE_DIM, i ? "the layout under the dial" : "the mark");
		return;
	}
	panel_part(&line, ROLE_STRONG, "%c", s->name);
	panel_part(&line, ROLE_TEXT, "%.2f bpw", s->bpw);
	panel_part(&line, ROLE_DIM, "%s", s->id);
}

static void draw_rates(const struct ab_view *v, int i, struct canvas *c, int y)
{
	const struct snap_chat *chat = v->s->side[i].chat;
	struct parts line = { .c = c, .x = 0, .y = y };
	const struct chat_stats *s;

	if (!chat || !chat->n)
		return;
	s = &chat->stats;
	if (v->s->hidden)
		panel_part(&line, ROLE_DIM, "%zu tokens", s->answer_tokens);
	if (s->tok_s > 0)
		panel_part(&line, ROLE_TEXT, s->tok_s < 10 ? "%.1f tok/s%s" : "%.0f tok/s%s",
			s->tok_s, v->s->shared ? " shared" : "");
	if (s->ttft_ms > 0)
		panel_part(&line, ROLE_DIM, "ttft %.0f ms", s->ttft_ms);
	if (s->streaming)
		panel_part(&line, ROLE_ACCENT, s->answer_tokens ? "streaming" : "waiting");
	else if (s->end[0])
		panel_part(&line, ROLE_TEXT, "%s", s->end);
}

/* One character for a side that has no row for its head; of a hidden one the key of its vote. */
static void draw_label(const struct ab_view *v, int i, struct canvas *c)
{
	char name = v->s->hidden ? "()"[i] : v->s->side[i].name ? v->s->side[i].name : "AB"[i];

	canvas_printf(c, 0, 0, ROLE_STRONG, "%c", name);
}

/* Head, text, rates; the text keeps at least two rows.  Where it is drawn. */
static struct canvas place_side(struct ab_view *v, int i, struct canvas *c)
{
	bool head = c->h >= 3, rates = c->h >= 4;
	int label = !head && c->w >= 8 ? 2 : 0;
	struct canvas said = canvas_sub(c, label, head, c->w - label, c->h - head - rates);

	if (head)
		draw_head(v, i, c, 0);
	else if (label && c->h > 0)
		draw_label(v, i, c);
	if (rates)
		draw_rates(v, i, c, c->h - 1);
	transcript_lay_out(v->said[i], said.w, said.h);
	return said;
}

/* ---- the strip */

static const char *quoted(const char *token, char out[64])
{
	size_t n = 0;

	out[n++] = '"';
	for (const char *s = token; *s && n < 60; s++) {
		if (*s == '\n') {
			out[n++] = '\\';
			out[n++] = 'n';
		} else {
			out[n++] = *s;
		}
	}
	out[n++] = '"';
	out[n] = 0;
	return out;
}

static bool as_long(const struct snap_ab *s)
{
	return s->side[0].chat && s->side[1].chat &&
	       s->side[0].chat->stats.answer_tokens == s->side[1].chat->stats.answer_tokens;
}

static void draw_first(const struct ab_view *v, struct canvas *c, int y)
{
	const struct snap_ab *s = v->s;
	struct parts line = { .c = c, .x = 0, .y = y };
	bool over = s->state != AB_ANSWERING;

	if (s->differs)
		panel_part(&line, ROLE_WARN, "┆ first token that differs: %zu", s->differs);
	else
		panel_part(&line, ROLE_TEXT,
			!over        ? "no token differs so far"
			: as_long(s) ? "no token differs"
				     : "no token differs as far as both went");
	if (s->state == AB_COMPARING)
		panel_part(&line, ROLE_DIM, "comparing");
	else if (s->hidden && over)
		panel_part(&line, ROLE_DIM, "the rest after the vote");
	else if (s->state == AB_NOT_COMPARED)
		panel_part(&line, ROLE_DIM, "not compared");
}

static void draw_kl(const struct ab_view *v, struct canvas *c, int y)
{
	const struct ab_compared *k = &v->s->compared;
	struct parts line = { .c = c, .x = 0, .y = y };
	char mean[16], most[16], token[64];

	if (isnan(k->kl_mean)) {
		panel_part(&line, ROLE_DIM, "A said nothing: no KL");
		return;
	}
	panel_part(&line, ROLE_TEXT, "KL(A||B) mean %s", panel_kl(k->kl_mean, mean));
	if (c->w >= SIDE_BY_SIDE) /* else it stands before the bars */
		panel_part(&line, ROLE_TEXT, "max %s at %zu %s", panel_kl(k->kl_max, most),
			k->kl_at, quoted(k->kl_token, token));
	panel_part(&line, ROLE_TEXT, "top-1 %.0f %%", 100 * k->top1);
}

static void draw_ppl(const struct ab_view *v, struct canvas *c, int y)
{
	const struct ab_compared *k = &v->s->compared;
	struct parts line = { .c = c, .x = 0, .y = y };

	if (isnan(k->ppl_a))
		panel_part(&line, ROLE_DIM, "B said nothing: no perplexity");
	else
		panel_part(&line, ROLE_TEXT,
			c->w >= SIDE_BY_SIDE
				? "perplexity of B's text: by A %.4g, by the reference %.4g"
				: "ppl of B: by A %.4g, by reference %.4g",
			k->ppl_a, k->ppl_ref);
}

/* Each column is the largest of the tokens it stands for; a token fills at most one. */
static void draw_spark(const struct ab_view *v, struct canvas *c, int y)
{
	static const char *const bar[] = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	const struct snap_ab *s = v->s;
	char label[96] = "KL a token ", most_kl[16], token[64];
	size_t n = s->n_kl, columns;
	int x;

	if (c->w < SIDE_BY_SIDE && n)
		snprintf(label, sizeof label, "max %s at %zu %s ",
			panel_kl(s->compared.kl_max, most_kl), s->compared.kl_at,
			quoted(s->compared.kl_token, token));
	x = canvas_text(c, 0, y, ROLE_DIM, label);
	columns = c->w > x ? (size_t)(c->w - x) : 0;
	if (!n || !columns || !(s->compared.kl_max > 0))
		return;
	columns = columns < n ? columns : n;
	for (size_t i = 0; i < columns; i++) {
		size_t from = i * n / columns, to = (i + 1) * n / columns;
		float most = 0;
		int level;

		for (size_t t = from; t < to; t++)
			most = s->kl[t] > most ? s->kl[t] : most;
		level = (int)(8 * (double)most / s->compared.kl_max);
		level = level > 7 ? 7 : level < 0 ? 0 : level;
		canvas_text(c, x + (int)i, y, panel_ramp(level), bar[level]);
	}
}

static void draw_strip(const struct ab_view *v, struct canvas *c)
{
	bool known = v->s->state == AB_COMPARED && !v->s->hidden;

	if (c->h > 0)
		draw_first(v, c, 0);
	if (!known)
		return;
	if (c->h > 1)
		draw_kl(v, c, 1);
	if (c->h > 2)
		draw_ppl(v, c, 2);
	if (c->h > 3)
		draw_spark(v, c, 3);
}

static int strip_rows(const struct ab_view *v, int h)
{
	int want = v->s->state == AB_EMPTY                       ? 0
		   : v->s->state == AB_COMPARED && !v->s->hidden ? STRIP
								 : 1;
	int most = h >= 13 ? STRIP : h >= 11 ? 3 : h >= 9 ? 2 : h >= 5 ? 1 : 0;

	return want < most ? want : most;
}

void ab_view_draw(struct ab_view *v, struct canvas *c)
{
	int strip, h, half;
	struct canvas part, said[2];

	if (!v->s || c->w < 1 || c->h < 1)
		return;
	strip = strip_rows(v, c->h);
	h = c->h - strip;
	if (c->w >= SIDE_BY_SIDE) {
		half = (c->w - 3) / 2;
		part = canvas_sub(c, 0, 0, half, h);
		said[0] = place_side(v, 0, &part);
		for (int y = 0; y < h; y++)
			canvas_text(c, half + 1, y, ROLE_BORDER, "│");
		part = canvas_sub(c, half + 3, 0, c->w - half - 3, h);
		said[1] = place_side(v, 1, &part);
		transcript_align(v->said[0], v->said[1]);
	} else {
		half = h / 2;
		for (int i = 0; i < 2; i++) {
			part = canvas_sub(c, 0, i * half, c->w, i ? h - half : half);
			transcript_alone(v->said[i]);
			said[i] = place_side(v, i, &part);
		}
	}
	for (int i = 0; i < 2; i++)
		transcript_draw(v->said[i], &said[i]);
	part = canvas_sub(c, 0, h, c->w, strip);
	draw_strip(v, &part);
}

void ab_view_draw_state(const struct ab_view *v, struct canvas *c, int y)
{
	static const char *const said[] = { "", "left is better", "right is better", "the same",
		"both bad" };
	struct parts line = { .c = c, .x = 0, .y = y };
	const struct snap_ab *s = v->s;
	const struct chat_stats *st = s->side[0].chat ? &s->side[0].chat->stats : NULL;

	panel_part(&line, ROLE_ACCENT, s->blind ? "A/B blind" : "A/B");
	if (s->state == AB_EMPTY)
		panel_part(&line, ROLE_DIM, "both answer the next message");
	else if (s->vote)
		panel_part(&line, ROLE_GOOD, "voted: %s", said[s->vote]);
	else if (s->state != AB_ANSWERING)
		panel_part(&line, ROLE_TEXT, "%s",
			c->w >= SIDE_BY_SIDE ? "vote: Esc, then ( left  ) right  = same  - both bad"
					     : "vote: ( ) = -");
	if (!st)
		return;
	panel_part(&line, ROLE_DIM, "seed %llu", (unsigned long long)st->seed);
	panel_part(&line, ROLE_DIM, "t %.4g", st->temperature);
	if (!s->hidden)
		panel_part(&line, ROLE_DIM, "ctx %zu of %zu", st->ctx_used, st->ctx);
}

/* ---- scrolling, copying */

void ab_view_scroll(struct ab_view *v, long lines)
{
	for (int i = 0; i < 2; i++)
		transcript_scroll(v->said[i], lines);
}

void ab_view_page(struct ab_view *v, long pages)
{
	for (int i = 0; i < 2; i++)
		transcript_page(v->said[i], pages);
}

void ab_view_first(struct ab_view *v)
{
	for (int i = 0; i < 2; i++)
		transcript_first(v->said[i]);
}

void ab_view_last(struct ab_view *v)
{
	for (int i = 0; i < 2; i++)
		transcript_last(v->said[i]);
}

/* The last answer of a transcript: where it begins, how long it is. */
static const char *last_answer(const struct snap_chat *c, size_t *n)
{
	size_t end = c ? c->n : 0, first = end;

	while (first && c->piece[first - 1].who == CHAT_MODEL)
		first--;
	*n = 0;
	if (first == end)
		return "";
	*n = c->piece[end - 1].at + c->piece[end - 1].len - c->piece[first].at;
	return c->text + c->piece[first].at;
}

char *ab_view_copy(const struct ab_view *v)
{
	size_t n[2];
	const char *text[2];
	char name[2][8] = { "left", "right" };

	if (!v->s)
		return NULL;
	for (int i = 0; i < 2; i++) {
		text[i] = last_answer(v->s->side[i].chat, &n[i]);
		if (v->s->side[i].name)
			snprintf(name[i], sizeof name[i], "%c", v->s->side[i].name);
	}
	if (!n[0] && !n[1])
		return NULL;
	return xprintf(
		"%s: %.*s\n%s: %.*s\n", name[0], (int)n[0], text[0], name[1], (int)n[1], text[1]);
}

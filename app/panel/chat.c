/* chat - a conversation with the model under the dial, and the line that is typed.
 *
 * A message that cannot be sent stays in the input; one whose answer failed comes back
 * to it, with the reason beside it. */
#include "app/panel/panel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/panel/ab.h"
#include "app/panel/common.h"
#include "app/panel/editor.h"
#include "app/panel/entry.h"
#include "app/panel/transcript.h"
#include "app/tui/keys.h"
#include "core/base/alloc.h"
#include "core/work/snap_train.h"

struct chat_panel {
	struct snap_chat *chat;
	struct transcript *said;
	struct ab_view *ab; /* shown in place of the transcript while it is on */
	struct editor edit;
	bool away; /* from the input line: letters are commands */
	bool has_model;
	bool trained;    /* the trained model answers */
	bool waiting;    /* sent, and nothing came of it yet */
	uint32_t job;    /* the one that answers; 0: none */
	char *sent;      /* the last message, until it was answered */
	char *error;     /* why that failed */
	const char *why; /* why Enter did nothing */
	char *command;   /* lent out by on_text */
};

static const struct binding keys[] = {
	{ "Enter", "open", "send the message; in the transcript: back to the input line" },
	{ "M-Enter C-j", "newline", "a new line in the message" },
	{ "i", "write", "to the input line" },
	{ NULL, NULL, NULL },
};

static void *create(void)
{
	struct chat_panel *p = xalloc(sizeof *p);

	p->said = transcript_new();
	p->ab = ab_view_new();
	return p;
}

static void destroy(void *self)
{
	struct chat_panel *p = self;

	snap_unref((struct snap *)p->chat);
	transcript_free(p->said);
	ab_view_free(p->ab);
	editor_release(&p->edit);
	xfree(p->sent);
	xfree(p->error);
	xfree(p->command);
	xfree(p);
}

static void set_str(char **to, const char *s)
{
	char *own = s ? xstrdup(s) : NULL;

	xfree(*to);
	*to = own;
}

/* ---- events */

static bool is_answering(const struct event *ev)
{
	const struct snap_text *text = (const struct snap_text *)ev->snap;

	return text && !strcmp(text->text, "chat");
}

static void ended(struct chat_panel *p, const struct event *ev)
{
	const struct snap_text *text = (const struct snap_text *)ev->snap;
	enum st st = (enum st)ev->n;

	p->job = 0;
	p->waiting = false;
	if (st && st != ST_CANCELLED) {
		set_str(&p->error, text && text->text[0] ? text->text : st_name(st));
		if (p->sent && editor_blank(&p->edit))
			editor_set(&p->edit, p->sent);
	}
	set_str(&p->sent, NULL);
}

/* Does it answer now; true: that is news. */
static bool is_trained(struct chat_panel *p, const struct snap_train *t)
{
	bool was = p->trained;

	p->trained = t && t->chat;
	return p->trained != was;
}

static bool on_event(void *self, const struct event *ev)
{
	struct chat_panel *p = self;

	switch (ev->kind) {
	case EV_MODEL:
		p->has_model = ev->snap;
		return false;
	case EV_CHAT:
		p->chat = panel_hold(p->chat, ev);
		p->waiting = false;
		if (p->chat)
			transcript_set(p->said, p->chat);
		return true;
	case EV_TRAIN:
		return is_trained(p, (const struct snap_train *)ev->snap);
	case EV_AB:
		ab_view_set(p->ab, (const struct snap_ab *)ev->snap);
		p->waiting &= !ab_view_streams(p->ab);
		return true;
	case EV_JOB_BEGAN:
		if (!is_answering(ev))
			return false;
		p->job = ev->key;
		set_str(&p->error, NULL);
		return true;
	case EV_JOB_ENDED:
		if (!p->job || ev->key != p->job)
			return false;
		ended(p, ev);
		return true;
	default:
		return false;
	}
}

/* ---- scrolling */

static void scroll(struct chat_panel *p, const char *where)
{
	bool two = ab_view_on(p->ab), page = !strncmp(where, "page-", 5);
	long by = !strcmp(where, "up") || !strcmp(where, "page-up")       ? -1
		  : !strcmp(where, "down") || !strcmp(where, "page-down") ? 1
									  : 0;

	if (by && page)
		two ? ab_view_page(p->ab, by) : transcript_page(p->said, by);
	else if (by)
		two ? ab_view_scroll(p->ab, by) : transcript_scroll(p->said, by);
	else if (!strcmp(where, "first"))
		two ? ab_view_first(p->ab) : transcript_first(p->said);
	else if (!strcmp(where, "last"))
		two ? ab_view_last(p->ab) : transcript_last(p->said);
}

/* ---- typing */

static bool is_streaming(const struct chat_panel *p)
{
	return ab_view_streams(p->ab) || (p->chat && p->chat->stats.streaming);
}

static const char *send(struct chat_panel *p)
{
	if (editor_blank(&p->edit))
		return "";
	p->why = !p->has_model     ? "no model is open yet"
		 : is_streaming(p) ? "an answer is streaming: Esc stops it"
		 : p->waiting      ? "the message before is on its way"
				   : NULL;
	if (p->why)
		return "";
	xfree(p->command);
	p->command = editor_command("say", p->edit.text);
	set_str(&p->sent, p->edit.text);
	set_str(&p->error, NULL);
	editor_sent(&p->edit);
	p->waiting = true;
	scroll(p, "last");
	return p->command;
}

static const char *on_text(void *self, uint32_t key)
{
	struct chat_panel *p = self;

	p->why = NULL;
	switch (key) {
	case KEY_ENTER:
		return send(p);
	case KEY_ESC:
		p->away = true;
		p->waiting = false;
		return "";
	case KEY_PGUP:
	case KEY_PGDN:
		scroll(p, key == KEY_PGUP ? "page-up" : "page-down");
		return "";
	default:
		return editor_key(&p->edit, key) ? "" : NULL;
	}
}

static void on_paste(void *self, const char *s, size_t n)
{
	struct chat_panel *p = self;

	p->why = NULL;
	p->edit.cut = false;
	editor_insert(&p->edit, s, n);
}

static bool wants_text(const void *self)
{
	return !((const struct chat_panel *)self)->away;
}

/* ---- commands */

static bool on_command(void *self, const char *word, const char *arg)
{
	struct chat_panel *p = self;

	if (!strcmp(word, "move")) {
		scroll(p, arg);
		return true;
	}
	return entry_command(&p->edit, &p->away, word);
}

/* ---- drawing */

static void draw_stats(const struct chat_panel *p, struct canvas *c, int y)
{
	const struct chat_stats *s = &p->chat->stats;
	struct parts line = { .c = c, .x = 0, .y = y };

	if (s->streaming)
		panel_part(&line, ROLE_ACCENT, "%s",
			s->answer_tokens ? "streaming" : "reading the prompt");
	else if (s->end[0])
		panel_part(&line, ROLE_TEXT, "%s", s->end);
	if (s->tok_s > 0)
		panel_part(&line, ROLE_TEXT, s->tok_s < 10 ? "%.1f tok/s" : "%.0f tok/s", s->tok_s);
	if (s->ttft_ms > 0)
		panel_part(&line, ROLE_DIM, "ttft %.0f ms", s->ttft_ms);
	if (s->ctx)
		panel_part(&line, ROLE_DIM, "ctx %zu of %zu", s->ctx_used, s->ctx);
	if (!isnan(s->bpw) && s->bpw > 0)
		panel_part(&line, ROLE_TEXT, "%.2f bpw", s->bpw);
	panel_part(&line, ROLE_DIM, "seed %llu", (unsigned long long)s->seed);
	panel_part(&line, ROLE_DIM, "t %.4g", s->temperature);
	panel_part(&line, ROLE_DIM, "%s", s->template);
}

/* Between transcript and input: what went wrong, else how the answer went. */
static void draw_state(const struct chat_panel *p, struct canvas *c, int y)
{
	if (p->error)
		panel_cut(c, 0, y, c->w, ROLE_BAD, p->error);
	else if (p->why)
		panel_cut(c, 0, y, c->w, ROLE_WARN, p->why);
	else if (p->edit.cut)
		panel_cut(c, 0, y, c->w, ROLE_WARN, "a message holds 64 kB: the rest was left out");
	else if (p->waiting)
		panel_cut(c, 0, y, c->w, ROLE_DIM, "sent");
	else if (ab_view_on(p->ab))
		ab_view_draw_state(p->ab, c, y);
	else if (p->chat)
		draw_stats(p, c, y);
	else
		panel_cut(c, 0, y, c->w, ROLE_DIM, "Enter sends  Alt-Enter new line  Esc leaves");
}

static void draw_said(const struct chat_panel *p, struct canvas *c)
{
	if (ab_view_on(p->ab)) {
		ab_view_draw(p->ab, c);
		return;
	}
	transcript_lay_out(p->said, c->w, c->h);
	if (transcript_empty(p->said))
		panel_cut(c, 0, 0, c->w, ROLE_DIM,
			p->trained ? "Say something: the trained model answers "
				     "(:train chat off: the dial's)."
				   : "Say something: the model under the dial answers.");
	transcript_draw(p->said, c);
}

static void draw(const void *self, struct canvas *c, bool focus)
{
	const struct chat_panel *p = self;
	struct entry l;
	struct canvas said;
	struct entry_rows r;

	entry_wrap(&p->edit, c->w, &l);
	r = entry_share(c->h, l.n, 3);
	if (c->h == 1 && (!focus || p->away) && !transcript_empty(p->said))
		r = (struct entry_rows){ .above = 1 };
	said = canvas_sub(c, 0, 0, c->w, r.above);
	draw_said(p, &said);
	if (r.state)
		draw_state(p, c, r.above);
	if (r.input)
		entry_draw(&p->edit, c, r.above + r.state, r.input, &l,
			(struct entry_look){ .prompt = ">", .away = p->away, .focus = focus });
	entry_release(&l);
}

static const char *on_mouse(void *self, int x, int y, int button, int w, int h)
{
	struct chat_panel *p = self;
	struct entry l;
	struct entry_rows r;

	(void)x;
	if (button == MOUSE_WHEEL_UP || button == MOUSE_WHEEL_DOWN) {
		for (int i = 0; i < 3; i++)
			scroll(p, button == MOUSE_WHEEL_UP ? "up" : "down");
		return "";
	}
	entry_wrap(&p->edit, w, &l);
	r = entry_share(h, l.n, 3);
	entry_release(&l);
	if (button != MOUSE_LEFT || y < r.above + r.state)
		return NULL;
	p->away = false;
	return "";
}

/* The last answer, all stretches of it. */
static char *copy(const void *self)
{
	const struct snap_chat *c = ((const struct chat_panel *)self)->chat;
	size_t end, first;

	if (ab_view_on(((const struct chat_panel *)self)->ab))
		return ab_view_copy(((const struct chat_panel *)self)->ab);
	if (!c)
		return NULL;
	for (end = c->n; end && c->piece[end - 1].who != CHAT_MODEL; end--)
		;
	if (!end)
		return NULL;
	for (first = end - 1; first && c->piece[first - 1].who == CHAT_MODEL &&
			      c->piece[first - 1].turn == c->piece[end - 1].turn;
		first--)
		;
	return xstrndup(c->text + c->piece[first].at,
		c->piece[end - 1].at + c->piece[end - 1].len - c->piece[first].at);
}

const struct panel_class panel_chat = {
	.name = "chat",
	.title = "Chat",
	.min_w = 40,
	.min_h = 6,
	.events = 1u << EV_MODEL | 1u << EV_CHAT | 1u << EV_AB | 1u << EV_JOB_BEGAN |
		  1u << EV_JOB_ENDED | 1u << EV_TRAIN,
	.keys = keys,
	.create = create,
	.destroy = destroy,
	.on_event = on_event,
	.on_text = on_text,
	.on_paste = on_paste,
	.wants_text = wants_text,
	.on_command = on_command,
	.on_mouse = on_mouse,
	.copy = copy,
	.draw = draw,
};

/* tui_input - where keys, pastes and clicks go. */
#include <stdio.h>

#include "app/tui/commands.h"
#include "app/tui/keys.h"
#include "app/tui/tour.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"

static void filter_live(struct tui *t, const char *text)
{
	snprintf(t->filter, sizeof t->filter, "%s", text);
	t->filtering = *text;
	if (!panels_command(t, "filter", text) && *text)
		tui_notice(t, LOG_INFO, "the panels of this screen have no filter");
}

static void prompt_entered(struct tui *t)
{
	char *line = xstrdup(t->prompt.text);
	enum prompt_kind kind = t->prompt.kind;

	prompt_close(&t->prompt);
	if (*line)
		history_add(&t->history, kind == PROMPT_FILTER ? '/' : ':', line);
	if (kind == PROMPT_FILTER)
		filter_live(t, line);
	else
		command_run(t, line);
	xfree(line);
}

static void prompt_keyed(struct tui *t, uint32_t key)
{
	bool filter = t->prompt.kind == PROMPT_FILTER;

	switch (prompt_key(&t->prompt, key)) {
	case PROMPT_ENTER:
		prompt_entered(t);
		break;
	case PROMPT_CANCEL:
		prompt_close(&t->prompt);
		if (filter)
			filter_live(t, "");
		break;
	case PROMPT_EDITED:
		if (filter)
			filter_live(t, t->prompt.text);
		else
			tui_complete(t);
		break;
	case PROMPT_MOVED:
	case PROMPT_IGNORED:
		break;
	}
}

static void answer_question(struct tui *t, uint32_t key)
{
	t->question = ASK_NOTHING;
	if (key == 'y' || key == 'Y' || key == KEY_ENTER || key == (KEY_CTRL | 'c'))
		t->quit = true;
}

/* Ctrl-C stops, twice within two seconds asks for the end. */
static void stop_key(struct tui *t)
{
	bool again = t->now - t->stopped_at < 2, idle = tui_idle(t) && !t->streaming;
	long at = focus_now(t);

	/* As a shell does: what is typed goes first. */
	if (idle && focus_takes_text(t) && t->class[at] -> on_text(t->panel[at], KEY_CTRL | 'c'))
		return;
	t->stopped_at = t->now;
	if (again)
		t->question = ASK_QUIT;
	else if (idle)
		tui_notice(t, LOG_INFO, "nothing runs; Ctrl-C again: quit");
	else
		command_run(t, "stop");
}

/* Text goes to a panel that takes it; what it does not use may be a command still. */
static bool text_key(struct tui *t, uint32_t key)
{
	long at = focus_now(t);
	const char *command;

	if (!focus_takes_text(t))
		return false;
	if (key == KEY_ESC && t->streaming && session_chat_stop(t->s))
		return true;
	command = t->class[at]->on_text(t->panel[at], key);
	if (command && *command)
		command_run(t, command);
	return command || key_is_text(key);
}

void tui_binds(const struct tui *t, struct binding out[BINDS_MAX + 1])
{
	long at = focus_now(t);

	binds_here(&t->binds, at >= 0 ? t->class[at] -> name : NULL,
		t->n_places ? screen_name(t, t->at) : NULL, out);
}

static void bound_key(struct tui *t, uint32_t key)
{
	struct binding own[BINDS_MAX + 1];
	long at = focus_now(t);
	char command[256];

	tui_binds(t, own);
	if (keys_find(own, key, command, sizeof command) ||
		(at >= 0 && keys_find(t->class[at] -> keys, key, command, sizeof command)) ||
		(t->n_places &&
			keys_find(keys_of(screen_name(t, t->at)), key, command, sizeof command)) ||
		keys_find(keys_of("global"), key, command, sizeof command))
		command_run(t, command);
}

void tui_key(struct tui *t, uint32_t key)
{
	t->now = clock_now();
	t->dirty = true;
	t->hint = false;
	if (picture_close(t)) /* any key: it says so */
		return;
	notices_keyed(t, key);
	if (tour_key(t, key))
		return;
	if (t->question) {
		answer_question(t, key);
		return;
	}
	if (t->prompt.kind) {
		prompt_keyed(t, key);
		return;
	}
	if (t->list.open && list_key(t, key))
		return;
	if (key == (KEY_CTRL | 'c'))
		stop_key(t);
	else if (!text_key(t, key))
		bound_key(t, key);
}

void tui_paste(struct tui *t, const char *s, size_t n)
{
	long at = focus_now(t);

	t->dirty = true;
	if (picture_close(t))
		return;
	if (t->prompt.kind) {
		prompt_insert(&t->prompt, s, n);
		if (t->prompt.kind == PROMPT_FILTER)
			filter_live(t, t->prompt.text);
		else
			tui_complete(t);
	} else if (at >= 0 && t->class[at] -> on_paste && focus_takes_text(t)) {
		t->class[at]->on_paste(t->panel[at], s, n);
	} else {
		tui_notice(t, LOG_INFO, "nothing here takes a paste");
	}
}

void tui_mouse(struct tui *t, int x, int y, int button, bool dragged)
{
	const struct arrangement *tab = y == 0 && !dragged ? status_tab_at(t, x) : NULL;

	t->now = clock_now();
	t->dirty = true;
	t->hint = false;
	if (picture_close(t) || t->question || t->prompt.kind)
		return;
	if (t->list.open) {
		list_key(t, button == MOUSE_WHEEL_UP     ? KEY_UP
			    : button == MOUSE_WHEEL_DOWN ? KEY_DOWN
							 : KEY_ESC);
		return;
	}
	if (tab && button == MOUSE_LEFT) {
		screen_go(t, (char[]){ tab->key, 0 });
		return;
	}
	for (size_t i = 0; i < t->n_shown; i++) {
		const struct shown *p = &t->shown[i];
		const struct panel_class *c = t->class[p->panel];
		const char *command = NULL;

		if (x < p->x || x >= p->x + p->w || y < p->y || y >= p->y + p->h)
			continue;
		if (!dragged && button == MOUSE_LEFT)
			focus_on(t, (long)p->panel);
		if (c->on_mouse && x >= p->ix && x < p->ix + p->iw && y >= p->iy &&
			y < p->iy + p->ih)
			command = c->on_mouse(
				t->panel[p->panel], x - p->ix, y - p->iy, button, p->iw, p->ih);
		tell_cursor(t);
		t->by_mouse = true;
		if (command && *command)
			command_run(t, command);
		t->by_mouse = false;
		return;
	}
}

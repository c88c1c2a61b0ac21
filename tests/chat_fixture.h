/* chat_fixture.h - the chat panel alone, a transcript that grows, and what it shows. */
#ifndef BD_TESTS_CHAT_FIXTURE_H
#define BD_TESTS_CHAT_FIXTURE_H

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "app/tui/keys.h"
#include "core/base/alloc.h"
#include "tests/lib_panel.h"

extern const struct panel_class panel_chat;

static struct alone p;
static struct talk *said;
static char *shown;
static int cx, cy;

static inline void begin(void)
{
	p = alone_open(&panel_chat);
	said = xalloc(sizeof *said);
	said->stats.bpw = NAN;
	alone_hear(&p, EV_MODEL, 0, 0, &made_model(1)->snap);
}

static inline void end(void)
{
	xfree(shown);
	xfree(said);
	alone_close(&p);
}

static inline void hear(void)
{
	alone_hear(&p, EV_CHAT, 0, 0, talk_snap(said));
}

static inline const char *row(int w, int h, int y)
{
	xfree(shown);
	shown = alone_draw_as(&p, w, h, true, false, &cx, &cy);
	return alone_row(shown, y);
}

static inline void shows(int w, int h, const char *want)
{
	row(w, h, 0);
	cr_assert_str_eq(shown, want, "got\n%s", shown);
}

static inline const char *key(uint32_t k)
{
	return p.class->on_text(p.self, k);
}

static inline void command(const char *word, const char *arg)
{
	cr_assert(p.class->on_command(p.self, word, arg), "%s %s", word, arg);
}

#endif

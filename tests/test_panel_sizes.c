/* test_panel_sizes.c - every panel at every size, and what the table says of them. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "app/tui/keys.h"
#include "core/base/alloc.h"
#include "core/work/runs_io.h"
#include "tests/lib_panel.h"
#include "tests/lib_runs.h"

extern const char *const screen_builtin[];

static void talk(struct alone *a)
{
	static struct talk t;

	memset(&t, 0, sizeof t);
	talk_add(&t, CHAT_USER, 0, 0, 0,
		"why is the sky blue \xe6\xbc\xa2\xe5\xad\x97 at noon?\n\n");
	talk_add(&t, CHAT_MODEL, 0, 1, 4.25, "because\tair scatters \x1b[31mlight");
	talk_add(&t, CHAT_MODEL, 0, 2, 3.6,
		"more than \xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97 it");
	t.stats = (struct chat_stats){ .ctx = 2048,
		.ctx_used = 12,
		.tok_s = 41,
		.ttft_ms = 38,
		.streaming = true,
		.bpw = 3.6,
		.temperature = 0.7,
		.seed = 7,
		.template = "chatml" };
	alone_hear(a, EV_CHAT, 0, 0, talk_snap(&t));
}

/* A processor, and from stage 2 on devices with everything at its longest. */
static struct snap *machine(int stage)
{
	struct snap_device *d = snap_device_new();

	d->n = stage == 2 ? DEVICES : (size_t)stage;
	for (size_t i = 0; i < d->n; i++) {
		struct device_now *o = &d->at[i];

		snprintf(o->id, sizeof o->id, "%s", i ? "cuda:12345678" : "cpu");
		memset(o->name, 'n', sizeof o->name - 1);
		memset(o->kernels, 'k', sizeof o->kernels - 1);
		o->cores = o->threads = i ? 0 : 4096;
		o->here = i == 1;
		o->load = stage == 2 ? 7 : (double)NAN;
		o->used = o->total = o->ours = stage == 2 ? UINT64_MAX : 0;
	}
	memset(d->none, 'w', sizeof d->none - 1);
	d->process = d->load_1min = stage == 2 ? 1e9 : (double)NAN;
	return &d->snap;
}

/* stage 0: nothing was heard; 1: first scores; 2: scanned, a job failed; 3: one layer. */
static struct alone in_stage(const struct panel_class *class, int stage)
{
	size_t layers = stage == 3 ? 1 : 30;
	struct alone a = alone_open(class);
	struct snap_answer *answer;
	struct snap_front *front;

	if (!stage)
		return a;
	answer = made_answer(layers);
	front = made_front();
	answer->in_nats = front->in_nats = stage != 1;
	answer->asked_bpw = stage == 2 ? 4.27 : 4.25;
	answer->measured_kl = stage == 2 ? 0.0129 : (double)NAN;
	alone_hear(&a, EV_MODEL, 0, 0, &made_model(layers)->snap);
	alone_hear(
		&a, EV_MAP, 0, 0, &made_map(layers, stage == 1 ? CELL_SCORED : CELL_SCANNED)->snap);
	alone_hear(&a, EV_ANSWER, 0, 0, &answer->snap);
	alone_hear(&a, EV_FRONT, 0, 0, &front->snap);
	alone_hear(&a, EV_VARIANTS, 0, 0, &made_variants(layers)->snap);
	alone_hear(&a, EV_CURSOR, 0, 5, NULL);
	for (uint32_t id = 1; id < 4; id++) {
		alone_hear(&a, EV_JOB_BEGAN, id, 0, &snap_text_new("scan")->snap);
		alone_hear(&a, EV_JOB_PROGRESS, id, 0, &made_progress("scan", 403, 630)->snap);
	}
	for (uint32_t id = 1; id < 4 && stage == 2; id++)
		alone_hear(&a, EV_JOB_ENDED, id, ST_NOMEM, &snap_text_new("no memory")->snap);
	if (stage != 1)
		alone_hear(&a, EV_RUNS, 0, 0, made_runs(stage == 2 ? 40 : 1));
	alone_hear(&a, EV_DEVICE, 0, 0, machine(stage));
	alone_hear(&a, EV_TRAIN, 0, 0, &made_train(stage == 1 ? 0 : stage == 2 ? 300 : 1)->snap);
	talk(&a);
	return a;
}

static void at_every_size(struct alone *a, int stage)
{
	for (int w = 0; w <= 90; w += w < 14 ? 1 : 4)
		for (int h = 0; h <= 40; h += h < 8 ? 1 : 4)
			cr_expect(alone_stays_inside(a, w, h), "%s at %dx%d, stage %d",
				a->class->name, w, h, stage);
}

Test(panel, no_panel_writes_outside_its_rectangle_at_any_size)
{
	for (const struct panel_class *const *c = panel_table; *c; c++)
		for (int stage = 0; stage < 4; stage++) {
			struct alone a = in_stage(*c, stage);

			at_every_size(&a, stage);
			alone_close(&a);
		}
}

Test(panel, other_views_stay_inside_too)
{
	struct alone map = in_stage(panel_table[0], 2), chat = in_stage(panel_table[6], 2);

	map.class->on_command(map.self, "transpose", "");
	at_every_size(&map, 10);
	map.class->on_command(map.self, "bin", "");
	map.class->on_command(map.self, "filter", "v nothing");
	at_every_size(&map, 11);
	map.class->on_command(map.self, "transpose", "");
	map.class->on_command(map.self, "view", "next");
	at_every_size(&map, 12);
	alone_close(&map);

	chat.class->on_paste(chat.self, "one\ntwo \xe6\xbc\xa2\xe5\xad\x97\n\n", 15);
	at_every_size(&chat, 13);
	chat.class->on_command(chat.self, "move", "first");
	chat.class->on_text(chat.self, KEY_ESC);
	at_every_size(&chat, 14);
	alone_close(&chat);
}

Test(panel, a_panel_at_its_smallest_says_something)
{
	for (const struct panel_class *const *c = panel_table; *c; c++)
		for (int stage = 0; stage < 4; stage++) {
			struct alone a = in_stage(*c, stage);
			char *text = alone_draw(&a, (*c)->min_w, (*c)->min_h);

			cr_expect(strspn(text, " \n") < strlen(text), "%s stage %d", (*c)->name,
				stage);
			xfree(text);
			alone_close(&a);
		}
}

Test(panel, ascii_drawings_hold_ascii_only)
{
	for (const struct panel_class *const *c = panel_table; *c; c++) {
		struct alone a = in_stage(*c, 2);
		char *text;
		int x, y;

		alone_hear(&a, EV_VIEW, 0, 1 << 5, NULL);
		text = alone_draw_as(&a, 80, 20, true, true, &x, &y);
		for (const char *s = text; *s; s++)
			cr_assert(
				*s == '\n' || (*s >= ' ' && *s < 0x7f), "%s: %s", (*c)->name, text);
		/* What has no ASCII form would be a question mark; a talk has its own. */
		if (strcmp((*c)->name, "chat"))
			cr_assert_null(strchr(text, '?'), "%s: %s", (*c)->name, text);
		xfree(text);
		alone_close(&a);
	}
}

static bool is_command(const char *word)
{
	static const char *const names[] = {
#define C(id, name, flags, args, complete, help) name,
#include "app/tui/commands.def"
#undef C
	};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (!strcmp(word, names[i]))
			return true;
	return false;
}

/* What each key asks for; the screens' tables have other keys, or the same on purpose. */
static bool has_name(void *arg, uint32_t key, const char *command, size_t len)
{
	const struct panel_class *c = arg;
	char word[32];

	(void)key;
	cr_assert_lt(len, sizeof word);
	memcpy(word, command, len);
	word[len] = 0;
	word[strcspn(word, " ")] = 0;
	if (!is_command(word)) {
		struct alone a = in_stage(c, 2);

		/* Twice: what it does may depend on where the focus is. */
		cr_expect(a.class->on_command(a.self, word, "") ||
				  a.class->on_command(a.self, word, ""),
			"%s: no command %s", c->name, word);
		alone_close(&a);
	}
	return true;
}

Test(panel, every_bound_command_is_known)
{
	for (const struct panel_class *const *c = panel_table; *c; c++)
		for (const struct binding *b = (*c)->keys; b && b->keys; b++) {
			cr_expect(b->help && *b->help);
			keys_walk(b, has_name, (void *)*c);
		}
}

Test(panel, no_panel_binds_a_key_of_its_screen_again)
{
	static const char *const screen[] = { "search", "chat" };
	char out[64], name[32];

	for (const struct panel_class *const *c = panel_table; *c; c++)
		for (const struct binding *b = (*c)->keys; b && b->keys; b++)
			for (size_t s = 0; s < 2; s++)
				for (const struct binding *o = keys_of(screen[s]); o && o->keys;
					o++) {
					/* A panel of another screen's keys are its own. */
					snprintf(name, sizeof name, "\"%s", (*c)->name);
					if (!strstr(screen_builtin[s], name))
						continue;
					uint32_t key;

					if (key_parse(o->keys, strcspn(o->keys, " "), &key))
						cr_expect_not(
							keys_find((*c)->keys, key, out, sizeof out),
							"%s binds %s", (*c)->name, o->keys);
				}
}

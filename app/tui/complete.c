/* complete - candidates for the word under the cursor of the `:` line. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "app/tui/commands.h"
#include "app/tui/devices.h"
#include "app/tui/show.h"
#include "app/tui/themes.h"
#include "app/tui/train_words.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"

struct word {
	const char *s;
	size_t n;
};

static void add(struct tui *t, struct word w, const char *text, const char *help)
{
	completion_add(&t->prompt.list, w.s, w.n, text, help);
}

static void commands(struct tui *t, struct word w)
{
	for (const struct command *c = command_table; c->name; c++)
		add(t, w, c->name, c->help);
}

static void paths(struct tui *t, struct word w)
{
	char *dir = xstrndup(w.s, w.n), *slash = strrchr(dir, '/'), **names;
	size_t n;

	if (slash)
		slash[1] = 0;
	else
		*dir = 0;
	if (fs_list(*dir ? dir : ".", &names, &n, NULL)) {
		xfree(dir);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		char *path = xprintf("%s%s", dir, names[i]);
		bool hidden = names[i][0] == '.' && w.s[strlen(dir)] != '.';

		if (!hidden && !strncmp(path, w.s, w.n)) {
			char *shown = xprintf("%s%s", path, fs_is_dir(path) ? "/" : "");

			add(t, w, shown, "");
			xfree(shown);
		}
		xfree(path);
		xfree(names[i]);
	}
	xfree(names);
	xfree(dir);
}

static void linears(struct tui *t, struct word w)
{
	static const char *const kind[] = { "q", "k", "v", "o", "gate", "up", "down" };
	char name[40], help[80];

	for (int k = 0; k < 7; k++) {
		snprintf(name, sizeof name, "layers.*.%s", kind[k]);
		snprintf(help, sizeof help, "every %s", kind[k]);
		add(t, w, name, help);
	}
	for (size_t i = 0; t->model && i < t->model->n && w.n > 6; i++) {
		snprintf(name, sizeof name, "layers.%zu.%s", i / 7, kind[i % 7]);
		add(t, w, name, "");
	}
}

static void formats(struct tui *t, struct word w)
{
	char name[FORMAT_NAME];

	for (size_t i = 0; t->model && i < t->model->k; i++)
		add(t, w, format_name(t->model->format[i], name), "");
}

static void options(struct tui *t, struct word w)
{
	char help[192];

	for (int i = 0; i < OPTS; i++) {
		snprintf(help, sizeof help, "%s; now %s", option_table[i].help,
			t->opt.value[i][0] ? t->opt.value[i] : "the default");
		add(t, w, option_table[i].name, help);
	}
}

/* Names that another file hands over, each with what it is. */
struct named {
	struct tui *t;
	struct word w;
};

static void add_named(void *arg, const char *name, const char *what)
{
	struct named *all = arg;

	add(all->t, all->w, name, what);
}

static void option_values(struct tui *t, struct word w, const char *name)
{
	char word[64];
	enum opt which;

	if (options_find(name, &which, NULL))
		return;
	if (which == OPT_FORMATS) {
		add(t, w, "default", "the dial's own");
		formats(t, w);
		return;
	}
	if (option_table[which].type == OPT_BOOL) {
		add(t, w, "on", "");
		add(t, w, "off", "");
		return;
	}
	if (which == OPT_THEME) {
		themes_each(add_named, &(struct named){ t, w });
		return;
	}
	for (const char *s = option_table[which].choices; *s;) {
		size_t n = strcspn(s, "|");

		snprintf(word, sizeof word, "%.*s", (int)n, s);
		add(t, w, word, "");
		s += n + (s[n] == '|');
	}
}

static void one_of(struct tui *t, struct word w, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n && names[i]; i++)
		add(t, w, names[i], "");
}

/* Words with what they do. */
struct said {
	const char *word, *help;
};

static void some(struct tui *t, struct word w, const struct said *s)
{
	for (; s->word; s++)
		add(t, w, s->word, s->help);
}

static void arrangements(struct tui *t, struct word w)
{
	static const struct said verbs[] = { { "next", "of this screen" },
		{ "prev", "of this screen" }, { "reload", "read the files again" },
		{ "save", "the present one, under a name, in the state folder" }, { NULL, NULL } };
	char title[ARR_NAME];

	for (size_t i = 0; i < t->n_choices; i++)
		add(t, w, t->choice[i].arr.name,
			screen_title(t->screen_name[t->choice[i].arr.key - '0'], title));
	some(t, w, verbs);
}

static void panels(struct tui *t, struct word w, bool with_figure)
{
	for (size_t i = 0; i < t->n_panels; i++)
		if (panel_on_screen(t, i) && (!with_figure || t->class[i] -> figure))
			add(t, w, t->class[i] -> name, t -> class[i] -> title);
}

/* The linears are first, what is done to them second. */
static void linear_then(struct tui *t, struct word w, size_t nth, const char *command)
{
	if (nth == 1)
		linears(t, w);
	else if (nth == 2 && strcmp(command, "price"))
		formats(t, w);
	if (nth == 2 && !strcmp(command, "floor"))
		add(t, w, "any", "no floor");
}

/* Files behind data= and test=, in the place of the whole word. */
static void training(struct tui *t, struct word w, size_t nth, const char *before)
{
	const char *word = w.s;
	size_t eq = 0;

	while (eq < w.n && w.s[eq] != '=')
		eq++;
	if (eq < w.n && eq == 4 && (!strncmp(w.s, "data", 4) || !strncmp(w.s, "test", 4))) {
		t->prompt.list.from += eq + 1;
		paths(t, (struct word){ w.s + eq + 1, w.n - eq - 1 });
		return;
	}
	train_words(t, nth, before, word, add_named, &(struct named){ t, w });
}

static void devices(struct tui *t, struct word w)
{
	devices_each(add_named, &(struct named){ t, w });
	add(t, w, "auto", "the best there is");
}

static void ties(struct tui *t, struct word w)
{
	static const struct said words[] = { { "qkv", "q, k and v of every block" },
		{ "gateup", "gate and up of every block" }, { "off", "no ties" }, { NULL, NULL } };

	some(t, w, words);
	linears(t, w);
}

/* What only a first argument is; false: the command takes something else. */
static bool first_argument(struct tui *t, enum complete_kind how, struct word w)
{
	static const char *const marks[] = { "A", "off" };
	static const char *const switches[] = { "on", "off", "toggle" };
	static const char *const picks[] = { "left", "right", "tie", "bad" };
	static const struct said budgets[] = { { "kl<=0.02", "the smallest predicted at that" },
		{ "120MiB", "bytes of the linears" }, { "file 150MiB", "of the whole file" },
		{ "60tok/s", "by the speed that the chat measured" }, { NULL, NULL } };

	if (how == COMPLETE_PATH)
		paths(t, w);
	else if (how == COMPLETE_BUDGET)
		some(t, w, budgets);
	else if (how == COMPLETE_TIE)
		ties(t, w);
	else if (how == COMPLETE_MARK)
		one_of(t, w, marks, 2);
	else if (how == COMPLETE_SWITCH)
		one_of(t, w, switches, 3);
	else if (how == COMPLETE_VOTE)
		one_of(t, w, picks, 4);
	else if (how == COMPLETE_ARRANGEMENT)
		arrangements(t, w);
	else if (how == COMPLETE_PLOT)
		panels(t, w, true);
	else if (how == COMPLETE_DEVICE)
		devices(t, w);
	else if (how == COMPLETE_RUN)
		for (size_t i = 0; t->runs && i < t->runs->all.n; i++)
			add(t, w, runs_short(&t->runs->all, &t->runs->all.at[i]),
				t->runs->all.at[i].model);
	else
		return false;
	return true;
}

static void argument(
	struct tui *t, const struct command *c, struct word w, size_t nth, const char *before)
{
	static const char *const moves[] = { "left", "right", "up", "down", "first", "last",
		"page-up", "page-down" };
	static const char *const steps[] = { "next", "prev" };

	if (nth == 1 && first_argument(t, c->complete, w))
		return;
	switch (c->complete) {
	case COMPLETE_LINEAR:
		linear_then(t, w, nth, c->name);
		break;
	case COMPLETE_SCREEN:
		for (size_t i = 0; i < t->n_places; i++)
			add(t, w, screen_name(t, i), "");
		break;
	case COMPLETE_PANEL:
		one_of(t, w, steps, 2);
		panels(t, w, false);
		break;
	case COMPLETE_MOVE:
		one_of(t, w, moves, 8);
		break;
	case COMPLETE_RAMP:
		one_of(t, w, ramp_name, RAMPS);
		break;
	case COMPLETE_OPTION:
		if (nth == 1)
			options(t, w);
		else
			option_values(t, w, before);
		break;
	case COMPLETE_SHOW:
		for (const struct show_topic *s = show_topics; nth == 1 && s->name; s++)
			add(t, w, s->name, s->help);
		if (nth == 2 && !strcmp(before, "cell"))
			linears(t, w);
		break;
	case COMPLETE_TOPIC:
		commands(t, w);
		break;
	case COMPLETE_TRAIN:
		training(t, w, nth, before);
		break;
	case COMPLETE_TRAIN_KEY:
		calibrate_words(t, nth, before, add_named, &(struct named){ t, w });
		if (nth == 1 || strcmp(before, "on") != 0)
			training(t, w, 0, before); /* keys alone */
		break;
	case COMPLETE_PATH: /* these have nothing behind their first */
	case COMPLETE_BUDGET:
	case COMPLETE_TIE:
	case COMPLETE_MARK:
	case COMPLETE_SWITCH:
	case COMPLETE_VOTE:
	case COMPLETE_ARRANGEMENT:
	case COMPLETE_PLOT:
	case COMPLETE_RUN:
	case COMPLETE_DEVICE:
	case COMPLETE_NONE:
	case COMPLETE_NUMBER:
		break;
	}
}

void tui_complete(struct tui *t)
{
	struct prompt *p = &t->prompt;
	const char *from = p->text, *end, *at = p->text + p->at;
	char head[128], *argv[COMMAND_ARGS];
	struct word w;
	int argc;

	p->list.n = 0;
	p->chosen = -1;
	/* Of several commands the one under the cursor counts. */
	while ((end = command_end(from)) < at && *end)
		from = end + 1;
	from += strspn(from, " ");
	if (from > at)
		from = at;
	w.s = at;
	while (w.s > from && w.s[-1] != ' ')
		w.s--;
	w.n = (size_t)(at - w.s);
	p->list.from = (size_t)(w.s - p->text);
	if (w.s == from) {
		commands(t, w);
		return;
	}
	snprintf(head, sizeof head, "%.*s", (int)(w.s - from), from);
	argc = command_split(head, argv);
	if (argc && command_find(argv[0]))
		argument(t, command_find(argv[0]), w, (size_t)argc, argv[argc - 1]);
}

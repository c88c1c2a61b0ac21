/* verbs_open.c - the workbench: a session, a bus, and the screen on them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/tui/config.h"
#include "app/lua/sandbox.h"
#include "app/tui/loop.h"
#include "app/verbs.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/work/run_model.h"

/* "120x36"; false: not understood. */
static bool parse_size(const char *s, int *w, int *h)
{
	char *end;
	long x = strtol(s, &end, 10), y;

	if (end == s || *end != 'x')
		return false;
	s = end + 1;
	y = strtol(s, &end, 10);
	if (end == s || *end || x < 1 || y < 1 || x > 1000 || y > 1000)
		return false;
	*w = (int)x;
	*h = (int)y;
	return true;
}

static char *choose_model(const struct args *a, bool *demo, struct err *e)
{
	char *path = NULL;

	*demo = a->demo;
	if (a->n_words)
		return xstrdup(a->word[0]);
	if (!a->demo)
		path = verb_default_model();
	if (!path) {
		*demo = true;
		path = verb_demo_model(a->read_only, e);
	}
	return path;
}

/* What cannot be a model is said before the screen is taken. */
static enum st check_model(const char *word, struct err *e)
{
	char *path;
	enum st st = run_model(&path, word, e);

	if (!st && !fs_is_file(path) && !fs_is_dir(path))
		st = strcmp(path, word) ? err_set(e, ST_IO,
						  "%.80s: the model of that run, %.160s, is gone: "
						  "put it back",
						  word, path)
					: err_set(e, ST_IO,
						  "%.200s: there is no such file or folder, and "
						  "no run (bitdial runs lists them)",
						  path);
	xfree(path);
	return st;
}

/* What the table of options cannot see: 0, or 2 and a sentence. */
static int check_options(const struct args *a, struct tui_options *o)
{
	const char *size = a->headless ? a->headless : a->size;
	enum color_when when;

	if (size && !parse_size(size, &o->w, &o->h)) {
		verb_note("bitdial: size %s: expected WxH, such as 120x36", size);
		return 2;
	}
	if ((a->keys || a->dump) && !a->headless) {
		verb_note("bitdial: --%s goes with --headless WxH", a->keys ? "keys" : "dump");
		return 2;
	}
	if (a->plain && (a->json || a->once || a->headless)) {
		verb_note("bitdial: --%s does not go with --plain, which is lines for people%s",
			a->json   ? "json"
			: a->once ? "once"
				  : "headless",
			a->json ? " (--batch FILE --json is lines for programs)" : "");
		return 2;
	}
	if (a->tour && (!a->demo || a->keys || a->once)) {
		verb_note("bitdial: --tour goes with --demo alone; on a model of yours type :tour");
		return 2;
	}
	if (a->color && !color_when_parse(a->color, &when)) {
		verb_note("bitdial: --color %s: expected auto, always or never", a->color);
		return 2;
	}
	return 0;
}

enum { BEGAN = 8 };

/* What the options of the command line come to, as commands (app/tui/acts.h); xfree each. */
static void began_lines(const struct args *a, const char *path, char *line[BEGAN])
{
	size_t n = 0;
	char *text = NULL;

	if (a->formats)
		line[n++] = xprintf("set formats %s", a->formats);
	if (a->mix)
		line[n++] = xprintf("set mix %s", a->mix);
	if (a->tokens)
		line[n++] = xprintf("set scan_tokens %llu", (unsigned long long)a->tokens);
	line[n++] = xprintf("open %s", path);
	for (size_t i = 0; i < a->n_texts; i++) {
		char *more = xprintf("%s \"%s\"", text ? text : "text", a->texts[i]);

		xfree(text);
		text = more;
	}
	if (text)
		line[n++] = text;
	if (a->layout)
		line[n++] = xprintf("layout %s", a->layout);
	line[n] = NULL;
}

static struct tui_options screen_options(const struct args *a)
{
	return (struct tui_options){ .color = a->color,
		.arrange = a->arrange,
		.screen = a->screen,
		.ascii = a->ascii,
		.no_mouse = a->no_mouse,
		.no_sync = a->no_sync,
		.read_only = a->read_only,
		.once = a->once,
		.plain = a->plain,
		.no_devices = a->device && !strcmp(a->device, "cpu"),
		.json = a->json,
		.demo = { .make = verb_demo_model, .read_only = a->read_only },
		.tour = a->tour,
		.show_cursor = a->show_cursor,
		.headless = a->headless != NULL,
		.keys = a->keys,
		.dump = a->dump,
		.stats = a->stats };
}

static struct session_options sitting_options(const struct args *a)
{
	return (struct session_options){ .formats = a->formats,
		.mix = a->mix && !strcmp(a->mix, "channel"),
		.scan_tokens = (size_t)a->tokens,
		.template = a->template,
		.layout = a->layout,
		.read_only = a->read_only,
		.no_runs = a->once || a->tour,
		.device = a->device,
		.threads = (int)a->threads };
}

int verb_open(const struct args *a)
{
	struct tui_options o = screen_options(a);
	struct session_options so = sitting_options(a);
	struct sampler_options sampler = sampler_default;
	struct sandbox_options sandbox;
	struct sources sources;
	struct config config;
	struct session *s;
	struct err e = { 0 };
	struct bus *b;
	char *path, *began[BEGAN] = { NULL };
	int rc;

	if (a->default_config) {
		config_print(stdout);
		return 0;
	}
	if (check_options(a, &o) || verb_sandbox(a, &sandbox, &o.sandbox))
		return 2;
	if (a->device && verb_device(a, &e))
		return verb_fail(&e);
	if (verb_sources(&sources, a, &e))
		return verb_fail(&e);
	so.sources = &sources;
	path = choose_model(a, &so.demo, &e);
	if (!path || check_model(path, &e)) {
		xfree(path);
		sources_release(&sources);
		return verb_fail(&e);
	}
	verb_fault_signals(); /* until the screen's own */
	tui_block_signals();
	verb_log(a); /* without a log file the program works as well */
	verb_config(&config, a, &so);
	so.auto_scan = config_on(&config, OPT_AUTO_SCAN, true);
	o.config = &config;
	b = bus_new();
	s = session_new(&so, b);
	sources_release(&sources);
	config_session(&config, s);
	config_sampler(&config, &sampler);
	if (a->once || a->plain) /* others may cover them in the one frame */
		verb_config_notes(&config);
	sampler.temperature = isnan(a->temp) ? sampler.temperature : a->temp;
	sampler.seed = a->seed >= 0 ? (uint64_t)a->seed : sampler.seed;
	session_chat_sampler(s, &sampler);
	o.sampler = &sampler;
	began_lines(a, path, began);
	o.began = (const char *const *)began;
	o.sub = tui_subscribe(b); /* before anything is published */
	rc = session_open(s, path, &e) ? verb_fail(&e) : tui_run(s, b, &o);
	session_free(s);
	bus_free(b);
	config_release(&config);
	log_close();
	xfree(path);
	for (size_t i = 0; i < BEGAN; i++)
		xfree(began[i]);
	return rc;
}

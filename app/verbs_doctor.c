/* verbs_doctor.c - what was found on this machine, and the cache. */
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/tui/canvas.h"
#include "app/tui/theme.h"
#include "app/verbs.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/work/cache.h"
#include "core/work/device.h"
#include "core/work/run.h"
#include "kernels/backend.h"
#include "kernels/pool.h"

static void fact(struct json_out *o, bool json, const char *key, const char *value)
{
	char clean[600];

	if (json) {
		json_put_str(o, key, value);
		return;
	}
	text_clean(clean, sizeof clean, value, strlen(value), true);
	printf("%-12s %s\n", key, clean);
}

static void count(struct json_out *o, bool json, const char *key, uint64_t n, bool is_bytes)
{
	char text[24];

	if (json) {
		json_put_i64(o, key, (int64_t)n);
		return;
	}
	snprintf(text, sizeof text, "%llu", (unsigned long long)n);
	fact(o, json, key, is_bytes ? text_bytes(n, text) : text);
}

static void kernels(struct json_out *o, bool json)
{
	if (json)
		json_open(o, "kernels", '{');
	for (size_t i = 0; backends()[i]; i++) {
		const struct backend *b = backends()[i];
		char line[400], key[40];
		size_t n;

		n = (size_t)snprintf(line, sizeof line, "score %d%s%s", b->score(),
			b->path ? ", " : "", b->path ? b->path() : "");
		for (size_t k = 0; backend_missing(b, k) && n < sizeof line; k++)
			n += (size_t)snprintf(line + n, sizeof line - n, "%s%s",
				k ? " " : "; by ref: ", backend_missing(b, k));
		snprintf(key, sizeof key, "kernels %s", b->name);
		fact(o, json, json ? b->name : key, line);
	}
	if (json)
		json_close(o, '}');
}

static void places(struct json_out *o, bool json)
{
	static const struct {
		enum fs_place at;
		const char *name;
	} place[] = { { FS_CONFIG, "config" }, { FS_STATE, "state" }, { FS_DATA, "data" } };
	char *dir, line[600], bytes[16];
	size_t models;
	uint64_t used;

	for (size_t i = 0; i < 3; i++) {
		dir = fs_place(place[i].at);
		fact(o, json, place[i].name, dir);
		xfree(dir);
	}
	dir = runs_dir();
	fact(o, json, "runs", dir);
	xfree(dir);
	dir = cache_dir();
	used = cache_bytes(&models);
	if (json) {
		json_open(o, "cache", '{');
		json_put_str(o, "path", dir);
		json_put_i64(o, "models", (int64_t)models);
		json_put_i64(o, "bytes", (int64_t)used);
		json_close(o, '}');
		xfree(dir);
		return;
	}
	snprintf(line, sizeof line, "%s (%zu models, %s of 4 GiB; bitdial doctor --clear-cache)",
		dir, models, text_bytes(used, bytes));
	fact(o, json, "cache", line);
	xfree(dir);
}

/* A surface as text: letters for the roles, a shape and a digit of every step of a ramp. */
static void put_surface(struct surface *s, const struct theme *t)
{
	bool ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	char *text =
		t->depth == DEPTH_MONO ? surface_dump(s, ascii) : surface_dump_ansi(s, ascii, t);

	fputs(text, stdout);
	xfree(text);
	surface_free(s);
}

static void steps(struct canvas *c, int y, const char *name, enum role first, int n)
{
	canvas_text(c, 0, y, ROLE_TEXT, name);
	for (int i = 0; i < n; i++) {
		canvas_char(c, 13 + 2 * i, y, (enum role)(first + i), 0x2588);
		canvas_char(c, 31 + 2 * i, y, (enum role)(first + i), (uint32_t)('0' + i));
	}
}

static int show_colors(void)
{
	static const char *const role[] = { "text", "dim", "strong", "accent", "good", "warn",
		"bad", "selected", "cursor", "border", "focus" };
	enum depth depth = color_depth(COLOR_AUTO, isatty(STDOUT_FILENO) ? 256 : 0);
	struct surface *s = surface_new(80, 4);
	struct canvas c = canvas_of(s);
	struct theme t;
	int x = 13;

	theme_init(&t, "default", depth, RAMP_VIRIDIS, false);
	canvas_text(&c, 0, 0, ROLE_TEXT, "roles");
	for (size_t i = 0; i < sizeof role / sizeof *role; i++) {
		x += canvas_text(&c, x, (int)i / 7, (enum role)(ROLE_TEXT + i), role[i]) + 1;
		x = i == 6 ? 13 : x;
	}
	steps(&c, 2, "series", ROLE_SERIES0, 7);
	steps(&c, 3, "diverging", ROLE_DIFF0, 8);
	put_surface(s, &t);
	for (int r = 0; r < RAMPS; r++) {
		s = surface_new(80, 1);
		c = canvas_of(s);
		theme_init(&t, "default", depth, (enum ramp)r, false);
		steps(&c, 0, ramp_name[r], ROLE_RAMP0, 8);
		put_surface(s, &t);
	}
	return 0;
}

int verb_doctor(const struct args *a)
{
	char *cpu, *model, bytes[16];
	struct json_out o = { 0 };
	const char *term = getenv("TERM");
	struct err e = { 0 };
	enum st st;

	if (a->clear_cache) {
		size_t models;
		uint64_t used = cache_bytes(&models);

		st = cache_clear(&e);
		if (st)
			return verb_fail(&e);
		verb_note("cache emptied: %zu models, %s", models, text_bytes(used, bytes));
		return 0;
	}
	if (a->colors)
		return show_colors();
	if (a->json) {
		json_out_init(&o, false);
		json_open(&o, NULL, '{');
	}
	pool_start((int)a->threads);
	cpu = device_cpu_name();
	model = verb_default_model();
	fact(&o, a->json, "bitdial", BD_VERSION);
	fact(&o, a->json, "cpu", cpu);
	count(&o, a->json, "threads", (uint64_t)pool_threads(), false);
	count(&o, a->json, "memory", mem_available(), true);
	kernels(&o, a->json);
	fact(&o, a->json, "model", model ? model : "none (make model fetches the default one)");
	fact(&o, a->json, "terminal", term ? term : "none");
	fact(&o, a->json, "charset", nl_langinfo(CODESET));
	fact(&o, a->json, "colour", getenv("NO_COLOR") ? "off (NO_COLOR)" : "auto");
	places(&o, a->json);
	if (a->json) {
		json_close(&o, '}');
		printf("%s\n", o.s);
		json_out_release(&o);
	}
	xfree(cpu);
	xfree(model);
	pool_stop();
	return 0;
}

int verb_help(const struct args *a)
{
	return args_help(a->n_words ? a->word[0] : NULL, true);
}

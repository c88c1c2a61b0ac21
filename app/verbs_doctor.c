/* verbs_doctor.c - what was found on this machine, and the cache. */
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* What multiplies in training: bfloat16 where the processor or the device has it, and --f32 was not
 * said.  The first word of the path is the instructions in use. */
static void training(struct json_out *o, bool json)
{
	const struct backend *b = backend_now();
	const char *path = b->path ? b->path() : b->name;
	int word = (int)strcspn(path, " ");
	bool bf16 = !b->host_memory || !strncmp(path, "amx ", 4) || !strncmp(path, "bf16 ", 5);
	char line[160];

	if (!b->host_memory)
		snprintf(line, sizeof line, "products in bfloat16 by %s", b->name);
	else
		snprintf(line, sizeof line, "products in %s by %.*s%s", bf16 ? "bfloat16" : "float",
			word, path, bf16 ? "" : " (bfloat16 wants avx512_bf16 or amx)");
	fact(o, json, "training", line);
}

/* One device: opened, since only that shows whether it works. */
static void device(struct json_out *o, bool json, const struct backend *b)
{
	struct backend_device now = { 0 };
	struct err why = { 0 };
	bool fine = !b->open || !b->open(&why);
	char line[600], key[40], total[16], left[16];

	if (b->info)
		b->info(&now);
	if (json) {
		json_open(o, NULL, '{');
		json_put_str(o, "id", b->name);
		json_put_str(o, "name", now.name);
		json_put_str(o, "kernels", now.kernels);
		json_put_i64(o, "memory", (int64_t)now.total);
		json_put_i64(o, "free", (int64_t)now.free);
		json_put_str(o, "not_used_because", fine ? "" : why.msg);
		json_close(o, '}');
		return;
	}
	snprintf(key, sizeof key, "device %s", b->name);
	snprintf(line, sizeof line, "%s, %s, %s free, %s%s%s", now.name,
		text_bytes(now.total, total), text_bytes(now.free, left), now.kernels,
		fine ? "" : "; not used: ", fine ? "" : why.msg);
	fact(o, json, key, line);
}

/* Beside the processor; where there is none, why. */
static void devices(struct json_out *o, bool json)
{
	const char *why = backend_devices(); /* looks */
	struct err e = { 0 };
	size_t n = 0;
	char line[400];

	if (json)
		json_open(o, "devices", '[');
	for (size_t i = 0; backends()[i]; i++)
		if (!backends()[i]->host_memory) {
			device(o, json, backends()[i]);
			n++;
		}
	if (json) {
		json_close(o, ']');
		json_put_str(o, "no_device_because", n ? "" : why);
	} else if (!n) {
		snprintf(line, sizeof line, "only the processor: %s", why);
		fact(o, json, "devices", line);
	}
	if (backend_use("auto", &e)) {
		/* then it stays the processor */
	}
	fact(o, json, json ? "backend" : "computes on", backend_now()->name);
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
		return verb_colors();
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
	devices(&o, a->json);
	kernels(&o, a->json);
	training(&o, a->json);
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
	if (a->n_words && !strcmp(a->word[0], "lua"))
		return args_help_lua(a->word[1], a->roff);
	if (a->options && !a->roff && a->n_words < 2)
		return args_help_options(a->n_words ? a->word[0] : NULL);
	if (a->roff || a->n_words > 1) {
		verb_note("bitdial: usage: bitdial help [VERB], or bitdial help lua [MODULE | "
			  "--roff]");
		return 2;
	}
	return args_help(a->n_words ? a->word[0] : NULL, true);
}

/* args.c - argv to struct args, and help, both from two tables. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/lua/manual.h"
#include "app/verbs.h"
#include "core/base/fs.h"
#include "core/base/text.h"

enum kind { FLAG, STRING, TEXTS, NUMBER, COUNT, SIGNED };

/* value: what it wants, and by that what completes it: a word of shell.c, or words with bars. */
static const struct option {
	const char *name, *value;
	enum kind kind;
	size_t at;
	const char *help;
} options[] = {
	{ "text", "FILE", TEXTS, offsetof(struct args, text),
		"text to measure on; open, scan, search take several: FILE=WEIGHT, self" },
	{ "layout", "L", STRING, offsetof(struct args, layout),
		"a layout: file, run, format (int4g128) or stored bits a weight (3.6)" },
	{ "bpw", "X", NUMBER, offsetof(struct args, bpw), "budget in stored bits a weight" },
	{ "formats", "LIST", STRING, offsetof(struct args, formats),
		"formats of the dial, such as int2g64,int4g128,keep" },
	{ "mix", "layer|channel", STRING, offsetof(struct args, mix),
		"layer: one format a linear; channel: mixes within linears join the formats" },
	{ "quantizer", "METHOD", STRING, offsetof(struct args, quantizer),
		"minmax, clip, hqq or gptq for the whole layout; else the best of each linear" },
	{ "guard", "GUARD", STRING, offsetof(struct args, guard),
		"instead of the search: uniform, ends or random:SEED" },
	{ "refine", NULL, FLAG, offsetof(struct args, refine),
		"exchange bits between linears afterwards, judged by measured KL (minutes)" },
	{ "dry-run", NULL, FLAG, offsetof(struct args, dry_run),
		"what it would take in time, memory and disk, with the arithmetic; then leave" },
	{ "anyway", NULL, FLAG, offsetof(struct args, anyway),
		"begin although memory or disk are estimated not to do, or the rerun script is "
		"another" },
	{ "prompt", "TEXT", STRING, offsetof(struct args, prompt), "what to say" },
	{ "system", "TEXT", STRING, offsetof(struct args, system), "system message of a chat" },
	{ "top", "N", COUNT, offsetof(struct args, top),
		"how many of the largest logits (20); teach: of each token (64)" },
	{ "tokens", "N", COUNT, offsetof(struct args, tokens), "tokens to scan on (512)" },
	{ "task", "TASK", STRING, offsetof(struct args, task),
		"questions of multiple choice: a file, or the name of one that is there (basics)" },
	{ "data", "FILE", STRING, offsetof(struct args, data),
		"rows to train on: Alpaca JSON, lines of prompt and completion or of messages, or "
		"a text" },
	{ "method", "RULE", STRING, offsetof(struct args, method),
		"how weights move: rank, flips, sr, stats, diodemix, galore, latent, fp, fp8, "
		"galore-fp, lora, qlora; help lists them (rank)" },
	{ "steps", "N", COUNT, offsetof(struct args, steps), "optimizer steps (300)" },
	{ "windows", "N", COUNT, offsetof(struct args, windows),
		"windows of a step: its batch (4)" },
	{ "lr", "X", NUMBER, offsetof(struct args, lr),
		"learning rate at its peak; else the method's" },
	{ "lr-s", "X", NUMBER, offsetof(struct args, lr_s),
		"relative step of scales and offsets at its peak; 0: frozen; else the method's" },
	{ "lr-gain", "X", NUMBER, offsetof(struct args, lr_gain),
		"learning rate of the norms' gains at its peak; 0: frozen, as with a dial; else "
		"the method's" },
	{ "budget", "X", NUMBER, offsetof(struct args, budget),
		"rank: share of the codes that move a step, at first (0.0001); a tenth of it at "
		"the end" },
	{ "rank", "N", COUNT, offsetof(struct args, rank),
		"of adapters and of GaLore's projectors; else the method's" },
	{ "held", "X", NUMBER, offsetof(struct args, held),
		"share of the rows held out to look at, 0 to below 1 (0.05)" },
	{ "held-every", "N", COUNT, offsetof(struct args, held_every),
		"steps between looks at what is held out; else a twentieth of the run" },
	{ "save-every", "N", COUNT, offsetof(struct args, save_every),
		"steps between checkpoints; else a tenth of the run, and every ten minutes" },
	{ "patience", "N", COUNT, offsetof(struct args, patience),
		"looks without a better one at what is held out, before a run ends (calibrate: 5; "
		"train: it never does)" },
	{ "rows", "N", COUNT, offsetof(struct args, rows), "of the data, at most" },
	{ "all", NULL, FLAG, offsetof(struct args, all),
		"learn everything that is in a row, not the answers alone" },
	{ "dial", "LIST", STRING, offsetof(struct args, dial),
		"formats trained at once, such as int2g64,int4g128: each linear in one of them a "
		"step" },
	{ "teach", NULL, FLAG, offsetof(struct args, teach),
		"learn from the reference, which runs beside: its probabilities of every token" },
	{ "teacher", "DIR", STRING, offsetof(struct args, teacher),
		"as --teach, from what bitdial teach wrote: the reference does not run" },
	{ "samples", "N", COUNT, offsetof(struct args, samples),
		"sequences to train on, at most, evenly over the data" },
	{ "recompute", NULL, FLAG, offsetof(struct args, recompute),
		"run blocks again on the way back: less memory, a third more time" },
	{ "f32", NULL, FLAG, offsetof(struct args, f32), "products in float instead of bfloat16" },
	{ "lean", NULL, FLAG, offsetof(struct args, lean),
		"less state: scales and offsets stay, nothing is counted; galore rounds by "
		"chance" },
	{ "across", NULL, FLAG, offsetof(struct args, across),
		"rank: one threshold for all matrices, not one for each" },
	{ "test", "FILE", STRING, offsetof(struct args, test),
		"rows that are measured once, at the end of a training run" },
	{ "resume", "RUN", STRING, offsetof(struct args, resume),
		"go on with a training run from its last checkpoint; it knows its model and "
		"options" },
	{ "limit", "N", COUNT, offsetof(struct args, limit),
		"tokens read from the text, questions of the task" },
	{ "window", "T", COUNT, offsetof(struct args, window),
		"tokens of a window (512; train: 256)" },
	{ "max-tokens", "N", COUNT, offsetof(struct args, max_tokens), "longest answer (512)" },
	{ "temp", "X", NUMBER, offsetof(struct args, temp),
		"temperature; 0 is the likeliest token" },
	{ "seed", "N", SIGNED, offsetof(struct args, seed),
		"of chance: the sampler's, a training run's" },
	{ "head", "FORMAT", STRING, offsetof(struct args, head),
		"the head in another format while it answers, such as int8g128; else as in the "
		"file" },
	{ "precision", "fast|exact", STRING, offsetof(struct args, precision),
		"fast: activations rounded to int8 or bfloat16 while it answers; exact: in float" },
	{ "kv", "float|int8", STRING, offsetof(struct args, kv),
		"keys and values kept as they are (float), or int8 in a quarter of the memory" },
	{ "stats", NULL, FLAG, offsetof(struct args, stats),
		"speed of the answer, and where its time went, on stderr" },
	{ "template", "TEMPLATE", STRING, offsetof(struct args, template),
		"chat template: chatml llama2 llama3 mistral phi3 zephyr" },
	{ "o", "PATH", STRING, offsetof(struct args, out), "where to write" },
	{ "sort", "BY", STRING, offsetof(struct args, sort),
		"began, kind, status, model, seconds, bpw or kl; -kl: the largest first" },
	{ "json", NULL, FLAG, offsetof(struct args, json), "one JSON object on stdout" },
	{ "events", NULL, FLAG, offsetof(struct args, events),
		"what happens, as lines of JSON on stdout; the result is the last but one" },
	{ "threads", "N", COUNT, offsetof(struct args, threads),
		"compute threads; else one a core" },
	{ "device", "cpu|cuda:0|auto", STRING, offsetof(struct args, device),
		"what computes; auto, as without it: a device where one works, else the "
		"processor" },
	{ "demo", NULL, FLAG, offsetof(struct args, demo), "a tiny model generated from a seed" },
	{ "fresh", NULL, FLAG, offsetof(struct args, fresh),
		"what was measured before is passed over: cells are measured anew" },
	{ "read-only", NULL, FLAG, offsetof(struct args, read_only), "write no cache and no runs" },
	{ "runs", "DIR", STRING, offsetof(struct args, runs), "where run folders are" },
	{ "once", NULL, FLAG, offsetof(struct args, once), "draw one frame to stdout and leave" },
	{ "size", "WxH", STRING, offsetof(struct args, size), "of that frame (120x36)" },
	{ "plain", NULL, FLAG, offsetof(struct args, plain),
		"lines instead of a screen: commands from stdin, one line a change" },
	{ "tour", NULL, FLAG, offsetof(struct args, tour),
		"with --demo: shows itself, then leaves; --json: its frame times" },
	{ "show-cursor", NULL, FLAG, offsetof(struct args, show_cursor),
		"the cursor is seen where the focus is" },
	{ "headless", "WxH", STRING, offsetof(struct args, headless),
		"no terminal: a screen in memory" },
	{ "keys", "FILE", STRING, offsetof(struct args, keys), "keys for --headless, one a line" },
	{ "dump", "FILE", STRING, offsetof(struct args, dump),
		"its last frame; .ansi: with colours" },
	{ "color", "WHEN", STRING, offsetof(struct args, color), "auto, always or never" },
	{ "ascii", NULL, FLAG, offsetof(struct args, ascii), "draw with ASCII characters only" },
	{ "no-mouse", NULL, FLAG, offsetof(struct args, no_mouse),
		"leave the mouse to the terminal" },
	{ "no-sync", NULL, FLAG, offsetof(struct args, no_sync), "no synchronised output" },
	{ "arrange", "ARRANGEMENT", STRING, offsetof(struct args, arrange),
		"start with this arrangement" },
	{ "screen", "SCREEN", STRING, offsetof(struct args, screen), "start on this screen" },
	{ "no-config", NULL, FLAG, offsetof(struct args, no_config), "leave init.lua alone" },
	{ "default-config", NULL, FLAG, offsetof(struct args, default_config),
		"print an init.lua with every option, to begin one's own with" },
	{ "roff", NULL, FLAG, offsetof(struct args, roff), "help lua as a manual page" },
	{ "options", NULL, FLAG, offsetof(struct args, options),
		"help as lines for completions of shells: verbs, options, values" },
	{ "clear-cache", NULL, FLAG, offsetof(struct args, clear_cache), "empty the cache" },
	{ "colors", NULL, FLAG, offsetof(struct args, colors),
		"show every theme, role and ramp, with contrasts" },
	{ "sandbox", NULL, FLAG, offsetof(struct args, sandbox),
		"scripts are a stranger's: no files, no processes, limited memory and time" },
	{ "sandbox-seconds", "X", NUMBER, offsetof(struct args, sandbox_seconds),
		"processor time of such a script itself, without the jobs it waits for (10)" },
	{ "sandbox-memory", "MIB", COUNT, offsetof(struct args, sandbox_mib),
		"memory of such a script's values (256)" },
	{ "sandbox-weak", NULL, FLAG, offsetof(struct args, sandbox_weak),
		"run it also where the system has no filter of system calls (seccomp)" },
	{ "log-level", "SPEC", STRING, offsetof(struct args, log_level),
		"debug or info,bus=trace" },
};
enum { BPW_MOST = 64 /* no format has more */ };
enum { N_OPTIONS = sizeof options / sizeof *options };

const char *args_option_name(size_t i)
{
	return i < N_OPTIONS ? options[i].name : NULL;
}
const char *args_option_value(size_t i)
{
	return i < N_OPTIONS ? options[i].value : NULL;
}
const char *args_option_help(size_t i)
{
	return i < N_OPTIONS ? options[i].help : NULL;
}
bool args_option_again(size_t i)
{
	return i < N_OPTIONS && options[i].kind == TEXTS;
}

static const struct verb *find_verb(const char *name)
{
	for (const struct verb *v = verb_table; v->name; v++)
		if (!strcmp(v->name, name))
			return v;
	return NULL;
}

bool args_is_verb(const char *word)
{
	return find_verb(word) != NULL;
}

/* Is `name` a word of the blank-separated list? */
static bool listed(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = list; (p = strstr(p, name)); p += n)
		if ((p == list || p[-1] == ' ') && (!p[n] || p[n] == ' '))
			return true;
	return false;
}

bool args_takes(const struct verb *v, const char *option)
{
	return listed(v->options, option);
}

static const struct option *find_option(const char *name, size_t n)
{
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (strlen(options[i].name) == n && !strncmp(options[i].name, name, n))
			return &options[i];
	return NULL;
}

static int usage(const char *fmt, const char *a, const char *b, const char *hint)
{
	char clean_a[200], clean_b[200];

	text_clean(clean_a, sizeof clean_a, a, strlen(a), true);
	text_clean(clean_b, sizeof clean_b, b, strlen(b), true);
	fprintf(stderr, "bitdial: ");
	fprintf(stderr, fmt, clean_a, clean_b);
	if (hint)
		fprintf(stderr, "; did you mean %s?", hint);
	fputc('\n', stderr);
	return 2;
}

static int set_value(struct args *a, const struct option *o, const char *value)
{
	char *end = NULL;

	switch (o->kind) {
	case FLAG:
		*(bool *)((char *)a + o->at) = true;
		return 0;
	case STRING:
		*(const char **)((char *)a + o->at) = value;
		return 0;
	case TEXTS:
		a->text = value;
		if (a->n_texts == SOURCES_MAX)
			return usage("--%s %s: there are four already", o->name, value, NULL);
		a->texts[a->n_texts++] = value;
		return 0;
	case NUMBER: {
		double v = strtod(value, &end);

		*(double *)((char *)a + o->at) = v;
		if (end != value && !*end && isfinite(v) && o->at == offsetof(struct args, bpw) &&
			(v <= 0 || v > BPW_MOST))
			return usage("--%s %s: expected bits a weight, above 0 and at most 64",
				o->name, value, NULL);
		if (end != value && !*end && isfinite(v) && v >= 0)
			return 0;
		return usage("--%s %s: expected a number from 0 on", o->name, value, NULL);
	}
	case COUNT: {
		unsigned long long v = strtoull(value, &end, 10);

		*(uint64_t *)((char *)a + o->at) = v;
		if (end != value && !*end && value[0] >= '0' && value[0] <= '9' && v > 0 &&
			v <= (1ull << 40))
			return 0;
		return usage("--%s %s: expected a whole number above 0", o->name, value, NULL);
	}
	default: {
		long long v;

		errno = 0;
		v = strtoll(value, &end, 10);
		*(int64_t *)((char *)a + o->at) = v;
		if (end != value && !*end && v >= 0 && !errno)
			return 0;
		return usage(
			"--%s %s: expected a whole number of at least 0", o->name, value, NULL);
	}
	}
}

static int bad_option(const char *arg, const struct verb *v)
{
	const char *names[N_OPTIONS + 1], *near;
	char word[64], hint[72];
	size_t n = 0;

	for (size_t i = 0; i < N_OPTIONS; i++)
		if (listed(v->options, options[i].name))
			names[n++] = options[i].name;
	names[n] = NULL;
	snprintf(word, sizeof word, "%.*s", (int)strcspn(arg, "="), arg);
	near = text_suggest(word, names);
	if (near)
		snprintf(hint, sizeof hint, "--%s", near);
	return usage(
		"--%s: no such option of %s (bitdial help)", word, v->name, near ? hint : NULL);
}

/* One option at argv[*i], its value taken along. */
static int take_option(struct args *a, const struct verb *v, int argc, char **argv, int *i)
{
	const char *arg = argv[*i] + 1, *eq;
	const struct option *o;

	arg += *arg == '-';
	eq = strchr(arg, '=');
	o = find_option(arg, eq ? (size_t)(eq - arg) : strlen(arg));
	if (!o || !listed(v->options, o->name))
		return bad_option(arg, v);
	if (o->kind == FLAG)
		return eq ? usage("--%s takes no value (%s)", o->name, eq + 1, NULL)
			  : set_value(a, o, NULL);
	if (eq)
		return set_value(a, o, eq + 1);
	if (*i + 1 >= argc)
		return usage("--%s wants a value: %s", o->name, o->value, NULL);
	return set_value(a, o, argv[++*i]);
}

/* A first word that is no verb is a model to open, unless it looks like a slip. */
static int choose_verb(struct args *a, const char *word)
{
	const char *names[32], *near;
	size_t n = 0;

	if (find_verb(word)) {
		a->verb = word;
		return 0;
	}
	a->verb = "open";
	for (const struct verb *v = verb_table; v->name && n < 31; v++)
		names[n++] = v->name;
	names[n] = NULL;
	near = text_suggest(word, names);
	if (near && !strchr(word, '/') && !strchr(word, '.') && !fs_is_file(word) &&
		!fs_is_dir(word))
		return usage("%s is no verb and no model%s", word, "", near);
	a->word[a->n_words++] = word;
	return 0;
}

/* bitdial [OPTIONS] --batch [OPTIONS] FILE ARGS: what follows the file is the script's own. */
static int parse_batch(struct args *a, int argc, char **argv, int at)
{
	int rc = 0;

	a->verb = "batch";
	for (int i = 1; i < argc && !rc; i++) {
		if (i == at)
			continue;
		if (argv[i][0] == '-' && argv[i][1] && strcmp(argv[i], "--") != 0) {
			rc = take_option(a, find_verb("batch"), argc, argv, &i);
		} else if (i < at) {
			rc = usage("%s: a script opens its model itself: %s", "--batch", argv[i],
				NULL);
		} else if (strcmp(argv[i], "--") != 0) {
			a->script = argv[i];
			a->script_argc = argc - i - 1;
			a->script_argv = argv + i + 1;
			break;
		}
	}
	return rc;
}

int args_parse(struct args *a, int argc, char **argv)
{
	bool only_words = false, chosen = false;
	int rc = 0;

	*a = (struct args){ .verb = "open",
		.bpw = (double)NAN,
		.temp = (double)NAN,
		.seed = -1,
		.lr = (double)NAN,
		.lr_s = (double)NAN,
		.lr_gain = (double)NAN,
		.budget = (double)NAN,
		.held = (double)NAN };
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (!strcmp(argv[i], "--batch") || (i == 1 && !strcmp(argv[i], "batch")))
			return parse_batch(a, argc, argv, i);
	for (int i = 1; i < argc && !rc;
		i++) { /* the verb first: it says which options there are */
		if (!strcmp(argv[i], "--"))
			break;
		if (argv[i][0] == '-' && argv[i][1]) {
			const char *name = argv[i] + 1 + (argv[i][1] == '-');
			const struct option *o = find_option(name, strcspn(name, "="));

			if (o && o->kind != FLAG && !strchr(argv[i], '='))
				i++;
			continue;
		}
		rc = choose_verb(a, argv[i]);
		a->n_words = 0;
		break;
	}
	for (int i = 1; i < argc && !rc; i++) {
		if (!only_words && !strcmp(argv[i], "--")) {
			only_words = chosen = true;
		} else if (!only_words && argv[i][0] == '-' && argv[i][1]) {
			rc = take_option(a, find_verb(a->verb), argc, argv, &i);
		} else if (!chosen && !strcmp(argv[i], a->verb)) {
			chosen = true;
		} else if (a->n_words < find_verb(a->verb)->words) {
			chosen = true;
			a->word[a->n_words++] = argv[i];
		} else {
			rc = usage("%s: one word too many: %s", a->verb, argv[i], NULL);
		}
	}
	if (!rc && a->demo && a->n_words)
		rc = usage("--demo is a model of its own: leave out %s%s", a->word[0], "", NULL);
	return rc;
}

int args_help_lua(const char *module, bool roff)
{
	const char *names[64] = { NULL };

	if (roff && module)
		return usage(
			"help lua: --roff is the whole page: leave out %s%s", module, "", NULL);
	if (roff) {
		lua_manual_page(stdout);
		return 0;
	}
	if (lua_manual(stdout, module))
		return 0;
	lua_manual_topics(names, 64);
	return usage("help lua: there is no module or function %s%s (bitdial help lua)", module, "",
		text_suggest(module, names));
}

int args_help_options(const char *topic)
{
	const struct verb *v = topic ? find_verb(topic) : NULL;

	if (topic && !v)
		return args_help(topic, true); /* says that there is none, and a near one */
	shell_options(v);
	return 0;
}

int args_help(const char *topic, bool to_stdout)
{
	FILE *to = to_stdout ? stdout : stderr;
	const struct verb *v = topic ? find_verb(topic) : NULL;
	const char *names[32], *near;
	size_t n = 0;

	if (v) {
		args_help_verb(to, v);
		return 0;
	}
	for (v = verb_table; v->name && n < 31; v++)
		names[n++] = v->name;
	names[n] = NULL;
	if (topic) {
		near = text_suggest(topic, names);
		return usage("help: there is no verb %s%s", topic, "", near);
	}
	fprintf(to,
		"bitdial %s - where the bits of a language model belong\n\n"
		"  bitdial [MODEL]      the workbench\n",
		BD_VERSION);
	for (v = verb_table; v->name; v++) {
		char left[64];

		snprintf(left, sizeof left, "%s %s", v->name, v->arguments);
		fprintf(to, "  bitdial %-28s %s\n", left, v->summary);
	}
	fprintf(to,
		"\nbitdial help VERB lists the options of a verb, bitdial help lua what scripts "
		"can do.\n"
		"MODEL is a .gguf, a .safetensors, a llama2.c .bin, a folder, or a run of "
		"training;\n"
		"none: the default one that `make model` fetched.  L is a file, a run, a format\n"
		"(int4g128) or a number of stored bits a weight (3.6).\n");
	return 0;
}

/* args_help.c - help of one verb: its options, and what they mean to it. */
#include <stdio.h>
#include <string.h>

#include "app/verbs.h"
#include "core/work/calibrate.h"

/* What an option means to one verb, where that is something else. */
static const struct own {
	const char *verb, *option, *help;
} own[] = {
	{ "calibrate", "text",
		"text to train on; else what the model writes itself; beside --data: measured at "
		"the end" },
	{ "calibrate", "layout",
		"a layout (file, run, format, stored bits a weight): that alone, not the dial" },
	{ "calibrate", "window", "tokens of a window (256)" },
	{ "calibrate", "teacher",
		"what bitdial teach wrote of the same data teaches: the reference does not run" },
	{ "calibrate", "method",
		"how codes move: flips, latent, rank, sr, stats, galore; help lists them" },
	{ "calibrate", "steps", "optimizer steps" },
	{ "calibrate", "save-every",
		"steps between checkpoints; else about a tenth of the run, at a look, and every "
		"ten "
		"minutes" },
	{ "calibrate", "patience",
		"looks without a better one at what is held out, before the run ends" },
	{ "train", "window", "tokens of a window (256)" },
	{ "teach", "text", "the same as --data" },
	{ "teach", "window", "tokens of a window, as the run that learns from it has them (256)" },
};

/* " (240)", of what a calibration takes where nothing is said, as whoever fills it in has it. */
static void calibrate_default(const char *option, char out[32])
{
	struct train_ask open, ask;

	train_ask_init(&open);
	ask = calibrate_ask(&open, NULL, NULL);
	if (!strcmp(option, "method"))
		snprintf(out, 32, " (%s)", ask.method);
	else if (!strcmp(option, "steps"))
		snprintf(out, 32, " (%llu)", (unsigned long long)ask.steps);
	else if (!strcmp(option, "patience"))
		snprintf(out, 32, " (%d)", CALIBRATE_PATIENCE);
	train_ask_release(&ask);
}

static const char *help_of(const struct verb *v, size_t i)
{
	for (size_t k = 0; k < sizeof own / sizeof *own; k++)
		if (!strcmp(own[k].verb, v->name) && !strcmp(own[k].option, args_option_name(i)))
			return own[k].help;
	return args_option_help(i);
}

void args_help_verb(FILE *to, const struct verb *v)
{
	const char *name, *value;

	fprintf(to, "bitdial %s%s%s\n  %s\n\n", v->name, *v->arguments ? " " : "", v->arguments,
		v->summary);
	for (size_t i = 0; (name = args_option_name(i)); i++) {
		char left[40], unsaid[32] = "";

		if (!args_takes(v, name))
			continue;
		if (!strcmp(v->name, "calibrate"))
			calibrate_default(name, unsaid);
		value = args_option_value(i);
		snprintf(left, sizeof left, "%s%s%s%s", strlen(name) > 1 ? "--" : "-", name,
			value ? " " : "", value ? value : "");
		fprintf(to, "  %-22s %s%s\n", left, help_of(v, i), unsaid);
	}
}

/* test_completions.c - what bash and zsh complete, against the program's tables.  Both ways,
 * as test_docs.c. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/verbs.h"
#include "core/base/alloc.h"
#include "core/quant/quantizer.h"
#include "core/text/template.h"
#include "tests/lib_docs.h"

static const char bash_path[] = "share/completions/bitdial.bash";
static const char zsh_path[] = "share/completions/_bitdial";

/* The words between `open` and `close` behind the first line "<tab>VERB)". */
static void block(
	const char *text, const char *verb, const char *open, char close, char *out, size_t cap)
{
	char label[64];
	const char *at, *end;

	snprintf(label, sizeof label, "\n\t%s)", verb);
	at = strstr(text, label);
	cr_assert(at, "no block for the verb %s", verb);
	at = strstr(at, open);
	cr_assert(at, "%s: nothing behind its label", verb);
	at += strlen(open);
	end = strchr(at, close);
	cr_assert(end, "%s", verb);
	cr_assert_lt((size_t)(end - at), cap);
	memcpy(out, at, (size_t)(end - at));
	out[end - at] = 0;
}

/* The same words with their dashes. */
static void dashed(const char *list, char *out, size_t cap)
{
	char w[64];

	*out = 0;
	while (next_word(&list, w))
		snprintf(out + strlen(out), cap - strlen(out), "%s%s ", strlen(w) > 1 ? "--" : "-",
			w);
}

Test(completions, bash_completes_every_option_of_every_verb)
{
	char *text = slurp(bash_path), want[800], got[800], verbs[200];
	const char *at = strstr(text, "verbs='");

	cr_assert(at);
	snprintf(verbs, sizeof verbs, "%.*s", (int)strcspn(at + 7, "'"), at + 7);
	for (const struct verb *v = verb_table; v->name; v++) {
		cr_assert(has_word(verbs, v->name), "bash: the verb %s", v->name);
		dashed(v->options, want, sizeof want);
		block(text, v->name, "echo '", '\'', got, sizeof got);
		same_words(want, got, v->name);
	}
	big_free(text);
}

Test(completions, bash_knows_which_options_take_a_value)
{
	char *text = slurp(bash_path), flags[600] = "", *at = text, name[64];

	/* flags='..' and flags="$flags .." */
	while ((at = strstr(at, "flags="))) {
		size_t n = strcspn(at + 7, "'\"\n");

		snprintf(flags + strlen(flags), sizeof flags - strlen(flags), " %.*s", (int)n,
			at + 7);
		at += 7 + n;
	}
	for (size_t i = 0; args_option_name(i); i++) {
		dashed(args_option_name(i), name, sizeof name);
		name[strlen(name) - 1] = 0;
		cr_assert_eq(has_word(flags, name), !args_option_value(i), "bash: %s", name);
	}
	big_free(text);
}

Test(completions, zsh_completes_every_option_of_every_verb)
{
	char *text = slurp(zsh_path), got[800], line[200];

	for (const struct verb *v = verb_table; v->name; v++) {
		block(text, v->name, "reply=(", ')', got, sizeof got);
		same_words(v->options, got, v->name);
		snprintf(line, sizeof line, "\t\t'%s:", v->name);
		cr_assert(strstr(text, line), "zsh: the verb %s is not described", v->name);
	}
	for (size_t i = 0; args_option_name(i); i++) {
		const char *name = args_option_name(i);

		/* A star before an option says that it may come again. */
		snprintf(line, sizeof line, "'%s%s%s%s[", !strcmp(name, "text") ? "*" : "",
			strlen(name) > 1 ? "--" : "-", name,
			args_option_value(i) && strlen(name) > 1 ? "=" : "");
		cr_assert(strstr(text, line), "zsh: no %s..]'", line);
	}
	big_free(text);
}

Test(completions, completions_know_every_quantizer_and_template)
{
	const char *const paths[] = { bash_path, zsh_path };
	char all[200];

	for (size_t p = 0; p < 2; p++) {
		char *text = slurp(paths[p]);

		*all = 0;
		for (size_t i = 0; quantizer_table[i]; i++)
			snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? " " : "",
				quantizer_table[i]->name);
		cr_assert(strstr(text, all), "%s: no \"%s\"", paths[p], all);
		*all = 0;
		for (size_t i = 0; template_names()[i]; i++)
			snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? " " : "",
				template_names()[i]);
		cr_assert(strstr(text, all), "%s: no \"%s\"", paths[p], all);
		big_free(text);
	}
}

static bool has(const char *name)
{
	char cmd[64];

	snprintf(cmd, sizeof cmd, "command -v %s >/dev/null 2>&1", name);
	return !system(cmd);
}

/* What bash offers for the last of these words. */
static void bash_offers(const char *words, char *out, size_t cap)
{
	char cmd[512];
	size_t n;
	FILE *p;

	snprintf(cmd, sizeof cmd,
		"bash -c 'source %s; COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); "
		"_bitdial; echo \"${COMPREPLY[@]}\"'",
		bash_path, words);
	p = popen(cmd, "r");
	cr_assert(p);
	n = fread(out, 1, cap - 1, p);
	out[n] = 0;
	cr_assert_eq(pclose(p), 0, "%s", cmd);
}

Test(completions, bash_offers_what_fits_the_place)
{
	static const struct {
		const char *words, *yes, *no;
	} place[] = {
		{ "bitdial ev", "eval", "open" },
		{ "bitdial eval m --", "--window", "--once" },
		{ "bitdial eval --layout int", "int4g128", "keep" },
		{ "bitdial --formats = int2g64,int4", "int2g64,int4g128", "int4g128" },
		{ "bitdial --screen chat --pl", "--plain", "--prompt" },
		{ "bitdial m.gguf --pl", "--plain", "--prompt" },
		{ "bitdial chat --quantizer g", "gptq", "hqq" },
		{ "bitdial help la", "layout", "help" },
		{ "bitdial layout sh", "show", "share" },
	};
	char got[2000];

	if (!has("bash"))
		cr_skip_test("bash is not installed");
	for (size_t i = 0; i < sizeof place / sizeof *place; i++) {
		bash_offers(place[i].words, got, sizeof got);
		cr_expect(has_word(got, place[i].yes), "%s: %s", place[i].words, got);
		cr_expect_not(has_word(got, place[i].no), "%s: %s", place[i].words, got);
	}
}

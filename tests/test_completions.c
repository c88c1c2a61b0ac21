/* test_completions.c - what bash and zsh complete, in the shells themselves, against the program's
 * tables: they hold no names, and ask the program as it is built. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/tui/tui.h"
#include "app/verbs.h"
#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/quant/format.h"
#include "core/quant/quantizer.h"
#include "core/text/template.h"
#include "core/work/runs.h"
#include "tests/lib_base.h"
#include "tests/lib_docs.h"
#include "tests/lib_shell.h"

enum { OFFERS = 4000, LINES = 128 };

/* ---- bash: many lines at once, since each asks the program */

struct offers {
	char *text;
	char *at[LINES]; /* a line of offers for each line asked */
};

/* lines: words of a command line, the last one under the cursor; "''" is an empty one. */
static struct offers bash_offers(const char *const *lines, size_t n)
{
	static const char head[] =
		"source \"$ROOT/share/completions/bitdial.bash\"\n"
		"cd \"${0%/*}\"\n"
		"c() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _bitdial \"$1\";"
		" echo \"${COMPREPLY[*]}\"; }\n";
	struct offers o = { 0 };
	char *script = xalloc(1 << 16), *s;

	cr_assert_leq(n, LINES);
	strcpy(script, head);
	s = script + strlen(script);
	for (size_t i = 0; i < n; i++) {
		cr_assert_lt((size_t)(s - script) + strlen(lines[i]) + 8, (size_t)1 << 16);
		s += sprintf(s, "c %s\n", lines[i]);
	}
	o.text = shell_says("bash", script);
	s = o.text;
	for (size_t i = 0; i < n; i++) {
		o.at[i] = s;
		s = strchr(s, '\n');
		cr_assert(s, "%s: nothing; all was: %s", lines[i], o.text);
		*s++ = 0;
	}
	cr_assert_str_empty(s, "more than was asked for");
	xfree(script);
	return o;
}

/* The same words with their dashes. */
static void dashed(const char *list, char *out, size_t cap)
{
	char w[DOCS_WORD];

	*out = 0;
	while (next_word(&list, w))
		snprintf(out + strlen(out), cap - strlen(out), "%s%s ", strlen(w) > 1 ? "--" : "-",
			w);
}

Test(completions, bash_offers_every_option_of_every_verb_and_no_other, .timeout = 60)
{
	const char *lines[32] = { NULL };
	char text[32][64], want[OFFERS];
	struct offers o;
	size_t n = 0;

	shell_need("bash");
	for (const struct verb *v = verb_table; v->name; v++, n++) {
		snprintf(text[n], sizeof text[n], "bitdial %s -", v->name);
		lines[n] = text[n];
	}
	o = bash_offers(lines, n);
	for (size_t i = 0; i < n; i++) {
		dashed(verb_table[i].options, want, sizeof want);
		strcat(want, "--help --version");
		same_words(want, o.at[i], verb_table[i].name);
	}
	xfree(o.text);
}

Test(completions, bash_offers_every_verb, .timeout = 60)
{
	const char *const lines[] = { "bitdial ''", "bitdial help ''" };
	struct offers o;

	shell_need("bash");
	o = bash_offers(lines, 2);
	for (const struct verb *v = verb_table; v->name; v++) {
		cr_expect(has_word(o.at[0], v->name), "%s", v->name);
		cr_expect(has_word(o.at[1], v->name), "help %s", v->name);
	}
	xfree(o.text);
}

/* What follows an option that takes a value is no verb. */
Test(completions, bash_knows_which_options_take_a_value, .timeout = 60)
{
	const char *lines[LINES] = { NULL };
	char text[LINES][96], name[80];
	struct offers o;
	size_t n = 0;

	shell_need("bash");
	for (; args_option_name(n); n++) {
		cr_assert_lt(n, (size_t)LINES);
		dashed(args_option_name(n), name, sizeof name);
		snprintf(text[n], sizeof text[n], "bitdial %s rer", name);
		lines[n] = text[n];
	}
	o = bash_offers(lines, n);
	for (size_t i = 0; i < n; i++)
		cr_expect_eq(has_word(o.at[i], "rerun"), !args_option_value(i), "%s: %s", lines[i],
			o.at[i]);
	xfree(o.text);
}

static bool is_format(const char *word)
{
	struct format f;
	struct err e;

	return !format_parse(&f, word, &e);
}

static bool is_sorting(const char *word)
{
	struct runs none = { 0 };
	struct err e;

	return !runs_sort(&none, word, &e);
}

static bool is_level(const char *word)
{
	return log_levels(word);
}

/* Words come from where the program looks them up, or are accepted there. */
Test(completions, bash_offers_the_words_that_the_program_accepts, .timeout = 60)
{
	static const char *const lines[] = { "bitdial chat --quantizer ''",
		"bitdial chat --template ''", "bitdial --arrange ''", "bitdial --head ''",
		"bitdial runs --sort ''", "bitdial --log-level ''", "bitdial --screen ''",
		"bitdial chat --kv ''", "bitdial scan --mix = ''" };
	static bool (*const good[])(
		const char *) = { [3] = is_format, [4] = is_sorting, [5] = is_level };
	char w[DOCS_WORD];
	struct offers o;

	shell_need("bash");
	o = bash_offers(lines, sizeof lines / sizeof *lines);
	for (size_t i = 0; quantizer_table[i]; i++)
		cr_expect(has_word(o.at[0], quantizer_table[i]->name), "%s", o.at[0]);
	for (size_t i = 0; template_names()[i]; i++)
		cr_expect(has_word(o.at[1], template_names()[i]), "%s", o.at[1]);
	for (size_t i = 0; screen_builtin_name[i]; i++)
		cr_expect(has_word(o.at[2], screen_builtin_name[i]), "%s", o.at[2]);
	for (size_t i = 3; i < 6; i++) {
		const char *list = o.at[i];
		size_t words = 0;

		for (; next_word(&list, w); words++)
			cr_expect(good[i](w), "%s: %s", lines[i], w);
		cr_expect_gt(words, 4u, "%s", lines[i]);
	}
	same_words("1 search 2 train 3 chat 4 runs 5 jobs", o.at[6], "screens");
	same_words("float int8", o.at[7], "kv");
	same_words("layer channel", o.at[8], "mix");
	xfree(o.text);
}

static void touch(const char *name)
{
	tmp_write(tmp_path(name), "{}", 2);
}

static void folder(const char *name)
{
	cr_assert_eq(mkdir(tmp_path(name), 0700), 0, "%s", name);
}

static void some_files(void)
{
	static const char *const runs[] = { "20260101-201403-search-7f3a",
		"20260102-201403-scan-0001", "$(touch hit)", "-rf", "a b" };
	char path[80];

	folder("folder");
	folder("runs");
	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
		snprintf(path, sizeof path, "runs/%s", runs[i]);
		folder(path);
		snprintf(path, sizeof path, "runs/%s/run.json", runs[i]);
		touch(path);
	}
	folder("runs/no-run");
	touch("a.gguf");
	touch("b.json");
	touch("c.lua");
	touch("d.jsonl");
	touch("e e.txt");
	folder("data");
	folder("data/bitdial");
	folder("data/bitdial/tasks");
	touch("data/bitdial/tasks/own.jsonl");
}

Test(completions, bash_offers_files_folders_and_runs_by_kind, .timeout = 60)
{
	static const struct {
		const char *line, *yes[3], *no[3];
	} place[] = {
		{ "bitdial ''", { "a.gguf", "folder", "open" }, { "b.json", "c.lua" } },
		{ "bitdial scan ''", { "a.gguf", "folder" }, { "c.lua", "scan" } },
		{ "bitdial scan a.gguf ''", { 0 }, { "a.gguf", "folder" } },
		{ "bitdial batch ''", { "c.lua", "folder" }, { "a.gguf", "d.jsonl" } },
		{ "bitdial batch c.lua ''", { "c.lua", "a.gguf" }, { 0 } },
		{ "bitdial batch c.lua x y b", { "b.json" }, { "c.lua" } },
		{ "bitdial --json --batch ''", { "c.lua" }, { "a.gguf" } },
		{ "bitdial eval --text ''", { "a.gguf", "folder", "e.txt" }, { "int4g64" } },
		{ "bitdial eval --task ''", { "own", "d.jsonl" }, { "b.json" } },
		{ "bitdial eval --layout ''",
			{ "int4g128", "b.json", "20260101-201403-search-7f3a" }, { "c.lua" } },
		{ "bitdial scan --runs ''", { "folder", "runs" }, { "a.gguf" } },
		{ "bitdial search -o ''", { "b.json" }, { "open" } },
		{ "bitdial watch ''",
			{ "20260101-201403-search-7f3a", "20260102-201403-scan-0001" },
			{ "no-run", "-rf", "b" } },
		{ "bitdial watch 20260101-201403-search-7f3a ''", { 0 }, { "a.gguf", "folder" } },
		{ "bitdial rerun 20260102", { "20260102-201403-scan-0001" },
			{ "20260101-201403-search-7f3a" } },
		{ "bitdial runs ''", { "show", "diff", "trash" }, { "a.gguf" } },
		{ "bitdial runs diff x 2", { "20260102-201403-scan-0001" }, { "diff" } },
		{ "bitdial doctor ''", { 0 }, { "a.gguf", "doctor" } },
		{ "bitdial layout show b", { "b.json" }, { "show" } },
	};
	enum { N = sizeof place / sizeof *place };
	const char *lines[N];
	struct offers o;

	shell_need("bash");
	some_files();
	for (size_t i = 0; i < N; i++)
		lines[i] = place[i].line;
	o = bash_offers(lines, N);
	for (size_t i = 0; i < N; i++)
		for (size_t k = 0; k < 3; k++) {
			if (place[i].yes[k])
				cr_expect(has_word(o.at[i], place[i].yes[k]), "%s: no %s in: %s",
					lines[i], place[i].yes[k], o.at[i]);
			if (place[i].no[k])
				cr_expect_not(has_word(o.at[i], place[i].no[k]), "%s: %s in: %s",
					lines[i], place[i].no[k], o.at[i]);
		}
	for (size_t i = 0; i < N; i++)
		cr_expect_null(strstr(o.at[i], "touch"), "%s: %s", lines[i], o.at[i]);
	cr_expect_neq(access(tmp_path("hit"), F_OK), 0, "a name was run as a command");
	xfree(o.text);
}

Test(completions, bash_offers_what_fits_the_place, .timeout = 60)
{
	static const struct {
		const char *words, *yes, *no;
	} place[] = {
		{ "bitdial ev", "eval", "open" },
		{ "bitdial eval m --", "--window", "--once" },
		{ "bitdial eval --layout int", "int4g128", "keep" },
		{ "bitdial --formats = int2g64,int4", "int2g64,int4g128", "int4g128" },
		{ "bitdial --formats int2g64,ke", "int2g64,keep", "keep" },
		{ "bitdial --screen chat --pl", "--plain", "--prompt" },
		{ "bitdial m.gguf --pl", "--plain", "--prompt" },
		{ "bitdial -screen chat run", "runs", "chat" },
		{ "bitdial chat --quantizer g", "gptq", "hqq" },
		{ "bitdial train --method f", "flips", "rank" },
		{ "bitdial help la", "layout", "help" },
		{ "bitdial help lu", "lua", "layout" },
		{ "bitdial layout sh", "show", "share" },
		{ "bitdial --text = x --json ev", "eval", "open" },
	};
	enum { N = sizeof place / sizeof *place };
	const char *lines[N];
	struct offers o;

	shell_need("bash");
	for (size_t i = 0; i < N; i++)
		lines[i] = place[i].words;
	o = bash_offers(lines, N);
	for (size_t i = 0; i < N; i++) {
		cr_expect(has_word(o.at[i], place[i].yes), "%s: %s", lines[i], o.at[i]);
		cr_expect_not(has_word(o.at[i], place[i].no), "%s: %s", lines[i], o.at[i]);
	}
	xfree(o.text);
}

Test(completions, bash_asks_the_program_that_is_typed, .timeout = 60)
{
	const char *const lines[] = { "'./my\\ dir/bitdial' ev", "'\"my dir/bitdial\"' ev",
		"'~/my\\ dir/bitdial' ev", "/no/such/bitdial ev" };
	char *link = xprintf("%s/my dir/bitdial", tmp_dir());
	char *target = xprintf("%s/bitdial", shell_program_dir()), *out;
	struct offers o;

	shell_need("bash");
	folder("my dir");
	cr_assert_eq(symlink(target, link), 0);
	setenv("HOME", tmp_dir(), 1);
	o = bash_offers(lines, 4); /* the last one asks the one on the PATH */
	for (size_t i = 0; i < 4; i++)
		cr_expect(has_word(o.at[i], "eval"), "%s: %s", lines[i], o.at[i]);
	xfree(o.text);
	/* Without one, and with one that says something else, nothing and no noise. */
	out = shell_says("bash",
		"source \"$ROOT/share/completions/bitdial.bash\"; complete -p bitdial\n"
		"COMP_WORDS=(bitdial --l); COMP_CWORD=1\n"
		"bash=$BASH; PATH=/no/such; _bitdial bitdial; echo \"none: ${#COMPREPLY[@]}\"\n"
		"_bitdial $bash; echo \"other: ${#COMPREPLY[@]}\"\n");
	cr_expect_str_eq(out, "complete -F _bitdial bitdial\nnone: 0\nother: 0\n", "%s", out);
	xfree(out);
	xfree(link);
	xfree(target);
}

/* ---- zsh */

/* What the script tells zsh of each verb; zsh itself draws from that. */
Test(completions, zsh_is_told_every_option_of_every_verb, .timeout = 60)
{
	static const char script[] =
		"compdef() { }; _call_program() { shift; \"$@\" }\n"
		"_arguments() { shift; print -rl -- \"$@\" }\n"
		"for v in $(bitdial help --options | sed -n 's/^verb\\t\\([a-z]*\\).*/\\1/p'); do\n"
		"print -r -- \"= $v\"; words=(bitdial $v -); CURRENT=3; . "
		"$ROOT/share/completions/_bitdial\n"
		"done; print =\n";
	char *out, want[200];

	shell_need("zsh");
	out = shell_says("zsh -f", script);
	for (const struct verb *v = verb_table; v->name; v++) {
		char *from, *end, *list;

		snprintf(want, sizeof want, "= %s\n", v->name);
		from = strstr(out, want);
		cr_assert(from, "%s: %s", v->name, out);
		end = strstr(from + 2, "\n=");
		cr_assert(end, "%s: %s", v->name, out);
		list = xstrndup(from + strlen(want) - 1, (size_t)(end - from) - strlen(want) + 2);
		for (size_t i = 0; args_option_name(i); i++) {
			const char *name = args_option_name(i);

			/* A star before an option says that it may come again. */
			snprintf(want, sizeof want, "\n%s%s%s%s[", args_option_again(i) ? "*" : "",
				strlen(name) > 1 ? "--" : "-", name,
				args_option_value(i) && strlen(name) > 1 ? "=" : "");
			cr_expect_eq(strstr(list, want) != NULL, args_takes(v, name),
				"%s: %s in %s", v->name, want, list);
		}
		xfree(list);
	}
	xfree(out);
}

/* shell.c - `bitdial help --options [VERB]`: what there is to complete, for the completions of
 * shells, so that they hold no names of their own (share/completions).
 *
 * Lines of fields with a tab between:
 *   verb    NAME  PLACES  OPTIONS  SUMMARY    places and options with blanks between
 *   option  NAME  VALUE  COMPLETE  HELP       value "": it takes none; "FILE...": may come again
 *   kind    NAME  WORDS                       what words of a kind there are by now
 * A place, and COMPLETE, is words and kinds with bars between.  A kind begins with @: those of this
 * list, and those only a shell can offer: @file, @dir, @model, @json, @jsonl, @lua.  @formats is
 * a list of its words with commas.  "..." behind a place: it may come again. */
#include <stdio.h>
#include <string.h>

#include "app/tui/tui.h"
#include "app/verbs.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/quant/quantizer.h"
#include "core/text/template.h"
#include "core/tune/train.h"
#include "core/work/run.h"
#include "core/work/tasks.h"

#define FORMATS "int2g64 int3g64 int4g64 int4g128 int8g128 keep"

enum { RUNS_MOST = 200 }; /* the newest */

/* What a word of a verb's arguments, or the value of an option, is completed by. */
static const struct {
	const char *placeholder, *complete;
} places[] = {
	{ "MODEL", "@model" },
	{ "L", "@format|@json|@run" },
	{ "RUN", "@run" },
	{ "FILTER...", "show|diff|tag|note|trash|restore @run..." },
	{ "FILE.lua", "@lua" },
	{ "ARGS", "@file..." },
	{ "VERB", "@verb|lua" },
	{ "FILE", "@file" },
	{ "PATH", "@file" },
	{ "DIR", "@dir" },
	{ "FORMAT", "@format" },
	{ "LIST", "@formats" },
	{ "METHOD", "@quantizer" },
	{ "RULE", "@method|help" },
	{ "TEMPLATE", "@template" },
	{ "TASK", "@task|@jsonl" },
	{ "GUARD", "uniform|ends|random:1" },
	{ "ARRANGEMENT", "@arrangement|@lua" },
	{ "SCREEN", "@screen" },
	{ "WxH", "120x36|80x24" },
	{ "BY", "began|kind|status|model|seconds|bpw|kl" },
	{ "WHEN", "auto|always|never" },
	{ "SPEC", "error|warn|info|debug|trace" },
};

static const char *of_placeholder(const char *word, size_t n)
{
	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if (strlen(places[i].placeholder) == n && !strncmp(places[i].placeholder, word, n))
			return places[i].complete;
	return NULL;
}

/* "MODEL --bpw X" has the place MODEL; "show L" the word show itself, and L. */
static void put_places(const char *arguments)
{
	const char *before = "";

	for (const char *s = arguments; *s;) {
		size_t n = strcspn(s, " []");
		const char *known = of_placeholder(s, n);

		if (*s == '-')
			break; /* options and their values follow */
		if (known)
			printf("%s%s", before, known);
		else if (n)
			printf("%s%.*s", before, (int)n, s);
		if (n)
			before = " ";
		s += n + strspn(s + n, " []");
	}
}

static void put_dashed(const char *name)
{
	printf("%s%s", strlen(name) > 1 ? "--" : "-", name);
}

static void put_verb(const struct verb *v)
{
	printf("verb\t%s\t", v->name);
	put_places(*v->arguments == '[' ? v->arguments + 1 : v->arguments);
	putchar('\t');
	for (size_t i = 0; args_option_name(i); i++)
		if (args_takes(v, args_option_name(i))) {
			put_dashed(args_option_name(i));
			putchar(' ');
		}
	printf("--help --version\t%s\n", v->summary);
}

static void put_option(size_t i)
{
	const char *value = args_option_value(i), *complete = NULL;

	if (value)
		complete = strchr(value, '|') ? value : of_placeholder(value, strlen(value));
	printf("option\t");
	put_dashed(args_option_name(i));
	printf("\t%s%s\t%s\t%s\n", value ? value : "", args_option_again(i) ? "..." : "",
		complete ? complete : "", args_option_help(i));
}

/* ---- kinds */

/* Names come from folders: what a shell would take for something else is left out. */
static void put_word(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._+-";

	if (*word && *word != '-' && !word[strspn(word, plain)])
		printf(" %s", word);
}

static void put_names(const char *kind, const char *const *names)
{
	printf("kind\t@%s\t", kind);
	for (; *names; names++)
		put_word(*names);
	putchar('\n');
}

static void put_tasks(void)
{
	char **path;
	size_t n;

	tasks_list(&path, &n);
	printf("kind\t@task\t");
	for (size_t i = 0; i < n; i++) {
		char *name = strrchr(path[i], '/') ? strrchr(path[i], '/') + 1 : path[i];

		name[strcspn(name, ".")] = 0;
		put_word(name);
		xfree(path[i]);
	}
	xfree(path);
	putchar('\n');
}

/* Folder names begin with the time: sorted, the newest are the last. */
static void put_runs(void)
{
	char *dir = runs_dir(), **name;
	size_t n = 0, put = 0;

	printf("kind\t@run\t");
	if (!fs_list(dir, &name, &n, NULL)) {
		for (size_t i = n; i > 0; i--) {
			char *about = xprintf("%s/%s/run.json", dir, name[i - 1]);

			if (put < RUNS_MOST && fs_is_file(about)) {
				put_word(name[i - 1]);
				put++;
			}
			xfree(about);
			xfree(name[i - 1]);
		}
		xfree(name);
	}
	xfree(dir);
	putchar('\n');
}

/* The arrangement that is the first of its key names the screen. */
static void put_screens(void)
{
	char keys[16] = "";

	printf("kind\t@screen\t");
	for (size_t i = 0; screen_builtin[i]; i++) {
		const char *at = strstr(screen_builtin[i], "key = \"");

		if (!at || strchr(keys, at[7]) || strlen(keys) + 1 == sizeof keys)
			continue;
		keys[strlen(keys)] = at[7];
		printf(" %c %s", at[7], screen_builtin_name[i]);
	}
	putchar('\n');
}

static void put_kinds(void)
{
	const char *quantizers[16] = { NULL }, *verbs[32] = { NULL }, *methods[32] = { NULL };

	for (size_t i = 0; i < 15 && quantizer_table[i]; i++)
		quantizers[i] = quantizer_table[i]->name;
	for (size_t i = 0; i < 31 && verb_table[i].name; i++)
		verbs[i] = verb_table[i].name;
	for (size_t i = 0; i < 31 && train_methods[i].name; i++)
		methods[i] = train_methods[i].name;
	printf("kind\t@format\t " FORMATS "\nkind\t@formats\t default " FORMATS "\n");
	put_names("verb", verbs);
	put_names("quantizer", quantizers);
	put_names("method", methods);
	put_names("template", template_names());
	put_names("arrangement", screen_builtin_name);
	put_screens();
	put_tasks();
	put_runs();
}

void shell_options(const struct verb *only)
{
	for (const struct verb *v = verb_table; v->name; v++)
		if (!only || v == only)
			put_verb(v);
	for (size_t i = 0; args_option_name(i); i++)
		if (!only || args_takes(only, args_option_name(i)))
			put_option(i);
	printf("option\t--help\t\t\tthe options of a verb, or all "
	       "verbs\noption\t--version\t\t\tthe version\n");
	put_kinds();
}

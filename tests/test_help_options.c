/* test_help_options.c - `bitdial help --options`: that its lines say all there is, and that the
 * completions that read them know every kind and hold no names of their own. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "app/verbs.h"
#include "core/base/alloc.h"
#include "tests/lib_docs.h"
#include "tests/lib_shell.h"

static const char bash_path[] = "share/completions/bitdial.bash";
static const char zsh_path[] = "share/completions/_bitdial";

enum { FIELD = 4000 };

/* Field i of the line at *s (tabs between), then the next line. */
static bool next_line(const char **s, char field[5][FIELD])
{
	if (!**s)
		return false;
	for (size_t i = 0; i < 5; i++) {
		size_t n = strcspn(*s, "\t\n");

		snprintf(field[i], FIELD, "%.*s", (int)n, *s);
		*s += n + ((*s)[n] == '\t');
	}
	cr_assert_eq(**s, '\n', "more fields than five");
	++*s;
	return true;
}

static void both_offer(const char *lines, const char *complete, const char *whose)
{
	char *list = xstrdup(complete), *bash = slurp(bash_path), *zsh = slurp(zsh_path);

	for (char *w = strtok(list, " |"); w; w = strtok(NULL, " |")) {
		char kind[64], said_kind[80];

		if (strlen(w) > 3 && !strcmp(w + strlen(w) - 3, "..."))
			w[strlen(w) - 3] = 0;
		snprintf(said_kind, sizeof said_kind, "\nkind\t%s\t", w);
		snprintf(kind, sizeof kind, "%s", w);
		if (*w != '@' || strstr(lines, said_kind))
			continue;
		cr_expect(strstr(bash, kind), "%s: bash knows no %s", whose, kind);
		cr_expect(strstr(zsh, kind), "%s: zsh knows no %s", whose, kind);
	}
	xfree(list);
	big_free(bash);
	big_free(zsh);
}

Test(help_options, every_value_and_every_place_is_of_a_kind_that_is_known)
{
	static const char numbers[] = "X N T TEXT MIB"; /* and texts: nothing to offer */
	static char field[5][FIELD];
	char *lines = shell_says("sh", "bitdial help --options");
	size_t verbs = 0, options = 0;

	for (const char *s = lines; next_line(&s, field);) {
		if (!strcmp(field[0], "verb")) {
			both_offer(lines, field[2], field[1]);
			cr_expect_str_eq(field[4], verb_table[verbs++].summary);
		} else if (!strcmp(field[0], "option")) {
			bool free_text = !*field[2] || has_word(numbers, field[2]);

			options++;
			cr_expect_eq(free_text, !*field[3],
				"%s %s: neither a word of shell.c, nor words with bars", field[1],
				field[2]);
			both_offer(lines, field[3], field[1]);
			cr_expect(*field[4], "%s", field[1]);
		} else {
			cr_expect_str_eq(field[0], "kind");
			cr_expect(*field[2] || !strcmp(field[1], "@run"), "%s", field[1]);
		}
	}
	cr_expect_null(verb_table[verbs].name);
	cr_expect_null(args_option_name(options - 2)); /* --help and --version are every verb's */
	xfree(lines);
}

Test(help_options, the_lines_of_one_verb_are_its_own)
{
	static char field[5][FIELD];
	char *lines =
		shell_says("sh", "bitdial help --options watch; bitdial help --options wacth || :");
	char got[3 * 64] = "";
	const char *s = lines;

	while (next_line(&s, field) && strcmp(field[1], "@run") != 0)
		if (!strcmp(field[0], "option"))
			snprintf(got + strlen(got), sizeof got - strlen(got), "%.60s ", field[1]);
	same_words("--runs --help --version", got, "watch");
	cr_expect_str_eq(s, "bitdial: help: there is no verb wacth; did you mean watch?\n");
	xfree(lines);
}

Test(help_options, the_scripts_hold_no_options_of_their_own)
{
	char *bash = slurp(bash_path), *zsh = slurp(zsh_path), name[80];

	for (size_t i = 0; args_option_name(i); i++) {
		snprintf(name, sizeof name, "--%s", args_option_name(i));
		if (strlen(name) == 3 || !strcmp(name, "--options"))
			continue;
		cr_expect_null(strstr(bash, name), "bash: %s", name);
		cr_expect_null(strstr(zsh, name), "zsh: %s", name);
	}
	big_free(bash);
	big_free(zsh);
}

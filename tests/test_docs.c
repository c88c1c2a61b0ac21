/* test_docs.c - the manual, the README and CONTRIBUTING against the program's tables.
 *
 * Both ways: what the program has must be written down, and what is written down must be
 * there.  Run from the root of the tree, as all suites.
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/panel/panel.h"
#include "app/tui/commands.h"
#include "app/tui/keys.h"
#include "app/tui/options.h"
#include "app/verbs.h"
#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/quant/quantizer.h"
#include "tests/lib_docs.h"

static const char man_path[] = "share/man/bitdial.1";

/* What the manual lists once, for all verbs that open a model. */
static const char common[] = "threads device template read-only runs log-level demo";

/* ---- the manual: items of a section */

enum { ITEMS = 96 };

struct item {
	char head[160]; /* after .It */
	char body[2400];
};

static struct item items[ITEMS];

/* A line of mdoc without its quotes and with \& and \- as a reader sees them. */
static void add_line(char *to, size_t cap, const char *line, size_t n)
{
	size_t at = strlen(to);

	if (at && at + 1 < cap)
		to[at++] = ' ';
	for (size_t i = 0; i < n && at + 1 < cap; i++) {
		if (line[i] == '"')
			continue;
		if (line[i] == '\\' && i + 1 < n && line[i + 1] == '&')
			i++;
		else if (line[i] == '\\' && i + 1 < n && line[i + 1] == '-')
			to[at++] = line[++i];
		else
			to[at++] = line[i];
	}
	to[at] = 0;
}

/* Items from the line `title` (".Sh VERBS") to the next title; fills items[]. */
static size_t section(const char *title)
{
	char *page = slurp(man_path), *line, *save;
	bool inside = false;
	size_t n = 0;

	memset(items, 0, sizeof items);
	for (line = strtok_r(page, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!strncmp(line, ".Sh ", 4) || !strncmp(line, ".Ss ", 4)) {
			inside = !strcmp(line, title);
		} else if (inside && !strncmp(line, ".It ", 4)) {
			cr_assert_lt(n, (size_t)ITEMS);
			add_line(items[n++].head, sizeof items->head, line + 4, strlen(line + 4));
		} else if (inside && n && strcmp(line, ".El")) {
			add_line(items[n - 1].body, sizeof items->body, line, strlen(line));
		}
	}
	big_free(page);
	cr_assert_gt(n, 0, "%s has no section \"%s\"", man_path, title);
	return n;
}

/* The item whose head is "MACRO NAME ..."; NULL: none. */
static const struct item *find(size_t n, const char *macro, const char *name)
{
	char want[96];
	size_t len;

	len = (size_t)snprintf(want, sizeof want, "%s %s", macro, name);
	for (size_t i = 0; i < n; i++)
		if (!strncmp(items[i].head, want, len) &&
			(!items[i].head[len] || items[i].head[len] == ' '))
			return &items[i];
	return NULL;
}

/* "Fl -text , Fl o" as "text o" */
static void flags_of(const char *text, char *out, size_t cap)
{
	char w[64];
	bool next = false;

	*out = 0;
	while (next_word(&text, w)) {
		if (next)
			snprintf(out + strlen(out), cap - strlen(out), "%s ", w + (*w == '-'));
		next = !strcmp(w, "Fl") || !strcmp(w, ".Fl");
	}
}

/* ---- the manual */

Test(docs, the_manual_has_an_entry_for_every_verb_and_for_no_other)
{
	size_t n = section(".Sh VERBS"), verbs = 0;

	for (const struct verb *v = verb_table; v->name; v++, verbs++)
		cr_assert(find(n, "Cm", v->name), "no entry for the verb %s", v->name);
	cr_assert_eq(n, verbs, "%zu entries, %zu verbs", n, verbs);
}

Test(docs, the_entry_of_a_verb_names_its_options_and_no_others)
{
	size_t n = section(".Sh VERBS");

	for (const struct verb *v = verb_table; v->name; v++) {
		const struct item *it = find(n, "Cm", v->name);
		const char *list = it ? strstr(it->body, "Options:") : NULL;
		char flags[600];

		cr_assert(it, "%s", v->name);
		cr_assert_eq(list != NULL, *v->options != 0, "%s: options or none", v->name);
		if (!list)
			continue;
		flags_of(list, flags, sizeof flags);
		if (strstr(list, "the common ones"))
			strcat(flags, common);
		same_words(v->options, flags, v->name);
	}
}

Test(docs, the_manual_explains_every_option_with_its_value_and_no_other)
{
	size_t n = section(".Sh OPTIONS"), i;

	for (i = 0; args_option_name(i); i++) {
		const char *name = args_option_name(i);
		char dashed[64];
		const struct item *it;

		snprintf(dashed, sizeof dashed, "%s%s", strlen(name) > 1 ? "-" : "", name);
		it = find(n, "Fl", dashed);
		cr_assert(it, "no entry for --%s", name);
		cr_assert_eq(strstr(it->head, " Ar ") != NULL, args_option_value(i) != NULL,
			"--%s: a value, or none", name);
		cr_assert(it->body[0], "--%s is not explained", name);
	}
	cr_assert_eq(n, i, "%zu entries, %zu options", n, i);
}

Test(docs, every_option_belongs_to_a_verb)
{
	for (size_t i = 0; args_option_name(i); i++) {
		const struct verb *v = verb_table;

		while (v->name && !has_word(v->options, args_option_name(i)))
			v++;
		cr_assert(v->name, "no verb takes --%s", args_option_name(i));
	}
}

Test(docs, the_manual_has_every_command_with_its_arguments_and_help)
{
	size_t n = section(".Sh COMMANDS"), commands = 0;

	for (const struct command *c = command_table; c->name; c++, commands++) {
		const struct item *it = find(n, "Ic", c->name);

		cr_assert(it, "no entry for :%s", c->name);
		for (const char *a = c->args; *a;) { /* words in capitals are arguments */
			size_t len = strspn(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
			char word[32];

			snprintf(word, sizeof word, "%.*s", (int)len, a);
			cr_assert(!len || has_word(it->head, word), ":%s: no %s", c->name, word);
			a += len ? len : 1;
		}
		cr_assert(strstr(it->body, c->help),
			":%s: the manual says \"%s\", the program "
			"\"%s\"",
			c->name, it->body, c->help);
	}
	cr_assert_eq(n, commands, "%zu entries, %zu commands", n, commands);
}

static void check_keys(const char *title, const struct binding *keys)
{
	size_t n = section(title), bindings = 0;

	for (const struct binding *b = keys; b->keys; b++, bindings++) {
		bool found = false;

		for (size_t i = 0; i < n && !found; i++)
			found = !strncmp(items[i].head, "Ic ", 3) &&
				!strcmp(items[i].head + 3, b->keys) &&
				!strcmp(items[i].body, b->help);
		cr_assert(
			found, "%s: no entry for \"%s\" that says \"%s\"", title, b->keys, b->help);
	}
	cr_assert_eq(n, bindings, "%s: %zu entries, %zu lines of keys", title, n, bindings);
}

Test(docs, the_manual_has_every_line_of_keys)
{
	char title[64];

	for (const struct key_context *c = key_contexts; c->name; c++) {
		snprintf(title, sizeof title, ".Ss %c%s screen", toupper((unsigned char)*c->name),
			c->name + 1);
		check_keys(strcmp(c->name, "global") ? title : ".Ss Anywhere", c->keys);
	}
}

Test(docs, the_manual_has_every_key_of_a_panel)
{
	char title[64];

	for (size_t i = 0; panel_table[i]; i++) {
		const struct panel_class *p = panel_table[i];

		snprintf(title, sizeof title, ".Ss Panel %s", p->name);
		if (p->keys && p->keys->keys)
			check_keys(title, p->keys);
	}
}

Test(docs, the_manual_has_every_setting_with_its_default_and_help)
{
	size_t n = section(".Sh SETTINGS");

	for (size_t i = 0; i < OPTS; i++) {
		const struct option *o = &option_table[i];
		const struct item *it = find(n, "Ic", o->name);
		char def[64];

		cr_assert(it, "no entry for :set %s", o->name);
		snprintf(def, sizeof def, "default: %s)", *o->def ? o->def : "the dial's own");
		cr_assert(strstr(it->body, def), "%s: no \"%s\" in \"%s\"", o->name, def, it->body);
		cr_assert(strstr(it->body, o->help), "%s: \"%s\"", o->name, it->body);
	}
	cr_assert_eq(n, (size_t)OPTS, "%zu entries, %d settings", n, (int)OPTS);
}

Test(docs, mandoc_finds_nothing_to_warn_of)
{
	mandoc_warns_of_nothing(man_path);
}

/* ---- README and CONTRIBUTING */

Test(docs, the_readme_mentions_every_verb_and_quantizer)
{
	char *text = slurp("README.md"), want[64];

	for (const struct verb *v = verb_table; v->name; v++) {
		snprintf(want, sizeof want, "bitdial %s", v->name);
		cr_assert(strcmp(v->name, "open") ? strstr(text, want) != NULL
						  : strstr(text, "bitdial MODEL") != NULL,
			"README.md: no \"%s\"", want);
	}
	for (size_t i = 0; quantizer_table[i]; i++) {
		snprintf(want, sizeof want, "`%s`", quantizer_table[i]->name);
		cr_assert(strstr(text, want), "README.md: no %s", want);
	}
	big_free(text);
}

Test(docs, the_readme_has_the_keys_of_both_screens)
{
	char *text = slurp("README.md");

	for (const struct key_context *c = key_contexts; c->name; c++)
		for (const struct binding *b = c->keys; b->keys; b++) {
			const char *keys = b->keys;
			char w[64], want[80];

			while (next_word(&keys, w)) {
				snprintf(want, sizeof want, "`%s`", w);
				cr_assert(strstr(text, want), "README.md: no key %s (%s)", want,
					b->help);
			}
		}
	big_free(text);
}

Test(docs, what_the_readme_and_contributing_name_in_the_tree_is_there)
{
	static const char *const pages[] = { "README.md", "CONTRIBUTING.md" };
	static const char *const rooms[] = { "app/", "core/", "kernels/", "layouts/", "tests/",
		"share/" };

	for (size_t p = 0; p < 2; p++) {
		char *text = slurp(pages[p]), *at = text;

		/* `app/...` in backticks, without a * or a capital placeholder */
		while ((at = strchr(at, '`'))) {
			size_t n = strspn(++at, "abcdefghijklmnopqrstuvwxyz0123456789_./-");
			bool ours = false;
			char path[128];

			for (size_t r = 0; r < sizeof rooms / sizeof *rooms; r++)
				ours |= !strncmp(at, rooms[r], strlen(rooms[r]));
			if (!ours || at[n] != '`')
				continue;
			snprintf(path, sizeof path, "%.*s", (int)n, at);
			cr_expect(fs_is_file(path) || fs_is_dir(path),
				"%s names %s, which is not "
				"there",
				pages[p], path);
		}
		big_free(text);
	}
}

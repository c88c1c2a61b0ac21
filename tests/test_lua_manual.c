/* test_lua_manual.c - the Lua reference, as text and as a page, against the modules' own tables. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/lua/l.h"
#include "app/lua/manual.h"
#include "tests/lib_base.h"
#include "tests/lib_docs.h"

Test(lua_manual, the_manual_names_every_function_and_option_there_is)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	cr_assert(lua_manual(f, NULL));
	cr_assert_not(lua_manual(f, "nonsense"));
	fclose(f);
	for (size_t i = 0; l_modules[i]; i++) {
		const struct l_module *m = l_modules[i];

		for (size_t k = 0; m->fn[k].name; k++) {
			char want[96];

			snprintf(want, sizeof want, "bitdial.%s.%s", m->name, m->fn[k].name);
			cr_assert(strstr(text, want), "%s", want);
			cr_assert(m->fn[k].help && *m->fn[k].help && m->fn[k].args, "%s", want);
		}
		cr_assert(!m->main || strstr(text, m->help), "%s", m->name);
	}
	free(text);
}

Test(lua_manual, one_function_is_shown_by_its_name)
{
	static const struct {
		const char *topic, *has, *lacks;
	} of[] = { { "search.run", "  bitdial.search.run(", "bitdial.search.refine" },
		{ "bitdial.search.run", "  bitdial.search.run(", "bitdial.scan" },
		{ "bitdial.open", "  bitdial.models.open(", "bitdial.scan" },
		{ "layout:write", "    :write(", ":bytes" },
		{ "job:wait", "    :wait(", ":stop" },
		{ "bitdial.search", "bitdial.search - ", "bitdial.scan - " } };

	for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
		char *text = NULL;
		size_t n = 0;
		FILE *f = open_memstream(&text, &n);

		cr_expect(lua_manual(f, of[i].topic), "%s", of[i].topic);
		fclose(f);
		cr_expect(strstr(text, of[i].has) && !strstr(text, of[i].lacks), "%s:\n%s",
			of[i].topic, text);
		free(text);
	}
	cr_expect_not(lua_manual(stderr, "search.nosuch"));
	cr_expect_not(lua_manual(stderr, "nosuch.run"));
	cr_expect_not(lua_manual(stderr, "bitdial.nosuch"));
}

Test(lua_manual, the_manual_page_has_every_function_and_option_and_no_mistake)
{
	char *text = NULL;
	const char *path = tmp_path("bitdial-lua.3");
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	lua_manual_page(f);
	fclose(f);
	for (size_t i = 0; l_modules[i]; i++)
		for (const struct l_fn *fn = l_modules[i]->fn; fn->name; fn++) {
			char want[96];

			snprintf(want, sizeof want, ".It Ic \"\\&bitdial.%s.%s\"",
				l_modules[i]->name, fn->name);
			cr_assert(strstr(text, want), "%s", want);
			for (const struct l_opt *o = fn->opt; o && o->name; o++) {
				snprintf(want, sizeof want, ".It Va \"\\&%s\"", o->name);
				cr_assert(strstr(text, want), "%s: %s", fn->name, want);
			}
		}
	cr_assert(strstr(text, "bitdial.expect") && strstr(text, ".Ss Handle job"));
	tmp_write(path, text, n);
	free(text);
	mandoc_warns_of_nothing(path);
}

/* test_commands.c - the flags of commands.def: what each column decides for every command. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "app/tui/commands.h"
#include "app/tui/stranger.h"

Test(commands, a_stranger_may_what_is_flagged_safe_and_nothing_else)
{
	for (const struct command *c = command_table; c->name; c++) {
		bool safe = (c->flags & COMMAND_SAFE) != 0;
		char line[96];
		struct err e = { 0 };

		cr_expect_eq(stranger_may(NULL, c->name, &e) == ST_OK, safe, "%s", c->name);
		/* Also behind one that is, and with words behind it. */
		snprintf(line, sizeof line, "undo; %s x y", c->name);
		cr_expect_eq(stranger_may(NULL, line, &e) == ST_OK, safe, "%s", line);
		cr_expect(safe || strstr(e.msg, c->name), "%s: %s", line, e.msg);
	}
}

/* A slip in the column would open a door: what writes, reads, starts or ends is named here. */
Test(commands, no_command_with_a_path_or_a_program_is_flagged_safe)
{
	static const char *const never[] = { "bind", "clear", "close", "complete", "console",
		"copy", "dump-screen", "edit", "keep", "lua", "note", "plot", "prompt", "quit",
		"quit!", "restore", "resume", "runs", "scan!", "set", "stop", "suspend", "tag",
		"trash" };

	for (const struct command *c = command_table; c->name; c++)
		if (c->complete == COMPLETE_PATH || c->complete == COMPLETE_RUN)
			cr_expect_not(c->flags & COMMAND_SAFE, "%s", c->name);
	for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
		cr_assert(command_find(never[i]), "%s", never[i]);
		cr_expect_not(command_has(never[i], COMMAND_SAFE), "%s", never[i]);
	}
}

Test(commands, a_semicolon_ends_every_command_but_those_that_take_the_rest)
{
	static const char *const rest[] = { "bind", "complete", "lua", "say", "system" };

	for (const struct command *c = command_table; c->name; c++) {
		bool all = (c->flags & COMMAND_REST) != 0;
		char line[96], quoted[96];

		snprintf(line, sizeof line, "  %s one; two", c->name);
		snprintf(quoted, sizeof quoted, "%s \"one\"; two", c->name);
		cr_expect_str_eq(command_end(line), all ? "" : "; two", "%s", line);
		cr_expect_str_eq(command_end(quoted), "; two", "%s", quoted);
	}
	for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
		cr_expect(command_has(rest[i], COMMAND_REST), "%s", rest[i]);
}

Test(commands, a_flag_is_of_the_whole_first_word)
{
	cr_expect(command_has("say", COMMAND_REST));
	cr_expect(command_has("say x", COMMAND_REST | COMMAND_SCREEN));
	cr_expect(command_has("budget 4", COMMAND_ACT));
	cr_expect_not(command_has("saying x", COMMAND_REST));
	cr_expect_not(command_has("sa x", COMMAND_REST));
	cr_expect_not(command_has("scan!", COMMAND_SAFE));
	cr_expect_not(command_has("say;x", COMMAND_REST));
	cr_expect_not(command_has("", 15));
	cr_expect_not(command_has("no-such", 15));
}

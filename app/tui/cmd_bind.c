/* cmd_bind - keys of the user's own, for this sitting. */
#include <string.h>

#include "app/tui/commands.h"
#include "app/tui/keys.h"
#include "app/tui/tui.h"
#include "core/base/alloc.h"

/* The end of the first word, which may be quoted. */
static const char *behind_word(const char *s)
{
	bool quoted = false;

	for (; *s && (quoted || *s != ' '); s++) {
		if (quoted && *s == '\\' && s[1])
			s++;
		else if (*s == '"')
			quoted = !quoted;
	}
	return s + strspn(s, " ");
}

static bool is_place(const struct tui *t, const char *word)
{
	return keys_of(word) || panel_find(t, word) >= 0;
}

/* What is wholly quoted is what is between the quotes; xfree. */
static char *unquoted(const char *s)
{
	size_t n = strlen(s), at = 0;
	char *out;

	if (n < 2 || s[0] != '"' || s[n - 1] != '"')
		return xstrdup(s);
	out = xalloc(n);
	for (size_t i = 1; i < n - 1; i++) {
		i += s[i] == '\\' && (s[i + 1] == '"' || s[i + 1] == '\\');
		out[at++] = s[i];
	}
	return out;
}

/* bind [PLACE] KEYS [COMMAND]: the command is the rest of the line as it was typed. */
enum st cmd_bind(struct tui *t, int argc, char **argv, const char *rest, struct err *e)
{
	bool placed = argc > 2 && is_place(t, argv[1]);
	const char *place = placed ? argv[1] : "global", *keys = argc > 1 ? argv[1 + placed] : "",
		   *command;
	char *line;
	enum st st;

	if (argc < 2) {
		list_binds(t);
		return ST_OK;
	}
	if (!placed && argc > 3 && keys_check(argv[1], e) && !keys_check(argv[2], e))
		return err_set(e, ST_INVALID,
			"bind: there is no place \"%.40s\": expected global, a panel or a screen",
			argv[1]);
	if (!placed && *rest != '"' && strchr(keys, ' ')) /* both were quoted: no quote is left */
		command = rest + strlen(keys) + strspn(rest + strlen(keys), " ");
	else
		command = behind_word(rest);
	if (placed)
		command = behind_word(command);
	if (!*command && !placed && is_place(t, keys))
		return err_set(e, ST_INVALID, "bind %s: expected keys and a command", keys);
	if (!*command) {
		st = keys_check(keys, e);
		if (!st && !binds_remove(&t->binds, place, keys))
			st = err_set(e, ST_INVALID, "bind: %.40s is none of your keys (%s)", keys,
				place);
		if (!st)
			tui_notice(t, LOG_INFO, "%s does what it did before", keys);
		return st;
	}
	line = unquoted(command);
	st = binds_add(&t->binds, t->class, place, keys, line, NULL, e);
	if (!st)
		tui_notice(t, LOG_INFO, "%s: %s", keys, line);
	xfree(line);
	return st;
}

/* keys - the global table, the screens' tables, and the names of keys. */
#include "app/tui/keys.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "app/panel/panel.h"
#include "core/base/text.h"

/* In a text input letters, digits, ? and : are text; what has a Ctrl, an Alt or a name
 * works there, too. */
static const struct binding global[] = {
	{ "? F1", "help", "this list; type to filter it" },
	{ ": M-:", "prompt", "command line" },
	{ "/", "filter", "filter the focused panel while typing" },
	{ "n N", "next | prev", "next, previous match or notable thing" },
	{ "Esc", "back", "close the innermost: overlay, filter, zoom; in chat: stop" },
	{ "q", "close", "close the view, then the program" },
	{ "C-c", "stop", "stop what runs; again within 2 s: quit" },
	{ "C-z C-l", "suspend | redraw", "suspend to the shell, draw anew" },
	{ "Tab S-Tab", "focus next | focus prev", "next, previous panel" },
	{ "1 2 3 4 5", "screen 1 | screen 2 | screen 3 | screen 4 | screen 5",
		"Search, Train, Chat, Runs, Jobs" },
	{ "M-1 M-2 M-3 M-4 M-5", "screen 1 | screen 2 | screen 3 | screen 4 | screen 5",
		"the same from a text input" },
	{ "[ ]", "arrange prev | arrange next", "another arrangement of this screen" },
	{ "F2", "console", "the Lua console, beside the panels it drives" },
	{ "z", "zoom", "the focused panel alone, and back" },
	{ "h j k l", "move left | move down | move up | move right", "move" },
	{ "Left Down Up Right", "move left | move down | move up | move right", "move" },
	{ "g G", "move first | move last", "to the first, the last" },
	{ "Home End", "move first | move last", "to the first, the last" },
	{ "PgUp PgDn", "move page-up | move page-down", "by a page" },
	{ "Enter", "open", "open what is under the cursor" },
	{ "x", "stop", "stop the running job" },
	{ "y Y", "copy | copy panel", "copy the value, the panel as text" },
	{ "K", "calibrate", "calibrate the dial: minutes, for the budgets below 4 bits" },
	{ "u C-r", "undo | redo", "undo, redo: budget, pins, floors, ties, mark" },
	{ "!", "notices", "what was reported" },
	{ "@", "history", "what was done: do it again, or write it as a script" },
	{ "M", "set mouse toggle", "mouse on or off (off: the terminal selects text)" },
	{ "B", "bare", "no boxes, one panel: for selecting text" },
	{ NULL, NULL, NULL },
};

static const struct binding search[] = {
	{ ", .", "budget -0.05 | budget +0.05", "0.05 bit a weight less, more" },
	{ "M-, M-.", "budget -0.05 | budget +0.05", "0.05 bit a weight less, more" },
	{ "< >", "budget -0.5 | budget +0.5", "half a bit less, more" },
	{ "=", "prompt budget", "type it: 4.25, 120MiB, kl<=0.02, 60tok/s" },
	{ "a A", "mark | goto A", "mark this layout to compare with, go back to it" },
	{ "m", "measure", "measure the KL of this layout" },
	{ "S", "keep", "store the layout as a run" },
	{ "p f", "pin | free", "pin this cell (then a digit), free it" },
	{ "v", "view next", "what the map shows" },
	{ "c", "ramp next", "next colour ramp" },
	{ "s", "set source next", "the map on each text alone, on all" },
	{ "L", "log-axis", "logarithmic axis, or not" },
	{ "o", "plot", "draw the panel with gnuplot" },
	{ "r", "resume", "go on with what was cut short" },
	{ NULL, NULL, NULL },
};

static const struct binding chat[] = {
	{ "M-, M-.", "budget -0.05 | budget +0.05", "turn the dial, also while typing" },
	{ ", .", "budget -0.05 | budget +0.05", "0.05 bit a weight less, more" },
	{ "< >", "budget -0.5 | budget +0.5", "half a bit less, more" },
	{ "r", "again", "answer again under the present layout" },
	{ "a", "ab toggle", "answer twice: by the mark A and by this layout" },
	{ "b", "blind toggle", "hide whose answer is whose until the vote" },
	{ "( ) = -", "vote left | vote right | vote tie | vote bad",
		"vote: left, right, the same, both bad" },
	{ "s t", "prompt system | prompt temperature", "system prompt, temperature" },
	{ NULL, NULL, NULL },
};

static const struct binding train[] = {
	{ "Space", "train pause", "pause between steps, or go on" },
	{ "x", "stop", "stop after this step and keep it; again: at once" },
	{ "c", "train save", "a checkpoint after this step" },
	{ "L", "log-axis", "logarithmic axis, or not" },
	{ "w", "prompt export loss", "the numbers into a file: .csv .tsv .json" },
	{ "o", "plot", "draw the curve with gnuplot" },
	{ "r", "resume", "go on with what was cut short" },
	{ NULL, NULL, NULL },
};

static const struct binding jobs[] = {
	{ "x", "stop here", "stop the job under the cursor and those it asked for" },
	{ "P", "priority here", "a job that waits goes before the others of its lane" },
	{ "F", "follow", "the log follows its newest line, or holds" },
	{ "r", "resume", "go on with what was cut short" },
	{ NULL, NULL, NULL },
};

const struct key_context key_contexts[] = {
	{ "global", global },
	{ "search", search },
	{ "train", train },
	{ "chat", chat },
	{ "jobs", jobs },
	{ NULL, NULL },
};

const struct binding *keys_of(const char *context)
{
	for (const struct key_context *c = key_contexts; c->name; c++)
		if (!strcmp(c->name, context))
			return c->keys;
	return NULL;
}

/* ---- names */

static const char *const names[] = { "Enter", "Esc", "Tab", "Backspace", "Del", "Up", "Down",
	"Left", "Right", "Home", "End", "PgUp", "PgDn", "Ins", "F1", "F2", "F3", "F4", "F5", "F6",
	"F7", "F8", "F9", "F10", "F11", "F12" };

static bool base_parse(const char *s, size_t n, uint32_t *key)
{
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strlen(names[i]) == n && !memcmp(names[i], s, n)) {
			*key = KEY_ENTER + (uint32_t)i;
			return true;
		}
	if (n == 5 && !memcmp(s, "Space", 5)) {
		*key = ' ';
		return true;
	}
	if (!n || utf8_decode(s, n, key) != n)
		return false;
	return key_is_text(*key) && *key != 0xfffd;
}

bool key_parse(const char *s, size_t n, uint32_t *key)
{
	uint32_t mods = 0;

	while (n > 2 && s[1] == '-' && strchr("CMS", s[0])) {
		mods |= s[0] == 'C' ? KEY_CTRL : s[0] == 'M' ? KEY_ALT : KEY_SHIFT;
		s += 2;
		n -= 2;
	}
	if (!base_parse(s, n, key))
		return false;
	if (mods & KEY_CTRL && *key >= 'A' && *key <= 'Z')
		*key += 'a' - 'A';
	if (mods & KEY_SHIFT && *key < KEY_ENTER)
		return false;
	*key |= mods;
	return true;
}

/* "Ctrl-x" and "<C-x>" are how others write it. */
static const char *meant(const char *s, size_t n, char out[KEY_NAME])
{
	static const char *const other[][2] = { { "Ctrl", "C-" }, { "Alt", "M-" }, { "Meta", "M-" },
		{ "Shift", "S-" }, { "Return", "Enter" }, { "Escape", "Esc" }, { "PageUp", "PgUp" },
		{ "PageDown", "PgDn" }, { "Delete", "Del" }, { "Insert", "Ins" } };
	const char *list[sizeof names / sizeof names[0] + 1] = { NULL };
	char word[KEY_NAME];

	for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
		size_t len = strlen(other[i][0]);

		if (n >= len && !strncasecmp(s, other[i][0], len)) {
			len += n > len && (s[len] == '-' || s[len] == '+');
			snprintf(out, KEY_NAME, "%s%.*s", other[i][1], (int)(n - len), s + len);
			return out;
		}
	}
	memcpy(list, names, sizeof names);
	snprintf(word, sizeof word, "%.*s", (int)n, s);
	return text_suggest(word, list);
}

enum st keys_check(const char *keys, struct err *e)
{
	char out[KEY_NAME];
	uint32_t key;
	size_t n;

	for (keys += strspn(keys, " "); *keys; keys += n + strspn(keys + n, " ")) {
		const char *near;

		n = strcspn(keys, " ");
		if (key_parse(keys, n, &key))
			continue;
		near = n < KEY_NAME ? meant(keys, n, out) : NULL;
		if (near)
			return err_set(e, ST_INVALID,
				"bind: there is no key \"%.*s\"; did you "
				"mean %s",
				(int)n, keys, near);
		return err_set(e, ST_INVALID,
			"bind: there is no key \"%.*s\"; a key is a character or Enter Esc Tab "
			"Space Backspace Del Ins Up Down Left Right Home End PgUp PgDn F1 to F12, "
			"with C- (Ctrl), M- (Alt) or S- (Shift) before it, such as C-x",
			(int)(n < 40 ? n : 40), keys);
	}
	return ST_OK;
}

const char *key_name(uint32_t key, char out[KEY_NAME])
{
	uint32_t base = key & KEY_BASE;
	char utf8[5] = "";
	const char *name = utf8;

	if (base >= KEY_ENTER && base <= KEY_LAST)
		name = names[base - KEY_ENTER];
	else if (base == ' ')
		name = "Space";
	else
		utf8[utf8_encode(base, utf8)] = 0;
	snprintf(out, KEY_NAME, "%s%s%s%s", key & KEY_CTRL ? "C-" : "", key & KEY_ALT ? "M-" : "",
		key & KEY_SHIFT ? "S-" : "", name);
	return out;
}

/* ---- tables */

void keys_walk(const struct binding *b,
	bool (*fn)(void *arg, uint32_t key, const char *command, size_t len), void *arg)
{
	const char *command = b->command;
	uint32_t key;

	for (const char *s = b->keys; *s;) {
		size_t n = strcspn(s, " ");
		const char *bar = strstr(command, " | ");
		size_t len = bar ? (size_t)(bar - command) : strlen(command);

		if (n && key_parse(s, n, &key) && !fn(arg, key, command, len))
			return;
		/* The last command is for all keys that remain. */
		if (n && bar)
			command = bar + 3;
		s += n + (s[n] == ' ');
	}
}

struct find {
	uint32_t key;
	char *out;
	size_t cap;
	bool found;
};

static bool match(void *arg, uint32_t key, const char *command, size_t len)
{
	struct find *f = arg;

	if (key != f->key)
		return true;
	snprintf(f->out, f->cap, "%.*s", (int)len, command);
	f->found = true;
	return false;
}

bool keys_find(const struct binding *table, uint32_t key, char *out, size_t cap)
{
	struct find f = { key, out, cap, false };

	for (const struct binding *b = table; b && b->keys && !f.found; b++)
		keys_walk(b, match, &f);
	return f.found;
}

/* binds - see binds.h. */
#include "app/tui/binds.h"

#include <stdio.h>
#include <string.h>

#include "app/tui/commands.h"
#include "app/tui/keys.h"
#include "core/base/alloc.h"
#include "core/base/text.h"

enum { COMMAND_MAX = 256 }; /* what dispatch takes */

static enum st check_context(
	const char *context, const struct panel_class *const *panels, struct err *e)
{
	const char *names[64] = { NULL }, *near;
	size_t n = 0;

	for (const struct key_context *c = key_contexts; c->name && n < 31; c++)
		names[n++] = c->name;
	for (; *panels && n < 63; panels++)
		names[n++] = (*panels)->name;
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], context))
			return ST_OK;
	near = text_suggest(context, names);
	return err_set(e, ST_INVALID,
		"bind: no place \"%.40s\" for keys; expected global or a panel%s%s", context,
		near ? "; did you mean " : ", such as heatmap", near ? near : "");
}

struct part {
	const char *keys;
	size_t n;
	enum st st;
	struct err *e;
};

static bool check_part(void *arg, uint32_t key, const char *command, size_t len)
{
	struct part *p = arg;
	char *line = xstrndup(command, len);

	p->n++;
	if (key == (KEY_CTRL | 'c'))
		p->st = err_set(p->e, ST_INVALID, "bind: C-c always stops what runs");
	else if (!line[strspn(line, " ")])
		p->st = err_set(p->e, ST_INVALID, "bind %.40s: expected a command", p->keys);
	else if (command_check(line, p->e))
		p->st = err_at(p->e, p->e->st, "bind %.40s", p->keys);
	xfree(line);
	return !p->st;
}

static enum st check(const struct binding *b, struct err *e)
{
	struct part p = { .keys = b->keys, .e = e };
	enum st st = keys_check(b->keys, e);

	if (st)
		return st;
	if (strlen(b->command) >= COMMAND_MAX)
		return err_set(e, ST_INVALID, "bind %.40s: a command has %d bytes at most", b->keys,
			COMMAND_MAX - 1);
	keys_walk(b, check_part, &p);
	return p.st;
}

static struct bind *find(struct binds *all, const char *context, const char *keys)
{
	for (size_t i = 0; i < all->n; i++)
		if (!strcmp(all->at[i].context, context) && !strcmp(all->at[i].key.keys, keys))
			return &all->at[i];
	return NULL;
}

static void free_key(struct bind *b)
{
	xfree((void *)(uintptr_t)b->key.keys);
	xfree((void *)(uintptr_t)b->key.command);
	xfree((void *)(uintptr_t)b->key.help);
}

static void put(struct binds *all, const char *context, const struct binding *b)
{
	struct bind *to = &all->at[all->n++];

	snprintf(to->context, sizeof to->context, "%s", context);
	to->key = (struct binding){ xstrdup(b->keys), xstrdup(b->command), xstrdup(b->help) };
}

enum st binds_add(struct binds *all, const struct panel_class *const *panels, const char *context,
	const char *keys, const char *command, const char *help, struct err *e)
{
	struct binding b = { keys, command, help && *help ? help : command };
	enum st st = check_context(context, panels, e);

	if (!st)
		st = check(&b, e);
	if (!st && all->n == BINDS_MAX && !find(all, context, keys))
		st = err_set(e, ST_INVALID, "bind %.40s: there are %d already", keys, BINDS_MAX);
	if (st)
		return st;
	binds_remove(all, context, keys);
	put(all, context, &b);
	return ST_OK;
}

bool binds_remove(struct binds *all, const char *context, const char *keys)
{
	struct bind *b = find(all, context, keys);

	if (!b)
		return false;
	free_key(b);
	all->n--;
	memmove(b, b + 1, (size_t)(&all->at[all->n] - b) * sizeof *b);
	return true;
}

void binds_release(struct binds *all)
{
	for (size_t i = 0; i < all->n; i++)
		free_key(&all->at[i]);
	all->n = 0;
}

void binds_copy(struct binds *to, const struct binds *from)
{
	for (size_t i = 0; i < from->n; i++)
		put(to, from->at[i].context, &from->at[i].key);
}

void binds_here(const struct binds *all, const char *panel, const char *screen,
	struct binding out[BINDS_MAX + 1])
{
	const char *place[] = { panel, screen, "global" };
	size_t n = 0;

	for (size_t p = 0; p < 3; p++)
		for (size_t i = all->n; place[p] && i-- > 0;)
			/* A screen may be called as a panel is. */
			if (!strcmp(all->at[i].context, place[p]) &&
				!(p == 1 && panel && !strcmp(panel, screen)))
				out[n++] = all->at[i].key;
	out[n] = (struct binding){ NULL, NULL, NULL };
}

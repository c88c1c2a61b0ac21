/* manual.c - see manual.h. */
#include "app/lua/manual.h"

#include <string.h>

#include "app/lua/l.h"

enum { WIDTH = 92 };

/* Text in lines of at most WIDTH columns, each begun by so many blanks. */
static void wrapped(FILE *to, int indent, const char *text)
{
	while (*text) {
		size_t n = strlen(text), most = (size_t)(WIDTH - indent);

		if (n > most)
			for (n = most; n > 1 && text[n] != ' '; n--)
				;
		fprintf(to, "%*s%.*s\n", indent, "", (int)n, text);
		text += n;
		text += strspn(text, " ");
	}
}

static void options(FILE *to, const struct l_opt *o, int indent)
{
	for (; o && o->name; o++)
		fprintf(to, "%*s%-14s %-8s %s\n", indent, "", o->name, o->kind, o->help);
}

static void functions(FILE *to, const char *before, const struct l_fn *f)
{
	for (; f && f->name; f++) {
		fprintf(to, "  %s%s%s\n", before, f->name, f->args);
		wrapped(to, 6, f->help);
		options(to, f->opt, 10);
	}
}

static void class(FILE *to, const struct l_class *c)
{
	fprintf(to, "\n  %s: %s\n", c->name, c->help);
	options(to, c->field, 6);
	functions(to, "  :", c->method);
}

static void module(FILE *to, const struct l_module *m)
{
	char before[40];

	if (!m->name[0]) {
		functions(to, "bitdial.", m->fn);
		return;
	}
	fprintf(to, "\nbitdial.%s - %s\n", m->name, m->help);
	if (m->main)
		fprintf(to, "  bitdial.%s(...) is bitdial.%s.%s(...)\n", m->name, m->name, m->main);
	snprintf(before, sizeof before, "bitdial.%s.", m->name);
	functions(to, before, m->fn);
	if (m->class)
		class(to, m->class);
}

void lua_manual_topics(const char **names, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; l_modules[i] && n + 1 < cap; i++) {
		const struct l_class *c = l_modules[i]->class;

		names[n++] = l_modules[i]->name;
		if (c && strcmp(c->name, l_modules[i]->name) && n + 1 < cap)
			names[n++] = c->name;
	}
	if (n + 1 < cap)
		names[n++] = l_job_class.name;
	names[n] = NULL;
}

/* The function of this name among f. */
static _Bool one(FILE *to, const char *before, const struct l_fn *f, const char *name)
{
	for (; f && f->name; f++) {
		const struct l_fn alone[2] = { *f, { 0 } };

		if (!strcmp(f->name, name)) {
			functions(to, before, alone);
			return 1;
		}
	}
	return 0;
}

static _Bool one_of_class(FILE *to, const struct l_class *c, const char *whole, const char *name)
{
	size_t n = (size_t)(name - 1 - whole);

	return c && strlen(c->name) == n && !strncmp(c->name, whole, n) &&
	       one(to, "  :", c->method, name);
}

/* "search.run", "bitdial.search.run", "layout:write", and "bitdial.open" of the table itself. */
static _Bool one_function(FILE *to, const char *whole)
{
	char before[40];
	const char *name;
	size_t n;

	if (!strncmp(whole, "bitdial.", 8)) {
		whole += 8;
		if (one(to, "bitdial.", l_base.fn, whole))
			return 1;
		if (!strcmp(whole, "open"))
			whole = "models.open"; /* open.c: it goes by both names */
	}
	n = strcspn(whole, ".:");
	if (!whole[n])
		return 0;
	name = whole + n + 1;
	for (size_t i = 0; l_modules[i]; i++) {
		const struct l_module *m = l_modules[i];

		snprintf(before, sizeof before, "bitdial.%s.", m->name);
		if (whole[n] == '.' && strlen(m->name) == n && !strncmp(m->name, whole, n) &&
			one(to, before, m->fn, name))
			return 1;
		if (one_of_class(to, m->class, whole, name))
			return 1;
	}
	return one_of_class(to, &l_job_class, whole, name);
}

_Bool lua_manual(FILE *to, const char *topic)
{
	_Bool any = 0;

	if (topic && one_function(to, topic))
		return 1;
	if (topic && !strncmp(topic, "bitdial.", 8))
		topic += 8;
	if (!topic) {
		fprintf(to,
			"A script: bitdial --batch FILE.lua ARGS, or :script FILE in the "
			"workbench.  "
			"Lua 5.4.\n"
			"What may well fail gives nil and a sentence; wrong use raises.  Long work "
			"is a job:\n\n"
			"  local model = assert(bitdial.open(arg[1]))\n"
			"  assert(bitdial.scan():wait())\n"
			"  local best = assert(bitdial.search{ bpw = 3.6 }:wait())\n"
			"  print(best.bytes, best.damage, "
			"bitdial.measure(best):wait().damage)\n\n");
		module(to, &l_base);
	}
	for (size_t i = 0; l_modules[i]; i++) {
		const struct l_module *m = l_modules[i];

		if (topic && strcmp(topic, m->name) &&
			!(m->class && !strcmp(topic, m->class->name)))
			continue;
		module(to, m);
		any = 1;
	}
	if (!topic || !strcmp(topic, l_job_class.name)) {
		class(to, &l_job_class);
		any = 1;
	}
	return any;
}

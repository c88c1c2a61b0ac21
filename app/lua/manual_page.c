/* manual_page.c - the reference of the Lua modules as a manual page (mdoc). */

#include "app/lua/l.h"
#include "app/lua/manual.h"

/* A character that means nothing to the formatter: a minus is none that is a hyphen. */
static void put(FILE *to, char c)
{
	if (c == '\\' || c == '-')
		fprintf(to, "\\%c", c == '-' ? '-' : 'e');
	else
		fputc(c, to);
}

/* An argument of a request: nothing in it is a request or a quote of its own. */
static void argument(FILE *to, const char *s)
{
	fputs("\"\\&", to);
	for (; *s; s++) {
		if (*s == '"')
			fputs("\\(dq", to);
		else
			put(to, *s);
	}
	fputc('"', to);
}

static void line(FILE *to, const char *s)
{
	if (*s == '.' || *s == '\'') /* no request */
		fputs("\\&", to);
	for (; *s; s++)
		put(to, *s);
	fputc('\n', to);
}

static void options(FILE *to, const char *title, const struct l_opt *o)
{
	if (!o || !o->name)
		return;
	fprintf(to, ".Pp\n%s\n.Bl -tag -width Ds -compact\n", title);
	for (; o->name; o++) {
		fputs(".It Va ", to);
		argument(to, o->name);
		fputs(" Pq ", to);
		argument(to, o->kind);
		fputc('\n', to);
		line(to, o->help);
	}
	fputs(".El\n", to);
}

static void functions(FILE *to, const char *before, const struct l_fn *f)
{
	if (!f || !f->name)
		return;
	fputs(".Bl -tag -width Ds\n", to);
	for (; f->name; f++) {
		char name[96];

		snprintf(name, sizeof name, "%s%s", before, f->name);
		fputs(".It Ic ", to);
		argument(to, name);
		fputs(" No ", to);
		argument(to, f->args);
		fputc('\n', to);
		line(to, f->help);
		options(to, "Options:", f->opt);
	}
	fputs(".El\n", to);
}

static void class(FILE *to, const struct l_class *c)
{
	char before[40];

	fprintf(to, ".Ss Handle %s\n", c->name);
	line(to, c->help);
	snprintf(before, sizeof before, "%s:", c->name);
	options(to, "Fields:", c->field);
	functions(to, before, c->method);
}

static void module(FILE *to, const struct l_module *m)
{
	char before[40];

	fprintf(to, ".Ss Module bitdial.%s\n", m->name);
	line(to, m->help);
	if (m->main) {
		snprintf(before, sizeof before, "bitdial.%s(...)", m->name);
		fputs(".Pp\nCalling it,\n.Ic ", to);
		argument(to, before);
		snprintf(before, sizeof before, "bitdial.%s.%s", m->name, m->main);
		fputs(" ,\nis\n.Ic ", to);
		argument(to, before);
		fputs(" .\n", to);
	}
	snprintf(before, sizeof before, "bitdial.%s.", m->name);
	functions(to, before, m->fn);
	if (m->class)
		class(to, m->class);
}

void lua_manual_page(FILE *to)
{
	fputs(".\\\" Made by `bitdial help lua --roff` from the modules' own tables.\n"
	      ".Dd January 1, 2026\n.Dt BITDIAL-LUA 3\n.Os\n"
	      ".Sh NAME\n.Nm bitdial-lua\n.Nd Lua modules of bitdial\n"
	      ".Sh SYNOPSIS\n.Nm bitdial\n.Fl -batch Ar file.lua Op Ar argument ...\n"
	      ".Sh DESCRIPTION\n"
	      "Scripts are Lua 5.4; they are run without a screen by\n.Fl -batch ,\n"
	      "or beside it by\n.Ic :script Ar file .\n"
	      "What the table\n.Va bitdial\nholds is listed here.\n"
	      "What may well fail gives nil and a sentence; wrong use raises.\n"
	      "Long work is a job: it runs beside the script until\n.Ic job:wait\n"
	      "gives what came of it.\n"
	      ".Bd -literal -offset indent\n"
	      "local model = assert(bitdial.open(arg[1]))\n"
	      "assert(bitdial.scan():wait())\n"
	      "local best = assert(bitdial.search{ bpw = 3.6 }:wait())\n"
	      "print(best.bytes, best.damage, bitdial.measure(best):wait().damage)\n"
	      ".Ed\n.Ss Functions\n",
		to);
	functions(to, "bitdial.", l_base.fn);
	for (size_t i = 0; l_modules[i]; i++)
		module(to, l_modules[i]);
	class(to, &l_job_class);
	fputs(".Sh SEE ALSO\n.Xr bitdial 1\n", to);
}

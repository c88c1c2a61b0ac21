/* runs_facts.c - what a run says of itself, a line each, and what two of them differ in. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/work/runs.h"

enum { FACTS = 48, FACT = 4096 };

struct facts {
	struct {
		char name[RUN_NUMBER_NAME];
		char *text; /* "": nothing is known */
	} at[FACTS];
	size_t n;
};

static void add(struct facts *f, const char *name, const char *fmt, ...) BD_PRINTF(3, 4);
static void add(struct facts *f, const char *name, const char *fmt, ...)
{
	char *text = xalloc(FACT);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, FACT, fmt, ap);
	va_end(ap);
	for (char *p = strcmp(name, "notes") ? text : text + strlen(text); *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' '; /* a line each, whatever a path has in it */
	if (f->n == FACTS) {
		xfree(text);
		return;
	}
	snprintf(f->at[f->n].name, sizeof f->at[0].name, "%s", name);
	f->at[f->n++].text = text;
}

static void release(struct facts *f)
{
	for (size_t i = 0; i < f->n; i++)
		xfree(f->at[i].text);
}

static void add_number(struct facts *f, const char *name, int digits, double v)
{
	if (isnan(v))
		add(f, name, "%s", "");
	else
		add(f, name, "%.*g", digits, v);
}

static void add_damage(struct facts *f, const struct run_entry *r)
{
	if (isnan(r->kl))
		add(f, "KL", "%s", "");
	else if (r->taught)
		add(f, "KL", "%.5g on what is held out%s", r->kl,
			strchr(r->dial, ',') ? ", the mean of five budgets" : "");
	else if (isnan(r->se))
		add(f, "KL", "%.5g %s", r->kl, r->measured ? "measured" : "predicted");
	else
		add(f, "KL", "%.5g ± %.2g %s", r->kl, r->se,
			r->measured ? "measured" : "predicted");
}

/* What a shell passes on as it is. */
static bool is_plain(const char *s)
{
	return *s && !s[strcspn(s, " \t\n\r\"'\\$`*?[]{}()<>|&;#~!")];
}

/* Behind s[at]; 4 bytes at most a byte, and 3 around all of them. */
static size_t quote(char *s, size_t at, const char *word)
{
	bool control = false;

	if (is_plain(word))
		return at + (size_t)sprintf(s + at, "%s", word);
	for (const char *p = word; *p; p++)
		control |= (unsigned char)*p < ' ' || *p == 0x7f;
	at += (size_t)sprintf(s + at, control ? "$'" : "'");
	for (const char *p = word; *p; p++) {
		if (control && ((unsigned char)*p < ' ' || *p == 0x7f))
			at += (size_t)sprintf(s + at, "\\x%02x", (unsigned char)*p);
		else if (*p == '\'' || (control && *p == '\\'))
			at += (size_t)sprintf(s + at, control ? "\\%c" : "'\\%c'", *p);
		else
			s[at++] = *p;
	}
	s[at++] = '\'';
	return at;
}

char *run_command(const struct run_words *w)
{
	size_t most = 1, at = 0;
	char *s;

	for (size_t i = 0; i < w->n; i++)
		most += 4 * strlen(w->at[i]) + 5;
	s = xalloc(most);
	for (size_t i = 0; i < w->n; i++) {
		if (i)
			s[at++] = ' ';
		at = quote(s, at, w->at[i]);
	}
	s[at] = '\0';
	return s;
}

static void add_words(struct facts *f, const char *name, const struct run_words *w)
{
	char *text = run_command(w);

	add(f, name, "%s", text);
	xfree(text);
}

/* Of a result: what may differ although all else is the same. */
static void add_results(struct facts *f, const struct run_entry *r)
{
	char bytes[16];

	add_number(f, "seconds", 4, r->seconds);
	add_number(f, "bpw", 5, r->bpw);
	add(f, "bytes", "%s", r->bytes ? text_bytes(r->bytes, bytes) : "");
	add_damage(f, r);
	for (size_t i = 0; i < r->n_numbers; i++) {
		const char *name = r->number[i].name;

		if (r->taught && !strcmp(name, "held_kl")) /* KL, above */
			continue;
		if (strcmp(name, "kl") != 0 && strcmp(name, "kl_se") != 0 &&
			strcmp(name, "bytes") != 0 && strcmp(name, "stored_bpw") != 0)
			add_number(f, name, 6, r->number[i].v);
	}
	add(f, "summary", "%s", r->summary);
}

static void facts_of(struct facts *f, const struct run_entry *r)
{
	char began[24] = "";
	time_t t = (time_t)r->began;
	struct tm tm;

	if (r->began && localtime_r(&t, &tm))
		strftime(began, sizeof began, "%Y-%m-%d %H:%M", &tm);
	add(f, "run", "%s", r->id);
	add(f, "folder", "%s", r->path);
	add(f, "kind", "%s", r->kind);
	add(f, "status", "%s", r->status);
	add(f, "began", "%s", began);
	add(f, "model", "%s", r->model);
	add(f, "file", "%s", r->model_path);
	add(f, "header", "%s", r->model_sha);
	add(f, "sha256", "%s", r->file_sha);
	add(f, "text", "%s", r->text);
	add(f, "options", "%s", r->options);
	add(f, "dial", "%s", r->dial);
	add(f, "seed", r->seed ? "%llu" : "%.0llu", (unsigned long long)r->seed);
	add_results(f, r);
	add(f, "tags", "%s", r->tags);
	add(f, "made from", "%s", r->parents);
	add(f, "script", "%s", r->script);
	add(f, "script is", "%s", r->script_sha);
	add_words(f, "command", &r->argv);
	add(f, "in", "%s", r->cwd);
	add(f, "host", "%s", r->host);
	add(f, "backend", "%s", r->backend);
	add(f, "bitdial", "%s", r->version);
	add(f, "notes", "%s", r->notes);
}

void run_facts(const struct run_entry *r, run_fact_fn *fn, void *arg)
{
	struct facts f = { .n = 0 };

	facts_of(&f, r);
	for (size_t i = 0; i < f.n; i++)
		if (f.at[i].text[0])
			fn(arg, f.at[i].name, f.at[i].text, NULL);
	release(&f);
}

static const char *text_named(const struct facts *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->at[i].name, name))
			return f->at[i].text;
	return "";
}

void run_differences(
	const struct run_entry *x, const struct run_entry *y, run_fact_fn *fn, void *arg)
{
	struct facts a = { .n = 0 }, b = { .n = 0 };

	facts_of(&a, x);
	facts_of(&b, y);
	for (size_t i = 0; i < a.n; i++) {
		const char *other = text_named(&b, a.at[i].name);

		if (strcmp(a.at[i].name, "folder") != 0 && strcmp(a.at[i].text, other) != 0)
			fn(arg, a.at[i].name, a.at[i].text, other);
	}
	for (size_t i = 0; i < b.n; i++) /* numbers that only one of them has */
		if (b.at[i].text[0] && !text_named(&a, b.at[i].name)[0]) {
			bool there = false;

			for (size_t k = 0; k < a.n; k++)
				there |= !strcmp(a.at[k].name, b.at[i].name);
			if (!there)
				fn(arg, b.at[i].name, "", b.at[i].text);
		}
	release(&a);
	release(&b);
}

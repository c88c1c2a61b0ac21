/* verbs_estimate.c - --dry-run and --anyway, and what an earlier run of a verb left unfinished. */
#include <stdio.h>
#include <string.h>

#include "app/verbs.h"
#include "core/base/json.h"
#include "core/work/estimate.h"
#include "core/work/underway.h"

static void put_line(void *arg, const char *line)
{
	(void)arg;
	verb_print(line, strlen(line));
	verb_print("\n", 1);
}

static void put_json(const struct estimate *x, bool fits)
{
	struct json_out o;

	verb_begin(&o);
	json_put_str(&o, "job", x->job);
	json_put_f64(&o, "seconds", x->seconds);
	json_put_f64(&o, "later_seconds", x->later_s);
	json_put_i64(&o, "memory_bytes", (int64_t)x->memory_sum);
	json_put_i64(&o, "memory_free", (int64_t)x->memory_room);
	json_put_i64(&o, "disk_bytes", (int64_t)x->disk_sum);
	json_put_i64(&o, "disk_free", (int64_t)x->disk_room);
	json_put_bool(&o, "fits", fits);
	json_open(&o, "parts", '[');
	for (size_t i = 0; i < x->n; i++) {
		json_open(&o, NULL, '{');
		json_put_str(&o, "what", x->part[i].what);
		json_put_f64(&o, "units", x->part[i].units);
		json_put_f64(&o, "seconds", x->part[i].seconds);
		json_put_bool(&o, "measured", x->part[i].measured);
		json_close(&o, '}');
	}
	json_close(&o, ']');
	verb_json(&o);
}

enum st verb_foretell(const struct args *a, const struct estimate *x, bool *leave, struct err *e)
{
	static const double worth_telling = 5; /* seconds */
	bool may = strcmp(a->verb, "export") != 0;
	char line[ESTIMATE_LINE];
	enum st st = estimate_fits(x, may ? "--anyway" : NULL, e);

	*leave = a->dry_run;
	if (a->dry_run && a->json)
		put_json(x, !st);
	else if (a->dry_run)
		estimate_tell(x, put_line, NULL);
	if (st && a->anyway && !a->dry_run) {
		verb_note("%s", e->msg);
		*e = (struct err){ 0 };
		st = ST_OK;
	}
	if (!st && !a->dry_run && x->seconds >= worth_telling)
		verb_note("%s: %s", x->job, estimate_line(x, line));
	return st;
}

struct underway *verb_underway(const struct args *a, struct desk *d, const char *kind)
{
	const char *model = d->m->ck->header_sha256;
	struct cut_short c;
	char when[24], at[ESTIMATE_STOOD];

	if (a->read_only)
		return NULL;
	if (underway_take(model, kind, &c)) {
		estimate_stood(d, at);
		if (!strcmp(kind, "scan"))
			verb_note("the scan of %s was cut short%s: it goes on",
				cut_short_when(c.began, when), at);
		else
			verb_note("the refining of %s was cut short: it begins again",
				cut_short_when(c.began, when));
	}
	cut_short_release(&c);
	return underway_begin(kind, model, NULL);
}

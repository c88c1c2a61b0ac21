/* calibrate.c - see calibrate.h. */
#include "core/work/calibrate.h"

#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/tune/train.h"
#include "core/work/desk_private.h"
#include "core/work/estimate.h"
#include "core/work/rates.h"
#include "core/work/snap_train.h"

const char calibrate_self[] = "self";

enum {
	STEPS = 240,
	SEQS = 256, /* of text that the model writes: of twice as many little more is learned */
	MARGIN = 6, /* tokens by which a sequence may grow when it is read again, and its end */
	BITS_MOST = 4
};

/* ---- the ask */

static char *joined(const struct format *f, size_t k, int most)
{
	char *all = NULL, *more, name[FORMAT_NAME];
	size_t n = 0;

	for (size_t i = 0; i < k; i++) {
		if (format_is_keep(f[i]) || format_is_mix(f[i]) || f[i].bits > most)
			continue;
		more = xprintf("%s%s%s", all ? all : "", all ? "," : "", format_name(f[i], name));
		xfree(all);
		all = more;
		n++;
	}
	if (most == BITS_MOST && n < 2) {
		xfree(all);
		return NULL;
	}
	return all;
}

char *calibrate_dial(const char *formats)
{
	struct format f[FORMAT_MAX];
	size_t k;
	char *all = NULL;

	formats = desk_formats(formats);
	if (format_list(f, &k, formats ? formats : desk_formats_default, NULL))
		return xstrdup(formats); /* whoever opens them says what is wrong */
	all = joined(f, k, BITS_MOST);
	return all ? all : joined(f, k, 8);
}

struct train_ask calibrate_ask(const struct train_ask *a, const char *formats, const char *text)
{
	struct train_ask c = train_ask_copy(a);

	c.calibrate = true;
	if (c.resume)
		return c;
	if (!c.method)
		c.method = xstrdup("flips");
	if (!c.data) { /* a text alone is learned from, one beside data measured at the end */
		c.data = c.text ? c.text : xstrdup(text ? text : calibrate_self);
		c.text = NULL;
	}
	if (!c.dial && !c.layout)
		c.dial = calibrate_dial(formats);
	c.teach = c.all = true;
	if (!c.steps)
		c.steps = STEPS;
	return c;
}

/* ---- text */

/* Bytes that are no UTF-8 are left out: a sequence may end within a character. */
static size_t clean(char *text, size_t n)
{
	size_t bad, at = 0;

	while ((bad = at + utf8_first_bad(text + at, n - at)) < n) {
		memmove(text + bad, text + bad + 1, --n - bad);
		at = bad;
	}
	return n;
}

/* A sequence as a line of JSON; what only a machine reads is left out. */
static enum st put_sequence(
	struct fs_out *o, const struct desk *d, const int32_t *id, size_t n, struct err *e)
{
	char *text = xarray(1, 1), *more;
	struct json_out line;
	size_t len = 0;
	enum st st;

	for (size_t i = 0; i < n; i++) {
		size_t k;
		const char *piece = tokenizer_piece(d->tok, id[i], i == 0, &k);

		if (tokenizer_is_control(d->tok, id[i]))
			continue;
		more = xrealloc(text, len + k + 1);
		memcpy(more + len, piece, k);
		text = more;
		len += k;
	}
	len = clean(text, len);
	text[len] = '\0';
	json_out_init(&line, false);
	json_open(&line, NULL, '{');
	json_put_str(&line, "text", text);
	json_close(&line, '}');
	st = len ? fs_out_write(o, line.s, line.n, e) : ST_OK;
	if (!st && len)
		st = fs_out_write(o, "\n", 1, e);
	json_out_release(&line);
	xfree(text);
	return st;
}

static enum st write_text(
	const char *path, struct desk *d, size_t len, const struct sink *s, struct err *e)
{
	struct token_text t = { 0 };
	struct fs_out *o;
	enum st st;

	log_at(LOG_INFO, "calibrate", "the model writes %d sequences of %zu tokens to learn from",
		SEQS, len);
	st = desk_self_text(d, SEED_TEACH, SEQS, len, &t, s, e);
	if (!st)
		st = fs_out_open(&o, path, 0, e);
	if (!st) {
		for (size_t i = 0; !st && i < t.n_seq; i++)
			st = put_sequence(o, d, t.id + i * len, len, e);
		if (!st)
			st = fs_out_commit(o, e);
		else
			fs_out_abort(o);
	}
	token_text_release(&t);
	return st;
}

static size_t text_length(size_t window)
{
	return window > 2 * MARGIN ? window - MARGIN : window;
}

enum st calibrate_text(
	char **path, struct desk *d, size_t window, const struct sink *s, struct err *e)
{
	size_t len = text_length(window);
	enum st st = desk_identify(d, s, e);

	*path = NULL;
	if (st)
		return st;
	if (!d->tok)
		return err_set(e, ST_INVALID, "%s", d->tok_err.msg);
	*path = cache_file(d->cache, "self", SEED_TEACH, len);
	if (!*path)
		return err_set(e, ST_INVALID,
			"the text that the model writes would be kept in the cache, and there is "
			"none: name a text");
	if (!fs_is_file(*path))
		st = write_text(*path, d, len, s, e);
	if (st) {
		xfree(*path);
		*path = NULL;
	}
	return st;
}

/* ---- time */

double calibrate_units(uint64_t weights, const struct train_ask *a, double tokens)
{
	double passes = 3 + (a->teach || a->teacher ? 1 : 0) + (a->recompute ? 1 : 0);

	return (double)weights * tokens * passes;
}

/* How often it looks at what is held out: before the first step, at its end, and on the way. */
static double looks(const struct train_ask *a)
{
	uint64_t x = a->held_every, y = a->save_every, n = 1 + a->steps / x + a->steps / y;

	while (y) { /* their greatest common divisor: at a multiple of both there is one look */
		uint64_t rest = x % y;

		x = y;
		y = rest;
	}
	n -= a->steps / (a->held_every / x * a->save_every);
	return (double)(n + (a->steps % a->held_every && a->steps % a->save_every));
}

/* In the same units, a pass forward each: every budget of a dial, and the reference once a run. */
static double look_units(uint64_t weights, const struct train_ask *a)
{
	double tokens = (double)(a->dial ? TRAIN_LOOK_DIAL : TRAIN_LOOK) * (double)a->window;
	double each = a->dial && strchr(a->dial, ',') ? TRAIN_POINTS : 1;

	return a->held > 0 ? (double)weights * tokens * (looks(a) * each + 1) : 0;
}

double calibrate_seconds(uint64_t weights, const struct train_ask *a, bool *guessed)
{
	static const double guess = 1.2e-11; /* of a weight and a token: two cores with AVX2 */
	struct train_ask as = *a;            /* its words are not touched */
	double each = guess, tokens;

	train_ask_fill(&as);
	tokens = (double)as.windows * (double)as.window * (double)as.steps;
	*guessed = !rates_get("train", weights, &each);
	return (calibrate_units(weights, &as, tokens) + look_units(weights, &as)) * each;
}

size_t calibrate_writes(const struct cache *c, const struct train_ask *a)
{
	struct train_ask as = *a; /* its words are not touched */
	char *path;
	bool there;
	size_t len;

	train_ask_fill(&as);
	if (!as.data || strcmp(as.data, calibrate_self) != 0)
		return 0;
	len = text_length(as.window);
	path = cache_file(c, "self", SEED_TEACH, len);
	there = path && fs_is_file(path);
	xfree(path);
	return there ? 0 : SEQS * len;
}

/* In operations, the unit of that stage (estimate.h). */
static double write_units(uint64_t weights, uint64_t head, size_t tokens)
{
	return 2 * (double)tokens * ((double)weights + (double)head);
}

double calibrate_write_seconds(uint64_t weights, uint64_t head, size_t tokens)
{
	double each;

	if (!tokens)
		return 0;
	if (!rates_get(estimate_stage_kind(STAGE_TEXT), weights, &each))
		return (double)NAN;
	return write_units(weights, head, tokens) * each;
}

double calibrate_foretell(const struct desk *d, const struct train_ask *a, bool *guessed)
{
	static const double guess =
		3e-11; /* of an operation: 120 tokens a second of the default model */
	const struct hparams *hp = &d->m->hp;
	uint64_t head = (uint64_t)hp->vocab * hp->hidden;
	size_t tokens = calibrate_writes(d->cache, a);
	double seconds = calibrate_seconds(d->m->weights, a, guessed);
	double writing = calibrate_write_seconds(d->m->weights, head, tokens);

	if (isnan(writing)) {
		writing = write_units(d->m->weights, head, tokens) * guess;
		*guessed |= writing > seconds / 10; /* else it makes no difference */
	}
	return seconds + writing;
}

/* train_run_log.c - the lines a training run writes: a step, a look at what is held out, a test. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/buf.h"
#include "core/base/fs.h"
#include "core/base/log.h"
#include "core/work/train_run_private.h"

enum { LINES_MAX = 1 << 30 };

static const char *const metrics[] = { "metrics/train.tsv", "metrics/loss.tsv", "metrics/held.tsv",
	"metrics/kl.tsv", "metrics/dial.tsv" };

double train_run_ema(const struct train_run *r)
{
	return r->far.ema_weight > 0 ? r->far.ema / r->far.ema_weight : (double)NAN;
}

/* A line of /proc/self/status in KiB, as bytes. */
static uint64_t status_bytes(const char *key)
{
	FILE *f = fopen("/proc/self/status", "r");
	unsigned long long kib = 0;
	char line[256];

	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, key, strlen(key)) &&
			sscanf(line + strlen(key), "%llu", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return (uint64_t)kib * 1024;
}

uint64_t train_run_peak(void)
{
	return status_bytes("VmHWM:");
}

/* The curves are for people: where they cannot be written the run goes on, and says so once. */
static void put(struct train_run *r, const char *file, const char *header, const char *line)
{
	struct err e;

	if (!run_line(r->run, file, header, line, &e) || r->mute)
		return;
	r->mute = true;
	log_at(LOG_WARN, "train", "%s; the run goes on, its curves have a gap", e.msg);
}

/* ---- a step */

static double flips(const struct tune_counts *c, int bits)
{
	return tune_share(c->flips[bits], c->weights[bits]);
}

/* Once: a matrix may be left alone in every step from now on. */
static void tell_frozen(struct train_run *r, const struct train_report *rep)
{
	bool linear = rep->frozen_at != SIZE_MAX;
	char name[32] = "a norm", text[320];
	struct err e;

	if (!rep->counts.frozen || r->frozen_told)
		return;
	r->frozen_told = true;
	snprintf(text, sizeof text,
		"step %llu: the gradient of %s is no number, so it stays as it is in this step "
		"(%llu in all; the column frozen of metrics/train.tsv counts them): where that "
		"goes on, try a lower rate, or f32",
		(unsigned long long)rep->step, linear ? linear_name(rep->frozen_at, name) : name,
		(unsigned long long)rep->counts.frozen);
	log_at(LOG_WARN, "train", "%s", text);
	if (r->run && run_event(r->run, "frozen", text, &e) && !r->mute)
		log_at(LOG_WARN, "train", "%s", e.msg);
}

void train_run_line_step(struct train_run *r, const struct train_report *rep)
{
	static const char header[] =
		"# step\twall_s\tloss\tema\tlr\tlr_s\tgrad_norm\tupdate_norm\tflips2\tflips3\t"
		"flips4\tflips8\tsaturated\treversals\tchanged\ttok_s\tskipped\tbytes\tfrozen";
	const struct tune_counts *c = &rep->counts;
	uint64_t weights = 0, saturated = 0;
	unsigned long long n = (unsigned long long)rep->step;
	char line[512];

	for (int b = 0; b < TUNE_WIDTHS; b++) {
		weights += c->weights[b];
		saturated += c->saturated[b];
	}
	snprintf(line, sizeof line,
		"%llu\t%.3f\t%.9g\t%.9g\t%.6g\t%.6g\t%.6g\t%.6g\t%.6g\t%.6g\t%.6g\t%.6g\t%.6g\t%.6g"
		"\t%.6g\t%.6g\t%llu\t%llu\t%llu",
		n, r->far.wall, rep->loss, train_run_ema(r), rep->lr, rep->lr_s, rep->grad_norm,
		rep->update_norm, flips(c, 2), flips(c, 3), flips(c, 4), flips(c, 8),
		tune_share(saturated, weights), tune_share(c->reversals, c->seen_flips),
		r->how.tune.lean ? (double)NAN : tune_share(rep->changed, rep->codes),
		rep->seconds > 0 ? (double)rep->tokens / rep->seconds : (double)NAN,
		(unsigned long long)rep->skipped_so_far, (unsigned long long)status_bytes("VmRSS:"),
		(unsigned long long)c->frozen);
	put(r, metrics[0], header, line);
	tell_frozen(r, rep);
	if (!isfinite(rep->loss))
		return;
	snprintf(line, sizeof line, "%llu\t%.3f\t%.9g", n, r->far.wall, rep->loss);
	put(r, metrics[1], "# step\twall_s\tloss", line);
}

/* KL at each budget that is looked at, whose bits a weight are the columns' names. */
static void line_points(struct train_run *r, unsigned long long step)
{
	char head[160] = "# step\twall_s", line[200];
	size_t h = strlen(head);
	size_t n = (size_t)snprintf(line, sizeof line, "%llu\t%.3f", step, r->far.wall);

	for (size_t p = 0; p < r->dial->points; p++) {
		h += (size_t)snprintf(
			head + h, sizeof head - h, "\tkl_%.2f", r->dial->point[p].bpw);
		n += (size_t)snprintf(line + n, sizeof line - n, "\t%.9g", r->dial->point[p].kl);
	}
	put(r, metrics[4], head, line);
}

void train_run_line_held(struct train_run *r, const struct train_eval *v)
{
	unsigned long long n = (unsigned long long)r->far.step;
	char line[128];

	snprintf(line, sizeof line, "%llu\t%.3f\t%.9g\t%.9g", n, r->far.wall, v->nll_se, v->nll);
	put(r, metrics[2], "# step\twall_s\tse\tnll", line);
	if (isnan(v->kl))
		return;
	snprintf(line, sizeof line, "%llu\t%.3f\t%.9g", n, r->far.wall, v->kl);
	put(r, metrics[3], "# step\twall_s\tkl", line);
	if (r->dial)
		line_points(r, n);
}

void train_run_line_test(struct train_run *r, const struct train_eval *v)
{
	static const char header[] = "# sequence\tnll_sum\tlabelled\n";
	char *path = xprintf("%s/test.tsv", r->path), line[96];
	struct buf b = { 0 };
	struct err e;

	buf_str(&b, header);
	for (size_t i = 0; i < v->sequences; i++) {
		snprintf(line, sizeof line, "%zu\t%.17g\t%u\n", i, v->seq_nll[i],
			(unsigned)v->seq_n[i]);
		buf_str(&b, line);
	}
	if (fs_write_all(path, b.s, b.n, &e))
		log_at(LOG_WARN, "train", "%s", e.msg);
	xfree(b.s);
	xfree(path);
}

/* ---- behind a checkpoint */

/* Keeps comments, and whole lines of steps up to `step` that follow each other; of a run that
 * begins anew none. */
static enum st cut(const char *path, uint64_t step, bool anew, struct err *e)
{
	char *text, *end, *next;
	size_t n, kept = 0;
	bool any = false;
	uint64_t last = 0;
	enum st st = fs_read(path, LINES_MAX, &text, &n, e);

	if (st)
		return st;
	for (char *at = text; (next = memchr(at, '\n', (size_t)(text + n - at))); at = next + 1) {
		uint64_t is = strtoull(at, &end, 10);
		size_t len = (size_t)(next + 1 - at);

		if (*at != '#' && (anew || end == at || is > step || (any && is <= last)))
			continue;
		if (*at != '#') {
			last = is;
			any = true;
		}
		memmove(text + kept, at, len);
		kept += len;
	}
	if (kept != n)
		st = fs_write_all(path, text, kept, e);
	big_free(text);
	return st;
}

enum st train_run_cut(const struct train_run *r, struct err *e)
{
	enum st st = ST_OK;

	for (size_t i = 0; !st && i < sizeof metrics / sizeof *metrics; i++) {
		char *path = xprintf("%s/%s", r->path, metrics[i]);

		if (fs_is_file(path))
			st = cut(path, r->far.step, r->saved_step == UINT64_MAX, e);
		xfree(path);
	}
	return st;
}

/* session_scan.c - the dial's stages as a job: prepare, measure, and settle what is undecided. */
#include <math.h>

#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/search/boot.h"
#include "core/work/desk_private.h"
#include "core/work/calibrate.h"
#include "core/work/estimate.h"
#include "core/work/run_desk.h"
#include "core/work/session_private.h"

static const uint64_t cache_limit = (uint64_t)4 << 30;

static void open_scan_run(struct session *s)
{
	const struct desk *d = s->desk;
	struct run_info info = run_info_of(d, "scan");
	struct run_args again;
	struct err e;

	if (s->read_only || s->no_runs || s->scan_run)
		return;
	again = run_args_of(d, "scan", (double)NAN);
	info.options = d->formats ? d->formats : desk_formats_default;
	info.seed = SEED_SCAN;
	info.again = (const char *const *)again.at;
	info.n_again = again.n;
	if (run_new(&s->scan_run, &info, &e)) {
		s->scan_run = NULL;
		notice(s, LOG_WARN, "%s; the scan goes on without a run folder", e.msg);
	}
	run_args_release(&again);
}

static void end_scan_run(struct session *s, enum st st)
{
	const struct desk *d = s->desk;
	size_t measured = 0;

	for (size_t i = 0; i < d->set.n * d->set.k; i++)
		measured += d->cell[i].state == CELL_SCANNED;
	run_number(s->scan_run, "cells", (double)measured);
	run_number(s->scan_run, "tokens", (double)(d->scan_text.n_seq * d->scan_text.len));
	run_end(s->scan_run, st, st ? "" : "every cell measured");
	s->scan_run = NULL;
}

static bool anything_to_measure(const struct desk *d)
{
	for (size_t i = 0; i < d->set.n * d->set.k; i++)
		if (desk_staged(d, i / d->set.k, i % d->set.k) && d->cell[i].state != CELL_SCANNED)
			return true;
	return false;
}

/* The full hash in the background: what came from the cache of another file is given up. */
static enum st verify(struct job *j, struct err *e)
{
	struct deed *deed = j->arg;
	struct session *s = deed->s;
	struct desk *d = s->desk;

	job_stage(j, "checking the file", "");
	if (cache_verify(d->cache, d->m->ck, &j->sink))
		return ST_OK;
	notice(s, LOG_WARN, "%s changed under the same name and time: its cache is not used",
		d->m->ck->name);
	deed->resume = true;
	return desk_text_again(d, &j->sink, e);
}

static void stage_event(struct session *s, enum stage g, enum st st)
{
	struct err e;

	if (s->scan_run && run_event(s->scan_run, st ? "stopped" : "stage", desk_stage_name(g), &e))
		log_at(LOG_WARN, "run", "%s", e.msg);
}

/* ---- what the layout hangs on */

enum { ROUNDS = 3, ROUND_CELLS = 48 };

/* The two likeliest formats of the least sure linears, as cells; how many. */
static size_t undecided_cells(const struct boot *b, struct scan_cell cell[ROUND_CELLS])
{
	const struct boot_budget *at = &b->at[0];
	size_t n = 0;

	for (size_t u = 0; u < at->n_undecided && n + 2 <= ROUND_CELLS; u++) {
		size_t i = at->undecided[u], first = at->likely[i], second = b->k;

		for (size_t f = 0; f < b->k; f++)
			if (f != first && (second == b->k || at->prob[i * b->k + f] >
								     at->prob[i * b->k + second]))
				second = f;
		cell[n++] = (struct scan_cell){ .linear = (uint32_t)i, .format = (uint8_t)first };
		if (second < b->k)
			cell[n++] = (struct scan_cell){ .linear = (uint32_t)i,
				.format = (uint8_t)second };
	}
	return n;
}

static bool any_stale(const struct desk *d)
{
	for (size_t i = 0; i < d->set.n * d->set.k; i++)
		if (desk_staged(d, i / d->set.k, i % d->set.k) && d->cell[i].stale)
			return true;
	return false;
}

/* Of these, in their order, those that are stale. */
static size_t stale_of(const struct desk *d, struct scan_cell *cell, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		if (desk_staged(d, cell[i].linear, cell[i].format) &&
			d->cell[cell[i].linear * d->set.k + cell[i].format].stale)
			cell[k++] = cell[i];
	return k;
}

/* Behind a calibration: before the scan goes through all stale cells, those that the layout under
 * the dial hangs on, in rounds, since each changes what that is. */
static enum st measure_stale(struct job *j, struct err *e)
{
	struct session *s = ((struct deed *)j->arg)->s;
	struct scan_cell cell[ROUND_CELLS];
	enum st st = ST_OK;

	for (int round = 0; round < ROUNDS && !st && any_stale(s->desk); round++) {
		struct boot *b = NULL;
		size_t n = 0;

		publish_cells(s, true);
		st = dial_odds(s->dial, &b, &j->sink, e);
		if (!st && b)
			n = stale_of(s->desk, cell, undecided_cells(b, cell));
		boot_free(b);
		if (st || !n)
			break;
		job_stage(j, "stale cells, most undecided first", "cells");
		st = desk_measure_list(s->desk, cell, n, &j->sink, e);
	}
	return st;
}

static void tell_stability(struct session *s, const struct boot *b)
{
	const struct boot_budget *at = &b->at[0];

	notice(s, LOG_INFO,
		"%s at %.2f bpw: %.0f %% of the weights are sure of their format, %zu of %zu "
		"linears undecided",
		at->stability >= 0.95 ? "the layout is stable" : "the layout is not yet stable",
		dial_bpw(s->dial), floor(100 * at->stability), at->n_undecided, b->n);
}

/* what is done about them, or could be. */
static void tell_undecided(struct session *s, const struct boot *b, const char *what)
{
	notice(s, LOG_INFO, "%zu of %zu linears are undecided at %.2f bpw%s", b->at[0].n_undecided,
		b->n, dial_bpw(s->dial), what);
}

/* Whether it goes on by itself to what is undecided: where a scan is under way, not where one was
 * finished before and opened again, not where a script asked for it, and not where nothing may be
 * kept. */
static bool goes_on(const struct session *s, bool measuring)
{
	return atomic_load(&s->scan_asked) ||
	       (measuring && !s->read_only && !atomic_load(&s->scan_plain));
}

/* Where errors leave the layout under the dial open, its cells get more tokens: the least
 * sure first, in rounds, since each changes the layout.  go_on false: it is only said that they
 * could.  tell: how it is, also where there is nothing to do. */
enum st scan_settle(struct job *j, bool go_on, bool tell, struct err *e)
{
	struct session *s = ((struct deed *)j->arg)->s;
	struct scan_cell cell[ROUND_CELLS];
	enum st st = ST_OK;

	for (int round = 0; round <= ROUNDS && !st; round++) {
		struct boot *b = NULL;
		size_t n = 0, more = 0;

		st = dial_odds(s->dial, &b, &j->sink, e);
		if (!b)
			break;
		if (!st && round < ROUNDS) {
			n = undecided_cells(b, cell);
			st = desk_lacking(s->desk, cell, &n, &j->sink, e);
			n = st ? 0 : n;
		}
		if (n && !go_on) {
			tell_undecided(s, b, "; :scan measures them on more text");
			tell = false;
		} else if (n) {
			job_stage(j, "undecided cells, least sure first", "cells");
			if (!round)
				tell_undecided(s, b, ": measuring them on more text (x stops it)");
			st = desk_measure_more(s->desk, cell, n, &more, &j->sink, e);
		}
		if (!st && !more && tell)
			tell_stability(s, b);
		boot_free(b);
		if (!more)
			break;
		tell = true; /* what came of it */
		publish_cells(s, true);
	}
	return st;
}

enum st foretell(
	struct job *j, const struct estimate *x, bool anyway, const char *way, struct err *e)
{
	static const double worth_telling = 5; /* seconds */
	struct session *s = ((struct deed *)j->arg)->s;
	char line[ESTIMATE_LINE];
	enum st st = anyway ? ST_OK : estimate_fits(x, way, e);

	if (st)
		return st;
	if (x->seconds >= worth_telling) {
		job_estimate(j, x->seconds);
		notice(s, LOG_INFO, "%s: %s", x->job, estimate_line(x, line));
	}
	return ST_OK;
}

/* Once a first scan has shown what the small budgets cost. */
static void offer_calibration(struct session *s)
{
	static const double worth_saying = 60; /* seconds */
	struct train_ask open, ask;
	bool guessed;
	double seconds;
	char time[16];

	if (s->read_only || s->desk->dial.dir || !s->desk->tok)
		return;
	train_ask_init(&open);
	ask = calibrate_ask(&open, s->desk->formats, s->desk->text_path);
	seconds = calibrate_foretell(s->desk, &ask, &guessed);
	train_ask_release(&ask);
	if (seconds >= worth_saying)
		notice(s, LOG_INFO, "K calibrates the dial for the budgets below 4 bits: %s %s",
			guessed ? "at a guess" : "about", text_seconds(seconds, time));
}

static enum st work_prepare(struct job *j, struct err *e)
{
	struct session *s = ((struct deed *)j->arg)->s;
	struct desk *d = s->desk;
	struct underway *word = NULL;
	struct estimate x;
	enum st st = ST_OK;
	bool measuring, anyway;

	if (!d)
		return err_set(e, ST_INVALID, "no model is open");
	measuring = anything_to_measure(d);
	anyway = atomic_exchange(&s->scan_anyway, false);
	if (measuring) {
		estimate_scan(&x, d);
		st = foretell(j, &x, anyway, ":scan!", e);
		if (st)
			return st;
		word = underway_of(s, "scan", NULL);
	}
	if (measuring)
		open_scan_run(s);
	for (int g = 0; g < STAGES && !st; g++) {
		if (g == STAGE_SCAN)
			st = measure_stale(j, e);
		if (st)
			break;
		job_stage(j, desk_stage_name((enum stage)g), desk_stage_unit((enum stage)g));
		st = desk_stage(d, (enum stage)g, &j->sink, e);
		stage_event(s, (enum stage)g, st);
		publish_cells(s, true);
		if (!st && g == STAGE_FAST && measuring)
			notice(s, LOG_INFO, "fast pass done: every cell has a KL");
		if (!st && g == STAGE_SCAN && measuring)
			notice(s, LOG_INFO, "scan done: %s, %zu tokens", d->text_name,
				d->scan_text.n_seq * d->scan_text.len);
	}
	if (!st) {
		atomic_store(&s->can_measure, true);
		st = scan_settle(j, goes_on(s, measuring), measuring, e);
		if (!st)
			st = mix_settle(j, e);
	}
	if (!st && measuring)
		offer_calibration(s);
	underway_end(word, st == ST_DEVICE || (st == ST_CANCELLED && job_program_ends(j)));
	end_scan_run(s, st);
	if (!st) {
		atomic_store(&s->scan_asked, false);
		atomic_store(&s->scan_plain, false);
		st = verify(j, e);
		if (d->cache)
			cache_trim(d->cache, cache_limit);
	}
	return st;
}

enum st session_scan_anyway(struct session *s, struct err *e)
{
	bool was = atomic_exchange(&s->scan_anyway, true);
	enum st st = session_scan(s, e);

	if (st)
		atomic_store(&s->scan_anyway, was);
	return st;
}

const struct job_class job_prepare = { "scan", "cells", LANE_SCAN, work_prepare, deed_done_resume };

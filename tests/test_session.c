/* test_session.c - one sitting with the demo model: opening, the dial, the scan, layouts,
 * exports, and ending at any moment. */
#include "tests/session_fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/fs.h"
#include "core/base/rng.h"
#include "tests/lib_model.h"

TestSuite(session, .init = work_home_texts, .timeout = 120);

Test(session, opening_tells_the_model_first_and_the_map_fills)
{
	const char *m;

	work_home(); /* the text to scan on is written here, too */
	setenv("XDG_CACHE_HOME", tmp_path("empty"), 1);
	open_demo(true);
	m = strchr(w.order, 'M');
	cr_assert(m, "%s", w.order);
	cr_assert_eq(strpbrk(w.order, "mfav"), strpbrk(m, "mfav"), "%s", w.order);
	cr_assert_eq(w.model->n, 28);
	cr_assert_eq(w.map->scanned, w.map->wanted);
	cr_assert_eq(w.map->wanted, 56);
	cr_assert_str_eq(w.map->source, "scan");
	cr_assert_eq(w.variants->best, w.variants->total);
	cr_assert_eq(w.variants->ready, 56);
	cr_assert(w.front->in_nats);
	cr_assert(w.answer->exact);
	cr_assert_eq(w.answer->n, 28);
	cr_assert_eq(w.began, w.ended);
	cr_assert(strstr(w.said, "fast pass done") && strstr(w.said, "scan done"), "%s", w.said);
	end();
}

static size_t cells_with_more(size_t tokens)
{
	size_t n = 0;

	for (size_t i = 0; i < w.map->n * w.map->k; i++)
		n += w.map->cell[i].tokens > tokens;
	return n;
}

Test(session, what_is_undecided_is_measured_further_in_a_scan_not_by_opening_a_finished_one)
{
	size_t before;

	open_demo(true);
	before = cells_with_more(64);
	cr_assert_gt(before, 0, "%s", w.said);
	cr_assert(strstr(w.said, ": measuring them on more text"), "%s", w.said);
	end();
	for (int read_only = 0; read_only < 2; read_only++) {
		begin((struct session_options){ .auto_scan = true, .read_only = read_only });
		ok(session_budget(s, 4, &e)); /* other linears hang on it */
		ok(session_open(s, work_demo(1), &e));
		settle();
		cr_assert_eq(w.map->scanned, w.map->wanted);
		cr_assert_eq(cells_with_more(64), before, "%s", w.said);
		cr_assert(strstr(w.said, "are undecided at 4.00 bpw; :scan measures them on more text"), "%s",
			w.said);
		if (!read_only) {
			end();
			continue;
		}
		ok(session_scan(s, &e));
		settle();
		cr_assert_gt(cells_with_more(64), before, "it was asked for");
		end();
	}
}

Test(session, verbs_before_a_model_are_refused_and_change_nothing)
{
	struct sampler_options so = sampler_default;
	size_t matched;

	begin((struct session_options){ 0 });
	cr_assert_neq(session_scan(s, &e), ST_OK);
	cr_assert(strstr(e.msg, "no model is open"), "%s", e.msg);
	cr_assert_neq(session_measure(s, &e), ST_OK);
	cr_assert_neq(session_keep(s, NULL, &e), ST_OK);
	cr_assert_neq(session_pin(s, "*", NULL, &matched, &e), ST_OK);
	cr_assert_neq(session_undo(s, &e), ST_OK);
	cr_assert_neq(session_say(s, "hello", &e), ST_OK);
	cr_assert_neq(session_again(s, &e), ST_OK);
	cr_assert_neq(session_export(s, tmp_path("x"), &e), ST_OK);
	cr_assert_neq(session_open(s, "", &e), ST_OK);
	cr_assert_neq(session_set(s, "no_such", "1", &e), ST_OK);
	cr_assert_neq(session_set(s, "scan_tokens", "3", &e), ST_OK);
	cr_assert_neq(session_set(s, "formats", "int2g5", &e), ST_OK);
	cr_assert_neq(session_set(s, "auto_scan", "maybe", &e), ST_OK);
	ok(session_set(s, "max_tokens", "5", &e));
	cr_assert_not(session_stop(s, 0));
	cr_assert_not(session_chat_stop(s));
	session_chat_sampler(s, &so);
	session_chat_system(s, "be kind");
	cr_assert_not(session_busy(s));
	end();
}

Test(session, a_file_that_is_no_model_is_a_sentence_and_the_next_opens)
{
	begin((struct session_options){ 0 });
	tmp_write(tmp_path("no.gguf"), "GGUF\3\0\0\0", 8);
	ok(session_open(s, tmp_path("no.gguf"), &e));
	settle();
	cr_assert_eq(w.last, ST_FORMAT);
	cr_assert(strstr(w.said, "no.gguf"), "%s", w.said);
	cr_assert_neq(session_scan(s, &e), ST_OK);
	ok(session_open(s, work_demo(1), &e));
	settle();
	cr_assert_eq(w.last, ST_OK);
	cr_assert_not_null(w.answer);
	end();
}

Test(session, the_budget_is_answered_in_the_call)
{
	size_t matched;

	open_demo(true);
	for (double bpw = 2; bpw < 9; bpw += 0.21) {
		uint64_t before = w.answer->generation;

		ok(session_budget(s, bpw, &e));
		work_read(&w); /* nothing is waited for */
		cr_assert_float_eq(w.answer->asked_bpw, session_budget_now(s), 0);
		cr_assert_leq(w.answer->bytes, w.answer->budget);
		cr_assert_geq(w.answer->generation, before);
	}
	ok(session_budget_bytes(s, w.front->least, &e));
	work_read(&w);
	cr_assert_eq(w.answer->bytes, w.front->least);
	ok(session_pin(s, "layers.*.v", "4", &matched, &e));
	cr_assert_eq(matched, 4);
	ok(session_pin(s, "layers.0.q", "keep", &matched, &e));
	cr_assert_neq(session_pin(s, "layers.0.q", "int3g64", &matched, &e), ST_OK);
	cr_assert(strstr(e.msg, "int3g64"), "%s", e.msg);
	cr_assert_neq(session_pin(s, "layers.0.q", "7", &matched, &e), ST_OK);
	work_read(&w);
	cr_assert_eq(w.answer->choice[0], 2);
	cr_assert_eq(w.answer->choice[2], 1);
	ok(session_free_pin(s, "*", &matched, &e));
	work_read(&w);
	cr_assert_eq(w.answer->pin[0], -1);
	ok(session_undo(s, &e));
	ok(session_redo(s, &e));
	settle();
	cr_assert(w.answer->exact, "the exact programme followed");
	end();
}

static bool scanning(const struct work_seen *seen)
{
	return seen->map && seen->map->fast > 4 && seen->map->scanned < seen->map->wanted;
}

Test(session, floors_ties_asks_and_the_mark_are_verbs_of_the_sitting)
{
	struct dial_reached r;
	struct dial_price p;
	bool marked;
	size_t n;

	begin((struct session_options){ .auto_scan = true });
	cr_assert_neq(session_floor(s, "*", "int4g64", &n, &e), ST_OK, "no model yet");
	cr_assert_neq(session_tie(s, "qkv", &n, &e), ST_OK);
	cr_assert_neq(session_price(s, NULL, PRICE_ALL, &p, &e), ST_OK);
	cr_assert_neq(session_mark(s, MARK_HERE, &marked, &e), ST_OK);
	ok(session_open(s, work_demo(1), &e));
	settle();
	ok(session_floor(s, "layers.0.*", "4", &n, &e));
	cr_assert_eq(n, 7);
	cr_assert_neq(session_floor(s, "*", "int5g32", &n, &e), ST_OK);
	ok(session_tie(s, "gateup", &n, &e));
	ok(session_ask(s, &(struct ask){ ASK_KL, 1e9 }, &r, &e));
	cr_assert_eq(r.end, 0, "the least is at most that");
	ok(session_mark(s, MARK_TOGGLE, &marked, &e));
	settle();
	cr_assert(marked && w.answer->has_a);
	for (size_t i = 0; i < 7; i++)
		cr_assert_geq(w.answer->choice[i], 1);
	cr_assert_eq(w.answer->choice[11], w.answer->choice[12]);
	ok(session_price(s, "layers.0.*", PRICE_FLOORS, &p, &e));
	cr_assert_eq(p.rules, 7);
	ok(session_budget(s, 8, &e));
	ok(session_to_mark(s, &e));
	ok(session_floor(s, "*", "any", &n, &e));
	settle();
	cr_assert_eq(w.answer->floor[0], 0);
	cr_assert_float_eq(r.bpw, w.answer->a_bpw, 1e-9);
}

Test(session, formats_and_text_change_while_it_scans)
{
	begin((struct session_options){ .auto_scan = true, .scan_tokens = 512 });
	ok(session_open(s, work_demo(1), &e));
	cr_assert(work_until(s, &w, scanning));
	ok(session_set(s, "formats", "int3g64,keep", &e));
	ok(session_text(s, work_text("a.txt", 9000), 128, &e));
	settle();
	cr_assert_eq(w.model->k, 2);
	cr_assert_eq(w.map->k, 2);
	cr_assert_eq(w.map->scanned, 28);
	cr_assert_str_eq(w.map->text, "a.txt");
	cr_assert_neq(session_text(s, tmp_path("absent"), 0, &e), ST_OK);
	cr_assert(strstr(e.msg, "there is no such file"), "%s", e.msg);
	cr_assert_neq(session_text(s, tmp_dir(), 0, &e), ST_OK);
	cr_assert(strstr(e.msg, "is a folder; name a text file in it"), "%s", e.msg);
	ok(session_text(s, NULL, 64, &e));
	settle();
	cr_assert(strstr(w.map->text, "self-sampled"), "%s", w.map->text);
	cr_assert_eq(w.map->scanned, 28);
	end();
}

Test(session, formats_asked_for_while_it_opens_are_taken)
{
	begin((struct session_options){ 0 });
	ok(session_open(s, work_demo(1), &e));
	ok(session_formats(s, "int2g64,int8g128", &e));
	settle();
	cr_assert_eq(w.model->k, 2);
	cr_assert_eq(w.model->format[1].bits, 8);
	ok(session_set(s, "formats", "default", &e));
	settle();
	cr_assert_eq(w.model->k, 5, "the dial's own again");
	cr_assert_neq(session_formats(s, "default,keep", &e), ST_OK);
	end();
	begin((struct session_options){ .formats = "default" });
	ok(session_open(s, work_demo(1), &e));
	settle();
	cr_assert_eq(w.model->k, 5);
	end();
}

Test(session, a_stopped_scan_ends_and_goes_on_when_asked)
{
	size_t kept;
	int began;

	begin((struct session_options){ .auto_scan = true, .scan_tokens = 512 });
	ok(session_open(s, work_demo(1), &e));
	cr_assert(work_until(s, &w, scanning));
	cr_assert(session_stop(s, 0));
	settle();
	cr_assert_eq(w.stopped, 1);
	cr_assert_lt(w.map->scanned, w.map->wanted);
	kept = w.map->fast;
	cr_assert_gt(kept, 4);
	began = w.began;
	for (int i = 0; i < 4; i++) { /* longer than a layout has to rest */
		const struct timespec pause = { 0, 300000000 };

		nanosleep(&pause, NULL);
		session_tick(s);
		settle();
	}
	cr_assert_eq(w.began, began, "nothing begins by itself after a stop");
	ok(session_scan(s, &e));
	cr_assert_neq(session_scan(s, &e), ST_OK, "one is running");
	settle();
	cr_assert_eq(w.map->scanned, w.map->wanted);
	end();
}

Test(session, a_kept_layout_is_a_run_and_can_be_read_again)
{
	char **names, *path;
	size_t n;
	uint8_t choice[28];

	open_demo(false);
	ok(session_budget(s, 3.7, &e));
	work_read(&w);
	memcpy(choice, w.answer->choice, 28);
	ok(session_keep(s, "a name", &e));
	settle();
	cr_assert_eq(fs_list(tmp_path("runs"), &names, &n, &e), ST_OK);
	cr_assert_eq(n, 1);
	path = xprintf("%s/%s/layout.json", tmp_path("runs"), names[0]);
	cr_assert(fs_is_file(path));
	cr_assert(strstr(w.said, names[0]), "%s", w.said);
	ok(session_budget(s, 8, &e));
	work_read(&w);
	cr_assert(memcmp(choice, w.answer->choice, 28) != 0);
	ok(session_layout_read(s, names[0], &e));
	settle();
	cr_assert_arr_eq(w.answer->choice, choice, 28);
	ok(session_layout_write(s, tmp_path("l.json"), &e));
	settle();
	ok(session_budget(s, 8, &e));
	ok(session_layout_read(s, tmp_path("l.json"), &e));
	settle();
	cr_assert_arr_eq(w.answer->choice, choice, 28);
	xfree(path);
	xfree(names[0]);
	xfree(names);
	end();
}

Test(session, a_layout_that_brings_a_format_changes_the_model_with_it)
{
	begin((struct session_options){ .auto_scan = true, .scan_tokens = 512 });
	ok(session_open(s, work_demo(1), &e));
	cr_assert(work_until(s, &w, scanning));
	ok(session_layout_read(s, "int3g64", &e));
	settle();
	cr_assert_eq(w.model->k, 4);
	cr_assert_eq(w.map->k, 4);
	for (int i = 0; i < 28; i++)
		cr_assert_eq(w.model->format[w.answer->choice[i]].bits, 3);
	cr_assert_eq(w.map->scanned, w.map->wanted, "the scan went on");
	cr_assert_eq(w.map->wanted, 84);
	ok(session_layout_read(s, "no such layout", &e));
	settle();
	cr_assert(strstr(w.said, "no such layout is no file"), "%s", w.said);
	end();
}

Test(session, a_bad_layout_does_not_end_the_scan)
{
	begin((struct session_options){ .auto_scan = true, .scan_tokens = 512 });
	ok(session_open(s, work_demo(1), &e));
	cr_assert(work_until(s, &w, scanning));
	ok(session_layout_read(s, "no such layout", &e));
	settle();
	cr_assert_eq(w.map->scanned, w.map->wanted);
	end();
}

/* Logits of a prompt's last token under a model's own reference. */
static float *logits(const char *path, const struct mat *const *view_of_layout, struct model **out)
{
	static const int32_t ids[] = { 256, 't', 'h', 'e', ' ', 'd', 'i' };
	struct checkpoint *ck = NULL;
	struct model *m = *out;
	struct fwd *f;
	struct kv *kv;
	float *z;

	if (!m) {
		ok(checkpoint_open(&ck, path, &e));
		ok(model_load(&m, ck, backend_best(), NULL, &e));
	}
	*out = m;
	z = xarray(m->hp.vocab, sizeof *z);
	ok(fwd_new(&f, m, 16, &e));
	ok(kv_new(&kv, m, 16, KV_F32, &e));
	ok(fwd_prompt(f, view_of_layout ? view_of_layout : m->ref, kv, ids, 7, z, NULL, &e));
	fwd_free(f);
	kv_free(kv);
	return z;
}

Test(session, an_exported_folder_opens_to_the_same_bits)
{
	struct model *there = NULL;
	const struct mat **view = xarray(28, sizeof *view);
	struct desk *d;
	struct layout l;
	const char *source;
	float *a, *b;
	size_t vocab;

	open_demo(true);
	ok(session_budget(s, 3.9, &e));
	ok(session_export(s, tmp_path("out"), &e));
	settle();
	cr_assert(strstr(w.said, "exported"), "%s", w.said);
	cr_assert_neq(session_export(s, tmp_path("out"), &e), ST_OK, "it exists");
	ok(session_layout_write(s, tmp_path("l.json"), &e));
	settle();
	end();
	d = work_desk(work_demo(1), "int2g64,int4g64,keep", NULL);
	ok(desk_layout(d, tmp_path("l.json"), &l, &source, NULL, &e));
	ok(desk_view(d, l.choice, view, NULL, &e));
	a = logits(NULL, view, &d->m);
	b = logits(tmp_path("out"), NULL, &there);
	vocab = d->m->hp.vocab;
	cr_assert_arr_eq(a, b, vocab * sizeof *a);
	xfree(a);
	a = logits(NULL, NULL, &d->m);
	cr_assert(memcmp(a, b, vocab * sizeof *a) != 0, "and the layout does something");
	xfree(a);
	xfree(b);
	xfree(view);
	layout_release(&l);
	model_free(there);
	desk_close(d);
	/* a sitting with the folder itself */
	begin((struct session_options){ 0 });
	ok(session_open(s, tmp_path("out"), &e));
	settle();
	cr_assert_not_null(w.model);
	cr_assert_eq(w.model->n, 28);
	end();
}

Test(session, another_model_takes_the_place_of_the_first)
{
	const char *a = xstrdup(work_demo(1));
	uint64_t before;

	begin((struct session_options){ .auto_scan = true, .scan_tokens = 512 });
	ok(session_open(s, a, &e));
	cr_assert(work_until(s, &w, scanning));
	before = w.answer->generation;
	ok(session_open(s, work_demo(2), &e));
	settle();
	cr_assert(strstr(w.model->path, "demo-2"), "%s", w.model->path);
	cr_assert_gt(w.answer->generation, before);
	cr_assert_eq(w.map->scanned, w.map->wanted);
	xfree((char *)a);
	end();
}

Test(session, it_ends_at_any_moment)
{
	struct rng r;

	rng_seed(&r, 11);
	for (int i = 0; i < 20; i++) {
		struct timespec t = { 0, (long)rng_below(&r, 60000000) };

		begin((struct session_options){
			.auto_scan = i % 4 != 3, .scan_tokens = 256, .read_only = i % 5 == 4 });
		ok(session_open(s, work_demo(1), &e));
		nanosleep(&t, NULL);
		if (i % 3 == 0) {
			jobs_drain(session_jobs(s));
			work_read(&w);
			if (session_budget(s, 4, &e) || session_say(s, "hello", &e) ||
				session_measure(s, &e)) {
				/* too early for it */
			}
			nanosleep(&t, NULL);
		}
		end();
	}
}

/* ---- kill -9 */

Test(session, a_killed_scan_is_said_and_gone_on_with)
{
	char path[512];
	size_t kept;
	int status;
	pid_t pid;
	char *at;

	tmp_dir(); /* ours, not the child's */
	snprintf(path, sizeof path, "%s", work_demo(1));
	pid = fork();
	if (!pid) {
		/* the same folder in the child */
		begin((struct session_options){ .auto_scan = true, .scan_tokens = 512 });
		if (session_open(s, path, &e) || !work_until(s, &w, scanning))
			_exit(1);
		raise(SIGKILL);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	begin((struct session_options){ .scan_tokens = 512 });
	ok(session_open(s, path, &e));
	settle();
	at = strstr(w.said, "was cut short in the fast pass, at ");
	cr_assert(at, "%s", w.said);
	cr_assert(strstr(at, ": r or :resume goes on, Esc leaves it"), "%s", w.said);
	kept = strtoul(at + strlen("was cut short in the fast pass, at "), NULL, 10);
	cr_assert_gt(kept, 4, "%s", w.said);
	cr_assert_eq(w.map->fast, kept);
	ok(session_resume(s, &e));
	settle();
	cr_assert_eq(w.map->scanned, w.map->wanted);
	cr_assert_eq(session_resume(s, &e), ST_INVALID, "offered once");
	end();
	begin((struct session_options){ .scan_tokens = 512 });
	ok(session_open(s, path, &e));
	settle();
	cr_assert_null(strstr(w.said, "cut short"), "said once: %s", w.said);
	cr_assert_eq(w.map->scanned, w.map->wanted);
	end();
}

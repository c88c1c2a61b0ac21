/* lib_runs.c - run folders for suites. */
#include "tests/lib_runs.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"

void put_in_run(const char *id, const char *file, const char *text)
{
	char *dir = runs_dir(), *folder = xprintf("%s/%s", dir, id);
	char *path = xprintf("%s/%s", folder, file);
	struct err e = { 0 };

	cr_assert_not(fs_mkdirs(folder, &e), "%s", e.msg);
	cr_assert_not(fs_write_all(path, text, strlen(text), &e), "%s", e.msg);
	xfree(path);
	xfree(folder);
	xfree(dir);
}

void put_run(const char *id, const char *kind, const char *status, long began, double bpw,
	double kl, const char *parents)
{
	char *text = xprintf("{\"v\":1,\"kind\":\"%s\",\"model\":\"demo\",\"model_path\":\"/m\","
			     "\"model_sha256\":\"abc\",\"text\":\"a text\",\"options\":\"\","
			     "\"seed\":1,\"began\":%ld,\"bitdial\":\"x\",\"more\":[1],"
			     "\"parents\":\"%s\"}",
		kind, began, parents);

	put_in_run(id, "run.json", text);
	xfree(text);
	text = xprintf(
		"{\"v\":1,\"status\":\"%s\",\"seconds\":%g,\"summary\":\"\"}", status, bpw * 10);
	put_in_run(id, "end.json", text);
	xfree(text);
	if (kl < 0)
		return;
	text = xprintf("{\"v\":1,\"stored_bpw\":%g,\"bytes\":4200000,"
		       "\"predicted\":{\"kl\":%g,\"se\":0.01}}",
		bpw, kl);
	put_in_run(id, "layout.json", text);
	xfree(text);
}

void put_four_runs(void)
{
	put_run("20260101-000001-scan-aaaa", "scan", "ok", 1000, 0, -1, "");
	put_run("20260101-000002-search-bbbb", "search", "ok", 2000, 3.5, 0.3, "");
	put_run("20260101-000003-search-cccc", "search", "cancelled", 3000, 4.5, 0.05, "");
	put_run("20260101-000004-search-dddd", "search", "ok", 4000, 2.5, 0.9, "");
}

static void free_snap(struct snap *s)
{
	struct snap_runs *r = (struct snap_runs *)s;

	runs_release(&r->all);
	xfree(r->dir);
	xfree(r);
}

static struct snap_runs *snap_new(void)
{
	struct snap_runs *s = xalloc(sizeof *s);

	atomic_init(&s->snap.refs, 1);
	s->snap.free = free_snap;
	s->dir = xstrdup("/runs");
	return s;
}

static char *word(const char *s)
{
	return xstrdup(s ? s : "");
}

struct snap *made_runs(size_t n)
{
	static const char *const state[][2] = { { "ok", "done" }, { "running", "running" },
		{ "cancelled", "stopped" }, { "crashed", "crashed" }, { "failed", "failed" } };
	struct snap_runs *s = snap_new();

	s->all = (struct runs){ xarray(n + 1, sizeof *s->all.at), n };
	for (size_t i = 0; i < n; i++) {
		struct run_entry *r = &s->all.at[n - 1 - i];
		const char *kind = i ? "search" : "scan";

		*r = (struct run_entry){ .seconds = 1, .bpw = NAN, .kl = NAN, .se = NAN };
		r->id = xprintf("20260101-%06zu-%s-%04zx", i, kind, i);
		r->path = xprintf("/runs/%s", r->id);
		snprintf(r->kind, sizeof r->kind, "%s", kind);
		snprintf(r->status, sizeof r->status, "%s", state[i % 5][0]);
		snprintf(r->state, sizeof r->state, "%s", state[i % 5][1]);
		if (i) {
			r->bpw = 2.5 + 0.1 * (double)i;
			r->kl = 1 / (double)(i + 1);
			r->bytes = 1000000 * i;
			r->has_layout = true;
		}
		r->began = 1767225600 + (int64_t)i * 60; /* 2026-01-01, UTC */
		r->began_at = (double)r->began;
		r->parents = i ? xstrdup(s->all.at[n - i].id) : word("");
		r->model = word("demo");
		r->model_path = word("/m.gguf");
		r->model_sha = word("abc");
		r->notes = word(i == 1 ? "one\ntwo" : "");
		r->text = word("a text");
		char **empty[] = { &r->file_sha, &r->options, &r->summary, &r->version, &r->tags,
			&r->host, &r->backend, &r->dial, &r->script, &r->script_sha, &r->cwd,
			&r->again_not };
		for (size_t k = 0; k < sizeof empty / sizeof *empty; k++)
			*empty[k] = word("");
	}
	return &s->snap;
}

struct snap *loaded_runs(void)
{
	struct snap_runs *s = snap_new();
	struct err e = { 0 };

	cr_assert_not(runs_load(&s->all, NULL, &e), "%s", e.msg);
	return &s->snap;
}

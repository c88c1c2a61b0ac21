/* runs_entry.c - one run, from what lies in its folder. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/work/runs_private.h"

enum { FILE_MAX = 4 << 20, NOTES_MAX = 1 << 20, NOTES_SHOWN = 2000, WORDS_MAX = 256 };

/* Seconds since 1970; a run's longest, in seconds; the largest number of a run. */
static const double YEAR_10000 = 253402300800.0, LONGEST = 1e9, LARGEST = 1e15;
static const double MOST_BPW = 1000, MOST_KL = 1e4;

/* ---- the strings of one */

static const size_t strings[] = {
#define S(name) offsetof(struct run_entry, name)
	S(id),
	S(path),
	S(model),
	S(model_path),
	S(model_sha),
	S(file_sha),
	S(text),
	S(options),
	S(summary),
	S(version),
	S(tags),
	S(parents),
	S(notes),
	S(host),
	S(backend),
	S(dial),
	S(script),
	S(script_sha),
	S(cwd),
	S(again_not),
#undef S
};
enum { STRINGS = sizeof strings / sizeof *strings };

static char **string_at(struct run_entry *r, size_t i)
{
	return (char **)(void *)((char *)r + strings[i]);
}

static void words_release(struct run_words *w)
{
	for (size_t i = 0; i < w->n; i++)
		xfree(w->at[i]);
	xfree(w->at);
	*w = (struct run_words){ 0 };
}

static struct run_words words_copy(const struct run_words *w)
{
	struct run_words out = { xarray(w->n + 1, sizeof *out.at), w->n };

	for (size_t i = 0; i < w->n; i++)
		out.at[i] = xstrdup(w->at[i]);
	return out;
}

void run_entry_release(struct run_entry *r)
{
	for (size_t i = 0; i < STRINGS; i++)
		xfree(*string_at(r, i));
	words_release(&r->argv);
	words_release(&r->again);
}

struct run_entry run_entry_copy(const struct run_entry *r)
{
	struct run_entry out = *r;

	for (size_t i = 0; i < STRINGS; i++)
		*string_at(&out, i) = xstrdup(*string_at(&out, i));
	out.argv = words_copy(&r->argv);
	out.again = words_copy(&r->again);
	return out;
}

/* ---- reading */

static char *string_of(const struct json *j, const cJSON *o, const char *key)
{
	const char *s = "";

	if (json_get_str(j, o, "", key, &s, NULL))
		s = "";
	return xstrdup(s);
}

/* What stands in a row: a line feed of a stranger's would begin another one. */
static char *one_line(char *s)
{
	for (char *p = s; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	return s;
}

static char *line_of(const struct json *j, const char *key)
{
	return one_line(string_of(j, j->root, key));
}

/* NAN for what nothing of that kind can be. */
static double within(double v, double least, double most)
{
	return v >= least && v <= most ? v : (double)NAN;
}

static double number_of(const struct json *j, const cJSON *o, const char *key)
{
	double v;

	return json_get_f64(j, o, "", key, -1e300, 1e300, &v, NULL) ? (double)NAN : v;
}

/* An array of strings; anything else is none. */
static struct run_words words_of(const struct json *j, const char *key)
{
	const cJSON *a = json_member(j->root, key);
	size_t n = cJSON_IsArray(a) ? (size_t)cJSON_GetArraySize(a) : 0;
	struct run_words w = { 0 };

	if (!n || n > WORDS_MAX)
		return w;
	w.at = xarray(n, sizeof *w.at);
	for (const cJSON *s = a->child; s; s = s->next) {
		if (!cJSON_IsString(s)) {
			words_release(&w);
			return w;
		}
		w.at[w.n++] = xstrdup(s->valuestring);
	}
	return w;
}

static bool load(struct json *j, const struct run_entry *r, const char *file)
{
	char *path = xprintf("%s/%s", r->path, file);
	bool good = fs_is_file(path) && !json_load(j, path, FILE_MAX, NULL);

	if (good && !cJSON_IsObject(j->root)) {
		json_release(j);
		good = false;
	}
	xfree(path);
	return good;
}

static void short_of(char out[16], const struct json *j, const char *key)
{
	char *s = line_of(j, key);

	snprintf(out, 16, "%s", s);
	xfree(s);
}

/* Of a training run: who taught, and what. */
static void read_training(struct run_entry *r, const struct json *j)
{
	const cJSON *o = json_member(j->root, "train");
	char *teacher;
	bool teach = false;

	r->taught = false;
	if (!cJSON_IsObject(o)) {
		r->dial = xstrdup("");
		return;
	}
	r->dial = one_line(string_of(j, o, "dial"));
	teacher = string_of(j, o, "teacher");
	r->taught = *teacher || (!json_get_bool(j, o, "", "teach", &teach, NULL) && teach);
	xfree(teacher);
}

static bool read_head(struct run_entry *r)
{
	struct json j;
	double began, seed;

	if (!load(&j, r, "run.json"))
		return false;
	short_of(r->kind, &j, "kind");
	r->model = line_of(&j, "model");
	r->model_path = string_of(&j, j.root, "model_path");
	r->model_sha = string_of(&j, j.root, "model_sha256");
	r->file_sha = string_of(&j, j.root, "file_sha256");
	r->text = line_of(&j, "text");
	r->options = line_of(&j, "options");
	r->version = line_of(&j, "bitdial");
	r->parents = line_of(&j, "parents");
	r->host = line_of(&j, "host");
	r->backend = line_of(&j, "backend");
	read_training(r, &j);
	r->script = string_of(&j, j.root, "script");
	r->script_sha = string_of(&j, j.root, "script_sha256");
	r->cwd = string_of(&j, j.root, "cwd");
	r->again_not = line_of(&j, "again_not");
	r->argv = words_of(&j, "argv");
	r->again = words_of(&j, "again");
	began = number_of(&j, j.root, "began");
	seed = number_of(&j, j.root, "seed");
	r->began_at = began > 0 && began < YEAR_10000 ? began : 0;
	r->began = (int64_t)r->began_at;
	r->seed = seed > 0 && seed < 9e15 ? (uint64_t)seed : 0;
	json_release(&j);
	return true;
}

/* Who still writes it holds its lock. */
bool run_is_written(const struct run_entry *r)
{
	char *lock = xprintf("%s/lock", r->path);
	bool held = fs_is_locked(lock);

	xfree(lock);
	return held;
}

/* For people; the status is st_name's, "cancelled" or "crashed". */
static void set_status(struct run_entry *r, const char *status)
{
	static const char *const words[][2] = { { "ok", "done" }, { "cancelled", "stopped" },
		{ "crashed", "crashed" }, { "running", "running" }, { "gone", "gone" } };
	const char *state = "failed";

	snprintf(r->status, sizeof r->status, "%s", status);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcmp(words[i][0], status))
			state = words[i][1];
	snprintf(r->state, sizeof r->state, "%s", state);
}

static void read_numbers(struct run_entry *r, const struct json *j)
{
	const cJSON *o = json_member(j->root, "numbers");

	for (const cJSON *c = cJSON_IsObject(o) ? o->child : NULL; c && r->n_numbers < RUN_NUMBERS;
		c = c->next) {
		if (!cJSON_IsNumber(c) || !(fabs(c->valuedouble) <= LARGEST))
			continue;
		snprintf(r->number[r->n_numbers].name, RUN_NUMBER_NAME, "%s", c->string);
		one_line(r->number[r->n_numbers].name);
		r->number[r->n_numbers++].v = c->valuedouble;
	}
}

static void read_end(struct run_entry *r)
{
	struct json j;
	char *status;
	bool written = run_is_written(r); /* before the file: it is written under the lock */

	r->seconds = (double)NAN;
	r->n_numbers = 0;
	if (!load(&j, r, "end.json")) {
		set_status(r, written ? "running" : "crashed");
		r->summary = xstrdup("");
		return;
	}
	status = line_of(&j, "status");
	set_status(r, status);
	xfree(status);
	r->seconds = within(number_of(&j, j.root, "seconds"), 0, LONGEST);
	r->summary = line_of(&j, "summary");
	read_numbers(r, &j);
	json_release(&j);
}

void run_refresh(struct run_entry *r)
{
	xfree(r->summary);
	read_end(r);
	if (!fs_is_dir(r->path))
		set_status(r, "gone");
}

static double number_named(const struct run_entry *r, const char *name)
{
	for (size_t i = 0; i < r->n_numbers; i++)
		if (!strcmp(r->number[i].name, name))
			return r->number[i].v;
	return (double)NAN;
}

/* What was predicted of its layout; what the run measured comes before that. */
static void read_layout(struct run_entry *r)
{
	double bytes = (double)NAN, kl = number_named(r, r->taught ? "held_kl" : "kl");
	const cJSON *predicted;
	struct json j;

	r->bpw = r->kl = r->se = (double)NAN;
	r->has_layout = load(&j, r, "layout.json");
	if (r->has_layout) {
		r->bpw = number_of(&j, j.root, "stored_bpw");
		bytes = number_of(&j, j.root, "bytes");
		predicted = json_member(j.root, "predicted");
		/* That of what training began from says nothing of what came of it. */
		if (cJSON_IsObject(predicted) && strcmp(r->kind, "train") != 0) {
			r->kl = number_of(&j, predicted, "kl");
			r->se = number_of(&j, predicted, "se");
		}
		json_release(&j);
	}
	if (isnan(r->bpw))
		r->bpw = number_named(r, "stored_bpw");
	if (*r->dial) /* its layout.json is the largest format's, and it has all of them */
		r->bpw = bytes = (double)NAN;
	r->bpw = within(r->bpw, 0, MOST_BPW);
	if (isnan(bytes) && !*r->dial)
		bytes = number_named(r, "bytes");
	r->bytes = bytes > 0 && bytes < 9e15 ? (uint64_t)bytes : 0;
	r->measured = !isnan(kl);
	if (r->measured) {
		r->kl = kl;
		r->se = number_named(r, "kl_se");
		if (r->se <= 0) /* of one window */
			r->se = (double)NAN;
	}
	r->kl = within(r->kl, -MOST_KL, MOST_KL);
	r->se = within(r->se, 0, MOST_KL);
	r->measured &= !isnan(r->kl);
}

/* A small text of a run's folder, without the newline at its end; "": there is none. */
char *run_read_small(const struct run_entry *r, const char *file)
{
	char *path = xprintf("%s/%s", r->path, file), *text, *out = NULL;
	size_t n;

	if (fs_is_file(path) && !fs_read(path, NOTES_MAX, &text, &n, NULL)) {
		while (n && text[n - 1] == '\n')
			text[--n] = '\0';
		out = xstrdup(text);
		big_free(text);
	}
	xfree(path);
	return out ? out : xstrdup("");
}

/* ---- is it still the same? */

/* All that we write in a folder is renamed into its place, which the folder's time tells; notes
 * may be written to by an editor as they are. */
static uint64_t stamp_of(const struct run_entry *r)
{
	char *notes = xprintf("%s/notes.md", r->path);
	struct stat s;
	uint64_t stamp = 1;

	if (!stat(r->path, &s))
		stamp = (uint64_t)s.st_mtim.tv_sec * 1000000007u + (uint64_t)s.st_mtim.tv_nsec +
			(uint64_t)s.st_ino * 31;
	if (!stat(notes, &s))
		stamp = stamp * 31 + (uint64_t)s.st_mtim.tv_sec * 1000003u +
			(uint64_t)s.st_mtim.tv_nsec + (uint64_t)s.st_size;
	xfree(notes);
	return stamp;
}

bool run_entry_fresh(struct run_entry *r, bool *changed)
{
	if (stamp_of(r) != r->stamp)
		return false;
	if (!strcmp(r->status, "running") && !run_is_written(r)) {
		run_refresh(r); /* its writer was killed, or it has just ended */
		read_layout(r);
		*changed = true;
	}
	return true;
}

bool run_entry_read(struct run_entry *r)
{
	uint64_t stamp = stamp_of(r); /* before: what changes meanwhile is read again */

	if (!read_head(r))
		return false;
	read_end(r);
	read_layout(r);
	r->tags = one_line(run_read_small(r, "tags"));
	r->notes = run_read_small(r, "notes.md");
	if (strlen(r->notes) > NOTES_SHOWN)
		r->notes[NOTES_SHOWN] = '\0';
	r->stamp = stamp;
	return true;
}

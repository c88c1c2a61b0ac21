/* votes.c - votes to lines, lines to counts. */
#include "core/work/votes.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/alloc.h"
#include "core/base/fs.h"
#include "core/base/json.h"
#include "core/base/sha256.h"

static const char *const winner_name[] = { "a", "b", "tie", "bad" };
enum { FILE_MOST = 64 << 20 };

void votes_layout_id(char id[9], const struct format *f, const uint8_t *choice, size_t n)
{
	char name[FORMAT_NAME], hex[65];
	struct sha256 h;

	sha256_start(&h);
	for (size_t i = 0; i < n; i++) {
		const char *s = format_name(f[choice[i]], name);

		sha256_add(&h, s, strlen(s) + 1);
	}
	sha256_hex(&h, hex);
	snprintf(id, 9, "%.8s", hex);
}

char *votes_path(const char *model_name, const char *model_sha)
{
	char *data = fs_place(FS_DATA), name[96], *path;

	snprintf(name, sizeof name, "%s", model_name);
	for (char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
			*c = '-';
	path = xprintf("%s/chats/%s-%.8s/chat.ndjson", data, name, model_sha);
	xfree(data);
	return path;
}

void wilson(size_t k, size_t n, double *lo, double *hi)
{
	static const double z = 1.959963984540054; /* 97.5 % of the normal distribution */
	double p, mid, half, d;

	*lo = 0;
	*hi = 1;
	if (!n)
		return;
	p = (double)k / (double)n;
	d = 1 + z * z / (double)n;
	mid = (p + z * z / (2 * (double)n)) / d;
	half = z / d * sqrt(p * (1 - p) / (double)n + z * z / (4 * (double)n * (double)n));
	*lo = k ? mid - half : 0;
	*hi = k < n ? mid + half : 1;
}

/* ---- writing */

static void put_layout(struct json_out *o, const char *key, const char *id, double bpw)
{
	json_open(o, key, '{');
	json_put_str(o, "id", id);
	json_put_f64(o, "bpw", bpw);
	json_close(o, '}');
}

static void put_sampler(struct json_out *o, const struct sampler_options *s)
{
	char seed[24];

	snprintf(seed, sizeof seed, "%llu", (unsigned long long)s->seed);
	json_put_str(o, "seed", seed); /* a number holds 53 bits */
	json_open(o, "sampler", '{');
	json_put_f64(o, "temperature", s->temperature);
	json_put_i64(o, "top_k", s->top_k);
	json_put_f64(o, "top_p", s->top_p);
	json_put_f64(o, "min_p", s->min_p);
	json_put_f64(o, "repeat_penalty", s->repeat_penalty);
	json_put_i64(o, "repeat_last", s->repeat_last);
	json_close(o, '}');
}

enum st votes_append(const char *path, const struct vote *v, struct err *e)
{
	char *dir = xstrdup(path), *slash = strrchr(dir, '/');
	struct json_out o;
	enum st st = ST_OK;

	if (slash && slash > dir) {
		*slash = 0;
		st = fs_mkdirs(dir, e);
	}
	xfree(dir);
	if (st)
		return st;
	json_out_init(&o, false);
	json_open(&o, NULL, '{');
	json_put_i64(&o, "v", 1);
	json_put_str(&o, "ev", "vote");
	json_put_i64(&o, "time", (int64_t)time(NULL));
	put_layout(&o, "a", v->id[0], v->bpw[0]);
	put_layout(&o, "b", v->id[1], v->bpw[1]);
	json_put_str(&o, "prompt", v->prompt);
	put_sampler(&o, &v->sampler);
	json_put_str(&o, "winner", winner_name[v->winner]);
	json_put_bool(&o, "blind", v->blind);
	json_close(&o, '}');
	st = fs_append(path, o.s, e);
	json_out_release(&o);
	return st;
}

/* ---- reading */

static bool is_id(const char *s)
{
	return strlen(s) == 8 && strspn(s, "0123456789abcdef") == 8;
}

static bool read_layout(const struct json *j, const char *key, char id[9], double *bpw)
{
	const cJSON *o = json_member(j->root, key);
	const char *s;

	if (!cJSON_IsObject(o) || json_get_str(j, o, key, "id", &s, NULL) || !is_id(s) ||
		json_get_f64(j, o, key, "bpw", 0, 1e3, bpw, NULL))
		return false;
	snprintf(id, 9, "%s", s);
	return true;
}

enum line { LINE_VOTE, LINE_OTHER, LINE_STRANGE };

/* Only what counting needs; other events and fields are for others. */
static enum line read_vote(const char *s, size_t n, struct vote *v)
{
	struct json j;
	const char *ev, *winner;
	uint64_t version;
	enum line is = LINE_STRANGE;

	if (json_parse(&j, "chat.ndjson", s, n, NULL))
		return LINE_STRANGE;
	if (!cJSON_IsObject(j.root) || json_get_u64(&j, j.root, "", "v", 1, 1, &version, NULL) ||
		json_get_str(&j, j.root, "", "ev", &ev, NULL))
		goto out;
	is = LINE_OTHER;
	if (strcmp(ev, "vote"))
		goto out;
	is = LINE_STRANGE;
	if (!read_layout(&j, "a", v->id[0], &v->bpw[0]) ||
		!read_layout(&j, "b", v->id[1], &v->bpw[1]) ||
		json_get_str(&j, j.root, "", "winner", &winner, NULL) ||
		json_get_bool(&j, j.root, "", "blind", &v->blind, NULL))
		goto out;
	for (int i = 0; i < 4; i++)
		if (!strcmp(winner, winner_name[i])) {
			v->winner = (enum vote_winner)i;
			is = LINE_VOTE;
		}
out:
	json_release(&j);
	return is;
}

struct counts {
	struct vote_pair *pair;
	size_t n, cap;
};

static void count(struct counts *c, const struct vote *v)
{
	int swap =
		v->bpw[0] > v->bpw[1] || (v->bpw[0] == v->bpw[1] && strcmp(v->id[0], v->id[1]) > 0);
	struct vote_pair *p;
	size_t i = 0;

	while (i < c->n &&
		(strcmp(c->pair[i].id[0], v->id[swap]) || strcmp(c->pair[i].id[1], v->id[!swap])))
		i++;
	if (i == c->n) {
		if (c->n == c->cap) {
			c->cap = c->cap ? 2 * c->cap : 16;
			c->pair = xrealloc(c->pair, c->cap * sizeof *c->pair);
		}
		p = &c->pair[c->n++];
		*p = (struct vote_pair){ .bpw = { v->bpw[swap], v->bpw[!swap] } };
		memcpy(p->id[0], v->id[swap], 9);
		memcpy(p->id[1], v->id[!swap], 9);
	}
	p = &c->pair[i];
	if (v->winner == VOTED_TIE)
		p->tie++;
	else if (v->winner == VOTED_BAD)
		p->bad++;
	else
		p->won[(v->winner == VOTED_B) != swap]++;
	p->blind += v->blind;
}

static size_t votes_of(const struct vote_pair *p)
{
	return p->won[0] + p->won[1] + p->tie + p->bad;
}

static int by_votes(const void *a, const void *b)
{
	size_t x = votes_of(a), y = votes_of(b);

	return x != y ? (x < y) - (x > y)
		      : strcmp(((const struct vote_pair *)a)->id[0],
				((const struct vote_pair *)b)->id[0]);
}

enum st votes_count(struct snap_votes **out, const char *path, struct err *e)
{
	struct counts c = { 0 };
	size_t len = 0, strange = 0;
	char *s = NULL, *end;
	enum st st = ST_OK;

	if (fs_is_file(path))
		st = fs_read(path, FILE_MOST, &s, &len, e);
	if (st)
		return st;
	for (char *line = s; s && line < s + len; line = end + 1) {
		struct vote v = { 0 };
		enum line is;

		end = memchr(line, '\n', (size_t)(s + len - line));
		if (!end)
			break; /* cut short, or being written */
		is = read_vote(line, (size_t)(end - line), &v);
		strange += is == LINE_STRANGE;
		if (is == LINE_VOTE)
			count(&c, &v);
	}
	big_free(s);
	if (c.n)
		qsort(c.pair, c.n, sizeof *c.pair, by_votes);
	*out = snap_votes_new(c.n);
	for (size_t i = 0; i < c.n; i++) {
		struct vote_pair *p = &(*out)->pair[i];

		*p = c.pair[i];
		wilson(p->won[1], p->won[0] + p->won[1], &p->lo, &p->hi);
	}
	(*out)->strange = strange;
	xfree(c.pair);
	return ST_OK;
}

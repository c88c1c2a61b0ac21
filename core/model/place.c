/* place.c - see place.h. */
#include "core/model/place.h"

#include <stdio.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/text.h"

static struct backend_device now(const struct backend *be)
{
	struct backend_device d = { .total = UINT64_MAX, .free = UINT64_MAX }; /* it does not say */

	if (be->info)
		be->info(&d);
	return d;
}

uint64_t place_room(const struct backend *be)
{
	return be->host_memory ? mem_available() : now(be).free;
}

const char *place_text(const struct backend *be, char out[PLACE_TEXT])
{
	struct backend_device d;
	char a[16], b[16];

	if (be->host_memory) {
		snprintf(out, PLACE_TEXT, "%s are available", text_bytes(mem_available(), a));
		return out;
	}
	d = now(be);
	snprintf(out, PLACE_TEXT, "%s of %s are free on %s", text_bytes(d.free, a),
		text_bytes(d.total, b), be->name);
	return out;
}

enum st place_full(
	const struct model *m, const char *what, uint64_t bytes, const char *help, struct err *e)
{
	enum st st = model_fault(m, e);

	return st ? st : place_small(m->be, what, bytes, help, e);
}

enum st place_small(
	const struct backend *be, const char *what, uint64_t bytes, const char *help, struct err *e)
{
	char need[16], room[PLACE_TEXT];

	return err_set(e, ST_NOMEM, "%s takes %s, and %s; %s", what, text_bytes(bytes, need),
		place_text(be, room), help);
}

double place_pace(const struct backend *be)
{
	return be->host_memory ? 1 : 50;
}

/* ---- matrices */

/* The arrays of a mat in the order of struct mat's pointers, the mix's order last. */
enum { ARRAYS = 7 };
struct arrays {
	const void *from[ARRAYS];
	size_t bytes[ARRAYS], place[ARRAYS], n, total;
};

static void add(struct arrays *a, const void *from, size_t bytes)
{
	a->from[a->n] = from;
	a->bytes[a->n++] = bytes;
}

static void add_part(struct arrays *a, const struct mat *p)
{
	size_t stats = mat_stat_count(p->rows, p->cols, p->group) * sizeof *p->scale;

	add(a, p->data, mat_code_bytes(p->bits, p->rows, p->cols));
	add(a, p->scale, stats);
	add(a, p->offset, stats);
}

/* Each on 64 bytes, one behind the other; false: more than there can be. */
static bool plan(struct arrays *a, const struct mat *w)
{
	struct mat part = *w;

	*a = (struct arrays){ .n = 0 };
	if (w->type == MAT_MIX)
		part = mat_part(w, true);
	if (w->type == MAT_INT || w->type == MAT_MIX)
		add_part(a, &part);
	else
		add(a, w->data, (size_t)mat_bytes(w));
	if (w->type == MAT_MIX) {
		part = mat_part(w, false);
		add_part(a, &part);
		add(a, w->order, w->cols * sizeof *w->order);
	}
	for (size_t i = 0; i < a->n; i++) {
		a->place[i] = a->total;
		if (!size_add(&a->total, a->total, a->bytes[i]) ||
			!size_align_up(&a->total, a->total, 64))
			return false;
	}
	return true;
}

static const uint16_t *halves(const unsigned char *memory, size_t place)
{
	return (const uint16_t *)(const void *)(memory + place);
}

/* w over the copy. */
static struct mat over(const struct mat *w, const struct arrays *a, const unsigned char *memory)
{
	struct mat out = *w;

	out.data = memory;
	if (a->n > 1) {
		out.scale = halves(memory, a->place[1]);
		out.offset = halves(memory, a->place[2]);
	}
	if (a->n > 3) {
		out.low_data = memory + a->place[3];
		out.low_scale = halves(memory, a->place[4]);
		out.low_offset = halves(memory, a->place[5]);
		out.order = halves(memory, a->place[6]);
	}
	return out;
}

enum st place_put(struct mat *out, void **memory, const struct mat *w, const struct model *m,
	const char *what, struct err *e)
{
	const struct backend *be = m->be;
	struct arrays a;
	unsigned char *to;
	enum st st;

	if (!plan(&a, w))
		return err_set(e, ST_NOMEM, "%s does not fit any memory", what);
	to = be->alloc(a.total);
	if (!to)
		return place_full(m, what, a.total, "fewer formats take less", e);
	for (size_t i = 0; i < a.n; i++)
		be->put(to + a.place[i], a.from[i], a.bytes[i]);
	if (be->wait)
		be->wait();
	st = model_fault(m, e);
	if (st) {
		be->free(to);
		return st;
	}
	*out = over(w, &a, to);
	*memory = to;
	return ST_OK;
}

enum st place_get(struct mat *out, void **memory, const struct mat *w, const struct model *m,
	const char *what, struct err *e)
{
	struct arrays a;
	unsigned char *to;
	enum st st;

	if (!plan(&a, w))
		return err_set(e, ST_NOMEM, "%s does not fit any memory", what);
	to = big_alloc(a.total, what, e);
	if (!to)
		return ST_NOMEM;
	for (size_t i = 0; i < a.n; i++)
		m->be->get(to + a.place[i], a.from[i], a.bytes[i]);
	st = model_fault(m, e);
	if (st) {
		big_free(to);
		return st;
	}
	*out = over(w, &a, to);
	*memory = to;
	return ST_OK;
}

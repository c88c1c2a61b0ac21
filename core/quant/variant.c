/* variant.c - codes packed to run, and the table of what there is. */
#include "core/quant/variant.h"

#include "core/base/alloc.h"
#include "core/base/checked.h"

/* words, scales and offsets in one piece of memory, each on 64 bytes. */
struct plan {
	size_t scale, offset, total;
};

static bool plan_of(struct plan *p, const struct qcodes *q)
{
	size_t stats;

	p->scale = mat_code_bytes(q->format.bits, q->rows, q->cols);
	stats = mat_stat_count(q->rows, q->cols, q->format.group) * sizeof(uint16_t);
	return size_align_up(&p->scale, p->scale, 64) && size_add(&p->offset, p->scale, stats) &&
	       size_align_up(&p->offset, p->offset, 64) && size_add(&p->total, p->offset, stats);
}

enum st variant_pack(struct variant *v, const struct qcodes *q, const struct quantizer *by,
	double error, struct err *e)
{
	char name[FORMAT_NAME];
	struct plan p;
	uint16_t *scale, *offset;
	unsigned char *memory;

	*v = (struct variant){ 0 };
	if (!plan_of(&p, q))
		return err_set(e, ST_NOMEM, "a linear of %zu x %zu in %s is too large to pack",
			q->rows, q->cols, format_name(q->format, name));
	memory = big_alloc(p.total, "a packed linear", e);
	if (!memory)
		return ST_NOMEM;
	scale = (uint16_t *)(void *)(memory + p.scale);
	offset = (uint16_t *)(void *)(memory + p.offset);
	mat_pack((uint32_t *)(void *)memory, q->format.bits, q->rows, q->cols, q->code);
	mat_pack_stats(scale, q->rows, q->cols, q->format.group, q->scale);
	mat_pack_stats(offset, q->rows, q->cols, q->format.group, q->offset);
	*v = (struct variant){
		.mat = { MAT_INT, q->format.bits, q->format.group, q->rows, q->cols, memory, scale,
			offset },
		.by = by,
		.error = error,
		.bytes = format_bytes(q->format, q->rows, q->cols),
		.memory = memory,
	};
	return ST_OK;
}

void variant_release(struct variant *v)
{
	big_free(v->memory);
	*v = (struct variant){ 0 };
}

enum st variant_set_alloc(
	struct variant_set *s, size_t n, const struct format *f, size_t k, struct err *e)
{
	*s = (struct variant_set){ .n = n, .k = k };
	if (!k || k > FORMAT_MAX)
		return err_set(e, ST_INVALID, "a dial has 1 to %d formats, not %zu", FORMAT_MAX, k);
	for (size_t i = 0; i < k; i++)
		s->format[i] = f[i];
	s->slot = big_array(n, k * sizeof *s->slot, "the table of variants", e);
	return s->slot ? ST_OK : ST_NOMEM;
}

void variant_set_release(struct variant_set *s)
{
	for (size_t i = 0; s->slot && i < s->n * s->k; i++)
		variant_release(&s->slot[i]);
	big_free(s->slot);
	*s = (struct variant_set){ 0 };
}

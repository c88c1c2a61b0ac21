/* variant.h - one linear in one format by one quantizer, packed, ready to run.
 *
 * A variant owns its memory (or a mapped cache file does), which is the host's, or the model's
 * where that is a device's.  Immutable once made.
 * variant_set holds, for each (linear, format) of the dial, the best variant there
 * is so far; the engine thread alone adds to it, readers on other threads get
 * snapshots (see work/snap.h).
 */
#ifndef BD_QUANT_VARIANT_H
#define BD_QUANT_VARIANT_H

#include "core/model/model.h"
#include "core/quant/quantizer.h"

struct variant {
	struct mat mat;
	const struct quantizer *by;
	double error;  /* quant_error under the moments at hand; NAN: unknown */
	uint64_t bytes; /* stored: format_bytes */
	void *memory;  /* owned; NULL: belongs to a map */
	const struct model *home; /* whose memory it is, where the host cannot touch it; else NULL */
};

BD_MUST_USE enum st variant_pack(struct variant *v, const struct qcodes *q,
	const struct quantizer *by, double error, struct err *e);
void variant_release(struct variant *v);
/* To where m runs, if it is not there: the packed bytes move, or a copy of what is mapped. */
BD_MUST_USE enum st variant_place(struct variant *v, const struct model *m, struct err *e);
/* Its mat where the host can read it: its own (*memory NULL), or a copy (big_free). */
BD_MUST_USE enum st variant_here(
	const struct variant *v, struct mat *mat, void **memory, struct err *e);

/* What a packed variant takes in memory, and the mat over such a piece, which is borrowed.
 * false: more than there can be. */
bool variant_size(size_t *bytes, struct format f, size_t rows, size_t cols);
struct mat variant_mat(struct format f, size_t rows, size_t cols, const void *memory);

/* n linears x k formats of slots, [linear][format]; a slot with mat.data NULL is empty. */
struct variant_set {
	size_t n, k;
	struct format format[FORMAT_MAX];
	struct variant *slot;
};
BD_MUST_USE enum st variant_set_alloc(struct variant_set *s, size_t n, const struct format *f,
	size_t k, struct err *e);
void variant_set_release(struct variant_set *s);
static inline struct variant *variant_at(const struct variant_set *s, size_t linear, size_t fmt)
{
	return &s->slot[linear * s->k + fmt];
}

#endif

/* layout.h - the choice of one format (and quantizer) for every linear.
 *
 * A value that owns its array.  The file is JSON: {"v":1, "model":{"name","sha256"},
 * "formats":[..], "bytes":n, "stored_bpw":x, "predicted":{"kl","se"}, "linears":
 * {"layers.0.q":{"format":"int4g128","quantizer":"gptq"}, ..}}; unknown fields are
 * accepted, a newer v and a layout of another model are refused by name.  The sha256
 * is the checkpoint's header_sha256.  Quantizer "" leaves the choice to the variant
 * set.  Any thread; one at a time.
 */
#ifndef BD_QUANT_LAYOUT_H
#define BD_QUANT_LAYOUT_H

#include "core/quant/format.h"

struct quantizer;
struct model;

struct layout {
	char model_name[96], model_sha[65];
	size_t n;            /* linears */
	size_t k;            /* formats */
	struct format format[FORMAT_MAX];
	uint8_t *choice;     /* [n]: index into format */
	const struct quantizer **by; /* [n]; NULL: whichever the set holds */
	uint64_t bytes;      /* stored bytes of the linears */
	uint64_t weights;    /* in the linears */
	double predicted_kl, predicted_se; /* NAN: none */
	char calibrated[64]; /* id of the run whose variants it takes; "": those of quantizers */
};

void layout_init(struct layout *l, const struct model *m, const struct format *f, size_t k);
/* to is filled anew: what it held is not released. */
void layout_copy(struct layout *to, const struct layout *from);
void layout_release(struct layout *l);
/* Fills bytes from the choice. */
void layout_count(struct layout *l, const struct model *m);
double layout_stored_bpw(const struct layout *l);
/* Mean of b + 4/g over weights; a kept linear counts with the bits of its type. */
/* Bits a weight of one linear as a type's name has them, b + 4/g; of `keep` those of its type in
 * the file. */
double layout_nominal(const struct model *m, size_t linear, struct format f);
double layout_nominal_bpw(const struct layout *l, const struct model *m);
/* The whole file as exported: linears as chosen, everything else as it is. */
uint64_t layout_file_bytes(const struct layout *l, const struct model *m);

BD_MUST_USE enum st layout_write(const struct layout *l, const char *path, struct err *e);
/* m NULL: read without a model to compare with (bitdial layout show). */
BD_MUST_USE enum st layout_read(struct layout *l, const char *path, const struct model *m,
	struct err *e);

#endif

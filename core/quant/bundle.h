/* bundle.h - our own folder: a quantized model that opens again bit for bit.
 *
 * config.json, tokenizer.json, tokenizer_config.json, layout.json and
 * model.safetensors, with "layers.0.q.codes" U8 [rows][row bytes] (each row's codes as
 * one little-endian bit string), ".scale" and ".offset" F16 [rows][groups]; kept linears
 * and the embedding in their exact native equivalent, everything else in its own dtype.
 * Written into a temporary folder beside dir, fsync'ed and renamed; an existing dir is
 * refused.
 */
#ifndef BD_QUANT_BUNDLE_H
#define BD_QUANT_BUNDLE_H

#include "core/base/sink.h"
#include "core/model/model.h"
#include "core/quant/layout.h"

/* view: the mat each linear runs with under the layout. */
BD_MUST_USE enum st bundle_write(const char *dir, const struct model *m, const struct layout *l,
	const struct mat *const *view, const struct sink *s, struct err *e);

/* The same in steps, for who puts files of its own beside: a new empty folder beside dir (its name:
 * xfree); what bundle_write puts into it, with other gains of the norms (as of fwd_set_gains; NULL:
 * the model's); and dir as its name.  When that fails neither is there.  Who gives up before
 * removes tmp.  bundle_is_partial: is a name in dir's folder one that a process left which was killed? */
BD_MUST_USE enum st bundle_begin(char **tmp, const char *dir, struct err *e);
BD_MUST_USE enum st bundle_put(const char *tmp, const struct model *m, const struct layout *l,
	const struct mat *const *view, float *const *gain, const struct sink *s, struct err *e);
BD_MUST_USE enum st bundle_end(const char *tmp, const char *dir, struct err *e);
bool bundle_is_partial(const char *name);

#endif

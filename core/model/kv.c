/* kv.c - keys and values of one sequence. */
#include "core/model/forward.h"

#include <stdio.h>

#include "core/base/alloc.h"
#include "core/base/checked.h"
#include "core/base/text.h"
#include "core/model/place.h"

static enum st no_room(const struct model *m, size_t cap, size_t bytes, struct err *e)
{
	char need[16], have[16], what[64];

	snprintf(what, sizeof what, "a KV cache for %zu tokens", cap);
	if (!m->be->host_memory)
		return place_full(m, what, bytes, "use a shorter context", e);
	if (bytes <= mem_available()) /* a limit of this process, or of the device */
		return err_set(e, ST_NOMEM,
			"KV cache of %s for %zu tokens: the system gives no more memory (see "
			"ulimit -v); use a shorter context",
			text_bytes(bytes, need), cap);
	return err_set(e, ST_NOMEM,
		"KV cache of %s for %zu tokens: %s available; use a shorter context",
		text_bytes(bytes, need), cap, text_bytes(mem_available(), have));
}

static bool take(struct kv *kv, enum kv_type type, size_t values, size_t scales)
{
	const struct backend *be = kv->m->be;

	if (type == KV_F32) {
		kv->k = be->alloc(values * sizeof *kv->k);
		kv->v = be->alloc(values * sizeof *kv->v);
		return kv->k && kv->v;
	}
	kv->k8 = be->alloc(values);
	kv->v8 = be->alloc(values);
	kv->k_scale = be->alloc(scales * sizeof *kv->k_scale);
	kv->v_scale = be->alloc(scales * sizeof *kv->v_scale);
	return kv->k8 && kv->v8 && kv->k_scale && kv->v_scale;
}

enum st kv_new(
	struct kv **out, const struct model *m, size_t cap, enum kv_type type, struct err *e)
{
	size_t values, scales, bytes;
	struct kv *kv;

	if (type == KV_INT8 && m->hp.head_dim > KV_INT8_DIM)
		return err_set(e, ST_UNSUPPORTED,
			"the int8 KV cache takes heads of at most %d, the model's have %zu: use float",
			KV_INT8_DIM, m->hp.head_dim);
	if (!cap || !size_mul(&scales, m->hp.layers * m->hp.kv_heads, cap) ||
		!size_mul(&values, scales, m->hp.head_dim) || values > SIZE_MAX / 16)
		return err_set(e, ST_INVALID, "a KV cache of %zu tokens cannot be made", cap);
	bytes = 2 * (type == KV_F32 ? values * sizeof(float) : values + scales * sizeof(float));
	if (bytes > place_room(m->be))
		return no_room(m, cap, bytes, e);
	kv = xalloc(sizeof *kv);
	kv->m = m;
	kv->cap = cap;
	if (!take(kv, type, values, scales)) {
		kv_free(kv);
		return no_room(m, cap, bytes, e);
	}
	*out = kv;
	return ST_OK;
}

void kv_free(struct kv *kv)
{
	if (!kv)
		return;
	void *const held[] = { kv->k, kv->v, kv->k8, kv->v8, kv->k_scale, kv->v_scale };

	for (size_t i = 0; i < sizeof held / sizeof *held; i++)
		if (held[i])
			kv->m->be->free(held[i]);
	xfree(kv);
}
